//! From what a client says to a signed attestation, and back to something a client reads.
//!
//! Invariants: an EPCIS event is kept as the client wrote it, members and numbers as they were; a
//! file is read whole
//! before anything of it is signed; every error names its place in the file.

use hallmark_schemas::attestation::{Claims, Draft, Envelope, sign};
use hallmark_schemas::audience::{Audience, Region};
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::key::{SignError, Signer};
use hallmark_schemas::kind::event::document;
use hallmark_schemas::kind::{Body, FieldError, KindName, SignerRule};
use hallmark_schemas::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::config::Config;

/// Most statements of one file.
pub const STATEMENTS_MAX: usize = 1_000_000;

/// One statement that nobody has signed yet.
#[derive(Clone, Debug)]
pub struct Statement {
    kind: KindName,
    sub: Option<Subject>,
    aud: Option<Audience>,
    regions: Vec<Region>,
    body: Body,
}

/// What holds where a file does not say it.
#[derive(Clone, Debug, Default)]
pub struct Defaults {
    /// The kind. A file that says another is refused.
    pub kind: Option<KindName>,
    /// The audience.
    pub aud: Option<Audience>,
}

/// Why something is no statement.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// Not JSON.
    #[error("not JSON: {source}")]
    Json {
        /// Line and column.
        source: serde_json::Error,
    },
    /// Not deterministic CBOR.
    #[error("neither JSON nor CBOR: {source}")]
    Cbor {
        /// The place.
        source: hallmark_schemas::cbor::CborError,
    },
    /// The members are not {kind, sub, aud?, regions?, payload}.
    #[error(
        "{place}: expected {{kind, sub?, aud?, payload}}, an EPCIS document or an event: {reason}"
    )]
    Shape {
        /// Where.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A subject that is none.
    #[error("{place}/sub: {reason}")]
    Subject {
        /// Where.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A field of the body is wrong.
    #[error("{place}/payload{source}")]
    Field {
        /// Where.
        place: String,
        /// Which, and why.
        source: FieldError,
    },
    /// A member of an EPCIS event is wrong.
    #[error("{place}{source}")]
    Event {
        /// Where the event stands.
        place: String,
        /// Which member of it, and why.
        source: FieldError,
    },
    /// The file says one kind, whoever gives it another.
    #[error("{place}: the file says kind `{stated}`, --kind says `{asked}`")]
    OtherKind {
        /// Where.
        place: String,
        /// The kind in the file; that of an EPCIS event is `event`.
        stated: String,
        /// The kind that was asked for.
        asked: KindName,
    },
    /// More than [`STATEMENTS_MAX`].
    #[error("more than {STATEMENTS_MAX} statements in one file")]
    TooMany,
    /// A row of a CSV file.
    #[error("line {line}: {reason}")]
    Row {
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    kind: String,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    aud: Option<Audience>,
    #[serde(default)]
    regions: Vec<Region>,
    payload: Value,
}

/// Only enough of an object to know what it is.
#[derive(Deserialize)]
struct Hint {
    #[serde(default)]
    kind: Option<String>,
    #[serde(rename = "type", default)]
    type_name: Option<String>,
}

impl Statement {
    /// Reads one statement from JSON.
    pub fn from_json(json: Value, defaults: &Defaults) -> Result<Statement, StatementError> {
        let text = json.to_string();
        let raw: &RawValue =
            serde_json::from_str(&text).map_err(|source| StatementError::Json { source })?;
        let mut found = Vec::new();
        read_object(raw, "", defaults, &mut found)?;
        let reason = || "one statement was expected".to_owned();
        match (found.pop(), found.is_empty()) {
            (Some(statement), true) => Ok(statement),
            _ => Err(StatementError::Shape { place: "the body".to_owned(), reason: reason() }),
        }
    }

    /// Reads a file: JSON, JSON lines, an array, CBOR, an EPCIS document, also in XML, or bare
    /// events.
    pub fn from_file(bytes: &[u8], defaults: &Defaults) -> Result<Vec<Statement>, StatementError> {
        let mut found = Vec::new();
        let Ok(text) = std::str::from_utf8(bytes) else {
            let json = hallmark_schemas::cbor::to_json(bytes)
                .map_err(|source| StatementError::Cbor { source })?;
            return Statement::from_file(json.to_string().as_bytes(), defaults);
        };
        let text = text.trim_start_matches('\u{feff}');
        if text.trim_start().starts_with('<') {
            return document_of(text, "the document ", defaults);
        }
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
        let mut number = 0;
        while let Some(raw) = stream.next() {
            let at = line_of(text, stream.byte_offset());
            let raw = raw.map_err(|source| StatementError::Json { source })?;
            number += 1;
            let place = format!("item {number} (ends on line {at}) ");
            if raw.get().starts_with('[') {
                let list: Vec<&RawValue> = serde_json::from_str(raw.get())
                    .map_err(|source| StatementError::Json { source })?;
                for (index, raw) in list.into_iter().enumerate() {
                    read_object(raw, &format!("{place}/{index}"), defaults, &mut found)?;
                }
            } else {
                read_object(raw, &place, defaults, &mut found)?;
            }
        }
        if found.is_empty() {
            let reason = "there is none".to_owned();
            return Err(StatementError::Shape { place: "the file".to_owned(), reason });
        }
        Ok(found)
    }

    /// A statement with a body made elsewhere.
    pub fn of(body: Body, sub: Subject, aud: Audience) -> Statement {
        Statement { kind: body.kind(), sub: Some(sub), aud: Some(aud), regions: Vec::new(), body }
    }

    /// Its kind.
    pub fn kind(&self) -> KindName {
        self.kind
    }

    /// Whether only the organisation's own key may sign it.
    pub fn needs_organisation_key(&self) -> bool {
        self.kind.signer() == SignerRule::Organisation
    }

    /// Signs it for the organisation of `config`.
    pub fn sign(
        self,
        config: &Config,
        now: Timestamp,
        signer: &dyn Signer,
    ) -> Result<Envelope, SignError> {
        let aud = self.aud.unwrap_or_else(|| config.audience_of(self.kind));
        let sub = self.sub.unwrap_or_else(|| Subject::Org(config.org.clone()));
        let claims = claims(&config.org, sub, aud, self.regions, now);
        sign(Draft { claims, body: self.body }, crate::keys::random(), signer)
    }
}

/// Claims of `iss` now, in whole seconds.
pub fn claims(
    iss: &OrgId,
    sub: Subject,
    aud: Audience,
    mut regions: Vec<Region>,
    now: Timestamp,
) -> Claims {
    regions.sort_unstable();
    regions.dedup();
    let iat = Timestamp::from_unix_ms(now.unix_ms() / 1000 * 1000);
    Claims { iss: iss.clone(), sub, aud, iat, regions }
}

fn read_object(
    raw: &RawValue,
    place: &str,
    defaults: &Defaults,
    found: &mut Vec<Statement>,
) -> Result<(), StatementError> {
    let shape = |e: serde_json::Error| StatementError::Shape {
        place: place.trim().to_owned(),
        reason: e.to_string(),
    };
    let hint: Hint = serde_json::from_str(raw.get()).map_err(shape)?;
    if STATEMENTS_MAX <= found.len() {
        return Err(StatementError::TooMany);
    }
    match (hint.kind, hint.type_name.as_deref()) {
        (Some(_), _) => {
            let wire: Wire = serde_json::from_str(raw.get()).map_err(shape)?;
            found.push(from_wire(wire, place, defaults)?);
        }
        (None, Some("EPCISDocument" | "EPCISQueryDocument")) => {
            found.extend(document_of(raw.get(), place, defaults)?);
        }
        (None, Some(name)) if name.ends_with("Event") => {
            found.push(event_of(raw.get(), place, defaults)?);
        }
        (None, _) if defaults.kind.is_some() => {
            let kind = defaults.kind.expect("just seen");
            let payload = serde_json::from_str(raw.get()).map_err(shape)?;
            let kind = kind.as_str().to_owned();
            let wire = Wire { kind, sub: None, aud: None, regions: Vec::new(), payload };
            found.push(from_wire(wire, place, defaults)?);
        }
        (None, _) => {
            return Err(StatementError::Shape {
                place: place.trim().to_owned(),
                reason: "no `kind`: add it (`submit` also takes --kind)".to_owned(),
            });
        }
    }
    Ok(())
}

fn from_wire(wire: Wire, place: &str, defaults: &Defaults) -> Result<Statement, StatementError> {
    let place = place.trim();
    if let Some(asked) = defaults.kind.filter(|asked| asked.as_str() != wire.kind) {
        let place = place.to_owned();
        return Err(StatementError::OtherKind { place, stated: wire.kind, asked });
    }
    let kind: KindName = wire
        .kind
        .parse()
        .map_err(|e| StatementError::Shape { place: place.to_owned(), reason: format!("{e}") })?;
    let subject = |e| StatementError::Subject { place: place.to_owned(), reason: format!("{e}") };
    let sub = wire.sub.as_deref().map(Subject::parse).transpose().map_err(subject)?;
    let body = Body::from_json(kind, wire.payload)
        .map_err(|source| StatementError::Field { place: place.to_owned(), source })?;
    let aud = defaults.aud.clone().or(wire.aud);
    Ok(Statement { kind, sub, aud, regions: wire.regions, body })
}

/// The events of a document.
fn document_of(
    text: &str,
    place: &str,
    defaults: &Defaults,
) -> Result<Vec<Statement>, StatementError> {
    let document = document::read(text).map_err(|error| StatementError::Shape {
        place: format!("{place}{}", error.pointer).trim().to_owned(),
        reason: error.fault.to_string(),
    })?;
    let events = document.events.iter().enumerate();
    let statements = events.map(|(index, event)| {
        event_of(event, &format!("{place}{}", document.pointer(index)), defaults)
    });
    statements.collect()
}

/// The event as one text, its members and numbers as they stand in the file.
fn event_of(event: &str, place: &str, defaults: &Defaults) -> Result<Statement, StatementError> {
    let payload = serde_json::json!({ "epcis": event });
    let kind = KindName::Event.as_str().to_owned();
    let wire = Wire { kind, sub: None, aud: None, regions: Vec::new(), payload };
    from_wire(wire, place, defaults).map_err(|error| match error {
        StatementError::Field { source, .. } => in_event(place, source),
        other => other,
    })
}

/// The error where it is in the file: its pointer leads into the payload, whose one member the event
/// became here.
fn in_event(place: &str, error: FieldError) -> StatementError {
    let inside = error.pointer.strip_prefix("/epcis").unwrap_or(&error.pointer);
    let place = if inside.is_empty() { place.trim_end() } else { place };
    let source = FieldError::new(inside, error.fault);
    StatementError::Event { place: place.to_owned(), source }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|b| **b == b'\n').count() + 1
}

/// An attestation for people and programs: its claims, its body, where it is logged.
pub fn view(envelope: &Envelope, places: Vec<Value>) -> Value {
    let claims = envelope.claims();
    serde_json::json!({
        "id": envelope.id().to_string(),
        "kind": envelope.kind().as_str(),
        "iss": claims.iss.to_string(),
        "sub": claims.sub.to_string(),
        "aud": claims.aud,
        "iat": claims.iat,
        "regions": claims.regions,
        "kid": envelope.signer().to_string(),
        "payload": envelope.body().to_json(),
        "places": places,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"type":"ObjectEvent","eventID":"urn:uuid:00000000-0000-4000-8000-000000000001",
  "action":"OBSERVE","eventTime":"2026-01-02T03:04:05.000+08:00","eventTimeZoneOffset":"+08:00",
  "epcList":["https://id.gs1.org/01/09520123456788/21/7"],"bizStep":"shipping","x:n": 1.50}"#;

    #[test]
    fn events_of_a_document_are_kept_as_they_were_written() {
        let document = format!(
            r#"{{"type":"EPCISDocument","schemaVersion":"2.0","epcisBody":{{"eventList":[{EVENT}]}}}}"#
        );
        let found = Statement::from_file(document.as_bytes(), &Defaults::default());
        let found = found.expect("one event");
        assert_eq!(found.len(), 1);
        let kept = EVENT.replace("\n  ", "").replace(": 1.50", ":1.50");
        assert_eq!(found[0].body.to_json()["epcis"], Value::String(kept));
        let with_context = document.replacen('{', r#"{"@context":["c"],"#, 1);
        let found = Statement::from_file(with_context.as_bytes(), &Defaults::default());
        let kept = found.expect("one event")[0].body.to_json()["epcis"].to_string();
        assert!(kept.starts_with(r#""{\"@context\":[\"c\"],\"type\""#), "{kept}");
    }

    #[test]
    fn lines_arrays_and_bare_events_are_read() {
        let lines = format!("{EVENT}\n{EVENT}\n");
        assert_eq!(
            Statement::from_file(lines.as_bytes(), &Defaults::default()).expect("two").len(),
            2
        );
        let array = format!("[{EVENT},{EVENT},{EVENT}]");
        assert_eq!(
            Statement::from_file(array.as_bytes(), &Defaults::default()).expect("3").len(),
            3
        );
    }

    #[test]
    fn a_kind_that_contradicts_the_file_is_refused_and_both_are_named() {
        let facility = r#"{"kind":"facility","payload":{}}"#;
        let document =
            format!(r#"{{"type":"EPCISDocument","epcisBody":{{"eventList":[{EVENT}]}}}}"#);
        let cases = [
            (facility, "event", "facility"),
            (EVENT, "facility", "event"),
            (document.as_str(), "facility", "event"),
            (r#"{"kind":"no-such","payload":{}}"#, "facility", "no-such"),
        ];
        for (text, asked, stated) in cases {
            let defaults = Defaults { kind: Some(asked.parse().expect("a kind")), aud: None };
            let refused = Statement::from_file(text.as_bytes(), &defaults).expect_err("refused");
            assert!(matches!(refused, StatementError::OtherKind { .. }), "{refused}");
            let told = refused.to_string();
            assert!(told.contains(&format!("`{asked}`")), "{told}");
            assert!(told.contains(&format!("`{stated}`")), "{told}");
        }
        let same = Defaults { kind: Some(KindName::Event), aud: None };
        assert_eq!(Statement::from_file(document.as_bytes(), &same).expect("agrees").len(), 1);
    }

    #[test]
    fn a_fault_of_an_event_is_told_by_its_place_in_the_file_that_was_given() {
        let wrong = EVENT.replace("\"shipping\"", "\"sailing\"");
        let document = |path: &str, events: &str| {
            let kind = if path.contains("query") { "EPCISQueryDocument" } else { "EPCISDocument" };
            let mut body = format!("[{events}]");
            for name in path.split('/').rev().filter(|name| !name.is_empty()) {
                body = format!("{{\"{name}\":{body}}}");
            }
            body.replacen('{', &format!("{{\"type\":\"{kind}\","), 1)
        };
        let list = "/epcisBody/eventList";
        let queried = "/epcisBody/queryResults/resultsBody/eventList";
        let two = format!("{EVENT},{wrong}");
        for (text, told) in [
            (document(list, &two), format!("item 1 (ends on line 5) {list}/1/bizStep: ")),
            (document(queried, &two), format!("item 1 (ends on line 5) {queried}/1/bizStep: ")),
            (document(list, "7"), format!("item 1 (ends on line 1) {list}/0: ")),
            (wrong.clone(), "item 1 (ends on line 3) /bizStep: ".to_owned()),
            (format!("{EVENT}\n[{two}]"), "item 2 (ends on line 8) /1/bizStep: ".to_owned()),
        ] {
            let refused = Statement::from_file(text.as_bytes(), &Defaults::default());
            let refused = refused.expect_err("refused").to_string();
            assert!(refused.starts_with(&told), "{refused}\n{told}");
        }
        let json: Value = serde_json::from_str(&wrong).expect("JSON");
        let refused = Statement::from_json(json, &Defaults::default()).expect_err("refused");
        assert!(refused.to_string().starts_with("/bizStep: "), "{refused}");
    }

    #[test]
    fn every_error_names_its_place() {
        let message = |text: &str| {
            let refused = Statement::from_file(text.as_bytes(), &Defaults::default());
            refused.expect_err("refused").to_string()
        };
        assert!(message("{\"kind\":").contains("line 1"));
        assert!(message(&format!("{EVENT}\n{{\"a\":1}}")).contains("item 2"));
        assert!(message(r#"{"kind":"nothing","payload":{}}"#).contains("nothing"));
        assert!(message(r#"{"kind":"event","sub":"x","payload":{}}"#).contains("/sub"));
        assert!(message("").contains("none"));
    }
}
