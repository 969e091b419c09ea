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

/// A file that gives a key of this subject up since `since`.
fn revocation(world: &World, sub: &str, key: &str, since: &str) -> String {
    let said = format!(
        r#"{{"kind":"revocation","sub":"{sub}","payload":{{"key":"{key}","since":"{since}","why":"compromised"}}}}"#
    );
    path_text(&world.file("revocation.json", said)).to_owned()
}

#[test]
fn a_revoked_key_signs_nothing_more_and_a_stranger_is_told_what_is_in_doubt() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    registrar.run("admit", &[path_text(&plant.dir.join("join.cbor"))]).ok();
    plant.start();
    plant.ready();
    let id = recorded(&world, &plant, "works-1");
    let shown = plant.run("get", &[&id, "--format", "json"]).ok().stdout;
    let (kid, at) = (told(&shown, "kid"), told(&shown, "iat"));
    let device = plant.org.replace(":org:", ":device:") + ":capture";

    // Neither another member nor of another's name.
    let stolen = revocation(&world, &registrar.org, &kid, &at);
    plant.run("submit", &[&stolen]).fails(1);
    let early = revocation(&world, &device, &kid, "2999-01-01T00:00:00Z");
    let refused = plant.run("submit", &[&early]).fails(3);
    assert!(
        format!("{}{}", refused.stdout, refused.stderr).contains("/since"),
        "{}",
        refused.stderr
    );

    let revoked = revocation(&world, &device, &kid, &at);
    plant.run("submit", &[&revoked, "--receipt"]).ok();
    let sub = plant.org.replace(":org:", ":facility:");
    let late = world.file("late.json", FACILITY.replace("SUB", &format!("{sub}:works-2")));
    let refused = plant.run("submit", &[path_text(&late)]).fails(1);
    assert!(format!("{}{}", refused.stdout, refused.stderr).contains("not in force"));

    for option in [None, Some("--public")] {
        let bundle = world.path("case.hallmark");
        let mut line = vec!["-o", path_text(&bundle)];
        line.extend(option);
        plant.run("export", &line).ok();
        let checked = run("hallmark-verify", &["check", path_text(&bundle)]).stdout;
        let told = format!("in doubt, as the key {kid} was revoked");
        assert!(checked.contains(&told), "{option:?}: {checked}");
        assert!(checked.contains("0 errors"), "{option:?}: {checked}");
    }
}

#[test]
fn a_device_that_a_stolen_key_enrolled_is_in_doubt_for_the_program_and_the_script() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    registrar.run("admit", &[path_text(&plant.dir.join("join.cbor"))]).ok();
    plant.start();
    plant.ready();
    let id = recorded(&world, &plant, "works-1");
    let device = told(&plant.run("get", &[&id, "--format", "json"]).ok().stdout, "kid");
    let rotated = plant.run("key", &["rotate", "--format", "json"]).ok().stdout;
    let stolen = told(&rotated, "replaces_key");

    let doubted = |when: &str| {
        [None, Some("--public")].map(|option| {
            let path = world.path("case.hallmark");
            let mut line = vec!["-o", path_text(&path)];
            line.extend(option);
            plant.run("export", &line).ok();
            let checked = run("hallmark-verify", &["check", path_text(&path)]).stdout;
            assert!(checked.contains("0 errors"), "{when} {option:?}: {checked}");
            // The script reads public bundles alone.
            let bundle = option.map(|_| std::fs::read(&path).expect("readable"));
            (bundle.map(|bundle| super::check::agree(when, &bundle)), checked)
        })
    };
    for (count, checked) in doubted("before") {
        assert!(count.is_none_or(|count| count == 0), "{count:?}: {checked}");
        assert!(!checked.contains("was revoked"), "{checked}");
    }
    // Only now it is told that the key was stolen before it enrolled the device.
    let revoked = revocation(&world, &plant.org, &stolen, "2020-01-01T00:00:00Z");
    plant.run("submit", &[&revoked, "--receipt"]).ok();
    for (count, checked) in doubted("after") {
        let told =
            format!("in doubt, as the key {device} was enrolled under the key {stolen}, which was");
        assert!(checked.contains(&told), "{checked}");
        assert!(count.is_none_or(|count| 1 < count), "the device's, and its enrolment: {checked}");
    }
}
