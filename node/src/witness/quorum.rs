//! The own log before its witnesses: the fork guard after a start, then the cosignatures.
//!
//! Invariants: the log signs nothing until so many witnesses have told their newest checkpoint of
//! it that every possible quorum is represented, and none is ahead; a cosignature is counted by the
//! writer, here it is only fetched; a witness that refuses because it has seen other of this log is
//! looked into, and if that was signed, nothing more is; if nobody shows it, it is a bare word, which
//! is told and ends nothing.

use std::sync::Arc;
use std::time::Duration;

use hallmark_schemas::layout::peer_name;
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::note::{SignedNote, VerifierKey};
use hallmark_schemas::policy::Witness;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use super::Fault;
use super::asking::Asking;
use super::elsewhere::{self, Behind};
use super::guard::{Guard, Refused, Verdict};
use super::stranger::{self, Standing};
use super::words::Word;
use crate::api::problem::with_causes;
use crate::core::{GuardView, Signing};
use crate::peers::road::Road;
use crate::service::Service;

/// First and longest wait before a witness is asked again.
const RETRY_WAIT: Duration = Duration::from_millis(100);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);

/// What a word is worth that no checkpoint under the log's own signature bears out.
const UNPROVED: &str = "nobody shows a checkpoint that says so, and without one it proves nothing";

/// Media type of a request to a witness.
pub(crate) const POST_TYPE: &str = "text/plain; charset=utf-8";

/// Satisfies the guard, then asks for cosignatures until `stop`.
pub async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = crate::peers::stopped(&mut stop) => {}
        () = async {
            if matches!(service.node.log().signing(), Signing::ReadOnly { .. }) {
                // Nothing that a witness says lets a log sign whose files contradict each other.
                return std::future::pending().await;
            }
            if super::twin::at_start(&service).await.is_some() {
                // Whoever started this process ends it.
                return std::future::pending().await;
            }
            guard(&service).await;
            collect(&service).await;
        } => {}
    }
}

/// Returns when signing may begin; never, if a witness is ahead.
async fn guard(service: &Arc<Service>) {
    if let Some(refused) = elsewhere::found_before(service).await {
        elsewhere::stop(service, refused, false);
        return std::future::pending().await;
    }
    let mut wait = RETRY_WAIT;
    loop {
        let network = service.network();
        let policy = network.network().policy.clone();
        let mut guard = Guard::new(policy.clone(), service.witness.vkey().clone());
        for witness in policy.witnesses() {
            if let Some(url) = service.stranger_url(&witness.key) {
                let standing = stranger::standing(service, &url).await;
                if let Some(refused) = hear_stranger(service, &mut guard, witness, standing).await {
                    elsewhere::stop(service, refused, false);
                    return std::future::pending().await;
                }
                continue;
            }
            let held = held(service, &witness.key).await;
            let size = |note: &SignedNote| note.checkpoint().map_or(0, |held| held.size);
            let newest = held.as_ref().map(|held| held.iter().map(size).max());
            heard(service, &witness.name, newest.map_err(String::as_str));
            if let Ok(held) = held {
                guard = hear(service, guard, witness.name.clone(), held).await;
            }
        }
        match guard.verdict() {
            Verdict::Satisfied => {
                info!(answered = guard.count(), "the witnesses hold nothing newer, signing begins");
                return service.node.log().guard_satisfied();
            }
            Verdict::Refused(refused) => {
                elsewhere::stop(service, refused, false);
                return std::future::pending().await;
            }
            Verdict::Waiting => {}
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_WAIT_MAX);
    }
}

/// Takes what a stranger said; what it only claims is looked for, and found it ends all signing.
async fn hear_stranger(
    service: &Arc<Service>,
    guard: &mut Guard,
    witness: &Witness,
    standing: Result<Standing, String>,
) -> Option<Refused> {
    let name = &witness.name;
    match standing {
        Ok(Standing::Within(size)) => {
            heard(service, name, Ok(Some(size)));
            guard.stands(name, size, GuardView::Within, None);
        }
        Ok(Standing::Claims { status, size }) => {
            if let Behind::Signed(refused) = elsewhere::look(service, &witness.key).await {
                return Some(refused);
            }
            service.words.tell(Word {
                name: name.clone(),
                at: (service.clock)(),
                status: Some(status),
                size: Some(size),
                answer: claim(status, size, service.node.log().head().size),
                unproved: true,
            });
        }
        Err(reason) => heard(service, name, Err(&reason)),
    }
    None
}

/// What a stranger claims, and what that is worth.
fn claim(status: u16, size: u64, ours: u64) -> String {
    let what = if ours < size {
        format!("{size} entries of this log, here are only {ours}")
    } else {
        format!("{size} entries of another tree of this log")
    };
    format!(
        "it answers {status}, as if it had seen {what}: {UNPROVED}, so this counts as no answer; if \
         this folder is an old copy, stop the node and give `hallmark-node restore DIR --from-peers`"
    )
}

/// Notes what a witness told before the log may sign: the size of its newest checkpoint of it.
fn heard(service: &Service, name: &str, newest: Result<Option<u64>, &str>) {
    let (status, answer) = match newest {
        Ok(Some(size)) => (Some(200), format!("it holds a checkpoint of {size} entries")),
        Ok(None) => (Some(404), "it holds no checkpoint of this log".to_owned()),
        Err(reason) => {
            debug!(witness = name, reason, "witness not asked");
            (None, reason.to_owned())
        }
    };
    let (name, at, size) = (name.to_owned(), (service.clock)(), newest.ok().flatten());
    service.words.tell(Word { name, at, status, size, answer, unproved: false });
}

/// Holds what a witness told against what is here, off the async threads.
async fn hear(
    service: &Arc<Service>,
    mut guard: Guard,
    name: String,
    held: Vec<SignedNote>,
) -> Guard {
    let (log, own) = (service.node.log().clone(), elsewhere::own_key(service));
    let work = move || {
        let notes = held.iter().map(Some);
        let none = held.is_empty().then_some(None);
        for note in notes.chain(none) {
            let heard = guard.heard(&name, note, &own, |theirs| log.compare(theirs));
            if let Err(error) = heard {
                let error = with_causes(&error);
                warn!(witness = name, error, "a witness's word proves nothing");
            }
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
pub(super) fn witness_road<'a>(service: &'a Service, key: &VerifierKey) -> Option<Road<'a>> {
    let network = service.network();
    let mut members = network.network().members.iter();
    let member = members.find(|member| member.witness_key == *key)?;
    Road::to(service, &member.origin)
}

/// The newest checkpoints of our log that this witness holds. Err: it did not answer.
async fn held(service: &Service, key: &VerifierKey) -> Result<Vec<SignedNote>, String> {
    if key == service.witness.vkey() {
        let seen = service.witness.seen(&peer_name(&service.config.origin));
        let seen = seen.and_then(|seen| SignedNote::parse(seen.note.as_bytes()).ok());
        return Ok(seen.into_iter().collect());
    }
    match witness_road(service, key) {
        Some(road) => {
            let holds = road.held(&service.config.origin).await?;
            Ok(holds.into_iter().flatten().collect())
        }
        None => Err("no address known".to_owned()),
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
                let cosigned = ask(&service, &key, &note).await;
                match cosigned.and_then(|cosigned| believed(&service, &key, cosigned)) {
                    Ok(cosigned) => {
                        said(&service, &name, &note, None);
                        return service.node.log().cosigned(cosigned);
                    }
                    Err(refusal) => refused(&service, &key, &name, &note, refusal).await,
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(RETRY_WAIT_MAX);
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Why a witness did not cosign.
struct Refusal {
    status: Option<u16>,
    reason: String,
    /// Entries that it says it has seen of another tree than ours, or beyond it.
    elsewhere: Option<u64>,
}

impl From<String> for Refusal {
    fn from(reason: String) -> Refusal {
        Refusal { status: None, reason, elsewhere: None }
    }
}

/// Notes what a witness said about a checkpoint; `None`: it has cosigned it.
fn said(service: &Service, name: &str, note: &SignedNote, refusal: Option<(Refusal, bool)>) {
    let (name, at) = (name.to_owned(), (service.clock)());
    let new = note.checkpoint().ok().map(|checkpoint| checkpoint.size);
    service.words.tell(match refusal {
        Some((Refusal { status, reason, elsewhere: size }, unproved)) => {
            let answer = if unproved { format!("{reason}; {UNPROVED}") } else { reason };
            Word { name, at, status, size, answer, unproved }
        }
        None => {
            let answer = format!("cosigned {} entries", new.unwrap_or(0));
            Word { name, at, status: Some(200), size: new, answer, unproved: false }
        }
    });
}

/// Looks into a refusal: this log stops if it was signed elsewhere.
async fn refused(
    service: &Arc<Service>,
    key: &VerifierKey,
    name: &str,
    note: &SignedNote,
    refusal: Refusal,
) {
    let (reason, size) = (&refusal.reason, refusal.elsewhere);
    debug!(witness = name, reason, "no cosignature yet");
    let behind = match size {
        Some(_) => elsewhere::look(service, key).await,
        None => Behind::Nothing,
    };
    let is_unshown = matches!(behind, Behind::Unshown);
    said(service, name, note, Some((refusal, is_unshown)));
    if let Behind::Signed(refused) = behind {
        elsewhere::stop(service, refused, true);
    }
}

/// The note, unless the witness states an instant at which it cannot have cosigned it.
fn believed(
    service: &Service,
    key: &VerifierKey,
    cosigned: SignedNote,
) -> Result<SignedNote, Refusal> {
    let at = cosigned.signed_by(key).map_err(|e| with_causes(&e))?;
    match at.and_then(|at| service.node.log().doubt(at, (service.clock)())) {
        Some(reason) => Err(Refusal { status: Some(200), ..Refusal::from(reason) }),
        None => Ok(cosigned),
    }
}

/// One witness, one checkpoint: the note with its cosignature.
async fn ask(
    service: &Arc<Service>,
    key: &VerifierKey,
    note: &Arc<SignedNote>,
) -> Result<SignedNote, Refusal> {
    let old = service.witnessed_size(key);
    let mut asking =
        Asking::new(key.clone(), Arc::clone(note), old).map_err(|e| with_causes(&e))?;
    if key == service.witness.vkey() {
        let lines = own_word(service, note).await?;
        let cosigned = asking.answered(200, lines.as_bytes()).map_err(|e| with_causes(&e))?;
        return Ok(cosigned.ok_or_else(|| "the own witness gave no signature".to_owned())?);
    }
    let road = witness_road(service, key);
    let url = match (&road, service.stranger_url(key)) {
        (Some(_), _) => key.name().to_owned(),
        (None, Some(url)) => format!("{url}/add-checkpoint"),
        (None, None) => {
            let url = service.witness_url(key).ok_or("no address known".to_owned())?;
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
        let cosigned = asking.answered(status, &body).map_err(|fault| Refusal {
            status: Some(status),
            reason: format!("{url}: {}", with_causes(&fault)),
            elsewhere: fault.elsewhere(),
        })?;
        if let Some(cosigned) = cosigned {
            service.set_witnessed_size(key, asking.size());
            return Ok(cosigned);
        }
    }
}

/// This node's own witness, where the policy names it.
async fn own_word(service: &Arc<Service>, note: &SignedNote) -> Result<String, Refusal> {
    let (asked, note) = (Arc::clone(service), note.clone());
    let work = move || {
        let now = (asked.clock)();
        let prove = |old, new| asked.node.log().consistency_proof(old, new).ok();
        // It signs, so its guard has heard what others hold, and all of it is here.
        asked.heeded(asked.witness.settle_own(&asked.config.origin))?;
        asked.heeded(asked.witness.cosign_held(&asked.log_vkey, &note, now, prove))
    };
    let word = tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())?;
    let seen = || service.witness.seen(&peer_name(&service.config.origin)).map(|seen| seen.size);
    match word {
        Ok(Some(lines)) => Ok(lines),
        Ok(None) => Err(Refusal {
            status: None,
            reason: "the own witness has seen a newer tree".to_owned(),
            elsewhere: seen(),
        }),
        Err(fault) => {
            let elsewhere = matches!(fault, Fault::Unproved { .. }).then(seen).flatten();
            Err(Refusal { status: None, reason: with_causes(&fault), elsewhere })
        }
    }
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
