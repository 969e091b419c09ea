//! Following the members' logs: checkpoint, entries, bodies, network file. A gossiped checkpoint
//! begins a round at once; without gossip each log is asked at every beat.
//!
//! Invariants: nothing of a peer is believed that its log's signature, the tree's hashes or the
//! body's own id do not prove; a peer that is away or lies stops nothing but its own mirror; what
//! is in flight is bounded.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, join, ready, select};
use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{SignedNote, VerifierKey};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::api::problem::with_causes;
use crate::demand;
use crate::mirror::{MirrorError, MirroredLog};
use crate::net::roster::Fault;
use crate::service::Service;

use follower::{Ask, FollowError, Follower, Heard};
use road::Road;

pub mod address;
pub mod catch_up;
pub mod follower;
pub mod heard;
pub mod road;
mod sealed;
pub mod view;

/// Bodies asked for at once from one peer.
const BODIES_AT_ONCE: usize = 16;
/// How often a peer that gossips is asked whether there is more.
const GOSSIPED_BEAT: Duration = Duration::from_secs(5);
/// So long whoever is asked is waited for, whatever is heard meanwhile.
const SILENT_WAIT_MAX: Duration = Duration::from_secs(3);
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
    let mut offered = Vec::new();
    for member in &service.network().network().members {
        if let Some(road) = Road::to(service, &member.origin).filter(Road::is_connected)
            && let Ok(reply) = road.network().await
        {
            offered.push((member.origin.clone(), reply.status, reply.body));
        }
    }
    for url in service.addresses.known_urls(&service.network(), &service.config.origin) {
        if let Ok(answer) = service.client.get(&format!("{url}/network.hallmark")).await {
            offered.push((url, answer.status, answer.body));
        }
    }
    for (url, status, body) in offered {
        let Ok(file) = NetworkFile::parse(&body) else {
            continue;
        };
        if status != 200 || file.network().version <= service.network().network().version {
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

/// Follows one log for ever.
async fn follow(service: Arc<Service>, origin: String) {
    let every = service.config.peers.poll_every;
    let mut wait = every;
    let (mut follower, mut holders) = (None, Holders::default());
    loop {
        match poll(&service, &origin, &mut follower, &mut holders).await {
            // Gossip tells of what is new; a beat only finds what gossip lost.
            Ok(true) => wait = every.max(GOSSIPED_BEAT),
            Ok(false) => wait = every,
            Err(reason) => {
                debug!(origin, reason, "peer not followed");
                service.health.peer(&origin, Some(&reason));
                wait = (wait.max(every) * 2).min(BACKOFF_MAX.max(every));
            }
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = service.heard.wait(&origin) => {}
            () = service.addresses.changed() => wait = every,
        }
    }
}

/// Why a round ended early.
enum Ended {
    /// Whoever was asked does not answer, or has it not.
    Unreached(String),
    /// What it answered is refuted, or our own disk failed.
    Refuted(String),
    /// Whoever was asked is silent, and meanwhile there is news.
    Overtaken,
}

/// Who of the holders of a log answered last.
#[derive(Default)]
struct Holders {
    connected: BTreeSet<String>,
    /// The place of the holder that answered the last round.
    answered: usize,
    /// One before it answered then.
    nearer: bool,
}

impl Holders {
    /// Whether one may give now what nobody gave before: it is connected again, or answers again.
    fn gained(&mut self, roads: &[Road<'_>]) -> bool {
        let connected = roads.iter().filter(|road| road.is_connected());
        let connected: BTreeSet<String> = connected.map(|road| road.name().to_owned()).collect();
        let is_gained = !connected.is_subset(&self.connected);
        self.connected = connected;
        std::mem::take(&mut self.nearer) || is_gained
    }

    /// The keeper is in place 0, and the others are asked only where it does not answer.
    fn answered(&mut self, place: usize) {
        self.nearer = place < self.answered;
        self.answered = place;
    }
}

/// One round with its keeper or, where that is away, with another holder. True if whoever was asked
/// is connected, so that it gossips.
async fn poll(
    service: &Arc<Service>,
    origin: &str,
    follower: &mut Option<Follower>,
    holders: &mut Holders,
) -> Result<bool, String> {
    let network = service.network();
    let key = log_key(&network, origin).ok_or("it is no member any more")?;
    // The copy is opened and served, also while nobody knows where its original is.
    let node = service.node.clone();
    let log = tokio::task::spawn_blocking(move || node.mirror().follow(key)).await;
    let log = log.map_err(|e| e.to_string())?.map_err(|e| with_causes(&e))?;
    let roads = Road::holders(service, origin);
    let mut follows = follower.take().unwrap_or_else(|| Follower::new(log));
    if holders.gained(&roads) {
        follows.ask_again();
    }
    // What is gossiped may be old, or of another history: it is looked at, and the keeper asked.
    let mut is_current = false;
    for note in service.heard.take(origin) {
        let Some((road, others)) = roads.split_first() else { break };
        let (back, result) = round(service, origin, (road, others), follows, Some(note)).await?;
        (follows, is_current) = (back, result.is_ok());
    }
    if is_current {
        *follower = Some(follows);
        service.health.peer(origin, None);
        return Ok(roads.first().is_some_and(Road::is_connected));
    }
    let mut ended = Err("no address known".to_owned());
    for (place, road) in roads.iter().enumerate() {
        let asked = (road, &roads[place + 1..]);
        let (back, result) = round(service, origin, asked, follows, None).await?;
        follows = back;
        match result {
            Ok(()) => {
                ended = Ok(road.is_connected());
                service.health.peer(origin, None);
                holders.answered(place);
                break;
            }
            Err(Ended::Refuted(reason)) => {
                ended = Err(reason);
                break;
            }
            Err(Ended::Overtaken) => {
                ended = Ok(false);
                break;
            }
            // What the keeper says of itself is the reason that is told.
            Err(Ended::Unreached(reason)) if place == 0 => ended = Err(reason),
            Err(Ended::Unreached(_)) => {}
        }
    }
    *follower = Some(follows);
    if ended.is_err() {
        holders.answered(usize::MAX);
    }
    ended
}

/// Checkpoint, entries, bodies, as the follower asks for them.
async fn round(
    service: &Arc<Service>,
    origin: &str,
    (road, others): (&Road<'_>, &[Road<'_>]),
    mut follows: Follower,
    gossiped: Option<Vec<u8>>,
) -> Result<(Follower, Result<(), Ended>), String> {
    let log = Arc::clone(follows.log());
    let mut given = gossiped.map(Heard::Checkpoint);
    let mut coming = None;
    let mut next = Some(follows.begin());
    while let Some(ask) = next {
        let began = Instant::now();
        let heard = match given.take() {
            Some(heard) => heard,
            None => {
                let asked = coming.take().filter(|(ahead, _)| *ahead == ask);
                let fetched = asked.map(|(_, fetched)| fetched);
                let fetched = fetched.unwrap_or_else(|| fetch(road, others, &log, ask).boxed());
                match unless_news(service, origin, fetched).await {
                    Ok(heard) => heard,
                    Err(ended) => return Ok((follows, Err(ended))),
                }
            }
        };
        if let Some(reason) = too_long(service, &heard) {
            return Ok((follows, Err(Ended::Refuted(reason))));
        }
        let (bytes, ahead) = (heard.bytes(), follows.ahead());
        let work = tokio::task::spawn_blocking(move || {
            let progress = follows.heard(heard);
            (follows, progress)
        });
        // What comes next is on its way while this is worked off.
        let begun = ahead.map(|ask| (ask.clone(), fetch(road, others, &log, ask).boxed()));
        let worked;
        (worked, coming) = beside(work, begun).await;
        let (back, progress) = worked.map_err(|e| e.to_string())?;
        follows = back;
        let progress = match progress {
            Ok(progress) => progress,
            Err(error) => {
                if error.is_final() {
                    service.node.log().fail(with_causes(&error));
                }
                hold_against(service, road, origin, &error);
                return Ok((follows, Err(Ended::Refuted(with_causes(&error)))));
            }
        };
        next = progress.ask;
        if progress.is_new {
            let key = log.log_key().clone();
            cosign(service, &log, &key).await;
        }
        let came = progress.kept.iter().map(|body| ContentId::of(body)).collect();
        told(service, progress.grown, progress.kept);
        demand::close_met(service, origin, came).await;
        service.catch_up.after(service.node.is_taking_in(), bytes, began.elapsed()).await;
    }
    tracing::trace!(origin, "followed");
    Ok((follows, Ok(())))
}

/// Why a log with this checkpoint is not followed to it: nobody can tell before the end whether it
/// has so many entries, and they would fill the disk.
fn too_long(service: &Service, heard: &Heard) -> Option<String> {
    let Heard::Checkpoint(bytes) = heard else { return None };
    let size = SignedNote::parse(bytes).ok()?.checkpoint().ok()?.size;
    let max = service.config.peers.log_entries_max;
    (max < size).then(|| {
        format!("its checkpoint states {size} entries, more than peers.log_entries_max, {max}")
    })
}

/// What is being fetched.
type Fetched<'a> = BoxFuture<'a, Result<Heard, String>>;

/// Waits for the work, while what was asked for goes on.
async fn beside<'a, W: Future + Unpin>(
    work: W,
    begun: Option<(Ask, Fetched<'a>)>,
) -> (W::Output, Option<(Ask, Fetched<'a>)>) {
    let Some((ask, fetched)) = begun else { return (work.await, None) };
    match select(work, fetched).await {
        Either::Left((done, fetched)) => (done, Some((ask, fetched))),
        Either::Right((heard, work)) => (work.await, Some((ask, ready(heard).boxed()))),
    }
}

/// Counts what refutes whoever was asked, or the keeper of the log.
fn hold_against(service: &Service, road: &Road<'_>, origin: &str, error: &FollowError) {
    use MirrorError::{Bundle, Equivocation, OtherRoot, Rewritten};
    match error {
        FollowError::OtherBody { .. } | FollowError::Note(_) => road.lied(&with_causes(error)),
        FollowError::Mirror(Bundle { .. }) => road.lied(&with_causes(error)),
        // Another holder may have the history that was signed first.
        FollowError::Mirror(OtherRoot { .. } | Rewritten { .. }) if road.name() == origin => {
            road.lied(&with_causes(error));
        }
        FollowError::Mirror(Equivocation { .. }) => {
            if let Some(net) = service.net.get() {
                net.accuse_keeper(origin, Fault::Equivocated, with_causes(error));
            }
        }
        _ => {}
    }
}

/// What is fetched, unless whoever is asked was silent for a while and there is news: of the log, or
/// of where nodes are. Then the round begins anew with what is known now.
async fn unless_news(
    service: &Service,
    origin: &str,
    fetched: impl Future<Output = Result<Heard, String>>,
) -> Result<Heard, Ended> {
    let news = async {
        tokio::select! {
            () = service.heard.wait(origin) => {}
            () = service.addresses.changed() => {}
        }
    };
    tokio::select! {
        fetched = fetched => fetched.map_err(Ended::Unreached),
        _ = join(news, tokio::time::sleep(SILENT_WAIT_MAX)) => Err(Ended::Overtaken),
    }
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

/// Asks a holder of the log for what the follower wants, and others for bodies that it has not.
async fn fetch(
    road: &Road<'_>,
    others: &[Road<'_>],
    log: &MirroredLog,
    ask: Ask,
) -> Result<Heard, String> {
    let origin = log.origin();
    match ask {
        Ask::Checkpoint => {
            let ours = log.checkpoint();
            let size = |note: &SignedNote| note.checkpoint().map_or(0, |stated| stated.size);
            let least = ours.as_ref().filter(|_| road.name() == origin);
            let reply = road.checkpoint(origin, least.map_or(0, |ours| size(ours))).await?;
            if reply.status != 200 {
                return Err(format!("{} answers {} to {origin}", road.name(), reply.status));
            }
            // A copy may be behind ours: then it is asked for bodies alone.
            let ours = ours.filter(|_| road.name() != origin);
            let theirs = SignedNote::parse(&reply.body).map_or(0, |note| size(&note));
            match ours {
                Some(ours) if theirs <= size(&ours) => {
                    Ok(Heard::Checkpoint(ours.to_string().into_bytes()))
                }
                _ => Ok(Heard::Checkpoint(reply.body)),
            }
        }
        Ask::Bundle(path) => Ok(Heard::Bundle(road.tile(origin, path).await?)),
        Ask::Bodies(ids) => {
            let mut bodies = road.bodies(ids).await?;
            for other in others.iter().filter(|other| other.is_connected()) {
                let lacking = |(_, body): &&mut (ContentId, Option<Vec<u8>>)| body.is_none();
                let missing: Vec<_> = bodies.iter_mut().filter(lacking).collect();
                if missing.is_empty() {
                    break;
                }
                let ids = missing.iter().map(|(id, _)| *id).collect();
                let Ok(found) = other.bodies(ids).await else { continue };
                for (place, (id, body)) in missing.into_iter().zip(found) {
                    // What another gives wrongly is not held against the keeper.
                    place.1 = body.filter(|body| ContentId::of(body) == id);
                }
            }
            Ok(Heard::Bodies(bodies))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_that_answers_again_may_give_what_the_others_had_not() {
        let mut holders = Holders::default();
        let mut gained = |answered: usize| {
            holders.answered(answered);
            holders.gained(&[])
        };
        // The keeper, then another where it does not answer, then nobody, then the keeper again.
        let told = [0, 0, 2, usize::MAX, 1, 1, 0, 0].map(&mut gained);
        assert_eq!(told, [false, false, false, false, true, false, true, false]);
    }
}
