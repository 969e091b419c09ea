//! Records in append-only files that only one program reads: spools, intents, histories.
//!
//! A record is `u32 LE length | u32 LE CRC32C of the bytes | bytes`. Invariants: an empty record
//! does not exist, so a zero-filled tail is no record; a scan never skips damage silently; what a
//! crash can leave (an unfinished last record) is told apart from what only a fault can.

/// Bytes before a record's content.
pub const HEAD_BYTES: usize = 8;

/// Longest content: an attestation of 1 MiB with room for what a file keeps beside it.
pub const CONTENT_BYTES_MAX: usize = 2 << 20;

/// Appends one record to `file`.
///
/// # Panics
/// If `content` is empty or longer than [`CONTENT_BYTES_MAX`]: callers bound what they keep.
pub fn append(file: &mut Vec<u8>, content: &[u8]) {
    assert!(
        !content.is_empty() && content.len() <= CONTENT_BYTES_MAX,
        "a record holds 1 to {CONTENT_BYTES_MAX} bytes, not {}",
        content.len()
    );
    file.reserve(HEAD_BYTES + content.len());
    file.extend((content.len() as u32).to_le_bytes());
    file.extend(crc32c::crc32c(content).to_le_bytes());
    file.extend(content);
}

/// One stretch of a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Piece<'a> {
    /// A whole record that starts at `at`.
    Record {
        /// Offset of its head.
        at: usize,
        /// Its content.
        content: &'a [u8],
    },
    /// Bytes that are no record but have whole records after them: a fault of disk or hand.
    Damaged {
        /// Offset of the first.
        at: usize,
        /// Offset after the last, where the next record starts.
        end: usize,
    },
    /// Bytes at the end that are no record: what a crash leaves. Truncate the file to `at`.
    Torn {
        /// Offset of the first.
        at: usize,
    },
}

/// Walks through a file's pieces in order; together they cover it.
pub fn scan(file: &[u8]) -> Scan<'_> {
    Scan { file, at: 0 }
}

/// The iterator of [`scan`].
#[derive(Clone, Debug)]
pub struct Scan<'a> {
    file: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Scan<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let at = self.at;
        if at == self.file.len() {
            return None;
        }
        if let Some(content) = record_at(self.file, at) {
            self.at = at + HEAD_BYTES + content.len();
            return Some(Piece::Record { at, content });
        }
        let next = (at + 1..self.file.len()).find(|next| record_at(self.file, *next).is_some());
        self.at = next.unwrap_or(self.file.len());
        Some(match next {
            Some(end) => Piece::Damaged { at, end },
            None => Piece::Torn { at },
        })
    }
}

/// The content of the record whose head is at `at`, if it is whole.
fn record_at(file: &[u8], at: usize) -> Option<&[u8]> {
    let (length, rest) = file.get(at..)?.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length == 0 || CONTENT_BYTES_MAX < length {
        return None;
    }
    let content = rest.get(..length)?;
    (crc32c::crc32c(content) == u32::from_le_bytes(*crc)).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn contents(file: &[u8]) -> Vec<&[u8]> {
        let records = scan(file).filter_map(|piece| match piece {
            Piece::Record { content, .. } => Some(content),
            _ => None,
        });
        records.collect()
    }

    fn three() -> Vec<u8> {
        let mut file = Vec::new();
        for content in [b"one".as_slice(), b"second", b"the third"] {
            append(&mut file, content);
        }
        file
    }

    #[test]
    fn every_truncation_loses_only_the_records_it_cuts() {
        let file = three();
        for length in 0..file.len() {
            let cut = &file[..length];
            let whole = [11, 25, 42].iter().filter(|end| **end <= length).count();
            assert_eq!(contents(cut).len(), whole, "{length}");
            let last = scan(cut).last();
            let clean = [0, 11, 25].contains(&length);
            assert_eq!(matches!(last, Some(Piece::Torn { .. })), !clean, "{length}");
            assert!(!scan(cut).any(|piece| matches!(piece, Piece::Damaged { .. })));
        }
        let mut zeros = file.clone();
        zeros.extend([0; 40]);
        assert_eq!(scan(&zeros).last(), Some(Piece::Torn { at: file.len() }));
    }

    #[test]
    fn damage_in_the_middle_is_told_and_the_rest_is_kept() {
        let file = three();
        for at in 11..25 {
            let mut bad = file.clone();
            bad[at] ^= 0x10;
            assert_eq!(contents(&bad), [b"one".as_slice(), b"the third"], "{at}");
            assert_eq!(scan(&bad).nth(1), Some(Piece::Damaged { at: 11, end: 25 }), "{at}");
        }
    }

    proptest! {
        #[test]
        fn pieces_cover_any_file(file in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut at = 0;
            for piece in scan(&file) {
                let (start, end) = match piece {
                    Piece::Record { at, content } => (at, at + HEAD_BYTES + content.len()),
                    Piece::Damaged { at, end } => (at, end),
                    Piece::Torn { at } => (at, file.len()),
                };
                prop_assert_eq!(start, at);
                prop_assert!(at < end);
                at = end;
            }
            prop_assert_eq!(at, file.len());
        }
    }
}
