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
