//! `network`: a version of the network file, logged by a registrar.
//!
//! Invariant: `file` is a network file that parses, of the version stated beside it. Whether the
//! registrars' threshold signed it is asked where it is used.

use super::check::{self, FieldError, FieldFault};
use super::value::Blob;
use super::{Kind, KindName, SignerRule};
use crate::attestation::Claims;
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::network::{NETWORK_FILE_BYTES_MAX, NetworkFile};
use crate::role::Role;
use crate::table::{RowContext, Rows, Table};
use serde::{Deserialize, Serialize};

/// See the module's words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The file's version.
    pub version: u64,
    /// The file's bytes.
    pub file: Blob,
}

impl Kind for Network {
    const NAME: KindName = KindName::Network;
    const ISSUERS: &'static [Role] = &[Role::Registrar];
    const SIGNER: SignerRule = SignerRule::Organisation;
    const TABLES: &'static [&'static Table] = &[];

    fn check(&self) -> Result<(), FieldError> {
        let (max, found) = (NETWORK_FILE_BYTES_MAX, self.file.0.len());
        if max < found {
            return Err(FieldError::new("/file", FieldFault::TooLong { max, found }));
        }
        let file = NetworkFile::parse(&self.file.0).ok();
        check::form("/file", file.is_some(), "a network file signed by its registrars")?;
        let same = file.is_some_and(|file| file.network().version == self.version);
        check::consistent("/version", same, "is not the version of the file")
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let own = matches!(&claims.sub, Subject::Org(org) if *org == claims.iss);
        check::form("/sub", own, "the issuing registrar")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(self.version,))
    }

    fn rows(&self, _: &RowContext<'_>, _: &mut Rows) {}
}
