//! What is said of goods by whoever met them: listings, claims, inspections.

use super::*;

fn words_on(serial: &str) -> [Value; 3] {
    let sub = format!("{CLASS}/21/{serial}");
    [
        json!({ "kind": "offer", "sub": sub, "payload": {
            "offer": format!("L-{serial}"), "platform": "shop.example",
            "from_at": "2026-01-01T00:00:00Z" } }),
        json!({ "kind": "claim", "sub": sub, "payload": {
            "claim": format!("C-{serial}"), "about": "organic",
            "says": { "en": "organic", "zh-Hans": "有机" },
            "valid_from": "2026-01-01T00:00:00Z" } }),
        json!({ "kind": "inspection", "sub": sub, "aud": "public", "payload": {
            "inspection": format!("I-{serial}"), "standard": "GB/T 1534",
            "began_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T01:00:00Z",
            "result": "passed" } }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_lists_praises_or_inspects_a_code_makes_it_no_code_that_was_issued() {
    let world = World::with_roles(&["producer", "inspector"]).await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    for word in words_on("never").into_iter().chain(words_on("S1")) {
        attest(&world, word).await;
    }
    let (status, json) = json_at(&world, "/01/09520123456788/21/never").await;
    assert_eq!((status, &json["state"]), (StatusCode::NOT_FOUND, &json!("unknown")));
    let (status, json) = json_at(&world, PATH).await;
    assert_eq!((status, &json["state"]), (StatusCode::OK, &json!("consistent")));
    let records = json["proof"]["records"].as_array().unwrap().iter();
    let kinds: Vec<&str> = records.map(|one| one["kind"].as_str().unwrap()).collect();
    for kind in ["offer", "claim", "inspection"] {
        assert!(kinds.contains(&kind), "{kind} can be checked: {kinds:?}");
    }
    let page = page_at(&world, "/01/09520123456788/21/S1?lang=en").await;
    for words in ["offer for sale", "claim about the goods", "inspection"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    world.end();
}
