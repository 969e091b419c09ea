//! Evidence bundles out of what this node holds.
//!
//! Invariants: every log held is in it with its checkpoint history and all its entries, so that
//! places, times and keys can be proved offline; every identity body is in it; a body that the
//! selection asks for and that is not held shows as missing to whoever checks the bundle, one that is
//! damaged here as damaged. It is written as it is read, in runs of entries: what is kept in memory
//! are the ids of what a selection names and of what is damaged, never a log.

pub mod history;
mod logs;
pub mod public;
mod select;

use std::collections::BTreeSet;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::bundle::{Header, Item};
use hallmark_schemas::kind::KindName;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::time::{Period, Timestamp};
use serde::{Deserialize, Serialize};

use crate::service::Service;
use crate::store::StoreError;
use crate::witness::elsewhere;
use logs::HeldLog;
use select::Chosen;

/// Longest piece handed on at once.
const PIECE_BYTES: usize = 1 << 20;
/// Most damaged bodies that are told one by one, 2 MiB of ids; further ones are missing.
const DAMAGED_MAX: usize = 1 << 16;

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

/// Collects pieces so that each hand-over is worth it.
struct Out<'a> {
    buffer: Vec<u8>,
    send: &'a mut dyn FnMut(Vec<u8>) -> bool,
    items: u64,
    /// The reader is gone: stop.
    closed: bool,
}

impl Out<'_> {
    /// Whether more is wanted.
    fn item(&mut self, item: &Item) -> bool {
        self.items += 1;
        self.bytes(&item.encode());
        !self.closed
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
    let logs = logs::held(service);
    if selection.public {
        let ids = select::public(service, selection, &logs)?;
        if let Some(bundle) = public::of(service, &ids, &[], &BTreeSet::new())? {
            send(bundle);
        }
        return Ok(());
    }
    // What is lost or damaged is told before the first piece: after it the stream only breaks off.
    for log in &logs {
        log.prove()?;
    }
    let chosen = select::chosen(service, selection, &logs)?;
    let mut as_of = Timestamp::EPOCH;
    for log in &logs {
        as_of = as_of.max(log.newest()?);
    }
    let network = service.network().bytes().to_vec();
    let mut out = Out { buffer: Vec::new(), send, items: 0, closed: false };
    out.bytes(&Header { as_of, network }.encode());
    for log in &logs {
        checkpoints(log, &mut out)?;
    }
    for log in &logs {
        log.each_run(|first, entries| {
            let origin = log.origin.clone();
            Ok(out.item(&Item::Entries { origin, first, entries: entries.to_vec() }))
        })?;
    }
    let damaged = identities(service, &logs, &mut out)?;
    bodies(service, &logs, &chosen, &mut out)?;
    receipts(service, &logs, &chosen, &mut out)?;
    for id in damaged {
        if let Some(damaged) = damaged_item(service, id)? {
            out.item(&damaged);
        }
    }
    let mut proofs = elsewhere::proofs(&service.data);
    for log in service.node.mirror().logs() {
        proofs.extend(log.defect_proofs()?);
    }
    for proof in proofs {
        out.item(&Item::Defect(proof.bytes().to_vec()));
    }
    let items = out.items;
    out.item(&Item::End { items });
    out.flush();
    Ok(())
}

/// The published checkpoints of what goes into the bundle, oldest first, none twice; and the newest
/// as it was last cosigned.
fn checkpoints(log: &HeldLog, out: &mut Out<'_>) -> Result<(), StoreError> {
    let (mut reached, mut of_size) = (0, Vec::new());
    let mut put = |bytes: &[u8]| {
        let note = SignedNote::parse(bytes).ok().and_then(|note| note.checkpoint().ok());
        let Some(size) = note.map(|state| state.size) else { return true };
        if reached < size && size <= log.size {
            (reached, of_size) = (size, Vec::new());
        }
        if size != reached || of_size.iter().any(|known| known == bytes) {
            return size <= log.size;
        }
        of_size.push(bytes.to_vec());
        out.item(&Item::Checkpoint(bytes.to_vec()))
    };
    history::each(&log.data, &mut put)?;
    put(&log.note.to_bytes());
    Ok(())
}

/// Writes the identity bodies; which of all bodies are damaged here. Nothing says what those are, so
/// a key may rest on any of them, and whoever checks a selection is told of all.
fn identities(
    service: &Service,
    logs: &[HeldLog],
    out: &mut Out<'_>,
) -> Result<BTreeSet<ContentId>, StoreError> {
    let mut damaged = BTreeSet::new();
    logs::each_first(service, logs, |entry| match held(service, &entry.id)? {
        Held::Whole(stored, envelope) => {
            Ok(!is_identity(envelope.kind()) || out.item(&Item::Identity(stored)))
        }
        Held::Damaged => {
            if damaged.len() < DAMAGED_MAX {
                damaged.insert(entry.id);
            }
            Ok(true)
        }
        Held::Nothing => Ok(true),
    })?;
    Ok(damaged)
}

fn bodies(
    service: &Service,
    logs: &[HeldLog],
    chosen: &Chosen,
    out: &mut Out<'_>,
) -> Result<(), StoreError> {
    logs::each_first(service, logs, |entry| {
        if !chosen.has(&entry.id) {
            return Ok(true);
        }
        let Some((stored, envelope)) = body(service, &entry.id)? else { return Ok(true) };
        Ok(is_identity(envelope.kind()) || out.item(&Item::Body(stored)))
    })
}

fn receipts(
    service: &Service,
    logs: &[HeldLog],
    chosen: &Chosen,
    out: &mut Out<'_>,
) -> Result<(), StoreError> {
    for log in logs.iter().filter(|log| log.origin == service.node.log().origin()) {
        log.each_run(|_, entries| {
            for id in entries.iter().map(|entry| entry.id).filter(|id| chosen.has(id)) {
                if let Some(receipt) = service.node.log().receipt(&id)?
                    && !out.item(&Item::Receipt { id, receipt })
                {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
    }
    Ok(())
}

/// What is here of a body.
enum Held {
    Whole(Vec<u8>, Box<Envelope>),
    /// Bytes that are not it, or less than it has.
    Damaged,
    /// It was never here, or is erased.
    Nothing,
}

fn held(service: &Service, id: &ContentId) -> Result<Held, StoreError> {
    let stored = match service.node.body(id) {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(Held::Nothing),
        Err(error @ StoreError::Damaged { .. }) => {
            tracing::warn!(%id, %error, "a body that a bundle asks for is damaged");
            return Ok(Held::Damaged);
        }
        Err(error) => return Err(error),
    };
    // What was admitted is an attestation: its id says that these are the bytes that were.
    Ok(match Envelope::parse(&stored) {
        Ok(envelope) => Held::Whole(stored, Box::new(envelope)),
        Err(_) => Held::Nothing,
    })
}

/// What is here in place of a damaged body; `None` if nothing is.
fn damaged_item(service: &Service, id: ContentId) -> Result<Option<Item>, StoreError> {
    let mut held = service.node.log().held_as(&id)?;
    for log in service.node.mirror().logs() {
        held = held.or(log.held_as(&id)?);
    }
    Ok(held.filter(|held| *held != id).map(|held| Item::Damaged { id, held }))
}

/// The body, if it is whole.
fn body(service: &Service, id: &ContentId) -> Result<Option<(Vec<u8>, Envelope)>, StoreError> {
    Ok(match held(service, id)? {
        Held::Whole(stored, envelope) => Some((stored, *envelope)),
        Held::Damaged | Held::Nothing => None,
    })
}

/// Kinds on which keys, roles, places and instruments rest, and what says why a body is missing.
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
            | KindName::Erasure
            | KindName::Revocation
    )
}
