//! `check`, `backup`, `restore` and `reindex` killed at random moments: given again they go on, and
//! what they leave is whole.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::recovery::{facility, mirrored, published, settled, size, three};
use super::world::{Node, Ran, World, path_text, program, run};

/// How often each command is killed before it may end.
const KILLS: u32 = 6;

/// Commands that are killed, and when: a seed replays the moments, though not what they meet.
struct Killer {
    random: fastrand::Rng,
}

impl Killer {
    fn new() -> Killer {
        let seed = fastrand::u64(..);
        println!("seed of the moments: {seed}");
        Killer { random: fastrand::Rng::with_seed(seed) }
    }

    /// Kills the command some times within a time that it takes at most, then lets it end.
    fn ends(&mut self, node: &Node, command: &str, args: &[&str], takes: Duration) -> Ran {
        let mut line = vec![command, node.dir_text()];
        line.extend(args);
        let mut killed = 0;
        for _ in 0..KILLS {
            let moment = takes.mul_f64(self.random.f64());
            killed += u32::from(is_killed(&line, moment));
        }
        println!("{command}: killed {killed} times within {takes:?}");
        node.run(command, args)
    }
}

/// Whether the command was still at work at that moment, and died of it.
fn is_killed(line: &[&str], moment: Duration) -> bool {
    let mut command = Command::new(program("hallmark-node"));
    command.args(line).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let mut child = command.spawn().expect("it starts");
    while started.elapsed() < moment {
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
        std::thread::yield_now();
    }
    // It may have ended meanwhile; then this does nothing.
    child.kill().expect("its own child");
    child.wait().expect("it ends").code().is_none()
}

/// How long a command takes that is not disturbed.
fn time(of: impl FnOnce() -> Ran) -> Duration {
    let started = Instant::now();
    of().ok();
    started.elapsed()
}

#[test]
fn check_backup_restore_and_reindex_go_on_after_kills_at_any_moment_and_end_whole() {
    let world = World::new();
    let [registrar, mut plant, auditor] = three(&world);
    let many: String =
        (0..800).map(|number| facility(&plant.org, &format!("works-{number}")) + "\n").collect();
    let ids = plant.record(&world.file("many.jsonl", many), &[]);
    settled(&plant, [&registrar, &auditor]);
    let (mut killer, before) = (Killer::new(), published(&plant));

    // Beside the running node.
    let takes = time(|| plant.run("check", &[]));
    killer.ends(&plant, "check", &[], takes).ok();
    killer.ends(&plant, "check", &["--repair"], takes).ok();
    let (whole, saved) = (world.path("whole"), world.path("saved"));
    let takes = time(|| plant.run("backup", &[path_text(&whole)]));
    killer.ends(&plant, "backup", &[path_text(&saved)], takes).ok();
    run("hallmark-verify", &["check", path_text(&saved)]).ok();
    let takes = time(|| plant.run("reindex", &[]));
    killer.ends(&plant, "reindex", &[], takes).ok();
    plant.ready();
    assert_eq!(plant.stop(), 0);

    // While it rests.
    let takes = time(|| plant.run("reindex", &[]));
    killer.ends(&plant, "reindex", &[], takes).ok();
    let data = plant.dir.join("data");
    std::fs::rename(&data, world.path("lost")).expect("moved");
    killer.ends(&plant, "restore", &[path_text(&saved)], takes);
    let copied = size(&std::fs::read(data.join("log/checkpoint")).expect("copied"));
    assert!(before <= copied, "{before} entries were recorded, {copied} are copied");
    plant.run("restore", &["--from-peers"]).ok();
    plant.run("check", &[]).ok();
    std::fs::rename(&data, world.path("copied")).expect("moved");
    let takes = takes * 2;
    killer.ends(&plant, "restore", &["--from-peers"], takes).ok();

    plant.start();
    plant.ready();
    for id in [&ids[0], &ids[ids.len() / 2], &ids[ids.len() - 1]] {
        assert_eq!(plant.get(&format!("/v1/attestations/{id}")).status, 200);
    }
    let late = world.file("late.json", facility(&plant.org, "late"));
    assert_eq!(plant.record(&late, &[]).len(), 1);
    assert!(before < published(&plant));
    // Its copies of the others, by whose records keys are known, were lost too.
    for peer in [&registrar, &auditor] {
        mirrored(&plant, peer, published(peer));
    }
    plant.run("check", &[]).ok();
}

/// `backup` that ends at this step as a kill would end it; whether it got there.
fn dies(node: &Node, target: &Path, step: &str) -> bool {
    let mut command = Command::new(program("hallmark-node"));
    command.args(["backup", node.dir_text(), path_text(target)]).env("HALLMARK_CRASH", step);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("it starts").code().is_none()
}

#[test]
fn a_backup_killed_early_is_refused_by_restore_with_what_to_do_and_finished_by_another() {
    let world = World::new();
    let mut node = world.founder("plant");
    node.ready();
    let file = world.file("first.json", facility(&node.org, "works-1"));
    node.record(&file, &[]);
    node.stop();
    let (data, kept) = (node.dir.join("data"), world.path("kept"));
    let refused = |half: &Path| {
        std::fs::rename(&data, &kept).expect("moved");
        let refused = node.run("restore", &[path_text(half)]).fails(3);
        assert!(refused.stderr.contains("holds no checkpoint of this log"), "{}", refused.stderr);
        assert!(
            refused.stderr.contains("finished by the same `backup` again"),
            "it says what to do"
        );
        assert!(!data.exists(), "nothing was put there");
        std::fs::rename(&kept, &data).expect("moved");
    };
    // Before anything was copied there is its lock alone.
    let empty = world.path("empty");
    std::fs::create_dir(&empty).expect("writable");
    std::fs::write(empty.join("backup.lock"), "1\n").expect("writable");
    refused(&empty);
    node.run("backup", &[path_text(&empty)]).ok();
    run("hallmark-verify", &["check", path_text(&empty)]).ok();
    let copied =
        |backup: &Path| size(&std::fs::read(backup.join("log/checkpoint")).expect("a note"));
    let entries = copied(&empty);

    let steps = [
        "append:pack:1",
        "sync:pack:1",
        "write:tile:1",
        "sync:tile:1",
        "write:history:1",
        "rename:history:1",
        "write:intent:1",
        "rename:intent:1",
        "write:checkpoint:1",
    ];
    for (number, step) in steps.into_iter().enumerate() {
        let half = world.path(&format!("half-{number}"));
        assert!(dies(&node, &half, step), "{step} is never reached");
        let checked = run("hallmark-verify", &["check", path_text(&half)]).fails(5);
        assert!(checked.stdout.contains("checkpoint"), "{step}: {}", checked.stdout);
        refused(&half);
        node.run("backup", &[path_text(&half)]).ok();
        run("hallmark-verify", &["check", path_text(&half)]).ok();
    }
    // Over an older one: that stays whole, whenever the newer one dies.
    node.start();
    node.ready();
    let file = world.file("second.json", facility(&node.org, "works-2"));
    node.record(&file, &[]);
    for (number, step) in steps.into_iter().enumerate() {
        let older = world.path(&format!("half-{number}"));
        assert!(dies(&node, &older, step), "{step} is never reached");
        run("hallmark-verify", &["check", path_text(&older)]).ok();
        assert_eq!(copied(&older), entries, "{step}");
    }
    let last = world.path("half-0");
    node.run("backup", &[path_text(&last)]).ok();
    node.stop();
    std::fs::remove_dir_all(&data).expect("removed");
    node.run("restore", &[path_text(&last)]).ok();
    node.run("check", &[]).ok();
}
