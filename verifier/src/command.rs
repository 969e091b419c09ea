//! What each command does, one file each.

pub mod check;
pub mod evaluate;
pub mod event_hash;
pub mod explain;
mod onlooker;
pub mod rules;
pub mod tables;

use hallmark_schemas::exit::Exit;

use crate::cli::Command;
use crate::failure::Failure;

/// Runs one command; its verdict is printed, its exit code returned.
pub fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => check::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::EventHash(args) => event_hash::run(args),
        Command::Tables(args) => tables::run(args),
        Command::Rules(args) => rules::run(args),
    }
}
