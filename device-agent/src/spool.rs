//! What the agent has taken and no node has receipted yet.
//!
//! Invariants: an entry counts as taken only once it is fsynced; it leaves only through
//! [`Spool::release`] (somebody's proof) or [`Spool::refuse`] (kept aside in `refused/`); each open
//! starts a new segment with a higher boot epoch, so that no sequence number is used twice even if
//! power fails; a failed write or sync poisons the spool until it is opened again.
//!
//! DIR/spool/ holds for each segment `NNNNNNNNNN.seg` (frames: one head, then entries) and
//! `NNNNNNNNNN.rel` (frames of the content ids released; not synced, for sending again is
//! harmless). Both go when all of the segment is released, but never the newest, whose head and
//! entries carry the device's chain on.

pub mod peek;
mod segment;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::frame;

use segment::Entry;

/// A segment is closed once it is longer: small enough to read whole, large enough to be few.
pub const SEGMENT_BYTES: u64 = 8 << 20;

/// What to do when the spool has reached its size.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WhenFull {
    /// Take nothing more and say so: no reading is lost that was taken.
    #[default]
    Stop,
    /// Drop every second batch of readings of the oldest segment and count them: the gaps show.
    Thin,
}

/// Bounds of a spool.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes on disk.
    pub bytes_max: u64,
    /// What happens there.
    pub when_full: WhenFull,
}

/// What an entry is to the spool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// A scan: never dropped by [`WhenFull::Thin`].
    Scan,
    /// A batch of readings, a link of the device's chain.
    Batch {
        /// Its number.
        sequence: u64,
    },
}

/// Why the spool cannot take or give an entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The disk budget is used up.
    #[error("the spool is full: {bytes} of {bytes_max} bytes wait for a node's receipt")]
    Full {
        /// Bytes kept.
        bytes: u64,
        /// The configured bound.
        bytes_max: u64,
    },
    /// An earlier write failed; what is on disk is unknown until the spool is opened again.
    #[error("an earlier write of the spool failed: restart the agent")]
    Poisoned,
    /// A file cannot be written or read.
    #[error("failed to {act} {}", path.display())]
    Disk {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Where the device's chain of batches stands.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Chain {
    /// This start's epoch: higher than any before.
    pub boot: u64,
    /// Number and content id of the last batch of readings taken in any epoch.
    pub last: Option<(u64, ContentId)>,
}

/// Most files whose marks are kept: 3 KiB at the head of each segment.
pub const MARKS_MAX: usize = 64;

/// How far a file has been taken, so that its replay goes on where it stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Mark {
    /// SHA-256 of the file.
    pub file: ContentId,
    /// Its first rows that lie in spooled batches.
    pub rows: u64,
}

impl Mark {
    /// Puts a mark last; it replaces the file's earlier one, or the oldest where there are many.
    fn keep(marks: &mut Vec<Mark>, mark: Mark) {
        marks.retain(|earlier| earlier.file != mark.file);
        if MARKS_MAX <= marks.len() {
            marks.remove(0);
        }
        marks.push(mark);
    }
}

/// What opening found.
#[derive(Debug)]
pub struct Opened {
    /// The spool.
    pub spool: Spool,
    /// Where the chain goes on.
    pub chain: Chain,
    /// Segments with bytes that are no entry, set aside as `*.damaged`; their whole entries are kept.
    pub damaged: Vec<PathBuf>,
}

/// The open spool of one agent. One thread owns it.
#[derive(Debug)]
pub struct Spool {
    dir: PathBuf,
    limits: Limits,
    /// Entries without a receipt, in the order they were taken.
    pending: BTreeMap<u64, Place>,
    ordinals: HashMap<ContentId, u64>,
    next_ordinal: u64,
    segments: BTreeMap<u64, Segment>,
    active: File,
    /// The `.rel` file written last, with its segment's number.
    released: Option<(u64, File)>,
    chain: Chain,
    marks: Vec<Mark>,
    thinned: u64,
    poisoned: bool,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    id: ContentId,
    segment: u64,
    at: u64,
    length: u32,
    class: Class,
}

#[derive(Clone, Copy, Debug, Default)]
struct Segment {
    bytes: u64,
    pending: usize,
}

impl Spool {
    /// Opens DIR's spool, makes it if it is not there, and starts a new boot epoch.
    pub fn open(dir: &Path, limits: Limits) -> Result<Opened, SpoolError> {
        std::fs::create_dir_all(dir.join("refused")).map_err(disk("create", dir))?;
        let mut found = segment::Found::default();
        for number in segment::list(dir)? {
            found.read(dir, number)?;
        }
        let chain = Chain { boot: found.chain.boot + 1, last: found.chain.last };
        let number = found.segments.last_key_value().map_or(0, |(last, _)| last + 1);
        let (active, bytes) = segment::create(dir, number, chain, &found.marks)?;
        found.segments.insert(number, Segment { bytes, pending: 0 });
        let mut spool = Spool {
            dir: dir.to_path_buf(),
            limits,
            pending: found.pending,
            ordinals: found.ordinals,
            next_ordinal: found.next_ordinal,
            segments: found.segments,
            active,
            released: None,
            chain,
            marks: found.marks,
            thinned: 0,
            poisoned: false,
        };
        spool.drop_released_segments()?;
        Ok(Opened { spool, chain, damaged: found.damaged })
    }

    /// Takes entries with one sync for all of them. On success each is durable.
    pub fn take(&mut self, entries: &[(ContentId, Class, &[u8])]) -> Result<(), SpoolError> {
        self.take_marked(entries, None)
    }

    /// How far files have been taken.
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }

    /// Takes entries and notes with the same write how far that is in a file. The mark comes last:
    /// a write that power cuts off takes rows again rather than losing them.
    pub fn take_marked(
        &mut self,
        entries: &[(ContentId, Class, &[u8])],
        mark: Option<Mark>,
    ) -> Result<(), SpoolError> {
        if self.poisoned {
            return Err(SpoolError::Poisoned);
        }
        let new: Vec<_> =
            entries.iter().filter(|(id, ..)| !self.ordinals.contains_key(id)).collect();
        let cost: u64 = new.iter().map(|(_, _, body)| segment::entry_bytes(body.len())).sum();
        self.make_room(cost)?;
        if SEGMENT_BYTES < self.active_bytes() {
            self.roll()?;
        }
        let number = self.active_number();
        let mut at = self.active_bytes();
        let mut bytes = Vec::with_capacity(usize::try_from(cost).unwrap_or(0));
        let mut places = Vec::with_capacity(new.len());
        for (id, class, body) in new {
            let length = segment::append(&mut bytes, *class, body);
            places.push(Place { id: *id, segment: number, at, length, class: *class });
            at += u64::from(length);
        }
        at += mark.map_or(0, |mark| u64::from(segment::append_mark(&mut bytes, mark)));
        self.write_active(&bytes)?;
        if let Some(mark) = mark {
            Mark::keep(&mut self.marks, mark);
        }
        let taken = places.len();
        for place in places {
            if let Class::Batch { sequence } = place.class {
                self.chain.last = Some((sequence, place.id));
            }
            self.ordinals.insert(place.id, self.next_ordinal);
            self.pending.insert(self.next_ordinal, place);
            self.next_ordinal += 1;
        }
        let segment = self.segments.entry(number).or_default();
        segment.bytes = at;
        segment.pending += taken;
        Ok(())
    }

    /// Ordinals and ids that wait for a receipt, oldest first, after `after`.
    pub fn pending_after(&self, after: Option<u64>) -> impl Iterator<Item = (u64, ContentId)> + '_ {
        let from = after.map_or(0, |ordinal| ordinal + 1);
        self.pending.range(from..).map(|(ordinal, place)| (*ordinal, place.id))
    }

    /// The attestation behind an ordinal, re-read from disk; `None` if it is no longer pending.
    pub fn read(&self, ordinal: u64) -> Result<Option<Vec<u8>>, SpoolError> {
        let Some(place) = self.pending.get(&ordinal) else {
            return Ok(None);
        };
        let path = segment::path(&self.dir, place.segment);
        let mut file = File::open(&path).map_err(disk("open", &path))?;
        file.seek(SeekFrom::Start(place.at)).map_err(disk("read", &path))?;
        let mut bytes = vec![0; place.length as usize];
        file.read_exact(&mut bytes).map_err(disk("read", &path))?;
        let entry = match frame::scan(&bytes).next() {
            Some(frame::Piece::Record { content, .. }) => Entry::parse(content),
            _ => None,
        };
        let damaged = || std::io::Error::from(std::io::ErrorKind::InvalidData);
        let entry = entry.ok_or_else(damaged).map_err(disk("read", &path))?;
        if ContentId::of(entry.body) != place.id {
            return Err(disk("read", &path)(damaged()));
        }
        Ok(Some(entry.body.to_vec()))
    }

    /// Whether an entry waits for a receipt.
    pub fn ordinal_of(&self, id: &ContentId) -> Option<u64> {
        self.ordinals.get(id).copied()
    }

    /// Lets an entry go because a receipt for it was verified. `false` if it was not here.
    pub fn release(&mut self, id: &ContentId) -> Result<bool, SpoolError> {
        let Some(ordinal) = self.ordinals.remove(id) else {
            return Ok(false);
        };
        let Some(place) = self.pending.remove(&ordinal) else {
            return Ok(false);
        };
        self.note_released(place.segment, id)?;
        let emptied = self.segments.get_mut(&place.segment).is_some_and(|segment| {
            segment.pending = segment.pending.saturating_sub(1);
            segment.pending == 0
        });
        if emptied && place.segment != self.active_number() {
            self.drop_released_segments()?;
        }
        Ok(true)
    }

    /// Moves an entry that the node refused to `refused/`, with the reason beside it.
    pub fn refuse(&mut self, id: &ContentId, reason: &str) -> Result<bool, SpoolError> {
        let Some(body) = self.ordinal_of(id).map(|at| self.read(at)).transpose()?.flatten() else {
            return Ok(false);
        };
        let stem = self.dir.join("refused").join(id.to_string().replace("sha256:", ""));
        for (path, bytes) in [
            (stem.with_extension("cose"), body.as_slice()),
            (stem.with_extension("txt"), reason.as_bytes()),
        ] {
            let mut file = File::create(&path).map_err(disk("create", &path))?;
            file.write_all(bytes).map_err(disk("write", &path))?;
            file.sync_all().map_err(disk("sync", &path))?;
        }
        sync_dir(&self.dir.join("refused"))?;
        self.release(id)
    }

    /// How full the spool is.
    pub fn state(&self) -> State {
        State { pending: self.pending.len() as u64, bytes: self.bytes(), thinned: self.thinned }
    }

    fn bytes(&self) -> u64 {
        self.segments.values().map(|segment| segment.bytes).sum()
    }

    fn active_number(&self) -> u64 {
        *self.segments.last_key_value().expect("open made one and the newest is never dropped").0
    }

    fn active_bytes(&self) -> u64 {
        self.segments.last_key_value().map_or(0, |(_, segment)| segment.bytes)
    }

    fn write_active(&mut self, bytes: &[u8]) -> Result<(), SpoolError> {
        let path = segment::path(&self.dir, self.active_number());
        let written = self.active.write_all(bytes).and_then(|()| self.active.sync_data());
        self.poisoned |= written.is_err();
        written.map_err(disk("write", &path))
    }

    fn roll(&mut self) -> Result<(), SpoolError> {
        let number = self.active_number() + 1;
        let (active, bytes) = segment::create(&self.dir, number, self.chain, &self.marks)?;
        self.active = active;
        self.segments.insert(number, Segment { bytes, pending: 0 });
        self.drop_released_segments()
    }

    fn note_released(&mut self, number: u64, id: &ContentId) -> Result<(), SpoolError> {
        let path = segment::released_path(&self.dir, number);
        if self.released.as_ref().is_none_or(|(open, _)| *open != number) {
            self.released = Some((number, segment::open_append(&path)?));
        }
        let mut record = Vec::new();
        frame::append(&mut record, id.bytes());
        match &mut self.released {
            Some((_, file)) => file.write_all(&record).map_err(disk("write", &path)),
            None => Ok(()),
        }
    }

    fn drop_released_segments(&mut self) -> Result<(), SpoolError> {
        let newest = self.active_number();
        let emptied = self
            .segments
            .iter()
            .filter(|(number, segment)| **number < newest && segment.pending == 0);
        for number in emptied.map(|(number, _)| *number).collect::<Vec<_>>() {
            segment::remove(&self.dir, number)?;
            self.segments.remove(&number);
        }
        Ok(())
    }

    fn make_room(&mut self, cost: u64) -> Result<(), SpoolError> {
        let Limits { bytes_max, when_full } = self.limits;
        while bytes_max < self.bytes() + cost {
            let freed = match when_full {
                WhenFull::Stop => 0,
                WhenFull::Thin => self.thin()?,
            };
            if freed == 0 {
                return Err(SpoolError::Full { bytes: self.bytes(), bytes_max });
            }
        }
        Ok(())
    }

    /// Rewrites the oldest segment that has something to drop; returns the bytes freed.
    fn thin(&mut self) -> Result<u64, SpoolError> {
        let newest = self.active_number();
        let candidates: Vec<u64> = self.segments.keys().copied().filter(|n| *n < newest).collect();
        for number in candidates {
            let here = self.pending.iter().filter(|(_, place)| place.segment == number);
            let thinnable =
                here.clone().filter(|(_, place)| matches!(place.class, Class::Batch { .. }));
            let drop: Vec<u64> =
                thinnable.map(|(ordinal, _)| *ordinal).skip(1).step_by(2).collect();
            let kept: Vec<(u64, Place)> =
                here.filter(|(o, _)| !drop.contains(o)).map(|(o, place)| (*o, *place)).collect();
            let before = self.segments.get(&number).map_or(0, |segment| segment.bytes);
            let bodies = kept.iter().map(|(ordinal, place)| {
                Ok((place.class, self.read(*ordinal)?.unwrap_or_default()))
            });
            let bodies = bodies.collect::<Result<Vec<_>, SpoolError>>()?;
            let (bytes, offsets) = segment::rewrite(&self.dir, number, &bodies)?;
            for ((ordinal, place), at) in kept.iter().zip(offsets) {
                self.pending.insert(*ordinal, Place { at, ..*place });
            }
            for ordinal in &drop {
                if let Some(place) = self.pending.remove(ordinal) {
                    self.ordinals.remove(&place.id);
                }
            }
            self.thinned += drop.len() as u64;
            self.segments.insert(number, Segment { bytes, pending: kept.len() });
            if bytes < before {
                return Ok(before - bytes);
            }
        }
        Ok(0)
    }
}

/// How full a spool is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize)]
pub struct State {
    /// Entries that wait for a receipt.
    pub pending: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Batches dropped by [`WhenFull::Thin`] since the start.
    pub thinned: u64,
}

/// Names the file in an I/O error.
fn disk(act: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SpoolError {
    let path = path.to_path_buf();
    move |source| SpoolError::Disk { act, path, source }
}

fn sync_dir(dir: &Path) -> Result<(), SpoolError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(disk("sync", dir))
}

#[cfg(test)]
mod tests;
