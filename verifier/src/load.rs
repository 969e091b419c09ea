//! The first stage: reads what the command line names, and believes none of it.
//!
//! Invariants: an input that is none of ours, or that cannot be read as what it is, ends the check
//! here; everything else becomes [`Evidence`], its flaws included.

pub mod bundle;
mod cosigned;
pub mod csv;
pub mod defect;
pub mod dir;
mod head;
mod loose;
pub mod map;
#[cfg(feature = "url")]
pub mod node_url;
pub mod parquet;
mod plain;
pub mod unit;
mod xlsx;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use datafusion::arrow::error::ArrowError;
use datafusion::parquet::file::reader::ChunkReader;
use hallmark_schemas::bundle::BundleError;
use hallmark_schemas::defect::DefectError;
use hallmark_schemas::exit::Exit;
use hallmark_schemas::hex;
use hallmark_schemas::layout::Dir;
use hallmark_schemas::table::{self, Table};
use sha2::{Digest as _, Sha256};

use crate::evidence::{Evidence, Source};
use crate::lake::{self, LakeError};
use crate::table::TableSet;
use crate::watch::{Unwatched, Watch};
use csv::CsvError;
use dir::Folder;
use loose::Loose;
use map::{Map, MapError, TableMap};
use parquet::ParquetFault;

/// A plain table of the command line: `--table NAME=FILE`.
#[derive(Clone, Debug)]
pub struct TableFile {
    /// The evidence table that its rows belong to.
    pub table: &'static Table,
    /// The file: CSV, XLSX or Parquet; `-` is standard input.
    pub path: PathBuf,
    /// How its columns become those of the table; of CSV and XLSX.
    pub map: TableMap,
}

/// Why an input cannot be used at all. Who named it must repair it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The system does not give it out.
    #[error("failed to read {}", .path.display())]
    Io {
        /// What was read.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder that holds nothing of ours.
    #[error("{} is no node, log, lake or bundle", .path.display())]
    NotEvidence {
        /// The folder.
        path: PathBuf,
    },
    /// Too long to be what it should be.
    #[error("{} has {bytes} bytes, more than the limit of {limit}", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// A file that is no bundle.
    #[error("{} is no evidence bundle", .path.display())]
    Bundle {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the byte.
        source: BundleError,
    },
    /// A file that is no defect proof.
    #[error("{} is no whole defect proof", .path.display())]
    Defect {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<DefectError>,
    },
    /// A plain table where evidence was expected.
    #[error("{} is a plain table, no evidence bundle{}", .path.display(), fitting(.fits))]
    PlainTable {
        /// The file.
        path: PathBuf,
        /// The tables whose required columns it has.
        fits: Vec<&'static str>,
    },
    /// A CSV file of which no row can be used.
    #[error("failed to read {} as table `{table}`", .path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// What is wrong, with the line.
        source: CsvError,
    },
    /// A map that cannot be used.
    #[error("{} is no map of tables", .path.display())]
    Map {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: MapError,
    },
    /// A Parquet file that does not fit its table.
    #[error("failed to read {} as table `{table}`", .path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// What is wrong.
        source: ParquetFault,
    },
    /// A lake that cannot be read.
    #[error("failed to read the lake {}", .path.display())]
    Lake {
        /// The folder.
        path: PathBuf,
        /// What is wrong.
        source: Box<LakeError>,
    },
    /// A node that cannot be read at its URL.
    #[cfg(feature = "url")]
    #[error("failed to read the node at {url}")]
    Node {
        /// The URL.
        url: String,
        /// Why.
        source: node_url::NodeUrlError,
    },
    /// A URL, given to a program that opens no connection.
    #[cfg(not(feature = "url"))]
    #[error("{url} is a URL, and this program was built without what reads those")]
    Url {
        /// The URL.
        url: String,
    },
    /// The rows could not be put in order.
    #[error("failed to sort the rows")]
    Sort(#[from] ArrowError),
}

impl LoadError {
    /// The error for a file or folder that the system does not give out.
    pub fn io(path: &Path, source: io::Error) -> LoadError {
        LoadError::Io { path: path.to_owned(), source }
    }

    /// The exit code of a command that ends with it.
    pub const fn exit(&self) -> Exit {
        match self {
            LoadError::Sort(_) => Exit::Fault,
            LoadError::Map { .. } => Exit::Usage,
            #[cfg(feature = "url")]
            LoadError::Node { source, .. } => source.exit(),
            #[cfg(not(feature = "url"))]
            LoadError::Url { .. } => Exit::Usage,
            _ => Exit::Input,
        }
    }

    /// What to do about it.
    pub const fn help(&self) -> &'static str {
        match self {
            LoadError::Io { .. } => "check the name and that you may read it",
            LoadError::NotEvidence { .. } => {
                "give a bundle (.hallmark), a defect proof (.defect), the folder of a node, its data \
                 folder or its lake; or single files: network.hallmark, attestations, receipts, \
                 tlog-proofs, public keys"
            }
            LoadError::TooLong { .. } => "check that this is the file you meant",
            LoadError::Bundle { .. } => {
                "get the bundle again from who sent it; it is cut or altered"
            }
            LoadError::Defect { .. } => {
                "get the proof again from who sent it; it is cut or altered"
            }
            LoadError::PlainTable { .. } => {
                "give it as --table NAME=FILE; `hallmark-verify tables` lists the names of tables \
                 with their columns"
            }
            LoadError::Csv { .. } | LoadError::Parquet { .. } => {
                "`hallmark-verify tables` lists the columns of every table"
            }
            LoadError::Map { .. } => "`hallmark-verify check --help` shows a map",
            LoadError::Lake { .. } => "rebuild the lake with `hallmark-node reindex`",
            #[cfg(feature = "url")]
            LoadError::Node { source, .. } => source.help(),
            #[cfg(not(feature = "url"))]
            LoadError::Url { .. } => {
                "build it with `cargo build --package hallmark-verifier --features url`; or give a \
                 bundle, which the node's keeper makes by `hallmark-node export DIR -o FILE.hallmark`"
            }
            LoadError::Sort(_) => "report this with the input",
        }
    }
}

fn fitting(tables: &[&str]) -> String {
    match tables {
        [] => String::new(),
        some => format!("; it has the columns of table {}", some.join(", ")),
    }
}

/// Reads all inputs, in the order given.
pub fn load(inputs: &[PathBuf], tables: &[TableFile]) -> Result<Evidence, LoadError> {
    load_watched(inputs, tables, &Unwatched)
}

/// The same while somebody looks on.
pub fn load_watched(
    inputs: &[PathBuf],
    tables: &[TableFile],
    watch: &dyn Watch,
) -> Result<Evidence, LoadError> {
    let (mut evidence, mut loose) = (Evidence::default(), Loose::default());
    for path in inputs {
        let what = load_input(path, &mut evidence, &mut loose, watch)?;
        let name = path.display().to_string();
        evidence.sources.push(Source { name, what: what.to_owned(), ..Source::default() });
    }
    loose.settle(&mut evidence);
    for file in tables {
        load_table(file, &mut evidence)?;
    }
    evidence.tables = std::mem::take(&mut evidence.tables).sorted()?;
    Ok(evidence)
}

fn load_input(
    path: &Path,
    evidence: &mut Evidence,
    loose: &mut Loose,
    watch: &dyn Watch,
) -> Result<&'static str, LoadError> {
    if path == Path::new("-") {
        bundle::read_stdin(evidence)?;
        return Ok("bundle");
    }
    if let Some(url) = url_of(path) {
        read_url(url, evidence)?;
        return Ok("node");
    }
    if !path.is_dir() {
        if defect::is_one(path)? {
            defect::read_file(path, evidence)?;
            return Ok("defect proof");
        }
        if let Some(what) = loose.read(path, evidence)? {
            return Ok(what);
        }
        return match bundle::read_file(path, evidence) {
            Ok(()) => Ok("bundle"),
            // So much is left of it that only its name says what it was.
            Err(LoadError::Bundle { .. }) if path.extension().is_some_and(|it| it == "defect") => {
                defect::read_file(path, evidence).map(|()| "defect proof")
            }
            Err(error @ LoadError::Bundle { .. }) => Err(match plain_table(path) {
                Some(fits) => LoadError::PlainTable { path: path.to_owned(), fits },
                None => error,
            }),
            Err(error) => Err(error),
        };
    }
    match dir::recognise(path) {
        Some(Folder::Dir(dir, data)) => {
            dir::read_network(&dir, evidence)?;
            dir::read_data(Some(&dir), &data, evidence, watch)?;
            Ok("node")
        }
        Some(Folder::Data(data)) => {
            dir::read_network(&Dir::new(data.path()), evidence)?;
            // DATA lies in DIR unless configured elsewhere, and DIR knows network and head.
            let is_backup = Dir::new(data.path()).network().is_file();
            let within = path.canonicalize().ok().filter(|_| !is_backup);
            let parent = within.as_deref().and_then(Path::parent).map(Dir::new);
            if let Some(dir) = &parent {
                dir::read_network(dir, evidence)?;
            }
            let dir = parent.filter(|dir| dir.head_slots().iter().any(|slot| slot.exists()));
            dir::read_data(dir.as_ref(), &data, evidence, watch)?;
            Ok("node")
        }
        Some(Folder::Lake(folder)) => {
            let tables = lake::read_rows(&folder)
                .map_err(|source| LoadError::Lake { path: folder, source: Box::new(source) })?;
            evidence.tables.append(tables);
            Ok("lake")
        }
        None => Err(LoadError::NotEvidence { path: path.to_owned() }),
    }
}

/// The input as a URL, if it begins as one: a file of such a name is given with `./` before it.
fn url_of(path: &Path) -> Option<&str> {
    let (scheme, _) = path.to_str()?.split_once("://")?;
    let is_http = ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    path.to_str().filter(|_| is_http)
}

#[cfg(feature = "url")]
fn read_url(url: &str, evidence: &mut Evidence) -> Result<(), LoadError> {
    let wrong = |source| LoadError::Node { url: url.to_owned(), source };
    node_url::read(url, evidence).map_err(wrong)
}

#[cfg(not(feature = "url"))]
fn read_url(url: &str, _: &mut Evidence) -> Result<(), LoadError> {
    Err(LoadError::Url { url: url.to_owned() })
}

/// The most bytes of a map: the longest honest one names every column of every table.
const MAP_BYTES_MAX: u64 = 256 * 1024;

/// Reads the file of `--map`.
pub fn read_map(path: &Path) -> Result<Map, LoadError> {
    let fail = |source| LoadError::io(path, source);
    let (mut text, limit) = (String::new(), MAP_BYTES_MAX);
    let mut file = File::open(path).map_err(fail)?.take(limit + 1);
    file.read_to_string(&mut text).map_err(fail)?;
    if limit < text.len() as u64 {
        return Err(LoadError::TooLong { path: path.to_owned(), bytes: text.len() as u64, limit });
    }
    Map::parse(&text).map_err(|source| LoadError::Map { path: path.to_owned(), source })
}

fn load_table(file: &TableFile, evidence: &mut Evidence) -> Result<(), LoadError> {
    let TableFile { table, path, map } = file;
    let io = |source| LoadError::io(path, source);
    let plain = |fault| LoadError::Csv { path: path.clone(), table: table.name, source: fault };
    let mut source = Source {
        name: path.display().to_string(),
        what: format!("table {}", table.name),
        unproven: true,
        ..Source::default()
    };
    let mut tables = TableSet::new();
    if path == Path::new("-") {
        let bytes = stdin_bytes(path)?;
        source.digest = Some(hex::encode(&Sha256::digest(&bytes)));
        if bytes.starts_with(PARQUET_MAGIC) {
            read_parquet(file, Bytes::from(bytes), &mut source, &mut tables)?;
        } else if bytes.starts_with(xlsx::MAGIC) {
            xlsx::read(table, map, io::Cursor::new(bytes), &mut source, &mut tables)
                .map_err(plain)?;
        } else {
            csv::read(table, map, bytes.as_slice(), &mut source, &mut tables).map_err(plain)?;
        }
    } else {
        source.digest = Some(digest(path)?);
        let mut open = File::open(path).map_err(io)?;
        let head = head(path, &mut open)?;
        if head == PARQUET_MAGIC {
            read_parquet(file, open, &mut source, &mut tables)?;
        } else if head == xlsx::MAGIC {
            xlsx::read(table, map, io::BufReader::new(open), &mut source, &mut tables)
                .map_err(plain)?;
        } else {
            csv::read(table, map, open, &mut source, &mut tables).map_err(plain)?;
        }
    }
    evidence.tables.append(tables);
    evidence.sources.push(source);
    Ok(())
}

fn read_parquet(
    file: &TableFile,
    input: impl ChunkReader + 'static,
    source: &mut Source,
    tables: &mut TableSet,
) -> Result<(), LoadError> {
    let TableFile { table, path, .. } = file;
    parquet::read(table, input, source, tables).map_err(|fault| LoadError::Parquet {
        path: path.clone(),
        table: table.name,
        source: fault,
    })
}

/// The whole of standard input: its digest names the rows, so it must be known before them.
fn stdin_bytes(path: &Path) -> Result<Vec<u8>, LoadError> {
    let (mut bytes, limit) = (Vec::new(), bundle::PIPE_BYTES_MAX);
    let mut input = io::stdin().lock().take(limit + 1);
    input.read_to_end(&mut bytes).map_err(|source| LoadError::io(path, source))?;
    let length = bytes.len() as u64;
    match length <= limit {
        true => Ok(bytes),
        false => Err(LoadError::TooLong { path: path.to_owned(), bytes: length, limit }),
    }
}

/// What Parquet files start with.
const PARQUET_MAGIC: &[u8] = b"PAR1";

/// The first four bytes of a file, which tell what it is.
fn head(path: &Path, file: &mut File) -> Result<Vec<u8>, LoadError> {
    use std::io::Seek;
    let fail = |source| LoadError::io(path, source);
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head).map_err(fail)?;
    file.rewind().map_err(fail)?;
    Ok(head)
}

fn digest(path: &Path) -> Result<String, LoadError> {
    let fail = |source| LoadError::io(path, source);
    let mut file = File::open(path).map_err(fail)?;
    let (mut hasher, mut chunk) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        let read = file.read(&mut chunk).map_err(fail)?;
        if read == 0 {
            return Ok(hex::encode(&hasher.finalize()));
        }
        hasher.update(&chunk[..read]);
    }
}

/// The tables that a file which is no bundle could be given as; `None` if it is no plain table.
fn plain_table(path: &Path) -> Option<Vec<&'static str>> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEADER_BYTES_MAX).read_to_end(&mut head).ok()?;
    let ending = path.extension().unwrap_or_default().to_ascii_lowercase();
    let named = ["csv", "tsv", "parquet", "xls", "xlsx", "ods"].iter().any(|one| ending == *one);
    let text = String::from_utf8_lossy(&head);
    let line = text.lines().next().unwrap_or_default().trim_start_matches('\u{feff}');
    let columns: Vec<_> = line.split(',').map(|name| name.trim().trim_matches('"')).collect();
    let fits = |table: &&&'static Table| {
        let needed = table.columns.iter().filter(|column| column.required_in_csv);
        let mut needed = needed.map(|column| column.name).peekable();
        needed.peek().is_some() && needed.all(|name| columns.contains(&name))
    };
    let fitting: Vec<_> = table::all_tables().iter().filter(fits).map(|one| one.name).collect();
    (named || !fitting.is_empty() || head.starts_with(PARQUET_MAGIC)).then_some(fitting)
}

/// So much of a file is looked at for a header: the longest of ours has under 1 KiB.
const HEADER_BYTES_MAX: u64 = 16 * 1024;

/// The evidence table of this name, or the nearest name there is.
pub fn table_named(name: &str) -> Result<&'static Table, Option<&'static str>> {
    table::table(name).ok_or_else(|| {
        let names = table::all_tables().iter().map(|table| table.name);
        let near = names.map(|known| (strsim::damerau_levenshtein(known, name), known)).min();
        near.filter(|(distance, _)| *distance <= 3).map(|(_, known)| known)
    })
}
