//! Bodies that are erased on purpose, so that no stop leaves one half erased or forgotten.
//!
//! The order, which no stop may change: the erasure is in the tree under a published checkpoint ->
//! what the index says of the record goes, durably -> its place is written down in DATA/erasing ->
//! the record becomes a tombstone -> evidence tables and findings go -> the index says that it is
//! done. Doing all of it again changes nothing. Invariants: only a record that has the id at its
//! place is written over; copies that were set aside as damaged go too.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::frame::{self, Piece};
use hallmark_schemas::layout::Data;
use hallmark_schemas::pack;
use hallmark_schemas::time::Timestamp;
use tokio::sync::watch;

use crate::index::erased::Erased;
use crate::index::goods::Naming;
use crate::index::{Batch, Catalogue, LogKey};
use crate::store::StoreError;
use crate::store::disk::{Disk, OnPath};
use crate::store::pack::{PackPlace, PackReader};

/// What quotes bodies and is made from them: evidence tables and findings of a node.
pub(crate) struct Derived {
    disk: Arc<dyn Disk>,
    data: Data,
    /// How often something was erased since the start. Whoever erases adds; whoever writes what is
    /// derived holds it meanwhile.
    count: Mutex<u64>,
    erased: watch::Sender<u64>,
}

impl Derived {
    /// Of the DATA of a node.
    pub(crate) fn new(disk: Arc<dyn Disk>, data: Data) -> Derived {
        Derived { disk, data, count: Mutex::new(0), erased: watch::Sender::new(0) }
    }

    /// Which evidence is read from now on.
    pub(crate) fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells when something was erased.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.erased.subscribe()
    }

    /// Writes what was made of evidence that was read at `count`; `None`, and nothing is written,
    /// if something was erased meanwhile.
    pub(crate) fn unless_erased<T>(&self, count: u64, write: impl FnOnce() -> T) -> Option<T> {
        let now = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        (*now == count).then(write)
    }

    /// Throws it all away: it is made again from what is left.
    fn forget(&self) -> Result<(), StoreError> {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count += 1;
        let (disk, lake) = (&self.disk, self.data.lake());
        disk.remove_dir_all(&lake).on("remove", &lake)?;
        for name in ["lake.json", "findings.json"] {
            let path = self.data.path().join(name);
            disk.remove(&path).on("remove", &path)?;
        }
        disk.sync_dir(self.data.path()).on("sync", self.data.path())?;
        self.erased.send_replace(*count);
        Ok(())
    }
}

/// The log in which something is erased.
pub(crate) struct Books<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) log: LogKey,
    pub(crate) packs: &'a PackReader,
    /// Natural identities and codes are known of the own log alone.
    pub(crate) is_own: bool,
}

/// Tells index and instant of a record in the tree, if it is there.
type Placed<'a> = dyn Fn(&ContentId) -> Result<Option<(u64, Timestamp)>, StoreError> + 'a;

/// Erases records of one log.
pub(crate) struct Eraser {
    disk: Arc<dyn Disk>,
    data: Data,
    derived: Arc<Derived>,
}

impl Eraser {
    /// For the log whose files are in `data`.
    pub(crate) fn new(disk: Arc<dyn Disk>, data: &Data, derived: Arc<Derived>) -> Eraser {
        Eraser { disk, data: data.clone(), derived }
    }

    /// Carries erasures out; `entry` tells place and instant of a record in the tree.
    pub(crate) fn carry_out(
        &self,
        books: &Books<'_>,
        due: &[Erased],
        entry: &Placed<'_>,
    ) -> Result<(), StoreError> {
        let Books { catalogue, log, packs, is_own } = *books;
        let mut changes = Batch::default();
        for Erased { target, .. } in due {
            let at = entry(target)?;
            if let Some((index, _)) = at {
                changes.remove_wanted(log, index);
            }
            let envelope = body(books, target)?.and_then(|body| Envelope::parse(&body).ok());
            let Some(envelope) = envelope else { continue };
            if let Some(at) = at {
                changes.forget_naming(log, at, target, &Naming::of(&envelope));
                changes.forget_said(log, at.0, &envelope.identity().key);
            }
            if is_own {
                changes.forget_own(catalogue, log, &envelope)?;
            }
        }
        catalogue.write(changes)?;
        // Without their bodies nobody could say any more what of the index they had brought.
        catalogue.purge()?;
        for Erased { target, .. } in due {
            if let Some(place) = catalogue.body(log, target)? {
                self.remove_aside(packs, place, target)?;
                self.write_over(place, target)?;
            }
        }
        self.derived.forget()?;
        let mut changes = Batch::default();
        for erased in due {
            changes.put_erased(log, &Erased { done: true, ..*erased });
            tracing::info!(id = %erased.target, by = %erased.erasure, "erased a body");
        }
        catalogue.write(changes)?;
        let path = self.data.erasing();
        Ok(self.disk.remove(&path).on("remove", &path)?)
    }

    fn write_over(&self, place: PackPlace, id: &ContentId) -> Result<(), StoreError> {
        let path = self.data.erasing();
        let mut bytes = Vec::new();
        frame::append(&mut bytes, &encode(place, id));
        self.disk.replace(&path, &bytes).on("write", &path)?;
        tombstone(&*self.disk, &self.data, place, id)
    }

    /// Removes the files that were set aside as damaged and hold the record too.
    fn remove_aside(
        &self,
        packs: &PackReader,
        place: PackPlace,
        id: &ContentId,
    ) -> Result<(), StoreError> {
        let body = packs.look(place, id).ok().flatten();
        for (folder, is_aside) in [(self.data.damaged(), true), (self.data.packs(), false)] {
            for name in self.disk.list(&folder).on("list", &folder)? {
                // Beside the packs in use lie pieces of them; what was set aside may be whole.
                let is_in_use = !is_aside && Data::pack_number(&name).is_some();
                if !name.contains(".pack") || is_in_use {
                    continue;
                }
                let path = folder.join(&name);
                let bytes = self.disk.read(&path).on("read", &path)?.unwrap_or_default();
                let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
                if has(id.bytes()) || body.as_ref().is_some_and(|body| has(body)) {
                    self.disk.remove(&path).on("remove", &path)?;
                    self.disk.sync_dir(&folder).on("sync", &folder)?;
                }
            }
        }
        Ok(())
    }
}

/// The body of a record; `None` if it is erased, damaged or not here.
fn body(books: &Books<'_>, id: &ContentId) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(place) = books.catalogue.body(books.log, id)? else {
        return Ok(None);
    };
    match books.packs.look(place, id) {
        Err(StoreError::Damaged { .. }) => Ok(None),
        read => read,
    }
}

/// Finishes the record that a stop left half written over, before anyone reads the packs.
pub(crate) fn finish(disk: &dyn Disk, data: &Data) -> Result<(), StoreError> {
    let path = data.erasing();
    let bytes = disk.read(&path).on("read", &path)?.unwrap_or_default();
    let Some(Piece::Record { content, .. }) = frame::scan(&bytes).next() else {
        return Ok(());
    };
    if let Some((place, id)) = decode(content) {
        tombstone(disk, data, place, &id)?;
    }
    // The index knows what else is to do, or that all is done.
    Ok(disk.remove(&path).on("remove", &path)?)
}

/// Writes the tombstone where the record is, if it is there.
fn tombstone(
    disk: &dyn Disk,
    data: &Data,
    place: PackPlace,
    id: &ContentId,
) -> Result<(), StoreError> {
    let path = data.pack(place.segment);
    let stone = pack::tombstone(id, place.length as usize);
    let here = match disk.read_at(&path, place.offset, stone.len()) {
        // The segment is lost, or a shorter one was put in its place.
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof) => {
            return Ok(());
        }
        read => read.on("read", &path)?,
    };
    // Half a tombstone has the id and the length of the record; a segment that was put in the place
    // of this one may have others there.
    if here == stone || here[..3] != stone[..3] || here[4..36] != stone[4..36] {
        return Ok(());
    }
    Ok(disk.overwrite(&path, place.offset, &stone).on("write over a record of", &path)?)
}

fn encode(place: PackPlace, id: &ContentId) -> Vec<u8> {
    let PackPlace { segment, offset, length } = place;
    let mut bytes = segment.to_le_bytes().to_vec();
    bytes.extend(offset.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    bytes.extend(id.bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<(PackPlace, ContentId)> {
    let (segment, rest) = bytes.split_first_chunk()?;
    let (offset, rest) = rest.split_first_chunk()?;
    let (length, id) = rest.split_first_chunk()?;
    let place = PackPlace {
        segment: u32::from_le_bytes(*segment),
        offset: u64::from_le_bytes(*offset),
        length: u32::from_le_bytes(*length),
    };
    Some((place, ContentId::from_bytes(id.try_into().ok()?)))
}
