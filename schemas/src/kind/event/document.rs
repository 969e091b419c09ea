//! EPCIS documents: where the events of a document stand in its text.
//!
//! Invariant: an event leaves its document as the client wrote it, member order and number
//! literals included; only the document's `@context` is added where the event has none.

use super::json::{self, Json};
use crate::kind::check::{self, FieldError, FieldFault};

/// Most events of one document.
pub const EVENTS_MAX: usize = 10_000;
/// Longest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// The events of an `EPCISDocument` or `EPCISQueryDocument`, or the one event that the text is.
///
/// Each is the event's own text, ready for [`super::Event::parse`].
pub fn events_of(text: &str) -> Result<Vec<String>, FieldError> {
    if DOCUMENT_BYTES_MAX < text.len() {
        let fault = FieldFault::TooLong { max: DOCUMENT_BYTES_MAX, found: text.len() };
        return Err(FieldError::new("", fault));
    }
    let document = json::parse(text).map_err(|error| check::decode("", error.to_string()))?;
    let kind = document.get("type").and_then(Json::as_text);
    let path: &[&str] = match kind {
        Some("EPCISDocument") => &["epcisBody", "eventList"],
        Some("EPCISQueryDocument") => &["epcisBody", "queryResults", "resultsBody", "eventList"],
        _ => return Ok(vec![text.trim().to_owned()]),
    };
    let mut list = &document;
    let mut pointer = String::new();
    for name in path {
        pointer = format!("{pointer}/{name}");
        list = list.get(name).ok_or_else(|| FieldError::new(&pointer, FieldFault::Missing))?;
    }
    let Json::List(events) = list else {
        return Err(FieldError::new(pointer, FieldFault::Malformed { expected: "a list" }));
    };
    check::count(&pointer, events.len(), 0..=EVENTS_MAX)?;
    Ok(events.iter().map(|event| with_context(event, document.get("@context"))).collect())
}

fn with_context(event: &Json, context: Option<&Json>) -> String {
    match (event, context) {
        (Json::Object(members), Some(context)) if event.get("@context").is_none() => {
            let mut all = vec![("@context".to_owned(), context.clone())];
            all.extend(members.iter().cloned());
            json::write(&Json::Object(all))
        }
        _ => json::write(event),
    }
}
