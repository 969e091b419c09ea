//! The copy does as the log's own organisation has done: what it erased is erased here too.
//!
//! Invariants: only an erasure counts that is signed by the organisation whose log it is, with a
//! key that was in force, and stands in that log; what keys are proved from stays whoever says so.

use hallmark_schemas::attestation::Envelope;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::erasure::Erasure;

use super::{MirrorError, MirroredLog};
use crate::erasure::Books;
use crate::index::Batch;
use crate::index::erased::Erased;
use crate::store::StoreError;

impl MirroredLog {
    /// Notes an erasure among the bodies of this log, to be looked into.
    pub(super) fn note_erasure(&self, envelope: &Envelope, changes: &mut Batch) {
        if let Body::Erasure(body) = envelope.body()
            && Erasure::is_of(envelope.claims(), self.origin())
        {
            let erased = Erased { target: body.erased, erasure: envelope.id(), done: false };
            changes.put_erased(self.log, &erased);
        }
    }

    /// Carries out the erasures of this log that count by now.
    pub(super) fn carry_out_erasures(&self) -> Result<(), MirrorError> {
        let mut due = Vec::new();
        for erased in self.catalogue.erasures_due(self.log)? {
            if self.counts(&erased)? {
                due.push(erased);
            }
        }
        if due.is_empty() {
            return Ok(());
        }
        // Whoever appends bodies waits.
        let state = self.lock();
        let size = if state.edge.size() == state.head.size { state.head.size } else { 0 };
        let (catalogue, log) = (&self.catalogue, self.log);
        let books = Books { catalogue, log, packs: &self.packs, is_own: false };
        self.eraser.carry_out(&books, &due, &|id| {
            let Some(index) = catalogue.entry(log, id)?.filter(|index| *index < size) else {
                return Ok(None);
            };
            Ok(Some((index, self.tiles.entries(index..index + 1, size)?[0].admitted_at)))
        })?;
        Ok(())
    }

    /// Whether the log's own organisation said so, and the record is one that may be erased.
    fn counts(&self, erased: &Erased) -> Result<bool, StoreError> {
        let Some(index) = self.catalogue.entry(self.log, &erased.erasure)? else {
            return Ok(false);
        };
        let (Some(time), Some(body)) = (self.entry_time(index)?, self.body(&erased.erasure)?)
        else {
            return Ok(false);
        };
        let Ok(envelope) = Envelope::parse(&body) else {
            return Ok(false);
        };
        let is_signed = self.keys.read(|keys| envelope.verify(keys, time).is_ok());
        let record = match self.body(&erased.target) {
            Ok(record) => record,
            Err(StoreError::Damaged { .. }) => None,
            Err(error) => return Err(error),
        };
        let record = record.and_then(|record| Envelope::parse(&record).ok());
        Ok(is_signed && record.is_none_or(|record| Erasure::may_erase(record.kind())))
    }
}
