//! The own log before its witnesses: the fork guard after a start, then the cosignatures.
//!
//! Invariants: the log signs nothing until so many witnesses have told their newest checkpoint of
//! it that every possible quorum is represented, and none is ahead; a cosignature is counted by the
//! writer, here it is only fetched.

use std::sync::Arc;
use std::time::Duration;

use hallmark_schemas::layout::peer_name;
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::note::{SignedNote, VerifierKey};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::Fault;
use super::asking::Asking;
use super::guard::{Guard, Verdict};
use super::stranger;
use crate::api::problem::with_causes;
use crate::core::Signing;
use crate::peers::road::Road;
use crate::service::Service;

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
        let network = service.network();
        let policy = network.network().policy.clone();
        let mut guard = Guard::new(policy.clone(), service.witness.vkey().clone());
        for witness in policy.witnesses() {
            if let Some(url) = service.stranger_url(&witness.key) {
                match stranger::standing(service, &url).await {
                    Ok(standing) => guard.stands(&witness.name, standing.size, standing.view),
                    Err(reason) => debug!(witness = witness.name, reason, "witness not asked"),
                }
                continue;
            }
            match newest(service, &witness.key).await {
                Ok(newest) => guard = hear(service, guard, witness.name.clone(), newest).await,
                Err(reason) => debug!(witness = witness.name, reason, "witness not asked"),
            }
        }
        match guard.verdict() {
            Verdict::Satisfied => {
                info!(answered = guard.count(), "the witnesses hold nothing newer, signing begins");
                return service.node.log().guard_satisfied();
            }
            Verdict::Refused { size, view } => {
                tracing::error!(
                    size,
                    "a witness holds more of this log than is here, or other: read-only"
                );
                service.node.log().guard_refused(size, view);
                return std::future::pending().await;
            }
            Verdict::Waiting => {}
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_WAIT_MAX);
    }
}

/// Holds what a witness told against what is here, off the async threads.
async fn hear(
    service: &Arc<Service>,
    mut guard: Guard,
    name: String,
    newest: Option<SignedNote>,
) -> Guard {
    let own = crate::peers::log_key(&service.network(), &service.config.origin)
        .unwrap_or_else(|| service.log_vkey.clone());
    let log = service.node.log().clone();
    let work = move || {
        let heard = guard.heard(&name, newest.as_ref(), &own, |theirs| log.compare(theirs));
        if let Err(error) = heard {
            warn!(witness = name, error = %with_causes(&error), "a witness's word proves nothing");
        }
        guard
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(guard) => guard,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// The roads to the member whose witness key this is; `None` for a witness that is no member, or
/// one that nobody knows where to find.
fn witness_road<'a>(service: &'a Service, key: &VerifierKey) -> Option<Road<'a>> {
    let network = service.network();
    let mut members = network.network().members.iter();
    let member = members.find(|member| member.witness_key == *key)?;
    Road::to(service, &member.origin)
}

/// The newest checkpoint of our log that this witness holds. Err: it did not answer.
async fn newest(service: &Service, key: &VerifierKey) -> Result<Option<SignedNote>, String> {
    let hex = peer_name(&service.config.origin);
    if key == service.witness.vkey() {
        let seen = service.witness.seen(&hex);
        return Ok(seen.and_then(|seen| SignedNote::parse(seen.note.as_bytes()).ok()));
    }
    let (status, body) = match witness_road(service, key) {
        Some(road) => {
            let reply = road.checkpoint(&service.config.origin).await?;
            (reply.status, reply.body)
        }
        None => {
            let url = service.witness_url(key).ok_or("no address known")?;
            let url = format!("{url}/peers/{hex}/checkpoint");
            let answer = service.client.get(&url).await.map_err(|e| with_causes(&e))?;
            (answer.status, answer.body)
        }
    };
    match status {
        404 => Ok(None),
        200 => SignedNote::parse(&body).map(Some).map_err(|e| with_causes(&e)),
        status => Err(format!("the witness answers {status}")),
    }
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
    let network = service.network();
    let witnesses = network.network().policy.witnesses().iter();
    let mut asked: Vec<_> = witnesses.map(|one| (one.key.clone(), one.name.clone())).collect();
    if asked.is_empty() {
        // Where the policy names nobody, the own witness says that there is nothing newer.
        asked.push((service.witness.vkey().clone(), "own".to_owned()));
    }
    for (key, name) in asked {
        let (service, note) = (Arc::clone(service), Arc::clone(&note));
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
    note: &Arc<SignedNote>,
) -> Result<SignedNote, String> {
    let old = service.witnessed_size(key);
    let mut asking =
        Asking::new(key.clone(), Arc::clone(note), old).map_err(|e| with_causes(&e))?;
    if key == service.witness.vkey() {
        let lines = own_word(service, note).await?;
        let cosigned = asking.answered(200, lines.as_bytes()).map_err(|e| with_causes(&e))?;
        return cosigned.ok_or_else(|| "the own witness gave no signature".to_owned());
    }
    let road = witness_road(service, key);
    let url = match (&road, service.stranger_url(key)) {
        (Some(_), _) => key.name().to_owned(),
        (None, Some(url)) => format!("{url}/add-checkpoint"),
        (None, None) => {
            let url = service.witness_url(key).ok_or("no address known")?;
            format!("{url}/log/add-checkpoint")
        }
    };
    loop {
        let log = service.node.log().clone();
        let work = move || {
            let body = asking.request(|old, new| log.consistency_proof(old, new));
            (asking, body)
        };
        let (back, body) = tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())?;
        asking = back;
        let body = body.map_err(|e| with_causes(&e))?;
        let (status, body) = match &road {
            Some(road) => {
                let reply = road.cosign(&body).await?;
                (reply.status, reply.body)
            }
            None => {
                let answer = service.client.post(&url, POST_TYPE, &body).await;
                let answer = answer.map_err(|e| with_causes(&e))?;
                (answer.status, answer.body)
            }
        };
        let cosigned = asking.answered(status, &body);
        if let Some(cosigned) = cosigned.map_err(|e| format!("{url}: {}", with_causes(&e)))? {
            service.set_witnessed_size(key, asking.size());
            return Ok(cosigned);
        }
    }
}

/// This node's own witness, where the policy names it.
async fn own_word(service: &Arc<Service>, note: &SignedNote) -> Result<String, String> {
    let (service, note) = (Arc::clone(service), note.clone());
    let work = move || {
        let now = (service.clock)();
        let prove = |old, new| service.node.log().consistency_proof(old, new).ok();
        service.heeded(service.witness.cosign_held(&service.log_vkey, &note, now, prove))
    };
    let word = tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())?;
    word.map_err(|e| with_causes(&e))?.ok_or_else(|| {
        Fault::Malformed { reason: "the own witness has seen a newer tree".to_owned() }.to_string()
    })
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
