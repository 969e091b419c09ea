//! When entries became part of their log, from its published checkpoints.
//!
//! An entry's interval runs from the quorum time of the last checkpoint without it to that of the
//! first with it. A log without witnesses has nothing but its own word, the `admitted_at` of the
//! entry. Invariants: sizes rise strictly; the first checkpoint of a size counts; times never go
//! back, so a witness whose clock does makes nothing earlier than it was.

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
            let at = match (self.last(), at) {
                (Some(before), QuorumTime::At(at)) => QuorumTime::At(at.max(before)),
                _ => at,
            };
            self.0.push((size, at));
        }
    }

    /// When a quorum last vouched for a checkpoint; `None` if none has.
    pub(crate) fn last(&self) -> Option<Timestamp> {
        self.0.iter().rev().find_map(|(_, at)| match at {
            QuorumTime::At(at) => Some(*at),
            QuorumTime::Unwitnessed => None,
        })
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

/// Why a witness that states this instant is not believed, by the clock here and by when a quorum
/// last vouched for the log; `None` if either of the two bears it out.
///
/// A clock here that is wrong alone refuses nobody who agrees with what was published before.
pub(crate) fn doubt(at: Timestamp, now: Timestamp, last: Option<Timestamp>) -> Option<String> {
    let known = [now, last.unwrap_or(now)];
    let word = if known.iter().all(|known| at.is_incredible_after(*known)) {
        "before"
    } else if known.iter().all(|known| known.is_incredible_after(at)) {
        "after"
    } else {
        return None;
    };
    let vouched =
        last.map_or(String::new(), |last| format!(", and witnesses last vouched at {last}"));
    Some(format!(
        "its cosignature states {at}, long {word} it can be: the clock here says {now}{vouched}; it is \
         not counted until one of the two clocks is set right"
    ))
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

    #[test]
    fn a_quorum_time_that_goes_back_makes_nothing_earlier() {
        let at = Timestamp::from_unix_ms;
        let entry = Entry { audience: 0, admitted_at: at(7), id: ContentId::from_bytes([0; 32]) };
        let mut times = Times::default();
        assert_eq!(times.last(), None);
        for (size, time) in [(2, 5000), (3, 0), (4, 6000)] {
            times.push(size, QuorumTime::At(at(time)));
        }
        let of = |index| times.of(index, &entry).map(|time| (time.lo.unix_ms(), time.hi.unix_ms()));
        assert_eq!(
            [of(1), of(2), of(3)],
            [Some((0, 5999)), Some((5000, 5999)), Some((5000, 6999))]
        );
        assert_eq!(times.last(), Some(at(6000)));
    }

    #[test]
    fn an_instant_is_doubted_that_neither_the_clock_here_nor_the_log_bears_out() {
        let day = |day: u64| Timestamp::from_unix_ms(day * 86_400_000);
        let hours = |of: Timestamp, hours: i64| of.checked_add_ms(hours * 3_600_000).unwrap();
        let (now, last) = (day(20_000), Some(day(19_999)));
        for good in [now, day(19_999), hours(now, 5), hours(day(19_999), -5)] {
            assert_eq!(doubt(good, now, last), None, "{good}");
        }
        for (bad, word) in
            [(Timestamp::EPOCH, "before"), (day(19_998), "before"), (day(20_001), "after")]
        {
            let doubt = doubt(bad, now, last).expect("no clock is so wrong");
            assert!(doubt.contains(&format!("long {word} it can be")), "{doubt}");
        }
        assert!(doubt(Timestamp::EPOCH, now, None).is_some(), "the first one, too");
        // A clock here that was set wrong, and witnesses that go on from what was published.
        assert_eq!(doubt(day(19_999), Timestamp::EPOCH, last), None);
        assert_eq!(doubt(day(19_999), day(40_000), last), None);
        // A witness that was believed when its clock was ahead, and those after it.
        assert_eq!(doubt(now, now, Some(day(40_000))), None);
    }
}
