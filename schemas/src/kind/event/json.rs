//! JSON as EPCIS needs it: member order and number literals kept, repeated members refused.
//!
//! Invariants: nothing is allocated from a claimed length; depth and number of values are bounded;
//! a number stays the text it was, so no digit is lost.

use super::decimal;
use std::fmt::Write as _;

/// Deepest nesting of one event.
pub const DEPTH_MAX: usize = 32;
/// Most values of one document: a capture document of 16 MiB has about 400,000.
pub const VALUES_MAX: usize = 2_000_000;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// The literal.
    Number(String),
    /// The text, unescaped.
    Text(String),
    /// The members, in order.
    List(Vec<Json>),
    /// The members, in order, names unique.
    Object(Vec<(String, Json)>),
}

/// Why a text is no JSON document that we accept, with the byte where it stops being one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{fault} at line {line} column {column}")]
pub struct JsonError {
    /// What is wrong.
    pub fault: JsonFault,
    /// Byte offset.
    pub at: usize,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// What is wrong with a JSON text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFault {
    /// Something else was expected.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A member name that the object already has.
    #[error("member {0:?} is repeated")]
    Repeated(String),
    /// Nested too deep.
    #[error("nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// Too many values.
    #[error("more than {VALUES_MAX} values")]
    TooMany,
    /// A `\u` escape that is no character.
    #[error("an escape that is no character")]
    Escape,
}

impl Json {
    /// The member of this name.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => {
                members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The text of a text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads one JSON document.
pub fn parse(text: &str) -> Result<Json, JsonError> {
    let mut parser = Parser { text, at: 0, values: 0 };
    parser.document().map_err(|fault| {
        let before = &text[..parser.at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        JsonError {
            fault,
            at: parser.at,
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<Json, JsonFault> {
        let value = self.value(0)?;
        self.space();
        if self.at < self.text.len() {
            return Err(JsonFault::Expected("the end of the document"));
        }
        Ok(value)
    }

    fn space(&mut self) {
        let rest = self.text.as_bytes()[self.at..].iter();
        self.at += rest.take_while(|byte| b" \t\r\n".contains(byte)).count();
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8, expected: &'static str) -> Result<(), JsonFault> {
        if self.peek() != Some(byte) {
            return Err(JsonFault::Expected(expected));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &'static str, value: Json) -> Result<Json, JsonFault> {
        if !self.text[self.at..].starts_with(word) {
            return Err(JsonFault::Expected("a value"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonFault> {
        self.space();
        self.values += 1;
        if VALUES_MAX < self.values {
            return Err(JsonFault::TooMany);
        }
        if DEPTH_MAX < depth {
            return Err(JsonFault::TooDeep);
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(JsonFault::Expected("a value")),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonFault> {
        self.at += 1;
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut names = std::collections::BTreeSet::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let start = self.at;
            let name = self.string()?;
            if !names.insert(name.clone()) {
                self.at = start;
                return Err(JsonFault::Repeated(name));
            }
            self.space();
            self.take(b':', "`:`")?;
            members.push((name, self.value(depth + 1)?));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => {
                    self.take(b'}', "`,` or `}`")?;
                    return Ok(Json::Object(members));
                }
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, JsonFault> {
        self.at += 1;
        let mut values = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Json::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => {
                    self.take(b']', "`,` or `]`")?;
                    return Ok(Json::List(values));
                }
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonFault> {
        self.take(b'"', "a text in double quotes")?;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| c == '"' || c == '\\' || c < ' ');
            let plain = plain.ok_or(JsonFault::Expected("a closing double quote"))?;
            text.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(JsonFault::Expected("an escaped control character")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonFault> {
        self.at += 1;
        let byte = self.peek().ok_or(JsonFault::Escape)?;
        let plain = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(JsonFault::Escape),
        };
        self.at += 1;
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char, JsonFault> {
        let high = self.four_digits()?;
        let code = if (0xd800..0xdc00).contains(&high) {
            if !self.text[self.at..].starts_with("\\u") {
                return Err(JsonFault::Escape);
            }
            self.at += 2;
            let low = self.four_digits()?;
            if !(0xdc00..0xe000).contains(&low) {
                return Err(JsonFault::Escape);
            }
            0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00)
        } else {
            high
        };
        char::from_u32(code).ok_or(JsonFault::Escape)
    }

    fn four_digits(&mut self) -> Result<u32, JsonFault> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(JsonFault::Escape)?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(JsonFault::Escape);
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| JsonFault::Escape)
    }

    fn digits(&mut self) -> usize {
        let rest = self.text.as_bytes()[self.at..].iter();
        let count = rest.take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        count
    }

    fn number(&mut self) -> Result<Json, JsonFault> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || (zero && 1 < whole) {
            return Err(JsonFault::Expected("a number without leading zeros"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(JsonFault::Expected("a digit after the decimal point"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if self.digits() == 0 {
                return Err(JsonFault::Expected("a digit in the exponent"));
            }
        }
        Ok(Json::Number(self.text[start..self.at].to_owned()))
    }
}

/// The value as compact JSON: members in their order, number literals as they were.
pub fn write(json: &Json) -> String {
    let mut text = String::new();
    write_as(json, Form::AsSent, &mut text);
    text
}

/// One text for one content: members sorted by name, no space, numbers as plain decimals without
/// trailing zeros. Top-level members named in `without` are left out.
pub fn canonical(json: &Json, without: &[&str]) -> String {
    let mut text = String::new();
    match json {
        Json::Object(members) => {
            let kept = members.iter().filter(|(name, _)| !without.contains(&name.as_str()));
            write_object(kept.collect(), Form::Canonical, &mut text);
        }
        other => write_as(other, Form::Canonical, &mut text),
    }
    text
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    AsSent,
    Canonical,
}

fn write_object(mut members: Vec<&(String, Json)>, form: Form, text: &mut String) {
    if form == Form::Canonical {
        members.sort_by(|a, b| a.0.cmp(&b.0));
    }
    text.push('{');
    for (index, (name, value)) in members.into_iter().enumerate() {
        if 0 < index {
            text.push(',');
        }
        write_text(name, text);
        text.push(':');
        write_as(value, form, text);
    }
    text.push('}');
}

fn write_as(json: &Json, form: Form, text: &mut String) {
    match json {
        Json::Null => text.push_str("null"),
        Json::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Json::Number(literal) if form == Form::AsSent => text.push_str(literal),
        Json::Number(literal) => text.push_str(&decimal::plain(literal)),
        Json::Text(value) => write_text(value, text),
        Json::List(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                if 0 < index {
                    text.push(',');
                }
                write_as(value, form, text);
            }
            text.push(']');
        }
        Json::Object(members) => write_object(members.iter().collect(), form, text),
    }
}

fn write_text(value: &str, text: &mut String) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c < ' ' => {
                write!(text, "\\u{:04x}", u32::from(c)).expect("writing to memory cannot fail");
            }
            c => text.push(c),
        }
    }
    text.push('"');
}
