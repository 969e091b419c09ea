//! `/log`: the own log as tlog-tiles, and the witness's `add-checkpoint`.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::hex;
use hallmark_schemas::tile::TilePath;
use sha2::{Digest, Sha256};

use super::problem::ApiError;
use super::query::Asked;
use super::{CHECKPOINT_REQUEST_BYTES_MAX, Ctx, IMMUTABLE, blocking, cached, gzip, read_body};
use crate::defect;
use crate::witness::recall::held;
use crate::witness::{Answer, Fault};

/// Most checkpoints of one answer.
pub(super) const CHECKPOINTS_MAX: usize = 256;
/// Packed anew for each request, so no effort beyond what pays.
const GZIP_LEVEL: u32 = 1;
/// When a log in doubt may be asked about again, in seconds.
const FORGOTTEN_AFTER_S: u64 = 5;

/// `GET /log/checkpoint`: the newest published checkpoint.
pub(super) async fn checkpoint(State(app): Ctx, headers: HeaderMap) -> Result<Response, ApiError> {
    let published = app.node.log().published().ok_or(ApiError::NotFound)?;
    Ok(note(&headers, published.note.to_string()))
}

/// `GET /log/checkpoints`: those that were published, oldest first.
pub(super) async fn checkpoints(
    State(app): Ctx,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let after = after(asked)?;
    let found = blocking(move || app.checkpoints().after(after, CHECKPOINTS_MAX)).await??;
    Ok(note(&headers, found.join("\n")))
}

/// The size after which a history is asked for.
pub(super) fn after(asked: Asked) -> Result<u64, ApiError> {
    let asked = asked.only(&["after"])?;
    Ok(asked.parsed("after", "the size of a tree")?.unwrap_or(0))
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
    Ok(tile_of(&headers, path, bytes))
}

/// A tile as it is sent: hashes as they are, bundles packed where the client takes that, because
/// lengths and instants repeat in them.
pub(super) fn tile_of(headers: &HeaderMap, path: TilePath, bytes: Vec<u8>) -> Response {
    const KIND: &str = "application/octet-stream";
    let tag = digest(&bytes);
    if matches!(path, TilePath::Hashes { .. }) {
        return cached(headers, KIND, IMMUTABLE, &tag, bytes);
    }
    let packed = if gzip::is_taken(headers) { gzip::pack(&bytes, GZIP_LEVEL) } else { None };
    let mut response = match packed {
        Some(packed) => {
            let mut response = cached(headers, KIND, IMMUTABLE, &format!("{tag}-gzip"), packed);
            if response.status() == StatusCode::OK {
                let gzip = HeaderValue::from_static("gzip");
                response.headers_mut().insert(header::CONTENT_ENCODING, gzip);
            }
            response
        }
        None => cached(headers, KIND, IMMUTABLE, &tag, bytes),
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    response
}

/// A validator that follows from the bytes: another log at this address has another.
fn digest(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..16])
}

/// `POST /log/add-checkpoint` (tlog-witness).
pub(super) async fn add_checkpoint(
    State(app): Ctx,
    request: Request,
) -> Result<Response, ApiError> {
    let bytes = read_body(&app, request.into_body(), CHECKPOINT_REQUEST_BYTES_MAX).await?;
    let asked = app.clone();
    let work = move || {
        let (network, now) = (asked.network(), (asked.clock)());
        asked.heeded(asked.witness.add_checkpoint(&network, &bytes, |hex| held(&asked, hex), now))
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
        Err(Fault::Unproved { claim: Some(claim), old, new, reason }) => {
            let fault = Fault::Unproved { claim: None, old, new, reason };
            blocking(move || defect::keep(&app, *claim)).await??;
            return Err(ApiError::Unproved { detail: fault.to_string() });
        }
        Err(fault @ Fault::Unproved { .. }) => {
            return Err(ApiError::Unproved { detail: fault.to_string() });
        }
        Err(fault @ Fault::Forgotten { .. }) => {
            let detail = fault.to_string();
            return Err(ApiError::Busy { after_s: FORGOTTEN_AFTER_S, detail });
        }
        Err(fault @ (Fault::Disk { .. } | Fault::Failed | Fault::Sign { .. })) => {
            let cause = super::problem::with_causes(&fault);
            return Err(ApiError::Fault { cause });
        }
    })
}

/// A signed note; it changes with every batch, and when it is cosigned anew.
pub(super) fn note(headers: &HeaderMap, text: String) -> Response {
    let tag = digest(text.as_bytes());
    cached(headers, "text/plain; charset=utf-8", "no-cache, max-age=0", &tag, text.into_bytes())
}

/// The path behind `…/tile/`. What names no tile is no route, as for a server of plain files.
pub(super) fn parse_tile(path: &str) -> Result<TilePath, ApiError> {
    format!("tile/{path}").parse().map_err(|_| ApiError::NotFound)
}

#[cfg(test)]
mod tests;
