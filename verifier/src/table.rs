//! Evidence tables as Arrow columns.
//!
//! Invariants: a batch has exactly the columns of its table, in the table's order; the rows of a
//! finished set are sorted by (bucket key, time, content id), so that the same evidence gives the
//! same bytes on any machine; nothing here iterates a hash map.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanBuilder, Int64Builder, ListBuilder, RecordBatch, StringArray,
    StringBuilder, TimestampMillisecondArray, TimestampMillisecondBuilder, UInt64Array,
};
use datafusion::arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, max, take};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::arrow::error::ArrowError;
use hallmark_schemas::table::{self, Bucket, COMMON, Cell, Column, ColumnType, Row, Table};
use hallmark_schemas::time::Timestamp;

/// Most rows of one batch: a million cells of 64 bytes in 64 columns stay under a few hundred MiB.
pub const BATCH_ROWS_MAX: usize = 65_536;

/// The offset written into every instant column.
const UTC: &str = "+00:00";

/// The column of `<table>_all` that names the attestation which replaced the row.
pub const REPLACED_BY: &str = "replaced_by";

/// Named evidence tables, each as batches of one schema.
#[derive(Clone, Debug, Default)]
pub struct TableSet {
    tables: BTreeMap<String, Vec<RecordBatch>>,
}

impl TableSet {
    /// No tables.
    pub fn new() -> TableSet {
        TableSet::default()
    }

    /// The tables that hold these rows, sorted.
    pub fn from_rows(rows: impl IntoIterator<Item = Row>) -> Result<TableSet, ArrowError> {
        let mut set = TableSet::new();
        set.add_rows(rows)?;
        set.sorted()
    }

    /// Adds rows to their tables. Call [`TableSet::sorted`] when all are there.
    pub fn add_rows(&mut self, rows: impl IntoIterator<Item = Row>) -> Result<(), ArrowError> {
        let mut open: BTreeMap<&'static str, Builder> = BTreeMap::new();
        for row in rows {
            let table = row.table;
            let builder = open.entry(table.name).or_insert_with(|| Builder::new(table));
            builder.push(&row.cells);
            if builder.len() == BATCH_ROWS_MAX {
                self.push(table.name, builder.finish()?);
            }
        }
        for (name, mut builder) in open {
            if !builder.is_empty() {
                self.push(name, builder.finish()?);
            }
        }
        Ok(())
    }

    /// Adds a batch to the table of this name.
    pub fn push(&mut self, name: impl Into<String>, batch: RecordBatch) {
        self.tables.entry(name.into()).or_default().push(batch);
    }

    /// Moves every batch of `other` behind those that are here.
    pub fn append(&mut self, other: TableSet) {
        for (name, batches) in other.tables {
            self.tables.entry(name).or_default().extend(batches);
        }
    }

    /// Replaces or adds a whole table.
    pub fn insert(&mut self, name: impl Into<String>, batches: Vec<RecordBatch>) {
        self.tables.insert(name.into(), batches);
    }

    /// The batches of a table; none if nothing was said in it.
    pub fn get(&self, name: &str) -> &[RecordBatch] {
        self.tables.get(name).map_or(&[], Vec::as_slice)
    }

    /// Tables with their batches, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[RecordBatch])> {
        self.tables.iter().map(|(name, batches)| (name.as_str(), batches.as_slice()))
    }

    /// How many rows a table has.
    pub fn rows(&self, name: &str) -> usize {
        self.get(name).iter().map(RecordBatch::num_rows).sum()
    }

    /// True if no table has a row.
    pub fn is_empty(&self) -> bool {
        self.tables.values().flatten().all(|batch| batch.num_rows() == 0)
    }

    /// Sorts every table by its bucket key, its first instant and the content id; rows alike in all
    /// three keep the order in which they came.
    pub fn sorted(self) -> Result<TableSet, ArrowError> {
        let mut tables = BTreeMap::new();
        for (name, batches) in self.tables {
            let sorted = sort_table(&name, &batches)?;
            tables.insert(name, sorted);
        }
        Ok(TableSet { tables })
    }
}

/// The Arrow schema of an evidence table.
pub fn schema(table: &Table) -> SchemaRef {
    Arc::new(Schema::new(fields(table)))
}

/// The Arrow schema of `<table>_all`: the table's columns and [`REPLACED_BY`].
pub fn schema_all(table: &Table) -> SchemaRef {
    let mut fields = fields(table);
    fields.push(Field::new(REPLACED_BY, DataType::Utf8, true));
    Arc::new(Schema::new(fields))
}

/// The evidence table that `name` belongs to, also when it is a `<table>_all`.
pub fn declared(name: &str) -> Option<&'static Table> {
    table::table(name).or_else(|| table::table(name.strip_suffix("_all")?))
}

/// The column whose value decides the bucket of a row, if the table is divided.
pub fn key_column(table: &Table) -> Option<&'static str> {
    match table.bucket {
        Bucket::Whole => None,
        Bucket::Facility(name)
        | Bucket::Device(name)
        | Bucket::Item(name)
        | Bucket::Location(name)
        | Bucket::Account(name)
        | Bucket::Event(name) => Some(name),
    }
}

/// The values of a text column; `None` if the batch has no such column.
pub fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}

/// The newest instant that a row speaks of: each table's own first instant, its entry's time and
/// the issuer's word. Instants that may lie ahead, such as the end of a validity, do not count.
pub fn newest_instant(set: &TableSet) -> Option<Timestamp> {
    let mut newest = None;
    for (name, batches) in set.iter() {
        let own = declared(name).and_then(|table| {
            table.columns.iter().find(|column| column.kind == ColumnType::Instant)
        });
        let names = own.map(|column| column.name).into_iter().chain(["from_hi", "asserted_at"]);
        for name in names {
            for batch in batches {
                newest = newest.max(newest_of(batch, name));
            }
        }
    }
    newest
}

/// When each of these attestations was in its log at the latest, by `from_hi`.
pub(crate) fn entered_at(set: &TableSet, wanted: &BTreeSet<&str>) -> BTreeMap<String, Timestamp> {
    let mut entered = BTreeMap::new();
    for batch in set.iter().flat_map(|(_, batches)| batches) {
        let instants = batch.column_by_name("from_hi").map(|column| column.as_any());
        let instants = instants.and_then(|any| any.downcast_ref::<TimestampMillisecondArray>());
        let (Some(ids), Some(instants)) = (texts(batch, "content_id"), instants) else {
            continue;
        };
        for (id, ms) in ids.iter().zip(instants) {
            let at = ms.and_then(|ms| Timestamp::try_from_unix_ms(u64::try_from(ms).ok()?));
            if let (Some(id), Some(at)) = (id.filter(|id| wanted.contains(id)), at) {
                entered.insert(id.to_owned(), at);
            }
        }
    }
    entered
}

fn newest_of(batch: &RecordBatch, name: &str) -> Option<Timestamp> {
    let column = batch.column_by_name(name)?.as_any();
    let ms = max(column.downcast_ref::<TimestampMillisecondArray>()?)?;
    Timestamp::try_from_unix_ms(u64::try_from(ms).ok()?)
}

fn fields(table: &Table) -> Vec<Field> {
    table
        .all_columns()
        .map(|column| Field::new(column.name, data_type(column.kind), column_is_nullable(column)))
        .collect()
}

/// A plain CSV row has no log, entry or issuer, and may lack what only attested rows must have.
fn column_is_nullable(column: &Column) -> bool {
    !column.required_in_csv && column.name != COMMON[0].name
}

/// The Arrow type of a column.
pub fn data_type(kind: ColumnType) -> DataType {
    match kind {
        ColumnType::Text => DataType::Utf8,
        ColumnType::Integer => DataType::Int64,
        ColumnType::Bool => DataType::Boolean,
        ColumnType::Instant => DataType::Timestamp(TimeUnit::Millisecond, Some(UTC.into())),
        ColumnType::TextList => DataType::new_list(DataType::Utf8, true),
    }
}

fn sort_table(name: &str, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>, ArrowError> {
    let Some(first) = batches.first() else {
        return Ok(Vec::new());
    };
    let whole = concat_batches(&first.schema(), batches)?;
    let mut by: Vec<ArrayRef> = Vec::new();
    if let Some(table) = declared(name) {
        let time = table.columns.iter().find(|column| column.kind == ColumnType::Instant);
        let names = [key_column(table), time.map(|column| column.name), Some(COMMON[0].name)];
        by.extend(
            names.into_iter().flatten().filter_map(|name| whole.column_by_name(name).cloned()),
        );
    }
    let rows = u64::try_from(whole.num_rows()).expect("a row count fits 64 bits");
    by.push(Arc::new(UInt64Array::from_iter_values(0..rows)));
    let by: Vec<_> = by.into_iter().map(|values| SortColumn { values, options: None }).collect();
    let order = lexsort_to_indices(&by, None)?;
    let columns = whole.columns().iter().map(|column| take(column, &order, None));
    let sorted = RecordBatch::try_new(whole.schema(), columns.collect::<Result<_, _>>()?)?;
    Ok((0..sorted.num_rows())
        .step_by(BATCH_ROWS_MAX)
        .map(|from| sorted.slice(from, BATCH_ROWS_MAX.min(sorted.num_rows() - from)))
        .collect())
}

/// Collects the rows of one table into a batch.
#[derive(Debug)]
pub struct Builder {
    schema: SchemaRef,
    columns: Vec<ColumnBuilder>,
    rows: usize,
}

#[derive(Debug)]
enum ColumnBuilder {
    Text(StringBuilder),
    Integer(Int64Builder),
    Bool(BooleanBuilder),
    Instant(TimestampMillisecondBuilder),
    List(ListBuilder<StringBuilder>),
}

impl Builder {
    /// An empty batch of this table.
    pub fn new(table: &Table) -> Builder {
        let columns = table.all_columns().map(|column| ColumnBuilder::new(column.kind)).collect();
        Builder { schema: schema(table), columns, rows: 0 }
    }

    /// Rows that are waiting.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// True if no row is waiting.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Adds one row. A cell that does not fit its column becomes null: `Rows` checks that before.
    pub fn push(&mut self, cells: &[Cell]) {
        for (builder, cell) in self.columns.iter_mut().zip(cells) {
            builder.push(cell);
        }
        self.rows += 1;
    }

    /// The batch; the builder is empty afterwards.
    pub fn finish(&mut self) -> Result<RecordBatch, ArrowError> {
        self.rows = 0;
        let columns = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }
}

impl ColumnBuilder {
    fn new(kind: ColumnType) -> ColumnBuilder {
        match kind {
            ColumnType::Text => ColumnBuilder::Text(StringBuilder::new()),
            ColumnType::Integer => ColumnBuilder::Integer(Int64Builder::new()),
            ColumnType::Bool => ColumnBuilder::Bool(BooleanBuilder::new()),
            ColumnType::Instant => {
                ColumnBuilder::Instant(TimestampMillisecondBuilder::new().with_timezone(UTC))
            }
            ColumnType::TextList => ColumnBuilder::List(ListBuilder::new(StringBuilder::new())),
        }
    }

    fn push(&mut self, cell: &Cell) {
        match (self, cell) {
            (ColumnBuilder::Text(builder), Cell::Text(text)) => builder.append_value(text),
            (ColumnBuilder::Integer(builder), Cell::Integer(number)) => {
                builder.append_value(*number)
            }
            (ColumnBuilder::Bool(builder), Cell::Bool(truth)) => builder.append_value(*truth),
            (ColumnBuilder::Instant(builder), Cell::Instant(at)) => {
                builder.append_value(i64::try_from(at.unix_ms()).expect("years end at 9999"));
            }
            (ColumnBuilder::List(builder), Cell::List(texts)) => {
                builder.append_value(texts.iter().map(Some));
            }
            (ColumnBuilder::Text(builder), _) => builder.append_null(),
            (ColumnBuilder::Integer(builder), _) => builder.append_null(),
            (ColumnBuilder::Bool(builder), _) => builder.append_null(),
            (ColumnBuilder::Instant(builder), _) => builder.append_null(),
            (ColumnBuilder::List(builder), _) => builder.append_null(),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            ColumnBuilder::Text(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Integer(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Bool(builder) => Arc::new(builder.finish()),
            ColumnBuilder::Instant(builder) => Arc::new(builder.finish()),
            ColumnBuilder::List(builder) => Arc::new(builder.finish()),
        }
    }
}
