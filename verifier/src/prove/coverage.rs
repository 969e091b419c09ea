//! Of which entries the bodies are at hand: what absence can be concluded from.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::kind::KindName;

use super::log::LogState;
use crate::evidence::{Coverage, ProvenAttestation};

/// One row for each log as a whole, and one for each issuer and kind that it holds.
pub(super) fn of(
    logs: &[LogState],
    attestations: &[ProvenAttestation],
    held: &BTreeSet<(usize, u64)>,
) -> Vec<Coverage> {
    let mut rows = Vec::new();
    for (number, log) in logs.iter().enumerate() {
        if let Some(whole) = whole(number, log, held) {
            let by_issuer = by_issuer(&whole, attestations);
            rows.push(whole);
            rows.extend(by_issuer);
        }
    }
    rows
}

fn whole(number: usize, log: &LogState, held: &BTreeSet<(usize, u64)>) -> Option<Coverage> {
    let (first, first_entry) = log.entries.first()?;
    let (last, last_entry) = log.entries.last()?;
    let bodies_held = held.range((number, 0)..(number + 1, 0)).count() as u64;
    Some(Coverage {
        log: log.origin.clone(),
        issuer: None,
        kind: None,
        from_entry: *first,
        to_entry: last + 1,
        from_at: log.time(*first, first_entry).lo,
        to_at: log.time(*last, last_entry).hi,
        bodies_held,
        bodies_missing: log.size().saturating_sub(bodies_held),
    })
}

/// Nobody can know whose a missing body is, so each row counts all that the log lacks.
fn by_issuer(whole: &Coverage, attestations: &[ProvenAttestation]) -> Vec<Coverage> {
    let mut groups: BTreeMap<(String, KindName), u64> = BTreeMap::new();
    for proven in attestations.iter().filter(|proven| proven.origin == whole.log) {
        let attestation = &proven.attestation;
        let key = (attestation.claims().iss.to_string(), attestation.body().kind());
        *groups.entry(key).or_default() += 1;
    }
    let row = |((issuer, kind), bodies_held)| Coverage {
        issuer: Some(issuer),
        kind: Some(kind),
        bodies_held,
        ..whole.clone()
    };
    groups.into_iter().map(row).collect()
}
