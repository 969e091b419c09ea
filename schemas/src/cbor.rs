//! Deterministic CBOR (RFC 8949 section 4.2.1) without floats and tags.
//!
//! Invariants: bytes are scanned without recursion and without an allocation before anything is
//! decoded; what is decoded is held against what the encoder would write, so one value has one
//! encoding, whatever the decoder itself would let pass.

mod same;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::hex;

/// Deepest nesting of arrays and maps: our deepest body has 6 levels.
pub const DEPTH_MAX: usize = 16;

/// Decodes deterministic CBOR and nothing else.
pub fn from_slice<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CborError> {
    scan(bytes)?;
    from_scanned(bytes)
}

/// Like [`from_slice`], for bytes that [`scan`] has passed, or a map of some of their entries.
pub(crate) fn from_scanned<T>(bytes: &[u8]) -> Result<T, CborError>
where
    T: Serialize + DeserializeOwned,
{
    let value = serde_ipld_dagcbor::from_slice(bytes).map_err(|error| {
        let reason = match error {
            serde_ipld_dagcbor::DecodeError::Msg(words) => words,
            other => other.to_string(),
        };
        CborError::Decode { reason }
    })?;
    if same::encodes_to(&value, bytes) {
        return Ok(value);
    }
    let again = to_vec(&value)?;
    if again == bytes {
        return Ok(value);
    }
    let same = again.iter().zip(bytes).take_while(|(ours, theirs)| ours == theirs).count();
    Err(CborError::Differs { at: same })
}

/// Encodes deterministically.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CborError> {
    serde_ipld_dagcbor::to_vec(value)
        .map_err(|error| CborError::Encode { reason: error.to_string() })
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
    let mut open = [Open { left: 0, map: false, key: (0, 0) }; DEPTH_MAX];
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
            let left = if map { head.value.saturating_mul(2) } else { head.value };
            if ((bytes.len() - at) as u64) < left {
                return Err(CborError::Truncated { at: bytes.len() });
            }
            open[depth] = Open { left, map, key: (0, 0) };
            depth += 1;
        }
        while depth != 0 && open[depth - 1].left == 0 {
            depth -= 1;
        }
        if depth == 0 {
            return if at == bytes.len() { Ok(()) } else { Err(CborError::Trailing { at }) };
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
        let first = *bytes.get(at).ok_or(CborError::Truncated { at: bytes.len() })?;
        let (major, info) = (first >> 5, first & 31);
        let width = match info {
            0..=23 => 0,
            24..=27 => 1 << (info - 24),
            31 => return Err(CborError::Indefinite { at }),
            _ => return Err(CborError::Reserved { at }),
        };
        let end = at + 1 + width;
        let argument = bytes.get(at + 1..end).ok_or(CborError::Truncated { at: bytes.len() })?;
        let value = match width {
            0 => u64::from(info),
            _ => argument.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)),
        };
        let least = [0, 24, 0x100, 0, 0x1_0000, 0, 0, 0, 0x1_0000_0000];
        if major != 7 && value < least[width] {
            return Err(CborError::NotShortest { at });
        }
        Ok(Head { at, major, info, value, end })
    }
}

/// The end of the item, or of its head if it is an array or a map.
fn skip_scalar(bytes: &[u8], at: usize, head: &Head) -> Result<usize, CborError> {
    match (head.major, head.info) {
        (0 | 1 | 4 | 5, _) | (7, 20..=22) => Ok(head.end),
        (2 | 3, _) => {
            let length = usize::try_from(head.value).unwrap_or(usize::MAX);
            let end = head.end.saturating_add(length);
            let content =
                bytes.get(head.end..end).ok_or(CborError::Truncated { at: bytes.len() })?;
            match std::str::from_utf8(content) {
                Err(fault) if head.major == 3 => {
                    Err(CborError::NotUtf8 { at: head.end + fault.valid_up_to() })
                }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde::Deserialize;

    #[test]
    fn each_fault_is_named_with_its_place() {
        let cases: &[(&[u8], CborError)] = &[
            (&[], CborError::Truncated { at: 0 }),
            (&[0x19, 0x01], CborError::Truncated { at: 2 }),
            (&[0x43, 1, 2], CborError::Truncated { at: 3 }),
            (
                &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                CborError::Truncated { at: 9 },
            ),
            (
                &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                CborError::Truncated { at: 9 },
            ),
            (
                &[0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
                CborError::Truncated { at: 9 },
            ),
            (&[0x82, 0x00], CborError::Truncated { at: 2 }),
            (&[0x00, 0x00], CborError::Trailing { at: 1 }),
            (&[0x81, 0x9f, 0xff], CborError::Indefinite { at: 1 }),
            (&[0x81, 0x1c], CborError::Reserved { at: 1 }),
            (&[0x81, 0x18, 0x17], CborError::NotShortest { at: 1 }),
            (&[0x81, 0x58, 0x01, 0x00], CborError::NotShortest { at: 1 }),
            (&[0x81, 0xf9, 0x00, 0x00], CborError::Float { at: 1 }),
            (&[0x81, 0xc0, 0x00], CborError::Tag { at: 1 }),
            (&[0x81, 0xf7], CborError::Simple { at: 1 }),
            (&[0x81, 0xf8, 0x20], CborError::Simple { at: 1 }),
            (&[0x62, 0x41, 0xff], CborError::NotUtf8 { at: 2 }),
            (&[0xa1, 0xf5, 0x00], CborError::KeyType { at: 1 }),
            (&[0xa2, 0x02, 0x00, 0x01, 0x00], CborError::KeyOrder { at: 3 }),
            (&[0xa2, 0x01, 0x00, 0x01, 0x00], CborError::KeyRepeated { at: 3 }),
            // A shorter key comes first, whatever its letters.
            (&[0xa2, 0x62, 0x61, 0x61, 0x00, 0x61, 0x62, 0x00], CborError::KeyOrder { at: 5 }),
        ];
        for (bytes, fault) in cases {
            assert_eq!(scan(bytes).as_ref(), Err(fault), "{bytes:02x?}");
        }
    }

    #[test]
    fn nesting_is_bounded_without_recursion() {
        let nested = |levels: usize| [vec![0x81; levels], vec![0x00]].concat();
        assert_eq!(scan(&nested(DEPTH_MAX)), Ok(()));
        assert_eq!(scan(&nested(DEPTH_MAX + 1)), Err(CborError::TooDeep { at: DEPTH_MAX }));
        assert_eq!(scan(&nested(1_000_000)), Err(CborError::TooDeep { at: DEPTH_MAX }));
        assert_eq!(scan(&[0xa1, 0x00, 0xa0]), Ok(()));
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Body {
        v: u64,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    }

    #[test]
    fn what_decodes_but_is_not_its_own_encoding_is_refused() {
        let body = Body { v: 1, name: Some("lot".to_owned()) };
        let bytes = to_vec(&body).unwrap();
        assert_eq!(from_slice::<Body>(&bytes), Ok(body));
        // A key that the type does not have, and a null that it would leave out.
        for other in [
            &[0xa2, 0x61, 0x76, 1, 0x61, 0x77, 2][..],
            &[0xa2, 0x61, 0x76, 1, 0x64, 0x6e, 0x61, 0x6d, 0x65, 0xf6],
        ] {
            assert!(
                matches!(from_slice::<Body>(other), Err(CborError::Differs { .. })),
                "{other:02x?}"
            );
        }
        assert!(matches!(from_slice::<Body>(&[0x80]), Err(CborError::Decode { .. })));
    }

    #[test]
    fn people_see_json() {
        let bytes = [0xa3, 0x01, 0x20, 0x61, 0x61, 0x42, 1, 2, 0x61, 0x62, 0x82, 0xf5, 0xf6];
        let json = to_json(&bytes).unwrap();
        assert_eq!(json, serde_json::json!({"1": -1, "a": "0102", "b": [true, null]}));
        let wide = [0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(to_json(&wide).unwrap(), "-18446744073709551616");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = (scan(&bytes), to_json(&bytes), from_slice::<Body>(&bytes));
        }

        #[test]
        fn what_another_implementation_encodes_is_accepted(
            pairs in prop::collection::btree_map(0..5000u64, "[a-z]{0,40}", 0..20),
        ) {
            let entries = pairs.iter().map(|(key, text)| {
                (ciborium::Value::from(*key), ciborium::Value::from(text.as_str()))
            });
            let map = ciborium::Value::Map(entries.collect());
            let mut bytes = Vec::new();
            ciborium::into_writer(&map, &mut bytes).unwrap();
            prop_assert_eq!(scan(&bytes), Ok(()));
            for length in 0..bytes.len() {
                prop_assert!(scan(&bytes[..length]).is_err());
            }
        }
    }
}
