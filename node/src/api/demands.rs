//! `/local/demands`: what the owner's `peer wanted` and `peer demand` must know.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::attestation::ContentId;

use super::problem::ApiError;
use super::{Ctx, blocking, owner_only};
use crate::demand;
use crate::serve::Origin;

/// `GET /local/demands`: bodies that followed logs name and that are not here.
pub(super) async fn list(State(app): Ctx, origin: Origin) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let missing = blocking(move || demand::missing(&app)).await??;
    Ok(axum::Json(missing).into_response())
}

/// `GET /local/demands/{id}`: where other logs name this body.
pub(super) async fn show(
    State(app): Ctx,
    origin: Origin,
    Path(id): Path<ContentId>,
) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let places = blocking(move || demand::places(&app, &id)).await??;
    Ok(axum::Json(places).into_response())
}
