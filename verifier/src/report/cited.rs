//! The rows of evidence that findings cite, as text: what a reader recomputes from.

use std::collections::{BTreeMap, BTreeSet};

use datafusion::arrow::array::{Array, RecordBatch};
use datafusion::arrow::util::display::array_value_to_string;
use hallmark_schemas::table::COMMON;
use serde::Serialize;

use crate::table::{TableSet, texts};

/// One row of an evidence table.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CitedRow {
    /// The table.
    pub table: String,
    /// Origin of the log that holds it; `None` for a row of a plain table.
    pub log: Option<String>,
    /// Its entry there.
    pub entry: Option<String>,
    /// Who signed it.
    pub issuer: Option<String>,
    /// When a checkpoint first showed it.
    pub recorded_at: Option<String>,
    /// The table's own columns that are stated, in the table's order.
    pub cells: Vec<(String, String)>,
}

/// The rows of these evidence ids, from tables as they stand; of what none of them has because it was
/// replaced or refused, from those that have all. The order is that of the tables.
pub fn rows(tables: &TableSet, wanted: &BTreeSet<&str>) -> BTreeMap<String, Vec<CitedRow>> {
    let mut found = of_tables(tables, wanted, false);
    let mut rest = wanted.clone();
    rest.retain(|id| !found.contains_key(*id));
    if !rest.is_empty() {
        found.extend(of_tables(tables, &rest, true));
    }
    found
}

fn of_tables(
    tables: &TableSet,
    wanted: &BTreeSet<&str>,
    is_all: bool,
) -> BTreeMap<String, Vec<CitedRow>> {
    const DERIVED: [&str; 4] = ["coverage", "defects", "findings", "tests"];
    let mut found: BTreeMap<String, Vec<CitedRow>> = BTreeMap::new();
    let own = |name: &str| !DERIVED.contains(&name.strip_suffix("_all").unwrap_or(name));
    let shown = tables.iter().filter(|(name, _)| name.ends_with("_all") == is_all && own(name));
    for (name, batches) in shown {
        for batch in batches {
            let Some(ids) = texts(batch, COMMON[0].name) else { continue };
            for row in 0..batch.num_rows() {
                if ids.is_valid(row) && wanted.contains(ids.value(row)) {
                    found
                        .entry(ids.value(row).to_owned())
                        .or_default()
                        .push(view(name, batch, row));
                }
            }
        }
    }
    found
}

fn view(table: &str, batch: &RecordBatch, row: usize) -> CitedRow {
    let cell = |name: &str| {
        let column = batch.column_by_name(name).filter(|column| column.is_valid(row))?;
        array_value_to_string(column, row).ok()
    };
    let schema = batch.schema();
    let own = schema
        .fields()
        .iter()
        .filter(|field| COMMON.iter().all(|common| common.name != field.name().as_str()));
    CitedRow {
        table: table.to_owned(),
        log: cell("log"),
        entry: cell("entry"),
        issuer: cell("issuer"),
        recorded_at: cell("from_hi"),
        cells: own.filter_map(|field| Some((field.name().clone(), cell(field.name())?))).collect(),
    }
}
