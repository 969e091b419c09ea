//! What a log refused because it contradicts an earlier statement is evidence of that alone.

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_verifier::evidence::{DefectKind, Proven};
use hallmark_verifier::judge::{Judge, JudgeOptions, MEMORY_DEFAULT};
use hallmark_verifier::lake;
use hallmark_verifier::load::load;
use hallmark_verifier::prove::prove;
use hallmark_verifier::tabulate::{self, Devices, REFUSALS, tabulate};
use serde_json::json;

use crate::world::{ORG, ORIGIN, World};

const ITEM: &str = "https://id.gs1.org/01/09506000134352/21/S1";
const SHANGHAI: &str = "geo:31.23,121.47";
const PARIS: &str = "geo:48.86,2.35";

/// An event of the item, by the last digit of its eventID.
fn seen(world: &mut World, event: u8, place: &str, minute: u8) -> ContentId {
    let action = if event == 1 { "ADD" } else { "OBSERVE" };
    let epcis = json!({
        "type": "ObjectEvent", "action": action, "epcList": [ITEM],
        "eventID": format!("urn:uuid:00000000-0000-4000-8000-00000000000{event}"),
        "eventTime": format!("2026-02-01T08:{minute:02}:00+08:00"),
        "eventTimeZoneOffset": "+08:00", "readPoint": { "id": place },
    });
    let body = Body::from_json(KindName::Event, json!({ "epcis": epcis.to_string() })).unwrap();
    world.add(Subject::parse(ORG).unwrap(), body, false)
}

fn proven(world: &World) -> Proven {
    let folder = tempfile::tempdir().unwrap();
    world.write_dir(folder.path());
    prove(load(&[folder.path().to_owned()], &[]).unwrap())
}

/// What the rules of goods and of proofs find, with the evidence.
fn found(proven: &Proven) -> Vec<(String, Vec<String>)> {
    let as_of = proven.as_of.unwrap();
    let options = JudgeOptions { as_of, memory_max: MEMORY_DEFAULT, only: None };
    let judged = Judge::with_core().unwrap().run(&tabulate(proven).unwrap(), &options).unwrap();
    assert!(judged.failed.is_empty(), "{:?}", judged.failed);
    judged.findings.into_iter().map(|one| (one.code, one.evidence)).collect()
}

#[test]
fn a_refused_event_is_found_as_a_contradiction_and_was_at_no_place() {
    let mut world = World::new(2);
    seen(&mut world, 1, SHANGHAI, 0);
    let first = seen(&mut world, 2, SHANGHAI, 10);
    let refused = seen(&mut world, 2, PARIS, 20);
    world.publish();
    let proven = proven(&world);
    assert!(proven.defects.iter().all(|defect| defect.kind == DefectKind::Fork));
    let one = &proven.refused[..];
    assert_eq!(one.len(), 1);
    assert_eq!((one[0].id, one[0].standing, one[0].log.as_str()), (refused, first, ORIGIN));
    let both = {
        let mut both = [first.to_string(), refused.to_string()].to_vec();
        both.sort();
        both
    };
    let expected = ["LOG-001", "TRC-019"].map(|code| (code.to_owned(), both.clone()));
    assert_eq!(found(&proven), expected);
    let tables = tabulate(&proven).unwrap();
    for table in ["events", "event_items", "locations"] {
        let all = tables.rows(&format!("{table}_all"));
        assert_eq!(tables.rows(table) + 1, all, "{table}");
    }
}

/// One that stands under an identity of its own is evidence like any other.
#[test]
fn the_same_under_an_event_of_its_own_is_a_place_that_it_was_at() {
    let mut world = World::new(2);
    seen(&mut world, 1, SHANGHAI, 0);
    seen(&mut world, 2, SHANGHAI, 10);
    seen(&mut world, 3, PARIS, 20);
    world.publish();
    let proven = proven(&world);
    assert!(proven.refused.is_empty());
    let codes: Vec<String> = found(&proven).into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["TRC-005"]);
}

#[test]
fn a_lake_hides_what_was_refused_as_the_log_does() {
    let mut world = World::new(2);
    seen(&mut world, 1, SHANGHAI, 0);
    for (place, minute) in [(SHANGHAI, 10), (PARIS, 20), (PARIS, 30)] {
        seen(&mut world, 2, place, minute);
    }
    world.publish();
    let proven = proven(&world);
    let size = proven.logs[0].size;
    let folder = tempfile::tempdir().unwrap();
    let devices = Devices::of(&proven.attestations);
    let rows = tabulate::attested(&proven.attestations, &devices).unwrap();
    lake::append(folder.path(), ORIGIN, 0..size, &rows).unwrap();
    let derived = tabulate::derived(&proven).unwrap();
    lake::replace(folder.path(), REFUSALS, derived.get(REFUSALS)).unwrap();
    let (whole, read) = (tabulate(&proven).unwrap(), lake::read(folder.path()).unwrap());
    for table in ["events", "events_all", "event_items", "locations"] {
        assert_eq!(read.get(table), whole.get(table), "{table}");
    }
    assert_eq!((read.rows("events"), read.rows("events_all")), (2, 4));
}
