//! Peers over libp2p: found by their records, asked without HTTP, told of at once, kept out if they
//! are strangers.

use super::world::{Node, SOON, World, path_text, run, wait};

const FACILITY: &str = r#"{"kind":"facility","sub":"SUB","payload":{"v":1,"name":"Works 1","lat_e7":311234567,"lon_e7":1214567890,"province":"CN-31","utc_offset":"+08:00","sector":"steel"}}"#;

/// A URL behind which nobody is: whoever follows this node does it without HTTP.
const NOWHERE: (&str, &str) =
    ("# public_url = \"https://…\"", "public_url = \"http://127.0.0.1:1\"");

fn facility(org: &str, local: &str) -> String {
    FACILITY.replace("SUB", &format!("{}:{local}", org.replace(":org:", ":facility:")))
}

/// A node that has joined, can be reached over libp2p alone, and runs.
fn hidden(world: &World, name: &str, number: u64, registrar: &Node) -> Node {
    let mut node = world.newcomer(name, number, "producer", registrar);
    node.configure(NOWHERE.0, NOWHERE.1);
    registrar.run("admit", &[path_text(&node.dir.join("join.cbor"))]).ok();
    node.start();
    node
}

/// What `peer list` of one node says of another.
fn standing(node: &Node, other: &Node) -> Option<String> {
    let listed = node.run("peer", &["list"]).ok();
    let line = listed.stdout.lines().find(|line| line.contains(&other.org))?.to_owned();
    line.split_whitespace().next().map(str::to_owned)
}

fn connected(node: &Node, other: &Node) {
    let is_here = || (standing(node, other).as_deref() == Some("connected")).then_some(());
    wait("a connection", SOON, is_here);
}

#[test]
fn peers_are_found_followed_and_witness_without_http() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = hidden(&world, "plant", 2, &registrar);
    let auditor = hidden(&world, "auditor", 3, &registrar);
    for (one, other) in [(&registrar, &plant), (&registrar, &auditor), (&plant, &auditor)] {
        connected(one, other);
        connected(other, one);
    }
    let names = [&registrar, &plant, &auditor]
        .map(|node| node.org.trim_start_matches("urn:hallmark:org:").replace(':', "-"));
    let mut args = vec!["--quorum", "2"];
    names.iter().for_each(|name| args.extend(["--witness", name]));
    registrar.run("network", &args).ok();
    let file = world.file("facility.json", facility(&plant.org, "works-1"));
    let ids = plant.record(&file, &[]);
    for node in [&registrar, &auditor] {
        let mirrored = || (node.run("get", &[&ids[0]]).code == 0).then_some(());
        wait("the body of a node without HTTP", SOON, mirrored);
    }
    // What was recorded while one was away comes when it is back.
    assert_eq!(plant.stop(), 0, "{}", plant.log());
    wait("the loss", SOON, || {
        (standing(&auditor, &plant).as_deref() == Some("away")).then_some(())
    });
    let file = world.file("second.json", facility(&auditor.org, "works-2"));
    let ids = auditor.record(&file, &[]);
    plant.start();
    connected(&plant, &auditor);
    let mirrored = || (plant.run("get", &[&ids[0]]).code == 0).then_some(());
    wait("what came meanwhile", SOON, mirrored);
    run("hallmark-verify", &["check", plant.dir_text()]).ok();
}

#[test]
fn a_stranger_is_refused_and_the_refusal_is_explained() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    // It knows the network and where the registrar is, but nobody has admitted it.
    let mut stranger = world.newcomer("stranger", 2, "producer", &registrar);
    stranger.configure(NOWHERE.0, NOWHERE.1);
    stranger.start();
    let id = || {
        let listed = stranger.run("peer", &["list", "--format", "json"]);
        let whole = listed.ok().stdout;
        whole.contains("away").then_some(())
    };
    wait("the stranger to look for the registrar", SOON, id);
    let refused = || {
        let listed = registrar.run("peer", &["list"]).ok().stdout;
        listed.lines().find(|line| line.starts_with("no member")).map(str::to_owned)
    };
    let line = wait("the refusal", SOON, refused);
    assert!(line.contains("peer key of no member"), "{line}");
    let name = line.split_whitespace().nth(2).expect("a peer id").to_owned();
    let why = registrar.run("peer", &["why", &name]).ok();
    assert!(why.stdout.contains("no member of the network file"), "{}", why.stdout);
    let unknown = registrar.run("peer", &["why", "urn:hallmark:org:gln:4012345000009"]).fails(2);
    assert!(unknown.stderr.contains("help:"), "{}", unknown.stderr);
    // Admitted, it is let in without a restart.
    registrar.run("admit", &[path_text(&stranger.dir.join("join.cbor"))]).ok();
    connected(&registrar, &stranger);
    connected(&stranger, &registrar);
}

#[test]
fn an_address_that_no_record_tells_is_added_by_hand() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let refused = registrar.run("peer", &["add", "/ip4/127.0.0.1/tcp/4101"]).fails(2);
    assert!(refused.stderr.contains("--origin"), "{}", refused.stderr);
    registrar.run("peer", &["add", "http://127.0.0.1:9/"]).ok();
    registrar.run("peer", &["add", "http://127.0.0.1:9/"]).ok();
    let config = std::fs::read_to_string(registrar.dir.join("config.toml")).expect("a file");
    assert_eq!(config.matches("http://127.0.0.1:9/").count(), 1, "{config}");
}
