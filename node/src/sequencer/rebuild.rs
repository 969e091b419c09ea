//! The index built from the files: bodies from the packs, entries from the bundles.
//!
//! Invariants: values come in pack order and log order, so that the first of a natural identity is
//! the first that was stored; what is at hand is indexed, also beside what is damaged.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::erasure::Erasure;
use hallmark_schemas::pack::PackPosition;

use super::{NamesWaiting, Pending, SequenceError};
use crate::admission::keys::changes_keys;
use crate::core::shared::Shared;
use crate::index::Batch;
use crate::index::erased::Erased;
use crate::index::goods::Naming;
use crate::store::StoreError;
use crate::store::pack::{PackPlace, ScannedBody};
use crate::store::tiles::{EntryCursor, TILE_WIDTH};

/// Changes written to the index at once while it is built: about 4 MiB.
const REBUILD_BATCH: usize = 16_384;

/// Adds the entries of a range of the sequenced tree.
///
/// A bundle that cannot be read is handed to `damaged`, which ends the work or lets it go on.
pub(super) fn index_entries(
    shared: &Shared,
    range: Range<u64>,
    mut damaged: impl FnMut(StoreError) -> Result<(), StoreError>,
) -> Result<(), SequenceError> {
    let (log, size) = (shared.log, shared.head().size);
    let mut changes = Batch::default();
    let mut from = range.start;
    while from < range.end {
        let to = range.end.min((from / TILE_WIDTH + 1) * TILE_WIDTH);
        match shared.tiles.entries(from..to, size) {
            Ok(entries) => {
                for (index, entry) in (from..to).zip(entries) {
                    changes.put_entry(log, &entry.id, index);
                }
            }
            Err(error) => damaged(error)?,
        }
        if REBUILD_BATCH <= changes.len() || to == range.end {
            shared.catalogue.write(std::mem::take(&mut changes))?;
        }
        shared.add_indexed(to - from);
        from = to;
    }
    Ok(())
}

/// Builds index values from pack records, in pack order, once the entries are indexed.
pub(super) struct Rebuild<'a> {
    shared: &'a Shared,
    consumed: PackPosition,
    /// Whether a record may be met again whose entry stands beside its place.
    keeps_entries: bool,
    entries: EntryCursor<'a>,
    changes: Batch,
    /// Natural identities in `changes`.
    identities: HashMap<[u8; 32], ContentId>,
    /// Records after `consumed`, once per id.
    pub(super) pending: Vec<Pending>,
    pub(super) names_waiting: NamesWaiting,
    queued: HashSet<ContentId>,
    /// The last record whose values are in `changes`.
    last: Option<(ContentId, PackPlace)>,
}

impl<'a> Rebuild<'a> {
    /// For records of an index that is `begun`, or not.
    pub(super) fn new(shared: &'a Shared, consumed: PackPosition, begun: bool) -> Rebuild<'a> {
        Rebuild {
            shared,
            consumed,
            keeps_entries: begun,
            entries: shared.tiles.cursor(shared.head().size),
            changes: Batch::default(),
            identities: HashMap::new(),
            pending: Vec::new(),
            names_waiting: NamesWaiting::default(),
            queued: HashSet::new(),
            last: None,
        }
    }

    pub(super) fn body(&mut self, scanned: ScannedBody<'_>) -> Result<(), SequenceError> {
        let ScannedBody { place, id, body } = scanned;
        let log = self.shared.log;
        self.shared.add_indexed(1);
        // An erased record stays where it is logged and is queued nowhere.
        let entry = match self.keeps_entries {
            true => self.shared.catalogue.entry(log, &id)?,
            false => None,
        };
        match entry {
            Some(entry) => self.changes.put_logged(log, &id, place, entry),
            None => self.changes.put_body(log, &id, place),
        }
        self.last = Some((id, place));
        let Some(Ok(envelope)) = body.map(Envelope::parse) else {
            self.changes.put_nameless(log);
            return Ok(());
        };
        let identity = envelope.identity().key;
        let first = match self.identities.get(&identity) {
            Some(first) => Some(*first),
            None => self.shared.catalogue.identity(&identity)?,
        };
        match first {
            None => {
                self.changes.put_identity(&identity, &id);
                self.identities.insert(identity, id);
            }
            Some(first) if first == id => {}
            Some(_) => self.changes.put_fork(&identity, &id),
        }
        if first.is_none_or(|first| first == id)
            && let Body::Label(label) = envelope.body()
        {
            self.changes.put_label(&id, &envelope.claims().iss, label);
        }
        if let Body::Erasure(body) = envelope.body()
            && Erasure::is_of(envelope.claims(), &self.shared.origin)
        {
            let erased = Erased { target: body.erased, erasure: id, done: false };
            self.changes.put_erased(log, &erased);
        }
        let (changes_keys, naming) = (changes_keys(envelope.kind()), Naming::of(&envelope));
        if changes_keys || !naming.is_empty() {
            self.listed(&id, changes_keys, &naming)?;
        }
        if self.consumed < place.end() && self.queued.insert(id) {
            self.pending.push(Pending {
                id,
                audience: envelope.claims().aud.byte(),
                place,
                identity: changes_keys,
                naming: self.names_waiting.keep(naming),
            });
        }
        if REBUILD_BATCH <= self.changes.len() { self.flush() } else { Ok(()) }
    }

    /// Puts an attestation of the tree into the lists that are kept in the tree's order.
    fn listed(
        &mut self,
        id: &ContentId,
        changes_keys: bool,
        naming: &Naming,
    ) -> Result<(), SequenceError> {
        let log = self.shared.log;
        let Some(index) = self.shared.catalogue.entry(log, id)? else {
            return Ok(());
        };
        if changes_keys {
            self.changes.put_identity_entry(log, index, id);
        }
        match self.entries.get(index) {
            Ok(Some(entry)) => {
                self.changes.put_goods(log, (index, entry.admitted_at), id, naming);
                Ok(())
            }
            // Its bundle cannot be served either, and that was told.
            Ok(None) | Err(StoreError::Damaged { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), SequenceError> {
        if let Some((id, place)) = self.last.take() {
            self.changes.put_last_record(self.shared.log, &id, place);
        }
        self.shared.catalogue.write(std::mem::take(&mut self.changes))?;
        self.identities.clear();
        Ok(())
    }
}
