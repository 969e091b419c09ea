//! Confirmations that the records of the goods rule out: what a node says of them, and the script.

use std::time::SystemTime;

use hallmark_schemas::time::Timestamp;

use super::super::passport::{CHENGDU, XIAMEN, expect, page_at, record, works};
use super::super::world::Node;
use super::shown::{attributes, with_shown};
use super::*;

pub(super) const CLASS: &str = "https://id.gs1.org/01/09520123456788";
const MADE: &str = "2026-03-01T08:00:00+08:00";

fn item(serial: &str) -> String {
    format!("{CLASS}/21/{serial}")
}

pub(super) fn path(serial: &str) -> String {
    format!("/01/09520123456788/21/{serial}")
}

/// A public event of one item; `more` has what is not as in most.
fn event(
    number: &mut u32,
    serial: &str,
    (step, action, at): (&str, &str, &str),
    more: &Value,
) -> Value {
    *number += 1;
    let mut epcis = json!({
        "type": "ObjectEvent", "action": action, "bizStep": step, "eventTime": at,
        "eventID": format!("urn:uuid:00000000-0000-4000-8003-{number:012}"),
        "eventTimeZoneOffset": "+08:00", "epcList": [item(serial)], "readPoint": { "id": XIAMEN },
    });
    for (name, value) in more.as_object().expect("an object") {
        epcis[name] = value.clone();
    }
    json!({ "kind": "event", "aud": "public", "payload": { "epcis": epcis.to_string() } })
}

/// A buyer's confirmation, as the node of a shop signs it on this day.
fn confirmation(serial: &str, day: &str, region: Option<&str>) -> Value {
    let form =
        format!("{serial:0<32}").bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let mut payload = json!({ "act": "bought", "day": day, "form": form });
    if let Some(region) = region {
        payload["region"] = region.into();
    }
    json!({ "kind": "confirmation", "sub": item(serial), "aud": "public", "payload": payload })
}

fn now() -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    Timestamp::from_unix_ms(u64::try_from(since.as_millis()).expect("this century")).to_string()
}

/// What happened to an item before its buyer confirmed it, and what the passport says then: why that
/// cannot be, if it cannot.
type Case = (&'static str, Vec<(&'static str, &'static str, String, Value)>, Option<&'static str>);

fn cases() -> Vec<Case> {
    let at = |day: &str| format!("2026-03-{day}T12:00:00+08:00");
    let one = |step, action, at: String| (step, action, at, json!({}));
    let back = json!({ "disposition": "returned" });
    let used = json!({ "type": "TransformationEvent", "action": null, "epcList": null,
        "inputEPCList": [item("used")], "outputEPCList": [item("used-into")] });
    vec![
        ("sold", vec![one("retail_selling", "OBSERVE", at("05"))], None),
        ("destroyed", vec![one("destroying", "DELETE", at("05"))], Some("after_end")),
        ("burnt", vec![one("destroying", "OBSERVE", at("05"))], Some("after_end")),
        ("ended", vec![one("decommissioning", "DELETE", at("05"))], Some("after_end")),
        ("untagged", vec![one("decommissioning", "OBSERVE", at("05"))], None),
        ("today", vec![one("destroying", "DELETE", now())], Some("after_end")),
        ("used", vec![("commissioning", "ADD", at("05"), used)], Some("after_end")),
        (
            "anew",
            vec![one("destroying", "DELETE", at("05")), one("commissioning", "ADD", at("06"))],
            None,
        ),
        (
            "returned",
            vec![
                one("decommissioning", "DELETE", at("05")),
                ("receiving", "OBSERVE", at("06"), back),
            ],
            None,
        ),
        (
            "mended",
            vec![one("decommissioning", "DELETE", at("05")), one("repairing", "OBSERVE", at("06"))],
            None,
        ),
    ]
}

/// An honest page's attributes with its band, and its bundle.
pub(super) fn look(node: &Node, serial: &str) -> (Value, Vec<u8>) {
    let path = path(serial);
    let page = page_at(node, &format!("{path}?lang=en"));
    let bundle = node.get(&format!("/v1/bundle{path}"));
    assert_eq!(bundle.status, 200, "{serial}");
    let between = |from: &str, to: &str| {
        let rest = page.split(from).nth(1).unwrap_or_else(|| panic!("no {from}: {page}"));
        rest.split(to).next().expect("a first part").to_owned()
    };
    let mut shown = attributes(&page);
    shown["state"] = between("data-state=\"", "\"").into();
    (shown["language"], shown["address"]) = (json!("en"), json!(path));
    shown["pieces"] = json!([
        { "of": "word", "text": between("data-of=\"word\">", "<"), "isInBand": true },
        { "of": "sentence", "text": between("data-of=\"sentence\">", "<"), "isInBand": true },
    ]);
    (shown, bundle.body)
}

/// The page in another state, as it would look.
fn falsified(shown: &Value) -> Value {
    let mut other = shown.clone();
    other["state"] = json!("consistent_seen");
    let state = hallmark_node::passport::State::ConsistentSeen;
    let language = hallmark_node::page::Language::En;
    other["pieces"][0]["text"] = json!(state.word(language));
    other["pieces"][1]["text"] = json!(state.sentence(language));
    other
}

/// Holds pages and their falsified forms against their bundles.
fn agree(node: &Node, wanted: &[(&str, Option<&str>)]) {
    if verdicts("webcrypto", &[], &[]).is_none() {
        return;
    }
    let seen: Vec<_> = wanted.iter().map(|(serial, _)| look(node, serial)).collect();
    let bundles: Vec<_> =
        seen.iter().flat_map(|(_, bundle)| [bundle.clone(), bundle.clone()]).collect();
    let shown: Vec<_> = seen.iter().flat_map(|(page, _)| [page.clone(), falsified(page)]).collect();
    let answers = with_shown(&bundles, &shown);
    for ((serial, cause), both) in wanted.iter().zip(answers.chunks(2)) {
        let of = |at: usize| &both[at][1]["state"];
        assert_eq!(*of(0), "ok", "{serial}: {}", both[0]);
        assert_eq!(*of(1), if cause.is_some() { "state" } else { "ok" }, "{serial}: {}", both[1]);
    }
}

#[test]
fn a_confirmation_of_goods_that_had_ended_is_told_by_node_and_script_alike() {
    let world = World::new();
    let mut node = works(&world, "works");
    let (mut number, mut statements) = (0, Vec::new());
    for (serial, events, _) in cases() {
        if serial != "anew" {
            statements.push(event(&mut number, serial, ("commissioning", "ADD", MADE), &json!({})));
        }
        for (step, action, at, more) in events {
            let mut of = event(&mut number, serial, (step, action, &at), &more);
            if !more["type"].is_null() {
                let mut epcis: Value =
                    serde_json::from_str(of["payload"]["epcis"].as_str().expect("text"))
                        .expect("JSON");
                epcis.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
                of["payload"]["epcis"] = epcis.to_string().into();
            }
            statements.push(of);
        }
    }
    record(&world, &node, &statements);
    let wanted: Vec<_> = cases().into_iter().map(|(serial, _, cause)| (serial, cause)).collect();
    let today = now()[..10].to_owned();
    let bought = |serial: &str| confirmation(serial, &today, None);
    let all: Vec<_> = wanted.iter().map(|(serial, _)| bought(serial)).collect();
    record(&world, &node, &all);
    for (serial, cause) in &wanted {
        let state = if cause.is_some() { "copy_suspected" } else { "consistent_seen" };
        let json = expect(&node, &path(serial), 200, state);
        let causes: Vec<_> = cause.iter().collect();
        assert_eq!(json["confirmations"]["impossible"], json!(causes), "{serial}: {json}");
        let told = json["state_text"]["en"].as_str().expect("a sentence");
        assert_eq!(
            told.contains("destroyed, used up or taken out of use"),
            cause.is_some(),
            "{told}"
        );
    }
    agree(&node, &wanted);
    // The end comes after the confirmation; another is declared to be in error.
    let made = |serial, number: &mut u32| {
        event(number, serial, ("commissioning", "ADD", MADE), &json!({}))
    };
    let late = [made("worn", &mut number), made("error", &mut number)];
    record(&world, &node, &late);
    record(&world, &node, &[bought("worn")]);
    let end = |serial, at: &str, number: &mut u32, more: &Value| {
        event(number, serial, ("destroying", "DELETE", at), more)
    };
    let wrong = end("error", "2026-03-05T12:00:00+08:00", &mut number, &json!({}));
    number -= 1;
    let declared = json!({ "errorDeclaration": {
        "declarationTime": "2026-03-06T12:00:00+08:00", "reason": "did_not_occur" } });
    let taken_back = end("error", "2026-03-05T12:00:00+08:00", &mut number, &declared);
    record(&world, &node, &[end("worn", &now(), &mut number, &json!({})), wrong, taken_back]);
    record(&world, &node, &[bought("error")]);
    for serial in ["worn", "error"] {
        expect(&node, &path(serial), 200, "consistent_seen");
    }
    agree(&node, &[("worn", None), ("error", None)]);
    assert_eq!(node.stop(), 0);
}

#[test]
fn a_confirmation_before_the_goods_were_shipped_or_where_they_are_not_sold_is_told_alike() {
    let world = World::new();
    let mut node = works(&world, "works");
    let mut number = 0;
    let mut statements = Vec::new();
    let mut of = |serial: &str, step: (&str, &str, &str), more: Value| {
        statements.push(event(&mut number, serial, step, &more));
    };
    let shipped = ("shipping", "OBSERVE", "2026-03-10T12:00:00+08:00");
    for serial in ["early", "later", "resold", "shipped-later"] {
        of(serial, ("commissioning", "ADD", MADE), json!({}));
    }
    of("early", shipped, json!({}));
    of("later", shipped, json!({}));
    of("resold", ("receiving", "OBSERVE", "2026-03-03T12:00:00+08:00"), json!({}));
    of("resold", shipped, json!({}));
    let lot = json!({ "ilmd": { "cbvmda:lotNumber": "M1" } });
    let anywhere = json!({ "ilmd": { "cbvmda:lotNumber": "M2" } });
    for serial in ["at-home", "abroad", "passed", "unsaid"] {
        of(serial, ("commissioning", "ADD", MADE), lot.clone());
    }
    of("free", ("commissioning", "ADD", MADE), anywhere);
    of("passed", shipped, json!({ "readPoint": { "id": CHENGDU } }));
    for (lot, markets) in [("M1", json!(["DE", "FR"])), ("M2", json!([]))] {
        statements.push(
            json!({ "kind": "masterdata", "sub": format!("{CLASS}/10/{lot}"), "payload": {
            "from_at": "2026-01-01T00:00:00Z", "name": { "en": "Lot" },
            "about": { "lot": { "lot": lot, "markets": markets } } } }),
        );
    }
    // The day that it tells counts, not when the log took it.
    for (serial, day) in
        [("early", "2026-03-05"), ("later", "2026-03-10"), ("resold", "2026-03-05")]
    {
        statements.push(
            json!({ "kind": "confirmation", "sub": item(serial), "aud": "public", "payload": {
            "act": "bought", "day": day, "form": hex::encode(&[number as u8; 32]) } }),
        );
        number += 1;
    }
    for (serial, region) in [
        ("at-home", Some("DE")),
        ("abroad", Some("US-CA")),
        ("passed", Some("CN-SH")),
        ("unsaid", None),
        ("free", Some("US")),
    ] {
        statements.push(confirmation(serial, &now()[..10], region));
    }
    record(&world, &node, &statements);
    let wanted = [
        ("early", Some("before_shipping")),
        ("later", None),
        ("resold", None),
        ("at-home", None),
        ("abroad", Some("other_market")),
        ("passed", None),
        ("unsaid", None),
        ("free", None),
    ];
    for (serial, cause) in wanted {
        let state = if cause.is_some() { "copy_suspected" } else { "consistent_seen" };
        let json = expect(&node, &path(serial), 200, state);
        let causes: Vec<_> = cause.iter().collect();
        assert_eq!(json["confirmations"]["impossible"], json!(causes), "{serial}: {json}");
    }
    agree(&node, &wanted);
    assert_eq!(node.stop(), 0);
}

#[test]
fn an_end_that_is_not_public_makes_a_confirmation_suspicious_and_is_not_told() {
    let world = World::new();
    let mut node = works(&world, "works");
    let made = event(&mut 0, "closed", ("commissioning", "ADD", MADE), &json!({}));
    let at = "2026-03-05T12:00:00+08:00";
    let mut closed = event(&mut 1, "closed", ("destroying", "DELETE", at), &json!({}));
    closed["aud"] = json!("members");
    record(&world, &node, &[made, closed, confirmation("closed", &now()[..10], None)]);
    let json = expect(&node, &path("closed"), 200, "copy_suspected");
    assert_eq!(json["confirmations"]["impossible"], json!([]));
    let told = json["state_text"]["en"].as_str().expect("a sentence");
    assert!(told.contains("cannot all be of one item") && !told.contains("destroyed"), "{told}");
    assert_eq!(node.stop(), 0);
}
