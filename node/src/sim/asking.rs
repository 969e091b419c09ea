//! The conversations of a simulated node with witnesses, about its checkpoint that waits for them.

use std::time::Duration;

use hallmark_schemas::network::Member;
use hallmark_schemas::note::VerifierKey;

use super::{ASK_AGAIN, Call, Effect, Request, SimNode};
use crate::sequencer::writing::{self, Now};
use crate::witness::asking::Asking;

impl SimNode {
    /// Asks for cosignatures of the checkpoint that waits for its quorum.
    pub(super) fn ask_witnesses(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let note = self.shared.unsigned.borrow().clone();
        let text = note.as_ref().map(|note| note.text().to_owned());
        if text != self.asked_for {
            self.asking.clear();
            self.calls.retain(|call, _| !matches!(call, Call::Ask(_)));
            self.asked_for = text;
            for (name, _) in self.asked() {
                self.converse(&name, now.monotonic);
            }
        }
        let due = |(name, (_, at)): (&String, &(Asking, Duration))| {
            (*at <= now.monotonic).then(|| name.clone())
        };
        let due: Vec<String> = self.asking.iter().filter_map(due).collect();
        for name in due {
            if !self.calls.contains_key(&Call::Ask(name.clone())) {
                self.ask_witness(now, name, effects);
            }
        }
    }

    /// Plans a conversation with this witness, from its beginning, about what waits for its quorum.
    pub(super) fn converse(&mut self, name: &str, at: Duration) {
        let note = self.shared.unsigned.borrow().clone();
        let witness = self.asked().into_iter().find(|(one, _)| one == name);
        let (Some(note), Some((_, key))) = (note, witness) else { return };
        let old = self.witnessed.get(name).copied().unwrap_or(0);
        if let Ok(asking) = Asking::new(key, note, old) {
            self.asking.insert(name.to_owned(), (asking, at));
        }
    }

    /// The witnesses of the policy, by name; where it names none, the own one.
    pub(super) fn asked(&self) -> Vec<(String, VerifierKey)> {
        let witnesses = self.setup.network.network().policy.witnesses().iter();
        let mut asked: Vec<_> = witnesses.map(|one| (one.name.clone(), one.key.clone())).collect();
        if asked.is_empty() {
            asked.push(("own".to_owned(), self.witness.vkey().clone()));
        }
        asked
    }

    fn ask_witness(&mut self, now: Now, name: String, effects: &mut Vec<Effect>) {
        let Some((asking, again_at)) = self.asking.get_mut(&name) else { return };
        *again_at = now.monotonic + ASK_AGAIN;
        let log = self.log.clone();
        if asking.is_of(self.witness.vkey()) {
            let prove = |old, new| log.consistency_proof(old, new).ok();
            let note = asking.note().clone();
            // It signs, so its guard has heard what others hold, and all of it is here.
            let word = self.witness.settle_own(&self.setup.origin);
            let word = word
                .and_then(|()| self.witness.cosign_held(log.log_key(), &note, now.clock, prove));
            let Ok(Some(lines)) = self.heeded(word) else { return };
            let Some((asking, _)) = self.asking.get_mut(&name) else { return };
            if let Ok(Some(cosigned)) = asking.answered(200, lines.as_bytes()) {
                self.asking.remove(&name);
                self.write(now, writing::Event::Cosigned(cosigned), effects);
            }
            return;
        }
        let Ok(body) = asking.request(|old, new| log.consistency_proof(old, new)) else { return };
        let Some(to) = self.member_of(&name) else { return };
        self.call(to, Request::AddCheckpoint(body), Call::Ask(name), effects);
    }

    /// The origin of the member that runs this witness of the policy.
    pub(super) fn member_of(&self, witness: &str) -> Option<String> {
        let network = self.setup.network.network();
        let witness = network.policy.witnesses().iter().find(|one| one.name == witness)?;
        let runs = |member: &&Member| member.witness_key == witness.key;
        network.members.iter().find(runs).map(|member| member.origin.clone())
    }
}
