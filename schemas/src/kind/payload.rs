//! The payload map: a body's own fields, `v` and `salt`.
//!
//! Invariants: keys stand in bytewise order of their encoding; `split` undoes `join` exactly.

use super::PAYLOAD_VERSION;
use super::check::{FieldError, FieldFault};
use minicbor::{Decoder, Encoder};
use std::ops::Range;

/// Most fields of a payload: the widest kind has 24.
const FIELDS_MAX: u64 = 64;

/// Why a payload is no map with `v` and `salt`.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Not a map of text keys.
    #[error("is not a map with text keys, at byte {at}")]
    NotAMap {
        /// Byte offset in the payload.
        at: usize,
    },
    /// More fields than any kind has.
    #[error("has {found} fields, over {FIELDS_MAX}")]
    TooManyFields {
        /// What its head claims.
        found: u64,
    },
    /// No `v`, or one of another release.
    #[error("is of version {found}, known is {PAYLOAD_VERSION}")]
    Version {
        /// Its `v`.
        found: u64,
    },
    /// No number `v`.
    #[error("has no version `v`")]
    NoVersion,
    /// No `salt` of 16 bytes.
    #[error("has no salt of 16 bytes")]
    Salt,
}

/// One entry of a CBOR map.
struct Member<'a> {
    key: &'a str,
    /// Where key and value stand.
    range: Range<usize>,
    /// Where the value begins.
    value: usize,
}

/// The entries of a CBOR map.
fn entries(bytes: &[u8]) -> Result<Vec<Member<'_>>, FrameError> {
    let mut decoder = Decoder::new(bytes);
    let fault = |at| FrameError::NotAMap { at };
    let count = decoder.map().ok().flatten().ok_or(fault(0))?;
    if FIELDS_MAX < count {
        return Err(FrameError::TooManyFields { found: count });
    }
    let mut entries = Vec::new();
    for _ in 0..count {
        let start = decoder.position();
        let key = decoder.str().map_err(|_| fault(start))?;
        let value = decoder.position();
        decoder.skip().map_err(|_| fault(value))?;
        let range = start..decoder.position();
        entries.push(Member { key, range, value });
    }
    if decoder.position() != bytes.len() {
        return Err(fault(decoder.position()));
    }
    Ok(entries)
}

fn write_map(parts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(9 + parts.iter().map(|part| part.len()).sum::<usize>());
    Encoder::new(&mut bytes).map(parts.len() as u64).expect("writing to memory cannot fail");
    for part in parts {
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Takes `v` and `salt` out: the map of the other fields, and the salt.
///
/// The caller has scanned `bytes`: they are deterministic CBOR within the depth limit.
pub fn split(bytes: &[u8]) -> Result<(Vec<u8>, [u8; 16]), FrameError> {
    let (mut version, mut salt, mut own) = (None, None, Vec::new());
    for Member { key, range, value } in entries(bytes)? {
        match key {
            "v" => version = Decoder::new(&bytes[value..range.end]).u64().ok(),
            "salt" => salt = Decoder::new(&bytes[value..range.end]).bytes().ok(),
            _ => own.push(&bytes[range]),
        }
    }
    match version {
        Some(PAYLOAD_VERSION) => {}
        Some(found) => return Err(FrameError::Version { found }),
        None => return Err(FrameError::NoVersion),
    }
    let salt = salt.and_then(|salt| salt.try_into().ok()).ok_or(FrameError::Salt)?;
    Ok((write_map(&own), salt))
}

/// Puts `v` and `salt` among the fields of a body.
pub fn join(fields: &[u8], salt: &[u8; 16]) -> Vec<u8> {
    let mut extra = Vec::new();
    let mut encoder = Encoder::new(&mut extra);
    encoder.str("v").and_then(|e| e.u64(PAYLOAD_VERSION)).expect("writing to memory cannot fail");
    let boundary = encoder.writer().len();
    encoder.str("salt").and_then(|e| e.bytes(salt)).expect("writing to memory cannot fail");
    let own = entries(fields).expect("a body is encoded as a map with text keys");
    let mut parts: Vec<&[u8]> = own.into_iter().map(|member| &fields[member.range]).collect();
    parts.push(&extra[..boundary]);
    parts.push(&extra[boundary..]);
    // The order of whole entries is the order of their keys: no key is a prefix of another's
    // encoding, because the length comes first.
    parts.sort_unstable();
    write_map(&parts)
}

/// A body's JSON object without the `v` and `salt` that a client may have copied along.
pub(super) fn json_fields(mut json: serde_json::Value) -> Result<serde_json::Value, FieldError> {
    let Some(object) = json.as_object_mut() else {
        return Err(FieldError::new("", FieldFault::Malformed { expected: "a JSON object" }));
    };
    object.remove("salt");
    match object.remove("v") {
        Some(version) if version.as_u64() != Some(PAYLOAD_VERSION) => {
            Err(FieldError::new("/v", FieldFault::Malformed { expected: "the number 1" }))
        }
        _ => Ok(json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn join_sorts_and_split_undoes_it() {
        let fields = crate::cbor::to_vec(&serde_json::json!({"a": 1, "zz": 2, "long_name": 3}));
        let fields = fields.unwrap();
        let joined = join(&fields, &[7; 16]);
        crate::cbor::scan(&joined).unwrap();
        assert_eq!(split(&joined), Ok((fields.clone(), [7; 16])));
        assert_eq!(split(&fields), Err(FrameError::NoVersion));
    }

    #[test]
    fn what_is_no_map_is_refused() {
        assert_eq!(split(&[0x80]), Err(FrameError::NotAMap { at: 0 }));
        assert_eq!(split(&[]), Err(FrameError::NotAMap { at: 0 }));
        assert_eq!(split(&[0xa1, 0x01, 0x02]), Err(FrameError::NotAMap { at: 1 }));
        assert_eq!(
            split(&[0xba, 0xff, 0xff, 0xff, 0xff]).map(|_| ()),
            Err(FrameError::TooManyFields { found: 0xffff_ffff })
        );
    }
}
