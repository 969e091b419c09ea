//! One file for each command.

mod enrol;
mod init;
mod parse;
mod replay;
mod run;
mod spool;
mod status;

use hallmark_schemas::exit::Exit;

use crate::cli::{Command, Format, Output};
use crate::failure::Failure;

/// Runs one command; without a `format` each prints as it does by default.
pub(crate) fn run(command: &Command, format: Option<Format>) -> Result<Exit, Failure> {
    let out = &Output { format: format.unwrap_or(Format::Text) };
    match command {
        Command::Init(args) => init::run(args, out),
        Command::Enrol(args) => enrol::run(args, out),
        Command::Run(args) => run::run(args, out),
        Command::Replay(args) => replay::run(args, out),
        Command::Status(args) => status::run(args, out),
        Command::Spool(args) => spool::run(args, out),
        Command::Parse(args) => parse::run(args, format.unwrap_or(Format::Json)),
    }
}
