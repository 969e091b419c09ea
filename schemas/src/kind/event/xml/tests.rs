use super::*;
use crate::kind::event::document;

fn around(events: &str) -> String {
    format!(
        "<epcis:EPCISDocument xmlns:epcis=\"urn:epcglobal:epcis:xsd:2\" \
         xmlns:x=\"https://example.com/x\" schemaVersion=\"2.0\" \
         creationDate=\"2026-03-01T08:00:00Z\"><EPCISBody><EventList>{events}</EventList>\
         </EPCISBody></epcis:EPCISDocument>"
    )
}

const HEAD: &str = "<eventTime>2026-03-01T08:00:00+08:00</eventTime>\
                    <eventTimeZoneOffset>+08:00</eventTimeZoneOffset>";

fn one(inside: &str) -> Result<String, FieldError> {
    let event = format!("<ObjectEvent>{HEAD}{inside}</ObjectEvent>");
    document::read(&around(&event)).map(|mut document| document.events.pop().unwrap())
}

#[test]
fn an_event_gets_the_form_that_it_has_in_json() {
    let text =
        one("<epcList><epc>urn:epc:id:sgtin:6901234.000020.1</epc></epcList><action>ADD</action>\
         <extension><quantityList><quantityElement><epcClass>urn:c</epcClass>\
         <quantity>+02.50</quantity></quantityElement></quantityList></extension>\
         <bizTransactionList><bizTransaction type=\"urn:epcglobal:cbv:btt:po\">urn:po:1\
         </bizTransaction></bizTransactionList>\
         <sensorElementList><sensorElement><sensorReport type=\"gs1:Temperature\" value=\".5\" \
         booleanValue=\"1\" x:note=\"n\"/></sensorElement></sensorElementList>\
         <x:lot>L<x:more/></x:lot><x:tag>a</x:tag><x:tag>b</x:tag>");
    let expected = concat!(
        r#"{"@context":["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld","#,
        r#"{"x":"https://example.com/x"}],"type":"ObjectEvent","#,
        r#""eventTime":"2026-03-01T08:00:00+08:00","eventTimeZoneOffset":"+08:00","#,
        r#""epcList":["urn:epc:id:sgtin:6901234.000020.1"],"action":"ADD","#,
        r#""quantityList":[{"epcClass":"urn:c","quantity":2.50}],"#,
        r#""bizTransactionList":[{"type":"urn:epcglobal:cbv:btt:po","#,
        r#""bizTransaction":"urn:po:1"}],"sensorElementList":[{"sensorReport":["#,
        r#"{"type":"gs1:Temperature","value":0.5,"booleanValue":true,"x:note":"n"}]}],"#,
        r#""x:lot":{"x:more":"","@value":"L"},"x:tag":["a","b"]}"#,
    );
    assert_eq!(text.unwrap(), expected);
}

#[test]
fn prefixes_that_mean_two_things_are_told_apart() {
    let text = one("<x:a>1</x:a><x:a xmlns:x=\"urn:other\">2</x:a><a xmlns=\"urn:third\">3</a>");
    let text = text.unwrap();
    let context = r#"{"ns1":"urn:other","ns2":"urn:third","x":"https://example.com/x"}"#;
    assert!(text.contains(context), "{text}");
    assert!(text.contains(r#""x:a":"1","ns1:a":"2","ns2:a":"3""#), "{text}");
}

#[test]
fn what_is_no_event_is_refused_with_its_place() {
    for (events, pointer) in [
        ("<ObjectEvent/><Event/>", "/EPCISBody/EventList/1"),
        (
            "<ObjectEvent><quantityList><quantityElement><quantity>two</quantity>\
             </quantityElement></quantityList></ObjectEvent>",
            "/EPCISBody/EventList/0/quantityList/0/quantity",
        ),
        (
            "<ObjectEvent><sensorElementList><sensorElement><sensorReport booleanValue=\"yes\"/>\
             </sensorElement></sensorElementList></ObjectEvent>",
            "/EPCISBody/EventList/0/sensorElementList/0/sensorReport/0/booleanValue",
        ),
    ] {
        assert_eq!(document::read(&around(events)).unwrap_err().pointer, pointer);
    }
    for text in ["<a/>", "<EPCISDocument/>", "<EPCISDocument><EPCISBody/></EPCISDocument>"] {
        assert!(document::read(text).is_err(), "{text}");
    }
}

#[test]
fn a_capture_interface_asks_an_xml_document_for_its_version_and_date_too() {
    let whole = around("");
    assert!(document::read_conforming(&whole).is_ok());
    for (from, to, pointer) in [
        (" schemaVersion=\"2.0\"", "", "/schemaVersion"),
        ("schemaVersion=\"2.0\"", "schemaVersion=\"1.2\"", "/schemaVersion"),
        ("T08:00:00Z", "", "/creationDate"),
    ] {
        let text = whole.replacen(from, to, 1);
        assert_eq!(document::read_conforming(&text).unwrap_err().pointer, pointer, "{to}");
        assert!(document::read(&text).is_ok(), "{to}");
    }
}

#[test]
fn numbers_of_xml_schema_keep_their_digits() {
    for (text, literal) in [
        ("26.0", Some("26.0")),
        ("-.5", Some("-0.5")),
        ("007", Some("7")),
        ("0", Some("0")),
        ("0.50", Some("0.50")),
        ("5.", Some("5")),
        ("5.E3", Some("5E3")),
        (" 1e-3 ", Some("1e-3")),
        ("", None),
        ("-", None),
        ("INF", None),
        ("NaN", None),
        ("1,5", None),
        ("1 2", None),
    ] {
        let found = number(text, "/n").ok();
        assert_eq!(found, literal.map(|literal| Json::Number(literal.to_owned())), "{text:?}");
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "[<>/a-e=\"':! &;#x0-9]{0,80}") {
        let _ = document::read(&format!("<{text}"));
        let _ = document::read(&around(&text));
    }
}
