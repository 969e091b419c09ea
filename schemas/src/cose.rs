//! COSE_Sign1 (RFC 9052 section 4.2), by hand: ours, receipts, tokens and foreign messages.
//!
//! Invariants: a signature is checked over the received protected bytes, never over an encoding
//! of our own; parsing borrows and allocates nothing. Whether a message is deterministic is for
//! the caller: [`Sign1::is_deterministic`] is required of what is born here, not of what is
//! imported.

use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder};

use crate::key::{BadSignature, PublicKey, SIGNATURE_BYTES, SignError, Signer};

/// COSE algorithm of Hallmark's own messages: Ed25519 (RFC 9864).
pub const ALG_ED25519: i64 = -19;
/// Header label of the algorithm.
pub const LABEL_ALG: i64 = 1;
/// Header label of the content type.
pub const LABEL_CONTENT_TYPE: i64 = 3;
/// Header label of the key id.
pub const LABEL_KID: i64 = 4;
/// Header label of the CWT claims (RFC 9597).
pub const LABEL_CLAIMS: i64 = 15;
/// Header label of receipts (RFC 9942).
pub const LABEL_RECEIPTS: i64 = 394;
/// Header label of the verifiable data structure (RFC 9942).
pub const LABEL_VDS: i64 = 395;
/// Header label of verifiable data structure proofs (RFC 9942).
pub const LABEL_VDP: i64 = 396;

/// The empty map.
pub const EMPTY_MAP: &[u8] = &[0xa0];

/// A parsed message; nothing in it is checked yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sign1<'a> {
    /// Content of the protected header's byte string: a map, or nothing.
    pub protected: &'a [u8],
    /// The unprotected header as it came: one whole map.
    pub unprotected: &'a [u8],
    /// The payload; `None` if it is detached.
    pub payload: Option<&'a [u8]>,
    /// The signature, of any algorithm.
    pub signature: &'a [u8],
}

impl<'a> Sign1<'a> {
    /// Parses a message with tag 18, whatever its encoding's rules, and nothing after it.
    pub fn parse(bytes: &'a [u8]) -> Result<Sign1<'a>, CoseError> {
        let mut decoder = Decoder::new(bytes);
        if decoder.tag().ok() != Some(Tag::new(18)) {
            return Err(CoseError::NotSign1 { at: 0 });
        }
        let message = Sign1::parse_array(&mut decoder)?;
        match decoder.position() {
            end if end == bytes.len() => Ok(message),
            at => Err(CoseError::Trailing { at }),
        }
    }

    /// Parses a message that stands without its tag, as some profiles write it.
    pub fn parse_untagged(bytes: &'a [u8]) -> Result<Sign1<'a>, CoseError> {
        let mut decoder = Decoder::new(bytes);
        let message = Sign1::parse_array(&mut decoder)?;
        match decoder.position() {
            end if end == bytes.len() => Ok(message),
            at => Err(CoseError::Trailing { at }),
        }
    }

    fn parse_array(decoder: &mut Decoder<'a>) -> Result<Sign1<'a>, CoseError> {
        let input = decoder.input();
        let at = decoder.position();
        if !matches!(decoder.array(), Ok(Some(4))) {
            return Err(CoseError::NotSign1 { at });
        }
        let protected = bytes(decoder, "protected header")?;
        let start = decoder.position();
        if !matches!(decoder.datatype(), Ok(Type::Map | Type::MapIndef)) {
            return Err(CoseError::Field { name: "unprotected header", at: start });
        }
        decoder.skip().map_err(|_| CoseError::Field { name: "unprotected header", at: start })?;
        let unprotected = &input[start..decoder.position()];
        let payload = match decoder.datatype() {
            Ok(Type::Null) => {
                decoder.skip().map_err(|_| CoseError::NotSign1 { at })?;
                None
            }
            _ => Some(bytes(decoder, "payload")?),
        };
        let signature = bytes(decoder, "signature")?;
        Ok(Sign1 { protected, unprotected, payload, signature })
    }

    /// The deterministic encoding with tag 18.
    pub fn encode(&self) -> Vec<u8> {
        let content = self.protected.len()
            + self.unprotected.len()
            + self.payload.map_or(0, <[u8]>::len)
            + self.signature.len();
        let mut out = Vec::with_capacity(content + 24);
        out.extend([0xd2, 0x84]);
        put_bytes(&mut out, self.protected);
        out.extend(self.unprotected);
        match self.payload {
            Some(payload) => put_bytes(&mut out, payload),
            None => out.push(0xf6),
        }
        put_bytes(&mut out, self.signature);
        out
    }

    /// Whether `bytes`, from which this was parsed, are what [`Sign1::encode`] gives.
    /// The content of both headers is not looked at.
    pub fn is_deterministic(&self, bytes: &[u8]) -> bool {
        let byte_string = |rest, content: &[u8]| after(after(rest, &head_of(content)), content);
        let mut rest = byte_string(bytes.strip_prefix(&[0xd2, 0x84]), self.protected);
        rest = after(rest, self.unprotected);
        rest = match self.payload {
            Some(payload) => byte_string(rest, payload),
            None => after(rest, &[0xf6]),
        };
        byte_string(rest, self.signature) == Some(&[])
    }

    /// The bytes that the signature is over, for an attached payload.
    pub fn signed_bytes(&self) -> Result<Vec<u8>, CoseError> {
        self.payload
            .map(|payload| sig_structure(self.protected, payload))
            .ok_or(CoseError::Detached)
    }

    /// Checks an Ed25519 signature over the attached payload.
    pub fn check(&self, key: &PublicKey) -> Result<(), CoseError> {
        self.check_over(key, &self.signed_bytes()?)
    }

    /// Checks an Ed25519 signature over a payload that came apart.
    pub fn check_detached(&self, key: &PublicKey, payload: &[u8]) -> Result<(), CoseError> {
        self.check_over(key, &sig_structure(self.protected, payload))
    }

    fn check_over(&self, key: &PublicKey, signed: &[u8]) -> Result<(), CoseError> {
        let length = self.signature.len();
        let signature: &[u8; SIGNATURE_BYTES] =
            self.signature.try_into().map_err(|_| CoseError::SignatureLength { length })?;
        key.verify_strict(signed, signature)?;
        Ok(())
    }
}

/// Signs a payload under a protected header and encodes the message, its unprotected header empty.
pub fn sign(protected: &[u8], payload: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    let signature = signer.sign(&sig_structure(protected, payload))?;
    let message =
        Sign1 { protected, unprotected: EMPTY_MAP, payload: Some(payload), signature: &signature };
    Ok(message.encode())
}

/// `["Signature1", protected, h'', payload]`, the bytes that a signature is over.
pub fn sig_structure(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(protected.len() + payload.len() + 24);
    out.extend(b"\x84\x6aSignature1");
    put_bytes(&mut out, protected);
    out.push(0x40);
    put_bytes(&mut out, payload);
    out
}

/// Appends a byte string in its shortest form.
fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut encoder = Encoder::new(out);
    encoder.bytes(bytes).expect("writing to memory does not fail");
}

/// The head of a byte string in its shortest form.
fn head_of(content: &[u8]) -> Vec<u8> {
    let mut head = Vec::with_capacity(9);
    Encoder::new(&mut head)
        .bytes_len(content.len() as u64)
        .expect("writing to memory does not fail");
    head
}

/// What follows this part.
fn after<'a>(rest: Option<&'a [u8]>, part: &[u8]) -> Option<&'a [u8]> {
    rest?.strip_prefix(part)
}

fn bytes<'a>(decoder: &mut Decoder<'a>, name: &'static str) -> Result<&'a [u8], CoseError> {
    let at = decoder.position();
    decoder.bytes().map_err(|_| CoseError::Field { name, at })
}

/// Why bytes are no COSE_Sign1 message, or not a signed one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message says what its variant means")]
pub enum CoseError {
    #[error("not a COSE_Sign1 message: tag 18 and an array of four are expected at byte {at}")]
    NotSign1 { at: usize },
    #[error("the {name} of the COSE message is wrong or cut off at byte {at}")]
    Field { name: &'static str, at: usize },
    #[error("more data after the COSE message, from byte {at}")]
    Trailing { at: usize },
    #[error("the COSE message has no payload")]
    Detached,
    #[error("a signature has 64 bytes, this has {length}")]
    SignatureLength { length: usize },
    #[error(transparent)]
    BadSignature(#[from] BadSignature),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::SecretKey;
    use proptest::prelude::*;

    #[test]
    fn a_message_returns_from_its_bytes_and_verifies() {
        let key = SecretKey::from_seed([1; 32]);
        let bytes = sign(&[0xa1, 0x01, 0x32], b"said", &key).unwrap();
        assert_eq!(bytes[..7], [0xd2, 0x84, 0x43, 0xa1, 0x01, 0x32, 0xa0]);
        let message = Sign1::parse(&bytes).unwrap();
        assert!(message.is_deterministic(&bytes));
        assert_eq!(message.check(key.public()), Ok(()));
        assert_eq!(Sign1::parse_untagged(&bytes[1..]), Ok(message));
        let detached = Sign1 { payload: None, ..message };
        assert_eq!(detached.check(key.public()), Err(CoseError::Detached));
        assert_eq!(detached.check_detached(key.public(), b"said"), Ok(()));
        assert!(detached.check_detached(key.public(), b"sad").is_err());
        assert_eq!(Sign1::parse(&detached.encode()), Ok(detached));
        let short = Sign1 { signature: &[0; 63], ..message };
        assert_eq!(short.check(key.public()), Err(CoseError::SignatureLength { length: 63 }));
    }

    #[test]
    fn other_shapes_are_refused_with_their_place() {
        let field = |name, at| Err(CoseError::Field { name, at });
        assert_eq!(Sign1::parse(&[]), Err(CoseError::NotSign1 { at: 0 }));
        assert_eq!(Sign1::parse(&[0xd1, 0x84]), Err(CoseError::NotSign1 { at: 0 }));
        assert_eq!(Sign1::parse(&[0xd2, 0x83]), Err(CoseError::NotSign1 { at: 1 }));
        assert_eq!(Sign1::parse(&[0xd2, 0x84, 0xa0]), field("protected header", 2));
        assert_eq!(Sign1::parse(&[0xd2, 0x84, 0x40, 0x80]), field("unprotected header", 3));
        assert_eq!(Sign1::parse(&[0xd2, 0x84, 0x40, 0xa0, 0x01]), field("payload", 4));
        assert_eq!(Sign1::parse(&[0xd2, 0x84, 0x40, 0xa0, 0xf6, 0xf6]), field("signature", 5));
        let trailing = Sign1::parse(&[0xd2, 0x84, 0x40, 0xa0, 0xf6, 0x40, 0]);
        assert_eq!(trailing, Err(CoseError::Trailing { at: 6 }));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let tagged = [&[0xd2, 0x84], bytes.as_slice()].concat();
            for bytes in [&bytes, &tagged] {
                let _ = Sign1::parse_untagged(bytes);
                if let Ok(message) = Sign1::parse(bytes) {
                    let again = message.encode();
                    prop_assert_eq!(Sign1::parse(&again), Ok(message));
                }
            }
        }
    }
}
