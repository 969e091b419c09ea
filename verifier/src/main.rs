//! `hallmark-verify`: checks evidence, offline, and finds what is falsified or inconsistent.

use std::process::ExitCode;

fn main() -> ExitCode {
    hallmark_verifier::cli::run(std::env::args_os())
}
