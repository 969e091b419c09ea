//! A market with known truth, judged by the program: few honest are accused, most frauds found.

use hallmark_examples::market;
use hallmark_examples::market::fraud::CLONE_LATER;
use hallmark_examples::market::score::{Line, Truth, score, share_milli};

use super::world::{path_text, run};

/// As few as make each lot a case.
const ITEMS: u64 = 4_000;

#[test]
fn frauds_of_a_market_are_found_and_the_honest_are_not_accused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let market = market::make(7, ITEMS);
    market.write(folder.path()).expect("the tables are written");
    let report = folder.path().join("report.json");
    let at = ["check", "--at", "2026-05-01T00:00:00Z", "--report", "json", "-o"];
    let mut args: Vec<String> = at.iter().map(|word| (*word).to_owned()).collect();
    args.push(path_text(&report).to_owned());
    for (name, _) in market.records.tables() {
        let file = folder.path().join(format!("{name}.csv"));
        args.extend(["--table".to_owned(), format!("{name}={}", path_text(&file))]);
    }
    run("hallmark-verify", &args).fails(1);
    let report = std::fs::read_to_string(&report).expect("the report is there");
    let report = serde_json::from_str(&report).expect("JSON");
    let truth = std::fs::read_to_string(folder.path().join("truth.csv")).expect("it is there");
    let truth = Truth::parse(&truth).expect("as it was written");
    assert_eq!(truth, Truth::of(market.items, &market.incidents));
    let score = score(&truth, &report);
    let told = score.to_markdown();
    for Line { fraud, committed, found, findings, right } in &score.lines {
        // A copy that is sold days later is a resale by all that the records tell.
        let least = if fraud == CLONE_LATER { 0 } else { 850 };
        assert!(least <= share_milli(*found, *committed), "{fraud}: {told}");
        assert!(900 <= share_milli(*right, *findings), "{fraud}: {told}");
    }
    // Of a thousand items less than one falls under a false error, and less than five under a warning.
    assert!(score.false_errors * 1_000 < score.items, "{told}");
    assert!(score.false_warnings * 200 < score.items, "{told}");
}
