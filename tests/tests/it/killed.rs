//! `check`, `backup`, `restore` and `reindex` killed at random moments: given again they go on, and
//! what they leave is whole.

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
