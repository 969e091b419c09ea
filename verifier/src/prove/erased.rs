//! Bodies that were erased on purpose: no loss where the log itself says so.
//!
//! Invariants: an erasure counts in the log that it stands in, from the organisation whose log that
//! is; a tombstone that no erasure explains is a withheld body.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::erasure::Erasure;

use super::log::LogState;
use crate::evidence::{Defect, DefectKind, Evidence, ProvenAttestation};

/// What was erased, by log.
pub(super) struct Erased<'a> {
    proved: BTreeMap<String, BTreeSet<ContentId>>,
    /// Named by erasures that may not be under a checkpoint yet.
    stored: &'a BTreeSet<ContentId>,
}

impl Erased<'_> {
    /// By the erasures among what is proved.
    pub(super) fn of<'a>(attestations: &[ProvenAttestation], evidence: &'a Evidence) -> Erased<'a> {
        let mut proved: BTreeMap<String, BTreeSet<ContentId>> = BTreeMap::new();
        for one in attestations {
            if let Body::Erasure(body) = one.attestation.body()
                && Erasure::is_of(one.attestation.claims(), &one.origin)
            {
                proved.entry(one.origin.clone()).or_default().insert(body.erased);
            }
        }
        Erased { proved, stored: &evidence.erasing }
    }

    /// Whether the log says that it was erased.
    pub(super) fn has(&self, origin: &str, id: &ContentId) -> bool {
        self.proved.get(origin).is_some_and(|erased| erased.contains(id))
    }

    /// The same of any log at hand.
    pub(super) fn has_anywhere(&self, id: &ContentId) -> bool {
        self.proved.values().any(|erased| erased.contains(id))
    }

    /// Tombstones that nothing explains. A node writes one once its erasure is published, which may
    /// be after the checkpoint that was read here.
    pub(super) fn unexplained(
        &self,
        logs: &[LogState],
        evidence: &Evidence,
        defects: &mut Vec<Defect>,
    ) {
        for log in logs.iter().filter(|log| log.kept) {
            for (index, entry) in log.places() {
                let id = &entry.id;
                if evidence.bodies.is_erased(id)
                    && !self.has(&log.origin, id)
                    && !self.stored.contains(id)
                {
                    let detail = format!(
                        "the body of entry {index} was erased, and no erasure in the log says so"
                    );
                    defects.push(log.defect_at(index, DefectKind::Withheld, *id, detail));
                }
            }
        }
    }

    /// How many bodies of each log are withheld by erasure, which is no loss.
    pub(super) fn notes(&self, logs: &[LogState], evidence: &Evidence) -> Vec<String> {
        let is_erased = |log: &LogState, id: &ContentId| {
            let gone = evidence.bodies.is_erased(id) || !evidence.bodies.knows(id);
            gone && (self.has(&log.origin, id) || evidence.bodies.is_erased(id))
        };
        let count =
            |log: &LogState| log.places().filter(|(_, entry)| is_erased(log, &entry.id)).count();
        let counts = logs.iter().map(|log| (&log.origin, count(log)));
        let note = |(origin, count): (&String, usize)| {
            let (bodies, their, each) = match count {
                1 => ("1 body was", "its entry still proves", "it was"),
                _ => ("bodies were", "their entries still prove", "each was"),
            };
            let bodies = if count == 1 { bodies.to_owned() } else { format!("{count} {bodies}") };
            format!("{origin}: {bodies} erased; {their} when {each} there, and its digest")
        };
        counts.filter(|(_, count)| 0 < *count).map(note).collect()
    }
}
