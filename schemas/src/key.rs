//! Ed25519 keys: parsed once, checked at enrolment, verified with one deterministic rule.
//!
//! Invariants: a [`PublicKey`] is a point on the curve; every signature is decided alone and by
//! `verify_strict`, never in a batch, so all nodes give the same verdict; a key that enters the
//! record (by [`PublicKey::enrol`] or serde) is neither of small nor of mixed order.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use sha2::{Digest, Sha256};

use crate::hex;

/// Bytes of a public key.
pub const PUBLIC_KEY_BYTES: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Deterministic COSE_Key {1: 1 (OKP), -1: 6 (Ed25519), -2: x} up to the 32 bytes of x.
const COSE_KEY_HEAD: [u8; 8] = [0xa3, 0x01, 0x01, 0x20, 0x06, 0x21, 0x58, 0x20];

/// A public Ed25519 key, decompressed once.
#[derive(Clone)]
pub struct PublicKey {
    point: VerifyingKey,
    id: KeyId,
}

impl PublicKey {
    /// Takes a key that others chose, such as a witness of another network: on the curve, no more.
    pub fn parse(bytes: [u8; PUBLIC_KEY_BYTES]) -> Result<PublicKey, KeyError> {
        let point = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotOnCurve)?;
        Ok(PublicKey { point, id: KeyId::of(&bytes) })
    }

    /// Takes a key into the record: besides [`PublicKey::parse`], it must be canonical and of the
    /// prime order, so that no two implementations disagree on what it signed.
    pub fn enrol(bytes: [u8; PUBLIC_KEY_BYTES]) -> Result<PublicKey, KeyError> {
        let key = PublicKey::parse(bytes)?;
        if key.point.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        let point = key.point.to_edwards();
        if !point.is_torsion_free() {
            return Err(KeyError::MixedOrder);
        }
        if point.compress().to_bytes() != bytes {
            return Err(KeyError::NotCanonical);
        }
        Ok(key)
    }

    /// Checks one signature: canonical S and R, no small-order R or key, no cofactor.
    pub fn verify_strict(
        &self,
        message: &[u8],
        signature: &[u8; SIGNATURE_BYTES],
    ) -> Result<(), BadSignature> {
        let verify = || {
            let signature = Signature::from_bytes(signature);
            self.point.verify_strict(message, &signature).is_ok()
        };
        #[cfg(feature = "sim")]
        let holds = crate::verdicts::holds(self.bytes(), message, signature, verify);
        #[cfg(not(feature = "sim"))]
        let holds = verify();
        if holds { Ok(()) } else { Err(BadSignature { signer: self.id }) }
    }

    /// The 32 bytes of RFC 8032.
    pub fn bytes(&self) -> &[u8; PUBLIC_KEY_BYTES] {
        self.point.as_bytes()
    }

    /// The key's thumbprint, which names it everywhere.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The COSE_Key (RFC 9052 section 7) whose thumbprint is [`PublicKey::id`].
    pub fn cose_key(&self) -> Vec<u8> {
        [COSE_KEY_HEAD.as_slice(), self.bytes()].concat()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &PublicKey) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for PublicKey {}

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &PublicKey) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &PublicKey) -> std::cmp::Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl std::hash::Hash for PublicKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::Hex(self.bytes()).fmt(f)
    }
}

impl std::str::FromStr for PublicKey {
    type Err = KeyError;

    /// Reads 64 hexadecimal digits and takes the key as [`PublicKey::enrol`] does.
    fn from_str(text: &str) -> Result<PublicKey, KeyError> {
        PublicKey::enrol(hex::decode_array(text).ok_or(KeyError::NotHex)?)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_bytes(self.bytes(), serializer)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
        PublicKey::enrol(deserialize_bytes(deserializer)?).map_err(D::Error::custom)
    }
}

/// RFC 9679 thumbprint of a key: SHA-256 of its deterministic COSE_Key.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct KeyId([u8; 32]);

impl KeyId {
    /// Bytes of an id.
    pub const LEN: usize = 32;

    /// The id of a key given as bytes, on the curve or not.
    pub fn of(public: &[u8; PUBLIC_KEY_BYTES]) -> KeyId {
        KeyId(Sha256::new().chain_update(COSE_KEY_HEAD).chain_update(public).finalize().into())
    }

    /// An id read from somewhere; it need not name a known key.
    pub const fn from_bytes(bytes: [u8; 32]) -> KeyId {
        KeyId(bytes)
    }

    /// The id's bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl std::str::FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<KeyId, KeyError> {
        hex::decode_array(text).map(KeyId).ok_or(KeyError::NotHex)
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_bytes(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<KeyId, D::Error> {
        deserialize_bytes(deserializer).map(KeyId)
    }
}

/// Serializes 32 bytes: bytes in CBOR, hexadecimal text in JSON.
fn serialize_bytes<S: Serializer>(bytes: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
    if serializer.is_human_readable() {
        serializer.serialize_str(&hex::encode(bytes))
    } else {
        serializer.serialize_bytes(bytes)
    }
}

/// Reads what [`serialize_bytes`] wrote.
fn deserialize_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; 32], D::Error> {
    if deserializer.is_human_readable() {
        let text = String::deserialize(deserializer)?;
        hex::decode_array(&text).ok_or_else(|| D::Error::custom(KeyError::NotHex))
    } else {
        let bytes = serde_bytes::ByteBuf::deserialize(deserializer)?;
        let length = bytes.len();
        bytes.into_vec().try_into().map_err(|_| D::Error::invalid_length(length, &"32 bytes"))
    }
}

/// Something that signs with one key: a key file today, a security module later.
pub trait Signer: Send + Sync {
    /// The key whose signatures these are.
    fn public(&self) -> &PublicKey;

    /// Signs `message`. The same message gives the same signature (RFC 8032).
    fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], SignError>;
}

/// A private key in memory, wiped when dropped.
pub struct SecretKey {
    signing: SigningKey,
    public: PublicKey,
}

impl SecretKey {
    /// The key of a 32-byte seed, which must come from a secure random source.
    pub fn from_seed(seed: [u8; 32]) -> SecretKey {
        let signing = SigningKey::from_bytes(&seed);
        let point = signing.verifying_key();
        let id = KeyId::of(point.as_bytes());
        SecretKey { signing, public: PublicKey { point, id } }
    }

    /// The seed, to write the key's file.
    pub fn seed(&self) -> &[u8; 32] {
        self.signing.as_bytes()
    }
}

impl Signer for SecretKey {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], SignError> {
        Ok(self.signing.sign(message).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.public)
    }
}

/// Why 32 bytes are no key that can be trusted to mean one thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not 64 lower-case hexadecimal digits.
    #[error("a key is 64 lower-case hexadecimal digits")]
    NotHex,
    /// No point of the curve has this encoding.
    #[error("the public key is not a point of the curve")]
    NotOnCurve,
    /// One of the eight points that make a signature of anything.
    #[error("the public key is of small order: it would accept forged signatures")]
    SmallOrder,
    /// A small-order part is mixed in, on which implementations disagree.
    #[error("the public key is of mixed order: implementations would disagree on its signatures")]
    MixedOrder,
    /// A second encoding of the same point.
    #[error("the public key is not in canonical form")]
    NotCanonical,
}

/// A signature that the named key did not make over these bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the signature is not of key {signer} over these bytes")]
pub struct BadSignature {
    /// The key that the signature was checked with.
    pub signer: KeyId,
}

/// Why nothing was signed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The device or program that holds the key did not sign.
    #[error("the signing key cannot be used: {reason}")]
    Unavailable {
        /// What it answered.
        reason: String,
    },
    /// What was to be signed is not allowed to exist.
    #[error("refusing to sign a malformed message: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// The signed message would be larger than the limit.
    #[error("the message would be {bytes} bytes long, more than the limit of {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thumbprint_is_that_of_rfc_9679() {
        let x =
            hex::decode_array("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
                .unwrap();
        let expected = "866eefbd6718c8846cd7ddfe43fc74ab1daac4538ff8514ea2ec2d410a415743";
        let key = PublicKey::enrol(x).unwrap();
        assert_eq!(key.id().to_string(), expected);
        assert_eq!(Sha256::digest(key.cose_key())[..], key.id().bytes()[..]);
    }

    #[test]
    fn weak_keys_are_refused_at_enrolment() {
        let mut small = [0; 32];
        small[0] = 1; // the neutral element
        assert_eq!(PublicKey::enrol(small), Err(KeyError::SmallOrder));
        // Order 8.
        let eight = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
        assert_eq!(eight.parse::<PublicKey>(), Err(KeyError::SmallOrder));
        // Case 3 of speccheck: a key of mixed order whose equation holds.
        let mixed = "cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d";
        assert_eq!(mixed.parse::<PublicKey>(), Err(KeyError::MixedOrder));
        assert_eq!("zz".parse::<PublicKey>(), Err(KeyError::NotHex));
    }

    #[test]
    fn a_signature_binds_message_and_key() {
        let (one, other) = (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]));
        let signature = one.sign(b"lot 7").unwrap();
        assert_eq!(one.public().verify_strict(b"lot 7", &signature), Ok(()));
        let wrong = BadSignature { signer: one.public().id() };
        assert_eq!(one.public().verify_strict(b"lot 8", &signature), Err(wrong));
        assert!(other.public().verify_strict(b"lot 7", &signature).is_err());
        assert!(!format!("{one:?}").contains(&hex::encode(one.seed())));
    }

    #[test]
    fn keys_are_text_in_json_and_bytes_in_cbor() {
        let key = SecretKey::from_seed([3; 32]).public().clone();
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(json, format!("\"{key}\""));
        assert_eq!(serde_json::from_str::<PublicKey>(&json).unwrap(), key);
        let cbor = serde_ipld_dagcbor::to_vec(&key.id()).unwrap();
        assert_eq!(cbor[..2], [0x58, 32]);
        assert_eq!(serde_ipld_dagcbor::from_slice::<KeyId>(&cbor).unwrap(), key.id());
        assert!(serde_json::from_str::<PublicKey>(&format!("\"01{}\"", "00".repeat(31))).is_err());
    }
}
