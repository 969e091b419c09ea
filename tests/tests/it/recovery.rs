//! Backups, lost disks, copied folders: what a node does so that its log never forks and goes on.

use std::path::Path;
use std::time::{Duration, Instant};

use hallmark_schemas::layout::peer_name;
use serde_json::Value;

use super::world::{Node, Ran, SOON, World, http, path_text, run, wait};

/// Longer than members take to tell one another their addresses again.
const REST: Duration = Duration::from_secs(6);

pub(super) fn facility(org: &str, local: &str) -> String {
    let sub = org.replace(":org:", ":facility:");
    format!(
        r#"{{"kind":"facility","sub":"{sub}:{local}","payload":{{"v":1,"name":"{local}","lat_e7":311234567,"lon_e7":1214567890,"province":"CN-31","sector":"steel","utc_offset":"+08:00"}}}}"#
    )
}

pub(super) fn record(world: &World, node: &Node, local: &str) -> String {
    let file = world.file("next.json", facility(&node.org, local));
    node.record(&file, &[]).remove(0)
}

pub(super) fn slug(node: &Node) -> String {
    node.org.trim_start_matches("urn:hallmark:org:").replace(':', "-")
}

pub(super) fn size(note: &[u8]) -> u64 {
    let text = std::str::from_utf8(note).expect("a note");
    text.lines().nth(1).expect("a size").parse().expect("a number")
}

pub(super) fn published(node: &Node) -> u64 {
    size(&node.get("/log/checkpoint").body)
}

pub(super) fn json(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

/// A registrar, a plant and an auditor that witness and mirror one another, two of three.
pub(super) fn three(world: &World) -> [Node; 3] {
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    let mut auditor = world.newcomer("auditor", 3, "verifier", &registrar);
    for newcomer in [&plant, &auditor] {
        registrar.run("admit", &[path_text(&newcomer.dir.join("join.cbor"))]).ok();
    }
    plant.start();
    auditor.start();
    let names = [&registrar, &plant, &auditor].map(slug);
    let witnesses: Vec<&str> = names.iter().flat_map(|name| ["--witness", name.as_str()]).collect();
    registrar.run("network", &[&["--quorum", "2"], &witnesses[..]].concat()).ok();
    for node in [&registrar, &plant, &auditor] {
        wait("a cosigned checkpoint", SOON, || {
            let note = String::from_utf8(node.get("/log/checkpoint").body).ok()?;
            (3 <= note.lines().filter(|line| line.starts_with('\u{2014}')).count()).then_some(())
        });
        node.ready();
    }
    [registrar, plant, auditor]
}

/// What `status` prints first.
pub(super) fn status(node: &Node) -> Option<Value> {
    let status = node.run("status", &["--format", "json"]);
    serde_json::from_str(status.stdout.lines().next()?).ok()
}

/// Waits until a peer holds this log up to that size, bodies and all.
pub(super) fn mirrored(peer: &Node, log: &Node, least: u64) {
    let origin = format!("world/{}/1", slug(log));
    wait("a mirror to catch up", SOON, || {
        let status = status(peer)?;
        let its = status["peers"].as_array()?.iter().find(|one| one["origin"] == *origin)?;
        (least <= its["size"].as_u64()? && its["wanted"] == 0).then_some(())
    });
}

/// Waits until nothing is on its way any more and the peers hold all of this log; its size.
pub(super) fn settled(log: &Node, peers: [&Node; 2]) -> u64 {
    wait("a log to come to rest", SOON, || {
        let newest = published(log);
        peers.iter().for_each(|peer| mirrored(peer, log, newest));
        let status = status(log)?;
        let rests = status["stored_unlogged"] == 0 && status["head_size"].as_u64()? == newest;
        (rests && published(log) == newest).then_some(newest)
    })
}

#[test]
fn a_backup_taken_while_the_node_runs_is_whole_and_an_older_one_is_brought_forward() {
    let world = World::new();
    let mut node = world.founder("plant");
    node.ready();
    record(&world, &node, "works-1");
    let target = world.path("backup");
    let backup = |node: &Node| node.run("backup", &[path_text(&target), "--format", "json"]).ok();
    let first = json(&backup(&node));
    let entries = first[0]["entries"].as_u64().expect("a number");
    assert_eq!(entries, size(&std::fs::read(target.join("log/checkpoint")).expect("copied")));
    assert_eq!(first.last().expect("a verdict")["verdict"], "backed up");
    let proved = || run("hallmark-verify", &["check", path_text(&target)]);
    proved().ok();
    assert!(!target.join("head").exists() && !target.join("index").exists());
    // While it is at work, again and again: whatever the instant, the copy is whole.
    let before = published(&node);
    for round in 0..6 {
        let local = format!("works-{}", round + 2);
        let file = world.file("load.json", facility(&node.org, &local));
        node.run("submit", &[path_text(&file)]).ok();
        backup(&node);
        proved().ok();
    }
    wait("all to be recorded", SOON, || (before + 6 <= published(&node)).then_some(()));
    backup(&node);
    let again = json(&backup(&node));
    assert_eq!(again[0]["bytes_written"], 0, "nothing is new");
    assert_eq!(again[0]["entries"], published(&node));
    // A damaged file of the backup is put right by the next one.
    let tile = target.join(format!("log/tile/0/000.p/{}", published(&node)));
    let mut bytes = std::fs::read(&tile).expect("copied");
    bytes[5] ^= 1;
    std::fs::write(&tile, bytes).expect("writable");
    proved().fails(4);
    let mended = json(&backup(&node));
    assert_eq!(mended[0]["mended"], serde_json::json!([path_text(&tile)]));
    proved().ok();
    let inside = node.dir.join("data/backup");
    node.run("backup", &[path_text(&inside)]).fails(2);
    node.run("backup", &[path_text(&world.path(""))]).fails(2);
    node.run("restore", &[path_text(&target)]).fails(6);
    node.stop();
    let refused = node.run("restore", &[path_text(&target)]).fails(2);
    assert!(refused.stderr.contains("is not empty"), "{}", refused.stderr);
    std::fs::remove_dir_all(node.dir.join("data")).expect("removed");
    node.run("restore", &[path_text(&target)]).ok();
    node.run("check", &[]).ok();
    node.start();
    node.ready();
    record(&world, &node, "works-9");
    node.stop();
    // DATA is now newer than its backup; the other way round nothing is written over.
    let other = world.path("other");
    node.run("backup", &[path_text(&other)]).ok();
    std::fs::remove_dir_all(node.dir.join("data")).expect("removed");
    node.run("restore", &[path_text(&target)]).fails(5);
    let refused = node.run("backup", &[path_text(&other)]).fails(3);
    assert!(refused.stderr.contains("--from-peers"), "{}", refused.stderr);
}

#[test]
fn an_old_backup_is_read_only_until_the_peers_gave_the_rest_and_then_the_log_goes_on() {
    let world = World::new();
    let [registrar, mut plant, auditor] = three(&world);
    let target = world.path("backup");
    let first = record(&world, &plant, "works-1");
    plant.run("backup", &[path_text(&target)]).ok();
    let later = record(&world, &plant, "works-2");
    let file = world.file("own.json", facility(&plant.org, "works-3"));
    let own = plant.record(&file, &["--aud", "members"]).remove(0);
    let theirs = secret_of(&world, &auditor, &plant);
    // The registrar is given no body that is meant for the auditor.
    let newest = settled(&plant, [&auditor; 2]);
    plant.stop();
    let data = plant.dir.join("data");
    std::fs::remove_dir_all(&data).expect("removed");
    let old = plant.run("restore", &[path_text(&target)]).fails(5);
    assert!(old.stderr.contains("--from-peers"), "{}", old.stderr);

    plant.start();
    let word = wait("the reason", SOON, || {
        let ready = plant.get("/readyz");
        let word = ready.json()["log"].as_str()?.to_owned();
        word.starts_with("read-only: ").then_some(word)
    });
    assert!(word.contains("`hallmark-node restore DIR --from-peers`"), "{word}");
    let status = plant.run("status", &[]).fails(6);
    assert!(status.stdout.contains("hallmark-node restore DIR --from-peers"), "{}", status.stdout);
    assert_eq!(plant.get(&format!("/v1/attestations/{first}")).status, 200);
    let running = plant.run("restore", &["--from-peers"]).fails(6);
    assert!(running.stderr.contains("in use by process"), "{}", running.stderr);
    plant.stop();

    let ran = plant.run("restore", &["--from-peers", "--format", "json"]).ok();
    let lines = json(&ran);
    assert_eq!(lines.last().expect("a verdict")["verdict"], "restored");
    let told = lines.iter().find(|line| line["goes_on"] == true).expect("the numbers");
    assert_eq!((told["entries"].as_u64(), told["head"].as_u64()), (Some(newest), Some(newest)));
    goes_on(&world, &mut plant, &auditor, &[&first, &later, &own, &theirs], newest);
    // Given again, there is nothing to do.
    plant.stop();
    let again = plant.run("restore", &["--from-peers", "--format", "json"]).ok();
    assert!(again.stdout.contains("\"bodies_fetched\":0"), "{}", again.stdout);

    // The whole disk: DATA and head. Only the keys, the configuration and the peers are left.
    let newest = size(&std::fs::read(data.join("log/checkpoint")).expect("published"));
    std::fs::remove_dir_all(&data).expect("removed");
    std::fs::remove_dir_all(plant.dir.join("head")).expect("removed");
    let urls = [registrar.url.as_str(), "--peer", auditor.url.as_str()];
    let deaf = plant.run("restore", &["--from-peers", "--peer", "http://127.0.0.1:9"]);
    assert!([0, 6].contains(&deaf.code), "known addresses or none: {}", deaf.stderr);
    plant.run("restore", &[&["--from-peers", "--peer"], &urls[..]].concat()).ok();
    goes_on(&world, &mut plant, &auditor, &[&first, &later, &own, &theirs], newest);
}

/// Recorded in the log of `plant`, but meant for `auditor` alone, who signed it.
fn secret_of(world: &World, auditor: &Node, plant: &Node) -> String {
    let file = world.file("secret.json", facility(&auditor.org, "secret"));
    let id = auditor.record(&file, &["--aud", &auditor.org]).remove(0);
    let stored = auditor.run("get", &[&id, "--format", "cbor"]).ok().bytes;
    wait("the key of its signer", SOON, || {
        let headers = [("Content-Type", "application/cose")];
        let answer = http::send("POST", &plant.url, "/entries", &headers, &stored);
        (matches!(answer.status, 201 | 303)
            && plant.run("get", &[&id]).code == 0
            && plant.get(&format!("/v1/attestations/{id}")).status == 404)
            .then_some(())
    });
    id
}

/// The node signs again, on top of what it had signed; a peer follows and sees no fork.
fn goes_on(world: &World, plant: &mut Node, peer: &Node, ids: &[&String], before: u64) {
    plant.start();
    plant.ready();
    for id in ids {
        plant.run("get", &[id]).ok();
        plant.run("receipt", &[id]).ok();
    }
    record(world, plant, &format!("after-{before}"));
    let newest = published(plant);
    assert!(before < newest, "{before} {newest}");
    mirrored(peer, plant, newest);
    // Checkpoints since the backup that nobody kept are gone: later ones date their entries.
    let checked = plant.run("check", &[]).ok();
    assert!(checked.stdout.ends_with("0 defects\n"), "{}", checked.stdout);
    peer.run("check", &[]).ok();
}

#[test]
fn a_copied_folder_signs_nothing_beside_or_after_the_original() {
    let world = World::new();
    let [registrar, mut plant, _auditor] = three(&world);
    record(&world, &plant, "works-1");
    plant.stop();
    let copy = world.path("copy");
    copy_folder(&plant.dir, &copy);
    plant.start();
    plant.ready();
    record(&world, &plant, "works-2");
    let newest = published(&plant);
    mirrored(&registrar, &plant, newest);
    // Beside the running original it ends at once, whatever it would sign.
    let mut twin = world.adopted(&plant, &copy);
    let ran = twin.run("run", &["--http", "127.0.0.1:0"]).fails(6);
    assert!(ran.stderr.contains("already runs at"), "{}", ran.stderr);
    plant.stop();
    // Its head is a copy too: only the witnesses know that more was signed.
    twin.start();
    let word = wait("the reason", SOON, || {
        let word = twin.get("/readyz").json()["log"].as_str()?.to_owned();
        word.starts_with("read-only: ").then_some(word)
    });
    assert!(word.contains("a witness holds"), "{word}");
    assert!(word.contains("`hallmark-node restore DIR --from-peers`"), "{word}");
    assert!(published(&twin) < newest);
    let checked = twin.run("check", &[]).fails(5);
    assert!(checked.stdout.contains("elsewhere, fewer are here"), "{}", checked.stdout);
    twin.stop();
    // The original is not disturbed.
    plant.start();
    plant.ready();
    record(&world, &plant, "works-3");
    let hex = peer_name(&format!("world/{}/1", slug(&plant)));
    let held = registrar.get(&format!("/peers/{hex}/checkpoint"));
    assert_eq!(held.status, 200);
    registrar.run("check", &[]).ok();
}

#[test]
fn a_network_without_witnesses_is_the_only_one_in_which_a_copy_signs_alone() {
    let world = World::new();
    let mut node = world.founder("plant");
    node.ready();
    record(&world, &node, "works-1");
    node.stop();
    let copy = world.path("copy");
    copy_folder(&node.dir, &copy);
    node.start();
    node.ready();
    record(&world, &node, "works-2");
    let newest = published(&node);
    node.stop();
    // `quorum none`: nobody else knows, so a copied folder signs a second history.
    let mut twin = world.adopted(&node, &copy);
    twin.start();
    twin.ready();
    record(&world, &twin, "other-2");
    assert_eq!(published(&twin), newest);
    twin.stop();
    // Without its head even this one does not: nothing says what it signed last.
    std::fs::remove_dir_all(copy.join("head")).expect("removed");
    twin.start();
    assert_eq!(twin.get("/readyz").status, 503);
    twin.stop();
    let refused = twin.run("restore", &["--from-peers"]).fails(5);
    assert!(refused.stderr.contains("without witnesses"), "{}", refused.stderr);
}

#[test]
fn a_second_process_on_one_folder_ends_at_once_and_a_killed_one_leaves_no_lock() {
    let world = World::new();
    let mut node = world.founder("plant");
    node.ready();
    let pid = std::fs::read_to_string(node.dir.join("run/lock")).expect("the lock");
    for command in [&["run", "--http", "127.0.0.1:0"][..], &["restore", "--from-peers"]] {
        let began = Instant::now();
        let second = node.run(command[0], &command[1..]).fails(6);
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        let named = format!("in use by process {}", pid.trim());
        assert!(second.stderr.contains(&named), "{}", second.stderr);
        assert!(second.stderr.contains("help: "), "{}", second.stderr);
    }
    node.kill();
    assert!(node.dir.join("run/lock").exists(), "the file is left, the lock is not");
    node.start();
    node.ready();
    record(&world, &node, "works-1");
    node.stop();
    node.run("check", &[]).ok();
}

#[test]
fn the_index_is_built_again_while_the_node_runs_and_goes_on() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    registrar.run("admit", &[path_text(&plant.dir.join("join.cbor"))]).ok();
    plant.start();
    plant.ready();
    let (own, other) = (record(&world, &plant, "works-1"), record(&world, &registrar, "works-1"));
    mirrored(&plant, &registrar, published(&registrar));
    for round in 0..3 {
        let rebuilt = plant.run("reindex", &[]).ok();
        assert!(rebuilt.stdout.contains("while the node runs"), "{}", rebuilt.stdout);
        plant.ready();
        for id in [&own, &other] {
            plant.run("get", &[id]).ok();
        }
        plant.run("receipt", &[&own]).ok();
        // What was said before is known again: the same id, and `check` finds no second entry.
        assert_eq!(record(&world, &plant, "works-1"), own);
        let fresh = record(&world, &registrar, &format!("works-{}", round + 2));
        mirrored(&plant, &registrar, published(&registrar));
        plant.run("get", &[&fresh]).ok();
    }
    plant.run("check", &[]).ok();
    plant.stop();
    let rebuilt = plant.run("reindex", &[]).ok();
    assert!(!rebuilt.stdout.contains("while the node runs"), "{}", rebuilt.stdout);
}

/// The file system of a folder with little room; `None`, with one line printed, if it cannot be had.
struct Small<'a>(&'a Path);

impl Small<'_> {
    fn mount(folder: &Path) -> Option<Small<'_>> {
        std::fs::create_dir_all(folder).expect("writable");
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12k", "tmpfs"]).arg(folder);
        if mount.output().is_ok_and(|mounted| mounted.status.success()) {
            return Some(Small(folder));
        }
        println!("skipped: a full disk, a small file system cannot be mounted here");
        None
    }

    fn grow(&self) {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-o", "remount,size=8m"]).arg(self.0);
        assert!(mount.status().expect("it was mounted").success());
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg(self.0).status());
    }
}

#[test]
fn a_backup_on_a_full_disk_says_so_and_goes_on_when_there_is_room() {
    let world = World::new();
    let folder = world.path("small");
    let Some(small) = Small::mount(&folder) else { return };
    let node = world.founder("plant");
    node.ready();
    for local in ["works-1", "works-2", "works-3"] {
        record(&world, &node, local);
    }
    let target = folder.join("backup");
    let full = node.run("backup", &[path_text(&target)]).fails(6);
    assert!(full.stderr.contains("help: free space"), "{}", full.stderr);
    small.grow();
    node.run("backup", &[path_text(&target)]).ok();
    run("hallmark-verify", &["check", path_text(&target)]).ok();
}

#[test]
fn an_erased_body_is_told_as_erased_by_checks_and_kept_so_by_backup_and_restore() {
    let world = World::new();
    let mut node = world.founder("plant");
    node.ready();
    let id = record(&world, &node, "works-1");
    node.run("erase", &[&id, "--reason", "a trade secret"]).ok();
    node.stop();
    let pack = node.dir.join("data/packs/00000000.pack");
    let bytes = std::fs::read(&pack).expect("a pack");
    let target = world.path("backup");
    node.run("backup", &[path_text(&target)]).ok();
    node.run("check", &["--repair"]).ok();
    std::fs::remove_dir_all(node.dir.join("data")).expect("removed");
    node.run("restore", &[path_text(&target)]).ok();
    assert_eq!(std::fs::read(&pack).expect("a pack"), bytes, "it stays erased");
    let checked = node.run("check", &["--repair", "--format", "json"]).ok();
    assert!(checked.stdout.contains("\"erased\":\"1 record\""), "{}", checked.stdout);
    let checked = run("hallmark-verify", &["check", node.dir_text()]).ok();
    assert!(checked.stdout.contains("erased"), "{}", checked.stdout);
    node.start();
    node.ready();
    assert_eq!(node.get(&format!("/v1/attestations/{id}")).status, 410);
    node.run("receipt", &[&id]).ok();
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    let copied = std::process::Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.expect("cp runs").success());
}

pub(super) fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).expect("a file");
    bytes[at] ^= 1;
    std::fs::write(path, bytes).expect("writable");
}

/// Waits until a log has not grown for longer than members take to tell it their addresses.
pub(super) fn at_rest(node: &Node) -> u64 {
    let (mut newest, mut since) = (published(node), Instant::now());
    wait("a log to rest", SOON, || {
        if published(node) != newest {
            (newest, since) = (published(node), Instant::now());
        }
        (REST < since.elapsed()).then_some(newest)
    })
}

#[test]
fn damage_is_repaired_from_below_and_from_peers_while_the_node_runs() {
    let world = World::new();
    let [registrar, plant, auditor] = three(&world);
    let id = record(&world, &plant, "works-1");
    settled(&plant, [&registrar, &auditor]);
    plant.run("check", &[]).ok();
    plant.run("check", &["--repair"]).ok();
    let data = plant.dir.join("data");
    let pack = data.join("packs/00000000.pack");
    // A tile at the right edge is changed below: the log must not grow meanwhile.
    let size = at_rest(&plant);
    let file = |level: &str| match level {
        "" => pack.clone(),
        _ => data.join(format!("log/tile/{level}/000.p/{size}")),
    };
    for (level, at, told) in [
        ("0", 40, "mended"),
        ("entries", 50, "mended"),
        ("", 60, "put_back"),
        ("", 900, "put_back"),
    ] {
        let file = file(level);
        let before = std::fs::read(&file).expect("a file");
        flip(&file, at);
        plant.run("check", &[]).fails(4);
        let ran = plant.run("check", &["--repair", "--format", "json"]).ok();
        assert!(ran.stdout.contains(&format!("\"{told}\"")), "{told}: {}", ran.stdout);
        let after = std::fs::read(&file).expect("a file");
        assert!(after.starts_with(&before), "{}", file.display());
    }
    assert!(data.join("damaged").read_dir().expect("kept").count() != 0);
    std::fs::remove_file(file("0")).expect("removed");
    plant.run("check", &[]).fails(5);
    plant.run("check", &["--repair"]).ok();
    // The copy of another's log is put right too.
    let hex = peer_name(&format!("world/{}/1", slug(&plant)));
    flip(&auditor.dir.join("data/peers").join(&hex).join("packs/00000000.pack"), 60);
    auditor.run("check", &[]).fails(4);
    auditor.run("check", &["--repair"]).ok();
    // The node never stopped, and goes on.
    assert_eq!(plant.get(&format!("/v1/attestations/{id}")).status, 200);
    record(&world, &plant, "works-2");
    plant.run("check", &[]).ok();
}

#[test]
fn a_log_lost_for_good_is_sealed_and_its_successor_goes_on_beside_the_readable_old_one() {
    let world = World::new();
    let [registrar, mut plant, auditor] = three(&world);
    let old = record(&world, &plant, "works-1");
    let newest = settled(&plant, [&registrar, &auditor]);
    let whole = plant.run("restore", &["--successor"]).fails(6);
    assert!(whole.stderr.contains("in use by process"), "{}", whole.stderr);
    plant.stop();
    let whole = plant.run("restore", &["--successor"]).fails(2);
    assert!(whole.stderr.contains("nothing is lost"), "{}", whole.stderr);
    std::fs::remove_dir_all(plant.dir.join("data")).expect("removed");
    std::fs::remove_dir_all(plant.dir.join("head")).expect("removed");
    let peers = ["--peer", registrar.url.as_str(), "--peer", auditor.url.as_str()];
    let made = plant.run("restore", &[&["--successor", "--format", "json"], &peers[..]].concat());
    let told = json(&made.ok()).remove(0);
    let (first, next) = (format!("world/{}/1", slug(&plant)), format!("world/{}/2", slug(&plant)));
    assert_eq!((told["previous"].as_str(), told["origin"].as_str()), (Some(&*first), Some(&*next)));
    // A member may have told its addresses once more before it stopped.
    let (rested, newest) = (newest, told["previous_size"].as_u64().expect("a size"));
    assert!(rested <= newest, "{rested} {newest}");
    let stranger = world.newcomer("stranger", 4, "producer", &registrar);
    let join = plant.dir.join("join.cbor");
    registrar.run("admit", &[path_text(&join)]).ok();
    let again = registrar.run("admit", &[path_text(&join)]).ok();
    assert!(again.stdout.contains("member already"), "{}", again.stdout);
    registrar.run("admit", &[path_text(&stranger.dir.join("join.cbor"))]).ok();
    plant.start();
    plant.ready();
    let id = record(&world, &plant, "works-2");
    assert!(published(&plant) < newest, "it counts from the beginning");
    let origin = String::from_utf8(plant.get("/log/checkpoint").body).expect("a note");
    assert!(origin.starts_with(&format!("{next}\n")), "{origin}");
    for peer in [&registrar, &auditor] {
        wait("the mirror of the new log", SOON, || {
            (peer.run("get", &[&id]).code == 0).then_some(())
        });
        // The old log is read and proved as before, and takes nothing more.
        let old_log = format!("/peers/{}", peer_name(&first));
        // What it said last may have reached one of them alone, before it stopped.
        wait("the end of the old log", SOON, || {
            let copied = peer.get(&format!("{old_log}/checkpoint"));
            (size(&copied.body) == newest).then_some(())
        });
        peer.run("get", &[&old]).ok();
        peer.run("check", &[]).ok();
        let checked = run("hallmark-verify", &["check", peer.dir_text()]).ok();
        let line = format!("{first}: sealed at {newest} entries");
        assert!(checked.stdout.contains(&line), "{}", checked.stdout);
        assert!(checked.stdout.contains(&format!("followed by {next}")), "{}", checked.stdout);
    }
    plant.run("check", &[]).ok();
    plant.stop();
    plant.run("restore", &["--successor"]).fails(2);
}
