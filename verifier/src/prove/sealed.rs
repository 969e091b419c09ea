//! Logs that have ended, and the logs that follow them.
//!
//! Invariants: a sealed log that another one follows has no entry beyond the head at which it was
//! sealed, and that head is of its tree; the genesis of its successor names the same head. Whoever
//! has left may sign on before it knows: that accuses nobody.

use hallmark_schemas::hex;
use hallmark_schemas::kind::Body;
use hallmark_schemas::network::{Network, Sealed};

use super::log::LogState;
use crate::evidence::{Defect, DefectKind, ProvenAttestation};

/// Holds what the network file says of ended logs against the logs that are at hand.
pub(super) fn check(
    network: &Network,
    logs: &[LogState],
    attestations: &[ProvenAttestation],
    defects: &mut Vec<Defect>,
) {
    for sealed in &network.sealed {
        let Some(log) = logs.iter().find(|log| log.origin == sealed.origin) else {
            continue;
        };
        let (size, at_hand) = (sealed.size, log.size());
        if size < at_hand && sealed.successor.is_some() {
            let detail =
                format!("it was sealed at {size} entries, a checkpoint of {at_hand} is signed");
            defects.push(log.defect(DefectKind::KeyNotInForce, detail));
        } else if log.roots.get(&size).is_some_and(|root| *root != sealed.root.0) {
            let detail = format!("it was sealed at another root of {size} entries");
            defects.push(log.defect(DefectKind::BadProof, detail));
        }
    }
    for one in attestations {
        let Body::Genesis(genesis) = one.attestation.body() else {
            continue;
        };
        let says = |sealed: &&Sealed| sealed.successor.as_ref() == Some(&genesis.keys.origin);
        let same = |sealed: &Sealed| {
            genesis.previous.as_ref().is_some_and(|previous| {
                previous.origin == sealed.origin
                    && previous.size == sealed.size
                    && previous.root == sealed.root
            })
        };
        if let Some(sealed) = network.sealed.iter().find(says).filter(|sealed| !same(sealed))
            && let Some(log) = logs.iter().find(|log| log.origin == one.origin)
        {
            let id = one.attestation.id();
            let detail = format!("it does not name the head at which {} was sealed", sealed.origin);
            defects.push(log.defect_at(one.entry, DefectKind::BadProof, id, detail));
        }
    }
}

/// One line for each log that is at hand and has ended.
pub(super) fn notes(network: &Network, logs: &[LogState]) -> Vec<String> {
    let at_hand = |sealed: &&Sealed| {
        let is_it = |log: &LogState| {
            log.origin == sealed.origin || sealed.successor.as_ref() == Some(&log.origin)
        };
        logs.iter().any(is_it)
    };
    let line = |sealed: &Sealed| {
        let Sealed { origin, size, root, successor, .. } = sealed;
        let root = hex::encode(&root.0);
        let then = match successor {
            Some(successor) => format!("followed by {successor}"),
            None => "its organisation has left".to_owned(),
        };
        format!("{origin}: sealed at {size} entries, root {root}; {then}")
    };
    network.sealed.iter().filter(at_hand).map(line).collect()
}
