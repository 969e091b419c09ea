//! A member leaves: it is let in nowhere any more, and what it said stays proved.

use super::{connected, facility, hidden, standing};
use crate::it::world::{Node, SOON, World, http, path_text, run, wait};

fn holds(node: &Node, id: &str) -> bool {
    node.run("get", &[id]).code == 0
}

fn has_left(node: &Node, other: &Node) {
    let is_gone = || (standing(node, other).as_deref() == Some("departed")).then_some(());
    wait("the departure to be known", SOON, is_gone);
}

/// What a member that has left signs now is taken by nobody else, whoever brings it.
fn taken_by_nobody(world: &World, left: &Node, other: &Node) {
    let file = world.file("late.json", facility(&left.org, "works-2"));
    // Nobody cosigns its log any more: it is stored there, and never recorded.
    let stored = left.run("submit", &[path_text(&file)]).ok().stdout;
    let id = stored.lines().next().expect("an id");
    let signed = left.run("get", &[id, "--format", "cbor"]).ok().bytes;
    let head = [("content-type", "application/cose"), ("accept", "application/problem+json")];
    let answer = http::send("POST", &other.url, "/entries", &head, &signed);
    let told = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(answer.status / 100, 4, "{told}");
    assert!(told.contains("has left the network"), "{told}");
}

#[test]
fn a_member_that_leaves_is_let_in_nowhere_and_what_it_said_stays_proved() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let plant = hidden(&world, "plant", 2, &registrar);
    let mut auditor = hidden(&world, "auditor", 3, &registrar);
    connected(&auditor, &plant);
    let file = world.file("facility.json", facility(&plant.org, "works-1"));
    let ids = plant.record(&file, &[]);
    for node in [&registrar, &auditor] {
        wait("the copy", SOON, || holds(node, &ids[0]).then_some(()));
    }
    let token = || {
        let name = registrar.org.trim_start_matches("urn:hallmark:org:").replace(':', "-");
        let audience = format!("world/{name}/1");
        let line = ["--scope", "read", "--purpose", "test", "--audience", &audience];
        let ran = plant.run("token", &line).ok();
        let token = format!("Bearer {}", ran.stdout.lines().last().expect("a token").trim());
        let path = format!("/v1/attestations/{}", ids[0]);
        http::send("GET", &registrar.url, &path, &[("authorization", &token)], b"").status
    };
    assert_eq!(token(), 200);

    // Refused: by whom may not, of whom must stay, and of nobody.
    let refused = auditor.run("network", &["--depart", &plant.org]).fails(2);
    assert!(refused.stderr.contains("is no registrar"), "{}", refused.stderr);
    registrar.run("network", &["--depart", &registrar.org]).fails(2);
    registrar.run("network", &["--depart", "gln-4012345000009"]).fails(2);
    registrar.run("network", &["--quorum", "1", "--witness", &plant.org, &registrar.org]).ok();
    let refused = registrar.run("network", &["--depart", &plant.org]).fails(2);
    assert!(refused.stderr.contains("is a witness"), "{}", refused.stderr);
    registrar.run("network", &["--quorum", "1", "--witness", &registrar.org]).ok();

    registrar.run("network", &["--depart", &plant.org]).ok();
    for node in [&registrar, &auditor] {
        has_left(node, &plant);
        let why = node.run("peer", &["why", &plant.org]).ok().stdout;
        assert!(why.contains("departed"), "{why}");
        assert!(!why.contains("since"), "{why}");
    }
    wait("the connections to end", SOON, || {
        let away = |other| standing(&plant, other).as_deref() != Some("connected");
        (away(&registrar) && away(&auditor)).then_some(())
    });
    assert_eq!(token(), 401, "its tokens count no more");
    taken_by_nobody(&world, &plant, &registrar);
    // Its log is kept, served and proved as it was.
    assert_eq!(auditor.stop(), 0, "{}", auditor.log());
    auditor.start();
    has_left(&auditor, &plant);
    wait("the copy after a restart", SOON, || holds(&auditor, &ids[0]).then_some(()));
    let checked = run("hallmark-verify", &["check", auditor.dir_text()]).ok();
    let said = format!("{}{}", checked.stdout, checked.stderr);
    assert!(said.contains("its organisation has left"), "{said}");
}
