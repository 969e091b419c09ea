//! The peers over libp2p: the only home of that crate.
//!
//! One loop owns the connections; `answer.rs` says what a peer is told, `gossip.rs` what is passed
//! on, `roster.rs` who may connect, `wire.rs` how questions look. Whoever asks peers goes through
//! [`Net`], or through `peers/road.rs`, which falls back to HTTP.
//!
//! Invariants: nothing a peer sends is acted on before it is bounded and counted; the loop never
//! waits for a disk or for a peer; what a peer does wrong is written down in the roster, and enough
//! of it ends the connection.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hallmark_schemas::key::PublicKey;
use libp2p::core::ConnectedPoint;
use libp2p::gossipsub::{self, MessageId, PublishError};
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{
    self, Message, OutboundFailure, OutboundRequestId, ResponseChannel,
};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{DialError, ListenError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, mdns};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{debug, info};

use crate::api::limit::Limiter;
use crate::api::problem::with_causes;
use crate::config::p2p::P2p;
use crate::service::Service;

use gossip::{Topic, Verdict};
use roster::{Fault, Roster};
use swarm::{Behaviour, BehaviourEvent, STREAMS_MAX, StackError};
use wire::{Question, Reply};

mod answer;
pub mod gossip;
pub mod roster;
mod swarm;
pub mod wire;

/// Questions and messages that wait for the loop.
const COMMANDS_MAX: usize = 1024;
/// Answers and messages that are worked on at once, of all peers: 64 * 2 MiB.
const WORK_MAX: usize = 64;
/// A burst is so many seconds' worth.
const BURST_S: f64 = 10.0;
/// Messages a second that one peer may pass on for each log that there is.
const MESSAGES_PER_SECOND: f64 = 20.0;
/// How often it is looked whom to dial.
const DIAL_BEAT: Duration = Duration::from_secs(1);
/// Longest wait before a peer is dialled again.
const DIAL_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long a stopping node still works on answers.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// A multiaddress.
pub type Address = Multiaddr;
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

    /// Asks a connected peer.
    pub async fn ask(&self, peer: PeerId, question: Question) -> Result<Reply, AskError> {
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

    /// Counts what the answer of a peer turned out to be.
    pub async fn accuse(&self, peer: PeerId, fault: Fault, what: String) {
        let _ = self.commands.send(Command::Accuse { peer, fault, what }).await;
    }
}

/// A stack that listens, and its loop that is to be run.
pub struct Peers {
    net: Net,
    config: P2p,
    swarm: Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
}

impl Peers {
    /// Builds the stack for this node. Must be called within the runtime.
    pub fn new(service: &Service) -> Result<Peers, StackError> {
        let network = service.network();
        let config = &service.config.p2p;
        let swarm = swarm::build(&service.peer, &network.network().name, config)?;
        let roster = Arc::new(Roster::open(service.data.path().join("peers.json")));
        roster.adopt(network.network(), &service.config.origin);
        let (sender, commands) = mpsc::channel(COMMANDS_MAX);
        let net = Net { own: *swarm.local_peer_id(), commands: sender, roster };
        Ok(Peers { net, config: config.clone(), swarm, commands })
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
        let _ = self
            .swarm
            .listen_on(
                Multiaddr::from(on.ip()).with(Protocol::Udp(on.port())).with(Protocol::QuicV1),
            )
            .map_err(|e| with_causes(&e))?;
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
        }
        if public.is_empty() {
            tracing::warn!("peers are not told an address of this node: state `p2p.public`");
        }
        for address in &public {
            self.swarm.add_external_address(address.clone());
        }
        public.extend(self.config.relays.iter().map(|at| at.clone().with(Protocol::P2pCircuit)));
        Ok(public.iter().map(Multiaddr::to_string).collect())
    }

    /// Runs until `stop`, then lets what is being answered end.
    pub async fn run(self, service: Arc<Service>, stop: watch::Receiver<bool>) {
        let Peers { net, config, swarm, commands } = self;
        let mut turning = Loop {
            network: service.network().network().name.clone(),
            service,
            roster: net.roster,
            swarm,
            asked: HashMap::new(),
            work: JoinSet::new(),
            room: Arc::new(Semaphore::new(WORK_MAX)),
            open: HashMap::new(),
            questions: Limiter::default(),
            messages: Limiter::default(),
            dials: HashMap::new(),
            config,
        };
        turning.run(commands, stop).await;
    }
}

/// What a task has to hand back to the swarm.
enum Done {
    Answered { channel: ResponseChannel<Reply>, reply: Reply },
    Heard { from: PeerId, id: MessageId, verdict: Verdict },
}

/// When a peer is dialled next, and how long is waited after that.
struct Dial {
    at: Instant,
    wait: Duration,
}

struct Loop {
    service: Arc<Service>,
    network: String,
    roster: Arc<Roster>,
    swarm: Swarm<Behaviour>,
    asked: HashMap<OutboundRequestId, oneshot::Sender<Result<Reply, AskError>>>,
    work: JoinSet<Done>,
    room: Arc<Semaphore>,
    /// Room for the questions of each connected peer that are being answered.
    open: HashMap<PeerId, Arc<Semaphore>>,
    questions: Limiter<PeerId>,
    messages: Limiter<PeerId>,
    dials: HashMap<PeerId, Dial>,
    config: P2p,
}

impl Loop {
    async fn run(
        &mut self,
        mut commands: mpsc::Receiver<Command>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut beat = tokio::time::interval(DIAL_BEAT);
        let mut published = self.service.node.log().subscribe_published();
        for relay in self.config.relays.clone() {
            self.reserve(relay);
        }
        loop {
            tokio::select! {
                () = crate::peers::stopped(&mut stop) => break,
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(command) = commands.recv() => self.on_command(command),
                Some(done) = self.work.join_next() => {
                    if let Ok(done) = done {
                        self.on_done(done);
                    }
                }
                Ok(()) = published.changed() => {
                    let newest = published.borrow_and_update().clone();
                    if let Some(newest) = newest {
                        self.publish(Topic::Checkpoints, newest.note.to_string().into_bytes());
                    }
                }
                _ = beat.tick() => self.on_beat(),
            }
        }
        let drained = tokio::time::timeout(DRAIN_MAX, async {
            while let Some(done) = self.work.join_next().await {
                if let Ok(done) = done {
                    self.on_done(done);
                }
            }
        });
        let _ = drained.await;
        // What was handed to the swarm last leaves with its next turns.
        let flush = async {
            loop {
                self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(200), flush).await;
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Ask { peer, question, reply } => {
                if self.swarm.is_connected(&peer) {
                    let id = self.swarm.behaviour_mut().ask.send_request(&peer, Ok(question));
                    self.asked.insert(id, reply);
                } else {
                    let _ = reply.send(Err(AskError::Unanswered(OutboundFailure::DialFailure)));
                }
            }
            Command::Publish { topic, bytes } => self.publish(topic, bytes),
            Command::Accuse { peer, fault, what } => self.accuse(peer, fault, &what),
        }
    }

    fn publish(&mut self, topic: Topic, bytes: Vec<u8>) {
        let topic = topic.of(&self.network);
        match self.swarm.behaviour_mut().gossip.publish(topic, bytes) {
            Ok(_) | Err(PublishError::Duplicate | PublishError::NoPeersSubscribedToTopic) => {}
            Err(error) => debug!(%error, "a message is not gossiped"),
        }
    }

    /// Takes over who is a member now, and dials who is away.
    fn on_beat(&mut self) {
        let now = (self.service.clock)();
        self.roster.adopt(self.service.network().network(), &self.service.config.origin);
        let admitted = self.roster.admitted(now);
        let list = &mut self.swarm.behaviour_mut().admitted;
        let gone: Vec<PeerId> =
            list.allowed_peers().iter().filter(|id| !admitted.contains(id)).copied().collect();
        for id in gone {
            list.disallow_peer(id);
        }
        for id in &admitted {
            list.allow_peer(*id);
        }
        let instant = Instant::now();
        for id in admitted {
            let due = self.dials.get(&id).is_none_or(|dial| dial.at <= instant);
            if due && !self.swarm.is_connected(&id) {
                self.dial(id, instant);
            }
        }
    }

    fn dial(&mut self, id: PeerId, now: Instant) {
        let Some(peer) = self.roster.peer(&id) else { return };
        let network = self.service.network();
        let known = self.service.addresses.multiaddrs(&network, &peer.origin);
        let own = self.swarm.listeners().cloned().collect::<Vec<_>>();
        let addresses: Vec<Multiaddr> = known
            .iter()
            .filter_map(|address| address.parse().ok())
            .filter(|address| !own.contains(address))
            .collect();
        let wait = self.dials.get(&id).map_or(DIAL_BEAT, |dial| dial.wait);
        let next = (wait * 2).min(DIAL_WAIT_MAX);
        self.dials.insert(id, Dial { at: now + wait, wait: next });
        if addresses.is_empty() {
            return;
        }
        let dial = DialOpts::peer_id(id)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(addresses)
            .build();
        if let Err(error) = self.swarm.dial(dial) {
            debug!(%id, %error, "a peer is not dialled");
        }
    }

    /// Listens at a relay, so that peers reach this node through it.
    fn reserve(&mut self, relay: Multiaddr) {
        let at = relay.clone().with(Protocol::P2pCircuit);
        if let Err(error) = self.swarm.listen_on(at) {
            tracing::warn!(%relay, %error, "no reservation at a relay");
        }
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let now = (self.service.clock)();
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                let address = endpoint.get_remote_address();
                let dialled = matches!(endpoint, ConnectedPoint::Dialer { .. });
                info!(%peer_id, %address, dialled, "connected");
                self.roster.opened(peer_id, address, now);
                self.dials.remove(&peer_id);
                self.service.addresses.tell();
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, cause, .. } => {
                let cause = cause.map(|cause| with_causes(&cause));
                info!(%peer_id, cause, "disconnected");
                self.roster.closed(peer_id);
                self.open.remove(&peer_id);
            }
            SwarmEvent::IncomingConnectionError { peer_id: Some(id), error, .. } => {
                let reason = match &error {
                    ListenError::Denied { .. } => self.why_denied(&id),
                    error => with_causes(error),
                };
                debug!(%id, reason, "a connection was refused");
                self.roster.refused(id, reason, now);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(id), error, .. }
                if !matches!(error, DialError::DialPeerConditionFalse(_)) =>
            {
                self.roster.refused(id, format!("not reached: {error}"), now);
            }
            SwarmEvent::NewListenAddr { address, .. } => debug!(%address, "listens"),
            _ => {}
        }
    }

    fn why_denied(&self, id: &PeerId) -> String {
        match self.roster.peer(id) {
            None => "its key is the peer key of no member of the network file".to_owned(),
            Some(_) if !self.roster.admitted((self.service.clock)()).contains(id) => {
                "it is kept out for what it did".to_owned()
            }
            Some(_) => "too many connections".to_owned(),
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Ask(event) => self.on_ask(event),
            BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            }) => self.on_gossip(propagation_source, message_id, message),
            BehaviourEvent::Gossip(gossipsub::Event::SlowPeer { peer_id, .. }) => {
                debug!(%peer_id, "gossip to a slow peer was dropped");
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (id, address) in found {
                    if self.roster.peer(&id).is_some() && !self.swarm.is_connected(&id) {
                        let dial = DialOpts::peer_id(id).addresses(vec![address]).build();
                        let _ = self.swarm.dial(dial);
                    }
                }
            }
            _ => {}
        }
    }

    fn on_ask(&mut self, event: request_response::Event<Result<Question, String>, Reply>) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                Message::Request { request, channel, .. } => {
                    self.on_question(peer, request, channel);
                }
                Message::Response { request_id, response } => {
                    if let Some(reply) = self.asked.remove(&request_id) {
                        let _ = reply.send(Ok(response));
                    }
                }
            },
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                if let Some(reply) = self.asked.remove(&request_id) {
                    let _ = reply.send(Err(AskError::Unanswered(error)));
                }
            }
            _ => {}
        }
    }

    fn on_question(
        &mut self,
        peer: PeerId,
        question: Result<Question, String>,
        channel: ResponseChannel<Reply>,
    ) {
        let question = match question {
            Ok(question) => question,
            Err(what) => {
                self.accuse(peer, Fault::Malformed, &format!("a question {what}"));
                return self.reply(channel, Reply::refused(400, what));
            }
        };
        let Some(who) = self.roster.peer(&peer) else {
            return self.reply(channel, Reply::refused(403, "no member"));
        };
        let rate = f64::from(self.config.questions_per_second_max);
        let taken = self.questions.take_of(peer, rate, rate * BURST_S, Instant::now());
        let open = self.open.entry(peer).or_insert_with(|| Arc::new(Semaphore::new(STREAMS_MAX)));
        let (Ok(()), Ok(turn)) = (taken, Arc::clone(open).try_acquire_owned()) else {
            self.accuse(peer, Fault::Flooded, "more questions than it may ask");
            return self.reply(channel, Reply::refused(429, "too many questions"));
        };
        let Ok(room) = Arc::clone(&self.room).try_acquire_owned() else {
            return self.reply(channel, Reply::refused(503, "busy"));
        };
        metrics::counter!("hallmark_peer_questions_total", "question" => question.word())
            .increment(1);
        let service = Arc::clone(&self.service);
        self.work.spawn(async move {
            let reply = answer::answer(&service, &who, question).await;
            drop((room, turn));
            Done::Answered { channel, reply }
        });
    }

    fn on_gossip(&mut self, from: PeerId, id: MessageId, message: gossipsub::Message) {
        let topic = Topic::named(&self.network, &message.topic);
        let room = Arc::clone(&self.room).try_acquire_owned();
        // Each log makes some checkpoints a second, and any peer may pass on those of all.
        let rate = MESSAGES_PER_SECOND * (self.roster.count() + 1) as f64;
        let taken = self.messages.take_of(from, rate, rate * BURST_S, Instant::now());
        let (Some(topic), Ok(room), Ok(())) = (topic, room, taken) else {
            if taken.is_err() {
                self.accuse(from, Fault::Flooded, "more gossip than it may send");
            }
            return self.pass(from, &id, gossipsub::MessageAcceptance::Ignore);
        };
        let service = Arc::clone(&self.service);
        self.work.spawn_blocking(move || {
            let verdict = gossip::hear(&service, topic, &message.data);
            drop(room);
            Done::Heard { from, id, verdict }
        });
    }

    fn on_done(&mut self, done: Done) {
        match done {
            Done::Answered { channel, reply } => self.reply(channel, reply),
            Done::Heard { from, id, verdict } => {
                if let Some((fault, what)) = verdict.fault {
                    self.accuse(from, fault, &what);
                }
                self.pass(from, &id, verdict.acceptance);
            }
        }
    }

    /// A peer that has gone needs no answer.
    fn reply(&mut self, channel: ResponseChannel<Reply>, reply: Reply) {
        let _ = self.swarm.behaviour_mut().ask.send_response(channel, reply);
    }

    fn pass(&mut self, from: PeerId, id: &MessageId, acceptance: gossipsub::MessageAcceptance) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(id, &from, acceptance);
    }

    fn accuse(&mut self, peer: PeerId, fault: Fault, what: &str) {
        if self.roster.fault(peer, fault, what, (self.service.clock)()) {
            // Closes its connections, and refuses new ones until it is admitted again.
            self.swarm.behaviour_mut().admitted.disallow_peer(peer);
        }
    }
}
