//! Who has what is reached, by the last event that tells.
//!
//! Invariants: what happens to a container happens to what is in it, for as long as it is in it; an
//! event that its issuer declared to be in error tells nothing; of a lot that is not told item by
//! item, amounts are summed exactly, and one that is not told makes the sum unknown.

use std::collections::{BTreeMap, HashMap};

use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::kind::event::fields::{EventType, Fields, Item, ItemRole};
use hallmark_schemas::time::Timestamp;

use super::super::events::{Rank, fine_amount, fine_text};
use super::super::{DEPTH_MAX, Relation};
use super::closure::{Closure, Window};
use super::{
    Holder, Holders, LISTED_MAX, PLACES_MAX, Reach, Reached, Stock, Totals, Unresolved,
    Whereabouts, Why,
};

/// Steps after which goods are on the way.
const LEAVING: [&str; 5] = ["shipping", "departing", "transporting", "consigning", "loading"];
/// Steps with which goods are taken in.
const COMING: [&str; 3] = ["receiving", "accepting", "arriving"];
/// Steps with which goods leave for whoever uses them.
const SELLING: [&str; 2] = ["retail_selling", "dispensing"];
/// Steps that end goods.
const ENDING: [&str; 3] = ["destroying", "decommissioning", "killing"];
/// What a holder records of goods that were called back: they are set apart, sent back, or no more.
const ANSWERS: [&str; 11] = [
    "holding",
    "destroying",
    "decommissioning",
    "void_shipping",
    "recalled",
    "returned",
    "destroyed",
    "disposed",
    "non_sellable_other",
    "sellable_not_accessible",
    "damaged",
];

fn is_one_of(text: Option<&str>, words: &[&str]) -> bool {
    text.is_some_and(|text| words.contains(&text))
}

/// Everything that is reached, each where it is.
pub(super) fn reach(closure: &Closure<'_>, since: Option<Timestamp>) -> Reach {
    let mut look = Look { closure, since, seen: HashMap::new() };
    let mut reach = Reach { covers: closure.covers(), ..Reach::default() };
    let mut holders = Holders::new();
    let mut edges: BTreeMap<(Option<Rank>, Option<String>), Unresolved> = BTreeMap::new();
    for (goods, reason) in &closure.reached {
        if goods.is_class() {
            reach.totals.lots += 1;
            look.lot(goods, &mut reach);
            if reason.relation == Relation::Output && goods.lot().is_none() {
                reach.unresolved.push(look.whole_class(goods, reason.by));
            }
            continue;
        }
        let (item, rank) = look.item(goods);
        count(&item, &mut reach.totals, &mut holders);
        if item.state == Whereabouts::InTransit {
            let edge = edges.entry((rank, item.holder.clone()));
            edge.or_insert_with(|| look.edge(&item, rank)).items += 1;
        }
        if reach.items.len() < LISTED_MAX {
            reach.items.push(item);
        }
    }
    reach.unresolved.extend(edges.into_values());
    reach.unresolved.sort();
    let Totals { items, held, sold, ended, .. } = reach.totals;
    let confirmed = (held + sold + ended).saturating_mul(1_000_000);
    reach.totals.confirmed_ppm = confirmed.checked_div(items).unwrap_or(1_000_000);
    reach.holders = holders.into_values().collect();
    let size = |one: &Holder| one.held + one.expected + one.sold + one.ended;
    reach.holders.sort_by(|a, b| (size(b), &a.holder).cmp(&(size(a), &b.holder)));
    reach
}

/// Counts an item, in all and with who has it.
fn count(item: &Reached, totals: &mut Totals, holders: &mut Holders) {
    if item.state == Whereabouts::UsedUp {
        totals.used_up += 1;
        return;
    }
    totals.items += 1;
    let name = item.holder.clone().filter(|_| item.state != Whereabouts::Unseen);
    let mut unnamed = Holder::default();
    let holder = match &name {
        Some(name) => holders.entry(name.clone()).or_default(),
        None => &mut unnamed,
    };
    holder.holder = name.unwrap_or_default();
    match item.state {
        Whereabouts::Held => (totals.held, holder.held) = (totals.held + 1, holder.held + 1),
        Whereabouts::Sold => (totals.sold, holder.sold) = (totals.sold + 1, holder.sold + 1),
        Whereabouts::Ended => (totals.ended, holder.ended) = (totals.ended + 1, holder.ended + 1),
        Whereabouts::InTransit => {
            (totals.in_transit, holder.expected) = (totals.in_transit + 1, holder.expected + 1);
        }
        Whereabouts::Unseen => totals.unseen += 1,
        Whereabouts::UsedUp => {}
    }
    if let Some(at) = item.answered_at {
        totals.answered += 1;
        holder.answered += 1;
        holder.answered_at = holder.answered_at.max(Some(at));
    }
    let is_here = matches!(item.state, Whereabouts::Held | Whereabouts::Ended);
    if let Some(place) = item.place.as_ref().filter(|_| is_here)
        && holder.places.len() < PLACES_MAX
    {
        holder.places.insert(place.clone());
    }
}

struct Look<'c, 'a> {
    closure: &'c Closure<'a>,
    since: Option<Timestamp>,
    /// The last event of containers within windows.
    seen: HashMap<(GoodsId, Window), Option<Rank>>,
}

impl Look<'_, '_> {
    /// One item, and the event that tells.
    fn item(&mut self, goods: &GoodsId) -> (Reached, Option<Rank>) {
        let closure = self.closure;
        let reason = &closure.reached[goods];
        let window = (reason.from, Rank::MAX);
        let rank = self.last_of(goods, window, 0);
        let mut item = Reached {
            goods: goods.clone(),
            relation: reason.relation,
            because: reason.because.clone(),
            state: Whereabouts::Unseen,
            holder: None,
            place: None,
            at: None,
            event: None,
            answered_at: None,
        };
        let Some(rank) = rank else { return (item, None) };
        let (_, event) = closure.ranked.events[rank];
        let fields = &event.fields;
        item.state = self.state(goods, rank, window);
        let issuer = event.issuer.to_string();
        item.holder = match item.state {
            Whereabouts::InTransit => destination(fields),
            _ => Some(issuer),
        };
        item.place = fields.biz_location.clone().or_else(|| fields.read_point.clone());
        item.at = Some(fields.event_at);
        item.event = Some(event.id);
        if matches!(item.state, Whereabouts::Held | Whereabouts::Ended) {
            item.answered_at = self.answered(goods, rank, item.holder.as_deref());
        }
        (item, Some(rank))
    }

    /// The last event that tells of goods, or of what held them then.
    fn last_of(&mut self, goods: &GoodsId, window: Window, depth: usize) -> Option<Rank> {
        let closure = self.closure;
        let inside =
            |rank: &Rank| (window.0..=window.1).contains(rank) && !closure.ranked.is_void(*rank);
        let own = closure.ranked.mentions(goods).iter().map(|mention| mention.rank);
        let mut last = own.filter(inside).max();
        if DEPTH_MAX <= depth {
            return last;
        }
        for (parent, window) in closure.held_in(goods, window) {
            let key = (parent, window);
            let held = match self.seen.get(&key) {
                Some(known) => *known,
                None => {
                    let found = self.last_of(&key.0, window, depth + 1);
                    self.seen.insert(key, found);
                    found
                }
            };
            last = last.max(held);
        }
        last
    }

    fn state(&self, goods: &GoodsId, last: Rank, window: Window) -> Whereabouts {
        let ranked = &self.closure.ranked;
        let of_window = |rank: Rank| window.0 <= rank && !ranked.is_void(rank);
        let mut own = ranked.mentions(goods).iter();
        if own.any(|one| one.item.role == ItemRole::Input && of_window(one.rank)) {
            return Whereabouts::UsedUp;
        }
        let fields = ranked.fields(last);
        let step = fields.biz_step.as_deref();
        let ends = step == Some("destroying")
            || (is_one_of(step, &ENDING) && fields.action == Some("DELETE"));
        if ends && fields.kind == EventType::Object && fields.action != Some("ADD") {
            return Whereabouts::Ended;
        }
        let is_back = fields.disposition.as_deref() == Some("returned");
        if is_one_of(step, &SELLING) && !is_back {
            return Whereabouts::Sold;
        }
        let on_way =
            fields.disposition.as_deref() == Some("in_transit") && !is_one_of(step, &COMING);
        match is_one_of(step, &LEAVING) || on_way {
            true => Whereabouts::InTransit,
            false => Whereabouts::Held,
        }
    }

    /// When the holder last answered for goods since the recall: in an event of them, of their lot, or
    /// of what held them.
    fn answered(&self, goods: &GoodsId, last: Rank, holder: Option<&str>) -> Option<Timestamp> {
        let since = self.since?;
        let ranked = &self.closure.ranked;
        let mut of: Vec<GoodsId> = vec![goods.clone()];
        of.extend(self.closure.lots_of(goods));
        of.extend(self.closure.held_in(goods, (last, Rank::MAX)).into_iter().map(|held| held.0));
        let mentions = of.iter().flat_map(|goods| ranked.mentions(goods));
        let answers = mentions.filter(|mention| {
            let (_, event) = ranked.events[mention.rank];
            let fields = &event.fields;
            let says = is_one_of(fields.biz_step.as_deref(), &ANSWERS)
                || is_one_of(fields.disposition.as_deref(), &ANSWERS);
            let is_holders = holder.is_none_or(|holder| event.issuer.to_string() == holder);
            says && is_holders && since <= fields.event_at && !ranked.is_void(mention.rank)
        });
        answers.map(|mention| ranked.fields(mention.rank).event_at).max()
    }

    fn edge(&self, item: &Reached, rank: Option<Rank>) -> Unresolved {
        let event = rank.map(|rank| self.closure.ranked.events[rank].1);
        Unresolved {
            why: Why::InTransit,
            goods: item.goods.clone(),
            items: 0,
            amount: None,
            from: event.map(|event| event.issuer.to_string()),
            to: item.holder.clone(),
            at: item.at,
            event: item.event,
        }
    }

    fn whole_class(&self, goods: &GoodsId, by: Option<Rank>) -> Unresolved {
        let event = by.map(|rank| self.closure.ranked.events[rank].1);
        Unresolved {
            why: Why::WholeClass,
            goods: goods.clone(),
            items: 0,
            amount: None,
            from: event.map(|event| event.issuer.to_string()),
            to: None,
            at: event.map(|event| event.fields.event_at),
            event: event.map(|event| event.id),
        }
    }

    /// The stocks of a lot that events move without naming items, and what of it nobody received.
    fn lot(&self, goods: &GoodsId, reach: &mut Reach) {
        let ranked = &self.closure.ranked;
        let from = self.closure.reached[goods].from;
        let mut books = Books::default();
        for mention in ranked.mentions(goods) {
            if from <= mention.rank && !ranked.is_void(mention.rank) {
                let (_, event) = ranked.events[mention.rank];
                books.enter(&event.issuer.to_string(), &event.fields, mention.item);
            }
        }
        for (uom, (sent, received)) in books.ways() {
            let missing = match (sent, received) {
                (Some(sent), Some(received)) if sent <= received => continue,
                (Some(sent), Some(received)) => Some(fine_text(sent - received)),
                _ => None,
            };
            let why = if missing.is_some() { Why::NotReceived } else { Why::UnknownAmount };
            let unit = uom.map(|uom| format!(" {uom}")).unwrap_or_default();
            reach.unresolved.push(Unresolved {
                why,
                goods: goods.clone(),
                items: 0,
                amount: missing.map(|amount| format!("{amount}{unit}")),
                from: None,
                to: None,
                at: None,
                event: None,
            });
        }
        for ((holder, uom), book) in books.0 {
            let left = book.left();
            if left == Some(0) {
                continue;
            }
            let (goods, place, amount) = (goods.clone(), book.place, left.map(fine_text));
            reach.stocks.push(Stock { goods, holder, place, amount, uom });
        }
    }
}

/// Who is to get what an event sends.
fn destination(fields: &Fields) -> Option<String> {
    let to = |kind: &str| {
        let mut ends = fields.parties.iter().filter(|one| one.side == "destination");
        ends.find(|one| one.kind == kind).map(|one| one.party.clone())
    };
    to("possessing_party").or_else(|| to("owning_party")).or_else(|| to("location"))
}

/// `None` where an event told no amount.
type Sum = Option<i128>;

/// What one organisation's events say of its amounts of a lot, in one unit.
struct Book {
    place: Option<String>,
    /// One production may be recorded as transformation and as commissioning.
    transformed: Sum,
    commissioned: Sum,
    received: Sum,
    sent: Sum,
    /// Sold, used, destroyed or taken out.
    gone: Sum,
}

impl Book {
    const EMPTY: Book = Book {
        place: None,
        transformed: Some(0),
        commissioned: Some(0),
        received: Some(0),
        sent: Some(0),
        gone: Some(0),
    };

    fn left(&self) -> Sum {
        let made = self.transformed.zip(self.commissioned).map(|(a, b)| a.max(b));
        let come = made.zip(self.received).and_then(|(a, b)| a.checked_add(b));
        let gone = self.sent.zip(self.gone).and_then(|(a, b)| a.checked_add(b));
        come.zip(gone).and_then(|(come, gone)| come.checked_sub(gone))
    }
}

/// What events say of amounts of one lot, by organisation and unit.
#[derive(Default)]
struct Books(BTreeMap<(String, Option<String>), Book>);

impl Books {
    fn enter(&mut self, issuer: &str, fields: &Fields, item: &Item) {
        let step = fields.biz_step.as_deref();
        let key = (issuer.to_owned(), item.uom.clone());
        let book = self.0.entry(key).or_insert(Book::EMPTY);
        let is_object = fields.kind == EventType::Object;
        let sum = match (item.role, fields.action) {
            (ItemRole::Output, _) => &mut book.transformed,
            (ItemRole::Input, _) => &mut book.gone,
            (ItemRole::Epc, Some("ADD")) if is_object => &mut book.commissioned,
            (ItemRole::Epc, Some("DELETE")) if is_object => &mut book.gone,
            (ItemRole::Epc, _) if is_object && step == Some("receiving") => &mut book.received,
            (ItemRole::Epc, _) if is_object && step == Some("shipping") => &mut book.sent,
            (ItemRole::Epc, _) if is_object && is_one_of(step, &SELLING) => &mut book.gone,
            (ItemRole::Epc, _) if is_object && is_one_of(step, &ENDING) => &mut book.gone,
            _ => return,
        };
        *sum = sum.zip(fine_amount(item)).and_then(|(a, b)| a.checked_add(b));
        book.place = fields.biz_location.clone().or_else(|| fields.read_point.clone());
    }

    /// What was sent and what others received, by unit.
    fn ways(&self) -> BTreeMap<Option<String>, (Sum, Sum)> {
        let mut ways: BTreeMap<Option<String>, (Sum, Sum)> = BTreeMap::new();
        for ((_, uom), book) in &self.0 {
            let (sent, received) = ways.entry(uom.clone()).or_insert((Some(0), Some(0)));
            *sent = sent.zip(book.sent).and_then(|(a, b)| a.checked_add(b));
            *received = received.zip(book.received).and_then(|(a, b)| a.checked_add(b));
        }
        ways
    }
}
