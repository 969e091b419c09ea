//! What was contradicted and then corrected, as node and script see it.

use serde_json::json;

use super::super::passport::told::contradicted;
use super::super::passport::{expect, record, works};
use super::super::world::World;
use super::confirmed::{CLASS, look, path};
use super::shown::with_shown;
use super::{ABLE, verdicts};

#[test]
fn a_recall_that_was_contradicted_and_then_lifted_is_lifted_for_node_and_script_alike() {
    let world = World::new();
    let mut node = works(&world, "works");
    let recall = |why: &str| {
        json!({ "kind": "recall", "sub": CLASS, "aud": "public", "payload": {
            "recall": "R-1", "why": { "en": why }, "what_to_do": { "en": "return it" },
            "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } })
    };
    record(&world, &node, &[recall("leaks")]);
    let first = contradicted(&world, &node, &recall("breaks"));
    expect(&node, &path("fine"), 200, "recalled");
    let mut lifted = recall("leaks");
    lifted["payload"]["lifted_at"] = json!("2026-02-01T00:00:00Z");
    lifted["payload"]["replaces"] = json!(first);
    lifted["payload"]["reason"] = json!("none leaks");
    record(&world, &node, &[lifted]);
    let json = expect(&node, &path("fine"), 200, "consistent");
    let id = json["idle_recalls"][0]["recall"]["id"].clone();
    if verdicts(ABLE[0], &[], &[]).is_some() {
        let (shown, bundle) = look(&node, "fine");
        let with = |text: &str| {
            let mut shown = shown.clone();
            let piece = json!({ "of": "idle", "text": text, "record": id, "isInBand": true });
            shown["pieces"].as_array_mut().expect("pieces").push(piece);
            shown
        };
        let right = "A recall of 2026-01-01 UTC was lifted on 2026-02-01 UTC.";
        let wrong = [
            "A recall of 2026-01-01 UTC was lifted on 2026-02-02 UTC.",
            "A recall takes effect on 2026-01-01 UTC.",
        ];
        let all = [shown.clone(), with(right), with(wrong[0]), with(wrong[1])];
        let answers = with_shown(&vec![bundle; all.len()], &all);
        // The item has a record that is not public; what is wrong is told before that.
        let said = ["page-hidden", "page-hidden", "page-words", "page-words"];
        for (answer, page) in answers.iter().zip(said) {
            assert_eq!(answer[1]["page"], page, "{answer}");
        }
        assert_eq!(answers[0][1]["state"], "ok", "{}", answers[0]);
        assert_eq!(answers[1][1]["state"], "ok", "{}", answers[1]);
    }
    assert_eq!(node.stop(), 0);
}
