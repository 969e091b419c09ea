//! The resolver: what this node's records say of a code, as page, JSON, JSON-LD or link set.
//!
//! Invariants: the canonical identifier of the request makes every link and the one redirect, to
//! this node's own trace; nothing that a record says is ever a header or, but for the address that
//! a maker attests for its node, a link target; looking changes and counts nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use hallmark_schemas::goods::GoodsId;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::problem::ApiError;
use super::{App, CHECKED, Ctx, blocking, cached, gzip, knows, listed};
use crate::page::passport::forms::Given;
use crate::page::passport::refusal::{self, Refusal};
use crate::page::passport::{Forms, Frame, page};
use crate::page::{Language, written};
use crate::passport::State as PassportState;
use crate::passport::code::{Code, LINK_BYTES_MAX, asked as with, misread};
use crate::passport::form::FormKey;
use crate::passport::view::print::Link;
use crate::passport::view::{Passport, Sort};
use accept::{Form, NoForm};

mod accept;
pub(super) mod forms;
mod linkset;
mod site;

/// How long an answer may be used without asking again, and how long when this node is away.
const CACHE: &str = "max-age=60, stale-if-error=86400, private";
/// Bodies below this are sent as they are.
const GZIP_BYTES_MIN: usize = 1024;
/// A page is packed for each answer, so not at the slowest level.
const GZIP_LEVEL: u32 = 5;

/// Our own parameters of a query; attributes of Digital Links are numbers and stand beside them.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    lang: Option<String>,
    #[serde(rename = "linkType")]
    link_type: Option<String>,
    code: Option<String>,
    at: Option<String>,
}

/// `GET /{key}/{value}[/…]`: any Digital Link.
pub(super) async fn link(
    State(app): Ctx,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let code = Code::from_link(uri.path(), uri.query().unwrap_or(""));
    answer(&app, code.ok_or_else(|| uri.path().to_owned()), &uri, &headers).await
}

/// `GET /goods/{scheme}/{value}`: goods of another scheme.
pub(super) async fn goods(
    State(app): Ctx,
    Path((scheme, value)): Path<(String, String)>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let code = Code::from_scheme(&scheme, &value);
    answer(&app, code.ok_or_else(|| uri.path().to_owned()), &uri, &headers).await
}

/// `GET /goods?code=…`: a code that a person typed.
pub(super) async fn by_hand(
    State(app): Ctx,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let text = asked(&uri).code.unwrap_or_default();
    answer(&app, Code::by_hand(&text).ok_or(text), &uri, &headers).await
}

/// `GET /.well-known/gs1resolver`
pub(super) async fn resolver(State(app): Ctx, headers: HeaderMap) -> Response {
    let described = linkset::description(app.root(), &app.config.name).to_string().into_bytes();
    let tag = hallmark_schemas::hex::encode(&Sha256::digest(&described)[..16]);
    cached(&headers, "application/json", CHECKED, &tag, described)
}

fn asked(uri: &Uri) -> Asked {
    Query::<Asked>::try_from_uri(uri).map(|Query(asked)| asked).unwrap_or_default()
}

/// The language that the query names, else the better one of the header.
fn language(asked: Option<&str>, headers: &HeaderMap) -> Language {
    let named = asked.and_then(Language::named);
    named.unwrap_or_else(|| Language::of(&listed(headers, &header::ACCEPT_LANGUAGE)))
}

/// Answers for a code, or for a text that is none.
async fn answer(
    app: &App,
    code: Result<Code, String>,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let asked = asked(uri);
    let form = accept::form(headers, asked.link_type.as_deref()).map_err(|none| match none {
        NoForm::Type => ApiError::NotAcceptable { offered: accept::OFFERED },
        NoForm::LinkType => ApiError::NoLink,
    })?;
    let language = language(asked.lang.as_deref(), headers);
    let code = match code {
        Ok(code) => code,
        Err(text) => {
            let (misread, meant) = misread(&text);
            let passport = Passport::unreadable(misread, meant.map(|goods| goods.to_string()));
            let at = At::Text(&text);
            return Ok(represent(app, at, (&passport, ""), &Wanted { form, language, headers }));
        }
    };
    let (passport, stamp) = passport_of(app, &code).await?;
    if form == Form::Trace {
        if !linkset::has_public_event(&passport) {
            return Err(ApiError::NoLink);
        }
        let to = [(header::LOCATION, linkset::trace_path(&code.goods))];
        return Ok((StatusCode::TEMPORARY_REDIRECT, to).into_response());
    }
    let wanted = Wanted { form, language, headers };
    Ok(represent(app, At::Code(&code), (&passport, &stamp), &wanted))
}

/// The passport, from memory where nothing has changed, and what it rests on.
pub(super) async fn passport_of(app: &App, code: &Code) -> Result<(Passport, String), ApiError> {
    let now = (app.clock)();
    let judged = app.findings();
    if let Some(found) = app.passports.known(&app.passport_source(&judged), code, now) {
        return Ok(found);
    }
    let (app, code) = (App::clone(app), code.clone());
    let made = blocking(move || app.passports.gather(&app.passport_source(&judged), &code, now));
    Ok(made.await??)
}

/// How the client wants to be answered.
struct Wanted<'a> {
    form: Form,
    language: Language,
    headers: &'a HeaderMap,
}

/// What was asked about.
#[derive(Clone, Copy)]
enum At<'a> {
    /// A code that was read.
    Code(&'a Code),
    /// A text that is none.
    Text(&'a str),
}

impl<'a> At<'a> {
    fn code(self) -> Option<&'a Code> {
        match self {
            At::Code(code) => Some(code),
            At::Text(_) => None,
        }
    }

    /// Where the same is answered again: what was typed is not lost with a change of the language.
    fn printed(self) -> String {
        const TYPED: &str = "/goods";
        match self {
            At::Code(code) => code.printed(),
            At::Text(text) if text.trim().is_empty() || LINK_BYTES_MAX < text.len() => {
                TYPED.to_owned()
            }
            At::Text(text) => with(TYPED, "code", text),
        }
    }
}

/// The answer with a passport and the name of the evidence that it rests on.
fn represent(
    app: &App,
    at: At<'_>,
    (passport, stamp): (&Passport, &str),
    wanted: &Wanted<'_>,
) -> Response {
    let &Wanted { form, language, headers } = wanted;
    let (code, printed) = (at.code(), at.printed());
    let tag = tag_of(passport.state, stamp, wanted, code.map(|code| &code.link));
    // A condition counts only where the answer would be one of success (RFC 9110, 13.2.1).
    let is_success = passport.state.status() == StatusCode::OK.as_u16();
    let mut response = if is_success && knows(headers, &tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let (kind, bytes) = match form {
            Form::Page => ("text/html; charset=utf-8", html(app, passport, &printed, wanted)),
            Form::JsonLd => ("application/ld+json", json_ld(app, passport, headers).to_string()),
            Form::Linkset => match code {
                Some(code) => {
                    let set = linkset::linkset(app.root(), code, passport, language);
                    ("application/linkset+json", set.to_string())
                }
                None => ("application/linkset+json", json!({ "linkset": [] }).to_string()),
            },
            Form::Json | Form::Trace => {
                ("application/json", json_of(app, passport, headers).to_string())
            }
        };
        body(headers, passport.state, kind, bytes.into_bytes())
    };
    let head = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        head.insert(header::ETAG, tag);
    }
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static(CACHE));
    let varies = "Accept, Accept-Language, Accept-Encoding, Origin";
    head.insert(header::VARY, HeaderValue::from_static(varies));
    let link = code.map(|code| {
        let (root, path) = (app.root(), code.path());
        format!(
            "<{root}{path}?linkType=linkset>; rel=\"linkset\"; type=\"application/linkset+json\""
        )
    });
    if let Some(Ok(link)) = link.map(|link| HeaderValue::from_str(&link)) {
        head.insert(header::LINK, link);
    }
    match form {
        Form::Page => return dressed(response, language),
        Form::Linkset => {
            head.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
        }
        Form::Json | Form::JsonLd | Form::Trace => {}
    }
    response
}

/// The language of whoever reads this with a browser; none for programs, and where something is
/// handed in.
pub(super) fn reader(request: &Request) -> Option<Language> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let headers = request.headers();
    let asked = asked(request.uri());
    (is_read && accept::reads_pages(headers)).then(|| language(asked.lang.as_deref(), headers))
}

/// The language of whoever sent this with a browser.
pub(super) fn sender(request: &Request) -> Option<Language> {
    let asked = asked(request.uri());
    let headers = request.headers();
    accept::reads_pages(headers).then(|| language(asked.lang.as_deref(), headers))
}

/// A refusal as a page, with the status and headers that it has as problem details.
pub(super) fn refusal(
    app: &App,
    language: Language,
    error: &ApiError,
    response: Response,
) -> Response {
    let detail = error.detail();
    let refusal = Refusal {
        status: response.status().as_u16(),
        after_s: error.retry_after(),
        detail: &detail,
    };
    let forms = Forms::default();
    let frame = Frame { language, operator: &app.config.name, path: "", forms: &forms };
    let text = written(refusal::page(&refusal, &frame));
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::VARY, HeaderValue::from_static("Accept, Accept-Language"));
    dressed(Response::from_parts(head, Body::from(text)), language)
}

/// A page of the passport's design.
fn html_page(status: StatusCode, language: Language, text: String) -> Response {
    dressed((status, text).into_response(), language)
}

/// The headers of every such page.
fn dressed(mut response: Response, language: Language) -> Response {
    let is_whole = response.status() != StatusCode::NOT_MODIFIED;
    let head = response.headers_mut();
    if is_whole {
        head.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    }
    head.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    head.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    // With `no-referrer` a browser would not name the origin of the form that is sent from here.
    head.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// The page may run this node's own script and use its own style, nothing else.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let digest = Sha256::digest(crate::page::passport::STYLE.as_bytes());
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    let policy = format!(
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'sha256-{digest}'; \
         img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).expect("base64 is visible ASCII")
});

fn html(app: &App, passport: &Passport, path: &str, wanted: &Wanted<'_>) -> String {
    let forms = forms_of(app, passport, wanted.headers);
    let frame =
        Frame { language: wanted.language, operator: &app.config.name, path, forms: &forms };
    written(page(passport, &frame))
}

/// The forms that are taken about these goods, handed out now; none to pages of other sites.
fn forms_of(app: &App, passport: &Passport, headers: &HeaderMap) -> Forms {
    if !site::hands_out(headers) {
        return Forms::default();
    }
    let goods = passport.goods.as_deref().and_then(|goods| GoodsId::parse(goods).ok());
    let Some(goods) = goods else { return Forms::default() };
    let hand_out =
        |given: Given| FormKey::of(&app.capture).hand_out(given.kind(), &goods, (app.clock)());
    Forms {
        confirmation: passport.takes_confirmations().then(|| hand_out(Given::Confirmation)),
        complaint: passport.state.takes_complaints().then(|| hand_out(Given::Complaint)),
    }
}

fn json_of(app: &App, passport: &Passport, headers: &HeaderMap) -> Value {
    let mut value = serde_json::to_value(passport).unwrap_or_default();
    value["forms"] = json!(forms_of(app, passport, headers));
    for language in [Language::En, Language::Zh] {
        value["state_text"][language.tag()] = json!(passport.sentence(language));
    }
    value
}

/// The vocabulary of our own words, and the one of GS1, of which only what it defines is used.
const CONTEXT: [(&str, &str); 2] =
    [("@vocab", "urn:hallmark:passport:"), ("gs1", linkset::VOCABULARY)];

/// The JSON form as linked data: its own words under our vocabulary, the goods as its subject.
fn json_ld(app: &App, passport: &Passport, headers: &HeaderMap) -> Value {
    let mut value = json_of(app, passport, headers);
    value["@context"] = json!(BTreeMap::from(CONTEXT));
    if matches!(passport.sort, Some(Sort::Item | Sort::Lot | Sort::Class)) {
        value["@type"] = json!("gs1:Product");
    }
    if let Some(goods) = &passport.goods {
        value["@id"] = json!(goods);
    }
    value
}

/// Weak: an answer hands out new forms each time it is made.
fn tag_of(state: PassportState, stamp: &str, wanted: &Wanted<'_>, link: Option<&Link>) -> String {
    let &Wanted { form, language, headers } = wanted;
    let hands_out = site::hands_out(headers);
    let said = link.map(|link| serde_json::to_string(link).unwrap_or_default());
    let text = format!("{stamp} {form:?} {} {said:?} {hands_out}", language.tag());
    let digest = hallmark_schemas::hex::encode(&Sha256::digest(text)[..12]);
    format!("W/\"{}-{digest}\"", state.as_str())
}

/// The body, compressed where that helps and the client takes it.
fn body(headers: &HeaderMap, state: PassportState, kind: &'static str, bytes: Vec<u8>) -> Response {
    let status = StatusCode::from_u16(state.status()).unwrap_or(StatusCode::OK);
    if GZIP_BYTES_MIN < bytes.len()
        && gzip::is_taken(headers)
        && let Some(packed) = gzip::pack(&bytes, GZIP_LEVEL)
    {
        let head = [(header::CONTENT_TYPE, kind), (header::CONTENT_ENCODING, "gzip")];
        return (status, head, packed).into_response();
    }
    (status, [(header::CONTENT_TYPE, kind)], bytes).into_response()
}

#[cfg(test)]
pub(super) mod tests;
