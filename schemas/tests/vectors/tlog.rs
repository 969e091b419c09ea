//! Logs, notes and cosignatures of C2SP, Tessera and Sunlight; sigsum policies.

use std::convert::Infallible;
use std::path::Path;

use hallmark_schemas::merkle::{Frontier, Hash, leaf_hash, root_from_read, verify_consistency};
use hallmark_schemas::note::{SignedNote, VerifierKey};
use hallmark_schemas::policy::{Policy, PolicyFault};
use hallmark_schemas::tile::{TilePath, TileReader, parse_entries, parse_hashes, tiles_of_growth};
use hallmark_schemas::time::Timestamp;

use crate::{folder, items, json, read, text};

const TESSERA: &str =
    "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

#[test]
pub(crate) fn tessera_log_at_every_size() {
    let Some(folder) = folder("tlog/tessera-log") else {
        return;
    };
    let vkey: VerifierKey = TESSERA.parse().expect("a verifier key");
    let words = ["one", "two", "three", "four", "five", "six", "seven", "eit", "nain", "ten"];
    let mut last: Option<(u64, Hash)> = None;
    for size in 0..=10u64 {
        let note =
            SignedNote::parse(&read(&folder, &format!("checkpoint.{size}"))).expect("a note");
        let checkpoint = note.checkpoint_of(&vkey).expect("signed by the log");
        assert_eq!(checkpoint.size, size);
        assert_eq!(checkpoint.to_string(), note.text());
        let fetch = |path: TilePath| Ok::<_, Infallible>(read(&folder, &path.to_string()));
        let mut tiles = TileReader::new(size, fetch);
        let root = root_from_read(size, |level, index| tiles.hash(level, index)).expect("tiles");
        assert_eq!(root, checkpoint.root);
        let bundle = match size {
            0 => Vec::new(),
            _ => read(&folder, &TilePath::Entries { index: 0, width: size as u16 }.to_string()),
        };
        let entries = parse_entries(&bundle).expect("a bundle");
        let expected: Vec<_> = words[..size as usize].iter().map(|word| word.as_bytes()).collect();
        assert_eq!(entries, expected);
        let mut frontier = Frontier::new();
        entries.iter().for_each(|entry| frontier.push(leaf_hash(entry)));
        assert_eq!(frontier.root(), root);
        if let Some((old, old_root)) = last {
            let mut read = |level, index| tiles.hash(level, index);
            let proof = hallmark_schemas::merkle::consistency_proof(old, size, &mut read);
            let proof = proof.expect("tiles");
            assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()));
        }
        last = Some((size, root));
    }
}

fn verifier_key(folder: &Path, name: &str) -> VerifierKey {
    let about = json(folder, name);
    let keys = items(&about["verifier_keys"]);
    keys[0].as_str().and_then(|key| key.parse().ok()).expect("a verifier key")
}

#[test]
pub(crate) fn sunlight_cosignatures_and_mirror() {
    let Some(folder) = folder("tlog/sunlight-witness") else {
        return;
    };
    let witness = verifier_key(&folder, "witness.v0.json");
    let note = SignedNote::parse(&read(&folder, "origin/checkpoint")).expect("a note");
    let at = note.signed_by(&witness).expect("a good cosignature").expect("it is there");
    assert_eq!(at, Timestamp::from_unix_ms(0x6954_6780 * 1000));
    assert_eq!(note.signatures().len(), 2); // the other is of type 0x05 and skipped

    let mirror = verifier_key(&folder, "mirror/mirror.v0.json");
    let note = SignedNote::parse(&read(&folder, "mirror/origin/checkpoint")).expect("a note");
    assert!(note.signed_by(&mirror).expect("a good cosignature").is_some());
    let checkpoint = note.checkpoint().expect("a checkpoint");
    let origin = folder.join("mirror/origin");
    let fetch = |path: TilePath| Ok::<_, Infallible>(read(&origin, &path.to_string()));
    let mut tiles = TileReader::new(checkpoint.size, fetch);
    let root = root_from_read(checkpoint.size, |level, index| tiles.hash(level, index));
    assert_eq!(root.expect("tiles"), checkpoint.root);
    for path in tiles_of_growth(0, checkpoint.size) {
        let file = read(&origin, &path.to_string());
        match path {
            TilePath::Hashes { width, .. } => assert!(parse_hashes(&file, width).is_some()),
            // Compressed on disk, as the specification allows a server to send them.
            TilePath::Entries { .. } => assert_eq!(file[..2], [0x1f, 0x8b]),
        }
    }
}

#[test]
pub(crate) fn examples_of_the_specifications() {
    let Some(folder) = folder("tlog") else { return };
    let vectors = json(&folder, "c2sp-spec-examples.json");
    let vkey: VerifierKey = text(&vectors, "vkey").parse().expect("a verifier key");
    let mut signed = 0;
    for example in items(&vectors["examples"]) {
        let body = text(example, "example");
        if text(example, "spec") == "tlog-policy.md" {
            // Only `quorum none` is a policy; the others have placeholders for keys.
            assert_eq!(body.parse::<Policy>().is_ok(), body == "quorum none\n", "{body}");
            continue;
        }
        let note = SignedNote::parse(body.as_bytes()).expect("a note");
        assert_eq!(note.to_string(), body);
        signed += usize::from(note.signed_by(&vkey).expect("no bad signature").is_some());
        if text(example, "spec") != "signed-note.md" {
            assert_eq!(note.checkpoint().expect("a checkpoint").size, 20_852_163);
        }
    }
    assert_eq!(signed, 1);
}

#[test]
pub(crate) fn sigsum_policies_are_refused_by_name() {
    let Some(folder) = folder("policy") else {
        return;
    };
    for name in ["sigsum-test1-2025.policy", "sigsum-test-2025-3.policy"] {
        let policy = String::from_utf8(read(&folder, name)).expect("text");
        let fault = policy.parse::<Policy>().expect_err("bare keys");
        assert_eq!(fault.fault, PolicyFault::BareKey, "{name}");
        let line = policy.lines().nth(fault.line - 1).expect("the line exists");
        assert!(line.starts_with("log "), "{line}");
    }
}
