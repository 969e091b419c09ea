//! A pallet's way is that of what was on it, for as long as it was, as far as that is public.

use super::*;

const PALLET: &str = "https://id.gs1.org/00/095212340000000013";

fn epcis(number: u64, more: Value) -> Value {
    let mut event = json!({
        "eventID": format!("urn:uuid:00000000-0000-4000-8000-{number:012}"),
        "eventTime": format!("2026-03-01T{number:02}:00:00Z"), "eventTimeZoneOffset": "+08:00",
        "readPoint": { "id": GLN },
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    event
}

fn said(number: u64, audience: &str, more: Value) -> Value {
    let epcis = epcis(number, more).to_string();
    json!({ "kind": "event", "aud": audience, "payload": { "epcis": epcis } })
}

fn packed(number: u64, audience: &str, action: &str, item: &str) -> Value {
    let step = if action == "ADD" { "packing" } else { "unpacking" };
    said(
        number,
        audience,
        json!({
            "type": "AggregationEvent", "action": action, "bizStep": step, "parentID": PALLET,
            "childEPCs": [item],
        }),
    )
}

fn moved(number: u64, audience: &str, step: &str) -> Value {
    said(
        number,
        audience,
        json!({
            "type": "ObjectEvent", "action": "OBSERVE", "bizStep": step, "epcList": [PALLET],
        }),
    )
}

async fn journey(world: &World, path: &str) -> Vec<(String, bool)> {
    let (_, json) = json_at(world, path).await;
    let steps = json["journey"].as_array().unwrap().iter();
    let told = |step: &Value| {
        let inside = step["inside"].as_str();
        assert!(inside.is_none_or(|unit| unit == PALLET), "{step}");
        (step["step"].as_str().unwrap_or_default().to_owned(), inside.is_some())
    };
    steps.map(told).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happened_to_a_pallet_happened_to_what_was_on_it() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, moved(1, "public", "storing")).await;
    attest(&world, event(90, "S1", "commissioning", json!("public"))).await;
    attest(&world, packed(3, "public", "ADD", ITEM)).await;
    attest(&world, moved(4, "public", "shipping")).await;
    attest(&world, moved(5, "members", "loading")).await;
    attest(&world, moved(6, "public", "receiving")).await;
    attest(&world, packed(7, "public", "DELETE", ITEM)).await;
    attest(&world, moved(8, "public", "inspecting")).await;
    let way = [
        ("commissioning", false),
        ("packing", false),
        ("shipping", true),
        ("receiving", true),
        ("unpacking", false),
    ];
    let way = way.map(|(step, is_inside)| (step.to_owned(), is_inside));
    assert_eq!(journey(&world, PATH).await, way);
    let (_, json) = json_at(&world, PATH).await;
    assert_eq!(json["state"], "consistent");
    assert_eq!(json["proof"]["records"].as_array().map(Vec::len), Some(6), "each can be checked");
    let page = page_at(&world, PATH).await;
    assert!(
        page.contains("inside <code data-of=\"inside\">/00/095212340000000013</code>"),
        "{page}"
    );
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_tells_that_goods_were_on_a_pallet_but_public_events() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, event(90, "S1", "commissioning", json!("public"))).await;
    attest(&world, packed(3, "members", "ADD", ITEM)).await;
    attest(&world, moved(4, "public", "shipping")).await;
    let way = [("commissioning".to_owned(), false), ("packing".to_owned(), false)];
    assert_eq!(journey(&world, PATH).await, way);
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_a_hidden_record_names_is_not_told() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let place = json!({ "lat_e7": 244_798_000, "lon_e7": 1_180_894_000, "precision_m": 100,
        "region": "CN-FJ" });
    let mut location = masterdata();
    location["sub"] = GLN.into();
    location["payload"]["about"] = json!({ "location": place });
    let location = attest(&world, location).await;
    attest(&world, event(90, "S1", "commissioning", json!("members"))).await;
    let told = async || {
        let (_, json) = json_at(&world, PATH).await;
        assert_eq!(json["journey"][0]["region"], "CN-FJ");
        let records = json["proof"]["records"].as_array().unwrap();
        records.iter().any(|one| one["id"] == *location)
    };
    assert!(!told().await, "it would tell the place of an event that is not public");
    attest(&world, event(91, "S1", "shipping", json!("public"))).await;
    assert!(told().await, "the public event names it too");
    world.end();
}
