//! The name of an attestation: SHA-256 of what is stored.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

use crate::hex;

const TEXT_HEAD: &str = "sha256:";

/// SHA-256 of an attestation's stored bytes; text form `sha256:<64 hex>`.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ContentId([u8; 32]);

impl ContentId {
    /// Bytes of an id.
    pub const LEN: usize = 32;

    /// The id of stored bytes.
    pub fn of(stored: &[u8]) -> ContentId {
        ContentId(Sha256::digest(stored).into())
    }

    /// An id read from somewhere; what it names need not exist.
    pub const fn from_bytes(bytes: [u8; 32]) -> ContentId {
        ContentId(bytes)
    }

    /// The id's bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Text that is no content id.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a content id is `sha256:` and 64 lower-case hexadecimal digits, not `{text}`")]
pub struct ContentIdError {
    /// The text, shortened.
    pub text: String,
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TEXT_HEAD}{}", hex::Hex(&self.0))
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentId {
    type Err = ContentIdError;

    fn from_str(text: &str) -> Result<ContentId, ContentIdError> {
        let digits = text.strip_prefix(TEXT_HEAD);
        let bytes = digits.and_then(hex::decode_array);
        bytes.map(ContentId).ok_or_else(|| ContentIdError { text: text.chars().take(80).collect() })
    }
}

impl Serialize for ContentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for ContentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ContentId, D::Error> {
        if deserializer.is_human_readable() {
            return String::deserialize(deserializer)?.parse().map_err(D::Error::custom);
        }
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        let length = bytes.len();
        let bytes = bytes.into_vec().try_into();
        bytes.map(ContentId).map_err(|_| D::Error::invalid_length(length, &"32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_text_for_people_and_bytes_for_machines() {
        let id = ContentId::of(b"");
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(id.to_string(), text);
        assert_eq!(text.parse(), Ok(id));
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        let cbor = crate::cbor::to_vec(&id).unwrap();
        assert_eq!(cbor.len(), 34);
        assert_eq!(crate::cbor::from_slice::<ContentId>(&cbor), Ok(id));
        for bad in ["", "sha256:", &text[7..], &text[..70], &text.to_uppercase()] {
            assert!(bad.parse::<ContentId>().is_err(), "{bad}");
        }
    }
}
