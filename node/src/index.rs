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
//! | `b` id… log | place of the body in the packs of that log |
//! | `e` id… log | entry of the id in that log |
//! | `i` identity… | id of the first attestation with this natural identity, own log |
//! | `f` identity… | id of the contradiction of it that was logged as evidence |
//! | `k` log entry | id of an identity attestation, in log order |
//! | `w` log entry | id of an entry of a mirror whose body is missing |
//! | `l` class id | a `label` attestation of the own log: its issuer and body |
//! | `n` log | there if the packs of that log hold a body without identity here: an erased one |
//! | `c` log | `covers`: size, root, pack position |
//! | `g` goods … | attestations about goods: see [`goods`] |
//! | `v` | which release's keys and kinds these are; an index of another is built again |

pub mod beside;
pub mod fjall;
pub mod goods;
#[cfg(any(test, feature = "sim"))]
pub mod memory;

use std::ops::Range;
use std::path::PathBuf;
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
    /// An unreadable index could not be put aside.
    #[error("failed to put the unreadable index {} aside", path.display())]
    SetAside {
        /// Its folder.
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
}

/// Changes that are made together.
#[derive(Default)]
pub struct Batch(Vec<(Vec<u8>, Option<Vec<u8>>)>);

impl Batch {
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.0.push((key, Some(value)));
    }

    fn into_changes(self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        self.0
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A key with its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// Raised when keys or values change their meaning.
const LAYOUT_VERSION: u8 = 3;

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
    index: Arc<dyn Index>,
    /// Whoever can still use the index holds the lock of its folder.
    _lock: Option<Arc<DirLock>>,
}

impl Catalogue {
    /// Over an engine.
    pub fn new(index: Arc<dyn Index>) -> Catalogue {
        Catalogue { index, _lock: None }
    }

    /// Keeps a lock for as long as anyone holds the catalogue.
    pub fn holding(self, lock: DirLock) -> Catalogue {
        Catalogue { _lock: Some(Arc::new(lock)), ..self }
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

    /// Removes everything, also the mark of the layout: whoever stops before
    /// [`Catalogue::end_again`] leaves an index that the next start builds again.
    pub(crate) fn begin_again(&self) -> Result<(), IndexError> {
        self.index.clear()
    }

    /// All logs are indexed again.
    pub(crate) fn end_again(&self) -> Result<(), IndexError> {
        let mut changes = Batch::default();
        changes.put(key(b'v', &[]), layout());
        self.index.write(changes)
    }

    /// Empties an index that another release wrote: bodies of kinds that it did not know are in
    /// none of its lists.
    pub fn discard_other_layout(&self) -> Result<(), IndexError> {
        if self.index.get(&key(b'v', &[]))?.is_some_and(|found| found == layout()) {
            return Ok(());
        }
        self.clear()
    }

    /// For a clean stop.
    pub fn persist(&self) -> Result<(), IndexError> {
        self.index.persist()
    }

    /// Where a log's packs hold a body.
    pub fn body(&self, log: LogKey, id: &ContentId) -> Result<Option<PackPlace>, IndexError> {
        self.value(key(b'b', &[short(id.bytes()), &log.0]), decode_place)
    }

    /// The entry of an id in a log.
    pub fn entry(&self, log: LogKey, id: &ContentId) -> Result<Option<u64>, IndexError> {
        self.value(key(b'e', &[short(id.bytes()), &log.0]), decode_entry)
    }

    /// Every log that has the id, with its entry there.
    pub fn entries(&self, id: &ContentId) -> Result<Vec<(LogKey, u64)>, IndexError> {
        let prefix = key(b'e', &[short(id.bytes())]);
        let mut found = Vec::new();
        for (key, value) in self.index.scan(&prefix, &[], usize::MAX)? {
            let log = key[prefix.len()..].try_into().map_err(|_| unreadable(&key))?;
            let entry = decode_entry(&value).ok_or_else(|| unreadable(&key))?;
            found.push((LogKey(log), entry));
        }
        Ok(found)
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

    /// A body does not lie where it was said.
    pub fn remove_body(&mut self, log: LogKey, id: &ContentId) {
        self.0.push((key(b'b', &[short(id.bytes()), &log.0]), None));
    }

    /// An id is that entry.
    pub fn put_entry(&mut self, log: LogKey, id: &ContentId, entry: u64) {
        self.put(key(b'e', &[short(id.bytes()), &log.0]), numbers(&entry));
    }

    /// An id is the first with this natural identity.
    pub fn put_identity(&mut self, identity: &[u8; 32], id: &ContentId) {
        self.put(key(b'i', &[short(identity)]), id.bytes().to_vec());
    }

    /// An id is the logged contradiction of this natural identity.
    pub fn put_fork(&mut self, identity: &[u8; 32], id: &ContentId) {
        self.put(key(b'f', &[short(identity)]), id.bytes().to_vec());
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
        self.put(key(b'k', &[&log.0, &entry.to_be_bytes()]), id.bytes().to_vec());
    }

    /// The body of an entry is missing.
    pub fn put_wanted(&mut self, log: LogKey, entry: u64, id: &ContentId) {
        self.put(key(b'w', &[&log.0, &entry.to_be_bytes()]), id.bytes().to_vec());
    }

    /// The body of an entry came.
    pub fn remove_wanted(&mut self, log: LogKey, entry: u64) {
        self.0.push((key(b'w', &[&log.0, &entry.to_be_bytes()]), None));
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

/// What this release's index is made of.
fn layout() -> Vec<u8> {
    let mut hash = Sha256::new_with_prefix([LAYOUT_VERSION]);
    for kind in KindName::ALL {
        hash.update(kind.as_str());
        hash.update([0]);
    }
    hash.finalize().to_vec()
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

fn decode_place(value: &[u8]) -> Option<PackPlace> {
    let (segment, offset, length) = hallmark_schemas::cbor::from_slice(value).ok()?;
    Some(PackPlace { segment, offset, length })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What every engine must do.
    fn contract(index: Arc<dyn Index>) {
        let catalogue = Catalogue::new(index.clone());
        let (log, other) = (LogKey::of("net/a/1"), LogKey::of("net/b/1"));
        let id = |byte| ContentId::from_bytes([byte; 32]);
        assert_eq!(catalogue.entry(log, &id(1)).unwrap(), None);
        assert_eq!(catalogue.covers(log).unwrap(), None);

        let place = PackPlace { segment: 3, offset: 1 << 33, length: 77 };
        let head = Head { size: 9, root: [5; 32] };
        let covers = Covers { head, packs: PackPosition { segment: 3, offset: 8 } };
        let mut changes = Batch::default();
        changes.put_body(log, &id(1), place);
        changes.put_entry(log, &id(1), 7);
        changes.put_entry(other, &id(1), 9);
        changes.put_identity(&[8; 32], &id(1));
        changes.put_fork(&[8; 32], &id(2));
        changes.put_covers(log, covers);
        changes.put_nameless(other);
        for entry in [300, 2, 70_000] {
            changes.put_identity_entry(log, entry, &id(entry as u8));
            changes.put_wanted(other, entry, &id(entry as u8));
        }
        catalogue.write(changes).unwrap();
        catalogue.write(Batch::default()).unwrap();

        assert_eq!(catalogue.body(log, &id(1)).unwrap(), Some(place));
        assert_eq!(catalogue.body(other, &id(1)).unwrap(), None);
        assert_eq!(catalogue.entry(log, &id(1)).unwrap(), Some(7));
        assert_eq!(catalogue.entry(other, &id(1)).unwrap(), Some(9));
        assert_eq!(catalogue.identity(&[8; 32]).unwrap(), Some(id(1)));
        assert_eq!(catalogue.fork(&[8; 32]).unwrap(), Some(id(2)));
        assert_eq!(catalogue.covers(log).unwrap(), Some(covers));
        assert!(catalogue.nameless(other).unwrap() && !catalogue.nameless(log).unwrap());
        let entries = |found: Vec<(u64, ContentId)>| -> Vec<u64> {
            found.into_iter().map(|(entry, _)| entry).collect()
        };
        let identities = |range| entries(catalogue.identities(log, range).unwrap());
        assert_eq!(identities(0..u64::MAX), [2, 300, 70_000], "in log order");
        assert_eq!(identities(3..70_000), [300]);
        let wanted = |from, limit| entries(catalogue.wanted(other, from, limit).unwrap());
        assert_eq!(wanted(0, 2), [2, 300]);
        assert_eq!(wanted(3, 9), [300, 70_000]);
        assert!(catalogue.wanted(log, 0, 9).unwrap().is_empty());

        let mut changes = Batch::default();
        changes.remove_wanted(other, 300);
        catalogue.write(changes).unwrap();
        assert_eq!(wanted(0, 9), [2, 70_000]);

        let mut changes = Batch::default();
        changes.put(key(b'e', &[short(id(1).bytes()), &log.0]), vec![1, 2, 3]);
        catalogue.write(changes).unwrap();
        let unreadable = catalogue.entry(log, &id(1));
        assert!(matches!(unreadable, Err(IndexError::Value { .. })));
        catalogue.persist().unwrap();
        catalogue.clear().unwrap();
        assert_eq!(catalogue.covers(log).unwrap(), None);
        assert_eq!(index.scan(&[], &[], 9).unwrap(), [(b"v".to_vec(), layout())]);
    }

    #[test]
    fn an_index_of_another_release_is_emptied_and_one_of_this_kept() {
        let index = Arc::new(memory::MemoryIndex::default());
        let catalogue = Catalogue::new(index.clone());
        let put = || {
            let mut changes = Batch::default();
            changes.put_identity(&[1; 32], &ContentId::from_bytes([2; 32]));
            catalogue.write(changes).unwrap();
        };
        put();
        catalogue.discard_other_layout().unwrap();
        assert_eq!(catalogue.identity(&[1; 32]).unwrap(), None, "written before layouts were told");
        put();
        catalogue.discard_other_layout().unwrap();
        assert!(catalogue.identity(&[1; 32]).unwrap().is_some());
        let mut changes = Batch::default();
        changes.put(vec![b'v'], vec![9; 32]);
        catalogue.write(changes).unwrap();
        catalogue.discard_other_layout().unwrap();
        assert_eq!(catalogue.identity(&[1; 32]).unwrap(), None);
    }

    #[test]
    fn every_engine_keeps_the_contract() {
        contract(Arc::new(memory::MemoryIndex::default()));
        let dir = tempfile::tempdir().unwrap();
        contract(Arc::new(fjall::FjallIndex::open(&dir.path().join("index")).unwrap()));
    }

    #[test]
    fn what_was_written_is_there_at_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let open = || Catalogue::new(Arc::new(fjall::FjallIndex::open(&path).unwrap()));
        let catalogue = open();
        let mut changes = Batch::default();
        changes.put_identity(&[1; 32], &ContentId::from_bytes([2; 32]));
        catalogue.write(changes).unwrap();
        drop(catalogue);
        let found = open().identity(&[1; 32]).unwrap();
        assert_eq!(found, Some(ContentId::from_bytes([2; 32])));
    }

    #[test]
    fn an_unreadable_index_is_set_aside_and_a_new_one_begun() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("version"), b"from the future").unwrap();
        let catalogue = Catalogue::new(Arc::new(fjall::FjallIndex::open(&path).unwrap()));
        assert_eq!(catalogue.identity(&[1; 32]).unwrap(), None);
        assert!(dir.path().join("index.unreadable/version").exists());
    }
}
