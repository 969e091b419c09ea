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
    /// `show` prints the network file; the default without --quorum.
    #[arg(value_parser = ["show"])]
    pub action: Option<String>,
    /// How many of the witnesses must cosign; 0 is `quorum none`.
    #[arg(long, value_name = "K")]
    pub quorum: Option<usize>,
    /// A member that witnesses, `<scheme>-<value>` or its URN; default: all members.
    #[arg(long = "witness", value_name = "NAME", num_args = 1.., requires = "quorum")]
    pub witnesses: Vec<String>,
    /// A member that leaves, `<scheme>-<value>` or its URN: its log ends, and is kept as it is.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["quorum", "action"])]
    pub depart: Option<String>,
    /// A witness that is no member, as `<verifier key> <URL>`; may be given several times.
    #[arg(long = "foreign-witness", value_name = "WITNESS", requires = "quorum")]
    pub foreign_witnesses: Vec<String>,
    /// File that holds the passphrase of the organisation key.
    #[arg(long, value_name = "FILE", env = "HALLMARK_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
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
