//! Who is given which body: by the audience and the regions that it states, over either road, from
//! whoever holds it.

use std::time::{Duration, Instant};

use hallmark_node::net::wire::{self, Question};
use hallmark_schemas::attestation::ContentId;
use hallmark_tests::liar::{Liar, nothing};

use super::byzantine::{enter, member, origin};
use super::facility;
use crate::it::world::http::{self, Answer};
use crate::it::world::{Node, SOON, World, path_text, wait};

/// Records a facility with this audience and these regions; its id.
fn recorded(world: &World, node: &Node, local: &str, aud: &str, regions: &str) -> String {
    let members = format!("{{\"aud\":{aud},\"regions\":{regions},");
    let said = facility(&node.org, local).replacen('{', &members, 1);
    let ids = node.record(&world.file(&format!("{local}.json"), said), &[]);
    ids.into_iter().next().expect("an id")
}

/// A node that has joined, can be reached over both roads, and runs.
fn joined(world: &World, name: &str, number: u64, registrar: &Node) -> Node {
    let mut node = member(world, name, number, registrar);
    node.start();
    node.ready();
    node
}

fn holds(node: &Node, id: &str) -> bool {
    node.run("get", &[id]).code == 0
}

/// What a member is given over its connection.
fn given(liar: &Liar, ids: &[&str]) -> Vec<Option<Vec<u8>>> {
    let ids: Vec<ContentId> = ids.iter().map(|id| id.parse().expect("an id")).collect();
    let asked = ids.len();
    let (status, body) = liar.ask_well(&Question::Bodies { ids }).expect("an answer");
    assert_eq!(status, 200);
    wire::parse_bodies(&body, asked).expect("bodies")
}

/// The same over HTTP, with a token of the member.
fn asked(node: &Node, who: Option<&Node>, id: &str) -> Answer {
    let token = who.map(|who| {
        let line = ["--scope", "read", "--purpose", "test", "--audience", &origin(node)];
        let ran = who.run("token", &line).ok();
        format!("Bearer {}", ran.stdout.lines().last().expect("a token").trim())
    });
    let headers: Vec<(&str, &str)> =
        token.iter().map(|token| ("authorization", token.as_str())).collect();
    http::send("GET", &node.url, &format!("/v1/attestations/{id}"), &headers, b"")
}

/// All of an answer by which two could be told apart.
fn told(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case("date"));
    (answer.status, headers, String::from_utf8_lossy(&answer.body).into_owned())
}

#[test]
fn a_body_goes_to_whom_audience_and_regions_admit_and_to_nobody_else() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let ally = joined(&world, "ally", 2, &registrar);
    let mut plant = joined(&world, "plant", 3, &registrar);
    let outsider = member(&world, "outsider", 4, &registrar);
    let foreign = world.newcomer_from("DE", "foreign", 5, "producer", &registrar);
    registrar.run("admit", &[path_text(&foreign.dir.join("join.cbor"))]).ok();
    let late = world.newcomer("late", 6, "producer", &registrar);
    let named = format!("[\"{}\",\"{}\"]", ally.org, late.org);

    let open = recorded(&world, &plant, "works-1", "\"members\"", "[]");
    let home = recorded(&world, &plant, "works-2", "\"members\"", "[\"CN\"]");
    let secret = recorded(&world, &plant, "works-3", &named, "[]");
    let absent = format!("sha256:{}", "ab".repeat(32));
    wait("what the ally may hold", SOON, || {
        [&open, &home, &secret].iter().all(|id| holds(&ally, id)).then_some(())
    });
    wait("what the registrar may hold", SOON, || {
        [&open, &home].iter().all(|id| holds(&registrar, id)).then_some(())
    });
    assert!(!holds(&registrar, &secret), "it is not named");

    // Each asks every holder for all of them and for one that does not exist.
    let ids = [open.as_str(), &home, &secret, &absent];
    for holder in [&plant, &ally] {
        let from = |who: &Node| -> Vec<bool> {
            let began = Instant::now();
            let answers = given(&enter(holder, who, nothing()), &ids);
            assert!(Duration::from_millis(10) <= began.elapsed(), "it hides what it has not");
            answers.iter().map(Option::is_some).collect()
        };
        assert_eq!(from(&outsider), [true, true, false, false]);
        assert_eq!(from(&foreign), [true, false, false, false]);
        let absent = told(&asked(holder, Some(&outsider), &absent));
        assert_eq!(absent.0, 404);
        for (who, id, status) in [
            (Some(&outsider), &open, 200),
            (Some(&outsider), &home, 200),
            (Some(&outsider), &secret, 404),
            (Some(&foreign), &open, 200),
            (Some(&foreign), &home, 404),
            (Some(&foreign), &secret, 404),
            (None, &open, 404),
            (None, &secret, 404),
        ] {
            let began = Instant::now();
            let answer = told(&asked(holder, who, id));
            assert_eq!(answer.0, status, "{id}: {}", answer.2);
            if status == 404 {
                assert_eq!(answer, absent, "it looks as if it were not there");
                assert!(Duration::from_millis(10) <= began.elapsed());
            }
        }
    }
    // Whoever holds it passes it on to whom it names, also while its author is away.
    assert_eq!(plant.stop(), 0, "{}", plant.log());
    let mut late = late;
    late.configure(super::NOWHERE.0, super::NOWHERE.1);
    registrar.run("admit", &[path_text(&late.dir.join("join.cbor"))]).ok();
    late.start();
    wait("the body from another member", SOON, || holds(&late, &secret).then_some(()));
}

#[test]
fn a_node_takes_no_body_that_only_other_regions_may_hold() {
    let world = World::new();
    let node = world.founder("registrar");
    node.ready();
    let said = facility(&node.org, "works-1").replacen('{', "{\"regions\":[\"DE\"],", 1);
    let file = world.file("facility.json", said);
    let ran = node.run("submit", &[path_text(&file)]).fails(1);
    assert!(ran.stderr.contains("DE alone") || ran.stdout.contains("DE alone"), "{ran:?}");
    recorded(&world, &node, "works-2", "\"members\"", "[\"CN\",\"DE\"]");
}
