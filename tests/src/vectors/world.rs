//! The organisations, keys and network of the golden vectors.

use super::hex;
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::organisation::LogKeys;
use hallmark_schemas::network::{Member, Network, NetworkFile, Registrar};
use hallmark_schemas::note::NoteSigner;
use hallmark_schemas::policy::Policy;
use hallmark_schemas::role::Role;
use hallmark_schemas::time::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) const NETWORK: &str = "example";
pub(super) const REGISTRAR: &str = "urn:hallmark:org:lei:529900T8BM49AURSDO55";
pub(super) const PRODUCER: &str = "urn:hallmark:org:gln:6901234567892";
pub(super) const CERTIFIER: &str = "urn:hallmark:org:gln:6901234000009";
pub(super) const FACILITY: &str = "urn:hallmark:facility:gln:6901234567892:mill-1";
pub(super) const METER: &str = "urn:hallmark:device:gln:6901234567892:m-7";
pub(super) const ORIGIN: &str = "example/gln-6901234567892/1";

pub(super) const REGISTRAR_KEY: u8 = 1;
pub(super) const REGISTRAR_NEXT: u8 = 2;
pub(super) const PRODUCER_KEY: u8 = 3;
pub(super) const PRODUCER_NEXT: u8 = 4;
pub(super) const PRODUCER_THIRD: u8 = 5;
pub(super) const METER_KEY: u8 = 6;
pub(super) const LOG_KEY: u8 = 7;
pub(super) const WITNESS_KEY: u8 = 8;
pub(super) const MIRROR_KEY: u8 = 9;
pub(super) const PEER_KEY: u8 = 10;
pub(super) const CERTIFIER_KEY: u8 = 11;

pub(super) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

pub(super) fn instant(text: &str) -> Timestamp {
    Timestamp::parse(text).expect("a literal of RFC 3339")
}

pub(super) fn log_signer() -> NoteSigner {
    NoteSigner::log(ORIGIN, Arc::new(key(LOG_KEY))).expect("the origin is a key name")
}

pub(super) fn witness_signer() -> NoteSigner {
    NoteSigner::witness("example/witness", Arc::new(key(WITNESS_KEY))).expect("a key name")
}

pub(super) fn log_keys() -> LogKeys {
    let mirror = NoteSigner::witness("example/mirror", Arc::new(key(MIRROR_KEY)));
    LogKeys {
        origin: ORIGIN.to_owned(),
        log: log_signer().vkey().clone(),
        witness: witness_signer().vkey().clone(),
        mirror: mirror.expect("a key name").vkey().clone(),
        peer: key(PEER_KEY).public().clone(),
    }
}

fn registrar(seed: u8, next: u8) -> Registrar {
    Registrar {
        org: REGISTRAR.parse().expect("a valid organisation"),
        key: key(seed).public().clone(),
        next_key_commitment: key(next).public().id(),
    }
}

fn network(registrar: Registrar, policy: Policy) -> Network {
    let producer = PRODUCER.parse().expect("a valid organisation");
    let mut member = Member::new(producer, vec![Role::Producer], log_keys());
    member.urls.push("http://127.0.0.1:8080".to_owned());
    Network {
        v: 1,
        name: NETWORK.to_owned(),
        version: 1,
        expires_at: instant("2030-01-01T00:00:00Z"),
        registrars: vec![registrar],
        threshold: 1,
        members: vec![member],
        policy,
        packs: Vec::new(),
        sealed: Vec::new(),
        previous: None,
        former: Vec::new(),
    }
}

pub(super) fn network_file() -> NetworkFile {
    network_file_with(Policy::none())
}

/// The first version with another witness policy.
pub(super) fn network_file_with(policy: Policy) -> NetworkFile {
    let network = network(registrar(REGISTRAR_KEY, REGISTRAR_NEXT), policy);
    NetworkFile::sign(network, &[&key(REGISTRAR_KEY)]).expect("a network file within its limits")
}

/// Two versions under one registrar, with these witness policies.
pub(super) fn versions_with(first: Policy, second: Policy) -> [NetworkFile; 2] {
    let first = network_file_with(first);
    let second = first.next(|network| network.policy = second);
    let second = NetworkFile::sign(second, &[&key(REGISTRAR_KEY)]);
    [first, second.expect("a file within its limits")]
}

/// The second version: the registrar has rotated to the key that it had committed to.
pub(super) fn second_file() -> NetworkFile {
    let network = network_file().next(|network| {
        network.registrars = vec![registrar(REGISTRAR_NEXT, PRODUCER_THIRD)];
    });
    NetworkFile::sign(network, &[&key(REGISTRAR_NEXT)]).expect("a network file within its limits")
}

/// The first version before its first member: which key signs a log is not in it.
pub(super) fn memberless_file() -> NetworkFile {
    let mut network = network(registrar(REGISTRAR_KEY, REGISTRAR_NEXT), Policy::none());
    network.members.clear();
    NetworkFile::sign(network, &[&key(REGISTRAR_KEY)]).expect("a network file within its limits")
}

/// A second version that a stranger has signed.
pub(super) fn stranger_file() -> NetworkFile {
    let mut network = network_file().next(|network| {
        network.registrars = vec![registrar(PRODUCER_THIRD, REGISTRAR_NEXT)];
    });
    // He names nobody beside himself.
    network.former.clear();
    NetworkFile::sign(network, &[&key(PRODUCER_THIRD)]).expect("a network file within its limits")
}

pub(super) fn vectors() -> Value {
    let (first, second, stranger) = (network_file(), second_file(), stranger_file());
    let mut unsigned = first.bytes().to_vec();
    let last = unsigned.len() - 1;
    unsigned[last] ^= 1;
    let succession = |new: &NetworkFile| NetworkFile::successor_valid(&first, new).is_ok();
    json!({
        "valid": [
            {"name": "first version", "seed": REGISTRAR_KEY, "file": hex(first.bytes()),
             "content": first.network()},
            {"name": "second version, under the committed key", "seed": REGISTRAR_NEXT,
             "file": hex(second.bytes()), "content": second.network()},
        ],
        "refused": [
            {"name": "a signature with one bit flipped", "file": hex(&unsigned),
             "error": NetworkFile::parse(&unsigned).err().map(|error| error.to_string())},
        ],
        "succession": [
            {"old": "first version", "file": hex(second.bytes()), "valid": succession(&second)},
            {"old": "first version", "file": hex(stranger.bytes()), "valid": succession(&stranger)},
        ],
    })
}
