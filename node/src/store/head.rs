//! The head of the own log in two alternating slots, outside DATA and in no backup.
//!
//! Invariants: a swap happens only from the value last read; one slot always holds a whole head,
//! because a swap overwrites the older one; a head names its log, so that one from elsewhere shows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::merkle::{EMPTY_ROOT, Hash};
use sha2::{Digest, Sha256};

use super::disk::{Disk, DiskError, OnPath};

const MAGIC: &[u8; 8] = b"HMKHEAD1";
/// 8 magic, 8 sequence, 8 size, 32 root, 32 origin, 32 checksum.
const SLOT_BYTES: usize = 120;

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

/// Why there is no head to go on from. The node then signs nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HeadError {
    /// The operating system refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// No slot file, or none that holds a whole head.
    #[error("no head in {}: neither slot is there and whole", dir.display())]
    Missing {
        /// The folder of the slots.
        dir: PathBuf,
    },
    /// The slots belong to another log.
    #[error("the head in {} is of another log than {origin}", dir.display())]
    Foreign {
        /// The folder of the slots.
        dir: PathBuf,
        /// Our log.
        origin: String,
    },
    /// Somebody else swapped the head meanwhile.
    #[error("the head moved to size {found} under us, it was {expected}")]
    Moved {
        /// The size that was last read.
        expected: u64,
        /// The size that is there.
        found: u64,
    },
    /// `create` found a head.
    #[error("there is a head in {} already", dir.display())]
    Exists {
        /// The folder of the slots.
        dir: PathBuf,
    },
}

/// The two slots.
pub struct HeadSlots {
    disk: Arc<dyn Disk>,
    slots: [PathBuf; 2],
    dir: PathBuf,
    origin: String,
}

struct Slot {
    sequence: u64,
    head: Head,
}

impl HeadSlots {
    /// The slots of the log `origin`, two files of one folder (DIR/head).
    pub fn new(disk: Arc<dyn Disk>, slots: [PathBuf; 2], origin: &str) -> HeadSlots {
        let dir = slots[0].parent().map(Path::to_path_buf).unwrap_or_default();
        HeadSlots { disk, slots, dir, origin: origin.to_owned() }
    }

    /// Writes the head of an empty log. Only `init` does this, once in the life of a log.
    pub fn create(&self) -> Result<(), HeadError> {
        self.disk.create_dir_all(&self.dir).on("make", &self.dir)?;
        if self.slots.iter().any(|path| matches!(self.disk.read(path), Ok(Some(_)))) {
            return Err(HeadError::Exists { dir: self.dir.clone() });
        }
        for (sequence, path) in (0..).zip(&self.slots) {
            let bytes = self.encode(&Slot { sequence, head: Head::EMPTY });
            self.disk.replace(path, &bytes).on("write", path)?;
        }
        Ok(())
    }

    /// The newest whole head.
    pub fn load(&self) -> Result<Head, HeadError> {
        Ok(self.newest()?.1.head)
    }

    /// Replaces `from` by `to`, durably, or fails and changes nothing that was whole.
    pub fn swap(&self, from: Head, to: Head) -> Result<(), HeadError> {
        let (slot, newest) = self.newest()?;
        if newest.head != from {
            return Err(HeadError::Moved { expected: from.size, found: newest.head.size });
        }
        let path = &self.slots[1 - slot];
        let bytes = self.encode(&Slot { sequence: newest.sequence + 1, head: to });
        self.disk.write(path, &bytes).on("write", path)?;
        self.disk.sync(path).on("sync", path)?;
        // A slot that had gone missing was made anew: its name must be durable too.
        self.disk.sync_dir(&self.dir).on("sync", &self.dir)?;
        Ok(())
    }

    fn newest(&self) -> Result<(usize, Slot), HeadError> {
        let mut newest: Option<(usize, Slot)> = None;
        for (slot, path) in self.slots.iter().enumerate() {
            let Some(bytes) = self.disk.read(path).on("read", path)? else {
                continue;
            };
            let Some(found) = self.decode(&bytes)? else {
                continue;
            };
            if newest.as_ref().is_none_or(|(_, other)| other.sequence < found.sequence) {
                newest = Some((slot, found));
            }
        }
        newest.ok_or_else(|| HeadError::Missing { dir: self.dir.clone() })
    }

    fn origin_hash(&self) -> Hash {
        Sha256::digest(self.origin.as_bytes()).into()
    }

    fn encode(&self, slot: &Slot) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SLOT_BYTES);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&slot.sequence.to_le_bytes());
        bytes.extend_from_slice(&slot.head.size.to_le_bytes());
        bytes.extend_from_slice(&slot.head.root);
        bytes.extend_from_slice(&self.origin_hash());
        let checksum = Sha256::digest(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    /// `None` for a slot that is torn or damaged.
    fn decode(&self, bytes: &[u8]) -> Result<Option<Slot>, HeadError> {
        let Some((body, checksum)) = bytes.split_at_checked(SLOT_BYTES - 32) else {
            return Ok(None);
        };
        if !body.starts_with(MAGIC) || Sha256::digest(body).as_slice() != checksum {
            return Ok(None);
        }
        let number = |at: usize| {
            u64::from_le_bytes(body[at..at + 8].try_into().expect("eight bytes are eight bytes"))
        };
        let hash = |at: usize| -> Hash {
            body[at..at + 32].try_into().expect("thirty-two bytes are thirty-two bytes")
        };
        if hash(56) != self.origin_hash() {
            return Err(HeadError::Foreign { dir: self.dir.clone(), origin: self.origin.clone() });
        }
        Ok(Some(Slot { sequence: number(8), head: Head { size: number(16), root: hash(24) } }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sim::{SimDisk, Survives};

    fn slots(disk: &SimDisk) -> HeadSlots {
        slots_of(disk, "net/lei-1/1")
    }

    fn slots_of(disk: &SimDisk, origin: &str) -> HeadSlots {
        let slots = ["/head/slot-a", "/head/slot-b"].map(PathBuf::from);
        HeadSlots::new(Arc::new(disk.clone()), slots, origin)
    }

    fn head(size: u64) -> Head {
        Head { size, root: [size as u8; 32] }
    }

    #[test]
    fn a_swap_is_old_or_new_at_every_stop() {
        for survives in [Survives::Everything, Survives::Synced, Survives::HalfOfUnsynced] {
            for step in 0.. {
                let disk = SimDisk::default();
                slots(&disk).create().unwrap();
                slots(&disk).swap(Head::EMPTY, head(1)).unwrap();
                disk.stop_at(step);
                let done = slots(&disk).swap(head(1), head(2)).is_ok();
                let found = slots(&disk.after(survives)).load().unwrap();
                assert!(found == head(2) || !done && found == head(1), "step {step}: {found:?}");
                if !disk.stopped() {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_missing_a_foreign_and_a_moved_head_are_refused() {
        let disk = SimDisk::default();
        assert!(matches!(slots(&disk).load(), Err(HeadError::Missing { .. })));
        slots(&disk).create().unwrap();
        assert!(matches!(slots(&disk).create(), Err(HeadError::Exists { .. })));
        let other = slots_of(&disk, "net/lei-2/1");
        assert!(matches!(other.load(), Err(HeadError::Foreign { .. })));
        let moved = slots(&disk).swap(head(3), head(4));
        assert!(matches!(moved, Err(HeadError::Moved { expected: 3, found: 0 })));
    }

    #[test]
    fn each_flipped_bit_of_the_newest_slot_leaves_the_one_before() {
        for bit in 0..SLOT_BYTES * 8 {
            let disk = SimDisk::default();
            slots(&disk).create().unwrap();
            slots(&disk).swap(Head::EMPTY, head(1)).unwrap();
            slots(&disk).swap(head(1), head(2)).unwrap();
            disk.corrupt(Path::new("/head/slot-b"), |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let found = slots(&disk).load().unwrap();
            assert!(found == head(1) || found == head(2), "bit {bit}: {found:?}");
        }
    }
}
