//! `confirmation`: a consumer's word that goods were bought or opened, signed by the node that
//! received it.
//!
//! Invariants: nothing tells who said it: no name, address, account or hour; one form sent twice
//! is one confirmation, because the digest of the form's token is its identity.

use super::check::{self, FieldError};
use super::value::Digest;
use super::{Kind, KindName};
use crate::attestation::Claims;
use crate::day::Day;
use crate::identity::NaturalIdentity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use serde::{Deserialize, Serialize};

crate::text::closed_set! {
    /// What the consumer did.
    Act {
        /// Bought the goods.
        Bought => "bought",
        /// Opened them.
        Opened => "opened",
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// What the consumer did.
    pub act: Act,
    /// The day of UTC on which the node received it.
    pub day: Day,
    /// Where, as coarse as the consumer chose: ISO 3166-1 or 3166-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// SHA-256 of the random token of the form: each form that is handed out has its own.
    pub form: Digest,
}

/// Table `confirmations`.
pub static CONFIRMATIONS: Table = Table {
    name: "confirmations",
    columns: &[
        Column::text("item", "The item").required(),
        Column::instant("at", "Begin of the day of UTC on which it was received").required(),
        Column::text("region", "Where, ISO 3166, as the consumer chose to say"),
        Column::text("act", "`bought` or `opened`"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "A consumer's word that the goods were bought or opened",
};

impl Confirmation {
    /// What counts when two of one form are compared: the consumer's word, not the day on which
    /// the node received it, so that a form sent again after midnight is still the same.
    pub(super) fn normalised(&self) -> Vec<u8> {
        crate::cbor::to_vec(&(self.act, &self.region, self.form)).expect("texts and bytes encode")
    }
}

impl Kind for Confirmation {
    const NAME: KindName = KindName::Confirmation;
    const TABLES: &'static [&'static Table] = &[&CONFIRMATIONS];

    fn check(&self) -> Result<(), FieldError> {
        check::optional_region("/region", self.region.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        check::goods_subject(claims).map(|_| ())
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&claims.sub, self.form))
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(&context.claims.sub),
            Cell::Instant(self.day.starts_at()),
            Cell::optional(self.region.as_ref(), Cell::text),
            Cell::text(self.act),
        ];
        rows.push(&CONFIRMATIONS, context, cells);
    }
}
