//! Where the members' nodes answer: what they attested last, else the network file, else the
//! configuration.
//!
//! Invariants: only a verified `node` attestation changes an address; of two the later `from_at`
//! holds; the file DATA/addresses.json is derived and may be deleted.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use hallmark_schemas::id::OrgId;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::config::Config;

/// Attested addresses by organisation.
#[derive(Debug)]
pub struct AddressBook {
    path: PathBuf,
    /// Whoever verifies a `node` attestation adds to it.
    attested: Mutex<BTreeMap<OrgId, Attested>>,
    changed: Notify,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Attested {
    from_at: Timestamp,
    urls: Vec<String>,
}

impl AddressBook {
    /// Reads what was known before the restart.
    pub fn open(path: PathBuf) -> AddressBook {
        let text = std::fs::read(&path).unwrap_or_default();
        let attested = Mutex::new(serde_json::from_slice(&text).unwrap_or_default());
        AddressBook { path, attested, changed: Notify::new() }
    }

    /// Notes what a `node` attestation says. Newer wins; the same again changes nothing.
    pub fn learn(&self, org: &OrgId, from_at: Timestamp, urls: &[String]) {
        let mut attested = self.attested.lock().unwrap_or_else(PoisonError::into_inner);
        if attested.get(org).is_some_and(|known| from_at <= known.from_at) {
            return;
        }
        attested.insert(org.clone(), Attested { from_at, urls: urls.to_vec() });
        let text = serde_json::to_vec(&*attested).expect("a map of texts is JSON");
        let fresh = self.path.with_extension("new");
        let written =
            std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &self.path));
        if let Err(error) = written {
            tracing::warn!(%error, "cannot keep the addresses of peers");
        }
        drop(attested);
        self.changed.notify_waiters();
    }

    /// What an organisation attested itself.
    pub fn attested(&self, org: &OrgId) -> Option<Vec<String>> {
        let attested = self.attested.lock().unwrap_or_else(PoisonError::into_inner);
        attested.get(org).map(|known| known.urls.clone())
    }

    /// Resolves at the next change.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Base URLs of the node that keeps this log, best first.
    pub fn urls(&self, network: &NetworkFile, config: &Config, origin: &str) -> Vec<String> {
        let mut urls = Vec::new();
        if let Some(member) = network.network().member_of_origin(origin) {
            urls.extend(self.attested(&member.org).unwrap_or_default());
            urls.extend(member.urls.iter().cloned());
        }
        let named = config.peer.iter().filter(|peer| peer.origin.as_deref() == Some(origin));
        urls.extend(named.map(|peer| peer.url.trim_end_matches('/').to_owned()));
        let mut seen = std::collections::BTreeSet::new();
        urls.retain(|url| seen.insert(url.clone()));
        urls
    }

    /// One URL of every node that is known but this one.
    pub fn known_urls(&self, network: &NetworkFile, config: &Config) -> Vec<String> {
        let members = network.network().members.iter();
        let others = members.filter(|member| member.origin != config.origin);
        let mut urls: Vec<String> =
            others.flat_map(|member| self.urls(network, config, &member.origin)).collect();
        urls.extend(config.peer.iter().map(|peer| peer.url.trim_end_matches('/').to_owned()));
        urls.sort_unstable();
        urls.dedup();
        urls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_address_holds_also_after_a_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("addresses.json");
        let org: OrgId = "urn:hallmark:org:lei:529900T8BM49AURSDO55".parse().expect("a good LEI");
        let book = AddressBook::open(path.clone());
        let at = Timestamp::from_unix_ms;
        book.learn(&org, at(2000), &["http://127.0.0.1:2".to_owned()]);
        book.learn(&org, at(1000), &["http://127.0.0.1:1".to_owned()]);
        assert_eq!(book.attested(&org), Some(vec!["http://127.0.0.1:2".to_owned()]));
        assert_eq!(AddressBook::open(path).attested(&org), book.attested(&org));
    }
}
