//! `revocation`: a key is given up, with or without one that follows it.
//!
//! Invariants: it counts only from the organisation that holds the key, by its own key, or from as
//! many registrars as the threshold was, who name the same key and the same `since`; it ends the
//! key with its entry, and what the key signed from `since` on is in doubt, never refused for that;
//! it is final: nothing replaces it, and another one may only begin earlier. It is public, because
//! whoever holds a statement under the key must see it. Keys of logs, witnesses, mirrors and peers
//! are given up by a version of the network file, not by this.

use super::check::{self, FieldError};
use super::{Kind, KindName, SignerRule};
use crate::attestation::Claims;
use crate::audience::Audience;
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::key::KeyId;
use crate::table::{Bucket, Cell, Column, RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

crate::text::closed_set! {
    /// Why a key is given up.
    Why {
        /// Somebody else had it, or may have had it.
        Compromised => "compromised",
        /// Nobody has it any more.
        Lost => "lost",
        /// Its holder has no more use for it.
        Retired => "retired",
    }
}

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The key that is given up.
    pub key: KeyId,
    /// Since when its signatures may be another's; not after the statement itself.
    pub since: Timestamp,
    /// Why.
    pub why: Why,
}

/// Table `revocations`.
pub static REVOCATIONS: Table = Table {
    name: "revocations",
    columns: &[
        Column::text("key", "Key id, hex").required(),
        Column::text("holder", "Organisation or device that holds it").required(),
        Column::instant("since", "What the key signed from then on is in doubt").required(),
        Column::text("why", "`compromised`, `lost` or `retired`").required(),
    ],
    bucket: Bucket::Whole,
    meaning: "A key that its organisation or a registrar has given up",
};

impl Revocation {
    /// What counts as its content: another reason for the same is the same revocation.
    pub(super) fn normalised(&self) -> Vec<u8> {
        crate::cbor::to_vec(&(self.key, self.since)).expect("a byte string and an integer")
    }
}

impl Kind for Revocation {
    const NAME: KindName = KindName::Revocation;
    const SIGNER: SignerRule = SignerRule::Organisation;
    const TABLES: &'static [&'static Table] = &[&REVOCATIONS];

    fn check(&self) -> Result<(), FieldError> {
        Ok(())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let holder = matches!(&claims.sub, Subject::Org(_) | Subject::Device(_));
        check::form("/sub", holder, "the organisation or the device that holds the key")?;
        check::form("/aud", claims.aud == Audience::Public, "public")?;
        let past = self.since <= claims.iat;
        check::consistent("/since", past, "is later than the statement itself")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(self.key, self.since))
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        let cells = vec![
            Cell::text(self.key),
            Cell::text(&context.claims.sub),
            Cell::Instant(self.since),
            Cell::text(self.why),
        ];
        rows.push(&REVOCATIONS, context, cells);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{SecretKey, Signer as _};
    use crate::kind::Body;

    fn claims() -> Claims {
        let iss: crate::id::OrgId = "urn:hallmark:org:gln:6901234567892".parse().unwrap();
        Claims {
            sub: Subject::Org(iss.clone()),
            iss,
            aud: Audience::Public,
            iat: Timestamp::from_unix_ms(1_790_000_000_000),
            regions: Vec::new(),
        }
    }

    fn revocation(since: u64, why: Why) -> Body {
        let key = SecretKey::from_seed([3; 32]).public().id();
        Revocation { key, since: Timestamp::from_unix_ms(since), why }.into()
    }

    #[test]
    fn it_is_public_names_a_holder_and_begins_not_after_itself() {
        let body = revocation(1_790_000_000_000, Why::Lost);
        body.check_claims(&claims()).unwrap();
        let pointer = |body: &Body, claims| body.check_claims(&claims).unwrap_err().pointer;
        assert_eq!(pointer(&body, Claims { aud: Audience::Members, ..claims() }), "/aud");
        let goods = Subject::parse("https://id.gs1.org/01/06901234000207").unwrap();
        assert_eq!(pointer(&body, Claims { sub: goods, ..claims() }), "/sub");
        let later = revocation(1_790_000_000_001, Why::Lost);
        assert_eq!(pointer(&later, claims()), "/since");
    }

    #[test]
    fn another_reason_is_the_same_revocation_and_another_begin_a_further_one() {
        let (lost, known) = (revocation(7, Why::Lost), revocation(7, Why::Compromised));
        assert_eq!(lost.identity(&claims()), known.identity(&claims()));
        assert_eq!(lost.normalised(), known.normalised());
        let earlier = revocation(6, Why::Lost);
        assert_ne!(lost.identity(&claims()), earlier.identity(&claims()));
    }
}
