//! How much one peer may ask, send and be sent.
//!
//! Invariants: what is held for a peer is bounded by the numbers here; a peer that asks faster than
//! it may is refused and counted, one that is sent more than it may waits for its answers. A peer
//! that gossips passes on what others wrote: what is too much is left out, and counts against it
//! only where all logs together cannot lawfully have brought it. No clock is read here.
//!
//! Memory, at worst and for each peer: [`ANSWERED_MAX`] answers of 2 MiB that it does not read, as
//! many small questions, and what `traffic.rs` names. [`WORK_MAX`] things are worked on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use libp2p::PeerId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::gossip::Topic;
use super::passed;
use super::traffic::Bytes;
use crate::api::limit::Limiter;
use crate::peers::catch_up::Pace;

/// Questions of one peer that are being answered.
pub(super) const ANSWERED_MAX: usize = 16;
/// Answers and messages that are worked on at once, of all peers: 64 * 2 MiB.
pub(super) const WORK_MAX: usize = 64;
/// Of those, for one peer: so that a few that flood leave room for the rest.
const WORK_PEER_MAX: usize = 8;
/// A burst is so many seconds' worth.
const BURST_S: f64 = 10.0;
/// Of what all logs together may lawfully bring, so many times as much is heard from one peer: it
/// may know less than this node, and then passes on what is old here.
const HEARD_TIMES: f64 = 2.0;
/// So many times as much no peer that keeps the rules passes on, whatever others sent it.
const FLOOD_TIMES: f64 = 4.0;
/// Kinds of proofs against one log.
const PROOF_KINDS: f64 = 5.0;

/// Bytes of no use: in ten seconds so many, which frames, pings and introductions never take.
const IDLE_BYTES: Rate = Rate { per_second: (8 << 20) as f64 / BURST_S, burst: (8 << 20) as f64 };

/// So much a second, and so much at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) per_second: f64,
    pub(super) burst: f64,
}

impl Rate {
    fn times(self, times: f64) -> Rate {
        Rate { per_second: self.per_second * times, burst: self.burst * times }
    }
}

/// What of a rate was taken and is not paid off by time.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    taken: f64,
    at: Option<Instant>,
}

impl Bucket {
    /// Takes so much; false, and takes nothing, where that is more than the rate gives.
    pub(super) fn take(&mut self, amount: f64, rate: Rate, now: Instant) -> bool {
        let passed = self.at.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        self.taken = (self.taken - passed * rate.per_second).max(0.0);
        self.at = Some(now);
        // What is found of use only later is given back.
        if amount < 0.0 {
            self.taken = (self.taken + amount).max(0.0);
            return true;
        }
        let is_taken = self.taken + amount <= rate.burst;
        if is_taken {
            self.taken += amount;
        }
        is_taken
    }
}

/// What a peer gossips on one topic: messages and their bytes.
#[derive(Default)]
struct Gossiped {
    messages: Bucket,
    bytes: Bucket,
}

impl Gossiped {
    /// Takes a message of so many bytes, so many times the share of all logs.
    fn take(&mut self, topic: Topic, times: f64, bytes: usize, now: Instant) -> bool {
        let (messages, of_bytes) = match topic {
            Topic::Checkpoints => (passed::CHECKPOINTS, passed::CHECKPOINT_BYTES),
            Topic::Defects => {
                (passed::PROOFS.times(PROOF_KINDS), passed::PROOF_BYTES.times(PROOF_KINDS))
            }
        };
        self.messages.take(1.0, messages.times(times), now)
            && self.bytes.take(bytes as f64, of_bytes.times(times), now)
    }
}

/// What of a peer is in work, and what it gossiped.
struct InWork {
    answered: Arc<Semaphore>,
    worked_on: Arc<Semaphore>,
    bytes: Arc<Pace>,
    /// On each topic what is heard, and what is no flood.
    gossiped: [(Gossiped, Gossiped); 2],
    /// Gossip that counts as of use, and what is of none.
    useful_gossip: Bucket,
    idle: Bucket,
}

impl InWork {
    fn new(bytes: Arc<Pace>) -> InWork {
        InWork {
            answered: Arc::new(Semaphore::new(ANSWERED_MAX)),
            worked_on: Arc::new(Semaphore::new(WORK_PEER_MAX)),
            bytes,
            gossiped: Default::default(),
            useful_gossip: Bucket::default(),
            idle: Bucket::default(),
        }
    }

    /// What is in work holds the old permits until it is done.
    fn renew(&mut self) {
        self.answered = Arc::new(Semaphore::new(ANSWERED_MAX));
        self.worked_on = Arc::new(Semaphore::new(WORK_PEER_MAX));
    }
}

/// Held while something of a peer is worked on.
pub(super) struct Turn {
    _all: OwnedSemaphorePermit,
    _peer: OwnedSemaphorePermit,
}

/// Why something of a peer is not worked on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Denied {
    /// It asks or sends more than it may.
    Flooded,
    /// This node has enough to do, or enough of the kind.
    Busy,
}

/// What every peer may.
pub(super) struct Allowance {
    questions_per_second: f64,
    bytes_per_second: f64,
    questions: Limiter<PeerId>,
    peers: HashMap<PeerId, InWork>,
    work: Arc<Semaphore>,
}

impl Allowance {
    pub(super) fn new(questions_per_second: u32, bytes_per_second: u64) -> Allowance {
        Allowance {
            questions_per_second: questions_per_second.into(),
            bytes_per_second: bytes_per_second as f64,
            questions: Limiter::default(),
            peers: HashMap::new(),
            work: Arc::new(Semaphore::new(WORK_MAX)),
        }
    }

    /// Takes in a question of so many bytes; the first permit is held until its answer is sent, the turn until it
    /// is made.
    pub(super) fn question(
        &mut self,
        peer: PeerId,
        bytes: usize,
        now: Instant,
    ) -> Result<(OwnedSemaphorePermit, Turn), Denied> {
        let rate = self.questions_per_second;
        let taken = self.questions.take_of(peer, rate, rate * BURST_S, now);
        taken.map_err(|_| Denied::Flooded)?;
        let in_work = self.of(peer);
        if !in_work.bytes.take(bytes, now) {
            return Err(Denied::Flooded);
        }
        let answered =
            Arc::clone(&in_work.answered).try_acquire_owned().map_err(|_| Denied::Flooded)?;
        Ok((answered, self.turn(peer)?))
    }

    /// Takes in a message of so many bytes, where there are so many logs.
    pub(super) fn message(
        &mut self,
        peer: PeerId,
        topic: Topic,
        bytes: usize,
        logs: usize,
        now: Instant,
    ) -> Result<Turn, Denied> {
        let (heard, unflooded) = &mut self.of(peer).gossiped[topic as usize];
        if !unflooded.take(topic, FLOOD_TIMES * logs as f64, bytes, now) {
            return Err(Denied::Flooded);
        }
        if !heard.take(topic, HEARD_TIMES * logs as f64, bytes, now) {
            return Err(Denied::Busy);
        }
        self.turn(peer)
    }

    /// Looks at what came from a peer; false if far more than what it brought, where there are so
    /// many logs. Gossip is of use up to what all logs may bring, also where it was known.
    pub(super) fn is_of_use(
        &mut self,
        peer: PeerId,
        bytes: Bytes,
        logs: usize,
        now: Instant,
    ) -> bool {
        let in_work = self.of(peer);
        let share = |rate: Rate| rate.times(FLOOD_TIMES * logs as f64);
        let both = [share(passed::CHECKPOINT_BYTES), share(passed::PROOF_BYTES.times(PROOF_KINDS))];
        let rate = Rate {
            per_second: both.iter().map(|rate| rate.per_second).sum(),
            burst: both.iter().map(|rate| rate.burst).sum(),
        };
        let gossiped = bytes.gossiped as f64;
        let of_use = if in_work.useful_gossip.take(gossiped, rate, now) { gossiped } else { 0.0 };
        let idle = bytes.came as f64 - bytes.brought as f64 - of_use;
        let is_little = in_work.idle.take(idle, IDLE_BYTES, now);
        if !is_little {
            in_work.idle = Bucket::default();
        }
        is_little
    }

    /// What the answers to a peer are counted against.
    pub(super) fn pace(&mut self, peer: PeerId) -> Arc<Pace> {
        Arc::clone(&self.of(peer).bytes)
    }

    /// Forgets a peer that has gone; its rates stay.
    pub(super) fn gone(&mut self, peer: &PeerId) {
        if let Some(in_work) = self.peers.get_mut(peer) {
            in_work.renew();
        }
    }

    /// Keeps only what is of these.
    pub(super) fn keep(&mut self, is_peer: impl Fn(&PeerId) -> bool) {
        self.peers.retain(|id, _| is_peer(id));
    }

    fn of(&mut self, peer: PeerId) -> &mut InWork {
        let per_second = self.bytes_per_second;
        self.peers.entry(peer).or_insert_with(|| InWork::new(Pace::new(per_second)))
    }

    fn turn(&mut self, peer: PeerId) -> Result<Turn, Denied> {
        let worked_on = Arc::clone(&self.of(peer).worked_on);
        let peer = worked_on.try_acquire_owned().map_err(|_| Denied::Busy)?;
        let all = Arc::clone(&self.work).try_acquire_owned().map_err(|_| Denied::Busy)?;
        Ok(Turn { _all: all, _peer: peer })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_peer_that_floods_leaves_room_for_the_others() {
        let mut allowance = Allowance::new(1000, 1 << 20);
        let (now, flooder, honest) = (Instant::now(), PeerId::random(), PeerId::random());
        let mut held = Vec::new();
        let denied = loop {
            match allowance.question(flooder, 100, now) {
                Ok(permits) => held.push(permits),
                Err(denied) => break denied,
            }
        };
        assert_eq!((held.len(), denied), (WORK_PEER_MAX, Denied::Busy));
        assert!(allowance.question(honest, 100, now).is_ok());
        // Answers that are made and that it does not read count on.
        let mut unread: Vec<_> = held.into_iter().map(|(answered, _)| answered).collect();
        unread.extend((0..ANSWERED_MAX - WORK_PEER_MAX).map(|_| {
            let (answered, _) = allowance.question(flooder, 100, now).ok().unwrap();
            answered
        }));
        assert_eq!(allowance.question(flooder, 100, now).err(), Some(Denied::Flooded));
        drop(unread);
        assert!(allowance.question(flooder, 100, now).is_ok());
    }

    #[test]
    fn more_bytes_than_what_is_brought_takes_are_noticed_whatever_they_are() {
        let mut allowance = Allowance::new(1000, 1 << 30);
        let (start, at) = (Instant::now(), Duration::from_secs);
        let mib = |count: u64| count << 20;
        let bytes = |came, brought, gossiped| Bytes { came, brought, gossiped };
        let honest = PeerId::random();
        for second in 0..60 {
            let now = start + at(second);
            // A backfill of which a part is read later, gossip that others told before, and frames.
            let brought = if second % 2 == 0 { mib(26) } else { mib(34) };
            let came = bytes(mib(31) + 300_000, brought, mib(1));
            assert!(allowance.is_of_use(honest, came, 3, now), "{second}");
        }
        let idle = PeerId::random();
        let mut flooded = |came, gossiped| {
            let mut seconds = 0..60;
            seconds.find(|second| {
                !allowance.is_of_use(idle, bytes(came, 0, gossiped), 3, start + at(*second))
            })
        };
        assert_eq!(flooded(mib(4), 0), Some(2));
        assert_eq!(flooded(500_000, 0), None);
        assert!(flooded(mib(200), mib(200)).is_some(), "known messages, over and over");
    }

    #[test]
    fn questions_faster_than_allowed_are_a_flood() {
        let mut allowance = Allowance::new(2, 1 << 30);
        let (now, peer) = (Instant::now(), PeerId::random());
        let asked = (0..100).take_while(|_| allowance.question(peer, 100, now).is_ok()).count();
        assert_eq!(asked, 20, "a burst of ten seconds");
        assert!(allowance.question(peer, 100, now + Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn messages_are_left_out_before_they_are_a_flood_and_what_all_logs_may_bring_is_heard() {
        let mut allowance = Allowance::new(2, 1 << 30);
        let (start, relay) = (Instant::now(), PeerId::random());
        // Three logs whose whole share comes through one peer, for a minute.
        for tick in 0..600 {
            let now = start + Duration::from_millis(100 * tick);
            for _ in 0..3 {
                assert!(allowance.message(relay, Topic::Checkpoints, 6_000, 3, now).is_ok());
            }
        }
        let flooder = PeerId::random();
        let mut said = |topic, bytes, times| {
            let taken = (0..times).map(|_| allowance.message(flooder, topic, bytes, 3, start));
            let taken: Vec<Option<Denied>> = taken.map(Result::err).collect();
            let count = |what| taken.iter().filter(|taken| **taken == what).count();
            (count(None), count(Some(Denied::Busy)), count(Some(Denied::Flooded)))
        };
        assert_eq!(said(Topic::Checkpoints, 500, 2000), (600, 600, 800));
        assert_eq!(said(Topic::Defects, 500, 2000), (120, 120, 1760));
    }
}
