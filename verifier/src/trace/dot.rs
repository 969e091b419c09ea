//! A trace as a graph in the language of Graphviz: goods with their steps, joined by what led from
//! one to the other.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Relation, Stay, Trace, Unknown};

/// Most steps that stand in one box; the line after says how many there are.
const STEPS_SHOWN: usize = 12;

/// Writes the graph.
pub(super) fn write(trace: &Trace) -> String {
    let mut out = String::from("digraph trace {\n  rankdir=LR;\n  node [shape=box];\n");
    let mut boxes: BTreeMap<&str, Vec<&Stay>> = BTreeMap::new();
    for stay in &trace.stays {
        boxes.entry(stay.goods.as_str()).or_default().push(stay);
    }
    for (goods, stays) in &boxes {
        let mut steps: Vec<usize> = stays.iter().flat_map(|stay| &stay.steps).copied().collect();
        steps.sort_unstable();
        steps.dedup();
        let mut label = vec![(*goods).to_owned()];
        let used = |step| {
            if stays.iter().any(|stay| stay.used_up_by.contains(step)) { ", used up" } else { "" }
        };
        let lines = steps.iter().take(STEPS_SHOWN).map(|step| line(trace, *step, used(step)));
        label.extend(lines);
        if STEPS_SHOWN < steps.len() {
            label.push(format!("showing {STEPS_SHOWN} of {} steps", steps.len()));
        }
        let is_start = stays.iter().any(|stay| stay.relation == Relation::Start);
        let style = if is_start { ", style=bold" } else { "" };
        let label: String = label.iter().map(|line| escaped(line) + "\\l").collect();
        let _ = writeln!(out, "  \"{}\" [label=\"{label}\"{style}];", escaped(goods));
    }
    for stay in &trace.stays {
        let Some(parent) = stay.parent.and_then(|parent| trace.stays.get(parent)) else {
            continue;
        };
        let (a, b) = (parent.goods.as_str(), stay.goods.as_str());
        // Arrows lead from what was first to what came of it, and from things to what held them.
        let (from, to, label) = match stay.relation {
            Relation::Carrier => (a, b, "in"),
            Relation::Content => (b, a, "in"),
            Relation::Input => (b, a, "became"),
            Relation::Output => (a, b, "became"),
            Relation::Lot => (a, b, "of lot"),
            Relation::Member | Relation::Start => (b, a, "of lot"),
        };
        let label =
            format!("{label}{}{}", escaped(&super::text::amount(stay)), period(trace, stay));
        let _ =
            writeln!(out, "  \"{}\" -> \"{}\" [label=\"{label}\"];", escaped(from), escaped(to));
    }
    for (number, edge) in trace.unknown.iter().enumerate() {
        let Some(stay) = trace.stays.get(edge.stay) else { continue };
        let (goods, label) = (escaped(stay.goods.as_str()), super::text::unknown(edge.what));
        let _ = writeln!(out, "  \"?{number}\" [label=\"?\", shape=plaintext];");
        let (from, to) = match edge.what {
            Unknown::Receiver => (goods, format!("?{number}")),
            Unknown::Origin | Unknown::Sender => (format!("?{number}"), goods),
        };
        let _ = writeln!(out, "  \"{from}\" -> \"{to}\" [label=\"{label}\", style=dashed];");
    }
    if trace.cut.is_any() {
        let _ = writeln!(out, "  label=\"{}\";", escaped(&trace.verdict()));
    }
    out.push_str("}\n");
    out
}

fn line(trace: &Trace, step: usize, used: &str) -> String {
    let step = &trace.steps[step];
    match &step.event {
        None if step.is_damaged => format!("damaged here: entry {}", step.entry),
        None => format!("body not held here: entry {}", step.entry),
        Some(told) => {
            let what = told.biz_step.as_deref().unwrap_or(told.kind);
            let place = told.biz_location.as_ref().or(told.read_point.as_ref());
            let place = place.map_or(String::new(), |place| format!(" at {place}"));
            format!("{} {what}{used}{place}", told.event_at)
        }
    }
}

fn period(trace: &Trace, stay: &Stay) -> String {
    let at = |step: Option<usize>| trace.steps.get(step?)?.event.as_ref().map(|told| told.event_at);
    let start = at(stay.from_step).map_or(String::new(), |start| format!("\\n{start}"));
    let end = at(stay.to_step).map_or(String::new(), |end| format!("\\n{end}"));
    format!("{start}{end}")
}

/// The text within a quoted string.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in super::text::plain(text).chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
