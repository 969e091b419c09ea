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

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

thread_local! {
    /// The files that the tests of this thread have read.
    static FILES_READ: RefCell<BTreeSet<PathBuf>> = RefCell::default();
}

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

fn read(folder: &Path, name: &str) -> Vec<u8> {
    let path = folder.join(name);
    FILES_READ.with_borrow_mut(|files| files.insert(path.clone()));
    let file = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()));
    file.expect("a vector's file can be read")
}

fn json(folder: &Path, name: &str) -> serde_json::Value {
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

/// Files that hold no vector for this crate, by the end of their path, each with its reason.
const NO_VECTORS: [(&str, &str); 5] = [
    ("README.md", "a description"),
    ("LICENSE", "a licence"),
    (".cddl", "the grammar of the receipt beside it"),
    ("tlog/add-checkpoint-litewitness.json", "requests to a witness: node/src/witness/tests.rs"),
    ("scitt-ccf/esrp-cts-db.json", "keys of receipts with vds 2, which are refused by name"),
];

type Tests = &'static [fn()];

/// The tests of each folder, and no others, read its vectors.
const FOLDERS: [(&str, Tests); 6] = [
    (
        "cbor",
        &[
            cbor::rfc_8949_appendix_a,
            cbor::the_working_groups_files,
            cbor::dcbor_agrees_on_lengths_and_integers,
            cbor::spike_sample_by_its_deterministic_flag,
        ],
    ),
    (
        "cose",
        &[
            cose::scitt_cose_statements_and_receipts,
            cose::rfc_9942_example_receipt,
            cose::ccf_messages_are_read_and_their_receipts_named_unsupported,
            cose::working_group_examples,
        ],
    ),
    (
        "ed25519",
        &[
            ed25519::speccheck_as_dalek_strict,
            ed25519::cctv_accepts_only_low_order_components,
            ed25519::wycheproof_results,
        ],
    ),
    (
        "merkle",
        &[
            merkle::inclusion_proofs,
            merkle::consistency_proofs,
            merkle::inclusion_in_subtrees,
            merkle::consistency_of_subtrees,
        ],
    ),
    ("policy", &[tlog::sigsum_policies_are_refused_by_name]),
    (
        "tlog",
        &[
            tlog::tessera_log_at_every_size,
            tlog::sunlight_cosignatures_and_mirror,
            tlog::examples_of_the_specifications,
        ],
    ),
];

#[test]
fn no_file_of_the_vectors_is_left_out() {
    let mut known = BTreeSet::new();
    for (name, tests) in FOLDERS {
        let Some(folder) = folder(name) else { return };
        known.insert(folder.clone());
        tests.iter().for_each(|test| test());
        let mut all = files_below(&folder);
        all.retain(|path| {
            let text = path.to_string_lossy();
            !NO_VECTORS.iter().any(|(end, _)| text.ends_with(end))
        });
        FILES_READ.with_borrow(|files| {
            let missing: Vec<_> = all.iter().filter(|path| !files.contains(*path)).collect();
            assert!(missing.is_empty(), "no test of `{name}` reads {missing:?}");
            assert!(!all.is_empty(), "`{name}` holds vectors");
        });
    }
    let root = folder("").expect("its folders are there");
    let folders =
        std::fs::read_dir(&root).expect("a folder").map(|entry| entry.expect("read").path());
    let strange: Vec<_> = folders.filter(|path| path.is_dir() && !known.contains(path)).collect();
    assert!(strange.is_empty(), "no test reads {strange:?}");
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of vectors can be read");
    let paths = entries.map(|entry| entry.expect("its entries too").path());
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    paths.flat_map(below).collect()
}
