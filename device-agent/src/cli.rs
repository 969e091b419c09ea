//! The command line of `hallmark-agent`: its tree, its output, its exit codes.
//!
//! Invariants: stdout is data, stderr is talk; the last line is the verdict; a command returns its
//! exit code, nothing here ends the process.

use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hallmark_schemas::exit::Exit;
use humantime_serde::re::humantime::parse_duration;

use crate::command;
use crate::failure::Failure;

/// Signs scans and meter readings where they are taken, and loses none.
#[derive(Debug, Parser)]
#[command(name = "hallmark-agent", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done · 1 some items refused · 2 command line or \
configuration · 3 input malformed · 4 broken proof · 5 evidence incomplete · 6 busy, locked or \
unreachable · 70 our own fault")]
pub struct Cli {
    /// How results are printed: text for people, the default but of `parse`; json with one object a
    /// line for programs.
    #[arg(long, global = true, value_enum, env = "HALLMARK_FORMAT")]
    pub format: Option<Format>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// JSON lines with stable field names.
    Json,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes the device's key, config.toml and the request to be enrolled.
    #[command(after_help = "Examples:
  hallmark-agent init bench --org urn:hallmark:org:lei:529900T8BM49AURSDO55 --device bench-1 \\
      --source stdin
  hallmark-agent init meter --org urn:hallmark:org:lei:529900T8BM49AURSDO55 --device m-7 \\
      --source replay --quantity electricity")]
    Init(InitArgs),
    /// Takes enrolled.cbor, by which the device knows its network, broker and log.
    #[command(after_help = "Example:\n  hallmark-agent enrol meter meter/enrolled.cbor")]
    Enrol(EnrolArgs),
    /// Takes from every source, signs, spools and publishes, until the input ends or SIGTERM.
    #[command(after_help = "Examples:
  hallmark-agent run meter
  hallmark-agent run bench < scans.txt")]
    Run(RunArgs),
    /// Takes a CSV file of readings, waits until all are released, and ends.
    ///
    /// Rows in which a column `device`, `facility`, `quantity` or `interval_s` differs from this
    /// device and the source's options, or a column `unit` names one that the quantity is not
    /// measured in, are refused, and with them the file: nothing of it is signed. Values are
    /// converted from the row's own unit where there is such a column.
    #[command(after_help = "Examples:
  hallmark-agent replay meter quarter-hours.csv
  hallmark-agent replay meter quarter-hours.csv --speed 4")]
    Replay(ReplayArgs),
    /// Says how the device is: enrolled, waiting, refused.
    #[command(after_help = "Example:\n  hallmark-agent status meter --format json")]
    Status(DirArgs),
    /// Lists what waits for a receipt and what the node refused.
    #[command(after_help = "Example:\n  hallmark-agent spool meter --format json")]
    Spool(DirArgs),
    /// Reads scan data, element strings, Digital Links and EPC URNs: one JSON object a line.
    ///
    /// `canonical` is the identifier, `ais` and `elements` what was read; `needs`, where it is there,
    /// says what another barcode of the same label must still give, such as the GTIN of a lot:
    /// alone this one names nothing; `may_be` has what a number of no one scheme, such as a bare Ecode,
    /// can be meant as: written so it is read. With `--format text` the line is for people. Blank lines are
    /// passed over.
    #[command(after_help = "Examples:
  hallmark-agent parse < scans.txt
  hallmark-agent parse --format text scans.txt
  echo ']Q3010950600013435221A1' | hallmark-agent parse")]
    Parse(ParseArgs),
}

/// Only the agent's folder.
#[derive(Args, Debug)]
pub struct DirArgs {
    /// The agent's folder.
    pub dir: PathBuf,
}

/// `init`.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// The folder to make.
    pub dir: PathBuf,
    /// The organisation, `urn:hallmark:org:<uscc|lei|gln>:<value>`.
    #[arg(long, value_name = "URN")]
    pub org: String,
    /// The device: its name within the organisation, or its whole URN.
    #[arg(long, value_name = "ID")]
    pub device: String,
    /// Where it takes from; may be given several times.
    #[arg(long = "source", value_name = "SOURCE", value_enum, required = true, num_args = 1..)]
    pub sources: Vec<SourceKind>,
    /// What the device is for. Default: scanner for stdin, meter for replay.
    #[arg(long, value_name = "CLASS", value_parser = ["meter", "scanner", "kit"])]
    pub class: Option<String>,
    /// Maker and type.
    #[arg(long, default_value = "hallmark-agent")]
    pub model: String,
    /// What a meter measures, such as `electricity`.
    #[arg(long, value_name = "QUANTITY")]
    pub quantity: Option<String>,
    /// Largest error by its accuracy class, in parts per million.
    #[arg(long, value_name = "PPM")]
    pub accuracy_ppm: Option<u32>,
    /// The facility where it stands.
    #[arg(long, value_name = "URN")]
    pub facility: Option<String>,
    /// Latitude, decimal degrees.
    #[arg(long, value_name = "DEGREES", allow_hyphen_values = true, requires = "lon")]
    pub lat: Option<String>,
    /// Longitude, decimal degrees.
    #[arg(long, value_name = "DEGREES", allow_hyphen_values = true, requires = "lat")]
    pub lon: Option<String>,
}

/// A source that `init` can write into the configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum SourceKind {
    /// Lines of a barcode reader on standard input.
    Stdin,
    /// Rows of a CSV file of readings.
    Replay,
}

/// `enrol`.
#[derive(Args, Debug)]
pub struct EnrolArgs {
    /// The agent's folder.
    pub dir: PathBuf,
    /// The node's answer to enrol.cbor.
    pub enrolled: PathBuf,
}

/// `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The agent's folder.
    pub dir: PathBuf,
    /// Longest wait without an answer after the input has ended; what is in the spool then goes
    /// with the next run.
    #[arg(long, default_value = "60s", value_name = "DURATION", value_parser = parse_duration)]
    pub wait: Duration,
}

/// `replay`.
#[derive(Args, Debug)]
pub struct ReplayArgs {
    /// The agent's folder.
    pub dir: PathBuf,
    /// The readings; `-` is stdin.
    pub file: PathBuf,
    /// Rows a second, or `max`.
    #[arg(long, default_value = "max", value_name = "max|N")]
    pub speed: Speed,
    /// Longest wait without an answer before it gives up; nothing is lost by that.
    #[arg(long, default_value = "60s", value_name = "DURATION", value_parser = parse_duration)]
    pub wait: Duration,
    /// Which `[[source]]` of config.toml maps the columns. Default: the only one.
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
}

/// `parse`.
#[derive(Args, Debug)]
pub struct ParseArgs {
    /// A file of lines; `-` is stdin.
    #[arg(default_value = "-")]
    pub file: PathBuf,
}

/// How fast rows are replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// As fast as the disk takes them.
    Max,
    /// So many rows a second.
    PerSecond(f64),
}

impl FromStr for Speed {
    type Err = String;
    fn from_str(text: &str) -> Result<Speed, String> {
        if text == "max" {
            return Ok(Speed::Max);
        }
        match text.parse::<f64>() {
            Ok(rows) if (0.001..=1e6).contains(&rows) => Ok(Speed::PerSecond(rows)),
            _ => Err("expected max, or rows a second from 0.001 to 1000000".to_owned()),
        }
    }
}

/// Where a command writes: data to stdout, talk to stderr.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// How results are printed.
    pub format: Format,
}

impl Output {
    /// One result: `text` for people or `json` for programs.
    pub fn item(&self, text: impl Display, json: &serde_json::Value) {
        match self.format {
            Format::Json => stdout_line(&json.to_string()),
            Format::Text => stdout_line(&text.to_string()),
        }
    }

    /// The last line: what it all came to.
    pub fn verdict(&self, word: &str, text: impl Display) {
        let json = serde_json::json!({ "verdict": word, "text": text.to_string() });
        self.item(format!("{word}: {text}"), &json);
    }

    /// Talk, to stderr.
    pub fn say(&self, text: impl Display) {
        eprintln!("{text}");
    }
}

/// Why lines did not reach stdout. The first fault stays; [`run`] tells it.
static UNWRITTEN: OnceLock<std::io::Error> = OnceLock::new();

/// A closed pipe on stdout ends nothing: whoever reads has read enough.
fn stdout_line(line: &str) {
    let mut stdout = std::io::stdout().lock();
    match writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = UNWRITTEN.set(error);
        }
        _ => {}
    }
}

/// Runs a command line: prints what there is to say and gives the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            if !error.use_stderr() {
                return Exit::Done.into();
            }
            eprintln!("help: see `hallmark-agent --help` for the commands and their examples");
            return Exit::Usage.into();
        }
    };
    start_logging();
    let ran = command::run(&cli.command, cli.format);
    let unwritten = UNWRITTEN.get().map(Failure::unwritten);
    match ran.and_then(|exit| unwritten.map_or(Ok(exit), Err)) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprint!("{}", failure.lines());
            failure.exit().into()
        }
    }
}

fn start_logging() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("HALLMARK_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // Another subscriber is there already only in tests, which call this more than once.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::env::var_os("NO_COLOR").is_none())
        .try_init();
}

/// A failure for an argument that does not parse, with the same exit code as clap's own.
pub(crate) fn argument<E: std::error::Error + 'static>(name: &str, error: &E) -> Failure {
    Failure::usage(format!("the argument {name} is wrong"))
        .because(error)
        .help("see `hallmark-agent --help`")
}
