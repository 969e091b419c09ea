//! `/healthz`, `/readyz`, `/metrics`: alive, ready and why not, numbers.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::problem::ApiError;
use super::{Ctx, owner_only};
use crate::serve::Origin;

/// `GET /healthz`
pub(super) async fn alive() -> &'static str {
    "alive\n"
}

/// `GET /readyz`: 200, or 503 with what is missing.
pub(super) async fn ready(State(app): Ctx) -> Response {
    let readiness = app.readiness();
    let status =
        if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = (status, axum::Json(&readiness)).into_response();
    if status != StatusCode::OK {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// `GET /local/status`: everything that `hallmark-node status` prints.
pub(super) async fn status(State(app): Ctx, origin: Origin) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let view = super::blocking(move || app.status_view()).await??;
    Ok(axum::Json(view).into_response())
}

/// `GET /metrics`: Prometheus text.
pub(super) async fn metrics(State(app): Ctx) -> Result<Response, ApiError> {
    let text = super::blocking(move || app.metrics_text()).await??;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
