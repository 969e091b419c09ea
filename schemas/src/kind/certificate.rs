//! `certificate`: a body vouches for goods, a site or an organisation for a time.
//!
//! Invariants: one certificate has one `id` for its issuer; a later version, which names the one
//! it replaces, tells that it was withdrawn or corrected, and the record shows both.

use super::check::{self, FieldError};
use super::value::Digest;
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::goods::GoodsId;
use crate::id::{OrgId, Subject};
use crate::identity::NaturalIdentity;
use crate::role::Role;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Its number or name, the same in every version.
    pub id: String,
    /// The standard or scheme, such as `GB/T 19630` or `AEO`.
    pub standard: String,
    /// Who holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<OrgId>,
    /// The class of goods in the standard's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_class: Option<String>,
    /// The site: a facility, a Digital Link of AI 414, or another address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// Further goods that it covers beside its subject, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<GoodsId>,
    /// Most that may be sold under it, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<u64>,
    /// A base unit such as `g` or `mL`, or `items`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// In force from.
    pub valid_from: Timestamp,
    /// In force until, exclusive; absent means until withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Timestamp>,
    /// When it was withdrawn. The version that says so replaces the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<Timestamp>,
    /// Offset of the clock by which these instants are meant, such as `+08:00`: it decides the days that
    /// are shown, of which the last one counts to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_offset: Option<String>,
    /// SHA-256 of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Digest>,
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

/// Table `certificates`.
pub static CERTIFICATES: Table = Table {
    name: "certificates",
    columns: &[
        Column::text("id", "Its number or name").required(),
        Column::text("standard", "The standard or scheme"),
        Column::text("product_class", "Class of goods, in the standard's own words"),
        Column::text("site", "Site"),
        Column::integer("volume", "Certified volume in `unit`"),
        Column::text("unit", "Unit of `volume`"),
        Column::instant("valid_from", "In force from"),
        Column::instant("valid_to", "In force until, exclusive"),
        Column::instant("withdrawn_at", "When it was withdrawn"),
        Column::text("subject", "The goods, facility or organisation that it is for"),
        Column::text("holder", "Who holds it"),
        Column::list("covers", "Further goods that it covers"),
    ],
    bucket: Bucket::Whole,
    meaning: "A certificate on goods, sites or organisations",
};

impl Kind for Certificate {
    const NAME: KindName = KindName::Certificate;
    const ISSUERS: &'static [Role] = &[Role::Certifier, Role::Regulator, Role::Customs];
    const TABLES: &'static [&'static Table] = &[&CERTIFICATES];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/id", &self.id, check::NAME_BYTES_MAX)?;
        check::text("/standard", &self.standard, check::NAME_BYTES_MAX)?;
        check::optional("/product_class", self.product_class.as_deref(), check::NAME_BYTES_MAX)?;
        check::optional("/site", self.site.as_deref(), check::ADDRESS_BYTES_MAX)?;
        check::covers(&self.covers)?;
        check::volume("/volume", self.volume, self.unit.as_deref())?;
        check::period("/valid_to", self.valid_from, self.valid_to)?;
        let later = self.withdrawn_at.is_none() || self.replaces.is_some();
        check::consistent("/withdrawn_at", later, "stands in a version that replaces another")?;
        super::facility::check_utc_offset(self.utc_offset.as_deref())?;
        check::cites(&self.cites)?;
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let known = matches!(claims.sub, Subject::Org(_) | Subject::Facility(_));
        if known { Ok(()) } else { check::goods_subject(claims).map(|_| ()) }
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&self.id, self.replaces))
    }

    fn cites(&self) -> &[ContentId] {
        &self.cites
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    /// Its subject, where that is goods, and what it covers beside.
    fn goods(&self, claims: &Claims) -> Vec<GoodsId> {
        check::with_covers(&claims.sub, &self.covers)
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let site = self.site.as_ref().map(|site| super::event::vocabulary::place(site));
        let cells = vec![
            Cell::text(&self.id),
            Cell::text(&self.standard),
            Cell::optional(self.product_class.as_ref(), Cell::text),
            Cell::optional(site, Cell::Text),
            Cell::optional(self.volume, Cell::integer),
            Cell::optional(self.unit.as_ref(), Cell::text),
            Cell::Instant(self.valid_from),
            Cell::optional(self.valid_to, Cell::Instant),
            Cell::optional(self.withdrawn_at, Cell::Instant),
            Cell::text(&context.claims.sub),
            Cell::optional(self.holder.as_ref(), Cell::text),
            Cell::List(self.covers.iter().map(ToString::to_string).collect()),
        ];
        rows.push(&CERTIFICATES, context, cells);
    }
}
