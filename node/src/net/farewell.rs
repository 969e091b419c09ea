//! When whoever is kept out is told so.
//!
//! Invariants: a connection with one that is kept out lives just long enough to tell it until when
//! and why; that happens now and then, however often it comes; nothing that it sends meanwhile is
//! looked at. No clock is read here.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

/// At least so long a connection lives after it was told, so that the word goes out.
const HEARD_AFTER: Duration = Duration::from_millis(500);
/// So long nobody is told again.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Who was told last that it is kept out, and when.
#[derive(Default)]
pub(super) struct Farewells(HashMap<PeerId, Instant>);

impl Farewells {
    /// Whether one that is kept out may be connected now, to be told.
    pub(super) fn is_open(&self, peer: &PeerId, now: Instant) -> bool {
        let since = self.0.get(peer).map(|at| now.saturating_duration_since(*at));
        since.is_none_or(|since| since < HEARD_AFTER || AGAIN_AFTER <= since)
    }

    /// It is told now.
    pub(super) fn told(&mut self, peer: PeerId, now: Instant) {
        self.0.insert(peer, now);
    }

    /// Forgets all but these.
    pub(super) fn keep(&mut self, is_kept_out: impl Fn(&PeerId) -> bool) {
        self.0.retain(|peer, _| is_kept_out(peer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_kept_out_is_told_at_once_then_now_and_then() {
        let (mut farewells, peer, start) = (Farewells::default(), PeerId::random(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert!(farewells.is_open(&peer, at(0)));
        farewells.told(peer, at(0));
        let open = [0, 499, 500, 9_999, 10_000].map(|ms| farewells.is_open(&peer, at(ms)));
        assert_eq!(open, [true, true, false, false, true]);
        farewells.told(peer, at(10_000));
        assert!(!farewells.is_open(&peer, at(11_000)));
        farewells.keep(|_| false);
        assert!(farewells.is_open(&peer, at(11_000)), "it was let in meanwhile");
    }
}
