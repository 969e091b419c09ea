//! `/network.hallmark`: what everything is proved from; the owner may bring a newer version.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::network::NetworkFile;

use super::problem::{ApiError, with_causes};
use super::{BODY_BYTES_MAX, Ctx, blocking, cached, owner_only, read_body};
use crate::serve::Origin;

/// `GET /network.hallmark`
pub(super) async fn show(State(app): Ctx, headers: HeaderMap) -> Response {
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
