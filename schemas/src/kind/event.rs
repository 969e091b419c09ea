//! `event`: one EPCIS 2.0 event, the client's JSON kept as it was sent.
//!
//! Invariants: the text is one JSON object without repeated members, within size and depth; what
//! the tables need has been read from it before an [`Event`] exists; vocabulary and identifiers are
//! normalised in the tables only, never in the text.

use super::check::{self, FieldError};
use super::{Kind, KindName};
use crate::attestation::Claims;
use crate::goods::GoodsId;
use crate::id::Subject;
use crate::identity::NaturalIdentity;
use crate::table::{RowContext, Rows, Table};
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

pub mod decimal;
pub mod document;
pub mod fields;
pub mod hash;
pub mod json;
mod read;
pub mod rows;
pub mod translate;
pub mod vocabulary;
mod xml;

use fields::Fields;

/// Longest event, in bytes of JSON.
pub const EPCIS_BYTES_MAX: usize = 256 * 1024;

/// See the module's words.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct Event {
    epcis: Box<str>,
    fields: Box<Fields>,
}

/// The body's one field.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    epcis: String,
}

impl TryFrom<Wire> for Event {
    type Error = FieldError;

    fn try_from(wire: Wire) -> Result<Event, FieldError> {
        Event::parse(&wire.epcis)
    }
}

impl From<Event> for Wire {
    fn from(event: Event) -> Wire {
        Wire { epcis: event.epcis.into_string() }
    }
}

impl Event {
    /// Reads one event. Pointers in errors lead into the event, under `/epcis`.
    pub fn parse(epcis: &str) -> Result<Event, FieldError> {
        let (max, found) = (EPCIS_BYTES_MAX, epcis.len());
        if max < found {
            let fault = super::FieldFault::TooLong { max, found };
            return Err(FieldError::new("/epcis", fault));
        }
        let json =
            json::parse(epcis).map_err(|error| check::decode("/epcis", error.to_string()))?;
        let fields = read::read(&json).map_err(|error| error.under("/epcis"))?;
        Ok(Event { epcis: epcis.into(), fields: Box::new(fields) })
    }

    /// The client's JSON, as sent.
    pub fn epcis(&self) -> &str {
        &self.epcis
    }

    /// The client's JSON with the time at which its log admitted it, and with its hash as eventID
    /// where it has none: as a query answers it.
    pub fn recorded(&self, at: Timestamp) -> String {
        let json = json::parse(&self.epcis).expect("parsed before");
        let json::Json::Object(mut members) = json else {
            return self.epcis().to_owned();
        };
        members.retain(|(name, _)| name != "recordTime");
        members.push(("recordTime".to_owned(), json::Json::Text(at.to_string())));
        if self.fields.event_id.is_none() {
            let own = json::Json::Text(self.fields.event_hash.clone());
            members.push(("eventID".to_owned(), own));
        }
        json::write(&json::Json::Object(members))
    }

    /// What the tables need, normalised.
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// What counts when two events of one identity are compared: the content that the hash is
    /// made from with all that identifiers say, the eventID and the error declaration.
    pub(super) fn normalised(&self) -> Vec<u8> {
        let json = json::parse(&self.epcis).expect("parsed before");
        let error = json.get("errorDeclaration");
        let error = error.map(|error| json::canonical(error, &[]));
        let said = (hash::content(&json), &self.fields.event_id, error);
        crate::cbor::to_vec(&said).expect("texts encode")
    }
}

impl Kind for Event {
    const NAME: KindName = KindName::Event;
    const TABLES: &'static [&'static Table] = &[
        &rows::EVENTS,
        &rows::EVENT_ITEMS,
        &rows::EVENT_PARTIES,
        &rows::EVENT_LINKS,
        &rows::SENSOR_REPORTS,
        &super::facility::LOCATIONS,
    ];

    fn from_json(json: &serde_json::Value) -> Result<Event, FieldError> {
        let wire: Wire = check::from_json(json)?;
        Event::parse(&wire.epcis)
    }

    fn check(&self) -> Result<(), FieldError> {
        Ok(())
    }

    fn check_claims(&self, _: &Claims) -> Result<(), FieldError> {
        Ok(())
    }

    /// The eventID, else the event hash. An error declaration repeats the event under its own
    /// eventID; it is another statement, told apart by when it was declared.
    fn identity(&self, claims: &Claims) -> NaturalIdentity {
        let fields = &self.fields;
        let declared = fields.error.as_ref().map(|error| error.declared_at);
        let parts = (fields.identity(), declared);
        NaturalIdentity::of(Self::NAME, &claims.iss, &parts)
    }

    /// What its lists name; the subject too, where a submitter made it one of the goods.
    fn goods(&self, claims: &Claims) -> Vec<GoodsId> {
        let mut all = self.fields.goods();
        if let Subject::Goods(subject) = &claims.sub
            && let Err(at) = all.binary_search(subject)
        {
            all.insert(at, subject.clone());
        }
        all
    }

    fn rows(&self, context: &RowContext<'_>, rows: &mut Rows) {
        rows::push(&self.fields, context, rows);
    }
}

#[cfg(test)]
mod tests;
