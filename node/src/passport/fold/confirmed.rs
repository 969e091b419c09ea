//! Buyers' confirmations, and which of them the records of the goods rule out.
//!
//! Invariants: a confirmation tells its day alone, so it is held against an event only where no
//! instant of that day agrees, or where the log proves which of the two it took first; who returned,
//! repaired or remade goods ends nothing; of whoever is not known to have had the goods the word that
//! they ended is told, and rules nothing out; what is not recorded rules nothing out. The same is worked
//! out anew by the script of the check (state.mjs), from the public records.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::confirmation::Confirmation;
use hallmark_schemas::kind::event::fields::{EventType, Fields, ItemRole};
use hallmark_schemas::kind::masterdata::About;
use hallmark_schemas::time::Timestamp;

use super::super::code::sort_of;
use super::super::gather::{Level, Proven};
use super::super::named;
use super::super::view::{Confirmations, End, Ended, Impossible};
use super::journey::Reveal;
use super::late::{CLOCKS_APART_MS_MAX, is_before};
use super::{Given, journey, month};

/// A day of UTC, in milliseconds.
const DAY_MS: i64 = 86_400_000;

/// Steps that put goods back into use.
const ANEW: [&str; 3] = ["repairing", "repackaging", "installing"];
/// Steps that put goods on their way.
const SHIPPED: [&str; 2] = ["shipping", "departing"];
/// Steps of goods that left their maker before.
const TRADED: [&str; 5] = ["arriving", "receiving", "accepting", "retail_selling", "dispensing"];

/// How often and when, by public and other records, and which the public records rule out.
pub(super) fn of(
    records: &[&Proven],
    makers: &BTreeSet<OrgId>,
    carried: &BTreeMap<ContentId, GoodsId>,
    given: &Given<'_>,
) -> Confirmations {
    let mut found = Confirmations { innocent_max: given.confirmations_max, ..Default::default() };
    let mut months = BTreeSet::new();
    // Who buys a thing also opens it: of several acts the most frequent one counts.
    let mut of_act = BTreeMap::new();
    // The code of a lot or class stands on many things: that many buy them tells nothing.
    let is_one = is_one(records, given);
    for (_, body) in all(records).filter(|_| is_one) {
        *of_act.entry(body.act.as_str()).or_insert(0) += 1;
        months.insert(month(body.day.starts_at()));
    }
    found.count = of_act.into_values().max().unwrap_or(0);
    found.months = months.into_iter().collect();
    let public: Vec<&Proven> = records.iter().filter(|one| one.is_public).copied().collect();
    found.impossible = impossible(&public, makers, carried, given);
    found
}

/// Whether one thing has this code, by its form and by what is said of it.
fn is_one(records: &[&Proven], given: &Given<'_>) -> bool {
    let is_lot = |one: &&Proven| match one.verified.body() {
        Body::Masterdata(body) => one.level == Level::Own && matches!(body.about, About::Lot(_)),
        _ => false,
    };
    sort_of(&given.code.goods).is_one() && !records.iter().any(is_lot)
}

/// The last end of the goods that the records tell of, unless they came back or began anew with it
/// or later. Of events that are not public those count whose step may be shown; what others than those
/// say who had the goods is told where these say nothing.
pub(super) fn ended(
    records: &[&Proven],
    makers: &BTreeSet<OrgId>,
    carried: &BTreeMap<ContentId, GoodsId>,
    given: &Given<'_>,
) -> Option<Ended> {
    if !is_one(records, given) {
        return None;
    }
    let told = Told::of(records, makers, carried, &given.code.goods);
    let is_shown = |one: &&Event<'_>| {
        let may_be = one.record.is_public || given.reveal.contains(&Reveal::Step);
        may_be && one.fields.event_at <= given.now && told.is_end(one)
    };
    let key = |one: &&Event<'_>| (told.has_had(one), one.fields.event_at, one.record.verified.id());
    let last = told.events.iter().filter(is_shown).max_by_key(key)?;
    let is_back =
        |one: &Event<'_>| last.fields.event_at <= one.fields.event_at && told.is_return(one);
    if told.events.iter().any(is_back) {
        return None;
    }
    let (record, fields) = (last.record, last.fields);
    let may_month = record.is_public || given.reveal.contains(&Reveal::Month);
    let how = match fields.kind {
        EventType::Transformation => End::UsedUp,
        _ if is_destroying(fields) => End::Destroyed,
        _ => End::TakenOutOfUse,
    };
    Some(Ended {
        how,
        month: may_month.then(|| month(fields.event_at.on_clock(&fields.utc_offset))),
        by: (given.party)(&record.verified.claims().iss),
        id: record.is_public.then(|| record.verified.id().to_string()),
        is_of_others: !told.has_had(last),
    })
}

fn all<'a>(records: &[&'a Proven]) -> impl Iterator<Item = (&'a Proven, &'a Confirmation)> {
    records.iter().filter(|record| record.level == Level::Own).filter_map(|record| {
        match record.verified.body() {
            Body::Confirmation(body) => Some((*record, body)),
            _ => None,
        }
    })
}

/// Why confirmations cannot be of the goods that these records tell of, each cause once.
pub(super) fn impossible(
    records: &[&Proven],
    makers: &BTreeSet<OrgId>,
    carried: &BTreeMap<ContentId, GoodsId>,
    given: &Given<'_>,
) -> Vec<Impossible> {
    let goods = &given.code.goods;
    // A pallet's code ends with the pallet and goes where it goes: nobody buys it.
    if !sort_of(goods).is_bought() {
        return Vec::new();
    }
    let told = Told::of(records, makers, carried, goods);
    let markets = markets(records);
    let places = journey::places(records);
    let causes = all(records).flat_map(|(record, body)| {
        let of = |is_it: bool, cause: Impossible| is_it.then_some(cause);
        let region = body.region.as_deref();
        let is_elsewhere = region.is_some_and(|region| {
            let been = told.events.iter().flat_map(|one| where_of(one.fields));
            let mut been = been.filter_map(|place| places.get(place)?.region.as_deref());
            markets.as_ref().is_some_and(|all| !all.iter().any(|one| is_within(region, one)))
                && !been.any(|one| country(one) == country(region))
        });
        [
            of(told.is_after_end(record, body), Impossible::AfterEnd),
            of(told.is_before_shipping(record, body), Impossible::BeforeShipping),
            of(is_elsewhere, Impossible::OtherMarket),
        ]
    });
    causes.flatten().collect::<BTreeSet<_>>().into_iter().collect()
}

/// An event of the goods, or of what they were inside of.
struct Event<'a> {
    record: &'a Proven,
    fields: &'a Fields,
    is_carried: bool,
}

/// What events tell of the goods, but for those declared to be in error.
struct Told<'a> {
    goods: &'a GoodsId,
    events: Vec<Event<'a>>,
    /// Who had the goods, as far as is known: whoever answers for them or recorded their birth, and
    /// whom one of these names as sending or receiving them. Empty where nobody is known.
    chain: BTreeSet<OrgId>,
}

impl<'a> Told<'a> {
    fn of(
        records: &[&'a Proven],
        makers: &BTreeSet<OrgId>,
        carried: &BTreeMap<ContentId, GoodsId>,
        goods: &'a GoodsId,
    ) -> Told<'a> {
        let declared = journey::declared_errors(records);
        let events = records.iter().filter_map(|record| {
            let Body::Event(event) = record.verified.body() else { return None };
            let fields = event.fields();
            let is_carried = carried.contains_key(&record.verified.id());
            let is_own = record.level == Level::Own;
            let is_told = !declared.contains(&(&record.verified.claims().iss, fields.identity()));
            ((is_own || is_carried) && is_told).then_some(Event { record, fields, is_carried })
        });
        let chain = makers.clone();
        let mut told = Told { goods, events: events.collect(), chain };
        told.follow();
        told
    }

    /// Adds to the chain who is known to have had the goods.
    fn follow(&mut self) {
        let iss = |one: &Event<'_>| one.record.verified.claims().iss.clone();
        let is_birth = |one: &&Event<'_>| self.has_role(one.fields, |role| one.fields.born(role));
        let births: Vec<OrgId> = self.events.iter().filter(is_birth).map(iss).collect();
        self.chain.extend(births);
        loop {
            let by_chain = self.events.iter().filter(|one| self.chain.contains(&iss(one)));
            let parties = by_chain.flat_map(|one| &one.fields.parties);
            let named: Vec<OrgId> = parties.filter_map(|one| named::org(&one.party)).collect();
            let before = self.chain.len();
            self.chain.extend(named);
            if self.chain.len() == before {
                return;
            }
        }
    }

    /// Whether who says this is known to have had the goods, or nobody is.
    fn has_had(&self, one: &Event<'_>) -> bool {
        self.chain.is_empty() || self.chain.contains(&one.record.verified.claims().iss)
    }

    fn has_role(&self, fields: &Fields, is_role: impl Fn(ItemRole) -> bool) -> bool {
        fields.items.iter().any(|item| item.item.goods() == Some(self.goods) && is_role(item.role))
    }

    /// Whether the event ends the goods for good, as rule TRC-004 has it; so does one that
    /// takes them out (`DELETE`) without a step, or leaves them destroyed. A sale does not: whoever
    /// buys confirms. What a destroyed container holds ends with it.
    fn is_end(&self, one: &Event<'_>) -> bool {
        let (fields, step) = (one.fields, one.fields.biz_step.as_deref());
        let is_destroyed = is_destroying(fields) && fields.action != Some("ADD");
        if one.is_carried {
            return fields.kind == EventType::Object && is_destroyed;
        }
        let is_ended = is_destroyed
            || fields.action == Some("DELETE") && matches!(step, None | Some("decommissioning"));
        match fields.kind {
            EventType::Object => is_ended && self.has_role(fields, |role| role == ItemRole::Epc),
            EventType::Transformation => self.has_role(fields, |role| role == ItemRole::Input),
            _ => false,
        }
    }

    /// Whether the goods came back with the event, or began anew.
    fn is_return(&self, one: &Event<'_>) -> bool {
        let fields = one.fields;
        let is_anew = fields.biz_step.as_deref().is_some_and(|step| ANEW.contains(&step));
        is_anew
            || fields.disposition.as_deref() == Some("returned")
            || self.has_role(fields, |role| fields.born(role))
    }

    fn is_after_end(&self, record: &Proven, body: &Confirmation) -> bool {
        let (from, to) = day_of(body);
        let is_known = |one: &&Event<'_>| self.is_end(one) && self.has_had(one);
        self.events.iter().filter(is_known).any(|end| {
            let at = end.fields.event_at;
            let is_one_log = end.record.origin == record.origin;
            let is_after =
                at < from || at < to && is_before(end.record.time, record.time, is_one_log);
            let mut returns = self.events.iter().filter(|one| self.is_return(one));
            is_after && !returns.any(|one| (at..to).contains(&one.fields.event_at))
        })
    }

    /// Whether the goods were still with whoever made them: these shipped them later, as the first
    /// step of trade that anyone tells of.
    fn is_before_shipping(&self, record: &Proven, body: &Confirmation) -> bool {
        let step = |one: &Event<'_>| one.fields.biz_step.clone().unwrap_or_default();
        let is_shipping = |one: &&Event<'_>| SHIPPED.contains(&step(one).as_str());
        let first = self.events.iter().filter(is_shipping).min_by_key(|one| one.fields.event_at);
        let Some(first) = first else { return false };
        let is_birth = |one: &&Event<'_>| self.has_role(one.fields, |role| one.fields.born(role));
        let iss = |one: &Event<'_>| one.record.verified.claims().iss.clone();
        let makers: BTreeSet<OrgId> = self.events.iter().filter(is_birth).map(iss).collect();
        let at = first.fields.event_at;
        let is_traded = |one: &Event<'_>| {
            let is_back = one.fields.disposition.as_deref() == Some("returned");
            one.fields.event_at <= at && (is_back || TRADED.contains(&step(one).as_str()))
        };
        let latest = day_of(body).1.min(record.time.hi);
        makers.contains(&iss(first))
            && !self.events.iter().any(is_traded)
            && CLOCKS_APART_MS_MAX < at.ms_since(latest)
    }
}

/// Whether an event tells that what it names is destroyed, by its step or by what became of it.
fn is_destroying(fields: &Fields) -> bool {
    fields.biz_step.as_deref() == Some("destroying")
        || fields.disposition.as_deref() == Some("destroyed")
}

/// Begin and end of its day.
fn day_of(body: &Confirmation) -> (Timestamp, Timestamp) {
    let from = body.day.starts_at();
    (from, from.checked_add_ms(DAY_MS).unwrap_or(Timestamp::MAX))
}

/// Where the lot of the goods may be sold: all that anyone says; none where that is anywhere.
fn markets(records: &[&Proven]) -> Option<BTreeSet<String>> {
    let lots = records.iter().filter(|one| one.level != Level::Beside).filter_map(|record| {
        match record.verified.body() {
            Body::Masterdata(body) => match &body.about {
                About::Lot(lot) => Some(&lot.markets),
                _ => None,
            },
            _ => None,
        }
    });
    let lots: Vec<_> = lots.collect();
    let is_told = !lots.is_empty() && lots.iter().all(|markets| !markets.is_empty());
    is_told.then(|| lots.into_iter().flatten().map(|one| one.as_str().to_owned()).collect())
}

/// The places of an event, and those at both sides of it.
fn where_of(fields: &Fields) -> impl Iterator<Item = &str> {
    let places = fields.read_point.iter().chain(&fields.biz_location);
    places.chain(fields.parties.iter().map(|one| &one.party)).map(String::as_str)
}

fn country(region: &str) -> &str {
    region.split('-').next().unwrap_or(region)
}

/// Whether a region is in a market, or a country has one: either may be a part of a country.
fn is_within(region: &str, market: &str) -> bool {
    market == region
        || market == country(region)
        || !region.contains('-') && country(market) == region
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_in_a_market_that_is_its_country_or_a_part_of_it() {
        for (region, market, expected) in [
            ("CN-SH", "CN", true),
            ("CN-SH", "CN-SH", true),
            ("CN", "CN-SH", true),
            ("CN", "CN", true),
            ("CN-BJ", "CN-SH", false),
            ("DE", "CN", false),
            ("DE", "CN-DE", false),
        ] {
            assert_eq!(is_within(region, market), expected, "{region} in {market}");
        }
    }
}
