//! Where trust starts: the network file, and the witness policies of its versions.

use std::collections::BTreeSet;

use hallmark_schemas::attestation::Envelope;
use hallmark_schemas::hex;
use hallmark_schemas::kind::Body;
use hallmark_schemas::network::{NetworkError, NetworkFile};
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::policy::{Policy, QuorumTime};
use hallmark_schemas::time::Timestamp;
use sha2::{Digest as _, Sha256};

use super::bodies::Parsed;
use crate::evidence::{Defect, DefectKind, Evidence, Held};
use crate::step::Step;

/// For so long after a new version was logged, a node may not have heard of its policy yet.
const POLICY_CHANGE_MS_MAX: i64 = 10 * 60 * 1000;

/// The network file that everything else is proved from: the newest that follows from the one the
/// caller trusts. One that came in a bundle is believed only where there is no such.
pub(super) fn trust_root(evidence: &Evidence, defects: &mut Vec<Defect>) -> Option<NetworkFile> {
    let files = evidence.networks_trusted.iter().chain(&evidence.networks_carried);
    let mut root: Option<NetworkFile> = None;
    for bytes in files {
        let file = match NetworkFile::parse(bytes) {
            Ok(file) => file,
            Err(error) => {
                defects.push(flaw(crate::evidence::chain(&error)));
                continue;
            }
        };
        match root.as_ref().map_or(Ok(true), |known| leads(known, &file, evidence)) {
            Ok(true) => root = Some(file),
            Ok(false) => {}
            Err(error) => defects.push(flaw(error.to_string())),
        }
    }
    root
}

/// True if `other` is a later version than `known`, false if it is the same or an earlier one.
fn follows(known: &NetworkFile, other: &NetworkFile) -> Result<bool, NetworkError> {
    if known.bytes() == other.bytes() || known.network().is_after(other.network()) {
        return Ok(false);
    }
    NetworkFile::successor_valid(known, other).map(|()| true)
}

/// The same, also where registrars' keys were replaced twice, so that only logged versions between
/// lead from the one to the other.
fn leads(
    known: &NetworkFile,
    other: &NetworkFile,
    evidence: &Evidence,
) -> Result<bool, NetworkError> {
    let follows = follows(known, other);
    if !matches!(follows, Err(NetworkError::NotSucceeding { .. })) {
        return follows;
    }
    let mut between: Vec<NetworkFile> = evidence
        .bodies
        .ids()
        .filter_map(|id| {
            let Ok(Held::Bytes(stored)) = evidence.bodies.get(id) else { return None };
            let envelope = Envelope::parse(&stored).ok()?;
            let Body::Network(version) = envelope.body() else { return None };
            NetworkFile::parse(&version.file.0).ok()
        })
        .collect();
    between.sort_by_key(|file| file.network().version);
    let mut newest = known.clone();
    for file in between {
        if other.network().is_after(file.network())
            && NetworkFile::successor_valid(&newest, &file).is_ok()
        {
            newest = file;
        }
    }
    NetworkFile::successor_valid(&newest, other).map(|()| true)
}

fn flaw(detail: String) -> Defect {
    Defect {
        log: None,
        entry: None,
        kind: DefectKind::BadSignature,
        subject: "network file".to_owned(),
        cites: Vec::new(),
        detail,
        at: None,
        remedy: None,
        proof: None,
        step: Some(Step::Network),
    }
}

/// SHA-256 of the file, hex: what two people compare to know that they start from the same.
pub(super) fn digest(file: &NetworkFile) -> String {
    hex::encode(&Sha256::digest(file.bytes()))
}

pub(super) fn notes(file: &NetworkFile) -> Vec<String> {
    let network = file.network();
    match network.policy.is_none() {
        true => vec![format!(
            "network {} has no witnesses: the times of its logs are their own word",
            network.name
        )],
        false => Vec::new(),
    }
}

/// A policy that may count for a checkpoint.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version<'a> {
    pub(super) policy: &'a Policy,
    /// Its begin, if that came after the checkpoint was first published.
    later: Option<Timestamp>,
}

impl Version<'_> {
    /// Whether a quorum of this version counts: a later one only if its witnesses spoke under it.
    /// One that asks for no witness excuses nothing that was published before it.
    pub(super) fn takes(&self, quorum: QuorumTime) -> bool {
        match (self.later, quorum) {
            (None, _) => true,
            (Some(begin), QuorumTime::At(at)) => begin <= at,
            (Some(_), QuorumTime::Unwitnessed) => false,
        }
    }
}

/// The witness policies of all versions that are known, oldest first, each with its begin.
#[derive(Debug)]
pub(super) struct Policies {
    versions: Vec<(Timestamp, Policy)>,
    /// SHA-256 of the files that they are of.
    files: BTreeSet<String>,
}

impl Policies {
    /// The policy of the root, and of the versions before it that the logs, or proofs of single
    /// entries, bring.
    ///
    /// A root that the caller trusts, and that no log at hand tells of, came after all that the log
    /// with the version before it brings. One that the input itself carries may have been there always.
    pub(super) fn new(root: &NetworkFile, parsed: &[Parsed], evidence: &Evidence) -> Policies {
        let mut logged: Vec<(NetworkFile, Timestamp)> = Vec::new();
        let mut newest: Option<(u64, usize)> = None;
        for one in parsed {
            let Some(Body::Network(body)) = one.envelope.as_ref().map(|envelope| envelope.body())
            else {
                continue;
            };
            // What a log claims here of the time counts only if its entry proves to be there.
            if let Ok(file) = NetworkFile::parse(&body.file.0) {
                newest = newest.max(Some((file.network().version, one.log)));
                logged.push((file, one.admitted_at));
            }
        }
        logged.sort_by_key(|(file, at)| (std::cmp::Reverse(file.network().version), *at));
        let same = logged.iter().find(|(known, _)| known.bytes() == root.bytes());
        let is_carried = evidence.networks_carried.iter().any(|one| one == root.bytes());
        let before = newest.filter(|(version, _)| *version < root.network().version);
        let begin = match (same, before) {
            (Some((_, at)), _) => *at,
            (None, Some((_, log))) if !is_carried => {
                let of_log = parsed.iter().filter(|one| one.log == log);
                of_log.map(|one| one.admitted_at).max().unwrap_or(Timestamp::EPOCH)
            }
            _ => Timestamp::EPOCH,
        };
        let mut versions = vec![(begin, root.network().policy.clone())];
        let mut oldest = root.network().version;
        let mut files = BTreeSet::from([digest(root)]);
        for (file, at) in &logged {
            // Its own registrars signed it, and they are those of whom the root tells.
            if file.network().version < oldest && root.network().is_after(file.network()) {
                versions.push((*at, file.network().policy.clone()));
                files.insert(digest(file));
                oldest = file.network().version;
            }
        }
        versions.reverse();
        if let Some(first) = versions.first_mut() {
            first.0 = Timestamp::EPOCH;
        }
        Policies { versions, files }
    }

    /// Whether this is a version of the network: one that the logs hold, or one next to the root.
    pub(super) fn knows(&self, file: &NetworkFile, root: &NetworkFile) -> bool {
        self.files.contains(&digest(file)) || follows(root, file).is_ok()
    }

    /// When a quorum had seen the checkpoint, under a policy that was in force when its newest
    /// entry was made; `None` if it has no such quorum.
    pub(super) fn quorum(&self, note: &SignedNote, newest: Timestamp) -> Option<QuorumTime> {
        // A strict version before a lax one: a time that witnesses vouch for is worth more.
        let in_force = self.in_force(newest, Some(newest));
        let met = in_force.filter_map(|version| {
            let time = version.policy.quorum_met(note).ok().flatten()?;
            version.takes(time).then_some(time)
        });
        let mut met: Vec<_> = met.collect();
        met.sort_by_key(|time| match time {
            QuorumTime::At(at) => (0, *at),
            QuorumTime::Unwitnessed => (1, Timestamp::EPOCH),
        });
        met.into_iter().next()
    }

    /// The versions that a node could go by at some instant from `from` to `to`, oldest first, and
    /// then the later ones, by which what is published is cosigned anew. Without `to` any version
    /// from `from` on may have been that of then.
    pub(super) fn in_force(
        &self,
        from: Timestamp,
        to: Option<Timestamp>,
    ) -> impl Iterator<Item = Version<'_>> {
        let in_force = self.versions.iter().enumerate().filter(move |(index, _)| {
            let next = self.versions.get(index + 1);
            let until = next.and_then(|(next, _)| next.checked_add_ms(POLICY_CHANGE_MS_MAX));
            next.is_none() || until.is_some_and(|until| from < until)
        });
        in_force.map(move |(_, (begin, policy))| {
            let is_later = to.is_some_and(|to| to < *begin);
            Version { policy, later: is_later.then_some(*begin) }
        })
    }

    /// All versions, oldest first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Policy> {
        self.versions.iter().map(|(_, policy)| policy)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hallmark_schemas::key::SecretKey;
    use hallmark_schemas::note::{Checkpoint, NoteSigner};
    use hallmark_schemas::policy::Witness;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_unix_ms(seconds * 1000)
    }

    fn witness(name: &str, seed: u8) -> NoteSigner {
        NoteSigner::witness(name, Arc::new(SecretKey::from_seed([seed; 32]))).unwrap()
    }

    fn one_of(signer: &NoteSigner) -> Policy {
        let (name, key) = (signer.vkey().name().to_owned(), signer.vkey().clone());
        Policy::threshold(1, vec![Witness { name, key, url: None }]).unwrap()
    }

    fn cosigned(signer: Option<&NoteSigner>, seconds: u64) -> SignedNote {
        let text = Checkpoint::new("demo/x/1", 3, [1; 32]).to_string();
        let mut note = SignedNote::unsigned(text).unwrap();
        if let Some(signer) = signer {
            note.add(signer.sign(note.text(), at(seconds)).unwrap());
        }
        note
    }

    #[test]
    fn what_was_published_under_an_old_policy_may_be_cosigned_anew_under_a_later_one() {
        let (first, second) = (witness("w1", 1), witness("w2", 2));
        let changed_at = 100_000;
        let policies = |later: Policy| Policies {
            versions: vec![(Timestamp::EPOCH, one_of(&first)), (at(changed_at), later)],
            files: BTreeSet::new(),
        };
        let changed = policies(one_of(&second));
        let old = at(50_000);
        let quorum = |note: &SignedNote, newest| changed.quorum(note, newest);
        let time = |seconds| Some(QuorumTime::At(at(seconds)));
        assert_eq!(quorum(&cosigned(Some(&first), 50_060), old), time(50_060));
        assert_eq!(quorum(&cosigned(Some(&second), 100_060), old), time(100_060));
        // Nobody asked the second witness before its policy was in force.
        assert_eq!(quorum(&cosigned(Some(&second), 50_060), old), None);
        assert_eq!(quorum(&cosigned(None, 0), old), None);
        // What is newer than the change needs the new witness; the old one is not asked for it.
        let new = at(changed_at + 3600);
        assert_eq!(quorum(&cosigned(Some(&first), 103_700), new), None);
        assert_eq!(quorum(&cosigned(Some(&second), 103_700), new), time(103_700));
        // A later policy without witnesses excuses nothing that was made before it.
        let lax = policies(Policy::none());
        assert_eq!(lax.quorum(&cosigned(None, 0), old), None);
        assert_eq!(lax.quorum(&cosigned(None, 0), new), Some(QuorumTime::Unwitnessed));
    }
}
