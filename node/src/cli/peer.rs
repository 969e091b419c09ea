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
    /// Bodies that followed logs name and that nobody gave this node.
    Wanted,
    /// Demands a body that nobody gives: signed, logged, for every member to see.
    #[command(after_help = "Examples:
  hallmark-node peer plant demand sha256:… --days 14
  hallmark-node peer plant demand sha256:… --met
  hallmark-node peer plant demand sha256:… --withdraw 'our regions do not admit it'

That a body is withheld cannot be proved: a demand is a complaint. Unless the body comes in time, rule
LOG-002 tells a warning to all that hold both logs, which goes once they hold the body or the demand
is closed. The node closes it by itself when the body comes from a peer; --met is for a body that came
otherwise. Other members who are entitled join by a demand of their own.")]
    Demand(DemandArgs),
}

/// `peer demand`.
#[derive(Args, Debug)]
pub struct DemandArgs {
    /// Content id of the body, with or without `sha256:`, as `peer wanted` prints it.
    pub id: String,
    /// Within how many days of the demand's record it is asked for; rules give a week at least.
    #[arg(long, value_name = "N", default_value_t = 14, conflicts_with_all = ["met", "withdraw"])]
    pub days: u16,
    /// Closes the demand: the body has come.
    #[arg(long, conflicts_with = "withdraw")]
    pub met: bool,
    /// Closes the demand: it is asked for no more, for this reason, which all can read.
    #[arg(long, value_name = "REASON")]
    pub withdraw: Option<String>,
}
