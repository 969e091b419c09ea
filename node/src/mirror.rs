//! Copies of the logs that this node follows, under DATA/peers.
//!
//! Invariants: a checkpoint replaces another only after every entry under it is here, hashed to its
//! root on top of the tree that was proved before, and durable: so a copy never shrinks and never
//! forks. A body is kept only if the log has its id and its regions admit this node. What is missing
//! is known: the want-list.

pub mod defects;
mod erasing;
mod error;
pub mod growth;
mod indexing;
mod renewal;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::audience::Region;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::Head;
use hallmark_schemas::layout::{Data, peer_name};
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{SignedNote, VerifierKey};
use hallmark_schemas::pack::PackPosition;
use hallmark_schemas::policy::{Policy, QuorumTime};
use hallmark_schemas::proof::LogProof;
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::EntryTime;

use crate::admission::keys::{Keys, changes_keys};
use crate::core::former::Dating;
use crate::core::times::Times;
use crate::erasure::{self, Derived, Eraser};
use crate::index::{Batch, Catalogue, Covers, LogKey};
use crate::mutants::mutant;
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::{Disk, OnPath};
use crate::store::pack::{PackReader, Packs};
use crate::store::tiles::{Edge, Tiles};
use growth::Growth;
use indexing::INDEX_BATCH;

pub use error::MirrorError;

/// All followed logs. Its calls block: run them off the async threads.
pub struct Mirror {
    disk: Arc<dyn Disk>,
    data: Data,
    catalogue: Catalogue,
    keys: Arc<Keys>,
    /// The newest that is known: its keys and its witness policy.
    network: RwLock<Arc<NetworkFile>>,
    /// The witness policies of earlier versions, oldest first.
    former: Vec<Policy>,
    /// What goes when a body is erased.
    derived: Arc<Derived>,
    /// Where this node is.
    regions: Arc<[Region]>,
    logs: RwLock<BTreeMap<String, Arc<MirroredLog>>>,
}

impl Mirror {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        data: Data,
        catalogue: Catalogue,
        keys: Arc<Keys>,
        network: Arc<NetworkFile>,
    ) -> Mirror {
        let (network, former, logs) = (RwLock::new(network), Vec::new(), RwLock::default());
        let derived = Arc::new(Derived::new(disk.clone(), data.clone()));
        let regions = Arc::default();
        Mirror { disk, data, catalogue, keys, network, former, derived, regions, logs }
    }

    /// The same, with the policies of earlier versions, oldest first.
    pub(crate) fn after(self, former: Vec<Policy>) -> Mirror {
        Mirror { former, ..self }
    }

    /// The same, where these tables and findings are made from bodies.
    pub(crate) fn forgetting(self, derived: Arc<Derived>) -> Mirror {
        Mirror { derived, ..self }
    }

    /// The same, on a node in these regions.
    pub(crate) fn within(self, regions: Arc<[Region]>) -> Mirror {
        Mirror { regions, ..self }
    }

    /// The copy of a log, opened or begun. `log_key` checks its checkpoints.
    pub fn follow(&self, log_key: VerifierKey) -> Result<Arc<MirroredLog>, MirrorError> {
        let origin = log_key.name().to_owned();
        let mut logs = self.logs.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(log) = logs.get(&origin) {
            return Ok(log.clone());
        }
        let network = self.network.read().unwrap_or_else(PoisonError::into_inner).clone();
        let data = self.data.peer(&origin);
        let (disk, catalogue) = (self.disk.clone(), self.catalogue.clone());
        let networks = (self.former.as_slice(), network);
        let eraser = Eraser::new(disk.clone(), &data, self.derived.clone());
        let files = (disk, data, eraser);
        let mut log = MirroredLog::open(files, log_key, catalogue, self.keys.clone(), networks)?;
        log.regions = self.regions.clone();
        let log = Arc::new(log);
        logs.insert(origin, log.clone());
        Ok(log)
    }

    /// All followed logs, by origin.
    pub fn logs(&self) -> Vec<Arc<MirroredLog>> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.values().cloned().collect()
    }

    /// The followed log with this origin.
    pub fn log(&self, origin: &str) -> Option<Arc<MirroredLog>> {
        let logs = self.logs.read().unwrap_or_else(PoisonError::into_inner);
        logs.get(origin).cloned()
    }

    /// The followed log whose origin has this hex SHA-256.
    pub fn by_digest(&self, digest: &str) -> Option<Arc<MirroredLog>> {
        self.logs().into_iter().find(|log| peer_name(log.origin()) == digest)
    }

    pub(crate) fn adopt_network(&self, network: &NetworkFile) {
        let network = Arc::new(network.clone());
        *self.network.write().unwrap_or_else(PoisonError::into_inner) = network.clone();
        for log in self.logs() {
            log.lock().network = network.clone();
        }
    }
}

/// The copy of one followed log.
pub struct MirroredLog {
    disk: Arc<dyn Disk>,
    data: Data,
    log_key: VerifierKey,
    log: LogKey,
    tiles: Tiles,
    packs: PackReader,
    checkpoints: Checkpoints,
    catalogue: Catalogue,
    keys: Arc<Keys>,
    eraser: Eraser,
    regions: Arc<[Region]>,
    state: Mutex<State>,
}

struct State {
    head: Head,
    note: Option<Arc<SignedNote>>,
    edge: Edge,
    times: Times,
    network: Arc<NetworkFile>,
    packs: Packs,
    /// The last note to which what was served did not lead, until it is looked into, and its text.
    suspect: Option<SignedNote>,
    suspected: Option<String>,
    /// Entries whose keys had ended before, until they are looked into.
    late_keys: Vec<u64>,
    /// What the kept defect proofs show.
    shown: Vec<String>,
}

impl MirroredLog {
    fn open(
        (disk, data, eraser): (Arc<dyn Disk>, Data, Eraser),
        log_key: VerifierKey,
        catalogue: Catalogue,
        keys: Arc<Keys>,
        (former, network): (&[Policy], Arc<NetworkFile>),
    ) -> Result<MirroredLog, MirrorError> {
        erasure::finish(&*disk, &data)?;
        disk.settle_dir(&data.log()).on("sync", &data.log())?;
        let tiles = Tiles::new(disk.clone(), &data.log());
        let checkpoints = Checkpoints::new(disk.clone(), &data.checkpoint(), &data.checkpoints());
        checkpoints.mend()?;
        let (head, note) = match checkpoints.newest()? {
            None => (Head::EMPTY, None),
            Some(bytes) => {
                let note = SignedNote::parse(&bytes)?;
                let checkpoint = note.checkpoint_of(&log_key)?;
                let head = Head { size: checkpoint.size, root: checkpoint.root };
                (head, Some(Arc::new(note)))
            }
        };
        let edge = match tiles.edge(head.size) {
            Ok(edge) if edge.root() == head.root && edge.damaged_entry().is_none() => edge,
            _ => {
                // The checkpoint stays the floor that the entries, fetched again, must reach.
                tracing::warn!(origin = log_key.name(), "the copy is damaged and fetched again");
                Edge::empty()
            }
        };
        let times = dated(&checkpoints.history()?, former, &network.network().policy);
        let log = LogKey::of(log_key.name());
        // What the index knows was durable before it was told.
        let synced = catalogue.covers(log)?.map(|covers| covers.packs).unwrap_or_default();
        let floor = PackPosition::default();
        let (packs, _) = Packs::open(disk.clone(), &data.packs(), floor, synced)?;
        let reader = PackReader::new(disk.clone(), &data.packs());
        let state = State {
            head,
            note,
            edge,
            times,
            network,
            packs,
            suspect: None,
            suspected: None,
            late_keys: Vec::new(),
            shown: Vec::new(),
        };
        let state = Mutex::new(state);
        let mirrored = MirroredLog {
            disk,
            data,
            log_key,
            log,
            tiles,
            packs: reader,
            checkpoints,
            catalogue,
            keys,
            eraser,
            regions: Arc::default(),
            state,
        };
        mirrored.catch_up()?;
        if !mirrored.disk.is_read_only() {
            mirrored.carry_out_erasures()?;
        }
        mirrored.read_defects()?;
        Ok(mirrored)
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        self.log_key.name()
    }

    /// What checks the log's checkpoints.
    pub fn log_key(&self) -> &VerifierKey {
        &self.log_key
    }

    /// The tree that is wholly here.
    pub fn head(&self) -> Head {
        let state = self.lock();
        if state.edge.size() == state.head.size { state.head } else { Head::EMPTY }
    }

    /// The newest checkpoint that was taken over, with its signatures.
    pub fn checkpoint(&self) -> Option<Arc<SignedNote>> {
        self.lock().note.clone()
    }

    /// The same if every tile under it is here: not while the copy is fetched again.
    pub fn whole_checkpoint(&self) -> Option<Arc<SignedNote>> {
        let state = self.lock();
        let is_whole = state.edge.size() == state.head.size || mutant("copy-left-damaged");
        state.note.clone().filter(|_| is_whole)
    }

    /// The checkpoints of trees larger than `size` that were copied, oldest first, at most so many.
    pub fn checkpoints_after(&self, size: u64, most: usize) -> Result<Vec<String>, StoreError> {
        self.checkpoints.after(size, most)
    }

    /// Begins to take over a newer checkpoint; `None` if it is the one that is here.
    ///
    /// A note that contradicts the copy is kept beside ours as a defect proof.
    pub fn grow(self: &Arc<Self>, note: SignedNote) -> Result<Option<Growth>, MirrorError> {
        let theirs = note.checkpoint_of(&self.log_key)?;
        let state = self.lock();
        let ours = state.head;
        if theirs.size <= ours.size && state.edge.size() == ours.size {
            let root = self.tiles.root_within(theirs.size, ours.size)?;
            if root != theirs.root {
                let held = state.note.clone();
                drop(state);
                let proof = match held {
                    Some(held) => self.keep_other_history(&held, &note, root)?,
                    None => None,
                };
                let origin = self.origin().to_owned();
                return Err(MirrorError::Equivocation { origin, size: theirs.size, proof });
            }
            if let Some(held) = state.note.clone().filter(|_| theirs.size < ours.size) {
                drop(state);
                self.keep_witnesses_gone_back(&held, &note)?;
                return Err(MirrorError::Older { theirs: theirs.size, ours: ours.size });
            }
        }
        match theirs.size.cmp(&ours.size) {
            std::cmp::Ordering::Less => {
                Err(MirrorError::Older { theirs: theirs.size, ours: ours.size })
            }
            std::cmp::Ordering::Equal if state.edge.size() == ours.size => Ok(None),
            _ => {
                let head = Head { size: theirs.size, root: theirs.root };
                let edge = state.edge.clone();
                let last = match edge.size().checked_sub(1) {
                    Some(last) => self.tiles.entries(last..edge.size(), edge.size())?.pop(),
                    None => None,
                };
                Ok(Some(Growth::new(self.clone(), note, head, ours, (edge, last))))
            }
        }
    }

    /// Entries whose bodies are missing here, from entry `from` on, at most `limit`.
    pub fn wanted(&self, from: u64, limit: usize) -> Result<Vec<(u64, Entry)>, StoreError> {
        let size = self.head().size;
        let mut found = Vec::new();
        for (index, _) in self.catalogue.wanted(self.log, from, limit)? {
            if index < size {
                found.push((index, self.tiles.entries(index..index + 1, size)?[0]));
            }
        }
        Ok(found)
    }

    /// How many bodies are missing here, counted to `limit`.
    pub fn wanted_count(&self, limit: usize) -> Result<usize, StoreError> {
        Ok(self.catalogue.wanted(self.log, 0, limit)?.len())
    }

    /// Whether this body may be kept here, by the regions that it lists. What is no attestation
    /// lists none.
    pub fn may_hold(&self, body: &[u8]) -> bool {
        Envelope::parse(body)
            .map_or(true, |envelope| Region::admit(&envelope.claims().regions, &self.regions))
    }

    /// Keeps bodies of this log, durably; how many of them are new. What only nodes of other regions
    /// may hold stays wanted.
    pub fn put_bodies(&self, bodies: &[Vec<u8>]) -> Result<usize, MirrorError> {
        let mut state = self.lock();
        let mut changes = Batch::default();
        let (mut new, mut last) = (BTreeMap::new(), None);
        for body in bodies {
            let id = ContentId::of(body);
            let entry = self.catalogue.entry(self.log, &id)?;
            let Some(entry) = entry else {
                return Err(MirrorError::NotLogged { id });
            };
            if new.contains_key(&entry) || self.catalogue.body(self.log, &id)?.is_some() {
                continue;
            }
            if !self.may_hold(body) {
                continue;
            }
            if self.catalogue.erased(self.log, &id)?.is_some_and(|erased| erased.done) {
                changes.remove_wanted(self.log, entry);
                continue;
            }
            let place = state.packs.append(&id, body)?;
            changes.put_body(self.log, &id, place);
            changes.remove_wanted(self.log, entry);
            last = Some((id, place));
            new.insert(entry, body);
        }
        state.packs.commit()?;
        if let Some((id, place)) = last {
            changes.put_last_record(self.log, &id, place);
        }
        let end = state.packs.end();
        let is_whole = state.edge.size() == state.head.size;
        // A copy that is fetched again is indexed when it is whole again.
        let mut entries = self.tiles.cursor(if is_whole { state.head.size } else { 0 });
        for (index, body) in &new {
            self.list(*index, body, &mut entries, &mut changes)?;
            if INDEX_BATCH as usize <= changes.len() {
                self.write_part(&mut changes, end)?;
            }
        }
        if is_whole {
            changes.put_covers(self.log, Covers { head: state.head, packs: end });
            self.catalogue.write(changes)?;
        } else {
            self.write_part(&mut changes, end)?;
        }
        drop(state);
        for (entry, body) in &new {
            self.learn(*entry, body)?;
            self.look_at_key(*entry, body)?;
        }
        if !new.is_empty() {
            self.carry_out_erasures()?;
        }
        Ok(new.len())
    }

    /// A body of this log, if it is here.
    pub fn body(&self, id: &ContentId) -> Result<Option<Vec<u8>>, StoreError> {
        match self.catalogue.body(self.log, id)? {
            Some(place) => self.packs.read(place, id),
            None => Ok(None),
        }
    }

    /// The SHA-256 of whatever lies where this body should, as an id; `None` if nothing does.
    pub fn held_as(&self, id: &ContentId) -> Result<Option<ContentId>, StoreError> {
        match self.catalogue.body(self.log, id)? {
            Some(place) => self.packs.held(place),
            None => Ok(None),
        }
    }

    /// The entry of an id in this log.
    pub fn index_of(&self, id: &ContentId) -> Result<Option<u64>, StoreError> {
        Ok(self.catalogue.entry(self.log, id)?)
    }

    /// Tiles and entry bundles that were found lost or damaged when they were read.
    pub fn damaged_tiles(&self) -> Vec<PathBuf> {
        self.tiles.damaged()
    }

    /// Records of the packs that were damaged when they were last read: file and offset.
    pub fn damaged_records(&self) -> BTreeSet<(PathBuf, u64)> {
        self.packs.met()
    }

    /// The bytes of a tile or entry bundle of the tree that is here, proved by its root.
    pub fn tile(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        self.tiles.read(path, self.head())
    }

    /// Entries of the tree that is here.
    pub fn entries(&self, range: Range<u64>) -> Result<Vec<Entry>, StoreError> {
        self.tiles.entries(range, self.head().size)
    }

    /// The root of the first `size` entries.
    pub fn root_at(&self, size: u64) -> Result<Hash, StoreError> {
        self.tiles.root_within(size, self.head().size)
    }

    /// Proof that the tree of `from` entries is a prefix of that of `to`.
    pub fn consistency_proof(&self, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        self.tiles.consistency(from, to, self.head())
    }

    /// Proof that the entry at `index` is in the tree of `size`.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        self.tiles.inclusion(index, size, self.head())
    }

    /// The entry at `index`, and whether it is in that earlier tree of this log.
    pub fn entry_under(&self, index: u64, under: Head) -> Result<(Entry, bool), StoreError> {
        let head = self.head();
        let entry = self.tiles.entries(index..index + 1, head.size)?[0];
        Ok((entry, self.tiles.includes(&entry.leaf_hash(), index, under, head)?))
    }

    /// How far the bodies go that are here: it moves with each that comes.
    pub fn held(&self) -> PackPosition {
        self.lock().packs.end()
    }

    /// Proof that this log holds an attestation, under the newest checkpoint that is here.
    pub fn proof(&self, id: &ContentId) -> Result<Option<LogProof>, StoreError> {
        let (head, note) = (self.head(), self.checkpoint());
        let (Some(index), Some(note)) = (self.index_of(id)?, note) else { return Ok(None) };
        let same = note.checkpoint().is_ok_and(|state| state.size == head.size);
        if !same || head.size <= index {
            return Ok(None);
        }
        let entry = self.tiles.entries(index..index + 1, head.size)?[0];
        let path = self.tiles.inclusion(index, head.size, head)?;
        Ok((entry.id == *id).then(|| LogProof::new(&entry, index, path, (*note).clone())))
    }

    /// When an entry became part of the log, by the checkpoints that were seen here.
    pub fn entry_time(&self, index: u64) -> Result<Option<EntryTime>, StoreError> {
        if self.head().size <= index {
            return Ok(None);
        }
        let entry = self.entries(index..index + 1)?[0];
        Ok(self.time_of(index, &entry))
    }

    /// The same of an entry that was read.
    pub fn time_of(&self, index: u64, entry: &Entry) -> Option<EntryTime> {
        self.lock().times.of(index, entry)
    }

    fn learn(&self, index: u64, body: &[u8]) -> Result<(), StoreError> {
        if is_identity(body)
            && let Some(time) = self.entry_time(index)?
        {
            self.keys.learn(self.origin(), index, body, time);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When the trees of the history, oldest first, were cosigned.
fn dated(history: &[Vec<u8>], former: &[Policy], policy: &Policy) -> Times {
    let (mut times, mut dating) = (Times::default(), Dating::new(former, policy));
    for bytes in history {
        if let Ok(note) = SignedNote::parse(bytes)
            && let Ok(checkpoint) = note.checkpoint()
        {
            times.push(checkpoint.size, dating.next(&note));
        }
    }
    times
}

fn quorum_time(network: &NetworkFile, note: &SignedNote) -> QuorumTime {
    let policy = &network.network().policy;
    policy.quorum_met(note).ok().flatten().unwrap_or(QuorumTime::Unwitnessed)
}

fn is_identity(body: &[u8]) -> bool {
    Envelope::parse(body).is_ok_and(|envelope| changes_keys(envelope.kind()))
}
