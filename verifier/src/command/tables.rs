//! `hallmark-verify tables`: the schema of every evidence table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::quantity::Quantity;
use hallmark_schemas::table::{self, Bucket, COMMON, Column, Table};
use serde::Serialize;

use super::check::write_stdout;
use crate::cli::{Format, TablesArgs};
use crate::failure::Failure;
use crate::load::{self, unit};

/// One table, as a line of JSON.
#[derive(Debug, Serialize)]
struct TableView {
    name: &'static str,
    meaning: &'static str,
    /// What it is divided by: `facility`, `item` …; `whole` if it is not.
    bucket: &'static str,
    bucket_column: Option<&'static str>,
    columns: Vec<ColumnView>,
    /// What the column `unit` takes, by quantity, the base unit first; where rows are held to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    units: Option<BTreeMap<&'static str, Vec<&'static str>>>,
}

#[derive(Debug, Serialize)]
struct ColumnView {
    name: &'static str,
    r#type: &'static str,
    unit: Option<&'static str>,
    /// A CSV given with `--table` must have it, without empty cells.
    required: bool,
    /// It stands first in every table.
    common: bool,
    meaning: &'static str,
}

/// Prints the tables, all or the named ones.
pub fn run(args: &TablesArgs) -> Result<Exit, Failure> {
    let chosen = chosen(&args.names)?;
    let mut out = String::new();
    match args.format {
        Format::Text => {
            if args.names.is_empty() {
                common_text(&mut out);
            }
            chosen.iter().for_each(|table| table_text(table, &mut out));
            if chosen.iter().any(|table| unit::is_checked(table)) {
                units_text(&mut out);
            }
            let _fmt = writeln!(out, "{} tables", chosen.len());
        }
        Format::Json => {
            for table in chosen {
                out.push_str(&serde_json::to_string(&view(table)).expect("texts and flags"));
                out.push('\n');
            }
        }
    }
    write_stdout(out.as_bytes())?;
    Ok(Exit::Done)
}

fn chosen(names: &[String]) -> Result<Vec<&'static Table>, Failure> {
    if names.is_empty() {
        return Ok(table::all_tables().to_vec());
    }
    let named = |name: &String| {
        load::table_named(name).map_err(|near| {
            let failure = Failure::usage(format!("there is no table `{name}`"));
            match near {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => failure.help("`hallmark-verify tables` lists all"),
            }
        })
    };
    names.iter().map(named).collect()
}

fn common_text(out: &mut String) {
    out.push_str("Columns of every table; all of them may be missing in a CSV:\n");
    columns_text(COMMON, out);
    out.push('\n');
}

fn table_text(table: &Table, out: &mut String) {
    let bucket = match bucket(table.bucket) {
        ("whole", _) => String::new(),
        (by, column) => format!(" (divided by {by}, column {})", column.unwrap_or("?")),
    };
    let _fmt = writeln!(out, "{}: {}{bucket}", table.name, table.meaning);
    columns_text(table.columns, out);
    out.push('\n');
}

fn columns_text(columns: &[Column], out: &mut String) {
    let width = columns.iter().map(|column| column.name.len()).max().unwrap_or(0);
    for column in columns {
        let mark = if column.required_in_csv { ' ' } else { '?' };
        let kind = match column.unit {
            Some(unit) => format!("{}, {unit}", column.kind.name()),
            None => column.kind.name().to_owned(),
        };
        let line = format!("  {:width$}{mark} {kind:<12} {}", column.name, column.meaning);
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn units_text(out: &mut String) {
    out.push_str(
        "Units that a row may have, by its quantity, the base unit first. Amounts in another one are\n\
         converted; any other unit is refused. Of a quantity that is not here, any unit is taken as\n\
         it is written. Tables held to it: ",
    );
    let held = table::all_tables().iter().filter(|table| unit::is_checked(table));
    out.push_str(&held.map(|table| table.name).collect::<Vec<_>>().join(", "));
    out.push('\n');
    let width = Quantity::all().map(|quantity| quantity.name().len()).max().unwrap_or(0);
    for (quantity, units) in units() {
        let _fmt = writeln!(out, "  {quantity:width$} {}", units.join(", "));
    }
    out.push('\n');
}

fn units() -> BTreeMap<&'static str, Vec<&'static str>> {
    Quantity::all().map(|quantity| (quantity.name(), quantity.units().collect())).collect()
}

fn view(table: &'static Table) -> TableView {
    let (bucket, bucket_column) = bucket(table.bucket);
    let column = |(place, column): (usize, &'static Column)| ColumnView {
        name: column.name,
        r#type: column.kind.name(),
        unit: column.unit,
        required: column.required_in_csv,
        common: place < COMMON.len(),
        meaning: column.meaning,
    };
    let columns = table.all_columns().enumerate().map(column).collect();
    let units = unit::is_checked(table).then(units);
    TableView { name: table.name, meaning: table.meaning, bucket, bucket_column, columns, units }
}

const fn bucket(bucket: Bucket) -> (&'static str, Option<&'static str>) {
    match bucket {
        Bucket::Whole => ("whole", None),
        Bucket::Facility(column) => ("facility", Some(column)),
        Bucket::Device(column) => ("device", Some(column)),
        Bucket::Item(column) => ("item", Some(column)),
        Bucket::Location(column) => ("location", Some(column)),
        Bucket::Account(column) => ("account", Some(column)),
        Bucket::Event(column) => ("event", Some(column)),
    }
}
