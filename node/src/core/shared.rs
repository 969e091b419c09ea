//! What the writer thread tells and every reader sees of the own log.
//!
//! Invariant: only the writer changes anything here; readers see sizes grow and never shrink.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::audience::Region;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::Head;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::network::Network;
use hallmark_schemas::note::{SignedNote, VerifierKey};
use hallmark_schemas::policy::{Policy, QuorumTime};
use hallmark_schemas::time::Timestamp;
use tokio::sync::watch;

use super::times::{self, Times};
use crate::admission::keys::Keys;
use crate::index::{Catalogue, IndexError, LogKey};
use crate::sequencer::writer::chain;
use crate::store::StoreError;
use crate::store::disk::is_caused_by;
use crate::store::disk::read_only::UNWRITABLE_HELP;
use crate::store::pack::{Damage, PackPlace, PackReader};
use crate::store::tiles::Tiles;

/// Whether the own log can sign, and if not, why.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Signing {
    /// Not enough witnesses have answered since the start.
    WaitingForGuard,
    /// Nothing is in the way.
    Ready,
    /// A checkpoint waits for its quorum; bodies are taken, nothing is recorded.
    WaitingForQuorum,
    /// Head, tiles or a witness contradict each other: nothing is taken or signed.
    ReadOnly {
        /// What was found.
        cause: String,
        /// What to do.
        help: &'static str,
    },
    /// A durable write failed: the process must be started again.
    Stopped {
        /// What failed.
        cause: String,
    },
}

/// A published checkpoint.
#[derive(Clone, Debug)]
pub struct Published {
    /// The tree.
    pub head: Head,
    /// The note with the log's signature and the quorum's.
    pub note: Arc<SignedNote>,
    /// When it was published here.
    pub at: Timestamp,
    /// When its witnesses last vouched that the log has nothing newer; where the policy names none,
    /// when this node's own did. `None`: nobody has yet.
    pub cosigned_at: Option<Timestamp>,
}

pub(crate) struct Shared {
    pub(crate) origin: String,
    pub(crate) log: LogKey,
    pub(crate) tiles: Tiles,
    pub(crate) packs: PackReader,
    pub(crate) catalogue: Catalogue,
    pub(crate) keys: Arc<Keys>,
    times: RwLock<Times>,
    /// Who must cosign. A newer network file replaces it.
    policy: RwLock<Policy>,
    /// Those of earlier versions, oldest first. Set once, before the history is read.
    former: OnceLock<Vec<Policy>>,
    /// Where this node is. Set once, before anything is admitted.
    regions: OnceLock<Arc<[Region]>>,
    /// Trees that this log signed and gave up. Set once, before anything is compared.
    given_up: OnceLock<Vec<Head>>,
    /// The key of this node's own witness, as the network file names it.
    own_witness: RwLock<Option<VerifierKey>>,
    /// Organisations that have left, by the network file in force.
    departed: RwLock<BTreeSet<OrgId>>,
    pub(crate) published: watch::Sender<Option<Published>>,
    pub(crate) unsigned: watch::Sender<Option<Arc<SignedNote>>>,
    pub(crate) stopped: watch::Sender<Option<String>>,
    head: RwLock<Head>,
    /// The head as its slots have it, where less than that is served.
    stated_head: OnceLock<Head>,
    signing: RwLock<Signing>,
    index_ready: AtomicBool,
    /// The disk has no room for new bodies.
    full: AtomicBool,
    /// Entries and bodies that were put into the index since it was last begun.
    indexed: AtomicU64,
    unlogged: AtomicU64,
    /// Where bodies lie that wait for the tree: the index learns it with their entries, in one
    /// value. The writer adds and removes.
    waiting: RwLock<HashMap<ContentId, PackPlace>>,
    /// Submissions that are being proved, and those proved whose way to the writer is not over.
    proving: AtomicUsize,
    /// Holes in the packs that were found, each once, by file and offset.
    damage: Mutex<BTreeMap<(PathBuf, u64), Damage>>,
}

impl Shared {
    pub(crate) fn new(
        origin: &str,
        tiles: Tiles,
        packs: PackReader,
        catalogue: Catalogue,
        keys: Arc<Keys>,
        policy: Policy,
    ) -> Shared {
        Shared {
            origin: origin.to_owned(),
            log: LogKey::of(origin),
            tiles,
            packs,
            catalogue,
            keys,
            times: RwLock::new(Times::default()),
            policy: RwLock::new(policy),
            former: OnceLock::new(),
            regions: OnceLock::new(),
            given_up: OnceLock::new(),
            own_witness: RwLock::new(None),
            departed: RwLock::default(),
            published: watch::Sender::new(None),
            unsigned: watch::Sender::new(None),
            stopped: watch::Sender::new(None),
            head: RwLock::new(Head::EMPTY),
            stated_head: OnceLock::new(),
            signing: RwLock::new(Signing::WaitingForGuard),
            index_ready: AtomicBool::new(false),
            full: AtomicBool::new(false),
            indexed: AtomicU64::new(0),
            unlogged: AtomicU64::new(0),
            waiting: RwLock::new(HashMap::new()),
            proving: AtomicUsize::new(0),
            damage: Mutex::new(BTreeMap::new()),
        }
    }

    pub(crate) fn head(&self) -> Head {
        *self.head.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_head(&self, head: Head) {
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = head;
    }

    /// The newest tree that this log is known to have made: a read-only one may serve less.
    pub(crate) fn stated_head(&self) -> Head {
        self.stated_head.get().copied().unwrap_or_else(|| self.head())
    }

    pub(crate) fn set_stated_head(&self, head: Head) {
        // Only the start says it, once.
        let _ = self.stated_head.set(head);
    }

    pub(crate) fn signing(&self) -> Signing {
        self.signing.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_signing(&self, signing: Signing) {
        *self.signing.write().unwrap_or_else(PoisonError::into_inner) = signing;
    }

    pub(crate) fn policy(&self) -> Policy {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn published_size(&self) -> u64 {
        self.published.borrow().as_ref().map_or(0, |published| published.head.size)
    }

    pub(crate) fn set_regions(&self, regions: Arc<[Region]>) {
        let _set_once = self.regions.set(regions);
    }

    /// Where this node is: nowhere where it was not said.
    pub(crate) fn regions(&self) -> &[Region] {
        self.regions.get().map_or(&[], |regions| regions)
    }

    /// Until then admission answers busy, because a duplicate could not be told.
    pub(crate) fn index_ready(&self) -> bool {
        self.index_ready.load(Ordering::Acquire)
    }

    pub(crate) fn set_index_ready(&self) {
        self.index_ready.store(true, Ordering::Release);
    }

    /// Until there is room again admission answers so, and the writer takes nothing.
    pub(crate) fn full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    pub(crate) fn set_full(&self, full: bool) {
        self.full.store(full, Ordering::Release);
    }

    /// The index is thrown away: it is built again from here on.
    pub(crate) fn set_index_stale(&self) {
        self.index_ready.store(false, Ordering::Release);
        self.indexed.store(0, Ordering::Relaxed);
    }

    /// So many more entries or bodies are in the index.
    pub(crate) fn add_indexed(&self, count: u64) {
        self.indexed.fetch_add(count, Ordering::Relaxed);
    }

    /// Entries and bodies in the index, while it is built: at most twice the size of the log and
    /// what waits for it.
    pub(crate) fn indexed(&self) -> u64 {
        self.indexed.load(Ordering::Relaxed)
    }

    pub(crate) fn unlogged(&self) -> u64 {
        self.unlogged.load(Ordering::Relaxed)
    }

    /// A submission is being proved until what is returned is dropped.
    pub(crate) fn begin_proving(self: &Arc<Shared>) -> Proving {
        self.proving.fetch_add(1, Ordering::AcqRel);
        Proving(self.clone())
    }

    /// Whether another submission is about to come to the writer.
    pub(crate) fn is_proving(&self) -> bool {
        0 < self.proving.load(Ordering::Acquire)
    }

    pub(crate) fn stored(&self, pending: usize) {
        self.unlogged.store(pending as u64, Ordering::Relaxed);
    }

    pub(crate) fn sequenced(&self, head: Head, pending: usize) {
        self.set_head(head);
        self.stored(pending);
    }

    /// Ends all taking and signing, and wakes whoever must end the process.
    pub(crate) fn stop(&self, cause: String) {
        self.set_signing(Signing::Stopped { cause: cause.clone() });
        self.stopped.send_replace(Some(cause));
    }

    /// Ends all taking and signing because a write failed, and says why. What is published is
    /// served on where the disk has become read-only; else the process must be started again.
    pub(crate) fn give_up(&self, error: &(dyn std::error::Error + 'static)) -> String {
        let cause = chain(error);
        if is_caused_by(error, &[ErrorKind::ReadOnlyFilesystem]) {
            tracing::error!(%cause, "the log is served read-only from here on");
            let cause = format!("the disk has become read-only: {cause}");
            self.set_signing(Signing::ReadOnly { cause, help: UNWRITABLE_HELP });
        } else {
            tracing::error!(%cause, "the writer stops");
            self.stop(cause.clone());
        }
        cause
    }

    pub(crate) fn read_times<T>(&self, read: impl FnOnce(&Times) -> T) -> T {
        read(&self.times.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn write_times(&self, write: impl FnOnce(&mut Times)) {
        write(&mut self.times.write().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn set_former(&self, policies: Vec<Policy>) {
        let _ = self.former.set(policies);
    }

    pub(crate) fn former(&self) -> &[Policy] {
        self.former.get().map_or(&[], Vec::as_slice)
    }

    pub(crate) fn set_given_up(&self, heads: Vec<Head>) {
        let _ = self.given_up.set(heads);
    }

    /// Whether this tree was signed and given up for the one that is here.
    pub(crate) fn has_given_up(&self, head: Head) -> bool {
        self.given_up.get().is_some_and(|heads| heads.contains(&head))
    }

    pub(crate) fn set_policy(&self, policy: Policy) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }

    /// Learns who has left by this version of the network file.
    pub(crate) fn set_departed(&self, network: &Network) {
        let all = network.sealed.iter().map(|sealed| &sealed.org);
        let departed = all.filter(|org| network.has_left(org)).cloned().collect();
        *self.departed.write().unwrap_or_else(PoisonError::into_inner) = departed;
    }

    /// Whether this organisation was a member and has left.
    pub(crate) fn has_left(&self, org: &OrgId) -> bool {
        self.departed.read().unwrap_or_else(PoisonError::into_inner).contains(org)
    }

    pub(crate) fn set_own_witness(&self, key: Option<VerifierKey>) {
        *self.own_witness.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    /// Whose word says that the log has nothing newer: see [`vouchers`].
    pub(crate) fn vouchers(&self) -> Vec<VerifierKey> {
        let own = self.own_witness.read().unwrap_or_else(PoisonError::into_inner).clone();
        vouchers(&self.policy(), own)
    }

    /// When they last said so on this note.
    pub(crate) fn cosigned_at(&self, note: &SignedNote) -> Option<Timestamp> {
        let own = self.own_witness.read().unwrap_or_else(PoisonError::into_inner).clone();
        cosigned_at(&self.policy(), own.as_ref(), note)
    }

    /// Why a cosignature of the own log that states this instant does not count; `None` if it does.
    pub(crate) fn doubt(&self, at: Timestamp, now: Timestamp) -> Option<String> {
        let renewed = self.published.borrow().as_ref().and_then(|published| published.cosigned_at);
        let dated = self.read_times(Times::last);
        times::doubt(at, now, dated.max(renewed))
    }

    pub(crate) fn found_damage(&self, found: Vec<Damage>) {
        let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        for hole in found {
            if damage.insert((hole.path.clone(), hole.at), hole.clone()).is_none() {
                let (path, at, bytes, torn) = (hole.path.display(), hole.at, hole.bytes, hole.torn);
                tracing::warn!(%path, at, bytes, torn, "found bytes in the packs that are no record");
            }
        }
    }

    /// Damaged records, and bytes of unfinished ones that a crash left.
    pub(crate) fn damage(&self) -> (u64, u64) {
        let damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        let torn = damage.values().filter(|hole| hole.torn);
        let torn_bytes = torn.clone().map(|hole| hole.bytes).sum();
        let is_in = |hole: &Damage, path: &Path, at| {
            hole.path == path && (hole.at..hole.at + hole.bytes).contains(&at)
        };
        let met = self.packs.met();
        let new = met.iter().filter(|(path, at)| !damage.values().any(|h| is_in(h, path, *at)));
        ((damage.len() + new.count()) as u64 - torn.count() as u64, torn_bytes)
    }

    /// Segments of the packs with a damaged record.
    pub(crate) fn damaged_packs(&self) -> BTreeSet<PathBuf> {
        let damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
        let holes = damage.values().filter(|hole| !hole.torn).map(|hole| hole.path.clone());
        holes.chain(self.packs.met().into_iter().map(|(path, _)| path)).collect()
    }

    /// An entry of the sequenced tree.
    pub(crate) fn entry(&self, index: u64) -> Result<Entry, StoreError> {
        let size = self.head().size;
        if size <= index {
            return Err(StoreError::Beyond { size, asked: index });
        }
        let entries = self.tiles.entries(index..index + 1, size)?;
        Ok(entries[0])
    }

    /// A body of the own log, checked against its id; `None` if unknown or erased.
    pub(crate) fn own_body(&self, id: &ContentId) -> Result<Option<Vec<u8>>, StoreError> {
        match self.place(id)? {
            Some(place) => self.packs.read(place, id),
            None => Ok(None),
        }
    }

    /// What lies where a body of the own log should, by its SHA-256.
    pub(crate) fn held_as(&self, id: &ContentId) -> Result<Option<ContentId>, StoreError> {
        match self.place(id)? {
            Some(place) => self.packs.held(place),
            None => Ok(None),
        }
    }

    /// Where a body of the own log lies, in the tree or not.
    pub(crate) fn place(&self, id: &ContentId) -> Result<Option<PackPlace>, IndexError> {
        // In this order: what has left the first is in the second.
        let waiting = self.waiting.read().unwrap_or_else(PoisonError::into_inner).get(id).copied();
        match waiting {
            Some(place) => Ok(Some(place)),
            None => self.catalogue.body(self.log, id),
        }
    }

    /// These wait for the tree.
    pub(crate) fn add_waiting(&self, bodies: impl Iterator<Item = (ContentId, PackPlace)>) {
        self.waiting.write().unwrap_or_else(PoisonError::into_inner).extend(bodies);
    }

    /// The index knows where these lie.
    pub(crate) fn remove_waiting<'a>(&self, ids: impl Iterator<Item = &'a ContentId>) {
        let mut waiting = self.waiting.write().unwrap_or_else(PoisonError::into_inner);
        ids.for_each(|id| {
            waiting.remove(id);
        });
    }
}

/// One submission on its way to the writer.
pub(crate) struct Proving(Arc<Shared>);

impl Drop for Proving {
    fn drop(&mut self) {
        self.0.proving.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Whose word says that a log has nothing newer: the witnesses of the policy or, where it names none,
/// the witness of the log's own node. That is then as good as the instants of its entries, which are
/// its own word too; it is no quorum and dates no entry.
pub(crate) fn vouchers(policy: &Policy, own: Option<VerifierKey>) -> Vec<VerifierKey> {
    if policy.is_none() {
        return own.into_iter().collect();
    }
    policy.witnesses().iter().map(|witness| witness.key.clone()).collect()
}

/// When they last vouched for a note.
pub(crate) fn cosigned_at(
    policy: &Policy,
    own: Option<&VerifierKey>,
    note: &SignedNote,
) -> Option<Timestamp> {
    match policy.quorum_met(note).ok().flatten()? {
        QuorumTime::At(at) => Some(at),
        QuorumTime::Unwitnessed => note.signed_by(own?).ok().flatten(),
    }
}
