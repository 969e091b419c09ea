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
fn sealed(before: &Network) -> Network {
    let mut network = before.clone();
    network.version += 1;
    let member = &mut network.members[0];
    let (origin, next) = (member.origin.clone(), format!("{}0", member.origin));
    let key = std::sync::Arc::new(crate::key::SecretKey::from_seed([78; 32]));
    let key = crate::note::NoteSigner::log(&next, key).unwrap().vkey().clone();
    let (org, log_key) = (member.org.clone(), std::mem::replace(&mut member.log_key, key));
    member.origin.clone_from(&next);
    let (size, root) = (7, Digest([9; 32]));
    network.sealed.push(Sealed { org, origin, log_key, size, root, successor: Some(next) });
    network
}

#[test]
fn a_sealed_log_keeps_its_key_leads_to_its_successor_and_stays_sealed() {
    let (key, first) = founded();
    let second = sealed(&first);
    let file = |network: &Network| NetworkFile::sign(network.clone(), &[&key]);
    let (old, new) = (file(&first).unwrap(), file(&second).unwrap());
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

    let third = |change: fn(&mut Network)| {
        let mut network = second.clone();
        network.version += 1;
        change(&mut network);
        file(&network)
    };
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
    let second = sealed(&first);
    let was = &first.members[0];
    let device = crate::id::DeviceId::new(&was.org, "m-1").unwrap();
    let file = NetworkFile::sign(second.clone(), &[&key]).unwrap();
    let enrolled = crate::enrolment::Enrolled::new(&file, device, &was.origin, "mqtt://b:1");
    let enrolled = enrolled.unwrap();
    assert_eq!(Some(&enrolled.origin), second.sealed[0].successor.as_ref());
    assert_eq!(enrolled.log_key, second.members[0].log_key);
    assert!(crate::enrolment::Enrolled::parse(&enrolled.encode()).is_ok());
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
