//! `dark_runs(series, read_at, interval_s, amount, content_id, beside, beside_id, run_s_min,
//! live_ppm, p_max_ppb)`: stretches in which a device shows nothing while a second one says that there
//! is something.
//!
//! An aggregate over all readings of one device, each beside what another says of the same interval
//! (`beside`, and the content id that it is from). It returns a list of structs, one for each stretch
//! of zeros longer than `run_s_min`: `start`, `end` (instants), `samples`, `missing` (sum of `beside`
//! over the stretch), `n` (readings of the series), `dark_ppm`, `p_ppb`, `series`, `evidence`,
//! `evidence_count`.
//!
//! The second one is live where it is over `live_ppm` of its median in those intervals in which the
//! device shows something. With q the share of readings outside the stretch that are dark (zero while
//! the second one is live), n readings hold a stretch of L with a chance of at most n q^(L-1). So what
//! often stands still beside a running process is not suspected. Source: rule M04; Feller, An
//! Introduction to Probability Theory I, XIII.7.

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::days::{AMOUNT, CONTENT_ID, INTERVAL_S, READ_AT, SERIES};
use super::series::{Cell, Rows, Spec, Structs, Type};
use super::stuck_runs::chance_ppb;
use crate::series::robust::median;

const BESIDE: usize = 5;
const BESIDE_ID: usize = 6;

/// See the module's words.
pub(super) static DARK_RUNS: Spec = Spec {
    name: "dark_runs",
    columns: &[
        Type::Text,
        Type::Instant,
        Type::Integer,
        Type::Integer,
        Type::Text,
        Type::Integer,
        Type::Text,
    ],
    order: &[SERIES, INTERVAL_S, READ_AT, CONTENT_ID, BESIDE, BESIDE_ID],
    settings: &["run_s_min", "live_ppm", "p_max_ppb"],
    fields: &[
        ("start", Type::Instant),
        ("end", Type::Instant),
        ("samples", Type::Integer),
        ("missing", Type::Integer),
        ("n", Type::Integer),
        ("dark_ppm", Type::Integer),
        ("p_ppb", Type::Integer),
        ("series", Type::Text),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[run_s_min, live_ppm, p_max_ppb] = settings else {
        return exec_err!("dark_runs got no settings");
    };
    let mut found = Vec::new();
    for series in rows.groups(&[SERIES, INTERVAL_S]) {
        let interval_s = rows.integer(INTERVAL_S, series.start);
        let mut kept: Vec<usize> = series.collect();
        kept.dedup_by_key(|row| rows.integer(READ_AT, *row));
        let mut lit: Vec<f64> = kept
            .iter()
            .filter(|row| rows.integer(AMOUNT, **row) != 0)
            .map(|row| rows.integer(BESIDE, *row) as f64)
            .collect();
        let live = median(&mut lit) * live_ppm as f64 / 1e6;
        // Of a meter that never shows anything, or that the other never follows, nothing is usual.
        if live.is_nan() || live <= 0.0 {
            continue;
        }
        let is_dark =
            |row: usize| rows.integer(AMOUNT, row) == 0 && live < rows.integer(BESIDE, row) as f64;
        let dark = kept.iter().filter(|row| is_dark(**row)).count();
        let goes_on = |a: &usize, b: &usize| {
            is_dark(*a)
                && is_dark(*b)
                && rows.integer(READ_AT, *a).checked_add(interval_s.saturating_mul(1000))
                    == Some(rows.integer(READ_AT, *b))
        };
        for run in kept.chunk_by(goes_on).filter(|run| is_dark(run[0])) {
            let length = i64::try_from(run.len()).unwrap_or(i64::MAX);
            if length.saturating_mul(interval_s) <= run_s_min {
                continue;
            }
            let others = (kept.len() - run.len()).max(1) as f64;
            let share = (dark - run.len()) as f64 / others;
            let p_ppb = chance_ppb(kept.len(), run.len(), share);
            if p_ppb <= p_max_ppb {
                found.push(describe(rows, run, kept.len(), share, p_ppb));
            }
        }
    }
    Ok(found)
}

fn describe(rows: &Rows, run: &[usize], n: usize, share: f64, p_ppb: i64) -> Vec<Cell> {
    let (first, last) = (run[0], run[run.len() - 1]);
    let begin_ms = rows.integer(READ_AT, first) - rows.integer(INTERVAL_S, first) * 1000;
    let mut evidence = rows.evidence(CONTENT_ID, run.iter().copied());
    evidence.extend(rows.evidence(BESIDE_ID, run.iter().copied()));
    let missing = run.iter().map(|row| rows.integer(BESIDE, *row));
    vec![
        Cell::Instant(begin_ms),
        Cell::Instant(rows.integer(READ_AT, last)),
        Cell::count(run.len()),
        Cell::Integer(missing.fold(0, i64::saturating_add)),
        Cell::count(n),
        Cell::Integer(libm::round(share * 1e6) as i64),
        Cell::Integer(p_ppb),
        Cell::Text(rows.text(SERIES, first).to_owned()),
        Cell::Evidence(evidence.clone()),
        Cell::count(evidence.len()),
    ]
}
