//! Element strings: application identifiers with their values, run together or in brackets.
//!
//! Invariants: a value has passed every check of the table; an error gives the byte offset in the
//! text that was read.

use crate::gs1::Reading;
use crate::gs1::ai::{Ai, Charset, Component, predefined_length};
use crate::gs1::lint::{self, CSET82, fault};
use crate::id::check::{Fault, mod10};

/// The separator as barcodes transmit it: U+001D.
pub const GROUP_SEPARATOR: char = '\u{1d}';
/// The separator as GS1's texts write it.
pub const FNC1: char = '^';
/// Identifiers of which the value is a GTIN.
const GTINS: [&str; 3] = ["01", "02", "03"];
/// Longest value of an identifier that the table does not know.
const UNKNOWN_MAX: usize = 90;

/// An application identifier with its value.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Element {
    /// The identifier, two to four digits.
    pub code: String,
    /// Its value, decoded.
    pub value: String,
}

impl Element {
    /// An element whose value passes every check of the table; an error names the identifier.
    pub fn new(code: &str, value: &str, reading: &Reading) -> Result<Element, Fault> {
        match Ai::find(code) {
            Some(ai) => check_value(ai, value, reading).map_err(|fault| {
                let named = || format!("({code}) {}", fault.reason);
                let short = gtin14(code, value).map(|gtin| short_gtin(code, &gtin));
                Fault { reason: short.unwrap_or_else(named), offset: fault.offset }
            })?,
            None if reading.unknown_ais => check_unknown(code, value)?,
            None => return Err(fault(0, format!("unknown application identifier {code:?}"))),
        }
        Ok(Element { code: code.to_owned(), value: value.to_owned() })
    }
}

/// Reads `^0109506000134352^10A1`: separators first and after values of open length.
pub fn parse(text: &str) -> Result<Vec<Element>, Fault> {
    match text.strip_prefix(is_separator) {
        Some(data) => parse_transmitted(data).map_err(|fault| at(1, fault)),
        None => Err(fault(0, "expected ^ or U+001D before the first application identifier")),
    }
}

/// Reads what a barcode transmits after its symbology identifier: U+001D separates, or the `^` that
/// GS1's texts, and readers that send no control characters, write for it. No value can hold one.
pub fn parse_transmitted(data: &str) -> Result<Vec<Element>, Fault> {
    let mut elements = Vec::new();
    let mut offset = 0;
    loop {
        let rest = &data[offset..];
        let (code, _) = Ai::leading(rest).ok_or_else(|| {
            let head: String = rest.chars().take(4).collect();
            fault(offset, format!("no application identifier begins with {head:?}"))
        })?;
        offset += code.len();
        let rest = &rest[code.len()..];
        let end = rest.find(is_separator).unwrap_or(rest.len());
        let length = match predefined_length(code) {
            Some(length) if end < length => {
                let reason = gtin14(code, &rest[..end]).map_or_else(
                    || format!("({code}) needs {length} characters, {end} found"),
                    |gtin| short_gtin(code, &gtin),
                );
                return Err(fault(offset + end, reason));
            }
            Some(length) if rest.is_char_boundary(length) => length,
            Some(_) | None => end,
        };
        let element = Element::new(code, &rest[..length], &Reading::STRICT);
        elements.push(element.map_err(|fault| at(offset, fault))?);
        offset += length;
        offset +=
            data[offset..].chars().next().filter(|c| is_separator(*c)).map_or(0, char::len_utf8);
        if offset == data.len() {
            return Ok(elements);
        }
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, FNC1 | GROUP_SEPARATOR)
}

fn at(offset: usize, fault: Fault) -> Fault {
    Fault { offset: offset + fault.offset, ..fault }
}

/// Reads `(01)09506000134352(10)A1`; `\(` is a bracket that belongs to the value.
pub fn parse_bracketed(text: &str, reading: &Reading) -> Result<Vec<Element>, Fault> {
    let mut elements = Vec::new();
    let mut offset = 0;
    while offset < text.len() {
        let rest = &text[offset..];
        let inner = rest.strip_prefix('(').ok_or_else(|| fault(offset, "expected ( first"))?;
        let (code, _) = inner
            .split_once(')')
            .ok_or_else(|| fault(text.len(), "expected ) after the identifier"))?;
        let value_at = offset + code.len() + 2;
        let (value, length) = bracketed_value(&text[value_at..]);
        if Ai::find(code).is_none() && !reading.unknown_ais {
            let reason = format!("unknown application identifier {code:?}");
            return Err(fault(offset + 1, reason));
        }
        let element = Element::new(code, &value, reading);
        elements.push(element.map_err(|fault| at(value_at, fault))?);
        offset = value_at + length;
    }
    if elements.is_empty() { Err(fault(0, "expected (")) } else { Ok(elements) }
}

/// The value up to the next bracket that is not escaped, and the length it took.
fn bracketed_value(text: &str) -> (String, usize) {
    let mut value = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix("\\(") {
            value.push('(');
            rest = after;
        } else if rest.starts_with('(') {
            break;
        } else {
            let (c, after) = rest.split_at(rest.chars().next().map_or(0, char::len_utf8));
            value.push_str(c);
            rest = after;
        }
    }
    (value, text.len() - rest.len())
}

/// Writes elements as `^…`, with a separator after each value of open length but the last.
pub fn message(elements: &[Element]) -> String {
    let mut text = String::from(FNC1);
    for (index, element) in elements.iter().enumerate() {
        text.push_str(&element.code);
        text.push_str(&element.value);
        if index + 1 < elements.len() && predefined_length(&element.code).is_none() {
            text.push(FNC1);
        }
    }
    text
}

fn check_unknown(code: &str, value: &str) -> Result<(), Fault> {
    if !matches!(code.len(), 2..=4) || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fault(0, "an application identifier has two to four digits"));
    }
    let any = Component {
        charset: Charset::Cset82,
        least: 1,
        most: UNKNOWN_MAX,
        is_optional: false,
        lints: Vec::new(),
    };
    check_components(code, value, &[any], &Reading::STRICT)
}

fn check_value(ai: &Ai, value: &str, reading: &Reading) -> Result<(), Fault> {
    check_components(ai.title, value, &ai.components, reading)
}

fn short_gtin(code: &str, gtin: &str) -> String {
    format!("({code}) takes a GTIN of 14 digits: {gtin}")
}

/// The 14 digits of a GTIN that was given in its short form, where an identifier takes one.
fn gtin14(code: &str, value: &str) -> Option<String> {
    let is_short = mod10(value, &[8, 12, 13]).is_ok();
    (GTINS.contains(&code) && is_short).then(|| format!("{value:0>14}"))
}

fn check_components(
    title: &str,
    value: &str,
    components: &[Component],
    reading: &Reading,
) -> Result<(), Fault> {
    let mut offset = 0;
    for part in components {
        let found = (value.len() - offset).min(part.most);
        if found == 0 && part.is_optional {
            break;
        }
        check_charset(value, offset..offset + found, part.charset)?;
        if found < part.least {
            let reason =
                format!("{title} is too short: {found} characters, expected {}", part.least);
            return Err(fault(value.len(), reason));
        }
        let text = &value[offset..offset + found];
        for name in &part.lints {
            if *name != "csum" || reading.check_digits {
                lint::run(name, text).map_err(|fault| at(offset, fault))?;
            }
        }
        offset += found;
    }
    if offset < value.len() {
        let what = if offset == 0 { "nothing" } else { "no more" };
        return Err(fault(offset, format!("{title} is too long: {what} than {offset} characters")));
    }
    Ok(())
}

fn check_charset(value: &str, range: std::ops::Range<usize>, set: Charset) -> Result<(), Fault> {
    let bytes = &value.as_bytes()[range.clone()];
    let (allowed, what): (fn(u8) -> bool, &str) = match set {
        Charset::Numeric => (|byte| byte.is_ascii_digit(), "a digit"),
        Charset::Cset82 => (|byte| CSET82.as_bytes().contains(&byte), "a character of CSET 82"),
        Charset::Cset39 => (
            |byte| matches!(byte, b'#' | b'-' | b'/' | b'0'..=b'9' | b'A'..=b'Z'),
            "a character of CSET 39: # - / 0-9 A-Z",
        ),
        Charset::Cset64 => (
            |byte| matches!(byte, b'-' | b'_' | b'=') || byte.is_ascii_alphanumeric(),
            "a character of file-safe base64",
        ),
    };
    if let Some(offset) = bytes.iter().position(|byte| !allowed(*byte)) {
        return Err(fault(range.start + offset, format!("expected {what}")));
    }
    let padding = bytes.iter().rev().take_while(|byte| **byte == b'=').count();
    if set == Charset::Cset64 {
        let stray = bytes.iter().position(|byte| *byte == b'=');
        let is_last = stray.is_none_or(|offset| offset == bytes.len() - padding);
        if !is_last || 2 < padding || (0 < padding && !bytes.len().is_multiple_of(3)) {
            return Err(fault(range.start + stray.unwrap_or(0), "wrong padding"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_wrong_names_its_identifier_once() {
        for (text, expected) in [
            ("(21)A#", "(21) expected a character of CSET 82"),
            ("(250)", "(250) SECONDARY SERIAL is too short: 0 characters, expected 1"),
            ("(8006)095060001343520201", "(8006) piece 02 of only 01"),
            ("(01)09506000134353", "(01) check character should be 2"),
            ("(01)9506000134352", "(01) takes a GTIN of 14 digits: 09506000134352"),
        ] {
            let fault = parse_bracketed(text, &Reading::STRICT).unwrap_err();
            assert_eq!(fault.reason, expected, "{text}");
        }
        let link = crate::gs1::canonical("https://id.gs1.org/01/9506000134352").unwrap_err();
        assert_eq!(link.reason, "(01) takes a GTIN of 14 digits: 09506000134352");
        let urn = crate::gs1::canonical("urn:epc:id:sgtin:9506000.013435.#").unwrap_err();
        assert_eq!(urn.reason, "(21) expected a character of CSET 82");
    }

    #[test]
    fn a_short_gtin_is_told_with_its_fourteen_digits() {
        for (text, gtin) in [
            ("(01)9506000134352", "09506000134352"),
            ("(01)9506000134352(21)S1", "09506000134352"),
            ("(02)40170725(37)1", "00000040170725"),
        ] {
            let fault = parse_bracketed(text, &Reading::STRICT).unwrap_err();
            let expected = format!("({}) takes a GTIN of 14 digits: {gtin}", &text[1..3]);
            assert_eq!(fault.reason, expected, "{text}");
        }
        let fault = parse("^019506000134352").unwrap_err();
        assert_eq!(fault.reason, "(01) takes a GTIN of 14 digits: 09506000134352");
        for text in ["(01)9506000134353", "(01)950600013435", "(00)9506000134352"] {
            let fault = parse_bracketed(text, &Reading::STRICT).unwrap_err();
            assert!(!fault.reason.contains("takes a GTIN"), "{text}: {fault:?}");
        }
    }

    #[test]
    fn no_value_can_hold_a_separator() {
        for set in [Charset::Numeric, Charset::Cset82, Charset::Cset39, Charset::Cset64] {
            for separator in [FNC1, GROUP_SEPARATOR].map(String::from) {
                assert!(check_charset(&separator, 0..1, set).is_err(), "{set:?} {separator:?}");
            }
        }
    }

    #[test]
    fn an_error_gives_the_place_in_the_text() {
        for (text, offset) in [
            ("0109506000134352", 0),
            ("^", 1),
            ("^0109506000134353", 16),
            ("^01095060001343", 15),
            ("^0109506000134352^9", 18),
            ("^0109506000134352^10A~B", 21),
            ("^10", 3),
            ("^10ABC^^21X", 7),
            ("^01九五", 9),
        ] {
            let found = parse(text).unwrap_err();
            assert_eq!(found.offset, offset, "{text}: {}", found.reason);
        }
        let found = parse_bracketed("(01)09506000134352(10)A~B", &Reading::STRICT).unwrap_err();
        assert_eq!(found.offset, 23);
    }

    proptest! {
        #[test]
        fn a_written_message_is_read_back(serial in "[!%-?A-Z_a-z]{1,20}", lot in "[0-9A-Z]{1,20}") {
            let elements = [("01", "09506000134352"), ("10", lot.as_str()), ("21", serial.as_str())]
                .map(|(code, value)| Element::new(code, value, &Reading::STRICT).unwrap());
            prop_assert_eq!(parse(&message(&elements)).unwrap(), elements);
        }

        #[test]
        fn no_text_makes_the_reader_panic(
            text in "\\PC{0,40}",
            digits in "[\\^(0-9)\\\\A-z]{0,40}",
        ) {
            for text in [&text, &digits] {
                let _ = parse(text);
                let _ = parse_transmitted(text);
                let _ = parse_bracketed(text, &Reading::STRICT);
                let _ = crate::gs1::canonical(text);
            }
        }
    }
}
