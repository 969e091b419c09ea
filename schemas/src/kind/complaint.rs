//! `complaint`: a consumer's report of a problem with goods, signed by the node that received it.
//!
//! Invariants: nothing tells who complains, and a text that looks as if it named a person is
//! refused; the number given back to the consumer is the complaint's identity, so that one form
//! sent twice is one complaint.

use super::check::{self, FieldError};
use super::{Kind, KindName};
use crate::attestation::Claims;
use crate::day::Day;
use crate::identity::NaturalIdentity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use serde::{Deserialize, Serialize};

/// Longest text: 300 Chinese characters.
pub const TEXT_BYTES_MAX: usize = 900;

crate::text::closed_set! {
    /// What a complaint is about.
    Category {
        /// The code may have been copied onto other goods.
        SuspectedCopy => "suspected_copy",
        /// A seal or package was open or damaged.
        Damaged => "damaged",
        /// The goods are past their date.
        Expired => "expired",
        /// The goods are not what the record says.
        WrongGoods => "wrong_goods",
        /// The goods are or seem unsafe.
        Unsafe => "unsafe",
        /// The record is wrong or incomplete.
        WrongRecord => "wrong_record",
        /// Anything else.
        Other => "other",
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Complaint {
    /// The number given back, which follows from the form that was sent.
    pub number: String,
    /// What it is about.
    pub category: Category,
    /// The day of UTC on which the node received it.
    pub day: Day,
    /// Where, as coarse as the consumer chose: ISO 3166-1 or 3166-2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// What the consumer wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// Table `complaints`.
pub static COMPLAINTS: Table = Table {
    name: "complaints",
    columns: &[
        Column::text("item", "The item").required(),
        Column::instant("at", "Begin of the day of UTC on which it was received").required(),
        Column::text("category", "What it is about, such as `suspected_copy`"),
        Column::text("text", "What the consumer wrote"),
        Column::text("region", "Where, ISO 3166, as the consumer chose to say"),
        Column::text("number", "The number given back"),
    ],
    bucket: Bucket::Item("item"),
    meaning: "A consumer's report of a problem with goods",
};

impl Complaint {
    /// What counts when two of one number are compared: all but the day of reception.
    pub(super) fn normalised(&self) -> Vec<u8> {
        let said = (&self.number, self.category, &self.region, &self.text);
        crate::cbor::to_vec(&said).expect("texts encode")
    }
}

impl Kind for Complaint {
    const NAME: KindName = KindName::Complaint;
    const TABLES: &'static [&'static Table] = &[&COMPLAINTS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/number", &self.number, check::CODE_BYTES_MAX)?;
        let plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-';
        check::form("/number", self.number.bytes().all(plain), "made of A-Z, 0-9 and `-`")?;
        check::optional_region("/region", self.region.as_deref())?;
        check::optional("/text", self.text.as_deref(), TEXT_BYTES_MAX)?;
        self.text.as_deref().map_or(Ok(()), |text| check::strangers("/text", text))
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        check::goods_subject(claims).map(|_| ())
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&self.number,))
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(&context.claims.sub),
            Cell::Instant(self.day.starts_at()),
            Cell::text(self.category),
            Cell::optional(self.text.as_ref(), Cell::text),
            Cell::optional(self.region.as_ref(), Cell::text),
            Cell::text(&self.number),
        ];
        rows.push(&COMPLAINTS, context, cells);
    }
}
