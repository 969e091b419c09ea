//! From goods forward to everything that they went into, and to what holds that.
//!
//! Invariants: what was made of goods counts from the event that made it; a container is looked up
//! because it tells where its contents are, and is never reached by them.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::kind::event::fields::ItemRole;

use super::super::events::{Events, Rank, Ranked, of_role};
use super::super::{DEPTH_MAX, Relation};
use super::GOODS_MAX;

/// Why goods are reached.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Reason {
    pub(super) relation: Relation,
    pub(super) because: Option<GoodsId>,
    /// The event that led here.
    pub(super) by: Option<Rank>,
    /// Their events from here on count.
    pub(super) from: Rank,
}

/// Everything that is reached.
pub(super) struct Closure<'a> {
    pub(super) ranked: Ranked<'a>,
    pub(super) reached: BTreeMap<GoodsId, Reason>,
    /// What held some of it for a while.
    carriers: BTreeSet<GoodsId>,
}

/// Events from one rank to another, both included.
pub(super) type Window = (Rank, Rank);

/// Follows every link forward.
pub(super) fn closure<'a>(starts: &BTreeSet<GoodsId>, events: &'a Events) -> Closure<'a> {
    let (reached, carriers) = (BTreeMap::new(), BTreeSet::new());
    let mut closure = Closure { ranked: events.ranked(), reached, carriers };
    let mut queue: Vec<GoodsId> = Vec::new();
    for start in starts {
        let reason = Reason { relation: Relation::Start, because: None, by: None, from: 0 };
        closure.push(start.clone(), reason, &mut queue);
    }
    while let Some(goods) = queue.pop() {
        closure.follow_outputs(&goods, &mut queue);
        closure.follow_members(&goods, &mut queue);
        closure.follow_contents(&goods, &mut queue);
    }
    closure.find_carriers();
    closure
}

impl Closure<'_> {
    /// All goods whose events tell something of what is reached.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &GoodsId> {
        let held_only = self.carriers.iter().filter(|goods| !self.reached.contains_key(*goods));
        self.reached.keys().chain(held_only)
    }

    /// Reaches goods, or reaches them from an earlier event on.
    fn push(&mut self, goods: GoodsId, reason: Reason, queue: &mut Vec<GoodsId>) {
        match self.reached.get(&goods) {
            Some(known) if known.from <= reason.from => return,
            // Far more than is ever looked up: nothing that is not looked up leads on.
            None if 4 * GOODS_MAX <= self.reached.len() => return,
            _ => {}
        }
        self.reached.insert(goods.clone(), reason);
        queue.push(goods);
    }

    fn from(&self, goods: &GoodsId) -> Rank {
        self.reached.get(goods).map_or(0, |reason| reason.from)
    }

    /// What was made of them.
    fn follow_outputs(&mut self, goods: &GoodsId, queue: &mut Vec<GoodsId>) {
        let from = self.from(goods);
        for mention in self.ranked.mentions(goods).to_vec() {
            let rank = mention.rank;
            if mention.item.role != ItemRole::Input || rank < from || self.ranked.is_void(rank) {
                continue;
            }
            for output in self.ranked.outputs(rank) {
                let because = Some(goods.clone());
                let reason =
                    Reason { relation: Relation::Output, because, by: Some(rank), from: rank };
                self.push(output, reason, queue);
            }
        }
    }

    /// The items of a lot: those that begin after it was reached, and what is told to be of it.
    fn follow_members(&mut self, goods: &GoodsId, queue: &mut Vec<GoodsId>) {
        let from = self.from(goods);
        for rank in self.ranked.tellings(goods).to_vec() {
            if self.ranked.is_void(rank) || rank < from {
                continue;
            }
            let fields = self.ranked.fields(rank);
            for (_, member) in fields.members(goods) {
                let because = Some(goods.clone());
                let reason = Reason { relation: Relation::Member, because, by: Some(rank), from };
                self.push(member.clone(), reason, queue);
            }
        }
    }

    /// What was in a container that is called back, or that was made of what is.
    fn follow_contents(&mut self, goods: &GoodsId, queue: &mut Vec<GoodsId>) {
        let from = self.from(goods);
        for (child, holding) in self.ranked.contents(goods) {
            if holding.to.is_some_and(|to| to < from) {
                continue;
            }
            let (because, by) = (Some(goods.clone()), Some(holding.from));
            let from = holding.from.max(from);
            let reason = Reason { relation: Relation::Content, because, by, from };
            self.push(child.clone(), reason, queue);
        }
    }

    fn find_carriers(&mut self) {
        let mut seen: BTreeSet<(GoodsId, Window)> = BTreeSet::new();
        let starts = self.reached.iter().map(|(goods, reason)| {
            let window: Window = (reason.from, Rank::MAX);
            (goods.clone(), window, 0)
        });
        let mut queue: Vec<(GoodsId, Window, usize)> = starts.collect();
        while let Some((goods, window, depth)) = queue.pop() {
            if DEPTH_MAX <= depth {
                continue;
            }
            for (parent, inside) in self.held_in(&goods, window) {
                self.carriers.insert(parent.clone());
                if seen.insert((parent.clone(), inside)) {
                    queue.push((parent, inside, depth + 1));
                }
            }
        }
    }

    /// The containers that held these goods within a window, and while which events.
    pub(super) fn held_in(&self, goods: &GoodsId, window: Window) -> Vec<(GoodsId, Window)> {
        let holdings = self.ranked.holdings(goods).into_iter();
        let inside = holdings.filter_map(|holding| {
            let from = holding.from.max(window.0);
            let to = holding.to.unwrap_or(Rank::MAX).min(window.1);
            (from <= to).then_some((holding.parent, (from, to)))
        });
        inside.collect()
    }

    /// What a recall names: the starts, and what was made of them or lay in them. Where that is more
    /// than fits, their lots stand for them.
    pub(super) fn covers(&self) -> Vec<GoodsId> {
        let starts = self.reached.iter().filter(|(_, why)| why.relation == Relation::Start);
        let starts: BTreeSet<GoodsId> = starts.map(|(goods, _)| goods.clone()).collect();
        let own = self.reached.iter().filter(|(goods, why)| {
            let is_made = matches!(why.relation, Relation::Output | Relation::Content);
            is_made && !self.is_in_one_of(goods, &starts)
        });
        let own: Vec<&GoodsId> = own.map(|(goods, _)| goods).collect();
        let all =
            |more: BTreeSet<GoodsId>| starts.iter().cloned().chain(more).collect::<BTreeSet<_>>();
        let each = all(own.iter().map(|goods| (*goods).clone()).collect());
        if each.len() <= super::COVERS_MAX {
            return each.into_iter().collect();
        }
        let lots = own.iter().flat_map(|goods| {
            let lots = self.lots_of(goods);
            if lots.is_empty() { vec![(*goods).clone()] } else { lots }
        });
        all(lots.collect()).into_iter().collect()
    }

    /// Whether a recall of these covers the goods: as one of their lots, or as their class.
    fn is_in_one_of(&self, goods: &GoodsId, starts: &BTreeSet<GoodsId>) -> bool {
        let class = goods.class().is_some_and(|class| starts.contains(&class));
        class || self.lots_of(goods).iter().any(|lot| starts.contains(lot))
    }

    /// The lots that events tell of these goods.
    pub(super) fn lots_of(&self, goods: &GoodsId) -> Vec<GoodsId> {
        let mut lots = BTreeSet::new();
        for mention in self.ranked.mentions(goods) {
            if self.ranked.is_void(mention.rank) {
                continue;
            }
            let fields = self.ranked.fields(mention.rank);
            let told = fields.lots_of(mention.item);
            lots.extend(told.filter_map(|lot| goods.in_lot(lot)).filter(|lot| lot != goods));
        }
        lots.into_iter().collect()
    }
}

impl Ranked<'_> {
    /// What an event made.
    fn outputs(&self, rank: Rank) -> Vec<GoodsId> {
        of_role(self.fields(rank), ItemRole::Output).cloned().collect()
    }
}
