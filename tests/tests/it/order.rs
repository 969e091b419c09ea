//! Bodies that arrive twice, out of order, or before their key is known: none is lost, none is
//! there twice.

use hallmark_schemas::attestation::{Claims, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::{DeviceId, OrgId, Subject};
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::time::Timestamp;
use serde_json::json;

use super::world::http::{Answer, send};
use super::world::{Node, SOON, World, wait};

/// A meter of the test's own, with its key in hand.
struct Meter {
    org: OrgId,
    device: DeviceId,
    key: SecretKey,
}

impl Meter {
    fn of(node: &Node) -> Meter {
        let org: OrgId = node.org.parse().expect("a valid organisation");
        let device = DeviceId::new(&org, "m-1").expect("a valid name");
        Meter { org, device, key: SecretKey::from_seed([7; 32]) }
    }

    fn sign(&self, body: Body, salt: u8) -> Envelope {
        let claims = Claims {
            iss: self.org.clone(),
            sub: Subject::Device(self.device.clone()),
            aud: Audience::Public,
            iat: Timestamp::from_unix_ms(1_780_000_000_000),
            regions: Vec::new(),
        };
        sign(Draft { claims, body }, [salt; 16], &self.key).expect("the draft is valid")
    }

    /// `count` chained batches of one reading.
    fn batches(&self, count: u64) -> Vec<Envelope> {
        let mut batches: Vec<Envelope> = Vec::new();
        for sequence in 0..count {
            let mut payload = json!({
                "boot": 1, "sequence": sequence, "quantity": "electricity", "unit": "Wh",
                "interval_s": 900, "clock_quality": "synchronised",
                "samples": [{
                    "read_at": Timestamp::from_unix_ms(1_770_000_000_000 + 900_000 * sequence)
                        .to_string(),
                    "amount": 41_000 + sequence,
                }],
            });
            if let Some(last) = batches.last() {
                payload["previous"] = json!(last.id().to_string());
            }
            let body = Body::from_json(KindName::Readings, payload).expect("valid readings");
            let salt = u8::try_from(sequence).expect("few batches");
            batches.push(self.sign(body, salt));
        }
        batches
    }

    /// The node attests the device under its organisation's name.
    fn enrol(&self, world: &World, node: &Node) {
        let statement = json!({
            "kind": "device", "sub": self.device.to_string(),
            "payload": {
                "key": hallmark_schemas::hex::encode(self.key.public().bytes()),
                "class": "meter", "model": "test", "quantity": "electricity", "unit": "Wh",
            },
        });
        node.record(&world.file("device.json", statement.to_string()), &[]);
    }
}

fn post(node: &Node, envelope: &Envelope) -> Answer {
    let headers = [("content-type", "application/cose")];
    send("POST", &node.url, "/entries", &headers, envelope.stored())
}

/// The index at which the node shows an attestation, once it is recorded.
fn index_of(node: &Node, envelope: &Envelope) -> u64 {
    let id = envelope.id().to_string();
    wait("the place of an attestation", SOON, || {
        let got = node.run("get", &[&id, "--format", "json"]);
        let view: serde_json::Value = serde_json::from_str(got.stdout.lines().next()?).ok()?;
        view["places"][0]["index"].as_u64()
    })
}

#[test]
fn batches_out_of_order_twice_and_before_their_key_are_each_recorded_once() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let meter = Meter::of(&node);
    let batches = meter.batches(6);
    // Nobody knows the key yet: taken, not refused.
    for early in [&batches[4], &batches[1]] {
        let status = post(&node, early).status;
        assert!((200..400).contains(&status), "before its key: {status}");
    }
    meter.enrol(&world, &node);
    for index in [5, 3, 0, 5, 2, 3, 4, 1] {
        let status = post(&node, &batches[index]).status;
        assert!((200..400).contains(&status), "batch {index}: {status}");
    }
    let mut places: Vec<u64> = batches.iter().map(|batch| index_of(&node, batch)).collect();
    let again: Vec<u64> = batches.iter().map(|batch| index_of(&node, batch)).collect();
    assert_eq!(places, again, "an attestation keeps its place");
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), batches.len(), "each has a place of its own");
    let check = super::world::run("hallmark-verify", &["check", node.dir_text()]).ok();
    assert!(!check.stdout.contains("MTR-001 "), "no gap and no fork: {}", check.stdout);
}

#[test]
fn another_body_under_a_used_sequence_is_refused_and_becomes_a_finding() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let meter = Meter::of(&node);
    meter.enrol(&world, &node);
    let batches = meter.batches(1);
    let answer = post(&node, &batches[0]);
    assert!((200..400).contains(&answer.status), "{answer:?}");
    index_of(&node, &batches[0]);
    let mut payload = batches[0].body().to_json();
    payload["samples"][0]["amount"] = json!(39_000);
    let other = Body::from_json(KindName::Readings, payload).expect("valid readings");
    let other = meter.sign(other, 99);
    assert_eq!(post(&node, &other).status, 409);
    wait("the contradicting body in the log", SOON, || {
        let checked = super::world::run("hallmark-verify", &["check", node.dir_text()]);
        (checked.code == 1 && checked.stdout.contains("MTR-001")).then_some(())
    });
}
