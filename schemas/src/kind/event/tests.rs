use super::fields::EventType;
use super::*;
use std::path::{Path, PathBuf};

/// Files of the third-party EPCIS data with this extension, or nothing and a line that says so.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let root = std::env::var_os("HALLMARK_REAL_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    let root = root.join("epcis").join(folder);
    let mut found = Vec::new();
    collect(&root, extension, &mut found);
    if found.is_empty() {
        println!("skipped: {} is absent", root.display());
    }
    found.sort();
    found
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

/// Events of a document, each parsed.
fn read_document(text: &str) -> Result<Vec<Event>, FieldError> {
    let events = document::read(text)?.events;
    events.iter().map(|event| Event::parse(event)).collect()
}

#[test]
fn valid_documents_are_read_and_invalid_ones_refused() {
    let mut wrong = Vec::new();
    for path in files("documents", "json") {
        let name = path.to_string_lossy().into_owned();
        if name.contains("Queries") {
            continue;
        }
        let read = read_document(&std::fs::read_to_string(&path).unwrap());
        if read.is_ok() == name.contains("Invalid") {
            wrong.push(format!("{name}: {:?}", read.err().map(|error| error.to_string())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Rows of `schema_result.tsv`: a file's path in the data, what the EPCIS schema says of it with
/// formats asserted, its type.
fn schema_results() -> Vec<(String, bool, String)> {
    let Some(table) = files("", "tsv").pop() else {
        return Vec::new();
    };
    let text = std::fs::read_to_string(table).unwrap();
    let row = |line: &str| {
        let mut cells = line.split('\t').map(str::to_owned);
        let (path, result, kind) = (cells.next()?, cells.next()?, cells.next()?);
        Some((path, result == "valid", kind))
    };
    text.lines().skip(1).filter_map(row).collect()
}

#[test]
fn a_capture_interface_judges_documents_as_their_schema_does_but_takes_what_the_field_sends() {
    let root = files("", "tsv").pop();
    let (mut wrong, mut field) = (Vec::new(), (0_usize, 0_usize));
    for (path, is_valid, kind) in schema_results() {
        let is_known = kind.starts_with("EPCIS") || EventType::named(&kind).is_some();
        if !is_known || path.starts_with("profiles") {
            continue;
        }
        let file = root.as_ref().unwrap().with_file_name(&path);
        let read = document::read_conforming(&std::fs::read_to_string(file).unwrap());
        let read = read.and_then(|document| {
            let events = document.events.iter().enumerate();
            let parsed = events.map(|(index, event)| {
                Event::parse(event).map_err(|error| error.under(&document.pointer(index)))
            });
            parsed.collect::<Result<Vec<Event>, FieldError>>()
        });
        let refused = read.err().map(|error| error.pointer);
        let is_right = match &refused {
            // A place that names the fault, and a fault that the schema names too.
            Some(pointer) => !is_valid && pointer.starts_with('/'),
            None => !path.contains("/Invalid/"),
        };
        // Published as examples, against the schema: CBV words as URNs and members that it does not
        // know are taken; numbers that are texts and words of no list are not.
        if path.starts_with("events-dpp/") {
            let taken = usize::from(refused.is_none());
            field = (field.0 + taken, field.1 + 1);
        }
        if !is_right {
            wrong.push(format!("{path}: {refused:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(field.1 <= 2 * field.0, "of {} documents of the field {} are taken", field.1, field.0);
}

/// An identifier of 24 digits that the reference implementation of the vectors passed through a
/// floating-point number; here no digit is lost.
const ROUNDED: &str = "\"stringValue\":\"111100001111000011110000\"";

#[test]
fn hashes_are_those_of_the_published_vectors_in_json_and_in_xml() {
    let mut wrong = Vec::new();
    for path in files("event-hash", "jsonld").into_iter().chain(files("event-hash", "xml")) {
        if path.to_string_lossy().contains("expected_equal") {
            continue;
        }
        let document = document::read(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let expected = std::fs::read_to_string(path.with_extension("hashes")).unwrap();
        let texts = std::fs::read_to_string(path.with_extension("prehashes")).unwrap_or_default();
        assert_eq!(document.events.len(), expected.lines().count(), "{}", path.display());
        let mut texts = texts.lines();
        let hashes = document.event_hashes().unwrap();
        for ((event, found), expected) in document.events.iter().zip(hashes).zip(expected.lines()) {
            let text = texts.next();
            if found != expected.trim() && !event.contains(ROUNDED) {
                let found = hash::pre_hash(&json::parse(event).unwrap());
                wrong.push(format!("{}\n{found}\n{}", path.display(), text.unwrap_or_default()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn representations_of_one_content_have_one_hash() {
    let json = files("event-hash/expected_equal", "json").into_iter();
    for path in json.chain(files("event-hash/expected_equal", "xml")) {
        let document = document::read(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let hashes = document.event_hashes().unwrap();
        assert!(1 < hashes.len(), "{}", path.display());
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{}", path.display());
    }
}

#[test]
fn events_of_xml_documents_are_events() {
    for path in files("event-hash", "xml") {
        let read = read_document(&std::fs::read_to_string(&path).unwrap());
        assert!(read.is_ok(), "{}: {:?}", path.display(), read.err());
    }
}

fn event(change: &str) -> Result<Event, FieldError> {
    let text = r#"{"type":"ObjectEvent","eventTime":"2026-03-01T08:00:00+08:00",
        "eventTimeZoneOffset":"+08:00","action":"ADD",
        "epcList":["urn:epc:id:sgtin:6901234.000020.1"],
        "quantityList":[{"epcClass":"urn:epc:class:lgtin:6901234.000020.L7","quantity":2.50}],
        "bizStep":"commissioning","ilmd":{"cbvmda:lotNumber":"L7"}}"#;
    let (from, to) = change.split_once(" -> ").unwrap_or(("", ""));
    assert!(text.contains(from), "{from}");
    Event::parse(&text.replacen(from, to, 1))
}

#[test]
fn an_event_is_read_into_what_the_tables_need() {
    let event = event("").unwrap();
    let fields = event.fields();
    assert_eq!(fields.items[0].item.as_str(), "https://id.gs1.org/01/06901234000207/21/1");
    assert_eq!(fields.items[1].item.as_str(), "https://id.gs1.org/01/06901234000207/10/L7");
    let amount = fields.items[1].quantity.unwrap();
    assert_eq!((amount.amount, amount.scale_e10), (25, -1));
    assert_eq!(fields.lot.as_deref(), Some("L7"));
    assert_eq!(fields.event_at.to_string(), "2026-03-01T00:00:00Z");
    assert_eq!(fields.identity(), fields.event_hash);
}

#[test]
fn an_event_is_found_under_what_it_names_and_under_the_lot_it_begins() {
    let goods = |change| -> Vec<String> {
        event(change).unwrap().fields().goods().iter().map(ToString::to_string).collect()
    };
    let (item, lot) = ("21/1", "10/L7");
    let named = |ends: &[&str]| -> Vec<String> {
        ends.iter().map(|end| format!("https://id.gs1.org/01/06901234000207/{end}")).collect()
    };
    assert_eq!(goods(""), named(&[lot, item]), "not under the class");
    assert_eq!(goods(r#"lotNumber":"L7 -> lotNumber":"L8"#), named(&[lot, "10/L8", item]));
    assert_eq!(goods(r#""ADD" -> "OBSERVE""#), named(&[lot, item]));
    let text = r#"{"type":"ObjectEvent","eventTime":"2026-03-01T08:00:00+08:00",
        "eventTimeZoneOffset":"+08:00","action":"OBSERVE","epcList":["https://example.com/x"],
        "ilmd":{"cbvmda:lotNumber":"L9"}}"#;
    assert!(Event::parse(text).unwrap().fields().goods().is_empty(), "no known scheme");
}

#[test]
fn a_lot_in_an_identifier_counts_whatever_happened_and_one_in_ilmd_beside_it() {
    let read = |action: &str, ilmd: &str| {
        let text = format!(
            r#"{{"type":"ObjectEvent","eventTime":"2026-03-01T08:00:00+08:00",
            "eventTimeZoneOffset":"+08:00","action":"{action}",
            "epcList":["https://id.gs1.org/01/06901234000207/10/L1/21/A1",
                "https://id.gs1.org/01/06901234000207/21/A2"]{ilmd}}}"#
        );
        Event::parse(&text).unwrap()
    };
    let ilmd = |lot: &str| format!(r#","ilmd":{{"cbvmda:lotNumber":"{lot}"}}"#);
    let class = "https://id.gs1.org/01/06901234000207";
    for (action, ilmd, of_first, of_second, found) in [
        ("OBSERVE", String::new(), &["L1"][..], &[][..], &["10/L1", "21/A1", "21/A2"][..]),
        ("ADD", String::new(), &["L1"], &[], &["10/L1", "21/A1", "21/A2"]),
        ("ADD", ilmd("L1"), &["L1"], &["L1"], &["10/L1", "21/A1", "21/A2"]),
        ("ADD", ilmd("L9"), &["L1", "L9"], &["L9"], &["10/L1", "10/L9", "21/A1", "21/A2"]),
    ] {
        let event = read(action, &ilmd);
        let fields = event.fields();
        let lots = |item: usize| fields.lots_of(&fields.items[item]).collect::<Vec<_>>();
        assert_eq!((lots(0), lots(1)), (of_first.to_vec(), of_second.to_vec()), "{action} {ilmd}");
        let goods: Vec<String> = fields.goods().iter().map(ToString::to_string).collect();
        let expected: Vec<String> = found.iter().map(|end| format!("{class}/{end}")).collect();
        assert_eq!(goods, expected, "{action} {ilmd}");
        let lot = GoodsId::parse(&format!("{class}/10/L1")).unwrap();
        let members: Vec<&str> = fields.members(&lot).map(|(_, goods)| goods.as_str()).collect();
        let all = [format!("{class}/21/A1"), format!("{class}/21/A2")];
        let of_ilmd = of_second.contains(&"L1");
        assert_eq!(members, if of_ilmd { &all[..] } else { &all[..1] }, "{action} {ilmd}");
    }
}

#[test]
fn what_breaks_the_schema_is_refused_with_its_pointer() {
    for (change, pointer) in [
        (r#""ObjectEvent" -> "Event""#, "/epcis/type"),
        (r#""ADD" -> "add""#, "/epcis/action"),
        (r#""2026-03-01T08:00:00+08:00" -> "2026-03-01T08:00:00""#, "/epcis/eventTime"),
        (r#""+08:00", -> "+8","#, "/epcis/eventTimeZoneOffset"),
        (r#"2.50 -> "2.50""#, "/epcis/quantityList/0/quantity"),
        (r#""epcClass" -> "class""#, "/epcis/quantityList/0/epcClass"),
        (r#""commissioning" -> "making""#, "/epcis/bizStep"),
        (r#""bizStep" -> "action""#, "/epcis"),
        (r#""type" -> "kind""#, "/epcis/type"),
    ] {
        assert_eq!(event(change).unwrap_err().pointer, pointer, "{change}");
    }
    let twice = event(r#""bizStep" -> "action""#).unwrap_err().to_string();
    assert_eq!(twice, "/epcis: member \"action\" is repeated at line 5 column 9");
    let deep = "[".repeat(100_000);
    assert!(Event::parse(&deep).is_err());
    assert!(Event::parse(&" ".repeat(EPCIS_BYTES_MAX + 1)).is_err());
}

#[test]
fn spaces_member_order_and_zeros_change_no_hash_but_content_does() {
    let hash = |event: Event| event.fields().event_hash.clone();
    let same = hash(event("").unwrap());
    assert_eq!(hash(event("2.50 -> 2.5").unwrap()), same);
    assert_eq!(hash(event(r#""type" ->  "type""#).unwrap()), same);
    assert_eq!(
        hash(event(r#"{"type" -> {"recordTime":"2026-03-02T00:00:00Z","type""#).unwrap()),
        same
    );
    assert_ne!(hash(event("2.50 -> 2.51").unwrap()), same);
}

#[test]
fn the_form_of_an_identifier_makes_no_contradiction() {
    let normalised = |change: &str| event(change).unwrap().normalised();
    let same = normalised("");
    let link = "urn:epc:id:sgtin:6901234.000020.1 -> https://example.com/01/06901234000207/21/1";
    assert_eq!(normalised(link), same);
    assert_eq!(normalised("commissioning -> urn:epcglobal:cbv:bizstep:commissioning"), same);
    assert_ne!(normalised(r#"{"type" -> {"eventID":"urn:uuid:1","type""#), same);
    let error =
        r#"{"type" -> {"errorDeclaration":{"declarationTime":"2026-03-02T00:00:00Z"},"type""#;
    assert_ne!(normalised(error), same);
}

#[test]
fn the_lot_in_an_identifier_changes_no_hash_and_makes_another_statement() {
    let of = |lot: &str| {
        let link = format!("https://id.gs1.org/01/06901234000207{lot}/21/1");
        event(&format!("urn:epc:id:sgtin:6901234.000020.1 -> {link}")).unwrap()
    };
    let (bare, ok, bad) = (of(""), of("/10/OK"), of("/10/BAD"));
    assert_eq!(bare.fields().event_hash, ok.fields().event_hash);
    assert_eq!(ok.fields().event_hash, bad.fields().event_hash);
    assert_ne!(ok.normalised(), bad.normalised());
    assert_ne!(bare.normalised(), bad.normalised());
    assert_eq!(bare.normalised(), event("").unwrap().normalised());
}

#[test]
fn events_leave_their_document_with_order_literals_and_context() {
    let text = r#"{"@context":["c"],"type":"EPCISDocument","epcisBody":{"eventList":[
        {"type":"ObjectEvent","b":1.50,"a":"\u0041\n"}, {"@context":"own","type":"X"}]}}"#;
    let events = document::read(text).unwrap().events;
    let first = r#"{"@context":["c"],"type":"ObjectEvent","b":1.50,"a":"A\u000a"}"#;
    assert_eq!(events, [first, r#"{"@context":"own","type":"X"}"#]);
    assert_eq!(document::read(" {} ").unwrap().events, ["{}"]);
    let missing = document::read(r#"{"type":"EPCISDocument"}"#).unwrap_err();
    assert_eq!(missing.pointer, "/epcisBody");
}

#[test]
fn a_capture_interface_takes_what_conforms_and_names_what_is_missing() {
    let around =
        |head: &str| format!(r#"{{{head}"type":"EPCISDocument","epcisBody":{{"eventList":[]}}}}"#);
    let whole = r#""@context":["c"],"schemaVersion":"2.0","creationDate":"2026-03-01T08:00:00Z","#;
    assert!(document::read_conforming(&around(whole)).unwrap().events.is_empty());
    for (from, to, pointer) in [
        (r#""@context":["c"],"#, "", "/@context"),
        (r#""schemaVersion":"2.0","#, "", "/schemaVersion"),
        (r#""2.0""#, r#""1.2""#, "/schemaVersion"),
        (r#""creationDate":"2026-03-01T08:00:00Z","#, "", "/creationDate"),
        ("T08:00:00Z", "", "/creationDate"),
    ] {
        let text = around(&whole.replacen(from, to, 1));
        assert_eq!(document::read_conforming(&text).unwrap_err().pointer, pointer, "{to}");
        assert!(document::read(&text).is_ok(), "{to}");
    }
    let alone = r#"{"type":"ObjectEvent"}"#;
    assert_eq!(document::read_conforming(alone).unwrap_err().pointer, "/@context");
}

/// Any JSON of a few levels.
fn any_json() -> impl proptest::strategy::Strategy<Value = serde_json::Value> {
    use proptest::prelude::{Strategy, any, prop};
    use serde_json::Value;
    let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?";
    let leaf = proptest::prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        "\\PC{0,12}".prop_map(Value::String),
        any::<String>().prop_map(Value::String),
        number.prop_filter_map("a number", |text| serde_json::from_str(&text).ok()),
        proptest::strategy::Just(Value::Null),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        proptest::prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-z:]{1,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn what_a_client_reads_back_means_what_it_sent(extension in any_json(), named in "[ -~]{1,20}") {
        let mut sent: serde_json::Value = serde_json::from_str(
            r#"{"type":"ObjectEvent","eventTime":"2026-03-01T08:00:00+08:00",
            "eventTimeZoneOffset":"+08:00","action":"OBSERVE","eventID":"urn:uuid:1",
            "epcList":["urn:epc:id:sgtin:6901234.000020.1"]}"#,
        ).unwrap();
        sent["example:extension"] = extension;
        sent["readPoint"] = serde_json::json!({ "id": named });
        let document = serde_json::json!({
            "@context": ["c", { "example": "https://ns.example.com/" }], "type": "EPCISDocument",
            "epcisBody": { "eventList": [sent.clone()] },
        });
        let read = document::read(&document.to_string()).unwrap();
        let event = Event::parse(&read.events[0]).unwrap();
        let at = Timestamp::from_unix_ms(1_790_000_000_000);
        // Compared with number literals, which floating-point numbers would lose.
        let members = |text: &str| match json::parse(text).unwrap() {
            json::Json::Object(members) => members,
            other => panic!("{other:?}"),
        };
        let mut answered = members(&event.recorded(at));
        let mut expected = vec![("@context".to_owned(), json::parse(&document["@context"].to_string()).unwrap())];
        expected.extend(members(&sent.to_string()));
        expected.push(("recordTime".to_owned(), json::Json::Text(at.to_string())));
        proptest::prop_assert_eq!(answered.len(), expected.len());
        for list in [&mut answered, &mut expected] {
            list.sort_by(|a, b| a.0.cmp(&b.0));
        }
        proptest::prop_assert_eq!(answered, expected);
    }

    #[test]
    fn arbitrary_text_never_panics(
        text in ".{0,200}",
        bytes in "[\\[\\]{}:,\"\\\\u0-9eE.+-]{0,60}",
    ) {
        let _ = (Event::parse(&text), Event::parse(&bytes), document::read(&bytes));
    }
}
