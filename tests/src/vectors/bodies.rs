//! One valid attestation of every kind, or several.

use super::hex;
use super::world::*;
use hallmark_schemas::attestation::{Claims, ContentId, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::key::Signer;
use hallmark_schemas::kind::event::Event;
use hallmark_schemas::kind::network::Network;
use hallmark_schemas::kind::value::Blob;
use hallmark_schemas::kind::{Body, KindName};
use serde_json::{Value, json};

/// An event as a client sends it: member order, spaces and number literals are the client's.
pub(super) const EPCIS: &str = r#"{"@context": "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
 "type": "ObjectEvent", "eventID": "urn:uuid:4ddc3c0e-7d47-4d5b-9b26-6cf3c4a4a1d5",
 "eventTime": "2026-03-01T08:00:00.000+08:00", "eventTimeZoneOffset": "+08:00",
 "epcList": ["urn:epc:id:sgtin:6901234.000020.1001"],
 "quantityList": [{"epcClass": "urn:epc:class:lgtin:6901234.000020.L7", "quantity": 26.50, "uom": "KGM"}],
 "action": "ADD", "bizStep": "urn:epcglobal:cbv:bizstep:commissioning", "disposition": "active",
 "readPoint": {"id": "geo:31.2304,121.4737"}}"#;

/// A valid attestation, with what went into it.
pub(super) struct Sample {
    pub(super) name: &'static str,
    pub(super) envelope: Envelope,
    seed: u8,
    salt: u8,
}

pub(super) fn sample(
    (name, kind): (&'static str, KindName),
    (iss, sub, seed): (&str, &str, u8),
    body: Value,
) -> Sample {
    let body = Body::from_json(kind, body).unwrap_or_else(|error| unreachable!("{name}: {error}"));
    let aud = match kind {
        KindName::Event | KindName::Readings | KindName::Emissions => Audience::Members,
        _ => Audience::Public,
    };
    let claims = Claims {
        iss: iss.parse().expect("a valid organisation"),
        sub: sub.parse().expect("a valid subject"),
        aud,
        iat: instant("2026-03-01T00:00:00Z"),
        regions: Vec::new(),
    };
    let salt = seed + 0x40;
    let envelope = sign(Draft { claims, body }, [salt; 16], &key(seed));
    let envelope = envelope.unwrap_or_else(|error| unreachable!("{name}: {error}"));
    Sample { name, envelope, seed, salt }
}

fn identity() -> Vec<Sample> {
    let file = network_file();
    let network = Network { version: 1, file: Blob(file.bytes().to_vec()) };
    let log = format!("urn:hallmark:log:{ORIGIN}");
    vec![
        sample(
            ("genesis", KindName::Genesis),
            (PRODUCER, &log, PRODUCER_KEY),
            json!({"network": NETWORK, "keys": log_keys()}),
        ),
        sample(
            ("network", KindName::Network),
            (REGISTRAR, REGISTRAR, REGISTRAR_KEY),
            Body::from(network).to_json(),
        ),
        sample(
            ("organisation", KindName::Organisation),
            (REGISTRAR, PRODUCER, REGISTRAR_KEY),
            json!({"legal_name": "示例钢铁有限公司", "roles": ["producer"], "regions": ["CN"],
                "key": key(PRODUCER_KEY).public(), "node": log_keys(),
                "next_key_commitment": key(PRODUCER_NEXT).public().id()}),
        ),
        sample(
            ("key", KindName::Key),
            (PRODUCER, PRODUCER, PRODUCER_NEXT),
            json!({"key": key(PRODUCER_NEXT).public(),
                "replaces_key": key(PRODUCER_KEY).public().id(),
                "next_key_commitment": key(PRODUCER_THIRD).public().id()}),
        ),
        sample(
            ("node", KindName::Node),
            (PRODUCER, PRODUCER, PRODUCER_KEY),
            json!({"from_at": "2026-03-01T00:00:00Z", "urls": ["https://log.example.com"],
                "multiaddrs": ["/ip4/192.0.2.1/tcp/4001"]}),
        ),
        sample(
            ("facility", KindName::Facility),
            (PRODUCER, FACILITY, PRODUCER_KEY),
            json!({"name": "Mill 1", "lat_e7": 312_304_000, "lon_e7": 1_214_737_000_i64,
                "altitude_m": 4, "province": "CN-SH", "utc_offset": "+08:00", "sector": "steel",
                "boundary": [[312_304_000, 1_214_737_000_i64], [312_304_000, 1_214_747_000_i64],
                    [312_314_000, 1_214_747_000_i64]],
                "locations": ["https://id.gs1.org/414/6901234567892"]}),
        ),
        sample(
            ("device", KindName::Device),
            (PRODUCER, METER, PRODUCER_KEY),
            json!({"key": key(METER_KEY).public(), "class": "meter", "model": "Example E1",
                "quantity": "electricity", "unit": "Wh", "accuracy_ppm": 5000,
                "facility": FACILITY}),
        ),
    ]
}

fn claims_of_work() -> Vec<Sample> {
    let event = Event::parse(EPCIS).expect("a valid event");
    let cited = [ContentId::of(b"a"), ContentId::of(b"b")];
    let mut cites = cited.map(|id| id.to_string());
    cites.sort();
    vec![
        sample(
            ("event", KindName::Event),
            (PRODUCER, PRODUCER, PRODUCER_KEY),
            json!({"epcis": event.epcis()}),
        ),
        sample(
            ("readings", KindName::Readings),
            (PRODUCER, METER, METER_KEY),
            json!({"boot": 1, "sequence": 2, "previous": ContentId::of(b"batch 1").to_string(),
                "quantity": "electricity", "unit": "Wh", "interval_s": 900,
                "clock_quality": "synchronised", "samples": [
                    {"read_at": "2026-03-01T00:15:00Z", "amount": 41_250, "register": 9_041_250},
                    {"read_at": "2026-03-01T00:30:00Z", "amount": 39_750, "register": 9_081_000,
                     "source_amount": "39.75", "source_unit": "kWh"}]}),
        ),
        sample(
            ("emissions", KindName::Emissions),
            (PRODUCER, FACILITY, PRODUCER_KEY),
            json!({"report": "2026-q1", "version": 1, "period_start": "2025-12-31T16:00:00Z",
                "period_end": "2026-03-31T16:00:00Z", "cites": cites, "lines": [
                    {"source_stream": "electricity", "parameter": "activity", "amount": 81_000,
                     "unit": "Wh", "method": "meter", "state": "measured", "rank": 1},
                    {"source_stream": "electricity", "parameter": "factor", "amount": 5366,
                     "scale_e10": -7, "unit": "g/Wh", "method": "published", "state": "default",
                     "reason": "no residual mix is published"}]}),
        ),
        sample(
            ("finding", KindName::Finding),
            (REGISTRAR, METER, REGISTRAR_KEY),
            json!({"code": "MTR-001", "subject": METER, "anchor": cites[0], "severity": "error",
                "class": "inconsistency", "message_en": "two batches carry sequence number 2",
                "message_zh": "两批读数使用了同一序号 2", "evidence": cites, "evidence_count": 2,
                "basis": ["ISO 14064-1:2018"], "answer": "Publish which batch the device sent.",
                "innocent": ["the device was replaced and kept its name"],
                "as_of": "2026-03-02T00:00:00Z", "expires_at": "2028-03-01T00:00:00Z",
                "pack_digest": "00".repeat(32)}),
        ),
    ]
}

/// All samples, in the order of the kinds.
pub(super) fn samples() -> Vec<Sample> {
    logged().into_iter().chain(super::goods::samples()).collect()
}

/// The samples that the log of the vectors holds. Its pages are quoted: a new kind leaves it alone.
pub(super) fn logged() -> Vec<Sample> {
    identity().into_iter().chain(claims_of_work()).collect()
}

pub(super) fn vectors() -> Value {
    let vectors = samples().into_iter().map(|sample| {
        let Sample { name, envelope, seed, salt } = sample;
        let claims = envelope.claims();
        json!({
            "name": name,
            "kind": envelope.kind().as_str(),
            "seed": seed,
            "salt": hex(&[salt; 16]),
            "claims": {"iss": claims.iss, "sub": claims.sub, "aud": claims.aud,
                "iat": claims.iat, "regions": claims.regions},
            "body": envelope.body().to_json(),
            "stored": hex(envelope.stored()),
            "id": envelope.id(),
            "kid": envelope.signer(),
            "identity": hex(&envelope.identity().key),
            "content_digest": hex(&envelope.content_digest()),
        })
    });
    json!({ "valid": vectors.collect::<Vec<_>>() })
}
