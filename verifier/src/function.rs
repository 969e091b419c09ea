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

pub mod base_amount;
pub mod copied_windows;
pub mod cut_children;
pub mod distance_m;
pub mod power_factor_ppm;
mod series;
pub mod stuck_runs;
pub mod unix_ms;
pub mod unlike_weeks;

/// Their names, as rules write them.
pub const NAMES: &[&str] = &[
    "base_amount",
    "base_unit",
    "copied_windows",
    "cut_children",
    "distance_m",
    "from_unix_ms",
    "power_factor_ppm",
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
        &copied_windows::COPIED_WINDOWS,
        &cut_children::CUT_CHILDREN,
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
