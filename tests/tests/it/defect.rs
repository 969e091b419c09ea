//! A log that was put back to an old copy and signs another history: whoever follows it proves that in
//! one file, and goes on.

use std::path::{Path, PathBuf};

use hallmark_schemas::layout::peer_name;
use serde_json::Value;

use super::recovery::{json, mirrored, published, record, size, slug};
use super::world::{Node, SOON, World, path_text, run, wait};

fn facility(world: &World, node: &Node, local: &str) -> PathBuf {
    let sub = format!("{}:{local}", node.org.replace(":org:", ":facility:"));
    let body = serde_json::json!({"kind": "facility", "sub": sub, "payload": {
        "v": 1, "name": "Works", "lat_e7": 311_234_567, "lon_e7": 1_214_567_890,
        "province": "CN-31", "utc_offset": "+08:00", "sector": "steel"}});
    world.file(&format!("{local}.json"), body.to_string())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("writable");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("readable");
        let kind = entry.file_type().expect("a type");
        let to = to.join(entry.file_name());
        if kind.is_dir() {
            copy(&entry.path(), &to);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), to).expect("writable");
        }
    }
}

/// The status of the one log that a node follows.
fn peer(node: &Node) -> Value {
    let ran = node.run("status", &["--format", "json"]);
    let line = ran.stdout.lines().next().unwrap_or_default();
    let view: Value = serde_json::from_str(line).unwrap_or_default();
    view["peers"][0].clone()
}

fn proofs(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for peer in std::fs::read_dir(dir.join("data/peers")).expect("it follows a log") {
        let folder = peer.expect("readable").path().join("defects");
        let files = std::fs::read_dir(folder).into_iter().flatten();
        found.extend(files.map(|file| file.expect("readable").path()));
    }
    found
}

#[test]
fn a_fork_that_lies_beyond_the_copy_is_proved_in_one_file_that_a_stranger_checks() {
    let world = World::new();
    let mut registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    registrar.run("admit", &[path_text(&plant.dir.join("join.cbor"))]).ok();
    plant.start();
    plant.ready();
    plant.record(&facility(&world, &plant, "works-1"), &[]);
    assert_eq!(plant.stop(), 0, "{}", plant.log());
    let old = world.path("old");
    copy(&plant.dir, &old);

    // What the registrar then sees, and what it never sees.
    plant.start();
    plant.ready();
    let ids = plant.record(&facility(&world, &plant, "works-2"), &[]);
    wait("the mirrored body", SOON, || (registrar.run("get", &[&ids[0]]).code == 0).then_some(()));
    assert_eq!(plant.stop(), 0);
    let held = peer(&registrar)["size"].as_u64().expect("a size");
    assert_eq!(registrar.stop(), 0);
    std::fs::remove_dir_all(&plant.dir).expect("it does not run");
    copy(&old, &plant.dir);
    plant.start();
    plant.ready();
    for local in ["works-3", "works-4", "works-5"] {
        plant.record(&facility(&world, &plant, local), &[]);
    }
    registrar.start();
    registrar.ready();
    let shown = wait("the proof of two histories", SOON, || {
        let shown = peer(&registrar)["defect_proofs"][0].as_str()?.to_owned();
        Some(shown)
    });
    assert!(shown.starts_with("split: ") && shown.contains(&format!("size {held}")), "{shown}");
    assert_eq!(peer(&registrar)["size"].as_u64(), Some(held), "the copy stays what it was");

    // One file, for anyone; then the bundle that holds it, and the node's own folder.
    let kept = proofs(&registrar.dir);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let checked = run("hallmark-verify", &["check", path_text(&kept[0])]).fails(1);
    assert!(checked.stdout.contains("LOG-001"), "{}", checked.stdout);
    assert!(checked.stdout.contains("signed two histories"), "{}", checked.stdout);
    let bundle = world.path("case.hallmark");
    registrar.run("export", &["-o", path_text(&bundle)]).ok();
    for input in [path_text(&bundle), registrar.dir_text()] {
        let checked = run("hallmark-verify", &["check", input]).fails(1);
        assert!(checked.stdout.contains("signed two histories"), "{input}: {}", checked.stdout);
    }
    // A flipped bit proves nothing and accuses nobody.
    let mut bytes = std::fs::read(&kept[0]).expect("readable");
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    let forged = world.file("forged.defect", bytes);
    let refused = run("hallmark-verify", &["check", path_text(&forged)]);
    assert!([3, 4].contains(&refused.code), "{}", refused.stdout);
    assert!(!refused.stdout.contains("signed two histories"), "{}", refused.stdout);
}

/// Both copies published what they signed while neither could be told of the other: nothing mends
/// that. The one whose tree the members hold is sealed there, and everybody follows the next log.
#[test]
fn a_log_that_two_copies_published_apart_is_sealed_and_everybody_follows_its_successor() {
    let world = World::new();
    let mut registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    let mut auditor = world.newcomer("auditor", 3, "verifier", &registrar);
    for newcomer in [&mut plant, &mut auditor] {
        registrar.run("admit", &[path_text(&newcomer.dir.join("join.cbor"))]).ok();
        newcomer.start();
        newcomer.ready();
    }
    record(&world, &plant, "works-1");
    plant.stop();
    let old = world.path("old");
    copy(&plant.dir, &old);
    plant.start();
    plant.ready();
    let held = ["works-2", "works-3", "works-4", "works-5"].map(|one| record(&world, &plant, one));
    let newest = published(&plant);
    for peer in [&registrar, &auditor] {
        mirrored(peer, &plant, newest);
    }
    // The copy signs where nobody hears it, and nobody who could tell it is there.
    plant.stop();
    let newest = size(&std::fs::read(plant.dir.join("data/log/checkpoint")).expect("a note"));
    registrar.stop();
    auditor.stop();
    let mut twin = world.adopted(&plant, &old);
    twin.start();
    twin.ready();
    let lost = record(&world, &twin, "other-2");
    assert!(published(&twin) < newest, "{} {newest}", published(&twin));
    registrar.start();
    auditor.start();
    registrar.ready();
    auditor.ready();

    let peers = [&registrar, &auditor, &twin].map(|node| ["--peer", node.url.as_str()]).concat();
    let both = plant.run("restore", &[&["--from-peers"], &peers[..]].concat()).fails(4);
    assert!(both.stderr.contains("signed two trees and published both"), "{}", both.stderr);
    assert!(both.stderr.contains("`hallmark-node restore DIR --successor`"), "{}", both.stderr);
    let made = plant.run("restore", &[&["--successor", "--format", "json"], &peers[..]].concat());
    let told = json(&made.ok()).remove(0);
    let (first, next) = (format!("world/{}/1", slug(&plant)), format!("world/{}/2", slug(&plant)));
    assert_eq!((told["previous"].as_str(), told["origin"].as_str()), (Some(&*first), Some(&*next)));
    assert_eq!(told["previous_size"], newest, "at what the members hold");
    twin.stop();
    registrar.run("admit", &[path_text(&plant.dir.join("join.cbor"))]).ok();
    plant.start();
    plant.ready();
    let id = record(&world, &plant, "works-6");
    for peer in [&registrar, &auditor] {
        wait("the mirror of the next log", SOON, || {
            (peer.run("get", &[&id]).code == 0).then_some(())
        });
        // The tree that they held is read as before; of the other one nothing has come.
        let old_log = format!("/peers/{}", peer_name(&first));
        assert_eq!(size(&peer.get(&format!("{old_log}/checkpoint")).body), newest);
        held.iter().for_each(|id| drop(peer.run("get", &[id]).ok()));
        assert_ne!(peer.run("get", &[&lost]).code, 0);
        let checked = run("hallmark-verify", &["check", peer.dir_text()]);
        assert!([0, 1].contains(&checked.code), "{}", checked.stdout);
        let line = format!("{first}: sealed at {newest} entries");
        assert!(checked.stdout.contains(&line), "{}", checked.stdout);
        assert!(checked.stdout.contains(&format!("followed by {next}")), "{}", checked.stdout);
    }
}
