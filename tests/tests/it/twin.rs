//! One log signed by two processes, on two copies of a folder: the second notices, says so, and the
//! log goes on where the witnesses were.

use std::time::Instant;

use serde_json::Value;

use super::recovery::{
    copy_folder, facility, json, mirrored, published, record, settled, status, three,
};
use super::world::{Node, SOON, World, path_text, run, wait};

mod peers;

/// Holds a process, as a machine that is copied is held; it goes on when this is dropped.
struct Held(String);

impl Held {
    fn hold(node: &Node) -> Held {
        let addresses = std::fs::read(node.dir.join("run/addresses.json")).expect("it runs");
        let addresses: Value = serde_json::from_slice(&addresses).expect("JSON");
        let held = Held(addresses["pid"].to_string());
        held.signal("-STOP");
        held
    }

    fn signal(&self, signal: &str) {
        let sent = std::process::Command::new("kill").args([signal, &self.0]).status();
        assert!(sent.expect("kill runs").success());
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

/// A network whose plant rests, and a copy of its folder.
fn copied(world: &World) -> ([Node; 3], Node) {
    let [registrar, mut plant, auditor] = three(world);
    // Over HTTP alone: a connection belongs to whichever of the two made it.
    plant.configure("# enabled = true", "enabled = false");
    plant.stop();
    plant.start();
    plant.ready();
    record(world, &plant, "works-1");
    settled(&plant, [&registrar, &auditor]);
    plant.stop();
    let copy = world.path("copy");
    copy_folder(&plant.dir, &copy);
    let twin = world.adopted(&plant, &copy);
    ([registrar, plant, auditor], twin)
}

/// Lets the node of this folder forget where its own log is published.
fn forget_own_address(node: &Node) {
    let path = node.dir.join("data/addresses.json");
    let mut known: Value =
        serde_json::from_slice(&std::fs::read(&path).expect("kept")).expect("JSON");
    known.as_object_mut().expect("a map").remove(&node.org).expect("its own address");
    std::fs::write(&path, known.to_string()).expect("writable");
}

#[test]
fn a_copy_that_reaches_the_running_original_ends_at_the_start_and_later_one_of_the_two_goes_on() {
    let world = World::new();
    let ([_registrar, mut plant, _auditor], mut twin) = copied(&world);
    plant.start();
    plant.ready();
    let began = Instant::now();
    let ran = twin.run("run", &["--http", "127.0.0.1:0"]).fails(6);
    assert!(began.elapsed() < SOON / 4, "{:?}", began.elapsed());
    assert!(ran.stderr.contains(&format!("already runs at {}", plant.url)), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("help: two copies of a folder never run at once"),
        "{}",
        ran.stderr
    );
    // The original is itself at its address, also after a start.
    plant.stop();
    plant.start();
    plant.ready();
    // While it does not answer the copy goes on; once it does again, one of the two does, and no
    // more is signed by the other.
    let held = Held::hold(&plant);
    twin.start();
    drop(held);
    let one = wait("one of two to sign nothing more", SOON, || match peers::words(&plant, &twin) {
        (None, None) => None,
        (Some(word), None) | (None, Some(word)) => Some(word),
        both => panic!("both: {both:?}"),
    });
    assert!(one.contains("another process") || one.contains("a witness holds"), "{one}");
    let process = |node: &Node| node.get("/readyz").json()["process"].clone();
    assert_eq!(process(&plant)["log"], process(&twin)["log"]);
    assert_ne!(process(&plant)["run"], process(&twin)["run"]);
}

/// A plant that has signed something and a twin that has published before it; None if the plant
/// heard of the twin before it signed, so that it takes or signs nothing more.
fn signed_on_both(world: &World) -> Option<([Node; 3], Node, u64, String)> {
    let ([registrar, mut plant, auditor], mut twin) = copied(world);
    forget_own_address(&twin);
    plant.start();
    plant.ready();
    let before = published(&plant);
    let held = Held::hold(&plant);
    twin.start();
    twin.ready();
    record(world, &twin, "twin-1");
    let newest = published(&twin);
    // Where it answers now is in its log: the others follow it there.
    mirrored(&registrar, &twin, newest);
    mirrored(&auditor, &twin, newest);
    drop(held);
    let file = world.file("stored.json", facility(&plant.org, "works-2"));
    let ran = plant.run("submit", &[path_text(&file)]);
    if ran.code == 6 && ran.stderr.contains("this log is read-only") {
        return None;
    }
    let ran = ran.ok();
    let id = ran.stdout.split_whitespace().find(|word| word.starts_with("sha256:"));
    let id = id.expect("an id").to_owned();
    wait("the reason", SOON, || peers::words(&plant, &twin).0);
    if status(&plant)?["head_size"].as_u64()? <= before {
        return None;
    }
    Some(([registrar, plant, auditor], twin, newest, id))
}

#[test]
fn of_two_copies_that_run_at_once_the_second_to_sign_notices_and_goes_on_where_the_first_is() {
    let worlds: [World; 5] = std::array::from_fn(|_| World::new());
    let signed = worlds.iter().find_map(|world| Some((world, signed_on_both(world)?)));
    let (world, (nodes, mut twin, newest, id)) = signed.expect("one in which both sign");
    let [registrar, mut plant, auditor] = nodes;
    let word = wait("the reason", SOON, || {
        let word = plant.get("/readyz").json()["log"].as_str()?.to_owned();
        word.starts_with("read-only: ").then_some(word)
    });
    assert!(word.contains("`hallmark-node restore DIR --from-peers`"), "{word}");
    assert!(plant.log().contains("this log was signed elsewhere"), "{}", plant.log());
    let told = wait("the proof of two trees", SOON, || {
        let told = json(&plant.run("status", &["--format", "json"]).fails(6)).remove(0);
        told["defect_proofs"][0].is_string().then_some(told)
    });
    assert_eq!(told["signing"]["state"], "read_only");
    let split = told["defect_proofs"][0].as_str().expect("the proof of two trees");
    assert!(split.contains("signed two histories"), "{split}");
    let words = told["witnesses"].as_array().expect("a word of each");
    let refuses = |one: &&Value| one["status"] == 409 || one["status"] == 422;
    // None where gossip, or the look at what the witnesses hold, came before a refusal.
    for refusing in words.iter().filter(refuses) {
        assert!(Some(newest) <= refusing["size"].as_u64(), "{refusing}");
        assert!(refusing["at"].is_string() && refusing["name"].is_string(), "{refusing}");
    }
    // The files say so too, to anyone.
    let checked = plant.run("check", &[]);
    assert!([1, 4].contains(&checked.code), "{}", checked.stdout);
    assert!(checked.stdout.contains("elsewhere"), "{}", checked.stdout);
    let proof = plant.dir.join("data/defects").read_dir().expect("kept").next();
    let proof = proof.expect("one").expect("readable").path();
    run("hallmark-verify", &["check", path_text(&proof)]).fails(1);
    // The other one is not disturbed.
    record(world, &twin, "twin-2");
    let newest = published(&twin);
    mirrored(&registrar, &twin, newest);
    mirrored(&auditor, &twin, newest);
    twin.stop();

    goes_on(world, &mut plant, [&registrar, &auditor], &id, newest);
}

/// Made whole, the node goes on from the `newest` that was published; what it had only stored is
/// recorded.
fn goes_on(world: &World, plant: &mut Node, peers: [&Node; 2], id: &str, newest: u64) {
    // Started again it still knows; made whole, it goes on from what was published.
    plant.stop();
    let restored = plant.run("restore", &["--from-peers", "--format", "json"]).ok();
    let lines = json(&restored);
    let gave_up = lines.iter().find(|line| line["given_up"].is_object()).expect("what it gave up");
    assert!(gave_up["given_up"]["from"].as_u64() < Some(newest), "{gave_up}");
    assert_eq!(lines.last().expect("a verdict")["verdict"], "restored");
    plant.start();
    plant.ready();
    wait("what was only stored is recorded", SOON, || {
        (plant.run("receipt", &[id]).code == 0).then_some(())
    });
    record(world, plant, "works-3");
    let after = published(plant);
    assert!(newest + 2 <= after, "{newest} {after}");
    peers.iter().for_each(|peer| mirrored(peer, plant, after));
    assert_eq!(status(plant).expect("it runs")["signing"]["state"], "ready");
    // What is left is the fact, which is a finding; no file is wrong.
    let checked = plant.run("check", &["--format", "json"]).fails(1);
    let defects: Vec<Value> =
        json(&checked).into_iter().filter(|line| line["defect"].is_string()).collect();
    assert_eq!(defects.len(), 1, "{defects:?}");
    assert_eq!(defects[0]["defect"], "split");
    peers[0].run("check", &[]).ok();
}
