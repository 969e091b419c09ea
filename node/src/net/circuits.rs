//! Whose connections this node carries as a relay.
//!
//! Invariant: while it carries any of a peer, the bytes that come from that peer are others' to weigh.

use std::collections::HashMap;

use libp2p::{PeerId, relay};

/// How many circuits each peer is an end of.
#[derive(Default)]
pub(super) struct Circuits(HashMap<PeerId, usize>);

impl Circuits {
    pub(super) fn on_event(&mut self, event: &relay::Event) {
        match event {
            relay::Event::CircuitReqAccepted { src_peer_id, dst_peer_id } => {
                self.opened([*src_peer_id, *dst_peer_id]);
            }
            relay::Event::CircuitClosed { src_peer_id, dst_peer_id, .. } => {
                self.closed([*src_peer_id, *dst_peer_id]);
            }
            _ => {}
        }
    }

    fn opened(&mut self, ends: [PeerId; 2]) {
        ends.into_iter().for_each(|end| *self.0.entry(end).or_default() += 1);
    }

    fn closed(&mut self, ends: [PeerId; 2]) {
        for end in ends {
            if let Some(count) = self.0.get_mut(&end) {
                *count = count.saturating_sub(1);
            }
        }
        self.0.retain(|_, count| 0 < *count);
    }

    /// Whether a connection of this peer is carried now.
    pub(super) fn is_carried(&self, peer: &PeerId) -> bool {
        self.0.contains_key(peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_carried_until_its_last_circuit_ends() {
        let [one, two, three] = [(); 3].map(|()| PeerId::random());
        let mut circuits = Circuits::default();
        circuits.opened([one, two]);
        circuits.opened([one, three]);
        circuits.closed([one, two]);
        assert_eq!([one, two, three].map(|id| circuits.is_carried(&id)), [true, false, true]);
        circuits.closed([one, three]);
        assert_eq!([one, two, three].map(|id| circuits.is_carried(&id)), [false; 3]);
    }
}
