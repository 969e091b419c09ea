//! Readings from a CSV file: columns mapped by config.toml, values in whole base units.
//!
//! Invariants: the whole file is read and checked before the first row is handed over, so that a
//! malformed file stores nothing; an instant without offset is never guessed; an empty value is a
//! gap, not a zero; a row that says it is of another device, quantity, unit or interval is no row of
//! this source.

use std::io::Read;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use csv::{ByteRecord, ReaderBuilder};
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::kind::readings::Sample;
use hallmark_schemas::time::Timestamp;
use tokio::sync::mpsc;
use tracing::warn;

use crate::batch::{Series, Taken};
use crate::cli::Speed;
use crate::config::source::ReplayConfig;
use crate::failure::Failure;
use crate::spool::Mark;

pub mod instant;
pub mod stated;

use stated::{Instrument, Stated};

/// Most rows of one file: 57 years of quarter hours; 160 bytes each are 320 MB.
pub const ROWS_MAX: usize = 2_000_000;
/// Longest file: a row has 20 to 200 bytes.
pub const FILE_BYTES_MAX: u64 = 512 << 20;
/// Most faulty rows that are told one by one.
const FAULTS_SHOWN: usize = 20;
/// Most columns that a message names.
const COLUMNS_SHOWN: usize = 50;
/// Longest cell that is read.
const CELL_BYTES_MAX: usize = 64;

/// What became of a file.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Replayed {
    /// Rows handed over.
    pub rows: u64,
    /// Rows that an earlier replay of the same file had handed over.
    pub before: u64,
    /// Rows that were not; a malformed file is an error instead.
    pub refused: u64,
}

/// Reads a file of readings and hands its rows over.
///
/// `rows_taken` says of a file, by its SHA-256, how many of its rows are in the spool already.
/// Returns early, without error, when nobody takes any more.
pub fn run(
    config: &ReplayConfig,
    instrument: &Instrument,
    input: Box<dyn Read + Send>,
    speed: Speed,
    taken: mpsc::Sender<Taken>,
    rows_taken: impl Fn(&ContentId) -> u64,
) -> Result<Replayed, Failure> {
    let mut bytes = Vec::new();
    let mut input = input.take(FILE_BYTES_MAX + 1);
    input.read_to_end(&mut bytes).map_err(|error| {
        Failure::input("cannot read the readings")
            .because(&error)
            .help("give a readable CSV file; nothing of it was taken")
    })?;
    if FILE_BYTES_MAX < bytes.len() as u64 {
        return Err(Failure::input(format!("the file has more than {FILE_BYTES_MAX} bytes"))
            .help("cut it into several files"));
    }
    let file = ContentId::of(&bytes);
    let samples = read(config, instrument, bytes.as_slice())?;
    drop(bytes);
    let before = rows_taken(&file).min(samples.len() as u64);
    let series = Arc::new(series(config));
    let mut replayed = Replayed { before, ..Replayed::default() };
    for (row, sample) in (1..).zip(samples) {
        if row <= before {
            continue;
        }
        let mark = Some(Mark { file, rows: row });
        let series = Arc::clone(&series);
        if taken.blocking_send(Taken::Sample { series, sample, mark }).is_err() {
            return Ok(replayed);
        }
        replayed.rows += 1;
        if let Speed::PerSecond(rows) = speed {
            thread::sleep(Duration::from_secs_f64(1.0 / rows));
        }
    }
    // When nobody listens, what was open has been signed already.
    let _ = taken.blocking_send(Taken::Flush);
    Ok(replayed)
}

fn series(config: &ReplayConfig) -> Series {
    Series {
        quantity: config.quantity,
        scale_e10: None,
        statistic: config.statistic,
        interval_s: config.interval_s,
        clock_quality: config.clock_quality,
        resolution: None,
    }
}

/// The samples of a file, or every fault in it.
///
/// Columns that are neither mapped nor compared are told once.
pub fn read(
    config: &ReplayConfig,
    instrument: &Instrument,
    input: impl Read,
) -> Result<Vec<Sample>, Failure> {
    let mut reader =
        ReaderBuilder::new().delimiter(config.delimiter).flexible(true).from_reader(input);
    let unreadable = |error: &csv::Error| {
        Failure::input("cannot read the readings")
            .because(error)
            .help("the file must be CSV with the delimiter that [[source]] in config.toml names")
    };
    let header = reader.byte_headers().map_err(|error| unreadable(&error))?.clone();
    let columns = Columns::find(config, instrument, &header)?;
    columns.tell_ignored(&header);
    let (mut samples, mut faults, mut faulty) = (Vec::new(), Vec::new(), 0_usize);
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| unreadable(&error))? {
        let line = record.position().map_or(0, csv::Position::line);
        match columns.sample(config, instrument, &header, &record) {
            Ok(Some(sample)) if samples.len() < ROWS_MAX => samples.push(sample),
            Ok(Some(_)) => {
                let message = format!("the file has more than {ROWS_MAX} readings");
                return Err(Failure::input(message).help("cut it into several files"));
            }
            Ok(None) => {}
            Err(fault) => {
                faulty += 1;
                if faults.len() < FAULTS_SHOWN {
                    faults.push(format!("line {line}, {fault}"));
                }
            }
        }
    }
    if faulty == 0 {
        return Ok(samples);
    }
    let mut failure = Failure::input(format!("{faulty} rows are malformed, none was taken"));
    for fault in &faults {
        failure = failure.note(fault);
    }
    if faults.len() < faulty {
        failure = failure.note(format!("{} more", faulty - faults.len()));
    }
    Err(failure.help("correct these rows, or the columns in the [[source]] of config.toml"))
}

/// Where the mapped columns stand.
struct Columns {
    time: usize,
    value: usize,
    register: Option<usize>,
    quality: Option<usize>,
    stated: Stated,
}

impl Columns {
    fn find(
        config: &ReplayConfig,
        instrument: &Instrument,
        header: &ByteRecord,
    ) -> Result<Columns, Failure> {
        let column = |name: &str, key: &str| {
            let is_named = |cell: &&[u8]| cell_text(cell).is_ok_and(|text| text == name);
            let mut found =
                header.iter().enumerate().filter(|(_, cell)| is_named(cell)).map(|(at, _)| at);
            match (found.next(), found.next()) {
                (Some(at), None) => Ok(at),
                (None, _) => Err(Failure::input(format!("line 1: no column {name:?}"))
                    .note(format!("the columns are {}", names(header)))
                    .help(format!("correct `{key}` in the [[source]] of config.toml"))),
                (Some(_), Some(_)) => {
                    Err(Failure::input(format!("line 1: two columns are called {name:?}"))
                        .help("rename one of them"))
                }
            }
        };
        let optional =
            |name: &Option<String>, key| name.as_deref().map(|name| column(name, key)).transpose();
        let mut columns = Columns {
            time: column(&config.time_column, "time_column")?,
            value: column(&config.value_column, "value_column")?,
            register: optional(&config.register_column, "register_column")?,
            quality: optional(&config.quality_column, "quality_column")?,
            stated: Stated::default(),
        };
        columns.stated = Stated::find(header, instrument, |at| columns.is_mapped(at))?;
        Ok(columns)
    }

    fn is_mapped(&self, at: usize) -> bool {
        [Some(self.time), Some(self.value), self.register, self.quality].contains(&Some(at))
    }

    fn tell_ignored(&self, header: &ByteRecord) {
        let ignored: Vec<_> = header
            .iter()
            .take(COLUMNS_SHOWN)
            .enumerate()
            .filter(|(at, _)| !self.is_mapped(*at) && !self.stated.is_compared(*at))
            .map(|(_, cell)| String::from_utf8_lossy(cell).into_owned())
            .collect();
        if !ignored.is_empty() {
            warn!(columns = ignored.join(", "), "columns of the file that are ignored");
        }
    }

    /// One row; `None` where its value is empty.
    fn sample(
        &self,
        config: &ReplayConfig,
        instrument: &Instrument,
        header: &ByteRecord,
        row: &ByteRecord,
    ) -> Result<Option<Sample>, String> {
        if row.len() != header.len() {
            return Err(format!("{} cells, the header has {}", row.len(), header.len()));
        }
        let cell = |at: usize| {
            let name = header.get(at).and_then(|cell| cell_text(cell).ok()).unwrap_or_default();
            let place = format!("column {} ({name})", at + 1);
            match cell_text(row.get(at).unwrap_or_default()) {
                Ok(text) => Ok((text, place)),
                Err(fault) => Err(format!("{place}: {fault}")),
            }
        };
        let unit = self.stated.check(config, instrument, header, row)?;
        let convert = |at: usize| {
            let (text, place) = cell(at)?;
            let converted = config.quantity.convert(text, unit);
            converted.map(|found| found.amount).map_err(|error| format!("{place}: {error}"))
        };
        let (text, place) = cell(self.time)?;
        let read_at = instant::parse(config, text).map_err(|fault| format!("{place}: {fault}"))?;
        let (value, _) = cell(self.value)?;
        if value.is_empty() {
            return Ok(None);
        }
        let is_converted = unit != config.quantity.unit();
        let register = match self.register.map(cell).transpose()? {
            Some((text, _)) if !text.is_empty() => self.register.map(convert).transpose()?,
            _ => None,
        };
        let quality = self.quality.map(cell).transpose()?.map(|(text, _)| text.to_owned());
        Ok(Some(Sample {
            read_at,
            amount: convert(self.value)?,
            register,
            quality: quality.filter(|text| !text.is_empty()),
            source_amount: is_converted.then(|| value.to_owned()),
            source_unit: is_converted.then(|| unit.to_owned()),
        }))
    }
}

/// A cell as text without blanks around it; a byte order mark before the first header is none.
fn cell_text(cell: &[u8]) -> Result<&str, String> {
    let text = std::str::from_utf8(cell)
        .map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to() + 1))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if CELL_BYTES_MAX < text.len() {
        return Err(format!("longer than {CELL_BYTES_MAX} bytes"));
    }
    Ok(text)
}

fn names(header: &ByteRecord) -> String {
    let names: Vec<String> = header
        .iter()
        .take(COLUMNS_SHOWN)
        .map(|cell| String::from_utf8_lossy(cell).into_owned())
        .collect();
    names.join(", ")
}

/// The end of an interval that starts at `start_at`.
pub(crate) fn end_of(start_at: Timestamp, interval_s: u32) -> Option<Timestamp> {
    start_at.checked_add_ms(i64::from(interval_s) * 1000)
}

#[cfg(test)]
mod tests;
