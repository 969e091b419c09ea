//! Which finding explains which.

use std::sync::LazyLock;

use super::explain;
use crate::finding::{Finding, Row, Severity};
use crate::pack::Pack;
use hallmark_schemas::time::Timestamp;
use serde_json::Value;

static CORE: LazyLock<Pack> = LazyLock::new(|| Pack::core().expect("valid"));

/// A finding of a core rule: code, subject, days of January 2026, severity, and a meter it names.
fn finding(code: &str, subject: &str, days: (u64, u64), severity: &str, other: &str) -> Finding {
    let pack = &*CORE;
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
    let causes: Vec<_> = CORE.causes.iter().collect();
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
    explain(&mut found, &CORE.causes.iter().collect::<Vec<_>>());
    assert_eq!(found[2].explained_by, Some(found[0].id));
    assert_eq!(found[2].competing, [found[1].id]);
    assert!(found[1].explained_by.is_none() && found[1].competing.is_empty());
    assert_eq!(found[2].severity, Severity::Warning);
}

/// As [`explain`] says it of few findings, each compared with each.
fn compared(findings: &mut [Finding], causes: &[&crate::pack::Cause]) {
    let order: std::collections::BTreeMap<&str, usize> =
        causes.iter().enumerate().map(|(rank, cause)| (cause.code.as_str(), rank)).collect();
    let rank = |one: &Finding| order.get(one.code.as_str()).copied();
    let all = findings.to_vec();
    let key = |one: &Finding| (one.period_start, one.period_end, one.id);
    let first = |finding: &Finding| -> Option<usize> {
        let (start, end) = super::period(finding)?;
        let named = |of: &Finding, name: &str| super::named(of).any(|other| other == name);
        let explains = |other: &&usize| {
            let other = &all[**other];
            let own = rank(finding).unwrap_or(usize::MAX);
            let is_cause = rank(other)
                .is_some_and(|rank| rank < own && causes[rank].explains.contains(&finding.code));
            let meets = super::period(other).is_some_and(|(from, to)| from < end && start < to);
            let tied = named(finding, &other.subject) || named(other, &finding.subject);
            let may = finding.severity < Severity::Error || other.severity == Severity::Error;
            is_cause && meets && tied && may
        };
        let places: Vec<usize> = (0..all.len()).collect();
        let best = places.iter().filter(explains).min_by_key(|other| {
            let other = &all[**other];
            (rank(other), std::cmp::Reverse(other.severity), other.period_start, other.id)
        });
        let alike = places.iter().filter(|other| {
            let other = &all[**other];
            let gap = super::GAP_MS;
            let meets = super::period(other)
                .is_some_and(|(_, to)| start.unix_ms() <= to.unix_ms().saturating_add(gap));
            super::sort(other) == super::sort(finding) && key(other) < key(finding) && meets
        });
        best.or_else(|| alike.min_by_key(|other| key(&all[**other]))).copied()
    };
    let told: Vec<Option<usize>> = all.iter().map(first).collect();
    for (at, finding) in findings.iter_mut().enumerate() {
        let mut root = at;
        while let Some(next) = told[root] {
            root = next;
        }
        finding.explained_by = (root != at).then(|| all[root].id);
    }
}

proptest::proptest! {
    #[test]
    fn looking_up_says_what_comparing_each_with_each_says(
        drawn in proptest::collection::vec((0_usize..4, 0_usize..3, 0_u64..40, 1_u64..9, 0_usize..3, 0_usize..4), 1..30),
    ) {
        let codes = ["MTR-001", "MTR-005", "MTR-008", "MTR-011"];
        let found = drawn.into_iter().map(|(code, subject, from, days, severity, other)| {
            finding(
                codes[code],
                ["a", "b", "p"][subject],
                (from, from + days),
                ["note", "warning", "error"][severity],
                ["", "a", "b", "p"][other],
            )
        });
        let mut found: Vec<Finding> = found.collect();
        found.sort_by_key(|one| one.id);
        found.dedup_by_key(|one| one.id);
        let causes: Vec<_> = CORE.causes.iter().collect();
        let mut expected = found.clone();
        compared(&mut expected, &causes);
        explain(&mut found, &causes);
        for (one, other) in found.iter().zip(&expected) {
            proptest::prop_assert_eq!(one.explained_by, other.explained_by);
        }
    }
}
