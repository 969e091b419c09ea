//! Damaged bytes of packs, written over by the records that were there.
//!
//! Invariants: a record is put exactly where damaged bytes were, so no place changes and the node
//! that appends to the same file is not disturbed; a body counts only by its own id and only if
//! the log has it; the damaged bytes are kept beside before they are written over.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::Head;
use hallmark_schemas::layout::Data;
use hallmark_schemas::pack::{self, Piece};

use super::ends::{End, Ends, Refilled};
use crate::restore::bodies::Ids;
use crate::restore::{Phase, Told};
use crate::store::StoreError;
use crate::store::disk::{Disk, OnPath};
use crate::store::tiles::Tiles;

/// Most missing bodies that are tried in the holes of the packs: 256 MiB if each has 1 MiB.
const TRIED_MAX: usize = 256;

/// Gives bodies, one answer for each id.
pub(crate) type Fetch<'a> = dyn FnMut(&[ContentId]) -> Vec<Option<Vec<u8>>> + 'a;

/// Bytes that are no record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Hole {
    /// The segment.
    pub(crate) path: PathBuf,
    /// Its first byte.
    pub(crate) at: usize,
    /// After its last.
    pub(crate) end: usize,
}

/// What became of the bodies of a log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Patched {
    /// Bodies that are in their places again.
    pub(crate) put_back: Vec<ContentId>,
    /// Holes that nothing fits into.
    pub(crate) left: Vec<Hole>,
    /// Entries without any record; at most as many as are tried.
    pub(crate) missing: Vec<(u64, Entry)>,
    /// Records whose body was erased.
    pub(crate) erased: u64,
    /// What was appended to segments that were cut short.
    pub(crate) refilled: Refilled,
}

/// Whose packs are patched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Whose {
    /// Those of the own log; whether no process appends to them.
    Own {
        /// The node does not run.
        rests: bool,
    },
    /// The copy of another's: what it held is known by its index alone.
    Copy,
}

/// Fills the holes of the packs of `data` with bodies of `tree` that `fetch` gives.
pub(crate) fn patch(
    disk: &Arc<dyn Disk>,
    data: &Data,
    (tree, whose): (Head, Whose),
    fetch: &mut Fetch<'_>,
    told: &mut Told<'_>,
) -> Result<Patched, StoreError> {
    let tiles = Tiles::new(disk.clone(), &data.log());
    let mut ids = Ids::of(&tiles, tree)?;
    let mut found = Patched::default();
    let (mut holes, mut torn, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let names = disk.list(&data.packs()).on("list", &data.packs())?;
    let numbers: Vec<u32> = names.iter().filter_map(|name| Data::pack_number(name)).collect();
    for (done, number) in (1..).zip(&numbers) {
        let path = data.pack(*number);
        let bytes = disk.read(&path).on("read", &path)?.unwrap_or_default();
        let (inside, mut end) = read(&path, &bytes, &mut ids, &mut found.erased);
        end.segment = *number;
        if !end.torn.is_empty() {
            torn.push(Hole { path: path.clone(), at: end.at as usize, end: bytes.len() });
        }
        holes.extend(inside);
        ends.push(end);
        told(Phase::Bodies, done, numbers.len() as u64);
    }
    if let Whose::Own { rests } = whose
        && holes.is_empty()
    {
        let all = Ends { disk, data, tree, rests };
        found.refilled = all.refill(ends, &mut ids, fetch)?;
    }
    // What is not cut after all, or of a copy, of which nothing says what followed.
    holes.extend(torn.into_iter().filter(|hole| !found.refilled.bodies.contains_key(&hole.path)));
    found.missing = missing(&tiles, tree, &ids)?;
    if holes.is_empty() || found.missing.is_empty() {
        found.left = holes;
        return Ok(found);
    }
    let asked: Vec<ContentId> = found.missing.iter().map(|(_, entry)| entry.id).collect();
    let is_its = |id: &ContentId, body: &Vec<u8>| ContentId::of(body) == *id;
    let given = asked.iter().zip(fetch(&asked));
    let bodies: Vec<(ContentId, Vec<u8>)> =
        given.filter_map(|(id, body)| Some((*id, body.filter(|body| is_its(id, body))?))).collect();
    for hole in holes {
        match fitting(&bodies, hole.end - hole.at) {
            Some(fit) => {
                write(&**disk, data, &hole, fit)?;
                found.put_back.extend(fit.iter().map(|(id, _)| *id));
            }
            None => found.left.push(hole),
        }
    }
    found.missing.retain(|(_, entry)| !found.put_back.contains(&entry.id));
    Ok(found)
}

/// Entries without any record: the first ones.
fn missing(tiles: &Tiles, tree: Head, ids: &Ids) -> Result<Vec<(u64, Entry)>, StoreError> {
    let mut missing = Vec::new();
    let mut cursor = tiles.cursor(tree.size);
    for index in 0..tree.size {
        let entry = cursor.get(index)?.filter(|entry| !ids.holds(&entry.id));
        missing.extend(entry.map(|entry| (index, entry)));
        if TRIED_MAX <= missing.len() {
            break;
        }
    }
    Ok(missing)
}

/// The holes of one segment and its end; the records beside them are noted in `ids`.
fn read(path: &Path, bytes: &[u8], ids: &mut Ids, erased: &mut u64) -> (Vec<Hole>, End) {
    let at = bytes.len() as u64;
    let mut end = End { segment: 0, at, last: None, torn: Vec::new() };
    let mut holes: Vec<Hole> = Vec::new();
    let mut hole = |at: usize, end: usize| match holes.last_mut() {
        Some(before) if before.end == at => before.end = end,
        _ => holes.push(Hole { path: path.to_owned(), at, end }),
    };
    for piece in pack::scan(bytes) {
        match piece {
            Piece::Record(record) if record.erased || ContentId::of(record.body) == record.id => {
                *erased += u64::from(record.erased);
                if ids.hold(&record.id) {
                    end.last = Some(record.id);
                }
            }
            Piece::Record(record) => hole(record.at, record.end()),
            Piece::Damaged { at, end } => hole(at, end),
            // What was whole was durable before: this is no append that has just begun.
            Piece::Torn { at } => match rest_of(&bytes[at..], ids) {
                Rest::Whole => hole(at, bytes.len()),
                Rest::Cut => (end.at, end.torn) = (at as u64, bytes[at..].to_vec()),
                Rest::Begun => end.at = at as u64,
            },
        }
    }
    (holes, end)
}

/// What bytes at the end are that are no record.
enum Rest {
    /// As many as one has.
    Whole,
    /// The head of one that the log has, and less than the rest of it.
    Cut,
    /// Neither: an append that has just begun, or that a stop left.
    Begun,
}

fn rest_of(bytes: &[u8], ids: &Ids) -> Rest {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return Rest::Begun;
    };
    let id = rest.first_chunk::<32>().map(|id| ContentId::from_bytes(*id));
    let length = pack::HEAD_BYTES + u32::from_le_bytes(*length) as usize;
    match id.is_some_and(|id| ids.has(&id)) {
        _ if length == bytes.len() => Rest::Whole,
        true => Rest::Cut,
        false => Rest::Begun,
    }
}

/// Of the bodies, in the order of the log, those neighbours whose records have this length.
fn fitting(bodies: &[(ContentId, Vec<u8>)], length: usize) -> Option<&[(ContentId, Vec<u8>)]> {
    (0..bodies.len()).find_map(|first| {
        let mut total = 0;
        for (at, (_, body)) in bodies.iter().enumerate().skip(first) {
            total += pack::HEAD_BYTES + body.len();
            if length <= total {
                return (total == length).then(|| &bodies[first..=at]);
            }
        }
        None
    })
}

fn write(
    disk: &dyn Disk,
    data: &Data,
    hole: &Hole,
    bodies: &[(ContentId, Vec<u8>)],
) -> Result<(), StoreError> {
    let Hole { path, at, end } = hole;
    let aside = data.damaged();
    disk.create_dir_all(&aside).on("make", &aside)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let aside = aside.join(format!("{name}-{at}"));
    let damaged = disk.read_at(path, *at as u64, end - at).on("read", path)?;
    disk.replace(&aside, &damaged).on("write", &aside)?;
    let mut records = Vec::with_capacity(end - at);
    for (id, body) in bodies {
        pack::append(&mut records, id, body);
    }
    let file = File::options().write(true).open(path).on("open", path)?;
    file.write_all_at(&records, *at as u64).on("write", path)?;
    Ok(file.sync_data().on("sync", path)?)
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::intent::Intent;
    use hallmark_schemas::pack::PackPosition;

    use super::*;
    use crate::store::disk::OsDisk;
    use crate::store::intent::IntentFile;
    use crate::store::tiles::Edge;

    struct Kept {
        _folder: tempfile::TempDir,
        data: Data,
        tree: Head,
        bodies: Vec<Vec<u8>>,
        pack: Vec<u8>,
    }

    /// A log of bodies of several lengths, two of them alike.
    fn kept() -> Kept {
        let folder = tempfile::tempdir().unwrap();
        let data = Data::new(folder.path());
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        let lengths = [100, 30, 30, 70, 55];
        let bodies: Vec<Vec<u8>> =
            (1..).zip(lengths).map(|(number, length)| vec![number; length]).collect();
        let mut pack = Vec::new();
        let mut entries = Vec::new();
        for body in &bodies {
            let id = ContentId::of(body);
            pack::append(&mut pack, &id, body);
            entries.push(Entry { audience: 0, admitted_at: crate::core::testing::NOW, id });
        }
        std::fs::create_dir_all(data.packs()).unwrap();
        std::fs::write(data.pack(0), &pack).unwrap();
        let edge = Tiles::new(disk, &data.log()).grow(&Edge::empty(), &entries).unwrap();
        let tree = Head { size: edge.size(), root: edge.root() };
        Kept { _folder: folder, data, tree, bodies, pack }
    }

    fn patched(kept: &Kept, holds: impl Fn(usize) -> bool) -> Patched {
        let mut fetch = |ids: &[ContentId]| {
            let held = kept.bodies.iter().enumerate().filter(|(at, _)| holds(*at));
            let held: Vec<&Vec<u8>> = held.map(|(_, body)| body).collect();
            ids.iter()
                .map(|id| held.iter().find(|body| ContentId::of(body) == *id).map(|b| b.to_vec()))
                .collect()
        };
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        let own = (kept.tree, Whose::Own { rests: true });
        patch(&disk, &kept.data, own, &mut fetch, &mut |_, _, _| {}).unwrap()
    }

    /// Notes that the packs were logged up to here.
    fn logged(kept: &Kept, consumed: PackPosition) {
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        let intent = Intent {
            from: kept.tree,
            to: kept.tree,
            admitted_at: crate::core::testing::NOW,
            consumed,
            entries: Vec::new(),
        };
        IntentFile::new(disk, &kept.data.intent()).save(&intent).unwrap();
    }

    #[test]
    fn a_segment_that_was_cut_anywhere_is_as_long_again_as_it_was() {
        let kept = kept();
        let whole = kept.pack.len() as u64;
        logged(&kept, PackPosition { segment: 0, offset: whole });
        for cut in 0..kept.pack.len() {
            std::fs::write(kept.data.pack(0), &kept.pack[..cut]).unwrap();
            let lonely = patched(&kept, |_| false);
            assert!(lonely.refilled == Refilled::default() && !lonely.missing.is_empty());
            let told = patched(&kept, |_| true);
            assert!(told.left.is_empty() && told.missing.is_empty(), "{cut}: {told:?}");
            assert!(!told.refilled.moved, "{cut}");
            assert_eq!(std::fs::read(kept.data.pack(0)).unwrap(), kept.pack, "cut at {cut}");
        }
        std::fs::remove_file(kept.data.pack(0)).unwrap();
        let told = patched(&kept, |_| true);
        assert_eq!(told.refilled.bodies.values().sum::<u64>(), kept.bodies.len() as u64);
        assert_eq!(std::fs::read(kept.data.pack(0)).unwrap(), kept.pack, "the whole file");
    }

    #[test]
    fn what_nobody_gives_is_missing_and_told_to_have_moved_what_follows() {
        let kept = kept();
        logged(&kept, PackPosition { segment: 0, offset: kept.pack.len() as u64 });
        let first = pack::HEAD_BYTES + kept.bodies[0].len();
        std::fs::write(kept.data.pack(0), &kept.pack[..first]).unwrap();
        let told = patched(&kept, |at| at != 1);
        assert!(told.refilled.moved && told.missing.len() == 1, "{told:?}");
        assert_eq!(told.missing[0].0, 1);
    }

    #[test]
    fn nothing_is_appended_where_a_running_node_may_append() {
        let kept = kept();
        let first = pack::HEAD_BYTES + kept.bodies[0].len();
        let disk: Arc<dyn Disk> = Arc::new(OsDisk);
        let mut give = |ids: &[ContentId]| -> Vec<Option<Vec<u8>>> {
            let body = |id: &ContentId| kept.bodies.iter().find(|body| ContentId::of(body) == *id);
            ids.iter().map(|id| body(id).cloned()).collect()
        };
        let mut beside = |rests: bool| {
            let own = (kept.tree, Whose::Own { rests });
            patch(&disk, &kept.data, own, &mut give, &mut |_, _, _| {}).unwrap()
        };
        // Everything that this segment had in the log is here: what follows lies elsewhere.
        logged(&kept, PackPosition { segment: 0, offset: first as u64 });
        std::fs::write(kept.data.pack(0), &kept.pack[..first]).unwrap();
        assert_eq!(beside(false).refilled, Refilled::default());
        // Its file is gone, and the process may still write to it.
        logged(&kept, PackPosition { segment: 0, offset: kept.pack.len() as u64 });
        std::fs::remove_file(kept.data.pack(0)).unwrap();
        assert_eq!(beside(false).refilled, Refilled::default());
        assert!(!kept.data.pack(0).exists());
        assert_eq!(beside(true).missing, [] as [(u64, Entry); 0]);
    }

    #[test]
    fn every_flipped_byte_is_put_right_by_a_peer_and_what_was_damaged_is_kept() {
        let kept = kept();
        for at in 0..kept.pack.len() {
            let mut bad = kept.pack.clone();
            bad[at] ^= if at % 2 == 0 { 0x40 } else { 0x80 };
            std::fs::write(kept.data.pack(0), &bad).unwrap();
            let lonely = patched(&kept, |_| false);
            assert_eq!(std::fs::read(kept.data.pack(0)).unwrap(), bad, "nobody has it: {at}");
            assert!(lonely.put_back.is_empty() && !lonely.missing.is_empty(), "{at}");
            let told = patched(&kept, |_| true);
            assert!(told.left.is_empty() && told.missing.is_empty(), "{at}: {told:?}");
            assert!(!told.put_back.is_empty(), "{at}");
            assert_eq!(std::fs::read(kept.data.pack(0)).unwrap(), kept.pack, "byte {at}");
            assert!(kept.data.damaged().is_dir());
            assert_eq!(patched(&kept, |_| true), Patched::default(), "nothing is left to do");
        }
    }

    #[test]
    fn an_erased_record_is_erased_and_neither_damaged_nor_missing() {
        let kept = kept();
        let mut erased = kept.pack.clone();
        let id = ContentId::of(&kept.bodies[0]);
        let tombstone = pack::tombstone(&id, kept.bodies[0].len());
        erased[..tombstone.len()].copy_from_slice(&tombstone);
        std::fs::write(kept.data.pack(0), &erased).unwrap();
        let told = patched(&kept, |_| true);
        assert_eq!(told, Patched { erased: 1, ..Patched::default() });
        assert_eq!(std::fs::read(kept.data.pack(0)).unwrap(), erased, "it stays erased");
    }
}
