//! Members that lie: each is counted, refused, cut off and remembered; the others go on.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Instant;

use hallmark_node::net::wire::Question;
use hallmark_schemas::defect::{Claim, DefectProof, TwoTrees};
use hallmark_schemas::layout::peer_name;
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::SignedNote;
use hallmark_tests::liar::{Answers, Liar, false_checkpoint, nothing};

use super::{connected, facility, hidden, place, standing};
use crate::it::world::{Node, SOON, World, path_text, run, wait};

/// How long whoever babbles waits before it does so again.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(5);

/// A member that never ran.
pub(super) fn member(world: &World, name: &str, number: u64, registrar: &Node) -> Node {
    let node = world.newcomer(name, number, "producer", registrar);
    registrar.run("admit", &[path_text(&node.dir.join("join.cbor"))]).ok();
    node
}

pub(super) fn why(node: &Node, other: &Node) -> String {
    node.run("peer", &["why", &other.org]).ok().stdout
}

pub(super) fn kept_out(node: &Node, other: &Node, fault: &str) {
    wait("the peer to be kept out", SOON, || {
        (standing(node, other).as_deref() == Some("kept")).then_some(())
    });
    let why = why(node, other);
    assert!(why.contains(&format!("faults             {fault} ")), "{fault}: {why}");
}

/// A liar in the place of a member, once the node has let it in: its own side believes that before.
pub(super) fn enter(node: &Node, member: &Node, answers: Answers) -> Liar {
    let liar = Liar::new(&member.dir.join("keys"), "world", &place(node), answers);
    wait("the liar to be let in", SOON, || {
        // Who lies at once is known for it at once.
        matches!(standing(node, member).as_deref(), Some("connected" | "kept")).then_some(())
    });
    liar
}

fn ok(body: &[u8]) -> Vec<u8> {
    [&200_u16.to_be_bytes()[..], body].concat()
}

/// The origin of a member's log.
pub(super) fn origin(node: &Node) -> String {
    format!("world/{}/1", node.org.trim_start_matches("urn:hallmark:org:").replace(':', "-"))
}

/// What the log of this member signs: so many entries under a root that no tree has.
fn signed(member: &Node, size: u64, root: u8) -> Vec<u8> {
    false_checkpoint(&member.dir.join("keys"), &origin(member), size, root)
}

/// Lengths as protobuf writes them.
fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while 0x80 <= number {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// A field of bytes.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2], varint(bytes.len()).as_slice(), bytes].concat()
}

/// A frame of gossip.
fn frame(rpc: &[u8]) -> Vec<u8> {
    [varint(rpc.len()).as_slice(), rpc].concat()
}

/// Frames that gossip drops without a word: a message to a topic that is none, subscriptions that
/// end and begin, and what is nothing at all, without an end.
fn frames() -> [Vec<u8>; 3] {
    let to_none = [field(2, b"data"), field(4, b"hallmark/1/world/else")].concat();
    let subscribed = |is: u8| {
        let topic = field(2, b"hallmark/1/world/checkpoints");
        frame(&field(1, &[&[1 << 3, is], topic.as_slice()].concat()))
    };
    let toggled = (0..10).flat_map(|number| subscribed(number % 2)).collect();
    [frame(&field(2, &to_none)), toggled, frame(&field(15, &[0; 60_000])).repeat(3_000)]
}

/// What a liar does, and what it is counted as.
type Acts = (&'static str, Node, Box<dyn Fn(&Liar)>);

/// One member for each step of the protocol.
fn acts(world: &World, registrar: &Node) -> Vec<Acts> {
    let asks = |bytes: Vec<u8>| -> Box<dyn Fn(&Liar)> {
        Box::new(move |liar| liar.ask_at_once(&bytes, 5))
    };
    let gossips = |topic: &'static str, bytes: &'static [u8]| -> Box<dyn Fn(&Liar)> {
        Box::new(move |liar| {
            (0..5).for_each(|number| liar.publish(topic, [bytes, &[number]].concat()));
        })
    };
    let [to_none, toggled, idle] = frames();
    let sends = |bytes: Vec<u8>| -> Box<dyn Fn(&Liar)> {
        Box::new(move |liar| liar.send_frames(bytes.clone()))
    };
    let member = |name, number| member(world, name, number, registrar);
    let forger = member("forger", 3);
    let forged = String::from_utf8(signed(&forger, 7, 1)).expect("text");
    let forged = forged.replace(&origin(&forger), &origin(registrar));
    let forges: Box<dyn Fn(&Liar)> = Box::new(move |liar| {
        for size in 7..12 {
            let note = forged.replacen("\n7\n", &format!("\n{size}\n"), 1);
            liar.publish("checkpoints", note.into_bytes());
        }
    });
    let floods: Box<dyn Fn(&Liar)> = Box::new(|liar| {
        // Until it is cut off.
        let answers = (0..20_000).map_while(|_| liar.ask_well(&Question::Network));
        let statuses: Vec<u16> = answers.map(|(status, _)| status).collect();
        assert!(statuses.contains(&200) && statuses.contains(&429), "{statuses:?}");
    });
    vec![
        ("malformed", member("a", 4), asks(b"garbage".to_vec())),
        ("malformed", member("b", 5), asks(vec![0; 3 << 20])),
        ("malformed", member("c", 6), gossips("checkpoints", b"no note")),
        ("malformed", member("d", 7), gossips("defects", b"no proof")),
        ("malformed", member("j", 14), gossips("defects", &[7; 500 << 10])),
        ("forged", forger, forges),
        ("strayed", member("e", 8), Box::new(|liar| liar.subscribe("hallmark/1/world/else"))),
        ("flooded", member("f", 9), floods),
        ("strayed", member("g", 10), sends(to_none)),
        ("malformed", member("h", 11), sends(toggled)),
        ("babbled", member("i", 12), sends(idle)),
    ]
}

#[test]
fn whoever_sends_garbage_at_any_step_is_counted_cut_off_and_remembered_and_the_rest_goes_on() {
    let world = World::new();
    let mut registrar = world.founder("registrar");
    assert_eq!(registrar.stop(), 0, "{}", registrar.log());
    registrar.configure("# questions_per_second_max = 200", "questions_per_second_max = 10");
    registrar.start();
    registrar.ready();
    let auditor = hidden(&world, "auditor", 2, &registrar);
    let to = place(&registrar);
    let acts = acts(&world, &registrar);
    for (fault, node, act) in &acts {
        let liar = enter(&registrar, node, nothing());
        act(&liar);
        let mut acted = Instant::now();
        // What a busy machine was too slow to take in at once is sent again.
        wait("what is sent again and again", SOON, || {
            let is_kept = standing(&registrar, node).as_deref() == Some("kept");
            if !is_kept && *fault == "babbled" && AGAIN < acted.elapsed() {
                act(&liar);
                acted = Instant::now();
            }
            is_kept.then_some(())
        });
        kept_out(&registrar, node, fault);
        wait("the liar to be cut off", SOON, || (!liar.is_connected()).then_some(()));
    }
    // Whoever proves no name keeps nobody out who does.
    let port: Vec<&str> = to.split('/').collect();
    let connect = || TcpStream::connect(format!("127.0.0.1:{}", port[4])).expect("it listens");
    let idle: Vec<TcpStream> = (0..100).map(|_| connect()).collect();
    let late = member(&world, "late", 13, &registrar);
    assert!(enter(&registrar, &late, nothing()).is_connected());
    drop(idle);
    // Before any name is proved there is nobody to remember, so it is counted.
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\x13/multistream/1.0.0\n\x07/noise\ngarbage"]
    {
        let mut stream = connect();
        let _ = stream.write_all(garbage).and_then(|()| stream.shutdown(std::net::Shutdown::Write));
    }
    wait("the count of those without a name", SOON, || {
        let listed = registrar.run("peer", &["list"]).ok().stdout;
        let (before, _) = listed.split_once(" that proved no name were refused")?;
        // A liar that is cut off within its handshake counts too.
        let count: u64 = before.rsplit(' ').next()?.parse().ok()?;
        (2 <= count).then_some(())
    });
    // The honest ones notice nothing.
    connected(&registrar, &auditor);
    let file = world.file("facility.json", facility(&auditor.org, "works-1"));
    let ids = auditor.record(&file, &[]);
    let mirrored = || (registrar.run("get", &[&ids[0]]).code == 0).then_some(());
    wait("the honest member's body", SOON, mirrored);
    assert_eq!(registrar.stop(), 0, "{}", registrar.log());
    registrar.start();
    registrar.ready();
    for (fault, node, _) in &acts {
        let why = why(&registrar, node);
        assert!(why.contains(&format!("faults             {fault} ")), "{fault}: {why}");
    }
}

#[test]
fn whoever_answers_with_lies_is_cut_off_and_whoever_withholds_is_shown() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let tile = |member: &Node, bytes: Vec<u8>| -> Answers {
        let note = signed(member, 5, 1);
        Box::new(move |question| match question {
            Question::Checkpoint { .. } => ok(&note),
            Question::Tile { .. } => ok(&bytes),
            _ => 404_u16.to_be_bytes().to_vec(),
        })
    };
    let lies = [
        ("other root", member(&world, "a", 2, &registrar), vec![0; 5 * 41]),
        ("other size", member(&world, "b", 3, &registrar), vec![0; 4 * 41 + 7]),
        ("longer than any answer", member(&world, "c", 4, &registrar), vec![0; 5 << 20]),
    ];
    let liars: Vec<Liar> = lies
        .iter()
        .map(|(_, node, bytes)| enter(&registrar, node, tile(node, bytes.clone())))
        .collect();
    let silent = member(&world, "d", 5, &registrar);
    let note = signed(&silent, 5, 1);
    let answers: Answers = Box::new(move |question| match question {
        Question::Checkpoint { .. } => ok(&note),
        _ => 404_u16.to_be_bytes().to_vec(),
    });
    let withholding = enter(&registrar, &silent, answers);
    for (what, node, _) in &lies {
        kept_out(&registrar, node, "lied");
        let why = why(&registrar, node);
        assert!(
            why.contains("copy of its log    0 entries") || !why.contains("copy of"),
            "{what}: {why}"
        );
    }
    for liar in &liars {
        wait("the liar to be cut off", SOON, || (!liar.is_connected()).then_some(()));
    }
    // That something is withheld cannot be proved: it is told, and costs nothing but itself.
    let told = || {
        let why = why(&registrar, &silent);
        let mut reasons = why.lines().filter(|line| line.starts_with("not followed"));
        reasons.any(|reason| reason.contains("404")).then_some(())
    };
    wait("what is withheld to be told", SOON, told);
    assert!(withholding.is_connected());
    let file = world.file("facility.json", facility(&registrar.org, "works-1"));
    registrar.record(&file, &[]);
}

#[test]
fn a_fork_that_is_gossiped_to_one_is_proved_to_all_and_a_replay_accuses_nobody() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let mut plant = hidden(&world, "plant", 2, &registrar);
    let auditor = hidden(&world, "auditor", 3, &registrar);
    connected(&auditor, &registrar);
    let recorded = |local: &str| {
        let file = world.file("facility.json", facility(&plant.org, local));
        let ids = plant.record(&file, &[]);
        for node in [&registrar, &auditor] {
            let mirrored = || (node.run("get", &[&ids[0]]).code == 0).then_some(());
            wait("the copy", SOON, mirrored);
        }
    };
    recorded("works-1");
    let log = peer_name(&origin(&plant));
    let newest = |node: &Node| node.get(&format!("/peers/{log}/checkpoint")).body;
    let old = newest(&registrar);
    recorded("works-2");
    assert_eq!(plant.stop(), 0, "{}", plant.log());

    let liar = enter(&registrar, &plant, nothing());
    // What is old and true is old and true.
    liar.publish("checkpoints", old);
    liar.publish("checkpoints", newest(&registrar));
    let text = String::from_utf8(newest(&registrar)).expect("a note");
    let size: u64 = text.lines().nth(1).expect("a size").parse().expect("a number");
    assert!(!why(&registrar, &plant).contains("faults"), "{}", why(&registrar, &plant));
    let began = Instant::now();
    liar.publish("checkpoints", signed(&plant, size, 1));
    for node in [&registrar, &auditor] {
        wait("the proof of two histories", SOON, || {
            why(node, &plant).contains("signed two histories").then_some(())
        });
        eprintln!("the fork is proved to another member after {:?}", began.elapsed());
    }
    for node in [&registrar, &auditor] {
        kept_out(node, &plant, "equivocated");
    }
    connected(&auditor, &registrar);
    // Whoever comes later asks for what it has missed, and whoever hears no gossip.
    let late = hidden(&world, "late", 4, &registrar);
    let mut deaf = world.newcomer("deaf", 5, "auditor", &registrar);
    registrar.run("admit", &[path_text(&deaf.dir.join("join.cbor"))]).ok();
    deaf.configure("# enabled = true", "enabled = false");
    deaf.start();
    for node in [&late, &deaf] {
        wait("the proof of two histories", SOON, || {
            let why = node.run("peer", &["why", &plant.org]);
            why.stdout.contains("signed two histories").then_some(())
        });
    }
    // Anyone may read it, and it proves itself.
    let listed = String::from_utf8(registrar.get("/defects").body).expect("digests");
    let digest = listed.lines().next().expect("a digest");
    let proof = registrar.get(&format!("/defects/{digest}"));
    let file = world.path("split.defect");
    std::fs::write(&file, &proof.body).expect("writable");
    let checked = run("hallmark-verify", &["check", path_text(&file)]).fails(1);
    assert!(checked.stdout.contains("signed two histories"), "{}", checked.stdout);
    assert_eq!(registrar.get(&format!("/defects/{}", "0".repeat(64))).status, 404);
}

#[test]
fn a_log_that_states_more_entries_than_a_copy_may_have_fills_no_disk() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let boaster = member(&world, "boaster", 2, &registrar);
    let note = signed(&boaster, 1 << 62, 1);
    let answers: Answers = Box::new(move |question| match question {
        Question::Checkpoint { .. } => ok(&note),
        Question::Tile { .. } => ok(&vec![0; 256 * 43]),
        _ => 404_u16.to_be_bytes().to_vec(),
    });
    let liar = enter(&registrar, &boaster, answers);
    wait("why it is not followed", SOON, || {
        why(&registrar, &boaster).contains("more than peers.log_entries_max").then_some(())
    });
    let copy = registrar.dir.join("data/peers").join(peer_name(&origin(&boaster)));
    assert!(!copy.join("tile/entries").exists(), "nothing of it is written");
    // So long a log need not be a lie.
    assert!(liar.is_connected());
}

#[test]
fn two_that_flood_through_an_honest_peer_do_not_make_it_a_flooder_to_the_others() {
    let world = World::new();
    let north = world.founder("north");
    north.ready();
    let south = hidden(&world, "south", 2, &north);
    let floods = [member(&world, "a", 3, &north), member(&world, "b", 4, &north)];
    let liars = [0, 1].map(|place: usize| enter(&north, &floods[place], nothing()));
    connected(&south, &north);
    // Each keeps its own rate, and both together send more than one peer may: one true checkpoint,
    // each time under other lines that nobody knows.
    for number in 0..700_u32 {
        for (liar, node) in liars.iter().zip(&floods) {
            let note = String::from_utf8(signed(node, 7, 1)).expect("text");
            let junk = format!("{note}\u{2014} junk AAAAA{number:07}\n");
            liar.publish("checkpoints", junk.into_bytes());
            if number % 4 == 0 {
                // So that it comes no faster than it is worked on.
                assert!(liar.ask_well(&Question::Network).is_some());
            }
        }
    }
    // North has told all that it passes on before it tells this.
    let file = world.file("facility.json", facility(&north.org, "works-1"));
    let ids = north.record(&file, &[]);
    let mirrored = || (south.run("get", &[&ids[0]]).code == 0).then_some(());
    wait("what comes after the flood", SOON, mirrored);
    for (node, other) in [(&south, &north), (&north, &south)] {
        assert_eq!(standing(node, other).as_deref(), Some("connected"));
        let why = why(node, other);
        assert!(!why.contains("faults"), "{why}");
    }
    assert!(!why(&north, &floods[1]).contains("faults"), "it kept its rate");
}

#[test]
fn whoever_begins_large_questions_and_does_not_go_on_holds_up_nobody_and_is_cut_off() {
    let world = World::new();
    let registrar = world.founder("registrar");
    registrar.ready();
    let plant = hidden(&world, "plant", 2, &registrar);
    let slow = member(&world, "slow", 3, &registrar);
    let liar = enter(&registrar, &slow, nothing());
    connected(&registrar, &plant);
    (0..32).for_each(|_| liar.begin(vec![7; 70 << 10]));
    // Bodies of more than what is read at once, as an answer of the plant.
    let lines: Vec<String> =
        (0..400).map(|number| facility(&plant.org, &format!("works-{number}"))).collect();
    let file = world.file("facilities.jsonl", lines.join("\n"));
    let began = Instant::now();
    let ids = plant.record(&file, &[]);
    wait("the plant's bodies", SOON, || {
        let last = ids.last().expect("an id");
        (registrar.run("get", &[last]).code == 0).then_some(())
    });
    eprintln!("400 bodies came after {:?} beside 32 questions that do not go on", began.elapsed());
    kept_out(&registrar, &slow, "stalled");
    assert_eq!(standing(&registrar, &plant).as_deref(), Some("connected"));
}

/// That this member's log has signed another tree than the one it publishes.
fn split(member: &Node) -> DefectProof {
    let file = std::fs::read(member.dir.join("network.hallmark")).expect("a network file");
    let network = NetworkFile::parse(&file).expect("a network file");
    let key = &network.network().member_of_origin(&origin(member)).expect("a member").log_key;
    let published = SignedNote::parse(&member.get("/log/checkpoint").body).expect("a note");
    let size = published.checkpoint().expect("a checkpoint").size;
    let other = SignedNote::parse(&signed(member, size, 1)).expect("a note");
    let trees = TwoTrees::new(key, [&published, &other], None);
    DefectProof::new(&network, Claim::Split(trees)).expect("two trees of one size")
}

#[test]
fn a_member_that_is_told_of_two_histories_of_its_own_log_says_so_and_signs_nothing_more() {
    let world = World::new();
    let mut accused = world.founder("accused");
    accused.ready();
    let teller = member(&world, "teller", 2, &accused);
    let liar = enter(&accused, &teller, nothing());
    let proof = split(&accused);
    let publish = |liar: &Liar, bytes: &[u8]| liar.publish("defects", bytes.to_vec());
    // Whoever forges one accuses itself.
    let mut forged = proof.bytes().to_vec();
    let network = forged.windows(8).position(|window| window == b"gnetwork").expect("a map");
    let digit = &mut forged[network - 20];
    *digit = if *digit == b'A' { b'B' } else { b'A' };
    publish(&liar, &forged);
    wait("the forger to be counted", SOON, || {
        why(&accused, &teller).contains("faults             forged ").then_some(())
    });
    let status = |node: &Node| {
        let status = node.run("status", &["--format", "json"]).stdout;
        let line = status.lines().next().expect("a line");
        serde_json::from_str::<serde_json::Value>(line).expect("JSON")
    };
    assert_eq!(status(&accused)["signing"]["state"], "ready");
    assert_eq!(status(&accused)["defect_proofs"][0], serde_json::Value::Null);
    accused.record(&world.file("facility.json", facility(&accused.org, "works-1")), &[]);

    publish(&liar, proof.bytes());
    wait("the log to be read-only", SOON, || {
        (status(&accused)["signing"]["state"] == "read_only").then_some(())
    });
    assert!(accused.log().contains("a peer proves a defect of the own log"), "{}", accused.log());
    let file = world.file("facility.json", facility(&accused.org, "works-2"));
    let newest = accused.get("/log/checkpoint").body;
    // A start forgets nothing of it.
    for start in [false, true] {
        if start {
            accused.stop();
            accused.start();
        }
        let told = status(&accused);
        let shown = told["defect_proofs"][0].as_str().expect("a proof").to_owned();
        assert!(shown.starts_with("split: ") && shown.contains("signed two histories"), "{shown}");
        let word = told["readiness"]["log"].as_str().expect("a word").to_owned();
        assert!(word.starts_with("read-only: "), "{word}");
        let said = accused.run("status", &[]).fails(6).stderr;
        assert!(said.contains("warning: proved against this log: split: "), "{said}");
        let refused = accused.run("submit", &[path_text(&file)]).fails(6);
        assert!(refused.stderr.contains("this log is read-only"), "{}", refused.stderr);
        assert_eq!(accused.get("/log/checkpoint").body, newest);
    }
    let checked = accused.run("check", &[]);
    assert!([1, 4].contains(&checked.code), "{}", checked.stdout);
    assert!(checked.stdout.contains("elsewhere"), "{}", checked.stdout);
}
