//! `reversed_days(series, read_at, interval_s, amount, content_id, offset_s, past_days, r_min_ppm,
//! p_max_ppb)`: days that run backwards.
//!
//! An aggregate over all readings of one device. It returns a list of structs, one for each stretch
//! of such days: `start`, `end` (instants), `days`, `forward_ppm`, `reversed_ppm` (of the first day),
//! `n` (days compared), `p_ppb`, `series`, `evidence`, `evidence_count`.
//!
//! The typical day is the median of each interval over the last `past_days` days that were not found.
//! A day is found if its correlation with the typical day is negative (`forward`), that of the day
//! read backwards is over `r_min_ppm` (`reversed`), and turning the day by any number of intervals
//! makes it no more like the typical day: shifts that work at other hours are turned, not reversed.
//! Correlations are Pearson's r, in ppm. With h of m other days found too, j of them right after another
//! one, p = (h + 1) / (m + 1) ((j + 1) / (h + 2))^(k - 1) for a stretch of k. Source: rule M14; attack h6 of Jokar, Arianpoo and Leung, IEEE Transactions on
//! Smart Grid 7 (2016) 216.

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::days::{COLUMNS, Day, INTERVAL_S, INTERVALS_MIN, ORDER, SERIES};
use super::days::{Others, begin_ms, days, evidence, past, stretches, typical};
use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::robust::correlation;

/// See the module's words.
pub(super) static REVERSED_DAYS: Spec = Spec {
    name: "reversed_days",
    columns: COLUMNS,
    order: ORDER,
    settings: &["offset_s", "past_days", "r_min_ppm", "p_max_ppb"],
    fields: &[
        ("start", Type::Instant),
        ("end", Type::Instant),
        ("days", Type::Integer),
        ("forward_ppm", Type::Integer),
        ("reversed_ppm", Type::Integer),
        ("n", Type::Integer),
        ("p_ppb", Type::Integer),
        ("series", Type::Text),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[offset_s, past_days, r_min_ppm, p_max_ppb] = settings else {
        return exec_err!("reversed_days got no settings");
    };
    let Some(past_days) = usize::try_from(past_days).ok().filter(|days| 1 < *days) else {
        return exec_err!("reversed_days needs past_days over 1, not {past_days}");
    };
    let mut found = Vec::new();
    for series in rows.groups(&[SERIES, INTERVAL_S]) {
        let days = days(rows, series, offset_s, INTERVALS_MIN);
        let Compared { found: reversed, early, tests } =
            reversed(&days, past_days, r_min_ppm as f64 / 1e6);
        let which: Vec<usize> = reversed.iter().map(|one| one.0).collect();
        for stretch in stretches(&days, &which) {
            let length = stretch.end() - stretch.start() + 1;
            let p_ppb = Others::of(&which, &stretch, early, tests).chance_ppb(length);
            let Some(first) = reversed.iter().find(|one| one.0 == *stretch.start()) else {
                continue;
            };
            if p_max_ppb < p_ppb {
                continue;
            }
            let days = &days[stretch];
            let ppm = |share: f64| Cell::Integer(libm::round(share * 1e6) as i64);
            let evidence = evidence(rows, days);
            found.push(vec![
                Cell::Instant(begin_ms(days[0].number, offset_s)),
                Cell::Instant(begin_ms(days[length - 1].number + 1, offset_s)),
                Cell::count(length),
                ppm(first.1),
                ppm(first.2),
                Cell::count(tests),
                Cell::Integer(p_ppb),
                Cell::Text(rows.text(SERIES, days[0].rows[0]).to_owned()),
                Cell::Evidence(evidence.clone()),
                Cell::count(evidence.len()),
            ]);
        }
    }
    Ok(found)
}

/// Reversed days, and what else was compared.
struct Compared {
    /// Each with both correlations.
    found: Vec<(usize, f64, f64)>,
    /// Days of the first past that are found too, though nothing was said of them.
    early: usize,
    tests: usize,
}

fn reversed(days: &[Day], past_days: usize, r_min: f64) -> Compared {
    let mut usual = Vec::new();
    let mut compared = Compared { found: Vec::new(), early: 0, tests: 0 };
    for at in 0..days.len() {
        let Some(past) = past(days, &usual, at, past_days) else {
            usual.push(at);
            continue;
        };
        let typical = typical(&past);
        if compared.tests == 0 {
            compared.tests = past.len();
            let is_one = |day: &&&Day| is_reversed(&day.values, &typical, r_min).is_some();
            compared.early = past.iter().filter(is_one).count();
        }
        compared.tests += 1;
        match is_reversed(&days[at].values, &typical, r_min) {
            Some((forward, reversed)) => compared.found.push((at, forward, reversed)),
            None => usual.push(at),
        }
    }
    compared
}

/// Both correlations of a day that runs backwards.
fn is_reversed(day: &[f64], typical: &[f64], r_min: f64) -> Option<(f64, f64)> {
    let forward = correlation(day, typical);
    let back: Vec<f64> = day.iter().rev().copied().collect();
    let reversed = correlation(&back, typical);
    let holds = forward < 0.0 && r_min < reversed && turned(day, typical) < reversed;
    holds.then_some((forward, reversed))
}

/// The best correlation of the day turned by any number of intervals.
fn turned(day: &[f64], typical: &[f64]) -> f64 {
    let mut day = day.to_vec();
    let mut best = f64::NEG_INFINITY;
    for _ in 1..day.len() {
        day.rotate_left(1);
        best = best.max(correlation(&day, typical));
    }
    best
}
