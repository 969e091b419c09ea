//! What `peer` takes: who the others are, and how they are reached.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `peer`.
#[derive(Args, Debug)]
pub struct PeerArgs {
    /// The node's folder.
    pub dir: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub action: PeerAction,
}

/// What `peer` does.
#[derive(Debug, Subcommand)]
pub enum PeerAction {
    /// Every peer, and strangers that were refused.
    List,
    /// Everything that is known of one.
    Why {
        /// An organisation, an origin or a peer id.
        peer: String,
    },
    /// An address that no record tells: into config.toml, and to the running node.
    Add {
        /// `http[s]://…`, or a multiaddress.
        address: String,
        /// The origin of the log that its node keeps.
        #[arg(long)]
        origin: Option<String>,
    },
}
