//! `finding`: what a rule found, published so that its subject can answer.
//!
//! Invariants: the finding's id is the digest of `[code, subject, anchor]`, so that a rerun updates
//! and never repeats; evidence ids are sorted; a later version of a finding names the one before.

use super::check::{self, FieldError};
use super::value::Digest;
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::goods::GoodsId;
use crate::identity::NaturalIdentity;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use std::fmt;

/// Most evidence ids that one finding lists.
pub const EVIDENCE_MAX: usize = 1000;
/// Most innocent explanations, and most legal bases.
pub const LINES_MAX: usize = 32;

/// How sure and how grave.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Two independent sources disagree.
    Warning,
    /// Exact arithmetic or a broken proof.
    Error,
}

/// What sort of wrong it is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// A proof does not hold.
    Defect,
    /// A reported figure is wrong.
    Misstatement,
    /// A requirement is not met.
    Nonconformity,
    /// Two statements cannot both be true.
    Inconsistency,
    /// A reason to look.
    Lead,
}

macro_rules! texts {
    ($type:ident { $($variant:ident => $text:literal),* }) => {
        impl $type {
            /// Its text in JSON, headers and tables.
            pub const fn as_str(self) -> &'static str {
                match self { $($type::$variant => $text,)* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
texts!(Severity { Note => "note", Warning => "warning", Error => "error" });
texts!(Class {
    Defect => "defect", Misstatement => "misstatement", Nonconformity => "nonconformity",
    Inconsistency => "inconsistency", Lead => "lead"
});

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The rule's code, such as `MTR-005`.
    pub code: String,
    /// What it is about: an identifier of ours, or any text from plain tables.
    pub subject: String,
    /// What tells it from the rule's other findings on the subject: an instant or an evidence id.
    pub anchor: String,
    /// Begin of the period it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_start: Option<Timestamp>,
    /// End of that period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_end: Option<Timestamp>,
    /// How sure and how grave.
    pub severity: Severity,
    /// What sort of wrong.
    pub class: Class,
    /// Its size, signed, in `effect_unit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<i64>,
    /// `g` (CO2e) or `items`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect_unit: Option<String>,
    /// The finding in one English sentence.
    pub message_en: String,
    /// The finding in one Chinese sentence.
    pub message_zh: String,
    /// Evidence ids, sorted.
    pub evidence: Vec<String>,
    /// How many there are, listed or not.
    pub evidence_count: u64,
    /// Innocent explanations to rule out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub innocent: Vec<String>,
    /// Law and standards that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub basis: Vec<String>,
    /// How to answer it.
    pub answer: String,
    /// When it expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The instant that the evidence was judged as of.
    pub as_of: Timestamp,
    /// Digest of the rule pack.
    pub pack_digest: Digest,
    /// The version of the finding that this one updates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why it updates it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Table `findings`.
pub static FINDINGS: Table = Table {
    name: "findings",
    columns: &[
        Column::text("finding", "SHA-256 of `[code, subject, anchor]`, hex").required(),
        Column::text("code", "The rule").required(),
        Column::text("subject", "What it is about").required(),
        Column::text("anchor", "What tells it from the rule's others on the subject").required(),
        Column::instant("period_start", "Begin of the period it is about"),
        Column::instant("period_end", "End of that period"),
        Column::text("severity", "`note`, `warning` or `error`").required(),
        Column::text(
            "class",
            "`defect`, `misstatement`, `nonconformity`, `inconsistency` or `lead`",
        ),
        Column::integer("effect", "Its size, signed, in `effect_unit`"),
        Column::text("effect_unit", "`g` (CO2e) or `items`"),
        Column::text("message_en", "The finding in one English sentence"),
        Column::text("message_zh", "The finding in one Chinese sentence"),
        Column::list("evidence", "Evidence ids, sorted"),
        Column::integer("evidence_count", "How many there are, listed or not"),
        Column::instant("expires_at", "When it expires"),
        Column::instant("as_of", "The instant that the evidence was judged as of"),
        Column::text("pack_digest", "Digest of the rule pack, hex"),
    ],
    bucket: Bucket::Whole,
    meaning: "What a rule found",
};

impl Finding {
    /// The finding's id: equal for every rerun of the rule on the same matter.
    pub fn id(&self) -> Digest {
        finding_id(&self.code, &self.subject, &self.anchor)
    }
}

/// SHA-256 of deterministic CBOR `[code, subject, anchor]`.
pub fn finding_id(code: &str, subject: &str, anchor: &str) -> Digest {
    let bytes = crate::cbor::to_vec(&(code, subject, anchor)).expect("three texts encode");
    Digest(sha2::Sha256::digest(bytes).into())
}

impl Kind for Finding {
    const NAME: KindName = KindName::Finding;
    const TABLES: &'static [&'static Table] = &[&FINDINGS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/code", &self.code, check::CODE_BYTES_MAX)?;
        check::text("/subject", &self.subject, check::ADDRESS_BYTES_MAX)?;
        check::text("/anchor", &self.anchor, check::ADDRESS_BYTES_MAX)?;
        let order = self.period_start <= self.period_end || self.period_end.is_none();
        check::consistent("/period_end", order, "is before the begin of the period")?;
        check::optional("/effect_unit", self.effect_unit.as_deref(), check::CODE_BYTES_MAX)?;
        let paired = self.effect.is_some() == self.effect_unit.is_some();
        check::consistent("/effect_unit", paired, "stands with `effect`, and only there")?;
        check::text("/message_en", &self.message_en, check::SENTENCE_BYTES_MAX)?;
        check::text("/message_zh", &self.message_zh, check::SENTENCE_BYTES_MAX)?;
        check::text("/answer", &self.answer, check::SENTENCE_BYTES_MAX)?;
        for (name, list, max) in [
            ("evidence", &self.evidence, EVIDENCE_MAX),
            ("innocent", &self.innocent, LINES_MAX),
            ("basis", &self.basis, LINES_MAX),
        ] {
            check::count(&format!("/{name}"), list.len(), 0..=max)?;
            for (index, text) in list.iter().enumerate() {
                check::text(&format!("/{name}/{index}"), text, check::ADDRESS_BYTES_MAX)?;
            }
        }
        check::sorted_set("/evidence", &self.evidence)?;
        let listed = i64::try_from(self.evidence.len()).unwrap_or(i64::MAX);
        check::range("/evidence_count", self.evidence_count, listed..=i64::MAX)?;
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, _: &Claims) -> Result<(), FieldError> {
        Ok(())
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(self.id(), self.replaces))
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    /// What its `subject` names, beside the subject of the claims.
    fn goods(&self, claims: &Claims) -> Vec<GoodsId> {
        let named: Vec<GoodsId> = GoodsId::parse(&self.subject).into_iter().collect();
        check::with_covers(&claims.sub, &named)
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(self.id()),
            Cell::text(&self.code),
            Cell::text(&self.subject),
            Cell::text(&self.anchor),
            Cell::optional(self.period_start, Cell::Instant),
            Cell::optional(self.period_end, Cell::Instant),
            Cell::text(self.severity),
            Cell::text(self.class),
            Cell::optional(self.effect, Cell::Integer),
            Cell::optional(self.effect_unit.as_ref(), Cell::text),
            Cell::text(&self.message_en),
            Cell::text(&self.message_zh),
            Cell::List(self.evidence.clone()),
            Cell::integer(self.evidence_count),
            Cell::optional(self.expires_at, Cell::Instant),
            Cell::Instant(self.as_of),
            Cell::text(self.pack_digest),
        ];
        rows.push(&FINDINGS, context, cells);
    }
}
