//! Keys, network files and attestations of all simulated worlds, signed once a process.

use std::sync::{Arc, LazyLock};

use hallmark_schemas::attestation::{Claims, ContentId, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::{DeviceId, OrgId, Subject};
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::device::{Device, DeviceClass};
use hallmark_schemas::kind::facility::Facility;
use hallmark_schemas::kind::readings::{ClockQuality, Readings, Sample};
use hallmark_schemas::network::{Member, Network, NetworkFile, Registrar};
use hallmark_schemas::note::NoteSigner;
use hallmark_schemas::policy::{Policy, Witness};
use hallmark_schemas::time::Timestamp;

/// Honest nodes; one more member, the last, is byzantine.
pub(super) const HONEST: usize = 3;
/// Facilities that can be handed in.
pub(super) const FACILITIES: usize = 48;
/// Batches of the meter that nobody knows before its device is recorded.
pub(super) const READINGS: usize = 12;
/// Batches of strangers' meters.
pub(super) const STRANGE: usize = 40;
/// The time of day at which every world begins.
pub(super) const DAWN: Timestamp = Timestamp::from_unix_ms(1_790_000_000_000);

/// An attestation with its id.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) id: ContentId,
    pub(super) stored: Vec<u8>,
}

/// Everything that is signed beforehand.
pub(super) struct Stock {
    /// By member, the liar last.
    pub(super) origins: Vec<String>,
    pub(super) logs: Vec<NoteSigner>,
    pub(super) witnesses: Vec<NoteSigner>,
    pub(super) witnessed: NetworkFile,
    pub(super) unwitnessed: NetworkFile,
    pub(super) facilities: Vec<Piece>,
    /// Each contradicts the facility of its number.
    pub(super) contradictions: Vec<Piece>,
    pub(super) device: Piece,
    pub(super) readings: Vec<Piece>,
    pub(super) strange: Vec<Piece>,
}

pub(super) static STOCK: LazyLock<Stock> = LazyLock::new(Stock::sign);

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

/// The organisation of a member: a GLN with its check digit.
fn org(member: usize) -> OrgId {
    let digits = format!("95060001343{member}");
    let weighted = digits.bytes().zip([1, 3].into_iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    let text = format!("urn:hallmark:org:gln:{digits}{}", (10 - sum % 10) % 10);
    text.parse().expect("the check digit is computed")
}

/// The origin of a member's log.
fn origin(member: usize) -> String {
    let org = org(member).to_string();
    let value = org.rsplit(':').next().unwrap_or_default();
    format!("sim/gln-{value}/1")
}

/// The log key of a member.
fn log_key(member: usize) -> Arc<SecretKey> {
    Arc::new(key(10 + member as u8))
}

/// The signer of a member's checkpoints.
fn log_signer(member: usize) -> NoteSigner {
    NoteSigner::log(&origin(member), log_key(member)).expect("the origin is a name")
}

/// The witness of a member.
fn witness(member: usize) -> NoteSigner {
    let name = format!("sim/witness-{member}");
    NoteSigner::witness(&name, Arc::new(key(20 + member as u8))).expect("a name")
}

fn network(policy: Policy) -> NetworkFile {
    let registrar = key(1);
    let member = |member: usize| Member {
        org: org(member),
        roles: Vec::new(),
        origin: origin(member),
        log_key: log_signer(member).vkey().clone(),
        witness_key: witness(member).vkey().clone(),
        mirror_key: NoteSigner::witness(
            &format!("sim/mirror-{member}"),
            Arc::new(key(30 + member as u8)),
        )
        .expect("a name")
        .vkey()
        .clone(),
        peer_key: key(40 + member as u8).public().clone(),
        urls: Vec::new(),
        multiaddrs: Vec::new(),
    };
    let network = Network {
        sealed: Vec::new(),
        previous: None,
        former: Vec::new(),
        v: 1,
        name: "sim".to_owned(),
        version: 1,
        expires_at: Timestamp::MAX,
        registrars: vec![Registrar {
            org: org(0),
            key: registrar.public().clone(),
            next_key_commitment: key(9).public().id(),
        }],
        threshold: 1,
        members: (0..=HONEST).map(member).collect(),
        policy,
        packs: Vec::new(),
    };
    NetworkFile::sign(network, &[&registrar]).expect("a network file")
}

fn attest(sub: &str, body: Body, signer: &SecretKey) -> Piece {
    let claims = Claims {
        iss: org(0),
        sub: Subject::parse(sub).expect("a subject"),
        aud: Audience::Public,
        iat: DAWN,
        regions: Vec::new(),
    };
    let envelope: Envelope = sign(Draft { claims, body }, [7; 16], signer).expect("it signs");
    Piece { id: envelope.id(), stored: envelope.stored().to_vec() }
}

fn facility(number: usize, name: &str) -> Piece {
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
    let sub = org(0).to_string().replace(":org:", ":facility:");
    attest(&format!("{sub}:f-{number}"), Body::Facility(body), &key(1))
}

fn meter(name: &str) -> String {
    let sub = org(0).to_string().replace(":org:", ":device:");
    format!("{sub}:{name}")
}

fn device() -> Piece {
    let body = Device {
        key: key(4).public().clone(),
        class: DeviceClass::Meter,
        model: "sim".to_owned(),
        quantity: Some("electricity".parse().expect("a quantity")),
        unit: Some("Wh".to_owned()),
        accuracy_ppm: None,
        facility: None,
        lat_e7: None,
        lon_e7: None,
        replaces: None,
        reason: None,
    };
    attest(&meter("m-1"), Body::Device(body), &key(1))
}

fn readings(meter_name: &str, sequence: u64, signer: &SecretKey) -> Piece {
    let sample = Sample {
        read_at: Timestamp::from_unix_ms(DAWN.unix_ms() - 900_000),
        amount: 5,
        register: None,
        quality: None,
        source_amount: None,
        source_unit: None,
    };
    let body = Readings {
        boot: 1,
        sequence,
        previous: None,
        quantity: "electricity".parse().expect("a quantity"),
        unit: "Wh".to_owned(),
        scale_e10: None,
        statistic: None,
        interval_s: 900,
        clock_quality: ClockQuality::Synchronised,
        resolution: None,
        config_hash: None,
        samples: vec![sample],
    };
    let sub = meter(meter_name);
    debug_assert!(sub.parse::<DeviceId>().is_ok());
    attest(&sub, Body::Readings(body), signer)
}

impl Stock {
    fn sign() -> Stock {
        let named = |member: usize| Witness {
            name: format!("w{member}"),
            key: witness(member).vkey().clone(),
            url: None,
        };
        let policy = Policy::threshold(2, (0..HONEST).map(named).collect());
        let stranger = key(77);
        Stock {
            origins: (0..=HONEST).map(origin).collect(),
            logs: (0..=HONEST).map(log_signer).collect(),
            witnesses: (0..=HONEST).map(witness).collect(),
            witnessed: network(policy.expect("two of three")),
            unwitnessed: network(Policy::none()),
            facilities: (0..FACILITIES).map(|number| facility(number, "plant")).collect(),
            contradictions: (0..FACILITIES).map(|number| facility(number, "mill")).collect(),
            device: device(),
            readings: (0..READINGS as u64).map(|n| readings("m-1", n, &key(4))).collect(),
            strange: (0..STRANGE as u64).map(|n| readings("m-2", n, &stranger)).collect(),
        }
    }
}
