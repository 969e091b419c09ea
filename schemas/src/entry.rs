//! The 41 bytes of a log's leaf: who may read the body, when it was admitted, what it is.
//!
//! Invariant: an entry has exactly one encoding, and its leaf hash is that of RFC 6962.

use crate::attestation::ContentId;
use crate::merkle::{self, Hash};
use crate::time::Timestamp;

/// Bytes of an entry: 1 + 8 + 32.
pub const ENTRY_BYTES: usize = 41;
/// Bytes of an entry before the content id, which receipts repeat.
pub const ENTRY_HEAD_BYTES: usize = 9;

/// One entry of a log.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Entry {
    /// 0 public, 1 members, 2 named parties.
    pub audience: u8,
    /// The batch's instant; it never decreases along a log.
    pub admitted_at: Timestamp,
    /// The attestation.
    pub id: ContentId,
}

impl Entry {
    /// The bytes that the log holds.
    pub fn to_bytes(&self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..ENTRY_HEAD_BYTES].copy_from_slice(&self.head());
        bytes[ENTRY_HEAD_BYTES..].copy_from_slice(self.id.bytes());
        bytes
    }

    /// The first 9 bytes: all that a receipt must add to the content id.
    pub fn head(&self) -> [u8; ENTRY_HEAD_BYTES] {
        let mut head = [0; ENTRY_HEAD_BYTES];
        head[0] = self.audience;
        head[1..].copy_from_slice(&self.admitted_at.unix_ms().to_be_bytes());
        head
    }

    /// Reads what a log holds.
    pub fn parse(bytes: &[u8]) -> Result<Entry, EntryError> {
        let length = bytes.len();
        let bytes: &[u8; ENTRY_BYTES] =
            bytes.try_into().map_err(|_| EntryError::Length { length })?;
        let (head, id) = bytes.split_at(ENTRY_HEAD_BYTES);
        let id: [u8; 32] = id.try_into().expect("41 less 9 is 32");
        Entry::from_head(head.try_into().expect("split at 9"), ContentId::from_bytes(id))
    }

    /// The entry of which a receipt gives the head.
    pub fn from_head(head: [u8; ENTRY_HEAD_BYTES], id: ContentId) -> Result<Entry, EntryError> {
        let audience = head[0];
        if 2 < audience {
            return Err(EntryError::Audience { audience });
        }
        let unix_ms = u64::from_be_bytes(head[1..].try_into().expect("9 less 1 is 8"));
        let admitted_at =
            Timestamp::try_from_unix_ms(unix_ms).ok_or(EntryError::Time { unix_ms })?;
        Ok(Entry { audience, admitted_at, id })
    }

    /// The hash that the tree is built on.
    pub fn leaf_hash(&self) -> Hash {
        merkle::leaf_hash(&self.to_bytes())
    }
}

/// Why bytes are no entry of a Hallmark log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// Not 41 bytes.
    #[error("an entry is 41 bytes long, this has {length}")]
    Length {
        /// Its length.
        length: usize,
    },
    /// An audience byte of no meaning.
    #[error("{audience} is no audience byte: 0, 1 or 2")]
    Audience {
        /// The byte.
        audience: u8,
    },
    /// An instant outside the range.
    #[error("admitted at {unix_ms} ms, after the year 9999")]
    Time {
        /// The instant, in ms since 1970.
        unix_ms: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_one_encoding() {
        let id = ContentId::from_bytes([7; 32]);
        let admitted_at = Timestamp::try_from_unix_ms(1_700_000_000_123).unwrap();
        let entry = Entry { audience: 1, admitted_at, id };
        let bytes = entry.to_bytes();
        assert_eq!(bytes[..9], [1, 0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0x7b]);
        assert_eq!(Entry::parse(&bytes), Ok(entry));
        assert_eq!(Entry::from_head(entry.head(), id), Ok(entry));
        assert_eq!(Entry::parse(&bytes[..40]), Err(EntryError::Length { length: 40 }));
        let mut other = bytes;
        other[0] = 3;
        assert_eq!(Entry::parse(&other), Err(EntryError::Audience { audience: 3 }));
        other = bytes;
        other[1] = 0xff;
        assert!(matches!(Entry::parse(&other), Err(EntryError::Time { .. })));
    }
}
