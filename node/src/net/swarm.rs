//! The libp2p stack: transports, protocols and their limits.
//!
//! Invariants: a connection is made only with an admitted peer key; whatever a peer can make this
//! node hold (connections, streams, buffers, subscriptions, messages) has a number here.

use std::io;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use hallmark_schemas::defect::DEFECT_BYTES_MAX;
use hallmark_schemas::key::SecretKey;
use libp2p::allow_block_list::{self, AllowedPeers};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::ConnectedPoint;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade::Version;
use libp2p::gossipsub::{
    self, AllowAllSubscriptionFilter, DataTransform, MaxCountSubscriptionFilter,
    MessageAuthenticity, MessageId, RawMessage, TopicHash, ValidationMode,
};
use libp2p::identity::{self, Keypair};
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{
    PeerId, Swarm, SwarmBuilder, Transport, dcutr, identify, mdns, noise, ping, relay, tcp, yamux,
};
use sha2::{Digest, Sha256};

use super::door::Door;
use super::gossip::{GOSSIP_KNOWN, NOTE_BYTES_MAX, Topic};
use super::metered::Metered;
use super::named::Named;
use super::runs;
use super::traffic::Traffic;
use super::wire::{self, Codec};
use crate::config::p2p::P2p;

/// Connections that one peer may have: one each way, and one over a relay that is being replaced.
const CONNECTIONS_PER_PEER_MAX: u32 = 3;
/// Connections that this node opens at once; those that come are counted by `door.rs`.
const DIALLING_MAX: u32 = 64;
/// Longest that a connection takes to prove its name.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);
/// Questions that one connection may have open, each way.
const STREAMS_MAX: usize = 32;
/// Streams of one connection, with those of ping, identify, gossip and relayed connections.
const MUXED_STREAMS_MAX: usize = 128;
/// Longest wait for an answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(30);
/// A connection without a stream is kept so long.
const IDLE_WAIT_MAX: Duration = Duration::from_secs(120);
/// Topics that one peer may name: ours, and a few until it is cut off.
const SUBSCRIPTIONS_MAX: usize = 8;
/// How often gossip is repaired.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// Gossip held for one slow peer, messages; the oldest go.
const GOSSIP_QUEUE: usize = 256;
/// What a message of gossip costs beside its bytes: its topic, and frames.
const MESSAGE_BYTES: usize = 256;
/// Most bytes of a frame of gossip: the largest message, and what follows it in the same buffer, for
/// which its length is checked too. One connection holds so many.
const FRAME_BYTES_MAX: usize = DEFECT_BYTES_MAX + (128 << 10);
/// What a relay carries for one pair of peers: a day, and bytes for a backfill.
const CIRCUIT_TIME_MAX: Duration = Duration::from_secs(24 * 3600);
const CIRCUIT_BYTES_MAX: u64 = 4 << 30;

/// What identify says that this is.
const IDENTIFY: &str = "/hallmark/1";

/// A topic that is none is let in, so that whoever subscribes to it is seen and cut off.
pub(super) type Gossip =
    gossipsub::Behaviour<Counting, MaxCountSubscriptionFilter<AllowAllSubscriptionFilter>>;

/// All protocols of a node.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) door: Door,
    limits: connection_limits::Behaviour,
    pub(super) admitted: allow_block_list::Behaviour<AllowedPeers>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    pub(super) gossip: Named<Gossip>,
    pub(super) ask: Named<request_response::Behaviour<Codec>>,
    mdns: Toggle<mdns::tokio::Behaviour>,
    relay: Toggle<relay::Behaviour>,
    relayed: relay::client::Behaviour,
    dcutr: dcutr::Behaviour,
}

/// Why the stack cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The peer key is none.
    #[error("the peer key cannot be used")]
    Key(#[from] identity::DecodingError),
    /// A part refuses its settings, or a transport does not start.
    #[error("libp2p cannot be started")]
    Part(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The peer key as libp2p takes it.
fn keypair(secret: &SecretKey) -> Result<Keypair, StackError> {
    let mut seed = *secret.seed();
    Ok(Keypair::ed25519_from_bytes(&mut seed)?)
}

/// Builds it all, for the process of this number; nothing listens yet.
pub(super) fn build(
    secret: &SecretKey,
    network: &str,
    config: &P2p,
    run: &str,
    traffic: &Arc<Traffic>,
) -> Result<Swarm<Behaviour>, StackError> {
    let part = |error: Refused| StackError::Part(error);
    let key = keypair(secret)?;
    let (relaying, relayed) = relay::client::new(key.public().to_peer_id());
    let builder = SwarmBuilder::with_existing_identity(key).with_tokio();
    #[cfg(feature = "quic")]
    let builder = builder.with_quic();
    let swarm = builder
        .with_other_transport(|key| transport(key, relaying, traffic))
        .map_err(|e| part(Box::new(e)))?
        .with_dns()
        .map_err(|e| part(Box::new(e)))?
        .with_behaviour(|key| behaviour(key, relayed, network, config, run, traffic))
        .map_err(|e| part(Box::new(e)))?
        .with_swarm_config(|swarm| {
            swarm
                .with_idle_connection_timeout(IDLE_WAIT_MAX)
                .with_max_negotiating_inbound_streams(STREAMS_MAX)
        })
        .with_connection_timeout(HANDSHAKE_MAX)
        .build();
    Ok(swarm)
}

/// Connections through relays, else over TCP, each with its bytes counted. A relayed address begins
/// with that of its relay, so relays come first.
fn transport(
    key: &Keypair,
    relaying: relay::client::Transport,
    traffic: &Arc<Traffic>,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, Refused> {
    let muxer = |traffic: &Arc<Traffic>| {
        let traffic = Arc::clone(traffic);
        move |peer: &PeerId, endpoint: &ConnectedPoint| {
            let mut muxer = yamux::Config::default();
            muxer.set_max_num_streams(MUXED_STREAMS_MAX);
            Metered::new(muxer, &traffic, peer, endpoint)
        }
    };
    let relayed = relaying
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key)?)
        .multiplex_ext(muxer(traffic))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let direct = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key)?)
        .multiplex_ext(muxer(traffic))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    Ok(relayed.or_transport(direct).map(|either, _| either.into_inner()).boxed())
}

type Refused = Box<dyn std::error::Error + Send + Sync>;

fn behaviour(
    key: &Keypair,
    relayed: relay::client::Behaviour,
    network: &str,
    config: &P2p,
    run: &str,
    traffic: &Arc<Traffic>,
) -> Result<Behaviour, Refused> {
    let id = key.public().to_peer_id();
    let limits = ConnectionLimits::default()
        .with_max_pending_outgoing(Some(DIALLING_MAX))
        .with_max_established(Some(config.connections_max))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX));
    let asking = request_response::Config::default()
        .with_request_timeout(ANSWER_WAIT_MAX)
        .with_max_concurrent_streams(STREAMS_MAX);
    let identify = identify::Config::new(IDENTIFY.to_owned(), key.public())
        .with_agent_version(runs::agent(run));
    let ask = request_response::Behaviour::with_codec(
        Codec::new(Arc::clone(traffic)),
        [(wire::PROTOCOL, ProtocolSupport::Full)],
        asking,
    );
    let mdns = config.mdns.then(|| mdns::tokio::Behaviour::new(mdns::Config::default(), id));
    let relay = config.relay.then(|| relay::Behaviour::new(id, relay_config()));
    Ok(Behaviour {
        door: Door::default(),
        limits: connection_limits::Behaviour::new(limits),
        admitted: allow_block_list::Behaviour::default(),
        identify: identify::Behaviour::new(identify),
        ping: ping::Behaviour::default(),
        gossip: Named::new(gossip(network, traffic)?, Arc::clone(traffic)),
        ask: Named::new(ask, Arc::clone(traffic)),
        mdns: mdns.transpose()?.into(),
        relay: relay.into(),
        relayed,
        dcutr: dcutr::Behaviour::new(id),
    })
}

/// A relay carries connections of members to members, each encrypted end to end.
fn relay_config() -> relay::Config {
    let per_minute = |count| (NonZeroU32::new(count).expect("not 0"), Duration::from_secs(60));
    let (limit, interval) = per_minute(60);
    let mut config = relay::Config::default()
        .reservation_rate_per_peer(limit, interval)
        .circuit_src_per_peer(limit, interval);
    config.max_circuit_duration = CIRCUIT_TIME_MAX;
    config.max_circuit_bytes = CIRCUIT_BYTES_MAX;
    config
}

/// Every message, of which one that came before is dropped after this, counts for whom it comes from;
/// and one to a topic that is none, which would be dropped unseen, is shown.
pub(super) struct Counting {
    topics: [TopicHash; 2],
    traffic: Arc<Traffic>,
}

impl Counting {
    /// Whether a message was to a topic that is none: no other has a number, which is refused before.
    pub(super) fn is_astray(message: &gossipsub::Message) -> bool {
        message.sequence_number.is_some()
    }
}

impl DataTransform for Counting {
    fn inbound_transform(&self, raw: RawMessage) -> io::Result<gossipsub::Message> {
        if let Some(peer) = self.traffic.of_present() {
            peer.gossiped(raw.data.len() + MESSAGE_BYTES);
        }
        let RawMessage { source, data, sequence_number, topic, .. } = raw;
        if self.topics.contains(&topic) {
            return Ok(gossipsub::Message { source, data, sequence_number, topic });
        }
        // Under its topic, so that it does not pass for the message itself on a topic that is one.
        let data = [topic.as_str().as_bytes(), b"\n", &data].concat();
        let topic = self.topics[0].clone();
        Ok(gossipsub::Message { source, data, sequence_number: Some(0), topic })
    }

    fn outbound_transform(&self, _: &TopicHash, data: Vec<u8>) -> io::Result<Vec<u8>> {
        Ok(data)
    }
}

/// Messages carry their own signatures, so gossip adds none; its id is that of all its bytes, so
/// that one with bad signature lines does not hide a good one.
fn gossip(network: &str, traffic: &Arc<Traffic>) -> Result<Gossip, Refused> {
    let max = |bytes: usize| bytes + MESSAGE_BYTES;
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::from(Sha256::digest(&message.data).to_vec()))
        .max_transmit_size(FRAME_BYTES_MAX)
        .max_transmit_size_for_topic(max(NOTE_BYTES_MAX), Topic::Checkpoints.of(network).hash())
        .max_transmit_size_for_topic(max(DEFECT_BYTES_MAX), Topic::Defects.of(network).hash())
        .heartbeat_interval(HEARTBEAT)
        .connection_handler_queue_len(GOSSIP_QUEUE)
        .duplicate_cache_time(GOSSIP_KNOWN)
        .build()?;
    let filter = MaxCountSubscriptionFilter {
        filter: AllowAllSubscriptionFilter::default(),
        max_subscribed_topics: SUBSCRIPTIONS_MAX,
        max_subscriptions_per_request: SUBSCRIPTIONS_MAX,
    };
    let topics = Topic::ALL.map(|topic| topic.of(network).hash());
    let mut gossip = Gossip::new_with_subscription_filter_and_transform(
        MessageAuthenticity::Anonymous,
        config,
        filter,
        Counting { topics, traffic: Arc::clone(traffic) },
    )?;
    for topic in Topic::ALL {
        gossip.subscribe(&topic.of(network))?;
    }
    Ok(gossip)
}
