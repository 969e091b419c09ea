//! What those say of goods who neither answer for them nor are known to have had them.

use serde_json::{Value, json};

use super::super::world::{Node, SOON, World, path_text, wait};
use super::{
    CHENGDU, CLASS, XIAMEN, confirm, event, expect, form, item, masterdata, page_at, path, record,
    works,
};

/// Works, and another member whose log they copy.
fn two(world: &World) -> (Node, Node) {
    let works = works(world, "works");
    let mut other = world.newcomer("other", 2, "distributor", &works);
    works.run("admit", &[path_text(&other.dir.join("join.cbor"))]).ok();
    other.start();
    other.ready();
    (works, other)
}

fn destroyed(number: u32, serial: &str) -> Value {
    let mut event = event(number, serial, "destroying", "2026-03-02T08:00:00+08:00", CHENGDU);
    event["aud"] = "public".into();
    event
}

#[test]
fn the_word_of_a_stranger_that_goods_ended_is_told_as_theirs_and_rules_nothing_out() {
    let world = World::new();
    let (mut works, mut other) = two(&world);
    record(&world, &other, &[destroyed(70, "fine")]);
    let told = wait("the copy", SOON, || {
        let told = expect(&works, &path("fine"), 200, "consistent");
        told["ended"].is_object().then_some(told)
    });
    assert_eq!(told["ended"]["is_of_others"], true, "{told}");
    let page = page_at(&works, &path("fine"));
    assert!(page.contains("Said by others to be destroyed"), "{page}");
    assert_eq!(confirm(&works, &item("fine"), &form(&works, &item("fine"))).status, 201);
    expect(&works, &path("fine"), 200, "consistent_seen");
    // Whom the maker names as who got them is no stranger.
    let mut shipped = event(71, "seen", "shipping", "2026-03-01T09:00:00+08:00", XIAMEN);
    shipped["aud"] = "public".into();
    let mut epcis: Value =
        serde_json::from_str(shipped["payload"]["epcis"].as_str().expect("text")).expect("JSON");
    epcis["destinationList"] = json!([{ "type": "owning_party", "destination": other.org }]);
    shipped["payload"]["epcis"] = epcis.to_string().into();
    record(&world, &works, &[shipped]);
    record(&world, &other, &[destroyed(72, "seen")]);
    let told = wait("the copy", SOON, || {
        let told = expect(&works, &path("seen"), 200, "consistent");
        told["ended"].is_object().then_some(told)
    });
    assert_eq!(told["ended"]["is_of_others"], false, "{told}");
    assert_eq!(confirm(&works, &item("seen"), &form(&works, &item("seen"))).status, 201);
    expect(&works, &path("seen"), 200, "copy_suspected");
    assert_eq!((other.stop(), works.stop()), (0, 0));
}

#[test]
fn the_lot_under_which_a_stranger_saw_goods_is_not_theirs() {
    let world = World::new();
    let (mut works, mut other) = two(&world);
    let lot = format!("{CLASS}/10/BAD");
    let recall = json!({ "kind": "recall", "sub": lot, "payload": {
        "recall": "R-1", "why": { "en": "It leaks" }, "what_to_do": { "en": "Return it" },
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } });
    record(&world, &works, &[masterdata(&lot, "Lot", &json!({ "lot": { "lot": "BAD" } })), recall]);
    let mut seen = event(80, "fine", "storing", "2026-03-02T08:00:00+08:00", CHENGDU);
    let epcis =
        seen["payload"]["epcis"].as_str().expect("text").replace("/21/fine", "/10/BAD/21/fine");
    seen["payload"]["epcis"] = epcis.into();
    seen["aud"] = "public".into();
    record(&world, &other, &[seen]);
    let told = wait("the copy", SOON, || {
        let told = expect(&works, &path("fine"), 200, "consistent");
        (told["journey"].as_array().map(Vec::len) == Some(2)).then_some(told)
    });
    assert_eq!((&told["item"]["lot"], &told["recalls"]), (&Value::Null, &json!([])), "{told}");
    assert_eq!(told["lot_recalls"][0]["lots"], json!(["BAD"]), "the pack may tell: {told}");
    assert_eq!((other.stop(), works.stop()), (0, 0));
}
