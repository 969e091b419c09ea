//! Where the members' nodes answer: what they attested last, else the network file, else the
//! configuration.
//!
//! Invariants: only a verified `node` attestation changes an address; of two the later `from_at`
//! holds; the file DATA/addresses.json is derived and may be deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::node::Node;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::config::Peer;

/// Most addresses that are named by hand.
const NAMED_MAX: usize = 4096;

/// Attested addresses by organisation.
#[derive(Debug)]
pub struct AddressBook {
    path: PathBuf,
    /// Whoever verifies a `node` attestation adds to it.
    attested: Mutex<BTreeMap<OrgId, Attested>>,
    /// What the configuration names, and what was added since. `name` pushes.
    named: Mutex<Vec<Peer>>,
    changed: Notify,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Attested {
    from_at: Timestamp,
    urls: Vec<String>,
    #[serde(default)]
    multiaddrs: Vec<String>,
}

impl AddressBook {
    /// Reads what was known before the restart.
    pub fn open(path: PathBuf, named: &[Peer]) -> AddressBook {
        let text = std::fs::read(&path).unwrap_or_default();
        let attested = Mutex::new(serde_json::from_slice(&text).unwrap_or_default());
        AddressBook { path, attested, named: Mutex::new(named.to_vec()), changed: Notify::new() }
    }

    /// Notes what a `node` attestation says. Newer wins; the same again changes nothing.
    pub fn learn(&self, org: &OrgId, said: &Node) {
        let mut attested = self.attested.lock().unwrap_or_else(PoisonError::into_inner);
        if attested.get(org).is_some_and(|known| said.from_at <= known.from_at) {
            return;
        }
        let (urls, multiaddrs) = (said.urls.clone(), said.multiaddrs.clone());
        attested.insert(org.clone(), Attested { from_at: said.from_at, urls, multiaddrs });
        self.write(&attested);
        drop(attested);
        self.changed.notify_waiters();
    }

    /// Forgets what an organisation attested: so it attests its addresses anew.
    pub(crate) fn forget(&self, org: &OrgId) {
        let mut attested = self.attested.lock().unwrap_or_else(PoisonError::into_inner);
        if attested.remove(org).is_some() {
            self.write(&attested);
        }
    }

    fn write(&self, attested: &BTreeMap<OrgId, Attested>) {
        let text = serde_json::to_vec(attested).expect("a map of texts is JSON");
        let fresh = self.path.with_extension("new");
        let written =
            std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &self.path));
        if let Err(error) = written {
            tracing::warn!(%error, "cannot keep the addresses of peers");
        }
    }

    /// The URLs and multiaddresses that an organisation attested itself.
    pub fn attested(&self, org: &OrgId) -> Option<(Vec<String>, Vec<String>)> {
        let attested = self.attested.lock().unwrap_or_else(PoisonError::into_inner);
        attested.get(org).map(|known| (known.urls.clone(), known.multiaddrs.clone()))
    }

    /// From when on what an organisation attested holds.
    pub fn attested_at(&self, org: &OrgId) -> Option<Timestamp> {
        let attested = self.attested.lock().unwrap_or_else(PoisonError::into_inner);
        attested.get(org).map(|known| known.from_at)
    }

    /// Multiaddresses of the node that keeps this log, best first.
    pub fn multiaddrs(&self, network: &NetworkFile, origin: &str) -> Vec<String> {
        let mut addresses = Vec::new();
        if let Some(member) = network.network().member_of_origin(origin) {
            addresses.extend(self.attested(&member.org).unwrap_or_default().1);
            addresses.extend(member.multiaddrs.iter().cloned());
        }
        let of_origin = |peer: &Peer| peer.origin.as_deref() == Some(origin);
        addresses.extend(self.named().into_iter().filter(of_origin).filter_map(|p| p.multiaddr));
        unique(addresses)
    }

    /// Adds what the configuration names from now on.
    pub fn name(&self, peer: Peer) {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if NAMED_MAX <= named.len() || named.contains(&peer) {
            return;
        }
        named.push(peer);
        drop(named);
        self.changed.notify_waiters();
    }

    /// The nodes of which only the URL is known.
    pub fn bare_urls(&self) -> Vec<String> {
        let named = self.named();
        let bare = named.iter().filter(|peer| peer.origin.is_none());
        bare.filter_map(named_url).collect()
    }

    fn named(&self) -> Vec<Peer> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Wakes whoever waits for a peer to be reached: it was, by a connection.
    pub fn tell(&self) {
        self.changed.notify_waiters();
    }

    /// Resolves at the next change.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Base URLs of the node that keeps this log, best first.
    pub fn urls(&self, network: &NetworkFile, origin: &str) -> Vec<String> {
        let mut urls = Vec::new();
        if let Some(member) = network.network().member_of_origin(origin) {
            urls.extend(self.attested(&member.org).unwrap_or_default().0);
            urls.extend(member.urls.iter().cloned());
        }
        let named = self.named();
        let of_origin = named.iter().filter(|peer| peer.origin.as_deref() == Some(origin));
        urls.extend(of_origin.filter_map(named_url));
        unique(urls)
    }

    /// One URL of every node that is known but this one.
    pub fn known_urls(&self, network: &NetworkFile, own: &str) -> Vec<String> {
        let members = network.network().members.iter();
        let others = members.filter(|member| member.origin != own);
        let mut urls: Vec<String> =
            others.flat_map(|member| self.urls(network, &member.origin)).collect();
        urls.extend(self.named().iter().filter_map(named_url));
        urls.sort_unstable();
        urls.dedup();
        urls
    }
}

fn named_url(peer: &Peer) -> Option<String> {
    Some(peer.url.as_ref()?.trim_end_matches('/').to_owned())
}

/// The first of each.
fn unique(mut addresses: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    addresses.retain(|address| seen.insert(address.clone()));
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_address_holds_also_after_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("addresses.json");
        let org: OrgId = "urn:hallmark:org:lei:529900T8BM49AURSDO55".parse().expect("a good LEI");
        let book = AddressBook::open(path.clone(), &[]);
        let at = Timestamp::from_unix_ms;
        let said = |ms, port: u16| Node {
            from_at: at(ms),
            urls: vec![format!("http://127.0.0.1:{port}")],
            multiaddrs: vec![format!("/ip4/127.0.0.1/tcp/{port}")],
        };
        book.learn(&org, &said(2000, 2));
        book.learn(&org, &said(1000, 1));
        let (urls, multiaddrs) = book.attested(&org).expect("it is known");
        assert_eq!(urls, ["http://127.0.0.1:2"]);
        assert_eq!(multiaddrs, ["/ip4/127.0.0.1/tcp/2"]);
        assert_eq!(AddressBook::open(path, &[]).attested(&org), book.attested(&org));
    }
}
