//! The query of a request: parameters of EPCIS, and those for paging.

use std::fmt::Write as _;

use axum::extract::Query;
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallmark_schemas::time::Timestamp;

use super::problem::{EpcisError, Exception};
use crate::epcis::filter::Filter;
use crate::epcis::page::{self, LIFE_MS, Mark};

/// Results of a page where the client names none, as EPCIS has it.
const PER_PAGE: usize = 30;
/// Most results of a page.
const PER_PAGE_MAX: usize = 1_000;

/// Parameters that are not for paging, in the order of the query.
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// As the filter of a query.
    pub(super) fn filter(&self) -> Result<Filter, EpcisError> {
        Ok(Filter::read(self.pairs())?)
    }

    /// Refuses every parameter that is not one of these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), EpcisError> {
        match self.pairs().find(|(name, _)| !known.contains(name)) {
            None => Ok(()),
            Some((name, _)) => {
                let shown: String = name.chars().take(60).collect();
                let detail = format!("{shown}: no parameter of this resource");
                Err(EpcisError::new(Exception::QueryParameter, detail))
            }
        }
    }
}

/// How much is wanted, and from where on.
pub(super) struct Paging {
    pub(super) per_page: usize,
    token: Option<String>,
    query: [u8; 8],
}

impl Paging {
    /// Reads the query of a request.
    pub(super) fn read(uri: &Uri) -> Result<(Asked, Paging), EpcisError> {
        let wrong = |detail: String| EpcisError::new(Exception::QueryParameter, detail);
        let Query(mut pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|error| wrong(format!("the query cannot be read: {error}")))?;
        let mut take = |name: &str| {
            let at = pairs.iter().position(|(found, _)| found == name)?;
            Some(pairs.remove(at).1)
        };
        let (per_page, token) = (take("perPage"), take("nextPageToken"));
        let per_page = match per_page {
            None => PER_PAGE,
            Some(text) => {
                let number = text.parse().ok().filter(|number| 0 < *number);
                let number: usize =
                    number.ok_or_else(|| wrong("perPage: a number over 0 is expected".into()))?;
                number.min(PER_PAGE_MAX)
            }
        };
        let asked = Asked(pairs);
        let query = page::query_digest(uri.path(), asked.pairs());
        Ok((asked, Paging { per_page, token, query }))
    }

    /// Where a query goes on.
    pub(super) fn mark(&self, now: Timestamp) -> Result<Option<Mark>, EpcisError> {
        let mark = self.token.as_deref().map(|token| page::decode(token, self.query, now));
        Ok(mark.transpose()?)
    }

    /// The name that a list of jobs goes on after.
    pub(super) fn name(&self) -> Result<Option<String>, EpcisError> {
        let Some(token) = &self.token else { return Ok(None) };
        let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok());
        let malformed = || EpcisError::from(page::TokenFault::Malformed);
        name.map(Some).ok_or_else(malformed)
    }

    /// Says where a list of jobs goes on.
    pub(super) fn link(&self, uri: &Uri, next: Option<String>, response: &mut Response) {
        if let Some(next) = next {
            self.say(uri, &URL_SAFE_NO_PAD.encode(next), response);
        }
    }

    /// Says where a query goes on, and how long that holds.
    pub(super) fn next(&self, uri: &Uri, mark: Option<Mark>, now: Timestamp, to: &mut Response) {
        let Some(mark) = mark else { return };
        let expires_at = now.checked_add_ms(LIFE_MS).unwrap_or(now);
        self.say(uri, &page::encode(mark, self.query, expires_at), to);
        let expires = HeaderValue::try_from(expires_at.to_string());
        to.headers_mut().insert(
            HeaderName::from_static("gs1-next-page-token-expires"),
            expires.expect("an instant is ASCII"),
        );
    }

    fn say(&self, uri: &Uri, token: &str, response: &mut Response) {
        let kept = uri.query().unwrap_or("").split('&');
        let kept = kept.filter(|one| !one.is_empty() && !one.starts_with("nextPageToken="));
        let kept: String = kept.fold(String::new(), |all, one| all + one + "&");
        let link = format!("<{}?{kept}nextPageToken={token}>; rel=\"next\"", uri.path());
        let link = HeaderValue::try_from(link).expect("a URI and base64url are ASCII");
        response.headers_mut().insert(header::LINK, link);
    }
}

/// A text as one segment of a path.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("writing to memory cannot fail");
        }
    }
    out
}
