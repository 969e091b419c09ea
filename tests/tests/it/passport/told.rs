//! What a passport tells of its class and lot, and of what became of the goods.

use serde_json::{Value, json};

use super::super::world::{Node, World, path_text};
use super::{CLASS, XIAMEN, event, expect, item, masterdata, page_at, path, record, works};

#[test]
fn a_contradiction_about_its_class_is_open_on_an_item_until_the_issuer_has_corrected_it() {
    let world = World::new();
    let mut node = works(&world, "works");
    expect(&node, &path("fine"), 200, "consistent");
    let again = masterdata(CLASS, "Other flask", &json!({ "item": {} }));
    let earlier = contradicted(&world, &node, &again);

    let class = CLASS.strip_prefix("https://id.gs1.org").expect("a Digital Link");
    for about in [path("fine"), class.to_owned()] {
        let told = expect(&node, &about, 200, "disputed");
        let found = &told["findings"][0];
        assert_eq!((&found["code"], &found["subject"]), (&json!("LOG-001"), &json!(CLASS)));
    }
    let page = page_at(&node, &path("fine"));
    assert!(page.contains(&format!("about <code>{CLASS}</code>")), "{page}");

    let mut right = masterdata(CLASS, "Right flask", &json!({ "item": {} }));
    right["payload"]["replaces"] = json!(earlier);
    right["payload"]["reason"] = json!("sent twice");
    record(&world, &node, &[right]);
    for about in [path("fine"), class.to_owned()] {
        let told = expect(&node, &about, 200, "consistent");
        let names = told["item"]["names"].as_array().expect("a list").iter();
        assert!(names.clone().any(|name| name["text"] == "Right flask"), "{told}");
    }
    // What was refused may be replaced as well, and so may be the correction.
    for (at, lot) in ["L1", "L2", "L3", "L4"].iter().enumerate() {
        let lot_of = |expiry: &str| {
            let about = json!({ "lot": { "lot": lot, "expiry": expiry } });
            masterdata(&format!("{CLASS}/10/{lot}"), "Flask", &about)
        };
        record(&world, &node, &[lot_of("2099-01-01")]);
        let first = contradicted(&world, &node, &lot_of("2098-01-01"));
        let mut right = lot_of("2097-01-01");
        right["payload"]["reason"] = json!("wrong date");
        right["payload"]["replaces"] = json!(first);
        let corrected = record(&world, &node, &[right.clone()]);
        let mut day = "2097-01-01";
        if 1 < at {
            right["payload"]["about"]["lot"]["expiry"] = json!("2096-01-01");
            assert_eq!(contradicted(&world, &node, &right), corrected[0]);
            right["payload"]["replaces"] = json!(corrected[0]);
            right["payload"]["about"]["lot"]["expiry"] = json!("2095-01-01");
            record(&world, &node, &[right]);
            day = "2095-01-01";
        }
        let told = expect(&node, &format!("{class}/10/{lot}"), 200, "consistent");
        assert_eq!(told["item"]["expiry"], day, "{lot}");
    }
    let corrected = expect(&node, class, 200, "consistent");
    assert_eq!(corrected["findings"][0]["severity"], "note", "it stays on record");
    assert_eq!(expect(&node, &path("fine"), 200, "consistent")["findings"], json!([]));
    assert_eq!(node.stop(), 0);
}

/// Submits what contradicts a record: it is refused, and told how to be corrected; that record.
pub(in super::super) fn contradicted(world: &World, node: &Node, statement: &Value) -> String {
    let file = world.file("again.json", statement.to_string());
    let refused = node.run("submit", &[path_text(&file)]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    let earlier = refused.stderr.split("as sha256:").nth(1).and_then(|rest| rest.get(..64));
    format!("sha256:{}", earlier.expect("the earlier one"))
}

#[test]
fn an_event_told_in_two_ways_is_open_on_its_goods_until_it_is_declared_to_be_in_error() {
    let world = World::new();
    let mut node = works(&world, "works");
    let shipped = event(40, "fine", "shipping", "2026-03-06T08:00:00+08:00", XIAMEN);
    record(&world, &node, std::slice::from_ref(&shipped));
    expect(&node, &path("fine"), 200, "consistent");
    let received = event(40, "fine", "receiving", "2026-03-06T08:00:00+08:00", XIAMEN);
    contradicted(&world, &node, &received);
    let told = expect(&node, &path("fine"), 200, "disputed");
    assert_eq!(told["findings"][0]["severity"], "error", "{told}");
    expect(&node, &path("seen"), 200, "consistent");
    let epcis = shipped["payload"]["epcis"].as_str().expect("text");
    let mut epcis: Value = serde_json::from_str(epcis).expect("JSON");
    epcis["errorDeclaration"] =
        json!({ "declarationTime": "2026-03-07T00:00:00Z", "reason": "incorrect_data" });
    let mut declared = shipped;
    declared["payload"]["epcis"] = json!(epcis.to_string());
    record(&world, &node, &[declared]);
    let told = expect(&node, &path("fine"), 200, "consistent");
    assert_eq!(told["journey"].as_array().map(Vec::len), Some(1), "{told}");
    assert_eq!(node.stop(), 0);
}

#[test]
fn goods_that_went_into_others_are_told_as_used_up() {
    let world = World::new();
    let mut node = works(&world, "works");
    let epcis = json!({
        "type": "TransformationEvent", "bizStep": "creating_class_instance",
        "eventID": "urn:uuid:00000000-0000-4000-8000-000000000100",
        "eventTime": "2026-03-20T08:00:00+08:00", "eventTimeZoneOffset": "+08:00",
        "inputEPCList": [item("fine")], "outputEPCList": [item("seen")],
        "readPoint": { "id": XIAMEN },
    });
    let used =
        json!({ "kind": "event", "aud": "public", "payload": { "epcis": epcis.to_string() } });
    let moved = event(30, "fine", "storing", "2026-03-19T08:00:00+08:00", XIAMEN);
    record(&world, &node, &[used, moved]);
    let steps = |serial: &str| -> Vec<Value> {
        let told = expect(&node, &path(serial), 200, "consistent");
        let steps = told["journey"].as_array().expect("a list").iter();
        steps.map(|one| json!([one["step"], one["is_used_up"]])).collect()
    };
    assert_eq!(
        steps("fine"),
        [
            json!(["commissioning", false]),
            json!(["storing", false]),
            json!(["creating_class_instance", true])
        ]
    );
    assert!(page_at(&node, &path("fine")).contains("used up to make other goods"));
    assert!(!page_at(&node, &path("seen")).contains("used up"));
    let traced = node.run("trace", &[&item("fine")]).ok().stdout;
    assert!(traced.contains("creating_class_instance, used up at"), "{traced}");
    let dot = node.run("trace", &[&item("fine"), "--format", "dot"]).ok().stdout;
    assert!(dot.contains("creating_class_instance, used up at"), "{dot}");
    assert_eq!(node.stop(), 0);
}
