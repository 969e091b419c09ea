//! A form as it was sent, and the answer to one that is refused.
//!
//! Invariants: whoever sent it with a browser gets a page with what they wrote, to be corrected,
//! whatever was wrong; programs get problem+json; what is kept for the page is bounded; a form that
//! was refused is none of the few of its address.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::kind::{FieldError, FieldFault};
use serde::de::DeserializeOwned;

use super::super::super::problem::ApiError;
use super::super::super::{App, read_body};
use super::super::{accept, dressed, language, site};
use super::FORM_BYTES_MAX;
use crate::page::passport::forms::Given;
use crate::page::passport::forms::refused::{Kept, Why, page};
use crate::page::passport::{Forms, Frame};
use crate::page::{Language, written};
use crate::passport::code::path_of;
use crate::passport::form::FormKey;
use crate::serve::Origin;

/// Most bytes that are read of a form whose answer is a page: of one that is too large, the page
/// shows what was written.
const KEPT_BYTES_MAX: usize = 4 * FORM_BYTES_MAX;

/// How a form is written, and how its answer goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Writing {
    Json,
    Encoded,
}

/// A form as far as it could be read.
pub(super) struct Sent {
    pub(super) given: Given,
    pub(super) writing: Option<Writing>,
    pub(super) language: Language,
    wants_page: bool,
    kept: Kept,
    /// Whose turn this took.
    turn: Option<IpAddr>,
}

/// Why a form is not taken: in a sentence for people, and as every other error.
pub(super) struct Refused {
    why: Why,
    error: ApiError,
}

impl Sent {
    /// What the head of a request tells.
    pub(super) fn of(given: Given, request: &Request) -> Sent {
        let headers = request.headers();
        let kind = text(headers, &header::CONTENT_TYPE);
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let writing = match kind.as_str() {
            "application/json" => Some(Writing::Json),
            "application/x-www-form-urlencoded" => Some(Writing::Encoded),
            _ => None,
        };
        Sent {
            given,
            writing,
            language: language(None, headers),
            wants_page: writing != Some(Writing::Json) && accept::reads_pages(headers),
            kept: Kept::default(),
            turn: None,
        }
    }

    /// Reads the form under its limits; one that a page of another site sends is not read.
    pub(super) async fn read<T: DeserializeOwned>(
        &mut self,
        app: &App,
        origin: Origin,
        request: Request,
    ) -> Result<T, Refused> {
        if site::is_foreign(request.headers(), request.uri(), app.root()) {
            return Err(elsewhere());
        }
        let turn = turn(app, origin);
        self.turn = turn.as_ref().ok().copied().flatten();
        if !self.wants_page {
            turn?;
            let writing = self.writing.ok_or_else(wrong_type)?;
            let bytes = read_body(app, request.into_body(), FORM_BYTES_MAX).await?;
            return Ok(form(writing, &bytes)?);
        }
        let bytes = read_body(app, request.into_body(), KEPT_BYTES_MAX).await?;
        self.keep(&bytes);
        turn?;
        let writing = self.writing.ok_or_else(wrong_type)?;
        if FORM_BYTES_MAX < bytes.len() {
            return Err(ApiError::TooLarge { max: FORM_BYTES_MAX }.into());
        }
        Ok(form(writing, &bytes)?)
    }

    /// Speaks the language that the form was shown in.
    pub(super) fn speak(&mut self, lang: Option<&str>) {
        self.language = lang.and_then(Language::named).unwrap_or(self.language);
    }

    /// Keeps the fields of an encoded form for a page.
    fn keep(&mut self, bytes: &[u8]) {
        for (name, value) in decode::<Vec<(String, String)>>(bytes).unwrap_or_default() {
            if name == "lang" {
                self.speak(Some(&value));
            } else {
                self.kept.take(&name, value);
            }
        }
    }
}

impl Refused {
    pub(super) fn new(why: Why, error: ApiError) -> Refused {
        Refused { why, error }
    }

    /// A field that no attestation can hold.
    pub(super) fn field(error: FieldError) -> Refused {
        let why = match (error.pointer.as_str(), &error.fault) {
            ("/text", FieldFault::TooLong { .. }) => Why::TooLong,
            ("/text", FieldFault::Control) => Why::Unseen,
            ("/text", FieldFault::Empty) => Why::Blank,
            ("/text", _) => Why::Person,
            ("/region", _) => Why::Choice,
            _ => Why::Form,
        };
        Refused { why, error: ApiError::malformed(error.to_string()) }
    }

    /// The answer: a page that holds the form again, or problem details.
    pub(super) fn answer(self, app: &App, sent: &Sent) -> Response {
        let Refused { why, error } = self;
        if let Some(address) = sent.turn {
            let burst = f64::from(app.config.passport.forms_per_minute_max);
            app.form_limiter.give_back(address, burst);
        }
        let response = error.into_response();
        if !sent.wants_page {
            return response;
        }
        let goods = GoodsId::parse(&sent.kept.goods).ok();
        let at = goods.as_ref().and_then(|goods| super::printed(goods, Some(&sent.kept.at)));
        let path = goods.as_ref().map_or_else(|| "/goods".to_owned(), path_of);
        let forms = goods.map(|goods| forms(app, why, &goods, sent)).unwrap_or_default();
        let path = at.unwrap_or(path);
        let frame = Frame {
            language: sent.language,
            operator: &app.config.name,
            path: &path,
            forms: &forms,
        };
        let text = written(page(sent.given, why, &sent.kept, &frame));
        let (mut head, _) = response.into_parts();
        // No problem details any more, in whatever encoding.
        head.extensions.remove::<Arc<ApiError>>();
        dressed(Response::from_parts(head, Body::from(text)), sent.language)
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Refused {
        let why = match &error {
            ApiError::TooLarge { .. } => Why::TooLong,
            ApiError::TooMany { after_s } => Why::TooMany { after_s: *after_s },
            ApiError::Malformed { .. }
            | ApiError::Refused { .. }
            | ApiError::Contradicted { .. }
            | ApiError::WrongType { .. } => Why::Form,
            _ => Why::NotNow,
        };
        Refused { why, error }
    }
}

/// The form again: the one that was sent as long as it can still be used, else a new one.
fn forms(app: &App, why: Why, goods: &GoodsId, sent: &Sent) -> Forms {
    let (key, kind, now) = (FormKey::of(&app.capture), sent.given.kind(), (app.clock)());
    let sent_one = key.read(kind, goods, &sent.kept.form);
    let is_usable = why != Why::Twice && sent_one.is_some_and(|one| one.is_fresh(now));
    let form = if is_usable { sent.kept.form.clone() } else { key.hand_out(kind, goods, now) };
    match sent.given {
        Given::Confirmation => Forms { confirmation: Some(form), ..Forms::default() },
        Given::Complaint => Forms { complaint: Some(form), ..Forms::default() },
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &header::HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// One of the few forms of an address, which is named; the owner's socket is not limited.
fn turn(app: &App, origin: Origin) -> Result<Option<IpAddr>, ApiError> {
    let Origin::Address(address) = origin else { return Ok(None) };
    let per_minute = app.config.passport.forms_per_minute_max;
    let taken = app.form_limiter.take_by_hand(address, per_minute, Instant::now());
    taken.map(|()| Some(address)).map_err(|after_s| ApiError::TooMany { after_s })
}

fn elsewhere() -> Refused {
    let detail = "a page of another site sent this: forms are taken from this node's own pages, \
                  and from programs";
    Refused::new(Why::Elsewhere, ApiError::Forbidden { detail: detail.to_owned() })
}

fn wrong_type() -> ApiError {
    ApiError::WrongType { wanted: "application/x-www-form-urlencoded or application/json" }
}

fn form<T: DeserializeOwned>(writing: Writing, bytes: &[u8]) -> Result<T, ApiError> {
    match writing {
        // serde would take an array of the fields in their order.
        Writing::Json if bytes.trim_ascii_start().first() != Some(&b'{') => {
            Err(ApiError::malformed("not the JSON of this form: an object is wanted"))
        }
        Writing::Json => serde_json::from_slice(bytes)
            .map_err(|e| ApiError::malformed(format!("not the JSON of this form: {e}"))),
        Writing::Encoded => decode(bytes),
    }
}

/// An encoded form is written like a query, and read by the same decoder.
fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let text = std::str::from_utf8(bytes).map_err(|_| ApiError::malformed("not UTF-8"))?;
    let uri: Uri =
        format!("/?{text}").parse().map_err(|_| ApiError::malformed("not an encoded form"))?;
    let Query(form) = Query::<T>::try_from_uri(&uri)
        .map_err(|e| ApiError::malformed(format!("not the fields of this form: {e}")))?;
    Ok(form)
}

#[cfg(test)]
mod tests {
    use super::super::{ComplaintForm, ConfirmationForm};
    use super::*;

    #[test]
    fn an_encoded_form_is_read_strictly() {
        let good = "goods=https%3A%2F%2Fid.gs1.org%2F01%2F09506000134352%2F21%2FS1&form=00&act=bought\
                    &region=&lang=zh-Hans";
        let form: ConfirmationForm = decode(good.as_bytes()).unwrap();
        assert_eq!(form.goods, "https://id.gs1.org/01/09506000134352/21/S1");
        assert_eq!(form.region.as_deref(), Some(""));
        let text: ComplaintForm =
            decode("goods=x&form=y&category=other&text=a+b%0D%0A%E4%B8%AD".as_bytes()).unwrap();
        assert_eq!(text.text.as_deref(), Some("a b\r\n中"));
        for bad in [
            &b"goods=x&form=y"[..],
            b"goods=x&form=y&act=bought&more=1",
            b"goods=x&goods=z&form=y&act=bought",
            b"\xff",
            b"goods=x y&form=\x00&act=bought",
        ] {
            assert!(decode::<ConfirmationForm>(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_array_is_no_form_and_neither_is_a_text() {
        let good = br#" {"goods":"x","form":"y","act":"bought"}"#;
        assert!(form::<ConfirmationForm>(Writing::Json, good).is_ok());
        for bad in [&br#"["x","y","bought"]"#[..], b"\"x\"", b"", b"null", b"[]"] {
            assert!(form::<ConfirmationForm>(Writing::Json, bad).is_err(), "{bad:?}");
        }
    }
}
