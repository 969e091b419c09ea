//! One log: its entries, tiles and checkpoints must be one tree.
//!
//! Invariants: roots are recomputed from the entries, never taken from a tile; a checkpoint dates
//! entries only when its own signature holds; what a claimed size says is never allocated.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::merkle::{Frontier, Hash};
use hallmark_schemas::note::{Checkpoint, SignedNote, VerifierKey};
use hallmark_schemas::policy::QuorumTime;
use hallmark_schemas::proof::Inclusion;
use hallmark_schemas::receipt::Recorded;
use hallmark_schemas::tile::{self, TILE_WIDTH, TilePath};
use hallmark_schemas::time::{EntryTime, Timestamp};

use super::network::Policies;
use crate::evidence::{Defect, DefectKind, LogEvidence, LogInclusion, chain};

/// A log whose tree was checked. Its signatures are checked once its key is known.
#[derive(Debug)]
pub(super) struct LogState {
    pub(super) origin: String,
    /// The input says it holds every body.
    pub(super) whole: bool,
    /// The entries that are at hand, by their index.
    pub(super) entries: Vec<(u64, Entry)>,
    /// Ranges below the newest checkpoint that are not at hand.
    pub(super) holes: Vec<Range<u64>>,
    /// By size, smallest first.
    notes: Vec<(SignedNote, Checkpoint)>,
    /// Sizes at which the entries give the root that a checkpoint states.
    roots_hold: BTreeSet<(u64, Hash)>,
    /// Set by [`LogState::date`].
    dated: Option<Vec<Dated>>,
    /// The key of the log, once known.
    pub(super) key: Option<VerifierKey>,
    /// Receipts and proofs until [`LogState::date`] checks them.
    inclusions: Vec<LogInclusion>,
    /// Entries that are not at hand, but proved by a receipt or proof, with their times.
    included: BTreeMap<u64, (Entry, EntryTime)>,
}

/// A checkpoint that vouches for the entries below its size.
#[derive(Clone, Debug)]
pub(super) struct Dated {
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) at: Timestamp,
    pub(super) witnessed: bool,
    /// Newest witnessed time of the checkpoints before it.
    lo: Timestamp,
}

impl LogState {
    /// Checks entries, tiles and checkpoints against each other.
    pub(super) fn check(origin: String, log: LogEvidence, defects: &mut Vec<Defect>) -> LogState {
        let mut state = LogState {
            origin,
            whole: log.whole,
            entries: Vec::new(),
            holes: Vec::new(),
            notes: Vec::new(),
            roots_hold: BTreeSet::new(),
            dated: None,
            key: None,
            inclusions: log.inclusions,
            included: BTreeMap::new(),
        };
        state.read_notes(&log.checkpoints, defects);
        state.join(log.entries, defects);
        state.recompute(&log.tiles, defects);
        state.check_order(defects);
        state
    }

    /// The size of the newest checkpoint.
    pub(super) fn size(&self) -> u64 {
        self.notes.last().map_or(0, |(_, checkpoint)| checkpoint.size)
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
        let said = self.inclusions.iter().map(|one| (one.inclusion.index(), one.entry));
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

    fn read_notes(&mut self, checkpoints: &[Vec<u8>], defects: &mut Vec<Defect>) {
        for bytes in checkpoints {
            let note = SignedNote::parse(bytes).map_err(|error| error.to_string());
            let parsed = note.and_then(|note| match note.checkpoint() {
                Ok(checkpoint) if checkpoint.origin == self.origin => Ok((note, checkpoint)),
                Ok(checkpoint) => Err(format!("a checkpoint of {}", checkpoint.origin)),
                Err(error) => Err(error.to_string()),
            });
            match parsed {
                Ok(parsed) => self.notes.push(parsed),
                Err(detail) => defects.push(self.defect(DefectKind::BadProof, detail)),
            }
        }
        self.notes.sort_by_key(|(_, checkpoint)| checkpoint.size);
        for pair in self.notes.windows(2) {
            let (one, other) = (&pair[0].1, &pair[1].1);
            if one.size == other.size && one.root != other.root {
                let detail = format!("two checkpoints of size {} with different roots", one.size);
                defects.push(self.defect(DefectKind::Split, detail));
            }
        }
    }

    /// Puts runs of entries together; where two overlap they must agree.
    fn join(&mut self, runs: BTreeMap<u64, Vec<Entry>>, defects: &mut Vec<Defect>) {
        let (mut next, size) = (0, self.size());
        for (first, entries) in runs {
            if next < first {
                self.holes.push(next..first.min(size));
            }
            for (index, entry) in (first..).zip(entries) {
                if index < next {
                    if self.entry(index).is_some_and(|known| *known != entry) {
                        let detail = format!("entry {index} is given twice, differently");
                        defects.push(self.defect(DefectKind::BadProof, detail));
                    }
                } else if size <= index {
                    let detail = format!("entry {index} is beyond the checkpoint of size {size}");
                    defects.push(self.defect(DefectKind::BadProof, detail));
                    return;
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
            let detail = format!("entries {} to {} are not at hand", hole.start, hole.end - 1);
            defects.push(self.defect(DefectKind::Withheld, detail));
        }
    }

    /// Computes every root that a checkpoint states, up to the first hole, and every tile that came
    /// along with a log without holes.
    fn recompute(&mut self, tiles: &BTreeMap<String, Vec<u8>>, defects: &mut Vec<Defect>) {
        let until = self.holes.first().map_or(self.size(), |hole| hole.start);
        let before = self.entries.iter().take_while(|(index, _)| *index < until);
        let leaves: Vec<Hash> = before.map(|(_, entry)| entry.leaf_hash()).collect();
        if self.holes.is_empty() {
            self.check_tiles(&leaves, tiles, defects);
        }
        let (mut tree, mut wrong) = (Frontier::new(), BTreeSet::new());
        for (_, checkpoint) in self.notes.iter().filter(|(_, one)| one.size <= until) {
            while tree.size() < checkpoint.size {
                tree.push(leaves[tree.size() as usize]);
            }
            match tree.root() == checkpoint.root {
                true => self.roots_hold.insert((checkpoint.size, checkpoint.root)),
                false => wrong.insert(checkpoint.size),
            };
        }
        for size in wrong {
            let kind = match size == self.size() {
                true => DefectKind::BadProof,
                false => DefectKind::Split,
            };
            let detail =
                format!("the entries do not give the root of the checkpoint of size {size}");
            defects.push(self.defect(kind, detail));
        }
    }

    fn check_tiles(
        &self,
        leaves: &[Hash],
        tiles: &BTreeMap<String, Vec<u8>>,
        defects: &mut Vec<Defect>,
    ) {
        let wide = usize::from(TILE_WIDTH);
        let mut levels = vec![leaves.to_vec()];
        while let Some(top) = levels.last().filter(|top| wide <= top.len()) {
            let above = top.chunks_exact(wide).map(tile::complete_root).collect();
            levels.push(above);
        }
        for (name, bytes) in tiles {
            let Ok(TilePath::Hashes { level, index, width }) = name.parse() else {
                continue;
            };
            let first =
                usize::try_from(index).map_or(usize::MAX, |index| index.saturating_mul(wide));
            let hashes = levels.get(usize::from(level));
            let wanted = hashes.and_then(|hashes| hashes.get(first..first + usize::from(width)));
            let found = tile::parse_hashes(bytes, width);
            if wanted.is_none() || wanted != found.as_deref() {
                let differs = wanted.zip(found).and_then(|(wanted, found)| {
                    wanted.iter().zip(&found).position(|(wanted, found)| wanted != found)
                });
                let place =
                    differs.map_or(String::new(), |at| format!(" from hash {}", first + at));
                let detail = format!("{name} is not made of the entries{place}");
                defects.push(self.defect(DefectKind::BadProof, detail));
            }
        }
    }

    /// `admitted_at` never goes back, and no content id stands twice.
    fn check_order(&self, defects: &mut Vec<Defect>) {
        let mut places = BTreeMap::new();
        for (index, entry) in &self.entries {
            if let Some(earlier) = places.insert(entry.id, *index) {
                let detail = format!("entry {index} repeats entry {earlier}");
                defects.push(self.defect_at(*index, DefectKind::BadProof, entry.id, detail));
            }
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
        defects: &mut Vec<Defect>,
    ) {
        let (mut dated, mut vouched) = (Vec::new(), false);
        let newest = self.size();
        for (note, checkpoint) in &self.notes {
            if let Err(error) = note.checkpoint_of(key) {
                let detail = format!("checkpoint of size {}: {error}", checkpoint.size);
                defects.push(self.defect(DefectKind::BadSignature, detail));
                continue;
            }
            for policy in policies.all() {
                if let Err(error) = policy.quorum_met(note) {
                    let detail = format!("checkpoint of size {}: {error}", checkpoint.size);
                    defects.push(self.defect(DefectKind::BadSignature, detail));
                }
            }
            let last = checkpoint.size.checked_sub(1).and_then(|last| self.entry(last));
            let admitted_at = last.map_or(Timestamp::EPOCH, |entry| entry.admitted_at);
            let (at, witnessed) = match policies.quorum(note, admitted_at) {
                Some(QuorumTime::At(at)) => (at, true),
                Some(QuorumTime::Unwitnessed) => (admitted_at, false),
                None => continue,
            };
            let (size, root) = (checkpoint.size, checkpoint.root);
            vouched |= size == newest;
            if !self.roots_hold.contains(&(size, root)) {
                continue;
            }
            add_dated(&mut dated, Dated { size, root, at, witnessed, lo: Timestamp::EPOCH });
        }
        let signed = !self.notes.is_empty();
        if signed && !vouched {
            let detail = format!("the checkpoint of size {newest} lacks its quorum of witnesses");
            defects.push(self.defect(DefectKind::NoQuorum, detail));
        }
        self.key = Some(key.clone());
        self.dated = Some(dated);
        self.include(key, policies, defects);
    }

    /// Checks the receipts and proofs: each gives entry and time of one place.
    fn include(&mut self, key: &VerifierKey, policies: &Policies, defects: &mut Vec<Defect>) {
        for LogInclusion { entry, inclusion } in std::mem::take(&mut self.inclusions) {
            let fault = |detail| Defect {
                subject: "receipt".to_owned(),
                cites: vec![entry.id],
                ..self.defect(DefectKind::BadProof, detail)
            };
            let recorded = match recorded(&entry, &inclusion, key, policies) {
                Ok(recorded) => recorded,
                Err(detail) => {
                    defects.push(fault(detail));
                    continue;
                }
            };
            let time = match recorded.quorum {
                QuorumTime::At(hi) => EntryTime::cosigned(entry.admitted_at.min(hi), hi),
                QuorumTime::Unwitnessed => EntryTime::at(entry.admitted_at),
            };
            match self.entry(recorded.index) {
                Some(known) if *known != entry => {
                    let detail =
                        format!("the receipt says entry {}, which is another", recorded.index);
                    defects.push(fault(detail));
                }
                Some(_) => {}
                None => {
                    self.included.insert(recorded.index, (entry, time));
                }
            }
        }
    }

    /// The newest checkpoint that counts, once the log's key is known.
    pub(super) fn newest_dated(&self) -> Option<&Dated> {
        self.dated.as_ref()?.last()
    }

    /// True if the log is proved to hold this attestation there.
    pub(super) fn proves(&self, index: u64, id: ContentId) -> bool {
        let vouched = self.newest_dated().is_some_and(|newest| index < newest.size);
        let proved = vouched || self.included.contains_key(&index);
        proved && self.entry(index).is_some_and(|entry| entry.id == id)
    }

    /// The time interval of an entry.
    pub(super) fn time(&self, index: u64, entry: &Entry) -> EntryTime {
        if let Some((_, time)) = self.included.get(&index) {
            return *time;
        }
        let dated = self.dated.as_deref().unwrap_or_default();
        match dated.get(dated.partition_point(|checkpoint| checkpoint.size <= index)) {
            Some(Dated { witnessed: true, at, lo, .. }) => EntryTime::cosigned(*lo.min(at), *at),
            _ => EntryTime::at(entry.admitted_at),
        }
    }

    /// Remarks for the reader.
    pub(super) fn notes(&self) -> Vec<String> {
        let Some(newest) = self.newest_dated() else {
            if !self.included.is_empty() {
                let count = self.included.len();
                return vec![format!(
                    "{}: {count} single entries are proved; nothing can be concluded from the \
                     absence of others",
                    self.origin
                )];
            }
            return vec![format!("{}: nothing in this log is proved", self.origin)];
        };
        match newest.witnessed {
            true => Vec::new(),
            false => vec![format!("{}: no witness vouches for its times", self.origin)],
        }
    }
}

/// What the proof shows under a policy of the network; a time that witnesses vouch for is worth
/// more than the log's own.
fn recorded(
    entry: &Entry,
    inclusion: &Inclusion,
    key: &VerifierKey,
    policies: &Policies,
) -> Result<Recorded, String> {
    let mut found: Result<Recorded, String> = Err("no witness policy is known".to_owned());
    for policy in policies.all() {
        match inclusion.verify(entry.id, key, policy) {
            Ok(recorded) if recorded.quorum != QuorumTime::Unwitnessed => return Ok(recorded),
            Ok(recorded) => found = Ok(recorded),
            Err(error) => found = found.or_else(|_| Err(chain(&error))),
        }
    }
    found
}

/// Adds a checkpoint to those before it; of two of one size the better witnessed one stays.
fn add_dated(dated: &mut Vec<Dated>, next: Dated) {
    if let Some(last) = dated.last_mut().filter(|last| last.size == next.size) {
        let better = (next.witnessed, std::cmp::Reverse(next.at));
        if (last.witnessed, std::cmp::Reverse(last.at)) < better {
            *last = Dated { lo: last.lo, ..next };
        }
        return;
    }
    let lo = dated.last().map_or(Timestamp::EPOCH, |last| match last.witnessed {
        true => last.lo.max(last.at),
        false => last.lo,
    });
    dated.push(Dated { lo, ..next });
}
