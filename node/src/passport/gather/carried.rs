//! What happened to the goods inside of something else: a pallet that was shipped with them on it.
//!
//! Invariants: only public events lead into a container and only public events of it are taken, so
//! that nothing tells where goods were by what is not public; an event counts only while the goods
//! were inside; a damaged event of a container says nothing about the goods.

use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::event::fields::ItemRole;
use hallmark_verifier::trace::{Collect, Logged, Relation, Tracer};

use super::{Code, EVENTS_MAX, Gatherer, Level, Proven, names};
use crate::index::goods::About;
use crate::store::StoreError;

/// Most containers, one in the other, that goods are followed into.
const CONTAINERS_MAX: usize = 16;

impl Gatherer<'_> {
    /// Takes the events of the containers that the goods were in, while they were.
    pub(super) fn carried(&mut self, code: &Code) -> Result<(), StoreError> {
        let own = || self.evidence.records.iter().filter(|one| one.level == Level::Own);
        let is_packing =
            |one: &Proven| match one.verified.body() {
                Body::Event(event) => event.fields().items.iter().any(|item| {
                    item.role == ItemRole::Child && item.item.goods() == Some(&code.goods)
                }),
                _ => false,
            };
        if !own().any(|one| one.is_public && is_packing(one)) {
            return Ok(());
        }
        let mut tracer = Tracer::of_carriers(code.goods.clone());
        let mut wanted = tracer.wanted();
        for record in own() {
            wanted.iter().for_each(|goods| add(&mut tracer, goods, record));
        }
        let (first, damaged) = (self.evidence.records.len(), self.evidence.damaged.len());
        for _ in 0..CONTAINERS_MAX {
            wanted = tracer.wanted();
            for container in &wanted {
                let from = self.evidence.records.len();
                let places = self.node.goods(container, About::Events, None, EVENTS_MAX + 1)?;
                self.evidence.is_cut |= EVENTS_MAX < places.len();
                for place in places.into_iter().take(EVENTS_MAX) {
                    self.take(place, Level::Beside, |envelope| names(envelope, container))?;
                }
                for record in &self.evidence.records[from..] {
                    add(&mut tracer, container, record);
                }
            }
            if wanted.is_empty() {
                break;
            }
        }
        let trace = tracer.finish(Vec::new());
        for stay in trace.stays.iter().filter(|stay| stay.relation == Relation::Carrier) {
            for step in stay.steps.iter().filter_map(|step| trace.steps.get(*step)) {
                self.evidence.carried.entry(step.id).or_insert_with(|| stay.goods.clone());
            }
        }
        let found = self.evidence.records.split_off(first);
        self.evidence.damaged.truncate(damaged);
        let carried = &mut self.evidence.carried;
        let is_carried = |one: &Proven| carried.contains_key(&one.verified.id());
        let found: Vec<Proven> = found.into_iter().filter(is_carried).collect();
        // What names the goods itself is a step of theirs already.
        let has = |id: &_| found.iter().any(|one| one.verified.id() == *id);
        carried.retain(|id, _| has(id));
        self.evidence.records.extend(found);
        Ok(())
    }
}

/// Lets the tracer know of a public event.
fn add(tracer: &mut Tracer, goods: &hallmark_schemas::goods::GoodsId, record: &Proven) {
    if let Body::Event(event) = record.verified.body()
        && record.is_public
    {
        let said = Some((record.verified.claims().iss.clone(), event.fields().clone()));
        let logged = Logged {
            id: record.verified.id(),
            log: record.origin.clone(),
            entry: record.entry,
            admitted_at: record.time.lo,
            said,
            is_damaged: false,
        };
        tracer.add(goods, logged);
    }
}
