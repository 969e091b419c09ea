//! Evidence bundles (`.hallmark`): what a stranger needs to check a matter offline, in one file.
//!
//! A bundle is a CBOR sequence: a header `{"v", "as_of", "network"}`, then items `[type, bytes]`
//! with types in the order of [`ItemType`]. Invariants: items never go back in type; nothing is
//! allocated from a claimed length; a reader holds one item at a time. Nothing in a bundle is true
//! because it is there: every item is checked against keys, trees and ids by whoever reads it.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use crate::attestation::{ATTESTATION_BYTES_MAX, ContentId};
use crate::entry::{ENTRY_BYTES, Entry};
use crate::time::Timestamp;

/// Version of the format.
pub const BUNDLE_VERSION: u64 = 1;
/// Most entries of one item: 4,096 * 41 bytes is 164 KiB.
pub const ENTRIES_MAX: usize = 4096;
/// Longest item: an attestation, or a network file, with room for its head.
pub const ITEM_BYTES_MAX: usize = ATTESTATION_BYTES_MAX + 256;
/// Most receipts of one foreign statement.
pub const FOREIGN_RECEIPTS_MAX: usize = 16;
/// Longest origin of a log, as in checkpoints.
pub const ORIGIN_BYTES_MAX: usize = 255;

/// The first element of a bundle.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    /// The instant that the bundle speaks for.
    pub as_of: Timestamp,
    /// The network file, as signed.
    pub network: Vec<u8>,
}

/// One item.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Item {
    /// A checkpoint of a log with all signature lines; its text names the log. Several of one log
    /// date its entries.
    Checkpoint(Vec<u8>),
    /// Consecutive entries of a log.
    Entries {
        /// The log.
        origin: String,
        /// Index of the first.
        first: u64,
        /// The entries.
        entries: Vec<Entry>,
    },
    /// An attestation of an identity kind, which keys and roles rest on.
    Identity(Vec<u8>),
    /// An attestation that the bundle is about.
    Body(Vec<u8>),
    /// A COSE receipt of an entry.
    Receipt {
        /// Which attestation.
        id: ContentId,
        /// The receipt.
        receipt: Vec<u8>,
    },
    /// A proof of an entry of a log that another keeps: `tlog-proof` text.
    Proof {
        /// Which attestation.
        id: ContentId,
        /// The proof.
        proof: Vec<u8>,
    },
    /// A signed statement of another system (RFC 9943) with its receipts, as they were received.
    Foreign {
        /// The statement.
        statement: Vec<u8>,
        /// Its receipts, at most [`FOREIGN_RECEIPTS_MAX`].
        receipts: Vec<Vec<u8>>,
    },
}

/// Types of items, in the order that a bundle has them.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[repr(u8)]
pub enum ItemType {
    /// [`Item::Checkpoint`].
    Checkpoint = 0,
    /// [`Item::Entries`].
    Entries = 1,
    /// [`Item::Identity`].
    Identity = 2,
    /// [`Item::Body`].
    Body = 3,
    /// [`Item::Receipt`].
    Receipt = 4,
    /// [`Item::Proof`].
    Proof = 5,
    /// [`Item::Foreign`].
    Foreign = 6,
}

impl ItemType {
    const ALL: [ItemType; 7] = [
        ItemType::Checkpoint,
        ItemType::Entries,
        ItemType::Identity,
        ItemType::Body,
        ItemType::Receipt,
        ItemType::Proof,
        ItemType::Foreign,
    ];
}

/// Why bytes are no bundle. `at` counts from the start of the file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message says what its variant means")]
pub enum BundleError {
    #[error("not a Hallmark bundle: a header of version {BUNDLE_VERSION} is expected at byte {at}")]
    Header { at: u64 },
    #[error("no whole item at byte {at}: the {field} is wrong")]
    Item { field: &'static str, at: u64 },
    #[error("the item at byte {at} is longer than {ITEM_BYTES_MAX} bytes")]
    TooLong { at: u64 },
    #[error("the item at byte {at} comes after items of a later type")]
    Order { at: u64 },
    #[error("the bundle is cut off in the item at byte {at}")]
    Cut { at: u64 },
}

impl Header {
    /// The bytes a bundle starts with.
    pub fn encode(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::with_capacity(self.network.len() + 32));
        let written = e
            .map(3)
            .and_then(|e| e.str("v")?.u64(BUNDLE_VERSION))
            .and_then(|e| e.str("as_of")?.u64(self.as_of.unix_ms()))
            .and_then(|e| e.str("network")?.bytes(&self.network));
        written.expect("writing to memory does not fail");
        e.into_writer()
    }

    fn parse(d: &mut Decoder<'_>) -> Result<Header, minicbor::decode::Error> {
        let wrong = || minicbor::decode::Error::message("not a header");
        let key = |d: &mut Decoder<'_>, name| match d.str()? {
            text if text == name => Ok(()),
            _ => Err(wrong()),
        };
        d.map()?.filter(|count| *count == 3).ok_or_else(wrong)?;
        key(d, "v")?;
        Some(d.u64()?).filter(|v| *v == BUNDLE_VERSION).ok_or_else(wrong)?;
        key(d, "as_of")?;
        let as_of = Timestamp::try_from_unix_ms(d.u64()?).ok_or_else(wrong)?;
        key(d, "network")?;
        Ok(Header { as_of, network: d.bytes()?.to_vec() })
    }
}

impl Item {
    /// Its type.
    pub fn item_type(&self) -> ItemType {
        match self {
            Item::Checkpoint(_) => ItemType::Checkpoint,
            Item::Entries { .. } => ItemType::Entries,
            Item::Identity(_) => ItemType::Identity,
            Item::Body(_) => ItemType::Body,
            Item::Receipt { .. } => ItemType::Receipt,
            Item::Proof { .. } => ItemType::Proof,
            Item::Foreign { .. } => ItemType::Foreign,
        }
    }

    /// The item's bytes in a bundle.
    ///
    /// # Panics
    /// If it holds more than [`ENTRIES_MAX`] entries: whoever writes a bundle cuts them.
    pub fn encode(&self) -> Vec<u8> {
        let content = match self {
            Item::Checkpoint(bytes) | Item::Identity(bytes) | Item::Body(bytes) => bytes.clone(),
            Item::Entries { origin, first, entries } => encode_entries(origin, *first, entries),
            Item::Receipt { id, receipt: proof } | Item::Proof { id, proof } => {
                [id.bytes().as_slice(), proof].concat()
            }
            Item::Foreign { statement, receipts } => encode_foreign(statement, receipts),
        };
        let mut e = Encoder::new(Vec::with_capacity(content.len() + 8));
        let written =
            e.array(2).and_then(|e| e.u8(self.item_type() as u8)).and_then(|e| e.bytes(&content));
        written.expect("writing to memory does not fail");
        e.into_writer()
    }

    fn parse(item_type: ItemType, content: &[u8]) -> Option<Item> {
        Some(match item_type {
            ItemType::Checkpoint => Item::Checkpoint(content.to_vec()),
            ItemType::Identity => Item::Identity(content.to_vec()),
            ItemType::Body => Item::Body(content.to_vec()),
            ItemType::Receipt => {
                let (id, receipt) = content.split_first_chunk::<32>()?;
                Item::Receipt { id: ContentId::from_bytes(*id), receipt: receipt.to_vec() }
            }
            ItemType::Proof => {
                let (id, proof) = content.split_first_chunk::<32>()?;
                Item::Proof { id: ContentId::from_bytes(*id), proof: proof.to_vec() }
            }
            ItemType::Entries => parse_entries(content)?,
            ItemType::Foreign => parse_foreign(content)?,
        })
    }
}

fn encode_foreign(statement: &[u8], receipts: &[Vec<u8>]) -> Vec<u8> {
    let mut e = Encoder::new(Vec::with_capacity(statement.len() + 64));
    let written = e
        .array(2)
        .and_then(|e| e.bytes(statement)?.array(receipts.len() as u64))
        .and_then(|e| receipts.iter().try_for_each(|receipt| e.bytes(receipt).map(drop)));
    written.expect("writing to memory does not fail");
    e.into_writer()
}

fn parse_foreign(content: &[u8]) -> Option<Item> {
    let mut d = Decoder::new(content);
    d.array().ok()?.filter(|count| *count == 2)?;
    let statement = d.bytes().ok()?.to_vec();
    let count = d.array().ok()?.filter(|count| *count <= FOREIGN_RECEIPTS_MAX as u64)?;
    let receipts = (0..count).map(|_| d.bytes().ok().map(<[u8]>::to_vec));
    let receipts = receipts.collect::<Option<Vec<_>>>()?;
    (d.position() == content.len()).then_some(Item::Foreign { statement, receipts })
}

fn encode_entries(origin: &str, first: u64, entries: &[Entry]) -> Vec<u8> {
    assert!(entries.len() <= ENTRIES_MAX, "an item holds at most {ENTRIES_MAX} entries");
    let bytes: Vec<u8> = entries.iter().flat_map(|entry| entry.to_bytes()).collect();
    let mut e = Encoder::new(Vec::with_capacity(bytes.len() + 300));
    let written = e
        .array(3)
        .and_then(|e| e.str(origin))
        .and_then(|e| e.u64(first))
        .and_then(|e| e.bytes(&bytes));
    written.expect("writing to memory does not fail");
    e.into_writer()
}

fn parse_entries(content: &[u8]) -> Option<Item> {
    let mut d = Decoder::new(content);
    d.array().ok()?.filter(|count| *count == 3)?;
    let origin = d.str().ok().filter(|origin| origin.len() <= ORIGIN_BYTES_MAX)?.to_owned();
    let first = d.u64().ok()?;
    let bytes = d.bytes().ok()?;
    if d.position() != content.len() || ENTRIES_MAX * ENTRY_BYTES < bytes.len() {
        return None;
    }
    let chunks = bytes.chunks(ENTRY_BYTES);
    let entries = chunks.map(|chunk| Entry::parse(chunk).ok()).collect::<Option<Vec<_>>>()?;
    first.checked_add(entries.len() as u64)?;
    Some(Item::Entries { origin, first, entries })
}

/// What [`Reader::next`] found at the front of the bytes it was given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    /// The header, once, first.
    Header(Header),
    /// An item.
    Item(Item),
}

/// Reads a bundle piece by piece; the caller brings the bytes.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    at: u64,
    /// Type of the last item, once the header was read.
    last: Option<ItemType>,
    started: bool,
}

impl Reader {
    /// Takes the piece at the front of `bytes`: it and how many bytes it has, or `None` if more
    /// bytes are needed. The caller drops what was taken, and calls [`Reader::finish`] at the end.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<(Piece, usize)>, BundleError> {
        let at = self.at;
        let mut d = Decoder::new(bytes);
        let parsed = match self.started {
            false => Header::parse(&mut d).map(|header| Some(Piece::Header(header))),
            true => raw_item(&mut d).map(item_of),
        };
        let piece = match parsed {
            Ok(Some(piece)) => piece,
            Err(error) if error.is_end_of_input() => {
                return match ITEM_BYTES_MAX < bytes.len() {
                    true => Err(BundleError::TooLong { at }),
                    false => Ok(None),
                };
            }
            _ if !self.started => return Err(BundleError::Header { at }),
            _ => {
                return Err(BundleError::Item { field: "type or content", at });
            }
        };
        self.accept(&piece)?;
        let length = d.position();
        if ITEM_BYTES_MAX < length {
            return Err(BundleError::TooLong { at });
        }
        let again = match &piece {
            Piece::Header(header) => header.encode(),
            Piece::Item(item) => item.encode(),
        };
        if again != bytes[..length] {
            return Err(BundleError::Item { field: "encoding", at });
        }
        self.at += length as u64;
        Ok(Some((piece, length)))
    }

    /// Says whether the file may end here, with `left` bytes not taken.
    pub fn finish(&self, left: usize) -> Result<(), BundleError> {
        match (self.started, left) {
            (false, _) => Err(BundleError::Header { at: self.at }),
            (true, 0) => Ok(()),
            (true, _) => Err(BundleError::Cut { at: self.at }),
        }
    }

    fn accept(&mut self, piece: &Piece) -> Result<(), BundleError> {
        self.started = true;
        if let Piece::Item(item) = piece {
            if self.last.is_some_and(|last| item.item_type() < last) {
                return Err(BundleError::Order { at: self.at });
            }
            self.last = Some(item.item_type());
        }
        Ok(())
    }
}

fn item_of((number, content): (u8, &[u8])) -> Option<Piece> {
    let item_type = ItemType::ALL.into_iter().find(|known| *known as u8 == number)?;
    Item::parse(item_type, content).map(Piece::Item)
}

fn raw_item<'a>(d: &mut Decoder<'a>) -> Result<(u8, &'a [u8]), minicbor::decode::Error> {
    let wrong = || minicbor::decode::Error::message("not an item");
    d.array()?.filter(|count| *count == 2).ok_or_else(wrong)?;
    let item_type = d.u8()?;
    match d.datatype()? {
        Type::Bytes => Ok((item_type, d.bytes()?)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(number: u8) -> Entry {
        let id = ContentId::from_bytes([number; 32]);
        Entry { audience: number % 3, admitted_at: Timestamp::from_unix_ms(number.into()), id }
    }

    fn bundle() -> Vec<u8> {
        let header =
            Header { as_of: Timestamp::from_unix_ms(1_700_000_000_000), network: vec![1, 2] };
        let items = [
            Item::Checkpoint(b"note".to_vec()),
            Item::Entries {
                origin: "demo/x/1".into(),
                first: 3,
                entries: (3..9).map(entry).collect(),
            },
            Item::Identity(b"identity".to_vec()),
            Item::Body(b"body".to_vec()),
            Item::Body(b"body 2".to_vec()),
            Item::Receipt { id: ContentId::from_bytes([9; 32]), receipt: b"receipt".to_vec() },
            Item::Proof { id: ContentId::from_bytes([8; 32]), proof: b"proof".to_vec() },
            Item::Foreign { statement: b"theirs".to_vec(), receipts: vec![b"one".to_vec()] },
        ];
        let mut bytes = header.encode();
        items.iter().for_each(|item| bytes.extend(item.encode()));
        bytes
    }

    fn read(mut bytes: &[u8], step: usize) -> Result<Vec<Piece>, BundleError> {
        let (mut reader, mut held, mut pieces) = (Reader::default(), Vec::new(), Vec::new());
        loop {
            match reader.next(&held)? {
                Some((piece, length)) => {
                    pieces.push(piece);
                    held.drain(..length);
                }
                None if bytes.is_empty() => break,
                None => {
                    let (now, later) = bytes.split_at(step.min(bytes.len()));
                    held.extend(now);
                    bytes = later;
                }
            }
        }
        reader.finish(held.len())?;
        Ok(pieces)
    }

    #[test]
    fn pieces_come_back_whatever_the_chunks() {
        let whole = read(&bundle(), usize::MAX).unwrap();
        assert_eq!(whole.len(), 9);
        assert!(
            matches!(&whole[2], Piece::Item(Item::Entries { first: 3, entries, .. }) if entries.len() == 6)
        );
        for step in 1..20 {
            assert_eq!(read(&bundle(), step).as_ref(), Ok(&whole));
        }
    }

    #[test]
    fn a_cut_an_odd_order_and_another_file_are_told_apart() {
        let bytes = bundle();
        assert!(matches!(read(&bytes[..bytes.len() - 1], 64), Err(BundleError::Cut { .. })));
        let mut back = bytes.clone();
        back.extend(Item::Checkpoint(b"late".to_vec()).encode());
        let at = bytes.len() as u64;
        assert_eq!(read(&back, 64), Err(BundleError::Order { at }));
        assert_eq!(read(b"{\"json\": 1}", 64), Err(BundleError::Header { at: 0 }));
        assert_eq!(read(b"", 64), Err(BundleError::Header { at: 0 }));
        let mut huge = bytes;
        huge.extend([0x82, 0x03, 0x5b, 0, 0, 0, 1, 0, 0, 0, 0]);
        huge.extend(vec![0; ITEM_BYTES_MAX]);
        assert!(matches!(read(&huge, 4096), Err(BundleError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..200) {
            let _ = read(&bytes, 7);
            let mut mutated = bundle();
            let at = at % mutated.len();
            mutated[at..].iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
            let _ = read(&mutated, 50);
        }
    }
}
