//! A file system that is mounted read-only: everything is read, nothing is written.
//!
//! Invariants: what a start would mend (a torn end, a sync that may have failed) is left as it is,
//! because nothing is written after it; everything else that writes is refused, so nothing can be
//! acknowledged.

use std::io;
use std::path::Path;
use std::sync::Arc;

use hallmark_schemas::layout::{Data, Dir};
use tempfile::TempDir;

use super::{AppendFile, Disk, DiskError, OnPath, OsDisk};

/// What to do about a disk that takes nothing.
pub(crate) const UNWRITABLE_HELP: &str = "find out why (`mount`, the system's messages), back this \
     folder up, mount it writable and start the node again: everything acknowledged is there";

/// The operating system's files, unchanged.
#[derive(Clone, Copy, Debug)]
pub struct ReadOnlyDisk;

/// Whether the file system of this folder is mounted read-only. A file without a name tells, which
/// leaves nothing behind.
pub(crate) fn is_mounted_read_only(dir: &Path) -> bool {
    let tried = tempfile::tempfile_in(dir);
    tried.is_err_and(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem)
}

/// The disk under a node's folders; where it is mounted read-only, also a folder elsewhere in which
/// the index is made anew.
pub(crate) fn disk_of(
    dir: &Dir,
    data: &Data,
) -> Result<(Arc<dyn Disk>, Option<TempDir>), DiskError> {
    let [slot, _] = dir.head_slots();
    let is_read_only =
        is_mounted_read_only(data.path()) || slot.parent().is_some_and(is_mounted_read_only);
    if !is_read_only {
        return Ok((Arc::new(OsDisk), None));
    }
    let scratch = tempfile::Builder::new().prefix("hallmark-index-").tempdir();
    let scratch = scratch.on("make a folder for the index in", &std::env::temp_dir())?;
    Ok((Arc::new(ReadOnlyDisk), Some(scratch)))
}

/// A file to which nothing can be added.
struct Unwritable;

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl AppendFile for Unwritable {
    fn append(&mut self, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Disk for ReadOnlyDisk {
    fn is_read_only(&self) -> bool {
        true
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        if dir.is_dir() { Ok(()) } else { refused() }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(dir)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        OsDisk.read(path)
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        OsDisk.length(path)
    }

    fn free(&self, _: &Path) -> io::Result<u64> {
        Ok(0)
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        OsDisk.read_at(path, offset, length)
    }

    fn open_append(&self, _: &Path) -> io::Result<Box<dyn AppendFile>> {
        Ok(Box::new(Unwritable))
    }

    fn write(&self, _: &Path, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn rewrite(&self, _: &Path, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn overwrite(&self, _: &Path, _: u64, _: &[u8]) -> io::Result<()> {
        refused()
    }

    fn sync(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refused()
    }

    fn truncate(&self, _: &Path, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if path.exists() { refused() } else { Ok(()) }
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        if dir.exists() { refused() } else { Ok(()) }
    }
}
