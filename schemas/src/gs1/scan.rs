//! What a barcode reader sends: an optional symbology identifier, then data.
//!
//! Invariants: data that is meant as GS1 is read strictly; other data after a known symbology
//! identifier is kept as it is; a line without one must be something this project knows.

use crate::goods::scheme::{SCHEMES, Scheme};
use crate::goods::{self, GoodsId};
use crate::gs1::digital_link::{self, DigitalLink};
use crate::gs1::element::{self, Element, FNC1, GROUP_SEPARATOR};
use crate::gs1::lint::fault;
use crate::gs1::{Reading, association, epc_urn};
use crate::id::check::{Fault, mod10};

/// Most characters of a line that is read; the largest QR code holds 7,089 digits.
pub const SCAN_MAX: usize = 8_192;

/// A line of a barcode reader, understood.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scan {
    /// The kind of barcode, where the reader said it.
    pub symbology: Option<&'static str>,
    /// The data as GS1's texts write it, with `^` for FNC1.
    pub message: String,
    /// What it says.
    pub content: Content,
}

/// What a barcode says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// GS1 elements, from an element string, a Digital Link, an EPC URN or a bare number.
    Gs1(Vec<Element>),
    /// Goods of a registered scheme.
    Goods(GoodsId),
    /// Anything else, after a symbology identifier.
    Verbatim(String),
}

impl Content {
    /// The canonical identifier of what was scanned, where it has one.
    pub fn canonical(&self) -> Option<GoodsId> {
        match self {
            Content::Gs1(elements) => {
                let uri = digital_link::canonical(elements)?;
                Some(GoodsId::parse(&uri).expect("checked elements make a canonical identifier"))
            }
            Content::Goods(goods) => Some(goods.clone()),
            Content::Verbatim(_) => None,
        }
    }
}

/// Reads one line of a barcode reader, without its line end.
///
/// With the symbology identifier that readers can send (`]d2`: GS1 DataMatrix), with brackets as
/// people write them, or bare; the same goods have the same canonical identifier:
///
/// ```
/// use hallmark_schemas::gs1::scan::decode;
///
/// for line in ["]d2010950600013435221A", "(01)09506000134352(21)A"] {
///     let scan = decode(line).unwrap();
///     let goods = scan.content.canonical().expect("a GTIN with a serial names an item");
///     assert_eq!(goods.as_str(), "https://id.gs1.org/01/09506000134352/21/A");
/// }
/// assert!(decode("(01)09506000134353").is_err(), "its check digit is wrong");
/// ```
pub fn decode(line: &str) -> Result<Scan, Fault> {
    decode_with(line, false)
}

/// [`decode`] for capture: a bare line that is meant as nothing known is kept as it is, too.
pub fn decode_capture(line: &str) -> Result<Scan, Fault> {
    decode_with(line, true)
}

fn decode_with(line: &str, keeps_other: bool) -> Result<Scan, Fault> {
    if SCAN_MAX < line.len() {
        return Err(fault(SCAN_MAX, format!("longer than {SCAN_MAX} bytes")));
    }
    if !line.starts_with(']') {
        let content = match decode_bare(line) {
            Err(_) if keeps_other && !is_meant(line) => Content::Verbatim(line.to_owned()),
            Err(found) => return Err(or_a_scheme(line, found)),
            Ok(found) => found,
        };
        let message = match &content {
            Content::Gs1(elements) => element::message(elements),
            _ => line.to_owned(),
        };
        return Ok(Scan { symbology: None, message, content });
    }
    let (identifier, data) = line.split_at_checked(3).ok_or_else(|| {
        fault(0, "expected a symbology identifier of three characters, such as ]Q3")
    })?;
    let shift = |found: Fault| Fault { offset: found.offset + 3, ..found };
    let (symbology, message, content) = match identifier {
        "]C1" => transmitted("GS1_128_CCA", data).map_err(shift)?,
        "]e0" => transmitted("DataBarExpanded", data).map_err(shift)?,
        "]d2" => transmitted("DM", data).map_err(shift)?,
        "]Q3" => transmitted("QR", data).map_err(shift)?,
        "]J1" => transmitted("DotCode", data).map_err(shift)?,
        "]E0" => retail("EAN13", 13, data).map_err(shift)?,
        "]E4" => retail("EAN8", 8, data).map_err(shift)?,
        "]I0" | "]I1" if mod10(data, &[14]).is_ok() => retail("ITF14", 14, data).map_err(shift)?,
        "]Q1" => plain("QR", data).map_err(shift)?,
        "]d1" => plain("DM", data).map_err(shift)?,
        "]J0" => plain("DotCode", data).map_err(shift)?,
        _ => {
            let symbology = symbology(identifier)
                .ok_or_else(|| fault(0, format!("unknown symbology identifier {identifier:?}")))?;
            plain(symbology, data).map_err(shift)?
        }
    };
    Ok(Scan { symbology: Some(symbology), message, content })
}

/// Other symbologies of ISO/IEC 15424; the modifier is a digit.
fn symbology(identifier: &str) -> Option<&'static str> {
    let bytes = identifier.as_bytes();
    if !bytes[2].is_ascii_digit() {
        return None;
    }
    Some(match bytes[1] {
        b'A' => "Code39",
        b'C' => "Code128",
        b'E' => "EAN",
        b'F' => "Codabar",
        b'G' => "Code93",
        b'H' => "Code11",
        b'I' => "ITF",
        b'J' => "DotCode",
        b'L' => "PDF417",
        b'O' => "OCR",
        b'Q' => "QR",
        b'd' => "DM",
        b'e' => "DataBar",
        b'h' => "HanXin",
        b'z' => "Aztec",
        _ => return None,
    })
}

type Decoded = (&'static str, String, Content);

/// A symbol whose identifier says that it holds an element string.
fn transmitted(symbology: &'static str, data: &str) -> Result<Decoded, Fault> {
    let elements = element::parse_transmitted(data)?;
    association::check_contradictions(&elements).map_err(|error| fault(0, error.to_string()))?;
    let message = format!("{FNC1}{}", data.replace(GROUP_SEPARATOR, "^"));
    Ok((symbology, message, Content::Gs1(elements)))
}

/// A GTIN of so many digits, perhaps with a composite part after `|]e0`.
fn retail(symbology: &'static str, length: usize, data: &str) -> Result<Decoded, Fault> {
    let (number, composite) = match data.split_once("|]e0") {
        Some((number, composite)) => (number, Some(composite)),
        None => (data, None),
    };
    mod10(number, &[length])?;
    let mut elements = vec![gtin(number)?];
    let mut message = number.to_owned();
    if let Some(composite) = composite {
        let shift = |found: Fault| Fault { offset: found.offset + number.len() + 4, ..found };
        elements.extend(element::parse_transmitted(composite).map_err(shift)?);
        association::check_contradictions(&elements)
            .map_err(|error| fault(0, error.to_string()))?;
        message.push_str("|^");
        message.push_str(&composite.replace(GROUP_SEPARATOR, "^"));
    }
    Ok((symbology, message, Content::Gs1(elements)))
}

/// A symbol that holds any text: a Digital Link where it has a GS1 key, else as it is.
fn plain(symbology: &'static str, data: &str) -> Result<Decoded, Fault> {
    let is_escaped = data.trim_start_matches('\\').starts_with(FNC1);
    let message = format!("{}{data}", if is_escaped { "\\" } else { "" });
    let content = if let Some(goods) = of_node(data) {
        Content::Goods(goods?)
    } else if digital_link::is_candidate(data, &Reading::STRICT) {
        Content::Gs1(DigitalLink::parse(data, &Reading::STRICT)?.elements)
    } else {
        match decode_bare(data) {
            Ok(Content::Gs1(elements)) if data.starts_with("urn:") => Content::Gs1(elements),
            Ok(Content::Goods(goods)) => Content::Goods(goods),
            _ => Content::Verbatim(data.to_owned()),
        }
    };
    Ok((symbology, message, content))
}

/// Goods by the address that nodes give them; one that is wrong may still be a Digital Link.
fn of_node(data: &str) -> Option<Result<GoodsId, Fault>> {
    let is_other = |found: &Result<GoodsId, Fault>| {
        found.is_err() && digital_link::is_candidate(data, &Reading::STRICT)
    };
    goods::in_url(data).filter(|found| !is_other(found))
}

/// Whether a bare line is meant as GS1 data or goods, so that a fault in it is an error.
fn is_meant(line: &str) -> bool {
    let is_number = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    match line {
        _ if line.starts_with([FNC1, GROUP_SEPARATOR, '(']) => true,
        _ if line.starts_with("urn:epc:") || line.starts_with("urn:hallmark:") => true,
        // Nothing says which of several schemes it is of.
        _ if 1 < telling(line).count() => false,
        _ if is_number => matches!(line.len(), 8 | 12 | 13 | 14 | 18 | 20),
        _ => of_node(line).is_some() || digital_link::is_candidate(line, &Reading::STRICT),
    }
}

/// A line without symbology identifier.
fn decode_bare(line: &str) -> Result<Content, Fault> {
    let contradiction = |elements: Vec<Element>| match association::check_contradictions(&elements)
    {
        Ok(()) => Ok(Content::Gs1(elements)),
        Err(error) => Err(fault(0, error.to_string())),
    };
    if line.starts_with([FNC1, GROUP_SEPARATOR]) {
        contradiction(element::parse(line)?)
    } else if line.starts_with('(') {
        contradiction(element::parse_bracketed(line, &Reading::STRICT)?)
    } else if line.starts_with("urn:epc:") {
        Ok(Content::Gs1(epc_urn::parse(line)?))
    } else if line.starts_with("urn:hallmark:goods:") {
        let goods = GoodsId::parse(line);
        goods.map(Content::Goods).map_err(|error| fault(error.position - 1, error.reason))
    } else if let Some(goods) = of_node(line) {
        goods.map(Content::Goods)
    } else if line.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("http")) {
        contradiction(DigitalLink::parse(line, &Reading::STRICT)?.elements)
    } else if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) {
        decode_number(line)
    } else {
        decode_scheme(line)
    }
}

fn gtin(number: &str) -> Result<Element, Fault> {
    Element::new("01", &format!("{number:0>14}"), &Reading::STRICT)
}

/// Bare digits: a GTIN, an SSCC with or without its (00), or a drug traceability code.
fn decode_number(digits: &str) -> Result<Content, Fault> {
    match digits.len() {
        8 | 12 | 13 | 14 => {
            mod10(digits, &[digits.len()])?;
            Ok(Content::Gs1(vec![gtin(digits)?]))
        }
        18 => Ok(Content::Gs1(vec![Element::new("00", digits, &Reading::STRICT)?])),
        20 if digits.starts_with("00") && mod10(&digits[2..], &[18]).is_ok() => {
            Ok(Content::Gs1(vec![Element::new("00", &digits[2..], &Reading::STRICT)?]))
        }
        20 => decode_scheme(digits),
        length => Err(fault(
            0,
            format!("{length} digits are no GTIN (8, 12, 13, 14), SSCC (18) or drug code (20)"),
        )),
    }
}

/// Values that only one registered scheme can have written.
fn decode_scheme(text: &str) -> Result<Content, Fault> {
    let mut found = telling(text);
    match (found.next(), found.next()) {
        (Some(scheme), None) if scheme.is_telling => GoodsId::in_scheme(scheme, text)
            .map(Content::Goods)
            .map_err(|error| fault(0, error.reason)),
        _ => Err(fault(0, "no GS1 data, Digital Link, EPC URN or value of a registered scheme")),
    }
}

/// Schemes whose value the text can be.
fn telling(text: &str) -> impl Iterator<Item = &'static Scheme> {
    SCHEMES.iter().filter(move |scheme| scheme.check(text).is_ok())
}

/// The URNs that a line without any can be meant as, where nothing in it says so: a number may be an
/// Ecode, a drug code or neither.
pub fn may_be(line: &str) -> Vec<GoodsId> {
    telling(line).filter_map(|scheme| GoodsId::in_scheme(scheme, line).ok()).collect()
}

/// The fault, and how to say of which scheme the line is, where it can be of one.
fn or_a_scheme(line: &str, found: Fault) -> Fault {
    let all: Vec<&str> = telling(line).map(|scheme| scheme.name).collect();
    let [first, ..] = all.as_slice() else { return found };
    let urn = format!("urn:hallmark:goods:{first}:{line}");
    let reason = match all.as_slice() {
        [one] => format!("{}; if it is of the scheme {one}, say so: {urn}", found.reason),
        _ => format!("ambiguous, of one of the schemes {}; say which: {urn}", all.join(", ")),
    };
    Fault { reason, ..found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_lines_are_read_as_what_they_can_only_be() {
        for (line, canonical) in [
            ("9506000134352", "https://id.gs1.org/01/09506000134352"),
            ("006141411234567890", "https://id.gs1.org/00/006141411234567890"),
            ("00006141411234567890", "https://id.gs1.org/00/006141411234567890"),
            ("81234567890123456789", "urn:hallmark:goods:drug:81234567890123456789"),
            ("86.1000.12/A-0001", "urn:hallmark:goods:handle:86.1000.12/A-0001"),
            (
                "https://id.example.com/goods/drug/81234567890123456789",
                "urn:hallmark:goods:drug:81234567890123456789",
            ),
            ("MA.156.M0001.12", "urn:hallmark:goods:ma:MA.156.M0001.12"),
            ("1.2.156.3001.12.1", "urn:hallmark:goods:oid:1.2.156.3001.12.1"),
            ("(01)09506000134352(21)A/1", "https://id.gs1.org/01/09506000134352/21/A%2F1"),
            ("\u{1d}010950600013435210A1", "https://id.gs1.org/01/09506000134352/10/A1"),
            ("urn:epc:id:sgtin:9506000.013435.7", "https://id.gs1.org/01/09506000134352/21/7"),
        ] {
            let scan = decode(line).unwrap_or_else(|found| panic!("{line}: {found:?}"));
            assert_eq!(
                scan.content.canonical().map(|id| id.to_string()).as_deref(),
                Some(canonical)
            );
        }
    }

    #[test]
    fn a_number_that_several_schemes_may_have_written_is_none_until_it_says_which() {
        let ecode = "100631234567890";
        let urn = |scheme: &str, value: &str| format!("urn:hallmark:goods:{scheme}:{value}");
        for (line, canonical) in [
            (urn("ecode", ecode), urn("ecode", ecode)),
            (format!("]Q1{}", urn("ecode", ecode)), urn("ecode", ecode)),
            (format!("https://a.example/goods/ecode/{ecode}"), urn("ecode", ecode)),
            (format!("]d1https://a.example/goods/ecode/{ecode}"), urn("ecode", ecode)),
            (urn("drug", "10063123456789012345"), urn("drug", "10063123456789012345")),
        ] {
            let scan = decode(&line).unwrap_or_else(|found| panic!("{line}: {found:?}"));
            assert_eq!(scan.content.canonical().map(|id| id.to_string()), Some(canonical));
        }
        for (line, told, may_be) in [
            (ecode, "15 digits are no GTIN", &["ecode"][..]),
            (
                ecode,
                "if it is of the scheme ecode, say so: urn:hallmark:goods:ecode:1006",
                &["ecode"],
            ),
            ("3064700000A1", "no GS1 data", &["ecode"]),
            ("1006312345671", "check character", &["ecode"]),
            (
                "10063123456789012345",
                "ambiguous, of one of the schemes drug, ecode; say which: \
              urn:hallmark:goods:drug:10063123456789012345",
                &["drug", "ecode"],
            ),
            ("hello", "no GS1 data, Digital Link, EPC URN or value of a registered scheme", &[]),
        ] {
            let found = decode(line).unwrap_err();
            assert!(found.reason.contains(told), "{line}: {}", found.reason);
            let urns: Vec<String> = may_be.iter().map(|scheme| urn(scheme, line)).collect();
            let all: Vec<String> = super::may_be(line).iter().map(ToString::to_string).collect();
            assert_eq!(all, urns, "{line}");
        }
        for line in ["100631234567890", "10063123456789012345", "3064700000A1"] {
            let kept = Content::Verbatim(line.to_owned());
            assert_eq!(decode_capture(line).unwrap().content, kept, "{line}");
            assert_eq!(decode(&format!("]C0{line}")).unwrap().content, kept, "{line}");
        }
    }

    #[test]
    fn a_separator_after_a_symbology_identifier_is_read_in_either_writing() {
        let item = "https://id.gs1.org/01/09506000134352/21/A1";
        for start in ["]C1", "]e0", "]d2", "]Q3", "]J1"] {
            for separator in [FNC1, GROUP_SEPARATOR] {
                let line = format!("{start}010950600013435210L1{separator}21A1");
                let scan = decode(&line).unwrap_or_else(|found| panic!("{line}: {found:?}"));
                assert_eq!(scan.message, "^010950600013435210L1^21A1", "{line}");
                assert_eq!(scan.content.canonical().unwrap().as_str(), item, "{line}");
            }
        }
        let scan = decode("]E09506000134352|]e010L1^21A1").unwrap();
        assert_eq!(scan.message, "9506000134352|^10L1^21A1");
        for line in ["]C110L1^^21A1", "]C1^", "]C1010950600013^435210L1"] {
            assert!(decode(line).is_err(), "{line}");
        }
        // Elsewhere it is a character like others.
        let scan = decode("]Q1A^B").unwrap();
        assert_eq!(scan.content, Content::Verbatim("A^B".to_owned()));
    }

    #[test]
    fn other_data_after_a_symbology_identifier_is_kept_and_without_one_refused() {
        for line in ["]Q1hello", "]A0ABC-1", "]d1https://example.com/", "]C0123"] {
            let scan = decode(line).unwrap();
            assert_eq!(scan.content, Content::Verbatim(line[3..].to_owned()), "{line}");
        }
        for line in ["hello", "", "123", "9506000134353", "]", "]XX", "]Q", "]Q3", "]é", "(01)"] {
            assert!(decode(line).is_err(), "{line}");
        }
        assert!(decode("]Q1https://example.com/01/09506000134353").is_err());
        for line in ["hello", "12345", "https://example.com/"] {
            assert_eq!(decode_capture(line).unwrap().content, Content::Verbatim(line.to_owned()));
        }
        for line in [
            "9506000134353",
            "(01)",
            "https://example.com/01/09506000134353",
            "https://example.com/goods/drug/8123",
            "]XX",
        ] {
            assert!(decode_capture(line).is_err(), "{line}");
        }
    }
}
