//! What the tables need of an EPCIS 2.0 event.
//!
//! Invariants: an event has its type, time and zone, and the members that its type requires; every
//! identifier is in its canonical form; numbers are exact.

use super::decimal::Decimal;
use crate::goods::GoodsId;
use crate::kind::value::Digest;
use crate::time::Timestamp;
use std::collections::BTreeSet;

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

    /// The type of this name.
    pub fn named(name: &str) -> Option<EventType> {
        EventType::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }

    /// Their names, in the order of EPCIS.
    pub fn names() -> [&'static str; 5] {
        EventType::ALL.map(|(_, name)| name)
    }

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

/// What an event calls an item.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ItemName {
    /// Goods of a known scheme.
    Goods(GoodsId),
    /// Anything else, as it stands.
    Other(String),
}

impl ItemName {
    /// The goods, where it names any.
    pub fn goods(&self) -> Option<&GoodsId> {
        match self {
            ItemName::Goods(goods) => Some(goods),
            ItemName::Other(_) => None,
        }
    }

    /// The canonical text of goods, or the text itself.
    pub fn as_str(&self) -> &str {
        match self {
            ItemName::Goods(goods) => goods.as_str(),
            ItemName::Other(text) => text,
        }
    }
}

/// One item, or an amount of a class of items.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Item {
    /// Its place in the event.
    pub role: ItemRole,
    /// Its identifier.
    pub item: ItemName,
    /// The lot that its identifier tells, also where a serial identifies it without.
    pub lot: Option<String>,
    /// How much of a class.
    pub quantity: Option<Decimal>,
    /// Unit of measure; absent for a count of pieces.
    pub uom: Option<String>,
}

impl Item {
    /// Goods where the text names any, else the text; the amount is not known.
    pub(super) fn read(role: ItemRole, text: &str) -> Item {
        let (item, lot) = match GoodsId::read_with_lot(text) {
            Ok((goods, lot)) => (ItemName::Goods(goods), lot),
            Err(_) => (ItemName::Other(text.to_owned()), None),
        };
        Item { role, item, lot, quantity: None, uom: None }
    }
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

    /// The lots that the event gives one of its items: the one of its identifier first, and that of
    /// `ilmd` for what begins here. Where these differ both are said, and nothing here decides.
    pub fn lots_of<'a>(&'a self, item: &'a Item) -> impl Iterator<Item = &'a str> {
        let own = item.lot.as_deref();
        let stated = self.lot.as_deref().filter(|_| self.born(item.role));
        own.into_iter().chain(stated.filter(move |lot| own != Some(*lot)))
    }

    /// The items that the event puts into this lot, which is none of them.
    pub fn members<'a>(
        &'a self,
        lot: &'a GoodsId,
    ) -> impl Iterator<Item = (&'a Item, &'a GoodsId)> {
        let (class, number) = (lot.class(), lot.lot());
        let items = self.items.iter().filter_map(|item| Some((item, item.item.goods()?)));
        items.filter(move |(item, goods)| {
            let is_of = |told| number.as_deref() == Some(told);
            *goods != lot && self.lots_of(item).any(is_of) && goods.class() == class
        })
    }

    /// All goods that the event names, each once, sorted. A lot that the event gives an item is one
    /// of them; a class of which an item is named is not.
    pub fn goods(&self) -> Vec<GoodsId> {
        let named = self.items.iter().filter_map(|item| item.item.goods());
        let mut all: Vec<GoodsId> = named.cloned().collect();
        all.extend(self.lots());
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The lots that the event gives its items, one for each class and number, sorted.
    pub fn lots(&self) -> Vec<GoodsId> {
        let mut told: BTreeSet<(GoodsId, &str)> = BTreeSet::new();
        for item in &self.items {
            let Some(goods) = item.item.goods() else { continue };
            for lot in self.lots_of(item) {
                told.insert((goods.class().unwrap_or_else(|| goods.clone()), lot));
            }
        }
        told.iter().filter_map(|(class, lot)| class.in_lot(lot)).collect()
    }
}
