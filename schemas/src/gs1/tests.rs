//! Third-party vectors, read from the folder of real data; each family gives its stated verdict.

use std::path::PathBuf;

use serde_json::Value;

use super::ai::{Ai, is_path};
use super::digital_link::{DigitalLink, escape, unescape};
use super::element;
use super::generate::generate;
use super::transmit::transmit;
use super::{Reading, association, canonical_with, scan};

/// A file of `digital-link`, or nothing and a line that says so.
fn data(name: &str) -> Option<String> {
    let root = std::env::var_os("HALLMARK_REAL_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    let path = root.join("digital-link").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: {} is absent", path.display());
    }
    text
}

fn vectors(name: &str) -> Vec<Value> {
    let text = data(&format!("vectors/{name}.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_default()
}

fn option(vector: &Value, name: &str) -> bool {
    vector["options"][name] == "true"
}

#[test]
fn digital_links_are_read_as_their_elements_or_refused() {
    for vector in vectors("dl_uri_parse") {
        // The engine reads retired words in this one row without naming the setting.
        let words = vector["line"] == 1438;
        let lax = text(&vector["options"], "ValidationEnabled").ends_with("false");
        let reading = Reading {
            words,
            short_gtins: option(&vector, "PermitZeroSuppressedGTINinDLuris"),
            unknown_ais: option(&vector, "PermitUnknownAIs") && lax,
            check_digits: true,
        };
        let found = DigitalLink::parse(text(&vector, "uri"), &reading);
        let found = found.map(|link| element::message(&link.elements));
        assert_eq!(found.clone().ok().as_deref(), vector["ai"].as_str(), "{vector} {found:?}");
    }
}

#[test]
fn element_strings_are_accepted_or_refused() {
    for vector in vectors("element_string_unbracketed") {
        let found = element::parse(text(&vector, "unbracketed"));
        assert_eq!(found.is_ok(), vector["valid"] == true, "{vector} {found:?}");
    }
    for vector in vectors("element_string_bracketed") {
        let found = element::parse_bracketed(text(&vector, "bracketed"), &Reading::STRICT);
        let found = found.map(|elements| element::message(&elements));
        assert_eq!(
            found.clone().ok().as_deref(),
            vector["unbracketed"].as_str(),
            "{vector} {found:?}"
        );
    }
}

#[test]
fn values_pass_or_fail_their_checks() {
    for vector in vectors("ai_value_lint") {
        let found = element::parse_bracketed(text(&vector, "bracketed"), &Reading::STRICT);
        assert_eq!(found.is_ok(), vector["result"] == "OK", "{vector} {found:?}");
    }
    for vector in vectors("error_markup") {
        let bracketed = text(&vector, "bracketed");
        let found = element::parse_bracketed(bracketed, &Reading::STRICT).unwrap_err();
        assert_eq!(Some(found.offset), text(&vector, "markup").find('|'), "{vector} {found:?}");
    }
}

#[test]
fn elements_that_do_not_go_together_are_told() {
    for vector in vectors("ai_associations") {
        let reading =
            Reading { unknown_ais: option(&vector, "PermitUnknownAIs"), ..Reading::STRICT };
        let elements = element::parse_bracketed(text(&vector, "bracketed"), &reading).unwrap();
        let found = match text(&vector, "rule") {
            "validateAIrepeats" => association::check_contradictions(&elements),
            _ => association::check(&elements),
        };
        assert_eq!(found.is_ok(), vector["valid"] == true, "{vector} {found:?}");
    }
}

#[test]
fn scans_give_their_symbology_and_message_or_are_refused() {
    for vector in vectors("scan_data_decode") {
        let found = scan::decode(text(&vector, "scan"));
        assert_eq!(found.is_ok(), vector["valid"] == true, "{vector} {found:?}");
        if let Ok(found) = found {
            assert_eq!(found.symbology, vector["symbology"].as_str(), "{vector}");
            // A scheme of mixed case is no Digital Link, so the message is the text itself.
            assert_eq!(Some(found.message.as_str()), vector["message"].as_str(), "{vector}");
        }
    }
}

#[test]
fn every_permitted_path_is_permitted_and_no_other() {
    let vectors = vectors("dl_path_sequences");
    let permitted: Vec<Vec<&str>> = vectors
        .iter()
        .map(|vector| vector["seq"].as_array().unwrap().iter().filter_map(Value::as_str).collect())
        .collect();
    for path in &permitted {
        assert!(is_path(path), "{path:?}");
        let mut back = path.clone();
        back.reverse();
        assert!(path.len() == 1 || !is_path(&back), "{back:?}");
    }
}

#[test]
fn percent_codes_are_undone_in_path_and_query() {
    for vector in vectors("dl_uri_unescape") {
        let input = text(&vector, "input");
        assert_eq!(unescape(input, false), text(&vector, "path"), "{vector}");
        assert_eq!(unescape(input, true), text(&vector, "query"), "{vector}");
    }
}

#[test]
fn values_are_percent_encoded_in_path_and_query() {
    for vector in vectors("dl_uri_escape") {
        let input = text(&vector, "input");
        assert_eq!(escape(input, false), text(&vector, "path"), "{vector}");
        assert_eq!(escape(input, true), text(&vector, "query"), "{vector}");
    }
}

#[test]
fn digital_links_are_made_from_elements_or_refused() {
    for vector in vectors("dl_uri_generate") {
        let lax = text(&vector["options"], "ValidationEnabled").ends_with("false");
        let unknown_ais = option(&vector, "PermitUnknownAIs");
        let reading = Reading { unknown_ais, ..Reading::STRICT };
        let elements = element::parse_bracketed(text(&vector, "bracketed"), &reading).unwrap();
        let reading = Reading { unknown_ais: unknown_ais && lax, ..reading };
        let found = generate(&elements, vector["stem"].as_str(), &reading);
        assert_eq!(found.is_ok(), vector["valid"] == true, "{vector} {found:?}");
        assert_eq!(found.clone().ok().as_deref(), vector["uri"].as_str(), "{vector} {found:?}");
    }
}

#[test]
fn messages_give_what_a_reader_sends_or_are_refused() {
    for vector in vectors("scan_data_encode") {
        let found = transmit(text(&vector, "symbology"), text(&vector, "message"));
        assert_eq!(found.clone().ok().as_deref(), vector["scan"].as_str(), "{vector} {found:?}");
    }
}

#[test]
fn epc_urns_and_old_digital_links_are_brought_to_their_canonical_form() {
    for vector in vectors("epc_urn_to_canonical_dl") {
        let found = canonical_with(text(&vector, "input"), &Reading::TOLERANT);
        assert_eq!(
            found.clone().ok().as_deref(),
            vector["canonical"].as_str(),
            "{vector} {found:?}"
        );
    }
}

#[test]
fn our_table_says_what_the_dictionary_says() {
    let Some(dictionary) = data("ai_table.csv") else {
        return;
    };
    for line in dictionary.lines().skip(1) {
        let code = line.split([',', '-']).next().unwrap();
        let ai = Ai::find(code).unwrap_or_else(|| panic!("{code} is not in our table"));
        let mut fields = line.split(',').skip(1);
        assert_eq!(ai.is_fixed, fields.next() == Some("no"), "{line}");
        assert_eq!(ai.is_attribute, fields.next() == Some("yes"), "{line}");
        assert_eq!(ai.qualifiers.is_some(), line.contains("dlpkey"), "{line}");
        assert_eq!(!ai.requires.is_empty(), line.contains("req="), "{line}");
        assert_eq!(!ai.excludes.is_empty(), line.contains("ex="), "{line}");
        assert!(line.contains(ai.title), "{line}");
    }
    assert_eq!(dictionary.lines().count() - 1, Ai::all().count());
}
