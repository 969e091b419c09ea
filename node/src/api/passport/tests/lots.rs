//! The lot of an item, where an event's identifier tells it beside the serial.

use super::*;

const GTIN: &str = "/01/09520123456788";

fn recall(lot: &str) -> Value {
    json!({ "kind": "recall", "sub": format!("{CLASS}/10/{lot}"), "payload": {
        "recall": format!("R-{lot}"), "why": { "en": format!("{lot} leaks") },
        "what_to_do": { "en": "Return it" }, "contact": { "phone": "+86 400 000 0000" },
        "since": "2026-01-01T00:00:00Z" } })
}

/// An event of one item by the rest of its identifier, with the lot of `ilmd` that it may have.
fn of(number: u64, step: &str, rest: &str, stated: Option<&str>) -> Value {
    let action = if step == "commissioning" { "ADD" } else { "OBSERVE" };
    let mut epcis = json!({
        "type": "ObjectEvent", "action": action, "bizStep": step,
        "eventID": format!("urn:uuid:00000000-0000-4000-8000-{number:012}"),
        "eventTime": format!("2026-01-02T03:04:{number:02}.000+08:00"),
        "eventTimeZoneOffset": "+08:00",
        "epcList": [format!("{CLASS}{rest}")], "readPoint": { "id": GLN },
    });
    if let Some(lot) = stated {
        epcis["ilmd"] = json!({ "cbvmda:lotNumber": lot });
    }
    json!({ "kind": "event", "aud": "public", "payload": { "epcis": epcis.to_string() } })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recall_reaches_what_any_event_names_in_its_lot() {
    let world = world().await;
    attest(&world, masterdata()).await;
    for event in [
        of(1, "commissioning", "/10/L2/21/S1", None),
        of(2, "commissioning", "/21/S2", None),
        of(3, "shipping", "/10/L2/21/S2", None),
        of(4, "commissioning", "/10/L5/21/S3", Some("L2")),
        of(5, "commissioning", "/10/L9/21/S4", None),
        of(6, "commissioning", "/21/S5", None),
        of(7, "shipping", "/10/L9/21/S5", None),
    ] {
        attest(&world, event).await;
    }
    let state = async |path: &str| {
        let (_, json) = json_at(&world, &format!("{GTIN}{path}")).await;
        let recalls = json["recalls"].as_array().unwrap().iter();
        let recalls: Vec<String> =
            recalls.map(|one| one["reason"][0]["text"].as_str().unwrap().to_owned()).collect();
        (json["state"].as_str().unwrap().to_owned(), json["item"]["lot"].clone(), recalls)
    };
    let expected = |state: &str, lot: &str, recalls: &[&str]| {
        let recalls = recalls.iter().map(|lot| format!("{lot} leaks")).collect::<Vec<_>>();
        (state.to_owned(), json!(lot), recalls)
    };
    attest(&world, recall("L2")).await;
    assert_eq!(state("/21/S1").await, expected("recalled", "L2", &["L2"]));
    assert_eq!(state("/21/S2").await, expected("recalled", "L2", &["L2"]));
    // Of two lots that one event names the recall of either reaches it.
    assert_eq!(state("/21/S3").await, expected("recalled", "L5", &["L2"]));
    assert_eq!(state("/21/S4").await, expected("consistent", "L9", &[]));
    attest(&world, recall("L5")).await;
    let (state_of, _, recalls) = state("/21/S3").await;
    assert_eq!((state_of.as_str(), recalls.len()), ("recalled", 2), "{recalls:?}");

    // Under which lot somebody saw it is nobody's word for what it is of.
    let lot_recalls = async |path: &str| {
        let (_, json) = json_at(&world, &format!("{GTIN}{path}")).await;
        json["lot_recalls"].as_array().unwrap().len()
    };
    assert_eq!((lot_recalls("/21/S5").await, lot_recalls("/21/S4").await), (2, 0));
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_print_is_held_against_the_lot_of_the_birth_and_not_of_a_sight() {
    let world = world().await;
    attest(&world, of(1, "commissioning", "/10/L2/21/S1", None)).await;
    attest(&world, of(2, "receiving", "/10/L7/21/S1", None)).await;
    for (lot, contradictions) in [("L2", 0), ("L7", 1)] {
        let (_, json) = json_at(&world, &format!("{GTIN}/10/{lot}/21/S1")).await;
        let found = json["link"]["contradictions"].as_array().unwrap();
        assert_eq!(found.len(), contradictions, "{lot}: {found:?}");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_way_of_a_lot_is_its_births_and_not_that_of_each_item() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, of(1, "commissioning", "/10/L2/21/S1", None)).await;
    attest(&world, of(2, "shipping", "/10/L2/21/S1", None)).await;
    attest(&world, of(3, "inspecting", "/10/L2", None)).await;
    let steps = async |path: &str| {
        let (_, json) = json_at(&world, &format!("{GTIN}{path}")).await;
        let steps = json["journey"].as_array().unwrap().iter();
        steps.map(|one| one["step"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(steps("/10/L2").await, ["commissioning", "inspecting"]);
    assert_eq!(steps("/21/S1").await, ["commissioning", "shipping"]);
    world.end();
}
