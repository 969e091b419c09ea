//! `accreditation`: an accreditor or authority says what a body is competent for.
//!
//! Invariants: the subject is the body; each change of status is a statement of its own with the
//! instant it holds from, so that the standing at any time can be told; of two the later holds.

use super::check::{self, FieldError};
use super::{Kind, KindName};
use crate::attestation::{Claims, ContentId};
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::role::Role;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most methods, parameters or sectors of one accreditation.
pub const SCOPE_MAX: usize = 1024;

crate::text::closed_set! {
    /// What the accreditation is under.
    Scheme {
        /// Testing and calibration laboratories.
        Iso17025 => "iso17025",
        /// Inspection bodies.
        Iso17020 => "iso17020",
        /// Certification bodies for products.
        Iso17065 => "iso17065",
        /// Bodies that verify environmental statements.
        Iso14065 => "iso14065",
        /// China's inspection body and laboratory mandatory approval.
        Cma => "cma",
        /// China's national accreditation service, by its own number.
        Cnas => "cnas",
        /// An authority's commission.
        Commission => "commission",
    }
}

crate::text::closed_set! {
    /// How an accreditation stands.
    Status {
        /// In force, within its period.
        InForce => "in_force",
        /// Suspended.
        Suspended => "suspended",
        /// Withdrawn for good.
        Withdrawn => "withdrawn",
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Accreditation {
    /// What it is under.
    pub scheme: Scheme,
    /// Its number.
    pub number: String,
    /// Methods it covers, such as `GB/T 213`, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Parameters it covers, such as `ncv`, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// Sectors, product classes or standards it covers, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sectors: Vec<String>,
    /// In force from.
    pub valid_from: Timestamp,
    /// In force until, exclusive; absent means until withdrawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Timestamp>,
    /// How it stands.
    pub status: Status,
    /// Since when it stands so, and covers this.
    pub from_at: Timestamp,
    /// The attestation that this one corrects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<ContentId>,
    /// Why it corrects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Table `accreditations`.
pub static ACCREDITATIONS: Table = Table {
    name: "accreditations",
    columns: &[
        Column::text("organisation", "The accredited body").required(),
        Column::text(
            "scheme",
            "`iso17025`, `iso17020`, `iso17065`, `iso14065`, `cma`, `cnas` or `commission` (of an \
             authority)",
        ),
        Column::text("number", "Its number"),
        Column::list("methods", "Methods it covers"),
        Column::list("parameters", "Parameters it covers"),
        Column::list("sectors", "Sectors, product classes or standards it covers"),
        Column::instant("valid_from", "In force from"),
        Column::instant("valid_to", "In force until, exclusive"),
        Column::text("status", "`in_force`, `suspended` or `withdrawn`"),
        Column::instant("from_at", "Since when the status and scope hold"),
    ],
    bucket: Bucket::Whole,
    meaning: "What a body is accredited for, and how that stands from an instant on",
};

impl Kind for Accreditation {
    const NAME: KindName = KindName::Accreditation;
    const ISSUERS: &'static [Role] = &[Role::Accreditor, Role::Regulator];
    const TABLES: &'static [&'static Table] = &[&ACCREDITATIONS];

    fn check(&self) -> Result<(), FieldError> {
        check::text("/number", &self.number, check::NAME_BYTES_MAX)?;
        let mut covered = 0;
        for (name, list) in [
            ("methods", &self.methods),
            ("parameters", &self.parameters),
            ("sectors", &self.sectors),
        ] {
            covered += list.len();
            check::count(&format!("/{name}"), list.len(), 0..=SCOPE_MAX)?;
            check::sorted_set(&format!("/{name}"), list)?;
            for (index, text) in list.iter().enumerate() {
                check::text(&format!("/{name}/{index}"), text, check::NAME_BYTES_MAX)?;
            }
        }
        check::consistent("/sectors", 0 < covered, "is empty, as are methods and parameters")?;
        check::period("/valid_to", self.valid_from, self.valid_to)?;
        check::correction(self.replaces.is_some(), self.reason.as_deref())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        check::form("/sub", matches!(claims.sub, Subject::Org(_)), "an organisation")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        let parts = (&claims.sub, self.scheme, &self.number, self.from_at, self.replaces);
        NaturalIdentity::of(Self::NAME, &claims.iss, &parts)
    }

    fn replaces(&self) -> Option<ContentId> {
        self.replaces
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(&context.claims.sub),
            Cell::text(self.scheme),
            Cell::text(&self.number),
            Cell::List(self.methods.clone()),
            Cell::List(self.parameters.clone()),
            Cell::List(self.sectors.clone()),
            Cell::Instant(self.valid_from),
            Cell::optional(self.valid_to, Cell::Instant),
            Cell::text(self.status),
            Cell::Instant(self.from_at),
        ];
        rows.push(&ACCREDITATIONS, context, cells);
    }
}
