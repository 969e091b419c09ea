//! `cargo demo`.

use std::process::ExitCode;

use clap::Parser;
use hallmark_examples::demo;
use hallmark_examples::demo::build::Missing;
use hallmark_examples::demo::input::Unusable;

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
            let again = "run it again with --keep DIR and read the logs there";
            let (help, code) = if let Some(unusable) = error.downcast_ref::<Unusable>() {
                (unusable.help(), 3)
            } else if let Some(missing) = error.downcast_ref::<Missing>() {
                (missing.help(), 2)
            } else {
                (again, 70)
            };
            eprintln!("help: {help}");
            ExitCode::from(code)
        }
    }
}
