//! Erasures, stopped at every step.

use super::*;
use crate::core::testing::erasure;

/// In the body of the record that is erased, and in no other.
const SECRET: &[u8] = b"facility:gln:9506000134352:f-1";
const DERIVED: [&str; 3] = ["/dir/data/lake/t/a.parquet", "/dir/data/lake.json", FINDINGS];
const FINDINGS: &str = "/dir/data/findings.json";

/// A log of three records with tables and findings, and the erasure of the second.
fn prepared(policy: &Policy) -> (SimDisk, Arc<MemoryIndex>, Sequencer, Vec<Candidate>, Candidate) {
    let (disk, index) = (new_disk(), Arc::new(MemoryIndex::default()));
    let mut sequencer = started(&disk, &index, policy.clone()).unwrap();
    let all = Stock::new().candidates(0..3);
    sequencer.store(&all).unwrap();
    perform(&mut sequencer, &[Act::Sequence, Act::Cosign], &Stock::new(), &mut Told::default())
        .unwrap();
    for path in DERIVED {
        disk.write(Path::new(path), b"quotes bodies").unwrap();
        disk.sync(Path::new(path)).unwrap();
        disk.sync_dir(Path::new(path).parent().unwrap()).unwrap();
    }
    // Damaged bytes that were set aside hold it too: a piece, and a pack as a repair found it.
    let pack = disk.bytes(&data().pack(0)).unwrap();
    for aside in ["00000000.pack-0", "00000000.pack"] {
        disk.replace(&data().damaged().join(aside), &pack[3..]).unwrap();
    }
    let erasure = Candidate::new(verified(erasure(all[1].id())));
    (disk, index, sequencer, all, erasure)
}

fn files_with_the_secret(disk: &SimDisk) -> Vec<PathBuf> {
    let has = |path: &PathBuf| {
        disk.bytes(path)
            .is_some_and(|bytes| bytes.windows(SECRET.len()).any(|window| window == SECRET))
    };
    disk.paths().into_iter().filter(has).collect()
}

/// The body is nowhere; its entry and all others are where they were.
fn assert_erased(disk: &SimDisk, sequencer: &mut Sequencer, all: &[Candidate], context: &str) {
    let shared = sequencer.shared.clone();
    assert_eq!(files_with_the_secret(disk), Vec::<PathBuf>::new(), "{context}");
    for path in DERIVED {
        assert_eq!(disk.bytes(Path::new(path)), None, "{path}: {context}");
    }
    for (index, one) in (0..).zip(all) {
        let body = shared.own_body(&one.id()).unwrap();
        assert_eq!(body.is_none(), index == 1, "{context}");
        assert_eq!(shared.entry(index).unwrap().id, one.id(), "{context}");
    }
    let erased = shared.catalogue.erased(shared.log, &all[1].id()).unwrap().unwrap();
    assert!(erased.done, "{context}");
    assert!(shared.catalogue.erasures_due(shared.log).unwrap().is_empty(), "{context}");
    assert_eq!(disk.bytes(&data().erasing()), None, "{context}");
    // Said again, it is where it was and stays erased; so is the erasure.
    let again = sequencer.store([&all[1]]).unwrap();
    assert_eq!(again, [Outcome::Stored { id: all[1].id(), known: true }], "{context}");
    assert_eq!(files_with_the_secret(disk), Vec::<PathBuf>::new(), "{context}");
}

#[test]
fn an_erasure_that_is_stopped_at_any_step_is_finished_by_the_next_start() {
    let survivals = [Survives::Everything, Survives::Synced, Survives::HalfOfUnsynced];
    for (survives, keep_index) in survivals.into_iter().flat_map(|s| [(s, true), (s, false)]) {
        for step in 0.. {
            let (disk, index, mut sequencer, all, erasure) = prepared(&Policy::none());
            disk.stop_at(step);
            let stored = sequencer.store([&erasure]).is_ok();
            // The error is the stop itself.
            let _ = sequencer.sequence(NOW);
            let context = format!("stopped at {step} ({}), {survives:?}", disk.last());
            let stopped = disk.stopped();
            drop(sequencer);
            let after = disk.after(survives);
            let index = if keep_index { index } else { Arc::default() };
            crate::erasure::finish(&after, &data()).unwrap();
            let mut sequencer = started(&after, &index, Policy::none()).unwrap();
            sequencer.sequence(NOW).unwrap();
            let is_logged = sequencer.shared.head().size == 4;
            assert!(is_logged || !stored, "{context}");
            if is_logged {
                assert_erased(&after, &mut sequencer, &all, &context);
            }
            if !stopped {
                assert!(20 < step, "{step} steps are too few to be all");
                break;
            }
        }
    }
}

#[test]
fn nothing_is_erased_before_the_erasure_is_under_a_published_checkpoint() {
    let (disk, index, mut sequencer, all, erasure) = prepared(&witnessed());
    sequencer.store([&erasure]).unwrap();
    sequencer.sequence(NOW).unwrap();
    let id = all[1].id();
    assert!(sequencer.shared.own_body(&id).unwrap().is_some(), "the quorum is away");
    // Nor by a start meanwhile.
    drop(sequencer);
    let mut sequencer = started(&disk, &index, witnessed()).unwrap();
    assert!(sequencer.shared.own_body(&id).unwrap().is_some());
    perform(&mut sequencer, &[Act::Cosign], &Stock::new(), &mut Told::default()).unwrap();
    assert_erased(&disk, &mut sequencer, &all, "published");
    // A log that is read again from its files alone knows the same.
    let mut sequencer = started(&disk, &Arc::default(), witnessed()).unwrap();
    assert_erased(&disk, &mut sequencer, &all, "rebuilt");
    // What was said under the identity of the erased record can be said anew.
    let other = Candidate::new(verified(facility(1, "mill", 5)));
    let outcome = sequencer.store([&other]).unwrap();
    assert_eq!(outcome, [Outcome::Stored { id: other.id(), known: false }]);
}

#[test]
fn an_erasure_on_a_full_disk_is_carried_out_when_there_is_room() {
    let (disk, _index, mut sequencer, all, erasure) = prepared(&witnessed());
    sequencer.store([&erasure]).unwrap();
    sequencer.sequence(NOW).unwrap();
    let note = sequencer.shared.unsigned.borrow().clone().unwrap();
    let mut note = (*note).clone();
    note.add(witness().sign(note.text(), NOW).unwrap());
    // Room for the checkpoint, none for what is written down before the body goes.
    let mut room = disk.used();
    loop {
        disk.set_capacity(Some(room));
        match sequencer.cosigned(&note) {
            Ok(()) => break,
            Err(error) => assert!(error.is_full(), "{error}"),
        }
        room += 16;
        assert!(room < disk.used() + 65_536, "it never ends");
    }
    disk.set_capacity(None);
    sequencer.carry_out_erasures().unwrap();
    assert_erased(&disk, &mut sequencer, &all, "healed");
}
