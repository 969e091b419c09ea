//! `hallmark-verify event-hash`: the CBV hash of every event of EPCIS documents.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use hallmark_schemas::exit::Exit;
use hallmark_schemas::kind::event::document::{self, DOCUMENT_BYTES_MAX};

use super::check::write_stdout;
use crate::cli::{EventHashArgs, Format};
use crate::failure::Failure;

/// Prints one `ni:` URI an event, in document order. Nothing is printed of a file that is refused,
/// nor of those after it.
pub fn run(args: &EventHashArgs) -> Result<Exit, Failure> {
    for path in &args.files {
        let text = read(path)?;
        let shown = path.display();
        let refused = |error: &(dyn std::error::Error + 'static)| {
            Failure::input(format!("{shown} is no EPCIS document"))
                .because(error)
                .help("give an EPCISDocument, an EPCISQueryDocument or one event, in JSON or XML")
        };
        let document = document::read(&text).map_err(|error| refused(&error))?;
        let hashes = document.event_hashes().map_err(|error| refused(&error))?;
        let mut out = String::new();
        for (index, hash) in hashes.iter().enumerate() {
            let _fmt = match args.format {
                Format::Text => writeln!(out, "{hash}"),
                Format::Json => {
                    let file = shown.to_string();
                    let line = serde_json::json!({ "file": file, "event": index, "hash": hash });
                    writeln!(out, "{line}")
                }
            };
        }
        write_stdout(out.as_bytes())?;
    }
    Ok(Exit::Done)
}

/// The text of a file, or of stdin, no longer than a document may be.
fn read(path: &Path) -> Result<String, Failure> {
    let failed = |error: std::io::Error| {
        Failure::input(format!("cannot read {}", path.display()))
            .because(&error)
            .help("give the path of a UTF-8 file, or - for stdin")
    };
    let limit = DOCUMENT_BYTES_MAX as u64 + 1;
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_string(&mut text).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(limit).read_to_string(&mut text).map_err(failed)?;
    }
    Ok(text)
}
