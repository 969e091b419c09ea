//! Records about the goods whose bodies were erased.
//!
//! Invariant: an erasure counts in the log of the organisation that keeps it, as whoever copies that
//! log carries it out; what was erased nobody can say, so nothing that is left is called complete.

use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::erasure::Erasure;

use super::super::gather::Proven;
use super::super::view::Erased;
use super::{Given, day};

/// Whether a record is an erasure that counts.
pub(super) fn counts(record: &Proven) -> bool {
    let claims = record.verified.claims();
    matches!(record.verified.body(), Body::Erasure(_)) && Erasure::is_of(claims, &record.origin)
}

/// All that name the goods, their lots or class, the newest first.
pub(super) fn of(records: &[&Proven], given: &Given<'_>) -> Vec<Erased> {
    let mut found = Vec::new();
    for record in records.iter().rev().filter(|one| counts(one)) {
        let Body::Erasure(body) = record.verified.body() else { continue };
        found.push(Erased {
            id: record.verified.id().to_string(),
            record: body.erased.to_string(),
            by: (given.party)(&record.verified.claims().iss),
            day: day(record.time.hi),
            reason: body.reason.clone(),
        });
    }
    found
}
