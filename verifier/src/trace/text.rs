//! A trace as a tree for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{LogExtent, Relation, Stay, Step, Told, Trace, Unknown, counted};

/// Where the second line of a step begins: below the text after its instant.
const UNDER_TEXT: usize = 22;

/// Writes the tree; the last line is the verdict.
pub(super) fn write(trace: &Trace) -> String {
    let mut out = Tree { trace, text: String::new(), shown: BTreeSet::new() };
    if !trace.stays.is_empty() {
        out.stay(0, 0);
    }
    for log in &trace.logs {
        let LogExtent { origin, entries, bodies_missing, bodies_damaged } = log;
        let bodies = |count: &u64| counted(*count, ["body", "bodies"]);
        let held = match (bodies_missing, bodies_damaged) {
            (0, 0) => "all bodies held".to_owned(),
            (0, _) => format!("{} of this trace damaged here", bodies(bodies_damaged)),
            (_, 0) => format!("{} not held: steps may be missing", bodies(bodies_missing)),
            _ => format!(
                "{} not held: steps may be missing; {} of this trace damaged here",
                bodies(bodies_missing),
                bodies(bodies_damaged)
            ),
        };
        let size = counted(*entries, ["entry", "entries"]);
        out.line(0, &format!("log {origin}: {size}, {held}"));
    }
    let _ = writeln!(out.text, "traced: {}", trace.verdict());
    out.text
}

struct Tree<'a> {
    trace: &'a Trace,
    text: String,
    /// Steps that stand above already.
    shown: BTreeSet<usize>,
}

impl Tree<'_> {
    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.text, "{:width$}{}", "", plain(text), width = 2 * depth);
    }

    /// One stay, its steps, and below each step the stays that it led to.
    fn stay(&mut self, at: usize, depth: usize) {
        let trace = self.trace;
        let stay = &trace.stays[at];
        self.line(depth, &title(trace, stay));
        let unknown = |step: Option<usize>| {
            let edges =
                trace.unknown.iter().filter(move |edge| edge.stay == at && edge.step == step);
            edges.map(|edge| format!("? {}", unknown(edge.what)))
        };
        for edge in unknown(None) {
            self.line(depth + 1, &edge);
        }
        let led_to = |step: Option<usize>| {
            let below = trace.stays.iter().enumerate().skip(at + 1);
            below.filter(move |(_, other)| other.parent == Some(at) && other.from_step == step)
        };
        for step in &stay.steps {
            if self.shown.insert(*step) {
                self.step(*step, stay, depth + 1);
            }
            for edge in unknown(Some(*step)) {
                self.line(depth + 1, &edge);
            }
            for (below, _) in led_to(Some(*step)) {
                self.stay(below, depth + 2);
            }
        }
        // Those whose step is not shown here.
        let listed: BTreeSet<Option<usize>> = stay.steps.iter().copied().map(Some).collect();
        for (below, other) in trace.stays.iter().enumerate().skip(at + 1) {
            if other.parent == Some(at) && !listed.contains(&other.from_step) {
                self.stay(below, depth + 1);
            }
        }
        if stay.steps.is_empty() {
            let why = if stay.looked_up { "no event held here names it" } else { "not looked up" };
            self.line(depth + 1, why);
        }
    }

    fn step(&mut self, at: usize, stay: &Stay, depth: usize) {
        let Step { id, log, entry, admitted_at, event, is_damaged } = &self.trace.steps[at];
        let Some(told) = event else {
            let why = match is_damaged {
                true => "damaged here, not what was logged",
                false => "body not held here",
            };
            self.line(depth, &format!("{why}: {log} entry {entry}, {id}"));
            return;
        };
        let used = if stay.used_up_by.contains(&at) { ", used up" } else { "" };
        let sentence = sentence(told, stay, used);
        self.line(depth, &format!("{:<20}  {sentence}", told.event_at.to_string()));
        let source =
            format!("{} in {log} entry {entry}, admitted {admitted_at}, {id}", told.issuer);
        let _ = writeln!(self.text, "{:width$}{source}", "", width = 2 * depth + UNDER_TEXT);
    }
}

fn title(trace: &Trace, stay: &Stay) -> String {
    let relation = match stay.relation {
        Relation::Start => return stay.goods.to_string(),
        Relation::Content => "held",
        Relation::Carrier => "in",
        Relation::Input => "made from",
        Relation::Output => "became",
        Relation::Lot => "of lot",
        Relation::Member => "with item",
    };
    let at = |step: Option<usize>| trace.steps.get(step?)?.event.as_ref().map(|told| told.event_at);
    let end = match (stay.relation, at(stay.to_step)) {
        (Relation::Content | Relation::Carrier, Some(end)) if stay.packed_again => {
            format!(" until it was packed elsewhere, {end}")
        }
        (Relation::Content | Relation::Carrier, Some(end)) => format!(" until {end}"),
        (Relation::Content | Relation::Carrier, None) => ", no end is known".to_owned(),
        _ => String::new(),
    };
    format!("{relation} {}{}{end}", stay.goods, amount(stay))
}

/// How much of a class, as far as it is told.
pub(super) fn amount(stay: &Stay) -> String {
    match (&stay.amount, &stay.uom) {
        (Some(amount), Some(uom)) => format!(", {amount} {uom}"),
        (Some(amount), None) => format!(", {amount}"),
        (None, _) if stay.amount_unknown => ", unknown amount".to_owned(),
        (None, _) => String::new(),
    }
}

/// What is not known, in words.
pub(super) fn unknown(what: Unknown) -> &'static str {
    match what {
        Unknown::Origin => "no event held here tells how it began",
        Unknown::Sender => "nobody recorded that it was sent here",
        Unknown::Receiver => "nobody recorded that it came",
    }
}

/// What happened, in the fewest words; `used` says that the goods went into others.
fn sentence(told: &Told, stay: &Stay, used: &str) -> String {
    let mut text = told.biz_step.clone().unwrap_or_else(|| told.kind.to_owned());
    text.push_str(used);
    if let Some(disposition) = &told.disposition {
        let _ = write!(text, " ({disposition})");
    }
    match (&told.parent, told.action) {
        (Some(parent), action) if *parent != stay.goods => {
            let how = match action {
                Some("ADD") => "into",
                Some("DELETE") => "out of",
                _ => "seen in",
            };
            let _ = write!(text, ", {how} {parent}");
        }
        (Some(_), Some("ADD")) => text.push_str(", into it"),
        (Some(_), Some("DELETE")) if told.empties => text.push_str(", all out of it"),
        (Some(_), Some("DELETE")) => text.push_str(", out of it"),
        (None, Some("ADD")) => text.push_str(", begins"),
        (None, Some("DELETE")) => text.push_str(", ends"),
        _ => {}
    }
    if let Some(place) = told.biz_location.as_ref().or(told.read_point.as_ref()) {
        let _ = write!(text, " at {place}");
    }
    if told.declares_error {
        text.push_str(" [declares an event to be in error]");
    }
    if told.declared_error {
        text.push_str(" [declared to be in error]");
    }
    text
}

/// The text without characters that change how the rest of the line is shown.
pub(in crate::trace) fn plain(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if hides(c) { '\u{fffd}' } else { c }).collect()
}
