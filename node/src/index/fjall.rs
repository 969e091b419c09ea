//! The index on fjall: one keyspace, keys told apart by their first byte.

use std::path::Path;

use fjall::{
    Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch as WriteBatch, PersistMode,
};

use super::{Batch, Index, IndexError, Pair};

/// Largest journals together: a restart reads them all.
const JOURNAL_BYTES_MAX: u64 = 64 << 20;
/// Memory for blocks read from disk.
const CACHE_BYTES: u64 = 32 << 20;
/// A memtable this large is written out: two of them fit the journals.
const MEMTABLE_BYTES_MAX: u64 = 16 << 20;

/// An index in a folder of fjall's.
pub struct FjallIndex {
    database: Database,
    keyspace: Keyspace,
}

impl FjallIndex {
    /// Opens the index in `dir`, made if missing.
    pub fn open(dir: &Path) -> Result<FjallIndex, IndexError> {
        let database = Database::builder(dir)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .worker_threads(1)
            .open()
            .map_err(IndexError::fjall)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES_MAX);
        let keyspace = database.keyspace("index", options).map_err(IndexError::fjall)?;
        Ok(FjallIndex { database, keyspace })
    }
}

impl Index for FjallIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        let value = self.keyspace.get(key).map_err(IndexError::fjall)?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn write(&self, batch: Batch) -> Result<(), IndexError> {
        let changes = WriteBatch::with_capacity(self.database.clone(), batch.len());
        let mut changes = changes.durability(Some(PersistMode::Buffer));
        for (key, value) in batch.into_sorted().iter() {
            match value {
                Some(value) => changes.insert(&self.keyspace, key, value),
                None => changes.remove(&self.keyspace, key),
            }
        }
        changes.commit().map_err(IndexError::fjall)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Pair>, IndexError> {
        let mut found = Vec::new();
        let from = [prefix, from].concat();
        for item in self.keyspace.range(from..) {
            let (key, value) = item.into_inner().map_err(IndexError::fjall)?;
            if !key.starts_with(prefix) || found.len() == limit {
                break;
            }
            found.push((key.to_vec(), value.to_vec()));
        }
        Ok(found)
    }

    fn clear(&self) -> Result<(), IndexError> {
        self.keyspace.clear().map_err(IndexError::fjall)
    }

    fn persist(&self) -> Result<(), IndexError> {
        // Rotated memtables leave little journal to read at the next start.
        self.keyspace.rotate_memtable_and_wait().map_err(IndexError::fjall)?;
        self.database.persist(PersistMode::SyncAll).map_err(IndexError::fjall)
    }
}
