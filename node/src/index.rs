//! The index: where things are. Derived from the files, rebuilt from them, never trusted alone.
//!
//! Invariants: a batch is written whole or not at all, and later batches never without earlier
//! ones; `covers` names the tree up to which the entries are indexed, in the same batch as they.
//!
//! Keys, by their first byte (`log` = first 8 bytes of the SHA-256 of an origin, `…` = the first 16
//! bytes of an id or identity):
//!
//! | key | value |
//! |---|---|
//! | `b` id… log | place of the body in the packs of that log, and its entry where that is known |
//! | `e` id… log | entry of the id in that log, where `b` does not tell it |
//! | `i` identity… | id of the first attestation with this natural identity, own log |
//! | `f` identity… | id of the contradiction of it that was logged as evidence |
//! | `h` identity… log entry | an entry of a copy with this natural identity: see [`first`] |
//! | `k` log entry | id of an identity attestation, in log order |
//! | `w` log entry | id of an entry of a mirror whose body is missing |
//! | `l` class id | a `label` attestation of the own log: its issuer and body |
//! | `n` log | there if the packs of that log hold a body without identity here: an erased one |
//! | `c` log | `covers`: size, root, pack position |
//! | `p` log | the last record of that log's packs which is here: see [`packs`] |
//! | `g` goods … | attestations about goods: see [`goods`] |
//! | `y` `z` log id… | erasures to carry out, and all: see [`erased`] |
//! | `v` | whose index it is, of which release's keys and kinds; another is built again |

mod batch;
pub mod beside;
pub mod engine;
pub mod erased;
mod files;
mod first;
pub mod fjall;
pub mod goods;
pub mod labels;
#[cfg(any(test, feature = "sim"))]
pub mod memory;
mod packs;
#[cfg(feature = "sled")]
pub mod sled;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::head::Head;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::kind::label::Label;
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::pack::PackPosition;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use engine::Engine;
use files::Files;

pub use batch::Batch;

use crate::mutants::mutant;
use crate::store::lock::DirLock;
use crate::store::pack::PackPlace;

/// Why the index cannot answer. It can always be built again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The engine failed.
    #[error("the index failed")]
    Fjall {
        /// What it said.
        source: Box<::fjall::Error>,
    },
    /// The second engine failed.
    #[cfg(feature = "sled")]
    #[error("the index failed")]
    Sled {
        /// What it said.
        source: Box<::sled::Error>,
    },
    /// A folder of the index cannot be made, renamed or removed.
    #[error("failed to use the folder {} of the index", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A value of another form than this release writes.
    #[error("the index holds a value it cannot read under key {key}")]
    Value {
        /// The key in hexadecimal.
        key: String,
    },
}

impl IndexError {
    fn fjall(error: ::fjall::Error) -> IndexError {
        IndexError::Fjall { source: Box::new(error) }
    }

    #[cfg(feature = "sled")]
    fn sled(error: ::sled::Error) -> IndexError {
        IndexError::Sled { source: Box::new(error) }
    }

    /// Whether another process has the files.
    fn is_locked(&self) -> bool {
        match self {
            IndexError::Fjall { source } => matches!(**source, ::fjall::Error::Locked),
            #[cfg(feature = "sled")]
            IndexError::Sled { source } => {
                let kind = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
                matches!(&**source, ::sled::Error::Io(error) if kind(error))
            }
            _ => false,
        }
    }
}

/// A key with its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Where a body lies, and its entry if the index has that beside it.
type Held = (PackPlace, Option<u64>);

/// Raised when keys or values change their meaning.
const LAYOUT_VERSION: u8 = 13;

/// Bytes of an id or identity in a key.
const ID_KEY_BYTES: usize = 16;

/// An engine: sorted keys and values.
pub trait Index: Send + Sync {
    /// The value of a key, as the last written batch left it.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError>;
    /// Makes all changes or none. Visible at once; durable some time later, in order.
    fn write(&self, batch: Batch) -> Result<(), IndexError>;
    /// At most `limit` pairs whose keys start with `prefix`, sorted, from `prefix ‖ from` on.
    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Pair>, IndexError>;
    /// Removes everything.
    fn clear(&self) -> Result<(), IndexError>;
    /// Returns once everything written is durable; for a clean stop.
    fn persist(&self) -> Result<(), IndexError>;
}

/// A log's short name in keys.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct LogKey([u8; 8]);

impl LogKey {
    /// The short name of the log with this origin.
    pub fn of(origin: &str) -> LogKey {
        let hash = Sha256::digest(origin.as_bytes());
        LogKey(hash[..8].try_into().expect("32 bytes begin with 8"))
    }
}

/// Up to where a log is indexed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Covers {
    /// The tree whose entries are all indexed.
    pub head: Head,
    /// Every pack record before this place is indexed.
    pub packs: PackPosition,
}

/// The typed face of the index.
#[derive(Clone)]
pub struct Catalogue {
    index: Arc<Files>,
    /// The own log of the node whose index it is.
    own: LogKey,
    /// Whoever can still use the index holds the lock of its folder.
    _lock: Option<Arc<DirLock>>,
    /// An index that lies outside its folder goes with whoever uses it last.
    _scratch: Option<Arc<TempDir>>,
}

impl Catalogue {
    /// Over an index without files, of the node whose own log has this origin.
    pub fn of(origin: &str, index: Arc<dyn Index>) -> Catalogue {
        Catalogue::over(origin, Files::of(index))
    }

    /// Over the files of an engine in `dir` (DATA/index), made if missing. One that does not open
    /// is put aside, and a new one begun.
    pub fn open(origin: &str, engine: Engine, dir: &Path) -> Result<Catalogue, IndexError> {
        Ok(Catalogue::over(origin, Files::open(engine, dir)?))
    }

    fn over(origin: &str, files: Files) -> Catalogue {
        let (index, own) = (Arc::new(files), LogKey::of(origin));
        Catalogue { index, own, _lock: None, _scratch: None }
    }

    /// Over an engine, of nobody's.
    #[cfg(test)]
    pub(crate) fn new(index: Arc<dyn Index>) -> Catalogue {
        Catalogue::of("", index)
    }

    /// Keeps a lock for as long as anyone holds the catalogue.
    pub fn holding(self, lock: DirLock) -> Catalogue {
        Catalogue { _lock: Some(Arc::new(lock)), ..self }
    }

    /// Removes the folder that the engine works in when nobody holds the catalogue any more.
    pub(crate) fn in_scratch(self, scratch: Option<TempDir>) -> Catalogue {
        Catalogue { _scratch: scratch.map(Arc::new), ..self }
    }

    /// Writes a batch.
    pub fn write(&self, batch: Batch) -> Result<(), IndexError> {
        if batch.is_empty() { Ok(()) } else { self.index.write(batch) }
    }

    /// Removes everything, to be built again.
    pub fn clear(&self) -> Result<(), IndexError> {
        self.begin_again()?;
        self.end_again()
    }

    /// Removes an index that did not open and was kept until this one is whole.
    pub(crate) fn remove_unreadable(&self) -> Result<(), IndexError> {
        self.index.remove_unreadable()
    }

    /// Removes everything, also the mark of the layout: whoever stops before
    /// [`Catalogue::end_again`] leaves an index that the next start builds again.
    pub(crate) fn begin_again(&self) -> Result<(), IndexError> {
        self.index.clear()
    }

    /// All logs are indexed again.
    pub(crate) fn end_again(&self) -> Result<(), IndexError> {
        let mut changes = Batch::default();
        changes.put(key(b'v', &[]), self.layout());
        self.index.write(changes)
    }

    /// Empties an index that another release wrote, as bodies of kinds that it did not know are in
    /// none of its lists, or another node, whose identities and forks are of another log.
    pub fn discard_other_layout(&self) -> Result<(), IndexError> {
        if self.index.get(&key(b'v', &[]))?.is_some_and(|found| found == self.layout()) {
            return Ok(());
        }
        self.clear()
    }

    /// What this release's index of this node is made of.
    fn layout(&self) -> Vec<u8> {
        let mut hash = Sha256::new_with_prefix([LAYOUT_VERSION]);
        if !mutant("index-unbound") {
            hash.update(self.own.0);
        }
        for kind in KindName::ALL {
            hash.update(kind.as_str());
            hash.update([0]);
        }
        hash.finalize().to_vec()
    }

    /// For a clean stop.
    pub fn persist(&self) -> Result<(), IndexError> {
        self.index.persist()
    }

    /// Where a log's packs hold a body.
    pub fn body(&self, log: LogKey, id: &ContentId) -> Result<Option<PackPlace>, IndexError> {
        let held = self.held(log, id)?;
        Ok(held.map(|(place, _)| place))
    }

    /// Where a log's packs hold a body, and its entry if that stands beside it.
    fn held(&self, log: LogKey, id: &ContentId) -> Result<Option<Held>, IndexError> {
        self.value(key(b'b', &[short(id.bytes()), &log.0]), decode_held)
    }

    /// The entry of an id in a log.
    pub fn entry(&self, log: LogKey, id: &ContentId) -> Result<Option<u64>, IndexError> {
        if let Some((_, Some(entry))) = self.held(log, id)? {
            return Ok(Some(entry));
        }
        self.value(key(b'e', &[short(id.bytes()), &log.0]), decode_entry)
    }

    /// Every log that has the id, with its entry there.
    pub fn entries(&self, id: &ContentId) -> Result<Vec<(LogKey, u64)>, IndexError> {
        let mut found = BTreeMap::new();
        for kind in [b'e', b'b'] {
            let prefix = key(kind, &[short(id.bytes())]);
            for (key, value) in self.index.scan(&prefix, &[], usize::MAX)? {
                let log = key[prefix.len()..].try_into().map_err(|_| unreadable(&key))?;
                let entry = match kind {
                    b'e' => decode_entry(&value).map(Some),
                    _ => decode_held(&value).map(|(_, entry)| entry),
                };
                if let Some(entry) = entry.ok_or_else(|| unreadable(&key))? {
                    found.insert(LogKey(log), entry);
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    /// The first attestation of a natural identity in the own log.
    pub fn identity(&self, identity: &[u8; 32]) -> Result<Option<ContentId>, IndexError> {
        self.value(key(b'i', &[short(identity)]), decode_id)
    }

    /// The contradiction of a natural identity that was logged.
    pub fn fork(&self, identity: &[u8; 32]) -> Result<Option<ContentId>, IndexError> {
        self.value(key(b'f', &[short(identity)]), decode_id)
    }

    /// Whether some body of a log has no identity here, so that only its id tells it.
    pub fn nameless(&self, log: LogKey) -> Result<bool, IndexError> {
        Ok(self.index.get(&key(b'n', &[&log.0]))?.is_some())
    }

    /// The identity attestations among the entries of a range, in log order: (entry, id).
    pub fn identities(
        &self,
        log: LogKey,
        range: Range<u64>,
    ) -> Result<Vec<(u64, ContentId)>, IndexError> {
        let mut found = self.numbered(key(b'k', &[&log.0]), range.start, usize::MAX)?;
        found.retain(|(entry, _)| *entry < range.end);
        Ok(found)
    }

    /// Entries of a mirror whose bodies are missing, from entry `from` on: (entry, id).
    pub fn wanted(
        &self,
        log: LogKey,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, ContentId)>, IndexError> {
        self.numbered(key(b'w', &[&log.0]), from, limit)
    }

    /// What the `label` attestations of the own log, of any issuer, say about a class of goods.
    pub fn labels(&self, class: &GoodsId) -> Result<Vec<(ContentId, OrgId, Label)>, IndexError> {
        let prefix = key(b'l', &[&class_key(class)]);
        let mut found = Vec::new();
        for (key, value) in self.index.scan(&prefix, &[], usize::MAX)? {
            let id = decode_id(&key[prefix.len()..]).ok_or_else(|| unreadable(&key))?;
            let (issuer, label): (OrgId, Label) =
                hallmark_schemas::cbor::from_slice(&value).map_err(|_| unreadable(&key))?;
            // Another class whose hash begins alike.
            if label.class == *class {
                found.push((id, issuer, label));
            }
        }
        Ok(found)
    }

    /// Up to where a log is indexed; `None` for a log the index does not know.
    pub fn covers(&self, log: LogKey) -> Result<Option<Covers>, IndexError> {
        self.value(key(b'c', &[&log.0]), decode_covers)
    }

    fn numbered(
        &self,
        prefix: Vec<u8>,
        from: u64,
        limit: usize,
    ) -> Result<Vec<(u64, ContentId)>, IndexError> {
        let mut found = Vec::new();
        for (key, value) in self.index.scan(&prefix, &from.to_be_bytes(), limit)? {
            let entry = key[prefix.len()..].try_into().map_err(|_| unreadable(&key))?;
            let id = decode_id(&value).ok_or_else(|| unreadable(&key))?;
            found.push((u64::from_be_bytes(entry), id));
        }
        Ok(found)
    }

    fn value<T>(
        &self,
        key: Vec<u8>,
        decode: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, IndexError> {
        let Some(value) = self.index.get(&key)? else {
            return Ok(None);
        };
        decode(&value).map(Some).ok_or_else(|| unreadable(&key))
    }
}

/// The changes that the store makes, in its words.
impl Batch {
    /// A body lies there.
    pub fn put_body(&mut self, log: LogKey, id: &ContentId, place: PackPlace) {
        let PackPlace { segment, offset, length } = place;
        let value = numbers(&(segment, offset, length));
        self.put(key(b'b', &[short(id.bytes()), &log.0]), value);
    }

    /// A body lies there and is that entry.
    pub fn put_logged(&mut self, log: LogKey, id: &ContentId, place: PackPlace, entry: u64) {
        let PackPlace { segment, offset, length } = place;
        let value = numbers(&(segment, offset, length, entry));
        self.put(key(b'b', &[short(id.bytes()), &log.0]), value);
    }

    /// A body does not lie where it was said.
    pub fn remove_body(&mut self, log: LogKey, id: &ContentId) {
        self.remove(key(b'b', &[short(id.bytes()), &log.0]));
    }

    /// An id is that entry.
    pub fn put_entry(&mut self, log: LogKey, id: &ContentId, entry: u64) {
        self.put(key(b'e', &[short(id.bytes()), &log.0]), numbers(&entry));
    }

    /// An id is the first with this natural identity.
    pub fn put_identity(&mut self, identity: &[u8; 32], id: &ContentId) {
        self.put(key(b'i', &[short(identity)]), id.bytes());
    }

    /// An id is the logged contradiction of this natural identity.
    pub fn put_fork(&mut self, identity: &[u8; 32], id: &ContentId) {
        self.put(key(b'f', &[short(identity)]), id.bytes());
    }

    /// An id says this about codes of a class of goods.
    pub fn put_label(&mut self, id: &ContentId, issuer: &OrgId, label: &Label) {
        let value = hallmark_schemas::cbor::to_vec(&(issuer, label));
        let value = value.expect("a body is texts and integers");
        self.put(key(b'l', &[&class_key(&label.class), id.bytes()]), value);
    }

    /// A body lies in the packs of a log whose identity cannot be told.
    pub fn put_nameless(&mut self, log: LogKey) {
        self.put(key(b'n', &[&log.0]), Vec::new());
    }

    /// An entry is an identity attestation.
    pub fn put_identity_entry(&mut self, log: LogKey, entry: u64, id: &ContentId) {
        self.put(key(b'k', &[&log.0, &entry.to_be_bytes()]), id.bytes());
    }

    /// The body of an entry is missing.
    pub fn put_wanted(&mut self, log: LogKey, entry: u64, id: &ContentId) {
        self.put(key(b'w', &[&log.0, &entry.to_be_bytes()]), id.bytes());
    }

    /// The body of an entry came.
    pub fn remove_wanted(&mut self, log: LogKey, entry: u64) {
        self.remove(key(b'w', &[&log.0, &entry.to_be_bytes()]));
    }

    /// All entries up to there are indexed, with this batch.
    pub fn put_covers(&mut self, log: LogKey, covers: Covers) {
        let mut value = Vec::with_capacity(52);
        value.extend_from_slice(&covers.head.size.to_le_bytes());
        value.extend_from_slice(&covers.head.root);
        value.extend_from_slice(&covers.packs.segment.to_le_bytes());
        value.extend_from_slice(&covers.packs.offset.to_le_bytes());
        self.put(key(b'c', &[&log.0]), value);
    }
}

fn key(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut key = Vec::with_capacity(42);
    key.push(kind);
    parts.iter().for_each(|part| key.extend_from_slice(part));
    key
}

/// An id or identity in keys, where half of its bytes take half of the room. Two that share them
/// are the work of somebody who signed 2^64 times; whoever reads holds what is found against the
/// whole id, so that one of the two is then not found.
fn short(hash: &[u8; 32]) -> &[u8] {
    &hash[..ID_KEY_BYTES]
}

/// Numbers as small as they are.
fn numbers(value: &impl serde::Serialize) -> Vec<u8> {
    hallmark_schemas::cbor::to_vec(value).expect("integers have an encoding")
}

/// A class of goods in keys: long enough that two rarely share one, and harmless if they do.
fn class_key(class: &GoodsId) -> [u8; 16] {
    let hash = Sha256::digest(class.as_str().as_bytes());
    hash[..16].try_into().expect("32 bytes begin with 16")
}

fn unreadable(key: &[u8]) -> IndexError {
    IndexError::Value { key: hallmark_schemas::hex::encode(key) }
}

fn decode_number(value: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(value.try_into().ok()?))
}

fn decode_id(value: &[u8]) -> Option<ContentId> {
    Some(ContentId::from_bytes(value.try_into().ok()?))
}

fn decode_position(value: &[u8]) -> Option<PackPosition> {
    let (segment, offset) = value.split_at_checked(4)?;
    let segment = u32::from_le_bytes(segment.try_into().ok()?);
    Some(PackPosition { segment, offset: decode_number(offset)? })
}

fn decode_held(value: &[u8]) -> Option<Held> {
    // An array of three or of four.
    let (segment, offset, length, entry) = match value.first()? {
        0x84 => {
            let (segment, offset, length, entry) =
                hallmark_schemas::cbor::from_slice(value).ok()?;
            (segment, offset, length, Some(entry))
        }
        _ => {
            let (segment, offset, length) = hallmark_schemas::cbor::from_slice(value).ok()?;
            (segment, offset, length, None)
        }
    };
    Some((PackPlace { segment, offset, length }, entry))
}

fn decode_entry(value: &[u8]) -> Option<u64> {
    hallmark_schemas::cbor::from_slice(value).ok()
}

fn decode_covers(value: &[u8]) -> Option<Covers> {
    let (size, rest) = value.split_at_checked(8)?;
    let (root, packs) = rest.split_at_checked(32)?;
    let root: Hash = root.try_into().ok()?;
    let head = Head { size: decode_number(size)?, root };
    Some(Covers { head, packs: decode_position(packs)? })
}
