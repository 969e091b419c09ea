//! Takes from the sources, spools, sends, and forgets only what was proved recorded.
//!
//! Invariants: a source is answered only after the spool has synced; an entry leaves the spool only
//! on a receipt that [`Trust`] has checked (or on `stored`, where that was chosen) or as refused,
//! kept aside; what the broker acknowledges means nothing; one task owns spool, batches and sending.

mod link;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use hallmark_schemas::ack::{Ack, Status};
use hallmark_schemas::enrolment::Enrolled;
use hallmark_schemas::time::Timestamp;
use rumqttc::v5::AsyncClient;
use rumqttc::v5::mqttbytes::QoS;
use tokio::sync::{mpsc, oneshot};
use tokio::task::block_in_place;
use tracing::{debug, error, info, warn};

use crate::batch::{BatchError, Batcher, Kept, Sealed, Taken};
use crate::config::Release;
use crate::delivery::Delivery;
use crate::enrol;
use crate::spool::{Mark, Spool, SpoolError};
use crate::trust::Trust;

use link::{Link, LinkEvent};
pub use link::{LinkError, LinkOptions};

/// Most things taken before one sync.
const TAKE_MAX: usize = 4096;
/// How long a stop waits for the broker to hear it.
const GOODBYE_MAX: Duration = Duration::from_millis(500);

/// How entries are sent.
#[derive(Clone, Debug)]
pub struct CourierOptions {
    /// On what word an entry may leave the spool.
    pub release: Release,
    /// Longest wait for an answer before an entry is sent again.
    pub ack_wait_max: Duration,
    /// Most entries on their way at once.
    pub window_max: usize,
    /// The broker.
    pub link: LinkOptions,
    /// How long it goes on without an answer.
    pub patience: Patience,
    /// Where `enrolled.cbor` is, which a newer network file replaces.
    pub enrolled: PathBuf,
}

/// How long a courier goes on without an answer while something waits for one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Patience {
    /// So long at any time: for one file that somebody waits for.
    Always(Duration),
    /// For ever while there is input, so long after its end.
    AfterInput(Duration),
}

/// What has happened since the start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Tally {
    /// Attestations spooled.
    pub taken: u64,
    /// Attestations that a node has receipted.
    pub acknowledged: u64,
    /// Attestations that a node refused; they are in `refused/`.
    pub refused: u64,
    /// Things from sources that could not be signed.
    pub unsigned: u64,
    /// Receipts that proved nothing.
    pub receipts_bad: u64,
    /// Attestations in the spool.
    pub pending: u64,
    /// Whether the broker is there.
    pub connected: bool,
}

/// Why the courier came home.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// The sources ended, and everything taken was answered.
    Drained,
    /// It was told to stop; what is left is in the spool.
    Stopped,
}

/// Why the courier cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CourierError {
    /// The broker cannot even be tried.
    #[error("the broker cannot be used")]
    Link(#[from] LinkError),
    /// The spool's disk.
    #[error("the spool cannot go on")]
    Spool(#[from] SpoolError),
    /// Nothing can be signed.
    #[error("nothing can be signed")]
    Batch(#[from] BatchError),
    /// No answer for too long.
    #[error(
        "no answer for {} s: {reason}; {} attestations stay in the spool",
        waited.as_secs(), tally.pending
    )]
    Unreachable {
        /// How long.
        waited: Duration,
        /// What the connection last said.
        reason: String,
        /// What had happened until then.
        tally: Tally,
    },
}

/// A signed attestation on its way into the spool.
struct Waiting {
    sealed: Sealed,
    answer: Option<oneshot::Sender<Kept>>,
}

/// The one task of an agent.
pub struct Courier {
    options: CourierOptions,
    spool: Spool,
    batcher: Batcher,
    trust: Trust,
    delivery: Delivery,
    client: Option<AsyncClient>,
    /// Signed batches that the full spool did not take. No more is taken until it does.
    untaken: Vec<Waiting>,
    tally: Tally,
    input_ended: bool,
    heard_at: Instant,
    down_reason: String,
}

impl Courier {
    /// Ready to run.
    pub fn new(options: CourierOptions, spool: Spool, batcher: Batcher, trust: Trust) -> Courier {
        let delivery = Delivery::new(options.window_max, options.ack_wait_max);
        let down_reason = "the broker was never reached".to_owned();
        Courier {
            options,
            spool,
            batcher,
            trust,
            delivery,
            client: None,
            untaken: Vec::new(),
            tally: Tally::default(),
            input_ended: false,
            heard_at: Instant::now(),
            down_reason,
        }
    }

    /// How far files have been taken in earlier starts.
    pub fn marks(&self) -> &[Mark] {
        self.spool.marks()
    }

    /// Runs until the sources have ended and everything is answered, or until `stop`.
    ///
    /// Needs a runtime with several threads: syncs of the disk block.
    pub async fn run(
        mut self,
        mut inbox: mpsc::Receiver<Taken>,
        stop: impl Future<Output = ()>,
        mut progress: impl FnMut(&Tally),
    ) -> Result<(Ended, Tally), CourierError> {
        let Enrolled { ack_topic, config_topic, .. } = self.trust.enrolled();
        let topics = vec![ack_topic.clone(), config_topic.clone()];
        let queue_max = self.options.window_max * 2 + 64;
        let mut link = link::connect(&self.options.link, topics, queue_max)?;
        self.heard_at = Instant::now();
        tokio::pin!(stop);
        loop {
            self.send_due()?;
            self.tally.pending = self.spool.state().pending;
            self.tally.connected = self.client.is_some();
            progress(&self.tally);
            if self.input_ended && self.untaken.is_empty() && self.tally.pending == 0 {
                self.goodbye(&mut link).await;
                return Ok((Ended::Drained, self.tally));
            }
            self.check_reach()?;
            let wake_at = tokio::time::Instant::from_std(self.wake_at(Instant::now()));
            tokio::select! {
                () = &mut stop => {
                    self.flush()?;
                    self.goodbye(&mut link).await;
                    return Ok((Ended::Stopped, self.tally));
                }
                event = link.recv() => {
                    let Some(event) = event else { continue };
                    self.on_link(event)?;
                }
                first = inbox.recv(), if !self.input_ended && self.untaken.is_empty() => {
                    match first {
                        Some(first) => self.take(first, &mut inbox)?,
                        None => {
                            self.input_ended = true;
                            self.heard_at = Instant::now();
                            self.flush()?;
                        }
                    }
                }
                () = tokio::time::sleep_until(wake_at) => self.on_timer(Instant::now())?,
            }
        }
    }

    /// Signs and spools one thing and all that wait behind it, with one sync.
    fn take(
        &mut self,
        first: Taken,
        inbox: &mut mpsc::Receiver<Taken>,
    ) -> Result<(), CourierError> {
        let mut waiting = Vec::new();
        let mut next = Some(first);
        let mut count = 0;
        while let Some(taken) = next {
            self.sign(taken, &mut waiting)?;
            count += 1;
            next = if count < TAKE_MAX { inbox.try_recv().ok() } else { None };
        }
        self.heard_at = Instant::now();
        self.store(waiting)
    }

    fn sign(&mut self, taken: Taken, waiting: &mut Vec<Waiting>) -> Result<(), CourierError> {
        let (now, at) = (Instant::now(), wall_clock());
        let sealed = match taken {
            Taken::Event { epcis, answer } => {
                match self.batcher.event(&epcis, at) {
                    Ok(Some(sealed)) => waiting.push(Waiting { sealed, answer }),
                    Ok(None) => reply(answer, Kept::Before),
                    Err(fault) => {
                        warn!(%fault, "refused an event of a source");
                        self.tally.unsigned += 1;
                        reply(answer, Kept::Refused(fault.to_string()));
                    }
                }
                return Ok(());
            }
            Taken::Sample { series, sample, mark } => {
                self.batcher.sample(&series, (sample, mark), now, at)
            }
            Taken::Flush => self.batcher.seal(at),
        };
        waiting.extend(sealed?.map(|sealed| Waiting { sealed, answer: None }));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), CourierError> {
        let sealed = self.batcher.seal(wall_clock())?;
        match sealed {
            Some(sealed) => self.store(vec![Waiting { sealed, answer: None }]),
            None => Ok(()),
        }
    }

    /// Spools what was signed. What does not fit is refused to its operator, or waits.
    fn store(&mut self, waiting: Vec<Waiting>) -> Result<(), CourierError> {
        let untaken = std::mem::take(&mut self.untaken).into_iter();
        let mut waiting: Vec<Waiting> = untaken.chain(waiting).collect();
        match self.spool_all(&waiting) {
            Ok(()) => {
                self.confirm(waiting);
                return Ok(());
            }
            Err(SpoolError::Full { .. }) => {}
            Err(fault) => return Err(fault.into()),
        }
        // Not all of it fits: one by one, scans first, for an operator waits for each. Behind a
        // batch that waits all batches wait, so that the chain is spooled in its order.
        waiting.sort_by_key(|one| one.answer.is_none());
        for one in waiting {
            if !self.untaken.is_empty() && one.answer.is_none() {
                self.untaken.push(one);
                continue;
            }
            let one = vec![one];
            match self.spool_all(&one) {
                Ok(()) => self.confirm(one),
                Err(SpoolError::Full { bytes, bytes_max }) => {
                    let fault = SpoolError::Full { bytes, bytes_max };
                    for Waiting { sealed, answer } in one {
                        match answer {
                            Some(_) => {
                                self.batcher.forget(&sealed.envelope);
                                reply(answer, Kept::Refused(fault.to_string()));
                            }
                            None => self.untaken.push(Waiting { sealed, answer }),
                        }
                    }
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        if !self.untaken.is_empty() {
            error!(waiting = self.untaken.len(), "the spool is full: nothing more is taken");
        }
        Ok(())
    }

    fn spool_all(&mut self, waiting: &[Waiting]) -> Result<(), SpoolError> {
        let entries: Vec<_> = waiting
            .iter()
            .map(|one| (one.sealed.envelope.id(), one.sealed.class, one.sealed.envelope.stored()))
            .collect();
        if entries.is_empty() {
            return Ok(());
        }
        let mark = waiting.iter().rev().find_map(|one| one.sealed.mark);
        block_in_place(|| self.spool.take_marked(&entries, mark))
    }

    fn confirm(&mut self, waiting: Vec<Waiting>) {
        for Waiting { sealed, answer } in waiting {
            self.tally.taken += 1;
            reply(answer, Kept::Here(sealed.envelope.id()));
        }
    }

    /// Sends what is due, if the broker is there.
    fn send_due(&mut self) -> Result<(), CourierError> {
        let Some(client) = &self.client else {
            return Ok(());
        };
        let topic = &self.trust.enrolled().attest_topic;
        for ordinal in self.delivery.due(Instant::now(), &self.spool) {
            let Some(body) = self.spool.read(ordinal)? else {
                self.delivery.settled(ordinal);
                continue;
            };
            if client.try_publish(topic, QoS::AtLeastOnce, false, body).is_err() {
                debug!(ordinal, "the queue to the broker is full: sent later");
            }
        }
        Ok(())
    }

    fn on_link(&mut self, event: LinkEvent) -> Result<(), CourierError> {
        match event {
            LinkEvent::Up(client) => {
                self.client = Some(client);
                self.delivery.reconnected(Instant::now());
                Ok(())
            }
            LinkEvent::Down(reason) => {
                self.client = None;
                self.down_reason = reason;
                Ok(())
            }
            LinkEvent::Message { topic, payload } => {
                if topic == self.trust.enrolled().config_topic {
                    self.on_config(&payload);
                    return Ok(());
                }
                if topic != self.trust.enrolled().ack_topic {
                    debug!(topic, "a message on another topic");
                    return Ok(());
                }
                match Ack::parse(&payload) {
                    Ok(ack) => self.on_ack(ack),
                    Err(fault) => {
                        warn!(%fault, "an unreadable acknowledgement");
                        Ok(())
                    }
                }
            }
        }
    }

    /// Takes a newer network file, once it is durable. What waits is then asked for again: its
    /// receipt may have been refused by the policy before.
    fn on_config(&mut self, payload: &[u8]) {
        let next = match self.trust.succeeded_by(payload) {
            Ok(Some(next)) => next,
            Ok(None) => return,
            Err(fault) => {
                let cause = std::error::Error::source(&fault).map(ToString::to_string);
                warn!(%fault, cause, "refused a network file");
                return;
            }
        };
        if let Err(fault) = block_in_place(|| enrol::keep(&next, &self.options.enrolled)) {
            let cause = std::error::Error::source(&fault).map(ToString::to_string);
            error!(%fault, cause, "cannot keep a newer network file: the known one stays");
            return;
        }
        info!(version = next.network_version(), "took over a newer network file");
        self.trust = next;
        self.delivery.reconnected(Instant::now());
    }

    fn on_ack(&mut self, ack: Ack) -> Result<(), CourierError> {
        let Some(ordinal) = self.spool.ordinal_of(&ack.id) else {
            debug!(id = %ack.id, status = %ack.status, "an answer for what is no longer here");
            return Ok(());
        };
        let now = Instant::now();
        self.heard_at = now;
        let release = match (ack.status, self.options.release) {
            (Status::Recorded, _) => self.is_proved(&ack, ordinal)?,
            (Status::Stored, Release::Stored) => true,
            (Status::Refused, _) => {
                let reason = ack.reason.unwrap_or_default();
                error!(id = %ack.id, reason, "the node refused an attestation; kept in refused/");
                block_in_place(|| self.spool.refuse(&ack.id, &reason))?;
                self.delivery.settled(ordinal);
                self.tally.refused += 1;
                return self.retry_untaken();
            }
            (Status::Deferred, _) => {
                let reason = ack.reason.unwrap_or_default();
                info!(id = %ack.id, reason, "the node has deferred an attestation");
                false
            }
            (Status::Stored, Release::Recorded) => false,
        };
        if !release {
            self.delivery.heard(ordinal, now);
            return Ok(());
        }
        self.spool.release(&ack.id)?;
        self.delivery.settled(ordinal);
        self.tally.acknowledged += 1;
        self.retry_untaken()
    }

    /// Whether the answer carries a receipt that proves the entry recorded.
    fn is_proved(&mut self, ack: &Ack, ordinal: u64) -> Result<bool, CourierError> {
        let Some(attestation) = self.spool.read(ordinal)? else {
            return Ok(false);
        };
        let receipt = ack.receipt.as_deref().unwrap_or_default();
        match self.trust.check_receipt(ack.id, &attestation, receipt) {
            Ok(recorded) => {
                debug!(id = %ack.id, index = recorded.index, "recorded");
                Ok(true)
            }
            Err(fault) => {
                self.tally.receipts_bad += 1;
                let cause = std::error::Error::source(&fault).map(ToString::to_string);
                error!(id = %ack.id, %fault, cause, "a receipt that proves nothing");
                Ok(false)
            }
        }
    }

    fn retry_untaken(&mut self) -> Result<(), CourierError> {
        if self.untaken.is_empty() { Ok(()) } else { self.store(Vec::new()) }
    }

    fn on_timer(&mut self, now: Instant) -> Result<(), CourierError> {
        let due = self.batcher.due_at().is_some_and(|due_at| due_at <= now);
        if due && self.untaken.is_empty() { self.flush() } else { Ok(()) }
    }

    /// When something is next to be done without anything coming in.
    fn wake_at(&self, now: Instant) -> Instant {
        let resend_at = self.client.as_ref().and_then(|_| self.delivery.wake_at());
        let seal_at = self.batcher.due_at().filter(|_| self.untaken.is_empty());
        let give_up_at = self.silence_max().map(|max| self.heard_at + max);
        let soonest = [resend_at, seal_at, give_up_at].into_iter().flatten().min();
        soonest.unwrap_or(now + Duration::from_secs(3600))
    }

    /// Longest wait for an answer now; `None` means for ever.
    fn silence_max(&self) -> Option<Duration> {
        match self.options.patience {
            Patience::Always(max) => Some(max),
            Patience::AfterInput(max) => self.input_ended.then_some(max),
        }
    }

    fn check_reach(&self) -> Result<(), CourierError> {
        let waited = self.heard_at.elapsed();
        match self.silence_max() {
            Some(max) if max <= waited && 0 < self.tally.pending => {
                let reason = match &self.client {
                    Some(_) => "the broker is there, but no node answers".to_owned(),
                    None => self.down_reason.clone(),
                };
                Err(CourierError::Unreachable { waited, reason, tally: self.tally })
            }
            _ => Ok(()),
        }
    }

    /// Tells the broker that this is no accident.
    async fn goodbye(&mut self, link: &mut Link) {
        if let Some(client) = self.client.take() {
            // Whether the broker heard it changes nothing: the session resumes either way.
            let _ = tokio::time::timeout(GOODBYE_MAX, link.leave(&client)).await;
        }
    }
}

fn reply(answer: Option<oneshot::Sender<Kept>>, kept: Kept) {
    if let Some(answer) = answer {
        // The operator's terminal may be gone; what was kept is kept.
        let _ = answer.send(kept);
    }
}

/// The wall clock, for what the signer claims about time.
fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Timestamp::try_from_unix_ms(unix_ms).unwrap_or(Timestamp::MAX)
}
