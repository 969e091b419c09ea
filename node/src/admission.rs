//! The way of an attestation into the own log: parsed, proved, deduplicated, durable.
//!
//! Invariants: admission refuses only what is malformed, unsigned, unauthorised or contradicts
//! itself; what is answered as stored or deferred is durable; bytes are parsed once; proving runs
//! on all cores, ordering on the one writer thread.

pub mod keys;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use hallmark_schemas::attestation::{ContentId, Envelope, Refusal};
use hallmark_schemas::history::KeyFault;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::time::EntryTime;
use tokio::sync::{Semaphore, oneshot};

use crate::core::Clock;
use crate::core::shared::{Shared, Signing};
use crate::deferred::{Deferred, Kept};
use crate::sequencer::writer::{Message, QUEUE_MAX, ReadOnly};
use crate::sequencer::{Candidate, Outcome};

/// Attestations that one worker proves in one go: 64 * 45 µs is 3 ms.
const CHUNK: usize = 64;
/// How far an entry's instant may lie after its admission here: batches, quorum, unequal clocks.
const RECORDED_AFTER_MAX_MS: i64 = 10 * 60 * 1000;
/// When a sender should come again: the queue drains, the index catches up.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// When a sender whose attestation found no room in the quarantine should come again.
const RETRY_DEFERRED_AFTER: Duration = Duration::from_secs(60);
/// Most durable attestations that wait for the tree: a week without quorum at 6 a second; their
/// queue takes 104 bytes each, 416 MiB.
const UNLOGGED_MAX: u64 = 4 << 20;
/// When a sender should come again while the witnesses are away.
const RETRY_UNLOGGED_AFTER: Duration = Duration::from_secs(60);
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
    /// The log takes nothing, because what is here and what is known elsewhere differ.
    #[error("this log is read-only: {cause}")]
    ReadOnly {
        /// What was found.
        cause: String,
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
    shared: Arc<Shared>,
    deferred: Arc<Deferred>,
    sender: mpsc::Sender<Message>,
    /// Room in the writer's queue, in attestations.
    queue: Arc<Semaphore>,
    /// One permit a core.
    workers: Arc<Semaphore>,
    clock: Clock,
}

type Answer = Result<Admitted, AdmitError>;

/// A chunk on its way: answers that are known, and the reply that brings the others.
struct Handed {
    early: Vec<Option<Answer>>,
    kinds: Vec<KindName>,
    reply: Option<oneshot::Receiver<Result<Vec<Outcome>, ReadOnly>>>,
}

/// An attestation after the part that needs no order.
enum Proved {
    Candidate(Candidate),
    Unknown(Envelope),
    Refused(Refusal),
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
            shared,
            deferred,
            sender,
            queue: Arc::new(Semaphore::new(QUEUE_MAX)),
            workers: Arc::new(Semaphore::new(cores)),
            clock,
        }
    }

    /// Admits many; one answer each, in order.
    pub(crate) async fn admit_many(
        &self,
        stored: Vec<Vec<u8>>,
    ) -> Vec<Result<Admitted, AdmitError>> {
        if let Some(error) = self.closed() {
            return stored.iter().map(|_| Err(error.clone())).collect();
        }
        let mut proving = Vec::new();
        let mut rest = stored.into_iter();
        loop {
            let chunk: Vec<Vec<u8>> = rest.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                break;
            }
            let admission = self.clone();
            let prove = async move { admission.prove_chunk(chunk).await };
            proving.push(tokio::spawn(prove));
        }
        // Proved on all cores, handed over in the order of submission, answered by shared syncs.
        let mut waiting = Vec::new();
        for chunk in proving {
            match chunk.await {
                Ok((proved, kept)) => waiting.push(self.hand_over(proved, kept).await),
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        }
        let mut answers = Vec::new();
        for Handed { early, kinds, reply } in waiting {
            let outcome = match reply {
                Some(reply) => reply.await.ok(),
                None => None,
            };
            let mut late = self.answers(&kinds, outcome).into_iter();
            let all = early.into_iter().map(|answer| answer.or_else(|| late.next()));
            answers.extend(all.map(|answer| answer.expect("one answer each")));
        }
        answers
    }

    /// Proves at most a chunk on a worker; those of unknown keys are kept.
    async fn prove_chunk(&self, stored: Vec<Vec<u8>>) -> (Vec<Proved>, Vec<Answer>) {
        let permit = self.workers.clone().acquire_owned().await;
        let permit = permit.expect("never closed");
        let admission = self.clone();
        let work = move || {
            let proved: Vec<Proved> = stored.iter().map(|bytes| admission.prove(bytes)).collect();
            drop(permit);
            let unknown = proved.iter().filter_map(|proved| match proved {
                Proved::Unknown(envelope) => Some(envelope),
                _ => None,
            });
            let unknown: Vec<&Envelope> = unknown.collect();
            let kept = admission.defer(&unknown);
            let kept = kept.unwrap_or_else(|error| vec![Err(error); unknown.len()]);
            drop(unknown);
            (proved, kept)
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
        let _ = self.sender.send(Message::Store { candidates, reply, permit });
        Handed { early, kinds, reply: Some(answer) }
    }

    /// Why nothing is taken now, if so.
    fn closed(&self) -> Option<AdmitError> {
        match self.shared.signing() {
            Signing::ReadOnly { cause } => Some(AdmitError::ReadOnly { cause }),
            Signing::Stopped { cause } => Some(AdmitError::Stopped { cause }),
            _ if !self.shared.index_ready() => Some(AdmitError::Busy {
                retry_after: RETRY_AFTER,
                what: "the index is being brought up to date",
            }),
            _ if UNLOGGED_MAX <= self.shared.unlogged() => Some(AdmitError::Busy {
                retry_after: RETRY_UNLOGGED_AFTER,
                what: "too many attestations wait for the witnesses",
            }),
            _ => None,
        }
    }

    /// Parses and checks one: key in force, authority, signature.
    fn prove(&self, stored: &[u8]) -> Proved {
        let envelope = match Envelope::parse(stored) {
            Ok(envelope) => envelope,
            Err(malformed) => return Proved::Refused(malformed.into()),
        };
        let now = (self.clock)();
        let hi = now.checked_add_ms(RECORDED_AFTER_MAX_MS).unwrap_or(now);
        let at = EntryTime { lo: now, hi };
        self.shared.keys.read(|keys| {
            if matches!(keys.signer_of(&envelope, at), Err(KeyFault::Unknown)) {
                return Proved::Unknown(envelope);
            }
            match envelope.verify(keys, at) {
                Ok(verified) => Proved::Candidate(Candidate::new(verified)),
                Err(refusal) => Proved::Refused(refusal),
            }
        })
    }

    fn defer(&self, envelopes: &[&Envelope]) -> Result<Vec<Answer>, AdmitError> {
        if envelopes.is_empty() {
            return Ok(Vec::new());
        }
        let kept = self.deferred.keep(envelopes).map_err(|error| {
            let cause = crate::sequencer::writer::chain(&error);
            self.shared.stop(cause.clone());
            AdmitError::Stopped { cause }
        })?;
        let answer = |(envelope, kept): (&&Envelope, Kept)| match kept {
            Kept::Kept => Ok(Admitted::Deferred { id: envelope.id() }),
            Kept::Full => Err(AdmitError::Busy {
                retry_after: RETRY_DEFERRED_AFTER,
                what: "the key is unknown and the quarantine is full",
            }),
        };
        Ok(envelopes.iter().zip(kept).map(answer).collect())
    }

    fn answers(
        &self,
        kinds: &[KindName],
        outcome: Option<Result<Vec<Outcome>, ReadOnly>>,
    ) -> Vec<Result<Admitted, AdmitError>> {
        let Some(Ok(outcomes)) = outcome else {
            let stopped = || AdmitError::Stopped { cause: "the writer has ended".to_owned() };
            let error = self.closed().unwrap_or_else(stopped);
            return kinds.iter().map(|_| Err(error.clone())).collect();
        };
        let answer = |(kind, outcome): (&KindName, Outcome)| match outcome {
            Outcome::Stored { id, known } => Ok(Admitted::Stored { id, known }),
            Outcome::Contradicted { earlier } => {
                Err(Refusal::Contradicted { kind: *kind, earlier }.into())
            }
        };
        kinds.iter().zip(outcomes).map(answer).collect()
    }

    /// Tries deferred attestations again whenever a key was learnt, until the node stops.
    pub(crate) fn retry_deferred(&self) {
        let mut seen = 0;
        while let Some(learnt) = self.shared.keys.wait_grown(seen, DEFERRED_LOOK) {
            seen = learnt;
            while self.closed().is_none() {
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
        // The successor in a rotation is unknown until its own attestation is recorded: that one
        // names a key that is known, so it is never deferred for long.
        let known = |key: &_| self.shared.keys.read(|keys| keys.knows(key));
        let mut done = Vec::new();
        let mut candidates = Vec::new();
        for stored in self.deferred.ready(known, CHUNK) {
            let id = ContentId::of(&stored);
            match self.prove(&stored) {
                Proved::Candidate(candidate) => candidates.push(candidate),
                Proved::Unknown(_) => continue,
                Proved::Refused(refusal) => {
                    tracing::warn!(%id, code = refusal.code(), "refused a deferred attestation");
                }
            }
            done.push(id);
        }
        if !candidates.is_empty() {
            let kinds: Vec<KindName> = candidates.iter().map(Candidate::kind).collect();
            let (reply, answer) = oneshot::channel();
            let message = Message::Store { candidates, reply, permit: None };
            let sent = self.sender.send(message).is_ok();
            let outcome = if sent { answer.blocking_recv().ok() } else { None };
            for answer in self.answers(&kinds, outcome) {
                match answer {
                    Ok(_) | Err(AdmitError::Refused(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if !done.is_empty() {
            let removed = self.deferred.remove(&done);
            removed.map_err(|error| AdmitError::Stopped { cause: error.to_string() })?;
        }
        Ok(done.len())
    }
}
