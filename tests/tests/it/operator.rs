//! The operator's side of a log: checks that go on, erasure, disks that fill up or cannot be written.

use std::path::{Path, PathBuf};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::frame;
use hallmark_schemas::hex;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::pack;

use super::recovery::{
    copy_folder, facility, flip, json, mirrored, published, record, settled, three,
};
use super::world::{Node, SOON, World, http, path_text, program, run, wait};

/// The position that an interrupted check of this node would have left.
fn interrupted(node: &Node, root: Option<[u8; 32]>, held: &[&str]) {
    let note = std::fs::read(node.dir.join("data/log/checkpoint")).expect("published");
    let tree = SignedNote::parse(&note).expect("a note").checkpoint().expect("a checkpoint");
    let root = hex::encode(&root.unwrap_or(tree.root));
    let (mut bytes, mut ids) = (Vec::new(), Vec::new());
    let head = format!("hallmark check 1\n{}\n{}\n{root}\n", tree.origin, tree.size);
    frame::append(&mut bytes, head.as_bytes());
    for id in held {
        let id: ContentId = id.parse().expect("an id");
        ids.extend_from_slice(id.bytes());
    }
    frame::append(&mut bytes, &ids);
    std::fs::write(node.dir.join("run/check"), bytes).expect("writable");
}

#[test]
fn a_check_that_was_interrupted_goes_on_while_the_node_runs_and_still_finds_every_flipped_bit() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let id = record(&world, &node, "works-1");
    let position = node.dir.join("run/check");
    interrupted(&node, None, &[&id]);
    let checked = node.run("check", &["--format", "json"]).ok();
    let told = "goes on after 1 signature that was checked before the interruption";
    assert!(checked.stderr.contains(told), "{}", checked.stderr);
    assert_eq!(json(&checked).last().expect("a verdict")["verdict"], "whole");
    assert!(!position.exists(), "it came to its end");
    let anew = node.run("check", &["--repair"]).ok();
    assert!(!anew.stderr.contains("goes on"), "{}", anew.stderr);
    assert!(anew.stdout.ends_with("0 defects\n"), "{}", anew.stdout);
    // The files of another tree: what was checked of it is nothing here.
    interrupted(&node, Some([7; 32]), &[&id]);
    let other = node.run("check", &[]).ok();
    assert!(other.stderr.contains("begins anew: the log is another one"), "{}", other.stderr);
    // A body that changed under the position is found all the same.
    interrupted(&node, None, &[&id]);
    let pack = node.dir.join("data/packs/00000000.pack");
    let bytes = std::fs::read(&pack).expect("a pack");
    let id: ContentId = id.parse().expect("an id");
    let at = bytes.windows(32).position(|window| window == id.bytes()).expect("its record");
    flip(&pack, at + 200);
    node.run("check", &[]).fails(4);
    flip(&pack, at + 200);
    node.run("check", &[]).ok();
}

/// Every file under a folder that holds these bytes.
fn holding(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = path.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(held) = std::fs::read(&path)
                && held.windows(bytes.len()).any(|window| window == bytes)
            {
                found.push(path);
            }
        }
    }
    found
}

fn is_gone(node: &Node, id: &str) -> bool {
    node.get(&format!("/v1/attestations/{id}")).status == 410
}

#[test]
fn an_erased_body_is_gone_here_and_at_every_peer_and_nothing_calls_it_damaged() {
    const SECRET: &str = "works-of-the-secret-recipe";
    let world = World::new();
    let [registrar, mut plant, auditor] = three(&world);
    let kept = record(&world, &plant, "works-1");
    let id = record(&world, &plant, SECRET);
    let theirs = record(&world, &auditor, "works-2");
    settled(&plant, [&registrar, &auditor]);
    mirrored(&plant, &auditor, published(&auditor));
    for node in [&registrar, &plant, &auditor] {
        assert!(!holding(&node.dir.join("data"), SECRET.as_bytes()).is_empty());
    }
    plant.run("erase", &[&id]).fails(2);
    let reason = ["--reason", "a trade secret"];
    let erase = |id: &str, plant: &Node| plant.run("erase", &[&[id], &reason[..]].concat());
    erase(&format!("sha256:{}", "0".repeat(64)), &plant).fails(3);
    let foreign = erase(&theirs, &plant).fails(1);
    assert!(foreign.stderr.contains("this log has no such record"), "{}", foreign.stderr);

    let erased = plant.run("erase", &[&id, "--reason", "a trade secret", "--format", "json"]).ok();
    let lines = json(&erased);
    assert_eq!((lines[0]["erased"].as_str(), lines.len()), (Some(&*id), 2));
    assert_eq!(lines[1]["verdict"], "erased");
    let again = erase(&id, &plant).ok();
    assert!(again.stdout.contains("was erased before"), "{}", again.stdout);
    let note = "1 body was erased; its entry still proves when it was there";
    for node in [&plant, &registrar, &auditor] {
        wait("the body to go", SOON, || is_gone(node, &id).then_some(()));
        let answer = node.get(&format!("/v1/attestations/{id}")).json();
        let by = lines[0]["erasure"].as_str().expect("its erasure");
        assert!(answer["detail"].as_str().expect("a sentence").contains(by), "{answer}");
        let files = holding(&node.dir.join("data"), SECRET.as_bytes());
        assert_eq!(files, Vec::<PathBuf>::new());
        let checked = node.run("check", &["--repair"]).ok();
        assert!(checked.stdout.contains(note), "{}", checked.stdout);
        node.run("get", &[&id]).fails(5);
        node.run("get", &[&kept]).ok();
    }
    plant.run("receipt", &[&id]).ok();
    let bundle = world.path("all.hallmark");
    plant.run("export", &["-o", path_text(&bundle)]).ok();
    let checked = run("hallmark-verify", &["check", path_text(&bundle)]).ok();
    assert!(checked.stdout.contains(note), "{}", checked.stdout);

    // Neither a kill, nor an index that is built again, nor the copies of others bring it back.
    plant.kill();
    plant.start();
    plant.ready();
    assert!(is_gone(&plant, &id));
    plant.run("reindex", &[]).ok();
    assert!(is_gone(&plant, &id));
    settled(&plant, [&registrar, &auditor]);
    plant.stop();
    std::fs::remove_dir_all(plant.dir.join("data")).expect("removed");
    plant.run("restore", &["--from-peers"]).ok();
    plant.start();
    plant.ready();
    assert!(is_gone(&plant, &id));
    let checked = plant.run("check", &[]).ok();
    assert!(checked.stdout.contains(note), "{}", checked.stdout);
}

#[test]
fn a_tombstone_that_no_erasure_explains_is_a_withheld_body() {
    let world = World::new();
    let mut node = world.founder("plant");
    node.ready();
    let id = record(&world, &node, "works-1");
    node.stop();
    let pack = node.dir.join("data/packs/00000000.pack");
    let mut bytes = std::fs::read(&pack).expect("a pack");
    let id: ContentId = id.parse().expect("an id");
    let mut records = pack::scan(&bytes).filter_map(|piece| match piece {
        pack::Piece::Record(record) => Some((record.at, record.id, record.body.len())),
        _ => None,
    });
    let (at, _, length) = records.find(|(_, of, _)| *of == id).expect("its record");
    let stone = pack::tombstone(&id, length);
    bytes[at..at + stone.len()].copy_from_slice(&stone);
    std::fs::write(&pack, &bytes).expect("writable");
    for checked in [node.run("check", &[]), run("hallmark-verify", &["check", node.dir_text()])] {
        let told = "was erased, and no erasure in the log says so";
        assert!(checked.fails(5).stdout.contains(told));
    }
}

/// A file system in the place of a folder, with what was in it; `None`, with one line printed,
/// where none can be had.
struct Mounted(PathBuf);

impl Mounted {
    fn over(folder: &Path, args: &[&str]) -> Option<Mounted> {
        let mut mount = std::process::Command::new("mount");
        if mount.args(args).arg(folder).output().is_ok_and(|done| done.status.success()) {
            return Some(Mounted(folder.to_owned()));
        }
        println!("skipped: no file system can be mounted here");
        None
    }

    fn again(&self, options: &str) {
        let mut mount = std::process::Command::new("mount");
        let done = mount.args(["-o", options]).arg(&self.0).status();
        assert!(done.expect("it was mounted").success());
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

/// Takes all room but for less than a page.
fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).expect("a new file");
    for size in [1 << 20, 1 << 12, 1] {
        let block = vec![1_u8; size];
        while std::io::Write::write_all(&mut file, &block).is_ok() {}
    }
}

#[test]
fn a_full_disk_is_answered_with_507_while_all_is_read_and_heals_by_itself() {
    a_full_disk(48, true);
}

#[test]
fn a_disk_that_is_full_for_the_index_too_is_answered_with_507_and_heals_by_itself() {
    a_full_disk(120, false);
}

/// DATA on a disk of so many MiB; the index has room of its own, or lies there too.
fn a_full_disk(mib: u32, is_index_elsewhere: bool) {
    let world = World::new();
    let mut node = world.founder("plant");
    node.ready();
    let first = record(&world, &node, "works-1");
    node.stop();
    let (data, aside) = (node.dir.join("data"), world.path("aside"));
    copy_folder(&data, &aside);
    let size = format!("size={mib}m");
    let Some(_disk) = Mounted::over(&data, &["-t", "tmpfs", "-o", &size, "tmpfs"]) else {
        return;
    };
    copy_folder(&aside.join("."), &data);
    if is_index_elsewhere {
        let index = world.path("index");
        std::fs::remove_dir_all(data.join("index")).expect("removed");
        std::fs::create_dir(&index).expect("writable");
        std::os::unix::fs::symlink(&index, data.join("index")).expect("linked");
    }
    node.start();
    node.ready();
    let pid = std::fs::read_to_string(node.dir.join("run/lock")).expect("the lock");
    let token = node.token("capture");
    let post = |number: u32| post(&node, &node.url, &token, &format!("full-{number}"));
    assert_eq!(post(0).status, 201);
    fill(&data.join("filler"));
    if !is_index_elsewhere {
        let ready = node.get("/readyz").json();
        let store = ready["store"].as_str().expect("a word");
        assert!(store.starts_with("full: "), "before anybody is refused: {store}");
    }
    let (mut taken, mut number) = (Vec::new(), 0);
    let full = loop {
        number += 1;
        assert!(number < 200, "there is still room");
        let answer = post(number);
        if answer.status != 201 {
            break answer;
        }
        taken.push(answer.json()["id"].as_str().expect("an id").to_owned());
    };
    assert_eq!(full.status, 507, "{}", full.json());
    assert!(full.header("retry-after").is_some());
    assert_eq!(full.json()["type"], "urn:hallmark:problem:full");
    assert_eq!(post(number + 1).status, 507, "and so is the next one");
    for path in [&*format!("/v1/attestations/{first}"), "/log/checkpoint", "/healthz"] {
        assert_eq!(node.get(path).status, 200, "{path}");
    }
    assert_eq!(node.get(&format!("/entries/{first}")).status, 200, "proofs go on");
    let ready = node.get("/readyz");
    assert_eq!(ready.status, 503, "{}", ready.json());
    assert!(ready.json()["store"].as_str().is_some_and(|store| store.starts_with("full: ")));
    std::fs::remove_file(data.join("filler")).expect("removed");
    let after = wait("room to be noticed", SOON, || {
        let answer = post(number + 2);
        (answer.status == 201).then(|| answer.json()["id"].as_str().expect("an id").to_owned())
    });
    taken.push(after);
    for id in &taken {
        wait("what was taken to be recorded", SOON, || {
            (node.get(&format!("/entries/{id}")).status == 200).then_some(())
        });
    }
    assert_eq!(node.get("/readyz").status, 200);
    let same = std::fs::read_to_string(node.dir.join("run/lock")).expect("the lock");
    assert_eq!(same, pid, "it was never started again");
    node.run("check", &[]).ok();
    node.stop();
}

/// What of a log anyone can read and prove, with the answers of now.
fn proofs(url: &str, id: &str, token: &str) -> Vec<(u16, Vec<u8>)> {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    let note = http::send("GET", url, "/log/checkpoint", &[], b"").body;
    let note = String::from_utf8(note).expect("a note");
    let size = note.lines().nth(1).expect("a size");
    let paths = [
        "/log/checkpoint".to_owned(),
        format!("/log/tile/0/000.p/{size}"),
        format!("/log/tile/entries/000.p/{size}"),
        format!("/entries/{id}"),
        format!("/v1/attestations/{id}"),
    ];
    let get = |path: &String| http::send("GET", url, path, &headers, b"");
    paths.iter().map(get).map(|answer| (answer.status, answer.body)).collect()
}

/// A process that goes with its test.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Hands in a facility of this name.
fn post(node: &Node, url: &str, token: &str, name: &str) -> http::Answer {
    let body = facility(&node.org, name);
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    http::send("POST", url, "/v1/attestations", &headers, body.as_bytes())
}

fn refused_as_read_only(node: &Node, url: &str, token: &str) {
    let refused = post(node, url, token, "late");
    assert_eq!(refused.status, 503, "{}", refused.json());
    assert_eq!(refused.json()["type"], "urn:hallmark:problem:read_only");
    let detail = refused.json()["detail"].to_string();
    assert!(detail.contains("read-only") && detail.contains("what to do: "), "{detail}");
    let ready = http::send("GET", url, "/readyz", &[], b"");
    assert_eq!(ready.status, 503);
    let word = ready.json()["log"].to_string();
    assert!(word.contains("read-only") && word.contains("mount it writable"), "{word}");
}

#[test]
fn a_node_on_a_disk_that_is_mounted_read_only_serves_every_proof_and_says_so() {
    let world = World::new();
    let mut node = world.founder("plant");
    node.ready();
    let id = record(&world, &node, "works-1");
    let (read, capture) = (node.token("read"), node.token("capture"));
    let before = proofs(&node.url, &id, &read);
    assert!(before.iter().all(|(status, _)| *status == 200), "{before:?}");
    node.stop();
    let dir = node.dir.clone();
    let Some(disk) = Mounted::over(&dir, &["--bind", node.dir_text()]) else { return };
    disk.again("remount,bind,ro");
    let url = node.url.clone();
    let listen = url.trim_start_matches("http://");
    let log = std::fs::File::create(world.path("serving.log")).expect("writable");
    let mut command = std::process::Command::new(program("hallmark-node"));
    command.args(["run", node.dir_text(), "--http", listen]).stderr(log);
    let mut serving = Killed(command.spawn().expect("starts"));
    let ready = wait("the index of a node that writes nothing", SOON, || {
        let ready = http::send("GET", &url, "/readyz", &[], b"");
        (ready.status == 503 && ready.json()["index"] == "ready").then_some(ready)
    });
    assert_eq!(ready.status, 503);
    assert_eq!(proofs(&url, &id, &read), before);
    refused_as_read_only(&node, &url, &capture);
    node.run("run", &["--http", "127.0.0.1:0"]).fails(6);
    let asked = node.run("status", &[]).fails(6);
    assert!(asked.stderr.contains("/readyz"), "{}", asked.stderr);
    let checked = node.run("check", &[]).ok();
    assert!(checked.stderr.contains("its position cannot be kept"), "{}", checked.stderr);
    node.run("backup", &[path_text(&world.path("backup"))]).ok();
    let pid = serving.0.id().to_string();
    assert!(std::process::Command::new("kill").arg(pid).status().expect("runs").success());
    assert_eq!(serving.0.wait().expect("it ends").code(), Some(0));
    disk.again("remount,bind,rw");
    node.start();
    node.ready();
    record(&world, &node, "works-2");
    node.stop();
}

#[test]
fn a_disk_that_becomes_read_only_under_a_running_node_costs_no_proof() {
    let world = World::new();
    let mut node = world.founder("plant");
    node.ready();
    let id = record(&world, &node, "works-1");
    let (read, capture) = (node.token("read"), node.token("capture"));
    let before = proofs(&node.url, &id, &read);
    let pid = std::fs::read_to_string(node.dir.join("run/lock")).expect("the lock");
    // A kernel that finds a disk failing makes it read-only under open files; `mount` cannot.
    let traced = world.path("traced");
    let pack = node.dir.join("data/packs/00000000.pack");
    assert!(pack.is_file());
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-p", pid.trim(), "-o", path_text(&traced), "-P", path_text(&pack)]);
    strace.args(["-e", "trace=write", "-e", "inject=write:error=EROFS"]);
    let Ok(strace) = strace.stderr(std::process::Stdio::null()).spawn() else {
        println!("skipped: `strace`, which refuses the writes of a running process, is not here");
        return;
    };
    let strace = Killed(strace);
    let mut number = 0;
    wait("a write to be refused", SOON, || {
        number += 1;
        let answer = post(&node, &node.url, &capture, &format!("refused-{number}"));
        (answer.status != 201).then_some(())
    });
    refused_as_read_only(&node, &node.url, &capture);
    let now = proofs(&node.url, &id, &read);
    assert!(now.iter().all(|(status, _)| *status == 200), "{now:?}");
    assert_eq!(now[4], before[4], "the statement");
    drop(strace);
    refused_as_read_only(&node, &node.url, &capture);
    assert_eq!(node.stop(), 0);
    node.start();
    node.ready();
    record(&world, &node, "works-2");
    node.run("check", &[]).ok();
    node.stop();
}
