//! Room that is kept for the day the disk is full: with it the last batch is signed and published.
//!
//! The engine of the index cannot be asked twice: once it found no room it must be opened again. So
//! where less than [`INDEX_ROOM`] is left for it the disk counts as full before it is.
//!
//! Invariant: while the reserve is held, giving it up frees what one batch needs; while it cannot
//! be held, the disk counts as full.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::layout::Data;

use super::disk::{Disk, DiskError, OnPath, OsDisk};

/// Bytes of the reserve: the intent, tiles and checkpoint of the largest batch take less.
const RESERVE_BYTES: usize = 8 << 20;
/// Zeros are written in pieces of this size, synced once.
const PIECE_BYTES: usize = 1 << 20;

/// What the engine of the index may take by itself after a batch: two memtables of 16 MiB are written
/// out, and tables of that size merged.
const INDEX_ROOM: u64 = 64 << 20;

/// Whether the next attestation will find no room for the index of this DATA.
pub(crate) fn no_room(data: &Data) -> bool {
    is_short(&OsDisk, &data.index())
}

fn is_short(disk: &dyn Disk, index: &Path) -> bool {
    disk.free(index).is_ok_and(|free| free < INDEX_ROOM)
}

/// A file of zeros.
pub(crate) struct Reserve {
    /// The folder of the index, if it has one.
    index: Option<PathBuf>,
    disk: Arc<dyn Disk>,
    path: PathBuf,
    bytes: usize,
    held: bool,
}

impl Reserve {
    /// The reserve at `path` (DATA/reserve), not held yet.
    pub(crate) fn new(disk: Arc<dyn Disk>, path: &Path) -> Reserve {
        Reserve { index: None, disk, path: path.to_path_buf(), bytes: RESERVE_BYTES, held: false }
    }

    /// The same for a node whose index lies in this folder.
    pub(crate) fn with_index(self, folder: &Path) -> Reserve {
        Reserve { index: Some(folder.to_path_buf()), ..self }
    }

    /// Whether the index has too little room to be written to. Where nobody can say, it has enough.
    pub(crate) fn is_short(&self) -> bool {
        self.index.as_deref().is_some_and(|folder| is_short(&*self.disk, folder))
    }

    /// A reserve of another size, for a disk that is small.
    #[cfg(any(test, feature = "sim"))]
    pub(crate) fn set_bytes(&mut self, bytes: usize) {
        self.bytes = bytes;
    }

    /// Holds the room, if it can be had; an error means that the disk is full.
    pub(crate) fn hold(&mut self) -> Result<(), DiskError> {
        if self.held {
            return Ok(());
        }
        if self.disk.length(&self.path).on("look at", &self.path)? == Some(self.bytes as u64) {
            self.held = true;
            return Ok(());
        }
        self.disk.remove(&self.path).on("remove", &self.path)?;
        match self.write() {
            Ok(()) => {
                self.held = true;
                Ok(())
            }
            Err(error) => {
                // What was written of it is in the way of everything else.
                self.disk.remove(&self.path).on("remove", &self.path)?;
                Err(error)
            }
        }
    }

    /// Gives the room up; whether there was any.
    pub(crate) fn release(&mut self) -> Result<bool, DiskError> {
        let held = std::mem::take(&mut self.held);
        self.disk.remove(&self.path).on("remove", &self.path)?;
        Ok(held)
    }

    fn write(&self) -> Result<(), DiskError> {
        let mut file = self.disk.open_append(&self.path).on("open", &self.path)?;
        let mut left = self.bytes;
        while 0 < left {
            let piece = vec![0; left.min(PIECE_BYTES)];
            file.append(&piece).on("append to", &self.path)?;
            left -= piece.len();
        }
        file.sync().on("sync", &self.path)
    }
}
