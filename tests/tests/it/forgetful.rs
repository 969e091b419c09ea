//! Witnesses that lost what they remember of the logs they cosigned.

use std::path::PathBuf;

use hallmark_schemas::layout::peer_name;

use super::recovery::{facility, published, record, settled, size, slug, three};
use super::world::http::Answer;
use super::world::{Node, SOON, World, http, path_text, wait};

/// `add-checkpoint` that begins at nothing.
fn asked(witness: &Node, checkpoint: &[u8]) -> Answer {
    let body = [b"old 0\n\n", checkpoint].concat();
    let plain = [("Content-Type", "text/plain; charset=utf-8")];
    http::send("POST", &witness.url, "/log/add-checkpoint", &plain, &body)
}

/// The old checkpoint is refused, by a size that is known and not below this one.
fn refused(witness: &Node, checkpoint: &[u8], least: u64) {
    // A start that still reads what it holds answers 503.
    let answered = || Some(asked(witness, checkpoint)).filter(|answer| answer.status != 503);
    let answer = wait("an answer", SOON, answered);
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status, 409, "{text}");
    let told: u64 = text.trim_end().parse().expect("a size");
    assert!(least <= told, "{told} of {least}");
}

/// Where a witness remembers the log of another node, and the address where it tells.
fn memory(witness: &Node, log: &Node) -> (PathBuf, String) {
    let hex = peer_name(&format!("world/{}/1", slug(log)));
    (witness.dir.join("head/witness").join(&hex), format!("/witness/{hex}/checkpoint"))
}

#[test]
fn a_witness_that_lost_its_memory_cosigns_no_older_tree_and_goes_on_once_the_others_told_theirs() {
    let world = World::new();
    let [mut registrar, plant, mut auditor] = three(&world);
    record(&world, &plant, "works-1");
    let old = plant.get("/log/checkpoint").body;
    record(&world, &plant, "works-2");
    let newest = settled(&plant, [&registrar, &auditor]);
    refused(&auditor, &old, newest);
    // The whole folder of heads: read-only, then restored. What its copy proves is known at once.
    auditor.stop();
    std::fs::remove_dir_all(auditor.dir.join("head")).expect("removed");
    auditor.start();
    refused(&auditor, &old, newest);
    auditor.stop();
    auditor.run("restore", &["--from-peers"]).ok();
    auditor.start();
    refused(&auditor, &old, newest);
    let (file, address) = memory(&auditor, &plant);
    wait("the doubt to end", SOON, || (auditor.get(&address).status == 200).then_some(()));
    refused(&auditor, &old, newest);
    // One log alone, and its copy too, with nobody there who could tell.
    auditor.stop();
    registrar.stop();
    std::fs::remove_file(&file).expect("removed");
    let peers = auditor.dir.join("data/peers");
    std::fs::remove_dir_all(&peers).expect("removed");
    let newest = published(&plant);
    auditor.start();
    let answer = asked(&auditor, &old);
    if answer.status != 409 {
        // Until it has copied the log again it does not even know that.
        let problem = answer.json();
        assert_eq!(answer.status, 503, "{problem}");
        let detail = problem["detail"].as_str().expect("a detail");
        assert!(detail.contains("may have lost what it cosigned last"), "{detail}");
        assert!(answer.header("retry-after").is_some());
    }
    let later = world.file("later.json", facility(&plant.org, "works-3"));
    plant.run("submit", &[path_text(&later)]).ok();
    wait("the plant to say why nothing is published", SOON, || {
        let ready = plant.get("/readyz").json();
        ready["quorum"].as_str()?.contains("may have lost").then_some(())
    });
    assert_eq!(published(&plant), newest, "nothing is cosigned in doubt");
    registrar.start();
    wait("the log to go on", SOON, || (newest < published(&plant)).then_some(()));
    let cosigned = wait("the witness to cosign again", SOON, || {
        let answer = auditor.get(&address);
        (answer.status == 200 && newest < size(&answer.body)).then_some(answer)
    });
    refused(&auditor, &old, size(&cosigned.body));
}
