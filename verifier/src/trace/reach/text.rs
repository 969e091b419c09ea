//! What a recall reaches, for people.

use std::fmt::Write as _;

use super::super::counted;
use super::{Holder, Reach, Reached, Stock, Unresolved, Whereabouts, Why};

/// Most lines of one list.
const LINES_MAX: usize = 50;

/// Writes holders, stocks and what leads nowhere; the last line is the verdict.
pub(super) fn write(reach: &Reach) -> String {
    let mut out = String::new();
    for goods in &reach.goods {
        line(&mut out, 0, goods.as_str());
    }
    list(&mut out, "holders", &reach.holders, holder);
    list(&mut out, "amounts that are not told item by item", &reach.stocks, stock);
    list(&mut out, "unresolved", &reach.unresolved, unresolved);
    if reach.items.len() <= LINES_MAX {
        list(&mut out, "items", &reach.items, item);
    }
    let made = reach.covers.iter().filter(|goods| !reach.goods.contains(goods));
    let made: Vec<&str> = made.map(|goods| goods.as_str()).collect();
    list(&mut out, "made of it, packed in it", &made, |goods| (*goods).to_owned());
    for log in &reach.logs {
        if 0 < log.bodies_missing {
            let missing = counted(log.bodies_missing, ["body", "bodies"]);
            line(
                &mut out,
                0,
                &format!("log {}: {missing} not held: items may be missing", log.origin),
            );
        }
    }
    let _ = writeln!(out, "reached: {}", verdict(reach));
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    let _ = writeln!(out, "{:width$}{}", "", super::super::text::plain(text), width = 2 * depth);
}

fn list<T>(out: &mut String, title: &str, all: &[T], tell: impl Fn(&T) -> String) {
    if all.is_empty() {
        return;
    }
    line(out, 0, title);
    for one in all.iter().take(LINES_MAX) {
        line(out, 1, &tell(one));
    }
    if LINES_MAX < all.len() {
        line(out, 1, &format!("and {} more (--format json)", all.len() - LINES_MAX));
    }
}

fn holder(one: &Holder) -> String {
    let counts = [
        (one.held, "held"),
        (one.expected, "on the way to it"),
        (one.sold, "sold"),
        (one.ended, "destroyed"),
    ];
    let counts = counts.iter().filter(|(count, _)| 0 < *count);
    let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    let answer = match one.answered_at {
        Some(at) => format!("; answered for {}, last on {at}", one.answered),
        None => String::new(),
    };
    let places: Vec<&str> = one.places.iter().map(String::as_str).collect();
    let at = if places.is_empty() { String::new() } else { format!(" at {}", places.join(", ")) };
    format!("{}: {}{at}{answer}", one.holder, counts.join(", "))
}

fn stock(one: &Stock) -> String {
    let amount = match (&one.amount, &one.uom) {
        (Some(amount), Some(uom)) => format!("{amount} {uom}"),
        (Some(amount), None) => amount.clone(),
        (None, _) => "an amount that is not told".to_owned(),
    };
    let place = one.place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
    format!("{} of {} with {}{place}", amount, one.goods, one.holder)
}

fn unresolved(one: &Unresolved) -> String {
    let from = one.from.as_ref().map(|from| format!(" by {from}")).unwrap_or_default();
    let to = one.to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
    let at = one.at.as_ref().map(|at| format!(" on {at}")).unwrap_or_default();
    let event = one.event.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
    match one.why {
        Why::InTransit => format!(
            "{} sent{from}{to}{at}, and nobody recorded that they came{event}",
            counted(one.items, ["item", "items"])
        ),
        Why::NotReceived => format!(
            "{} of {} sent, and nobody recorded to have received it",
            one.amount.as_deref().unwrap_or("an amount"),
            one.goods
        ),
        Why::UnknownAmount => {
            format!("{} was sent or received in an amount that is not told", one.goods)
        }
        Why::WholeClass => {
            format!("{} was made of it{from}{at}: which items, no record tells{event}", one.goods)
        }
    }
}

fn item(one: &Reached) -> String {
    let state = match one.state {
        Whereabouts::Held => "held by",
        Whereabouts::InTransit => "on the way to",
        Whereabouts::Sold => "sold by",
        Whereabouts::Ended => "destroyed by",
        Whereabouts::UsedUp => "used up by",
        Whereabouts::Unseen => return format!("{}: no event names it", one.goods),
    };
    let holder = one.holder.as_deref().unwrap_or("nobody knows whom");
    let at = one.at.as_ref().map(|at| format!(", {at}")).unwrap_or_default();
    let answered = one.answered_at.map(|at| format!(", answered for on {at}")).unwrap_or_default();
    format!("{}: {state} {holder}{at}{answered}", one.goods)
}

/// One sentence: how many, how sure, what is open, what was left out.
pub(super) fn verdict(reach: &Reach) -> String {
    let totals = reach.totals;
    let mut told = counted(totals.items, ["item", "items"]);
    if 0 < totals.lots {
        told.push_str(&format!(
            " and {}",
            counted(totals.lots, ["lot or class", "lots or classes"])
        ));
    }
    told.push_str(&format!(" with {}", counted(reach.holders.len() as u64, ["holder", "holders"])));
    if 0 < totals.items {
        let (whole, rest) = (totals.confirmed_ppm / 10_000, totals.confirmed_ppm % 10_000 / 1_000);
        told.push_str(&format!("; {whole}.{rest} % confirmed"));
    }
    if reach.since.is_some() {
        told.push_str(&format!("; {} answered for", totals.answered));
    }
    if !reach.unresolved.is_empty() {
        let open = counted(reach.unresolved.len() as u64, ["edge leads", "edges lead"]);
        told.push_str(&format!("; {open} nowhere"));
    }
    let cut = reach.cut;
    for (count, what) in [
        (cut.goods_left_out, "goods not looked up"),
        (cut.events_left_out, "events left out"),
        (cut.bodies_missing, "bodies not held or damaged"),
    ] {
        if 0 < count {
            told.push_str(&format!("; {count} {what}"));
        }
    }
    if cut.events_unread {
        told.push_str("; there are more events, which were not read");
    }
    told
}
