//! Defect proofs as input, in bundles and in a node's folder: a finding about others; one that does not
//! hold is a broken proof of the input and accuses nobody. And what could not be checked is named.

use std::fs;
use std::path::Path;

use hallmark_schemas::bundle::Item;
use hallmark_schemas::defect::{Claim, DefectProof, TwoTrees};
use hallmark_schemas::layout::Dir;
use hallmark_schemas::network::NetworkFile;

use crate::command::{stderr, stdout, verify};
use crate::world::{ORIGIN, World, usual};

/// The log of this world signed two roots for one size.
fn split(world: &mut World) -> DefectProof {
    world.publish_root([7; 32]);
    let other = world.checkpoints.pop().unwrap();
    let first = world.checkpoints.last().unwrap();
    let key = &world.network.network().members[0].log_key;
    let trees = TwoTrees::new(key, [first, &other], None);
    DefectProof::new(&world.network, Claim::Split(trees)).unwrap()
}

/// A proof that is whole and does not hold: one base64 digit of its last signature is another.
fn forged(proof: &DefectProof) -> Vec<u8> {
    let mut bytes = proof.bytes().to_vec();
    let network = bytes.windows(8).position(|window| window == b"gnetwork").unwrap();
    let digit = &mut bytes[network - 20];
    *digit = if *digit == b'A' { b'B' } else { b'A' };
    assert!(DefectProof::parse(&bytes).unwrap().verify().is_err());
    bytes
}

#[test]
fn a_defect_proof_is_a_finding_and_one_that_does_not_hold_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let proof = split(&mut usual(2));
    let file = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    file("split.defect", proof.bytes());
    let found = verify(&["check", "split.defect"], folder.path());
    let text = stdout(&found);
    assert_eq!(found.status.code(), Some(1), "{text}{}", stderr(&found));
    assert!(text.contains("error LOG-001") && text.contains("signed two histories"), "{text}");
    assert!(text.lines().last().unwrap().starts_with("found: 1 error"), "{text}");
    let json = verify(&["check", "split.defect", "--report", "json"], folder.path());
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["defects"][0]["proof"], proof.digest().to_string());
    assert_eq!(report["findings"][0]["subject"], ORIGIN);

    file("forged.defect", &forged(&proof));
    let broken = verify(&["check", "forged.defect"], folder.path());
    let text = stdout(&broken);
    assert_eq!(broken.status.code(), Some(4), "{text}");
    assert!(text.contains("does not hold") && !text.contains("a log showed two"), "{text}");

    file("cut.defect", &proof.bytes()[..proof.bytes().len() - 3]);
    let malformed = verify(&["check", "cut.defect"], folder.path());
    assert_eq!(malformed.status.code(), Some(3), "{}", stdout(&malformed));
    let said = stderr(&malformed);
    assert!(said.contains("error: ") && said.contains("help: "), "{said}");
}

#[test]
fn what_is_left_of_a_defect_proof_is_called_one_however_little_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let proof = split(&mut usual(2));
    let whole = proof.bytes();
    let garbage = b"not a proof, and no bundle either".as_slice();
    let left = [0, 1, 5, 11, 12, 40, whole.len() - 1].map(|length| &whole[..length]);
    for bytes in left.into_iter().chain([garbage]) {
        fs::write(folder.path().join("split.defect"), bytes).unwrap();
        let output = verify(&["check", "split.defect"], folder.path());
        let (said, length) = (stderr(&output), bytes.len());
        assert_eq!(output.status.code(), Some(3), "{length}: {said}");
        assert!(
            said.contains("error: split.defect is no whole defect proof\n"),
            "{length}: {said}"
        );
        assert!(said.contains("help: get the proof again"), "{length}: {said}");
        assert_eq!(said.contains("cause: it is empty\n"), bytes.is_empty(), "{length}: {said}");
    }
    // The name alone makes no proof of a bundle.
    let world = usual(2);
    fs::write(folder.path().join("case.defect"), world.bundle(&world.items())).unwrap();
    let output = verify(&["check", "case.defect"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

/// Every sort of proof in `schemas/vectors/defects.json`, as a file of its own: two histories, a log
/// that shrank, a witness that cosigned two, a tile of another history, a key after its end.
#[test]
fn each_sort_of_proof_is_one_file_that_is_checked_alone() {
    let folder = tempfile::tempdir().unwrap();
    let vectors = include_str!("../../../schemas/vectors/defects.json");
    let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
    let check = |case: &serde_json::Value| {
        let bytes = hallmark_schemas::hex::decode(case["file"].as_str().unwrap()).unwrap();
        fs::write(folder.path().join("one.defect"), bytes).unwrap();
        let output = verify(&["check", "one.defect", "--report", "json"], folder.path());
        (output.status.code().unwrap(), stdout(&output))
    };
    let name = |case: &serde_json::Value| case["name"].as_str().unwrap().to_owned();
    let mut sorts = std::collections::BTreeSet::new();
    for case in vectors["valid"].as_array().unwrap() {
        let ((code, text), name) = (check(case), name(case));
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        let defect = &report["defects"][0];
        assert_eq!(defect["subject"], case["subject"], "{name}: {text}");
        let shows = case["shows"].as_str().unwrap();
        assert!(defect["detail"].as_str().unwrap().contains(shows), "{name}: {text}");
        assert_eq!((code, report["findings"][0]["code"].as_str()), (1, Some("LOG-001")), "{name}");
        sorts.insert(case["claim"].as_str().unwrap());
    }
    let all = ["bad_cosignature", "bad_tile", "key_outside_time", "shrink", "split"];
    assert_eq!(sorts, all.into());
    for case in vectors["refused"].as_array().unwrap() {
        let ((code, text), name) = (check(case), name(case));
        let wanted = if case["malformed"].as_bool().unwrap() { 3 } else { 4 };
        assert_eq!(code, wanted, "{name}: {text}");
        let report: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        // The file is at fault, whoever it names.
        for finding in report["findings"].as_array().into_iter().flatten() {
            let subject = finding["subject"].as_str().unwrap();
            assert!(subject.starts_with("defect proof "), "{name}: {subject}");
        }
    }
}

fn check_bundle(folder: &Path, world: &World, proof: Vec<u8>) -> (i32, String) {
    let mut items = world.items();
    items.push(Item::Defect(proof));
    fs::write(folder.join("case.hallmark"), world.bundle(&items)).unwrap();
    let output = verify(&["check", "case.hallmark"], folder);
    (output.status.code().unwrap(), stdout(&output))
}

#[test]
fn a_proof_in_a_bundle_counts_if_it_holds_under_the_network_of_the_bundle() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = usual(2);
    let proof = split(&mut world);
    let (exit, text) = check_bundle(folder.path(), &world, proof.bytes().to_vec());
    assert_eq!(exit, 1, "{text}");
    assert!(text.contains("signed two histories"), "{text}");
    let (exit, text) = check_bundle(folder.path(), &world, forged(&proof));
    assert_eq!(exit, 4, "{text}");
    // Of another network that uses the same names and keys of its own.
    let mut strange = world.network.network().clone();
    let key = hallmark_schemas::key::SecretKey::from_seed([99; 32]);
    strange.registrars[0].key = hallmark_schemas::key::Signer::public(&key).clone();
    let strange = NetworkFile::sign(strange, &[&key]).unwrap();
    let proof = DefectProof::new(&strange, proof.claim().clone()).unwrap();
    let (exit, text) = check_bundle(folder.path(), &world, proof.bytes().to_vec());
    assert_eq!(exit, 4, "{text}");
    assert!(text.contains("does not belong to the one that is trusted"), "{text}");
}

#[test]
fn a_proof_that_a_node_keeps_is_a_finding_and_a_damaged_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let dir = Dir::new(folder.path().join("plant"));
    let mut world = usual(2);
    let proof = split(&mut world);
    world.write_dir(dir.path());
    let kept = dir.data().peer(ORIGIN).defects();
    fs::create_dir_all(&kept).unwrap();
    fs::write(kept.join("split-1.defect"), proof.bytes()).unwrap();
    let found = verify(&["check", "plant"], folder.path());
    assert_eq!(found.status.code(), Some(1), "{}", stdout(&found));
    fs::write(kept.join("split-1.defect"), &proof.bytes()[..70]).unwrap();
    let damaged = verify(&["check", "plant"], folder.path());
    assert_eq!(damaged.status.code(), Some(4), "{}", stdout(&damaged));
    assert!(stdout(&damaged).contains("no whole defect proof"), "{}", stdout(&damaged));
}

#[test]
fn what_a_bundle_lacks_is_named_with_the_command_that_fetches_it() {
    let folder = tempfile::tempdir().unwrap();
    let world = usual(2);
    let mut items = world.items();
    let at = items.iter().position(|item| matches!(item, Item::Entries { .. })).unwrap();
    let (origin, entries) = (ORIGIN.to_owned(), world.entries[..4].to_vec());
    items[at] = Item::Entries { origin, first: 0, entries };
    items.retain(|item| !matches!(item, Item::Body(_)));
    fs::write(folder.path().join("case.hallmark"), world.bundle(&items)).unwrap();
    let output = verify(&["check", "case.hallmark"], folder.path());
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(5), "{text}");
    for words in [
        "Not checked",
        &format!("entries   entries 4 to 5 of {ORIGIN}"),
        &format!("bodies    the bodies of 1 entries of {ORIGIN}, the first that of entry 3, "),
        "fetch: hallmark-node export DIR -o FILE.hallmark, on a node that keeps or follows",
        &format!("fetch: hallmark-node export DIR --id {} -o", world.entries[3].id),
        "revocations as of ",
    ] {
        assert!(text.contains(words), "no `{words}`: {text}");
    }
    // Bodies that nothing claims to hold leave the exit code alone.
    let mut items = world.items();
    items.retain(|item| !matches!(item, Item::Body(_)));
    fs::write(folder.path().join("case.hallmark"), world.bundle(&items)).unwrap();
    let output = verify(&["check", "case.hallmark"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("the bodies of 3 entries"), "{}", stdout(&output));
    // What ends a key is public, and these are for members.
    assert!(stdout(&output).contains("\n  Keys given up since: holds\n"), "{}", stdout(&output));
}
