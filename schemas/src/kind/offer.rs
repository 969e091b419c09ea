//! `offer`: goods are offered for sale, as an online listing names them.
//!
//! Invariants: one offer has one `offer` name for its issuer; a later version, which names the one
//! it replaces, tells that it ended. Whoever saw the listing signs; the seller is an organisation.

use super::check::{self, FieldError};
use super::value::Digest;
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::goods::GoodsId;
use crate::id::OrgId;
use crate::identity::NaturalIdentity;
use crate::role::Role;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The number or name of the listing, the same in every version.
    pub offer: String,
    /// Who sells, where that is known to be an organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<OrgId>,
    /// The place of sale, such as the host name of a marketplace.
    pub platform: String,
    /// The page of the listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Where it is sold to: ISO 3166.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub market: Option<String>,
    /// Further goods that it names beside its subject, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<GoodsId>,
    /// How much of each of the goods is offered, in `unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<u64>,
    /// A base unit such as `g` or `mL`, or `items`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Since when it is offered or, where a stranger saw it, when it was seen.
    pub from_at: Timestamp,
    /// When the offer ended. The version that says so replaces the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_at: Option<Timestamp>,
    /// SHA-256 of the page as it was seen.
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

/// Table `offers`.
pub static OFFERS: Table = Table {
    name: "offers",
    columns: &[
        Column::text("offer", "The offer").required(),
        Column::text("item", "The item, or the class of items").required(),
        Column::text("lot", "The lot of the class; null for all"),
        Column::text("seller", "Who sells"),
        Column::text("platform", "Where it is offered"),
        Column::text("url", "The page of the listing"),
        Column::text("market", "Where it is sold to: ISO 3166"),
        Column::integer("quantity", "How much is offered, in `unit`"),
        Column::text("unit", "Unit of `quantity`"),
        Column::instant("at", "Since when, or when it was seen"),
        Column::instant("to_at", "When it ended"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "Goods that are offered for sale, a row for each of the goods",
};

impl Kind for Offer {
    const NAME: KindName = KindName::Offer;
    const ISSUERS: &'static [Role] = &[
        Role::Producer,
        Role::Distributor,
        Role::Retailer,
        Role::Exchange,
        Role::Inspector,
        Role::Regulator,
        Role::Customs,
        Role::Association,
        Role::Auditor,
    ];
    const TABLES: &'static [&'static Table] = &[&OFFERS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/offer", &self.offer, check::NAME_BYTES_MAX)?;
        check::text("/platform", &self.platform, check::NAME_BYTES_MAX)?;
        if let Some(url) = &self.url {
            check::web_address("/url", url)?;
        }
        check::optional_region("/market", self.market.as_deref())?;
        check::covers(&self.covers)?;
        check::volume("/quantity", self.quantity, self.unit.as_deref())?;
        check::period("/to_at", self.from_at, self.to_at)?;
        let later = self.to_at.is_none() || self.replaces.is_some();
        check::consistent("/to_at", later, "stands in a version that replaces another")?;
        check::cites(&self.cites)?;
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        check::goods_subject(claims).map(|_| ())
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&self.offer, self.replaces))
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
        for goods in self.goods(context.claims) {
            let (item, lot) = goods.item_and_lot();
            let cells = vec![
                Cell::text(&self.offer),
                Cell::text(item),
                Cell::optional(lot, Cell::Text),
                Cell::optional(self.seller.as_ref(), Cell::text),
                Cell::text(&self.platform),
                Cell::optional(self.url.as_ref(), Cell::text),
                Cell::optional(self.market.as_ref(), Cell::text),
                Cell::optional(self.quantity, Cell::integer),
                Cell::optional(self.unit.as_ref(), Cell::text),
                Cell::Instant(self.from_at),
                Cell::optional(self.to_at, Cell::Instant),
            ];
            rows.push(&OFFERS, context, cells);
        }
    }
}
