//! `cut_children(child, read_at, interval_s, amount, parent_amount, content_id, parent_content_id,
//! gain_ppm, days_min, p_max_ppb)`: times in which a child of a parent meter shows less than it did.
//!
//! An aggregate over all readings of all children of one parent, each beside the parent's reading of
//! the same interval. It returns a list of structs, one for each incident: `start`, `end`, `noticed`
//! (end of the day that gave the first sign) (instants), `child`, `days`, `missing_ppm` (of what the child should have shown), `missing` (the amount),
//! `z_milli`, `n` (intervals), `p_ppb`, `evidence`, `evidence_count`. The statistics are described in
//! [`balance`](crate::series::balance).
//!
//! The gains (within `gain_ppm` of 1) and the noise are estimated over at most 63 days that end 30
//! days before the day that is looked at, where there are so many; over at least `days_min`. Each day
//! is looked at alone and with the 6 and the 29 before it, so that a small cut shows in time; p is the
//! chance of one such z among all children and the three lengths. What is found must leave no more
//! unexplained than is usual three times over: clocks that differ do. A child that shows nothing at all
//! silences the whole day. Days of an incident are not learnt from. Intervals in which a child is missing
//! are passed over.

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::balance::{Filter, Usual, usual};

const CHILD: usize = 0;
const READ_AT: usize = 1;
const INTERVAL_S: usize = 2;
const AMOUNT: usize = 3;
const PARENT_AMOUNT: usize = 4;
const CONTENT_ID: usize = 5;
const PARENT_ID: usize = 6;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Days that gains and noise are learnt from.
const LEARNT_DAYS: usize = 63;
/// Days of the longest view, which nothing is learnt from.
const VIEWS: [usize; 3] = [1, 7, 30];
/// Days after which gains are estimated anew.
const LEARN_EVERY: usize = 7;
/// Days without a new sign after which an incident is over.
const QUIET_DAYS: usize = 7;
/// What a cut leaves unexplained is at most so many times what is usual.
const UNEXPLAINED_MAX: f64 = 3.0;

/// See the module's words.
pub(super) static CUT_CHILDREN: Spec = Spec {
    name: "cut_children",
    columns: &[
        Type::Text,
        Type::Instant,
        Type::Integer,
        Type::Integer,
        Type::Integer,
        Type::Text,
        Type::Text,
    ],
    order: &[INTERVAL_S, READ_AT, CHILD, CONTENT_ID, PARENT_ID],
    settings: &["gain_ppm", "days_min", "p_max_ppb"],
    fields: &[
        ("start", Type::Instant),
        ("end", Type::Instant),
        ("noticed", Type::Instant),
        ("child", Type::Text),
        ("days", Type::Integer),
        ("missing_ppm", Type::Integer),
        ("missing", Type::Integer),
        ("z_milli", Type::Integer),
        ("n", Type::Integer),
        ("p_ppb", Type::Integer),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

/// Settings: see the module's words.
#[derive(Clone, Copy)]
struct Settings {
    gain: f64,
    days_min: usize,
    p_max: f64,
}

/// The intervals of one day in which all children were read.
struct Day {
    number: i64,
    parent: Vec<f64>,
    children: Vec<Vec<f64>>,
    rows: Vec<usize>,
}

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[gain_ppm, days_min, p_max_ppb] = settings else {
        return exec_err!("cut_children got no settings");
    };
    let (Ok(days_min), true) = (usize::try_from(days_min), 0 < gain_ppm) else {
        return exec_err!("cut_children needs days_min and gain_ppm over 0");
    };
    let gain = gain_ppm as f64 / 1e6;
    let settings = Settings { gain, days_min: days_min.max(1), p_max: p_max_ppb as f64 / 1e9 };
    let mut found = Vec::new();
    for interval in rows.groups(&[INTERVAL_S]) {
        let mut names: Vec<&str> = interval.clone().map(|row| rows.text(CHILD, row)).collect();
        names.sort_unstable();
        names.dedup();
        let days = days(rows, interval, &names);
        for incident in incidents(&days, names.len(), settings) {
            found.extend(describe(rows, &days, &names, &incident));
        }
    }
    Ok(found)
}

fn days(rows: &Rows, interval: std::ops::Range<usize>, names: &[&str]) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    let mut start = interval.start;
    for row in interval.start + 1..=interval.end {
        if row < interval.end && rows.same(READ_AT, start, row) {
            continue;
        }
        // Of two rows of one child the lower content id counts.
        let mut kept: Vec<usize> = (start..row).collect();
        kept.dedup_by(|later, first| rows.same(CHILD, *later, *first));
        if kept.len() == names.len() {
            let length_ms = rows.integer(INTERVAL_S, start).saturating_mul(1000);
            let begin_ms = rows.integer(READ_AT, start).saturating_sub(length_ms);
            let number = begin_ms.div_euclid(DAY_MS);
            if days.last().is_none_or(|day| day.number != number) {
                let children = vec![Vec::new(); names.len()];
                days.push(Day { number, parent: Vec::new(), children, rows: Vec::new() });
            }
            if let Some(day) = days.last_mut() {
                day.parent.push(rows.integer(PARENT_AMOUNT, start) as f64);
                for (child, row) in kept.iter().enumerate() {
                    day.children[child].push(rows.integer(AMOUNT, *row) as f64);
                }
                day.rows.extend(kept);
            }
        }
        start = row;
    }
    days
}

struct Incident {
    /// Indices of its days.
    first: usize,
    noticed: usize,
    last: usize,
    usual: Usual,
}

/// A child that shows less, over the last so many days.
struct Sign {
    p: f64,
    view: usize,
}

fn incidents(days: &[Day], children: usize, settings: Settings) -> Vec<Incident> {
    let mut incidents: Vec<Incident> = Vec::new();
    let mut honest: Vec<usize> = Vec::new();
    let mut open: Option<Incident> = None;
    let mut learnt: Option<(usize, Usual)> = None;
    for at in 0..days.len() {
        if open.is_none()
            && learnt
                .as_ref()
                .is_none_or(|(since, _)| LEARN_EVERY <= honest.len().saturating_sub(*since))
            && let Some(usual) = learn(days, &honest, children, settings)
        {
            learnt = Some((honest.len(), usual));
        }
        let sign = learnt.as_ref().and_then(|(_, usual)| sign(days, at, usual, settings));
        match (&mut open, sign, &learnt) {
            (Some(incident), Some(_), _) => incident.last = at,
            (None, Some(sign), Some((_, usual))) => {
                let first = at + 1 - sign.view;
                honest.retain(|day| *day < first);
                open = Some(Incident { first, noticed: at, last: at, usual: usual.clone() });
            }
            _ => {}
        }
        if open.is_none() {
            honest.push(at);
        }
        open = match open {
            Some(incident) if QUIET_DAYS <= at - incident.last => {
                honest.extend(incident.last + 1..=at);
                incidents.push(incident);
                None
            }
            other => other,
        };
    }
    incidents.extend(open);
    incidents
}

/// What is usual, from the honest days before those that the longest view looks at.
fn learn(days: &[Day], honest: &[usize], children: usize, settings: Settings) -> Option<Usual> {
    let enough = honest.len().checked_sub(settings.days_min)?;
    let until = honest.len() - enough.min(VIEWS[VIEWS.len() - 1]);
    let from = until.saturating_sub(LEARNT_DAYS);
    let mut parent = Vec::new();
    let mut each = vec![Vec::new(); children];
    for day in honest[from..until].iter().map(|day| &days[*day]) {
        parent.extend_from_slice(&day.parent);
        for (all, more) in each.iter_mut().zip(&day.children) {
            all.extend_from_slice(more);
        }
    }
    usual(&parent, &each, settings.gain)
}

/// The least likely of the views that end with this day, if it is unlikely enough.
fn sign(days: &[Day], at: usize, usual: &Usual, settings: Settings) -> Option<Sign> {
    let mut filter: Option<Filter> = None;
    let mut best: Option<Sign> = None;
    for back in 0..VIEWS[VIEWS.len() - 1].min(at + 1) {
        let day = &days[at - back];
        let one = usual.filter(&day.parent, &day.children);
        let sum = match filter.take() {
            Some(filter) => filter.and(&one),
            None => one,
        };
        let view = back + 1;
        if VIEWS.contains(&view)
            && !sum.is_dark()
            && let Some((child, z)) = most(&sum.z())
        {
            let tests = (VIEWS.len() * day.children.len()) as f64;
            let p = tests * 0.5 * libm::erfc(z / core::f64::consts::SQRT_2);
            let explained = sum.unexplained(child) <= UNEXPLAINED_MAX;
            if explained && p < settings.p_max && best.as_ref().is_none_or(|best| p < best.p) {
                best = Some(Sign { p, view });
            }
        }
        filter = Some(sum);
    }
    best
}

fn most(z: &[f64]) -> Option<(usize, f64)> {
    z.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))
}

/// The child that explains an incident, and its z. Where one steady cut of it leaves too much
/// unexplained, each day has a cut of its own: then the days' own z decide, and the largest is told.
fn suspect(days: &[Filter]) -> Option<(usize, f64)> {
    let sum = days.iter().cloned().reduce(|sum, one| sum.and(&one))?;
    let (child, z) = most(&sum.z())?;
    if sum.unexplained(child) <= UNEXPLAINED_MAX {
        return Some((child, z));
    }
    let mut squares = vec![0.0; sum.z().len()];
    for day in days {
        for (square, z) in squares.iter_mut().zip(day.z()) {
            *square += z.max(0.0) * z.max(0.0);
        }
    }
    let (child, _) = most(&squares)?;
    days.iter().map(|day| day.z()[child]).max_by(f64::total_cmp).map(|z| (child, z))
}

fn describe(rows: &Rows, days: &[Day], names: &[&str], incident: &Incident) -> Option<Vec<Cell>> {
    let noticed = days[incident.noticed].number + 1;
    let days = &days[incident.first..=incident.last];
    let filters: Vec<Filter> =
        days.iter().map(|day| incident.usual.filter(&day.parent, &day.children)).collect();
    let (child, z) = suspect(&filters)?;
    let gain = incident.usual.gains[child];
    let shown = |day: &Day| day.children[child].iter().sum::<f64>();
    // The filter's part is of what the child shows; what it should have shown is more.
    let lacking =
        days.iter().zip(&filters).map(|(day, filter)| shown(day) * filter.missing()[child] / gain);
    let (missing, total) = (lacking.sum::<f64>(), days.iter().map(shown).sum::<f64>());
    let more = if total == 0.0 { 0.0 } else { missing / total };
    let missing = libm::round(missing) as i64;
    let part = more / (1.0 + more);
    let of_child = days.iter().flat_map(|day| &day.rows).copied();
    let of_child: Vec<usize> =
        of_child.filter(|row| rows.text(CHILD, *row) == names[child]).collect();
    let mut evidence = rows.evidence(CONTENT_ID, of_child.iter().copied());
    evidence.extend(rows.evidence(PARENT_ID, of_child.iter().copied()));
    let integer = |number: usize| Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let count = integer(evidence.len());
    let tests = (VIEWS.len() * names.len()) as f64;
    let p = (tests * 0.5 * libm::erfc(z / core::f64::consts::SQRT_2)).min(1.0);
    Some(vec![
        Cell::Instant(days[0].number * DAY_MS),
        Cell::Instant((days[days.len() - 1].number + 1) * DAY_MS),
        Cell::Instant(noticed * DAY_MS),
        Cell::Text(names[child].to_owned()),
        integer(days.len()),
        Cell::Integer(libm::round(part * 1e6) as i64),
        Cell::Integer(missing),
        Cell::Integer(libm::round(z * 1000.0) as i64),
        integer(of_child.len()),
        Cell::Integer(libm::round(p * 1e9) as i64),
        Cell::Evidence(evidence),
        count,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days of two children and their parent; from day `cut` on the first child shows `to` of it.
    fn days(count: usize, cut: usize, to: f64) -> Vec<Day> {
        let mut state = 11_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as f64 / (1_u64 << 31) as f64
        };
        let day = |number: usize| {
            let uses: [Vec<f64>; 2] =
                std::array::from_fn(|_| (0..12).map(|_| 100.0 + 900.0 * next()).collect());
            let noisy = |a: f64, b: f64, noise: f64| (a + b) * (0.998 + 0.004 * noise);
            let parent = uses[0].iter().zip(&uses[1]).map(|(a, b)| noisy(*a, *b, next())).collect();
            let part = if cut <= number { to } else { 1.0 };
            let children = vec![uses[0].iter().map(|used| used * part).collect(), uses[1].clone()];
            Day { number: number as i64, parent, children, rows: Vec::new() }
        };
        (0..count).map(day).collect()
    }

    #[test]
    fn a_child_that_is_cut_otherwise_each_day_is_the_one_that_is_named() {
        let mut days = days(60, 999, 1.0);
        let shares = [0.2, 0.75, 0.4, 0.12, 0.6, 0.3, 0.8];
        for child in 0..2 {
            let mut forged: Vec<Filter> = Vec::new();
            let all = |meter: fn(&Day) -> &Vec<f64>| -> Vec<f64> {
                days[..40].iter().flat_map(meter).copied().collect()
            };
            let (parent, first, second) =
                (all(|day| &day.parent), all(|day| &day.children[0]), all(|day| &day.children[1]));
            let usual = usual(&parent, &[first, second], 0.005).expect("usual");
            for (day, share) in days[40..47].iter_mut().zip(shares) {
                let whole = day.children[child].clone();
                day.children[child].iter_mut().for_each(|amount| *amount *= share);
                forged.push(usual.filter(&day.parent, &day.children));
                day.children[child] = whole;
            }
            assert_eq!(suspect(&forged).map(|(named, _)| named), Some(child));
        }
    }

    #[test]
    fn a_cut_begins_where_it_is_found_to_begin_wherever_that_is() {
        let settings = Settings { gain: 0.005, days_min: 28, p_max: 1e-3 };
        for cut in [30, 33, 45, 60, 90] {
            for to in [0.998, 0.995, 0.99, 0.98, 0.9, 0.1] {
                let days = days(120, cut, to);
                let found = incidents(&days, 2, settings);
                for one in &found {
                    assert!(one.first <= one.noticed && one.noticed <= one.last, "{cut} {to}");
                }
                let in_time = found.iter().any(|one| cut <= one.last && one.first <= cut + 7);
                assert!(in_time || 0.98 < to, "{cut} {to}: {}", found.len());
            }
        }
        assert!(incidents(&days(120, 999, 1.0), 2, settings).is_empty());
        // Where one shows nothing at all, the other is not accused.
        assert!(incidents(&days(120, 60, 0.0), 2, settings).is_empty());
    }
}
