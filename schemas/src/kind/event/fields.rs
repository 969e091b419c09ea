//! What the tables need of an EPCIS 2.0 event.
//!
//! Invariants: an event has its type, time and zone, and the members that its type requires; every
//! identifier is in its canonical form; numbers are exact.

use super::decimal::Decimal;
use crate::kind::value::Digest;
use crate::time::Timestamp;

/// Most identifiers of one event, in all its lists.
pub const ITEMS_MAX: usize = 10_000;

/// The five types of event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EventType {
    /// Something happened to objects.
    Object,
    /// Objects were put into, or taken out of, a container.
    Aggregation,
    /// Objects were linked for long.
    Association,
    /// Objects belong to a business transaction.
    Transaction,
    /// Inputs became outputs.
    Transformation,
}

impl EventType {
    pub(super) const ALL: [(EventType, &'static str); 5] = [
        (EventType::Object, "ObjectEvent"),
        (EventType::Aggregation, "AggregationEvent"),
        (EventType::Association, "AssociationEvent"),
        (EventType::Transaction, "TransactionEvent"),
        (EventType::Transformation, "TransformationEvent"),
    ];

    /// Its name in EPCIS.
    pub fn as_str(self) -> &'static str {
        EventType::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

/// An event's declaration that an earlier event of its eventID was in error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ErrorDeclaration {
    /// When it was declared.
    pub declared_at: Timestamp,
    /// Why, a CBV word or a URI.
    pub reason: Option<String>,
    /// Events that correct it.
    pub corrective: Vec<String>,
}

/// The place of an item in an event.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum ItemRole {
    /// In `epcList` or `quantityList`.
    Epc,
    /// The parent.
    Parent,
    /// In a list of children.
    Child,
    /// In a list of inputs.
    Input,
    /// In a list of outputs.
    Output,
}

impl ItemRole {
    /// Its text in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            ItemRole::Epc => "epc",
            ItemRole::Parent => "parent",
            ItemRole::Child => "child",
            ItemRole::Input => "input",
            ItemRole::Output => "output",
        }
    }
}

/// One item, or an amount of a class of items.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    /// Its place in the event.
    pub role: ItemRole,
    /// Its identifier.
    pub item: String,
    /// How much of a class.
    pub quantity: Option<Decimal>,
    /// Unit of measure; absent for a count of pieces.
    pub uom: Option<String>,
}

/// A party or place at one side of a transfer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Party {
    /// `source` or `destination`.
    pub side: &'static str,
    /// `owning_party`, `possessing_party`, `location`, or a URI.
    pub kind: String,
    /// The party or place.
    pub party: String,
}

/// One sensor report.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Sensor {
    /// What was measured.
    pub kind: String,
    /// When.
    pub at: Option<Timestamp>,
    /// The value.
    pub value: Option<Decimal>,
    /// Its unit.
    pub uom: Option<String>,
    /// `ALARM_CONDITION` or `ERROR_CONDITION`.
    pub exception: Option<String>,
}

/// See the module's words.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    /// Its type.
    pub kind: EventType,
    /// `OBSERVE`, `ADD` or `DELETE`; none for transformations.
    pub action: Option<&'static str>,
    /// When it happened, as its author says.
    pub event_at: Timestamp,
    /// Zone of the place, as `+08:00`.
    pub utc_offset: String,
    /// When an earlier repository recorded it.
    pub recorded_at: Option<Timestamp>,
    /// Its eventID, if it has one.
    pub event_id: Option<String>,
    /// What step of business it was.
    pub biz_step: Option<String>,
    /// The state of the objects after it.
    pub disposition: Option<String>,
    /// Where it was observed.
    pub read_point: Option<String>,
    /// Where the objects are after it.
    pub biz_location: Option<String>,
    /// The device that made the first sensor report.
    pub device: Option<String>,
    /// Joins the events of one transformation.
    pub transformation_id: Option<String>,
    /// Set if the event only declares an error.
    pub error: Option<ErrorDeclaration>,
    /// All items, list by list.
    pub items: Vec<Item>,
    /// Lot of new items, from `ilmd`.
    pub lot: Option<String>,
    /// Expiry of new items, from `ilmd`.
    pub expiry: Option<String>,
    /// Sources and destinations.
    pub parties: Vec<Party>,
    /// Business transactions, certificates and corrections, as (kind, reference).
    pub links: Vec<(String, String)>,
    /// Sensor reports.
    pub sensors: Vec<Sensor>,
    /// The event's hash: equal for events of the same content.
    pub event_hash: String,
    /// SHA-256 of the canonical sensor elements.
    pub sensor_hash: Option<Digest>,
}

impl Fields {
    /// What tells the event from others: its eventID, else its hash.
    pub fn identity(&self) -> &str {
        self.event_id.as_deref().unwrap_or(&self.event_hash)
    }

    /// True for items that begin with the event: what `ilmd` says is of them.
    pub fn born(&self, role: ItemRole) -> bool {
        match role {
            ItemRole::Output => true,
            ItemRole::Epc => self.action == Some("ADD"),
            _ => false,
        }
    }
}
