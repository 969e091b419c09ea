//! The head of a node's own log: what one of its two slots holds.
//!
//! Invariants: a slot is whole or none at all, by its checksum; it names its log, so that one from
//! elsewhere shows; of two whole slots the one with the higher sequence number counts.

use sha2::{Digest as _, Sha256};

use crate::merkle::{EMPTY_ROOT, Hash};

const MAGIC: &[u8; 8] = b"HMKHEAD1";

/// Bytes of a slot: 8 magic, 8 sequence, 8 size, 32 root, 32 origin, 32 checksum.
pub const SLOT_BYTES: usize = 120;

/// The newest sequenced tree of the own log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Head {
    /// Entries.
    pub size: u64,
    /// RFC 6962 root of them.
    pub root: Hash,
}

impl Head {
    /// The head of a log without entries.
    pub const EMPTY: Head = Head { size: 0, root: EMPTY_ROOT };
}

/// One slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Slot {
    /// Rises by one with every swap.
    pub sequence: u64,
    /// The tree.
    pub head: Head,
    /// SHA-256 of the log's origin.
    origin: Hash,
}

impl Slot {
    /// A slot of the log `origin`.
    pub fn new(sequence: u64, head: Head, origin: &str) -> Slot {
        Slot { sequence, head, origin: hash(origin) }
    }

    /// Whether it belongs to this log.
    pub fn is_of(&self, origin: &str) -> bool {
        self.origin == hash(origin)
    }

    /// The slot's file.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SLOT_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.sequence.to_le_bytes());
        bytes.extend_from_slice(&self.head.size.to_le_bytes());
        bytes.extend_from_slice(&self.head.root);
        bytes.extend_from_slice(&self.origin);
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// Reads a slot's file; `None` if it is torn or damaged.
    pub fn parse(file: &[u8]) -> Option<Slot> {
        let file: &[u8; SLOT_BYTES] = file.try_into().ok()?;
        let (body, checksum) = file.split_at(SLOT_BYTES - 32);
        if !body.starts_with(MAGIC) || Sha256::digest(body).as_slice() != checksum {
            return None;
        }
        let number = |at: usize| Some(u64::from_le_bytes(body.get(at..at + 8)?.try_into().ok()?));
        let hash = |at: usize| -> Option<Hash> { body.get(at..at + 32)?.try_into().ok() };
        let head = Head { size: number(16)?, root: hash(24)? };
        Some(Slot { sequence: number(8)?, head, origin: hash(56)? })
    }
}

fn hash(origin: &str) -> Hash {
    Sha256::digest(origin.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_reads_back_and_no_flipped_bit_or_other_length_does() {
        let slot = Slot::new(7, Head { size: 3, root: [9; 32] }, "net/lei-1/1");
        let file = slot.encode();
        assert_eq!(file.len(), SLOT_BYTES);
        assert_eq!(Slot::parse(&file), Some(slot));
        assert!(slot.is_of("net/lei-1/1") && !slot.is_of("net/lei-2/1"));
        for bit in 0..SLOT_BYTES * 8 {
            let mut wrong = file.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Slot::parse(&wrong), None, "bit {bit}");
        }
        assert_eq!(Slot::parse(&file[..SLOT_BYTES - 1]), None);
        assert_eq!(Slot::parse(&[&file[..], &[0]].concat()), None);
        assert_eq!(Slot::parse(&[]), None);
    }
}
