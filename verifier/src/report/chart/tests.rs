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
