//! Which spooled entries to send now.
//!
//! Invariants: at most `window_max` entries are on their way; an entry is sent again only after
//! `ack_wait_max` without an answer; nothing here decides that an entry may be forgotten, only the
//! spool's release does. No clock: `now` comes in.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::spool::Spool;

/// Sending state of one agent. Rebuilt from nothing at each start.
#[derive(Debug)]
pub(crate) struct Delivery {
    window_max: usize,
    ack_wait_max: Duration,
    /// When an entry on its way is sent again, by ordinal.
    due_at: BTreeMap<u64, Instant>,
    /// The same, by instant.
    queue: BTreeSet<(Instant, u64)>,
    /// Last ordinal that was ever sent.
    cursor: Option<u64>,
}

impl Delivery {
    pub(crate) fn new(window_max: usize, ack_wait_max: Duration) -> Delivery {
        let (due_at, queue) = (BTreeMap::new(), BTreeSet::new());
        Delivery { window_max, ack_wait_max, due_at, queue, cursor: None }
    }

    /// Ordinals to send now: first those unanswered for too long, then new ones while there is room.
    pub(crate) fn due(&mut self, now: Instant, spool: &Spool) -> Vec<u64> {
        let mut send = Vec::new();
        while let Some(&(at, ordinal)) = self.queue.first().filter(|(at, _)| *at <= now) {
            self.queue.remove(&(at, ordinal));
            self.due_at.remove(&ordinal);
            send.push(ordinal);
        }
        let room = self.window_max.saturating_sub(self.due_at.len() + send.len());
        let fresh: Vec<u64> =
            spool.pending_after(self.cursor).take(room).map(|(ordinal, _)| ordinal).collect();
        self.cursor = fresh.last().copied().or(self.cursor);
        send.extend(fresh);
        for ordinal in &send {
            self.wait(*ordinal, now);
        }
        send
    }

    /// The node answered, but not with the last word: ask again after a full wait.
    pub(crate) fn heard(&mut self, ordinal: u64, now: Instant) {
        if self.settled(ordinal) {
            self.wait(ordinal, now);
        }
    }

    /// The entry left the spool. `false` if it was not on its way.
    pub(crate) fn settled(&mut self, ordinal: u64) -> bool {
        let at = self.due_at.remove(&ordinal);
        at.is_some_and(|at| self.queue.remove(&(at, ordinal)))
    }

    /// The connection is new: what was on its way may be lost, so all of it is due.
    pub(crate) fn reconnected(&mut self, now: Instant) {
        self.queue = self.due_at.keys().map(|ordinal| (now, *ordinal)).collect();
        self.due_at.values_mut().for_each(|at| *at = now);
    }

    /// When [`Delivery::due`] next has something without new entries.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        self.queue.first().map(|(at, _)| *at)
    }

    fn wait(&mut self, ordinal: u64, now: Instant) {
        let at = now + self.ack_wait_max;
        self.due_at.insert(ordinal, at);
        self.queue.insert((at, ordinal));
    }
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::attestation::ContentId;

    use super::*;
    use crate::spool::{Class, Limits, WhenFull};

    fn spool_of(dir: &std::path::Path, count: u8) -> Spool {
        let limits = Limits { bytes_max: 1 << 20, when_full: WhenFull::Stop };
        let mut spool = Spool::open(dir, limits).unwrap().spool;
        for number in 0..count {
            let body = [number; 4];
            spool.take(&[(ContentId::of(&body), Class::Scan, &body)]).unwrap();
        }
        spool
    }

    #[test]
    fn the_window_bounds_what_is_on_its_way_and_silence_sends_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = spool_of(dir.path(), 5);
        let wait = Duration::from_secs(10);
        let mut delivery = Delivery::new(3, wait);
        let start = Instant::now();
        assert_eq!(delivery.due(start, &spool), [0, 1, 2]);
        assert!(delivery.due(start, &spool).is_empty());
        delivery.heard(1, start + Duration::from_secs(5));
        spool.release(&ContentId::of(&[0; 4])).unwrap();
        assert!(delivery.settled(0) && !delivery.settled(0));
        assert_eq!(delivery.due(start, &spool), [3]);
        assert_eq!(delivery.wake_at(), Some(start + wait));
        assert_eq!(delivery.due(start + wait, &spool), [2, 3]);
        assert_eq!(delivery.due(start + wait + Duration::from_secs(5), &spool), [1]);
        delivery.reconnected(start + wait + Duration::from_secs(6));
        assert_eq!(delivery.due(start + wait + Duration::from_secs(6), &spool), [1, 2, 3]);
    }

    #[test]
    fn an_entry_released_while_it_waits_is_skipped_by_the_reader_not_sent_as_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = spool_of(dir.path(), 2);
        spool.release(&ContentId::of(&[0; 4])).unwrap();
        let mut delivery = Delivery::new(3, Duration::from_secs(1));
        assert_eq!(delivery.due(Instant::now(), &spool), [1]);
        assert_eq!(spool.read(0).unwrap(), None);
    }
}
