//! Peers that reach one another over QUIC alone; compiled with the feature `quic`.

use std::net::UdpSocket;

use super::{NOWHERE, connected, facility};
use crate::it::world::{Node, SOON, World, path_text, wait};

/// Lets a node that does not run listen at a free port, and tell others only of its QUIC address.
fn over_quic(node: &Node) {
    let socket = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
    let port = socket.expect("a port").port();
    let text = std::fs::read_to_string(node.dir.join("config.toml")).expect("init wrote it");
    let (_, p2p) = text.split_once("[p2p]").expect("its part");
    let listen = p2p.lines().find(|line| line.starts_with("listen = ")).expect("an address");
    let (_, rest) = listen.split_once(" #").unwrap_or((listen, ""));
    let from = format!("{listen}\n# public =");
    let listen = format!("listen = \"127.0.0.1:{port}\" #{rest}");
    let public = format!("public = [\"/ip4/127.0.0.1/udp/{port}/quic-v1\"] #");
    node.configure(&from, &format!("{listen}\n{public}"));
}

/// Over which address a node is connected with another.
fn address(node: &Node, other: &Node) -> String {
    node.run("peer", &["why", &other.org]).ok().stdout
}

#[test]
fn members_that_tell_only_their_quic_addresses_follow_one_another() {
    let world = World::new();
    let mut registrar = world.founder("registrar");
    assert_eq!(registrar.stop(), 0, "{}", registrar.log());
    over_quic(&registrar);
    registrar.start();
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    plant.configure(NOWHERE.0, NOWHERE.1);
    over_quic(&plant);
    registrar.run("admit", &[path_text(&plant.dir.join("join.cbor"))]).ok();
    plant.start();
    connected(&registrar, &plant);
    connected(&plant, &registrar);
    for (node, other) in [(&registrar, &plant), (&plant, &registrar)] {
        let told = address(node, other);
        assert!(told.contains("/udp/") && told.contains("/quic-v1"), "{told}");
    }
    plant.ready();
    let file = world.file("facility.json", facility(&plant.org, "works-1"));
    let ids = plant.record(&file, &[]);
    let mirrored = || (registrar.run("get", &[&ids[0]]).code == 0).then_some(());
    wait("the body over QUIC", SOON, mirrored);
    // A peer that ends is missed at once, and found again.
    assert_eq!(plant.stop(), 0, "{}", plant.log());
    wait("the loss", SOON, || {
        (super::standing(&registrar, &plant).as_deref() == Some("away")).then_some(())
    });
    plant.start();
    connected(&registrar, &plant);
}
