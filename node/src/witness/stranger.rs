//! Witnesses of other networks: what tlog-witness promises is all that is known of them.
//!
//! Invariants: they are asked at the address in the policy and nowhere else; before the fork guard
//! is satisfied they are shown only what cannot fork: the published checkpoint, or that of the
//! empty tree, with which every tree begins; what one claims without a checkpoint under the log's
//! own signature, and has none to show, counts as no answer.

use std::sync::Arc;

use hallmark_schemas::head::Head;
use hallmark_schemas::merkle::EMPTY_ROOT;
use hallmark_schemas::note::SignedNote;

use super::encode_request;
use super::quorum::{POST_TYPE, proof_between};
use crate::api::problem::with_causes;
use crate::sequencer::publish::sign_checkpoint;
use crate::service::Service;

/// What a stranger says of our log.
pub(super) enum Standing {
    /// It has seen so many entries of the tree here.
    Within(u64),
    /// It has seen so many of another tree, or of more than is here: its bare word.
    Claims {
        /// The status that says so.
        status: u16,
        /// Entries that it says it has seen.
        size: u64,
    },
}

/// Asks a witness for the size that it has seen; Err: it did not say.
///
/// There is no route that only tells a size, so what is known to be safe is handed in again.
pub(super) async fn standing(service: &Arc<Service>, url: &str) -> Result<Standing, String> {
    let log = service.node.log().clone();
    let (head, note) = match log.published() {
        Some(published) => (published.head, (*published.note).clone()),
        None => (Head { size: 0, root: EMPTY_ROOT }, empty_tree(service)?),
    };
    let mut old = head.size;
    for _ in 0..2 {
        let proof = proof_between(service, old, head.size).await?;
        let body = encode_request(old, &proof, &note);
        let answer = service.client.post(&format!("{url}/add-checkpoint"), POST_TYPE, &body).await;
        let answer = answer.map_err(|e| with_causes(&e))?;
        match answer.status {
            200 => return Ok(Standing::Within(head.size)),
            409 => {
                let told = String::from_utf8_lossy(&answer.body).trim().parse();
                old = told.map_err(|_| format!("{url} answers 409 without a size"))?;
                // Of the published size it has seen another tree, or says so.
                if log.head().size < old || old == head.size {
                    return Ok(Standing::Claims { status: 409, size: old });
                }
                if head.size < old {
                    // Between what is published and what is sequenced: signed before a crash, and
                    // signed again to the same bytes.
                    return Ok(Standing::Within(old));
                }
            }
            422 => return Ok(Standing::Claims { status: 422, size: old }),
            // 404 in tlog-witness, 403 in witnesses older than it.
            403 | 404 => return Err(format!("{url} does not know this log")),
            status => return Err(format!("{url} answers {status}: {}", answer.text())),
        }
    }
    Err(format!("{url} keeps answering 409"))
}

/// The checkpoint of the empty tree.
fn empty_tree(service: &Service) -> Result<SignedNote, String> {
    let head = Head { size: 0, root: EMPTY_ROOT };
    let signer = service.node.log().signer();
    sign_checkpoint(&service.config.origin, head, signer).map_err(|e| with_causes(&e))
}
