use axum::http::{Request, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::super::tests::{FAR, World, bytes, header_of};
use super::*;
use crate::passport::State;
use crate::sign::{Defaults, Statement};

mod beneath;
mod carried;
mod certificates;
mod erased;
mod lots;
mod met;
mod notices;
mod refused;
mod versions;
mod wording;

pub(super) const CLASS: &str = "https://id.gs1.org/01/09520123456788";
pub(super) const PATH: &str = "/01/09520123456788/21/S1";
pub(super) const ITEM: &str = "https://id.gs1.org/01/09520123456788/21/S1";
const GLN: &str = "https://id.gs1.org/414/9506000134369";

pub(super) async fn world() -> World {
    World::with_roles(&["producer", "certifier", "accreditor"]).await
}

/// Signs, stores, and waits until it is under a checkpoint.
pub(in crate::api) async fn attest(world: &World, statement: Value) -> String {
    let statement = Statement::from_json(statement, &Defaults::default()).unwrap();
    let now = (world.app.clock)();
    let envelope = statement.sign(&world.app.config, now, world.app.capture.as_ref()).unwrap();
    world.app.admit(envelope.stored().to_vec()).await.unwrap();
    world.app.node.recorded(&envelope.id()).await.unwrap();
    envelope.id().to_string()
}

pub(super) fn masterdata() -> Value {
    json!({ "kind": "masterdata", "sub": CLASS, "payload": {
        "from_at": "2026-01-01T00:00:00Z",
        "name": { "zh-Hans": "保温杯", "en": "Flask" },
        "about": { "item": { "look_for": { "en": "A blue seal" } } },
    } })
}

pub(super) fn event(number: u64, serial: &str, step: &str, audience: Value) -> Value {
    let action = if step == "commissioning" { "ADD" } else { "OBSERVE" };
    let epcis = json!({
        "type": "ObjectEvent", "action": action, "bizStep": step,
        "eventID": format!("urn:uuid:00000000-0000-4000-8000-{number:012}"),
        "eventTime": "2026-01-02T03:04:05.000+08:00", "eventTimeZoneOffset": "+08:00",
        "epcList": [format!("{CLASS}/21/{serial}")], "readPoint": { "id": GLN },
    });
    json!({ "kind": "event", "aud": audience, "payload": { "epcis": epcis.to_string() } })
}

pub(super) async fn get(world: &World, path: &str, accept: &str) -> (StatusCode, Response) {
    let request = Request::get(path).header("accept", accept);
    world.ask(FAR, request, Vec::new()).await
}

pub(super) async fn json_at(world: &World, path: &str) -> (StatusCode, Value) {
    let (status, response) = get(world, path, "application/json").await;
    (status, serde_json::from_slice(&bytes(response).await).unwrap())
}

pub(super) async fn page_at(world: &World, path: &str) -> String {
    let (_, response) = get(world, path, "text/html").await;
    String::from_utf8(bytes(response).await).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_without_a_record_are_told_apart_and_nothing_redirects() {
    let world = world().await;
    attest(&world, masterdata()).await;
    for (path, status, state) in [
        ("/01/09520123456788/21/never-seen", 404, "unknown"),
        ("/01/09506000134352/21/1", 404, "foreign"),
        ("/00/006141411234567890", 404, "foreign"),
        ("/414/9506000134369", 404, "foreign"),
        ("/goods/drug/81234567890123456789", 404, "foreign"),
        ("/01/09520123456789", 400, "unreadable"),
        ("/01/https:%2F%2Fevil.example", 400, "unreadable"),
        ("/goods/drug/123", 400, "unreadable"),
        ("/goods/nothing/1", 400, "unreadable"),
        ("/goods?code=hello", 400, "unreadable"),
        ("/goods?code=(01)09520123456788(21)never-seen", 404, "unknown"),
        ("/goods", 400, "unreadable"),
        ("/01/09520123456788", 200, "consistent"),
    ] {
        let (found, json) = json_at(&world, path).await;
        assert_eq!((found.as_u16(), json["state"].as_str()), (status, Some(state)), "{path}");
        let (found, response) = get(&world, path, "*/*").await;
        assert_eq!(found.as_u16(), status, "{path}");
        assert!(response.headers().get("location").is_none(), "{path}");
        assert!(header_of(&response, "content-type").starts_with("text/html"), "{path}");
        assert_eq!(header_of(&response, "content-language"), "en");
        let page = String::from_utf8(bytes(response).await).unwrap();
        assert!(page.contains(&format!("data-state=\"{state}\"")), "{path}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_answered_in_the_form_and_language_that_is_asked_for() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    for (accept, kind) in [
        ("application/json", "application/json"),
        ("application/ld+json", "application/ld+json"),
        ("application/linkset+json", "application/linkset+json"),
        ("text/html,*/*;q=0.8", "text/html; charset=utf-8"),
    ] {
        let (status, response) = get(&world, PATH, accept).await;
        assert_eq!(status, StatusCode::OK, "{accept}");
        assert_eq!(header_of(&response, "content-type"), kind);
        assert_eq!(header_of(&response, "access-control-allow-origin"), "*");
        assert!(header_of(&response, "cache-control").starts_with("max-age=60, stale-if-error="));
        assert!(
            header_of(&response, "link").ends_with(
                "?linkType=linkset>; rel=\"linkset\"; type=\"application/linkset+json\""
            )
        );
        let tag = header_of(&response, "etag");
        let again = Request::get(PATH).header("accept", accept).header("if-none-match", tag);
        assert_eq!(world.ask(FAR, again, Vec::new()).await.0, StatusCode::NOT_MODIFIED);
        let any = Request::get(PATH).header("accept", accept).header("if-none-match", "*");
        assert_eq!(world.ask(FAR, any, Vec::new()).await.0, StatusCode::NOT_MODIFIED);
    }
    let (status, response) = get(&world, PATH, "image/png").await;
    assert_eq!(status, StatusCode::NOT_ACCEPTABLE);
    assert!(header_of(&response, "content-type").contains("problem"));
    let (status, response) = get(&world, &format!("{PATH}?linkType=gs1:recipeInfo"), "*/*").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(header_of(&response, "content-type").contains("problem"));

    let (_, response) = get(&world, &format!("{PATH}?linkType=all"), "*/*").await;
    let set: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    assert_eq!(set["linkset"][0]["anchor"], PATH, "relative, as this node does not listen");
    assert_links_are_of_one_language_each(&set["linkset"][0], ["en", "zh-Hans"]);
    assert_eq!(set["linkset"][0]["itemDescription"], "Flask");
    let chinese = Request::get(format!("{PATH}?linkType=all")).header("accept-language", "zh-CN");
    let (_, response) = world.ask(FAR, chinese, Vec::new()).await;
    assert_eq!(header_of(&response, "content-language"), "zh-Hans");
    let set: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    assert_links_are_of_one_language_each(&set["linkset"][0], ["zh-Hans", "en"]);
    assert_eq!(set["linkset"][0]["itemDescription"], "保温杯");
    assert!(
        page_at(&world, &format!("{PATH}?lang=zh-Hans")).await.contains("<html lang=\"zh-Hans\">")
    );
    assert!(page_at(&world, PATH).await.contains("<html lang=\"en\">"));
    let (status, response) = world.ask(FAR, Request::head(PATH), Vec::new()).await;
    assert_eq!(status, StatusCode::OK);
    assert!(bytes(response).await.is_empty());
    let (_, described) = json_at(&world, "/.well-known/gs1resolver").await;
    assert_eq!(described["supportedPrimaryKeys"], json!(["all"]));
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tag_of_a_language_is_looked_up_and_one_that_is_not_known_is_not_said() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    for (lang, header, expected) in [
        ("zh-CN", "en", "zh-Hans"),
        ("zh", "en", "zh-Hans"),
        ("zh-Hans-CN", "", "zh-Hans"),
        ("en-GB", "zh-CN", "en"),
        ("xx", "zh-CN, en;q=0.5", "zh-Hans"),
        ("xx", "en-GB", "en"),
        ("xx", "fr", "en"),
        ("xx", "", "en"),
    ] {
        let asked = Request::get(format!("{PATH}?lang={lang}")).header("accept", "text/html");
        let asked = asked.header("accept-language", header);
        let (_, response) = world.ask(FAR, asked, Vec::new()).await;
        assert_eq!(header_of(&response, "content-language"), expected, "{lang} {header}");
        let page = String::from_utf8(bytes(response).await).unwrap();
        assert!(page.contains(&format!("<html lang=\"{expected}\">")), "{lang} {header}");
    }
    world.end();
}

/// The default link is one and answers in both; each other page has one link for each language.
fn assert_links_are_of_one_language_each(links: &Value, languages: [&str; 2]) {
    let default = &links["https://gs1.org/voc/defaultLink"];
    assert_eq!(default.as_array().map(Vec::len), Some(1));
    assert_eq!(default[0]["href"], PATH);
    assert_eq!(default[0]["hreflang"], json!(languages));
    let pages = &links["https://gs1.org/voc/certificationInfo"];
    assert_eq!(pages.as_array().map(Vec::len), Some(2));
    for (link, language) in pages.as_array().unwrap().iter().zip(languages) {
        assert_eq!(link["href"], format!("{PATH}?lang={language}#certificates"));
        assert_eq!(link["hreflang"], json!([language]));
        let title = link["title*"].as_array().unwrap().iter();
        let own = title.clone().find(|title| title["language"] == language).unwrap();
        assert_eq!(link["title"], own["value"], "its own language names it");
        assert_eq!(title.count(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_asks_for_the_trace_sees_the_journey_and_a_program_is_led_to_it() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    // Of what is not there nobody has a copy.
    let unknown = Request::get("/01/09520123456788/21/never-seen").header("if-none-match", "*");
    assert_eq!(world.ask(FAR, unknown, Vec::new()).await.0, StatusCode::NOT_FOUND);
    let asked = format!("{PATH}?linkType=gs1:traceability");
    let (status, response) = get(&world, &asked, "text/html,*/*;q=0.8").await;
    assert_eq!(status, StatusCode::OK, "a browser sees the journey");
    let page = String::from_utf8(bytes(response).await).unwrap();
    assert!(page.contains("id=\"journey\""));
    let (status, response) = get(&world, &asked, "application/json").await;
    assert_eq!(status, StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(header_of(&response, "location"), format!("/v1/trace{PATH}"));
    assert_eq!(get(&world, &format!("/v1/trace{PATH}"), "").await.0, StatusCode::OK);
    let (_, response) = get(&world, &format!("{PATH}?linkType=all"), "*/*").await;
    let set: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    let traces = &set["linkset"][0]["https://gs1.org/voc/traceability"];
    assert_eq!(traces[0]["href"], format!("/v1/trace{PATH}"), "where the resolver leads");
    assert_eq!(traces[1]["href"], format!("{PATH}?lang=en#journey"));
    let class = "/01/09520123456788?linkType=all";
    let (_, response) = get(&world, class, "*/*").await;
    let set: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    let traces = &set["linkset"][0]["https://gs1.org/voc/traceability"];
    assert!(traces.is_null(), "no event names the class, so there is no trace to read");
    // What is in no link set is not led to either: an event for members shows nobody a step.
    attest(&world, event(2, "S2", "commissioning", json!("members"))).await;
    let hidden = PATH.replace("S1", "S2");
    for path in [&hidden, "/01/09520123456788"] {
        let asked = format!("{path}?linkType=gs1:traceability");
        let (status, response) = get(&world, &asked, "application/json").await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert!(header_of(&response, "content-type").contains("problem"));
        let (status, _) = get(&world, &asked, "text/html,*/*;q=0.8").await;
        assert_eq!(status, StatusCode::OK, "{path}");
    }
    // Every link of the set answers, in the media type that it tells.
    let (_, response) = get(&world, &format!("{PATH}?linkType=all"), "*/*").await;
    let set: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    let links = set["linkset"][0].as_object().unwrap().values().filter_map(Value::as_array);
    for link in links.flatten() {
        let (href, kind) = (link["href"].as_str().unwrap(), link["type"].as_str().unwrap());
        let (status, response) = get(&world, href.split('#').next().unwrap(), kind).await;
        assert_eq!(status, StatusCode::OK, "{link}");
        assert!(header_of(&response, "content-type").starts_with(kind), "{link}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_never_turns_the_order_of_what_stands_around_it() {
    let world = World::with_forms(100).await;
    let mut turned = masterdata();
    turned["payload"]["name"]["en"] = json!("Flask \u{202e}live");
    attest(&world, turned).await;
    let page = page_at(&world, &format!("{}?lang=en", &CLASS["https://id.gs1.org".len()..])).await;
    assert!(page.contains("Flask \u{fffd}live") && !page.contains('\u{202e}'), "{page}");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_origins_may_ask_for_public_reads_and_for_nothing_else() {
    let world = world().await;
    let bundle = format!("/v1/bundle{PATH}");
    let body = format!("/v1/attestations/sha256:{}", "0".repeat(64));
    for path in [PATH, &bundle, &body, "/log/checkpoint", "/readyz"] {
        let (status, response) = world.ask(FAR, Request::options(path), Vec::new()).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{path}");
        assert_eq!(header_of(&response, "access-control-allow-methods"), "GET, HEAD, OPTIONS");
        assert_eq!(header_of(&response, "access-control-allow-origin"), "*");
    }
    // What makes the node sign is for no page of another origin.
    for (path, method) in [
        ("/complaints", "POST"),
        ("/confirmations", "POST"),
        ("/v1/attestations", "POST"),
        ("/v1/findings", "GET"),
    ] {
        let (status, response) = world.ask(FAR, Request::options(path), Vec::new()).await;
        assert_eq!(status, StatusCode::NO_CONTENT, "{path}");
        assert!(header_of(&response, "allow").contains(method), "{path}");
        assert!(response.headers().get("access-control-allow-origin").is_none(), "{path}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_compressed_only_where_that_is_taken_and_may_run_no_inline_script() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let request = Request::get("/01/09520123456788").header("accept-encoding", "gzip, br");
    let (_, response) = world.ask(FAR, request, Vec::new()).await;
    assert_eq!(header_of(&response, "content-encoding"), "gzip");
    let policy = header_of(&response, "content-security-policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe-inline"), "{policy}");
    assert_eq!(bytes(response).await[..2], [0x1f, 0x8b]);
    let (_, response) = get(&world, "/01/09520123456788", "text/html").await;
    assert!(response.headers().get("content-encoding").is_none());
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_bodies_that_are_not_public_only_step_region_and_month_are_shown() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(
        &world,
        json!({ "kind": "facility",
        "sub": "urn:hallmark:facility:lei:529900T8BM49AURSDO55:works-1",
        "payload": { "name": "Works 1", "lat_e7": 312300000, "lon_e7": 1214700000,
            "province": "CN-SH", "utc_offset": "+08:00", "sector": "metal-goods",
            "locations": [GLN] } }),
    )
    .await;
    attest(&world, event(1, "S1", "commissioning", json!("members"))).await;
    attest(&world, event(2, "S1", "shipping", json!("public"))).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(json["state"], "consistent");
    let journey = json["journey"].as_array().unwrap();
    let step = |name: &str| journey.iter().find(|step| step["step"] == name).unwrap();
    let hidden = step("commissioning");
    assert_eq!((&hidden["region"], &hidden["month"]), (&json!("CN-SH"), &json!("2026-01")));
    assert_eq!((&hidden["place"], &hidden["id"]), (&Value::Null, &Value::Null));
    assert_eq!(step("shipping")["place"], "Works 1");
    assert!(!page_at(&world, PATH).await.contains("9506000134369"), "not the location's number");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn linked_data_uses_of_the_gs1_vocabulary_only_what_it_defines() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let (_, response) = get(&world, PATH, "application/ld+json").await;
    let linked: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    assert_eq!(linked["@context"]["@vocab"], "urn:hallmark:passport:");
    assert_eq!(linked["@context"]["gs1"], "https://gs1.org/voc/");
    assert_eq!((&linked["@type"], &linked["@id"]), (&json!("gs1:Product"), &json!(ITEM)));
    let of_gs1 = linked.as_object().unwrap().keys().filter(|name| name.contains("gs1"));
    assert_eq!(of_gs1.count(), 0, "{linked}");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_print_that_the_records_contradict_is_told_and_one_that_they_do_not_is_not() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let birth = json!({
        "type": "ObjectEvent", "action": "ADD", "bizStep": "commissioning",
        "eventID": "urn:uuid:00000000-0000-4000-8000-000000000001",
        "eventTime": "2026-01-02T03:04:05.000+08:00", "eventTimeZoneOffset": "+08:00",
        "epcList": [ITEM], "readPoint": { "id": GLN },
        "ilmd": { "cbvmda:lotNumber": "L1", "cbvmda:itemExpirationDate": "2027-12-31" },
    });
    let birth =
        json!({ "kind": "event", "aud": "public", "payload": { "epcis": birth.to_string() } });
    attest(&world, birth).await;
    let class = "/01/09520123456788";
    for (tail, contradicted) in [
        ("/21/S1", vec![]),
        ("/10/L1/21/S1", vec![]),
        ("/10/L1/21/S1?17=271231", vec![]),
        ("/10/L1/21/S1?17=271200&lang=zh", vec![]),
        ("/10/L1/21/S1?15=200101", vec![]),
        ("/10/WRONG/21/S1", vec!["10"]),
        ("/21/S1?17=200101", vec!["17"]),
        ("/10/l1/21/S1?17=200101", vec!["10", "17"]),
    ] {
        let (status, json) = json_at(&world, &format!("{class}{tail}")).await;
        assert_eq!(status, StatusCode::OK, "{tail}");
        let found = json["link"]["contradictions"].as_array().unwrap();
        let ais: Vec<_> = found.iter().map(|one| one["ai"].as_str().unwrap()).collect();
        assert_eq!(ais, contradicted, "{tail}");
        let expected = if ais.is_empty() { "consistent" } else { "copy_suspected" };
        assert_eq!(json["state"], expected, "{tail}");
        let page = page_at(&world, &format!("{class}{tail}")).await;
        assert_eq!(page.contains("They differ."), !ais.is_empty(), "{tail}");
    }
    let (_, json) = json_at(&world, &format!("{class}/21/S1?17=200101")).await;
    let found = &json["link"]["contradictions"][0];
    assert_eq!(
        (&found["printed"], &found["recorded"]),
        (&json!("2020-01-01"), &json!(["2027-12-31"]))
    );
    // Looking at a changed print changes nothing for the next one.
    assert_eq!(json_at(&world, PATH).await.1["state"], "consistent");
    world.end();
}

/// Orders labels: numbers `first..=last` of a sequence.
fn order(number: u64, (first, last): (u64, u64)) -> Value {
    json!({ "kind": "label", "sub": CLASS, "payload": {
        "order": format!("O-{number}"), "class": CLASS, "lot": format!("L{number}"),
        "scheme": "sequence", "first": first, "last": last, "count": last - first + 1,
        "state": "made" } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_label_orders_a_passport_reads_only_those_that_its_code_is_of() {
    let world = world().await;
    let now = (world.app.clock)();
    let mut last = None;
    for number in 0..300 {
        let order = order(number, (1000 + number * 10, 1009 + number * 10));
        let statement = Statement::from_json(order, &Defaults::default()).unwrap();
        let signed = statement.sign(&world.app.config, now, world.app.capture.as_ref()).unwrap();
        world.app.admit(signed.stored().to_vec()).await.unwrap();
        last = Some(signed.id());
    }
    world.app.node.recorded(&last.unwrap()).await.unwrap();
    // A correction counts for the numbers that it takes away too.
    let by = crate::index::labels::By::Lot("L7");
    let found = world.app.node.label_orders(&CLASS.parse().unwrap(), by, 9).unwrap();
    let mut fixed = order(7, (1070, 1074));
    fixed["payload"]["replaces"] = json!(found[0].id.to_string());
    fixed["payload"]["reason"] = json!("five were never printed");
    attest(&world, fixed).await;
    let recall = json!({ "kind": "recall", "sub": format!("{CLASS}/10/L299"), "payload": {
        "recall": "R-1", "why": { "en": "It cracks" }, "what_to_do": { "en": "Return it" },
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } });
    attest(&world, recall).await;
    for (serial, state, lot) in [
        ("1000", "consistent", json!("L0")),
        ("1072", "consistent", json!("L7")),
        ("2505", "consistent", json!("L150")),
        ("3999", "recalled", json!("L299")),
        ("1075", "unknown", Value::Null),
        ("4000", "unknown", Value::Null),
        ("02505", "unknown", Value::Null),
    ] {
        let (_, json) = json_at(&world, &PATH.replace("S1", serial)).await;
        assert_eq!((&json["state"], &json["item"]["lot"]), (&json!(state), &lot), "{serial}");
        assert_eq!(json["proof"]["is_cut"], false, "{serial}");
        let records = json["proof"]["records"].as_array().unwrap().len();
        assert!(records <= 5, "{serial}: {records} records");
    }
    for (lot, status) in [("L150", 200), ("L299", 200), ("L300", 404)] {
        let (found, json) = json_at(&world, &format!("/01/09520123456788/10/{lot}")).await;
        assert_eq!(found.as_u16(), status, "{lot}: {json}");
        assert!(json["proof"]["records"].as_array().unwrap().len() <= 4, "{lot}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_with_a_browser_reads_a_refusal_as_a_page_in_their_language() {
    let world = world().await;
    for (path, status, words) in [
        ("/nowhere", 404, "Nothing is here"),
        ("/nowhere?lang=zh-Hans", 404, "此处没有内容"),
        ("/entries/nonsense", 400, "This cannot be answered"),
        ("/v1/findings", 401, "This cannot be answered"),
    ] {
        for method in ["GET", "HEAD"] {
            let request = Request::builder().method(method).uri(path).header("accept", "text/html");
            let (found, response) = world.ask(FAR, request, Vec::new()).await;
            assert_eq!(found.as_u16(), status, "{path}");
            assert_eq!(header_of(&response, "content-type"), "text/html; charset=utf-8");
            assert_eq!(header_of(&response, "vary"), "Accept, Accept-Language");
            let policy = header_of(&response, "content-security-policy");
            assert!(!policy.contains("unsafe-inline"), "its style is known by its digest");
            let page = String::from_utf8(bytes(response).await).unwrap();
            assert_eq!(page.contains(words), method == "GET", "{path}: {page}");
        }
        for accept in ["", "*/*", "application/json"] {
            let (found, response) = get(&world, path, accept).await;
            assert_eq!(found.as_u16(), status, "{path}");
            assert_eq!(header_of(&response, "content-type"), "application/problem+json");
        }
    }
    let crate::serve::Origin::Address(address) = FAR else { panic!("an address") };
    let per_second = world.app.config.http.requests_per_second_max;
    let at = std::time::Instant::now() + std::time::Duration::from_secs(3600);
    while world.app.limiter.take(address, per_second, at).is_ok() {}
    let (status, response) = get(&world, PATH, "text/html").await;
    assert_eq!(
        (status, header_of(&response, "retry-after")),
        (StatusCode::TOO_MANY_REQUESTS, "1".into())
    );
    let page = String::from_utf8(bytes(response).await).unwrap();
    assert!(page.contains("Too many requests") && page.contains("in 1 seconds"), "{page}");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recalls_and_certificates_give_their_states_and_are_told() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let certificate = |id: &str, to: &str| {
        json!({ "kind": "certificate", "sub": CLASS, "payload": {
            "id": id, "standard": format!("GB/T {id}"), "valid_from": "2020-01-01T00:00:00Z",
            "valid_to": to } })
    };
    attest(&world, certificate("1", "2099-01-01T00:00:00Z")).await;
    assert_eq!(json_at(&world, PATH).await.1["state"], "consistent");
    attest(&world, certificate("2", "2021-01-01T00:00:00Z")).await;
    assert_eq!(json_at(&world, PATH).await.1["state"], "expired");
    let mut withdrawn = certificate("3", "2099-01-01T00:00:00Z");
    let first = attest(&world, withdrawn.clone()).await;
    withdrawn["payload"]["withdrawn_at"] = json!("2026-01-01T00:00:00Z");
    withdrawn["payload"]["replaces"] = json!(first);
    withdrawn["payload"]["reason"] = json!("the audit failed");
    attest(&world, withdrawn).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(json["state"], "withdrawn");
    let standings: Vec<_> = json["certificates"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["standing"].clone())
        .collect();
    assert_eq!(standings, ["withdrawn", "expired", "in_force"]);
    attest(
        &world,
        json!({ "kind": "recall", "sub": CLASS, "payload": {
        "recall": "R-1", "why": { "en": "The lid <b>cracks" }, "what_to_do": { "en": "Return it" },
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } }),
    )
    .await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(json["state"], State::Recalled.as_str());
    let page = page_at(&world, PATH).await;
    assert!(page.contains("The lid &lt;b&gt;cracks") && page.contains("+86 400 000 0000"));
    world.end();
}

#[test]
fn a_tag_follows_state_evidence_form_language_and_print() {
    let headers = HeaderMap::new();
    let of = |state, stamp, form, language| {
        tag_of(state, stamp, &Wanted { form, language, headers: &headers }, None)
    };
    let one = of(PassportState::Stale, "1", Form::Page, Language::En);
    assert_ne!(one, of(PassportState::Consistent, "1", Form::Page, Language::En));
    assert_ne!(one, of(PassportState::Stale, "2", Form::Page, Language::En));
    assert_ne!(one, of(PassportState::Stale, "1", Form::Json, Language::En));
    assert_ne!(one, of(PassportState::Stale, "1", Form::Page, Language::Zh));
    let mut headers = HeaderMap::new();
    headers.insert(header::IF_NONE_MATCH, format!("\"x\", {one}").parse().unwrap());
    assert!(knows(&headers, &one));
    assert!(!knows(&headers, "W/\"other\""));
}
