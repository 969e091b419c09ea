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

/// `GET /readyz`: 200, or a problem with the same parts, which say what is missing.
pub(super) async fn ready(State(app): Ctx) -> Response {
    let readiness = app.readiness();
    if readiness.is_ready() {
        return axum::Json(&readiness).into_response();
    }
    let mut problem = serde_json::to_value(&readiness).unwrap_or_default();
    problem["type"] = "urn:hallmark:problem:not_ready".into();
    problem["title"] = "not ready".into();
    problem["status"] = StatusCode::SERVICE_UNAVAILABLE.as_u16().into();
    problem["detail"] = "each part that is not `ready` says why".into();
    let head = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
        (header::RETRY_AFTER, HeaderValue::from_static("1")),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, head, problem.to_string()).into_response()
}

/// `GET /local/status`: everything that `hallmark-node status` prints.
pub(super) async fn status(State(app): Ctx, origin: Origin) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let view = super::blocking(move || app.status_view()).await??;
    Ok(axum::Json(view).into_response())
}

/// `POST /local/reindex`: begins to build the index again; `/local/status` says how far it is.
pub(super) async fn reindex(State(app): Ctx, origin: Origin) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let work = tokio::spawn(async move {
        let done = app.node.reindex().await;
        app.evidence_changed.notify_one();
        done
    });
    // It goes on if whoever asked has gone.
    work.await.map_err(|panic| ApiError::Fault { cause: panic.to_string() })??;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// `GET /metrics`: Prometheus text.
pub(super) async fn metrics(State(app): Ctx) -> Result<Response, ApiError> {
    let text = super::blocking(move || app.metrics_text()).await??;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
