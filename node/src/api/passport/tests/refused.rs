//! What a log refused is evidence of a contradiction, and tells nothing of goods.

use super::*;

const LOTTED: &str = "https://id.gs1.org/01/09506000134352";

/// Signs and hands in what contradicts a record: it is refused, and logged as evidence.
async fn contradict(world: &World, statement: Value) {
    let statement = Statement::from_json(statement, &Defaults::default()).unwrap();
    let now = (world.app.clock)();
    let envelope = statement.sign(&world.app.config, now, world.app.capture.as_ref()).unwrap();
    world.app.admit(envelope.stored().to_vec()).await.expect_err("it contradicts a record");
    world.app.node.recorded(&envelope.id()).await.unwrap();
}

/// An event of these items under a number.
fn of(number: u64, serials: &[&str], step: &str, action: &str) -> Value {
    let items: Vec<String> = serials.iter().map(|one| format!("{CLASS}/21/{one}")).collect();
    let epcis = json!({
        "type": "ObjectEvent", "action": action, "bizStep": step, "epcList": items,
        "eventID": format!("urn:uuid:00000000-0000-4000-8000-{number:012}"),
        "eventTime": format!("2026-01-02T03:04:{number:02}.000+08:00"),
        "eventTimeZoneOffset": "+08:00", "readPoint": { "id": GLN },
    });
    json!({ "kind": "event", "aud": "public", "payload": { "epcis": epcis.to_string() } })
}

async fn at(world: &World, path: &str) -> Value {
    json_at(world, path).await.1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_was_refused_ends_bears_and_moves_nothing() {
    let world = world().await;
    attest(&world, masterdata()).await;
    attest(&world, of(1, &["S1", "S2"], "commissioning", "ADD")).await;
    attest(&world, of(2, &["S1"], "receiving", "OBSERVE")).await;
    contradict(&world, of(2, &["S1", "S2"], "destroying", "DELETE")).await;
    attest(&world, of(3, &["S3"], "commissioning", "ADD")).await;
    contradict(&world, of(3, &["S3", "S4"], "commissioning", "ADD")).await;
    let steps = |told: &Value| -> Vec<String> {
        let steps = told["journey"].as_array().unwrap().iter();
        steps.map(|step| step["step"].as_str().unwrap().to_owned()).collect()
    };
    for (serial, expected) in
        [("S1", &["commissioning", "receiving"][..]), ("S2", &["commissioning"])]
    {
        let told = at(&world, &format!("/01/09520123456788/21/{serial}")).await;
        assert_eq!((&told["state"], &told["ended"]), (&json!("consistent"), &Value::Null));
        assert_eq!(steps(&told), expected, "{serial}");
        let records = told["proof"]["records"].as_array().unwrap();
        assert_eq!(records.len(), 1 + expected.len(), "{records:?}");
        let path = format!("/v1/trace/01/09520123456788/21/{serial}");
        let traced = at(&world, &path).await;
        assert_eq!(traced["steps"].as_array().unwrap().len(), expected.len(), "{traced}");
        assert!(!traced.to_string().contains("destroying"), "{traced}");
    }
    let (status, told) = json_at(&world, "/01/09520123456788/21/S4").await;
    assert_eq!((status.as_u16(), &told["state"]), (404, &json!("unknown")));
    assert_eq!((&told["journey"], &told["findings"]), (&json!([]), &json!([])));
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_was_refused_recalls_vouches_and_labels_nothing() {
    let world = world().await;
    attest(&world, masterdata()).await;
    let certificate = |until: &str| {
        json!({ "kind": "certificate", "sub": CLASS, "payload": {
        "id": "Z1", "standard": "GB/T 29606", "valid_from": "2020-01-01T00:00:00Z",
        "valid_to": until } })
    };
    attest(&world, certificate("2021-01-01T00:00:00Z")).await;
    contradict(&world, certificate("2099-01-01T00:00:00Z")).await;
    let class = CLASS.trim_start_matches("https://id.gs1.org");
    let told = at(&world, class).await;
    assert_eq!(told["state"], "expired", "{told}");
    assert_eq!(told["certificates"].as_array().unwrap().len(), 1);
    let recall = |sub: &str| {
        json!({ "kind": "recall", "sub": sub, "payload": {
        "recall": "R-1", "why": { "en": "It leaks" }, "what_to_do": { "en": "Return it" },
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } })
    };
    attest(&world, recall(LOTTED)).await;
    contradict(&world, recall(CLASS)).await;
    assert_eq!(at(&world, class).await["state"], "expired", "the refused recall names it");
    let other = LOTTED.trim_start_matches("https://id.gs1.org");
    assert_eq!(at(&world, other).await["recalls"].as_array().unwrap().len(), 1);
    world.end();
}
