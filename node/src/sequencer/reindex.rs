//! The index of a running node, thrown away and built again from the files.
//!
//! Invariant: until it covers the head, nothing is taken, because a duplicate could not be told.

use std::collections::VecDeque;

use super::read_only::ReadOnlyLog;
use super::{NamesWaiting, SequenceError, Sequencer};
use crate::core::shared::Shared;

impl Sequencer {
    /// As a start without an index does; what waits for the tree is found in the packs again.
    pub(crate) fn reindex(&mut self) -> Result<(), SequenceError> {
        discard(&self.shared)?;
        self.pending = VecDeque::new();
        self.names_waiting = NamesWaiting::default();
        self.catch_up()
    }
}

impl ReadOnlyLog {
    /// The same for a log that is only served.
    pub(crate) fn reindex(&self) -> Result<(), SequenceError> {
        discard(self.shared())?;
        self.catch_up()
    }
}

fn discard(shared: &Shared) -> Result<(), SequenceError> {
    shared.set_index_stale();
    Ok(shared.catalogue.begin_again()?)
}
