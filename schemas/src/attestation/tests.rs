use super::*;
use crate::audience::{Audience, Region};
use crate::key::SecretKey;
use crate::kind::readings::{ClockQuality, Readings, Sample};
use crate::time::Timestamp;
use proptest::prelude::*;

const ORG: &str = "urn:hallmark:org:lei:529900T8BM49AURSDO55";
const OTHER: &str = "urn:hallmark:org:gln:6901234000009";

fn device_key() -> SecretKey {
    SecretKey::from_seed([7; 32])
}

fn claims() -> Claims {
    Claims {
        iss: ORG.parse().unwrap(),
        sub: Subject::parse("urn:hallmark:device:lei:529900T8BM49AURSDO55:m-7").unwrap(),
        aud: Audience::Members,
        iat: Timestamp::from_unix_ms(1_700_000_000_000),
        regions: Vec::new(),
    }
}

fn readings(samples: u64) -> Body {
    let sample = |n| Sample {
        read_at: Timestamp::from_unix_ms(1_700_000_000_000 + n * 900_000),
        amount: 41_000 + n as i64,
        register: None,
        quality: None,
        source_amount: None,
        source_unit: None,
    };
    Body::Readings(Readings {
        boot: 1,
        sequence: 1,
        previous: None,
        quantity: "electricity".parse().unwrap(),
        unit: "Wh".to_owned(),
        scale_e10: None,
        statistic: None,
        interval_s: 900,
        clock_quality: ClockQuality::Synchronised,
        resolution: None,
        config_hash: None,
        samples: (1..=samples).map(sample).collect(),
    })
}

fn envelope() -> Envelope {
    let draft = Draft { claims: claims(), body: readings(4) };
    sign(draft, [9; 16], &device_key()).unwrap()
}

/// The envelope's bytes with other parts, correctly signed.
fn with_parts(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    cose::sign(protected, payload, &device_key()).unwrap()
}

#[test]
fn what_was_signed_is_parsed_back_and_verifies() {
    let envelope = envelope();
    let parsed = Envelope::parse(envelope.stored()).unwrap();
    assert_eq!(parsed, envelope);
    assert_eq!(parsed.claims(), &claims());
    assert_eq!(parsed.kind(), KindName::Readings);
    assert_eq!(parsed.signer(), device_key().public().id());
    assert_eq!(parsed.id(), ContentId::of(envelope.stored()));
    assert_eq!(parsed.check_signature(device_key().public()), Ok(()));
    let other = SecretKey::from_seed([8; 32]);
    assert!(parsed.check_signature(other.public()).is_err());
}

#[test]
fn header_bytes_are_those_of_the_specification() {
    let envelope = envelope();
    let message = Sign1::parse(envelope.stored()).unwrap();
    let protected = message.protected;
    assert_eq!(protected[..3], [0xa4, 0x01, 0x32]); // {1: -19, …
    let content_type = b"\x03\x78\x26application/vnd.hallmark.readings+cbor";
    assert_eq!(protected[3..3 + content_type.len()], *content_type);
    let rest = &protected[3 + content_type.len()..];
    assert_eq!(rest[..3], [0x04, 0x58, 32]);
    assert_eq!(rest[3..35], device_key().public().id().bytes()[..]);
    assert_eq!(rest[35..38], [0x0f, 0xa4, 0x01]); // 15: {1: …
    assert_eq!(message.unprotected, [0xa0]);
}

#[test]
fn every_audience_and_region_returns() {
    let named = Audience::named([ORG.parse().unwrap(), OTHER.parse().unwrap()]).unwrap();
    let regions = vec!["CN".parse::<Region>().unwrap(), "DE".parse().unwrap()];
    for (aud, regions) in
        [(Audience::Public, vec![]), (Audience::Members, regions.clone()), (named, regions)]
    {
        let claims = Claims { aud, regions, ..claims() };
        let draft = Draft { claims: claims.clone(), body: readings(1) };
        let envelope = sign(draft, [1; 16], &device_key()).unwrap();
        assert_eq!(Envelope::parse(envelope.stored()).unwrap().claims(), &claims);
    }
}

#[test]
fn drafts_without_one_encoding_are_not_signed() {
    let regions = vec!["DE".parse::<Region>().unwrap(), "CN".parse().unwrap()];
    let half = Timestamp::from_unix_ms(1_700_000_000_500);
    let other = Subject::parse(OTHER).unwrap();
    for claims in [
        Claims { iat: half, ..claims() },
        Claims { regions, ..claims() },
        Claims { aud: Audience::Named(Default::default()), ..claims() },
        Claims { sub: other, ..claims() },
    ] {
        let draft = Draft { claims, body: readings(1) };
        let fault = sign(draft, [1; 16], &device_key()).unwrap_err();
        assert!(matches!(fault, SignError::Malformed { .. }), "{fault}");
    }
}

#[test]
fn salt_and_iat_change_the_id_but_not_what_is_said() {
    let first = envelope();
    let later = Claims { iat: Timestamp::from_unix_ms(1_700_000_009_000), ..claims() };
    let draft = Draft { claims: later, body: readings(4) };
    let again = sign(draft, [2; 16], &device_key()).unwrap();
    assert_ne!(first.id(), again.id());
    assert_eq!(first.identity(), again.identity());
    assert_eq!(first.content_digest(), again.content_digest());
    let draft = Draft { claims: claims(), body: readings(5) };
    let contradicting = sign(draft, [9; 16], &device_key()).unwrap();
    assert_eq!(first.identity(), contradicting.identity());
    assert_ne!(first.content_digest(), contradicting.content_digest());
}

#[test]
fn receipts_ride_in_transit_and_are_split_off() {
    let envelope = envelope();
    let message = Sign1::parse(envelope.stored()).unwrap();
    // {394: [h'01', h'0203']}
    let unprotected = [0xa1, 0x19, 0x01, 0x8a, 0x82, 0x41, 1, 0x42, 2, 3];
    let sent = Sign1 { unprotected: &unprotected, ..message }.encode();
    let (parsed, receipts) = Envelope::parse_transit(&sent).unwrap();
    assert_eq!(parsed, envelope);
    assert_eq!(receipts, [vec![1], vec![2, 3]]);
    assert!(matches!(Envelope::parse(&sent), Err(Malformed::Unprotected)));
    let (parsed, receipts) = Envelope::parse_transit(envelope.stored()).unwrap();
    assert_eq!((parsed, receipts.len()), (envelope.clone(), 0));
    for other in [&[0xa1, 0x01, 0x02][..], &[0xa1, 0x19, 0x01, 0x8a, 0x80], &[0xa1, 0x19, 0x01]] {
        let sent = Sign1 { unprotected: other, ..message }.encode();
        assert!(Envelope::parse_transit(&sent).is_err());
    }
}

#[test]
fn second_encodings_are_refused() {
    let envelope = envelope();
    let stored = envelope.stored();
    let message = Sign1::parse(stored).unwrap();
    let mut untagged = stored.to_vec();
    untagged.remove(0);
    assert!(matches!(Envelope::parse(&untagged), Err(Malformed::Cose(_))));
    let trailing = [stored, &[0]].concat();
    assert!(matches!(Envelope::parse(&trailing), Err(Malformed::Cose(_))));
    // The signature's length in two bytes where one does.
    let at = stored.len() - 66;
    assert_eq!(stored[at..at + 2], [0x58, 64]);
    let long = [&stored[..at], &[0x59, 0, 64], &stored[at + 2..]].concat();
    assert!(matches!(Envelope::parse(&long), Err(Malformed::NotDeterministic)));
    // An unprotected map of indefinite length.
    let message = Sign1 { unprotected: &[0xbf, 0xff], ..message };
    assert!(matches!(Envelope::parse(&message.encode()), Err(Malformed::Unprotected)));
}

#[test]
fn headers_of_other_content_are_refused() {
    let envelope = envelope();
    let message = Sign1::parse(envelope.stored()).unwrap();
    let (protected, payload) = (message.protected, message.payload.unwrap());
    let replace = |from: &[u8], to: &[u8]| {
        let at = protected.windows(from.len()).position(|part| part == from).unwrap();
        let changed = [&protected[..at], to, &protected[at + from.len()..]].concat();
        Envelope::parse(&with_parts(&changed, payload)).unwrap_err()
    };
    let fault = replace(&[0xa4, 1, 0x32], &[0xa4, 1, 0x27]); // alg -8
    assert!(matches!(fault, Malformed::Algorithm { found: -8 }), "{fault}");
    let fault = replace(&[0xa4, 1, 0x32], &[0xa5, 1, 0x32, 2, 0x80]); // a crit header
    assert!(matches!(fault, Malformed::HeaderSet), "{fault}");
    let fault = replace(b"readings+cbor", b"reedings+cbor");
    assert!(matches!(fault, Malformed::UnknownKind { .. }), "{fault}");
    let fault = replace(b"+cbor", b"+json");
    assert!(matches!(fault, Malformed::UnknownKind { .. }), "{fault}");
    let fault = replace(&[0x0f, 0xa4], &[0x10, 0xa4]);
    assert!(matches!(fault, Malformed::Header { label: 15 }), "{fault}");
    let fault = replace(b"g:lei:5299", b"g:lei:5290");
    assert!(matches!(fault, Malformed::Issuer { .. }), "{fault}");
    let fault = replace(b"members", b"nembers");
    assert!(matches!(fault, Malformed::Claim { name: "aud", .. }), "{fault}");
    let fault = replace(&[6, 0x1a], &[7, 0x1a]);
    assert!(matches!(fault, Malformed::Claim { name: "claims", .. }), "{fault}");
}

#[test]
fn payloads_of_other_content_are_refused() {
    let envelope = envelope();
    let message = Sign1::parse(envelope.stored()).unwrap();
    let (protected, payload) = (message.protected, message.payload.unwrap());
    for bad in [&[][..], &[0xa0], &[0x80], &[0xf6], &payload[1..], &[0xf9, 0, 0]] {
        let fault = Envelope::parse(&with_parts(protected, bad)).unwrap_err();
        assert!(matches!(fault, Malformed::Payload(_) | Malformed::Body(_)), "{fault}");
    }
    let detached = Sign1 { payload: None, ..message }.encode();
    assert!(matches!(Envelope::parse(&detached), Err(Malformed::Cose(_))));
    let short = Sign1 { signature: &message.signature[1..], ..message }.encode();
    assert!(matches!(Envelope::parse(&short), Err(Malformed::Cose(_))));
    let large = vec![0; ATTESTATION_BYTES_MAX + 1];
    assert!(matches!(Envelope::parse(&large), Err(Malformed::TooLong { .. })));
}

#[test]
fn truncations_are_refused() {
    let envelope = envelope();
    for length in 0..envelope.stored().len() {
        assert!(Envelope::parse(&envelope.stored()[..length]).is_err(), "{length}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Envelope::parse(&bytes).is_err());
        prop_assert!(Envelope::parse_transit(&bytes).is_err());
        let mut tagged = vec![0xd2, 0x84];
        tagged.extend(&bytes);
        prop_assert!(Envelope::parse(&tagged).is_err());
    }

    #[test]
    fn a_flipped_bit_never_verifies(at: prop::sample::Index, bit in 0..8u8) {
        let mut bytes = envelope().stored().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = Envelope::parse(&bytes) {
            prop_assert!(changed.check_signature(device_key().public()).is_err());
        }
    }
}
