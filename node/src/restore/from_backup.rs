//! DATA as a backup holds it, put into the place of what was lost.
//!
//! Invariants: nothing is copied over what is there, except by the run that goes on where one was
//! interrupted; the backup's checkpoint must be signed by this log's own key; the head is left as
//! it is, so a node that once signed more goes on signing nothing.

use std::path::{Path, PathBuf};

use hallmark_schemas::head::Head;
use hallmark_schemas::layout::Data;
use hallmark_schemas::note::{NoteError, SignedNote, VerifierKey};

use super::Told;
use crate::backup::{BackupError, Copied, copy};
use crate::store::StoreError;
use crate::store::disk::{Disk, OnPath, OsDisk};

/// What is derived or empty in a DATA that counts as lost.
const DERIVED: [&str; 4] = ["index", "lake", "lake.json", "findings.json"];
/// Where peers answer: a node that starts without its DATA learns it again.
const ADDRESSES: &str = "addresses.json";
/// Names the checkpoint that is being restored; gone when all is there.
const MARKER: &str = "restoring";

/// Why a backup is not put in place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum FromBackupError {
    /// The copy failed.
    #[error(transparent)]
    Copy(#[from] BackupError),
    /// DATA holds something.
    #[error("{} is not empty: {} is there", data.display(), found.display())]
    NotEmpty {
        /// DATA.
        data: PathBuf,
        /// A file of it.
        found: PathBuf,
    },
    /// There is no checkpoint, or none of this log.
    #[error("{} holds no checkpoint of this log", backup.display())]
    Foreign {
        /// The backup.
        backup: PathBuf,
        /// What is wrong with its checkpoint.
        source: Option<NoteError>,
    },
}

impl From<StoreError> for FromBackupError {
    fn from(error: StoreError) -> FromBackupError {
        FromBackupError::Copy(error.into())
    }
}

/// Copies the backup; what it came to, and its tree.
pub(crate) fn restore(
    backup: &Path,
    data: &Data,
    key: &VerifierKey,
    told: &mut Told<'_>,
) -> Result<(Copied, Head), FromBackupError> {
    let disk = OsDisk;
    let from = Data::new(backup);
    let foreign = |source| FromBackupError::Foreign { backup: backup.to_owned(), source };
    let path = from.checkpoint();
    let bytes = disk.read(&path).on("read", &path).map_err(StoreError::from)?;
    let bytes = bytes.ok_or_else(|| foreign(None))?;
    let checked = SignedNote::parse(&bytes).and_then(|note| note.checkpoint_of(key));
    let checkpoint = checked.map_err(|error| foreign(Some(error)))?;
    let head = Head { size: checkpoint.size, root: checkpoint.root };
    let marker = data.path().join(MARKER);
    let marked = disk.read(&marker).on("read", &marker).map_err(StoreError::from)?;
    if marked.as_deref() != Some(&bytes[..]) {
        if let Some(found) = occupied(data.path()) {
            return Err(FromBackupError::NotEmpty { data: data.path().to_owned(), found });
        }
        disk.create_dir_all(data.path()).on("make", data.path()).map_err(StoreError::from)?;
        disk.replace(&marker, &bytes).on("write", &marker).map_err(StoreError::from)?;
    }
    for name in DERIVED {
        let path = data.path().join(name);
        crate::files::remove(&path).on("remove", &path).map_err(StoreError::from)?;
    }
    let copied = copy(&from, data, told)?;
    crate::files::remove(&marker).on("remove", &marker).map_err(StoreError::from)?;
    Ok((copied, head))
}

/// A file that is in DATA and neither derived nor empty.
fn occupied(data: &Path) -> Option<PathBuf> {
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let is_name = |name: &&str| path.ends_with(*name);
            if folder == data && DERIVED.iter().chain([&ADDRESSES]).any(is_name) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if path.metadata().is_ok_and(|meta| 0 < meta.len()) {
                return Some(path);
            }
        }
    }
    None
}
