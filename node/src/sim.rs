//! One node as one function of time and event: what the threads and tasks of a running node do, done
//! by one caller, on any disk and index.
//!
//! The parts are those of a running node: the writer's steps, the gate of admission, the followers,
//! the guard, the conversations with witnesses, the witness itself. Invariant: no clock, randomness,
//! thread or socket; the same events at the same times do the same.

mod asking;
mod guard;
mod recall;
mod serve;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::key::Signer;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::layout::{Dir, peer_name};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::NoteSigner;
use hallmark_schemas::tile::TilePath;

use crate::admission::gate::{Gate, Proved};
use crate::admission::{AdmitError, Admitted};
use crate::core::shared::Shared;
use crate::core::{LogHandle, Parts};
use crate::deferred::Deferred;
use crate::index::{Catalogue, Index};
use crate::mirror::Mirror;
use crate::peers::follower::{Ask, Follower, Heard};
use crate::sequencer::writer::{self, Opened};
use crate::sequencer::writing::{self, Now, Writer};
use crate::store::disk::Disk;
use crate::store::sim::SimDisk;
use crate::witness::asking::Asking;
use crate::witness::guard::Guard;
use crate::witness::twin::{Beside, Process};
use crate::witness::{self, Witness};

/// How often a peer is asked for its checkpoint.
const POLL_EVERY: Duration = Duration::from_millis(400);
/// How long to wait before a witness is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(300);
/// How often the quarantine is looked at.
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// How often what is published is cosigned anew.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// How often it is looked whether another process signs the log, and whether one that was met stays.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOK_AGAIN: Duration = Duration::from_millis(400);
/// Most deferred attestations that are tried at once.
const RETRY_MAX: usize = 16;

/// What makes a node this one.
#[derive(Clone)]
pub struct Setup {
    /// The network: members, keys, policy.
    pub network: NetworkFile,
    /// The own log's name.
    pub origin: String,
    /// The own log's key.
    pub log_signer: Arc<dyn Signer>,
    /// The own witness.
    pub witness_signer: NoteSigner,
    /// Longest wait before a stored attestation is in a signed tree.
    pub batch_wait_max: Duration,
    /// Bytes kept for a full disk.
    pub reserve_bytes: usize,
    /// Most bytes of deferred attestations, most of one key, most bodies remembered as withheld.
    pub limits: (usize, usize, usize),
}

/// What one node asks another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Request {
    /// `GET /log/checkpoint`
    Checkpoint,
    /// `GET /witness/{hex}/checkpoint` and `/peers/{hex}/checkpoint`
    Held(String),
    /// `GET /log/tile/entries/…`
    Bundle(TilePath),
    /// `GET /v1/attestations/{id}`, each
    Bodies(Vec<ContentId>),
    /// `POST /log/add-checkpoint`
    AddCheckpoint(Vec<u8>),
    /// `GET /readyz` and `/log/checkpoint`: which process answers, and how it is.
    Process,
}

/// What it answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// A status and a body.
    Bytes(u16, Vec<u8>),
    /// Each body, as far as it is given.
    Bodies(Vec<Option<Vec<u8>>>),
    /// The newest checkpoints of a log, as [`Holds`](crate::witness::guard::Holds).
    Held([Option<String>; 2]),
    /// Which process it is.
    Process(Alike),
}

/// What a process tells whoever may be another one of its log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alike {
    /// Its run.
    pub run: String,
    /// Whether it may sign.
    pub signs: bool,
    /// The other processes that it has met.
    pub met: BTreeSet<String>,
    /// The checkpoint that it has published.
    pub published: Option<Vec<u8>>,
}

/// Which part of a node asked.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Call {
    /// The follower of this log.
    Follow(String),
    /// The guard, of this witness.
    Guard(String),
    /// The publisher, of this witness.
    Ask(String),
    /// The own witness, of what this other one holds of a log of which it may have forgotten more.
    Recall {
        /// The log.
        origin: String,
        /// The other.
        witness: String,
    },
    /// The publisher that was refused, of the node of this witness.
    Elsewhere(String),
    /// The start, of whoever answers where the own log is published.
    Twin,
    /// The same while it runs.
    Beside,
}

/// What can happen to a node.
#[derive(Clone, Debug)]
pub enum Event {
    /// Somebody hands an attestation in.
    Submitted {
        /// Its stored bytes.
        stored: Vec<u8>,
        /// Names it in the answer.
        ticket: u64,
    },
    /// A request was answered, or not in time.
    Replied {
        /// Who asked.
        call: Call,
        /// Names the request.
        number: u64,
        /// The answer.
        reply: Option<Reply>,
    },
    /// Time passed.
    Tick,
}

/// What a node wants of the world.
#[derive(Debug)]
pub enum Effect {
    /// A submission is answered.
    Answered {
        /// The submission.
        ticket: u64,
        /// What became of it.
        answer: Result<Admitted, AdmitError>,
    },
    /// Another node is asked.
    Called {
        /// Origin of its log.
        to: String,
        /// What.
        request: Request,
        /// Who asks.
        call: Call,
        /// Names the request.
        number: u64,
    },
}

#[derive(Clone, Copy)]
enum Ticket {
    Client(u64, KindName),
    Retry,
}

/// A log that is followed.
struct Followed {
    follower: Follower,
    next_at: Duration,
    asked: Vec<ContentId>,
}

/// One node.
pub struct SimNode {
    setup: Arc<Setup>,
    shared: Arc<Shared>,
    log: LogHandle,
    /// None if the log is read-only from the start, or the writer has stopped.
    writer: Option<Writer<Ticket>>,
    gate: Gate,
    deferred: Arc<Deferred>,
    mirror: Mirror,
    witness: Witness,
    followed: BTreeMap<String, Followed>,
    /// This run.
    process: Process,
    /// Whether somebody was asked who answers where the own log is published, and nobody else does.
    is_alone: bool,
    /// Others that it has met.
    beside: Beside,
    look_at: Duration,
    guard: Option<Guard>,
    guard_at: Duration,
    /// Conversations about the checkpoint that waits for its quorum, and when each begins again.
    asking: BTreeMap<String, (Asking, Duration)>,
    /// What is asked about: the text of the note.
    asked_for: Option<String>,
    witnessed: BTreeMap<String, u64>,
    /// Requests on their way.
    calls: BTreeMap<Call, u64>,
    number: u64,
    retry_at: Duration,
    renew_at: Duration,
    recall_at: Duration,
}

/// DIR of every simulated node, on its own disk.
pub fn dir() -> Dir {
    Dir::new("/n")
}

/// Where the witness of every simulated node remembers what it cosigned.
fn witness_dir() -> PathBuf {
    dir().path().join("head").join("witness")
}

/// Every log that a witness of this network may have cosigned, by hex of its origin.
fn logs(network: &NetworkFile) -> BTreeSet<String> {
    network.network().members.iter().map(|member| peer_name(&member.origin)).collect()
}

/// The files of the witness of a stopped node that tell what it cosigned; that of the log `origin`
/// alone, or all, with that which tells which there were.
pub fn memory_of(disk: &SimDisk, origin: Option<&str>) -> Vec<PathBuf> {
    let dir = witness_dir();
    let wanted = origin.map(|origin| dir.join(peer_name(origin)));
    let is_asked = |path: &PathBuf| wanted.as_ref().is_none_or(|wanted| path == wanted);
    disk.paths().into_iter().filter(|path| path.starts_with(&dir) && is_asked(path)).collect()
}

/// Puts the memory of the witness of a stopped node back as it was in an old copy, as `restore` does,
/// which says that it may be old.
pub fn restore_memory(disk: &SimDisk, old: &SimDisk, network: &NetworkFile) -> Result<(), String> {
    disk.restore(old, &witness_dir());
    witness::memory::doubt(disk, &witness_dir(), &logs(network)).map_err(|e| writer::chain(&e))
}

/// Makes the store of a new, empty log.
pub fn create(disk: &Arc<dyn Disk>, origin: &str) -> Result<(), String> {
    let slots = crate::store::head::HeadSlots::new(disk.clone(), dir().head_slots(), origin);
    slots.create().map_err(|error| writer::chain(&error))?;
    witness::memory::create(&**disk, &witness_dir()).map_err(|error| writer::chain(&error))
}

impl SimNode {
    /// Starts the node on what the disk holds, as the run of this number. An error: it does not
    /// start.
    pub fn start(
        setup: Arc<Setup>,
        disk: Arc<dyn Disk>,
        index: Arc<dyn Index>,
        now: Now,
        run: u64,
    ) -> Result<SimNode, String> {
        let chain = |error: &dyn std::error::Error| writer::chain(error);
        let (dir, data) = (dir(), dir().data());
        let catalogue = Catalogue::of(&setup.origin, index);
        catalogue.discard_other_layout().map_err(|e| chain(&e))?;
        let (origin, key) = (setup.origin.clone(), setup.log_signer.clone());
        let networks = (Vec::new(), &setup.network);
        let parts = Parts::open(disk.clone(), catalogue, (&dir, &data), &origin, key, networks);
        let Parts { shared, signer, opened, mut reserve, deferred, mirror, .. } =
            parts.map_err(|e| chain(&e))?;
        reserve.set_bytes(setup.reserve_bytes);
        deferred.set_limits(setup.limits.0, setup.limits.1);
        let witness = Witness::open(disk, &witness_dir(), setup.witness_signer.clone());
        let witness = witness.map_err(|e| chain(&e))?;
        witness.begin(&logs(&setup.network)).map_err(|e| chain(&e))?;
        let mut writer = None;
        match opened {
            Opened::Whole(sequencer) => {
                let mut one = Writer::new(*sequencer, reserve, setup.batch_wait_max);
                one.start(now).map_err(|e| chain(&e))?;
                writer = Some(one);
            }
            Opened::ReadOnly(log) => log.catch_up().map_err(|e| chain(&e))?,
        }
        let process = Process { log: signer.vkey().to_string(), run: format!("{run:032x}") };
        let (sender, _) = mpsc::channel();
        let mut followed = BTreeMap::new();
        for member in setup.network.network().members.iter().filter(|one| one.origin != origin) {
            let copy = mirror.follow(member.log_key.clone()).map_err(|e| chain(&e))?;
            let mut follower = Follower::new(copy);
            follower.set_lacking_max(setup.limits.2);
            let one = Followed { follower, next_at: now.monotonic, asked: Vec::new() };
            followed.insert(member.origin.clone(), one);
        }
        Ok(SimNode {
            log: LogHandle::new(shared.clone(), signer, sender),
            gate: Gate::new(shared.clone(), deferred.clone()),
            setup,
            shared,
            writer,
            deferred,
            mirror,
            witness,
            followed,
            process,
            is_alone: false,
            beside: Beside::default(),
            look_at: now.monotonic + LOOK_EVERY,
            guard: None,
            guard_at: now.monotonic,
            asking: BTreeMap::new(),
            asked_for: None,
            witnessed: BTreeMap::new(),
            calls: BTreeMap::new(),
            number: 0,
            retry_at: now.monotonic,
            renew_at: now.monotonic + RENEW_EVERY,
            recall_at: now.monotonic,
        })
    }

    /// Advances the node: `now` and `event` decide everything, with what the disk does.
    pub fn step(&mut self, now: Now, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Submitted { stored, ticket } => self.submit(now, &stored, ticket, &mut effects),
            Event::Replied { call, number, reply } => {
                // What was asked by a process that is gone, or given up, is not heard.
                if self.calls.get(&call) == Some(&number) {
                    self.calls.remove(&call);
                    self.replied(now, call, reply, &mut effects);
                }
            }
            Event::Tick => self.tick(now, &mut effects),
        }
        self.ask_witnesses(now, &mut effects);
        effects
    }

    fn submit(&mut self, now: Now, stored: &[u8], ticket: u64, effects: &mut Vec<Effect>) {
        let answer = match (self.gate.closed(), self.gate.prove(stored, now.clock)) {
            (Some(closed), _) => Err(closed),
            (None, Proved::Refused(refusal)) => Err(refusal.into()),
            (None, Proved::Unknown(envelope)) => match self.gate.defer(&[&envelope]) {
                Ok(mut kept) => kept.pop().expect("one answer each"),
                Err(error) => Err(error),
            },
            (None, Proved::Candidate(candidate)) => {
                let to = Ticket::Client(ticket, candidate.kind());
                let event = writing::Event::Store { candidates: vec![candidate], ticket: to };
                self.write(now, event, effects);
                return;
            }
        };
        effects.push(Effect::Answered { ticket, answer });
    }

    /// Hands an event to the writer; true if a retry was stored by it.
    fn write(
        &mut self,
        now: Now,
        event: writing::Event<Ticket>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(writer) = &mut self.writer else { return false };
        let mut retried = false;
        match writer.step(now, event) {
            Ok(answers) => {
                for writing::Effect { ticket, answer } in answers {
                    match ticket {
                        Ticket::Retry => retried = answer.is_ok(),
                        Ticket::Client(ticket, kind) => {
                            let mut answers = self.gate.answers(&[kind], Some(answer));
                            let answer = answers.pop().expect("one answer each");
                            effects.push(Effect::Answered { ticket, answer });
                        }
                    }
                }
            }
            Err(error) => {
                self.shared.stop(writer::chain(&error));
                self.writer = None;
            }
        }
        retried
    }

    fn tick(&mut self, now: Now, effects: &mut Vec<Effect>) {
        self.write(now, writing::Event::Tick, effects);
        self.watch(now, effects);
        self.look(now, effects);
        self.recall(now, effects);
        if self.renew_at <= now.monotonic {
            self.renew_at = now.monotonic + RENEW_EVERY;
            self.write(now, writing::Event::Renew, effects);
        }
        let due = |(origin, one): (&String, &Followed)| {
            (one.next_at <= now.monotonic).then(|| origin.clone())
        };
        let due: Vec<String> = self.followed.iter().filter_map(due).collect();
        for origin in due {
            if self.calls.contains_key(&Call::Follow(origin.clone())) {
                continue;
            }
            let one = self.followed.get_mut(&origin).expect("listed above");
            one.next_at = now.monotonic + POLL_EVERY;
            let ask = one.follower.begin();
            self.follow(&origin, ask, effects);
        }
        if self.retry_at <= now.monotonic && self.gate.closed().is_none() {
            self.retry_at = now.monotonic + RETRY_EVERY;
            self.retry_deferred(now, effects);
        }
    }

    fn retry_deferred(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let (candidates, done) = self.gate.ready(now.clock, RETRY_MAX);
        if done.is_empty() {
            return;
        }
        let ticket = Ticket::Retry;
        let stored = candidates.is_empty() || {
            self.write(now, writing::Event::Store { candidates, ticket }, effects);
            self.write(now, writing::Event::Drained, effects)
        };
        if stored && self.gate.done(&done).is_err() {
            // What is here twice is known by its id.
            tracing::warn!("the quarantine keeps what has left it");
        }
    }

    fn call(&mut self, to: String, request: Request, call: Call, effects: &mut Vec<Effect>) {
        self.number += 1;
        self.calls.insert(call.clone(), self.number);
        effects.push(Effect::Called { to, request, call, number: self.number });
    }

    fn follow(&mut self, origin: &str, ask: Ask, effects: &mut Vec<Effect>) {
        let request = match ask {
            Ask::Checkpoint => Request::Checkpoint,
            Ask::Bundle(path) => Request::Bundle(path),
            Ask::Bodies(ids) => {
                if let Some(one) = self.followed.get_mut(origin) {
                    one.asked.clone_from(&ids);
                }
                Request::Bodies(ids)
            }
        };
        self.call(origin.to_owned(), request, Call::Follow(origin.to_owned()), effects);
    }

    fn replied(&mut self, now: Now, call: Call, reply: Option<Reply>, effects: &mut Vec<Effect>) {
        match call {
            Call::Follow(origin) => self.followed(now, &origin, reply, effects),
            Call::Guard(name) => {
                if let Some(holds) = serve::holds(reply) {
                    let notes: Vec<_> = holds.iter().flatten().collect();
                    notes.iter().for_each(|note| self.guard_hears(&name, Some(note)));
                    if notes.is_empty() {
                        self.guard_hears(&name, None);
                    }
                }
                self.watch(now, effects);
            }
            Call::Ask(name) => {
                let Some((asking, again_at)) = self.asking.get_mut(&name) else { return };
                let answered = match reply {
                    Some(Reply::Bytes(status, body)) => Some(asking.answered(status, &body)),
                    _ => None,
                };
                match answered {
                    Some(Ok(Some(cosigned))) => {
                        self.witnessed.insert(name.clone(), asking.size());
                        self.asking.remove(&name);
                        self.write(now, writing::Event::Cosigned(cosigned), effects);
                    }
                    Some(Ok(None)) => *again_at = now.monotonic,
                    // That conversation is over; the next one begins anew.
                    other => {
                        if other.and_then(Result::err).is_some_and(|e| e.elsewhere().is_some()) {
                            self.look_elsewhere(&name, effects);
                        }
                        self.converse(&name, now.monotonic + ASK_AGAIN);
                    }
                }
            }
            Call::Recall { origin, witness } => self.recalled(&origin, &witness, reply),
            Call::Elsewhere(_) => self.heard_elsewhere(now, reply, effects),
            Call::Twin => self.heard_twin(now, reply, effects),
            Call::Beside => self.heard_beside(now, reply, effects),
        }
    }

    fn followed(
        &mut self,
        now: Now,
        origin: &str,
        reply: Option<Reply>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(one) = self.followed.get_mut(origin) else { return };
        let asked = std::mem::take(&mut one.asked);
        let heard = match (reply, asked.is_empty()) {
            (Some(Reply::Bodies(bodies)), false) => {
                Heard::Bodies(asked.into_iter().zip(bodies).collect())
            }
            (Some(Reply::Bytes(200, bytes)), true) => one.follower.takes(bytes),
            _ => return,
        };
        let progress = match one.follower.heard(heard) {
            Ok(progress) => progress,
            Err(error) if error.is_final() => return self.log.fail(writer::chain(&error)),
            Err(_) => return,
        };
        if progress.is_new {
            let copy = one.follower.log().clone();
            if let Some(note) = copy.checkpoint() {
                let prove = |old, new| copy.consistency_proof(old, new).ok();
                let word = self.witness.cosign_held(copy.log_key(), &note, now.clock, prove);
                let word = self.heeded(word);
                if let Err(error) = word {
                    tracing::warn!(%error, "mirrored log not cosigned");
                }
            }
        }
        if let Some(ask) = progress.ask {
            self.follow(origin, ask, effects);
        }
    }
}
