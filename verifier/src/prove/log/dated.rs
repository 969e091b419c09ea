//! Checkpoints that vouch for entries, and when.
//!
//! Invariants: times never go back: a witness whose clock does makes no entry earlier than one before
//! it; where a witness states an instant long before what the log itself said until then, an entry
//! may be of any instant between the two words.

use hallmark_schemas::head::Head;
use hallmark_schemas::time::{EntryTime, Timestamp};

/// A checkpoint that vouches for the entries below its size.
#[derive(Clone, Debug)]
pub(in crate::prove) struct Dated {
    pub(in crate::prove) head: Head,
    /// When a quorum first vouched for it; it dates the entries.
    at: Timestamp,
    /// When a quorum last vouched for it.
    pub(in crate::prove) vouched_at: Timestamp,
    pub(in crate::prove) witnessed: bool,
    /// Newest witnessed time of the checkpoints before it.
    lo: Timestamp,
    /// The newest instant that the log itself stated before witnesses did.
    said: Timestamp,
}

impl Dated {
    /// For which `at` a quorum vouched, or the log itself where no witness is asked.
    pub(super) fn new(head: Head, at: Timestamp, witnessed: bool) -> Dated {
        let (lo, said) = (Timestamp::EPOCH, Timestamp::EPOCH);
        Dated { head, at, vouched_at: at, witnessed, lo, said }
    }

    /// The time of an entry whose first checkpoint this is; `None` if only the log itself says when.
    pub(super) fn time(&self) -> Option<EntryTime> {
        if !self.witnessed {
            return None;
        }
        let vouched = self.at.max(self.lo);
        let until = if vouched.is_incredible_after(self.said) { self.said } else { vouched };
        Some(EntryTime::cosigned(self.lo.min(until), until))
    }

    /// No entry that is not in the checkpoints before it was recorded before then; of a log without
    /// witnesses they do not say.
    pub(super) fn earliest(&self) -> Option<Timestamp> {
        self.witnessed.then(|| self.lo.min(self.at))
    }

    /// What it was to be no earlier than, if its witnesses state an instant long before that.
    pub(super) fn went_back(&self) -> Option<Timestamp> {
        let known = self.lo.max(self.said);
        (self.witnessed && self.at.is_incredible_after(known)).then_some(known)
    }

    /// What its witnesses state.
    pub(super) fn stated_at(&self) -> Timestamp {
        self.at
    }
}

/// Adds a checkpoint, whose newest entry the log says it admitted at `admitted_at`, to those before
/// it; of two of one size the better witnessed one stays.
pub(super) fn add(dated: &mut Vec<Dated>, next: Dated, admitted_at: Timestamp) {
    if let Some(last) = dated.last_mut().filter(|last| last.head.size == next.head.size) {
        let vouched_at = match (last.witnessed, next.witnessed) {
            (true, true) => last.vouched_at.max(next.vouched_at),
            (true, false) => last.vouched_at,
            (false, _) => next.vouched_at,
        };
        let better = (next.witnessed, std::cmp::Reverse(next.at));
        if (last.witnessed, std::cmp::Reverse(last.at)) < better {
            *last = Dated { lo: last.lo, said: last.said, ..next };
        }
        last.vouched_at = vouched_at;
        return;
    }
    let (lo, said) = match dated.last() {
        // Of the first one nothing else says anything.
        None => (Timestamp::EPOCH, admitted_at),
        Some(last) if last.witnessed => (last.lo.max(last.at), last.said),
        Some(last) => (last.lo, last.said.max(last.at)),
    };
    dated.push(Dated { lo, said, ..next });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days after the first of these logs.
    fn day(day: i64) -> Timestamp {
        Timestamp::from_unix_ms(1_767_225_600_000).checked_add_ms(day * 86_400_000).unwrap()
    }

    /// Checkpoints, each with what vouches for it: a witnessed time, or only the log's word.
    fn dated(stated: &[(Option<Timestamp>, Timestamp)]) -> Vec<Dated> {
        let mut dated = Vec::new();
        for (size, (witnessed_at, admitted_at)) in (1..).zip(stated) {
            let head = Head { size, root: [1; 32] };
            let at = witnessed_at.unwrap_or(*admitted_at);
            add(&mut dated, Dated::new(head, at, witnessed_at.is_some()), *admitted_at);
        }
        dated
    }

    fn times(of: &[Dated]) -> Vec<Option<(Timestamp, Timestamp)>> {
        of.iter().map(|one| one.time().map(|time| (time.lo, time.hi))).collect()
    }

    fn end(of: Timestamp) -> Timestamp {
        of.checked_add_ms(999).unwrap()
    }

    #[test]
    fn a_witness_whose_clock_goes_back_makes_no_entry_earlier_and_is_told() {
        let low = Some(Timestamp::EPOCH);
        let all =
            dated(&[(Some(day(0)), day(0)), (low, day(1)), (low, day(2)), (Some(day(3)), day(3))]);
        let (first, last) = ((Timestamp::EPOCH, end(day(0))), (day(0), end(day(3))));
        let held = (day(0), end(day(0)));
        assert_eq!(times(&all), [Some(first), Some(held), Some(held), Some(last)]);
        let back: Vec<_> = all.iter().map(Dated::went_back).collect();
        assert_eq!(back, [None, Some(day(0)), Some(day(0)), None]);
    }

    #[test]
    fn an_instant_long_before_what_the_log_itself_said_leaves_its_entries_in_doubt() {
        let low = Some(Timestamp::EPOCH);
        let doubt = Some((Timestamp::EPOCH, end(day(0))));
        let all = dated(&[(None, day(0)), (low, day(1)), (low, day(2))]);
        assert_eq!(times(&all), [None, doubt, doubt]);
        assert_eq!(all[2].went_back(), Some(day(0)));
        // The same of a log whose first checkpoint is cosigned so.
        assert_eq!(times(&dated(&[(low, day(0)), (low, day(1))])), [doubt, doubt]);
        // A log whose own clock was ahead by less than clocks are wrong is dated by its witnesses.
        let hour = |hours: i64| day(0).checked_add_ms(hours * 3_600_000).unwrap();
        let all = dated(&[(None, hour(5)), (Some(day(0)), hour(5))]);
        assert_eq!(times(&all)[1], Some((Timestamp::EPOCH, end(day(0)))));
        assert_eq!(all[1].went_back(), None);
    }
}
