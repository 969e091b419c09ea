//! Defect proofs (`.defect`): one file that shows a stranger, offline, what a log, a witness or the
//! user of a key has done wrong.
//!
//! Invariants: a [`DefectProof`] that exists carries a network file that its registrars signed; it
//! accuses nobody before [`DefectProof::verify`] has checked every signature and hash in it, and
//! what cannot be shown by signatures accuses nobody at all; a proof has one encoding.

mod key_use;
mod served;
mod trees;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::attestation::{ContentId, Refusal};
use crate::cbor::{self, CborError};
use crate::entry::EntryError;
use crate::kind::value::{Blob, Digest};
use crate::merkle::{Hash, ProofError};
use crate::network::{NetworkError, NetworkFile};
use crate::note::{CheckpointError, NoteError, SignedNote, VerifierKey};
use crate::policy::CosignError;
use crate::receipt::ReceiptError;
use crate::time::Timestamp;

pub use key_use::{HISTORY_MAX, KeyUse, RecordedBody};
pub use served::{BadTile, Served, TimesBack, TreeEntry, report_key};
pub use trees::{Cosigned, TwoTrees, cosigned_by};

/// Version of the format.
pub const DEFECT_VERSION: u64 = 1;
/// Longest proof: a network file of 900 KiB, an attestation of 1 MiB, and what leads to its key.
pub const DEFECT_BYTES_MAX: usize = 3 << 20;

/// How every proof begins: a map of three, `"v": 1, "claim"`.
const HEAD: &[u8] = b"\xa3\x61v\x01\x65claim";

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    v: u64,
    network: Blob,
    claim: Claim,
}

/// What a proof says, and what it says it with.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// A log signed two trees of which neither is the beginning of the other.
    Split(TwoTrees),
    /// A log went back in time: a later entry was admitted earlier.
    Shrink(TimesBack),
    /// What was served as an entry bundle is not what the log had signed.
    BadTile(BadTile),
    /// A witness cosigned two trees that contradict each other, or a smaller one after a larger.
    BadCosignature(Box<Cosigned>),
    /// A log recorded an attestation under a key after the key's end.
    KeyOutsideTime(Box<KeyUse>),
}

impl Claim {
    /// The attestations that it is shown with, whole.
    pub fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        let of = match self {
            Claim::KeyOutsideTime(of) => Some(of),
            _ => None,
        };
        of.into_iter()
            .flat_map(|of| std::iter::once(&of.act).chain(&of.history))
            .map(|recorded| recorded.body.0.as_slice())
    }

    /// Its word in files and names.
    pub const fn word(&self) -> &'static str {
        match self {
            Claim::Split(_) => "split",
            Claim::Shrink(_) => "shrink",
            Claim::BadTile(_) => "bad_tile",
            Claim::BadCosignature(_) => "bad_cosignature",
            Claim::KeyOutsideTime(_) => "key_outside_time",
        }
    }
}

/// A well-formed proof, not yet checked.
#[derive(Clone, Debug, PartialEq)]
pub struct DefectProof {
    network: NetworkFile,
    claim: Claim,
    bytes: Vec<u8>,
}

/// What a checked proof shows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shown {
    /// The log that it is about.
    pub origin: String,
    /// Who or what did it: an origin, the name of a witness, an organisation.
    pub subject: String,
    /// The attestations that it is about.
    pub cites: Vec<ContentId>,
    /// When, where the proof says so.
    pub at: Option<Timestamp>,
    /// One sentence with the values.
    pub sentence: String,
    /// True if the accused signed it itself; false if another says what it was served.
    pub signed_by_accused: bool,
}

/// Why bytes are no defect proof, or one that proves nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message says what its variant means")]
pub enum DefectError {
    #[error("{bytes} bytes are more than the limit of {DEFECT_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error("it is empty")]
    Empty,
    #[error("not a defect proof of version {DEFECT_VERSION}")]
    Content(#[source] CborError),
    #[error("a defect proof of version {v}, known is {DEFECT_VERSION}")]
    Version { v: u64 },
    #[error("its network file is none")]
    Network(#[from] NetworkError),
    #[error("the {which} note in it cannot be read")]
    Note { which: &'static str, source: NoteError },
    #[error("the {which} note in it has signatures that it does not need, or another encoding")]
    Encoding { which: &'static str },
    #[error("the {which} note in it is no checkpoint")]
    NoCheckpoint { which: &'static str, source: CheckpointError },
    #[error("{origin} is no log of the network")]
    UnknownLog { origin: String },
    #[error("{name} is no witness of the network")]
    UnknownWitness { name: String },
    #[error("the {which} note is not signed as claimed")]
    Unsigned { which: &'static str, source: NoteError },
    #[error("the {which} note carries no signature of {name}")]
    NotSignedBy { which: &'static str, name: String },
    #[error("the hashes do not show what they should")]
    Hashes(#[from] ProofError),
    #[error("an entry in it is none")]
    Entry(#[from] EntryError),
    #[error("the notes are of two logs, {first} and {second}")]
    TwoLogs { first: String, second: String },
    #[error("nothing is wrong: {why}")]
    Nothing { why: &'static str },
    #[error("the report of what was served is not in its form")]
    Report,
    #[error("an attestation in it is not recorded as claimed")]
    Unrecorded(#[from] ReceiptError),
    #[error("a checkpoint in it does not count")]
    Cosign(#[from] CosignError),
    #[error("an attestation in it is malformed")]
    Malformed(#[from] crate::attestation::Malformed),
    #[error("an attestation in it proves nothing")]
    Refused(#[from] Refusal),
    #[error("an attestation in it has no good signature")]
    Signature(#[from] crate::key::BadSignature),
}

impl DefectError {
    /// True if the bytes are no defect proof at all, and not one that does not hold.
    pub const fn is_malformed(&self) -> bool {
        use DefectError::{Content, Empty, Network, TooLong, Version};
        matches!(self, Empty | TooLong { .. } | Content(_) | Version { .. } | Network(_))
    }
}

impl DefectProof {
    /// Makes a proof; an error says that the claim shows nothing, so no proof accuses by mistake.
    pub fn new(network: &NetworkFile, claim: Claim) -> Result<DefectProof, DefectError> {
        let wire = Wire { v: DEFECT_VERSION, network: Blob(network.bytes().to_vec()), claim };
        let bytes = cbor::to_vec(&wire).map_err(DefectError::Content)?;
        if DEFECT_BYTES_MAX < bytes.len() {
            return Err(DefectError::TooLong { bytes: bytes.len() });
        }
        let proof = DefectProof { network: network.clone(), claim: wire.claim, bytes };
        proof.verify()?;
        Ok(proof)
    }

    /// Whether bytes begin as every proof does: to tell it from a bundle.
    pub fn is_begun_by(bytes: &[u8]) -> bool {
        bytes.starts_with(HEAD)
    }

    /// Reads a proof in its one encoding; nothing in it is checked but the network file.
    pub fn parse(bytes: &[u8]) -> Result<DefectProof, DefectError> {
        if DEFECT_BYTES_MAX < bytes.len() {
            return Err(DefectError::TooLong { bytes: bytes.len() });
        }
        if bytes.is_empty() {
            return Err(DefectError::Empty);
        }
        let wire: Wire = cbor::from_slice(bytes).map_err(DefectError::Content)?;
        if wire.v != DEFECT_VERSION {
            return Err(DefectError::Version { v: wire.v });
        }
        let network = NetworkFile::parse(&wire.network.0)?;
        Ok(DefectProof { network, claim: wire.claim, bytes: bytes.to_vec() })
    }

    /// Checks everything: signatures under the keys of the carried network file, hashes, times.
    ///
    /// Whether that network file is to be believed is for the caller, who was given one.
    pub fn verify(&self) -> Result<Shown, DefectError> {
        match &self.claim {
            Claim::Split(claim) => claim.verify(&self.network),
            Claim::Shrink(claim) => claim.verify(&self.network),
            Claim::BadTile(claim) => claim.verify(&self.network),
            Claim::BadCosignature(claim) => claim.verify(&self.network),
            Claim::KeyOutsideTime(claim) => claim.verify(&self.network),
        }
    }

    /// What is claimed.
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// The network file whose keys it rests on.
    pub fn network(&self) -> &NetworkFile {
        &self.network
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the file: its name among proofs.
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(&self.bytes).into())
    }
}

fn log_key<'a>(network: &'a NetworkFile, origin: &str) -> Result<&'a VerifierKey, DefectError> {
    let member = network.network().member_of_origin(origin);
    let member = member.ok_or_else(|| DefectError::UnknownLog { origin: origin.to_owned() })?;
    Ok(&member.log_key)
}

/// A note that carries no line but those of the key that accuses: so nothing in a proof is idle.
fn note_by(which: &'static str, text: &str, key: &VerifierKey) -> Result<SignedNote, DefectError> {
    let note = note(which, text)?;
    let only = note.signatures().iter().all(|line| line.is_of(key));
    if only { Ok(note) } else { Err(DefectError::Encoding { which }) }
}

fn note(which: &'static str, text: &str) -> Result<SignedNote, DefectError> {
    let note = SignedNote::parse(text.as_bytes());
    let note = note.map_err(|source| DefectError::Note { which, source })?;
    if note.to_string() == text { Ok(note) } else { Err(DefectError::Encoding { which }) }
}

/// The note with the lines of one key alone.
fn lines_of(note: &SignedNote, key: &VerifierKey) -> String {
    let mut text = format!("{}\n", note.text());
    let lines = note.signatures().iter().filter(|line| line.is_of(key));
    lines.for_each(|line| text.push_str(&format!("{line}\n")));
    text
}

fn digests(path: &[Hash]) -> Vec<Digest> {
    path.iter().copied().map(Digest).collect()
}

fn hashes(path: &[Digest]) -> Vec<Hash> {
    path.iter().map(|digest| digest.0).collect()
}

#[cfg(test)]
mod tests;
