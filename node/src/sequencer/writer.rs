//! The thread named `writer`: the only one that writes the own log.
//!
//! Invariants: submissions wait in a bounded queue; many are answered by one sync; an error ends
//! the thread, after which every submission is told that the node has stopped.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use hallmark_schemas::note::SignedNote;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::read_only::ReadOnlyLog;
use super::{Candidate, Outcome, SequenceError, Sequencer};
use crate::admission::keys::Keys;
use crate::core::Clock;

/// Most attestations that wait for the writer: beyond it senders wait. 16 MiB of 1 kB bodies.
pub(crate) const QUEUE_MAX: usize = 16_384;
/// Most attestations answered by one sync.
const GROUP_MAX: usize = 4_096;

/// What the writer thread is asked to do.
pub(crate) enum Message {
    /// Make these durable and say what became of them.
    Store { candidates: Vec<Candidate>, reply: Reply, permit: Permit },
    /// Ask for newer cosignatures of what is published.
    Renew,
    /// Count these cosignatures.
    Cosigned(SignedNote),
    /// The witness policy changed.
    PolicyChanged,
    /// The fork guard lets the log sign.
    GuardSatisfied,
    /// The fork guard found more than the log has.
    GuardRefused { cause: String },
    /// Throw the index away and build it again.
    Reindex { reply: oneshot::Sender<()> },
    /// Finish what is durable and end.
    Stop,
}

/// Room in the queue, given back with the answer; the retries of deferred ones need none.
type Permit = Option<OwnedSemaphorePermit>;
type Reply = oneshot::Sender<Result<Vec<Outcome>, ReadOnly>>;

/// The log is read-only: the writer takes nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ReadOnly;

/// The threads of the store, to end them in order.
pub struct WriterThread {
    pub(crate) thread: std::thread::JoinHandle<()>,
    /// Tries deferred attestations again.
    pub(crate) retry: std::thread::JoinHandle<()>,
    pub(crate) keys: Arc<Keys>,
    pub(crate) sender: std::sync::mpsc::Sender<Message>,
}

impl WriterThread {
    /// Ends the threads: what is durable is in the tree as far as the policy lets it, the index is
    /// written out. Nothing is lost if this never runs.
    pub fn stop(self) {
        // A thread that is gone already was told or failed; `stopped` says which.
        let _ = self.sender.send(Message::Stop);
        self.keys.close();
        if self.retry.join().is_err() || self.thread.join().is_err() {
            tracing::error!("a thread of the store panicked");
        }
    }
}

/// Runs until told to stop or until something fails.
pub(crate) fn run(
    mut sequencer: Sequencer,
    receiver: &Receiver<Message>,
    clock: &Clock,
    batch_wait_max: Duration,
) {
    let shared = sequencer.shared.clone();
    let ended =
        sequencer.catch_up().and_then(|()| serve(&mut sequencer, receiver, clock, batch_wait_max));
    match ended {
        Ok(()) => {
            if let Err(error) = shared.catalogue.persist() {
                tracing::warn!(%error, "the index was not written out and is caught up at the start");
            }
        }
        Err(error) => {
            let cause = chain(&error);
            tracing::error!(%cause, "the writer stops");
            shared.stop(cause);
        }
    }
}

/// Serves what can be proved and answers that the log is read-only, until told to stop.
fn refuse(log: &ReadOnlyLog, receiver: &Receiver<Message>) {
    if let Err(error) = log.catch_up() {
        let cause = chain(&error);
        tracing::error!(%cause, "what is here cannot be served");
        log.shared().stop(cause);
    }
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Stop => return,
            Message::Store { reply, .. } => {
                // Whoever asked may have gone.
                let _ = reply.send(Err(ReadOnly));
            }
            Message::Reindex { reply } => match log.reindex() {
                Ok(()) => drop(reply.send(())),
                Err(error) => log.shared().stop(chain(&error)),
            },
            _ => {}
        }
    }
}

fn serve(
    sequencer: &mut Sequencer,
    receiver: &Receiver<Message>,
    clock: &Clock,
    batch_wait_max: Duration,
) -> Result<(), SequenceError> {
    let mut due_at: Option<Instant> = None;
    loop {
        if !sequencer.batch_due() {
            due_at = None;
        } else if due_at.is_none() {
            due_at = Some(Instant::now() + batch_wait_max);
        }
        let now = Instant::now();
        if sequencer.batch_full() || due_at.is_some_and(|due_at| due_at <= now) {
            sequencer.sequence(clock())?;
            due_at = None;
            continue;
        }
        let wait = due_at.map_or(Duration::from_secs(3600), |due_at| due_at - now);
        let first = match receiver.recv_timeout(wait) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let mut group = Group::default();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Store { candidates, reply, permit } => {
                    group.add(candidates, reply, permit);
                    if GROUP_MAX <= group.size {
                        break;
                    }
                }
                other => {
                    group.commit(sequencer)?;
                    group = Group::default();
                    if control(sequencer, other)? {
                        return sequencer.sequence(clock());
                    }
                }
            }
            next = receiver.try_recv().ok();
        }
        group.commit(sequencer)?;
    }
}

/// Acts on anything but a submission; true if it is time to end.
fn control(sequencer: &mut Sequencer, message: Message) -> Result<bool, SequenceError> {
    match message {
        Message::Stop => return Ok(true),
        Message::Cosigned(note) => sequencer.cosigned(&note)?,
        Message::PolicyChanged => sequencer.policy_changed()?,
        Message::Renew => sequencer.renew()?,
        Message::GuardSatisfied => sequencer.guard_satisfied()?,
        Message::GuardRefused { cause } => sequencer.guard_refused(cause),
        Message::Reindex { reply } => {
            sequencer.reindex()?;
            // Whoever asked may have gone.
            let _ = reply.send(());
        }
        Message::Store { .. } => {}
    }
    Ok(false)
}

/// Submissions that one sync answers.
#[derive(Default)]
struct Group {
    submissions: Vec<(Vec<Candidate>, Reply, Permit)>,
    size: usize,
}

impl Group {
    fn add(&mut self, candidates: Vec<Candidate>, reply: Reply, permit: Permit) {
        self.size += candidates.len();
        self.submissions.push((candidates, reply, permit));
    }

    fn commit(self, sequencer: &mut Sequencer) -> Result<(), SequenceError> {
        if self.submissions.is_empty() {
            return Ok(());
        }
        if sequencer.read_only() {
            for (_, reply, _) in self.submissions {
                // Whoever asked may have gone, here and below.
                let _ = reply.send(Err(ReadOnly));
            }
            return Ok(());
        }
        let all = self.submissions.iter().flat_map(|(candidates, ..)| candidates);
        let mut outcomes = sequencer.store(all)?.into_iter();
        for (candidates, reply, _permit) in self.submissions {
            let mine = outcomes.by_ref().take(candidates.len()).collect();
            let _ = reply.send(Ok(mine));
        }
        Ok(())
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The own log, as a start found it.
pub(crate) enum Opened {
    /// Its files fit together.
    Whole(Box<Sequencer>),
    /// They do not.
    ReadOnly(ReadOnlyLog),
}

/// Starts the thread.
pub(crate) fn spawn(
    opened: Opened,
    receiver: Receiver<Message>,
    clock: Clock,
    batch_wait_max: Duration,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("writer".to_owned()).spawn(move || match opened {
        Opened::Whole(sequencer) => run(*sequencer, &receiver, &clock, batch_wait_max),
        Opened::ReadOnly(log) => refuse(&log, &receiver),
    })
}
