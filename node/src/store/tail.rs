//! A file that grows by whole appends, each durable when it returns.
//!
//! Invariants: what was not taken for want of room, or by a file system that is read-only, leaves
//! nothing behind, and the next append may be; after any other failed write, and after a failed
//! sync, nobody knows what is durable, and nothing more is taken.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StoreError;
use super::disk::{AppendFile, Disk, DiskError, OnPath};
use crate::mutants::mutant;

/// The end of a file.
pub struct Tail {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Box<dyn AppendFile>,
    durable: u64,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    Whole,
    /// A part of what was not taken may lie after what is durable.
    Untidy,
    Failed,
}

impl Tail {
    /// Opens a file of `durable` bytes, and syncs them: a killed process may have written some.
    pub fn open(disk: Arc<dyn Disk>, path: &Path, durable: u64) -> Result<Tail, DiskError> {
        let mut file = disk.open_append(path).on("open", path)?;
        file.sync().on("sync", path)?;
        Ok(Tail { disk, path: path.to_path_buf(), file, durable, state: State::Whole })
    }

    /// Returns once the bytes are durable. After an error none of them is here.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        match self.state {
            State::Whole => {}
            State::Untidy => self.tidy()?,
            State::Failed => {
                return Err(StoreError::damaged(&self.path, "a write or sync failed before"));
            }
        }
        if bytes.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.append(bytes).on("append to", &self.path) {
            self.state = if error.is_final() { State::Failed } else { State::Untidy };
            if !error.is_final() {
                // Where it cannot be done now, the next append does it first.
                let _ = self.tidy();
            }
            return Err(error.into());
        }
        let mut synced = self.sync();
        if synced.is_err() && mutant("sync-tried-again") {
            synced = self.sync();
        }
        if let Err(error) = synced.on("sync", &self.path) {
            self.state = State::Failed;
            return Err(error.into());
        }
        self.durable += bytes.len() as u64;
        Ok(())
    }

    /// Bytes that are durable.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    fn tidy(&mut self) -> Result<(), DiskError> {
        let cut = self.disk.truncate(&self.path, self.durable).on("truncate", &self.path);
        self.state = match &cut {
            Ok(()) => State::Whole,
            Err(error) if error.is_final() => State::Failed,
            Err(_) => State::Untidy,
        };
        cut
    }

    fn sync(&mut self) -> io::Result<()> {
        if mutant("ack-before-sync") { Ok(()) } else { self.file.sync() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sim::SimDisk;

    const PATH: &str = "/data/file";

    fn open(disk: &SimDisk) -> Tail {
        disk.create_dir_all(Path::new("/data")).unwrap();
        Tail::open(Arc::new(disk.clone()), Path::new(PATH), 0).unwrap()
    }

    #[test]
    fn what_a_read_only_or_full_disk_refused_leaves_nothing_and_the_next_append_is_taken() {
        type Change = fn(&SimDisk);
        let bad: [(&str, Change, Change); 2] = [
            ("read-only", |disk| disk.set_read_only(true), |disk| disk.set_read_only(false)),
            ("full", |disk| disk.set_capacity(Some(3)), |disk| disk.set_capacity(None)),
        ];
        for (name, fall, rise) in bad {
            let disk = SimDisk::default();
            let mut tail = open(&disk);
            tail.append(b"one").unwrap();
            fall(&disk);
            for _ in 0..2 {
                let error = tail.append(b"two").unwrap_err();
                assert!(!error.is_final(), "{name}: {error}");
            }
            rise(&disk);
            tail.append(b"three").unwrap();
            let read = disk.read(Path::new(PATH)).unwrap().unwrap();
            assert_eq!((read.as_slice(), tail.durable()), (&b"onethree"[..], 8), "{name}");
        }
    }
}
