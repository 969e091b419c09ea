//! One log signed by two processes, on two copies of a folder: the second notices and says so.

use serde_json::Value;

use super::recovery::{copy_folder, facility, json, mirrored, published, record, three};
use super::world::{Node, SOON, World, path_text, run, wait};

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

/// Submits, and waits until it is stored and no longer.
fn store(world: &World, node: &Node, local: &str) -> String {
    let file = world.file("stored.json", facility(&node.org, local));
    let ran = node.run("submit", &[path_text(&file)]).ok();
    let id = ran.stdout.split_whitespace().find(|word| word.starts_with("sha256:"));
    id.expect("an id").to_owned()
}

/// A node and, beside it, one on a copy of its folder, which has signed more than the first knows.
fn twins(world: &World) -> ([Node; 3], Node, u64) {
    let [registrar, mut plant, auditor] = three(world);
    // Over HTTP alone: a connection belongs to whichever of the two made it.
    plant.configure("# enabled = true", "enabled = false");
    plant.stop();
    plant.start();
    plant.ready();
    record(world, &plant, "works-1");
    plant.stop();
    let copy = world.path("copy");
    copy_folder(&plant.dir, &copy);
    plant.start();
    plant.ready();
    let mut twin = world.adopted(&plant, &copy);
    let newest = {
        let _held = Held::hold(&plant);
        twin.start();
        twin.ready();
        record(world, &twin, "twin-1");
        published(&twin)
    };
    // Where it answers now is in its log: the others follow it there.
    mirrored(&registrar, &twin, newest);
    mirrored(&auditor, &twin, newest);
    ([registrar, plant, auditor], twin, newest)
}

#[test]
fn of_two_copies_that_run_at_once_the_second_to_sign_notices_and_signs_nothing_more() {
    let world = World::new();
    let ([registrar, plant, auditor], twin, newest) = twins(&world);
    store(&world, &plant, "works-2");
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
    let refusing = words.iter().find(refuses).expect("one refused");
    assert!(Some(newest) <= refusing["size"].as_u64(), "{refusing}");
    assert!(refusing["at"].is_string() && refusing["name"].is_string(), "{refusing}");
    // The files say so too, to anyone.
    let checked = plant.run("check", &[]);
    assert!([1, 4].contains(&checked.code), "{}", checked.stdout);
    assert!(checked.stdout.contains("elsewhere"), "{}", checked.stdout);
    let proof = plant.dir.join("data/defects").read_dir().expect("kept").next();
    let proof = proof.expect("one").expect("readable").path();
    run("hallmark-verify", &["check", path_text(&proof)]).fails(1);
    // The other one is not disturbed.
    record(&world, &twin, "twin-2");
    let newest = published(&twin);
    mirrored(&registrar, &twin, newest);
    mirrored(&auditor, &twin, newest);
}
