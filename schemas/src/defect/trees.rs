//! Two signed trees of one log, of which neither is the beginning of the other.
//!
//! Of trees of two sizes the larger one shows it alone: a consistency proof leads from *some* root of
//! the smaller size to the signed larger root, and by the hash function to one root only. If that
//! root is not the one that was signed for the smaller size, there are two histories.

use serde::{Deserialize, Serialize};

use super::{DefectError, Shown, digests, hashes, lines_of, log_key, note, note_by};
use crate::kind::value::Digest;
use crate::merkle::{self, Hash};
use crate::network::NetworkFile;
use crate::note::{Checkpoint, SignedNote, VerifierKey};
use crate::time::Timestamp;

/// Two notes, the smaller tree first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TwoTrees {
    /// The note of the smaller tree, or one of two of one size.
    pub first: String,
    /// The note of the larger tree.
    pub second: String,
    /// The root that the second tree has at the size of the first; none for one size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Digest>,
    /// Consistency proof from `prefix` to the second root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<Digest>,
}

impl TwoTrees {
    /// Two notes under one key, the smaller tree first. Of two sizes, the larger tree has the root
    /// `link.0` at the smaller size, as the consistency proof `link.1` shows.
    pub fn new(
        key: &VerifierKey,
        [first, second]: [&SignedNote; 2],
        link: Option<(Hash, &[Hash])>,
    ) -> TwoTrees {
        TwoTrees {
            first: lines_of(first, key),
            second: lines_of(second, key),
            prefix: link.map(|(prefix, _)| Digest(prefix)),
            path: link.map_or_else(Vec::new, |(_, path)| digests(path)),
        }
    }

    pub(super) fn verify(&self, network: &NetworkFile) -> Result<Shown, DefectError> {
        let origin = checkpoint("first", &note("first", &self.first)?)?.origin;
        let key = log_key(network, &origin)?;
        let first = note_by("first", &self.first, key)?;
        let second = note_by("second", &self.second, key)?;
        let signed = |which, note: &SignedNote| {
            note.checkpoint_of(key).map_err(|source| DefectError::Unsigned { which, source })
        };
        let (first, second) = (signed("first", &first)?, signed("second", &second)?);
        self.contradict(&first, &second)?;
        Ok(Shown {
            sentence: format!("{origin} signed two histories: {}", sizes(&first, &second)),
            subject: origin.clone(),
            origin,
            cites: Vec::new(),
            at: None,
            signed_by_accused: true,
        })
    }

    /// That no log has both trees.
    fn contradict(&self, first: &Checkpoint, second: &Checkpoint) -> Result<(), DefectError> {
        same_log(first, second)?;
        let nothing = |why| Err(DefectError::Nothing { why });
        if first.size == second.size {
            return match (first.root != second.root, self.prefix, self.path.is_empty()) {
                (true, None, true) => Ok(()),
                (true, _, _) => nothing("two notes of one size need no hashes"),
                (false, _, _) => nothing("the two notes are of one tree"),
            };
        }
        let Some(Digest(prefix)) = self.prefix else {
            return nothing("no root of the second tree at the size of the first is given");
        };
        if first.size == 0 || prefix == first.root {
            return nothing("the second tree begins with the first");
        }
        let path = hashes(&self.path);
        merkle::verify_consistency(first.size, &prefix, second.size, &second.root, &path)?;
        Ok(())
    }
}

/// Two notes that one witness cosigned: as [`TwoTrees`], or a smaller tree after a larger one.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Cosigned {
    /// The witness's key, as the network file has it.
    pub witness: VerifierKey,
    /// The trees. Of a smaller one after a larger, the larger is the first, and there are no hashes.
    pub trees: TwoTrees,
}

impl Cosigned {
    pub(super) fn verify(&self, network: &NetworkFile) -> Result<Shown, DefectError> {
        let Cosigned { witness, trees } = self;
        let name = witness.name().to_owned();
        if !witnesses(network).any(|known| known == witness) {
            return Err(DefectError::UnknownWitness { name });
        }
        let first = note_by("first", &trees.first, witness)?;
        let second = note_by("second", &trees.second, witness)?;
        let before = cosigned("first", &first, witness)?;
        let after = cosigned("second", &second, witness)?;
        let (first, second) = (checkpoint("first", &first)?, checkpoint("second", &second)?);
        let sentence = if second.size < first.size {
            same_log(&first, &second)?;
            if after <= before {
                let why = "the smaller tree was not cosigned after the larger";
                return Err(DefectError::Nothing { why });
            }
            if trees.prefix.is_some() || !trees.path.is_empty() {
                return Err(DefectError::Nothing { why: "times need no hashes" });
            }
            let (large, small) = (first.size, second.size);
            format!("{name} cosigned size {large} at {before} and size {small} at {after}")
        } else {
            trees.contradict(&first, &second)?;
            format!("{name} cosigned two histories: {}", sizes(&first, &second))
        };
        Ok(Shown {
            sentence: format!("{}: {sentence}", first.origin),
            origin: first.origin,
            subject: name,
            cites: Vec::new(),
            at: Some(before.max(after)),
            signed_by_accused: true,
        })
    }
}

/// The witnesses of a network that have validly cosigned both notes.
pub fn cosigned_by<'a>(
    network: &'a NetworkFile,
    first: &'a SignedNote,
    second: &'a SignedNote,
) -> impl Iterator<Item = &'a VerifierKey> {
    let has =
        |note: &SignedNote, key: &VerifierKey| note.signed_by(key).is_ok_and(|at| at.is_some());
    let both = move |key: &&VerifierKey| has(first, key) && has(second, key);
    let mut found: Vec<_> = witnesses(network).filter(both).collect();
    found.sort();
    found.dedup();
    found.into_iter()
}

fn witnesses(network: &NetworkFile) -> impl Iterator<Item = &VerifierKey> {
    let network = network.network();
    let named = network.policy.witnesses().iter().map(|witness| &witness.key);
    named.chain(network.members.iter().map(|member| &member.witness_key))
}

fn checkpoint(which: &'static str, note: &SignedNote) -> Result<Checkpoint, DefectError> {
    note.checkpoint().map_err(|source| DefectError::NoCheckpoint { which, source })
}

fn cosigned(
    which: &'static str,
    note: &SignedNote,
    witness: &VerifierKey,
) -> Result<Timestamp, DefectError> {
    let at = note.signed_by(witness).map_err(|source| DefectError::Unsigned { which, source })?;
    at.ok_or_else(|| DefectError::NotSignedBy { which, name: witness.name().to_owned() })
}

fn same_log(first: &Checkpoint, second: &Checkpoint) -> Result<(), DefectError> {
    if first.origin == second.origin {
        return Ok(());
    }
    let (first, second) = (first.origin.clone(), second.origin.clone());
    Err(DefectError::TwoLogs { first, second })
}

fn sizes(first: &Checkpoint, second: &Checkpoint) -> String {
    match first.size == second.size {
        true => format!("two roots for size {}", first.size),
        false => {
            format!(
                "the tree of size {} is not the beginning of that of size {}",
                first.size, second.size
            )
        }
    }
}
