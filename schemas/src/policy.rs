//! Which witnesses must have cosigned a checkpoint: C2SP tlog-policy.
//!
//! Invariants: names refer backward only, so a policy has no cycles; every witness and group is a
//! member once at most, so a quorum is counted once; [`Policy::guard_met`] is true only when no
//! quorum could have formed among the witnesses that have not answered.

mod parse;

pub use parse::{PolicyError, PolicyFault};

use std::fmt;

use crate::note::{Checkpoint, NoteError, SignedNote, VerifierKey};
use crate::text::serde_as_text;
use crate::time::Timestamp;

/// Most logs, witnesses and groups, each; the specification asks for 32.
pub const POLICY_NAMES_MAX: usize = 256;

const QUORUM_GROUP: &str = "quorum-group";

/// A parsed policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// A log that the policy is for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Log {
    /// Its key.
    pub key: VerifierKey,
    /// Where it is served.
    pub url: Option<String>,
}

/// A witness.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Witness {
    /// Its name in the policy; its key has a name of its own.
    pub name: String,
    /// Its cosignature key.
    pub key: VerifierKey,
    /// Where it answers `add-checkpoint`.
    pub url: Option<String>,
}

/// Members of which some number is enough.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Group {
    name: String,
    need: usize,
    members: Vec<Member>,
}

/// An index into the witnesses or the groups.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// When a quorum was complete.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum QuorumTime {
    /// The policy asks for no witness.
    Unwitnessed,
    /// The earliest instant by which a quorum had cosigned.
    At(Timestamp),
}

/// A checkpoint with the log's signature and its quorum.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cosigned {
    /// What the log signed.
    pub checkpoint: Checkpoint,
    /// When the quorum was complete.
    pub quorum: QuorumTime,
}

impl Policy {
    /// The policy `quorum none`.
    pub fn none() -> Policy {
        Policy { logs: Vec::new(), witnesses: Vec::new(), groups: Vec::new(), quorum: None }
    }

    /// Any `need` of these witnesses. `None` if there are fewer, or `need` is 0.
    pub fn threshold(need: usize, witnesses: Vec<Witness>) -> Option<Policy> {
        if need == 0 || witnesses.len() < need {
            return None;
        }
        let members = (0..witnesses.len()).map(Member::Witness).collect();
        let groups = vec![Group { name: QUORUM_GROUP.to_owned(), need, members }];
        let quorum = Some(Member::Group(0));
        let policy = Policy { logs: Vec::new(), witnesses, groups, quorum };
        // Parsing its own text checks names and keys once more.
        policy.to_string().parse().ok()
    }

    /// Whether no witness is asked for.
    pub fn is_none(&self) -> bool {
        self.quorum.is_none()
    }

    /// The logs that the policy names; Hallmark's network files name theirs elsewhere.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// All witnesses, in the policy's order.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Checks a checkpoint wholly: the log's signature, and cosignatures of a quorum.
    pub fn check(&self, note: &SignedNote, log: &VerifierKey) -> Result<Cosigned, CosignError> {
        let checkpoint = note.checkpoint_of(log)?;
        let quorum = self.quorum_met(note)?.ok_or(CosignError::NoQuorum)?;
        Ok(Cosigned { checkpoint, quorum })
    }

    /// When a quorum of witnesses had cosigned the note; `None` if none has. A bad cosignature of
    /// a known witness refuses the note. The log's signature is not looked at.
    pub fn quorum_met(&self, note: &SignedNote) -> Result<Option<QuorumTime>, NoteError> {
        let times = self.witnesses.iter().map(|witness| note.signed_by(&witness.key));
        let times = times.collect::<Result<Vec<_>, _>>()?;
        Ok(match self.quorum {
            None => Some(QuorumTime::Unwitnessed),
            Some(member) => self.met_at(member, &times).map(QuorumTime::At),
        })
    }

    fn met_at(&self, member: Member, times: &[Option<Timestamp>]) -> Option<Timestamp> {
        match member {
            Member::Witness(witness) => times[witness],
            Member::Group(group) => {
                let Group { need, members, .. } = &self.groups[group];
                let met = members.iter().filter_map(|member| self.met_at(*member, times));
                let mut met: Vec<_> = met.collect();
                met.sort_unstable();
                met.get(need - 1).copied()
            }
        }
    }

    /// Whether every possible quorum has a member among the witnesses that `answered`: only then
    /// can nothing newer have been cosigned without one of them knowing. A bare number of answers
    /// does not say so for nested groups.
    pub fn guard_met(&self, answered: impl Fn(&Witness) -> bool) -> bool {
        let silent =
            self.witnesses.iter().map(|witness| (!answered(witness)).then_some(Timestamp::EPOCH));
        match self.quorum {
            None => true,
            Some(member) => self.met_at(member, &silent.collect::<Vec<_>>()).is_none(),
        }
    }

    /// Fewest answers with which [`Policy::guard_met`] can hold: n - k + 1 of a plain k of n.
    pub fn guard_count(&self) -> usize {
        self.quorum.map_or(0, |member| self.blocking(member))
    }

    /// Whether two quorums can have no witness in common but this one.
    ///
    /// The witness of a log's own node is copied with the node. So if this is true of it, two copies
    /// that do not reach one another may each find a quorum, and both publish: no other witness has
    /// seen both. Of a plain k of n with the own among them it is false from k = n / 2 + 1.5 on.
    pub fn is_split_by(&self, own: &VerifierKey) -> bool {
        self.quorum.is_some_and(|member| self.serves_both(member, own))
    }

    /// Whether a member can be met twice, by witnesses that have only this one in common.
    fn serves_both(&self, member: Member, own: &VerifierKey) -> bool {
        match member {
            Member::Witness(witness) => self.witnesses[witness].key == *own,
            Member::Group(group) => {
                let Group { need, members, .. } = &self.groups[group];
                let both = members.iter().filter(|one| self.serves_both(**one, own)).count();
                // Each of the rest is met on one side, whichever.
                2 * need.saturating_sub(both) <= members.len() - both
            }
        }
    }

    fn blocking(&self, member: Member) -> usize {
        match member {
            Member::Witness(_) => 1,
            Member::Group(group) => {
                let Group { need, members, .. } = &self.groups[group];
                let mut costs: Vec<_> = members.iter().map(|one| self.blocking(*one)).collect();
                costs.sort_unstable();
                costs[..=members.len() - need].iter().sum()
            }
        }
    }

    fn name(&self, member: Member) -> &str {
        match member {
            Member::Witness(witness) => &self.witnesses[witness].name,
            Member::Group(group) => &self.groups[group].name,
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url =
            |url: &Option<String>| url.as_ref().map_or(String::new(), |url| format!(" {url}"));
        for log in &self.logs {
            writeln!(f, "log {}{}", log.key, url(&log.url))?;
        }
        for witness in &self.witnesses {
            writeln!(f, "witness {} {}{}", witness.name, witness.key, url(&witness.url))?;
        }
        for group in &self.groups {
            write!(f, "group {} ", group.name)?;
            match group.need {
                1 => f.write_str("any")?,
                need if need == group.members.len() => f.write_str("all")?,
                need => write!(f, "{need}")?,
            }
            for member in &group.members {
                write!(f, " {}", self.name(*member))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "quorum {}", self.quorum.map_or("none", |member| self.name(member)))
    }
}

serde_as_text!(Policy, "a tlog-policy text");

/// Why a checkpoint does not count.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CosignError {
    /// A signature is wrong or missing, or the text is no checkpoint of this log.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Too few witnesses.
    #[error("the checkpoint lacks the cosignatures of a quorum of witnesses")]
    NoQuorum,
}

#[cfg(test)]
mod tests;
