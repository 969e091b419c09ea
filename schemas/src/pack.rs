//! Segments of bodies: `u32 LE length | 32-byte content id | u32 LE CRC32C of the bytes | bytes`.
//!
//! Bit 31 of the length marks a tombstone: same length, bytes all zero, the CRC of those zeros.
//! Invariants: erasing changes no offset; a scan covers the file and never skips damage silently.
//! Whether the bytes have the id that their record states is for the reader to check.

use crate::attestation::{ATTESTATION_BYTES_MAX, ContentId};

/// Bytes before a record's body.
pub const HEAD_BYTES: usize = 40;

const ERASED: u32 = 1 << 31;
const _: () = assert!(ATTESTATION_BYTES_MAX < ERASED as usize);

/// Between two records of the packs.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct PackPosition {
    /// Number of the segment.
    pub segment: u32,
    /// Bytes from its start.
    pub offset: u64,
}

/// One record of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record<'a> {
    /// Offset of its head in the segment.
    pub at: usize,
    /// The content id that it was stored under.
    pub id: ContentId,
    /// Whether the body was erased; its bytes are zeros then.
    pub erased: bool,
    /// The stored attestation.
    pub body: &'a [u8],
}

impl Record<'_> {
    /// Offset after the record, where the next one starts.
    pub fn end(&self) -> usize {
        self.at + HEAD_BYTES + self.body.len()
    }
}

/// One stretch of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Piece<'a> {
    /// A whole record.
    Record(Record<'a>),
    /// Bytes that are no record but have whole records after them: a fault of disk or hand.
    Damaged {
        /// Offset of the first.
        at: usize,
        /// Offset after the last, where the next record starts.
        end: usize,
    },
    /// Bytes at the end that are no record: what a crash leaves. Truncate the segment to `at`.
    Torn {
        /// Offset of the first.
        at: usize,
    },
}

/// Appends one record to `segment`.
///
/// # Panics
/// If `body` is empty or longer than [`ATTESTATION_BYTES_MAX`]: it was parsed before.
pub fn append(segment: &mut Vec<u8>, id: &ContentId, body: &[u8]) {
    assert!(
        !body.is_empty() && body.len() <= ATTESTATION_BYTES_MAX,
        "a body has 1 to {ATTESTATION_BYTES_MAX} bytes, not {}",
        body.len()
    );
    segment.reserve(HEAD_BYTES + body.len());
    segment.extend((body.len() as u32).to_le_bytes());
    segment.extend(id.bytes());
    segment.extend(crc32c::crc32c(body).to_le_bytes());
    segment.extend(body);
}

/// The tombstone that takes the place of a record: as long as the record itself.
pub fn tombstone(id: &ContentId, body_bytes: usize) -> Vec<u8> {
    let zeros = vec![0; body_bytes];
    let mut record = Vec::with_capacity(HEAD_BYTES + body_bytes);
    append(&mut record, id, &zeros);
    record[3] |= (ERASED >> 24) as u8;
    record
}

/// Reads the record whose head is at `at`; `None` if there is no whole one.
pub fn record_at(segment: &[u8], at: usize) -> Option<Record<'_>> {
    let (length, rest) = segment.get(at..)?.split_first_chunk::<4>()?;
    let (id, rest) = rest.split_first_chunk::<32>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length);
    let (erased, length) = (length & ERASED != 0, (length & !ERASED) as usize);
    if length == 0 || ATTESTATION_BYTES_MAX < length {
        return None;
    }
    let body = rest.get(..length)?;
    // A body is never all zeros, a tombstone always: one flipped bit makes neither of the other.
    let whole = crc32c::crc32c(body) == u32::from_le_bytes(*crc)
        && (!erased || body.iter().all(|byte| *byte == 0));
    whole.then_some(Record { at, id: ContentId::from_bytes(*id), erased, body })
}

/// Walks through a segment's pieces in order; together they cover it.
pub fn scan(segment: &[u8]) -> Scan<'_> {
    Scan { segment, at: 0 }
}

/// The iterator of [`scan`].
#[derive(Clone, Debug)]
pub struct Scan<'a> {
    segment: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Scan<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let at = self.at;
        if at == self.segment.len() {
            return None;
        }
        if let Some(record) = record_at(self.segment, at) {
            self.at = record.end();
            return Some(Piece::Record(record));
        }
        let next = (at + 1..self.segment.len()).find(|at| record_at(self.segment, *at).is_some());
        self.at = next.unwrap_or(self.segment.len());
        Some(match next {
            Some(end) => Piece::Damaged { at, end },
            None => Piece::Torn { at },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn segment() -> Vec<u8> {
        let mut segment = Vec::new();
        for body in [b"body one".as_slice(), b"body number two", b"three"] {
            append(&mut segment, &ContentId::of(body), body);
        }
        segment
    }

    #[test]
    fn a_flipped_bit_makes_no_record_an_erased_one() {
        let mut segment = Vec::new();
        append(&mut segment, &ContentId::of(b"one"), b"one");
        segment[3] |= 0x80;
        assert_eq!(record_at(&segment, 0), None);
        let stone = tombstone(&ContentId::of(b"one"), 3);
        assert!(record_at(&stone, 0).is_some_and(|record| record.erased));
    }

    #[test]
    fn a_tombstone_keeps_every_offset() {
        let mut segment = segment();
        let Some(Piece::Record(second)) = scan(&segment).nth(1) else { unreachable!() };
        let (at, end, id) = (second.at, second.end(), second.id);
        assert_eq!(id, ContentId::of(second.body));
        let stone = tombstone(&id, second.body.len());
        segment[at..end].copy_from_slice(&stone);
        let pieces: Vec<_> = scan(&segment).collect();
        let Piece::Record(erased) = pieces[1] else { unreachable!() };
        assert!(erased.erased && erased.id == id && erased.end() == end);
        assert!(erased.body.iter().all(|byte| *byte == 0));
        assert!(matches!(pieces[2], Piece::Record(record) if record.body == b"three"));
    }

    #[test]
    fn torn_and_damaged_are_told_apart() {
        let segment = segment();
        for length in 1..segment.len() {
            let damaged = |piece| matches!(piece, Piece::Damaged { .. });
            assert!(!scan(&segment[..length]).any(damaged), "{length}");
        }
        let mut bad = segment.clone();
        bad[90] ^= 1; // in the second body
        let pieces: Vec<_> = scan(&bad).collect();
        assert!(matches!(pieces[0], Piece::Record(record) if record.end() == 48));
        assert_eq!(pieces[1], Piece::Damaged { at: 48, end: 103 });
        assert!(matches!(pieces[2], Piece::Record(record) if record.body == b"three"));
    }

    proptest! {
        #[test]
        fn scan_never_panics(segment in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(scan(&segment).count() <= segment.len());
        }
    }
}
