//! Proofs of inclusion from the tiles of a large log, without an index.

use std::sync::Arc;
use std::time::Instant;

use hallmark_node::store::disk::OsDisk;
use hallmark_node::store::tiles::{Edge, Tiles};
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::Head;
use hallmark_schemas::merkle::verify_inclusion;
use hallmark_schemas::time::Timestamp;

use crate::percentiles;
use crate::support::Outcome;

/// Entries written at once.
const BATCH: u64 = 32_768;
/// Proofs that are asked for.
const PROOFS: u64 = 20_000;

/// Prints the time of a proof for random entries.
pub(crate) fn measure(count: u64) -> Outcome<()> {
    let root = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let tiles = Tiles::new(Arc::new(OsDisk), root.path());
    let mut edge = Edge::empty();
    while edge.size() < count {
        let batch: Vec<Entry> = (edge.size()..count.min(edge.size() + BATCH)).map(entry).collect();
        let before = edge.size();
        edge = tiles.grow(&edge, &batch)?;
        tiles.remove_partial(before, edge.size())?;
    }
    let head = Head { size: edge.size(), root: edge.root() };
    let (mut times, mut random) = (Vec::new(), 1u64);
    for _ in 0..PROOFS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let index = (random >> 16) % count;
        let began = Instant::now();
        let path = tiles.inclusion(index, head.size, head)?;
        times.push(began.elapsed());
        verify_inclusion(&entry(index).leaf_hash(), index, head.size, &path, &head.root)?;
    }
    let [p50, p99] = percentiles(times).map(|time| time.as_secs_f64() * 1e6);
    println!("proof: a random entry of {count}, tiles only: p50 {p50:.0} µs, p99 {p99:.0} µs");
    Ok(())
}

fn entry(index: u64) -> Entry {
    let id = ContentId::of(&index.to_be_bytes());
    Entry { audience: 0, admitted_at: Timestamp::from_unix_ms(1_780_000_000_000 + index), id }
}
