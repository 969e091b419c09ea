//! What lets the log of a simulated node sign, and what ends that: whoever answers where it is
//! published, the fork guard, and what a witness that refuses has seen.

use std::sync::Arc;

use hallmark_schemas::layout::peer_name;
use hallmark_schemas::note::SignedNote;

use super::{
    ASK_AGAIN, Alike, Call, Effect, LOOK_AGAIN, LOOK_EVERY, Reply, Request, SimNode, serve,
};
use crate::core::Signing;
use crate::sequencer::writing::{self, Now};
use crate::witness::elsewhere::judge;
use crate::witness::guard::{Guard, Refused, Verdict};
use crate::witness::twin::{Process, Sight, Way};

impl SimNode {
    /// The fork guard: asks every witness, then decides; again until it is decided.
    pub(super) fn watch(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.writer.is_none() || self.log.signing() != Signing::WaitingForGuard {
            return;
        }
        if !self.is_alone {
            if !self.calls.contains_key(&Call::Twin) {
                self.call(self.setup.origin.clone(), Request::Process, Call::Twin, effects);
            }
            return;
        }
        let policy = self.setup.network.network().policy.clone();
        if policy.is_none() {
            self.write(now, writing::Event::GuardSatisfied, effects);
            return;
        }
        if self.guard.is_none() && self.guard_at <= now.monotonic {
            let own = self.witness.vkey().clone();
            self.guard = Some(Guard::new(policy.clone(), own.clone()));
            for witness in policy.witnesses() {
                if witness.key == own {
                    let seen = self.witness.seen(&peer_name(&self.setup.origin));
                    let seen = seen.and_then(|seen| SignedNote::parse(seen.note.as_bytes()).ok());
                    self.guard_hears(&witness.name, seen.as_ref());
                } else if let Some(to) = self.member_of(&witness.name) {
                    let request = Request::Held(self.setup.origin.clone());
                    self.call(to, request, Call::Guard(witness.name.clone()), effects);
                }
            }
        }
        let Some(guard) = &self.guard else { return };
        let is_waiting = self.calls.keys().any(|call| matches!(call, Call::Guard(_)));
        match guard.verdict() {
            Verdict::Satisfied => {
                self.write(now, writing::Event::GuardSatisfied, effects);
                self.guard = None;
            }
            Verdict::Refused(refused) => {
                let refusal = self.log.refusal(&refused, false);
                self.write(now, writing::Event::GuardRefused(refusal), effects);
                self.guard = None;
            }
            Verdict::Waiting if is_waiting => {}
            Verdict::Waiting => {
                self.guard = None;
                self.guard_at = now.monotonic + ASK_AGAIN;
            }
        }
    }

    pub(super) fn guard_hears(&mut self, witness: &str, newest: Option<&SignedNote>) {
        let Some(guard) = &mut self.guard else { return };
        let (log, key) = (self.log.clone(), self.log.log_key().clone());
        let heard = guard.heard(witness, newest, &key, |theirs| log.compare(theirs));
        if let Err(error) = heard {
            tracing::warn!(witness, %error, "a witness's word proves nothing");
        }
    }

    /// Whoever answers at the own address is this process, or another that signs the same log.
    pub(super) fn heard_twin(&mut self, now: Now, reply: Option<Reply>, effects: &mut Vec<Effect>) {
        self.is_alone = true;
        if self.other(reply).is_some() {
            let refusal = self.log.twin_refusal(&self.setup.origin);
            self.write(now, writing::Event::GuardRefused(refusal), effects);
        }
        self.watch(now, effects);
    }

    /// Another process of this log, if it is that which answered.
    fn other(&self, reply: Option<Reply>) -> Option<Alike> {
        let Some(Reply::Process(alike)) = reply else { return None };
        let other = Process { log: self.process.log.clone(), run: alike.run.clone() };
        self.process.is_beside(&other).then_some(alike)
    }

    /// Asks now and then who answers where the log is published, and the witnesses what they hold.
    pub(super) fn look(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let signs = matches!(self.log.signing(), Signing::Ready | Signing::WaitingForQuorum);
        if !signs || now.monotonic < self.look_at || self.calls.contains_key(&Call::Beside) {
            return;
        }
        self.look_at = now.monotonic + LOOK_EVERY;
        self.call(self.setup.origin.clone(), Request::Process, Call::Beside, effects);
        let setup = Arc::clone(&self.setup);
        for witness in setup.network.network().policy.witnesses() {
            if witness.key != *self.witness.vkey() {
                self.look_elsewhere(&witness.name, effects);
            }
        }
    }

    pub(super) fn heard_beside(
        &mut self,
        now: Now,
        reply: Option<Reply>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(other) = self.other(reply) else { return };
        let note = other.published.and_then(|bytes| SignedNote::parse(&bytes).ok());
        if let Some(refused) = note.as_ref().and_then(|note| self.judged(note)) {
            let refusal = self.log.refusal(&refused, true);
            self.write(now, writing::Event::GuardRefused(refusal), effects);
            return;
        }
        let its = note.and_then(|note| Some(note.checkpoint_of(self.log.log_key()).ok()?.size));
        let sight = Sight {
            own: &self.process.run,
            published: self.log.published().map_or(0, |published| published.head.size),
            other: &other.run,
            its: its.unwrap_or(0),
            signs: other.signs,
            has_met: other.met.contains(&self.process.run),
            is_witnessed: !self.setup.network.network().policy.is_none(),
            is_again: !self.beside.meet(&other.run),
        };
        match sight.way() {
            Way::GoesOn => {}
            Way::LooksAgain => self.look_at = now.monotonic + LOOK_AGAIN,
            Way::GivesWay => {
                let refusal = self.log.twin_refusal(&self.setup.origin);
                self.write(now, writing::Event::GuardRefused(refusal), effects);
            }
        }
    }

    fn judged(&self, note: &SignedNote) -> Option<Refused> {
        judge(&self.log, self.log.log_key(), note)
    }

    /// Asks the node of a witness for what it holds of this log.
    pub(super) fn look_elsewhere(&mut self, witness: &str, effects: &mut Vec<Effect>) {
        let call = Call::Elsewhere(witness.to_owned());
        if let Some(to) = self.member_of(witness)
            && !self.calls.contains_key(&call)
        {
            self.call(to, Request::Held(self.setup.origin.clone()), call, effects);
        }
    }

    pub(super) fn heard_elsewhere(
        &mut self,
        now: Now,
        reply: Option<Reply>,
        effects: &mut Vec<Effect>,
    ) {
        let holds = serve::holds(reply).into_iter().flatten().flatten();
        let mut judged = holds.filter_map(|note| self.judged(&note));
        if let Some(refused) = judged.next() {
            let refusal = self.log.refusal(&refused, true);
            self.write(now, writing::Event::GuardRefused(refusal), effects);
        }
    }
}
