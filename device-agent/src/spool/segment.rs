//! One segment file of the spool: its name, its frames, and what reading it back finds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::frame::{self, Piece};

use super::{Chain, Class, Mark, Place, Segment, SpoolError, disk, sync_dir};

/// First byte of a frame's content.
const HEAD: u8 = b'h';
const SCAN: u8 = b's';
const BATCH: u8 = b'b';
const MARK: u8 = b'm';

/// The first frame of a segment: where the device's chain stood when it was begun.
fn encode_head(chain: Chain) -> Vec<u8> {
    let mut content = vec![HEAD];
    content.extend(chain.boot.to_be_bytes());
    if let Some((sequence, id)) = chain.last {
        content.extend(sequence.to_be_bytes());
        content.extend(id.bytes());
    }
    content
}

fn parse_head(content: &[u8]) -> Option<Chain> {
    let (boot, rest) = content.strip_prefix(&[HEAD])?.split_first_chunk::<8>()?;
    let last = match rest.split_first_chunk::<8>() {
        None => None,
        Some((sequence, id)) => {
            Some((u64::from_be_bytes(*sequence), ContentId::from_bytes(id.try_into().ok()?)))
        }
    };
    Some(Chain { boot: u64::from_be_bytes(*boot), last })
}

/// Appends the frame of a mark; returns its length.
pub(super) fn append_mark(file: &mut Vec<u8>, mark: Mark) -> u32 {
    let before = file.len();
    let rows = mark.rows.to_be_bytes();
    frame::append(file, &[&[MARK], mark.file.bytes().as_slice(), &rows].concat());
    u32::try_from(file.len() - before).expect("a mark is 49 bytes")
}

fn parse_mark(content: &[u8]) -> Option<Mark> {
    let (file, rows) = content.strip_prefix(&[MARK])?.split_first_chunk::<32>()?;
    let rows = u64::from_be_bytes(rows.try_into().ok()?);
    Some(Mark { file: ContentId::from_bytes(*file), rows })
}

/// A frame that holds an attestation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'a> {
    pub(super) class: Class,
    pub(super) body: &'a [u8],
}

impl Entry<'_> {
    pub(super) fn parse(content: &[u8]) -> Option<Entry<'_>> {
        let (tag, rest) = content.split_first()?;
        let (sequence, body) = rest.split_first_chunk::<8>()?;
        let sequence = u64::from_be_bytes(*sequence);
        match *tag {
            SCAN => Some(Entry { class: Class::Scan, body }),
            BATCH => Some(Entry { class: Class::Batch { sequence }, body }),
            _ => None,
        }
    }
}

/// Bytes on disk of an entry whose attestation has `body_bytes`.
pub(super) fn entry_bytes(body_bytes: usize) -> u64 {
    (frame::HEAD_BYTES + 9 + body_bytes) as u64
}

/// Appends an entry's frame; returns its length.
pub(super) fn append(file: &mut Vec<u8>, class: Class, body: &[u8]) -> u32 {
    let before = file.len();
    let (tag, sequence) = match class {
        Class::Scan => (SCAN, 0),
        Class::Batch { sequence } => (BATCH, sequence),
    };
    let mut content = Vec::with_capacity(body.len() + 9);
    content.push(tag);
    content.extend(sequence.to_be_bytes());
    content.extend(body);
    frame::append(file, &content);
    u32::try_from(file.len() - before).expect("a frame is at most 2 MiB")
}

pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.seg"))
}

pub(super) fn released_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.rel"))
}

/// Numbers of the segments, oldest first.
pub(super) fn list(dir: &Path) -> Result<Vec<u64>, SpoolError> {
    let mut numbers = Vec::new();
    for file in std::fs::read_dir(dir).map_err(disk("read", dir))? {
        let name = file.map_err(disk("read", dir))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".seg"));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// Makes a durable segment that holds its head and the marks so far; returns it with its length.
pub(super) fn create(
    dir: &Path,
    number: u64,
    chain: Chain,
    marks: &[Mark],
) -> Result<(File, u64), SpoolError> {
    let path = path(dir, number);
    let mut bytes = Vec::new();
    frame::append(&mut bytes, &encode_head(chain));
    for mark in marks {
        append_mark(&mut bytes, *mark);
    }
    let mut file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(&path)
        .map_err(disk("create", &path))?;
    file.write_all(&bytes).map_err(disk("write", &path))?;
    file.sync_all().map_err(disk("sync", &path))?;
    sync_dir(dir)?;
    Ok((file, bytes.len() as u64))
}

pub(super) fn open_append(path: &Path) -> Result<File, SpoolError> {
    OpenOptions::new().append(true).create(true).open(path).map_err(disk("open", path))
}

/// Removes a segment whose entries are all released.
pub(super) fn remove(dir: &Path, number: u64) -> Result<(), SpoolError> {
    let path = path(dir, number);
    std::fs::remove_file(&path).map_err(disk("remove", &path))?;
    let released = released_path(dir, number);
    match std::fs::remove_file(&released) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(disk("remove", &released)(error))
        }
        _ => Ok(()),
    }
}

/// Replaces a segment by one with the same head and only these entries; returns its length and
/// where each entry starts.
pub(super) fn rewrite(
    dir: &Path,
    number: u64,
    entries: &[(Class, Vec<u8>)],
) -> Result<(u64, Vec<u64>), SpoolError> {
    let path = path(dir, number);
    let old = std::fs::read(&path).map_err(disk("read", &path))?;
    let mut bytes = Vec::new();
    if let Some(Piece::Record { content, .. }) = frame::scan(&old).next() {
        frame::append(&mut bytes, content);
    }
    let mut offsets = Vec::with_capacity(entries.len());
    for (class, body) in entries {
        offsets.push(bytes.len() as u64);
        append(&mut bytes, *class, body);
    }
    let new = path.with_extension("new");
    let mut file = File::create(&new).map_err(disk("create", &new))?;
    file.write_all(&bytes).map_err(disk("write", &new))?;
    file.sync_all().map_err(disk("sync", &new))?;
    std::fs::rename(&new, &path).map_err(disk("rename", &new))?;
    sync_dir(dir)?;
    Ok((bytes.len() as u64, offsets))
}

/// What reading all segments back gave.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) pending: BTreeMap<u64, Place>,
    pub(super) ordinals: HashMap<ContentId, u64>,
    pub(super) next_ordinal: u64,
    pub(super) segments: BTreeMap<u64, Segment>,
    pub(super) chain: Chain,
    pub(super) marks: Vec<Mark>,
    pub(super) damaged: Vec<PathBuf>,
}

impl Found {
    /// Reads one segment: cuts a torn tail off, copies a damaged file aside, keeps what is whole.
    pub(super) fn read(&mut self, dir: &Path, number: u64) -> Result<(), SpoolError> {
        let path = path(dir, number);
        let bytes = std::fs::read(&path).map_err(disk("read", &path))?;
        let done = released(&released_path(dir, number))?;
        let mut segment = Segment { bytes: bytes.len() as u64, pending: 0 };
        let mut damaged = false;
        for piece in frame::scan(&bytes) {
            match piece {
                Piece::Record { at, content } => {
                    let length = frame::HEAD_BYTES + content.len();
                    segment.pending += usize::from(self.keep(number, at, length, content, &done));
                }
                Piece::Damaged { .. } => damaged = true,
                Piece::Torn { at } => {
                    let file = OpenOptions::new().write(true).open(&path);
                    let cut = file
                        .and_then(|file| file.set_len(at as u64).and_then(|()| file.sync_all()));
                    cut.map_err(disk("truncate", &path))?;
                    segment.bytes = at as u64;
                }
            }
        }
        if damaged {
            let aside = path.with_extension("damaged");
            std::fs::copy(&path, &aside).map_err(disk("copy", &path))?;
            self.damaged.push(aside);
        }
        self.segments.insert(number, segment);
        Ok(())
    }

    fn keep(
        &mut self,
        number: u64,
        at: usize,
        length: usize,
        content: &[u8],
        done: &HashSet<ContentId>,
    ) -> bool {
        if let Some(head) = parse_head(content) {
            self.chain.boot = self.chain.boot.max(head.boot);
            self.chain.last = head.last.or(self.chain.last);
            return false;
        }
        if let Some(mark) = parse_mark(content) {
            Mark::keep(&mut self.marks, mark);
            return false;
        }
        let Some(entry) = Entry::parse(content) else {
            return false;
        };
        let id = ContentId::of(entry.body);
        if let Class::Batch { sequence } = entry.class {
            self.chain.last = Some((sequence, id));
        }
        if done.contains(&id) || self.ordinals.contains_key(&id) {
            return false;
        }
        let length = u32::try_from(length).expect("a frame is at most 2 MiB");
        let place = Place { id, segment: number, at: at as u64, length, class: entry.class };
        self.ordinals.insert(id, self.next_ordinal);
        self.pending.insert(self.next_ordinal, place);
        self.next_ordinal += 1;
        true
    }
}

pub(super) fn released(path: &Path) -> Result<HashSet<ContentId>, SpoolError> {
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        read => read.map_err(disk("read", path))?,
    };
    let ids = frame::scan(&bytes).filter_map(|piece| match piece {
        Piece::Record { content, .. } => content.try_into().ok().map(ContentId::from_bytes),
        _ => None,
    });
    Ok(ids.collect())
}
