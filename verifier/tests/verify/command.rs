//! The program itself: exit codes, the last line, and the same bytes on a second run.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hallmark_schemas::layout::Dir;

use crate::world::usual;

pub(crate) fn verify(args: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hallmark-verify"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_clean_node_ends_with_a_verdict_and_the_same_bytes_twice() {
    let folder = tempfile::tempdir().unwrap();
    usual(2).write_dir(&folder.path().join("plant"));
    let once = verify(&["check", "plant"], folder.path());
    assert_eq!(once.status.code(), Some(0), "{}{}", stdout(&once), stderr(&once));
    let text = stdout(&once);
    assert!(text.lines().last().unwrap().starts_with("nothing found: "), "{text}");
    assert!(text.contains("revocations as of 2026-03-01T"), "{text}");
    for step in ["Records whole: holds", "Signatures: holds", "Keys given up since: holds"] {
        assert!(text.contains(&format!("\n  {step}\n")), "{text}");
    }
    assert_eq!(once.stdout, verify(&["check", "plant"], folder.path()).stdout);

    let json = verify(&["check", "plant", "--report", "json"], folder.path());
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(value["verdict"]["exit"], 0);
    assert_eq!(value["logs"][0]["size"], 6);
    let file = verify(&["check", "plant", "--report", "json", "-o", "r.json"], folder.path());
    assert!(file.stdout.is_empty());
    assert_eq!(fs::read(folder.path().join("r.json")).unwrap(), json.stdout);
}

#[test]
fn lost_bodies_or_entries_are_incomplete_and_changed_ones_broken() {
    let folder = tempfile::tempdir().unwrap();
    let dir = Dir::new(folder.path().join("plant"));
    let cases: [(&str, i32, &str); 4] = [
        ("packs/00000000.pack", 5, "incomplete: "),
        ("log/tile/entries/000.p/6", 5, "incomplete: "),
        ("packs/00000000.pack changed", 4, "broken: "),
        ("log/tile/0/000.p/6 changed", 4, "broken: "),
    ];
    for (file, exit, verdict) in cases {
        drop(fs::remove_dir_all(dir.path()));
        usual(2).write_dir(dir.path());
        match file.split_once(' ') {
            None => fs::remove_file(dir.data().path().join(file)).unwrap(),
            Some((file, _)) => {
                let path = dir.data().path().join(file);
                let mut bytes = fs::read(&path).unwrap();
                bytes[60] ^= 1;
                fs::write(path, bytes).unwrap();
            }
        }
        let output = verify(&["check", "plant"], folder.path());
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(exit), "{file}: {text}");
        assert!(text.lines().last().unwrap().starts_with(verdict), "{file}: {text}");
        assert!(text.contains("    help: "), "{file}: {text}");
    }
}

#[test]
fn json_reports_have_the_fields_of_the_committed_schema() {
    let folder = tempfile::tempdir().unwrap();
    usual(2).write_dir(&folder.path().join("plant"));
    let csv = "device,quantity,unit,read_at,interval_s,amount\nd,q,Wh,never,900,1\n";
    fs::write(folder.path().join("m.csv"), csv).unwrap();
    let args = ["check", "plant", "--table", "meter_readings=m.csv", "--report", "json"];
    let json = verify(&args, folder.path());
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let schema = include_str!("../../spec/report.schema.json");
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    fits(&schema, &schema, &report, "");
}

/// Holds a value to the part of JSON Schema that the report's schema uses.
fn fits(root: &serde_json::Value, schema: &serde_json::Value, value: &serde_json::Value, at: &str) {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/$defs/");
        return fits(root, &root["$defs"][name], value, at);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let chosen = choices.iter().find(|one| (one["type"] == "null") == value.is_null());
        return fits(root, chosen.unwrap(), value, at);
    }
    let types: Vec<&str> = match &schema["type"] {
        serde_json::Value::Array(types) => types.iter().filter_map(|one| one.as_str()).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let found = match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "boolean",
        serde_json::Value::Number(_) => "integer",
        serde_json::Value::String(_) => "string",
        serde_json::Value::Array(_) => "array",
        serde_json::Value::Object(_) => "object",
    };
    assert!(types.is_empty() || types.contains(&found), "{at} is a {found}, not {types:?}");
    if let Some(items) = value.as_array() {
        items.iter().for_each(|item| fits(root, &schema["items"], item, &format!("{at}[]")));
    }
    if let (Some(fields), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(fields.contains_key(name.as_str().unwrap()), "{at} lacks {name}");
        }
        for (name, field) in fields {
            assert!(known.contains_key(name), "{at} has `{name}`, which the schema does not");
            fits(root, &known[name], field, &format!("{at}.{name}"));
        }
    }
}

#[test]
fn a_tampered_bundle_is_broken_and_a_text_file_is_malformed() {
    let folder = tempfile::tempdir().unwrap();
    let world = usual(2);
    let mut bytes = world.bundle(&world.items());
    // The last byte of the last body: the end item after it has 11 bytes.
    let last = bytes.len() - 12;
    bytes[last] ^= 1;
    fs::write(folder.path().join("case.hallmark"), bytes).unwrap();
    let broken = verify(&["check", "case.hallmark"], folder.path());
    assert_eq!(broken.status.code(), Some(4), "{}", stdout(&broken));
    assert!(stdout(&broken).lines().last().unwrap().starts_with("broken: "));

    fs::write(folder.path().join("text"), "hello").unwrap();
    let malformed = verify(&["check", "text"], folder.path());
    assert_eq!(malformed.status.code(), Some(3));
    let lines = stderr(&malformed);
    let heads: Vec<_> = lines.lines().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(heads, ["error", "cause", "help"], "{lines}");
    assert_eq!(verify(&["check", "absent"], folder.path()).status.code(), Some(3));
    assert_eq!(verify(&["check"], folder.path()).status.code(), Some(2));
    assert_eq!(verify(&["check", "--table", "metre=x.csv"], folder.path()).status.code(), Some(2));
}

#[test]
fn plain_tables_are_judged_unproven_and_bad_rows_are_told_by_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let csv = "\u{feff}amount,device,unit,read_at,quantity,interval_s,weather\r\n\
        41000,0017,Wh,2026-03-01T00:15:00+08:00,electricity,900,rain\r\n\
        4.9E+12,0017,Wh,2026-03-01T00:30:00+08:00,electricity,900,rain\r\n\
        41000,0017,Wh,2026-03-01T00:45:00,electricity,900,rain\r\n";
    fs::write(folder.path().join("m.csv"), csv).unwrap();
    let output = verify(&["check", "--table", "meter_readings=m.csv"], folder.path());
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(3), "{text}{}", stderr(&output));
    assert!(text.contains("3 rows read, 1 used, 2 refused"), "{text}");
    assert!(text.contains("columns ignored: weather"), "{text}");
    assert!(text.contains("line 3, column amount: "), "{text}");
    assert!(text.contains("line 4, column read_at: "), "{text}");
    assert!(text.contains("unproven"), "{text}");

    let clean = csv.lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
    fs::write(folder.path().join("m.csv"), clean).unwrap();
    let output = verify(&["check", "--table", "meter_readings=m.csv"], folder.path());
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
}

#[test]
fn a_unit_that_no_rule_could_read_is_refused_and_tables_lists_those_that_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let row = |unit: &str| {
        format!(
            "device,quantity,unit,read_at,interval_s,amount\n\
             d,electricity,{unit},2026-03-01T00:15:00Z,900,1\n"
        )
    };
    let args = ["check", "--table", "meter_readings=m.csv"];
    for unit in ["banana", "KWH"] {
        fs::write(folder.path().join("m.csv"), row(unit)).unwrap();
        let output = verify(&args, folder.path());
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(3), "{text}");
        assert!(text.contains(&format!("line 2, column unit: `{unit}` is no unit")), "{text}");
    }
    let listed = stdout(&verify(&["tables", "meter_readings"], folder.path()));
    let json = stdout(&verify(&["tables", "meter_readings", "--format", "json"], folder.path()));
    let json: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
    let units = json["units"]["electricity"].as_array().unwrap();
    let units: Vec<_> = units.iter().map(|unit| unit.as_str().unwrap()).collect();
    assert!(listed.contains(&units.join(", ")), "{listed}");
    for unit in units {
        fs::write(folder.path().join("m.csv"), row(unit)).unwrap();
        assert_eq!(verify(&args, folder.path()).status.code(), Some(0), "{unit}");
    }
}

const CSV: &str = "device,quantity,unit,read_at,interval_s,amount\n\
    d,electricity,Wh,2026-03-01T00:15:00Z,900,1\n";

#[test]
fn a_table_comes_from_stdin_once_and_gives_what_its_file_gives() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("m.csv"), CSV).unwrap();
    let file = fs::File::open(folder.path().join("m.csv")).unwrap();
    let piped = Command::new(env!("CARGO_BIN_EXE_hallmark-verify"))
        .args(["check", "--table", "meter_readings=-"])
        .stdin(file)
        .output()
        .unwrap();
    let named = verify(&["check", "--table", "meter_readings=m.csv"], folder.path());
    assert_eq!(piped.status.code(), Some(0), "{}", stderr(&piped));
    assert_eq!(stdout(&piped), stdout(&named).replace("m.csv", "-"));

    let (meters, bills) = ("meter_readings=-", "emission_lines=-");
    for twice in
        [&["check", "--table", meters, "--table", bills][..], &["check", "-", "--table", meters]]
    {
        let refused = verify(twice, folder.path());
        assert_eq!(refused.status.code(), Some(2));
        assert!(stderr(&refused).contains("stdin is read once"), "{}", stderr(&refused));
    }
}

#[test]
fn a_plain_table_given_as_evidence_is_told_how_to_give_it() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("m.csv", CSV), ("m", CSV), ("m.xlsx", "PK\u{3}\u{4}"), ("p", "PAR1")] {
        fs::write(folder.path().join(name), bytes).unwrap();
        let refused = verify(&["check", name], folder.path());
        let told = stderr(&refused);
        assert_eq!(refused.status.code(), Some(3), "{told}");
        assert!(told.contains("--table NAME=FILE") && !told.contains("bundle again"), "{told}");
        assert_eq!(told.contains("meter_readings"), bytes == CSV, "{told}");
    }
}

#[test]
fn format_means_what_report_means() {
    let folder = tempfile::tempdir().unwrap();
    usual(2).write_dir(&folder.path().join("plant"));
    let report = verify(&["check", "plant", "--report", "json"], folder.path());
    let format = verify(&["check", "plant", "--format", "json"], folder.path());
    assert_eq!((report.status.code(), report.stdout), (format.status.code(), format.stdout));
    let both = ["check", "plant", "--format", "json", "--report", "text"];
    assert_eq!(verify(&both, folder.path()).status.code(), Some(2));
}

#[test]
fn tables_lists_every_table_as_text_and_json() {
    let folder = tempfile::tempdir().unwrap();
    let text = stdout(&verify(&["tables"], folder.path()));
    assert!(text.contains("\nmeter_readings: ") && text.contains("\nledger_entries: "), "{text}");
    let json = stdout(&verify(&["tables", "--format", "json", "meter_readings"], folder.path()));
    let table: serde_json::Value = serde_json::from_str(json.trim()).unwrap();
    let columns = table["columns"].as_array().unwrap();
    let required = columns.iter().filter(|column| column["required"] == true);
    let names: Vec<_> = required.map(|column| column["name"].as_str().unwrap()).collect();
    let mut wanted = vec!["device", "quantity", "unit", "read_at", "interval_s", "amount"];
    wanted.sort_unstable();
    let mut found = names.clone();
    found.sort_unstable();
    assert_eq!(found, wanted);
    assert_eq!(verify(&["tables", "meter_reading"], folder.path()).status.code(), Some(2));
}
