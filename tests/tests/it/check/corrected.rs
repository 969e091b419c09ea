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
    expect(&node, &path("fine"), 200, "consistent");
    if verdicts(ABLE[0], &[], &[]).is_some() {
        let (shown, bundle) = look(&node, "fine");
        let answers = with_shown(&[bundle], &[shown]);
        assert_eq!(answers[0][1]["state"], "ok", "{}", answers[0]);
    }
    assert_eq!(node.stop(), 0);
}
