use std::collections::BTreeMap;

use hallmark_schemas::table::{Cell, Rows};
use hallmark_schemas::time::Timestamp;

use super::progress::Progress;
use super::{Judge, JudgeError, JudgeOptions, MEMORY_DEFAULT, SHAPE, Shape};
use crate::pack::{Pack, PackError};
use crate::table::TableSet;

const HEADER: &str = r#"-- code     = "CODE"
-- title    = "Test"
-- status   = "stable"
-- since    = "0.1"
-- severity = "warning"
-- class    = "lead"
-- scope    = "device"
-- basis    = ["none"]
-- innocent = []
-- answer   = "none"
-- expires  = "10d"
-- message_en = "{subject} {n}"
-- message_zh = "{subject} {n}"
"#;

fn pack(rules: &[(&str, String)]) -> Result<Pack, PackError> {
    let mut files = BTreeMap::from([(
        "pack.toml".to_owned(),
        "name = \"test\"\nversion = \"1\"\njurisdiction = \"any\"\n[parameter.least]\nvalue = -3\nunit = \"1\"\nsource = \"none\"\nin_force = \"2026-01-01\"\n".to_owned(),
    )]);
    for (code, text) in rules {
        let family = code[..3].to_ascii_lowercase();
        files.insert(format!("{family}/{code}-test.sql"), text.replace("CODE", code));
    }
    Pack::from_files(&files)
}

/// A rule with one finding for each reading, and this p.
fn each(p_ppb: &str) -> String {
    format!(
        "{HEADER}SELECT device AS subject, read_at AS anchor, read_at AS period_start, read_at AS period_end,
           make_array(content_id, content_id) AS evidence, 7 AS evidence_count, amount AS n,
           'error' AS severity, {p_ppb} AS p_ppb
         FROM meter_readings WHERE $least < amount ORDER BY subject"
    )
}

fn readings(count: u64) -> TableSet {
    let table = hallmark_schemas::table::table("meter_readings").expect("declared");
    let mut rows = Rows::new();
    for number in 0..count {
        let cells = table.all_columns().map(|column| match column.name {
            "content_id" => Cell::text(format!("file:x#{number}")),
            "device" => Cell::text(format!("m{}", number % 5)),
            "quantity" | "unit" => Cell::text("x"),
            "interval_s" => Cell::Integer(900),
            "amount" => Cell::integer(number),
            "from_hi" | "read_at" => Cell::Instant(Timestamp::from_unix_ms(900_000 * (number + 1))),
            _ => Cell::Null,
        });
        rows.push_whole(table, cells.collect());
    }
    TableSet::from_rows(rows).expect("rows fit")
}

fn options() -> JudgeOptions {
    JudgeOptions { as_of: Timestamp::EPOCH, memory_max: MEMORY_DEFAULT, only: None }
}

#[test]
fn a_finding_has_the_rules_word_and_the_rows_values() {
    let judge = Judge::new(vec![pack(&[("TST-001", each("NULL"))]).expect("valid")]).expect("fits");
    let judged = judge.run(&readings(2), &options()).expect("judged");
    let finding = &judged.findings[1];
    assert_eq!(judged.findings.len(), 2);
    assert_eq!((finding.subject.as_str(), finding.anchor.as_str()), ("m1", "1970-01-01T00:30:00Z"));
    assert_eq!(finding.severity.as_str(), "warning", "a row may lower, not raise");
    assert_eq!((finding.evidence.len(), finding.evidence_count), (1, 7));
    assert_eq!(finding.message_en, "m1 1");
    assert_eq!(finding.expires_at.to_string(), "1970-01-11T00:30:00Z");
}

#[test]
fn buckets_and_partitions_change_nothing() {
    let judge = Judge::new(vec![pack(&[("TST-001", each("NULL"))]).expect("valid")]).expect("fits");
    let tables = readings(40);
    let whole = judge.run(&tables, &options()).expect("judged").findings;
    for buckets in [1, 2, 5, 64] {
        let shape = Shape { buckets: Some(buckets), partitions: 3, batch_rows: 2 };
        assert_eq!(
            judge
                .run_shaped(&tables, &options(), shape, &Progress::default())
                .expect("judged")
                .findings,
            whole
        );
    }
    assert_eq!(whole.len(), 40);
    assert_eq!(SHAPE.partitions, 1);
}

#[test]
fn findings_expire_and_chance_is_left_out() {
    let chance = each("CASE WHEN amount = 0 THEN 1000000000 ELSE 0 END");
    let judge = Judge::new(vec![pack(&[("TST-001", chance)]).expect("valid")]).expect("fits");
    let judged = judge.run(&readings(4), &options()).expect("judged");
    assert_eq!((judged.findings.len(), judged.tests.len()), (3, 4));
    let late =
        JudgeOptions { as_of: Timestamp::from_unix_ms(10 * 86_400_000 + 2_700_000), ..options() };
    let judged = judge.run(&readings(4), &late).expect("judged");
    assert_eq!((judged.findings.len(), judged.expired), (1, 2));
}

#[test]
fn a_rule_of_stage_two_reads_what_stage_one_found() {
    let second = format!(
        "{}-- stage = 2\nSELECT subject, 'all' AS anchor, min(period_start) AS period_start, max(period_end) AS period_end,
           array_agg(content_id ORDER BY content_id) AS evidence, count(*) AS evidence_count, count(*) AS n
         FROM findings WHERE code = 'TST-001' GROUP BY subject",
        HEADER.replace("device", "network")
    );
    let pack = pack(&[("TST-001", each("NULL")), ("TST-002", second)]).expect("valid");
    let judged =
        Judge::new(vec![pack]).expect("fits").run(&readings(10), &options()).expect("judged");
    let second: Vec<_> = judged.findings.iter().filter(|found| found.code == "TST-002").collect();
    assert_eq!(second.len(), 5);
    assert!(second.iter().all(|found| found.evidence_count == 2));
}

#[test]
fn a_rule_without_its_tables_is_named_silent_and_one_that_fails_stops_no_other() {
    let fails = each("NULL").replace("7 AS evidence_count", "1 / (amount - 1) AS evidence_count");
    let pack = pack(&[("TST-001", fails), ("TST-002", each("NULL"))]).expect("valid");
    let judge = Judge::new(vec![pack]).expect("fits");
    let judged = judge.run(&TableSet::new(), &options()).expect("judged");
    assert_eq!(judged.silent.len(), 2);
    assert_eq!(judged.silent[0].reason, "no rows in meter_readings");
    let judged = judge.run(&readings(3), &options()).expect("judged");
    assert_eq!((judged.failed.len(), judged.findings.len()), (1, 3));
    assert_eq!(judged.failed[0].code, "TST-001");
}

#[test]
fn a_rule_that_needs_more_memory_than_it_is_given_is_named_with_what_to_do() {
    let counts = each("NULL").replace("ORDER BY subject", "AND amount < 1");
    let pack = pack(&[("TST-001", each("NULL")), ("TST-002", counts)]).expect("valid");
    let judge = Judge::new(vec![pack]).expect("fits");
    let little = JudgeOptions { memory_max: 64 * 1024, ..options() };
    let judged = judge.run(&readings(20_000), &little).expect("judged");
    assert_eq!(judged.failed.len(), 1, "{:?}", judged.failed);
    assert_eq!(judged.failed[0].code, "TST-001", "what sorts nothing needs none");
    assert!(judged.failed[0].reason.contains("give more, such as `--memory 8G`"));
    assert!(judged.findings.iter().all(|finding| finding.code == "TST-002"));
}

#[test]
fn a_rule_that_finds_without_end_is_stopped() {
    // Each reading beside each other one: 1,440,000 rows of 1,200.
    let pairs = format!(
        "{HEADER}SELECT a.device AS subject, b.content_id AS anchor, a.read_at AS period_start, b.read_at AS period_end,
           make_array(a.content_id) AS evidence, 1 AS evidence_count, a.amount AS n
         FROM meter_readings AS a JOIN meter_readings AS b ON a.unit = b.unit"
    );
    let judge = Judge::new(vec![pack(&[("TST-001", pairs)]).expect("valid")]).expect("fits");
    let shape = Shape { buckets: Some(1), ..SHAPE };
    let judged = judge
        .run_shaped(&readings(1_200), &options(), shape, &Progress::default())
        .expect("judged");
    assert_eq!((judged.failed.len(), judged.findings.len()), (1, 0));
    assert!(judged.failed[0].reason.contains("more than 1000000 things"), "{:?}", judged.failed);
}

#[test]
fn a_rule_that_lacks_a_column_or_a_key_is_refused() {
    let lacks = each("NULL").replace("AS evidence_count", "AS count");
    let pack_of = |text: String| pack(&[("TST-001", text)]);
    let refused = Judge::new(vec![pack_of(lacks).expect("parses")]);
    assert!(matches!(refused, Err(JudgeError::Rule { .. })));
    let names = each("NULL").replace("amount AS n", "amount AS m");
    assert!(matches!(
        Judge::new(vec![pack_of(names).expect("parses")]),
        Err(JudgeError::Rule { .. })
    ));
    for (from, to) in [
        ("-- answer   = \"none\"\n", ""),
        ("-- title", "-- subtitle"),
        ("10d", "10 days"),
        ("\"device\"", "\"person\""),
        ("\"device\"", "\"network\""),
        ("\"warning\"", "\"fatal\""),
        ("$least", "$most"),
        ("[\"none\"]", "[]"),
        ("amount AS n", "now() AS n"),
    ] {
        assert!(pack_of(each("NULL").replacen(from, to, 1)).is_err(), "{from} -> {to}");
    }
    assert!(pack(&[("TST-1", each("NULL"))]).is_err());
}

#[test]
fn a_run_that_is_stopped_says_so_and_names_no_rule_as_done() {
    let judge = Judge::new(vec![pack(&[("ABC-001", each("1"))]).expect("valid")]).expect("planned");
    let as_of = Timestamp::from_unix_ms(900_000);
    let options = JudgeOptions { as_of, memory_max: MEMORY_DEFAULT, only: None };
    let whole = Progress::default();
    let judged = judge.run_watched(&readings(20), &options, &whole).expect("judged");
    assert!(!judged.is_partial && judged.rules_run == ["ABC-001"]);
    assert_eq!(whole.rows(), (20, 20));
    let stopped = Progress::default();
    stopped.stop();
    let judged = judge.run_watched(&readings(20), &options, &stopped).expect("judged");
    assert!(judged.is_partial && judged.rules_run.is_empty() && judged.findings.is_empty());
    assert_eq!(stopped.rows(), (0, 20));
}
