//! The own log before its witnesses: the fork guard after a start, then the cosignatures.
//!
//! Invariants: the log signs nothing until so many witnesses have told their newest checkpoint of
//! it that every possible quorum is represented, and none is ahead; a cosignature is counted by the
//! writer, here it is only fetched.

use std::sync::Arc;
use std::time::Duration;

use hallmark_schemas::merkle::Hash;
use hallmark_schemas::note::{SignedNote, VerifierKey, parse_signatures};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::stranger::{self, Standing};
use super::{Fault, encode_request};
use crate::api::problem::with_causes;
use crate::core::{GuardView, Signing};
use crate::service::Service;
use hallmark_schemas::layout::peer_name;

/// First and longest wait before a witness is asked again.
const RETRY_WAIT: Duration = Duration::from_millis(100);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);

/// Media type of a request to a witness.
pub(super) const POST_TYPE: &str = "text/plain; charset=utf-8";

/// Satisfies the guard, then asks for cosignatures until `stop`.
pub async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = crate::peers::stopped(&mut stop) => {}
        () = async {
            if matches!(service.node.log().signing(), Signing::ReadOnly { .. }) {
                // Nothing that a witness says lets a log sign whose files contradict each other.
                return std::future::pending().await;
            }
            guard(&service).await;
            collect(&service).await;
        } => {}
    }
}

/// Returns when signing may begin; never, if a witness is ahead.
async fn guard(service: &Arc<Service>) {
    let mut wait = RETRY_WAIT;
    loop {
        let policy = service.network().network().policy.clone();
        let mut answered = Vec::new();
        for witness in policy.witnesses() {
            if let Some(url) = service.stranger_url(&witness.key) {
                match stranger::standing(service, &url).await {
                    Ok(Standing { view: GuardView::Within, .. }) => {
                        answered.push(witness.name.clone());
                    }
                    Ok(Standing { size, view }) => {
                        refuse(service, size, view);
                        std::future::pending().await
                    }
                    Err(reason) => debug!(witness = witness.name, reason, "witness not asked"),
                }
                continue;
            }
            match newest(service, &witness.key).await {
                Ok(None) => answered.push(witness.name.clone()),
                Ok(Some(note)) => match compare(service, note).await {
                    Some(GuardView::Within) => answered.push(witness.name.clone()),
                    Some(_) => std::future::pending().await,
                    None => {}
                },
                Err(reason) => debug!(witness = witness.name, reason, "witness not asked"),
            }
        }
        if policy.guard_met(|witness| answered.contains(&witness.name)) {
            info!(answered = answered.len(), "the witnesses hold nothing newer, signing begins");
            service.node.log().guard_satisfied();
            return;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_WAIT_MAX);
    }
}

/// The newest checkpoint of our log that this witness holds. Err: it did not answer.
async fn newest(service: &Service, key: &VerifierKey) -> Result<Option<SignedNote>, String> {
    let hex = peer_name(&service.config.origin);
    if key == service.witness.vkey() {
        let seen = service.witness.seen(&hex);
        return Ok(seen.and_then(|seen| SignedNote::parse(seen.note.as_bytes()).ok()));
    }
    let url = service.witness_url(key).ok_or("no address known")?;
    let url = format!("{url}/peers/{hex}/checkpoint");
    let answer = service.client.get(&url).await.map_err(|e| with_causes(&e))?;
    match answer.status {
        404 => Ok(None),
        200 => SignedNote::parse(&answer.body).map(Some).map_err(|e| with_causes(&e)),
        status => Err(format!("{url} answers {status}")),
    }
}

/// None: the note is not under our signature and proves nothing.
async fn compare(service: &Arc<Service>, note: SignedNote) -> Option<GuardView> {
    let own = crate::peers::log_key(&service.network(), &service.config.origin)
        .unwrap_or_else(|| service.log_vkey.clone());
    let theirs = match note.checkpoint_of(&own) {
        Ok(theirs) => theirs,
        Err(error) => {
            warn!(%error, "a witness holds a checkpoint of our log that we did not sign");
            return None;
        }
    };
    let (log, checkpoint) = (service.node.log().clone(), theirs.clone());
    let view = tokio::task::spawn_blocking(move || log.compare(&checkpoint)).await.ok()?;
    match view {
        Ok(GuardView::Within) => Some(GuardView::Within),
        Ok(view) => {
            refuse(service, theirs.size, view);
            Some(view)
        }
        Err(error) => {
            warn!(error = %with_causes(&error), "cannot compare with a witness");
            None
        }
    }
}

fn refuse(service: &Service, size: u64, view: GuardView) {
    tracing::error!(size, "a witness holds more of this log than is here, or other: read-only");
    service.node.log().guard_refused(size, view);
}

/// Asks every witness for each checkpoint that waits for its quorum.
async fn collect(service: &Arc<Service>) {
    let mut unsigned = service.node.log().subscribe_unsigned();
    loop {
        let waiting = unsigned.borrow_and_update().clone();
        if let Some(note) = waiting {
            let asked = ask_all(service, note);
            tokio::select! {
                () = asked => {}
                changed = unsigned.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    continue;
                }
            }
        }
        if unsigned.changed().await.is_err() {
            return;
        }
    }
}

/// Every witness in its own task, each until it has cosigned; ends with the caller's patience.
async fn ask_all(service: &Arc<Service>, note: Arc<SignedNote>) {
    let mut tasks = tokio::task::JoinSet::new();
    for witness in service.network().network().policy.witnesses() {
        let (service, note) = (Arc::clone(service), Arc::clone(&note));
        let (key, name) = (witness.key.clone(), witness.name.clone());
        tasks.spawn(async move {
            let mut wait = RETRY_WAIT;
            loop {
                match ask(&service, &key, &note).await {
                    Ok(cosigned) => return service.node.log().cosigned(cosigned),
                    Err(reason) => debug!(witness = name, reason, "no cosignature yet"),
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY_WAIT_MAX);
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// One witness, one checkpoint: the note with its cosignature.
async fn ask(
    service: &Arc<Service>,
    key: &VerifierKey,
    note: &SignedNote,
) -> Result<SignedNote, String> {
    let lines = if key == service.witness.vkey() {
        own_word(service, note).await?
    } else {
        push(service, key, note).await?
    };
    let mut cosigned = note.clone();
    for line in parse_signatures(&lines).map_err(|e| with_causes(&e))? {
        cosigned.add(line);
    }
    match cosigned.signed_by(key) {
        Ok(Some(_)) => Ok(cosigned),
        Ok(None) => Err("it answered without its own signature".to_owned()),
        Err(error) => Err(with_causes(&error)),
    }
}

/// This node's own witness, where the policy names it.
async fn own_word(service: &Arc<Service>, note: &SignedNote) -> Result<String, String> {
    let (service, note) = (Arc::clone(service), note.clone());
    let work = move || {
        let now = (service.clock)();
        let prove = |old, new| service.node.log().consistency_proof(old, new).ok();
        service.witness.cosign_held(&service.log_vkey, &note, now, prove)
    };
    let word = tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())?;
    word.map_err(|e| with_causes(&e))?.ok_or_else(|| {
        Fault::Malformed { reason: "the own witness has seen a newer tree".to_owned() }.to_string()
    })
}

/// add-checkpoint at another node; a 409 tells the size to prove from.
async fn push(service: &Service, key: &VerifierKey, note: &SignedNote) -> Result<String, String> {
    let url = match service.stranger_url(key) {
        Some(url) => url,
        None => format!("{}/log", service.witness_url(key).ok_or("no address known")?),
    };
    let url = format!("{url}/add-checkpoint");
    let new = note.checkpoint().map_err(|e| with_causes(&e))?.size;
    let mut old = service.witnessed_size(key);
    for _ in 0..3 {
        let proof = proof_between(service, old, new).await?;
        let body = encode_request(old, &proof, note);
        let answer = service.client.post(&url, POST_TYPE, &body).await;
        let answer = answer.map_err(|e| with_causes(&e))?;
        match answer.status {
            200 => {
                service.set_witnessed_size(key, new);
                return String::from_utf8(answer.body).map_err(|e| e.to_string());
            }
            409 => {
                let told = String::from_utf8_lossy(&answer.body).trim().parse();
                old = told.map_err(|_| format!("{url} answers 409 without a size"))?;
                if new < old {
                    return Err(format!("{url} has seen {old} entries, this checkpoint has {new}"));
                }
            }
            // 404 in tlog-witness, 403 in witnesses older than it.
            403 | 404 => return Err(format!("{url} does not know this log or its key")),
            status => return Err(format!("{url} answers {status}: {}", answer.text())),
        }
    }
    Err(format!("{url} keeps answering 409"))
}

/// That the own tree of `new` entries begins with that of `old`; nothing where nothing is to prove.
pub(super) async fn proof_between(
    service: &Service,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, String> {
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    let log = service.node.log().clone();
    let proof = tokio::task::spawn_blocking(move || log.consistency_proof(old, new)).await;
    proof.map_err(|e| e.to_string())?.map_err(|e| with_causes(&e))
}
