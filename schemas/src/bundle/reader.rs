//! Reads a bundle piece by piece, whoever wrote it.
//!
//! Invariants: the limits of an item are checked at its head, before more bytes are asked for; what
//! is refused is refused with the byte where it begins.

use std::collections::BTreeSet;

use minicbor::Decoder;
use sha2::{Digest as _, Sha256};

use super::{BUNDLE_BYTES_MAX, BundleError, Header, ITEM_BYTES_MAX, ITEMS_MAX, Item, ItemType};
use crate::note::SignedNote;

/// Bytes before an item's content: array, type, and at most nine of the length.
const ITEM_HEAD_MAX: usize = 12;

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
    items: u64,
    /// The last checkpoint or run of entries: its log, and the size or the entry after the last.
    reached: Option<(String, u64)>,
    /// The first half of the SHA-256 of each item.
    seen: BTreeSet<[u8; 16]>,
}

impl Reader {
    /// Takes the piece at the front of `bytes`: it and how many bytes it has, or `None` if more
    /// bytes are needed. The caller drops what was taken, and calls [`Reader::finish`] at the end.
    pub fn next(&mut self, bytes: &[u8]) -> Result<Option<(Piece, usize)>, BundleError> {
        let found = if self.started { self.item(bytes)? } else { self.header(bytes)? };
        if let Some((_, length)) = &found {
            self.at += *length as u64;
            if BUNDLE_BYTES_MAX < self.at {
                return Err(BundleError::TooLarge { at: self.at });
            }
        }
        Ok(found)
    }

    /// Says whether the file may end here, with `left` bytes not taken.
    pub fn finish(&self, left: usize) -> Result<(), BundleError> {
        if !self.started {
            return Err(BundleError::CutHeader { bytes: left });
        }
        if self.last == Some(ItemType::End) && left == 0 {
            Ok(())
        } else {
            Err(BundleError::Cut { at: self.at })
        }
    }

    fn header(&mut self, bytes: &[u8]) -> Result<Option<(Piece, usize)>, BundleError> {
        let at = self.at;
        let mut d = Decoder::new(bytes);
        let header = match Header::parse(&mut d) {
            Ok(header) => header,
            Err(error) if error.is_end_of_input() && bytes.len() <= ITEM_BYTES_MAX => {
                return Ok(None);
            }
            Err(_) => return Err(BundleError::Header { at }),
        };
        let length = d.position();
        if ITEM_BYTES_MAX < length || header.encode() != bytes[..length] {
            return Err(BundleError::Header { at });
        }
        self.started = true;
        Ok(Some((Piece::Header(header), length)))
    }

    fn item(&mut self, bytes: &[u8]) -> Result<Option<(Piece, usize)>, BundleError> {
        let at = self.at;
        let wrong = |field| BundleError::Item { field, at };
        let Some((number, start, length)) = head(bytes).map_err(wrong)? else {
            return Ok(None);
        };
        let item_type = ItemType::ALL.into_iter().find(|known| *known as u8 == number);
        let item_type = item_type.ok_or(wrong("type"))?;
        let limit = item_type.bytes_max();
        let end = usize::try_from(length).ok().and_then(|length| length.checked_add(start));
        let end = end.filter(|end| *end <= limit).ok_or(BundleError::TooLong { limit, at })?;
        let Some(content) = bytes.get(start..end) else {
            return Ok(None);
        };
        let item = Item::parse(item_type, content).ok_or(wrong("content"))?;
        if item.encode() != bytes[..end] {
            return Err(wrong("encoding"));
        }
        self.accept(&item, &bytes[..end])?;
        Ok(Some((Piece::Item(item), end)))
    }

    fn accept(&mut self, item: &Item, bytes: &[u8]) -> Result<(), BundleError> {
        let at = self.at;
        let item_type = item.item_type();
        if self.last.is_some_and(|last| item_type < last) {
            return Err(BundleError::Order { at });
        }
        if self.last != Some(item_type) {
            self.reached = None;
        }
        self.last = Some(item_type);
        if let Item::End { items } = item
            && *items != self.items
        {
            return Err(BundleError::Item { field: "count of items before it", at });
        }
        self.items += 1;
        if ITEMS_MAX < self.items {
            return Err(BundleError::TooMany { at });
        }
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let half = *digest.first_chunk().expect("32 bytes begin with 16");
        if !self.seen.insert(half) {
            return Err(BundleError::Repeated { at });
        }
        let Some((origin, from, to)) = reach(item) else {
            return Ok(());
        };
        let follows = self
            .reached
            .as_ref()
            .is_none_or(|(log, reached)| *log < origin || (*log == origin && *reached <= from));
        self.reached = Some((origin, to));
        if follows { Ok(()) } else { Err(BundleError::Order { at }) }
    }
}

/// The log of a checkpoint or run of entries, where it begins and how far it reaches.
fn reach(item: &Item) -> Option<(String, u64, u64)> {
    match item {
        Item::Checkpoint(note) => {
            // What is no checkpoint is told of by whoever checks it.
            let checkpoint = SignedNote::parse(note).ok()?.checkpoint().ok()?;
            Some((checkpoint.origin, checkpoint.size, checkpoint.size))
        }
        Item::Entries { origin, first, entries } => {
            Some((origin.clone(), *first, first + entries.len() as u64))
        }
        _ => None,
    }
}

/// Type, begin and length of an item's content; `None` if its head is not whole.
fn head(bytes: &[u8]) -> Result<Option<(u8, usize, u64)>, &'static str> {
    let mut d = Decoder::new(&bytes[..bytes.len().min(ITEM_HEAD_MAX)]);
    let whole = |d: &mut Decoder<'_>| -> Result<Option<(u8, usize, u64)>, minicbor::decode::Error> {
        if d.array()? != Some(2) {
            return Ok(None);
        }
        let number = d.u8()?;
        let at = d.position();
        let first = *d.input().get(at).ok_or_else(minicbor::decode::Error::end_of_input)?;
        if first >> 5 != 2 {
            return Ok(None);
        }
        // The head of a byte string is that of an unsigned number but for its major type.
        let mut number_head = d.input()[at..].to_vec();
        number_head[0] &= 0x1f;
        let mut length = Decoder::new(&number_head);
        let value = length.u64()?;
        Ok(Some((number, at + length.position(), value)))
    };
    match whole(&mut d) {
        Ok(Some(found)) => Ok(Some(found)),
        Ok(None) => Err("head"),
        Err(error) if error.is_end_of_input() && bytes.len() < ITEM_HEAD_MAX => Ok(None),
        Err(_) => Err("head"),
    }
}
