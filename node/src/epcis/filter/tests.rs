use super::*;
use hallmark_schemas::kind::event::Event;

const EVENT: &str = r#"{"type":"ObjectEvent","eventID":"urn:uuid:1",
    "eventTime":"2026-03-01T08:00:00+08:00","eventTimeZoneOffset":"+08:00","action":"OBSERVE",
    "epcList":["urn:epc:id:sgtin:6901234.000020.1"],
    "quantityList":[{"epcClass":"https://id.gs1.org/01/06901234000207/10/L7","quantity":2.5,
    "uom":"KGM"}],"bizStep":"shipping","disposition":"in_transit",
    "persistentDisposition":{"set":["completeness_inferred"]},
    "readPoint":{"id":"urn:epc:id:sgln:6901234.00005.7"},
    "bizLocation":{"id":"urn:epc:id:sgln:6901234.00005.0"},
    "bizTransactionList":[{"type":"po","bizTransaction":"urn:po:1"}],
    "sourceList":[{"type":"owning_party","source":"urn:epc:id:pgln:6901234.00005"}],
    "destinationList":[{"type":"possessing_party","destination":"urn:x:b"}]}"#;

fn matches(name: &str, value: &str) -> bool {
    let event = Event::parse(EVENT).unwrap();
    let filter = Filter::read([(name, value)]).unwrap();
    let recorded_at = Timestamp::parse("2026-03-02T00:00:00Z").unwrap();
    let found = Found { fields: event.fields(), epcis: event.epcis(), recorded_at };
    filter.matches(&found)
}

#[test]
fn each_parameter_finds_the_event_and_only_with_its_value() {
    for (name, yes, no) in [
        ("eventType", "AggregationEvent|ObjectEvent", "AggregationEvent"),
        ("GE_eventTime", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00.001Z"),
        ("LT_eventTime", "2026-03-01T00:00:00.001Z", "2026-03-01T00:00:00Z"),
        ("GE_recordTime", "2026-03-02T00:00:00Z", "2026-03-02T00:00:01Z"),
        ("LT_recordTime", "2026-03-02T00:00:01Z", "2026-03-02T00:00:00Z"),
        ("EQ_action", "ADD|OBSERVE", "DELETE"),
        ("EQ_bizStep", "https://ref.gs1.org/cbv/BizStep-shipping", "receiving"),
        ("EQ_disposition", "urn:epcglobal:cbv:disp:in_transit", "active"),
        ("EQ_persistentDisposition_set", "completeness_inferred", "damaged"),
        ("EQ_readPoint", "https://id.gs1.org/414/6901234000054/254/7", "urn:x"),
        ("WD_readPoint", "https://id.gs1.org/414/6901234000054", "urn:epc:id:sgln:6901234.00006.0"),
        ("EQ_bizLocation", "urn:epc:id:sgln:6901234.00005.0", "urn:epc:id:sgln:6901234.00005.7"),
        ("EQ_eventID", "urn:uuid:2|urn:uuid:1", "urn:uuid:11"),
        (
            "MATCH_epc",
            "https://id.gs1.org/01/06901234000207/21/1",
            "urn:epc:id:sgtin:6901234.000020.2",
        ),
        ("MATCH_anyEPC", "urn:epc:id:sgtin:6901234.000020.1", "urn:x:1"),
        ("MATCH_epcClass", "urn:epc:class:lgtin:6901234.000020.L7", "urn:x:1"),
        ("MATCH_epc", "https://id.gs1.org/01/069012340*", "https://id.gs1.org/01/0790*"),
        ("GE_quantity_KGM", "2.50", "2.51"),
        ("LT_quantity_KGM", "3", "2.5"),
        ("EQ_bizTransaction_po", "urn:po:1", "urn:po:2"),
        ("EQ_source_owning_party", "https://id.gs1.org/417/6901234000054", "urn:x:b"),
        ("EQ_destination_urn:epcglobal:cbv:sdt:possessing_party", "urn:x:b", "urn:x:c"),
    ] {
        assert!(matches(name, yes), "{name}={yes}");
        assert!(!matches(name, no), "{name}={no}");
    }
    for (name, value) in [
        ("MATCH_parentID", "urn:epc:id:sgtin:6901234.000020.1"),
        ("MATCH_inputEPC", "urn:epc:id:sgtin:6901234.000020.1"),
        ("GE_quantity", "1"),
        ("EQ_bizTransaction_inv", "urn:po:1"),
        ("EXISTS_errorDeclaration", ""),
        ("EXISTS_sensorElementList", ""),
        ("EQ_persistentDisposition_unset", "completeness_inferred"),
    ] {
        assert!(!matches(name, value), "{name}={value}");
    }
}

#[test]
fn what_is_unknown_or_malformed_is_refused_with_its_name() {
    for (name, value) in [
        ("EQ_colour", "red"),
        ("MATCH_colour", "red"),
        ("eventType", "Event"),
        ("EQ_action", "add"),
        ("EQ_bizStep", "making"),
        ("EQ_bizStep", "shipping|"),
        ("GE_eventTime", "2026-03-01"),
        ("GE_quantity", "two"),
        ("EQ_source_seller", "urn:x"),
        ("orderBy", "size"),
        ("orderDirection", "UP"),
        ("eventCountLimit", "0"),
        ("maxEventCount", "-1"),
        ("EQ_INNER_example:x", "1"),
    ] {
        let error = Filter::read([(name, value)]).unwrap_err();
        assert_eq!(error.name, name, "{value}");
    }
    let both = [("maxEventCount", "1"), ("eventCountLimit", "1")];
    assert_eq!(Filter::read(both).unwrap_err().name, "maxEventCount");
    let many = std::iter::repeat_n(("EQ_action", "ADD"), 65);
    assert!(Filter::read(many).is_err());
}
