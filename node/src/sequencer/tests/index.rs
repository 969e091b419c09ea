//! An index that is not of these files: what it says of bodies is never believed.

use super::*;
use crate::index::{Batch, Covers, LogKey};

/// A log of entry 0, and its index.
fn logged() -> (SimDisk, Arc<MemoryIndex>) {
    let (disk, index) = (new_disk(), Arc::new(MemoryIndex::default()));
    let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
    sequencer.store(&Stock::new().candidates(0..1)).unwrap();
    sequencer.sequence(NOW).unwrap();
    (disk, index)
}

/// The log under this index takes facility 1 for new and logs it.
fn takes_what_it_lacks(disk: &SimDisk, index: &Arc<MemoryIndex>) {
    let mut sequencer = started(disk, index, Policy::none()).unwrap();
    let new = Stock::new().candidates(1..2);
    let outcomes = sequencer.store(&new).unwrap();
    assert_eq!(outcomes, [Outcome::Stored { id: new[0].id(), known: false }]);
    sequencer.sequence(NOW).unwrap();
    assert_eq!(sequencer.head.size, 2);
    assert!(sequencer.shared.own_body(&new[0].id()).unwrap().is_some());
}

#[test]
fn an_index_that_knows_bodies_stored_after_these_packs_is_built_again() {
    let (disk, index) = logged();
    let old = disk.copy();
    let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
    sequencer.store(&Stock::new().candidates(1..2)).unwrap();
    drop(sequencer);
    // Head and covers agree: only the packs are older than what the index says of them.
    takes_what_it_lacks(&old, &index);
}

#[test]
fn an_index_that_knows_how_far_the_packs_go_and_no_record_of_them_is_built_again() {
    let (disk, _) = logged();
    let sequencer = open(&disk, &Arc::default(), Policy::none()).unwrap();
    let (head, packs, log) = (sequencer.head, sequencer.consumed, sequencer.shared.log);
    drop(sequencer);
    let index = Arc::new(MemoryIndex::default());
    let catalogue = Catalogue::new(index.clone());
    let theirs = &Stock::new().facilities[1];
    let mut changes = Batch::default();
    changes.put_covers(log, Covers { head, packs });
    changes.put_identity(&theirs.identity().key, &theirs.id());
    changes.put_body(LogKey::of("sim/theirs/1"), &theirs.id(), place());
    catalogue.write(changes).unwrap();
    takes_what_it_lacks(&disk, &index);
}

#[test]
fn an_index_of_another_copy_of_this_log_is_built_again() {
    let (disk, _) = logged();
    let other = new_disk();
    let index = Arc::new(MemoryIndex::default());
    let mut sequencer = started(&other, &index, Policy::none()).unwrap();
    // The same entry after a body that this copy never had.
    let stock = Stock::new();
    sequencer.store(&stock.candidates(1..2)).unwrap();
    let (head, packs) = {
        let ours = open(&disk, &Arc::default(), Policy::none()).unwrap();
        (ours.head, ours.consumed)
    };
    let mut changes = Batch::default();
    changes.put_covers(sequencer.shared.log, Covers { head, packs });
    sequencer.shared.catalogue.write(changes).unwrap();
    drop(sequencer);
    takes_what_it_lacks(&disk, &index);
}

#[test]
fn an_index_of_these_files_is_kept() {
    let (disk, index) = logged();
    let mark = |index: &Arc<MemoryIndex>| {
        Catalogue::new(index.clone()).identity(&[9; 32]).unwrap().is_some()
    };
    let mut changes = Batch::default();
    changes.put_identity(&[9; 32], &Stock::new().facilities[5].id());
    Catalogue::new(index.clone()).write(changes).unwrap();
    for _ in 0..2 {
        started(&disk, &index, Policy::none()).unwrap();
        assert!(mark(&index));
    }
    // Also one that was built from the files, and one of an empty log.
    let built = Arc::new(MemoryIndex::default());
    started(&disk, &built, Policy::none()).unwrap();
    assert!(!mark(&built));
    let sequencer = open(&disk, &built, Policy::none()).unwrap();
    let Shared { log, catalogue, packs, .. } = &*sequencer.shared;
    assert!(catalogue.is_of_packs(*log, packs).unwrap());
    let empty = open(&new_disk(), &Arc::default(), Policy::none()).unwrap();
    let Shared { log, catalogue, packs, .. } = &*empty.shared;
    assert!(catalogue.is_of_packs(*log, packs).unwrap());
}

fn place() -> crate::store::pack::PackPlace {
    crate::store::pack::PackPlace { segment: 0, offset: 0, length: 9 }
}
