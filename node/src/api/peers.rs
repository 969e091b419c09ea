//! `/peers/{hex}`: our copies of others' logs, by the SHA-256 of their origin.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::log::{note, parse_tile, tile_of};
use super::problem::ApiError;
use super::{Ctx, blocking};
use crate::witness::guard::newest_held;

/// `GET /peers/{hex}/checkpoint`: the newest that this node, as witness or mirror, has seen.
pub(super) async fn checkpoint(
    State(app): Ctx,
    Path(hex): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let newest = blocking(move || newest_held(&app.witness, app.node.mirror(), &hex)).await?;
    newest.map(|newest| note(&headers, newest)).ok_or(ApiError::NotFound)
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
