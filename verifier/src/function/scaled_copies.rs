//! `scaled_copies(series, read_at, interval_s, amount, content_id, samples_min, difference_ppm,
//! variation_ppm, distinct_min, rich_ppm)`: stretches of readings that are earlier ones, times a number.
//!
//! An aggregate over all readings of meters that may be copied from one another; `series` tells the
//! meters apart. It returns a list of structs, one for each stretch: `series` (of the later stretch),
//! `start`, `end`, `source_series`, `source_start`, `source_end` (instants), `samples`, `scale_ppm` (later over
//! earlier), `difference_ppm` (largest, of the mean), `n` (readings), `evidence`, `evidence_count`.
//!
//! Either stretch needs `distinct_min` different values, and so many that they are `rich_ppm` of its
//! readings: what steps between a few levels is like itself at any scale. What counts as a copy, and how it is found, is described in [`scaled`](crate::series::scaled). An
//! exact repetition of one meter's own readings (half of the stretch or more) is left to
//! `copied_windows`; what two meters show at
//! the same instants is no copy, because units that run in parallel do so.

use std::ops::Range;

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::days::{AMOUNT, COLUMNS, CONTENT_ID, INTERVAL_S, READ_AT, SERIES};
use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::scaled::{Copied, Gate, search};

/// See the module's words.
pub(super) static SCALED_COPIES: Spec = Spec {
    name: "scaled_copies",
    columns: COLUMNS,
    order: &[INTERVAL_S, SERIES, READ_AT, CONTENT_ID],
    settings: &["samples_min", "difference_ppm", "variation_ppm", "distinct_min", "rich_ppm"],
    fields: &[
        ("series", Type::Text),
        ("start", Type::Instant),
        ("end", Type::Instant),
        ("source_series", Type::Text),
        ("source_start", Type::Instant),
        ("source_end", Type::Instant),
        ("samples", Type::Integer),
        ("scale_ppm", Type::Integer),
        ("difference_ppm", Type::Integer),
        ("n", Type::Integer),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[samples_min, difference_ppm, variation_ppm, distinct_min, rich_ppm] = settings else {
        return exec_err!("scaled_copies got no settings");
    };
    let Some(samples_min) = usize::try_from(samples_min).ok().filter(|least| 1 < *least) else {
        return exec_err!("scaled_copies needs samples_min over 1, not {samples_min}");
    };
    let gate = Gate {
        samples_min,
        difference_max: difference_ppm as f64 / 1e6,
        variation_min: variation_ppm as f64 / 1e6,
    };
    let mut found = Vec::new();
    for interval in rows.groups(&[INTERVAL_S]) {
        let interval_ms = rows.integer(INTERVAL_S, interval.start).saturating_mul(1000);
        let mut kept: Vec<usize> = interval.collect();
        kept.dedup_by(|b, a| rows.same(SERIES, *a, *b) && rows.same(READ_AT, *a, *b));
        let values: Vec<f64> = kept.iter().map(|row| rows.integer(AMOUNT, *row) as f64).collect();
        let follows = |a: usize, b: usize| {
            rows.same(SERIES, a, b)
                && rows.integer(READ_AT, a).checked_add(interval_ms)
                    == Some(rows.integer(READ_AT, b))
        };
        for mut one in search(&values, &parts(&kept, follows), gate) {
            let (copy, source) = (kept[one.copy], kept[one.source]);
            let by = rows.integer(READ_AT, copy) - rows.integer(READ_AT, source);
            // A neighbour that happens to fit makes an exact repetition no scaled one.
            let is_repeated = one.length <= 2 * one.equal && rows.same(SERIES, copy, source);
            let is_rich = |first: usize| {
                let mut different = values[first..first + one.length].to_vec();
                different.sort_unstable_by(f64::total_cmp);
                different.dedup();
                let different = i64::try_from(different.len()).unwrap_or(i64::MAX);
                let share = one.length as f64 * rich_ppm as f64 / 1e6;
                distinct_min <= different && share <= different as f64
            };
            if !is_rich(one.copy) || !is_rich(one.source) || by == 0 || is_repeated {
                continue;
            }
            if by < 0 {
                (one.copy, one.source, one.scale) = (one.source, one.copy, 1.0 / one.scale);
            }
            found.push(describe(rows, &kept, &one, interval_ms));
        }
    }
    Ok(found)
}

/// Stretches without a gap.
fn parts(kept: &[usize], follows: impl Fn(usize, usize) -> bool) -> Vec<Range<usize>> {
    let mut start = 0;
    let part = |part: &[usize]| {
        start += part.len();
        start - part.len()..start
    };
    kept.chunk_by(|a, b| follows(*a, *b)).map(part).collect()
}

fn describe(rows: &Rows, kept: &[usize], one: &Copied, interval_ms: i64) -> Vec<Cell> {
    let stretch = |first: usize| &kept[first..first + one.length];
    let (copy, source) = (stretch(one.copy), stretch(one.source));
    let begin = |rows_of: &[usize]| Cell::Instant(rows.integer(READ_AT, rows_of[0]) - interval_ms);
    let end = |rows_of: &[usize]| Cell::Instant(rows.integer(READ_AT, rows_of[rows_of.len() - 1]));
    let evidence = rows.evidence(CONTENT_ID, copy.iter().chain(source).copied());
    let ppm = |share: f64| Cell::Integer(libm::round(share * 1e6) as i64);
    vec![
        Cell::Text(rows.text(SERIES, copy[0]).to_owned()),
        begin(copy),
        end(copy),
        Cell::Text(rows.text(SERIES, source[0]).to_owned()),
        begin(source),
        end(source),
        Cell::count(one.length),
        ppm(one.scale),
        ppm(one.difference),
        Cell::count(kept.len()),
        Cell::Evidence(evidence.clone()),
        Cell::count(evidence.len()),
    ]
}
