//! A trace as a drawing: goods in rows as they led to one another, steps in columns in their order.
//!
//! Invariants: nothing of a record is markup; colours have words beside them; what is not known is
//! drawn, dashed and with a question mark.

use std::fmt::Write as _;

use super::text::{amount, plain, unknown};
use super::{Relation, Stay, Trace, Unknown};

const ROW: usize = 34;
const COLUMN: usize = 22;
const LEFT: usize = 430;
const TOP: usize = 24;
/// Most steps and rows that are drawn; the text form has all.
const STEPS_MAX: usize = 200;
const ROWS_MAX: usize = 200;

/// Writes the drawing.
pub(super) fn write(trace: &Trace) -> String {
    let (rows, steps) = (trace.stays.len().min(ROWS_MAX), trace.steps.len().min(STEPS_MAX));
    let (width, height) = (LEFT + COLUMN * (steps + 2) + 20, TOP + ROW * (rows + 2));
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"11\" \
         role=\"img\">\n<title>{}</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n",
        escaped(&format!("{}: {}", trace.goods, trace.verdict()))
    );
    for (at, stay) in trace.stays.iter().enumerate().take(rows) {
        row(trace, at, stay, steps, &mut out);
    }
    let (hidden_rows, hidden) = (trace.stays.len() - rows, trace.steps.len() - steps);
    let mut verdict = trace.verdict();
    if 0 < hidden_rows + hidden {
        let _ = write!(verdict, "; {hidden} steps and {hidden_rows} rows are not drawn");
    }
    let y = TOP + ROW * (rows + 1);
    let _ = writeln!(out, "<text x=\"8\" y=\"{y}\">{}</text>\n</svg>", escaped(&verdict));
    out
}

fn x_of(step: usize) -> usize {
    LEFT + COLUMN * (step + 1)
}

fn y_of(row: usize) -> usize {
    TOP + ROW * row
}

fn row(trace: &Trace, at: usize, stay: &Stay, steps: usize, out: &mut String) {
    let y = y_of(at);
    let relation = match stay.relation {
        Relation::Start => "",
        Relation::Content => "held ",
        Relation::Carrier => "in ",
        Relation::Input => "made from ",
        Relation::Output => "became ",
        Relation::Lot => "of lot ",
        Relation::Member => "with item ",
    };
    let name = stay.goods.as_str();
    let short = name.strip_prefix("https://id.gs1.org").unwrap_or(name);
    let label = clipped(&format!("{relation}{short}{}", amount(stay)), 64);
    let title = format!("{relation}{name}{}", amount(stay));
    let _ = writeln!(
        out,
        "<g><title>{}</title><text x=\"8\" y=\"{}\">{}</text></g>",
        escaped(&title),
        y + 4,
        escaped(&label)
    );
    let own = stay.steps.iter().copied().filter(|step| *step < steps);
    let ends = own.chain(stay.from_step).chain(stay.to_step).filter(|step| *step < steps);
    let (first, last) = (ends.clone().min(), ends.max());
    if let (Some(first), Some(last)) = (first, last) {
        line((x_of(first), y), (x_of(last), y), "", out);
    }
    if let (Some(parent), Some(from)) = (stay.parent, stay.from_step.filter(|step| *step < steps)) {
        line((x_of(from), y_of(parent)), (x_of(from), y), " stroke-dasharray=\"1 3\"", out);
    }
    for step in stay.steps.iter().copied().filter(|step| *step < steps) {
        circle(trace, stay, step, y, out);
    }
    for edge in trace.unknown.iter().filter(|edge| edge.stay == at) {
        let step = edge.step.or(first).filter(|step| *step < steps);
        let Some(step) = step else { continue };
        let (x, to) = match edge.what {
            Unknown::Receiver => (x_of(step), x_of(step) + COLUMN - 6),
            Unknown::Origin | Unknown::Sender => (x_of(step), x_of(step) - COLUMN + 6),
        };
        line((x, y), (to, y + 9), " stroke-dasharray=\"4 3\"", out);
        let _ = writeln!(
            out,
            "<g><title>{}</title><text x=\"{}\" y=\"{}\" fill=\"#a00\">?</text></g>",
            unknown(edge.what),
            to.saturating_sub(3),
            y + 19
        );
    }
}

fn line((x, y): (usize, usize), (to_x, to_y): (usize, usize), more: &str, out: &mut String) {
    let _ = writeln!(
        out,
        "<line x1=\"{x}\" y1=\"{y}\" x2=\"{to_x}\" y2=\"{to_y}\" stroke=\"#555\"{more}/>"
    );
}

fn circle(trace: &Trace, stay: &Stay, step: usize, y: usize, out: &mut String) {
    let Some(shown) = trace.steps.get(step) else { return };
    let (fill, title) = match &shown.event {
        None if shown.is_damaged => ("#fff", format!("damaged here: entry {}", shown.entry)),
        None => ("#fff", format!("body not held here: entry {}", shown.entry)),
        Some(told) => {
            let what = told.biz_step.as_deref().unwrap_or(told.kind);
            let used = if stay.used_up_by.contains(&step) { ", used up" } else { "" };
            let place = told.biz_location.as_ref().or(told.read_point.as_ref());
            let place = place.map_or(String::new(), |place| format!(" at {place}"));
            let error = if told.declared_error { ", declared to be in error" } else { "" };
            let fill = if told.declared_error || told.declares_error { "#ccc" } else { "#07c" };
            (fill, format!("{} {what}{used}{place}{error}, by {}", told.event_at, told.issuer))
        }
    };
    let _ = writeln!(
        out,
        "<circle cx=\"{}\" cy=\"{y}\" r=\"5\" fill=\"{fill}\" stroke=\"#024\"><title>{}</title></circle>",
        x_of(step),
        escaped(&title)
    );
}

/// At most so many characters.
fn clipped(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The text within an element.
fn escaped(text: &str) -> String {
    plain(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
