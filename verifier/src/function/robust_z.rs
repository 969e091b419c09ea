//! `robust_z(series, read_at, interval_s, amount, content_id, z_min_milli)`: readings far from what a
//! device usually shows.
//!
//! An aggregate over all readings of one device. It returns a list of structs, one for each reading
//! of which |z| is at least `z_min_milli` thousandths: `at` (instant), `amount`, `z_milli`, `middle`
//! and `spread` (of the series, rounded, in the unit of `amount`), `n`, `series`, `evidence`,
//! `evidence_count`.
//!
//! z = (amount - median) / (1.4826 median |amount - median|), without unit. A series of which more
//! than half is one value has no spread, and gives nothing. Source: Rousseeuw and Croux, JASA 88
//! (1993) 1273; [`robust`](crate::series::robust).

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::days::{AMOUNT, COLUMNS, CONTENT_ID, INTERVAL_S, ORDER, READ_AT, SERIES};
use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::robust::location;

/// See the module's words.
pub(super) static ROBUST_Z: Spec = Spec {
    name: "robust_z",
    columns: COLUMNS,
    order: ORDER,
    settings: &["z_min_milli"],
    fields: &[
        ("at", Type::Instant),
        ("amount", Type::Integer),
        ("z_milli", Type::Integer),
        ("middle", Type::Integer),
        ("spread", Type::Integer),
        ("n", Type::Integer),
        ("series", Type::Text),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[z_min_milli] = settings else {
        return exec_err!("robust_z got no settings");
    };
    let mut found = Vec::new();
    for series in rows.groups(&[SERIES, INTERVAL_S]) {
        let mut kept: Vec<usize> = series.collect();
        kept.dedup_by_key(|row| rows.integer(READ_AT, *row));
        let values: Vec<f64> = kept.iter().map(|row| rows.integer(AMOUNT, *row) as f64).collect();
        let (middle, spread) = location(&values);
        if spread == 0.0 {
            continue;
        }
        for (row, value) in kept.iter().zip(&values) {
            let z_milli = libm::round(1000.0 * (value - middle) / spread) as i64;
            if z_milli.unsigned_abs() < z_min_milli.unsigned_abs() {
                continue;
            }
            found.push(vec![
                Cell::Instant(rows.integer(READ_AT, *row)),
                Cell::Integer(rows.integer(AMOUNT, *row)),
                Cell::Integer(z_milli),
                Cell::Integer(libm::round(middle) as i64),
                Cell::Integer(libm::round(spread) as i64),
                Cell::count(kept.len()),
                Cell::Text(rows.text(SERIES, *row).to_owned()),
                Cell::Evidence(rows.evidence(CONTENT_ID, [*row].into_iter())),
                Cell::Integer(1),
            ]);
        }
    }
    Ok(found)
}
