//! Functions that rules may call beside those of SQL: one file each.
//!
//! Invariants: each sees its whole series in a total order that it makes itself, works in integers
//! or through `libm`, and rounds before anything is compared; so an answer depends neither on the
//! machine nor on how rows arrive.

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result;
use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::{AggregateUDF, ColumnarValue, ScalarUDF, Volatility, create_udf};
use datafusion::prelude::SessionContext;
use std::sync::Arc;

pub mod alike_sites;
pub mod base_amount;
pub mod clipped_weeks;
pub mod copied_windows;
pub mod cut_children;
pub mod dark_runs;
mod days;
pub mod digits;
pub mod distance_m;
pub mod flat_days;
pub mod level_steps;
pub mod off_line;
pub mod power_factor_ppm;
pub mod reversed_days;
pub mod robust_z;
pub mod scaled_copies;
mod series;
pub mod shifted_days;
pub mod stuck_runs;
pub mod unix_ms;
pub mod unlike_weeks;

/// Their names, as rules write them.
pub const NAMES: &[&str] = &[
    "alike_sites",
    "base_amount",
    "base_unit",
    "clipped_weeks",
    "copied_windows",
    "cut_children",
    "dark_runs",
    "distance_m",
    "first_digits",
    "flat_days",
    "from_unix_ms",
    "lagging_days",
    "last_digits",
    "level_steps",
    "off_line",
    "power_factor_ppm",
    "reversed_days",
    "robust_z",
    "scaled_copies",
    "shifted_days",
    "stuck_runs",
    "unix_ms",
    "unlike_weeks",
];

/// Makes them known to a session.
pub(crate) fn register(context: &SessionContext) -> Result<()> {
    let state = context.state_ref();
    let mut state = state.write();
    for function in [
        base_amount::amount(),
        base_amount::unit(),
        distance_m::function(),
        power_factor_ppm::function(),
        unix_ms::to(),
        unix_ms::from(),
    ] {
        state.register_udf(Arc::new(function))?;
    }
    for spec in [
        &alike_sites::ALIKE_SITES,
        &clipped_weeks::CLIPPED_WEEKS,
        &copied_windows::COPIED_WINDOWS,
        &cut_children::CUT_CHILDREN,
        &dark_runs::DARK_RUNS,
        &digits::FIRST_DIGITS,
        &digits::LAST_DIGITS,
        &flat_days::FLAT_DAYS,
        &level_steps::LEVEL_STEPS,
        &off_line::OFF_LINE,
        &reversed_days::REVERSED_DAYS,
        &robust_z::ROBUST_Z,
        &scaled_copies::SCALED_COPIES,
        &shifted_days::LAGGING_DAYS,
        &shifted_days::SHIFTED_DAYS,
        &stuck_runs::STUCK_RUNS,
        &unlike_weeks::UNLIKE_WEEKS,
    ] {
        state.register_udaf(Arc::new(AggregateUDF::from(series::SeriesFunction::new(spec))))?;
    }
    Ok(())
}

/// A function that makes one column of others, row by row.
fn scalar(
    name: &str,
    arguments: Vec<DataType>,
    returns: DataType,
    answer: fn(&[ArrayRef]) -> Result<ArrayRef>,
) -> ScalarUDF {
    let whole = move |values: &[ColumnarValue]| {
        Ok(ColumnarValue::Array(answer(&ColumnarValue::values_to_arrays(values)?)?))
    };
    create_udf(name, arguments, returns, Volatility::Immutable, Arc::new(whole))
}
