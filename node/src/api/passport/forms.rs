//! `POST /confirmations` and `POST /complaints`: the consumer's two forms.
//!
//! Invariants: no account, cookie or address is kept; the token of a rendered form makes its
//! second submission the first one again; only goods with a record here can be confirmed or
//! complained about; few requests from one address, each small.

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::day::Day;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::hex;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::complaint::{Category, Complaint};
use hallmark_schemas::kind::confirmation::{Act, Confirmation};
use hallmark_schemas::kind::value;
use hallmark_schemas::kind::{Body, Kind as _};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::super::entries::parse_id;
use super::super::problem::ApiError;
use super::super::{App, Ctx, blocking};
use super::{asked, html_page, language, passport_of};
use crate::admission::Admitted;
use crate::page::passport::Frame;
use crate::page::passport::forms::refused::Why;
use crate::page::passport::forms::{Given, given};
use crate::passport::code::{Code, path_of, sort_of};
use crate::passport::view::Link;
use crate::serve::Origin;
use crate::sign::Statement;
use sent::{Refused, Sent, Writing};

mod sent;

/// Most bytes of a form: the longest text, percent-encoded, and the rest.
pub(crate) const FORM_BYTES_MAX: usize = 8 << 10;

/// Bytes of a form's token: two never meet by chance.
const TOKEN_LEN: usize = 16;

/// "I bought this".
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmationForm {
    goods: String,
    form: String,
    act: Act,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    lang: Option<String>,
}

/// "Report a problem".
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ComplaintForm {
    goods: String,
    form: String,
    category: Category,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    lang: Option<String>,
}

/// `POST /confirmations`
pub(crate) async fn confirm(State(app): Ctx, origin: Origin, request: Request) -> Response {
    let mut sent = Sent::of(Given::Confirmation, &request);
    let taken = take_confirmation(&app, origin, request, &mut sent).await;
    taken.unwrap_or_else(|refused| refused.answer(&app, &sent))
}

async fn take_confirmation(
    app: &App,
    origin: Origin,
    request: Request,
    sent: &mut Sent,
) -> Result<Response, Refused> {
    let form: ConfirmationForm = sent.read(app, origin, request).await?;
    sent.speak(form.lang.as_deref());
    let goods = goods_of(app, &form.goods).await?;
    if !sort_of(&goods).is_one() {
        let many = "/goods: names many things: one item is confirmed, by its serial number";
        return Err(Refused::new(Why::Many, ApiError::malformed(many)));
    }
    let form_digest = form_of(&form.form)?;
    let body = Confirmation {
        act: form.act,
        day: Day::of((app.clock)()),
        region: form.region.filter(|region| !region.is_empty()),
        form: form_digest,
    };
    let id = record(app, goods.clone(), body.into()).await?;
    Ok(answered(&Answer { id, number: &short(&id), goods: &goods }, sent))
}

/// `POST /complaints`
pub(crate) async fn complain(State(app): Ctx, origin: Origin, request: Request) -> Response {
    let mut sent = Sent::of(Given::Complaint, &request);
    let taken = take_complaint(&app, origin, request, &mut sent).await;
    taken.unwrap_or_else(|refused| refused.answer(&app, &sent))
}

async fn take_complaint(
    app: &App,
    origin: Origin,
    request: Request,
    sent: &mut Sent,
) -> Result<Response, Refused> {
    let form: ComplaintForm = sent.read(app, origin, request).await?;
    sent.speak(form.lang.as_deref());
    let goods = goods_of(app, &form.goods).await?;
    let number = number_of(&form_of(&form.form)?);
    // A text area sends line ends; a record holds none. What has nothing but spaces is refused.
    let text = form.text.filter(|text| !text.is_empty());
    let text = text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let body = Complaint {
        number: number.clone(),
        category: form.category,
        day: Day::of((app.clock)()),
        region: form.region.filter(|region| !region.is_empty()),
        text,
    };
    body.check().map_err(Refused::field)?;
    let id = record(app, goods.clone(), body.into()).await?;
    Ok(answered(&Answer { id, number: &number, goods: &goods }, sent))
}

/// `GET /confirmations/{id}`: the number, for whoever was sent here.
pub(crate) async fn confirmed(
    State(app): Ctx,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    told(&app, Given::Confirmation, &id, &uri, &headers).await
}

/// `GET /complaints/{id}`: the same.
pub(crate) async fn complained(
    State(app): Ctx,
    Path(id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    told(&app, Given::Complaint, &id, &uri, &headers).await
}

async fn told(
    app: &App,
    kind: Given,
    id: &str,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let id = parse_id(id)?;
    let node = app.node.clone();
    let stored = blocking(move || node.log().body(&id)).await??;
    let envelope = stored.and_then(|stored| Envelope::parse(&stored).ok());
    let envelope = envelope.ok_or(ApiError::NotFound)?;
    let number = match (envelope.body(), kind) {
        (Body::Confirmation(_), Given::Confirmation) => short(&id),
        (Body::Complaint(complaint), Given::Complaint) => complaint.number.clone(),
        _ => return Err(ApiError::NotFound),
    };
    let Subject::Goods(goods) = &envelope.claims().sub else {
        return Err(ApiError::NotFound);
    };
    let path = path_of(goods);
    let language = language(asked(uri).lang.as_deref(), headers);
    let frame = Frame { language, operator: &app.config.name, path: &path, form: "" };
    let text = given(kind, &number, &frame).into_string();
    Ok(html_page(StatusCode::OK, language, text))
}

/// Goods that this node has a record of; others are not found.
async fn goods_of(app: &App, text: &str) -> Result<GoodsId, Refused> {
    let unreadable = |detail: String| Refused::new(Why::Code, ApiError::malformed(detail));
    let goods = GoodsId::parse(text).map_err(|e| unreadable(e.to_string()))?;
    let code = Code { goods: goods.clone(), lot: None, link: Link::default() };
    let (passport, _) = passport_of(app, &code).await?;
    if passport.state.has_record() {
        return Ok(goods);
    }
    Err(Refused::new(Why::Unknown, ApiError::NotFound))
}

/// The digest of a form's token: the token itself is kept nowhere.
fn form_of(text: &str) -> Result<value::Digest, ApiError> {
    let token: Option<[u8; TOKEN_LEN]> = hex::decode_array(text);
    let token = token.ok_or_else(|| {
        ApiError::malformed("`form` is 32 lower-case hex digits, new for each form")
    })?;
    Ok(value::Digest(Sha256::digest(token).into()))
}

/// The number given back: it follows from the form.
fn number_of(form: &value::Digest) -> String {
    grouped(&hex::encode(&form.0[..6]))
}

/// The short form of a content id.
fn short(id: &ContentId) -> String {
    grouped(&hex::encode(&id.bytes()[..6]))
}

fn grouped(hex: &str) -> String {
    let upper = hex.to_ascii_uppercase();
    format!("{}-{}-{}", &upper[..4], &upper[4..8], &upper[8..])
}

/// Signs and stores a form's body, unless the same form was stored before.
async fn record(app: &App, goods: GoodsId, body: Body) -> Result<ContentId, ApiError> {
    let audience = app.config.audience_of(body.kind());
    let subject = Subject::Goods(goods);
    let now = (app.clock)();
    let (org, aud) = (&app.config.org, audience.clone());
    let claims = crate::sign::claims(org, subject.clone(), aud, Vec::new(), now);
    let identity = body.identity(&claims);
    // One after another, so that a form sent twice at once, or again after midnight, is one.
    let _turn = app.form_turn.lock().await;
    let log = app.node.log().clone();
    if let Some(id) = blocking(move || log.same_statement(&identity.key)).await?? {
        return Ok(id);
    }
    let envelope = Statement::of(body, subject, audience)
        .sign(&app.config, now, app.capture.as_ref())
        .map_err(|e| ApiError::malformed(e.to_string()))?;
    match app.admit(envelope.stored().to_vec()).await? {
        Admitted::Stored { id, .. } | Admitted::Deferred { id } => Ok(id),
    }
}

/// What a form became.
struct Answer<'a> {
    id: ContentId,
    number: &'a str,
    goods: &'a GoodsId,
}

fn answered(answer: &Answer<'_>, sent: &Sent) -> Response {
    let location = format!("{}/{}", sent.given.path(), answer.id);
    if sent.writing == Some(Writing::Json) {
        let view = serde_json::json!({
            "id": answer.id.to_string(), "number": answer.number, "goods": answer.goods.as_str(),
        });
        return (StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(view))
            .into_response();
    }
    let location = format!("{location}?lang={}", sent.language.tag());
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_follow_from_the_form_and_are_easy_to_read_out() {
        let number = |text: &str| number_of(&form_of(text).unwrap());
        assert_eq!(number(&"0f".repeat(16)), number(&"0f".repeat(16)));
        assert_ne!(number(&"0f".repeat(16)), number(&"00".repeat(16)));
        assert_eq!(number(&"0f".repeat(16)).len(), 14);
        for bad in ["", "0f", &"0F".repeat(16), &"zz".repeat(16), &"0f".repeat(17)] {
            assert!(form_of(bad).is_err(), "{bad}");
        }
    }
}
