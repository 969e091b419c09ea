//! `POST /confirmations` and `POST /complaints`: the consumer's two forms.
//!
//! Invariants: no account, cookie or address is kept; only a form that this node handed out counts,
//! and once: sent again it is the first submission, with other words it is refused; only what has
//! a record that can be relied on is confirmed; few are taken from one address, each small.

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

use super::super::entries::parse_id;
use super::super::problem::ApiError;
use super::super::{App, Ctx, blocking};
use super::{asked, html_page, language, passport_of};
use crate::admission::Admitted;
use crate::page::passport::forms::refused::Why;
use crate::page::passport::forms::{Given, given};
use crate::page::passport::{Forms, Frame};
use crate::page::written;
use crate::passport::State as PassportState;
use crate::passport::code::{Code, asked as with, path_of, sort_of};
use crate::passport::form::{FormKey, Token};
use crate::passport::view::Passport;
use crate::serve::Origin;
use crate::sign::Statement;
use crate::store::StoreError;
use sent::{Refused, Sent, Writing};

mod sent;

/// Most bytes of a form: the longest text, percent-encoded, and the rest.
pub(crate) const FORM_BYTES_MAX: usize = 8 << 10;

/// Most characters of a choice that there is not, in the answer to it.
const CHOICE_CHARS_MAX: usize = 40;

/// "I bought this".
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmationForm {
    goods: String,
    form: String,
    act: String,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    at: Option<String>,
    #[serde(default)]
    lang: Option<String>,
}

/// "Report a problem".
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ComplaintForm {
    goods: String,
    form: String,
    category: String,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    region: Option<String>,
    #[serde(default)]
    at: Option<String>,
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
    let (goods, passport) = goods_of(app, &form.goods).await?;
    if !sort_of(&goods).is_bought() {
        let many = "/goods: names no item that is bought: one is confirmed, by its serial number";
        return Err(Refused::new(Why::Many, ApiError::malformed(many)));
    }
    confirmable(&passport)?;
    let act = chosen("/act", &form.act, Act::ALL, |one| one.as_str())?;
    let token = token_of(app, Given::Confirmation, &goods, &form.form)?;
    let body = Confirmation {
        act,
        day: Day::of((app.clock)()),
        region: form.region.filter(|region| !region.is_empty()),
        form: token.digest,
    };
    body.check().map_err(Refused::field)?;
    let id = record(app, goods.clone(), body.into(), token).await?;
    let answer = Answer { id, number: &short(&id), goods: &goods, at: form.at.as_deref() };
    Ok(answered(&answer, sent))
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
    let (goods, passport) = goods_of(app, &form.goods).await?;
    if !passport.state.takes_complaints() {
        return Err(unknown("no member of this network has a record of these goods"));
    }
    let category = chosen("/category", &form.category, Category::ALL, |one| one.as_str())?;
    let token = token_of(app, Given::Complaint, &goods, &form.form)?;
    let number = number_of(&token.digest);
    // A text area sends line ends; a record holds none. What has nothing but spaces is refused.
    let text = form.text.filter(|text| !text.is_empty());
    let text = text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let body = Complaint {
        number: number.clone(),
        category,
        day: Day::of((app.clock)()),
        region: form.region.filter(|region| !region.is_empty()),
        text,
    };
    body.check().map_err(Refused::field)?;
    let id = record(app, goods.clone(), body.into(), token).await?;
    Ok(answered(&Answer { id, number: &number, goods: &goods, at: form.at.as_deref() }, sent))
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
    let asked = asked(uri);
    let path = printed(goods, asked.at.as_deref()).unwrap_or_else(|| path_of(goods));
    let language = language(asked.lang.as_deref(), headers);
    let forms = Forms::default();
    let frame = Frame { language, operator: &app.config.name, path: &path, forms: &forms };
    let text = written(given(kind, (&number, &id), &frame));
    Ok(html_page(StatusCode::OK, language, text))
}

/// The path of these goods as their code was printed; none where it is of others, or no path of
/// ours.
fn printed(goods: &GoodsId, at: Option<&str>) -> Option<String> {
    let code = at.and_then(Code::from_printed)?;
    (code.goods == *goods).then(|| code.printed())
}

/// What was chosen of what a form offers.
fn chosen<T: Copy>(
    pointer: &str,
    text: &str,
    all: &[T],
    name: fn(&T) -> &'static str,
) -> Result<T, Refused> {
    let found = all.iter().find(|one| name(one) == text).copied();
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(name).collect();
        let said: String = text.chars().take(CHOICE_CHARS_MAX).collect();
        let detail = format!("{pointer}: {said:?} is none of {}", names.join(", "));
        Refused::new(Why::Choice, ApiError::malformed(detail))
    })
}

/// The goods that are named, and what is known of them.
async fn goods_of(app: &App, text: &str) -> Result<(GoodsId, Passport), Refused> {
    let unreadable = |detail: String| Refused::new(Why::Code, ApiError::malformed(detail));
    let goods = GoodsId::parse(text).map_err(|e| unreadable(e.to_string()))?;
    let (passport, _) = passport_of(app, &Code::bare(&goods)).await?;
    Ok((goods, passport))
}

/// Whether goods of which this is known are confirmed; else why not.
fn confirmable(passport: &Passport) -> Result<(), Refused> {
    if passport.takes_confirmations() {
        return Ok(());
    }
    let (why, error) = match passport.state {
        PassportState::Broken => {
            let detail = "records of these goods do not match their signatures: nothing is \
                          confirmed on them; a complaint is taken";
            (Why::Broken, ApiError::Unconfirmed { detail })
        }
        _ if passport.elsewhere.is_some() => {
            let detail = "only the node of the organisation that issues such codes can tell whether \
                          this one was issued: it is not confirmed here; a complaint is taken";
            (Why::Unissued, ApiError::NoRecord { detail })
        }
        PassportState::Unknown => {
            let detail = "no record of this item: what its maker never recorded is not \
                          confirmed; a complaint is taken";
            (Why::Unissued, ApiError::NoRecord { detail })
        }
        _ => return Err(unknown("no member of this network has a record of these goods")),
    };
    Err(Refused::new(why, error))
}

fn unknown(detail: &'static str) -> Refused {
    Refused::new(Why::Unknown, ApiError::NoRecord { detail })
}

/// The form's token, if this node handed it out for this form and these goods.
fn token_of(app: &App, given: Given, goods: &GoodsId, text: &str) -> Result<Token, Refused> {
    let token = FormKey::of(&app.capture).read(given.kind(), goods, text);
    token.ok_or_else(|| {
        let detail = "`form` was not handed out by this node for these goods and this form: take \
                      the one of their passport, from the page or the member `forms` of its JSON";
        Refused::new(Why::Old, ApiError::Forbidden { detail: detail.to_owned() })
    })
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

/// Signs and stores a form's body, unless the same was stored with this form before. What is signed
/// tells the day and no time of it.
async fn record(app: &App, goods: GoodsId, body: Body, token: Token) -> Result<ContentId, Refused> {
    let audience = app.config.audience_of(body.kind());
    let subject = Subject::Goods(goods);
    let now = (app.clock)();
    let signed_at = Day::of(now).starts_at();
    let (org, aud) = (&app.config.org, audience.clone());
    let claims = crate::sign::claims(org, subject.clone(), aud, Vec::new(), signed_at);
    let identity = body.identity(&claims);
    // One after another, so that a form sent twice at once, or again after midnight, is one.
    let _turn = app.form_turn.lock().await;
    let log = app.node.log().clone();
    let stored = move || {
        let Some(id) = log.same_statement(&identity.key)? else { return Ok(None) };
        Ok::<_, StoreError>(Some((id, log.body(&id)?)))
    };
    if let Some((id, stored)) = blocking(stored).await?.map_err(ApiError::from)? {
        let stored = stored.and_then(|stored| Envelope::parse(&stored).ok());
        // Where its body is lost, nothing can be compared: the place is taken.
        let is_same = stored.is_none_or(|stored| says_same(stored.body(), &body));
        return if is_same { Ok(id) } else { Err(sent_before(id)) };
    }
    if !token.is_fresh(now) {
        let detail = "`form` was handed out too long ago: take a new one of the passport";
        let error = ApiError::Forbidden { detail: detail.to_owned() };
        return Err(Refused::new(Why::Old, error));
    }
    let envelope = Statement::of(body, subject, audience)
        .sign(&app.config, signed_at, app.capture.as_ref())
        .map_err(|e| ApiError::malformed(e.to_string()))?;
    match app.admit(envelope.stored().to_vec()).await.map_err(ApiError::from)? {
        Admitted::Stored { id, .. } | Admitted::Deferred { id } => Ok(id),
    }
}

/// Whether two bodies of one form say the same, whatever the day.
fn says_same(one: &Body, other: &Body) -> bool {
    match (one, other) {
        (Body::Confirmation(one), Body::Confirmation(other)) => {
            (one.act, &one.region) == (other.act, &other.region)
        }
        (Body::Complaint(one), Body::Complaint(other)) => {
            (one.category, &one.region, &one.text) == (other.category, &other.region, &other.text)
        }
        _ => false,
    }
}

fn sent_before(earlier: ContentId) -> Refused {
    let detail = "this form was sent before with other words: take a new one of the passport";
    let error = ApiError::Contradicted { detail: detail.to_owned(), earlier: Some(earlier) };
    Refused::new(Why::Twice, error)
}

/// What a form became.
struct Answer<'a> {
    id: ContentId,
    number: &'a str,
    goods: &'a GoodsId,
    at: Option<&'a str>,
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
    let mut location = with(&location, "lang", sent.language.tag());
    // Only what is printed beside the identifier has to be carried along.
    let path = path_of(answer.goods);
    if let Some(at) = printed(answer.goods, answer.at).filter(|at| *at != path) {
        location = with(&location, "at", &at);
    }
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

#[cfg(test)]
mod tests;
