//! Whether this log runs as another process, where it is published: the usual accident is a folder or
//! a machine that was copied while the original runs.
//!
//! Every run has a random number, which `/readyz` tells with the key of its log. Invariants: only
//! addresses under which this log itself is published are asked, each for a bounded time; whoever
//! does not answer holds nothing up; what answers proves nothing, so it costs this process its
//! signing and nothing more.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::mutants::mutant;
use crate::service::Service;

/// Longest wait for an answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
/// How often it is asked while the node runs.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Most addresses that are asked.
const ADDRESSES_MAX: usize = 16;

/// Which process of which log answers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Process {
    /// The verifier key of the log that it signs.
    pub log: String,
    /// Random, of this run: 32 hexadecimal digits.
    pub run: String,
}

impl Process {
    /// A new run for the log of this key.
    pub fn begun(log: String) -> Process {
        Process { log, run: hallmark_schemas::hex::encode(&crate::keys::random::<16>()) }
    }

    /// Whether that is another process that signs the same log.
    pub fn is_beside(&self, other: &Process) -> bool {
        self.log == other.log && self.run != other.run && !mutant("twin-unnoticed")
    }
}

/// The part of `/readyz` that is read here.
#[derive(Deserialize)]
struct Answer {
    process: Process,
}

/// The addresses under which this log is or was published since this process started.
#[derive(Debug, Default)]
pub struct Published(std::sync::Mutex<BTreeSet<String>>);

impl Published {
    /// These too, with those known before, as many as are asked.
    fn with(&self, urls: Vec<String>) -> Vec<String> {
        let mut known = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for url in urls {
            if known.len() < ADDRESSES_MAX {
                known.insert(url.trim_end_matches('/').to_owned());
            }
        }
        known.iter().cloned().collect()
    }
}

/// Where another process that signs this log answers, if one does.
pub(crate) async fn beside(service: &Service) -> Option<String> {
    let mut urls = service.addresses.urls(&service.network(), &service.config.origin);
    urls.extend(service.config.http.public_url.clone());
    let asked = service.published.with(urls).into_iter().map(|url| async move {
        // A cache on the way knows no answer to what was never asked.
        let once = hallmark_schemas::hex::encode(&crate::keys::random::<8>());
        let question = format!("{url}/readyz?once={once}");
        let answer = tokio::time::timeout(ANSWER_WAIT_MAX, service.client.get(&question)).await;
        let answer: Answer = serde_json::from_slice(&answer.ok()?.ok()?.body).ok()?;
        service.process.is_beside(&answer.process).then_some(url)
    });
    join_all(asked).await.into_iter().flatten().next()
}

/// The same at the start, asked once, whoever waits for it.
pub(crate) async fn at_start(service: &Service) -> Option<String> {
    service.twin_at_start.get_or_init(|| beside(service)).await.clone()
}

/// Asks now and then, until `stop`: a process that was paused, or cut off, may be back.
pub async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + LOOK_EVERY, LOOK_EVERY);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            _ = beat.tick() => {}
        }
        if let Some(url) = beside(&service).await {
            tracing::error!(url, "this log runs as another process too: read-only");
            return service.node.log().twin_found(&url);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_run_of_the_same_log_is_beside_and_neither_this_one_nor_another_log_is() {
        let own = Process::begun("net/gln-1/1+a+b".to_owned());
        assert!(!own.is_beside(&own.clone()));
        assert!(own.is_beside(&Process::begun(own.log.clone())));
        assert!(!own.is_beside(&Process::begun("net/gln-2/1+a+b".to_owned())));
    }

    #[test]
    fn addresses_are_remembered_and_bounded() {
        let published = Published::default();
        assert_eq!(published.with(vec!["http://a/".to_owned()]), ["http://a"]);
        assert_eq!(published.with(vec!["http://b".to_owned()]), ["http://a", "http://b"]);
        let many = (0..100).map(|number| format!("http://c{number}")).collect();
        assert_eq!(published.with(many).len(), ADDRESSES_MAX);
    }
}
