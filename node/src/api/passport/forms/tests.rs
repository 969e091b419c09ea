use axum::http::{Request, StatusCode};
use axum::response::Response;
use hallmark_schemas::kind::KindName;
use serde_json::{Value, json};

use super::super::super::tests::{FAR, World, bytes, header_of};
use super::super::tests::{ITEM, PATH, attest, event, get, json_at, masterdata, page_at, world};
use super::*;
use crate::passport::form::LIFE_MS;
use crate::passport::view::{Elsewhere, Misread, Party, Sort};

async fn send(world: &World, path: &str, kind: &str, body: &str) -> (StatusCode, Response) {
    let request = Request::post(path).header("content-type", kind);
    world.ask(FAR, request, body.as_bytes().to_vec()).await
}

const FORM: &str = "application/x-www-form-urlencoded";

/// A form of the passport of these goods.
fn handed_out(world: &World, kind: KindName, goods: &str, ago_ms: i64) -> String {
    let at = (world.app.clock)().checked_add_ms(-ago_ms).unwrap();
    FormKey::of(&world.app.capture).hand_out(kind, &goods.parse().unwrap(), at)
}

/// "I bought this", with a new form.
fn confirmation(world: &World) -> String {
    let form = handed_out(world, KindName::Confirmation, ITEM, 0);
    format!("goods={ITEM}&form={form}&act=bought&region=CN-SH&lang=en")
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

    let first = confirmation(&world);
    let (status, response) = send(&world, "/confirmations", FORM, &first).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    assert!(response.headers().get("access-control-allow-origin").is_none());
    assert!(response.headers().get("set-cookie").is_none());
    let location = header_of(&response, "location");
    let page = page_at(&world, &location).await;
    assert!(page.contains("Your confirmation is recorded"), "{page}");
    let (_, response) = send(&world, "/confirmations", FORM, &first).await;
    assert_eq!(header_of(&response, "location"), location, "sent twice, counted once");
    for other in [first.replace("bought", "opened"), first.replace("CN-SH", "CN-BJ")] {
        let (status, response) = send(&world, "/confirmations", FORM, &other).await;
        assert_eq!(status, StatusCode::CONFLICT, "one form says one thing");
        let problem: Value = serde_json::from_slice(&bytes(response).await).unwrap();
        assert!(location.contains(problem["earlier"].as_str().unwrap()), "{problem}");
    }

    recorded(&world, &location).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(
        (&json["state"], &json["confirmations"]["count"]),
        (&json!("consistent_seen"), &json!(1))
    );
    let (_, response) = send(&world, "/confirmations", FORM, &confirmation(&world)).await;
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
    let complaint = |text: &str| {
        let form = handed_out(&world, KindName::Complaint, ITEM, 0);
        json!({ "goods": ITEM, "form": form, "category": "damaged", "text": text }).to_string()
    };
    let form = complaint;
    let json = "application/json";
    let probe = "<script>alert(1)</script> seal was open";
    let (status, response) = send(&world, "/complaints", json, &complaint(probe)).await;
    assert_eq!(status, StatusCode::CREATED);
    let location = header_of(&response, "location");
    let answer: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    let page = page_at(&world, &location).await;
    assert!(page.contains(answer["number"].as_str().unwrap()) && !page.contains("<script"));
    assert!(page.contains(answer["id"].as_str().unwrap()), "{page}");
    assert_eq!(world.get(FAR, &location.replace("complaints", "confirmations")).await.0, 404);
    let good = confirmation(&world);
    let unknown = good.replace("21/S1", "21/S2");
    let class = good.replace("/21/S1", "");
    let foreign = good.replace("09520123456788", "09506000134352");
    let made_up = |token: &str| format!("goods={ITEM}&form={}&act=bought", token.repeat(64));
    for (path, kind, body, expected) in [
        ("/complaints", json, form("call 13800138000"), 400),
        ("/complaints", json, form("a\u{0}b"), 400),
        ("/complaints", json, form(&"长".repeat(400)), 400),
        ("/complaints", json, form("  "), 400),
        ("/complaints", json, form("a\u{202e}b"), 400),
        ("/complaints", json, "[]".to_owned(), 400),
        ("/complaints", json, format!("[\"{ITEM}\",\"{}\",\"damaged\"]", "e".repeat(32)), 400),
        ("/complaints", "text/plain", form("x"), 415),
        ("/confirmations", FORM, made_up("Z"), 403),
        ("/confirmations", FORM, made_up("a"), 403),
        ("/confirmations", FORM, made_up(""), 403),
        ("/confirmations", FORM, unknown, 404),
        ("/confirmations", FORM, class, 400),
        ("/confirmations", FORM, foreign, 404),
        ("/confirmations", FORM, "x".repeat(9000), 413),
    ] {
        // Over the socket, where nobody is turned away for the others.
        let origin = Origin::Socket;
        let request = Request::post(path).header("content-type", kind);
        let (status, response) = world.ask(origin, request, body.clone().into_bytes()).await;
        assert_eq!(status.as_u16(), expected, "{path} {body:.80}");
        assert!(header_of(&response, "content-type").contains("problem"), "{body:.80}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_none_of_the_few_forms_of_an_address() {
    let world = World::with_forms(2).await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let blank = || {
        let form = handed_out(&world, KindName::Complaint, ITEM, 0);
        json!({ "goods": ITEM, "form": form, "category": "damaged", "text": " " }).to_string()
    };
    for _ in 0..4 {
        for (path, kind, body, expected) in [
            ("/complaints", "application/json", "{}".to_owned(), 400),
            ("/complaints", "application/json", blank(), 400),
            ("/complaints", "text/plain", blank(), 415),
            ("/confirmations", FORM, confirmation(&world).replace("21/S1", "21/S9"), 404),
        ] {
            assert_eq!(send(&world, path, kind, &body).await.0.as_u16(), expected, "{body:.80}");
        }
    }
    for expected in [303, 303, 429] {
        let (status, _) = send(&world, "/confirmations", FORM, &confirmation(&world)).await;
        assert_eq!(status.as_u16(), expected);
    }
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
    let token = handed_out(&world, KindName::Complaint, ITEM, 0);
    let old = handed_out(&world, KindName::Complaint, ITEM, LIFE_MS + 1000);
    let form = |token: &str, goods: &str, text: &str| {
        format!("goods={goods}&form={token}&category=unsafe&text={text}&lang=zh-Hans")
    };
    let foreign = ITEM.replace("09520123456788", "09506000134352");
    let long = "%E7%A0%B4".repeat(400);
    let huge = "x".repeat(12_000);
    let boundless = "x".repeat(40_000);
    // What is told, whether the text is there again, and whether the form is, with its choice.
    for (body, status, told, has_text, has_choice) in [
        (form(&token, ITEM, "call+139.1234.5678+%3Cb%3E"), 400, "似乎含有电话号码", true, true),
        (form(&token, ITEM, "seal+%E2%80%AEbroken"), 400, "隐藏字符", true, true),
        (form(&token, ITEM, "+%E3%80%80"), 400, "没有可读的内容", false, true),
        (form(&token, ITEM, &long), 400, "300 字以内", true, true),
        (form(&token, ITEM, &huge), 413, "300 字以内", true, true),
        (form(&token, ITEM, &boundless), 413, "Shorten it", false, false),
        (form(&token, &foreign, "seal"), 404, "没有该代码的记录", true, false),
        (form(&token, "nothing", "seal"), 400, "无法识别产品代码", true, false),
        (
            form(&token, ITEM, "seal").replace("unsafe", "bad"),
            400,
            "不在此表单的选项之中",
            true,
            false,
        ),
        (form("Z", ITEM, "seal"), 403, "打开已超过一天", true, true),
        (form(&old, ITEM, "seal"), 403, "打开已超过一天", true, true),
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
        // What cannot be sent again comes with a form that can.
        let is_same = page.contains(&format!("name=\"form\" value=\"{token}\""));
        let is_kept = page.contains("name=\"form\"") && !told.is_ascii();
        assert_eq!(is_same, is_kept && status != 403, "{told}: {page}");
    }
    let mended = form(&token, ITEM, "seal+broken");
    assert_eq!(browse(&world, "/complaints", FORM, &mended).await.0, StatusCode::SEE_OTHER);
    let class = confirmation(&world).replace("/21/S1", "");
    let (status, response) = browse(&world, "/confirmations", FORM, &class).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let page = String::from_utf8(bytes(response).await).unwrap();
    assert!(page.contains("not of one item that is bought"), "{page}");
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
    browse(&world, "/confirmations", FORM, &confirmation(&world)).await;
    let body = confirmation(&world).replace("bought", "opened");
    let (status, response) = browse(&world, "/confirmations", FORM, &body).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let after = header_of(&response, "retry-after");
    let page = String::from_utf8(bytes(response).await).unwrap();
    assert!(page.contains(&format!("in {after} seconds")), "{page}");
    assert!(page.contains("value=\"opened\" required checked"), "{page}");
    assert!(page.contains("value=\"CN-SH\" selected"), "{page}");
    let token = body.split("form=").nth(1).unwrap().split('&').next().unwrap();
    assert!(page.contains(token), "the same form: {page}");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_forms_of_a_passport_are_those_that_are_taken_and_lead_back_to_what_is_printed() {
    let world = World::with_forms(100).await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    for (path, confirms, complains) in [
        (PATH, true, true),
        ("/01/09520123456788", false, true),
        ("/01/09520123456788/21/never-seen", false, true),
        ("/01/09506000134352/21/1", false, false),
        ("/01/09520123456789", false, false),
    ] {
        let (_, json) = json_at(&world, path).await;
        assert_eq!(json["forms"]["confirmation"].is_string(), confirms, "{path}");
        assert_eq!(json["forms"]["complaint"].is_string(), complains, "{path}");
        let page = page_at(&world, path).await;
        assert_eq!(page.contains("action=\"/confirmations\""), confirms, "{path}");
        assert_eq!(page.contains("action=\"/complaints\""), complains, "{path}");
    }
    // A program takes the form of the JSON.
    let (_, json) = json_at(&world, PATH).await;
    let body = json!({ "goods": ITEM, "form": json["forms"]["confirmation"], "act": "bought" });
    let kind = "application/json";
    let (status, _) = send(&world, "/confirmations", kind, &body.to_string()).await;
    assert_eq!(status, StatusCode::CREATED);
    // The form of a complaint confirms nothing, and none is good for other goods.
    let swapped = json!({ "goods": ITEM, "form": json["forms"]["complaint"], "act": "bought" });
    let (status, response) = send(&world, "/confirmations", kind, &swapped.to_string()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let problem: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("handed out"), "{problem}");

    let printed = "/01/09520123456788/10/L1/21/S1?17=271231";
    let body = format!(
        "{}&at={}",
        confirmation(&world),
        "%2F01%2F09520123456788%2F10%2FL1%2F21%2FS1%3F17%3D271231"
    );
    let (_, response) = send(&world, "/confirmations", FORM, &body).await;
    let page = page_at(&world, &header_of(&response, "location")).await;
    assert!(page.contains(&format!("href=\"{printed}&amp;lang=en\"")), "{page}");
    // What leads elsewhere, or to other goods, is left out.
    for at in ["https%3A%2F%2Fevil.example", "%2F%2Fevil.example", "%2F01%2F09506000134352"] {
        let body = format!("{}&at={at}", confirmation(&world));
        let (_, response) = send(&world, "/confirmations", FORM, &body).await;
        let location = header_of(&response, "location");
        assert!(!location.contains("at="), "{location}");
        let page = page_at(&world, &format!("{location}&at={at}")).await;
        let back = format!("class=\"act\" href=\"{PATH}?lang=en\"");
        assert!(page.contains(&back) && !page.contains("evil"), "{page}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goods_without_a_record_to_rely_on_are_not_confirmed_and_it_is_said_why() {
    let world = World::with_forms(100).await;
    attest(&world, masterdata()).await;
    let unknown = ITEM.replace("S1", "never-seen");
    let foreign = ITEM.replace("09520123456788", "09506000134352");
    let unreadable = ITEM.replace("09520123456788", "09520123456789");
    for (goods, status, told, page_told) in [
        (&unknown, 404, "no record of this item", "There is no record of this item"),
        (&foreign, 404, "no member of this network", "There is no record of this code"),
        (&unreadable, 400, "check character", "could not be read"),
    ] {
        let kind = KindName::Confirmation;
        let form = goods.parse::<GoodsId>().map(|_| handed_out(&world, kind, goods, 0));
        let form = form.unwrap_or_else(|_| "0".repeat(64));
        let body = format!("goods={goods}&form={form}&act=bought&lang=en");
        let (found, response) = send(&world, "/confirmations", FORM, &body).await;
        assert_eq!(found.as_u16(), status, "{goods}");
        let problem: Value = serde_json::from_slice(&bytes(response).await).unwrap();
        assert!(problem["detail"].as_str().unwrap().contains(told), "{problem}");
        let (found, response) = browse(&world, "/confirmations", FORM, &body).await;
        assert_eq!(found.as_u16(), status, "{goods}");
        let page = String::from_utf8(bytes(response).await).unwrap();
        assert!(page.contains(page_told), "{page}");
    }
    // That a code is invented can be reported.
    let form = handed_out(&world, KindName::Complaint, &unknown, 0);
    let body = format!("goods={unknown}&form={form}&category=suspected_copy");
    let (status, response) = send(&world, "/complaints", FORM, &body).await;
    assert_eq!(status, StatusCode::SEE_OTHER);
    recorded(&world, &header_of(&response, "location")).await;
    let (status, response) = get(&world, &PATH.replace("S1", "never-seen"), "*/*").await;
    assert_eq!(status, StatusCode::NOT_FOUND, "a complaint is no record of the item");
    assert!(bytes(response).await.len() > 1000);
    let mut passport = Passport::unreadable(Misread::Garbled, None);
    passport.sort = Some(Sort::Item);
    passport.state = PassportState::Broken;
    let refused = confirmable(&passport).expect_err("refused");
    let response = refused.answer(&world.app, &Sent::of(Given::Confirmation, &Request::default()));
    assert_eq!(response.status(), StatusCode::CONFLICT);
    for state in PassportState::ALL {
        let takes = state.has_record() && state != PassportState::Broken;
        passport.state = state;
        assert_eq!(confirmable(&passport).is_ok(), takes, "{state:?}");
    }
    let issuer = Party { id: "urn:hallmark:org:gln:1".to_owned(), name: String::new() };
    passport.elsewhere = Some(Elsewhere { issuer, url: None });
    let refused = confirmable(&passport).expect_err("only another node can tell of it");
    let response = refused.answer(&world.app, &Sent::of(Given::Confirmation, &Request::default()));
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_form_becomes_tells_its_day_and_no_time_of_it() {
    let world = World::with_forms(100).await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let before = Day::of((world.app.clock)());
    let form = handed_out(&world, KindName::Complaint, ITEM, 0);
    let complaint = format!("goods={ITEM}&form={form}&category=damaged&lang=zh-Hans");
    for (path, body) in [("/confirmations", confirmation(&world)), ("/complaints", complaint)] {
        let (_, response) = send(&world, path, FORM, &body).await;
        let location = header_of(&response, "location");
        let id = location.split('/').nth(2).unwrap().split('?').next().unwrap();
        let stored = world.app.node.log().body(&id.parse().unwrap()).unwrap().unwrap();
        let claims = Envelope::parse(&stored).unwrap().claims().clone();
        let days = [before, Day::of((world.app.clock)())].map(Day::starts_at);
        assert!(days.contains(&claims.iat), "{path}: {}", claims.iat);
        let page = page_at(&world, &location).await;
        let language = if path == "/complaints" { "zh-Hans" } else { "en" };
        assert!(page.contains(&format!("class=\"act\" href=\"{PATH}?lang={language}\"")), "{page}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_of_another_site_sends_no_form_and_is_handed_none() {
    let world = World::with_forms(100).await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let size = world.app.node.log().head().size;
    let post = |path: &str| Request::post(path).header("content-type", FORM);
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")] {
        for path in ["/confirmations", "/complaints"] {
            let body = confirmation(&world).into_bytes();
            let request = post(path).header(name, value).header("host", "node.example");
            let (status, response) = world.ask(FAR, request, body.clone()).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{name} {path}");
            assert!(header_of(&response, "content-type").contains("problem"));
            let request = post(path).header(name, value).header("accept", "text/html");
            let (status, response) = world.ask(FAR, request, body).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{name} {path}");
            let page = String::from_utf8(bytes(response).await).unwrap();
            assert!(page.contains("Another website sent this form"), "{page}");
            assert!(!page.contains("name=\"form\""), "it is handed out no form: {page}");
        }
    }
    assert_eq!(world.app.node.log().head().size, size, "nothing was recorded");
    let own = post("/confirmations").header("origin", "http://node.example");
    let own = own.header("host", "node.example");
    let (status, _) = world.ask(FAR, own, confirmation(&world).into_bytes()).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "the node's own page");

    // What is shared with every page has no form in it, and is not taken for what has.
    for accept in ["application/json", "application/ld+json", "text/html"] {
        let (_, response) = get(&world, PATH, accept).await;
        let (own, tag) = (header_of(&response, "vary"), header_of(&response, "etag"));
        assert!(own.contains("Origin"), "{own}");
        if accept == "text/html" {
            assert_eq!(header_of(&response, "referrer-policy"), "same-origin");
        }
        let shared = Request::get(PATH).header("accept", accept).header("if-none-match", tag);
        let shared = shared.header("origin", "https://shop.example");
        let (status, response) = world.ask(FAR, shared, Vec::new()).await;
        assert_eq!(status, StatusCode::OK, "{accept}");
        assert_eq!(header_of(&response, "access-control-allow-origin"), "*");
        let text = String::from_utf8(bytes(response).await).unwrap();
        assert!(!text.contains("name=\"form\""), "{text}");
        if accept != "text/html" {
            let json: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json["forms"], json!({ "confirmation": null, "complaint": null }));
        }
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_that_a_form_does_not_have_is_named_with_those_that_it_has() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let size = world.app.node.log().head().size;
    let good = confirmation(&world);
    let encoded = "application/x-www-form-urlencoded";
    let post = |path: &str| Request::post(path.to_owned()).header("content-type", encoded);
    let form = handed_out(&world, KindName::Complaint, ITEM, 0);
    let report = format!("goods={ITEM}&form={form}&category=damaged&region=CN-SH&lang=en");
    for (path, good, bad, said) in [
        ("/confirmations", &good, "act=stolen", "/act: \"stolen\" is none of bought, opened"),
        ("/confirmations", &good, "region=Shanghai", "/region: "),
        ("/complaints", &report, "category=nice", "/category: \"nice\" is none of suspected_copy"),
        ("/complaints", &report, "region=cn", "/region: "),
    ] {
        let field = bad.split('=').next().unwrap();
        let fields = good.split('&').map(|one| if one.starts_with(field) { bad } else { one });
        let body = fields.collect::<Vec<_>>().join("&");
        for (accept, wanted) in [("application/json", said), ("text/html", "Choose again")] {
            let request = post(path).header("accept", accept);
            let (status, response) = world.ask(FAR, request, body.clone().into_bytes()).await;
            let text = String::from_utf8(bytes(response).await).unwrap().replace("\\\"", "\"");
            assert_eq!(status, StatusCode::BAD_REQUEST, "{body}: {text}");
            assert!(text.contains(wanted), "{body}: {text}");
        }
    }
    assert_eq!(world.app.node.log().head().size, size, "nothing was recorded");
    world.end();
}

#[test]
fn numbers_follow_from_the_form_and_are_easy_to_read_out() {
    let number = |byte| number_of(&value::Digest([byte; 32]));
    assert_eq!(number(15), "0F0F-0F0F-0F0F");
    assert_ne!(number(15), number(0));
}
