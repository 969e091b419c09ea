//! All workloads of up to three operations of a log with a witness, under every fault of the disk, at
//! every step of it.
//!
//! A workload is here once: what changes nothing (a cosignature that nobody asked for) is no
//! operation. Shorter ones are the beginnings of the longer ones: each step of them is struck too.

use super::*;
use crate::store::sim::Strike;

/// What can be done next to a log of which so much waits and is unpublished.
fn workloads() -> Vec<[Act; 3]> {
    use Act::{Contradict, Cosign, Sequence, StoreOne, StoreTwo};
    let stores = [StoreOne, StoreTwo, Contradict];
    let mut all = Vec::new();
    for first in stores {
        for second in stores.into_iter().chain([Sequence]) {
            let last = if matches!(second, Sequence) { Cosign } else { Sequence };
            all.extend(stores.into_iter().chain([last]).map(|third| [first, second, third]));
        }
    }
    all
}

/// Starts again on what is durable, finishes, and holds it against what was told.
fn goes_on(disk: &SimDisk, index: &Arc<MemoryIndex>, stock: &Stock, mut told: Told, context: &str) {
    let after = disk.after(Survives::Synced);
    let mut sequencer =
        started(&after, index, witnessed()).unwrap_or_else(|| panic!("no start: {context}"));
    let finish = [Act::Cosign, Act::Sequence, Act::Cosign];
    perform(&mut sequencer, &finish, stock, &mut told)
        .unwrap_or_else(|error| panic!("{error}: {context}"));
    told.check(&sequencer, context);
}

#[test]
fn there_are_as_many_workloads_as_have_an_effect() {
    let all: BTreeSet<String> = workloads().iter().map(|acts| format!("{acts:?}")).collect();
    assert_eq!(all.len(), 48);
}

#[test]
fn no_stop_of_any_workload_before_its_quorum_loses_doubles_or_forks() {
    for acts in workloads() {
        stop_everywhere(&acts, &witnessed(), Survives::Synced, true);
        stop_everywhere(&acts, &witnessed(), Survives::HalfOfUnsynced, false);
    }
}

#[test]
fn no_failed_operation_of_any_workload_is_acknowledged_or_loses_what_was() {
    let stock = Stock::new();
    for acts in workloads() {
        for step in 0.. {
            let (disk, index) = (new_disk(), Arc::new(MemoryIndex::default()));
            let mut sequencer = started(&disk, &index, witnessed()).unwrap();
            disk.fail_at(step);
            let mut told = Told::default();
            let done = perform(&mut sequencer, &acts, &stock, &mut told);
            let context = format!("{acts:?} failed at step {step} ({})", disk.last());
            assert_eq!(done.is_err(), disk.failed(), "{context}");
            drop(sequencer);
            goes_on(&disk, &index, &stock, told, &context);
            if !disk.failed() {
                break;
            }
        }
    }
}

#[test]
fn no_disk_that_turns_read_only_in_any_workload_loses_what_was_acknowledged() {
    let stock = Stock::new();
    for acts in workloads() {
        for step in 0.. {
            let (disk, index) = (new_disk(), Arc::new(MemoryIndex::default()));
            let mut sequencer = started(&disk, &index, witnessed()).unwrap();
            disk.strike_at(step, Strike::ReadOnly);
            let mut told = Told::default();
            // What finds it read-only is the error, or the removal of what only takes room.
            let _ = perform(&mut sequencer, &acts, &stock, &mut told);
            let context = format!("{acts:?} read-only from step {step} ({})", disk.last());
            drop(sequencer);
            disk.set_read_only(false);
            goes_on(&disk, &index, &stock, told, &context);
            if disk.is_unstruck() {
                break;
            }
        }
    }
}

#[test]
fn a_disk_that_fills_in_any_workload_refuses_loses_nothing_and_goes_on_with_room() {
    let stock = Stock::new();
    for acts in workloads() {
        for step in 0.. {
            let (disk, index) = (new_disk(), Arc::new(MemoryIndex::default()));
            let mut sequencer = started(&disk, &index, witnessed()).unwrap();
            disk.strike_at(step, Strike::Full);
            let mut told = Told::default();
            let done = perform(&mut sequencer, &acts, &stock, &mut told);
            let context = format!("{acts:?} full from step {step} ({})", disk.last());
            disk.set_capacity(None);
            if done.as_ref().is_err_and(SequenceError::is_full) {
                // The same process goes on: everything it had acknowledged, and one more.
                let rest = [Act::Sequence, Act::Cosign, Act::Sequence, Act::Cosign];
                perform(&mut sequencer, &rest, &stock, &mut told)
                    .unwrap_or_else(|error| panic!("{error}: {context}"));
                let waiting = sequencer.pending.len();
                assert_eq!(waiting, 0, "{context}");
                told.check(&sequencer, &context);
            }
            drop(sequencer);
            goes_on(&disk, &index, &stock, told, &context);
            if disk.is_unstruck() {
                break;
            }
        }
    }
}
