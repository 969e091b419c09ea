//! Why a followed log is not taken over.

use std::path::PathBuf;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::note::NoteError;
use hallmark_schemas::tile::TilePath;

use crate::index::IndexError;
use crate::store::StoreError;
use crate::store::disk::DiskError;

/// Why a followed log is not taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MirrorError {
    /// Our own disk or index.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The note is not this log's.
    #[error("the checkpoint is not this log's")]
    Note(#[from] NoteError),
    /// The note is older than the copy.
    #[error("the checkpoint has {theirs} entries, the copy {ours} already")]
    Older {
        /// Entries under the note.
        theirs: u64,
        /// Entries of the copy.
        ours: u64,
    },
    /// The log signed two trees of which neither is the beginning of the other.
    #[error("{origin} signed two histories: at size {size} the roots differ")]
    Equivocation {
        /// The log.
        origin: String,
        /// The size at which both are known.
        size: u64,
        /// The file that proves it, unless so many are kept already.
        proof: Option<PathBuf>,
    },
    /// What was served does not lead to the signed root.
    #[error("the entries served do not lead to the root that was signed for size {size}")]
    OtherRoot {
        /// The size.
        size: u64,
    },
    /// What was served is no entry bundle of the asked width.
    #[error("what was served as {path} is no such entry bundle: {reason}")]
    Bundle {
        /// The bundle.
        path: TilePath,
        /// What is wrong with it.
        reason: String,
    },
    /// A bundle repeats earlier entries otherwise.
    #[error("entry {index} is served otherwise than before")]
    Rewritten {
        /// The entry.
        index: u64,
    },
    /// A body that the log does not have.
    #[error("{id} is not in the log it was served for")]
    NotLogged {
        /// The id of the bytes.
        id: ContentId,
    },
    /// Another growth of the same log finished first.
    #[error("the copy grew meanwhile")]
    Overtaken,
}

impl From<DiskError> for MirrorError {
    fn from(error: DiskError) -> MirrorError {
        MirrorError::Store(error.into())
    }
}

impl From<IndexError> for MirrorError {
    fn from(error: IndexError) -> MirrorError {
        MirrorError::Store(error.into())
    }
}
