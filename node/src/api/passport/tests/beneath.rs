//! What stands beneath a state and does not change it: recalls that are not in force, the end of the
//! goods, what certificates cover, what a print means, and what can be checked where nothing is
//! recorded.

use super::*;

const GTIN: &str = "/01/09520123456788";

fn recall(name: &str, since: &str) -> Value {
    json!({ "kind": "recall", "sub": CLASS, "payload": {
        "recall": name, "why": { "en": format!("{name} leaks") }, "what_to_do": { "en": "Return it" },
        "contact": { "phone": "+86 400 000 0000" }, "since": since, "utc_offset": "+08:00" } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recall_that_was_lifted_or_begins_later_is_told_and_changes_no_state() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let first = attest(&world, recall("R-1", "2026-01-01T00:00:00+08:00")).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!((&json["state"], &json["idle_recalls"]), (&json!("recalled"), &json!([])));

    let mut lifted = recall("R-1", "2026-01-01T00:00:00+08:00");
    lifted["payload"]["lifted_at"] = json!("2026-02-01T00:00:00+08:00");
    lifted["payload"]["replaces"] = json!(first);
    lifted["payload"]["reason"] = json!("all were returned");
    attest(&world, lifted).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!((&json["state"], &json["recalls"]), (&json!("consistent"), &json!([])));
    let idle = &json["idle_recalls"][0];
    assert_eq!(
        (&idle["lifted"], &idle["recall"]["since"]),
        (&json!("2026-02-01"), &json!("2026-01-01"))
    );
    let page = page_at(&world, PATH).await;
    assert!(page.contains("A recall of 2026-01-01 was lifted on 2026-02-01."), "{page}");
    assert!(page.contains("R-1 leaks") && !page.contains("Return it"), "there is nothing to do");
    assert!(page.contains("class=\"band calm\""), "it is over: {page}");
    let page = page_at(&world, &format!("{PATH}?lang=zh-CN")).await;
    assert!(page.contains("已解除的召回：自 2026-01-01 起，解除于 2026-02-01。"), "{page}");

    attest(&world, recall("R-2", "2099-03-01T00:00:00+08:00")).await;
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!((&json["state"], &json["recalls"]), (&json!("consistent"), &json!([])));
    assert_eq!(json["idle_recalls"].as_array().unwrap().len(), 2);
    let idle = &json["idle_recalls"][0];
    assert_eq!((&idle["lifted"], &idle["recall"]["since"]), (&Value::Null, &json!("2099-03-01")));
    let page = page_at(&world, PATH).await;
    assert!(page.contains("A recall takes effect on 2099-03-01."), "{page}");
    assert!(page.contains("R-2 leaks") && page.contains("Return it"), "{page}");
    assert!(page.contains("class=\"band warn\""), "it must be seen: {page}");
    let page = page_at(&world, &format!("{PATH}?lang=zh")).await;
    assert!(page.contains("尚未生效的召回：生效日期为 2099-03-01。"), "{page}");
    world.end();
}

/// An event that ends an item, or begins it anew.
fn change(number: u64, at: &str, more: &Value) -> Value {
    let mut epcis = json!({
        "type": "ObjectEvent", "action": "OBSERVE",
        "eventID": format!("urn:uuid:00000000-0000-4000-8000-{number:012}"),
        "eventTime": at, "eventTimeZoneOffset": "+08:00", "readPoint": { "id": GLN },
    });
    for (name, value) in more.as_object().unwrap() {
        epcis[name] = value.clone();
    }
    if epcis["type"] == "TransformationEvent" {
        epcis.as_object_mut().unwrap().remove("action");
    }
    json!({ "kind": "event", "aud": "public", "payload": { "epcis": epcis.to_string() } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goods_that_were_used_up_or_destroyed_are_headed_so_until_they_come_back() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let item = |serial: &str| format!("{CLASS}/21/{serial}");
    for (number, serial) in (1..).zip(["S1", "S2", "S3", "S4"]) {
        attest(&world, event(number, serial, "commissioning", json!("public"))).await;
    }
    let at = "2026-05-01T06:00:00+08:00";
    let used = json!({ "type": "TransformationEvent", "bizStep": "assembling",
        "inputEPCList": [item("S1")], "outputEPCList": [format!("{CLASS}/21/other")] });
    attest(&world, change(10, at, &used)).await;
    let destroyed = json!({ "bizStep": "destroying", "epcList": [item("S2"), item("S4")] });
    attest(&world, change(11, at, &destroyed)).await;
    let ended =
        json!({ "action": "DELETE", "bizStep": "decommissioning", "epcList": [item("S3")] });
    attest(&world, change(12, at, &ended)).await;
    for (serial, how, heading, heading_zh, step) in [
        ("S1", "used_up", "Recorded as used up", "登记为已耗用", "used up to make other goods"),
        ("S2", "destroyed", "Recorded as destroyed", "登记为已销毁", "destroyed"),
        (
            "S3",
            "taken_out_of_use",
            "Recorded as taken out of use",
            "登记为已注销",
            "taken out of use",
        ),
    ] {
        let path = format!("{GTIN}/21/{serial}");
        let (status, json) = json_at(&world, &path).await;
        assert_eq!((status.as_u16(), &json["state"]), (200, &json!("consistent")), "{serial}");
        let told = (&json["ended"]["how"], &json["ended"]["month"]);
        assert_eq!(told, (&json!(how), &json!("2026-05")), "{serial}");
        assert!(json["state_text"]["en"].as_str().unwrap().contains("do not go by the code"));
        let page = page_at(&world, &path).await;
        assert!(page.contains(&format!("<h1 data-of=\"word\">{heading}</h1>")), "{page}");
        assert!(page.contains(&format!("<title>{heading} ·")), "{page}");
        assert!(page.contains(&format!("Recorded in 2026-05: {step}")), "{page}");
        assert!(page.contains("class=\"band warn\"") && !page.contains("complete and consistent"));
        let page = page_at(&world, &format!("{path}?lang=zh-Hans")).await;
        assert!(page.contains(&format!("<h1 data-of=\"word\">{heading_zh}</h1>")), "{page}");
    }
    // Made of the first, in trade itself.
    let (_, other) = json_at(&world, &format!("{GTIN}/21/other")).await;
    assert_eq!((&other["state"], &other["ended"]), (&json!("consistent"), &Value::Null));
    // What was repaired since is there again.
    let repaired = json!({ "bizStep": "repairing", "epcList": [item("S4")] });
    assert_eq!(json_at(&world, &format!("{GTIN}/21/S4")).await.1["ended"]["how"], "destroyed");
    attest(&world, change(13, "2026-06-01T06:00:00+08:00", &repaired)).await;
    let (_, json) = json_at(&world, &format!("{GTIN}/21/S4")).await;
    assert_eq!(json["ended"], Value::Null);
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_may_not_be_shown_is_not_told() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let mut hidden = change(
        2,
        "2026-05-01T06:00:00+08:00",
        &json!({
        "bizStep": "destroying", "epcList": [ITEM] }),
    );
    hidden["aud"] = json!("members");
    attest(&world, hidden).await;
    // The step of own events is among what is revealed: the heading says it, without the record.
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!((&json["ended"]["how"], &json["ended"]["id"]), (&json!("destroyed"), &Value::Null));
    let page = page_at(&world, PATH).await;
    assert!(
        page.contains("Recorded as destroyed") && !page.contains("data-of=\"ended\""),
        "{page}"
    );
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_certificate_covers_is_told_folded_and_as_data() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let plain = json!({ "kind": "certificate", "sub": CLASS, "payload": {
        "id": "C-1", "standard": "GB/T 29606", "valid_from": "2020-01-01T00:00:00Z" } });
    attest(&world, plain.clone()).await;
    let page = page_at(&world, PATH).await;
    assert!(page.contains("GB/T 29606") && !page.contains("What it covers"), "{page}");
    let mut scoped = plain;
    let payload = &mut scoped["payload"];
    payload["id"] = json!("C-2");
    payload["product_class"] = json!("Vacuum flasks, steel");
    payload["site"] = json!(GLN);
    (payload["volume"], payload["unit"]) = (json!(5000), json!("items"));
    attest(&world, scoped).await;
    let (_, json) = json_at(&world, PATH).await;
    let all = json["certificates"].as_array().unwrap();
    let one = all.iter().find(|one| one["number"] == "C-2").unwrap();
    for (name, expected) in [
        ("product_class", json!("Vacuum flasks, steel")),
        ("site", json!(GLN)),
        ("volume", json!(5000)),
        ("unit", json!("items")),
        ("standard", json!("GB/T 29606")),
        ("valid_from", json!("2020-01-01")),
    ] {
        assert_eq!(one[name], expected, "{name}");
    }
    let page = page_at(&world, PATH).await;
    for told in ["<summary>What it covers", "Vacuum flasks, steel", GLN, "5000 items"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(page_at(&world, &format!("{PATH}?lang=zh")).await.contains("5000 件"));
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_printed_is_told_as_amounts_and_dates_and_kept_as_data() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    let path =
        format!("{PATH}?3103=000500&17=271231&3932=1561250&4331=000550-&7003=9912312359&240=A1");
    let (_, json) = json_at(&world, &path).await;
    let of = |ai: &str| {
        let all = json["link"]["attributes"].as_array().unwrap();
        all.iter().find(|one| one["ai"] == ai).cloned().unwrap_or_default()
    };
    let weight = of("3103");
    let told = ["value", "amount", "unit", "date"].map(|name| weight[name].clone());
    assert_eq!(told, [json!("000500"), json!("0.500"), json!("kg"), Value::Null]);
    assert_eq!((&of("17")["value"], &of("17")["date"]), (&json!("271231"), &json!("2027-12-31")));
    assert_eq!((&of("240")["value"], &of("240")["amount"]), (&json!("A1"), &Value::Null));
    for (language, titles) in [
        (
            "en",
            [
                "Net weight",
                "Use until",
                "Price",
                "Highest temperature",
                "Additional product number",
            ],
        ),
        ("zh-Hans", ["净重", "有效期至", "价格", "最高温度", "附加产品标识"]),
    ] {
        let page = page_at(&world, &format!("{path}&lang={language}")).await;
        for told in ["0.500 kg", "2027-12-31", "12.50 CNY", "-5.50 °C", "1999-12-31 23:59", "A1"] {
            assert!(page.contains(&format!(">{told}</dd>")), "{told}: {page}");
        }
        for title in titles {
            assert!(page.contains(&format!("<dt><span>{title}</span> (")), "{title}: {page}");
        }
        assert!(!page.contains("000500<"), "{page}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_recorded_it_is_said_what_can_be_checked() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let path = format!("{GTIN}/21/never");
    let page = page_at(&world, &path).await;
    assert!(page.contains("<section id=\"check\">"), "{page}");
    for told in [
        "that nothing was, no signature proves",
        "<code>/01/09520123456788/21/never</code>",
        "hallmark-node trace DIR 'https://id.gs1.org/01/09520123456788/21/never'",
    ] {
        assert!(page.contains(told), "{told}: {page}");
    }
    assert!(!page.contains("<script"), "there is no record to check with one: {page}");
    assert!(page_at(&world, &format!("{path}?lang=zh")).await.contains("没有记录仅为本节点的陈述"));
    world.end();
}

fn recalled(sub: &str, id: &str) -> Value {
    json!({ "kind": "recall", "sub": sub, "payload": {
        "recall": id, "why": { "en": "It leaks" }, "what_to_do": { "en": "Return it" },
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_a_recall_is_all_that_is_recorded_no_sentence_says_that_there_is_nothing() {
    let world = world().await;
    let lotted = "https://id.gs1.org/01/09506000134352";
    let drug = "urn:hallmark:goods:drug:81234567890123456789";
    for (number, sub) in [CLASS, &format!("{lotted}/10/L1"), drug].into_iter().enumerate() {
        attest(&world, recalled(sub, &format!("R-{number}"))).await;
    }
    for (path, words) in [
        ("/01/09520123456788", "A recall names this code"),
        ("/01/09506000134352/10/L1", "A recall names this code"),
        ("/01/09506000134352", "Lots of this product are recalled"),
        ("/goods/drug/81234567890123456789", "A recall names this code"),
    ] {
        let (status, told) = json_at(&world, path).await;
        assert_eq!((status.as_u16(), &told["state"]), (404, &json!("unknown")), "{path}");
        let sentence = told["state_text"]["en"].as_str().unwrap();
        assert!(sentence.contains(words) && !sentence.contains("invented"), "{path}: {sentence}");
        let page = page_at(&world, path).await;
        assert!(page.contains("Recalled, no other record") && page.contains("It leaks"), "{path}");
        assert!(!page.contains("that nothing was, no signature proves"), "{path}");
    }
    // An invented serial of such a class stays one.
    let told = json_at(&world, "/01/09520123456788/21/none").await.1;
    assert!(told["state_text"]["en"].as_str().unwrap().contains("invented"), "{told}");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leaves_goods_destroyed_or_takes_them_out_without_a_step_ends_them() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let of = |number: u64, serial: &str, change: &Value| {
        let mut one = event(number, serial, "storing", json!("public"));
        let mut epcis: Value =
            serde_json::from_str(one["payload"]["epcis"].as_str().unwrap()).unwrap();
        epcis["eventTime"] = "2026-01-03T03:04:05.000+08:00".into();
        for (key, value) in change.as_object().unwrap() {
            epcis[key] = value.clone();
        }
        epcis.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        one["payload"]["epcis"] = epcis.to_string().into();
        one
    };
    for (number, (serial, change, expected)) in (1..).zip([
        ("S1", json!({ "disposition": "destroyed" }), json!("destroyed")),
        ("S2", json!({ "action": "DELETE", "bizStep": null }), json!("taken_out_of_use")),
        ("S3", json!({ "bizStep": null }), Value::Null),
        ("S4", json!({ "action": "DELETE" }), Value::Null),
    ]) {
        attest(&world, event(number, serial, "commissioning", json!("public"))).await;
        attest(&world, of(100 + number, serial, &change)).await;
        let told = json_at(&world, &format!("{GTIN}/21/{serial}")).await.1;
        assert_eq!(told["ended"]["how"], expected, "{serial}: {told}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_serial_of_a_third_party_identifies_one_thing_that_a_buyer_confirms() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let mut made = event(1, "S1", "commissioning", json!("public"));
    let epcis = made["payload"]["epcis"].as_str().unwrap().replace("/21/S1", "/235/S1");
    made["payload"]["epcis"] = epcis.into();
    attest(&world, made).await;
    let (status, told) = json_at(&world, "/01/09520123456788/235/S1").await;
    assert_eq!((status.as_u16(), &told["sort"]), (200, &json!("item")), "{told}");
    assert!(told["forms"]["confirmation"].is_string(), "{told}");
    world.end();
}
