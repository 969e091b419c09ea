//! What `hallmark-node peer` tells: of each peer who it is, how it is reached, and why not.

use hallmark_schemas::layout::peer_name;
use serde_json::{Value, json};

use crate::service::Service;
use crate::store::StoreError;

/// Most missing bodies that are counted.
const WANTED_MAX: usize = 10_000;
/// The rule of bodies that were demanded and not given.
const COMPLAINT: &str = "LOG-002";
/// Most complaints about one peer that are told.
const COMPLAINTS_MAX: usize = 100;

/// Every peer, connected or not, and strangers that were refused. Reads the index: it blocks.
pub fn view(service: &Service) -> Result<Value, StoreError> {
    let now = (service.clock)();
    let network = service.network();
    let own = service.net.get().map(|net| {
        let known = service.addresses.attested(&service.config.org).unwrap_or_default();
        json!({
            "peer": net.own().to_string(),
            "org": service.config.org.to_string(),
            "origin": service.config.origin,
            "standing": "own",
            "multiaddrs": known.1,
            "urls": known.0,
        })
    });
    let mut peers = match service.net.get() {
        Some(net) => {
            // Its own beat may be still to come.
            net.roster().adopt(network.network(), &service.config.origin);
            net.roster().view(now)
        }
        None => unconnected(service),
    };
    let left = network.network().sealed.iter().filter(|sealed| sealed.successor.is_none());
    let left = left.map(|sealed| {
        json!({
            "org": sealed.org.to_string(),
            "origin": sealed.origin,
            "standing": "departed",
            "ended_at": sealed.size,
        })
    });
    if let Some(peers) = peers.as_array_mut() {
        peers.extend(left);
    }
    let followed = service.health.peer_words();
    let judged = service.findings();
    for peer in peers.as_array_mut().into_iter().flatten() {
        let about =
            |finding: &&Value| finding["code"] == COMPLAINT && finding["subject"] == peer["org"];
        let complaints = judged.findings.iter().filter(about);
        let complaints = complaints.map(|finding| finding["message_en"].clone());
        peer["complaints"] = complaints.take(COMPLAINTS_MAX).collect();
        let Some(origin) = peer["origin"].as_str().map(str::to_owned) else { continue };
        peer["urls"] = service.addresses.urls(&network, &origin).into();
        peer["multiaddrs"] = service.addresses.multiaddrs(&network, &origin).into();
        peer["copy"] =
            json!({ "name": peer_name(&origin), "why_not_followed": followed.get(&origin) });
        if let Some(log) = service.node.mirror().log(&origin) {
            peer["copy"]["size"] = log.head().size.into();
            peer["copy"]["bodies_wanted"] = log.wanted_count(WANTED_MAX)?.into();
            peer["copy"]["defects"] = log.shown_defects().into();
        }
    }
    Ok(json!({
        "own": own,
        "network": network.network().name,
        "network_version": network.network().version,
        "peers": peers,
        "unnamed": service.net.get().map(|net| net.roster().unnamed()),
    }))
}

/// The members of a node that speaks HTTP alone.
fn unconnected(service: &Service) -> Value {
    let network = service.network();
    let members = network.network().members.iter();
    let others = members.filter(|member| member.origin != service.config.origin);
    let views = others.map(|member| {
        json!({ "org": member.org.to_string(), "origin": member.origin, "standing": "http" })
    });
    views.collect()
}
