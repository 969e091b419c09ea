//! When peers are dialled and relays are asked.
//!
//! Invariants: a peer that is away is dialled ever less often, at least every [`WAIT_MAX`]; a place
//! at a relay that was lost is asked for again. No clock is read here.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::core::transport::ListenerId;
use libp2p::{Multiaddr, PeerId};

/// First wait before a peer is dialled again.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// Longest.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Most addresses around this node that are remembered: anyone there can claim any number.
const AROUND_MAX: usize = 1024;

/// When something is tried next, and how long is waited after that.
#[derive(Clone, Copy)]
struct Next {
    at: Instant,
    wait: Duration,
}

impl Next {
    /// The next after one that is tried now.
    fn after(last: Option<Next>, now: Instant) -> Next {
        let wait = last.map_or(WAIT_MIN, |last| last.wait);
        Next { at: now + wait, wait: (wait * 2).min(WAIT_MAX) }
    }
}

/// A relay through which this node is reached.
struct Relay {
    address: Multiaddr,
    /// Set while it keeps a place for us, or is asked for one.
    place: Option<ListenerId>,
    next: Option<Next>,
}

/// What to dial.
#[derive(Default)]
pub(super) struct Dials {
    peers: HashMap<PeerId, Next>,
    relays: Vec<Relay>,
    /// Who was seen on the local network, and where; not yet proved.
    around: Vec<(PeerId, Multiaddr)>,
}

impl Dials {
    pub(super) fn new(relays: &[Multiaddr]) -> Dials {
        let relays = relays.iter().map(|address| {
            let address = address.clone();
            Relay { address, place: None, next: None }
        });
        Dials { peers: HashMap::new(), relays: relays.collect(), around: Vec::new() }
    }

    /// Whether a peer is to be dialled now; if so, it is the last time for a while.
    pub(super) fn is_due(&mut self, id: PeerId, now: Instant) -> bool {
        let last = self.peers.get(&id).copied();
        if last.is_some_and(|last| now < last.at) {
            return false;
        }
        self.peers.insert(id, Next::after(last, now));
        true
    }

    /// Somebody says on the local network that this peer is there. The oldest goes first.
    pub(super) fn seen(&mut self, id: PeerId, address: Multiaddr) {
        self.unseen(&id, &address);
        if AROUND_MAX <= self.around.len() {
            self.around.remove(0);
        }
        self.around.push((id, address));
    }

    /// Nobody says so any more.
    pub(super) fn unseen(&mut self, id: &PeerId, address: &Multiaddr) {
        self.around.retain(|(known, at)| known != id || at != address);
    }

    /// Where the peer was seen on the local network.
    pub(super) fn around(&self, id: &PeerId) -> impl Iterator<Item = Multiaddr> {
        self.around.iter().filter(move |(known, _)| known == id).map(|(_, at)| at.clone())
    }

    /// A peer is here, and has let this node in.
    pub(super) fn reached(&mut self, id: &PeerId) {
        self.peers.remove(id);
    }

    /// Relays that are to be asked for a place now; `ask` says what became of it.
    pub(super) fn relays_due(
        &mut self,
        now: Instant,
        mut ask: impl FnMut(&Multiaddr) -> Option<ListenerId>,
    ) {
        for relay in &mut self.relays {
            if relay.place.is_some() || relay.next.is_some_and(|next| now < next.at) {
                continue;
            }
            relay.next = Some(Next::after(relay.next, now));
            relay.place = ask(&relay.address);
        }
    }

    /// Something listens: if that is a place at a relay, the next one is asked for without a wait.
    pub(super) fn listens(&mut self, listener: ListenerId) {
        let kept = self.relays.iter_mut().filter(|relay| relay.place == Some(listener));
        kept.for_each(|relay| relay.next = None);
    }

    /// What listened there does no more.
    pub(super) fn closed(&mut self, listener: ListenerId) -> Option<&Multiaddr> {
        let relay = self.relays.iter_mut().find(|relay| relay.place == Some(listener))?;
        relay.place = None;
        Some(&relay.address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_away_is_dialled_ever_less_often_and_at_once_after_it_was_here() {
        let (mut dials, id, start) = (Dials::default(), PeerId::random(), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        let dialled: Vec<u64> = (0..120).filter(|second| dials.is_due(id, at(*second))).collect();
        assert_eq!(dialled, [0, 1, 3, 7, 15, 31, 61, 91]);
        dials.reached(&id);
        assert!(dials.is_due(id, at(120)));
    }

    #[test]
    fn a_place_at_a_relay_is_asked_for_again_once_it_is_lost() {
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().unwrap();
        let (mut dials, start) = (Dials::new(std::slice::from_ref(&address)), Instant::now());
        let at = |second| start + Duration::from_secs(second);
        let listener = ListenerId::next();
        let asked = |dials: &mut Dials, second| {
            let mut asked = 0;
            dials.relays_due(at(second), |_| {
                asked += 1;
                Some(listener)
            });
            asked
        };
        assert_eq!((asked(&mut dials, 0), asked(&mut dials, 100)), (1, 0), "it is kept");
        assert_eq!(dials.closed(listener), Some(&address));
        assert_eq!(asked(&mut dials, 100), 1);
        dials.closed(listener);
        assert_eq!((asked(&mut dials, 101), asked(&mut dials, 102)), (0, 1), "less often");
        dials.listens(listener);
        dials.closed(listener);
        assert_eq!(asked(&mut dials, 102), 1, "it had kept one");
    }

    #[test]
    fn what_is_seen_around_is_remembered_until_it_goes_and_never_beyond_the_limit() {
        let (mut dials, id) = (Dials::new(&[]), PeerId::random());
        let at = |port: usize| format!("/ip4/192.0.2.1/tcp/{port}").parse::<Multiaddr>().unwrap();
        dials.seen(id, at(1));
        dials.seen(id, at(1));
        dials.seen(id, at(2));
        assert_eq!(dials.around(&id).collect::<Vec<_>>(), [at(1), at(2)]);
        dials.unseen(&id, &at(1));
        assert_eq!(dials.around(&id).collect::<Vec<_>>(), [at(2)]);
        (0..AROUND_MAX).for_each(|port| dials.seen(PeerId::random(), at(port)));
        assert_eq!(dials.around(&id).count(), 0);
    }
}
