//! How many requests one address may send, and how large their heads may be.
//!
//! Invariants: the owner's socket is not limited; the table of addresses is bounded; whoever is
//! turned away is told when to come back.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::App;
use super::problem::ApiError;
use crate::serve::Origin;

/// Most addresses that are remembered; each takes about 40 bytes.
const ADDRESSES_MAX: usize = 16 * 1024;
/// Most header fields of one request.
pub const HEADER_FIELDS_MAX: usize = 64;
/// Most bytes of their names and values together: a token and a browser's cookies fit many times.
pub const HEADER_BYTES_MAX: usize = 16 << 10;
/// Most bytes of path and query.
pub const URI_BYTES_MAX: usize = 8 << 10;
/// A burst is so many seconds' worth.
const BURST_S: f64 = 10.0;

/// Requests left for each address or peer. Every request takes one; time brings them back.
#[derive(Debug)]
pub struct Limiter<K = IpAddr>(Mutex<HashMap<K, Bucket>>);

impl<K> Default for Limiter<K> {
    fn default() -> Limiter<K> {
        Limiter(Mutex::default())
    }
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Limiter {
    /// Takes one request of `address`; otherwise the seconds until there is one.
    pub fn take(&self, address: IpAddr, per_second: u32, now: Instant) -> Result<(), u64> {
        let rate = f64::from(per_second);
        self.take_of(address, rate, rate * BURST_S, now)
    }

    /// The same for what people do by hand: so many a minute, all at once if they like.
    pub fn take_by_hand(&self, address: IpAddr, per_minute: u32, now: Instant) -> Result<(), u64> {
        let burst = f64::from(per_minute);
        self.take_of(address, burst / 60.0, burst, now)
    }
}

impl<K: Copy + Eq + Hash> Limiter<K> {
    /// Gives one back that was taken and not used.
    pub fn give_back(&self, address: K, burst: f64) {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&address) {
            bucket.left = (bucket.left + 1.0).min(burst);
        }
    }

    /// Takes one of `rate` a second, of which `burst` may be saved up.
    pub fn take_of(&self, address: K, rate: f64, burst: f64, now: Instant) -> Result<(), u64> {
        let refill_s = (burst / rate).max(BURST_S);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ADDRESSES_MAX <= buckets.len() && !buckets.contains_key(&address) {
            buckets.retain(|_, b| now.duration_since(b.at).as_secs_f64() < refill_s);
            if ADDRESSES_MAX <= buckets.len() {
                return Err(refill_s as u64);
            }
        }
        let bucket = buckets.entry(address).or_insert(Bucket { left: burst, at: now });
        let elapsed = now.duration_since(bucket.at).as_secs_f64();
        bucket.left = (bucket.left + elapsed * rate).min(burst);
        bucket.at = now;
        if bucket.left < 1.0 {
            return Err(((1.0 - bucket.left) / rate).ceil().max(1.0) as u64);
        }
        bucket.left -= 1.0;
        Ok(())
    }
}

/// The layer over all routes.
pub(crate) async fn by_caller(State(app): State<App>, request: Request, next: Next) -> Response {
    if let Some(Origin::Address(address)) = request.extensions().get::<Origin>() {
        let per_second = app.config.http.requests_per_second_max;
        if let Err(after_s) = app.limiter.take(*address, per_second, Instant::now()) {
            return ApiError::TooMany { after_s }.into_response();
        }
    }
    next.run(request).await
}

/// The layer that bounds the head of a request. The accept loop reads no more than it can hold.
pub(crate) async fn head(request: Request, next: Next) -> Response {
    let fields = request.headers();
    let bytes = fields.iter().map(|(name, value)| name.as_str().len() + value.len());
    if HEADER_FIELDS_MAX < fields.len() || HEADER_BYTES_MAX < bytes.sum() {
        let (fields_max, bytes_max) = (HEADER_FIELDS_MAX, HEADER_BYTES_MAX);
        return ApiError::HeaderTooLarge { fields_max, bytes_max }.into_response();
    }
    let uri = request.uri();
    if URI_BYTES_MAX < uri.path_and_query().map_or(0, |both| both.as_str().len()) {
        return ApiError::UriTooLong { max: URI_BYTES_MAX }.into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_followed_by_a_wait_and_then_by_the_rate() {
        let (limiter, address) = (Limiter::default(), IpAddr::from([192, 0, 2, 1]));
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(limiter.take(address, 2, start), Ok(()));
        }
        assert_eq!(limiter.take(address, 2, start), Err(1));
        assert_eq!(limiter.take(IpAddr::from([192, 0, 2, 2]), 2, start), Ok(()));
        let later = start + Duration::from_secs(1);
        assert_eq!(limiter.take(address, 2, later), Ok(()));
        assert_eq!(limiter.take(address, 2, later), Ok(()));
        assert_eq!(limiter.take(address, 2, later), Err(1));
    }

    #[test]
    fn what_is_done_by_hand_comes_back_by_the_minute() {
        let (limiter, address) = (Limiter::default(), IpAddr::from([192, 0, 2, 1]));
        let start = Instant::now();
        for _ in 0..6 {
            assert_eq!(limiter.take_by_hand(address, 6, start), Ok(()));
        }
        assert_eq!(limiter.take_by_hand(address, 6, start), Err(10));
        let later = start + Duration::from_secs(10);
        assert_eq!(limiter.take_by_hand(address, 6, later), Ok(()));
        assert_eq!(limiter.take_by_hand(address, 6, later), Err(10));
        limiter.give_back(address, 6.0);
        assert_eq!(limiter.take_by_hand(address, 6, later), Ok(()));
        assert_eq!(limiter.take_by_hand(address, 6, later), Err(10));
    }
}
