//! The `hallmark-node` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    hallmark_node::cli::main(std::env::args_os())
}
