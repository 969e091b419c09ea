//! `emissions`: what a facility reports for a period, line by line.
//!
//! Invariants: (facility, report, version) is used once; amounts are integers with a power of ten;
//! a period is not empty. Whether the lines add up to the meters is a rule's question.

use super::check::{self, FieldError};
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most lines of one report.
pub const LINES_MAX: usize = 2048;

/// Where an amount comes from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LineState {
    /// Measured or calculated from measurements.
    Measured,
    /// A default value.
    Default,
    /// Put in for a measurement that is missing.
    Substituted,
}

impl LineState {
    /// Its text in JSON and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            LineState::Measured => "measured",
            LineState::Default => "default",
            LineState::Substituted => "substituted",
        }
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Emissions {
    /// Name of the report, such as `2025-annual`.
    pub report: String,
    /// Rises with each version of the report.
    pub version: u32,
    /// Begin of the reported period.
    pub period_start: Timestamp,
    /// Its end, exclusive.
    pub period_end: Timestamp,
    /// The lines.
    pub lines: Vec<Line>,
    /// The evidence it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cites: Vec<ContentId>,
    /// The version that this one corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why it corrects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One amount of a report.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The emission unit, where the line is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_id: Option<String>,
    /// The source stream, such as `electricity` or `coal`.
    pub source_stream: String,
    /// What the amount is, such as `activity`, `ncv` or `emissions`.
    pub parameter: String,
    /// The value, times ten to the power of `scale_e10`.
    pub amount: i64,
    /// Power of ten of `amount`; absent means 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_e10: Option<i8>,
    /// Unit of the value.
    pub unit: String,
    /// How it was determined.
    pub method: String,
    /// Where it comes from.
    pub state: LineState,
    /// Rank of the source in the monitoring plan, 1 first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<u8>,
    /// Tier of the method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// As received, air dried, dry …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// Why the value is not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Table `emission_lines`.
pub static EMISSION_LINES: Table = Table {
    name: "emission_lines",
    columns: &[
        Column::text("report", "Name of the report").required(),
        Column::integer("version", "Version of the report"),
        Column::text("facility", "The facility reported on").required(),
        Column::text("unit_id", "The emission unit"),
        Column::instant("period_start", "Begin of the reported period").required(),
        Column::instant("period_end", "Its end, exclusive").required(),
        Column::text("source_stream", "The source stream").required(),
        Column::text("parameter", "What the amount is").required(),
        Column::integer("amount", "The value, times ten to the power of `scale_e10`").required(),
        Column::integer("scale_e10", "Power of ten of `amount`; null means 0"),
        Column::text("unit", "Unit of the value").required(),
        Column::text("method", "How it was determined"),
        Column::text("state", "`measured`, `default` or `substituted`"),
        Column::integer("rank", "Rank of the source in the monitoring plan"),
        Column::text("tier", "Tier of the method"),
        Column::text("basis", "As received, air dried, dry …"),
        Column::text("reason", "Why the value is not measured"),
    ],
    bucket: Bucket::Facility("facility"),
    meaning: "One amount of an emissions report",
};

impl Kind for Emissions {
    const NAME: KindName = KindName::Emissions;
    const TABLES: &'static [&'static Table] = &[&EMISSION_LINES];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/report", &self.report, check::CODE_BYTES_MAX)?;
        let order = self.period_start < self.period_end;
        check::consistent("/period_end", order, "is not after the begin of the period")?;
        check::count("/lines", self.lines.len(), 1..=LINES_MAX)?;
        for (index, line) in self.lines.iter().enumerate() {
            line.check().map_err(|error| error.under(&format!("/lines/{index}")))?;
        }
        check::cites(&self.cites)?;
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let own =
            matches!(&claims.sub, Subject::Facility(facility) if facility.org() == claims.iss);
        check::form("/sub", own, "a facility of the issuer")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        let parts = (&claims.sub, &self.report, self.version);
        NaturalIdentity::of(Self::NAME, &claims.iss, &parts)
    }

    fn cites(&self) -> &[ContentId] {
        &self.cites
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        for line in &self.lines {
            rows.push(&EMISSION_LINES, context, self.cells(line, context));
        }
    }
}

impl Emissions {
    fn cells(&self, line: &Line, context: &RowContext<'_>) -> Vec<Cell> {
        vec![
            Cell::text(&self.report),
            Cell::integer(self.version),
            Cell::text(&context.claims.sub),
            Cell::optional(line.unit_id.as_ref(), Cell::text),
            Cell::Instant(self.period_start),
            Cell::Instant(self.period_end),
            Cell::text(&line.source_stream),
            Cell::text(&line.parameter),
            Cell::Integer(line.amount),
            Cell::optional(line.scale_e10, Cell::integer),
            Cell::text(&line.unit),
            Cell::text(&line.method),
            Cell::text(line.state.as_str()),
            Cell::optional(line.rank, Cell::integer),
            Cell::optional(line.tier.as_ref(), Cell::text),
            Cell::optional(line.basis.as_ref(), Cell::text),
            Cell::optional(line.reason.as_ref(), Cell::text),
        ]
    }
}

impl Line {
    fn check(&self) -> Result<(), FieldError> {
        let code = check::CODE_BYTES_MAX;
        check::optional("/unit_id", self.unit_id.as_deref(), code)?;
        check::text("/source_stream", &self.source_stream, code)?;
        check::text("/parameter", &self.parameter, code)?;
        check::range("/scale_e10", self.scale_e10.unwrap_or(0), -18..=18)?;
        check::text("/unit", &self.unit, code)?;
        check::text("/method", &self.method, check::NAME_BYTES_MAX)?;
        check::optional("/tier", self.tier.as_deref(), code)?;
        check::optional("/basis", self.basis.as_deref(), code)?;
        check::optional("/reason", self.reason.as_deref(), check::SENTENCE_BYTES_MAX)
    }
}
