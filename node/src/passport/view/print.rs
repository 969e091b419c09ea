//! What the print of a code says, as the passport shows it.
//!
//! Invariant: nothing of it is signed, and page and JSON say so.

use serde::Serialize;

/// What the code says beside the identifier.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Link {
    /// Attributes and coarser qualifiers that pass their checks.
    pub attributes: Vec<Attribute>,
    /// Whether the query held something that did not pass.
    pub has_unreadable: bool,
    /// What of that has the number of an application identifier.
    pub unreadable: Vec<Unreadable>,
    /// What of it the records contradict.
    pub contradictions: Vec<Contradiction>,
    /// Printed dates that have passed, where no record tells them.
    pub passed: Vec<PassedDate>,
}

/// A printed date that has passed.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PassedDate {
    /// The application identifier.
    pub ai: String,
    /// GS1's short title of it.
    pub title: &'static str,
    /// The day.
    pub day: String,
}

/// A part of the print that is not what the records say.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Contradiction {
    /// The application identifier.
    pub ai: String,
    /// GS1's short title of it.
    pub title: &'static str,
    /// What is printed; a date as a day of the calendar.
    pub printed: String,
    /// What is recorded: more than one where records differ.
    pub recorded: Vec<String>,
}

/// One application identifier of a code.
#[derive(Clone, Debug, Serialize)]
pub struct Attribute {
    /// The application identifier.
    pub ai: String,
    /// GS1's short title of it.
    pub title: &'static str,
    /// The value, as printed.
    pub value: String,
    /// The date that it is, with its time or last day where one is printed.
    pub date: Option<String>,
    /// The amount that it is, with the decimals of its identifier.
    pub amount: Option<String>,
    /// The unit or currency of that; none where the identifier tells none.
    pub unit: Option<String>,
}

impl Attribute {
    /// The value as people read it.
    pub fn text(&self) -> String {
        let amount = self.amount.as_ref().map(|amount| match &self.unit {
            Some(unit) => format!("{amount} {unit}"),
            None => amount.clone(),
        });
        self.date.clone().or(amount).unwrap_or_else(|| self.value.clone())
    }
}

/// A part of the print that did not pass its checks.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Unreadable {
    /// The application identifier, as printed.
    pub ai: String,
    /// GS1's short title of it; empty where there is no such identifier.
    pub title: &'static str,
    /// What is printed: visible ASCII, other characters as U+FFFD, cut where it is too long.
    pub value: String,
    /// What is wrong with it, in English.
    pub reason: String,
}
