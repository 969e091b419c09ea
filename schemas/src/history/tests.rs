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

fn registrar(org: &str, seed: u8) -> Registrar {
    Registrar {
        org: org.parse().unwrap(),
        key: key(seed).public().clone(),
        next_key_commitment: key(seed + 10).public().id(),
    }
}

/// The first version: registrars with the keys 1 and 2, of which `threshold` must agree.
fn first(threshold: u32) -> NetworkFile {
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
        previous: None,
        former: Vec::new(),
    };
    NetworkFile::sign(network, &[&key(1), &key(2)]).unwrap()
}

fn history(threshold: u32) -> KeyHistory {
    KeyHistory::new(&first(threshold))
}

/// The version after it with these changes, signed by all keys that may have to.
fn after(file: &NetworkFile, change: impl FnOnce(&mut Network)) -> NetworkFile {
    let signers = [key(1), key(2), key(11), key(12)];
    let signers: Vec<&dyn Signer> = signers.iter().map(|key| key as &dyn Signer).collect();
    let next = NetworkFile::sign(file.next(change), &signers).unwrap();
    NetworkFile::successor_valid(file, &next).unwrap();
    next
}

/// A version as a registrar logs it.
fn logged(file: &NetworkFile, (iss, seed): (&str, u8)) -> Envelope {
    let body = crate::kind::network::Network {
        version: file.network().version,
        file: crate::kind::value::Blob(file.bytes().to_vec()),
    };
    let claims = Claims {
        iss: iss.parse().unwrap(),
        sub: Subject::parse(iss).unwrap(),
        aud: Audience::Public,
        iat: Timestamp::from_unix_ms(1_700_000_000_000),
        regions: Vec::new(),
    };
    sign(Draft { claims, body: Body::Network(body) }, [8; 16], &key(seed)).unwrap()
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

#[test]
fn a_registrars_key_counts_from_the_version_that_names_it_until_the_one_that_does_not() {
    let old = first(1);
    let new = after(&old, |network| network.registrars[0] = registrar(R1, 11));
    let mut history = KeyHistory::new(&new);
    // While no version is known to be logged, nobody can tell when the one followed the other.
    assert_eq!(code(&history, organisation((R1, 1), 3), time(90, 90)), "in doubt");
    assert_eq!(code(&history, organisation((R1, 11), 3), time(90, 90)), "in doubt");
    assert_eq!(history.ended(&key(1).public().id()).map(|(_, _, end)| end), None);
    let learned = learn(&mut history, logged(&new, (R1, 11)), time(100, 110)).unwrap();
    assert_eq!(learned, Learned::default());
    for (lo, hi, before, now) in [
        (50, 99, "covered", "key-not-in-force"),
        (50, 100, "in doubt", "in doubt"),
        (111, 120, "key-not-in-force", "covered"),
    ] {
        let at = time(lo, hi);
        let by = |seed| code(&history, organisation((R1, seed), 3), at);
        assert_eq!((by(1), by(11)), (before, now), "{lo} {hi}");
        assert_eq!(code(&history, organisation((R2, 2), 3), at), "covered", "the other goes on");
    }
    assert_eq!(history.ended(&key(1).public().id()).map(|(_, _, end)| end), Some(time(100, 110)));
    let r1 = R1.parse().unwrap();
    assert_eq!(history.organisation(&r1).unwrap().key, key(11).public().id());
}

#[test]
fn who_is_a_registrar_no_more_admits_nobody_and_what_it_admitted_stays() {
    let old = first(1);
    let new = after(&old, |network| drop(network.registrars.remove(1)));
    let mut history = KeyHistory::new(&old);
    learn(&mut history, organisation((R2, 2), 3), time(80, 90)).unwrap();
    // R2 is a member too, so its key stays: its role goes.
    let body = json!({"legal_name": "Two", "roles": ["registrar", "producer"],
        "key": key(2).public(), "next_key_commitment": key(12).public().id()});
    let own = attest(KindName::Organisation, (R1, R2, 1), body);
    learn(&mut history, own, time(80, 90)).unwrap();
    learn(&mut history, logged(&new, (R1, 1)), time(100, 110)).unwrap();
    assert_eq!(code(&history, organisation((R2, 2), 4), time(120, 120)), "covered");
    history.adopt(&new);
    assert_eq!(code(&history, organisation((R2, 2), 4), time(95, 99)), "covered");
    let late = organisation((R2, 2), 4).verify(&history, time(120, 120)).unwrap_err();
    assert!(matches!(late, Refusal::RoleMissing { .. }), "{late}");
    assert_eq!(code(&history, node(3), time(120, 120)), "covered");
    let known = history.organisation(&R2.parse().unwrap()).unwrap();
    assert_eq!(known.roles, BTreeSet::from([Role::Producer]), "no attestation makes a registrar");

    // One that the network file alone knew has no key any more.
    let mut history = KeyHistory::new(&new);
    learn(&mut history, logged(&new, (R1, 1)), time(100, 110)).unwrap();
    assert_eq!(code(&history, organisation((R2, 2), 4), time(95, 99)), "covered");
    assert_eq!(code(&history, organisation((R2, 2), 4), time(120, 120)), "key-not-in-force");
}

#[test]
fn the_threshold_of_then_counts_and_only_for_the_same_words() {
    let old = first(1);
    let new = after(&old, |network| network.threshold = 2);
    let mut history = KeyHistory::new(&new);
    learn(&mut history, logged(&new, (R1, 1)), time(100, 110)).unwrap();
    learn(&mut history, organisation((R1, 1), 3), time(50, 60)).unwrap();
    assert_eq!(code(&history, node(3), time(70, 70)), "covered", "one was enough then");
    let mut other = KeyHistory::new(&new);
    learn(&mut other, logged(&new, (R1, 1)), time(100, 110)).unwrap();
    learn(&mut other, organisation((R1, 1), 3), time(150, 160)).unwrap();
    assert_eq!(code(&other, node(3), time(170, 170)), "key-unknown");
    let body = json!({"legal_name": "Maker", "roles": ["verifier"], "key": key(3).public(),
        "next_key_commitment": key(13).public().id()});
    let more = attest(KindName::Organisation, (R2, MAKER, 2), body);
    learn(&mut other, more, time(150, 160)).unwrap();
    assert_eq!(code(&other, node(3), time(170, 170)), "key-unknown", "they say different things");
    learn(&mut other, organisation((R2, 2), 3), time(150, 165)).unwrap();
    assert_eq!(code(&other, node(3), time(170, 170)), "covered");
    let maker = MAKER.parse().unwrap();
    let roles = |history: &KeyHistory| history.organisation(&maker).unwrap().roles.clone();
    assert_eq!(roles(&other), BTreeSet::from([Role::Producer]));
}

#[test]
fn versions_are_learnt_in_any_order_and_a_strangers_begin_nothing() {
    let v1 = first(1);
    let v2 = after(&v1, |network| network.registrars[0] = registrar(R1, 11));
    let v3 = after(&v2, |network| network.registrars[1] = registrar(R2, 12));
    let at = [time(100, 110), time(200, 210)];
    let mut answers = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let mut history = KeyHistory::new(&v3);
        for place in order {
            let said = [logged(&v2, (R1, 11)), logged(&v3, (R2, 12))][place].clone();
            learn(&mut history, said, at[place]).unwrap();
        }
        let said = [(R1, 1), (R1, 11), (R2, 2), (R2, 12)].map(|registrar| {
            [99, 105, 150, 205, 220]
                .map(|at| code(&history, organisation(registrar, 3), time(at, at)))
        });
        answers.push(said);
    }
    assert_eq!(answers[0], answers[1]);
    let (yes, no, doubt) = ("covered", "key-not-in-force", "in doubt");
    assert_eq!(
        answers[0],
        [
            [yes, doubt, no, no, no],
            [no, doubt, yes, yes, yes],
            [yes, yes, yes, doubt, no],
            [no, no, no, doubt, yes],
        ]
    );
    // A file of a stranger beside a registrar: no version that the newest tells of.
    let mut forged = v1.next(|network| network.registrars[0] = registrar(R1, 21));
    forged.threshold = 1;
    let forged = NetworkFile::sign(forged, &[&key(2), &key(21)]).unwrap();
    let mut history = KeyHistory::new(&v3);
    learn(&mut history, logged(&forged, (R2, 2)), time(50, 60)).unwrap();
    assert_eq!(code(&history, organisation((R1, 21), 3), time(70, 70)), "key-unknown");
}

fn revoked((kid, since): (u8, u64), (iss, sub, signer): (&str, &str, u8)) -> Envelope {
    let since = Timestamp::from_unix_ms(since * 1000);
    let body = json!({"key": key(kid).public().id(), "since": since, "why": "compromised"});
    attest(KindName::Revocation, (iss, sub, signer), body)
}

#[test]
fn a_revoked_key_signs_nothing_more_and_what_it_signed_since_is_in_doubt() {
    let mut history = history(1);
    learn(&mut history, organisation((R1, 1), 3), time(50, 60)).unwrap();
    learn(&mut history, device(4, 3), time(70, 80)).unwrap();
    let act = |history: &KeyHistory, at| code(history, node(4), time(at, at));
    assert_eq!([90, 150, 220].map(|at| act(&history, at)), ["covered"; 3]);
    learn(&mut history, revoked((4, 120), (MAKER, METER, 3)), time(200, 210)).unwrap();
    let answers = [90, 119, 120, 150, 205, 220].map(|at| act(&history, at));
    let (yes, doubt, no) = ("covered", "in doubt", "key-not-in-force");
    assert_eq!(answers, [yes, yes, doubt, doubt, doubt, no]);
    let ended = history.ended(&key(4).public().id()).map(|(_, _, end)| end);
    assert_eq!(ended, Some(time(200, 210)));
    // A later word that it was another's earlier still, and one that says less.
    learn(&mut history, revoked((4, 100), (MAKER, METER, 3)), time(300, 310)).unwrap();
    learn(&mut history, revoked((4, 190), (MAKER, METER, 3)), time(320, 330)).unwrap();
    assert_eq!([99, 100, 220].map(|at| act(&history, at)), [yes, doubt, no]);
    // The organisation's own key is not touched, and the device goes on with another.
    assert_eq!(code(&history, node(3), time(400, 400)), yes);
    learn(&mut history, device(5, 3), time(410, 420)).unwrap();
    assert_eq!(code(&history, node(5), time(430, 430)), yes);
}

#[test]
fn an_organisation_goes_on_after_its_own_key_was_revoked_by_the_next_one() {
    let mut history = history(1);
    learn(&mut history, organisation((R1, 1), 3), time(50, 60)).unwrap();
    learn(&mut history, revoked((3, 100), (MAKER, MAKER, 3)), time(200, 210)).unwrap();
    assert_eq!(code(&history, device(4, 3), time(220, 220)), "key-not-in-force");
    learn(&mut history, rotation(3, 13), time(300, 310)).unwrap();
    assert_eq!(code(&history, device(4, 13), time(320, 320)), "covered");
    assert_eq!(code(&history, node(3), time(220, 220)), "key-not-in-force", "the earlier end");
}

#[test]
fn a_key_is_revoked_by_its_organisation_or_by_as_many_registrars_as_it_takes() {
    let mut history = history(2);
    for registrar in [(R1, 1), (R2, 2)] {
        learn(&mut history, organisation(registrar, 3), time(50, 60)).unwrap();
    }
    let act = |history: &KeyHistory| code(history, node(3), time(400, 400));
    learn(&mut history, revoked((3, 100), (R1, MAKER, 1)), time(200, 210)).unwrap();
    assert_eq!(act(&history), "covered", "one of two registrars");
    learn(&mut history, revoked((3, 90), (R2, MAKER, 2)), time(220, 230)).unwrap();
    assert_eq!(act(&history), "covered", "they say different things");
    let before = history.clone();
    learn(&mut history, revoked((3, 100), (R2, MAKER, 2)), time(240, 250)).unwrap();
    assert_eq!(act(&history), "key-not-in-force");
    let end = history.ended(&key(3).public().id()).map(|(_, _, end)| end);
    assert_eq!(end, Some(time(240, 250)), "when the second one said it");
    assert_eq!(history.revoked_since(&key(3).public().id()).map(Timestamp::unix_ms), Some(100_000));

    let at = time(300, 310);
    let refused = [
        (revoked((1, 100), (MAKER, R1, 3)), "not-revoked"),
        (revoked((3, 100), (R1, R2, 1)), "not-revoked"),
        (revoked((3, 100), (R1, METER, 1)), "not-revoked"),
        (revoked((9, 100), (R1, MAKER, 1)), "key-unknown"),
    ];
    for (envelope, expected) in refused {
        assert_eq!(code(&before, envelope, at), expected);
    }
    let unknown = revoked((9, 100), (R1, MAKER, 1)).verify(&before, at).unwrap_err();
    assert!(unknown.is_deferral(), "its log may lag behind");
}

#[test]
fn a_device_that_a_revoked_key_enrolled_since_is_in_doubt_until_another_key_enrols_it() {
    let begun = || {
        let mut history = history(1);
        learn(&mut history, organisation((R1, 1), 3), time(50, 60)).unwrap();
        learn(&mut history, device(4, 3), time(70, 80)).unwrap();
        learn(&mut history, rotation(3, 13), time(150, 160)).unwrap();
        history
    };
    let act = |history: &KeyHistory, at| code(history, node(4), time(at, at));
    let (yes, doubt) = ("covered", "in doubt");
    // Revoked since: well before the enrolment, at its earliest and latest, after it.
    for (since, expected) in [(60, doubt), (70, doubt), (80, doubt), (81, yes)] {
        let mut history = begun();
        assert_eq!([90, 300].map(|at| act(&history, at)), [yes; 2]);
        let of_maker = revoked((3, since), (MAKER, MAKER, 13));
        learn(&mut history, of_maker, time(200, 210)).unwrap();
        assert_eq!([90, 300].map(|at| act(&history, at)), [expected; 2], "since {since}");
        let told = history.enrolled_in_doubt(&key(4).public().id());
        let by = (key(3).public().id(), Timestamp::from_unix_ms(since * 1000));
        assert_eq!(told, (expected == doubt).then_some(by));
        // The next key says that it is the organisation's: what came before stays in doubt.
        learn(&mut history, device(4, 13), time(400, 410)).unwrap();
        assert_eq!([300, 405, 420].map(|at| act(&history, at)), [expected, expected, yes]);
    }
    // The order in which enrolments and revocations are learnt says nothing.
    let mut turned = begun();
    learn(&mut turned, device(4, 13), time(400, 410)).unwrap();
    assert_eq!(act(&turned, 300), yes);
    learn(&mut turned, revoked((3, 60), (MAKER, MAKER, 13)), time(420, 430)).unwrap();
    assert_eq!([300, 405, 440].map(|at| act(&turned, at)), [doubt, doubt, yes]);
}
