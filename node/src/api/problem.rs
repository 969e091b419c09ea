//! Errors of the routes, and the one table of their status codes.
//!
//! Invariants: a client reads problem+json (RFC 9457), or concise problem details (RFC 9290) if it
//! sent or accepts COSE or CBOR, a person with a browser a page; our own faults tell nothing of the
//! inside.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hallmark_schemas::attestation::{ContentId, Refusal};

use super::App;
use crate::admission::AdmitError;
use crate::store::StoreError;

/// Most bytes that are quoted of what an extractor says.
const REJECTION_BYTES_MAX: usize = 8192;
/// When to ask a read-only log again: a person repairs it.
const READ_ONLY_AFTER_S: u64 = 60;

/// Why a request gets no result.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant says what its fields tell")]
pub enum ApiError {
    /// The request cannot be read.
    Malformed { detail: String },
    /// The attestation is malformed, unsigned or not authorised.
    Refused { code: String, detail: String },
    /// A route that needs a token got none, or a bad one.
    Unauthorized { detail: String },
    /// The token does not allow this.
    Forbidden { detail: String },
    /// Nothing here, or nothing that the caller may know of.
    NotFound,
    /// No record of the goods that a form is about.
    NoRecord { detail: &'static str },
    /// No link of the type that is asked for.
    NoLink,
    /// The goods are not in a state in which they can be confirmed.
    Unconfirmed { detail: &'static str },
    /// The body was erased; the entry stays.
    Erased { by: ContentId },
    /// The path has other methods.
    MethodNotAllowed { method: String },
    /// The `Accept` header names nothing that this route has.
    NotAcceptable { offered: &'static str },
    /// The body or header came too slowly.
    TooSlow,
    /// Another statement has this natural identity.
    Contradicted { detail: String, earlier: Option<ContentId> },
    /// An extractor, or the HTTP library, could not read a part of the request: its status and
    /// its words.
    Rejected { status: StatusCode, detail: String },
    /// The body is too large.
    TooLarge { max: usize },
    /// The header fields are too many or too large.
    HeaderTooLarge { fields_max: usize, bytes_max: usize },
    /// Path and query are too long.
    UriTooLong { max: usize },
    /// The route takes another media type.
    WrongType { wanted: &'static str },
    /// The body is packed, and nothing here unpacks what it is sent.
    WrongCoding,
    /// Well-formed, but it proves nothing.
    Unproved { detail: String },
    /// Too many requests.
    TooMany { after_s: u64 },
    /// Not now.
    Busy { after_s: u64, detail: String },
    /// 507: no room on this node's disk.
    Full { after_s: u64 },
    /// The log takes nothing until its operator has repaired it.
    ReadOnly { cause: String, help: &'static str },
    /// A file of the packs or tiles is lost or damaged, told to the owner.
    Damaged { detail: String, is_lost: bool },
    /// Our own fault.
    Fault { cause: String },
}

/// Type of the problem that tells the owner of a damaged file.
pub const DAMAGED_TYPE: &str = "urn:hallmark:problem:damaged";
/// The same of one that is not there.
pub const LOST_TYPE: &str = "urn:hallmark:problem:lost";

impl ApiError {
    /// A request that cannot be read.
    pub fn malformed(detail: impl Into<String>) -> ApiError {
        ApiError::Malformed { detail: detail.into() }
    }

    /// The table: status, stable code, title.
    pub(crate) fn row(&self) -> (StatusCode, &str, &'static str) {
        use StatusCode as S;
        match self {
            ApiError::Malformed { .. } => (S::BAD_REQUEST, "malformed", "cannot be read"),
            ApiError::Refused { code, .. } => (S::BAD_REQUEST, code, "attestation refused"),
            ApiError::Unauthorized { .. } => (S::UNAUTHORIZED, "unauthorized", "token needed"),
            ApiError::Forbidden { .. } => (S::FORBIDDEN, "forbidden", "not allowed"),
            ApiError::NotFound => (S::NOT_FOUND, "not_found", "not found"),
            ApiError::NoLink => (S::NOT_FOUND, "no_link", "no link of this type"),
            ApiError::NoRecord { .. } => (S::NOT_FOUND, "no_record", "no record of these goods"),
            ApiError::Unconfirmed { .. } => {
                (S::CONFLICT, "unconfirmed", "goods that cannot be confirmed")
            }
            ApiError::Erased { .. } => (S::GONE, "erased", "body erased"),
            ApiError::MethodNotAllowed { .. } => {
                (S::METHOD_NOT_ALLOWED, "method_not_allowed", "method not allowed")
            }
            ApiError::NotAcceptable { .. } => {
                (S::NOT_ACCEPTABLE, "not_acceptable", "no such representation")
            }
            ApiError::TooSlow => (S::REQUEST_TIMEOUT, "too_slow", "request took too long"),
            ApiError::Contradicted { .. } => (S::CONFLICT, "contradicted", "contradicts itself"),
            ApiError::Rejected { status, .. } => match *status {
                S::PAYLOAD_TOO_LARGE => (S::PAYLOAD_TOO_LARGE, "too_large", "body too large"),
                S::UNSUPPORTED_MEDIA_TYPE => (*status, "wrong_type", "media type not taken"),
                S::HTTP_VERSION_NOT_SUPPORTED => (*status, "version", "version of HTTP not spoken"),
                status => (status, "malformed", "cannot be read"),
            },
            ApiError::TooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "too_large", "body too large"),
            ApiError::HeaderTooLarge { .. } => {
                (S::REQUEST_HEADER_FIELDS_TOO_LARGE, "header_too_large", "header too large")
            }
            ApiError::UriTooLong { .. } => (S::URI_TOO_LONG, "uri_too_long", "address too long"),
            ApiError::WrongType { .. } => {
                (S::UNSUPPORTED_MEDIA_TYPE, "wrong_type", "media type not taken")
            }
            ApiError::WrongCoding => {
                (S::UNSUPPORTED_MEDIA_TYPE, "wrong_coding", "content coding not taken")
            }
            ApiError::Unproved { .. } => (S::UNPROCESSABLE_ENTITY, "unproved", "proof is wrong"),
            ApiError::TooMany { .. } => (S::TOO_MANY_REQUESTS, "too_many", "too many requests"),
            ApiError::Busy { .. } => (S::SERVICE_UNAVAILABLE, "busy", "not now"),
            ApiError::Full { .. } => (S::INSUFFICIENT_STORAGE, "full", "no room here now"),
            ApiError::ReadOnly { .. } => (S::SERVICE_UNAVAILABLE, "read_only", "takes nothing"),
            ApiError::Damaged { is_lost: true, .. } => {
                (S::INTERNAL_SERVER_ERROR, "lost", "a file here is lost")
            }
            ApiError::Damaged { .. } => {
                (S::INTERNAL_SERVER_ERROR, "damaged", "a file here is damaged")
            }
            ApiError::Fault { .. } => (S::INTERNAL_SERVER_ERROR, "fault", "fault of this node"),
        }
    }

    /// One sentence with the values.
    pub(crate) fn detail(&self) -> String {
        match self {
            ApiError::Malformed { detail }
            | ApiError::Refused { detail, .. }
            | ApiError::Unauthorized { detail }
            | ApiError::Forbidden { detail }
            | ApiError::Contradicted { detail, .. }
            | ApiError::Unproved { detail }
            | ApiError::Rejected { detail, .. }
            | ApiError::Damaged { detail, .. }
            | ApiError::Busy { detail, .. } => detail.clone(),
            ApiError::NotFound => "nothing here that you may know of".to_owned(),
            ApiError::NoLink => {
                "`linkType=linkset` lists the types of links that there are of these goods"
                    .to_owned()
            }
            ApiError::NoRecord { detail } | ApiError::Unconfirmed { detail } => {
                (*detail).to_owned()
            }
            ApiError::Erased { by } => format!(
                "the organisation that keeps the log has erased this body, as {by} says; that it \
                 was recorded, when, and its digest can still be proved"
            ),
            ApiError::MethodNotAllowed { method } => format!("this path does not take {method}"),
            ApiError::NotAcceptable { offered } => format!("this route offers {offered}"),
            ApiError::TooSlow => "send it again, faster or in smaller parts".to_owned(),
            ApiError::TooLarge { max } => format!("at most {max} bytes"),
            ApiError::HeaderTooLarge { fields_max, bytes_max } => {
                format!("at most {fields_max} header fields of {bytes_max} bytes together")
            }
            ApiError::UriTooLong { max } => format!("path and query take at most {max} bytes"),
            ApiError::WrongType { wanted } => format!("this route takes {wanted}"),
            ApiError::WrongCoding => {
                "bodies are taken as they are: send it without Content-Encoding".to_owned()
            }
            ApiError::TooMany { after_s } => format!("try again in {after_s} s"),
            ApiError::Full { after_s } => {
                format!(
                    "the disk of this node is full, nothing was taken: try again in {after_s} s"
                )
            }
            ApiError::ReadOnly { cause, help } => {
                format!("this log is read-only: {cause}; what to do: {help}")
            }
            ApiError::Fault { .. } => "the operator's log has the cause".to_owned(),
        }
    }

    /// Names of the headers that it comes with.
    pub(crate) fn headers(&self) -> Vec<&'static str> {
        let mut names = Vec::new();
        if self.retry_after().is_some() {
            names.push("Retry-After");
        }
        if matches!(self, ApiError::Unauthorized { .. }) {
            names.push("WWW-Authenticate");
        }
        if matches!(self, ApiError::WrongCoding) {
            names.push("Accept-Encoding");
        }
        names
    }

    /// Seconds until it is worth asking again.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            ApiError::TooMany { after_s }
            | ApiError::Busy { after_s, .. }
            | ApiError::Full { after_s } => Some(*after_s),
            ApiError::ReadOnly { .. } => Some(READ_ONLY_AFTER_S),
            _ => None,
        }
    }
}

/// One of each that a method of a route answers, for the description of the table. 405 is told
/// where there is no such method, a damaged file to the owner alone.
pub(crate) fn examples() -> Vec<ApiError> {
    let detail = String::new;
    vec![
        ApiError::Malformed { detail: detail() },
        ApiError::Refused { code: "code of the refusal".to_owned(), detail: detail() },
        ApiError::Unauthorized { detail: detail() },
        ApiError::Forbidden { detail: detail() },
        ApiError::NotFound,
        ApiError::NoLink,
        ApiError::NoRecord { detail: "" },
        ApiError::Unconfirmed { detail: "" },
        ApiError::Erased { by: ContentId::from_bytes([0; 32]) },
        ApiError::NotAcceptable { offered: "" },
        ApiError::TooSlow,
        ApiError::Contradicted { detail: detail(), earlier: None },
        ApiError::TooLarge { max: 0 },
        ApiError::HeaderTooLarge { fields_max: 0, bytes_max: 0 },
        ApiError::UriTooLong { max: 0 },
        ApiError::WrongType { wanted: "" },
        ApiError::WrongCoding,
        ApiError::Unproved { detail: detail() },
        ApiError::TooMany { after_s: 1 },
        ApiError::Busy { after_s: 1, detail: detail() },
        ApiError::Full { after_s: 1 },
        ApiError::ReadOnly { cause: detail(), help: "" },
        ApiError::Fault { cause: detail() },
    ]
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let detail = crate::remedy::told(&refusal);
        match refusal {
            Refusal::CodesScrapped { earlier } | Refusal::Contradicted { earlier, .. } => {
                ApiError::Contradicted { detail, earlier: Some(earlier) }
            }
            Refusal::CodesNotMade => ApiError::Contradicted { detail, earlier: None },
            other => ApiError::Refused { code: other.code().to_owned(), detail },
        }
    }
}

impl From<AdmitError> for ApiError {
    fn from(error: AdmitError) -> ApiError {
        match error {
            AdmitError::Refused(refusal) => refusal.into(),
            AdmitError::Busy { retry_after, what } => {
                ApiError::Busy { after_s: retry_after.as_secs().max(1), detail: what.to_owned() }
            }
            AdmitError::Full { retry_after } => {
                ApiError::Full { after_s: retry_after.as_secs().max(1) }
            }
            AdmitError::ReadOnly { cause, help } => ApiError::ReadOnly { cause, help },
            AdmitError::Unknown { .. } => ApiError::NotFound,
            AdmitError::Stopped { cause } => {
                tracing::error!(%cause, "the writer stopped");
                ApiError::Busy { after_s: 60, detail: "this node has stopped writing".to_owned() }
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        let cause = with_causes(&error);
        match error {
            StoreError::Damaged { .. } => {
                tracing::warn!(%cause, "a request needs a file that is damaged");
                let detail = "a file that this needs is lost or damaged here; another copy of this \
                              log may have it";
                ApiError::Busy { after_s: READ_ONLY_AFTER_S, detail: detail.to_owned() }
            }
            _ => ApiError::Fault { cause },
        }
    }
}

/// An error and what lies below it, in one line.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let ApiError::Fault { cause } = &self {
            tracing::error!(%cause, "request failed by our own fault");
        }
        let mut response = json(&self);
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// RFC 9457.
pub(crate) fn json(error: &ApiError) -> Response {
    let (status, code, title) = error.row();
    let mut problem = serde_json::json!({
        "type": format!("urn:hallmark:problem:{code}"),
        "title": title,
        "status": status.as_u16(),
        "detail": error.detail(),
    });
    if let ApiError::Contradicted { earlier: Some(earlier), .. } = error {
        problem["earlier"] = earlier.to_string().into();
    }
    let mut response =
        (status, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string())
            .into_response();
    finish(&mut response, error);
    response
}

/// RFC 9290: {-1: title, -2: detail, -4: response code}, in the order of its encoded keys.
fn concise(error: &ApiError) -> Response {
    let (status, _, title) = error.row();
    let mut bytes = vec![0xa3, 0x20];
    text(&mut bytes, title);
    bytes.push(0x21);
    text(&mut bytes, &error.detail());
    bytes.push(0x23);
    bytes.push(0x19);
    bytes.extend_from_slice(&status.as_u16().to_be_bytes());
    let kind = "application/concise-problem-details+cbor";
    let mut response = (status, [(header::CONTENT_TYPE, kind)], bytes).into_response();
    finish(&mut response, error);
    response
}

/// A CBOR text string; details are cut at 64 KiB.
fn text(bytes: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(usize::from(u16::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    match end {
        0..=23 => bytes.push(0x60 | end as u8),
        24..=255 => bytes.extend_from_slice(&[0x78, end as u8]),
        _ => {
            bytes.push(0x79);
            bytes.extend_from_slice(&(end as u16).to_be_bytes());
        }
    }
    bytes.extend_from_slice(&text.as_bytes()[..end]);
}

fn finish(response: &mut Response, error: &ApiError) {
    let headers = response.headers_mut();
    if let Some(after) = error.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(after));
    }
    if matches!(error, ApiError::WrongCoding) {
        // RFC 9110, section 12.5.3: what would have been taken.
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    if matches!(error, ApiError::Unauthorized { .. }) {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
}

/// Tells every error as problem details, in the encoding that the client speaks, or as a page.
pub(crate) async fn speak(State(app): State<App>, request: Request, next: Next) -> Response {
    let speaks_cose = speaks_cose(request.headers());
    let reader = super::passport::reader(&request);
    let sender = super::passport::sender(&request);
    let response = match is_packed(request.headers()) {
        true => ApiError::WrongCoding.into_response(),
        false => translate(next.run(request).await).await,
    };
    let error = response.extensions().get::<Arc<ApiError>>().cloned();
    match (error, reader) {
        (Some(error), _) if speaks_cose => with_headers_of(concise(&error), response.headers()),
        // What takes no form has no page of its own to answer one with.
        (Some(error), None) if matches!(*error, ApiError::MethodNotAllowed { .. }) => {
            match sender {
                Some(language) => super::passport::refusal(&app, language, &error, response),
                None => response,
            }
        }
        (Some(error), Some(language)) => super::passport::refusal(&app, language, &error, response),
        _ => response,
    }
}

/// Whether a body is sent in another coding than none.
fn is_packed(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    let codings = codings.flat_map(|one| one.as_bytes().split(|byte| *byte == b','));
    let mut codings = codings.map(<[u8]>::trim_ascii).filter(|one| !one.is_empty());
    codings.any(|one| !one.eq_ignore_ascii_case(b"identity"))
}

/// What layers and routes said beside the body stays said: who may read it, what is allowed.
fn with_headers_of(mut answer: Response, first: &HeaderMap) -> Response {
    for (name, value) in first.iter().filter(|(name, _)| **name != header::CONTENT_LENGTH) {
        answer.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    answer
}

/// An extractor of axum refuses with a line of text: the same, as every other error is told.
async fn translate(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if !is_error || !kind.is_some_and(|kind| kind.starts_with("text/plain")) {
        return response;
    }
    let (first, body) = response.into_parts();
    let words = axum::body::to_bytes(body, REJECTION_BYTES_MAX).await;
    let detail = String::from_utf8_lossy(&words.unwrap_or_default()).into_owned();
    let error = if status.is_server_error() {
        ApiError::Fault { cause: detail }
    } else {
        ApiError::Rejected { status, detail }
    };
    with_headers_of(error.into_response(), &first.headers)
}

fn speaks_cose(headers: &HeaderMap) -> bool {
    let names = |name: header::HeaderName, what: &[&str]| {
        let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        what.iter().any(|one| value.contains(one))
    };
    if names(header::ACCEPT, &["problem+json", "application/json"]) {
        return false;
    }
    let cose = ["application/cose", "concise-problem-details+cbor", "application/cbor"];
    names(header::CONTENT_TYPE, &cose[..1]) || names(header::ACCEPT, &cose)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn concise_details_are_deterministic_cbor() {
        let mut bytes = Vec::new();
        text(&mut bytes, &"x".repeat(300));
        assert_eq!(&bytes[..3], &[0x79, 1, 44]);
        let response = concise(&ApiError::NotFound);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn a_cose_client_is_answered_in_cbor_unless_it_accepts_json() {
        let mut headers = HeaderMap::new();
        assert!(!speaks_cose(&headers));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/cose"));
        assert!(speaks_cose(&headers));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/problem+json"));
        assert!(!speaks_cose(&headers));
    }

    #[test]
    fn a_busy_node_says_when_to_come_back() {
        let response = json(&ApiError::Busy { after_s: 7, detail: String::new() });
        assert_eq!(response.headers()[header::RETRY_AFTER], "7");
    }
}
