//! How fast others' logs are fetched, and bytes over time in general.
//!
//! Invariants: what this node takes in itself goes first: while it does, fetching works at most half
//! of the time; of what a second allows, ten seconds are saved up at most.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A burst is so many seconds' worth.
const BURST_S: f64 = 10.0;
/// Longest that bytes may have to wait for their turn; far more are refused.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Longest pause after one step, so that following goes on under any load.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What all followers together may fetch.
pub struct CatchUp {
    bytes: Arc<Pace>,
    came: AtomicU64,
}

impl CatchUp {
    /// At most so many bytes a second.
    pub fn new(bytes_per_second: u64) -> CatchUp {
        CatchUp { bytes: Pace::new(bytes_per_second as f64), came: AtomicU64::new(0) }
    }

    /// How many bytes came so far.
    pub fn bytes_came(&self) -> u64 {
        self.came.load(Ordering::Relaxed)
    }

    /// Waits after a step that brought so many bytes and took so long.
    pub async fn after(&self, is_taking_in: bool, bytes: usize, took: Duration) {
        self.came.fetch_add(bytes as u64, Ordering::Relaxed);
        let pause = self.pause(is_taking_in, bytes, took, Instant::now());
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }

    fn pause(&self, is_taking_in: bool, bytes: usize, took: Duration, now: Instant) -> Duration {
        let yielded = if is_taking_in { took.min(PAUSE_MAX) } else { Duration::ZERO };
        self.bytes.later(bytes, now).max(yielded)
    }
}

/// Bytes over time.
pub(crate) struct Pace {
    per_second: f64,
    /// The instant at which those taken so far are paid off. Whoever takes moves it.
    paid_at: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(per_second: f64) -> Arc<Pace> {
        Arc::new(Pace { per_second, paid_at: Mutex::default() })
    }

    /// Takes bytes that came; false, and takes nothing, if that are far too many.
    pub(crate) fn take(&self, bytes: usize, now: Instant) -> bool {
        let (mut paid_at, after) = self.with(bytes, now);
        let is_taken = after.saturating_duration_since(now) <= WAIT_MAX;
        if is_taken {
            *paid_at = Some(after);
        }
        is_taken
    }

    /// Takes bytes that are to go; how long they wait.
    pub(crate) fn later(&self, bytes: usize, now: Instant) -> Duration {
        let (mut paid_at, after) = self.with(bytes, now);
        *paid_at = Some(after.min(now + WAIT_MAX));
        after.saturating_duration_since(now).min(WAIT_MAX)
    }

    fn with(&self, bytes: usize, now: Instant) -> (MutexGuard<'_, Option<Instant>>, Instant) {
        let paid_at = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
        let saved = now.checked_sub(Duration::from_secs_f64(BURST_S)).unwrap_or(now);
        let from = paid_at.map_or(saved, |at| at.max(saved));
        (paid_at, from + Duration::from_secs_f64(bytes as f64 / self.per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fetching_pauses_as_long_as_it_works_while_the_node_takes_in_and_never_longer_than_a_second()
    {
        let (catch_up, now) = (CatchUp::new(1 << 20), Instant::now() + Duration::from_secs(60));
        let ms = Duration::from_millis;
        assert_eq!(catch_up.pause(false, 1000, ms(30), now), Duration::ZERO);
        assert_eq!(catch_up.pause(true, 1000, ms(30), now), ms(30));
        assert_eq!(catch_up.pause(true, 1000, ms(3000), now), PAUSE_MAX);
        let pause = catch_up.pause(false, 15 << 20, ms(30), now);
        assert!(ms(5000) <= pause && pause < ms(5100), "{pause:?}");
    }

    #[test]
    fn bytes_beyond_a_burst_wait_and_far_beyond_that_are_refused() {
        let seconds = Duration::from_secs;
        let (pace, now) = (Pace::new(1000.0), Instant::now() + seconds(60));
        assert_eq!(pace.later(10_000, now), Duration::ZERO);
        assert_eq!(pace.later(5_000, now), seconds(5));
        assert!(!pace.take(20_000, now), "far too many");
        assert_eq!(pace.later(1_000, now), seconds(6), "that took nothing");
        assert!(pace.take(1_000, now));
        assert_eq!(pace.later(90_000, now), WAIT_MAX);
        assert_eq!(pace.later(10_000, now + seconds(60)), Duration::ZERO);
    }
}
