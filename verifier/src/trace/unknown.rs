//! What no record held here tells of the way of goods.
//!
//! Invariants: what happened to a container counts for what was in it; an edge is unknown only for
//! goods that are followed wholly and of which every body is held, and never for classes, of which
//! many may go many ways.

use std::collections::BTreeSet;

use super::{Relation, Stay, Told, Trace, Unknown, UnknownEdge};

/// Steps with which goods are sent.
const SENDING: [&str; 2] = ["shipping", "departing"];

/// All edges that lead nowhere.
pub(super) fn edges(trace: &Trace) -> Vec<UnknownEdge> {
    let mut all = Vec::new();
    for (at, stay) in trace.stays.iter().enumerate() {
        let is_whole = matches!(
            stay.relation,
            Relation::Start | Relation::Content | Relation::Output | Relation::Member
        );
        // A container begins whenever it is packed first.
        let is_unit = stay.goods.as_str().starts_with("https://id.gs1.org/00/");
        if is_whole && !stay.goods.is_class() && !stay.steps.is_empty() && stay.looked_up {
            of_stay(trace, at, is_unit, &mut all);
        }
    }
    all.sort();
    all.dedup();
    all
}

fn of_stay(trace: &Trace, at: usize, is_unit: bool, all: &mut Vec<UnknownEdge>) {
    let mut steps: BTreeSet<usize> = BTreeSet::new();
    ridden(trace, at, &mut steps);
    // A body that is not held may tell what seems unknown.
    if steps.iter().any(|step| trace.steps.get(*step).is_none_or(|step| step.event.is_none())) {
        return;
    }
    let told = |step: &usize| Some((*step, trace.steps.get(*step)?.event.as_ref()?));
    let way: Vec<(usize, &Told)> = steps
        .iter()
        .filter_map(told)
        .filter(|(_, told)| !told.declared_error && !told.declares_error)
        .collect();
    let edge = |what, step| UnknownEdge { stay: at, what, step };
    let stay = &trace.stays[at];
    if !is_unit && !way.iter().any(|(step, told)| begins(stay, *step, told)) {
        all.push(edge(Unknown::Origin, None));
    }
    let mut sent: Option<usize> = None;
    for pair in way.windows(2) {
        let ((before, earlier), (step, later)) = (pair[0], pair[1]);
        if is_sending(earlier) {
            sent = Some(before);
        }
        if earlier.issuer == later.issuer {
            continue;
        }
        // Somebody else has them: whoever had them must have sent them.
        if sent.is_none() {
            all.push(edge(Unknown::Sender, Some(step)));
        }
        sent = None;
    }
    if let Some((step, last)) = way.last()
        && is_sending(last)
    {
        all.push(edge(Unknown::Receiver, Some(*step)));
    }
}

fn is_sending(told: &Told) -> bool {
    told.biz_step.as_deref().is_some_and(|step| SENDING.contains(&step))
}

/// Whether the goods begin with this step of theirs.
fn begins(stay: &Stay, step: usize, told: &Told) -> bool {
    let is_own = stay.steps.contains(&step);
    let is_added = told.kind == "ObjectEvent" && told.action == Some("ADD");
    is_own && (is_added || (told.kind == "TransformationEvent" && !stay.used_up_by.contains(&step)))
}

/// The steps of goods, and of what held them, while it did.
fn ridden(trace: &Trace, at: usize, steps: &mut BTreeSet<usize>) {
    steps.extend(&trace.stays[at].steps);
    for (below, stay) in trace.stays.iter().enumerate().skip(at + 1) {
        if stay.parent == Some(at) && stay.relation == Relation::Carrier {
            ridden(trace, below, steps);
        }
    }
}
