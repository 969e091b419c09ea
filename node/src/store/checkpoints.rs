//! The published checkpoint of a log, and the history of all that were published.
//!
//! Invariants: `log/checkpoint` is replaced whole, never by an older one; the history only grows,
//! oldest first, each tree in it once; a crash between the two is mended at the next start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::frame::{self, Piece};
use hallmark_schemas::note::SignedNote;

use super::StoreError;
use super::disk::{Disk, OnPath};

/// Bytes of the history that are read at once, at least one record.
const READ_BYTES: usize = 2 << 20;
const _: () = assert!(frame::CONTENT_BYTES_MAX <= READ_BYTES);

/// The two files of one log.
#[derive(Clone)]
pub struct Checkpoints {
    disk: Arc<dyn Disk>,
    newest: PathBuf,
    history: PathBuf,
}

impl Checkpoints {
    /// `newest` is DATA/log/checkpoint, `history` DATA/checkpoints.
    pub fn new(disk: Arc<dyn Disk>, newest: &Path, history: &Path) -> Checkpoints {
        Checkpoints { disk, newest: newest.to_path_buf(), history: history.to_path_buf() }
    }

    /// The note that is published now.
    pub fn newest(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.disk.read(&self.newest).on("read", &self.newest)?)
    }

    /// The note that is published now; where its file is lost or holds none, the last of the history,
    /// which is of the same tree.
    pub fn newest_kept(&self) -> Result<Option<Vec<u8>>, StoreError> {
        match self.newest()? {
            Some(newest) if is_checkpoint(&newest) => Ok(Some(newest)),
            newest => Ok(self.history()?.pop().or(newest)),
        }
    }

    /// Whether the file of the published note is there and holds none.
    pub(crate) fn is_damaged(&self) -> Result<bool, StoreError> {
        Ok(self.newest()?.is_some_and(|newest| !is_checkpoint(&newest)))
    }

    /// Puts a note where there is none: never over one that another process publishes meanwhile.
    /// False if there is one.
    pub(crate) fn put_back(&self, note: &[u8]) -> Result<bool, StoreError> {
        let beside = self.newest.with_extension("back");
        self.disk.replace(&beside, note).on("write", &beside)?;
        let linked = match std::fs::hard_link(&beside, &self.newest) {
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            linked => linked.map(|()| true).on("write", &self.newest),
        };
        std::fs::remove_file(&beside).on("remove", &beside)?;
        let dir = self.newest.parent().expect("the checkpoint lies in a folder");
        self.disk.sync_dir(dir).on("sync", dir)?;
        Ok(linked?)
    }

    /// Moves the note that is published to `aside` if it is this damaged one; one that another process
    /// published meanwhile stays.
    pub(crate) fn set_aside(&self, damaged: &[u8], aside: &Path) -> Result<(), StoreError> {
        let dir = aside.parent().unwrap_or(aside);
        self.disk.create_dir_all(dir).on("make", dir)?;
        std::fs::rename(&self.newest, aside).on("move", &self.newest)?;
        let moved = self.disk.read(aside).on("read", aside)?.unwrap_or_default();
        if moved != damaged {
            self.put_back(&moved)?;
        }
        Ok(())
    }

    /// Publishes a note and keeps it in the history, both durably.
    pub fn publish(&self, note: &[u8]) -> Result<(), StoreError> {
        let dir = self.newest.parent().expect("the checkpoint lies in a folder");
        self.disk.create_dir_all(dir).on("make", dir)?;
        self.disk.replace(&self.newest, note).on("write", &self.newest)?;
        self.remember(note)
    }

    /// Replaces the published note by one of the same text with newer cosignatures, durably. The
    /// history keeps the first, which dates the entries.
    pub fn renew(&self, note: &[u8]) -> Result<(), StoreError> {
        Ok(self.disk.replace(&self.newest, note).on("write", &self.newest)?)
    }

    /// Every note that was published, oldest first.
    pub fn history(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let bytes = self.disk.read(&self.history).on("read", &self.history)?.unwrap_or_default();
        Ok(records(&bytes).map(<[u8]>::to_vec).collect())
    }

    /// The first notes of trees larger than `size`, oldest first, at most so many. The file is read
    /// piece by piece, so that a long history costs no memory.
    pub fn after(&self, size: u64, most: usize) -> Result<Vec<String>, StoreError> {
        let path = &self.history;
        let length = self.disk.length(path).on("read", path)?.unwrap_or(0);
        let (mut found, mut held, mut read) = (Vec::new(), Vec::new(), 0);
        while read < length && found.len() < most {
            let next = (length - read).min(READ_BYTES as u64) as usize;
            held.extend(self.disk.read_at(path, read, next).on("read", path)?);
            read += next as u64;
            let mut taken = held.len();
            for piece in frame::scan(&held) {
                match piece {
                    Piece::Record { content, .. } if size < size_of(content) => {
                        found.push(String::from_utf8_lossy(content).into_owned());
                    }
                    Piece::Record { .. } | Piece::Damaged { .. } => {}
                    // It goes on behind what was read so far, or never.
                    Piece::Torn { at } => taken = at,
                }
            }
            held.drain(..taken);
            if 2 * READ_BYTES < held.len() {
                // Damaged bytes, longer than any record: what follows them is found without.
                held.clear();
            }
        }
        found.truncate(most);
        Ok(found)
    }

    /// Cuts a torn end of the history off and adds the published note if a crash left it out.
    pub fn mend(&self) -> Result<(), StoreError> {
        let Some(newest) = self.newest()? else {
            return Ok(());
        };
        let bytes = self.disk.read(&self.history).on("read", &self.history)?.unwrap_or_default();
        self.cut(&bytes)?;
        let is_behind = records(&bytes).last().is_none_or(|last| !is_same_text(last, &newest));
        if is_behind && !self.disk.is_read_only() {
            self.remember(&newest)?;
        }
        Ok(())
    }

    fn remember(&self, note: &[u8]) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, note);
        let mut file = self.disk.open_append(&self.history).on("open", &self.history)?;
        if let Err(error) = file.append(&bytes).on("append to", &self.history) {
            if error.is_full() {
                // A part of it may be there: the next record must not follow that.
                let bytes = self.disk.read(&self.history).on("read", &self.history)?;
                self.cut(&bytes.unwrap_or_default())?;
            }
            return Err(error.into());
        }
        Ok(file.sync().on("sync", &self.history)?)
    }

    /// Cuts the unfinished end of the history, whose `bytes` these are, off.
    fn cut(&self, bytes: &[u8]) -> Result<(), StoreError> {
        for piece in frame::scan(bytes) {
            if let Piece::Torn { at } = piece {
                self.disk.truncate(&self.history, at as u64).on("truncate", &self.history)?;
            }
        }
        Ok(())
    }
}

/// Whether two notes differ in signatures only.
fn is_same_text(one: &[u8], other: &[u8]) -> bool {
    let text = |bytes| SignedNote::parse(bytes).map(|note| note.text().to_owned());
    one == other || matches!((text(one), text(other)), (Ok(one), Ok(other)) if one == other)
}

fn records(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    frame::scan(bytes).filter_map(|piece| match piece {
        Piece::Record { content, .. } => Some(content),
        Piece::Damaged { .. } | Piece::Torn { .. } => None,
    })
}

/// The size that a checkpoint states; 0 of what is none.
fn size_of(note: &[u8]) -> u64 {
    let size = note.split(|byte| *byte == b'\n').nth(1);
    let size = size.and_then(|size| std::str::from_utf8(size).ok());
    size.and_then(|size| size.parse().ok()).unwrap_or(0)
}

fn is_checkpoint(bytes: &[u8]) -> bool {
    SignedNote::parse(bytes).is_ok_and(|note| note.checkpoint().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::OsDisk;

    #[test]
    fn a_long_history_is_read_piece_by_piece_from_a_size_on_also_past_damage() {
        let folder = tempfile::tempdir().unwrap();
        let history = folder.path().join("checkpoints");
        let checkpoints =
            Checkpoints::new(Arc::new(OsDisk), &folder.path().join("checkpoint"), &history);
        assert_eq!(checkpoints.after(0, 9).unwrap(), [] as [String; 0]);
        let note = |size: usize| format!("log\n{size}\n{}\n\nsignatures\n", "r".repeat(900));
        let mut bytes = Vec::new();
        let mut middle = 0;
        for size in 1..=6000 {
            if size == 3000 {
                middle = bytes.len();
            }
            frame::append(&mut bytes, note(size).as_bytes());
        }
        assert!(2 * READ_BYTES < bytes.len());
        bytes[middle + 40] ^= 1;
        bytes.extend_from_slice(&[9; 7]);
        std::fs::write(&history, &bytes).unwrap();
        let sizes = |after, most| {
            let found = checkpoints.after(after, most).unwrap();
            found.iter().map(|note| size_of(note.as_bytes())).collect::<Vec<_>>()
        };
        assert_eq!(sizes(0, 3), [1, 2, 3]);
        assert_eq!(sizes(2998, 2), [2999, 3001], "the damaged one is passed over");
        assert_eq!(sizes(5998, 256), [5999, 6000]);
        assert_eq!(sizes(6000, 256), [] as [u64; 0]);
        assert_eq!(checkpoints.after(4999, 1).unwrap(), [note(5000)]);
    }
}
