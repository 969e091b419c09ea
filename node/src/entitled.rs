//! Who is given which body, whatever the road it is asked for.
//!
//! Invariants: a body is given to whom its audience admits, to its issuer, and back to the log that
//! gave it to us; what is not given looks as if it were not here, and takes as long.

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::token::Scope;
use tokio::time::Duration;

use crate::api::caller::Caller;
use crate::service::Service;
use crate::store::StoreError;

/// An answer that gives nothing leaves no earlier than this after its question, whether the body
/// exists or not.
pub const HIDING_TIME: Duration = Duration::from_millis(10);

/// The body with this id, if it is here and may be given to `caller`. Reads files: it blocks.
pub fn body_for(
    service: &Service,
    caller: &Caller,
    id: &ContentId,
) -> Result<Option<Envelope>, StoreError> {
    let Some(stored) = service.node.body(id)? else { return Ok(None) };
    let Ok(envelope) = Envelope::parse(&stored) else { return Ok(None) };
    let claims = envelope.claims();
    let is_given =
        caller.may_read(&claims.aud, &claims.iss) || is_from_its_log(service, caller, id)?;
    Ok(is_given.then_some(envelope))
}

/// Whether the caller's own log gave us this body: it gets it back after a loss, whatever the
/// audience. An entry that names the body does not say so: a log may name what it never had.
fn is_from_its_log(service: &Service, caller: &Caller, id: &ContentId) -> Result<bool, StoreError> {
    let Caller::Member { org, scope: Scope::Read | Scope::Admin } = caller else {
        return Ok(false);
    };
    let network = service.network();
    let members = network.network().members.iter().filter(|member| member.org == *org);
    for log in members.filter_map(|member| service.node.mirror().log(&member.origin)) {
        if log.body(id)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}
