//! `cargo demo`.

use std::process::ExitCode;

use clap::Parser;
use hallmark_examples::demo;

fn main() -> ExitCode {
    let options = demo::cli::Options::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(demo::run(&options)),
        Err(error) => Err(anyhow::Error::new(error).context("cannot start the runtime")),
    };
    match ended {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            for cause in error.chain().skip(1) {
                eprintln!("cause: {cause}");
            }
            eprintln!("help: run it again with --keep DIR and read the logs there");
            ExitCode::from(70)
        }
    }
}
