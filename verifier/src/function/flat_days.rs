//! `flat_days(series, read_at, interval_s, amount, content_id, offset_s, past_days, flat_ppm,
//! level_ppm, p_max_ppb)`: days on which a device varies far less than it did.
//!
//! An aggregate over all readings of one device. It returns a list of structs, one for each stretch
//! of such days: `start`, `end` (instants), `days`, `variation_ppm` (of the least flat day),
//! `usual_ppm`, `n` (days of the past), `p_ppb`, `series`, `evidence`, `evidence_count`.
//!
//! A day's variation is its standard deviation over its mean (without unit, in ppm). A day is flat if
//! its variation is under `flat_ppm` of the median of the last `past_days` days that were not, while
//! its mean is at least `level_ppm` of their median mean: a site at rest is flat too. p is the largest
//! 1 / (1 + z²) of the stretch, z being how far ln variation lies below its past mean in past
//! standard deviations (Cantelli's inequality, which holds for any distribution), times
//! ((j + 1) / (h + 2))^(k - 1) for k days, h other days being flat too and j of them right after
//! another one. Source: rule M13;
//! Cantelli, Atti del Congresso Internazionale dei Matematici 6 (1928) 47.

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::days::{COLUMNS, Day, INTERVAL_S, INTERVALS_MIN, ORDER, SERIES};
use super::days::{Others, begin_ms, days, evidence, past, stretches};
use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::robust::{deviation, mean, median};

/// What varies less is not told apart from rounding.
const VARIATION_MIN: f64 = 1e-4;
/// A past that varies less has nothing to lose.
const USUAL_MIN: f64 = 0.02;

/// See the module's words.
pub(super) static FLAT_DAYS: Spec = Spec {
    name: "flat_days",
    columns: COLUMNS,
    order: ORDER,
    settings: &["offset_s", "past_days", "flat_ppm", "level_ppm", "p_max_ppb"],
    fields: &[
        ("start", Type::Instant),
        ("end", Type::Instant),
        ("days", Type::Integer),
        ("variation_ppm", Type::Integer),
        ("usual_ppm", Type::Integer),
        ("n", Type::Integer),
        ("p_ppb", Type::Integer),
        ("series", Type::Text),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

/// A flat day.
struct Flat {
    day: usize,
    variation: f64,
    usual: f64,
    p: f64,
}

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[offset_s, past_days, flat_ppm, level_ppm, p_max_ppb] = settings else {
        return exec_err!("flat_days got no settings");
    };
    let Some(past_days) = usize::try_from(past_days).ok().filter(|days| 1 < *days) else {
        return exec_err!("flat_days needs past_days over 1, not {past_days}");
    };
    let mut found = Vec::new();
    for series in rows.groups(&[SERIES, INTERVAL_S]) {
        let days = days(rows, series, offset_s, INTERVALS_MIN);
        let flat = flat(&days, past_days, (flat_ppm as f64 / 1e6, level_ppm as f64 / 1e6));
        let which: Vec<usize> = flat.iter().map(|one| one.day).collect();
        for stretch in stretches(&days, &which) {
            let part: Vec<&Flat> = flat.iter().filter(|one| stretch.contains(&one.day)).collect();
            let first = part.iter().map(|one| one.p).fold(0.0, f64::max);
            let others = Others::of(&which, &stretch, 0, days.len());
            let p_ppb = libm::round(1e9 * others.lasting(first, part.len())) as i64;
            if p_max_ppb < p_ppb {
                continue;
            }
            let days = &days[stretch];
            let (first, last) = (&days[0], &days[days.len() - 1]);
            let ppm = |share: f64| Cell::Integer(libm::round(share * 1e6) as i64);
            let evidence = evidence(rows, days);
            found.push(vec![
                Cell::Instant(begin_ms(first.number, offset_s)),
                Cell::Instant(begin_ms(last.number + 1, offset_s)),
                Cell::count(days.len()),
                ppm(part.iter().map(|one| one.variation).fold(0.0, f64::max)),
                ppm(part[0].usual),
                Cell::count(past_days),
                Cell::Integer(p_ppb),
                Cell::Text(rows.text(SERIES, first.rows[0]).to_owned()),
                Cell::Evidence(evidence.clone()),
                Cell::count(evidence.len()),
            ]);
        }
    }
    Ok(found)
}

fn flat(days: &[Day], past_days: usize, (flat_max, level_min): (f64, f64)) -> Vec<Flat> {
    let figures: Vec<(f64, f64)> = days
        .iter()
        .map(|day| {
            let middle = mean(&day.values);
            let variation = if 0.0 < middle { deviation(&day.values) / middle } else { f64::NAN };
            (middle, variation.max(VARIATION_MIN))
        })
        .collect();
    let (mut usual, mut found) = (Vec::new(), Vec::new());
    for (at, (level, variation)) in figures.iter().enumerate() {
        let is_flat = past(days, &usual, at, past_days).and_then(|_| {
            let past = usual[usual.len() - past_days..].iter().map(|day: &usize| figures[*day]);
            let (levels, variations): (Vec<f64>, Vec<f64>) = past.unzip();
            let (usual, its_level) = (median(&mut variations.clone()), median(&mut levels.clone()));
            let logs: Vec<f64> = variations.iter().map(|one| libm::log(*one)).collect();
            let z = (mean(&logs) - libm::log(*variation)) / deviation(&logs).max(0.01);
            let holds = USUAL_MIN <= usual
                && *variation < flat_max * usual
                && level_min * its_level <= *level;
            holds.then_some(Flat { day: at, variation: *variation, usual, p: 1.0 / (1.0 + z * z) })
        });
        match is_flat {
            Some(one) => found.push(one),
            // A day without any use says nothing of how use varies.
            None if 0.0 < *level => usual.push(at),
            None => {}
        }
    }
    found
}
