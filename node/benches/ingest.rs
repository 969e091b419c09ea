//! Durable ingest through the node's admission path against the bare signature check.
//!
//! `cargo bench -p hallmark-node --bench ingest [-- COUNT]` prints attestations a second for both
//! and their ratio. Ours: parsed, key looked up, verified, deduplicated by id and by natural
//! identity, fsynced in group commits, indexed, answered; the tree grows meanwhile. The bound:
//! `verify_strict` of the same messages on the same cores and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_node::admission::Admitted;
use hallmark_node::core::{Node, OpenOptions, create};
use hallmark_schemas::attestation::{Claims, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::{DeviceId, OrgId, Subject};
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::device::{Device, DeviceClass};
use hallmark_schemas::kind::readings::{ClockQuality, Readings, Sample};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::{Network, NetworkFile, Registrar};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::time::Timestamp;

/// Attestations of one run unless the command line says otherwise.
const COUNT: usize = 100_000;
/// Submissions that one client has under way; so many does an MQTT front end collect.
const CLIENT_BATCH: usize = 512;
/// Clients at a time.
const CLIENTS: usize = 4;
/// Samples that make a batch of readings 600 bytes long.
const SAMPLES: usize = 7;

struct Meters {
    org: OrgId,
    org_key: SecretKey,
    device: DeviceId,
    device_key: SecretKey,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(COUNT);
    let cores = std::thread::available_parallelism()?.get();
    let meters = Meters {
        org: "urn:hallmark:org:gln:9506000134352".parse()?,
        org_key: SecretKey::from_seed([1; 32]),
        device: "urn:hallmark:device:gln:9506000134352:m-1".parse()?,
        device_key: SecretKey::from_seed([2; 32]),
    };
    let bodies = meters.readings(count)?;
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    println!("{count} attestations of {} bytes on {cores} cores", bytes / count);
    let bound = verify_only(&bodies, &meters, cores)?;
    println!("bound: verify_strict alone    {bound:>9.0} a second");
    let runtime = tokio::runtime::Runtime::new()?;
    let ours = runtime.block_on(ingest(&meters, bodies))?;
    println!("ours:  durable, deduplicated  {ours:>9.0} a second");
    println!("ratio: {:.2}", ours / bound);
    Ok(())
}

/// The rate of bare signature checks on all cores, the messages and keys made before.
fn verify_only(
    bodies: &[Vec<u8>],
    meters: &Meters,
    cores: usize,
) -> Result<f64, Box<dyn std::error::Error>> {
    let mut messages = Vec::with_capacity(bodies.len());
    for body in bodies {
        let envelope = Envelope::parse(body)?;
        messages.push((envelope.signed_bytes(), envelope.signature()));
    }
    let key = meters.device_key.public();
    let start = Instant::now();
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
    Ok(bodies.len() as f64 / start.elapsed().as_secs_f64())
}

/// The rate at which submissions are answered as stored.
async fn ingest(meters: &Meters, bodies: Vec<Vec<u8>>) -> Result<f64, Box<dyn std::error::Error>> {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let dir = Dir::new(root.path());
    let origin = "bench/gln-9506000134352/1".to_owned();
    create(&dir, &dir.data(), &origin)?;
    let options = OpenOptions {
        data: dir.data(),
        dir,
        origin,
        log_signer: Arc::new(SecretKey::from_seed([3; 32])),
        network: meters.network()?,
        batch_wait_max: Duration::from_secs(1),
        clock: Arc::new(now),
    };
    let (node, writer) = Node::open(options)?;
    while !node.log().index_ready() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The meter is known once its attestation is published.
    let introductions = vec![meters.introduce(&meters.device, &meters.device_key)?];
    node.admit_many(introductions).await;
    let meter = meters.device_key.public().id();
    while !node.keys().read(|keys| keys.knows(&meter)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let count = bodies.len();
    let start = Instant::now();
    let mut clients = Vec::new();
    for share in bodies.chunks(count.div_ceil(CLIENTS)) {
        let (node, share) = (node.clone(), share.to_vec());
        clients.push(tokio::spawn(async move {
            let mut stored = 0;
            let mut rest = share.into_iter();
            loop {
                let batch: Vec<Vec<u8>> = rest.by_ref().take(CLIENT_BATCH).collect();
                if batch.is_empty() {
                    return stored;
                }
                for answer in node.admit_many(batch).await {
                    stored +=
                        usize::from(matches!(answer, Ok(Admitted::Stored { known: false, .. })));
                }
            }
        }));
    }
    let mut stored = 0;
    for client in clients {
        stored += client.await?;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    assert_eq!(stored, count, "every attestation is new and is stored");
    tokio::task::spawn_blocking(move || writer.stop()).await?;
    assert_eq!(node.log().head().size, count as u64 + 1, "every attestation is in the tree");
    Ok(rate)
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Timestamp::from_unix_ms(since.map_or(0, |since| since.as_millis() as u64))
}

impl Meters {
    fn network(&self) -> Result<NetworkFile, Box<dyn std::error::Error>> {
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
        };
        Ok(NetworkFile::sign(network, &[&self.org_key])?)
    }

    fn sign(
        &self,
        body: Body,
        salt: u64,
        signer: &SecretKey,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
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

    fn introduce(
        &self,
        device: &DeviceId,
        key: &SecretKey,
    ) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let body = Device {
            key: key.public().clone(),
            class: DeviceClass::Meter,
            model: device.local().to_owned(),
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

    fn readings(&self, count: usize) -> Result<Vec<Vec<u8>>, Box<dyn std::error::Error>> {
        let mut bodies = Vec::with_capacity(count);
        for sequence in 0..count as u64 {
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
