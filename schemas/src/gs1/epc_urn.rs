//! EPC URNs: `urn:epc:id:…`, `urn:epc:class:lgtin:…` and patterns that end in `.*`.
//!
//! Invariant: company prefix and reference have exactly the digits that the GS1 key has; the check
//! digit, which the URN leaves out, is computed.

use crate::gs1::Reading;
use crate::gs1::digital_link::unescape;
use crate::gs1::element::Element;
use crate::gs1::lint::fault;
use crate::id::check::{Fault, mod10_check};

/// The kind of URN: an instance, a class, or all instances of a class.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Form {
    Instance,
    Class,
    Pattern,
}

/// The fields of a URN after its scheme, with their places.
struct Fields<'a> {
    all: Vec<(usize, &'a str)>,
    end: usize,
}

impl<'a> Fields<'a> {
    fn get(&self, index: usize, what: &str) -> Result<(usize, &'a str), Fault> {
        self.all.get(index).copied().ok_or_else(|| fault(self.end, format!("expected the {what}")))
    }

    fn digits(&self, index: usize, what: &str) -> Result<(usize, &'a str), Fault> {
        let (at, text) = self.get(index, what)?;
        match text.bytes().position(|byte| !byte.is_ascii_digit()) {
            Some(offset) => Err(fault(at + offset, format!("expected a digit of the {what}"))),
            None => Ok((at, text)),
        }
    }

    /// The company prefix, 6 to 12 digits.
    fn company(&self) -> Result<&'a str, Fault> {
        let (at, company) = self.digits(0, "company prefix")?;
        match company.len() {
            6..=12 => Ok(company),
            _ => Err(fault(at, "a company prefix has 6 to 12 digits")),
        }
    }

    /// Company prefix and reference, `length` digits together.
    fn key(&self, length: usize) -> Result<(&'a str, &'a str), Fault> {
        let company = self.company()?;
        let (at, reference) = self.digits(1, "reference")?;
        let found = company.len() + reference.len();
        if found != length {
            let reason =
                format!("{found} digits in company prefix and reference, expected {length}");
            return Err(fault(at, reason));
        }
        Ok((company, reference))
    }

    /// Company prefix, reference and check digit.
    fn checked(&self, length: usize) -> Result<String, Fault> {
        let (company, reference) = self.key(length)?;
        Ok(with_check(format!("{company}{reference}")))
    }

    /// The key whose first digit, of extension or level, stands first in the reference.
    fn rotated(&self, length: usize) -> Result<String, Fault> {
        let (company, reference) = self.key(length)?;
        let (first, rest) = reference
            .split_at_checked(1)
            .ok_or_else(|| fault(self.all[1].0, "expected the first digit of the reference"))?;
        Ok(with_check(format!("{first}{company}{rest}")))
    }
}

fn with_check(body: String) -> String {
    let check = mod10_check(&body).expect("the fields were checked to be digits");
    format!("{body}{check}")
}

/// Reads an EPC URN as the elements that say the same.
pub fn parse(urn: &str) -> Result<Vec<Element>, Fault> {
    const FORMS: [(&str, Form); 3] = [
        ("urn:epc:id:", Form::Instance),
        ("urn:epc:class:", Form::Class),
        ("urn:epc:idpat:", Form::Pattern),
    ];
    let found = FORMS.iter().find(|(prefix, _)| urn.starts_with(prefix));
    let (prefix, form) = found.ok_or_else(|| fault(0, "expected urn:epc:id:, class: or idpat:"))?;
    let (scheme, rest) = urn[prefix.len()..]
        .split_once(':')
        .ok_or_else(|| fault(urn.len(), "expected <scheme>:<value>"))?;
    let mut at = prefix.len() + scheme.len() + 1;
    let mut all = Vec::new();
    for field in rest.split('.') {
        all.push((at, field));
        at += field.len() + 1;
    }
    // Instances hold one field more than their class; a serial may contain dots.
    let most = field_count(scheme, *form)
        .ok_or_else(|| fault(prefix.len(), format!("{scheme:?} is no EPC scheme of a GS1 key")))?;
    if most < all.len() {
        let start = all[most - 1].0;
        all.truncate(most);
        all[most - 1] = (start, &urn[start..]);
    }
    if *form == Form::Pattern {
        match all.pop() {
            Some((_, "*")) => {}
            last => {
                let at = last.map_or(urn.len(), |last| last.0);
                return Err(fault(
                    at,
                    "only patterns over all serials, which end in .*, name goods",
                ));
            }
        }
    }
    elements(scheme, *form, &Fields { all, end: urn.len() })
}

/// Fields of a URN of the scheme; `None` where the scheme has no such form.
fn field_count(scheme: &str, form: Form) -> Option<usize> {
    match (form, scheme) {
        (Form::Class, "lgtin") => Some(3),
        (Form::Class, _) => None,
        (_, "sgtin" | "upui" | "grai" | "gdti" | "sgcn" | "cpi") => Some(3),
        (_, "itip") => Some(5),
        (Form::Instance, "sgln") => Some(3),
        (Form::Instance, "sscc" | "giai" | "gsrn" | "gsrnp" | "ginc" | "gsin" | "pgln") => Some(2),
        _ => None,
    }
}

fn elements(scheme: &str, form: Form, fields: &Fields<'_>) -> Result<Vec<Element>, Fault> {
    let serial = |index: usize| match form {
        Form::Pattern => Ok(String::new()),
        _ => fields.get(index, "serial").map(|(_, text)| unescape(text, false)),
    };
    let reference = |what| fields.get(1, what).map(|(_, text)| unescape(text, false));
    let mut pairs = match scheme {
        "sgtin" => vec![("01", fields.rotated(13)?), ("21", serial(2)?)],
        "upui" => vec![("01", fields.rotated(13)?), ("235", serial(2)?)],
        "lgtin" => vec![("01", fields.rotated(13)?), ("10", serial(2)?)],
        "itip" => {
            let (_, piece) = fields.digits(2, "piece")?;
            let (_, total) = fields.digits(3, "total")?;
            vec![("8006", format!("{}{piece}{total}", fields.rotated(13)?)), ("21", serial(4)?)]
        }
        "sscc" => vec![("00", fields.rotated(17)?)],
        "sgln" => vec![("414", fields.checked(12)?), ("254", serial(2)?)],
        "pgln" => vec![("417", fields.checked(12)?)],
        "grai" => vec![("8003", format!("0{}{}", fields.checked(12)?, serial(2)?))],
        "gdti" => vec![("253", format!("{}{}", fields.checked(12)?, serial(2)?))],
        "sgcn" => vec![("255", format!("{}{}", fields.checked(12)?, serial(2)?))],
        "giai" => vec![("8004", format!("{}{}", fields.company()?, reference("asset")?))],
        "ginc" => vec![("401", format!("{}{}", fields.company()?, reference("consignment")?))],
        "gsin" => vec![("402", fields.checked(16)?)],
        "gsrn" => vec![("8018", fields.checked(17)?)],
        "gsrnp" => vec![("8017", fields.checked(17)?)],
        _ => {
            let part = format!("{}{}", fields.company()?, reference("part")?);
            vec![("8010", part), ("8011", serial(2)?)]
        }
    };
    // A pattern has no serial; extension 0 of a location stands for the location itself.
    let is_bare = |code: &str, value: &str| match form {
        Form::Pattern => value.is_empty(),
        _ => code == "254" && value == "0",
    };
    pairs.retain(|(code, value)| !is_bare(code, value));
    let read = |(code, value): (&str, String)| {
        let at = fields.all.last().map_or(0, |last| last.0);
        Element::new(code, &value, &Reading::STRICT).map_err(|found| fault(at, found.reason))
    };
    pairs.into_iter().map(read).collect()
}
