//! The way of goods over two nodes' logs: from the command line and over HTTP, for whom it is meant.

use serde_json::{Value, json};

use super::world::http::{Answer, send};
use super::world::{Node, SOON, World, path_text, run, wait};

const PALLET: &str = "https://id.gs1.org/00/095212340000000013";

fn item(serial: &str) -> String {
    format!("https://id.gs1.org/01/09521234000129/21/{serial}")
}

/// An event at a minute after eight o'clock.
fn event(minute: u32, mut event: Value) -> Value {
    event["eventTime"] = json!(format!("2026-03-01T08:{minute:02}:00+08:00"));
    event["eventTimeZoneOffset"] = json!("+08:00");
    event
}

fn object(minute: u32, action: &str, step: &str, epcs: &[&str]) -> Value {
    let it = json!({"type": "ObjectEvent", "action": action, "bizStep": step, "epcList": epcs});
    event(minute, it)
}

fn aggregation(minute: u32, action: &str, step: &str, children: &[&str]) -> Value {
    let it = json!({
        "type": "AggregationEvent", "action": action, "bizStep": step, "parentID": PALLET,
        "childEPCs": children,
    });
    event(minute, it)
}

fn record(world: &World, node: &Node, name: &str, events: &[Value], args: &[&str]) {
    let document = json!({
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
        "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2026-03-02T00:00:00Z",
        "epcisBody": { "eventList": events },
    });
    let ids = node.record(&world.file(name, document.to_string()), args);
    assert_eq!(ids.len(), events.len());
}

/// The trace as JSON, by the owner's command.
fn traced(node: &Node, goods: &str) -> Value {
    let ran = node.run("trace", &[goods, "--format", "json"]).ok();
    serde_json::from_str(&ran.stdout).expect("one JSON document")
}

fn steps(trace: &Value) -> Vec<&str> {
    let steps = trace["steps"].as_array().into_iter().flatten();
    steps.filter_map(|step| step["event"]["biz_step"].as_str()).collect()
}

fn path(goods: &str) -> String {
    format!("/v1/trace/{}", goods.replace('/', "%2F").replace(':', "%3A"))
}

fn get(node: &Node, path: &str, headers: &[(&str, &str)]) -> Answer {
    send("GET", &node.url, path, headers, b"")
}

/// A maker that commissions, packs and ships two items, one of which it takes out again before,
/// and a shop that receives and dispenses, each in its own log.
fn world_of_two(world: &World) -> (Node, Node) {
    let maker = world.founder("maker");
    maker.ready();
    let mut shop = world.newcomer("shop", 2, "distributor", &maker);
    maker.run("admit", &[path_text(&shop.dir.join("join.cbor"))]).ok();
    shop.start();
    shop.ready();
    let (one, two) = (item("1"), item("2"));
    let made = [
        object(0, "ADD", "commissioning", &[&one, &two]),
        aggregation(5, "ADD", "packing", &[&one, &two]),
        aggregation(7, "DELETE", "unpacking", &[&two]),
        object(10, "OBSERVE", "shipping", &[PALLET]),
    ];
    record(world, &maker, "made.json", &made, &[]);
    let sold = [
        object(20, "OBSERVE", "receiving", &[PALLET]),
        aggregation(30, "DELETE", "unpacking", &[]),
        object(40, "OBSERVE", "dispensing", &[&one]),
    ];
    record(world, &shop, "sold.json", &sold, &[]);
    (maker, shop)
}

#[test]
fn either_node_shows_the_whole_way_over_both_logs_also_after_its_index_was_built_again() {
    let world = World::new();
    let (mut maker, shop) = world_of_two(&world);
    let way = ["commissioning", "packing", "shipping", "receiving", "unpacking", "dispensing"];
    let whole = |node: &Node| {
        let trace = traced(node, &item("1"));
        (steps(&trace) == way).then_some(trace)
    };
    let at_maker = wait("the whole way at the maker", SOON, || whole(&maker));
    let at_shop = wait("the whole way at the shop", SOON, || whole(&shop));
    assert_eq!(at_maker["steps"], at_shop["steps"]);
    assert_eq!(at_maker["stays"], at_shop["stays"]);
    assert_eq!(at_maker["logs"].as_array().map(Vec::len), Some(2));
    assert!(at_maker["verdict"].as_str().is_some_and(|it| it.contains("over 2 logs")));
    // What was taken out before the pallet left did not travel.
    let other = traced(&shop, &item("2"));
    assert_eq!(steps(&other), ["commissioning", "packing", "unpacking"]);
    // From the pallet, both are found.
    let pallet = traced(&maker, PALLET);
    assert_eq!(steps(&pallet).len(), 7);

    let text = shop.run("trace", &[&item("1")]).ok().stdout;
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("traced: 6 steps of 2 goods over 2 logs"), "{text}");
    assert!(text.contains(&format!("in {PALLET} until 2026-03-01T00:30:00Z")), "{text}");
    let dot = shop.run("trace", &[&item("1"), "--format", "dot"]).ok().stdout;
    assert!(dot.starts_with("digraph trace {") && dot.ends_with("}\n"), "{dot}");
    let svg = shop.run("trace", &[&item("1"), "--format", "svg"]).ok().stdout;
    assert!(svg.starts_with("<svg") && svg.contains("dispensing"), "{svg}");
    let epcis = shop.run("trace", &[&item("1"), "--format", "epcis"]).ok().stdout;
    let epcis: Value = serde_json::from_str(&epcis).expect("an EPCIS document");
    let events = &epcis["epcisBody"]["queryResults"]["resultsBody"]["eventList"];
    assert_eq!(events.as_array().map(Vec::len), Some(6), "{epcis}");

    assert_eq!(maker.stop(), 0);
    maker.run("reindex", &[]).ok();
    maker.start();
    let again = wait("the way after reindex", SOON, || whole(&maker));
    assert_eq!(again["steps"], at_maker["steps"]);
}

#[test]
fn a_restricted_way_is_like_none_to_strangers_and_whole_to_members_with_a_token() {
    let world = World::new();
    let (maker, shop) = world_of_two(&world);
    wait("the whole way", SOON, || (steps(&traced(&maker, &item("1"))).len() == 6).then_some(()));
    let stranger = get(&maker, &path(&item("1")), &[]);
    let nothing = get(&maker, &path(&item("9")), &[]);
    assert_eq!((stranger.status, nothing.status), (404, 404));
    assert_eq!(stranger.body, nothing.body, "restricted and absent are one answer");
    assert_eq!(stranger.header("content-type"), Some("application/problem+json"));
    let ran = run("hallmark-node", &["trace", &maker.url, &item("1")]).ok();
    assert!(ran.stdout.starts_with("unknown: "), "{}", ran.stdout);
    assert!(ran.stderr.contains("--token-file FILE"), "{}", ran.stderr);

    let open = [object(50, "ADD", "commissioning", &[&item("3")])];
    record(&world, &maker, "open.json", &open, &["--aud", "public"]);
    let boxed = [aggregation(55, "ADD", "packing", &[&item("3")])];
    record(&world, &maker, "boxed.json", &boxed, &[]);
    let public = get(&maker, &path(&item("3")), &[]);
    assert_eq!((public.status, steps(&public.json())), (200, vec!["commissioning"]));
    assert_eq!(public.json()["stays"].as_array().map(Vec::len), Some(1), "no trace of the pallet");
    assert_eq!(public.header("vary"), Some("Accept, Authorization"));
    assert_eq!(public.header("hallmark-bodies-damaged"), Some("0"));
    let dot = get(&maker, &path(&item("3")), &[("accept", "text/vnd.graphviz")]);
    assert!(dot.body.starts_with(b"digraph"), "{dot:?}");
    let text = get(&maker, &format!("{}?format=text", path(&item("3"))), &[]);
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));

    let maker_name = maker.org.trim_start_matches("urn:hallmark:org:").replace(':', "-");
    let audience = format!("world/{maker_name}/1");
    let line = ["--scope", "read", "--purpose", "recall", "--audience", &audience];
    let token = world.file("token", shop.run("token", &line).ok().stdout);
    let line = ["trace", &maker.url, &item("1"), "--token-file", path_text(&token)];
    let ran = run("hallmark-node", &line).ok();
    assert!(ran.stdout.contains("dispensing"), "{}", ran.stdout);
    let refused = world.file("no-token", "hello");
    let line = ["trace", &maker.url, &item("1"), "--token-file", path_text(&refused)];
    let ran = run("hallmark-node", &line).fails(2);
    assert!(ran.stderr.contains("--token-file FILE"), "{}", ran.stderr);
}

#[test]
fn goods_in_short_or_old_links_are_those_of_the_whole_code() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let way = |code: &str| steps(&traced(&node, code)).join(" ");
    let short = [
        object(0, "ADD", "commissioning", &[&item("1")]),
        object(3, "OBSERVE", "shipping", &["https://shop.example/01/9521234000129/21/1"]),
        object(4, "OBSERVE", "receiving", &["http://shop.example/x/gtin/09521234000129/ser/1"]),
        object(5, "ADD", "commissioning", &["https://shop.example/01/95050003/21/8"]),
        object(6, "ADD", "commissioning", &["https://shop.example/01/614141000036/21/12"]),
    ];
    record(&world, &node, "short.json", &short, &["--aud", "public"]);
    for code in [&item("1"), "https://shop.example/01/9521234000129/21/1"] {
        assert_eq!(way(code), "commissioning shipping receiving", "{code}");
    }
    for code in ["(01)00000095050003(21)8", "(01)00614141000036(21)12"] {
        assert_eq!(way(code), "commissioning", "{code}");
    }
    let passport = get(&node, "/01/09521234000129/21/1", &[("Accept", "application/json")]);
    assert_eq!(passport.json()["journey"].as_array().map(Vec::len), Some(3), "{passport:?}");
}

#[test]
fn goods_are_one_thing_however_their_code_is_written() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let drug = "https://id.example.com/goods/drug/81234567890123456789";
    let events = [
        object(0, "ADD", "commissioning", &[&item("1"), "urn:epc:id:sgtin:9521234.000012.2"]),
        object(1, "ADD", "commissioning", &[drug]),
        object(2, "OBSERVE", "shipping", &["urn:hallmark:goods:drug:81234567890123456789"]),
    ];
    record(&world, &node, "seen.json", &events, &["--aud", "public"]);
    let way = |code: &str| steps(&traced(&node, code)).join(" ");
    for code in [
        "(01)09521234000129(21)1",
        "（01）0952 1234 0001 29 （21）1",
        "0109521234000129211",
        "]d20109521234000129211",
        "id.gs1.org/01/09521234000129/21/1",
        "https://shop.example/x/01/09521234000129/10/L7/21/1?17=270101",
        "urn:epc:id:sgtin:9521234.000012.1",
    ] {
        assert_eq!(way(code), "commissioning", "{code}");
    }
    for code in [
        drug,
        "urn:hallmark:goods:drug:81234567890123456789",
        "8123 4567 8901 2345 6789",
        "127.0.0.1:8080/goods/drug/81234567890123456789",
    ] {
        assert_eq!(way(code), "commissioning shipping", "{code}");
    }
    for path in [
        "/v1/trace/goods/drug/81234567890123456789",
        "/v1/trace/81234567890123456789",
        "/v1/trace/01/09521234000129/10/L7/21/1",
        "/v1/trace/(01)09521234000129(21)2",
    ] {
        let answer = get(&node, path, &[]);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
    let bundle = get(&node, "/v1/bundle/goods/drug/81234567890123456789", &[]);
    let by_urn = get(&node, "/v1/bundle/urn:hallmark:goods:drug:81234567890123456789", &[]);
    assert_eq!((bundle.status, by_urn.status), (200, 200));
    assert_eq!(bundle.body, by_urn.body);
    for (path, reason) in [
        ("/v1/trace/01/09521234000128/21/1", "check character"),
        ("/v1/trace/goods/drug/8123", "4 characters, expected 20"),
        ("/v1/bundle/01/09521234000128/21/1", "check character"),
        ("/v1/trace/hello", "no GS1 data"),
    ] {
        let answer = get(&node, path, &[]);
        assert_eq!(answer.status, 400, "{path}");
        let told = answer.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(told.contains(reason), "{path}: {told}");
    }
    let ran = node.run("trace", &["(01)09521234000128(21)1"]).fails(2);
    assert!(ran.stderr.contains("check character"), "{}", ran.stderr);
}

#[test]
fn what_is_no_goods_or_no_form_of_a_trace_is_refused_with_its_reason() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    for (asked, status) in [
        (path("https://example.com/shirt"), 400),
        (path("urn:hallmark:org:gln:9506000134352"), 400),
        (format!("{}?format=png", path(PALLET)), 400),
        (format!("{}?format=json&format=dot", path(PALLET)), 400),
        (path(PALLET), 404),
    ] {
        let answer = get(&node, &asked, &[]);
        assert_eq!(answer.status, status, "{asked}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{asked}");
    }
    let image = get(&node, &path(PALLET), &[("accept", "image/png")]);
    assert_eq!(image.status, 406);
    let ran = node.run("trace", &["shirt"]).fails(2);
    assert!(ran.stderr.contains("help: give the address that a label prints"), "{}", ran.stderr);
    node.run("trace", &[PALLET, "--format", "cbor"]).fails(2);
    let unknown = node.run("trace", &[PALLET, "--format", "json"]).ok();
    let answer: Value = serde_json::from_str(&unknown.stdout).expect("one JSON line");
    assert_eq!(answer["verdict"], "unknown");
    run("hallmark-node", &["trace", "http://127.0.0.1:9", PALLET]).fails(6);
}
