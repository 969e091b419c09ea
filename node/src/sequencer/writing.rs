//! What the one writer does when something happens: group commit, batches, control, a full disk.
//!
//! Invariants: a submission is answered once, after its group is durable or refused; a batch goes
//! when `pace.rs` says so; the clocks come in as arguments, so that the same events at the same
//! times do the same; where there was no room nothing is taken until there is again.

use std::time::Duration;

use hallmark_schemas::note::SignedNote;
use hallmark_schemas::time::Timestamp;

use super::pace::Pace;
use super::{Candidate, Outcome, SequenceError, Sequencer};
use crate::mutants::mutant;
use crate::store::reserve::Reserve;

/// Most attestations answered by one sync.
pub(crate) const GROUP_MAX: usize = 4_096;
/// How often a full disk is asked whether there is room again.
const ROOM_WAIT: Duration = Duration::from_secs(1);

/// Both clocks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Now {
    /// Since the process started; it never jumps.
    pub monotonic: Duration,
    /// The time of day; it may be anything.
    pub clock: Timestamp,
}

/// What can happen to the writer. `T` names a submission, so that it can be answered.
pub(crate) enum Event<T> {
    /// Make these durable and say what became of them.
    Store { candidates: Vec<Candidate>, ticket: T },
    /// No submission waits behind those that came.
    Drained,
    /// Ask for newer cosignatures of what is published.
    Renew,
    /// Count these cosignatures.
    Cosigned(SignedNote),
    /// The witness policy changed.
    PolicyChanged,
    /// The fork guard lets the log sign.
    GuardSatisfied,
    /// The fork guard found more than the log has.
    GuardRefused(Refusal),
    /// Throw the index away and build it again: answered without outcomes.
    Reindex { ticket: T },
    /// Time passed.
    Tick,
    /// Finish what is durable and end.
    Stop,
}

/// Why the fork guard lets the log sign nothing.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    /// What was found.
    pub(crate) cause: String,
    /// What to do.
    pub(crate) help: &'static str,
    /// The checkpoint that says so; `None` if there is only a witness's word.
    pub(crate) note: Option<SignedNote>,
}

/// Why nothing of a submission was taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Closed {
    /// The log is read-only.
    ReadOnly,
    /// There is no room on the disk.
    Full,
}

/// What became of a submission.
pub(crate) type Answer = Result<Vec<Outcome>, Closed>;

/// The answer to a submission.
pub(crate) struct Effect<T> {
    pub(crate) ticket: T,
    pub(crate) answer: Answer,
}

/// The sequencer with what waits for it.
pub(crate) struct Writer<T> {
    sequencer: Sequencer,
    reserve: Reserve,
    pace: Pace,
    /// When the batch began that [`Writer::rest`] has not been told the end of.
    batch_began: Option<Duration>,
    /// Monotonic time at which a full disk is asked again; `None` while there is room.
    room_at: Option<Duration>,
    group: Vec<(Vec<Candidate>, T)>,
    group_size: usize,
}

impl<T> Writer<T> {
    pub(crate) fn new(
        sequencer: Sequencer,
        reserve: Reserve,
        batch_wait_max: Duration,
    ) -> Writer<T> {
        Writer {
            sequencer,
            reserve,
            pace: Pace::new(batch_wait_max),
            batch_began: None,
            room_at: None,
            group: Vec::new(),
            group_size: 0,
        }
    }

    /// Brings the index up to date and holds the reserve, before anything else.
    pub(crate) fn start(&mut self, now: Now) -> Result<(), SequenceError> {
        self.sequencer.catch_up()?;
        match self.reserve.hold() {
            Err(error) if error.is_full() => self.is_full(now),
            Ok(()) if self.reserve.is_short() => self.is_full(now),
            held => held?,
        }
        Ok(())
    }

    /// How long nothing needs to be done unless something happens.
    pub(crate) fn idle(&self, now: Now) -> Duration {
        let waiting = self.sequencer.waiting();
        let due_at = self.sequencer.batch_due().then(|| self.pace.due_at(waiting)).flatten();
        let next = due_at.into_iter().chain(self.room_at).min();
        next.map_or(Duration::from_secs(3600), |at| at.saturating_sub(now.monotonic))
    }

    /// Acts on one event. An error ends the writer: nothing is tried again.
    pub(crate) fn step(
        &mut self,
        now: Now,
        event: Event<T>,
    ) -> Result<Vec<Effect<T>>, SequenceError> {
        let mut effects = Vec::new();
        if let Event::Store { candidates, ticket } = event {
            self.group_size += candidates.len();
            self.group.push((candidates, ticket));
            if GROUP_MAX <= self.group_size {
                self.commit(now, &mut effects)?;
            }
        } else {
            self.commit(now, &mut effects)?;
            match event {
                Event::Store { .. } | Event::Drained => {}
                Event::Cosigned(mut note) => {
                    self.sequencer.drop_incredible(&mut note, now.clock);
                    self.with_room(now, |log| log.cosigned(&note))?;
                }
                Event::PolicyChanged => self.with_room(now, Sequencer::policy_changed)?,
                Event::Renew => self.with_room(now, Sequencer::renew)?,
                Event::GuardSatisfied => self.with_room(now, Sequencer::guard_satisfied)?,
                Event::GuardRefused(refusal) => self.sequencer.guard_refused(refusal)?,
                Event::Reindex { ticket } => {
                    self.sequencer.reindex()?;
                    effects.push(Effect { ticket, answer: Ok(Vec::new()) });
                }
                Event::Tick => self.look_for_room(now)?,
                Event::Stop => self.with_room(now, |log| log.sequence(now.clock))?,
            }
        }
        self.sequence_if_due(now)?;
        Ok(effects)
    }

    /// The step before this took until `ended`: after a long batch the next one waits.
    pub(crate) fn rest(&mut self, ended: Duration) {
        if let Some(began) = self.batch_began.take() {
            self.pace.took(began, ended.saturating_sub(began));
        }
    }

    fn sequence_if_due(&mut self, now: Now) -> Result<(), SequenceError> {
        let waiting = self.sequencer.waiting();
        self.pace.look(now.monotonic, waiting);
        let is_due = self.pace.due_at(waiting).is_some_and(|due_at| due_at <= now.monotonic);
        if !self.sequencer.batch_due() || !(is_due || self.sequencer.batch_full()) {
            return Ok(());
        }
        self.with_room(now, |log| log.sequence(now.clock))?;
        let left = self.sequencer.waiting();
        match waiting - left {
            0 => self.pace.no_room(now.monotonic),
            taken => {
                self.pace.went(now.monotonic, taken, left);
                self.batch_began = Some(now.monotonic);
            }
        }
        Ok(())
    }

    /// Makes the group durable and answers it.
    fn commit(&mut self, now: Now, effects: &mut Vec<Effect<T>>) -> Result<(), SequenceError> {
        if self.group.is_empty() {
            return Ok(());
        }
        let group = std::mem::take(&mut self.group);
        self.group_size = 0;
        if self.room_at.is_none() && self.reserve.is_short() {
            self.is_full(now);
        }
        let closed = if self.sequencer.read_only() {
            Some(Closed::ReadOnly)
        } else {
            self.room_at.map(|_| Closed::Full)
        };
        let refuse = |closed, (_, ticket)| Effect { ticket, answer: Err(closed) };
        if let Some(closed) = closed {
            effects.extend(group.into_iter().map(|one| refuse(closed, one)));
            return Ok(());
        }
        let all = group.iter().flat_map(|(candidates, _)| candidates);
        let outcomes = match self.sequencer.store(all) {
            Ok(outcomes) => outcomes,
            Err(error) if error.is_full() => {
                self.is_full(now);
                if mutant("ack-although-full") {
                    let stored = |one: &Candidate| Outcome::Stored { id: one.id(), known: false };
                    effects.extend(group.into_iter().map(|(candidates, ticket)| {
                        let answer = Ok(candidates.iter().map(stored).collect());
                        Effect { ticket, answer }
                    }));
                    return Ok(());
                }
                effects.extend(group.into_iter().map(|one| refuse(Closed::Full, one)));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut outcomes = outcomes.into_iter();
        effects.extend(group.into_iter().map(|(candidates, ticket)| {
            let answer = Ok(outcomes.by_ref().take(candidates.len()).collect());
            Effect { ticket, answer }
        }));
        Ok(())
    }

    /// Does what must be done even on a full disk: once more with the reserve given up.
    fn with_room(
        &mut self,
        now: Now,
        mut act: impl FnMut(&mut Sequencer) -> Result<(), SequenceError>,
    ) -> Result<(), SequenceError> {
        if self.reserve.is_short() {
            // The index could not be written a second time: the reserve is its room too.
            self.is_full(now);
            self.reserve.release()?;
        }
        match act(&mut self.sequencer) {
            Err(error) if error.is_full() => {
                self.is_full(now);
                if !self.reserve.release()? {
                    // Nothing durable is in doubt: it is tried again with the next event.
                    tracing::warn!("the disk is full and the reserve is used up");
                    return Ok(());
                }
                tracing::warn!("the disk is full: the last batch takes the reserve");
                match act(&mut self.sequencer) {
                    Err(error) if error.is_full() => Ok(()),
                    done => done,
                }
            }
            done => done,
        }
    }

    fn is_full(&mut self, now: Now) {
        if self.room_at.is_none() {
            tracing::warn!("the disk is full: nothing is taken until there is room again");
        }
        self.room_at = Some(now.monotonic + ROOM_WAIT);
        self.sequencer.shared.set_full(true);
    }

    /// There is room again once the reserve can be held, and more than that.
    fn look_for_room(&mut self, now: Now) -> Result<(), SequenceError> {
        if self.room_at.is_none_or(|room_at| now.monotonic < room_at) {
            return Ok(());
        }
        self.room_at = Some(now.monotonic + ROOM_WAIT);
        match self.reserve.hold() {
            Ok(()) if self.reserve.is_short() => Ok(()),
            Ok(()) => {
                // What waited for room goes first.
                self.with_room(now, |log| {
                    log.publish_if_met()?;
                    log.carry_out_erasures()?;
                    log.renew_if_met()
                })?;
                tracing::info!("there is room on the disk again");
                self.room_at = None;
                self.sequencer.shared.set_full(false);
                Ok(())
            }
            Err(error) if error.is_full() => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
