//! Which certificates count: what takes the place of which, and what a revoked key signed.

use hallmark_schemas::key::Signer;

use super::*;

const OTHER: &str = "https://id.gs1.org/01/09506000134352";

fn of(id: &str, from: &str, more: &Value) -> Value {
    let mut one = json!({ "kind": "certificate", "sub": CLASS, "payload": {
        "id": id, "standard": "GB 4806", "valid_from": from, "valid_to": "2099-01-01T00:00:00Z" } });
    one["payload"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    one
}

async fn class_at(world: &World) -> Value {
    json_at(world, CLASS.trim_start_matches("https://id.gs1.org")).await.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_next_certificate_of_the_same_takes_the_place_of_one_that_was_withdrawn() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let cups = json!({ "product_class": "cups" });
    let first = attest(&world, of("K1", "2024-01-01T00:00:00Z", &cups)).await;
    let pulled = json!({ "withdrawn_at": "2026-01-02T00:00:00Z", "reason": "lead found",
        "product_class": "cups", "replaces": first });
    attest(&world, of("K1", "2024-01-01T00:00:00Z", &pulled)).await;
    // Not later, of another class of goods, of another site, of another standard.
    let mut standard = of("K5", "2026-01-01T00:00:00Z", &cups);
    standard["payload"]["standard"] = "GB 4806.1".into();
    for one in [
        of("K2", "2024-01-01T00:00:00Z", &cups),
        of("K3", "2026-01-01T00:00:00Z", &json!({ "product_class": "lids" })),
        of("K4", "2026-01-01T00:00:00Z", &json!({ "product_class": "cups", "site": "B" })),
        standard,
    ] {
        attest(&world, one).await;
        let told = class_at(&world).await;
        assert_eq!(told["state"], "withdrawn", "{}", told["certificates"]);
    }
    let next = attest(&world, of("K6", "2026-01-01T00:00:00Z", &cups)).await;
    let told = class_at(&world).await;
    assert_eq!(told["state"], "consistent", "{}", told["certificates"]);
    let of_id = |id: &str| {
        let all = told["certificates"].as_array().unwrap().iter();
        all.clone().find(|one| one["number"] == id).unwrap().clone()
    };
    assert_eq!(of_id("K1")["is_superseded"], true);
    assert_eq!(of_id("K6")["id"], *next);
    // Where its issuer's accreditation is recorded, it has to be in force on the first day.
    let org = world.app.config.org.to_string();
    let accreditation = |from: &str| {
        json!({ "kind": "accreditation", "sub": org, "payload": {
        "scheme": "iso17065", "sectors": ["GB 4806"], "number": from, "status": "in_force", "from_at": from,
        "valid_from": from, "valid_to": "2099-01-01T00:00:00Z" } })
    };
    attest(&world, accreditation("2026-01-03T00:00:00Z")).await;
    assert_eq!(class_at(&world).await["state"], "withdrawn", "it was not accredited then");
    attest(&world, accreditation("2025-12-01T00:00:00Z")).await;
    assert_eq!(class_at(&world).await["state"], "consistent");
    world.end();
}

/// Gives the key that signs for the node's clients up, as compromised since then.
async fn revoke(world: &World, since: &str) {
    let org = world.app.config.org.to_string();
    let statement = json!({ "kind": "revocation", "sub": org.replace(":org:", ":device:") + ":capture",
        "payload": { "key": world.app.capture.public().id().to_string(), "since": since,
            "why": "compromised" } });
    let statement = Statement::from_json(statement, &Defaults::default()).unwrap();
    let now = (world.app.clock)();
    let envelope = statement.sign(&world.app.config, now, &world.org_key()).unwrap();
    world.app.admit(envelope.stored().to_vec()).await.unwrap();
    world.app.node.recorded(&envelope.id()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_a_revoked_key_signed_counts_no_more() {
    let world = world().await;
    let mut described = masterdata();
    described["sub"] = OTHER.into();
    attest(&world, described).await;
    attest(&world, of("K1", "2024-01-01T00:00:00Z", &json!({}))).await;
    attest(&world, masterdata()).await;
    attest(&world, event(1, "S1", "commissioning", json!("public"))).await;
    assert_eq!(class_at(&world).await["state"], "consistent");
    revoke(&world, "2020-01-01T00:00:00Z").await;
    let told = class_at(&world).await;
    assert_eq!(told["state"], "withdrawn", "{told}");
    let one = &told["certificates"][0];
    assert_eq!(
        (&one["standing"], &one["key_revoked"]),
        (&json!("withdrawn"), &json!("2020-01-01"))
    );
    let sentence = told["state_text"]["en"].as_str().unwrap();
    assert!(sentence.contains("key") && !sentence.contains("still hold"), "{sentence}");
    let doubted = told["doubted"].as_array().unwrap();
    let kinds: Vec<&str> = doubted.iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["masterdata", "certificate"], "what the goods are known by comes first");
    assert!(doubted.iter().all(|one| one["since"] == "2020-01-01"), "{doubted:?}");
    let page = page_at(&world, CLASS.trim_start_matches("https://id.gs1.org")).await;
    assert!(page.contains("withdrawn 2020-01-01 UTC · its key was revoked"), "{page}");
    assert!(page.contains("description, in doubt since 2020-01-01 UTC"), "{page}");
    // Of goods without a certificate the description is in doubt, and of an item its birth.
    let other = OTHER.trim_start_matches("https://id.gs1.org");
    let told = json_at(&world, other).await.1;
    assert_eq!(told["state"], "disputed", "{told}");
    assert!(told["state_text"]["en"].as_str().unwrap().contains("in doubt"), "{told}");
    let told = json_at(&world, PATH).await.1;
    let kinds = told["doubted"].as_array().unwrap().iter().map(|one| one["kind"].clone());
    assert!(kinds.clone().any(|kind| kind == "event"), "{told}");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_key_signed_before_it_may_have_been_anothers_is_in_no_doubt() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, of("K1", "2024-01-01T00:00:00Z", &json!({}))).await;
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    // A revocation says nothing of what comes after it, and its own second is whole.
    let second = (world.app.clock)().unix_ms() / 1000 * 1000;
    let since = hallmark_schemas::time::Timestamp::from_unix_ms(second);
    revoke(&world, &since.to_string()).await;
    let told = class_at(&world).await;
    assert_eq!((&told["state"], &told["doubted"]), (&json!("consistent"), &json!([])), "{told}");
    world.end();
}
