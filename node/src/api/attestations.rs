//! `/v1/attestations`: the node signs for clients without keys; bodies for whom they are meant.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::cose::Sign1;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::caller::Caller;
use super::entries::parse_id;
use super::problem::ApiError;
use super::{
    App, BODY, BODY_BYTES_MAX, BODY_PRIVATE, CHECKED, CHECKED_PRIVATE, Ctx, blocking, cached,
    read_body,
};
use crate::admission::Admitted;
use crate::entitled::{Asker, body_for, hide};
use crate::negotiate;
use crate::sign::{Defaults, Statement};
use crate::store::StoreError;

/// `POST /v1/attestations`: {kind, sub, aud?, payload}; signed by the node's capture device.
pub(super) async fn sign(
    State(app): Ctx,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    caller.may_sign_for(&app.config.org)?;
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !kind.is_some_and(|kind| kind.contains("json")) {
        return Err(ApiError::WrongType { wanted: "application/json" });
    }
    let bytes = read_body(&app, body, BODY_BYTES_MAX).await?;
    let json: serde_json::Value = serde_json::from_slice(&bytes)
        .map_err(|e| ApiError::malformed(format!("not JSON: {e}")))?;
    let statement = Statement::from_json(json, &Defaults::default())
        .map_err(|e| ApiError::malformed(e.to_string()))?;
    let now = (app.clock)();
    let envelope = statement
        .sign(&app.config, now, app.capture.as_ref())
        .map_err(|e| ApiError::malformed(e.to_string()))?;
    let admitted = app.admit(envelope.stored().to_vec()).await?;
    let (id, standing) = match admitted {
        Admitted::Stored { id, .. } => (id, "stored"),
        Admitted::Deferred { id } => (id, "deferred"),
    };
    let view = serde_json::json!({ "id": id.to_string(), "status": standing });
    let location = format!("/v1/attestations/{id}");
    let head = [(header::LOCATION, location)];
    let status = if standing == "stored" { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    Ok((status, head, axum::Json(view)).into_response())
}

/// `GET /v1/attestations/{id}`: JSON, the payload as CBOR or the stored COSE_Sign1, by `Accept`.
pub(super) async fn show(
    State(app): Ctx,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    let id = parse_id(&id)?;
    let service = app.clone();
    let given = blocking(move || {
        let given = body_for(&service, &Asker::new(&service, caller), &id)?;
        let erased = if given.is_none() { service.node.erased_by(&id)? } else { None };
        Ok::<_, StoreError>((given, erased))
    });
    let (readable, erased) = given.await??;
    if let Some(by) = erased {
        // No secret: entry and erasure are public.
        return Err(ApiError::Erased { by });
    }
    let Some(envelope) = readable else {
        hide(started, 1).await;
        return Err(ApiError::NotFound);
    };
    represent(&app, &headers, id, envelope).await
}

/// The signed payload, as it was signed.
fn payload_of(envelope: &Envelope) -> Vec<u8> {
    let message = Sign1::parse(envelope.stored()).expect("an envelope is a COSE_Sign1");
    message.payload.expect("an envelope has its payload").to_vec()
}

/// How an attestation is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Json,
    Payload,
    Cose,
}

/// The first is what clients get that name none.
const FORMS: [(&str, Form); 3] = [
    ("application/json", Form::Json),
    ("application/cbor", Form::Payload),
    ("application/cose", Form::Cose),
];

async fn represent(
    app: &App,
    headers: &HeaderMap,
    id: ContentId,
    envelope: Envelope,
) -> Result<Response, ApiError> {
    let is_public = envelope.claims().aud.byte() == 0;
    let control = if is_public { BODY } else { BODY_PRIVATE };
    let accept = super::listed(headers, &header::ACCEPT);
    let form = negotiate::best(&accept, &FORMS);
    let hex = id.to_string();
    let mut response = if form == Some(Form::Cose) {
        let stored = envelope.stored().to_vec();
        cached(headers, "application/cose", control, &hex, stored)
    } else if form == Some(Form::Payload) {
        let payload = payload_of(&envelope);
        cached(headers, "application/cbor", control, &format!("{hex}-cbor"), payload)
    } else if form == Some(Form::Json) {
        let node = app.node.clone();
        let places = blocking(move || node.places(&id)).await??;
        let places = places.iter().map(|place| {
            serde_json::json!({
                "log": place.origin,
                "index": place.index,
                "admitted_at": place.entry.admitted_at,
            })
        });
        // Another log may copy it yet, which adds a place: the client asks each time.
        let control = if is_public { CHECKED } else { CHECKED_PRIVATE };
        let view = crate::sign::view(&envelope, places.collect()).to_string().into_bytes();
        let tag = hallmark_schemas::hex::encode(&Sha256::digest(&view));
        cached(headers, "application/json", control, &tag, view)
    } else {
        return Err(ApiError::NotAcceptable {
            offered: "application/json, application/cbor, application/cose",
        });
    };
    response.headers_mut().insert(header::VARY, "Accept, Authorization".parse().expect("ASCII"));
    Ok(response)
}
