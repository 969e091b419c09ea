//! Pages that are generated and committed: help of every command, rules, tables, example
//! configurations, the description of the API as a node serves it, the wording of the passport for
//! the script that checks it. A stale page fails and says the
//! command that rewrites it.

mod wording;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::world::{World, org, path_text, run};

const HELP: &str = "rewrite it with: UPDATE=1 cargo test -p hallmark-tests generated";

#[test]
fn generated_pages_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, text) in pages() {
        let path = root.join(name);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
            std::fs::write(&path, &text).expect("writable");
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "{name} is stale; {HELP}");
    }
}

#[test]
fn the_description_of_the_api_is_openapi_for_another_validator_too() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi");
    if !folder.join("node_modules").exists() {
        println!(
            "skipped: docs/openapi.json by a validator, tests/openapi/node_modules is missing"
        );
        return;
    }
    let validate = |file: &Path| {
        let mut node = Command::new("node");
        node.arg(folder.join("validate.mjs")).arg(file).output().expect("node is beside npm")
    };
    let world = World::new();
    let text = served("/openapi.json");
    let said = validate(&world.file("openapi.json", &text));
    let words = String::from_utf8_lossy(&said.stdout);
    assert!(said.status.success() && words == "OpenAPI 3.1\n", "{words}");
    // It sees what is wrong: an operation with answers of no description.
    let broken = world.file("broken.json", text.replace("\"description\"", "\"x-about\""));
    assert_eq!(validate(&broken).status.code(), Some(1));
}

#[test]
fn a_finding_has_the_members_that_the_description_of_the_api_tells() {
    let world = World::new();
    let place = "https://id.gs1.org/414/95060001343";
    let at = "2026-03-01T0";
    let tables = [
        (
            "locations",
            format!(
                "location,lat_e7,lon_e7,precision_m\n{place}69,244798000,1180894000,100\n\
                 {place}76,305728000,1040668000,100\n"
            ),
        ),
        (
            "events",
            format!(
                "event_id,type,action,event_at,read_point\n\
                 a,ObjectEvent,OBSERVE,{at}8:00:00+08:00,{place}69\n\
                 b,ObjectEvent,OBSERVE,{at}9:00:00+08:00,{place}76\n"
            ),
        ),
        (
            "event_items",
            ["a", "b"].iter().fold("event_id,role,item\n".to_owned(), |text, id| {
                text + &format!("{id},epc,https://id.gs1.org/01/09506000134352/21/S1\n")
            }),
        ),
    ];
    let mut args = vec!["check".to_owned(), "--report".to_owned(), "json".to_owned()];
    for (name, rows) in &tables {
        let file = world.file(&format!("{name}.csv"), rows);
        args.extend(["--table".to_owned(), format!("{name}={}", path_text(&file))]);
    }
    let report: Value = serde_json::from_str(&run("hallmark-verify", &args).stdout).expect("JSON");
    let finding = report["findings"][0].as_object().expect("a finding");
    let document: Value = serde_json::from_str(&served("/openapi.json")).expect("JSON");
    let described = document["components"]["schemas"]["Finding"]["properties"].as_object();
    let described = described.expect("it is described");
    assert_eq!(finding.keys().collect::<Vec<_>>(), described.keys().collect::<Vec<_>>());
}

fn pages() -> BTreeMap<&'static str, String> {
    let mut pages = BTreeMap::new();
    pages.insert("docs/hallmark-node.md", help("hallmark-node"));
    pages.insert("docs/hallmark-agent.md", help("hallmark-agent"));
    pages.insert("docs/hallmark-verify.md", help("hallmark-verify"));
    pages.insert("docs/openapi.json", served("/openapi.json"));
    pages.insert("docs/rules.md", listed("Rules of this release", &["rules", "list"]));
    pages.insert("docs/tables.md", listed("Evidence tables of this release", &["tables"]));
    pages.insert("docs/config/node.toml", config("hallmark-node", &["--new-network", "demo"]));
    pages.insert("docs/config/agent.toml", config("hallmark-agent", &[]));
    pages.extend(wording::files());
    pages
}

/// The help of a program, of each of its subcommands, and of theirs.
fn help(program: &str) -> String {
    let first = run(program, &["--help"]).ok().stdout;
    let mut page = format!("# {program}\n\nGenerated; {HELP}.\n\n```text\n{first}```\n");
    for name in commands(&first) {
        let text = run(program, &[&name, "--help"]).ok().stdout;
        page.push_str(&format!("\n## {program} {name}\n\n```text\n{text}```\n"));
        let dir = text.contains("<DIR> <COMMAND>").then(|| "DIR".to_owned());
        let before: Vec<String> = std::iter::once(name).chain(dir).collect();
        for inner in commands(&text) {
            let line = [&before[..], std::slice::from_ref(&inner)].concat();
            let text = run(program, &[&line[..], &["--help".to_owned()]].concat()).ok().stdout;
            let title = line.join(" ");
            page.push_str(&format!("\n### {program} {title}\n\n```text\n{text}```\n"));
        }
    }
    page
}

/// The subcommands that a help lists.
fn commands(help: &str) -> Vec<String> {
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    // A long description goes on in the next line, further in.
    let names = list.lines().take_while(|line| line.starts_with("  "));
    let names = names.filter(|line| !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// What a running node answers.
fn served(path: &str) -> String {
    let world = World::new();
    let mut node = world.founder("described");
    let answer = node.get(path);
    assert_eq!(answer.status, 200, "{path}");
    node.stop();
    String::from_utf8(answer.body).expect("text")
}

/// What `hallmark-verify` lists.
fn listed(title: &str, args: &[&str]) -> String {
    let text = run("hallmark-verify", args).ok().stdout;
    format!("# {title}\n\nGenerated; {HELP}.\n\n```text\n{text}```\n")
}

/// The configuration that `init` writes.
fn config(program: &str, network: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let dir = folder.path().join("new");
    let org = org(1);
    let mut args = vec!["init", path_text(&dir), "--org", &org];
    let node = ["--name", "Example Ltd", "--role", "producer"];
    let agent = ["--device", "meter-1", "--source", "stdin", "--source", "replay"];
    args.extend(if network.is_empty() { agent.iter() } else { node.iter() });
    if network.is_empty() {
        args.extend(["--class", "meter", "--quantity", "electricity"]);
    }
    args.extend(network);
    run(program, &args).ok();
    std::fs::read_to_string(dir.join("config.toml")).expect("init wrote it")
}
