//! An organisation's key follows the one before: what was signed stays proved, the old key signs
//! nothing more, and a stranger proves both.

use std::os::unix::fs::PermissionsExt;

use super::world::{Node, SOON, World, path_text, run, wait};

const FACILITY: &str = r#"{"kind":"facility","sub":"SUB","payload":{"v":1,"name":"Works 1","lat_e7":311234567,"lon_e7":1214567890,"province":"CN-31","utc_offset":"+08:00","sector":"steel"}}"#;

/// Records a facility; its id.
fn recorded(world: &World, node: &Node, local: &str) -> String {
    let sub = node.org.replace(":org:", ":facility:");
    let said = FACILITY.replace("SUB", &format!("{sub}:{local}"));
    node.record(&world.file(&format!("{local}.json"), said), &[]).remove(0)
}

fn erased(node: &Node, id: &str, code: i32) -> String {
    let line = [id, "--reason", "a test"];
    let ran = node.run("erase", &line).fails(code);
    format!("{}{}", ran.stdout, ran.stderr)
}

/// The member of one JSON line.
fn told(line: &str, key: &str) -> String {
    let line: serde_json::Value =
        serde_json::from_str(line.lines().next().expect("a line")).expect("JSON");
    line[key].as_str().expect("a text").to_owned()
}

#[test]
fn a_key_follows_the_one_before_and_a_stranger_proves_what_both_signed() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    registrar.run("admit", &[path_text(&plant.dir.join("join.cbor"))]).ok();
    plant.run("key", &["rotate"]).fails(6);
    plant.start();
    plant.ready();
    let ids = ["works-1", "works-2", "works-3"].map(|local| recorded(&world, &plant, local));
    erased(&plant, &ids[0], 0);

    let path = plant.dir.join("keys/organisation.key");
    let old = std::fs::read(&path).expect("readable");
    let first = plant.run("key", &["rotate", "--format", "json"]).ok().stdout;
    let new = std::fs::read(&path).expect("readable");
    assert_ne!(old, new);
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    erased(&plant, &ids[1], 0);

    // Whoever has stolen the old key signs nothing that counts.
    std::fs::write(&path, &old).expect("writable");
    let refused = erased(&plant, &ids[2], 1);
    assert!(refused.contains("not in force"), "{refused}");
    std::fs::write(&path, &new).expect("writable");

    // The next one follows that one, also after a start.
    assert_eq!(plant.stop(), 0, "{}", plant.log());
    plant.start();
    plant.ready();
    let second = plant.run("key", &["rotate", "--format", "json"]).ok().stdout;
    assert_eq!(told(&second, "replaces_key"), told(&first, "key"));
    assert_eq!(told(&second, "key"), told(&first, "next_key_commitment"));
    erased(&plant, &ids[2], 0);

    // A stranger who begins with the network file proves all of it from another's copy.
    wait("the copy of the last erasure", SOON, || {
        let got = registrar.run("get", &[&ids[2]]);
        (got.code != 0 && got.stderr.contains("erased")).then_some(())
    });
    let bundle = world.path("case.hallmark");
    registrar.run("export", &["-o", path_text(&bundle)]).ok();
    for input in [path_text(&bundle), plant.dir_text()] {
        let checked = run("hallmark-verify", &["check", input]).ok();
        assert!(checked.stdout.contains("0 errors, 0 warnings"), "{}", checked.stdout);
    }
    plant.run("check", &[]).ok();
}
