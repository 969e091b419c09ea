//! The node's own log and everything it holds, as the rest of the node sees it.
//!
//! DRAFT of the interface: the bodies of the functions land with the schemas. Not in `lib.rs` yet.
//!
//! Invariants: only the writer thread changes the own log; every read here is checked against its
//! hash before it is handed out; a handle outlives the writer and then answers `Stopped`.

use std::path::PathBuf;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use hallmark_schemas::attestation::{ContentId, Refusal};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::history::KeyHistory;
use hallmark_schemas::key::Signer;
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{Checkpoint, SignedNote};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::{EntryTime, Timestamp};

/// Source of the time of day; tests give their own.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a node needs to open its store.
pub struct OpenOptions {
    pub dir: PathBuf,  // DIR
    pub data: PathBuf, // DATA
    pub origin: String,
    pub log_signer: Arc<dyn Signer>,
    pub network: NetworkFile, // seeds the key history; its policy is the witness policy
    pub batch_wait_max: Duration,
    pub clock: Clock,
}

/// Makes the store of a new log (empty tree, head slots); `init` calls it once, it refuses a second time.
pub fn create(dir: &Path, data: &Path, origin: &str) -> Result<(), OpenError>;
/// Throws the index away and builds it again from the files (`reindex`; needs the lock).
pub fn reindex(options: OpenOptions, progress: &mut dyn FnMut(u64)) -> Result<Reindexed, OpenError>;

/// Everything the node holds. Cheap to clone (one Arc).
#[derive(Clone)]
pub struct Node { /* private */ }

impl Node {
    /// Takes the lock, recovers, starts the thread named `writer`.
    pub fn open(options: OpenOptions) -> Result<(Node, WriterThread), OpenError>;

    // --- admission ---
    /// One attestation as stored bytes (empty unprotected header). Parse, key, signature, role,
    /// dedupe, durable. Async; CPU work runs on blocking threads.
    pub async fn admit(&self, stored: Vec<u8>) -> Result<Admitted, AdmitError>;
    /// The same for many at once: one answer each, in order. The fast path (MQTT, CBOR sequences).
    pub async fn admit_many(&self, stored: Vec<Vec<u8>>) -> Vec<Result<Admitted, AdmitError>>;
    /// Waits until the entry is under a published, quorum-cosigned checkpoint.
    pub async fn recorded(&self, id: &ContentId) -> Result<Recorded, AdmitError>;
    /// COSE receipt over the published checkpoint; None while only stored, or unknown here.
    pub fn receipt(&self, id: &ContentId) -> Result<Option<Vec<u8>>, StoreError>;

    // --- reading ---
    pub fn log(&self) -> &LogHandle;
    pub fn mirror(&self) -> &Mirror;
    /// Shared key history: own recorded identity attestations and those of every mirrored log.
    pub fn keys(&self) -> &Arc<RwLock<KeyHistory>>;
    /// Body by content id: own log first, then mirrors. Checked against its id.
    pub fn body(&self, id: &ContentId) -> Result<Option<Vec<u8>>, StoreError>;
    /// Every place where this id is logged: (origin, index, entry).
    pub fn places(&self, id: &ContentId) -> Result<Vec<Place>, StoreError>;
    pub fn entry_time(&self, origin: &str, index: u64) -> Result<Option<EntryTime>, StoreError>;
    pub fn status(&self) -> Status;
    /// A newer network file: its policy and registrars take effect at once.
    pub fn adopt_network(&self, network: NetworkFile);
}

/// stored: durable here, will be logged. deferred: key not known yet, kept durably, tried again.
pub enum Admitted {
    Stored { id: ContentId, known: bool }, // known: it (or the same statement: then id is the first one's) was here before
    Deferred { id: ContentId },
}

/// A recorded attestation.
pub struct Recorded { pub id: ContentId, pub index: u64, pub entry: Entry, pub receipt: Vec<u8> }
pub struct Place { pub origin: String, pub index: u64, pub entry: Entry }

pub enum AdmitError {
    Refused(Refusal),                                   // the sender's fault: 4xx by refusal
    Busy { retry_after: Duration, what: &'static str }, // 503 + Retry-After (index catching up, queue full, quarantine full)
    ReadOnly { cause: String },                         // 503: fork guard, head mismatch ...
    Stopped { cause: String },                          // 503: a durable write failed; the process exits 70
}

/// The own log.
#[derive(Clone)]
pub struct LogHandle { /* private */ }

impl LogHandle {
    pub fn origin(&self) -> &str;
    /// Newest published (quorum-cosigned) checkpoint note and its tree; None before the first.
    pub fn published(&self) -> Option<Published>;
    pub fn subscribe_published(&self) -> tokio::sync::watch::Receiver<Option<Published>>;
    /// Log-signed, not yet cosigned checkpoint that waits for its quorum: witnesses are asked for this one.
    pub fn subscribe_unsigned(&self) -> tokio::sync::watch::Receiver<Option<Arc<SignedNote>>>;
    /// Brings cosignature lines (any note with the same text). Merged, checked, counted by the writer; idempotent.
    pub fn cosigned(&self, note: SignedNote);
    /// Head = newest sequenced tree, perhaps unpublished.
    pub fn head(&self) -> Head; // { size, root }
    /// Raw file bytes of a tile or entry bundle (`tile/0/x001/234.p/5`), only below the published size;
    /// a partial tile whose full tile exists is cut from it.
    pub fn tile(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError>;
    pub fn entries(&self, range: std::ops::Range<u64>) -> Result<Vec<Entry>, StoreError>;
    pub fn index_of(&self, id: &ContentId) -> Result<Option<(u64, Entry)>, StoreError>;
    pub fn root_at(&self, size: u64) -> Result<Hash, StoreError>;
    pub fn consistency_proof(&self, from: u64, to: u64) -> Result<Vec<Hash>, StoreError>;
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, StoreError>;
    /// Every published checkpoint note, oldest first.
    pub fn checkpoints(&self) -> Result<Vec<SignedNote>, StoreError>;

    // --- fork guard ---
    /// How a witness's newest checkpoint of this log (under our signature) compares with our head.
    pub fn compare(&self, theirs: &Checkpoint) -> Result<GuardView, StoreError>; // Within | Ahead | Forked
    /// Every possible quorum is represented among the answers and none is ahead: signing may begin.
    pub fn guard_satisfied(&self);
    /// A witness holds more (or other) than we do: read-only from now on, shown in status.
    pub fn guard_refused(&self, theirs: Checkpoint, view: GuardView);

    /// Becomes Some(cause) when a durable write failed: exit with 70.
    pub fn subscribe_stopped(&self) -> tokio::sync::watch::Receiver<Option<String>>;
}

/// The copies of followed logs under DATA/peers/<hex>. Blocking calls: use spawn_blocking.
#[derive(Clone)]
pub struct Mirror { /* private */ }

impl Mirror {
    /// Opens (or makes) the copy of one log. `log_key` is its checkpoint verifier key.
    pub fn follow(&self, origin: &str, log_key: VerifierKey) -> Result<MirroredLog, MirrorError>;
    pub fn logs(&self) -> Vec<MirroredLog>;
    pub fn by_hex(&self, hex: &str) -> Option<MirroredLog>;
}
#[derive(Clone)]
pub struct MirroredLog { /* private */ }
impl MirroredLog {
    pub fn origin(&self) -> &str;
    pub fn size(&self) -> u64;
    pub fn checkpoint(&self) -> Option<SignedNote>;
    /// Starts taking over a newer checkpoint: signature of the log checked, never shrinks; a note of our
    /// size with another root is kept as a defect proof and answered Err(Equivocation{proof}).
    pub fn grow(&self, note: SignedNote) -> Result<Growth, MirrorError>;
    /// Content ids whose bodies we lack (persisted want-list), from `after` on, at most `limit`: (index, entry).
    pub fn wanted(&self, after: u64, limit: usize) -> Result<Vec<(u64, Entry)>, StoreError>;
    /// Bodies: checked against id and against being logged there; one group commit. Returns how many were new.
    pub fn put_bodies(&self, bodies: Vec<Vec<u8>>) -> Result<usize, MirrorError>;
    pub fn tile(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError>;
    pub fn entries(&self, range: std::ops::Range<u64>) -> Result<Vec<Entry>, StoreError>;
    pub fn root_at(&self, size: u64) -> Result<Hash, StoreError>;   // for cosigning: consistency is by construction
    pub fn defects(&self) -> Vec<PathBuf>;
}
/// Feed it the entry bundles it asks for, in order, then commit.
pub struct Growth { /* private */ }
impl Growth {
    /// Next entry bundle to fetch from the peer; None when all are here.
    pub fn next(&self) -> Option<TilePath>;
    pub fn feed(&mut self, bundle: &[u8]) -> Result<(), MirrorError>;
    /// Root of the rebuilt tree must be the note's; then tiles durable, then the checkpoint replaced.
    pub fn commit(self) -> Result<(), MirrorError>;
}

/// Numbers for `status`, `/metrics`, `/readyz`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Status {
    pub origin: String,
    pub head_size: u64, pub head_root: String,
    pub published_size: u64, pub published_at: Option<Timestamp>,
    pub stored_unlogged: u64,         // durable, not yet in the tree
    pub signing: Signing,             // waiting_for_guard | ready | waiting_for_quorum | read_only{cause} | stopped{cause}
    pub index_covers: u64, pub index_ready: bool,
    pub deferred: u64, pub deferred_bytes: u64,
    pub damaged_records: u64, pub torn_bytes: u64,
    pub peers: Vec<PeerStatus>,       // origin, size, wanted, defects
}
