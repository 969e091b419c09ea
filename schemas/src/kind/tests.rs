use super::KindName::{Device, Emissions, Event, Facility, Finding, Organisation, Readings};
use super::*;
use crate::attestation::{Draft, Envelope, sign};
use crate::key::SecretKey;
use crate::table::{Cell, RowContext};
use crate::time::{EntryTime, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

mod goods;

const VECTORS: &str = include_str!("../../vectors/attestations.json");

/// The valid golden vectors: each with the envelope that its bytes are.
fn vectors() -> Vec<(Value, Envelope)> {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let parse = |vector: &Value| {
        let stored = crate::hex::decode(vector["stored"].as_str().unwrap()).unwrap();
        (vector.clone(), Envelope::parse(&stored).unwrap())
    };
    file["valid"].as_array().unwrap().iter().map(parse).collect()
}

#[test]
fn every_kind_has_a_vector_and_every_vector_is_what_it_says() {
    let mut kinds: Vec<KindName> = Vec::new();
    for (vector, envelope) in vectors() {
        assert_eq!(vector["id"], json!(envelope.id()));
        assert_eq!(vector["kid"], json!(envelope.signer()));
        assert_eq!(vector["kind"], json!(envelope.kind().as_str()));
        assert_eq!(vector["body"], envelope.body().to_json());
        let key = crate::hex::encode(&envelope.identity().key);
        assert_eq!(vector["identity"], json!(key));
        kinds.push(envelope.kind());
    }
    kinds.dedup();
    assert_eq!(kinds, KindName::ALL);
}

#[test]
fn json_and_cbor_are_two_forms_of_one_body() {
    for (vector, envelope) in vectors() {
        let body = Body::from_json(envelope.kind(), vector["body"].clone()).unwrap();
        assert_eq!(&body, envelope.body());
        let seed = u8::try_from(vector["seed"].as_u64().unwrap()).unwrap();
        let salt = crate::hex::decode_array(vector["salt"].as_str().unwrap()).unwrap();
        let draft = Draft { claims: envelope.claims().clone(), body };
        let again = sign(draft, salt, &SecretKey::from_seed([seed; 32])).unwrap();
        assert_eq!(again.stored(), envelope.stored(), "Ed25519 signs deterministically");
        let payload = envelope.body().encode(&salt);
        assert_eq!(Body::decode(envelope.kind(), &payload).unwrap(), *envelope.body());
    }
}

#[test]
fn rows_fit_the_tables_that_their_kind_declares() {
    for (_, envelope) in vectors() {
        let context = RowContext {
            content_id: envelope.id(),
            log: "example/gln-6901234567892/1",
            entry: 3,
            claims: envelope.claims(),
            from: EntryTime::at(Timestamp::from_unix_ms(1_700_000_000_000)),
            facility: None,
            device: None,
        };
        let mut rows = Rows::new();
        envelope.body().rows(&context, &mut rows);
        let declared = envelope.kind().tables();
        assert_eq!(rows.is_empty(), declared.is_empty(), "{}", envelope.kind());
        for row in rows.iter() {
            assert!(declared.iter().any(|table| table.name == row.table.name));
            assert_eq!(row.cells.len(), row.table.all_columns().count());
            for (cell, column) in row.cells.iter().zip(row.table.all_columns()) {
                assert!(cell.fits(column), "{} {} {cell:?}", row.table.name, column.name);
            }
            assert_eq!(row.cells[0], Cell::text(envelope.id()));
        }
    }
}

#[test]
fn a_field_at_fault_is_named_by_its_pointer() {
    let refuse = |kind: KindName, change: &dyn Fn(&mut Value)| {
        let mut all = vectors().into_iter();
        let (vector, _) = all.find(|(_, one)| one.kind() == kind).unwrap();
        let mut body = vector["body"].clone();
        change(&mut body);
        Body::from_json(kind, body).unwrap_err().pointer
    };
    type Case<'a> = (KindName, &'a dyn Fn(&mut Value), &'a str);
    let cases: [Case<'_>; 14] = [
        (Readings, &|body| body["samples"][1]["amount"] = json!(1.5), "/samples/1/amount"),
        (Readings, &|body| body["unit"] = json!("kWh"), "/unit"),
        (Readings, &|body| body["samples"] = json!([]), "/samples"),
        (Readings, &|body| body["quantity"] = json!("heat?"), "/quantity"),
        (
            Readings,
            &|body| body["samples"][0]["read_at"] = json!("yesterday"),
            "/samples/0/read_at",
        ),
        (Readings, &|body| body["boot"] = json!(u64::MAX), "/boot"),
        (Facility, &|body| body["boundary"][2][0] = json!(900_000_001), "/boundary/2/lat_e7"),
        (Facility, &|body| body["utc_offset"] = json!("+8"), "/utc_offset"),
        (Device, &|body| body["quantity"] = Value::Null, "/quantity"),
        (Organisation, &|body| body["roles"] = json!(["retailer", "producer"]), "/roles"),
        (Emissions, &|body| body["lines"][1]["unit"] = json!(""), "/lines/1/unit"),
        (Emissions, &|body| body["reason"] = json!("typing error"), "/reason"),
        (Finding, &|body| body["evidence_count"] = json!(1), "/evidence_count"),
        (Event, &|body| body["epcis"] = json!("{}"), "/epcis/type"),
    ];
    for (kind, change, pointer) in cases {
        assert_eq!(refuse(kind, change), pointer, "{kind}");
    }
}

#[test]
fn unknown_fields_and_other_shapes_are_refused() {
    for (vector, envelope) in vectors() {
        let (kind, mut body) = (envelope.kind(), vector["body"].clone());
        body["unknown_field"] = json!(1);
        assert!(Body::from_json(kind, body).is_err(), "{kind}");
        assert!(Body::from_json(kind, json!([])).is_err(), "{kind}");
    }
}

#[test]
fn identity_ignores_what_is_no_part_of_the_statement() {
    for (_, envelope) in vectors() {
        let mut claims = envelope.claims().clone();
        claims.iat = claims.iat.checked_add_ms(1000).unwrap();
        let later = envelope.body().identity(&claims);
        assert_eq!(later, envelope.identity(), "{}", envelope.kind());
        claims.iss = "urn:hallmark:org:gln:6901234000016".parse().unwrap();
        assert_ne!(envelope.body().identity(&claims), later, "{}", envelope.kind());
    }
}

#[test]
fn kind_names_return_from_their_text() {
    for kind in KindName::ALL {
        assert_eq!(kind.as_str().parse(), Ok(*kind));
    }
    assert_eq!("token".parse::<KindName>(), Err(UnknownKind("token".to_owned())));
}

proptest! {
    #[test]
    fn arbitrary_payloads_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for kind in KindName::ALL {
            let _ = Body::decode(*kind, &bytes);
        }
    }

    #[test]
    fn a_changed_byte_never_keeps_the_id(at in 0_usize..10_000, to in any::<u8>()) {
        for (_, envelope) in vectors() {
            let mut bytes = envelope.stored().to_vec();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(changed) = Envelope::parse(&bytes) {
                prop_assert_eq!(changed.id() == envelope.id(), bytes == envelope.stored());
            }
        }
    }

    #[test]
    fn readings_round_trip(
        amounts in proptest::collection::vec(any::<i64>(), 1..50),
        sequence in 0..i64::MAX as u64,
    ) {
        let samples: Vec<Value> = (0..).zip(&amounts).map(|(index, amount)| {
            json!({"read_at": Timestamp::from_unix_ms(index * 1000), "amount": amount})
        }).collect();
        let body = json!({"boot": 0, "sequence": sequence, "quantity": "electricity", "unit": "Wh",
            "interval_s": 1, "clock_quality": "holdover", "samples": samples});
        let body = Body::from_json(Readings, body).unwrap();
        let again = Body::decode(Readings, &body.encode(&[1; 16])).unwrap();
        prop_assert_eq!(&again, &body);
        prop_assert_eq!(Body::from_json(Readings, body.to_json()).unwrap(), body);
    }
}

#[test]
fn golden_refusals_are_refused_with_their_words() {
    let file = include_str!("../../vectors/refused.json");
    let file: Value = serde_json::from_str(file).unwrap();
    let seed = u8::try_from(file["seed"].as_u64().unwrap()).unwrap();
    let key = SecretKey::from_seed([seed; 32]);
    for vector in file["refused"].as_array().unwrap() {
        let Some(text) = vector["stored"].as_str() else {
            continue;
        };
        let bytes = crate::hex::decode(text).unwrap();
        let refusal = match Envelope::parse(&bytes) {
            Err(malformed) => crate::attestation::Refusal::Malformed(malformed),
            Ok(envelope) => {
                let checked = envelope.check_signature(crate::key::Signer::public(&key));
                crate::attestation::Refusal::BadSignature(checked.unwrap_err())
            }
        };
        assert_eq!(refusal.code(), vector["code"].as_str().unwrap(), "{}", vector["name"]);
    }
}
