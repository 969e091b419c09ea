//! How the code looks: imports, homes of external crates, sizes, words that must not stand there.
//!
//! Reads every file that git would take; each fault names its file and line.

use std::path::{Path, PathBuf};

/// Longest file and function, in lines.
const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
/// The product's folders, in the order of their imports.
const CRATES: [&str; 6] = ["schemas", "verifier", "node", "device-agent", "tests", "examples"];

/// What each crate may name of ours.
const MAY_IMPORT: [(&str, &[&str]); 4] = [
    ("schemas", &[]),
    ("verifier", &["hallmark_schemas"]),
    ("node", &["hallmark_schemas", "hallmark_verifier"]),
    ("device-agent", &["hallmark_schemas"]),
];

/// An external crate and where it may be named: beginnings of paths, `*` for one folder's name.
const HOMES: [(&str, &[&str]); 18] = [
    ("axum", &["node/src/api", "node/src/serve", "node/src/socket"]),
    ("rumqttc", &["node/src/mqtt", "device-agent/src/publish", "device-agent/src/source/mqtt"]),
    ("rumqttd", &["node/src/mqtt"]),
    ("libp2p", &["node/src/net"]),
    ("fjall", &["node/src/index/"]),
    ("sled", &["node/src/index/"]),
    ("datafusion", &["verifier/src/"]),
    ("arrow", &["verifier/src/"]),
    ("clap", &["*/src/cli", "*/src/main.rs", "examples/src/demo/cli.rs", "examples/src/market/"]),
    ("reqwest", &["node/src/client.rs", "verifier/src/load/node_url.rs"]),
    ("maud", &["node/src/page", "verifier/src/report/html"]),
    ("calamine", &["verifier/src/load/xlsx.rs"]),
    ("zip", &["verifier/src/load/xlsx.rs"]),
    ("rustix", &["node/src/store/disk"]),
    ("minicbor", &["schemas/src/"]),
    ("qrcode", &["node/src/labels/", "examples/src/demo/"]),
    ("datamatrix", &["node/src/labels/"]),
    ("pdf_writer", &["node/src/labels/"]),
];

/// Words that stand for unfinished work or for another machine.
const FORBIDDEN: [&str; 6] =
    ["todo!(", "unimplemented!(", "#[ignore", "/home/", "/root/", concat!("/wo", "rk/")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

struct Source {
    path: String,
    text: String,
    /// The line on which the tests at the foot begin; past the end if there are none.
    tests_from: usize,
    /// The file is only compiled for tests or benchmarks.
    is_test: bool,
}

/// `#[cfg(test)]` before a module: the number of that line, and the line of the module.
fn test_modules(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let next = text.lines().skip(1);
    text.lines().zip(next).enumerate().filter_map(|(number, (line, next))| {
        let is_module = next.starts_with("mod ") || next.starts_with("pub(crate) mod ");
        (line == "#[cfg(test)]" && is_module).then_some((number, next.trim_end()))
    })
}

fn sources() -> Vec<Source> {
    let mut all = Vec::new();
    for folder in CRATES {
        collect(&root().join(folder), folder, &mut all);
    }
    let mut tests = Vec::new();
    for source in &all {
        let folder = source.path.trim_end_matches(".rs").trim_end_matches("/lib");
        for (_, module) in test_modules(&source.text) {
            let name = module.rsplit(' ').next().unwrap().trim_end_matches(';');
            tests.push(format!("{folder}/{name}.rs"));
        }
    }
    for source in &mut all {
        source.is_test |= tests.contains(&source.path);
    }
    assert!(50 < all.len(), "the sources are not where they were: {} files", all.len());
    all
}

fn collect(folder: &Path, path: &str, all: &mut Vec<Source>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        let path = format!("{path}/{name}");
        if entry.is_dir() {
            collect(&entry, &path, all);
        } else if name.ends_with(".rs") {
            let text = std::fs::read_to_string(&entry).unwrap();
            let tests_from = test_modules(&text).find(|(_, line)| line.ends_with('{'));
            let tests_from = tests_from.map_or(usize::MAX, |(number, _)| number);
            let is_test = ["/tests.rs", "/tests/", "/benches/"].iter().any(|it| path.contains(it))
                || path.starts_with("tests/");
            all.push(Source { path, text, tests_from, is_test });
        }
    }
}

impl Source {
    fn folder(&self) -> &str {
        self.path.split('/').next().unwrap()
    }

    /// Lines of code outside tests and comments, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let end = if self.is_test { 0 } else { self.tests_from };
        let lines = self.text.lines().take(end).enumerate();
        lines.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(n, l)| (n + 1, l))
    }

    fn fault(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path)
    }
}

/// True if the line names the crate as a path: `axum::`, not `my_axum::` nor a word in a text.
fn names(line: &str, name: &str) -> bool {
    let path = format!("{name}::");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '`')
    }) || line.trim() == format!("use {name};")
}

fn check(faults: Vec<String>) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn crates_import_only_what_stands_before_them() {
    let ours: Vec<_> =
        CRATES.iter().map(|folder| format!("hallmark_{}", folder.replace('-', "_"))).collect();
    let mut faults = Vec::new();
    for source in sources() {
        let Some((_, may)) = MAY_IMPORT.iter().find(|(folder, _)| *folder == source.folder())
        else {
            continue;
        };
        let own = format!("hallmark_{}", source.folder().replace('-', "_"));
        for (number, line) in source.text.lines().enumerate() {
            let named = ours.iter().filter(|name| names(line, name));
            for name in named.filter(|name| **name != own && !may.contains(&name.as_str())) {
                faults.push(source.fault(number + 1, &format!("may not import {name}")));
            }
        }
    }
    check(faults);
}

#[test]
fn each_external_crate_has_one_home() {
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| !source.is_test) {
        for (number, line) in source.code() {
            for (name, homes) in HOMES {
                let is_home = homes.iter().any(|home| match home.strip_prefix('*') {
                    Some(rest) => source.path[source.folder().len()..].starts_with(rest),
                    None => source.path.starts_with(home),
                });
                if names(line, name) && !is_home {
                    faults.push(source.fault(number, &format!("{name} lives in {homes:?}")));
                }
            }
        }
    }
    check(faults);
}

#[test]
fn schemas_do_no_io_read_no_clock_and_roll_no_dice() {
    let words =
        ["std::fs", "std::net", "SystemTime", "Instant::now", "getrandom", "tokio", "std::env"];
    let mut faults = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("schemas/src/")) {
        for (number, line) in source.code() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                faults.push(source.fault(number, &format!("{word} in schemas")));
            }
        }
    }
    check(faults);
}

#[test]
fn files_and_functions_stay_short() {
    let mut faults = Vec::new();
    for source in sources() {
        let lines = source.text.lines().count();
        if FILE_LINES_MAX < lines {
            faults.push(source.fault(lines, &format!("more than {FILE_LINES_MAX} lines")));
        }
        let mut open: Option<(usize, usize)> = None;
        for (number, line) in source.text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            if let Some((from, depth)) = open {
                if indent == depth && line.trim_end() == format!("{}}}", " ".repeat(depth)) {
                    if FUNCTION_LINES_MAX < number - from + 1 {
                        let what = format!("a function of {} lines", number - from + 1);
                        faults.push(source.fault(from + 1, &what));
                    }
                    open = None;
                }
            } else if is_function(line) && !line.trim_end().ends_with(['}', ';']) {
                open = Some((number, indent));
            }
        }
    }
    check(faults);
}

/// The first line of a function, as rustfmt writes it.
fn is_function(line: &str) -> bool {
    let mut rest = line.trim_start();
    if let Some(after) = rest.strip_prefix("pub") {
        rest = after.trim_start_matches(|c: char| c != ' ').trim_start();
    }
    for word in ["const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    rest.starts_with("fn ")
}

#[test]
fn nothing_unfinished_unwrapped_or_bound_to_one_machine_is_left() {
    let mut faults = Vec::new();
    for source in sources() {
        let is_this = source.path.ends_with("it/tidy.rs");
        for (number, line) in source.text.lines().enumerate().filter(|_| !is_this) {
            for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
                faults.push(source.fault(number + 1, &format!("{word} must not stand here")));
            }
        }
        for (number, line) in source.code().filter(|(_, line)| line.contains(".unwrap()")) {
            faults.push(source.fault(number, &format!("unwrap outside tests: {}", line.trim())));
        }
        if source.path.ends_with("/mod.rs") {
            faults.push(source.fault(1, "m.rs stands beside m/, never m/mod.rs"));
        }
        if !source.is_test && !source.text.starts_with("//!") {
            faults.push(source.fault(1, "the first lines tell what the file is for"));
        }
    }
    check(faults);
}

#[test]
fn sentences_with_a_number_are_right_for_one_and_for_many() {
    let mut files: Vec<(String, String)> = Vec::new();
    let mut rules = Vec::new();
    find_rules(&root().join("verifier/packs"), &mut rules);
    for rule in rules {
        files.push((rule.display().to_string(), std::fs::read_to_string(&rule).unwrap()));
    }
    let sources = sources().into_iter().filter(|source| !source.path.ends_with("it/tidy.rs"));
    files.extend(sources.map(|source| (source.path, source.text)));
    let mut faults = Vec::new();
    for (path, text) in files {
        for (number, line) in text.lines().enumerate() {
            for ending in ["(s)", "(es)", "(ies)"] {
                let is_word = |at: usize| line[..at].ends_with(|c: char| c.is_ascii_lowercase());
                // A word that one or many things have, not a call such as `ids(s)`.
                let is_told = line.trim_start().starts_with("-- ") || line.contains('"');
                if is_told && line.match_indices(ending).any(|(at, _)| is_word(at)) {
                    faults.push(format!("{path}:{}: {}", number + 1, line.trim()));
                }
            }
        }
    }
    check(faults);
}

#[test]
fn main_files_are_short() {
    let all = sources();
    let mains = all.iter().filter(|source| source.path.ends_with("src/main.rs"));
    check(
        mains
            .filter(|source| 40 < source.text.lines().count())
            .map(|source| source.fault(1, "more than 40 lines"))
            .collect(),
    );
}

#[test]
fn documents_name_no_path_of_one_machine() {
    let mut faults = Vec::new();
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"] {
        let text = std::fs::read_to_string(root().join(name))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        for (number, line) in text.lines().enumerate() {
            for word in FORBIDDEN.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    check(faults);
}

#[test]
fn every_rule_has_cases_one_that_fires_and_one_for_each_innocent_explanation() {
    let mut rules = Vec::new();
    find_rules(&root().join("verifier/packs"), &mut rules);
    assert!(5 <= rules.len(), "{rules:?}");
    let mut faults = Vec::new();
    for rule in rules {
        let sql = std::fs::read_to_string(&rule).unwrap();
        let innocent = sql.lines().find_map(|line| line.strip_prefix("-- innocent = "));
        let list: Vec<String> = serde_json::from_str(innocent.unwrap_or("[]")).unwrap_or_default();
        let cases = std::fs::read_to_string(rule.with_extension("cases.md")).unwrap_or_default();
        let count = |heading: &str| cases.lines().filter(|l| l.starts_with(heading)).count();
        if count("## Fires:") == 0 || count("## Silent:") < list.len().max(1) {
            let found = (count("## Fires:"), count("## Silent:"));
            let wanted = list.len().max(1);
            faults.push(format!("{}: {found:?}, wanted 1 and {wanted}", rule.display()));
        }
    }
    check(faults);
}

fn find_rules(folder: &Path, rules: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            find_rules(&path, rules);
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            rules.push(path);
        }
    }
}

#[test]
fn continuous_integration_calls_the_test_command_and_nothing_else() {
    let text = std::fs::read_to_string(root().join(".ci/run")).unwrap();
    let commands: Vec<_> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("set "))
        .collect();
    assert_eq!(commands, ["cd \"$(dirname \"$0\")/..\"", "exec bash tests/run"]);
}

#[test]
fn every_dependency_is_used_by_the_crate_that_names_it() {
    let all = sources();
    let mut faults = Vec::new();
    for folder in CRATES {
        let manifest = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
        let mut is_list = false;
        for line in manifest.lines() {
            if line.starts_with('[') {
                is_list = line.ends_with("dependencies]");
                continue;
            }
            let end = line.find(['.', ' ', '=']).filter(|_| is_list && !line.starts_with('#'));
            let Some(name) = end.map(|end| line[..end].replace('-', "_")) else { continue };
            let is_used = all.iter().any(|source| {
                let is_own = source.folder() == folder && !source.path.ends_with("it/tidy.rs");
                is_own && source.text.contains(name.as_str())
            });
            if !is_used {
                faults.push(format!("{folder}/Cargo.toml: {name} is not used"));
            }
        }
    }
    check(faults);
}
