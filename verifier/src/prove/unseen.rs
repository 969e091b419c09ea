//! What of a log may be public records that are not at hand: a revocation is public, so it may be
//! among them and among nothing else.
//!
//! Invariants: a record is at hand where its bytes are; one that was erased is so in the folder that
//! did it alone, since elsewhere only its log says what it was not; what is told of an instant is
//! never later than what is at hand.

use std::collections::BTreeSet;
use std::ops::Range;

use hallmark_schemas::audience::Audience;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::time::Timestamp;

use super::log::LogState;
use crate::evidence::Bodies;

/// What may be public records of a log that are not at hand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Unseen {
    /// The first of it, for people.
    pub detail: String,
    /// Every public record that the log had by then is at hand; `None` where nothing says so of any
    /// instant.
    pub since: Option<Timestamp>,
}

/// What of this log, the one of this number, up to its newest checkpoint; `None` if all is at hand.
pub(super) fn of(
    number: usize,
    log: &LogState,
    held: &BTreeSet<(usize, u64)>,
    bodies: &Bodies,
) -> Option<Unseen> {
    let is_unseen = |(index, entry): &&(u64, Entry)| {
        let is_public = entry.audience == Audience::Public.byte();
        is_public && !held.contains(&(number, *index)) && !bodies.is_erased(&entry.id)
    };
    let hole = first_hole(&log.entries, log.size());
    let mut lacking = log.entries.iter().filter(is_unseen);
    let lost = lacking.next();
    let lost = lost.filter(|(index, _)| hole.as_ref().is_none_or(|hole| *index < hole.start));
    let (first, detail) = match (lost, hole) {
        (Some((index, entry)), _) => {
            let (origin, count) = (&log.origin, 1 + lacking.count());
            let detail = match count {
                1 => format!("the body of public entry {index} of {origin}, {}", entry.id),
                _ => format!(
                    "the bodies of {count} public entries of {origin}, the first that of entry {index}, {}",
                    entry.id
                ),
            };
            (*index, detail)
        }
        (None, Some(Range { start, end })) => {
            (start, format!("entries {start} to {} of {}", end - 1, log.origin))
        }
        (None, None) => return None,
    };
    Some(Unseen { detail, since: log.earliest(first) })
}

/// The first run of entries below this size that is not at hand, or not as it is under the root.
fn first_hole(known: &[(u64, Entry)], size: u64) -> Option<Range<u64>> {
    let mut next = 0;
    for (index, _) in known {
        if next < *index {
            return Some(next..*index);
        }
        next = index + 1;
    }
    (next < size).then_some(next..size)
}
