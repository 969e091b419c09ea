//! What is exchanged beside attestations: enrolment, acknowledgements, tokens, bundles.

use super::bodies::samples;
use super::hex;
use super::log::{checkpoint, entries, receipt};
use super::world::*;
use hallmark_schemas::ack::{Ack, Status};
use hallmark_schemas::bundle::{Header, Item};
use hallmark_schemas::enrolment::{Enrol, Enrolled, Join};
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::token::{Grant, Scope};
use serde_json::{Value, json};

fn body(kind: KindName) -> Body {
    let find = |sample: &super::bodies::Sample| sample.envelope.kind() == kind;
    let sample = samples().into_iter().find(find).expect("a sample of every kind");
    sample.envelope.body().clone()
}

fn enrolment() -> Value {
    let Body::Organisation(organisation) = body(KindName::Organisation) else { unreachable!() };
    let Body::Device(details) = body(KindName::Device) else { unreachable!() };
    let join = Join {
        v: 1,
        network: NETWORK.to_owned(),
        org: PRODUCER.parse().expect("a valid organisation"),
        organisation,
        urls: vec!["http://127.0.0.1:8080".to_owned()],
        multiaddrs: Vec::new(),
        previous: None,
    };
    let device: hallmark_schemas::id::DeviceId = METER.parse().expect("a valid device");
    let enrol = Enrol { v: 1, device: device.clone(), details };
    let enrolled = Enrolled::new(&network_file(), device, ORIGIN, "mqtt://127.0.0.1:1883");
    let enrolled = enrolled.expect("the network file names the log");
    json!({
        "join": {"seed": PRODUCER_KEY, "content": join,
            "bytes": hex(&join.sign(&key(PRODUCER_KEY)).expect("a valid request"))},
        "enrol": {"seed": METER_KEY, "content": enrol,
            "bytes": hex(&enrol.sign(&key(METER_KEY)).expect("a valid request"))},
        "enrolled": {"content": enrolled, "bytes": hex(&enrolled.encode())},
    })
}

fn acks() -> Value {
    let id = entries()[4].id;
    let reason = |text: &str| Some(text.to_owned());
    let all = [
        Ack { id, status: Status::Stored, receipt: None, reason: None },
        Ack { id, status: Status::Recorded, receipt: Some(receipt(4)), reason: None },
        Ack { id, status: Status::Deferred, receipt: None, reason: reason("key is not known yet") },
        Ack { id, status: Status::Refused, receipt: None, reason: reason("bad signature") },
    ];
    let acks = all.iter().map(|ack| {
        json!({"id": ack.id, "status": ack.status, "reason": ack.reason, "bytes": hex(&ack.encode())})
    });
    acks.collect()
}

fn token() -> Value {
    let grant = Grant {
        iss: PRODUCER.parse().expect("a valid organisation"),
        aud: ORIGIN.to_owned(),
        scope: Scope::Read,
        purpose: "audit of 2026-q1".to_owned(),
        iat: instant("2026-03-01T00:00:00Z"),
        exp: instant("2026-03-01T00:10:00Z"),
    };
    let text = grant.sign(&key(PRODUCER_KEY)).expect("a valid grant");
    json!({"seed": PRODUCER_KEY, "iss": grant.iss, "aud": grant.aud, "scope": "read",
        "purpose": grant.purpose, "iat": grant.iat, "exp": grant.exp, "text": text})
}

fn bundle() -> Value {
    let samples = samples();
    let stored = |index: usize| samples[index].envelope.stored().to_vec();
    let header =
        Header { as_of: instant("2026-03-01T00:01:00Z"), network: network_file().bytes().to_vec() };
    let items = [
        Item::Checkpoint(checkpoint().to_bytes()),
        Item::Entries { origin: ORIGIN.to_owned(), first: 0, entries: entries() },
        Item::Identity(stored(2)),
        Item::Body(stored(8)),
        Item::Receipt { id: entries()[4].id, receipt: receipt(4) },
        Item::End { items: 5 },
    ];
    let mut bytes = header.encode();
    items.iter().for_each(|item| bytes.extend(item.encode()));
    let listed: Vec<Value> = items.iter().map(|item| hex(&item.encode())).collect();
    json!({"as_of": header.as_of, "header": hex(&header.encode()), "items": listed,
        "bytes": hex(&bytes)})
}

pub(super) fn vectors() -> Value {
    json!({"enrolment": enrolment(), "acks": acks(), "token": token(), "bundle": bundle()})
}
