//! Following the members' logs over plain HTTP: checkpoint, entries, bodies, network file.
//!
//! Invariants: nothing of a peer is believed that its log's signature, the tree's hashes or the
//! body's own id do not prove; a peer that is away or lies stops nothing but its own mirror; what
//! is in flight is bounded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::VerifierKey;
use hallmark_schemas::tile::TilePath;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::api::problem::with_causes;
use crate::client::Ask as Request;
use crate::mirror::MirroredLog;
use crate::service::Service;

use follower::{Ask, Follower, Heard};

pub mod address;
pub mod follower;
mod sealed;

/// Bodies asked for at once from one peer.
const BODIES_AT_ONCE: usize = 16;
/// Longest wait before a silent peer is asked again.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// The key that signs checkpoints of this log, as the network file states it.
pub fn log_key(network: &NetworkFile, origin: &str) -> Option<VerifierKey> {
    Some(network.network().member_of_origin(origin)?.log_key.clone())
}

/// The key of the witness that the node of this log runs, by the network file.
pub fn witness_key(network: &NetworkFile, origin: &str) -> Option<VerifierKey> {
    Some(network.network().member_of_origin(origin)?.witness_key.clone())
}

/// Follows every other member until `stop`: one task a log, so that one is no brake to another.
pub async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut followed: HashMap<String, tokio::task::JoinHandle<()>> = HashMap::new();
    let mut network_beat = tokio::time::interval(service.config.peers.poll_every * 5);
    loop {
        let opening = Arc::clone(&service);
        if tokio::task::spawn_blocking(move || sealed::open(&opening)).await.is_err() {
            warn!("the copies of sealed logs could not be opened");
        }
        let network = service.network();
        followed.retain(|origin, task| {
            let stays = network.network().member_of_origin(origin).is_some();
            if !stays {
                task.abort();
            }
            stays
        });
        for member in &network.network().members {
            let is_own = member.origin == service.config.origin;
            if is_own || followed.get(&member.origin).is_some_and(|task| !task.is_finished()) {
                continue;
            }
            let task = tokio::spawn(follow(Arc::clone(&service), member.origin.clone()));
            followed.insert(member.origin.clone(), task);
        }
        let is_due = tokio::select! {
            () = stopped(&mut stop) => break,
            _ = network_beat.tick() => true,
            () = service.network_changed.notified() => false,
        };
        if is_due {
            service.resolve_addresses();
            follow_network(&service).await;
        }
    }
    for task in followed.into_values() {
        task.abort();
    }
}

/// Opens the copies that are here, to be served as they are; nothing is fetched.
pub async fn serve_copies(service: Arc<Service>) {
    let open = move || {
        sealed::open(&service);
        for member in &service.network().network().members {
            let is_here = service.data.peer(&member.origin).path().is_dir();
            if member.origin == service.config.origin || !is_here {
                continue;
            }
            if let Err(error) = service.node.mirror().follow(member.log_key.clone()) {
                warn!(origin = member.origin, error = with_causes(&error), "a copy is not served");
            }
        }
        service.resolve_addresses();
    };
    if let Err(panic) = tokio::task::spawn_blocking(open).await {
        warn!(%panic, "the copies could not be opened");
    }
}

/// Resolves when the node stops.
pub(crate) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same.
    let _ = stop.wait_for(|stopped| *stopped).await;
}

/// Takes over a newer network file from whoever has one.
async fn follow_network(service: &Arc<Service>) {
    for url in service.addresses.known_urls(&service.network(), &service.config) {
        let Ok(answer) = service.client.get(&format!("{url}/network.hallmark")).await else {
            continue;
        };
        let Ok(file) = NetworkFile::parse(&answer.body) else {
            continue;
        };
        if answer.status != 200 || file.network().version <= service.network().network().version {
            continue;
        }
        let (service, version) = (Arc::clone(service), file.network().version);
        let adopted = tokio::task::spawn_blocking(move || service.adopt_network(file)).await;
        match adopted {
            Ok(Ok(())) => info!(version, url, "took over a newer network file"),
            Ok(Err(reason)) => warn!(version, url, reason, "a network file proves nothing"),
            Err(error) => warn!(%error, "cannot take over the network file"),
        }
    }
}

/// Polls one log for ever.
async fn follow(service: Arc<Service>, origin: String) {
    let mut wait = service.config.peers.poll_every;
    let mut follower = None;
    loop {
        match poll(&service, &origin, &mut follower).await {
            Ok(()) => wait = service.config.peers.poll_every,
            Err(reason) => {
                debug!(origin, reason, "peer not followed");
                service.health.peer(&origin, Some(&reason));
                wait = (wait * 2).min(BACKOFF_MAX.max(service.config.peers.poll_every));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = service.addresses.changed() => wait = service.config.peers.poll_every,
        }
    }
}

/// One round: checkpoint, entries, bodies, as the follower asks for them.
async fn poll(
    service: &Arc<Service>,
    origin: &str,
    follower: &mut Option<Follower>,
) -> Result<(), String> {
    let network = service.network();
    let key = log_key(&network, origin).ok_or("it is no member any more")?;
    // The copy is opened and served, also while nobody knows where its original is.
    let (node, its_key) = (service.node.clone(), key.clone());
    let log = tokio::task::spawn_blocking(move || node.mirror().follow(its_key)).await;
    let log = log.map_err(|e| e.to_string())?.map_err(|e| with_causes(&e))?;
    let urls = service.addresses.urls(&network, &service.config, origin);
    let url = urls.first().ok_or("no address known")?;
    let mut follows = follower.take().unwrap_or_else(|| Follower::new(log.clone()));
    let token = service.replication_token(origin);
    let mut next = Some(follows.begin());
    let mut ended = Ok(());
    while let Some(ask) = next {
        let heard = match fetch(service, url, ask, token.as_deref()).await {
            Ok(heard) => heard,
            Err(reason) => {
                ended = Err(reason);
                break;
            }
        };
        let work = move || {
            let progress = follows.heard(heard);
            (follows, progress)
        };
        let (back, progress) =
            tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())?;
        follows = back;
        let progress = match progress {
            Ok(progress) => progress,
            Err(error) => {
                if error.is_final() {
                    service.node.log().fail(with_causes(&error));
                }
                ended = Err(with_causes(&error));
                break;
            }
        };
        next = progress.ask;
        if progress.is_new {
            cosign(service, &log, &key).await;
        }
        told(service, progress.grown, progress.kept);
    }
    *follower = Some(follows);
    if ended.is_ok() {
        service.health.peer(origin, None);
    }
    ended
}

/// What a step of following a log brought.
fn told(service: &Arc<Service>, grown: bool, kept: Vec<Vec<u8>>) {
    if grown {
        metrics::counter!("hallmark_mirror_checkpoints_total").increment(1);
    }
    if !kept.is_empty() {
        metrics::counter!("hallmark_mirror_bodies_total").increment(kept.len() as u64);
    }
    if grown || !kept.is_empty() {
        service.evidence_changed.notify_one();
    }
    kept.iter().filter_map(|body| Envelope::parse(body).ok()).for_each(|one| service.learn(one));
}

/// Asks the peer for what the follower wants.
async fn fetch(
    service: &Service,
    url: &str,
    ask: Ask,
    token: Option<&str>,
) -> Result<Heard, String> {
    match ask {
        Ask::Checkpoint => {
            let answer = service.client.get(&format!("{url}/log/checkpoint")).await;
            let answer = answer.map_err(|e| with_causes(&e))?;
            if answer.status != 200 {
                return Err(format!("{url}/log/checkpoint answers {}", answer.status));
            }
            Ok(Heard::Checkpoint(answer.body))
        }
        Ask::Bundle(path) => Ok(Heard::Bundle(fetch_tile(service, url, path).await?)),
        Ask::Bodies(ids) => {
            let answers = futures_util::stream::iter(
                ids.into_iter()
                    .map(|id| async move { (id, fetch_body(service, url, &id, token).await) }),
            );
            let answers: Vec<_> = answers.buffered(BODIES_AT_ONCE).collect().await;
            let bodies = answers.into_iter().map(|(id, answer)| Ok((id, answer?)));
            Ok(Heard::Bodies(bodies.collect::<Result<_, String>>()?))
        }
    }
}

/// A partial tile may be gone once the full one exists: then that one, which holds more.
async fn fetch_tile(service: &Service, url: &str, path: TilePath) -> Result<Vec<u8>, String> {
    let mut status = 0;
    for path in [path, path.full()] {
        let answer = service.client.get(&format!("{url}/log/{path}")).await;
        let answer = answer.map_err(|e| with_causes(&e))?;
        if answer.status == 200 {
            return Ok(answer.body);
        }
        status = answer.status;
        if path.is_full() {
            break;
        }
    }
    Err(format!("{url}/log/{path} answers {status}"))
}

/// What is mirrored is consistent by construction: cosign it, so that the guard finds us.
async fn cosign(service: &Arc<Service>, log: &Arc<MirroredLog>, key: &VerifierKey) {
    let (service, log, key) = (Arc::clone(service), log.clone(), key.clone());
    let work = move || {
        let Some(note) = log.checkpoint() else { return };
        let now = (service.clock)();
        let prove = |old, new| log.consistency_proof(old, new).ok();
        let word = service.witness.cosign_held(&key, &note, now, prove);
        if let Err(error) = service.heeded(word) {
            warn!(origin = log.origin(), error = %with_causes(&error), "mirrored log not cosigned");
        }
    };
    let _ = tokio::task::spawn_blocking(work).await;
}

/// Some(body), or None where the peer does not give it to us.
async fn fetch_body(
    service: &Service,
    url: &str,
    id: &ContentId,
    token: Option<&str>,
) -> Result<Option<Vec<u8>>, String> {
    let url = format!("{url}/v1/attestations/{id}");
    let ask = Request { accept: Some("application/cose"), token, ..Request::default() };
    let mut answer = service.client.ask(&url, ask).await.map_err(|e| with_causes(&e))?;
    if answer.status == 401 {
        // The peer does not know us yet: what is public it gives to anyone.
        let ask = Request { token: None, ..ask };
        answer = service.client.ask(&url, ask).await.map_err(|e| with_causes(&e))?;
    }
    match answer.status {
        200 if ContentId::of(&answer.body) == *id => Ok(Some(answer.body)),
        200 => Err(format!("{url} answers with another body")),
        401 | 403 | 404 | 410 => Ok(None),
        status => Err(format!("{url} answers {status}")),
    }
}
