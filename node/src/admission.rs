//! The way of an attestation into the own log: parsed, proved, deduplicated, durable.
//!
//! Invariants: admission refuses only what is malformed, unsigned, unauthorised or contradicts
//! itself; what is answered as stored or deferred is durable; bytes are parsed once, unless two say
//! the same; proving runs on all cores, ordering on the one writer thread.

pub(crate) mod gate;
pub mod keys;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use hallmark_schemas::attestation::{ContentId, Envelope, Refusal};
use hallmark_schemas::kind::KindName;
use hallmark_schemas::time::Timestamp;
use tokio::sync::{Semaphore, oneshot};

use crate::core::Clock;
use crate::core::shared::{Proving, Shared};
use crate::deferred::Deferred;
use crate::sequencer::Candidate;
use crate::sequencer::writer::{Message, QUEUE_MAX, Ticket};
use crate::sequencer::writing;
use gate::{Gate, Proved};

/// Attestations that one worker proves in one go: 64 * 45 µs is 3 ms.
const CHUNK: usize = 64;
/// How often deferred attestations are looked at even if no key was learnt.
const DEFERRED_LOOK: Duration = Duration::from_secs(5);

/// What an admitted attestation is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Admitted {
    /// Durable here, and in the tree with one of the next batches.
    Stored {
        /// Its id; that of an earlier attestation if that says the same.
        id: ContentId,
        /// Whether it was here before.
        known: bool,
    },
    /// Durable here; its key is not known yet.
    Deferred {
        /// Its id.
        id: ContentId,
    },
}

/// Why an attestation was not admitted.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdmitError {
    /// The sender's fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nobody's fault: come again.
    #[error("{what}: try again in {} s", retry_after.as_secs())]
    Busy {
        /// When.
        retry_after: Duration,
        /// What is in the way.
        what: &'static str,
    },
    /// Nobody's fault: there is no room on the disk of this node.
    #[error("the disk of this node is full: try again in {} s", retry_after.as_secs())]
    Full {
        /// When.
        retry_after: Duration,
    },
    /// The log takes nothing, because what is here and what is known elsewhere differ.
    #[error("this log is read-only: {cause}")]
    ReadOnly {
        /// What was found.
        cause: String,
        /// What its operator can do.
        help: &'static str,
    },
    /// A durable write failed.
    #[error("this node has stopped: {cause}")]
    Stopped {
        /// What failed.
        cause: String,
    },
    /// No such attestation here.
    #[error("{id} is not known here")]
    Unknown {
        /// The id.
        id: ContentId,
    },
}

/// The entrance of the own log. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Admission {
    gate: Gate,
    sender: mpsc::Sender<Message>,
    /// Room in the writer's queue, in attestations.
    queue: Arc<Semaphore>,
    /// One permit a core.
    workers: Arc<Semaphore>,
    clock: Clock,
}

/// The answer to one submission.
pub(crate) type Answer = Result<Admitted, AdmitError>;

/// A chunk on its way: answers that are known, and the reply that brings the others.
struct Handed {
    early: Vec<Option<Answer>>,
    kinds: Vec<KindName>,
    reply: Option<oneshot::Receiver<writing::Answer>>,
}

impl Admission {
    pub(crate) fn new(
        shared: Arc<Shared>,
        deferred: Arc<Deferred>,
        sender: mpsc::Sender<Message>,
        clock: Clock,
    ) -> Admission {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Admission {
            gate: Gate::new(shared, deferred),
            sender,
            queue: Arc::new(Semaphore::new(QUEUE_MAX)),
            workers: Arc::new(Semaphore::new(cores)),
            clock,
        }
    }

    /// Admits one that was parsed before. It is proved where it is: 45 µs are less than a way to
    /// another thread and back takes with everything that waits there.
    pub(crate) async fn admit_one(&self, envelope: Envelope) -> Answer {
        if let Some(error) = self.gate.closed() {
            return Err(error);
        }
        let proving = self.gate.begin();
        let proved = match self.gate.prove_parsed(envelope, (self.clock)()) {
            Proved::Refused(refusal) => return Err(refusal.into()),
            Proved::Unknown(envelope) => {
                drop(proving);
                return self.keep_one(envelope).await;
            }
            candidate => candidate,
        };
        let handed = self.hand_over(vec![proved], Vec::new()).await;
        drop(proving);
        self.outcome(handed).await.pop().expect("one answer each")
    }

    /// Keeps one whose key is not known yet.
    async fn keep_one(&self, envelope: Box<Envelope>) -> Answer {
        let gate = self.gate.clone();
        let kept = tokio::task::spawn_blocking(move || gate.defer(&[&envelope])).await;
        match kept {
            Ok(kept) => kept?.pop().expect("one answer each"),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Admits many; one answer each, in order.
    pub(crate) async fn admit_many(&self, stored: Vec<Vec<u8>>) -> Vec<Answer> {
        self.admit_each(stored, |gate, bytes, now| gate.prove(&bytes, now)).await
    }

    /// The same for those that were parsed before.
    pub(crate) async fn admit_all(&self, envelopes: Vec<Envelope>) -> Vec<Answer> {
        self.admit_each(envelopes, Gate::prove_parsed).await
    }

    async fn admit_each<T: Send + 'static>(
        &self,
        all: Vec<T>,
        prove: fn(&Gate, T, Timestamp) -> Proved,
    ) -> Vec<Answer> {
        if let Some(error) = self.gate.closed() {
            return all.iter().map(|_| Err(error.clone())).collect();
        }
        let mut proving = Vec::new();
        let mut rest = all.into_iter();
        loop {
            let chunk: Vec<T> = rest.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            let admission = self.clone();
            let work = async move { admission.prove_chunk(chunk, prove).await };
            proving.push(tokio::spawn(work));
        }
        // Proved on all cores, handed over in the order of submission, answered by shared syncs.
        let mut waiting = Vec::new();
        for chunk in proving {
            match chunk.await {
                Ok((proved, kept, _proving)) => waiting.push(self.hand_over(proved, kept).await),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        let mut answers = Vec::new();
        for handed in waiting {
            answers.extend(self.outcome(handed).await);
        }
        answers
    }

    /// The answers to a chunk, once the writer has said what became of it.
    async fn outcome(&self, handed: Handed) -> Vec<Answer> {
        let Handed { early, kinds, reply } = handed;
        let outcome = match reply {
            Some(reply) => reply.await.ok(),
            None => None,
        };
        let mut late = self.gate.answers(&kinds, outcome).into_iter();
        let all = early.into_iter().map(|answer| answer.or_else(|| late.next()));
        all.map(|answer| answer.expect("one answer each")).collect()
    }

    /// Proves at most a chunk on a worker; those of unknown keys are kept.
    async fn prove_chunk<T: Send + 'static>(
        &self,
        chunk: Vec<T>,
        prove: fn(&Gate, T, Timestamp) -> Proved,
    ) -> (Vec<Proved>, Vec<Answer>, Proving) {
        let permit = self.workers.clone().acquire_owned().await;
        let permit = permit.expect("never closed");
        let proving = self.gate.begin();
        let admission = self.clone();
        let work = move || {
            let now = (admission.clock)();
            let proved: Vec<Proved> =
                chunk.into_iter().map(|one| prove(&admission.gate, one, now)).collect();
            drop(permit);
            let unknown = proved.iter().filter_map(|proved| match proved {
                Proved::Unknown(envelope) => Some(&**envelope),
                _ => None,
            });
            let unknown: Vec<&Envelope> = unknown.collect();
            let kept = admission.gate.defer(&unknown);
            let kept = kept.unwrap_or_else(|error| vec![Err(error); unknown.len()]);
            drop(unknown);
            (proved, kept, proving)
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(proved) => proved,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Gives what was proved to the writer, without waiting for its answer.
    async fn hand_over(&self, proved: Vec<Proved>, kept: Vec<Answer>) -> Handed {
        let mut kept = kept.into_iter();
        let mut candidates = Vec::new();
        let mut early = Vec::with_capacity(proved.len());
        for proved in proved {
            early.push(match proved {
                Proved::Refused(refusal) => Some(Err(refusal.into())),
                Proved::Unknown(_) => kept.next(),
                Proved::Candidate(candidate) => {
                    candidates.push(candidate);
                    None
                }
            });
        }
        let kinds: Vec<KindName> = candidates.iter().map(Candidate::kind).collect();
        if candidates.is_empty() {
            return Handed { early, kinds, reply: None };
        }
        let room = self.queue.clone().acquire_many_owned(candidates.len() as u32).await;
        let permit = Some(room.expect("never closed"));
        let (reply, answer) = oneshot::channel();
        // A writer that has ended drops the reply, which is answered below.
        let _ = self.sender.send(Message::Store { candidates, ticket: Ticket { reply, permit } });
        Handed { early, kinds, reply: Some(answer) }
    }

    /// Whether anything waits for the writer right now.
    pub(crate) fn is_taking_in(&self) -> bool {
        self.queue.available_permits() < QUEUE_MAX
    }

    /// Tries deferred attestations again whenever a key was learnt, until the node stops.
    pub(crate) fn retry_deferred(&self) {
        let mut seen = 0;
        while let Some(learnt) = self.gate.keys().wait_grown(seen, DEFERRED_LOOK) {
            seen = learnt;
            while self.gate.closed().is_none() {
                match self.retry_once() {
                    Ok(0) => break,
                    Ok(count) => tracing::info!(count, "took attestations out of the quarantine"),
                    Err(error) => {
                        tracing::warn!(%error, "deferred attestations stay in the quarantine");
                        break;
                    }
                }
            }
        }
    }

    /// Tries a chunk of those whose key is known by now; how many left the quarantine.
    fn retry_once(&self) -> Result<usize, AdmitError> {
        let (candidates, done) = self.gate.ready((self.clock)(), CHUNK);
        if !candidates.is_empty() {
            let kinds: Vec<KindName> = candidates.iter().map(Candidate::kind).collect();
            let (reply, answer) = oneshot::channel();
            let ticket = Ticket { reply, permit: None };
            let message = Message::Store { candidates, ticket };
            let sent = self.sender.send(message).is_ok();
            let outcome = if sent { answer.blocking_recv().ok() } else { None };
            for answer in self.gate.answers(&kinds, outcome) {
                match answer {
                    Ok(_) | Err(AdmitError::Refused(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if !done.is_empty() {
            let removed = self.gate.done(&done);
            removed.map_err(|error| AdmitError::Stopped { cause: error.to_string() })?;
        }
        Ok(done.len())
    }
}
