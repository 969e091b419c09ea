//! The own log made whole again: from an old copy of DATA, or from none, with what others hold.
//!
//! Invariants: nothing is signed here; what comes from others counts only under a checkpoint that
//! this log's own key signed; the head is written last, and only after so many witnesses have
//! told their newest checkpoint that every possible quorum is represented; a head that was signed
//! is never given up for a smaller one unless every witness says that it never saw it, and for
//! another tree only if it was never published and that one was (`fork.rs`). Interrupted, it leaves
//! a log that signs nothing, and another run goes on from what is there.

pub(crate) mod bodies;
mod fork;
pub(crate) mod from_backup;
pub(crate) mod peers;
mod shown;
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
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::note::{NoteError, SignedNote, VerifierKey};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::restored;
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::Timestamp;

use crate::repair;
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::{Disk, DiskError, OnPath};
use crate::store::elsewhere::Elsewhere;
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
    /// Two trees, and receipts rest on both.
    #[error(
        "this log signed two trees and published both, {ours} entries here and {theirs} elsewhere{}",
        from.map_or(String::new(), |from| format!(": entries from {from} on differ"))
    )]
    BothPublished {
        /// The first entry that differs, if somebody gave it.
        from: Option<u64>,
        /// Entries that were published here.
        ours: u64,
        /// Entries that were published elsewhere.
        theirs: u64,
    },
    /// Two trees, and nobody can say whether the other one was published.
    #[error(
        "this log signed another tree of {size} entries elsewhere, and a quorum may have cosigned it"
    )]
    MayBePublished {
        /// Entries of the other tree.
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
    /// The tree that was here, if it was given up for another, and the first entry that differs.
    pub(crate) given_up: Option<(Head, u64)>,
    /// The newest checkpoint of the tree that is here, with all signatures that were brought.
    pub(crate) note: Option<SignedNote>,
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
    /// Every checkpoint that is known, with all signatures that were brought.
    notes: BTreeMap<Tree, SignedNote>,
    /// Those that this machine published itself.
    own: BTreeSet<Tree>,
    /// Those that others brought.
    brought: BTreeSet<Tree>,
    /// Witnesses that told what they hold, by name: their newest.
    heard: BTreeMap<String, Option<Head>>,
    /// The name of the witness whose key lies in this folder: a copy of the folder has it too.
    own_witness: Option<String>,
    /// What the other process that signs this log has published, if it said so.
    other: Option<Head>,
    elsewhere: Elsewhere,
    /// Trees that an earlier run gave up: nobody's word brings them back.
    given_before: Vec<Head>,
    /// The tree that was here and is given up, and the first entry that differs.
    given_up: Option<(Head, u64)>,
}

/// Size and root: of one size there may be two trees.
type Tree = (u64, Hash);

impl Recovery {
    /// Reads what is here. Nothing is changed.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        slots: HeadSlots,
        data: Data,
        key: VerifierKey,
        policy: Policy,
    ) -> Result<Recovery, RestoreError> {
        let elsewhere = Elsewhere::new(disk.clone(), &data);
        let given_before = elsewhere.given_up()?;
        let known = match slots.load() {
            // A run that was interrupted may have given it up already.
            Ok(head) => Some(head).filter(|head| !given_before.contains(head)),
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
            own: BTreeSet::new(),
            brought: BTreeSet::new(),
            heard: BTreeMap::new(),
            own_witness: None,
            other: None,
            elsewhere,
            given_before,
            given_up: None,
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
        recovery.own = std::mem::take(&mut recovery.brought);
        recovery.floor = recovery.proved();
        // What was heard before a restart of what was signed elsewhere.
        if let Some(note) = recovery.elsewhere.newest()? {
            // One that is not this log's says nothing.
            let _ = recovery.offer(note);
        }
        Ok(recovery)
    }

    /// The newest tree whose right edge is here and gives a root that was signed or swapped in.
    fn proved(&self) -> Head {
        let signed = self.notes.keys().rev().map(head_of);
        let mut heads: Vec<Head> = self.known.into_iter().chain(signed).collect();
        heads.sort_by_key(|head| std::cmp::Reverse(head.size));
        heads.into_iter().find(|head| self.is_whole(*head)).unwrap_or(Head::EMPTY)
    }

    /// Whether the right edge of this tree is here.
    fn is_whole(&self, head: Head) -> bool {
        let edge = self.tiles.edge(head.size);
        edge.is_ok_and(|edge| edge.root() == head.root && edge.damaged_entry().is_none())
    }

    /// Takes a checkpoint of this log that somebody holds.
    pub(crate) fn offer(&mut self, note: SignedNote) -> Result<(), RestoreError> {
        let checkpoint = note.checkpoint_of(&self.key)?;
        let head = Head { size: checkpoint.size, root: checkpoint.root };
        if head.size == 0 || self.given_before.contains(&head) {
            return Ok(());
        }
        let tree = (checkpoint.size, checkpoint.root);
        self.brought.insert(tree);
        let Some(known) = self.notes.get_mut(&tree) else {
            self.notes.insert(tree, note);
            return Ok(());
        };
        if known.text() == note.text() {
            let witnesses = self.policy.witnesses().iter().map(|witness| &witness.key);
            for line in note.signatures() {
                match witnesses.clone().find(|key| line.is_of(key)) {
                    // A wrong one would refuse the whole note: it is passed over.
                    Some(key) => _ = known.add_newest(line.clone(), key),
                    None => known.add(line.clone()),
                }
            }
        }
        Ok(())
    }

    /// Notes that the witness of this name has told its newest checkpoint, or that it has none.
    pub(crate) fn heard(&mut self, name: &str, newest: Option<Head>) {
        let known = self.heard.entry(name.to_owned()).or_default();
        *known = [*known, newest].into_iter().flatten().max_by_key(|head| head.size);
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
        let is_heard = |name: &String| self.heard.contains_key(name);
        let rivals = self.rivals()?;
        let newest = self.notes.keys().rev().map(head_of).find(|head| !rivals.contains(head));
        let signed = newest.unwrap_or(Head::EMPTY);
        if policy.is_none() && self.known.is_none_or(|known| known.size < signed.size) {
            return Err(RestoreError::Alone);
        }
        if !policy.guard_met(|witness| is_heard(&witness.name)) {
            let heard = self.heard.keys().cloned().collect();
            return Err(RestoreError::TooFewHeard { heard, needed: policy.guard_count() });
        }
        if let Some(published) = self.published_rival(&rivals)? {
            return Ok(published);
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

    /// The last head that anyone knows of; whether all of its entries are here and nothing else was
    /// signed.
    pub(crate) fn last_known(&self) -> Result<(Head, bool), RestoreError> {
        let signed = self.notes.keys().next_back().map(head_of);
        let heads = self.known.into_iter().chain(signed).chain([self.floor]);
        let last = heads.max_by_key(|head| head.size).unwrap_or(Head::EMPTY);
        let is_alone = self.rivals()?.is_empty();
        Ok((last, is_alone && last == self.floor && self.known == Some(last)))
    }

    /// Makes the log whole, as far as the source goes.
    pub(crate) fn run(
        mut self,
        source: &mut dyn Source,
        told: &mut Told<'_>,
    ) -> Result<Restored, RestoreError> {
        let head = self.target()?;
        // A run that goes on after this one does not know what was here before.
        self.note_lost(self.floor.size..head.size)?;
        let reached = self.reach(head, source, told)?;
        let before = self.floor.size.min(reached.size);
        self.check_signed(reached)?;
        let is_kept = |known: &Head| self.given_up.is_none_or(|(given_up, _)| given_up != *known);
        if let Some(known) = self.known.filter(|known| known.size <= reached.size && is_kept(known))
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
        if reached == head {
            self.elsewhere.forget()?;
        }
        let note = self.notes.get(&(reached.size, reached.root)).cloned();
        Ok(Restored {
            head,
            reached,
            before,
            mended: mended.mended,
            fetched: packs.fetched,
            missing: packs.missing,
            unlogged: packs.unlogged,
            given_up: self.given_up,
            note,
        })
    }

    /// Brings the entries of `head`, or of the largest smaller checkpoint that can be had.
    fn reach(
        &mut self,
        head: Head,
        source: &mut dyn Source,
        told: &mut Told<'_>,
    ) -> Result<Head, RestoreError> {
        if self.is_here(head)? {
            return Ok(head);
        }
        let reached = self.reach_on(head, source, told)?;
        if reached != self.floor {
            return Ok(reached);
        }
        // What others have does not go on from here: does it differ before?
        match self.differs_from(head, source)? {
            Some(first) => {
                self.give_up(first, head)?;
                self.reach_on(head, source, told)
            }
            None => Ok(self.floor),
        }
    }

    /// The same on top of what is here.
    fn reach_on(
        &self,
        head: Head,
        source: &mut dyn Source,
        told: &mut Told<'_>,
    ) -> Result<Head, RestoreError> {
        let smaller = self.notes.range(..(head.size, Hash::default())).rev();
        let smaller = smaller.map(|(tree, _)| head_of(tree));
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

    /// Every checkpoint that others hold is of this tree, or of one that was never published.
    fn check_signed(&self, reached: Head) -> Result<(), RestoreError> {
        let given_up = self.elsewhere.given_up()?;
        let newest = self.notes.keys().next_back();
        for tree in self.brought.iter().chain(newest).filter(|(size, _)| *size <= reached.size) {
            let head = head_of(tree);
            if self.tiles.root_within(head.size, reached.size)? == head.root
                || given_up.contains(&head)
            {
                continue;
            }
            self.may_give_up(head, reached)?;
            self.elsewhere.give_up(head)?;
        }
        Ok(())
    }

    /// Puts the checkpoints that came into the history; the newest with its quorum is published.
    fn publish(&self, reached: Head) -> Result<(), RestoreError> {
        self.checkpoints.mend()?;
        let newer = self.notes.iter().filter(|((size, _), _)| self.published < *size);
        for ((size, root), note) in newer.filter(|((size, _), _)| *size <= reached.size) {
            let is_of_it = self.tiles.root_within(*size, reached.size)? == *root;
            if is_of_it && self.policy.quorum_met(note)?.is_some() {
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
        let (path, folder) = (self.data.restored(), self.data.path());
        self.disk.create_dir_all(folder).on("make", folder)?;
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

fn head_of((size, root): &Tree) -> Head {
    Head { size: *size, root: *root }
}
