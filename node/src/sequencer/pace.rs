//! When the next batch goes: soon where little comes, in large ones where much does.
//!
//! Each batch costs a checkpoint: a few syncs here, a question to every witness, a note that is kept
//! for ever and read at each start. So batches are paid for: with time, one for each `wait_max`
//! that passed, and with attestations, one for each [`ENTRIES_FOR_A_BATCH`] of them. What a quiet
//! log saves, it spends when something comes.
//!
//! Invariants: nothing waits longer than `wait_max` while nothing else is in the way; in any span of
//! time there are at most [`SAVED_MAX`] batches more than its length in `wait_max` and its
//! attestations pay for. No clock of its own.

use std::time::Duration;

/// How long a batch waits for neighbours of its first attestation: short beside the syncs that
/// follow, long enough that clients who send at the same time share them.
const LINGER: Duration = Duration::from_millis(10);
/// How many attestations pay for a batch. Its checkpoint is then a few bytes on disk and a
/// microsecond of each later start for one of them.
const ENTRIES_FOR_A_BATCH: u32 = 64;
/// Most batches that a quiet log saves.
const SAVED_MAX: u32 = 60;
/// How far the next batch starts after this one, for each attestation in this one: above 5,000 a
/// second batches grow, so that the syncs do not hold up admission.
const PER_ENTRY: Duration = Duration::from_micros(200);
/// A batch is followed by a rest of so many times what it took: what is submitted meanwhile waits
/// for the one writer, also where a sync takes long.
const REST: u32 = 6;
/// They grow until they are this part of `wait_max` apart: while a larger one is written, admission
/// would run out of what it may have under way.
const SPACES_IN_WAIT_MAX: u32 = 4;

/// The rule with what it remembers. Instants are of the monotonic clock.
pub(crate) struct Pace {
    /// Longest wait; the price of a batch in time.
    wait_max: Duration,
    /// Time that no batch was paid with, up to `counted_at`.
    saved: Duration,
    counted_at: Duration,
    /// Before this the next batch does not go.
    spaced_at: Duration,
    /// Since when something waits.
    since: Option<Duration>,
}

impl Pace {
    /// A log that starts has saved all it can.
    pub(crate) fn new(wait_max: Duration) -> Pace {
        let (saved, zero) = (wait_max * SAVED_MAX, Duration::ZERO);
        Pace { wait_max, saved, counted_at: zero, spaced_at: zero, since: None }
    }

    /// So many wait now.
    pub(crate) fn look(&mut self, now: Duration, waiting: usize) {
        self.since = if waiting == 0 { None } else { Some(self.since.unwrap_or(now)) };
    }

    /// When a batch of the `waiting` may go; `None` while there are none.
    pub(crate) fn due_at(&self, waiting: usize) -> Option<Duration> {
        let since = self.since?;
        let lacking = self.wait_max.saturating_sub(self.saved + self.paid_by(waiting));
        let linger = LINGER.min(self.wait_max);
        Some((since + linger).max(self.counted_at + lacking).max(self.spaced_at))
    }

    /// A batch of `entries` has gone, and `left` still wait.
    pub(crate) fn went(&mut self, now: Duration, entries: usize, left: usize) {
        let earned = now.saturating_sub(self.counted_at) + self.paid_by(entries);
        let saved = (self.saved + earned).saturating_sub(self.wait_max);
        self.saved = saved.min(self.wait_max * SAVED_MAX);
        self.counted_at = now;
        let space = PER_ENTRY * u32::try_from(entries).unwrap_or(u32::MAX);
        self.spaced_at = now + space.min(self.wait_max / SPACES_IN_WAIT_MAX);
        self.since = None;
        self.look(now, left);
    }

    /// The batch that went at `began` has taken so long.
    pub(crate) fn took(&mut self, began: Duration, took: Duration) {
        let space = took.saturating_mul(1 + REST).min(self.wait_max / SPACES_IN_WAIT_MAX);
        self.spaced_at = self.spaced_at.max(began + space);
    }

    /// A batch found no room on the disk: it is tried again as late as it may.
    pub(crate) fn no_room(&mut self, now: Duration) {
        self.since = Some(now);
        self.spaced_at = now + self.wait_max;
    }

    fn paid_by(&self, entries: usize) -> Duration {
        let entries = u32::try_from(entries).unwrap_or(u32::MAX);
        self.wait_max.saturating_mul(entries) / ENTRIES_FOR_A_BATCH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(1);

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Plays arrivals, (when, how many); says when batches went and how many each took.
    ///
    /// `answered` clients send again as soon as their batch has gone.
    fn play(
        pace: &mut Pace,
        arrivals: &[(Duration, usize)],
        until: Duration,
        answered: bool,
    ) -> Vec<(Duration, usize)> {
        let (mut went, mut waiting) = (Vec::new(), 0);
        let mut arrivals = arrivals.iter().copied().peekable();
        let mut now = Duration::ZERO;
        while now <= until {
            while let Some((_, count)) = arrivals.next_if(|(at, _)| *at <= now) {
                waiting += count;
            }
            pace.look(now, waiting);
            if pace.due_at(waiting).is_some_and(|due_at| due_at <= now) {
                went.push((now, waiting));
                let left = if answered { waiting } else { 0 };
                pace.went(now, waiting, left);
                waiting = left;
            }
            now += ms(1);
        }
        went
    }

    fn steady(every: Duration, count: usize, until: Duration) -> Vec<(Duration, usize)> {
        (0u32..).map(|n| (every * n, count)).take_while(|(at, _)| *at < until).collect()
    }

    #[test]
    fn what_comes_to_a_quiet_log_goes_after_the_linger_together_with_its_neighbours() {
        let mut pace = Pace::new(WAIT);
        let arrivals = [(ms(5_000), 1), (ms(5_004), 2), (ms(7_000), 1)];
        let went = play(&mut pace, &arrivals, ms(9_000), false);
        assert_eq!(went, [(ms(5_010), 3), (ms(7_010), 1)]);
        assert_eq!(pace.due_at(0), None);
    }

    #[test]
    fn a_trickle_that_never_ends_pays_for_one_batch_in_each_longest_wait() {
        let mut pace = Pace::new(WAIT);
        let until = Duration::from_secs(600);
        let went = play(&mut pace, &steady(ms(100), 1, until), until, false);
        let paid = 600 + 6_000 / ENTRIES_FOR_A_BATCH as usize;
        assert!(went.len() <= SAVED_MAX as usize + paid + 1, "{} batches", went.len());
        let late = went.iter().filter(|(at, _)| Duration::from_secs(300) < *at);
        assert!((300..=350).contains(&late.count()), "the savings are spent by then");
    }

    #[test]
    fn nothing_waits_longer_than_it_may_whatever_came_before() {
        for every in [1, 3, 30, 300, 1_500] {
            for count in [1, 10, 1_000, 5_000] {
                let mut pace = Pace::new(WAIT);
                let until = Duration::from_secs(120);
                let arrivals = steady(ms(every), count, until);
                let went = play(&mut pace, &arrivals, until + WAIT, false);
                let mut batches = went.iter().map(|(at, _)| *at).peekable();
                for (at, _) in &arrivals {
                    while batches.next_if(|went| went < at).is_some() {}
                    let waited = batches.peek().map(|went| *went - *at);
                    assert!(waited.is_some_and(|waited| waited <= WAIT), "{every} {count} {at:?}");
                }
                let entries: usize = went.iter().map(|(_, entries)| entries).sum();
                assert_eq!(entries, arrivals.iter().map(|(_, count)| count).sum::<usize>());
            }
        }
    }

    #[test]
    fn sixty_four_clients_that_wait_for_their_receipts_pay_for_their_batches() {
        let mut pace = Pace::new(WAIT);
        let went = play(&mut pace, &[(ms(0), 64)], Duration::from_secs(60), true);
        let last = went[went.len() - 100..].windows(2).map(|pair| pair[1].0 - pair[0].0);
        assert!(last.clone().all(|gap| gap <= ms(20)), "long after the savings are spent");
        assert!(last.clone().all(|gap| LINGER < gap), "and never closer than their entries say");
        let mut pace = Pace::new(WAIT);
        let went = play(&mut pace, &[(ms(0), 1)], Duration::from_secs(600), true);
        let last = went[went.len() - 100..].windows(2).map(|pair| pair[1].0 - pair[0].0);
        assert!(last.clone().all(|gap| ms(900) < gap && gap <= WAIT), "a single one does not");
    }

    #[test]
    fn much_goes_in_batches_that_are_a_quarter_of_the_longest_wait_apart() {
        let mut pace = Pace::new(WAIT);
        let until = Duration::from_secs(20);
        let went = play(&mut pace, &steady(ms(1), 25, until), until, false);
        let late: Vec<_> = went.iter().filter(|(at, _)| Duration::from_secs(10) < *at).collect();
        assert!(late.len() <= 41, "{} batches in ten seconds", late.len());
        assert!(late.iter().all(|(_, entries)| 6_000 < *entries));
    }

    #[test]
    fn a_batch_that_took_long_is_followed_by_a_rest() {
        let mut pace = Pace::new(WAIT);
        let due_after = |pace: &mut Pace, took| {
            pace.look(ms(5_000), 1);
            pace.went(ms(5_000), 1, 0);
            pace.took(ms(5_000), took);
            pace.look(ms(5_000) + took, 1);
            pace.due_at(1).unwrap()
        };
        assert_eq!(due_after(&mut pace, ms(1)), ms(5_011), "a short one is over by then");
        assert_eq!(due_after(&mut pace, ms(20)), ms(5_140));
        assert_eq!(due_after(&mut pace, ms(90)), ms(5_250), "never longer than a large one waits");
    }

    #[test]
    fn a_batch_without_room_is_tried_again_as_late_as_it_may() {
        let mut pace = Pace::new(WAIT);
        pace.look(ms(100), 10_000);
        assert_eq!(pace.due_at(10_000), Some(ms(110)));
        pace.no_room(ms(110));
        assert_eq!(pace.due_at(10_000), Some(ms(1_110)));
        pace.went(ms(1_110), 10_000, 0);
        pace.look(ms(9_000), 1);
        assert_eq!(pace.due_at(1), Some(ms(9_010)));
    }

    #[test]
    fn a_short_longest_wait_is_kept_too() {
        let mut pace = Pace::new(ms(4));
        pace.look(ms(50), 1);
        assert_eq!(pace.due_at(1), Some(ms(54)));
    }
}
