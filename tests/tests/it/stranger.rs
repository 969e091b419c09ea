//! Strangers: a witness and a log of two networks, and a reader in another language.
//!
//! The reader is `tests/stranger/stranger.py`, which shares no code with Hallmark; where its
//! environment is missing one line says what was skipped (`tests/run` makes it).

use std::path::Path;
use std::process::Command;

use hallmark_schemas::layout::peer_name;
use hallmark_schemas::note::{SignedNote, VerifierKey};
use hallmark_schemas::time::Timestamp;
use serde_json::{Value, json};

use super::recovery::{at_rest, mirrored, published, settled, three};
use super::world::http::{Answer, send};
use super::world::{Node, SOON, World, path_text, real_data, run, wait};

/// What the network file says of the node's own log and witness.
fn member(node: &Node) -> Value {
    let shown = node.run("network", &["show", "--format", "json"]).ok();
    let network: Value =
        serde_json::from_str(shown.stdout.lines().next().expect("a line")).expect("JSON");
    network["members"][0].clone()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a text")
}

fn observation(node: &Node, minute: u32) -> String {
    let epcis = json!({
        "type": "ObjectEvent", "eventTime": format!("2026-03-01T08:{minute:02}:00+08:00"),
        "eventTimeZoneOffset": "+08:00", "action": "OBSERVE", "bizStep": "shipping",
        "epcList": ["https://id.gs1.org/01/09521234000129/21/F1"],
    });
    let payload = json!({ "epcis": epcis.to_string() });
    json!({ "kind": "event", "sub": node.org, "aud": "public", "payload": payload }).to_string()
}

/// The second line of a checkpoint.
fn size_line(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    text.lines().nth(1).expect("a checkpoint has a size").to_owned()
}

/// When this witness last cosigned what the node publishes, Unix seconds.
fn cosigned_at(node: &Node, witness: &VerifierKey) -> Option<u64> {
    let note = SignedNote::parse(&node.get("/log/checkpoint").body).ok()?;
    note.signed_by(witness).expect("a good cosignature").map(|at| at.unix_ms() / 1000)
}

/// A node whose checkpoints the node of another network witnesses.
fn two_networks(world: &World) -> (Node, Node) {
    let mut watcher = world.elsewhere("watcher", 7, "elsewhere");
    let mut plant = world.founder("plant");
    plant.ready();
    let log = format!("[[witness.log]]\nvkey = \"{}\"\n\n[mqtt]", text(&member(&plant), "log_key"));
    watcher.configure("[mqtt]", &log);
    watcher.start();
    watcher.ready();
    let witness = format!("{} {}/log", text(&member(&watcher), "witness_key"), watcher.url);
    plant.run("network", &["--quorum", "1", "--foreign-witness", &witness]).ok();
    let superseded = std::fs::read_dir(plant.dir.join("networks")).map_or(0, Iterator::count);
    assert!(0 < superseded, "the policy of then is kept");
    assert_eq!(plant.stop(), 0);
    plant.configure("# renew_every = \"1h\"", "renew_every = \"1s\"");
    plant.start();
    plant.ready();
    (plant, watcher)
}

#[test]
fn a_witness_of_another_network_vouches_for_a_log_again_and_again() {
    let world = World::new();
    let (mut plant, mut watcher) = two_networks(&world);
    let witness: VerifierKey = text(&member(&watcher), "witness_key").parse().expect("a key");
    let ids = plant.record(&world.file("one.json", observation(&plant, 1)), &[]);
    let first = wait("a cosignature", SOON, || cosigned_at(&plant, &witness));
    // Nothing is recorded any more: the same tree, vouched for anew.
    let size = size_line(&plant.get("/log/checkpoint"));
    let later = |than: u64| move |at: &u64| than < *at;
    let second = wait("a renewal", SOON, || cosigned_at(&plant, &witness).filter(later(first)));
    assert_eq!(size_line(&plant.get("/log/checkpoint")), size);
    // A passport is as old as the newest word of the witnesses: it does not grow stale.
    wait("a passport that rests on the renewal", SOON, || {
        let headers = [("Accept", "application/json")];
        let passport = send("GET", &plant.url, "/01/09521234000129/21/F1", &headers, b"").json();
        let told = passport["proof"]["logs"][0]["checkpoint_at"].as_str()?;
        let told = Timestamp::parse(told).expect("an instant");
        (second <= told.unix_ms() / 1000).then_some(())
    });
    // What the witness has seen anyone can read there.
    let hex = peer_name(text(&member(&plant), "origin"));
    let seen = watcher.get(&format!("/witness/{hex}/checkpoint"));
    assert_eq!(watcher.get(&format!("/peers/{hex}/checkpoint")).status, 404, "it holds no copy");
    assert_eq!(size_line(&seen), size);
    // Both start again: the guard asks the stranger, and signing goes on.
    assert_eq!(plant.stop(), 0);
    plant.start();
    plant.ready();
    plant.record(&world.file("two.json", observation(&plant, 2)), &[]);
    wait("a renewal after the start", SOON, || cosigned_at(&plant, &witness).filter(later(second)));
    plant.run("check", &[]).ok();
    let bundle = world.path("plant.hallmark");
    plant.run("export", &["-o", path_text(&bundle)]).ok();
    run("hallmark-verify", &["check", path_text(&bundle)]).ok();
    // Without its witness the log records nothing, and says so.
    assert_eq!(watcher.stop(), 0);
    let file = world.file("three.json", observation(&plant, 3));
    plant.run("submit", &[path_text(&file), "--receipt", "--wait", "2"]).fails(6);
    registration_answers(&plant, &ids[0], &world.file("four.json", observation(&plant, 4)));
}

/// SCRAPI while nothing can be recorded: what is recorded has its receipt, what waits says so.
fn registration_answers(plant: &Node, recorded: &str, waiting: &Path) {
    let waiting = plant.run("submit", &[path_text(waiting)]).ok().stdout;
    let waiting =
        waiting.split_whitespace().find(|word| word.starts_with("sha256:")).expect("an id");
    let post = |id: &str| {
        let bytes = plant.run("get", &[id, "--format", "cbor"]).ok().bytes;
        let headers = [("Content-Type", "application/cose"), ("Prefer", "respond-async")];
        send("POST", &plant.url, "/entries", &headers, &bytes)
    };
    let get = |id: &str| plant.get(&format!("/entries/{id}"));
    let cose = |answer: &Answer| answer.header("content-type").expect("a type").to_owned();
    assert_eq!((get(recorded).status, cose(&get(recorded))), (200, "application/cose".to_owned()));
    for (answer, status) in [(get(waiting), 302), (post(waiting), 303), (post(recorded), 303)] {
        let location = answer.header("location").expect("a place").to_owned();
        assert_eq!(answer.status, status);
        assert!(location.starts_with("/entries/sha256:"), "{location}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    let headers = [("Accept", "application/cose")];
    let path = format!("/entries/{}", "0".repeat(64));
    let unknown = send("GET", &plant.url, &path, &headers, b"");
    assert_eq!(unknown.status, 404);
    assert_eq!(cose(&unknown), "application/concise-problem-details+cbor");
}

#[test]
fn an_older_copy_is_caught_by_a_witness_of_another_network() {
    let world = World::new();
    let (mut plant, _watcher) = two_networks(&world);
    plant.record(&world.file("one.json", observation(&plant, 1)), &[]);
    assert_eq!(plant.stop(), 0);
    let copy = world.path("copy");
    copy_folder(&plant.dir, &copy);
    plant.start();
    plant.ready();
    plant.record(&world.file("two.json", observation(&plant, 2)), &[]);
    assert_eq!(plant.stop(), 0);
    // Even the head is put back, as by a copy of the whole disk.
    std::fs::remove_dir_all(&plant.dir).expect("it does not run");
    copy_folder(&copy, &plant.dir);
    plant.start();
    let copied = published(&plant);
    wait("the guard", SOON, || {
        let answer = plant.get("/readyz");
        let word = answer.json()["quorum"].as_str()?.to_owned();
        let is_told = word.contains("of this log, here are only") && word.contains("--from-peers");
        (answer.status == 503 && is_told).then_some(())
    });
    let file = world.file("three.json", observation(&plant, 3));
    plant.run("submit", &[path_text(&file), "--receipt", "--wait", "2"]).fails(6);
    assert_eq!(published(&plant), copied, "it signs nothing");
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a new folder");
    for entry in std::fs::read_dir(from).expect("a folder").flatten() {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else if path.is_file() {
            std::fs::copy(&path, &target).expect("it can be copied");
        }
    }
}

#[test]
fn a_reader_in_another_language_checks_the_whole_log() {
    if stranger().is_none() {
        return;
    }
    let world = World::new();
    let (plant, _watcher) = two_networks(&world);
    let id = plant.record(&world.file("one.json", observation(&plant, 1)), &[]).remove(0);
    let old = world.file("old", plant.get("/log/checkpoint").body);
    // Over one full tile, so that there are two levels of them.
    let many: String = (2..60)
        .flat_map(|minute| (0..5).map(move |second| (minute, second)))
        .map(|(minute, second)| {
            observation(&plant, minute).replace(":00+08", &format!(":{second:02}+08")) + "\n"
        })
        .collect();
    plant.record(&world.file("many.jsonl", many), &[]);
    holds_for_a_stranger(&world, &plant, &id, &old);
}

/// The stranger's program, with its environment; `None` with a line where that is missing.
fn stranger() -> Option<Command> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = tests.join("../target/tools/python/bin/python3");
    if !python.exists() {
        println!(
            "skipped: the stranger's check, target/tools/python is missing (tests/run makes it)"
        );
        return None;
    }
    let mut command = Command::new(python);
    command.arg(tests.join("stranger/stranger.py"));
    Some(command)
}

fn holds_for_a_stranger(world: &World, node: &Node, id: &str, old: &Path) {
    let Some(mut stranger) = stranger() else { return };
    let proof = node.run("receipt", &[id, "--format", "tlog-proof"]).ok().bytes;
    let proof = world.file("entry.tlog-proof", proof);
    let network = node.dir.join("network.hallmark");
    stranger.args([&node.url, path_text(&network), id, path_text(old), path_text(&proof)]);
    let checked = stranger.output().expect("Python runs");
    let words = String::from_utf8_lossy(&checked.stdout) + String::from_utf8_lossy(&checked.stderr);
    println!("{words}");
    assert!(checked.status.success() && words.contains("holds: world/"), "{words}");
}

#[test]
fn a_stranger_finds_the_keys_of_a_member_in_the_log_of_the_registrar_that_a_node_mirrors() {
    if stranger().is_none() {
        return;
    }
    let world = World::new();
    let [registrar, plant, auditor] = three(&world);
    let id = plant.record(&world.file("one.json", observation(&plant, 1)), &[]).remove(0);
    let old = world.file("old", plant.get("/log/checkpoint").body);
    mirrored(&plant, &registrar, published(&registrar));
    settled(&plant, [&registrar, &auditor]);
    at_rest(&plant);
    holds_for_a_stranger(&world, &plant, &id, &old);
}

#[test]
fn single_files_are_checked_like_a_bundle() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let id = node.record(&world.file("one.json", observation(&node, 1)), &[]).remove(0);
    let network = node.dir.join("network.hallmark");
    let mut files = vec![path_text(&network).to_owned()];
    // The statement, and the attestations that its keys rest on, each with its receipt.
    let bundle = world.path("public.hallmark");
    node.run("export", &["--id", &id, "--public", "-o", path_text(&bundle)]).ok();
    let checked = run("hallmark-verify", &["check", path_text(&bundle), "--report", "json"]).ok();
    let size = size_line(&node.get("/log/checkpoint"));
    let entries = node.get(&format!("/log/tile/entries/000.p/{size}")).body;
    for (number, entry) in entries.chunks(43).enumerate() {
        let one = hallmark_schemas::hex::encode(&entry[11..]);
        let body = node.run("get", &[&one, "--format", "cbor"]).ok().bytes;
        files.push(path_text(&world.file(&format!("{number}.cose"), body)).to_owned());
        let (format, name) =
            if number % 2 == 0 { ("cbor", "receipt") } else { ("tlog-proof", "proof") };
        let receipt = node.run("receipt", &[&one, "--format", format]).ok().bytes;
        files.push(path_text(&world.file(&format!("{number}.{name}"), receipt)).to_owned());
    }
    let check = |files: &[String]| {
        let mut args = vec!["check".to_owned()];
        args.extend(files.iter().cloned());
        run("hallmark-verify", &args)
    };
    let all = check(&files).ok();
    assert!(all.stdout.contains("single entries are proved"), "{}\n{checked:?}", all.stdout);
    // A receipt without its attestation, and one of another log's tree.
    let alone = [files[0].clone(), files[2].clone()];
    check(&alone).fails(5);
    let mut altered = std::fs::read(&files[4]).expect("a proof");
    let at = altered.len() - 20;
    altered[at] ^= 4;
    files[4] = path_text(&world.file("altered.proof", altered)).to_owned();
    check(&files).fails(4);
}

#[test]
fn statements_of_another_system_are_checked_within_a_bundle() {
    let Some(vectors) = real_data("transparency/cose/scitt-cose-v1") else { return };
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    for (name, keyless, keyed) in [
        ("valid-eddsa", 5, 0),
        ("valid-es256", 5, 0),
        ("fail-tampered-path", 5, 4),
        ("fail-unsupported-vds", 5, 5),
    ] {
        let file = |file: &str| path_text(&vectors.join(name).join(file)).to_owned();
        let bundle = world.path(&format!("{name}.hallmark"));
        let bundle = path_text(&bundle);
        let foreign = format!("{},{}", file("statement.cose"), file("receipt.cose"));
        node.run("export", &["--foreign", &foreign, "-o", bundle]).ok();
        run("hallmark-verify", &["check", bundle]).fails(keyless);
        let bare = [file("statement.cose"), file("receipt.cose")];
        let bare = run("hallmark-verify", &["check", &bare[0], &bare[1]]).fails(keyless).stdout;
        assert!(bare.contains("unknown: nothing here has a time"), "{bare}");
        assert!(!bare.contains(" 19"), "a time that nobody stated: {bare}");
        let keys = [file("issuer-key.pub"), file("log-key.pub")];
        let within = run("hallmark-verify", &["check", bundle, &keys[0], &keys[1]]).fails(keyed);
        let loose = [file("statement.cose"), file("receipt.cose")];
        let loose = ["check", &loose[0], &loose[1], &keys[0], &keys[1]];
        let apart = run("hallmark-verify", &loose).fails(keyed);
        for checked in [within, apart] {
            let holds = checked.stdout.contains("signature holds, 1 receipt holds");
            assert_eq!(holds, keyed == 0, "{name}: {}", checked.stdout);
        }
        // Another's key proves nothing.
        let wrong = run("hallmark-verify", &["check", bundle, &keys[1]]);
        assert_eq!(wrong.code, 4, "{name}: {}", wrong.stdout);
    }
}

#[test]
fn a_statement_of_another_system_under_a_key_that_nobody_gave_is_neither_broken_nor_withheld() {
    let Some(vectors) = real_data("transparency/cose/scitt-ccf") else { return };
    for name in ["cts-hashv-cwtclaims-b64url.cose", "uvm_0.2.10.transparent.cose"] {
        let path = vectors.join(name);
        let checked = run("hallmark-verify", &["check", path_text(&path)]).fails(5).stdout;
        assert!(checked.contains("unchecked its signature is not checked"), "{name}: {checked}");
        assert!(checked.contains("its key or its form is not known here"), "{name}: {checked}");
        assert!(!checked.contains("withheld") && !checked.contains("bad_"), "{name}: {checked}");
    }
}
