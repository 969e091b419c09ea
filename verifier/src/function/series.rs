//! What all functions over a whole series have in common: an aggregate that gathers its rows, puts
//! them into a total order and answers with a list of structs.
//!
//! Invariants: the answer sees every row at once, in an order that the rows alone decide; a row in
//! which an argument is null is passed over; settings are the last arguments and the same in each
//! row. So an answer depends neither on how rows arrive nor on how many partitions they came in.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array, StringArray, StructArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type, TimeUnit};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

/// Most evidence ids in one struct; `evidence_count` says how many there are.
const EVIDENCE_MAX: usize = hallmark_schemas::kind::finding::EVIDENCE_MAX;

/// Type of an argument or of a field of the answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Type {
    Text,
    Integer,
    Instant,
    /// Field only: a sorted list of content ids, cut at [`EVIDENCE_MAX`].
    Evidence,
}

/// One value of an answer.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Text(String),
    Integer(i64),
    /// Unix milliseconds.
    Instant(i64),
    Evidence(BTreeSet<String>),
}

impl Cell {
    /// How many.
    pub(super) fn count(number: usize) -> Cell {
        Cell::Integer(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// An answer, struct by struct.
pub(super) type Structs = Vec<Vec<Cell>>;

/// A function over whole series.
pub(super) struct Spec {
    /// As rules write it.
    pub(super) name: &'static str,
    /// Arguments that are values of a row.
    pub(super) columns: &'static [Type],
    /// Columns that rows are ordered by, the first one most; all of them together tell rows apart.
    pub(super) order: &'static [usize],
    /// Names of the settings: the last arguments, integers.
    pub(super) settings: &'static [&'static str],
    /// Fields of a struct of the answer.
    pub(super) fields: &'static [(&'static str, Type)],
    /// The answer, struct by struct; the settings are at least as many as named above.
    pub(super) answer: fn(&Rows, &[i64]) -> Result<Structs>,
}

impl Type {
    fn of_arrow(self) -> DataType {
        match self {
            Type::Text => DataType::Utf8,
            Type::Integer => DataType::Int64,
            Type::Instant => DataType::Timestamp(TimeUnit::Millisecond, Some(Arc::from("+00:00"))),
            Type::Evidence => DataType::new_list(DataType::Utf8, true),
        }
    }
}

/// The rows of one group, ordered.
#[derive(Debug, Default)]
pub(super) struct Rows {
    columns: Vec<Values>,
    length: usize,
    /// The settings of the first row.
    settings: Vec<i64>,
}

#[derive(Debug)]
enum Values {
    Integers(Vec<i64>),
    Texts(Texts),
}

/// Texts by number: most rows repeat the text of the row before.
#[derive(Debug, Default)]
struct Texts {
    rows: Vec<u32>,
    known: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl Texts {
    fn push(&mut self, text: &str) -> Result<()> {
        if let Some(last) = self.rows.last().copied()
            && &*self.known[last as usize] == text
        {
            self.rows.push(last);
            return Ok(());
        }
        let number = match self.numbers.get(text) {
            Some(number) => *number,
            None => {
                let Ok(number) = u32::try_from(self.known.len()) else {
                    return exec_err!("a series has over four thousand million texts");
                };
                let text: Arc<str> = Arc::from(text);
                self.known.push(text.clone());
                self.numbers.insert(text, number);
                number
            }
        };
        self.rows.push(number);
        Ok(())
    }
}

impl Rows {
    fn of(spec: &Spec) -> Rows {
        let values = |kind: &Type| match kind {
            Type::Text => Values::Texts(Texts::default()),
            _ => Values::Integers(Vec::new()),
        };
        Rows { columns: spec.columns.iter().map(values).collect(), length: 0, settings: Vec::new() }
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// A number or an instant (Unix milliseconds). `column` must not be a text.
    pub(super) fn integer(&self, column: usize, row: usize) -> i64 {
        match &self.columns[column] {
            Values::Integers(values) => values[row],
            Values::Texts(texts) => i64::from(texts.rows[row]),
        }
    }

    /// A text; empty where `column` is none.
    pub(super) fn text(&self, column: usize, row: usize) -> &str {
        match &self.columns[column] {
            Values::Integers(_) => "",
            Values::Texts(texts) => &texts.known[texts.rows[row] as usize],
        }
    }

    /// True if both rows have the same text or number there.
    pub(super) fn same(&self, column: usize, a: usize, b: usize) -> bool {
        // Equal texts have one number.
        self.integer(column, a) == self.integer(column, b)
    }

    /// Stretches of rows that agree in these columns, in order.
    pub(super) fn groups(&self, columns: &[usize]) -> Vec<std::ops::Range<usize>> {
        let mut groups = Vec::new();
        let mut start = 0;
        for row in 1..=self.length {
            let goes_on =
                row < self.length && columns.iter().all(|column| self.same(*column, row - 1, row));
            if !goes_on {
                groups.push(start..row);
                start = row;
            }
        }
        groups
    }

    /// The texts of these rows.
    pub(super) fn evidence(
        &self,
        column: usize,
        rows: impl Iterator<Item = usize>,
    ) -> BTreeSet<String> {
        rows.map(|row| self.text(column, row).to_owned()).collect()
    }

    fn extend(&mut self, spec: &Spec, columns: &[ArrayRef]) -> Result<()> {
        let rows = columns.first().map_or(0, |column| column.len());
        if self.settings.is_empty() && 0 < rows {
            let setting = |column: &ArrayRef| column.as_primitive::<Int64Type>().value(0);
            self.settings = columns[spec.columns.len()..].iter().map(setting).collect();
        }
        let columns = &columns[..spec.columns.len()];
        let whole: Vec<usize> =
            (0..rows).filter(|row| columns.iter().all(|column| column.is_valid(*row))).collect();
        for (values, column) in self.columns.iter_mut().zip(columns) {
            match values {
                Values::Integers(values) => {
                    let column = cast(column, &DataType::Int64)?;
                    let column = column.as_primitive::<Int64Type>();
                    values.extend(whole.iter().map(|row| column.value(*row)));
                }
                Values::Texts(texts) => {
                    let column = column.as_string::<i32>();
                    whole.iter().try_for_each(|row| texts.push(column.value(*row)))?;
                }
            }
        }
        self.length += whole.len();
        Ok(())
    }

    fn sort(&mut self, order: &[usize]) {
        let mut rows: Vec<usize> = (0..self.length).collect();
        rows.sort_unstable_by(|a, b| {
            let by = |column: &usize| match &self.columns[*column] {
                Values::Integers(values) => values[*a].cmp(&values[*b]),
                Values::Texts(_) if self.same(*column, *a, *b) => Ordering::Equal,
                Values::Texts(_) => self.text(*column, *a).cmp(self.text(*column, *b)),
            };
            order.iter().map(by).find(|by| by.is_ne()).unwrap_or(Ordering::Equal)
        });
        for values in &mut self.columns {
            match values {
                Values::Integers(values) => {
                    *values = rows.iter().map(|row| values[*row]).collect();
                }
                Values::Texts(texts) => {
                    texts.rows = rows.iter().map(|row| texts.rows[*row]).collect();
                }
            }
        }
    }

    fn size(&self) -> usize {
        let of = |values: &Values| match values {
            Values::Integers(values) => values.capacity() * size_of::<i64>(),
            Values::Texts(texts) => {
                let kept = texts.known.iter().map(|text| text.len() + 64).sum::<usize>();
                texts.rows.capacity() * size_of::<u32>() + kept
            }
        };
        size_of_val(self) + self.columns.iter().map(of).sum::<usize>()
    }
}

/// A [`Spec`] as the query engine takes it.
pub(super) struct SeriesFunction {
    spec: &'static Spec,
    signature: Signature,
}

impl SeriesFunction {
    pub(super) fn new(spec: &'static Spec) -> SeriesFunction {
        let columns = spec.columns.iter().map(|kind| kind.of_arrow());
        let settings = spec.settings.iter().map(|_| DataType::Int64);
        let arguments = columns.chain(settings).collect();
        SeriesFunction { spec, signature: Signature::exact(arguments, Volatility::Immutable) }
    }
}

impl std::fmt::Debug for SeriesFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.spec.name)
    }
}

impl PartialEq for SeriesFunction {
    fn eq(&self, other: &SeriesFunction) -> bool {
        self.spec.name == other.spec.name
    }
}

impl Eq for SeriesFunction {}

impl Hash for SeriesFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec.name.hash(state);
    }
}

impl AggregateUDFImpl for SeriesFunction {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(DataType::Struct(fields(self.spec)), true))
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Gathered { spec: self.spec, rows: Rows::of(self.spec) }))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let list = |name: String, kind: DataType| {
            let name = format!("{}[{name}]", args.name);
            Arc::new(Field::new(name, DataType::new_list(kind, true), true))
        };
        let columns = self.spec.columns.iter().enumerate().map(|(number, kind)| {
            let text = *kind == Type::Text;
            list(number.to_string(), if text { DataType::Utf8 } else { DataType::Int64 })
        });
        let settings = list("settings".to_owned(), DataType::Int64);
        Ok(columns.chain([settings]).collect())
    }
}

fn fields(spec: &Spec) -> Fields {
    spec.fields.iter().map(|(name, kind)| Field::new(*name, kind.of_arrow(), true)).collect()
}

/// The rows of one group as they arrive.
struct Gathered {
    spec: &'static Spec,
    rows: Rows,
}

impl std::fmt::Debug for Gathered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} rows", self.spec.name, self.rows.length)
    }
}

impl Gathered {
    fn describe(&self, cells: Vec<Cell>) -> Result<ScalarValue> {
        let instant = |ms| ScalarValue::TimestampMillisecond(Some(ms), Some(Arc::from("+00:00")));
        let columns = cells.into_iter().map(|cell| {
            Ok(match cell {
                Cell::Text(text) => Arc::new(StringArray::from(vec![text])) as ArrayRef,
                Cell::Integer(number) => Arc::new(Int64Array::from(vec![number])),
                Cell::Instant(ms) => instant(ms).to_array()?,
                Cell::Evidence(ids) => {
                    let listed: StringArray =
                        ids.into_iter().take(EVIDENCE_MAX).map(Some).collect();
                    Arc::new(SingleRowListArrayBuilder::new(Arc::new(listed)).build_list_array())
                }
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(ScalarValue::Struct(Arc::new(StructArray::try_new(fields(self.spec), columns, None)?)))
    }
}

impl Accumulator for Gathered {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.rows.extend(self.spec, values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let kind = DataType::Struct(fields(self.spec));
        if self.rows.length == 0 {
            return Ok(ScalarValue::List(ScalarValue::new_list(&[], &kind, true)));
        }
        self.rows.sort(self.spec.order);
        let settings = self.rows.settings.clone();
        if settings.len() != self.spec.settings.len() {
            return exec_err!("{} got no settings", self.spec.name);
        }
        let answer = (self.spec.answer)(&self.rows, &settings)?;
        let structs =
            answer.into_iter().map(|cells| self.describe(cells)).collect::<Result<Vec<_>>>()?;
        Ok(ScalarValue::List(ScalarValue::new_list(&structs, &kind, true)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let list = |column| SingleRowListArrayBuilder::new(column).build_list_scalar();
        let columns = self.rows.columns.iter().map(|values| -> ArrayRef {
            match values {
                Values::Integers(values) => Arc::new(Int64Array::from(values.clone())),
                Values::Texts(texts) => {
                    let text = |row: &u32| Some(&*texts.known[*row as usize]);
                    Arc::new(texts.rows.iter().map(text).collect::<StringArray>())
                }
            }
        });
        let settings: ArrayRef = Arc::new(Int64Array::from(self.rows.settings.clone()));
        Ok(columns.chain([settings]).map(list).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let lists: Vec<_> = states.iter().map(|state| state.as_list::<i32>()).collect();
        let columns = self.spec.columns.len();
        for row in 0..lists.first().map_or(0, |list| list.len()) {
            let settings = lists[columns].value(row);
            if self.rows.settings.is_empty() {
                self.rows.settings = settings.as_primitive::<Int64Type>().values().to_vec();
            }
            let columns: Vec<ArrayRef> =
                lists[..columns].iter().map(|list| list.value(row)).collect();
            self.rows.extend(self.spec, &columns)?;
        }
        Ok(())
    }
}
