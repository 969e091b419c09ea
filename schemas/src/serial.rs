//! Serials that nobody can guess, from a number under a secret label key.
//!
//! A serial is 100 bits as 20 characters of Crockford's base 32 (no I, L, O, U): 64 bits of a tag
//! over GTIN, label order and number, then the number's 36 bits, masked under the tag. So whoever
//! has the key reads the number from the serial and proves it by making the tag again: it needs no
//! table of serials to tell what was never issued. Without the key a serial looks random, and a
//! guess passes once in 2^64.
//!
//! Invariants: a serial has one text; two numbers of one order, or two orders, share a serial only
//! if a 64-bit tag and a 36-bit mask collide. `schemas/spec/label.md` says it in bytes.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Characters of a serial: all that AI 21 holds.
pub const SERIAL_CHARS: usize = 20;
/// Largest number: 36 bits.
pub const NUMBER_MAX: u64 = (1 << NUMBER_BITS) - 1;

const NUMBER_BITS: u32 = 36;
const TAG_BYTES: usize = 8;
const _: () = assert!(TAG_BYTES * 8 + NUMBER_BITS as usize == SERIAL_CHARS * 5);

/// Crockford's base 32: the place is the value.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// What the two keys are derived for.
const MAC: &[u8] = b"hallmark label 1 tag";
const MASK: &[u8] = b"hallmark label 1 mask";

/// The secret that makes and checks an issuer's serials.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct LabelKey {
    mac: [u8; 32],
    mask: [u8; 32],
}

impl std::fmt::Debug for LabelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LabelKey(secret)")
    }
}

/// HMAC-SHA-256 over one message.
fn hmac(key: &[u8; 32], message: &[u8]) -> Hmac<Sha256> {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    hmac.update(message);
    hmac
}

/// What the tag is over. CBOR keeps the parts apart, whatever an order's text is.
fn message(gtin: &str, order: &str, number: u64) -> Vec<u8> {
    crate::cbor::to_vec(&(gtin, order, number)).expect("texts and an integer are CBOR")
}

impl LabelKey {
    /// The keys of a 32-byte secret, which must come from a secure random source.
    pub fn from_secret(secret: &[u8; 32]) -> LabelKey {
        let derive = |purpose| hmac(secret, purpose).finalize().into_bytes().into();
        LabelKey { mac: derive(MAC), mask: derive(MASK) }
    }

    /// The serial of a number of a label order; `None` beyond [`NUMBER_MAX`].
    pub fn serial(&self, gtin: &str, order: &str, number: u64) -> Option<String> {
        if NUMBER_MAX < number {
            return None;
        }
        let tag = hmac(&self.mac, &message(gtin, order, number)).finalize().into_bytes();
        let tag: [u8; TAG_BYTES] = tag[..TAG_BYTES].try_into().expect("32 bytes begin with 8");
        let masked = number ^ self.mask(&tag);
        Some(encode(u128::from(u64::from_be_bytes(tag)) << NUMBER_BITS | u128::from(masked)))
    }

    /// The number that a serial must have if it is one of ours; `None` for a text that is no
    /// serial. It proves nothing: [`LabelKey::is_serial`] does.
    pub fn number(&self, serial: &str) -> Option<u64> {
        let (tag, masked) = split(serial)?;
        Some(masked ^ self.mask(&tag))
    }

    /// Whether the serial was made with this key for this GTIN and order. Takes as long for a
    /// wrong one as for a right one.
    pub fn is_serial(&self, gtin: &str, order: &str, serial: &str) -> bool {
        let Some((tag, masked)) = split(serial) else {
            return false;
        };
        let number = masked ^ self.mask(&tag);
        hmac(&self.mac, &message(gtin, order, number)).verify_truncated_left(&tag).is_ok()
    }

    /// 36 bits that hide the number.
    fn mask(&self, tag: &[u8; TAG_BYTES]) -> u64 {
        let bytes = hmac(&self.mask, tag).finalize().into_bytes();
        u64::from_be_bytes(bytes[..8].try_into().expect("32 bytes begin with 8")) & NUMBER_MAX
    }
}

fn encode(bits: u128) -> String {
    let places = (0..SERIAL_CHARS).rev();
    places.map(|place| char::from(ALPHABET[(bits >> (place * 5)) as usize & 31])).collect()
}

fn split(serial: &str) -> Option<([u8; TAG_BYTES], u64)> {
    if serial.len() != SERIAL_CHARS {
        return None;
    }
    let mut bits: u128 = 0;
    for byte in serial.bytes() {
        let value = ALPHABET.iter().position(|known| *known == byte)?;
        bits = bits << 5 | value as u128;
    }
    // 100 bits: what is shifted out leaves 64, what is masked leaves 36.
    let tag = ((bits >> NUMBER_BITS) as u64).to_be_bytes();
    Some((tag, bits as u64 & NUMBER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const GTIN: &str = "09521234000129";

    fn key(byte: u8) -> LabelKey {
        LabelKey::from_secret(&[byte; 32])
    }

    #[test]
    fn serials_are_those_of_the_golden_vectors() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../vectors/labels.json")).unwrap();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let vectors = file["serials"].as_array().unwrap();
        assert!(4 <= vectors.len());
        for vector in vectors {
            let secret = crate::hex::decode_array(&text(&vector["secret"])).unwrap();
            let (gtin, order) = (text(&vector["gtin"]), text(&vector["order"]));
            let number = vector["number"].as_u64().unwrap();
            let key = LabelKey::from_secret(&secret);
            let serial = key.serial(&gtin, &order, number).unwrap();
            assert_eq!(serial, text(&vector["serial"]));
            assert_eq!(key.number(&serial), Some(number));
            assert!(key.is_serial(&gtin, &order, &serial));
        }
    }

    #[test]
    fn a_number_beyond_36_bits_has_no_serial() {
        assert!(key(1).serial(GTIN, "A", NUMBER_MAX).is_some());
        assert_eq!(key(1).serial(GTIN, "A", NUMBER_MAX + 1), None);
    }

    #[test]
    fn another_gtin_order_or_key_does_not_know_the_serial() {
        let serial = key(1).serial(GTIN, "A1", 7).unwrap();
        assert!(!key(2).is_serial(GTIN, "A1", &serial));
        assert!(!key(1).is_serial("09521234000136", "A1", &serial));
        assert!(!key(1).is_serial(GTIN, "A", &serial));
        // Parts do not run into one another: `A` and 17 are not `A1` and 7.
        assert_ne!(key(1).serial(GTIN, "A", 17), Some(serial));
    }

    #[test]
    fn texts_that_are_no_serial_have_no_number() {
        let good = key(1).serial(GTIN, "A", 7).unwrap();
        let lower = good.to_lowercase();
        for text in ["", "7", &good[1..], &format!("{good}0"), &lower, "IIIIIIIIIIIIIIIIIIII"] {
            assert_eq!(key(1).number(text), None, "{text}");
            assert!(!key(1).is_serial(GTIN, "A", text), "{text}");
        }
        assert_eq!(key(1).number("ééééé00000"), None, "20 bytes, but not 20 characters");
    }

    #[test]
    fn ten_thousand_serials_are_distinct_and_do_not_count_up() {
        let key = key(3);
        let made: Vec<String> = (0..10_000).map(|n| key.serial(GTIN, "A", n).unwrap()).collect();
        let distinct: BTreeSet<&String> = made.iter().collect();
        assert_eq!(distinct.len(), made.len());
        let rising = made.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((4_700..5_300).contains(&rising), "{rising} of 9,999 neighbours rise");
    }

    proptest! {
        #[test]
        fn one_changed_character_is_never_issued(
            number in 0..=NUMBER_MAX, place in 0..SERIAL_CHARS, other in 0..32usize,
        ) {
            let key = key(9);
            let good = key.serial(GTIN, "A", number).unwrap();
            prop_assert!(key.is_serial(GTIN, "A", &good));
            let mut bytes = good.clone().into_bytes();
            bytes[place] = ALPHABET[other];
            let changed = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(key.is_serial(GTIN, "A", &changed), changed == good);
        }
    }
}
