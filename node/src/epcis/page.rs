//! Where the next page of an answer begins: a token that says it all, so that nothing is kept but
//! those that were given up before their time.
//!
//! Invariants: a token goes on with the query that it was given for alone, not after its time, and
//! not after it was given up in this process.

use std::collections::BTreeMap;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallmark_schemas::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::index::goods::GoodsPlace;

/// How long a token holds: a client that pages by hand has an hour.
pub const LIFE_MS: i64 = 60 * 60 * 1000;

/// Where an answer goes on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mark {
    /// After this place of the list.
    After(GoodsPlace),
    /// After so many results.
    Offset(u64),
}

/// Why a token cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenFault {
    /// It is no token of this node.
    #[error("this is no token of this node")]
    Malformed,
    /// It belongs to another query.
    #[error("the token was given for another query: repeat its parameters")]
    OtherQuery,
    /// Its time is over.
    #[error("the token has expired: start the query again")]
    Expired,
    /// Somebody gave it up.
    #[error("the token was given up: start the query again")]
    Forgotten,
}

/// Most tokens that are remembered as given up; beyond, the one that ends first is forgotten.
const FORGOTTEN_MAX: usize = 10_000;

/// Tokens that were given up, by their digest, with their end in Unix milliseconds. Whoever adds one
/// drops those that have ended.
static FORGOTTEN: Mutex<BTreeMap<[u8; 32], u64>> = Mutex::new(BTreeMap::new());

/// Gives a token up; false if it is none, or has ended.
pub fn forget(token: &str, now: Timestamp) -> bool {
    let Some(expires) = ends(token).filter(|expires| now.unix_ms() <= *expires) else {
        return false;
    };
    let mut all = FORGOTTEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    all.retain(|_, expires| now.unix_ms() <= *expires);
    if FORGOTTEN_MAX <= all.len() {
        let first = all.iter().min_by_key(|(_, expires)| **expires).map(|(digest, _)| *digest);
        first.map(|digest| all.remove(&digest));
    }
    all.insert(digest_of(token), expires);
    true
}

/// When a token ends, by its own word.
fn ends(token: &str) -> Option<u64> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let is_token = matches!(bytes.len(), 24 | 40);
    let expires = bytes.get(..8).filter(|_| is_token)?;
    expires.try_into().map(u64::from_be_bytes).ok()
}

fn digest_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.trim_end_matches('=')).into()
}

fn is_forgotten(token: &str) -> bool {
    let all = FORGOTTEN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    all.contains_key(&digest_of(token))
}

/// A short name of a query: its path and parameters, those for paging left out.
pub fn query_digest<'a>(
    path: &str,
    parameters: impl Iterator<Item = (&'a str, &'a str)>,
) -> [u8; 8] {
    let mut hash = Sha256::new_with_prefix(path);
    for (name, value) in parameters {
        for text in [name, value] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
    }
    let hash = hash.finalize();
    std::array::from_fn(|at| hash[at])
}

/// The token that goes on at `mark`.
pub fn encode(mark: Mark, query: [u8; 8], expires_at: Timestamp) -> String {
    let mut bytes = expires_at.unix_ms().to_be_bytes().to_vec();
    bytes.extend_from_slice(&query);
    match mark {
        Mark::After(place) => bytes.extend_from_slice(&place.position()),
        Mark::Offset(offset) => bytes.extend_from_slice(&offset.to_be_bytes()),
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where a token goes on.
pub fn decode(token: &str, query: [u8; 8], now: Timestamp) -> Result<Mark, TokenFault> {
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| TokenFault::Malformed)?;
    let (head, mark) = bytes.split_at_checked(16).ok_or(TokenFault::Malformed)?;
    let (expires, of) = head.split_at(8);
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
    let mark = match <&[u8; 24]>::try_from(mark) {
        Ok(position) => GoodsPlace::at_position(position).map(Mark::After),
        Err(_) => number(mark).map(Mark::Offset),
    };
    let mark = mark.ok_or(TokenFault::Malformed)?;
    if of != query {
        return Err(TokenFault::OtherQuery);
    }
    let is_over = number(expires).is_none_or(|expires| expires < now.unix_ms());
    match (is_over, is_forgotten(token)) {
        (true, _) => Err(TokenFault::Expired),
        (false, true) => Err(TokenFault::Forgotten),
        (false, false) => Ok(mark),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_on_with_its_own_query_until_its_time_is_over() {
        let at = Timestamp::from_unix_ms;
        let query = query_digest("/epcis/events", [("EQ_action", "ADD")].into_iter());
        let other = query_digest("/epcis/events", [("EQ_actionA", "DD")].into_iter());
        let place = GoodsPlace::before(at(1_790_000_000_000)).unwrap();
        for mark in [Mark::After(place), Mark::Offset(90)] {
            let token = encode(mark, query, at(100));
            assert_eq!(decode(&token, query, at(100)), Ok(mark));
            assert_eq!(decode(&token, query, at(101)), Err(TokenFault::Expired));
            assert_eq!(decode(&token, other, at(100)), Err(TokenFault::OtherQuery));
            assert_eq!(decode(&token[1..], query, at(100)), Err(TokenFault::Malformed));
        }
        assert_eq!(decode("", query, at(0)), Err(TokenFault::Malformed));
        let token = encode(Mark::Offset(91), query, at(100));
        assert!(!forget(&token, at(101)) && !forget("x", at(0)), "nothing to give up");
        assert!(forget(&token, at(100)) && forget(&token, at(100)));
        assert_eq!(decode(&token, query, at(100)), Err(TokenFault::Forgotten));
    }
}
