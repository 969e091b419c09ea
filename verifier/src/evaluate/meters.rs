//! The series of a clean table, day by day.

use std::collections::BTreeMap;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::arrow::error::ArrowError;

use crate::table::{TableSet, texts};

/// Seconds of a day.
pub const DAY_S: i64 = 86_400;

/// One series of one device.
#[derive(Clone, Debug)]
pub struct Meter {
    /// The device.
    pub device: String,
    /// What it measures.
    pub quantity: String,
    /// Unit of the amounts.
    pub unit: String,
    /// Its statistic, if it states one.
    pub statistic: Option<String>,
    /// Power of ten of the amounts.
    pub scale_e10: Option<i64>,
    /// Length of an interval.
    pub interval_s: i64,
    /// Whole days, in order.
    pub days: Vec<Day>,
}

/// A day with all its intervals.
#[derive(Clone, Debug)]
pub struct Day {
    /// Days since 1970, UTC.
    pub number: i64,
    /// One for each interval.
    pub amounts: Vec<i64>,
}

/// All series of sums and means in the table `meter_readings`, by device, quantity and interval;
/// power factors are ratios, which nobody cuts.
pub fn meters(tables: &TableSet) -> Result<Vec<Meter>, ArrowError> {
    type Key = (String, String, String, Option<String>, Option<i64>, i64);
    let mut series: BTreeMap<Key, BTreeMap<i64, i64>> = BTreeMap::new();
    for batch in tables.get("meter_readings") {
        let Some(columns) = Columns::of(batch)? else {
            continue;
        };
        for row in 0..batch.num_rows() {
            if let Some((key, at, amount)) = columns.row(row) {
                series.entry(key).or_default().entry(at).or_insert(amount);
            }
        }
    }
    let meters = series.into_iter().map(
        |((device, quantity, unit, statistic, scale_e10, interval_s), readings)| {
            let days = days(&readings, interval_s);
            Meter { device, quantity, unit, statistic, scale_e10, interval_s, days }
        },
    );
    Ok(meters.filter(|meter| !meter.days.is_empty()).collect())
}

struct Columns<'a> {
    device: &'a datafusion::arrow::array::StringArray,
    quantity: &'a datafusion::arrow::array::StringArray,
    unit: &'a datafusion::arrow::array::StringArray,
    statistic: &'a datafusion::arrow::array::StringArray,
    integers: Vec<datafusion::arrow::array::ArrayRef>,
}

impl Columns<'_> {
    fn of(batch: &RecordBatch) -> Result<Option<Columns<'_>>, ArrowError> {
        let names = ["read_at", "interval_s", "amount", "scale_e10"];
        let integers = names.iter().filter_map(|name| batch.column_by_name(name));
        let integers =
            integers.map(|column| cast(column, &DataType::Int64)).collect::<Result<Vec<_>, _>>()?;
        let text = |name| texts(batch, name);
        let found = (text("device"), text("quantity"), text("unit"), text("statistic"));
        let (Some(device), Some(quantity), Some(unit), Some(statistic)) = found else {
            return Ok(None);
        };
        let whole = integers.len() == names.len();
        Ok(whole.then_some(Columns { device, quantity, unit, statistic, integers }))
    }

    #[expect(clippy::type_complexity, reason = "the key of one map, named where that is")]
    fn row(
        &self,
        row: usize,
    ) -> Option<((String, String, String, Option<String>, Option<i64>, i64), i64, i64)> {
        let integer = |column: usize| {
            let column = self.integers[column].as_primitive::<Int64Type>();
            column.is_valid(row).then(|| column.value(row))
        };
        let statistic = self.statistic.is_valid(row).then(|| self.statistic.value(row).to_owned());
        let counts = statistic.as_deref().is_none_or(|name| name == "sum" || name == "mean")
            && !self.quantity.value(row).starts_with("power_factor");
        let (at, interval_s, amount) = (integer(0)?, integer(1)?, integer(2)?);
        if !counts || interval_s <= 0 || DAY_S % interval_s != 0 {
            return None;
        }
        let key = (
            self.device.value(row).to_owned(),
            self.quantity.value(row).to_owned(),
            self.unit.value(row).to_owned(),
            statistic,
            integer(3),
            interval_s,
        );
        Some((key, at, amount))
    }
}

fn days(readings: &BTreeMap<i64, i64>, interval_s: i64) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for (at, amount) in readings {
        let number = (at.div_euclid(1000) - interval_s).div_euclid(DAY_S);
        match days.last_mut() {
            Some(day) if day.number == number => day.amounts.push(*amount),
            _ => days.push(Day { number, amounts: vec![*amount] }),
        }
    }
    days.retain(|day| day.amounts.len() as i64 == DAY_S / interval_s);
    days
}
