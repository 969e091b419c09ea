//! Registrars: several who must agree, a key that follows another, one who is a registrar no more.

use super::world::{Node, SOON, World, http, path_text, run, wait};

const FACILITY: &str = r#"{"kind":"facility","sub":"SUB","payload":{"v":1,"name":"Works 1","lat_e7":311234567,"lon_e7":1214567890,"province":"CN-31","utc_offset":"+08:00","sector":"steel"}}"#;

fn recorded(world: &World, node: &Node, local: &str) -> String {
    let sub = node.org.replace(":org:", ":facility:");
    let said = FACILITY.replace("SUB", &format!("{sub}:{local}"));
    node.record(&world.file(&format!("{local}.json"), said), &[]).remove(0)
}

fn slug(node: &Node) -> String {
    node.org.trim_start_matches("urn:hallmark:org:").replace(':', "-")
}

/// What `network show` says.
fn shown(node: &Node) -> serde_json::Value {
    let said = node.run("network", &["show", "--format", "json"]).ok().stdout;
    serde_json::from_str(said.lines().next().expect("a line")).expect("JSON")
}

fn version(node: &Node) -> u64 {
    shown(node)["version"].as_u64().expect("a number")
}

/// Waits until all have the version that the first one has.
fn agree(nodes: &[&Node]) -> u64 {
    let newest = version(nodes[0]);
    for node in &nodes[1..] {
        wait("the next version of the network file", SOON, || {
            (version(node) == newest).then_some(())
        });
    }
    newest
}

/// Three registrars, of whom two must agree, and what each told its node.
fn three(world: &World) -> [Node; 3] {
    let first = world.founder("first");
    first.ready();
    let mut others = [("second", 2), ("third", 3)].map(|(name, number)| {
        let node = world.newcomer(name, number, "association", &first);
        first.run("admit", &[path_text(&node.dir.join("join.cbor"))]).ok();
        node
    });
    for node in &mut others {
        node.start();
        node.ready();
    }
    let [second, third] = others;
    let mut line = vec!["--threshold".to_owned(), "2".to_owned(), "--registrar".to_owned()];
    line.extend([&first, &second, &third].map(slug));
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let draft = made(&first.run("network", &line).ok().stdout);
    // While it waits for others, the one in force makes no other version of that number.
    let newcomer = world.newcomer("newcomer", 9, "producer", &first);
    let join = newcomer.dir.join("join.cbor");
    let other = first.run("admit", &[path_text(&join)]).fails(2);
    assert!(other.stderr.contains("was signed here before"), "{}", other.stderr);
    // A key that is new signs its own first version, and cannot put it into force alone.
    let wrong = first.run("network", &["--sign", &draft]).ok();
    assert!(wrong.stdout.contains("1 of 2 of those to come"), "{}", wrong.stdout);
    let signed = second.run("network", &["--sign", &draft]).ok();
    assert!(signed.stderr.contains("threshold 2 instead of 1"), "{}", signed.stderr);
    assert!(signed.stderr.contains(&format!("new registrar {}", third.org)), "{}", signed.stderr);
    let draft = made(&signed.stdout);
    first.run("network", &["--sign", &draft]).ok();
    assert_eq!(shown(&first)["threshold"], 2);
    agree(&[&first, &second, &third]);
    [first, second, third]
}

/// The draft that a command names on its first line.
fn made(stdout: &str) -> String {
    let path = stdout.lines().next().expect("a line");
    assert!(path.ends_with(".draft"), "{stdout}");
    path.to_owned()
}

#[test]
fn two_of_three_registrars_admit_change_keys_and_retire_one_and_a_stranger_proves_it() {
    let world = World::new();
    let [first, second, third] = three(&world);
    let before = version(&first);

    // One alone admits nobody.
    let mut plant = world.newcomer("plant", 4, "producer", &first);
    let join = plant.dir.join("join.cbor");
    let waits = first.run("admit", &[path_text(&join)]).ok();
    assert!(waits.stdout.contains("is signed by 1 of 2 registrars"), "{}", waits.stdout);
    assert_eq!(version(&first), before);
    let draft = first.dir.join(format!("network-{}.draft", before + 1));
    let draft = path_text(&draft);

    // Nor does it sign another version of the same number, unless it is told to.
    let again = first.run("network", &["--threshold", "3"]).fails(2);
    assert!(again.stderr.contains("was signed here before"), "{}", again.stderr);
    // A member who is no registrar cannot sign, one who does not know the newcomer does not.
    plant.run("network", &["--sign", draft]).fails(2);
    let other = world.newcomer("other", 5, "producer", &first);
    let wrong = path_text(&other.dir.join("join.cbor")).to_owned();
    let refused = second.run("admit", &[&wrong, "--sign", draft]).fails(3);
    assert!(refused.stderr.contains("does not admit"), "{}", refused.stderr);

    second.run("admit", &[path_text(&join), "--sign", draft]).ok();
    assert_eq!(agree(&[&second, &first, &third]), before + 1);
    plant.start();
    plant.ready();
    recorded(&world, &plant, "works-1");

    // What was in force once is not put into force again.
    let replayed = first.run("network", &["--sign", draft]).fails(3);
    assert!(replayed.stderr.contains("is not newer"), "{}", replayed.stderr);

    // A registrar's key follows: two sign that too.
    let key = |node: &Node| std::fs::read(node.dir.join("keys/organisation.key")).expect("a key");
    let old = key(&first);
    let waits = first.run("key", &["rotate"]).ok();
    let draft = made(&waits.stdout);
    assert_eq!(key(&first), old, "it is not in force");
    third.run("network", &["--sign", &draft]).ok();
    assert_eq!(agree(&[&third, &first, &second, &plant]), before + 2);
    first.run("key", &["rotate"]).ok();
    assert_ne!(key(&first), old);

    // Whoever has the old key makes no version that counts, and admits nobody.
    let new = key(&first);
    std::fs::write(first.dir.join("keys/organisation.key"), &old).expect("writable");
    let stale = first.run("network", &["--threshold", "1"]).ok();
    assert!(stale.stdout.contains("is signed by 0 of 2 registrars"), "{}", stale.stdout);
    std::fs::write(first.dir.join("keys/organisation.key"), &new).expect("writable");

    // The third goes; the two that stay sign it.
    let line = ["--registrar", &slug(&first), &slug(&second), "--instead"];
    let draft = made(&first.run("network", &line).ok().stdout);
    second.run("network", &["--sign", &draft]).ok();
    agree(&[&second, &first, &third, &plant]);
    let refused = third.run("admit", &[&wrong]).fails(2);
    assert!(refused.stderr.contains("is no registrar"), "{}", refused.stderr);

    proved(&world, &[&first, &second, &plant]);
}

/// Everything is proved from the newest file, by a stranger and by each folder.
fn proved(world: &World, nodes: &[&Node]) {
    for (number, node) in nodes.iter().enumerate() {
        let bundle = world.path(&format!("{number}.hallmark"));
        // What another recorded a moment ago may still be on its way here.
        let checked = wait("a copy of all that is cited", SOON, || {
            node.run("export", &["-o", path_text(&bundle)]).ok();
            let checked = run("hallmark-verify", &["check", path_text(&bundle)]);
            (checked.code == 0).then_some(checked.stdout)
        });
        assert!(checked.contains("0 errors, 0 warnings"), "{checked}");
        node.run("check", &[]).ok();
    }
}

#[test]
fn a_member_that_was_away_while_a_registrars_key_changed_twice_follows_by_the_logged_versions() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    registrar.run("admit", &[path_text(&plant.dir.join("join.cbor"))]).ok();
    plant.start();
    plant.ready();
    agree(&[&registrar, &plant]);
    assert_eq!(plant.stop(), 0, "{}", plant.log());
    let oldest = std::fs::read(plant.dir.join("network.hallmark")).expect("a network file");

    let began = version(&registrar);
    let keys: Vec<String> = (0..2)
        .map(|_| {
            registrar.run("key", &["rotate"]).ok();
            shown(&registrar)["registrars"][0]["key"].to_string()
        })
        .collect();
    assert_ne!(keys[0], keys[1]);
    let mut late = world.newcomer("late", 3, "retailer", &registrar);
    registrar.run("admit", &[path_text(&late.dir.join("join.cbor"))]).ok();
    assert_eq!(version(&registrar), began + 3);

    plant.start();
    plant.ready();
    agree(&[&registrar, &plant]);
    late.start();
    late.ready();
    let id = recorded(&world, &late, "shop-1");
    wait("the copy", SOON, || (plant.run("get", &[&id]).code == 0).then_some(()));
    proved(&world, &[&registrar, &plant, &late]);

    // A stranger who has kept the oldest file gets to the newest by what the bundle logs.
    let bundle = world.path("1.hallmark");
    let file = world.path("oldest.hallmark");
    std::fs::write(&file, oldest).expect("writable");
    let checked = run("hallmark-verify", &["check", path_text(&file), path_text(&bundle)]).ok();
    assert!(checked.stdout.contains("0 errors, 0 warnings"), "{}", checked.stdout);
}

/// A member that is behind takes what another tells it, and logs it after the key that signed it has
/// ended elsewhere. It stands as it does where it was recorded in time.
#[test]
fn what_a_member_that_is_behind_logs_again_under_a_key_that_has_ended_accuses_nobody() {
    let world = World::new();
    let mut registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = world.newcomer("plant", 2, "producer", &registrar);
    registrar.run("admit", &[path_text(&plant.dir.join("join.cbor"))]).ok();
    plant.start();
    plant.ready();
    agree(&[&registrar, &plant]);
    assert_eq!(plant.stop(), 0, "{}", plant.log());
    registrar.run("key", &["rotate"]).ok();
    assert_eq!(registrar.stop(), 0, "{}", registrar.log());

    plant.start();
    let device = std::fs::read(registrar.dir.join("keys/capture.cose")).expect("its device");
    let headers = [("Content-Type", "application/cose")];
    let told = http::send("POST", &plant.url, "/entries", &headers, &device);
    assert!(told.status < 300, "{told:?}");
    registrar.start();
    registrar.ready();
    agree(&[&registrar, &plant]);
    recorded(&world, &registrar, "works-1");
    proved(&world, &[&registrar, &plant]);
}
