//! What a sequencer is about to do, as it is written down before it is done.
//!
//! Invariant: an intent is whole or none at all, by the checksum of its record; carrying it out
//! gives the same entries, hence the same root, however often.

use crate::attestation::ContentId;
use crate::entry::Entry;
use crate::frame::{self, Piece};
use crate::head::Head;
use crate::pack::PackPosition;
use crate::time::Timestamp;

const MAGIC: &[u8; 8] = b"HMKINT01";
/// 8 magic, twice 8 size and 32 root, 8 admitted_at, 4 + 8 pack position.
const FIXED_BYTES: usize = 8 + 2 * 40 + 8 + 12;
/// 1 audience, 32 content id.
const ENTRY_BYTES: usize = 33;

/// One batch: from which head to which, by which entries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Intent {
    /// The head that the batch starts from.
    pub from: Head,
    /// The head that it leads to.
    pub to: Head,
    /// The batch's instant.
    pub admitted_at: Timestamp,
    /// Every pack record before this place is logged once the intent is done.
    pub consumed: PackPosition,
    /// Audience and content id of each entry, in order.
    pub entries: Vec<(u8, ContentId)>,
}

impl Intent {
    /// The entries as the log holds them.
    pub fn log_entries(&self) -> Vec<Entry> {
        let entry = |&(audience, id)| Entry { audience, admitted_at: self.admitted_at, id };
        self.entries.iter().map(entry).collect()
    }

    /// The intent's file: one record.
    ///
    /// # Panics
    /// If there are more entries than a record holds; the sequencer's batches are far smaller.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED_BYTES + self.entries.len() * ENTRY_BYTES);
        bytes.extend_from_slice(MAGIC);
        for head in [self.from, self.to] {
            bytes.extend_from_slice(&head.size.to_le_bytes());
            bytes.extend_from_slice(&head.root);
        }
        bytes.extend_from_slice(&self.admitted_at.unix_ms().to_le_bytes());
        bytes.extend_from_slice(&self.consumed.segment.to_le_bytes());
        bytes.extend_from_slice(&self.consumed.offset.to_le_bytes());
        for (audience, id) in &self.entries {
            bytes.push(*audience);
            bytes.extend_from_slice(id.bytes());
        }
        let mut file = Vec::new();
        frame::append(&mut file, &bytes);
        file
    }

    /// Reads an intent's file; `None` if it holds no whole intent.
    pub fn parse(file: &[u8]) -> Option<Intent> {
        match frame::scan(file).next()? {
            Piece::Record { content, .. } => decode(content),
            Piece::Damaged { .. } | Piece::Torn { .. } => None,
        }
    }
}

fn decode(bytes: &[u8]) -> Option<Intent> {
    let (fixed, entries) = bytes.split_at_checked(FIXED_BYTES)?;
    if !fixed.starts_with(MAGIC) {
        return None;
    }
    let number = |at: usize| Some(u64::from_le_bytes(fixed.get(at..at + 8)?.try_into().ok()?));
    let head = |at: usize| {
        let root = fixed.get(at + 8..at + 40)?.try_into().ok()?;
        Some(Head { size: number(at)?, root })
    };
    let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
    let intent = Intent {
        from: head(8)?,
        to: head(48)?,
        admitted_at: Timestamp::try_from_unix_ms(number(88)?)?,
        consumed: PackPosition {
            segment: u32::from_le_bytes(fixed[96..100].try_into().ok()?),
            offset: number(100)?,
        },
        entries: entries
            .iter()
            .map(|entry| {
                let (audience, id) = entry.split_first().expect("an entry has 33 bytes");
                (*audience, ContentId::from_bytes(id.try_into().expect("33 less 1 is 32")))
            })
            .collect(),
    };
    let grown = intent.from.size.checked_add(intent.entries.len() as u64)?;
    (rest.is_empty() && grown == intent.to.size).then_some(intent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intent_reads_back_and_no_flipped_bit_does() {
        let intent = Intent {
            from: Head { size: 2, root: [1; 32] },
            to: Head { size: 3, root: [2; 32] },
            admitted_at: Timestamp::from_unix_ms(5),
            consumed: PackPosition { segment: 1, offset: 77 },
            entries: vec![(1, ContentId::from_bytes([3; 32]))],
        };
        let file = intent.encode();
        assert_eq!(Intent::parse(&file), Some(intent.clone()));
        for bit in 0..file.len() * 8 {
            let mut wrong = file.clone();
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Intent::parse(&wrong), None, "bit {bit}");
        }
        let grown = Intent { to: Head { size: 9, root: [2; 32] }, ..intent };
        assert_eq!(Intent::parse(&grown.encode()), None, "one entry does not make nine of two");
        assert_eq!(Intent::parse(&[]), None);
    }
}
