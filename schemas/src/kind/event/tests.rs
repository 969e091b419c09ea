use super::*;
use std::path::{Path, PathBuf};

/// Files of the third-party EPCIS data with this extension, or nothing and a line that says so.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let root = std::env::var_os("HALLMARK_REAL_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    let root = root.join("epcis").join(folder);
    let mut found = Vec::new();
    collect(&root, extension, &mut found);
    if found.is_empty() {
        println!("skipped: {} is absent", root.display());
    }
    found.sort();
    found
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

/// Events of a document, each parsed.
fn read_document(text: &str) -> Result<Vec<Event>, FieldError> {
    let events = from_epcis_document(text)?;
    events.iter().map(|event| Event::parse(event)).collect()
}

#[test]
fn valid_documents_are_read_and_invalid_ones_refused() {
    let mut wrong = Vec::new();
    for path in files("documents", "json") {
        let name = path.to_string_lossy().into_owned();
        if name.contains("Queries") {
            continue;
        }
        let read = read_document(&std::fs::read_to_string(&path).unwrap());
        if read.is_ok() == name.contains("Invalid") {
            wrong.push(format!(
                "{name}: {:?}",
                read.err().map(|error| error.to_string())
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
