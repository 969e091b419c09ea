//! Workbooks (XLSX) as plain tables: the cells of one sheet, as texts.
//!
//! Invariants: a workbook is unpacked once to be measured before anything of it is believed, so that
//! a small file cannot fill the memory; a number that a sheet cannot hold exactly is refused, not
//! rounded; a date of the sheet becomes a local time, whose zone a map must name.

use std::io::{self, Read, Seek};

use calamine::{DataRef, Reader, Xlsx};
use hallmark_schemas::table::Table;
use zip::ZipArchive;

use super::csv::CsvError;
use super::map::TableMap;
use super::plain::Plain;
use crate::evidence::Source;
use crate::table::TableSet;

/// What a workbook starts with: it is a ZIP archive.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
/// Most bytes of a workbook once unpacked: about ten million cells.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;
/// Most columns of a sheet that are read: the longest of our tables has a tenth.
const COLUMNS_MAX: usize = 512;
/// Integers beyond this are not all held by the numbers of a sheet (IEEE 754, 53 bits).
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads the rows of one sheet, as [`super::csv::read`] does those of a text file.
pub(super) fn read(
    table: &'static Table,
    map: &TableMap,
    mut input: impl Read + Seek,
    source: &mut Source,
    tables: &mut TableSet,
) -> Result<(), CsvError> {
    measure(&mut input, UNPACKED_BYTES_MAX)?;
    let mut book = Xlsx::new(input).map_err(unreadable)?;
    let sheets = book.sheet_names();
    let sheet = match &map.sheet {
        Some(name) if sheets.contains(name) => name.clone(),
        Some(name) => {
            let all = sheets.join(", ");
            return Err(CsvError::Workbook(format!("there is no sheet `{name}`, only {all}")));
        }
        None => sheets.first().cloned().ok_or(CsvError::Empty)?,
    };
    let mut rows = Rows {
        cells: book.worksheet_cells_reader(&sheet).map_err(unreadable)?,
        ahead: None,
        ended: false,
    };
    let mut names = None;
    let mut plain: Option<Plain<'_>> = None;
    while let Some((line, cells)) = rows.next_row()? {
        match &mut plain {
            None if line < map.header_line => {}
            None => {
                let header: Vec<String> = cells.iter().map(|name| name.trim().to_owned()).collect();
                plain = Some(Plain::new(table, map, &header, source)?);
                names = Some(header.len());
            }
            Some(plain) => {
                let mut cells: Vec<&[u8]> = cells.iter().map(String::as_bytes).collect();
                // A sheet stores no empty cells at the end of a row.
                cells.resize(cells.len().max(names.unwrap_or(0)), b"");
                plain.row(line, &cells, source, tables)?;
            }
        }
    }
    plain.ok_or(CsvError::Empty)?.finish(tables)?;
    Ok(())
}

fn unreadable(error: impl std::fmt::Display) -> CsvError {
    CsvError::Workbook(format!("the workbook cannot be read: {error}"))
}

/// Unpacks every part to nowhere: sizes that an archive states are its own word.
fn measure(input: &mut (impl Read + Seek), limit: u64) -> Result<(), CsvError> {
    let mut archive = ZipArchive::new(&mut *input).map_err(unreadable)?;
    let mut left = limit;
    for place in 0..archive.len() {
        let part = archive.by_index(place).map_err(unreadable)?;
        let read = io::copy(&mut part.take(left + 1), &mut io::sink()).map_err(unreadable)?;
        left = left.checked_sub(read).ok_or_else(|| {
            let most = format!("the workbook has more than {limit} bytes unpacked");
            CsvError::Workbook(format!("{most}: export the sheet as CSV"))
        })?;
    }
    drop(archive);
    input.rewind().map_err(unreadable)
}

/// Row and column of a cell, from 0, and what it says.
type Placed = ((u32, u32), String);

/// The cells of a sheet, row by row.
struct Rows<'a, R: Read + Seek> {
    cells: calamine::XlsxCellReader<'a, R>,
    /// The first cell of the row after.
    ahead: Option<Placed>,
    /// The reader must not be asked again after its last cell.
    ended: bool,
}

impl<R: Read + Seek> Rows<'_, R> {
    /// The next row that has a cell: its number in the sheet, from 1, and its texts.
    fn next_row(&mut self) -> Result<Option<(u64, Vec<String>)>, CsvError> {
        let Some((at, first)) =
            self.ahead.take().map_or_else(|| self.cell(), |cell| Ok(Some(cell)))?
        else {
            return Ok(None);
        };
        let mut row = Vec::new();
        put(&mut row, at.1, first)?;
        while let Some((place, text)) = self.cell()? {
            if place.0 != at.0 {
                self.ahead = Some((place, text));
                break;
            }
            put(&mut row, place.1, text)?;
        }
        Ok(Some((u64::from(at.0) + 1, row)))
    }

    fn cell(&mut self) -> Result<Option<Placed>, CsvError> {
        if self.ended {
            return Ok(None);
        }
        let cell = self.cells.next_cell().map_err(unreadable)?;
        self.ended = cell.is_none();
        Ok(cell.map(|cell| (cell.get_position(), text(cell.get_value()))))
    }
}

fn put(row: &mut Vec<String>, column: u32, text: String) -> Result<(), CsvError> {
    let place = usize::try_from(column).unwrap_or(usize::MAX);
    if COLUMNS_MAX <= place {
        let most = format!("the sheet has more than {COLUMNS_MAX} columns");
        return if text.is_empty() { Ok(()) } else { Err(CsvError::Workbook(most)) };
    }
    if row.len() <= place {
        row.resize(place + 1, String::new());
    }
    row[place] = text;
    Ok(())
}

/// What a cell says. What cannot be said exactly is written so that no column takes it.
fn text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => {
            text.clone()
        }
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Bool(truth) => truth.to_string(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => decimal(*number),
        DataRef::DateTime(at) if at.is_datetime() => {
            let (year, month, day, hour, minute, second, ms) = at.to_ymd_hms_milli();
            let fraction = if ms == 0 { String::new() } else { format!(".{ms:03}") };
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}")
        }
        DataRef::DateTime(duration) => decimal(duration.as_f64()),
        DataRef::Error(error) => format!("{error} (an error of the sheet)"),
    }
}

/// A number of a sheet in digits. One beyond 53 bits is written as sheets show it, and refused.
fn decimal(number: f64) -> String {
    if EXACT_MAX < number.abs() {
        format!("{number:E}").replace('E', "E+")
    } else {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::{decimal, measure};

    #[test]
    fn a_small_file_that_unpacks_to_much_is_refused_before_it_is_read() {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        archive.start_file("xl/workbook.xml", SimpleFileOptions::default()).expect("starts");
        archive.write_all(&vec![b' '; 1 << 20]).expect("memory takes all");
        let mut file = archive.finish().expect("ends");
        assert!(file.get_ref().len() < 1 << 14);
        assert!(measure(&mut file, 1 << 20).is_ok());
        let refused = measure(&mut file, (1 << 20) - 1).expect_err("one byte too long");
        assert!(refused.to_string().contains("export the sheet as CSV"), "{refused}");
    }

    #[test]
    fn numbers_of_a_sheet_are_written_in_digits_or_so_that_they_are_refused() {
        for (number, wanted) in [
            (41_000.0, "41000"),
            (0.851167, "0.851167"),
            (-3.0, "-3"),
            (6_901_234_567_892.0, "6901234567892"),
            (1e17, "1E+17"),
        ] {
            assert_eq!(decimal(number), wanted);
        }
    }
}
