//! Identifiers of an event in another form: EPC URNs as GS1 Digital Links.
//!
//! Invariants: only what EPCIS calls an identifier of goods, places and parties is translated, by
//! its place in the event; a text that is no EPC URN stays, and so does all else, to the last
//! digit. The other way needs to know how long a company prefix is, which no Digital Link tells.

use super::json::{self, Json};
use super::vocabulary;

/// Lists of identifiers.
const LISTS: [&str; 4] = ["epcList", "childEPCs", "inputEPCList", "outputEPCList"];
/// Lists of amounts of classes.
const AMOUNTS: [&str; 4] =
    ["quantityList", "childQuantityList", "inputQuantityList", "outputQuantityList"];
/// Objects with an `id`.
const PLACES: [&str; 2] = ["readPoint", "bizLocation"];
/// Lists of objects with a member that is an identifier.
const ENDS: [(&str, &str); 2] = [("sourceList", "source"), ("destinationList", "destination")];

/// An event with its EPC URNs as canonical Digital Links; one that is no JSON object stays.
pub fn as_links(epcis: &str) -> String {
    let Ok(Json::Object(mut members)) = json::parse(epcis) else {
        return epcis.to_owned();
    };
    for (name, value) in &mut members {
        let name = name.as_str();
        if name == "parentID" {
            link(value);
        } else if LISTS.contains(&name) {
            each(value, &mut link);
        } else if AMOUNTS.contains(&name) {
            each(value, &mut |one| member(one, "epcClass"));
        } else if PLACES.contains(&name) {
            member(value, "id");
        } else if let Some((_, of)) = ENDS.iter().find(|(list, _)| *list == name) {
            each(value, &mut |one| member(one, of));
        }
    }
    json::write(&Json::Object(members))
}

fn each(list: &mut Json, change: &mut dyn FnMut(&mut Json)) {
    if let Json::List(all) = list {
        all.iter_mut().for_each(change);
    }
}

fn member(object: &mut Json, name: &str) {
    if let Json::Object(members) = object {
        let found = members.iter_mut().filter(|(known, _)| known == name);
        found.for_each(|(_, value)| link(value));
    }
}

fn link(value: &mut Json) {
    if let Json::Text(text) = value
        && text.starts_with("urn:epc:")
    {
        *text = vocabulary::item(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_become_links_where_they_stand_and_nothing_else_changes() {
        let sent = r#"{"type":"ObjectEvent","epcList":["urn:epc:id:sgtin:6901234.000020.1","urn:x:1"],
            "parentID":"urn:epc:id:sscc:6901234.0000000001","quantityList":[
            {"epcClass":"urn:epc:class:lgtin:6901234.000020.L7","quantity":2.50}],
            "readPoint":{"id":"urn:epc:id:sgln:6901234.00000.0"},
            "sourceList":[{"type":"location","source":"urn:epc:id:sgln:6901234.00000.7"}],
            "ex:copy":"urn:epc:id:sgtin:6901234.000020.1","bizTransactionList":
            [{"bizTransaction":"urn:epc:id:gdti:6901234.00000.1"}]}"#;
        let want = r#"{"type":"ObjectEvent","epcList":["https://id.gs1.org/01/06901234000207/21/1","urn:x:1"],
            "parentID":"https://id.gs1.org/00/069012340000000016","quantityList":[
            {"epcClass":"https://id.gs1.org/01/06901234000207/10/L7","quantity":2.50}],
            "readPoint":{"id":"https://id.gs1.org/414/6901234000009"},
            "sourceList":[{"type":"location","source":"https://id.gs1.org/414/6901234000009/254/7"}],
            "ex:copy":"urn:epc:id:sgtin:6901234.000020.1","bizTransactionList":
            [{"bizTransaction":"urn:epc:id:gdti:6901234.00000.1"}]}"#;
        let compact = |text: &str| json::write(&json::parse(text).unwrap());
        assert_eq!(as_links(sent), compact(want));
        assert_eq!(as_links(&as_links(sent)), as_links(sent));
        assert_eq!(as_links("[1]"), "[1]");
    }

    #[test]
    fn an_event_has_one_hash_in_both_forms() {
        let sent = r#"{"type":"ObjectEvent","eventTime":"2026-03-01T08:00:00+08:00",
            "eventTimeZoneOffset":"+08:00","action":"OBSERVE",
            "epcList":["urn:epc:id:sgtin:6901234.000020.1"],
            "readPoint":{"id":"urn:epc:id:sgln:6901234.00000.0"}}"#;
        let hash =
            |text: &str| super::super::Event::parse(text).unwrap().fields().event_hash.clone();
        assert_eq!(hash(sent), hash(&as_links(sent)));
    }
}
