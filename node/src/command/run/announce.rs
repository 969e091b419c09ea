//! Where this node answers, told to the network when it changes: a `node` attestation in the own
//! log and at every known peer; a registrar also renews its line in the network file.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hallmark_schemas::attestation::Envelope;
use hallmark_schemas::audience::Audience;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::node::Node as Addresses;
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::Member;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::admission::{AdmitError, Admitted};
use crate::api::problem::with_causes;
use crate::command::init::{capture_file, network_version};
use crate::command::network::make::next_version;
use crate::command::network::take_turn;
use crate::core::Signing;
use crate::peers::road::Road;
use crate::service::Service;
use crate::sign::Statement;

/// Pause between two rounds of telling peers that did not answer.
const RETRY_WAIT: Duration = Duration::from_secs(1);
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often it is looked whether others hold other addresses for ours.
const CONTESTED_LOOK: Duration = Duration::from_secs(1);
/// Pause before they are attested again: longer than it takes to find out that the other process has
/// signed more, and this one signs nothing.
const CONTESTED_WAIT: Duration = Duration::from_secs(15);
/// How long a registrar's start waits for its own renewed network file.
const RENEW_WAIT_MAX: Duration = Duration::from_secs(5);

/// Where this node answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Own {
    /// HTTP.
    pub(super) url: String,
    /// libp2p.
    pub(super) multiaddrs: Vec<String>,
}

/// Announces it once the organisation is admitted and the genesis is stored.
pub(super) async fn run(service: Arc<Service>, own: Own, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = crate::peers::stopped(&mut stop) => {}
        () = announce(&service, &own) => {}
    }
}

/// Before the node says that it is ready: whoever is given the network file then finds it by it.
pub(super) async fn renew_first(service: &Arc<Service>, own: &Own) {
    let renewed = async {
        while !service.founded.load(Ordering::Acquire) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        renew_network(service, own).await;
    };
    // A registrar that cannot (a key kept offline, a log that waits) is ready all the same.
    let can = service.organisation.is_some() && !is_read_only(service);
    if can && tokio::time::timeout(RENEW_WAIT_MAX, renewed).await.is_err() {
        warn!("the network file does not name the new address yet");
    }
}

/// Announces the addresses, and again whenever others hold another process's for ours: one that ran
/// on a copy of this folder and is gone.
async fn announce(service: &Arc<Service>, own: &Own) {
    loop {
        tokio::select! {
            () = announce_once(service, own) => {}
            () = contested(service, own) => {}
        }
        tokio::time::sleep(CONTESTED_WAIT).await;
    }
}

/// Returns once this organisation has attested other addresses than those, after it attested them.
async fn contested(service: &Service, own: &Own) {
    let said = (own.url.clone(), own.multiaddrs.clone());
    let mut was_said = false;
    loop {
        let attested = service.addresses.attested(&service.config.org);
        let is_said = attested.is_some_and(|(urls, at)| urls == [said.0.as_str()] && at == said.1);
        if was_said && !is_said {
            return;
        }
        was_said |= is_said;
        tokio::time::sleep(CONTESTED_LOOK).await;
    }
}

/// Attests them, if they are new, and tells others for ever; nothing more of a log that is read-only.
async fn announce_once(service: &Arc<Service>, own: &Own) {
    while !service.may_announce() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    if is_read_only(service) {
        info!("the log is read-only: the addresses of this node are not attested");
        return std::future::pending().await;
    }
    let said = (vec![own.url.clone()], own.multiaddrs.clone());
    let mut stored = None;
    while stored.is_none() {
        let known = service.addresses.attested(&service.config.org);
        stored = match attest(service, own, known.as_ref() != Some(&said)).await {
            Ok(stored) => Some(stored),
            Err(reason) => {
                warn!(reason, "cannot attest the addresses of this node");
                tokio::time::sleep(RETRY_WAIT).await;
                None
            }
        };
    }
    match stored {
        Some(Some(stored)) => tell(service, &stored).await,
        _ => std::future::pending().await,
    }
}

/// Nothing can be logged then.
fn is_read_only(service: &Service) -> bool {
    matches!(service.node.log().signing(), Signing::ReadOnly { .. })
}

/// The stored bytes of a fresh attestation; None where the known one still holds.
async fn attest(
    service: &Arc<Service>,
    own: &Own,
    changed: bool,
) -> Result<Option<Vec<u8>>, String> {
    if !changed {
        return Ok(None);
    }
    let now = (service.clock)();
    let (urls, multiaddrs) = (vec![own.url.clone()], own.multiaddrs.clone());
    // Later than what holds now, whatever the clock says that said it.
    let held_at = service.addresses.attested_at(&service.config.org);
    let from_at = held_at.and_then(|at| at.checked_add_ms(1)).map_or(now, |at| at.max(now));
    let body = Addresses { from_at, urls, multiaddrs };
    let sub = Subject::Org(service.config.org.clone());
    let statement = Statement::of(Body::Node(body), sub, Audience::Public);
    let envelope = statement
        .sign(&service.config, now, service.capture.as_ref())
        .map_err(|e| e.to_string())?;
    // Deferred is as good: kept here until the capture device is known, by peers as long.
    admit_patiently(service, &envelope).await?;
    info!(url = own.url, multiaddrs = ?own.multiaddrs, "attested the addresses of this node");
    Ok(Some(envelope.stored().to_vec()))
}

/// Hands it to every known peer, until each has it.
async fn tell(service: &Arc<Service>, stored: &[u8]) {
    let device = std::fs::read(capture_file(&Dir::new(&service.dir))).unwrap_or_default();
    let mut told = BTreeSet::new();
    let mut wait = RETRY_WAIT;
    loop {
        for road in roads(service) {
            let name = road.name();
            if told.contains(&name) {
                continue;
            }
            if road.submit(&device).await && road.submit(stored).await {
                told.insert(name);
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(RETRY_WAIT_MAX);
    }
}

/// To each other member, and to the nodes that the configuration names by their URL alone.
fn roads(service: &Service) -> Vec<Road<'_>> {
    let network = service.network();
    let members = network.network().members.iter().map(|member| &member.origin);
    let others = members.filter(|origin| **origin != service.config.origin);
    let mut roads: Vec<_> = others.filter_map(|origin| Road::to(service, origin)).collect();
    let bare = service.addresses.bare_urls();
    roads.extend(bare.iter().map(|url| Road::by_url(service, url)));
    roads
}

/// Admission, again while the node is only busy.
async fn admit_patiently(service: &Service, envelope: &Envelope) -> Result<Admitted, String> {
    loop {
        match service.admit_own(envelope.clone()).await {
            Ok(admitted) => return Ok(admitted),
            Err(AdmitError::Busy { .. }) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(AdmitError::Full { .. }) => tokio::time::sleep(Duration::from_secs(1)).await,
            Err(error) => return Err(with_causes(&error)),
        }
    }
}

/// A registrar's own URL stands in the network file, so that newcomers find it.
async fn renew_network(service: &Arc<Service>, own: &Own) {
    let url = &own.url;
    match renewed(service, own).await {
        Ok(false) => {}
        Ok(true) => info!(url, "the network file names the new address"),
        Err(reason) => warn!(reason, "the network file keeps the old address of this node"),
    }
}

/// True if a version with the new address is logged and in force.
async fn renewed(service: &Arc<Service>, addresses: &Own) -> Result<bool, String> {
    let Some(key) = service.organisation.clone() else {
        return Ok(false);
    };
    while !service.node.log().index_ready() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let dir = service.dir.clone();
    let turn = tokio::task::spawn_blocking(move || take_turn(&dir)).await;
    let _turn = turn.map_err(|e| e.to_string())?.map_err(|failure| failure.lines())?;
    let adopting = Arc::clone(service);
    let adopted = tokio::task::spawn_blocking(move || adopting.adopt_logged()).await;
    adopted.map_err(|e| e.to_string())??;
    let file = service.network();
    let own = &service.config.org;
    let mut network = file.network().clone();
    let member = network.members.iter_mut().find(|member| member.org == *own);
    let is_other = |member: &&mut Member| {
        member.urls != [addresses.url.as_str()] || member.multiaddrs != addresses.multiaddrs
    };
    let Some(member) = member.filter(is_other) else {
        return Ok(false);
    };
    member.urls = vec![addresses.url.clone()];
    member.multiaddrs.clone_from(&addresses.multiaddrs);
    let lines = |failure: crate::failure::Failure| failure.lines();
    let next = next_version(&file, network, &[key.as_ref()]).map_err(lines)?;
    let next =
        next.complete().map_err(|e| format!("{}; `node` attestations tell it", with_causes(&e)))?;
    let version = network_version(own, &next, (service.clock)(), key.as_ref()).map_err(lines)?;
    admit_patiently(service, &version).await?;
    let adopting = Arc::clone(service);
    let adopted = tokio::task::spawn_blocking(move || adopting.adopt_network(next)).await;
    adopted.map_err(|e| e.to_string())??;
    Ok(true)
}
