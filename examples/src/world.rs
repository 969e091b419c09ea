//! Real processes in a temporary folder: nodes, agents, the verifier. Shared by the demo and the
//! system tests.
//!
//! Invariants: every wait has a deadline and says what it waited for; loopback only, free ports;
//! whatever was started is killed when its handle is dropped.

pub mod agent;
pub mod http;
pub mod node;
pub mod program;

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::bail;

/// How often a condition is looked at.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Asks `probe` until it has an answer. `what` ends the sentence "waited 5 s for …".
pub async fn until<T, F>(
    what: &str,
    wait_max: Duration,
    mut probe: impl FnMut() -> F,
) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let began = Instant::now();
    loop {
        if let Some(answer) = probe().await? {
            return Ok(answer);
        }
        if wait_max < began.elapsed() {
            bail!("waited {} s for {what}", wait_max.as_secs());
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}
