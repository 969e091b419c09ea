//! A log of many attestations: its bytes on disk, and how soon a start serves it again.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_node::core::{Node, OpenOptions, WriterThread, create, discard_index};
use hallmark_node::index::engine::Engine;
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::layout::Dir;

use crate::support::{Meters, Outcome, now};

/// Attestations signed and taken in at once.
const CHUNK: u64 = 10_000;
/// The log's name.
const ORIGIN: &str = "bench/gln-9506000134352/1";

/// Prints bytes on disk and the times of two starts.
pub(crate) fn measure(count: u64) -> Outcome<()> {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let dir = Dir::new(root.path());
    let meters = Meters::new(SecretKey::from_seed([1; 32]))?;
    create(&dir, &dir.data(), ORIGIN)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (node, writer, _) = open(&dir, &meters)?;
    let bytes = runtime.block_on(fill(&node, &meters, count))?;
    writer.stop();
    drop(node);
    let on_disk = size_of(root.path())?;
    let index = size_of(&dir.data().index())?;
    println!(
        "disk: {count} attestations, {:.0} bytes each of a body of {:.0}: ratio {:.2}; of it the \
         index {:.0}",
        on_disk as f64 / count as f64,
        bytes as f64 / count as f64,
        on_disk as f64 / bytes as f64,
        index as f64 / count as f64,
    );
    for what in ["index whole", "index deleted"] {
        if what == "index deleted" {
            discard_index(&dir, &dir.data())?;
        }
        let (node, writer, took) = open(&dir, &meters)?;
        println!("start with {count} entries, {what}: {:.2} s", took.as_secs_f64());
        writer.stop();
        drop(node);
    }
    Ok(())
}

/// Opens the log; the time until admission can tell duplicates.
fn open(dir: &Dir, meters: &Meters) -> Outcome<(Node, WriterThread, Duration)> {
    let began = Instant::now();
    let (node, writer) = Node::open(OpenOptions {
        dir: dir.clone(),
        data: dir.data(),
        origin: ORIGIN.to_owned(),
        log_signer: Arc::new(SecretKey::from_seed([3; 32])),
        network: meters.network()?,
        regions: Vec::new(),
        engine: Engine::default(),
        batch_wait_max: Duration::from_secs(1),
        clock: Arc::new(now),
    })?;
    node.log().guard_satisfied();
    while !node.log().index_ready() {
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok((node, writer, began.elapsed()))
}

/// Takes in so many attestations; the bytes of their bodies.
pub(crate) async fn fill(node: &Node, meters: &Meters, count: u64) -> Outcome<u64> {
    node.admit(meters.introduce()?).await?;
    let meter = meters.device_key.public().id();
    while !node.keys().read(|keys| keys.knows(&meter)) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut bytes = 0;
    for first in (0..count).step_by(CHUNK as usize) {
        let bodies = meters.readings(first..count.min(first + CHUNK))?;
        bytes += bodies.iter().map(|body| body.len() as u64).sum::<u64>();
        for answer in node.admit_many(bodies).await {
            answer?;
        }
    }
    Ok(bytes)
}

/// Bytes of all files under a folder, as the file system holds them.
fn size_of(path: &Path) -> Outcome<u64> {
    use std::os::unix::fs::MetadataExt;
    let meta = std::fs::symlink_metadata(path)?;
    if !meta.is_dir() {
        return Ok(meta.blocks() * 512);
    }
    let mut total = 0;
    for entry in std::fs::read_dir(path)? {
        total += size_of(&entry?.path())?;
    }
    Ok(total)
}
