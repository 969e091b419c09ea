//! What each witness last answered about the own log, for people.
//!
//! Invariant: nothing here is proved; each word says who said it, when, and with which status.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use hallmark_schemas::policy::Policy;
use hallmark_schemas::time::Timestamp;
use serde::Serialize;

/// One witness's last answer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Word {
    /// Its name in the policy; `own` where the policy names nobody.
    pub name: String,
    /// When it was asked.
    pub at: Timestamp,
    /// The HTTP status; `None` if it did not answer, or is the own witness.
    pub status: Option<u16>,
    /// Entries of this log that it says it has seen, as far as it said.
    pub size: Option<u64>,
    /// What it said, or why it said nothing.
    pub answer: String,
    /// It says that this log was signed elsewhere, and nobody shows the checkpoint: before the log may
    /// sign that counts as no answer.
    pub unproved: bool,
}

/// The last word of each.
#[derive(Debug, Default)]
pub struct Words {
    last: Mutex<BTreeMap<String, Word>>,
    /// One of them has ended all signing.
    stopped: AtomicBool,
}

impl Words {
    /// Takes the place of what it said before.
    pub fn tell(&self, word: Word) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(word.name.clone(), word);
    }

    /// True for the first who ends all signing: it is done once.
    pub fn stops(&self) -> bool {
        !self.stopped.swap(true, Ordering::AcqRel)
    }

    /// The words of those whom this policy names; the own witness's where it names none.
    pub fn of(&self, policy: &Policy) -> Vec<Word> {
        let words = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let named = policy.witnesses().iter().map(|witness| witness.name.as_str());
        let own = policy.is_none().then_some("own");
        named.chain(own).filter_map(|name| words.get(name).cloned()).collect()
    }

    /// Those who have not told what they hold, and why: for one line.
    pub fn silent(&self, policy: &Policy) -> String {
        self.lines(policy, |word| word.status.is_none() || word.unproved)
    }

    /// Those who have not cosigned what waits, and what they said: for one line.
    pub fn lacking(&self, policy: &Policy, size: u64) -> String {
        self.lines(policy, |word| word.status != Some(200) || word.size != Some(size))
    }

    /// A line of those words, and of all from whom none has come: it is never empty while somebody
    /// is waited for.
    fn lines(&self, policy: &Policy, is_told: impl Fn(&Word) -> bool) -> String {
        let words = self.of(policy);
        let said = |name: &String| words.iter().find(|word| word.name == *name);
        let lines = policy.witnesses().iter().filter_map(|witness| match said(&witness.name) {
            Some(word) if !is_told(word) => None,
            Some(word) => Some(format!("{}: {}", word.name, word.answer)),
            None => Some(format!("{}: no answer yet", witness.name)),
        });
        lines.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hallmark_schemas::key::SecretKey;
    use hallmark_schemas::note::NoteSigner;
    use hallmark_schemas::policy::Witness;

    use super::*;

    fn word(name: &str, unproved: bool) -> Word {
        Word {
            name: name.to_owned(),
            at: Timestamp::EPOCH,
            status: Some(409),
            size: Some(9),
            answer: "it has seen 9 entries".to_owned(),
            unproved,
        }
    }

    #[test]
    fn lines_name_all_of_the_policy_from_whom_something_is_waited_for_and_nobody_else() {
        let named = |name: &str, seed: u8| Witness {
            name: name.to_owned(),
            key: NoteSigner::witness(name, Arc::new(SecretKey::from_seed([seed; 32])))
                .unwrap()
                .vkey()
                .clone(),
            url: None,
        };
        let all = vec![named("a", 1), named("b", 2), named("c", 3)];
        let policy = Policy::threshold(2, all).unwrap();
        let words = Words::default();
        words.tell(word("a", true));
        words.tell(word("stranger", true));
        words.tell(word("b", false));
        assert_eq!(words.of(&policy).len(), 2, "who is not named says nothing");
        let silent = words.silent(&policy);
        assert_eq!(silent, "a: it has seen 9 entries; c: no answer yet", "b told what it holds");
        words.tell(Word { status: Some(200), ..word("b", false) });
        assert_eq!(words.lacking(&policy, 9), "a: it has seen 9 entries; c: no answer yet");
    }
}
