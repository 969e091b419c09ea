//! Feature `quic`: two nodes that tell each other nothing but QUIC addresses speak over QUIC.

use super::{connected, facility, hidden};
use crate::it::world::{Node, SOON, World, wait};

/// From the next start on the node tells its QUIC address alone; its port stays.
fn tells_quic_alone(node: &mut Node) {
    let text = std::fs::read_to_string(node.dir.join("run/addresses.json")).expect("addresses");
    let addresses: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let told = addresses["p2p"].as_array().expect("a list").iter();
    let quic = told.filter_map(|at| at.as_str()).find(|at| at.ends_with("/quic-v1"));
    let public = format!("public = [\"{}\"]", quic.expect("a QUIC address"));
    assert_eq!(node.stop(), 0, "{}", node.log());
    node.configure("# public = [\"/dns4/…/tcp/…\"]", &public);
    node.start();
}

/// The address of the connection that one node has with another.
fn address(node: &Node, other: &Node) -> String {
    let why = node.run("peer", &["why", &other.org, "--format", "json"]).ok().stdout;
    let line = why.lines().next().expect("a line");
    let peer: serde_json::Value = serde_json::from_str(line).expect("JSON");
    peer["address"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn nodes_that_know_quic_addresses_alone_follow_one_another_over_quic() {
    let world = World::new();
    let mut registrar = world.founder("registrar");
    registrar.ready();
    tells_quic_alone(&mut registrar);
    registrar.ready();
    let mut plant = hidden(&world, "plant", 2, &registrar);
    tells_quic_alone(&mut plant);
    connected(&plant, &registrar);
    connected(&registrar, &plant);
    for (one, other) in [(&plant, &registrar), (&registrar, &plant)] {
        let address = address(one, other);
        assert!(address.contains("/quic-v1"), "{address}");
    }
    let file = world.file("facility.json", facility(&plant.org, "works-1"));
    let ids = plant.record(&file, &[]);
    wait("the body over QUIC", SOON, || (registrar.run("get", &[&ids[0]]).code == 0).then_some(()));
}
