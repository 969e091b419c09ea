//! EPCIS documents: where the events of a document stand in its text.
//!
//! Invariants: an event leaves a JSON document as the client wrote it, member order and number
//! literals included; only the document's `@context` is added where the event has none. An event
//! of an XML document leaves it in the form that it has in JSON.

use super::json::{self, Json};
use super::{hash, xml};
use crate::kind::check::{self, FieldError, FieldFault};
use crate::time::Timestamp;

/// Most events of one document.
pub const EVENTS_MAX: usize = 10_000;
/// Longest document, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;

/// The events of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// Each event as its own text, ready for [`super::Event::parse`].
    pub events: Vec<String>,
    /// Where the list of events stands; none for a text that is one event.
    pub(super) path: Option<&'static str>,
    /// Extensions, as `{namespace}name`, that the document excludes from hashes.
    pub(super) ignored: Vec<String>,
}

impl Document {
    /// Where an event stands in the document.
    pub fn pointer(&self, index: usize) -> String {
        self.path.map_or_else(String::new, |path| format!("{path}/{index}"))
    }

    /// The hash of each event, without the extensions that the document excludes.
    pub fn event_hashes(&self) -> Result<Vec<String>, FieldError> {
        let hashes = self.events.iter().enumerate().map(|(index, event)| {
            let parsed = json::parse(event);
            let parsed =
                parsed.map_err(|error| check::decode(&self.pointer(index), error.to_string()))?;
            Ok(hash::event_hash_without(&parsed, &self.ignored))
        });
        hashes.collect()
    }
}

/// The events of an `EPCISDocument` or `EPCISQueryDocument`, or the one event that the text is.
pub fn read(text: &str) -> Result<Document, FieldError> {
    find(text, |_| Ok(()))
}

/// The same of a text that a capture interface takes: what EPCIS requires around the events must
/// be there too.
pub fn read_conforming(text: &str) -> Result<Document, FieldError> {
    find(text, conforms)
}

fn find(
    text: &str,
    conforms: impl Fn(&Json) -> Result<(), FieldError>,
) -> Result<Document, FieldError> {
    if DOCUMENT_BYTES_MAX < text.len() {
        let fault = FieldFault::TooLong { max: DOCUMENT_BYTES_MAX, found: text.len() };
        return Err(FieldError::new("", fault));
    }
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('<') {
        return xml::events_of(text, conforms);
    }
    let document = json::parse(text).map_err(|error| check::decode("", error.to_string()))?;
    conforms(&document)?;
    let kind = document.get("type").and_then(Json::as_text);
    let path = match kind {
        Some("EPCISDocument") => "/epcisBody/eventList",
        Some("EPCISQueryDocument") => "/epcisBody/queryResults/resultsBody/eventList",
        _ => {
            let events = vec![text.trim().to_owned()];
            return Ok(Document { events, path: None, ignored: Vec::new() });
        }
    };
    let mut list = &document;
    let mut pointer = String::new();
    for name in path.split('/').skip(1) {
        pointer = format!("{pointer}/{name}");
        list = list.get(name).ok_or_else(|| FieldError::new(&pointer, FieldFault::Missing))?;
    }
    let Json::List(events) = list else {
        return Err(FieldError::new(pointer, FieldFault::Malformed { expected: "a list" }));
    };
    check::count(&pointer, events.len(), 0..=EVENTS_MAX)?;
    let context = document.get("@context");
    let events = events.iter().map(|event| with_context(event, context)).collect();
    Ok(Document { events, path: Some(path), ignored: hash::ignored(&document) })
}

/// What the EPCIS schema requires of a document, or of an event that stands alone.
fn conforms(document: &Json) -> Result<(), FieldError> {
    let missing = |name: &str| FieldError::new(format!("/{name}"), FieldFault::Missing);
    let required = |name: &str| document.get(name).ok_or_else(|| missing(name));
    let kind = required("type")?.as_text().unwrap_or_default();
    required("@context")?;
    if !matches!(kind, "EPCISDocument" | "EPCISQueryDocument") {
        return Ok(());
    }
    let version = required("schemaVersion")?.as_text().unwrap_or_default();
    let is_known = version == "2.0" || version.starts_with("2.0.");
    check::form("/schemaVersion", is_known, "the text `2.0`")?;
    let created = required("creationDate")?.as_text().unwrap_or_default();
    Timestamp::parse(created)
        .map_err(|error| check::decode("/creationDate", error.to_string()))
        .map(|_| ())
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
