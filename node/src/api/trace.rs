//! `/v1/trace/{*goods}`: the way of goods over the logs held here, as far as the caller may see it.

use std::str::FromStr;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use axum::response::Response;
use hallmark_schemas::attestation::Claims;
use hallmark_schemas::hex;
use hallmark_schemas::time::Timestamp;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::caller::Caller;
use super::epcis::reads::query_document;
use super::problem::ApiError;
use super::query::Asked;
use super::{CHECKED, CHECKED_PRIVATE, Ctx, blocking, cached, listed};
use crate::entitled::{Asker, hide};
use crate::negotiate;
use crate::passport::code::Code;
use crate::store::StoreError;
use crate::trace::Reader;

/// How many bodies of the trace are damaged here: every form of the answer tells it here alike.
pub(crate) const DAMAGED: &str = "hallmark-bodies-damaged";

const OFFERED: &str = "application/json, application/ld+json, image/svg+xml, text/vnd.graphviz, \
    text/plain; or ?format=json|epcis|svg|dot|text";

/// A form of the answer; one that the query asks for goes before `Accept`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Form {
    Json,
    Epcis,
    Svg,
    Dot,
    Text,
}

impl FromStr for Form {
    type Err = ();
    fn from_str(text: &str) -> Result<Form, ()> {
        match text {
            "json" => Ok(Form::Json),
            "epcis" => Ok(Form::Epcis),
            "svg" => Ok(Form::Svg),
            "dot" => Ok(Form::Dot),
            "text" => Ok(Form::Text),
            _ => Err(()),
        }
    }
}

impl Form {
    fn accepted(headers: &HeaderMap) -> Result<Form, ApiError> {
        const FORMS: [(&str, Form); 5] = [
            ("application/json", Form::Json),
            ("application/ld+json", Form::Epcis),
            ("image/svg+xml", Form::Svg),
            ("text/plain", Form::Text),
            ("text/vnd.graphviz", Form::Dot),
        ];
        let best = negotiate::best(&listed(headers, &header::ACCEPT), &FORMS);
        best.ok_or(ApiError::NotAcceptable { offered: OFFERED })
    }
}

/// The trace with its one sentence.
#[derive(Serialize)]
struct View {
    #[serde(flatten)]
    trace: hallmark_verifier::trace::Trace,
    verdict: String,
}

impl Reader for Asker {
    fn may_read(&self, claims: &Claims) -> bool {
        Asker::may_read(self, claims)
    }

    /// The owner of every entry that it holds, anyone of public ones.
    fn may_know_of(&self, audience: u8) -> bool {
        *self.caller() == Caller::Owner || audience == 0
    }
}

/// `GET /v1/trace/{goods}?format=`: 404 also where the caller may see no step. The goods are their
/// path on a node, as it stands, or any writing of their code, percent-encoded.
pub(super) async fn show(
    State(app): Ctx,
    caller: Caller,
    Path(identifier): Path<String>,
    uri: Uri,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    // The path of a code keeps its escapes.
    let path = uri.path().strip_prefix("/v1/trace").unwrap_or_default();
    let code = Code::asked(path, &identifier);
    let goods = code.map_err(|e| ApiError::malformed(format!("{e}")))?.goods;
    let wanted = asked.only(&["format"])?.parsed("format", "json, epcis, svg, dot or text")?;
    let form = wanted.map_or_else(|| Form::accepted(&headers), Ok)?;
    // What anyone is told may be kept for anyone; a caller may be shown more.
    let is_anyone = matches!(caller, Caller::Anyone(_));
    let control = if is_anyone { CHECKED } else { CHECKED_PRIVATE };
    let asker = Asker::new(&app, caller);
    let traced = move || {
        let trace = crate::trace::trace(&app.node, &goods, &asker)?;
        let is_asked = form == Form::Epcis;
        let events = is_asked.then(|| crate::trace::events(&app.node, &trace)).transpose()?;
        Ok::<_, StoreError>((trace, events.unwrap_or_default()))
    };
    let (trace, events) = blocking(traced).await??;
    if trace.steps.is_empty() {
        hide(started, 1).await;
        return Err(ApiError::NotFound);
    }
    let damaged: u64 = trace.logs.iter().map(|log| log.bodies_damaged).sum();
    let (kind, text) = match form {
        Form::Json => {
            let verdict = trace.verdict();
            let view = serde_json::to_string(&View { trace, verdict });
            ("application/json", view.map_err(|e| ApiError::Fault { cause: e.to_string() })?)
        }
        Form::Epcis => {
            // The same records give the same document.
            let newest = trace.steps.iter().map(|step| step.admitted_at).max();
            let at = newest.unwrap_or(Timestamp::from_unix_ms(0));
            ("application/ld+json", query_document(&events, at))
        }
        Form::Svg => ("image/svg+xml", trace.to_svg()),
        Form::Dot => ("text/vnd.graphviz; charset=utf-8", trace.to_dot()),
        Form::Text => ("text/plain; charset=utf-8", trace.to_text()),
    };
    // Whatever the answer tells, in its body and in its headers.
    let tag = hex::encode(&Sha256::digest(format!("{kind} {damaged} {text}"))[..16]);
    let mut response = cached(&headers, kind, control, &tag, text.into_bytes());
    let head = response.headers_mut();
    head.insert(header::VARY, HeaderValue::from_static("Accept, Authorization"));
    head.insert(HeaderName::from_static(DAMAGED), damaged.into());
    Ok(response)
}
