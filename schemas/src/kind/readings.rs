//! `readings`: one batch of samples from one device, signed on it.
//!
//! Invariants: the subject is the device whose key signs; (device, sequence) is used once; every
//! batch but the first names the one before it, so that removal and reordering show. Instants are
//! the device's word: a clock set back is recorded, not refused.

use super::check::{self, FieldError};
use super::value::Digest;
use super::{Kind, KindName, SignerRule};
use crate::attestation::{Claims, ContentId};
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::quantity::Quantity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most samples of one batch: 4,096 * 128 bytes is half of the largest attestation.
pub const SAMPLES_MAX: usize = 4096;
/// Longest interval of one sample: 366 days.
pub const INTERVAL_S_MAX: i64 = 366 * 86_400;

/// What a device knows about its own clock.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockQuality {
    /// Set by a time server within its limit.
    Synchronised,
    /// Was set, and runs on.
    Holdover,
    /// Was never set since the device started.
    Unsynchronised,
}

impl ClockQuality {
    /// Its text in JSON and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            ClockQuality::Synchronised => "synchronised",
            ClockQuality::Holdover => "holdover",
            ClockQuality::Unsynchronised => "unsynchronised",
        }
    }
}

/// How samples sum up their interval.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// Total over the interval; the default.
    Sum,
    /// Mean over the interval.
    Mean,
    /// Value at its end.
    Instant,
    /// Smallest.
    Min,
    /// Largest.
    Max,
}

impl Statistic {
    /// Its text in JSON and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Statistic::Sum => "sum",
            Statistic::Mean => "mean",
            Statistic::Instant => "instant",
            Statistic::Min => "min",
            Statistic::Max => "max",
        }
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Readings {
    /// How often the device has started.
    pub boot: u64,
    /// Number of the batch, rising by one; never starts again.
    pub sequence: u64,
    /// Content id of the batch before; absent in the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<ContentId>,
    /// What is measured, such as `electricity`.
    pub quantity: Quantity,
    /// Its base unit.
    pub unit: String,
    /// Power of ten of the amounts; absent means 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_e10: Option<i8>,
    /// Absent means `sum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistic: Option<Statistic>,
    /// Seconds that each sample covers; 0 for instants.
    pub interval_s: u32,
    /// What the device knew about its clock.
    pub clock_quality: ClockQuality,
    /// Smallest step that the instrument shows, in units of `amount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<u64>,
    /// Digest of the device's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_hash: Option<Digest>,
    /// The samples, as taken.
    pub samples: Vec<Sample>,
}

/// One measured value.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// End of its interval, by the device's clock.
    pub read_at: Timestamp,
    /// The value, in the batch's unit and scale.
    pub amount: i64,
    /// Standing of the cumulative register at `read_at`, in the same unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub register: Option<i64>,
    /// The instrument's quality flag, as it gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<String>,
    /// The value before conversion to the base unit, as the instrument gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_amount: Option<String>,
    /// The unit of `source_amount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_unit: Option<String>,
}

/// Table `meter_readings`.
pub static METER_READINGS: Table = Table {
    name: "meter_readings",
    columns: &[
        Column::text("device", "The meter").required(),
        Column::text("facility", "Where the meter stands"),
        Column::text("quantity", "What is measured, such as `electricity`").required(),
        Column::text("unit", "Unit of `amount` and `register`; attested ones have the base unit")
            .required(),
        Column::instant("read_at", "End of the interval, by the meter's clock").required(),
        Column::integer("interval_s", "Length of the interval").unit("s").required(),
        Column::integer("amount", "The value, times ten to the power of `scale_e10`").required(),
        Column::integer("scale_e10", "Power of ten of `amount`; null means 0"),
        Column::text("statistic", "`sum` (null means this), `mean`, `instant`, `min` or `max`"),
        Column::integer("register", "Standing of the cumulative register"),
        Column::integer("boot", "How often the meter has started"),
        Column::integer("sequence", "Number of the batch"),
        Column::text("clock_quality", "`synchronised`, `holdover` or `unsynchronised`"),
        Column::integer("resolution", "Smallest step the instrument shows, in units of `amount`"),
        Column::text("quality", "The instrument's quality flag"),
        Column::text("config_hash", "SHA-256 of the meter's configuration, hex"),
        Column::text("source_amount", "The value before conversion, as the instrument gave it"),
        Column::text("source_unit", "The unit of `source_amount`"),
    ],
    bucket: Bucket::Facility("facility"),
    meaning: "One sample of one meter",
};

impl Kind for Readings {
    const NAME: KindName = KindName::Readings;
    const SIGNER: SignerRule = SignerRule::SubjectDevice;
    const TABLES: &'static [&'static Table] = &[&METER_READINGS];

    fn check(&self) -> Result<(), FieldError> {
        check::range("/boot", self.boot, 0..=i64::MAX)?;
        check::range("/sequence", self.sequence, 0..=i64::MAX)?;
        check::base_unit("/unit", self.quantity, &self.unit)?;
        check::range("/scale_e10", self.scale_e10.unwrap_or(0), -18..=18)?;
        check::range("/interval_s", self.interval_s, 0..=INTERVAL_S_MAX)?;
        check::range("/resolution", self.resolution.unwrap_or(0), 0..=i64::MAX)?;
        check::count("/samples", self.samples.len(), 1..=SAMPLES_MAX)?;
        for (index, sample) in self.samples.iter().enumerate() {
            sample.check().map_err(|error| error.under(&format!("/samples/{index}")))?;
        }
        Ok(())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let own = matches!(&claims.sub, Subject::Device(device) if device.org() == claims.iss);
        check::form("/sub", own, "a device of the issuer")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&claims.sub, self.sequence))
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        for sample in &self.samples {
            rows.push(&METER_READINGS, context, self.cells(sample, context));
        }
    }
}

impl Readings {
    fn cells(&self, sample: &Sample, context: &RowContext<'_>) -> Vec<Cell> {
        vec![
            Cell::text(&context.claims.sub),
            Cell::optional(context.facility, Cell::text),
            Cell::text(self.quantity),
            Cell::text(&self.unit),
            Cell::Instant(sample.read_at),
            Cell::integer(self.interval_s),
            Cell::Integer(sample.amount),
            Cell::optional(self.scale_e10, Cell::integer),
            Cell::optional(self.statistic, |statistic| Cell::text(statistic.as_str())),
            Cell::optional(sample.register, Cell::Integer),
            Cell::integer(self.boot),
            Cell::integer(self.sequence),
            Cell::text(self.clock_quality.as_str()),
            Cell::optional(self.resolution, Cell::integer),
            Cell::optional(sample.quality.as_ref(), Cell::text),
            Cell::optional(self.config_hash, Cell::text),
            Cell::optional(sample.source_amount.as_ref(), Cell::text),
            Cell::optional(sample.source_unit.as_ref(), Cell::text),
        ]
    }
}

impl Sample {
    fn check(&self) -> Result<(), FieldError> {
        check::optional("/quality", self.quality.as_deref(), check::CODE_BYTES_MAX)?;
        check::optional("/source_amount", self.source_amount.as_deref(), check::CODE_BYTES_MAX)?;
        check::optional("/source_unit", self.source_unit.as_deref(), check::CODE_BYTES_MAX)?;
        let paired = self.source_amount.is_some() == self.source_unit.is_some();
        check::consistent("/source_unit", paired, "stands with `source_amount`, and only there")
    }
}
