//! Peers over libp2p: found by their records, asked without HTTP, told of at once, kept out if they
//! are strangers.

mod audience;
mod byzantine;
mod demand;
mod departure;
#[cfg(feature = "quic")]
mod quic;
mod refusal;

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
    wait("its genesis", SOON, || {
        let status = node.run("status", &["--format", "json"]).stdout;
        status.contains("\"ready\":true").then_some(())
    });
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
    let origin = byzantine::origin(&registrar);
    for address in [
        "foo",
        "ftp://127.0.0.1",
        "http://127.0.0.1/x?y",
        "http://user@127.0.0.1/",
        "/ip4/127.0.0.1/tcp/x",
        "/ip4/127.0.0.1",
        "/unix/tmp",
    ] {
        let refused = registrar.run("peer", &["add", address, "--origin", &origin]).fails(2);
        assert!(refused.stderr.contains("help:"), "{address}: {}", refused.stderr);
    }
    let stranger = ["add", "/ip4/127.0.0.1/tcp/4101", "--origin", "world/nobody/1"];
    let refused = registrar.run("peer", &stranger).fails(2);
    assert!(refused.stderr.contains(&origin), "{}", refused.stderr);
    registrar.run("peer", &["add", "/ip4/127.0.0.1/tcp/4101", "--origin", &origin]).ok();
    registrar.run("peer", &["add", "http://127.0.0.1:9/"]).ok();
    registrar.run("peer", &["add", "http://127.0.0.1:9/"]).ok();
    let config = std::fs::read_to_string(registrar.dir.join("config.toml")).expect("a file");
    assert_eq!(config.matches("http://127.0.0.1:9/").count(), 1, "{config}");
}

/// The peer id of a node, and where it listens for peers.
fn place(node: &Node) -> String {
    let listed = node.run("peer", &["list"]).ok().stdout;
    let own = listed.lines().find_map(|line| line.strip_prefix("own ")).expect("the own line");
    let path = node.dir.join("run/addresses.json");
    let text = std::fs::read_to_string(path).expect("its addresses");
    let addresses: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    format!("{}/p2p/{}", addresses["p2p"][0].as_str().expect("a multiaddress"), own.trim())
}

#[test]
fn nodes_that_only_dial_out_are_reached_through_a_relay() {
    let world = World::new();
    let mut registrar = world.founder("registrar");
    assert_eq!(registrar.stop(), 0, "{}", registrar.log());
    registrar.configure("# relay = false ", "relay = true ");
    registrar.start();
    registrar.ready();
    let relay = place(&registrar);
    // Whoever listens on no address that others know is reached at no address, as behind NAT.
    let behind_nat = |name: &str, number| {
        let mut node = world.newcomer(name, number, "producer", &registrar);
        node.configure(NOWHERE.0, NOWHERE.1);
        node.configure(
            "listen = \"127.0.0.1:0\"         # port 0 as above",
            "listen = \"0.0.0.0:0\"",
        );
        node.configure("# relays = [] ", &format!("relays = [\"{relay}\"] "));
        registrar.run("admit", &[path_text(&node.dir.join("join.cbor"))]).ok();
        node.start();
        node
    };
    let plant = behind_nat("plant", 2);
    let auditor = behind_nat("auditor", 3);
    connected(&plant, &auditor);
    connected(&auditor, &plant);
    let why = auditor.run("peer", &["why", &plant.org]).ok().stdout;
    assert!(why.contains(&format!("{relay}/p2p-circuit")), "{why}");
    let is_relayed = |node: &Node| node.log().contains("/p2p-circuit");
    assert!(is_relayed(&plant) || is_relayed(&auditor), "{}\n{}", plant.log(), auditor.log());
    let file = world.file("facility.json", facility(&plant.org, "works-1"));
    let ids = plant.record(&file, &[]);
    let mirrored = || (auditor.run("get", &[&ids[0]]).code == 0).then_some(());
    wait("a body that came through the relay", SOON, mirrored);
}

#[test]
fn a_body_whose_holder_went_away_comes_from_another_member() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = hidden(&world, "plant", 2, &registrar);
    let file = world.file("facility.json", facility(&plant.org, "works-1"));
    let ids = plant.record(&file, &[]);
    let mirrored = |node: &Node| (node.run("get", &[&ids[0]]).code == 0).then_some(());
    wait("the first copy", SOON, || mirrored(&registrar));
    assert_eq!(plant.stop(), 0, "{}", plant.log());
    // It never met the plant: log and bodies come from the registrar, proved by the plant's key.
    let auditor = hidden(&world, "auditor", 3, &registrar);
    wait("the second copy", SOON, || mirrored(&auditor));
    assert_eq!(standing(&auditor, &plant).as_deref(), Some("away"));
    let why = auditor.run("peer", &["why", &plant.org]).ok().stdout;
    assert!(why.contains("0 bodies missing"), "{why}");
}

/// Whether this machine has a network on which multicast goes out; where it has not, one line says
/// what is skipped.
fn has_multicast() -> bool {
    let group = std::net::Ipv4Addr::new(224, 0, 0, 251);
    let way = || {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
        socket.join_multicast_v4(&group, &std::net::Ipv4Addr::UNSPECIFIED)?;
        socket.connect((group, 5353))?;
        socket.local_addr()
    };
    let is_there = way().is_ok_and(|from| !from.ip().is_loopback() && !from.ip().is_unspecified());
    if !is_there {
        println!("skipped: this machine has no network for multicast DNS");
    }
    is_there
}

#[test]
fn members_on_one_network_find_each_other_by_multicast_dns() {
    if !has_multicast() {
        return;
    }
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    // Both attest no address, so nothing but the network around them leads from one to the other.
    let around = |name: &str, number| {
        let mut node = world.newcomer(name, number, "producer", &registrar);
        node.configure(NOWHERE.0, NOWHERE.1);
        node.configure(
            "listen = \"127.0.0.1:0\"         # port 0 as above",
            "listen = \"0.0.0.0:0\"",
        );
        node.configure("# mdns = false ", "mdns = true ");
        registrar.run("admit", &[path_text(&node.dir.join("join.cbor"))]).ok();
        node.start();
        node
    };
    let plant = around("plant", 2);
    let auditor = around("auditor", 3);
    connected(&plant, &auditor);
    connected(&auditor, &plant);
    let file = world.file("facility.json", facility(&plant.org, "works-1"));
    let ids = plant.record(&file, &[]);
    let mirrored = || (auditor.run("get", &[&ids[0]]).code == 0).then_some(());
    wait("a body of a member that was found", SOON, mirrored);
}
