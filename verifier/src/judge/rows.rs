//! From a rule's answer in Arrow to rows that become findings.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type, SchemaRef, TimeUnit};
use datafusion::arrow::error::ArrowError;
use hallmark_schemas::time::Timestamp;
use serde_json::Value;

use crate::finding::{Piece, REQUIRED, RESERVED, Row, pieces};
use crate::pack::Header;

/// Why a row is no finding: the rule is wrong.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// A required column of a row is null.
    #[error("column {column} of a row is null")]
    Null {
        /// The column.
        column: &'static str,
    },
    /// A column has a type that nothing can be made of.
    #[error("column {column} cannot be read")]
    Type {
        /// The column.
        column: String,
        /// What Arrow said.
        source: ArrowError,
    },
}

/// Says what is wrong with the columns that a rule returns.
pub(crate) fn check_columns(header: &Header, schema: &SchemaRef) -> Result<(), String> {
    let has = |name: &str| schema.fields().iter().any(|field| field.name() == name);
    if let Some(missing) = REQUIRED.iter().find(|name| !has(name)) {
        return Err(format!("the query returns no column {missing}"));
    }
    for (key, message) in [("message_en", &header.message_en), ("message_zh", &header.message_zh)] {
        for piece in pieces(message) {
            if let Piece::Column(name) = piece
                && !has(name)
                && !RESERVED.contains(&name)
            {
                return Err(format!("{key} names {{{name}}}, which the query does not return"));
            }
        }
    }
    Ok(())
}

/// The rows of one batch of a rule's answer.
pub(crate) fn rows(batch: &RecordBatch) -> Result<Vec<Row>, RowError> {
    let column = |name: &str| batch.column_by_name(name);
    let subject = texts(batch, "subject")?;
    let anchor = texts(batch, "anchor")?;
    let evidence = list(batch, "evidence")?;
    let count = integers(batch, "evidence_count")?;
    let (start, end) = (instants(batch, "period_start")?, instants(batch, "period_end")?);
    let severity = column("severity").map(|_| texts(batch, "severity")).transpose()?;
    let effect = column("effect").map(|_| integers(batch, "effect")).transpose()?;
    let effect_unit = column("effect_unit").map(|_| texts(batch, "effect_unit")).transpose()?;
    let mut further: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
        if !RESERVED.contains(&field.name().as_str()) {
            further.insert(field.name().clone(), values(field.name(), array)?);
        }
    }
    (0..batch.num_rows())
        .map(|row| {
            Ok(Row {
                subject: subject[row].clone().ok_or(RowError::Null { column: "subject" })?,
                anchor: anchor[row].clone().ok_or(RowError::Null { column: "anchor" })?,
                period_start: start[row],
                period_end: end[row],
                evidence: evidence[row].clone(),
                evidence_count: count[row].and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
                severity: severity.as_ref().and_then(|column| column[row].clone()),
                effect: effect.as_ref().and_then(|column| column[row]),
                effect_unit: effect_unit.as_ref().and_then(|column| column[row].clone()),
                columns: further
                    .iter()
                    .map(|(name, all)| (name.clone(), all[row].clone()))
                    .collect(),
            })
        })
        .collect()
}

fn array<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a ArrayRef, RowError> {
    batch.column_by_name(name).ok_or(RowError::Null { column: name })
}

fn to(name: &str, array: &ArrayRef, kind: &DataType) -> Result<ArrayRef, RowError> {
    cast(array, kind).map_err(|source| RowError::Type { column: name.to_owned(), source })
}

fn timestamps() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some("+00:00".into()))
}

fn instants(batch: &RecordBatch, name: &'static str) -> Result<Vec<Option<Timestamp>>, RowError> {
    to_instants(name, array(batch, name)?)
}

fn to_instants(name: &str, array: &ArrayRef) -> Result<Vec<Option<Timestamp>>, RowError> {
    let ms = to(name, &to(name, array, &timestamps())?, &DataType::Int64)?;
    let instant = |ms: i64| u64::try_from(ms).ok().and_then(Timestamp::try_from_unix_ms);
    Ok(ms.as_primitive::<Int64Type>().iter().map(|ms| ms.and_then(instant)).collect())
}

fn integers(batch: &RecordBatch, name: &'static str) -> Result<Vec<Option<i64>>, RowError> {
    let array = to(name, array(batch, name)?, &DataType::Int64)?;
    Ok(array.as_primitive::<Int64Type>().iter().collect())
}

fn texts(batch: &RecordBatch, name: &'static str) -> Result<Vec<Option<String>>, RowError> {
    to_texts(name, array(batch, name)?)
}

fn to_texts(name: &str, array: &ArrayRef) -> Result<Vec<Option<String>>, RowError> {
    if let DataType::Timestamp(..) = array.data_type() {
        let instants = to_instants(name, array)?;
        return Ok(instants.into_iter().map(|at| at.map(|at| at.to_string())).collect());
    }
    let array = to(name, array, &DataType::Utf8)?;
    Ok(array.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
}

fn list(batch: &RecordBatch, name: &'static str) -> Result<Vec<Vec<String>>, RowError> {
    to_list(name, array(batch, name)?)
}

fn to_list(name: &str, array: &ArrayRef) -> Result<Vec<Vec<String>>, RowError> {
    let array = to(name, array, &DataType::new_list(DataType::Utf8, true))?;
    let texts = |texts: ArrayRef| {
        texts.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    Ok(array.as_list::<i32>().iter().map(|row| row.map(texts).unwrap_or_default()).collect())
}

/// A further column as JSON: integers as numbers, truth as such, lists as lists, else text.
fn values(name: &str, array: &ArrayRef) -> Result<Vec<Value>, RowError> {
    Ok(match array.data_type() {
        DataType::Boolean => {
            array.as_boolean().iter().map(|truth| truth.map_or(Value::Null, Value::Bool)).collect()
        }
        DataType::List(_) => to_list(name, array)?.into_iter().map(Value::from).collect(),
        kind if kind.is_integer() => {
            let array = to(name, array, &DataType::Int64)?;
            array.as_primitive::<Int64Type>().iter().map(Value::from).collect()
        }
        _ => to_texts(name, array)?.into_iter().map(Value::from).collect(),
    })
}
