//! The few things the store asks of a file system, so that tests can cut the power between any two.
//!
//! Invariants: nothing here retries; an error of a sync is final, because the kernel may have
//! marked the lost pages clean. Durable means: the file's bytes and its name in its folder. An error
//! of the kind `StorageFull` comes from a write alone: nothing that was durable is in doubt then.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::crash;

pub mod read_only;

/// A file that only grows.
pub trait AppendFile: Send {
    /// Adds the bytes at the end. Not durable before [`AppendFile::sync`].
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Returns once everything appended is durable. After an error the file must not be used.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file system. Implemented by [`OsDisk`] and, in tests, by a disk that loses power on demand.
pub trait Disk: Send + Sync {
    /// Whether nothing can be written: what a start finds is then served as it is.
    fn is_read_only(&self) -> bool {
        false
    }

    /// Makes a folder and those above it, durably. An existing one is success.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;
    /// Names in a folder, sorted; none if there is no such folder.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// A whole file, or `None` if there is no such file; what is a folder is none.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// Bytes of a file, or `None` if there is no such file.
    fn length(&self, path: &Path) -> io::Result<Option<u64>>;
    /// Bytes that may still be written where this folder lies.
    fn free(&self, folder: &Path) -> io::Result<u64>;
    /// Exactly `length` bytes from `offset`; an error if the file ends before.
    fn read_at(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    /// Opens a file to append, made durably in its folder if new.
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>>;
    /// Writes a whole file in place. Neither bytes nor name are durable before the syncs.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Writes the bytes from `offset` to the end over themselves and makes them durable: what a
    /// sync that failed before this process started has lost is written then.
    fn rewrite(&self, path: &Path, offset: u64) -> io::Result<()>;
    /// Writes over bytes inside a file and makes them durable. A stop leaves some of either.
    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes the bytes of a file durable.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable that a process before this one may have changed, so that
    /// what is read now is read again after a power cut. A missing folder is success.
    fn settle_dir(&self, dir: &Path) -> io::Result<()> {
        match self.sync_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        }
    }

    /// Gives a file another name in the same folder, in one step. Durable after `sync_dir`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Cuts a file to `length` bytes, durably.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;
    /// Removes a file. A missing one is success. Its room is free when this returns.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a folder with all in it. A missing one is success.
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Moves what lies where a file belongs and is a folder to a free name that begins with `to`.
    /// Anything else is left alone.
    fn move_folder(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Replaces a file whole: readers see the old bytes or the new, before and after any crash.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let dir = parent(path)?;
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_os_string();
        name.push(".new");
        let new = dir.join(name);
        self.write(&new, bytes)?;
        self.sync(&new)?;
        self.rename(&new, path)?;
        self.sync_dir(dir)
    }
}

/// The operating system's file system.
#[derive(Clone, Copy, Debug)]
pub struct OsDisk;

struct OsAppend {
    file: File,
    path: PathBuf,
}

impl AppendFile for OsAppend {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        crash::done("append", &self.path);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        final_sync(self.file.sync_data())?;
        crash::done("sync", &self.path);
        Ok(())
    }
}

impl Disk for OsDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() {
            return Ok(());
        }
        if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
            self.create_dir_all(above)?;
        }
        match fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.sync_dir(parent(dir)?)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let entries = match fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if is_no_file(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn move_folder(&self, from: &Path, to: &Path) -> io::Result<()> {
        if !from.is_dir() {
            return Ok(());
        }
        self.create_dir_all(parent(to)?)?;
        let name = to.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
        // Those of earlier repairs stay.
        let free =
            (0..=u32::MAX).map(|number| to.with_file_name(format!("{name}.folder-{number}")));
        let free = free.into_iter().find(|to| fs::symlink_metadata(to).is_err());
        fs::rename(from, free.ok_or(io::ErrorKind::AlreadyExists)?)?;
        self.sync_dir(parent(from)?)
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        match fs::metadata(path) {
            Ok(about) => Ok(Some(about.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn free(&self, folder: &Path) -> io::Result<u64> {
        let about = rustix::fs::statvfs(folder)?;
        Ok(about.f_bavail.saturating_mul(about.f_frsize))
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        // `length` comes from a record or an index value: the file bounds what is allocated.
        let mut bytes = Vec::with_capacity(length.min(1 << 20));
        file.take(length as u64).read_to_end(&mut bytes)?;
        if bytes.len() < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(bytes)
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let new = !path.exists();
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        if new {
            final_sync(file.sync_all())?;
            self.sync_dir(parent(path)?)?;
        }
        Ok(Box::new(OsAppend { file, path: path.to_path_buf() }))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::write(path, bytes)?;
        crash::done("write", path);
        Ok(())
    }

    fn rewrite(&self, path: &Path, offset: u64) -> io::Result<()> {
        let mut file = OpenOptions::new().read(true).write(true).open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(&bytes)?;
        final_sync(file.sync_all())
    }

    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)?;
        final_sync(file.sync_all())
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        final_sync(File::open(path)?.sync_all())?;
        crash::done("sync", path);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        final_sync(File::open(dir)?.sync_all())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)?;
        crash::done("rename", to);
        Ok(())
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        final_sync(file.sync_all())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn is_no_file(error: &io::Error) -> bool {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | IsADirectory | NotADirectory)
}

/// A disk that fills up under a sync may have lost what was written: not the same as no room.
fn final_sync(synced: io::Result<()>) -> io::Result<()> {
    synced.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            io::Error::other(format!("a sync failed: {error}"))
        }
        _ => error,
    })
}

fn parent(path: &Path) -> io::Result<&Path> {
    match path.parent() {
        Some(dir) if dir.as_os_str().is_empty() => Ok(Path::new(".")),
        Some(dir) => Ok(dir),
        None => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// A failed file operation: what was being done, to which file.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action} {}", path.display())]
pub struct DiskError {
    /// What was being done, as a verb.
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

impl DiskError {
    /// Whether there was no room, and nothing else is wrong: the write may be tried again later.
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }

    /// Whether the file system took nothing because it is read-only. A sync that says so may have
    /// lost what was written before.
    pub fn is_read_only(&self) -> bool {
        self.source.kind() == io::ErrorKind::ReadOnlyFilesystem && self.action != "sync"
    }

    /// Whether something was written that may or may not be there now: whoever wrote it must not go
    /// on from what it believes.
    pub fn is_final(&self) -> bool {
        let is_untouched = self.is_full() || self.is_read_only();
        !is_untouched && !matches!(self.action, "read" | "list" | "look at")
    }
}

/// Whether a call that the operating system refused for such a reason is behind this error.
pub(crate) fn is_caused_by(
    error: &(dyn std::error::Error + 'static),
    kinds: &[io::ErrorKind],
) -> bool {
    let mut cause = Some(error);
    while let Some(one) = cause {
        let io = one.downcast_ref::<io::Error>().map(io::Error::kind);
        if io.is_some_and(|kind| kinds.contains(&kind)) {
            return true;
        }
        cause = one.source();
    }
    false
}

/// Names the action and the file of a failed operation.
pub(crate) trait OnPath<T> {
    fn on(self, action: &'static str, path: &Path) -> Result<T, DiskError>;
}

impl<T> OnPath<T> for io::Result<T> {
    fn on(self, action: &'static str, path: &Path) -> Result<T, DiskError> {
        self.map_err(|source| DiskError { action, path: path.to_path_buf(), source })
    }
}
