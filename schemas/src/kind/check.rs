//! Limits on fields, with errors that name the field by its JSON pointer.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use std::fmt::Write as _;
use std::ops::RangeInclusive;

/// Longest short text such as a name or a document number, in bytes.
pub const NAME_BYTES_MAX: usize = 256;
/// Longest sentence or reason, in bytes.
pub const SENTENCE_BYTES_MAX: usize = 2048;
/// Longest code such as a unit or a parameter name, in bytes.
pub const CODE_BYTES_MAX: usize = 64;
/// Longest address, in bytes.
pub const ADDRESS_BYTES_MAX: usize = 512;
/// Most attestations that one attestation cites.
pub const CITES_MAX: usize = 1000;

/// Fewest digits in a row, spaces, hyphens, dots and brackets aside, that are taken for the number
/// of a person: a day has 8, a mobile telephone 11 in China.
const PERSON_DIGITS_MIN: u32 = 10;
/// Most goods that one attestation covers beside its subject.
pub const COVERS_MAX: usize = 1000;

/// A field that is missing, malformed or outside its limit.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{pointer}: {fault}")]
pub struct FieldError {
    /// RFC 6901 pointer to the field in the body's JSON form; empty for the whole body. Fields of
    /// the claims stand under `/sub`.
    pub pointer: String,
    /// What is wrong with it.
    pub fault: FieldFault,
}

/// What is wrong with a field.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldFault {
    /// Required, and not there.
    #[error("is missing")]
    Missing,
    /// An empty text.
    #[error("is empty")]
    Empty,
    /// A text or byte string over its limit.
    #[error("has {found} bytes, over {max}")]
    TooLong {
        /// Most bytes.
        max: usize,
        /// Bytes found.
        found: usize,
    },
    /// A text with a control character.
    #[error("holds a control character")]
    Control,
    /// A list with too few or too many members.
    #[error("has {found} members, allowed are {min} to {max}")]
    Count {
        /// Fewest.
        min: usize,
        /// Most.
        max: usize,
        /// Found.
        found: usize,
    },
    /// A number outside its range.
    #[error("is {found}, allowed are {min} to {max}")]
    OutOfRange {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// Found.
        found: i128,
    },
    /// Something twice in a list of distinct things.
    #[error("repeats an earlier member")]
    Repeated,
    /// Not of the form that the field has.
    #[error("is not {expected}")]
    Malformed {
        /// The form, as "a …".
        expected: &'static str,
    },
    /// Contradicts another field.
    #[error("{0}")]
    Inconsistent(&'static str),
    /// The field is absent, unknown or of another type: the words of the decoder.
    #[error("{0}")]
    Decode(String),
}

impl FieldError {
    /// The fault at this pointer.
    pub fn new(pointer: impl Into<String>, fault: FieldFault) -> FieldError {
        FieldError { pointer: pointer.into(), fault }
    }

    /// The same fault, with the pointer moved under `parent`.
    pub(crate) fn under(self, parent: &str) -> FieldError {
        FieldError { pointer: format!("{parent}{}", self.pointer), fault: self.fault }
    }
}

/// A text of 1 to `max` bytes without control characters.
pub(crate) fn text(pointer: &str, value: &str, max: usize) -> Result<(), FieldError> {
    let fault = if value.is_empty() {
        FieldFault::Empty
    } else if max < value.len() {
        FieldFault::TooLong { max, found: value.len() }
    } else if value.chars().any(char::is_control) {
        FieldFault::Control
    } else {
        return Ok(());
    };
    Err(FieldError::new(pointer, fault))
}

/// A text that may be absent.
pub(crate) fn optional(pointer: &str, value: Option<&str>, max: usize) -> Result<(), FieldError> {
    value.map_or(Ok(()), |value| text(pointer, value, max))
}

/// A text of lower-case letters, digits, `_`, `-` and `.`, at most [`CODE_BYTES_MAX`].
pub(crate) fn code(pointer: &str, value: &str) -> Result<(), FieldError> {
    text(pointer, value, CODE_BYTES_MAX)?;
    if value.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b)) {
        return Ok(());
    }
    let expected = "made of a-z, 0-9, `_`, `-` and `.`";
    Err(FieldError::new(pointer, FieldFault::Malformed { expected }))
}

/// The length of a list.
pub(crate) fn count(
    pointer: &str,
    found: usize,
    allowed: RangeInclusive<usize>,
) -> Result<(), FieldError> {
    if allowed.contains(&found) {
        return Ok(());
    }
    let (min, max) = (*allowed.start(), *allowed.end());
    Err(FieldError::new(pointer, FieldFault::Count { min, max, found }))
}

/// A number within its range.
pub(crate) fn range(
    pointer: &str,
    value: impl Into<i128>,
    allowed: RangeInclusive<i64>,
) -> Result<(), FieldError> {
    let found = value.into();
    if i128::from(*allowed.start()) <= found && found <= i128::from(*allowed.end()) {
        return Ok(());
    }
    let (min, max) = (*allowed.start(), *allowed.end());
    Err(FieldError::new(pointer, FieldFault::OutOfRange { min, max, found }))
}

/// Fails unless `holds`.
pub(crate) fn consistent(
    pointer: &str,
    holds: bool,
    otherwise: &'static str,
) -> Result<(), FieldError> {
    if holds {
        return Ok(());
    }
    Err(FieldError::new(pointer, FieldFault::Inconsistent(otherwise)))
}

/// Fails with `expected` unless `holds`.
pub(crate) fn form(pointer: &str, holds: bool, expected: &'static str) -> Result<(), FieldError> {
    if holds {
        return Ok(());
    }
    Err(FieldError::new(pointer, FieldFault::Malformed { expected }))
}

/// `replaces` and its reason come together.
pub(crate) fn correction(replaces: bool, reason: Option<&str>) -> Result<(), FieldError> {
    optional("/reason", reason, SENTENCE_BYTES_MAX)?;
    consistent("/reason", replaces == reason.is_some(), "stands with `replaces`, and only there")
}

/// Sorted and without repetition: one set, one encoding.
pub(crate) fn sorted_set<T: Ord>(pointer: &str, values: &[T]) -> Result<(), FieldError> {
    let holds = values.windows(2).all(|pair| pair[0] < pair[1]);
    form(pointer, holds, "sorted and without repetition")
}

/// Reads a JSON value; an error carries the pointer of the field that failed.
pub(crate) fn from_json<T: DeserializeOwned>(json: &serde_json::Value) -> Result<T, FieldError> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let pointer = pointer(error.path());
        FieldError::new(pointer, FieldFault::Decode(error.into_inner().to_string()))
    })
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => write!(pointer, "/{index}"),
            Segment::Map { key } => {
                write!(pointer, "/{}", key.replace('~', "~0").replace('/', "~1"))
            }
            Segment::Enum { variant } => write!(pointer, "/{variant}"),
            Segment::Unknown => Ok(()),
        }
        .expect("writing to memory cannot fail");
    }
    pointer
}

/// A network's name: the first part of its logs' origins and of its topics.
pub(crate) fn network_name(pointer: &str, value: &str) -> Result<(), FieldError> {
    text(pointer, value, CODE_BYTES_MAX)?;
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-.".contains(&b);
    form(pointer, value.bytes().all(plain), "made of A-Z, a-z, 0-9, `_`, `-` and `.`")
}

/// A region: ISO 3166-1 alpha-2, or ISO 3166-2 such as `CN-SH`.
pub(crate) fn region(pointer: &str, value: &str) -> Result<(), FieldError> {
    let (country, part) = value.split_once('-').map_or((value, None), |(a, b)| (a, Some(b)));
    let upper = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit();
    let part = part.is_none_or(|part| matches!(part.len(), 1..=3) && part.bytes().all(upper));
    let known = country.parse::<crate::audience::Region>().is_ok();
    form(pointer, part && known, "a region of ISO 3166 such as `CN` or `CN-SH`")
}

/// [`region`] of a text that may be absent.
pub(crate) fn optional_region(pointer: &str, value: Option<&str>) -> Result<(), FieldError> {
    value.map_or(Ok(()), |value| region(pointer, value))
}

/// An http or https address.
pub(crate) fn web_address(pointer: &str, value: &str) -> Result<(), FieldError> {
    text(pointer, value, ADDRESS_BYTES_MAX)?;
    let rest = value.strip_prefix("https://").or_else(|| value.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next());
    let plain = !value.contains(|c: char| c.is_whitespace() || "\"<>\\".contains(c));
    let holds = plain && host.is_some_and(|host| !host.is_empty() && !host.contains('@'));
    form(pointer, holds, "an http or https address")
}

/// An amount that may be absent, with its unit: both or neither.
pub(crate) fn volume(
    pointer: &str,
    amount: Option<u64>,
    unit: Option<&str>,
) -> Result<(), FieldError> {
    range(pointer, amount.unwrap_or(1), 1..=i64::MAX)?;
    optional("/unit", unit, CODE_BYTES_MAX)?;
    let paired = amount.is_some() == unit.is_some();
    consistent("/unit", paired, "stands with the amount, and only there")
}

/// A period whose end may be open.
pub(crate) fn period(
    pointer: &str,
    from: crate::time::Timestamp,
    to: Option<crate::time::Timestamp>,
) -> Result<(), FieldError> {
    consistent(pointer, to.is_none_or(|to| from < to), "is not after the begin of the period")
}

/// Further goods beside the subject: a sorted set of things that are goods.
pub(crate) fn covers(covers: &[crate::goods::GoodsId]) -> Result<(), FieldError> {
    count("/covers", covers.len(), 0..=COVERS_MAX)?;
    sorted_set("/covers", covers)?;
    for (index, more) in covers.iter().enumerate() {
        goods(&format!("/covers/{index}"), more)?;
    }
    Ok(())
}

/// The subject, where that is goods, and further goods beside it: each once, sorted.
pub(crate) fn with_covers(
    sub: &crate::id::Subject,
    covers: &[crate::goods::GoodsId],
) -> Vec<crate::goods::GoodsId> {
    let mut all = covers.to_vec();
    if let crate::id::Subject::Goods(goods) = sub
        && let Err(at) = all.binary_search(goods)
    {
        all.insert(at, goods.clone());
    }
    all
}

/// Refuses a GS1 identifier of a place, party, document or relation.
pub(crate) fn goods(pointer: &str, goods: &crate::goods::GoodsId) -> Result<(), FieldError> {
    form(pointer, goods.is_tradable(), "an identifier of goods")
}

/// The subject as goods.
pub(crate) fn goods_subject(
    claims: &crate::attestation::Claims,
) -> Result<&crate::goods::GoodsId, FieldError> {
    match &claims.sub {
        crate::id::Subject::Goods(sub) => goods("/sub", sub).map(|()| sub),
        _ => Err(FieldError::new("/sub", FieldFault::Malformed { expected: "goods" })),
    }
}

/// Free text of a stranger: something that can be seen, in the order in which it was written, and
/// nothing that looks like an e-mail address or the number of a person. Codes of goods belong into
/// the subject.
pub(crate) fn strangers(pointer: &str, value: &str) -> Result<(), FieldError> {
    let fault = if value.chars().any(reorders) {
        FieldFault::Control
    } else if value.chars().all(is_blank) {
        FieldFault::Empty
    } else if names_a_person(value) {
        let fault = "holds what looks like the address or number of a person";
        FieldFault::Inconsistent(fault)
    } else {
        return Ok(());
    };
    Err(FieldError::new(pointer, fault))
}

/// Whether a character makes its neighbours appear in another order than they are in.
const fn reorders(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a character leaves no mark: spaces, joiners, fillers, selectors, tags.
fn is_blank(c: char) -> bool {
    let is_unseen = matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'
    );
    c.is_whitespace() || is_unseen
}

/// Whether there is an e-mail address, or as many digits in a row as the number of a person has.
fn names_a_person(value: &str) -> bool {
    let mut digits = 0;
    for c in value.chars() {
        match c {
            '@' | '＠' => return true,
            c if c.is_numeric() => digits += 1,
            '-' | '.' | '(' | ')' | '－' | '．' | '（' | '）' | '·' | '\u{2010}'..='\u{2015}' =>
                {}
            c if is_blank(c) => {}
            _ => digits = 0,
        }
        if PERSON_DIGITS_MIN <= digits {
            return true;
        }
    }
    false
}

/// Cited attestations: a sorted set within its limit.
pub(crate) fn cites(cites: &[crate::attestation::ContentId]) -> Result<(), FieldError> {
    count("/cites", cites.len(), 0..=CITES_MAX)?;
    sorted_set("/cites", cites)
}

/// A unit is the base unit of its quantity.
pub(crate) fn base_unit(
    pointer: &str,
    quantity: crate::quantity::Quantity,
    unit: &str,
) -> Result<(), FieldError> {
    consistent(pointer, quantity.unit() == unit, "is not the base unit of the quantity")
}

/// A fault in the decoder's words.
pub(crate) fn decode(pointer: &str, message: String) -> FieldError {
    FieldError::new(pointer, FieldFault::Decode(message))
}
