//! How far a check had come when it was interrupted, so that the next one goes on from there.
//!
//! Invariants: what is kept are the content ids whose signatures were seen to hold, which is a
//! property of the id alone; every byte is read and hashed again, so a file that changed meanwhile
//! is found as by a check from the beginning; a position of another log, or of a tree that the log
//! does not continue, is thrown away; a check that came to its end leaves none.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::frame::{self, Piece};
use hallmark_schemas::hex;
use hallmark_schemas::layout::{Data, Dir};
use hallmark_schemas::note::{Checkpoint, SignedNote};
use hallmark_verifier::watch::{Stage, Watch};

use super::super::progress::{Bars, count};
use crate::store::disk::OsDisk;
use crate::store::lock::DirLock;
use crate::store::tiles::Tiles;

/// First line of the file: another one is another release's.
const FORMAT: &str = "hallmark check 1";
/// Bytes of a content id.
const ID_BYTES: usize = 32;
/// Bytes of ids that are written at once: 1,024 signatures take some 40 ms.
const KEPT_AT_ONCE: usize = 1024 * ID_BYTES;
const _: () = assert!(KEPT_AT_ONCE < frame::CONTENT_BYTES_MAX);

/// Draws how far a check is, and keeps it.
pub(super) struct Position {
    /// Signatures that held before the interruption.
    before: BTreeSet<ContentId>,
    bars: Mutex<Bars>,
    /// `None` where it cannot be kept.
    keeping: Mutex<Option<Keeping>>,
}

/// The file of a check that is at work; nobody else writes it meanwhile.
struct Keeping {
    path: PathBuf,
    file: File,
    waiting: Vec<u8>,
    _lock: DirLock,
}

impl Position {
    /// Takes up the position in DIR/run, if it is of this log; what a person should know of it.
    pub(super) fn open(dir: &Dir, data: &Data) -> (Position, Option<String>) {
        let (mut before, mut keeping, mut told) = (BTreeSet::new(), None, None);
        // Before the first checkpoint there is little to check.
        if let Some(tree) = published(data) {
            match take_up(dir.path().join("run").join("check"), &tree, data) {
                Ok((file, Found::Of(ids))) => {
                    let held = count(ids.len(), "signature that was", "signatures that were");
                    told = Some(format!("goes on after {held} checked before the interruption"));
                    (before, keeping) = (ids, Some(file));
                }
                Ok((file, Found::Foreign)) => {
                    told = Some(
                        "begins anew: the log is another one than when the last check was \
                         interrupted"
                            .to_owned(),
                    );
                    keeping = Some(file);
                }
                Ok((file, Found::Nothing)) => keeping = Some(file),
                Err(reason) => {
                    told = Some(format!(
                        "note: interrupted, the next check begins anew: its position cannot be \
                         kept: {reason}"
                    ));
                }
            }
        }
        let (bars, keeping) = (Mutex::new(Bars::new()), Mutex::new(keeping));
        (Position { before, bars, keeping }, told)
    }

    /// The check came to its end.
    pub(super) fn end(&self) {
        lock(&self.bars).end();
        if let Some(keeping) = lock(&self.keeping).take() {
            // One that stays does no harm: it is true, and saves work.
            let _ = std::fs::remove_file(&keeping.path);
        }
    }
}

impl Watch for Position {
    fn tell(&self, stage: Stage, done: u64, of: u64) {
        lock(&self.bars).look(stage, done, of);
    }

    fn has_held(&self, id: &ContentId) -> bool {
        self.before.contains(id)
    }

    fn holds(&self, id: &ContentId) {
        let mut kept = lock(&self.keeping);
        if let Some(keeping) = kept.as_mut() {
            keeping.waiting.extend_from_slice(id.bytes());
            if KEPT_AT_ONCE <= keeping.waiting.len() && keeping.write().is_err() {
                // A full disk costs the position, never the check.
                *kept = None;
            }
        }
    }
}

impl Keeping {
    fn write(&mut self) -> std::io::Result<()> {
        let mut record = Vec::new();
        frame::append(&mut record, &self.waiting);
        self.waiting.clear();
        self.file.write_all(&record)
    }
}

/// What a position was found to be.
enum Found {
    Nothing,
    Foreign,
    Of(BTreeSet<ContentId>),
}

/// Opens the file for what comes, after reading what is in it.
fn take_up(path: PathBuf, tree: &Checkpoint, data: &Data) -> Result<(Keeping, Found), String> {
    let lock = DirLock::take(&path.with_extension("lock")).map_err(|e| e.to_string())?;
    let failed = |e: std::io::Error| format!("{}: {e}", path.display());
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        read => read.map_err(failed)?,
    };
    let found = parse(&bytes, tree, data);
    let mut fresh = Vec::new();
    if let Found::Of(ids) = &found {
        // Written anew with what was whole of it: a torn end is no record to go on behind.
        frame::append(&mut fresh, &header(tree));
        let ids: Vec<u8> = ids.iter().flat_map(|id| *id.bytes()).collect();
        ids.chunks(KEPT_AT_ONCE).for_each(|ids| frame::append(&mut fresh, ids));
    } else {
        frame::append(&mut fresh, &header(tree));
    }
    let mut options = File::options();
    let open = options.create(true).truncate(true).write(true).mode(0o600).open(&path);
    let mut file = open.map_err(failed)?;
    file.write_all(&fresh).map_err(failed)?;
    Ok((Keeping { path, file, waiting: Vec::new(), _lock: lock }, found))
}

fn parse(bytes: &[u8], tree: &Checkpoint, data: &Data) -> Found {
    let mut records = frame::scan(bytes).map_while(|piece| match piece {
        Piece::Record { content, .. } => Some(content),
        Piece::Damaged { .. } | Piece::Torn { .. } => None,
    });
    let Some(head) = records.next() else {
        return Found::Nothing;
    };
    if !is_continued(head, tree, data) {
        return Found::Foreign;
    }
    let mut ids = BTreeSet::new();
    for content in records {
        let (whole, rest) = content.as_chunks::<ID_BYTES>();
        if !rest.is_empty() {
            break;
        }
        ids.extend(whole.iter().map(|id| ContentId::from_bytes(*id)));
    }
    if ids.is_empty() { Found::Nothing } else { Found::Of(ids) }
}

/// Whether the tree of then is the beginning of this one.
fn is_continued(head: &[u8], tree: &Checkpoint, data: &Data) -> bool {
    let Ok(head) = std::str::from_utf8(head) else {
        return false;
    };
    let lines: Vec<&str> = head.lines().collect();
    let [FORMAT, origin, size, root] = lines[..] else {
        return false;
    };
    let Ok(size) = size.parse::<u64>() else {
        return false;
    };
    let tiles = Tiles::new(Arc::new(OsDisk), &data.log());
    let within = || tiles.root_within(size, tree.size).is_ok_and(|of| hex::encode(&of) == root);
    origin == tree.origin && 0 < size && size <= tree.size && within()
}

fn header(tree: &Checkpoint) -> Vec<u8> {
    let root = hex::encode(&tree.root);
    format!("{FORMAT}\n{}\n{}\n{root}\n", tree.origin, tree.size).into_bytes()
}

/// The published checkpoint; what is wrong with it, the check itself finds.
fn published(data: &Data) -> Option<Checkpoint> {
    let bytes = std::fs::read(data.checkpoint()).ok()?;
    let checkpoint = SignedNote::parse(&bytes).ok()?.checkpoint().ok()?;
    (0 < checkpoint.size).then_some(checkpoint)
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tiles::Edge;
    use hallmark_schemas::entry::Entry;

    struct Kept {
        _folder: tempfile::TempDir,
        dir: Dir,
        data: Data,
    }

    fn id(number: u64) -> ContentId {
        ContentId::of(&number.to_be_bytes())
    }

    /// A folder with a log of so many entries, the first of which is `first`.
    fn log(first: u64, size: u64) -> Kept {
        let folder = tempfile::tempdir().unwrap();
        let (dir, data) = (Dir::new(folder.path()), Dir::new(folder.path()).data());
        let kept = Kept { _folder: folder, dir, data };
        grow(&kept, first, size);
        kept
    }

    fn grow(kept: &Kept, first: u64, size: u64) {
        let at = crate::core::testing::NOW;
        let entry = |number| Entry { audience: 0, admitted_at: at, id: id(number) };
        let entries: Vec<Entry> = (first..first + size).map(entry).collect();
        let tiles = Tiles::new(Arc::new(OsDisk), &kept.data.log());
        let edge = tiles.grow(&Edge::empty(), &entries).unwrap();
        let note = Checkpoint::new("net/gln-1/1", edge.size(), edge.root()).to_string();
        let signer = crate::core::testing::log_signer();
        let signer = hallmark_schemas::note::NoteSigner::log("net/gln-1/1", signer).unwrap();
        let mut signed = SignedNote::unsigned(note.clone()).unwrap();
        signed.add(signer.sign(&note, at).unwrap());
        std::fs::write(kept.data.checkpoint(), signed.to_bytes()).unwrap();
    }

    /// As a check that is killed after these signatures.
    fn interrupted(kept: &Kept, held: std::ops::Range<u64>) {
        let (position, _) = Position::open(&kept.dir, &kept.data);
        held.for_each(|number| position.holds(&id(number)));
    }

    fn known(position: &Position, of: u64) -> usize {
        (0..of).filter(|number| position.has_held(&id(*number))).count()
    }

    #[test]
    fn an_interrupted_check_goes_on_where_it_was_and_one_that_ended_begins_anew() {
        let kept = log(0, 3000);
        let (position, told) = Position::open(&kept.dir, &kept.data);
        assert_eq!((known(&position, 3000), told), (0, None));
        drop(position);
        interrupted(&kept, 0..1500);
        // Killed before the second thousand was written: those are checked again.
        let (position, told) = Position::open(&kept.dir, &kept.data);
        assert_eq!(known(&position, 3000), 1024);
        assert!(told.unwrap().contains("goes on after 1024 signatures"));
        // Another check beside it keeps nothing and does not disturb it.
        let (beside, told) = Position::open(&kept.dir, &kept.data);
        assert!(told.unwrap().contains("in use by process"));
        assert_eq!(known(&beside, 3000), 0);
        beside.end();
        (1024..2048).for_each(|number| position.holds(&id(number)));
        drop(position);
        let (position, _) = Position::open(&kept.dir, &kept.data);
        assert_eq!(known(&position, 3000), 2048);
        position.end();
        let (position, told) = Position::open(&kept.dir, &kept.data);
        assert_eq!((known(&position, 3000), told), (0, None));
    }

    #[test]
    fn a_position_holds_for_a_log_that_grew_and_for_no_other() {
        let kept = log(0, 2000);
        interrupted(&kept, 0..1024);
        grow(&kept, 0, 2300);
        let (position, _) = Position::open(&kept.dir, &kept.data);
        assert_eq!(known(&position, 2000), 1024);
        drop(position);
        for (first, size) in [(7, 2300), (0, 1000)] {
            std::fs::remove_dir_all(kept.data.log()).unwrap();
            grow(&kept, 0, 2000);
            std::fs::remove_file(kept.dir.path().join("run/check")).unwrap();
            interrupted(&kept, 0..1024);
            std::fs::remove_dir_all(kept.data.log()).unwrap();
            grow(&kept, first, size);
            let (position, told) = Position::open(&kept.dir, &kept.data);
            assert_eq!(known(&position, 2000), 0, "{first} {size}");
            assert!(told.unwrap().contains("begins anew"));
        }
    }

    #[test]
    fn a_torn_or_damaged_position_is_believed_up_to_there() {
        let kept = log(0, 3000);
        interrupted(&kept, 0..2048);
        let path = kept.dir.path().join("run/check");
        let whole = std::fs::read(&path).unwrap();
        let first = whole.len() - (KEPT_AT_ONCE + frame::HEAD_BYTES);
        for cut in [0, 3, first - KEPT_AT_ONCE - 9, first, first + 5, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (position, _) = Position::open(&kept.dir, &kept.data);
            let expected = if cut < first { 0 } else { 1024 };
            assert_eq!(known(&position, 3000), expected, "{cut}");
        }
        let mut flipped = whole.clone();
        flipped[first + 100] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let (position, _) = Position::open(&kept.dir, &kept.data);
        assert_eq!(known(&position, 3000), 1024);
    }
}
