//! The command line of `hallmark-verify`: its tree, its output, its exit codes.
//!
//! Invariants: stdout is data, stderr is talk; the last line is the verdict; a command returns its
//! exit code, nothing here ends the process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hallmark_schemas::exit::Exit;
use hallmark_schemas::time::Timestamp;

use crate::command;
use crate::finding::Severity;
use crate::load::TableFile;
use crate::load::map::TableMap;

/// Checks evidence, offline, and finds what is falsified or inconsistent.
#[derive(Debug, Parser)]
#[command(name = "hallmark-verify", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 nothing found · 1 findings at or over --fail-on · 2 command \
line · 3 input malformed · 4 a proof of the input is broken · 5 evidence incomplete, cannot say · \
6 busy · 70 our own fault. If several apply, the first of 70, 2, 6, 3, 4, 1, 5: the last line says \
of findings that evidence is missing too"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Proves the input, judges it by every rule, and reports.
    #[command(after_help = "Examples:
  hallmark-verify check case.hallmark
  hallmark-verify check plant --fail-on error
  hallmark-verify check --table meter_readings=march.csv
  hallmark-verify check network.hallmark record.cose receipt.cose
  hallmark-verify check case.hallmark issuer.pem log.pem
  hallmark-verify check case.hallmark --table external_statements=bills.csv --report json -o r.json
  hallmark-verify check case.hallmark --report html -o report.html
  hallmark-verify check - < case.hallmark
  hallmark-verify check split.defect
  hallmark-verify check network.hallmark https://node.example.org
  hallmark-verify check --table meter_readings=- < march.csv

A CSV names its columns in the first line, as `hallmark-verify tables` lists them. Instants are
RFC 3339 with an offset; amounts are whole numbers in the unit of their row, which is one of those
that `hallmark-verify tables` lists for the quantity (kWh as well as Wh); any other is refused. An
empty cell means: not known.

A file with columns, units or times of its own is read through `--map FILE`, in TOML:
  [meter_readings]
  zone = \"Asia/Shanghai\"      # of times without an offset; or \"+08:00\"
  encoding = \"gb18030\"        # of a CSV that is not UTF-8
  separator = \";\"             # of a CSV; a comma without it
  header_line = 3              # where the names of the columns stand
  sheet = \"July\"              # of a workbook; the first without it
  [meter_readings.columns]
  device = \"Meter no\"
  quantity = { value = \"electricity\" }
  interval_s = { value = \"3600\" }
  read_at = { column = \"Time\", format = \"%Y/%m/%d %H:%M\", begins = true }
  amount = { column = \"Energy\", unit = \"kWh\", round = true }
`begins`: the file names the beginning of the interval. `unit` or `unit_column`: the amount is converted
to the base unit, what stood in the file is kept beside it; `round` takes amounts with smaller decimals.

Of a node's folder the head slots and the last intent are checked too. Bytes that are not what was
written, or that contradict each other, end with 4; what the folder itself says it holds and does
not, such as a pack, an entry bundle, a head slot, or entries that the head counts, ends with 5.

Single files are told apart by their first bytes: network.hallmark (trusted, as given), attestations,
receipts and tlog-proofs, each put to the attestation that it leads to its checkpoint, and signed
statements of other SCITT systems with their receipts. Public keys (PEM) count for the latter alone,
also for those in bundles; without a key they are told as not checked, which ends with 5.

A bundle that is cut, in which an item stands twice or a checkpoint or entry out of its order, or to
which something was added is refused with the byte where that begins (3). A defect proof, in a file
of its own, in a bundle or in a node's folder, is a finding about the log, witness or key that it is
about (1); one that does not hold accuses nobody and ends with 4. What could not be checked is listed
under `Not checked`, with the command that fetches it.

A node's URL is read by a program built with `--features url` alone: network file, checkpoints,
tiles and the public records of the node's log and of those that it copies, up to 1 GiB and one
hour; without TLS only on loopback. Give network.hallmark too, and whoever answers there is trusted
with nothing. No other check opens a network connection.

The lake in a node's folder is derived and no evidence: it is not read, everything is proved and
tabulated from the log and its packs. A lake that is itself the INPUT is judged as it stands:
nothing in it is proved, and a changed value that still reads as Parquet is not noticed.")]
    Check(CheckArgs),
    /// Shows how one finding came about: rule, thresholds, values and the rows it rests on.
    #[command(after_help = "Examples:
  hallmark-verify explain case.hallmark 3f9c01d2
  hallmark-verify explain plant MTR-005
  hallmark-verify explain --table meter_readings=march.csv 3f9c01d2 --format json

FINDING is the id as reports print it, or its beginning, or a rule's code where the rule found one thing
only. The inputs are judged again by the same rules; give the `--table`, `--pack` and `--at` of the
check that reported it.")]
    Explain(ExplainArgs),
    /// Forges clean readings in known ways and says what the meter rules notice of it.
    #[command(after_help = "Examples:
  hallmark-verify evaluate --table meter_readings=clean.csv
  hallmark-verify evaluate --table meter_readings=clean.csv --attacks h1,R4,R5-0.95 --seed 7
  hallmark-verify evaluate --table meter_readings=clean.csv --format json

A scene is nine clean weeks of one meter and the week (of R5: the month) after them. Each attack is put
into every scene that the table has; what the rules then say of the forged time is counted: recall,
precision beside as many clean scenes, AUC of the rule's statistic, and the days until it was noticed.
Where several meters measure the same, they are tried below a parent meter too, which shows their sum
with a gain error and noise of 0.2 % at each meter. The last table counts what the rules say of the
readings as they are.

Attacks: h1 to h6 (Jokar et al. 2016), FDI1 to FDI6 (Zheng et al.), ramp, peak-cut, swap, and R1 replay,
R2 another meter's days, R3 days turned, R4 stuck, R5 scaled for a month, R6 clipped, R7 peaks missing,
R8 a cut with a register that agrees, R9 parent and child both bypassed.")]
    Evaluate(EvaluateArgs),
    /// Prints the Event Hash ID (CBV 2.0) of every event, one `ni:` URI a line.
    #[command(after_help = "Examples:
  hallmark-verify event-hash shipment.jsonld
  hallmark-verify event-hash shipment.xml receipt.json
  hallmark-verify event-hash - < shipment.jsonld

Events of equal content have equal hashes, however they are written: JSON or XML, EPC URNs or Digital
Links, CBV words in any form, any order of lists, times in any zone. The eventID, the recordTime and an
error declaration do not count. Extensions that a document lists under `ignoreFields` do not count
either. A hash proves nothing about who wrote an event; a signature does.")]
    EventHash(EventHashArgs),
    /// Lists every evidence table: columns, types, units and what they mean.
    #[command(after_help = "Examples:
  hallmark-verify tables
  hallmark-verify tables meter_readings ledger_entries
  hallmark-verify tables --format json")]
    Tables(TablesArgs),
    /// Lists, shows, starts and tests rules.
    #[command(after_help = "Examples:
  hallmark-verify rules list
  hallmark-verify rules show MTR-005
  hallmark-verify rules new my-rules ABC-001 night-load
  hallmark-verify rules test my-rules")]
    Rules(RulesArgs),
}

/// `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// A bundle, a node's folder, its data folder or its URL, a lake, or single files (below); `-` is
    /// a bundle on stdin.
    #[arg(value_name = "INPUT", required_unless_present = "tables")]
    pub inputs: Vec<PathBuf>,
    /// What is judged beside the inputs, and how.
    #[command(flatten)]
    pub case: CaseArgs,
    /// Exit code 1 from findings of this severity on.
    #[arg(long, value_name = "SEVERITY", value_enum, default_value_t = FailOn::Warning)]
    pub fail_on: FailOn,
    /// How the report is written.
    #[arg(
        long,
        visible_alias = "format",
        value_name = "FORMAT",
        value_enum,
        default_value_t = ReportFormat::Text
    )]
    pub report: ReportFormat,
    /// CSV for programs: without byte order mark, no apostrophe before cells that a spreadsheet
    /// would take for a formula.
    #[arg(long)]
    pub plain: bool,
    /// Writes the report to a file instead of stdout; `-` is stdout.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What `check` judges beside its inputs, and `explain` again.
#[derive(Args, Debug)]
pub struct CaseArgs {
    /// Judges a plain CSV, XLSX or Parquet file as this evidence table; its rows stay unproven. `-` is
    /// stdin, once.
    #[arg(long = "table", value_name = "NAME=FILE", value_parser = table_file)]
    pub tables: Vec<TableFile>,
    /// How the files of `--table` become tables: columns, units, zone, encoding (TOML, below).
    #[arg(long, value_name = "FILE", requires = "tables")]
    pub map: Option<PathBuf>,
    /// A folder with further rules, beside those that are built in; may be given several times.
    #[arg(long = "pack", value_name = "DIR")]
    pub packs: Vec<PathBuf>,
    /// Judges as of this instant: what is late and which findings have expired is reckoned at it.
    /// Evidence that was recorded later is judged all the same. Default: the newest instant in the
    /// evidence; no clock is asked.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    pub at: Option<Timestamp>,
    /// Memory that queries may use, such as 512M or 4G.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "2G")]
    pub memory: usize,
}

/// `evaluate`.
#[derive(Args, Debug)]
pub struct EvaluateArgs {
    /// A plain CSV or Parquet file of clean readings, as `meter_readings=FILE`.
    #[arg(long = "table", value_name = "NAME=FILE", value_parser = table_file, required = true)]
    pub tables: Vec<TableFile>,
    /// Which attacks, joined by commas.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "all")]
    pub attacks: Vec<String>,
    /// Decides all that the attacks leave to chance; the same seed gives the same figures.
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub seed: u64,
    /// Memory that queries may use, such as 512M or 4G.
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "2G")]
    pub memory: usize,
    /// How the figures are printed: text for people, json on one line for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The inputs of the check, then the finding.
    #[arg(value_names = ["INPUT", "FINDING"], required = true, num_args = 1..)]
    pub words: Vec<PathBuf>,
    /// As for `check`.
    #[command(flatten)]
    pub case: CaseArgs,
    /// How it is printed: text for people, json for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `event-hash`.
#[derive(Args, Debug)]
pub struct EventHashArgs {
    /// EPCIS documents or single events, in JSON or XML; `-` is stdin.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// How hashes are printed: text for people, json with one event a line for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `tables`.
#[derive(Args, Debug)]
pub struct TablesArgs {
    /// Only these tables.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// How they are printed: text for people, json with one table a line for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// `rules`.
#[derive(Args, Debug)]
pub struct RulesArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub command: RulesCommand,
}

/// The subcommands of `rules`.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Lists the built-in rules.
    List {
        /// How they are printed: text for people, json with one rule a line for programs.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Prints a rule: its header and its query.
    Show {
        /// Its code, such as MTR-005.
        code: String,
    },
    /// Writes a rule to start from, and its cases, into a folder.
    New {
        /// The pack's folder; it is made where there is none.
        #[arg(value_name = "DIR")]
        folder: PathBuf,
        /// The new rule's code, such as ABC-001.
        code: String,
        /// What the rule is about, in a few words joined by `-`.
        slug: String,
    },
    /// Runs the cases of the built-in rules, or of the rules in a folder.
    Test {
        /// The pack's folder; the built-in rules without it.
        #[arg(value_name = "DIR")]
        folder: Option<PathBuf>,
        /// How results are printed: text for people, json with one case a line for programs.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum ReportFormat {
    /// For people, on a terminal.
    Text,
    /// One object with everything, for programs (verifier/spec/report.schema.json).
    Json,
    /// SARIF 2.1.0, for tools that collect findings.
    Sarif,
    /// One page to read, print on A4 and hand in, with charts, in English and Chinese.
    Html,
    /// The findings as a table, one row each, for a spreadsheet.
    Csv,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// Stable field names, for programs.
    Json,
}

/// From which severity on findings make exit code 1.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum FailOn {
    /// Any finding.
    Note,
    /// Warnings and errors.
    Warning,
    /// Errors only.
    Error,
}

impl FailOn {
    /// The severity.
    pub const fn severity(self) -> Severity {
        match self {
            FailOn::Note => Severity::Note,
            FailOn::Warning => Severity::Warning,
            FailOn::Error => Severity::Error,
        }
    }
}

/// Runs a command line and returns the exit code of the process.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody is left to tell if the terminal is gone.
            let _printed = error.print();
            if !error.use_stderr() {
                return Exit::Done.into();
            }
            eprintln!("help: see `hallmark-verify --help` for the commands and their examples");
            return Exit::Usage.into();
        }
    };
    match command::run(&cli.command) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprint!("{}", failure.lines());
            failure.exit().into()
        }
    }
}

/// `NAME=FILE` of `--table`.
fn table_file(text: &str) -> Result<TableFile, String> {
    let (name, path) = text
        .split_once('=')
        .filter(|(_, path)| !path.is_empty())
        .ok_or("write NAME=FILE, such as meter_readings=march.csv")?;
    let table = crate::load::table_named(name).map_err(|near| match near {
        Some(near) => format!("there is no table `{name}`; did you mean `{near}`?"),
        None => format!("there is no table `{name}`; `hallmark-verify tables` lists all"),
    })?;
    Ok(TableFile { table, path: path.into(), map: TableMap::default() })
}

/// Bytes with an optional `K`, `M` or `G` (powers of 1,024).
fn size(text: &str) -> Result<usize, String> {
    let wrong = || "write a number of bytes such as 512M or 4G, at least 16M".to_owned();
    let text = text.trim_end_matches(['B', 'b']).trim_end_matches('i');
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'K' | 'k')) => (&text[..at], 10),
        Some((at, 'M' | 'm')) => (&text[..at], 20),
        Some((at, 'G' | 'g')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: usize = digits.trim().parse().map_err(|_| wrong())?;
    number.checked_mul(1 << shift).filter(|bytes| MEMORY_MIN <= *bytes).ok_or_else(wrong)
}

/// Least memory that a query can start with: 16 MiB.
const MEMORY_MIN: usize = 16 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_tree_is_consistent_and_every_command_has_examples() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let help = sub.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("Example"), "{} has no examples", sub.get_name());
        }
    }

    #[test]
    fn sizes_and_tables_are_read_or_refused_with_a_remedy() {
        assert_eq!(size("512M"), Ok(512 << 20));
        assert_eq!(size("4GiB"), Ok(4 << 30));
        assert!(size("12").is_err() && size("much").is_err());
        assert_eq!(table_file("meter_readings=a.csv").unwrap().table.name, "meter_readings");
        assert!(table_file("meter_reading=a.csv").unwrap_err().contains("`meter_readings`"));
        assert!(table_file("meter_readings").unwrap_err().contains("NAME=FILE"));
    }
}
