use hallmark_schemas::table::{COMMON, Cell, Rows, table};

use super::*;
use crate::judge::{Judge, JudgeOptions};

const HOUR_MS: u64 = 3_600_000;

/// Three weeks of hourly readings of one meter; the third repeats the first. One hour is missing.
fn copied() -> TableSet {
    let table = table("meter_readings").expect("declared");
    let mut rows = Rows::new();
    for hour in 0..504_u64 {
        if hour == 400 {
            continue;
        }
        let of = if 336 <= hour { hour - 336 } else { hour };
        let mut cells = vec![Cell::text(format!("file:ab#{hour}"))];
        cells.resize(COMMON.len(), Cell::Null);
        let at = Timestamp::try_from_unix_ms(1_772_323_200_000 + hour * HOUR_MS).expect("in 2026");
        for column in table.columns {
            cells.push(match column.name {
                "device" => Cell::text("d"),
                "quantity" => Cell::text("electricity"),
                "unit" => Cell::text("Wh"),
                "read_at" => Cell::Instant(at),
                "interval_s" => Cell::Integer(3_600),
                "amount" => Cell::integer(1_000 + (of * 7_919) % 613),
                _ => Cell::Null,
            });
        }
        rows.push_whole(table, cells);
    }
    TableSet::from_rows(rows).expect("rows fit")
}

fn findings(tables: &TableSet) -> Vec<Finding> {
    let judge = Judge::with_core().expect("our rules");
    let only = Some(["MTR-005".to_owned()].into());
    let as_of = Timestamp::try_from_unix_ms(1_780_000_000_000).expect("in 2026");
    let options = JudgeOptions { as_of, memory_max: 1 << 30, only };
    judge.run(tables, &options).expect("it runs").findings
}

#[test]
fn a_copied_week_is_drawn_over_the_week_that_it_was_copied_from() {
    let tables = copied();
    let findings = findings(&tables);
    let charts = charts(&findings, &tables);
    let chart = charts[0].as_ref().expect("a meter's finding has a chart");
    assert!(matches!(chart.compared, Compared::Source { .. }));
    let (from, to) = chart.window;
    let within = chart.points.iter().filter(|point| from < point.at_ms && point.at_ms <= to);
    let mut compared = 0;
    for point in within {
        let place = chart.others.binary_search_by_key(&point.at_ms, |other| other.at_ms);
        let other = &chart.others[place.expect("the source has every hour")];
        assert_eq!(point.amount, other.amount);
        assert_ne!(point.id, other.id);
        compared += 1;
    }
    assert!(24 < compared, "{compared}");
}

#[test]
fn a_finding_without_readings_has_no_chart_and_a_missing_hour_stays_missing() {
    let tables = copied();
    let mut all = findings(&tables);
    let mut other = all[0].clone();
    other.subject = "urn:hallmark:org:gln:9506000000015".to_owned();
    other.evidence.clear();
    all.push(other);
    let charts = charts(&all, &tables);
    assert!(charts[all.len() - 1].is_none());
    let chart = charts[0].as_ref().expect("a chart");
    assert!(chart.points.windows(2).any(|two| two[1].at_ms - two[0].at_ms == 7_200_000));
}

/// Two days of a parent, of line `a` cut from the second day on, and of a much larger line `b`,
/// which one hour is missing of.
fn parent() -> TableSet {
    let table = table("meter_readings").expect("declared");
    let mut rows = Rows::new();
    for hour in 0..48_u64 {
        let (a, b) = (100 + hour % 7, 50_000 + (hour * 37) % 101);
        let cut = if hour < 24 { a } else { a / 2 };
        for (device, amount) in [("p", a + b), ("a", cut), ("b", b)] {
            if device == "b" && hour == 30 {
                continue;
            }
            let mut cells = vec![Cell::text(format!("{device}#{hour}"))];
            cells.resize(COMMON.len(), Cell::Null);
            let at = Timestamp::from_unix_ms(1_772_323_200_000 + hour * HOUR_MS);
            cells.extend(table.columns.iter().map(|column| match column.name {
                "device" => Cell::text(device),
                "quantity" => Cell::text("electricity"),
                "unit" => Cell::text("Wh"),
                "read_at" => Cell::Instant(at),
                "interval_s" => Cell::Integer(3_600),
                "amount" => Cell::integer(amount),
                _ => Cell::Null,
            }));
            rows.push_whole(table, cells);
        }
    }
    let topology = hallmark_schemas::table::table("meter_topology").expect("declared");
    for child in ["a", "b"] {
        let mut cells = vec![Cell::text(format!("p/{child}"))];
        cells.resize(COMMON.len(), Cell::Null);
        cells.extend(topology.columns.iter().map(|column| match column.name {
            "parent" => Cell::text("p"),
            "child" => Cell::text(child),
            "sign" => Cell::Integer(1),
            "complete" => Cell::Bool(true),
            _ => Cell::Null,
        }));
        rows.push_whole(topology, cells);
    }
    TableSet::from_rows(rows).expect("rows fit")
}

#[test]
fn a_child_is_drawn_beside_what_its_parent_and_its_siblings_leave_for_it() {
    let tables = parent();
    let mut finding = findings(&copied())[0].clone();
    finding.subject = "a".to_owned();
    finding.period_start = Timestamp::try_from_unix_ms(1_772_323_200_000 + 24 * HOUR_MS);
    finding.period_end = Timestamp::try_from_unix_ms(1_772_323_200_000 + 48 * HOUR_MS);
    finding.columns = [("parent".to_owned(), Value::from("p"))].into();
    let charts = charts(&[finding], &tables);
    let chart = charts[0].as_ref().expect("a chart");
    assert_eq!(chart.compared, Compared::Parent { device: "p".to_owned(), siblings: 1 });
    assert_eq!((chart.points.len(), chart.others.len()), (48, 47), "an hour of b is missing");
    let most = chart.others.iter().map(|point| point.amount).max();
    assert_eq!(most, Some(106), "of the size of the child, not of the parent");
    let halves = chart.points.iter().skip(24).zip(chart.others.iter().skip(24));
    assert!(halves.take(5).all(|(own, left)| own.amount == left.amount / 2));
}
