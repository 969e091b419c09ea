//! Deterministic CBOR (RFC 8949 section 4.2.1) without floats and tags.
//!
//! Invariants: bytes are scanned without recursion and without an allocation before anything is
//! decoded; what is decoded is encoded again and compared, so one value has one encoding, whatever
//! the decoder itself would let pass.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::hex;

/// Deepest nesting of arrays and maps: our deepest body has 6 levels.
pub const DEPTH_MAX: usize = 16;

/// Decodes deterministic CBOR and nothing else.
pub fn from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CborError> {
    scan(bytes)?;
    let value = serde_ipld_dagcbor::from_slice(bytes).map_err(|error| CborError::Decode {
        reason: error.to_string(),
    })?;
    let again = to_vec(&value)?;
    if again == bytes {
        return Ok(value);
    }
    let same = again
        .iter()
        .zip(bytes)
        .take_while(|(ours, theirs)| ours == theirs)
        .count();
    Err(CborError::Differs { at: same })
}

/// Encodes deterministically.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CborError> {
    serde_ipld_dagcbor::to_vec(value).map_err(|error| CborError::Encode {
        reason: error.to_string(),
    })
}

/// One array or map that is being read.
#[derive(Clone, Copy)]
struct Open {
    /// Items yet to come; of a map, keys and values.
    left: u64,
    map: bool,
    /// Where the last key of a map began and ended; both 0 before the first.
    key: (usize, usize),
}

/// Checks that `bytes` are exactly one item of deterministic CBOR without floats, tags and simple
/// values other than false, true and null, no deeper than [`DEPTH_MAX`].
pub fn scan(bytes: &[u8]) -> Result<(), CborError> {
    let mut open = [Open {
        left: 0,
        map: false,
        key: (0, 0),
    }; DEPTH_MAX];
    let (mut depth, mut at) = (0, 0);
    loop {
        let head = Head::read(bytes, at)?;
        let is_key = depth != 0 && open[depth - 1].map && open[depth - 1].left.is_multiple_of(2);
        let end = skip_scalar(bytes, at, &head)?;
        if is_key {
            let map = &mut open[depth - 1];
            check_key(bytes, map.key, (at, end), &head)?;
            map.key = (at, end);
        }
        if depth != 0 {
            open[depth - 1].left -= 1;
        }
        at = end;
        if matches!(head.major, 4 | 5) {
            if depth == DEPTH_MAX {
                return Err(CborError::TooDeep { at: head.at });
            }
            let map = head.major == 5;
            let left = if map {
                head.value.saturating_mul(2)
            } else {
                head.value
            };
            if ((bytes.len() - at) as u64) < left {
                return Err(CborError::Truncated { at: bytes.len() });
            }
            open[depth] = Open {
                left,
                map,
                key: (0, 0),
            };
            depth += 1;
        }
        while depth != 0 && open[depth - 1].left == 0 {
            depth -= 1;
        }
        if depth == 0 {
            return if at == bytes.len() {
                Ok(())
            } else {
                Err(CborError::Trailing { at })
            };
        }
    }
}

/// A head of one item: major type and argument in the shortest form.
struct Head {
    at: usize,
    major: u8,
    info: u8,
    value: u64,
    /// First byte after the head.
    end: usize,
}

impl Head {
    fn read(bytes: &[u8], at: usize) -> Result<Head, CborError> {
        let first = *bytes
            .get(at)
            .ok_or(CborError::Truncated { at: bytes.len() })?;
        let (major, info) = (first >> 5, first & 31);
        let width = match info {
            0..=23 => 0,
            24..=27 => 1 << (info - 24),
            31 => return Err(CborError::Indefinite { at }),
            _ => return Err(CborError::Reserved { at }),
        };
        let end = at + 1 + width;
        let argument = bytes
            .get(at + 1..end)
            .ok_or(CborError::Truncated { at: bytes.len() })?;
        let value = match width {
            0 => u64::from(info),
            _ => argument
                .iter()
                .fold(0, |value, byte| value << 8 | u64::from(*byte)),
        };
        let least = [0, 24, 0x100, 0, 0x1_0000, 0, 0, 0, 0x1_0000_0000];
        if major != 7 && value < least[width] {
            return Err(CborError::NotShortest { at });
        }
        Ok(Head {
            at,
            major,
            info,
            value,
            end,
        })
    }
}

/// The end of the item, or of its head if it is an array or a map.
fn skip_scalar(bytes: &[u8], at: usize, head: &Head) -> Result<usize, CborError> {
    match (head.major, head.info) {
        (0 | 1 | 4 | 5, _) | (7, 20..=22) => Ok(head.end),
        (2 | 3, _) => {
            let length = usize::try_from(head.value).unwrap_or(usize::MAX);
            let end = head.end.saturating_add(length);
            let content = bytes
                .get(head.end..end)
                .ok_or(CborError::Truncated { at: bytes.len() })?;
            match std::str::from_utf8(content) {
                Err(fault) if head.major == 3 => Err(CborError::NotUtf8 {
                    at: head.end + fault.valid_up_to(),
                }),
                _ => Ok(end),
            }
        }
        (6, _) => Err(CborError::Tag { at }),
        (_, 25..=27) => Err(CborError::Float { at }),
        _ => Err(CborError::Simple { at }),
    }
}

/// Keys are integers, byte or text strings, in bytewise order of their encodings.
fn check_key(
    bytes: &[u8],
    last: (usize, usize),
    key: (usize, usize),
    head: &Head,
) -> Result<(), CborError> {
    let at = key.0;
    if 3 < head.major {
        return Err(CborError::KeyType { at });
    }
    if last == (0, 0) {
        return Ok(());
    }
    match bytes[last.0..last.1].cmp(&bytes[key.0..key.1]) {
        std::cmp::Ordering::Less => Ok(()),
        std::cmp::Ordering::Equal => Err(CborError::KeyRepeated { at }),
        std::cmp::Ordering::Greater => Err(CborError::KeyOrder { at }),
    }
}

/// Shows any deterministic CBOR as JSON for people: bytes as hexadecimal text, keys as text.
pub fn to_json(bytes: &[u8]) -> Result<Value, CborError> {
    scan(bytes)?;
    let mut at = 0;
    Ok(json_item(bytes, &mut at))
}

/// Recursion is bounded: only scanned bytes come here.
fn json_item(bytes: &[u8], at: &mut usize) -> Value {
    let head = Head::read(bytes, *at).expect("scanned before");
    *at = skip_scalar(bytes, *at, &head).expect("scanned before");
    let content = &bytes[head.end..*at];
    match head.major {
        0 => head.value.into(),
        1 => match i64::try_from(-1 - i128::from(head.value)) {
            Ok(value) => value.into(),
            Err(_) => (-1 - i128::from(head.value)).to_string().into(),
        },
        2 => hex::encode(content).into(),
        3 => String::from_utf8_lossy(content).into(),
        4 => (0..head.value).map(|_| json_item(bytes, at)).collect(),
        5 => {
            let pairs = (0..head.value).map(|_| {
                let key = match json_item(bytes, at) {
                    Value::String(text) => text,
                    other => other.to_string(),
                };
                (key, json_item(bytes, at))
            });
            Value::Object(pairs.collect())
        }
        _ => match head.info {
            20 => false.into(),
            21 => true.into(),
            _ => Value::Null,
        },
    }
}

/// What is wrong with CBOR, and where: `at` counts bytes from 0.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each message says what its variant means")]
pub enum CborError {
    #[error("the data end at byte {at}, in the middle of an item")]
    Truncated { at: usize },
    #[error("more data after the item, from byte {at}")]
    Trailing { at: usize },
    #[error("an item of indefinite length at byte {at}")]
    Indefinite { at: usize },
    #[error("a reserved length code at byte {at}")]
    Reserved { at: usize },
    #[error("a number or length not in its shortest form at byte {at}")]
    NotShortest { at: usize },
    #[error("more than {DEPTH_MAX} levels of nesting at byte {at}")]
    TooDeep { at: usize },
    #[error("a floating-point number at byte {at}")]
    Float { at: usize },
    #[error("a tag at byte {at}")]
    Tag { at: usize },
    #[error("a simple value other than false, true and null at byte {at}")]
    Simple { at: usize },
    #[error("text that is not UTF-8 at byte {at}")]
    NotUtf8 { at: usize },
    #[error("a map key that is no number, text or bytes at byte {at}")]
    KeyType { at: usize },
    #[error("a map key out of order at byte {at}")]
    KeyOrder { at: usize },
    #[error("a map key repeated at byte {at}")]
    KeyRepeated { at: usize },
    #[error("not the expected content: {reason}")]
    Decode { reason: String },
    #[error("not the one encoding of its content: it differs from byte {at}")]
    Differs { at: usize },
    #[error("cannot be encoded: {reason}")]
    Encode { reason: String },
}
