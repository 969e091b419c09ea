//! `claim`: what is said of goods to whoever buys them: low in carbon, organic, of an origin.
//!
//! Invariants: one claim has one `claim` name for its issuer; a later version, which names the one
//! it replaces, withdraws or corrects it. A claim vouches for nothing: a `certificate` does.

use super::check::{self, FieldError};
use super::words::Words;
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::goods::GoodsId;
use crate::identity::NaturalIdentity;
use crate::role::Role;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

crate::text::closed_set! {
    /// What a claim is about.
    About {
        /// Less greenhouse gas than comparable goods.
        LowCarbon => "low_carbon",
        /// Emissions offset or none.
        CarbonNeutral => "carbon_neutral",
        /// Organic production.
        Organic => "organic",
        /// Green food, and similar labels of a state.
        GreenFood => "green_food",
        /// Made of recycled material.
        Recycled => "recycled",
        /// Energy or water efficiency class.
        Efficiency => "efficiency",
        /// Made with electricity from renewable sources.
        Renewable => "renewable",
        /// A protected geographical indication.
        GeographicalIndication => "geographical_indication",
        /// Where it was made or grown.
        Origin => "origin",
        /// A time-honoured brand.
        TimeHonoured => "time_honoured",
        /// Working conditions or fair trade.
        FairTrade => "fair_trade",
        /// Anything else.
        Other => "other",
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Its name, the same in every version.
    pub claim: String,
    /// What it is about.
    pub about: About,
    /// What it says, as buyers read it.
    pub says: Words,
    /// The standard it names, such as `GB/T 19630`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard: Option<String>,
    /// The number of the certificate it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
    /// The offer in which it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer: Option<String>,
    /// Further goods that it is made about beside its subject, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<GoodsId>,
    /// How much of the goods it is made about, all together, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<u64>,
    /// A base unit such as `g` or `mL`, or `items`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Since when it is made.
    pub valid_from: Timestamp,
    /// Until when, exclusive; absent means until it is withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Timestamp>,
    /// Offset of the clock by which these instants are meant, such as `+08:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_offset: Option<String>,
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

/// Table `claims`.
pub static CLAIMS: Table = Table {
    name: "claims",
    columns: &[
        Column::text("claim", "The claim").required(),
        Column::text("item", "The item, or the class of items").required(),
        Column::text("lot", "The lot of the class; null for all"),
        Column::text("kind", "`low_carbon`, `organic`, `origin` …").required(),
        Column::text("value", "What is claimed, in English or else in Chinese"),
        Column::text("standard", "The standard it names"),
        Column::text("certificate", "The number of the certificate it names"),
        Column::text("offer", "The offer in which it was made"),
        Column::integer("volume", "How much it is made about, all its goods together, in `unit`"),
        Column::text("unit", "Unit of `volume`"),
        Column::instant("valid_from", "From"),
        Column::instant("valid_to", "Until, exclusive"),
    ],
    bucket: Bucket::Whole,
    meaning: "A claim on goods or offers, a row for each of the goods",
};

impl Kind for Claim {
    const NAME: KindName = KindName::Claim;
    const ISSUERS: &'static [Role] = &[
        Role::Producer,
        Role::Distributor,
        Role::Retailer,
        Role::Exchange,
        Role::Regulator,
        Role::Association,
        Role::Auditor,
    ];
    const TABLES: &'static [&'static Table] = &[&CLAIMS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/claim", &self.claim, check::NAME_BYTES_MAX)?;
        self.says.check("/says", check::SENTENCE_BYTES_MAX)?;
        check::optional("/standard", self.standard.as_deref(), check::NAME_BYTES_MAX)?;
        check::optional("/certificate", self.certificate.as_deref(), check::NAME_BYTES_MAX)?;
        check::optional("/offer", self.offer.as_deref(), check::NAME_BYTES_MAX)?;
        check::covers(&self.covers)?;
        check::volume("/volume", self.volume, self.unit.as_deref())?;
        check::period("/valid_to", self.valid_from, self.valid_to)?;
        super::facility::check_utc_offset(self.utc_offset.as_deref())?;
        check::cites(&self.cites)?;
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        check::goods_subject(claims).map(|_| ())
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&self.claim, self.replaces))
    }

    fn cites(&self) -> &[ContentId] {
        &self.cites
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    /// Its subject and what it covers beside.
    fn goods(&self, claims: &Claims) -> Vec<GoodsId> {
        check::with_covers(&claims.sub, &self.covers)
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let says = self.says.en.as_ref().or(self.says.zh_hans.as_ref());
        for goods in self.goods(context.claims) {
            let (item, lot) = goods.item_and_lot();
            let cells = vec![
                Cell::text(&self.claim),
                Cell::text(item),
                Cell::optional(lot, Cell::Text),
                Cell::text(self.about),
                Cell::optional(says, Cell::text),
                Cell::optional(self.standard.as_ref(), Cell::text),
                Cell::optional(self.certificate.as_ref(), Cell::text),
                Cell::optional(self.offer.as_ref(), Cell::text),
                Cell::optional(self.volume, Cell::integer),
                Cell::optional(self.unit.as_ref(), Cell::text),
                Cell::Instant(self.valid_from),
                Cell::optional(self.valid_to, Cell::Instant),
            ];
            rows.push(&CLAIMS, context, cells);
        }
    }
}
