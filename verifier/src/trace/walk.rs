//! From what is traced to everything that it was with, link by link.
//!
//! Invariants: every stay has a window of events, and nothing outside it counts; a carrier leads to
//! the containers that it was in, never down to what else it held; an input leads up only, an
//! output down only.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::kind::event::fields::{Fields, Item, ItemRole};

use super::events::{
    Events, Holding, Mention, Rank, Ranked, container, empties, fine_amount, fine_text, of_role,
};
use super::{Cut, DEPTH_MAX, EVENTS_MAX, GOODS_MAX, Relation, STAYS_MAX, Stay, Step, Told, Trace};

/// Most steps listed with all stays together.
const LISTED_MAX: usize = 5 * EVENTS_MAX;

/// What of its goods' events a stay follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    /// Everything: containers, contents, inputs, outputs, lot and members.
    Whole,
    /// A container inside what is traced: only its contents and what holds it.
    Content,
    /// Its inputs and lot.
    Up,
    /// Its outputs, contents and members.
    Down,
    /// Only what holds it.
    Carrier,
}

impl Mode {
    fn follows_contents(self) -> bool {
        matches!(self, Mode::Whole | Mode::Content | Mode::Down)
    }

    fn follows_up(self) -> bool {
        matches!(self, Mode::Whole | Mode::Up)
    }

    fn follows_down(self) -> bool {
        matches!(self, Mode::Whole | Mode::Down)
    }

    /// Whether an event that names the goods in this role is a step of the stay.
    fn shows(self, fields: &Fields, mention: &Mention<'_>) -> bool {
        let role = mention.item.role;
        match self {
            Mode::Whole | Mode::Content | Mode::Down => true,
            Mode::Up => role != ItemRole::Input,
            Mode::Carrier => match role {
                ItemRole::Epc | ItemRole::Child => true,
                // What else goes in or out is another's way.
                ItemRole::Parent => of_role(fields, ItemRole::Child).next().is_none(),
                ItemRole::Input | ItemRole::Output => false,
            },
        }
    }
}

/// Events from one rank to another, both included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Window {
    from: Rank,
    to: Rank,
}

impl Window {
    const ALL: Window = Window { from: 0, to: Rank::MAX };

    fn has(self, rank: Rank) -> bool {
        (self.from..=self.to).contains(&rank)
    }

    fn holds(self, other: Window) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// The part of a holding within it.
    fn while_held(self, holding: &Holding) -> Option<Window> {
        let from = self.from.max(holding.from);
        let to = self.to.min(holding.to.unwrap_or(Rank::MAX));
        (from <= to).then_some(Window { from, to })
    }
}

/// Goods, for as long as they concern what is traced.
pub(super) struct Visit {
    pub(super) goods: GoodsId,
    relation: Relation,
    mode: Mode,
    window: Window,
    parent: Option<usize>,
    depth: usize,
    opened_by: Option<Rank>,
    closed_by: Option<Rank>,
    packed_again: bool,
}

/// Everything that was reached.
pub(super) struct Walk<'a> {
    ranked: Ranked<'a>,
    pub(super) stays: Vec<Visit>,
    seen: BTreeMap<GoodsId, Vec<(Mode, Window)>>,
    left_out: BTreeSet<GoodsId>,
    links_left_out: usize,
}

/// Follows every link from the start, nearest first; or only those to what held it.
pub(super) fn walk<'a>(start: &GoodsId, events: &'a Events, carriers_only: bool) -> Walk<'a> {
    let mut walk = Walk {
        ranked: events.ranked(),
        stays: Vec::new(),
        seen: BTreeMap::new(),
        left_out: BTreeSet::new(),
        links_left_out: 0,
    };
    walk.push(Visit {
        goods: start.clone(),
        relation: Relation::Start,
        mode: if carriers_only { Mode::Carrier } else { Mode::Whole },
        window: Window::ALL,
        parent: None,
        depth: 0,
        opened_by: None,
        closed_by: None,
        packed_again: false,
    });
    let mut next = 0;
    while next < walk.stays.len() {
        walk.follow_containers(next);
        walk.follow_contents(next);
        walk.follow_making(next);
        walk.follow_members(next);
        next += 1;
    }
    walk
}

impl<'a> Walk<'a> {
    /// Adds a stay unless another covers it or a limit is reached.
    fn push(&mut self, visit: Visit) {
        let known = self.seen.get(&visit.goods);
        let covers = |(mode, window): &(Mode, Window)| {
            (*mode == visit.mode || *mode == Mode::Whole) && window.holds(visit.window)
        };
        if known.is_some_and(|known| known.iter().any(covers)) {
            return;
        }
        if known.is_none() && GOODS_MAX <= self.seen.len() {
            self.left_out.insert(visit.goods);
            return;
        }
        if DEPTH_MAX < visit.depth || STAYS_MAX <= self.stays.len() {
            self.links_left_out += 1;
            return;
        }
        let seen = self.seen.entry(visit.goods.clone()).or_default();
        seen.push((visit.mode, visit.window));
        self.stays.push(visit);
    }

    /// A stay that `from` leads to because of an event.
    fn link(&mut self, from: usize, to: &GoodsId, how: (Relation, Mode), window: Window, by: Rank) {
        let (relation, mode) = how;
        self.push(Visit {
            goods: to.clone(),
            relation,
            mode,
            window,
            parent: Some(from),
            depth: self.stays[from].depth + 1,
            opened_by: Some(by),
            closed_by: None,
            packed_again: false,
        });
    }

    /// The same because one holds the other.
    fn held(&mut self, from: usize, to: &GoodsId, how: (Relation, Mode), at: (Window, &Holding)) {
        let ((relation, mode), (window, holding)) = (how, at);
        self.push(Visit {
            goods: to.clone(),
            relation,
            mode,
            window,
            parent: Some(from),
            depth: self.stays[from].depth + 1,
            opened_by: Some(holding.from),
            closed_by: holding.to,
            packed_again: holding.packed_again,
        });
    }

    fn follow_containers(&mut self, at: usize) {
        let (goods, window) = (self.stays[at].goods.clone(), self.stays[at].window);
        for holding in self.ranked.holdings(&goods) {
            if let Some(window) = window.while_held(&holding) {
                let how = (Relation::Carrier, Mode::Carrier);
                self.held(at, &holding.parent, how, (window, &holding));
            }
        }
    }

    /// What was inside. A container's own life is not its contents': only what happened while it
    /// was inside counts for it, everything for the things in it.
    fn follow_contents(&mut self, at: usize) {
        let Visit { mode, window, goods, .. } = &self.stays[at];
        if !mode.follows_contents() {
            return;
        }
        let (window, is_down) = (*window, *mode == Mode::Down);
        for (child, holding) in self.ranked.contents(goods) {
            let Some(inside) = window.while_held(&holding) else {
                continue;
            };
            let (mode, window) = match self.ranked.is_container(child) {
                true => (Mode::Content, inside),
                false if is_down => (Mode::Down, Window { from: inside.from, to: Rank::MAX }),
                false => (Mode::Whole, Window::ALL),
            };
            self.held(at, child, (Relation::Content, mode), (window, &holding));
        }
    }

    /// Inputs, outputs and the lot.
    fn follow_making(&mut self, at: usize) {
        let Visit { mode, window, goods, .. } = &self.stays[at];
        let (mode, window, goods) = (*mode, *window, goods.clone());
        for Mention { rank, item } in self.ranked.mentions(&goods).to_vec() {
            if !window.has(rank) || self.ranked.is_void(rank) {
                continue;
            }
            let fields = self.ranked.fields(rank);
            let (before, after) =
                (Window { from: 0, to: rank }, Window { from: rank, to: Rank::MAX });
            if item.role == ItemRole::Input && mode.follows_down() {
                for output in of_role(fields, ItemRole::Output) {
                    self.link(at, output, (Relation::Output, Mode::Down), after, rank);
                }
            }
            if item.role == ItemRole::Output && mode.follows_up() {
                for input in of_role(fields, ItemRole::Input) {
                    self.link(at, input, (Relation::Input, Mode::Up), before, rank);
                }
            }
            let lots = fields.lots_of(item).filter(|_| mode.follows_up());
            for lot in lots.filter_map(|lot| goods.in_lot(lot)).filter(|lot| *lot != goods) {
                self.link(at, &lot, (Relation::Lot, Mode::Up), before, rank);
            }
        }
    }

    /// The items of a lot.
    fn follow_members(&mut self, at: usize) {
        let Visit { mode, window, goods, .. } = &self.stays[at];
        if !mode.follows_down() {
            return;
        }
        let (mode, window, goods) = (*mode, *window, goods.clone());
        for rank in self.ranked.tellings(&goods).to_vec() {
            if !window.has(rank) || self.ranked.is_void(rank) {
                continue;
            }
            let fields = self.ranked.fields(rank);
            for (item, member) in fields.members(&goods) {
                // What does not begin here was of its lot before.
                let begins = mode != Mode::Whole && fields.born(item.role);
                let from = if begins { rank } else { 0 };
                let window = Window { from, to: Rank::MAX };
                self.link(at, member, (Relation::Member, mode), window, rank);
            }
        }
    }

    /// The events that concern a stay. What is said of the lot of goods is said of them, whenever;
    /// and the event that they were born with in that lot is one of the lot.
    fn steps_of(&self, visit: &Visit) -> BTreeSet<Rank> {
        let is_lot = visit.relation == Relation::Lot;
        let mentions = self.ranked.mentions(&visit.goods).iter();
        let shown = mentions.filter(|mention| {
            (is_lot || visit.window.has(mention.rank))
                && visit.mode.shows(self.ranked.fields(mention.rank), mention)
        });
        let mut steps: BTreeSet<Rank> = shown.map(|mention| mention.rank).collect();
        steps.extend(visit.opened_by.filter(|_| is_lot));
        if visit.mode.follows_down() {
            let births = self.ranked.births(&visit.goods);
            steps.extend(births.filter(|rank| visit.window.has(*rank)));
        }
        steps
    }

    /// What the event that led to a class of goods says of them; of what led on from goods to a
    /// container, what it says of those.
    fn told_of(&self, visit: &Visit) -> Option<&'a Item> {
        let goods = match visit.relation {
            Relation::Carrier => &self.stays.get(visit.parent?)?.goods,
            _ => &visit.goods,
        };
        let role = match visit.relation {
            Relation::Content | Relation::Carrier => ItemRole::Child,
            Relation::Input => ItemRole::Input,
            Relation::Output => ItemRole::Output,
            Relation::Start | Relation::Lot | Relation::Member => return None,
        };
        let rank = visit.opened_by?;
        let mut mentions = self.ranked.mentions(goods).iter().filter(|_| goods.is_class());
        mentions.find(|one| one.rank == rank && one.item.role == role).map(|one| one.item)
    }

    /// How much of a class a stay is of; `None` inside where that is not told.
    fn amount_of(&self, visit: &Visit) -> Option<Option<i128>> {
        self.told_of(visit).map(fine_amount)
    }

    /// Whether the event made other goods of these.
    fn uses_up(&self, rank: Rank, goods: &GoodsId) -> bool {
        let mut mentions = self.ranked.mentions(goods).iter();
        mentions.any(|one| one.rank == rank && one.item.role == ItemRole::Input)
    }

    /// What was found, in the form that is shown.
    pub(super) fn into_trace(self, start: &GoodsId) -> Trace {
        let mut listed = 0;
        let mut of_stay = Vec::new();
        let mut cut = Cut {
            goods_left_out: self.left_out.len(),
            links_left_out: self.links_left_out,
            ..Cut::default()
        };
        for visit in &self.stays {
            let mut steps = self.steps_of(visit);
            if LISTED_MAX < listed + steps.len() {
                cut.links_left_out += 1;
                steps.clear();
            }
            listed += steps.len();
            of_stay.push(steps);
        }
        let all: BTreeSet<Rank> = of_stay.iter().flatten().copied().collect();
        let place: BTreeMap<Rank, usize> = all.iter().copied().zip(0..).collect();
        let steps = all.iter().map(|rank| self.step(*rank)).collect();
        let find = |rank: &Rank| place.get(rank).copied();
        let stays = self.stays.iter().zip(of_stay).map(|(visit, steps)| Stay {
            goods: visit.goods.clone(),
            relation: visit.relation,
            parent: visit.parent,
            from_step: visit.opened_by.as_ref().and_then(find),
            to_step: visit.closed_by.as_ref().and_then(find),
            packed_again: visit.packed_again,
            amount: self.amount_of(visit).flatten().map(fine_text),
            uom: self.told_of(visit).and_then(|item| item.uom.clone()),
            amount_unknown: self.amount_of(visit).is_some_and(|amount| amount.is_none()),
            looked_up: false,
            steps: steps.iter().filter_map(find).collect(),
            used_up_by: steps
                .iter()
                .filter(|rank| self.uses_up(**rank, &visit.goods))
                .filter_map(find)
                .collect(),
        });
        let (stays, unknown, logs) = (stays.collect(), Vec::new(), Vec::new());
        Trace { goods: start.clone(), stays, steps, unknown, cut, logs }
    }

    fn step(&self, rank: Rank) -> Step {
        let ((_, log, entry), event) = self.ranked.events[rank];
        let fields = &event.fields;
        let declares_error = fields.error.is_some();
        let told = Told {
            issuer: event.issuer.clone(),
            event_id: fields.identity().to_owned(),
            event_at: fields.event_at,
            kind: fields.kind.as_str(),
            action: fields.action,
            biz_step: fields.biz_step.clone(),
            disposition: fields.disposition.clone(),
            read_point: fields.read_point.clone(),
            biz_location: fields.biz_location.clone(),
            parent: container(fields).cloned(),
            empties: container(fields).is_some_and(|parent| empties(fields, parent)),
            declares_error,
            declared_error: self.ranked.is_void(rank) && !declares_error,
        };
        let (id, admitted_at) = (event.id, event.admitted_at);
        let (log, entry) = (log.clone(), *entry);
        Step { id, log, entry, admitted_at, event: Some(told), is_damaged: false }
    }
}
