//! Events that are held here, found by the filter of a query.
//!
//! Invariants: an event that the caller may not read is passed over like one that does not exist;
//! what the index says is checked against the body; an event that contradicts an earlier one of its
//! identity is evidence and no answer; the work for one page is bounded, and an answer that stops
//! short says where to go on.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use hallmark_schemas::attestation::Envelope;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::event::Event;
use hallmark_schemas::kind::event::fields::Fields;
use hallmark_schemas::time::Timestamp;

use super::filter::{Filter, Found, OrderBy};
use super::page::Mark;
use crate::api::caller::Caller;
use crate::core::Node;
use crate::entitled::Asker;
use crate::index::LogKey;
use crate::index::goods::{About, GoodsPlace};
use crate::store::StoreError;

/// Most bodies that are read for one page.
const READS_MAX: usize = 50_000;
/// Longest time for one page.
const TIME_MAX: Duration = Duration::from_secs(4);
/// The same for a stranger, whose requests cost nothing: a page ends sooner, and goes on.
const STRANGER_READS_MAX: usize = 2_000;
const STRANGER_TIME_MAX: Duration = Duration::from_millis(250);
/// Places that are looked up at once.
const PAGE: usize = 512;
/// Most places of a query by several identifiers.
const PLACES_MAX: usize = 200_000;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FindError {
    /// The own files failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// More events than `maxEventCount`.
    #[error("more than {max} events match")]
    TooLarge {
        /// What the query said.
        max: usize,
    },
    /// An ordered answer needs more work than one request may take.
    #[error("ordering the result needs more than one request may take")]
    TooComplex,
}

/// A page of an answer.
#[derive(Debug, Default)]
pub struct Page<T> {
    /// What was found.
    pub found: Vec<T>,
    /// Where the next page begins, if there may be more.
    pub next: Option<Mark>,
    /// Bodies that would have been looked at and are damaged here; told to the owner alone.
    pub damaged: u64,
}

/// One page of the events that a filter asks for, each as a query answers it.
pub fn events(
    node: &Node,
    asker: &Asker,
    filter: &Filter,
    mark: Option<Mark>,
    per_page: usize,
) -> Result<Page<String>, FindError> {
    let is_ordered = filter.order_by.is_some()
        || filter.event_count_limit.is_some()
        || filter.max_event_count.is_some();
    if is_ordered {
        return ordered(node, asker, filter, mark, per_page);
    }
    let after = match mark {
        Some(Mark::After(place)) => Some(place),
        _ => None,
    };
    let mut walk = Walk::new(node, asker, filter, after)?;
    let mut page = Page::default();
    let mut last = after;
    loop {
        match walk.step()? {
            Step::End => break,
            Step::Spent => {
                page.next = walk.at.map(Mark::After);
                break;
            }
            Step::Event(place, event) => {
                if !is_wanted(filter, &place, &event) {
                    continue;
                }
                if page.found.len() == per_page {
                    page.next = last.map(Mark::After);
                    break;
                }
                page.found.push(event.recorded(place.at));
                last = Some(place);
            }
        }
    }
    page.damaged = walk.damaged;
    Ok(page)
}

/// Everything is looked at before anything is answered.
fn ordered(
    node: &Node,
    asker: &Asker,
    filter: &Filter,
    mark: Option<Mark>,
    per_page: usize,
) -> Result<Page<String>, FindError> {
    let mut walk = Walk::new(node, asker, filter, None)?;
    let mut all: Vec<(Timestamp, GoodsPlace)> = Vec::new();
    loop {
        match walk.step()? {
            Step::End => break,
            Step::Spent => return Err(FindError::TooComplex),
            Step::Event(place, event) if is_wanted(filter, &place, &event) => {
                let at = match filter.order_by {
                    Some(OrderBy::EventTime) => event.fields().event_at,
                    _ => place.at,
                };
                all.push((at, place));
            }
            Step::Event(..) => {}
        }
    }
    if let Some(max) = filter.max_event_count.filter(|max| *max < all.len()) {
        return Err(FindError::TooLarge { max });
    }
    all.sort_by_key(|(at, place)| (*at, place.position()));
    if filter.order_by.is_some() && !filter.is_ascending {
        all.reverse();
    }
    all.truncate(filter.event_count_limit.unwrap_or(usize::MAX));
    let begin = match mark {
        Some(Mark::Offset(offset)) => usize::try_from(offset).unwrap_or(usize::MAX),
        _ => 0,
    };
    let rest = all.get(begin..).unwrap_or_default();
    let shown = &rest[..rest.len().min(per_page)];
    let mut page = Page { damaged: walk.damaged, ..Page::default() };
    for (_, place) in shown {
        if let Some(event) = event_at(node, place)? {
            page.found.push(event.recorded(place.at));
        }
    }
    if shown.len() < rest.len() {
        page.next = Some(Mark::Offset((begin + shown.len()) as u64));
    }
    Ok(page)
}

fn is_wanted(filter: &Filter, place: &GoodsPlace, event: &Event) -> bool {
    let found = Found { fields: event.fields(), epcis: event.epcis(), recorded_at: place.at };
    filter.matches(&found)
}

fn event_at(node: &Node, place: &GoodsPlace) -> Result<Option<Event>, StoreError> {
    let envelope = node.body(&place.id)?.and_then(|stored| Envelope::parse(&stored).ok());
    Ok(envelope.and_then(|envelope| match envelope.body() {
        Body::Event(event) => Some(event.clone()),
        _ => None,
    }))
}

/// The event of this eventID, or of this hash: the declaration of its error where there is one,
/// which repeats it.
pub fn named(node: &Node, asker: &Asker, identity: &str) -> Result<Option<String>, FindError> {
    // What is no value of that parameter is no eventID of an event.
    let Ok(filter) = Filter::default().and("EQ_eventID", identity) else {
        return Ok(None);
    };
    let mut walk = Walk::new(node, asker, &filter, None)?;
    let mut found: Option<(bool, String)> = None;
    while let Step::Event(place, event) = walk.step()? {
        let is_declared = event.fields().error.is_some();
        let is_better = found.as_ref().is_none_or(|(declared, _)| !declared && is_declared);
        if event.fields().identity() == identity && is_better {
            found = Some((is_declared, event.recorded(place.at)));
        }
    }
    Ok(found.map(|(_, event)| event))
}

/// One page of the values that events have, each once a page.
pub fn values(
    node: &Node,
    asker: &Asker,
    mark: Option<Mark>,
    per_page: usize,
    of: impl Fn(&Fields) -> Vec<String>,
) -> Result<Page<String>, FindError> {
    let after = match mark {
        Some(Mark::After(place)) => Some(place),
        _ => None,
    };
    let mut walk = Walk::new(node, asker, &Filter::default(), after)?;
    let (mut values, mut next) = (BTreeSet::new(), None);
    loop {
        let before = walk.at;
        match walk.step()? {
            Step::End => break,
            Step::Spent => {
                next = walk.at.map(Mark::After);
                break;
            }
            Step::Event(_, event) => {
                let new: Vec<String> =
                    of(event.fields()).into_iter().filter(|one| !values.contains(one)).collect();
                if per_page < values.len() + new.len() && !values.is_empty() {
                    next = before.map(Mark::After);
                    break;
                }
                values.extend(new);
            }
        }
    }
    Ok(Page { found: values.into_iter().collect(), next, damaged: walk.damaged })
}

/// What a walk comes to.
enum Step {
    /// An event that the caller may read.
    Event(GoodsPlace, Event),
    /// There is nothing more.
    End,
    /// One request may not take more.
    Spent,
}

/// Goes through events in the order of admission.
struct Walk<'a> {
    node: &'a Node,
    asker: &'a Asker,
    origins: BTreeMap<LogKey, String>,
    /// Places that are known already, instead of the list of all.
    chosen: Option<VecDeque<GoodsPlace>>,
    buffer: VecDeque<GoodsPlace>,
    /// The last place that was looked at.
    at: Option<GoodsPlace>,
    before: Option<Timestamp>,
    is_read: bool,
    reads_left: usize,
    ends_at: Instant,
    damaged: u64,
}

impl<'a> Walk<'a> {
    fn new(
        node: &'a Node,
        asker: &'a Asker,
        filter: &Filter,
        after: Option<GoodsPlace>,
    ) -> Result<Walk<'a>, FindError> {
        let from = filter.recorded_from().and_then(GoodsPlace::before);
        let later = |one: &GoodsPlace, other: &GoodsPlace| one.position() > other.position();
        let at = match (after, from) {
            (Some(after), Some(from)) if later(&from, &after) => Some(from),
            (after, from) => after.or(from),
        };
        let chosen = chosen(node, filter)?.map(|places| {
            let rest = places.into_iter().filter(|place| at.is_none_or(|at| later(place, &at)));
            rest.collect()
        });
        let (reads_left, time) = match asker.caller() {
            Caller::Anyone(_) => (STRANGER_READS_MAX, STRANGER_TIME_MAX),
            Caller::Owner | Caller::Member { .. } => (READS_MAX, TIME_MAX),
        };
        Ok(Walk {
            node,
            asker,
            origins: node.origins(),
            chosen,
            buffer: VecDeque::new(),
            at,
            before: filter.recorded_before(),
            is_read: false,
            reads_left,
            ends_at: Instant::now() + time,
            damaged: 0,
        })
    }

    fn place(&mut self) -> Result<Option<GoodsPlace>, StoreError> {
        if let Some(chosen) = &mut self.chosen {
            return Ok(chosen.pop_front());
        }
        if self.buffer.is_empty() && !self.is_read {
            let page = self.node.events(self.at.as_ref(), PAGE)?;
            self.is_read = page.len() < PAGE;
            self.buffer = page.into();
        }
        Ok(self.buffer.pop_front())
    }

    fn step(&mut self) -> Result<Step, StoreError> {
        loop {
            if self.reads_left == 0 || self.ends_at < Instant::now() {
                return Ok(Step::Spent);
            }
            let Some(place) = self.place()? else {
                return Ok(Step::End);
            };
            if self.before.is_some_and(|before| before <= place.at) {
                return Ok(Step::End);
            }
            self.at = Some(place);
            // Logs that are no longer followed are no longer vouched for.
            if !self.origins.contains_key(&place.log) {
                continue;
            }
            self.reads_left -= 1;
            if let Some(event) = self.readable(&place)? {
                return Ok(Step::Event(place, event));
            }
        }
    }

    fn readable(&mut self, place: &GoodsPlace) -> Result<Option<Event>, StoreError> {
        let stored = match self.node.body(&place.id) {
            Err(StoreError::Damaged { .. }) => {
                // It may be one that a stranger must not know of.
                self.damaged += u64::from(*self.asker.caller() == Caller::Owner);
                return Ok(None);
            }
            other => other?,
        };
        let Some(envelope) = stored.and_then(|stored| Envelope::parse(&stored).ok()) else {
            return Ok(None);
        };
        if !self.asker.may_read(envelope.claims()) {
            return Ok(None);
        }
        let first = self.node.log().same_statement(&envelope.identity().key)?;
        if first.is_some_and(|first| first != place.id) {
            return Ok(None);
        }
        match envelope.body() {
            Body::Event(event) => Ok(Some(event.clone())),
            _ => Ok(None),
        }
    }
}

/// The places that a filter by identifiers leaves, in the order of admission.
fn chosen(node: &Node, filter: &Filter) -> Result<Option<Vec<GoodsPlace>>, FindError> {
    let mut places = Vec::new();
    if let Some(identities) = filter.identities() {
        for identity in identities {
            places.extend(node.events_named(identity, PLACES_MAX)?);
        }
    } else if let Some(goods) = filter.goods() {
        for one in goods {
            let room = (PLACES_MAX + 1).saturating_sub(places.len());
            places.extend(node.goods(&one, About::Events, None, room)?);
        }
    } else {
        return Ok(None);
    }
    if PLACES_MAX < places.len() {
        return Err(FindError::TooComplex);
    }
    places.sort_by_key(GoodsPlace::position);
    places.dedup_by_key(|place| place.id);
    Ok(Some(places))
}
