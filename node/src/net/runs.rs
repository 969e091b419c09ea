//! Which process of a peer each connection leads to.
//!
//! A peer that was killed and started again, or of which a copy runs, comes as another process under
//! the same key, while connections to the one before are there still: questions would go to either.
//! Gossip moreover tells its subscriptions over the first connection of a peer alone, so a second
//! process would pass nothing on. Invariants: a process that is met for the first time takes the
//! place of those before it; one that comes back is alive and displaces nobody, so two of them do not
//! drive one another out for ever; of two, the one that stays begins anew; what is remembered of a
//! peer is bounded.

use std::collections::{HashMap, VecDeque};

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

/// Processes of one peer that are remembered.
const RUNS_MAX: usize = 8;
/// What identify says before the number of the process.
const WORD: &str = "run/";
/// Hexadecimal digits of that number.
const DIGITS: usize = 32;

/// The name under which this process tells peers what it is.
pub(super) fn agent(run: &str) -> String {
    format!("hallmark-node/{} {WORD}{run}", env!("CARGO_PKG_VERSION"))
}

/// The process that told this; `None` of a program that does not tell it.
fn run_of(agent: &str) -> Option<&str> {
    let run = agent.split(' ').find_map(|word| word.strip_prefix(WORD))?;
    (run.len() == DIGITS && run.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(run)
}

/// What is known of one peer.
#[derive(Default)]
struct Known {
    connections: HashMap<ConnectionId, String>,
    /// The processes that were met, the newest last.
    met: VecDeque<String>,
}

/// What is known of all peers. `keep` bounds them to the members.
#[derive(Default)]
pub(super) struct Runs {
    peers: HashMap<PeerId, Known>,
}

impl Runs {
    /// A peer told what it is over this connection: true if it is a new process beside an earlier
    /// one, so that all connections of the peer are to be made anew.
    pub(super) fn told(&mut self, peer: PeerId, connection: ConnectionId, agent: &str) -> bool {
        let Some(run) = run_of(agent) else { return false };
        let known = self.peers.entry(peer).or_default();
        known.connections.insert(connection, run.to_owned());
        if known.met.iter().any(|met| met == run) {
            return false;
        }
        if RUNS_MAX <= known.met.len() {
            known.met.pop_front();
        }
        known.met.push_back(run.to_owned());
        known.connections.values().any(|other| other != run)
    }

    /// A connection is gone: true if it was the last one to the other of two processes, so that
    /// those of the one that stays are to be made anew.
    pub(super) fn closed(&mut self, peer: &PeerId, connection: &ConnectionId) -> bool {
        let was_doubled = self.is_doubled(peer);
        if let Some(known) = self.peers.get_mut(peer) {
            known.connections.remove(connection);
        }
        was_doubled && !self.is_doubled(peer)
    }

    /// Whether connections lead to more than one process of this peer.
    pub(super) fn is_doubled(&self, peer: &PeerId) -> bool {
        let Some(known) = self.peers.get(peer) else { return false };
        let mut runs = known.connections.values();
        let first = runs.next();
        runs.any(|run| Some(run) != first)
    }

    /// Forgets all peers but these.
    pub(super) fn keep(&mut self, is_kept: impl Fn(&PeerId) -> bool) {
        self.peers.retain(|peer, _| is_kept(peer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(number: usize) -> String {
        agent(&format!("{number:032x}"))
    }

    #[test]
    fn a_new_process_displaces_those_before_it_once_and_one_that_comes_back_nobody() {
        let (mut runs, peer) = (Runs::default(), PeerId::random());
        let at = ConnectionId::new_unchecked;
        assert!(!runs.told(peer, at(1), &named(1)));
        assert!(!runs.told(peer, at(2), &named(1)), "the other way");
        assert!(!runs.is_doubled(&peer));
        assert!(runs.told(peer, at(3), &named(2)));
        assert!(runs.is_doubled(&peer));
        assert!(!runs.closed(&peer, &at(1)), "the other way is there");
        assert!(runs.closed(&peer, &at(2)));
        assert!(!runs.closed(&peer, &at(3)));
        assert!(!runs.told(peer, at(4), &named(2)));
        assert!(!runs.told(peer, at(5), &named(1)), "it is alive");
        assert!(runs.is_doubled(&peer));
        assert!(runs.closed(&peer, &at(4)), "the one that stays begins anew");
        assert!(!runs.is_doubled(&peer));
    }

    #[test]
    fn who_tells_no_process_displaces_nobody_and_is_displaced_by_nobody() {
        let (mut runs, peer) = (Runs::default(), PeerId::random());
        let at = ConnectionId::new_unchecked;
        for strange in ["", "rust-libp2p/1", "run/", "run/12", &format!("run/{}", "x".repeat(32))] {
            assert!(!runs.told(peer, at(1), strange), "{strange}");
        }
        assert!(!runs.told(peer, at(2), &named(1)));
        assert!(!runs.is_doubled(&peer));
    }

    #[test]
    fn what_is_remembered_of_a_peer_is_bounded() {
        let (mut runs, peer) = (Runs::default(), PeerId::random());
        for number in 0..100 {
            let connection = ConnectionId::new_unchecked(number);
            runs.told(peer, connection, &named(number));
            runs.closed(&peer, &connection);
        }
        let known = &runs.peers[&peer];
        assert_eq!((known.met.len(), known.connections.len()), (RUNS_MAX, 0));
        runs.keep(|_| false);
        assert!(runs.peers.is_empty());
    }
}
