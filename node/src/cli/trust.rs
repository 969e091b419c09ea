//! The arguments of what trust rests on: admission, the network file, devices, keys.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `admit`.
#[derive(Args, Debug)]
pub struct AdmitArgs {
    /// The registrar's folder.
    pub dir: PathBuf,
    /// The newcomer's join.cbor.
    pub join: PathBuf,
    /// Grants these roles instead of those asked for.
    #[arg(long = "role", value_name = "ROLE", num_args = 1..)]
    pub roles: Vec<String>,
    /// The version of the network file that another registrar's `admit` made: this one agrees.
    #[arg(long, value_name = "FILE")]
    pub sign: Option<PathBuf>,
    /// Signs although another version of the same number was signed here before.
    #[arg(long)]
    pub instead: bool,
    /// File that holds the passphrase of the organisation key.
    #[arg(long, value_name = "FILE", env = "HALLMARK_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `enrol`.
#[derive(Args, Debug)]
pub struct EnrolArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// The device's enrol.cbor.
    pub enrol: PathBuf,
    /// Where enrolled.cbor goes. Default: beside enrol.cbor.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// File that holds the passphrase of the organisation key.
    #[arg(long, value_name = "FILE", env = "HALLMARK_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `network`.
#[derive(Args, Debug)]
pub struct NetworkArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// `show` prints the network file; the default without an option that makes a version.
    #[arg(value_parser = ["show"])]
    pub action: Option<String>,
    /// How many of the witnesses must cosign; 0 is `quorum none`.
    #[arg(long, value_name = "K")]
    pub quorum: Option<usize>,
    /// A member that witnesses, `<scheme>-<value>` or its URN; default: all members.
    #[arg(long = "witness", value_name = "NAME", num_args = 1.., requires = "quorum")]
    pub witnesses: Vec<String>,
    /// A member that leaves, `<scheme>-<value>` or its URN: its log ends, and is kept as it is.
    #[arg(long, value_name = "NAME", conflicts_with = "quorum")]
    pub depart: Option<String>,
    /// All who are registrars from this version on, `<scheme>-<value>` or URN: registrars of now,
    /// and members.
    #[arg(long = "registrar", value_name = "NAME", num_args = 1..,
        conflicts_with_all = ["quorum", "depart"])]
    pub registrars: Vec<String>,
    /// How many registrars must sign a version and admit a member.
    #[arg(long, value_name = "K", conflicts_with_all = ["quorum", "depart"])]
    pub threshold: Option<u32>,
    /// Signs the version that another registrar made; puts it into force once enough have signed.
    #[arg(long, value_name = "FILE",
        conflicts_with_all = ["quorum", "depart", "registrars", "threshold"])]
    pub sign: Option<PathBuf>,
    /// Signs although another version of the same number was signed here before.
    #[arg(long, conflicts_with = "action")]
    pub instead: bool,
    /// A witness that is no member, as `<verifier key> <URL>`; may be given several times.
    #[arg(long = "foreign-witness", value_name = "WITNESS", requires = "quorum")]
    pub foreign_witnesses: Vec<String>,
    /// File that holds the passphrase of the organisation key.
    #[arg(long, value_name = "FILE", env = "HALLMARK_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}

impl NetworkArgs {
    /// Whether an option asks for a version.
    pub fn makes_a_version(&self) -> bool {
        self.quorum.is_some()
            || self.depart.is_some()
            || !self.registrars.is_empty()
            || self.threshold.is_some()
            || self.sign.is_some()
    }
}

/// `key`.
#[derive(Args, Debug)]
pub struct KeyArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub action: KeyAction,
    /// File that holds the passphrase of the organisation key.
    #[arg(long, value_name = "FILE", env = "HALLMARK_PASSPHRASE_FILE", global = true)]
    pub passphrase_file: Option<PathBuf>,
}

/// What `key` does.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum KeyAction {
    /// The key that was committed to becomes the key in use.
    Rotate,
}
