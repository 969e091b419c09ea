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
use hallmark_schemas::entry::Entry;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{SignedNote, VerifierKey};
use hallmark_schemas::tile::TilePath;
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::api::problem::with_causes;
use crate::client::Ask;
use crate::mirror::MirroredLog;
use crate::service::Service;

pub mod address;
mod sealed;

/// Bodies asked for at once from one peer.
const BODIES_AT_ONCE: usize = 16;
/// Bodies of one group commit.
const BODIES_BATCH: usize = 256;
/// Most bodies of one log that are remembered as not given.
const LACKING_MAX: usize = 100_000;
/// Longest wait before a silent peer is asked again.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// The key that signs checkpoints of this log, as the network file states it.
pub fn log_key(network: &NetworkFile, origin: &str) -> Option<VerifierKey> {
    Some(network.network().member_of_origin(origin)?.log_key.clone())
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
    let mut lacking = Lacking::default();
    loop {
        match poll(&service, &origin, &mut lacking).await {
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

/// Bodies that the peer did not give when last asked: not asked for at each beat.
#[derive(Default)]
struct Lacking {
    beat: u64,
    /// The beat from which a body is asked for again, and how long we wait after that.
    refused: HashMap<ContentId, (u64, u64)>,
    /// The size up to which all was asked for, and the next beat at which something is due.
    asked: Option<(u64, u64)>,
}

impl Lacking {
    fn skips(&self, id: &ContentId) -> bool {
        self.refused.get(id).is_some_and(|(until, _)| self.beat < *until)
    }

    /// Asked again after 2, 4, 8 … 1,024 beats.
    fn refuse(&mut self, id: ContentId) {
        if LACKING_MAX <= self.refused.len() && !self.refused.contains_key(&id) {
            self.refused.clear();
        }
        let step = self.refused.get(&id).map_or(2, |(_, step)| (step * 2).min(1024));
        self.refused.insert(id, (self.beat + step, step));
    }

    /// Whether there is anything to ask for at this beat in a log of `size` entries.
    fn is_idle(&self, size: u64) -> bool {
        self.asked.is_some_and(|(asked, due)| asked == size && self.beat < due)
    }

    fn rest(&mut self, size: u64) {
        let beat = self.beat;
        self.refused.retain(|_, (until, _)| beat <= *until);
        let due = self.refused.values().map(|(until, _)| *until).min();
        self.asked = Some((size, due.unwrap_or(beat + 60)));
    }
}

/// One round: checkpoint, entries, bodies.
async fn poll(service: &Arc<Service>, origin: &str, lacking: &mut Lacking) -> Result<(), String> {
    let network = service.network();
    let key = log_key(&network, origin).ok_or("it is no member any more")?;
    // The copy is opened and served, also while nobody knows where its original is.
    let (node, its_key) = (service.node.clone(), key.clone());
    let log = tokio::task::spawn_blocking(move || node.mirror().follow(its_key)).await;
    let log = log.map_err(|e| e.to_string())?.map_err(|e| with_causes(&e))?;
    let urls = service.addresses.urls(&network, &service.config, origin);
    let url = urls.first().ok_or("no address known")?;
    let answer = service.client.get(&format!("{url}/log/checkpoint")).await;
    let answer = answer.map_err(|e| with_causes(&e))?;
    if answer.status != 200 {
        return Err(format!("{url}/log/checkpoint answers {}", answer.status));
    }
    let note = SignedNote::parse(&answer.body).map_err(|e| with_causes(&e))?;
    match log.checkpoint() {
        Some(held) if *held == note => {}
        Some(held) if held.text() == note.text() => {
            let renewed = log.clone();
            let taken = tokio::task::spawn_blocking(move || renewed.renew(&note)).await;
            taken.map_err(|e| e.to_string())?.map_err(|e| with_causes(&e))?;
        }
        _ => {
            grow(service, url, &log, note).await?;
            cosign(service, &log, &key).await;
        }
    }
    service.health.peer(origin, None);
    fetch_bodies(service, url, &log, lacking).await
}

/// Takes over a newer checkpoint: entry bundles, the rebuilt tree, then the note.
async fn grow(
    service: &Arc<Service>,
    url: &str,
    log: &Arc<MirroredLog>,
    note: SignedNote,
) -> Result<(), String> {
    let followed = log.clone();
    let growth = tokio::task::spawn_blocking(move || followed.grow(note)).await;
    let growth = growth.map_err(|e| e.to_string())?.map_err(|e| with_causes(&e))?;
    let Some(mut growth) = growth else {
        return Ok(());
    };
    while let Some(path) = growth.wants() {
        let bundle = fetch_tile(service, url, path).await?;
        growth.feed(&bundle).map_err(|e| with_causes(&e))?;
    }
    let committed = tokio::task::spawn_blocking(move || growth.commit()).await;
    committed.map_err(|e| e.to_string())?.map_err(|e| with_causes(&e))?;
    metrics::counter!("hallmark_mirror_checkpoints_total").increment(1);
    service.evidence_changed.notify_one();
    Ok(())
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
        if let Err(error) = service.witness.cosign_held(&key, &note, now, prove) {
            warn!(origin = log.origin(), error = %with_causes(&error), "mirrored log not cosigned");
        }
    };
    let _ = tokio::task::spawn_blocking(work).await;
}

/// Fetches the bodies that are wanted and may be had, a batch at a time.
async fn fetch_bodies(
    service: &Arc<Service>,
    url: &str,
    log: &Arc<MirroredLog>,
    lacking: &mut Lacking,
) -> Result<(), String> {
    lacking.beat += 1;
    let size = log.head().size;
    if lacking.is_idle(size) {
        return Ok(());
    }
    let token = service.replication_token(log.origin());
    let mut after = 0;
    loop {
        let from = log.clone();
        let wanted = tokio::task::spawn_blocking(move || from.wanted(after, BODIES_BATCH)).await;
        let wanted = wanted.map_err(|e| e.to_string())?.map_err(|e| with_causes(&e))?;
        let Some((last, _)) = wanted.last() else {
            lacking.rest(size);
            return Ok(());
        };
        after = last + 1;
        let ids = wanted.iter().map(|(_, entry): &(u64, Entry)| entry.id);
        let asked: Vec<ContentId> = ids.filter(|id| !lacking.skips(id)).collect();
        let answers = futures_util::stream::iter(asked.into_iter().map(|id| {
            let token = token.as_deref();
            async move { (id, fetch_body(service, url, &id, token).await) }
        }));
        let answers: Vec<_> = answers.buffered(BODIES_AT_ONCE).collect().await;
        let mut bodies = Vec::new();
        for (id, answer) in answers {
            match answer? {
                Some(body) => bodies.push(body),
                None => lacking.refuse(id),
            }
        }
        keep(service, log, bodies).await?;
    }
}

/// Some(body), or None where the peer does not give it to us.
async fn fetch_body(
    service: &Service,
    url: &str,
    id: &ContentId,
    token: Option<&str>,
) -> Result<Option<Vec<u8>>, String> {
    let url = format!("{url}/v1/attestations/{id}");
    let ask = Ask { accept: Some("application/cose"), token, ..Ask::default() };
    let mut answer = service.client.ask(&url, ask).await.map_err(|e| with_causes(&e))?;
    if answer.status == 401 {
        // The peer does not know us yet: what is public it gives to anyone.
        let ask = Ask { token: None, ..ask };
        answer = service.client.ask(&url, ask).await.map_err(|e| with_causes(&e))?;
    }
    match answer.status {
        200 if ContentId::of(&answer.body) == *id => Ok(Some(answer.body)),
        200 => Err(format!("{url} answers with another body")),
        401 | 403 | 404 => Ok(None),
        status => Err(format!("{url} answers {status}")),
    }
}

/// Makes bodies durable, then learns addresses from them.
async fn keep(
    service: &Arc<Service>,
    log: &Arc<MirroredLog>,
    bodies: Vec<Vec<u8>>,
) -> Result<(), String> {
    if bodies.is_empty() {
        return Ok(());
    }
    let (service, log) = (Arc::clone(service), log.clone());
    let work = move || {
        let envelopes: Vec<_> =
            bodies.iter().filter_map(|body| Envelope::parse(body).ok()).collect();
        let kept = log.put_bodies(&bodies).map_err(|e| with_causes(&e))?;
        for envelope in envelopes {
            service.learn(envelope);
        }
        metrics::counter!("hallmark_mirror_bodies_total").increment(kept as u64);
        service.evidence_changed.notify_one();
        Ok(())
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| e.to_string())?
}
