//! What people read in a body: the same words in the languages of our pages.
//!
//! Invariants: at least one language is there; nothing here is translated, a missing language
//! stays missing.

use super::check::{self, FieldError};
use serde::{Deserialize, Serialize};

/// A text in simplified Chinese, in English, or in both.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// In simplified Chinese.
    #[serde(rename = "zh-Hans", default, skip_serializing_if = "Option::is_none")]
    pub zh_hans: Option<String>,
    /// In English.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub en: Option<String>,
}

impl Words {
    /// Refuses a text over `max` bytes in one language, and words in none.
    pub(crate) fn check(&self, pointer: &str, max: usize) -> Result<(), FieldError> {
        let some = self.zh_hans.is_some() || self.en.is_some();
        check::consistent(pointer, some, "is in no language: give `zh-Hans`, `en` or both")?;
        check::optional(&format!("{pointer}/zh-Hans"), self.zh_hans.as_deref(), max)?;
        check::optional(&format!("{pointer}/en"), self.en.as_deref(), max)
    }
}

/// [`Words::check`] of words that may be absent.
pub(crate) fn optional(pointer: &str, words: Option<&Words>, max: usize) -> Result<(), FieldError> {
    words.map_or(Ok(()), |words| words.check(pointer, max))
}
