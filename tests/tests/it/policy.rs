//! A version of the network file that changes who vouches for logs: what was published before it
//! counts by the witnesses of then, what comes after it by those of now.

use std::path::Path;

use hallmark_schemas::frame::{self, Piece};
use hallmark_schemas::layout::Data;
use serde_json::Value;

use super::recovery::{json, mirrored, published, record, size, slug};
use super::world::{Node, SOON, World, path_text, run, wait};

/// The newest checkpoint of a log, as text.
fn newest(node: &Node) -> String {
    String::from_utf8(node.get("/log/checkpoint").body).expect("a note")
}

/// How the line of a member's witness begins.
fn line_of(witness: &Node) -> String {
    format!("\u{2014} world/{}/witness ", slug(witness))
}

/// Whether the witness of this member vouches for a note.
fn vouches(note: &str, witness: &Node) -> bool {
    let line = line_of(witness);
    note.lines().any(|one| one.starts_with(&line))
}

fn version(node: &Node) -> Value {
    json(&node.run("network", &["show", "--format", "json"]).ok()).remove(0)["version"].clone()
}

/// Puts a version into force by which this witness alone counts; returns when all have it.
fn one_witness(registrar: &Node, witness: &Node, others: [&Node; 2]) {
    registrar.run("network", &["--quorum", "1", "--witness", &slug(witness)]).ok();
    let newest = version(registrar);
    for node in others {
        wait("the next version", SOON, || (version(node) == newest).then_some(()));
    }
}

/// Takes the word of a witness from every checkpoint of this size in a copy of DATA.
fn silence(data: &Path, witness: &Node, of_size: u64) {
    let line = line_of(witness);
    let without = |note: &[u8]| {
        let text = String::from_utf8(note.to_vec()).expect("a note");
        if size(note) != of_size {
            return text;
        }
        let kept = text.lines().filter(|one| !one.starts_with(&line));
        kept.map(|one| format!("{one}\n")).collect()
    };
    let data = Data::new(data);
    let path = data.checkpoint();
    std::fs::write(&path, without(&std::fs::read(&path).expect("a note"))).expect("writable");
    let path = data.checkpoints();
    let (bytes, mut history) = (std::fs::read(&path).expect("a history"), Vec::new());
    for piece in frame::scan(&bytes) {
        if let Piece::Record { content, .. } = piece {
            frame::append(&mut history, without(content).as_bytes());
        }
    }
    std::fs::write(&path, history).expect("writable");
}

#[test]
fn checkpoints_count_by_the_witnesses_of_their_time_before_and_after_a_version_changes_them() {
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
    one_witness(&registrar, &registrar, [&plant, &auditor]);
    auditor.stop();
    record(&world, &plant, "works-1");
    let (before, old) = (newest(&plant), published(&plant));
    assert!(vouches(&before, &registrar) && !vouches(&before, &auditor), "{before}");
    auditor.start();
    auditor.ready();
    one_witness(&registrar, &auditor, [&plant, &auditor]);
    mirrored(&plant, &registrar, published(&registrar));
    registrar.stop();
    record(&world, &plant, "works-2");
    let (after, new) = (newest(&plant), published(&plant));
    assert!(vouches(&after, &auditor) && !vouches(&after, &registrar), "{after}");

    // A stranger who has the newest file alone proves both.
    let (bundle, copy) = (world.path("case.hallmark"), world.path("copy"));
    plant.run("export", &["-o", path_text(&bundle)]).ok();
    plant.run("backup", &[path_text(&copy)]).ok();
    let is_witnessed = |input: &Path| {
        let checked = run("hallmark-verify", &["check", path_text(input), "--report", "json"]).ok();
        let report: Value = serde_json::from_str(&checked.stdout).expect("one JSON document");
        assert_eq!(report["defects"].as_array().map(Vec::len), Some(0), "{report:#}");
        let (logs, origin) = (report["logs"].as_array(), format!("world/{}/1", slug(&plant)));
        let its = logs.into_iter().flatten().find(|log| log["origin"] == origin);
        let its = its.expect("the log of the plant");
        assert_eq!(its["size"], new, "{report:#}");
        its["witnessed"] == true
    };
    assert!(is_witnessed(&bundle) && is_witnessed(&copy));
    // The word of the old witness is not asked for of what is new, and that of the new one is: the
    // version without witnesses that the network began with still counts for ten minutes.
    silence(&copy, &registrar, new);
    assert!(is_witnessed(&copy));
    silence(&copy, &auditor, old);
    assert!(is_witnessed(&copy));
    silence(&copy, &auditor, new);
    assert!(!is_witnessed(&copy));
    assert!(old < new, "{old} {new}");
}
