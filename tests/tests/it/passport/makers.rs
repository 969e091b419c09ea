//! Who makes a serial known, on which node, and what damage changes about it.

use super::*;

/// Prints labels for the class and returns the first serial.
fn label(node: &Node, args: &[&str]) -> String {
    let gtin = CLASS.rsplit('/').next().expect("the GTIN");
    let form = ["--host", "https://id.example.com", "--format", "csv", "-o", "-"];
    let printed = node.run("label", &[&[gtin], args, &form[..]].concat()).ok();
    let row = printed.stdout.lines().nth(1).expect("a label");
    row.split(',').next().expect("a serial").to_owned()
}

/// The passport once this holds of it.
fn once(node: &Node, path: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    wait(what, SOON, || Some(json_at(node, path).1).filter(|json| holds(json)))
}

#[test]
fn only_the_makers_label_orders_make_a_serial_known_and_other_nodes_say_who_can_tell() {
    let world = World::new();
    let maker = works(&world, "works");
    let mut two = world.newcomer("two", 2, "producer", &maker);
    maker.run("admit", &[path_text(&two.dir.join("join.cbor"))]).ok();
    two.start();
    two.ready();
    let class = CLASS.trim_start_matches("https://id.gs1.org");
    expect(&two, class, 200, "consistent");

    let foreign = path(&label(&two, &["--count", "1", "--order", "X-1"]));
    let has_order = |json: &Value| {
        let records = json["proof"]["records"].as_array().expect("a list");
        records.iter().any(|record| record["kind"] == "label")
    };
    let told = once(&two, &foreign, "the stranger's order", has_order);
    assert_eq!((&told["state"], &told["elsewhere"]), (&json!("unknown"), &Value::Null), "{told}");
    let serial = foreign.rsplit('/').next().expect("a serial");
    let born = event(50, serial, "commissioning", "2026-03-01T08:00:00+08:00", XIAMEN);
    record(&world, &two, &[born]);
    let told = once(&two, &foreign, "the stranger's event", |json| json["journey"] != json!([]));
    assert_eq!(told["state"], "unknown", "{told}");

    let derived = path(&label(&maker, &["--count", "1", "--order", "D-1"]));
    label(&maker, &["--serials", "500..509", "--order", "S-1"]);
    for node in [&maker, &two] {
        expect(node, &path("505"), 200, "consistent");
        let told = expect(node, &path("510"), 404, "unknown");
        assert_eq!(told["elsewhere"], Value::Null, "no number is derived");
        let sentence = told["state_text"]["en"].as_str().expect("a sentence");
        assert!(sentence.contains("may be wrong or invented"), "{sentence}");
    }
    expect(&maker, &derived, 200, "consistent");
    let told = expect(&maker, &foreign, 404, "unknown");
    assert_eq!(told["elsewhere"], Value::Null, "the maker's own node can tell");

    let told = once(&two, &derived, "the maker's order", |json| !json["elsewhere"].is_null());
    assert_eq!(told["state"], "unknown");
    let elsewhere = &told["elsewhere"];
    assert_eq!(elsewhere["issuer"], json!({ "id": maker.org, "name": "works" }));
    let url = format!("{}{derived}", maker.url.trim_end_matches('/'));
    assert_eq!(elsewhere["url"], url.as_str());
    for (language, words) in [
        ("en", "Only the node of the organisation that issues these codes can tell"),
        ("zh-Hans", "只有发放方的节点能够确认。"),
    ] {
        let sentence = told["state_text"][language].as_str().expect("a sentence");
        assert!(sentence.contains(words) && !sentence.contains("invented"), "{sentence}");
        let page = page_at(&two, &format!("{derived}?lang={language}"));
        assert!(page.contains(&format!("href=\"{url}\" rel=\"noreferrer nofollow\"")), "{page}");
    }
    others_record(&world, &maker, &two);
    others_describe(&world, &maker, &two);
}

/// Another organisation records items whose labels only their maker's node can tell of.
fn others_record(world: &World, maker: &Node, two: &Node) {
    let [single, twice] =
        ["D-2", "D-3"].map(|order| label(maker, &["--count", "1", "--order", order]));
    let seen = |number: u32, serial: &str, at: &str, place: &str| {
        let mut event = event(number, serial, "receiving", at, place);
        event["aud"] = json!("public");
        event
    };
    let events = [
        seen(60, &single, "2026-03-01T08:00:00+08:00", XIAMEN),
        seen(61, &twice, "2026-03-01T08:00:00+08:00", XIAMEN),
        seen(62, &twice, "2026-03-01T09:00:00+08:00", CHENGDU),
    ];
    record(world, two, &events);

    // Seen elsewhere, of which nothing follows about its label: unknown, and what is known is told.
    let has_step = |json: &Value| json["journey"] != json!([]) && json["elsewhere"] != json!(null);
    let told = once(two, &path(&single), "what others recorded", has_step);
    assert_eq!(told["state"], "unknown", "{told}");
    for (language, words) in [
        ("en", ["Not recorded by its issuer", "Others have recorded this code"]),
        ("zh-Hans", ["发放方没有记录", "其他机构登记过此代码"]),
    ] {
        let sentence = told["state_text"][language].as_str().expect("a sentence");
        assert!(sentence.contains(words[1]), "{sentence}");
        let page = page_at(two, &format!("{}?lang={language}", path(&single)));
        for shown in ["id=\"journey\"", "id=\"check\"", words[0], sentence] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        assert!(!page.contains("id=\"confirm\""), "{page}");
    }

    // At two places at once: a possible copy on every node, and only the issuer's tells the rest.
    let here = expect(two, &path(&twice), 200, "copy_suspected");
    assert_eq!(here["findings"][0]["code"], "TRC-005");
    assert_eq!(here["elsewhere"]["issuer"]["name"], "works");
    assert_eq!(here["forms"]["confirmation"], Value::Null, "nobody here vouches for it");
    let page = page_at(two, &path(&twice));
    assert!(page.contains("only the node of its issuer can tell"), "{page}");
    assert!(page.contains("too far apart for the time between"), "{page}");
    let refused = confirm(two, &item(&twice), &"0".repeat(64));
    assert_eq!(refused.status, 404, "{refused:?}");
    let there = expect(maker, &path(&twice), 200, "copy_suspected");
    assert_eq!(there["elsewhere"], Value::Null, "{there}");
    expect(maker, &path(&single), 200, "consistent");
}

/// Another organisation describes the same goods: with the same maker first, then as its own.
fn others_describe(world: &World, maker: &Node, two: &Node) {
    let described = |name: &str, about: &Value| {
        let mut described = masterdata(CLASS, name, &json!({ "item": about }));
        described["payload"]["from_at"] = json!("2026-02-01T00:00:00Z");
        described
    };
    let first = record(world, two, &[described("Agreed", &json!({ "maker": maker.org }))]);
    let has_both = |json: &Value| {
        let records = json["proof"]["records"].as_array().expect("a list").iter();
        records.filter(|record| record["kind"] == "masterdata").count() == 2
    };
    let told = once(maker, &path("505"), "the second description", has_both);
    assert_eq!((&told["state"], &told["item"]["maker_claims"]), (&json!("consistent"), &json!([])));
    assert_eq!(told["item"]["described_by"]["name"], "works");
    assert_eq!(told["item"]["names"][1]["text"], "Flask", "the first one is listened to");

    let mut own = described("Own", &json!({}));
    own["payload"]["replaces"] = json!(first[0]);
    own["payload"]["reason"] = json!("we make it");
    record(world, two, &[own]);
    for node in [maker, two] {
        let told = expect(node, &path("505"), 200, "disputed");
        let claims = told["item"]["maker_claims"].as_array().expect("a list").iter();
        let names: Vec<_> = claims.map(|one| one["maker"]["name"].clone()).collect();
        assert_eq!(names, ["works", "two"], "{told}");
        let page = page_at(node, &path("505"));
        assert!(
            ["two", "works"].iter().all(|one| page.contains(&format!("{one}</span> names itself"))),
            "{page}"
        );
    }
    // Its own party number names an organisation to whoever asks.
    let party = format!("/417/{}", maker.org.rsplit(':').next().expect("a number"));
    let told = expect(two, &party, 200, "consistent");
    assert_eq!(told["item"]["names"][0]["text"], "works");
    expect(two, "/417/9506000134352", 404, "foreign");
}

#[test]
fn a_code_that_was_never_issued_stays_unknown_whatever_damage_its_class_has() {
    let world = World::new();
    let node = works(&world, "works");
    let recall = json!({ "kind": "recall", "sub": CLASS, "payload": {
        "recall": "RECALL-TORN", "why": { "en": "leaks" }, "what_to_do": { "en": "return it" },
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } });
    record(&world, &node, &[recall]);
    label(&node, &["--serials", "700..709", "--order", "ORDER-WHOLE"]);
    label(&node, &["--serials", "800..809", "--order", "ORDER-TORN"]);
    // Under the published checkpoint, before anything is torn.
    expect(&node, &path("801"), 200, "recalled");
    for text in ["RECALL-TORN", "ORDER-TORN"] {
        tamper_text(&node, text);
    }
    for invented in ["invented", "900"] {
        let told = expect(&node, &path(invented), 404, "unknown");
        let records = told["proof"]["records"].as_array().expect("a list");
        assert!(records.iter().any(|record| record["fault"] == "digest"), "{told}");
    }
    expect(&node, &path("fine"), 200, "broken");
    expect(&node, &path("705"), 200, "broken");
    // Of these the torn order is what would make them known: nobody can tell.
    expect(&node, &path("805"), 200, "broken");
}
