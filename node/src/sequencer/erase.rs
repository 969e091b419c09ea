//! Bodies of the own log, erased once the log itself says so.
//!
//! Invariant: nothing is erased before its erasure stands under a published checkpoint, so that
//! whoever misses the body can see why.

use std::sync::Arc;

use hallmark_schemas::layout::Data;

use super::{SequenceError, Sequencer};
use crate::core::shared::Shared;
use crate::erasure::{Books, Derived, Eraser};
use crate::store::disk::Disk;

/// What of the own log waits to be erased.
pub(super) struct Erasing {
    disk: Arc<dyn Disk>,
    data: Data,
    eraser: Eraser,
    /// Whether the index may know of an erasure that is not carried out.
    pub(super) due: bool,
}

impl Erasing {
    pub(super) fn new(disk: Arc<dyn Disk>, data: &Data) -> Erasing {
        let derived = Arc::new(Derived::new(disk.clone(), data.clone()));
        let eraser = Eraser::new(disk.clone(), data, derived);
        Erasing { disk, data: data.clone(), eraser, due: true }
    }
}

impl Sequencer {
    /// The same log, where these tables and findings are made from its bodies.
    pub(crate) fn forgetting(mut self, derived: Arc<Derived>) -> Sequencer {
        self.erasing.eraser = Eraser::new(self.erasing.disk.clone(), &self.erasing.data, derived);
        self
    }

    /// Carries out the erasures that are published.
    pub(crate) fn carry_out_erasures(&mut self) -> Result<(), SequenceError> {
        if !self.erasing.due {
            return Ok(());
        }
        let shared: Arc<Shared> = self.shared.clone();
        let (catalogue, log) = (&shared.catalogue, shared.log);
        let (mut due, mut is_waiting) = (Vec::new(), false);
        for erased in catalogue.erasures_due(log)? {
            let entry = catalogue.entry(log, &erased.erasure)?;
            match entry.filter(|entry| *entry < shared.published_size()) {
                Some(_) => due.push(erased),
                None => is_waiting = true,
            }
        }
        if !due.is_empty() {
            let books = Books { catalogue, log, packs: &shared.packs, is_own: true };
            self.erasing.eraser.carry_out(&books, &due, &|id| {
                let Some(index) = catalogue.entry(log, id)? else {
                    return Ok(None);
                };
                Ok(Some((index, shared.entry(index)?.admitted_at)))
            })?;
            self.nameless = true;
        }
        self.erasing.due = is_waiting;
        Ok(())
    }
}
