//! The files of a node: its own log and those it follows.
//!
//! Invariants: nothing here is believed or refused, what cannot be read becomes a defect; bodies
//! stay in their packs; checkpoint, head, tiles and packs are read in this order, so that what one
//! says of a running node's log is always in those read after it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::frame;
use hallmark_schemas::kind::Body;
use hallmark_schemas::layout::{Data, Dir};
use hallmark_schemas::note::{Checkpoint, SignedNote};
use hallmark_schemas::pack;
use hallmark_schemas::restored;
use hallmark_schemas::tile::{self, TILE_WIDTH, TilePath};

use super::{LoadError, cosigned, defect, head};
use crate::evidence::{Defect, DefectKind, Evidence, FoundNote, LogEvidence};
use crate::watch::{Counter, Stage, Watch};

/// Longest file that is read whole: a pack segment; nodes start a new one far below.
const FILE_BYTES_MAX: u64 = 1 << 31;

/// The dates of entries are the witnesses' signatures under the checkpoints of then.
const LOST_HISTORY: &str = "put the file back from a copy of DATA, as `hallmark-node backup DIR \
                            SAVED` makes one; until then entries are dated by the newest checkpoint \
                            alone";

/// What a folder given as input is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Folder {
    /// A node's DIR: network file and DATA.
    Dir(Dir, Data),
    /// A node's DATA alone, or a backup of it, which has the network file beside it.
    Data(Data),
    /// Evidence tables as Parquet.
    Lake(PathBuf),
}

/// Tells what a folder is; `None` if it is nothing of ours.
pub fn recognise(path: &Path) -> Option<Folder> {
    let (dir, data) = (Dir::new(path), Data::new(path));
    let is_data = data.log().is_dir() || data.packs().is_dir();
    if dir.config().is_file() || (dir.network().is_file() && !is_data) {
        let data = configured_data(&dir).unwrap_or_else(|| dir.data());
        return Some(Folder::Dir(dir, data));
    }
    if is_data {
        return Some(Folder::Data(data));
    }
    crate::lake::is_lake(path).then(|| Folder::Lake(path.to_owned()))
}

/// DATA may be configured to lie elsewhere.
fn configured_data(dir: &Dir) -> Option<Data> {
    let config: toml::Table = fs::read_to_string(dir.config()).ok()?.parse().ok()?;
    let data = Path::new(config.get("data")?.as_str()?).to_owned();
    Some(Data::new(if data.is_absolute() { data } else { dir.path().join(data) }))
}

/// Reads the network file of DIR.
pub fn read_network(dir: &Dir, evidence: &mut Evidence) -> Result<(), LoadError> {
    let path = dir.network();
    if path.is_file() {
        let bytes = read_file(&path)?;
        evidence.networks_trusted.push(bytes);
    }
    Ok(())
}

/// Reads the own log of DATA, with the head that DIR holds of it, and those of its peers.
pub fn read_data(
    dir: Option<&Dir>,
    data: &Data,
    evidence: &mut Evidence,
    watch: &dyn Watch,
) -> Result<(), LoadError> {
    read_log(data, Some(dir), evidence, watch)?;
    dir.map_or(Ok(()), |dir| cosigned::read(dir, evidence))?;
    defect::read_kept(data, evidence)?;
    let peers = data.peers();
    if peers.is_dir() {
        for path in sorted_paths(&peers)? {
            if path.is_dir() {
                let peer = Data::new(path);
                read_log(&peer, None, evidence, watch)?;
                defect::read_kept(&peer, evidence)?;
            }
        }
    }
    Ok(())
}

/// `own` is `None` for a followed log; for the own one DIR, where it is known.
fn read_log(
    data: &Data,
    own: Option<Option<&Dir>>,
    evidence: &mut Evidence,
    watch: &dyn Watch,
) -> Result<(), LoadError> {
    read_tree(data, own, evidence, watch)?;
    read_packs(data, evidence, watch)
}

fn read_tree(
    data: &Data,
    own: Option<Option<&Dir>>,
    evidence: &mut Evidence,
    watch: &dyn Watch,
) -> Result<(), LoadError> {
    let notes = read_notes(data, evidence)?;
    let own_head = own.flatten().map(|dir| head::read(dir, data, evidence)).transpose()?;
    let head = own_head.as_ref().and_then(|own| own.slot.as_ref());
    let head_size = head.map_or(0, |(slot, _)| slot.head.size);
    // The published one comes last; where it cannot be read, or the head is of another log, the
    // history says whose log this is.
    let stated = notes.iter().rev().map(|(_, checkpoint)| &checkpoint.origin);
    let is_of_head = |origin: &&String| head.is_none_or(|(slot, _)| slot.is_of(origin));
    let Some(origin) = stated.clone().find(is_of_head).or(stated.clone().next()).cloned() else {
        if let Some((_, slot)) = head.filter(|_| 0 < head_size) {
            let detail =
                format!("{slot} says the log has {head_size} entries; no checkpoint of it is here");
            evidence.defects.push(flaw(DefectKind::Withheld, &data.checkpoint(), detail));
        } else if own.is_some() && has_tiles(data) && !data.checkpoint().is_file() {
            let detail = "the log has tiles but no checkpoint".to_owned();
            evidence.defects.push(flaw(DefectKind::Withheld, &data.checkpoint(), detail));
        } else if own == Some(None) && evidence.defects.is_empty() {
            // A node that has just begun has a head and no checkpoint; a folder without both is
            // what an interrupted backup leaves.
            let detail = "no checkpoint is here: an unfinished backup, or a part of one".to_owned();
            evidence.defects.push(flaw(DefectKind::Withheld, &data.checkpoint(), detail));
        }
        return Ok(());
    };
    let newest = notes.iter().map(|(_, checkpoint)| checkpoint.size).max().unwrap_or(0);
    let mut log = evidence.logs.remove(&origin).unwrap_or_default();
    log.whole |= own.is_some();
    log.folder = Some(data.log());
    log.own = own_head;
    log.checkpoints.extend(notes.into_iter().map(|(note, _)| note));
    read_tiles(data, newest.max(head_size), &mut log, evidence, watch)?;
    if own.is_some() {
        log.restored = read_restored(data, evidence)?;
        let path = data.elsewhere();
        if path.is_file() {
            let (bytes, found_in) = (read_file(&path)?, path.display().to_string());
            log.elsewhere = Some(FoundNote { bytes, found_in });
        }
    }
    evidence.logs.insert(origin, log);
    Ok(())
}

fn has_tiles(data: &Data) -> bool {
    data.log().join("tile").join("entries").is_dir()
}

/// Every checkpoint that was ever published, for they date the entries; the newest comes last.
fn read_notes(
    data: &Data,
    evidence: &mut Evidence,
) -> Result<Vec<(FoundNote, Checkpoint)>, LoadError> {
    let mut notes = Vec::new();
    let mut keep = |path: &Path, bytes: Vec<u8>, defects: &mut Vec<Defect>| {
        let note = SignedNote::parse(&bytes).map_err(|error| error.to_string());
        match note.and_then(|note| note.checkpoint().map_err(|error| error.to_string())) {
            Ok(checkpoint) => {
                let found_in = path.display().to_string();
                notes.push((FoundNote { bytes, found_in }, checkpoint));
            }
            Err(detail) => defects.push(flaw(DefectKind::BadProof, path, detail)),
        }
    };
    let published = data.checkpoint();
    let newest = if published.is_file() { Some(read_file(&published)?) } else { None };
    let path = data.checkpoints();
    let history = if path.is_file() { read_file(&path)? } else { Vec::new() };
    for piece in frame::scan(&history) {
        match piece {
            frame::Piece::Record { content, .. } => {
                keep(&path, content.to_vec(), &mut evidence.defects);
            }
            frame::Piece::Damaged { at, end } => {
                let detail = format!("bytes {at} to {end} are damaged");
                evidence.defects.push(flaw(DefectKind::BadProof, &path, detail));
            }
            // A crash while appending: the checkpoint itself is in its own file.
            frame::Piece::Torn { .. } => {}
        }
    }
    if newest.is_some() && history.is_empty() {
        let detail = "the history of checkpoints is missing: entry times rest on it".to_owned();
        let defect = flaw(DefectKind::Withheld, &path, detail);
        evidence.defects.push(Defect { remedy: Some(LOST_HISTORY), ..defect });
    }
    match newest {
        Some(newest) => keep(&published, newest, &mut evidence.defects),
        None if !history.is_empty() => {
            let detail = "it is missing; the history of checkpoints is here".to_owned();
            evidence.defects.push(flaw(DefectKind::Withheld, &published, detail));
        }
        None => {}
    }
    Ok(notes)
}

/// Reads what there is of the tiles of a log that is said to have `size` entries.
fn read_tiles(
    data: &Data,
    size: u64,
    log: &mut LogEvidence,
    evidence: &mut Evidence,
    watch: &dyn Watch,
) -> Result<(), LoadError> {
    // What a size says is not believed: the files bound it.
    let size = size.min(entries_max(&data.log().join("tile").join("entries")));
    let paths = tile::tiles_of_growth(0, size);
    let counter = Counter::new(watch, Stage::Tiles, paths.len());
    for path in paths {
        counter.one();
        let Some((file, width)) = read_tile(data, path)? else {
            // The proof finds what is missing: only it knows which size is signed.
            continue;
        };
        for earlier in unlike(data, path, &file, width)? {
            log.unlike.push((path, earlier));
        }
        match path {
            TilePath::Hashes { level, index, .. } => {
                let path = TilePath::Hashes { level, index, width };
                log.tiles.insert(path.to_string(), file);
            }
            TilePath::Entries { index, .. } => match entries(&file, width) {
                Ok(entries) => {
                    log.entries.insert(index * u64::from(TILE_WIDTH), entries);
                }
                Err(detail) => {
                    let path = TilePath::Entries { index, width };
                    let file = data.tile(&path.to_string());
                    evidence.defects.push(flaw(DefectKind::BadProof, &file, detail));
                }
            },
        }
    }
    Ok(())
}

/// Most entries that the bundles in a folder can hold.
fn entries_max(folder: &Path) -> u64 {
    let mut count = 0_u64;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let is_part = entry.path().extension().is_some_and(|extension| extension == "p");
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !is_part => folders.push(entry.path()),
                _ => count += 1,
            }
        }
    }
    // A lost bundle leaves a hole and takes one from the count: as many again may be missing.
    count.saturating_mul(2).saturating_add(1).saturating_mul(u64::from(TILE_WIDTH))
}

/// The entries of a bundle's file, of which the tree has `width`.
pub(super) fn entries(file: &[u8], width: u16) -> Result<Vec<Entry>, String> {
    let parsed = tile::parse_entries(file).map_err(|error| error.to_string())?;
    let width = usize::from(width);
    if parsed.len() < width {
        return Err(format!("{} entries where the tree has {width}", parsed.len()));
    }
    let entries = parsed[..width].iter().enumerate().map(|(at, entry)| {
        Entry::parse(entry).map_err(|error| format!("entry {at} of the bundle: {error}"))
    });
    entries.collect()
}

/// The file of a tile, or of a wider one that holds it (a running log grows), or of the widest
/// narrower one, with how wide it is.
fn read_tile(data: &Data, path: TilePath) -> Result<Option<(Vec<u8>, u16)>, LoadError> {
    let exact = data.tile(&path.to_string());
    let full = data.tile(&path.full().to_string());
    let width = path.width();
    let (file, found) = if exact.is_file() {
        (exact, width)
    } else if full.is_file() {
        (full, TILE_WIDTH)
    } else {
        let parts = full.with_added_extension("p");
        match part(&parts, width) {
            Some(found) => (parts.join(found.to_string()), found),
            None => return Ok(None),
        }
    };
    let mut bytes = read_file(&file)?;
    let width = width.min(found);
    if let TilePath::Hashes { .. } = path {
        bytes.truncate(usize::from(width) * 32);
    }
    Ok(Some((bytes, width)))
}

/// Of the partial tiles in a folder the narrowest that is wider, else the widest.
fn part(parts: &Path, width: u16) -> Option<u16> {
    let widths = widths(parts);
    let wider = widths.iter().copied().filter(|found| width < *found).min();
    wider.or_else(|| widths.into_iter().max())
}

/// How wide the partial tiles in a folder are.
fn widths(parts: &Path) -> BTreeSet<u16> {
    let name = |entry: io::Result<fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    let names = fs::read_dir(parts).into_iter().flatten().filter_map(name);
    names.filter(|width| (1..TILE_WIDTH).contains(width)).collect()
}

/// The files of a tile as it was published when it was narrower that do not begin this one.
fn unlike(data: &Data, path: TilePath, file: &[u8], width: u16) -> Result<Vec<PathBuf>, LoadError> {
    let parts = data.tile(&path.full().to_string()).with_added_extension("p");
    let mut unlike = Vec::new();
    for earlier in widths(&parts).into_iter().filter(|earlier| *earlier < width) {
        let part = parts.join(earlier.to_string());
        // The node removes them once the full tile is there.
        if !part.is_file() {
            continue;
        }
        let bytes = read_file(&part)?;
        let width = usize::from(earlier);
        let is_so_wide = match path {
            TilePath::Hashes { .. } => bytes.len() == width * 32,
            TilePath::Entries { .. } => {
                tile::parse_entries(&bytes).is_ok_and(|entries| entries.len() == width)
            }
        };
        if !is_so_wide || !file.starts_with(&bytes) {
            unlike.push(part);
        }
    }
    Ok(unlike)
}

fn read_packs(data: &Data, evidence: &mut Evidence, watch: &dyn Watch) -> Result<(), LoadError> {
    let folder = data.packs();
    if !folder.is_dir() {
        return Ok(());
    }
    let mut paths = sorted_paths(&folder)?;
    let name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    paths.retain(|path| name(path).is_some_and(|name| Data::pack_number(&name).is_some()));
    let length = |path: &PathBuf| fs::metadata(path).map_or(0, |about| about.len());
    let (of, mut done) = (paths.iter().map(length).sum(), 0);
    for path in &paths {
        read_pack(path, evidence)?;
        done += length(path);
        watch.tell(Stage::Packs, done.min(of), of);
    }
    Ok(())
}

/// The sizes of trees whose checkpoints were lost, as whoever made the log whole again wrote down.
fn read_restored(data: &Data, evidence: &mut Evidence) -> Result<Vec<Range<u64>>, LoadError> {
    let path = data.restored();
    if !path.is_file() {
        return Ok(Vec::new());
    }
    let bytes = read_file(&path)?;
    let ranges = restored::parse(&bytes);
    if ranges.is_none() {
        let detail = "it does not say which checkpoints were lost".to_owned();
        evidence.defects.push(flaw(DefectKind::Damaged, &path, detail));
    }
    Ok(ranges.unwrap_or_default())
}

fn read_pack(path: &Path, evidence: &mut Evidence) -> Result<(), LoadError> {
    let segment = read_file(path)?;
    let open = File::open(path).map_err(|source| LoadError::io(path, source))?;
    let file = evidence.bodies.add_file(open);
    for piece in pack::scan(&segment) {
        match piece {
            pack::Piece::Record(record) if record.erased => evidence.bodies.add_erased(record.id),
            pack::Piece::Record(record) => {
                evidence.erasing.extend(erased_by(record.body));
                let offset = (record.at + pack::HEAD_BYTES) as u64;
                evidence.bodies.add_in_file(record.id, file, offset, record.body.len());
            }
            pack::Piece::Damaged { at, end } => {
                let detail = format!("bytes {at} to {end} are damaged");
                evidence.defects.push(flaw(DefectKind::BadBody, path, detail));
            }
            pack::Piece::Torn { at } => {
                evidence.torn.push(format!("{} from byte {at}", path.display()));
            }
        }
    }
    Ok(())
}

/// The content type of an `erasure`.
const ERASURE: &[u8] = b"application/vnd.hallmark.erasure+cbor";
/// So far into a body its content type ends.
const CONTENT_TYPE_WITHIN_BYTES: usize = 96;

/// Whether the head of a body names this content type; none that is another does.
pub(super) fn is_of_type(body: &[u8], content_type: &[u8]) -> bool {
    let head = &body[..body.len().min(CONTENT_TYPE_WITHIN_BYTES)];
    head.windows(content_type.len()).any(|window| window == content_type)
}

/// What a body erases, if it is an `erasure`: few are, so few are parsed.
pub(super) fn erased_by(body: &[u8]) -> Option<ContentId> {
    if !is_of_type(body, ERASURE) {
        return None;
    }
    match Envelope::parse(body).ok()?.body() {
        Body::Erasure(erasure) => Some(erasure.erased),
        _ => None,
    }
}

/// A defect of a file, not yet of anything it says.
pub(super) fn flaw(kind: DefectKind, path: &Path, detail: String) -> Defect {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let detail = format!("{}: {detail}", path.display());
    Defect {
        log: None,
        entry: None,
        kind,
        subject: name,
        cites: Vec::new(),
        detail,
        at: None,
        remedy: None,
        proof: None,
        step: kind.step(),
    }
}

/// The paths in a folder, in the order of their names.
pub fn sorted_paths(folder: &Path) -> Result<Vec<PathBuf>, LoadError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let mut paths = list().map_err(|source| LoadError::io(folder, source))?;
    paths.sort();
    Ok(paths)
}

pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, LoadError> {
    let fail = |source| LoadError::io(path, source);
    let bytes = fs::metadata(path).map_err(fail)?.len();
    if FILE_BYTES_MAX < bytes {
        return Err(LoadError::TooLong { path: path.to_owned(), bytes, limit: FILE_BYTES_MAX });
    }
    fs::read(path).map_err(fail)
}
