//! The report for people: findings first, the verdict last.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::kind::value::Digest;
use hallmark_schemas::time::Timestamp;

use super::{Counts, Report, SourceView, Style};
use crate::evidence::UncheckedWhat;
use crate::finding::{Finding, Severity};

/// Most evidence ids printed for one finding; the line says how many there are.
const EVIDENCE_SHOWN: usize = 6;
/// Most lines of one list; the line after says how many there are.
const LINES_SHOWN: usize = 20;
/// In the place of an instant.
const UNTIMED: &str = "unknown: nothing here has a time that counts";
/// In the place of the instant up to which revocations are known.
const UNTOLD: &str =
    "unknown: the log of a registrar, or the beginning of another one, is not at hand";
/// Where the text of a labelled line begins.
const LABEL: usize = 12;

/// A finding and all that it explains.
fn incident<'a>(report: &'a Report, root: &'a Finding) -> impl Iterator<Item = &'a Finding> {
    let of = |one: &&Finding| one.explained_by == Some(root.id);
    [root].into_iter().chain(report.findings.iter().filter(of))
}

/// The gravest severity of an incident.
fn gravest(report: &Report, root: &Finding) -> Severity {
    incident(report, root).map(|one| one.severity).max().unwrap_or(root.severity)
}

/// Writes the report as text.
pub fn write(report: &Report, style: Style) -> String {
    let mut out = Out { text: String::new(), style };
    out.findings(report);
    out.defects(report);
    out.rules(report);
    out.steps(report);
    out.proved(report);
    out.unchecked(report);
    out.inputs(report);
    out.remarks(report);
    out.line("");
    out.line(&report.verdict.sentence);
    out.text
}

struct Out {
    text: String,
    style: Style,
}

impl Out {
    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn labelled(&mut self, label: &str, text: &str) {
        self.line(&format!("  {label:<width$}{text}", width = LABEL - 2));
    }

    fn list<T>(&mut self, label: &str, items: &[T], shown: usize, text: impl Fn(&T) -> String) {
        for (index, item) in items.iter().take(shown).enumerate() {
            self.labelled(if index == 0 { label } else { "" }, &text(item));
        }
        if shown < items.len() {
            let more = format!("showing {shown} of {}; --report json has all", items.len());
            self.labelled("", &more);
        }
    }

    fn findings(&mut self, report: &Report) {
        let of = match report.incidents {
            _ if report.findings.iter().all(|finding| finding.explained_by.is_none()) => {
                String::new()
            }
            incidents => format!(", incidents: {incidents}"),
        };
        self.line(&format!("Findings: {}{of}", counts(report.counts)));
        let severities = [Severity::Error, Severity::Warning, Severity::Note];
        for severity in severities {
            let roots = report.findings.iter().filter(|one| one.explained_by.is_none());
            for finding in roots.filter(|one| gravest(report, one) == severity) {
                self.line("");
                self.finding(finding);
                self.explained(report, finding);
            }
        }
        if 0 < report.findings_expired {
            self.line("");
            let expired = report.findings_expired;
            self.line(&format!("not listed, as they had expired by then: {expired}"));
        }
    }

    fn finding(&mut self, finding: &Finding) {
        let severity = self.painted(finding.severity);
        let class = finding.class.as_str();
        self.line(&format!("{severity} {} {} ({class})", finding.code, finding.title));
        self.labelled("", &finding.message_en);
        self.labelled("", &finding.message_zh);
        self.labelled("subject", &finding.subject);
        match (finding.period_start, finding.period_end) {
            (Some(start), Some(end)) => self.labelled("period", &format!("{start} to {end}")),
            (Some(at), None) | (None, Some(at)) => self.labelled("at", &at.to_string()),
            (None, None) => {}
        }
        if let Some(effect) = finding.effect {
            let unit = finding.effect_unit.as_deref().unwrap_or_default();
            self.labelled("effect", &format!("{effect:+} {unit}"));
        }
        self.list("evidence", &finding.evidence, EVIDENCE_SHOWN, Clone::clone);
        let listed = finding.evidence.len() as u64;
        if listed < finding.evidence_count {
            let count = finding.evidence_count;
            self.labelled("", &format!("{count} in all, of which the first {listed} are named"));
        }
        self.list("rule out", &finding.innocent, LINES_SHOWN, Clone::clone);
        self.labelled("basis", &finding.basis.join("; "));
        self.labelled("answer", &finding.answer);
        let expires = match finding.expires_at {
            Timestamp::MAX => UNTIMED.to_owned(),
            at => at.to_string(),
        };
        self.labelled("expires", &expires);
        self.labelled("finding", &finding.id.to_string());
    }

    /// What a finding explains, in one line each, and what else would explain that.
    fn explained(&mut self, report: &Report, root: &Finding) {
        let part: Vec<&Finding> = incident(report, root).skip(1).collect();
        self.list("explains", &part, LINES_SHOWN, |finding| {
            let Finding { severity, code, message_en, id, .. } = finding;
            format!("{severity} {code} {message_en} ({id})")
        });
        let ids: BTreeSet<Digest> = part.iter().flat_map(|one| &one.competing).copied().collect();
        let others: Vec<&Finding> =
            report.findings.iter().filter(|one| ids.contains(&one.id)).collect();
        self.list("or else", &others, LINES_SHOWN, |finding| {
            format!("{} {} ({})", finding.code, finding.title, finding.id)
        });
    }

    /// Red, yellow or blue on a terminal, so that no reader depends on the colour alone.
    fn painted(&self, severity: Severity) -> String {
        let code = match severity {
            Severity::Error => 31,
            Severity::Warning => 33,
            Severity::Note => 34,
        };
        match self.style.color {
            true => format!("\u{1b}[1;{code}m{}\u{1b}[0m", severity.as_str()),
            false => severity.as_str().to_owned(),
        }
    }

    fn defects(&mut self, report: &Report) {
        if report.defects.is_empty() {
            return;
        }
        self.line("");
        self.line(&format!("Defects of the evidence itself: {}", report.defects.len()));
        for defect in report.defects.iter().take(LINES_SHOWN) {
            let place = match (&defect.log, defect.entry) {
                (Some(log), Some(entry)) => format!("{log}, entry {entry}: "),
                (Some(log), None) => format!("{log}: "),
                (None, _) => String::new(),
            };
            self.line(&format!("  {} {place}{}", defect.kind, defect.detail));
            defect.cites.iter().take(2).for_each(|id| self.line(&format!("    {id}")));
            self.line(&format!("    help: {}", defect.help));
        }
        if LINES_SHOWN < report.defects.len() {
            let all = report.defects.len();
            self.line(&format!("  showing {LINES_SHOWN} of {all}; --report json has all"));
        }
    }

    fn rules(&mut self, report: &Report) {
        self.line("");
        self.line("Rules");
        for pack in &report.packs {
            self.labelled(
                "pack",
                &format!("{} {}, sha256 {}", pack.name, pack.version, pack.digest),
            );
        }
        self.labelled("ran", &none_or(&report.rules_run));
        self.list("silent", &report.rules_silent, usize::MAX, |rule| {
            format!("{}: {}", rule.code, rule.reason)
        });
        self.list("failed", &report.rules_failed, usize::MAX, |rule| {
            format!("{}: {}", rule.code, rule.reason)
        });
    }

    /// The same words as on the page of a passport, so that two people can compare them.
    fn steps(&mut self, report: &Report) {
        if report.steps.is_empty() {
            return;
        }
        self.line("");
        self.line("Checked");
        for step in &report.steps {
            let why = step.reason.as_ref().map_or(String::new(), |why| format!(": {why}"));
            self.line(&format!("  {}{why}", step.title));
        }
    }

    fn proved(&mut self, report: &Report) {
        self.line("");
        self.line("Proved");
        match &report.network {
            Some(network) => {
                let of = format!(
                    "{}, version {}, sha256 {}",
                    network.name, network.version, network.sha256
                );
                self.labelled("network", &of);
            }
            None => self.labelled("network", "none: nothing here is traced to a signature"),
        }
        self.list("log", &report.logs, LINES_SHOWN, |log| {
            let by = if log.witnessed { "witnessed" } else { "by its own word" };
            format!("{} at size {}, {} ({by})", log.origin, log.size, log.at)
        });
        self.labelled("proven", &format!("{} attestations", report.attestations_proven));
        let missing: Vec<_> = report
            .coverage
            .iter()
            .filter(|row| row.issuer.is_none() && 0 < row.bodies_missing)
            .collect();
        self.list("not held", &missing, LINES_SHOWN, |row| {
            format!(
                "{}: {} bodies; absence of anything there proves nothing",
                row.log, row.bodies_missing
            )
        });
        let as_of = report.as_of.map_or(UNTIMED.to_owned(), |at| at.to_string());
        self.labelled("as of", &as_of);
        let revocations = match report.revocations_as_of {
            Some(at) => at.to_string(),
            None => UNTOLD.to_owned(),
        };
        self.line(&format!("  revocations as of {revocations}"));
        let unseen = report.unchecked.iter().filter(|one| one.what == UncheckedWhat::Log.as_str());
        let unseen: Vec<_> = unseen.collect();
        if report.revocations_as_of.is_some() {
            self.list("but not", &unseen, LINES_SHOWN, |one| one.detail.clone());
        }
    }

    fn unchecked(&mut self, report: &Report) {
        if report.unchecked.is_empty() {
            return;
        }
        self.line("");
        self.line("Not checked");
        for one in report.unchecked.iter().take(LINES_SHOWN) {
            self.labelled(one.what, &one.detail);
            self.labelled("", &format!("fetch: {}", one.command));
        }
        if LINES_SHOWN < report.unchecked.len() {
            let all = report.unchecked.len();
            self.line(&format!("  showing {LINES_SHOWN} of {all}; --report json has all"));
        }
    }

    fn inputs(&mut self, report: &Report) {
        self.line("");
        self.line("Read");
        for source in &report.sources {
            self.source(source);
        }
    }

    fn source(&mut self, source: &SourceView) {
        let unproven = if source.unproven { ", unproven" } else { "" };
        self.line(&format!("  {} ({}{unproven})", source.name, source.what));
        if !source.unproven {
            return;
        }
        self.line(&format!(
            "    {} rows read, {} used, {} refused",
            source.rows_read, source.rows_used, source.rows_refused
        ));
        if !source.columns_ignored.is_empty() {
            self.line(&format!("    columns ignored: {}", source.columns_ignored.join(", ")));
        }
        for fault in source.faults.iter().take(LINES_SHOWN) {
            self.line(&format!(
                "    line {}, column {}: {}; {}",
                fault.line, fault.column, fault.reason, fault.advice
            ));
        }
        let shown = source.faults.len().min(LINES_SHOWN) as u64;
        if shown < source.rows_refused {
            self.line(&format!("    showing {shown} of {} refused rows", source.rows_refused));
        }
    }

    fn remarks(&mut self, report: &Report) {
        if !report.notes.is_empty() {
            self.line("");
            self.line("Remarks");
            report.notes.iter().for_each(|note| self.line(&format!("  {note}")));
        }
    }
}

fn none_or(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn one(number: u64, word: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {word}{plural}")
}

fn counts(counts: Counts) -> String {
    let Counts { error, warning, note } = counts;
    format!("{}, {}, {}", one(error, "error"), one(warning, "warning"), one(note, "note"))
}

/// The last line: one sentence, also when nothing was found.
pub(super) fn verdict(report: &Report) -> String {
    let mut text = String::new();
    if report.partial {
        text.push_str("partial, the check was interrupted: ");
    }
    let looked = format!(
        "{} rules over {} rows of evidence, {} attestations proven",
        report.rules_run.len(),
        report.rows_judged,
        report.attestations_proven
    );
    let found = counts(report.counts);
    let defects = one(report.defects.len() as u64, "defect");
    let _fmt = match report.exit {
        Exit::Done if report.findings.is_empty() => write!(text, "nothing found: {looked}"),
        Exit::Done => write!(text, "nothing at or over the asked severity ({found}): {looked}"),
        Exit::Found if report.is_incomplete => write!(
            text,
            "found: {found}; incomplete too: evidence is missing, cannot say more; {looked}"
        ),
        Exit::Found => write!(text, "found: {found}; {looked}"),
        Exit::Input => {
            let refused: u64 = report.sources.iter().map(|source| source.rows_refused).sum();
            write!(text, "malformed: {refused} rows were refused ({found}); {looked}")
        }
        Exit::Broken => {
            write!(text, "broken: proofs of the input do not hold, {defects} ({found}); {looked}")
        }
        Exit::Incomplete if report.partial => write!(text, "found so far: {found}; {looked}"),
        Exit::Incomplete => {
            write!(text, "incomplete: evidence is missing, cannot say more ({found}); {looked}")
        }
        Exit::Usage | Exit::Busy | Exit::Fault => {
            write!(
                text,
                "failed: {} rules could not be finished ({found}); {looked}",
                report.rules_failed.len()
            )
        }
    };
    text
}
