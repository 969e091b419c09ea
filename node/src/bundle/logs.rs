//! The logs that go into a bundle, each as large as it was when the bundle was begun.
//!
//! Invariant: entries are read in runs of [`ENTRIES_MAX`], so memory does not grow with a log.

use std::sync::Arc;

use hallmark_schemas::bundle::ENTRIES_MAX;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::layout::Data;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::Timestamp;

use crate::core::LogHandle;
use crate::mirror::MirroredLog;
use crate::service::Service;
use crate::store::StoreError;
use crate::store::tiles::TILE_WIDTH;

/// A log that is held here, up to its size when the bundle was begun.
pub(super) struct HeldLog {
    pub(super) origin: String,
    pub(super) size: u64,
    pub(super) data: Data,
    /// The checkpoint of that size, as it was last cosigned.
    pub(super) note: Arc<SignedNote>,
    source: Source,
}

enum Source {
    Own(Box<LogHandle>),
    Peer(Arc<MirroredLog>),
}

/// All logs with entries, by origin.
pub(super) fn held(service: &Service) -> Vec<HeldLog> {
    let own = service.node.log().clone();
    let mut logs = Vec::new();
    if let Some(published) = own.published() {
        let (origin, size) = (own.origin().to_owned(), published.head.size);
        let (data, source) = (service.data.clone(), Source::Own(Box::new(own)));
        logs.push(HeldLog { origin, size, data, note: published.note, source });
    }
    for log in service.node.mirror().logs() {
        let (origin, size) = (log.origin().to_owned(), log.head().size);
        let data = service.data.peer(&origin);
        if let Some(note) = log.checkpoint() {
            logs.push(HeldLog { origin, size, data, note, source: Source::Peer(log) });
        }
    }
    logs.retain(|log| log.size != 0);
    logs.sort_by(|a, b| a.origin.cmp(&b.origin));
    logs
}

impl HeldLog {
    fn entries(&self, from: u64, to: u64) -> Result<Vec<Entry>, StoreError> {
        match &self.source {
            Source::Own(log) => log.entries(from..to),
            Source::Peer(log) => log.entries(from..to),
        }
    }

    /// Holds every entry bundle against the root: one that is lost or changed is an error that names it.
    pub(super) fn prove(&self) -> Result<(), StoreError> {
        for index in 0..self.size.div_ceil(TILE_WIDTH) {
            let width = (self.size - index * TILE_WIDTH).min(TILE_WIDTH) as u16;
            let path = TilePath::Entries { index, width };
            let proved = match &self.source {
                Source::Own(log) => log.tile(&path)?,
                Source::Peer(log) => log.tile(&path)?,
            };
            if proved.is_none() {
                return Err(StoreError::Beyond { size: index * TILE_WIDTH, asked: self.size });
            }
        }
        Ok(())
    }

    /// When its newest entry was admitted.
    pub(super) fn newest(&self) -> Result<Timestamp, StoreError> {
        let newest = self.entries(self.size.saturating_sub(1), self.size)?.pop();
        Ok(newest.map_or(Timestamp::EPOCH, |entry| entry.admitted_at))
    }

    /// Calls `take` with runs of entries and the index of their first, until it answers false.
    pub(super) fn each_run(
        &self,
        mut take: impl FnMut(u64, &[Entry]) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut first = 0;
        while first < self.size {
            let end = self.size.min(first + ENTRIES_MAX as u64);
            if !take(first, &self.entries(first, end)?)? {
                break;
            }
            first = end;
        }
        Ok(())
    }
}

/// Calls `take` with every entry whose id stands in no log before and nowhere earlier in its own,
/// until it answers false.
pub(super) fn each_first(
    service: &Service,
    logs: &[HeldLog],
    mut take: impl FnMut(&Entry) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let mut goes_on = true;
    for (number, log) in logs.iter().enumerate() {
        log.each_run(|_, entries| {
            for entry in entries {
                if number != 0 && is_before(service, &logs[..number], entry)? {
                    continue;
                }
                goes_on = take(entry)?;
                if !goes_on {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        if !goes_on {
            break;
        }
    }
    Ok(())
}

/// Whether one of these logs has the id, too.
fn is_before(service: &Service, logs: &[HeldLog], entry: &Entry) -> Result<bool, StoreError> {
    let places = service.node.places(&entry.id)?;
    let is_of =
        |origin: &str, index: u64| logs.iter().any(|log| log.origin == origin && index < log.size);
    Ok(places.iter().any(|place| is_of(&place.origin, place.index)))
}
