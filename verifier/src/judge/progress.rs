//! How far a run is, and the word that stops it.
//!
//! Invariant: what is told here changes no finding; a run that was stopped says so, and names no rule
//! as done that has not seen every bucket.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Shared by a run and whoever looks on. Rows count once for each rule that goes over them.
#[derive(Debug, Default)]
pub struct Progress {
    done: AtomicU64,
    of: AtomicU64,
    stopped: AtomicBool,
}

impl Progress {
    /// Asks the run to end after the rules that are at work.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked to end.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Rows done, and rows of all that is known to be ahead.
    pub fn rows(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.of.load(Ordering::Relaxed))
    }

    pub(crate) fn expect(&self, rows: u64) {
        self.of.fetch_add(rows, Ordering::Relaxed);
    }

    pub(crate) fn done(&self, rows: u64) {
        self.done.fetch_add(rows, Ordering::Relaxed);
    }
}
