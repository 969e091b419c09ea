//! One organisation with its keys and attestations, for the tests of this crate's store.

use std::sync::Arc;

use hallmark_schemas::attestation::{Claims, ContentId, Draft, Envelope, Verified, sign};
use hallmark_schemas::audience::{Audience, Region};
use hallmark_schemas::history::KeyHistory;
use hallmark_schemas::id::{DeviceId, OrgId, Subject};
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::device::{Device, DeviceClass};
use hallmark_schemas::kind::erasure::Erasure;
use hallmark_schemas::kind::event::Event;
use hallmark_schemas::kind::facility::Facility;
use hallmark_schemas::kind::organisation::LogKeys;
use hallmark_schemas::kind::readings::{ClockQuality, Readings, Sample};
use hallmark_schemas::network::{Member, Network, NetworkFile, Registrar};
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

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

pub(crate) fn log_signer() -> Arc<dyn Signer> {
    Arc::new(key(2))
}

pub(crate) fn peer_signer() -> Arc<dyn Signer> {
    Arc::new(key(41))
}

pub(crate) fn witness() -> NoteSigner {
    NoteSigner::witness("w", Arc::new(key(3))).unwrap()
}

/// The key of the organisation, which is the network's registrar too.
pub(crate) fn org_key() -> SecretKey {
    key(1)
}

/// The word of a fork guard that found more.
pub(crate) fn refusal(cause: &str) -> crate::sequencer::writing::Refusal {
    crate::sequencer::writing::Refusal { cause: cause.to_owned(), help: "", note: None }
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
        sealed: Vec::new(),
        previous: None,
        former: Vec::new(),
    };
    NetworkFile::sign(network, &[&org_key]).unwrap()
}

/// The same network with the log of [`origin`] as a member's.
pub(crate) fn joined(policy: Policy) -> NetworkFile {
    let mut content = network(policy).network().clone();
    let mirror = NoteSigner::witness("m", Arc::new(key(40))).unwrap();
    let keys = LogKeys {
        origin: origin(),
        log: NoteSigner::log(&origin(), log_signer()).unwrap().vkey().clone(),
        witness: witness().vkey().clone(),
        mirror: mirror.vkey().clone(),
        peer: key(41).public().clone(),
    };
    content.members.push(Member::new(org(), Vec::new(), keys));
    NetworkFile::sign(content, &[&key(1)]).unwrap()
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

/// The same facility, for nodes in these regions alone.
pub(crate) fn facility_within(number: u8, regions: Vec<Region>) -> Envelope {
    let made = facility(number, "plant", 0);
    let claims = Claims { regions, ..made.claims().clone() };
    sign(Draft { claims, body: made.body().clone() }, [0; 16], &key(1)).unwrap()
}

/// The erasure of a record of the log of [`origin`], by its organisation.
pub(crate) fn erasure(erased: ContentId) -> Envelope {
    erasure_by(erased, &key(1))
}

/// The same under another key, which may not say so.
pub(crate) fn erasure_by(erased: ContentId, signer: &SecretKey) -> Envelope {
    let reason = "a trade secret".to_owned();
    let body = Erasure { erased, reason, goods: Vec::new() };
    attest(Subject::Org(org()), Body::Erasure(body), 0, signer)
}

/// The attestation that makes the meter known.
pub(crate) fn device() -> Envelope {
    device_with(4)
}

/// The same with the key of this seed.
pub(crate) fn device_with(seed: u8) -> Envelope {
    let body = Device {
        key: key(seed).public().clone(),
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

/// Goods of the events below: an item, its class and lot, a pallet, and what no event names.
pub(crate) const GOODS: [&str; 5] = [
    "https://id.gs1.org/01/09521234000129/21/F1",
    "https://id.gs1.org/01/09521234000129",
    "https://id.gs1.org/01/09521234000129/10/L1",
    "https://id.gs1.org/00/095212340000000075",
    "urn:hallmark:goods:oid:1.2.156",
];

/// An observation of goods, told apart by its minute.
pub(crate) fn event(minute: u8, goods: &[&str]) -> Envelope {
    let goods = goods.join("\",\"");
    let (hour, minute) = (minute / 60, minute % 60);
    let text = format!(
        "{{\"type\":\"ObjectEvent\",\"eventTime\":\"2026-03-01T{hour:02}:{minute:02}:00Z\",\
         \"eventTimeZoneOffset\":\"+00:00\",\"action\":\"OBSERVE\",\"epcList\":[\"{goods}\"]}}"
    );
    attest(Subject::Org(org()), Body::Event(Event::parse(&text).unwrap()), 0, &key(1))
}

pub(crate) fn verified(envelope: Envelope) -> Verified {
    let history = KeyHistory::new(&network(Policy::none()));
    envelope.verify(&history, EntryTime::at(NOW)).unwrap()
}
