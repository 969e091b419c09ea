//! `alike_sites(device, site, starts_at, shape, content_id, r_min_ppm, days_min, within_days,
//! past_days)`: meters of different sites whose days have one shape.
//!
//! An aggregate over the days of all meters of one quantity, `shape` being the amounts of the day's 24
//! hours as text. It returns a list of structs, one for each two meters: `device`, `other`, `start`,
//! `end` (instants), `days`, `r_ppm` (smallest), `n` (days that both have), `evidence`,
//! `evidence_count`; at least `days_min` days that lie within `within_days`.
//!
//! Two days are alike if Pearson's r of their hours (in ppm) is over `r_min_ppm`. It counts only where
//! the one day is not as alike to what the other meter shows on most of its other days, at most
//! `past_days` away: two sites on one tariff or one programme look alike on every day, a copy only on
//! its own. Days of one shape for all hours have no correlation. Source: rule M07.

use std::collections::BTreeMap;

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::robust::correlation;

const DEVICE: usize = 0;
const SITE: usize = 1;
const STARTS_AT: usize = 2;
const SHAPE: usize = 3;
const CONTENT_ID: usize = 4;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Hours of a shape.
const HOURS: usize = 24;

/// See the module's words.
pub(super) static ALIKE_SITES: Spec = Spec {
    name: "alike_sites",
    columns: &[Type::Text, Type::Text, Type::Instant, Type::Text, Type::Text],
    order: &[DEVICE, STARTS_AT, CONTENT_ID, SITE, SHAPE],
    settings: &["r_min_ppm", "days_min", "within_days", "past_days"],
    fields: &[
        ("device", Type::Text),
        ("other", Type::Text),
        ("start", Type::Instant),
        ("end", Type::Instant),
        ("days", Type::Integer),
        ("r_ppm", Type::Integer),
        ("n", Type::Integer),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

/// See the module's words.
#[derive(Clone, Copy)]
struct Gate {
    r_min: f64,
    days_min: usize,
    within: i64,
    past: i64,
}

/// A meter's days by number, each with its row and hours.
type Days = BTreeMap<i64, (usize, Vec<f64>)>;

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[r_min_ppm, days_min, within, past] = settings else {
        return exec_err!("alike_sites got no settings");
    };
    let Some(days_min) = usize::try_from(days_min).ok().filter(|days| 0 < *days) else {
        return exec_err!("alike_sites needs days_min over 0, not {days_min}");
    };
    let gate = Gate { r_min: r_min_ppm as f64 / 1e6, days_min, within, past };
    let meters: Vec<Days> =
        rows.groups(&[DEVICE]).into_iter().map(|group| days(rows, group)).collect();
    let mut found = Vec::new();
    for (at, one) in meters.iter().enumerate() {
        let Some(row) = one.values().next().map(|day| day.0) else { continue };
        for other in &meters[at + 1..] {
            let strange = other.values().next().is_some_and(|day| !rows.same(SITE, row, day.0));
            if strange {
                found.extend(alike(rows, one, other, gate));
            }
        }
    }
    Ok(found)
}

fn days(rows: &Rows, group: std::ops::Range<usize>) -> Days {
    let mut days = Days::new();
    for row in group {
        let hours: Vec<f64> =
            rows.text(SHAPE, row).split(' ').filter_map(|hour| hour.parse().ok()).collect();
        if hours.len() == HOURS {
            days.entry(rows.integer(STARTS_AT, row).div_euclid(DAY_MS)).or_insert((row, hours));
        }
    }
    days
}

/// What two meters have alike.
fn alike(rows: &Rows, one: &Days, other: &Days, gate: Gate) -> Option<Vec<Cell>> {
    let mut common = 0;
    let mut days: Vec<(i64, f64)> = Vec::new();
    for (number, (_, hours)) in one {
        let Some((_, beside)) = other.get(number) else { continue };
        common += 1;
        let r = correlation(hours, beside);
        if gate.r_min < r
            && !is_always(hours, other, *number, gate)
            && !is_always(beside, one, *number, gate)
        {
            days.push((*number, r));
        }
    }
    // The first stretch of days that are near enough to one another, and all that follow.
    let near = |from: &usize| {
        let until = days[*from].0.saturating_add(gate.within);
        gate.days_min <= days[*from..].iter().filter(|day| day.0 < until).count()
    };
    let first = (0..days.len()).find(near)?;
    let days = &days[first..];
    let row = |meter: &Days, number: &i64| meter.get(number).map(|day| day.0);
    let of = |meter: &Days| days.iter().filter_map(|(number, _)| row(meter, number)).collect();
    let (own, its): (Vec<usize>, Vec<usize>) = (of(one), of(other));
    let evidence = rows.evidence(CONTENT_ID, own.iter().chain(&its).copied());
    let r = days.iter().map(|day| day.1).fold(f64::INFINITY, f64::min);
    Some(vec![
        Cell::Text(rows.text(DEVICE, own[0]).to_owned()),
        Cell::Text(rows.text(DEVICE, its[0]).to_owned()),
        Cell::Instant(days[0].0 * DAY_MS),
        Cell::Instant((days[days.len() - 1].0 + 1) * DAY_MS),
        Cell::count(days.len()),
        Cell::Integer(libm::round(r * 1e6) as i64),
        Cell::count(common),
        Cell::Evidence(evidence.clone()),
        Cell::count(evidence.len()),
    ])
}

/// True if these hours are as alike to most other days of the meter around.
fn is_always(hours: &[f64], meter: &Days, number: i64, gate: Gate) -> bool {
    let around = meter.range(number.saturating_sub(gate.past)..=number.saturating_add(gate.past));
    let others: Vec<bool> = around
        .filter(|(day, _)| **day != number)
        .map(|(_, (_, beside))| gate.r_min < correlation(hours, beside))
        .collect();
    others.len() < 2 * others.iter().filter(|alike| **alike).count()
}
