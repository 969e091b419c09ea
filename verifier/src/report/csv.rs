//! The findings as CSV, one row each: for people with a spreadsheet, or plain for programs.
//!
//! Invariants: for people the file begins with a byte order mark, without which spreadsheets take
//! UTF-8 for something else, and no cell can begin a formula; a plain file holds the values as they
//! are.

use hallmark_schemas::time::Timestamp;

use super::Report;
use crate::finding::Finding;

/// The columns, in order.
const COLUMNS: &[&str] = &[
    "severity",
    "code",
    "title",
    "class",
    "subject",
    "period_start",
    "period_end",
    "effect",
    "effect_unit",
    "message_en",
    "message_zh",
    "evidence_count",
    "evidence",
    "innocent",
    "basis",
    "answer",
    "expires_at",
    "id",
    "pack_digest",
    "explained_by",
];

/// What separates the texts of a list in one cell, as in tables that are read.
const LIST_SEPARATOR: &str = "|";

/// Writes the findings; `plain` without byte order mark and without guarding against formulas.
pub fn write(report: &Report, plain: bool) -> String {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(vec![]);
    writer.write_record(COLUMNS).expect("memory takes all");
    for finding in &report.findings {
        let cells = cells(finding);
        let guarded = cells.iter().map(|cell| if plain { cell.clone() } else { guard(cell) });
        writer.write_record(guarded).expect("memory takes all, and every row is as long");
    }
    let bytes = writer.into_inner().expect("memory takes all");
    let rows = String::from_utf8(bytes).expect("texts and separators");
    if plain { rows } else { format!("\u{feff}{rows}") }
}

fn cells(finding: &Finding) -> Vec<String> {
    let instant = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    vec![
        finding.severity.to_string(),
        finding.code.clone(),
        finding.title.clone(),
        finding.class.to_string(),
        finding.subject.clone(),
        instant(finding.period_start),
        instant(finding.period_end),
        finding.effect.map(|effect| effect.to_string()).unwrap_or_default(),
        finding.effect_unit.clone().unwrap_or_default(),
        finding.message_en.clone(),
        finding.message_zh.clone(),
        finding.evidence_count.to_string(),
        finding.evidence.join(LIST_SEPARATOR),
        finding.innocent.join(LIST_SEPARATOR),
        finding.basis.join(LIST_SEPARATOR),
        finding.answer.clone(),
        instant(Some(finding.expires_at).filter(|at| *at != Timestamp::MAX)),
        finding.id.to_string(),
        finding.pack_digest.to_string(),
        finding.explained_by.map(|id| id.to_string()).unwrap_or_default(),
    ]
}

/// A cell that a spreadsheet would reckon (OWASP, CSV injection) gets an apostrophe before it; a
/// number stays one.
fn guard(cell: &str) -> String {
    let risky = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let number = cell.parse::<i64>().is_ok();
    if risky && !number { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::guard;

    #[test]
    fn no_cell_begins_a_formula_and_numbers_stay_numbers() {
        for (cell, wanted) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("-2+3", "'-2+3"),
            ("\t=1", "'\t=1"),
            ("＝1", "'＝1"),
            ("-42", "-42"),
            ("plain = text", "plain = text"),
            ("", ""),
        ] {
            assert_eq!(guard(cell), wanted);
        }
    }
}
