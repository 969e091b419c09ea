//! `/peers/{hex}` and `/witness/{hex}`: our copies of others' logs, and what our witness has seen of
//! them, by the SHA-256 of their origin.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::log::{CHECKPOINTS_MAX, after, note, parse_tile, tile_of};
use super::problem::ApiError;
use super::query::Asked;
use super::{Ctx, blocking, owner_only, read_body};
use crate::config::Peer;
use crate::peers::view::view;
use crate::serve::Origin;

/// Most bytes of a named address.
const PEER_BYTES_MAX: usize = 4096;

/// `GET /witness/{hex}/checkpoint`: the newest that this node's witness has cosigned (tlog-witness,
/// monitoring).
pub(super) async fn witnessed(
    State(app): Ctx,
    Path(hex): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    app.witness.seen(&hex).map(|seen| note(&headers, seen.note)).ok_or(ApiError::NotFound)
}

/// `GET /peers/{hex}/checkpoint`: the newest of which every tile is here.
pub(super) async fn checkpoint(
    State(app): Ctx,
    Path(hex): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let work = move || app.node.mirror().by_digest(&hex)?.whole_checkpoint();
    let newest = blocking(work).await?.ok_or(ApiError::NotFound)?;
    Ok(note(&headers, newest.to_string()))
}

/// `GET /peers/{hex}/checkpoints`: those that were copied, oldest first.
pub(super) async fn checkpoints(
    State(app): Ctx,
    Path(hex): Path<String>,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after = after(asked)?;
    let log = app.node.mirror().by_digest(&hex).ok_or(ApiError::NotFound)?;
    let found = blocking(move || log.checkpoints_after(after, CHECKPOINTS_MAX)).await??;
    Ok(note(&headers, found.join("\n")))
}

/// `GET /peers/{hex}/tile/…`
pub(super) async fn tile(
    State(app): Ctx,
    Path((hex, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = parse_tile(&path)?;
    let log = app.node.mirror().by_digest(&hex).ok_or(ApiError::NotFound)?;
    let bytes = blocking(move || log.tile(&path)).await??.ok_or(ApiError::NotFound)?;
    Ok(tile_of(&headers, path, bytes))
}

/// `GET /local/peers`: everything that `hallmark-node peer` prints.
pub(super) async fn list(State(app): Ctx, origin: Origin) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let view = blocking(move || view(&app)).await??;
    Ok(axum::Json(view).into_response())
}

/// `POST /local/peers`: an address that the owner names.
pub(super) async fn add(
    State(app): Ctx,
    origin: Origin,
    request: Request,
) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let bytes = read_body(&app, request.into_body(), PEER_BYTES_MAX).await?;
    let peer: Peer =
        serde_json::from_slice(&bytes).map_err(|e| ApiError::malformed(e.to_string()))?;
    app.addresses.name(peer);
    Ok(StatusCode::NO_CONTENT.into_response())
}
