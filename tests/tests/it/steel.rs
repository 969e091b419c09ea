//! A real meter's quarter: from CSV through agent, broker and node into the lake and the rules.

use std::path::Path;

use serde_json::Value;

use super::world::{Agent, Broker, SOON, World, path_text, real_data, run, wait};

const SERIES: &str = "carbon/steel_plant_15min_2018_jan_sep.csv";
const SOURCE: &str = r#"quantity = "electricity"
unit = "kWh"
time_column = "period_end"
value_column = "usage_kwh"
time_zone = "+09:00"
interval = "15min"
clock_quality = "synchronised"
"#;
const WEEK: usize = 7 * 96;

/// Header and the rows from January to March.
fn quarter(path: &Path) -> (String, Vec<String>) {
    let text = std::fs::read_to_string(path).expect("the data is readable");
    let mut lines = text.lines();
    let header = lines.next().expect("a header").to_owned();
    let rows = lines.filter(|line| line < &"2018-04").map(ToOwned::to_owned).collect();
    (header, rows)
}

/// The same rows with the values of week `from` standing in week `to` too.
fn with_copied_week(rows: &[String], from: usize, to: usize) -> Vec<String> {
    let mut rows = rows.to_vec();
    for offset in 0..WEEK {
        let value = rows[from * WEEK + offset].split(',').nth(2).expect("usage_kwh").to_owned();
        let mut cells: Vec<&str> = rows[to * WEEK + offset].split(',').collect();
        cells[2] = &value;
        let row = cells.join(",");
        rows[to * WEEK + offset] = row;
    }
    rows
}

fn serious(findings: &[Value]) -> Vec<&Value> {
    // Two meters with the same readings are alike too, which the copied week explains.
    let is_own = |finding: &&Value| finding["explained_by"].is_null();
    findings.iter().filter(|finding| finding["severity"] != "note").filter(is_own).collect()
}

#[test]
fn a_real_quarter_passes_and_a_copied_week_is_one_finding() {
    let Some(path) = real_data(SERIES) else {
        return;
    };
    let world = World::new();
    let broker = Broker::mosquitto(&world);
    let url = broker.as_ref().map_or("embedded", |broker| broker.url.as_str());
    let mut node = world.founder_with("plant", &["producer"], &["--mqtt", url]);
    node.ready();
    let (header, rows) = quarter(&path);
    let copied = with_copied_week(&rows, 5, 9);
    for (name, rows) in [("m-honest", &rows), ("m-copied", &copied)] {
        let agent = Agent::meter(&world, &node, name, SOURCE);
        let file = world.file(&format!("{name}.csv"), format!("{header}\n{}\n", rows.join("\n")));
        agent.run("replay", &[path_text(&file), "--speed", "max"]).ok();
        let status = agent.run("status", &["--format", "json"]).ok();
        assert!(status.stdout.contains("\"pending\":0"), "{}", status.stdout);
    }
    let finding = wait("the finding at the node", SOON, || {
        let findings = node.get("/v1/findings").json();
        let list = findings.as_array().or_else(|| findings["findings"].as_array())?.clone();
        serious(&list).first().map(|finding| (*finding).clone())
    });
    assert_eq!(finding["code"], "MTR-005");
    assert!(finding["subject"].as_str().is_some_and(|subject| subject.ends_with(":m-copied")));
    node.stop();
    let checked = run("hallmark-verify", &["check", node.dir_text(), "--report", "json"]).fails(1);
    let report: Value = serde_json::from_str(&checked.stdout).expect("one JSON document");
    let findings = report["findings"].as_array().expect("a list").clone();
    let serious = serious(&findings);
    assert_eq!(serious.len(), 1, "{serious:#?}");
    assert_eq!(serious[0]["id"], finding["id"], "node and verifier agree");
}

/// The agent is killed while it replays; started again it loses and doubles nothing.
#[test]
fn an_agent_killed_ten_times_loses_and_doubles_no_batch() {
    let Some(path) = real_data(SERIES) else {
        return;
    };
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(11);
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new();
    let node = world.founder_with("plant", &["producer"], &["--mqtt", "embedded"]);
    node.ready();
    let (header, rows) = quarter(&path);
    let mut agent = Agent::meter(&world, &node, "m-1", SOURCE);
    for part in 0..10 {
        let rows = &rows[part * 480..(part + 1) * 480];
        let file =
            world.file(&format!("part-{part}.csv"), format!("{header}\n{}\n", rows.join("\n")));
        let replay = agent.spawn("replay", &[path_text(&file), "--speed", "max"]);
        std::thread::sleep(std::time::Duration::from_millis(random.u64(50..900)));
        replay.kill();
    }
    let last = world.file("last.csv", format!("{header}\n{}\n", rows[4800..4896].join("\n")));
    agent.run("replay", &[path_text(&last)]).ok();
    let status = agent.run("status", &["--format", "json"]).ok();
    assert!(status.stdout.contains("\"pending\":0"), "{}", status.stdout);
    let mut node = node;
    node.stop();
    let checked = run("hallmark-verify", &["check", node.dir_text(), "--report", "json"]);
    let report: Value = serde_json::from_str(&checked.stdout).expect("one JSON document");
    let sequence = |finding: &&Value| finding["code"] == "MTR-001";
    let findings = report["findings"].as_array().expect("a list");
    assert_eq!(findings.iter().filter(sequence).count(), 0, "{findings:#?}");
    assert_eq!(checked.code, 0, "{}", checked.stderr);
}
