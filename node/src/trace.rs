//! Traces, and what recalls reach, over the logs that are held here: looks up what a collector wants
//! to know of.
//!
//! Invariants: an event that the caller may not read is passed over like one that does not exist;
//! so is one that its logs refused, as evidence of a contradiction alone; one attestation in several
//! logs counts once, at its lowest origin and entry; what the index says is checked against the body.

use std::collections::BTreeMap;

use hallmark_schemas::attestation::{Claims, ContentId, Envelope};
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::kind::Body;
use hallmark_verifier::trace::{Collect, LogExtent, Logged, Trace, Tracer};

use crate::core::Node;
use crate::index::LogKey;
use crate::index::goods::{About, GoodsPlace};
use crate::store::StoreError;

/// Most bodies that are read for one trace. Those that the caller may not see count too: only
/// beyond it could a caller guess that there are any.
const READS_MAX: usize = 4_000;
/// Places that are looked up at once.
const PAGE: usize = 512;
/// Missing bodies of a log that are counted.
const MISSING_COUNT_MAX: usize = 10_000;

/// Who wants to see a trace.
pub trait Reader {
    /// Whether this body may be shown.
    fn may_read(&self, claims: &Claims) -> bool;
    /// Whether an entry of this audience byte may be shown whose body is not held.
    fn may_know_of(&self, audience: u8) -> bool;
}

/// The way of goods, as far as it is held here and `reader` may see it. Blocks.
pub fn trace(node: &Node, start: &GoodsId, reader: &impl Reader) -> Result<Trace, StoreError> {
    let tracer = collect(node, reader, Tracer::new(start.clone()), READS_MAX)?;
    Ok(tracer.finish(extents(node)?))
}

/// Tells a collector all that it wants to know and `reader` may see, from at most so many bodies.
pub(crate) fn collect<C: Collect>(
    node: &Node,
    reader: &impl Reader,
    collector: C,
    reads_max: usize,
) -> Result<C, StoreError> {
    let (origins, reads_left) = (node.origins(), reads_max);
    let mut lookup = Lookup { node, reader, origins, collector, reads_left };
    loop {
        let wanted = lookup.collector.wanted();
        if wanted.is_empty() {
            return Ok(lookup.collector);
        }
        for goods in wanted {
            lookup.goods(&goods)?;
        }
    }
}

struct Lookup<'a, R, C> {
    node: &'a Node,
    reader: &'a R,
    origins: BTreeMap<LogKey, String>,
    collector: C,
    reads_left: usize,
}

impl<R: Reader, C: Collect> Lookup<'_, R, C> {
    /// Adds the events that name the goods.
    fn goods(&mut self, goods: &GoodsId) -> Result<(), StoreError> {
        let mut after = None;
        let mut found: BTreeMap<ContentId, (String, GoodsPlace)> = BTreeMap::new();
        loop {
            let page = self.node.goods(goods, About::Events, after.as_ref(), PAGE)?;
            for place in &page {
                // Logs that are no longer followed are no longer vouched for.
                let Some(origin) = self.origins.get(&place.log) else {
                    continue;
                };
                let lowest = found.entry(place.id).or_insert_with(|| (origin.clone(), *place));
                if (origin, place.entry) < (&lowest.0, lowest.1.entry) {
                    *lowest = (origin.clone(), *place);
                }
            }
            after = page.last().copied();
            if page.len() < PAGE || self.reads_left <= found.len() {
                break;
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by(|(a, x), (b, y)| (x.at, a, x.entry).cmp(&(y.at, b, y.entry)));
        for (origin, place) in found {
            if self.collector.knows(&place.id) {
                continue;
            }
            if self.reads_left == 0 {
                self.collector.leave_unread();
                break;
            }
            self.reads_left -= 1;
            self.event(goods, origin, &place)?;
        }
        Ok(())
    }

    fn event(
        &mut self,
        goods: &GoodsId,
        log: String,
        place: &GoodsPlace,
    ) -> Result<(), StoreError> {
        let GoodsPlace { at, entry, id, .. } = *place;
        let logged = |said, is_damaged| {
            let log = log.clone();
            Logged { id, log, entry, admitted_at: at, said, is_damaged }
        };
        let (body, is_damaged) = match self.node.body(&id) {
            Err(StoreError::Damaged { .. }) => (None, true),
            other => (other?, false),
        };
        let Some(envelope) = body.and_then(|body| Envelope::parse(&body).ok()) else {
            let places = self.node.places(&id)?;
            if places.iter().any(|place| self.reader.may_know_of(place.entry.audience)) {
                self.collector.add(goods, logged(None, is_damaged));
            }
            return Ok(());
        };
        if self.node.is_refused(&envelope, &self.origins)? {
            return Ok(());
        }
        let claims = envelope.claims();
        if let Body::Event(event) = envelope.body()
            && self.reader.may_read(claims)
            && envelope.body().goods(claims).contains(goods)
        {
            let said = Some((claims.iss.clone(), event.fields().clone()));
            self.collector.add(goods, logged(said, false));
        }
        Ok(())
    }
}

/// The events of a trace as they were captured, in its order.
pub fn events(node: &Node, trace: &Trace) -> Result<Vec<String>, StoreError> {
    let mut all = Vec::new();
    for step in trace.steps.iter().filter(|step| step.event.is_some()) {
        let envelope = node.body(&step.id)?.and_then(|body| Envelope::parse(&body).ok());
        if let Some(Body::Event(event)) = envelope.as_ref().map(Envelope::body) {
            all.push(event.recorded(step.admitted_at));
        }
    }
    Ok(all)
}

/// What of which logs is held.
pub(crate) fn extents(node: &Node) -> Result<Vec<LogExtent>, StoreError> {
    let log = node.log();
    let entries = log.published().map_or(0, |published| published.head.size);
    let extent = |origin: &str, entries, bodies_missing| LogExtent {
        origin: origin.to_owned(),
        entries,
        bodies_missing,
        bodies_damaged: 0,
    };
    let mut extents = vec![extent(log.origin(), entries, 0)];
    for log in node.mirror().logs() {
        let bodies_missing = log.wanted_count(MISSING_COUNT_MAX)? as u64;
        extents.push(extent(log.origin(), log.head().size, bodies_missing));
    }
    extents.sort_by(|a, b| a.origin.cmp(&b.origin));
    Ok(extents)
}
