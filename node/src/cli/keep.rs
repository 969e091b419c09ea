//! The arguments of what keeps a log: check, repair, backup, restore, erasure.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

/// `erase`.
#[derive(Args, Debug)]
pub struct EraseArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// Its content id, with or without `sha256:`.
    pub id: String,
    /// Why, in public and for ever: say nothing of what is erased.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// A file with the passphrase of the organisation key.
    #[arg(long, value_name = "FILE", env = "HALLMARK_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}

/// `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// Puts right what is lost or damaged, as far as this node or its peers hold it.
    #[arg(long)]
    pub repair: bool,
    /// A node to ask first; by default all that are known.
    #[arg(long = "peer", value_name = "URL", requires = "repair")]
    pub peers: Vec<String>,
}

/// `backup`.
#[derive(Args, Debug)]
pub struct BackupArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// A new or empty folder, or one that holds an older backup of this log.
    pub target: PathBuf,
}

/// `restore`.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("way").required(true).multiple(true)
    .args(["backup", "from_peers", "successor"])))]
pub struct RestoreArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// What `backup` made: copied into DATA, which must be empty.
    pub backup: Option<PathBuf>,
    /// Asks witnesses and peers for what is not here.
    #[arg(long)]
    pub from_peers: bool,
    /// Begins the log that follows this one, which is lost for good.
    #[arg(long, conflicts_with_all = ["backup", "from_peers"])]
    pub successor: bool,
    /// A node to ask first; by default all that are known.
    #[arg(long = "peer", value_name = "URL")]
    pub peers: Vec<String>,
    /// File that holds the passphrase of the organisation key, for --successor.
    #[arg(long, value_name = "FILE", env = "HALLMARK_PASSPHRASE_FILE")]
    pub passphrase_file: Option<PathBuf>,
}
