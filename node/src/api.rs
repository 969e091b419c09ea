//! The routes: what each path is, and the one table of status codes.
//!
//! Invariants: a route translates and nothing more; every error is problem+json, or concise
//! problem details where the client speaks COSE; an attestation that the caller may not know of
//! answers like one that does not exist, as late.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use http_body_util::BodyExt;
use tokio::time::{Duration, Instant, timeout_at};

use crate::serve::Origin;
use crate::service::Service;

pub mod assets;
pub mod attestations;
pub mod caller;
mod defects;
pub mod demands;
pub mod entries;
mod epcis;
pub mod export;
pub mod findings;
mod gzip;
pub mod health;
pub mod labels;
pub mod limit;
pub mod log;
pub mod network;
pub mod openapi;
pub mod passport;
pub mod peers;
pub mod problem;
mod query;
pub mod recalls;
pub mod scitt;
pub mod trace;

use problem::ApiError;

/// What every route is given.
pub type App = Arc<Service>;

/// Most bytes of a submitted attestation in transit: 1 MiB and its receipts.
pub const SUBMISSION_BYTES_MAX: usize = (1 << 20) + (64 << 10);
/// Most bytes of an `add-checkpoint` request: 63 hashes and a note with its signatures.
pub const CHECKPOINT_REQUEST_BYTES_MAX: usize = 64 << 10;
/// Most bytes of any other body.
pub const BODY_BYTES_MAX: usize = 8 << 20;
/// Time that a slow start of a body is forgiven.
const BODY_GRACE: Duration = Duration::from_secs(1);

/// Every route of this node.
pub fn router(app: App) -> Router {
    let public = Router::new()
        .route("/log/checkpoint", read(log::checkpoint))
        .route("/log/checkpoints", read(log::checkpoints))
        .route("/log/tile/{*path}", read(log::tile))
        .route("/peers/{hex}/checkpoint", read(peers::checkpoint))
        .route("/peers/{hex}/checkpoints", read(peers::checkpoints))
        .route("/peers/{hex}/tile/{*path}", read(peers::tile))
        .route("/witness/{hex}/checkpoint", read(peers::witnessed))
        .route("/defects", read(defects::list))
        .route("/defects/{digest}", read(defects::show))
        .route("/entries/{id}", read(entries::show))
        .route("/v1/attestations/{id}", read(attestations::show))
        .route("/v1/trace/{*goods}", read(trace::show))
        .route("/v1/recalls", read(recalls::list))
        .route("/v1/recalls/reach", read(recalls::show))
        .route("/.well-known/scitt-keys", read(scitt::keys))
        .route("/.well-known/scitt-keys/{kid}", read(scitt::key))
        .route("/v1/bundle/{*goods}", read(export::public))
        .route("/network.hallmark", read(network::show))
        .route("/openapi.json", read(openapi::show))
        .route("/healthz", read(health::alive))
        .route("/readyz", read(health::ready))
        .route("/goods", read(passport::by_hand))
        .route("/goods/{scheme}/{*value}", read(passport::goods))
        .route("/.well-known/gs1resolver", read(passport::resolver))
        .merge(links())
        .layer(middleware::from_fn(share));
    let own = Router::new()
        .route("/", get(findings::page))
        .route("/assets/{name}", get(assets::show))
        .route("/entries", post(entries::register))
        .route("/v1/attestations", post(attestations::sign))
        .route("/log/add-checkpoint", post(log::add_checkpoint))
        .route("/confirmations", post(passport::forms::confirm))
        .route("/confirmations/{id}", get(passport::forms::confirmed))
        .route("/complaints", post(passport::forms::complain))
        .route("/complaints/{id}", get(passport::forms::complained))
        .route("/v1/findings", get(findings::list))
        .route("/v1/findings/{id}", get(findings::show))
        .route("/metrics", get(health::metrics))
        .route("/local/network", post(network::adopt))
        .route("/local/organisations/{org}", get(network::organisation))
        .route("/local/status", get(health::status))
        .route("/local/peers", get(peers::list).post(peers::add))
        .route("/local/demands", get(demands::list))
        .route("/local/demands/{id}", get(demands::show))
        .route("/local/reindex", post(health::reindex))
        .route("/local/export", post(export::bundle))
        .route("/local/labels/{gtin}", get(labels::ranges))
        .route("/local/receipt/{id}", get(entries::receipt))
        .merge(epcis::routes());
    public
        .merge(own)
        .fallback(unknown_path)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn(limit::head))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), limit::by_caller))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(Arc::clone(&app), problem::speak))
        .layer(middleware::from_fn(harden))
        .with_state(app)
}

/// Every key of Digital Links.
fn links() -> Router<App> {
    let mut routes = Router::new();
    for key in crate::passport::code::KEYS {
        routes = routes.route(&format!("/{key}/{{*rest}}"), read(passport::link));
    }
    routes
}

/// A public read, and the question that a page of another origin asks before it.
fn read<H: Handler<T, App>, T: 'static>(handler: H) -> MethodRouter<App> {
    get(handler).options(preflight)
}

/// What such a page may ask: what anyone may, so no token.
async fn preflight() -> Response {
    let head = [
        (header::ALLOW, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Accept, Accept-Language, If-None-Match"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, head).into_response()
}

/// The answer to a request that took too long.
pub fn too_slow() -> Response {
    refused(&ApiError::TooSlow)
}

/// The answer to a request that came to no route.
pub fn refused(error: &ApiError) -> Response {
    hardened(problem::json(error))
}

fn panicked(_cause: Box<dyn std::any::Any + Send>) -> Response {
    ApiError::Fault { cause: "a bug in this route".to_owned() }.into_response()
}

async fn unknown_path() -> ApiError {
    ApiError::NotFound
}

/// Asked which methods a path has, the answer is in `Allow`, which the router adds. Without CORS
/// headers it tells a page of another origin that it may not.
async fn wrong_method(method: Method) -> Response {
    if method == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    ApiError::MethodNotAllowed { method: method.to_string() }.into_response()
}

/// Public reads may be used by any page, with what their headers tell.
async fn share(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let head = response.headers_mut();
    head.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let told = HeaderValue::from_static("ETag, Link, Retry-After, hallmark-bodies-damaged");
    head.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, told);
    response
}

/// Headers that every answer has.
async fn harden(request: Request, next: Next) -> Response {
    hardened(next.run(request).await)
}

fn hardened(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
             base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Reads a request's body under a limit on its size and on how slowly it may come.
pub(crate) async fn read_body(app: &Service, body: Body, max: usize) -> Result<Bytes, ApiError> {
    let started = Instant::now();
    let rate = app.config.http.body_rate_min.max(1);
    let mut body = body;
    let mut read = Vec::new();
    loop {
        let allowed = BODY_GRACE + Duration::from_millis(read.len() as u64 * 1000 / rate);
        let frame = match timeout_at(started + allowed, body.frame()).await {
            Err(_) => return Err(ApiError::TooSlow),
            Ok(None) => return Ok(read.into()),
            Ok(Some(Err(_))) => return Err(ApiError::malformed("the body ends too early")),
            Ok(Some(Ok(frame))) => frame,
        };
        if let Ok(data) = frame.into_data() {
            if max < read.len() + data.len() {
                return Err(ApiError::TooLarge { max });
            }
            read.extend_from_slice(&data);
        }
    }
}

/// Fails unless the request came over the owner's socket.
pub(crate) fn owner_only(origin: Origin) -> Result<(), ApiError> {
    if origin == Origin::Socket { Ok(()) } else { Err(ApiError::NotFound) }
}

/// Bytes with a strong validator; 304 where the client has them.
pub(crate) fn cached(
    request: &axum::http::HeaderMap,
    kind: &'static str,
    control: &'static str,
    tag: &str,
    bytes: Vec<u8>,
) -> Response {
    let tag = format!("\"{tag}\"");
    let is_known = knows(request, &tag);
    let head = [
        (header::CACHE_CONTROL, control.to_owned()),
        (header::ETAG, tag),
        (header::CONTENT_TYPE, kind.to_owned()),
    ];
    if is_known {
        return (StatusCode::NOT_MODIFIED, head).into_response();
    }
    (StatusCode::OK, head, bytes).into_response()
}

/// What all lines of a header say together: a list may come in several.
pub(crate) fn listed(headers: &axum::http::HeaderMap, name: &header::HeaderName) -> String {
    let lines = headers.get_all(name).iter().filter_map(|line| line.to_str().ok());
    lines.collect::<Vec<_>>().join(",")
}

/// Whether the client has what this validator names, or, with `*`, whatever there is. Compared
/// weakly, as `If-None-Match` is.
pub(crate) fn knows(request: &axum::http::HeaderMap, tag: &str) -> bool {
    let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let list = listed(request, &header::IF_NONE_MATCH);
    list.trim() == "*" || list.split(',').any(|one| strong(one) == strong(tag))
}

/// Immutable for a week: what its name commits to never changes.
pub(crate) const IMMUTABLE: &str = "public, max-age=604800, immutable";
/// A body never changes either, but it may be erased, which no cache learns: within a day all have
/// asked again, and are told that it is gone.
pub(crate) const BODY: &str = "public, max-age=86400, immutable";
/// A body for this caller alone.
pub(crate) const BODY_PRIVATE: &str = "private, max-age=86400, immutable";
/// To be used when this node says that it is still so; what anyone may read, and what only this
/// caller may.
pub(crate) const CHECKED: &str = "public, no-cache";
/// See [`CHECKED`].
pub(crate) const CHECKED_PRIVATE: &str = "private, no-cache";

/// Runs blocking store work off the request threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| ApiError::Fault { cause: "a bug in a store call".to_owned() })
}

/// Gives the state a name in handlers.
pub(crate) type Ctx = State<App>;

#[cfg(test)]
mod tests;
