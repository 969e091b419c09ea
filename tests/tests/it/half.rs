//! Logs of which something is flipped, lost or only half here: check and export say what, and what is
//! missing accuses nobody.

use std::path::PathBuf;

use super::recovery::{published, record, settled, slug, three};
use super::world::{Node, World, path_text, run};

/// The folder of a node's copy of another's log.
fn copy(node: &Node, of: &Node) -> PathBuf {
    let peers = std::fs::read_dir(node.dir.join("data/peers")).expect("it follows logs");
    let mut folders = peers.map(|peer| peer.expect("a folder").path());
    let origin = format!("world/{}/1\n", slug(of));
    let is_of = |folder: &PathBuf| {
        std::fs::read(folder.join("log/checkpoint"))
            .is_ok_and(|note| note.starts_with(origin.as_bytes()))
    };
    folders.find(is_of).expect("a copy of that log")
}

#[test]
fn a_bundle_made_while_a_copy_is_half_here_is_incomplete_and_accuses_nobody() {
    let world = World::new();
    let [mut registrar, mut plant, mut auditor] = three(&world);
    record(&world, &plant, "works-1");
    settled(&registrar, [&plant, &auditor]);
    let whole = world.path("whole.hallmark");
    plant.run("export", &["-o", path_text(&whole)]).ok();
    run("hallmark-verify", &["check", path_text(&whole)]).ok();
    registrar.stop();
    auditor.stop();
    for of in [&registrar, &auditor] {
        plant.stop();
        let entries = copy(&plant, of).join("log/tile/entries");
        std::fs::remove_dir_all(entries).expect("removed");
        plant.start();
        let half = world.path("half.hallmark");
        plant.run("export", &["-o", path_text(&half)]).ok();
        let checked = run("hallmark-verify", &["check", path_text(&half)]);
        assert_eq!(checked.code, 5, "{}", checked.stdout);
        assert!(!checked.stdout.contains("\nerror "), "{}", checked.stdout);
    }
}

/// A log of more than one entry bundle, at rest; the files of its first and of its last one.
fn long(world: &World) -> (Node, [PathBuf; 2]) {
    let mut node = world.founder("plant");
    node.ready();
    let sub = node.org.replace(":org:", ":facility:");
    let places = (0..300).map(|number| {
        format!(
            r#"{{"kind":"facility","sub":"{sub}:works-{number}","payload":{{"name":"Works","lat_e7":1,"lon_e7":1,"province":"CN-31","utc_offset":"+08:00","sector":"steel"}}}}"#
        )
    });
    let all: Vec<String> = places.collect();
    assert_eq!(node.record(&world.file("all.json", all.join("\n")), &[]).len(), 300);
    let size = published(&node);
    node.stop();
    let entries = node.dir.join("data/log/tile/entries");
    let files = [entries.join("000"), entries.join(format!("001.p/{}", size - 256))];
    (node, files)
}

#[test]
fn a_flipped_or_lost_entry_bundle_of_a_long_log_is_named_by_check_and_export() {
    let world = World::new();
    let (mut node, files) = long(&world);
    let dir = node.dir_text().to_owned();
    let verified = |code: i32| run("hallmark-verify", &["check", &dir]).fails(code).stdout;
    run("hallmark-verify", &["check", &dir]).ok();
    for file in &files {
        let whole = std::fs::read(file).expect("a bundle of entries");
        // In an instant, in a content id, in the last entry.
        for at in [3, 20, whole.len() - 1] {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            std::fs::write(file, flipped).expect("writable");
            let told = verified(4);
            assert!(told.contains(path_text(file)), "{at}: {told}");
        }
        std::fs::remove_file(file).expect("removed");
        let told = verified(5);
        assert!(told.contains(path_text(file)) && !told.contains("\nerror "), "{told}");
        std::fs::write(file, whole).expect("writable");
    }
    let bundle = world.path("case.hallmark");
    node.start();
    for file in &files {
        let whole = std::fs::read(file).expect("a bundle of entries");
        let mut flipped = whole.clone();
        flipped[20] ^= 1;
        std::fs::write(file, flipped).expect("writable");
        let told = node.run("export", &["-o", path_text(&bundle)]).fails(4);
        assert!(told.stderr.contains("tile/entries/00"), "{}", told.stderr);
        std::fs::remove_file(file).expect("removed");
        let told = node.run("export", &["-o", path_text(&bundle)]).fails(5);
        assert!(told.stderr.contains("tile/entries/00"), "{}", told.stderr);
        std::fs::write(file, whole).expect("writable");
    }
    node.run("export", &["-o", path_text(&bundle)]).ok();
    run("hallmark-verify", &["check", path_text(&bundle)]).ok();
}

#[test]
fn a_finding_beside_a_lost_file_ends_with_1_and_a_broken_proof_beside_one_with_4() {
    let world = World::new();
    let (node, files) = long(&world);
    let found = "kind,subject,at,cites\nsplit,example/x/1,2026-03-01T00:00:00Z,\n";
    let table = format!("defects={}", path_text(&world.file("defects.csv", found)));
    let check = || run("hallmark-verify", &["check", node.dir_text(), "--table", &table]);
    let last = |text: &str| text.lines().last().expect("a verdict").to_owned();
    let verdict = last(&check().fails(1).stdout);
    assert!(verdict.starts_with("found: ") && !verdict.contains("incomplete"), "{verdict}");
    std::fs::remove_file(&files[0]).expect("removed");
    let verdict = last(&check().fails(1).stdout);
    assert!(verdict.starts_with("found: ") && verdict.contains("incomplete too"), "{verdict}");
    let mut flipped = std::fs::read(&files[1]).expect("a bundle of entries");
    flipped[20] ^= 1;
    std::fs::write(&files[1], flipped).expect("writable");
    let told = check().fails(4).stdout;
    assert!(last(&told).starts_with("broken: "), "{told}");
    assert!(files.iter().all(|file| told.contains(path_text(file))), "both are named: {told}");
}
