//! Incidents: which finding explains which, so that one cause is looked at once.
//!
//! A pack lists causes in the order in which they are to be ruled out (`[[cause]]` in `pack.toml`):
//! a clock that is off explains a shifted day, a missing batch and a child that does not fit its
//! parent. A finding is explained by the first cause that was found for the same subject (or a
//! meter that one of the two names) in an overlapping period; findings of one rule on one subject
//! whose periods meet are one. What is arithmetic is never explained away by what is statistics.
//!
//! Invariants: the answer depends on findings and packs alone, not on their order; a finding explains
//! only what is later in the list, so no two explain one another; nothing is removed.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::time::Timestamp;
use serde_json::Value;

use crate::finding::{Finding, Severity};
use crate::pack::Cause;

/// Milliseconds between two periods of one rule that still meet.
const GAP_MS: u64 = 86_400_000;

/// Says of each finding which other one explains it, and which compete to.
pub(crate) fn explain(findings: &mut [Finding], causes: &[&Cause]) {
    let order: BTreeMap<&str, usize> =
        causes.iter().enumerate().map(|(rank, cause)| (cause.code.as_str(), rank)).collect();
    let rank = |finding: &Finding| order.get(finding.code.as_str()).copied();
    let by_subject = by_subject(findings);
    let mut told: Vec<(Option<usize>, Vec<usize>)> = Vec::with_capacity(findings.len());
    for (at, finding) in findings.iter().enumerate() {
        let own = rank(finding).unwrap_or(usize::MAX);
        let near = related(finding, &by_subject).filter(|other| *other != at);
        let mut explaining: Vec<usize> = near
            .filter(|other| {
                let other = &findings[*other];
                let explains =
                    |rank: usize| rank < own && causes[rank].explains.contains(&finding.code);
                rank(other).is_some_and(explains) && may_explain(other, finding)
            })
            .collect();
        explaining.sort_unstable_by_key(|other| {
            let other = &findings[*other];
            (rank(other), Reverse(other.severity), other.period_start, other.id)
        });
        explaining.dedup();
        let first = explaining.first().copied();
        // Of one rule, the first of those whose periods meet stands for all.
        let first = first.or_else(|| same_before(findings, at, &by_subject));
        told.push((first, explaining.into_iter().skip(1).collect()));
    }
    let root = |mut at: usize| {
        while let Some(next) = told[at].0 {
            at = next;
        }
        at
    };
    let answers: Vec<(Option<Digest>, Vec<Digest>)> = (0..told.len())
        .map(|at| {
            let own = root(at);
            let strange = told[at].1.iter().filter(|other| root(**other) != own);
            let mut competing: Vec<Digest> = strange.map(|other| findings[*other].id).collect();
            competing.sort_unstable();
            ((own != at).then(|| findings[own].id), competing)
        })
        .collect();
    for (finding, (explained_by, competing)) in findings.iter_mut().zip(answers) {
        finding.explained_by = explained_by;
        finding.competing = competing;
    }
}

/// Indices of findings by the names in them: their subject, and whatever their columns name.
fn by_subject(findings: &[Finding]) -> BTreeMap<String, Vec<usize>> {
    let mut names: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, finding) in findings.iter().enumerate() {
        for name in named(finding) {
            names.entry(name.to_owned()).or_default().push(at);
        }
    }
    names
}

/// Columns in which a rule names another meter.
const NAMING: &[&str] = &["parent", "other", "source"];

fn named(finding: &Finding) -> impl Iterator<Item = &str> {
    let columns = NAMING.iter().filter_map(|name| finding.columns.get(*name)?.as_str());
    columns.filter(|name| !name.is_empty()).chain([finding.subject.as_str()])
}

/// Findings that are of this one's subject or name it, and those of a subject that it names.
fn related<'a>(
    finding: &'a Finding,
    by_subject: &'a BTreeMap<String, Vec<usize>>,
) -> impl Iterator<Item = usize> + 'a {
    named(finding).filter_map(|name| by_subject.get(name)).flatten().copied()
}

fn may_explain(cause: &Finding, finding: &Finding) -> bool {
    let meets = match (period(cause), period(finding)) {
        (Some((from, to)), Some((start, end))) => from < end && start < to,
        _ => false,
    };
    // Two children of one parent both name it, which alone ties neither to the other.
    let is_named = |name: &str, of: &Finding| named(of).any(|other| other == name);
    let tied = is_named(&cause.subject, finding) || is_named(&finding.subject, cause);
    meets && tied && (finding.severity < Severity::Error || cause.severity == Severity::Error)
}

/// An earlier finding of the same rule, subject and series group whose period meets this one's.
fn same_before(
    findings: &[Finding],
    at: usize,
    by_subject: &BTreeMap<String, Vec<usize>>,
) -> Option<usize> {
    let finding = &findings[at];
    let (start, _) = period(finding)?;
    let problem = |finding: &Finding| {
        finding.columns.get("problem_en").and_then(Value::as_str).map(str::to_owned)
    };
    let key = |finding: &Finding| (finding.period_start, finding.period_end, finding.id);
    let same = by_subject.get(&finding.subject)?.iter().copied().filter(|other| {
        let other = &findings[*other];
        let meets = period(other)
            .is_some_and(|(_, end)| start.unix_ms() <= end.unix_ms().saturating_add(GAP_MS));
        other.code == finding.code
            && other.subject == finding.subject
            && other.severity == finding.severity
            && problem(other) == problem(finding)
            && key(other) < key(finding)
            && meets
    });
    same.min_by_key(|other| key(&findings[*other]))
}

fn period(finding: &Finding) -> Option<(Timestamp, Timestamp)> {
    let (start, end) = (finding.period_start?, finding.period_end?);
    (start < end).then_some((start, end))
}

#[cfg(test)]
mod tests;
