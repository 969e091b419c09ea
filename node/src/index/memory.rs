//! An index in memory: for tests of what stands on an index, and what the contract is checked by.

use std::collections::BTreeMap;
use std::sync::RwLock;

use super::{Batch, Index, IndexError, Pair};

/// Keys and values in a sorted map.
#[derive(Default)]
pub(crate) struct MemoryIndex(RwLock<BTreeMap<Vec<u8>, Vec<u8>>>);

impl MemoryIndex {
    /// As it is now, apart from what is written later.
    pub(crate) fn copy(&self) -> MemoryIndex {
        MemoryIndex(RwLock::new(self.0.read().unwrap().clone()))
    }
}

impl Index for MemoryIndex {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(self.0.read().unwrap().get(key).cloned())
    }

    fn write(&self, batch: Batch) -> Result<(), IndexError> {
        let mut map = self.0.write().unwrap();
        for (key, value) in batch.into_changes() {
            match value {
                Some(value) => map.insert(key, value),
                None => map.remove(&key),
            };
        }
        Ok(())
    }

    fn scan(&self, prefix: &[u8], from: &[u8], limit: usize) -> Result<Vec<Pair>, IndexError> {
        let map = self.0.read().unwrap();
        let from = [prefix, from].concat();
        let found = map.range(from..).take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    fn clear(&self) -> Result<(), IndexError> {
        self.0.write().unwrap().clear();
        Ok(())
    }

    fn persist(&self) -> Result<(), IndexError> {
        Ok(())
    }
}
