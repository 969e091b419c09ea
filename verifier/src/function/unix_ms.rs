//! `unix_ms(instant)`: milliseconds since 1970-01-01T00:00:00Z, and `from_unix_ms(ms)` back.
//!
//! So that rules reckon with durations as integers.

use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::error::Result;
use datafusion::logical_expr::ScalarUDF;

use super::scalar;

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some(Arc::from("+00:00")))
}

fn convert(value: &ArrayRef, through: &DataType, to: &DataType) -> Result<ArrayRef> {
    Ok(cast(&cast(value, through)?, to)?)
}

/// `unix_ms`, as rules call it.
pub(super) fn to() -> ScalarUDF {
    scalar("unix_ms", vec![instant()], DataType::Int64, |columns| {
        convert(&columns[0], &instant(), &DataType::Int64)
    })
}

/// `from_unix_ms`, as rules call it.
pub(super) fn from() -> ScalarUDF {
    scalar("from_unix_ms", vec![DataType::Int64], instant(), |columns| {
        convert(&columns[0], &DataType::Int64, &instant())
    })
}
