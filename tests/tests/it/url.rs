//! A running node, read at its address as a stranger reads it.

use hallmark_schemas::exit::Exit;
use hallmark_verifier::evidence::Proven;
use hallmark_verifier::load::load;
use hallmark_verifier::prove::prove;

use super::recovery::{record, settled, three};
use super::world::{Node, World};

/// What comes of the node's address.
fn read(node: &Node) -> Proven {
    let evidence = load(&[node.url.clone().into()], &[]).expect("it answers");
    prove(evidence)
}

#[test]
fn running_nodes_are_read_and_proved_at_their_addresses() {
    let world = World::new();
    let [registrar, plant, auditor] = three(&world);
    record(&world, &plant, "works-1");
    settled(&registrar, [&plant, &auditor]);
    settled(&plant, [&registrar, &auditor]);
    settled(&auditor, [&registrar, &plant]);
    for node in [&plant, &auditor] {
        let proven = read(node);
        assert!(proven.defects.is_empty(), "{:#?}", proven.defects);
        assert_eq!(proven.exit(), Exit::Done);
        // Own log and copies: all three are there, with the keys of all.
        assert_eq!(proven.logs.len(), 3, "{:?}", proven.logs);
        assert!(proven.logs.iter().all(|log| log.witnessed), "{:?}", proven.logs);
        let issuers = proven.attestations.iter().map(|one| &one.attestation.claims().iss);
        let issuers: std::collections::BTreeSet<_> = issuers.collect();
        assert!(2 <= issuers.len(), "{issuers:?}");
    }
}
