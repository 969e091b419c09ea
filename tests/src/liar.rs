//! A peer that speaks libp2p with a member's key and says whatever a test or a benchmark wants.
//!
//! Its calls block: run them off the async threads. What goes wrong in its own world panics.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hallmark_node::keys::{self, Purpose};
use hallmark_node::net::wire::{PROTOCOL, Question};
use hallmark_schemas::cbor;
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote};
use hallmark_schemas::time::Timestamp;
use libp2p::futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, StreamExt};
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, MessageId, ValidationMode};
use libp2p::identity::Keypair;
use libp2p::request_response::{self, Message, OutboundRequestId, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, SwarmBuilder, noise, tcp, yamux};
use tokio::sync::{mpsc, oneshot};

/// What it answers to a question: the raw bytes of an answer.
pub type Answers = Box<dyn FnMut(&Question) -> Vec<u8> + Send>;

#[derive(NetworkBehaviour)]
struct Behaviour {
    ask: request_response::Behaviour<Raw>,
    gossip: gossipsub::Behaviour,
    /// Gossip as raw frames.
    frames: request_response::Behaviour<Raw>,
}

/// The protocol of gossip, as a liar speaks it by hand.
const GOSSIP: StreamProtocol = StreamProtocol::new("/meshsub/1.1.0");
/// Longer than any node waits.
const PATIENCE: Duration = Duration::from_secs(120);

/// What goes over a stream.
#[derive(Debug)]
struct Sent {
    bytes: Vec<u8>,
    /// Whether the stream ends after it.
    ends: bool,
}

/// Bytes as they are.
#[derive(Clone, Default)]
struct Raw;

async fn whole<T: AsyncRead + Unpin + Send>(io: &mut T) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io.read_to_end(&mut bytes).await?;
    Ok(bytes)
}

async fn all<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: Vec<u8>) -> std::io::Result<()> {
    io.write_all(&bytes).await?;
    io.close().await
}

impl request_response::Codec for Raw {
    type Protocol = StreamProtocol;
    type Request = Sent;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> std::io::Result<Sent>
    where
        T: AsyncRead + Unpin + Send,
    {
        Ok(Sent { bytes: whole(io).await?, ends: true })
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> std::io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        whole(io).await
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        sent: Sent,
    ) -> std::io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        if sent.ends {
            return all(io, sent.bytes).await;
        }
        io.write_all(&sent.bytes).await?;
        io.flush().await?;
        std::future::pending().await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        bytes: Vec<u8>,
    ) -> std::io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        all(io, bytes).await
    }
}

enum Act {
    Begin(Vec<u8>),
    Frames(Vec<u8>),
    Ask(Vec<u8>, oneshot::Sender<Option<Vec<u8>>>),
    Publish(String, Vec<u8>),
    Subscribe(String),
    IsConnected(oneshot::Sender<bool>),
}

/// One peer that lies, connected to one node of a network.
pub struct Liar {
    acts: mpsc::UnboundedSender<Act>,
    network: String,
}

/// The answer that there is nothing of the kind.
pub fn nothing() -> Answers {
    Box::new(|_| 404_u16.to_be_bytes().to_vec())
}

/// A checkpoint that the log of these keys signs: so many entries under a root that no tree has.
pub fn false_checkpoint(keys: &Path, origin: &str, size: u64, root: u8) -> Vec<u8> {
    let key = keys::open(keys, Purpose::Log, None).expect("its key");
    let signer = NoteSigner::log(origin, Arc::new(key)).expect("an origin");
    let text = Checkpoint::new(origin, size, [root; 32]).to_string();
    let signature = signer.sign(&text, Timestamp::EPOCH).expect("signed");
    let mut note = SignedNote::unsigned(text).expect("a text");
    note.add(signature);
    note.to_bytes()
}

impl Liar {
    /// Takes the place of the member with these keys, whose node does not run, and dials `to`: a
    /// multiaddress with a peer id. What it is asked, `answers` answers.
    pub fn new(keys: &Path, network: &str, to: &str, answers: Answers) -> Liar {
        let secret = keys::open(keys, Purpose::Peer, None).expect("its key");
        let key = Keypair::ed25519_from_bytes(*secret.seed()).expect("a key");
        let to: Multiaddr = to.parse().expect("a multiaddress");
        let (acts, acting) = mpsc::unbounded_channel();
        let topics = ["checkpoints", "defects"].map(|topic| topic_of(network, topic));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(run((key, to), topics, acting, answers));
        });
        Liar { acts, network: network.to_owned() }
    }

    fn act(&self, act: Act) {
        self.acts.send(act).expect("its thread runs");
    }

    /// Asks with these bytes; `None` if there is no answer.
    pub fn ask(&self, question: Vec<u8>) -> Option<Vec<u8>> {
        let (reply, answer) = oneshot::channel();
        self.act(Act::Ask(question, reply));
        answer.blocking_recv().ok().flatten()
    }

    /// Asks with these bytes so many times at once, and waits until nothing more is answered.
    pub fn ask_at_once(&self, question: &[u8], times: usize) {
        let asked = (0..times).map(|_| {
            let (reply, answer) = oneshot::channel();
            self.act(Act::Ask(question.to_vec(), reply));
            answer
        });
        let asked: Vec<_> = asked.collect();
        asked.into_iter().for_each(|answer| drop(answer.blocking_recv()));
    }

    /// Asks what a node would ask; the status and the body.
    pub fn ask_well(&self, question: &Question) -> Option<(u16, Vec<u8>)> {
        let bytes = cbor::to_vec(question).expect("a question");
        let answer = self.ask(bytes)?;
        let (status, body) = answer.split_first_chunk::<2>()?;
        Some((u16::from_be_bytes(*status), body.to_vec()))
    }

    /// Begins a question with these bytes and never ends it.
    pub fn begin(&self, question: Vec<u8>) {
        self.act(Act::Begin(question));
    }

    /// Sends these bytes as they are in the place of frames of gossip.
    pub fn send_frames(&self, bytes: Vec<u8>) {
        self.act(Act::Frames(bytes));
    }

    /// Gossips these bytes.
    pub fn publish(&self, topic: &str, bytes: Vec<u8>) {
        self.act(Act::Publish(topic_of(&self.network, topic), bytes));
    }

    /// Subscribes to a topic.
    pub fn subscribe(&self, topic: &str) {
        self.act(Act::Subscribe(topic.to_owned()));
    }

    /// Whether the node still has it.
    pub fn is_connected(&self) -> bool {
        let (reply, answer) = oneshot::channel();
        self.act(Act::IsConnected(reply));
        answer.blocking_recv().unwrap_or(false)
    }
}

fn build(key: Keypair) -> Swarm<Behaviour> {
    let gossip = gossipsub::ConfigBuilder::default()
        .validation_mode(ValidationMode::None)
        .message_id_fn(|message| MessageId::from(message.data.clone()))
        .max_transmit_size(4 << 20)
        .build()
        .expect("settings");
    let behaviour = Behaviour {
        ask: request_response::Behaviour::new(
            [(PROTOCOL, ProtocolSupport::Full)],
            request_response::Config::default().with_request_timeout(PATIENCE),
        ),
        frames: request_response::Behaviour::new(
            [(GOSSIP, ProtocolSupport::Outbound)],
            request_response::Config::default().with_request_timeout(PATIENCE),
        ),
        gossip: gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, gossip).expect("gossip"),
    };
    SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
        .expect("a transport")
        .with_behaviour(|_| behaviour)
        .expect("a behaviour")
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(Duration::from_secs(120)))
        .build()
}

type Asked = Vec<(OutboundRequestId, oneshot::Sender<Option<Vec<u8>>>)>;

/// One liar's loop.
struct Turning {
    swarm: Swarm<Behaviour>,
    answers: Answers,
    asked: Asked,
    told: Vec<(String, Vec<u8>)>,
    node: Option<PeerId>,
}

fn topic_of(network: &str, topic: &str) -> String {
    format!("hallmark/1/{network}/{topic}")
}

async fn run(
    (key, to): (Keypair, Multiaddr),
    topics: [String; 2],
    mut acting: mpsc::UnboundedReceiver<Act>,
    answers: Answers,
) {
    let swarm = build(key);
    let mut turning = Turning { swarm, answers, asked: Vec::new(), told: Vec::new(), node: None };
    topics.iter().for_each(|topic| turning.subscribe(topic));
    let mut beat = tokio::time::interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            act = acting.recv() => match act {
                None => return,
                Some(act) => turning.on_act(act),
            },
            _ = beat.tick() => {
                if turning.swarm.network_info().num_peers() == 0 {
                    let _ = turning.swarm.dial(to.clone());
                }
                // What finds nobody who listens yet is told again.
                let gossip = &mut turning.swarm.behaviour_mut().gossip;
                turning.told.retain(|(topic, bytes)| {
                    gossip.publish(IdentTopic::new(topic), bytes.clone()).is_err()
                });
            }
            event = turning.swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { peer_id, .. } => turning.node = Some(peer_id),
                SwarmEvent::ConnectionClosed { num_established: 0, .. } => turning.node = None,
                SwarmEvent::Behaviour(BehaviourEvent::Ask(event)) => turning.on_ask(event),
                _ => {}
            },
        }
    }
}

impl Turning {
    fn subscribe(&mut self, topic: &str) {
        let topic = IdentTopic::new(topic);
        self.swarm.behaviour_mut().gossip.subscribe(&topic).expect("a topic");
    }

    fn on_act(&mut self, act: Act) {
        match act {
            Act::Ask(bytes, reply) => match self.node {
                Some(node) => {
                    let sent = Sent { bytes, ends: true };
                    let id = self.swarm.behaviour_mut().ask.send_request(&node, sent);
                    self.asked.push((id, reply));
                }
                None => drop(reply.send(None)),
            },
            Act::Begin(bytes) => {
                let node = self.node.expect("a connection");
                let sent = Sent { bytes, ends: false };
                self.swarm.behaviour_mut().ask.send_request(&node, sent);
            }
            Act::Frames(bytes) => {
                let node = self.node.expect("a connection");
                let sent = Sent { bytes, ends: false };
                self.swarm.behaviour_mut().frames.send_request(&node, sent);
            }
            Act::Publish(topic, bytes) => self.told.push((topic, bytes)),
            Act::Subscribe(topic) => self.subscribe(&topic),
            Act::IsConnected(reply) => drop(reply.send(self.node.is_some())),
        }
    }

    fn on_ask(&mut self, event: request_response::Event<Sent, Vec<u8>>) {
        match event {
            request_response::Event::Message { message, .. } => match message {
                Message::Request { request, channel, .. } => {
                    // Nothing at all comes where the connection ends.
                    let Ok(question) = cbor::from_slice::<Question>(&request.bytes) else {
                        return;
                    };
                    let answer = (self.answers)(&question);
                    let _ = self.swarm.behaviour_mut().ask.send_response(channel, answer);
                }
                Message::Response { request_id, response } => {
                    self.answered(request_id, Some(response));
                }
            },
            request_response::Event::OutboundFailure { request_id, .. } => {
                self.answered(request_id, None);
            }
            _ => {}
        }
    }

    fn answered(&mut self, id: OutboundRequestId, answer: Option<Vec<u8>>) {
        if let Some(at) = self.asked.iter().position(|(asked, _)| *asked == id) {
            let _ = self.asked.remove(at).1.send(answer);
        }
    }
}
