//! `copied_windows(series, read_at, interval_s, amount, content_id, samples_min, distinct_min,
//! rich_ppm, repeats_max)`: stretches of a device's readings that repeat earlier ones exactly.
//!
//! An aggregate over all readings of one device. It returns a list of structs, one for each
//! stretch: `copy_start`, `copy_end`, `source_start`, `source_end` (instants), `samples`,
//! `distinct_values`, `n` (samples of the series), `p_ppb`, `series`, `evidence`, `evidence_count`.
//! The search itself, its gate and its p-value are described in [`search`].
//!
//! Rows are put into the total order (series, interval, read_at, content_id) first; of two rows of
//! one instant the lower content id counts. `series` tells apart what must not be compared
//! (quantity, unit, statistic); stretches of several series that move together are one.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type, TimeUnit};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

pub mod search;

use search::{Gate, Sample};

/// Most evidence ids in one struct; `evidence_count` says how many there are.
const EVIDENCE_MAX: usize = hallmark_schemas::kind::finding::EVIDENCE_MAX;
/// Arguments that are values of a reading; the rest are settings.
const COLUMNS: usize = 5;
/// Settings: see the module's words.
const SETTINGS: usize = 4;

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Millisecond, Some(Arc::from("+00:00")))
}

fn window_fields() -> Fields {
    let field = |name: &str, kind: DataType| Field::new(name, kind, true);
    Fields::from(vec![
        field("copy_start", instant()),
        field("copy_end", instant()),
        field("source_start", instant()),
        field("source_end", instant()),
        field("samples", DataType::Int64),
        field("distinct_values", DataType::Int64),
        field("n", DataType::Int64),
        field("p_ppb", DataType::Int64),
        field("series", DataType::Utf8),
        field("evidence", DataType::new_list(DataType::Utf8, true)),
        field("evidence_count", DataType::Int64),
    ])
}

/// See the module's words.
#[derive(Debug, Eq, Hash, PartialEq)]
pub struct CopiedWindows {
    signature: Signature,
}

impl CopiedWindows {
    /// The function.
    pub fn new() -> CopiedWindows {
        let mut arguments =
            vec![DataType::Utf8, instant(), DataType::Int64, DataType::Int64, DataType::Utf8];
        arguments.extend(vec![DataType::Int64; SETTINGS]);
        CopiedWindows { signature: Signature::exact(arguments, Volatility::Immutable) }
    }
}

impl Default for CopiedWindows {
    fn default() -> CopiedWindows {
        CopiedWindows::new()
    }
}

impl AggregateUDFImpl for CopiedWindows {
    fn name(&self) -> &str {
        "copied_windows"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Struct(window_fields()), true))
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Readings::default()))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list = |name: &str, kind: DataType| {
            let name = format!("{}[{name}]", args.name);
            Arc::new(Field::new(name, DataType::new_list(kind, true), true))
        };
        Ok(vec![
            list("series", DataType::Utf8),
            list("read_at", DataType::Int64),
            list("interval_s", DataType::Int64),
            list("amount", DataType::Int64),
            list("content_id", DataType::Utf8),
            list("settings", DataType::Int64),
        ])
    }
}

/// The readings of one device as they arrive.
#[derive(Debug, Default)]
struct Readings {
    samples: Vec<Sample>,
    /// Names of series, by `Sample::series`.
    series: Vec<String>,
    /// Content ids, by `Sample::id`; equal neighbours share one.
    ids: Vec<String>,
    settings: Vec<i64>,
}

impl Readings {
    fn push(&mut self, series: &str, at_ms: i64, interval_s: i64, amount: i64, id: &str) {
        let known = self.series.iter().rposition(|known| known == series);
        let series = known.unwrap_or_else(|| {
            self.series.push(series.to_owned());
            self.series.len() - 1
        });
        if self.ids.last().is_none_or(|last| last != id) {
            self.ids.push(id.to_owned());
        }
        self.samples.push(Sample { series, at_ms, interval_s, amount, id: self.ids.len() - 1 });
    }

    fn extend(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let at = cast(&columns[1], &DataType::Int64)?;
        let (series, id) = (columns[0].as_string::<i32>(), columns[4].as_string::<i32>());
        let (at, interval) =
            (at.as_primitive::<Int64Type>(), columns[2].as_primitive::<Int64Type>());
        let amount = columns[3].as_primitive::<Int64Type>();
        for row in 0..series.len() {
            if columns[..COLUMNS].iter().all(|column| column.is_valid(row)) {
                let (series, id) = (series.value(row), id.value(row));
                self.push(series, at.value(row), interval.value(row), amount.value(row), id);
            }
        }
        Ok(())
    }

    fn gate(&self) -> Result<Gate> {
        let [samples_min, distinct_min, rich_ppm, repeats_max] = self.settings[..] else {
            return exec_err!("copied_windows got no settings");
        };
        let (Ok(samples_min), true) = (usize::try_from(samples_min), 1 < samples_min) else {
            return exec_err!("copied_windows needs samples_min over 1, not {samples_min}");
        };
        Ok(Gate { samples_min, distinct_min, rich_ppm, repeats_max })
    }

    /// The windows as a list of structs.
    fn windows(&mut self) -> Result<ScalarValue> {
        let gate = self.gate()?;
        let (series, ids) = (&self.series, &self.ids);
        self.samples.sort_by(|a, b| {
            (&series[a.series], a.interval_s, a.at_ms, &ids[a.id]).cmp(&(
                &series[b.series],
                b.interval_s,
                b.at_ms,
                &ids[b.id],
            ))
        });
        self.samples.dedup_by_key(|sample| (sample.series, sample.interval_s, sample.at_ms));
        let windows: Vec<ScalarValue> = search::search(&self.samples, gate)
            .iter()
            .map(|window| self.describe(window))
            .collect::<Result<_>>()?;
        let list = ScalarValue::new_list(&windows, &DataType::Struct(window_fields()), true);
        Ok(ScalarValue::List(list))
    }

    fn describe(&self, window: &search::Window) -> Result<ScalarValue> {
        let mut names = BTreeSet::new();
        let mut evidence = BTreeSet::new();
        for part in &window.parts {
            names.insert(self.series[self.samples[part.copy].series].as_str());
            for from in [part.copy, part.source] {
                let rows = &self.samples[from..from + part.length];
                evidence.extend(rows.iter().map(|sample| self.ids[sample.id].as_str()));
            }
        }
        let names = names.into_iter().collect::<Vec<_>>().join(", ");
        let count = i64::try_from(evidence.len()).unwrap_or(i64::MAX);
        let listed: StringArray = evidence.into_iter().take(EVIDENCE_MAX).map(Some).collect();
        let at = |ms: i64| {
            ScalarValue::TimestampMillisecond(Some(ms), Some(Arc::from("+00:00"))).to_array()
        };
        let integer = |number: i64| -> ArrayRef { Arc::new(Int64Array::from(vec![number])) };
        let columns: Vec<ArrayRef> = vec![
            at(window.copy_start_ms)?,
            at(window.copy_end_ms)?,
            at(window.source_start_ms)?,
            at(window.source_end_ms)?,
            integer(window.samples),
            integer(window.distinct_values),
            integer(window.series_samples),
            integer(window.p_ppb),
            Arc::new(StringArray::from(vec![names])),
            Arc::new(SingleRowListArrayBuilder::new(Arc::new(listed)).build_list_array()),
            integer(count),
        ];
        let row = datafusion::arrow::array::StructArray::try_new(window_fields(), columns, None)?;
        Ok(ScalarValue::Struct(Arc::new(row)))
    }
}

impl Accumulator for Readings {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = values.first().map_or(0, |values| values.len());
        if self.settings.is_empty() && 0 < rows {
            let setting = |column: &ArrayRef| column.as_primitive::<Int64Type>().value(0);
            self.settings = values[COLUMNS..].iter().map(setting).collect();
        }
        self.extend(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.samples.is_empty() {
            let none = ScalarValue::new_list(&[], &DataType::Struct(window_fields()), true);
            return Ok(ScalarValue::List(none));
        }
        self.windows()
    }

    fn size(&self) -> usize {
        let texts =
            self.ids.iter().chain(&self.series).map(|text| text.capacity() + 24).sum::<usize>();
        size_of_val(self) + self.samples.capacity() * size_of::<Sample>() + texts
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let texts = |text: &dyn Fn(&Sample) -> String| -> ArrayRef {
            Arc::new(self.samples.iter().map(|sample| Some(text(sample))).collect::<StringArray>())
        };
        let integers = |number: &dyn Fn(&Sample) -> i64| -> ArrayRef {
            Arc::new(self.samples.iter().map(number).collect::<Int64Array>())
        };
        let columns = [
            texts(&|sample| self.series[sample.series].clone()),
            integers(&|sample| sample.at_ms),
            integers(&|sample| sample.interval_s),
            integers(&|sample| sample.amount),
            texts(&|sample| self.ids[sample.id].clone()),
            Arc::new(Int64Array::from(self.settings.clone())) as ArrayRef,
        ];
        let list = |column| SingleRowListArrayBuilder::new(column).build_list_scalar();
        Ok(columns.into_iter().map(list).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists: Vec<_> = states.iter().map(|state| state.as_list::<i32>()).collect();
        for row in 0..lists.first().map_or(0, |list| list.len()) {
            let settings = lists[COLUMNS].value(row);
            if self.settings.is_empty() {
                self.settings = settings.as_primitive::<Int64Type>().values().to_vec();
            }
            let columns: Vec<ArrayRef> =
                lists[..COLUMNS].iter().map(|list| list.value(row)).collect();
            self.extend(&columns)?;
        }
        Ok(())
    }
}
