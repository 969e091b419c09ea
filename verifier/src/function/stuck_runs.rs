//! `stuck_runs(series, read_at, interval_s, amount, content_id, samples_min, p_max_ppb)`: stretches in
//! which a device shows one value again and again.
//!
//! An aggregate over all readings of one device. It returns a list of structs, one for each stretch
//! of at least `samples_min` equal readings without a gap: `start`, `end` (instants), `samples`,
//! `value`, `n` (readings of the series), `equal_ppm`, `p_ppb`, `series`, `evidence`,
//! `evidence_count`. Zero is no value here: a meter that shows nothing may have nothing to show.
//!
//! **p.** With q the share of readings that equal the one before, counted outside the stretch itself,
//! n readings hold a stretch of L with a chance of at most n q^(L-1); p = min(1, that), rounded to
//! 10^-9. So a programmed load, or an instrument whose steps are coarse, repeats itself unsuspected.
//! Source: Feller, An Introduction to Probability Theory I, XIII.7 (runs); rule M03.

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::series::{Cell, Rows, Spec, Structs, Type};

const SERIES: usize = 0;
const READ_AT: usize = 1;
const INTERVAL_S: usize = 2;
const AMOUNT: usize = 3;
const CONTENT_ID: usize = 4;

/// See the module's words.
pub(super) static STUCK_RUNS: Spec = Spec {
    name: "stuck_runs",
    columns: &[Type::Text, Type::Instant, Type::Integer, Type::Integer, Type::Text],
    order: &[SERIES, INTERVAL_S, READ_AT, CONTENT_ID],
    settings: &["samples_min", "p_max_ppb"],
    fields: &[
        ("start", Type::Instant),
        ("end", Type::Instant),
        ("samples", Type::Integer),
        ("value", Type::Integer),
        ("n", Type::Integer),
        ("equal_ppm", Type::Integer),
        ("p_ppb", Type::Integer),
        ("series", Type::Text),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[samples_min, p_max_ppb] = settings else {
        return exec_err!("stuck_runs got no settings");
    };
    if samples_min < 2 {
        return exec_err!("stuck_runs needs samples_min over 1, not {samples_min}");
    }
    let mut found = Vec::new();
    for series in rows.groups(&[SERIES, INTERVAL_S]) {
        let mut kept: Vec<usize> = series.collect();
        kept.dedup_by_key(|row| rows.integer(READ_AT, *row));
        let equal = |two: &&[usize]| rows.integer(AMOUNT, two[0]) == rows.integer(AMOUNT, two[1]);
        let equals = kept.windows(2).filter(equal).count();
        for run in kept.chunk_by(|a, b| goes_on(rows, *a, *b)) {
            let is_long = samples_min <= i64::try_from(run.len()).unwrap_or(i64::MAX);
            if !is_long || rows.integer(AMOUNT, run[0]) == 0 {
                continue;
            }
            // Outside the stretch: what it adds itself says nothing about the others.
            let others = (kept.len() - run.len()).max(1) as f64;
            let share = (equals + 1 - run.len()) as f64 / others;
            let chance = chance_ppb(kept.len(), run.len(), share);
            if chance <= p_max_ppb {
                found.push(describe(rows, run, kept.len(), share, chance));
            }
        }
    }
    Ok(found)
}

/// The same value in the next interval.
fn goes_on(rows: &Rows, a: usize, b: usize) -> bool {
    let next = rows.integer(INTERVAL_S, a).saturating_mul(1000);
    rows.integer(READ_AT, a).checked_add(next) == Some(rows.integer(READ_AT, b))
        && rows.integer(AMOUNT, a) == rows.integer(AMOUNT, b)
}

/// Chance in 10^9 of a stretch of `length` among `n`, each going on with the chance `share`.
pub(super) fn chance_ppb(n: usize, length: usize, share: f64) -> i64 {
    if share <= 0.0 {
        return 0;
    }
    let log = libm::log10(n as f64) + (length - 1) as f64 * libm::log10(share);
    if 0.0 <= log { 1_000_000_000 } else { libm::round(libm::pow(10.0, log + 9.0)) as i64 }
}

fn describe(rows: &Rows, run: &[usize], n: usize, share: f64, p_ppb: i64) -> Vec<Cell> {
    let (first, last) = (run[0], run[run.len() - 1]);
    let begin_ms = rows.integer(READ_AT, first) - rows.integer(INTERVAL_S, first) * 1000;
    let evidence = rows.evidence(CONTENT_ID, run.iter().copied());
    let integer = |number: usize| Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let count = integer(evidence.len());
    vec![
        Cell::Instant(begin_ms),
        Cell::Instant(rows.integer(READ_AT, last)),
        integer(run.len()),
        Cell::Integer(rows.integer(AMOUNT, first)),
        integer(n),
        Cell::Integer(libm::round(share * 1e6) as i64),
        Cell::Integer(p_ppb),
        Cell::Text(rows.text(SERIES, first).to_owned()),
        Cell::Evidence(evidence),
        count,
    ]
}
