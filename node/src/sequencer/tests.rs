//! Every small workload, stopped at every step, in three ways of stopping.
//!
//! After each start: what was acknowledged is in the log once, what was recorded is where it was,
//! every tree that was ever signed is a prefix of the tree, and the log goes on.

mod enumerated;
mod erasing;
mod faults;
mod goods;
mod index;
mod pacing;
mod renewal;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::history::KeyHistory;
use hallmark_schemas::layout::Data;
use hallmark_schemas::note::{NoteSigner, SignedNote};
use hallmark_schemas::pack;
use hallmark_schemas::policy::Policy;

use super::recover::Unfit;
use super::{Candidate, Outcome, SequenceError, Sequencer};
use crate::admission::keys::Keys;
use crate::core::shared::{Shared, Signing};
use crate::core::testing::{
    NOW, device, facility, log_signer, network, origin, readings, refusal, verified, witness,
    witnessed,
};
use crate::index::memory::MemoryIndex;
use crate::index::{Catalogue, Index};
use crate::store::disk::Disk;
use crate::store::head::HeadSlots;
use crate::store::pack::PackReader;
use crate::store::sim::{SimDisk, Survives};
use crate::store::tiles::Tiles;

fn slots() -> [PathBuf; 2] {
    ["/dir/head/slot-a", "/dir/head/slot-b"].map(PathBuf::from)
}

fn data() -> Data {
    Data::new("/dir/data")
}

fn new_disk() -> SimDisk {
    let disk = SimDisk::default();
    HeadSlots::new(Arc::new(disk.clone()), slots(), &origin()).create().unwrap();
    disk
}

fn open(disk: &SimDisk, index: &Arc<MemoryIndex>, policy: Policy) -> Result<Sequencer, Unfit> {
    let any: Arc<dyn Disk> = Arc::new(disk.clone());
    let index: Arc<dyn Index> = index.clone();
    let shared = Shared::new(
        &origin(),
        Tiles::new(any.clone(), &data().log()),
        PackReader::new(any.clone(), &data().packs()),
        Catalogue::new(index),
        Arc::new(Keys::new(KeyHistory::new(&network(Policy::none())))),
        policy,
    );
    let signer = NoteSigner::log(&origin(), log_signer()).unwrap();
    Sequencer::open(any, slots(), &data(), Arc::new(shared), signer)
}

/// Opened, its index complete, allowed to sign.
fn started(disk: &SimDisk, index: &Arc<MemoryIndex>, policy: Policy) -> Option<Sequencer> {
    let mut sequencer = open(disk, index, policy).ok()?;
    sequencer.discard_foreign_index().ok()?;
    sequencer.catch_up().ok()?;
    sequencer.guard_satisfied().ok()?;
    Some(sequencer)
}

/// What the world outside was told.
#[derive(Clone, Default)]
struct Told {
    stored: BTreeSet<ContentId>,
    recorded: BTreeMap<ContentId, u64>,
    signed: Vec<SignedNote>,
}

impl Told {
    fn look(&mut self, sequencer: &Sequencer) {
        let shared = &sequencer.shared;
        if let Some(note) = shared.unsigned.borrow().clone() {
            self.signed.push((*note).clone());
        }
        let Some(published) = shared.published.borrow().clone() else {
            return;
        };
        self.signed.push((*published.note).clone());
        let size = published.head.size;
        for (index, entry) in (0..).zip(shared.tiles.entries(0..size, size).unwrap()) {
            self.recorded.insert(entry.id, index);
        }
    }

    /// Everything that must hold of a log that went on after a stop.
    fn check(&self, sequencer: &Sequencer, context: &str) {
        let shared = &sequencer.shared;
        let size = shared.head().size;
        let entries = shared.tiles.entries(0..size, size).unwrap();
        let ids: Vec<ContentId> = entries.iter().map(|entry| entry.id).collect();
        let once: BTreeSet<ContentId> = ids.iter().copied().collect();
        assert_eq!(once.len(), ids.len(), "an id is logged twice: {context}");
        for id in &self.stored {
            assert!(once.contains(id), "a stored body is lost: {context}");
            assert!(shared.own_body(id).unwrap().is_some(), "{context}");
        }
        for (id, index) in &self.recorded {
            assert_eq!(ids[*index as usize], *id, "a recorded entry moved: {context}");
            assert_eq!(shared.catalogue.entry(shared.log, id).unwrap(), Some(*index), "{context}");
        }
        for note in &self.signed {
            let signed = note.checkpoint().unwrap();
            assert!(signed.size <= size, "a signed tree is larger: {context}");
            let root = shared.tiles.root_within(signed.size, size).unwrap();
            assert_eq!(root, signed.root, "forked at {}: {context}", signed.size);
        }
        assert!(entries.is_sorted_by_key(|entry| entry.admitted_at), "{context}");
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    StoreOne,
    StoreTwo,
    Contradict,
    Sequence,
    Cosign,
    Renew,
}

/// The attestations of all workloads, signed once.
struct Stock {
    facilities: Vec<Envelope>,
    contradiction: Envelope,
}

impl Stock {
    fn new() -> Stock {
        let facilities = (0..12).map(|number| facility(number, "plant", 0)).collect();
        Stock { facilities, contradiction: facility(0, "another plant", 0) }
    }

    fn candidates(&self, numbers: std::ops::Range<usize>) -> Vec<Candidate> {
        let chosen = self.facilities[numbers].iter();
        chosen.map(|envelope| Candidate::new(verified(envelope.clone()))).collect()
    }
}

fn perform(
    sequencer: &mut Sequencer,
    acts: &[Act],
    stock: &Stock,
    told: &mut Told,
) -> Result<(), SequenceError> {
    let mut next = 0;
    for (clock, act) in (0..).zip(acts) {
        let now = NOW.checked_add_ms(-clock).unwrap(); // a clock that runs backwards
        match act {
            Act::StoreOne | Act::StoreTwo => {
                let count = if matches!(act, Act::StoreOne) { 1 } else { 2 };
                let candidates = stock.candidates(next..next + count);
                next += count;
                sequencer.store(&candidates)?;
                told.stored.extend(candidates.iter().map(Candidate::id));
            }
            Act::Contradict => {
                let contradiction = Candidate::new(verified(stock.contradiction.clone()));
                sequencer.store([&contradiction])?;
                told.stored.insert(contradiction.id());
            }
            Act::Sequence => sequencer.sequence(now)?,
            Act::Renew => sequencer.renew()?,
            Act::Cosign => {
                let note = sequencer.shared.unsigned.borrow().clone();
                if let Some(note) = note {
                    let mut note = (*note).clone();
                    note.add(witness().sign(note.text(), now).unwrap());
                    sequencer.cosigned(&note)?;
                }
            }
        }
        told.look(sequencer);
    }
    Ok(())
}

/// Stops a workload at every step and goes on from what survived.
fn stop_everywhere(acts: &[Act], policy: &Policy, survives: Survives, keep_index: bool) {
    let stock = Stock::new();
    for step in 0.. {
        let disk = new_disk();
        let index = Arc::new(MemoryIndex::default());
        let mut told = Told::default();
        disk.stop_at(step);
        if let Some(mut sequencer) = started(&disk, &index, policy.clone()) {
            // The error is the stop itself.
            let _ = perform(&mut sequencer, acts, &stock, &mut told);
        }
        let context = format!("{acts:?} stopped at step {step} ({}), {survives:?}", disk.last());
        let after = disk.after(survives);
        let index = if keep_index { index } else { Arc::new(MemoryIndex::default()) };
        let mut sequencer = open(&after, &index, policy.clone())
            .unwrap_or_else(|unfit| panic!("{unfit:?}: {context}"));
        sequencer.discard_foreign_index().unwrap();
        sequencer.catch_up().unwrap();
        sequencer.guard_satisfied().unwrap();
        let finish = [Act::Cosign, Act::Sequence, Act::Cosign];
        perform(&mut sequencer, &finish, &stock, &mut told).unwrap();
        told.check(&sequencer, &context);
        for envelope in &stock.facilities[..2] {
            let candidate = Candidate::new(verified(envelope.clone()));
            let known = told.stored.contains(&candidate.id());
            let outcome = sequencer.store([&candidate]).unwrap()[0];
            if known {
                let id = candidate.id();
                assert_eq!(outcome, Outcome::Stored { id, known: true }, "{context}");
            }
        }
        if !disk.stopped() {
            break;
        }
    }
}

#[test]
fn no_stop_of_a_small_workload_loses_doubles_or_forks() {
    use Act::{Contradict, Sequence, StoreOne, StoreTwo};
    let choices = [StoreOne, StoreTwo, Contradict, Sequence];
    for first in [StoreOne, StoreTwo] {
        for second in choices {
            for third in choices {
                let acts = [first, second, third, Sequence];
                stop_everywhere(&acts, &Policy::none(), Survives::Synced, false);
                stop_everywhere(&acts, &Policy::none(), Survives::Everything, true);
                stop_everywhere(&acts, &Policy::none(), Survives::HalfOfUnsynced, true);
            }
        }
    }
}

#[test]
fn no_stop_between_signature_and_quorum_forks() {
    use Act::{Cosign, Sequence, StoreOne, StoreTwo};
    let acts = [StoreOne, Sequence, StoreTwo, Cosign, Sequence, Cosign];
    for survives in [Survives::Everything, Survives::Synced, Survives::HalfOfUnsynced] {
        stop_everywhere(&acts, &witnessed(), survives, true);
        stop_everywhere(&acts, &witnessed(), survives, false);
    }
}

#[test]
fn a_stop_during_the_recovery_from_a_stop_changes_nothing() {
    let stock = Stock::new();
    let acts = [Act::StoreTwo, Act::Sequence, Act::StoreOne, Act::Sequence];
    for step in 0.. {
        let disk = new_disk();
        let index = Arc::new(MemoryIndex::default());
        let mut told = Told::default();
        disk.stop_at(step);
        if let Some(mut sequencer) = started(&disk, &index, Policy::none()) {
            let _ = perform(&mut sequencer, &acts, &stock, &mut told);
        }
        for second in 0.. {
            let again = disk.after(Survives::Synced);
            again.stop_at(second);
            if let Some(mut sequencer) = started(&again, &index, Policy::none()) {
                let _ = perform(&mut sequencer, &[Act::Sequence], &stock, &mut told.clone());
            }
            let last = again.after(Survives::HalfOfUnsynced);
            let fresh = Arc::new(MemoryIndex::default());
            let mut sequencer = started(&last, &fresh, Policy::none()).unwrap();
            sequencer.sequence(NOW).unwrap();
            told.check(&sequencer, &format!("stopped at {step} and at {second}"));
            if !again.stopped() {
                break;
            }
        }
        if !disk.stopped() {
            break;
        }
    }
}

#[test]
fn a_failed_write_or_sync_ends_all_acknowledgement() {
    let stock = Stock::new();
    let acts = [Act::StoreOne, Act::Sequence, Act::StoreOne, Act::Sequence, Act::StoreOne];
    for step in 0.. {
        let disk = new_disk();
        let index = Arc::new(MemoryIndex::default());
        let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
        disk.fail_at(step);
        let mut told = Told::default();
        let result = perform(&mut sequencer, &acts, &stock, &mut told);
        let failed = disk.failed();
        assert_eq!(result.is_err(), failed, "step {step}: {}", disk.last());
        drop(sequencer);
        let after = disk.after(Survives::Synced);
        let mut sequencer = started(&after, &index, Policy::none()).unwrap();
        sequencer.sequence(NOW).unwrap();
        told.check(&sequencer, &format!("failed at {step}"));
        if !failed {
            break;
        }
    }
}

/// A log of a few batches, with its disk and index.
fn grown() -> (SimDisk, Arc<MemoryIndex>) {
    let disk = new_disk();
    let index = Arc::new(MemoryIndex::default());
    let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
    let acts = [Act::StoreOne, Act::Sequence, Act::StoreTwo, Act::Sequence];
    perform(&mut sequencer, &acts, &Stock::new(), &mut Told::default()).unwrap();
    (disk, index)
}

#[test]
fn files_that_do_not_fit_together_are_not_signed_on() {
    let (whole, index) = grown();
    let copy = || whole.after(Survives::Everything);

    let disk = copy();
    slots().iter().for_each(|slot| disk.lose(slot));
    assert!(matches!(open(&disk, &index, Policy::none()), Err(Unfit::Head(_))));

    // DATA of an older backup under today's head.
    let old = new_disk();
    let mut sequencer = started(&old, &Arc::default(), Policy::none()).unwrap();
    let acts = [Act::StoreOne, Act::Sequence];
    perform(&mut sequencer, &acts, &Stock::new(), &mut Told::default()).unwrap();
    let disk = old.after(Survives::Everything);
    slots().iter().for_each(|slot| disk.copy_from(&whole, slot));
    assert!(matches!(
        open(&disk, &index, Policy::none()),
        Err(Unfit::DataBehind { head: 3, data: 1 })
    ));

    // Today's DATA under the head of an older backup, older than the last intent.
    let disk = copy();
    slots().iter().for_each(|slot| disk.copy_from(&new_disk(), slot));
    assert!(matches!(
        open(&disk, &index, Policy::none()),
        Err(Unfit::HeadBehind { head: 0, data: 1 })
    ));

    // A head of the same size and another tree.
    let disk = copy();
    let other = new_disk();
    let mut sequencer = started(&other, &Arc::default(), Policy::none()).unwrap();
    let acts = [Act::StoreTwo, Act::StoreOne, Act::Sequence];
    perform(&mut sequencer, &acts, &Stock::new(), &mut Told::default()).unwrap();
    slots().iter().for_each(|slot| disk.copy_from(&other, slot));
    let opened = open(&disk, &index, Policy::none());
    assert!(opened.is_err() || opened.is_ok_and(|log| log.head.root == whole_root(&whole)));
}

fn whole_root(disk: &SimDisk) -> [u8; 32] {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    HeadSlots::new(disk, slots(), &origin()).load().unwrap().root
}

#[test]
fn each_flipped_bit_is_found_mended_or_told_and_never_signed() {
    let (whole, index) = grown();
    let root = whole_root(&whole);
    for path in whole.paths() {
        let length = whole.read(&path).unwrap().unwrap().len();
        for bit in (0..length * 8).step_by(3) {
            let disk = whole.after(Survives::Everything);
            disk.corrupt(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let Ok(mut sequencer) = open(&disk, &index, Policy::none()) else {
                continue;
            };
            sequencer.discard_foreign_index().unwrap();
            if sequencer.catch_up().is_err() {
                continue;
            }
            let (context, head) = (format!("{} bit {bit}", path.display()), sequencer.head);
            assert_eq!((head.size, head.root), (3, root), "{context}");
            sequencer.guard_satisfied().unwrap();
            let published = sequencer.shared.published.borrow().clone().unwrap();
            assert_eq!(published.head.root, root, "{context}");
        }
    }
}

#[test]
fn a_lost_intent_costs_nothing() {
    let (disk, index) = grown();
    let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
    let stock = Stock::new();
    let more = stock.candidates(5..6);
    sequencer.store(&more).unwrap();
    drop(sequencer);
    disk.lose(Path::new("/dir/data/intent"));
    let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
    assert_eq!(sequencer.pending.len(), 1);
    sequencer.sequence(NOW).unwrap();
    assert_eq!(sequencer.head.size, 4);
}

#[test]
fn a_lost_segment_is_not_written_on_and_a_cut_one_counts_no_new_body_as_logged() {
    let (whole, index) = grown();
    let pack = Path::new("/dir/data/packs/00000000.pack");
    let disk = whole.after(Survives::Everything);
    disk.lose(pack);
    let opened = open(&disk, &index, Policy::none());
    assert!(matches!(opened, Err(Unfit::PacksBehind { end, consumed }) if end < consumed));
    assert!(disk.read(pack).unwrap().is_none(), "nothing was begun in its place");

    // The last record is damaged: what is stored next must not take its place in the order.
    let disk = whole.after(Survives::Everything);
    disk.corrupt(pack, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let mut sequencer = started(&disk, &Arc::default(), Policy::none()).unwrap();
    let stock = Stock::new();
    let more = stock.candidates(5..6);
    sequencer.store(&more).unwrap();
    drop(sequencer);
    let after = disk.after(Survives::Synced);
    let mut sequencer = started(&after, &Arc::default(), Policy::none()).unwrap();
    assert_eq!(sequencer.pending.len(), 1, "an acknowledged body is queued again");
    sequencer.sequence(NOW).unwrap();
    assert_eq!(sequencer.head.size, 4);
}

#[test]
fn a_key_that_cannot_be_read_leaves_the_log_read_only() {
    let (disk, index) = (new_disk(), Arc::<MemoryIndex>::default());
    let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
    sequencer.store([&Candidate::new(verified(device()))]).unwrap();
    sequencer.sequence(NOW).unwrap();
    drop(sequencer);
    let pack = Path::new("/dir/data/packs/00000000.pack");
    disk.corrupt(pack, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let mut sequencer = open(&disk, &index, Policy::none()).unwrap();
    sequencer.catch_up().unwrap();
    sequencer.guard_satisfied().unwrap();
    let signing = sequencer.shared.signing();
    assert!(matches!(signing, Signing::ReadOnly { cause, .. } if cause.contains("keys")));
    assert!(sequencer.shared.index_ready(), "what is whole is served");
}

#[test]
fn the_first_contradiction_is_logged_and_all_are_refused() {
    let disk = new_disk();
    let mut sequencer = started(&disk, &Arc::default(), Policy::none()).unwrap();
    let candidate = |name, salt| Candidate::new(verified(facility(0, name, salt)));
    let first = candidate("plant", 0);
    let same = candidate("plant", 1);
    let (other, third) = (candidate("mill", 2), candidate("works", 3));
    let earlier = first.id();
    let all = [first, same, other, third];
    let outcomes = sequencer.store(&all).unwrap();
    let again = sequencer.store(&all).unwrap();
    let contradicted = Outcome::Contradicted { earlier };
    let known = Outcome::Stored { id: earlier, known: true };
    assert_eq!(
        outcomes,
        [Outcome::Stored { id: earlier, known: false }, known, contradicted, contradicted]
    );
    // The logged contradiction is known by its own id from then on.
    let evidence = Outcome::Stored { id: all[2].id(), known: true };
    assert_eq!(again, [known, known, evidence, contradicted]);
    sequencer.sequence(NOW).unwrap();
    assert_eq!(sequencer.head.size, 2);
}

#[test]
fn a_body_that_was_erased_before_the_index_was_built_is_not_taken_again() {
    let disk = new_disk();
    let mut sequencer = started(&disk, &Arc::default(), Policy::none()).unwrap();
    let stock = Stock::new();
    let all = stock.candidates(0..3);
    sequencer.store(&all[..2]).unwrap();
    sequencer.sequence(NOW).unwrap();
    drop(sequencer);
    let length = all[0].stored.len();
    disk.corrupt(Path::new("/dir/data/packs/00000000.pack"), |bytes| {
        let tombstone = pack::tombstone(&all[0].id(), length);
        bytes[..tombstone.len()].copy_from_slice(&tombstone);
    });
    let index = Arc::default();
    for _ in 0..2 {
        // The index is built at the first start and only looked at by the second.
        let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
        let outcomes = sequencer.store(&all[..2]).unwrap();
        let known = |candidate: &Candidate| Outcome::Stored { id: candidate.id(), known: true };
        assert_eq!(outcomes, [known(&all[0]), known(&all[1])]);
        sequencer.sequence(NOW).unwrap();
        assert_eq!(sequencer.head.size, 2);
    }
    let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
    let outcomes = sequencer.store(&all[2..]).unwrap();
    assert_eq!(outcomes, [Outcome::Stored { id: all[2].id(), known: false }]);
}

#[test]
fn a_log_signs_nothing_before_the_guard_and_nothing_after_its_refusal() {
    let disk = new_disk();
    let mut sequencer = open(&disk, &Arc::default(), witnessed()).unwrap();
    sequencer.catch_up().unwrap();
    let stock = Stock::new();
    sequencer.store(&stock.candidates(0..1)).unwrap();
    sequencer.sequence(NOW).unwrap();
    assert_eq!(sequencer.head.size, 0);
    sequencer.guard_satisfied().unwrap();
    sequencer.sequence(NOW).unwrap();
    assert_eq!(sequencer.shared.signing(), Signing::WaitingForQuorum);
    sequencer.guard_refused(refusal("a witness is ahead")).unwrap();
    assert!(sequencer.read_only());
    assert!(sequencer.shared.unsigned.borrow().is_none());
    sequencer.guard_satisfied().unwrap();
    assert!(sequencer.read_only());
}

#[test]
fn a_wrong_cosignature_is_passed_over_and_asks_nobody_anew_and_the_right_one_publishes() {
    let disk = new_disk();
    let mut sequencer = started(&disk, &Arc::default(), witnessed()).unwrap();
    sequencer.store(&Stock::new().candidates(0..2)).unwrap();
    sequencer.sequence(NOW).unwrap();
    let note = sequencer.shared.unsigned.borrow().clone().unwrap();
    let mut wrong = (*note).clone();
    let mut signature = witness().sign(note.text(), NOW).unwrap();
    signature.signature[20] ^= 1;
    wrong.add(signature);
    let mut asked = sequencer.shared.unsigned.subscribe();
    asked.mark_unchanged();
    sequencer.cosigned(&wrong).unwrap();
    assert!(sequencer.shared.published.borrow().is_none());
    assert!(!asked.has_changed().unwrap(), "whoever is being asked is not asked anew");
    let mut right = wrong;
    right.add(witness().sign(note.text(), NOW).unwrap());
    sequencer.cosigned(&right).unwrap();
    let published = sequencer.shared.published.borrow().clone().unwrap();
    assert_eq!(published.note.signatures().len(), 2);
    assert_eq!(published.head.size, 2);
}

#[test]
fn a_recorded_device_makes_its_readings_verify() {
    let disk = new_disk();
    let mut sequencer = started(&disk, &Arc::default(), Policy::none()).unwrap();
    let kid = readings(1, 5).signer();
    sequencer.store([&Candidate::new(verified(device()))]).unwrap();
    assert!(!sequencer.shared.keys.read(|keys| keys.knows(&kid)));
    sequencer.sequence(NOW).unwrap();
    assert!(sequencer.shared.keys.read(|keys| keys.knows(&kid)));
    let again = started(&disk, &Arc::default(), Policy::none()).unwrap();
    assert!(again.shared.keys.read(|keys| keys.knows(&kid)), "after a start, too");
}
