//! `level_steps(series, read_at, interval_s, amount, content_id, beside, offset_s, days_min,
//! step_min_ppm, p_max_ppb)`: days on which what a device shows of a second meter's amount steps.
//!
//! An aggregate over all readings of one device, each beside what another meter shows of the same
//! interval. It returns a list of structs, one for each step: `start` (of the first day of the new
//! level), `end` (of its last day), `noticed` (instants), `days`, `step_ppm` (of the old level, signed),
//! `z_milli`, `n` (days of both levels), `p_ppb`, `series`, `evidence`, `evidence_count`.
//!
//! Of each day the logarithm of the quotient of both sums is taken. Where levels begin is what
//! Bayesian online change points say ([`change`](crate::series::change); prior: one change a year,
//! mean and spread of the whole series). A step counts if both levels last `days_min` days, if a
//! two-sided CUSUM over the old level's spread notices it too ([`level`](crate::series::level); slack
//! one half, limit eight), if the medians differ by `step_min_ppm`, and if p is small: Welch's t of
//! the two levels, with n reduced to n (1 - r) / (1 + r) for the correlation r of neighbouring days,
//! times the number of days. Source: rule M12; Welch, Biometrika 34 (1947) 28.

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::days::{AMOUNT, CONTENT_ID, Day, INTERVAL_S, READ_AT, SERIES, begin_ms, days};
use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::change::{Prior, changes};
use crate::series::level::{Chart, cusum};
use crate::series::robust::{correlation, deviation, location, mean, median};
use crate::series::special::student_two_tails;

const BESIDE: usize = 5;
/// Chance of a change on a day: about one a year.
const HAZARD: f64 = 1.0 / 365.0;
/// Half of a step of one spread, and a false alarm in some ten thousand days: Montgomery, 9.1.
const CHART: Chart = Chart { slack: 0.5, limit: 8.0 };
/// A spread that is smaller is rounding.
const SPREAD_MIN: f64 = 1e-4;

/// See the module's words.
pub(super) static LEVEL_STEPS: Spec = Spec {
    name: "level_steps",
    columns: &[Type::Text, Type::Instant, Type::Integer, Type::Integer, Type::Text, Type::Integer],
    order: &[SERIES, INTERVAL_S, READ_AT, CONTENT_ID, BESIDE],
    settings: &["offset_s", "days_min", "step_min_ppm", "p_max_ppb"],
    fields: &[
        ("start", Type::Instant),
        ("end", Type::Instant),
        ("noticed", Type::Instant),
        ("days", Type::Integer),
        ("step_ppm", Type::Integer),
        ("z_milli", Type::Integer),
        ("n", Type::Integer),
        ("p_ppb", Type::Integer),
        ("series", Type::Text),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

/// A step between two levels, as places in the series of quotients.
struct Step {
    before: std::ops::Range<usize>,
    after: std::ops::Range<usize>,
    noticed: usize,
    by: f64,
    t: f64,
    p: f64,
}

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[offset_s, days_min, step_min_ppm, p_max_ppb] = settings else {
        return exec_err!("level_steps got no settings");
    };
    let Some(days_min) = usize::try_from(days_min).ok().filter(|days| 2 < *days) else {
        return exec_err!("level_steps needs days_min over 2, not {days_min}");
    };
    let mut found = Vec::new();
    for series in rows.groups(&[SERIES, INTERVAL_S]) {
        let days = days(rows, series, offset_s, 1);
        let quotients: Vec<(&Day, f64)> =
            days.iter().filter_map(|day| quotient(rows, day)).collect();
        let logs: Vec<f64> = quotients.iter().map(|one| one.1).collect();
        for step in steps(&logs, days_min) {
            let (by, p_ppb) = (libm::round(step.by * 1e6) as i64, libm::round(step.p * 1e9) as i64);
            if by.abs() < step_min_ppm || p_max_ppb < p_ppb {
                continue;
            }
            let end = |at: usize| begin_ms(quotients[at].0.number + 1, offset_s);
            let first = quotients[step.after.start].0;
            let ids = quotients[step.after.clone()].iter().flat_map(|one| &one.0.rows);
            let evidence = rows.evidence(CONTENT_ID, ids.copied());
            found.push(vec![
                Cell::Instant(begin_ms(first.number, offset_s)),
                Cell::Instant(end(step.after.end - 1)),
                Cell::Instant(end(step.noticed)),
                Cell::count(step.after.len()),
                Cell::Integer(by),
                Cell::Integer(libm::round(step.t * 1000.0) as i64),
                Cell::count(step.before.len() + step.after.len()),
                Cell::Integer(p_ppb),
                Cell::Text(rows.text(SERIES, first.rows[0]).to_owned()),
                Cell::Evidence(evidence.clone()),
                Cell::count(evidence.len()),
            ]);
        }
    }
    Ok(found)
}

/// ln of a day's sum over the second meter's; None where one of them is nothing.
fn quotient<'a>(rows: &Rows, day: &'a Day) -> Option<(&'a Day, f64)> {
    let sum = |column: usize| day.rows.iter().map(|row| rows.integer(column, *row) as f64).sum();
    let (own, beside): (f64, f64) = (sum(AMOUNT), sum(BESIDE));
    (0.0 < own && 0.0 < beside).then(|| (day, libm::log(own / beside)))
}

fn steps(logs: &[f64], days_min: usize) -> Vec<Step> {
    if logs.len() < 2 * days_min {
        return Vec::new();
    }
    let (middle, spread) = location(logs);
    let spread = spread.max(SPREAD_MIN);
    let prior =
        Prior { mean: middle, weight: 0.1, shape: 1.0, rate: spread * spread, hazard: HAZARD };
    // Levels that do not last belong to the one before.
    let mut begins = vec![0];
    for change in changes(logs, prior) {
        let last = begins[begins.len() - 1];
        if days_min <= change - last && days_min <= logs.len() - change {
            begins.push(change);
        }
    }
    begins.push(logs.len());
    let levels: Vec<std::ops::Range<usize>> = begins.windows(2).map(|two| two[0]..two[1]).collect();
    levels.windows(2).filter_map(|two| step(logs, two[0].clone(), two[1].clone())).collect()
}

fn step(
    logs: &[f64],
    before: std::ops::Range<usize>,
    after: std::ops::Range<usize>,
) -> Option<Step> {
    let (old, new) = (&logs[before.clone()], &logs[after.clone()]);
    let (middle, spread) = location(old);
    let spread = spread.max(SPREAD_MIN);
    let standardised: Vec<f64> = new.iter().map(|log| (log - middle) / spread).collect();
    let is_up = 0.0 < mean(new) - mean(old);
    let alarm = cusum(&standardised, CHART).into_iter().find(|alarm| alarm.up == is_up)?;
    // Neighbouring days are alike, so they are worth less than as many strange ones.
    let worth = |values: &[f64]| {
        let r = correlation(&values[1..], &values[..values.len() - 1]);
        let r = if r.is_nan() { 0.0 } else { r.clamp(0.0, 0.9) };
        (values.len() as f64 * (1.0 - r) / (1.0 + r)).max(2.0)
    };
    let part = |values: &[f64]| {
        let n = worth(values);
        let sd = deviation(values).max(SPREAD_MIN);
        (sd * sd / n, n)
    };
    let ((a, n), (b, m)) = (part(old), part(new));
    let t = (mean(new) - mean(old)) / libm::sqrt(a + b);
    let freedom = (a + b) * (a + b) / (a * a / (n - 1.0) + b * b / (m - 1.0));
    let p = (student_two_tails(t, freedom) * logs.len() as f64).min(1.0);
    let by = libm::exp(median(&mut new.to_vec()) - median(&mut old.to_vec())) - 1.0;
    let noticed = after.start + alarm.noticed;
    Some(Step { before, after, noticed, by, t, p })
}
