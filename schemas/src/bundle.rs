//! Evidence bundles (`.hallmark`): what a stranger needs to check a matter offline, in one file.
//!
//! A bundle is a CBOR sequence: a header `{"v", "as_of", "network"}`, then items `[type, bytes]`
//! with types in the order of [`ItemType`]. Invariants: items never go back in type, checkpoints and
//! entries never in their log, and none comes twice; nothing is allocated from a claimed length; a
//! reader holds one item at a time, and of those before it 16 bytes each. Nothing in a bundle is
//! true because it is there: every item is checked against keys, trees and ids by whoever reads it.

mod reader;

use minicbor::{Decoder, Encoder};

use crate::attestation::{ATTESTATION_BYTES_MAX, ContentId};
use crate::defect::DEFECT_BYTES_MAX;
use crate::entry::{ENTRY_BYTES, Entry};
use crate::time::Timestamp;

pub use reader::{Piece, Reader};

/// Version of the format.
pub const BUNDLE_VERSION: u64 = 1;
/// Most entries of one item: 4,096 * 41 bytes is 164 KiB.
pub const ENTRIES_MAX: usize = 4096;
/// Longest header, and longest item but a defect proof: an attestation, or a network file, with room
/// for its head.
pub const ITEM_BYTES_MAX: usize = ATTESTATION_BYTES_MAX + 256;
/// Most receipts of one foreign statement.
pub const FOREIGN_RECEIPTS_MAX: usize = 16;
/// Longest item with a defect proof.
pub const DEFECT_ITEM_BYTES_MAX: usize = DEFECT_BYTES_MAX + 256;
/// Most items: a reader keeps 16 bytes of each, 256 MiB for all.
pub const ITEMS_MAX: u64 = 1 << 24;
/// Longest bundle: as many items of 16 KiB.
pub const BUNDLE_BYTES_MAX: u64 = ITEMS_MAX << 14;
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
    /// What its holder has in place of a body that a log has an entry of.
    Damaged {
        /// The attestation as it was logged.
        id: ContentId,
        /// SHA-256 of the bytes that are held instead: not that id.
        held: ContentId,
    },
    /// A defect proof, about any log: see [`crate::defect`].
    Defect(Vec<u8>),
    /// The end of every bundle: without it, it is cut off.
    End {
        /// How many items are before it.
        items: u64,
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
    /// [`Item::Damaged`].
    Damaged = 7,
    /// [`Item::Defect`].
    Defect = 8,
    /// [`Item::End`].
    End = 15,
}

impl ItemType {
    const ALL: [ItemType; 10] = [
        ItemType::Checkpoint,
        ItemType::Entries,
        ItemType::Identity,
        ItemType::Body,
        ItemType::Receipt,
        ItemType::Proof,
        ItemType::Foreign,
        ItemType::Damaged,
        ItemType::Defect,
        ItemType::End,
    ];

    /// Longest item of this type.
    const fn bytes_max(self) -> usize {
        match self {
            ItemType::Defect => DEFECT_ITEM_BYTES_MAX,
            _ => ITEM_BYTES_MAX,
        }
    }
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
    #[error("the item at byte {at} has over {limit} bytes, the most that its type may have")]
    TooLong { limit: usize, at: u64 },
    #[error("at byte {at} the bundle is longer than {BUNDLE_BYTES_MAX} bytes")]
    TooLarge { at: u64 },
    #[error("at byte {at} the bundle has more than {ITEMS_MAX} items")]
    TooMany { at: u64 },
    #[error("the item at byte {at} comes after items that belong behind it")]
    Order { at: u64 },
    #[error("the item at byte {at} was there before")]
    Repeated { at: u64 },
    #[error("the bundle is cut off in the item at byte {at}")]
    Cut { at: u64 },
    #[error("the bundle is cut off in its header: it ends after {bytes} bytes")]
    CutHeader { bytes: usize },
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
            Item::Damaged { .. } => ItemType::Damaged,
            Item::Defect(_) => ItemType::Defect,
            Item::End { .. } => ItemType::End,
        }
    }

    /// The item's bytes in a bundle.
    ///
    /// # Panics
    /// If it holds more than [`ENTRIES_MAX`] entries: whoever writes a bundle cuts them.
    pub fn encode(&self) -> Vec<u8> {
        let content = match self {
            Item::Checkpoint(bytes)
            | Item::Identity(bytes)
            | Item::Body(bytes)
            | Item::Defect(bytes) => bytes.clone(),
            Item::Entries { origin, first, entries } => encode_entries(origin, *first, entries),
            Item::End { items } => items.to_be_bytes().to_vec(),
            Item::Receipt { id, receipt: proof } | Item::Proof { id, proof } => {
                [id.bytes().as_slice(), proof].concat()
            }
            Item::Foreign { statement, receipts } => encode_foreign(statement, receipts),
            Item::Damaged { id, held } => [*id.bytes(), *held.bytes()].concat(),
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
            ItemType::Damaged => {
                let (id, held) = content.split_first_chunk::<32>()?;
                let [id, held] = [*id, held.try_into().ok()?].map(ContentId::from_bytes);
                (id != held).then_some(Item::Damaged { id, held })?
            }
            ItemType::Defect => Item::Defect(content.to_vec()),
            ItemType::End => Item::End { items: u64::from_be_bytes(content.try_into().ok()?) },
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

#[cfg(test)]
mod tests;
