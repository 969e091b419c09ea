//! What a start finds, and how it goes on: the last intent again, the index, the bodies after it.
//!
//! Invariants: nothing is signed here; where head, intent, tiles and checkpoint contradict each
//! other the log stays readable and signs nothing, because a guess could fork it; a body that was
//! acknowledged is queued again, in pack order, once.

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::kind::Body;
use hallmark_schemas::layout::Data;
use hallmark_schemas::note::{NoteError, NoteSigner, SignedNote};
use hallmark_schemas::policy::QuorumTime;
use hallmark_schemas::time::Timestamp;

use super::{NamesWaiting, Pending, SequenceError, Sequencer, apply};
use crate::admission::keys::changes_keys;
use crate::core::shared::{Published, Shared};
use crate::index::goods::Naming;
use crate::index::{Batch, Covers};
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::Disk;
use crate::store::head::{Head, HeadError, HeadSlots};
use crate::store::intent::{Intent, IntentFile};
use crate::store::pack::{PackPosition, Packs, ScannedBody};
use crate::store::tiles::EntryCursor;

/// Changes written to the index at once while it is built: about 4 MiB.
const REBUILD_BATCH: usize = 16_384;

/// Why the files of this log do not fit together. It is served read-only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Unfit {
    /// The head is missing, damaged or of another log.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// DATA holds less than the head says: an old copy, or a lost disk.
    #[error("DATA is older than the head: the head has {head} entries, DATA {data}")]
    DataBehind {
        /// Entries by the head.
        head: u64,
        /// Entries by DATA.
        data: u64,
    },
    /// DATA holds more than the head says: the head is an old copy.
    #[error("the head is older than DATA: the head has {head} entries, DATA {data}")]
    HeadBehind {
        /// Entries by the head.
        head: u64,
        /// Entries by DATA.
        data: u64,
    },
    /// Same size, other root.
    #[error("{what} has another root than the head for size {size}")]
    OtherRoot {
        /// What disagrees with the head.
        what: &'static str,
        /// The size.
        size: u64,
    },
    /// The published checkpoint is not signed by this log's key.
    #[error("the published checkpoint is not this log's")]
    Checkpoint(#[source] NoteError),
    /// A file cannot be read, or the last intent not be carried out.
    #[error(transparent)]
    Sequence(#[from] Box<SequenceError>),
}

impl From<StoreError> for Unfit {
    fn from(error: StoreError) -> Unfit {
        Unfit::Sequence(Box::new(error.into()))
    }
}

impl Sequencer {
    /// Opens the log and carries out the last intent again if it was not finished.
    ///
    /// The index is not looked at yet: see [`Sequencer::catch_up`].
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        slots: [PathBuf; 2],
        data: &Data,
        shared: Arc<Shared>,
        signer: NoteSigner,
    ) -> Result<Sequencer, Unfit> {
        let slots = HeadSlots::new(disk.clone(), slots, &shared.origin);
        let intents = IntentFile::new(disk.clone(), &data.intent());
        let checkpoints = Checkpoints::new(disk.clone(), &data.checkpoint(), &data.checkpoints());
        let mut head = slots.load()?;
        let intent = match intents.load() {
            Err(error @ StoreError::Damaged { .. }) => {
                // Its batch is in the tree, or was never begun: the packs say what is missing.
                tracing::warn!(%error, "the last intent is gone");
                None
            }
            other => other?,
        };
        let unfinished = match &intent {
            Some(intent) if intent.to == head => None,
            Some(intent) if intent.from == head => Some(intent),
            Some(intent) => return Err(misfit(intent, head)),
            None => None,
        };
        let mut edge = shared.tiles.edge(head.size)?;
        if edge.root() != head.root || shared.tiles.root_at(head.size)? != head.root {
            return Err(Unfit::OtherRoot { what: "the tree in DATA", size: head.size });
        }
        if let Some(intent) = unfinished {
            edge = apply(&shared, &slots, &edge, intent).map_err(Box::new)?;
            head = intent.to;
            tracing::info!(size = head.size, "finished the batch that the last run began");
        }
        shared.set_head(head);
        load_published(&shared, &checkpoints, &signer, head)?;
        checkpoints.mend()?;
        let (packs, damage) = Packs::open(disk, &data.packs())?;
        shared.found_damage(damage);
        let (admitted_at, consumed) = match intent {
            Some(intent) => (intent.admitted_at, intent.consumed),
            None if head.size == 0 => (Timestamp::EPOCH, PackPosition::default()),
            None => (shared.entry(head.size - 1)?.admitted_at, PackPosition::default()),
        };
        let frontier = shared.tiles.frontier(head.size)?;
        Ok(Sequencer {
            shared,
            packs,
            slots,
            intents,
            checkpoints,
            signer,
            head,
            frontier,
            edge,
            admitted_at,
            consumed,
            pending: VecDeque::new(),
            names_waiting: NamesWaiting::default(),
            unpublished: None,
            guarded: false,
        })
    }

    /// Empties an index that knows another tree than this log's, or a larger one.
    pub(crate) fn discard_foreign_index(&self) -> Result<(), SequenceError> {
        let catalogue = &self.shared.catalogue;
        let Some(covers) = catalogue.covers(self.shared.log)? else {
            return Ok(());
        };
        if !self.is_prefix(covers.head)? || self.consumed < covers.packs {
            tracing::warn!("the index is of another tree and is built again");
            catalogue.clear()?;
        }
        Ok(())
    }

    /// Brings the index up to the head and queues the bodies that came after it.
    pub(crate) fn catch_up(&mut self) -> Result<(), SequenceError> {
        let shared = self.shared.clone();
        let (log, catalogue) = (shared.log, &shared.catalogue);
        let start = Covers { head: Head::EMPTY, packs: PackPosition::default() };
        let covers = catalogue.covers(log)?.unwrap_or(start);
        let mut from = covers.head.size;
        while from < self.head.size {
            let to = self.head.size.min(from + REBUILD_BATCH as u64);
            let mut changes = Batch::default();
            for (index, entry) in (from..to).zip(shared.tiles.entries(from..to, self.head.size)?) {
                changes.put_entry(log, &entry.id, index);
            }
            catalogue.write(changes)?;
            from = to;
        }
        let mut rebuild = Rebuild::new(&shared, self.consumed, self.head.size);
        let damage = shared.packs.scan(covers.packs, |body| rebuild.body(body))?;
        rebuild.flush()?;
        shared.found_damage(damage);
        let Rebuild { pending, mut names_waiting, .. } = rebuild;
        let mut changes = Batch::default();
        changes.put_covers(log, Covers { head: self.head, packs: self.consumed });
        catalogue.write(changes)?;
        for pending in pending {
            match catalogue.entry(log, &pending.id)? {
                None => self.pending.push_back(pending),
                Some(_) => names_waiting.gone(&pending),
            }
        }
        self.names_waiting = names_waiting;
        shared.stored(self.pending.len());
        super::publish::learn(&shared, 0, shared.published_size())?;
        shared.set_index_ready();
        Ok(())
    }

    fn is_prefix(&self, older: Head) -> Result<bool, StoreError> {
        let within = older.size <= self.head.size;
        Ok(within && self.shared.tiles.root_within(older.size, self.head.size)? == older.root)
    }
}

/// The head is neither where the last intent began nor where it led.
fn misfit(intent: &Intent, head: Head) -> Unfit {
    match (head.size, intent.from.size, intent.to.size) {
        (head, _, data) if data < head => Unfit::DataBehind { head, data },
        (head, data, _) if head < data => Unfit::HeadBehind { head, data },
        (size, _, _) => Unfit::OtherRoot { what: "the last intent", size },
    }
}

/// Reads the published checkpoint and the history of all of them, and holds them against the head.
///
/// A published note that is damaged is taken from the history, where it was written too.
fn load_published(
    shared: &Shared,
    checkpoints: &Checkpoints,
    signer: &NoteSigner,
    head: Head,
) -> Result<(), Unfit> {
    let policy = shared.policy();
    let read = |bytes: &[u8]| {
        let note = SignedNote::parse(bytes)?;
        let checkpoint = note.checkpoint_of(signer.vkey())?;
        Ok((checkpoint, note))
    };
    let mut newest = None;
    for bytes in checkpoints.history()? {
        let Ok((checkpoint, note)) = read(&bytes) else {
            continue;
        };
        // Published under an older policy: the witnesses of then are not asked today.
        let quorum = policy.quorum_met(&note).ok().flatten().unwrap_or(QuorumTime::Unwitnessed);
        shared.write_times(|times| times.push(checkpoint.size, quorum));
        newest = Some((checkpoint, note));
    }
    let published = checkpoints.newest()?.map(|bytes| read(&bytes));
    match (published, &newest) {
        (Some(Ok((checkpoint, note))), _) => {
            let quorum = policy.quorum_met(&note).ok().flatten();
            let quorum = quorum.unwrap_or(QuorumTime::Unwitnessed);
            shared.write_times(|times| times.push(checkpoint.size, quorum));
            newest = Some((checkpoint, note));
        }
        (Some(Err(_)) | None, Some((_, note))) => checkpoints.publish(&note.to_bytes())?,
        (Some(Err(error)), None) => return Err(Unfit::Checkpoint(error)),
        (None, None) => {}
    }
    let Some((checkpoint, note)) = newest else {
        return Ok(());
    };
    let size = checkpoint.size;
    if head.size < size {
        return Err(Unfit::HeadBehind { head: head.size, data: size });
    }
    if size == 0 || shared.tiles.root_within(size, head.size)? != checkpoint.root {
        return Err(Unfit::OtherRoot { what: "the published checkpoint", size });
    }
    let entry = shared.entry(size - 1)?;
    let head = Head { size, root: checkpoint.root };
    let published = Published { head, note: Arc::new(note), at: entry.admitted_at };
    shared.published.send_replace(Some(published));
    Ok(())
}

/// Builds index values from pack records, in pack order, once the entries are indexed.
struct Rebuild<'a> {
    shared: &'a Shared,
    consumed: PackPosition,
    entries: EntryCursor<'a>,
    changes: Batch,
    /// Natural identities in `changes`.
    identities: HashMap<[u8; 32], ContentId>,
    /// Records after `consumed`, once per id.
    pending: Vec<Pending>,
    names_waiting: NamesWaiting,
    queued: HashSet<ContentId>,
}

impl<'a> Rebuild<'a> {
    fn new(shared: &'a Shared, consumed: PackPosition, size: u64) -> Rebuild<'a> {
        Rebuild {
            shared,
            consumed,
            entries: shared.tiles.cursor(size),
            changes: Batch::default(),
            identities: HashMap::new(),
            pending: Vec::new(),
            names_waiting: NamesWaiting::default(),
            queued: HashSet::new(),
        }
    }

    fn body(&mut self, scanned: ScannedBody<'_>) -> Result<(), SequenceError> {
        let ScannedBody { place, id, body } = scanned;
        let log = self.shared.log;
        // An erased record stays where it is logged and is queued nowhere.
        self.changes.put_body(log, &id, place);
        let Some(Ok(envelope)) = body.map(Envelope::parse) else {
            return Ok(());
        };
        let identity = envelope.identity().key;
        let first = match self.identities.get(&identity) {
            Some(first) => Some(*first),
            None => self.shared.catalogue.identity(&identity)?,
        };
        match first {
            None => {
                self.changes.put_identity(&identity, &id);
                self.identities.insert(identity, id);
            }
            Some(first) if first == id => {}
            Some(_) => self.changes.put_fork(&identity, &id),
        }
        if first.is_none_or(|first| first == id)
            && let Body::Label(label) = envelope.body()
        {
            self.changes.put_label(&id, &envelope.claims().iss, label);
        }
        let (changes_keys, naming) = (changes_keys(envelope.kind()), Naming::of(&envelope));
        if changes_keys || !naming.is_empty() {
            self.listed(&id, changes_keys, &naming)?;
        }
        if self.consumed < place.end() && self.queued.insert(id) {
            self.pending.push(Pending {
                id,
                audience: envelope.claims().aud.byte(),
                end: place.end(),
                identity: changes_keys,
                naming: self.names_waiting.keep(naming),
            });
        }
        if REBUILD_BATCH <= self.changes.len() { self.flush() } else { Ok(()) }
    }

    /// Puts an attestation of the tree into the lists that are kept in the tree's order.
    fn listed(
        &mut self,
        id: &ContentId,
        changes_keys: bool,
        naming: &Naming,
    ) -> Result<(), SequenceError> {
        let log = self.shared.log;
        let Some(index) = self.shared.catalogue.entry(log, id)? else {
            return Ok(());
        };
        let Some(entry) = self.entries.get(index)? else {
            return Ok(());
        };
        if changes_keys {
            self.changes.put_identity_entry(log, index, id);
        }
        self.changes.put_goods(log, (index, entry.admitted_at), id, naming);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), SequenceError> {
        self.shared.catalogue.write(std::mem::take(&mut self.changes))?;
        self.identities.clear();
        Ok(())
    }
}
