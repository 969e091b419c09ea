//! Each way of tampering gives the right defect and exit code; nothing else does.

use std::fs;
use std::path::{Path, PathBuf};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::bundle::Item;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::frame;
use hallmark_schemas::head::{Head, Slot};
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::time::EntryTime;
use hallmark_verifier::evidence::{DefectKind, Proven};
use hallmark_verifier::load::{LoadError, load};
use hallmark_verifier::prove::prove;
use tempfile::TempDir;

use crate::command::{stdout, verify};
use crate::told;
use crate::world::{ORIGIN, World, usual};

fn check(path: &Path) -> Result<Proven, LoadError> {
    let proven = load(&[path.to_owned()], &[]).map(prove)?;
    told::assert_tells_what_to_do(&proven);
    Ok(proven)
}

fn dir_of(world: &World) -> (TempDir, Dir) {
    let folder = tempfile::tempdir().unwrap();
    let dir = Dir::new(folder.path().join("plant"));
    world.write_dir(dir.path());
    (folder, dir)
}

fn bundle_of(world: &World, items: &[Item]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("case.hallmark");
    fs::write(&path, world.bundle(items)).unwrap();
    (folder, path)
}

fn kinds(proven: &Proven) -> Vec<DefectKind> {
    let mut kinds: Vec<_> = proven.defects.iter().map(|defect| defect.kind).collect();
    kinds.dedup();
    kinds
}

/// Changes one byte of a file, from the end if `at` is negative.
fn flip(path: &Path, at: i64) {
    let mut bytes = fs::read(path).unwrap();
    let at = if at < 0 { bytes.len() as i64 + at } else { at };
    bytes[usize::try_from(at).unwrap()] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_untouched_node_and_bundle_are_proved_whole() {
    for quorum in [0, 2] {
        let world = usual(quorum);
        let (_kept, dir) = dir_of(&world);
        let (_kept_too, bundle) = bundle_of(&world, &world.items());
        for path in [dir.path(), &bundle, dir.data().path()] {
            let proven = check(path).unwrap();
            assert_eq!(proven.defects, [], "{}", path.display());
            assert_eq!(proven.attestations.len(), 6);
            assert_eq!(proven.logs.len(), 1);
            assert_eq!(proven.logs[0].witnessed, quorum == 2);
            assert_eq!(proven.exit(), Exit::Done);
        }
    }
}

#[test]
fn witnesses_bound_the_time_of_an_entry_from_both_sides() {
    let world = usual(2);
    let (_kept, dir) = dir_of(&world);
    let proven = check(dir.path()).unwrap();
    let published = |n: usize| {
        let witness = &world.network.network().policy.witnesses()[0];
        world.checkpoints[n].signed_by(&witness.key).unwrap().unwrap()
    };
    let time = proven.attestations[4].time;
    // A cosignature states whole seconds: it may have been made until the end of its second.
    assert_eq!(time, EntryTime::cosigned(published(0), published(1)));
    assert_eq!(proven.attestations[5].time.lo, published(1));
}

#[test]
fn a_changed_byte_in_any_file_of_a_node_is_found() {
    let world = usual(2);
    let entries = "tile/entries/000.p/6";
    type Change = fn(&Dir, &str);
    let cases: [(Change, DefectKind, Exit); 7] = [
        // The first body, its CRC no longer right.
        (|dir, _| flip(&dir.data().pack(0), 60), DefectKind::BadBody, Exit::Broken),
        // The last body: looks like a crash, but the log holds its entry.
        (|dir, _| flip(&dir.data().pack(0), -3), DefectKind::BadBody, Exit::Broken),
        (|dir, _| flip(&dir.data().tile("tile/0/000.p/6"), 40), DefectKind::BadProof, Exit::Broken),
        (|dir, entries| flip(&dir.data().tile(entries), -1), DefectKind::BadProof, Exit::Broken),
        (|dir, entries| flip(&dir.data().tile(entries), 1), DefectKind::BadProof, Exit::Broken),
        (|dir, _| flip(&dir.data().checkpoints(), 30), DefectKind::BadProof, Exit::Broken),
        (
            |dir, entries| fs::remove_file(dir.data().tile(entries)).unwrap(),
            DefectKind::Withheld,
            Exit::Incomplete,
        ),
    ];
    for (number, (change, kind, exit)) in cases.into_iter().enumerate() {
        let (_kept, dir) = dir_of(&world);
        change(&dir, entries);
        let proven = check(dir.path()).unwrap();
        assert!(kinds(&proven).contains(&kind), "case {number}: {:#?}", proven.defects);
        assert_eq!(proven.exit(), exit, "case {number}: {:#?}", proven.defects);
    }
}

/// The details of all defects of one kind.
fn details(proven: &Proven, kind: DefectKind) -> Vec<&str> {
    let of = proven.defects.iter().filter(|defect| defect.kind == kind);
    of.map(|defect| defect.detail.as_str()).collect()
}

#[test]
fn a_lost_file_of_a_log_is_named_and_makes_it_incomplete() {
    let world = usual(2);
    type Lose = fn(&Dir) -> PathBuf;
    let losses: [Lose; 4] = [
        |dir| dir.data().tile("tile/0/000.p/6"),
        |dir| dir.data().tile("tile/entries/000.p/6"),
        |dir| dir.data().intent(),
        |dir| dir.data().checkpoints(),
    ];
    for lose in losses {
        let (_kept, dir) = dir_of(&world);
        let path = lose(&dir);
        fs::remove_file(&path).unwrap();
        let proven = check(dir.path()).unwrap();
        let told = details(&proven, DefectKind::Withheld).join(", ");
        assert!(told.contains(path.to_str().unwrap()), "{}: {told}", path.display());
        assert_eq!(proven.exit(), Exit::Incomplete, "{:#?}", proven.defects);
    }
    // A start writes the newest checkpoint into a new history: the earlier ones are still missed.
    let (_kept, dir) = dir_of(&world);
    let mut history = Vec::new();
    frame::append(&mut history, &fs::read(dir.data().checkpoint()).unwrap());
    fs::write(dir.data().checkpoints(), history).unwrap();
    let proven = check(dir.path()).unwrap();
    let told = details(&proven, DefectKind::Withheld);
    assert!(told.len() == 1 && told[0].contains("lacks 2, the first of size 3"), "{told:?}");
    assert_eq!(proven.exit(), Exit::Incomplete);
    let (_kept, dir) = dir_of(&world);
    fs::remove_dir_all(dir.data().tile("tile/0")).unwrap();
    assert_eq!(check(dir.path()).unwrap().exit(), Exit::Incomplete);
    // A narrower tile does not stand in for the one that the checkpoint needs.
    let (_kept, dir) = dir_of(&world);
    let tile = dir.data().tile("tile/0/000.p/6");
    let bytes = fs::read(&tile).unwrap();
    fs::write(dir.data().tile("tile/0/000.p/5"), &bytes[..5 * 32]).unwrap();
    fs::remove_file(&tile).unwrap();
    let proven = check(dir.path()).unwrap();
    assert_eq!(kinds(&proven), [DefectKind::Withheld], "{:#?}", proven.defects);
}

#[test]
fn the_file_that_was_changed_is_blamed_and_the_other_one_is_not() {
    let world = usual(2);
    let (bundle, tile) = ("tile/entries/000.p/6", "tile/0/000.p/6");
    // The third entry is the meter's: without it its three batches cannot be traced either.
    let cases = [(bundle, -1, tile, 5), (bundle, 100, tile, 2), (tile, 40, bundle, 6)];
    for (changed, at, intact, left) in cases {
        let (_kept, dir) = dir_of(&world);
        flip(&dir.data().tile(changed), at);
        let proven = check(dir.path()).unwrap();
        let told = details(&proven, DefectKind::BadProof);
        assert_eq!(told.len(), 1, "{:#?}", proven.defects);
        assert!(told[0].contains(changed) && !told[0].contains(intact), "{told:?}");
        assert!(proven.defects.iter().all(|defect| !defect.help().is_empty()));
        // The root stands: only what the file held is lost.
        assert_eq!(proven.attestations.len(), left);
        assert_eq!(proven.logs[0].size, 6);
    }
}

#[test]
fn only_two_signed_checkpoints_accuse_a_log_of_two_histories() {
    for quorum in [0, 2] {
        let world = usual(quorum);
        let newest = world.checkpoints.last().unwrap().to_string();
        let mut root = newest.lines().nth(2).unwrap().to_owned();
        root.replace_range(0..1, if root.starts_with('A') { "B" } else { "A" });
        let other_root = newest.replacen(newest.lines().nth(2).unwrap(), &root, 1);
        for forged in [other_root, newest.replacen("\n6\n", "\n7\n", 1)] {
            let (_kept, dir) = dir_of(&world);
            fs::write(dir.data().checkpoint(), &forged).unwrap();
            let proven = check(dir.path()).unwrap();
            assert_eq!(kinds(&proven), [DefectKind::BadSignature], "{:#?}", proven.defects);
            let told = details(&proven, DefectKind::BadSignature);
            assert!(told[0].contains("log/checkpoint"), "{told:?}");
            assert_eq!(proven.exit(), Exit::Broken);
            // The history still holds the one that was signed.
            assert_eq!((proven.logs[0].size, proven.attestations.len()), (6, 6));
        }
        let (_kept, dir) = dir_of(&world);
        fs::write(dir.data().checkpoint(), "no note at all").unwrap();
        let proven = check(dir.path()).unwrap();
        assert_eq!(kinds(&proven), [DefectKind::BadProof], "{:#?}", proven.defects);
        assert_eq!((proven.logs[0].size, proven.attestations.len()), (6, 6));
        fs::remove_file(dir.data().checkpoint()).unwrap();
        let proven = check(dir.path()).unwrap();
        assert_eq!(kinds(&proven), [DefectKind::Withheld], "{:#?}", proven.defects);
        assert_eq!(proven.logs[0].size, 6);
    }
}

#[test]
fn a_damaged_missing_or_contradicting_head_or_intent_is_told_with_its_file() {
    type Change = fn(&Dir, &World);
    let cases: [(Change, DefectKind, &str, Exit); 9] = [
        (|dir, _| flip(&dir.head_slots()[1], 20), DefectKind::Damaged, "slot-b", Exit::Broken),
        (|dir, _| flip(&dir.head_slots()[0], 20), DefectKind::Damaged, "slot-a", Exit::Broken),
        (
            |dir, _| fs::write(&dir.head_slots()[0], "x").unwrap(),
            DefectKind::Damaged,
            "slot-a",
            Exit::Broken,
        ),
        (
            |dir, _| fs::remove_file(&dir.head_slots()[0]).unwrap(),
            DefectKind::Withheld,
            "slot-a",
            Exit::Incomplete,
        ),
        (|dir, _| flip(&dir.data().intent(), 60), DefectKind::Damaged, "intent", Exit::Broken),
        (
            |dir, _| put_slot(dir, 6, [7; 32], ORIGIN),
            DefectKind::BadProof,
            "slot-a: the head has another root",
            Exit::Broken,
        ),
        (
            |dir, world| put_slot(dir, 3, world.root(3), ORIGIN),
            DefectKind::BadProof,
            "slot-a: the head has 3 entries",
            Exit::Broken,
        ),
        (
            |dir, _| put_slot(dir, 9, [7; 32], ORIGIN),
            DefectKind::Withheld,
            "slot-a: the head has 9 entries, DATA only 6",
            Exit::Incomplete,
        ),
        (
            |dir, world| put_slot(dir, 6, world.root(6), "net/lei-1/1"),
            DefectKind::BadProof,
            "slot-a: the head is of another log",
            Exit::Broken,
        ),
    ];
    let world = usual(2);
    for (number, (change, kind, told, exit)) in cases.into_iter().enumerate() {
        let (_kept, dir) = dir_of(&world);
        change(&dir, &world);
        let proven = check(dir.path()).unwrap();
        let found = details(&proven, kind);
        assert_eq!(kinds(&proven), [kind], "case {number}: {:#?}", proven.defects);
        assert!(found.iter().any(|one| one.contains(told)), "case {number}: {found:?}");
        assert_eq!(proven.exit(), exit, "case {number}");
        assert_eq!(proven.attestations.len(), 6, "what is proved stays proved");
        assert!(proven.defects.iter().all(|defect| defect.remedy.is_some()));
        // DATA alone finds the head beside it.
        assert_eq!(check(dir.data().path()).unwrap().exit(), exit, "case {number}");
    }
    let (_kept, dir) = dir_of(&world);
    fs::remove_dir_all(dir.path().join("head")).unwrap();
    let proven = check(dir.path()).unwrap();
    assert_eq!(details(&proven, DefectKind::Withheld).len(), 3);
    assert_eq!(proven.exit(), Exit::Incomplete);
}

/// A whole slot with a higher sequence number than both others.
fn put_slot(dir: &Dir, size: u64, root: [u8; 32], origin: &str) {
    let bytes = Slot::new(99, Head { size, root }, origin).encode();
    fs::write(&dir.head_slots()[0], bytes).unwrap();
}

#[test]
fn an_old_copy_of_data_under_todays_head_is_incomplete_and_its_own_part_is_proved() {
    let old = usual(2);
    let mut new = usual(2);
    new.readings(4, Some(new.entries[5].id), 39_000);
    new.publish();
    let (_kept, dir) = dir_of(&new);
    let (_kept_too, backup) = dir_of(&old);
    fs::remove_dir_all(dir.data().path()).unwrap();
    fs::rename(backup.data().path(), dir.data().path()).unwrap();
    let proven = check(dir.path()).unwrap();
    let told = details(&proven, DefectKind::Withheld);
    assert!(told[0].contains("the head has 7 entries, DATA only 6"), "{told:?}");
    assert_eq!((proven.defects.len(), proven.attestations.len()), (1, 6));
    assert_eq!(proven.exit(), Exit::Incomplete);
}

#[test]
fn sequenced_entries_without_a_checkpoint_yet_are_no_defect() {
    let mut world = usual(2);
    world.readings(4, Some(world.entries[5].id), 39_000);
    let newest = world.checkpoints.pop().unwrap();
    world.publish();
    let (_kept, dir) = dir_of(&world);
    // The tiles and head of size 7, the checkpoint still that of size 6.
    fs::write(dir.data().checkpoint(), newest.to_bytes()).unwrap();
    let kept: Vec<_> = world.checkpoints[..2].iter().chain([&newest]).cloned().collect();
    let mut history = Vec::new();
    kept.iter().for_each(|note| frame::append(&mut history, &note.to_bytes()));
    fs::write(dir.data().checkpoints(), history).unwrap();
    let proven = check(dir.path()).unwrap();
    assert_eq!(proven.defects, []);
    assert_eq!((proven.logs[0].size, proven.attestations.len()), (6, 6));
}

#[test]
fn a_forged_checkpoint_proves_nothing() {
    let world = usual(2);
    let (_kept, dir) = dir_of(&world);
    let path = dir.data().checkpoint();
    let note = fs::read_to_string(&path).unwrap();
    fs::remove_file(dir.data().checkpoints()).unwrap();
    // Another size under the old signatures.
    fs::write(&path, note.replace("\n6\n", "\n5\n")).unwrap();
    let proven = check(dir.path()).unwrap();
    assert!(kinds(&proven).contains(&DefectKind::BadSignature), "{:#?}", proven.defects);
    assert_eq!((proven.attestations.len(), proven.exit()), (0, Exit::Broken));
}

#[test]
fn a_checkpoint_without_its_quorum_is_told() {
    let world = usual(2);
    let (_kept, dir) = dir_of(&world);
    let path = dir.data().checkpoint();
    let note = fs::read_to_string(&path).unwrap();
    let lines = note.lines().filter(|line| !line.starts_with("\u{2014} w2 "));
    fs::write(&path, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let mut history = Vec::new();
    let earlier = world.checkpoints[..2].iter().map(|note| note.to_string().into_bytes());
    earlier.chain([fs::read(&path).unwrap()]).for_each(|note| frame::append(&mut history, &note));
    fs::write(dir.data().checkpoints(), history).unwrap();
    let proven = check(dir.path()).unwrap();
    assert_eq!(kinds(&proven), [DefectKind::NoQuorum], "{:#?}", proven.defects);
    assert_eq!(proven.exit(), Exit::Broken);
}

#[test]
fn a_log_that_was_rewritten_under_its_own_key_splits_from_its_history() {
    let mut world = usual(0);
    world.entries.swap(3, 4);
    world.bodies.swap(3, 4);
    world.publish();
    let (_kept, dir) = dir_of(&world);
    let proven = check(dir.path()).unwrap();
    assert!(kinds(&proven).contains(&DefectKind::Split), "{:#?}", proven.defects);
    assert_eq!(proven.exit(), Exit::Broken);
}

#[test]
fn a_body_that_is_changed_left_out_or_added_shows_in_a_bundle() {
    let world = usual(2);
    let items = world.items();
    let last = items.len() - 1;

    let mut changed = items.clone();
    let Item::Body(body) = &mut changed[last] else { unreachable!("readings come last") };
    let at = body.len() - 1;
    body[at] ^= 1;
    let (_kept, path) = bundle_of(&world, &changed);
    let proven = check(&path).unwrap();
    assert!(kinds(&proven).contains(&DefectKind::Unlogged), "{:#?}", proven.defects);
    assert_eq!((proven.attestations.len(), proven.exit()), (5, Exit::Broken));

    // A body that is not carried is none of the bundle's claims, but shows in the coverage.
    let (_kept, path) = bundle_of(&world, &items[..last]);
    let proven = check(&path).unwrap();
    assert_eq!((proven.defects.len(), proven.coverage[0].bodies_missing), (0, 1));

    // Without the organisation's meter key its readings cannot be traced.
    let meter = items.iter().rposition(|item| matches!(item, Item::Identity(_))).unwrap();
    let mut without = items.clone();
    without.remove(meter);
    let (_kept, path) = bundle_of(&world, &without);
    let proven = check(&path).unwrap();
    assert_eq!(kinds(&proven), [DefectKind::Withheld], "{:#?}", proven.defects);
    assert_eq!(proven.exit(), Exit::Incomplete);
}

#[test]
fn a_bundle_that_lacks_entries_or_is_cut_says_so() {
    let world = usual(2);
    let mut items = world.items();
    let of = items.iter().position(|item| matches!(item, Item::Entries { .. })).unwrap();
    items[of] =
        Item::Entries { origin: ORIGIN.to_owned(), first: 0, entries: world.entries[..4].to_vec() };
    let (_kept, path) = bundle_of(&world, &items);
    let proven = check(&path).unwrap();
    assert!(kinds(&proven).contains(&DefectKind::Withheld), "{:#?}", proven.defects);

    // What it lacks accuses none of the records that it would prove.
    let without = |gone: fn(&Item) -> bool| {
        let items: Vec<_> = world.items().into_iter().filter(|item| !gone(item)).collect();
        let (_kept, path) = bundle_of(&world, &items);
        let proven = check(&path).unwrap();
        assert_eq!(proven.exit(), Exit::Incomplete, "{:#?}", proven.defects);
        kinds(&proven)
    };
    for gone in [(|item| matches!(item, Item::Checkpoint(_))) as fn(&Item) -> bool, |item| {
        matches!(item, Item::Entries { .. })
    }] {
        assert_eq!(without(gone), [DefectKind::Withheld]);
    }

    let bytes = world.bundle(&world.items());
    fs::write(&path, &bytes[..bytes.len() - 5]).unwrap();
    let error = check(&path).unwrap_err();
    assert!(matches!(error, LoadError::Bundle { .. }));
    assert_eq!(error.exit(), Exit::Input);
    fs::write(&path, b"not a bundle").unwrap();
    assert_eq!(check(&path).unwrap_err().exit(), Exit::Input);
}

#[test]
fn signatures_audiences_and_network_files_are_checked() {
    // An audience byte that is not what was signed.
    let mut world = World::new(2);
    world.readings(1, None, 41_000);
    world.entries[3].audience = 0;
    world.publish();
    let (_kept, dir) = dir_of(&world);
    let proven = check(dir.path()).unwrap();
    assert_eq!(kinds(&proven), [DefectKind::BadAudience], "{:#?}", proven.defects);
    assert_eq!(proven.exit(), Exit::Broken);

    // A body whose signature is not that of its key, logged all the same.
    let mut world = World::new(2);
    world.readings(1, None, 41_000);
    let mut forged = world.bodies.pop().unwrap();
    world.entries.pop();
    let at = forged.len() - 1;
    forged[at] ^= 1;
    let envelope = hallmark_schemas::attestation::Envelope::parse(&forged).unwrap();
    world.append(&envelope);
    world.publish();
    let (_kept, dir) = dir_of(&world);
    let proven = check(dir.path()).unwrap();
    assert_eq!(kinds(&proven), [DefectKind::BadSignature], "{:#?}", proven.defects);
    assert_eq!(proven.exit(), Exit::Broken);

    flip(&dir.network(), -1);
    let proven = check(dir.path()).unwrap();
    assert!(kinds(&proven).contains(&DefectKind::BadSignature));
    assert_eq!((proven.attestations.len(), proven.exit()), (0, Exit::Broken));
}

/// Several may contradict one statement, each with a fork of its own.
#[test]
fn a_correction_takes_the_place_of_all_that_contradicted_what_it_corrects() {
    let mut world = World::new(2);
    let facility = |world: &mut World, name: &str, corrects: Option<ContentId>| {
        let mut json = serde_json::json!({
            "name": name, "lat_e7": 0, "lon_e7": 0, "province": "CN-HE", "utc_offset": "+08:00",
            "sector": "steel",
        });
        if let Some(corrected) = corrects {
            json["replaces"] = corrected.to_string().into();
            json["reason"] = "sent twice".into();
        }
        let subject = Subject::parse("urn:hallmark:facility:lei:529900T8BM49AURSDO55:works");
        let body = Body::from_json(KindName::Facility, json).unwrap();
        world.add(subject.unwrap(), body, false)
    };
    let first = facility(&mut world, "A", None);
    for other in ["B", "C"] {
        facility(&mut world, other, None);
    }
    let right = facility(&mut world, "D", Some(first));
    world.publish();
    let (_kept, dir) = dir_of(&world);
    let proven = check(dir.path()).unwrap();
    assert_eq!(kinds(&proven), [DefectKind::ForkCorrected], "{:#?}", proven.defects);
    assert_eq!(proven.defects.len(), 2);
    assert!(proven.defects.iter().all(|defect| defect.cites.contains(&right)));
    let tables = hallmark_verifier::tabulate::tabulate(&proven).unwrap();
    assert_eq!((tables.rows("facilities"), tables.rows("facilities_all")), (1, 4));
}

#[test]
fn forks_and_broken_chains_are_rows_for_the_rules_and_no_broken_proof() {
    let mut world = World::new(2);
    let first = world.readings(1, None, 41_000);
    let second = world.readings(2, Some(first), 39_000);
    let fork = world.readings(2, Some(first), 12_000);
    let broken = world.readings(3, Some(first), 38_000);
    world.publish();
    let (_kept, dir) = dir_of(&world);
    let proven = check(dir.path()).unwrap();
    assert_eq!(kinds(&proven), [DefectKind::Fork, DefectKind::BadChain], "{:#?}", proven.defects);
    assert_eq!(proven.exit(), Exit::Done);
    let mut pair = vec![second, fork];
    pair.sort();
    assert_eq!(proven.defects[0].cites, pair);
    assert!(proven.defects[1].cites.contains(&broken));
    let tables = hallmark_verifier::tabulate::tabulate(&proven).unwrap();
    assert_eq!(tables.rows("defects"), 2);
    assert_eq!(tables.rows("meter_readings"), 16);
}

#[test]
fn a_receipt_proves_a_body_whose_entry_is_not_carried_and_a_false_one_is_told() {
    let world = usual(2);
    let receipt = world.receipt(5);
    let mut items = world.items();
    let of = items.iter().position(|item| matches!(item, Item::Entries { .. })).unwrap();
    let (origin, entries) = (ORIGIN.to_owned(), world.entries[..5].to_vec());
    let id = world.entries[5].id;
    items.push(Item::Receipt { id, receipt: receipt.clone() });
    let (_kept, path) = bundle_of(&world, &items);
    assert_eq!(check(&path).unwrap().defects, []);

    // Without the entry the log is incomplete, but the receipt still proves the body.
    items[of] = Item::Entries { origin, first: 0, entries };
    let (_kept, path) = bundle_of(&world, &items);
    let proven = check(&path).unwrap();
    assert_eq!(kinds(&proven), [DefectKind::Withheld], "{:#?}", proven.defects);
    assert_eq!(proven.exit(), Exit::Incomplete);
    assert_eq!((proven.attestations.len(), proven.attestations[5].entry), (6, 5));

    let mut forged = receipt;
    let at = forged.len() - 1;
    forged[at] ^= 1;
    let mut items = world.items();
    items.push(Item::Receipt { id, receipt: forged });
    let (_kept, path) = bundle_of(&world, &items);
    let proven = check(&path).unwrap();
    assert_eq!(kinds(&proven), [DefectKind::BadProof], "{:#?}", proven.defects);
    assert_eq!(proven.exit(), Exit::Broken);
}

/// What a backup leaves that was stopped before it had written a checkpoint.
#[test]
fn a_folder_without_any_checkpoint_is_never_said_to_be_clean() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["log", "packs"] {
        let one = folder.path().join(name).join(name);
        fs::create_dir_all(&one).unwrap();
        let output = verify(&["check", name], folder.path());
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(5), "{text}");
        assert!(text.contains("an unfinished backup"), "{text}");
    }
}
