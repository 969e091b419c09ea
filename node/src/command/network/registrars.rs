//! `network --registrar --threshold`: who admits members, and how many of them must agree.

use hallmark_schemas::id::OrgId;
use hallmark_schemas::key::{KeyId, PublicKey};
use hallmark_schemas::network::{Member, Network, Registrar};
use serde::Deserialize;

use super::super::{running, wait_for};
use super::make::Maker;
use super::named;
use crate::failure::Failure;

/// The key that an organisation has, as the node knows it.
#[derive(Deserialize)]
struct Known {
    key: PublicKey,
    next_key_commitment: KeyId,
}

/// The network with these registrars, where any are named, and this threshold.
pub(super) fn changed(
    maker: &Maker<'_>,
    names: &[String],
    threshold: Option<u32>,
) -> Result<Network, Failure> {
    let mut network = maker.old.network().clone();
    if !names.is_empty() {
        let mut registrars = Vec::with_capacity(names.len());
        for name in names {
            registrars.push(registrar(maker, name)?);
        }
        network.registrars = registrars;
    }
    network.threshold = threshold.unwrap_or(network.threshold);
    if network.registrars.len() < network.threshold as usize {
        return Err(Failure::usage(format!(
            "{} registrars cannot give {} signatures",
            network.registrars.len(),
            network.threshold
        ))
        .help("name all who are registrars with --registrar, or ask for fewer with --threshold"));
    }
    Ok(network)
}

/// A registrar as it stands in the version in force, else a member with the key that it has.
fn registrar(maker: &Maker<'_>, name: &str) -> Result<Registrar, Failure> {
    let org = name.parse::<OrgId>().or_else(|_| OrgId::from_slug(name)).ok();
    let network = maker.old.network();
    let known = network.registrars.iter().find(|one| Some(&one.org) == org.as_ref());
    if let Some(known) = known {
        return Ok(known.clone());
    }
    let org = named(network, name)?.org.clone();
    let answer = wait_for(async {
        running(maker.dir).await?.get(&format!("/local/organisations/{org}")).await
    })?;
    let known = match answer.status {
        200 => serde_json::from_slice::<Known>(&answer.body).ok(),
        _ => None,
    };
    let Known { key, next_key_commitment } = known.ok_or_else(|| {
        Failure::busy(format!("the running node does not know the key of {org}"))
            .note(answer.text())
            .help("its admission is recorded, and copied here, first: `hallmark-node status`")
    })?;
    Ok(Registrar { org, key, next_key_commitment })
}

/// What differs between two versions, a line each, for whoever is asked to sign the later.
pub(super) fn changes(old: &Network, new: &Network) -> Vec<String> {
    let mut lines = vec![format!("version {} after {}", new.version, old.version)];
    if old.threshold != new.threshold {
        lines.push(format!("threshold {} instead of {}", new.threshold, old.threshold));
    }
    let entry = |network: &Network, org: &OrgId| {
        network.registrars.iter().find(|one| one.org == *org).cloned()
    };
    for one in &new.registrars {
        match entry(old, &one.org) {
            None => lines.push(format!("new registrar {} with key {}", one.org, one.key.id())),
            Some(before) if before != *one => {
                lines.push(format!("registrar {} has the key {} now", one.org, one.key.id()));
            }
            Some(_) => {}
        }
    }
    for one in old.registrars.iter().filter(|one| entry(new, &one.org).is_none()) {
        lines.push(format!("registrar {} no more", one.org));
    }
    let same = |a: &Member, b: &Member| a.org == b.org && a.origin == b.origin;
    for one in &new.members {
        let roles: Vec<_> = one.roles.iter().map(|role| role.as_str()).collect();
        match old.members.iter().find(|known| same(known, one)) {
            None => {
                lines.push(format!("new member {} {} {}", one.org, roles.join(","), one.origin))
            }
            Some(known) if known != one => {
                lines.push(format!("member {} has other roles, keys or addresses", one.org));
            }
            Some(_) => {}
        }
    }
    for one in &old.members {
        if !new.members.iter().any(|kept| same(kept, one)) {
            lines.push(format!("member {} no more with the log {}", one.org, one.origin));
        }
    }
    if old.policy != new.policy {
        lines.push(format!("witness policy:\n{}", new.policy.to_string().trim_end()));
    }
    if old.packs != new.packs {
        lines.push("other rule packs".to_owned());
    }
    lines
}
