//! `/v1/trace/{goods}`: the way of goods over the logs held here, as far as the caller may see it.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::attestation::Claims;
use hallmark_schemas::goods::GoodsId;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::attestations::HIDING_TIME;
use super::caller::Caller;
use super::problem::ApiError;
use super::{Ctx, blocking};
use crate::trace::Reader;

const OFFERED: &str = "application/json, text/vnd.graphviz, text/plain; or ?format=json|dot|text";

/// Which form is asked for; it goes before `Accept`.
#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    format: Option<Form>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Form {
    Json,
    Dot,
    Text,
}

impl Form {
    fn accepted(headers: &HeaderMap) -> Result<Form, ApiError> {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        match accept.unwrap_or("") {
            accept if accept.contains("text/vnd.graphviz") => Ok(Form::Dot),
            accept if accept.contains("text/plain") => Ok(Form::Text),
            "" => Ok(Form::Json),
            accept if accept.contains("json") || accept.contains("*/*") => Ok(Form::Json),
            _ => Err(ApiError::NotAcceptable { offered: OFFERED }),
        }
    }
}

/// The trace with its one sentence.
#[derive(Serialize)]
struct View {
    #[serde(flatten)]
    trace: hallmark_verifier::trace::Trace,
    verdict: String,
}

impl Reader for Caller {
    fn may_read(&self, claims: &Claims) -> bool {
        Caller::may_read(self, &claims.aud, &claims.iss)
    }

    /// The owner of every entry that it holds, anyone of public ones.
    fn may_know_of(&self, audience: u8) -> bool {
        *self == Caller::Owner || audience == 0
    }
}

/// `GET /v1/trace/{goods}?format=`: 404 also where the caller may see no step.
pub(super) async fn show(
    State(app): Ctx,
    caller: Caller,
    Path(goods): Path<String>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    let goods: GoodsId = goods.parse().map_err(|e| ApiError::malformed(format!("{e}")))?;
    let Query(wanted) = wanted.map_err(|_| ApiError::malformed("format is json, dot or text"))?;
    let form = wanted.format.map_or_else(|| Form::accepted(&headers), Ok)?;
    let node = app.node.clone();
    let trace = blocking(move || crate::trace::trace(&node, &goods, &caller)).await??;
    if trace.steps.is_empty() {
        sleep_until(started + HIDING_TIME).await;
        return Err(ApiError::NotFound);
    }
    let of =
        |kind: &'static str, text: String| ([(header::CONTENT_TYPE, kind)], text).into_response();
    let mut response = match form {
        Form::Json => {
            let verdict = trace.verdict();
            axum::Json(View { trace, verdict }).into_response()
        }
        Form::Dot => of("text/vnd.graphviz; charset=utf-8", trace.to_dot()),
        Form::Text => of("text/plain; charset=utf-8", trace.to_text()),
    };
    response.headers_mut().insert(header::VARY, "Accept, Authorization".parse().expect("ASCII"));
    Ok(response)
}
