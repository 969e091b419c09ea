//! One process at a time in one DIR.
//!
//! Invariant: the operating system drops the lock with the process, so there is no stale lock; the
//! number in the file only helps a person.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::disk::read_only::is_mounted_read_only;

/// Held while this process works in the folder.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

/// Why the folder cannot be taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Another process has it.
    #[error("{} is in use by process {holder}", path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// What the file says: a process number.
        holder: String,
    },
    /// The lock file cannot be made or locked.
    #[error("failed to lock {}", path.display())]
    Disk {
        /// The lock file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl DirLock {
    /// Takes the lock, or says who has it. Never waits.
    ///
    /// On a read-only file system the file that is there is locked, and says nothing new.
    pub fn take(path: &Path) -> Result<DirLock, LockError> {
        let failed = |source| LockError::Disk { path: path.to_path_buf(), source };
        if path.parent().is_some_and(is_mounted_read_only) {
            return Ok(DirLock { _file: lock(File::open(path).map_err(failed)?, path)? });
        }
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).map_err(failed)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .map_err(failed)?;
        let mut file = lock(file, path)?;
        file.set_len(0).map_err(failed)?;
        writeln!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(DirLock { _file: file })
    }
}

/// Locks the open file, or says what it says of its holder.
fn lock(file: File, path: &Path) -> Result<File, LockError> {
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Best effort: the number is for a person, the lock is what counts.
            let _ = file.take(20).read_to_string(&mut holder);
            let holder = holder.trim().to_owned();
            Err(LockError::Held { path: path.to_path_buf(), holder })
        }
        Err(TryLockError::Error(source)) => {
            Err(LockError::Disk { path: path.to_path_buf(), source })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_and_told_who_holds_it_until_the_first_lets_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/lock");
        let first = DirLock::take(&path).unwrap();
        match DirLock::take(&path) {
            Err(LockError::Held { holder, .. }) => {
                assert_eq!(holder, std::process::id().to_string());
            }
            other => panic!("{other:?}"),
        }
        drop(first);
        DirLock::take(&path).unwrap();
    }
}
