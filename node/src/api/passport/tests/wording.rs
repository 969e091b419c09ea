//! What the page says of a kind of thing, of a faulty code, of a withdrawn certificate.

use super::*;
use crate::page::Language;

/// An event that names goods of any kind.
fn seen(number: u64, goods: &str) -> Value {
    let epcis = json!({
        "type": "ObjectEvent", "action": "OBSERVE", "bizStep": "shipping",
        "eventID": format!("urn:uuid:00000000-0000-4000-8002-{number:012}"),
        "eventTime": "2026-01-02T03:04:05.000+08:00", "eventTimeZoneOffset": "+08:00",
        "epcList": [goods],
    });
    json!({ "kind": "event", "aud": "public", "payload": { "epcis": epcis.to_string() } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_thing_is_asked_only_what_fits_it() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    attest(&world, seen(2, "https://id.gs1.org/00/095212340000000013")).await;
    let about = json!({ "location": { "lat_e7": 1, "lon_e7": 1, "precision_m": 100,
        "region": "CN-FJ" } });
    attest(
        &world,
        json!({ "kind": "masterdata", "sub": GLN, "payload": {
        "from_at": "2026-01-01T00:00:00Z", "name": { "en": "Plant" }, "about": about } }),
    )
    .await;
    // The seal, where it is sold, the form of a buyer, the journey.
    for (path, asked) in [
        (PATH, [true, true, true, true]),
        ("/01/09520123456788", [true, true, false, true]),
        ("/00/095212340000000013", [false, false, false, true]),
        ("/414/9506000134369", [false, false, false, false]),
    ] {
        let (status, json) = json_at(&world, path).await;
        assert_eq!((status, &json["state"]), (StatusCode::OK, &json!("consistent")), "{path}");
        let page = page_at(&world, path).await;
        let words =
            ["Is the seal whole", "where such goods are sold", "Did you buy this", "Journey"];
        let said = words.map(|words| page.contains(words));
        assert_eq!(said, asked, "{path}: {page}");
        assert_eq!(json["forms"]["confirmation"].is_string(), asked[2], "{path}");
        let chinese = page_at(&world, &format!("{path}?lang=zh-Hans")).await;
        let words = ["封签是否完好", "购买地点", "您购买了", "流转"];
        assert_eq!(words.map(|words| chinese.contains(words)), asked, "{path}: {chinese}");
        let is_place = path.starts_with("/414");
        assert_eq!(page.contains("I think it is a copy"), !is_place, "{path}");
        assert!(page.contains("The record is wrong"), "{path}");
        assert_eq!(page.contains("id=\"eyes\""), !is_place, "{path}");
    }
    // A pallet is bought by nobody, so nothing confirms it.
    let body = json!({ "goods": "https://id.gs1.org/00/095212340000000013", "act": "bought",
        "form": "0".repeat(64) });
    let request = Request::post("/confirmations").header("content-type", "application/json");
    let (status, _) = world.ask(FAR, request, body.to_string().into_bytes()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_of_the_code_that_cannot_be_read_is_named() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let path = format!("{PATH}?17=999999&10=%3Cb%3E&lang=en");
    let (_, json) = json_at(&world, &path).await;
    assert_eq!(json["state"], "consistent");
    let found = &json["link"]["unreadable"];
    assert_eq!((&found[0]["ai"], &found[0]["value"]), (&json!("17"), &json!("999999")));
    assert_eq!((&found[1]["ai"], &found[1]["value"]), (&json!("10"), &json!("<b>")));
    assert!(found[0]["reason"].as_str().is_some_and(|why| why.contains("(17)")), "{found}");
    let page = page_at(&world, &path).await;
    assert!(page.contains("cannot be read: use until (17) 999999."), "{page}");
    assert!(page.contains("lot (10) &lt;b&gt;.") && page.contains("band warn"), "{page}");
    let page = page_at(&world, &path.replace("lang=en", "lang=zh-Hans")).await;
    assert!(page.contains("代码中有无法识别的部分：有效期至 (17) 999999。"), "{page}");
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(json["link"]["unreadable"], json!([]));
    world.end();
}

/// The address that the page's language switch leads to.
fn other_language(page: &str) -> String {
    let from = page.find("hreflang=").expect("a switch");
    let href = page[from..].split("href=\"").nth(1).expect("a link");
    href.split('"').next().expect("its end").replace("&amp;", "&")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_code_leads_to_the_same_in_the_other_language_and_to_no_link_set() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let short = "/01/9520123456788/21/S1";
    for (path, word) in [
        ("/goods?code=hello%20%22%3E", "不是产品代码"),
        ("/goods?lang=en", "请输入代码"),
        ("/01/09520123456789/21/1", "不是产品代码"),
        ("/goods/drug/123", "不是产品代码"),
        (short, "商品代码应为 14 位"),
    ] {
        let (status, response) = get(&world, path, "text/html").await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}");
        assert!(response.headers().get("link").is_none(), "{path}");
        let page = String::from_utf8(bytes(response).await).unwrap();
        assert!(!page.contains("rel=\"linkset\""), "{path}: {page}");
        let other = other_language(&page);
        assert!(other.starts_with("/goods?") && other.ends_with("lang=zh-Hans"), "{other}");
        let chinese = page_at(&world, &other).await;
        assert!(chinese.contains("<html lang=\"zh-Hans\">") && chinese.contains(word), "{chinese}");
        let meant = |page: &str| page.contains("href=\"/01/09520123456788/21/S1?lang=");
        assert_eq!((meant(&page), meant(&chinese)), (path == short, path == short), "{path}");
    }
    let (_, response) = get(&world, PATH, "text/html").await;
    assert!(response.headers().get("link").is_some(), "of a code there is one, recorded or not");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_a_certificate_was_withdrawn_is_told_as_text() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let certificate = |change: Value| {
        let mut body = json!({ "id": "C-1", "standard": "GB/T 29606",
            "valid_from": "2020-01-01T00:00:00Z" });
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        json!({ "kind": "certificate", "sub": CLASS, "payload": body })
    };
    let first = attest(&world, certificate(json!({}))).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(json["certificates"][0]["reason"], Value::Null);
    let corrected =
        json!({ "replaces": first, "reason": "a digit", "valid_to": "2099-01-01T00:00:00Z" });
    let second = attest(&world, certificate(corrected)).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(json["certificates"][0]["reason"], Value::Null, "corrected, not withdrawn");
    let withdrawn = json!({ "withdrawn_at": "2026-01-01T00:00:00Z", "replaces": second,
        "reason": "The <b>audit</b> failed" });
    attest(&world, certificate(withdrawn)).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(json["state"], "withdrawn");
    assert_eq!(json["certificates"][0]["reason"], "The <b>audit</b> failed");
    for (language, words) in [(Language::En, "Reason: "), (Language::Zh, "原因：")] {
        let page = page_at(&world, &format!("{PATH}?lang={}", language.tag())).await;
        let (band, rest) = page.split_once("</section>").unwrap();
        let told = "The &lt;b&gt;audit&lt;/b&gt; failed";
        assert!(band.contains(&format!("{words}{told}")), "{band}");
        assert!(rest.contains(told), "{rest}");
    }
    world.end();
}
