//! Bodies in append-only segments, many of them durable by one sync.
//!
//! Invariants: an acknowledged body is in a synced record; a place once given never changes; what
//! a crash left at the end is cut off, what a fault left in the middle is kept, counted and told.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::pack::{self, PackPosition, Piece};

use super::StoreError;
use super::disk::{Disk, OnPath};
use super::tail::Tail;

/// A segment is closed at this size: read whole in a tenth of a second, copied in a few.
pub const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// Where a body lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PackPlace {
    /// Number of the segment.
    pub segment: u32,
    /// Bytes from its start to the record.
    pub offset: u64,
    /// Bytes of the body.
    pub length: u32,
}

impl PackPlace {
    /// After the record.
    pub fn end(&self) -> PackPosition {
        let record = pack::HEAD_BYTES as u64 + u64::from(self.length);
        PackPosition { segment: self.segment, offset: self.offset + record }
    }
}

/// Bytes of a segment that hold no record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Damage {
    /// The segment, or the copy of its cut end.
    pub path: PathBuf,
    /// Offset in the segment.
    pub at: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Whether they were an unfinished end, which a crash leaves and nobody was promised.
    pub torn: bool,
}

/// A record that a scan came to.
pub struct ScannedBody<'a> {
    /// Where it lies.
    pub place: PackPlace,
    /// The id it was stored under; the bytes have this id unless erased.
    pub id: ContentId,
    /// The stored bytes; none if erased.
    pub body: Option<&'a [u8]>,
}

/// Most records that are remembered as damaged; beyond it a node has other worries.
const MET_MAX: usize = 4096;

/// Reads bodies; any number of these beside the one [`Packs`].
#[derive(Clone)]
pub struct PackReader {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// Records that were damaged when they were last read. Readers add and remove.
    met: Arc<Mutex<BTreeSet<(PathBuf, u64)>>>,
}

impl PackReader {
    /// Over the segments in `dir`.
    pub fn new(disk: Arc<dyn Disk>, dir: &Path) -> PackReader {
        PackReader { disk, dir: dir.to_path_buf(), met: Arc::default() }
    }

    /// Records that were lost or damaged when they were last read: file and offset.
    pub fn met(&self) -> BTreeSet<(PathBuf, u64)> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The body with this id at this place; `None` if it was erased. A record that is damaged is
    /// remembered until it is read well again.
    pub fn read(&self, place: PackPlace, id: &ContentId) -> Result<Option<Vec<u8>>, StoreError> {
        let read = self.look(place, id);
        let is_damaged = matches!(read, Err(StoreError::Damaged { .. }));
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if is_damaged && met.len() < MET_MAX {
            met.insert((segment_path(&self.dir, place.segment), place.offset));
        } else if read.is_ok() && !met.is_empty() {
            met.remove(&(segment_path(&self.dir, place.segment), place.offset));
        }
        read
    }

    /// The same, for one that asks whether the place is right: nothing is remembered.
    pub(crate) fn look(
        &self,
        place: PackPlace,
        id: &ContentId,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let path = segment_path(&self.dir, place.segment);
        let length = pack::HEAD_BYTES + place.length as usize;
        let mut bytes = match self.disk.read_at(&path, place.offset, length) {
            Err(e)
                if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) =>
            {
                let reason = format!("the record at {} is lost", place.offset);
                return Err(StoreError::damaged(&path, reason));
            }
            read => read.on("read", &path)?,
        };
        match pack::record_at(&bytes, 0) {
            Some(record) if record.erased && record.id == *id => Ok(None),
            Some(record) if ContentId::of(record.body) == *id => {
                bytes.drain(..pack::HEAD_BYTES);
                Ok(Some(bytes))
            }
            _ => {
                let reason = format!("the record at {} is not {id}", place.offset);
                Err(StoreError::damaged(&path, reason))
            }
        }
    }

    /// The SHA-256 of whatever lies where this body should, as an id; `None` if nothing does.
    pub fn held(&self, place: PackPlace) -> Result<Option<ContentId>, StoreError> {
        let path = segment_path(&self.dir, place.segment);
        let begin = place.offset + pack::HEAD_BYTES as u64;
        match self.disk.read_at(&path, begin, place.length as usize) {
            Err(e)
                if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) =>
            {
                Ok(None)
            }
            read => Ok(Some(ContentId::of(&read.on("read", &path)?))),
        }
    }

    /// The end of the last segment, unfinished records included.
    pub fn end(&self) -> Result<PackPosition, StoreError> {
        let Some(segment) = segments(&*self.disk, &self.dir)?.last().copied() else {
            return Ok(PackPosition::default());
        };
        let path = segment_path(&self.dir, segment);
        let bytes = self.disk.read(&path).on("read", &path)?.unwrap_or_default();
        Ok(PackPosition { segment, offset: bytes.len() as u64 })
    }

    /// Every record from `from` on, in order, and what is no record.
    ///
    /// `visit` gets bytes that have the id, nothing else.
    pub fn scan<E: From<StoreError>>(
        &self,
        from: PackPosition,
        mut visit: impl FnMut(ScannedBody<'_>) -> Result<(), E>,
    ) -> Result<Vec<Damage>, E> {
        let mut damage = Vec::new();
        for segment in segments(&*self.disk, &self.dir)? {
            if segment < from.segment {
                continue;
            }
            let path = segment_path(&self.dir, segment);
            let bytes = self.disk.read(&path).on("read", &path).map_err(StoreError::from)?;
            let bytes = bytes.unwrap_or_default();
            let start = if segment == from.segment { from.offset } else { 0 };
            let start = (start as usize).min(bytes.len());
            let hole = |at: usize, end: usize, torn| {
                let (at, bytes) = ((start + at) as u64, (end - at) as u64);
                Damage { path: path.clone(), at, bytes, torn }
            };
            for piece in pack::scan(&bytes[start..]) {
                match piece {
                    Piece::Damaged { at, end } => damage.push(hole(at, end, false)),
                    Piece::Torn { at } => damage.push(hole(at, bytes.len() - start, true)),
                    Piece::Record(record) => {
                        if !record.erased && ContentId::of(record.body) != record.id {
                            damage.push(hole(record.at, record.end(), false));
                            continue;
                        }
                        let place = PackPlace {
                            segment,
                            offset: (start + record.at) as u64,
                            length: record.body.len() as u32,
                        };
                        let body = (!record.erased).then_some(record.body);
                        visit(ScannedBody { place, id: record.id, body })?;
                    }
                }
            }
        }
        Ok(damage)
    }
}

/// Appends bodies. There is one of these for the packs of a log.
pub struct Packs {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment: u32,
    tail: Tail,
    /// Records that the next commit writes.
    buffer: Vec<u8>,
}

impl Packs {
    /// Opens the packs in `dir` for appending, after cutting off what a crash left at the end.
    ///
    /// Nothing is appended before `floor`, up to where every record is in the log: a body there
    /// would count as logged. What lies after `synced` is written again: a sync of it may have
    /// failed before this start, and a second sync would not tell.
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        floor: PackPosition,
        synced: PackPosition,
    ) -> Result<(Packs, Vec<Damage>), StoreError> {
        disk.create_dir_all(dir).on("make", dir)?;
        let mut segment = segments(&*disk, dir)?.last().copied().unwrap_or(0);
        let path = segment_path(dir, segment);
        let bytes = disk.read(&path).on("read", &path)?.unwrap_or_default();
        let mut durable = bytes.len() as u64;
        let mut damage = Vec::new();
        let mut holed = false;
        for piece in pack::scan(&bytes) {
            match piece {
                Piece::Record(_) => {}
                Piece::Damaged { at, end } => {
                    holed = true;
                    let (at, bytes) = (at as u64, (end - at) as u64);
                    damage.push(Damage { path: path.clone(), at, bytes, torn: false });
                }
                Piece::Torn { at } => {
                    damage.push(cut(&*disk, &path, &bytes, at)?);
                    durable = at as u64;
                }
            }
        }
        let from = if synced.segment == segment { synced.offset } else { 0 };
        if from < durable && synced.segment <= segment {
            disk.rewrite(&path, from).on("rewrite", &path)?;
        }
        if holed || (PackPosition { segment, offset: durable }) < floor {
            // The damaged segment stays as it is, for the repair from peers.
            (segment, durable) = (segment + 1, 0);
        }
        let tail = Tail::open(disk.clone(), &segment_path(dir, segment), durable)?;
        let dir = dir.to_path_buf();
        Ok((Packs { disk, dir, segment, tail, buffer: Vec::new() }, damage))
    }

    /// Takes a body for the next commit and says where it will lie.
    pub fn append(&mut self, id: &ContentId, body: &[u8]) -> Result<PackPlace, StoreError> {
        let record = (pack::HEAD_BYTES + body.len()) as u64;
        if self.buffer.is_empty() && self.is_cut()? {
            // What would be appended to it would lie elsewhere than is said.
            tracing::error!(path = %self.path().display(), "this pack was cut short or removed");
            self.roll()?;
        }
        let offset = self.tail.durable() + self.buffer.len() as u64;
        if 0 < offset && SEGMENT_BYTES_MAX < offset + record {
            self.commit()?;
            self.roll()?;
        }
        let offset = self.tail.durable() + self.buffer.len() as u64;
        pack::append(&mut self.buffer, id, body);
        Ok(PackPlace { segment: self.segment, offset, length: body.len() as u32 })
    }

    /// Returns once every appended body is durable. After an error nothing of what was appended
    /// since the last commit is here, and nothing more is taken unless that [`Tail`] can.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        let taken = self.tail.append(&self.buffer);
        self.buffer.clear();
        taken
    }

    /// The segment that is written.
    pub fn path(&self) -> PathBuf {
        segment_path(&self.dir, self.segment)
    }

    /// After the last durable record.
    pub fn end(&self) -> PackPosition {
        PackPosition { segment: self.segment, offset: self.tail.durable() }
    }

    /// Whether somebody else made the segment shorter, or removed it.
    fn is_cut(&self) -> Result<bool, StoreError> {
        let path = self.path();
        let length = self.disk.length(&path).on("look at", &path)?;
        Ok(length.is_none_or(|length| length < self.tail.durable()))
    }

    fn roll(&mut self) -> Result<(), StoreError> {
        let path = segment_path(&self.dir, self.segment + 1);
        self.tail = Tail::open(self.disk.clone(), &path, 0)?;
        self.segment += 1;
        Ok(())
    }
}

/// Cuts the end of a segment off at `at`.
///
/// An end with its whole length there may be a damaged record instead of an unfinished one, so
/// it is kept in a file beside the segment and not counted as torn.
fn cut(disk: &dyn Disk, path: &Path, bytes: &[u8], at: usize) -> Result<Damage, StoreError> {
    let end = &bytes[at..];
    let length = end.first_chunk::<4>().map(|length| u32::from_le_bytes(*length) as usize);
    let unfinished = length.is_none_or(|length| end.len() < pack::HEAD_BYTES + length);
    let zeros = end.iter().all(|byte| *byte == 0);
    let mut damage = Damage {
        path: path.to_path_buf(),
        at: at as u64,
        bytes: end.len() as u64,
        torn: unfinished || zeros,
    };
    if !damage.torn {
        damage.path = path.with_extension(format!("damaged-{at}"));
        disk.replace(&damage.path, end).on("write", &damage.path)?;
    }
    disk.truncate(path, at as u64).on("truncate", path)?;
    Ok(damage)
}

/// Numbers of the segments in a folder, ascending.
fn segments(disk: &dyn Disk, dir: &Path) -> Result<Vec<u32>, StoreError> {
    let names = disk.list(dir).on("list", dir)?;
    let numbers = names.iter().filter_map(|name| name.strip_suffix(".pack")?.parse().ok());
    Ok(numbers.collect())
}

fn segment_path(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:08}.pack"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sim::{SimDisk, Survives};

    fn body(number: u8, length: usize) -> (ContentId, Vec<u8>) {
        let bytes = vec![number; length];
        (ContentId::of(&bytes), bytes)
    }

    fn open(disk: &SimDisk) -> (Packs, Vec<Damage>) {
        let floor = PackPosition::default();
        Packs::open(Arc::new(disk.clone()), Path::new("/packs"), floor, floor).unwrap()
    }

    fn ids(disk: &SimDisk) -> (Vec<ContentId>, Vec<Damage>) {
        let mut ids = Vec::new();
        let reader = PackReader::new(Arc::new(disk.clone()), Path::new("/packs"));
        let damage = reader.scan(PackPosition::default(), |body| {
            ids.push(body.id);
            Ok::<_, StoreError>(())
        });
        (ids, damage.unwrap())
    }

    #[test]
    fn a_committed_body_survives_a_stop_at_every_step() {
        for survives in [Survives::Everything, Survives::Synced, Survives::HalfOfUnsynced] {
            for step in 0.. {
                let disk = SimDisk::default();
                disk.stop_at(step);
                let mut kept = Vec::new();
                let (any, floor) = (Arc::new(disk.clone()), PackPosition::default());
                let opened = Packs::open(any, Path::new("/packs"), floor, floor);
                if let Ok((mut packs, _)) = opened {
                    for number in 0..3 {
                        let (id, bytes) = body(number, 100);
                        packs.append(&id, &bytes).unwrap();
                        if packs.commit().is_err() {
                            assert!(packs.commit().is_err(), "poisoned");
                            break;
                        }
                        kept.push(id);
                    }
                }
                let disk_after = disk.after(survives);
                open(&disk_after);
                let (found, _) = ids(&disk_after);
                assert!(found.starts_with(&kept), "step {step}, {survives:?}");
                if !disk.stopped() {
                    break;
                }
            }
        }
    }

    #[test]
    fn every_prefix_of_the_last_record_is_cut_to_the_record_before() {
        let disk = SimDisk::default();
        let (mut packs, _) = open(&disk);
        let (first, second) = (body(1, 50), body(2, 60));
        for (id, bytes) in [&first, &second] {
            packs.append(id, bytes).unwrap();
        }
        packs.commit().unwrap();
        let path = Path::new("/packs/00000000.pack");
        let whole = disk.after(Survives::Everything);
        for cut in 0..60 + pack::HEAD_BYTES {
            let disk = whole.after(Survives::Everything);
            disk.corrupt(path, |bytes| bytes.truncate(50 + pack::HEAD_BYTES + cut));
            let (mut packs, damage) = open(&disk);
            assert_eq!(damage.len(), usize::from(0 < cut));
            assert_eq!(ids(&disk).0, [first.0]);
            packs.append(&second.0, &second.1).unwrap();
            packs.commit().unwrap();
            assert_eq!(ids(&disk).0, [first.0, second.0]);
        }
    }

    #[test]
    fn a_segment_that_is_cut_or_removed_under_the_writer_is_left_and_the_next_begun() {
        let removed = |disk: &SimDisk, path: &Path| disk.remove(path).unwrap();
        let cut = |disk: &SimDisk, path: &Path| disk.corrupt(path, |bytes| bytes.truncate(70));
        for change in [cut as fn(&SimDisk, &Path), removed] {
            let disk = SimDisk::default();
            let (mut packs, _) = open(&disk);
            let mut put = |(id, bytes): (ContentId, Vec<u8>)| {
                let place = packs.append(&id, &bytes).unwrap();
                packs.commit().unwrap();
                (place, id)
            };
            put(body(1, 60));
            assert_eq!(put(body(2, 60)).0.segment, 0);
            change(&disk, Path::new("/packs/00000000.pack"));
            let reader = PackReader::new(Arc::new(disk.clone()), Path::new("/packs"));
            for number in 3..5 {
                let (place, id) = put(body(number, 60));
                assert_eq!(place.segment, 1);
                assert_eq!(reader.read(place, &id).unwrap(), Some(vec![number; 60]));
            }
        }
    }

    #[test]
    fn each_flipped_bit_is_told_and_costs_no_other_record() {
        let all = [body(1, 20), body(2, 20), body(3, 20)];
        let disk = SimDisk::default();
        let (mut packs, _) = open(&disk);
        for (id, bytes) in &all {
            packs.append(id, bytes).unwrap();
        }
        packs.commit().unwrap();
        let whole = disk.after(Survives::Everything);
        for bit in 0..3 * 60 * 8 {
            let disk = whole.after(Survives::Everything);
            let path = Path::new("/packs/00000000.pack");
            disk.corrupt(path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let (mut packs, _) = open(&disk);
            let (found, _) = ids(&disk);
            let hit = bit / (60 * 8);
            // The mark of a tombstone is one bit: the record is then told as erased.
            let expected = all.iter().enumerate().filter(|(number, _)| *number != hit);
            for (_, (id, _)) in expected {
                assert!(found.contains(id), "bit {bit}");
            }
            let (id, bytes) = body(4, 20);
            let place = packs.append(&id, &bytes).unwrap();
            packs.commit().unwrap();
            let reader = PackReader::new(Arc::new(disk.clone()), Path::new("/packs"));
            assert_eq!(reader.read(place, &id).unwrap(), Some(bytes));
            if hit < 2 && !bit.is_multiple_of(60 * 8) {
                assert_eq!(ids(&disk).0.len() + ids(&disk).1.len(), 4, "bit {bit}");
            }
        }
    }
}
