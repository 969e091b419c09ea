//! Who is given which body, whatever the road it is asked for.
//!
//! Invariants: a body is given to whom its audience admits, to its issuer, and back to the log that
//! gave it to us; to a member only where its regions admit where that is established, by the
//! registrar's word; what is not given looks as if it were not here, and takes as long.

use hallmark_schemas::attestation::{Claims, ContentId, Envelope};
use hallmark_schemas::audience::Region;
use hallmark_schemas::token::Scope;
use tokio::time::{Duration, Instant, sleep_until};

use crate::api::caller::Caller;
use crate::service::Service;
use crate::store::StoreError;

/// An answer that gives nothing leaves no earlier than this after its question, whether the body
/// exists or not.
const HIDING_TIME: Duration = Duration::from_millis(10);
/// So much later for each further body that was asked for: more than it takes to read one that is
/// here and not given.
const HIDING_TIME_EACH: Duration = Duration::from_millis(1);

/// Holds back an answer that does not give all of what was asked for, until [`hidden_for`].
pub async fn hide(started: Instant, asked: usize) {
    sleep_until(started + hidden_for(started.elapsed(), asked)).await;
}

/// How long after its question an answer leaves that was made in this time: at a beat that no
/// reading moves. One that took longer than a beat waits for the next.
fn hidden_for(took: Duration, asked: usize) -> Duration {
    let more = u32::try_from(asked.saturating_sub(1)).unwrap_or(u32::MAX);
    let beat = HIDING_TIME.saturating_add(HIDING_TIME_EACH.saturating_mul(more));
    let beats = took.as_nanos() / beat.as_nanos() + 1;
    beat.saturating_mul(u32::try_from(beats).unwrap_or(u32::MAX))
}

/// Who asks, and where its nodes are.
#[derive(Clone, Debug)]
pub struct Asker {
    caller: Caller,
    regions: Vec<Region>,
}

impl Asker {
    /// With the regions in which a member is established, as it was admitted.
    pub fn new(service: &Service, caller: Caller) -> Asker {
        let regions = match &caller {
            Caller::Member { org, .. } => service.node.keys().read(|keys| {
                keys.organisation(org).map(|known| known.regions.clone()).unwrap_or_default()
            }),
            Caller::Owner | Caller::Anyone(_) => Vec::new(),
        };
        Asker { caller, regions }
    }

    /// Whether it may read a body with these claims. What is public anyone may read where it is
    /// held; a member's node would keep it.
    pub fn may_read(&self, claims: &Claims) -> bool {
        let is_there = match &self.caller {
            Caller::Member { .. } => Region::admit(&claims.regions, &self.regions),
            Caller::Owner | Caller::Anyone(_) => true,
        };
        is_there && self.caller.may_read(&claims.aud, &claims.iss)
    }

    /// Who asks.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }
}

/// The body with this id, if it is here and may be given to whoever asks. Reads files: it blocks.
pub fn body_for(
    service: &Service,
    asker: &Asker,
    id: &ContentId,
) -> Result<Option<Envelope>, StoreError> {
    let Some(stored) = service.node.body(id)? else { return Ok(None) };
    let Ok(envelope) = Envelope::parse(&stored) else { return Ok(None) };
    let is_given =
        asker.may_read(envelope.claims()) || is_from_its_log(service, asker.caller(), id)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_gives_nothing_leaves_at_a_beat_that_no_reading_moves() {
        let ms = Duration::from_millis;
        for (took, asked, leaves) in
            [(0, 1, 10), (9, 1, 10), (13, 1, 20), (0, 0, 10), (0, 256, 265), (70, 256, 265)]
        {
            assert_eq!(hidden_for(ms(took), asked), ms(leaves), "{took} ms for {asked}");
        }
    }
}
