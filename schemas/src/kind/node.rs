//! `node`: where an organisation's node is reached, renewed when its addresses change.

use super::check::{self, FieldError};
use super::{Kind, KindName};
use crate::attestation::Claims;
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::table::{RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Most addresses of one sort.
pub const ADDRESSES_MAX: usize = 16;

/// See the module's words. Of two, the one with the later `from_at` holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// Since when the addresses hold.
    pub from_at: Timestamp,
    /// Base URLs of its HTTP service, best first, without a slash at the end.
    pub urls: Vec<String>,
    /// libp2p multiaddresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub multiaddrs: Vec<String>,
}

/// Refuses a list of addresses that is too long or holds something of another form.
pub(crate) fn check_addresses(urls: &[String], multiaddrs: &[String]) -> Result<(), FieldError> {
    check::count("/urls", urls.len(), 0..=ADDRESSES_MAX)?;
    for (index, url) in urls.iter().enumerate() {
        let pointer = format!("/urls/{index}");
        check::text(&pointer, url, check::ADDRESS_BYTES_MAX)?;
        let http = url.starts_with("https://") || url.starts_with("http://");
        let plain = !url.ends_with('/') && !url.contains(['?', '#', ' ']);
        check::form(&pointer, http && plain, "an http or https URL without query or final slash")?;
    }
    check::count("/multiaddrs", multiaddrs.len(), 0..=ADDRESSES_MAX)?;
    for (index, address) in multiaddrs.iter().enumerate() {
        let pointer = format!("/multiaddrs/{index}");
        check::text(&pointer, address, check::ADDRESS_BYTES_MAX)?;
        check::form(&pointer, address.starts_with('/'), "a multiaddress")?;
    }
    Ok(())
}

impl Kind for Node {
    const NAME: KindName = KindName::Node;
    const TABLES: &'static [&'static Table] = &[];

    fn check(&self) -> Result<(), FieldError> {
        check_addresses(&self.urls, &self.multiaddrs)
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), FieldError> {
        let own = matches!(&claims.sub, Subject::Org(org) if *org == claims.iss);
        check::form("/sub", own, "the issuing organisation")
    }

    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        NaturalIdentity::of(Self::NAME, &claims.iss, &(self.from_at,))
    }

    fn rows(&self, _: &RowContext<'_>, _: &mut Rows) {}
}
