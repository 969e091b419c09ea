//! The files of a node: its own log and those it follows.
//!
//! Invariants: nothing here is believed or refused, what cannot be read becomes a defect; bodies
//! stay in their packs; the checkpoint is read before the tiles, so that a running node's log is
//! never shorter than its checkpoint says.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use hallmark_schemas::entry::Entry;
use hallmark_schemas::frame;
use hallmark_schemas::layout::{Data, Dir};
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::pack;
use hallmark_schemas::tile::{self, TILE_WIDTH, TilePath};

use super::LoadError;
use crate::evidence::{Defect, DefectKind, Evidence, LogEvidence};

/// Longest file that is read whole: a pack segment; nodes start a new one far below.
const FILE_BYTES_MAX: u64 = 1 << 31;

/// What a folder given as input is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Folder {
    /// A node's DIR: network file and DATA.
    Dir(Dir, Data),
    /// A node's DATA alone.
    Data(Data),
    /// Evidence tables as Parquet.
    Lake(PathBuf),
}

/// Tells what a folder is; `None` if it is nothing of ours.
pub fn recognise(path: &Path) -> Option<Folder> {
    let dir = Dir::new(path);
    if dir.network().is_file() || dir.config().is_file() {
        let data = configured_data(&dir).unwrap_or_else(|| dir.data());
        return Some(Folder::Dir(dir, data));
    }
    let data = Data::new(path);
    if data.log().is_dir() || data.packs().is_dir() {
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

/// Reads the own log of DATA and those of its peers.
pub fn read_data(data: &Data, evidence: &mut Evidence) -> Result<(), LoadError> {
    read_log(data, true, evidence)?;
    let peers = data.peers();
    if peers.is_dir() {
        for path in sorted_paths(&peers)? {
            if path.is_dir() {
                read_log(&Data::new(path), false, evidence)?;
            }
        }
    }
    Ok(())
}

fn read_log(data: &Data, own: bool, evidence: &mut Evidence) -> Result<(), LoadError> {
    read_packs(data, evidence)?;
    let path = data.checkpoint();
    if !path.is_file() {
        if own && data.log().is_dir() && has_tiles(data) {
            let detail = "the log has tiles but no checkpoint".to_owned();
            evidence.defects.push(flaw(DefectKind::BadProof, &path, detail));
        }
        return Ok(());
    }
    let note = read_file(&path)?;
    let checkpoint = SignedNote::parse(&note)
        .map_err(|error| error.to_string())
        .and_then(|note| note.checkpoint().map_err(|error| error.to_string()));
    let checkpoint = match checkpoint {
        Ok(checkpoint) => checkpoint,
        Err(detail) => {
            evidence.defects.push(flaw(DefectKind::BadProof, &path, detail));
            return Ok(());
        }
    };
    let mut log = evidence.logs.remove(&checkpoint.origin).unwrap_or_default();
    log.whole |= own;
    read_history(data, &mut log, evidence)?;
    log.checkpoints.push(note);
    read_tiles(data, checkpoint.size, &mut log, evidence)?;
    evidence.logs.insert(checkpoint.origin, log);
    Ok(())
}

fn has_tiles(data: &Data) -> bool {
    data.log().join("tile").join("entries").is_dir()
}

/// Every checkpoint that was ever published: they date the entries.
fn read_history(
    data: &Data,
    log: &mut LogEvidence,
    evidence: &mut Evidence,
) -> Result<(), LoadError> {
    let path = data.checkpoints();
    if !path.is_file() {
        return Ok(());
    }
    let bytes = read_file(&path)?;
    for piece in frame::scan(&bytes) {
        match piece {
            frame::Piece::Record { content, .. } => log.checkpoints.push(content.to_vec()),
            frame::Piece::Damaged { at, end } => {
                let detail = format!("bytes {at} to {end} are damaged");
                evidence.defects.push(flaw(DefectKind::BadProof, &path, detail));
            }
            // A crash while appending: the checkpoint itself is in its own file.
            frame::Piece::Torn { .. } => {}
        }
    }
    Ok(())
}

fn read_tiles(
    data: &Data,
    size: u64,
    log: &mut LogEvidence,
    evidence: &mut Evidence,
) -> Result<(), LoadError> {
    for path in tile::tiles_of_growth(0, size) {
        let Some(file) = read_tile(data, path)? else {
            // Missing hashes can be recomputed; missing entries are found missing by the proof.
            continue;
        };
        match path {
            TilePath::Hashes { .. } => {
                log.tiles.insert(path.to_string(), file);
            }
            TilePath::Entries { index, width } => match entries(&file, width) {
                Ok(entries) => {
                    log.entries.insert(index * u64::from(TILE_WIDTH), entries);
                }
                Err(detail) => {
                    let file = data.tile(&path.to_string());
                    evidence.defects.push(flaw(DefectKind::BadProof, &file, detail));
                }
            },
        }
    }
    Ok(())
}

fn entries(file: &[u8], width: u16) -> Result<Vec<Entry>, String> {
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

/// The file of a tile, or of a wider one that holds it: a running log grows.
fn read_tile(data: &Data, path: TilePath) -> Result<Option<Vec<u8>>, LoadError> {
    let exact = data.tile(&path.to_string());
    if exact.is_file() {
        return read_file(&exact).map(Some);
    }
    let full = data.tile(&path.full().to_string());
    let wider = match full.is_file() {
        true => Some(full),
        false => wider_part(&exact, path.width()),
    };
    let Some(wider) = wider else {
        return Ok(None);
    };
    let mut file = read_file(&wider)?;
    if let TilePath::Hashes { width, .. } = path {
        file.truncate(usize::from(width) * 32);
    }
    Ok(Some(file))
}

fn wider_part(exact: &Path, width: u16) -> Option<PathBuf> {
    let parts = exact.parent()?;
    let widths = fs::read_dir(parts).ok()?.filter_map(|entry| {
        entry.ok()?.file_name().to_str()?.parse::<u16>().ok().filter(|wider| width < *wider)
    });
    Some(parts.join(widths.min()?.to_string()))
}

fn read_packs(data: &Data, evidence: &mut Evidence) -> Result<(), LoadError> {
    let folder = data.packs();
    if !folder.is_dir() {
        return Ok(());
    }
    for path in sorted_paths(&folder)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if Data::pack_number(name).is_some() {
            read_pack(&path, evidence)?;
        }
    }
    Ok(())
}

fn read_pack(path: &Path, evidence: &mut Evidence) -> Result<(), LoadError> {
    let segment = read_file(path)?;
    let open = File::open(path).map_err(|source| LoadError::io(path, source))?;
    let file = evidence.bodies.add_file(open);
    for piece in pack::scan(&segment) {
        match piece {
            pack::Piece::Record(record) if record.erased => evidence.bodies.add_erased(record.id),
            pack::Piece::Record(record) => {
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

/// A defect of a file, not yet of anything it says.
fn flaw(kind: DefectKind, path: &Path, detail: String) -> Defect {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let detail = format!("{}: {detail}", path.display());
    Defect { log: None, entry: None, kind, subject: name, cites: Vec::new(), detail, at: None }
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

fn read_file(path: &Path) -> Result<Vec<u8>, LoadError> {
    let fail = |source| LoadError::io(path, source);
    let bytes = fs::metadata(path).map_err(fail)?.len();
    if FILE_BYTES_MAX < bytes {
        return Err(LoadError::TooLong { path: path.to_owned(), bytes, limit: FILE_BYTES_MAX });
    }
    fs::read(path).map_err(fail)
}
