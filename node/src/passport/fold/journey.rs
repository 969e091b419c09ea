//! The journey: steps as places and months.

use std::collections::{BTreeMap, BTreeSet};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::event::fields::{Fields, Item, ItemRole};
use hallmark_schemas::kind::masterdata::About;
use hallmark_schemas::time::Timestamp;
use serde::Deserialize;

use super::super::gather::{Level, Proven};
use super::super::view::{Step, Text};
use super::{Given, month, texts};

/// Most steps that are shown.
const STEPS_MAX: usize = 64;

/// What may be shown of own events that are not public.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Reveal {
    /// The business step.
    Step,
    /// The region of the place.
    Region,
    /// The month.
    Month,
    /// The place itself.
    Place,
}

/// What public records say of a place.
#[derive(Clone, Debug, Default)]
pub(in crate::passport) struct Place {
    /// What it is called, one for each language.
    pub(in crate::passport) names: Vec<Text>,
    /// ISO 3166-2.
    pub(in crate::passport) region: Option<String>,
}

/// The steps in order of time.
pub(super) fn of(
    records: &[&Proven],
    carried: &BTreeMap<ContentId, GoodsId>,
    given: &Given<'_>,
) -> Vec<Step> {
    let places = places(records);
    let declared = declared_errors(records);
    let mut steps: Vec<(Timestamp, String, Step)> = Vec::new();
    for record in records {
        let inside = carried.get(&record.verified.id());
        if record.level != Level::Own && inside.is_none() {
            continue;
        }
        let Body::Event(event) = record.verified.body() else { continue };
        let fields = event.fields();
        let iss = &record.verified.claims().iss;
        if declared.contains(&(iss, fields.identity())) {
            continue;
        }
        // What happened to some items of a lot after their birth is their way, not the lot's.
        let is_way =
            |one: &Item| one.item.as_str() == given.code.goods.as_str() || fields.born(one.role);
        if inside.is_none() && !fields.items.iter().any(is_way) {
            continue;
        }
        let mut step = step(record, fields, &places, given);
        step.inside = inside.map(GoodsId::to_string);
        steps.push((fields.event_at, record.verified.id().to_string(), step));
    }
    steps.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    steps.into_iter().map(|(_, _, step)| step).take(STEPS_MAX).collect()
}

fn step(
    record: &Proven,
    fields: &Fields,
    places: &BTreeMap<String, Place>,
    given: &Given<'_>,
) -> Step {
    let may = |what| record.is_public || given.reveal.contains(&what);
    let place = fields.read_point.as_ref().or(fields.biz_location.as_ref());
    let known = place.and_then(|place| places.get(place));
    let names = known.map(|known| known.names.clone()).unwrap_or_default();
    let goods = given.code.goods.as_str();
    let is_input = |one: &Item| one.role == ItemRole::Input && one.item.as_str() == goods;
    let name = names.first().map(|name| &name.text).or(place).cloned();
    Step {
        step: fields.biz_step.clone().filter(|_| may(Reveal::Step)),
        place: name.filter(|_| may(Reveal::Place)),
        place_names: if may(Reveal::Place) { names } else { Vec::new() },
        region: known.and_then(|known| known.region.clone()).filter(|_| may(Reveal::Region)),
        month: may(Reveal::Month).then(|| month(fields.event_at.on_clock(&fields.utc_offset))),
        by: (given.party)(&record.verified.claims().iss),
        id: record.is_public.then(|| record.verified.id().to_string()),
        inside: None,
        is_used_up: may(Reveal::Step) && fields.items.iter().any(is_input),
    }
}

/// Events that their own issuer declared to be in error: the events and the declarations.
pub(super) fn declared_errors<'a>(records: &[&'a Proven]) -> BTreeSet<(&'a OrgId, &'a str)> {
    let mut declared = BTreeSet::new();
    for record in records {
        if let Body::Event(event) = record.verified.body()
            && event.fields().error.is_some()
        {
            declared.insert((&record.verified.claims().iss, event.fields().identity()));
        }
    }
    declared
}

/// Names and regions of places, by the text that events give them.
pub(super) fn places(records: &[&Proven]) -> BTreeMap<String, Place> {
    let mut places: BTreeMap<String, Place> = BTreeMap::new();
    for record in records.iter().filter(|record| record.is_public) {
        let sub = &record.verified.claims().sub;
        match record.verified.body() {
            Body::Facility(facility) => {
                let region = Some(facility.province.clone());
                let name = Text { lang: None, text: facility.name.clone() };
                let place = Place { names: vec![name], region };
                for name in &facility.locations {
                    let name = hallmark_schemas::kind::event::vocabulary::place(name);
                    places.insert(name, place.clone());
                }
                places.insert(sub.to_string(), place);
            }
            Body::Masterdata(body) => {
                if let (About::Location(location), Subject::Goods(_) | Subject::Facility(_)) =
                    (&body.about, sub)
                {
                    let names = texts(&body.name);
                    let place = Place { names, region: Some(location.region.clone()) };
                    places.insert(sub.to_string(), place);
                }
            }
            _ => {}
        }
    }
    places
}
