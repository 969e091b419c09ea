//! Freshness: a checkpoint that nothing follows is cosigned anew, so that its witnesses vouch that
//! the log has nothing newer; where the policy names none, the own one does.
//!
//! Invariant: nothing is decided here but when to ask; the writer decides what is published.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::service::Service;

/// Shortest and longest wait between two looks at the age of the cosignatures.
const LOOK_WAIT_MIN: Duration = Duration::from_millis(200);
const LOOK_WAIT_MAX: Duration = Duration::from_secs(60);

/// Has the published checkpoint renewed whenever it is due, until `stop`.
pub async fn run(service: Arc<Service>, mut stop: watch::Receiver<bool>) {
    let every = service.config.log.renew_every;
    let mut look = tokio::time::interval((every / 8).clamp(LOOK_WAIT_MIN, LOOK_WAIT_MAX));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let every_ms = i64::try_from(every.as_millis()).unwrap_or(i64::MAX);
    // A witness that is away would be asked by every look: once in a while is enough.
    let mut asked_at = None;
    loop {
        tokio::select! {
            () = crate::peers::stopped(&mut stop) => return,
            _ = look.tick() => {}
        }
        let now = (service.clock)();
        let Some(published) = service.node.log().published() else { continue };
        let told_at = [Some(published.at), published.cosigned_at, asked_at].into_iter().max();
        if told_at.flatten().is_some_and(|at| every_ms <= now.ms_since(at)) {
            asked_at = Some(now);
            service.node.log().renew();
        }
    }
}
