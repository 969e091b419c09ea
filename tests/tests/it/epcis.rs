//! EPCIS example documents of other implementations, from file to bundle and back.

use std::path::PathBuf;

use super::world::{World, path_text, real_data, run};

fn documents(folder: PathBuf) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|file| file.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

#[test]
fn example_documents_are_submitted_logged_exported_and_checked() {
    let Some(data) = real_data("epcis/documents/Capture") else {
        return;
    };
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    let mut ids = Vec::new();
    for file in documents(data.join("Documents")).into_iter().chain(documents(data.join("Events")))
    {
        let ran = node.run("submit", &[path_text(&file)]);
        // Two examples give an eventID that an earlier example gave to other content, and two lie
        // outside the schema: those are refused with a reason, never dropped.
        assert!([0, 1, 3].contains(&ran.code), "{}: {}", file.display(), ran.stderr);
        let stored = ran.stdout.split_whitespace().filter(|word| word.starts_with("sha256:"));
        ids.extend(stored.map(|id| id.trim_end_matches(',').to_owned()));
        assert!(
            ran.code == 0 || ran.stderr.contains("refused") || ran.stderr.contains("error:"),
            "{}: {}",
            file.display(),
            ran.stderr
        );
    }
    ids.sort();
    ids.dedup();
    assert!(25 <= ids.len(), "only {} events were stored", ids.len());
    let bundle = world.path("all.hallmark");
    let mut line: Vec<&str> = ids.iter().flat_map(|id| ["--id", id]).collect();
    line.extend(["-o", path_text(&bundle)]);
    node.run("export", &line).ok();
    let checked = run("hallmark-verify", &["check", path_text(&bundle), "--report", "json"]);
    assert!([0, 1].contains(&checked.code), "{}", checked.stderr);
    let report: serde_json::Value = serde_json::from_str(&checked.stdout).expect("JSON");
    assert_eq!(report["rules_failed"], serde_json::json!([]), "every rule can judge them");
    // Examples of others are honest: no rule on goods accuses them.
    let accused = |finding: &&serde_json::Value| {
        let code = finding["code"].as_str().unwrap_or_default();
        code.starts_with("TRC") && finding["severity"] != "note"
    };
    let findings = report["findings"].as_array().expect("a list");
    let accusing: Vec<_> = findings.iter().filter(accused).collect();
    assert!(accusing.is_empty(), "{accusing:#?}");
    // Two of the examples say different things of one event: a contradiction, though all is whole.
    let ran = node.run("check", &[]).fails(1);
    assert!(ran.stdout.contains("fork: ") && ran.stdout.contains("found: "), "{}", ran.stdout);
}

#[test]
fn invalid_example_documents_are_refused_and_nothing_of_them_is_stored() {
    let Some(data) = real_data("epcis/documents/Capture/Invalid") else {
        return;
    };
    let world = World::new();
    let node = world.founder("plant");
    node.ready();
    for file in documents(data) {
        let ran = node.run("submit", &[path_text(&file)]);
        assert!([1, 3].contains(&ran.code), "{}: {} {}", file.display(), ran.code, ran.stdout);
        assert!(!ran.stdout.contains("sha256:"), "{}: {}", file.display(), ran.stdout);
    }
}
