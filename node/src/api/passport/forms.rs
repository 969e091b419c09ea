//! `POST /confirmations` and `POST /complaints`: the consumer's two forms.
//!
//! Invariants: no account, cookie or address is kept; the token of a rendered form makes its
//! second submission the first one again; only goods with a record here can be confirmed or
//! complained about; few requests from one address, each small.

use std::time::Instant;

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::day::Day;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::hex;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::complaint::{Category, Complaint};
use hallmark_schemas::kind::confirmation::{Act, Confirmation};
use hallmark_schemas::kind::value;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::super::entries::parse_id;
use super::super::problem::ApiError;
use super::super::{App, Ctx, blocking, read_body};
use super::{POLICY, asked, language, passport_of};
use crate::admission::Admitted;
use crate::page::Language;
use crate::page::passport::Frame;
use crate::page::passport::forms::{Given, given};
use crate::passport::code::{Code, path_of, sort_of};
use crate::passport::view::Link;
use crate::serve::Origin;
use crate::sign::Statement;

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

/// How a form came, and how its answer goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Writing {
    Json,
    Encoded,
}

/// `POST /confirmations`
pub(crate) async fn confirm(
    State(app): Ctx,
    origin: Origin,
    request: Request,
) -> Result<Response, ApiError> {
    let (form, writing, language) = read::<ConfirmationForm>(&app, origin, request).await?;
    let language = language_of(form.lang.as_deref(), language);
    let goods = goods_of(&app, &form.goods).await?;
    if !sort_of(&goods).is_one() {
        let many = "/goods: names many things: one item is confirmed, by its serial number";
        return Err(ApiError::malformed(many));
    }
    let form_digest = form_of(&form.form)?;
    let body = Confirmation {
        act: form.act,
        day: Day::of((app.clock)()),
        region: form.region.filter(|region| !region.is_empty()),
        form: form_digest,
    };
    let id = record(&app, goods.clone(), body.into()).await?;
    Ok(answered(Given::Confirmation, id, &short(&id), &goods, writing, language))
}

/// `POST /complaints`
pub(crate) async fn complain(
    State(app): Ctx,
    origin: Origin,
    request: Request,
) -> Result<Response, ApiError> {
    let (form, writing, language) = read::<ComplaintForm>(&app, origin, request).await?;
    let language = language_of(form.lang.as_deref(), language);
    let goods = goods_of(&app, &form.goods).await?;
    let number = number_of(&form_of(&form.form)?);
    // A text area sends line ends; a record holds none.
    let text = form.text.map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    let body = Complaint {
        number: number.clone(),
        category: form.category,
        day: Day::of((app.clock)()),
        region: form.region.filter(|region| !region.is_empty()),
        text: text.filter(|text| !text.is_empty()),
    };
    let id = record(&app, goods.clone(), body.into()).await?;
    Ok(answered(Given::Complaint, id, &number, &goods, writing, language))
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
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    let head = [(header::CONTENT_TYPE, kind), (header::CONTENT_SECURITY_POLICY, POLICY.clone())];
    Ok((head, text).into_response())
}

/// Reads a form under its limits.
async fn read<T: DeserializeOwned>(
    app: &App,
    origin: Origin,
    request: Request,
) -> Result<(T, Writing, Language), ApiError> {
    if let Origin::Address(address) = origin {
        let per_minute = app.config.passport.forms_per_minute_max;
        let taken = app.form_limiter.take_by_hand(address, per_minute, Instant::now());
        taken.map_err(|after_s| ApiError::TooMany { after_s })?;
    }
    let (parts, body) = request.into_parts();
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).unwrap_or("").trim();
    let writing = match kind.to_ascii_lowercase().as_str() {
        "application/json" => Writing::Json,
        "application/x-www-form-urlencoded" => Writing::Encoded,
        _ => {
            let wanted = "application/x-www-form-urlencoded or application/json";
            return Err(ApiError::WrongType { wanted });
        }
    };
    let bytes = read_body(app, body, FORM_BYTES_MAX).await?;
    let form = match writing {
        Writing::Json => serde_json::from_slice(&bytes)
            .map_err(|e| ApiError::malformed(format!("not the JSON of this form: {e}")))?,
        Writing::Encoded => decode(&bytes)?,
    };
    Ok((form, writing, language(None, &parts.headers)))
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

fn language_of(named: Option<&str>, accepted: Language) -> Language {
    named.and_then(Language::named).unwrap_or(accepted)
}

/// Goods that this node has a record of; others are not found.
async fn goods_of(app: &App, text: &str) -> Result<GoodsId, ApiError> {
    let goods = GoodsId::parse(text).map_err(|e| ApiError::malformed(e.to_string()))?;
    let code = Code { goods: goods.clone(), lot: None, link: Link::default() };
    let (passport, _) = passport_of(app, &code).await?;
    if passport.state.has_record() { Ok(goods) } else { Err(ApiError::NotFound) }
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

fn answered(
    given: Given,
    id: ContentId,
    number: &str,
    goods: &GoodsId,
    writing: Writing,
    language: Language,
) -> Response {
    let route = match given {
        Given::Confirmation => "/confirmations",
        Given::Complaint => "/complaints",
    };
    let location = format!("{route}/{id}");
    match writing {
        Writing::Encoded => {
            let location = format!("{location}?lang={}", language.tag());
            (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
        }
        Writing::Json => {
            let view = serde_json::json!({
                "id": id.to_string(), "number": number, "goods": goods.as_str(),
            });
            (StatusCode::CREATED, [(header::LOCATION, location)], axum::Json(view)).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
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
            b"goods=x&form=y&act=stolen",
            b"goods=x&form=y&act=bought&more=1",
            b"goods=x&goods=z&form=y&act=bought",
            b"\xff",
            b"goods=x y&form=\x00&act=bought",
        ] {
            assert!(decode::<ConfirmationForm>(bad).is_err(), "{bad:?}");
        }
    }

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
