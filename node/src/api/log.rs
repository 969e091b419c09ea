//! `/log`: the own log as tlog-tiles, and the witness's `add-checkpoint`.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::tile::TilePath;

use super::problem::ApiError;
use super::{CHECKPOINT_REQUEST_BYTES_MAX, Ctx, IMMUTABLE, blocking, cached, read_body};
use crate::witness::{Answer, Fault};

/// `GET /log/checkpoint`: the newest published checkpoint.
pub(super) async fn checkpoint(State(app): Ctx) -> Result<Response, ApiError> {
    let published = app.node.log().published().ok_or(ApiError::NotFound)?;
    Ok(note(published.note.to_string()))
}

/// `GET /log/tile/…`: hash tiles and entry bundles, immutable.
pub(super) async fn tile(
    State(app): Ctx,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = parse_tile(&path)?;
    let (log, wanted) = (app.node.log().clone(), path);
    let bytes = blocking(move || log.tile(&wanted)).await??.ok_or(ApiError::NotFound)?;
    let tag = path.to_string();
    Ok(cached(&headers, "application/octet-stream", IMMUTABLE, &tag, bytes))
}

/// `POST /log/add-checkpoint` (tlog-witness).
pub(super) async fn add_checkpoint(
    State(app): Ctx,
    request: Request,
) -> Result<Response, ApiError> {
    let bytes = read_body(&app, request.into_body(), CHECKPOINT_REQUEST_BYTES_MAX).await?;
    let work = move || {
        let (network, now) = (app.network(), (app.clock)());
        app.heeded(app.witness.add_checkpoint(&network, &bytes, now))
    };
    let answer = blocking(work).await?;
    let plain = |status: StatusCode, text: String| {
        (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response()
    };
    Ok(match answer {
        Ok(Answer::Cosigned { lines }) => plain(StatusCode::OK, lines),
        Ok(Answer::Conflict { size }) => {
            let kind = [(header::CONTENT_TYPE, "text/x.tlog.size")];
            (StatusCode::CONFLICT, kind, format!("{size}\n")).into_response()
        }
        Err(Fault::UnknownLog { .. }) => return Err(ApiError::NotFound),
        Err(fault @ Fault::Untrusted { .. }) => {
            return Err(ApiError::Forbidden { detail: fault.to_string() });
        }
        Err(fault @ Fault::Malformed { .. }) => return Err(ApiError::malformed(fault.to_string())),
        Err(fault @ Fault::Unproved { .. }) => {
            return Err(ApiError::Unproved { detail: fault.to_string() });
        }
        Err(fault @ (Fault::Disk { .. } | Fault::Failed | Fault::Sign { .. })) => {
            let cause = super::problem::with_causes(&fault);
            return Err(ApiError::Fault { cause });
        }
    })
}

/// A signed note; it changes with every batch.
pub(super) fn note(text: String) -> Response {
    let head = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-cache, max-age=0"),
    ];
    (StatusCode::OK, head, text).into_response()
}

/// The path behind `…/tile/`.
pub(super) fn parse_tile(path: &str) -> Result<TilePath, ApiError> {
    format!("tile/{path}").parse().map_err(|_| ApiError::NotFound)
}
