//! Reading the text of a policy, line by line.

use std::collections::BTreeSet;
use std::str::FromStr;

use super::{Group, Log, Member, POLICY_NAMES_MAX, Policy, Witness};
use crate::note::{NoteKeyKind, VerifierKey, VerifierKeyError};

impl FromStr for Policy {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Policy, PolicyError> {
        let mut reader = Reader::default();
        for (number, line) in text.lines().enumerate() {
            let words: Vec<_> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            if words.first().is_none_or(|word| word.starts_with('#')) {
                continue;
            }
            let line = number + 1;
            reader.line(&words).map_err(|fault| PolicyError { line, fault })?;
        }
        let line = text.lines().count();
        let Reader { logs, witnesses, groups, quorum, .. } = reader;
        let quorum = quorum.ok_or(PolicyError { line, fault: PolicyFault::NoQuorumLine })?;
        Ok(Policy { logs, witnesses, groups, quorum })
    }
}

#[derive(Default)]
struct Reader {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    quorum: Option<Option<Member>>,
    /// Names that are a member of some group already.
    members: BTreeSet<String>,
}

impl Reader {
    fn line(&mut self, words: &[&str]) -> Result<(), PolicyFault> {
        match words {
            ["log", key] => self.log(key, None),
            ["log", key, url] => self.log(key, Some(url)),
            ["witness", name, key] => self.witness(name, key, None),
            ["witness", name, key, url] => self.witness(name, key, Some(url)),
            ["group", name, need, members @ ..] => self.group(name, need, members),
            ["quorum", name] => self.quorum(name),
            _ => Err(PolicyFault::Line { line: words.join(" ").chars().take(80).collect() }),
        }
    }

    fn log(&mut self, key: &str, url: Option<&&str>) -> Result<(), PolicyFault> {
        let key = parse_key(key, NoteKeyKind::Ed25519)?;
        self.refuse_known_key(&key)?;
        bounded(self.logs.len())?;
        self.logs.push(Log { key, url: url.map(|url| (*url).to_owned()) });
        Ok(())
    }

    fn witness(&mut self, name: &str, key: &str, url: Option<&&str>) -> Result<(), PolicyFault> {
        self.refuse_known_name(name)?;
        let key = parse_key(key, NoteKeyKind::CosignatureV1)?;
        self.refuse_known_key(&key)?;
        bounded(self.witnesses.len())?;
        let url = url.map(|url| (*url).to_owned());
        self.witnesses.push(Witness { name: name.to_owned(), key, url });
        Ok(())
    }

    fn group(&mut self, name: &str, need: &str, members: &[&str]) -> Result<(), PolicyFault> {
        self.refuse_known_name(name)?;
        bounded(self.groups.len())?;
        let mut found = Vec::new();
        for member in members {
            found.push(self.member(member)?);
            if !self.members.insert((*member).to_owned()) {
                return Err(PolicyFault::MemberTwice { name: (*member).to_owned() });
            }
        }
        let need = match need {
            "any" => Some(1),
            "all" => Some(found.len()),
            number => crate::note::parse_size(number).and_then(|need| usize::try_from(need).ok()),
        };
        let need = need.filter(|need| (1..=found.len()).contains(need));
        let need = need.ok_or(PolicyFault::Need { members: found.len() })?;
        self.groups.push(Group { name: name.to_owned(), need, members: found });
        Ok(())
    }

    fn quorum(&mut self, name: &str) -> Result<(), PolicyFault> {
        if self.quorum.is_some() {
            return Err(PolicyFault::QuorumTwice);
        }
        self.quorum = Some(if name == "none" { None } else { Some(self.member(name)?) });
        Ok(())
    }

    fn member(&self, name: &str) -> Result<Member, PolicyFault> {
        let witness = self.witnesses.iter().position(|witness| witness.name == name);
        let group = || self.groups.iter().position(|group| group.name == name);
        witness
            .map(Member::Witness)
            .or_else(|| group().map(Member::Group))
            .ok_or_else(|| PolicyFault::UnknownName { name: name.to_owned() })
    }

    fn refuse_known_name(&self, name: &str) -> Result<(), PolicyFault> {
        if name == "none" || self.member(name).is_ok() {
            return Err(PolicyFault::NameTwice { name: name.to_owned() });
        }
        Ok(())
    }

    fn refuse_known_key(&self, key: &VerifierKey) -> Result<(), PolicyFault> {
        let logs = self.logs.iter().map(|log| &log.key);
        let mut keys = logs.chain(self.witnesses.iter().map(|witness| &witness.key));
        match keys.find(|known| known.key() == key.key()) {
            Some(_) => Err(PolicyFault::KeyTwice { name: key.name().to_owned() }),
            None => Ok(()),
        }
    }
}

fn bounded(count: usize) -> Result<(), PolicyFault> {
    if count < POLICY_NAMES_MAX { Ok(()) } else { Err(PolicyFault::TooMany) }
}

fn parse_key(text: &str, kind: NoteKeyKind) -> Result<VerifierKey, PolicyFault> {
    if crate::hex::decode_array::<32>(text).is_some() {
        return Err(PolicyFault::BareKey);
    }
    let key: VerifierKey = text.parse().map_err(PolicyFault::Key)?;
    let right = key.kind() == kind;
    right.then(|| key.clone()).ok_or_else(|| PolicyFault::KeyKind { name: key.name().to_owned() })
}

/// Where and why a text is no policy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line} of the policy: {fault}")]
pub struct PolicyError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    #[source]
    pub fault: PolicyFault,
}

/// What is wrong in a line of a policy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message says what its variant means")]
pub enum PolicyFault {
    #[error("`{line}` is no line `log`, `witness`, `group` or `quorum`")]
    Line { line: String },
    #[error("a bare key of 64 hex digits (sigsum's syntax), where `<name>+<id>+<key>` is expected")]
    BareKey,
    #[error("{0}")]
    Key(VerifierKeyError),
    #[error("the key {name} is of the wrong type: logs have type 0x01, witnesses type 0x04")]
    KeyKind { name: String },
    #[error("the key {name} was used before")]
    KeyTwice { name: String },
    #[error("the name {name} is reserved or was used before")]
    NameTwice { name: String },
    #[error("{name} is no witness or group of an earlier line")]
    UnknownName { name: String },
    #[error("{name} is a member of two groups, or twice of one")]
    MemberTwice { name: String },
    #[error("a group needs `any`, `all` or a number from 1 to its {members} members")]
    Need { members: usize },
    #[error("a second quorum line")]
    QuorumTwice,
    #[error("the policy has no quorum line")]
    NoQuorumLine,
    #[error("more than {POLICY_NAMES_MAX} of one sort")]
    TooMany,
}
