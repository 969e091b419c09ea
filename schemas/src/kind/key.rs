//! `key`: an organisation's next key, signed by that key itself.
//!
//! Invariants: the key id of the new key is what the key before committed to, so whoever stole the
//! old key cannot rotate; the new key commits to its own successor.

use super::check::{self, FieldError};
use super::{Kind, KindName, SignerRule};
use crate::attestation::Claims;
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::key::{KeyId, PublicKey};
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use serde::{Deserialize, Serialize};

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// The new key; its signature makes the attestation.
    pub key: PublicKey,
    /// The key that ends with this attestation.
    pub replaces_key: KeyId,
    /// The key id of the key that will follow.
    pub next_key_commitment: KeyId,
}

/// Table `keys`.
pub static KEYS: Table = Table {
    name: "keys",
    columns: &[
        Column::text("key", "Key id, hex").required(),
        Column::text("holder", "Organisation or device that holds it").required(),
        Column::text("role", "`organisation` or `device`").always(),
        Column::text("replaces_key", "Key id of the key that it ended"),
    ],
    bucket: Bucket::Whole,
    meaning: "A key as it entered the network, in force from its entry",
};

/// The row of a key that another kind introduces.
pub(super) fn push_key(
    rows: &mut Rows,
    context: &RowContext<'_>,
    role: &str,
    key: &PublicKey,
    holder: String,
) {
    let cells = vec![Cell::text(key.id()), Cell::Text(holder), Cell::text(role), Cell::Null];
    rows.push(&KEYS, context, cells);
}

impl Kind for Key {
    const NAME: KindName = KindName::Key;
    const SIGNER: SignerRule = SignerRule::Organisation;
    const TABLES: &'static [&'static Table] = &[&KEYS];

    fn check(&self) -> Result<(), FieldError> {
        let id = self.key.id();
        check::consistent("/replaces_key", self.replaces_key != id, "is the new key itself")?;
        let fresh = self.next_key_commitment != id && self.next_key_commitment != self.replaces_key;
        check::consistent("/next_key_commitment", fresh, "is no key other than the two named")
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let own = matches!(&claims.sub, Subject::Org(org) if *org == claims.iss);
        check::form("/sub", own, "the issuing organisation")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(self.replaces_key,))
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(self.key.id()),
            Cell::text(&context.claims.iss),
            Cell::text("organisation"),
            Cell::text(self.replaces_key),
        ];
        rows.push(&KEYS, context, cells);
    }
}
