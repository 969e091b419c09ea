//! What could not be checked, and what would fetch it: the other half of every verdict.

use std::collections::BTreeMap;

use hallmark_schemas::key::KeyId;
use hallmark_schemas::network::Network;

use super::log::LogState;
use crate::evidence::{Evidence, ProvenAttestation, Unchecked, UncheckedWhat};
use crate::step::revoking_logs;

/// Ranges, bodies, keys and logs that are not at hand.
pub(super) fn of(
    network: Option<&Network>,
    logs: &[LogState],
    evidence: &Evidence,
    attestations: &[ProvenAttestation],
    keys_unknown: &BTreeMap<KeyId, u64>,
) -> Vec<Unchecked> {
    let mut unchecked: Vec<_> = logs.iter().flat_map(|log| of_log(log, evidence)).collect();
    for (kid, count) in keys_unknown {
        unchecked.push(Unchecked {
            what: UncheckedWhat::Key,
            log: None,
            count: *count,
            detail: format!("key {kid}, which nothing at hand introduces; signatures: {count}"),
            command: export("a node that holds the registrars' logs", ""),
        });
    }
    let logs_of_keys = network.into_iter().flat_map(|network| revoking_logs(network, attestations));
    for one in logs_of_keys.filter(|one| !one.origin.is_some_and(|log| is_proved(logs, log))) {
        let what = match one.origin {
            Some(origin) if one.is_registrars => format!("{origin}, the log of a registrar,"),
            Some(origin) => format!("{origin}, the log of {}, who signed evidence,", one.org),
            None => format!("the log of {}, who signed evidence,", one.org),
        };
        let ended = if one.is_registrars { "ended" } else { "gave up" };
        let holder = one.origin.map_or_else(|| format!("the log of {}", one.org), str::to_owned);
        unchecked.push(Unchecked {
            what: UncheckedWhat::Log,
            log: one.origin.map(str::to_owned),
            count: 1,
            detail: format!("{what} is not at hand: which keys it {ended} is not known"),
            command: export(&format!("a node that keeps or follows {holder}"), ""),
        });
    }
    unchecked
}

fn is_proved(logs: &[LogState], origin: &str) -> bool {
    logs.iter().any(|log| log.origin == origin && log.newest_dated().is_some())
}

fn of_log(log: &LogState, evidence: &Evidence) -> Vec<Unchecked> {
    let of = |what, count, detail: String, option: &str| Unchecked {
        what,
        log: Some(log.origin.clone()),
        count,
        command: match log.kept {
            true => {
                "hallmark-node run DIR: it fetches from its peers what they may give".to_owned()
            }
            false => export(&format!("a node that keeps or follows {}", log.origin), option),
        },
        detail,
    };
    let mut unchecked = Vec::new();
    for hole in &log.holes {
        let (count, last) = (hole.end - hole.start, hole.end - 1);
        let detail = format!("entries {} to {last} of {}", hole.start, log.origin);
        unchecked.push(of(UncheckedWhat::Range, count, detail, ""));
    }
    let mut missing = log.entries.iter().filter(|(_, entry)| !evidence.bodies.knows(&entry.id));
    if let Some((index, first)) = missing.next() {
        let count = 1 + missing.count() as u64;
        let detail = format!(
            "the bodies of {count} entries of {}, the first that of entry {index}, {}",
            log.origin, first.id
        );
        let option = if count == 1 { format!(" --id {}", first.id) } else { String::new() };
        unchecked.push(of(UncheckedWhat::Body, count, detail, &option));
    }
    unchecked
}

fn export(node: &str, option: &str) -> String {
    format!("hallmark-node export DIR{option} -o FILE.hallmark, on {node}")
}
