//! Verifier keys: a name, a type and a public key in one line of text.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use crate::hex;
use crate::key::{KeyError, PublicKey};
use crate::text::serde_as_text;

/// Longest key name: an origin fits.
const KEY_NAME_BYTES_MAX: usize = 255;

/// What a key signs in notes.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum NoteKeyKind {
    /// The note's text: a log's key (type 1).
    Ed25519,
    /// A time and the note's text: a witness's key (type 4).
    CosignatureV1,
}

impl NoteKeyKind {
    fn byte(self) -> u8 {
        match self {
            NoteKeyKind::Ed25519 => 1,
            NoteKeyKind::CosignatureV1 => 4,
        }
    }
}

/// A named key that checks signatures on notes; text form `<name>+<id>+<type and key>`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct VerifierKey {
    name: String,
    kind: NoteKeyKind,
    key: PublicKey,
}

impl VerifierKey {
    /// Names a key. Names are not empty and have neither spaces nor plus signs.
    pub fn new(
        name: &str,
        kind: NoteKeyKind,
        key: PublicKey,
    ) -> Result<VerifierKey, VerifierKeyError> {
        if !is_key_name(name) {
            return Err(VerifierKeyError::Name { name: name.chars().take(80).collect() });
        }
        Ok(VerifierKey { name: name.to_owned(), kind, key })
    }

    /// The key's name: a log's origin, or a witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn kind(&self) -> NoteKeyKind {
        self.kind
    }

    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The four bytes that stand for it in signature lines: a hint, not a proof.
    pub fn id(&self) -> [u8; 4] {
        let hash: [u8; 32] = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', self.kind.byte()])
            .chain_update(self.key.bytes())
            .finalize()
            .into();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

/// Whether a text may name a key.
pub(super) fn is_key_name(name: &str) -> bool {
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    (1..=KEY_NAME_BYTES_MAX).contains(&name.len()) && name.chars().all(allowed)
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[self.kind.byte()], self.key.bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex::Hex(&self.id()), STANDARD.encode(key))
    }
}

impl FromStr for VerifierKey {
    type Err = VerifierKeyError;

    /// The base64 part may hold plus signs: only the first two separate.
    fn from_str(text: &str) -> Result<VerifierKey, VerifierKeyError> {
        let shape = || VerifierKeyError::Shape { text: text.chars().take(80).collect() };
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(shape());
        };
        let id: [u8; 4] = hex::decode_array(id).ok_or_else(shape)?;
        let bytes = STANDARD.decode(key).map_err(|_| shape())?;
        let (kind, key) = bytes.split_first().ok_or_else(shape)?;
        let kind = match kind {
            1 => NoteKeyKind::Ed25519,
            4 => NoteKeyKind::CosignatureV1,
            other => {
                return Err(VerifierKeyError::Type { name: name.to_owned(), found: *other });
            }
        };
        let key = key.try_into().map_err(|_| shape())?;
        let key = PublicKey::enrol(key).map_err(VerifierKeyError::Key)?;
        let vkey = VerifierKey::new(name, kind, key)?;
        if vkey.id() != id {
            let (found, wanted) = (hex::encode(&id), hex::encode(&vkey.id()));
            return Err(VerifierKeyError::Id { name: vkey.name, found, wanted });
        }
        Ok(vkey)
    }
}

serde_as_text!(VerifierKey, "a verifier key `<name>+<id>+<key>`");

/// Why a text is no verifier key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierKeyError {
    /// Not three parts of the right form.
    #[error("`{text}` is no verifier key: `<name>+<8 hex digits>+<base64>` is expected")]
    Shape {
        /// The text, shortened.
        text: String,
    },
    /// Empty, too long, or with spaces or plus signs.
    #[error("`{name}` cannot name a key")]
    Name {
        /// The name, shortened.
        name: String,
    },
    /// A key type that is not supported here.
    #[error("the key {name} is of type {found:#04x}, supported are 0x01 and 0x04")]
    Type {
        /// The key's name.
        name: String,
        /// Its type byte.
        found: u8,
    },
    /// The key itself is refused.
    #[error("the verifier key is refused")]
    Key(#[source] KeyError),
    /// A typing error somewhere.
    #[error("the id of key {name} is {wanted}, the text says {found}")]
    Id {
        /// The key's name.
        name: String,
        /// The id in the text.
        found: String,
        /// The id that the name and key give.
        wanted: String,
    },
}
