//! An index in memory: for tests of what stands on an index, and what the contract is checked by.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{Batch, Index, IndexError, Pair};

/// Keys and values in a sorted map.
#[derive(Default)]
pub struct MemoryIndex(RwLock<BTreeMap<Vec<u8>, Vec<u8>>>);

impl MemoryIndex {
    /// As it is now, apart from what is written later.
    pub fn copy(&self) -> MemoryIndex {
        MemoryIndex(RwLock::new(self.read().clone()))
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn edit(&self) -> RwLockWriteGuard<'_, BTreeMap<Vec<u8>, Vec<u8>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index for MemoryIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(self.read().get(key).cloned())
    }

    fn write(&self, batch: Batch) -> Result<(), IndexError> {
        let mut map = self.edit();
        for (key, value) in batch.iter() {
            match value {
                Some(value) => map.insert(key.to_vec(), value.to_vec()),
                None => map.remove(key),
            };
        }
        Ok(())
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Pair>, IndexError> {
        let map = self.read();
        let from = [prefix, from].concat();
        let found = map.range(from..).take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn clear(&self) -> Result<(), IndexError> {
        self.edit().clear();
        Ok(())
    }

    fn persist(&self) -> Result<(), IndexError> {
        Ok(())
    }
}
