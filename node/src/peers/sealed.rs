//! Logs that have ended: their copies are opened and served, nothing is fetched any more.

use std::sync::Arc;

use tracing::warn;

use crate::api::problem::with_causes;
use crate::service::Service;

/// Opens the copies of all sealed logs that are not open yet. Blocks.
pub(super) fn open(service: &Arc<Service>) {
    for sealed in &service.network().network().sealed {
        let copy = service.data.peer(&sealed.origin);
        if service.node.mirror().log(&sealed.origin).is_some() || !copy.path().is_dir() {
            continue;
        }
        if let Err(error) = service.node.mirror().follow(sealed.log_key.clone()) {
            let (origin, error) = (&sealed.origin, with_causes(&error));
            warn!(origin, error, "the copy of a sealed log cannot be opened");
        }
    }
}
