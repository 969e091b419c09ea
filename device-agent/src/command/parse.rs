//! `parse`: one JSON object, or one line for people, for each line of scan data that is not blank.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};

use hallmark_schemas::exit::Exit;

use crate::cli::{Format, ParseArgs};
use crate::failure::Failure;
use crate::parse;

pub(super) fn run(args: &ParseArgs, format: Format) -> Result<Exit, Failure> {
    let unreadable = |error: &io::Error| {
        Failure::input(format!("cannot read {}", args.file.display()))
            .because(error)
            .help("give a readable file, or - for stdin")
    };
    let input: Box<dyn Read> = if args.file.as_os_str() == "-" {
        Box::new(io::stdin().lock())
    } else {
        Box::new(File::open(&args.file).map_err(|error| unreadable(&error))?)
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut read, mut refused) = (0_u64, 0_u64);
    let mut lines = BufReader::new(input);
    while let Some(line) = parse::next_line(&mut lines).map_err(|error| unreadable(&error))? {
        if line.trim().is_empty() {
            continue;
        }
        let found = parse::line(&line);
        if found.get("error").is_some() {
            refused += 1;
        }
        read += 1;
        let written = match format {
            Format::Json => writeln!(out, "{found}"),
            Format::Text => writeln!(out, "{}", parse::in_words(&found)),
        };
        if let Err(error) = written {
            return ended(&error);
        }
    }
    if let Err(error) = out.flush() {
        return ended(&error);
    }
    // Standard output holds one answer a line and nothing else.
    eprintln!("{read} {}, {refused} refused", if read == 1 { "line" } else { "lines" });
    Ok(if 0 < refused { Exit::Found } else { Exit::Done })
}

/// A closed pipe means that whoever reads has read enough.
fn ended(error: &io::Error) -> Result<Exit, Failure> {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        _ => Err(Failure::unwritten(error)),
    }
}
