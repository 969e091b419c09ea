use super::*;
use crate::attestation::{Claims, Draft, Refusal, sign};
use crate::audience::Audience;
use crate::key::{SecretKey, Signer};
use crate::kind::KindName;
use crate::network::{Network, Registrar};
use crate::policy::Policy;
use serde_json::{Value, json};

const R1: &str = "urn:hallmark:org:lei:529900T8BM49AURSDO55";
const R2: &str = "urn:hallmark:org:gln:6901234000009";
const MAKER: &str = "urn:hallmark:org:gln:6901234567892";
const METER: &str = "urn:hallmark:device:gln:6901234567892:m-7";

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn time(lo: u64, hi: u64) -> EntryTime {
    let at = |seconds| Timestamp::from_unix_ms(seconds * 1000);
    EntryTime { lo: at(lo), hi: at(hi) }
}

/// A history rooted in registrars with the keys 1 and 2, of which `threshold` must agree.
fn history(threshold: u32) -> KeyHistory {
    let registrar = |org: &str, seed| Registrar {
        org: org.parse().unwrap(),
        key: key(seed).public().clone(),
        next_key_commitment: key(seed + 10).public().id(),
    };
    let network = Network {
        v: 1,
        name: "example".to_owned(),
        version: 1,
        expires_at: Timestamp::from_unix_ms(4_000_000_000_000),
        registrars: vec![registrar(R1, 1), registrar(R2, 2)],
        threshold,
        members: Vec::new(),
        policy: Policy::none(),
        packs: Vec::new(),
        sealed: Vec::new(),
    };
    KeyHistory::new(&NetworkFile::sign(network, &[&key(1), &key(2)]).unwrap())
}

fn attest(kind: KindName, (iss, sub, seed): (&str, &str, u8), body: Value) -> Envelope {
    let claims = Claims {
        iss: iss.parse().unwrap(),
        sub: Subject::parse(sub).unwrap(),
        aud: Audience::Public,
        iat: Timestamp::from_unix_ms(1_700_000_000_000),
        regions: Vec::new(),
    };
    let body = Body::from_json(kind, body).unwrap();
    sign(Draft { claims, body }, [7; 16], &key(seed)).unwrap()
}

fn organisation(registrar: (&str, u8), first: u8) -> Envelope {
    let body = json!({"legal_name": "Maker", "roles": ["producer"], "key": key(first).public(),
        "next_key_commitment": key(first + 10).public().id()});
    attest(KindName::Organisation, (registrar.0, MAKER, registrar.1), body)
}

fn rotation(from: u8, to: u8) -> Envelope {
    let body = json!({"key": key(to).public(), "replaces_key": key(from).public().id(),
        "next_key_commitment": key(to + 10).public().id()});
    attest(KindName::Key, (MAKER, MAKER, to), body)
}

fn device(seed: u8, signer: u8) -> Envelope {
    let body = json!({"key": key(seed).public(), "class": "scanner", "model": "S1"});
    attest(KindName::Device, (MAKER, METER, signer), body)
}

fn node(signer: u8) -> Envelope {
    let body = json!({"from_at": "2026-03-01T00:00:00Z", "urls": []});
    attest(KindName::Node, (MAKER, MAKER, signer), body)
}

fn learn(
    history: &mut KeyHistory,
    envelope: Envelope,
    at: EntryTime,
) -> Result<Learned, LearnFault> {
    let verified = envelope.verify(history, at).unwrap();
    history.learn(&verified, at)
}

fn code(history: &KeyHistory, envelope: Envelope, at: EntryTime) -> &'static str {
    match envelope.verify(history, at) {
        Ok(verified) if verified.in_doubt() => "in doubt",
        Ok(_) => "covered",
        Err(refusal) => refusal.code(),
    }
}

#[test]
fn a_key_covers_an_act_does_not_or_is_in_doubt() {
    let mut history = history(1);
    let unknown = node(3).verify(&history, time(1, 1)).unwrap_err();
    assert!(unknown.is_deferral());
    let learned = learn(&mut history, organisation((R1, 1), 3), time(100, 110)).unwrap();
    assert_eq!(learned.keys, [key(3).public().id()]);
    learn(&mut history, rotation(3, 13), time(200, 210)).unwrap();
    for (lo, hi, before, after) in [
        (50, 99, "key-not-in-force", "key-not-in-force"),
        (50, 100, "in doubt", "key-not-in-force"),
        (109, 120, "in doubt", "key-not-in-force"),
        (110, 199, "covered", "key-not-in-force"),
        (150, 200, "in doubt", "in doubt"),
        (210, 220, "in doubt", "covered"),
        (211, 220, "key-not-in-force", "covered"),
    ] {
        let at = time(lo, hi);
        assert_eq!(
            (code(&history, node(3), at), code(&history, node(13), at)),
            (before, after),
            "{lo} {hi}"
        );
    }
}

#[test]
fn an_organisation_counts_once_the_threshold_of_registrars_has_admitted_it() {
    let mut history = history(2);
    let first = learn(&mut history, organisation((R1, 1), 3), time(100, 110)).unwrap();
    assert_eq!(first, Learned::default());
    let again = learn(&mut history, organisation((R1, 1), 3), time(120, 130)).unwrap();
    assert_eq!(again, Learned::default());
    assert_eq!(code(&history, node(3), time(500, 500)), "key-unknown");
    let second = learn(&mut history, organisation((R2, 2), 3), time(140, 150)).unwrap();
    assert_eq!(second.keys, [key(3).public().id()]);
    assert_eq!(code(&history, node(3), time(111, 120)), "key-not-in-force");
    assert_eq!(code(&history, node(3), time(150, 151)), "covered");
}

#[test]
fn only_the_key_committed_to_can_follow() {
    let mut history = history(1);
    learn(&mut history, organisation((R1, 1), 3), time(100, 110)).unwrap();
    let at = time(200, 210);
    assert_eq!(code(&history, rotation(3, 14), at), "key-not-in-force");
    assert_eq!(code(&history, rotation(4, 14), at), "key-unknown");
    learn(&mut history, rotation(3, 13), at).unwrap();
    assert_eq!(learn(&mut history, rotation(3, 13), at), Ok(Learned::default()));
    let org = MAKER.parse().unwrap();
    assert_eq!(history.organisation(&org).unwrap().key, key(13).public().id());
}

#[test]
fn one_key_has_one_role_and_an_organisation_one_first_key() {
    let mut history = history(1);
    learn(&mut history, organisation((R1, 1), 3), time(100, 110)).unwrap();
    let (kid, org) = (key(3).public().id(), MAKER.parse().unwrap());
    let reused = learn(&mut history, device(3, 3), time(120, 120));
    assert_eq!(reused, Err(LearnFault::KeyReused { kid, org }));
    let org = MAKER.parse().unwrap();
    let second = learn(&mut history, organisation((R2, 2), 4), time(120, 120));
    assert_eq!(second, Err(LearnFault::Admitted { org, kid }));
    let registrars = organisation((R1, 1), 2);
    assert!(matches!(
        learn(&mut history, registrars, time(1, 1)),
        Err(LearnFault::KeyReused { .. })
    ));
}

#[test]
fn a_device_signs_for_its_organisation_from_its_enrolment_on() {
    let mut history = history(1);
    learn(&mut history, organisation((R1, 1), 3), time(100, 110)).unwrap();
    assert_eq!(code(&history, node(6), time(130, 130)), "key-unknown");
    learn(&mut history, device(6, 3), time(120, 120)).unwrap();
    assert_eq!(code(&history, node(6), time(130, 130)), "covered");
    assert_eq!(code(&history, device(7, 6), time(130, 130)), "signer-not-allowed");
    learn(&mut history, device(7, 3), time(140, 140)).unwrap();
    assert_eq!(code(&history, node(6), time(150, 150)), "key-not-in-force");
    assert_eq!(code(&history, node(7), time(150, 150)), "covered");
}

#[test]
fn issuer_and_role_are_those_of_the_key() {
    let mut history = history(1);
    learn(&mut history, organisation((R1, 1), 3), time(100, 110)).unwrap();
    let body = json!({"from_at": "2026-03-01T00:00:00Z", "urls": []});
    let stolen = attest(KindName::Node, (R2, R2, 3), body);
    assert_eq!(code(&history, stolen, time(120, 120)), "issuer-mismatch");
    let admits = organisation((MAKER, 3), 5);
    let refusal = admits.verify(&history, time(120, 120)).unwrap_err();
    assert!(matches!(refusal, Refusal::RoleMissing { .. }));
}

#[test]
fn a_known_key_is_early_until_its_interval_begins() {
    let mut history = history(1);
    learn(&mut history, organisation((R1, 1), 3), time(100, 110)).unwrap();
    let kid = key(3).public().id();
    assert!(history.is_early(kid, time(1, 50)));
    assert!(!history.is_early(kid, time(100, 100)));
    assert!(!history.is_early(key(8).public().id(), time(1, 50)), "it is not known");
}
