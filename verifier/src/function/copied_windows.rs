//! `copied_windows(series, read_at, interval_s, amount, content_id, samples_min, distinct_min,
//! rich_ppm, repeats_max)`: stretches of a device's readings that repeat earlier ones exactly.
//!
//! An aggregate over all readings of one device. It returns a list of structs, one for each
//! stretch: `copy_start`, `copy_end`, `source_start`, `source_end` (instants), `samples`,
//! `distinct_values`, `n` (samples of the series), `p_ppb`, `series`, `evidence`, `evidence_count`.
//! The search itself, its gate and its p-value are described in [`search`].
//!
//! Rows are put into the total order (series, interval, read_at, content_id) first; of two rows of
//! one instant the lower content id counts. `series` tells apart what must not be compared
//! (quantity, unit, statistic); stretches of several series that move together are one.

use std::collections::BTreeSet;

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::series::{Cell, Rows, Spec, Structs, Type};

pub mod search;

use search::{Gate, Sample};

/// Columns of a row.
const SERIES: usize = 0;
const READ_AT: usize = 1;
const INTERVAL_S: usize = 2;
const AMOUNT: usize = 3;
const CONTENT_ID: usize = 4;

/// See the module's words.
pub(super) static COPIED_WINDOWS: Spec = Spec {
    name: "copied_windows",
    columns: &[Type::Text, Type::Instant, Type::Integer, Type::Integer, Type::Text],
    order: &[SERIES, INTERVAL_S, READ_AT, CONTENT_ID],
    settings: &["samples_min", "distinct_min", "rich_ppm", "repeats_max"],
    fields: &[
        ("copy_start", Type::Instant),
        ("copy_end", Type::Instant),
        ("source_start", Type::Instant),
        ("source_end", Type::Instant),
        ("samples", Type::Integer),
        ("distinct_values", Type::Integer),
        ("n", Type::Integer),
        ("p_ppb", Type::Integer),
        ("series", Type::Text),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

fn gate(settings: &[i64]) -> Result<Gate> {
    let &[samples_min, distinct_min, rich_ppm, repeats_max] = settings else {
        return exec_err!("copied_windows got no settings");
    };
    let (Ok(samples_min), true) = (usize::try_from(samples_min), 1 < samples_min) else {
        return exec_err!("copied_windows needs samples_min over 1, not {samples_min}");
    };
    Ok(Gate { samples_min, distinct_min, rich_ppm, repeats_max })
}

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let gate = gate(settings)?;
    let mut samples = Vec::with_capacity(rows.len());
    for (number, series) in rows.groups(&[SERIES]).into_iter().enumerate() {
        samples.extend(series.map(|row| Sample {
            series: number,
            at_ms: rows.integer(READ_AT, row),
            interval_s: rows.integer(INTERVAL_S, row),
            amount: rows.integer(AMOUNT, row),
            row,
        }));
    }
    samples.dedup_by_key(|sample| (sample.series, sample.interval_s, sample.at_ms));
    let windows = search::search(&samples, gate);
    Ok(windows.iter().map(|window| describe(rows, &samples, window)).collect())
}

fn describe(rows: &Rows, samples: &[Sample], window: &search::Window) -> Vec<Cell> {
    let mut names = BTreeSet::new();
    let mut evidence = BTreeSet::new();
    for part in &window.parts {
        names.insert(rows.text(SERIES, samples[part.copy].row));
        for from in [part.copy, part.source] {
            let copied = samples[from..from + part.length].iter().map(|sample| sample.row);
            evidence.extend(rows.evidence(CONTENT_ID, copied));
        }
    }
    let count = i64::try_from(evidence.len()).unwrap_or(i64::MAX);
    vec![
        Cell::Instant(window.copy_start_ms),
        Cell::Instant(window.copy_end_ms),
        Cell::Instant(window.source_start_ms),
        Cell::Instant(window.source_end_ms),
        Cell::Integer(window.samples),
        Cell::Integer(window.distinct_values),
        Cell::Integer(window.series_samples),
        Cell::Integer(window.p_ppb),
        Cell::Text(names.into_iter().collect::<Vec<_>>().join(", ")),
        Cell::Evidence(evidence),
        Cell::Integer(count),
    ]
}
