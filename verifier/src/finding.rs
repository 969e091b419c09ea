//! Findings: one row of a rule is one finding.
//!
//! Invariants: the id is SHA-256 of deterministic CBOR [code, subject, anchor], so a rerun updates
//! instead of repeating; evidence is sorted and without repetition; findings have a total order
//! that depends on nothing but themselves.

use std::collections::BTreeMap;

use hallmark_schemas::kind::finding::{EVIDENCE_MAX, finding_id};
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

pub use hallmark_schemas::kind::finding::{Class, Severity};

use crate::pack::Rule;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// What a rule found, with everything that a reader needs to check and to answer it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// SHA-256 of deterministic CBOR [code, subject, anchor].
    pub id: Digest,
    /// The rule.
    pub code: String,
    /// What the rule finds, in a few words.
    pub title: String,
    /// What it is about.
    pub subject: String,
    /// Which of the subject's findings it is: an instant or an evidence id.
    pub anchor: String,
    /// Begin of the period it is about.
    pub period_start: Option<Timestamp>,
    /// End of that period.
    pub period_end: Option<Timestamp>,
    /// How grave.
    pub severity: Severity,
    /// Of which sort.
    pub class: Class,
    /// Its size, signed, in `effect_unit`.
    pub effect: Option<i64>,
    /// `g` (CO2e) or `items`.
    pub effect_unit: Option<String>,
    /// One sentence with the values.
    pub message_en: String,
    /// The same in Chinese.
    pub message_zh: String,
    /// Evidence ids, sorted; at most 1,000.
    pub evidence: Vec<String>,
    /// How many there are.
    pub evidence_count: u64,
    /// Honest explanations that were ruled out as far as the evidence goes.
    pub innocent: Vec<String>,
    /// Standards and laws it rests on.
    pub basis: Vec<String>,
    /// What its subject can do.
    pub answer: String,
    /// From then on it is no longer reported.
    pub expires_at: Timestamp,
    /// Days that it lives, from its rule.
    #[serde(skip)]
    pub(crate) expires_days: u32,
    /// SHA-256 of the pack that holds the rule.
    pub pack_digest: Digest,
    /// The finding that stands for the incident which this one belongs to; none where it is the one.
    pub explained_by: Option<Digest>,
    /// Findings outside that incident that would explain this one too.
    pub competing: Vec<Digest>,
    /// Further columns of the rule, by name.
    pub columns: BTreeMap<String, Value>,
}

/// The columns that have a meaning in every rule.
pub(crate) const RESERVED: &[&str] = &[
    "subject",
    "anchor",
    "period_start",
    "period_end",
    "evidence",
    "evidence_count",
    "severity",
    "effect",
    "effect_unit",
];
/// Those that every rule must return.
pub(crate) const REQUIRED: &[&str] =
    &["subject", "anchor", "period_start", "period_end", "evidence", "evidence_count"];

/// A rule's row, taken out of Arrow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) subject: String,
    pub(crate) anchor: String,
    pub(crate) period_start: Option<Timestamp>,
    pub(crate) period_end: Option<Timestamp>,
    pub(crate) evidence: Vec<String>,
    pub(crate) evidence_count: u64,
    pub(crate) severity: Option<String>,
    pub(crate) effect: Option<i64>,
    pub(crate) effect_unit: Option<String>,
    pub(crate) columns: BTreeMap<String, Value>,
}

impl Finding {
    pub(crate) fn new(rule: &Rule, pack_digest: [u8; 32], row: Row) -> Finding {
        let header = &rule.header;
        let mut evidence = row.evidence;
        evidence.sort_unstable();
        evidence.dedup();
        let listed = u64::try_from(evidence.len()).unwrap_or(u64::MAX);
        evidence.truncate(EVIDENCE_MAX);
        let lowered = match row.severity.as_deref() {
            Some("note") => Severity::Note,
            Some("warning") => Severity::Warning,
            _ => Severity::Error,
        };
        let mut finding = Finding {
            id: finding_id(&header.code, &row.subject, &row.anchor),
            code: header.code.clone(),
            title: header.title.clone(),
            subject: row.subject,
            anchor: row.anchor,
            period_start: row.period_start,
            period_end: row.period_end,
            severity: lowered.min(header.severity),
            class: header.class,
            effect: row.effect,
            effect_unit: row.effect_unit.filter(|_| row.effect.is_some()),
            message_en: String::new(),
            message_zh: String::new(),
            evidence,
            evidence_count: row.evidence_count.max(listed),
            innocent: header.innocent.clone(),
            basis: header.basis.clone(),
            answer: header.answer.clone(),
            expires_at: Timestamp::MAX,
            expires_days: header.expires.0,
            pack_digest: Digest(pack_digest),
            explained_by: None,
            competing: Vec::new(),
            columns: row.columns,
        };
        finding.message_en = finding.fill(&header.message_en);
        finding.message_zh = finding.fill(&header.message_zh);
        finding
    }

    /// Lets the finding live for its rule's days from when its evidence was complete.
    pub(crate) fn date(&mut self, complete_at: Timestamp) {
        self.expires_at = expiry(complete_at, self.expires_days);
    }

    /// What findings are sorted by; the rest of a finding follows from the rule and the row.
    pub(crate) fn order(&self) -> (String, String, String, String) {
        let rest = serde_json::to_string(self).unwrap_or_default();
        (self.code.clone(), self.subject.clone(), self.anchor.clone(), rest)
    }

    fn fill(&self, template: &str) -> String {
        let mut text = String::new();
        for piece in pieces(template) {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Column(name) => text.push_str(&self.column(name)),
            }
        }
        text
    }

    fn column(&self, name: &str) -> String {
        let instant = |at: Option<Timestamp>| at.map_or("?".to_owned(), |at| at.to_string());
        match name {
            "subject" => self.subject.clone(),
            "anchor" => self.anchor.clone(),
            "period_start" => instant(self.period_start),
            "period_end" => instant(self.period_end),
            "evidence_count" => self.evidence_count.to_string(),
            "severity" => self.severity.to_string(),
            "effect" => self.effect.map_or("?".to_owned(), |effect| effect.to_string()),
            "effect_unit" => self.effect_unit.clone().unwrap_or_default(),
            _ => match self.columns.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(Value::Null) | None => "?".to_owned(),
                Some(value) => value.to_string(),
            },
        }
    }
}

/// A part of a message.
pub(crate) enum Piece<'a> {
    Text(&'a str),
    Column(&'a str),
}

/// Splits `"{subject} read {lost}"` at the names in braces. An unclosed brace is text.
pub(crate) fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        pieces.push(Piece::Text(before));
        pieces.push(Piece::Column(name));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

fn expiry(from: Timestamp, days: u32) -> Timestamp {
    let ms = from.unix_ms().saturating_add(u64::from(days).saturating_mul(DAY_MS));
    Timestamp::try_from_unix_ms(ms).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::{Piece, pieces};

    #[test]
    fn a_message_splits_at_its_columns() {
        let joined: Vec<String> = pieces("{a} lost {b}{c}, {d")
            .into_iter()
            .map(|piece| match piece {
                Piece::Text(text) => format!("t:{text}"),
                Piece::Column(name) => format!("c:{name}"),
            })
            .collect();
        assert_eq!(joined, ["t:", "c:a", "t: lost ", "c:b", "t:", "c:c", "t:, {d"]);
    }
}
