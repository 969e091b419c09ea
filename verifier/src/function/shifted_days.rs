//! `shifted_days(series, read_at, interval_s, amount, content_id, offset_s, past_days, lag_s_max,
//! r_min_ppm, gain_min_ppm, days_min, p_max_ppb)`: days on which a device's clock is off, by its own
//! past; and `lagging_days(series, read_at, interval_s, amount, content_id, beside, offset_s, …)`,
//! the same by a second meter that shows `beside` at the same instants.
//!
//! Aggregates over all readings of one device. They return a list of structs, one for each stretch of
//! days that are off to one side: `start`, `end` (instants), `days`, `lag_s` (median; positive where
//! the device is late), `r_ppm`, `r_still_ppm` (of the first day, at the lag and without), `n` (days
//! compared), `p_ppb`, `series`, `evidence`, `evidence_count`.
//!
//! The lag of a day is the shift, up to `lag_s_max` either way, at which Pearson's r between it and
//! what it is held against is largest: the second meter's day, or the typical day (the median of each
//! interval over the last `past_days` days that were not off). A day is off if r is then at least
//! `r_min_ppm` and `gain_min_ppm` above r without a shift. With h of m other days off too, j of them right after another
//! one, a stretch of k days has p = (h + 1) / (m + 1) ((j + 1) / (h + 2))^(k - 1); it needs `days_min` days. Source: rule M11; Box, Jenkins and Reinsel, Time
//! Series Analysis, 12.1 (cross-correlation).

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::days::{COLUMNS, Day, INTERVAL_S, INTERVALS_MIN, ORDER, SERIES};
use super::days::{Others, begin_ms, days, evidence, past, stretches, typical};
use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::lag::best_lag;
use crate::series::robust::{correlation, median};

/// Column of the second meter.
const BESIDE: usize = 5;
const SETTINGS: &[&str] =
    &["offset_s", "past_days", "lag_s_max", "r_min_ppm", "gain_min_ppm", "days_min", "p_max_ppb"];
const FIELDS: &[(&str, Type)] = &[
    ("start", Type::Instant),
    ("end", Type::Instant),
    ("days", Type::Integer),
    ("lag_s", Type::Integer),
    ("r_ppm", Type::Integer),
    ("r_still_ppm", Type::Integer),
    ("n", Type::Integer),
    ("p_ppb", Type::Integer),
    ("series", Type::Text),
    ("evidence", Type::Evidence),
    ("evidence_count", Type::Integer),
];

/// See the module's words.
pub(super) static SHIFTED_DAYS: Spec = Spec {
    name: "shifted_days",
    columns: COLUMNS,
    order: ORDER,
    settings: SETTINGS,
    fields: FIELDS,
    answer: |rows, settings| answer(rows, settings, false),
};

/// See the module's words.
pub(super) static LAGGING_DAYS: Spec = Spec {
    name: "lagging_days",
    columns: &[Type::Text, Type::Instant, Type::Integer, Type::Integer, Type::Text, Type::Integer],
    order: &[SERIES, INTERVAL_S, super::days::READ_AT, super::days::CONTENT_ID, BESIDE],
    settings: SETTINGS,
    fields: FIELDS,
    answer: |rows, settings| answer(rows, settings, true),
};

/// See the module's words.
#[derive(Clone, Copy)]
struct Gate {
    offset_s: i64,
    past_days: usize,
    lag_s_max: i64,
    r_min: f64,
    gain_min: f64,
    days_min: usize,
    p_max_ppb: i64,
}

/// A day that is off.
struct Off {
    day: usize,
    lag_s: i64,
    r: f64,
    still: f64,
}

fn answer(rows: &Rows, settings: &[i64], is_beside: bool) -> Result<Structs> {
    let &[offset_s, past_days, lag_s_max, r_min, gain_min, days_min, p_max_ppb] = settings else {
        return exec_err!("shifted_days got no settings");
    };
    let (Ok(past_days), Ok(days_min)) = (usize::try_from(past_days), usize::try_from(days_min))
    else {
        return exec_err!("shifted_days needs days of 0 and more");
    };
    let (r_min, gain_min) = (r_min as f64 / 1e6, gain_min as f64 / 1e6);
    let gate = Gate {
        offset_s,
        past_days: past_days.max(1),
        lag_s_max,
        r_min,
        gain_min,
        days_min: days_min.max(1),
        p_max_ppb,
    };
    let mut found = Vec::new();
    for series in rows.groups(&[SERIES, INTERVAL_S]) {
        let interval_s = rows.integer(INTERVAL_S, series.start);
        let days = days(rows, series, offset_s, INTERVALS_MIN);
        let beside = |day: &Day| -> Option<Vec<f64>> {
            let second = |row: &usize| rows.integer(BESIDE, *row) as f64;
            is_beside.then(|| day.rows.iter().map(second).collect())
        };
        let Compared { found: off, early, tests } = off(&days, interval_s, gate, &beside);
        let all: Vec<usize> = off.iter().map(|one| one.day).collect();
        for up in [true, false] {
            let side: Vec<usize> =
                off.iter().filter(|one| (0 < one.lag_s) == up).map(|one| one.day).collect();
            for stretch in stretches(&days, &side) {
                let part: Vec<&Off> = off.iter().filter(|one| stretch.contains(&one.day)).collect();
                let p_ppb = Others::of(&all, &stretch, early, tests).chance_ppb(part.len());
                if gate.days_min <= part.len() && p_ppb <= gate.p_max_ppb {
                    found.push(describe(rows, &days[stretch], &part, gate, tests, p_ppb));
                }
            }
        }
    }
    Ok(found)
}

/// Days that are off, and what else was compared.
#[derive(Default)]
struct Compared {
    found: Vec<Off>,
    /// Days of the first past that are off too, though nothing was said of them.
    early: usize,
    tests: usize,
}

fn off(
    days: &[Day],
    interval_s: i64,
    gate: Gate,
    beside: &dyn Fn(&Day) -> Option<Vec<f64>>,
) -> Compared {
    let most = usize::try_from(gate.lag_s_max / interval_s.max(1)).unwrap_or(0);
    let is_off = |at: usize, day: &Day, against: &[f64]| {
        let (lag, r) = best_lag(&day.values, against, most)?;
        let still = correlation(&day.values, against);
        let is_off = lag != 0 && gate.r_min <= r && gate.gain_min <= r - still;
        is_off.then_some(Off { day: at, lag_s: lag.saturating_mul(interval_s), r, still })
    };
    let mut usual = Vec::new();
    let mut compared = Compared::default();
    for (at, day) in days.iter().enumerate() {
        let against = beside(day).or_else(|| {
            let past = past(days, &usual, at, gate.past_days)?;
            let typical = typical(&past);
            if compared.tests == 0 {
                compared.tests = past.len();
                let is_one = |day: &&&Day| is_off(at, day, &typical).is_some();
                compared.early = past.iter().filter(is_one).count();
            }
            Some(typical)
        });
        compared.tests += usize::from(against.is_some());
        match against.and_then(|against| is_off(at, day, &against)) {
            Some(off) => compared.found.push(off),
            None => usual.push(at),
        }
    }
    compared
}

fn describe(
    rows: &Rows,
    days: &[Day],
    part: &[&Off],
    gate: Gate,
    tests: usize,
    p_ppb: i64,
) -> Vec<Cell> {
    let mut lags: Vec<f64> = part.iter().map(|one| one.lag_s as f64).collect();
    let ppm = |share: f64| Cell::Integer(libm::round(share * 1e6) as i64);
    let evidence = evidence(rows, days);
    vec![
        Cell::Instant(begin_ms(days[0].number, gate.offset_s)),
        Cell::Instant(begin_ms(days[days.len() - 1].number + 1, gate.offset_s)),
        Cell::count(days.len()),
        Cell::Integer(libm::round(median(&mut lags)) as i64),
        ppm(part[0].r),
        ppm(part[0].still),
        Cell::count(tests),
        Cell::Integer(p_ppb),
        Cell::Text(rows.text(SERIES, days[0].rows[0]).to_owned()),
        Cell::Evidence(evidence.clone()),
        Cell::count(evidence.len()),
    ]
}
