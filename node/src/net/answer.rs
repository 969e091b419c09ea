//! What a peer is answered: the same as over HTTP, to whom its connection proves that it is.
//!
//! Invariants: a body leaves only to whom its audience admits; a body that may not be told of and one
//! that does not exist answer alike, and as late.

use std::convert::Infallible;
use std::sync::Arc;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::layout::peer_name;
use hallmark_schemas::tile::TilePath;
use hallmark_schemas::token::Scope;
use tokio::time::Instant;

use super::roster::Peer;
use super::wire::{self, Question, Reply};
use crate::admission::{AdmitError, Admitted};
use crate::api::caller::Caller;
use crate::api::problem::with_causes;
use crate::defect::exchange;
use crate::entitled::{Asker, body_for, hide};
use crate::service::Service;
use crate::store::StoreError;
use crate::witness::guard::{holds, newest_held};
use crate::witness::recall::held;
use crate::witness::{Answer, Fault};

/// Answers one question of this peer.
pub(super) async fn answer(service: &Arc<Service>, peer: &Peer, question: Question) -> Reply {
    let asked = Arc::clone(service);
    match question {
        Question::Submit { attestation } => submit(service, &attestation).await,
        Question::Bodies { ids } => bodies(service, peer, ids).await,
        // The loop takes it in, without work.
        Question::KeptOut { .. } => Reply::ok(Vec::new()),
        Question::Network => Reply::ok(service.network().bytes().to_vec()),
        Question::Defects => blocking(move || Ok(Reply::ok(exchange::list(&asked)?.into()))).await,
        Question::Defect { digest } => blocking(move || defect(&asked, &digest)).await,
        Question::Checkpoint { log } => blocking(move || Ok(found(checkpoint(&asked, &log)))).await,
        Question::Held { log } => blocking(move || Ok(held_of(&asked, &log))).await,
        Question::Tile { log, path } => {
            blocking(move || Ok(found(tile(&asked, &log, &path)?))).await
        }
        Question::Cosign { request } => blocking(move || cosign(&asked, &request)).await,
    }
}

/// Off the async threads; a failure of ours tells the peer only that.
async fn blocking(work: impl FnOnce() -> Result<Reply, StoreError> + Send + 'static) -> Reply {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => {
            tracing::warn!(error = %with_causes(&error), "a peer's question is not answered");
            Reply::refused(500, "this node cannot read its own files")
        }
        Err(_) => Reply::refused(500, "a bug"),
    }
}

fn found(bytes: Option<Vec<u8>>) -> Reply {
    bytes.map_or_else(|| Reply::refused(404, ""), Reply::ok)
}

fn checkpoint(service: &Service, log: &str) -> Option<Vec<u8>> {
    if log == peer_name(&service.config.origin) {
        return Some(service.node.log().published()?.note.to_string().into_bytes());
    }
    newest_held(&service.witness, service.node.mirror(), log).map(String::into_bytes)
}

fn held_of(service: &Service, log: &str) -> Reply {
    let mut holds = holds(&service.witness, service.node.mirror(), log);
    let own = || Some(service.node.log().published()?.note.to_string());
    if log == peer_name(&service.config.origin) {
        holds[1] = own();
    }
    if holds.iter().all(Option::is_none) {
        return Reply::refused(404, "");
    }
    let framed = wire::frame_bodies::<Infallible>(holds.len(), |place| {
        Ok(holds[place].take().map(String::into_bytes))
    });
    framed.map_or_else(|never| match never {}, Reply::ok)
}

fn tile(service: &Service, log: &str, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let Ok(path) = path.parse::<TilePath>() else { return Ok(None) };
    if log == peer_name(&service.config.origin) {
        return service.node.log().tile(&path);
    }
    service.node.mirror().by_digest(log).map_or(Ok(None), |log| log.tile(&path))
}

/// One that is too long for an answer is read over HTTP.
fn defect(service: &Service, digest: &str) -> Result<Reply, StoreError> {
    let proof = exchange::proof(service, digest, true)?;
    Ok(match proof {
        Some((proof, _)) if wire::ANSWER_BYTES_MAX - 2 < proof.len() => {
            Reply::refused(503, "it is longer than an answer over this connection")
        }
        proof => found(proof.map(|(proof, _)| proof)),
    })
}

async fn bodies(service: &Arc<Service>, peer: &Peer, ids: Vec<ContentId>) -> Reply {
    let started = Instant::now();
    let (reading, asked) = (Arc::clone(service), ids.len());
    let caller = Caller::Member { org: peer.org.clone(), scope: Scope::Read };
    let reply = blocking(move || {
        let asker = Asker::new(&reading, caller);
        let framed = wire::frame_bodies(ids.len(), |place| {
            let body = body_for(&reading, &asker, &ids[place])?;
            Ok::<_, StoreError>(body.map(|envelope| envelope.into_stored().into_vec()))
        })?;
        Ok(Reply::ok(framed))
    })
    .await;
    let is_whole = wire::parse_bodies(&reply.body, asked)
        .is_some_and(|bodies| bodies.iter().all(Option::is_some));
    if !is_whole {
        hide(started, asked).await;
    }
    reply
}

/// The statuses of tlog-witness.
fn cosign(service: &Service, request: &[u8]) -> Result<Reply, StoreError> {
    let (network, now) = (service.network(), (service.clock)());
    let answer = service.heeded(service.witness.add_checkpoint(
        &network,
        request,
        |hex| held(service, hex),
        now,
    ));
    Ok(match answer {
        Ok(Answer::Cosigned { lines }) => Reply::ok(lines.into_bytes()),
        Ok(Answer::Conflict { size }) => Reply::refused(409, format!("{size}\n")),
        Err(fault) => {
            let status = match &fault {
                Fault::UnknownLog { .. } => 404,
                Fault::Untrusted { .. } => 403,
                Fault::Malformed { .. } => 400,
                Fault::Unproved { .. } => 422,
                Fault::Forgotten { .. } => 503,
                Fault::Disk { .. } | Fault::Failed | Fault::Sign { .. } => 500,
            };
            let reply = Reply::refused(status, fault.to_string());
            if let Fault::Unproved { claim: Some(claim), .. } = fault {
                crate::defect::keep(service, *claim)?;
            }
            reply
        }
    })
}

/// The statuses of `POST /entries`.
async fn submit(service: &Arc<Service>, attestation: &[u8]) -> Reply {
    let stored = match Envelope::parse_transit(attestation) {
        Ok((envelope, _)) => envelope.stored().to_vec(),
        Err(error) => return Reply::refused(400, with_causes(&error)),
    };
    match service.admit(stored).await {
        Ok(Admitted::Stored { id, .. } | Admitted::Deferred { id }) => {
            Reply { status: 303, body: id.to_string().into_bytes() }
        }
        Err(error @ (AdmitError::Busy { .. } | AdmitError::Full { .. })) => {
            Reply::refused(503, with_causes(&error))
        }
        Err(error) => Reply::refused(400, with_causes(&error)),
    }
}
