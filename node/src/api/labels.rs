//! `/local/labels/{gtin}`: what the owner's `label` must know before it makes codes.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use super::problem::{ApiError, with_causes};
use super::{Ctx, blocking, owner_only};
use crate::labels::gtin14;
use crate::serve::Origin;

/// `GET /local/labels/{gtin}`: the organisation's `label` attestations for it.
pub(super) async fn ranges(
    State(app): Ctx,
    origin: Origin,
    Path(gtin): Path<String>,
) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let (_, class) = gtin14(&gtin).map_err(ApiError::malformed)?;
    let ranges = blocking(move || app.labels.ranges(app.node.log(), &class)).await?;
    let ranges = ranges.map_err(|e| ApiError::Fault { cause: with_causes(&e) })?;
    Ok(axum::Json(ranges).into_response())
}
