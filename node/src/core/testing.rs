//! One organisation with its keys and attestations, for the tests of this crate's store.

use std::sync::Arc;

use hallmark_schemas::attestation::{Claims, Draft, Envelope, Verified, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::history::KeyHistory;
use hallmark_schemas::id::{DeviceId, OrgId, Subject};
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::device::{Device, DeviceClass};
use hallmark_schemas::kind::facility::Facility;
use hallmark_schemas::kind::readings::{ClockQuality, Readings, Sample};
use hallmark_schemas::network::{Network, NetworkFile, Registrar};
use hallmark_schemas::note::NoteSigner;
use hallmark_schemas::policy::{Policy, Witness};
use hallmark_schemas::time::{EntryTime, Timestamp};

pub(crate) const NOW: Timestamp = Timestamp::from_unix_ms(1_790_000_000_000);

pub(crate) fn origin() -> String {
    "test/gln-9506000134352/1".to_owned()
}

fn org() -> OrgId {
    "urn:hallmark:org:gln:9506000134352".parse().unwrap()
}

fn device_id() -> DeviceId {
    "urn:hallmark:device:gln:9506000134352:m-1".parse().unwrap()
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

pub(crate) fn log_signer() -> Arc<dyn Signer> {
    Arc::new(key(2))
}

pub(crate) fn witness() -> NoteSigner {
    NoteSigner::witness("w", Arc::new(key(3))).unwrap()
}

/// One of one witnesses.
pub(crate) fn witnessed() -> Policy {
    let key = witness().vkey().clone();
    Policy::threshold(1, vec![Witness { name: "w".to_owned(), key, url: None }]).unwrap()
}

pub(crate) fn network(policy: Policy) -> NetworkFile {
    let org_key = key(1);
    let registrar = Registrar {
        org: org(),
        key: org_key.public().clone(),
        next_key_commitment: key(9).public().id(),
    };
    let network = Network {
        v: 1,
        name: "test".to_owned(),
        version: 1,
        expires_at: Timestamp::MAX,
        registrars: vec![registrar],
        threshold: 1,
        members: Vec::new(),
        policy,
        packs: Vec::new(),
    };
    NetworkFile::sign(network, &[&org_key]).unwrap()
}

fn attest(sub: Subject, body: Body, salt: u8, signer: &SecretKey) -> Envelope {
    let iat = Timestamp::from_unix_ms(1_789_999_999_000);
    let claims = Claims { iss: org(), sub, aud: Audience::Public, iat, regions: Vec::new() };
    sign(Draft { claims, body }, [salt; 16], signer).unwrap()
}

/// A facility, told apart by `number`; two with other names contradict each other.
pub(crate) fn facility(number: u8, name: &str, salt: u8) -> Envelope {
    let sub = format!("urn:hallmark:facility:gln:9506000134352:f-{number}");
    let body = Facility {
        name: name.to_owned(),
        lat_e7: 0,
        lon_e7: 0,
        altitude_m: None,
        boundary: Vec::new(),
        province: "CN-SD".to_owned(),
        utc_offset: "+08:00".to_owned(),
        sector: "steel".to_owned(),
        locations: Vec::new(),
        replaces: None,
        reason: None,
    };
    attest(Subject::parse(&sub).unwrap(), Body::Facility(body), salt, &key(1))
}

/// The attestation that makes the meter known.
pub(crate) fn device() -> Envelope {
    let body = Device {
        key: key(4).public().clone(),
        class: DeviceClass::Meter,
        model: "test".to_owned(),
        quantity: Some("electricity".parse().unwrap()),
        unit: Some("Wh".to_owned()),
        accuracy_ppm: None,
        facility: None,
        lat_e7: None,
        lon_e7: None,
        replaces: None,
        reason: None,
    };
    attest(Subject::Device(device_id()), Body::Device(body), 0, &key(1))
}

/// One batch of the meter.
pub(crate) fn readings(sequence: u64, amount: i64) -> Envelope {
    let sample = Sample {
        read_at: Timestamp::from_unix_ms(1_789_000_000_000),
        amount,
        register: None,
        quality: None,
        source_amount: None,
        source_unit: None,
    };
    let body = Readings {
        boot: 1,
        sequence,
        previous: None,
        quantity: "electricity".parse().unwrap(),
        unit: "Wh".to_owned(),
        scale_e10: None,
        statistic: None,
        interval_s: 900,
        clock_quality: ClockQuality::Synchronised,
        resolution: None,
        config_hash: None,
        samples: vec![sample],
    };
    attest(Subject::Device(device_id()), Body::Readings(body), 0, &key(4))
}

pub(crate) fn verified(envelope: Envelope) -> Verified {
    let history = KeyHistory::new(&network(Policy::none()));
    envelope.verify(&history, EntryTime::at(NOW)).unwrap()
}
