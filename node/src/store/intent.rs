//! What the sequencer is about to do, written down before it does it.
//!
//! Invariant: the file holds the last intent whole, or the one before; replaying it gives the same
//! entries, hence the same root, however far it had come.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::intent::Intent;

use super::StoreError;
use super::disk::{Disk, OnPath};

/// The file of the last intent.
pub struct IntentFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl IntentFile {
    /// The intent at `path` (DATA/intent).
    pub fn new(disk: Arc<dyn Disk>, path: &Path) -> IntentFile {
        IntentFile { disk, path: path.to_path_buf() }
    }

    /// Returns once the intent is durable in place of the one before.
    pub fn save(&self, intent: &Intent) -> Result<(), StoreError> {
        Ok(self.disk.replace(&self.path, &intent.encode()).on("write", &self.path)?)
    }

    /// The last intent; `None` if there never was one.
    pub fn load(&self) -> Result<Option<Intent>, StoreError> {
        let Some(bytes) = self.disk.read(&self.path).on("read", &self.path)? else {
            return Ok(None);
        };
        match Intent::parse(&bytes) {
            Some(intent) => Ok(Some(intent)),
            None => Err(StoreError::damaged(&self.path, "it holds no whole intent")),
        }
    }
}
