//! Segments that were cut short, or are gone, made as long again as they were.
//!
//! Invariants: only packs of the own log, whose bodies lie in the order of the log; a record is
//! added only where the segment ends before a place up to which everything was logged, so never
//! where a running writer appends: that leaves a segment that is shorter than it made it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::Head;
use hallmark_schemas::layout::Data;
use hallmark_schemas::pack::{self, PackPosition};

use super::packs::Fetch;
use crate::restore::bodies::Ids;
use crate::store::StoreError;
use crate::store::disk::{Disk, OnPath};
use crate::store::intent::IntentFile;
use crate::store::pack::SEGMENT_BYTES_MAX;
use crate::store::tiles::Tiles;

/// Bodies asked for at once: 256 MiB if each has 1 MiB.
const ASKED_MAX: usize = 256;
/// Most segments: 4 TiB of bodies.
const SEGMENTS_MAX: u64 = 1 << 16;

/// Where the id of a record begins: after its length.
const ID_AT: usize = 4;

/// Where the whole records of a segment end.
pub(crate) struct End {
    pub(crate) segment: u32,
    pub(crate) at: u64,
    /// The last of them that the log has.
    pub(crate) last: Option<ContentId>,
    /// Bytes of a record that was cut.
    pub(crate) torn: Vec<u8>,
}

impl End {
    /// Whether there is no file, or nothing in it.
    fn is_empty(&self) -> bool {
        self.at == 0 && self.torn.is_empty()
    }

    /// The id of the record that was cut.
    fn torn_id(&self) -> Option<ContentId> {
        let id = self.torn.get(ID_AT..)?.first_chunk::<32>()?;
        Some(ContentId::from_bytes(*id))
    }
}

/// What came back at the ends of segments.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Refilled {
    /// By segment, how many bodies.
    pub(crate) bodies: BTreeMap<PathBuf, u64>,
    /// A body before others was not given, so these are not where the index says.
    pub(crate) moved: bool,
}

/// The packs of a log whose ends may be lacking.
pub(crate) struct Ends<'a> {
    pub(crate) disk: &'a Arc<dyn Disk>,
    pub(crate) data: &'a Data,
    pub(crate) tree: Head,
    /// No process appends: segments behind the last one here may be made again.
    pub(crate) rests: bool,
}

impl Ends<'_> {
    /// Appends the bodies that followed in the log on the last of each segment that was cut.
    pub(crate) fn refill(
        &self,
        ends: Vec<End>,
        ids: &mut Ids,
        fetch: &mut Fetch<'_>,
    ) -> Result<Refilled, StoreError> {
        let mut found = Refilled::default();
        let intent = IntentFile::new(self.disk.clone(), &self.data.intent()).load();
        let consumed = match intent {
            Ok(intent) => intent.map(|intent| intent.consumed).unwrap_or_default(),
            Err(StoreError::Damaged { .. }) => PackPosition::default(),
            Err(error) => return Err(error),
        };
        // What was cut in a segment stood there, and not at the end of the one before.
        let torn: BTreeMap<ContentId, u32> =
            ends.iter().filter_map(|end| Some((end.torn_id()?, end.segment))).collect();
        let last_here = ends.last().map(|end| end.segment);
        let ends = self.with_lost(ends, consumed);
        let follows = self.follows(&ends)?;
        let mut next = 0;
        let lost: BTreeSet<u32> =
            ends.iter().filter(|end| end.is_empty()).map(|e| e.segment).collect();
        for end in ends {
            next = follows.get(&end.segment).copied().unwrap_or(next);
            let is_behind = last_here.is_none_or(|last| last < end.segment);
            let place = PackPosition { segment: end.segment, offset: end.at };
            let is_closed = last_here.is_some_and(|last| end.segment < last);
            if (is_behind && !self.rests) || !(is_closed || place < consumed) {
                continue;
            }
            // Nothing says where one ended that another followed which is gone: as it is, if whole.
            if lost.contains(&(end.segment + 1)) && !end.is_empty() && end.torn.is_empty() {
                continue;
            }
            let limit = match is_closed || end.segment < consumed.segment {
                true => SEGMENT_BYTES_MAX,
                false => consumed.offset,
            };
            next = self.extend(&end, (next, limit), ids, fetch, (&torn, &mut found))?;
        }
        Ok(found)
    }

    /// And segments of which there is no file, though records in them or after them were logged.
    fn with_lost(&self, ends: Vec<End>, consumed: PackPosition) -> Vec<End> {
        let last = ends.last().map_or(0, |end| end.segment).max(consumed.segment);
        // Each has a record at least, and each record an entry: no file's number is believed alone.
        let last = u64::from(last).min(self.tree.size).min(SEGMENTS_MAX) as u32;
        let lost = (0..=last).map(|segment| End { segment, at: 0, last: None, torn: Vec::new() });
        let mut all: BTreeMap<u32, End> = lost.map(|end| (end.segment, end)).collect();
        all.extend(ends.into_iter().map(|end| (end.segment, end)));
        all.into_values().collect()
    }

    /// The entry after the last record of each segment.
    fn follows(&self, ends: &[End]) -> Result<BTreeMap<u32, u64>, StoreError> {
        let lasts: BTreeMap<ContentId, u32> =
            ends.iter().filter_map(|end| Some((end.last?, end.segment))).collect();
        let tiles = Tiles::new(self.disk.clone(), &self.data.log());
        let mut cursor = tiles.cursor(self.tree.size);
        let mut follows = BTreeMap::new();
        for index in 0..self.tree.size {
            let segment = cursor.get(index)?.and_then(|entry| lasts.get(&entry.id).copied());
            follows.extend(segment.map(|segment| (segment, index + 1)));
        }
        Ok(follows)
    }

    /// Appends to one segment up to `limit`; the entry at which it stopped.
    fn extend(
        &self,
        end: &End,
        (mut index, limit): (u64, u64),
        ids: &mut Ids,
        fetch: &mut Fetch<'_>,
        (torn, found): (&BTreeMap<ContentId, u32>, &mut Refilled),
    ) -> Result<u64, StoreError> {
        let path = self.data.pack(end.segment);
        let (mut at, mut skipped) = (end.at, false);
        loop {
            let is_elsewhere =
                |entry: &Entry| torn.get(&entry.id).is_some_and(|segment| *segment != end.segment);
            let run = self.lacking(index, ids)?.into_iter();
            let run: Vec<Entry> = run.take_while(|entry| !is_elsewhere(entry)).collect();
            if run.is_empty() {
                return Ok(index);
            }
            let asked: Vec<ContentId> = run.iter().map(|entry| entry.id).collect();
            let (mut records, mut added, mut is_full) = (Vec::new(), 0, false);
            for (id, body) in asked.iter().zip(fetch(&asked)) {
                match body.filter(|body| ContentId::of(body) == *id) {
                    Some(body) => {
                        let record = (pack::HEAD_BYTES + body.len()) as u64;
                        is_full = limit < at + records.len() as u64 + record;
                        if is_full {
                            break;
                        }
                        pack::append(&mut records, id, &body);
                        ids.hold(id);
                        added += 1;
                        found.moved |= skipped;
                    }
                    None => skipped = true,
                }
                index += 1;
            }
            if added != 0 {
                self.write(end, at, &records)?;
                at += records.len() as u64;
                *found.bodies.entry(path.clone()).or_default() += added;
            }
            if is_full {
                return Ok(index);
            }
        }
    }

    /// The entries from `index` on of which nothing is held, up to the first that is.
    fn lacking(&self, index: u64, ids: &Ids) -> Result<Vec<Entry>, StoreError> {
        let tiles = Tiles::new(self.disk.clone(), &self.data.log());
        let mut cursor = tiles.cursor(self.tree.size);
        let mut run = Vec::new();
        for index in (index..self.tree.size).take(ASKED_MAX) {
            match cursor.get(index)?.filter(|entry| !ids.holds(&entry.id)) {
                Some(entry) => run.push(entry),
                None => break,
            }
        }
        Ok(run)
    }

    fn write(&self, end: &End, at: u64, records: &[u8]) -> Result<(), StoreError> {
        let path = self.data.pack(end.segment);
        if at == end.at && !end.torn.is_empty() {
            let aside = self.data.damaged();
            self.disk.create_dir_all(&aside).on("make", &aside)?;
            let aside = aside.join(format!("{:08}.pack-{at}", end.segment));
            self.disk.replace(&aside, &end.torn).on("write", &aside)?;
        }
        let mut open = File::options();
        let file = open.write(true).create(true).truncate(false).open(&path).on("open", &path)?;
        file.write_all_at(records, at).on("write", &path)?;
        file.sync_all().on("sync", &path)?;
        let folder = self.data.packs();
        Ok(self.disk.sync_dir(&folder).on("sync", &folder)?)
    }
}
