//! `hallmark-agent`: signs at the source.

use std::process::ExitCode;

fn main() -> ExitCode {
    hallmark_device_agent::cli::run(std::env::args_os())
}
