//! The last stage: what was read, what stands, what was found, and the verdict.
//!
//! Invariants: the same evidence, rules and options give the same bytes; nothing is cut off
//! silently; the last line of text is the verdict, also when nothing was found. The JSON form is
//! described in `verifier/spec/report.schema.json`.

pub mod chart;
pub mod cited;
pub mod csv;
pub mod html;
pub mod json;
pub mod sarif;
pub mod text;

use std::collections::BTreeSet;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::time::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::evidence::{Proven, ProvenLog, Source, Unchecked};
use crate::finding::{Class, Finding, Severity};
use crate::judge::{FailedRule, Judged, PackUsed, SilentRule};
use crate::step::{self, StepState};
use crate::table::TableSet;

/// Version of the JSON form.
pub const REPORT_VERSION: u32 = 4;

/// How text is dressed.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Whether severities are coloured.
    pub color: bool,
}

/// Everything that a report says. Field names are stable.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// [`REPORT_VERSION`].
    pub v: u32,
    /// Program and version.
    pub program: &'static str,
    /// Whether the check was interrupted: rules that are not among `rules_run` were not finished.
    pub partial: bool,
    /// The instant that was judged for; `None` if nothing in the evidence has a time.
    pub as_of: Option<Timestamp>,
    /// Up to then all public records of the logs of registrars, and of those at hand of who signed the
    /// evidence, are here; a key given up later is not seen.
    pub revocations_as_of: Option<Timestamp>,
    /// What was read.
    pub sources: Vec<SourceView>,
    /// The network that trust started from.
    pub network: Option<NetworkView>,
    /// How far the check came, step by step; empty where nothing signed was given.
    pub steps: Vec<StepView>,
    /// The logs that were proved.
    pub logs: Vec<LogView>,
    /// Attestations whose place and signature were proved.
    pub attestations_proven: u64,
    /// Rows of evidence tables that were judged, proven or not.
    pub rows_judged: u64,
    /// The rule packs.
    pub packs: Vec<PackUsed>,
    /// Rules that ran.
    pub rules_run: Vec<String>,
    /// Rules that had nothing to look at, and why.
    pub rules_silent: Vec<SilentRule>,
    /// Rules that could not be finished, and why.
    pub rules_failed: Vec<FailedRule>,
    /// Findings by severity.
    pub counts: Counts,
    /// Incidents: findings that no other one explains.
    pub incidents: u64,
    /// Findings that had expired at `as_of`: not listed.
    pub findings_expired: u64,
    /// What was found.
    pub findings: Vec<Finding>,
    /// What is wrong with the evidence itself.
    pub defects: Vec<DefectView>,
    /// From what absence can be concluded.
    pub coverage: Vec<CoverageView>,
    /// What could not be checked, and what fetches it.
    pub unchecked: Vec<UncheckedView>,
    /// Remarks.
    pub notes: Vec<String>,
    /// How it ended.
    pub verdict: Verdict,
    /// Evidence is missing, though another exit code may count more.
    #[serde(skip)]
    pub is_incomplete: bool,
    /// The exit code of the command.
    #[serde(skip)]
    pub exit: Exit,
}

/// One thing that was read.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `Source`, which says what they mean")]
pub struct SourceView {
    pub name: String,
    pub what: String,
    pub sha256: Option<String>,
    pub unproven: bool,
    pub rows_read: u64,
    pub rows_used: u64,
    pub rows_refused: u64,
    pub columns_ignored: Vec<String>,
    /// Why rows were refused: the first ones.
    pub faults: Vec<FaultView>,
}

/// Why a row was refused.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `RowFault`, which says what they mean")]
pub struct FaultView {
    pub line: u64,
    pub column: String,
    pub reason: String,
    pub advice: String,
}

/// The network file that was trusted.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// SHA-256 of the file: compare it with the one you were given.
    pub sha256: String,
    /// Who founded it.
    pub registrars: Vec<String>,
}

/// One step of the check.
#[derive(Clone, Debug, Serialize)]
pub struct StepView {
    /// Its name, as in `steps` of the passport's script.
    pub name: &'static str,
    /// `ok`, `failed`, `missing`, `skipped` or `unchecked`.
    pub status: &'static str,
    /// Why, where it does not hold.
    pub reason: Option<String>,
    /// What people read of both.
    #[serde(skip)]
    pub title: String,
}

impl From<&StepState> for StepView {
    fn from(state: &StepState) -> StepView {
        let (step, standing) = (state.step, state.standing);
        StepView {
            name: step.as_str(),
            status: standing.as_str(),
            reason: state.reason.clone(),
            title: format!("{}: {}", step.title(), standing.title()),
        }
    }
}

/// One proven log.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `ProvenLog`, which says what they mean")]
pub struct LogView {
    pub origin: String,
    pub size: u64,
    pub root: String,
    pub at: Timestamp,
    pub witnessed: bool,
}

/// Findings by severity.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// Exact arithmetic or a broken proof.
    pub error: u64,
    /// Two independent sources disagree.
    pub warning: u64,
    /// Worth knowing.
    pub note: u64,
}

/// One defect.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `Defect`, which says what they mean")]
pub struct DefectView {
    pub kind: &'static str,
    pub subject: String,
    pub log: Option<String>,
    pub entry: Option<u64>,
    pub at: Option<Timestamp>,
    pub cites: Vec<String>,
    pub detail: String,
    pub help: &'static str,
    /// SHA-256 of the defect proof that shows it.
    pub proof: Option<String>,
}

/// One row of the table `coverage`.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `Coverage`, which says what they mean")]
pub struct CoverageView {
    pub log: String,
    pub issuer: Option<String>,
    pub kind: Option<&'static str>,
    pub from_entry: u64,
    pub to_entry: u64,
    pub bodies_held: u64,
    pub bodies_missing: u64,
}

/// Something that could not be checked.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields are those of `Unchecked`, which says what they mean")]
pub struct UncheckedView {
    pub what: &'static str,
    pub log: Option<String>,
    pub count: u64,
    pub detail: String,
    pub command: String,
}

impl From<&Unchecked> for UncheckedView {
    fn from(one: &Unchecked) -> UncheckedView {
        let Unchecked { what, log, count, detail, command } = one.clone();
        UncheckedView { what: what.as_str(), log, count, detail, command }
    }
}

/// How it ended.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// The exit code.
    pub exit: u8,
    /// `clean`, `found`, `malformed`, `broken`, `incomplete` or `fault`.
    pub word: &'static str,
    /// The last line of the text.
    pub sentence: String,
}

impl Report {
    /// Puts together what the stages before have brought.
    pub fn new(
        sources: Vec<Source>,
        proven: &Proven,
        tables: &TableSet,
        judged: Judged,
        as_of: Timestamp,
        fail_on: Severity,
    ) -> Report {
        let counts = count(&judged.findings);
        let incidents = judged.findings.iter().filter(|one| one.explained_by.is_none()).count();
        let exit = exit_of(&sources, proven, &judged, fail_on);
        let rows = tables.iter().filter(|(name, _)| is_evidence(name));
        let rows_judged = rows.map(|(name, _)| tables.rows(name) as u64).sum();
        let mut report = Report {
            v: REPORT_VERSION,
            program: concat!("hallmark-verify ", env!("CARGO_PKG_VERSION")),
            partial: judged.is_partial,
            as_of: Some(as_of).filter(|at| *at != Timestamp::EPOCH),
            revocations_as_of: step::revocations_as_of(proven),
            sources: sources.into_iter().map(SourceView::from).collect(),
            network: network(proven),
            steps: step::states(proven).iter().map(StepView::from).collect(),
            logs: proven.logs.iter().map(LogView::from).collect(),
            attestations_proven: proven.attestations.len() as u64,
            rows_judged,
            packs: judged.packs,
            rules_run: judged.rules_run,
            rules_silent: judged.silent,
            rules_failed: judged.failed,
            counts,
            incidents: incidents as u64,
            findings_expired: judged.expired as u64,
            findings: judged.findings,
            defects: defects(proven),
            coverage: coverage(proven),
            unchecked: proven.unchecked.iter().map(UncheckedView::from).collect(),
            notes: proven.notes.clone(),
            verdict: Verdict { exit: exit.code(), word: word(exit), sentence: String::new() },
            is_incomplete: proven.exit() == Exit::Incomplete,
            exit,
        };
        report.verdict.sentence = text::verdict(&report);
        report
    }
}

fn is_evidence(name: &str) -> bool {
    !name.ends_with("_all") && !matches!(name, "defects" | "coverage")
}

fn count(findings: &[Finding]) -> Counts {
    let of = |severity| findings.iter().filter(|one| one.severity == severity).count() as u64;
    Counts { error: of(Severity::Error), warning: of(Severity::Warning), note: of(Severity::Note) }
}

fn exit_of(sources: &[Source], proven: &Proven, judged: &Judged, fail_on: Severity) -> Exit {
    let told = told(proven);
    let mut counted = judged.findings.iter().filter(|finding| !restates(finding, &told));
    let found = counted.any(|finding| fail_on <= finding.severity);
    let refused = sources.iter().any(|source| 0 < source.rows_refused);
    let when = |holds: bool, exit: Exit| if holds { exit } else { Exit::Done };
    proven
        .exit()
        .or(when(judged.is_partial, Exit::Incomplete))
        .or(when(found, Exit::Found))
        .or(when(refused, Exit::Input))
        .or(when(!judged.failed.is_empty(), Exit::Fault))
}

/// Subject and kind of each defect that has an exit code of its own.
fn told(proven: &Proven) -> BTreeSet<(&str, &'static str)> {
    let own = proven.defects.iter().filter(|defect| defect.exit() != Exit::Done);
    own.map(|defect| (defect.subject.as_str(), defect.kind.as_str())).collect()
}

/// A rule over the table `defects` names again what is wrong with the input: that counts once, as
/// the defect, so that what is only missing stays *incomplete*.
fn restates(finding: &Finding, told: &BTreeSet<(&str, &'static str)>) -> bool {
    let kind = finding.columns.get("kind").and_then(Value::as_str);
    finding.class == Class::Defect
        && kind.is_some_and(|kind| told.contains(&(finding.subject.as_str(), kind)))
}

const fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Done => "clean",
        Exit::Found => "found",
        Exit::Input => "malformed",
        Exit::Broken => "broken",
        Exit::Incomplete => "incomplete",
        Exit::Usage | Exit::Busy | Exit::Fault => "fault",
    }
}

fn network(proven: &Proven) -> Option<NetworkView> {
    let network = proven.network.as_ref()?;
    Some(NetworkView {
        name: network.name.clone(),
        version: network.version,
        sha256: proven.network_digest.clone()?,
        registrars: network.registrars.iter().map(|one| one.org.to_string()).collect(),
    })
}

fn defects(proven: &Proven) -> Vec<DefectView> {
    let view = |defect: &crate::evidence::Defect| DefectView {
        kind: defect.kind.as_str(),
        subject: defect.subject.clone(),
        log: defect.log.clone(),
        entry: defect.entry,
        at: defect.at,
        cites: defect.cites.iter().map(ToString::to_string).collect(),
        detail: defect.detail.clone(),
        help: defect.help(),
        proof: defect.proof.map(|proof| proof.to_string()),
    };
    proven.defects.iter().map(view).collect()
}

fn coverage(proven: &Proven) -> Vec<CoverageView> {
    let view = |row: &crate::evidence::Coverage| CoverageView {
        log: row.log.clone(),
        issuer: row.issuer.clone(),
        kind: row.kind.map(|kind| kind.as_str()),
        from_entry: row.from_entry,
        to_entry: row.to_entry,
        bodies_held: row.bodies_held,
        bodies_missing: row.bodies_missing,
    };
    proven.coverage.iter().map(view).collect()
}

impl From<Source> for SourceView {
    fn from(source: Source) -> SourceView {
        let fault = |fault: crate::evidence::RowFault| FaultView {
            line: fault.line,
            column: fault.column,
            reason: fault.reason,
            advice: fault.advice,
        };
        SourceView {
            name: source.name,
            what: source.what,
            sha256: source.digest,
            unproven: source.unproven,
            rows_read: source.rows_read,
            rows_used: source.rows_used,
            rows_refused: source.rows_refused,
            columns_ignored: source.columns_ignored,
            faults: source.faults.into_iter().map(fault).collect(),
        }
    }
}

impl From<&ProvenLog> for LogView {
    fn from(log: &ProvenLog) -> LogView {
        let ProvenLog { origin, size, root, at, witnessed, .. } = log.clone();
        LogView { origin, size, root, at, witnessed }
    }
}
