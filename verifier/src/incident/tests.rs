//! Which finding explains which.

use super::explain;
use crate::finding::{Finding, Row, Severity};
use crate::pack::Pack;
use hallmark_schemas::time::Timestamp;
use serde_json::Value;

/// A finding of a core rule: code, subject, days of January 2026, severity, and a meter it names.
fn finding(code: &str, subject: &str, days: (u64, u64), severity: &str, other: &str) -> Finding {
    let pack = Pack::core().expect("valid");
    let at = |day: u64| Some(Timestamp::from_unix_ms(1_767_225_600_000 + day * 86_400_000));
    let row = Row {
        subject: subject.to_owned(),
        anchor: format!("{} {other}", days.0),
        period_start: at(days.0),
        period_end: at(days.1),
        severity: Some(severity.to_owned()),
        columns: [("parent".to_owned(), Value::from(other))].into(),
        ..Row::default()
    };
    Finding::new(pack.rule(code).expect("known"), pack.digest, row)
}

/// For each finding the code and subject of what explains it.
fn told(mut findings: Vec<Finding>) -> Vec<String> {
    let pack = Pack::core().expect("valid");
    let causes: Vec<_> = pack.causes.iter().collect();
    explain(&mut findings, &causes);
    let backwards: Vec<Finding> = {
        let mut again: Vec<Finding> = findings.iter().rev().cloned().collect();
        explain(&mut again, &causes);
        again.into_iter().rev().collect()
    };
    assert_eq!(findings, backwards, "the order of findings changes nothing");
    let name = |id| {
        let of = findings.iter().find(|one| Some(one.id) == id);
        of.map_or("-".to_owned(), |one| format!("{} {}", one.code, one.subject))
    };
    findings.iter().map(|one| name(one.explained_by)).collect()
}

#[test]
fn a_broken_clock_explains_the_shift_the_gap_and_the_mismatch() {
    let found = vec![
        finding("MTR-001", "a", (3, 9), "note", ""),
        finding("MTR-008", "a", (4, 8), "warning", "p"),
        finding("MTR-011", "a", (3, 9), "warning", "p"),
        finding("MTR-020", "a", (2, 9), "note", ""),
        finding("MTR-020", "b", (2, 9), "note", ""),
    ];
    let clock = "MTR-011 a".to_owned();
    assert_eq!(told(found), [&clock, &clock, "-", &clock, "-"]);
}

#[test]
fn a_copied_week_is_one_incident_and_another_time_or_meter_is_another() {
    let found = vec![
        finding("MTR-005", "a", (7, 14), "warning", ""),
        finding("MTR-008", "a", (7, 14), "warning", "p"),
        finding("MTR-008", "b", (7, 14), "warning", "p"),
        finding("MTR-020", "a", (6, 13), "note", ""),
        finding("MTR-020", "a", (13, 20), "note", "x"),
        finding("MTR-020", "a", (40, 47), "note", ""),
    ];
    let copy = "MTR-005 a".to_owned();
    assert_eq!(told(found), ["-", &copy, "-", &copy, &copy, "-"]);
}

#[test]
fn arithmetic_is_not_explained_by_statistics_but_by_arithmetic() {
    let with = |severity: &str| {
        told(vec![
            finding("MTR-001", "a", (3, 9), "error", ""),
            finding("MTR-011", "a", (3, 9), severity, ""),
        ])
    };
    assert_eq!(with("note"), ["-", "-"]);
    assert_eq!(with("error"), ["MTR-011 a", "-"]);
}

#[test]
fn a_finding_that_two_causes_explain_names_the_other_one() {
    let mut found = vec![
        finding("MTR-019", "p", (3, 9), "error", ""),
        finding("MTR-003", "a", (4, 5), "note", ""),
        finding("MTR-008", "a", (3, 9), "warning", "p"),
    ];
    let pack = Pack::core().expect("valid");
    explain(&mut found, &pack.causes.iter().collect::<Vec<_>>());
    assert_eq!(found[2].explained_by, Some(found[0].id));
    assert_eq!(found[2].competing, [found[1].id]);
    assert!(found[1].explained_by.is_none() && found[1].competing.is_empty());
    assert_eq!(found[2].severity, Severity::Warning);
}
