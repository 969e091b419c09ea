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

use spans::Spans;

mod spans;

/// Milliseconds between two periods of one rule that still meet.
const GAP_MS: u64 = 86_400_000;
/// Most findings that are looked at as causes of one.
const EXPLAINING_MAX: usize = 1024;

/// Says of each finding which other one explains it, and which compete to.
pub(crate) fn explain(findings: &mut [Finding], causes: &[&Cause]) {
    let found = Found::new(findings, causes);
    let told: Vec<(Option<usize>, Vec<usize>)> = (0..findings.len())
        .map(|at| {
            let explaining = found.explaining(at);
            let first = explaining.first().copied();
            // Of one rule, the first of those whose periods meet stands for all.
            let first = first.or_else(|| found.same_before(at));
            (first, explaining.into_iter().skip(1).collect())
        })
        .collect();
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

/// Findings of one cause, by the meter that they are about and by those that they name beside it.
#[derive(Default)]
struct OfCause<'a> {
    about: BTreeMap<&'a str, Spans>,
    naming: BTreeMap<&'a str, Spans>,
}

/// Findings of one rule on one subject that say the same of it, in order.
#[derive(Default)]
struct Alike {
    order: Vec<usize>,
    /// The latest end, a gap included, of those up to each place.
    reach_ms: Vec<u64>,
}

/// What of a rule's finding has to be alike for two of them to be one.
type Sort<'a> = (&'a str, &'a str, Severity, Option<&'a str>);

/// All findings, to look up what explains what without comparing each with each.
struct Found<'a> {
    findings: &'a [Finding],
    causes: &'a [&'a Cause],
    /// By the code of a cause: its rank, which is its place in `causes`.
    ranks: BTreeMap<&'a str, usize>,
    of_cause: Vec<OfCause<'a>>,
    alike: BTreeMap<Sort<'a>, Alike>,
}

impl<'a> Found<'a> {
    fn new(findings: &'a [Finding], causes: &'a [&'a Cause]) -> Found<'a> {
        let codes = causes.iter().enumerate().map(|(rank, cause)| (cause.code.as_str(), rank));
        let ranks: BTreeMap<&str, usize> = codes.collect();
        let mut spans: Vec<[BTreeMap<&str, Vec<_>>; 2]> =
            causes.iter().map(|_| Default::default()).collect();
        let mut alike: BTreeMap<Sort<'_>, Alike> = BTreeMap::new();
        for (at, finding) in findings.iter().enumerate() {
            let Some((start, end)) = period(finding) else { continue };
            alike.entry(sort(finding)).or_default().order.push(at);
            if let Some(rank) = ranks.get(finding.code.as_str()) {
                let [about, naming] = &mut spans[*rank];
                let span = (start, end, at);
                about.entry(finding.subject.as_str()).or_default().push(span);
                for name in beside(finding) {
                    naming.entry(name).or_default().push(span);
                }
            }
        }
        let whole = |names: BTreeMap<&'a str, Vec<_>>| {
            names.into_iter().map(|(name, spans)| (name, Spans::from_iter(spans))).collect()
        };
        let of_cause = spans
            .into_iter()
            .map(|[about, naming]| OfCause { about: whole(about), naming: whole(naming) });
        let of_cause = of_cause.collect();
        for one in alike.values_mut() {
            one.order.sort_unstable_by_key(|at| key(&findings[*at]));
            let ends = one.order.iter().map(|at| {
                period(&findings[*at]).map_or(0, |(_, end)| end.unix_ms().saturating_add(GAP_MS))
            });
            one.reach_ms = ends
                .scan(0, |latest, end| {
                    *latest = end.max(*latest);
                    Some(*latest)
                })
                .collect();
        }
        Found { findings, causes, ranks, of_cause, alike }
    }

    /// What explains this finding, the best first.
    fn explaining(&self, at: usize) -> Vec<usize> {
        let finding = &self.findings[at];
        let Some(period) = period(finding) else { return Vec::new() };
        let own = self.rank(finding).unwrap_or(usize::MAX);
        let mut explaining = Vec::new();
        for (rank, of_cause) in self.of_cause.iter().enumerate().take_while(|(rank, _)| *rank < own)
        {
            if !self.causes[rank].explains.contains(&finding.code) {
                continue;
            }
            // Two children of one parent both name it, which alone ties neither to the other.
            let about = named(finding).filter_map(|name| of_cause.about.get(name));
            for spans in about.chain(of_cause.naming.get(finding.subject.as_str())) {
                let mut near = Vec::new();
                spans.overlapping(period, EXPLAINING_MAX, &mut near);
                explaining.extend(near);
            }
        }
        let may = |other: &usize| {
            let is_proof = self.findings[*other].severity == Severity::Error;
            *other != at && (finding.severity < Severity::Error || is_proof)
        };
        explaining.retain(may);
        explaining.sort_unstable_by_key(|other| {
            let other = &self.findings[*other];
            (self.rank(other), Reverse(other.severity), other.period_start, other.id)
        });
        explaining.dedup();
        explaining.truncate(EXPLAINING_MAX);
        explaining
    }

    /// The earliest finding alike whose period meets this one's, if that is another.
    fn same_before(&self, at: usize) -> Option<usize> {
        let finding = &self.findings[at];
        let (start, _) = period(finding)?;
        let alike = self.alike.get(&sort(finding))?;
        let first = alike.reach_ms.partition_point(|reach_ms| *reach_ms < start.unix_ms());
        let earliest = *alike.order.get(first)?;
        (key(&self.findings[earliest]) < key(finding)).then_some(earliest)
    }

    fn rank(&self, finding: &Finding) -> Option<usize> {
        self.ranks.get(finding.code.as_str()).copied()
    }
}

/// Columns in which a rule names another meter.
const NAMING: &[&str] = &["parent", "other", "source"];

/// The meters that a finding names beside its subject.
fn beside(finding: &Finding) -> impl Iterator<Item = &str> {
    let columns = NAMING.iter().filter_map(|name| finding.columns.get(*name)?.as_str());
    columns.filter(|name| !name.is_empty() && *name != finding.subject)
}

fn named(finding: &Finding) -> impl Iterator<Item = &str> {
    beside(finding).chain([finding.subject.as_str()])
}

fn sort(finding: &Finding) -> Sort<'_> {
    let problem = finding.columns.get("problem_en").and_then(Value::as_str);
    (&finding.code, &finding.subject, finding.severity, problem)
}

fn key(finding: &Finding) -> impl Ord {
    (finding.period_start, finding.period_end, finding.id)
}

fn period(finding: &Finding) -> Option<(Timestamp, Timestamp)> {
    let (start, end) = (finding.period_start?, finding.period_end?);
    (start < end).then_some((start, end))
}

#[cfg(test)]
mod tests;
