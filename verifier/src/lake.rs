//! The lake: evidence tables as Parquet files, one folder a table.
//!
//! Invariants: a file is named `<log>-<from>-<to>.parquet` by the entries whose rows it holds and
//! is written whole, then renamed; [`append`] goes on where the last range of its log ended, and
//! the file of the table [`RANGES`] is written last, so that a crash leaves only files that are
//! written again; a content id that several logs hold gives the rows of the lowest log alone.
//! Everything here can be rebuilt from the packs.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::arrow::array::{Array, BooleanArray, Int64Array, RecordBatch, StringArray};
use datafusion::arrow::compute::filter_record_batch;
use datafusion::arrow::datatypes::{DataType, Field, Schema};
use datafusion::arrow::error::ArrowError;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use datafusion::parquet::errors::ParquetError;
use hallmark_schemas::layout;

use crate::table::{self, TableSet};
use crate::tabulate::{self, REFUSALS, REPLACEMENTS};

/// The folder whose files say which ranges are complete.
const RANGES: &str = "ranges";

/// Why the lake could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// The system refused.
    #[error("failed to reach {}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A Parquet file that is damaged.
    #[error("failed to read or write {}", .path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ParquetError,
    },
    /// Columns of another release.
    #[error("{} does not have the columns of this release", .path.display())]
    Columns {
        /// The file.
        path: PathBuf,
    },
    /// A batch that does not fit its table.
    #[error("failed to put the rows together")]
    Rows(#[from] ArrowError),
    /// The caller left out entries, or writes some twice.
    #[error("the lake holds {log} up to entry {held}, but rows from {given} were given")]
    Gap {
        /// The log.
        log: String,
        /// Where it ends.
        held: u64,
        /// Where the given range starts.
        given: u64,
    },
}

/// True if the folder is a lake, also an empty one.
pub fn is_lake(folder: &Path) -> bool {
    folder.join(RANGES).is_dir()
}

/// The first entry of the log that the lake does not hold yet.
pub fn next_entry(folder: &Path, origin: &str) -> Result<u64, LakeError> {
    let ranges = ranges(folder)?;
    Ok(ranges.get(&layout::peer_name(origin)).copied().unwrap_or(0))
}

/// Adds the rows of a log's entries `range`, which must start at [`next_entry`].
///
/// Rows that no attestation gives (defects, coverage) are not kept in the lake: see [`replace`].
pub fn append(
    folder: &Path,
    origin: &str,
    range: Range<u64>,
    rows: &TableSet,
) -> Result<(), LakeError> {
    let held = next_entry(folder, origin)?;
    if held != range.start {
        return Err(LakeError::Gap { log: origin.to_owned(), held, given: range.start });
    }
    let name = format!("{}-{}-{}", layout::peer_name(origin), range.start, range.end);
    for (table, batches) in rows.iter().filter(|(_, batches)| !batches.is_empty()) {
        write(&folder.join(table), &name, batches)?;
    }
    let schema = Arc::new(Schema::new(vec![Field::new("log", DataType::Utf8, false)]));
    let log = Arc::new(StringArray::from(vec![origin]));
    write(&folder.join(RANGES), &name, &[RecordBatch::try_new(schema, vec![log])?])
}

/// Replaces the whole of a table that is derived from all logs together, such as `defects`.
pub fn replace(folder: &Path, table: &str, batches: &[RecordBatch]) -> Result<(), LakeError> {
    match batches.is_empty() {
        true => match fs::remove_file(folder.join(table).join("whole.parquet")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(LakeError::Io { path: folder.join(table), source: error })
            }
            _ => Ok(()),
        },
        false => write(&folder.join(table), "whole", batches),
    }
}

/// Reads every table: sorted, a content id once, replaced rows hidden as [`tabulate`] does.
pub fn read(folder: &Path) -> Result<TableSet, LakeError> {
    Ok(tabulate::hide_replaced(read_rows(folder)?)?)
}

/// Reads every table with the replaced rows in it, [`REPLACEMENTS`] and [`REFUSALS`].
pub fn read_rows(folder: &Path) -> Result<TableSet, LakeError> {
    let complete = ranges(folder)?;
    let mut set = TableSet::new();
    for path in paths(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_helper = name == REPLACEMENTS || name == REFUSALS;
        let known = table::declared(&name).is_some() || is_helper;
        if !path.is_dir() || !known {
            continue;
        }
        for file in paths(&path)? {
            if is_complete(&file, &complete) {
                read_file(&name, &file, &mut set)?;
            }
        }
    }
    Ok(lowest_log_only(set)?.sorted()?)
}

/// For each log, by its name in paths, the entry after the last that is held whole.
fn ranges(folder: &Path) -> Result<BTreeMap<String, u64>, LakeError> {
    let mut ends = BTreeMap::new();
    let folder = folder.join(RANGES);
    if !folder.is_dir() {
        return Ok(ends);
    }
    for path in paths(&folder)? {
        if let Some((log, range)) = range_of(&path) {
            let end = ends.entry(log).or_insert(0);
            *end = range.end.max(*end);
        }
    }
    Ok(ends)
}

/// The log and the range in a file's name.
fn range_of(path: &Path) -> Option<(String, Range<u64>)> {
    let mut parts = path.file_name()?.to_str()?.strip_suffix(".parquet")?.split('-');
    let (log, from, to) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (log.len() == 64).then(|| (log.to_owned(), from..to))
}

/// A crash can leave files of a range that was never finished.
fn is_complete(path: &Path, ends: &BTreeMap<String, u64>) -> bool {
    match range_of(path) {
        Some((log, range)) => ends.get(&log).is_some_and(|end| range.end <= *end),
        None => path.file_name().is_some_and(|name| name == "whole.parquet"),
    }
}

fn write(folder: &Path, name: &str, batches: &[RecordBatch]) -> Result<(), LakeError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| LakeError::Io { path, source }
    };
    let Some(first) = batches.first() else {
        return Ok(());
    };
    fs::create_dir_all(folder).map_err(io(folder))?;
    let (part, whole) =
        (folder.join(format!("{name}.part")), folder.join(format!("{name}.parquet")));
    let file = File::create(&part).map_err(io(&part))?;
    let parquet = |source| LakeError::Parquet { path: part.clone(), source };
    let mut writer = ArrowWriter::try_new(file, first.schema(), None).map_err(parquet)?;
    for batch in batches {
        writer.write(batch).map_err(parquet)?;
    }
    let file = writer.into_inner().map_err(parquet)?;
    file.sync_all().map_err(io(&part))?;
    fs::rename(&part, &whole).map_err(io(&whole))
}

fn read_file(name: &str, path: &Path, set: &mut TableSet) -> Result<(), LakeError> {
    let file =
        File::open(path).map_err(|source| LakeError::Io { path: path.to_owned(), source })?;
    let parquet = |source| LakeError::Parquet { path: path.to_owned(), source };
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(parquet)?;
    let wanted = match table::declared(name) {
        Some(declared) => table::schema(declared),
        None => tabulate::replacements_schema(),
    };
    if builder.schema().fields() != wanted.fields() {
        return Err(LakeError::Columns { path: path.to_owned() });
    }
    for batch in builder.with_batch_size(table::BATCH_ROWS_MAX).build().map_err(parquet)? {
        let batch = batch?;
        set.push(name, RecordBatch::try_new(Arc::clone(&wanted), batch.columns().to_vec())?);
    }
    Ok(())
}

fn paths(folder: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let mut paths = list().map_err(|source| LakeError::Io { path: folder.to_owned(), source })?;
    paths.sort();
    Ok(paths)
}

/// Keeps of each content id the rows of the lowest (log, entry) only.
fn lowest_log_only(set: TableSet) -> Result<TableSet, ArrowError> {
    let mut kept = TableSet::new();
    for (name, batches) in set.iter() {
        let mut lowest: BTreeMap<String, (String, i64)> = BTreeMap::new();
        let mut twice = BTreeSet::new();
        for (id, place) in batches.iter().flat_map(places) {
            match lowest.get_mut(&id) {
                Some(known) if *known != place => {
                    *known = place.min(known.clone());
                    twice.insert(id);
                }
                Some(_) => {}
                None => {
                    lowest.insert(id, place);
                }
            }
        }
        let mut out = Vec::new();
        for batch in batches {
            let keep = |(id, place)| !twice.contains(&id) || lowest.get(&id) == Some(&place);
            let mask: Vec<bool> = places(batch).into_iter().map(keep).collect();
            out.push(match mask.len() == batch.num_rows() && mask.contains(&false) {
                true => filter_record_batch(batch, &BooleanArray::from(mask))?,
                false => batch.clone(),
            });
        }
        kept.insert(name, out);
    }
    Ok(kept)
}

/// Content id and (log, entry) of each row; none for rows that no log holds.
fn places(batch: &RecordBatch) -> Vec<(String, (String, i64))> {
    let (ids, logs) = (table::texts(batch, "content_id"), table::texts(batch, "log"));
    let entries = batch.column_by_name("entry");
    let entries = entries.and_then(|column| column.as_any().downcast_ref::<Int64Array>());
    let (Some(ids), Some(logs), Some(entries)) = (ids, logs, entries) else {
        return Vec::new();
    };
    (0..batch.num_rows())
        .map(|row| {
            let log = if logs.is_null(row) { "" } else { logs.value(row) };
            let entry = if entries.is_null(row) { -1 } else { entries.value(row) };
            (ids.value(row).to_owned(), (log.to_owned(), entry))
        })
        .collect()
}
