//! One log: its entries, tiles and checkpoints must be one tree.
//!
//! Invariants: every root is recomputed; a checkpoint counts only when its own signature holds, so
//! only two signed ones can accuse a log of two histories; an entry that is not the one under the
//! root is dropped; what a claimed size says is never allocated.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::Head;
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::note::{Checkpoint, SignedNote, VerifierKey};
use hallmark_schemas::policy::QuorumTime;
use hallmark_schemas::tile::{TILE_WIDTH, TilePath};
use hallmark_schemas::time::{EntryTime, Timestamp};

mod dated;
mod elsewhere;
mod history;
mod single;

use dated::Dated;

use super::network::Policies;
use super::own;
use super::tree::{self, Tree};
use crate::evidence::{Bodies, Defect, DefectKind, FoundNote, LogEvidence, LogInclusion, OwnHead};
use crate::step::Step;

/// A hash tile is not there.
const LOST_TILE: &str = "`hallmark-node check DIR --repair` computes it from the entries: nothing \
                         that was recorded is lost";
/// A file of the folder of a node is not what it was.
const WRONG_FILE: &str = "`hallmark-node check DIR --repair` computes it or fetches it from a peer, \
                          also while the node runs; or put it back from a copy of DATA";

/// A log whose tree was checked. Its signatures are checked once its key is known.
#[derive(Debug)]
pub(super) struct LogState {
    pub(super) origin: String,
    /// The input says it holds every body.
    pub(super) whole: bool,
    /// It lies in the folder of a node.
    pub(super) kept: bool,
    /// Checkpoints or runs of entries came along, not receipts alone.
    is_ranged: bool,
    /// Sizes of trees whose checkpoints are known to be lost.
    restored: Vec<Range<u64>>,
    /// What its node found to be signed elsewhere, with the file.
    elsewhere: Option<Note>,
    /// How many of them would date an entry.
    checkpoints_lost: usize,
    /// The entries that are at hand, by their index.
    pub(super) entries: Vec<(u64, Entry)>,
    /// Ranges below the newest checkpoint that are not at hand.
    pub(super) holes: Vec<Range<u64>>,
    /// By size, smallest first.
    notes: Vec<Note>,
    /// Roots of the sizes that checkpoints and the own head state, as far as they are known.
    pub(super) roots: BTreeMap<u64, Hash>,
    /// Set by [`LogState::date`].
    dated: Option<Vec<Dated>>,
    /// Which witnesses stated an instant that cannot be, in one sentence.
    went_back: Option<String>,
    /// The key of the log, once known.
    pub(super) key: Option<VerifierKey>,
    /// Receipts and proofs until [`LogState::date`] checks them.
    pub(super) inclusions: Vec<LogInclusion>,
    /// Entries that are not at hand, but proved by a receipt or proof, with their times.
    included: BTreeMap<u64, (Entry, EntryTime)>,
    /// Entries of the ranges that a proof of their own came with.
    claimed: BTreeSet<u64>,
}

/// A checkpoint, whose signature counts once [`LogState::drop_unsigned`] has kept it.
#[derive(Debug)]
struct Note {
    note: SignedNote,
    checkpoint: Checkpoint,
    found_in: String,
}

impl LogState {
    /// Checks entries, tiles and checkpoints against each other; `key` is the log's, where it is
    /// known already.
    pub(super) fn check(
        origin: String,
        log: LogEvidence,
        key: Option<&VerifierKey>,
        defects: &mut Vec<Defect>,
    ) -> LogState {
        let mut state = LogState {
            origin,
            whole: log.whole,
            kept: log.folder.is_some(),
            is_ranged: !log.entries.is_empty() || !log.checkpoints.is_empty(),
            restored: log.restored,
            elsewhere: None,
            checkpoints_lost: 0,
            entries: Vec::new(),
            holes: Vec::new(),
            notes: Vec::new(),
            roots: BTreeMap::new(),
            dated: None,
            went_back: None,
            key: None,
            inclusions: log.inclusions,
            included: BTreeMap::new(),
            claimed: BTreeSet::new(),
        };
        state.read_notes(&log.checkpoints, defects);
        state.elsewhere = log.elsewhere.and_then(|found| state.read_elsewhere(found, defects));
        if let Some(key) = key {
            state.drop_unsigned(key, defects);
        }
        if !state.notes.is_empty() {
            state.join(log.entries, log.own.as_ref(), log.folder.as_deref(), defects);
            let folder = log.folder.as_deref();
            let tree = state.settle(&log.tiles, log.own.as_ref(), folder, defects);
            state.blame_earlier(&log.unlike, &tree, defects);
            if let Some(folder) = folder {
                let sequenced = log.own.as_ref().and_then(own::size).unwrap_or(0);
                let known = tree.leaves.len() as u64;
                let sizes = [state.size(), sequenced].into_iter().filter(|size| *size <= known);
                let size = sizes.max().unwrap_or(0);
                let lost = tree::missing_tiles(size, &log.tiles).into_iter();
                defects.extend(lost.map(|path| state.lost_tile(&folder.join(path.to_string()))));
            }
            // What is proved by nothing accuses nobody of an order, and lacks no checkpoint.
            if tree.holds {
                state.check_order(defects);
            }
            if tree.holds && log.own.is_some() {
                state.check_history(defects);
            }
        }
        state
    }

    /// The size of the newest checkpoint.
    pub(super) fn size(&self) -> u64 {
        self.notes.last().map_or(0, |note| note.checkpoint.size)
    }

    /// The entry at this index, if it is at hand or proved by a receipt.
    pub(super) fn entry(&self, index: u64) -> Option<&Entry> {
        match self.entries.binary_search_by_key(&index, |(index, _)| *index) {
            Ok(place) => Some(&self.entries[place].1),
            Err(_) => self.included.get(&index).map(|(entry, _)| entry),
        }
    }

    /// Every entry that is at hand, and then those that receipts speak of, each in the order of the
    /// log. What a receipt says is not checked yet.
    pub(super) fn places(&self) -> impl Iterator<Item = (u64, Entry)> {
        let said = self.inclusions.iter().map(|one| (one.index, one.entry));
        let said: BTreeSet<_> = said.filter(|(index, _)| self.entry(*index).is_none()).collect();
        self.entries.iter().copied().chain(said)
    }

    pub(super) fn defect(&self, kind: DefectKind, detail: String) -> Defect {
        Defect {
            log: Some(self.origin.clone()),
            entry: None,
            kind,
            subject: self.origin.clone(),
            cites: Vec::new(),
            detail,
            at: None,
            remedy: None,
            proof: None,
            step: kind.step(),
        }
    }

    pub(super) fn defect_at(
        &self,
        index: u64,
        kind: DefectKind,
        id: ContentId,
        detail: String,
    ) -> Defect {
        let at = self.entry(index).map(|entry| self.time(index, entry).hi);
        let defect = self.defect(kind, detail);
        Defect { entry: Some(index), cites: vec![id], at, ..defect }
    }

    fn read_notes(&mut self, found: &[FoundNote], defects: &mut Vec<Defect>) {
        for FoundNote { bytes, found_in } in found {
            let note = SignedNote::parse(bytes).map_err(|error| error.to_string());
            let parsed = note.and_then(|note| match note.checkpoint() {
                Ok(checkpoint) if checkpoint.origin == self.origin => Ok((note, checkpoint)),
                Ok(checkpoint) => Err(format!("a checkpoint of {}", checkpoint.origin)),
                Err(error) => Err(error.to_string()),
            });
            match parsed {
                Ok((note, checkpoint)) => {
                    let found_in = found_in.clone();
                    self.notes.push(Note { note, checkpoint, found_in });
                }
                Err(detail) => {
                    let detail = format!("{found_in}: {detail}");
                    defects.push(self.defect(DefectKind::BadProof, detail));
                }
            }
        }
        self.notes.sort_by_key(|note| note.checkpoint.size);
    }

    /// A checkpoint that the log did not sign says nothing about the log.
    fn drop_unsigned(&mut self, key: &VerifierKey, defects: &mut Vec<Defect>) {
        let mut notes = std::mem::take(&mut self.notes);
        notes.retain(|Note { note, checkpoint, found_in }| match note.checkpoint_of(key) {
            Ok(_) => true,
            Err(error) => {
                let detail = format!("{found_in}: checkpoint of size {}: {error}", checkpoint.size);
                let step = Some(Step::Checkpoint);
                defects.push(Defect { step, ..self.defect(DefectKind::BadSignature, detail) });
                false
            }
        });
        self.notes = notes;
    }

    /// Puts runs of entries together; where two overlap they must agree. A node's own log may
    /// hold sequenced entries that no checkpoint has yet.
    fn join(
        &mut self,
        runs: BTreeMap<u64, Vec<Entry>>,
        own: Option<&OwnHead>,
        folder: Option<&Path>,
        defects: &mut Vec<Defect>,
    ) {
        let (mut next, size) = (0, self.size());
        let sequenced = own.and_then(own::size).unwrap_or(0);
        'runs: for (first, entries) in runs {
            if next < first {
                self.holes.push(next..first.min(size));
            }
            for (index, entry) in (first..).zip(entries) {
                if index < next {
                    if self.entry(index).is_some_and(|known| *known != entry) {
                        let detail = format!("entry {index} is given twice, differently");
                        defects.push(self.defect(DefectKind::BadProof, detail));
                    }
                } else if size.max(sequenced) <= index {
                    let detail = format!("entry {index} is beyond the checkpoint of size {size}");
                    defects.push(self.defect(DefectKind::BadProof, detail));
                    break 'runs;
                } else {
                    self.entries.push((index, entry));
                    next = index + 1;
                }
            }
        }
        if next < size {
            self.holes.push(next..size);
        }
        self.holes.retain(|hole| !hole.is_empty());
        for hole in &self.holes {
            let mut detail = format!("entries {} to {} are not at hand", hole.start, hole.end - 1);
            if let Some(folder) = folder {
                let wide = u64::from(TILE_WIDTH);
                let index = hole.start / wide;
                let width = (size - index * wide).min(wide) as u16;
                let bundle = folder.join(TilePath::Entries { index, width }.to_string());
                detail.push_str(&format!(": see {}", bundle.display()));
            }
            defects.push(self.defect(DefectKind::Withheld, detail));
        }
    }

    /// Settles which of entries and tiles are right, blames what is wrong, and computes the roots
    /// of the sizes that checkpoints and the own head state.
    fn settle(
        &mut self,
        tiles: &BTreeMap<String, Vec<u8>>,
        own: Option<&OwnHead>,
        folder: Option<&Path>,
        defects: &mut Vec<Defect>,
    ) -> Tree {
        let stated = |Note { checkpoint, .. }: &Note| (checkpoint.size, checkpoint.root);
        let signed: Vec<(u64, Hash)> = self.notes.iter().map(stated).collect();
        let tree = Tree::settle(&self.entries, tiles, &signed);
        self.blame(&tree, folder, defects);
        let sizes = signed.into_iter().map(|(size, _)| size).chain(self.elsewhere_size());
        self.roots = tree.roots(sizes.chain(own.into_iter().flat_map(own::sizes)));
        if let Some(own) = own {
            own::check(self, own, &tree, defects);
        }
        let size = self.size();
        self.entries.retain(|(index, _)| {
            let is_wrong = tree.wrong_entries.contains_key(index) || tree.doubtful.contains(index);
            *index < size && !is_wrong
        });
        tree
    }

    /// Names each file that is wrong, or may be.
    fn blame(&self, tree: &Tree, folder: Option<&Path>, defects: &mut Vec<Defect>) {
        let file = |name: String| match folder {
            Some(folder) => folder.join(name).display().to_string(),
            None => name,
        };
        let remedy = folder.map(|_| WRONG_FILE);
        let mut tell = |detail: String| {
            defects.push(Defect { remedy, ..self.defect(DefectKind::BadProof, detail) });
        };
        for (name, from) in &tree.wrong_tiles {
            let place = from.map_or(String::new(), |from| format!(" from hash {from}"));
            tell(format!("{} is not made of the entries{place}", file(name.clone())));
        }
        let mut bundles: BTreeMap<String, (u64, usize)> = BTreeMap::new();
        for (index, bundle) in &tree.wrong_entries {
            bundles.entry(bundle.to_string()).or_insert((*index, 0)).1 += 1;
        }
        for (bundle, (first, count)) in bundles {
            let bundle = file(bundle);
            tell(format!(
                "{bundle}: from entry {first} on, {count} of its entries are not those under the root"
            ));
        }
        for [bundle, hashes] in &tree.unsettled {
            let [bundle, hashes] = [bundle, hashes].map(|path| file(path.to_string()));
            tell(format!(
                "{bundle} and {hashes} differ, and nothing that is here says which of them is wrong"
            ));
        }
    }

    /// Names files of earlier, narrower tiles that are not the beginning of what the tree has there.
    /// Where the wider one is blamed already, nothing says that they are wrong too.
    fn blame_earlier(
        &self,
        unlike: &[(TilePath, PathBuf)],
        tree: &Tree,
        defects: &mut Vec<Defect>,
    ) {
        for (path, file) in unlike.iter().filter(|(path, _)| tree.holds && !tree.blames(path)) {
            let detail = format!("{}: it is not the beginning of {path}", file.display());
            let defect = self.defect(DefectKind::BadProof, detail);
            defects.push(Defect { remedy: Some(WRONG_FILE), ..defect });
        }
    }

    fn lost_tile(&self, file: &Path) -> Defect {
        let detail = format!("{}: it is missing", file.display());
        Defect { remedy: Some(LOST_TILE), ..self.defect(DefectKind::Withheld, detail) }
    }

    fn holds(&self, checkpoint: &Checkpoint) -> bool {
        self.roots.get(&checkpoint.size) == Some(&checkpoint.root)
    }

    /// What it means that a root is not the one that a checkpoint states: two histories, if two
    /// signed checkpoints contradict each other; else entries or tiles are wrong.
    fn check_roots(&self, defects: &mut Vec<Defect>) {
        let mut told = BTreeSet::new();
        for pair in self.notes.windows(2) {
            let (one, other) = (&pair[0].checkpoint, &pair[1].checkpoint);
            if one.size == other.size && one.root != other.root && told.insert(one.size) {
                let detail = format!("two checkpoints of size {} with different roots", one.size);
                defects.push(self.defect(DefectKind::Split, detail));
            }
        }
        let proved = self.notes.iter().map(|note| &note.checkpoint);
        let proved = proved.filter(|checkpoint| self.holds(checkpoint)).map(|one| one.size).max();
        let mut unproved = Vec::new();
        for Note { checkpoint, .. } in &self.notes {
            let size = checkpoint.size;
            let is_known = self.roots.contains_key(&size);
            if !is_known || self.holds(checkpoint) || !told.insert(size) {
                continue;
            }
            match proved.filter(|proved| size < *proved) {
                Some(proved) => {
                    let detail = format!(
                        "the checkpoint of size {size} is no part of that of size {proved}"
                    );
                    defects.push(self.defect(DefectKind::Split, detail));
                }
                None => unproved.push(size),
            }
        }
        defects.extend(self.unproved(&unproved));
    }

    /// One defect for all checkpoints, smallest first, whose roots nothing gives.
    fn unproved(&self, sizes: &[u64]) -> Option<Defect> {
        let (newest, earlier) = sizes.split_last()?;
        let mut detail =
            format!("the entries do not give the root of the checkpoint of size {newest}");
        match earlier {
            [] => {}
            [one] => detail.push_str(&format!(", nor of that of size {one}")),
            [first, ..] => {
                let count = earlier.len();
                detail.push_str(&format!(", nor of {count} before it, the first of size {first}"));
            }
        }
        Some(self.defect(DefectKind::BadProof, detail))
    }

    /// Of a log whose key nobody knows, no signature counts: what does not fit is told, and nobody
    /// is accused.
    pub(super) fn leave_undated(&self, defects: &mut Vec<Defect>) {
        let stated = self.notes.iter().map(|note| &note.checkpoint);
        let wrong = stated.filter(|one| self.roots.contains_key(&one.size) && !self.holds(one));
        let sizes: BTreeSet<u64> = wrong.map(|one| one.size).collect();
        defects.extend(self.unproved(&Vec::from_iter(sizes)));
    }

    /// `admitted_at` never goes back, and no content id stands twice.
    fn check_order(&self, defects: &mut Vec<Defect>) {
        let mut places: Vec<(ContentId, u64)> =
            self.entries.iter().map(|(index, entry)| (entry.id, *index)).collect();
        places.sort_unstable();
        for pair in places.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
            let ((_, earlier), (id, index)) = (pair[0], pair[1]);
            let detail = format!("entry {index} repeats entry {earlier}");
            defects.push(self.defect_at(index, DefectKind::BadProof, id, detail));
        }
        for pair in self.entries.windows(2) {
            let ((_, before), (index, entry)) = (&pair[0], &pair[1]);
            if entry.admitted_at < before.admitted_at {
                let detail = format!(
                    "entry {index} was admitted at {}, before the one that precedes it",
                    entry.admitted_at
                );
                defects.push(self.defect_at(*index, DefectKind::Shrink, entry.id, detail));
            }
        }
    }

    /// Checks the checkpoints' signatures with the log's key, and what witnesses vouch for.
    pub(super) fn date(
        &mut self,
        key: &VerifierKey,
        policies: &Policies,
        bodies: &Bodies,
        defects: &mut Vec<Defect>,
    ) {
        self.drop_unsigned(key, defects);
        self.check_roots(defects);
        self.check_elsewhere(key, defects);
        let (mut dated, mut vouched) = (Vec::new(), false);
        let newest = self.size();
        for Note { note, checkpoint, .. } in &self.notes {
            for policy in policies.all() {
                if let Err(error) = policy.quorum_met(note) {
                    let detail = format!("checkpoint of size {}: {error}", checkpoint.size);
                    let step = Some(Step::Witnesses);
                    defects.push(Defect { step, ..self.defect(DefectKind::BadSignature, detail) });
                }
            }
            let below = self.entries.partition_point(|(index, _)| *index < checkpoint.size);
            let last = self.entries[..below].last();
            let admitted_at = last.map_or(Timestamp::EPOCH, |(_, entry)| entry.admitted_at);
            let (at, witnessed) = match policies.quorum(note, admitted_at) {
                Some(QuorumTime::At(at)) => (at, true),
                Some(QuorumTime::Unwitnessed) => (admitted_at, false),
                None => continue,
            };
            let head = Head { size: checkpoint.size, root: checkpoint.root };
            vouched |= head.size == newest;
            if self.holds(checkpoint) {
                dated::add(&mut dated, Dated::new(head, at, witnessed), admitted_at);
            }
        }
        let signed = !self.notes.is_empty();
        if signed && !vouched {
            let detail = format!("the checkpoint of size {newest} lacks its quorum of witnesses");
            defects.push(self.defect(DefectKind::NoQuorum, detail));
        }
        self.key = Some(key.clone());
        self.went_back = self.gone_back(&dated, policies);
        self.dated = Some(dated);
        self.include(key, policies, bodies, defects);
    }

    /// The newest checkpoint that counts, once the log's key is known.
    pub(super) fn newest_dated(&self) -> Option<&Dated> {
        self.dated.as_ref()?.last()
    }

    /// Whether checkpoints or ranges of entries are at hand, and not all entries up to a checkpoint
    /// that counts: more of it may hold what is sought. Of a log that receipts alone tell of, what is
    /// at hand is all that is meant.
    pub(super) fn is_partial(&self) -> bool {
        self.is_ranged && (self.newest_dated().is_none() || !self.holes.is_empty())
    }

    /// True if the log is proved to hold this attestation there.
    pub(super) fn proves(&self, index: u64, id: ContentId) -> bool {
        let vouched = self.newest_dated().is_some_and(|newest| index < newest.head.size);
        let proved = vouched || self.included.contains_key(&index);
        proved && self.entry(index).is_some_and(|entry| entry.id == id)
    }

    /// The time interval of an entry.
    pub(super) fn time(&self, index: u64, entry: &Entry) -> EntryTime {
        if let Some((_, time)) = self.included.get(&index) {
            return *time;
        }
        let dated = self.dated.as_deref().unwrap_or_default();
        let first = dated.get(dated.partition_point(|checkpoint| checkpoint.head.size <= index));
        first.and_then(Dated::time).unwrap_or(EntryTime::at(entry.admitted_at))
    }

    /// No entry from this index on was recorded before then; `None` where nothing at hand says when.
    pub(super) fn earliest(&self, index: u64) -> Option<Timestamp> {
        let dated = self.dated.as_deref()?;
        let after = dated.partition_point(|checkpoint| checkpoint.head.size <= index);
        // What vouches for it does not count, so it came after the newest that does.
        let Some(first) = dated.get(after) else {
            return dated.last().map(|newest| newest.vouched_at);
        };
        let instant = match first.earliest() {
            Some(instant) => instant,
            // What an unwitnessed log says itself never goes back from one entry to the next.
            None => {
                let until = self.entries.partition_point(|(at, _)| *at <= index);
                let (_, entry) = self.entries[..until].last()?;
                entry.admitted_at.checked_add_ms(-1)?
            }
        };
        (instant != Timestamp::EPOCH).then_some(instant)
    }

    /// Entries that proofs of their own bring, where the ranges of the log are not at hand.
    pub(super) fn single(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.included.iter().map(|(index, (entry, _))| (*index, entry))
    }

    /// Entries of the ranges whose bodies the input says it has, by a proof of theirs, or of which
    /// it says that they are damaged.
    pub(super) fn claimed<'a>(
        &'a self,
        damaged: &'a BTreeMap<ContentId, ContentId>,
    ) -> impl Iterator<Item = (u64, &'a Entry)> {
        let places = self.entries.iter();
        places.map(|(index, entry)| (*index, entry)).filter(|(index, entry)| {
            self.claimed.contains(index) || damaged.contains_key(&entry.id)
        })
    }

    /// Remarks for the reader.
    pub(super) fn notes(&self) -> Vec<String> {
        let Some(newest) = self.newest_dated() else {
            if !self.included.is_empty() {
                let count = match self.included.len() {
                    1 => "1 single entry is".to_owned(),
                    count => format!("{count} single entries are"),
                };
                return vec![format!(
                    "{}: {count} proved; nothing can be concluded from the \
                     absence of others",
                    self.origin
                )];
            }
            return vec![format!("{}: nothing in this log is proved", self.origin)];
        };
        let mut notes: Vec<String> = self.lost_history().into_iter().collect();
        notes.extend(self.went_back.clone());
        if !newest.witnessed {
            notes.push(format!("{}: no witness vouches for its times", self.origin));
        }
        notes
    }
}
