//! `/peers/{hex}`: our copies of others' logs, by the SHA-256 of their origin.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::log::{note, parse_tile, tile_of};
use super::problem::ApiError;
use super::{Ctx, blocking};

/// `GET /peers/{hex}/checkpoint`: the newest that this node, as witness or mirror, has seen.
pub(super) async fn checkpoint(
    State(app): Ctx,
    Path(hex): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let witness = app.witness.clone();
    let seen_hex = hex.clone();
    let seen = blocking(move || witness.seen(&seen_hex)).await?;
    let mirrored = app.node.mirror().by_digest(&hex);
    let held = mirrored.and_then(|log| Some((log.head().size, log.checkpoint()?)));
    match (seen, held) {
        (Some(seen), Some((size, held))) if seen.size < size => {
            Ok(note(&headers, held.to_string()))
        }
        (Some(seen), _) => Ok(note(&headers, seen.note)),
        (None, Some((_, held))) => Ok(note(&headers, held.to_string())),
        (None, None) => Err(ApiError::NotFound),
    }
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
