use super::*;
use proptest::prelude::*;
use serde_json::Value;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../vectors/network.json")).unwrap()
}

fn bytes(vector: &Value) -> Vec<u8> {
    crate::hex::decode(vector["file"].as_str().unwrap()).unwrap()
}

#[test]
fn golden_files_are_read_and_broken_ones_refused() {
    let vectors = vectors();
    for vector in vectors["valid"].as_array().unwrap() {
        let file = NetworkFile::parse(&bytes(vector)).unwrap();
        assert_eq!(serde_json::to_value(file.network()).unwrap(), vector["content"]);
        assert_eq!(file.bytes(), bytes(vector));
    }
    for vector in vectors["refused"].as_array().unwrap() {
        let error = NetworkFile::parse(&bytes(vector)).unwrap_err();
        assert_eq!(error.to_string(), vector["error"].as_str().unwrap());
    }
}

#[test]
fn a_successor_is_signed_by_those_known_before() {
    let vectors = vectors();
    let old = NetworkFile::parse(&bytes(&vectors["valid"][0])).unwrap();
    for vector in vectors["succession"].as_array().unwrap() {
        let new = NetworkFile::parse(&bytes(vector)).unwrap();
        let valid = NetworkFile::successor_valid(&old, &new).is_ok();
        assert_eq!(valid, vector["valid"].as_bool().unwrap());
    }
    let again = NetworkFile::successor_valid(&old, &old);
    assert!(matches!(again, Err(NetworkError::NotNewer { known: 1, found: 1 })));
}

#[test]
fn one_key_in_two_roles_is_refused() {
    let file = NetworkFile::parse(&bytes(&vectors()["valid"][0])).unwrap();
    let mut network = file.network().clone();
    network.members[0].peer_key = network.registrars[0].key.clone();
    let signer = crate::key::SecretKey::from_seed([1; 32]);
    assert!(NetworkFile::sign(network, &[&signer]).is_err());
    let mut network = file.network().clone();
    network.threshold = 2;
    assert!(NetworkFile::sign(network, &[&signer]).is_err());
}

/// A file whose one registrar signs with this key, and what it says.
fn founded() -> (crate::key::SecretKey, Network) {
    let key = crate::key::SecretKey::from_seed([77; 32]);
    let mut network = NetworkFile::parse(&bytes(&vectors()["valid"][0])).unwrap().network().clone();
    network.registrars.truncate(1);
    network.threshold = 1;
    network.registrars[0].key = Signer::public(&key).clone();
    (key, network)
}

/// The same one version on, the first member's log sealed and followed.
fn sealed(before: &NetworkFile) -> Network {
    before.next(seal)
}

fn seal(network: &mut Network) {
    let member = &mut network.members[0];
    let (origin, next) = (member.origin.clone(), format!("{}0", member.origin));
    let key = std::sync::Arc::new(crate::key::SecretKey::from_seed([78; 32]));
    let key = crate::note::NoteSigner::log(&next, key).unwrap().vkey().clone();
    let (org, log_key) = (member.org.clone(), std::mem::replace(&mut member.log_key, key));
    member.origin.clone_from(&next);
    let (size, root) = (7, Digest([9; 32]));
    network.sealed.push(Sealed { org, origin, log_key, size, root, successor: Some(next) });
}

#[test]
fn a_sealed_log_keeps_its_key_leads_to_its_successor_and_stays_sealed() {
    let (key, first) = founded();
    let file = |network: &Network| NetworkFile::sign(network.clone(), &[&key]);
    let old = file(&first).unwrap();
    let second = sealed(&old);
    let new = file(&second).unwrap();
    assert_eq!(NetworkFile::parse(new.bytes()).unwrap().network(), &second);
    NetworkFile::successor_valid(&old, &new).unwrap();
    let was = &first.members[0];
    assert_eq!(second.log_key(&was.origin), Some(&was.log_key));
    assert_eq!(second.member_of_origin(&was.origin), None);
    let keeper = second.keeper_of(&was.origin).unwrap();
    assert_eq!(
        (&keeper.org, &keeper.origin),
        (&was.org, second.sealed[0].successor.as_ref().unwrap())
    );
    assert_eq!(second.keeper_of("no/such/1"), None);

    let third = |change: fn(&mut Network)| file(&new.next(change));
    let kept = third(|_| {}).unwrap();
    NetworkFile::successor_valid(&new, &kept).unwrap();
    for changed in
        [third(|network| network.sealed.clear()), third(|network| network.sealed[0].size += 1)]
    {
        let refused = NetworkFile::successor_valid(&new, &changed.unwrap());
        assert!(matches!(refused, Err(NetworkError::Unsealed { .. })), "{refused:?}");
    }
    // It leads somewhere, to a log of the same member, and its key is no other's.
    assert!(third(|network| network.sealed[0].successor = Some("no/such/1".to_owned())).is_err());
    assert!(
        third(|network| network.sealed[0].successor = Some(network.sealed[0].origin.clone()))
            .is_err()
    );
    assert!(
        third(|network| network.sealed[0].log_key = network.members[0].log_key.clone()).is_err()
    );
}

#[test]
fn a_device_of_a_sealed_log_goes_by_the_log_that_follows() {
    let (key, first) = founded();
    let second = sealed(&NetworkFile::sign(first.clone(), &[&key]).unwrap());
    let was = &first.members[0];
    let device = crate::id::DeviceId::new(&was.org, "m-1").unwrap();
    let file = NetworkFile::sign(second.clone(), &[&key]).unwrap();
    let enrolled = crate::enrolment::Enrolled::new(&file, device, &was.origin, "mqtt://b:1");
    let enrolled = enrolled.unwrap();
    assert_eq!(Some(&enrolled.origin), second.sealed[0].successor.as_ref());
    assert_eq!(enrolled.log_key, second.members[0].log_key);
    assert!(crate::enrolment::Enrolled::parse(&enrolled.encode()).is_ok());
}

fn secret(seed: u8) -> crate::key::SecretKey {
    crate::key::SecretKey::from_seed([seed; 32])
}

fn registrar(org: &str, seed: u8) -> Registrar {
    Registrar {
        org: org.parse().unwrap(),
        key: secret(seed).public().clone(),
        next_key_commitment: secret(seed + 10).public().id(),
    }
}

const ORGS: [&str; 3] = [
    "urn:hallmark:org:lei:529900T8BM49AURSDO55",
    "urn:hallmark:org:gln:6901234000009",
    "urn:hallmark:org:gln:6901234567892",
];

/// Three registrars with the keys 101, 102, 103, of which two sign.
fn of_three() -> NetworkFile {
    let (_, mut network) = founded();
    network.registrars =
        vec![registrar(ORGS[0], 101), registrar(ORGS[1], 102), registrar(ORGS[2], 103)];
    network.threshold = 2;
    NetworkFile::sign(network, &[&secret(101), &secret(103)]).unwrap()
}

/// The file that these keys sign; why it is none, or may not follow.
fn follows(old: &NetworkFile, next: &Network, seeds: &[u8]) -> Result<NetworkFile, NetworkError> {
    let mut draft = NetworkDraft::new(next.clone()).unwrap();
    for seed in seeds {
        draft.sign(&secret(*seed)).unwrap();
    }
    let file = NetworkDraft::parse(draft.bytes())?.complete()?;
    NetworkFile::successor_valid(old, &file)?;
    Ok(file)
}

#[test]
fn a_version_takes_the_threshold_of_its_registrars_and_of_those_before() {
    let old = of_three();
    let next = old.next(|network| network.policy = Policy::none());
    for (seeds, found) in [(&[][..], 0), (&[102][..], 1), (&[102, 99][..], 1)] {
        let refused = follows(&old, &next, seeds).unwrap_err();
        let expected = format!("signed by {found} of its registrars, needed are 2");
        assert_eq!(refused.to_string(), expected);
    }
    let new = follows(&old, &next, &[102, 103]).unwrap();
    assert!(new.network().former.is_empty(), "the same registrars");

    // Two others, one of whom was there before, are enough for themselves and not for the old.
    let taken = old.next(|network| {
        network.registrars = vec![registrar(ORGS[0], 101), registrar(ORGS[1], 55)];
    });
    let refused = follows(&old, &taken, &[101, 55]).unwrap_err();
    assert!(matches!(refused, NetworkError::NotSucceeding { found: 1, needed: 2 }), "{refused}");
    let new = follows(&old, &taken, &[101, 55, 102]).unwrap();
    assert_eq!(new.network().former, [old.network().epoch()]);
    assert_eq!(new.network().epochs().len(), 2);

    // A key follows the one that committed to it: its own signature is enough.
    let rotated = old.next(|network| network.registrars[1] = registrar(ORGS[1], 112));
    follows(&old, &rotated, &[112, 103]).unwrap();
    let stranger = old.next(|network| network.registrars[1] = registrar(ORGS[1], 113));
    assert!(follows(&old, &stranger, &[113, 103]).is_err());
}

#[test]
fn a_draft_keeps_its_signatures_and_may_follow_before_all_have_signed() {
    let old = of_three();
    let next = old.next(|network| network.threshold = 3);
    let mut draft = NetworkDraft::new(next.clone()).unwrap();
    draft.may_follow(&old).unwrap();
    draft.sign(&secret(101)).unwrap();
    let mut other = NetworkDraft::parse(draft.bytes()).unwrap();
    other.sign(&secret(102)).unwrap();
    assert!(draft.says_as(&other));
    assert!(other.clone().complete().is_err());
    assert!(NetworkFile::parse(other.bytes()).is_err(), "no file yet");
    other.sign(&secret(103)).unwrap();
    let new = other.complete().unwrap();
    NetworkFile::successor_valid(&old, &new).unwrap();
    let replayed = NetworkDraft::parse(old.bytes()).unwrap().may_follow(&new).unwrap_err();
    assert!(matches!(replayed, NetworkError::NotNewer { known: 2, found: 1 }));
    let mut changed = next;
    changed.threshold = 1;
    assert!(!draft.says_as(&NetworkDraft::new(changed).unwrap()));
}

#[test]
fn of_two_versions_that_follow_one_only_what_follows_the_known_one_counts() {
    let old = of_three();
    let signed = |next: &Network| follows(&old, next, &[101, 102]).unwrap();
    let one = signed(&old.next(|network| network.threshold = 1));
    let other = signed(&old.next(|network| network.members.clear()));
    let again = NetworkFile::successor_valid(&one, &other).unwrap_err();
    assert!(matches!(again, NetworkError::NotNewer { known: 2, found: 2 }));
    let after_other = other.next(|_| {});
    let refused = follows(&one, &after_other, &[101, 102]).unwrap_err();
    assert!(matches!(refused, NetworkError::Forked { known: 2, found: 3 }), "{refused}");
    // Later ones of the other branch do not tell the threshold that was known here.
    let later = signed(&after_other).next(|_| {});
    let refused = follows(&one, &later, &[101, 102]).unwrap_err();
    assert!(matches!(refused, NetworkError::Forgetful { found: 4 }), "{refused}");
    let mut alone = old.next(|_| {});
    alone.previous = None;
    assert!(NetworkDraft::new(alone).is_err(), "only the first follows none");
}

#[test]
fn who_was_registrar_before_is_told_by_each_version_and_by_no_stranger() {
    let mut files = vec![of_three()];
    for seed in 104..104 + 8 {
        let last = files.last().unwrap();
        let next = last.next(|network| network.registrars[2] = registrar(ORGS[2], seed));
        files.push(follows(last, &next, &[101, 102, seed]).unwrap());
    }
    let newest = files.last().unwrap().network();
    assert_eq!(newest.former.len(), 8);
    for earlier in &files[..8] {
        assert!(newest.is_after(earlier.network()));
        assert!(!earlier.network().is_after(newest));
        // A stranger beside a registrar of now: the newest is signed by one of "its" registrars.
        let mut forged = earlier.network().clone();
        forged.registrars.push(registrar("urn:hallmark:org:gln:9521234000013", 66));
        forged.threshold = 1;
        assert!(!newest.is_after(&forged));
    }
    let mut forgotten = newest.clone();
    forgotten.former.remove(3);
    assert!(!forgotten.is_after(files[4].network()));
    // It tells the newest changes; what is older has to be followed version by version.
    let mut last = files.pop().unwrap();
    for round in 0..FORMER_MAX {
        let next = last.next(|network| network.threshold = 1 + u32::from(round % 2 == 0));
        last = follows(&last, &next, &[101, 102]).unwrap();
    }
    assert_eq!(last.network().former.len(), FORMER_MAX);
    assert!(last.network().is_after(files[7].network()) || files.len() < 8);
    assert!(!last.network().is_after(files[2].network()), "it is long ago");
}

proptest! {
    #[test]
    fn damaged_files_never_panic_and_never_pass(at in 0_usize..10_000, to in any::<u8>()) {
        let good = bytes(&vectors()["valid"][0]);
        let mut bad = good.clone();
        let at = at % bad.len();
        bad[at] = to;
        prop_assert_eq!(NetworkFile::parse(&bad).is_ok(), bad == good);
        prop_assert!(NetworkFile::parse(&good[..at]).is_err());
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(NetworkFile::parse(&bytes).is_err());
    }
}
