//! Plain tables from Parquet: the same columns as in CSV, already typed.
//!
//! Invariants: columns are found by name, unknown ones are listed and not read; an instant without
//! a zone is refused; a required column must be there and without nulls.

use std::sync::Arc;

use datafusion::arrow::array::{Array as _, ArrayRef, RecordBatch, StringBuilder, new_null_array};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::reader::ChunkReader;
use hallmark_schemas::table::{COMMON, Column, ColumnType, Table};

use super::unit;
use crate::evidence::Source;
use crate::table::{self, BATCH_ROWS_MAX, TableSet};

/// Why a Parquet file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ParquetFault {
    /// Damaged, or compressed in a way that is not built in.
    #[error("the file is damaged or of an unknown kind")]
    File(#[from] ParquetError),
    /// Values that do not fit their column.
    #[error("the values of a column do not fit it")]
    Values(#[from] ArrowError),
    /// Columns without which no row means anything.
    #[error("the file lacks the column `{name}`, which the table needs")]
    Missing {
        /// The column.
        name: &'static str,
    },
    /// A local time could be in any zone.
    #[error("the column `{name}` has instants without a zone; write them in UTC")]
    Zone {
        /// The column.
        name: &'static str,
    },
    /// A null where every row needs a value.
    #[error("the column `{name}` has nulls, but every row needs it")]
    Null {
        /// The column.
        name: &'static str,
    },
    /// A unit that does not measure its quantity.
    #[error("row {row}, column `unit`: {reason}; {advice}")]
    Unit {
        /// Number of the row, from 1.
        row: u64,
        /// What is wrong.
        reason: String,
        /// What to do.
        advice: String,
    },
}

/// Reads the rows of `table` into `tables` and tells in `source` what became of them.
pub fn read(
    table: &'static Table,
    file: impl ChunkReader + 'static,
    source: &mut Source,
    tables: &mut TableSet,
) -> Result<(), ParquetFault> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
    let names = builder.schema().fields().iter().map(|field| field.name().clone());
    source.columns_ignored = names.filter(|name| table.position(name).is_none()).collect();
    for batch in builder.with_batch_size(BATCH_ROWS_MAX).build()? {
        let batch = batch?;
        let rows = batch.num_rows();
        let columns = table.all_columns().map(|column| convert(column, &batch, source));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(table::schema(table), columns)?;
        check_units(table, &batch, source.rows_read)?;
        tables.push(table.name, batch);
        source.rows_read += rows as u64;
        source.rows_used += rows as u64;
    }
    Ok(())
}

/// A unit that no rule could read ends the file: what is typed already is refused whole.
fn check_units(
    table: &'static Table,
    batch: &RecordBatch,
    before: u64,
) -> Result<(), ParquetFault> {
    for row in (0..batch.num_rows()).filter(|_| unit::is_checked(table)) {
        let text = |name: &str| {
            let texts = table::texts(batch, name).filter(|texts| texts.is_valid(row))?;
            Some(texts.value(row))
        };
        if let Some((reason, advice)) = unit::fault(table, text) {
            return Err(ParquetFault::Unit { row: before + row as u64 + 1, reason, advice });
        }
    }
    Ok(())
}

fn convert(
    column: &'static Column,
    batch: &RecordBatch,
    source: &Source,
) -> Result<ArrayRef, ParquetFault> {
    let wanted = table::data_type(column.kind);
    let Some(found) = batch.column_by_name(column.name) else {
        if column.required_in_csv {
            return Err(ParquetFault::Missing { name: column.name });
        }
        if column.name == COMMON[0].name {
            return Ok(row_names(batch.num_rows(), source));
        }
        return Ok(new_null_array(&wanted, batch.num_rows()));
    };
    let zoned = !matches!(found.data_type(), DataType::Timestamp(_, None) | DataType::Date32);
    if column.kind == ColumnType::Instant && !zoned {
        return Err(ParquetFault::Zone { name: column.name });
    }
    let exact = CastOptions { safe: false, ..CastOptions::default() };
    let cast = cast_with_options(found, &wanted, &exact)?;
    if column.required_in_csv && 0 < cast.null_count() {
        return Err(ParquetFault::Null { name: column.name });
    }
    Ok(cast)
}

fn row_names(rows: usize, source: &Source) -> ArrayRef {
    let digest = source.digest.as_deref().unwrap_or("stdin");
    let mut names = StringBuilder::new();
    for row in 0..rows as u64 {
        names.append_value(format!("file:{digest}#{}", source.rows_read + row + 1));
    }
    Arc::new(names.finish())
}
