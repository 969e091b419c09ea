//! `cargo demo`.

use std::process::ExitCode;

use clap::Parser;
use hallmark_examples::demo;

fn main() -> ExitCode {
    let options = match demo::cli::Options::try_parse() {
        Ok(options) => options,
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() {
                eprintln!("help: `cargo demo --help` lists the options");
            }
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
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
            let (help, code) = demo::remedy(&error);
            eprintln!("help: {help}");
            ExitCode::from(code)
        }
    }
}
