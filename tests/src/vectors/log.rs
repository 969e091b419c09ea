//! A log of the valid attestations: entries, tree, checkpoint, cosignature and receipt.

use super::bodies::logged;
use super::hex;
use super::world::{LOG_KEY, ORIGIN, WITNESS_KEY, instant, key, log_signer, witness_signer};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::merkle::{Frontier, Hash, inclusion_proof};
use hallmark_schemas::note::{Checkpoint, SignedNote};
use hallmark_schemas::receipt::{Receipt, ReceiptParts};
use serde_json::{Value, json};
use std::convert::Infallible;

/// The log's entries: the samples in order, admitted one second apart.
pub(super) fn entries() -> Vec<Entry> {
    let first = instant("2026-03-01T00:00:01Z");
    let entry = |(index, envelope): (i64, &hallmark_schemas::attestation::Envelope)| Entry {
        audience: envelope.claims().aud.byte(),
        admitted_at: first.checked_add_ms(1000 * index).expect("an instant of this century"),
        id: envelope.id(),
    };
    let samples = logged();
    (0..).zip(samples.iter().map(|sample| &sample.envelope)).map(entry).collect()
}

/// Root of the complete subtree at `level` that is the `index`-th of its level.
fn subtree(entries: &[Entry], level: u32, index: u64) -> Hash {
    let width = 1_u64 << level;
    let first = usize::try_from(index * width).expect("a small tree");
    let mut frontier = Frontier::new();
    for entry in &entries[first..first + (1 << level)] {
        frontier.push(entry.leaf_hash());
    }
    frontier.root()
}

pub(super) fn path(index: u64) -> Vec<Hash> {
    let entries = entries();
    let read = |level, index| Ok::<_, Infallible>(subtree(&entries, level, index));
    let Ok(proof) = inclusion_proof(index, entries.len() as u64, read);
    proof
}

/// The checkpoint over all entries, signed by the log and cosigned by the witness.
pub(super) fn checkpoint() -> SignedNote {
    let mut frontier = Frontier::new();
    entries().iter().for_each(|entry| frontier.push(entry.leaf_hash()));
    let text = Checkpoint::new(ORIGIN, frontier.size(), frontier.root()).to_string();
    let mut note = SignedNote::unsigned(text).expect("a checkpoint is a note");
    let at = instant("2026-03-01T00:01:00Z");
    for signer in [log_signer(), witness_signer()] {
        let line = signer.sign(note.text(), at).expect("a key in memory signs");
        note.add(line);
    }
    note
}

pub(super) fn receipt(index: u64) -> Vec<u8> {
    let entries = entries();
    let entry = &entries[usize::try_from(index).expect("a small tree")];
    let (path, checkpoint) = (path(index), checkpoint());
    let parts = ReceiptParts { entry, index, path: &path, checkpoint: &checkpoint };
    Receipt::sign(parts, &key(LOG_KEY)).expect("the proof leads to the checkpoint's root")
}

pub(super) fn vectors() -> Value {
    let listed = entries().into_iter().map(|entry| {
        json!({"audience": entry.audience, "admitted_at": entry.admitted_at, "id": entry.id,
            "entry": hex(&entry.to_bytes()), "leaf_hash": hex(&entry.leaf_hash())})
    });
    let checkpoint = checkpoint();
    let proof: Vec<Value> = path(4).iter().map(|hash| hex(hash)).collect();
    json!({
        "origin": ORIGIN,
        "log_seed": LOG_KEY,
        "log_key": log_signer().vkey(),
        "witness_seed": WITNESS_KEY,
        "witness_key": witness_signer().vkey(),
        "entries": listed.collect::<Vec<_>>(),
        "checkpoint": String::from_utf8_lossy(&checkpoint.to_bytes()),
        "inclusion": {"index": 4, "path": proof},
        "receipt": {"index": 4, "bytes": hex(&receipt(4))},
    })
}
