//! Events and what leads to them: `/epcis/events`, `/epcis/bizSteps` and the like.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::kind::event::fields::{EventType, Fields};
use hallmark_schemas::kind::event::translate;
use hallmark_schemas::time::Timestamp;
use tokio::time::Instant;

use super::problem::EpcisError;
use super::query::{Paging, encoded};
use crate::api::caller::Caller;
use crate::api::problem::ApiError;
use crate::api::trace::DAMAGED;
use crate::api::{App, Ctx, blocking, listed};
use crate::entitled::{Asker, hide};
use crate::epcis::filter::Filter;
use crate::epcis::{find, page};
use crate::negotiate;

/// The context of EPCIS in JSON-LD.
const CONTEXT: &str = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld";

/// A member of events that has its own resources.
struct Resource {
    /// In the path.
    name: &'static str,
    /// The parameter that asks for one value of it.
    parameter: &'static str,
    /// The values that an event has.
    of: fn(&Fields) -> Vec<String>,
}

/// Every such member.
const RESOURCES: [Resource; 6] = [
    Resource { name: "eventTypes", parameter: "eventType", of: |_| Vec::new() },
    Resource {
        name: "epcs",
        parameter: "MATCH_anyEPC",
        of: |fields| fields.items.iter().map(|item| item.item.as_str().to_owned()).collect(),
    },
    Resource {
        name: "bizSteps",
        parameter: "EQ_bizStep",
        of: |fields| fields.biz_step.clone().into_iter().collect(),
    },
    Resource {
        name: "bizLocations",
        parameter: "EQ_bizLocation",
        of: |fields| fields.biz_location.clone().into_iter().collect(),
    },
    Resource {
        name: "readPoints",
        parameter: "EQ_readPoint",
        of: |fields| fields.read_point.clone().into_iter().collect(),
    },
    Resource {
        name: "dispositions",
        parameter: "EQ_disposition",
        of: |fields| fields.disposition.clone().into_iter().collect(),
    },
];

fn resource_of(uri: &Uri) -> Result<&'static Resource, EpcisError> {
    let name = uri.path().split('/').nth(2).unwrap_or_default();
    let found = RESOURCES.iter().find(|resource| resource.name == name);
    found.ok_or_else(|| ApiError::NotFound.into())
}

/// `GET /epcis/events`
pub(super) async fn events(
    State(app): Ctx,
    caller: Caller,
    request: Request,
) -> Result<Response, EpcisError> {
    let (asked, paging) = Paging::read(request.uri())?;
    let filter = asked.filter()?;
    answer(app, caller, request, filter, paging).await
}

/// `GET /epcis/bizSteps/{value}/events` and the like.
pub(super) async fn of(
    State(app): Ctx,
    caller: Caller,
    Path(value): Path<String>,
    request: Request,
) -> Result<Response, EpcisError> {
    let resource = resource_of(request.uri())?;
    let (asked, paging) = Paging::read(request.uri())?;
    let filter = asked.filter()?.and(resource.parameter, &value)?;
    answer(app, caller, request, filter, paging).await
}

async fn answer(
    app: App,
    caller: Caller,
    request: Request,
    filter: Filter,
    paging: Paging,
) -> Result<Response, EpcisError> {
    acceptable(request.headers())?;
    let (started, now) = (Instant::now(), (app.clock)());
    let (mark, per_page) = (paging.mark(now)?, paging.per_page);
    let asker = Asker::new(&app, caller);
    let found = move || find::events(&app.node, &asker, &filter, mark, per_page);
    let mut page = blocking(found).await??;
    if super::wants_links(request.headers()) {
        page.found.iter_mut().for_each(|event| *event = translate::as_links(event));
    }
    if page.found.is_empty() {
        // Events that the caller may not read take no longer than none.
        hide(started, 1).await;
    }
    let text = query_document(&page.found, now);
    let mut response = ([(header::CONTENT_TYPE, "application/ld+json")], text).into_response();
    paging.next(request.uri(), page.next, now, &mut response);
    tell_damage(page.damaged, &mut response);
    Ok(response)
}

/// An `EPCISQueryDocument` of events, each as it was captured.
pub(in crate::api) fn query_document(events: &[String], now: Timestamp) -> String {
    let events = events.join(",");
    format!(
        "{{\"@context\":[\"{CONTEXT}\"],\"type\":\"EPCISQueryDocument\",\"schemaVersion\":\"2.0\",\
         \"creationDate\":\"{now}\",\"epcisBody\":{{\"queryResults\":{{\"queryName\":\
         \"SimpleEventQuery\",\"resultsBody\":{{\"eventList\":[{events}]}}}}}}}}"
    )
}

/// `GET /epcis/events/{eventID}`
pub(super) async fn event(
    State(app): Ctx,
    caller: Caller,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, EpcisError> {
    acceptable(request.headers())?;
    let started = Instant::now();
    let (asked, _) = Paging::read(request.uri())?;
    asked.only(&[])?;
    let asker = Asker::new(&app, caller);
    let found = blocking(move || find::named(&app.node, &asker, &id)).await??;
    let Some(event) = found else {
        hide(started, 1).await;
        return Err(ApiError::NotFound.into());
    };
    let is_translated = super::wants_links(request.headers());
    let event = if is_translated { translate::as_links(&event) } else { event };
    Ok(([(header::CONTENT_TYPE, "application/ld+json")], event).into_response())
}

/// `DELETE /epcis/nextPageToken/{token}`: the token goes on nowhere any more.
pub(super) async fn forget(
    State(app): Ctx,
    Path(token): Path<String>,
) -> Result<Response, EpcisError> {
    let is_known = page::forget(&token, (app.clock)());
    is_known.then(|| StatusCode::NO_CONTENT.into_response()).ok_or(ApiError::NotFound.into())
}

/// `GET /epcis/bizSteps` and the like: the values that events have.
pub(super) async fn resource(
    State(app): Ctx,
    caller: Caller,
    request: Request,
) -> Result<Response, EpcisError> {
    acceptable(request.headers())?;
    let resource = resource_of(request.uri())?;
    let (asked, paging) = Paging::read(request.uri())?;
    asked.only(&[])?;
    if resource.name == "eventTypes" {
        return Ok(collection(&EventType::names().map(str::to_owned)));
    }
    let now = (app.clock)();
    let (mark, per_page) = (paging.mark(now)?, paging.per_page);
    let asker = Asker::new(&app, caller);
    let found = move || find::values(&app.node, &asker, mark, per_page, resource.of);
    let page = blocking(found).await??;
    let mut response = collection(&page.found);
    paging.next(request.uri(), page.next, now, &mut response);
    tell_damage(page.damaged, &mut response);
    Ok(response)
}

/// `GET /epcis/bizSteps/{value}` and the like: what there is of one value.
pub(super) async fn below(
    Path(value): Path<String>,
    request: Request,
) -> Result<Response, EpcisError> {
    acceptable(request.headers())?;
    let resource = resource_of(request.uri())?;
    Filter::default().and(resource.parameter, &value)?;
    Ok(collection(&[format!("/epcis/{}/{}/events", resource.name, encoded(&value))]))
}

fn collection(members: &[String]) -> Response {
    let body = serde_json::json!({
        "@context": CONTEXT, "type": "Collection", "member": members,
    });
    ([(header::CONTENT_TYPE, "application/ld+json")], body.to_string()).into_response()
}

fn tell_damage(damaged: u64, response: &mut Response) {
    response.headers_mut().insert(HeaderName::from_static(DAMAGED), HeaderValue::from(damaged));
}

/// Answers are JSON.
fn acceptable(headers: &HeaderMap) -> Result<(), EpcisError> {
    let offered = "application/ld+json";
    let accept = listed(headers, &header::ACCEPT);
    if negotiate::best(&accept, &[(offered, ()), ("application/json", ())]).is_some() {
        Ok(())
    } else {
        Err(ApiError::NotAcceptable { offered }.into())
    }
}
