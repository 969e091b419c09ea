//! `market`: records with known frauds, and the score of a report on them.

use std::process::ExitCode;

use clap::Parser;
use hallmark_examples::market::cli::{Options, run};

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("cause: {cause}");
            }
            eprintln!("help: `market --help` shows the way");
            ExitCode::from(2)
        }
    }
}
