//! Attestations that must be refused, each broken in one way and, but where the signature is what
//! is broken, correctly signed.

use super::bodies::{Sample, samples};
use super::hex;
use super::world::{METER_KEY, PRODUCER_KEY, key};
use hallmark_schemas::attestation::{Envelope, Refusal};
use hallmark_schemas::cose::{self, Sign1};
use hallmark_schemas::key::Signer;
use serde_json::{Value, json};
use std::error::Error;

/// Replaces the one occurrence of `from`.
fn splice(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from);
    let at = at.expect("the sample holds what the case replaces");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

/// The readings of the valid vectors, taken apart.
struct Parts {
    stored: Vec<u8>,
    protected: Vec<u8>,
    payload: Vec<u8>,
}

fn parts(name: &str) -> Parts {
    let find = |sample: &Sample| sample.name == name;
    let sample = samples().into_iter().find(find).expect("a sample of this name");
    let stored = sample.envelope.stored().to_vec();
    let message = Sign1::parse(&stored).expect("a sample is well formed");
    let payload = message.payload.expect("a sample has its payload");
    Parts { protected: message.protected.to_vec(), payload: payload.to_vec(), stored }
}

fn signed(protected: &[u8], payload: &[u8], seed: u8) -> Vec<u8> {
    cose::sign(protected, payload, &key(seed)).expect("a key in memory signs")
}

/// Cases of the payload: what is wrong, and the payload.
fn payloads(payload: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let boot = b"\x64boot\x01";
    let unit = b"\x64unit\x62Wh";
    let interval = b"\x6ainterval_s\x19\x03\x84";
    let mut deep = vec![0x81; 17];
    deep.push(0x01);
    let count = payload[0];
    vec![
        ("map keys out of order", {
            let swapped = splice(payload, boot, b"\x64unit\x62Wh");
            splice(&swapped[..], b"\x64unit\x62Wh\x64salt", b"\x64unit\x62Wh\x64boot")
        }),
        ("a float", splice(payload, interval, b"\x6ainterval_s\xf9\x63\x08")),
        ("a list of indefinite length", {
            let open = splice(payload, b"\x67samples\x82", b"\x67samples\x9f");
            [open, vec![0xff]].concat()
        }),
        ("a number not in its shortest form", { splice(payload, boot, b"\x64boot\x18\x01") }),
        ("a map key twice", {
            let twice = splice(payload, boot, b"\x64boot\x01\x64boot\x01");
            [&[count + 1], &twice[1..]].concat()
        }),
        ("a tag", splice(payload, boot, b"\x64boot\xc1\x01")),
        ("undefined", splice(payload, boot, b"\x64boot\xf7")),
        ("text that is not UTF-8", splice(payload, unit, b"\x64unit\x62\xff\xfe")),
        ("a length beyond the end", splice(payload, unit, b"\x64unit\x7a\xff\xff\xff\xff")),
        ("nested 17 deep", splice(payload, boot, &[&b"\x64boot"[..], &deep].concat())),
        ("a field of another kind", splice(payload, boot, b"\x64bopt\x01")),
        ("a unit that is not the base unit", splice(payload, unit, b"\x64unit\x62kW")),
        ("another version", splice(payload, b"\x61v\x01", b"\x61v\x02")),
        ("a salt of 15 bytes", {
            let start = b"\x64salt\x50";
            splice(payload, &[&start[..], &[0x46]].concat(), b"\x64salt\x4f")
        }),
        ("no payload map", vec![0x80]),
    ]
}

/// Cases of the message around a good payload.
fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let good = parts("readings");
    let Parts { protected, payload, stored } = &good;
    let header = |from: &[u8], to: &[u8]| signed(&splice(protected, from, to), payload, METER_KEY);
    let message = Sign1::parse(stored).expect("a sample is well formed");
    let long = "x".repeat(1 << 20);
    vec![
        ("a member in the unprotected header", {
            Sign1 { unprotected: b"\xa1\x18\x63\x01", ..message }.encode()
        }),
        ("another algorithm (ES256)", header(b"\x01\x32", b"\x01\x26")),
        ("the deprecated EdDSA label", header(b"\x01\x32", b"\x01\x27")),
        ("an unknown kind", header(b"hallmark.readings", b"hallmark.reading2")),
        (
            "a token's content type",
            header(
                b"\x26application/vnd.hallmark.readings+cbor",
                b"\x23application/vnd.hallmark.token+cbor",
            ),
        ),
        (
            "an organisation with a wrong check digit",
            header(b"org:gln:6901234567892", b"org:gln:6901234567893"),
        ),
        (
            "a device of another organisation",
            header(b"device:gln:6901234567892", b"device:gln:6901234000009"),
        ),
        ("no tag", stored[1..].to_vec()),
        ("trailing bytes", [&stored[..], &[0]].concat()),
        ("cut off", stored[..stored.len() - 1].to_vec()),
        ("nothing", Vec::new()),
        ("more than 1 MiB", signed(protected, long.as_bytes(), METER_KEY)[..].to_vec()),
    ]
}

/// Cases of other kinds: what is wrong, the sample, and what stands in it for what.
const BODIES: &[(&str, &str, &[u8], &[u8])] = &[
    ("a lot that is not the subject's", "masterdata of a lot", b"\x62L7", b"\x62L8"),
    ("a lot that expires before it is made", "masterdata of a lot", b"2028-02-28", b"2025-02-28"),
    ("a market that is no country", "masterdata of a lot", b"\x62DE", b"\x62ZZ"),
    ("masterdata of an unknown sort", "masterdata of a lot", b"\xa1\x63lot", b"\xa1\x63lat"),
    (
        "a position that is off the globe",
        "masterdata of a location",
        b"\x1a\x48\x67",
        b"\x1a\x78\x67",
    ),
    ("a name in no language", "masterdata of a location", b"\xa1\x62en\x67Press 1", b"\xa0"),
    (
        "a certificate in force for no time",
        "certificate",
        b"\x1b\x00\x00\x01\xa2",
        b"\x1b\x00\x00\x01\x92",
    ),
    ("a field that no certificate has", "certificate", b"\x66volume", b"\x66volune"),
    ("a status that there is not", "accreditation", b"\x68in_force", b"\x68in_farce"),
    ("an empty list that should be absent", "accreditation", b"\x81\x6aGB/T 19630", b"\x80"),
    ("a contact that is a person's address", "recall", b"+86 400 000 0000", b"zhang@example.cn"),
    ("a confirmation on a day that is none", "confirmation", b"2026-03-01", b"2026-02-30"),
    ("a confirmation with a fuller place", "confirmation", b"\x65CN-SH", b"\x65Jing\x27"),
    (
        "a complaint about a person",
        "complaint",
        "购买时封条已破损".as_bytes(),
        b"call 139 1234 5678 now!!",
    ),
    ("a complaint of no category", "complaint", b"\x67damaged", b"\x67damagex"),
    ("a share over the whole", "footprint", b"\x1a\x00\x09\x75\xe0", b"\x1a\x00\x0f\x75\xe0"),
    (
        "a footprint of nobody's standard",
        "footprint",
        b"\x82\x74GHG Protocol Product\x69ISO 14067",
        b"\x80",
    ),
    ("an answer in an unknown language", "response", b"\x62en", b"\x62ez"),
];

/// The samples of [`BODIES`], each broken in its one way and signed again.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let broken = |(name, sample, from, to): &(&'static str, &str, &[u8], &[u8])| {
        let Parts { protected, payload, .. } = parts(sample);
        (*name, signed(&protected, &splice(&payload, from, to), METER_KEY))
    };
    BODIES.iter().map(broken).collect()
}

fn signatures() -> Vec<(&'static str, Vec<u8>)> {
    let Parts { protected, payload, stored } = parts("readings");
    let mut flipped = stored.clone();
    let last = flipped.len() - 1;
    flipped[last - 40] ^= 1;
    vec![
        ("a signature with one bit flipped", flipped),
        ("signed by another key", signed(&protected, &payload, PRODUCER_KEY)),
    ]
}

/// Keys of small and of mixed order in place of an enrolled one.
fn weak_keys() -> Vec<(&'static str, Vec<u8>)> {
    let Parts { protected, payload, .. } = parts("device");
    let good = *key(METER_KEY).public().bytes();
    let with = |bad: [u8; 32]| signed(&protected, &splice(&payload, &good, &bad), PRODUCER_KEY);
    let mut identity = [0; 32];
    identity[0] = 1;
    // Case 3 of the "speccheck" vectors: a key whose forged equation holds.
    let mixed = "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d";
    let mixed = hallmark_schemas::hex::decode_array(mixed).expect("a literal of 32 bytes");
    vec![
        ("a device key of small order", with(identity)),
        ("a device key of mixed order", with(mixed)),
        ("a device key that is no point", with([2; 32])),
    ]
}

fn chain(error: &dyn Error) -> Vec<String> {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(source) = next {
        texts.push(source.to_string());
        next = source.source();
    }
    texts
}

/// What a verifier that knows the meter's key says.
fn verdict(bytes: &[u8]) -> Option<Refusal> {
    match Envelope::parse(bytes) {
        Err(malformed) => Some(Refusal::Malformed(malformed)),
        Ok(envelope) => {
            envelope.check_signature(key(METER_KEY).public()).err().map(Refusal::BadSignature)
        }
    }
}

pub(super) fn vectors() -> Value {
    let Parts { protected, payload, .. } = parts("readings");
    let payloads = payloads(&payload).into_iter();
    let payloads = payloads.map(|(name, payload)| (name, signed(&protected, &payload, METER_KEY)));
    let all = payloads.chain(messages()).chain(signatures()).chain(weak_keys()).chain(bodies());
    let vectors = all.map(|(name, bytes)| {
        let refusal = verdict(&bytes);
        let refusal = refusal.unwrap_or_else(|| unreachable!("`{name}` is not refused"));
        let stored = if bytes.len() <= 1 << 16 {
            hex(&bytes)
        } else {
            json!({"repeat": "78", "bytes": bytes.len()})
        };
        let causes = chain(&refusal);
        json!({"name": name, "stored": stored, "code": refusal.code(), "causes": causes})
    });
    json!({ "seed": METER_KEY, "refused": vectors.collect::<Vec<_>>() })
}
