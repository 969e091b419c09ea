//! `hallmark-verify explain`: how one finding came about, so that a reader can reckon it again.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use hallmark_schemas::exit::Exit;
use serde::Serialize;

use super::check::{checked, judge, refuse_stdin_twice, write_stdout};
use crate::cli::{ExplainArgs, Format};
use crate::failure::Failure;
use crate::finding::{Finding, Severity};
use crate::pack::{Parameter, Rule};
use crate::report::Report;
use crate::report::cited::{self, CitedRow};

/// Most evidence rows in the text; JSON has all that the finding names.
const ROWS_SHOWN: usize = 50;

/// Everything that a finding rests on. Field names are stable.
#[derive(Debug, Serialize)]
struct Explained<'a> {
    finding: &'a Finding,
    /// The instant that was judged for.
    as_of: Option<String>,
    pack: &'a str,
    pack_version: &'a str,
    parameters: Vec<ParameterView<'a>>,
    /// The rule's file, header and query.
    rule: &'a str,
    evidence: Vec<EvidenceView<'a>>,
}

#[derive(Debug, Serialize)]
struct ParameterView<'a> {
    name: &'a str,
    value: String,
    unit: &'a str,
    source: &'a str,
    in_force: &'a str,
}

#[derive(Debug, Serialize)]
struct EvidenceView<'a> {
    id: &'a str,
    rows: Vec<CitedRow>,
}

/// Judges the inputs again and explains the finding.
pub fn run(args: &ExplainArgs) -> Result<Exit, Failure> {
    let (finding, inputs) = args.words.split_last().expect("clap asks for at least one");
    if inputs.is_empty() && args.case.tables.is_empty() {
        return Err(Failure::usage("an input and a finding are needed")
            .help("hallmark-verify explain case.hallmark 3f9c01d2"));
    }
    refuse_stdin_twice(inputs, &args.case.tables)?;
    let judge = judge(&args.case.packs)?;
    let (report, judged) = checked(inputs, &args.case, &judge, Severity::Error)?;
    let finding = chosen(&report, &finding.to_string_lossy())?;
    let (pack, rule) = judge
        .packs()
        .iter()
        .find_map(|pack| Some((pack, pack.rule(&finding.code)?)))
        .ok_or_else(|| Failure::fault("a finding of a rule that no pack has"))?;
    let wanted: BTreeSet<&str> = finding.evidence.iter().map(String::as_str).collect();
    let mut rows = cited::rows(&judged, &wanted);
    let evidence = finding.evidence.iter();
    let explained = Explained {
        finding,
        as_of: report.as_of.map(|at| at.to_string()),
        pack: &pack.name,
        pack_version: &pack.version,
        parameters: pack.parameters_of(rule).map(ParameterView::from).collect(),
        rule: &rule.text,
        evidence: evidence
            .map(|id| EvidenceView { id, rows: rows.remove(id).unwrap_or_default() })
            .collect(),
    };
    let written = match args.format {
        Format::Json => {
            format!("{}\n", serde_json::to_string(&explained).expect("texts, numbers and lists"))
        }
        Format::Text => text(&explained, rule, &again(args, inputs, &report)),
    };
    write_stdout(written.as_bytes())?;
    Ok(Exit::Done)
}

/// The one finding whose id begins so, or the only one of that rule.
fn chosen<'a>(report: &'a Report, asked: &str) -> Result<&'a Finding, Failure> {
    let asked = asked.to_ascii_lowercase();
    let is_asked = |finding: &&Finding| {
        finding.id.to_string().starts_with(asked.as_str())
            || finding.code.eq_ignore_ascii_case(&asked)
    };
    let found: Vec<&Finding> = report.findings.iter().filter(is_asked).collect();
    match found[..] {
        [one] => Ok(one),
        [] => {
            let all = report.findings.len();
            Err(Failure::usage(format!("none of the {all} findings of these inputs is {asked}"))
                .help("`hallmark-verify check` with the same inputs and options lists them"))
        }
        [first, second, ..] => {
            let all = found.len();
            Err(Failure::usage(format!("{asked} is said of {all} findings")).help(format!(
                "give the id of one, such as {} ({}) or {} ({})",
                first.id, first.subject, second.id, second.subject
            )))
        }
    }
}

impl<'a> From<(&'a str, &'a Parameter)> for ParameterView<'a> {
    fn from((name, parameter): (&'a str, &'a Parameter)) -> ParameterView<'a> {
        ParameterView {
            name,
            value: parameter.value.to_string(),
            unit: &parameter.unit,
            source: &parameter.source,
            in_force: &parameter.in_force,
        }
    }
}

/// The command that finds it again.
fn again(args: &ExplainArgs, inputs: &[PathBuf], report: &Report) -> String {
    let mut words = vec!["hallmark-verify check".to_owned()];
    words.extend(inputs.iter().map(|path| shown(path)));
    for file in &args.case.tables {
        words.push(format!("--table {}={}", file.table.name, shown(&file.path)));
    }
    words.extend(args.case.packs.iter().map(|path| format!("--pack {}", shown(path))));
    words.extend(args.case.map.iter().map(|path| format!("--map {}", shown(path))));
    words.extend(report.as_of.map(|at| format!("--at {at}")));
    words.join(" ")
}

fn shown(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// A word that a shell would split stands in quotes.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/=:+#@".contains(&byte);
    match word.bytes().all(plain) && !word.is_empty() {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn text(explained: &Explained<'_>, rule: &Rule, again: &str) -> String {
    let finding = explained.finding;
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text.trim_end());
        out.push('\n');
    };
    let (severity, class) = (finding.severity.as_str(), finding.class.as_str());
    line(&format!("{severity} {} {} ({class})", finding.code, finding.title));
    line(&format!("  {}", finding.message_en));
    line(&format!("  {}", finding.message_zh));
    line(&format!("  finding {}", finding.id));
    line("\nValues that the rule reckoned");
    line(&format!("  {:<20} {}", "subject", finding.subject));
    line(&format!("  {:<20} {}", "anchor", finding.anchor));
    for (name, value) in &finding.columns {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        line(&format!("  {name:<20} {value}"));
    }
    line(&format!("\nParameters of pack {} {}", explained.pack, explained.pack_version));
    for one in &explained.parameters {
        let ParameterView { name, value, unit, source, in_force } = one;
        line(&format!("  {name:<20} {value} {unit} (since {in_force}; {source})"));
    }
    line(&format!("\nThe rule, {}", rule.file));
    rule.text.lines().for_each(|sql| line(&format!("  {sql}")));
    line(&format!("\nEvidence: {} rows are cited", finding.evidence_count));
    for one in explained.evidence.iter().take(ROWS_SHOWN) {
        line(&format!("  {}", one.id));
        one.rows.iter().for_each(|row| row_lines(row, &mut line));
    }
    if ROWS_SHOWN < explained.evidence.len() {
        let named = explained.evidence.len();
        line(&format!("  showing {ROWS_SHOWN} of {named}; --format json has all"));
    }
    line("\nTo rule out first");
    finding.innocent.iter().for_each(|one| line(&format!("  {one}")));
    line(&format!("\nAgain: {again}"));
    line(&format!("explained: {} about {}", finding.code, finding.subject));
    out
}

/// What a row says, then who signed it and where it stands.
fn row_lines(row: &CitedRow, line: &mut impl FnMut(&str)) {
    let mut cells = String::new();
    for (name, value) in &row.cells {
        let _fmt = write!(cells, " {name}={value}");
    }
    line(&format!("    {}:{cells}", row.table));
    match (&row.issuer, &row.log, &row.entry) {
        (Some(issuer), Some(log), Some(entry)) => {
            let recorded = row.recorded_at.as_deref().unwrap_or("at an unknown time");
            line(&format!("    signed by {issuer}, entry {entry} of {log}, recorded {recorded}"));
        }
        _ => line("    signed by nobody: a row of a plain table"),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_word_for_the_shell_stays_one_word() {
        for (word, wanted) in
            [("a.csv", "a.csv"), ("my file", "'my file'"), ("it's", "'it'\\''s'"), ("", "''")]
        {
            assert_eq!(quoted(word), wanted);
        }
    }
}
