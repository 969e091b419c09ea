//! The parameters of a query, for routes that must not be misunderstood.
//!
//! Invariant: a parameter that is unknown, given twice or malformed is named in a 400; none is
//! passed over, because a list filtered by less than was asked for, or by nonsense, misleads. Digital
//! Links are read elsewhere: GS1 demands that a resolver ignores what it does not know.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::problem::ApiError;

/// What a query says, each name once.
pub(super) struct Asked(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = ApiError;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Asked, ApiError> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&parts.uri)
            .map_err(|e| ApiError::malformed(format!("the query cannot be read: {e}")))?;
        Ok(Asked(pairs))
    }
}

impl Asked {
    /// Refuses every parameter that is not one of these, and any that is there twice.
    pub(super) fn only(self, known: &[&str]) -> Result<Asked, ApiError> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            let shown: String = name.chars().take(40).collect();
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                return Err(ApiError::malformed(format!(
                    "unknown query parameter {shown:?}; known here: {known}"
                )));
            }
            if self.0.iter().take(at).any(|(earlier, _)| earlier == name) {
                return Err(ApiError::malformed(format!(
                    "query parameter {shown:?} is given twice"
                )));
            }
        }
        Ok(self)
    }

    /// The value of one parameter, as text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The value of one parameter; `expected` says what it may be.
    pub(super) fn parsed<T: FromStr>(
        &self,
        name: &str,
        expected: &str,
    ) -> Result<Option<T>, ApiError> {
        let parse = |text: &str| {
            let shown: String = text.chars().take(40).collect();
            text.parse().map_err(|_| {
                ApiError::malformed(format!(
                    "query parameter {name:?}: expected {expected}, not {shown:?}"
                ))
            })
        };
        self.text(name).map(parse).transpose()
    }
}
