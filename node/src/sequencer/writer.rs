//! The thread named `writer`: the only one that writes the own log.
//!
//! Invariants: submissions wait in a bounded queue; an error ends the thread, after which every
//! submission is told that the node has stopped. What it does is in `writing.rs`; here are its
//! queue and its clocks.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::read_only::ReadOnlyLog;
use super::writing::{Answer, Closed, Effect, Event, GROUP_MAX, Now, Writer};
use super::{SequenceError, Sequencer};
use crate::admission::keys::Keys;
use crate::core::Clock;
use crate::core::shared::{Shared, Signing};
use crate::store::reserve::Reserve;

/// Most attestations that wait for the writer: beyond it senders wait. 16 MiB of 1 kB bodies.
pub(crate) const QUEUE_MAX: usize = 16_384;

/// Longest wait of a group for submissions that are being proved: a chunk of them takes 3 ms. Fewer
/// syncs then carry as much, and where nobody else sends nobody waits.
const GATHER_MAX: Duration = Duration::from_millis(2);
/// How often it is looked whether they still are: some are refused and never come.
const GATHER_LOOK: Duration = Duration::from_micros(250);

/// What the writer thread is asked to do.
pub(crate) type Message = Event<Ticket>;

/// Who waits for the answer to a submission.
pub(crate) struct Ticket {
    pub(crate) reply: oneshot::Sender<Answer>,
    /// Room in the queue, given back with the answer; the retries of deferred ones need none.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

impl Ticket {
    fn answer(self, answer: Answer) {
        drop(self.permit);
        // Whoever asked may have gone.
        let _ = self.reply.send(answer);
    }
}

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
fn run(mut writer: Writer<Ticket>, shared: &Shared, receiver: &Receiver<Message>, clock: &Clock) {
    let started = Instant::now();
    let now = || Now { monotonic: started.elapsed(), clock: clock() };
    let ended = writer.start(now()).and_then(|()| serve(&mut writer, shared, receiver, now));
    match ended {
        Ok(()) => {
            if let Err(error) = shared.catalogue.persist() {
                tracing::warn!(%error, "the index was not written out and is caught up at the start");
            }
        }
        Err(error) => {
            shared.give_up(&error);
            drop(writer);
            if matches!(shared.signing(), Signing::ReadOnly { .. }) {
                refuse_all(receiver);
            }
        }
    }
}

/// Answers that the log is read-only, until told to stop.
fn refuse_all(receiver: &Receiver<Message>) {
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Stop => return,
            Message::Store { ticket, .. } | Message::Reindex { ticket } => {
                ticket.answer(Err(Closed::ReadOnly));
            }
            _ => {}
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
            Message::Store { ticket, .. } => ticket.answer(Err(Closed::ReadOnly)),
            Message::Reindex { ticket } => match log.reindex() {
                Ok(()) => ticket.answer(Ok(Vec::new())),
                Err(error) => log.shared().stop(chain(&error)),
            },
            _ => {}
        }
    }
}

/// Hands every message to the writer, those that wait together as one group.
fn serve(
    writer: &mut Writer<Ticket>,
    shared: &Shared,
    receiver: &Receiver<Message>,
    now: impl Fn() -> Now,
) -> Result<(), SequenceError> {
    let answer = |effects: Vec<Effect<Ticket>>| {
        effects.into_iter().for_each(|Effect { ticket, answer }| ticket.answer(answer));
    };
    loop {
        let first = match receiver.recv_timeout(writer.idle(now())) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => Message::Tick,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let mut next = Some(first);
        let (mut taken, until) = (0, Instant::now() + GATHER_MAX);
        while let Some(message) = next {
            let is_stop = matches!(message, Message::Stop);
            let gathers = matches!(message, Message::Store { .. });
            answer(writer.step(now(), message)?);
            writer.rest(now().monotonic);
            if is_stop {
                return Ok(());
            }
            taken += 1;
            next = if taken < GROUP_MAX { receiver.try_recv().ok() } else { None };
            if next.is_none() && gathers && taken < GROUP_MAX {
                next = gather(shared, receiver, until);
            }
        }
        answer(writer.step(now(), Message::Drained)?);
        writer.rest(now().monotonic);
    }
}

/// The next message, if one is about to come.
fn gather(shared: &Shared, receiver: &Receiver<Message>, until: Instant) -> Option<Message> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || !shared.is_proving() {
            return None;
        }
        match receiver.recv_timeout(left.min(GATHER_LOOK)) {
            Ok(message) => return Some(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
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
    reserve: Reserve,
    receiver: Receiver<Message>,
    clock: Clock,
    batch_wait_max: Duration,
) -> std::io::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("writer".to_owned()).spawn(move || match opened {
        Opened::Whole(sequencer) => {
            let shared = sequencer.shared.clone();
            let writer = Writer::new(*sequencer, reserve, batch_wait_max);
            run(writer, &shared, &receiver, &clock);
        }
        Opened::ReadOnly(log) => refuse(&log, &receiver),
    })
}
