use axum::http::{Request, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::super::tests::{FAR, World, bytes, header_of};
use super::*;
use crate::passport::State;
use crate::sign::{Defaults, Statement};

const CLASS: &str = "https://id.gs1.org/01/09520123456788";
const PATH: &str = "/01/09520123456788/21/S1";
const ITEM: &str = "https://id.gs1.org/01/09520123456788/21/S1";
const GLN: &str = "https://id.gs1.org/414/9506000134369";

async fn world() -> World {
    World::with_roles(&["producer", "certifier", "accreditor"]).await
}

/// Signs, stores, and waits until it is under a checkpoint.
async fn attest(world: &World, statement: Value) -> String {
    let statement = Statement::from_json(statement, &Defaults::default()).unwrap();
    let now = (world.app.clock)();
    let envelope = statement.sign(&world.app.config, now, world.app.capture.as_ref()).unwrap();
    world.app.admit(envelope.stored().to_vec()).await.unwrap();
    world.app.node.recorded(&envelope.id()).await.unwrap();
    envelope.id().to_string()
}

fn masterdata() -> Value {
    json!({ "kind": "masterdata", "sub": CLASS, "payload": {
        "from_at": "2026-01-01T00:00:00Z",
        "name": { "zh-Hans": "保温杯", "en": "Flask" },
        "about": { "item": { "look_for": { "en": "A blue seal" } } },
    } })
}

fn event(number: u64, serial: &str, step: &str, audience: Value) -> Value {
    let action = if step == "commissioning" { "ADD" } else { "OBSERVE" };
    let epcis = json!({
        "type": "ObjectEvent", "action": action, "bizStep": step,
        "eventID": format!("urn:uuid:00000000-0000-4000-8000-{number:012}"),
        "eventTime": "2026-01-02T03:04:05.000+08:00", "eventTimeZoneOffset": "+08:00",
        "epcList": [format!("{CLASS}/21/{serial}")], "readPoint": { "id": GLN },
    });
    json!({ "kind": "event", "aud": audience, "payload": { "epcis": epcis.to_string() } })
}

async fn get(world: &World, path: &str, accept: &str) -> (StatusCode, Response) {
    let request = Request::get(path).header("accept", accept);
    world.ask(FAR, request, Vec::new()).await
}

async fn json_at(world: &World, path: &str) -> (StatusCode, Value) {
    let (status, response) = get(world, path, "application/json").await;
    (status, serde_json::from_slice(&bytes(response).await).unwrap())
}

async fn page_at(world: &World, path: &str) -> String {
    let (_, response) = get(world, path, "text/html").await;
    String::from_utf8(bytes(response).await).unwrap()
}

async fn send(world: &World, path: &str, kind: &str, body: &str) -> (StatusCode, Response) {
    let request = Request::post(path).header("content-type", kind);
    world.ask(FAR, request, body.as_bytes().to_vec()).await
}

const FORM: &str = "application/x-www-form-urlencoded";

fn confirmation(nonce: char) -> String {
    let nonce = nonce.to_string().repeat(32);
    format!("goods={ITEM}&form={nonce}&act=bought&region=CN-SH&lang=en")
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
    assert_eq!(set["linkset"][0]["itemDescription"], "保温杯");
    assert_eq!(set["linkset"][0]["https://gs1.org/voc/pip"][0]["href"], PATH);
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
    assert_eq!(traces[0]["href"], format!("{PATH}#journey"));
    assert_eq!(traces[1]["href"], format!("/v1/trace{PATH}"), "its event is public");
    let class = "/01/09520123456788?linkType=all";
    let (_, response) = get(&world, class, "*/*").await;
    let set: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    let traces = set["linkset"][0]["https://gs1.org/voc/traceability"].as_array().unwrap();
    assert_eq!(traces.len(), 1, "no event names the class, so there is no trace to read");
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
    for path in ["/complaints", "/v1/attestations", "/v1/findings"] {
        let (status, response) = world.ask(FAR, Request::options(path), Vec::new()).await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
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
async fn one_form_is_one_confirmation_and_the_second_form_is_told_as_a_possible_copy() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let log = world.app.node.log().clone();
    let before = log.head().size;
    for _ in 0..3 {
        page_at(&world, PATH).await;
    }
    assert_eq!(log.head().size, before, "looking counts nothing");

    let (status, response) = send(&world, "/confirmations", FORM, &confirmation('a')).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(response.headers().get("access-control-allow-origin").is_none());
    assert!(response.headers().get("set-cookie").is_none());
    let location = header_of(&response, "location");
    let page = page_at(&world, &location).await;
    assert!(page.contains("Your confirmation is recorded"), "{page}");
    let (_, response) = send(&world, "/confirmations", FORM, &confirmation('a')).await;
    assert_eq!(header_of(&response, "location"), location, "sent twice, counted once");
    let other = confirmation('a').replace("bought", "opened");
    let (_, response) = send(&world, "/confirmations", FORM, &other).await;
    assert_eq!(header_of(&response, "location"), location, "one form, whatever it says");

    recorded(&world, &location).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(
        (&json["state"], &json["confirmations"]["count"]),
        (&json!("consistent_seen"), &json!(1))
    );
    let (_, response) = send(&world, "/confirmations", FORM, &confirmation('b')).await;
    recorded(&world, &header_of(&response, "location")).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(
        (&json["state"], &json["confirmations"]["count"]),
        (&json!("copy_suspected"), &json!(2))
    );
    assert!(page_at(&world, PATH).await.contains("Buyers confirmed it 2 times"));
    world.end();
}

/// Waits until the attestation of a form is under a checkpoint.
async fn recorded(world: &World, location: &str) {
    let id = location.split('/').nth(2).unwrap().split('?').next().unwrap();
    world.app.node.recorded(&id.parse().unwrap()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complaint_gets_a_number_and_forms_that_are_wrong_are_refused() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let complaint = |token: &str, text: &str| {
        let form = token.repeat(32);
        json!({ "goods": ITEM, "form": form, "category": "damaged", "text": text }).to_string()
    };
    let form = |text: &str| complaint("e", text);
    let json = "application/json";
    let probe = "<script>alert(1)</script> seal was open";
    let (status, response) = send(&world, "/complaints", json, &complaint("c", probe)).await;
    assert_eq!(status, StatusCode::CREATED);
    let location = header_of(&response, "location");
    let answer: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    let page = page_at(&world, &location).await;
    assert!(page.contains(answer["number"].as_str().unwrap()) && !page.contains("<script"));
    assert_eq!(world.get(FAR, &location.replace("complaints", "confirmations")).await.0, 404);
    let unknown = confirmation('d').replace("21/S1", "21/S2");
    let class = confirmation('d').replace("/21/S1", "");
    let foreign = confirmation('d').replace("09520123456788", "09506000134352");
    for (path, kind, body, expected) in [
        ("/complaints", json, form("call 13800138000"), 400),
        ("/complaints", json, form("a\u{0}b"), 400),
        ("/complaints", json, form(&"长".repeat(400)), 400),
        ("/complaints", json, form("  "), 400),
        ("/complaints", json, form("a\u{202e}b"), 400),
        ("/complaints", json, "[]".to_owned(), 400),
        ("/complaints", json, format!("[\"{ITEM}\",\"{}\",\"damaged\"]", "e".repeat(32)), 400),
        ("/complaints", "text/plain", form("x"), 415),
        ("/confirmations", FORM, confirmation('Z'), 400),
        ("/confirmations", FORM, unknown, 404),
        ("/confirmations", FORM, class, 400),
        ("/confirmations", FORM, foreign, 404),
        ("/confirmations", FORM, "x".repeat(9000), 413),
    ] {
        // Over the socket, where nobody is turned away for the others.
        let origin = crate::serve::Origin::Socket;
        let request = Request::post(path).header("content-type", kind);
        let (status, response) = world.ask(origin, request, body.clone().into_bytes()).await;
        assert_eq!(status.as_u16(), expected, "{path} {body:.80}");
        assert!(header_of(&response, "content-type").contains("problem"), "{body:.80}");
    }
    let mut last = StatusCode::OK;
    for _ in 0..8 {
        last = send(&world, "/complaints", json, "{}").await.0;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
    world.end();
}

/// A browser sends an encoded form, from the page in Chinese or from English settings.
async fn browse(world: &World, path: &str, kind: &str, body: &str) -> (StatusCode, Response) {
    let request = Request::post(path)
        .header("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        .header("accept-language", "en-GB,en;q=0.9")
        .header("content-type", kind);
    world.ask(FAR, request, body.as_bytes().to_vec()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_whose_form_is_refused_gets_it_back_with_what_was_written() {
    let world = World::with_forms(100).await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let form = |token: &str, goods: &str, text: &str| {
        let token = token.repeat(32);
        format!("goods={goods}&form={token}&category=unsafe&text={text}&lang=zh-Hans")
    };
    let unknown = ITEM.replace("S1", "S2");
    let long = "%E7%A0%B4".repeat(400);
    let huge = "x".repeat(12_000);
    let boundless = "x".repeat(40_000);
    // What is told, whether the text is there again, and whether the form is, with its choice.
    for (body, status, told, has_text, has_choice) in [
        (form("a", ITEM, "call+139.1234.5678+%3Cb%3E"), 400, "似乎含有电话号码", true, true),
        (form("a", ITEM, "seal+%E2%80%AEbroken"), 400, "隐藏字符", true, true),
        (form("a", ITEM, "+%E3%80%80"), 400, "没有可读的内容", false, true),
        (form("a", ITEM, &long), 400, "300 字以内", true, true),
        (form("a", ITEM, &huge), 413, "300 字以内", true, true),
        (form("a", ITEM, &boundless), 413, "Shorten it", false, false),
        (form("a", &unknown, "seal"), 404, "没有该代码的记录", true, false),
        (form("a", "nothing", "seal"), 400, "无法识别产品代码", true, false),
        (form("a", ITEM, "seal").replace("unsafe", "bad"), 400, "与表单不符", true, false),
        (form("Z", ITEM, "seal"), 400, "与表单不符", true, true),
    ] {
        let (found, response) = browse(&world, "/complaints", FORM, &body).await;
        assert_eq!(found.as_u16(), status, "{body:.120}");
        assert_eq!(header_of(&response, "content-type"), "text/html; charset=utf-8");
        let language = header_of(&response, "content-language");
        let page = String::from_utf8(bytes(response).await).unwrap();
        assert!(page.contains(told), "{told}: {page}");
        assert!(page.contains("role=\"alert\"") && !page.contains("<b>"), "{page}");
        assert_eq!(language, if told.is_ascii() { "en" } else { "zh-Hans" });
        let words = ["139.1234.5678 &lt;b&gt;", "\u{202e}broken", "破破破", "xxxxxx", "seal"];
        assert_eq!(words.iter().any(|word| page.contains(word)), has_text, "{told}: {page}");
        let choice = "value=\"unsafe\" required checked";
        assert_eq!(page.contains(choice), has_choice, "{told}: {page}");
    }
    let mended = form("a", ITEM, "seal+broken");
    assert_eq!(browse(&world, "/complaints", FORM, &mended).await.0, StatusCode::SEE_OTHER);
    let class = confirmation('d').replace("/21/S1", "");
    let (status, response) = browse(&world, "/confirmations", FORM, &class).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let page = String::from_utf8(bytes(response).await).unwrap();
    assert!(page.contains("Only a single item is confirmed"), "{page}");
    let (status, response) = browse(&world, "/complaints", "text/plain", "text=seal").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert!(header_of(&response, "content-type").starts_with("text/html"));
    // A program that speaks JSON is told as before, whatever else it takes.
    let (status, response) = browse(&world, "/complaints", "application/json", "[]").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(header_of(&response, "content-type"), "application/problem+json");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_sends_too_many_forms_with_a_browser_keeps_what_was_written() {
    let world = World::with_forms(1).await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    browse(&world, "/confirmations", FORM, &confirmation('a')).await;
    let body = confirmation('b').replace("bought", "opened");
    let (status, response) = browse(&world, "/confirmations", FORM, &body).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let after = header_of(&response, "retry-after");
    let page = String::from_utf8(bytes(response).await).unwrap();
    assert!(page.contains(&format!("in {after} seconds")), "{page}");
    assert!(page.contains("value=\"opened\" required checked"), "{page}");
    assert!(page.contains("value=\"CN-SH\" selected"), "{page}");
    assert!(page.contains(&"b".repeat(32)), "the same form: {page}");
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
    let of = |state, stamp, form, language| tag_of(state, stamp, form, language, None);
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
