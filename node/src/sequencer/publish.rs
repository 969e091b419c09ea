//! From a sequenced tree to a published checkpoint: signed, cosigned by the quorum, told.
//!
//! Invariants: the own signature is verified before anyone sees it; nothing is recorded before
//! the witness policy is met, by cosignatures whose times can be; the same tree signed again after a restart gives the same bytes; a
//! renewal changes the cosignatures of what is published, never the tree or when entries came.

use std::sync::Arc;

use hallmark_schemas::head::Head;
use hallmark_schemas::key::SignError;
use hallmark_schemas::note::{Checkpoint, NoteError, NoteSigner, SignedNote};
use hallmark_schemas::policy::QuorumTime;
use hallmark_schemas::time::Timestamp;

use super::{SequenceError, Sequencer};
use crate::core::shared::{Published, Shared, Signing};
use crate::mutants::mutant;
use crate::store::StoreError;

/// Why a checkpoint of the own log cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The log's key did not sign.
    #[error("failed to sign the checkpoint of size {size}")]
    Sign {
        /// The size of the tree.
        size: u64,
        /// What the key's holder said.
        source: SignError,
    },
    /// The log's own signature does not verify.
    #[error("the own signature on the checkpoint of size {size} is wrong")]
    OwnSignature {
        /// The size of the tree.
        size: u64,
        /// What is wrong.
        source: NoteError,
    },
    /// A cosignature that was checked before is wrong now: memory or key changed.
    #[error("a cosignature that was right is wrong")]
    Cosignature(#[source] NoteError),
    /// The origin cannot stand in a note.
    #[error("the origin {origin} cannot name a checkpoint")]
    Origin {
        /// The origin.
        origin: String,
    },
}

/// A signed checkpoint that waits for its quorum.
pub(crate) struct Unpublished {
    head: Head,
    note: SignedNote,
}

/// Signs the checkpoint of a tree and checks the own signature.
pub(crate) fn sign_checkpoint(
    origin: &str,
    head: Head,
    signer: &NoteSigner,
) -> Result<SignedNote, CheckpointError> {
    let text = Checkpoint::new(origin, head.size, head.root).to_string();
    let signature = signer
        .sign(&text, Timestamp::EPOCH)
        .map_err(|source| CheckpointError::Sign { size: head.size, source })?;
    let note = SignedNote::unsigned(text);
    let mut note = note.ok_or_else(|| CheckpointError::Origin { origin: origin.to_owned() })?;
    note.add(signature);
    note.checkpoint_of(signer.vkey())
        .map_err(|source| CheckpointError::OwnSignature { size: head.size, source })?;
    Ok(note)
}

impl Sequencer {
    /// Signs the head if it is not published yet and may be signed.
    pub(super) fn sign(&mut self) -> Result<(), SequenceError> {
        let published = self.shared.published_size();
        if !self.guarded || self.unpublished.is_some() || self.head.size <= published {
            return Ok(());
        }
        let note = sign_checkpoint(&self.shared.origin, self.head, &self.signer)?;
        self.unpublished = Some(Unpublished { head: self.head, note });
        self.renewal = None;
        self.publish_or_ask()
    }

    /// Drops cosignatures that state an instant which cannot be: the checkpoint waits for others.
    pub(super) fn drop_incredible(&self, theirs: &mut SignedNote, now: Timestamp) {
        let (vouchers, text) = (self.shared.vouchers(), theirs.text().to_owned());
        theirs.retain(|line| {
            let Some(witness) = vouchers.iter().find(|key| line.is_of(key)) else {
                return true;
            };
            // A wrong one is refused where it is counted.
            let at = witness.check(&text, &line.signature).ok();
            let doubt = at.and_then(|at| self.shared.doubt(at, now));
            if let Some(reason) = &doubt {
                tracing::warn!(witness = witness.name(), reason, "refused a cosignature");
            }
            doubt.is_none()
        });
    }

    /// Takes cosignatures of the unpublished checkpoint; those of another one are passed over.
    pub(crate) fn cosigned(&mut self, theirs: &SignedNote) -> Result<(), SequenceError> {
        let vouchers = self.shared.vouchers();
        let waiting = match &mut self.unpublished {
            Some(unpublished) => Some(&mut unpublished.note),
            None => self.renewal.as_mut(),
        };
        let Some(waiting) = waiting.filter(|note| note.text() == theirs.text()) else {
            return Ok(());
        };
        for signature in theirs.signatures() {
            let Some(witness) = vouchers.iter().find(|key| signature.is_of(key)) else {
                continue;
            };
            if !waiting.add_newest(signature.clone(), witness) {
                tracing::warn!(witness = witness.name(), "refused a wrong cosignature");
            }
        }
        self.publish_if_met()?;
        self.renew_if_met()
    }

    /// Asks the witnesses for new cosignatures of the published checkpoint, unless a newer one is
    /// on its way to them.
    pub(crate) fn renew(&mut self) -> Result<(), SequenceError> {
        let is_idle = self.guarded && self.unpublished.is_none();
        if !is_idle || self.shared.vouchers().is_empty() {
            return Ok(());
        }
        let Some(published) = self.shared.published.borrow().clone() else {
            return Ok(());
        };
        let note = sign_checkpoint(&self.shared.origin, published.head, &self.signer)?;
        self.shared.unsigned.send_replace(Some(Arc::new(note.clone())));
        self.renewal = Some(note);
        Ok(())
    }

    /// What is published under a policy that is no longer in force is cosigned by its new witnesses.
    pub(crate) fn policy_changed(&mut self) -> Result<(), SequenceError> {
        self.publish_or_ask()?;
        let policy = self.shared.policy();
        let published = self.shared.published.borrow().clone();
        match published {
            Some(published) if !matches!(policy.quorum_met(&published.note), Ok(Some(_))) => {
                self.renew()
            }
            _ => Ok(()),
        }
    }

    /// Puts the renewed checkpoint in the place of the published one once a quorum has spoken.
    pub(super) fn renew_if_met(&mut self) -> Result<(), SequenceError> {
        let Some(note) = &self.renewal else {
            return Ok(());
        };
        let Some(at) = self.shared.cosigned_at(note) else {
            return Ok(());
        };
        // Where there is no room the older ones stay, and this is done again.
        self.checkpoints.renew(&note.to_bytes())?;
        let note = self.renewal.take().expect("looked at above");
        tracing::debug!(%at, "the published checkpoint is cosigned anew");
        self.shared.unsigned.send_replace(None);
        self.shared.published.send_modify(|published| {
            if let Some(published) = published {
                published.note = Arc::new(note);
                published.cosigned_at = Some(at);
            }
        });
        Ok(())
    }

    /// Publishes the signed checkpoint, or asks every witness for what its policy lacks.
    ///
    /// Once for each checkpoint and policy: whoever asks begins anew with all of them, so that one
    /// asked again at each cosignature of a faster one would never come to answer.
    fn publish_or_ask(&mut self) -> Result<(), SequenceError> {
        self.publish_if_met()?;
        if let Some(unpublished) = &self.unpublished {
            self.shared.unsigned.send_replace(Some(Arc::new(unpublished.note.clone())));
        }
        Ok(())
    }

    /// Publishes the signed checkpoint if the witness policy is met.
    pub(crate) fn publish_if_met(&mut self) -> Result<(), SequenceError> {
        let policy = self.shared.policy();
        let Some(unpublished) = &self.unpublished else {
            return Ok(());
        };
        let quorum = policy.quorum_met(&unpublished.note).map_err(CheckpointError::Cosignature)?;
        let unmet = mutant("recorded-before-quorum").then_some(QuorumTime::Unwitnessed);
        let Some(quorum) = quorum.or(unmet) else {
            self.shared.set_signing(Signing::WaitingForQuorum);
            return Ok(());
        };
        let before = self.shared.published_size();
        // Where there is no room it stays unpublished, and this is done again.
        self.checkpoints.publish(&unpublished.note.to_bytes())?;
        let Unpublished { head, note } = self.unpublished.take().expect("looked at above");
        tracing::debug!(size = head.size, "published a checkpoint");
        if let Err(error) = self.shared.tiles.remove_partial(before, head.size) {
            // They only take room; `check` lists them.
            tracing::warn!(%error, "partial tiles stay");
        }
        self.shared.write_times(|times| times.push(head.size, quorum));
        learn(&self.shared, before, head.size)?;
        self.shared.unsigned.send_replace(None);
        self.shared.set_signing(Signing::Ready);
        let cosigned_at = self.shared.cosigned_at(&note);
        let published = Published { head, note: Arc::new(note), at: self.admitted_at, cosigned_at };
        self.shared.published.send_replace(Some(published));
        self.carry_out_erasures()
    }
}

/// Tells the key history of the identity attestations among the entries of a range.
///
/// One that cannot be read does not keep the others from being learnt; the first such is the error.
pub(super) fn learn(shared: &Shared, from: u64, to: u64) -> Result<(), StoreError> {
    let mut unread = Ok(());
    for (index, id) in shared.catalogue.identities(shared.log, from..to)? {
        let body = match shared.own_body(&id) {
            Ok(body) => body,
            Err(error) => {
                unread = unread.and(Err(error));
                continue;
            }
        };
        let Some(body) = body else { continue };
        let entry = shared.entry(index)?;
        if let Some(time) = shared.read_times(|times| times.of(index, &entry)) {
            shared.keys.learn(&shared.origin, index, &body, time);
        }
    }
    unread
}
