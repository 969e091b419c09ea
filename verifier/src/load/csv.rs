//! Plain tables from CSV: what an auditor with a spreadsheet can judge today.
//!
//! Invariants: a row is used whole or refused with line, column, reason and remedy; nothing is
//! guessed (no zone, no rounding, no unit); texts keep their leading zeros; a file is read as a
//! stream and no row may be longer than [`ROW_BYTES_MAX`].

use std::io::{self, Read};

use datafusion::arrow::error::ArrowError;
use encoding_rs_io::DecodeReaderBytesBuilder;
use hallmark_schemas::table::Table;

use super::map::TableMap;
use super::plain::Plain;
use crate::evidence::Source;
use crate::table::TableSet;

/// Longest row: an EPCIS event as text is at most 256 KiB, so 1 MiB is beyond any honest row.
pub const ROW_BYTES_MAX: usize = 1 << 20;

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
    /// A column that the map names and the file has not.
    #[error("the map names the column `{name}`, which the file has not; it has {}", list(.found))]
    Unmapped {
        /// The name.
        name: String,
        /// What is there.
        found: Vec<String>,
    },
    /// A workbook that cannot be read.
    #[error("{0}")]
    Workbook(String),
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
    map: &TableMap,
    input: impl Read,
    source: &mut Source,
    tables: &mut TableSet,
) -> Result<(), CsvError> {
    match map.encoding {
        Some(encoding) => {
            let mut decoder = DecodeReaderBytesBuilder::new();
            let decoded = decoder.encoding(Some(encoding)).build(input);
            rows(table, map, decoded, source, tables)
        }
        None => rows(table, map, input, source, tables),
    }
}

fn rows(
    table: &'static Table,
    map: &TableMap,
    input: impl Read,
    source: &mut Source,
    tables: &mut TableSet,
) -> Result<(), CsvError> {
    let limited = Limited { input, left: ROW_BYTES_MAX };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .has_headers(false)
        .delimiter(map.separator)
        // With its default, the crate counts lines of files with CR LF one too low.
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(limited);
    let mut record = csv::ByteRecord::new();
    loop {
        if !next(&mut reader, &mut record)? {
            return Err(CsvError::Empty);
        }
        if map.header_line <= record.position().map_or(1, csv::Position::line) {
            break;
        }
    }
    let names = header_names(&record)?;
    let mut plain = Plain::new(table, map, &names, source)?;
    while next(&mut reader, &mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let cells: Vec<&[u8]> = record.iter().collect();
        plain.row(line, &cells, source, tables)?;
    }
    plain.finish(tables)?;
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
            reason: "the file is a workbook, not CSV",
            advice: "export the sheet as CSV in UTF-8",
        });
    }
    record
        .iter()
        .map(|name| match std::str::from_utf8(name) {
            Ok(name) => Ok(name.trim_start_matches('\u{feff}').trim().to_owned()),
            Err(_) => Err(CsvError::Encoding {
                reason: "the header is not UTF-8",
                advice: "save the file as CSV in UTF-8, or name its encoding in a --map, such as \
                         encoding = \"gb18030\"",
            }),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hallmark_schemas::table;

    fn read_text(text: impl AsRef<[u8]>) -> Result<(Source, TableSet), CsvError> {
        let table = table::table("meter_readings").expect("declared");
        let (mut source, mut tables) = (Source::default(), TableSet::new());
        source.digest = Some("ab".to_owned());
        read(table, &TableMap::default(), text.as_ref(), &mut source, &mut tables)?;
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
