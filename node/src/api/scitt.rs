//! `/.well-known/scitt-keys` (SCRAPI): the key that signs receipts, as a COSE Key Set.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallmark_schemas::key::Signer;

use super::problem::ApiError;
use super::{Ctx, cached};

/// A log keeps its key for years; whoever comes again within minutes need not ask.
const CONTROL: &str = "public, max-age=300";

/// `GET /.well-known/scitt-keys`
pub(super) async fn keys(State(app): Ctx, headers: HeaderMap) -> Response {
    let own = app.log_key.public();
    let mut set = vec![0x81];
    set.extend(own.cose_key());
    cached(&headers, "application/cose-key-set", CONTROL, &own.id().to_string(), set)
}

/// `GET /.well-known/scitt-keys/{kid}`: the kid is base64url, or hex.
pub(super) async fn key(
    State(app): Ctx,
    Path(kid): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let own = app.log_key.public();
    let is_own = kid == own.id().to_string()
        || URL_SAFE_NO_PAD.decode(&kid).is_ok_and(|kid| kid == own.id().bytes());
    if !is_own {
        return Err(ApiError::NotFound);
    }
    let tag = own.id().to_string();
    Ok(cached(&headers, "application/cose-key", CONTROL, &tag, own.cose_key()))
}
