//! `/v1/findings` and the page at `/`: what the rules found.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};

use super::caller::Caller;
use super::problem::ApiError;
use super::query::Asked;
use super::{Ctx, listed};
use crate::page;

/// Most findings of one answer.
pub(super) const FINDINGS_MAX: usize = 1000;

/// How grave a finding may be, as rules say.
const SEVERITIES: [&str; 3] = ["note", "warning", "error"];

/// Which findings are asked for.
struct Filter {
    code: Option<String>,
    subject: Option<String>,
    severity: Option<String>,
    after: usize,
}

impl Filter {
    fn of(asked: Asked) -> Result<Filter, ApiError> {
        let asked = asked.only(&["code", "subject", "severity", "after"])?;
        let text = |name| asked.text(name).map(str::to_owned);
        let severity = text("severity");
        if let Some(unknown) = severity.as_deref().filter(|text| !SEVERITIES.contains(text)) {
            let shown: String = unknown.chars().take(40).collect();
            return Err(ApiError::malformed(format!(
                "query parameter \"severity\": expected {}, not {shown:?}",
                SEVERITIES.join(", ")
            )));
        }
        let after = asked.parsed("after", "the number of findings to skip")?.unwrap_or(0);
        Ok(Filter { code: text("code"), subject: text("subject"), severity, after })
    }
}

/// `GET /v1/findings?code=&subject=&severity=&after=`
pub(super) async fn list(
    State(app): Ctx,
    caller: Caller,
    asked: Asked,
) -> Result<Response, ApiError> {
    let filter = Filter::of(asked)?;
    admit(&app, &caller)?;
    let judged = app.findings();
    let is = |finding: &serde_json::Value, key: &str, wanted: &Option<String>| {
        wanted.as_deref().is_none_or(|wanted| finding[key].as_str() == Some(wanted))
    };
    let matching: Vec<_> = judged
        .findings
        .iter()
        .filter(|f| is(f, "code", &filter.code))
        .filter(|f| is(f, "subject", &filter.subject))
        .filter(|f| is(f, "severity", &filter.severity))
        .collect();
    let page: Vec<_> = matching.iter().skip(filter.after).take(FINDINGS_MAX).collect();
    let end = filter.after.saturating_add(page.len());
    let next = (end < matching.len()).then_some(end);
    let view = serde_json::json!({
        "as_of": judged.as_of, "total": matching.len(), "next_after": next, "findings": page,
        "silent": judged.silent,
    });
    Ok(axum::Json(view).into_response())
}

/// `GET /v1/findings/{id}`
pub(super) async fn show(
    State(app): Ctx,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    admit(&app, &caller)?;
    let judged = app.findings();
    let found = judged.findings.iter().find(|finding| finding["id"].as_str() == Some(&id));
    Ok(axum::Json(found.ok_or(ApiError::NotFound)?).into_response())
}

/// `GET /`: the findings as a page.
pub(super) async fn page(
    State(app): Ctx,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let language = page::Language::of(&listed(&headers, &header::ACCEPT_LANGUAGE));
    let is_open = admit(&app, &caller).is_ok();
    let judged = app.findings();
    let view = page::View {
        organisation: &app.config.name,
        network: &app.config.network,
        origin: &app.config.origin,
        size: app.node.log().published().map_or(0, |published| published.head.size),
        judged: is_open.then_some(&*judged),
    };
    let text = page::written(page::findings(&view, language));
    let head = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_LANGUAGE, language.tag()),
        (header::VARY, "Accept-Language, Authorization"),
    ];
    Ok((head, text).into_response())
}

fn admit(app: &super::App, caller: &Caller) -> Result<(), ApiError> {
    if caller.may_read_findings(app.config.http.findings_open) {
        return Ok(());
    }
    Err(ApiError::Unauthorized {
        detail: "findings need a token of scope read (`hallmark-node token`)".to_owned(),
    })
}
