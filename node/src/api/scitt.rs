//! `/.well-known/scitt-keys` (SCRAPI): the key that signs receipts, as a COSE Key Set.

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallmark_schemas::key::Signer;

use super::Ctx;
use super::problem::ApiError;

/// `GET /.well-known/scitt-keys`
pub(super) async fn keys(State(app): Ctx) -> Response {
    let mut set = vec![0x81];
    set.extend(app.log_key.public().cose_key());
    cbor("application/cose-key-set", set)
}

/// `GET /.well-known/scitt-keys/{kid}`: the kid is base64url, or hex.
pub(super) async fn key(State(app): Ctx, Path(kid): Path<String>) -> Result<Response, ApiError> {
    let own = app.log_key.public();
    let is_own = kid == own.id().to_string()
        || URL_SAFE_NO_PAD.decode(&kid).is_ok_and(|kid| kid == own.id().bytes());
    if !is_own {
        return Err(ApiError::NotFound);
    }
    Ok(cbor("application/cose-key", own.cose_key()))
}

fn cbor(kind: &'static str, bytes: Vec<u8>) -> Response {
    let head = [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=300")];
    (StatusCode::OK, head, bytes).into_response()
}
