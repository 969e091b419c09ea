//! The peers over libp2p: the only home of that crate.
//!
//! One loop (`hub.rs`) owns the connections; `answer.rs` says what a peer is told, `gossip.rs` and
//! `passed.rs` what is passed on, `roster.rs` who may connect, `allowance.rs` and `traffic.rs` how
//! much each may send, `wire.rs` how questions look. Whoever asks peers goes through [`Net`], or
//! through `peers/road.rs`, which falls back to HTTP.
//!
//! Invariants: nothing a peer sends is acted on before it is bounded and counted; the loop never
//! waits for a disk or for a peer; what a peer does wrong is written down in the roster, and enough
//! of it ends the connection.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use hallmark_schemas::key::PublicKey;
use libp2p::multiaddr::Protocol;
use libp2p::request_response::OutboundFailure;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tracing::debug;

use crate::api::problem::with_causes;
use crate::config::p2p::P2p;
use crate::service::Service;

use gossip::Topic;
use hub::Hub;
use roster::{Fault, Roster};
use swarm::{Behaviour, StackError};
use traffic::Traffic;
use wire::{Question, Reply};

mod allowance;
mod answer;
mod circuits;
mod dials;
mod door;
mod farewell;
pub mod gossip;
mod hub;
mod metered;
mod named;
mod passed;
pub mod roster;
mod runs;
mod swarm;
mod traffic;
pub mod wire;

/// Questions and messages that wait for the loop.
const COMMANDS_MAX: usize = 1024;
/// Questions that this node has open with one peer: fewer than that may have open with it.
const ASKED_MAX: usize = 8;
const _: () = assert!(ASKED_MAX < allowance::ANSWERED_MAX);

/// A multiaddress.
pub type Address = Multiaddr;

/// Whether a text is a multiaddress that leads to a port of a host, or over a relay.
pub(crate) fn is_dialled(text: &str) -> bool {
    use libp2p::multiaddr::Protocol::{Dns, Dns4, Dns6, Dnsaddr, Ip4, Ip6, Tcp, Udp};
    let Ok(address) = text.parse::<Multiaddr>() else { return false };
    let mut parts = address.iter();
    let host = parts.next();
    let is_host = matches!(host, Some(Ip4(_) | Ip6(_) | Dns(_) | Dns4(_) | Dns6(_)));
    let is_port = matches!(parts.next(), Some(Tcp(1..) | Udp(1..)));
    (is_host && is_port) || matches!(host, Some(Dnsaddr(_)))
}
/// What a peer is known by: the hash of its peer key.
pub type PeerName = PeerId;

/// The peer id of a peer key. `None` for no key of libp2p, which a parsed key always is.
pub fn peer_id(key: &PublicKey) -> Option<PeerId> {
    let key = libp2p::identity::ed25519::PublicKey::try_from_bytes(key.bytes()).ok()?;
    Some(libp2p::identity::PublicKey::from(key).to_peer_id())
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No connection, or it broke, or the peer took too long.
    #[error("the peer does not answer")]
    Unanswered(#[source] OutboundFailure),
    /// This node is stopping, or too much waits already.
    #[error("too many questions wait for their peers")]
    Busy,
}

enum Command {
    Ask { peer: PeerId, question: Question, reply: oneshot::Sender<Result<Reply, AskError>> },
    Publish { topic: Topic, bytes: Vec<u8> },
    Accuse { peer: PeerId, fault: Fault, what: String },
}

/// What the rest of the node has of the peers. Cheap to clone.
#[derive(Clone)]
pub struct Net {
    own: PeerId,
    commands: mpsc::Sender<Command>,
    roster: Arc<Roster>,
    /// Room for the questions that are open with each peer. `ask` adds a peer, nobody removes one:
    /// there are no more than members.
    asking: Arc<Mutex<HashMap<PeerId, Arc<Semaphore>>>>,
}

impl Net {
    /// The own peer id.
    pub fn own(&self) -> PeerId {
        self.own
    }

    /// Who the peers are and how they are.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Asks a connected peer; waits while too many questions are open with it.
    pub async fn ask(&self, peer: PeerId, question: Question) -> Result<Reply, AskError> {
        let room = {
            let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
            let room = asking.entry(peer).or_insert_with(|| Arc::new(Semaphore::new(ASKED_MAX)));
            Arc::clone(room)
        };
        let _turn = room.acquire().await.map_err(|_| AskError::Busy)?;
        let (reply, answer) = oneshot::channel();
        let command = Command::Ask { peer, question, reply };
        self.commands.send(command).await.map_err(|_| AskError::Busy)?;
        answer.await.unwrap_or(Err(AskError::Busy))
    }

    /// Tells all peers. What the loop cannot take now is left out: gossip is repeated elsewhere.
    pub fn publish(&self, topic: Topic, bytes: Vec<u8>) {
        if self.commands.try_send(Command::Publish { topic, bytes }).is_err() {
            debug!("a message was not gossiped: too much waits");
        }
    }

    /// Counts what a peer turned out to have done. What the loop cannot take now is not counted:
    /// whoever lies does it again.
    pub fn accuse(&self, peer: PeerId, fault: Fault, what: String) {
        let _ = self.commands.try_send(Command::Accuse { peer, fault, what });
    }

    /// The same for whoever keeps the log of this origin.
    pub fn accuse_keeper(&self, origin: &str, fault: Fault, what: String) {
        if let Some(peer) = self.roster.keeper(origin) {
            self.accuse(peer, fault, what);
        }
    }
}

/// A stack that listens, and its loop that is to be run.
pub struct Peers {
    net: Net,
    config: P2p,
    swarm: Swarm<Behaviour>,
    traffic: Arc<Traffic>,
    commands: mpsc::Receiver<Command>,
}

impl Peers {
    /// Builds the stack for this node. Must be called within the runtime.
    pub fn new(service: &Service) -> Result<Peers, StackError> {
        let network = service.network();
        let config = &service.config.p2p;
        let traffic = Arc::default();
        let (name, run) = (&network.network().name, &service.process.run);
        let swarm = swarm::build(&service.peer, name, config, run, &traffic)?;
        let roster = Arc::new(Roster::open(service.data.path().join("peers.json")));
        roster.adopt(network.network(), &service.config.origin);
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let own = *swarm.local_peer_id();
        let net = Net { own, commands: sender, roster, asking: Arc::default() };
        Ok(Peers { net, config: config.clone(), swarm, traffic, commands })
    }

    /// What the rest of the node uses.
    pub fn net(&self) -> Net {
        self.net.clone()
    }

    /// Listens on this address; the multiaddresses under which peers reach this node: those that
    /// the configuration states, else this one, and one through each relay.
    pub async fn listen(&mut self, on: SocketAddr) -> Result<Vec<String>, String> {
        let address = Multiaddr::from(on.ip()).with(Protocol::Tcp(on.port()));
        let listener = self.swarm.listen_on(address.clone()).map_err(|e| with_causes(&e))?;
        #[cfg(feature = "quic")]
        self.swarm.listen_on(quic_address(on)).map_err(|e| with_causes(&e))?;
        loop {
            match self.swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { listener_id, .. } if listener_id == listener => break,
                SwarmEvent::ListenerClosed { listener_id, reason, .. }
                    if listener_id == listener =>
                {
                    return Err(reason.map_or_else(|e| e.to_string(), |()| "closed".to_owned()));
                }
                _ => {}
            }
        }
        let mut public = self.config.public.clone();
        if public.is_empty() && !on.ip().is_unspecified() {
            public.push(address);
            #[cfg(feature = "quic")]
            public.push(quic_address(on));
        }
        for address in &public {
            self.swarm.add_external_address(address.clone());
        }
        public.extend(self.config.relays.iter().map(|at| at.clone().with(Protocol::P2pCircuit)));
        if public.is_empty() {
            tracing::warn!("peers are not told an address of this node: state `p2p.public`");
        }
        Ok(public.iter().map(Multiaddr::to_string).collect())
    }

    /// Runs until `stop`, then lets what is being answered end.
    pub async fn run(self, service: Arc<Service>, stop: watch::Receiver<bool>) {
        let hub = Hub::new(service, self.net.roster, self.swarm, self.traffic, self.config);
        hub.run(self.commands, stop).await;
    }
}

#[cfg(feature = "quic")]
fn quic_address(on: SocketAddr) -> Multiaddr {
    Multiaddr::from(on.ip()).with(Protocol::Udp(on.port())).with(Protocol::QuicV1)
}
