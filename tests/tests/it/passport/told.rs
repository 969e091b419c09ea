//! What a passport tells of its class and lot, and of what became of the goods.

use serde_json::{Value, json};

use super::super::world::{World, path_text};
use super::{CLASS, XIAMEN, event, expect, item, masterdata, page_at, path, record, works};

#[test]
fn a_contradiction_about_its_class_is_open_on_an_item_until_the_issuer_has_corrected_it() {
    let world = World::new();
    let mut node = works(&world, "works");
    expect(&node, &path("fine"), 200, "consistent");
    let again = masterdata(CLASS, "Other flask", &json!({ "item": {} }));
    let file = world.file("again.json", again.to_string());
    let refused = node.run("submit", &[path_text(&file)]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    let earlier = refused.stderr.split('"').find(|part| part.starts_with("sha256:"));
    let earlier = earlier.expect("the way to correct it").to_owned();

    let class = CLASS.strip_prefix("https://id.gs1.org").expect("a Digital Link");
    for about in [path("fine"), class.to_owned()] {
        let told = expect(&node, &about, 200, "disputed");
        let found = &told["findings"][0];
        assert_eq!((&found["code"], &found["subject"]), (&json!("LOG-001"), &json!(CLASS)));
    }
    let page = page_at(&node, &path("fine"));
    assert!(page.contains(&format!("about <code>{CLASS}</code>")), "{page}");

    let mut right = again;
    right["payload"]["replaces"] = json!(earlier);
    right["payload"]["reason"] = json!("sent twice");
    record(&world, &node, &[right]);
    for about in [path("fine"), class.to_owned()] {
        let told = expect(&node, &about, 200, "consistent");
        assert_eq!(told["item"]["names"][0]["text"], "保温杯");
    }
    let corrected = expect(&node, class, 200, "consistent");
    assert_eq!(corrected["findings"][0]["severity"], "note", "it stays on record");
    assert_eq!(expect(&node, &path("fine"), 200, "consistent")["findings"], json!([]));
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
