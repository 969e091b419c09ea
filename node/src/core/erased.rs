//! Which records of the logs held here were erased, and by whom.

use std::sync::Arc;

use hallmark_schemas::attestation::ContentId;

use super::Node;
use crate::erasure::Derived;
use crate::index::LogKey;
use crate::store::StoreError;

impl Node {
    /// What is made from bodies and quotes them.
    pub(crate) fn derived(&self) -> &Arc<Derived> {
        &self.inner.derived
    }

    /// By which attestation a record was erased, in the own log or a copy.
    pub fn erased_by(&self, id: &ContentId) -> Result<Option<ContentId>, StoreError> {
        let followed = self.mirror().logs();
        let followed = followed.iter().map(|log| LogKey::of(log.origin()));
        for log in std::iter::once(LogKey::of(self.log().origin())).chain(followed) {
            if let Some(erased) = self.inner.catalogue.erased(log, id)?.filter(|one| one.done) {
                return Ok(Some(erased.erasure));
            }
        }
        Ok(None)
    }
}
