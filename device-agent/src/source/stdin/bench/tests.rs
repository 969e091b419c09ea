use std::time::Duration;

use hallmark_schemas::kind::event::Event;

use super::*;

fn bench(mode: Option<&str>) -> Bench {
    let config = StdinConfig {
        name: "bench".to_owned(),
        mode: mode.map(str::to_owned),
        control_prefix: "mode:".to_owned(),
        read_point: "https://id.gs1.org/414/9506000134352".to_owned(),
        biz_location: Some("https://id.gs1.org/414/9506000134352".to_owned()),
        utc_offset_min: -210,
        duplicate_window: Duration::from_secs(600),
    };
    let device = "urn:hallmark:device:lei:529900T8BM49AURSDO55:b-1".parse().unwrap();
    Bench::new(&config, &device).unwrap()
}

const ID: &str = "urn:uuid:4f3c2b1a-0000-4000-8000-000000000001";
const ITEM: &str = "(01)09506000134352(21)A";
const CASE: &str = "006141411234567890";

fn line(bench: &mut Bench, text: &str) -> Step {
    bench.line(text, Timestamp::from_unix_ms(1_767_225_600_000), ID)
}

/// The event of a step, which the schema must accept.
fn event(step: Step) -> Value {
    let Step::Keep { epcis, .. } = step else { panic!("no event: {step:?}") };
    Event::parse(&epcis).unwrap_or_else(|error| panic!("{error}: {epcis}"));
    serde_json::from_str(&epcis).unwrap()
}

#[test]
fn every_work_flow_makes_events_that_the_schema_accepts() {
    for flow in super::super::workflow::WORKFLOWS {
        let mut bench = bench(Some(flow.name));
        if flow.shape == Shape::Children {
            assert!(matches!(line(&mut bench, CASE), Step::Mode(_)));
        }
        let event = event(line(&mut bench, ITEM));
        assert_eq!(event["bizStep"], flow.step);
        assert_eq!(event["eventTimeZoneOffset"], "-03:30");
        assert_eq!(event["eventTime"], "2026-01-01T00:00:00Z");
        assert_eq!(event["readPoint"]["id"], "https://id.gs1.org/414/9506000134352");
    }
}

#[test]
fn packing_takes_the_container_first_and_then_one_child_an_event() {
    let mut bench = bench(None);
    assert!(matches!(line(&mut bench, ITEM), Step::Refused(_)));
    assert!(matches!(line(&mut bench, "]C0MODE:PACK"), Step::Mode(_)));
    assert!(matches!(line(&mut bench, "9506000134352"), Step::Refused(_)));
    assert!(matches!(line(&mut bench, CASE), Step::Mode(_)));
    let packed = event(line(&mut bench, ITEM));
    assert_eq!(packed["type"], "AggregationEvent");
    assert_eq!(packed["parentID"], "https://id.gs1.org/00/006141411234567890");
    assert_eq!(packed["childEPCs"], json!(["https://id.gs1.org/01/09506000134352/21/A"]));
    assert!(matches!(line(&mut bench, CASE), Step::Refused(_)));
    assert!(matches!(line(&mut bench, "mode:all"), Step::Refused(_)));
    line(&mut bench, "mode:unpack");
    line(&mut bench, CASE);
    let emptied = event(line(&mut bench, "mode:all"));
    assert_eq!((&emptied["action"], emptied.get("childEPCs")), (&json!("DELETE"), None));
}

#[test]
fn inputs_and_outputs_of_a_transformation_share_its_id() {
    let mut bench = bench(Some("transform"));
    assert!(matches!(line(&mut bench, "mode:output"), Step::Refused(_)));
    let input = event(line(&mut bench, "(01)09506000134352(10)L1(30)12"));
    assert_eq!(input["inputQuantityList"][0]["quantity"], 12);
    assert!(matches!(line(&mut bench, "mode:output"), Step::Mode(_)));
    let output = event(line(&mut bench, ITEM));
    assert_eq!(input["transformationID"], output["transformationID"]);
    assert_eq!(output["outputEPCList"], json!(["https://id.gs1.org/01/09506000134352/21/A"]));
}

#[test]
fn a_code_of_another_kind_is_kept_and_a_broken_one_refused_with_its_place() {
    let mut bench = bench(Some("receive"));
    let kept = event(line(&mut bench, "Regal 7/B"));
    assert_eq!(kept["epcList"], json!(["urn:hallmark:code:Regal%207%2FB"]));
    let drug = event(line(&mut bench, "81234567890123456789"));
    assert_eq!(drug["epcList"], json!(["urn:hallmark:goods:drug:81234567890123456789"]));
    for (text, words) in [
        ("(01)09506000134353(21)C", "at character 18"),
        ("9506000134353", "check character"),
        ("^10L1", "names no item"),
        ("mode:fly", "no work flow"),
        ("https://id.gs1.org/01/09506000134353", "check character"),
    ] {
        let Step::Refused(why) = line(&mut bench, text) else { panic!("kept {text}") };
        assert!(why.contains(words), "{text}: {why}");
    }
}

#[test]
fn a_repeated_item_is_the_same_scan_and_a_repeated_class_is_not() {
    let mut bench = bench(Some("ship"));
    let scan = |step| match step {
        Step::Keep { scan, .. } => scan,
        other => panic!("{other:?}"),
    };
    let at = Timestamp::from_unix_ms(0);
    let first = scan(bench.line(ITEM, at, "urn:uuid:1"));
    assert_eq!(first, scan(bench.line("]d2010950600013435221A", at, "urn:uuid:2")));
    let class = scan(bench.line("9506000134352", at, "urn:uuid:1"));
    assert_ne!(class, scan(bench.line("9506000134352", at, "urn:uuid:2")));
    line(&mut bench, "mode:receive");
    assert_ne!(first, scan(bench.line(ITEM, at, "urn:uuid:3")));
}

/// Codes that no work flow takes: a wrong check digit, a class where one thing is meant, no goods.
const BAD_CONTAINERS: [&str; 3] = ["]C100006141411234567891", "9506000134352", "^10L1"];

#[test]
fn a_refused_container_leaves_the_bench_waiting_for_a_container() {
    for flow in super::super::workflow::WORKFLOWS {
        for bad in BAD_CONTAINERS {
            let mut bench = bench(Some(flow.name));
            let (name, refused) = (flow.name, line(&mut bench, bad));
            if flow.shape != Shape::Children {
                // No container is awaited: a refused code changes nothing, a class is kept.
                if bad != "9506000134352" {
                    assert!(matches!(refused, Step::Refused(_)), "{name} {bad}: {refused:?}");
                }
                assert_eq!(event(line(&mut bench, ITEM)).get("parentID"), None, "{name} {bad}");
                continue;
            }
            for item in [bad, ITEM, ITEM, "Regal 7/B"] {
                let Step::Refused(why) = line(&mut bench, item) else {
                    panic!("{name}: {item} became the container after {bad}");
                };
                let again = format!("still waiting for the container: scan it, or mode:{name}");
                assert!(why.contains(&again), "{why}");
            }
            assert!(matches!(line(&mut bench, "mode:all"), Step::Refused(_)), "{name} {bad}");
            assert!(matches!(line(&mut bench, CASE), Step::Mode(_)), "{name} {bad}");
            let inside = event(line(&mut bench, ITEM));
            assert_eq!(inside["parentID"], "https://id.gs1.org/00/006141411234567890");
        }
    }
}

#[test]
fn a_work_flow_begun_again_takes_an_item_with_a_serial_as_container() {
    let mut bench = bench(Some("pack"));
    line(&mut bench, BAD_CONTAINERS[0]);
    assert!(matches!(line(&mut bench, ITEM), Step::Refused(_)));
    line(&mut bench, "mode:pack");
    assert!(matches!(line(&mut bench, ITEM), Step::Mode(_)));
    let inside = event(line(&mut bench, "(01)09506000134352(21)B"));
    assert_eq!(inside["parentID"], "https://id.gs1.org/01/09506000134352/21/A");
}
