//! The engines of the index beside one another, on what the log writes and asks.
//!
//! `cargo bench -p hallmark-node --features sled --bench index [-- ATTESTATIONS]` prints, for each
//! engine in turn, attestations written a second (body, identity, entry: as the sequencer does it,
//! in groups), lookups a second of ids that are there and that are not, bytes on disk after a clean
//! stop, and the time of the next start; then sled's figures as a part of fjall's.

use std::path::Path;
use std::time::Instant;

use hallmark_node::index::engine::Engine;
use hallmark_node::index::{Batch, Catalogue, Covers, LogKey};
use hallmark_node::store::pack::PackPlace;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::head::Head;
use hallmark_schemas::pack::PackPosition;

/// Attestations unless the command line says otherwise.
const COUNT: u64 = 1_000_000;
/// Attestations of one write: a busy group of the sequencer.
const GROUP: u64 = 512;
/// Ids that are looked up, of each sort.
const LOOKUPS: u64 = 200_000;
/// Bytes of a body.
const BODY_BYTES: u32 = 577;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// What one engine did.
struct Figures {
    written_a_second: f64,
    found_a_second: f64,
    missed_a_second: f64,
    bytes: u64,
    start_s: f64,
}

fn main() -> Outcome<()> {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(COUNT);
    let fjall = measure(Engine::Fjall, count)?;
    let sled = measure(Engine::Sled, count)?;
    println!(
        "sled / fjall: written {:.2}, found {:.2}, missed {:.2}, bytes {:.2}, start {:.2}",
        sled.written_a_second / fjall.written_a_second,
        sled.found_a_second / fjall.found_a_second,
        sled.missed_a_second / fjall.missed_a_second,
        sled.bytes as f64 / fjall.bytes as f64,
        sled.start_s / fjall.start_s,
    );
    Ok(())
}

/// The id of an attestation, spread as digests are.
fn id(number: u64) -> ContentId {
    ContentId::of(&number.to_be_bytes())
}

fn measure(engine: Engine, count: u64) -> Outcome<Figures> {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let dir = root.path().join("index");
    let log = LogKey::of("bench/gln-9506000134352/1");
    let catalogue = Catalogue::open("bench/gln-9506000134352/1", engine, &dir)?;
    let began = Instant::now();
    for first in (0..count).step_by(GROUP as usize) {
        write_group(&catalogue, log, first..(first + GROUP).min(count))?;
    }
    let written_a_second = count as f64 / began.elapsed().as_secs_f64();
    let looked_up = |offset: u64| -> Outcome<f64> {
        let began = Instant::now();
        for number in 0..LOOKUPS {
            // A stride that visits ids far apart; there are `count` of them.
            let number = offset + number.wrapping_mul(7_919) % count;
            assert_eq!(catalogue.entry(log, &id(number))?.is_some(), number < count);
        }
        Ok(LOOKUPS as f64 / began.elapsed().as_secs_f64())
    };
    let (found_a_second, missed_a_second) = (looked_up(0)?, looked_up(count)?);
    catalogue.persist()?;
    drop(catalogue);
    let bytes = size_of(root.path())?;
    let began = Instant::now();
    let again = Catalogue::open("bench/gln-9506000134352/1", engine, &dir)?;
    assert!(again.covers(log)?.is_some(), "what was made durable is there");
    let start_s = began.elapsed().as_secs_f64();
    println!(
        "{engine:?}: {written_a_second:.0} attestations/s written, {found_a_second:.0}/s found, \
         {missed_a_second:.0}/s missed, {:.0} B an attestation on disk, start {start_s:.2} s",
        bytes as f64 / count as f64,
    );
    Ok(Figures { written_a_second, found_a_second, missed_a_second, bytes, start_s })
}

/// What the sequencer writes: bodies as they are stored, then the same under their entries.
fn write_group(catalogue: &Catalogue, log: LogKey, group: std::ops::Range<u64>) -> Outcome<()> {
    let place = |number: u64| PackPlace {
        segment: 0,
        offset: number * u64::from(BODY_BYTES),
        length: BODY_BYTES,
    };
    let (mut stored, mut logged) = (Batch::default(), Batch::default());
    for number in group.clone() {
        let id = id(number);
        stored.put_body(log, &id, place(number));
        stored.put_identity(ContentId::of(id.bytes()).bytes(), &id);
        logged.put_logged(log, &id, place(number), number);
    }
    let packs = PackPosition { segment: 0, offset: group.end * u64::from(BODY_BYTES) };
    logged.put_covers(log, Covers { head: Head { size: group.end, root: [0; 32] }, packs });
    catalogue.write(stored)?;
    Ok(catalogue.write(logged)?)
}

fn size_of(folder: &Path) -> Outcome<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { size_of(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}
