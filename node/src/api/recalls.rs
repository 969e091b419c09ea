//! `/v1/recalls`: the recalls on record, and what goods that are called back reach.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::time::Timestamp;
use serde::Serialize;

use super::caller::Caller;
use super::problem::ApiError;
use super::query::Asked;
use super::{Ctx, blocking};
use crate::entitled::Asker;
use crate::passport::code::Code;
use crate::reach::{self, Recorded, STARTS_MAX, Start};

/// `GET /v1/recalls`
#[derive(Serialize)]
struct Recalls {
    recalls: Vec<Recorded>,
}

/// `GET /v1/recalls`: those that are not replaced, the last to be recorded first.
pub(super) async fn list(
    State(app): Ctx,
    caller: Caller,
    asked: Asked,
) -> Result<Response, ApiError> {
    asked.only(&[])?;
    let asker = Asker::new(&app, caller);
    let now = (app.clock)();
    let recalls = blocking(move || reach::recalls(&app.node, &asker, now)).await??;
    let mut response = axum::Json(Recalls { recalls }).into_response();
    varied(response.headers_mut(), "Authorization");
    Ok(response)
}

/// `GET /v1/recalls/reach`: everything made from, packed in or belonging to goods, and who has it.
pub(super) async fn show(
    State(app): Ctx,
    caller: Caller,
    asked: Asked,
) -> Result<Response, ApiError> {
    let asked = asked.only(&["goods", "facility", "from", "to", "since", "format"])?;
    let start = start(&asked)?;
    let since = instant(&asked, "since")?;
    let is_text = match asked.text("format") {
        None | Some("json") => false,
        Some("text") => true,
        Some(_) => return Err(ApiError::malformed("`format` is json or text")),
    };
    let asker = Asker::new(&app, caller);
    let now = (app.clock)();
    let reached = blocking(move || reach::reach(&app.node, &asker, start, since, now)).await??;
    let mut response = match is_text {
        true => {
            let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
            ([kind], reached.reach.to_text()).into_response()
        }
        false => axum::Json(reached).into_response(),
    };
    varied(response.headers_mut(), "Authorization");
    Ok(response)
}

fn varied(head: &mut HeaderMap, by: &'static str) {
    head.insert(header::VARY, HeaderValue::from_static(by));
}

/// Goods, separated by spaces; or a place with a period.
fn start(asked: &Asked) -> Result<Start, ApiError> {
    match (asked.text("goods"), asked.text("facility")) {
        (Some(text), None) => {
            let mut goods: BTreeSet<GoodsId> = BTreeSet::new();
            for word in text.split_whitespace() {
                let code = Code::asked("", word);
                goods.insert(code.map_err(|e| ApiError::malformed(format!("{word}: {e}")))?.goods);
            }
            if goods.is_empty() || STARTS_MAX < goods.len() {
                let what = format!("`goods` names 1 to {STARTS_MAX} goods, with spaces between");
                return Err(ApiError::malformed(what));
            }
            Ok(Start::Goods(goods))
        }
        (None, Some(place)) => {
            let period = (instant(asked, "from")?, instant(asked, "to")?);
            let (Some(from), Some(to)) = period else {
                return Err(ApiError::malformed("`facility` comes with `from` and `to`"));
            };
            if to <= from {
                return Err(ApiError::malformed("`to` is not after `from`"));
            }
            Ok(Start::Made { place: place.to_owned(), from, to })
        }
        _ => Err(ApiError::malformed("give `goods`, or `facility` with `from` and `to`")),
    }
}

fn instant(asked: &Asked, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let read = |text: &str| {
        Timestamp::parse(text).map_err(|e| ApiError::malformed(format!("{name:?}: {e}")))
    };
    asked.text(name).map(read).transpose()
}
