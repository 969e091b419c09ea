//! What the table of application identifiers says, in a form to ask.

use std::sync::LazyLock;

use crate::gs1::table::{ROWS, Row};

/// An application identifier, or a range that shares one line of the table.
#[derive(Debug)]
pub struct Ai {
    first: &'static str,
    last: &'static str,
    /// Its length is known from the first two digits: no separator follows.
    pub is_fixed: bool,
    /// It may be an attribute in the query of a Digital Link.
    pub is_attribute: bool,
    /// The parts of its value, in order.
    pub components: Vec<Component>,
    /// At least one of these groups must be present whole; empty = nothing is required.
    pub requires: Vec<Vec<&'static str>>,
    /// None of these may be present.
    pub excludes: Vec<&'static str>,
    /// Alternatives of ordered qualifiers, where it is a primary key of Digital Links.
    pub qualifiers: Option<Vec<Vec<&'static str>>>,
    /// GS1's short title.
    pub title: &'static str,
}

/// A part of a value.
#[derive(Debug)]
pub struct Component {
    /// Allowed characters.
    pub charset: Charset,
    /// Fewest characters.
    pub least: usize,
    /// Most characters.
    pub most: usize,
    /// It may be absent.
    pub is_optional: bool,
    /// The checks of its content, by GS1's names.
    pub lints: Vec<&'static str>,
}

/// Characters that a component may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Charset {
    /// Digits.
    Numeric,
    /// GS1 AI encodable character set 82.
    Cset82,
    /// GS1 AI encodable character set 39.
    Cset39,
    /// File-safe base64 with padding.
    Cset64,
}

/// In the order of the identifiers.
static TABLE: LazyLock<Vec<Ai>> = LazyLock::new(|| ROWS.iter().map(parse_row).collect());

impl Ai {
    /// The line of an application identifier.
    pub fn find(code: &str) -> Option<&'static Ai> {
        let head = code.get(..2)?;
        let start = TABLE.partition_point(|ai| &ai.last[..2] < head);
        let alike = TABLE[start..].iter().take_while(|ai| &ai.first[..2] <= head);
        let mut alike = alike.filter(|ai| ai.first.len() == code.len());
        alike.find(|ai| ai.first <= code && code <= ai.last)
    }

    /// Every line of the table.
    pub fn all() -> impl Iterator<Item = &'static Ai> {
        TABLE.iter()
    }

    /// The identifier that begins `data`; the first two digits decide how long it is.
    pub fn leading(data: &str) -> Option<(&str, &'static Ai)> {
        (2..=4).find_map(|length| {
            let code = data.get(..length)?;
            Ai::find(code).map(|ai| (code, ai))
        })
    }

    /// Fewest and most characters of its value.
    pub fn lengths(&self) -> (usize, usize) {
        let least = self.components.iter().filter(|part| !part.is_optional);
        let least = least.map(|part| part.least).sum();
        (least, self.components.iter().map(|part| part.most).sum())
    }
}

/// The length of a value that needs no separator, by the first two digits, allocated or not.
pub fn predefined_length(code: &str) -> Option<usize> {
    Some(match code.get(..2)? {
        "00" => 18,
        "01" | "02" | "03" => 14,
        "04" => 16,
        "11" | "12" | "13" | "14" | "15" | "16" | "17" | "18" | "19" => 6,
        "20" => 2,
        "31" | "32" | "33" | "34" | "35" | "36" => 6,
        "41" => 13,
        _ => return None,
    })
}

/// Whether an identifier matches a pattern of the table: `n` stands for any digit.
pub fn matches(pattern: &str, code: &str) -> bool {
    pattern.len() == code.len()
        && pattern.bytes().zip(code.bytes()).all(|(want, is)| want == b'n' || want == is)
}

/// Whether the keys and qualifiers of a path are in an order that the table permits.
pub fn is_path(codes: &[&str]) -> bool {
    let Some((key, found)) = codes.split_first() else {
        return false;
    };
    let Some(qualifiers) = Ai::find(key).and_then(|ai| ai.qualifiers.as_ref()) else {
        return false;
    };
    found.is_empty()
        || qualifiers.iter().any(|ordered| {
            let mut rest = ordered.iter();
            found.iter().all(|code| rest.any(|known| known == code))
        })
}

fn parse_row(row: &Row) -> Ai {
    let (codes, flags, specification, requires, excludes, key, title) = *row;
    let (first, last) = codes.split_once('-').unwrap_or((codes, codes));
    let list = |text: &'static str| text.split(',').filter(|item| !item.is_empty());
    Ai {
        first,
        last,
        is_fixed: flags.contains('*'),
        is_attribute: flags.contains('?'),
        components: specification.split(' ').map(parse_component).collect(),
        requires: list(requires).map(|group| group.split('+').collect()).collect(),
        excludes: list(excludes).collect(),
        qualifiers: key
            .map(|orders| orders.split('|').map(|order| list(order).collect()).collect()),
        title,
    }
}

fn parse_component(text: &'static str) -> Component {
    let mut parts = text.split(',');
    let shape = parts.next().unwrap_or_default();
    let is_optional = shape.starts_with('[');
    let shape = shape.trim_matches(['[', ']']);
    let (letter, length) = shape.split_at(1);
    let charset = match letter {
        "N" => Charset::Numeric,
        "Y" => Charset::Cset39,
        "Z" => Charset::Cset64,
        _ => Charset::Cset82,
    };
    let number = |text: &str| text.parse().expect("lengths in the table are numbers");
    let (least, most) = match length.strip_prefix("..") {
        Some(most) => (1, number(most)),
        None => (number(length), number(length)),
    };
    Component { charset, least, most, is_optional, lints: parts.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_parses_and_no_identifier_begins_another() {
        for ai in Ai::all() {
            assert!(!ai.components.is_empty(), "{}", ai.first);
            assert!(std::ptr::eq(Ai::find(ai.first).unwrap(), ai), "{}", ai.first);
            assert!(std::ptr::eq(Ai::find(ai.last).unwrap(), ai), "{}", ai.last);
            assert_eq!(Ai::leading(&format!("{}12345", ai.first)).unwrap().0, ai.first);
            assert_eq!(ai.is_fixed, predefined_length(ai.first).is_some(), "{}", ai.first);
            for part in &ai.components {
                assert!(part.lints.iter().all(|lint| crate::gs1::lint::is_known(lint)), "{part:?}");
            }
        }
    }

    #[test]
    fn qualifiers_are_taken_in_order_and_alternatives_do_not_mix() {
        for path in [&["01", "22", "21"][..], &["01"], &["01", "235"], &["414", "7040"]] {
            assert!(is_path(path), "{path:?}");
        }
        for path in
            [&["01", "10", "22"][..], &["01", "22", "235"], &["10"], &["01", "21", "21"], &[]]
        {
            assert!(!is_path(path), "{path:?}");
        }
    }
}
