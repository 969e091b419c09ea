//! The head of the own log in two alternating slots, outside DATA and in no backup.
//!
//! Invariants: a swap happens only from the value last read; one slot always holds a whole head,
//! because a swap replaces the older one; each slot is replaced whole, so that whoever reads beside
//! a running node never sees half of one; a head names its log, so that one from elsewhere shows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::head::{Head, Slot};

use super::disk::{Disk, DiskError, OnPath};
use crate::mutants::mutant;

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
            let slot = Slot::new(sequence, Head::EMPTY, &self.origin);
            self.disk.replace(path, &slot.encode()).on("write", path)?;
        }
        Ok(())
    }

    /// The newest whole head, durable whatever process wrote it.
    pub fn load(&self) -> Result<Head, HeadError> {
        self.disk.settle_dir(&self.dir).on("sync", &self.dir)?;
        Ok(self.newest()?.1.head)
    }

    /// Replaces `from` by `to`, durably, or fails and changes nothing that was whole.
    pub fn swap(&self, from: Head, to: Head) -> Result<(), HeadError> {
        let (slot, newest) = self.newest()?;
        if newest.head != from && !mutant("head-unchecked") {
            return Err(HeadError::Moved { expected: from.size, found: newest.head.size });
        }
        let path = &self.slots[1 - slot];
        let bytes = Slot::new(newest.sequence + 1, to, &self.origin).encode();
        Ok(self.disk.replace(path, &bytes).on("write", path)?)
    }

    /// Writes this head into both slots, whatever they hold, the older one first. Only a restore
    /// does this, which has asked what this log signed last.
    pub(crate) fn put_back(&self, head: Head) -> Result<(), HeadError> {
        let (newest, sequence) = match self.newest() {
            Ok((_, slot)) if slot.head == head && self.unfit()?.is_empty() => return Ok(()),
            Ok((at, slot)) => (at, slot.sequence + 1),
            Err(HeadError::Missing { .. }) => (0, 0),
            Err(error) => return Err(error),
        };
        self.disk.create_dir_all(&self.dir).on("make", &self.dir)?;
        for (sequence, at) in (sequence..).zip([1 - newest, newest]) {
            let bytes = Slot::new(sequence, head, &self.origin).encode();
            self.disk.replace(&self.slots[at], &bytes).on("write", &self.slots[at])?;
        }
        Ok(())
    }

    /// Slots that are missing or damaged: the next swaps write them anew.
    pub fn unfit(&self) -> Result<Vec<PathBuf>, HeadError> {
        let mut unfit = Vec::new();
        for path in &self.slots {
            let bytes = self.disk.read(path).on("read", path)?;
            if bytes.as_deref().and_then(Slot::parse).is_none() {
                unfit.push(path.clone());
            }
        }
        Ok(unfit)
    }

    fn newest(&self) -> Result<(usize, Slot), HeadError> {
        let mut newest: Option<(usize, Slot)> = None;
        for (slot, path) in self.slots.iter().enumerate() {
            let Some(bytes) = self.disk.read(path).on("read", path)? else {
                continue;
            };
            let Some(found) = Slot::parse(&bytes) else {
                continue;
            };
            if !found.is_of(&self.origin) {
                let (dir, origin) = (self.dir.clone(), self.origin.clone());
                return Err(HeadError::Foreign { dir, origin });
            }
            if newest.as_ref().is_none_or(|(_, other)| other.sequence < found.sequence) {
                newest = Some((slot, found));
            }
        }
        newest.ok_or_else(|| HeadError::Missing { dir: self.dir.clone() })
    }
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::head::SLOT_BYTES;

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
            assert_eq!(found, head(1), "bit {bit}");
            assert_eq!(slots(&disk).unfit().unwrap(), [Path::new("/head/slot-b")]);
            slots(&disk).swap(head(1), head(2)).unwrap();
            assert!(slots(&disk).unfit().unwrap().is_empty(), "the swap mends it");
        }
    }
}
