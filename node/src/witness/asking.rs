//! One checkpoint before one foreign witness: what to send, and what to make of its answer.
//!
//! Invariants: a witness that has seen more than this checkpoint is told nothing further; a
//! signature that is not the witness's own, or wrong, is no answer; a 409 is believed a few times;
//! what it says without a signature of this log accuses nobody: see `elsewhere.rs`.

use std::sync::Arc;

use hallmark_schemas::merkle::Hash;
use hallmark_schemas::note::{NoteError, SignedNote, VerifierKey, parse_signatures};

use super::encode_request;
use crate::store::StoreError;

/// Most answers for one request: one guess of the size, the right one, one race.
const TRIES: u32 = 3;

/// A conversation of `add-checkpoint`.
pub struct Asking {
    key: VerifierKey,
    note: Arc<SignedNote>,
    new: u64,
    old: u64,
    left: u32,
}

/// Why there is no cosignature. It may be asked for again later.
#[derive(Debug, thiserror::Error)]
pub enum AskFault {
    /// What is to be cosigned is no checkpoint.
    #[error("the note is no checkpoint")]
    NoCheckpoint,
    /// No signature lines, or a wrong signature.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Our own files cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// 200 with signatures of others.
    #[error("it answered without its own signature")]
    Unsigned,
    /// 409 with something else than a size.
    #[error("it answers 409 without a size")]
    NoSize,
    /// It holds a newer checkpoint.
    #[error("it has seen {old} entries, this checkpoint has {new}")]
    Ahead {
        /// What it has seen.
        old: u64,
        /// What it was asked for.
        new: u64,
    },
    /// 422: the tree that it has seen is not the beginning of this one.
    #[error("it answers 422, it has seen {old} entries of another tree: {text}")]
    OtherTree {
        /// What it has seen.
        old: u64,
        /// What it says.
        text: String,
    },
    /// 404 in tlog-witness, 403 in witnesses older than it.
    #[error("it does not know this log or its key")]
    Unknown,
    /// Another status.
    #[error("it answers {status}: {text}")]
    Status {
        /// The status.
        status: u16,
        /// What it says.
        text: String,
    },
    /// It goes on telling other sizes.
    #[error("it keeps answering 409")]
    Restless,
}

impl AskFault {
    /// How many entries the witness says it has seen of a tree that is not the one here, or beyond
    /// it: then this log was signed elsewhere, if the witness tells the truth.
    pub fn elsewhere(&self) -> Option<u64> {
        match self {
            AskFault::Ahead { old, .. } | AskFault::OtherTree { old, .. } => Some(*old),
            _ => None,
        }
    }
}

impl Asking {
    /// `old` is a guess of the size that the witness has seen.
    pub fn new(key: VerifierKey, note: Arc<SignedNote>, old: u64) -> Result<Asking, AskFault> {
        let new = note.checkpoint().map_err(|_| AskFault::NoCheckpoint)?.size;
        Ok(Asking { key, note, new, old: old.min(new), left: TRIES })
    }

    /// The body to send. `prove` gives the consistency proof between two sizes.
    pub fn request(
        &self,
        prove: impl FnOnce(u64, u64) -> Result<Vec<Hash>, StoreError>,
    ) -> Result<Vec<u8>, AskFault> {
        let needs_none = self.old == 0 || self.old == self.new;
        let proof = if needs_none { Vec::new() } else { prove(self.old, self.new)? };
        Ok(encode_request(self.old, &proof, &self.note))
    }

    /// Takes the answer: the note with the cosignature, or `None` if the request must be sent again.
    pub fn answered(&mut self, status: u16, body: &[u8]) -> Result<Option<SignedNote>, AskFault> {
        self.left = self.left.checked_sub(1).ok_or(AskFault::Restless)?;
        let text = String::from_utf8_lossy(body);
        match status {
            200 => {
                let mut cosigned = (*self.note).clone();
                for line in parse_signatures(&text)? {
                    cosigned.add(line);
                }
                match cosigned.signed_by(&self.key)? {
                    Some(_) => Ok(Some(cosigned)),
                    None => Err(AskFault::Unsigned),
                }
            }
            409 => {
                let old = text.trim().parse().map_err(|_| AskFault::NoSize)?;
                if self.new < old {
                    return Err(AskFault::Ahead { old, new: self.new });
                }
                self.old = old;
                if self.left == 0 { Err(AskFault::Restless) } else { Ok(None) }
            }
            403 | 404 => Err(AskFault::Unknown),
            _ => {
                let text = text.chars().take(200).collect();
                if status == 422 {
                    return Err(AskFault::OtherTree { old: self.old, text });
                }
                Err(AskFault::Status { status, text })
            }
        }
    }

    /// Whether it is this witness that is asked.
    pub fn is_of(&self, key: &VerifierKey) -> bool {
        self.key == *key
    }

    /// What is to be cosigned.
    pub fn note(&self) -> &Arc<SignedNote> {
        &self.note
    }

    /// The size of the checkpoint that is asked for.
    pub fn size(&self) -> u64 {
        self.new
    }
}
