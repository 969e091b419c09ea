//! The index on sled, the second engine (feature `sled`, `index.engine = "sled"`).
//!
//! sled does not promise that what was flushed outlives a power cut: the index is derived, and one
//! that does not open or does not cover the log is built again.

use std::path::Path;

use super::{Batch, Index, IndexError, Pair};

/// Memory for pages, of which sled takes more at times.
const CACHE_BYTES: u64 = 64 << 20;

/// An index in a folder of sled's.
pub struct SledIndex(::sled::Db);

impl SledIndex {
    /// Opens the index in `dir`, made if missing.
    pub fn open(dir: &Path) -> Result<SledIndex, IndexError> {
        let config = ::sled::Config::new().path(dir).cache_capacity(CACHE_BYTES);
        Ok(SledIndex(config.open().map_err(IndexError::sled)?))
    }
}

impl Index for SledIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        let value = self.0.get(key).map_err(IndexError::sled)?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn write(&self, batch: Batch) -> Result<(), IndexError> {
        let mut changes = ::sled::Batch::default();
        for (key, value) in batch.into_sorted().iter() {
            match value {
                Some(value) => changes.insert(key, value),
                None => changes.remove(key),
            }
        }
        self.0.apply_batch(changes).map_err(IndexError::sled)
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Pair>, IndexError> {
        let mut found = Vec::new();
        for item in self.0.range([prefix, from].concat()..).take(limit) {
            let (key, value) = item.map_err(IndexError::sled)?;
            if !key.starts_with(prefix) {
                break;
            }
            found.push((key.to_vec(), value.to_vec()));
        }
        Ok(found)
    }

    fn clear(&self) -> Result<(), IndexError> {
        self.0.clear().map_err(IndexError::sled)
    }

    fn persist(&self) -> Result<(), IndexError> {
        self.0.flush().map(drop).map_err(IndexError::sled)
    }
}
