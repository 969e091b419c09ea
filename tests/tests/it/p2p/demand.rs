//! A body that nobody gives is demanded for all to see, and the demand ends when it has come.

use std::time::Instant;

use super::byzantine::member;
use super::facility;
use crate::it::world::{Node, SOON, World, path_text, wait};

/// What is no demand for a body that is away, and demanded by nobody.
fn refused(late: &Node, secret: &str) {
    let absent = format!("sha256:{}", "ab".repeat(32));
    late.run("peer", &["demand", secret, "--met"]).fails(2);
    late.run("peer", &["demand", secret, "--days", "366"]).fails(2);
    late.run("peer", &["demand", secret, "--met", "--withdraw", "x"]).fails(2);
    late.run("peer", &["demand", &absent]).fails(3);
    let nothing = late.run("peer", &["demand", secret, "--withdraw", "a mistake"]).ok();
    assert!(nothing.stdout.contains("no demand"), "{nothing:?}");
}

/// Waits for an attestation of one member at another, and says after half the time how they stand.
fn comes_to(node: &Node, id: &str, of: &Node) {
    let (began, mut is_told) = (Instant::now(), false);
    wait("the demand at another member", SOON, || {
        let got = node.run("get", &[id]);
        if SOON / 2 < began.elapsed() && !std::mem::replace(&mut is_told, true) {
            let [wanted, why] = [&["wanted"][..], &["why", &of.org]].map(|a| node.run("peer", a));
            eprintln!("{got:?}\n{wanted:?}\n{why:?}");
        }
        (got.code == 0).then_some(())
    });
}

#[test]
fn a_body_that_nobody_gives_is_demanded_for_all_to_see_until_it_comes() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = member(&world, "plant", 2, &registrar);
    plant.start();
    plant.ready();
    let late = world.newcomer("late", 3, "auditor", &registrar);
    let named = format!("{{\"aud\":[\"{}\"],", late.org);
    let said = facility(&plant.org, "works-1").replacen('{', &named, 1);
    let secret = plant.record(&world.file("secret.json", said), &[]).remove(0);
    let listed = wait("the copy of its log", SOON, || {
        let listed = registrar.run("peer", &["wanted"]).ok().stdout;
        listed.contains(&secret).then_some(listed)
    });
    assert!(listed.contains("named not demanded"), "{listed}");

    // Its author is away, and nobody else has it.
    assert_eq!(plant.stop(), 0, "{}", plant.log());
    let mut late = late;
    late.configure(super::NOWHERE.0, super::NOWHERE.1);
    registrar.run("admit", &[path_text(&late.dir.join("join.cbor"))]).ok();
    late.start();
    wait("the copy from the registrar", SOON, || {
        late.run("peer", &["wanted"]).stdout.contains(&secret).then_some(())
    });
    refused(&late, &secret);
    // A node that has just joined may not know its own device yet.
    let made = wait("a node that takes it", SOON, || {
        let made = late.run("peer", &["demand", &secret, "--days", "10"]);
        assert!([0, 6].contains(&made.code), "{made:?}");
        (made.code == 0).then_some(made.stdout)
    });
    let demand = made.split(' ').next().expect("an id").to_owned();
    wait("its term", SOON, || {
        let listed = late.run("peer", &["wanted"]).ok().stdout;
        listed.contains("named demanded, due by ").then_some(())
    });
    comes_to(&registrar, &demand, &late);
    let again = late.run("peer", &["demand", &secret]).ok();
    assert!(again.stdout.contains("due by"), "it stands: {again:?}");
    // Before its term nobody finds anything.
    let told = crate::it::world::run("hallmark-verify", &["check", late.dir_text()]);
    for word in ["ran       LOG-002", "0 errors, 0 warnings, 0 notes"] {
        assert!(told.stdout.contains(word), "{}", told.stdout);
    }

    plant.start();
    wait("the body", SOON, || (late.run("get", &[&secret]).code == 0).then_some(()));
    late.run("peer", &["demand", &secret]).fails(2);
    // The node closes it by itself: only an open one is closed with --met.
    wait("the end of the demand", SOON, || {
        let refused = late.run("peer", &["demand", &secret]).fails(2).stderr;
        (!refused.contains("--met")).then_some(())
    });
    let closed = late.run("peer", &["demand", &secret, "--met"]).ok().stdout;
    let (_, end) = closed.trim_end().split_once("demand met by ").expect("what closed it");
    let view = wait("its end at another member", SOON, || {
        let got = registrar.run("get", &[end, "--format", "json"]);
        (got.code == 0).then_some(got.stdout)
    });
    let view: serde_json::Value = serde_json::from_str(&view).expect("JSON");
    assert_eq!(view["payload"]["replaces"].as_str(), Some(demand.as_str()));
}
