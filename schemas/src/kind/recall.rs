//! `recall`: goods are called back, with what a holder should do.
//!
//! Invariants: one recall has one `recall` name for its issuer; a later version, which names the
//! one it replaces, widens or lifts it; the contact is an organisation's, never a person's.

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

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Recall {
    /// Its name or number, the same in every version.
    pub recall: String,
    /// Further items, lots or classes that are recalled beside the subject, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub covers: Vec<GoodsId>,
    /// Why the goods are recalled.
    pub why: Words,
    /// What a holder of the goods should do.
    pub what_to_do: Words,
    /// Whom to ask.
    pub contact: Contact,
    /// Since when the goods are recalled.
    pub since: Timestamp,
    /// Offset of the clock by which `since` is meant, such as `+08:00`: it decides the day that is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utc_offset: Option<String>,
    /// When the recall ended. The version that says so replaces the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted_at: Option<Timestamp>,
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

/// How an organisation is reached. There is no field for a person.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// A page of the organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its service number, such as `+86 400 000 0000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl Contact {
    fn check(&self) -> Result<(), FieldError> {
        let some = self.url.is_some() || self.phone.is_some();
        check::consistent("", some, "has neither `url` nor `phone`")?;
        if let Some(url) = &self.url {
            check::web_address("/url", url)?;
        }
        let Some(phone) = &self.phone else {
            return Ok(());
        };
        let digits = phone.bytes().filter(u8::is_ascii_digit).count();
        let plain = phone.bytes().all(|b| b.is_ascii_digit() || b"+- ".contains(&b));
        let holds = plain && (3..=15).contains(&digits) && phone.len() <= 24;
        check::form("/phone", holds, "a telephone number of 3 to 15 digits")
    }
}

/// Table `recalls`.
pub static RECALLS: Table = Table {
    name: "recalls",
    columns: &[
        Column::text("recall", "The recall").required(),
        Column::text("item", "The item, or the class of items").required(),
        Column::text("lot", "The lot of the class; null for all"),
        Column::text("why_en", "Why, in English"),
        Column::text("why_zh", "Why, in Chinese"),
        Column::instant("at", "Since when").required(),
        Column::instant("lifted_at", "When it ended"),
    ],
    bucket: Bucket::Whole,
    meaning: "Goods that are recalled",
};

impl Kind for Recall {
    const NAME: KindName = KindName::Recall;
    const ISSUERS: &'static [Role] =
        &[Role::Producer, Role::Distributor, Role::Retailer, Role::Regulator];
    const TABLES: &'static [&'static Table] = &[&RECALLS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/recall", &self.recall, check::NAME_BYTES_MAX)?;
        check::covers(&self.covers)?;
        self.why.check("/why", check::SENTENCE_BYTES_MAX)?;
        self.what_to_do.check("/what_to_do", check::SENTENCE_BYTES_MAX)?;
        self.contact.check().map_err(|error| error.under("/contact"))?;
        check::period("/lifted_at", self.since, self.lifted_at)?;
        let later = self.lifted_at.is_none() || self.replaces.is_some();
        check::consistent("/lifted_at", later, "stands in a version that replaces another")?;
        super::facility::check_utc_offset(self.utc_offset.as_deref())?;
        check::cites(&self.cites)?;
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        check::goods_subject(claims).map(|_| ())
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&self.recall, self.replaces))
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
                Cell::text(&self.recall),
                Cell::text(item),
                Cell::optional(lot, Cell::Text),
                Cell::optional(self.why.en.as_ref(), Cell::text),
                Cell::optional(self.why.zh_hans.as_ref(), Cell::text),
                Cell::Instant(self.since),
                Cell::optional(self.lifted_at, Cell::Instant),
            ];
            rows.push(&RECALLS, context, cells);
        }
    }
}
