//! The events of a trace, and what they say of containers.
//!
//! Invariants: an event's rank is its place in the order of event time, log and entry, whatever
//! the order of adding; an event that its issuer declared to be in error moves nothing.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::event::decimal::Decimal;
use hallmark_schemas::kind::event::fields::{EventType, Fields, Item, ItemRole};
use hallmark_schemas::time::Timestamp;

use super::Logged;

/// Place of an event in the order of a trace.
pub(super) type Rank = usize;

/// Event time, log, entry.
type Position = (Timestamp, String, u64);

/// One event.
pub(super) struct Event {
    pub(super) id: ContentId,
    pub(super) admitted_at: Timestamp,
    pub(super) issuer: OrgId,
    pub(super) fields: Fields,
}

/// All events, by position.
pub(super) struct Events {
    by_position: BTreeMap<Position, Event>,
    positions: BTreeMap<ContentId, Position>,
    items: usize,
    events_max: usize,
    items_max: usize,
}

impl Events {
    /// None, with room for so many that name so many items together.
    pub(super) fn within(events_max: usize, items_max: usize) -> Events {
        let (by_position, positions) = (BTreeMap::new(), BTreeMap::new());
        Events { by_position, positions, items: 0, events_max, items_max }
    }

    pub(super) fn contains(&self, id: &ContentId) -> bool {
        self.positions.contains_key(id)
    }

    /// Adds an event with its body; false if there is no room. An event in several logs counts
    /// once, at its lowest log and entry.
    pub(super) fn add(&mut self, logged: &Logged) -> bool {
        let Some((issuer, fields)) = &logged.said else {
            return true;
        };
        let position = (fields.event_at, logged.log.clone(), logged.entry);
        match self.positions.get(&logged.id) {
            Some(known) if *known <= position => return true,
            Some(known) => {
                self.items -=
                    self.by_position.remove(known).map_or(0, |one| one.fields.items.len());
            }
            None => {}
        }
        let items = self.items + fields.items.len();
        if self.events_max <= self.by_position.len() || self.items_max < items {
            return false;
        }
        self.items = items;
        self.positions.insert(logged.id, position.clone());
        let (issuer, fields) = (issuer.clone(), fields.clone());
        let event = Event { id: logged.id, admitted_at: logged.admitted_at, issuer, fields };
        self.by_position.insert(position, event);
        true
    }

    /// The events in order, to look things up in.
    pub(super) fn ranked(&self) -> Ranked<'_> {
        let events: Vec<_> = self.by_position.iter().collect();
        let mut declared = BTreeSet::new();
        for (_, event) in events.iter().filter(|(_, event)| event.fields.error.is_some()) {
            declared.insert((&event.issuer, event.fields.identity()));
        }
        let mut by_goods: BTreeMap<&GoodsId, Vec<Mention<'_>>> = BTreeMap::new();
        let mut told_of: BTreeMap<GoodsId, Vec<Rank>> = BTreeMap::new();
        let mut void = BTreeSet::new();
        for (rank, (_, event)) in events.iter().enumerate() {
            for item in &event.fields.items {
                if let Some(goods) = item.item.goods() {
                    by_goods.entry(goods).or_default().push(Mention { rank, item });
                }
            }
            for lot in event.fields.lots() {
                told_of.entry(lot).or_default().push(rank);
            }
            if declared.contains(&(&event.issuer, event.fields.identity())) {
                void.insert(rank);
            }
        }
        Ranked { events, by_goods, told_of, void }
    }
}

/// Goods in a container.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Holding {
    pub(super) parent: GoodsId,
    /// The event that put them in, or first saw them there.
    pub(super) from: Rank,
    /// The event that took them out.
    pub(super) to: Option<Rank>,
    /// They were not taken out, but put into another container.
    pub(super) packed_again: bool,
}

/// Goods in one list of an event.
#[derive(Clone, Copy)]
pub(super) struct Mention<'a> {
    pub(super) rank: Rank,
    pub(super) item: &'a Item,
}

/// Events in order.
pub(super) struct Ranked<'a> {
    pub(super) events: Vec<(&'a Position, &'a Event)>,
    /// By rank within each.
    by_goods: BTreeMap<&'a GoodsId, Vec<Mention<'a>>>,
    /// Events that tell of items of a lot.
    told_of: BTreeMap<GoodsId, Vec<Rank>>,
    /// Error declarations and what they declare.
    void: BTreeSet<Rank>,
}

impl<'a> Ranked<'a> {
    /// The lists of events that the goods stand in.
    pub(super) fn mentions(&self, goods: &GoodsId) -> &[Mention<'a>] {
        self.by_goods.get(goods).map_or(&[], Vec::as_slice)
    }

    /// The events that tell of items of this lot.
    pub(super) fn tellings(&self, lot: &GoodsId) -> &[Rank] {
        self.told_of.get(lot).map_or(&[], Vec::as_slice)
    }

    /// Those of them with which such items begin.
    pub(super) fn births<'b>(&'b self, lot: &'b GoodsId) -> impl Iterator<Item = Rank> + 'b {
        let all = self.tellings(lot).iter().copied();
        all.filter(move |rank| {
            let fields = self.fields(*rank);
            fields.members(lot).any(|(item, _)| fields.born(item.role))
        })
    }

    pub(super) fn fields(&self, rank: Rank) -> &'a Fields {
        &self.events[rank].1.fields
    }

    /// Whether the event moves nothing.
    pub(super) fn is_void(&self, rank: Rank) -> bool {
        self.void.contains(&rank)
    }

    /// The containers that held these goods, and while which events.
    pub(super) fn holdings(&self, goods: &GoodsId) -> Vec<Holding> {
        let mut ranks: BTreeMap<Rank, Option<&Item>> = BTreeMap::new();
        for Mention { rank, item } in self.mentions(goods) {
            if item.role != ItemRole::Child || self.is_void(*rank) {
                continue;
            }
            // Nothing is inside itself, whatever an event says.
            if let Some(parent) = container(self.fields(*rank)).filter(|parent| *parent != goods) {
                ranks.insert(*rank, Some(item));
                for emptied in self.emptied(parent) {
                    ranks.entry(emptied).or_insert(None);
                }
            }
        }
        let mut stays = Stays { is_class: goods.is_class(), ..Stays::default() };
        for (rank, item) in ranks {
            let fields = self.fields(rank);
            match (container(fields), fields.action, item) {
                (Some(parent), Some("DELETE"), item) => stays.take_out(parent, rank, item),
                (Some(parent), action, Some(item)) => {
                    stays.put_in(parent, rank, item, action == Some("ADD"));
                }
                _ => {}
            }
        }
        stays.end()
    }

    /// The events that take everything out of a container.
    fn emptied(&self, parent: &GoodsId) -> impl Iterator<Item = Rank> {
        let all = self.mentions(parent).iter().map(|mention| mention.rank);
        all.filter(|rank| !self.is_void(*rank) && empties(self.fields(*rank), parent))
    }

    /// What was in this container, and while which events.
    pub(super) fn contents(&self, parent: &GoodsId) -> Vec<(&'a GoodsId, Holding)> {
        let mut children: BTreeSet<&'a GoodsId> = BTreeSet::new();
        for Mention { rank, .. } in self.mentions(parent) {
            let fields = self.fields(*rank);
            if !self.is_void(*rank) && container(fields) == Some(parent) {
                children.extend(of_role(fields, ItemRole::Child));
            }
        }
        let mut contents = Vec::new();
        for child in children {
            let held = self.holdings(child);
            let held = held.into_iter().filter(|holding| holding.parent == *parent);
            contents.extend(held.map(|holding| (child, holding)));
        }
        contents.sort_by(|(a, x), (b, y)| (x.from, a).cmp(&(y.from, b)));
        contents
    }

    /// Whether anything was ever in it.
    pub(super) fn is_container(&self, goods: &GoodsId) -> bool {
        let held = |mention: &Mention<'_>| container(self.fields(mention.rank)) == Some(goods);
        self.mentions(goods).iter().any(held)
    }
}

/// Goods going into containers and out of them.
#[derive(Default)]
struct Stays {
    /// Many things of a sort may be in many containers.
    is_class: bool,
    open: BTreeMap<GoodsId, (Rank, Amount)>,
    closed: Vec<Holding>,
}

impl Stays {
    /// One thing is in one container: a second one ends the first.
    fn put_in(&mut self, parent: &GoodsId, rank: Rank, item: &Item, adds: bool) {
        if !self.is_class {
            let others = std::mem::take(&mut self.open);
            for (other, held) in others {
                if other == *parent {
                    self.open.insert(other, held);
                } else {
                    self.close(other, held.0, Some(rank), true);
                }
            }
        }
        match self.open.get_mut(parent) {
            Some((_, amount)) if adds => amount.add(item),
            // An observation adds nothing to what is inside.
            Some(_) => {}
            None => {
                self.open.insert(parent.clone(), (rank, Amount::of(item)));
            }
        }
    }

    /// Some of a class may stay inside; without an item everything is taken out.
    fn take_out(&mut self, parent: &GoodsId, rank: Rank, item: Option<&Item>) {
        match (self.open.remove(parent), item) {
            (Some((from, amount)), item) => {
                match item.and_then(|item| amount.remains_without(item)) {
                    Some(rest) => drop(self.open.insert(parent.clone(), (from, rest))),
                    None => self.close(parent.clone(), from, Some(rank), false),
                }
            }
            // Taken out of where nobody saw it: it was inside at that moment.
            (None, Some(_)) => self.close(parent.clone(), rank, Some(rank), false),
            (None, None) => {}
        }
    }

    fn close(&mut self, parent: GoodsId, from: Rank, to: Option<Rank>, packed_again: bool) {
        self.closed.push(Holding { parent, from, to, packed_again });
    }

    fn end(mut self) -> Vec<Holding> {
        for (parent, (from, _)) in std::mem::take(&mut self.open) {
            self.close(parent, from, None, false);
        }
        self.closed.sort_by(|a, b| (a.from, &a.parent).cmp(&(b.from, &b.parent)));
        self.closed
    }
}

/// How much of a class is in a container.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Amount {
    /// One thing, or an amount that was not told.
    Unknown,
    /// In 10⁻¹⁸ of a unit of measure.
    Known(i128, Option<String>),
}

impl Amount {
    fn of(item: &Item) -> Amount {
        fine_amount(item).map_or(Amount::Unknown, |fine| Amount::Known(fine, item.uom.clone()))
    }

    fn add(&mut self, item: &Item) {
        *self = match (&*self, Amount::of(item)) {
            (Amount::Known(a, unit), Amount::Known(b, other)) if *unit == other => {
                a.checked_add(b).map_or(Amount::Unknown, |sum| Amount::Known(sum, other))
            }
            _ => Amount::Unknown,
        };
    }

    /// What is left after a removal; `None` if nothing is, or nobody can tell.
    fn remains_without(&self, item: &Item) -> Option<Amount> {
        match (self, Amount::of(item)) {
            (Amount::Known(a, unit), Amount::Known(b, other)) if *unit == other => {
                let left = a.checked_sub(b).filter(|left| 0 < *left)?;
                Some(Amount::Known(left, other))
            }
            _ => None,
        }
    }
}

/// How much of a class, in 10⁻¹⁸ of its unit of measure; `None` if that is not told.
pub(super) fn fine_amount(item: &Item) -> Option<i128> {
    let quantity: Decimal = item.quantity?;
    let power = u32::try_from(18 + i32::from(quantity.scale_e10)).ok()?;
    i128::from(quantity.amount).checked_mul(10_i128.checked_pow(power)?)
}

/// Such an amount as a decimal number.
pub(super) fn fine_text(fine: i128) -> String {
    let unit = 10_u128.pow(18);
    let (whole, rest) = (fine.unsigned_abs() / unit, fine.unsigned_abs() % unit);
    let sign = if fine < 0 { "-" } else { "" };
    let digits = format!("{rest:018}");
    match digits.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        digits => format!("{sign}{whole}.{digits}"),
    }
}

/// The container that an event is about.
pub(super) fn container(fields: &Fields) -> Option<&GoodsId> {
    let packs = matches!(fields.kind, EventType::Aggregation | EventType::Association);
    of_role(fields, ItemRole::Parent).next().filter(|_| packs)
}

/// Whether all that is in the container is taken out.
pub(super) fn empties(fields: &Fields, parent: &GoodsId) -> bool {
    container(fields) == Some(parent)
        && fields.action == Some("DELETE")
        && !fields.items.iter().any(|item| item.role == ItemRole::Child)
}

/// The goods in one role.
pub(super) fn of_role(fields: &Fields, role: ItemRole) -> impl Iterator<Item = &GoodsId> {
    fields.items.iter().filter(move |item| item.role == role).filter_map(|item| item.item.goods())
}
