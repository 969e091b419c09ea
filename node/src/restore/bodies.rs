//! The bodies of a log that is made whole: what the packs hold, what they lack, what is fetched.
//!
//! Invariants: a body is kept only if the log has its id and its bytes have that id; bytes of a
//! segment that are no record are set aside with the whole segment, never thrown away; a record
//! that no entry names was told *stored* and stays, to be logged by the next batches.

use std::collections::BTreeSet;
use std::sync::Arc;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::Head;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::erasure::Erasure;
use hallmark_schemas::layout::Data;
use hallmark_schemas::pack::{self, PackPosition, Piece};

use super::{Phase, RestoreError, Source, Told};
use crate::store::StoreError;
use crate::store::disk::{Disk, OnPath};
use crate::store::pack::{PackReader, Packs};
use crate::store::tiles::{TILE_WIDTH, Tiles};

/// Bodies asked for, and made durable, at once.
const BODIES_BATCH: usize = 256;
/// Most missing bodies that are listed: 5 MB of them. `check` lists the others.
pub(crate) const MISSING_MAX: usize = 65_536;

/// What became of the bodies.
pub(crate) struct Recovered {
    pub(crate) fetched: u64,
    /// At most [`MISSING_MAX`].
    pub(crate) missing: Vec<(u64, Entry)>,
    pub(crate) unlogged: u64,
    /// Every record before this place is in the log.
    pub(crate) consumed: PackPosition,
}

/// The first half of an id: 2^128 ids cannot be tried, and 10 M entries take 160 MB.
type Short = [u8; 16];

/// The ids of a log, and of which a record is held.
pub(crate) struct Ids {
    sorted: Vec<Short>,
    held: Vec<bool>,
}

impl Ids {
    /// Of the tree `tree`.
    pub(crate) fn of(tiles: &Tiles, tree: Head) -> Result<Ids, StoreError> {
        let mut sorted = Vec::with_capacity(tree.size.min(1 << 24) as usize);
        let mut from = 0;
        while from < tree.size {
            let to = tree.size.min(from + TILE_WIDTH);
            sorted.extend(tiles.entries(from..to, tree.size)?.iter().map(|entry| short(&entry.id)));
            from = to;
        }
        sorted.sort_unstable();
        sorted.dedup();
        let held = vec![false; sorted.len()];
        Ok(Ids { sorted, held })
    }

    /// Notes that the record of this id is held; false if the log has no such entry.
    pub(crate) fn hold(&mut self, id: &ContentId) -> bool {
        let found = self.sorted.binary_search(&short(id));
        if let Ok(at) = found {
            self.held[at] = true;
        }
        found.is_ok()
    }

    /// Whether the log has an entry of this id.
    pub(crate) fn has(&self, id: &ContentId) -> bool {
        self.sorted.binary_search(&short(id)).is_ok()
    }

    /// Whether the record of this id, which the log has, is held.
    pub(crate) fn holds(&self, id: &ContentId) -> bool {
        self.sorted.binary_search(&short(id)).is_ok_and(|at| self.held[at])
    }
}

fn short(id: &ContentId) -> Short {
    id.bytes()[..16].try_into().expect("an id has 32 bytes")
}

/// Fetches the bodies of `tree` that the packs lack.
pub(crate) fn recover(
    disk: &Arc<dyn Disk>,
    data: &Data,
    tiles: &Tiles,
    (origin, tree): (&str, Head),
    source: &mut dyn Source,
    told: &mut Told<'_>,
) -> Result<Recovered, RestoreError> {
    set_holes_aside(&**disk, data)?;
    let mut ids = Ids::of(tiles, tree)?;
    let (mut unlogged, mut first) = (0, None);
    let start = PackPosition::default();
    let (mut packs, _) = Packs::open(disk.clone(), &data.packs(), start, start)?;
    PackReader::new(disk.clone(), &data.packs()).scan(start, |scanned| {
        if !ids.hold(&scanned.id) && scanned.body.is_some() {
            unlogged += 1;
            let (segment, offset) = (scanned.place.segment, scanned.place.offset);
            first.get_or_insert(PackPosition { segment, offset });
        }
        Ok::<_, RestoreError>(())
    })?;
    let (mut fetched, mut missing) = (0, Vec::new());
    let mut wanted: Vec<(u64, Entry)> = Vec::new();
    let mut cursor = tiles.cursor(tree.size);
    for index in 0..tree.size {
        let entry = cursor.get(index)?.filter(|entry| !ids.holds(&entry.id));
        wanted.extend(entry.map(|entry| (index, entry)));
        if BODIES_BATCH <= wanted.len() || index + 1 == tree.size {
            let lacking = fetch(&mut packs, &mut ids, source, std::mem::take(&mut wanted))?;
            fetched += lacking.0;
            let room = MISSING_MAX - missing.len();
            missing.extend(lacking.1.into_iter().take(room));
        }
        if index % TILE_WIDTH == 0 || index + 1 == tree.size {
            told(Phase::Bodies, index + 1, tree.size);
        }
    }
    let consumed = first.unwrap_or(packs.end());
    if !missing.is_empty() {
        let erased = erased(disk, data, origin)?;
        missing.retain(|(_, entry)| !erased.contains(&entry.id));
    }
    Ok(Recovered { fetched, missing, unlogged, consumed })
}

/// The records that erasures among the bodies name: nobody has those any more.
fn erased(
    disk: &Arc<dyn Disk>,
    data: &Data,
    origin: &str,
) -> Result<BTreeSet<ContentId>, RestoreError> {
    let mut erased = BTreeSet::new();
    PackReader::new(disk.clone(), &data.packs()).scan(PackPosition::default(), |scanned| {
        if let Some(Ok(envelope)) = scanned.body.map(Envelope::parse)
            && let Body::Erasure(body) = envelope.body()
            && Erasure::is_of(envelope.claims(), origin)
        {
            erased.insert(body.erased);
        }
        Ok::<_, RestoreError>(())
    })?;
    Ok(erased)
}

/// Asks one after another for what is wanted; how many came, and what nobody gave.
fn fetch(
    packs: &mut Packs,
    ids: &mut Ids,
    source: &mut dyn Source,
    mut wanted: Vec<(u64, Entry)>,
) -> Result<(u64, Vec<(u64, Entry)>), RestoreError> {
    let mut fetched = 0;
    for giver in 0..source.givers() {
        if wanted.is_empty() {
            break;
        }
        let asked: Vec<ContentId> = wanted.iter().map(|(_, entry)| entry.id).collect();
        for (id, body) in asked.iter().zip(source.bodies(giver, &asked)) {
            let body = body.filter(|body| ContentId::of(body) == *id && !ids.holds(id));
            if let Some(body) = body {
                packs.append(id, &body)?;
                ids.hold(id);
                fetched += 1;
            }
        }
        packs.commit()?;
        wanted.retain(|(_, entry)| !ids.holds(&entry.id));
    }
    Ok((fetched, wanted))
}

/// Writes each segment that has damaged bytes anew without them; the damaged one is kept beside.
fn set_holes_aside(disk: &dyn Disk, data: &Data) -> Result<(), RestoreError> {
    let folder = data.packs();
    for name in disk.list(&folder).on("list", &folder)? {
        let Some(number) = Data::pack_number(&name) else {
            continue;
        };
        let path = data.pack(number);
        let bytes = disk.read(&path).on("read", &path)?.unwrap_or_default();
        let is_whole =
            |record: &pack::Record<'_>| record.erased || ContentId::of(record.body) == record.id;
        let mut kept = Vec::new();
        let mut is_holed = false;
        for piece in pack::scan(&bytes) {
            match piece {
                Piece::Record(record) if is_whole(&record) => {
                    kept.extend_from_slice(&bytes[record.at..record.end()]);
                }
                Piece::Record(_) | Piece::Damaged { .. } => is_holed = true,
                // A crash leaves it; whoever opens the packs cuts it off.
                Piece::Torn { at } => kept.extend_from_slice(&bytes[at..]),
            }
        }
        if is_holed {
            let aside = data.damaged();
            disk.create_dir_all(&aside).on("make", &aside)?;
            let aside = aside.join(&name);
            disk.replace(&aside, &bytes).on("write", &aside)?;
            disk.replace(&path, &kept).on("write", &path)?;
        }
    }
    Ok(())
}
