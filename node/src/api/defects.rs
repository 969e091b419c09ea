//! `/defects`: the defect proofs that this node keeps about the logs it follows.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;

use super::caller::Caller;
use super::log::note;
use super::problem::ApiError;
use super::{BODY, BODY_PRIVATE, Ctx, blocking, cached};
use crate::defect::exchange;

/// Media type of a defect proof.
pub(super) const KIND: &str = "application/vnd.hallmark.defect+cbor";

/// `GET /defects`: their digests, one a line.
pub(super) async fn list(State(app): Ctx, headers: HeaderMap) -> Result<Response, ApiError> {
    Ok(note(&headers, blocking(move || exchange::list(&app)).await??))
}

/// `GET /defects/{digest}`: one that the caller may see, with all that shows it.
pub(super) async fn show(
    State(app): Ctx,
    Path(digest): Path<String>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let is_member = !matches!(caller, Caller::Anyone(_));
    let name = digest.clone();
    let proof = blocking(move || exchange::proof(&app, &name, is_member)).await??;
    let (bytes, is_public) = proof.ok_or(ApiError::NotFound)?;
    let control = if is_public { BODY } else { BODY_PRIVATE };
    Ok(cached(&headers, KIND, control, &digest, bytes))
}
