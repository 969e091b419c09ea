//! What comes from each peer, below all protocols, and how much of it is of use; room for what is
//! read of it.
//!
//! Invariants: every byte of a connection over TCP or a relay is counted for the peer that it comes
//! from, whatever protocol it belongs to. Bytes of questions, of answers that were asked for and of
//! gossip are of use; the rest (frames of the multiplexer, pings, introductions, subscriptions) is
//! little from whoever keeps the rules. One peer's slow questions take no other's room.
//!
//! Memory, at worst: of each peer what its streams buffer, and large messages that are being read,
//! [`LARGE_QUESTIONS_MAX`] and [`LARGE_ANSWERS_MAX`] of 2 MiB each; of all peers together
//! [`LARGE_MAX`] of either.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libp2p::PeerId;
use tokio::sync::Semaphore;

/// Large questions that are read at a time from one peer.
const LARGE_QUESTIONS_MAX: usize = 1;
/// Large answers that are read at a time from one peer.
const LARGE_ANSWERS_MAX: usize = 4;
/// Of either so many from all peers: 64 * 2 MiB.
const LARGE_MAX: usize = 64;

/// Room for large messages of one direction.
pub(super) struct Room {
    pub(super) own: Semaphore,
    pub(super) all: Arc<Semaphore>,
}

/// What comes from one peer.
pub(super) struct OfPeer {
    pub(super) questions: Room,
    pub(super) answers: Room,
    /// Bytes of its connections.
    came: AtomicU64,
    /// Of those, bytes of questions and answers, and what it carried as a relay.
    brought: AtomicU64,
    /// Bytes of its gossip.
    gossiped: AtomicU64,
}

/// Bytes that came since they were looked at last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes {
    pub(super) came: u64,
    pub(super) brought: u64,
    pub(super) gossiped: u64,
}

impl OfPeer {
    pub(super) fn came(&self, bytes: usize) {
        self.came.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn brought(&self, bytes: usize) {
        self.brought.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn gossiped(&self, bytes: usize) {
        self.gossiped.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    fn take(&self) -> Bytes {
        // What is of use is taken first: what comes between is not counted against the peer.
        let gossiped = self.gossiped.swap(0, Ordering::Relaxed);
        let brought = self.brought.swap(0, Ordering::Relaxed);
        Bytes { came: self.came.swap(0, Ordering::Relaxed), brought, gossiped }
    }
}

/// What comes from all peers.
pub(super) struct Traffic {
    peers: Mutex<HashMap<PeerId, Arc<OfPeer>>>,
    /// The peer on whose connection a protocol works now.
    present: Mutex<Option<PeerId>>,
    questions: Arc<Semaphore>,
    answers: Arc<Semaphore>,
}

impl Default for Traffic {
    fn default() -> Traffic {
        Traffic {
            peers: Mutex::default(),
            present: Mutex::default(),
            questions: Arc::new(Semaphore::new(LARGE_MAX)),
            answers: Arc::new(Semaphore::new(LARGE_MAX)),
        }
    }
}

impl Traffic {
    /// That of this peer.
    pub(super) fn of(&self, peer: PeerId) -> Arc<OfPeer> {
        let room = |own, all: &Arc<Semaphore>| Room { own: Semaphore::new(own), all: all.clone() };
        let new = || OfPeer {
            questions: room(LARGE_QUESTIONS_MAX, &self.questions),
            answers: room(LARGE_ANSWERS_MAX, &self.answers),
            came: AtomicU64::new(0),
            brought: AtomicU64::new(0),
            gossiped: AtomicU64::new(0),
        };
        Arc::clone(self.lock().entry(peer).or_insert_with(|| Arc::new(new())))
    }

    /// A protocol begins or ends to work on a connection of this peer.
    pub(super) fn set_present(&self, peer: Option<PeerId>) {
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = peer;
    }

    /// That of the peer on whose connection a protocol works now.
    pub(super) fn of_present(&self) -> Option<Arc<OfPeer>> {
        let present = *self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.map(|peer| self.of(peer))
    }

    /// What came from each peer since the last time. Forgets who is neither kept nor connected.
    pub(super) fn take(&self, is_kept: impl Fn(&PeerId) -> bool) -> Vec<(PeerId, Bytes)> {
        let mut peers = self.lock();
        peers.retain(|peer, of_peer| is_kept(peer) || 1 < Arc::strong_count(of_peer));
        peers.iter().map(|(peer, of_peer)| (*peer, of_peer.take())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PeerId, Arc<OfPeer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_is_counted_for_its_peer_once_also_over_a_new_connection() {
        let (traffic, member, stranger) = (Traffic::default(), PeerId::random(), PeerId::random());
        traffic.of(member).came(100);
        traffic.of(member).came(50);
        traffic.of(member).brought(30);
        assert!(traffic.of_present().is_none());
        traffic.set_present(Some(member));
        traffic.of_present().unwrap().gossiped(20);
        traffic.set_present(None);
        let connected = traffic.of(stranger);
        let taken = traffic.take(|peer| *peer == member);
        assert_eq!(taken.len(), 2);
        let (_, bytes) = taken.into_iter().find(|(peer, _)| *peer == member).unwrap();
        assert_eq!((bytes.came, bytes.brought, bytes.gossiped), (150, 30, 20));
        drop(connected);
        let taken = traffic.take(|peer| *peer == member);
        assert_eq!(taken.len(), 1, "the stranger has gone");
        assert_eq!(taken[0].1.came, 0);
    }

    #[test]
    fn one_peer_takes_no_other_peers_room_and_no_room_of_answers() {
        let traffic = Traffic::default();
        let (slow, honest) = (traffic.of(PeerId::random()), traffic.of(PeerId::random()));
        let held = slow.questions.own.try_acquire().unwrap();
        assert!(slow.questions.own.try_acquire().is_err());
        assert!(slow.answers.own.try_acquire().is_ok());
        assert!(honest.questions.own.try_acquire().is_ok());
        drop(held);
        let _all: Vec<_> = (0..LARGE_MAX).map(|_| slow.questions.all.try_acquire()).collect();
        assert!(honest.questions.all.try_acquire().is_err(), "memory of all is bounded");
        assert!(honest.answers.all.try_acquire().is_ok());
    }
}
