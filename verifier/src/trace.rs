//! The way of goods: which events made them, packed, moved, unpacked, used or handed them out.
//!
//! Invariants: the same events in any order give the same trace; an event counts for goods inside
//! a container only while they are inside, so what was unpacked before a pallet left did not
//! travel with it; nothing is left out without the trace saying so. No I/O: a [`Tracer`] says
//! which goods it wants to know of next, whoever holds the evidence adds the events.
//!
//! Order is what the events claim: event time, then log, then entry. A claim proves nothing; the
//! admission of each event stands beside it.

mod dot;
mod events;
pub mod reach;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod unknown;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::event::fields::Fields;
use hallmark_schemas::time::Timestamp;
use serde::Serialize;

use events::Events;

/// Most goods that are followed.
pub const GOODS_MAX: usize = 500;
/// Most events of one trace.
pub const EVENTS_MAX: usize = 2_000;
/// Most items that those events name together: about 25 MiB.
pub const ITEMS_MAX: usize = 200_000;
/// Most links from the start to goods that are followed.
pub const DEPTH_MAX: usize = 16;
/// Most stays of goods in containers that are followed: one container may be met many times.
pub const STAYS_MAX: usize = 4 * GOODS_MAX;

/// An event where it is logged.
#[derive(Clone, Debug)]
pub struct Logged {
    /// Its content id.
    pub id: ContentId,
    /// The origin of the log that it was found in.
    pub log: String,
    /// Its place there.
    pub entry: u64,
    /// When the log admitted it.
    pub admitted_at: Timestamp,
    /// What it says and who says it; `None` if the body is not held, or not what was logged.
    pub said: Option<(OrgId, Fields)>,
    /// Whether something else is held in place of its body.
    pub is_damaged: bool,
}

/// Collects what there is to know of goods, lookup by lookup.
pub struct Tracer {
    start: GoodsId,
    events: Events,
    /// Events of which the body is not held or is damaged, by the goods they were found under.
    missing: BTreeMap<GoodsId, BTreeMap<ContentId, Logged>>,
    asked: BTreeSet<GoodsId>,
    /// Whether only what held the goods is followed.
    carriers_only: bool,
    /// Events that there was no room for.
    dropped: BTreeSet<ContentId>,
    unread: bool,
}

impl Tracer {
    /// Traces an item, a lot, a class or a container.
    pub fn new(start: GoodsId) -> Tracer {
        Tracer {
            start,
            events: Events::within(EVENTS_MAX, ITEMS_MAX),
            missing: BTreeMap::new(),
            asked: BTreeSet::new(),
            carriers_only: false,
            dropped: BTreeSet::new(),
            unread: false,
        }
    }

    /// Follows the goods only into what held them, and what held that.
    pub fn of_carriers(start: GoodsId) -> Tracer {
        Tracer { carriers_only: true, ..Tracer::new(start) }
    }

    /// The trace of all that was added, from logs of these extents.
    pub fn finish(self, logs: Vec<LogExtent>) -> Trace {
        let walk = walk::walk(&self.start, &self.events, self.carriers_only);
        let mut trace = walk.into_trace(&self.start);
        for (goods, missing) in &self.missing {
            trace.add_missing(goods, missing.values());
        }
        trace.logs = logs;
        for log in &mut trace.logs {
            let of_log =
                trace.steps.iter().filter(|step| step.is_damaged && step.log == log.origin);
            log.bodies_damaged = of_log.count() as u64;
        }
        trace.cut.events_left_out = self.dropped.len();
        trace.cut.events_unread = self.unread;
        for stay in &mut trace.stays {
            stay.looked_up = self.asked.contains(&stay.goods);
        }
        trace.unknown = unknown::edges(&trace);
        trace
    }
}

/// What is told of events, lookup by lookup.
pub trait Collect {
    /// The goods whose events are to be added next, each once; none when all is known.
    fn wanted(&mut self) -> Vec<GoodsId>;
    /// Whether an event was added already.
    fn knows(&self, id: &ContentId) -> bool;
    /// Adds an event that names `goods`. The same again changes nothing.
    fn add(&mut self, goods: &GoodsId, event: Logged);
    /// There are events that nobody reads: the answer will say so.
    fn leave_unread(&mut self);
}

impl Collect for Tracer {
    fn wanted(&mut self) -> Vec<GoodsId> {
        let walk = walk::walk(&self.start, &self.events, self.carriers_only);
        let followed = walk.stays.iter().map(|stay| &stay.goods);
        let wanted: BTreeSet<&GoodsId> =
            followed.filter(|goods| !self.asked.contains(*goods)).collect();
        let room = GOODS_MAX.saturating_sub(self.asked.len());
        let wanted: Vec<GoodsId> = wanted.into_iter().take(room).cloned().collect();
        self.asked.extend(wanted.iter().cloned());
        wanted
    }

    fn knows(&self, id: &ContentId) -> bool {
        self.events.contains(id)
    }

    fn add(&mut self, goods: &GoodsId, event: Logged) {
        if event.said.is_none() {
            let of_goods = self.missing.entry(goods.clone()).or_default();
            of_goods.insert(event.id, event);
        } else if !self.events.add(&event) {
            self.dropped.insert(event.id);
        }
    }

    fn leave_unread(&mut self) {
        self.unread = true;
    }
}

/// How goods are connected with what is traced.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// What is traced.
    Start,
    /// Is or was inside.
    Content,
    /// Held it for a while.
    Carrier,
    /// It was made from this.
    Input,
    /// This was made from it.
    Output,
    /// The lot that it was made in.
    Lot,
    /// Was made in this lot.
    Member,
}

/// One event on the way.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Step {
    /// Its content id.
    pub id: ContentId,
    /// The origin of its log.
    pub log: String,
    /// Its place there.
    pub entry: u64,
    /// When the log admitted it.
    pub admitted_at: Timestamp,
    /// What it says; absent if the body is not held here, or damaged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Told>,
    /// True if what is held here as its body is not what was logged.
    #[serde(rename = "damaged", skip_serializing_if = "std::ops::Not::not")]
    pub is_damaged: bool,
}

/// What an event says, as far as a trace shows it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Told {
    /// Who says it.
    pub issuer: OrgId,
    /// Its eventID, else its hash.
    pub event_id: String,
    /// When it happened, as its author says.
    pub event_at: Timestamp,
    /// `ObjectEvent`, `AggregationEvent` …
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `OBSERVE`, `ADD` or `DELETE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
    /// CBV word, or a URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub biz_step: Option<String>,
    /// CBV word, or a URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disposition: Option<String>,
    /// Where it was observed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_point: Option<String>,
    /// Where the goods are after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub biz_location: Option<String>,
    /// The container that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<GoodsId>,
    /// True if it takes everything out of the container.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub empties: bool,
    /// True if it only declares an earlier event to be in error.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub declares_error: bool,
    /// True if its issuer declared it to be in error: it moves nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub declared_error: bool,
}

/// Goods on the way, for as long as they concern what is traced.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Stay {
    /// The goods.
    pub goods: GoodsId,
    /// How they are connected with those of `parent`.
    pub relation: Relation,
    /// The stay that led here, by its place in the list; absent for the start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<usize>,
    /// The step that led here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_step: Option<usize>,
    /// The step that ended it; absent while nothing ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_step: Option<usize>,
    /// True if it ended because the goods were packed elsewhere, not because they were unpacked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub packed_again: bool,
    /// How much of a class the event that led here tells, in `uom`; absent for one thing, and where
    /// the amount is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Unit of measure; absent for pieces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uom: Option<String>,
    /// True if the event that led here tells no amount of a class.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub amount_unknown: bool,
    /// Whether the events of these goods were looked up; false where a limit was reached.
    pub looked_up: bool,
    /// The steps that concern it, in order.
    pub steps: Vec<usize>,
    /// Those of them that used it up: it went into other goods.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub used_up_by: Vec<usize>,
}

/// What no record held here tells of the way of goods.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unknown {
    /// No event tells how they began.
    Origin,
    /// They were with another organisation before, which did not record that it sent them.
    Sender,
    /// They were sent, and nobody recorded that they came.
    Receiver,
}

/// An edge of the way that leads nowhere.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct UnknownEdge {
    /// The stay whose goods it is of.
    pub stay: usize,
    /// What is not known.
    pub what: Unknown,
    /// The step that it leads from or to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
}

/// What a limit left out. All zero: nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Cut {
    /// Goods that were met and are not followed.
    pub goods_left_out: usize,
    /// Events that were found and are not shown.
    pub events_left_out: usize,
    /// True if there are events that were not even read.
    pub events_unread: bool,
    /// Links deeper than [`DEPTH_MAX`], or stays beyond [`STAYS_MAX`], not followed.
    pub links_left_out: usize,
}

impl Cut {
    /// Whether anything was left out.
    pub fn is_any(&self) -> bool {
        *self != Cut::default()
    }
}

/// The way of goods.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Trace {
    /// What was traced.
    pub goods: GoodsId,
    /// The goods on the way; the first is what was traced.
    pub stays: Vec<Stay>,
    /// The events on the way, in order.
    pub steps: Vec<Step>,
    /// Edges that no record held here tells, in the order of the stays.
    pub unknown: Vec<UnknownEdge>,
    /// What a limit left out.
    pub cut: Cut,
    /// The logs that were looked into; absent logs, and bodies that are missing, may tell more.
    pub logs: Vec<LogExtent>,
}

/// How much of a log was looked into.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct LogExtent {
    /// The log.
    pub origin: String,
    /// Its entries that are held.
    pub entries: u64,
    /// How many of their bodies are not held.
    pub bodies_missing: u64,
    /// How many bodies of steps of this trace are damaged here; others were not read.
    pub bodies_damaged: u64,
}

impl Trace {
    /// How many different goods are on the way.
    pub fn goods_count(&self) -> usize {
        self.stays.iter().map(|stay| &stay.goods).collect::<BTreeSet<_>>().len()
    }

    /// A tree for people.
    pub fn to_text(&self) -> String {
        text::write(self)
    }

    /// A drawing.
    pub fn to_svg(&self) -> String {
        svg::write(self)
    }

    /// A graph in the language of Graphviz.
    pub fn to_dot(&self) -> String {
        dot::write(self)
    }

    /// One sentence: what there is, and what was left out.
    pub fn verdict(&self) -> String {
        let logs: BTreeSet<&String> = self.steps.iter().map(|step| &step.log).collect();
        let mut verdict = format!(
            "{} of {} goods over {}",
            counted(self.steps.len() as u64, ["step", "steps"]),
            self.goods_count(),
            counted(logs.len() as u64, ["log", "logs"])
        );
        let unread = || self.steps.iter().filter(|step| step.event.is_none());
        let damaged = unread().filter(|step| step.is_damaged).count();
        for (count, what) in [(unread().count() - damaged, "not held here"), (damaged, "damaged")] {
            if 0 < count {
                let bodies = counted(count as u64, ["body", "bodies"]);
                verdict.push_str(&format!("; {bodies} {what}"));
            }
        }
        let Cut { goods_left_out, events_left_out, links_left_out, events_unread } = self.cut;
        let shown = [
            (self.goods_count(), goods_left_out, "goods"),
            (self.steps.len(), events_left_out, "events"),
            (self.stays.len(), links_left_out, "links"),
        ];
        for (shown, left_out, what) in shown.into_iter().filter(|(_, left_out, _)| 0 < *left_out) {
            verdict.push_str(&format!("; showing {shown} of {} {what}", shown + left_out));
        }
        if events_unread {
            verdict.push_str("; there are more events, which were not read");
        }
        if !self.unknown.is_empty() {
            let open = counted(self.unknown.len() as u64, ["edge", "edges"]);
            verdict.push_str(&format!("; {open} unknown"));
        }
        verdict
    }

    /// Adds what was found under goods and is not held, to their first stay.
    fn add_missing<'a>(&mut self, goods: &GoodsId, missing: impl Iterator<Item = &'a Logged>) {
        let Some(stay) = self.stays.iter_mut().find(|stay| stay.goods == *goods) else {
            return;
        };
        for Logged { id, log, entry, admitted_at, is_damaged, .. } in missing {
            let at = self.steps.iter().position(|step| step.id == *id).unwrap_or_else(|| {
                let (id, entry, admitted_at, is_damaged) = (*id, *entry, *admitted_at, *is_damaged);
                let log = log.clone();
                self.steps.push(Step { id, log, entry, admitted_at, event: None, is_damaged });
                self.steps.len() - 1
            });
            stay.steps.push(at);
        }
    }
}

/// So many of something, in words.
fn counted(count: u64, [one, many]: [&str; 2]) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
