//! Signed notes, checkpoints and cosignatures of C2SP: what logs and witnesses publish.
//!
//! Invariants: a note is kept as the text that was signed; an unknown signature is skipped, a
//! signature under a known key that fails refuses the whole note; log keys and witness keys have
//! different types, so neither can be taken for the other.

pub(crate) use checkpoint::parse_size;

mod checkpoint;
mod vkey;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use vkey::{NoteKeyKind, VerifierKey, VerifierKeyError};

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{PAD, STANDARD};

use crate::key::{SIGNATURE_BYTES, SignError, Signer};
use crate::time::Timestamp;

/// Longest note: 100 signatures of post-quantum size fit.
pub const NOTE_BYTES_MAX: usize = 1 << 20;
/// Most signatures of one note.
pub const SIGNATURES_MAX: usize = 100;

/// As other implementations read signature lines: unused bits of the last digit may be set. A known
/// signature is checked anyway, an unknown one is nobody's business.
const LENIENT: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, PAD.with_decode_allow_trailing_bits(true));

const LINE_HEAD: &str = "\u{2014} ";

/// A text with signature lines under it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignedNote {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl SignedNote {
    /// A note whose signatures are still to be added. `None` unless the text ends a line and holds
    /// no control characters.
    pub fn unsigned(text: String) -> Option<SignedNote> {
        is_note_text(&text).then_some(SignedNote { text, signatures: Vec::new() })
    }

    /// Parses a note with one signature at least.
    pub fn parse(bytes: &[u8]) -> Result<SignedNote, NoteError> {
        if NOTE_BYTES_MAX < bytes.len() {
            return Err(NoteError::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|fault| NoteError::Text { at: fault.valid_up_to() })?;
        if let Some(at) = text.find(is_forbidden) {
            return Err(NoteError::Text { at });
        }
        let split = text.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, lines) = (&text[..=split], &text[split + 2..]);
        if text.is_empty() || lines.is_empty() {
            return Err(NoteError::NoSignatures);
        }
        Ok(SignedNote { text: text.to_owned(), signatures: parse_signatures(lines)? })
    }

    /// The signed text; it ends with a newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All signatures, known or not.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature, unless the same is there.
    pub fn add(&mut self, signature: NoteSignature) {
        if !self.signatures.contains(&signature) {
            self.signatures.push(signature);
        }
    }

    /// Adds a cosignature that this key made of this text, in the place of one that states an earlier
    /// time; one that states no later time than that is passed over. False if it is wrong.
    pub fn add_newest(&mut self, signature: NoteSignature, key: &VerifierKey) -> bool {
        let Ok(at) = key.check(&self.text, &signature.signature) else {
            return false;
        };
        let is_later = |earlier: &NoteSignature| {
            key.check(&self.text, &earlier.signature).is_ok_and(|before| at <= before)
        };
        match self.signatures.iter_mut().find(|line| line.is_of(key)) {
            None => self.signatures.push(signature),
            Some(earlier) if is_later(earlier) => {}
            Some(earlier) => *earlier = signature,
        }
        true
    }

    /// Drops every signature line for which `keep` is false.
    pub fn retain(&mut self, keep: impl FnMut(&NoteSignature) -> bool) {
        self.signatures.retain(keep);
    }

    /// The note as published.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }

    /// Checks one key's signatures. `Ok(None)` if it has none here; else the earliest time that a
    /// witness states, and [`Timestamp::EPOCH`] for a log, which states none.
    pub fn signed_by(&self, key: &VerifierKey) -> Result<Option<Timestamp>, NoteError> {
        let mut earliest = None;
        for signature in self.signatures.iter().filter(|line| line.is_of(key)) {
            let at = key.check(&self.text, &signature.signature)?;
            earliest = Some(earliest.map_or(at, |before: Timestamp| before.min(at)));
        }
        Ok(earliest)
    }

    /// The text as a checkpoint; which signatures it needs is for the caller to check.
    pub fn checkpoint(&self) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::parse(&self.text)
    }

    /// Checks the log's own signature and reads its checkpoint.
    pub fn checkpoint_of(&self, log: &VerifierKey) -> Result<Checkpoint, NoteError> {
        if self.signed_by(log)?.is_none() {
            return Err(NoteError::NotSignedBy { name: log.name().to_owned() });
        }
        let checkpoint = self.checkpoint().map_err(NoteError::Checkpoint)?;
        if checkpoint.origin != log.name() {
            let (found, wanted) = (checkpoint.origin, log.name().to_owned());
            return Err(NoteError::OtherOrigin { found, wanted });
        }
        Ok(checkpoint)
    }
}

impl fmt::Display for SignedNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// One signature line of a note.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// The first four bytes of a hash over name, type and key.
    pub key_id: [u8; 4],
    /// What the key's type says it is.
    pub signature: Vec<u8>,
}

impl NoteSignature {
    /// Whether the line names this key.
    pub fn is_of(&self, key: &VerifierKey) -> bool {
        self.name == key.name() && self.key_id == key.id()
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [self.key_id.as_slice(), &self.signature].concat();
        write!(f, "{LINE_HEAD}{} {}", self.name, STANDARD.encode(bytes))
    }
}

impl FromStr for NoteSignature {
    type Err = NoteError;

    fn from_str(line: &str) -> Result<NoteSignature, NoteError> {
        let fault = || NoteError::SignatureLine { line: line.chars().take(80).collect() };
        let (name, encoded) =
            line.strip_prefix(LINE_HEAD).and_then(|rest| rest.split_once(' ')).ok_or_else(fault)?;
        let bytes = LENIENT.decode(encoded).map_err(|_| fault())?;
        let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or_else(fault)?;
        if !vkey::is_key_name(name) || signature.is_empty() {
            return Err(fault());
        }
        Ok(NoteSignature { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }
}

/// Signature lines alone, each ended by a newline: also what a witness answers.
pub fn parse_signatures(lines: &str) -> Result<Vec<NoteSignature>, NoteError> {
    let lines = lines.strip_suffix('\n').ok_or(NoteError::NoFinalNewline)?;
    let count = lines.split('\n').count();
    if SIGNATURES_MAX < count {
        return Err(NoteError::TooManySignatures { count });
    }
    lines.split('\n').map(str::parse).collect()
}

/// A key with its name in notes: a log's, or a witness's.
#[derive(Clone)]
pub struct NoteSigner {
    vkey: VerifierKey,
    signer: Arc<dyn Signer>,
}

impl NoteSigner {
    /// Signs checkpoints of the log with this origin.
    pub fn log(origin: &str, signer: Arc<dyn Signer>) -> Result<NoteSigner, VerifierKeyError> {
        NoteSigner::new(origin, NoteKeyKind::Ed25519, signer)
    }

    /// Cosigns checkpoints of others under this witness name.
    pub fn witness(name: &str, signer: Arc<dyn Signer>) -> Result<NoteSigner, VerifierKeyError> {
        NoteSigner::new(name, NoteKeyKind::CosignatureV1, signer)
    }

    fn new(
        name: &str,
        kind: NoteKeyKind,
        signer: Arc<dyn Signer>,
    ) -> Result<NoteSigner, VerifierKeyError> {
        let vkey = VerifierKey::new(name, kind, signer.public().clone())?;
        Ok(NoteSigner { vkey, signer })
    }

    /// What others check the signatures with.
    pub fn vkey(&self) -> &VerifierKey {
        &self.vkey
    }

    /// The key behind it.
    pub fn signer(&self) -> &Arc<dyn Signer> {
        &self.signer
    }

    /// Signs a note's text. `at` is the witness's statement of when; a log states no time.
    pub fn sign(&self, text: &str, at: Timestamp) -> Result<NoteSignature, SignError> {
        if !is_note_text(text) {
            let reason = "the text of a note ends a line and has no control characters".to_owned();
            return Err(SignError::Malformed { reason });
        }
        let signature = match self.vkey.kind() {
            NoteKeyKind::Ed25519 => self.signer.sign(text.as_bytes())?.to_vec(),
            NoteKeyKind::CosignatureV1 => {
                let seconds = at.unix_ms() / 1000;
                let signature = self.signer.sign(&cosignature_message(seconds, text))?;
                [seconds.to_be_bytes().as_slice(), &signature].concat()
            }
        };
        let (name, key_id) = (self.vkey.name().to_owned(), self.vkey.id());
        Ok(NoteSignature { name, key_id, signature })
    }
}

impl fmt::Debug for NoteSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NoteSigner({})", self.vkey)
    }
}

/// What a witness signs.
fn cosignature_message(seconds: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}

impl VerifierKey {
    /// Checks the bytes of a signature line against the note's text; the time it states.
    pub fn check(&self, text: &str, signature: &[u8]) -> Result<Timestamp, NoteError> {
        let bad = || NoteError::BadSignature { name: self.name().to_owned() };
        let (seconds, signature) = match self.kind() {
            NoteKeyKind::Ed25519 => (None, signature),
            NoteKeyKind::CosignatureV1 => {
                let (seconds, rest) = signature.split_first_chunk::<8>().ok_or_else(bad)?;
                (Some(u64::from_be_bytes(*seconds)), rest)
            }
        };
        let signature: &[u8; SIGNATURE_BYTES] = signature.try_into().map_err(|_| bad())?;
        let (message, at) = match seconds {
            None => (text.as_bytes().to_vec(), Some(Timestamp::EPOCH)),
            Some(seconds) => {
                let at = seconds.checked_mul(1000).and_then(Timestamp::try_from_unix_ms);
                (cosignature_message(seconds, text), at)
            }
        };
        self.key().verify_strict(&message, signature).map_err(|_| bad())?;
        at.ok_or_else(bad)
    }
}

fn is_forbidden(c: char) -> bool {
    c < ' ' && c != '\n'
}

fn is_note_text(text: &str) -> bool {
    text.ends_with('\n') && !text.contains(is_forbidden)
}

/// Why a note is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// Larger than any note.
    #[error("a note of {bytes} bytes is longer than the limit of {NOTE_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not UTF-8, or a control character.
    #[error("the note is not plain UTF-8 text at byte {at}")]
    Text {
        /// Where.
        at: usize,
    },
    /// No blank line with signatures after it.
    #[error("the note has no signatures")]
    NoSignatures,
    /// Cut off.
    #[error("the note does not end with a newline")]
    NoFinalNewline,
    /// More signatures than allowed.
    #[error("{count} signatures are more than the limit of {SIGNATURES_MAX}")]
    TooManySignatures {
        /// Their number.
        count: usize,
    },
    /// No signature line.
    #[error("`{line}` is no signature line")]
    SignatureLine {
        /// The line, shortened.
        line: String,
    },
    /// A known key did not make its signature.
    #[error("the signature of {name} on the note is wrong")]
    BadSignature {
        /// The key's name.
        name: String,
    },
    /// The key whose signature is needed has not signed.
    #[error("the note is not signed by {name}")]
    NotSignedBy {
        /// The key's name.
        name: String,
    },
    /// The text is no checkpoint.
    #[error("the note is no checkpoint")]
    Checkpoint(#[source] CheckpointError),
    /// A checkpoint of another log under this log's key.
    #[error("the checkpoint is of {found}, not of {wanted}")]
    OtherOrigin {
        /// Its origin.
        found: String,
        /// The log's name.
        wanted: String,
    },
}

#[cfg(test)]
mod tests;
