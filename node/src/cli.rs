//! The command line of `hallmark-node`: its tree, its output, its exit codes.
//!
//! Invariants: stdout is data, stderr is talk; the last line is the verdict; a command returns its
//! exit code, nothing here ends the process.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use hallmark_schemas::exit::Exit;

use crate::command;
use crate::failure::Failure;
use keep::{BackupArgs, CheckArgs, EraseArgs, RestoreArgs};
use peer::PeerArgs;
use trust::{AdmitArgs, EnrolArgs, KeyArgs, NetworkArgs};

pub mod keep;
pub mod peer;
pub mod recall;
pub mod trust;

/// The peer of an organisation: admits, logs, mirrors and serves attestations.
#[derive(Debug, Parser)]
#[command(name = "hallmark-node", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done · 1 findings, or items refused · 2 command line or \
configuration · 3 input malformed · 4 broken proof · 5 evidence incomplete · 6 busy, locked or \
unreachable · 70 our own fault")]
pub struct Cli {
    /// How results are printed: text for people, json with one object a line for programs. Further
    /// forms that some commands have: cbor (get, receipt), tlog-proof (receipt), dot, svg and epcis
    /// (trace), svg, png, pdf, zpl and csv (label).
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, env = "HALLMARK_FORMAT")]
    #[arg(value_name = "text|json|…", hide_possible_values = true)]
    pub format: Format,
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
    /// Deterministic CBOR or stored bytes, where a command has them.
    Cbor,
    /// The proof of an entry as C2SP tlog-proof writes it (`receipt`).
    TlogProof,
    /// A graph in the language of Graphviz, where a command has one.
    Dot,
    /// The events of a trace, an EPCIS 2.0 query document (`trace`).
    Epcis,
    /// Labels (`label`) or a trace (`trace`) as drawings.
    Svg,
    /// Labels as images (`label`).
    Png,
    /// Labels on pages of A4 (`label`).
    Pdf,
    /// Labels as commands for a label printer (`label`).
    Zpl,
    /// Codes as a table (`label`).
    Csv,
}

impl Format {
    /// Whether it is one for labels.
    pub fn is_label(self) -> bool {
        matches!(self, Format::Svg | Format::Png | Format::Pdf | Format::Zpl | Format::Csv)
    }
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes keys, config.toml and the request to join a network.
    #[command(after_help = "Examples:
  hallmark-node init plant --org urn:hallmark:org:uscc:91310000MA1K4LCA5K --name 'Plant Ltd' \\
      --role producer --network network.hallmark
  hallmark-node init registry --org urn:hallmark:org:lei:529900T8BM49AURSDO55 --name Registry \\
      --role registrar --new-network demo")]
    Init(InitArgs),
    /// Registrar: admits an organisation and writes the next network file.
    #[command(after_help = "Examples:
  hallmark-node admit registry plant/join.cbor
  hallmark-node admit second plant/join.cbor --sign registry/network-5.draft

Where several registrars must agree, each attests the newcomer: the first `admit` writes the next
version of the network file as a draft, the others give --sign with it.")]
    Admit(AdmitArgs),
    /// Admits a device: logs its attestation and writes enrolled.cbor.
    #[command(after_help = "Example:\n  hallmark-node enrol plant meter/enrol.cbor")]
    Enrol(EnrolArgs),
    /// Shows the network file, or (registrar) makes or signs its next version.
    #[command(after_help = "Examples:
  hallmark-node network registry show
  hallmark-node network registry --quorum 2 --witness uscc-91310000MA1K4LCA5K \\
      --witness lei-529900T8BM49AURSDO55 --witness gln-4012345000009
  hallmark-node network registry --quorum 1 \\
      --foreign-witness 'witness.example+8ce37f0c+BBOY9ixt… https://witness.example'

A foreign witness is given as `<verifier key> <URL>`: checkpoints are posted to URL/add-checkpoint
(C2SP tlog-witness), and its operator must have been told this network's logs.

Several registrars: two of three sign from the next version on, which one makes and two sign.
  hallmark-node network registry --threshold 2 \\
      --registrar lei-529900T8BM49AURSDO55 gln-4012345000009 gln-9521234000013
  hallmark-node network second --sign registry/network-4.draft

Whatever a version changes (members, policy, registrars, a registrar's key), it counts once the
threshold of the version in force and its own have signed. Until then it is a draft, a file that
goes from one registrar to the next; --sign says first what it changes. Each signs one version of a
number: --instead signs another, when the others gave the first up. Whoever signs last, and is a
registrar already, puts it into force. `hallmark-node key DIR rotate` changes a registrar's key.")]
    Network(NetworkArgs),
    /// The organisation's next key takes the place of the one before.
    #[command(after_help = "Example:
  hallmark-node key plant rotate

The next key was made by `init` and committed to when the organisation was admitted: with the
stolen key alone nobody can rotate. The new key signs a `key` attestation; once that is recorded in
the log of the running node, keys/ is changed: the next key becomes organisation.key, a fresh one
the next. What the old key signed before stays proved, what it signs from then on is refused.
Interrupted, give the command again.

The key of a registrar is named in the network file: there the next version says it, signed with
the old key and the new one. Where several registrars must sign, the command writes it as a draft
and ends; once it is in force (`hallmark-node network DIR --sign`), give the command again.")]
    Key(KeyArgs),
    /// Serves HTTP, MQTT and peers until SIGTERM.
    #[command(after_help = "Example:
  hallmark-node run plant --http 127.0.0.1:8080

A registrar's node signs the network file with the organisation key. To keep that key offline, take
keys/organisation.key away: the node then runs without it.")]
    Run(RunArgs),
    /// Signs attestations into the durable outbox and sends them to the running node.
    #[command(after_help = "Examples:
  hallmark-node submit plant attestation.json
  hallmark-node submit plant events.json --aud members --receipt
  hallmark-node submit plant meter.csv --kind readings")]
    Submit(SubmitArgs),
    /// Makes codes for goods: attests the range, then writes the labels.
    #[command(after_help = "Examples:
  hallmark-node label plant 09521234000129 --count 100 --lot L7 \\
      --host https://id.example.com -o labels.pdf
  hallmark-node label plant 09521234000129 --serials 0001..0500 --order A --symbol gs1-128 -o a.zpl
  hallmark-node label plant 09521234000129 --serials 0005..0007 --order A --state scrapped

A QR code or CSV holds the address that codes lead to: --host, or `http.public_url` of config.toml.
Codes are printed again, activated or scrapped by --order with --numbers, which the CSV tells, where
--count made them, else with --serials. OUT's ending says the format where --format does not: .svg,
.png, .pdf, .zpl or .csv; several svg or png labels go into a folder OUT. Codes are printed once the
running node has stored their range.")]
    Label(LabelArgs),
    /// Prints one attestation.
    #[command(after_help = "Example:\n  hallmark-node get plant sha256:… --format json")]
    Get(GetArgs),
    /// Prints the COSE receipt of one attestation: its bytes, or base64 with --format json.
    #[command(after_help = "Examples:
  hallmark-node receipt plant sha256:… > receipt.cose
  hallmark-node receipt plant sha256:… --format tlog-proof > entry.tlog-proof")]
    Receipt(GetArgs),
    /// Shows the way of an item, lot or container over all logs that the node holds.
    #[command(after_help = "Examples:
  hallmark-node trace plant https://id.gs1.org/01/09521234000129/21/F1
  hallmark-node trace plant https://id.gs1.org/00/095212340000000013 --format dot
  hallmark-node trace https://node.example https://id.gs1.org/01/09521234000129/10/L1")]
    Trace(TraceArgs),
    /// Tells who holds affected goods now, and with a reason calls them back.
    #[command(after_help = "Examples:
  hallmark-node recall plant https://id.gs1.org/01/09521234000129/10/L1
  hallmark-node recall plant '(01)09521234000129(10)L1' --reason 'Glass may be in the bottle.' \\
      --reason-zh '瓶内可能有玻璃碎片。' --url https://plant.example/recall
  hallmark-node recall plant --facility urn:hallmark:facility:gln:9521234000013:press-1 \\
      --period 2026-03-01T00:00:00+08:00/2026-03-02T00:00:00+08:00

Asked again after a recall, it tells which holders answered: they record that goods are recalled,
set apart, returned or destroyed. What nobody recorded to have received stands as unresolved.")]
    Recall(recall::RecallArgs),
    /// Writes an evidence bundle that anyone can check offline.
    #[command(after_help = "Examples:
  hallmark-node export plant -o plant.hallmark
  hallmark-node export plant --goods https://id.gs1.org/01/09520123456788/21/7 -o case.hallmark
  hallmark-node export plant --period 2026-01-01T00:00:00Z/2026-04-01T00:00:00Z -o q1.hallmark")]
    Export(ExportArgs),
    /// Prints a bearer token, alone on the last line.
    #[command(after_help = "Example:\n  hallmark-node token plant --scope capture --purpose erp")]
    Token(TokenArgs),
    /// Says how the node and its log are.
    #[command(after_help = "Example:\n  hallmark-node status plant --format json")]
    Status(DirArgs),
    /// Who the peers are, how each is reached, and why not.
    #[command(after_help = "Examples:
  hallmark-node peer plant list
  hallmark-node peer plant why urn:hallmark:org:lei:529900T8BM49AURSDO55
  hallmark-node peer plant wanted
  hallmark-node peer plant add https://node.example
  hallmark-node peer plant add /dns4/node.example/tcp/4101 --origin demo/lei-529900T8BM49AURSDO55/1

Addresses come from `node` attestations, then from the network file, then from config.toml, where
`add` writes. `why` takes an organisation, an origin or a peer id.")]
    Peer(PeerArgs),
    /// Re-reads everything: head and tiles against the checkpoint, bodies against their ids.
    #[command(after_help = "Examples:
  hallmark-node check plant
  hallmark-node check plant --repair

It only reads, also beside a running node. --repair first puts right what it can, the node running
or not: a tile is computed from what lies below it, a bundle or body is fetched from peers that hold
a copy; what was damaged is kept in DATA/damaged. Interrupted and given again, it reads all files again
but checks no signature twice; which ones held is kept in DIR/run/check until a check ends.
Ends with 4 where bytes are not what was written or contradict each other, with 5 where something is
missing that the folder itself says it holds. Each defect names its file and what to do.")]
    Check(CheckArgs),
    /// Copies DATA while the node runs: into a new folder, or over an older backup.
    #[command(after_help = "Examples:
  hallmark-node backup plant /mnt/backup/plant
  hallmark-verify check /mnt/backup/plant

The copy is that of the newest published checkpoint; all of it is read again and proved before the
verdict. Over an older backup only what is new is written; interrupted, the older backup stays whole
and the command, given again, goes on. DIR/head, keys, config.toml and what `reindex` makes are not
copied: keep keys and config.toml elsewhere, and DIR/head nowhere.")]
    Backup(BackupArgs),
    /// Puts a backup in the place of lost DATA, or fetches what is lost back from peers.
    #[command(after_help = "Examples:
  hallmark-node restore plant /mnt/backup/plant --from-peers
  hallmark-node restore plant --from-peers
  hallmark-node restore plant --from-peers --peer https://node.example
  hallmark-node restore plant --successor

A backup is older than what the log signed since, so a node that has one signs nothing until
--from-peers has asked the witnesses what was signed, fetched it from peers that hold a copy, and
proved it by the log's own signature. The node must not run. Ends with 5 where something is held by
nobody who was asked: bodies are listed; where entries are, the log stays read-only. Such a log has ended:
--successor begins the next one, with a new origin and log key, whose genesis names the last head
known. Give its join.cbor to the registrar: `admit` seals the old log, which stays readable.")]
    Restore(RestoreArgs),
    /// Erases the body of one attestation of the own log; its entry stays provable.
    #[command(after_help = "Example:
  hallmark-node erase plant sha256:… --reason 'a trade secret, by the owner of the recipe'

The erasure is signed with the organisation key and logged for all to see. Once it is recorded, the
running node writes over the body, drops what index, evidence tables and findings quote of it, and
answers 410; members that hold a copy do the same when they read the log. Entry, time, digest and
receipt stay. Backups are not reached: make new ones and destroy those from before. What keys are
proved from is never erased.")]
    Erase(EraseArgs),
    /// Rebuilds the index and the evidence tables from the files.
    #[command(after_help = "Example:\n  hallmark-node reindex plant")]
    Reindex(DirArgs),
}

/// Only the node's folder.
#[derive(Args, Debug)]
pub struct DirArgs {
    /// The node's folder.
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
    /// Its legal name.
    #[arg(long)]
    pub name: String,
    /// A role it asks for; may be given several times.
    #[arg(long = "role", value_name = "ROLE", required = true, num_args = 1..)]
    pub roles: Vec<String>,
    /// The network file to start from.
    #[arg(long, value_name = "FILE", conflicts_with = "new_network")]
    pub network: Option<PathBuf>,
    /// Founds a network of this name and makes the organisation its registrar too.
    #[arg(long, value_name = "NAME")]
    pub new_network: Option<String>,
    /// The region whose law binds its bodies, ISO 3166 alpha-2.
    #[arg(long, default_value = "CN", env = "HALLMARK_REGION")]
    pub region: String,
    /// File that holds the passphrase of the organisation key.
    #[arg(long, value_name = "FILE", env = "HALLMARK_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// Where HTTP listens; port 0 picks a free one.
    #[arg(long, value_name = "ADDR", env = "HALLMARK_HTTP")]
    pub http: Option<SocketAddr>,
    /// Where peers connect (libp2p, TCP); port 0 picks a free one.
    #[arg(long, value_name = "IP:PORT", env = "HALLMARK_P2P")]
    pub p2p: Option<SocketAddr>,
    /// The broker: `embedded`, `none` or mqtt://host:port.
    #[arg(long, value_name = "BROKER", env = "HALLMARK_MQTT")]
    pub mqtt: Option<String>,
    /// File that holds the passphrase of the organisation key.
    #[arg(long, value_name = "FILE", env = "HALLMARK_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `submit`.
#[derive(Args, Debug)]
pub struct SubmitArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// JSON, JSON lines, CBOR, EPCIS documents (JSON, XML) or CSV; `-` is stdin.
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The kind, where the file does not say it.
    #[arg(long)]
    pub kind: Option<String>,
    /// Who may read: public, members or URN,...
    #[arg(long)]
    pub aud: Option<String>,
    /// Waits for *recorded* and prints the index too.
    #[arg(long)]
    pub receipt: bool,
    /// Seconds to wait for a node that does not run or takes nothing yet (without it: none), and
    /// for *recorded* (without it: 60).
    #[arg(long, value_name = "SECONDS", env = "HALLMARK_WAIT")]
    pub wait: Option<u64>,
    /// File that holds the passphrase of the organisation key.
    #[arg(long, value_name = "FILE", env = "HALLMARK_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `label`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("range").required(true).args(["count", "numbers", "serials"])))]
pub struct LabelArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// The GTIN of the goods: 8, 12, 13 or 14 digits.
    pub gtin: String,
    /// Makes so many labels, at most 100,000, with serials that nobody can guess.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub count: Option<u64>,
    /// These numbers of an order made by --count, as its CSV tells them: to print them again, to
    /// activate or scrap them.
    #[arg(long, value_name = "A..B", requires = "order")]
    pub numbers: Option<String>,
    /// Serials that count up from A to B; zeros in front are kept.
    #[arg(long, value_name = "A..B")]
    pub serials: Option<String>,
    /// The lot that the labels name.
    #[arg(long)]
    pub lot: Option<String>,
    /// The label order: letters, digits, `.`, `_`, `/` and `-`. Default: a new one.
    #[arg(long, value_name = "ID")]
    pub order: Option<String>,
    /// What becomes of the codes; only `made` prints them.
    #[arg(long, value_enum, default_value_t = LabelState::Made)]
    pub state: LabelState,
    /// What is printed: qr carries the Digital Link, the others the element string.
    #[arg(long, value_enum, default_value_t = LabelSymbol::Qr)]
    pub symbol: LabelSymbol,
    /// Address of the resolver that codes lead to. Default: `http.public_url` of config.toml.
    #[arg(long, value_name = "URL")]
    pub host: Option<String>,
    /// Where the labels go; `-` is stdout. New labels are not written over a file that is there.
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Writes new labels over a file that is there.
    #[arg(long)]
    pub force: bool,
}

/// What becomes of codes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LabelState {
    /// New labels.
    Made,
    /// On goods.
    Activated,
    /// Spoiled or destroyed.
    Scrapped,
}

/// What a label carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum LabelSymbol {
    /// QR code.
    Qr,
    /// GS1 DataMatrix.
    Datamatrix,
    /// GS1-128.
    #[value(name = "gs1-128")]
    Gs1128,
}

/// `get` and `receipt`.
#[derive(Args, Debug)]
pub struct GetArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// The content id, `sha256:<64 hex>`.
    pub id: String,
}

/// `trace`.
#[derive(Args, Debug)]
pub struct TraceArgs {
    /// The node's folder, or the URL of any node.
    #[arg(value_name = "DIR|URL")]
    pub node: String,
    /// What to trace: the address that a label prints or a Digital Link of any host, an element
    /// string such as `(01)…(21)…`, an EPC URN or `urn:hallmark:goods:<scheme>:<value>`.
    pub goods: String,
    /// File that holds a bearer token; without one, a URL shows public events only.
    #[arg(long, value_name = "FILE", env = "HALLMARK_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
}

/// `export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// Bodies about these goods.
    #[arg(long, value_name = "GOODS")]
    pub goods: Vec<String>,
    /// Bodies about this facility and its devices.
    #[arg(long, value_name = "URN")]
    pub facility: Vec<String>,
    /// Bodies admitted in this period, `START/END` in RFC 3339.
    #[arg(long, value_name = "START/END")]
    pub period: Option<String>,
    /// This attestation and what it cites.
    #[arg(long = "id", value_name = "ID")]
    pub ids: Vec<String>,
    /// Only public bodies, each with its own proof instead of whole logs: small, for anyone.
    #[arg(long)]
    pub public: bool,
    /// A signed statement of another system and its receipts: files with commas between.
    #[arg(long, value_name = "STATEMENT,RECEIPT...")]
    pub foreign: Vec<String>,
    /// The bundle to write; `-` is stdout.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `token`.
#[derive(Args, Debug)]
pub struct TokenArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// What the token allows.
    #[arg(long, value_parser = ["capture", "read", "admin"])]
    pub scope: String,
    /// Why it is asked for; kept in the record of access.
    #[arg(long)]
    pub purpose: String,
    /// The origin of the node that it is for. Default: this one.
    #[arg(long, value_name = "ORIGIN")]
    pub audience: Option<String>,
    /// Minutes it lives, at most 10.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=10))]
    pub minutes: u64,
    /// File that holds the passphrase of the organisation key.
    #[arg(long, value_name = "FILE", env = "HALLMARK_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// Where a command writes: data to stdout, talk to stderr.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// How results are printed.
    pub format: Format,
}

impl Output {
    /// One result: `text` for people or `json` for programs.
    pub fn item(&self, text: impl std::fmt::Display, json: &serde_json::Value) {
        match self.format {
            Format::Json => stdout_line(&json.to_string()),
            _ => stdout_line(&text.to_string()),
        }
    }

    /// The last line: what it all came to.
    pub fn verdict(&self, word: &str, text: impl std::fmt::Display) {
        let json = serde_json::json!({ "verdict": word, "text": text.to_string() });
        self.item(format!("{word}: {text}"), &json);
    }

    /// Whether data goes out as JSON.
    pub fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Talk, to stderr.
    pub fn say(&self, text: impl std::fmt::Display) {
        eprintln!("{text}");
    }

    /// Raw bytes to stdout.
    pub fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = std::io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|e| Failure::unwritten("to stdout", &e))
    }
}

/// Why lines did not reach stdout. The first fault stays; [`main`] tells it.
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

/// Parses the arguments, runs the command, prints its failure.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            if !error.use_stderr() {
                return Exit::Done.into();
            }
            eprintln!("help: see `hallmark-node --help` for the commands and their examples");
            return Exit::Usage.into();
        }
    };
    start_logging(matches!(cli.command, Command::Run(_)));
    let ran = command::run(cli);
    let unwritten = UNWRITTEN.get().map(|error| Failure::unwritten("to stdout", error));
    match ran.and_then(|exit| unwritten.map_or(Ok(exit), Err)) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprint!("{}", failure.lines());
            failure.exit().into()
        }
    }
}

fn start_logging(serving: bool) {
    let default = if serving { "info,fjall=warn,lsm_tree=warn,rumqttd=off" } else { "error" };
    let filter = crate::config::log_filter(default);
    let color = std::io::stderr().is_terminal() && !crate::config::no_color();
    // A second subscriber (tests in one process) is no fault.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color)
        .try_init();
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_token_lives_ten_minutes_at_most() {
        let args = |minutes: &str| {
            let line = ["hallmark-node", "token", "d", "--scope", "read", "--purpose", "audit"];
            Cli::try_parse_from(line.into_iter().chain(["--minutes", minutes]))
        };
        assert!(args("10").is_ok());
        assert!(args("11").is_err());
    }
}
