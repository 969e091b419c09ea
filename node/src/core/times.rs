//! When entries became part of their log, from its published checkpoints.
//!
//! An entry's interval runs from the quorum time of the last checkpoint without it to that of the
//! first with it. A log without witnesses has nothing but its own word, the `admitted_at` of the
//! entry. Invariant: sizes rise strictly; the first checkpoint of a size counts.

use hallmark_schemas::entry::Entry;
use hallmark_schemas::policy::QuorumTime;
use hallmark_schemas::time::{EntryTime, Timestamp};

/// Quorum times of the published checkpoints of one log: 16 bytes a checkpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<(u64, QuorumTime)>);

impl Times {
    /// Adds the next published checkpoint and when its quorum was complete.
    pub(crate) fn push(&mut self, size: u64, at: QuorumTime) {
        if self.0.last().is_none_or(|(last, _)| *last < size) {
            self.0.push((size, at));
        }
    }

    /// The time interval of an entry; `None` while no published checkpoint has it.
    pub(crate) fn of(&self, index: u64, entry: &Entry) -> Option<EntryTime> {
        let first_with = self.0.partition_point(|(size, _)| *size <= index);
        let (_, hi) = self.0.get(first_with)?;
        let lo = match first_with.checked_sub(1) {
            Some(last_without) => self.0[last_without].1,
            None => QuorumTime::At(Timestamp::EPOCH),
        };
        Some(match (lo, *hi) {
            (QuorumTime::At(lo), QuorumTime::At(hi)) => EntryTime::cosigned(lo, hi),
            _ => EntryTime::at(entry.admitted_at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hallmark_schemas::attestation::ContentId;

    #[test]
    fn an_entry_lies_between_the_checkpoints_around_it() {
        let at = Timestamp::from_unix_ms;
        let entry = Entry { audience: 0, admitted_at: at(7), id: ContentId::from_bytes([0; 32]) };
        let mut times = Times::default();
        times.push(2, QuorumTime::At(at(1000)));
        times.push(2, QuorumTime::At(at(9000)));
        times.push(5, QuorumTime::At(at(2000)));
        times.push(6, QuorumTime::Unwitnessed);
        let of = |index| times.of(index, &entry).map(|time| (time.lo.unix_ms(), time.hi.unix_ms()));
        assert_eq!(of(0), Some((0, 1999)));
        assert_eq!(of(1), Some((0, 1999)));
        assert_eq!(of(2), Some((1000, 2999)));
        assert_eq!(of(4), Some((1000, 2999)));
        assert_eq!(of(5), Some((7, 7)), "no witness spoke");
        assert_eq!(of(6), None, "not published");
    }
}
