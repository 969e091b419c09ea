//! The report as one JSON object.

use super::Report;

/// Writes the report: two spaces of indent, a newline at the end.
pub fn write(report: &Report) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("texts, numbers, lists and maps");
    text.push('\n');
    text
}
