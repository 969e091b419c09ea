//! Bodies that are asked for in a logged demand and that are not at hand.
//!
//! Invariants: a body is missing only where its entry is proved at hand, and where neither its bytes
//! nor an erasure are; nothing here says that anybody withholds it, which no evidence can prove.

use std::collections::BTreeMap;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::time::Timestamp;

use super::erased::Erased;
use super::log::LogState;
use crate::evidence::{Evidence, ProvenAttestation};

/// A body that a demand names and that is not at hand: a row of the table `missing_bodies`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// The demand.
    pub demand: ContentId,
    /// The body.
    pub body: ContentId,
    /// The log that names it.
    pub log: String,
    /// Its entry there.
    pub entry: u64,
    /// The audience byte of that entry.
    pub audience: u8,
    /// Up to when the log of whoever demands it is at hand, with the bodies that every member may
    /// read: that the demand was met may be said there later.
    pub seen_to: Timestamp,
}

impl Missing {
    /// The audience, by the entry.
    pub const fn audience(&self) -> &'static str {
        match self.audience {
            0 => "public",
            1 => "members",
            _ => "named",
        }
    }
}

/// The missing ones, in the order of the demands.
pub(super) fn of(
    attestations: &[ProvenAttestation],
    logs: &[LogState],
    (evidence, erased): (&Evidence, &Erased<'_>),
) -> Vec<Missing> {
    let logs: BTreeMap<&str, &LogState> =
        logs.iter().map(|log| (log.origin.as_str(), log)).collect();
    let is_gone = |id: &ContentId| {
        let bodies = &evidence.bodies;
        !bodies.knows(id) && !bodies.is_erased(id) && !erased.has_anywhere(id)
    };
    let mut unseen: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    let mut found = Vec::new();
    for proven in attestations {
        let Body::Demand(demand) = proven.attestation.body() else { continue };
        let named = logs.get(demand.log.as_str()).and_then(|log| {
            let proves = log.proves(demand.entry, demand.body) && is_gone(&demand.body);
            log.entry(demand.entry).filter(|_| proves)
        });
        let (Some(entry), Some(log)) = (named, logs.get(proven.origin.as_str())) else { continue };
        let unseen = unseen.entry(&log.origin).or_insert_with(|| unseen_of(log, is_gone));
        let Some(seen_to) = seen_to(log, unseen, proven.entry) else { continue };
        found.push(Missing {
            demand: proven.attestation.id(),
            body: demand.body,
            log: demand.log.clone(),
            entry: demand.entry,
            audience: entry.audience,
            seen_to,
        });
    }
    found
}

/// Entries of a log that may say that a demand was met, and that cannot be read here: of bodies that
/// every member may read, and the first of each range that is not at hand.
fn unseen_of(log: &LogState, is_gone: impl Fn(&ContentId) -> bool) -> Vec<u64> {
    let (mut unseen, mut next) = (Vec::new(), 0);
    for (index, entry) in &log.entries {
        if next < *index {
            unseen.push(next);
        }
        if entry.audience < 2 && is_gone(&entry.id) {
            unseen.push(*index);
        }
        next = index + 1;
    }
    if next < log.size() {
        unseen.push(next);
    }
    unseen
}

/// Up to when all is at hand that a log says after this entry of it.
fn seen_to(log: &LogState, unseen: &[u64], after: u64) -> Option<Timestamp> {
    let Some(first) = unseen.get(unseen.partition_point(|index| *index <= after)) else {
        return Some(log.newest_dated()?.vouched_at);
    };
    let last = first.checked_sub(1)?;
    Some(log.time(last, log.entry(last)?).lo)
}
