//! `last_digits(amount, content_id)` and `first_digits(amount, content_id)`: digits that people choose.
//!
//! Aggregates over any amounts that belong together. `last_digits` returns a list of one struct: `n`,
//! `chi2_milli` (Pearson's chi-square against equal shares, 9 degrees of freedom), `round_ppm` (share
//! of the digits 0 and 5), `p_ppb`, `evidence`, `evidence_count`; of fewer than 500 amounts, or of a
//! range under 100 steps, nothing. `first_digits` returns `n`, `deviation_ppm` (mean absolute deviation
//! of first digits from Benford's law), `evidence`, `evidence_count`; of fewer than 1,000 amounts, or
//! under three decades, nothing. Benford's law says nothing of meter readings, which stay in one
//! decade: it is for totals and transactions. Formulas and sources: [`digits`](crate::series::digits).

use datafusion::error::Result;

use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::digits;

const AMOUNT: usize = 0;
const CONTENT_ID: usize = 1;

/// See the module's words.
pub(super) static LAST_DIGITS: Spec = Spec {
    name: "last_digits",
    columns: &[Type::Integer, Type::Text],
    order: &[CONTENT_ID, AMOUNT],
    settings: &[],
    fields: &[
        ("n", Type::Integer),
        ("chi2_milli", Type::Integer),
        ("round_ppm", Type::Integer),
        ("p_ppb", Type::Integer),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer: last,
};

/// See the module's words.
pub(super) static FIRST_DIGITS: Spec = Spec {
    name: "first_digits",
    columns: &[Type::Integer, Type::Text],
    order: &[CONTENT_ID, AMOUNT],
    settings: &[],
    fields: &[
        ("n", Type::Integer),
        ("deviation_ppm", Type::Integer),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer: first,
};

fn amounts(rows: &Rows) -> Vec<i64> {
    (0..rows.len()).map(|row| rows.integer(AMOUNT, row)).collect()
}

fn last(rows: &Rows, _: &[i64]) -> Result<Structs> {
    let amounts = amounts(rows);
    let round = amounts.iter().filter(|amount| *amount % 5 == 0).count();
    let found = digits::last_digits(&amounts).map(|(statistic, p)| {
        let evidence = rows.evidence(CONTENT_ID, 0..rows.len());
        vec![
            Cell::count(amounts.len()),
            Cell::Integer(libm::round(statistic * 1000.0) as i64),
            Cell::Integer(libm::round(1e6 * round as f64 / amounts.len() as f64) as i64),
            Cell::Integer(libm::round(p * 1e9) as i64),
            Cell::Evidence(evidence.clone()),
            Cell::count(evidence.len()),
        ]
    });
    Ok(found.into_iter().collect())
}

fn first(rows: &Rows, _: &[i64]) -> Result<Structs> {
    let amounts = amounts(rows);
    let found = digits::benford(&amounts).map(|deviation| {
        let evidence = rows.evidence(CONTENT_ID, 0..rows.len());
        vec![
            Cell::count(amounts.len()),
            Cell::Integer(libm::round(deviation * 1e6) as i64),
            Cell::Evidence(evidence.clone()),
            Cell::count(evidence.len()),
        ]
    });
    Ok(found.into_iter().collect())
}
