//! What this log signed elsewhere, by another process under the same key, and what of it was given
//! up.
//!
//! Invariants: DATA/elsewhere is a checkpoint under this log's own signature that is not of the tree
//! here: as long as it is there, a check says so; DATA/given-up only grows, by a restore that found
//! a tree which no quorum cosigned.

use std::path::PathBuf;
use std::sync::Arc;

use hallmark_schemas::head::Head;
use hallmark_schemas::hex;
use hallmark_schemas::layout::Data;
use hallmark_schemas::note::SignedNote;

use super::StoreError;
use super::disk::{Disk, OnPath};

/// Most trees that are given up: each takes a restore.
const GIVEN_UP_MAX: usize = 4096;

/// The two files of one log.
pub struct Elsewhere {
    disk: Arc<dyn Disk>,
    newest: PathBuf,
    given_up: PathBuf,
}

impl Elsewhere {
    /// In DATA.
    pub fn new(disk: Arc<dyn Disk>, data: &Data) -> Elsewhere {
        Elsewhere { disk, newest: data.elsewhere(), given_up: data.given_up() }
    }

    /// Keeps the largest checkpoint that was signed elsewhere.
    pub fn keep(&self, note: &SignedNote) -> Result<(), StoreError> {
        let size = |note: &SignedNote| note.checkpoint().map_or(0, |checkpoint| checkpoint.size);
        if self.newest()?.is_some_and(|known| size(note) <= size(&known)) {
            return Ok(());
        }
        Ok(self.disk.replace(&self.newest, &note.to_bytes()).on("write", &self.newest)?)
    }

    /// That checkpoint, if one is known.
    pub fn newest(&self) -> Result<Option<SignedNote>, StoreError> {
        let bytes = self.disk.read(&self.newest).on("read", &self.newest)?;
        Ok(bytes.and_then(|bytes| SignedNote::parse(&bytes).ok()))
    }

    /// The log has it now, or gave it up.
    pub fn forget(&self) -> Result<(), StoreError> {
        Ok(self.disk.remove(&self.newest).on("remove", &self.newest)?)
    }

    /// Trees that were signed and given up; what is not whole of the file is none.
    pub fn given_up(&self) -> Result<Vec<Head>, StoreError> {
        let bytes = self.disk.read(&self.given_up).on("read", &self.given_up)?.unwrap_or_default();
        let text = String::from_utf8(bytes).unwrap_or_default();
        Ok(text.lines().filter_map(parse).take(GIVEN_UP_MAX).collect())
    }

    /// Adds one to them.
    pub fn give_up(&self, head: Head) -> Result<(), StoreError> {
        let mut all = self.given_up()?;
        if all.contains(&head) || GIVEN_UP_MAX <= all.len() {
            return Ok(());
        }
        all.push(head);
        let line = |head: &Head| format!("{} {}\n", head.size, hex::encode(&head.root));
        let text: String = all.iter().map(line).collect();
        Ok(self.disk.replace(&self.given_up, text.as_bytes()).on("write", &self.given_up)?)
    }
}

fn parse(line: &str) -> Option<Head> {
    let (size, root) = line.split_once(' ')?;
    Some(Head { size: size.parse().ok()?, root: hex::decode_array(root)? })
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::note::NoteSigner;

    use super::*;
    use crate::core::testing::log_signer;
    use crate::sequencer::publish::sign_checkpoint;
    use crate::store::sim::SimDisk;

    #[test]
    fn the_largest_is_kept_and_what_was_given_up_stays_so() {
        let disk = SimDisk::default();
        let elsewhere = Elsewhere::new(Arc::new(disk.clone()), &Data::new("/data"));
        assert_eq!(elsewhere.newest().unwrap(), None);
        let signer = NoteSigner::log("net/gln-1/1", log_signer()).unwrap();
        let note = |size| sign_checkpoint("net/gln-1/1", Head { size, root: [7; 32] }, &signer);
        for (size, kept) in [(5, 5), (3, 5), (9, 9)] {
            elsewhere.keep(&note(size).unwrap()).unwrap();
            let newest = elsewhere.newest().unwrap().expect("kept");
            assert_eq!(newest.checkpoint().unwrap().size, kept);
        }
        elsewhere.forget().unwrap();
        assert_eq!(elsewhere.newest().unwrap(), None);
        let heads = [Head { size: 5, root: [1; 32] }, Head { size: 5, root: [2; 32] }];
        for head in [heads[0], heads[1], heads[0]] {
            elsewhere.give_up(head).unwrap();
        }
        assert_eq!(elsewhere.given_up().unwrap(), heads);
        disk.replace(&Data::new("/data").given_up(), b"5 zz\nno\n").unwrap();
        assert_eq!(elsewhere.given_up().unwrap(), []);
    }
}
