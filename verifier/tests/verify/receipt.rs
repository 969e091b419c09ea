//! A receipt counts only over a checkpoint with the quorum that was in force when it was made.

use std::fs;
use std::sync::Arc;

use hallmark_schemas::bundle::Item;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{NoteSigner, SignedNote};
use hallmark_verifier::evidence::{DefectKind, Proven};
use hallmark_verifier::load::load;
use hallmark_verifier::prove::prove;

use crate::world::{ORIGIN, World, key};

/// A log with one batch of readings, witnessed by two; its network began without
/// witnesses so many milliseconds before, where `changed`.
fn world(quorum: usize, changed: Option<i64>) -> World {
    let mut world = World::new(quorum);
    if let Some(ago_ms) = changed {
        world.change_policy(ago_ms);
    }
    world.readings(1, None, 41_003);
    world.publish();
    world
}

/// Everything of the world, and this receipt of its last entry; without `entry`, the receipt is
/// all that speaks of that entry.
fn check(world: &World, receipt: Vec<u8>, entry: bool) -> Proven {
    let (mut items, last) = (world.items(), world.entries.len() - 1);
    if !entry {
        let of = items.iter().position(|item| matches!(item, Item::Entries { .. })).unwrap();
        let entries = world.entries[..last].to_vec();
        items[of] = Item::Entries { origin: ORIGIN.to_owned(), first: 0, entries };
    }
    items.push(Item::Receipt { id: world.entries[last].id, receipt });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.hallmark");
    fs::write(&path, world.bundle(&items)).unwrap();
    load(&[path], &[]).map(prove).unwrap()
}

fn receipt(world: &World) -> Vec<u8> {
    world.receipt(world.entries.len() as u64 - 1)
}

/// Another letter or digit, so many characters after the begin of this witness's signature line.
fn alter(receipt: &mut [u8], witness: &str, at: usize) {
    let line = format!("\u{2014} {witness} ");
    let found = receipt.windows(line.len()).position(|window| window == line.as_bytes());
    let place = &mut receipt[found.unwrap() + "\u{2014} ".len() + at];
    *place = if *place == b'A' { b'B' } else { b'A' };
}

#[test]
fn a_receipt_with_an_altered_cosignature_is_a_broken_proof() {
    // In the name, in the key's id, in the time, in the signature itself.
    let changes = [None, Some(0), Some(3_600_000)];
    for (changed, at) in changes.into_iter().flat_map(|one| [0, 4, 12, 60].map(|at| (one, at))) {
        let world = world(2, changed);
        assert_eq!(check(&world, receipt(&world), true).defects, []);
        for (witnesses, entry) in
            [(&["w1", "w2"][..], true), (&["w1", "w2"], false), (&["w2"], true)]
        {
            let mut receipt = receipt(&world);
            witnesses.iter().for_each(|witness| alter(&mut receipt, witness, at));
            let proven = check(&world, receipt, entry);
            let case = format!("{changed:?} {at} {witnesses:?} {entry}: {:#?}", proven.defects);
            let bad = proven.defects.iter().find(|defect| defect.kind == DefectKind::BadProof);
            assert_eq!(bad.map(|defect| defect.subject.as_str()), Some("receipt"), "{case}");
            assert_eq!(proven.exit(), Exit::Broken, "{case}");
        }
    }
}

#[test]
fn where_no_quorum_is_asked_for_strangers_may_cosign_a_receipt() {
    let world = world(0, None);
    for at in [0, 4, 12, 60] {
        let mut receipt = receipt(&world);
        alter(&mut receipt, "w1", at);
        assert_eq!(check(&world, receipt, true).defects, []);
    }
}

#[test]
fn a_renewed_checkpoint_is_newer_and_its_entries_are_not() {
    let mut world = world(2, None);
    let last = world.entries.len() - 1;
    let of_last = |proven: &Proven| {
        let found = proven.attestations.iter().find(|one| one.entry == last as u64);
        found.expect("it is proved").time
    };
    let before = check(&world, receipt(&world), true);
    let renewed_at = world.renew(3_600_000);
    let after = check(&world, receipt(&world), true);
    assert_eq!(after.defects, []);
    assert!(before.logs[0].at < renewed_at);
    assert_eq!(after.logs[0].at, renewed_at);
    assert_eq!(after.logs[0].size, before.logs[0].size);
    assert_eq!(of_last(&after), of_last(&before));
    assert_eq!(after.as_of, Some(renewed_at), "so far there are no revocations");
    // The order in which both are found says nothing.
    world.checkpoints.reverse();
    let turned = check(&world, world.receipt(last as u64), true);
    assert_eq!((turned.logs[0].at, of_last(&turned)), (renewed_at, of_last(&before)));
}

/// A newer network file than the one that a bundle was made under: another witness counts since, and
/// the bundle does not tell since when.
#[test]
fn a_bundle_older_than_the_trusted_network_file_is_judged_by_the_witnesses_of_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(2);
    let later = NoteSigner::witness("w3", Arc::new(key(13))).unwrap();
    let newer = world.next_policy(&later);
    world.readings(1, None, 41_003);
    world.publish();
    let check = |world: &World, trusted: &NetworkFile| {
        let [file, bundle] =
            ["network.hallmark", "case.hallmark"].map(|one| folder.path().join(one));
        fs::write(&file, trusted.bytes()).unwrap();
        fs::write(&bundle, world.bundle(&world.items())).unwrap();
        load(&[file, bundle], &[]).map(prove).unwrap()
    };
    for trusted in [&world.network, &newer] {
        let proven = check(&world, trusted);
        assert_eq!(proven.defects, []);
        assert!(proven.logs[0].witnessed);
        assert_eq!(proven.attestations.len(), world.entries.len());
    }
    // Under neither does a checkpoint count that no witness has signed.
    let note = &mut world.checkpoints[0];
    let mut bare = SignedNote::unsigned(note.text().to_owned()).unwrap();
    bare.add(note.signatures()[0].clone());
    *note = bare;
    for trusted in [&world.network, &newer] {
        let proven = check(&world, trusted);
        let kinds: Vec<_> = proven.defects.iter().map(|defect| defect.kind).collect();
        assert_eq!(kinds, [DefectKind::NoQuorum], "{:#?}", proven.defects);
    }
}

#[test]
fn a_receipt_whose_checkpoint_names_another_log_than_the_one_that_signed_it_is_broken() {
    for quorum in [0, 2] {
        let world = world(quorum, None);
        let mut altered = receipt(&world);
        let line = format!("{ORIGIN}\n");
        let at = altered.windows(line.len()).position(|window| window == line.as_bytes());
        altered[at.unwrap()] ^= 1;
        for entry in [true, false] {
            let defects = check(&world, altered.clone(), entry).defects;
            let broken: Vec<_> = defects.iter().filter(|one| one.exit() == Exit::Broken).collect();
            assert_eq!(broken.len(), 1, "{defects:#?}");
            assert_eq!(broken[0].kind, DefectKind::BadProof);
            assert!(broken[0].detail.contains("which did not sign it"), "{}", broken[0].detail);
        }
    }
}
