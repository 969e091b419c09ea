//! What a barcode reader transmits for a symbol: the other direction of [`scan`](super::scan).
//!
//! Invariants: only data that the symbology can carry is transmitted; GS1 data have passed the
//! checks of the table; separators become U+001D.

use crate::gs1::ai::predefined_length;
use crate::gs1::element::{self, Element, FNC1, GROUP_SEPARATOR};
use crate::gs1::lint::fault;
use crate::id::check::{Fault, mod10, mod10_check};

/// Application identifier of a GTIN, as a message begins with it.
const GTIN: &str = "^01";

/// The data with symbology identifier that a reader sends for this message in this symbology.
///
/// The message is as GS1's texts write it: `^` for FNC1, `|` before the part of a composite
/// component, `\^` for a plain text that begins with `^`. The numbers of retail symbols may lack
/// their check digit. Offsets in faults count bytes of the message.
pub fn transmit(symbology: &str, message: &str) -> Result<String, Fault> {
    match symbology {
        "QR" => two_dimensional(["]Q1", "]Q3"], message),
        "DM" => two_dimensional(["]d1", "]d2"], message),
        "DotCode" => two_dimensional(["]J0", "]J1"], message),
        "GS1_128_CCA" | "GS1_128_CCC" => linear("]C1", message),
        "DataBarExpanded" => linear("]e0", message),
        "DataBarOmni" | "DataBarTruncated" | "DataBarStacked" | "DataBarStackedOmni" => {
            data_bar(message, |_| true)
        }
        "DataBarLimited" => data_bar(message, |gtin| gtin.starts_with(['0', '1'])),
        "EAN13" => retail("]E0", [13, 13], message),
        "EAN8" => retail("]E4", [8, 8], message),
        "UPCA" => retail("]E0", [12, 13], message),
        "UPCE" => {
            let (number, _) = composite(message);
            let digits = number.strip_prefix("^0100").unwrap_or(number);
            if !is_suppressible(digits) {
                return Err(fault(0, "no zeros that UPC-E leaves out"));
            }
            retail("]E0", [12, 13], message)
        }
        _ => Err(fault(0, format!("{symbology:?} is no symbology with an identifier of its own"))),
    }
}

/// The message of the symbol and that of its composite component.
fn composite(message: &str) -> (&str, Option<&str>) {
    message.split_once('|').map_or((message, None), |(linear, part)| (linear, Some(part)))
}

/// A fault in a part of the message that begins at this byte.
fn later(before: usize, found: Fault) -> Fault {
    Fault { offset: before + found.offset, ..found }
}

/// A message without its first `^`, its separators as they are transmitted.
fn transmitted(message: &str) -> Result<String, Fault> {
    element::parse(message)?;
    let data = message.strip_prefix([FNC1, GROUP_SEPARATOR]).unwrap_or(message);
    Ok(data.replace(FNC1, "\u{1d}"))
}

fn two_dimensional([plain, gs1]: [&str; 2], message: &str) -> Result<String, Fault> {
    if message.starts_with(FNC1) {
        return Ok(format!("{gs1}{}", transmitted(message)?));
    }
    // `\^` is a text that begins with `^`, `\\^` one that begins with `\^`, and so on.
    let is_escaped = message.trim_start_matches('\\').starts_with(FNC1);
    Ok(format!("{plain}{}", &message[usize::from(is_escaped)..]))
}

/// A symbol that holds an element string; with a composite component both are one element string.
fn linear(identifier: &str, message: &str) -> Result<String, Fault> {
    let (own, part) = composite(message);
    let data = transmitted(own)?;
    match part {
        None => Ok(format!("{identifier}{data}")),
        Some(part) => {
            let elements = element::parse(own)?;
            let is_open = |last: &Element| predefined_length(&last.code).is_none();
            let needs = elements.last().is_some_and(is_open) && !data.ends_with(GROUP_SEPARATOR);
            let separator = if needs { "\u{1d}" } else { "" };
            let part = transmitted(part).map_err(|found| later(own.len() + 1, found))?;
            Ok(format!("]e0{data}{separator}{part}"))
        }
    }
}

/// A symbol that holds one GTIN.
fn data_bar(message: &str, holds: fn(&str) -> bool) -> Result<String, Fault> {
    let (own, part) = composite(message);
    let number = own.strip_prefix(GTIN).unwrap_or(own);
    let before = own.len() - number.len();
    mod10(number, &[8, 12, 13, 14]).map_err(|found| later(before, found))?;
    let gtin = format!("{number:0>14}");
    if !holds(&gtin) {
        return Err(fault(0, "the symbol holds only numbers that begin with 0 or 1"));
    }
    match part {
        None => Ok(format!("]e001{gtin}")),
        Some(part) => {
            let part = transmitted(part).map_err(|found| later(own.len() + 1, found))?;
            Ok(format!("]e001{gtin}{part}"))
        }
    }
}

/// A GTIN in a retail symbol of `lengths[0]` digits, transmitted with `lengths[1]`.
fn retail(identifier: &str, lengths: [usize; 2], message: &str) -> Result<String, Fault> {
    let (own, part) = composite(message);
    let [length, sent] = lengths;
    let number = match own.strip_prefix(GTIN) {
        None => own,
        Some(gtin) => {
            let zeros = 14 - length;
            let is_short = gtin.len() == 14 && gtin.bytes().take(zeros).all(|b| b == b'0');
            if !is_short {
                return Err(fault(GTIN.len(), format!("no GTIN of {length} digits")));
            }
            &gtin[zeros..]
        }
    };
    let before = own.len() - number.len();
    let number = checked(number, length).map_err(|found| later(before, found))?;
    let part = match part {
        None => String::new(),
        Some(part) => {
            let part = transmitted(part).map_err(|found| later(own.len() + 1, found))?;
            format!("|]e0{part}")
        }
    };
    Ok(format!("{identifier}{number:0>sent$}{part}"))
}

/// Digits with a right check digit; where that alone is missing, it is added.
fn checked(number: &str, length: usize) -> Result<String, Fault> {
    if number.len() + 1 == length {
        let stray = || number.find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
        let check = mod10_check(number).ok_or_else(|| fault(stray(), "expected a digit"))?;
        return Ok(format!("{number}{check}"));
    }
    mod10(number, &[length])?;
    Ok(number.to_owned())
}

/// Whether a GTIN of 12 digits has the zeros that UPC-E leaves out.
fn is_suppressible(digits: &str) -> bool {
    let digits = digits.as_bytes();
    let zeros = |from: usize, to: usize| digits[from..to].iter().all(|digit| *digit == b'0');
    matches!(digits.len(), 11 | 12)
        && matches!(digits[0], b'0' | b'1')
        && ((matches!(digits[3], b'0'..=b'2') && zeros(4, 8))
            || zeros(4, 9)
            || zeros(5, 10)
            || (zeros(6, 10) && b'5' <= digits[10]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gs1::scan;

    #[test]
    fn what_is_transmitted_is_read_back_as_the_message() {
        for (symbology, message) in [
            ("QR", "TESTING"),
            ("QR", "\\\\^TESTING"),
            ("QR", "https://example.com/01/09506000134352"),
            ("DM", "^010950600013435210ABC^99X"),
            ("DotCode", "^010950600013435210ABC^99X^"),
            ("GS1_128_CCA", "^0109506000134352"),
            ("EAN13", "9506000134352|^99X^98Y"),
            ("EAN8", "95060002"),
        ] {
            let sent = transmit(symbology, message);
            let sent = sent.unwrap_or_else(|found| panic!("{symbology} {message}: {found:?}"));
            let found = scan::decode(&sent).unwrap();
            assert_eq!(found.message, message, "{sent}");
            assert_eq!(found.symbology, Some(symbology), "{sent}");
        }
    }

    #[test]
    fn what_a_symbol_cannot_carry_is_refused_with_its_place() {
        for (symbology, message, offset) in [
            ("Aztec", "TESTING", 0),
            ("QR", "^0109506000134353", 16),
            ("GS1_128_CCC", "^0109506000134352|98X", 18),
            ("GS1_128_CCC", "^0109506000134352|^9", 19),
            ("DataBarLimited", "^0195060001343528", 0),
            ("DataBarOmni", "^010950600013435", 15),
            ("DataBarOmni", "9506000134352|^9", 15),
            ("EAN13", "9506000134352|^99^", 17),
            ("EAN13", "^0119506000134359", 3),
            ("EAN13", "^0109506000134353", 16),
            ("EAN8", "9506000134352", 13),
            ("UPCE", "123456789012", 0),
            ("UPCE", "^01", 0),
            ("UPCA", "0416000336é", 10),
        ] {
            let found = transmit(symbology, message).unwrap_err();
            assert_eq!(found.offset, offset, "{symbology} {message}: {}", found.reason);
        }
    }

    #[test]
    fn the_four_forms_of_zero_suppression_are_known() {
        for digits in ["01200000345", "01290000045", "01234000005", "01234500009", "100000000005"] {
            assert!(is_suppressible(digits), "{digits}");
        }
        for digits in ["01230000345", "01234500004", "21200000345", "0120000034", ""] {
            assert!(!is_suppressible(digits), "{digits}");
        }
    }
}
