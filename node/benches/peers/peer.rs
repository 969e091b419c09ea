//! A member that speaks to one node with its own key and does what a measurement wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hallmark_node::net::wire::{Codec, PROTOCOL, Question};
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, MessageId, ValidationMode};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Message, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, SwarmBuilder, noise, tcp, yamux};

use crate::world::{Outcome, PEER, key};

/// Questions that a flooder has open at once.
const OPEN: usize = 32;
/// Between two questions of an honest member: half of what a node lets one ask.
const HONEST_PAUSE: Duration = Duration::from_millis(10);
/// Longest wait for a connection.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(20);

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    ask: request_response::Behaviour<Codec>,
    gossip: gossipsub::Behaviour,
}

/// A member and the node that it speaks to.
pub(crate) struct Peer {
    swarm: Swarm<Behaviour>,
    to: Multiaddr,
    node: Option<PeerId>,
}

/// What a flooder was given.
#[derive(Debug, Default)]
pub(crate) struct Flooded {
    pub(crate) answered: u64,
    pub(crate) refused: u64,
    pub(crate) cut_off: u64,
}

impl Peer {
    /// The member of this number, that knows the address of a node.
    pub(crate) fn new(number: usize, to: &str) -> Outcome<Peer> {
        let mut seed = *key(number, PEER).seed();
        let gossip = gossipsub::ConfigBuilder::default()
            .validation_mode(ValidationMode::None)
            .message_id_fn(|message| MessageId::from(message.data.clone()))
            .build()?;
        let ask = [(PROTOCOL, ProtocolSupport::Full)];
        let behaviour = Behaviour {
            ask: request_response::Behaviour::new(ask, request_response::Config::default()),
            gossip: gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, gossip)?,
        };
        let mut swarm =
            SwarmBuilder::with_existing_identity(Keypair::ed25519_from_bytes(&mut seed)?)
                .with_tokio()
                .with_tcp(
                    tcp::Config::default().nodelay(true),
                    noise::Config::new,
                    yamux::Config::default,
                )?
                .with_behaviour(|_| behaviour)?
                .with_swarm_config(|swarm| {
                    swarm.with_idle_connection_timeout(CONNECT_WAIT_MAX * 30)
                })
                .build();
        for topic in ["checkpoints", "defects"] {
            swarm.behaviour_mut().gossip.subscribe(&topic_of(topic))?;
        }
        Ok(Peer { swarm, to: to.parse()?, node: None })
    }

    /// Dials until it is let in.
    pub(crate) async fn connect(&mut self) -> Outcome<()> {
        let end = Instant::now() + CONNECT_WAIT_MAX;
        while self.node.is_none() && Instant::now() < end {
            // One dial at a time: the one before may be under way.
            let _ = self.swarm.dial(self.to.clone());
            let _ = tokio::time::timeout(Duration::from_secs(1), self.turn()).await;
        }
        self.node.map(|_| ()).ok_or_else(|| "the node does not let it in".into())
    }

    /// One event; whether it was an answer, and with which status.
    async fn turn(&mut self) -> Option<u16> {
        match self.swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => self.node = Some(peer_id),
            SwarmEvent::ConnectionClosed { num_established: 0, .. } => self.node = None,
            SwarmEvent::Behaviour(BehaviourEvent::Ask(request_response::Event::Message {
                message: Message::Response { response, .. },
                ..
            })) => return Some(response.status),
            SwarmEvent::Behaviour(BehaviourEvent::Ask(
                request_response::Event::OutboundFailure { .. },
            )) => return Some(0),
            _ => {}
        }
        None
    }

    fn ask(&mut self) -> bool {
        let Some(node) = self.node else { return false };
        self.swarm.behaviour_mut().ask.send_request(&node, Ok(Question::Network));
        true
    }

    /// Asks one question after the other until the time is over; how long each took.
    pub(crate) async fn honest(&mut self, end: Instant) -> Outcome<Vec<Duration>> {
        let mut times = Vec::new();
        while Instant::now() < end {
            if !self.ask() {
                return Err("an honest member was cut off".into());
            }
            let asked = Instant::now();
            let status = loop {
                if let Some(status) = self.turn().await {
                    break status;
                }
            };
            if status != 200 {
                return Err(format!("an honest member was answered {status}").into());
            }
            times.push(asked.elapsed());
            self.stay(HONEST_PAUSE).await;
        }
        Ok(times)
    }

    /// Takes part for so long without asking.
    pub(crate) async fn stay(&mut self, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        while tokio::time::timeout_at(end, self.turn()).await.is_ok() {}
    }

    /// Asks and dials as fast as it can until it is told to stop.
    pub(crate) async fn flood(&mut self, stop: Arc<AtomicBool>) -> Flooded {
        let (mut flooded, mut open) = (Flooded::default(), 0);
        while !stop.load(Ordering::Relaxed) {
            if self.node.is_none() {
                open = 0;
                let _ = self.swarm.dial(self.to.clone());
            }
            while open < OPEN && self.ask() {
                open += 1;
            }
            let was_in = self.node.is_some();
            let wait = Duration::from_millis(20);
            if let Ok(Some(status)) = tokio::time::timeout(wait, self.turn()).await {
                open = open.saturating_sub(1);
                match status {
                    200 => flooded.answered += 1,
                    _ => flooded.refused += 1,
                }
            }
            flooded.cut_off += u64::from(was_in && self.node.is_none());
        }
        flooded
    }

    /// Gossips these bytes, again until somebody listens.
    pub(crate) async fn publish(&mut self, topic: &str, bytes: &[u8]) -> Outcome<()> {
        let end = Instant::now() + CONNECT_WAIT_MAX;
        while Instant::now() < end {
            let gossip = &mut self.swarm.behaviour_mut().gossip;
            if gossip.publish(topic_of(topic), bytes.to_vec()).is_ok() {
                return Ok(());
            }
            self.stay(Duration::from_millis(20)).await;
        }
        Err("nobody listens to gossip".into())
    }
}

fn topic_of(name: &str) -> IdentTopic {
    IdentTopic::new(format!("hallmark/1/bench/{name}"))
}
