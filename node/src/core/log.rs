//! The own log: what was published, proofs of it, and the fork guard before anything is signed.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::head::Head;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::label::Label;
use hallmark_schemas::merkle::{self, Hash};
use hallmark_schemas::network::Network;
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote, VerifierKey};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::receipt::{Receipt, ReceiptParts};
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::time::{EntryTime, Timestamp};
use tokio::sync::watch;

use super::Recorded;
use super::shared::{Published, Shared, Signing};
use crate::sequencer::writer::{Message, Ticket};
use crate::sequencer::writing::{Answer, Refusal};
use crate::store::StoreError;
use crate::store::tiles::TILE_WIDTH;
use crate::witness::guard::Refused;

/// What to do when a witness knows more of this log than is here.
const GUARD_HELP: &str = "stop the node, give `hallmark-node restore DIR --from-peers` and start it \
                          again: what the witnesses hold was signed by this log and is never \
                          signed again";
/// What to do when somebody else signs this log.
const COPY_HELP: &str = "another process signs this log, on a copy of this folder: stop this node or \
                         that one for good; to go on with this one, give `hallmark-node restore DIR \
                         --from-peers` once the other is stopped, and start it again";
/// What to do when two processes sign one log.
pub(crate) const TWIN_HELP: &str = "two copies of a folder never run at once: stop one of the two for \
                                    good; if that one has signed more, give `hallmark-node restore \
                                    DIR --from-peers` here before the next start";
/// What to do when two trees were signed.
const FORK_HELP: &str = "this log was signed on two copies of this folder at once: stop both nodes, \
                         then give `hallmark-node restore DIR --from-peers`, which says which of the \
                         two trees the witnesses cosigned and goes on with that one";

fn ahead(size: u64, ours: u64) -> String {
    format!("a witness holds {size} entries of this log, here are only {ours}")
}

/// How a witness's newest checkpoint of this log compares with what is here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GuardView {
    /// It is of this tree and not beyond it, or of one that was given up for this one.
    Within,
    /// It has more entries than are here: an old copy was restored, or writes were lost.
    Ahead,
    /// It has another root for a size that is here.
    Forked,
}

/// The own log. Cheap to clone. What reads files blocks for some microseconds.
#[derive(Clone)]
pub struct LogHandle {
    shared: Arc<Shared>,
    signer: NoteSigner,
    sender: mpsc::Sender<Message>,
}

impl LogHandle {
    pub(crate) fn new(
        shared: Arc<Shared>,
        signer: NoteSigner,
        sender: mpsc::Sender<Message>,
    ) -> LogHandle {
        LogHandle { shared, signer, sender }
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.shared.origin
    }

    /// What checks the log's checkpoints.
    pub fn log_key(&self) -> &VerifierKey {
        self.signer.vkey()
    }

    /// Signs the log's checkpoints.
    pub(crate) fn signer(&self) -> &NoteSigner {
        &self.signer
    }

    /// The newest checkpoint with its quorum; `None` before the first.
    pub fn published(&self) -> Option<Published> {
        self.shared.published.borrow().clone()
    }

    /// Tells every newly published checkpoint.
    pub fn subscribe_published(&self) -> watch::Receiver<Option<Published>> {
        self.shared.published.subscribe()
    }

    /// Tells the signed checkpoint that waits for its quorum: witnesses are asked for this one.
    pub fn subscribe_unsigned(&self) -> watch::Receiver<Option<Arc<SignedNote>>> {
        self.shared.unsigned.subscribe()
    }

    /// Tells why the writer ended, if something failed: the process then exits with 70.
    pub fn subscribe_stopped(&self) -> watch::Receiver<Option<String>> {
        self.shared.stopped.subscribe()
    }

    /// Brings cosignatures: a note of the same text, or with only the witness's line. Wrong ones
    /// are passed over; the same again changes nothing.
    pub fn cosigned(&self, note: SignedNote) {
        self.tell(Message::Cosigned(note));
    }

    /// Why a cosignature that states this instant does not count; `None` if it does.
    pub(crate) fn doubt(&self, at: Timestamp, now: Timestamp) -> Option<String> {
        self.shared.doubt(at, now)
    }

    /// Has the published checkpoint cosigned anew, unless a newer one is on its way.
    pub fn renew(&self) {
        self.tell(Message::Renew);
    }

    /// The newest tree that this log is known to have made; a read-only one may serve less.
    pub(super) fn stated_head(&self) -> Head {
        self.shared.stated_head()
    }

    /// The newest sequenced tree, perhaps not published yet.
    pub fn head(&self) -> Head {
        self.shared.head()
    }

    /// Whether the log can sign.
    pub fn signing(&self) -> Signing {
        self.shared.signing()
    }

    /// Whether nothing is taken until there is room on the disk again.
    pub fn is_full(&self) -> bool {
        self.shared.full()
    }

    /// Whether admission can tell duplicates.
    pub fn index_ready(&self) -> bool {
        self.shared.index_ready()
    }

    /// Entries and bodies in the index, while it is built.
    pub fn indexed(&self) -> u64 {
        self.shared.indexed()
    }

    /// Throws the index of the own log away; done when the receiver says so.
    pub(super) fn reindex(&self) -> tokio::sync::oneshot::Receiver<Answer> {
        let (reply, done) = tokio::sync::oneshot::channel();
        self.tell(Message::Reindex { ticket: Ticket { reply, permit: None } });
        done
    }

    /// Durable bodies that are not in the tree yet.
    pub fn unlogged(&self) -> u64 {
        self.shared.unlogged()
    }

    /// Tiles and entry bundles that were found lost or damaged when they were read.
    pub fn damaged_tiles(&self) -> Vec<PathBuf> {
        self.shared.tiles.damaged()
    }

    /// Segments of the packs with a record that was found damaged.
    pub fn damaged_packs(&self) -> BTreeSet<PathBuf> {
        self.shared.damaged_packs()
    }

    pub(super) fn damage(&self) -> (u64, u64) {
        self.shared.damage()
    }

    /// The bytes of a tile or entry bundle below the published size; `None` if there is no such.
    /// It is proved by the published root, whatever its file holds.
    pub fn tile(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        let published = self.published().map_or(Head::EMPTY, |published| published.head);
        self.shared.tiles.read(path, published)
    }

    /// Entries of the sequenced tree.
    pub fn entries(&self, range: Range<u64>) -> Result<Vec<Entry>, StoreError> {
        self.shared.tiles.entries(range, self.head().size)
    }

    /// Where an id is in the sequenced tree.
    pub fn index_of(&self, id: &ContentId) -> Result<Option<(u64, Entry)>, StoreError> {
        let index = self.shared.catalogue.entry(self.shared.log, id)?;
        // The index may know more than a read-only log can prove.
        let Some(index) = index.filter(|index| *index < self.head().size) else {
            return Ok(None);
        };
        let entry = self.shared.entry(index)?;
        if entry.id == *id {
            return Ok(Some((index, entry)));
        }
        // Only a damaged index says so; it is never believed.
        Ok(None)
    }

    /// The first attestation of the own log with this natural identity.
    pub fn same_statement(&self, identity: &[u8; 32]) -> Result<Option<ContentId>, StoreError> {
        Ok(self.shared.catalogue.identity(identity)?)
    }

    /// What the `label` attestations of the own log say about a class of goods, in the tree or
    /// not.
    pub fn labels(&self, class: &GoodsId) -> Result<Vec<(ContentId, OrgId, Label)>, StoreError> {
        Ok(self.shared.catalogue.labels(class)?)
    }

    /// Whether the own log holds the body, in the tree or not.
    pub fn holds(&self, id: &ContentId) -> Result<bool, StoreError> {
        Ok(self.shared.place(id)?.is_some())
    }

    /// A body of the own log, in the tree or not; `None` if unknown or erased.
    pub fn body(&self, id: &ContentId) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.own_body(id)
    }

    /// Of a body of the own log that is damaged, the SHA-256 of the bytes that are there instead, as
    /// an id; `None` if none are.
    pub fn held_as(&self, id: &ContentId) -> Result<Option<ContentId>, StoreError> {
        self.shared.held_as(id)
    }

    /// The root of the first `size` entries.
    pub fn root_at(&self, size: u64) -> Result<Hash, StoreError> {
        self.shared.tiles.root_within(size, self.head().size)
    }

    /// Proof that the tree of `from` entries is a prefix of that of `to`.
    pub fn consistency_proof(&self, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        self.shared.tiles.consistency(from, to, self.head())
    }

    /// Proof that the entry at `index` is in the tree of `size`.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, StoreError> {
        self.shared.tiles.inclusion(index, size, self.head())
    }

    /// The entry at `index`, and whether it is in that earlier tree of this log.
    pub fn entry_under(&self, index: u64, under: Head) -> Result<(Entry, bool), StoreError> {
        let entry = self.shared.entry(index)?;
        let leaf = entry.leaf_hash();
        Ok((entry, self.shared.tiles.includes(&leaf, index, under, self.head())?))
    }

    /// The time interval of the entry at `index`, which was read; `None` while no published
    /// checkpoint has it.
    pub fn time_of(&self, index: u64, entry: &Entry) -> Option<EntryTime> {
        self.shared.read_times(|times| times.of(index, entry))
    }

    /// Where an attestation is under the published checkpoint, with its receipt; `None` while it
    /// is only stored, and in a tree of one entry, which has no receipt.
    pub fn recorded(&self, id: &ContentId) -> Result<Option<Recorded>, StoreError> {
        let Some(published) = self.published() else {
            return Ok(None);
        };
        let Some((index, entry)) = self.index_of(id)? else {
            return Ok(None);
        };
        let size = published.head.size;
        if size <= index || size < 2 {
            return Ok(None);
        }
        let path = self.inclusion_proof(index, size)?;
        let root = merkle::root_from_inclusion(&entry.leaf_hash(), index, size, &path);
        if root.ok() != Some(published.head.root) {
            let bundle = TilePath::Entries { index: index / TILE_WIDTH, width: 0 };
            let reason = format!("entry {index} in it is not the one that was logged");
            return Err(StoreError::damaged(&self.shared.tiles.path(&bundle.full()), reason));
        }
        let parts = ReceiptParts { entry: &entry, index, path: &path, checkpoint: &published.note };
        let receipt = Receipt::sign(parts, &**self.signer.signer())
            .map_err(|source| StoreError::Sign { source })?;
        Ok(Some(Recorded { id: *id, index, entry, receipt }))
    }

    /// The COSE receipt of an attestation; `None` while there is none.
    pub fn receipt(&self, id: &ContentId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.recorded(id)?.map(|recorded| recorded.receipt))
    }

    /// Compares a checkpoint of this log that a witness holds with what is here.
    pub fn compare(&self, theirs: &Checkpoint) -> Result<GuardView, StoreError> {
        let head = self.head();
        if self.shared.has_given_up(Head { size: theirs.size, root: theirs.root }) {
            return Ok(GuardView::Within);
        }
        if head.size < theirs.size {
            return Ok(GuardView::Ahead);
        }
        let same = self.root_at(theirs.size)? == theirs.root;
        Ok(if same { GuardView::Within } else { GuardView::Forked })
    }

    /// Lets the log sign: every possible quorum was heard, and nobody is ahead.
    pub fn guard_satisfied(&self) {
        self.tell(Message::GuardSatisfied);
    }

    /// Ends all taking and signing because a durable write beside the log failed: the process then
    /// exits, as after one of the log's own.
    pub(crate) fn fail(&self, cause: String) {
        self.shared.stop(cause);
    }

    /// Makes the log read-only: what a witness saw is more than is here, or other. While the node
    /// runs that means that another process signs this log.
    pub(crate) fn guard_refused(&self, refused: &Refused, is_running: bool) {
        self.tell(Message::GuardRefused(self.refusal(refused, is_running)));
    }

    /// Makes the log read-only: another process that signs it answers at this address.
    pub(crate) fn twin_found(&self, url: &str) {
        self.tell(Message::GuardRefused(self.twin_refusal(url)));
    }

    /// Why another process forbids this log to sign.
    pub(crate) fn twin_refusal(&self, url: &str) -> Refusal {
        let cause = format!("{} is signed by another process too, at {url}", self.origin());
        Refusal { cause, help: TWIN_HELP, note: None }
    }

    /// Why what a witness saw forbids this log to sign, and what to do.
    pub(crate) fn refusal(&self, refused: &Refused, is_running: bool) -> Refusal {
        let (ours, size) = (self.head().size, refused.size);
        let (cause, help) = match (refused.view, is_running) {
            (GuardView::Forked, _) => {
                (format!("a witness holds another tree of this log at size {size}"), FORK_HELP)
            }
            (_, false) => (ahead(size, ours), GUARD_HELP),
            (_, true) => (ahead(size, ours), COPY_HELP),
        };
        Refusal { cause, help, note: refused.note.clone() }
    }

    pub(super) fn set_own_witness(&self, key: Option<VerifierKey>) {
        self.shared.set_own_witness(key);
    }

    pub(super) fn set_departed(&self, network: &Network) {
        self.shared.set_departed(network);
    }

    pub(super) fn set_policy(&self, policy: &Policy) {
        self.shared.set_policy(policy.clone());
        self.tell(Message::PolicyChanged);
    }

    fn tell(&self, message: Message) {
        // A writer that is gone has said why in `subscribe_stopped`.
        let _ = self.sender.send(message);
    }
}
