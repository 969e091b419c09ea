//! How far a long check is, and what of it was done before it was interrupted.
//!
//! Invariant: nothing that is told here changes what a check finds: bytes are always read and
//! hashed again, and a signature that held is one that holds.

use std::sync::atomic::{AtomicU64, Ordering};

use hallmark_schemas::attestation::ContentId;

/// What is being done. Each counts its own rows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stage {
    /// Tiles and entry bundles of a log that are read.
    Tiles,
    /// Bytes of its packs that are read.
    Packs,
    /// Bodies that are parsed and held against their ids.
    Bodies,
    /// Signatures that are checked.
    Signatures,
}

/// Looks on while evidence is loaded and proved, from any thread.
pub trait Watch: Sync {
    /// So many rows of so many are done.
    fn tell(&self, stage: Stage, done: u64, of: u64);
    /// Whether the signature of this attestation was seen to hold before.
    fn has_held(&self, id: &ContentId) -> bool;
    /// The signature of this attestation holds.
    fn holds(&self, id: &ContentId);
}

/// Nobody looks on, and nothing was done before.
#[derive(Clone, Copy, Debug)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn tell(&self, _: Stage, _: u64, _: u64) {}

    fn has_held(&self, _: &ContentId) -> bool {
        false
    }

    fn holds(&self, _: &ContentId) {}
}

/// Rows between two words of progress: signatures of some 10 ms.
const TOLD_EVERY: u64 = 256;

/// Counts the rows of a stage over all threads.
pub(crate) struct Counter<'a> {
    watch: &'a dyn Watch,
    stage: Stage,
    done: AtomicU64,
    of: u64,
}

impl Counter<'_> {
    pub(crate) fn new(watch: &dyn Watch, stage: Stage, of: usize) -> Counter<'_> {
        Counter { watch, stage, done: AtomicU64::new(0), of: of as u64 }
    }

    /// One more row is done.
    pub(crate) fn one(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if done.is_multiple_of(TOLD_EVERY) || done == self.of {
            self.watch.tell(self.stage, done, self.of);
        }
    }
}
