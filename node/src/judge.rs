//! Judging on a schedule: new evidence to the lake, every rule over it, findings kept and served.
//!
//! Invariants: judging never blocks admission (its own thread, bounded memory); findings are a
//! pure function of the evidence, so DATA/findings.json is derived and written whole.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use hallmark_schemas::time::Timestamp;
use hallmark_verifier::evidence::Proven;
use hallmark_verifier::judge::{Judge, JudgeOptions};
use hallmark_verifier::lake;
use hallmark_verifier::load::load;
use hallmark_verifier::prove::prove;
use hallmark_verifier::tabulate::{Devices, REFUSALS, attested, derived, tabulate};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::api::problem::with_causes;
use crate::files::write_durably;
use crate::service::Service;
use crate::store::StoreError;

/// How long judging waits for bodies that are on their way from peers.
const BODIES_WAIT_MAX: Duration = Duration::from_secs(2);

/// One judgement of everything that is held.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Judged {
    /// The newest instant in the evidence; `None` before the first judging.
    pub as_of: Option<Timestamp>,
    /// How many rules ran.
    pub rules_run: usize,
    /// Sorted as the verifier sorts them.
    pub findings: Vec<Value>,
    /// Rules that had nothing to judge, and why.
    pub silent: Vec<Value>,
    /// Which judgement of this process it is.
    #[serde(skip)]
    pub round: u64,
}

impl Judged {
    /// The findings of the last run, if the file can be read.
    pub fn read(path: &Path) -> Judged {
        let text = std::fs::read(path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let text = serde_json::to_vec(self).map_err(std::io::Error::other)?;
        let fresh = path.with_extension("new");
        std::fs::write(&fresh, text)?;
        std::fs::rename(&fresh, path)
    }
}

/// While a log is fetched from afar, judging rests so many times as long as it worked.
const REST_BEHIND: u32 = 20;
/// So many bodies of a log are wanted at least while it is fetched from afar.
const BEHIND: u64 = 256;
/// How often it is looked whether such a log still comes.
const BEHIND_BEAT: Duration = Duration::from_millis(500);

/// Judges `judge.wait` after new evidence, until `stop`; rests four times as long as it worked, so
/// that a large log leaves the processor to admission, and more while a log is fetched from afar,
/// of which a part says little.
pub async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    if !service.config.judge.enabled {
        return;
    }
    let mut published = service.node.log().subscribe_published();
    let mut wait = service.config.judge.wait;
    let (mut rested, mut worked) = (Instant::now(), Duration::ZERO);
    loop {
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            () = tokio::time::sleep(wait) => {}
        }
        published.borrow_and_update();
        let until = Instant::now() + BODIES_WAIT_MAX;
        while Instant::now() < until && is_fetching(&service).await {
            tokio::time::sleep(BODIES_WAIT_MAX / 20).await;
        }
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            () = while_behind(&service, rested + worked * REST_BEHIND) => {}
        }
        let (judging, started) = (Arc::clone(&service), Instant::now());
        match tokio::task::spawn_blocking(move || once(&judging)).await {
            Ok(Ok(count)) => info!(findings = count, ms = started.elapsed().as_millis(), "judged"),
            Ok(Err(reason)) => warn!(reason, "cannot judge"),
            Err(error) => warn!(%error, "judging broke off"),
        }
        (rested, worked) = (Instant::now(), started.elapsed());
        wait = service.config.judge.wait.max(worked * 4);
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            changed = published.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            () = service.evidence_changed.notified() => {}
        }
    }
}

/// Whether bodies of followed logs are on their way: what is only late must not look withheld.
async fn is_fetching(service: &Arc<Service>) -> bool {
    0 < most_wanted(service).await
}

/// Waits until then, or until no log is fetched from afar, or nothing of it comes.
async fn while_behind(service: &Arc<Service>, until: Instant) {
    let mut came = service.catch_up.bytes_came();
    while Instant::now() < until && BEHIND < most_wanted(service).await {
        tokio::time::sleep(BEHIND_BEAT).await;
        let now = service.catch_up.bytes_came();
        if now == came {
            return;
        }
        came = now;
    }
}

/// Of the followed log of which most bodies are wanted, how many.
async fn most_wanted(service: &Arc<Service>) -> u64 {
    let node = service.node.clone();
    let status = tokio::task::spawn_blocking(move || node.status()).await;
    let Ok(Ok(status)) = status else { return 0 };
    status.peers.iter().map(|peer| peer.wanted).max().unwrap_or(0)
}

/// Tabulates what is new, judges everything, keeps and shows the findings.
fn once(service: &Service) -> Result<usize, String> {
    let derived = service.node.derived();
    let before = derived.count();
    let judged = judge(service, before)?;
    let count = judged.findings.len();
    let kept = derived.unless_erased(before, || {
        let written = judged.write(&service.data.path().join("findings.json"));
        service.set_findings(judged);
        written
    });
    kept.ok_or(ERASED)?.map_err(|e| format!("cannot write findings.json: {e}"))?;
    metrics::gauge!("hallmark_findings").set(count as f64);
    Ok(count)
}

/// What was judged quotes a body that is gone: nothing of it is kept.
const ERASED: &str = "a body was erased meanwhile: judged again";

/// Drops findings that rest on a body as soon as it is erased, until `stop`; the others stay until
/// all is judged again.
pub async fn forget(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let mut erased = service.node.derived().subscribe();
    loop {
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            changed = erased.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
        let its = Arc::clone(&service);
        let dropped = tokio::task::spawn_blocking(move || drop_erased(&its)).await;
        if !matches!(dropped, Ok(Ok(()))) {
            warn!("findings are judged again before they are served");
            service.set_findings(Judged::default());
        }
        service.evidence_changed.notify_one();
    }
}

fn drop_erased(service: &Service) -> Result<(), StoreError> {
    let judged = service.findings();
    let mut findings = Vec::new();
    for finding in &judged.findings {
        let mut rests = false;
        for id in finding["evidence"].as_array().into_iter().flatten() {
            let id = id.as_str().and_then(|id| id.parse().ok());
            rests |= match id {
                Some(id) => service.node.erased_by(&id)?.is_some(),
                None => false,
            };
        }
        if !rests {
            findings.push(finding.clone());
        }
    }
    service.set_findings(Judged { findings, ..(*judged).clone() });
    Ok(())
}

fn judge(service: &Service, before: u64) -> Result<Judged, String> {
    // DIR says where DATA is; the network file and the head lie in DIR itself.
    let evidence = load(std::slice::from_ref(&service.dir), &[]).map_err(|e| with_causes(&e))?;
    let proven = prove(evidence);
    let kept = service.node.derived().unless_erased(before, || keep(&service.data.lake(), &proven));
    kept.ok_or(ERASED)??;
    let tables = tabulate(&proven).map_err(|e| with_causes(&e))?;
    let memory_max = usize::try_from(service.config.judge.memory_max).unwrap_or(usize::MAX);
    let as_of = proven.as_of;
    let options = JudgeOptions { as_of: as_of.unwrap_or(Timestamp::EPOCH), memory_max, only: None };
    let judge = core_judge()?;
    let judged = judge.run(&tables, &options).map_err(|e| with_causes(&e))?;
    for finding in &judged.findings {
        tracing::debug!(code = finding.code, subject = finding.subject, "found");
    }
    for failed in &judged.failed {
        warn!(code = failed.code, reason = failed.reason, "a rule could not be finished");
    }
    let json = |finding| serde_json::to_value(finding).unwrap_or_default();
    let silent = judged
        .silent
        .iter()
        .map(|silent| serde_json::json!({ "code": silent.code, "reason": silent.reason }));
    Ok(Judged {
        as_of,
        rules_run: judged.rules_run.len(),
        findings: judged.findings.iter().map(json).collect(),
        silent: silent.collect(),
        round: 0,
    })
}

/// The core rules, planned once in a process.
fn core_judge() -> Result<&'static Judge, String> {
    static CORE: OnceLock<Judge> = OnceLock::new();
    if let Some(judge) = CORE.get() {
        return Ok(judge);
    }
    let judge = Judge::with_core().map_err(|e| with_causes(&e))?;
    Ok(CORE.get_or_init(|| judge))
}

/// How far the lake goes in one log, and how many attestations that gave.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
struct Kept {
    next: u64,
    attested: u64,
}

/// Adds the rows of what is new to the lake. A body that came after its range was tabulated makes
/// the lake start anew.
fn keep(lake: &Path, proven: &Proven) -> Result<(), String> {
    let state_path = lake.with_extension("json");
    let state = std::fs::read(&state_path).unwrap_or_default();
    let mut state: BTreeMap<String, Kept> = serde_json::from_slice(&state).unwrap_or_default();
    let count = |origin: &str, until: u64| {
        let of_log = proven.attestations.iter().filter(|one| one.origin == origin);
        of_log.filter(|one| one.entry < until).count() as u64
    };
    let is_stale = proven.logs.iter().any(|log| {
        let next = lake::next_entry(lake, &log.origin).unwrap_or(0);
        let kept = state.get(&log.origin).copied().unwrap_or_default();
        kept != Kept { next, attested: count(&log.origin, next) }
    });
    if is_stale {
        state.clear();
        match std::fs::remove_dir_all(lake) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(format!("cannot make the lake anew: {e}"));
            }
            _ => {}
        }
    }
    let devices = Devices::of(&proven.attestations);
    for log in &proven.logs {
        let next = lake::next_entry(lake, &log.origin).map_err(|e| with_causes(&e))?;
        if next < log.size {
            let new = proven.attestations.iter().filter(|one| one.origin == log.origin);
            let new = new.filter(|one| next <= one.entry && one.entry < log.size);
            let rows = attested(new, &devices).map_err(|e| with_causes(&e))?;
            lake::append(lake, &log.origin, next..log.size, &rows).map_err(|e| with_causes(&e))?;
        }
        let attested = count(&log.origin, log.size);
        state.insert(log.origin.clone(), Kept { next: log.size, attested });
    }
    let tables = derived(proven).map_err(|e| with_causes(&e))?;
    for table in ["defects", "coverage", "missing_bodies", REFUSALS] {
        lake::replace(lake, table, tables.get(table)).map_err(|e| with_causes(&e))?;
    }
    let text = serde_json::to_vec(&state).map_err(|e| e.to_string())?;
    write_durably(&state_path, &text).map_err(|e| format!("cannot write lake.json: {e}"))
}
