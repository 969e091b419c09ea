//! A log whose files do not fit together signs nothing, serves what it can prove, and says why.

use std::path::Path;

use serde_json::Value;

use super::world::http::{self, Answer};
use super::world::{Node, SOON, World, path_text, run, wait};

fn facility(org: &str, local: &str) -> String {
    let sub = org.replace(":org:", ":facility:");
    format!(
        r#"{{"kind":"facility","sub":"{sub}:{local}","payload":{{"v":1,"name":"{local}","lat_e7":311234567,"lon_e7":1214567890,"province":"CN-31","sector":"steel","utc_offset":"+08:00"}}}}"#
    )
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("writable");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy_folder(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).expect("copied")),
        }
    }
}

/// Size and root of a checkpoint.
fn tree(note: &[u8]) -> (u64, String) {
    let mut lines = std::str::from_utf8(note).expect("a note").lines().skip(1);
    let size = lines.next().expect("a size").parse().expect("a number");
    (size, lines.next().expect("a root").to_owned())
}

fn post(node: &Node, token: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    http::send("POST", &node.url, "/v1/attestations", &headers, body.as_bytes())
}

/// Everything that a read-only node owes its readers: `id` is recorded under the tree `(size, root)`.
fn serves_read_only(node: &Node, id: &str, before: &(u64, String), cause: &str) {
    let ready = wait("the index of a read-only node", SOON, || {
        let ready = node.get("/readyz");
        (ready.json()["index"] == "ready").then_some(ready)
    });
    assert_eq!(ready.status, 503);
    let word = ready.json()["log"].as_str().expect("a word").to_owned();
    assert!(word.starts_with("read-only: ") && word.contains(cause), "{word}");
    assert!(word.contains("what to do: "), "{word}");

    let checkpoint = node.get("/log/checkpoint");
    assert_eq!((checkpoint.status, &tree(&checkpoint.body)), (200, before));
    for level in ["0", "entries"] {
        let tile = node.get(&format!("/log/tile/{level}/000.p/{}", before.0));
        assert_eq!(tile.status, 200, "{level}");
    }
    let token = wait("the keys of a read-only node", SOON, || {
        let token = node.token("read");
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str())];
        let path = format!("/v1/attestations/{id}");
        (http::send("GET", &node.url, &path, &headers, b"").status == 200).then_some(token)
    });
    assert!(!token.is_empty());
    assert_eq!(node.run("receipt", &[id]).ok().bytes[0], 0xd2, "a tagged COSE_Sign1");
    assert_eq!(node.get(&format!("/entries/{id}")).status, 200);
    assert_eq!(node.get("/v1/findings").status, 200);

    let refused = post(node, &node.token("capture"), &facility(&node.org, "late"));
    assert_eq!(refused.status, 503, "{}", refused.json());
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(refused.header("retry-after"), Some("60"));
    assert_eq!(refused.json()["type"], "urn:hallmark:problem:read_only");
    let detail = refused.json()["detail"].as_str().expect("a detail").to_owned();
    assert!(detail.contains(cause) && detail.contains("what to do: "), "{detail}");

    let status = node.run("status", &[]).fails(6);
    let last = status.stdout.lines().last().expect("a verdict").to_owned();
    assert!(last.starts_with("not ready: ") && last.contains(cause), "{last}");
    assert!(!last.contains("catching up"), "{last}");
    let served = status.stdout.lines().find(|line| line.starts_with("published_size"));
    assert!(served.is_some_and(|line| line.ends_with(&format!(" {}", before.0))), "{served:?}");
    assert!(!status.stdout.contains("\nindexed "), "it tells of a work that is done");

    assert_eq!(tree(&node.get("/log/checkpoint").body), *before, "nothing was signed");
}

/// A node that has recorded one facility, with its id.
fn founded(world: &World) -> (Node, String) {
    let node = world.founder("plant");
    node.ready();
    let file = world.file("first.json", facility(&node.org, "works-1"));
    let id = node.record(&file, &[]).remove(0);
    (node, id)
}

/// Both programs that check a folder say the same of it.
fn checks(node: &Node, exit: i32, told: &str) {
    for ran in [node.run("check", &[]), run("hallmark-verify", &["check", node.dir_text()])] {
        let ran = ran.fails(exit);
        assert!(ran.stdout.contains(told), "{}", ran.stdout);
        assert!(ran.stdout.contains("help: "), "{}", ran.stdout);
    }
}

#[test]
fn an_old_copy_of_data_is_served_and_never_signed_on() {
    let world = World::new();
    let (mut node, id) = founded(&world);
    node.stop();
    let (data, backup) = (node.dir.join("data"), world.path("backup"));
    copy_folder(&data, &backup);
    let before = tree(&std::fs::read(data.join("log/checkpoint")).expect("published"));
    node.start();
    node.ready();
    let file = world.file("second.json", facility(&node.org, "works-2"));
    assert_eq!(node.record(&file, &[]).len(), 1);
    node.stop();
    let head = tree(&std::fs::read(data.join("log/checkpoint")).expect("published")).0;
    std::fs::remove_dir_all(&data).expect("removed");
    copy_folder(&backup, &data);
    node.start();
    serves_read_only(&node, &id, &before, "DATA is older than the head");
    let status = node.run("status", &["--format", "json"]);
    let status: Value =
        serde_json::from_str(status.stdout.lines().next().expect("a line")).expect("JSON");
    assert_eq!(status["head_size"], head, "what was signed, beside what is served");
    checks(&node, 5, "DATA only");
    assert_eq!(node.stop(), 0);
}

#[test]
fn a_lost_or_damaged_head_leaves_a_log_that_is_served_read_only() {
    let world = World::new();
    let (mut node, id) = founded(&world);
    node.stop();
    let before = tree(&std::fs::read(node.dir.join("data/log/checkpoint")).expect("published"));
    let slots = ["slot-a", "slot-b"].map(|slot| node.dir.join("head").join(slot));
    let whole = slots.clone().map(|slot| std::fs::read(slot).expect("a slot"));
    for slot in &slots {
        std::fs::write(slot, b"not what was written").expect("writable");
    }
    node.start();
    serves_read_only(&node, &id, &before, "no head in");
    checks(&node, 4, "slot-a: the head slot is damaged");
    node.stop();
    slots.iter().for_each(|slot| std::fs::remove_file(slot).expect("removed"));
    node.run("reindex", &[]).ok();
    node.start();
    serves_read_only(&node, &id, &before, "no head in");
    checks(&node, 5, "slot-b: the head slot is missing");
    node.stop();
    // Put back, the log goes on; one damaged slot is mended by the next batches.
    for (slot, bytes) in slots.iter().zip(whole) {
        std::fs::write(slot, bytes).expect("writable");
    }
    node.run("check", &[]).ok();
    std::fs::write(&slots[0], b"x").expect("writable");
    checks(&node, 4, "slot-a: the head slot is damaged");
    node.start();
    node.ready();
    for local in ["works-3", "works-4"] {
        let file = world.file("more.json", facility(&node.org, local));
        assert_eq!(node.record(&file, &[]).len(), 1);
    }
    node.stop();
    checks_whole(&node);
}

fn checks_whole(node: &Node) {
    node.run("check", &[]).ok();
    run("hallmark-verify", &["check", node.dir_text()]).ok();
}

#[test]
fn a_changed_bundle_is_blamed_and_a_lost_one_is_incomplete() {
    let world = World::new();
    let (mut node, id) = founded(&world);
    node.stop();
    let (size, root) = tree(&std::fs::read(node.dir.join("data/log/checkpoint")).expect("there"));
    let bundle = node.dir.join(format!("data/log/tile/entries/000.p/{size}"));
    let whole = std::fs::read(&bundle).expect("a bundle");
    let mut changed = whole.clone();
    let at = changed.len() - 1;
    changed[at] ^= 1;
    std::fs::write(&bundle, changed).expect("writable");
    checks(&node, 4, "tile/entries/000.p/");
    node.start();
    let word = wait("the cause", SOON, || {
        let ready = node.get("/readyz").json();
        (ready["index"] == "ready").then(|| ready["log"].to_string())
    });
    assert!(word.contains("read-only") && word.contains("entries/000.p/"), "{word}");
    assert_eq!(tree(&node.get("/log/checkpoint").body), (size, root));
    node.stop();
    std::fs::remove_file(&bundle).expect("removed");
    checks(&node, 5, "not at hand");
    std::fs::write(&bundle, whole).expect("writable");
    checks_whole(&node);
    std::fs::remove_file(node.dir.join("data/packs/00000000.pack")).expect("removed");
    checks(&node, 5, "is missing");
    node.start();
    // Without its bodies the log still proves what it recorded.
    assert_eq!(
        wait("the receipt", SOON, || {
            let answer = node.get(&format!("/entries/{id}"));
            (answer.status == 200).then_some(200)
        }),
        200
    );
}

#[test]
fn a_lost_tile_or_intent_or_history_is_named_by_both_checks() {
    let world = World::new();
    let (mut node, _) = founded(&world);
    node.stop();
    let (size, _) = tree(&std::fs::read(node.dir.join("data/log/checkpoint")).expect("there"));
    for file in [format!("log/tile/0/000.p/{size}"), "intent".into(), "checkpoints".into()] {
        let path = node.dir.join("data").join(&file);
        let whole = std::fs::read(&path).expect("a file");
        std::fs::remove_file(&path).expect("removed");
        checks(&node, 5, &format!("data/{file}: "));
        std::fs::write(&path, whole).expect("writable");
        checks_whole(&node);
    }
    // The next batches begin a new history, which does not hide what the old one held.
    std::fs::remove_file(node.dir.join("data/checkpoints")).expect("removed");
    node.start();
    node.ready();
    let file = world.file("next.json", facility(&node.org, "works-2"));
    assert_eq!(node.record(&file, &[]).len(), 1);
    node.stop();
    checks(&node, 5, "the history of checkpoints lacks ");
}

#[test]
fn a_running_node_serves_no_wrong_tile_and_says_which_file_is_damaged() {
    let world = World::new();
    let (node, _) = founded(&world);
    let (size, _) = tree(&node.get("/log/checkpoint").body);
    let [hashes, bundle] = ["0", "entries"].map(|level| format!("log/tile/{level}/000.p/{size}"));
    let whole = node.get(&format!("/{hashes}"));
    let flip = |file: &str| {
        let path = node.dir.join("data").join(file);
        let mut bytes = std::fs::read(&path).expect("a file");
        bytes[20] ^= 1;
        std::fs::write(&path, bytes).expect("writable");
    };
    let damaged = || node.get("/readyz").json()["damaged"].clone();
    assert_eq!(damaged(), serde_json::json!([]));
    flip(&hashes);
    let made = node.get(&format!("/{hashes}"));
    assert_eq!((made.status, made.body), (200, whole.body));
    assert_eq!(damaged(), serde_json::json!([hashes]));
    flip(&hashes);
    flip(&bundle);
    let refused = node.get(&format!("/{bundle}"));
    assert_eq!(refused.status, 503);
    assert_eq!(refused.header("content-type"), Some("application/problem+json"));
    assert_eq!(node.get(&format!("/{hashes}")).status, 200);
    assert_eq!(damaged(), serde_json::json!([bundle]));
    let status = node.run("status", &[]);
    assert!(status.stdout.contains(&bundle), "{}", status.stdout);
    flip(&bundle);
    assert_eq!(node.get(&format!("/{bundle}")).status, 200);
    assert_eq!(damaged(), serde_json::json!([]));
}

#[test]
fn every_key_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::new();
    let mut node = world.founder("plant");
    node.stop();
    let keys: Vec<_> = std::fs::read_dir(node.dir.join("keys"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "key"))
        .collect();
    assert_eq!(keys.len(), 8, "{keys:?}");
    for key in keys {
        let mode = |mode| std::fs::set_permissions(&key, PermissionsExt::from_mode(mode));
        for readable in [0o640, 0o604] {
            mode(readable).expect("chmod");
            let refused = node.run("run", &["--http", "127.0.0.1:0"]).fails(2);
            let help = format!("help: chmod 600 {}", path_text(&key));
            assert!(refused.stderr.contains(&help), "{}", refused.stderr);
        }
        mode(0o600).expect("chmod");
    }
    node.start();
    node.ready();
}

#[test]
fn a_wrong_or_missing_passphrase_ends_the_run_and_a_key_kept_offline_does_not() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::new();
    let secret = |name: &str, text: &str| {
        let file = world.file(name, text);
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("its owner");
        file
    };
    let right = secret("right.txt", "right\n");
    let wrong = secret("wrong.txt", "wrong\n");
    let empty = secret("empty.txt", "");
    let open = world.file("open.txt", "right\n");
    let absent = world.path("absent.txt");
    let mut node = world.founder_sealed("plant", &right);
    node.ready();
    assert_eq!(node.stop(), 0);
    for (file, cause) in [
        (Some(&wrong), "does not open"),
        (Some(&absent), "cannot read the passphrase file"),
        (Some(&open), "can be read by others"),
        (Some(&empty), "is empty"),
        (None, "is encrypted and there is no passphrase"),
    ] {
        let mut line = vec!["--http", "127.0.0.1:0"];
        line.extend(file.iter().flat_map(|file| ["--passphrase-file", path_text(file)]));
        let refused = node.run("run", &line).fails(2);
        for part in ["error: ", "help: ", "passphrase", cause] {
            assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
        }
        assert!(!node.dir.join("run/addresses.json").exists(), "it never was ready");
    }
    // Offline on purpose: its file is not here.
    std::fs::remove_file(node.dir.join("keys/organisation.key")).expect("removed");
    node.start();
    node.ready();
    node.stop();
    let told = node.log().matches("kept offline").count();
    assert_eq!(told, 1, "{}", node.log());
}
