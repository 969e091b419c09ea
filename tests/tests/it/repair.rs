//! `check --repair` of several damages at once, beside the node that goes on.

use std::path::Path;

use hallmark_schemas::layout::peer_name;

use super::recovery::{at_rest, facility, flip, mirrored, record, settled, size, slug, three};
use super::world::{Node, Ran, SOON, World, path_text, run, wait};

/// The lines of a checkpoint that are signed.
fn tree(note: &[u8]) -> String {
    String::from_utf8_lossy(note).split("\n\n").next().unwrap_or_default().to_owned()
}

/// A folder where a tile belongs, beside the node that serves it, is told of and moved aside.
fn is_mended_where_a_folder_is(node: &Node, tile: &Path) {
    std::fs::remove_file(tile).expect("removed");
    std::fs::create_dir(tile).expect("a folder");
    let told = node.run("check", &[]).fails(5);
    assert!(told.stdout.contains(path_text(tile)), "{told:?}");
    node.run("check", &["--repair"]).ok();
}

#[test]
fn several_damages_at_once_are_named_and_mended_and_the_node_goes_on_beside_them() {
    let world = World::new();
    let [mut registrar, plant, mut auditor] = three(&world);
    let many: String =
        (0..600).map(|number| facility(&plant.org, &format!("works-{number}")) + "\n").collect();
    plant.record(&world.file("many.jsonl", many), &[]);
    settled(&plant, [&registrar, &auditor]);
    at_rest(&plant);
    let log = plant.dir.join("data/log/tile");
    let files = ["1/000.p/2", "0/001", "entries/001"].map(|file| log.join(file));
    let whole = files.clone().map(|file| std::fs::read(file).expect("a file"));
    let damage = || {
        std::fs::remove_file(&files[0]).expect("removed");
        flip(&files[1], 40);
        flip(&files[2], 50);
    };
    let names_all = |ran: &Ran| {
        for file in &files {
            assert!(ran.stdout.contains(path_text(file)), "{}: {}", file.display(), ran.stdout);
        }
    };
    damage();
    let told = plant.run("check", &[]).fails(4);
    names_all(&told);
    assert!(!told.stdout.contains("head") && !told.stdout.contains("shrink"), "{told:?}");
    names_all(&plant.run("check", &["--repair"]).ok());
    is_mended_where_a_folder_is(&plant, &files[1]);
    assert_eq!(files.clone().map(|file| std::fs::read(file).expect("a file")), whole);
    // The next batch writes anew what it needs, and the node stays.
    damage();
    let id = record(&world, &plant, "late");
    assert_eq!(plant.get(&format!("/v1/attestations/{id}")).status, 200);
    plant.run("check", &["--repair"]).ok();
    plant.run("check", &[]).ok();
    // A mirror tells the history of a log as the log does, but for what it came too late for.
    let hex = peer_name(&format!("world/{}/1", slug(&plant)));
    let ours = plant.get("/log/checkpoints?after=600").body;
    let theirs = auditor.get(&format!("/peers/{hex}/checkpoints?after=600"));
    assert_eq!(theirs.status, 200);
    let first = tree(&theirs.body);
    assert!(first.contains(&slug(&plant)) && String::from_utf8_lossy(&ours).contains(&first));
    // The published checkpoint, deleted or damaged beside the node: served from memory, copied and put
    // back from the history.
    let checkpoint = plant.dir.join("data/log/checkpoint");
    let damages: [fn(&Path); 2] =
        [|path| std::fs::remove_file(path).expect("removed"), |path| flip(path, 9)];
    for damage in damages {
        at_rest(&plant);
        let whole = std::fs::read(&checkpoint).expect("a note");
        damage(&checkpoint);
        assert_eq!(plant.get("/log/checkpoint").status, 200);
        let told = plant.run("check", &[]);
        assert!([4, 5].contains(&told.code) && told.stdout.contains("log/checkpoint"), "{told:?}");
        plant.run("check", &["--repair"]).ok();
        assert_eq!(tree(&std::fs::read(&checkpoint).expect("put back")), tree(&whole));
    }
    std::fs::remove_file(&checkpoint).expect("removed");
    plant.run("backup", &[path_text(&world.path("saved"))]).ok();
    run("hallmark-verify", &["check", path_text(&world.path("saved"))]).ok();
    record(&world, &plant, "later");
    assert!(checkpoint.is_file(), "the next batch publishes it");
    plant.run("check", &[]).ok();
    registrar.stop();
    auditor.stop();
    flip(&files[2], 50);
    let ran = plant.run("check", &["--repair"]).fails(4);
    let line = ran.stdout.lines().find(|line| line.starts_with("not repaired "));
    let told = line.is_some_and(|line| line.contains(path_text(&files[2])));
    assert!(told && ran.stderr.contains("help: let the nodes that mirror this log run"), "{ran:?}");
}

#[test]
fn a_node_that_began_without_its_last_entries_says_so_and_goes_on_after_repair_and_another_start() {
    let world = World::new();
    let [registrar, mut plant, auditor] = three(&world);
    record(&world, &plant, "works-1");
    settled(&plant, [&registrar, &auditor]);
    at_rest(&plant);
    plant.stop();
    let data = plant.dir.join("data");
    let note = std::fs::read(data.join("log/checkpoint")).expect("a note");
    let size = size(&note);
    [&registrar, &auditor].into_iter().for_each(|peer| mirrored(peer, &plant, size));
    let bundle = format!("log/tile/entries/000.p/{size}");
    std::fs::remove_file(data.join(&bundle)).expect("removed");
    plant.start();
    let told = wait("the node to tell", SOON, || {
        let told = plant.get("/readyz").json();
        (told["index"] == "ready").then_some(told)
    });
    assert!(told["log"].as_str().is_some_and(|word| word.contains("check DIR --repair")), "{told}");
    assert_eq!(told["damaged"], serde_json::json!([bundle]));
    let ran = plant.run("check", &["--repair"]).ok();
    assert!(ran.stdout.contains(&format!("mended world/{}/1", slug(&plant))), "{ran:?}");
    assert!(ran.stderr.contains("help: stop it and start it again"), "{ran:?}");
    plant.stop();
    plant.start();
    plant.ready();
    record(&world, &plant, "works-2");
    plant.run("check", &[]).ok();
}

#[test]
fn a_pack_that_was_cut_short_is_whole_again_beside_a_running_node_and_after_a_stop() {
    let world = World::new();
    let [registrar, mut plant, auditor] = three(&world);
    let ids: Vec<String> =
        (1..4).map(|number| record(&world, &plant, &format!("works-{number}"))).collect();
    settled(&plant, [&registrar, &auditor]);
    at_rest(&plant);
    let pack = plant.dir.join("data/packs/00000000.pack");
    let all_are_read = |node: &Node, ids: &[String]| {
        ids.iter().all(|id| node.get(&format!("/v1/attestations/{id}")).status == 200)
    };
    let whole = std::fs::read(&pack).expect("a pack");
    let at = |text: &[u8]| whole.windows(text.len()).position(|found| found == text);
    let middle = at(b"works-2").expect("the second");
    let later = at(b"works-3").expect("the third");
    // Inside a record, and all of it.
    for cut in [middle, later, 0] {
        std::fs::write(&pack, &whole[..cut]).expect("cut");
        let told = plant.run("check", &[]);
        assert_ne!(told.code, 0, "cut at {cut} of {}: {told:?}", whole.len());
        let ran = plant.run("check", &["--repair"]).ok();
        assert!(ran.stdout.contains("at the end of") && ran.stdout.contains("put_back"), "{ran:?}");
        assert!(std::fs::read(&pack).expect("a pack") == whole, "cut at {cut}");
        assert!(all_are_read(&plant, &ids));
    }
    // What comes between the cut and the repair goes to the next segment, and nothing is moved.
    std::fs::write(&pack, &whole[..middle]).expect("cut");
    let late = record(&world, &plant, "works-4");
    settled(&plant, [&registrar, &auditor]);
    assert!(plant.dir.join("data/packs/00000001.pack").is_file());
    plant.run("check", &["--repair"]).ok();
    let ids = [ids, vec![late]].concat();
    assert!(all_are_read(&plant, &ids));
    plant.run("check", &[]).ok();
    // The same while it rests, of the last segment too, and of one that is gone.
    plant.stop();
    let last = plant.dir.join("data/packs/00000001.pack");
    let newest = std::fs::read(&last).expect("a pack");
    std::fs::write(&last, &newest[..newest.len() / 2]).expect("cut");
    plant.run("check", &[]).fails(4);
    plant.run("check", &["--repair"]).ok();
    for gone in [&pack, &last] {
        std::fs::remove_file(gone).expect("removed");
        plant.run("check", &["--repair"]).ok();
    }
    assert!(std::fs::read(&pack).expect("a pack") == whole);
    assert!(std::fs::read(&last).expect("a pack") == newest);
    plant.start();
    plant.ready();
    assert!(all_are_read(&plant, &ids));
    record(&world, &plant, "works-5");
    plant.run("check", &[]).ok();
}

#[test]
fn a_backup_never_puts_what_is_damaged_over_what_it_holds_whole() {
    let world = World::new();
    let mut plant = world.founder("plant");
    plant.ready();
    record(&world, &plant, "works-1");
    let saved = world.path("saved");
    let backup = |to: &Path| plant.run("backup", &[path_text(to)]);
    backup(&saved).ok();
    let pack = plant.dir.join("data/packs/00000000.pack");
    let bytes = std::fs::read(&pack).expect("a pack");
    let at = bytes.windows(7).position(|seven| seven == b"works-1").expect("the facility");
    flip(&pack, at);
    record(&world, &plant, "works-2");
    // Brought forward, it keeps the record that is damaged at the node.
    let told = backup(&saved).ok();
    assert!(told.stderr.contains(path_text(&pack)), "{told:?}");
    run("hallmark-verify", &["check", path_text(&saved)]).ok();
    // A new one has it nowhere else from, and says that it is not whole.
    let fresh = world.path("fresh");
    let told = backup(&fresh).fails(4);
    assert!(told.stdout.contains("broken: ") && !told.stdout.contains("proved"), "{told:?}");
    run("hallmark-verify", &["check", path_text(&fresh)]).fails(4);
    plant.stop();
}
