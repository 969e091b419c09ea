//! `/network.hallmark`: what everything is proved from; the owner may bring a newer version.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::id::OrgId;
use hallmark_schemas::network::NetworkFile;
use serde_json::json;

use super::problem::{ApiError, with_causes};
use super::{BODY_BYTES_MAX, Ctx, blocking, cached, owner_only, read_body};
use crate::serve::Origin;

/// `GET /network.hallmark`
pub(super) async fn show(State(app): Ctx, origin: Origin, headers: HeaderMap) -> Response {
    if origin == Origin::Socket {
        // The owner is about to make the next version: none that is logged may be forgotten.
        let service = app.clone();
        if let Ok(Err(reason)) = blocking(move || service.adopt_logged()).await {
            tracing::warn!(reason, "cannot take over a logged network file");
        }
    }
    let file = app.network();
    let tag = format!("{}-{}", file.network().name, file.network().version);
    let kind = "application/vnd.hallmark.network+cbor";
    cached(&headers, kind, "no-cache, max-age=0", &tag, file.bytes().to_vec())
}

/// `POST /local/network`: the owner's command made the next version.
pub(super) async fn adopt(
    State(app): Ctx,
    origin: Origin,
    request: Request,
) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let bytes = read_body(&app, request.into_body(), BODY_BYTES_MAX).await?;
    let file = NetworkFile::parse(&bytes).map_err(|e| ApiError::malformed(with_causes(&e)))?;
    let service = app.clone();
    blocking(move || service.adopt_network(file))
        .await?
        .map_err(|detail| ApiError::Unproved { detail })?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /local/organisations/{org}`: the key that an organisation has, by the logs held here.
pub(super) async fn organisation(
    State(app): Ctx,
    origin: Origin,
    Path(org): Path<OrgId>,
) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let known = app.node.keys().read(|history| {
        let record = history.organisation(&org)?;
        let key = history.key(&record.key)?;
        Some(json!({ "key": key, "next_key_commitment": record.next_key_commitment }))
    });
    Ok(axum::Json(known.ok_or(ApiError::NotFound)?).into_response())
}
