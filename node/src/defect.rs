//! Defects of followed logs that take more than the log's own copy to prove.
//!
//! Invariants: looking into a defect is no part of following a log and holds nothing up; what is
//! fetched for it is believed only as far as it hashes to what the log signed; whatever cannot be
//! proved is told in the node's own log and accuses nobody.

pub(crate) mod exchange;
pub(crate) mod key_use;
pub(crate) mod served;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use hallmark_schemas::attestation::Envelope;
use hallmark_schemas::audience::Audience;
use hallmark_schemas::defect::{Claim, DefectProof};
use hallmark_schemas::note::SignedNote;
use tokio::sync::watch;
use tracing::warn;

use crate::api::problem::with_causes;
use crate::net::gossip::{GOSSIP_KNOWN, Topic};
use crate::net::roster::Fault;
use crate::peers::log_key;
use crate::service::Service;
use crate::store::StoreError;
use crate::witness::elsewhere;

/// Keeps the proof of what a request to the witness shows about a log that is followed here.
pub fn keep(service: &Service, claim: Claim) -> Result<(), StoreError> {
    let Claim::Split(trees) = &claim else { return Ok(()) };
    let note = SignedNote::parse(trees.first.as_bytes()).ok();
    let origin = note.and_then(|note| note.checkpoint().ok()).map(|state| state.origin);
    if let Some(log) = origin.and_then(|origin| service.node.mirror().log(&origin))
        && log.keep_defect(claim)?.is_some()
    {
        service.evidence_changed.notify_one();
    }
    Ok(())
}

/// Keeps a proof that a peer gossiped, which holds under the network file here. One of two trees of
/// the own log ends all signing here, as either of its checkpoints would that is not of the tree here.
pub fn take_in(service: &Arc<Service>, proof: DefectProof) -> Result<(), StoreError> {
    let Ok(shown) = proof.verify() else { return Ok(()) };
    if shown.origin == service.config.origin {
        tracing::error!(defect = shown.sentence, "a peer proves a defect of the own log");
        if let Err(reason) = elsewhere::keep(&service.data, &proof) {
            tracing::warn!(reason, "the proof is not kept");
        }
        if let Claim::Split(trees) = proof.claim() {
            let notes =
                [&trees.first, &trees.second].map(|note| SignedNote::parse(note.as_bytes()));
            for note in notes.iter().flatten() {
                elsewhere::shown(service, note);
            }
        }
        service.evidence_changed.notify_one();
        return Ok(());
    }
    // A copy that is not open yet is opened: nobody tells the proof again.
    let key = log_key(&service.network(), &shown.origin);
    if let Some(log) = key.and_then(|key| service.node.mirror().follow(key).ok())
        && log.keep_defect(proof.claim().clone())?.is_some()
    {
        service.evidence_changed.notify_one();
        if let (Claim::Split(_), Some(net)) = (proof.claim(), service.net.get()) {
            net.accuse_keeper(&shown.origin, Fault::Equivocated, shown.sentence);
        }
    }
    Ok(())
}

/// Whether every member may see all that the proof is shown with. What is meant for some of them, or
/// for some regions, stays where it is held.
pub(crate) fn may_be_gossiped(claim: &Claim) -> bool {
    shows_only(claim, |audience| !matches!(audience, Audience::Named(_)))
}

/// Whether all that the proof is shown with is for these, wherever they are.
fn shows_only(claim: &Claim, admits: impl Fn(&Audience) -> bool) -> bool {
    claim.bodies().all(|body| {
        Envelope::parse(body).is_ok_and(|envelope| {
            let claims = envelope.claims();
            admits(&claims.aud) && claims.regions.is_empty()
        })
    })
}

/// Proofs that were gossiped: when, and whether the accused was connected.
type Told = BTreeMap<PathBuf, (Instant, bool)>;

/// Gossips every proof that is kept here once, also those of before the start. Whoever was away asks
/// for what it has missed ([`exchange`]).
///
/// Whoever is accused is cut off at first: it is told once more when it is connected again.
fn tell(service: &Service, told: &mut Told) -> Result<(), StoreError> {
    let Some(net) = service.net.get() else { return Ok(()) };
    if net.roster().all_connected().is_empty() {
        return Ok(());
    }
    for log in service.node.mirror().logs() {
        let knows = net.roster().connected(log.origin()).is_some();
        for path in log.defects()? {
            let is_due = match told.get(&path) {
                None => true,
                Some((at, knew)) => knows && !knew && GOSSIP_KNOWN < at.elapsed(),
            };
            if !is_due {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap_or_default();
            if DefectProof::parse(&bytes).is_ok_and(|proof| may_be_gossiped(proof.claim())) {
                net.publish(Topic::Defects, bytes);
            }
            told.insert(path, (Instant::now(), knows));
        }
    }
    Ok(())
}

/// Looks into what the copies of followed logs find suspect, until `stop`.
pub async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut beat = tokio::time::interval(service.config.peers.poll_every);
    let mut told = Told::new();
    loop {
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            _ = beat.tick() => {}
        }
        let looking = Arc::clone(&service);
        let handle = tokio::runtime::Handle::current();
        let work = move || {
            let looked = look(&looking, &handle);
            let told_now = tell(&looking, &mut told);
            (told, looked.and_then(|found| told_now.map(|()| found)))
        };
        let looked = match tokio::task::spawn_blocking(work).await {
            Ok((back, looked)) => {
                told = back;
                Ok(looked)
            }
            Err(error) => {
                told = Told::new();
                Err(error)
            }
        };
        match looked {
            Ok(Ok(true)) => service.evidence_changed.notify_one(),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => warn!(error = %with_causes(&error), "a defect is not looked into"),
            Err(error) => warn!(%error, "looking into a defect broke off"),
        }
    }
}

/// Whether anything was proved.
fn look(service: &Service, handle: &tokio::runtime::Handle) -> Result<bool, StoreError> {
    let mut proved = false;
    for log in service.node.mirror().logs() {
        for index in log.take_late_keys() {
            proved |=
                key_use::prove(&service.node, &service.network(), &service.data, &log, index)?
                    .is_some();
        }
        if let Some(note) = log.take_suspect() {
            proved |= served::prove(service, handle, &log, &note)?.is_some();
        }
    }
    Ok(proved)
}
