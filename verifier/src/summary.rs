//! Summary tables: what comparisons across buckets read instead of every reading.
//!
//! Invariants: one row of `meter_days` stands for one series on one UTC day, computed from its
//! readings in the total order (read_at, content_id), the first of equal instants counting; digests
//! and shapes are exact, so equal days are equal text on any machine.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::arrow::error::ArrowError;
use hallmark_schemas::table::derived::METER_DAYS;
use hallmark_schemas::table::{COMMON, Cell, Rows};
use hallmark_schemas::time::Timestamp;
use sha2::{Digest, Sha256};

use crate::table::{TableSet, texts};

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;
/// Readings of a run whose digest is kept: with fewer, honest meters repeat themselves.
const WINDOW: usize = 24;

/// What tells one day of one series from another.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
struct Key {
    device: String,
    facility: Option<String>,
    quantity: String,
    unit: Option<String>,
    interval_s: i64,
    day: i64,
}

/// Instant, evidence id and value of a reading.
type Reading = (i64, String, i64);

/// Table `meter_days` from table `meter_readings`. Only totals and means of an interval count; the
/// day is the UTC day in which the interval begins.
pub fn meter_days(tables: &TableSet) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut days: BTreeMap<Key, Vec<Reading>> = BTreeMap::new();
    for batch in tables.get("meter_readings") {
        collect(batch, &mut days)?;
    }
    let mut rows = Rows::new();
    for (key, readings) in &mut days {
        readings.sort_unstable();
        readings.dedup_by_key(|reading| reading.0);
        rows.push_whole(&METER_DAYS, cells(key, readings));
    }
    Ok(TableSet::from_rows(rows)?.get("meter_days").to_vec())
}

fn collect(batch: &RecordBatch, days: &mut BTreeMap<Key, Vec<Reading>>) -> Result<(), ArrowError> {
    let text = |name: &str| {
        texts(batch, name)
            .map(|column| move |row| column.is_valid(row).then(|| column.value(row).to_owned()))
    };
    let integers = |name: &str| {
        let column = batch.column_by_name(name);
        column.map(|column| cast(column, &DataType::Int64)).transpose()
    };
    let (Some(device), Some(quantity), Some(id)) =
        (text("device"), text("quantity"), text("content_id"))
    else {
        return Ok(());
    };
    let (facility, unit, statistic) = (text("facility"), text("unit"), text("statistic"));
    let (Some(at), Some(interval), Some(amount)) =
        (integers("read_at")?, integers("interval_s")?, integers("amount")?)
    else {
        return Ok(());
    };
    let (at, interval) = (at.as_primitive::<Int64Type>(), interval.as_primitive::<Int64Type>());
    let amount = amount.as_primitive::<Int64Type>();
    for row in 0..batch.num_rows() {
        let statistic = statistic.as_ref().and_then(|statistic| statistic(row));
        let whole = statistic.is_none_or(|statistic| statistic == "sum" || statistic == "mean");
        let (Some(device), Some(quantity), Some(id)) = (device(row), quantity(row), id(row)) else {
            continue;
        };
        if !whole || at.is_null(row) || interval.is_null(row) || amount.is_null(row) {
            continue;
        }
        let (end, interval_s) = (at.value(row), interval.value(row));
        let start = end.saturating_sub(interval_s.saturating_mul(1000));
        let key = Key {
            device,
            facility: facility.as_ref().and_then(|facility| facility(row)),
            quantity,
            unit: unit.as_ref().and_then(|unit| unit(row)),
            interval_s,
            day: start.div_euclid(DAY_MS),
        };
        days.entry(key).or_default().push((end, id, amount.value(row)));
    }
    Ok(())
}

fn cells(key: &Key, readings: &[Reading]) -> Vec<Cell> {
    let amounts: Vec<i64> = readings.iter().map(|reading| reading.2).collect();
    let mut different = amounts.clone();
    different.sort_unstable();
    different.dedup();
    let total: i128 = amounts.iter().map(|amount| i128::from(*amount)).sum();
    let begins =
        u64::try_from(key.day.saturating_mul(DAY_MS)).ok().and_then(Timestamp::try_from_unix_ms);
    let windows = amounts.chunks_exact(WINDOW).map(digest).collect();
    let mut cells = vec![Cell::text(format!("summary:meter_days/{}/{}", key.device, key.day))];
    cells.resize(COMMON.len(), Cell::Null);
    cells.extend([
        Cell::text(&key.device),
        Cell::optional(key.facility.as_ref(), Cell::text),
        Cell::text(&key.quantity),
        Cell::optional(key.unit.as_ref(), Cell::text),
        Cell::text(begins.map(|at| at.to_string()[..10].to_owned()).unwrap_or_default()),
        Cell::Instant(begins.unwrap_or(Timestamp::EPOCH)),
        Cell::Integer(key.interval_s),
        Cell::integer(amounts.len()),
        Cell::integer(total),
        Cell::optional(different.first().copied(), Cell::Integer),
        Cell::optional(different.last().copied(), Cell::Integer),
        Cell::integer(different.len()),
        Cell::text(digest(&amounts)),
        Cell::List(windows),
        Cell::List(shape(key, readings, total)),
    ]);
    cells
}

/// For each hour that a reading begins in, its share of the day in ppm; empty without a total.
fn shape(key: &Key, readings: &[Reading], total: i128) -> Vec<String> {
    if total <= 0 {
        return Vec::new();
    }
    let mut hours = [0_i128; 24];
    for (end, _, amount) in readings {
        let start = end.saturating_sub(key.interval_s.saturating_mul(1000));
        let hour = start.rem_euclid(DAY_MS) / HOUR_MS;
        hours[usize::try_from(hour).unwrap_or(0)] += i128::from(*amount);
    }
    hours.iter().map(|amount| (amount * 1_000_000 / total).to_string()).collect()
}

/// SHA-256 of the amounts as 64-bit big-endian integers, the first 16 bytes as hex.
fn digest(amounts: &[i64]) -> String {
    let mut digest = Sha256::new();
    for amount in amounts {
        digest.update(amount.to_be_bytes());
    }
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
