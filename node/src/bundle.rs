//! Evidence bundles out of what this node holds.
//!
//! Invariants: every log held is in it with its checkpoint history and all its entries, so that
//! places, times and keys can be proved offline; every identity body is in it; a body that the
//! selection asks for and that is not held shows as missing to whoever checks the bundle.

pub mod public;

use std::collections::BTreeSet;
use std::sync::Arc;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::bundle::{ENTRIES_MAX, Header, Item};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::layout::Data;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::time::{Period, Timestamp};
use serde::{Deserialize, Serialize};

use crate::service::Service;
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::{Disk, OsDisk};

/// Longest piece handed on at once.
const PIECE_BYTES: usize = 1 << 20;

/// Which bodies are asked for. Empty: all.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Selection {
    /// Bodies that name one of these goods.
    #[serde(default)]
    pub goods: Vec<String>,
    /// Bodies about these facilities, and about devices that stand there.
    #[serde(default)]
    pub facilities: Vec<String>,
    /// Bodies admitted in this period.
    #[serde(default)]
    pub period: Option<Period>,
    /// These, and what they cite.
    #[serde(default)]
    pub ids: Vec<ContentId>,
    /// Only what is public, each body with its own proof instead of whole logs.
    #[serde(default)]
    pub public: bool,
}

impl Selection {
    /// Whether nothing limits it.
    pub fn is_everything(&self) -> bool {
        self.goods.is_empty()
            && self.facilities.is_empty()
            && self.period.is_none()
            && self.ids.is_empty()
    }
}

/// One log as it goes into the bundle.
struct LogPart {
    origin: String,
    /// Every published checkpoint, oldest first: they date the entries.
    checkpoints: Vec<Vec<u8>>,
    entries: Vec<Entry>,
}

/// Collects pieces so that each hand-over is worth it.
struct Out<'a> {
    buffer: Vec<u8>,
    send: &'a mut dyn FnMut(Vec<u8>) -> bool,
    /// The reader is gone: stop.
    closed: bool,
}

impl Out<'_> {
    fn item(&mut self, item: &Item) {
        self.bytes(&item.encode());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if PIECE_BYTES <= self.buffer.len() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if !self.closed && !self.buffer.is_empty() {
            self.closed = !(self.send)(std::mem::take(&mut self.buffer));
        }
        self.buffer.clear();
    }
}

/// Writes the bundle piece by piece; `send` answers whether the reader wants more.
pub fn write(
    service: &Service,
    selection: &Selection,
    send: &mut dyn FnMut(Vec<u8>) -> bool,
) -> Result<(), StoreError> {
    let parts = parts(service)?;
    if selection.public {
        let ids = public_ids(service, selection, &parts)?;
        if let Some(bundle) = public::of(service, &ids)? {
            send(bundle);
        }
        return Ok(());
    }
    let as_of = parts.iter().flat_map(|part| part.entries.last()).map(|entry| entry.admitted_at);
    let as_of = as_of.max().unwrap_or(Timestamp::EPOCH);
    let network = service.network().bytes().to_vec();
    let mut out = Out { buffer: Vec::new(), send, closed: false };
    out.bytes(&Header { as_of, network }.encode());
    for note in parts.iter().flat_map(|part| &part.checkpoints) {
        out.item(&Item::Checkpoint(note.clone()));
    }
    for part in &parts {
        for (index, entries) in part.entries.chunks(ENTRIES_MAX).enumerate() {
            let (origin, first) = (part.origin.clone(), (index * ENTRIES_MAX) as u64);
            out.item(&Item::Entries { origin, first, entries: entries.to_vec() });
        }
    }
    let ids = unique_ids(&parts);
    let devices = devices_of(service, selection, &ids)?;
    let mut chosen = BTreeSet::new();
    let mut cited = Vec::new();
    for (id, entry) in &ids {
        let Some((stored, envelope)) = body(service, id)? else {
            continue;
        };
        if is_identity(envelope.kind()) {
            out.item(&Item::Identity(stored));
        }
        if matches(selection, entry, &envelope, &devices) {
            chosen.insert(*id);
            cited.extend(envelope.body().cites().iter().copied());
        }
        if out.closed {
            return Ok(());
        }
    }
    add_cited(service, &mut chosen, cited)?;
    for (id, _) in ids.iter().filter(|(id, _)| chosen.contains(id)) {
        let Some((stored, envelope)) = body(service, id)? else {
            continue;
        };
        if !is_identity(envelope.kind()) {
            out.item(&Item::Body(stored));
        }
    }
    for (id, _) in ids.iter().filter(|(id, _)| chosen.contains(id)) {
        if let Some(receipt) = service.node.log().receipt(id)? {
            out.item(&Item::Receipt { id: *id, receipt });
        }
    }
    out.flush();
    Ok(())
}

/// The public bodies that are selected, the newest first.
fn public_ids(
    service: &Service,
    selection: &Selection,
    parts: &[LogPart],
) -> Result<Vec<ContentId>, StoreError> {
    let ids = unique_ids(parts);
    let devices = devices_of(service, selection, &ids)?;
    let mut chosen = Vec::new();
    for (id, entry) in ids.iter().filter(|(_, entry)| entry.audience == 0) {
        if let Some((_, envelope)) = body(service, id)?
            && matches(selection, entry, &envelope, &devices)
        {
            chosen.push((entry.admitted_at, *id));
        }
    }
    chosen.sort_by(|a, b| b.cmp(a));
    Ok(chosen.into_iter().map(|(_, id)| id).collect())
}

/// Adds what is cited, what that cites, and so on: a claim goes out with all that it rests on.
fn add_cited(
    service: &Service,
    chosen: &mut BTreeSet<ContentId>,
    mut cited: Vec<ContentId>,
) -> Result<(), StoreError> {
    while let Some(id) = cited.pop() {
        if chosen.insert(id)
            && let Some((_, envelope)) = body(service, &id)?
        {
            cited.extend(envelope.body().cites());
        }
    }
    Ok(())
}

/// Every checkpoint that was published, and the newest as it was last cosigned.
fn checkpoints(data: &Data, newest: &SignedNote) -> Result<Vec<Vec<u8>>, StoreError> {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    let mut notes = Checkpoints::new(disk, &data.checkpoint(), &data.checkpoints()).history()?;
    let newest = newest.to_bytes();
    if !notes.contains(&newest) {
        notes.push(newest);
    }
    Ok(notes)
}

fn parts(service: &Service) -> Result<Vec<LogPart>, StoreError> {
    let mut parts = Vec::new();
    let log = service.node.log();
    if let Some(published) = log.published() {
        parts.push(LogPart {
            origin: log.origin().to_owned(),
            checkpoints: checkpoints(&service.data, &published.note)?,
            entries: log.entries(0..published.head.size)?,
        });
    }
    for log in service.node.mirror().logs() {
        let size = log.head().size;
        if size == 0 {
            continue;
        }
        parts.push(LogPart {
            origin: log.origin().to_owned(),
            checkpoints: match log.checkpoint() {
                Some(note) => checkpoints(&service.data.peer(log.origin()), &note)?,
                None => continue,
            },
            entries: log.entries(0..size)?,
        });
    }
    parts.sort_by(|a, b| a.origin.cmp(&b.origin));
    Ok(parts)
}

/// Every id once, in the order of logs and entries.
fn unique_ids(parts: &[LogPart]) -> Vec<(ContentId, Entry)> {
    let mut seen = BTreeSet::new();
    let entries = parts.iter().flat_map(|part| &part.entries);
    entries.filter(|entry| seen.insert(entry.id)).map(|entry| (entry.id, *entry)).collect()
}

fn body(service: &Service, id: &ContentId) -> Result<Option<(Vec<u8>, Envelope)>, StoreError> {
    let Some(stored) = service.node.body(id)? else {
        return Ok(None);
    };
    Ok(Envelope::parse(&stored).ok().map(|envelope| (stored, envelope)))
}

/// Kinds on which keys, roles, places and instruments rest.
fn is_identity(kind: KindName) -> bool {
    matches!(
        kind,
        KindName::Genesis
            | KindName::Network
            | KindName::Organisation
            | KindName::Key
            | KindName::Node
            | KindName::Facility
            | KindName::Device
    )
}

/// Devices that stand in the selected facilities.
fn devices_of(
    service: &Service,
    selection: &Selection,
    ids: &[(ContentId, Entry)],
) -> Result<BTreeSet<String>, StoreError> {
    let mut devices = BTreeSet::new();
    if selection.facilities.is_empty() {
        return Ok(devices);
    }
    for (id, _) in ids {
        let Some((_, envelope)) = body(service, id)? else {
            continue;
        };
        if let (Body::Device(device), Subject::Device(sub)) =
            (envelope.body(), &envelope.claims().sub)
            && let Some(facility) = &device.facility
            && selection.facilities.contains(&facility.to_string())
        {
            devices.insert(sub.to_string());
        }
    }
    Ok(devices)
}

fn matches(
    selection: &Selection,
    entry: &Entry,
    envelope: &Envelope,
    devices: &BTreeSet<String>,
) -> bool {
    if selection.is_everything() {
        return true;
    }
    let is_in_period = selection.period.as_ref().is_none_or(|p| p.contains(entry.admitted_at));
    let named =
        selection.goods.is_empty() && selection.facilities.is_empty() && selection.ids.is_empty();
    if named {
        return is_in_period;
    }
    if selection.ids.contains(&envelope.id()) {
        return true;
    }
    let sub = envelope.claims().sub.to_string();
    let about = selection.facilities.contains(&sub) || devices.contains(&sub);
    is_in_period && (about || selection.goods.contains(&sub) || mentions(selection, envelope))
}

/// Whether the body's text names one of the goods or facilities.
fn mentions(selection: &Selection, envelope: &Envelope) -> bool {
    let text = envelope.body().to_json().to_string();
    selection.goods.iter().chain(&selection.facilities).any(|name| {
        // `/` may be escaped inside an event's own JSON text.
        text.contains(name.as_str()) || text.contains(&name.replace('/', "\\\\/"))
    })
}
