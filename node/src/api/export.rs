//! `POST /local/export`: the bundle that the owner's `export` asks for, as a stream.

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::problem::{ApiError, with_causes};
use super::{BODY_BYTES_MAX, Ctx, owner_only, read_body};
use crate::bundle::{self, Selection};
use crate::serve::Origin;

/// Pieces of at most 1 MiB that wait for the reader.
const PIECES_MAX: usize = 8;

/// Writes the bundle as it is read; a fault cuts the stream off, so that no half bundle looks whole.
pub(super) async fn bundle(
    State(app): Ctx,
    origin: Origin,
    request: Request,
) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let bytes = read_body(&app, request.into_body(), BODY_BYTES_MAX).await?;
    let selection: Selection = serde_json::from_slice(&bytes)
        .map_err(|e| ApiError::malformed(format!("no selection: {e}")))?;
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(PIECES_MAX);
    tokio::task::spawn_blocking(move || {
        let written = bundle::write(&app, &selection, &mut |piece| {
            sender.blocking_send(Ok(piece.into())).is_ok()
        });
        if let Err(error) = written {
            let cause = with_causes(&error);
            tracing::error!(cause, "the export broke off");
            let _ = sender.blocking_send(Err(std::io::Error::other(cause)));
        }
    });
    let pieces = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|piece| (piece, receiver))
    });
    let head = [(header::CONTENT_TYPE, "application/vnd.hallmark.bundle+cbor-seq")];
    Ok((head, Body::from_stream(pieces.boxed())).into_response())
}
