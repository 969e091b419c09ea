//! The files that are the truth: packs of bodies, tiles, head, intent, checkpoints.
//!
//! Invariants: every durable write of the own log comes from the one thread named `writer`; after
//! a failed write or sync nothing further is written; every read is checked before it is used.

pub mod checkpoints;
pub mod disk;
pub mod elsewhere;
pub mod head;
pub mod intent;
pub mod lock;
pub mod pack;
pub(crate) mod reserve;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod tail;
pub mod tiles;

use std::path::{Path, PathBuf};

use crate::index::IndexError;
use disk::DiskError;

/// What is wrong with a file that is not there.
pub(crate) const MISSING: &str = "it is missing";

/// Why something held here cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The operating system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A file does not hold what was written.
    #[error("{} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A size or index beyond the tree.
    #[error("the tree has {size} entries, asked for {asked}")]
    Beyond {
        /// Entries of the tree.
        size: u64,
        /// What was asked for.
        asked: u64,
    },
    /// The log's key could not sign a receipt.
    #[error("failed to sign with the log key")]
    Sign {
        /// What the key's holder said.
        source: hallmark_schemas::key::SignError,
    },
}

impl StoreError {
    /// Whether there was no room on the disk, and nothing else is wrong.
    pub fn is_full(&self) -> bool {
        matches!(self, StoreError::Disk(error) if error.is_full())
    }

    /// Whether a write failed after which nobody knows what is durable.
    pub fn is_final(&self) -> bool {
        matches!(self, StoreError::Disk(error) if error.is_final())
    }

    /// Whether a file is not there at all.
    pub fn is_lost(&self) -> bool {
        matches!(self, StoreError::Damaged { reason, .. } if reason == MISSING)
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> StoreError {
        StoreError::Damaged { path: path.to_path_buf(), reason: reason.into() }
    }
}
