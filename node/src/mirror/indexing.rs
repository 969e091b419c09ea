//! The index of a copy, brought up to its files.
//!
//! Invariants: what the index says of a body is either proved by reading it or was written by one
//! that had made the body durable; a body that is not where the index says is wanted again.

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::head::Head;
use hallmark_schemas::pack::PackPosition;

use super::{MirrorError, MirroredLog};
use crate::admission::keys::changes_keys;
use crate::index::goods::Naming;
use crate::index::{Batch, Covers};
use crate::store::StoreError;
use crate::store::tiles::EntryCursor;

/// Entries that are indexed at once.
pub(super) const INDEX_BATCH: u64 = 16_384;

/// What is here of a body.
enum Held {
    Whole(Vec<u8>),
    Erased,
    Nowhere,
}

impl MirroredLog {
    /// Puts a body into the lists that are kept in the log's order.
    pub(super) fn list(
        &self,
        index: u64,
        body: &[u8],
        entries: &mut EntryCursor<'_>,
        changes: &mut Batch,
    ) -> Result<(), StoreError> {
        let Ok(envelope) = Envelope::parse(body) else {
            return Ok(());
        };
        self.note_erasure(&envelope, changes);
        if changes_keys(envelope.kind()) {
            changes.put_identity_entry(self.log, index, &envelope.id());
        }
        let naming = Naming::of(&envelope);
        if !naming.is_empty()
            && let Some(entry) = entries.get(index)?
        {
            changes.put_said(self.log, index, &envelope.identity().key);
            let at = (index, entry.admitted_at);
            changes.put_goods(self.log, at, &envelope.id(), &naming);
        }
        Ok(())
    }

    /// Brings the index up to the copy and the key history up to the index.
    pub(super) fn catch_up(&self) -> Result<(), MirrorError> {
        let state = self.lock();
        let (head, end) = (state.head, state.packs.end());
        if state.edge.size() != head.size {
            return Ok(()); // what is fetched again is indexed again
        }
        drop(state);
        let start = Covers { head: Head::EMPTY, packs: PackPosition::default() };
        let mut covers = self.catalogue.covers(self.log)?.unwrap_or(start);
        let prefix = covers.head.size <= head.size
            && self.tiles.root_within(covers.head.size, head.size)? == covers.head.root;
        if !prefix || end < covers.packs || !self.catalogue.is_of_packs(self.log, &self.packs)? {
            covers = start;
        }
        self.index_from(covers, head, end)?;
        for (index, id) in self.catalogue.identities(self.log, 0..head.size)? {
            match self.body(&id) {
                Ok(Some(body)) => self.learn(index, &body)?,
                Ok(None) => {}
                Err(StoreError::Damaged { path, reason }) => {
                    let (origin, path) = (self.origin(), path.display());
                    tracing::warn!(origin, %id, %path, reason, "a key of this log is asked for again");
                    self.want_again(index, &id)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// What lies where a body was is no longer looked at: the log's node is asked for it again.
    fn want_again(&self, index: u64, id: &ContentId) -> Result<(), StoreError> {
        let mut changes = Batch::default();
        changes.remove_body(self.log, id);
        changes.put_wanted(self.log, index, id);
        Ok(self.catalogue.write(changes)?)
    }

    /// Builds the index of this copy again, whatever it says it covers.
    pub fn reindex(&self) -> Result<(), MirrorError> {
        let state = self.lock();
        let (head, end) = (state.head, state.packs.end());
        if state.edge.size() != head.size {
            return Ok(());
        }
        drop(state);
        let start = Covers { head: Head::EMPTY, packs: PackPosition::default() };
        self.index_from(start, head, end)
    }

    /// Writes what is not all yet: the index then covers no entry, and says how far the packs go
    /// that it knows, because a start writes again what lies after that.
    pub(super) fn write_part(
        &self,
        changes: &mut Batch,
        packs: PackPosition,
    ) -> Result<(), StoreError> {
        let mut part = std::mem::take(changes);
        part.put_covers(self.log, Covers { head: Head::EMPTY, packs });
        Ok(self.catalogue.write(part)?)
    }

    /// What lies where the index says that a body lies.
    fn held_body(&self, id: &ContentId) -> Result<Held, StoreError> {
        let Some(place) = self.catalogue.body(self.log, id)? else {
            return Ok(Held::Nowhere);
        };
        match self.packs.look(place, id) {
            Ok(Some(body)) => Ok(Held::Whole(body)),
            Ok(None) => Ok(Held::Erased),
            // Older packs under a newer index, or damage: the log's node is asked for it again.
            Err(StoreError::Damaged { .. }) => Ok(Held::Nowhere),
            Err(error) => Err(error),
        }
    }

    fn index_from(&self, covers: Covers, head: Head, end: PackPosition) -> Result<(), MirrorError> {
        self.index_entries(covers.head.size, head)?;
        let mut changes = Batch::default();
        let mut entries = self.tiles.cursor(head.size);
        let mut last = None;
        self.packs.scan(covers.packs, |scanned| {
            changes.put_body(self.log, &scanned.id, scanned.place);
            last = Some((scanned.id, scanned.place));
            if let Some(entry) = self.catalogue.entry(self.log, &scanned.id)? {
                changes.remove_wanted(self.log, entry);
                if let Some(body) = scanned.body {
                    self.list(entry, body, &mut entries, &mut changes)?;
                }
            }
            if changes.len() < INDEX_BATCH as usize {
                return Ok(());
            }
            changes.put_last_record(self.log, &scanned.id, scanned.place);
            Ok::<_, MirrorError>(self.write_part(&mut changes, scanned.place.end())?)
        })?;
        if let Some((id, place)) = last {
            changes.put_last_record(self.log, &id, place);
        }
        changes.put_covers(self.log, Covers { head, packs: end });
        Ok(self.catalogue.write(changes)?)
    }

    /// Adds the entries from `from` to the index: those without a body to the want-list, those
    /// with one, which a copy that is fetched again has, to the lists. What the index says of a
    /// body is believed once it was read.
    pub(super) fn index_entries(&self, from: u64, head: Head) -> Result<(), StoreError> {
        let mut from = from;
        while from < head.size {
            let to = head.size.min(from + INDEX_BATCH);
            let mut changes = Batch::default();
            let mut entries = self.tiles.cursor(head.size);
            for (index, entry) in (from..to).zip(self.tiles.entries(from..to, head.size)?) {
                changes.put_entry(self.log, &entry.id, index);
                match self.held_body(&entry.id)? {
                    Held::Whole(body) => self.list(index, &body, &mut entries, &mut changes)?,
                    Held::Erased => {}
                    Held::Nowhere => {
                        changes.remove_body(self.log, &entry.id);
                        let erased = self.catalogue.erased(self.log, &entry.id)?;
                        if erased.is_none_or(|erased| !erased.done) {
                            changes.put_wanted(self.log, index, &entry.id);
                        }
                    }
                }
                if INDEX_BATCH as usize <= changes.len() {
                    self.catalogue.write(std::mem::take(&mut changes))?;
                }
            }
            self.catalogue.write(changes)?;
            from = to;
        }
        Ok(())
    }
}
