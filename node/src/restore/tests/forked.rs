//! A log that was signed on two copies of its folder.

use super::*;

fn signed_by_log(head: Head) -> SignedNote {
    let signer = NoteSigner::log(&origin(), log_signer()).unwrap();
    crate::sequencer::publish::sign_checkpoint(&origin(), head, &signer).unwrap()
}

#[test]
fn a_second_tree_that_no_quorum_can_have_cosigned_is_given_up_and_a_published_one_is_not() {
    let (world, disk) = settled(4);
    let size = world.seen.as_ref().unwrap().checkpoint().unwrap().size;
    let other = Head { size, root: [7; 32] };
    // Its one witness has cosigned the tree that is here: so it never cosigned another.
    let mut one = recovery(&disk, &world).unwrap();
    one.offer(signed_by_log(other)).unwrap();
    let told = one.run(&mut world.mirror.clone(), &mut |_, _, _| {}).unwrap();
    assert!(told.goes_on());
    assert_eq!(Elsewhere::new(Arc::new(disk.clone()), &data()).given_up().unwrap(), [other]);
    // A witness that may have cosigned it, its key copied with the folder, makes it uncertain.
    let larger = Head { size: size - 1, root: [8; 32] };
    let mut copied = recovery(&disk, &world).unwrap();
    copied.own_witness("w");
    copied.offer(signed_by_log(larger)).unwrap();
    assert!(matches!(copied.target(), Err(RestoreError::MayBePublished { .. })));
    // Unless the process on the other copy says that it has published less.
    copied.other(Head { size: size - 2, root: [9; 32] });
    copied.target().unwrap();
    // Cosigned, it is published, and so was the tree here.
    let mut both = recovery(&disk, &world).unwrap();
    let mut note = signed_by_log(larger);
    note.add(witness().sign(note.text(), NOW).unwrap());
    both.offer(note).unwrap();
    let both = both.run(&mut world.mirror.clone(), &mut |_, _, _| {});
    assert!(matches!(both, Err(RestoreError::BothPublished { .. })));
    // More than anyone holds is awaited, not given up.
    let longer = Head { size: size + 1, root: [7; 32] };
    let mut one = recovery(&disk, &world).unwrap();
    one.offer(signed_by_log(longer)).unwrap();
    let told = one.run(&mut world.mirror.clone(), &mut |_, _, _| {}).unwrap();
    assert!(!told.goes_on(), "nobody holds it");
    assert!(matches!(open(&disk), Err(Unfit::DataBehind { .. })));
}

/// Two copies of one folder that both sign: the peer has what the second one published.
fn signed_twice(seed: u64, batches: u64) -> (World, SimDisk, Vec<Vec<u8>>) {
    let (mut world, disk) = settled(seed);
    let copy = disk.after(Survives::Everything);
    // Here a batch is signed, and no witness hears of it.
    let mut here = started(&disk);
    here.guard_satisfied().unwrap();
    let before = world.stored.len();
    world.store(&mut here);
    here.sequence(NOW).unwrap();
    assert!(here.shared.unsigned.borrow().is_some());
    let tail = world.stored.split_off(before);
    drop(here);
    let mut there = started(&copy);
    there.guard_satisfied().unwrap();
    for _ in 0..batches {
        world.store(&mut there);
        world.settle(&mut there);
    }
    (world, disk, tail)
}

#[test]
fn a_tail_that_was_signed_and_never_published_gives_way_to_what_was_and_is_logged_again() {
    // One batch there gives as many entries as here or fewer, three give more.
    for (seed, batches) in (1..12).flat_map(|seed| [(seed, 1), (seed, 3)]) {
        let (mut world, disk, tail) = signed_twice(seed, batches);
        let theirs = world.mirror.head();
        let here = slots(&disk).load().unwrap();
        let told = restored(&disk, &world).unwrap();
        assert!(told.goes_on(), "seed {seed}");
        assert_eq!((told.head, told.reached), (theirs, theirs), "seed {seed}");
        let (given_up, from) = told.given_up.expect("it was given up");
        assert_eq!(given_up, here, "seed {seed}");
        assert!(from < theirs.size && from < here.size, "seed {seed}");
        assert_eq!(told.unlogged, tail.len() as u64, "seed {seed}: all wait for the next batch");
        // Given again, there is nothing to do.
        let again = restored(&disk, &world).unwrap();
        assert_eq!((again.head, again.given_up), (theirs, None), "seed {seed}");
        let mut sequencer = started(&disk);
        sequencer.guard_satisfied().unwrap();
        world.settle(&mut sequencer);
        world.stored.extend(tail);
        let all = world.stored.len();
        check_stored(&world, &sequencer, all, seed);
        let shared = &sequencer.shared;
        assert_eq!(shared.head().size, all as u64, "seed {seed}: each once");
    }
}

#[test]
fn giving_a_tail_up_is_finished_by_the_next_run_wherever_it_stops() {
    for step in 0.. {
        let (world, disk, _) = signed_twice(3, 3);
        let theirs = world.mirror.head();
        disk.stop_at(step);
        let done = restored(&disk, &world).is_ok();
        for survives in [Survives::Everything, Survives::Synced, Survives::HalfOfUnsynced] {
            let disk = disk.after(survives);
            // Until then it may be the old tree, which the guard refuses, or none; never a third.
            if let Ok(sequencer) = open(&disk) {
                let head = sequencer.shared.head();
                assert!(head == theirs || !done, "step {step}");
            }
            let told = restored(&disk, &world).unwrap();
            assert_eq!((told.head, told.reached), (theirs, theirs), "step {step} {survives:?}");
            assert_eq!(started(&disk).shared.head(), theirs, "step {step} {survives:?}");
        }
        if done {
            assert!(10 < step, "{step} steps");
            break;
        }
    }
}

#[test]
fn two_trees_that_were_both_published_are_told_apart_and_nothing_is_given_up() {
    let (mut world, disk) = settled(6);
    let copy = disk.after(Survives::Everything);
    let mut here = started(&disk);
    here.guard_satisfied().unwrap();
    let common = here.shared.head().size;
    let (seen, stored) = (world.seen.clone(), world.stored.len());
    world.store(&mut here);
    here.sequence(NOW).unwrap();
    // The same witness's key on the other copy knows nothing of this.
    world.cosign(&mut here);
    (world.seen, world.signed) = (seen, BTreeMap::new());
    world.stored.truncate(stored);
    drop(here);
    let mut there = started(&copy);
    there.guard_satisfied().unwrap();
    for _ in 0..3 {
        world.store(&mut there);
        world.settle(&mut there);
    }
    let before = slots(&disk).load().unwrap();
    match restored(&disk, &world) {
        Err(RestoreError::BothPublished { from, ours, theirs }) => {
            assert_eq!((from, ours), (Some(common), before.size));
            assert_eq!(theirs, world.mirror.head().size);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(started(&disk).shared.head(), before, "nothing was touched");
}
