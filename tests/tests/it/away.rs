//! A node that was away: it comes back at its address, and what was taken meanwhile drains.

use std::net::TcpListener;

use hallmark_schemas::enrolment::Enrolled;
use serde_json::Value;

use super::world::{Agent, SOON, World, path_text, run, wait};

const SOURCE: &str = r#"quantity = "electricity"
unit = "Wh"
time_column = "read_at"
value_column = "amount"
interval = "15min"
"#;

/// Quarter hours of the days from `first` to before `end` of one month.
fn days(first: u32, end: u32) -> String {
    let mut text = "read_at,amount\n".to_owned();
    for day in first..end {
        for quarter in 0..96 {
            let (hour, minute) = (quarter / 4, quarter % 4 * 15);
            // No two days alike, as no two real ones are.
            let amount = 1000 + day * 37 % 101 + quarter * (7 + day) % 53;
            text += &format!("2026-01-{day:02}T{hour:02}:{minute:02}:00Z,{amount}\n");
        }
    }
    text
}

fn pending(agent: &Agent) -> u64 {
    let status = agent.run("status", &["--format", "json"]).ok();
    let line = status.stdout.lines().next().expect("one line a result, and the verdict");
    let json: Value = serde_json::from_str(line).expect("JSON");
    json["pending"].as_u64().expect("a number")
}

#[test]
fn a_node_that_was_away_is_back_at_its_address_and_every_spool_drains() {
    let world = World::new();
    let mut node = world.founder_with("plant", &["producer"], &["--mqtt", "embedded"]);
    node.ready();
    let addresses = (node.url.clone(), node.mqtt.clone());
    let mut meter = Agent::meter(&world, &node, "m-1", SOURCE);
    let bench = Agent::bench(&world, &node, "b-1");
    let file = |name: &str, first, end| world.file(name, days(first, end));
    meter.run("replay", &[path_text(&file("before.csv", 1, 2))]).ok();
    assert_eq!(node.stop(), 0, "{}", node.log());

    // Away: readings and scans are kept, and whoever waits for an answer is told.
    let away = file("away.csv", 2, 4);
    let gave_up = meter.run("replay", &[path_text(&away), "--wait", "1s"]).fails(6);
    assert!(gave_up.stderr.contains("help: "), "{}", gave_up.stderr);
    let scans = b"(01)09506000134352(21)A\n(01)09506000134352(21)B\n";
    let ended = bench.run_with("run", &["--wait", "1s"], scans).ok();
    assert!(ended.stdout.contains("goes with the next run"), "{}", ended.stdout);
    assert!(0 < pending(&meter));
    assert_eq!(pending(&bench), 2);
    let waiting = file("waiting.csv", 4, 5);
    let waiting = meter.spawn("replay", &[path_text(&waiting)]);

    // Back, where no agent's configuration was touched.
    node.start();
    node.ready();
    assert_eq!((node.url.clone(), node.mqtt.clone()), addresses);
    assert_eq!(waiting.ended(), 0);
    let drained = bench.run("run", &[]).ok();
    assert!(drained.stdout.contains("done: 0 taken, 2 recorded"), "{}", drained.stdout);
    assert_eq!((pending(&meter), pending(&bench)), (0, 0));

    // After a power cut too.
    node.kill();
    node.start();
    node.ready();
    assert_eq!((node.url.clone(), node.mqtt.clone()), addresses);
    meter.run("replay", &[path_text(&file("after.csv", 5, 6))]).ok();
    node.stop();
    let checked = run("hallmark-verify", &["check", node.dir_text()]);
    assert!(!checked.stdout.contains("MTR-001 "), "a gap or a fork: {}", checked.stdout);
}

#[test]
fn a_broker_whose_port_is_taken_moves_and_says_what_agents_must_do() {
    let world = World::new();
    let mut node = world.founder_with("plant", &["producer"], &["--mqtt", "embedded"]);
    node.ready();
    let old = node.mqtt.clone().expect("a broker");
    node.stop();
    let thief = TcpListener::bind(old.trim_start_matches("mqtt://")).expect("it is free");
    node.start();
    node.ready();
    let new = node.mqtt.clone().expect("a broker");
    assert_ne!(old, new);
    let log = node.log();
    for words in ["THE BROKER MOVED", &old[7..], &format!("mqtt.url = \"{new}\"")] {
        assert!(log.contains(words), "no {words}: {log}");
    }
    drop(thief);
}

#[test]
fn a_device_takes_the_next_network_file_from_its_config_topic_and_keeps_it() {
    let world = World::new();
    let node = world.founder_with("plant", &["producer"], &["--mqtt", "embedded"]);
    node.ready();
    let bench = Agent::bench(&world, &node, "b-1");
    let kept = || {
        let bytes = std::fs::read(world.path("b-1").join("enrolled.cbor")).expect("it is there");
        let (_, file) = Enrolled::parse(&bytes).expect("it is proved");
        (file.network().version, file.network().policy.to_string())
    };
    let (version, policy) = kept();
    assert!(policy.contains("quorum none"), "{policy}");
    node.run("network", &["--quorum", "1"]).ok();
    node.ready();
    // The device was away meanwhile: the broker has kept the file for it.
    let mut serial = 0;
    let mut scan = || {
        serial += 1;
        let line = format!("(01)09506000134352(21)A{serial}\n");
        let ran = bench.run_with("run", &[], line.as_bytes()).ok();
        assert!(ran.stdout.contains("done: 1 taken, 1 recorded"), "{}", ran.stdout);
    };
    wait("the device to keep the next network file", SOON, || {
        scan();
        (version < kept().0).then_some(())
    });
    assert!(!kept().1.contains("quorum none"), "{}", kept().1);
    // What it keeps is what it trusts: the next receipt needs the witness, and has it.
    scan();
}
