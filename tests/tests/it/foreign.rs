//! Witnesses of no network, of which nothing is known but what C2SP tlog-witness promises: logs that
//! need one are restored, and one that lies or whose clock is wrong breaks nothing.

use std::path::Path;

use hallmark_schemas::frame::{self, Piece};
use hallmark_schemas::layout::Data;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::time::Timestamp;

use super::recovery::{facility, mirrored, published, record, size, slug, status};
use super::world::{Node, SOON, World, path_text, run, wait};
use outside::{Mood, Outside};

mod outside;

/// A founder and a member that mirror each other.
fn two(world: &World) -> [Node; 2] {
    let founder = world.founder("founder");
    founder.ready();
    let mut member = world.newcomer("member", 2, "producer", &founder);
    founder.run("admit", &[path_text(&member.dir.join("join.cbor"))]).ok();
    member.start();
    member.ready();
    [founder, member]
}

/// Puts a policy into force of so many of these, and waits until the member has it.
fn policy(founder: &Node, member: &Node, quorum: &str, names: &[&str], foreign: &[&Outside]) {
    let policies: Vec<String> = foreign.iter().map(|one| one.line()).collect();
    let mut args = vec!["--quorum", quorum];
    names.iter().for_each(|name| args.extend(["--witness", name]));
    policies.iter().for_each(|line| args.extend(["--foreign-witness", line.as_str()]));
    founder.run("network", &args).ok();
    let version = |node: &Node| status(node).map(|status| status["network_version"].clone());
    let newest = version(founder);
    wait("the next version", SOON, || (version(member) == newest).then_some(()));
}

/// Everything that the machine wrote is gone, or all but the head.
fn lose(node: &mut Node, what: &[&str]) {
    node.stop();
    what.iter().for_each(|what| {
        std::fs::remove_dir_all(node.dir.join(what)).expect("it does not run");
    });
}

/// Made whole from what the peer mirrors, the log goes on.
fn goes_on(world: &World, node: &mut Node, peer: &Node, before: u64) {
    // Where members answer was in DATA.
    let restored = node.run("restore", &["--from-peers", "--peer", &peer.url]).ok();
    assert!(
        restored.stdout.contains(&format!("restored: {before} entries")),
        "{}",
        restored.stdout
    );
    node.start();
    node.ready();
    record(world, node, &format!("after-{before}"));
    assert!(before < published(node));
    node.run("check", &[]).ok();
}

#[test]
fn a_log_whose_quorum_needs_a_witness_of_no_network_is_restored_from_its_mirror() {
    let (world, outside) = (World::new(), Outside::new("outside", 61));
    let [mut founder, member] = two(&world);
    policy(&founder, &member, "1", &[], &[&outside]);
    record(&world, &founder, "works-1");
    let saved = world.path("saved");
    founder.run("backup", &[path_text(&saved)]).ok();
    record(&world, &founder, "works-2");
    record(&world, &founder, "works-3");
    let newest = published(&founder);
    mirrored(&member, &founder, newest);
    lose(&mut founder, &["data"]);
    founder.run("restore", &[path_text(&saved)]).fails(5);
    // While it does not answer, or claims what nobody shows, nothing is taken for the newest.
    outside.is(Mood::Says(409, "1000\n"));
    let claimed = founder.run("restore", &["--from-peers", "--peer", &member.url]).fails(6);
    assert!(claimed.stderr.contains("it has seen 1000 entries"), "{}", claimed.stderr);
    assert!(claimed.stderr.contains("proves nothing"), "{}", claimed.stderr);
    outside.is(Mood::Honest);
    goes_on(&world, &mut founder, &member, newest);

    let newest = published(&founder);
    mirrored(&member, &founder, newest);
    lose(&mut founder, &["data", "head"]);
    goes_on(&world, &mut founder, &member, newest);
}

#[test]
fn a_log_of_mixed_witnesses_is_restored_once_enough_of_them_say_where_they_stand() {
    let (world, outside) = (World::new(), Outside::new("outside", 62));
    let [mut founder, member] = two(&world);
    let names = [slug(&founder), slug(&member)];
    policy(&founder, &member, "2", &[&names[0], &names[1]], &[&outside]);
    record(&world, &founder, "works-1");
    let newest = published(&founder);
    mirrored(&member, &founder, newest);
    lose(&mut founder, &["data", "head"]);
    outside.is(Mood::Says(500, ""));
    founder.run("restore", &["--from-peers", "--peer", &member.url]).fails(6);
    outside.is(Mood::Honest);
    goes_on(&world, &mut founder, &member, newest);

    // Two of three strangers, of whom one has been away for some time, and then for good.
    let (second, third) = (Outside::new("second", 63), Outside::new("third", 64));
    policy(&founder, &member, "2", &[], &[&outside, &second, &third]);
    record(&world, &founder, "works-3");
    outside.is(Mood::Says(500, ""));
    record(&world, &founder, "works-4");
    let newest = published(&founder);
    mirrored(&member, &founder, newest);
    lose(&mut founder, &["data", "head"]);
    third.is(Mood::Says(500, ""));
    founder.run("restore", &["--from-peers", "--peer", &member.url]).fails(6);
    // It stands before what the others cosigned: the mirror's tiles prove that this goes on from it.
    outside.is(Mood::Honest);
    goes_on(&world, &mut founder, &member, newest);
}

/// Why the node does not record what is submitted, as it tells.
fn waits(node: &Node, with: &str) -> String {
    wait("the reason", SOON, || {
        let ready = node.get("/readyz");
        let words = ready.json();
        assert_eq!(words["log"], "ready", "a bare word ends nothing: {words}");
        let word = words["quorum"].as_str()?.to_owned();
        (ready.status == 503 && word.contains(with)).then_some(word)
    })
}

#[test]
fn a_witness_that_claims_another_history_without_showing_it_counts_as_one_that_is_silent() {
    let (world, outside) = (World::new(), Outside::new("outside", 65));
    let [mut founder, member] = two(&world);
    policy(&founder, &member, "1", &[], &[&outside]);
    record(&world, &founder, "works-1");
    outside.is(Mood::Says(422, "no\n"));
    let file = world.file("next.json", facility(&founder.org, "works-2"));
    founder.run("submit", &[path_text(&file)]).ok();
    let word = waits(&founder, "it answers 422");
    assert!(word.contains("outside") && word.contains("proves nothing"), "{word}");
    outside.is(Mood::Honest);
    founder.ready();
    // The same after a start, when the guard asks.
    for (mood, said) in [
        (Mood::Says(409, "1000\n"), "as if it had seen 1000 entries of this log"),
        (Mood::Says(422, "no\n"), "of another tree of this log"),
    ] {
        founder.stop();
        outside.is(mood);
        founder.start();
        let word = waits(&founder, said);
        assert!(word.contains("restore DIR --from-peers"), "{word}");
        let told = status(&founder).expect("it runs");
        assert_eq!(told["signing"]["state"], "waiting_for_guard", "{told}");
        assert_eq!(told["witnesses"][0]["unproved"], true, "{told}");
        outside.is(Mood::Honest);
        founder.ready();
        record(&world, &founder, &format!("after-{}", published(&founder)));
    }
    founder.run("check", &[]).ok();
}

#[test]
fn a_cosignature_of_an_impossible_time_is_not_counted_and_the_checkpoint_waits_for_a_better_one() {
    let (world, outside) = (World::new(), Outside::new("outside", 66));
    let [founder, member] = two(&world);
    outside.is(Mood::States(0));
    policy(&founder, &member, "1", &[], &[&outside]);
    for (number, seconds, stated) in [
        (1, 0, "1970-01-01T00:00:00"),
        (2, 4_102_444_800, "2100-01-01T00:00:00"),
        (3, 60, "1970-01-01"),
    ] {
        outside.is(Mood::States(seconds));
        let file = world.file("next.json", facility(&founder.org, &format!("works-{number}")));
        founder.run("submit", &[path_text(&file)]).ok();
        let word = waits(&founder, stated);
        assert!(word.contains("outside: its cosignature states"), "{word}");
        outside.is(Mood::Honest);
        founder.ready();
    }
    wait("all to be recorded", SOON, || (status(&founder)?["stored_unlogged"] == 0).then_some(()));
    founder.run("check", &[]).ok();
}

/// Has the witness state the beginning of 1970 in the newest `count` checkpoints of a copy of DATA.
fn misdate(data: &Path, outside: &Outside, count: usize) {
    let data = Data::new(data);
    let misdated = |bytes: &[u8]| {
        let mut note = SignedNote::parse(bytes).expect("a note");
        note.retain(|line| !line.is_of(outside.key()));
        note.add(outside.sign(note.text(), Timestamp::EPOCH));
        note.to_bytes()
    };
    let path = data.checkpoint();
    std::fs::write(&path, misdated(&std::fs::read(&path).expect("a note"))).expect("writable");
    let path = data.checkpoints();
    let bytes = std::fs::read(&path).expect("a history");
    let notes: Vec<&[u8]> = frame::scan(&bytes)
        .filter_map(|piece| match piece {
            Piece::Record { content, .. } => Some(content),
            _ => None,
        })
        .collect();
    let mut history = Vec::new();
    for (number, note) in notes.iter().enumerate() {
        let is_new = notes.len() - count <= number;
        let note = if is_new { misdated(note) } else { note.to_vec() };
        frame::append(&mut history, &note);
    }
    std::fs::write(&path, history).expect("writable");
}

#[test]
fn cosignatures_that_go_back_in_time_are_told_and_break_nothing_that_was_honest() {
    let (world, outside) = (World::new(), Outside::new("outside", 67));
    let [founder, member] = two(&world);
    policy(&founder, &member, "1", &[], &[&outside]);
    for number in 1..5 {
        record(&world, &founder, &format!("works-{number}"));
    }
    let copy = world.path("copy");
    founder.run("backup", &[path_text(&copy)]).ok();
    misdate(&copy, &outside, 3);
    let newest = size(&std::fs::read(copy.join("log/checkpoint")).expect("published"));
    let checked = run("hallmark-verify", &["check", path_text(&copy)]).ok();
    let told = format!("the checkpoint of size {} is cosigned at 1970-01-01", newest - 2);
    assert!(checked.stdout.contains(&told), "{}", checked.stdout);
    assert!(checked.stdout.contains("by outside"), "{}", checked.stdout);
    assert!(checked.stdout.contains("and 2 after it"), "{}", checked.stdout);
}
