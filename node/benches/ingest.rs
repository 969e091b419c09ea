//! Durable ingest through the node's admission path against the bare signature check.
//!
//! `cargo bench -p hallmark-node --bench ingest [-- COUNT]` prints attestations a second for both
//! and their ratio. Ours: parsed, key looked up, verified, deduplicated by id and by natural
//! identity, fsynced in group commits, indexed, answered; the tree grows meanwhile. The bound:
//! `verify_strict` of the same messages on the same cores and nothing else.
//!
//! Both run in turns, so that a machine that is busy for a while slows both; the last line is of
//! the round with the median ratio. The processor time of an attestation hardly depends on what
//! else runs: ours counts all threads until the tree and the index are written out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_node::admission::Admitted;
use hallmark_node::core::{Node, OpenOptions, create};
use hallmark_schemas::attestation::{Claims, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::{DeviceId, OrgId, Subject};
use hallmark_schemas::key::{SIGNATURE_BYTES, SecretKey, Signer};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::device::{Device, DeviceClass};
use hallmark_schemas::kind::readings::{ClockQuality, Readings, Sample};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::{Network, NetworkFile, Registrar};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::time::Timestamp;

/// Attestations of one round unless the command line says otherwise.
const COUNT: usize = 100_000;
/// Rounds of the bound and of ours, in turns. Odd, so that one of them is the median.
const ROUNDS: usize = 5;
/// Submissions that one client has under way; so many does an MQTT front end collect.
const CLIENT_BATCH: usize = 512;
/// Clients at a time.
const CLIENTS: usize = 4;
/// Samples that make a batch of readings 600 bytes long.
const SAMPLES: usize = 7;
/// How often Linux counts processor time, a second.
const CPU_TICKS: f64 = 100.0;

struct Meters {
    org: OrgId,
    org_key: SecretKey,
    device: DeviceId,
    device_key: SecretKey,
}

/// What a message is verified from: the bytes that are signed, and the signature.
type Signed = (Vec<u8>, [u8; SIGNATURE_BYTES]);

/// What one run of one side took.
struct Run {
    /// Attestations a second of the clock on the wall.
    rate: f64,
    /// Processor time of one attestation, in microseconds; `None` where nobody tells it.
    cpu_us: Option<f64>,
}

struct Round {
    bound: Run,
    ours: Run,
}

impl Round {
    fn ratio(&self) -> f64 {
        self.ours.rate / self.bound.rate
    }
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
    let signed = signed(&bodies)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let mut rounds = Vec::new();
    for number in 1..=ROUNDS {
        let bound = verify_only(&signed, &meters, cores);
        let ours = runtime.block_on(ingest(&meters, &bodies))?;
        let round = Round { bound, ours };
        println!("round {number} of {ROUNDS}: ratio {:.2}", round.ratio());
        rounds.push(round);
    }
    rounds.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()));
    let round = &rounds[ROUNDS / 2];
    println!("bound: verify_strict alone    {}", round.bound);
    println!("ours:  durable, deduplicated  {}", round.ours);
    if let (Some(bound), Some(ours)) = (round.bound.cpu_us, round.ours.cpu_us) {
        println!("ratio of processor times: {:.2}", bound / ours);
    }
    println!("ratio: {:.2}", round.ratio());
    Ok(())
}

impl std::fmt::Display for Run {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "{:>9.0} a second", self.rate)?;
        self.cpu_us.map_or(Ok(()), |cpu| write!(to, ", {cpu:.1} µs of processor time each"))
    }
}

/// Processor time of all threads of this process so far, in seconds.
fn cpu_seconds() -> Option<f64> {
    // The second field is the program's name in parentheses; user and system time are 14 and 15.
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / CPU_TICKS)
}

/// The processor time of one of `count` attestations since `before`.
fn cpu_us_since(before: Option<f64>, count: usize) -> Option<f64> {
    Some((cpu_seconds()? - before?) * 1e6 / count as f64)
}

fn signed(bodies: &[Vec<u8>]) -> Result<Vec<Signed>, Box<dyn std::error::Error>> {
    let mut messages = Vec::with_capacity(bodies.len());
    for body in bodies {
        let envelope = Envelope::parse(body)?;
        messages.push((envelope.signed_bytes(), envelope.signature()));
    }
    Ok(messages)
}

/// The rate of bare signature checks on all cores, the messages and keys made before.
fn verify_only(messages: &[Signed], meters: &Meters, cores: usize) -> Run {
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

/// The rate at which submissions to a new node are answered as stored.
async fn ingest(meters: &Meters, bodies: &[Vec<u8>]) -> Result<Run, Box<dyn std::error::Error>> {
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
    // What a client sends is in its memory before the clock starts.
    let shares: Vec<Vec<Vec<u8>>> =
        bodies.chunks(count.div_ceil(CLIENTS)).map(<[Vec<u8>]>::to_vec).collect();
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let clients: Vec<_> =
        shares.into_iter().map(|share| tokio::spawn(submit(node.clone(), share))).collect();
    let mut stored = 0;
    for client in clients {
        stored += client.await?;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    assert_eq!(stored, count, "every attestation is new and is stored");
    tokio::task::spawn_blocking(move || writer.stop()).await?;
    assert_eq!(node.log().head().size, count as u64 + 1, "every attestation is in the tree");
    Ok(Run { rate, cpu_us: cpu_us_since(cpu, count) })
}

/// One client: submits its share in batches and counts what is stored and new.
async fn submit(node: Node, share: Vec<Vec<u8>>) -> usize {
    let mut stored = 0;
    let mut rest = share.into_iter();
    loop {
        let batch: Vec<Vec<u8>> = rest.by_ref().take(CLIENT_BATCH).collect();
        if batch.is_empty() {
            return stored;
        }
        for answer in node.admit_many(batch).await {
            stored += usize::from(matches!(answer, Ok(Admitted::Stored { known: false, .. })));
        }
    }
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
            sealed: Vec::new(),
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
