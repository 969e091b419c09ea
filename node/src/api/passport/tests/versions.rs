//! What a later version no longer says is no longer shown, and a place is known by its facility.

use super::*;

const OTHER: &str = "https://id.gs1.org/01/09506000134352";

fn described(sub: &str) -> Value {
    let mut about = masterdata();
    about["sub"] = sub.into();
    about
}

fn recall(sub: &str, covers: &[&str], before: Option<&str>) -> Value {
    let mut recall = json!({ "kind": "recall", "sub": sub, "payload": {
        "recall": "R-1", "covers": covers, "why": { "en": "It leaks" },
        "what_to_do": { "en": "Return it" }, "contact": { "phone": "+86 400 000 0000" },
        "since": "2026-01-01T00:00:00Z" } });
    if let Some(before) = before {
        recall["payload"]["replaces"] = before.into();
        recall["payload"]["reason"] = "the other is sound".into();
    }
    recall
}

async fn state(world: &World, class: &str) -> Value {
    let path = class.trim_start_matches("https://id.gs1.org");
    json_at(world, path).await.1["state"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_version_of_a_recall_that_drops_a_class_recalls_it_no_more() {
    let world = world().await;
    for class in [CLASS, OTHER] {
        attest(&world, described(class)).await;
    }
    let first = attest(&world, recall(OTHER, &[CLASS], None)).await;
    assert_eq!([state(&world, CLASS).await, state(&world, OTHER).await], ["recalled"; 2]);
    let second = attest(&world, recall(OTHER, &[], Some(&first))).await;
    assert_eq!(state(&world, CLASS).await, "consistent", "the version in force does not name it");
    assert_eq!(state(&world, OTHER).await, "recalled");
    let (_, json) = json_at(&world, CLASS.trim_start_matches("https://id.gs1.org")).await;
    let records = json["proof"]["records"].as_array().unwrap();
    assert!(records.iter().any(|one| one["id"] == *second), "it can be checked: {records:?}");
    attest(&world, recall(CLASS, &[], Some(&second))).await;
    assert_eq!(state(&world, CLASS).await, "recalled", "of three versions the last counts");
    assert_eq!(state(&world, OTHER).await, "consistent");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_later_version_of_a_certificate_that_drops_a_class_is_none_of_it() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let certificate = |covers: &[&str], before: Option<&str>| {
        let mut one = json!({ "kind": "certificate", "sub": OTHER, "payload": {
            "id": "C-1", "standard": "GB/T 29606", "covers": covers,
            "valid_from": "2020-01-01T00:00:00Z", "valid_to": "2099-01-01T00:00:00Z" } });
        if let Some(before) = before {
            one["payload"]["replaces"] = before.into();
            one["payload"]["reason"] = "its scope is smaller".into();
        }
        one
    };
    let count = async || {
        let (_, json) = json_at(&world, CLASS.trim_start_matches("https://id.gs1.org")).await;
        json["certificates"].as_array().map(Vec::len)
    };
    let first = attest(&world, certificate(&[CLASS], None)).await;
    assert_eq!(count().await, Some(1));
    attest(&world, certificate(&[], Some(&first))).await;
    assert_eq!(count().await, Some(0));
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_is_known_by_the_facility_that_it_belongs_to() {
    let world = world().await;
    let path = GLN.trim_start_matches("https://id.gs1.org");
    let (status, json) = json_at(&world, path).await;
    assert_eq!((status.as_u16(), &json["state"]), (404, &json!("foreign")));
    let told = json["state_text"]["en"].as_str().unwrap();
    assert!(told.contains("describes this place") && !told.contains("has records"), "{told}");
    let org = world.app.config.org.to_string();
    let facility = json!({
        "kind": "facility", "sub": format!("{}:works-1", org.replace(":org:", ":facility:")),
        "payload": {
            "name": "Works 1", "lat_e7": 244_798_000, "lon_e7": 1_180_894_000,
            "province": "CN-FJ", "utc_offset": "+08:00", "sector": "retail",
            "locations": [GLN],
        },
    });
    attest(&world, facility).await;
    let (status, json) = json_at(&world, path).await;
    assert_eq!((status.as_u16(), &json["state"]), (200, &json!("consistent")));
    assert_eq!(json["item"]["names"][0]["text"], "Works 1");
    assert_eq!(json["item"]["described_by"]["id"], org);
    world.end();
}
