//! `footprint`: the carbon footprint of a class of goods, the core of PACT version 3.
//!
//! Invariants: the amount is a whole number times a power of ten, in grams of CO2e for each
//! declared unit; it is never changed: a new figure is a new version that names the one before.

use super::check::{self, FieldError};
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::id::OrgId;
use crate::identity::NaturalIdentity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most standards of one footprint.
pub const STANDARDS_MAX: usize = 16;
/// Largest share, all of it.
pub const SHARE_MAX_PPM: i64 = 1_000_000;

crate::text::closed_set! {
    /// The declared units of PACT version 3.
    DeclaredUnit {
        /// Litre.
        Liter => "liter",
        /// Kilogram.
        Kilogram => "kilogram",
        /// Cubic metre.
        CubicMeter => "cubic meter",
        /// Kilowatt-hour.
        KilowattHour => "kilowatt hour",
        /// Megajoule.
        Megajoule => "megajoule",
        /// Tonne-kilometre.
        TonKilometer => "ton kilometer",
        /// Square metre.
        SquareMeter => "square meter",
        /// Piece.
        Piece => "piece",
        /// Hour.
        Hour => "hour",
        /// Megabit a second.
        MegabitSecond => "megabit second",
    }
}

crate::text::closed_set! {
    /// Which stages of life the figure covers.
    Boundary {
        /// From the raw material to the maker's gate, as PACT has it.
        CradleToGate => "cradle_to_gate",
        /// The maker's own stage alone.
        GateToGate => "gate_to_gate",
        /// From the raw material to the end of life.
        CradleToGrave => "cradle_to_grave",
    }
}

crate::text::closed_set! {
    /// How sure a verifier is.
    Assurance {
        /// Limited assurance.
        Limited => "limited",
        /// Reasonable assurance.
        Reasonable => "reasonable",
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Footprint {
    /// Its name or number, the same in every version.
    pub footprint: String,
    /// What one unit of the figure is.
    pub declared_unit: DeclaredUnit,
    /// Declared units in one of the goods, times ten to the power of `quantity_scale_e10`.
    pub quantity: u64,
    /// Power of ten of `quantity`; absent means 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity_scale_e10: Option<i8>,
    /// Grams of CO2e for each declared unit, without biogenic uptake, times ten to the power of
    /// `scale_e10`.
    pub amount_g: i64,
    /// Power of ten of `amount_g`; absent means 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_e10: Option<i8>,
    /// Which stages of life it covers.
    pub boundary: Boundary,
    /// Begin of the reference period.
    pub period_start: Timestamp,
    /// Its end, exclusive.
    pub period_end: Timestamp,
    /// Where the goods were made: ISO 3166-1 or 3166-2; absent means worldwide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geography: Option<String>,
    /// Standards it was made to, such as `ISO 14067`, sorted.
    pub standards: Vec<String>,
    /// Share of primary data, in parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_share_ppm: Option<u32>,
    /// Who verified it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// The evidence it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cites: Vec<ContentId>,
    /// The version that this one follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why it follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// That somebody else checked the figure.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// The verifying body.
    pub body: OrgId,
    /// How sure it is.
    pub assurance: Assurance,
    /// Its statement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<ContentId>,
}

/// Table `footprints`.
pub static FOOTPRINTS: Table = Table {
    name: "footprints",
    columns: &[
        Column::text("footprint", "Its name or number").required(),
        Column::text("item", "The class of items").required(),
        Column::text("declared_unit", "Unit of the footprint, in PACT's words"),
        Column::integer(
            "amount_g",
            "Footprint of one declared unit, times ten to the power of `scale_e10`",
        )
        .unit("g CO2e"),
        Column::integer("scale_e10", "Power of ten of `amount_g`; null means 0"),
        Column::integer(
            "quantity",
            "Declared units in one item, times ten to the power of `quantity_scale_e10`",
        ),
        Column::integer("quantity_scale_e10", "Power of ten of `quantity`; null means 0"),
        Column::text("boundary", "`cradle_to_gate`, `gate_to_gate` or `cradle_to_grave`"),
        Column::instant("period_start", "Begin of its period"),
        Column::instant("period_end", "End of its period, exclusive"),
        Column::text("geography", "ISO 3166; null means worldwide"),
        Column::list("standards", "Standards it was made to"),
        Column::integer("primary_share_ppm", "Share of primary data").unit("ppm"),
        Column::text("verifier", "Who verified it"),
        Column::text("assurance", "`limited` or `reasonable`"),
    ],
    bucket: Bucket::Whole,
    meaning: "A product's footprint",
};

impl Kind for Footprint {
    const NAME: KindName = KindName::Footprint;
    const TABLES: &'static [&'static Table] = &[&FOOTPRINTS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/footprint", &self.footprint, check::NAME_BYTES_MAX)?;
        check::range("/quantity", self.quantity, 1..=i64::MAX)?;
        for (pointer, scale) in
            [("/quantity_scale_e10", self.quantity_scale_e10), ("/scale_e10", self.scale_e10)]
        {
            check::range(pointer, scale.unwrap_or(0), -18..=18)?;
        }
        check::period("/period_end", self.period_start, Some(self.period_end))?;
        check::optional_region("/geography", self.geography.as_deref())?;
        check::count("/standards", self.standards.len(), 1..=STANDARDS_MAX)?;
        check::sorted_set("/standards", &self.standards)?;
        for (index, standard) in self.standards.iter().enumerate() {
            check::text(&format!("/standards/{index}"), standard, check::NAME_BYTES_MAX)?;
        }
        let share = self.primary_share_ppm.unwrap_or(0);
        check::range("/primary_share_ppm", share, 0..=SHARE_MAX_PPM)?;
        check::cites(&self.cites)?;
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        check::goods_subject(claims)?;
        let body = self.verification.as_ref().map(|verification| &verification.body);
        let other = body != Some(&claims.iss);
        check::consistent("/verification/body", other, "is the issuer itself")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&self.footprint, self.replaces))
    }

    fn cites(&self) -> &[ContentId] {
        &self.cites
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let verification = self.verification.as_ref();
        let cells = vec![
            Cell::text(&self.footprint),
            Cell::text(&context.claims.sub),
            Cell::text(self.declared_unit),
            Cell::Integer(self.amount_g),
            Cell::optional(self.scale_e10, Cell::integer),
            Cell::integer(self.quantity),
            Cell::optional(self.quantity_scale_e10, Cell::integer),
            Cell::text(self.boundary),
            Cell::Instant(self.period_start),
            Cell::Instant(self.period_end),
            Cell::optional(self.geography.as_ref(), Cell::text),
            Cell::List(self.standards.clone()),
            Cell::optional(self.primary_share_ppm, Cell::integer),
            Cell::optional(verification, |verification| Cell::text(&verification.body)),
            Cell::optional(verification, |verification| Cell::text(verification.assurance)),
        ];
        rows.push(&FOOTPRINTS, context, cells);
    }
}
