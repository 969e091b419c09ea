//! Whether this log runs as another process, where it is published: the usual accident is a folder or
//! a machine that was copied while the original runs.
//!
//! Every run has a random number, which `/readyz` tells with the key of its log. Invariants: only
//! addresses under which this log itself is published are asked, each for a bounded time; whoever
//! does not answer holds nothing up; what answers proves nothing, so it costs this process its
//! signing and nothing more. Of two that see each other one goes on ([`Sight::way`]); the other one
//! also leaves the connections with peers, which know both by one key.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use hallmark_schemas::note::SignedNote;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::elsewhere;
use crate::core::Signing;
use crate::mutants::mutant;
use crate::service::{READ_ONLY, Service};

/// Longest wait for an answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
/// How often it is asked while the node runs.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A process that was met is asked again after so long: by then it knows of this one, if it can.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Longest wait at the start for whoever has our port.
const MOVED_WAIT_MAX: Duration = Duration::from_secs(6);
/// Most processes that are remembered.
const MET_MAX: usize = 16;
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

/// What `/readyz` tells of a process.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Standing {
    /// Which one.
    #[serde(flatten)]
    pub process: Process,
    /// The other processes of its log that it has met, by their `run`.
    #[serde(default)]
    pub beside: BTreeSet<String>,
}

/// The part of `/readyz` that is read here.
#[derive(Deserialize)]
struct Answer {
    /// Whether it may sign, in words.
    log: String,
    process: Standing,
}

/// What this process knows of others that sign its log.
#[derive(Debug, Default)]
pub struct Beside {
    /// Which it has met, by their `run`; at most [`MET_MAX`].
    met: Mutex<BTreeSet<String>>,
    /// One of them goes on, and this process signs nothing more.
    gave_way: AtomicBool,
}

impl Beside {
    /// Those that were met.
    pub fn met(&self) -> BTreeSet<String> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Meets one; false if that was so before.
    pub(crate) fn meet(&self, run: &str) -> bool {
        let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
        if MET_MAX <= met.len() && !met.contains(run) {
            met.pop_first();
        }
        met.insert(run.to_owned())
    }

    /// Leaves the log, and the place among its peers, to another process.
    pub(crate) fn give_way(&self) {
        self.gave_way.store(true, Ordering::Release);
    }

    /// Whether it did.
    pub fn gave_way(&self) -> bool {
        self.gave_way.load(Ordering::Acquire)
    }
}

/// What one process sees of another that signs the same log.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The run of whoever sees.
    pub own: &'a str,
    /// How many entries it has published.
    pub published: u64,
    /// The run of the other one.
    pub other: &'a str,
    /// How many entries of the same tree that one has published.
    pub its: u64,
    /// Whether the other one may sign.
    pub signs: bool,
    /// Whether the other one says that it has met this one.
    pub has_met: bool,
    /// Whether there are witnesses, who tell the one that is behind.
    pub is_witnessed: bool,
    /// Whether this one has met the other before, and told so.
    pub is_again: bool,
}

/// What follows from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Way {
    /// This process goes on: the other one gave way, is behind, or will give way.
    GoesOn,
    /// It looks again, once the other one can know of it.
    LooksAgain,
    /// It signs nothing more.
    GivesWay,
}

impl Sight<'_> {
    /// Of two that see each other one goes on: the one that has published more, else the one with
    /// the greater number. Of two of which one alone sees the other, that one gives way.
    pub fn way(&self) -> Way {
        if !self.signs || (self.is_witnessed && self.its < self.published) {
            return Way::GoesOn;
        }
        if !self.is_again {
            return Way::LooksAgain;
        }
        let is_first = self.has_met && self.other < self.own;
        if is_first && !mutant("twin-gives-way-always") { Way::GoesOn } else { Way::GivesWay }
    }
}

/// The addresses under which this log is or was published since this process started.
#[derive(Debug, Default)]
pub struct Published(Mutex<BTreeSet<String>>);

impl Published {
    /// These too, with those known before, as many as are asked.
    fn with(&self, urls: Vec<String>) -> Vec<String> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for url in urls {
            if known.len() < ADDRESSES_MAX {
                known.insert(url.trim_end_matches('/').to_owned());
            }
        }
        known.iter().cloned().collect()
    }
}

/// Another process that signs this log, and where it answers.
struct Other {
    url: String,
    answer: Answer,
}

/// Asks all addresses of this log at once.
async fn beside(service: &Service, wait: Duration) -> Option<Other> {
    let mut urls = service.addresses.urls(&service.network(), &service.config.origin);
    urls.extend(service.config.http.public_url.clone());
    let asked = service.published.with(urls).into_iter().map(|url| async move {
        // A cache on the way knows no answer to what was never asked.
        let once = hallmark_schemas::hex::encode(&crate::keys::random::<8>());
        let body = ask(service, &format!("{url}/readyz?once={once}"), wait).await?;
        let answer: Answer = serde_json::from_slice(&body).ok()?;
        let is_other = service.process.is_beside(&answer.process.process);
        is_other.then_some(Other { url, answer })
    });
    join_all(asked).await.into_iter().flatten().next()
}

async fn ask(service: &Service, url: &str, wait: Duration) -> Option<Vec<u8>> {
    let answer = tokio::time::timeout(wait, service.client.get(url)).await;
    Some(answer.ok()?.ok()?.body)
}

/// Where another process that signs this log answers at the start, if one does; asked once, whoever
/// waits for it.
///
/// Where somebody else has the port that was ours, that may be a process that was started in the
/// same instant on a copy of the folder, and serves in a moment: it is waited for longer.
pub(crate) async fn at_start(service: &Service) -> Option<String> {
    let is_moved = service.is_moved.load(Ordering::Acquire);
    let wait = if is_moved { MOVED_WAIT_MAX } else { ANSWER_WAIT_MAX };
    let found = async { beside(service, wait).await.map(|other| other.url) };
    service.twin_at_start.get_or_init(|| found).await.clone()
}

/// Asks now and then, until `stop`: a process that was paused, or cut off, may be back, or have
/// signed something meanwhile.
pub async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut beat = tokio::time::interval_at(tokio::time::Instant::now() + LOOK_EVERY, LOOK_EVERY);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            _ = beat.tick() => {}
        }
        match service.node.log().signing() {
            Signing::Ready | Signing::WaitingForQuorum => {
                elsewhere::ask_witnesses(&service).await;
                look(&service).await;
            }
            // What the one that goes on signs is kept, so that a check tells it.
            Signing::ReadOnly { .. } if service.beside.gave_way() => {
                elsewhere::ask_witnesses(&service).await;
            }
            _ => {}
        }
    }
}

/// Looks whether another process is there, and who of the two goes on.
async fn look(service: &Arc<Service>) {
    loop {
        let found = beside(service, ANSWER_WAIT_MAX).await;
        let Some(Other { url, answer }) = found else { return };
        let log = service.node.log();
        let note = ask(service, &format!("{url}/log/checkpoint"), ANSWER_WAIT_MAX).await;
        let note = note.and_then(|note| SignedNote::parse(&note).ok());
        // What it has signed decides, if it is not of the tree here.
        if let Some(note) = note.clone()
            && elsewhere::shown_async(service, note).await
        {
            return;
        }
        let its = note.and_then(|note| Some(note.checkpoint_of(log.log_key()).ok()?.size));
        let sight = Sight {
            own: &service.process.run,
            published: log.published().map_or(0, |published| published.head.size),
            other: &answer.process.process.run,
            its: its.unwrap_or(0),
            signs: !answer.log.starts_with(READ_ONLY),
            has_met: answer.process.beside.contains(&service.process.run),
            is_witnessed: !service.network().network().policy.is_none(),
            is_again: !service.beside.meet(&answer.process.process.run),
        };
        match sight.way() {
            Way::GoesOn => return,
            Way::LooksAgain => tokio::time::sleep(LOOK_AGAIN).await,
            Way::GivesWay => {
                tracing::error!(url, "this log runs as another process too: read-only");
                service.beside.give_way();
                return service.node.log().twin_found(&url);
            }
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

    /// One process of a log that another one sees.
    #[derive(Clone)]
    struct One {
        run: &'static str,
        published: u64,
        signs: bool,
        met: BTreeSet<&'static str>,
    }

    fn one(run: &'static str, published: u64) -> One {
        One { run, published, signs: true, met: BTreeSet::new() }
    }

    impl One {
        /// Looks at the other one; what it tells later is what it was before.
        fn looks_at(&mut self, other: &One, is_witnessed: bool) -> Way {
            let sight = Sight {
                own: self.run,
                published: self.published,
                other: other.run,
                its: other.published,
                signs: other.signs,
                has_met: other.met.contains(self.run),
                is_witnessed,
                is_again: !self.met.insert(other.run),
            };
            let way = sight.way();
            self.signs &= way != Way::GivesWay;
            way
        }
    }

    #[test]
    fn of_two_processes_that_see_each_other_one_goes_on_in_whichever_order_they_look() {
        // Each looks up to four times; every order of eight looks.
        for order in 0_u32..256 {
            for (is_witnessed, sizes) in [(true, [5, 5]), (true, [5, 6]), (false, [6, 5])] {
                let (mut a, mut b) = (one("1", sizes[0]), one("2", sizes[1]));
                for step in 0..8 {
                    let (looks, other) =
                        if order >> step & 1 == 0 { (&mut a, &b) } else { (&mut b, &a) };
                    if looks.signs {
                        looks.looks_at(other, is_witnessed);
                    }
                }
                assert!(a.signs || b.signs, "{order:08b} {sizes:?}");
                let is_looked_by_both = (2..=6).contains(&order.count_ones());
                if sizes[0] == sizes[1] && is_looked_by_both {
                    assert!(a.signs != b.signs, "{order:08b} {sizes:?}");
                }
            }
        }
    }

    #[test]
    fn a_process_that_alone_sees_the_other_gives_way_unless_that_one_is_behind_or_gave_way() {
        let (mut seeing, seen) = (one("2", 5), one("1", 5));
        assert_eq!(seeing.looks_at(&seen, true), Way::LooksAgain);
        assert_eq!(seeing.looks_at(&seen, true), Way::GivesWay);
        let mut seeing = one("2", 6);
        for _ in 0..3 {
            assert_eq!(seeing.looks_at(&seen, true), Way::GoesOn, "its witnesses tell it");
        }
        let mut seeing = one("2", 6);
        seeing.looks_at(&seen, false);
        assert_eq!(seeing.looks_at(&seen, false), Way::GivesWay, "nobody tells it");
        let mut seeing = one("1", 5);
        let quiet = One { signs: false, ..one("2", 7) };
        assert_eq!(seeing.looks_at(&quiet, true), Way::GoesOn);
    }

    #[test]
    fn processes_that_were_met_are_bounded() {
        let beside = Beside::default();
        assert!(beside.meet("a") && !beside.meet("a"));
        (0..100).for_each(|number| {
            beside.meet(&format!("b{number}"));
        });
        assert_eq!(beside.met().len(), MET_MAX);
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
