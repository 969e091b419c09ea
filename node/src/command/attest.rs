//! Sends what a command signed, and waits for the node's word.

use std::path::Path;
use std::time::Duration;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::exit::Exit;

use super::{running, send_outbox, wait_for};
use crate::failure::Failure;
use crate::outbox::{self, Fate};
use crate::socket::Local;

/// Puts them into the outbox and sends it; the ids under which they are stored. `undone` says what did
/// not come of it where one is not.
pub(super) fn attest(
    dir: &Path,
    signed: &[Envelope],
    undone: &str,
) -> Result<Vec<ContentId>, Failure> {
    outbox::put(dir, signed)?;
    let mut fates: Vec<Option<Fate>> = signed.iter().map(|_| None).collect();
    wait_for(async {
        let local: Local = running(dir).await?;
        send_outbox(dir, &local, Duration::ZERO, |id, told| {
            let place = signed.iter().position(|one| one.id() == *id);
            if let Some(fate) = place.and_then(|place| fates.get_mut(place)) {
                *fate = Some(told.clone());
            }
        })
        .await
    })?;
    let waits = |id: ContentId, reason: &str| {
        Failure::busy(format!("{undone}: {reason}"))
            .note(format!("{id} waits in the outbox"))
            .help("run the command again when `hallmark-node status` is well")
    };
    let of = |(one, fate): (&Envelope, Option<Fate>)| match fate {
        Some(Fate::Stored { id, .. }) => Ok(id),
        Some(Fate::Refused { reason }) => {
            Err(Failure::new(Exit::Found, format!("{undone}: the node refused: {reason}"))
                .help("what was refused lies in outbox/refused"))
        }
        Some(Fate::Deferred) => {
            Err(waits(one.id(), "the node does not know the key of its capture device"))
        }
        Some(Fate::Later { reason }) => Err(waits(one.id(), &reason)),
        None => Err(waits(one.id(), "the attestation was not sent")),
    };
    signed.iter().zip(fates).map(of).collect()
}
