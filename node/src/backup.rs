//! A copy of DATA taken while the node runs, and the way back.
//!
//! Invariants: the checkpoint is read first and written last, so that a copy is at every instant
//! that of one published checkpoint, the older or the newer one; packs are read after it, so that
//! every body that it names is in them; bytes are written only where the copy differs; DIR/head,
//! keys and what is derived are never copied.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::frame::{self, Piece};
use hallmark_schemas::head::Head;
use hallmark_schemas::intent::Intent;
use hallmark_schemas::layout::Data;
use hallmark_schemas::note::{Checkpoint, SignedNote};
use hallmark_schemas::pack::{self, PackPosition};
use hallmark_schemas::tile::{TilePath, tiles_of_growth};
use hallmark_schemas::time::Timestamp;

use crate::repair;
use crate::restore::{Phase, Told};
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::{Disk, DiskError, OnPath, OsDisk};
use crate::store::tiles::Tiles;

/// Tiles that are written before the first of them is synced: 3 MB.
const TILES_BATCH: usize = 256;

/// Why a copy cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BackupError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The published checkpoint is none.
    #[error("{} is no checkpoint: {reason}", path.display())]
    Checkpoint {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What is copied from is older than the copy.
    #[error(
        "{} holds {there} entries, {} only {here}", to.display(), from.display()
    )]
    Newer {
        /// What is copied.
        from: PathBuf,
        /// Its entries.
        here: u64,
        /// The copy.
        to: PathBuf,
        /// Its entries.
        there: u64,
    },
    /// The copy is of another log.
    #[error("{} is a copy of another log, {origin}", to.display())]
    OtherLog {
        /// The copy.
        to: PathBuf,
        /// Whose it is.
        origin: String,
    },
    /// The copy is of another tree.
    #[error("{} is not the beginning of this log: another root for size {size}", to.display())]
    OtherTree {
        /// The copy.
        to: PathBuf,
        /// Its size.
        size: u64,
    },
}

impl From<DiskError> for BackupError {
    fn from(error: DiskError) -> BackupError {
        BackupError::Store(error.into())
    }
}

/// What a copy came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Copied {
    /// The own log's checkpoint; `None` before the first.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Copies of followed logs.
    pub(crate) peers: u64,
    /// Bytes of the copy.
    pub(crate) bytes: u64,
    /// Bytes that were written now.
    pub(crate) written: u64,
    /// Bytes of packs that are no record: damaged in what was copied, and in the copy.
    pub(crate) damaged: u64,
    /// Files of the copy that were damaged and are whole again.
    pub(crate) mended: Vec<PathBuf>,
    /// Files of the log that are lost or damaged in what was copied, and whole in the copy.
    pub(crate) source_damaged: Vec<PathBuf>,
}

/// From one DATA to another.
pub(crate) struct Copy<'a> {
    disk: Arc<dyn Disk>,
    from: &'a Data,
    to: &'a Data,
    found: Copied,
}

/// Brings `to` to the published checkpoint of `from`: the own log and all followed ones.
pub(crate) fn copy(from: &Data, to: &Data, told: &mut Told<'_>) -> Result<Copied, BackupError> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    disk.create_dir_all(to.path()).on("make", to.path())?;
    let mut all = Copy { disk: disk.clone(), from, to, found: Copied::default() };
    let checkpoint = all.log(true, told)?;
    all.small(&from.deferred(), &to.deferred())?;
    let addresses = |data: &Data| data.path().join("addresses.json");
    all.small(&addresses(from), &addresses(to))?;
    all.small(&from.restored(), &to.restored())?;
    let mut found = all.found;
    found.checkpoint = checkpoint;
    let peers = from.peers();
    for name in disk.list(&peers).on("list", &peers)? {
        let (theirs, copy) = (Data::new(peers.join(&name)), Data::new(to.peers().join(&name)));
        let mut log = Copy { disk: disk.clone(), from: &theirs, to: &copy, found };
        log.log(false, told)?;
        log.defects()?;
        found = log.found;
        found.peers += 1;
    }
    Ok(found)
}

impl Copy<'_> {
    /// One log: checkpoint read, packs, tiles, history, intent, checkpoint written.
    fn log(
        &mut self,
        is_own: bool,
        told: &mut Told<'_>,
    ) -> Result<Option<Checkpoint>, BackupError> {
        let intent = if is_own { self.intent()? } else { None };
        let (path, to) = (self.from.checkpoint(), self.to.checkpoint());
        let published = Checkpoints::new(self.disk.clone(), &path, &self.from.checkpoints());
        let Some(note) = published.newest_kept()? else {
            self.packs(told)?;
            return Ok(None);
        };
        if published.is_damaged()? {
            self.found.source_damaged.push(path.clone());
        }
        let checkpoint = parse(&path, &note)?;
        let head = Head { size: checkpoint.size, root: checkpoint.root };
        let before = self.disk.read(&to).on("read", &to)?;
        let before = before.map(|before| parse(&to, &before)).transpose()?;
        let tiles = Tiles::new(self.disk.clone(), &self.from.log());
        self.check_before(before.as_ref(), &checkpoint, &tiles)?;
        self.packs(told)?;
        self.tiles(&tiles, head, told)?;
        self.history(head.size)?;
        if is_own {
            let consumed = intent.filter(|intent| intent.to.size <= head.size);
            let consumed = consumed.map_or(PackPosition::default(), |intent| intent.consumed);
            self.done_intent(&tiles, head, consumed)?;
        }
        self.write(&to, &note)?;
        let copied = Tiles::new(self.disk.clone(), &self.to.log());
        copied.remove_partial(before.map_or(0, |before| before.size), head.size)?;
        Ok(Some(checkpoint))
    }

    fn intent(&self) -> Result<Option<Intent>, BackupError> {
        let path = self.from.intent();
        let bytes = self.disk.read(&path).on("read", &path)?;
        Ok(bytes.and_then(|bytes| Intent::parse(&bytes)))
    }

    /// An older copy of the same log is brought forward; anything else is left alone.
    fn check_before(
        &self,
        before: Option<&Checkpoint>,
        now: &Checkpoint,
        tiles: &Tiles,
    ) -> Result<(), BackupError> {
        let Some(before) = before else {
            return Ok(());
        };
        let to = self.to.path().to_owned();
        if before.origin != now.origin {
            return Err(BackupError::OtherLog { to, origin: before.origin.clone() });
        }
        if now.size < before.size {
            let (from, here) = (self.from.path().to_owned(), now.size);
            return Err(BackupError::Newer { from, here, to, there: before.size });
        }
        if tiles.root_within(before.size, now.size)? != before.root {
            return Err(BackupError::OtherTree { to, size: before.size });
        }
        Ok(())
    }

    /// Segments are compared by length and time; where these differ, by their bytes.
    fn packs(&mut self, told: &mut Told<'_>) -> Result<(), BackupError> {
        let (from, to) = (self.from.packs(), self.to.packs());
        self.disk.create_dir_all(&to).on("make", &to)?;
        let names = self.disk.list(&from).on("list", &from)?;
        let numbers: Vec<u32> = names.iter().filter_map(|name| Data::pack_number(name)).collect();
        for (done, number) in (1..).zip(&numbers) {
            self.segment(&self.from.pack(*number), &self.to.pack(*number))?;
            told(Phase::Bodies, done, numbers.len() as u64);
        }
        Ok(())
    }

    fn segment(&mut self, from: &Path, to: &Path) -> Result<(), BackupError> {
        // Asked before the bytes are read: what is appended meanwhile is seen the next time.
        let state = |path: &Path| {
            let meta = std::fs::metadata(path)?;
            Ok::<_, std::io::Error>((meta.len(), meta.modified()?))
        };
        let source = state(from).on("read", from)?;
        if state(to).is_ok_and(|copy| copy == source) {
            self.found.bytes += source.0;
            return Ok(());
        }
        let mut bytes = self.disk.read(from).on("read", from)?.unwrap_or_default();
        let copied = self.disk.read(to).on("read", to)?.unwrap_or_default();
        let (mut end, mut damaged) = (bytes.len(), Vec::new());
        for piece in pack::scan(&bytes) {
            match piece {
                pack::Piece::Record(_) => {}
                pack::Piece::Damaged { at, end } => damaged.push(at..end),
                // The writer is just appending.
                pack::Piece::Torn { at } => end = at,
            }
        }
        bytes.truncate(end);
        if !damaged.is_empty() {
            self.found.source_damaged.push(from.to_path_buf());
        }
        // A place once given never changes: what an older copy holds whole there is kept.
        for range in damaged {
            match copied.get(range.clone()).filter(|kept| is_whole(kept)) {
                Some(kept) => bytes[range].copy_from_slice(kept),
                None => self.found.damaged += range.len() as u64,
            }
        }
        if bytes.starts_with(&copied) {
            let rest = &bytes[copied.len()..];
            let mut file = self.disk.open_append(to).on("open", to)?;
            file.append(rest).on("append to", to)?;
            file.sync().on("sync", to)?;
            self.found.written += rest.len() as u64;
        } else {
            self.disk.replace(to, &bytes).on("write", to)?;
            self.found.written += bytes.len() as u64;
        }
        self.found.bytes += bytes.len() as u64;
        let file = File::options().write(true).open(to).on("open", to)?;
        Ok(file.set_modified(source.1).on("write", to)?)
    }

    /// Copies the files that are lacking, then reads all of the copy again.
    fn tiles(&mut self, from: &Tiles, head: Head, told: &mut Told<'_>) -> Result<(), BackupError> {
        let to = Tiles::new(self.disk.clone(), &self.to.log());
        let proved = |path: &TilePath| -> Result<Vec<u8>, StoreError> {
            let bytes = from.read(path, head)?;
            bytes.ok_or_else(|| StoreError::damaged(&from.path(path), "the tree has no such tile"))
        };
        let mut lacking = Vec::new();
        for path in tiles_of_growth(0, head.size) {
            let copied = std::fs::metadata(to.path(&path)).ok().map(|meta| meta.len());
            if let Some(length) = copied {
                self.found.bytes += length;
                continue;
            }
            let bytes = proved(&path)?;
            self.found.bytes += bytes.len() as u64;
            self.found.written += bytes.len() as u64;
            lacking.push((path, bytes));
            if TILES_BATCH <= lacking.len() {
                to.write_all(&std::mem::take(&mut lacking))?;
            }
        }
        to.write_all(&lacking)?;
        let mut fetch = |path: &TilePath| proved(path).into_iter().collect::<Vec<_>>();
        let aside = self.to.damaged();
        let mended = repair::tiles(&*self.disk, &to, &aside, head, &mut fetch, told)?;
        if let Some(lost) = mended.lost.first() {
            return Err(StoreError::damaged(lost, "what is copied does not hold it whole").into());
        }
        self.found.mended.extend(mended.mended);
        self.found.source_damaged.extend(from.damaged());
        Ok(())
    }

    /// The checkpoints up to this size, which date the entries.
    fn history(&mut self, size: u64) -> Result<(), BackupError> {
        let (from, to) = (self.from.checkpoints(), self.to.checkpoints());
        let bytes = self.disk.read(&from).on("read", &from)?.unwrap_or_default();
        let mut kept = Vec::new();
        for piece in frame::scan(&bytes) {
            let Piece::Record { content, .. } = piece else {
                continue;
            };
            let note = SignedNote::parse(content).ok();
            let checkpoint = note.and_then(|note| note.checkpoint().ok());
            if checkpoint.is_none_or(|checkpoint| checkpoint.size <= size) {
                frame::append(&mut kept, content);
            }
        }
        self.found.bytes += kept.len() as u64;
        self.write(&to, &kept)
    }

    /// An intent that is done, so that a start sees at once which tree this copy is of.
    fn done_intent(
        &mut self,
        tiles: &Tiles,
        head: Head,
        consumed: PackPosition,
    ) -> Result<(), BackupError> {
        let admitted_at = match head.size.checked_sub(1) {
            Some(last) => tiles.entries(last..head.size, head.size)?[0].admitted_at,
            None => Timestamp::EPOCH,
        };
        let intent = Intent { from: head, to: head, admitted_at, consumed, entries: Vec::new() };
        self.write(&self.to.intent(), &intent.encode())
    }

    /// Proofs against the followed log.
    fn defects(&mut self) -> Result<(), BackupError> {
        let (from, to) = (self.from.path().join("defects"), self.to.path().join("defects"));
        for name in self.disk.list(&from).on("list", &from)? {
            self.small(&from.join(&name), &to.join(&name))?;
        }
        Ok(())
    }

    /// A file that is copied whole, if it is there.
    fn small(&mut self, from: &Path, to: &Path) -> Result<(), BackupError> {
        let Some(bytes) = self.disk.read(from).on("read", from)? else {
            return Ok(());
        };
        if let Some(folder) = to.parent() {
            self.disk.create_dir_all(folder).on("make", folder)?;
        }
        self.found.bytes += bytes.len() as u64;
        self.write(to, &bytes)
    }

    /// Replaces a file whole, if it is not that already.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
        if self.disk.read(path).on("read", path)?.as_deref() == Some(bytes) {
            return Ok(());
        }
        self.found.written += bytes.len() as u64;
        Ok(self.disk.replace(path, bytes).on("write", path)?)
    }
}

/// Whether these bytes of a pack are records and nothing else.
fn is_whole(bytes: &[u8]) -> bool {
    pack::scan(bytes).all(|piece| matches!(piece, pack::Piece::Record(_)))
}

fn parse(path: &Path, note: &[u8]) -> Result<Checkpoint, BackupError> {
    let wrong = |reason: String| BackupError::Checkpoint { path: path.to_owned(), reason };
    let note = SignedNote::parse(note).map_err(|error| wrong(error.to_string()))?;
    note.checkpoint().map_err(|error| wrong(error.to_string()))
}
