//! The loop that owns the connections.
//!
//! Invariants: it never waits for a disk or for a peer; whatever comes in is counted against its
//! peer's allowance before anything is done about it.

use std::collections::{HashMap, HashSet};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hallmark_schemas::time::Timestamp;
use libp2p::core::ConnectedPoint;
use libp2p::gossipsub::{self, MessageAcceptance, MessageId, PublishError};
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{
    self, Message, OutboundFailure, OutboundRequestId, ResponseChannel,
};
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionDenied, ConnectionId, DialError, ListenError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, mdns};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{debug, info};

use super::allowance::{Allowance, Denied};
use super::circuits::Circuits;
use super::dials::Dials;
use super::farewell::Farewells;
use super::gossip::{self, Topic, Verdict};
use super::passed::Passed;
use super::roster::{Fault, Roster};
use super::runs::Runs;
use super::swarm::{Behaviour, BehaviourEvent, Counting};
use super::traffic::Traffic;
use super::wire::{Question, REASON_BYTES_MAX, Reply, Unasked, is_stalled};
use super::{AskError, Command, answer};
use crate::api::problem::with_causes;
use crate::config::p2p::P2p;
use crate::service::Service;

/// How often it is looked whom to dial.
const BEAT: Duration = Duration::from_secs(1);
/// How long a stopping node still works on answers.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long it waits for its connections to close.
const CLOSE_MAX: Duration = Duration::from_millis(500);

/// What a task has to hand back to the swarm.
enum Done {
    Answered { channel: ResponseChannel<Reply>, reply: Reply },
    Heard { from: PeerId, id: MessageId, verdict: Verdict },
    Saved,
}

/// All connections and what is under way on them.
pub(super) struct Hub {
    service: Arc<Service>,
    network: String,
    roster: Arc<Roster>,
    swarm: Swarm<Behaviour>,
    asked: HashMap<OutboundRequestId, oneshot::Sender<Result<Reply, AskError>>>,
    work: JoinSet<Done>,
    allowance: Allowance,
    dials: Dials,
    runs: Runs,
    passed: Arc<Passed>,
    traffic: Arc<Traffic>,
    circuits: Circuits,
    /// Connected peers that told who they are, which whoever refuses this node does not.
    let_in: HashSet<PeerId>,
    farewells: Farewells,
    /// Another process of this log goes on under the same peer key.
    has_left: bool,
}

impl Hub {
    pub(super) fn new(
        service: Arc<Service>,
        roster: Arc<Roster>,
        swarm: Swarm<Behaviour>,
        traffic: Arc<Traffic>,
        config: P2p,
    ) -> Hub {
        Hub {
            network: service.network().network().name.clone(),
            service,
            roster,
            swarm,
            asked: HashMap::new(),
            work: JoinSet::new(),
            allowance: Allowance::new(config.questions_per_second_max, config.bytes_per_second_max),
            dials: Dials::new(&config.relays),
            runs: Runs::default(),
            passed: Arc::default(),
            traffic,
            circuits: Circuits::default(),
            let_in: HashSet::new(),
            farewells: Farewells::default(),
            has_left: false,
        }
    }

    /// Runs until `stop`, then lets what is being answered end.
    pub(super) async fn run(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut beat = tokio::time::interval(BEAT);
        let mut published = self.service.node.log().subscribe_published();
        loop {
            tokio::select! {
                () = crate::peers::stopped(&mut stop) => break,
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(command) = commands.recv() => self.on_command(command),
                Some(done) = self.work.join_next() => self.on_done(done),
                Ok(()) = published.changed() => {
                    let newest = published.borrow_and_update().clone();
                    if let Some(newest) = newest {
                        self.publish(Topic::Checkpoints, newest.note.to_string().into_bytes());
                    }
                }
                _ = beat.tick() => self.on_beat(),
            }
        }
        drop(commands);
        self.end().await;
    }

    /// Answers what was asked, then closes every connection.
    async fn end(mut self) {
        let answered = async {
            while let Some(done) = self.work.join_next().await {
                self.on_done(done);
            }
        };
        let _ = tokio::time::timeout(DRAIN_MAX, answered).await;
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        let closed = async {
            // An answer that was handed to its connection goes out before that closes.
            for peer in peers {
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            while self.swarm.network_info().num_peers() != 0 {
                self.swarm.select_next_some().await;
            }
        };
        let _ = tokio::time::timeout(CLOSE_MAX, closed).await;
        let roster = Arc::clone(&self.roster);
        let _ = tokio::task::spawn_blocking(move || roster.save()).await;
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
        let (now, instant) = ((self.service.clock)(), Instant::now());
        self.roster.adopt(self.service.network().network(), &self.service.config.origin);
        let mut admitted = self.roster.admitted(now);
        if self.service.beside.gave_way() {
            if !std::mem::replace(&mut self.has_left, true) {
                info!("the place among the peers is left to the other process of this log");
            }
            admitted.clear();
        }
        self.let_in_only(&admitted, now, instant);
        self.weigh(&admitted, instant);
        self.allowance.keep(|id| admitted.contains(id));
        self.runs.keep(|id| admitted.contains(id));
        for id in admitted {
            if !self.swarm.is_connected(&id) && self.dials.is_due(id, instant) {
                self.dial(id);
            }
        }
        let swarm = &mut self.swarm;
        self.dials.relays_due(instant, |relay| {
            let asked = swarm.listen_on(relay.clone().with(Protocol::P2pCircuit));
            asked.inspect_err(|error| debug!(%relay, %error, "no place at a relay")).ok()
        });
    }

    /// Closes all connections but those with these, and with those who are to hear that they are
    /// kept out.
    fn let_in_only(&mut self, admitted: &[PeerId], now: Timestamp, instant: Instant) {
        let kept_out = if self.has_left { Vec::new() } else { self.roster.all_kept_out(now) };
        self.farewells.keep(|id| kept_out.contains(id));
        let hears = |id: &PeerId| kept_out.contains(id) && self.farewells.is_open(id, instant);
        let list = &mut self.swarm.behaviour_mut().admitted;
        let is_allowed = |id: &PeerId| admitted.contains(id) || hears(id);
        let gone: Vec<PeerId> =
            list.allowed_peers().iter().filter(|id| !is_allowed(id)).copied().collect();
        for id in gone {
            list.disallow_peer(id);
        }
        for id in admitted.iter().chain(kept_out.iter().filter(|id| hears(id))) {
            list.allow_peer(*id);
        }
    }

    /// Tells a connected peer that it is kept out, if it is.
    fn part_from(&mut self, peer: PeerId) {
        let Some((until, because)) = self.roster.kept_out(&peer, (self.service.clock)()) else {
            return;
        };
        if self.swarm.is_connected(&peer) {
            let because = because.chars().take(REASON_BYTES_MAX / 4).collect();
            let told = Ok(Question::KeptOut { until, because });
            self.swarm.behaviour_mut().ask.send_request(&peer, told);
            self.farewells.told(peer, Instant::now());
        }
    }

    /// Notices who sends far more than what it brings.
    fn weigh(&mut self, admitted: &[PeerId], now: Instant) {
        let logs = self.roster.count() + 1;
        for (peer, bytes) in self.traffic.take(|id| admitted.contains(id)) {
            let is_weighed = admitted.contains(&peer) && !self.circuits.is_carried(&peer);
            if is_weighed && !self.allowance.is_of_use(peer, bytes, logs, now) {
                self.accuse(peer, Fault::Babbled, "far more bytes than what it brought takes");
            }
        }
    }

    fn dial(&mut self, id: PeerId) {
        let Some(peer) = self.roster.peer(&id) else { return };
        let network = self.service.network();
        let known = self.service.addresses.multiaddrs(&network, &peer.origin);
        let own = self.swarm.listeners().cloned().collect::<Vec<_>>();
        let addresses: Vec<Multiaddr> = known
            .iter()
            .filter_map(|address| address.parse().ok())
            .chain(self.dials.around(&id))
            .filter(|address| !own.contains(address))
            .collect();
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

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let now = (self.service.clock)();
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                let address = endpoint.get_remote_address();
                let dialled = matches!(endpoint, ConnectedPoint::Dialer { .. });
                debug!(%peer_id, %address, dialled, "a connection is made");
                self.roster.opened(peer_id, address, now);
                self.swarm.behaviour_mut().door.member_at(address);
                self.part_from(peer_id);
                self.service.addresses.tell();
            }
            SwarmEvent::ConnectionClosed {
                peer_id, connection_id, num_established, cause, ..
            } => {
                if self.runs.closed(&peer_id, &connection_id) && 0 < num_established {
                    let _ = self.swarm.disconnect_peer_id(peer_id);
                }
                self.roster.doubled(peer_id, self.runs.is_doubled(&peer_id));
                if 0 < num_established {
                    return;
                }
                let cause = cause.map(|cause| with_causes(&cause));
                if self.let_in.remove(&peer_id) {
                    info!(%peer_id, cause, "disconnected");
                } else {
                    debug!(%peer_id, cause, "the peer did not let this node in");
                }
                self.roster.closed(peer_id);
                self.allowance.gone(&peer_id);
            }
            SwarmEvent::IncomingConnectionError { peer_id, send_back_addr, error, .. } => {
                self.on_refused(peer_id, &send_back_addr, &error);
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(id), error, .. }
                if !matches!(error, DialError::DialPeerConditionFalse(_)) =>
            {
                let reason = match &error {
                    DialError::Denied { cause } => {
                        format!("this node has no room for it: {}", with_causes(cause))
                    }
                    error => format!("not reached: {error}"),
                };
                self.roster.refused(id, reason, now);
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                debug!(%address, "listens");
                self.dials.listens(listener_id);
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                if let Some(relay) = self.dials.closed(listener_id) {
                    info!(%relay, ?reason, "a place at a relay was lost");
                }
            }
            _ => {}
        }
    }

    /// Whoever speaks no handshake proves no name: then only that it came is counted.
    fn on_refused(&self, id: Option<PeerId>, from: &Multiaddr, error: &ListenError) {
        let now = (self.service.clock)();
        let reason = match (error, id) {
            (ListenError::Denied { cause }, Some(id)) => self.why_denied(&id, cause),
            (ListenError::Denied { cause }, None) => with_causes(cause),
            (error, _) => with_causes(error),
        };
        debug!(?id, %from, reason, "a connection was refused");
        match id {
            Some(id) => self.roster.refused(id, reason, now),
            None => self.roster.refused_unnamed(from, reason, now),
        }
    }

    fn why_denied(&self, id: &PeerId, cause: &ConnectionDenied) -> String {
        let kept_out = self.roster.kept_out(id, (self.service.clock)());
        match self.roster.peer(id) {
            None => "its key is the peer key of no member of the network file".to_owned(),
            Some(_) if kept_out.is_some() => {
                let because = kept_out.map(|(_, because)| because).unwrap_or_default();
                format!("it is kept out for what it did: {because}")
            }
            Some(_) if self.has_left => "another process of this log is in its place".to_owned(),
            Some(_) => format!("this node has no room for it: {}", with_causes(cause)),
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Ask(event) => self.on_ask(event),
            BehaviourEvent::Identify(identify::Event::Received {
                connection_id,
                peer_id,
                info,
            }) => self.on_told(peer_id, connection_id, &info.agent_version),
            BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            }) => self.on_gossip(propagation_source, message_id, message),
            BehaviourEvent::Gossip(gossipsub::Event::Subscribed { peer_id, topic })
                if Topic::named(&self.network, &topic).is_none() =>
            {
                self.accuse(peer_id, Fault::Strayed, "a subscription to a topic that is none");
            }
            BehaviourEvent::Gossip(gossipsub::Event::Unsubscribed { peer_id, .. }) => {
                self.accuse(
                    peer_id,
                    Fault::Malformed,
                    "the end of a subscription, which no node ends",
                );
            }
            BehaviourEvent::Relay(event) => self.circuits.on_event(&event),
            BehaviourEvent::Gossip(gossipsub::Event::SlowPeer { peer_id, .. }) => {
                debug!(%peer_id, "gossip to a slow peer was dropped");
            }
            BehaviourEvent::Mdns(mdns::Event::Discovered(found)) => {
                for (id, address) in found {
                    self.dials.seen(id, address);
                    // It may have been refused, or no member yet, when it was seen last.
                    if self.roster.peer(&id).is_some() && !self.swarm.is_connected(&id) {
                        self.dial(id);
                    }
                }
            }
            BehaviourEvent::Mdns(mdns::Event::Expired(gone)) => {
                for (id, address) in gone {
                    self.dials.unseen(&id, &address);
                }
            }
            _ => {}
        }
    }

    /// A peer told which process it is.
    fn on_told(&mut self, peer: PeerId, connection: ConnectionId, agent: &str) {
        if !self.swarm.is_connected(&peer) {
            return;
        }
        self.dials.reached(&peer);
        if self.let_in.insert(peer) {
            info!(%peer, address = self.roster.address(&peer), "connected");
        }
        if self.runs.told(peer, connection, agent) {
            info!(%peer, "another process of this peer is here: it takes the place of the one before");
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        self.roster.doubled(peer, self.runs.is_doubled(&peer));
    }

    fn on_ask(&mut self, event: request_response::Event<Result<Question, Unasked>, Reply>) {
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
            request_response::Event::OutboundFailure { peer, request_id, error, .. } => {
                if matches!(&error, OutboundFailure::Io(e) if is_stalled(e)) {
                    self.accuse(peer, Fault::Stalled, "an answer that it does not go on with");
                }
                if matches!(&error, OutboundFailure::Io(e) if e.kind() == ErrorKind::InvalidData) {
                    self.accuse(peer, Fault::Lied, &format!("an answer: {}", with_causes(&error)));
                }
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
        question: Result<Question, Unasked>,
        channel: ResponseChannel<Reply>,
    ) {
        let question = match question {
            Ok(question) => question,
            // Its stream ends here, also under whoever still writes. One that timed out may have
            // waited for others, or for this node's answer: that accuses nobody.
            Err(what) => {
                let fault = match what {
                    Unasked::Malformed(_) => Fault::Malformed,
                    Unasked::Stalled => Fault::Stalled,
                };
                return self.accuse(peer, fault, &format!("a question: {what}"));
            }
        };
        let Some(who) = self.roster.peer(&peer) else {
            return self.reply(channel, Reply::refused(403, "no member"));
        };
        let (clock, now) = ((self.service.clock)(), Instant::now());
        if self.roster.kept_out(&peer, clock).is_some() {
            return self.reply(channel, Reply::refused(403, "kept out"));
        }
        let (answered, turn) = match self.allowance.question(peer, question.bytes(), now) {
            Ok(taken) => taken,
            Err(Denied::Flooded) => {
                self.accuse(peer, Fault::Flooded, "more questions than it may ask");
                return self.reply(channel, Reply::refused(429, "too many questions"));
            }
            Err(Denied::Busy) => return self.reply(channel, Reply::refused(503, "busy")),
        };
        metrics::counter!("hallmark_peer_questions_total", "question" => question.word())
            .increment(1);
        if let Question::KeptOut { until, because } = &question {
            self.roster.kept_out_there(peer, *until, because, clock);
        }
        let (service, pace) = (Arc::clone(&self.service), self.allowance.pace(peer));
        self.work.spawn(async move {
            let reply = answer::answer(&service, &who, question).await;
            drop(turn);
            tokio::time::sleep(pace.later(reply.body.len(), Instant::now())).await;
            drop(answered);
            Done::Answered { channel, reply }
        });
    }

    fn on_gossip(&mut self, from: PeerId, id: MessageId, message: gossipsub::Message) {
        if self.roster.kept_out(&from, (self.service.clock)()).is_some() {
            return self.pass(from, &id, MessageAcceptance::Ignore);
        }
        if Counting::is_astray(&message) {
            self.accuse(from, Fault::Strayed, "a message to a topic that is none");
            return self.pass(from, &id, MessageAcceptance::Reject);
        }
        let (logs, now) = (self.roster.count() + 1, Instant::now());
        let Some(topic) = Topic::named(&self.network, &message.topic) else {
            return self.pass(from, &id, MessageAcceptance::Ignore);
        };
        let turn = match self.allowance.message(from, topic, message.data.len(), logs, now) {
            Ok(turn) => turn,
            Err(denied) => {
                if denied == Denied::Flooded {
                    self.accuse(from, Fault::Flooded, "more gossip than all logs may bring");
                }
                return self.pass(from, &id, MessageAcceptance::Ignore);
            }
        };
        let (service, passed) = (Arc::clone(&self.service), Arc::clone(&self.passed));
        self.work.spawn_blocking(move || {
            let verdict = gossip::hear(&service, &passed, topic, &message.data, now);
            drop(turn);
            Done::Heard { from, id, verdict }
        });
    }

    fn on_done(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Answered { channel, reply }) => self.reply(channel, reply),
            Ok(Done::Heard { from, id, verdict }) => {
                if let Some((fault, what)) = verdict.fault {
                    self.accuse(from, fault, &what);
                }
                self.pass(from, &id, verdict.acceptance);
            }
            Ok(Done::Saved) => {}
            Err(error) => debug!(%error, "a peer is not answered"),
        }
    }

    /// A peer that has gone needs no answer.
    fn reply(&mut self, channel: ResponseChannel<Reply>, reply: Reply) {
        let _ = self.swarm.behaviour_mut().ask.send_response(channel, reply);
    }

    fn pass(&mut self, from: PeerId, id: &MessageId, acceptance: MessageAcceptance) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(id, &from, acceptance);
    }

    fn accuse(&mut self, peer: PeerId, fault: Fault, what: &str) {
        if self.roster.fault(peer, fault, what, (self.service.clock)()) {
            // It is told; at a beat soon after, its connections are closed, and new ones are refused until
            // it is admitted again. Nothing that it sends until then is looked at.
            self.part_from(peer);
            let roster = Arc::clone(&self.roster);
            self.work.spawn_blocking(move || {
                roster.save();
                Done::Saved
            });
        }
    }
}
