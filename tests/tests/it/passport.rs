//! The passport of a running node: each of its twelve states, reached for real.

mod makers;
mod strangers;
pub(super) mod told;

use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::world::{Node, SOON, World, http, path_text, run as hallmark, wait};

const CLASS: &str = "https://id.gs1.org/01/09520123456788";
pub(super) const XIAMEN: &str = "https://id.gs1.org/414/9506000134369";
pub(super) const CHENGDU: &str = "https://id.gs1.org/414/9506000134376";
const ROLES: [&str; 3] = ["producer", "certifier", "accreditor"];
/// The last line of an export that found one body damaged.
const EXPORTED: &str = "incomplete: 1 damaged, 0 missing, all else is in the bundle\n";
const PROBE: &str = "\"><script>alert(1)</script>'<img src=x onerror=alert(1)>";

fn path(serial: &str) -> String {
    format!("/01/09520123456788/21/{serial}")
}

fn item(serial: &str) -> String {
    format!("{CLASS}/21/{serial}")
}

fn event(number: u32, serial: &str, step: &str, at: &str, place: &str) -> Value {
    let action = if step == "commissioning" { "ADD" } else { "OBSERVE" };
    let epcis = json!({
        "type": "ObjectEvent", "action": action, "bizStep": step,
        "eventID": format!("urn:uuid:00000000-0000-4000-8000-{number:012}"),
        "eventTime": at, "eventTimeZoneOffset": "+08:00",
        "epcList": [item(serial)], "readPoint": { "id": place },
    });
    json!({ "kind": "event", "payload": { "epcis": epcis.to_string() } })
}

fn masterdata(sub: &str, name: &str, about: &Value) -> Value {
    json!({ "kind": "masterdata", "sub": sub, "payload": {
        "from_at": "2026-01-01T00:00:00Z", "name": { "en": name, "zh-Hans": "保温杯" },
        "about": about,
    } })
}

fn location(sub: &str, lat_e7: i64, lon_e7: i64, region: &str) -> Value {
    let place = json!({ "lat_e7": lat_e7, "lon_e7": lon_e7, "precision_m": 100, "region": region });
    masterdata(sub, region, &json!({ "location": place }))
}

pub(super) fn record(world: &World, node: &Node, statements: &[Value]) -> Vec<String> {
    let file = world.file("statements.json", Value::from(statements.to_vec()).to_string());
    node.record(&file, &[])
}

fn json_at(node: &Node, path: &str) -> (u16, Value) {
    let answer = http::send("GET", &node.url, path, &[("Accept", "application/json")], b"");
    (answer.status, answer.json())
}

pub(super) fn expect(node: &Node, path: &str, status: u16, state: &str) -> Value {
    wait(&format!("{path} to be {state}"), SOON, || {
        let (found, json) = json_at(node, path);
        (found == status && json["state"] == state).then_some(json)
    })
}

pub(super) fn page_at(node: &Node, path: &str) -> String {
    let answer = http::send("GET", &node.url, path, &[("Accept", "text/html")], b"");
    String::from_utf8(answer.body).expect("a page is UTF-8")
}

/// A works with a described product, places, and honest items.
pub(super) fn works(world: &World, name: &str) -> Node {
    let node = world.founder_with(name, &ROLES, &[]);
    node.ready();
    let made = "2026-03-01T08:00:00+08:00";
    let mut statements = vec![
        masterdata(CLASS, "Flask", &json!({ "item": {} })),
        location(XIAMEN, 244_798_000, 1_180_894_000, "CN-FJ"),
        location(CHENGDU, 305_728_000, 1_040_668_000, "CN-SC"),
    ];
    for (number, serial) in (1..).zip(["fine", "seen", "broken", "copied", "doubled", "early"]) {
        let made = if serial == "early" { "2026-03-05T08:00:00+08:00" } else { made };
        statements.push(event(number, serial, "commissioning", made, XIAMEN));
    }
    record(world, &node, &statements);
    node
}

/// The form of the passport of these goods; made up where it hands none out.
pub(super) fn form(node: &Node, goods: &str) -> String {
    let path = goods.strip_prefix("https://id.gs1.org").expect("a Digital Link");
    let form = &json_at(node, path).1["forms"]["confirmation"];
    form.as_str().map_or_else(|| "0".repeat(64), str::to_owned)
}

pub(super) fn confirm(node: &Node, goods: &str, form: &str) -> http::Answer {
    let body = json!({ "goods": goods, "form": form, "act": "bought" });
    let headers = [("Content-Type", "application/json")];
    http::send("POST", &node.url, "/confirmations", &headers, body.to_string().as_bytes())
}

#[test]
fn codes_give_the_states_that_their_records_give() {
    let world = World::new();
    let mut node = works(&world, "works");
    expect(&node, "/01/09520123456789/21/fine", 400, "unreadable");
    expect(&node, "/01/09506000134352/21/fine", 404, "foreign");
    expect(&node, &path("invented"), 404, "unknown");
    let fine = expect(&node, &path("fine"), 200, "consistent");
    assert_eq!(fine["journey"][0]["region"], "CN-FJ");
    assert_eq!(fine["journey"][0]["place"], Value::Null, "the event is for members");

    let sent = form(&node, &item("seen"));
    assert_eq!(confirm(&node, &item("seen"), &sent).status, 201);
    expect(&node, &path("seen"), 200, "consistent_seen");
    assert_eq!(confirm(&node, &item("seen"), &sent).status, 201, "the same form");
    for _ in 0..2 {
        let another = form(&node, &item("doubled"));
        assert_eq!(confirm(&node, &item("doubled"), &another).status, 201);
    }
    let doubled = expect(&node, &path("doubled"), 200, "copy_suspected");
    assert_eq!(doubled["confirmations"]["count"], 2);
    assert_eq!(json_at(&node, &path("seen")).1["confirmations"]["count"], 1);
    assert_eq!(confirm(&node, &item("invented"), &sent).status, 404);
    let made_up = confirm(&node, &item("fine"), &"0".repeat(64));
    assert_eq!(made_up.status, 403, "nobody handed this form out");

    let afar = event(20, "copied", "receiving", "2026-03-01T09:00:00+08:00", CHENGDU);
    let early = event(21, "early", "receiving", "2026-03-02T08:00:00+08:00", XIAMEN);
    record(&world, &node, &[afar, early]);
    let copied = expect(&node, &path("copied"), 200, "copy_suspected");
    assert_eq!(copied["findings"][0]["code"], "TRC-005");
    assert_eq!(copied["findings"][0]["message_en"], Value::Null, "it rests on members' bodies");
    assert_eq!(copied["findings"][0]["months"], json!(["2026-03"]));
    let early = expect(&node, &path("early"), 200, "disputed");
    let finding = early["findings"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(early["findings"][0]["answers"], json!([]));
    record(
        &world,
        &node,
        &[json!({ "kind": "response", "aud": "public", "payload": {
        "finding": finding, "text": { "en": "The clock of the line was wrong." } } })],
    );
    let answered = wait("the answer beside the finding", SOON, || {
        let (_, json) = json_at(&node, &path("early"));
        (json["findings"][0]["answers"][0]["text"][0]["text"].is_string()).then_some(json)
    });
    assert_eq!(answered["state"], "disputed", "an answer does not close a finding");
    assert!(page_at(&node, &path("early")).contains("The clock of the line was wrong."));

    tamper(&node, "broken");
    expect(&node, &path("broken"), 200, "broken");
    assert_eq!(node.stop(), 0);
}

/// Turns one bit of the item's event in the packs of a running node; says where.
pub(super) fn tamper(node: &Node, serial: &str) -> (PathBuf, u64) {
    tamper_text(node, &format!("/21/{serial}"))
}

/// The same at the first place of a text.
fn tamper_text(node: &Node, needle: &str) -> (PathBuf, u64) {
    for entry in std::fs::read_dir(node.dir.join("data").join("packs")).expect("packs").flatten() {
        let path = entry.path();
        let bytes = std::fs::read(&path).expect("readable");
        let found = bytes.windows(needle.len()).position(|window| window == needle.as_bytes());
        if let Some(at) = found {
            flip(&path, at as u64 + 1);
            return (path, at as u64 + 1);
        }
    }
    panic!("no pack holds {needle}");
}

/// Turns the lowest bit of a byte, in place, because the node appends to the same file.
fn flip(path: &Path, at: u64) {
    let file = std::fs::File::options().read(true).write(true).open(path).expect("writable");
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).expect("there");
    file.write_all_at(&[byte[0] ^ 1], at).expect("written");
}

#[test]
fn a_passport_lists_the_label_orders_that_its_code_is_of_before_those_that_it_is_not() {
    let world = World::new();
    let mut node = world.founder_with("works", &ROLES, &[]);
    node.ready();
    let out = world.path("labels.csv");
    let gtin = CLASS.rsplit('/').next().expect("the GTIN");
    let rest =
        ["--lot", "L1", "--host", "https://id.example.com", "--force", "-o", path_text(&out)];
    for serials in ["100..199", "200..299", "0100..0199"] {
        node.run("label", &[&[gtin, "--serials", serials], &rest[..]].concat()).ok();
    }
    node.run("label", &[&[gtin, "--count", "5"], &rest[..]].concat()).ok();
    let of = |serial: &str| {
        let json = expect(&node, &path(serial), 200, "consistent");
        let records = json["proof"]["records"].as_array().expect("a list").iter();
        (records.map(|one| one["is_silent"] == true).collect::<Vec<_>>(), json)
    };
    // Beside the orders of its number, the first two of either scheme: they tell who makes labels.
    for (serial, expected) in [("150", 4), ("250", 3), ("0150", 4)] {
        let (silent, json) =
            wait("its orders", SOON, || Some(of(serial)).filter(|(s, _)| s.len() == expected));
        assert_eq!(silent.iter().filter(|is_silent| !**is_silent).count(), 1, "{serial}: {json}");
        assert!(!silent[0], "{serial}: {json}");
        let told = json["state_text"]["en"].as_str().expect("a sentence");
        assert!(told.contains("all that is recorded") && !told.contains("complete"), "{told}");
    }
    let page = page_at(&node, &format!("{}?lang=zh-Hans", path("150")));
    assert!(page.contains(">3</span> 个标签批次不含此代码"), "{page}");

    let lot = json!({ "lot": { "lot": "L1", "expiry": "2020-01-31" } });
    let described = masterdata(CLASS, "Flask", &json!({ "item": {} }));
    record(&world, &node, &[described, masterdata(&format!("{CLASS}/10/L1"), "Lot", &lot)]);
    let over = format!("/01/{gtin}/10/L1");
    let json = wait("the lot's date", SOON, || {
        let json = expect(&node, &over, 200, "consistent");
        json["item"]["is_past_expiry"].as_bool().filter(|is_past| *is_past).map(|_| json)
    });
    assert_eq!(json["item"]["expiry"], "2020-01-31");
    for (language, told) in [
        ("en", "Use until 2020-01-31: this day has passed."),
        ("zh-Hans", "有效期至 2020-01-31：该日期已过。"),
    ] {
        let page = page_at(&node, &format!("{over}?lang={language}"));
        assert!(page.contains(told) && page.contains("class=\"band warn\""), "{page}");
    }
    assert_eq!(node.stop(), 0);
}

#[test]
fn a_damaged_body_that_a_passport_met_is_counted_and_an_export_names_it_and_carries_all_else() {
    let world = World::new();
    let mut node = works(&world, "works");
    let damaged = |node: &Node| {
        let status = node.run("status", &["--format", "json"]);
        let status: Value =
            serde_json::from_str(status.stdout.lines().next().expect("a line")).expect("JSON");
        (status["damaged_records"].clone(), node.get("/readyz").json()["damaged"].clone())
    };
    let mut public = event(30, "torn", "commissioning", "2026-03-01T08:00:00+08:00", XIAMEN);
    public["aud"] = json!("public");
    let torn = record(&world, &node, &[public]).remove(0);
    expect(&node, &path("torn"), 200, "consistent");
    assert_eq!(damaged(&node), (json!(0), json!([])));
    let (pack, at) = tamper(&node, "torn");
    let sent = form(&node, &item("fine"));
    assert_eq!(confirm(&node, &item("fine"), &sent).status, 201);
    expect(&node, &path("torn"), 200, "broken");
    let (count, files) = damaged(&node);
    assert_eq!(count, 1);
    let file = files[0].as_str().expect("one file").to_owned();
    assert!(file.starts_with("packs/") && files[1].is_null(), "{files}");

    let traced = node.run("trace", &[&item("torn")]).fails(4).stdout;
    for said in ["damaged here, not what was logged", "1 body of this trace damaged here"] {
        assert!(traced.contains(said) && !traced.contains("not held"), "{traced}");
    }
    assert!(traced.ends_with("traced: 1 step of 1 goods over 1 log; 1 body damaged\n"), "{traced}");
    for form in ["json", "dot"] {
        node.run("trace", &[&item("torn"), "--format", form]).fails(4);
    }

    let bundle = world.path("works.hallmark");
    let fine = item("fine");
    let asked = [&[][..], &["--public"], &["--goods", &item("torn")], &["--goods", &fine]];
    for args in asked {
        let ran = node.run("export", &[args, &["-o", path_text(&bundle)]].concat()).fails(4);
        assert!(ran.stdout.contains(&format!("damaged: {torn}: ")), "{args:?}: {}", ran.stdout);
        assert!(ran.stdout.contains(EXPORTED), "{args:?}: {}", ran.stdout);
        assert!(ran.stderr.contains("help: the bundle says so"), "{}", ran.stderr);
        let told = hallmark("hallmark-verify", &["check", path_text(&bundle)]).fails(4);
        assert_eq!(told.stdout.matches("(bad_body)").count(), 1, "{args:?}: {}", told.stdout);
        assert!(told.stdout.contains(&torn), "{args:?}: {}", told.stdout);
    }
    // To standard output goes the bundle alone.
    let ran = node.run("export", &["-o", "-"]).fails(4);
    assert!(ran.stderr.contains(EXPORTED) && !ran.stdout.contains(EXPORTED), "{}", ran.stderr);
    // Mended in place, it is read again, and is damaged no more.
    flip(&pack, at);
    node.run("export", &["-o", path_text(&bundle)]).ok();
    // Cut short behind the record before, it is lost: all else goes in, and nothing says it is wrong.
    let whole = std::fs::read(&pack).expect("a pack");
    std::fs::write(&pack, &whole[..at as usize]).expect("a pack cut short");
    let ran = node.run("export", &["-o", path_text(&bundle)]).fails(5);
    assert!(ran.stdout.contains(&format!("missing: {torn}: ")), "{}", ran.stdout);
    let told = hallmark("hallmark-verify", &["check", path_text(&bundle)]).fails(5);
    assert!(told.stdout.contains(&torn), "{}", told.stdout);
    std::fs::write(&pack, whole).expect("a pack");
    node.run("export", &["-o", path_text(&bundle)]).ok();
    assert_eq!(damaged(&node), (json!(0), json!([])));
    assert_eq!(node.stop(), 0);
}

#[test]
fn certificates_and_recalls_give_their_states_in_their_order() {
    let world = World::new();
    let mut node = works(&world, "works");
    let org = node.org.clone();
    let certificate = |id: &str, until: &str| {
        json!({ "kind": "certificate", "sub": CLASS, "payload": {
            "id": id, "standard": format!("GB/T {id}"), "valid_from": "2020-01-01T00:00:00Z",
            "valid_to": until } })
    };
    record(
        &world,
        &node,
        &[
            certificate("1", "2099-01-01T00:00:00Z"),
            json!({ "kind": "accreditation", "sub": org, "payload": {
            "scheme": "iso17065", "number": "CNAS C001", "valid_from": "2020-01-01T00:00:00Z",
            "sectors": ["GB/T 1"], "status": "in_force", "from_at": "2020-01-01T00:00:00Z" } }),
        ],
    );
    let fine = expect(&node, &path("fine"), 200, "consistent");
    let accreditation = &fine["certificates"][0]["accreditation"];
    assert_eq!(
        (&accreditation["standing"], &accreditation["number"]),
        (&json!("in_force"), &json!("CNAS C001"))
    );
    record(&world, &node, &[certificate("2", "2021-01-01T00:00:00Z")]);
    expect(&node, &path("fine"), 200, "expired");
    let mut withdrawn = certificate("3", "2099-01-01T00:00:00Z");
    let first = record(&world, &node, std::slice::from_ref(&withdrawn));
    withdrawn["payload"]["withdrawn_at"] = json!("2026-01-01T00:00:00Z");
    withdrawn["payload"]["replaces"] = json!(first[0]);
    withdrawn["payload"]["reason"] = json!("the audit failed");
    record(&world, &node, &[withdrawn]);
    expect(&node, &path("fine"), 200, "withdrawn");
    record(
        &world,
        &node,
        &[json!({ "kind": "recall", "sub": CLASS, "payload": {
        "recall": "R-1", "why": { "en": PROBE }, "what_to_do": { "zh-Hans": PROBE },
        "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z" } })],
    );
    expect(&node, &path("fine"), 200, "recalled");
    for language in ["en", "zh-Hans"] {
        let page = page_at(&node, &format!("{}?lang={language}", path("fine")));
        let own = page.replace("<script type=\"module\" src=\"/assets/page.mjs\">", "");
        assert!(!own.contains("<script") && !own.contains("<img"), "{own}");
        assert!(own.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{own}");
    }
    tamper(&node, "broken");
    expect(&node, &path("broken"), 200, "broken");
    assert_eq!(node.stop(), 0);
}

/// Starts a node again under a policy that its checkpoint is soon too old for.
pub(super) fn grow_stale(node: &mut Node) {
    assert_eq!(node.stop(), 0);
    let config = node.dir.join("config.toml");
    let text = std::fs::read_to_string(&config).expect("init wrote it");
    let text = text.replacen("[passport]", "[passport]\nstale_after = \"1s\"", 1);
    std::fs::write(&config, text).expect("writable");
    node.start();
}

#[test]
fn an_old_checkpoint_confirms_nothing() {
    let world = World::new();
    let mut node = works(&world, "works");
    expect(&node, &path("fine"), 200, "consistent");
    grow_stale(&mut node);
    let stale = expect(&node, &path("fine"), 200, "stale");
    assert!(stale["proof"]["logs"][0]["checkpoint_at"].is_string());
    assert_eq!(node.stop(), 0);
}

#[test]
fn a_recall_of_a_lot_reaches_every_code_whose_label_order_names_the_lot() {
    let world = World::new();
    let node = world.founder_with("works", &ROLES, &[]);
    node.ready();
    record(&world, &node, &[masterdata(CLASS, "Flask", &json!({ "item": {} }))]);
    let class = CLASS.trim_start_matches("https://id.gs1.org");
    let gtin = class.trim_start_matches("/01/");
    let order = ["--count", "1", "--order", "O-1", "--lot", "L7"];
    let form = ["--host", "https://id.example.com", "--format", "csv", "-o", "-"];
    let printed = node.run("label", &[&[gtin], &order[..], &form[..]].concat()).ok();
    let row = printed.stdout.lines().nth(1).expect("a label");
    let serial = row.split(',').next().expect("a serial");
    let item = format!("{class}/21/{serial}");
    expect(&node, &item, 200, "consistent");
    wait("the order to be under a checkpoint", SOON, || {
        (json_at(&node, &item).1["item"]["lot"] == "L7").then_some(())
    });
    record(
        &world,
        &node,
        &[json!({ "kind": "recall", "sub": format!("{CLASS}/10/L7"), "payload": {
            "recall": "R-7", "why": { "en": "leaks" }, "what_to_do": { "en": "return it" },
            "contact": { "phone": "+86 400 000 0000" }, "since": "2026-01-01T00:00:00Z",
        } })],
    );
    let with_lot = format!("{class}/10/L7/21/{serial}");
    for path in [&item, &with_lot, &format!("{class}/10/L8/21/{serial}"), &format!("{class}/10/L7")]
    {
        expect(&node, path, 200, "recalled");
    }
    expect(&node, &format!("{class}/10/L8"), 404, "unknown");
    // The lot that is printed goes along on the way to another language and to other forms.
    assert!(page_at(&node, &with_lot).contains(&format!("href=\"{with_lot}?lang=")));
    let set = http::send("GET", &node.url, &format!("{with_lot}?linkType=linkset"), &[], b"");
    let anchor = format!("{}{with_lot}", node.url);
    assert_eq!(set.json()["linkset"][0]["anchor"], anchor.as_str());
}
