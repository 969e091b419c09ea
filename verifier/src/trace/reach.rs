//! What a recall reaches: everything made from, packed in or belonging to goods, and who has it now.
//!
//! Invariants: goods are reached forward only: what was made of them, the items of a lot, what was in
//! a container; what merely stood beside them in one is not. Where goods are is what the last event
//! says of them, or of what held them then; goods on the way are nobody's until somebody records
//! that they came. The same events in any order give the same answer. No I/O, as in [`Tracer`].
//!
//! [`Tracer`]: super::Tracer

mod closure;
#[cfg(test)]
mod tests;
mod text;
mod whereabouts;

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::time::Timestamp;
use serde::Serialize;

use super::events::Events;
use super::{Collect, LogExtent, Logged, Relation};

/// Most goods that are looked up, containers among them.
pub const GOODS_MAX: usize = 100_000;
/// Most events that are kept.
pub const EVENTS_MAX: usize = 50_000;
/// Most items that those events name together: about 125 MiB.
pub const ITEMS_MAX: usize = 1_000_000;
/// Most goods that one recall attestation names: its subject and what it covers.
pub const COVERS_MAX: usize = 1_001;
/// Most goods that are listed one by one; holders and totals count all.
pub const LISTED_MAX: usize = 1_000;

/// Collects what there is to know of goods that are called back, lookup by lookup.
pub struct Reacher {
    starts: BTreeSet<GoodsId>,
    since: Option<Timestamp>,
    events: Events,
    /// Events whose body is not held or is damaged.
    missing: BTreeSet<ContentId>,
    asked: BTreeSet<GoodsId>,
    dropped: BTreeSet<ContentId>,
    unread: bool,
}

impl Reacher {
    /// What is reached from these goods; `since` is when they were called back, if they were: what
    /// holders record from then on answers the recall.
    pub fn new(starts: BTreeSet<GoodsId>, since: Option<Timestamp>) -> Reacher {
        Reacher {
            starts,
            since,
            events: Events::within(EVENTS_MAX, ITEMS_MAX),
            missing: BTreeSet::new(),
            asked: BTreeSet::new(),
            dropped: BTreeSet::new(),
            unread: false,
        }
    }

    /// What was found, from logs of these extents.
    pub fn finish(self, logs: Vec<LogExtent>) -> Reach {
        let closure = closure::closure(&self.starts, &self.events);
        let mut reach = whereabouts::reach(&closure, self.since);
        let not_looked_up = closure.wanted().filter(|goods| !self.asked.contains(*goods));
        reach.cut = ReachCut {
            goods_left_out: not_looked_up.count(),
            events_left_out: self.dropped.len(),
            events_unread: self.unread,
            bodies_missing: self.missing.len(),
        };
        reach.goods = self.starts.into_iter().collect();
        reach.since = self.since;
        reach.logs = logs;
        reach
    }
}

impl Collect for Reacher {
    fn wanted(&mut self) -> Vec<GoodsId> {
        let closure = closure::closure(&self.starts, &self.events);
        let room = GOODS_MAX.saturating_sub(self.asked.len());
        let unasked = closure.wanted().filter(|goods| !self.asked.contains(*goods));
        let wanted: Vec<GoodsId> = unasked.take(room).cloned().collect();
        self.asked.extend(wanted.iter().cloned());
        wanted
    }

    fn knows(&self, id: &ContentId) -> bool {
        self.events.contains(id)
    }

    fn add(&mut self, _: &GoodsId, event: Logged) {
        if event.said.is_none() {
            self.missing.insert(event.id);
        } else if !self.events.add(&event) {
            self.dropped.insert(event.id);
        }
    }

    fn leave_unread(&mut self) {
        self.unread = true;
    }
}

/// Where an item is, by the last event that tells.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whereabouts {
    /// With whoever recorded it last.
    Held,
    /// Sent, and nobody recorded that it came.
    InTransit,
    /// Sold or dispensed.
    Sold,
    /// Destroyed or taken out of use.
    Ended,
    /// It went into other goods, which are reached too.
    UsedUp,
    /// No event names it.
    Unseen,
}

/// One item that is reached.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Reached {
    /// The item.
    pub goods: GoodsId,
    /// How it is connected with `because`.
    pub relation: Relation,
    /// What it was reached from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<GoodsId>,
    /// Where it is.
    pub state: Whereabouts,
    /// Who has it; of goods on the way, who is to get them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// The place of the last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The last event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<ContentId>,
    /// When its holder last recorded, since the recall, that it was set apart, sent back or destroyed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
}

/// Who has items that are reached.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Holder {
    /// The organisation that recorded them last.
    pub holder: String,
    /// Items with it.
    pub held: u64,
    /// Items that it sold.
    pub sold: u64,
    /// Items that it destroyed or took out of use.
    pub ended: u64,
    /// Items on the way to it, as their sender says.
    pub expected: u64,
    /// Of those it held or ended, how many it answered for since the recall.
    pub answered: u64,
    /// Its last answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answered_at: Option<Timestamp>,
    /// Where, at most [`PLACES_MAX`] places.
    pub places: BTreeSet<String>,
}

/// Most places that are listed with a holder.
pub const PLACES_MAX: usize = 16;

/// An amount of a lot that is not told item by item, by who moved it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Stock {
    /// The lot or class.
    pub goods: GoodsId,
    /// Who recorded it.
    pub holder: String,
    /// Where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What is left there by the records, in `uom`; absent where an event told no amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Unit of measure; absent for pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uom: Option<String>,
}

/// What nobody can tell from the records.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Sent, and nobody recorded that it came.
    InTransit,
    /// More of a lot was sent than others recorded to have received.
    NotReceived,
    /// An event moves goods and tells no amount.
    UnknownAmount,
    /// Whole classes were made of it: which items, no record tells.
    WholeClass,
}

/// An edge that leads nowhere.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Unresolved {
    /// Why.
    pub why: Why,
    /// Some of the goods, the first by name.
    pub goods: GoodsId,
    /// How many items.
    pub items: u64,
    /// How much of a lot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// From whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// To whom, as the sender says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<ContentId>,
}

/// All items that are reached, counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// Items, without those that went into others and without whole lots.
    pub items: u64,
    /// With a known holder.
    pub held: u64,
    /// On the way.
    pub in_transit: u64,
    /// Sold.
    pub sold: u64,
    /// Destroyed or taken out of use.
    pub ended: u64,
    /// Named by no event.
    pub unseen: u64,
    /// Items that went into other goods.
    pub used_up: u64,
    /// Of `items`, the share of which whoever has it, sold it or ended it says so, in ppm.
    pub confirmed_ppm: u64,
    /// Of `held` and `ended`, how many their holder answered for since the recall.
    pub answered: u64,
    /// Lots and classes that are reached.
    pub lots: u64,
}

/// What a limit or a missing body left out. All zero: nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct ReachCut {
    /// Goods whose events were not looked up.
    pub goods_left_out: usize,
    /// Events that were found and not kept.
    pub events_left_out: usize,
    /// True if there are events that were not even read.
    pub events_unread: bool,
    /// Events whose body is not held here, or is damaged.
    pub bodies_missing: usize,
}

/// What is reached.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Reach {
    /// From what.
    pub goods: Vec<GoodsId>,
    /// Since when it is called back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How many.
    pub totals: Totals,
    /// Who has them, the most first.
    pub holders: Vec<Holder>,
    /// Amounts of lots that are not told item by item.
    pub stocks: Vec<Stock>,
    /// What leads nowhere.
    pub unresolved: Vec<Unresolved>,
    /// The items, the first by name.
    pub items: Vec<Reached>,
    /// The goods that a recall has to name so that each item is recalled.
    pub covers: Vec<GoodsId>,
    /// What was left out.
    pub cut: ReachCut,
    /// The logs that were looked into.
    pub logs: Vec<LogExtent>,
}

impl Reach {
    /// Lines for people; the last one is the verdict.
    pub fn to_text(&self) -> String {
        text::write(self)
    }

    /// One sentence.
    pub fn verdict(&self) -> String {
        text::verdict(self)
    }
}

/// Counts by holder.
type Holders = BTreeMap<String, Holder>;
