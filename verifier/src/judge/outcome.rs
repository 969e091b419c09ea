//! What the rules said, put together: repeats removed, chance and expiry applied last.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::error::ArrowError;
use hallmark_schemas::kind::finding::FINDINGS;
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::table::derived::TESTS;
use hallmark_schemas::table::{COMMON, Cell, Rows};
use hallmark_schemas::time::Timestamp;

use super::bucket::Divided;
use super::engine::Answer;
use super::{FailedRule, Judged, PackUsed, SilentRule};
use crate::finding::Finding;
use crate::pack::{Cause, Pack, ParameterValue};
use crate::table::{TableSet, entered_at};

/// Share of false findings that is accepted, unless a pack sets `false_discovery_ppm`.
const FALSE_DISCOVERY_PPM: i64 = 10_000;

pub(crate) struct Outcome {
    as_of: Timestamp,
    findings: BTreeMap<Digest, Finding>,
    ran: BTreeSet<String>,
    silent: BTreeSet<SilentRule>,
    failed: BTreeMap<String, String>,
}

impl Outcome {
    pub(crate) const fn new(as_of: Timestamp) -> Outcome {
        Outcome {
            as_of,
            findings: BTreeMap::new(),
            ran: BTreeSet::new(),
            silent: BTreeSet::new(),
            failed: BTreeMap::new(),
        }
    }

    pub(crate) fn ran(&mut self, code: &str) {
        self.ran.insert(code.to_owned());
    }

    pub(crate) fn silent(&mut self, code: &str, missing: &[String]) {
        let reason = format!("no rows in {}", missing.join(", "));
        self.silent.insert(SilentRule { code: code.to_owned(), reason });
    }

    /// Takes what one rule said about one bucket. Of two findings with one id, the lower in the
    /// total order stays, in whatever order they come.
    pub(crate) fn add(&mut self, answer: Answer, divided: &Divided) {
        let findings = match answer.findings {
            Ok(findings) => findings,
            Err(reason) => {
                let known = self.failed.entry(answer.code).or_insert_with(|| reason.clone());
                if reason < *known {
                    *known = reason;
                }
                return;
            }
        };
        for finding in findings {
            if !divided.counts(&finding.subject, answer.bucket) {
                continue;
            }
            match self.findings.get(&finding.id) {
                Some(known) if known.order() <= finding.order() => {}
                _ => {
                    self.findings.insert(finding.id, finding);
                }
            }
        }
    }

    /// Dates the findings: each lives from when the newest of its evidence was in a log. What was
    /// in no log, a plain table, says nothing of when it was known and is taken as new.
    pub(crate) fn date(&mut self, tables: &TableSet) {
        let cited = self.findings.values().flat_map(|finding| &finding.evidence);
        let entered = entered_at(tables, &cited.map(String::as_str).collect());
        for finding in self.findings.values_mut() {
            let newest = finding.evidence.iter().filter_map(|id| entered.get(id)).max();
            // Of evidence without any time nothing says when it grows old.
            let judged_at = Some(self.as_of).filter(|at| *at != Timestamp::EPOCH);
            if let Some(complete_at) = newest.copied().or(judged_at) {
                finding.date(complete_at);
            }
        }
    }

    /// Adds the findings so far to the table `findings`, for rules of stage 2.
    pub(crate) fn publish(&self, tables: &mut TableSet) -> Result<(), ArrowError> {
        let mut rows = Rows::new();
        for finding in self.findings.values() {
            let mut cells = common(&format!("finding:{}", finding.id));
            cells.extend([
                Cell::text(finding.id),
                Cell::text(&finding.code),
                Cell::text(&finding.subject),
                Cell::text(&finding.anchor),
                Cell::optional(finding.period_start, Cell::Instant),
                Cell::optional(finding.period_end, Cell::Instant),
                Cell::text(finding.severity),
                Cell::text(finding.class),
                Cell::optional(finding.effect, Cell::Integer),
                Cell::optional(finding.effect_unit.as_ref(), Cell::text),
                Cell::text(&finding.message_en),
                Cell::text(&finding.message_zh),
                Cell::List(finding.evidence.clone()),
                Cell::integer(finding.evidence_count),
                Cell::Instant(finding.expires_at),
                Cell::Instant(self.as_of),
                Cell::text(finding.pack_digest),
            ]);
            rows.push_whole(&FINDINGS, cells);
        }
        tables.add_rows(rows)
    }

    pub(crate) fn finish(self, packs: &[Pack], is_partial: bool) -> Judged {
        let mut findings: Vec<Finding> = self.findings.into_values().collect();
        findings.sort_by_cached_key(Finding::order);
        let (tests, chance) = tests(&findings, false_discovery(packs));
        findings.retain(|finding| !chance.contains(&finding.id));
        let before = findings.len();
        findings.retain(|finding| self.as_of < finding.expires_at);
        let expired = before - findings.len();
        let causes: Vec<&Cause> = packs.iter().flat_map(|pack| &pack.causes).collect();
        crate::incident::explain(&mut findings, &causes);
        let used = packs.iter().map(|pack| PackUsed {
            name: pack.name.clone(),
            version: pack.version.clone(),
            digest: Digest(pack.digest),
        });
        Judged {
            findings,
            tests,
            rules_run: self.ran.into_iter().collect(),
            silent: self.silent.into_iter().collect(),
            failed: self
                .failed
                .into_iter()
                .map(|(code, reason)| FailedRule { code, reason })
                .collect(),
            expired,
            is_partial,
            packs: used.collect(),
        }
    }
}

fn false_discovery(packs: &[Pack]) -> i64 {
    let stated = packs.iter().find_map(|pack| pack.parameters.get("false_discovery_ppm"));
    match stated.map(|parameter| &parameter.value) {
        Some(ParameterValue::Integer(ppm)) => *ppm,
        _ => FALSE_DISCOVERY_PPM,
    }
}

/// Table `tests`, and the findings that chance explains: Benjamini and Hochberg (1995) over all
/// tests that the rules state. With p sorted, those up to the last p(k) <= k/m * q hold.
fn tests(findings: &[Finding], q_ppm: i64) -> (Rows, BTreeSet<Digest>) {
    let mut rows = Rows::new();
    let mut tested: Vec<(i64, Digest)> = Vec::new();
    for finding in findings {
        let number = |name: &str| finding.columns.get(name).and_then(serde_json::Value::as_i64);
        let Some(p_ppb) = number("p_ppb") else {
            continue;
        };
        tested.push((p_ppb, finding.id));
        let mut cells = common(&format!("finding:{}", finding.id));
        cells.extend([
            Cell::text(&finding.code),
            Cell::text(&finding.subject),
            Cell::text(&finding.anchor),
            Cell::Integer(number("n").unwrap_or(0)),
            Cell::Integer(number("statistic_ppm").unwrap_or(0)),
            Cell::optional(number("threshold_ppm"), Cell::Integer),
            Cell::Integer(p_ppb),
        ]);
        rows.push_whole(&TESTS, cells);
    }
    tested.sort_unstable();
    let total = i128::try_from(tested.len()).unwrap_or(i128::MAX);
    // p_ppb / 10^9 <= k / total * q_ppm / 10^6, in whole numbers.
    let holds = |rank: usize, p_ppb: i64| {
        let rank = i128::try_from(rank).unwrap_or(i128::MAX);
        i128::from(p_ppb) * total <= rank * i128::from(q_ppm) * 1_000
    };
    let held = (1..=tested.len()).rev().find(|rank| holds(*rank, tested[*rank - 1].0)).unwrap_or(0);
    let chance = tested[held..].iter().map(|(_, id)| *id).collect();
    (rows, chance)
}

/// The common cells of a row that no attestation gives.
fn common(evidence: &str) -> Vec<Cell> {
    let mut cells = vec![Cell::text(evidence)];
    cells.resize(COMMON.len(), Cell::Null);
    cells
}
