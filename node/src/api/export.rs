//! `POST /local/export`: the bundle that the owner's `export` asks for, as a stream; and
//! `GET /v1/bundle/{goods}`: what anyone may have of it, and check on a phone.

use axum::body::{Body, Bytes};
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::hex;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use super::passport::passport_of;
use super::problem::{ApiError, with_causes};
use super::{BODY_BYTES_MAX, Ctx, blocking, cached, owner_only, read_body};
use crate::bundle::{self, Selection};
use crate::passport::code::Code;
use crate::passport::view::Record;
use crate::serve::Origin;
use crate::store::StoreError;

/// Pieces of at most 1 MiB that wait for the reader.
const PIECES_MAX: usize = 8;

/// Media type of bundles.
const BUNDLE_TYPE: &str = "application/vnd.hallmark.bundle+cbor-seq";
/// A phone that comes again within a minute need not ask.
const FRESH: &str = "public, max-age=60";

/// `GET /v1/bundle/{goods}`: the public attestations that a passport rests on, each with its own
/// proof, and the proofs of those that are damaged here, public or not. The goods are their path on a node, as it stands, or any writing of their code.
pub(super) async fn public(
    State(app): Ctx,
    Path(identifier): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let path = uri.path().strip_prefix("/v1/bundle").unwrap_or_default();
    let code = Code::asked(path, &identifier).map_err(|e| ApiError::malformed(format!("{e}")))?;
    let (passport, _) = passport_of(&app, &code).await?;
    let ids = |which: fn(&&Record) -> bool| -> Vec<ContentId> {
        let records = passport.proof.records.iter().filter(which);
        records.filter_map(|record| record.id.parse().ok()).collect()
    };
    let (public, damaged) = (ids(|one| one.is_public), ids(|one| one.fault.is_some()));
    let named = passport.organisations();
    let found = blocking(move || bundle::public::of(&app, &public, &damaged, &named)).await??;
    let found = found.ok_or(ApiError::NotFound)?;
    let tag = hex::encode(&Sha256::digest(&found));
    Ok(cached(&headers, BUNDLE_TYPE, FRESH, &tag, found))
}

/// Writes the bundle as it is read. What keeps it from beginning is told; a fault after that cuts
/// the stream off, so that no half bundle looks whole.
pub(super) async fn bundle(
    State(app): Ctx,
    origin: Origin,
    request: Request,
) -> Result<Response, ApiError> {
    owner_only(origin)?;
    let bytes = read_body(&app, request.into_body(), BODY_BYTES_MAX).await?;
    let selection: Selection = serde_json::from_slice(&bytes)
        .map_err(|e| ApiError::malformed(format!("no selection: {e}")))?;
    let (sender, mut receiver) = mpsc::channel::<Result<Bytes, StoreError>>(PIECES_MAX);
    tokio::task::spawn_blocking(move || {
        let written = bundle::write(&app, &selection, &mut |piece| {
            sender.blocking_send(Ok(piece.into())).is_ok()
        });
        if let Err(error) = written {
            tracing::error!(cause = with_causes(&error), "the export broke off");
            let _ = sender.blocking_send(Err(error));
        }
    });
    let first = match receiver.recv().await {
        // To the owner the file is named.
        Some(Err(error @ StoreError::Damaged { .. })) => {
            let is_lost = error.is_lost();
            return Err(ApiError::Damaged { detail: with_causes(&error), is_lost });
        }
        Some(Err(error)) => return Err(error.into()),
        Some(Ok(piece)) => Some(piece),
        None => None,
    };
    let rest = futures_util::stream::unfold(receiver, |mut receiver| async move {
        let piece = receiver.recv().await?;
        Some((piece.map_err(|error| std::io::Error::other(with_causes(&error))), receiver))
    });
    let pieces = futures_util::stream::iter(first.map(Ok)).chain(rest);
    let head = [(header::CONTENT_TYPE, BUNDLE_TYPE)];
    Ok((head, Body::from_stream(pieces.boxed())).into_response())
}
