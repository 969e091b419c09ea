//! Public vectors of other projects: each must get the verdict that its origin states.
//!
//! They are read from `HALLMARK_REAL_DATA`, by default `../shared/data` beside the workspace, and
//! are never copied here. Without them each test says in one line what it skipped.

#[path = "vectors/cbor.rs"]
mod cbor;
#[path = "vectors/cose.rs"]
mod cose;
#[path = "vectors/ed25519.rs"]
mod ed25519;
#[path = "vectors/merkle.rs"]
mod merkle;
#[path = "vectors/tlog.rs"]
mod tlog;

use std::path::PathBuf;

/// The folder of the vectors, or `None` with one line that says so.
fn folder(name: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("HALLMARK_REAL_DATA") {
        Some(root) => PathBuf::from(root),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
    };
    let folder = root.join("transparency").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no vectors in {}", folder.display());
    None
}

fn read(folder: &std::path::Path, name: &str) -> Vec<u8> {
    let path = folder.join(name);
    let file = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()));
    file.expect("a vector's file can be read")
}

fn json(folder: &std::path::Path, name: &str) -> serde_json::Value {
    serde_json::from_slice(&read(folder, name)).expect("vectors are JSON")
}

/// The items of a JSON array.
fn items(value: &serde_json::Value) -> &[serde_json::Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a serde_json::Value, name: &str) -> &'a str {
    let text = value[name].as_str();
    text.ok_or_else(|| format!("no text {name} in {value}")).expect("a vector has the text")
}

/// Hexadecimal of either case, spaces ignored.
fn unhex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    hallmark_schemas::hex::decode(&digits.to_lowercase()).expect("vectors are hexadecimal")
}

fn unbase64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).expect("vectors are base64")
}
