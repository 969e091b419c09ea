//! The README's command blocks, run as they stand.
//!
//! Each ```` ```sh ```` block runs in bash with the built programs on the path, all in one
//! temporary folder, in the order of the page. `exit=N` after `sh` is the block's exit code.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use hallmark_examples::world::program::Programs;

/// Blocks that are not run here, and the line of tests/run that runs the same.
const RUN_ELSEWHERE: [(&str, &str); 2] =
    [("cargo demo", "target/debug/demo --once"), ("bash tests/run", "phase \"clippy\"")];

/// What a block's shell needs: errors end it, `cargo demo` is the demo that is already built.
const PRELUDE: &str = "set -euo pipefail
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
cargo() { [ \"$1\" = demo ]; shift; demo \"$@\"; }
";

struct Block {
    line: usize,
    exit: i32,
    text: String,
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (number, line) in page.lines().enumerate() {
        match line.strip_prefix("```") {
            Some("") => is_open = false,
            Some(info) => {
                let exit = info.strip_prefix("sh").unwrap_or_else(|| panic!("```{info}")).trim();
                let exit = exit.strip_prefix("exit=").unwrap_or("0").parse().unwrap();
                is_open = true;
                blocks.push(Block { line: number + 1, exit, text: String::new() });
            }
            None if is_open => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            None => {}
        }
    }
    blocks
}

/// Every `fn` of a `.rs` file below a folder that has `#[test]` before it, in `found`.
fn collect_tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect_tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let after = text.split("#[test]").skip(1);
            let names = after.filter_map(|after| after.trim_start().strip_prefix("fn "));
            found.extend(names.filter_map(|after| Some(after.split_once('(')?.0.to_owned())));
        }
    }
}

#[test]
fn every_cell_of_the_durability_table_names_a_test_that_exists() {
    let page = std::fs::read_to_string(root().join("README.md")).unwrap();
    let mut tests = BTreeSet::new();
    for folder in ["schemas", "verifier", "node", "device-agent", "tests"] {
        collect_tests(&root().join(folder), &mut tests);
    }
    let section = page.split("## What survives what").nth(1).expect("the section");
    let mut lines = section.lines().skip_while(|line| !line.starts_with('|'));
    let head: Vec<&str> = lines.next().expect("a head").split('|').map(str::trim).collect();
    assert_eq!(head[2..6], ["`kill -9`", "power cut", "lost disk", "old backup put back"]);
    let rows: Vec<&str> = lines.skip(1).take_while(|line| line.starts_with('|')).collect();
    assert!(5 < rows.len(), "{} rows", rows.len());
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split('|').collect();
        assert_eq!(cells.len(), head.len() - 2, "{row}");
        for cell in &cells[1..] {
            let named = cell.rsplit('`').nth(1).expect("a name");
            assert!(tests.contains(named), "{named} is no test: {cell}");
        }
    }
}

#[test]
fn every_command_block_of_the_readme_does_what_it_says() {
    let page = std::fs::read_to_string(root().join("README.md")).unwrap();
    let tests_run = std::fs::read_to_string(root().join("tests/run")).unwrap();
    let blocks = blocks(&page);
    assert!(4 < blocks.len(), "{} blocks", blocks.len());
    let programs = Programs::beside_this().unwrap();
    let folder = programs.path("demo").parent().unwrap().to_owned();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let work = tempfile::tempdir().unwrap();
    for block in blocks {
        let elsewhere = RUN_ELSEWHERE.iter().find(|(text, _)| block.text.trim() == *text);
        if let Some((text, line)) = elsewhere {
            assert!(tests_run.contains(line), "{text}: tests/run has no {line}");
            continue;
        }
        let output = Command::new("bash")
            .args(["-c", &format!("{PRELUDE}{}", block.text)])
            .current_dir(work.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        assert_eq!(
            output.status.code(),
            Some(block.exit),
            "README.md:{}\n{}\n{}\n{}",
            block.line,
            block.text,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
