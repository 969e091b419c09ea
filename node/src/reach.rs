//! What a recall reaches over the logs that are held here, and the recalls that are recorded.
//!
//! Invariants: whoever asks learns of no event and no recall that it may not read; the work of one
//! answer is bounded, and one that stops short says so.

use std::collections::{BTreeSet, VecDeque};

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::event::fields::Fields;
use hallmark_schemas::kind::event::vocabulary;
use hallmark_schemas::kind::recall::Recall;
use hallmark_schemas::time::Timestamp;
use hallmark_verifier::trace::Collect as _;
use hallmark_verifier::trace::reach::{Reach, Reacher};
use serde::Serialize;

use crate::api::caller::Caller;
use crate::core::Node;
use crate::entitled::Asker;
use crate::index::goods::{About, GoodsPlace};
use crate::store::StoreError;
use crate::trace::{collect, extents};

/// Most bodies that are read for one answer.
const READS_MAX: usize = 60_000;
/// The same for a stranger, whose requests cost nothing.
const STRANGER_READS_MAX: usize = 4_000;
/// Most goods that a recall begins with.
pub const STARTS_MAX: usize = 1_000;
/// Most recalls that are read and listed.
pub const RECALLS_MAX: usize = 1_000;
/// Places that are looked up at once.
const PAGE: usize = 512;
/// An event is recorded after it happened, but for a clock that is ahead.
const CLOCK_MS: u64 = 86_400_000;

/// With what a recall begins.
#[derive(Clone, Debug)]
pub enum Start {
    /// These items, lots, classes, inputs or containers.
    Goods(BTreeSet<GoodsId>),
    /// All that was made at a place in a period.
    Made {
        /// A facility, or a place in its canonical form.
        place: String,
        /// From then on.
        from: Timestamp,
        /// Until then, exclusive.
        to: Timestamp,
    },
}

/// What is reached, and the recalls of it that are on record.
#[derive(Debug, Serialize)]
pub struct Reached {
    /// What is reached.
    #[serde(flatten)]
    pub reach: Reach,
    /// Recalls of these goods.
    pub recalls: Vec<Recorded>,
    /// One sentence.
    pub verdict: String,
}

/// A recall as it is recorded.
#[derive(Clone, Debug, Serialize)]
pub struct Recorded {
    /// Its content id.
    pub id: ContentId,
    /// Who calls back.
    pub issuer: OrgId,
    /// The goods.
    pub goods: Vec<GoodsId>,
    /// Whether it is in force now.
    pub in_force: bool,
    /// What it says.
    #[serde(flatten)]
    pub recall: Recall,
}

/// What is reached from there. Without `since`, a recall on record says when it began. Blocks.
pub fn reach(
    node: &Node,
    asker: &Asker,
    start: Start,
    since: Option<Timestamp>,
    now: Timestamp,
) -> Result<Reached, StoreError> {
    let reads = match asker.caller() {
        Caller::Anyone(_) => STRANGER_READS_MAX,
        Caller::Owner | Caller::Member { .. } => READS_MAX,
    };
    let (starts, is_cut) = match start {
        Start::Goods(starts) => (starts, false),
        Start::Made { place, from, to } => made_at(node, asker, &place, (from, to), reads)?,
    };
    let recalls = recalls_of(node, asker, &starts, now)?;
    let in_force = recalls.iter().filter(|one| one.in_force);
    let since = since.or_else(|| in_force.map(|one| one.recall.since).min());
    let mut reacher = Reacher::new(starts, since);
    if is_cut {
        reacher.leave_unread();
    }
    let reach = collect(node, asker, reacher, reads)?.finish(extents(node)?);
    let verdict = reach.verdict();
    Ok(Reached { reach, recalls, verdict })
}

/// What events tell to have begun at a place: its lots, or the items where no lot is told; and whether
/// there is more.
fn made_at(
    node: &Node,
    asker: &Asker,
    place: &str,
    (from, to): (Timestamp, Timestamp),
    reads: usize,
) -> Result<(BTreeSet<GoodsId>, bool), StoreError> {
    let places = places_of(node, asker, place)?;
    let mut made = BTreeSet::new();
    let begin = Timestamp::from_unix_ms(from.unix_ms().saturating_sub(CLOCK_MS));
    let mut after = GoodsPlace::before(begin);
    let mut left = reads;
    loop {
        let page = node.events(after.as_ref(), PAGE)?;
        for found in &page {
            let Some(rest) = left.checked_sub(1) else { return Ok((made, true)) };
            left = rest;
            let Some(envelope) = readable(node, asker, &found.id)? else { continue };
            let Body::Event(event) = envelope.body() else { continue };
            let fields = event.fields();
            let is_then = from <= fields.event_at && fields.event_at < to;
            if is_then && fields.error.is_none() && is_at(fields, &places) {
                made.extend(born(fields));
            }
            if STARTS_MAX < made.len() {
                return Ok((made.into_iter().take(STARTS_MAX).collect(), true));
            }
        }
        after = page.last().copied();
        if page.len() < PAGE {
            return Ok((made, false));
        }
    }
}

/// The names under which events may know a place.
fn places_of(node: &Node, asker: &Asker, place: &str) -> Result<Vec<String>, StoreError> {
    let place = vocabulary::place(place);
    let mut names = vec![place.clone()];
    for found in node.beside(&place, PAGE)? {
        if let Some(envelope) = readable(node, asker, &found.id)?
            && let Body::Facility(facility) = envelope.body()
        {
            names.push(envelope.claims().sub.to_string());
            names.extend(facility.locations.iter().map(|name| vocabulary::place(name)));
        }
    }
    Ok(names)
}

fn is_at(fields: &Fields, places: &[String]) -> bool {
    let told = [&fields.read_point, &fields.biz_location];
    let mut told = told.into_iter().flatten().map(|text| vocabulary::place(text));
    told.any(|told| {
        let is_in = |place: &String| {
            told.strip_prefix(place.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with("/254/"))
        };
        places.iter().any(is_in)
    })
}

/// What begins with an event, by its lots where they are told.
fn born(fields: &Fields) -> BTreeSet<GoodsId> {
    let mut all = BTreeSet::new();
    for item in fields.items.iter().filter(|item| fields.born(item.role)) {
        let Some(goods) = item.item.goods() else { continue };
        let lots = fields.lots_of(item).filter_map(|lot| goods.in_lot(lot));
        let before = all.len();
        all.extend(lots);
        if all.len() == before && fields.lots_of(item).next().is_none() {
            all.insert(goods.clone());
        }
    }
    all
}

/// A body that the asker may read and that no log took as evidence of a contradiction alone.
fn readable(node: &Node, asker: &Asker, id: &ContentId) -> Result<Option<Envelope>, StoreError> {
    let stored = match node.body(id) {
        Err(StoreError::Damaged { .. }) => None,
        other => other?,
    };
    let envelope = stored.and_then(|stored| Envelope::parse(&stored).ok());
    let Some(envelope) = envelope.filter(|envelope| asker.may_read(envelope.claims())) else {
        return Ok(None);
    };
    Ok((!node.is_refused(&envelope, &node.origins())?).then_some(envelope))
}

/// Recalls that name any of these goods.
fn recalls_of(
    node: &Node,
    asker: &Asker,
    goods: &BTreeSet<GoodsId>,
    now: Timestamp,
) -> Result<Vec<Recorded>, StoreError> {
    let mut places = BTreeSet::new();
    for goods in goods {
        let class = goods.class().filter(|class| class != goods);
        for goods in std::iter::once(goods.clone()).chain(class) {
            let found = node.goods(&goods, About::Statements, None, PAGE)?;
            places.extend(found.iter().map(|place| (place.position(), place.id)));
        }
    }
    read_all(node, asker, places.into_iter().map(|(_, id)| id), now)
}

/// All recalls that are recorded here and not replaced, the last to be recorded first.
pub fn recalls(node: &Node, asker: &Asker, now: Timestamp) -> Result<Vec<Recorded>, StoreError> {
    let mut places: VecDeque<GoodsPlace> = VecDeque::new();
    let mut after = None;
    loop {
        let page = node.recalls(after.as_ref(), PAGE)?;
        places.extend(&page);
        // The newest are wanted, and the list begins with the oldest.
        places.drain(..places.len().saturating_sub(RECALLS_MAX));
        after = page.last().copied();
        if page.len() < PAGE {
            break;
        }
    }
    let mut all = read_all(node, asker, places.iter().map(|place| place.id), now)?;
    all.reverse();
    Ok(all)
}

fn read_all(
    node: &Node,
    asker: &Asker,
    ids: impl Iterator<Item = ContentId>,
    now: Timestamp,
) -> Result<Vec<Recorded>, StoreError> {
    let mut seen = BTreeSet::new();
    let mut all: Vec<Recorded> = Vec::new();
    for id in ids.filter(|id| seen.insert(*id)) {
        let Some(envelope) = readable(node, asker, &id)? else { continue };
        let Body::Recall(recall) = envelope.body() else { continue };
        let claims = envelope.claims();
        let has_begun = recall.since <= now;
        let in_force = has_begun && recall.lifted_at.is_none_or(|at| now < at);
        let goods = envelope.body().goods(claims);
        let (issuer, recall) = (claims.iss.clone(), recall.clone());
        all.push(Recorded { id, issuer, goods, in_force, recall });
    }
    // A later version of the same issuer stands for the one that it replaces.
    let replaced: BTreeSet<(OrgId, ContentId)> =
        all.iter().filter_map(|one| Some((one.issuer.clone(), one.recall.replaces?))).collect();
    all.retain(|one| !replaced.contains(&(one.issuer.clone(), one.id)));
    Ok(all)
}
