//! Several nodes: joining, witnessing, mirroring, receipts, bundles.

use std::net::TcpListener;

use hallmark_schemas::layout::peer_name;

use super::world::{Node, Ran, SOON, World, path_text, run, wait};

const FACILITY: &str = r#"{"kind":"facility","sub":"SUB","payload":{"v":1,"name":"Works 1","lat_e7":311234567,"lon_e7":1214567890,"province":"CN-31","utc_offset":"+08:00","sector":"steel"}}"#;

fn facility(org: &str, local: &str) -> String {
    let sub = org.replace(":org:", ":facility:");
    FACILITY.replace("SUB", &format!("{sub}:{local}"))
}

/// The own witness of each could stand alone between two quorums: whoever makes the policy is told.
fn warned_of_copies(made: &Ran, registrar: &Node, plant: &Node) {
    let warned = format!("could each find a quorum and fork its log: {}, ", registrar.org);
    assert!(made.stderr.contains(&warned), "{}", made.stderr);
    assert!(made.stderr.contains("3 of these 3 leave no room for two quorums"), "{}", made.stderr);
    let told = plant.run("status", &["--format", "json"]).stdout;
    assert!(told.contains("\"copies_could_fork\":true"), "{told}");
}

#[test]
fn one_node_records_proves_exports_and_a_stranger_checks() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let file = world.file("facility.json", facility(&node.org, "works-1"));
    let ids = node.record(&file, &[]);
    assert_eq!(ids.len(), 1);
    assert_eq!(node.record(&file, &[]), ids, "the same statement again is the same attestation");
    let receipt = node.run("receipt", &[&ids[0]]).ok();
    assert_eq!(receipt.bytes[0], 0xd2, "a tagged COSE_Sign1");
    let body = node.run("get", &[&ids[0], "--format", "cbor"]).ok();
    assert_eq!(body.bytes[0], 0xd2);
    let bundle = world.path("plant.hallmark");
    node.run("export", &["--id", &ids[0], "-o", path_text(&bundle)]).ok();
    let checked = run("hallmark-verify", &["check", path_text(&bundle)]).ok();
    assert!(checked.stdout.contains("revocations as of"), "{}", checked.stdout);
    node.run("check", &[]).ok();
    node.run("status", &[]).ok();
}

#[test]
fn three_nodes_witness_one_another_and_survive_new_ports() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    let mut auditor = world.newcomer("auditor", 3, "verifier", &registrar);
    for newcomer in [&plant, &auditor] {
        registrar.run("admit", &[path_text(&newcomer.dir.join("join.cbor"))]).ok();
    }
    plant.start();
    auditor.start();
    let names: Vec<String> = [&registrar, &plant, &auditor]
        .iter()
        .map(|node| node.org.trim_start_matches("urn:hallmark:org:").replace(':', "-"))
        .collect();
    let made = registrar
        .run(
            "network",
            &[
                "--quorum",
                "2",
                "--witness",
                &names[0],
                "--witness",
                &names[1],
                "--witness",
                &names[2],
            ],
        )
        .ok();
    warned_of_copies(&made, &registrar, &plant);
    for node in [&registrar, &plant, &auditor] {
        let cosigned = || {
            let note = String::from_utf8(node.get("/log/checkpoint").body).ok()?;
            (3 <= note.lines().filter(|line| line.starts_with('\u{2014}')).count()).then_some(())
        };
        wait("a cosigned checkpoint", SOON, cosigned);
        node.ready();
    }
    let file = world.file("facility.json", facility(&plant.org, "works-1"));
    let ids = plant.record(&file, &[]);
    for node in [&registrar, &auditor] {
        let mirrored = || (node.run("get", &[&ids[0]]).code == 0).then_some(());
        wait("the mirrored body", SOON, mirrored);
    }
    // One after the other, each only once the others follow it to where it now is. All at once
    // would need an address that stays; here each is taken while its node is away.
    let mut nodes = [registrar, plant, auditor];
    for moving in 0..nodes.len() {
        let node = &mut nodes[moving];
        let before = checkpoint_size(&node.get("/log/checkpoint").body);
        move_elsewhere(node);
        let origin = format!("world/{}/1", names[moving]);
        let mirrored = format!("/peers/{}/checkpoint", peer_name(&origin));
        for other in (0..nodes.len()).filter(|other| *other != moving) {
            let follows = || {
                let size = checkpoint_size(&nodes[other].get(&mirrored).body);
                (before < size).then_some(())
            };
            wait("the others to follow a node to its new port", SOON, follows);
        }
    }
    let [_registrar, plant, auditor] = nodes;
    let file = world.file("second.json", facility(&plant.org, "works-2"));
    assert_eq!(plant.record(&file, &[]).len(), 1);
    run("hallmark-verify", &["check", auditor.dir_text()]).ok();
}

/// Stops a node and starts it while its port is taken.
fn move_elsewhere(node: &mut Node) {
    assert_eq!(node.stop(), 0, "SIGTERM drains and ends well: {}", node.log());
    let old = node.url.clone();
    let thief = TcpListener::bind(old.trim_start_matches("http://")).expect("it is free");
    node.start();
    node.ready();
    assert_ne!(node.url, old);
    drop(thief);
}

/// The size that a checkpoint states; 0 if it is none.
fn checkpoint_size(note: &[u8]) -> u64 {
    let line = std::str::from_utf8(note).ok().and_then(|note| note.lines().nth(1));
    line.and_then(|size| size.parse().ok()).unwrap_or(0)
}

#[test]
fn a_second_process_on_one_dir_is_refused() {
    let world = World::new();
    let node = world.founder("plant");
    let second = node.run("run", &["--http", "127.0.0.1:0"]).fails(6);
    assert!(second.stderr.contains("error:"), "{}", second.stderr);
    node.ready();
}
