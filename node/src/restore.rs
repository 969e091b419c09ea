//! The own log made whole again: from an old copy of DATA, or from none, with what others hold.
//!
//! Invariants: nothing is signed here; what comes from others counts only under a checkpoint that
//! this log's own key signed; the head is written last, and only after so many witnesses have
//! told their newest checkpoint that every possible quorum is represented; a head that was signed
//! is never given up for a smaller one unless every witness says that it never saw it. Interrupted,
//! it leaves a log that signs nothing, and another run goes on from what is there.

pub(crate) mod bodies;
pub(crate) mod from_backup;
pub(crate) mod peers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::Head;
use hallmark_schemas::intent::Intent;
use hallmark_schemas::layout::Data;
use hallmark_schemas::note::{NoteError, SignedNote, VerifierKey};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::restored;
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::Timestamp;

use crate::repair;
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::{Disk, DiskError, OnPath};
use crate::store::head::{HeadError, HeadSlots};
use crate::store::intent::IntentFile;
use crate::store::tiles::{Edge, TILE_WIDTH, Tiles, parse_bundle};

/// Entries that are hashed and written at once.
const WRITE_ENTRIES: usize = 4096;

/// Where lost parts of a log come from. Nothing that it gives is believed.
pub(crate) trait Source {
    /// How many there are to ask.
    fn givers(&self) -> usize;
    /// A tile or entry bundle, as one of them gives it; `None` if it gives none.
    fn tile(&mut self, giver: usize, path: &TilePath) -> Option<Vec<u8>>;
    /// Bodies, one answer for each id.
    fn bodies(&mut self, giver: usize, ids: &[ContentId]) -> Vec<Option<Vec<u8>>>;
}

/// What is being done, for a progress bar.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    /// Entries that are hashed onto the tree.
    Entries,
    /// Files of the tree that are read again.
    Tiles,
    /// Bodies that are fetched.
    Bodies,
    /// Entries and bodies that are put into the index.
    Index,
}

/// Takes how far a phase is: done, of how many.
pub(crate) type Told<'a> = dyn FnMut(Phase, u64, u64) + 'a;

/// Why a log cannot be made whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum RestoreError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The head cannot be read or written.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A checkpoint is not this log's.
    #[error("a checkpoint is not this log's")]
    Note(#[from] NoteError),
    /// Two checkpoints of one size with two roots, both signed by this log.
    #[error("this log signed two trees of {size} entries")]
    Forked {
        /// The size.
        size: u64,
    },
    /// The head is of another tree than what was signed.
    #[error("the head of {head} entries is of another tree than the checkpoint of {signed}")]
    OtherTree {
        /// Entries by the head.
        head: u64,
        /// Entries by the checkpoint.
        signed: u64,
    },
    /// Neither DATA nor anyone who was asked holds a checkpoint.
    #[error("nobody who was asked holds a checkpoint of this log")]
    NothingKnown,
    /// The head is none or an old one, and there is no witness to say what was signed.
    #[error(
        "the head is lost or old, and without witnesses nobody can say what this log signed last"
    )]
    Alone,
    /// Some quorum might know more.
    #[error("too few witnesses told what they hold: {} of {needed} needed", heard.len())]
    TooFewHeard {
        /// Who did.
        heard: Vec<String>,
        /// How many must.
        needed: usize,
    },
    /// What the head stands for is nowhere.
    #[error("the head has {head} entries, the newest checkpoint that anyone holds {signed}")]
    HeadAhead {
        /// Entries by the head.
        head: u64,
        /// Entries by the checkpoint.
        signed: u64,
        /// Witnesses that did not answer.
        silent: Vec<String>,
    },
}

impl From<DiskError> for RestoreError {
    fn from(error: DiskError) -> RestoreError {
        RestoreError::Store(error.into())
    }
}

/// What became of the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Restored {
    /// The newest tree that was signed: the head.
    pub(crate) head: Head,
    /// The tree that is here: `head`, or what of it could be had.
    pub(crate) reached: Head,
    /// Entries that were here before.
    pub(crate) before: u64,
    /// Files of the tree that were lost or damaged and are whole again.
    pub(crate) mended: Vec<PathBuf>,
    /// Bodies that were fetched.
    pub(crate) fetched: u64,
    /// Entries whose bodies nobody gave.
    pub(crate) missing: Vec<(u64, Entry)>,
    /// Bodies that were told *stored* and are not in the log: the next batches log them.
    pub(crate) unlogged: u64,
}

impl Restored {
    /// Whether the log can go on.
    pub(crate) fn goes_on(&self) -> bool {
        self.head == self.reached
    }
}

/// A log that is being made whole.
pub(crate) struct Recovery {
    disk: Arc<dyn Disk>,
    data: Data,
    slots: HeadSlots,
    key: VerifierKey,
    policy: Policy,
    tiles: Tiles,
    checkpoints: Checkpoints,
    /// The head as this machine last wrote it; `None` if it is lost.
    known: Option<Head>,
    /// The newest tree that the files prove.
    floor: Head,
    /// Size of the newest checkpoint that is published here.
    published: u64,
    /// Every checkpoint that is known, by size, with all signatures that were brought.
    notes: BTreeMap<u64, SignedNote>,
    /// Sizes of those that others brought.
    brought: BTreeSet<u64>,
    /// Names of the witnesses that told what they hold.
    heard: BTreeSet<String>,
}

impl Recovery {
    /// Reads what is here. Nothing is changed.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        slots: HeadSlots,
        data: Data,
        key: VerifierKey,
        policy: Policy,
    ) -> Result<Recovery, RestoreError> {
        let known = match slots.load() {
            Ok(head) => Some(head),
            Err(HeadError::Missing { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let checkpoints = Checkpoints::new(disk.clone(), &data.checkpoint(), &data.checkpoints());
        let mut recovery = Recovery {
            tiles: Tiles::new(disk.clone(), &data.log()),
            checkpoints,
            disk,
            data,
            slots,
            key,
            policy,
            known,
            floor: Head::EMPTY,
            published: 0,
            notes: BTreeMap::new(),
            brought: BTreeSet::new(),
            heard: BTreeSet::new(),
        };
        let newest = recovery.checkpoints.newest()?;
        for bytes in recovery.checkpoints.history()?.into_iter().chain(newest) {
            // What is damaged here is what this is for.
            if let Ok(note) = SignedNote::parse(&bytes)
                && let Ok(checkpoint) = note.checkpoint_of(&recovery.key)
            {
                recovery.published = recovery.published.max(checkpoint.size);
                recovery.offer(note)?;
            }
        }
        recovery.brought.clear();
        recovery.floor = recovery.proved();
        Ok(recovery)
    }

    /// The newest tree whose right edge is here and gives a root that was signed or swapped in.
    fn proved(&self) -> Head {
        let signed = self.notes.values().rev().filter_map(|note| note.checkpoint().ok());
        let signed = signed.map(|checkpoint| Head { size: checkpoint.size, root: checkpoint.root });
        let mut heads: Vec<Head> = self.known.into_iter().chain(signed).collect();
        heads.sort_by_key(|head| std::cmp::Reverse(head.size));
        let whole = |head: &Head| {
            let edge = self.tiles.edge(head.size);
            edge.is_ok_and(|edge| edge.root() == head.root && edge.damaged_entry().is_none())
        };
        heads.into_iter().find(whole).unwrap_or(Head::EMPTY)
    }

    /// Takes a checkpoint of this log that somebody holds.
    pub(crate) fn offer(&mut self, note: SignedNote) -> Result<(), RestoreError> {
        let checkpoint = note.checkpoint_of(&self.key)?;
        if checkpoint.size == 0 {
            return Ok(());
        }
        let Some(known) = self.notes.get_mut(&checkpoint.size) else {
            self.brought.insert(checkpoint.size);
            self.notes.insert(checkpoint.size, note);
            return Ok(());
        };
        if known.checkpoint().is_ok_and(|known| known.root != checkpoint.root) {
            return Err(RestoreError::Forked { size: checkpoint.size });
        }
        if known.text() == note.text() {
            for line in note.signatures() {
                if !known.signatures().contains(line) {
                    known.add(line.clone());
                }
            }
        }
        Ok(())
    }

    /// Notes that the witness of this name has told its newest checkpoint, or that it has none.
    pub(crate) fn heard(&mut self, name: &str) {
        self.heard.insert(name.to_owned());
    }

    /// Whether the head is here as this machine wrote it: a witness's memory lies beside it.
    pub(crate) fn knows_head(&self) -> bool {
        self.known.is_some()
    }

    /// The newest tree that this log signed, as far as anyone who was asked knows.
    ///
    /// An error if somebody who was not heard might know of a newer one.
    pub(crate) fn target(&self) -> Result<Head, RestoreError> {
        let policy = &self.policy;
        let is_heard = |name: &String| self.heard.contains(name);
        let newest = self.notes.values().next_back().and_then(|note| note.checkpoint().ok());
        let newest = newest.map(|newest| Head { size: newest.size, root: newest.root });
        let signed = newest.unwrap_or(Head::EMPTY);
        if policy.is_none() && self.known.is_none_or(|known| known.size < signed.size) {
            return Err(RestoreError::Alone);
        }
        if !policy.guard_met(|witness| is_heard(&witness.name)) {
            let heard = self.heard.iter().cloned().collect();
            return Err(RestoreError::TooFewHeard { heard, needed: policy.guard_count() });
        }
        match self.known {
            Some(known) if signed.size <= known.size && self.floor == known => Ok(known),
            Some(known) if signed.size < known.size => {
                let names = policy.witnesses().iter().map(|witness| &witness.name);
                let silent: Vec<String> = names.filter(|name| !is_heard(name)).cloned().collect();
                if policy.is_none() || !silent.is_empty() || newest.is_none() {
                    let (head, signed) = (known.size, signed.size);
                    return Err(RestoreError::HeadAhead { head, signed, silent });
                }
                // Every witness says that it never saw it: so it was never published either.
                Ok(signed)
            }
            _ => newest.ok_or(RestoreError::NothingKnown),
        }
    }

    /// The last head that anyone knows of; whether all of its entries are here.
    pub(crate) fn last_known(&self) -> (Head, bool) {
        let signed = self.notes.values().next_back().and_then(|note| note.checkpoint().ok());
        let signed = signed.map(|newest| Head { size: newest.size, root: newest.root });
        let heads = self.known.into_iter().chain(signed).chain([self.floor]);
        let last = heads.max_by_key(|head| head.size).unwrap_or(Head::EMPTY);
        (last, last == self.floor && self.known == Some(last))
    }

    /// Makes the log whole, as far as the source goes.
    pub(crate) fn run(
        self,
        source: &mut dyn Source,
        told: &mut Told<'_>,
    ) -> Result<Restored, RestoreError> {
        let head = self.target()?;
        let reached = self.reach(head, source, told)?;
        let before = self.floor.size.min(reached.size);
        self.check_signed(reached)?;
        if let Some(known) = self.known.filter(|known| known.size <= reached.size)
            && self.tiles.root_within(known.size, reached.size)? != known.root
        {
            return Err(RestoreError::OtherTree { head: known.size, signed: reached.size });
        }
        let mut fetch = |path: &TilePath| {
            (0..source.givers()).filter_map(|giver| source.tile(giver, path)).collect::<Vec<_>>()
        };
        let aside = self.data.damaged();
        let mended = repair::tiles(&*self.disk, &self.tiles, &aside, reached, &mut fetch, told)?;
        if let Some(lost) = mended.lost.first() {
            return Err(StoreError::damaged(lost, "nobody gives it back").into());
        }
        let packs = bodies::recover(
            &self.disk,
            &self.data,
            &self.tiles,
            (self.key.name(), reached),
            source,
            told,
        )?;
        self.publish(reached)?;
        self.note_lost(before..reached.size)?;
        self.intend(reached, packs.consumed)?;
        self.slots.put_back(head)?;
        Ok(Restored {
            head,
            reached,
            before,
            mended: mended.mended,
            fetched: packs.fetched,
            missing: packs.missing,
            unlogged: packs.unlogged,
        })
    }

    /// Brings the entries of `head`, or of the largest smaller checkpoint that can be had.
    fn reach(
        &self,
        head: Head,
        source: &mut dyn Source,
        told: &mut Told<'_>,
    ) -> Result<Head, RestoreError> {
        if head.size <= self.floor.size {
            return Ok(head);
        }
        let smaller = self.notes.range(..head.size).rev();
        let smaller = smaller.filter_map(|(_, note)| note.checkpoint().ok());
        let smaller =
            smaller.map(|checkpoint| Head { size: checkpoint.size, root: checkpoint.root });
        for target in std::iter::once(head).chain(smaller) {
            if target.size <= self.floor.size {
                break;
            }
            // First from anywhere; if that leads to another root, somebody lied: one by one.
            let choices = std::iter::once(None).chain((0..source.givers()).map(Some));
            for only in choices {
                if self.grow(target, only, source, told)? {
                    self.tiles.remove_partial(self.floor.size, target.size)?;
                    return Ok(target);
                }
            }
        }
        Ok(self.floor)
    }

    /// Grows the tree to `target` with what `only` one giver has, or any. False if it cannot.
    fn grow(
        &self,
        target: Head,
        only: Option<usize>,
        source: &mut dyn Source,
        told: &mut Told<'_>,
    ) -> Result<bool, RestoreError> {
        let mut edge = if self.floor == Head::EMPTY {
            Edge::empty()
        } else {
            self.tiles.edge(self.floor.size)?
        };
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let size = edge.size() + entries.len() as u64;
            told(Phase::Entries, size, target.size);
            if target.size <= size || WRITE_ENTRIES <= entries.len() {
                edge = self.tiles.grow(&edge, &entries)?;
                entries.clear();
            }
            if target.size <= size {
                return Ok(edge.root() == target.root);
            }
            let index = size / TILE_WIDTH;
            let width = (target.size - index * TILE_WIDTH).min(TILE_WIDTH) as u16;
            let path = TilePath::Entries { index, width };
            let Some(bundle) = self.bundle(&path, only, source)? else {
                return Ok(false);
            };
            entries.extend_from_slice(&bundle[(size - index * TILE_WIDTH) as usize..]);
        }
    }

    /// A bundle as an interrupted run left it here, or as somebody gives it.
    fn bundle(
        &self,
        path: &TilePath,
        only: Option<usize>,
        source: &mut dyn Source,
    ) -> Result<Option<Vec<Entry>>, RestoreError> {
        let whole = |bytes: Vec<u8>| {
            parse_bundle(&bytes).ok().filter(|entries| entries.len() == usize::from(path.width()))
        };
        if let Some(giver) = only {
            return Ok(source.tile(giver, path).and_then(whole));
        }
        let file = self.tiles.path(path);
        let left = self.disk.read(&file).on("read", &file)?;
        if let Some(entries) = left.and_then(whole) {
            return Ok(Some(entries));
        }
        Ok((0..source.givers()).find_map(|giver| source.tile(giver, path).and_then(whole)))
    }

    /// Every checkpoint that others hold is of this tree.
    fn check_signed(&self, reached: Head) -> Result<(), RestoreError> {
        let newest = self.notes.keys().next_back().copied();
        for size in self.brought.iter().copied().chain(newest) {
            let note = self.notes.get(&size).filter(|_| size <= reached.size);
            if let Some(note) = note
                && self.tiles.root_within(size, reached.size)?
                    != note.checkpoint_of(&self.key)?.root
            {
                return Err(RestoreError::Forked { size });
            }
        }
        Ok(())
    }

    /// Puts the checkpoints that came into the history; the newest with its quorum is published.
    fn publish(&self, reached: Head) -> Result<(), RestoreError> {
        self.checkpoints.mend()?;
        let newer = self.notes.iter().filter(|(size, _)| self.published < **size);
        for (_, note) in newer.filter(|(size, _)| **size <= reached.size) {
            if self.policy.quorum_met(note)?.is_some() {
                self.checkpoints.publish(&note.to_bytes())?;
            }
        }
        Ok(())
    }

    /// Writes down that the history may lack checkpoints of these sizes, which nobody can give back:
    /// a witness keeps the newest one, a mirror those that it saw.
    fn note_lost(&self, sizes: std::ops::Range<u64>) -> Result<(), RestoreError> {
        if sizes.is_empty() {
            return Ok(());
        }
        let path = self.data.restored();
        let bytes = self.disk.read(&path).on("read", &path)?;
        let mut ranges = bytes.and_then(|bytes| restored::parse(&bytes)).unwrap_or_default();
        // The whole of what is known to be lost fits one line, should there be too many.
        if restored::LINES_MAX <= ranges.len() {
            let first = ranges.iter().map(|range| range.start).min().unwrap_or(sizes.start);
            ranges.clear();
            ranges.push(first..sizes.start);
        }
        if !ranges.contains(&sizes) {
            ranges.push(sizes);
        }
        let text = restored::encode(&ranges);
        Ok(self.disk.replace(&path, text.as_bytes()).on("write", &path)?)
    }

    /// An intent that is done: where the packs are consumed up to, and the newest instant.
    fn intend(
        &self,
        reached: Head,
        consumed: hallmark_schemas::pack::PackPosition,
    ) -> Result<(), RestoreError> {
        let admitted_at = match reached.size.checked_sub(1) {
            Some(last) => self.tiles.entries(last..reached.size, reached.size)?[0].admitted_at,
            None => Timestamp::EPOCH,
        };
        let intent =
            Intent { from: reached, to: reached, admitted_at, consumed, entries: Vec::new() };
        Ok(IntentFile::new(self.disk.clone(), &self.data.intent()).save(&intent)?)
    }
}
