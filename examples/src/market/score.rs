//! What a report on the market found, held against the truth.
//!
//! Invariants: a fraud is found when a finding of one of its rules names its subject, whatever its
//! severity; a finding is false when no fraud of its subject is of its rule; only warnings and errors
//! accuse, so only these count as false.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use serde_json::Value;

use super::Incident;

/// What was found of one fraud.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Line {
    /// The fraud.
    pub fraud: String,
    /// How often it was committed.
    pub committed: u64,
    /// How often it was found.
    pub found: u64,
    /// Findings of its rules, of any severity.
    pub findings: u64,
    /// Those of them that are of this fraud or another.
    pub right: u64,
}

/// What was found of all.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Score {
    /// Items of the market.
    pub items: u64,
    /// Fraud by fraud.
    pub lines: Vec<Line>,
    /// False findings of severity `error`.
    pub false_errors: u64,
    /// False findings of severity `warning`.
    pub false_warnings: u64,
    /// The rules of these, with how many each.
    pub false_by_rule: BTreeMap<String, u64>,
}

/// A truth as `truth.csv` has it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Truth {
    /// Items of the market.
    pub items: u64,
    /// Fraud, codes, subject, part of the anchor.
    rows: Vec<(String, BTreeSet<String>, String, String)>,
}

impl Truth {
    /// Reads `truth.csv`.
    pub fn parse(text: &str) -> anyhow::Result<Truth> {
        let mut truth = Truth::default();
        for line in text.lines().skip(1) {
            let mut cells = line.splitn(4, ',');
            let mut cell = || cells.next().context("four cells are expected").map(str::to_owned);
            let (fraud, codes, subject, anchor) = (cell()?, cell()?, cell()?, cell()?);
            if fraud == "items" {
                truth.items = subject.parse().context("a number of items is expected")?;
                continue;
            }
            let codes = codes.split(' ').map(str::to_owned).collect();
            truth.rows.push((fraud, codes, subject, anchor));
        }
        Ok(truth)
    }

    /// The truth of a market.
    pub fn of(items: u64, incidents: &[Incident]) -> Truth {
        let row = |one: &Incident| {
            let codes = one.codes.iter().map(|code| (*code).to_owned()).collect();
            (one.fraud.to_owned(), codes, one.subject.clone(), one.anchor.clone())
        };
        Truth { items, rows: incidents.iter().map(row).collect() }
    }
}

/// Holds a report of `hallmark-verify check --report json` against the truth.
pub fn score(truth: &Truth, report: &Value) -> Score {
    let findings = report["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut of_subject: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (number, (_, _, subject, _)) in truth.rows.iter().enumerate() {
        of_subject.entry(subject.as_str()).or_default().push(number);
    }
    let text =
        |finding: &'_ Value, name: &str| finding[name].as_str().unwrap_or_default().to_owned();
    let mut score = Score { items: truth.items, ..Score::default() };
    let mut found: BTreeSet<usize> = BTreeSet::new();
    let mut counted: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for finding in findings {
        let (code, subject) = (text(finding, "code"), text(finding, "subject"));
        let anchor = text(finding, "anchor");
        let candidates = of_subject.get(subject.as_str()).map(Vec::as_slice).unwrap_or_default();
        let of_it = candidates.iter().copied().filter(|number| {
            let (_, codes, _, part) = &truth.rows[*number];
            codes.contains(&code) && anchor.contains(part.as_str())
        });
        let of_it: Vec<usize> = of_it.collect();
        let (all, right) = counted.entry(code.clone()).or_default();
        *all += 1;
        if !of_it.is_empty() {
            *right += 1;
            found.extend(of_it);
            continue;
        }
        match text(finding, "severity").as_str() {
            "error" => score.false_errors += 1,
            "warning" => score.false_warnings += 1,
            _ => continue,
        }
        *score.false_by_rule.entry(code).or_default() += 1;
    }
    let mut frauds: Vec<&str> = Vec::new();
    for (fraud, ..) in &truth.rows {
        if !frauds.contains(&fraud.as_str()) {
            frauds.push(fraud);
        }
    }
    for fraud in frauds {
        let rows = || truth.rows.iter().enumerate().filter(|(_, row)| row.0 == fraud);
        let codes: BTreeSet<&String> = rows().flat_map(|(_, row)| &row.1).collect();
        let sum = |which: fn(&(u64, u64)) -> u64| {
            codes.iter().filter_map(|code| counted.get(*code)).map(which).sum()
        };
        score.lines.push(Line {
            fraud: fraud.to_owned(),
            committed: rows().count() as u64,
            found: rows().filter(|(number, _)| found.contains(number)).count() as u64,
            findings: sum(|counts| counts.0),
            right: sum(|counts| counts.1),
        });
    }
    score
}

/// Parts of a whole in thousandths; the whole where there is none.
pub fn share_milli(part: u64, whole: u64) -> u64 {
    (part * 1_000).checked_div(whole).unwrap_or(1_000)
}

impl Score {
    /// The table of the README.
    pub fn to_markdown(&self) -> String {
        let share = |part, whole| {
            let milli = share_milli(part, whole);
            format!("{}.{:03}", milli / 1_000, milli % 1_000)
        };
        let mut out = String::from(
            "| fraud | committed | found | recall | precision of its rules |\n|---|---|---|---|---|\n",
        );
        for Line { fraud, committed, found, findings, right } in &self.lines {
            let (recall, precision) = (share(*found, *committed), share(*right, *findings));
            out.push_str(&format!(
                "| {fraud} | {committed} | {found} | {recall} | {precision} |\n"
            ));
        }
        let of_items = |count: u64| {
            let ppm = (count * 1_000_000).checked_div(self.items).unwrap_or(0);
            format!("{}.{:04} %", ppm / 10_000, ppm % 10_000)
        };
        out.push_str(&format!(
            "\n{} items; false findings: {} errors ({} of items), {} warnings ({}){}\n",
            self.items,
            self.false_errors,
            of_items(self.false_errors),
            self.false_warnings,
            of_items(self.false_warnings),
            self.false_by_rule
                .iter()
                .fold(String::new(), |all, (code, count)| { format!("{all}; {code} {count}") }),
        ));
        out
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_found_and_what_is_false_is_told_apart() {
        let truth = Truth::parse(
            "fraud,codes,subject,anchor\nitems,,1000,\nclone,TRC-001 TRC-005,a,\nclone,TRC-005,b,\n\
             mass,TRC-009,p,ni:1\n",
        )
        .unwrap();
        let finding = |code: &str, subject: &str, anchor: &str, severity: &str| json!({ "code": code, "subject": subject, "anchor": anchor, "severity": severity });
        let report = json!({ "findings": [
            finding("TRC-005", "a", "t", "warning"), finding("TRC-001", "a", "t", "note"),
            finding("TRC-005", "c", "t", "warning"), finding("TRC-009", "p", "x ni:2", "error"),
            finding("TRC-012", "d", "t", "note"),
        ] });
        let score = score(&truth, &report);
        let lines: Vec<_> = score
            .lines
            .iter()
            .map(|one| (one.committed, one.found, one.findings, one.right))
            .collect();
        assert_eq!(lines, [(2, 1, 3, 2), (1, 0, 1, 0)]);
        assert_eq!((score.false_errors, score.false_warnings), (1, 1));
        assert!(score.to_markdown().contains("| clone | 2 | 1 | 0.500 | 0.666 |"));
        assert!(Truth::parse("x\nfraud,codes").is_err());
    }
}
