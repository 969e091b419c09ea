//! GS1 Digital Link URIs: reading from any host, writing the canonical form.
//!
//! Invariants: the rightmost key of the path counts, qualifiers stand in the table's order, an
//! identifier stands once; the canonical form holds the finest identification and nothing else.

use crate::gs1::Reading;
use crate::gs1::ai::{Ai, is_path};
use crate::gs1::element::Element;
use crate::gs1::lint::fault;
use crate::id::check::Fault;

/// Where canonical Digital Links live.
pub const CANONICAL: &str = "https://id.gs1.org";

/// The retired words for keys and qualifiers.
const WORDS: &[(&str, &str)] = &[
    ("cpid", "8010"),
    ("cpsn", "8011"),
    ("cpv", "22"),
    ("gcn", "255"),
    ("gdti", "253"),
    ("giai", "8004"),
    ("ginc", "401"),
    ("gln", "414"),
    ("glnx", "254"),
    ("gmn", "8013"),
    ("grai", "8003"),
    ("gsin", "402"),
    ("gsrn", "8018"),
    ("gsrnp", "8017"),
    ("gtin", "01"),
    ("itip", "8006"),
    ("lot", "10"),
    ("party", "417"),
    ("payTo", "415"),
    ("refno", "8020"),
    ("ser", "21"),
    ("srin", "8019"),
    ("sscc", "00"),
];

/// Key and finest qualifiers of canonical identifiers; the first line whose codes are all there.
const FINEST: &[&[&str]] = &[
    &["01", "21"],
    &["8006", "21"],
    &["00"],
    &["01", "235"],
    &["01", "10"],
    &["8006", "10"],
    &["8006"],
    &["8010", "8011"],
    &["8003"],
    &["8004"],
    &["01"],
    &["8010"],
    &["253"],
    &["255"],
    &["8013"],
    &["8017"],
    &["8018"],
    &["401"],
    &["402"],
    &["414", "254"],
    &["414"],
    &["417"],
    &["415"],
];

/// A Digital Link taken apart.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DigitalLink {
    /// The key, its qualifiers and then the attributes, as they stand.
    pub elements: Vec<Element>,
    /// How many of them stand in the path.
    pub path_len: usize,
}

impl DigitalLink {
    /// Reads a Digital Link on any host.
    pub fn parse(uri: &str, reading: &Reading) -> Result<DigitalLink, Fault> {
        let parts = split(uri)?;
        let start = key_at(&parts.segments, reading)
            .ok_or_else(|| fault(parts.path_at, "no GS1 key in the path"))?;
        let pairs = || parts.segments[start..].chunks_exact(2);
        let codes: Vec<&str> = pairs().map(|pair| code_of(pair[0].1, reading)).collect();
        for length in 1..=codes.len() {
            if !is_path(&codes[..length]) {
                let (offset, name) = pairs().nth(length - 1).map_or((0, ""), |pair| pair[0]);
                let reason = format!("{name:?} is no qualifier that may stand here");
                return Err(fault(offset, reason));
            }
        }
        let mut elements = Vec::new();
        for (code, pair) in codes.iter().zip(pairs()) {
            let (offset, value) = pair[1];
            elements.push(element(code, &unescape(value, false), offset, reading)?);
        }
        let path_len = elements.len();
        read_query(&parts.query, reading, &mut elements)?;
        Ok(DigitalLink { elements, path_len })
    }

    /// The canonical identifier: `https://id.gs1.org/`, the key and its finest qualifier.
    pub fn canonical(&self) -> String {
        canonical(&self.elements[..self.path_len]).expect("a path begins with a key")
    }
}

/// Whether the text has a GS1 key in its path, right or wrong: only then it is meant as one.
pub fn is_candidate(uri: &str, reading: &Reading) -> bool {
    split(uri).is_ok_and(|parts| key_at(&parts.segments, reading).is_some())
}

/// The canonical identifier of what the elements identify; `None` where no key is among them.
pub fn canonical(elements: &[Element]) -> Option<String> {
    let value = |code: &&str| elements.iter().find(|element| element.code == **code);
    let finest = FINEST.iter().find(|codes| codes.iter().all(|code| value(code).is_some()))?;
    let mut uri = String::from(CANONICAL);
    for element in finest.iter().filter_map(value) {
        uri.push('/');
        uri.push_str(&element.code);
        uri.push('/');
        uri.push_str(&escape(&element.value, false));
    }
    Some(uri)
}

/// Percent-encodes all but letters, digits and `-._~`; in a query a space becomes `+`.
pub fn escape(text: &str, is_query: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            b' ' if is_query => out.push('+'),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Refuses what cannot stand before the path of a Digital Link.
pub(super) fn check_stem(stem: &str) -> Result<(), Fault> {
    if let Some(offset) = stem.find(['?', '#']) {
        return Err(fault(offset, "a path cannot follow a query or fragment"));
    }
    split(stem).map(|_| ())
}

/// Undoes percent-encoding; a code that is no hexadecimal number stays as it is.
pub fn unescape(text: &str, is_query: bool) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let code = rest.get(1..3).filter(|code| code.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = code.and_then(|code| u8::from_str_radix(code, 16).ok());
        rest = match (c, byte) {
            ('%', Some(byte)) => {
                out.push(char::from(byte));
                &rest[3..]
            }
            _ => {
                out.push(if is_query && c == '+' { ' ' } else { c });
                &rest[c.len_utf8()..]
            }
        };
    }
    out
}

/// A text with its byte offset in the URI.
type Part<'a> = (usize, &'a str);

struct Parts<'a> {
    path_at: usize,
    segments: Vec<Part<'a>>,
    query: Vec<Part<'a>>,
}

fn split(uri: &str) -> Result<Parts<'_>, Fault> {
    const SCHEMES: [&str; 4] = ["https://", "http://", "HTTPS://", "HTTP://"];
    const URI: &str = "-._~:/?#[]@!$&'()*+,;=%";
    let scheme = SCHEMES.iter().find(|scheme| uri.starts_with(**scheme));
    let scheme = scheme.ok_or_else(|| fault(0, "expected https:// or http://"))?;
    if let Some(offset) = uri.find(|c: char| !c.is_ascii_alphanumeric() && !URI.contains(c)) {
        return Err(fault(offset, "a character that no URI may hold"));
    }
    let without_fragment = uri.split('#').next().unwrap_or(uri);
    let (path, query) = match without_fragment.split_once('?') {
        Some((path, query)) => (path, parts_of(query, '&', path.len() + 1)),
        None => (without_fragment, Vec::new()),
    };
    let host = &path[scheme.len()..];
    let path_at = scheme.len() + host.find('/').unwrap_or(host.len());
    let host = &path[scheme.len()..path_at];
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".-:[]".contains(c);
    if host.is_empty() {
        return Err(fault(scheme.len(), "expected a host"));
    }
    if let Some(offset) = host.find(|c| !allowed(c)) {
        return Err(fault(scheme.len() + offset, "a character that no host may hold"));
    }
    let segments = match path.get(path_at + 1..) {
        Some(path) => parts_of(path, '/', path_at + 1),
        None => Vec::new(),
    };
    Ok(Parts { path_at, segments, query })
}

fn parts_of(text: &str, separator: char, mut offset: usize) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for part in text.split(separator) {
        parts.push((offset, part));
        offset += part.len() + separator.len_utf8();
    }
    parts
}

/// The rightmost segment that is a key, in pairs from the end of the path.
fn key_at(segments: &[Part<'_>], reading: &Reading) -> Option<usize> {
    let is_key = |at: &usize| {
        Ai::find(code_of(segments[*at].1, reading)).is_some_and(|ai| ai.qualifiers.is_some())
    };
    (0..segments.len().saturating_sub(1)).rev().step_by(2).find(is_key)
}

fn code_of<'a>(name: &'a str, reading: &Reading) -> &'a str {
    match WORDS.iter().find(|(word, _)| reading.words && *word == name) {
        Some((_, code)) => code,
        None => name,
    }
}

fn element(code: &str, value: &str, at: usize, reading: &Reading) -> Result<Element, Fault> {
    let is_short = code == "01" && reading.short_gtins && matches!(value.len(), 8 | 12 | 13);
    let value = if is_short { format!("{value:0>14}") } else { value.to_owned() };
    Element::new(code, &value, reading).map_err(|found| fault(at, found.reason))
}

/// Whether the identifier is a qualifier of the key, which belongs in the path.
fn is_qualifier(name: &str, elements: &[Element]) -> bool {
    let key = elements.first().and_then(|key| Ai::find(&key.code));
    let qualifiers = key.and_then(|ai| ai.qualifiers.as_ref());
    qualifiers.is_some_and(|orders| orders.iter().flatten().any(|code| *code == name))
}

fn read_query(query: &[Part<'_>], reading: &Reading, to: &mut Vec<Element>) -> Result<(), Fault> {
    for (offset, parameter) in query {
        let Some((name, value)) = parameter.split_once('=') else {
            continue;
        };
        let name = code_of(name, reading);
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        match Ai::find(name) {
            Some(ai) if !ai.is_attribute || is_qualifier(name, to) => {
                return Err(fault(*offset, format!("({name}) may not stand in the query")));
            }
            None if !reading.unknown_ais => {
                return Err(fault(*offset, format!("unknown application identifier {name:?}")));
            }
            _ => {}
        }
        if to.iter().any(|element| element.code == name) {
            return Err(fault(*offset, format!("({name}) stands there twice")));
        }
        let value_at = offset + name.len() + 1;
        to.push(element(name, &unescape(value, true), value_at, reading)?);
    }
    Ok(())
}
