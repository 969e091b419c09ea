//! What a real browser makes of a node's pages: accessible, readable in every view, nothing from
//! elsewhere, stored text stays text.
//!
//! Chromium is driven by `tests/browser`; where it or its packages are missing one line says what
//! was skipped (`tests/run` installs both). Screenshots for people lie in `target/browser`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hallmark_node::page::Language;
use hallmark_node::passport::State;
use serde_json::{Value, json};

use super::world::{Node, SOON, World, path_text, wait};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("browser")
}

/// Runs a script of `tests/browser`: what it printed, and whether it found no fault. `None`, with
/// one line printed, where there is no browser.
fn run(script: &str, request: &Value) -> Option<(bool, String)> {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".to_owned());
    if !Path::new(&chromium).exists() || !folder().join("node_modules").exists() {
        println!("skipped: pages in a browser, Chromium or tests/browser/node_modules is missing");
        return None;
    }
    let child = Command::new("node")
        .arg(folder().join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("node stands where its packages were installed");
    let mut pipe = child.stdin.take().expect("piped");
    pipe.write_all(request.to_string().as_bytes()).expect("it reads its input");
    drop(pipe);
    let output = child.wait_with_output().expect("it ends");
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), words + &errors))
}

/// Opens pages of this node in every view; panics with what does not hold.
pub(crate) fn look(node: &Node, pages: &Value) {
    let shots = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/browser");
    let request = json!({ "origin": node.url, "shots": path_text(&shots), "pages": pages });
    if let Some((holds, words)) = run("browser.mjs", &request) {
        println!("{words}");
        assert!(holds, "{words}");
    }
}

/// Text that would run if it were not shown as text.
const PROBE: &str = "Plant <img src=x onerror=probed=1> \"'&";

const ITEM: &str = "https://id.gs1.org/01/09521234000129/21/F1";

fn facility(org: &str, local: &str, gln: &str, (lat, lon): (i64, i64)) -> Value {
    let sub = format!("{}:{local}", org.replace(":org:", ":facility:"));
    json!({
        "kind": "facility", "sub": sub,
        "payload": {
            "name": PROBE, "lat_e7": lat, "lon_e7": lon, "province": "CN-SH",
            "utc_offset": "+08:00", "sector": "retail",
            "locations": [format!("https://id.gs1.org/414/{gln}")],
        },
    })
}

fn sighting(org: &str, gln: &str, hour: u32) -> Value {
    let place = format!("https://id.gs1.org/414/{gln}");
    let epcis = json!({
        "type": "ObjectEvent", "eventTime": format!("2026-03-01T{hour:02}:00:00+08:00"),
        "eventTimeZoneOffset": "+08:00", "action": "OBSERVE", "bizStep": "shipping",
        "epcList": [ITEM], "readPoint": {"id": place}, "bizLocation": {"id": place},
    });
    json!({"kind": "event", "sub": org, "payload": {"epcis": epcis.to_string()}})
}

#[test]
fn the_findings_page_holds_in_a_browser() {
    let world = World::new();
    let node = world.founder(PROBE);
    node.ready();
    let (here, there) = ("9521234000013", "9521234000037");
    let all = [
        facility(&node.org, "works-1", here, (312_300_000, 1_214_700_000)),
        facility(&node.org, "shop-1", there, (438_300_000, 876_200_000)),
        sighting(&node.org, here, 8),
        sighting(&node.org, there, 9),
    ];
    for (number, one) in all.iter().enumerate() {
        node.record(&world.file(&format!("{number}.json"), one.to_string()), &[]);
    }
    wait("the finding", SOON, || {
        (node.get("/v1/findings").json()["total"].as_u64()? > 0).then_some(())
    });
    let pages = json!([{
        "name": "findings", "path": "/", "status": 200, "probes": [PROBE], "golden": true,
        "says": {
            "zh-Hans": {"both": ["核查发现", PROBE], "shown": ["警告", ITEM]},
            "en": {"both": ["Findings", PROBE], "shown": ["warning", ITEM]},
        },
    }]);
    look(&node, &pages);
}

/// The policy of pages that carry the check.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; \
    style-src 'self' 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// A passport with nothing on it but its state and the check.
const HOST: &str = "<!DOCTYPE html><html lang=\"LANGUAGE\"><head><meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>WORD</title>
<link rel=\"icon\" href=\"data:,\"><style>body{overflow-wrap:anywhere}</style></head>
<body><main><section id=\"state\" data-state=\"consistent\"><h1 data-of=\"word\">WORD</h1>
<p data-of=\"sentence\">SENTENCE</p></section>
<div data-check=\"PATH\" data-goods=\"GOODS\" data-records=\"RECORDS\"
data-busy=\"…\" data-lost=\"Lost\"><p><a href=\"PATH\">hallmark-verify</a></p><button type=\"button\"
hidden>BUTTON</button><p role=\"status\"></p><ol hidden></ol></div><p STATED></p></main>
<script type=\"module\" src=\"/assets/page.mjs\"></script></body></html>";

/// What a page with the check must say in Chinese and English: the verdict, then the steps.
type Said<'a> = [(&'a str, &'a [&'a str]); 2];

/// A page that shows one record of the item, whose bundle is at a path of the node.
fn checked(name: &str, bundle: &str, (org, id): (&str, &str), said: Said<'_>) -> Value {
    let stated = format!("data-record=\"{id}\" data-kind=\"event\" data-by=\"{org}\"");
    let html = HOST.replace("PATH", bundle).replace("GOODS", ITEM).replace("STATED", &stated);
    let html = html.replace("RECORDS", id.trim_start_matches("sha256:"));
    let in_language = |language: Language, word: &str, button: &str| {
        let sentence = State::Consistent.sentence(language);
        let html = html.replace("LANGUAGE", language.tag()).replace("WORD", word);
        html.replace("SENTENCE", sentence).replace("BUTTON", button)
    };
    let [zh, en] = said.map(|(text, steps)| json!({ "text": text, "steps": steps }));
    json!({
        "name": name, "path": format!("/{name}"), "status": 200, "probes": [], "golden": false,
        "html": {
            "zh-Hans": in_language(Language::Zh, "记录一致", "在本浏览器中核对"),
            "en": in_language(Language::En, "Records consistent", "Check in this browser"),
        },
        "policy": POLICY, "once": true,
        "says": {"zh-Hans": {"both": ["记录一致"]}, "en": {"both": ["Records consistent"]}},
        "check": {"zh-Hans": zh, "en": en},
    })
}

const HOLDS: Said<'static> = [
    (
        "本页所示记录核对通过：已签名、已登记、未被改动。未核对：密钥此后是否停用。",
        &[
            "签名：通过 (3/3)",
            "见证方：本网络没有见证方",
            "密钥此后是否停用：未核对：此处没有登记机构的完整日志",
            "本页所示记录：通过 (1/1)",
        ],
    ),
    (
        "The records on this page hold: signed, logged and unchanged. Not checked: whether a key was \
         given up since.",
        &[
            "Signatures: holds (3/3)",
            "Witnesses: this network has none",
            "Keys given up since: not checked: the log of the registrar is not here as a whole",
            "The records on this page: holds (1/1)",
        ],
    ),
];

const PART_LOST: &str = "Cannot check here: a part of the script could not be loaded.";

const OTHER: Said<'static> = [
    (
        "记录未通过核对，请勿依赖。本页所示记录：证据包属于其他产品",
        &["签名：通过 (3/3)", "本页所示记录：未通过"],
    ),
    (
        "The records do not hold. Do not rely on them. The records on this page: the bundle is of \
         other goods than this page",
        &["Signatures: holds (3/3)", "The records on this page: failed"],
    ),
];

const NO_BUNDLE: Said<'static> = [
    ("此处无法核对：取得的内容不是完整的证据包。", &[]),
    ("Cannot check here: what came is no whole bundle.", &[]),
];

const NOT_GIVEN: Said<'static> = [
    ("此处无法核对：节点未提供记录 (HTTP 404)。", &[]),
    ("Cannot check here: the node did not give the records (HTTP 404).", &[]),
];

const OFFLINE: Said<'static> = [
    ("此处无法核对：无法取得记录。", &[]),
    ("Cannot check here: the records could not be fetched.", &[]),
];

#[test]
fn the_check_runs_in_a_browser_under_the_policy_of_its_pages() {
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let record = |serial: &str| {
        let mut seen = sighting(&node.org, "9521234000013", 8);
        seen["aud"] = "public".into();
        let epcis = seen["payload"]["epcis"].as_str().expect("text").replace("/21/F1", serial);
        seen["payload"]["epcis"] = epcis.into();
        node.record(&world.file("seen.json", seen.to_string()), &[]).remove(0)
    };
    let (id, _other) = (record("/21/F1"), record("/21/F2"));
    let own = "/v1/bundle/01/09521234000129/21/F1";
    let page =
        |name: &str, bundle: &str, said: Said<'_>| checked(name, bundle, (&node.org, &id), said);
    let with = |mut page: Value, more: Value| {
        let more = more.as_object().expect("an object").clone();
        page.as_object_mut().expect("an object").extend(more);
        page
    };
    let lost = [("此处无法核对：脚本的一部分未能加载。", &[][..]), (PART_LOST, &[])];
    let by_hand = "/assets/byhand.mjs";
    let absent = "/v1/bundle/01/09521234000129/21/F3";
    let pages = json!([
        page("check-good", own, HOLDS),
        with(page("check-by-hand", own, HOLDS), json!({ "lacks": "ed25519" })),
        with(page("check-lost", own, lost), json!({ "lacks": "ed25519", "lost": [by_hand] })),
        with(
            page("check-unloaded", own, [("Lost", &[]), ("Lost", &[])]),
            json!({ "lost": ["/assets/check.mjs"] }),
        ),
        page("check-other", "/v1/bundle/01/09521234000129/21/F2", OTHER),
        page("check-bad", "/healthz", NO_BUNDLE),
        with(page("check-none", absent, NOT_GIVEN), json!({ "absent": [absent] })),
        with(page("check-offline", own, OFFLINE), json!({ "lost": [own] })),
    ]);
    look(&node, &pages);
}

#[test]
fn a_bad_page_is_seen() {
    let Some((holds, words)) = run("selftest.mjs", &json!({})) else { return };
    assert!(holds, "{words}");
}
