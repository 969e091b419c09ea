//! What a passport says beneath its state: of lots, labels, printed dates, the words of others.

use super::*;

const GTIN: &str = "/01/09520123456788";

fn recall(lot: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut recall = json!({ "kind": "recall", "sub": format!("{CLASS}/10/{lot}"), "payload": {
        "recall": format!("R-{lot}"), "why": { "en": format!("{lot} leaks") },
        "what_to_do": { "en": "Return it" }, "contact": { "phone": "+86 400 000 0000" },
        "since": "2026-01-01T00:00:00Z" } });
    change(&mut recall["payload"]);
    recall
}

/// A birth of an item; of a lot where one is given.
fn birth(number: u64, serial: &str, lot: Option<&str>) -> Value {
    let mut epcis = json!({
        "type": "ObjectEvent", "action": "ADD", "bizStep": "commissioning",
        "eventID": format!("urn:uuid:00000000-0000-4000-8000-{number:012}"),
        "eventTime": "2026-01-02T03:04:05.000+08:00", "eventTimeZoneOffset": "+08:00",
        "epcList": [format!("{CLASS}/21/{serial}")], "readPoint": { "id": GLN },
    });
    if let Some(lot) = lot {
        epcis["ilmd"] = json!({ "cbvmda:lotNumber": lot });
    }
    json!({ "kind": "event", "aud": "public", "payload": { "epcis": epcis.to_string() } })
}

fn lots_of(passport: &Value) -> Vec<Value> {
    let recalls = passport["lot_recalls"].as_array().unwrap().iter();
    recalls.map(|one| one["lots"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recalls_of_lots_are_told_where_no_record_tells_the_lot() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, birth(1, "S1", None)).await;
    attest(&world, birth(2, "S2", Some("L2"))).await;
    attest(&world, birth(3, "S3", Some("L9"))).await;
    let covers = json!(["https://id.gs1.org/01/09506000134352/10/L8", format!("{CLASS}/10/L3")]);
    let first = recall("L2", |recall| recall["covers"] = covers);
    let first = attest(&world, first).await;
    attest(&world, recall("L7", |recall| recall["since"] = json!("2099-01-01T00:00:00Z"))).await;

    for (path, state, lots) in [
        (format!("{GTIN}/21/S1"), "consistent", vec![json!(["L2", "L3"])]),
        (GTIN.to_owned(), "consistent", vec![json!(["L2", "L3"])]),
        (format!("{GTIN}/10/L2/21/S1"), "recalled", vec![]),
        (format!("{GTIN}/10/L4/21/S1"), "consistent", vec![json!(["L2", "L3"])]),
        (format!("{GTIN}/21/S2"), "recalled", vec![]),
        (format!("{GTIN}/21/S3"), "consistent", vec![]),
        (format!("{GTIN}/21/never"), "unknown", vec![json!(["L2", "L3"])]),
    ] {
        let (_, json) = json_at(&world, &path).await;
        assert_eq!((&json["state"], lots_of(&json)), (&json!(state), lots.clone()), "{path}");
        let page = page_at(&world, &path).await;
        let told = page.contains("If the pack shows lot L2 or L3");
        assert_eq!(told && page.contains("L2 leaks"), !lots.is_empty(), "{path}: {page}");
        let is_calm = page.contains("class=\"band calm\"");
        assert_eq!(is_calm, state == "consistent" && lots.is_empty(), "{path}");
    }
    let lifted = recall("L2", |recall| {
        recall["lifted_at"] = json!("2026-02-01T00:00:00Z");
        recall["replaces"] = json!(first);
        recall["reason"] = json!("all were returned");
    });
    attest(&world, lifted).await;
    assert!(lots_of(&json_at(&world, PATH).await.1).is_empty(), "lifted");
    world.end();
}

/// A label order of a sequence.
fn label(order: &str, (first, last): (u64, u64), state: &str) -> Value {
    json!({ "kind": "label", "sub": CLASS, "payload": {
        "order": order, "class": CLASS, "scheme": "sequence", "first": first, "last": last,
        "count": last - first + 1, "state": state } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_that_was_made_and_not_put_on_goods_is_told() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, label("A", (100, 199), "made")).await;
    let of = async |serial: &str| {
        let (_, json) = json_at(&world, &format!("{GTIN}/21/{serial}")).await;
        let page = page_at(&world, &format!("{GTIN}/21/{serial}")).await;
        let is_calm = page.contains("class=\"band calm\"");
        let told = json["state_text"]["en"].as_str().unwrap().to_owned();
        (json["state"].clone(), json["inactive"].clone(), is_calm, told)
    };
    // Nothing of this class was ever activated: perhaps nobody ever says so.
    let (state, inactive, is_calm, told) = of("110").await;
    assert_eq!((state, is_calm), (json!("consistent"), true));
    assert_eq!(inactive, json!({ "others_are_active": false, "is_seen": false }));
    assert!(told.contains("A label with this code was made, and that is all"), "{told}");
    // What its maker says of the item itself counts more than a label.
    attest(&world, birth(1, "111", None)).await;
    assert_eq!(of("111").await.1, Value::Null);

    attest(&world, label("A", (100, 149), "activated")).await;
    assert_eq!(of("110").await.1, Value::Null, "it is on goods");
    let (state, inactive, is_calm, _) = of("150").await;
    assert_eq!((state, is_calm), (json!("consistent"), false));
    assert_eq!(inactive, json!({ "others_are_active": true, "is_seen": false }));

    // An order made after that is expected to be activated too; one that was made before is not.
    attest(&world, label("B", (200, 299), "made")).await;
    assert_eq!(of("200").await.1["others_are_active"], true);
    attest(&world, label("B", (200, 298), "activated")).await;
    assert_eq!(of("200").await.1, Value::Null);
    assert_eq!(of("299").await.1["others_are_active"], true);

    // Whoever bought it holds what should be on no goods.
    let (_, json) = json_at(&world, &format!("{GTIN}/21/299")).await;
    let bought = json!({ "goods": format!("{CLASS}/21/299"), "act": "bought",
        "form": json["forms"]["confirmation"] });
    let request = Request::post("/confirmations").header("content-type", "application/json");
    let (status, response) = world.ask(FAR, request, bought.to_string().into_bytes()).await;
    assert_eq!(status, StatusCode::CREATED);
    let given: Value = serde_json::from_slice(&bytes(response).await).unwrap();
    let id = given["id"].as_str().unwrap().parse().unwrap();
    world.app.node.recorded(&id).await.unwrap();
    let (state, _, is_calm, told) = of("299").await;
    assert_eq!((state, is_calm), (json!("copy_suspected"), false));
    assert!(told.contains("not put on goods; yet the code has been seen"), "{told}");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_that_was_ordered_after_its_code_was_recorded_is_not_silently_green() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, label("EARLY", (100, 199), "made")).await;
    // It claims a time long before any of this; the log knows when it came.
    attest(&world, birth(1, "110", None)).await;
    attest(&world, birth(2, "210", None)).await;
    let late = attest(&world, label("LATE", (200, 299), "made")).await;
    attest(&world, birth(3, "220", None)).await;
    let of = async |serial: &str, language: &str| {
        let path = format!("{GTIN}/21/{serial}?lang={language}");
        let (_, json) = json_at(&world, &path).await;
        let told = json["state_text"][language].as_str().unwrap().to_owned();
        (json["state"].clone(), json["late_label"].clone(), told, page_at(&world, &path).await)
    };
    for serial in ["110", "220", "230"] {
        let (state, late, _, page) = of(serial, "en").await;
        assert_eq!((state, late), (json!("consistent"), Value::Null), "{serial}");
        assert!(page.contains("class=\"band calm\""), "{serial}");
    }
    for (language, words) in [
        ("en", ["recorded before its label was ordered", "on or after ", "complete"]),
        ("zh-Hans", ["标签下单之前", "标签下单不早于 ", "完整"]),
    ] {
        let (state, late, told, page) = of("210", language).await;
        assert_eq!(state, "consistent", "nobody is accused: a maker may write its orders up later");
        assert!(told.contains(words[0]) && !told.contains(words[2]), "{told}");
        assert!(page.contains("class=\"band warn\""), "{page}");
        let (seen, made) = (late["seen"].as_str().unwrap(), late["made"].as_str().unwrap());
        assert!(seen <= made && page.contains(&format!("{}{made}", words[1])), "{page}");
    }
    // A correction is no new order, and one of the first order changes nothing about the rest.
    let mut corrected = label("LATE", (200, 298), "made");
    corrected["payload"]["replaces"] = json!(late);
    corrected["payload"]["reason"] = json!("one less");
    attest(&world, corrected).await;
    assert_eq!(of("220", "en").await.1, Value::Null, "its first version came before the event");
    assert_ne!(of("210", "en").await.1, Value::Null);
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_printed_date_that_has_passed_is_told_where_no_record_tells_it() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, birth(1, "S1", None)).await;
    for (query, day) in [
        ("?17=200131", Some("2020-01-31")),
        ("?17=200200", Some("2020-02-29")),
        ("?7003=2001311200", Some("2020-01-31")),
        ("?15=200131", Some("2020-01-31")),
        ("?17=491231", None),
        ("?11=200131", None),
        ("?16=200131", None),
        ("", None),
    ] {
        let (_, json) = json_at(&world, &format!("{PATH}{query}")).await;
        assert_eq!(json["state"], "consistent", "{query}");
        assert_eq!(json["link"]["passed"][0]["day"].as_str(), day, "{query}");
        let page = page_at(&world, &format!("{PATH}{query}")).await;
        assert_eq!(page.contains("According to the code, "), day.is_some(), "{query}");
        assert_eq!(page.contains("class=\"band warn\""), day.is_some(), "{query}");
    }
    // Where a record tells it, the record counts.
    let lot = json!({ "kind": "masterdata", "sub": format!("{CLASS}/10/L1"), "payload": {
        "from_at": "2026-01-01T00:00:00Z", "name": { "en": "Lot" },
        "about": { "lot": { "lot": "L1", "expiry": "2020-01-31" } } } });
    attest(&world, lot).await;
    let (_, json) = json_at(&world, &format!("{GTIN}/10/L1?17=200131")).await;
    assert_eq!(json["link"]["passed"], json!([]));
    assert_eq!(json["item"]["is_past_expiry"], true);
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_are_told_by_name_address_and_digest() {
    let world = world().await;
    let mut described = masterdata();
    let digest = "ab".repeat(32);
    described["payload"]["pictures"] = json!([{ "url": "https://pictures.example/flask.svg",
        "digest": digest, "alt": { "en": "The flask", "zh-Hans": "保温杯外观" } }]);
    attest(&world, described).await;
    let (_, json) = json_at(&world, GTIN).await;
    let picture = &json["item"]["pictures"][0];
    assert_eq!(picture["url"], "https://pictures.example/flask.svg");
    assert_eq!(picture["digest"], digest);
    let page = page_at(&world, &format!("{GTIN}?lang=zh-Hans")).await;
    assert!(page.contains("保温杯外观") && page.contains(&digest), "{page}");
    assert!(!page.contains("href=\"https://pictures"), "{page}");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_finding_is_told_as_the_word_of_its_issuer_and_decides_nothing() {
    let world = world().await;
    let finding = |code: &str, subject: &str, change: &dyn Fn(&mut Value)| {
        let mut finding = json!({ "kind": "finding", "sub": world.app.config.org.to_string(),
            "aud": "public", "payload": {
                "code": code, "subject": subject, "anchor": "2026-01-01T00:00:00Z",
                "severity": "error", "class": "inconsistency",
                "message_en": format!("{code} <b>two births"), "message_zh": format!("{code} 两次"),
                "evidence": [], "evidence_count": 0, "answer": "Publish the record.",
                "as_of": "2026-02-01T00:00:00Z", "pack_digest": "00".repeat(32) } });
        change(&mut finding);
        finding
    };
    attest(&world, masterdata()).await;
    attest(&world, birth(1, "S1", None)).await;
    let nothing = |_: &mut Value| {};
    let first = attest(&world, finding("TRC-001", ITEM, &nothing)).await;
    attest(&world, finding("TRC-900", CLASS, &nothing)).await;
    attest(&world, finding("TRC-901", ITEM, &|one| one["aud"] = json!("members"))).await;
    let over = |one: &mut Value| one["payload"]["expires_at"] = json!("2026-01-02T00:00:00Z");
    attest(&world, finding("TRC-902", ITEM, &over)).await;
    attest(&world, finding("TRC-903", &format!("{CLASS}/21/never"), &nothing)).await;

    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(json["state"], "consistent", "their word decides nothing");
    let codes = |json: &Value| -> Vec<String> {
        let stated = json["stated_findings"].as_array().unwrap().iter();
        stated.map(|one| one["code"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(codes(&json), ["TRC-001", "TRC-900"]);
    assert_eq!(json["stated_findings"][0]["id"], first);
    let answer = json!({ "kind": "response", "aud": "public", "payload": {
        "finding": json["stated_findings"][0]["finding"], "text": { "en": "It was one" } } });
    attest(&world, answer).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(json["stated_findings"][0]["answers"][0]["text"][0]["text"], "It was one");
    let page = page_at(&world, PATH).await;
    assert!(page.contains("TRC-001 &lt;b&gt;two births") && page.contains("It was one"), "{page}");
    assert!(page.contains("<span data-of=\"by\">Registry</span> states:"), "{page}");
    // What somebody found about an item makes it no item of anybody.
    let (status, json) = json_at(&world, &format!("{GTIN}/21/never")).await;
    assert_eq!((status, &json["state"]), (StatusCode::NOT_FOUND, &json!("unknown")));

    let fixed = finding("TRC-001", ITEM, &|one| {
        one["payload"]["replaces"] = json!(first);
        one["payload"]["reason"] = json!("answered");
        one["payload"]["expires_at"] = json!("2026-02-02T00:00:00Z");
    });
    attest(&world, fixed).await;
    assert_eq!(codes(&json_at(&world, PATH).await.1), ["TRC-900"], "withdrawn");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_is_not_whole_says_so_and_is_not_calm() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let mut last = String::new();
    for number in 0..40 {
        last = format!("O-{number}");
        attest(&world, label(&last, (7, 7), "made")).await;
    }
    // The order that would tell the truth is behind all those that are read.
    attest(&world, label(&last, (7, 7), "scrapped")).await;
    let path = format!("{GTIN}/21/7");
    let (_, json) = json_at(&world, &path).await;
    assert_eq!((&json["proof"]["is_cut"], &json["state"]), (&json!(true), &json!("consistent")));
    let told = json["state_text"]["en"].as_str().unwrap();
    assert!(told.contains("there are more"), "{told}");
    assert!(page_at(&world, &path).await.contains("class=\"band mute\""));
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_is_nearly_one_leads_to_it() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, birth(1, "Ab1", None)).await;
    attest(&world, birth(2, "XYZ", Some("L1"))).await;
    for (path, state, meant) in [
        ("/01/09520123456788/21/xyz", "unknown", Some(format!("{CLASS}/21/XYZ"))),
        ("/01/09520123456788/21/xYz", "unknown", Some(format!("{CLASS}/21/XYZ"))),
        ("/01/09520123456788/21/ab1", "unknown", None),
        ("/01/09520123456788/21/123", "unknown", None),
        ("/01/9520123456788/21/XYZ", "unreadable", Some(format!("{CLASS}/21/XYZ"))),
        ("/goods?code=(01)9520123456788", "unreadable", Some(CLASS.to_owned())),
        ("/goods?code=(01)9520123456789", "unreadable", None),
    ] {
        let (_, json) = json_at(&world, path).await;
        assert_eq!(json["state"], state, "{path}");
        assert_eq!(json["did_you_mean"].as_str(), meant.as_deref(), "{path}");
        let page = page_at(&world, path).await;
        let link = meant.map(|goods| {
            format!("href=\"{}?lang=en\"", goods.trim_start_matches("https://id.gs1.org"))
        });
        assert!(link.is_none_or(|link| page.contains(&link)), "{path}: {page}");
    }
    let (_, json) = json_at(&world, "/goods?code=(01)9520123456788").await;
    assert_eq!(json["misread"], "short_gtin");
    for path in ["/goods", "/goods?code=", "/goods?code=%20"] {
        let (status, json) = json_at(&world, path).await;
        assert_eq!((status, &json["misread"]), (StatusCode::BAD_REQUEST, &json!("nothing")));
        let page = page_at(&world, path).await;
        assert!(page.contains("No code was given.") && !page.contains("damaged"), "{page}");
    }
    let page = page_at(&world, "/01/09520123456788/10/none").await;
    assert!(page.contains("No record of this lot") && !page.contains("item."), "{page}");
    world.end();
}
