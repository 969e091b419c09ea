//! How the node and its logs are, in numbers.

use hallmark_schemas::time::Timestamp;

use super::Node;
use super::shared::Signing;
use crate::store::StoreError;

/// Numbers for `status`, `/metrics` and `/readyz`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Status {
    /// The own log.
    pub origin: String,
    /// Entries of the sequenced tree. A read-only log may serve less.
    pub head_size: u64,
    /// Root of it, in hexadecimal.
    pub head_root: String,
    /// Entries under the published checkpoint.
    pub published_size: u64,
    /// The instant of its batch.
    pub published_at: Option<Timestamp>,
    /// When its witnesses last vouched that the log has nothing newer; where the policy names none,
    /// when the own one did.
    pub cosigned_at: Option<Timestamp>,
    /// Durable bodies that are not in the tree yet.
    pub stored_unlogged: u64,
    /// Whether the log can sign.
    pub signing: Signing,
    /// Whether admission can tell duplicates.
    pub index_ready: bool,
    /// Entries and bodies in the index, while it is built: at most twice the entries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indexed: Option<u64>,
    /// Attestations of unknown keys.
    pub deferred: u64,
    /// Bytes of them.
    pub deferred_bytes: u64,
    /// Records of the packs, of all logs here, that are damaged: found at the start, or when they
    /// were read.
    pub damaged_records: u64,
    /// Tiles and entry bundles, of all logs here, that were found lost or damaged when they were
    /// read.
    pub damaged_tiles: u64,
    /// Bytes of unfinished records that a crash left.
    pub torn_bytes: u64,
    /// Followed logs.
    pub peers: Vec<PeerStatus>,
}

/// Numbers of one followed log.
#[derive(Clone, Debug, serde::Serialize)]
pub struct PeerStatus {
    /// The log.
    pub origin: String,
    /// Entries that are here.
    pub size: u64,
    /// Bodies that are missing, counted to 10,000.
    pub wanted: u64,
    /// Defect proofs about it.
    pub defects: u64,
    /// What each of them shows.
    pub defect_proofs: Vec<String>,
}

/// Most missing bodies that `status` counts.
const WANTED_COUNT_MAX: usize = 10_000;

impl Node {
    /// Numbers, for people and machines.
    pub fn status(&self) -> Result<Status, StoreError> {
        let log = self.log();
        let (deferred, deferred_bytes) = self.inner.deferred.count();
        let (mut damaged_records, torn_bytes) = log.damage();
        let mut peers = Vec::new();
        for peer in self.mirror().logs() {
            damaged_records += peer.damaged_records().len() as u64;
            let shown = peer.shown_defects();
            peers.push(PeerStatus {
                origin: peer.origin().to_owned(),
                size: peer.head().size,
                wanted: peer.wanted_count(WANTED_COUNT_MAX)? as u64,
                defects: shown.len() as u64,
                defect_proofs: shown,
            });
        }
        let (head, published) = (log.stated_head(), log.published());
        Ok(Status {
            origin: log.origin().to_owned(),
            head_size: head.size,
            head_root: hallmark_schemas::hex::encode(&head.root),
            published_size: published.as_ref().map_or(0, |published| published.head.size),
            published_at: published.as_ref().map(|published| published.at),
            cosigned_at: published.and_then(|published| published.cosigned_at),
            stored_unlogged: log.unlogged(),
            signing: log.signing(),
            index_ready: log.index_ready(),
            indexed: (!log.index_ready()).then(|| log.indexed()),
            deferred,
            deferred_bytes,
            damaged_records,
            damaged_tiles: self.damaged_tiles().len() as u64,
            torn_bytes,
            peers,
        })
    }
}
