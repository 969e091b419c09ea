//! The registry of goods schemes other than GS1: one line each, with the syntax of its values.
//!
//! A new scheme is a new entry of [`SCHEMES`]. Values are kept as registered: no case folding, so
//! each value has one text.

use crate::id::check::Fault;

/// A numbering scheme for goods.
#[derive(Clone, Copy, Debug)]
pub struct Scheme {
    /// Its name in `urn:hallmark:goods:<name>:<value>`.
    pub name: &'static str,
    /// What it is, and where its syntax is laid down.
    pub meaning: &'static str,
    /// A value that passes.
    pub example: &'static str,
    /// Whether a value shows by itself that it is of this scheme: a bare number does not.
    pub is_telling: bool,
    syntax: fn(&str) -> Result<(), Fault>,
}

/// Every scheme, by name.
pub const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "drug",
        meaning: "China's drug traceability code: 7 digits of identification, 13 of production",
        example: "81234567890123456789",
        is_telling: true,
        syntax: drug,
    },
    Scheme {
        name: "ecode",
        meaning: "Ecode, GB/T 31866: version digit, numbering system, master code",
        example: "100631234567890",
        is_telling: false,
        syntax: ecode,
    },
    Scheme {
        name: "handle",
        meaning: "Handle System, RFC 3650: prefix of dotted numbers, slash, suffix",
        example: "86.1000.12/A-0001",
        is_telling: true,
        syntax: handle,
    },
    Scheme {
        name: "ma",
        meaning: "MA identification code (ISO/IEC 15459, issuing agency MA): dotted nodes",
        example: "MA.156.M0001.12.34.5678",
        is_telling: true,
        syntax: ma,
    },
    Scheme {
        name: "oid",
        meaning: "Object identifier, ITU-T X.660 and GB/T 26231: dotted numbers from 0, 1 or 2",
        example: "1.2.156.3001.12.1",
        is_telling: true,
        syntax: oid,
    },
];

impl Scheme {
    /// The scheme of this name.
    pub fn named(name: &str) -> Option<&'static Scheme> {
        SCHEMES.iter().find(|scheme| scheme.name == name)
    }

    /// The names of all, for messages.
    pub fn names() -> String {
        let names: Vec<&str> = SCHEMES.iter().map(|scheme| scheme.name).collect();
        names.join(", ")
    }

    /// Checks a value against the scheme's syntax.
    pub fn check(&self, value: &str) -> Result<(), Fault> {
        (self.syntax)(value)
    }
}

fn fault(offset: usize, reason: impl Into<String>) -> Fault {
    Fault { offset, reason: reason.into() }
}

/// Refuses the first character that is not allowed, and a length outside the range.
fn run(value: &str, at: usize, lengths: [usize; 2], allowed: fn(u8) -> bool) -> Result<(), Fault> {
    if let Some(offset) = value.bytes().position(|byte| !allowed(byte)) {
        return Err(fault(at + offset, "a character that the scheme does not allow"));
    }
    let [least, most] = lengths;
    if value.len() < least || most < value.len() {
        let found = match value.len() {
            1 => "1 character".to_owned(),
            length => format!("{length} characters"),
        };
        let expected = match least == most {
            true => format!("{most}"),
            false => format!("{least} to {most}"),
        };
        let reason = format!("{found}, expected {expected}");
        return Err(fault(at + value.len().min(most), reason));
    }
    Ok(())
}

fn digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}

fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn drug(value: &str) -> Result<(), Fault> {
    run(value, 0, [20, 20], digit)
}

/// Versions 1 and 2: 4 digits of system, digits; version 3: 5 digits of system, letters and digits.
fn ecode(value: &str) -> Result<(), Fault> {
    let (system, most, allowed): (usize, usize, fn(u8) -> bool) = match value.as_bytes().first() {
        Some(b'1') => (4, 20, digit),
        Some(b'2') => (4, 28, digit),
        Some(b'3') => (5, 39, |byte| byte.is_ascii_alphanumeric()),
        _ => return Err(fault(0, "expected an Ecode of version 1, 2 or 3")),
    };
    let split = value.char_indices().nth(1 + system).map_or(value.len(), |(offset, _)| offset);
    run(&value[1..split], 1, [system, system], digit)?;
    run(&value[split..], split, [1, most], allowed)
}

fn handle(value: &str) -> Result<(), Fault> {
    let (prefix, suffix) =
        value.split_once('/').ok_or_else(|| fault(value.len(), "expected <prefix>/<suffix>"))?;
    dotted(prefix, 0, 1, 32, digit)?;
    run(suffix, prefix.len() + 1, [1, 128], |byte| word(byte) || matches!(byte, b'/' | b':' | b'~'))
}

fn ma(value: &str) -> Result<(), Fault> {
    if !value.starts_with("MA.") {
        return Err(fault(0, "expected MA. first"));
    }
    dotted(&value[3..], 3, 2, 64, |byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn oid(value: &str) -> Result<(), Fault> {
    dotted(value, 0, 2, 20, digit)?;
    if !matches!(value.as_bytes(), [b'0'..=b'2', b'.', ..]) {
        return Err(fault(0, "the first number is 0, 1 or 2"));
    }
    let mut offset = 0;
    for arc in value.split('.') {
        if arc.len() > 1 && arc.starts_with('0') {
            return Err(fault(offset, "a number without leading zeros"));
        }
        offset += arc.len() + 1;
    }
    Ok(())
}

fn dotted(
    text: &str,
    at: usize,
    least: usize,
    most: usize,
    ok: fn(u8) -> bool,
) -> Result<(), Fault> {
    let nodes = text.split('.').count();
    let mut offset = at;
    for node in text.split('.') {
        run(node, offset, [1, most], ok)?;
        offset += node.len() + 1;
    }
    if nodes < least || 16 < nodes {
        return Err(fault(at + text.len(), format!("{nodes} nodes, expected {least} to 16")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_every_scheme_passes_and_names_are_unique() {
        for (index, scheme) in SCHEMES.iter().enumerate() {
            assert_eq!(scheme.check(scheme.example), Ok(()), "{}", scheme.name);
            assert!(SCHEMES[..index].iter().all(|other| other.name < scheme.name));
        }
    }

    #[test]
    fn values_outside_their_scheme_are_refused_with_their_place() {
        for (name, value, offset) in [
            ("drug", "8123456789012345678", 19),
            ("drug", "812345678901234567890", 20),
            ("drug", "8123456789012345678x", 19),
            ("drug", "", 0),
            ("ecode", "00063123", 0),
            ("ecode", "1006", 4),
            ("ecode", "10063", 5),
            ("ecode", "1006x1", 4),
            ("ecode", "1测试", 1),
            ("handle", "86.1000.12", 10),
            ("handle", "86..12/x", 3),
            ("handle", "86.1/", 5),
            ("handle", "86.1/a b", 6),
            ("ma", "ma.156.M0001", 0),
            ("ma", "MA.156", 6),
            ("ma", "MA.156.", 7),
            ("oid", "3.1", 0),
            ("oid", "1.02", 2),
            ("oid", "1", 1),
        ] {
            let found = Scheme::named(name).unwrap().check(value).unwrap_err();
            assert_eq!(found.offset, offset, "{name} {value:?}: {}", found.reason);
        }
    }
}
