//! What a real browser makes of a node's pages: accessible, readable in every view, nothing from
//! elsewhere, stored text stays text.
//!
//! Chromium is driven by `tests/browser`; where it or its packages are missing one line says what
//! was skipped (`tests/run` installs both). Screenshots for people lie in `target/browser`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

#[test]
fn a_bad_page_is_seen() {
    let Some((holds, words)) = run("selftest.mjs", &json!({})) else { return };
    assert!(holds, "{words}");
}
