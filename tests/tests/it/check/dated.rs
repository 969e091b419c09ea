//! Days and months of a page at the edges of midnight: the node's, and the script's.

use hallmark_schemas::kind::KindName;

use super::super::passport::{XIAMEN, expect, page_at, record, works};
use super::shown::{attributes, with_shown};
use super::*;

const CLASS: &str = "https://id.gs1.org/01/09520123450014";
const ITEM: &str = "https://id.gs1.org/01/09520123450014/21/A";
const PATH: &str = "/01/09520123450014/21/A";

/// A recall and a certificate of midnight in China, by that clock or none.
fn statements(offset: Option<&str>) -> Vec<Value> {
    let name = offset.map_or("none", |_| "china");
    let mut recall = json!({
        "recall": name, "why": {"en": "It leaks"}, "what_to_do": {"en": "Bring it back"},
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-03-10T00:00:00+08:00" });
    let mut certificate = json!({
        "id": name, "standard": format!("GB {name}"), "valid_from": "2026-01-01T00:00:00+08:00",
        "valid_to": "2099-01-01T00:00:00+08:00" });
    if let Some(offset) = offset {
        recall["utc_offset"] = offset.into();
        certificate["utc_offset"] = offset.into();
    }
    vec![
        json!({ "kind": "recall", "sub": CLASS, "payload": recall }),
        json!({ "kind": "certificate", "sub": CLASS, "payload": certificate }),
    ]
}

fn events() -> Vec<Value> {
    let event = |number: u32, (step, action): (&str, &str), at: &str, offset: &str| {
        let epcis = json!({
            "type": "ObjectEvent", "action": action, "bizStep": step, "eventTime": at,
            "eventID": format!("urn:uuid:00000000-0000-4000-8004-{number:012}"),
            "eventTimeZoneOffset": offset, "epcList": [ITEM], "readPoint": { "id": XIAMEN },
        });
        json!({ "kind": "event", "aud": "public", "payload": { "epcis": epcis.to_string() } })
    };
    vec![
        event(1, ("commissioning", "ADD"), "2026-03-31T16:00:00Z", "+08:00"),
        event(2, ("shipping", "OBSERVE"), "2026-05-01T03:59:59Z", "-04:00"),
        event(3, ("receiving", "OBSERVE"), "2026-05-31T23:59:59Z", "+00:00"),
    ]
}

/// The records of a kind, in the order in which they were made.
fn of_kind(json: &Value, kind: KindName) -> Vec<String> {
    let records = json["proof"]["records"].as_array().expect("a list").iter();
    let of = records.filter(|one| one["kind"] == kind.as_str());
    let mut of: Vec<_> = of.map(|one| (one["entry"].as_u64(), one["id"].clone())).collect();
    of.sort_by_key(|(entry, _)| *entry);
    of.into_iter().map(|(_, id)| id.as_str().expect("an id").to_owned()).collect()
}

#[test]
fn days_and_months_are_those_of_the_clock_that_is_told_and_else_said_to_be_of_utc() {
    let world = World::new();
    let mut node = works(&world, "works");
    let statements = [statements(Some("+08:00")), statements(None), events()].concat();
    let mut wrong = statements[0].clone();
    wrong["payload"]["utc_offset"] = json!("+8");
    let file = world.file("wrong.json", wrong.to_string());
    let refused = node.run("submit", &[path_text(&file)]).fails(3).stderr;
    assert!(refused.contains("utc_offset"), "{refused}");
    // One after the other, so that entries are in this order.
    for one in statements.chunks(1) {
        record(&world, &node, one);
    }
    let json = expect(&node, PATH, 200, "recalled");
    let months: Vec<_> =
        json["journey"].as_array().expect("steps").iter().map(|one| &one["month"]).collect();
    assert_eq!(months, ["2026-04", "2026-04", "2026-05"]);
    let page = page_at(&node, &format!("{PATH}?lang=en"));
    for said in [
        ">2026-03-10<",
        ">2026-03-09 UTC<",
        ">2026-01-01 – 2098-12-31<",
        ">2025-12-31 – 2098-12-31 UTC<",
        "datetime=\"2026-04\"",
        "datetime=\"2026-05\"",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let [recalls, certificates, events] =
        [KindName::Recall, KindName::Certificate, KindName::Event].map(|kind| of_kind(&json, kind));
    let pieces = [
        ("since", &recalls[0], "2026-03-10", "2026-03-09 UTC"),
        ("since", &recalls[0], "2026-03-10", "2026-03-10 UTC"),
        ("since", &recalls[1], "2026-03-09 UTC", "2026-03-10"),
        ("since", &recalls[1], "2026-03-09 UTC", "2026-03-09"),
        ("valid", &certificates[0], "2026-01-01 – 2098-12-31", "2025-12-31 – 2098-12-31"),
        ("valid", &certificates[1], "2025-12-31 – 2098-12-31 UTC", "2026-01-01 – 2098-12-31"),
        ("month", &events[0], "2026-04", "2026-03"),
        ("month", &events[1], "2026-04", "2026-05"),
        ("month", &events[2], "2026-05", "2026-06"),
    ];
    if verdicts("webcrypto", &[], &[]).is_some() {
        let bundle = node.get(&format!("/v1/bundle{PATH}")).body;
        let texts = pieces.iter().flat_map(|(of, id, right, wrong)| {
            [*right, *wrong]
                .map(|text| json!([{ "of": of, "text": text, "record": id, "isLabelled": true }]))
        });
        let shown: Vec<_> = texts
            .map(|pieces| {
                let mut shown = attributes(&page);
                (shown["language"], shown["pieces"]) = (json!("en"), pieces);
                (shown["state"], shown["address"]) = (json!("recalled"), json!(PATH));
                shown
            })
            .collect();
        let answers = with_shown(&vec![bundle; shown.len()], &shown);
        for ((of, _, right, wrong), both) in pieces.iter().zip(answers.chunks(2)) {
            assert_eq!(both[0][1]["page"], "ok", "{of} {right}: {}", both[0]);
            assert_eq!(both[1][1]["page"], "page-words", "{of} {wrong}: {}", both[1]);
        }
    }
    assert_eq!(node.stop(), 0);
}
