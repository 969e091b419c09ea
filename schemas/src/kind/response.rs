//! `response`: an organisation answers a finding.
//!
//! Invariants: the finding is named by its id, which a rerun of the rule keeps; whoever reads the
//! finding can read the answer beside it; a better answer replaces the one before.

use super::check::{self, FieldError};
use super::value::Digest;
use super::words::Words;
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::identity::NaturalIdentity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use serde::{Deserialize, Serialize};

/// Longest answer in one language, in bytes.
pub const TEXT_BYTES_MAX: usize = 8192;

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// The finding's id: SHA-256 of deterministic CBOR `[code, subject, anchor]`.
    pub finding: Digest,
    /// The answer.
    pub text: Words,
    /// The evidence it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cites: Vec<ContentId>,
    /// The answer that this one follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why it follows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Table `responses`.
pub static RESPONSES: Table = Table {
    name: "responses",
    columns: &[
        Column::text("finding", "The finding's id, hex").required(),
        Column::text("by", "Who answers").required(),
        Column::text("text_en", "The answer in English"),
        Column::text("text_zh", "The answer in Chinese"),
        Column::list("cites", "Its evidence"),
        Column::instant("at", "When, as its author says"),
    ],
    bucket: Bucket::Whole,
    meaning: "An answer to a finding",
};

impl Kind for Response {
    const NAME: KindName = KindName::Response;
    const TABLES: &'static [&'static Table] = &[&RESPONSES];

    fn check(&self) -> Result<(), FieldError> {
        self.text.check("/text", TEXT_BYTES_MAX)?;
        check::cites(&self.cites)?;
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    /// The subject is that of the finding, which may be anything.
    fn check_claims(&self, _: &Claims) -> Result<(), FieldError> {
        Ok(())
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(self.finding, self.replaces))
    }

    fn cites(&self) -> &[ContentId] {
        &self.cites
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(self.finding),
            Cell::text(&context.claims.iss),
            Cell::optional(self.text.en.as_ref(), Cell::text),
            Cell::optional(self.text.zh_hans.as_ref(), Cell::text),
            Cell::List(self.cites.iter().map(ToString::to_string).collect()),
            Cell::Instant(context.claims.iat),
        ];
        rows.push(&RESPONSES, context, cells);
    }
}
