//! The fork guard: whether this log may sign after a start.
//!
//! Invariants: yes only if every possible quorum has a member that told its newest checkpoint of
//! this log, and none told more than is here; the own witness lies in the same folder as the log
//! and may have been put back with it, so its word counts only where there is no other.

use std::collections::BTreeSet;

use hallmark_schemas::note::{Checkpoint, NoteError, SignedNote, VerifierKey};
use hallmark_schemas::policy::Policy;

use super::Witness;
use crate::core::GuardView;
use crate::mirror::Mirror;
use crate::mutants::mutant;
use crate::store::StoreError;

/// What follows from what was heard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Too few witnesses were heard.
    Waiting,
    /// Signing may begin.
    Satisfied,
    /// A witness holds more of this log than is here, or other: it must never sign again here.
    Refused(Refused),
}

/// What a witness holds of this log that is not here.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// How many entries it has seen.
    pub size: u64,
    /// How that differs.
    pub view: GuardView,
    /// The checkpoint that says so, signed by this log; `None` if there is only the witness's word.
    pub note: Option<SignedNote>,
}

/// Why a witness's answer says nothing.
#[derive(Debug, thiserror::Error)]
pub enum GuardFault {
    /// It is not under this log's signature.
    #[error("a witness holds a checkpoint of this log that this log did not sign")]
    NotOurs(#[from] NoteError),
    /// Our own files cannot be read.
    #[error("cannot compare with a witness")]
    Store(#[from] StoreError),
}

/// Who was heard since the start, under one policy.
pub struct Guard {
    policy: Policy,
    own: VerifierKey,
    heard: BTreeSet<String>,
    refused: Option<Refused>,
}

impl Guard {
    /// Nobody was heard yet. `own` is the key of this node's own witness.
    pub fn new(policy: Policy, own: VerifierKey) -> Guard {
        Guard { policy, own, heard: BTreeSet::new(), refused: None }
    }

    /// Takes the newest checkpoint of this log that a witness of the policy, named so there, holds;
    /// `None` if it holds none. `compare` holds it against what is here.
    pub fn heard(
        &mut self,
        witness: &str,
        newest: Option<&SignedNote>,
        log_key: &VerifierKey,
        compare: impl FnOnce(&Checkpoint) -> Result<GuardView, StoreError>,
    ) -> Result<(), GuardFault> {
        if let Some(note) = newest {
            let theirs = note.checkpoint_of(log_key)?;
            let view = compare(&theirs)?;
            self.stands(witness, theirs.size, view, Some(note));
        } else {
            self.heard.insert(witness.to_owned());
        }
        Ok(())
    }

    /// Takes how many entries of this log a witness has seen, and how that compares with what is
    /// here.
    pub fn stands(&mut self, witness: &str, size: u64, view: GuardView, note: Option<&SignedNote>) {
        if view == GuardView::Within || mutant("sign-without-guard") {
            self.heard.insert(witness.to_owned());
        } else {
            self.refused = Some(Refused { size, view, note: note.cloned() });
        }
    }

    /// What follows.
    pub fn verdict(&self) -> Verdict {
        if let Some(refused) = &self.refused {
            return Verdict::Refused(refused.clone());
        }
        let is_alone = self.policy.witnesses().iter().all(|witness| witness.key == self.own);
        let counts_own = is_alone || mutant("guard-counts-own-witness");
        let met = self.policy.guard_met(|witness| {
            self.heard.contains(&witness.name) && (counts_own || witness.key != self.own)
        });
        if met || mutant("sign-without-guard") { Verdict::Satisfied } else { Verdict::Waiting }
    }

    /// How many were heard.
    pub fn count(&self) -> usize {
        self.heard.len()
    }
}

/// The checkpoints of one log that a node holds: as witness, and as mirror. Each has only grown; the
/// two may be of two trees where that log lies, so both are told.
pub type Holds = [Option<SignedNote>; 2];

/// What this node holds of the log with this hex of its origin, as [`Holds`]: what another node's
/// guard hears, and another's witness that has forgotten.
pub fn holds(witness: &Witness, mirror: &Mirror, hex: &str) -> [Option<String>; 2] {
    let held = mirror.by_digest(hex).and_then(|log| log.checkpoint());
    [witness.seen(hex).map(|seen| seen.note), held.map(|held| held.to_string())]
}

/// The newest checkpoint of the log with this hex of its origin that this node has seen, as witness
/// or as mirror.
pub fn newest_held(witness: &Witness, mirror: &Mirror, hex: &str) -> Option<String> {
    let seen = witness.seen(hex);
    let held = mirror.by_digest(hex);
    let held = held.and_then(|log| Some((log.head().size, log.checkpoint()?)));
    match (seen, held) {
        (Some(seen), Some((size, held))) if seen.size < size => Some(held.to_string()),
        (Some(seen), _) => Some(seen.note),
        (None, held) => held.map(|(_, held)| held.to_string()),
    }
}
