//! What may be kept of an answer, and for how long.

use hallmark_schemas::attestation::{Draft, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::Body as Stated;
use hallmark_schemas::kind::erasure::Erasure;
use hallmark_schemas::layout::Dir;

use super::*;
use crate::keys::{self, Purpose, random};
use crate::sign::claims;

/// An event for anyone, recorded.
async fn public_event(world: &World) -> ContentId {
    let text =
        serde_json::json!({ "kind": "event", "aud": "public", "payload": { "epcis": EVENT } });
    let statement = Statement::from_file(text.to_string().as_bytes(), &Defaults::default());
    let statement = statement.unwrap().remove(0);
    let signed = statement.sign(&world.app.config, now(), world.app.capture.as_ref()).unwrap();
    let id = signed.id();
    assert_eq!(world.register(&signed).await.0, StatusCode::CREATED);
    world.app.node.recorded(&id).await.unwrap();
    id
}

/// Erases a body as its organisation does.
async fn erase(world: &World, erased: ContentId) {
    let folder = Dir::new(world._dir.path().join("node"));
    let key = keys::open(&folder.keys(), Purpose::Organisation, None).unwrap();
    let sub = Subject::Org(world.app.config.org.clone());
    let claims = claims(&world.app.config.org, sub, Audience::Public, Vec::new(), now());
    let reason = "a trade secret".to_owned();
    let body = Stated::Erasure(Erasure { erased, reason, goods: Vec::new() });
    let erasure = sign(Draft { claims, body }, random(), &key).unwrap();
    assert_eq!(world.register(&erasure).await.0, StatusCode::CREATED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_is_kept_for_a_day_at_most_because_it_may_be_erased() {
    let world = World::new().await;
    let id = public_event(&world).await;
    let path = format!("/v1/attestations/{id}");
    let asked = |accept: &str| Request::get(&path).header("accept", accept.to_owned());
    let mut tags = Vec::new();
    for (accept, control) in [
        ("application/cose", "public, max-age=86400, immutable"),
        ("application/cbor", "public, max-age=86400, immutable"),
        ("application/json", "public, no-cache"),
    ] {
        let (status, response) = world.ask(FAR, asked(accept), Vec::new()).await;
        assert_eq!(
            (status, header_of(&response, "cache-control").as_str()),
            (StatusCode::OK, control)
        );
        assert_eq!(header_of(&response, "vary"), "Accept, Authorization");
        let tag = header_of(&response, "etag");
        let again = asked(accept).header("if-none-match", &tag);
        assert_eq!(world.ask(FAR, again, Vec::new()).await.0, StatusCode::NOT_MODIFIED, "{accept}");
        assert!(!tags.contains(&(accept, tag.clone())));
        tags.push((accept, tag));
    }
    erase(&world, id).await;
    // Carried out soon after it is recorded.
    while world.get(FAR, &path).await.0 != StatusCode::GONE {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Whoever has it and asks again learns that it is gone, not that it is still so.
    for (accept, tag) in tags {
        let again = asked(accept).header("if-none-match", &tag);
        let (status, response) = world.ask(FAR, again, Vec::new()).await;
        assert_eq!(status, StatusCode::GONE, "{accept}");
        assert_eq!(header_of(&response, "cache-control"), "no-store");
    }
    world.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_has_a_validator_that_follows_what_is_recorded_and_who_asks() {
    let world = World::new().await;
    const PATH: &str = "/v1/trace/01/09520123456788/21/7";
    public_event(&world).await;
    let of = |accept: &str| Request::get(PATH).header("accept", accept.to_owned());
    let mut tags = Vec::new();
    for accept in ["application/json", "text/plain", "text/vnd.graphviz"] {
        let (status, response) = world.ask(FAR, of(accept), Vec::new()).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(header_of(&response, "cache-control"), "public, no-cache");
        tags.push(header_of(&response, "etag"));
        let again = of(accept).header("if-none-match", tags.last().unwrap());
        let (status, response) = world.ask(FAR, again, Vec::new()).await;
        assert_eq!((status, bytes(response).await), (StatusCode::NOT_MODIFIED, Vec::new()));
    }
    tags.dedup();
    assert_eq!(tags.len(), 3, "one of each form");
    // The owner is shown more, which is for nobody else.
    let (_, response) = world.ask(Origin::Socket, of("application/json"), Vec::new()).await;
    assert_eq!(header_of(&response, "cache-control"), "private, no-cache");
    // One more step: what the client has is no longer so.
    let more = EVENT.replace("000000000001", "000000000002");
    let text =
        serde_json::json!({ "kind": "event", "aud": "public", "payload": { "epcis": more } });
    let statement = Statement::from_file(text.to_string().as_bytes(), &Defaults::default());
    let signed = statement.unwrap().remove(0);
    let signed = signed.sign(&world.app.config, now(), world.app.capture.as_ref()).unwrap();
    assert_eq!(world.register(&signed).await.0, StatusCode::CREATED);
    world.app.node.recorded(&signed.id()).await.unwrap();
    let again = of("application/json").header("if-none-match", &tags[0]);
    let (status, response) = world.ask(FAR, again, Vec::new()).await;
    assert_eq!(status, StatusCode::OK);
    assert_ne!(header_of(&response, "etag"), tags[0]);
    world.end();
}
