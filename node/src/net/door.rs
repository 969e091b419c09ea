//! How many connections may be in their handshake, from where.
//!
//! Invariants: whoever has proved no name takes at most the share of its address, so that one host
//! keeps nobody else out; addresses from which a member came before have places that no other
//! address takes; what is remembered is bounded. No clock is read here: how long a handshake may
//! take is in `swarm.rs`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, ListenFailure, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

/// Connections in their handshake, from all addresses: each costs a socket and little memory.
const PENDING_MAX: usize = 512;
/// Of those, for addresses from which members came.
const PENDING_MEMBERS: usize = 128;
/// From one address, or one network of IPv6.
const PENDING_ADDRESS_MAX: usize = 16;
/// From an address from which a member came: many may be behind it.
const PENDING_MEMBER_MAX: usize = 64;
/// From this machine, where all nodes of a test or a demo are.
const PENDING_LOCAL_MAX: usize = 256;
const _: () = assert!(PENDING_LOCAL_MAX + PENDING_MEMBERS <= PENDING_MAX);
/// Most addresses from which members came that are remembered; the oldest go.
const MEMBERS_MAX: usize = 4096;

/// Where a connection comes from, as far as addresses are shared out one by one.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Place {
    /// This machine.
    Local,
    V4(Ipv4Addr),
    /// The network of the first 64 bits.
    V6([u16; 4]),
    /// Through a relay, or no address at all.
    Other,
}

impl Place {
    fn of(address: &Multiaddr) -> Place {
        if address.iter().any(|part| part == Protocol::P2pCircuit) {
            return Place::Other;
        }
        address.iter().find_map(Place::of_part).unwrap_or(Place::Other)
    }

    fn of_part(part: Protocol<'_>) -> Option<Place> {
        match part {
            Protocol::Ip4(ip) => Some(Place::of_v4(ip)),
            Protocol::Ip6(ip) => Some(match ip.to_ipv4_mapped() {
                Some(ip) => Place::of_v4(ip),
                None if ip == Ipv6Addr::LOCALHOST => Place::Local,
                None => {
                    let [a, b, c, d, ..] = ip.segments();
                    Place::V6([a, b, c, d])
                }
            }),
            _ => None,
        }
    }

    fn of_v4(ip: Ipv4Addr) -> Place {
        if ip.is_loopback() { Place::Local } else { Place::V4(ip) }
    }
}

/// That there is no room for another handshake.
#[derive(Debug)]
struct Crowded {
    from: &'static str,
}

impl fmt::Display for Crowded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too many handshakes are under way {}", self.from)
    }
}

impl std::error::Error for Crowded {}

/// The handshakes that are under way.
#[derive(Default)]
pub(super) struct Door {
    pending: HashMap<ConnectionId, Place>,
    members: HashSet<Place>,
    members_order: VecDeque<Place>,
}

impl Door {
    /// A member came from this address, or was reached there.
    pub(super) fn member_at(&mut self, address: &Multiaddr) {
        let place = Place::of(address);
        if place == Place::Other || !self.members.insert(place) {
            return;
        }
        self.members_order.push_back(place);
        if MEMBERS_MAX < self.members_order.len()
            && let Some(oldest) = self.members_order.pop_front()
        {
            self.members.remove(&oldest);
        }
    }

    fn opens(&mut self, id: ConnectionId, from: &Multiaddr) -> Result<(), Crowded> {
        let place = Place::of(from);
        let is_member = self.members.contains(&place);
        let most = match place {
            Place::Local => PENDING_LOCAL_MAX,
            _ if is_member => PENDING_MEMBER_MAX,
            _ => PENDING_ADDRESS_MAX,
        };
        if most <= self.pending.values().filter(|other| **other == place).count() {
            return Err(Crowded { from: "from that address" });
        }
        let of_strangers =
            || self.pending.values().filter(|place| !self.members.contains(place)).count();
        if PENDING_MAX <= self.pending.len()
            || (!is_member && PENDING_MAX - PENDING_MEMBERS <= of_strangers())
        {
            return Err(Crowded { from: "from all addresses" });
        }
        self.pending.insert(id, place);
        Ok(())
    }

    fn passed(&mut self, id: &ConnectionId) {
        self.pending.remove(id);
    }
}

impl NetworkBehaviour for Door {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: &Multiaddr,
        from: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.opens(id, from).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.passed(&id);
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ListenFailure(ListenFailure { connection_id, .. }) = event {
            self.passed(&connection_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many connections from these addresses are let in.
    fn let_in(door: &mut Door, ids: std::ops::Range<usize>, at: impl Fn(usize) -> String) -> usize {
        let mut ids = ids;
        let first = ids.start;
        let let_in = ids.by_ref().filter(|number| {
            let id = ConnectionId::new_unchecked(*number);
            door.opens(id, &at(number - first).parse().unwrap()).is_ok()
        });
        let_in.count()
    }

    #[test]
    fn one_host_takes_its_share_and_members_have_places_that_no_other_takes() {
        let mut door = Door::default();
        let same = |_| "/ip4/192.0.2.1/tcp/1".to_owned();
        assert_eq!(let_in(&mut door, 0..100, same), PENDING_ADDRESS_MAX);
        let network = |host| format!("/ip6/2001:db8:1:2::{host:x}/tcp/1");
        assert_eq!(let_in(&mut door, 100..200, network), PENDING_ADDRESS_MAX);
        let local = |_| "/ip4/127.0.0.1/tcp/1".to_owned();
        assert_eq!(let_in(&mut door, 1000..2000, local), PENDING_LOCAL_MAX);
        door.member_at(&"/ip4/198.51.100.7/tcp/4101".parse().unwrap());
        let many = |host| format!("/ip4/10.0.{}.{}/tcp/1", host / 250, host % 250);
        let_in(&mut door, 2000..3000, many);
        assert_eq!(door.pending.len(), PENDING_MAX - PENDING_MEMBERS);
        let member = |_| "/ip4/198.51.100.7/tcp/5000".to_owned();
        assert_eq!(let_in(&mut door, 4000..4100, member), PENDING_MEMBER_MAX);
        // A handshake that ends makes room, whatever became of it.
        door.passed(&ConnectionId::new_unchecked(0));
        assert_eq!(let_in(&mut door, 5000..5009, same), 1);
    }

    #[test]
    fn the_addresses_of_members_that_are_remembered_are_bounded() {
        let mut door = Door::default();
        for host in 0..2 * MEMBERS_MAX {
            let address = format!("/ip4/10.{}.{}.1/tcp/1", host / 256, host % 256);
            door.member_at(&address.parse().unwrap());
            door.member_at(&address.parse().unwrap());
        }
        assert_eq!((door.members.len(), door.members_order.len()), (MEMBERS_MAX, MEMBERS_MAX));
        assert_eq!(Place::of(&"/ip6/::ffff:127.0.0.1/tcp/1".parse().unwrap()), Place::Local);
    }
}
