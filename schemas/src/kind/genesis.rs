//! `genesis`: entry 0 of a log says whose log it is and under which keys.
//!
//! Invariants: one genesis a log; its keys are all distinct; a successor names the log it follows
//! and the last head known of it.

use super::check::{self, FieldError};
use super::organisation::LogKeys;
use super::value::Digest;
use super::{Kind, KindName, SignerRule};
use crate::attestation::Claims;
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::table::{RowContext, Rows, Table};
use serde::{Deserialize, Serialize};

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Name of the network.
    pub network: String,
    /// The log's origin and the keys of its node.
    pub keys: LogKeys,
    /// The lost or sealed log that this one follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
}

/// The last head known of a log that has ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// Its origin.
    pub origin: String,
    /// Its size in entries.
    pub size: u64,
    /// Its root hash.
    pub root: Digest,
}

impl Previous {
    /// Refuses what no log can be.
    pub(crate) fn check(&self) -> Result<(), FieldError> {
        check::text("/origin", &self.origin, check::NAME_BYTES_MAX)?;
        check::range("/size", self.size, 0..=i64::MAX)
    }
}

impl Kind for Genesis {
    const NAME: KindName = KindName::Genesis;
    const SIGNER: SignerRule = SignerRule::Organisation;
    const TABLES: &'static [&'static Table] = &[];

    fn check(&self) -> Result<(), FieldError> {
        check::network_name("/network", &self.network)?;
        self.keys.check().map_err(|error| error.under("/keys"))?;
        if let Some(previous) = &self.previous {
            previous.check().map_err(|error| error.under("/previous"))?;
            let other = previous.origin != self.keys.origin;
            check::consistent("/previous/origin", other, "is the origin of this log itself")?;
        }
        Ok(())
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let own = matches!(&claims.sub, Subject::Log(origin) if *origin == self.keys.origin);
        check::form("/sub", own, "the log's origin")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(&self.keys.origin,))
    }

    fn rows(&self, _: &RowContext<'_>, _: &mut Rows) {}
}
