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
    /// Another backup was begun there.
    #[error("another backup was begun in {} and is not there as a whole", data.display())]
    Interrupted {
        /// DATA.
        data: PathBuf,
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
    let marker = begin(&disk, data, &bytes)?;
    for name in DERIVED {
        let path = data.path().join(name);
        crate::files::remove(&path).on("remove", &path).map_err(StoreError::from)?;
    }
    let copied = copy(&from, data, told)?;
    crate::files::remove(&marker).on("remove", &marker).map_err(StoreError::from)?;
    Ok((copied, head))
}

/// Marks DATA as the place of this backup's checkpoint, if it is empty or marked so already.
fn begin(disk: &OsDisk, data: &Data, checkpoint: &[u8]) -> Result<PathBuf, FromBackupError> {
    let folder = data.path();
    let marker = folder.join(MARKER);
    let marked = disk.read(&marker).on("read", &marker).map_err(StoreError::from)?;
    match marked {
        Some(marked) if marked == checkpoint => return Ok(marker),
        Some(_) => return Err(FromBackupError::Interrupted { data: folder.to_owned() }),
        None => {}
    }
    if let Some(found) = occupied(data) {
        return Err(FromBackupError::NotEmpty { data: folder.to_owned(), found });
    }
    disk.create_dir_all(folder).on("make", folder).map_err(StoreError::from)?;
    // `--from-peers` that came to nothing in an empty DATA: the backup tells what it lacks itself.
    let lost = data.restored();
    crate::files::remove(&lost).on("remove", &lost).map_err(StoreError::from)?;
    disk.replace(&marker, checkpoint).on("write", &marker).map_err(StoreError::from)?;
    Ok(marker)
}

/// A file that is in DATA and neither derived, empty, nor what a restore that failed has noted.
fn occupied(of: &Data) -> Option<PathBuf> {
    let data = of.path();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()) {
            let is_name = |name: &&str| path.ends_with(*name);
            if folder == data && DERIVED.iter().chain([&ADDRESSES]).any(is_name) {
                continue;
            }
            if path == of.restored() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_second_try_goes_on_and_only_what_a_failed_restore_noted_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::new(folder.path().join("data"));
        let begin = |bytes: &[u8]| begin(&OsDisk, &data, bytes);
        // What `restore --from-peers` leaves that reached nobody.
        fs::create_dir_all(data.path()).unwrap();
        fs::write(data.restored(), "0 7\n").unwrap();
        begin(b"one").unwrap();
        assert!(!data.restored().exists(), "it spoke of a DATA without the backup");
        fs::create_dir_all(data.log()).unwrap();
        fs::write(data.checkpoint(), "half").unwrap();
        let marker = begin(b"one").unwrap();
        assert!(matches!(begin(b"other"), Err(FromBackupError::Interrupted { .. })));
        fs::remove_file(marker).unwrap();
        fs::write(data.restored(), "0 7\n").unwrap();
        let refused = begin(b"one").unwrap_err();
        assert!(
            matches!(refused, FromBackupError::NotEmpty { found, .. } if found == data.checkpoint())
        );
        assert!(data.restored().exists(), "nothing of a DATA in use is touched");
    }
}
