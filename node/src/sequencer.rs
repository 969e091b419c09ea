//! The one writer of the own log: bodies durable, then ordered, then signed, then published.
//!
//! The order, which no crash may change:
//! pack durable → *stored* → batch → intent durable → tiles durable → root computed twice → head
//! swapped → checkpoint signed → cosigned by the quorum → published → *recorded*.
//!
//! Invariants: an id is in the packs once and in the log once; `admitted_at` never decreases; at
//! most one sequenced tree is unpublished; nothing is signed before the fork guard is satisfied;
//! any error here ends the sequencer, and a restart goes on from what is durable.

mod erase;
mod group;
mod pace;
pub(crate) mod publish;
pub(crate) mod read_only;
mod rebuild;
pub(crate) mod recover;
mod reindex;
#[cfg(test)]
mod tests;
pub(crate) mod writer;
pub mod writing;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::head::Head;
use hallmark_schemas::intent::Intent;
use hallmark_schemas::merkle::Frontier;
use hallmark_schemas::note::{NoteSigner, SignedNote};
use hallmark_schemas::pack::PackPosition;
use hallmark_schemas::time::Timestamp;

pub(crate) use group::{Candidate, Outcome};

use crate::core::shared::{Shared, Signing};
use crate::index::goods::Naming;
use crate::index::{Batch, Covers, IndexError};
use crate::mutants::mutant;
use crate::store::StoreError;
use crate::store::checkpoints::Checkpoints;
use crate::store::disk::DiskError;
use crate::store::elsewhere::Elsewhere;
use crate::store::head::{HeadError, HeadSlots};
use crate::store::intent::IntentFile;
use crate::store::pack::{PackPlace, Packs};
use crate::store::tiles::Edge;
use publish::{CheckpointError, Unpublished};
use writing::Refusal;

/// Most entries of one batch: an intent of 32,768 * 33 bytes is 1 MiB, one frame.
pub(crate) const BATCH_ENTRIES_MAX: usize = 32_768;
const _: () = assert!(BATCH_ENTRIES_MAX * 33 + 1024 < hallmark_schemas::frame::CONTENT_BYTES_MAX);

/// Most goods named by waiting attestations that are remembered: 16 bytes each, 64 MiB. Those of
/// later ones are read from their bodies again.
const NAMES_WAITING_MAX: usize = 4 << 20;
/// Changes written to the index at once; a batch that names much takes several writes.
const INDEX_CHANGES_MAX: usize = 2 * BATCH_ENTRIES_MAX;
/// What to do when the key history is not whole.
const KEYS_HELP: &str = "`hallmark-node check` names the damaged file: put it back from a copy of \
                         DATA and start again";

/// Why this node cannot go on: it stops sequencing rather than guess. Never a sender's fault.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SequenceError {
    /// A file or the index failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The head cannot be read or swapped.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// Memory and disk give two roots: one of them is wrong, and nothing says which.
    #[error("two roots for size {size}: the tiles, read again, differ from memory")]
    RootsDiffer {
        /// The size in question.
        size: u64,
    },
    /// The checkpoint cannot be made or published.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl SequenceError {
    /// Whether there was no room on the disk, and nothing durable is in doubt.
    pub fn is_full(&self) -> bool {
        match self {
            SequenceError::Store(error) => error.is_full(),
            SequenceError::Head(HeadError::Disk(error)) => error.is_full(),
            _ => false,
        }
    }
}

impl SequenceError {
    /// Whether a file is lost or not what it was.
    pub(crate) fn is_damage(&self) -> bool {
        matches!(self, SequenceError::Store(StoreError::Damaged { .. }))
    }
}

impl From<DiskError> for SequenceError {
    fn from(error: DiskError) -> SequenceError {
        SequenceError::Store(error.into())
    }
}

impl From<IndexError> for SequenceError {
    fn from(error: IndexError) -> SequenceError {
        SequenceError::Store(error.into())
    }
}

/// A durable body that is not in the tree yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pending {
    pub(crate) id: ContentId,
    pub(crate) audience: u8,
    /// Where it lies.
    pub(crate) place: PackPlace,
    /// Whether it can change the key history.
    pub(crate) identity: bool,
    /// The goods that it names; `None` if they are to be read from the body again.
    pub(crate) naming: Option<Naming>,
}

/// How many goods the attestations that wait are remembered to name.
#[derive(Default)]
struct NamesWaiting(usize);

impl NamesWaiting {
    /// The naming, if there is room to remember it.
    fn keep(&mut self, naming: Naming) -> Option<Naming> {
        let total = self.0 + naming.len();
        if NAMES_WAITING_MAX < total {
            return None;
        }
        self.0 = total;
        Some(naming)
    }

    #[cfg(test)]
    fn of(pending: &VecDeque<Pending>) -> NamesWaiting {
        NamesWaiting(pending.iter().filter_map(|one| one.naming.as_ref()).map(Naming::len).sum())
    }

    fn gone(&mut self, pending: &Pending) {
        self.0 -= pending.naming.as_ref().map_or(0, Naming::len);
    }
}

/// Everything the writer thread owns.
pub(crate) struct Sequencer {
    pub(crate) shared: Arc<Shared>,
    packs: Packs,
    slots: HeadSlots,
    intents: IntentFile,
    checkpoints: Checkpoints,
    elsewhere: Elsewhere,
    signer: NoteSigner,
    head: Head,
    frontier: Frontier,
    edge: Edge,
    /// Where damaged files are kept.
    aside: PathBuf,
    /// Instant of the last batch.
    admitted_at: Timestamp,
    /// Every pack record before this place is in the tree.
    consumed: PackPosition,
    /// Whether the packs may hold a body whose identity the index does not know.
    nameless: bool,
    /// In pack order.
    pending: VecDeque<Pending>,
    /// Of `pending`.
    names_waiting: NamesWaiting,
    unpublished: Option<Unpublished>,
    /// The published checkpoint, while its witnesses are asked for newer cosignatures.
    renewal: Option<SignedNote>,
    /// Whether the fork guard lets this log sign.
    guarded: bool,
    erasing: erase::Erasing,
}

impl Sequencer {
    /// Whether there is something to sequence and nothing in its way.
    pub(crate) fn batch_due(&self) -> bool {
        self.guarded && !self.pending.is_empty() && self.unpublished.is_none()
    }

    /// Durable bodies that are not in the tree yet.
    pub(crate) fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Whether a batch should not wait for more.
    pub(crate) fn batch_full(&self) -> bool {
        self.batch_due() && BATCH_ENTRIES_MAX <= self.pending.len()
    }

    /// Puts the oldest pending bodies into the tree and signs it. Nothing to do is success.
    pub(crate) fn sequence(&mut self, now: Timestamp) -> Result<(), SequenceError> {
        if !self.batch_due() {
            return Ok(());
        }
        let count = self.pending.len().min(BATCH_ENTRIES_MAX);
        let batch = || self.pending.iter().take(count);
        let last = batch().next_back().expect("a due batch has an entry");
        let mut intent = Intent {
            from: self.head,
            to: self.head,
            admitted_at: now.max(self.admitted_at),
            consumed: last.place.end(),
            entries: batch().map(|pending| (pending.audience, pending.id)).collect(),
        };
        let mut frontier = self.frontier.clone();
        for entry in intent.log_entries() {
            frontier.push(entry.leaf_hash());
        }
        intent.to = Head { size: frontier.size(), root: frontier.root() };
        self.carry_out(&intent)?;
        // From here on the batch is in the tree; before, all of it can be done again.
        let batch: Vec<Pending> = self.pending.drain(..count).collect();
        batch.iter().for_each(|pending| self.names_waiting.gone(pending));
        self.frontier = frontier;
        self.head = intent.to;
        self.admitted_at = intent.admitted_at;
        self.consumed = intent.consumed;
        self.index(&batch, intent.from.size)?;
        self.shared.sequenced(self.head, self.pending.len());
        self.sign()
    }

    fn carry_out(&mut self, intent: &Intent) -> Result<(), SequenceError> {
        if mutant("intent-after-tiles") {
            self.edge = self.apply(intent)?;
            return Ok(self.intents.save(intent)?);
        }
        self.intents.save(intent)?;
        if mutant("batch-forgotten-when-full") {
            let applied = self.apply(intent);
            if applied.as_ref().is_err_and(SequenceError::is_full) {
                self.pending.drain(..intent.entries.len());
            }
            self.edge = applied?;
            return Ok(());
        }
        self.edge = self.apply(intent)?;
        Ok(())
    }

    fn apply(&self, intent: &Intent) -> Result<Edge, SequenceError> {
        apply(&self.shared, &self.slots, &self.edge, intent, &self.aside)
    }

    /// Adds a batch to the index, with the tree that it completes.
    fn index(&self, batch: &[Pending], first: u64) -> Result<(), SequenceError> {
        let mut changes = Batch::default();
        let log = self.shared.log;
        for (entry, pending) in (first..).zip(batch) {
            changes.put_logged(log, &pending.id, pending.place, entry);
            if pending.identity {
                changes.put_identity_entry(log, entry, &pending.id);
            }
            let at = (entry, self.admitted_at);
            match &pending.naming {
                Some(naming) => changes.put_goods(log, at, &pending.id, naming),
                None => {
                    if let Some(naming) = self.naming(&pending.id)? {
                        changes.put_goods(log, at, &pending.id, &naming);
                    }
                }
            }
            if INDEX_CHANGES_MAX <= changes.len() {
                self.shared.catalogue.write(std::mem::take(&mut changes))?;
            }
        }
        changes.put_covers(log, Covers { head: self.head, packs: self.consumed });
        self.shared.catalogue.write(changes)?;
        self.shared.remove_waiting(batch.iter().map(|pending| &pending.id));
        Ok(())
    }

    /// The goods that a stored body names; `None` if it is erased.
    fn naming(&self, id: &ContentId) -> Result<Option<Naming>, StoreError> {
        let body = self.shared.own_body(id)?;
        let envelope = body.and_then(|body| Envelope::parse(&body).ok());
        Ok(envelope.as_ref().map(Naming::of))
    }

    /// Every possible quorum of witnesses was heard and none is ahead: signing may begin.
    pub(crate) fn guard_satisfied(&mut self) -> Result<(), SequenceError> {
        if self.guarded || self.read_only() {
            return Ok(());
        }
        self.guarded = true;
        self.shared.set_signing(Signing::Ready);
        self.sign()
    }

    /// A witness holds what this log does not: nothing is taken or signed from now on. The checkpoint
    /// that says so is kept, so that a check says so too.
    pub(crate) fn guard_refused(&mut self, refusal: Refusal) -> Result<(), SequenceError> {
        // Whoever sees that the log is read-only finds why.
        let kept = refusal.note.map_or(Ok(()), |note| self.elsewhere.keep(&note));
        self.refuse(refusal.cause, refusal.help);
        match kept {
            Err(error) if error.is_full() => {
                tracing::warn!(%error, "the checkpoint that was signed elsewhere is not kept");
                Ok(())
            }
            kept => Ok(kept?),
        }
    }

    /// A revocation may be among what cannot be read, so no key of this log counts for new bodies.
    fn keys_unread(&mut self, error: &StoreError) {
        let error = writer::chain(error);
        self.refuse(format!("an attestation of keys cannot be read: {error}"), KEYS_HELP);
    }

    fn refuse(&mut self, cause: String, help: &'static str) {
        self.guarded = false;
        self.unpublished = None;
        self.renewal = None;
        self.shared.unsigned.send_replace(None);
        self.shared.set_signing(Signing::ReadOnly { cause, help });
    }

    /// Whether new bodies are refused.
    pub(crate) fn read_only(&self) -> bool {
        matches!(self.shared.signing(), Signing::ReadOnly { .. })
    }
}

/// Carries out an intent: tiles, both roots, head. Doing it again changes nothing.
///
/// Where files of the edge before were lost or damaged since they were proved, they are written anew
/// from memory, whose root is that of the head; what was damaged is kept under `aside`.
fn apply(
    shared: &Shared,
    slots: &HeadSlots,
    edge: &Edge,
    intent: &Intent,
    aside: &Path,
) -> Result<Edge, SequenceError> {
    let size = intent.to.size;
    let grown = shared.tiles.grow(edge, &intent.log_entries())?;
    let reread = match shared.tiles.root_reread(intent.from.size, size) {
        Err(error @ StoreError::Damaged { .. }) if edge.root() == intent.from.root => {
            if shared.tiles.put_edge(edge, aside)?.is_empty() {
                return Err(error.into());
            }
            shared.tiles.root_reread(intent.from.size, size)?
        }
        reread => reread?,
    };
    let roots = [grown.root(), reread, shared.tiles.root_at(size)?];
    if roots.iter().any(|root| *root != intent.to.root) {
        return Err(SequenceError::RootsDiffer { size });
    }
    slots.swap(intent.from, intent.to)?;
    Ok(grown)
}
