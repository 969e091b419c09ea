//! Single entries: receipts and proofs that come without the ranges of their log.

use hallmark_schemas::entry::Entry;
use hallmark_schemas::note::VerifierKey;
use hallmark_schemas::policy::QuorumTime;
use hallmark_schemas::proof::Inclusion;
use hallmark_schemas::receipt::Recorded;
use hallmark_schemas::time::{EntryTime, Timestamp};

use super::LogState;
use crate::evidence::{Bodies, Defect, DefectKind, chain};
use crate::prove::network::Policies;
use crate::step::Step;

impl LogState {
    /// Checks the receipts and proofs: each gives entry and time of one place.
    pub(super) fn include(
        &mut self,
        key: &VerifierKey,
        policies: &Policies,
        bodies: &Bodies,
        defects: &mut Vec<Defect>,
    ) {
        for inclusion in std::mem::take(&mut self.inclusions) {
            let entry = inclusion.entry;
            let fault = |detail, step| Defect {
                subject: "receipt".to_owned(),
                cites: vec![entry.id],
                step: Some(step),
                ..self.defect(DefectKind::BadProof, detail)
            };
            let recorded = match inclusion.read(bodies) {
                Err(detail) => Err((detail, Step::Receipt)),
                Ok(read) => self
                    .recorded(&entry, &read, key, policies)
                    .map_err(|detail| (detail, stopped_at(&read, &entry, key))),
            };
            let recorded = match recorded {
                Ok(recorded) => recorded,
                Err((detail, step)) => {
                    defects.push(fault(detail, step));
                    continue;
                }
            };
            let time = match recorded.quorum {
                QuorumTime::At(hi) => EntryTime::under(entry.admitted_at, hi),
                QuorumTime::Unwitnessed => EntryTime::at(entry.admitted_at),
            };
            match self.entry(recorded.index) {
                Some(known) if *known != entry => {
                    let detail =
                        format!("the receipt says entry {}, which is another", recorded.index);
                    defects.push(fault(detail, Step::Receipt));
                }
                Some(_) => {
                    self.claimed.insert(recorded.index);
                }
                None => {
                    self.included.insert(recorded.index, (entry, time));
                }
            }
        }
    }

    /// What the proof shows under a policy that was in force when its checkpoint was made; a time
    /// that witnesses vouch for is worth more than the log's own. As in any checkpoint, a wrong
    /// cosignature of a witness that some version knows refuses the proof.
    fn recorded(
        &self,
        entry: &Entry,
        inclusion: &Inclusion,
        key: &VerifierKey,
        policies: &Policies,
    ) -> Result<Recorded, String> {
        let note = inclusion.checkpoint();
        for policy in policies.all() {
            policy.quorum_met(note).map_err(|error| {
                format!("the checkpoint in the proof of entry {}: {error}", inclusion.index())
            })?;
        }
        // Without the newest entry of its tree, the checkpoint is at least as new as this one.
        let size = note.checkpoint().map_err(|error| error.to_string())?.size;
        let newest = size.checked_sub(1).and_then(|last| self.entry(last));
        let newest = newest.map(|newest| newest.admitted_at);
        let from = newest.unwrap_or(entry.admitted_at);
        let mut found: Result<Recorded, String> = Err("no witness policy is known".to_owned());
        for version in policies.in_force(from, newest) {
            match inclusion.verify(entry.id, key, version.policy) {
                Ok(recorded) if !version.takes(recorded.quorum) => {}
                Ok(recorded) if recorded.quorum != QuorumTime::Unwitnessed => return Ok(recorded),
                Ok(recorded) => found = Ok(recorded),
                Err(error) => found = found.map_err(|_| chain(&error)),
            }
        }
        if found.is_ok() && self.is_witnessed(size, from, policies) {
            return Err(format!(
                "the checkpoint of size {size} was published with its witnesses, the one in the \
                 proof of entry {} lacks them",
                inclusion.index()
            ));
        }
        found
    }

    /// Whether every published checkpoint of this size at hand has a quorum of witnesses: soon
    /// after a policy changed, an older one that asks for none does not excuse a proof over it.
    fn is_witnessed(&self, size: u64, newest: Timestamp, policies: &Policies) -> bool {
        let published = self.notes.iter().filter(|note| note.checkpoint.size == size);
        let mut quorums = published.map(|note| policies.quorum(&note.note, newest)).peekable();
        quorums.peek().is_some() && quorums.all(|quorum| matches!(quorum, Some(QuorumTime::At(_))))
    }
}

/// The step at which a proof that does not hold stops: its way to a root, the log's word for that
/// root, or its witnesses.
fn stopped_at(inclusion: &Inclusion, entry: &Entry, key: &VerifierKey) -> Step {
    let note = inclusion.checkpoint();
    let size = note.checkpoint().map(|stated| stated.size).ok();
    let is_signed = match inclusion {
        Inclusion::Receipt(receipt) => {
            Some(receipt.size()) == size && receipt.verify_root(entry.id, key).is_ok()
        }
        Inclusion::Proof(_) => true,
    };
    if !is_signed || !inclusion.leads_to_root(entry.id) {
        Step::Receipt
    } else if note.checkpoint_of(key).is_err() {
        Step::Checkpoint
    } else {
        Step::Witnesses
    }
}
