//! A recall over two nodes: who has the goods, whose passports turn, who answers.

use serde_json::{Value, json};

use super::world::http::send;
use super::world::{Node, SOON, World, path_text, wait};

const CLASS: &str = "https://id.gs1.org/01/09521234000129";
const FLOUR: &str = "https://id.gs1.org/01/09521234000136/10/F7";
const PRESS: &str = "https://id.gs1.org/414/9521234000013";

fn item(serial: u32) -> String {
    format!("{CLASS}/21/{serial}")
}

fn object(minute: u32, action: &str, step: &str, epcs: &[String]) -> Value {
    json!({ "type": "ObjectEvent", "action": action, "bizStep": step, "epcList": epcs,
        "eventTime": format!("2026-03-01T08:{minute:02}:00+08:00"),
        "eventTimeZoneOffset": "+08:00", "readPoint": { "id": PRESS } })
}

/// Two items of lot L1 made of one lot of flour, and one of another.
fn baked() -> Vec<Value> {
    let of = |minute: u32, flour: &str, lot: &str, items: &[String]| {
        json!({ "type": "TransformationEvent", "eventTimeZoneOffset": "+08:00",
            "eventTime": format!("2026-03-01T08:{minute:02}:00+08:00"),
            "inputQuantityList": [{ "epcClass": flour, "quantity": 2, "uom": "KGM" }],
            "outputEPCList": items, "ilmd": { "cbvmda:lotNumber": lot },
            "readPoint": { "id": PRESS } })
    };
    vec![
        of(0, FLOUR, "L1", &[item(1), item(2)]),
        of(1, &FLOUR.replace("F7", "F8"), "L2", &[item(3)]),
        object(10, "OBSERVE", "shipping", &[item(2)]),
    ]
}

fn record(world: &World, node: &Node, name: &str, events: &[Value]) {
    let document = json!({
        "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
            { "cbvmda": "urn:epcglobal:cbv:mda:" }],
        "type": "EPCISDocument", "schemaVersion": "2.0", "creationDate": "2026-03-02T00:00:00Z",
        "epcisBody": { "eventList": events },
    });
    let file = world.file(name, document.to_string());
    assert_eq!(node.record(&file, &["--aud", "public"]).len(), events.len());
}

fn state(node: &Node, serial: u32) -> Value {
    let path = item(serial).replace("https://id.gs1.org", "");
    let answer = send("GET", &node.url, &path, &[("accept", "application/json")], b"");
    answer.json()["state"].clone()
}

fn reach(node: &Node, args: &[&str]) -> Value {
    let ran = node.run("recall", &[args, &["--format", "json"]].concat()).ok();
    serde_json::from_str(ran.stdout.lines().next().unwrap_or_default()).expect("a JSON line")
}

#[test]
fn an_input_is_called_back_and_passports_turn_on_every_node() {
    let world = World::new();
    let maker = world.founder("maker");
    maker.ready();
    let mut shop = world.newcomer("shop", 2, "retailer", &maker);
    maker.run("admit", &[path_text(&shop.dir.join("join.cbor"))]).ok();
    shop.start();
    shop.ready();
    record(&world, &maker, "baked.json", &baked());
    let text = maker.run("recall", &[FLOUR]).ok().stdout;
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("reached: 2 items and 1 lot or class with"), "{text}");
    assert!(text.contains("nobody recorded that they came"), "{text}");
    let at_press = ["--facility", PRESS, "--period", "2026-03-01T00:00:00Z/2026-03-01T00:00:30Z"];
    assert_eq!(reach(&maker, &at_press)["goods"], json!([format!("{CLASS}/10/L1")]));
    for serial in 1..=3 {
        assert_eq!(state(&maker, serial), "consistent", "{serial}");
        wait("the events at the shop", SOON, || {
            (state(&shop, serial) == "consistent").then_some(())
        });
    }

    let reason = ["--reason", "The flour was damp.", "--url", "https://maker.example/recall"];
    maker.run("recall", &[&[FLOUR], &reason[..2]].concat()).fails(2);
    let ran = maker.run("recall", &[&[FLOUR], &reason[..], &["--name", "R-7"]].concat()).ok();
    assert!(ran.stderr.contains("R-7 is recorded, for 3 items, lots or classes"), "{ran:?}");
    for node in [&maker, &shop] {
        for serial in [1, 2] {
            let is_recalled = || (state(node, serial) == "recalled").then_some(());
            wait("a passport that tells the recall", SOON, is_recalled);
        }
        assert_eq!(state(node, 3), "consistent", "it is of other flour");
    }

    let before = reach(&maker, &[FLOUR]);
    assert_eq!(before["totals"]["answered"], 0, "{before}");
    assert_eq!(before["recalls"][0]["recall"], "R-7");
    let mut answer = object(0, "OBSERVE", "holding", &[item(2)]);
    // An event that lies behind the recall, by the clock of this machine.
    answer["eventTime"] = json!("2099-01-01T00:00:00Z");
    answer["disposition"] = json!("recalled");
    record(&world, &shop, "answer.json", &[answer]);
    let answered = || Some(reach(&maker, &[FLOUR])).filter(|one| one["totals"]["answered"] == 1);
    let after = wait("the shop's answer at the maker", SOON, answered);
    let holders = after["holders"].as_array().expect("a list");
    let at_shop = holders.iter().find(|one| one["holder"] == shop.org.as_str());
    assert_eq!(at_shop.map(|one| (&one["held"], &one["answered"])), Some((&json!(1), &json!(1))));
    assert_eq!(after["unresolved"], json!([]), "it came");
}
