//! One file for each command.

mod enrol;
mod init;
mod parse;
mod replay;
mod run;
mod spool;
mod status;

use hallmark_schemas::exit::Exit;

use crate::cli::{Command, Output};
use crate::failure::Failure;

/// Runs one command.
pub(crate) fn run(command: &Command, out: &Output) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(args, out),
        Command::Enrol(args) => enrol::run(args, out),
        Command::Run(args) => run::run(args, out),
        Command::Replay(args) => replay::run(args, out),
        Command::Status(args) => status::run(args, out),
        Command::Spool(args) => spool::run(args, out),
        Command::Parse(args) => parse::run(args),
    }
}
