//! A followed log on its way from one checkpoint to a newer one.
//!
//! Invariants: entries are hashed onto the edge that was proved before; files beyond the copy's
//! checkpoint may be anything, so a growth that fails or is dropped leaves the copy as it was.

use std::sync::Arc;

use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::Head;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::Timestamp;

use super::{MirrorError, MirroredLog, quorum_time};
use crate::index::{Batch, Covers};
use crate::mutants::mutant;
use crate::store::tiles::{Edge, TILE_WIDTH, parse_bundle};

/// Entries that are written at once: 64 bundles, 672 kB.
pub const WRITE_ENTRIES: usize = 64 * TILE_WIDTH as usize;

/// Wants entry bundles, one after the other, until the new tree is whole.
pub struct Growth {
    log: Arc<MirroredLog>,
    note: SignedNote,
    target: Head,
    /// The checkpoint that the copy has: the new tree must begin with it.
    floor: Head,
    edge: Edge,
    entries: Vec<Entry>,
    /// The newest time so far, with its entry, and the first entry that goes back behind it.
    newest: Option<(u64, Timestamp)>,
    went_back: Option<(u64, u64)>,
    /// Some bundles are from an earlier run, of which nobody can be accused.
    has_kept: bool,
}

impl Growth {
    pub(super) fn new(
        log: Arc<MirroredLog>,
        note: SignedNote,
        target: Head,
        floor: Head,
        (edge, last): (Edge, Option<Entry>),
    ) -> Growth {
        let newest = last.map(|last| (edge.size() - 1, last.admitted_at));
        let (entries, went_back) = (Vec::new(), None);
        let has_kept = false;
        Growth { log, note, target, floor, edge, entries, newest, went_back, has_kept }
    }

    /// What it grows to.
    pub fn note(&self) -> &SignedNote {
        &self.note
    }

    /// Whether [`Growth::take_kept`] took anything.
    pub fn has_kept(&self) -> bool {
        self.has_kept
    }

    /// Takes the full bundles that an earlier run wrote before it ended, as if they were served: so
    /// a long way is not gone twice. They are proved with all others, by the root.
    pub fn take_kept(&mut self) -> Result<(), MirrorError> {
        while let Some(path) = self.wants().filter(|path| path.is_full()) {
            let Some(bundle) = self.log.tiles.kept_bundle(&path)? else { break };
            self.has_kept = true;
            if self.take(&bundle).is_err() {
                // Torn: it is asked for.
                break;
            }
        }
        Ok(())
    }

    /// The entry bundle to feed next; `None` once all are here.
    pub fn wants(&self) -> Option<TilePath> {
        let size = self.size();
        if self.target.size <= size {
            return None;
        }
        let index = size / TILE_WIDTH;
        let width = (self.target.size - index * TILE_WIDTH).min(TILE_WIDTH) as u16;
        Some(TilePath::Entries { index, width })
    }

    /// Takes the bundle that was wanted.
    pub fn feed(&mut self, bundle: &[u8]) -> Result<(), MirrorError> {
        let taken = self.take(bundle);
        self.look_at(&taken);
        taken
    }

    fn take(&mut self, bundle: &[u8]) -> Result<(), MirrorError> {
        let Some(path) = self.wants() else {
            return Ok(());
        };
        let refuse = |reason| MirrorError::Bundle { path, reason };
        let mut entries = parse_bundle(bundle).map_err(refuse)?;
        if entries.len() == TILE_WIDTH as usize {
            // A partial bundle that is gone is served as the full one, which holds more.
            entries.truncate(usize::from(path.width()));
        }
        if entries.len() != usize::from(path.width()) {
            return Err(refuse(format!("it has {} entries", entries.len())));
        }
        let first = path.index() * TILE_WIDTH;
        let known = (self.size() - first) as usize;
        for (index, entry) in (first..self.edge.size()).zip(&entries) {
            let ours = self.edge.partial_entry(index);
            if ours != Some(*entry) {
                return Err(MirrorError::Rewritten { index });
            }
        }
        for entry in entries.into_iter().skip(known) {
            self.look_at_time(&entry);
            self.entries.push(entry);
            // The tree must pass through the checkpoint that the copy has.
            if self.size() == self.floor.size && self.edge.size() < self.floor.size {
                self.write()?;
                if self.edge.root() != self.floor.root {
                    return Err(MirrorError::OtherRoot { size: self.floor.size });
                }
            }
        }
        let is_full = WRITE_ENTRIES <= self.entries.len() && !mutant("growth-unbounded");
        if is_full { self.write() } else { Ok(()) }
    }

    /// Entries in memory.
    #[cfg(feature = "sim")]
    pub(crate) fn unwritten(&self) -> usize {
        self.entries.len()
    }

    /// Takes the checkpoint over, if the entries lead to its root.
    pub fn commit(mut self) -> Result<(), MirrorError> {
        self.write()?;
        let target = self.target;
        let is_proved = self.edge.size() == target.size && self.edge.root() == target.root;
        if !is_proved && !mutant("copy-grows-unproved") {
            let refused = Err(MirrorError::OtherRoot { size: target.size });
            self.look_at(&refused);
            return refused;
        }
        let log = &self.log;
        let mut state = log.lock();
        if state.head != self.floor {
            return Err(MirrorError::Overtaken);
        }
        let indexed = if state.edge.size() == state.head.size { state.head.size } else { 0 };
        log.checkpoints.publish(&self.note.to_bytes())?;
        let time = quorum_time(&state.network, &self.note);
        state.times.push(target.size, time);
        state.head = target;
        state.edge = self.edge;
        state.note = Some(Arc::new(self.note));
        let packs = state.packs.end();
        log.index_entries(indexed, target)?;
        let mut changes = Batch::default();
        changes.put_covers(log.log, Covers { head: target, packs });
        log.catalogue.write(changes)?;
        drop(state);
        if let Some(places) = self.went_back {
            log.keep_times_back(places)?;
        }
        if let Err(error) = log.tiles.remove_partial(self.floor.size, target.size) {
            tracing::warn!(%error, "partial tiles stay");
        }
        Ok(())
    }

    /// What is served otherwise than it was signed is looked into.
    fn look_at(&self, outcome: &Result<(), MirrorError>) {
        use MirrorError::{Bundle, OtherRoot, Rewritten};
        let is_refuted =
            matches!(outcome, Err(OtherRoot { .. } | Rewritten { .. } | Bundle { .. }));
        if is_refuted && !self.has_kept {
            self.log.suspect(&self.note);
        }
        // What leads to no root that was signed is of no use to the next growth either.
        if is_refuted && let Err(error) = self.log.tiles.remove_beyond(self.floor.size) {
            tracing::warn!(%error, "entries that prove nothing stay");
        }
    }

    /// A log that goes back in time is followed: what it signed is evidence against it.
    fn look_at_time(&mut self, entry: &Entry) {
        let index = self.size();
        match self.newest {
            Some((before, newest)) if entry.admitted_at < newest => {
                self.went_back.get_or_insert((before, index));
            }
            _ => self.newest = Some((index, entry.admitted_at)),
        }
    }

    fn size(&self) -> u64 {
        self.edge.size() + self.entries.len() as u64
    }

    fn write(&mut self) -> Result<(), MirrorError> {
        if !self.entries.is_empty() {
            self.edge = self.log.tiles.grow(&self.edge, &self.entries)?;
            self.entries.clear();
        }
        Ok(())
    }
}
