//! What the sequencer is about to do, written down before it does it.
//!
//! Invariant: the file holds the last intent whole, or the one before; replaying it gives the same
//! entries, hence the same root, however far it had come.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::frame::{self, Piece};
use hallmark_schemas::time::Timestamp;

use super::StoreError;
use super::disk::{Disk, OnPath};
use super::head::Head;
use super::pack::PackPosition;

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

    fn encode(&self) -> Vec<u8> {
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
        bytes
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
}

/// The file of the last intent.
pub struct IntentFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl IntentFile {
    /// The intent at `path` (DATA/intent).
    pub fn new(disk: Arc<dyn Disk>, path: &Path) -> IntentFile {
        IntentFile { disk, path: path.to_path_buf() }
    }

    /// Returns once the intent is durable in place of the one before.
    pub fn save(&self, intent: &Intent) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, &intent.encode());
        Ok(self.disk.replace(&self.path, &bytes).on("write", &self.path)?)
    }

    /// The last intent; `None` if there never was one.
    pub fn load(&self) -> Result<Option<Intent>, StoreError> {
        let Some(bytes) = self.disk.read(&self.path).on("read", &self.path)? else {
            return Ok(None);
        };
        let intent = match frame::scan(&bytes).next() {
            Some(Piece::Record { content, .. }) => Intent::decode(content),
            _ => None,
        };
        match intent {
            Some(intent) => Ok(Some(intent)),
            None => Err(StoreError::damaged(&self.path, "it holds no whole intent")),
        }
    }
}
