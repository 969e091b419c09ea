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
