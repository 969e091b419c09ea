//! What one line of a barcode reader says, as one JSON object.
//!
//! Fields: `canonical` (the Digital Link or URN, where the data identifies something), `ais` (the
//! application identifiers), `elements` (the same in order), `symbology`; or `verbatim`; or `error`
//! with `position`, counted in characters from 1. `may_be` beside these two has the URNs of registered
//! schemes that the data can be meant as where nothing in it says so; `needs` says what another barcode
//! of the same item must carry.

use std::io::{self, BufRead, Read};

use hallmark_schemas::gs1::association;
use hallmark_schemas::gs1::scan::{self, Content, SCAN_MAX};
use serde_json::{Map, Value, json};

/// Reads one line, without its line end. An error is an object too.
pub fn line(text: &str) -> Value {
    let scan = match scan::decode(text) {
        Ok(scan) => scan,
        Err(fault) => {
            let position = text.get(..fault.offset).map_or(0, |before| before.chars().count()) + 1;
            let input: String = text.chars().take(200).collect();
            let mut object = Map::new();
            object.insert("error".to_owned(), json!(fault.reason));
            object.insert("position".to_owned(), json!(position));
            object.insert("input".to_owned(), json!(input));
            tell_may_be(&mut object, text);
            return Value::Object(object);
        }
    };
    let mut object = Map::new();
    if let Some(goods) = scan.content.canonical() {
        object.insert("canonical".to_owned(), json!(goods));
    }
    match &scan.content {
        Content::Gs1(elements) => {
            let mut ais = Map::new();
            for element in elements {
                ais.insert(element.code.clone(), json!(element.value));
            }
            let pairs: Vec<Value> =
                elements.iter().map(|element| json!([element.code, element.value])).collect();
            object.insert("ais".to_owned(), Value::Object(ais));
            object.insert("elements".to_owned(), Value::Array(pairs));
            object.insert("message".to_owned(), json!(scan.message));
            if let Err(error) = association::check(elements) {
                object.insert("needs".to_owned(), json!(error.to_string()));
            }
        }
        Content::Goods(_) => {}
        Content::Verbatim(data) => {
            object.insert("verbatim".to_owned(), json!(data));
            tell_may_be(&mut object, data);
        }
    }
    if let Some(symbology) = scan.symbology {
        object.insert("symbology".to_owned(), json!(symbology));
    }
    Value::Object(object)
}

/// Adds what data of no one scheme can be meant as.
fn tell_may_be(object: &mut Map<String, Value>, data: &str) {
    let may_be = scan::may_be(data);
    if !may_be.is_empty() {
        object.insert("may_be".to_owned(), json!(may_be));
    }
}

/// The same as one line for people.
pub fn in_words(found: &Value) -> String {
    let text = |name: &str| found[name].as_str().unwrap_or_default();
    let mut words = Vec::new();
    if found.get("error").is_some() {
        words.push(format!("error at {}: {}", found["position"], text("error")));
        words.push(text("input").to_owned());
    } else if found.get("verbatim").is_some() {
        words.push(format!("verbatim {}", text("verbatim")));
    } else {
        words.push(text("canonical").to_owned());
    }
    let pairs = found["elements"].as_array().into_iter().flatten();
    words.extend(pairs.map(|pair| {
        let [code, value] = [0, 1].map(|at| pair[at].as_str().unwrap_or_default());
        format!("({code}) {value}")
    }));
    words.extend(found["symbology"].as_str().map(ToOwned::to_owned));
    words.extend(found["needs"].as_str().map(ToOwned::to_owned));
    words.retain(|word| !word.is_empty());
    // What a code holds must not steer a terminal.
    words.join("  ").chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The next line without its end; one over the limit is cut just above it, so that it is refused.
/// Bytes that are no UTF-8 become U+FFFD, which no code may hold.
pub fn next_line(input: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    let limit = SCAN_MAX as u64 + 2;
    if input.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && limit <= line.len() as u64 {
        input.skip_until(b'\n')?;
    }
    while matches!(line.last(), Some(b'\n' | b'\r')) {
        line.pop();
    }
    Ok(Some(String::from_utf8_lossy(&line).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_the_next_one_is_found() {
        let text = format!("A\r\n{}\n\nB", "x".repeat(SCAN_MAX * 3));
        let mut input = text.as_bytes();
        let mut next = || next_line(&mut input).unwrap();
        assert_eq!(next().as_deref(), Some("A"));
        assert_eq!(next().map(|line| line.len()), Some(SCAN_MAX + 2));
        assert_eq!(next().as_deref(), Some(""));
        assert_eq!(next().as_deref(), Some("B"));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_number_of_no_one_scheme_is_told_with_what_it_may_be() {
        let found = line("10063123456789012345");
        let urn = |scheme: &str| format!("urn:hallmark:goods:{scheme}:10063123456789012345");
        assert_eq!(found["may_be"], json!([urn("drug"), urn("ecode")]));
        assert!(found["error"].as_str().unwrap().starts_with("ambiguous"), "{found}");
        assert_eq!(line(&urn("ecode"))["canonical"], urn("ecode"));
        assert!(line("hello").get("may_be").is_none());
        let kept = line("]Q1100631234567890");
        assert_eq!(kept["verbatim"], "100631234567890");
        assert_eq!(kept["may_be"], json!(["urn:hallmark:goods:ecode:100631234567890"]));
    }

    #[test]
    fn a_scan_gives_its_canonical_form_and_its_identifiers() {
        let found = line("]d2010950600013435210L1\u{1d}21A/1");
        assert_eq!(found["canonical"], "https://id.gs1.org/01/09506000134352/21/A%2F1");
        assert_eq!(found["ais"], json!({ "01": "09506000134352", "10": "L1", "21": "A/1" }));
        assert_eq!(found["symbology"], "DM");
        let found = line("]C1010950600013435210L1^21A1");
        assert_eq!(found["ais"], json!({ "01": "09506000134352", "10": "L1", "21": "A1" }));
        assert_eq!(found["symbology"], "GS1_128_CCA");
        assert_eq!(
            line("^10L1")["needs"],
            "(10) needs (01), or (02), or (03), or (8006), or (8026)"
        );
    }

    #[test]
    fn a_line_for_people_has_the_code_its_identifiers_and_what_is_wrong() {
        for (scan, words) in [
            (
                "]d2010950600013435210L1",
                "https://id.gs1.org/01/09506000134352/10/L1  (01) 09506000134352  (10) L1  DM",
            ),
            ("^10L1", "(10) L1  (10) needs (01), or (02), or (03), or (8006), or (8026)"),
            (
                "^0109506000134353",
                "error at 17: (01) check character should be 2  ^0109506000134353",
            ),
            ("]Q1a\u{1b}[31m", "verbatim a\u{fffd}[31m  QR"),
            ("81234567890123456789", "urn:hallmark:goods:drug:81234567890123456789"),
        ] {
            assert_eq!(in_words(&line(scan)), words, "{scan}");
        }
    }

    #[test]
    fn what_is_no_code_is_an_error_with_its_position_and_other_data_is_kept() {
        assert_eq!(line("^0109506000134353")["position"], 17);
        assert_eq!(line("测试")["position"], 1);
        assert_eq!(line("")["position"], 1);
        assert_eq!(line("]Q1hello"), json!({ "verbatim": "hello", "symbology": "QR" }));
        assert_eq!(
            line("81234567890123456789"),
            json!({ "canonical": "urn:hallmark:goods:drug:81234567890123456789" })
        );
    }
}
