//! A log whose files do not fit together, as far as it can still be proved: served, never signed.
//!
//! Invariants: nothing is written but the index, which is derived; what is served is the newest
//! published checkpoint whose root the tiles give, with everything below it; a damaged file costs
//! what it holds and no more.

use std::sync::Arc;

use hallmark_schemas::head::Head;
use hallmark_schemas::layout::Data;
use hallmark_schemas::note::VerifierKey;
use hallmark_schemas::pack::PackPosition;
use hallmark_schemas::policy::QuorumTime;
use hallmark_schemas::time::Timestamp;

use super::SequenceError;
use super::rebuild::{Rebuild, index_entries};
use super::recover::{Notes, Signed};
use crate::core::shared::{Published, Shared};
use crate::index::{Batch, Covers};
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::Disk;

/// Most published checkpoints that are tried, newest first: each takes some small reads.
const TRIED_MAX: usize = 4096;
/// After every record that packs can hold: nothing waits for a tree that does not grow.
const CONSUMED: PackPosition = PackPosition { segment: u32::MAX, offset: u64::MAX };

/// What of the log can be served.
pub(crate) struct ReadOnlyLog {
    shared: Arc<Shared>,
    head: Head,
}

impl ReadOnlyLog {
    /// Finds the newest checkpoint that the files prove and publishes it to the readers; the tree
    /// is empty if there is none.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        data: &Data,
        shared: Arc<Shared>,
        key: &VerifierKey,
    ) -> ReadOnlyLog {
        let checkpoints = Checkpoints::new(disk, &data.checkpoint(), &data.checkpoints());
        let proved = Notes::read(&checkpoints, key).map(|notes| {
            notes.tell_times(&shared);
            newest_proved(&shared, notes)
        });
        let published = proved.unwrap_or_else(|error| {
            tracing::error!(%error, "the checkpoints of this log cannot be read");
            None
        });
        let head = published.as_ref().map_or(Head::EMPTY, |published| published.head);
        shared.set_head(head);
        shared.published.send_replace(published);
        tracing::warn!(size = head.size, "serving this log up to the newest checkpoint it proves");
        ReadOnlyLog { shared, head }
    }

    /// The tree that is served, and what else the readers see.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Makes the index cover what is served, and learns the keys of it.
    pub(crate) fn catch_up(&self) -> Result<(), SequenceError> {
        let Shared { log, catalogue, packs, .. } = &*self.shared;
        let end = packs.end()?;
        let mut covers = catalogue.covers(*log)?;
        let is_other =
            covers.is_some_and(|covers| end < covers.packs || !self.is_of_this_tree(covers.head));
        if is_other || !catalogue.is_of_packs(*log, packs)? {
            tracing::warn!("the index is of another tree or of other packs and is built again");
            catalogue.clear()?;
            covers = None;
        }
        let start = Covers { head: Head::EMPTY, packs: PackPosition::default() };
        let begun = covers.is_some();
        let covers = covers.unwrap_or(start);
        let is_behind = covers.head.size < self.head.size;
        if is_behind {
            index_entries(&self.shared, covers.head.size..self.head.size, |error| {
                tracing::warn!(%error, "entries cannot be served");
                Ok(())
            })?;
        }
        let mut rebuild = Rebuild::new(&self.shared, CONSUMED, begun);
        let damage = packs.scan(covers.packs, |body| rebuild.body(body))?;
        rebuild.flush()?;
        self.shared.found_damage(damage);
        if is_behind {
            let mut changes = Batch::default();
            changes.put_covers(*log, Covers { head: self.head, packs: end });
            catalogue.write(changes)?;
        }
        if let Err(error) = super::publish::learn(&self.shared, 0, self.head.size) {
            tracing::warn!(%error, "some keys of this log are not known");
        }
        self.shared.set_index_ready();
        Ok(())
    }

    /// Whether one of this tree and the other is a prefix of the other one, by the tiles.
    fn is_of_this_tree(&self, other: Head) -> bool {
        let tiles = &self.shared.tiles;
        let (small, large) =
            if other.size <= self.head.size { (other, self.head) } else { (self.head, other) };
        let gives = |head: Head| {
            tiles.root_within(head.size, large.size).is_ok_and(|root| root == head.root)
        };
        gives(small) && gives(large)
    }
}

/// The published note first, then those before it.
fn newest_proved(shared: &Shared, notes: Notes) -> Option<Published> {
    let published = notes.published.and_then(Result::ok);
    let tried = published.into_iter().chain(notes.history.into_iter().rev());
    tried.take(TRIED_MAX).find_map(|signed| prove(shared, signed).ok().flatten())
}

fn prove(shared: &Shared, (checkpoint, note): Signed) -> Result<Option<Published>, StoreError> {
    let size = checkpoint.size;
    if size == 0 || shared.tiles.root_at(size)? != checkpoint.root {
        return Ok(None);
    }
    let last = shared.tiles.entries(size - 1..size, size);
    let at = match (last.as_deref(), shared.policy().quorum_met(&note)) {
        (Ok([entry]), _) => entry.admitted_at,
        (_, Ok(Some(QuorumTime::At(at)))) => at,
        // The bundle is damaged and no witness spoke: the tree is proved, its time is not known.
        _ => Timestamp::EPOCH,
    };
    let head = Head { size, root: checkpoint.root };
    let cosigned_at = shared.cosigned_at(&note);
    Ok(Some(Published { head, note: Arc::new(note), at, cosigned_at }))
}
