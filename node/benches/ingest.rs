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

#[path = "log/support.rs"]
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_node::admission::Admitted;
use hallmark_node::core::{Node, OpenOptions, create};
use hallmark_node::index::engine::Engine;
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::layout::Dir;
use support::{Meters, Outcome, Run, cpu_seconds, cpu_us_since, now, signed, verify_only};

/// Attestations of one round unless the command line says otherwise.
const COUNT: usize = 100_000;
/// Rounds of the bound and of ours, in turns. Odd, so that one of them is the median.
const ROUNDS: usize = 5;
/// Submissions that one client has under way; so many does an MQTT front end collect.
const CLIENT_BATCH: usize = 512;
/// Clients at a time.
const CLIENTS: usize = 4;

struct Round {
    bound: Run,
    ours: Run,
}

impl Round {
    fn ratio(&self) -> f64 {
        self.ours.rate / self.bound.rate
    }
}

fn main() -> Outcome<()> {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(COUNT);
    let cores = std::thread::available_parallelism()?.get();
    let meters = Meters::new(SecretKey::from_seed([1; 32]))?;
    let bodies = meters.readings(0..count as u64)?;
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

/// The rate at which submissions to a new node are answered as stored.
async fn ingest(meters: &Meters, bodies: &[Vec<u8>]) -> Outcome<Run> {
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
        regions: Vec::new(),
        engine: Engine::default(),
        batch_wait_max: Duration::from_secs(1),
        clock: Arc::new(now),
    };
    let (node, writer) = Node::open(options)?;
    node.log().guard_satisfied();
    while !node.log().index_ready() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // The meter is known once its attestation is published.
    let introductions = vec![meters.introduce()?];
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
