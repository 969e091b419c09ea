//! What the benchmarks of ingest share: a meter that signs, and the bound that they stand against.

use std::ops::Range;
use std::time::Instant;

use hallmark_schemas::attestation::{Claims, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::{DeviceId, OrgId, Subject};
use hallmark_schemas::key::{SIGNATURE_BYTES, SecretKey, Signer};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::device::{Device, DeviceClass};
use hallmark_schemas::kind::readings::{ClockQuality, Readings, Sample};
use hallmark_schemas::network::{Network, NetworkFile, Registrar};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::time::Timestamp;

/// Whose meter it is.
pub(crate) const ORG: &str = "urn:hallmark:org:gln:9506000134352";
/// Its scheme and number.
const ORG_NUMBER: &str = "gln:9506000134352";
/// Samples that make a batch of readings 600 bytes long.
const SAMPLES: usize = 7;
/// How often Linux counts processor time, a second.
const CPU_TICKS: f64 = 100.0;

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// An organisation with one meter.
pub(crate) struct Meters {
    pub(crate) org: OrgId,
    pub(crate) org_key: SecretKey,
    pub(crate) device: DeviceId,
    pub(crate) device_key: SecretKey,
}

/// What a message is verified from: the bytes that are signed, and the signature.
pub(crate) type Signed = (Vec<u8>, [u8; SIGNATURE_BYTES]);

/// What one run of one side took.
pub(crate) struct Run {
    /// Attestations a second of the clock on the wall.
    pub(crate) rate: f64,
    /// Processor time of one attestation, in microseconds; `None` where nobody tells it.
    pub(crate) cpu_us: Option<f64>,
}

impl std::fmt::Display for Run {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{:>9.0} a second", self.rate)?;
        self.cpu_us.map_or(Ok(()), |cpu| write!(to, ", {cpu:.1} µs of processor time each"))
    }
}

/// Processor time of all threads of this process so far, in seconds.
pub(crate) fn cpu_seconds() -> Option<f64> {
    cpu_seconds_in("/proc/self/stat")
}

/// The same of the process whose status this file tells.
pub(crate) fn cpu_seconds_in(stat: &str) -> Option<f64> {
    // The second field is the program's name in parentheses; user and system time are 14 and 15.
    let stat = std::fs::read_to_string(stat).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / CPU_TICKS)
}

/// The processor time of one of `count` attestations since `before`.
pub(crate) fn cpu_us_since(before: Option<f64>, count: usize) -> Option<f64> {
    Some((cpu_seconds()? - before?) * 1e6 / count as f64)
}

/// What a bare check of these bodies is done with.
pub(crate) fn signed(bodies: &[Vec<u8>]) -> Outcome<Vec<Signed>> {
    let mut messages = Vec::with_capacity(bodies.len());
    for body in bodies {
        let envelope = Envelope::parse(body)?;
        messages.push((envelope.signed_bytes(), envelope.signature()));
    }
    Ok(messages)
}

/// The rate of bare signature checks on all cores, the messages and keys made before.
pub(crate) fn verify_only(messages: &[Signed], meters: &Meters, cores: usize) -> Run {
    let key = meters.device_key.public();
    let (start, cpu) = (Instant::now(), cpu_seconds());
    std::thread::scope(|scope| {
        for share in messages.chunks(messages.len().div_ceil(cores)) {
            scope.spawn(|| {
                let good = share
                    .iter()
                    .filter(|(message, signature)| key.verify_strict(message, signature).is_ok());
                assert_eq!(good.count(), share.len());
            });
        }
    });
    let rate = messages.len() as f64 / start.elapsed().as_secs_f64();
    Run { rate, cpu_us: cpu_us_since(cpu, messages.len()) }
}

/// The time of day.
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_unix_ms(since.map_or(0, |since| since.as_millis() as u64))
}

impl Meters {
    /// The meter of an organisation that signs with `org_key`.
    pub(crate) fn new(org_key: SecretKey) -> Outcome<Meters> {
        Ok(Meters {
            org: ORG.parse()?,
            org_key,
            device: format!("urn:hallmark:device:{}:m-1", ORG_NUMBER).parse()?,
            device_key: SecretKey::from_seed([2; 32]),
        })
    }

    /// A network of this organisation alone, without witnesses.
    pub(crate) fn network(&self) -> Outcome<NetworkFile> {
        let registrar = Registrar {
            org: self.org.clone(),
            key: self.org_key.public().clone(),
            next_key_commitment: SecretKey::from_seed([4; 32]).public().id(),
        };
        let network = Network {
            v: 1,
            name: "bench".to_owned(),
            version: 1,
            expires_at: Timestamp::MAX,
            registrars: vec![registrar],
            threshold: 1,
            members: Vec::new(),
            policy: Policy::none(),
            packs: Vec::new(),
            sealed: Vec::new(),
            previous: None,
            former: Vec::new(),
        };
        Ok(NetworkFile::sign(network, &[&self.org_key])?)
    }

    fn sign(&self, body: Body, salt: u64, signer: &SecretKey) -> Outcome<Vec<u8>> {
        let claims = Claims {
            iss: self.org.clone(),
            sub: Subject::Device(self.device.clone()),
            aud: Audience::Members,
            iat: Timestamp::from_unix_ms(1_780_000_000_000),
            regions: Vec::new(),
        };
        let mut salt_bytes = [0; 16];
        salt_bytes[..8].copy_from_slice(&salt.to_le_bytes());
        Ok(sign(Draft { claims, body }, salt_bytes, signer)?.stored().to_vec())
    }

    /// The `device` attestation that makes the meter known.
    pub(crate) fn introduce(&self) -> Outcome<Vec<u8>> {
        let body = Device {
            key: self.device_key.public().clone(),
            class: DeviceClass::Meter,
            model: self.device.local().to_owned(),
            quantity: Some("electricity".parse()?),
            unit: Some("Wh".to_owned()),
            accuracy_ppm: None,
            facility: None,
            lat_e7: None,
            lon_e7: None,
            replaces: None,
            reason: None,
        };
        self.sign(Body::Device(body), 0, &self.org_key)
    }

    /// The batches of readings with these sequence numbers.
    pub(crate) fn readings(&self, sequences: Range<u64>) -> Outcome<Vec<Vec<u8>>> {
        let mut bodies = Vec::new();
        for sequence in sequences {
            let sample = |number: usize| Sample {
                read_at: Timestamp::from_unix_ms(1_780_000_000_000 + number as u64 * 900_000),
                amount: (sequence as i64 * 37 + number as i64) % 100_000,
                register: None,
                quality: None,
                source_amount: None,
                source_unit: None,
            };
            let body = Readings {
                boot: 1,
                sequence,
                previous: None,
                quantity: "electricity".parse()?,
                unit: "Wh".to_owned(),
                scale_e10: None,
                statistic: None,
                interval_s: 900,
                clock_quality: ClockQuality::Synchronised,
                resolution: None,
                config_hash: None,
                samples: (0..SAMPLES).map(sample).collect(),
            };
            bodies.push(self.sign(Body::Readings(body), sequence, &self.device_key)?);
        }
        Ok(bodies)
    }
}
