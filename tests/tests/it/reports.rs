//! The reports of `hallmark-verify check` and `explain`, as other programs and people read them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::browser::look;
use super::world::{Ran, World, path_text, run};

/// A meter whose name would run in a page and reckon in a spreadsheet if it were not guarded.
const PROBE: &str = "=1+1<img src=x onerror=probed=1>";

/// Four weeks of hourly readings; the fourth repeats the second. `name` is the meter's.
fn copied_week(name: &str) -> String {
    let mut csv = "device,quantity,unit,read_at,interval_s,amount\n".to_owned();
    for hour in 0..672_u64 {
        let of = if 504 <= hour { hour - 336 } else { hour };
        let amount = 1_000 + (of * 7_919 + of * of * 31) % 613;
        let (day, hour) = (1 + hour / 24, hour % 24);
        let _fmt = writeln!(
            csv,
            "{name},electricity,Wh,2026-06-{day:02}T{hour:02}:00:00+08:00,3600,{amount}"
        );
    }
    csv
}

struct Case {
    world: World,
    table: String,
}

impl Case {
    fn new() -> Case {
        let world = World::new();
        let file = world.file("m.csv", copied_week(PROBE));
        Case { table: format!("meter_readings={}", path_text(&file)), world }
    }

    fn report(&self, args: &[&str]) -> Ran {
        let mut line = vec!["check", "--table", &self.table, "--report"];
        line.extend(args);
        run("hallmark-verify", &line).fails(1)
    }
}

#[test]
fn the_same_evidence_gives_every_report_byte_for_byte_again() {
    let case = Case::new();
    for args in [&["text"][..], &["json"], &["sarif"], &["html"], &["csv"], &["csv", "--plain"]] {
        let first = case.report(args).bytes;
        assert!(!first.is_empty());
        assert_eq!(first, case.report(args).bytes, "{args:?}");
    }
    let refused = run("hallmark-verify", &["check", "--table", &case.table, "--plain"]).fails(2);
    assert!(refused.stderr.contains("--report csv --plain"), "{}", refused.stderr);
}

#[test]
fn a_sarif_report_is_read_by_models_that_are_not_ours_and_its_fingerprint_stays() {
    let case = Case::new();
    let report = case.report(&["sarif"]);
    let sarif: Value = serde_json::from_str(&report.stdout).expect("JSON");
    let run_of = &sarif["runs"][0];
    let result = &run_of["results"][0];
    assert_eq!(result["ruleId"], "MTR-005");
    let place = result["ruleIndex"].as_u64().expect("the rule's place");
    let rule = &run_of["tool"]["driver"]["rules"][usize::try_from(place).expect("small")];
    assert_eq!(rule["id"], "MTR-005");
    // Rows before it do not change what a finding is.
    let longer = case.world.file(
        "n.csv",
        copied_week(PROBE).replacen('\n', "\nq,electricity,Wh,2026-05-01T00:00:00Z,3600,5\n", 1),
    );
    let longer = format!("meter_readings={}", path_text(&longer));
    let again =
        run("hallmark-verify", &["check", "--table", &longer, "--report", "sarif"]).fails(1);
    let again: Value = serde_json::from_str(&again.stdout).expect("JSON");
    let fingerprint = &result["partialFingerprints"];
    assert_eq!(fingerprint, &again["runs"][0]["results"][0]["partialFingerprints"]);
    assert_eq!(fingerprint.as_object().expect("one").len(), 1);

    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let python = tests.join("../target/tools/python/bin/python3");
    if !python.exists() {
        println!(
            "skipped: SARIF by other models, target/tools/python is missing (tests/run makes it)"
        );
        return;
    }
    let file = case.world.file("report.sarif", report.bytes);
    let mut reader = Command::new(python);
    let read = reader.arg(tests.join("stranger/sarif.py")).arg(file).output().expect("Python runs");
    let words = String::from_utf8_lossy(&read.stdout) + String::from_utf8_lossy(&read.stderr);
    assert!(read.status.success(), "{words}");
}

#[test]
fn a_csv_report_opens_in_a_spreadsheet_without_reckoning_and_plain_as_it_is() {
    let case = Case::new();
    let (people, plain) = (case.report(&["csv"]), case.report(&["csv", "--plain"]));
    assert!(people.bytes.starts_with(b"\xef\xbb\xbfseverity,"), "a byte order mark");
    assert!(people.stdout.contains(&format!(",'{PROBE},")), "{}", people.stdout);
    assert!(plain.bytes.starts_with(b"severity,"));
    assert!(plain.stdout.contains(&format!(",{PROBE},")), "{}", plain.stdout);
    assert_eq!(plain.stdout.lines().count(), 2);
}

#[test]
fn a_page_of_findings_holds_in_a_browser_and_loads_nothing() {
    let case = Case::new();
    let page = case.report(&["html"]).stdout;
    assert!(page.contains("<path class=\"own\" d=\"M"), "a chart");
    for never in ["<script", "http://", "https://", "<img"] {
        assert!(!page.contains(never), "{never}");
    }
    assert!(page.contains("完全相同") && page.contains("the same 168 readings"));
    let node = case.world.founder("plant");
    node.ready();
    // The page is in both languages and its switch stands on English.
    let html = page.replacen("<html lang=\"en\"", "<html lang=\"LANGUAGE\"", 1);
    let said =
        json!({ "both": ["Verification report"], "shown": ["MTR-005", "the same 168 readings"] });
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    look(
        &node,
        &json!([{
            "name": "report", "path": "/report", "status": 200, "probes": [PROBE], "golden": false,
            "html": html, "policy": policy, "few": true, "says": { "zh-Hans": said, "en": said },
        }]),
    );
}

#[test]
fn a_finding_is_explained_with_its_rule_thresholds_and_rows() {
    let case = Case::new();
    let explain = |args: &[&str]| {
        let mut line = vec!["explain", "--table", &case.table];
        line.extend(args);
        run("hallmark-verify", &line)
    };
    let json = explain(&["mtr-005", "--format", "json"]).ok();
    let json: Value = serde_json::from_str(&json.stdout).expect("one object");
    assert_eq!(json["finding"]["subject"], PROBE);
    let evidence = json["evidence"].as_array().expect("a list");
    assert_eq!(evidence.len(), 336);
    assert!(evidence.iter().all(|one| one["rows"][0]["table"] == "meter_readings"));
    assert!(json["parameters"].as_array().expect("a list").iter().any(|one| {
        one["name"] == "copied_samples_min" && one["value"] == "24" && one["unit"] == "readings"
    }));
    let id = json["finding"]["id"].as_str().expect("an id");
    let text = explain(&[&id[..8]]).ok().stdout;
    for wanted in
        ["copied_windows(", "Again: hallmark-verify check --table", "nobody: a row of a plain"]
    {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert!(text.lines().last().expect("a line").starts_with("explained: MTR-005"));
    let unknown = explain(&["ffffffff"]).fails(2);
    assert!(unknown.stderr.contains("none of the 1 findings"), "{}", unknown.stderr);
    assert!(run("hallmark-verify", &["explain", "MTR-005"]).fails(2).stderr.contains("help: "));
}
