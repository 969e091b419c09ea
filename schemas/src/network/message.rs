//! The COSE_Sign message that a network file is.

use minicbor::{Decoder, Encoder};
use std::collections::BTreeMap;

use super::{NetworkError, REGISTRARS_MAX};
use crate::cose::{ALG_ED25519, LABEL_ALG, LABEL_CONTENT_TYPE, LABEL_KID};
use crate::key::KeyId;

const CONTENT_TYPE: &str = "application/vnd.hallmark.network-file+cbor";
/// Tag of COSE_Sign (RFC 9052 section 4.1).
const TAG_COSE_SIGN: u64 = 98;

/// Ed25519 signatures by the id of their key.
pub(super) type Signatures = BTreeMap<KeyId, [u8; 64]>;

fn protected_body() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    let done =
        encoder.map(1).and_then(|e| e.i64(LABEL_CONTENT_TYPE)).and_then(|e| e.str(CONTENT_TYPE));
    done.expect("writing to memory cannot fail");
    bytes
}

fn protected_signer(kid: &KeyId) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes);
    let done = encoder
        .map(2)
        .and_then(|e| e.i64(LABEL_ALG)?.i64(ALG_ED25519))
        .and_then(|e| e.i64(LABEL_KID)?.bytes(kid.bytes()));
    done.expect("writing to memory cannot fail");
    bytes
}

/// `["Signature", body protected, signer protected, h'', payload]` of RFC 9052 section 4.4.
pub(super) fn signed_bytes(kid: &KeyId, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 160);
    let mut encoder = Encoder::new(&mut bytes);
    let done = encoder
        .array(5)
        .and_then(|e| e.str("Signature")?.bytes(&protected_body())?.bytes(&protected_signer(kid)))
        .and_then(|e| e.bytes(&[])?.bytes(payload));
    done.expect("writing to memory cannot fail");
    bytes
}

pub(super) fn encode(payload: &[u8], signatures: &Signatures) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 160 * (1 + signatures.len()));
    let mut encoder = Encoder::new(&mut bytes);
    let mut write = || -> Result<(), minicbor::encode::Error<std::convert::Infallible>> {
        encoder.tag(minicbor::data::Tag::new(TAG_COSE_SIGN))?.array(4)?;
        encoder.bytes(&protected_body())?.map(0)?.bytes(payload)?;
        encoder.array(signatures.len() as u64)?;
        for (kid, signature) in signatures {
            encoder.array(3)?.bytes(&protected_signer(kid))?.map(0)?.bytes(signature)?;
        }
        Ok(())
    };
    write().expect("writing to memory cannot fail");
    bytes
}

/// Payload and signatures. What this skips over, the comparison with [`encode`] checks.
pub(super) fn read(bytes: &[u8]) -> Result<(&[u8], Signatures), NetworkError> {
    let mut decoder = Decoder::new(bytes);
    let parts = read_parts(&mut decoder);
    let at = decoder.position();
    match parts {
        Some(parts) if at == bytes.len() => Ok(parts),
        _ => Err(NetworkError::NotSigned { at }),
    }
}

fn read_parts<'a>(d: &mut Decoder<'a>) -> Option<(&'a [u8], Signatures)> {
    let tag = d.tag().ok()?.as_u64();
    let shape = d.array().ok()?? == 4 && d.bytes().ok()? == protected_body();
    if tag != TAG_COSE_SIGN || !shape || d.map().ok()?? != 0 {
        return None;
    }
    let payload = d.bytes().ok()?;
    let mut signatures = BTreeMap::new();
    let count = d.array().ok()??;
    if 2 * REGISTRARS_MAX as u64 <= count {
        return None;
    }
    for _ in 0..count {
        if d.array().ok()?? != 3 {
            return None;
        }
        let protected = d.bytes().ok()?;
        let kid: [u8; 32] = protected.get(protected.len().checked_sub(32)?..)?.try_into().ok()?;
        let kid = KeyId::from_bytes(kid);
        if protected != protected_signer(&kid) || d.map().ok()?? != 0 {
            return None;
        }
        signatures.insert(kid, d.bytes().ok()?.try_into().ok()?);
    }
    Some((payload, signatures))
}
