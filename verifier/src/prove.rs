//! The second stage: what of the evidence stands.
//!
//! Invariants: only an attestation whose entry leads to a signed checkpoint of its log, and whose
//! key was in force for its issuer at that entry's time, comes out proven; whatever fails is a
//! [`Defect`] and never an `Err`; work is shared by all cores, the order of what comes out is that
//! of the logs. One stage a file: the network file, the trees, the bodies, what they say together.

mod bodies;
mod coverage;
mod cross;
pub mod demanded;
mod erased;
mod foreign;
mod log;
mod network;
mod own;
mod proofs;
mod sealed;
mod tree;
mod unchecked;
pub mod unseen;

use std::collections::BTreeMap;
use std::thread;

use hallmark_schemas::hex;
use hallmark_schemas::time::Timestamp;

use crate::evidence::{Defect, DefectKind, Evidence, Proven, ProvenLog};
use crate::step::Step;
use crate::table::{self, TableSet};
use crate::watch::{Unwatched, Watch};
use bodies::Known;
use erased::Erased;
use log::LogState;
use unseen::Unseen;

/// No network file is at hand that can be used.
const NO_NETWORK: &str = "give the network file too, `hallmark-verify check network.hallmark INPUT`; any \
                          node of the network serves it as /network.hallmark";

/// Proves what can be proved of the evidence, and says what cannot.
pub fn prove(evidence: Evidence) -> Proven {
    prove_watched(evidence, &Unwatched)
}

/// The same while somebody looks on.
pub fn prove_watched(mut evidence: Evidence, watch: &dyn Watch) -> Proven {
    let mut defects = std::mem::take(&mut evidence.defects);
    let remarks = foreign::check(&evidence, &mut defects);
    let root = network::trust_root(&evidence, &mut defects);
    let mut logs = Vec::new();
    for (origin, log) in std::mem::take(&mut evidence.logs) {
        let key = root.as_ref().and_then(|root| root.network().log_key(&origin));
        logs.push(LogState::check(origin, log, key, &mut defects));
    }
    let parsed = bodies::parse(&logs, &evidence, watch, &mut defects);
    let Some(root) = root else {
        return without_root(evidence, logs, (defects, remarks));
    };
    let policies = network::Policies::new(&root, &parsed, &evidence);
    let stood = {
        let known = Known { root: &root, policies: &policies, bodies: &evidence.bodies, watch };
        bodies::verify(known, &mut logs, parsed, &mut defects)
    };
    let erased = Erased::of(&stood.attestations, &evidence);
    let attestations = cross::once_each(stood.attestations);
    cross::forks(&attestations, &mut defects);
    cross::chains(&attestations, &mut defects);
    cross::citations(&attestations, &logs, (&evidence, &erased), &mut defects);
    let missing = demanded::of(&attestations, &logs, (&evidence, &erased));
    erased.unexplained(&logs, &evidence, &mut defects);
    cross::unlogged(&evidence, &logs, &attestations, &mut defects);
    proofs::check(&root, &policies, &evidence.proofs, &mut defects);
    let unchecked =
        unchecked::of(Some(root.network()), &logs, &evidence, &attestations, &stood.keys_unknown);
    sealed::check(root.network(), &logs, &attestations, &mut defects);
    defects.sort();
    defects.dedup();
    let mut notes = network::notes(&root);
    notes.extend(sealed::notes(root.network(), &logs));
    notes.extend(erased.notes(&logs, &evidence));
    notes.extend(logs.iter().flat_map(LogState::notes));
    notes.extend(cross::notes(&attestations, &stood.doubted));
    notes.extend(remarks);
    let tables = evidence.tables;
    let proven_logs = logs.iter().enumerate().filter_map(|(number, log)| {
        let unseen = unseen::of(number, log, &stood.held, &evidence.bodies);
        proven_log(log, unseen)
    });
    let proven_logs: Vec<_> = proven_logs.collect();
    let as_of = newest(evidence.as_of, &proven_logs, &tables);
    Proven {
        refused: cross::refused(&attestations),
        coverage: coverage::of(&logs, &attestations, &stood.held),
        missing,
        unchecked,
        network: Some(root.network().clone()),
        network_digest: Some(network::digest(&root)),
        attestations,
        defects,
        logs: proven_logs,
        notes,
        tables,
        as_of,
    }
}

/// Without a network file no key is known, so nothing signed can be proved.
fn without_root(
    evidence: Evidence,
    logs: Vec<LogState>,
    (mut defects, notes): (Vec<Defect>, Vec<String>),
) -> Proven {
    logs.iter().for_each(|log| log.leave_undated(&mut defects));
    if let Some(log) = logs.first() {
        defects.push(Defect {
            log: Some(log.origin.clone()),
            entry: None,
            kind: DefectKind::Withheld,
            subject: log.origin.clone(),
            cites: Vec::new(),
            detail: "there is no usable network file, so no key can be traced".to_owned(),
            at: None,
            remedy: Some(NO_NETWORK),
            proof: None,
            step: Some(Step::Network),
        });
    }
    defects.sort();
    defects.dedup();
    let unchecked = unchecked::of(None, &logs, &evidence, &[], &BTreeMap::new());
    let tables = evidence.tables;
    Proven {
        attestations: Vec::new(),
        defects,
        refused: Vec::new(),
        coverage: Vec::new(),
        missing: Vec::new(),
        unchecked,
        logs: Vec::new(),
        notes,
        network: None,
        network_digest: None,
        as_of: newest(evidence.as_of, &[], &tables),
        tables,
    }
}

fn proven_log(log: &LogState, unseen: Option<Unseen>) -> Option<ProvenLog> {
    let newest = log.newest_dated()?;
    Some(ProvenLog {
        origin: log.origin.clone(),
        size: newest.head.size,
        root: hex::encode(&newest.head.root),
        at: newest.vouched_at,
        witnessed: newest.witnessed,
        unseen,
    })
}

/// The newest instant that the evidence knows of: no clock is asked.
fn newest(stated: Option<Timestamp>, logs: &[ProvenLog], tables: &TableSet) -> Option<Timestamp> {
    let logs = logs.iter().map(|log| log.at);
    stated.into_iter().chain(logs).chain(table::newest_instant(tables)).max()
}

/// Does `work` on every item, on all cores; results keep the order of the items.
fn on_all_cores<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(cores).max(1);
    let mut items = items.into_iter();
    let work = &work;
    thread::scope(|scope| {
        let mut workers = Vec::new();
        loop {
            let part: Vec<T> = items.by_ref().take(share).collect();
            if part.is_empty() {
                break;
            }
            workers.push(scope.spawn(move || part.into_iter().map(work).collect::<Vec<R>>()));
        }
        let join = |worker: thread::ScopedJoinHandle<'_, Vec<R>>| match worker.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().flat_map(join).collect()
    })
}

/// Numbers of things by what they are about, for remarks.
type Counts = BTreeMap<String, u64>;
