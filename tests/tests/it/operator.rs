//! The operator's side of a log: checks that go on, erasure, disks that fill up or cannot be written.

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::frame;
use hallmark_schemas::hex;
use hallmark_schemas::note::SignedNote;

use super::recovery::{flip, json, record};
use super::world::{Node, World};

/// The position that an interrupted check of this node would have left.
fn interrupted(node: &Node, root: Option<[u8; 32]>, held: &[&str]) {
    let note = std::fs::read(node.dir.join("data/log/checkpoint")).expect("published");
    let tree = SignedNote::parse(&note).expect("a note").checkpoint().expect("a checkpoint");
    let root = hex::encode(&root.unwrap_or(tree.root));
    let (mut bytes, mut ids) = (Vec::new(), Vec::new());
    let head = format!("hallmark check 1\n{}\n{}\n{root}\n", tree.origin, tree.size);
    frame::append(&mut bytes, head.as_bytes());
    for id in held {
        let id: ContentId = id.parse().expect("an id");
        ids.extend_from_slice(id.bytes());
    }
    frame::append(&mut bytes, &ids);
    std::fs::write(node.dir.join("run/check"), bytes).expect("writable");
}

#[test]
fn a_check_that_was_interrupted_goes_on_while_the_node_runs_and_still_finds_every_flipped_bit() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let id = record(&world, &node, "works-1");
    let position = node.dir.join("run/check");
    interrupted(&node, None, &[&id]);
    let checked = node.run("check", &["--format", "json"]).ok();
    let told = "goes on after 1 signature that was checked before the interruption";
    assert!(checked.stderr.contains(told), "{}", checked.stderr);
    assert_eq!(json(&checked).last().expect("a verdict")["verdict"], "whole");
    assert!(!position.exists(), "it came to its end");
    let anew = node.run("check", &["--repair"]).ok();
    assert!(!anew.stderr.contains("goes on"), "{}", anew.stderr);
    assert!(anew.stdout.ends_with("0 defects\n"), "{}", anew.stdout);
    // The files of another tree: what was checked of it is nothing here.
    interrupted(&node, Some([7; 32]), &[&id]);
    let other = node.run("check", &[]).ok();
    assert!(other.stderr.contains("begins anew: the log is another one"), "{}", other.stderr);
    // A body that changed under the position is found all the same.
    interrupted(&node, None, &[&id]);
    let pack = node.dir.join("data/packs/00000000.pack");
    let bytes = std::fs::read(&pack).expect("a pack");
    let id: ContentId = id.parse().expect("an id");
    let at = bytes.windows(32).position(|window| window == id.bytes()).expect("its record");
    flip(&pack, at + 200);
    node.run("check", &[]).fails(4);
    flip(&pack, at + 200);
    node.run("check", &[]).ok();
}
