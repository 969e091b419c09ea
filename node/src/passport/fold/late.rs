//! A code that was in use before its label was ordered.
//!
//! Invariants: what is compared are the times at which logs took the records, which their witnesses
//! prove; what an event says of its own time is a claim and counts for nothing here, so whoever
//! drains a spool late is told nothing; where not all was read nobody is suspected.

use std::collections::BTreeSet;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::label::State;
use hallmark_schemas::time::EntryTime;

use super::super::decide::Issuance;
use super::super::gather::{Evidence, Level, Proven};
use super::super::view::LateLabel;
use super::{Given, day, journey};

/// So far the clocks of two logs may be apart.
pub(super) const CLOCKS_APART_MS_MAX: i64 = 10 * 60_000;

/// The order that made the label, where the code was recorded before it.
pub(super) fn label(
    evidence: &Evidence,
    records: &[&Proven],
    given: &Given<'_>,
) -> Option<LateLabel> {
    if given.labels.issuance != Issuance::Issued || evidence.is_cut {
        return None;
    }
    let orders = with_earlier_versions(evidence, given.labels.orders.as_ref()?);
    let is_making = |one: &&Proven| {
        let id = one.verified.id();
        matches!(one.verified.body(), Body::Label(label) if label.state == State::Made)
            && orders.contains(&id)
    };
    let made = evidence.records.iter().filter(is_making).min_by_key(|one| one.time.lo)?;
    let declared = journey::declared_errors(records);
    let is_sight = |one: &&&Proven| match one.verified.body() {
        Body::Event(event) => {
            !declared.contains(&(&one.verified.claims().iss, event.fields().identity()))
        }
        Body::Confirmation(_) => true,
        _ => false,
    };
    let is_early = |one: &&&Proven| {
        one.level == Level::Own && is_before(one.time, made.time, one.origin == made.origin)
    };
    let sights = records.iter().filter(is_sight).filter(is_early);
    let first = sights.min_by_key(|one| (one.time.hi, one.verified.id()))?;
    Some(LateLabel { seen: first.is_public.then(|| day(first.time.hi)), made: day(made.time.lo) })
}

/// With what these orders correct: the first version tells when the label was ordered.
fn with_earlier_versions(evidence: &Evidence, orders: &BTreeSet<ContentId>) -> BTreeSet<ContentId> {
    let mut all = orders.clone();
    loop {
        let earlier = evidence.records.iter().filter(|one| all.contains(&one.verified.id()));
        let earlier: Vec<_> = earlier.filter_map(|one| one.verified.body().replaces()).collect();
        let before = all.len();
        all.extend(earlier);
        if all.len() == before {
            return all;
        }
    }
}

/// Whether an entry was there before another one can have been.
pub(super) fn is_before(one: EntryTime, other: EntryTime, is_one_log: bool) -> bool {
    let apart = if is_one_log { 0 } else { CLOCKS_APART_MS_MAX };
    apart < other.lo.ms_since(one.hi)
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::time::Timestamp;

    use super::*;

    #[test]
    fn an_entry_is_before_another_only_where_the_clocks_of_their_logs_cannot_hide_it() {
        let at = |lo: u64, hi: u64| EntryTime {
            lo: Timestamp::from_unix_ms(lo),
            hi: Timestamp::from_unix_ms(hi),
        };
        let minute = 60_000;
        for (one, other, is_one_log, expected) in [
            (at(0, 10), at(11, 20), true, true),
            (at(0, 10), at(10, 20), true, false),
            (at(0, 15), at(10, 20), true, false),
            (at(11, 20), at(0, 10), true, false),
            (at(0, 10), at(11, 20), false, false),
            (at(0, 0), at(10 * minute, 11 * minute), false, false),
            (at(0, 0), at(10 * minute + 1, 11 * minute), false, true),
        ] {
            assert_eq!(is_before(one, other, is_one_log), expected, "{one:?} {other:?}");
        }
    }
}
