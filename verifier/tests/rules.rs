//! The core rules: their cases, and what they say about real meters.

use std::path::PathBuf;

use hallmark_schemas::table::{Cell, Rows};
use hallmark_schemas::time::Timestamp;
use hallmark_verifier::cases;
use hallmark_verifier::finding::{Finding, Severity};
use hallmark_verifier::judge::{Judge, JudgeOptions, MEMORY_DEFAULT};
use hallmark_verifier::pack::Pack;
use hallmark_verifier::table::TableSet;

const QUARTER_MS: u64 = 900_000;

#[test]
fn every_case_of_every_core_rule_passes_however_the_run_is_cut_up() {
    let results = cases::test(Pack::core().expect("valid")).expect("judged");
    let failed: Vec<_> = results.iter().filter(|result| result.fault.is_some()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// A reading: device, quantity, unit, seconds, end in Unix milliseconds, amount.
type Reading = (String, &'static str, &'static str, i64, u64, i64);

fn tables(readings: &[Reading]) -> TableSet {
    let table = hallmark_schemas::table::table("meter_readings").expect("declared");
    let mut rows = Rows::new();
    for (number, (device, quantity, unit, interval_s, at, amount)) in readings.iter().enumerate() {
        let cells = table.all_columns().map(|column| match column.name {
            "content_id" => Cell::text(format!("file:real#{:09}", number + 1)),
            "device" => Cell::text(device),
            "quantity" => Cell::text(quantity),
            "unit" => Cell::text(unit),
            "interval_s" => Cell::Integer(*interval_s),
            "read_at" => Cell::Instant(Timestamp::from_unix_ms(*at)),
            "amount" => Cell::Integer(*amount),
            _ => Cell::Null,
        });
        rows.push_whole(table, cells.collect());
    }
    TableSet::from_rows(rows).expect("rows fit")
}

fn judge(tables: &TableSet) -> Vec<Finding> {
    let judge = Judge::with_core().expect("valid");
    let options =
        JudgeOptions { as_of: cases::newest(tables), memory_max: MEMORY_DEFAULT, only: None };
    let judged = judge.run(tables, &options).expect("judged");
    assert!(judged.failed.is_empty(), "{:?}", judged.failed);
    judged.findings.into_iter().filter(|finding| Severity::Warning <= finding.severity).collect()
}

/// Third-party data, which is not part of the project.
fn real(file: &str) -> Option<String> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = std::env::var("HALLMARK_REAL_DATA").unwrap_or_else(|_| "../shared/data".to_owned());
    let text = std::fs::read_to_string(root.join(data).join("carbon").join(file)).ok();
    if text.is_none() {
        println!("skipped: no {file} in HALLMARK_REAL_DATA");
    }
    text
}

/// A decimal number as an integer of `decimals` more digits.
fn scaled(text: &str, decimals: i32) -> Option<i64> {
    let number: f64 = text.parse().ok()?;
    Some((number * 10_f64.powi(decimals)).round() as i64)
}

/// Active and reactive energy of the steel works, in quarter hours from 2018-01-01 in Korea.
fn steel() -> Option<Vec<[i64; 2]>> {
    let text = real("steel_plant_15min_2018_jan_sep.csv")?;
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        Some([scaled(cells[2], 3)?, scaled(cells[3], 3)?])
    };
    Some(text.lines().skip(1).map(|line| row(line).expect("numbers")).collect())
}

fn steel_readings(rows: &[[i64; 2]], from: usize) -> Vec<Reading> {
    let start = Timestamp::parse("2018-01-01T00:00:00+09:00").expect("an instant").unix_ms();
    let mut readings = Vec::new();
    for (quarter, row) in rows.iter().enumerate() {
        let at = start + (from + quarter + 1) as u64 * QUARTER_MS;
        readings.push(("steel".to_owned(), "electricity", "Wh", 900, at, row[0]));
        readings.push(("steel".to_owned(), "reactive_lag", "varh", 900, at, row[1]));
    }
    readings
}

/// First and last quarter hour of each quarter of the series.
const QUARTERS: [(usize, usize); 3] = [(0, 8_640), (8_640, 17_376), (17_376, 26_208)];

#[test]
fn no_quarter_of_the_steel_works_is_accused() {
    let Some(rows) = steel() else { return };
    for (from, to) in QUARTERS {
        let found = judge(&tables(&steel_readings(&rows[from..to], from)));
        assert!(found.is_empty(), "{from}: {:?}", found[0].message_en);
    }
    assert!(judge(&tables(&steel_readings(&rows, 0))).is_empty());
}

#[test]
fn a_copied_stretch_of_the_steel_works_is_one_finding() {
    let Some(rows) = steel() else { return };
    let week = 672;
    for (source, copy, length) in [
        (96 * 7, 96 * 14, week),
        (96 * 3, 96 * 60, week),
        (96 * 70, 96 * 10, week),
        (1_000, 5_000, 96),
        (96 * 8 + 40, 96 * 20 + 40, 24),
        (8_000, 100, 48),
    ] {
        let mut forged = rows[..8_640].to_vec();
        let stretch = forged[source..source + length].to_vec();
        forged[copy..copy + length].copy_from_slice(&stretch);
        let found = judge(&tables(&steel_readings(&forged, 0)));
        let said: Vec<_> = found.iter().map(|finding| &finding.message_en).collect();
        assert_eq!(found.len(), 1, "{source} {copy} {length}: {said:?}");
        assert_eq!((found[0].code.as_str(), found[0].subject.as_str()), ("MTR-005", "steel"));
        let start = Timestamp::parse("2018-01-01T00:00:00+09:00").expect("an instant").unix_ms();
        let later = start + source.max(copy) as u64 * QUARTER_MS;
        let anchored = found[0].period_start.expect("stated").unix_ms();
        assert!(anchored.abs_diff(later) <= 2 * QUARTER_MS, "{anchored} is not near {later}");
    }
}

/// The twelve homes, each a site of its own.
fn homes() -> Vec<Reading> {
    let mut readings: Vec<Reading> = Vec::new();
    let Some(homes) = real("citylearn12_homes_hourly.csv") else { return readings };
    let header: Vec<&str> = homes.lines().next().expect("a header").split(',').collect();
    for (hour, line) in homes.lines().skip(1).enumerate() {
        let at = 1_470_009_600_000 + (hour as u64 + 1) * 3_600_000;
        for (name, cell) in header.iter().zip(line.split(',')) {
            if name.ends_with("_load_kwh") {
                let amount = scaled(cell, 3).expect("a number");
                readings.push(((*name).to_owned(), "electricity", "Wh", 3_600, at, amount));
            }
        }
    }
    readings
}

#[test]
fn days_copied_from_another_home_are_found_whatever_their_scale_and_no_other_home_is_accused() {
    let mut readings = homes();
    if readings.is_empty() {
        return;
    }
    readings.retain(|reading| (200..260).contains(&(reading.4 / 86_400_000 - 17_014)));
    let (day, names) = (|at: u64| (at - 1) / 86_400_000, ["b02_load_kwh", "b09_load_kwh"]);
    let first = day(readings[0].4);
    let copied = (first + 20)..(first + 26);
    let source: Vec<i64> = readings
        .iter()
        .filter(|one| one.0 == names[0] && copied.contains(&day(one.4)))
        .map(|one| one.5)
        .collect();
    let mut source = source.into_iter();
    for reading in &mut readings {
        if reading.0 == names[1] && copied.contains(&day(reading.4)) {
            reading.5 = source.next().expect("as many") * 7 / 4;
        }
    }
    let found = judge(&tables(&readings));
    let said: Vec<_> = found.iter().map(|one| (&*one.code, &*one.subject)).collect();
    assert_eq!(said, [("MTR-007", names[0])], "{said:?}");
    assert!(found[0].message_en.contains(names[1]), "{}", found[0].message_en);
}

#[test]
fn homes_and_a_gas_turbine_are_not_accused() {
    let mut readings = homes();
    if let Some(turbine) = real("gas_turbine_hourly_2011_2013.csv") {
        for (hour, line) in turbine.lines().skip(1).enumerate() {
            let cells: Vec<&str> = line.split(',').collect();
            let at = 1_293_840_000_000 + hour as u64 * 3_600_000;
            let amount = scaled(cells[9], 6).expect("a number");
            readings.push(("turbine".to_owned(), "electricity", "Wh", 3_600, at, amount));
        }
    }
    if !readings.is_empty() {
        let found = judge(&tables(&readings));
        assert!(found.is_empty(), "{:?}", found[0].message_en);
    }
}
