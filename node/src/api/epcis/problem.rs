//! Errors in the words of EPCIS: problem details whose type is an exception of the standard.

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::kind::FieldError;

use crate::api::problem::{ApiError, with_causes};
use crate::epcis::capture::{CaptureError, Fault};
use crate::epcis::filter::ParameterError;
use crate::epcis::find::FindError;
use crate::epcis::jobs::JobError;
use crate::epcis::page::TokenFault;

/// The exceptions that are used here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::api) enum Exception {
    Validation,
    QueryParameter,
    Security,
    Forbidden,
    NoSuchResource,
    NotAcceptable,
    Exists,
    CaptureLimit,
    QueryTooLarge,
    QueryTooComplex,
    UriTooLong,
    MediaType,
}

impl Exception {
    /// Those that any of these routes may answer; our own faults are told as everywhere.
    pub(in crate::api) const ALL: [Exception; 12] = [
        Exception::Validation,
        Exception::QueryParameter,
        Exception::Security,
        Exception::Forbidden,
        Exception::NoSuchResource,
        Exception::NotAcceptable,
        Exception::Exists,
        Exception::CaptureLimit,
        Exception::QueryTooLarge,
        Exception::QueryTooComplex,
        Exception::UriTooLong,
        Exception::MediaType,
    ];

    /// The table: status, name, title.
    pub(in crate::api) fn row(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Exception::Validation => (S::BAD_REQUEST, "ValidationException", "not valid"),
            Exception::QueryParameter => {
                (S::BAD_REQUEST, "QueryParameterException", "a parameter cannot be used")
            }
            Exception::Security => (S::UNAUTHORIZED, "SecurityException", "token needed"),
            Exception::Forbidden => (S::FORBIDDEN, "SecurityException", "not allowed"),
            Exception::NoSuchResource => (S::NOT_FOUND, "NoSuchResourceException", "not found"),
            Exception::NotAcceptable => {
                (S::NOT_ACCEPTABLE, "NotAcceptableException", "no such representation")
            }
            Exception::Exists => {
                (S::CONFLICT, "ResourceAlreadyExistsException", "another event has this identity")
            }
            Exception::CaptureLimit => {
                (S::PAYLOAD_TOO_LARGE, "CaptureLimitExceededException", "document too large")
            }
            Exception::QueryTooLarge => {
                (S::PAYLOAD_TOO_LARGE, "QueryTooLargeException", "more events than allowed")
            }
            Exception::QueryTooComplex => {
                (S::PAYLOAD_TOO_LARGE, "QueryTooComplexException", "too much work")
            }
            Exception::UriTooLong => (S::URI_TOO_LONG, "URITooLongException", "address too long"),
            Exception::MediaType => {
                (S::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaTypeException", "type not taken")
            }
        }
    }
}

/// An error of these routes.
#[derive(Debug)]
pub(in crate::api) struct EpcisError {
    told: Told,
    detail: String,
    faults: Vec<Fault>,
}

#[derive(Debug)]
enum Told {
    As(Exception),
    /// One that every route may answer, with its own status and headers.
    General(ApiError),
}

impl EpcisError {
    pub(in crate::api) fn new(exception: Exception, detail: impl Into<String>) -> EpcisError {
        EpcisError { told: Told::As(exception), detail: detail.into(), faults: Vec::new() }
    }

    fn with(exception: Exception, faults: Vec<Fault>) -> EpcisError {
        let detail = faults.first().map(|fault| format!("{}: {}", fault.pointer, fault.detail));
        let detail = detail.unwrap_or_default();
        EpcisError { told: Told::As(exception), detail, faults }
    }
}

impl From<ApiError> for EpcisError {
    fn from(error: ApiError) -> EpcisError {
        let detail = error.detail();
        let told = match &error {
            ApiError::TooLarge { .. } => Told::As(Exception::CaptureLimit),
            _ => exception_of(error.row().0).map_or(Told::General(error), Told::As),
        };
        EpcisError { told, detail, faults: Vec::new() }
    }
}

/// The exception that a status means where no route has named one.
fn exception_of(status: StatusCode) -> Option<Exception> {
    use StatusCode as S;
    Some(match status {
        S::BAD_REQUEST => Exception::QueryParameter,
        S::FORBIDDEN => Exception::Forbidden,
        S::UNAUTHORIZED => Exception::Security,
        S::NOT_FOUND => Exception::NoSuchResource,
        S::NOT_ACCEPTABLE => Exception::NotAcceptable,
        S::URI_TOO_LONG => Exception::UriTooLong,
        S::UNSUPPORTED_MEDIA_TYPE => Exception::MediaType,
        _ => return None,
    })
}

impl From<FieldError> for EpcisError {
    fn from(error: FieldError) -> EpcisError {
        use hallmark_schemas::kind::FieldFault;
        let exception = match error.fault {
            FieldFault::Count { .. } | FieldFault::TooLong { .. } => Exception::CaptureLimit,
            _ => Exception::Validation,
        };
        let fault = Fault { detail: error.fault.to_string(), pointer: error.pointer };
        EpcisError::with(exception, vec![fault])
    }
}

impl From<CaptureError> for EpcisError {
    fn from(error: CaptureError) -> EpcisError {
        match error {
            CaptureError::Malformed(faults) => EpcisError::with(Exception::Validation, faults),
            CaptureError::Admit(error) => ApiError::from(error).into(),
            CaptureError::Store(error) => ApiError::from(error).into(),
            other => ApiError::Fault { cause: with_causes(&other) }.into(),
        }
    }
}

impl From<JobError> for EpcisError {
    fn from(error: JobError) -> EpcisError {
        let exception = match error.status {
            409 => Exception::Exists,
            _ => Exception::Validation,
        };
        let fault = Fault { pointer: error.pointer, detail: error.detail.clone() };
        EpcisError { told: Told::As(exception), detail: error.detail, faults: vec![fault] }
    }
}

impl From<ParameterError> for EpcisError {
    fn from(error: ParameterError) -> EpcisError {
        EpcisError::new(Exception::QueryParameter, error.to_string())
    }
}

impl From<TokenFault> for EpcisError {
    fn from(fault: TokenFault) -> EpcisError {
        EpcisError::new(Exception::QueryParameter, format!("nextPageToken: {fault}"))
    }
}

impl From<FindError> for EpcisError {
    fn from(error: FindError) -> EpcisError {
        let exception = match error {
            FindError::Store(error) => return ApiError::from(error).into(),
            FindError::TooLarge { .. } => Exception::QueryTooLarge,
            FindError::TooComplex => Exception::QueryTooComplex,
        };
        let help = "narrow it by recordTime or identifiers, or leave out the order";
        EpcisError::new(exception, format!("{error}; {help}"))
    }
}

impl IntoResponse for EpcisError {
    fn into_response(self) -> Response {
        let exception = match self.told {
            Told::As(exception) => exception,
            Told::General(error) => return error.into_response(),
        };
        let (status, name, title) = exception.row();
        let mut problem = serde_json::json!({
            "type": format!("epcisException:{name}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail,
        });
        if let Some(first) = self.faults.first() {
            problem["pointer"] = first.pointer.clone().into();
            let all = self.faults.iter();
            let all = all.map(
                |fault| serde_json::json!({ "pointer": fault.pointer, "detail": fault.detail }),
            );
            problem["errors"] = all.collect();
        }
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/problem+json")], problem.to_string())
                .into_response();
        if exception == Exception::Security {
            add_challenge(response.headers_mut());
        }
        response
    }
}

fn add_challenge(headers: &mut HeaderMap) {
    headers.insert(header::WWW_AUTHENTICATE, axum::http::HeaderValue::from_static("Bearer"));
}

/// An error that an extractor or layer told in its own words, in those of EPCIS.
pub(super) fn translated(response: Response) -> Response {
    use std::sync::Arc;
    let Some(error) = response.extensions().get::<Arc<ApiError>>().cloned() else {
        return response;
    };
    let Some(exception) = exception_of(error.row().0) else {
        return response;
    };
    EpcisError::new(exception, error.detail()).into_response()
}
