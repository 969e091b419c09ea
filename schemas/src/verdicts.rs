//! Verdicts on signatures that a thread of the simulator gave before: its worlds verify the same few
//! thousand signatures millions of times, and half of its time would go into that.
//!
//! Invariants: nothing is remembered on a thread that did not ask for it, and in no build of the
//! product; a verdict counts for exactly this key, message and signature; their number is bounded.

use std::cell::RefCell;
use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// Most verdicts of a thread; then it begins anew.
const VERDICTS_MAX: usize = 1 << 16;

thread_local! {
    static VERDICTS: RefCell<Option<HashMap<[u8; 32], bool>>> = const { RefCell::new(None) };
}

/// From now on this thread remembers its verdicts.
pub fn remember() {
    VERDICTS.set(Some(HashMap::new()));
}

/// Whether this signature holds: remembered, or what `verify` says.
pub(crate) fn holds(
    key: &[u8; 32],
    message: &[u8],
    signature: &[u8; 64],
    verify: impl FnOnce() -> bool,
) -> bool {
    VERDICTS.with_borrow_mut(|verdicts| {
        let Some(verdicts) = verdicts else { return verify() };
        let digest = Sha256::new().chain_update(key).chain_update(signature).chain_update(message);
        if VERDICTS_MAX <= verdicts.len() {
            verdicts.clear();
        }
        *verdicts.entry(digest.finalize().into()).or_insert_with(verify)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_remembered_where_that_was_asked_for_and_only_of_the_same() {
        let (key, signature) = ([1; 32], [2; 64]);
        assert!(holds(&key, b"a", &signature, || true));
        assert!(!holds(&key, b"a", &signature, || false), "nobody asked to remember");
        remember();
        assert!(holds(&key, b"a", &signature, || true));
        assert!(holds(&key, b"a", &signature, || false));
        assert!(!holds(&key, b"b", &signature, || false));
        assert!(!holds(&[3; 32], b"a", &signature, || false));
        assert!(!holds(&key, b"a", &[4; 64], || false));
        assert!(!holds(&key, b"b", &signature, || true), "a refusal is remembered too");
    }
}
