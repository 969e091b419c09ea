//! Evidence tables: what rules read, as plain columns.
//!
//! Invariants: a table's columns are the common ones of [`COMMON`] and then its own, in this order,
//! everywhere (rows, lake, CSV, `hallmark-verify tables`); amounts are integers, a unit is named by
//! the column or stands in a column beside it; a cell's variant fits its column's type.

use crate::attestation::{Claims, ContentId};
use crate::id::{DeviceId, FacilityId};
use crate::time::{EntryTime, Timestamp};

pub mod carbon;
pub mod derived;
pub mod market;
pub mod measurement;
pub mod trust;

/// What the cells of a column are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// A signed 64-bit integer.
    Integer,
    /// True or false.
    Bool,
    /// Milliseconds since 1970-01-01T00:00:00Z; RFC 3339 text with an offset in CSV.
    Instant,
    /// Several texts; joined by `|` in CSV.
    TextList,
}

impl ColumnType {
    /// The name printed by `hallmark-verify tables`.
    pub const fn name(self) -> &'static str {
        match self {
            ColumnType::Text => "text",
            ColumnType::Integer => "integer",
            ColumnType::Bool => "bool",
            ColumnType::Instant => "instant",
            ColumnType::TextList => "text list",
        }
    }
}

/// One column of an evidence table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Column {
    /// Its name in SQL, in the lake and in a CSV header.
    pub name: &'static str,
    /// The type of its cells.
    pub kind: ColumnType,
    /// The unit of its integers, where it is one for all rows.
    pub unit: Option<&'static str>,
    /// One sentence: what a cell says.
    pub meaning: &'static str,
    /// A CSV given with `--table` must have this column.
    pub required_in_csv: bool,
    /// A cell may be null.
    pub optional: bool,
}

impl Column {
    const fn new(name: &'static str, kind: ColumnType, meaning: &'static str) -> Column {
        Column { name, kind, unit: None, meaning, required_in_csv: false, optional: true }
    }

    /// A column of texts.
    pub const fn text(name: &'static str, meaning: &'static str) -> Column {
        Column::new(name, ColumnType::Text, meaning)
    }

    /// A column of integers.
    pub const fn integer(name: &'static str, meaning: &'static str) -> Column {
        Column::new(name, ColumnType::Integer, meaning)
    }

    /// A column of truth values.
    pub const fn boolean(name: &'static str, meaning: &'static str) -> Column {
        Column::new(name, ColumnType::Bool, meaning)
    }

    /// A column of instants.
    pub const fn instant(name: &'static str, meaning: &'static str) -> Column {
        Column::new(name, ColumnType::Instant, meaning)
    }

    /// A column of text lists.
    pub const fn list(name: &'static str, meaning: &'static str) -> Column {
        Column::new(name, ColumnType::TextList, meaning)
    }

    /// All integers of the column are in this unit.
    pub const fn unit(self, unit: &'static str) -> Column {
        Column { unit: Some(unit), ..self }
    }

    /// Never null, and a CSV must have it.
    pub const fn required(self) -> Column {
        Column { required_in_csv: true, optional: false, ..self }
    }

    /// Never null in attested rows; a CSV may leave it out.
    pub const fn always(self) -> Column {
        Column { optional: false, ..self }
    }
}

/// By which column the lake hashes a table into buckets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Bucket {
    /// Small: given whole to every bucket.
    Whole,
    /// By the facility in this column; where that is null, by the device in `device`.
    Facility(&'static str),
    /// By the device in this column, through its facility.
    Device(&'static str),
    /// By the item in this column.
    Item(&'static str),
    /// By the place in this column.
    Location(&'static str),
    /// By the account in this column.
    Account(&'static str),
    /// Part of an event, whose id is in this column: kept in the bucket of each of its items, and a
    /// second time in the bucket of its place.
    Event(&'static str),
}

/// One evidence table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Table {
    /// Its name in SQL, in the lake and in `--table NAME=FILE`.
    pub name: &'static str,
    /// Its own columns; [`COMMON`] stand before them.
    pub columns: &'static [Column],
    /// How the lake divides it.
    pub bucket: Bucket,
    /// One sentence: what a row says.
    pub meaning: &'static str,
}

impl Table {
    /// All columns in order: the common ones, then its own.
    pub fn all_columns(&self) -> impl Iterator<Item = &'static Column> {
        COMMON.iter().chain(self.columns)
    }

    /// The place of a column among all columns.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.all_columns().position(|column| column.name == name)
    }
}

/// The first columns of every table. In a CSV given with `--table` all of them may be missing.
pub const COMMON: &[Column] = &[
    Column::text(
        "content_id",
        "Evidence id: `sha256:<hex>`, or `file:<sha256>#<row>` for a plain CSV row",
    )
    .always(),
    Column::text("log", "Origin of the log that holds the attestation"),
    Column::integer("entry", "Index of the attestation in that log"),
    Column::text("issuer", "Organisation that signed it"),
    Column::instant("asserted_at", "When the issuer says it signed (`iat`); a claim"),
    Column::instant("from_lo", "Quorum time of the last checkpoint without the entry"),
    Column::instant("from_hi", "Quorum time of the first checkpoint with the entry"),
];

/// One cell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cell {
    /// Not stated.
    Null,
    /// See [`ColumnType::Integer`].
    Integer(i64),
    /// See [`ColumnType::Text`].
    Text(String),
    /// See [`ColumnType::Bool`].
    Bool(bool),
    /// See [`ColumnType::Instant`].
    Instant(Timestamp),
    /// See [`ColumnType::TextList`].
    List(Vec<String>),
}

impl Cell {
    /// The text of anything that has one.
    pub fn text(value: impl ToString) -> Cell {
        Cell::Text(value.to_string())
    }

    /// A whole number that no integer column can hold becomes null: limits keep that from
    /// happening for anything an attestation states.
    pub fn integer(value: impl TryInto<i64>) -> Cell {
        value.try_into().map_or(Cell::Null, Cell::Integer)
    }

    /// Null for `None`.
    pub fn optional<T>(value: Option<T>, cell: impl FnOnce(T) -> Cell) -> Cell {
        value.map_or(Cell::Null, cell)
    }

    /// True if a column of this type may hold the cell.
    pub fn fits(&self, column: &Column) -> bool {
        match self {
            Cell::Null => column.optional,
            Cell::Integer(_) => column.kind == ColumnType::Integer,
            Cell::Text(_) => column.kind == ColumnType::Text,
            Cell::Bool(_) => column.kind == ColumnType::Bool,
            Cell::Instant(_) => column.kind == ColumnType::Instant,
            Cell::List(_) => column.kind == ColumnType::TextList,
        }
    }
}

/// Where the rows of one attestation come from.
#[derive(Clone, Debug)]
pub struct RowContext<'a> {
    /// The attestation.
    pub content_id: ContentId,
    /// Origin of the log that holds it.
    pub log: &'a str,
    /// Its index there.
    pub entry: u64,
    /// Its signed claims.
    pub claims: &'a Claims,
    /// The time interval of its entry.
    pub from: EntryTime,
    /// For `readings`: the facility of the device, from the `device` attestation in force.
    pub facility: Option<&'a FacilityId>,
    /// The device whose key signed it, where a device did.
    pub device: Option<&'a DeviceId>,
}

impl RowContext<'_> {
    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::text(self.content_id),
            Cell::text(self.log),
            Cell::integer(self.entry),
            Cell::text(&self.claims.iss),
            Cell::Instant(self.claims.iat),
            Cell::Instant(self.from.lo),
            Cell::Instant(self.from.hi),
        ]
    }
}

/// One row: a cell for each of [`Table::all_columns`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    /// The table it belongs to.
    pub table: &'static Table,
    /// Its cells, in the order of the table's columns.
    pub cells: Vec<Cell>,
}

/// The rows that attestations give.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    rows: Vec<Row>,
}

impl Rows {
    /// No rows yet.
    pub const fn new() -> Rows {
        Rows { rows: Vec::new() }
    }

    /// Adds a row that an attestation gives; `cells` are the table's own columns, in order.
    pub fn push(&mut self, table: &'static Table, context: &RowContext<'_>, cells: Vec<Cell>) {
        let mut all = context.cells();
        all.extend(cells);
        self.push_whole(table, all);
    }

    /// Adds a row with its common cells, as derived tables need it.
    pub fn push_whole(&mut self, table: &'static Table, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), COMMON.len() + table.columns.len(), "{}", table.name);
        debug_assert!(
            cells.iter().zip(table.all_columns()).all(|(cell, column)| cell.fits(column)),
            "a cell of {} does not fit its column: {cells:?}",
            table.name
        );
        self.rows.push(Row { table, cells });
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows, in the order they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }
}

impl IntoIterator for Rows {
    type Item = Row;
    type IntoIter = std::vec::IntoIter<Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows.into_iter()
    }
}

/// Every table of this release, by name.
pub fn all_tables() -> &'static [&'static Table] {
    ALL
}

/// The table of this name.
pub fn table(name: &str) -> Option<&'static Table> {
    ALL.binary_search_by(|table| table.name.cmp(name)).ok().map(|index| ALL[index])
}

/// Sorted by name.
static ALL: &[&Table] = &[
    &market::ACCOUNTS,
    &crate::kind::accreditation::ACCREDITATIONS,
    &market::ALLOCATIONS,
    &measurement::CALIBRATIONS,
    &crate::kind::certificate::CERTIFICATES,
    &measurement::CITED_REPORTS,
    &crate::kind::claim::CLAIMS,
    &trust::COMMITMENTS,
    &crate::kind::complaint::COMPLAINTS,
    &crate::kind::confirmation::CONFIRMATIONS,
    &derived::COVERAGE,
    &derived::DECISIONS,
    &derived::DEFECTS,
    &crate::kind::demand::DEMANDS,
    &crate::kind::device::DEVICES,
    &carbon::DISCLOSURES,
    &measurement::DOCUMENTS,
    &crate::kind::emissions::EMISSION_LINES,
    &trust::ENGAGEMENTS,
    &crate::kind::erasure::ERASURES,
    &crate::kind::event::rows::EVENT_ITEMS,
    &crate::kind::event::rows::EVENT_LINKS,
    &crate::kind::event::rows::EVENT_PARTIES,
    &crate::kind::event::rows::EVENTS,
    &measurement::EXTERNAL_STATEMENTS,
    &crate::kind::facility::FACILITIES,
    &carbon::FACTORS,
    &crate::kind::finding::FINDINGS,
    &crate::kind::footprint::FOOTPRINTS,
    &measurement::FUEL_MOVEMENTS,
    &crate::kind::inspection::INSPECTIONS,
    &measurement::INSTRUMENT_RUNS,
    &crate::kind::masterdata::ITEMS,
    &crate::kind::key::KEYS,
    &measurement::LAB_TESTS,
    &crate::kind::label::LABELS,
    &market::LEDGER_ENTRIES,
    &crate::kind::facility::LOCATIONS,
    &crate::kind::masterdata::LOTS,
    &market::MARKET_DAYS,
    &derived::METER_DAYS,
    &measurement::METER_EVENTS,
    &crate::kind::readings::METER_READINGS,
    &measurement::METER_TOPOLOGY,
    &derived::MISSING_BODIES,
    &carbon::MISSTATEMENTS,
    &carbon::NONCONFORMITIES,
    &market::OBLIGATIONS,
    &crate::kind::offer::OFFERS,
    &crate::kind::organisation::ORGANISATIONS,
    &crate::kind::masterdata::PARTIES,
    &measurement::PLAN_STREAMS,
    &market::PROJECTS,
    &crate::kind::recall::RECALLS,
    &trust::RELATIONS,
    &derived::RESOLUTIONS,
    &crate::kind::response::RESPONSES,
    &crate::kind::revocation::REVOCATIONS,
    &measurement::SAMPLE_PARTS,
    &measurement::SAMPLES,
    &crate::kind::event::rows::SENSOR_REPORTS,
    &market::SETTLEMENTS,
    &measurement::SUBSTITUTIONS,
    &derived::TESTS,
    &market::TRADES,
    &market::UNIT_BLOCKS,
    &measurement::UNITS,
    &carbon::VERIFICATIONS,
    &carbon::VISITS,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_sorted_and_their_columns_distinct() {
        assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name));
        for table in ALL {
            let mut names: Vec<_> = table.all_columns().map(|column| column.name).collect();
            names.sort_unstable();
            assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{}", table.name);
            assert!(super::table(table.name).is_some());
        }
    }

    #[test]
    fn every_bucket_is_a_column_of_its_table() {
        for table in ALL {
            let column = match table.bucket {
                Bucket::Whole => continue,
                Bucket::Facility(column)
                | Bucket::Device(column)
                | Bucket::Item(column)
                | Bucket::Location(column)
                | Bucket::Account(column)
                | Bucket::Event(column) => column,
            };
            assert!(table.position(column).is_some(), "{} {column}", table.name);
        }
    }
}
