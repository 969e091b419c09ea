//! What this node's witness may have forgotten, asked of those who may know it.
//!
//! Invariants: only logs in doubt are asked about, until none is; whoever does not answer is asked
//! again; what was heard is counted by the witness, here it is only fetched.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use hallmark_schemas::layout::peer_name;
use hallmark_schemas::network::Network;
use tokio::sync::watch;
use tracing::{debug, warn};

use super::memory::{Held, others};
use super::quorum::witness_road;
use crate::api::problem::with_causes;
use crate::mirror::Mirror;
use crate::service::Service;

/// First and longest wait before everybody is asked again.
const ASK_WAIT: Duration = Duration::from_millis(200);
const ASK_WAIT_MAX: Duration = Duration::from_secs(5);
/// Longest wait for what one node holds of one log.
const HELD_WAIT_MAX: Duration = Duration::from_secs(10);

/// Asks until nothing is in doubt, whenever something is, until `stop`.
pub(crate) async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = crate::peers::stopped(&mut stop) => {}
        () = ask_on(&service) => {}
    }
}

async fn ask_on(service: &Arc<Service>) {
    let mut wait = ASK_WAIT;
    loop {
        let network = service.network();
        let origins = network.network().members.iter().map(|member| member.origin.as_str());
        let in_doubt = service.witness.in_doubt(origins);
        if in_doubt.is_empty() {
            service.witness.doubted().await;
            wait = ASK_WAIT;
            continue;
        }
        for origin in in_doubt {
            ask(service, &origin).await;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(ASK_WAIT_MAX);
    }
}

/// Everybody once, about one log.
async fn ask(service: &Arc<Service>, origin: &str) {
    let network = service.network();
    for (name, key) in others(network.network(), service.witness.vkey()) {
        let Some(road) = witness_road(service, &key) else { continue };
        let holds = tokio::time::timeout(HELD_WAIT_MAX, road.held(origin)).await;
        match holds.unwrap_or_else(|_| Err("it does not answer".to_owned())) {
            Ok(holds) => service.witness.told(&network, origin, &name, &holds),
            Err(reason) => debug!(name, origin, reason, "a witness did not say what it holds"),
        }
    }
    let (asked, origin) = (Arc::clone(service), origin.to_owned());
    let work = move || {
        let held = held(&asked, &peer_name(&origin));
        let settled = asked.witness.settle(&asked.network(), &origin, held.as_ref());
        if let Err(error) = asked.heeded(settled) {
            warn!(origin, error = %with_causes(&error), "a log stays in doubt");
        }
    };
    let _ = tokio::task::spawn_blocking(work).await;
}

/// Every log that this node's witness may have cosigned, by hex of its origin.
pub(crate) fn logs(service: &Service) -> BTreeSet<String> {
    known_logs(service.network().network(), service.node.mirror())
}

/// The same before the node runs.
pub(crate) fn known_logs(network: &Network, mirror: &Mirror) -> BTreeSet<String> {
    let members = network.members.iter().map(|member| peer_name(&member.origin));
    let copies = mirror.logs().into_iter().map(|log| peer_name(log.origin()));
    members.chain(copies).collect()
}

/// What this node itself holds of the log with this hex of its origin.
pub(crate) fn held(service: &Service, hex: &str) -> Option<Held<'static>> {
    Held::of(service.node.log(), service.node.mirror(), hex)
}
