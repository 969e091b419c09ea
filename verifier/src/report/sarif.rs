//! The report as SARIF 2.1.0 (OASIS), for tools that collect findings of many programs.
//!
//! One run; a finding is a result whose place is a logical location, its subject. The fingerprint is
//! the finding's id, which comes from rule, subject and anchor and never from a row number, so that
//! a rerun matches. What is wrong with the evidence itself, and rules that could not be finished, are
//! notifications of the invocation.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{DefectView, Report, SourceView};
use crate::finding::{Finding, Severity};
use crate::pack::{Pack, Rule};

/// Where the schema of this form is published.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Names the fingerprint; another way to make ids gets another name.
const FINGERPRINT: &str = "hallmarkFinding/v1";

/// Writes the report: two spaces of indent, a newline at the end.
pub fn write(report: &Report, packs: &[Pack]) -> String {
    let rules: Vec<&Rule> = packs.iter().flat_map(|pack| &pack.rules).collect();
    let places: BTreeMap<&str, usize> =
        rules.iter().enumerate().map(|(place, rule)| (rule.header.code.as_str(), place)).collect();
    let results: Vec<Value> =
        report.findings.iter().map(|finding| result(finding, &places)).collect();
    let mut run = json!({
        "tool": { "driver": {
            "name": "hallmark-verify",
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
        }},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation(report)],
        "artifacts": report.sources.iter().map(artifact).collect::<Vec<_>>(),
        "results": results,
        "properties": {
            "verdict": report.verdict.sentence,
            "attestationsProven": report.attestations_proven,
            "rowsJudged": report.rows_judged,
            "packs": report.packs,
            "rulesSilent": report.rules_silent,
            "findingsExpired": report.findings_expired,
        },
    });
    if let Some(at) = report.as_of {
        run["properties"]["asOf"] = at.to_string().into();
    }
    let log = json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] });
    let mut text = serde_json::to_string_pretty(&log).expect("texts, numbers, lists and maps");
    text.push('\n');
    text
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

fn descriptor(rule: &Rule) -> Value {
    let header = &rule.header;
    json!({
        "id": header.code,
        "shortDescription": { "text": header.title },
        "fullDescription": { "text": format!("{}. Rule out first: {}.", header.title, header.innocent.join("; ")) },
        "help": { "text": header.answer },
        "defaultConfiguration": { "level": level(header.severity) },
        "properties": { "class": header.class.as_str(), "basis": header.basis, "sql": rule.text },
    })
}

fn result(finding: &Finding, places: &BTreeMap<&str, usize>) -> Value {
    let mut properties = Map::new();
    let mut put = |name: &str, value: Value| properties.insert(name.to_owned(), value);
    put("title", finding.title.as_str().into());
    put("class", finding.class.as_str().into());
    put("anchor", finding.anchor.as_str().into());
    put("messageZh", finding.message_zh.as_str().into());
    for (name, at) in [("periodStart", finding.period_start), ("periodEnd", finding.period_end)] {
        if let Some(at) = at {
            put(name, at.to_string().into());
        }
    }
    if let Some(root) = finding.explained_by {
        put("explainedBy", root.to_string().into());
    }
    if let Some(effect) = finding.effect {
        put("effect", effect.into());
        put("effectUnit", finding.effect_unit.clone().unwrap_or_default().into());
    }
    put("evidence", finding.evidence.clone().into());
    put("evidenceCount", finding.evidence_count.into());
    put("innocent", finding.innocent.clone().into());
    put("answer", finding.answer.as_str().into());
    put("packDigest", finding.pack_digest.to_string().into());
    let mut result = json!({
        "ruleId": finding.code,
        "level": level(finding.severity),
        "message": { "text": finding.message_en },
        "locations": [{ "logicalLocations": [{ "fullyQualifiedName": finding.subject }] }],
        "partialFingerprints": { FINGERPRINT: finding.id.to_string() },
        "properties": properties,
    });
    if let Some(place) = places.get(finding.code.as_str()) {
        result["ruleIndex"] = (*place).into();
    }
    result
}

fn invocation(report: &Report) -> Value {
    let failed = report.rules_failed.iter().map(|rule| {
        json!({
            "descriptor": { "id": "rule-failed" },
            "associatedRule": { "id": rule.code },
            "level": "error",
            "message": { "text": rule.reason },
        })
    });
    let defects = report.defects.iter().map(notification);
    let unchecked = report.unchecked.iter().map(|one| {
        json!({
            "descriptor": { "id": format!("unchecked/{}", one.what) },
            "level": "note",
            "message": { "text": format!("{}; fetch: {}", one.detail, one.command) },
        })
    });
    json!({
        "executionSuccessful": report.rules_failed.is_empty(),
        "exitCode": report.verdict.exit,
        "exitCodeDescription": report.verdict.word,
        "toolExecutionNotifications": defects.chain(failed).chain(unchecked).collect::<Vec<_>>(),
    })
}

fn notification(defect: &DefectView) -> Value {
    let place = match (&defect.log, defect.entry) {
        (Some(log), Some(entry)) => format!("{log}, entry {entry}: "),
        (Some(log), None) => format!("{log}: "),
        (None, _) => String::new(),
    };
    json!({
        "descriptor": { "id": format!("defect/{}", defect.kind) },
        "level": "error",
        "message": { "text": format!("{place}{}; {}", defect.detail, defect.help) },
        "locations": [{ "logicalLocations": [{ "fullyQualifiedName": defect.subject }] }],
        "properties": { "cites": defect.cites },
    })
}

fn artifact(source: &SourceView) -> Value {
    let mut one = json!({
        "location": { "description": { "text": source.name } },
        "description": { "text": source.what },
        "properties": {
            "unproven": source.unproven, "rowsRead": source.rows_read,
            "rowsUsed": source.rows_used, "rowsRefused": source.rows_refused,
        },
    });
    if let Some(sha256) = &source.sha256 {
        one["hashes"] = json!({ "sha-256": sha256 });
    }
    one
}
