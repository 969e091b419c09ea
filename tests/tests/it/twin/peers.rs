//! Two copies of a folder whose peers know both by one peer key, over libp2p: at most one goes on
//! signing, the other says why it does not, and peers follow the one that goes on, whichever of the
//! two their connections lead to.

use std::time::{Duration, Instant};

use super::super::recovery::{
    copy_folder, facility, json, mirrored, published, record, settled, slug, status, three,
};
use super::super::world::{Node, SOON, World, path_text, wait};
use super::Held;

/// So long nobody tells a log anything any more that is called at rest.
const QUIET: Duration = Duration::from_secs(3);

/// A network at rest, its plant held, and a copy of the plant's folder, made while it ran, that runs
/// beside it.
fn beside(world: &World) -> ([Node; 3], Node, Held) {
    let nodes = three(world);
    let [registrar, plant, auditor] = &nodes;
    record(world, plant, "works-1");
    // What a member tells late lies at the door of a process that is held: it signs that at once.
    let mut size = None;
    while size != Some(settled(plant, [registrar, auditor])) {
        size = Some(settled(plant, [registrar, auditor]));
        std::thread::sleep(QUIET);
    }
    let held = Held::hold(plant);
    let copy = world.path("copy");
    copy_folder(&plant.dir, &copy);
    let mut twin = world.adopted(plant, &copy);
    twin.start();
    twin.ready();
    (nodes, twin, held)
}

/// Why the logs of two nodes are read-only, if they are.
pub(super) fn words(one: &Node, other: &Node) -> (Option<String>, Option<String>) {
    (read_only(one), read_only(other))
}

/// Why a node's log is read-only, if it is.
fn read_only(node: &Node) -> Option<String> {
    let word = node.get("/readyz").json()["log"].as_str()?.to_owned();
    word.starts_with("read-only: ").then_some(word)
}

/// Waits until this one of the two signs nothing more, and says what others hold.
fn ends(node: &Node) {
    let word = wait("one of two to sign nothing more", SOON / 2, || read_only(node));
    assert!(word.contains("a witness holds"), "{word}");
    let checked = node.run("check", &[]);
    assert!(checked.stdout.contains("elsewhere"), "{}", checked.stdout);
}

/// Records at this node, and waits until both peers have it.
fn goes_on(world: &World, node: &Node, peers: [&Node; 2], local: &str) {
    record(world, node, local);
    let newest = published(node);
    let began = Instant::now();
    peers.iter().for_each(|peer| mirrored(peer, node, newest));
    assert!(began.elapsed() < SOON / 2, "{:?}", began.elapsed());
}

/// Made whole while the other is stopped or held, this node goes on.
fn restored(world: &World, node: &mut Node, peers: [&Node; 2], local: &str) {
    node.stop();
    let lines = json(&node.run("restore", &["--from-peers", "--format", "json"]).ok());
    assert_eq!(lines.last().expect("a verdict")["verdict"], "restored");
    node.start();
    node.ready();
    goes_on(world, node, peers, local);
}

#[test]
fn an_original_that_was_held_ends_where_its_copy_has_signed_and_peers_stay_with_the_copy() {
    let world = World::new();
    let ([registrar, plant, auditor], twin, held) = beside(&world);
    goes_on(&world, &twin, [&registrar, &auditor], "twin-1");
    drop(held);
    ends(&plant);
    goes_on(&world, &twin, [&registrar, &auditor], "twin-2");
    assert_eq!(read_only(&twin), None);
}

#[test]
fn an_original_whose_copy_was_killed_is_brought_forward_and_followed() {
    let world = World::new();
    let ([registrar, mut plant, auditor], mut twin, held) = beside(&world);
    goes_on(&world, &twin, [&registrar, &auditor], "twin-1");
    twin.kill();
    drop(held);
    ends(&plant);
    restored(&world, &mut plant, [&registrar, &auditor], "works-2");
}

#[test]
fn an_original_whose_copy_is_held_is_brought_forward_and_followed() {
    let world = World::new();
    let ([registrar, mut plant, auditor], twin, held) = beside(&world);
    goes_on(&world, &twin, [&registrar, &auditor], "twin-1");
    let copy = Held::hold(&twin);
    drop(held);
    ends(&plant);
    restored(&world, &mut plant, [&registrar, &auditor], "works-2");
    // What it signs next nobody cosigns, so it ends.
    drop(copy);
    ends(&twin);
    goes_on(&world, &plant, [&registrar, &auditor], "works-3");
}

#[test]
fn of_two_that_are_written_to_in_turn_one_goes_on_and_is_followed_or_the_fork_is_proved() {
    let world = World::new();
    let ([registrar, plant, auditor], twin, held) = beside(&world);
    drop(held);
    for turn in 0..3 {
        for (name, node) in [("works", &plant), ("twin", &twin)] {
            let file = world.file("turn.json", facility(&node.org, &format!("{name}-{turn}")));
            let ran = node.run("submit", &[path_text(&file)]);
            assert!([0, 6].contains(&ran.code), "{} {}", ran.stdout, ran.stderr);
        }
    }
    one_goes_on_or_the_fork_is_proved(&world, [&plant, &twin], [&registrar, &auditor]);
}

#[test]
fn of_two_copies_that_are_started_in_the_same_instant_one_goes_on() {
    let world = World::new();
    let [registrar, mut plant, auditor] = three(&world);
    record(&world, &plant, "works-1");
    settled(&plant, [&registrar, &auditor]);
    plant.stop();
    let copy = world.path("copy");
    copy_folder(&plant.dir, &copy);
    let mut twin = world.adopted(&plant, &copy);
    // Whoever meets the other at its start ends, and says so instead of that it is ready.
    let both = std::thread::scope(|scope| {
        let starts = [&mut plant, &mut twin].map(|node| scope.spawn(|| node.start()));
        starts.map(|start| start.join().is_ok())
    });
    match both {
        [true, true] => {
            one_goes_on_or_the_fork_is_proved(&world, [&plant, &twin], [&registrar, &auditor]);
        }
        [true, false] => {
            assert!(twin.log().contains("already runs at"), "{}", twin.log());
            goes_on(&world, &plant, [&registrar, &auditor], "works-2");
        }
        [false, true] => {
            assert!(plant.log().contains("already runs at"), "{}", plant.log());
            goes_on(&world, &twin, [&registrar, &auditor], "works-2");
        }
        [false, false] => panic!("both ended: {}\n{}", plant.log(), twin.log()),
    }
}

/// Waits until one of two alone goes on, with its peers, or both have ended and that is proved: a
/// quorum needs the own witness, which was copied, and one other, so each may have found one.
fn one_goes_on_or_the_fork_is_proved(world: &World, pair: [&Node; 2], peers: [&Node; 2]) {
    let file = world.file("last.json", facility(&pair[0].org, "last-1"));
    let both_ended = wait("one of two to go on alone, or both to end", SOON, || {
        let goes_on = match words(pair[0], pair[1]) {
            (None, None) => return None,
            (Some(_), Some(_)) => return Some(true),
            (Some(_), None) => pair[1],
            (None, Some(_)) => pair[0],
        };
        if goes_on.run("submit", &[path_text(&file), "--receipt"]).code != 0 {
            return None;
        }
        let newest = published(goes_on);
        peers.iter().all(|peer| holds(peer, goes_on, newest)).then_some(false)
    });
    if both_ended {
        wait("the proof of two trees", SOON, || {
            let kept = pair.map(|node| node.dir.join("data/defects").read_dir());
            kept.into_iter().flatten().any(|mut found| found.next().is_some()).then_some(())
        });
    }
}

/// Whether a peer holds this log up to that size, bodies and all.
fn holds(peer: &Node, log: &Node, least: u64) -> bool {
    let origin = format!("world/{}/1", slug(log));
    let Some(status) = status(peer) else { return false };
    let mut peers = status["peers"].as_array().into_iter().flatten();
    let its = peers.find(|one| one["origin"] == *origin);
    its.is_some_and(|its| Some(least) <= its["size"].as_u64() && its["wanted"] == 0)
}
