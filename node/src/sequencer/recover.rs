//! What a start finds, and how it goes on: the last intent again, the index, the bodies after it.
//!
//! Invariants: nothing is signed here; where head, intent, tiles and checkpoint contradict each
//! other the log is served read-only and signs nothing, because a guess could fork it; a body that
//! was acknowledged is queued again, in pack order, once.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::head::Head;
use hallmark_schemas::intent::Intent;
use hallmark_schemas::layout::Data;
use hallmark_schemas::note::{Checkpoint, NoteError, NoteSigner, SignedNote, VerifierKey};
use hallmark_schemas::pack::PackPosition;
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::Timestamp;

use super::erase::Erasing;
use super::rebuild::{Rebuild, index_entries};
use super::{NamesWaiting, SequenceError, Sequencer, apply, publish};
use crate::core::former::Dating;
use crate::core::shared::{Published, Shared};
use crate::index::{Batch, Covers};
use crate::mutants::mutant;
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::Disk;
use crate::store::disk::read_only::UNWRITABLE_HELP;
use crate::store::elsewhere::Elsewhere;
use crate::store::head::{HeadError, HeadSlots};
use crate::store::intent::IntentFile;
use crate::store::pack::Packs;
use crate::store::tiles::{Edge, TILE_WIDTH, Tiles};

/// Why the files of this log do not fit together. It is served read-only.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Unfit {
    /// Nothing can be written.
    #[error("the disk is read-only")]
    Unwritable,
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
    /// Bodies that were logged are in no pack: a segment is lost, or older than the log.
    #[error(
        "the packs are older than the log: they end in segment {} at byte {}, logged were bodies \
         up to segment {} byte {}", end.segment, end.offset, consumed.segment, consumed.offset
    )]
    PacksBehind {
        /// Where the packs end.
        end: PackPosition,
        /// Up to where their bodies are in the log.
        consumed: PackPosition,
    },
    /// The published checkpoint is not signed by this log's key.
    #[error("the published checkpoint is not this log's")]
    Checkpoint(#[source] NoteError),
    /// A file cannot be read, or the last intent not be carried out.
    #[error(transparent)]
    Sequence(#[from] Box<SequenceError>),
}

impl Unfit {
    /// What to do about it.
    pub(crate) fn help(&self) -> &'static str {
        match self {
            Unfit::Unwritable => UNWRITABLE_HELP,
            Unfit::Head(HeadError::Disk(_)) => {
                "make the folder `head` readable and writable again, then start the node again"
            }
            Unfit::Head(_) | Unfit::HeadBehind { .. } => {
                "put the folder `head` back as this machine last wrote it, or stop the node and give \
                 `hallmark-node restore DIR --from-peers`, which asks the witnesses; a head from \
                 elsewhere could fork the log"
            }
            Unfit::DataBehind { .. } => {
                "stop the node, give `hallmark-node restore DIR --from-peers` and start it again: the \
                 entries that this copy lacks were signed and are never signed again"
            }
            Unfit::PacksBehind { .. } => {
                "stop the node, give `hallmark-node restore DIR --from-peers` and start it again: it \
                 fetches the bodies that are missing"
            }
            Unfit::Sequence(error) if error.is_damage() => {
                "give `hallmark-node check DIR --repair`, which asks the peers, also while this node \
                 runs, then start it again; what that cannot mend `hallmark-node restore DIR \
                 --from-peers` does while the node rests"
            }
            Unfit::OtherRoot { .. } | Unfit::Checkpoint(_) | Unfit::Sequence(_) => {
                "`hallmark-node check` names the file that is wrong; stop the node, give \
                 `hallmark-node restore DIR --from-peers` and start it again"
            }
        }
    }
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
        let mut head = load_head(&slots)?;
        let intent = load_intent(&intents)?;
        let unfinished = match &intent {
            Some(intent) if intent.to == head => None,
            Some(intent) if intent.from == head => Some(intent),
            Some(_) if mutant("head-unchecked") => {
                head = intent.as_ref().map_or(head, |intent| intent.to);
                None
            }
            Some(intent) => return Err(misfit(intent, head)),
            None => None,
        };
        let aside = data.damaged();
        let mut edge = load_edge(&shared.tiles, head, &aside)?;
        if let Some(intent) = unfinished {
            edge = apply(&shared, &slots, &edge, intent, &aside).map_err(Box::new)?;
            head = intent.to;
            tracing::info!(size = head.size, "finished the batch that the last run began");
        }
        shared.set_head(head);
        load_published(&shared, &checkpoints, signer.vkey(), head)?;
        checkpoints.mend()?;
        let (admitted_at, consumed) = match intent {
            Some(intent) => (intent.admitted_at, intent.consumed),
            None if head.size == 0 => (Timestamp::EPOCH, PackPosition::default()),
            None => (shared.entry(head.size - 1)?.admitted_at, PackPosition::default()),
        };
        let end = shared.packs.end()?;
        if end < consumed {
            return Err(Unfit::PacksBehind { end, consumed });
        }
        let (elsewhere, erasing) = beside(&disk, data, &shared)?;
        let (packs, damage) = Packs::open(disk, &data.packs(), consumed, consumed)?;
        shared.found_damage(damage);
        let frontier = shared.tiles.frontier(head.size)?;
        Ok(Sequencer {
            shared,
            packs,
            slots,
            intents,
            checkpoints,
            elsewhere,
            signer,
            head,
            frontier,
            edge,
            aside,
            admitted_at,
            consumed,
            nameless: true,
            pending: VecDeque::new(),
            names_waiting: NamesWaiting::default(),
            unpublished: None,
            renewal: None,
            guarded: false,
            erasing,
        })
    }

    /// Empties an index that knows another tree than this log's, or a larger one, or other packs: a
    /// body that it took for stored would be acknowledged and never logged.
    pub(crate) fn discard_foreign_index(&self) -> Result<(), SequenceError> {
        let Shared { log, catalogue, packs, .. } = &*self.shared;
        let fits = match catalogue.covers(*log)? {
            Some(covers) => self.is_prefix(covers.head)? && covers.packs <= self.consumed,
            None => true,
        };
        if !fits || !catalogue.is_of_packs(*log, packs)? {
            tracing::warn!("the index is of another tree or of other packs and is built again");
            catalogue.clear()?;
        }
        Ok(())
    }

    /// Brings the index up to the head and queues the bodies that came after it.
    pub(crate) fn catch_up(&mut self) -> Result<(), SequenceError> {
        let shared = self.shared.clone();
        let (log, catalogue) = (shared.log, &shared.catalogue);
        let start = Covers { head: Head::EMPTY, packs: PackPosition::default() };
        let begun = catalogue.covers(log)?;
        let covers = begun.unwrap_or(start);
        index_entries(&shared, covers.head.size..self.head.size, Err)?;
        let anew = (PackPosition::default(), PackPosition::default());
        let is_mutant = mutant("replay-twice");
        let (consumed, from) = if is_mutant { anew } else { (self.consumed, covers.packs) };
        let mut rebuild = Rebuild::new(&shared, consumed, begun.is_some());
        let damage = shared.packs.scan(from, |body| rebuild.body(body))?;
        rebuild.flush()?;
        shared.found_damage(damage);
        let Rebuild { pending, mut names_waiting, .. } = rebuild;
        let mut changes = Batch::default();
        changes.put_covers(log, Covers { head: self.head, packs: self.consumed });
        catalogue.write(changes)?;
        for pending in pending.into_iter().filter(|_| !mutant("pending-forgotten")) {
            match catalogue.entry(log, &pending.id)? {
                None => self.pending.push_back(pending),
                Some(_) if is_mutant => self.pending.push_back(pending),
                Some(_) => names_waiting.gone(&pending),
            }
        }
        self.names_waiting = names_waiting;
        self.nameless = catalogue.nameless(log)?;
        shared.stored(self.pending.len());
        if let Err(error) = publish::learn(&shared, 0, shared.published_size()) {
            self.keys_unread(&error);
        }
        self.erasing.due = true;
        self.carry_out_erasures()?;
        shared.set_index_ready();
        if let Err(error) = catalogue.remove_unreadable() {
            tracing::warn!(%error, "the index that did not open is still there");
        }
        Ok(())
    }

    fn is_prefix(&self, older: Head) -> Result<bool, StoreError> {
        let within = older.size <= self.head.size;
        Ok(within && self.shared.tiles.root_within(older.size, self.head.size)? == older.root)
    }
}

/// What else this log wrote down: which of its trees it gave up, and what it is erasing.
fn beside(
    disk: &Arc<dyn Disk>,
    data: &Data,
    shared: &Shared,
) -> Result<(Elsewhere, Erasing), StoreError> {
    let elsewhere = Elsewhere::new(disk.clone(), data);
    shared.set_given_up(elsewhere.given_up()?);
    Ok((elsewhere, Erasing::new(disk.clone(), data)))
}

/// The last intent; none if there never was one, or if it is damaged.
fn load_intent(intents: &IntentFile) -> Result<Option<Intent>, StoreError> {
    match intents.load() {
        Err(error @ StoreError::Damaged { .. }) => {
            // Its batch is in the tree, or was never begun: the packs say what is missing.
            tracing::warn!(%error, "the last intent is gone");
            Ok(None)
        }
        other => other,
    }
}

/// The newest whole head; a slot that is not whole is told.
fn load_head(slots: &HeadSlots) -> Result<Head, HeadError> {
    let head = slots.load()?;
    for path in slots.unfit()? {
        let path = path.display();
        tracing::warn!(%path, "a head slot is missing or damaged; the next batches write it anew");
    }
    Ok(head)
}

/// The head is neither where the last intent began nor where it led.
fn misfit(intent: &Intent, head: Head) -> Unfit {
    match (head.size, intent.from.size, intent.to.size) {
        (head, _, data) if data < head => Unfit::DataBehind { head, data },
        (head, data, _) if head < data => Unfit::HeadBehind { head, data },
        (size, _, _) => Unfit::OtherRoot { what: "the last intent", size },
    }
}

/// The right edge of the head. Files of it that are lost or damaged are written anew where what lies
/// below gives them.
fn load_edge(tiles: &Tiles, head: Head, aside: &Path) -> Result<Edge, Unfit> {
    let found = read_edge(tiles, head);
    if !matches!(found, Err(Unfit::OtherRoot { .. } | Unfit::Sequence(_))) {
        return found;
    }
    // What was wrong at first tells more than what cannot be computed.
    let Ok(edge) = tiles.proved_whole_edge(head) else {
        return found;
    };
    tiles.put_edge(&edge, aside)?;
    read_edge(tiles, head)
}

fn read_edge(tiles: &Tiles, head: Head) -> Result<Edge, Unfit> {
    let edge = tiles.edge(head.size)?;
    if edge.root() != head.root || tiles.root_at(head.size)? != head.root {
        return Err(Unfit::OtherRoot { what: "the tree in DATA", size: head.size });
    }
    check_bundle(tiles, &edge)?;
    Ok(edge)
}

/// The last bundle's entries are those that the hashes, proved by then, stand for.
fn check_bundle(tiles: &Tiles, edge: &Edge) -> Result<(), StoreError> {
    let Some(entry) = edge.damaged_entry() else {
        return Ok(());
    };
    let width = (edge.size() % TILE_WIDTH) as u16;
    let bundle = TilePath::Entries { index: edge.size() / TILE_WIDTH, width };
    let reason = format!("entry {entry} in it is not the one that was logged");
    Err(StoreError::damaged(&tiles.path(&bundle), reason))
}

/// A checkpoint under the log's own signature.
pub(super) type Signed = (Checkpoint, SignedNote);

/// The published checkpoints, as the files hold them.
pub(super) struct Notes {
    /// The published file; `None` if there is none.
    pub(super) published: Option<Result<Signed, NoteError>>,
    /// All that were ever published, oldest first; what is not the log's own is left out.
    pub(super) history: Vec<Signed>,
}

impl Notes {
    pub(super) fn read(checkpoints: &Checkpoints, key: &VerifierKey) -> Result<Notes, StoreError> {
        let read = |bytes: &[u8]| {
            let note = SignedNote::parse(bytes)?;
            Ok((note.checkpoint_of(key)?, note))
        };
        let history = checkpoints.history()?;
        let history = history.iter().filter_map(|bytes| read(bytes).ok()).collect();
        let published = checkpoints.newest()?.map(|bytes| read(&bytes));
        Ok(Notes { published, history })
    }

    /// Tells the times of all entries that these checkpoints hold.
    ///
    /// Some were published under an older policy: the witnesses of then date them.
    pub(super) fn tell_times(&self, shared: &Shared) {
        let policy = shared.policy();
        let mut dating = Dating::new(shared.former(), &policy);
        let published = self.published.iter().flatten();
        for (checkpoint, note) in self.history.iter().chain(published) {
            let quorum = dating.next(note);
            shared.write_times(|times| times.push(checkpoint.size, quorum));
        }
    }
}

/// Reads the published checkpoint and the history of all of them, and holds them against the head.
///
/// A published note that is damaged is taken from the history, where it was written too.
fn load_published(
    shared: &Shared,
    checkpoints: &Checkpoints,
    key: &VerifierKey,
    head: Head,
) -> Result<(), Unfit> {
    let mut notes = Notes::read(checkpoints, key)?;
    notes.tell_times(shared);
    let (checkpoint, note) = match (notes.published, notes.history.pop()) {
        (Some(Ok(published)), _) => published,
        (Some(Err(_)) | None, Some((checkpoint, note))) => {
            checkpoints.publish(&note.to_bytes())?;
            (checkpoint, note)
        }
        (Some(Err(error)), None) => return Err(Unfit::Checkpoint(error)),
        (None, None) => return Ok(()),
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
    let cosigned_at = shared.cosigned_at(&note);
    let published = Published { head, note: Arc::new(note), at: entry.admitted_at, cosigned_at };
    shared.published.send_replace(Some(published));
    Ok(())
}
