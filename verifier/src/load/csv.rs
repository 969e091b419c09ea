//! Plain tables from CSV: what an auditor with a spreadsheet can judge today.
//!
//! Invariants: a row is used whole or refused with line, column, reason and remedy; nothing is
//! guessed (no zone, no rounding, no unit); texts keep their leading zeros; a file is read as a
//! stream and no row may be longer than [`ROW_BYTES_MAX`].

use std::collections::BTreeSet;
use std::io::{self, Read};

use datafusion::arrow::error::ArrowError;
use hallmark_schemas::table::{COMMON, Cell, Column, ColumnType, Table};
use hallmark_schemas::time::Timestamp;

use super::unit;
use crate::evidence::{FAULTS_MAX, RowFault, Source};
use crate::table::{BATCH_ROWS_MAX, Builder, TableSet};

/// Longest row: an EPCIS event as text is at most 256 KiB, so 1 MiB is beyond any honest row.
pub const ROW_BYTES_MAX: usize = 1 << 20;

/// What separates the texts of a list in one cell.
const LIST_SEPARATOR: char = '|';

/// Why a whole CSV file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    /// The file cannot be read on.
    #[error("failed to read near line {line}")]
    Read {
        /// The line reached.
        line: u64,
        /// What the system said.
        source: csv::Error,
    },
    /// No header at all.
    #[error("the file is empty: its first line must name the columns")]
    Empty,
    /// Not comma-separated UTF-8.
    #[error("line 1: {reason}; {advice}")]
    Encoding {
        /// What it looks like.
        reason: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// One name twice.
    #[error("line 1, column {number}: `{name}` stands in the header twice")]
    Twice {
        /// The name.
        name: String,
        /// Number of the second one.
        number: usize,
    },
    /// Columns without which no row means anything.
    #[error(
        "line 1: the header lacks {}, which table `{table}` needs; it has {}",
        list(.missing),
        list(.found)
    )]
    Missing {
        /// The table.
        table: &'static str,
        /// What is missing.
        missing: Vec<String>,
        /// What is there.
        found: Vec<String>,
    },
    /// The columns could not be built.
    #[error("failed to build the columns")]
    Columns(#[from] ArrowError),
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Reads the rows of `table` into `tables` and tells in `source` what became of them.
///
/// Rows without a `content_id` of their own are named `file:<source.digest>#<row>`.
pub fn read(
    table: &'static Table,
    input: impl Read,
    source: &mut Source,
    tables: &mut TableSet,
) -> Result<(), CsvError> {
    let limited = Limited { input, left: ROW_BYTES_MAX };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        // With its default, the crate counts lines of files with CR LF one too low.
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(limited);
    let mut record = csv::ByteRecord::new();
    if !next(&mut reader, &mut record)? {
        return Err(CsvError::Empty);
    }
    let header = Header::parse(table, &record, source)?;
    let mut builder = Builder::new(table);
    while next(&mut reader, &mut record)? {
        if record.iter().all(|cell| cell.iter().all(u8::is_ascii_whitespace)) {
            continue;
        }
        source.rows_read += 1;
        match header.cells(&record, source) {
            Ok(cells) => {
                builder.push(&cells);
                source.rows_used += 1;
            }
            Err(fault) => {
                source.rows_refused += 1;
                if source.faults.len() < FAULTS_MAX {
                    source.faults.push(fault);
                }
            }
        }
        if builder.len() == BATCH_ROWS_MAX {
            tables.push(table.name, builder.finish()?);
        }
    }
    if !builder.is_empty() {
        tables.push(table.name, builder.finish()?);
    }
    Ok(())
}

fn next<R: Read>(
    reader: &mut csv::Reader<Limited<R>>,
    record: &mut csv::ByteRecord,
) -> Result<bool, CsvError> {
    reader.get_mut().left = ROW_BYTES_MAX;
    let line = reader.position().line();
    reader.read_byte_record(record).map_err(|source| CsvError::Read { line, source })
}

/// Stops a row that never ends, such as one with an unclosed quote, before it fills the memory.
struct Limited<R> {
    input: R,
    left: usize,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a row is longer than 1 MiB; look for a quote that is not closed",
            ));
        }
        let most = buffer.len().min(self.left);
        let read = self.input.read(&mut buffer[..most])?;
        self.left -= read;
        Ok(read)
    }
}

/// Where each column of the table stands in the file.
struct Header {
    table: &'static Table,
    columns: Vec<(&'static Column, Option<usize>)>,
    names: Vec<String>,
}

impl Header {
    fn parse(
        table: &'static Table,
        record: &csv::ByteRecord,
        source: &mut Source,
    ) -> Result<Header, CsvError> {
        let names = header_names(record)?;
        let mut seen = BTreeSet::new();
        for (index, name) in names.iter().enumerate() {
            if !name.is_empty() && !seen.insert(name.as_str()) {
                return Err(CsvError::Twice { name: name.clone(), number: index + 1 });
            }
        }
        let place = |column: &Column| names.iter().position(|name| name == column.name);
        let columns: Vec<_> = table.all_columns().map(|column| (column, place(column))).collect();
        let missing: Vec<_> = columns
            .iter()
            .filter(|(column, place)| column.required_in_csv && place.is_none())
            .map(|(column, _)| column.name.to_owned())
            .collect();
        if !missing.is_empty() {
            if names.len() == 1 && names[0].contains([';', '\t']) {
                return Err(CsvError::Encoding {
                    reason: "the columns are separated by something other than commas",
                    advice: "export the sheet as comma-separated values",
                });
            }
            return Err(CsvError::Missing { table: table.name, missing, found: names });
        }
        let unknown = names.iter().filter(|name| table.position(name).is_none());
        source.columns_ignored = unknown.cloned().collect();
        Ok(Header { table, columns, names })
    }

    fn cells(&self, record: &csv::ByteRecord, source: &Source) -> Result<Vec<Cell>, RowFault> {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() != self.names.len() {
            return Err(RowFault {
                line,
                column: (record.len().min(self.names.len()) + 1).to_string(),
                reason: format!(
                    "the row has {} cells, the header {}",
                    record.len(),
                    self.names.len()
                ),
                advice: "put cells that hold a comma into double quotes".to_owned(),
            });
        }
        let digest = source.digest.as_deref().unwrap_or("stdin");
        let cells = self.columns.iter();
        let cells: Vec<Cell> = cells
            .map(|(column, place)| {
                let bytes = place.and_then(|place| record.get(place)).unwrap_or_default();
                let cell = cell(column, bytes).map_err(|(reason, advice)| RowFault {
                    line,
                    column: column.name.to_owned(),
                    reason,
                    advice: advice.to_owned(),
                })?;
                Ok(match cell {
                    Cell::Null if column.name == COMMON[0].name => {
                        Cell::Text(format!("file:{digest}#{}", source.rows_read))
                    }
                    cell => cell,
                })
            })
            .collect::<Result<_, _>>()?;
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
}

fn header_names(record: &csv::ByteRecord) -> Result<Vec<String>, CsvError> {
    let first = record.get(0).unwrap_or_default();
    if first.starts_with(&[0xff, 0xfe]) || first.starts_with(&[0xfe, 0xff]) || first.contains(&0) {
        return Err(CsvError::Encoding {
            reason: "the file is UTF-16",
            advice: "save it as CSV in UTF-8",
        });
    }
    if first.starts_with(b"PK\x03\x04") {
        return Err(CsvError::Encoding {
            reason: "the file is a spreadsheet, not CSV",
            advice: "export the sheet as CSV in UTF-8",
        });
    }
    record
        .iter()
        .map(|name| match std::str::from_utf8(name) {
            Ok(name) => Ok(name.trim_start_matches('\u{feff}').trim().to_owned()),
            Err(_) => Err(CsvError::Encoding {
                reason: "the header is not UTF-8",
                advice: "save the file as CSV in UTF-8",
            }),
        })
        .collect()
}

type CellFault = (String, &'static str);

fn cell(column: &Column, bytes: &[u8]) -> Result<Cell, CellFault> {
    let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|_| ("not UTF-8".to_owned(), "save the file as CSV in UTF-8"))?;
    if text.contains('\0') {
        return Err(("a zero byte".to_owned(), "save the file as CSV in UTF-8"));
    }
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return match column.required_in_csv {
            true => Err(("empty, but every row needs it".to_owned(), "fill it in")),
            false => Ok(Cell::Null),
        };
    }
    if is_scientific(trimmed) {
        return Err((
            format!("`{}` was shortened by a spreadsheet, digits are lost", shown(trimmed)),
            "format the column as text (or as a number without decimals) in the original and \
             export again",
        ));
    }
    match column.kind {
        ColumnType::Text => Ok(Cell::Text(text.to_owned())),
        ColumnType::Integer => integer(trimmed),
        ColumnType::Bool => boolean(trimmed),
        ColumnType::Instant => instant(trimmed),
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
            (format!("`{}` does not fit 64 bits", shown(text)), "check the unit and the digits")
        });
    }
    let advice = if text.contains(['.', ',']) {
        "amounts are whole numbers of the base unit (Wh, g, mL …) without separators: convert \
         them, or give `scale_e10`"
    } else {
        "write a whole number such as 41000 or -3"
    };
    Err((format!("`{}` is no whole number", shown(text)), advice))
}

fn boolean(text: &str) -> Result<Cell, CellFault> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(Cell::Bool(true)),
        "false" | "0" => Ok(Cell::Bool(false)),
        _ => Err((format!("`{}` is neither true nor false", shown(text)), "write true or false")),
    }
}

fn instant(text: &str) -> Result<Cell, CellFault> {
    Timestamp::parse(text).map(Cell::Instant).map_err(|error| {
        let advice = if text.ends_with(['Z', 'z'])
            || text.get(10..).is_some_and(|rest| rest.contains(['+', '-']))
        {
            "write it as 2026-03-01T08:15:00+08:00"
        } else {
            "an instant without an offset could be in any zone: write it with one, as \
             2026-03-01T08:15:00+08:00"
        };
        (error.to_string(), advice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hallmark_schemas::table;

    fn read_text(text: impl AsRef<[u8]>) -> Result<(Source, TableSet), CsvError> {
        let table = table::table("meter_readings").expect("declared");
        let (mut source, mut tables) = (Source::default(), TableSet::new());
        source.digest = Some("ab".to_owned());
        read(table, text.as_ref(), &mut source, &mut tables)?;
        Ok((source, tables))
    }

    const HEADER: &str = "device,quantity,unit,read_at,interval_s,amount,register";

    /// The one row's fault, as the report prints it.
    fn fault(row: &str) -> String {
        let (source, _) = read_text(format!("{HEADER}\n{row}\n")).unwrap();
        assert_eq!((source.rows_read, source.rows_used, source.rows_refused), (1, 0, 1), "{row}");
        source.faults[0].to_string()
    }

    #[test]
    fn columns_stand_in_any_order_and_unknown_ones_are_listed() {
        let text = "\u{feff}amount,note,device,unit,read_at,quantity,interval_s\r\n\
            7,\"a, b\",0042,Wh,2026-03-01T00:15:00+08:00,electricity,900\r\n\r\n";
        let (source, tables) = read_text(text).unwrap();
        assert_eq!(source.columns_ignored, ["note"]);
        assert_eq!((source.rows_read, source.rows_used, source.rows_refused), (1, 1, 0));
        let batch = &tables.get("meter_readings")[0];
        let text = |name| crate::table::texts(batch, name).unwrap().value(0).to_owned();
        assert_eq!(text("device"), "0042"); // leading zeros stay
        assert_eq!(text("content_id"), "file:ab#1");
        assert_eq!(batch.column_by_name("register").unwrap().null_count(), 1);
    }

    #[test]
    fn each_bad_cell_is_refused_with_line_column_and_remedy() {
        let at = "2026-03-01T00:15:00Z";
        for (row, wanted) in [
            (format!("d,electricity,Wh,{at},900,4.9E+12,"), ["line 2, column amount", "as text"]),
            (format!("6.9E+12,electricity,Wh,{at},900,1,"), ["column device", "as text"]),
            (
                format!("d,electricity,Wh,{at},900,1.5,"),
                ["column amount", "whole numbers of the base"],
            ),
            (
                format!("d,electricity,Wh,{at},900,\"1,500\","),
                ["column amount", "without separators"],
            ),
            (
                format!("d,electricity,Wh,{at},900,99999999999999999999,"),
                ["column amount", "64 bits"],
            ),
            (format!("d,electricity,Wh,{at},900,one,"), ["column amount", "whole number"]),
            (format!("d,electricity,Wh,{at},900,,"), ["column amount", "fill it in"]),
            (format!("d,electricity,banana,{at},900,1,"), ["line 2, column unit", "nearest"]),
            (format!("d,electricity,KWH,{at},900,1,"), ["column unit", "`kWh`"]),
            (format!("d,electricity,Wh,{at},900,1"), ["column 7", "double quotes"]),
            ("d,electricity,Wh,2026-03-01T00:15:00,900,1,".to_owned(), ["read_at", "any zone"]),
            ("d,electricity,Wh,2026-13-01T00:15:00Z,900,1,".to_owned(), ["read_at", "+08:00"]),
            ("d,electricity,Wh,1.3.2026,900,1,".to_owned(), ["read_at", "+08:00"]),
        ] {
            let found = fault(&row);
            assert!(wanted.iter().all(|part| found.contains(part)), "{row}: {found}");
        }
    }

    #[test]
    fn lines_are_counted_through_quoted_line_ends_and_good_rows_stay() {
        let at = "2026-03-01T00:15:00Z";
        let text = format!(
            "{HEADER}\n\"a\nb\",electricity,Wh,{at},900,1,\nd,electricity,Wh,{at},900,x,\n\
             e,electricity,Wh,{at},900,-3,007\n"
        );
        let (source, tables) = read_text(text).unwrap();
        assert_eq!((source.rows_used, source.rows_refused), (2, 1));
        assert_eq!(source.faults[0].line, 4);
        assert_eq!(tables.rows("meter_readings"), 2);
    }

    #[test]
    fn files_that_are_no_such_table_are_refused_whole() {
        assert!(matches!(read_text(""), Err(CsvError::Empty)));
        assert!(matches!(read_text("device,amount\n1,2\n"), Err(CsvError::Missing { .. })));
        assert!(matches!(read_text("device,device\n"), Err(CsvError::Twice { number: 2, .. })));
        assert!(matches!(read_text("device;amount;unit\n"), Err(CsvError::Encoding { .. })));
        assert!(matches!(read_text(b"\xff\xfed\0e\0"), Err(CsvError::Encoding { .. })));
        assert!(matches!(read_text(b"PK\x03\x04 and so on"), Err(CsvError::Encoding { .. })));
        assert!(matches!(read_text(b"ger\xe4t,amount\n"), Err(CsvError::Encoding { .. })));
        let open = format!("{HEADER}\n\"{}", "x".repeat(2 * ROW_BYTES_MAX));
        assert!(matches!(read_text(open), Err(CsvError::Read { .. })));
        let bad =
            [HEADER.as_bytes(), b"\nd\xff,electricity,Wh,2026-03-01T00:15:00Z,900,1,\n"].concat();
        assert!(read_text(bad).unwrap().0.faults[0].advice.contains("UTF-8"));
    }
}
