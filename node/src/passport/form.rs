//! Tokens of the buyer's forms: that this node handed a form out, without a table of them.
//!
//! A token is the instant at which it was handed out, eight random bytes, and a tag over both, the
//! form and the goods, under a key that follows from the capture key. So a program cannot make
//! one up, nor use it for another code or the other form, and a restarted node still knows it.
//!
//! Invariants: two forms never have one token; a token names nobody and nothing is kept of it but
//! its digest, in the record of the one thing that was said with it.

use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::hex;
use hallmark_schemas::key::SecretKey;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::time::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a token: the instant, what is random, the tag.
pub const TOKEN_LEN: usize = INSTANT_LEN + RANDOM_LEN + TAG_LEN;
/// Life of a form that was not sent yet: as long as a page may stay open on a phone.
pub const LIFE_MS: i64 = 24 * 60 * 60 * 1000;

const INSTANT_LEN: usize = 8;
const RANDOM_LEN: usize = 8;
const TAG_LEN: usize = 16;

/// What the key is derived for.
const PURPOSE: &[u8] = b"hallmark form 1";

/// The secret behind the forms of one node.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct FormKey([u8; 32]);

/// A token that this node made for these goods and this form.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Token {
    /// Its digest: the identity of what is said with it.
    pub digest: Digest,
    handed_out_at: Timestamp,
}

impl Token {
    /// Whether something new may still be said with it.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        now.ms_since(self.handed_out_at) <= LIFE_MS
    }
}

impl FormKey {
    /// Of the node with this capture key.
    pub fn of(capture: &SecretKey) -> FormKey {
        FormKey(hmac(capture.seed(), PURPOSE).finalize().into_bytes().into())
    }

    /// A token for one rendered form, as text. `kind` is what the form makes.
    pub fn hand_out(&self, kind: KindName, goods: &GoodsId, now: Timestamp) -> String {
        let mut token = Vec::with_capacity(TOKEN_LEN);
        token.extend_from_slice(&now.unix_ms().to_be_bytes());
        token.extend_from_slice(&crate::keys::random::<RANDOM_LEN>());
        let tag = self.tag(kind, goods, &token).finalize().into_bytes();
        token.extend_from_slice(&tag[..TAG_LEN]);
        hex::encode(&token)
    }

    /// Reads a token; none where this node did not make it for this form and these goods.
    pub fn read(&self, kind: KindName, goods: &GoodsId, text: &str) -> Option<Token> {
        let token: [u8; TOKEN_LEN] = hex::decode_array(text)?;
        let (said, tag) = token.split_at(INSTANT_LEN + RANDOM_LEN);
        self.tag(kind, goods, said).verify_truncated_left(tag).ok()?;
        let instant = said.first_chunk::<INSTANT_LEN>()?;
        Some(Token {
            digest: Digest(Sha256::digest(token).into()),
            handed_out_at: Timestamp::from_unix_ms(u64::from_be_bytes(*instant)),
        })
    }

    fn tag(&self, kind: KindName, goods: &GoodsId, said: &[u8]) -> Hmac<Sha256> {
        // No kind and no identifier of goods holds a line end.
        let mut tag = hmac(&self.0, said);
        for part in [kind.as_str(), goods.as_str()] {
            tag.update(part.as_bytes());
            tag.update(b"\n");
        }
        tag
    }
}

/// HMAC-SHA-256 that begins with these bytes.
fn hmac(key: &[u8; 32], bytes: &[u8]) -> Hmac<Sha256> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    hmac.update(bytes);
    hmac
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_ms(1_795_000_000_000);

    fn goods(serial: &str) -> GoodsId {
        format!("https://id.gs1.org/01/09520123456788/21/{serial}").parse().unwrap()
    }

    #[test]
    fn a_token_counts_for_its_node_its_form_and_its_goods_alone() {
        use KindName::{Complaint, Confirmation};
        let key = FormKey::of(&SecretKey::from_seed([1; 32]));
        let token = key.hand_out(Confirmation, &goods("S1"), NOW);
        assert_eq!(token.len(), 2 * TOKEN_LEN);
        let read = key.read(Confirmation, &goods("S1"), &token).expect("its own");
        assert_eq!(key.read(Confirmation, &goods("S1"), &token), Some(read));
        assert_ne!(token, key.hand_out(Confirmation, &goods("S1"), NOW), "each form its own");
        assert_eq!(key.read(Complaint, &goods("S1"), &token), None);
        assert_eq!(key.read(Confirmation, &goods("S2"), &token), None);
        let other = FormKey::of(&SecretKey::from_seed([2; 32]));
        assert_eq!(other.read(Confirmation, &goods("S1"), &token), None);
        let changed = |at: usize| {
            let digit = if token.as_bytes()[at] == b'0' { "1" } else { "0" };
            format!("{}{digit}{}", &token[..at], &token[at + 1..])
        };
        for at in [0, 15, 16, 31, 32, 63] {
            assert_eq!(key.read(Confirmation, &goods("S1"), &changed(at)), None, "digit {at}");
        }
        for bad in ["", &token[1..], &token.to_uppercase(), &"a".repeat(64), "0g"] {
            assert_eq!(key.read(Confirmation, &goods("S1"), bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_has_a_bounded_life() {
        let key = FormKey::of(&SecretKey::from_seed([1; 32]));
        let token = key.hand_out(KindName::Complaint, &goods("S1"), NOW);
        let read = key.read(KindName::Complaint, &goods("S1"), &token).unwrap();
        let after = |ms: i64| NOW.checked_add_ms(ms).unwrap();
        assert!(read.is_fresh(NOW) && read.is_fresh(after(LIFE_MS)));
        assert!(!read.is_fresh(after(LIFE_MS + 1)));
    }
}
