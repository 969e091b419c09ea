//! From the cells of a plain file to the rows of an evidence table.
//!
//! Invariants: a row is used whole or refused with line, column, reason and remedy; nothing is
//! guessed (no zone, no rounding, no unit) that a map does not say; texts keep their leading zeros;
//! an amount that was converted keeps what stood in the file beside it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use datafusion::arrow::error::ArrowError;
use hallmark_schemas::quantity::Quantity;
use hallmark_schemas::table::{COMMON, Cell, Column, ColumnType, Table};
use hallmark_schemas::time::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::csv::CsvError;
use super::map::{From, NotOnce, TableMap, unix_ms};
use super::unit;
use crate::evidence::{FAULTS_MAX, RowFault, Source};
use crate::table::{BATCH_ROWS_MAX, Builder, TableSet};

/// What separates the texts of a list in one cell.
const LIST_SEPARATOR: char = '|';

/// Rows of a plain file on their way into a table.
pub(super) struct Plain<'a> {
    table: &'static Table,
    map: &'a TableMap,
    columns: Vec<Mapped<'a>>,
    names: usize,
    /// Places of the column that names the unit of the amount.
    unit_place: Option<usize>,
    builder: Builder,
}

/// A column of the table and where it comes from.
struct Mapped<'a> {
    column: &'static Column,
    from: Option<&'a From>,
    /// Its column in the file.
    place: Option<usize>,
}

impl<'a> Plain<'a> {
    /// Finds each column of the table in the header of the file.
    pub(super) fn new(
        table: &'static Table,
        map: &'a TableMap,
        names: &[String],
        source: &mut Source,
    ) -> Result<Plain<'a>, CsvError> {
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            if !name.is_empty() && !seen.insert(name.as_str()) {
                return Err(CsvError::Twice { name: name.clone(), number: index + 1 });
            }
        }
        let place = |wanted: &str| names.iter().position(|name| name == wanted);
        let mut wanted: Vec<&str> = Vec::new();
        let mut columns = Vec::new();
        for column in table.all_columns() {
            let from = map.columns.get(column.name);
            let named = match from {
                Some(from) => from.column.as_deref(),
                None => Some(column.name),
            };
            wanted.extend(named);
            wanted.extend(from.and_then(|from| from.unit_column.as_deref()));
            columns.push(Mapped { column, from, place: named.and_then(place) });
        }
        let unit_column = map.columns.get("amount").and_then(|from| from.unit_column.as_deref());
        let mapped = columns.iter().filter_map(|one| one.from?.column.as_deref());
        let lacking = mapped.chain(unit_column).find(|name| place(name).is_none());
        if let Some(name) = lacking {
            return Err(CsvError::Unmapped { name: name.to_owned(), found: names.to_vec() });
        }
        // A converted amount brings its unit.
        let converts = columns.iter().any(Mapped::is_converted);
        let is_there = |one: &&Mapped<'_>| {
            one.from.is_some() || one.place.is_some() || (converts && one.column.name == unit::UNIT)
        };
        let needed = columns.iter().filter(|one| one.column.required_in_csv);
        let missing: Vec<_> =
            needed.filter(|one| !is_there(one)).map(|one| one.column.name.to_owned()).collect();
        if !missing.is_empty() {
            if names.len() == 1 && names[0].contains([';', '\t']) {
                return Err(CsvError::Encoding {
                    reason: "the columns are separated by something other than commas",
                    advice: "export the sheet as comma-separated values, or name the separator in a --map",
                });
            }
            return Err(CsvError::Missing { table: table.name, missing, found: names.to_vec() });
        }
        let unknown = names.iter().filter(|name| !wanted.contains(&name.as_str()));
        source.columns_ignored = unknown.cloned().collect();
        let unit_place = unit_column.and_then(place);
        let builder = Builder::new(table);
        Ok(Plain { table, map, columns, names: names.len(), unit_place, builder })
    }

    /// Takes one row of the file, or tells in `source` why not. A row of empty cells is none.
    pub(super) fn row(
        &mut self,
        line: u64,
        cells: &[&[u8]],
        source: &mut Source,
        tables: &mut TableSet,
    ) -> Result<(), ArrowError> {
        if cells.iter().all(|cell| cell.iter().all(u8::is_ascii_whitespace)) {
            return Ok(());
        }
        source.rows_read += 1;
        match self.cells(line, cells, source) {
            Ok(cells) => {
                self.builder.push(&cells);
                source.rows_used += 1;
            }
            Err(fault) => {
                source.rows_refused += 1;
                if source.faults.len() < FAULTS_MAX {
                    source.faults.push(fault);
                }
            }
        }
        if self.builder.len() == BATCH_ROWS_MAX {
            tables.push(self.table.name, self.builder.finish()?);
        }
        Ok(())
    }

    /// Puts the last rows into the table.
    pub(super) fn finish(mut self, tables: &mut TableSet) -> Result<(), ArrowError> {
        if !self.builder.is_empty() {
            tables.push(self.table.name, self.builder.finish()?);
        }
        Ok(())
    }

    fn cells(&self, line: u64, record: &[&[u8]], source: &Source) -> Result<Vec<Cell>, RowFault> {
        if record.len() != self.names {
            return Err(RowFault {
                line,
                column: (record.len().min(self.names) + 1).to_string(),
                reason: format!("the row has {} cells, the header {}", record.len(), self.names),
                advice: "put cells that hold a comma into double quotes".to_owned(),
            });
        }
        let digest = source.digest.as_deref().unwrap_or("stdin");
        let fault = |mapped: &Mapped<'_>, (reason, advice): CellFault| RowFault {
            line,
            column: mapped.title(),
            reason,
            advice: advice.into_owned(),
        };
        let mut cells = Vec::with_capacity(self.columns.len());
        for mapped in &self.columns {
            let cell = self.cell(mapped, record).map_err(|problem| fault(mapped, problem))?;
            cells.push(match cell {
                Cell::Null if mapped.column.name == COMMON[0].name => {
                    Cell::Text(format!("file:{digest}#{}", source.rows_read))
                }
                cell => cell,
            });
        }
        if let Some(mapped) = self.columns.iter().find(|one| one.is_converted()) {
            self.convert(mapped, record, &mut cells).map_err(|problem| fault(mapped, problem))?;
        }
        if let Some(mapped) =
            self.columns.iter().find(|one| one.from.is_some_and(|from| from.begins))
        {
            self.end(&mut cells).map_err(|problem| fault(mapped, problem))?;
        }
        let text = |name: &str| match self.table.position(name).map(|place| &cells[place]) {
            Some(Cell::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        match unit::fault(self.table, text) {
            Some((reason, advice)) => {
                Err(RowFault { line, column: unit::UNIT.to_owned(), reason, advice })
            }
            None => Ok(cells),
        }
    }

    /// The cell as the file gives it; an amount that is converted comes later.
    fn cell(&self, mapped: &Mapped<'_>, record: &[&[u8]]) -> Result<Cell, CellFault> {
        let Mapped { column, from, .. } = mapped;
        let bytes = mapped.bytes(record);
        let brought = column.name == unit::UNIT && self.columns.iter().any(Mapped::is_converted);
        if mapped.is_converted() || brought {
            return text(bytes).map(|_| Cell::Null);
        }
        let format = from.and_then(|from| from.format.as_deref());
        cell(column, bytes, &Clock { zone: self.map.zone.as_ref(), format })
    }

    /// Converts the amount to the base unit of its quantity and keeps what stood there.
    fn convert(
        &self,
        mapped: &Mapped<'_>,
        record: &[&[u8]],
        cells: &mut [Cell],
    ) -> Result<(), CellFault> {
        let from = mapped.from.ok_or_else(|| ("no unit".to_owned(), "name one".into()))?;
        let written = text(mapped.bytes(record))?.trim().to_owned();
        if written.is_empty() {
            return match mapped.column.required_in_csv {
                true => Err(empty()),
                false => Ok(()),
            };
        }
        if is_scientific(&written) {
            return Err(shortened(&written));
        }
        let unit = match (&from.unit, self.unit_place) {
            (Some(unit), _) => unit.clone(),
            (None, Some(place)) => {
                text(record.get(place).copied().unwrap_or_default())?.trim().to_owned()
            }
            (None, None) => String::new(),
        };
        let name =
            unit::quantity_column(self.table.name).and_then(|name| self.table.position(name));
        let quantity: Quantity = match name.map(|place| &cells[place]) {
            Some(Cell::Text(name)) => name.parse().map_err(|_| {
                (
                    format!("`{}` is no registered quantity, its units are not known", shown(name)),
                    "give the amounts in their base unit, without a unit in the map".into(),
                )
            })?,
            _ => {
                return Err((
                    "the row names no quantity".to_owned(),
                    "map the quantity, too".into(),
                ));
            }
        };
        let converted = quantity
            .convert(&written, &unit)
            .map_err(|error| (error.to_string(), "correct the cell or the map".into()))?;
        if !converted.exact && !from.round {
            return Err((
                format!("`{}` {unit} is no whole number of {}", shown(&written), quantity.unit()),
                "write `round = true` beside the unit in the map; the text is kept beside".into(),
            ));
        }
        let mut put = |name: &str, cell: Cell| {
            if let Some(place) = self.table.position(name) {
                cells[place] = cell;
            }
        };
        put(mapped.column.name, Cell::Integer(converted.amount));
        put(unit::UNIT, Cell::text(quantity.unit()));
        put("source_amount", Cell::Text(written));
        put("source_unit", Cell::Text(unit));
        Ok(())
    }

    /// Moves `read_at` from the beginning of the interval to its end.
    fn end(&self, cells: &mut [Cell]) -> Result<(), CellFault> {
        let place = |name: &str| self.table.position(name);
        let (Some(at), Some(interval)) = (place("read_at"), place("interval_s")) else {
            return Ok(());
        };
        if let (Cell::Instant(begins), Cell::Integer(seconds)) = (&cells[at], &cells[interval]) {
            let seconds = u64::try_from(*seconds).map_err(|_| {
                (format!("an interval of {seconds} s has no end"), "correct interval_s".into())
            })?;
            let ends = begins.unix_ms().saturating_add(seconds.saturating_mul(1_000));
            let ends = Timestamp::try_from_unix_ms(ends).ok_or_else(|| {
                ("the interval ends after the year 9999".to_owned(), "correct interval_s".into())
            })?;
            cells[at] = Cell::Instant(ends);
        }
        Ok(())
    }
}

impl Mapped<'_> {
    fn is_converted(&self) -> bool {
        self.from.is_some_and(From::is_converted)
    }

    fn bytes<'b>(&'b self, record: &[&'b [u8]]) -> &'b [u8] {
        match self.from.and_then(|from| from.value.as_ref()) {
            Some(value) => value.as_bytes(),
            None => self.place.and_then(|place| record.get(place).copied()).unwrap_or_default(),
        }
    }

    /// The name of the column, and in brackets how the file calls it.
    fn title(&self) -> String {
        match self.from.and_then(|from| from.column.as_ref()) {
            Some(name) => format!("{} ({name})", self.column.name),
            None => self.column.name.to_owned(),
        }
    }
}

/// How local times of a file are read.
struct Clock<'a> {
    zone: Option<&'a TimeZone>,
    format: Option<&'a str>,
}

/// What is wrong with a cell, and what to do.
type CellFault = (String, Cow<'static, str>);

/// The text of a cell.
fn text(bytes: &[u8]) -> Result<&str, CellFault> {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let encoding = "save the file as CSV in UTF-8, or name its encoding in a --map";
    let text = std::str::from_utf8(bytes).map_err(|_| ("not UTF-8".to_owned(), encoding.into()))?;
    if text.contains(['\0', char::REPLACEMENT_CHARACTER]) {
        return Err(("signs that are not of the encoding".to_owned(), encoding.into()));
    }
    Ok(text)
}

fn empty() -> CellFault {
    ("empty, but every row needs it".to_owned(), "fill it in".into())
}

fn shortened(text: &str) -> CellFault {
    (
        format!("`{}` was shortened by a spreadsheet, digits are lost", shown(text)),
        "format the column as text (or as a number without decimals) in the original and export \
         again"
            .into(),
    )
}

fn cell(column: &Column, bytes: &[u8], clock: &Clock<'_>) -> Result<Cell, CellFault> {
    let text = text(bytes)?;
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return match column.required_in_csv {
            true => Err(empty()),
            false => Ok(Cell::Null),
        };
    }
    if is_scientific(trimmed) {
        return Err(shortened(trimmed));
    }
    match column.kind {
        ColumnType::Text => Ok(Cell::Text(text.to_owned())),
        ColumnType::Integer => integer(trimmed),
        ColumnType::Bool => boolean(trimmed),
        ColumnType::Instant => instant(trimmed, clock),
        ColumnType::TextList => {
            Ok(Cell::List(text.split(LIST_SEPARATOR).map(|part| part.trim().to_owned()).collect()))
        }
    }
}

/// The start of a cell, for a message.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

/// `4.9E+12`: what spreadsheets make of long numbers.
fn is_scientific(text: &str) -> bool {
    let Some((mantissa, exponent)) = text.split_once(['E', 'e']) else {
        return false;
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(exponent) = exponent.strip_prefix('+') else {
        return false;
    };
    let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    digits(whole.trim_start_matches('-')) && digits(decimals) && digits(exponent)
}

fn integer(text: &str) -> Result<Cell, CellFault> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map(Cell::Integer).map_err(|_| {
            (
                format!("`{}` does not fit 64 bits", shown(text)),
                "check the unit and the digits".into(),
            )
        });
    }
    let advice = if text.contains(['.', ',']) {
        "amounts are whole numbers of the base unit (Wh, g, mL …) without separators: convert \
         them, give `scale_e10`, or name their unit in a --map"
    } else {
        "write a whole number such as 41000 or -3"
    };
    Err((format!("`{}` is no whole number", shown(text)), advice.into()))
}

fn boolean(text: &str) -> Result<Cell, CellFault> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(Cell::Bool(true)),
        "false" | "0" => Ok(Cell::Bool(false)),
        _ => Err((
            format!("`{}` is neither true nor false", shown(text)),
            "write true or false".into(),
        )),
    }
}

fn instant(text: &str, clock: &Clock<'_>) -> Result<Cell, CellFault> {
    if let Some(format) = clock.format {
        return formatted(text, format, clock);
    }
    let error = match Timestamp::parse(text) {
        Ok(at) => return Ok(Cell::Instant(at)),
        Err(error) => error,
    };
    if has_offset(text) {
        return Err((error.to_string(), "write it as 2026-03-01T08:15:00+08:00".into()));
    }
    match (clock.zone, text.parse::<DateTime>()) {
        (Some(zone), Ok(local)) => local_time(text, local, zone),
        (Some(_), Err(error)) => Err((
            format!("`{}` is no local time: {error}", shown(text)),
            "write it as 2026-03-01T08:15:00, or give its `format` in the map".into(),
        )),
        (None, _) => Err((
            error.to_string(),
            "an instant without an offset could be in any zone: write it with one, as \
             2026-03-01T08:15:00+08:00, or name its zone in a --map"
                .into(),
        )),
    }
}

fn has_offset(text: &str) -> bool {
    text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|rest| rest.contains(['+', '-']))
}

/// An instant in the signs of strftime; its offset is its own or that of the zone.
fn formatted(text: &str, format: &str, clock: &Clock<'_>) -> Result<Cell, CellFault> {
    let fail = |error: &dyn std::fmt::Display| {
        (
            format!("`{}` is not written as `{format}`: {error}", shown(text)),
            Cow::from("correct the cell or the map"),
        )
    };
    let parts = strtime::parse(format, text).map_err(|error| fail(&error))?;
    if parts.offset().is_some() {
        let at = parts.to_timestamp().map_err(|error| fail(&error))?;
        return at_ms(text, at.as_millisecond());
    }
    let local = parts.to_datetime().or_else(|_| parts.to_date().map(DateTime::from));
    let local = local.map_err(|error| fail(&error))?;
    match clock.zone {
        Some(zone) => local_time(text, local, zone),
        None => Err(("an instant without an offset".to_owned(), "name its zone in the map".into())),
    }
}

fn local_time(text: &str, local: DateTime, zone: &TimeZone) -> Result<Cell, CellFault> {
    match unix_ms(local, zone) {
        Ok(ms) => at_ms(text, ms),
        Err(NotOnce::Never) => Err((
            format!("the zone has no `{}`: its clocks were put forward then", shown(text)),
            "write the instant with its offset".into(),
        )),
        Err(NotOnce::Twice) => Err((
            format!("the zone has `{}` twice: its clocks were put back then", shown(text)),
            "write the instant with its offset".into(),
        )),
    }
}

fn at_ms(text: &str, ms: i64) -> Result<Cell, CellFault> {
    let at = u64::try_from(ms).ok().and_then(Timestamp::try_from_unix_ms);
    at.map(Cell::Instant).ok_or_else(|| {
        (format!("`{}` lies before 1970 or after 9999", shown(text)), "check the year".into())
    })
}
