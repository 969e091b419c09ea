//! `/epcis`: the REST binding of EPCIS 2.0: capture, its jobs, events and what leads to them.
//!
//! Invariants: every answer names the versions that are spoken; every error is problem+json with an
//! exception of EPCIS; whatever a 202 is given for is durable.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use hallmark_schemas::kind::event::document::{self, DOCUMENT_BYTES_MAX, Document, EVENTS_MAX};

use super::caller::Caller;
use super::problem::ApiError;
use super::{App, Ctx, read_body};
use crate::epcis::capture::{self, Behaviour};
use crate::epcis::jobs;
use problem::{EpcisError, Exception};
use query::Paging;

pub(super) mod problem;
mod query;
pub(in crate::api) mod reads;

/// Versions of EPCIS and CBV that are spoken, and the limits of a document.
pub(super) const VERSIONS: [(&str, &str); 6] = [
    ("gs1-epcis-version", "2.0.0"),
    ("gs1-epcis-min", "2.0.0"),
    ("gs1-epcis-max", "2.0.0"),
    ("gs1-cbv-version", "2.0.0"),
    ("gs1-cbv-min", "2.0.0"),
    ("gs1-cbv-max", "2.0.0"),
];
const VENDOR_VERSION: &str = "gs1-vendor-version";
/// In which form identifiers are answered: as their client wrote them, or as Digital Links.
const EPC_FORMAT: &str = "gs1-epc-format";
const AS_CAPTURED: &str = "Never_Translates";
const AS_LINKS: &str = "Always_GS1_Digital_Link";
const BEHAVIOUR: &str = "gs1-capture-error-behaviour";
const FORMATS: &str = "application/json, application/ld+json, application/xml or text/xml";

/// Every route below `/epcis`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/epcis/capture", post(take).get(list).options(limits))
        .route("/epcis/capture/{id}", get(show))
        .route("/epcis/events", post(take_one).get(reads::events).options(limits))
        .route("/epcis/events/{id}", get(reads::event))
        .route("/epcis/eventTypes", get(reads::resource))
        .route("/epcis/eventTypes/{value}", get(reads::below))
        .route("/epcis/eventTypes/{value}/events", get(reads::of))
        .route("/epcis/epcs", get(reads::resource))
        .route("/epcis/epcs/{value}", get(reads::below))
        .route("/epcis/epcs/{value}/events", get(reads::of))
        .route("/epcis/bizSteps", get(reads::resource))
        .route("/epcis/bizSteps/{value}", get(reads::below))
        .route("/epcis/bizSteps/{value}/events", get(reads::of))
        .route("/epcis/bizLocations", get(reads::resource))
        .route("/epcis/bizLocations/{value}", get(reads::below))
        .route("/epcis/bizLocations/{value}/events", get(reads::of))
        .route("/epcis/readPoints", get(reads::resource))
        .route("/epcis/readPoints/{value}", get(reads::below))
        .route("/epcis/readPoints/{value}/events", get(reads::of))
        .route("/epcis/dispositions", get(reads::resource))
        .route("/epcis/dispositions/{value}", get(reads::below))
        .route("/epcis/dispositions/{value}/events", get(reads::of))
        .route("/epcis/nextPageToken/{token}", delete(reads::forget))
        .layer(middleware::from_fn(speak))
}

/// Headers that every answer here has.
pub(super) fn everywhere() -> impl Iterator<Item = &'static str> {
    VERSIONS.iter().map(|(name, _)| *name).chain([VENDOR_VERSION, EPC_FORMAT])
}

/// Refuses versions that are not spoken; tells those that are, and errors in the words of EPCIS.
async fn speak(request: Request, next: Next) -> Response {
    let refused = unspoken(request.headers());
    let format = if wants_links(request.headers()) { AS_LINKS } else { AS_CAPTURED };
    let mut response = match refused {
        Some(error) => error.into_response(),
        None => problem::translated(next.run(request).await),
    };
    let headers = response.headers_mut();
    for (name, value) in VERSIONS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(VENDOR_VERSION, HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    headers.insert(EPC_FORMAT, HeaderValue::from_static(format));
    response
}

fn unspoken(headers: &HeaderMap) -> Option<EpcisError> {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    for name in ["gs1-epcis-version", "gs1-cbv-version"] {
        if let Some(version) = said(name)
            && !matches!(version, "2.0" | "2.0.0")
        {
            let detail = format!("{name}: this node speaks 2.0.0, not {version:?}");
            return Some(EpcisError::new(Exception::NotAcceptable, detail));
        }
    }
    let detail = "gs1-epc-format: identifiers are answered as they were captured (Never_Translates, \
                  No_Preference) or as Digital Links (Always_GS1_Digital_Link); as EPC URNs they \
                  are not, since no Digital Link tells how long its company prefix is";
    let is_spoken = said(EPC_FORMAT)
        .is_none_or(|format| [AS_CAPTURED, AS_LINKS, "No_Preference"].contains(&format));
    (!is_spoken).then(|| EpcisError::new(Exception::NotAcceptable, detail))
}

/// Whether identifiers are asked for as Digital Links.
fn wants_links(headers: &HeaderMap) -> bool {
    headers.get(EPC_FORMAT).is_some_and(|format| format == AS_LINKS)
}

/// What a capturing client is told before it sends anything.
async fn limits() -> Response {
    let head = [
        (header::ALLOW, "GET, HEAD, POST, OPTIONS".to_owned()),
        (HeaderName::from_static(BEHAVIOUR), "rollback, proceed".to_owned()),
        (HeaderName::from_static("gs1-epcis-capture-limit"), EVENTS_MAX.to_string()),
        (
            HeaderName::from_static("gs1-epcis-capture-file-size-limit"),
            DOCUMENT_BYTES_MAX.to_string(),
        ),
    ];
    (StatusCode::NO_CONTENT, head).into_response()
}

/// `POST /epcis/capture`: a document, each of whose events is signed and stored.
async fn take(State(app): Ctx, caller: Caller, request: Request) -> Result<Response, EpcisError> {
    let (behaviour, document) = read_document(&app, &caller, request).await?;
    let job = capture::capture(&app, &document, behaviour).await?;
    let location = format!("/epcis/capture/{}", job.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)]).into_response())
}

/// `POST /epcis/events`: one event, answered once it is durable.
async fn take_one(
    State(app): Ctx,
    caller: Caller,
    request: Request,
) -> Result<Response, EpcisError> {
    let (_, document) = read_document(&app, &caller, request).await?;
    if document.events.len() != 1 {
        let detail = "one event is expected; send documents to /epcis/capture".to_owned();
        return Err(EpcisError::new(Exception::Validation, detail));
    }
    let job = capture::capture(&app, &document, Behaviour::Rollback).await?;
    if let Some(error) = job.errors.into_iter().next() {
        return Err(error.into());
    }
    let identity = capture::identity(&document.events[0]).unwrap_or_default();
    let location = format!("/epcis/events/{}", query::encoded(&identity));
    Ok((StatusCode::CREATED, [(header::LOCATION, location)]).into_response())
}

async fn read_document(
    app: &App,
    caller: &Caller,
    request: Request,
) -> Result<(Behaviour, Document), EpcisError> {
    caller.may_sign_for(&app.config.org)?;
    let (parts, body) = request.into_parts();
    let said = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let kind = said("content-type").unwrap_or("").split(';').next().unwrap_or("").trim();
    let is_taken = ["application/json", "application/ld+json", "application/xml", "text/xml"]
        .iter()
        .any(|known| kind.eq_ignore_ascii_case(known));
    if !is_taken {
        return Err(ApiError::WrongType { wanted: FORMATS }.into());
    }
    let behaviour = match said(BEHAVIOUR) {
        None | Some("rollback") => Behaviour::Rollback,
        Some("proceed") => Behaviour::Proceed,
        Some(other) => {
            let detail = format!("{BEHAVIOUR}: rollback or proceed is expected, not {other:?}");
            return Err(EpcisError::new(Exception::Validation, detail));
        }
    };
    let bytes = read_body(app, body, DOCUMENT_BYTES_MAX).await?;
    let text = String::from_utf8(bytes.into())
        .map_err(|_| EpcisError::new(Exception::Validation, "the body is not UTF-8"))?;
    let read = tokio::task::spawn_blocking(move || document::read_conforming(&text)).await;
    let read = read.map_err(|_| ApiError::Fault { cause: "a bug in a reader".to_owned() })?;
    Ok((behaviour, read?))
}

/// `GET /epcis/capture`: jobs, newest first.
async fn list(State(app): Ctx, caller: Caller, request: Request) -> Result<Response, EpcisError> {
    caller.may_sign_for(&app.config.org)?;
    let (asked, paging) = Paging::read(request.uri())?;
    asked.only(&[])?;
    let (folder, before) = (app.data.jobs(), paging.name()?);
    let per_page = paging.per_page;
    let read = move || {
        let names = jobs::list(&folder, before.as_deref(), per_page + 1)?;
        let shown = names.iter().take(per_page);
        let all = shown.filter_map(|name| jobs::read(&folder, name).transpose());
        let all: Vec<_> = all.collect::<std::io::Result<_>>()?;
        Ok::<_, std::io::Error>((all, names.len()))
    };
    let (all, names) = super::blocking(read).await?.map_err(lost)?;
    let next = all.last().filter(|_| per_page < names).map(|job| job.id.clone());
    let mut response = axum::Json(&all).into_response();
    paging.link(request.uri(), next, &mut response);
    Ok(response)
}

/// `GET /epcis/capture/{id}`: what became of a document.
async fn show(
    State(app): Ctx,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, EpcisError> {
    caller.may_sign_for(&app.config.org)?;
    let folder = app.data.jobs();
    let job = super::blocking(move || jobs::read(&folder, &id)).await?.map_err(lost)?;
    let job = job.ok_or(ApiError::NotFound)?;
    Ok(axum::Json(job).into_response())
}

fn lost(error: std::io::Error) -> EpcisError {
    ApiError::Fault { cause: format!("capture jobs cannot be read: {error}") }.into()
}

#[cfg(test)]
mod tests;
