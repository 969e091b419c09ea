//! Everything that a node holds, as the rest of the node sees it.
//!
//! Invariants: only the writer thread changes the own log; every read is checked against its hash
//! before it is handed out; handles outlive the writer and then answer that it has stopped.

mod damage;
pub(crate) mod erased;
pub(crate) mod former;
pub(crate) mod log;
pub(crate) mod shared;
mod status;
mod taking;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod times;

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::audience::Region;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::history::KeyHistory;
use hallmark_schemas::key::Signer;
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::layout::{Data, Dir};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{NoteSigner, VerifierKeyError};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::time::{EntryTime, Timestamp};
use tokio::sync::watch;

pub use log::{GuardView, LogHandle};
use shared::Shared;
pub use shared::{Published, Signing};

use crate::admission::keys::Keys;
use crate::admission::{Admission, AdmitError};
use crate::deferred::Deferred;
use crate::erasure::{self, Derived};
use crate::index::engine::Engine;
use crate::index::goods::{About, GoodsPlace};
use crate::index::labels::By;
use crate::index::{Catalogue, IndexError, LogKey};
use crate::mirror::{Mirror, MirrorError};
use crate::peers::witness_key;
use crate::sequencer::read_only::ReadOnlyLog;
use crate::sequencer::recover::Unfit;
use crate::sequencer::writer::{self, Opened};
use crate::sequencer::{SequenceError, Sequencer};
use crate::store::StoreError;
use crate::store::disk::read_only::disk_of;
use crate::store::disk::{Disk, DiskError, OnPath, OsDisk};
use crate::store::head::{HeadError, HeadSlots};
use crate::store::lock::{DirLock, LockError};
use crate::store::pack::PackReader;
use crate::store::reserve::Reserve;
use crate::store::tiles::Tiles;

pub use crate::sequencer::writer::WriterThread;
pub use status::{PeerStatus, Status};

/// Source of the time of day; tests give their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a node needs to open its store.
pub struct OpenOptions {
    /// DIR.
    pub dir: Dir,
    /// DATA.
    pub data: Data,
    /// What keeps the index.
    pub engine: Engine,
    /// The own log's name.
    pub origin: String,
    /// The own log's key.
    pub log_signer: Arc<dyn Signer>,
    /// What keys and the witness policy are proved from.
    pub network: NetworkFile,
    /// Where the node is: of bodies that list regions it takes and keeps only those of these.
    pub regions: Vec<Region>,
    /// Longest wait before a stored attestation is in a signed tree; on a quiet log it is short.
    pub batch_wait_max: Duration,
    /// The time of day.
    pub clock: Clock,
}

/// Why a store cannot be opened at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process works in DIR.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A folder or file cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The head cannot be made.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A followed log's copy cannot be opened.
    #[error("failed to open the copy of a followed log")]
    Mirror(#[from] MirrorError),
    /// The index cannot be built.
    #[error("failed to build the index")]
    Sequence(#[from] SequenceError),
    /// The origin cannot name a log.
    #[error("the log cannot be named {origin}")]
    Origin {
        /// The origin.
        origin: String,
        /// What is wrong with it.
        source: VerifierKeyError,
    },
    /// A thread cannot be started.
    #[error("failed to start a thread")]
    Thread {
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl From<DiskError> for OpenError {
    fn from(error: DiskError) -> OpenError {
        OpenError::Store(error.into())
    }
}

impl From<IndexError> for OpenError {
    fn from(error: IndexError) -> OpenError {
        OpenError::Store(error.into())
    }
}

/// Makes the store of a new, empty log: only `init` does, and a second time is refused.
pub fn create(dir: &Dir, data: &Data, origin: &str) -> Result<(), OpenError> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    for folder in [data.log(), data.packs(), data.peers()] {
        disk.create_dir_all(&folder).on("make", &folder)?;
    }
    Ok(HeadSlots::new(disk, dir.head_slots(), origin).create()?)
}

/// The same for a log that follows another one; where it was made before, nothing is changed.
pub(crate) fn create_if_new(dir: &Dir, data: &Data, origin: &str) -> Result<(), OpenError> {
    match HeadSlots::new(Arc::new(OsDisk), dir.head_slots(), origin).load() {
        Ok(_) => Ok(()),
        Err(_) => create(dir, data, origin),
    }
}

/// Throws the index away, so that the next [`Node::open`] builds it from the files.
pub fn discard_index(dir: &Dir, data: &Data) -> Result<(), OpenError> {
    let _lock = DirLock::take(&dir.lock())?;
    let index = data.index();
    Ok(OsDisk.remove_dir_all(&index).on("remove", &index)?)
}

/// An attestation in a log that this node holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The log.
    pub origin: String,
    /// Its place there.
    pub index: u64,
    /// The entry.
    pub entry: Entry,
}

/// An attestation under a published checkpoint of the own log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recorded {
    /// Its id.
    pub id: ContentId,
    /// Its place.
    pub index: u64,
    /// The entry.
    pub entry: Entry,
    /// The COSE receipt.
    pub receipt: Vec<u8>,
}

/// Everything the node holds. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
}

/// What a node is made of, opened and recovered, before anything moves.
pub(crate) struct Parts {
    pub(crate) shared: Arc<Shared>,
    pub(crate) signer: NoteSigner,
    pub(crate) opened: Opened,
    pub(crate) reserve: Reserve,
    pub(crate) deferred: Arc<Deferred>,
    pub(crate) mirror: Mirror,
    pub(crate) derived: Arc<Derived>,
}

impl Parts {
    /// Where the files of the own log contradict each other they open read-only. Before the network
    /// file stand the policies of its earlier versions.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        catalogue: Catalogue,
        (dir, data): (&Dir, &Data),
        origin: &str,
        log_signer: Arc<dyn Signer>,
        (former, network): (Vec<Policy>, &NetworkFile),
    ) -> Result<Parts, OpenError> {
        erasure::finish(&*disk, data)?;
        // What was renamed and not made durable before the start must not be gone on from.
        for folder in [data.path(), &data.log(), &data.packs()] {
            disk.settle_dir(folder).on("sync", folder)?;
        }
        let keys = Arc::new(Keys::new(KeyHistory::new(network)));
        let policy = network.network().policy.clone();
        let signer = NoteSigner::log(origin, log_signer)
            .map_err(|source| OpenError::Origin { origin: origin.to_owned(), source })?;
        let shared = Arc::new(Shared::new(
            origin,
            Tiles::new(disk.clone(), &data.log()),
            PackReader::new(disk.clone(), &data.packs()),
            catalogue.clone(),
            keys.clone(),
            policy.clone(),
        ));
        shared.set_former(former.clone());
        shared.set_own_witness(witness_key(network, origin));
        shared.set_departed(network.network());
        let derived = Arc::new(Derived::new(disk.clone(), data.clone()));
        let sequencer = if disk.is_read_only() {
            Err(Unfit::Unwritable)
        } else {
            Sequencer::open(disk.clone(), dir.head_slots(), data, shared.clone(), signer.clone())
        };
        let opened = match sequencer {
            Ok(sequencer) => {
                let sequencer = sequencer.forgetting(derived.clone());
                sequencer.discard_foreign_index()?;
                Opened::Whole(Box::new(sequencer))
            }
            Err(unfit) => {
                let (cause, help) = (writer::chain(&unfit), unfit.help());
                tracing::error!(%cause, help, "the log is served read-only");
                shared.set_signing(Signing::ReadOnly { cause, help });
                let slots = HeadSlots::new(disk.clone(), dir.head_slots(), origin);
                slots.load().map(|head| shared.set_stated_head(head)).unwrap_or_default();
                let key = signer.vkey();
                Opened::ReadOnly(ReadOnlyLog::open(disk.clone(), data, shared.clone(), key))
            }
        };
        let deferred = Arc::new(Deferred::open(disk.clone(), &data.deferred())?);
        let reserve = Reserve::new(disk.clone(), &data.reserve()).with_index(&data.index());
        let network = Arc::new(network.clone());
        let mirror = Mirror::new(disk, data.clone(), catalogue, keys, network);
        let mirror = mirror.after(former).forgetting(derived.clone());
        Ok(Parts { shared, signer, opened, reserve, deferred, mirror, derived })
    }
}

struct Inner {
    disk: Arc<dyn Disk>,
    catalogue: Catalogue,
    log: LogHandle,
    mirror: Mirror,
    derived: Arc<Derived>,
    keys: Arc<Keys>,
    deferred: Arc<Deferred>,
    admission: Admission,
}

impl Node {
    /// Takes the lock of DIR, recovers, and starts the writer thread. Nothing is signed before
    /// [`LogHandle::guard_satisfied`].
    ///
    /// Where the files of the own log contradict each other the node opens read-only and serves
    /// what they prove; its status says why. Followed logs open with [`Mirror::follow`].
    pub fn open(options: OpenOptions) -> Result<(Node, WriterThread), OpenError> {
        let OpenOptions { dir, data, engine, origin, log_signer, network, .. } = options;
        let (batch_wait_max, clock) = (options.batch_wait_max, options.clock);
        let regions: Arc<[Region]> = options.regions.into();
        let lock = DirLock::take(&dir.lock())?;
        let (disk, scratch) = disk_of(&dir, &data)?;
        let index = scratch.as_ref().map_or(data.index(), |scratch| scratch.path().to_owned());
        let catalogue = Catalogue::open(&origin, engine, &index)?.holding(lock).in_scratch(scratch);
        catalogue.discard_other_layout()?;
        let networks = (former::read(&dir, &network), &network);
        let parts =
            Parts::open(disk.clone(), catalogue, (&dir, &data), &origin, log_signer, networks)?;
        let Parts { shared, signer, opened, reserve, deferred, mirror, derived } = parts;
        shared.set_regions(regions.clone());
        let mirror = mirror.within(regions);
        let (keys, catalogue) = (shared.keys.clone(), shared.catalogue.clone());
        let (sender, receiver) = mpsc::channel();
        let admission =
            Admission::new(shared.clone(), deferred.clone(), sender.clone(), clock.clone());
        let thread = writer::spawn(opened, reserve, receiver, clock, batch_wait_max)
            .map_err(|source| OpenError::Thread { source })?;
        let retry = spawn_retry(admission.clone())?;
        let log = LogHandle::new(shared, signer, sender.clone());
        let keys_held = keys.clone();
        let inner =
            Inner { disk, catalogue, log, mirror, derived, keys: keys_held, deferred, admission };
        Ok((Node { inner: Arc::new(inner) }, WriterThread { thread, retry, keys, sender }))
    }

    /// Whether this node was started on a disk that is mounted read-only: it serves what is there.
    pub fn is_on_read_only_disk(&self) -> bool {
        self.inner.disk.is_read_only()
    }

    /// The own log.
    pub fn log(&self) -> &LogHandle {
        &self.inner.log
    }

    /// The copies of followed logs. Its calls block.
    pub fn mirror(&self) -> &Mirror {
        &self.inner.mirror
    }

    /// Throws the index away and builds it again, of the own log first. Until then nothing is
    /// taken, and what is looked up by id or goods is not found.
    pub async fn reindex(&self) -> Result<(), StoreError> {
        let stopped = |cause: String| {
            StoreError::damaged(std::path::Path::new("index"), format!("not rebuilt: {cause}"))
        };
        if self.log().reindex().await.is_err() {
            return Err(stopped("the writer has ended".to_owned()));
        }
        let node = self.clone();
        let rest = tokio::task::spawn_blocking(move || {
            node.mirror().logs().iter().try_for_each(|log| log.reindex())
        });
        let rest = rest.await.map_err(|panic| stopped(panic.to_string()))?;
        rest.map_err(|error| stopped(writer::chain(&error)))?;
        Ok(self.inner.catalogue.end_again()?)
    }

    /// The key history of everything that is held here.
    pub fn keys(&self) -> &Arc<Keys> {
        &self.inner.keys
    }

    /// Waits until an attestation that is stored here is under a published checkpoint.
    pub async fn recorded(&self, id: &ContentId) -> Result<Recorded, AdmitError> {
        let published = self.log().subscribe_published();
        match self.look_for(id).await? {
            Some(recorded) => Ok(recorded),
            None => self.recorded_after(id, published).await,
        }
    }

    /// The same for one that was not here yet when `published` last looked.
    pub async fn recorded_after(
        &self,
        id: &ContentId,
        mut published: watch::Receiver<Option<Published>>,
    ) -> Result<Recorded, AdmitError> {
        let mut stop = self.log().subscribe_stopped();
        loop {
            if let Some(cause) = stop.borrow_and_update().clone() {
                return Err(AdmitError::Stopped { cause });
            }
            tokio::select! {
                changed = published.changed() => changed.map_err(|_| AdmitError::Stopped {
                    cause: "the writer has ended".to_owned(),
                })?,
                _ = stop.changed() => continue,
            }
            if let Some(recorded) = self.look_for(id).await? {
                return Ok(recorded);
            }
        }
    }

    /// Where it is under the published checkpoint; `None` if it is only stored.
    async fn look_for(&self, id: &ContentId) -> Result<Option<Recorded>, AdmitError> {
        let stopped = |error: StoreError| AdmitError::Stopped { cause: writer::chain(&error) };
        let (log, wanted) = (self.log().clone(), *id);
        let found = tokio::task::spawn_blocking(move || {
            let found = log.recorded(&wanted)?;
            let is_unknown = found.is_none() && log.index_ready() && !log.holds(&wanted)?;
            Ok((found, is_unknown))
        });
        let found =
            found.await.map_err(|panic| AdmitError::Stopped { cause: panic.to_string() })?;
        match found.map_err(stopped)? {
            (None, true) => Err(AdmitError::Unknown { id: *id }),
            (found, _) => Ok(found),
        }
    }

    /// A body by its id, from the own log or a copy; `None` if it is not here or erased.
    pub fn body(&self, id: &ContentId) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some(body) = self.log().body(id)? {
            return Ok(Some(body));
        }
        for log in self.mirror().logs() {
            if let Some(body) = log.body(id)? {
                return Ok(Some(body));
            }
        }
        Ok(None)
    }

    /// Every place of an id in the logs that are held here, the own log first.
    pub fn places(&self, id: &ContentId) -> Result<Vec<Place>, StoreError> {
        let mut places = Vec::new();
        if let Some((index, entry)) = self.log().index_of(id)? {
            places.push(Place { origin: self.log().origin().to_owned(), index, entry });
        }
        for log in self.mirror().logs() {
            if let Some(index) = log.index_of(id)?.filter(|index| *index < log.head().size) {
                let entry = log.entries(index..index + 1)?[0];
                places.push(Place { origin: log.origin().to_owned(), index, entry });
            }
        }
        Ok(places)
    }

    /// Attestations about goods, in the order of admission: see [`Catalogue::goods`].
    pub fn goods(
        &self,
        goods: &GoodsId,
        about: About,
        after: Option<&GoodsPlace>,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, StoreError> {
        Ok(self.inner.catalogue.goods(goods, about, after, limit)?)
    }

    /// Whether a log has the entry, which holds `said`, only as evidence that its issuer contradicts
    /// an earlier one.
    pub fn is_contradiction(
        &self,
        log: LogKey,
        entry: u64,
        said: &Envelope,
    ) -> Result<bool, StoreError> {
        Ok(self.inner.catalogue.is_contradiction(log, entry, said)?)
    }

    /// Whether it is nothing else in any of these logs that has it.
    pub fn is_refused(
        &self,
        said: &Envelope,
        logs: &BTreeMap<LogKey, String>,
    ) -> Result<bool, StoreError> {
        let mut places = self.inner.catalogue.entries(&said.id())?;
        places.retain(|(log, _)| logs.contains_key(log));
        for (log, entry) in &places {
            if !self.is_contradiction(*log, *entry, said)? {
                return Ok(false);
            }
        }
        Ok(!places.is_empty())
    }

    /// Statements about a party, a place or a body that vouches: see [`Catalogue::beside`].
    pub fn beside(&self, subject: &str, limit: usize) -> Result<Vec<GoodsPlace>, StoreError> {
        Ok(self.inner.catalogue.beside(subject, limit)?)
    }

    /// Every event of all logs held here, in the order of admission, the first `limit` after
    /// `after`.
    pub fn events(
        &self,
        after: Option<&GoodsPlace>,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, StoreError> {
        Ok(self.inner.catalogue.events(after, limit)?)
    }

    /// Every recall of all logs held here, in the order of admission: see [`Catalogue::recalls`].
    pub fn recalls(
        &self,
        after: Option<&GoodsPlace>,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, StoreError> {
        Ok(self.inner.catalogue.recalls(after, limit)?)
    }

    /// Events of this eventID, or of this hash and without eventID.
    pub fn events_named(
        &self,
        identity: &str,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, StoreError> {
        Ok(self.inner.catalogue.events_named(identity, limit)?)
    }

    /// Erasures of records about these goods, by their digest.
    pub fn erasures(&self, goods: &Digest, limit: usize) -> Result<Vec<GoodsPlace>, StoreError> {
        Ok(self.inner.catalogue.erasures(goods, limit)?)
    }

    /// Answers to a finding, in the order of admission.
    pub fn answers(&self, finding: &Digest, limit: usize) -> Result<Vec<GoodsPlace>, StoreError> {
        Ok(self.inner.catalogue.answers(finding, limit)?)
    }

    /// Label orders of a class of goods: see [`Catalogue::label_orders`].
    pub fn label_orders(
        &self,
        class: &GoodsId,
        by: By<'_>,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, StoreError> {
        Ok(self.inner.catalogue.label_orders(class, by, limit)?)
    }

    /// Corrections of a label order, in the order of admission.
    pub fn label_corrections(
        &self,
        id: &ContentId,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, StoreError> {
        Ok(self.inner.catalogue.label_corrections(id, limit)?)
    }

    /// The origins of the own and all followed logs, by the names that places give them.
    pub fn origins(&self) -> BTreeMap<LogKey, String> {
        let own = self.log().origin().to_owned();
        let followed = self.mirror().logs();
        let followed = followed.iter().map(|log| log.origin().to_owned());
        std::iter::once(own).chain(followed).map(|name| (LogKey::of(&name), name)).collect()
    }

    /// The time interval of an entry of the own or a followed log.
    pub fn time_of(&self, origin: &str, index: u64, entry: &Entry) -> Option<EntryTime> {
        if origin == self.log().origin() {
            return self.log().time_of(index, entry);
        }
        self.mirror().log(origin).and_then(|log| log.time_of(index, entry))
    }

    /// Takes a newer network file, which the caller has checked: keys and witness policy.
    pub fn adopt_network(&self, network: &NetworkFile) {
        let policy = &network.network().policy;
        self.inner.keys.adopt(network);
        self.inner.mirror.adopt_network(network);
        self.log().set_own_witness(witness_key(network, self.log().origin()));
        self.log().set_policy(policy);
        self.log().set_departed(network.network());
    }
}

fn spawn_retry(admission: Admission) -> Result<JoinHandle<()>, OpenError> {
    let thread = std::thread::Builder::new().name("deferred".to_owned());
    let run = move || admission.retry_deferred();
    thread.spawn(run).map_err(|source| OpenError::Thread { source })
}
