//! `clipped_weeks(series, read_at, interval_s, amount, content_id, offset_s, past_days, samples_min,
//! near_ppm, share_ppm, p_max_ppb)`: weeks in which a device's highest readings stop at one value.
//!
//! An aggregate over all readings of one device. It returns a list of structs, one for each stretch
//! of such weeks: `start`, `end` (instants), `limit` (the value), `samples` (readings at it),
//! `tail_ppm` and `usual_tail_ppm` (shape of the upper tail now and in the past; 0 where too few
//! readings lie there), `n` (days of the past), `p_ppb`, `series`, `evidence`, `evidence_count`.
//!
//! Seven days that follow one another are clipped at their largest value c if `samples_min` readings
//! equal c or more than `share_ppm` of them lie within `near_ppm` of it; if no week of the last
//! `past_days` days was piled up like that; if the tail is shorter than the past's (shape ξ of the
//! generalised Pareto distribution over the past's 70 % quantile, [`tail`](crate::series::tail)); and
//! if p, the chance that none of seven days passes c, is small: with h of the past days passing it,
//! p = ((m - h + 1) / (m + 1))^7. A contract or an inverter that always held c lets no past day pass.
//! Source: rule M10; Hosking and Wallis, Technometrics 29 (1987) 339.

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::days::{COLUMNS, Day, INTERVAL_S, INTERVALS_MIN, ORDER, SERIES};
use super::days::{begin_ms, days, evidence, past};
use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::robust::quantile_of_sorted;
use crate::series::tail::pareto;

/// Days that are looked at together.
const WEEK: usize = 7;
/// Where the tail begins: seven days of hours then have the fifty excesses that a fit needs.
const TAIL_FROM: f64 = 0.7;

/// See the module's words.
pub(super) static CLIPPED_WEEKS: Spec = Spec {
    name: "clipped_weeks",
    columns: COLUMNS,
    order: ORDER,
    settings: &["offset_s", "past_days", "samples_min", "near_ppm", "share_ppm", "p_max_ppb"],
    fields: &[
        ("start", Type::Instant),
        ("end", Type::Instant),
        ("limit", Type::Integer),
        ("samples", Type::Integer),
        ("tail_ppm", Type::Integer),
        ("usual_tail_ppm", Type::Integer),
        ("n", Type::Integer),
        ("p_ppb", Type::Integer),
        ("series", Type::Text),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

/// When readings pile up.
#[derive(Clone, Copy)]
struct Gate {
    past_days: usize,
    samples_min: usize,
    near: f64,
    share: f64,
    p_max_ppb: i64,
}

/// A clipped week, or several that overlap.
struct Clipped {
    days: std::ops::Range<usize>,
    limit: f64,
    tail: Option<f64>,
    usual_tail: Option<f64>,
    p_ppb: i64,
}

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[offset_s, past_days, samples_min, near_ppm, share_ppm, p_max_ppb] = settings else {
        return exec_err!("clipped_weeks got no settings");
    };
    let (Ok(past_days), Ok(samples_min)) =
        (usize::try_from(past_days), usize::try_from(samples_min))
    else {
        return exec_err!("clipped_weeks needs days and samples over 0");
    };
    let (near, share) = (near_ppm as f64 / 1e6, share_ppm as f64 / 1e6);
    let gate = Gate { past_days: past_days.max(WEEK), samples_min, near, share, p_max_ppb };
    let mut found = Vec::new();
    for series in rows.groups(&[SERIES, INTERVAL_S]) {
        let days = days(rows, series, offset_s, INTERVALS_MIN);
        for one in clipped(&days, gate) {
            let part = &days[one.days.clone()];
            let values = part.iter().flat_map(|day| &day.values);
            let ppm = |shape: Option<f64>| {
                Cell::Integer(shape.map_or(0, |shape| libm::round(shape * 1e6) as i64))
            };
            let evidence = evidence(rows, part);
            found.push(vec![
                Cell::Instant(begin_ms(part[0].number, offset_s)),
                Cell::Instant(begin_ms(part[part.len() - 1].number + 1, offset_s)),
                Cell::Integer(libm::round(one.limit) as i64),
                Cell::count(values.filter(|value| **value == one.limit).count()),
                ppm(one.tail),
                ppm(one.usual_tail),
                Cell::count(gate.past_days),
                Cell::Integer(one.p_ppb),
                Cell::Text(rows.text(SERIES, part[0].rows[0]).to_owned()),
                Cell::Evidence(evidence.clone()),
                Cell::count(evidence.len()),
            ]);
        }
    }
    Ok(found)
}

fn clipped(days: &[Day], gate: Gate) -> Vec<Clipped> {
    let is_week = |at: usize| {
        at + WEEK <= days.len() && days[at + WEEK - 1].number - days[at].number == WEEK as i64 - 1
    };
    let piled: Vec<Option<f64>> = (0..days.len())
        .map(|at| is_week(at).then(|| limit(&days[at..at + WEEK], gate)).flatten())
        .collect();
    let mut usual: Vec<usize> = Vec::new();
    let mut found: Vec<Clipped> = Vec::new();
    let mut unlearnt = 0..0;
    for at in 0..days.len() {
        let week = piled[at].and_then(|limit| {
            let past = past(days, &usual, at, gate.past_days)?;
            let piles = usual[usual.len() - gate.past_days..]
                .iter()
                .any(|day| day + WEEK <= at && piled[*day].is_some());
            let one = clip(&past, &days[at..at + WEEK], limit)?;
            (!piles && one.3 <= gate.p_max_ppb).then_some(one)
        });
        if let Some((limit, tail, usual_tail, p_ppb)) = week {
            unlearnt = at..at + WEEK;
            match found.last_mut() {
                Some(last) if at <= last.days.end && last.limit == limit => {
                    last.days.end = at + WEEK;
                    last.p_ppb = last.p_ppb.min(p_ppb);
                }
                _ => found.push(Clipped { days: at..at + WEEK, limit, tail, usual_tail, p_ppb }),
            }
        }
        if !unlearnt.contains(&at) {
            usual.push(at);
        }
    }
    found
}

/// The value that a week's readings pile up at, if they do.
fn limit(week: &[Day], gate: Gate) -> Option<f64> {
    let values = || week.iter().flat_map(|day| &day.values);
    let most = values().fold(0.0_f64, |most, value| most.max(*value));
    let equal = values().filter(|value| **value == most).count();
    let near = values().filter(|value| most * (1.0 - gate.near) <= **value).count();
    let count = values().count() as f64;
    let piles = gate.samples_min <= equal || (1 < equal && gate.share * count < near as f64);
    (0.0 < most && piles).then_some(most)
}

/// Limit, tail, usual tail and p of a week against its past; None where its tail is no shorter.
fn clip(past: &[&Day], week: &[Day], limit: f64) -> Option<(f64, Option<f64>, Option<f64>, i64)> {
    let passes = past.iter().filter(|day| day.values.iter().any(|value| limit < *value)).count();
    let mut before: Vec<f64> = past.iter().flat_map(|day| day.values.clone()).collect();
    before.sort_unstable_by(f64::total_cmp);
    let threshold = quantile_of_sorted(&before, TAIL_FROM);
    let now: Vec<f64> = week.iter().flat_map(|day| day.values.clone()).collect();
    let shape = |values: &[f64]| pareto(values, threshold).map(|(shape, _)| shape);
    let (tail, usual_tail) = (shape(&now), shape(&before));
    let is_shorter = match (tail, usual_tail) {
        (Some(now), Some(before)) => now < before,
        _ => true,
    };
    let stays = (past.len() - passes + 1) as f64 / (past.len() + 1) as f64;
    let p_ppb = libm::round(1e9 * libm::pow(stays, WEEK as f64)) as i64;
    is_shorter.then_some((limit, tail, usual_tail, p_ppb))
}
