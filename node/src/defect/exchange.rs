//! Defect proofs that members keep, for whoever was away when they were gossiped or hears no gossip.
//!
//! Invariants: what is fetched counts as a gossiped proof does; each member is asked in its turn, and
//! for a bounded number of proofs at a time; a proof is fetched once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallmark_schemas::audience::Audience;
use hallmark_schemas::defect::DefectProof;
use hallmark_schemas::hex;
use tokio::sync::watch;

use super::{may_be_gossiped, shows_only, take_in};
use crate::net::gossip::proved;
use crate::peers::road::Road;
use crate::service::Service;
use crate::store::StoreError;

/// How often a member is asked that gossips: it tells of what is new by itself.
const CONNECTED_EVERY: Duration = Duration::from_secs(600);
/// How often one is asked that is reached by HTTP alone, or did not answer.
const HTTP_EVERY: Duration = Duration::from_secs(30);
/// Longest that one member's turn takes: a slow one keeps nobody from the proofs of the others. What it
/// gave until then is kept, and the rest asked for in its next turn.
const ASK_WAIT_MAX: Duration = Duration::from_secs(20);
/// Most proofs that a member is asked for in its turn.
const AT_ONCE: usize = 64;
/// Most proofs that are remembered as fetched.
const FETCHED_MAX: usize = 4096;

/// The files of the proofs kept here about followed logs, by the hex digest of the proof.
fn kept(service: &Service) -> Result<BTreeMap<String, PathBuf>, StoreError> {
    let mut kept = BTreeMap::new();
    for log in service.node.mirror().logs() {
        for path in log.defects()? {
            let name = path.file_stem().and_then(|stem| stem.to_str());
            if let Some((_, digest)) = name.and_then(|name| name.rsplit_once('-')) {
                kept.insert(digest.to_owned(), path);
            }
        }
    }
    Ok(kept)
}

/// Their digests, one a line.
pub(crate) fn list(service: &Service) -> Result<String, StoreError> {
    Ok(kept(service)?.into_keys().map(|digest| digest + "\n").collect())
}

/// A proof kept here, if this asker may see all that it is shown with, and whether anyone may.
pub(crate) fn proof(
    service: &Service,
    digest: &str,
    is_member: bool,
) -> Result<Option<(Vec<u8>, bool)>, StoreError> {
    let Some(path) = kept(service)?.remove(digest) else { return Ok(None) };
    let bytes = std::fs::read(path).unwrap_or_default();
    let Ok(proof) = DefectProof::parse(&bytes) else { return Ok(None) };
    let is_public = shows_only(proof.claim(), |audience| *audience == Audience::Public);
    let may_see = is_public || (is_member && may_be_gossiped(proof.claim()));
    Ok(may_see.then_some((bytes, is_public)))
}

/// Who was asked, and what was fetched.
#[derive(Default)]
struct Asked {
    /// By origin: when it is asked again, and whether it was connected.
    members: BTreeMap<String, (Instant, bool)>,
    fetched: BTreeSet<String>,
}

impl Asked {
    fn is_due(&self, road: &Road<'_>, now: Instant) -> bool {
        self.members.get(&road.name()).is_none_or(|(next, was_connected)| {
            *next <= now || (road.is_connected() && !was_connected)
        })
    }
}

/// Asks every other member for the proofs that it keeps, when it is reached and then now and again,
/// until `stop`.
pub(crate) async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut beat = tokio::time::interval(service.config.peers.poll_every);
    let mut asked = Asked::default();
    loop {
        let round = async {
            beat.tick().await;
            ask_all(&service, &mut asked).await;
        };
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            () = round => {}
        }
    }
}

async fn ask_all(service: &Arc<Service>, asked: &mut Asked) {
    let network = service.network();
    for member in &network.network().members {
        if member.origin == service.config.origin {
            continue;
        }
        let Some(road) = Road::to(service, &member.origin) else { continue };
        let now = Instant::now();
        if !asked.is_due(&road, now) {
            continue;
        }
        let answering = ask(service, &road, &mut asked.fetched);
        let answered = tokio::time::timeout(ASK_WAIT_MAX, answering).await;
        let answered = answered.unwrap_or_else(|_| Err("it takes too long".to_owned()));
        let every = match &answered {
            Ok(()) if road.is_connected() => CONNECTED_EVERY,
            _ => HTTP_EVERY,
        };
        if let Err(reason) = answered {
            tracing::debug!(origin = member.origin, reason, "not asked for defect proofs");
        }
        asked.members.insert(member.origin.clone(), (now + every, road.is_connected()));
    }
}

/// Fetches what this member keeps and is not known here, and takes it in.
async fn ask(
    service: &Arc<Service>,
    road: &Road<'_>,
    fetched: &mut BTreeSet<String>,
) -> Result<(), String> {
    let reply = road.defects().await?;
    if reply.status != 200 {
        return Err(format!("it answers {}", reply.status));
    }
    let reading = Arc::clone(service);
    let kept = tokio::task::spawn_blocking(move || kept(&reading)).await;
    let kept = kept.map_err(|e| e.to_string())?.map_err(|e| e.to_string())?;
    let listed = String::from_utf8_lossy(&reply.body);
    let unknown = listed.lines().filter(|digest| {
        let is_digest = hex::decode_array::<32>(digest).is_some();
        is_digest && !kept.contains_key(*digest) && !fetched.contains(*digest)
    });
    let unknown: Vec<String> = unknown.take(AT_ONCE).map(str::to_owned).collect();
    for digest in unknown {
        let reply = road.defect(&digest).await?;
        match reply.status {
            200 => {
                let taking = Arc::clone(service);
                let take = move || match proved(&taking, &reply.body) {
                    Ok((_, proof)) => take_in(&taking, proof).map(|()| None),
                    Err(verdict) => Ok(verdict.fault),
                };
                let taken = tokio::task::spawn_blocking(take).await.map_err(|e| e.to_string())?;
                if let Some((_, what)) = taken.map_err(|e| e.to_string())? {
                    road.lied(&what);
                }
            }
            401 | 403 | 404 => {}
            status => return Err(format!("it answers {status}")),
        }
        if FETCHED_MAX <= fetched.len() {
            fetched.clear();
        }
        fetched.insert(digest);
    }
    Ok(())
}
