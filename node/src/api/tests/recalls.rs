//! What is called back, how far that reaches, and who answers.

use serde_json::{Value, json};

use super::*;
use crate::api::passport::tests::attest;

const CLASS: &str = "https://id.gs1.org/01/09520123456788";
const PLACE: &str = "https://id.gs1.org/414/9506000134369";

fn event(number: u64, action: &str, step: &str, epcs: &[&str], aud: Value) -> Value {
    let mut epcis = json!({
        "type": "ObjectEvent", "action": action, "bizStep": step,
        "eventID": format!("urn:uuid:00000000-0000-4000-8000-{number:012}"),
        "eventTime": format!("2026-01-02T03:{number:02}:00+08:00"), "eventTimeZoneOffset": "+08:00",
        "epcList": epcs, "readPoint": { "id": PLACE },
    });
    if action == "ADD" {
        epcis["ilmd"] = json!({ "cbvmda:lotNumber": "L1" });
    }
    json!({ "kind": "event", "aud": aud, "payload": { "epcis": epcis.to_string() } })
}

async fn json_at(world: &World, origin: Origin, path: &str) -> (StatusCode, Value) {
    let (status, response) = world.get(origin, path).await;
    (status, serde_json::from_slice(&bytes(response).await).unwrap())
}

fn path(rest: &str) -> String {
    let goods = format!("{CLASS}/10/L1").replace(':', "%3A").replace('/', "%2F");
    format!("/v1/recalls/reach?goods={goods}{rest}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recall_reaches_what_the_caller_may_see_and_tells_who_answered() {
    let world = World::new().await;
    let (one, two) = (format!("{CLASS}/21/1"), format!("{CLASS}/21/2"));
    attest(&world, event(1, "ADD", "commissioning", &[&one, &two], json!("public"))).await;
    attest(&world, event(2, "OBSERVE", "shipping", &[&two], json!("members"))).await;
    let (status, seen) = json_at(&world, Origin::Socket, &path("")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&seen["totals"]["held"], &seen["totals"]["in_transit"]), (&json!(1), &json!(1)));
    assert_eq!(seen["unresolved"][0]["why"], "in_transit");
    let (_, stranger) = json_at(&world, FAR, &path("")).await;
    assert_eq!(stranger["totals"]["held"], 2, "what is not public is not told");

    let recall = attest(
        &world,
        json!({ "kind": "recall", "sub": format!("{CLASS}/10/L1"),
        "payload": { "recall": "R-1", "since": "2026-01-02T00:00:00Z", "why": { "en": "Glass" },
            "what_to_do": { "en": "Return it" }, "contact": { "url": "https://example.com/" } } }),
    )
    .await;
    let mut answer = event(3, "OBSERVE", "holding", &[&one], json!("public"));
    let epcis: Value = serde_json::from_str(answer["payload"]["epcis"].as_str().unwrap()).unwrap();
    let mut epcis = epcis;
    epcis["eventTime"] = json!("2026-01-03T00:00:00Z");
    epcis["disposition"] = json!("recalled");
    answer["payload"]["epcis"] = json!(epcis.to_string());
    attest(&world, answer).await;
    let (_, seen) = json_at(&world, Origin::Socket, &path("")).await;
    assert_eq!(
        (&seen["since"], &seen["totals"]["answered"]),
        (&json!("2026-01-02T00:00:00Z"), &json!(1))
    );
    assert_eq!(seen["recalls"][0]["id"], recall);
    let (_, listed) = json_at(&world, FAR, "/v1/recalls").await;
    let listed = listed["recalls"].as_array().unwrap();
    assert_eq!((listed.len(), &listed[0]["in_force"]), (1, &json!(true)));
    let (_, text) = world.get(Origin::Socket, &path("&format=text")).await;
    let text = String::from_utf8(bytes(text).await).unwrap();
    assert!(text.contains("answered for 1") && text.contains("reached: 2 items"), "{text}");
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_made_at_a_place_in_a_period_is_reached_by_its_lots() {
    let world = World::new().await;
    let one = format!("{CLASS}/21/1");
    attest(&world, event(1, "ADD", "commissioning", &[&one], json!("public"))).await;
    let place = PLACE.replace(':', "%3A").replace('/', "%2F");
    let at = |from: &str, to: &str| {
        format!("/v1/recalls/reach?facility={place}&from={from}T00:00:00Z&to={to}T00:00:00Z")
    };
    let (_, found) = json_at(&world, Origin::Socket, &at("2026-01-01", "2026-01-02")).await;
    assert_eq!(found["goods"], json!([format!("{CLASS}/10/L1")]));
    assert_eq!(found["totals"]["items"], 1);
    let (_, none) = json_at(&world, Origin::Socket, &at("2026-01-02", "2026-01-03")).await;
    assert_eq!(none["goods"], json!([]));
    for bad in [
        "",
        "?goods=",
        "?goods=x",
        "?facility=x",
        "?goods=x&facility=x",
        "?since=1",
        "?facility=x&from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
        "?lot=1",
    ] {
        let (status, _) = json_at(&world, Origin::Socket, &format!("/v1/recalls/reach{bad}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{bad}");
    }
    world.end();
}
