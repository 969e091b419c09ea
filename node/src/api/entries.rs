//! `/entries` (SCRAPI): register a signed attestation, ask for its receipt.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::attestation::{ContentId, Envelope};
use tokio::sync::watch;

use super::problem::{ApiError, with_causes};
use super::{Ctx, SUBMISSION_BYTES_MAX, blocking, owner_only, read_body};
use crate::admission::Admitted;
use crate::core::{Node, Published};
use crate::serve::Origin;

/// The header that says how far an attestation has come: stored, recorded or deferred.
const STANDING: &str = "hallmark-status";

/// `POST /entries`: 201 with the receipt once recorded, else 303 and when to ask again.
pub(super) async fn register(State(app): Ctx, request: Request) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.starts_with("application/cose")) {
        return Err(ApiError::WrongType { wanted: "application/cose" });
    }
    let bytes = read_body(&app, body, SUBMISSION_BYTES_MAX).await?;
    let (envelope, _receipts) = Envelope::parse_transit(&bytes)
        .map_err(|e| ApiError::Refused { code: "malformed".to_owned(), detail: with_causes(&e) })?;
    let published = app.node.log().subscribe_published();
    let admitted = app.admit_parsed(envelope).await?;
    let patience = if wants_no_wait(&parts.headers) {
        std::time::Duration::ZERO
    } else {
        app.config.log.receipt_wait_max
    };
    registered(&app.node, admitted, patience, published).await
}

/// The answer to an admission, after waiting at most `patience` for the receipt.
async fn registered(
    node: &Node,
    admitted: Admitted,
    patience: std::time::Duration,
    published: watch::Receiver<Option<Published>>,
) -> Result<Response, ApiError> {
    let (id, known) = match admitted {
        Admitted::Stored { id, known } => (id, known),
        Admitted::Deferred { id } => return Ok(running(StatusCode::SEE_OTHER, &id, "deferred")),
    };
    if patience.is_zero() && !known {
        return Ok(running(StatusCode::SEE_OTHER, &id, "stored"));
    }
    let recorded = async {
        match known {
            true => node.recorded(&id).await,
            false => node.recorded_after(&id, published).await,
        }
    };
    if !patience.is_zero()
        && let Ok(recorded) = tokio::time::timeout(patience, recorded).await
    {
        return Ok(receipt_of(StatusCode::CREATED, &id, recorded?.receipt));
    }
    let (node, wanted) = (node.clone(), id);
    match blocking(move || node.log().receipt(&wanted)).await?? {
        Some(receipt) if !patience.is_zero() => Ok(receipt_of(StatusCode::CREATED, &id, receipt)),
        Some(_) => Ok(running(StatusCode::SEE_OTHER, &id, "recorded")),
        None => Ok(running(StatusCode::SEE_OTHER, &id, "stored")),
    }
}

/// `GET /entries/{id}`: 200 with the receipt, 302 while it runs, 404.
pub(super) async fn show(State(app): Ctx, Path(id): Path<String>) -> Result<Response, ApiError> {
    let id = parse_id(&id)?;
    let node = app.node.clone();
    match blocking(move || node.log().receipt(&id)).await?? {
        Some(receipt) => Ok(receipt_of(StatusCode::OK, &id, receipt)),
        None => {
            let node = app.node.clone();
            let is_stored = blocking(move || node.log().holds(&id)).await??;
            match (is_stored, app.is_deferred(&id)) {
                (true, _) => Ok(running(StatusCode::FOUND, &id, "stored")),
                (false, true) => Ok(running(StatusCode::FOUND, &id, "deferred")),
                (false, false) => Err(ApiError::NotFound),
            }
        }
    }
}

/// `GET /local/receipt/{id}`: index and receipt for the owner's commands.
pub(super) async fn receipt(
    State(app): Ctx,
    origin: Origin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let id = parse_id(&id)?;
    let node = app.node.clone();
    let place = blocking(move || node.log().index_of(&id)).await??;
    let (index, _) = place.ok_or(ApiError::NotFound)?;
    Ok(axum::Json(serde_json::json!({ "id": id.to_string(), "index": index })).into_response())
}

/// A content id as it stands in a path: `sha256:<hex>` or the bare hex.
pub(super) fn parse_id(text: &str) -> Result<ContentId, ApiError> {
    let full = if text.starts_with("sha256:") { text.to_owned() } else { format!("sha256:{text}") };
    full.parse().map_err(|_| ApiError::malformed("an id is `sha256:` and 64 lower-case hex digits"))
}

fn wants_no_wait(headers: &HeaderMap) -> bool {
    let prefer = headers.get("prefer").and_then(|value| value.to_str().ok());
    prefer.is_some_and(|prefer| prefer.contains("respond-async"))
}

fn location(id: &ContentId) -> HeaderValue {
    HeaderValue::from_str(&format!("/entries/{id}")).expect("an id is visible ASCII")
}

fn running(status: StatusCode, id: &ContentId, standing: &'static str) -> Response {
    let head = [
        (header::LOCATION, location(id)),
        (header::RETRY_AFTER, HeaderValue::from_static("1")),
        (header::HeaderName::from_static(STANDING), HeaderValue::from_static(standing)),
    ];
    (status, head).into_response()
}

fn receipt_of(status: StatusCode, id: &ContentId, receipt: Vec<u8>) -> Response {
    let head = [
        (header::LOCATION, location(id)),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/cose")),
        (header::HeaderName::from_static(STANDING), HeaderValue::from_static("recorded")),
    ];
    (status, head, receipt).into_response()
}
