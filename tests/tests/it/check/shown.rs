//! What a page shows is held against the bundle: another item's good bundle does not pass for it.

use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::gs1::digital_link::unescape;

use super::super::passport::{expect, page_at, tamper, works};
use super::*;

const ITEM: &str = "urn:epc:id:sgtin:6901234.000020.1001";

fn canonical(text: &str) -> String {
    GoodsId::parse(text).expect("goods").to_string()
}

/// What an honest page of the item shows of a bundle with one event, as the script reads it.
fn page(event: &Value) -> Value {
    let id = format!("sha256:{}", event["id"].as_str().expect("an id"));
    let place = &event["places"][0];
    let at = |end: usize| {
        let ms = place["time"][end].as_u64().expect("an instant");
        hallmark_schemas::time::Timestamp::from_unix_ms(ms).to_string()
    };
    json!({
        "goods": canonical(ITEM), "ids": [event["id"]], "damaged": [], "hidden": 0, "stated": [{
            "record": id, "kind": "event", "by": event["issuer"], "log": place["origin"],
            "entry": place["index"].to_string(), "time": format!("{} {}", at(0), at(1)),
        }],
    })
}

/// The event among what the script found in a bundle.
fn event_of(answer: &Value) -> Value {
    let mut items = answer[5].as_array().expect("items").iter();
    items.rfind(|one| one["kind"] == "event").expect("an event").clone()
}

pub(super) fn with_shown(bundles: &[Vec<u8>], shown: &[Value]) -> Vec<Value> {
    let bundles: Vec<_> = bundles.iter().map(|bundle| hex::encode(bundle)).collect();
    let request = json!({"bundles": bundles, "shown": shown});
    let answers = node("verdicts.mjs", "webcrypto", &request).expect("node was there before");
    answers.as_array().expect("a list").clone()
}

#[test]
fn a_page_holds_only_with_the_bundle_of_its_own_records() {
    let bundle = passport::small();
    let Some(first) = verdicts("webcrypto", std::slice::from_ref(&bundle), &[]) else { return };
    let event = event_of(&first[0]);
    let honest = page(&event);
    let with = |pointer: &str, value: Value| {
        let mut changed = honest.clone();
        *changed.pointer_mut(pointer).expect("a field") = value;
        changed
    };
    let other = "ab".repeat(32);
    let time = |at: &str| json!(format!("{at} {at}"));
    let more = json!([event["id"], other]);
    let mut faulty = honest.clone();
    faulty["stated"][0]["fault"] = json!("digest");
    let of_none = |ids: Value| json!({"goods": canonical(ITEM), "ids": ids, "damaged": [], "hidden": 0, "stated": []});
    let mut hides_damage = with("/damaged", json!([other]));
    hides_damage["hidden"] = json!(1);
    let cases = [
        (honest.clone(), "ok", "ok"),
        (
            with("/goods", json!(canonical("urn:epc:idpat:sgtin:6901234.000020.*"))),
            "failed",
            "page-goods",
        ),
        (
            with("/goods", json!(canonical("urn:epc:id:sgtin:6901234.000020.1002"))),
            "failed",
            "page-goods",
        ),
        (
            with("/goods", json!(canonical("urn:epc:id:sgtin:6901234.000021.1001"))),
            "failed",
            "page-goods",
        ),
        (of_none(json!([other])), "failed", "page-other"),
        (with("/ids", more), "incomplete", "page-absent"),
        (of_none(json!([])), "incomplete", "page-more"),
        (with("/hidden", json!(2)), "incomplete", "page-hidden"),
        (with("/damaged", json!([other])), "failed", "page-damaged"),
        (hides_damage, "failed", "page-damaged"),
        (with("/damaged", json!([event["id"]])), "failed", "page-fault"),
        (with("/stated/0/kind", json!("recall")), "failed", "page-kind"),
        (
            with("/stated/0/by", json!("urn:hallmark:org:gln:6901234000009")),
            "failed",
            "page-issuer",
        ),
        (with("/stated/0/entry", json!("7")), "failed", "page-time"),
        (with("/stated/0/log", json!("example/gln-6901234000009/1")), "failed", "page-time"),
        (with("/stated/0/time", time("2027-01-01T00:00:00Z")), "failed", "page-time"),
        (with("/stated/0/time", time("2025-01-01T00:00:00Z")), "failed", "page-time"),
        (with("/stated/0/time", json!("never")), "failed", "page-time"),
        (faulty, "failed", "page-fault"),
    ];
    let shown: Vec<_> = cases.iter().map(|(shown, ..)| shown.clone()).collect();
    let answers = with_shown(&vec![bundle; shown.len()], &shown);
    for ((shown, verdict, reason), answer) in cases.iter().zip(&answers) {
        assert_eq!(answer[0], *verdict, "{shown}: {answer}");
        assert_eq!(answer[1]["page"], *reason, "{shown}: {answer}");
        assert_eq!(answer[3]["signature"], "ok", "what is wrong is the page: {answer}");
    }
}

/// Field, text, whether its label stands before it, and what the check says of the page and of its words.
type Worded<'a> = (&'a str, &'a str, bool, &'a str, &'a str);

/// What may stand in fields of the record `id` of `issuer`, and what may not.
fn fields<'a>(id: &'a str, issuer: &'a str) -> Vec<Worded<'a>> {
    vec![
        ("step", "made", false, "ok", "ok"),
        ("step", "shipped", false, "page-words", "ok"),
        ("month", "2026-03", false, "ok", "ok"),
        ("month", "2026-02", false, "page-words", "ok"),
        ("id", id, false, "ok", "ok"),
        ("name", "2 kg of gold", false, "page-words", "ok"),
        ("kg", "1.5 kg CO₂e", false, "page-words", "ok"),
        ("valid", "2026-01-01 – …", true, "page-words", "ok"),
        ("", "2 kg of gold", false, "ok", "page-words-own"),
        ("", "2026-02", false, "ok", "page-words-own"),
        ("", "in force", false, "ok", "page-words-own"),
        ("status", "in force", false, "page-words", "page-words-own"),
        ("operator", "gold", false, "ok", "page-words-own"),
        ("count", "gold", false, "ok", "page-words-own"),
        ("constructor", "gold", false, "page-words", "ok"),
        ("goods", "https://id.gs1.org/01/09506000134352", false, "ok", "page-words-own"),
        ("word", "Recalled", false, "ok", "page-words-own"),
        ("by", issuer, false, "page-words", "ok"),
        ("by", "The Ministry", false, "page-words", "ok"),
    ]
}

/// Notices that follow from the address of the page, and such as do not.
fn notices() -> Vec<Worded<'static>> {
    vec![
        (
            "overdue",
            "According to the code, use until 2020-01-31: this day has passed.",
            false,
            "ok",
            "ok",
        ),
        (
            "overdue",
            "According to the code, use until 2020-02-01: this day has passed.",
            false,
            "ok",
            "page-words-own",
        ),
        (
            "unread",
            "The code has a part that cannot be read: use until (17) 200100.",
            false,
            "ok",
            "ok",
        ),
        (
            "unread",
            "The code has a part that cannot be read: use until (17) poison.",
            false,
            "ok",
            "page-words-own",
        ),
        (
            "contrary",
            "Printed: use until 2020-01-31. Recorded: 2030-01-01. They differ.",
            false,
            "ok",
            "page-words-own",
        ),
        (
            "late",
            "This code was recorded before its label was ordered; the label was ordered on or \
                 after 2026-01-01.",
            false,
            "ok",
            "page-words-own",
        ),
    ]
}

/// An honest page of the event that the script found in a bundle, in its words.
pub(super) fn page_of(answer: &Value) -> Value {
    let goods = canonical(ITEM);
    let sentence =
        hallmark_node::passport::State::Consistent.sentence(hallmark_node::page::Language::En);
    let honest = [
        ("word", "Records consistent", true),
        ("sentence", sentence, true),
        ("title", "Records consistent", false),
        ("goods", &goods, false),
        ("", "Check it yourself", false),
        ("", "A code confirmed more than 3 times is shown as a possible copy.", false),
    ];
    let mut shown = page(&event_of(answer));
    let piece = |(of, text, band): &(_, _, _)| json!({"of": of, "text": text, "isInBand": band});
    shown["pieces"] = honest.iter().map(piece).collect();
    for (name, value) in [("language", "en"), ("state", "consistent"), ("address", "/")] {
        shown[name] = value.into();
    }
    shown
}

#[test]
fn what_a_page_words_from_a_record_is_held_against_it() {
    let bundle = passport::small();
    let Some(first) = verdicts("webcrypto", std::slice::from_ref(&bundle), &[]) else { return };
    let event = event_of(&first[0]);
    let id = format!("sha256:{}", event["id"].as_str().expect("an id"));
    let with = |of: &str, text: &str, is_labelled: bool| {
        let mut shown = page_of(&first[0]);
        let piece = json!({"of": of, "text": text, "record": id, "isLabelled": is_labelled,
            "ai": "17"});
        shown["pieces"].as_array_mut().expect("pieces").push(piece);
        shown["address"] = "/?17=200100".into();
        shown
    };
    let issuer = event["issuer"].as_str().expect("an issuer");
    let mut worded = fields(&id, issuer);
    worded.extend(notices());
    let cases: Vec<_> = worded
        .into_iter()
        .map(|(of, text, is_labelled, page, words)| (with(of, text, is_labelled), page, words))
        .collect();
    let shown: Vec<_> = cases.iter().map(|(shown, ..)| shown.clone()).collect();
    let answers = with_shown(&vec![bundle; shown.len()], &shown);
    for ((shown, reason, words), answer) in cases.iter().zip(&answers) {
        let last = shown["pieces"].as_array().expect("pieces").last().expect("one");
        let said = [&answer[1]["page"], &answer[1]["words"], &answer[1]["state"]];
        let is_right = *said[0] == json!(reason)
            && *said[2] == json!(if *reason == "ok" { "ok" } else { "skipped" })
            && (*said[1] == json!(words) || *reason != "ok" && *words == "ok");
        assert!(is_right, "{last}: {answer}");
        assert_eq!(answer[0] == "ok", (*reason, *words) == ("ok", "ok"), "{last}: {answer}");
    }
}

#[test]
fn a_damaged_record_of_a_page_is_named() {
    let cases = passport::cases();
    let named = |name: &str| {
        let case = cases.iter().find(|case| case.name == name);
        case.expect("a case of this name").bytes.clone()
    };
    let bundles = [
        named("one witness"),
        named("a damaged body"),
        named("a body that its log has an entry of is left out"),
    ];
    let Some(whole) = verdicts("webcrypto", &bundles[..1], &[]) else { return };
    let event = event_of(&whole[0]);
    let mut shown = page(&event);
    shown["stated"][0]["fault"] = json!("digest");
    let answers = with_shown(&bundles[1..], &[shown.clone(), shown]);
    assert_eq!(answers[0][0], "failed", "{}", answers[0]);
    for step in ["bytes", "page"] {
        assert_eq!(answers[0][1][step], "digest", "{}", answers[0]);
    }
    assert_eq!(answers[1][0], "failed", "the node's word against itself: {}", answers[1]);
    assert_eq!(answers[1][1]["bytes"], "withheld", "{}", answers[1]);
    assert_eq!(answers[1][1]["page"], "page-damaged", "{}", answers[1]);
}

#[test]
fn the_script_reads_goods_as_hallmark_does() {
    let texts = [
        ITEM,
        "urn:epc:id:sgtin:9506000.013435.A%2FB",
        "urn:epc:class:lgtin:6901234.000020.L7",
        "urn:epc:idpat:sgtin:6901234.000020.*",
        "urn:epc:id:sscc:0614141.1234567890",
        "urn:epc:id:upui:1234567.089456.51qIgY)%3C%26Jp3*j7'SDB",
        "urn:epc:id:itip:4012345.012345.01.02.987",
        "urn:epc:idpat:itip:4012345.012345.01.02.*",
        "urn:epc:id:sgln:0614141.12345.400",
        "urn:epc:id:sgln:0614141.12345.0",
        "urn:epc:id:pgln:1234567.89012",
        "urn:epc:id:grai:9521141.12345.400",
        "urn:epc:idpat:grai:9521141.12345.*",
        "urn:epc:id:giai:0614141.12345%2F400",
        "urn:epc:id:giai:0614141.12.345",
        "urn:epc:id:gsrn:9521141.1234567890",
        "urn:epc:id:gsrnp:9521141.1234567890",
        "urn:epc:id:gdti:0614141.12345.400",
        "urn:epc:id:sgcn:4012345.67890.04711",
        "urn:epc:id:cpi:0614141.5PQ7%2FZ43.12345",
        "urn:epc:id:ginc:0614141.xyz47%2F11",
        "urn:epc:id:gsin:0614141.123456789",
        "urn:epc:id:gid:95100000.12345.400",
        "urn:epc:id:constructor:1.2",
        "https://id.gs1.org/01/09506000134352",
        "https://id.gs1.org/01/09506000134352/21/A",
        "https://shop.example/p/01/09506000134352/22/V/10/L1/21/A?17=270101",
        "http://shop.example/01/9506000134352/10/L%2F1",
        "http://shop.example/01/9506000134352/21/A",
        "https://shop.example/01/95050003/21/A",
        "https://shop.example/01/012345678905/21/A",
        "https://shop.example/gtin/09506000134352/lot/L1/ser/A",
        "https://shop.example/lot/gtin/9506000134352",
        "https://shop.example/sscc/006141411234567890",
        "https://id.gs1.org/00/006141411234567890",
        "https://id.gs1.org/414/9506000134352",
        "https://id.gs1.org/8006/095060001343520102",
        "https://node.example/goods/drug/81234567890123456789",
        "urn:hallmark:goods:drug:81234567890123456789",
        "urn:hallmark:org:gln:6901234567892",
        "https://shop.example/",
        "commissioning",
        "{",
    ];
    let Some(answers) = node("goods.mjs", "webcrypto", &json!(texts[..])) else { return };
    for (text, found) in texts.iter().zip(answers.as_array().expect("a list")) {
        let decoded = |goods: GoodsId| unescape(goods.as_str(), false);
        let wanted = GoodsId::read(text).ok().map(decoded);
        assert_eq!(*found, json!(wanted), "{text}");
    }
}

/// What a page says of itself in its attributes, as `shown.mjs` reads them.
pub(super) fn attributes(page: &str) -> Value {
    let host = page.split("<div data-check=").nth(1).and_then(|rest| rest.split('>').next());
    let host = host.unwrap_or_else(|| panic!("no check: {page}"));
    let of = |name: &str| {
        let rest = host.split(&format!(" data-{name}=\"")).nth(1);
        rest.and_then(|rest| rest.split('"').next()).expect("an attribute").to_owned()
    };
    let ids = |name: &str| of(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let hidden: u32 = of("hidden").parse().expect("a count");
    json!({
        "goods": of("goods"), "ids": ids("records"), "damaged": ids("damaged"), "hidden": hidden,
        "stated": [],
    })
}

#[test]
fn a_page_that_tells_of_records_that_are_not_public_is_never_said_to_hold() {
    let world = World::new();
    let mut node = works(&world, "works");
    let path = |serial: &str| format!("/01/09520123456788/21/{serial}");
    let look = |node: &super::super::world::Node, serial: &str| {
        let page = page_at(node, &path(serial));
        let bundle = node.get(&format!("/v1/bundle{}", path(serial)));
        assert_eq!(bundle.status, 200, "{serial}");
        (attributes(&page), bundle.body)
    };
    expect(&node, &path("fine"), 200, "consistent");
    let (fine, bundle) = look(&node, "fine");
    assert_eq!(fine["hidden"], 1, "its only event is for members: {fine}");
    assert_eq!(Judge::new().exit(&bundle), Exit::Done, "all that is in the bundle holds");
    tamper(&node, "broken");
    expect(&node, &path("broken"), 200, "broken");
    let (broken, damaged) = look(&node, "broken");
    let ids = broken["damaged"].as_array().expect("ids");
    assert_eq!(ids.len(), 1, "{broken}");
    assert!(!broken["ids"].as_array().expect("ids").contains(&ids[0]), "it is not public");
    assert_eq!(Judge::new().exit(&damaged), Exit::Broken, "the bundle has the proof of it");
    if verdicts("webcrypto", &[], &[]).is_some() {
        let answers = with_shown(&[bundle, damaged], &[fine, broken]);
        assert_eq!(answers[0][0], "incomplete", "{}", answers[0]);
        assert_eq!(answers[0][1]["page"], "page-hidden", "{}", answers[0]);
        assert_eq!(answers[1][0], "failed", "{}", answers[1]);
        assert_eq!(answers[1][1]["page"], "digest", "{}", answers[1]);
    }
    assert_eq!(node.stop(), 0);
}
