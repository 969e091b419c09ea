//! `unlike_weeks(series, read_at, interval_s, amount, content_id, offset_s, found_min_milli,
//! report_min_milli)`: weeks of a device's readings that are unlike its own past.
//!
//! An aggregate over all readings of one device. It returns a list of structs, one for each
//! incident (weeks that score `found_min_milli` and follow one another; and other weeks that score
//! `report_min_milli`): `start`, `end`, `noticed` (end of its first week) (instants), `weeks`,
//! `score_milli` (of the most unlike week), `reason` and `reason_zh` (the figure that is farthest
//! from usual), `reason_milli` (how many thousandths of a spread), `days` (of the past), `series`,
//! `evidence`, `evidence_count`. The
//! score is described in [`week`](crate::series::week).
//!
//! Days begin at `offset_s` after midnight UTC of the instants minus the interval; only days whose
//! intervals are all there count. A week is seven days that follow one another; its past are the 63
//! last whole days before it, none older than 91 days and none of a week that was itself found, so
//! that an attack that goes on does not become usual. `series` tells apart what must not be compared.

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::days::{
    COLUMNS, Day, INTERVAL_S, INTERVALS_MIN, ORDER, SERIES, begin_ms, days, evidence,
};
use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::week::{FIGURES_EN, FIGURES_ZH, PAST, Past, WEEK};

/// The past reaches back so many days at most: nine weeks, and four for gaps.
const PAST_DAYS_MAX: i64 = 91;

/// See the module's words.
pub(super) static UNLIKE_WEEKS: Spec = Spec {
    name: "unlike_weeks",
    columns: COLUMNS,
    order: ORDER,
    settings: &["offset_s", "found_min_milli", "report_min_milli"],
    fields: &[
        ("start", Type::Instant),
        ("end", Type::Instant),
        ("noticed", Type::Instant),
        ("weeks", Type::Integer),
        ("score_milli", Type::Integer),
        ("reason", Type::Text),
        ("reason_zh", Type::Text),
        ("reason_milli", Type::Integer),
        ("days", Type::Integer),
        ("series", Type::Text),
        ("evidence", Type::Evidence),
        ("evidence_count", Type::Integer),
    ],
    answer,
};

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[offset_s, found_min_milli, report_min_milli] = settings else {
        return exec_err!("unlike_weeks got no settings");
    };
    let mut found = Vec::new();
    for series in rows.groups(&[SERIES, INTERVAL_S]) {
        let days = days(rows, series, offset_s, INTERVALS_MIN);
        for incident in incidents(&days, found_min_milli, report_min_milli) {
            found.push(describe(rows, &days, &incident, offset_s));
        }
    }
    Ok(found)
}

struct Incident {
    /// Indices of its days.
    days: std::ops::Range<usize>,
    weeks: i64,
    found: bool,
    score_milli: i64,
    reason: usize,
    reason_milli: i64,
}

fn incidents(days: &[Day], found_min_milli: i64, report_min_milli: i64) -> Vec<Incident> {
    let mut incidents: Vec<Incident> = Vec::new();
    let mut usual: Vec<usize> = Vec::new();
    let mut at = 0;
    while at < days.len() {
        let follows = days[at..].len() >= WEEK
            && days[at + WEEK - 1].number - days[at].number == WEEK as i64 - 1;
        let oldest = days[at].number - PAST_DAYS_MAX;
        let past: Vec<usize> = usual
            .iter()
            .rev()
            .take(PAST)
            .rev()
            .copied()
            .filter(|day| oldest <= days[*day].number)
            .collect();
        if !follows || past.len() < PAST {
            usual.push(at);
            at += 1;
            continue;
        }
        let values = |day: &usize| days[*day].values.clone();
        let past = Past::new(&past.iter().map(values).collect::<Vec<_>>());
        let week: Vec<Vec<f64>> = (at..at + WEEK).map(|day| values(&day)).collect();
        let (score, distances) = past.score(&week);
        let milli = |value: f64| libm::round(value * 1000.0) as i64;
        let found = found_min_milli <= milli(score);
        if found || report_min_milli <= milli(score) {
            let reason =
                (0..distances.len()).max_by(|a, b| distances[*a].total_cmp(&distances[*b]));
            let reason = reason.unwrap_or(0);
            let one = Incident {
                days: at..at + WEEK,
                weeks: 1,
                found,
                score_milli: milli(score),
                reason,
                reason_milli: milli(distances[reason]),
            };
            match incidents.last_mut() {
                Some(last) if last.days.end == at && last.found && found => last.join(one),
                _ => incidents.push(one),
            }
        }
        if !found {
            usual.extend(at..at + WEEK);
        }
        at += WEEK;
    }
    incidents
}

impl Incident {
    fn join(&mut self, next: Incident) {
        self.days.end = next.days.end;
        self.weeks += 1;
        if self.score_milli < next.score_milli {
            (self.score_milli, self.reason, self.reason_milli) =
                (next.score_milli, next.reason, next.reason_milli);
        }
    }
}

fn describe(rows: &Rows, days: &[Day], incident: &Incident, offset_s: i64) -> Vec<Cell> {
    let (first, last) = (&days[incident.days.start], &days[incident.days.end - 1]);
    let ms = |number: i64| begin_ms(number, offset_s);
    let evidence = evidence(rows, &days[incident.days.clone()]);
    let count = i64::try_from(evidence.len()).unwrap_or(i64::MAX);
    vec![
        Cell::Instant(ms(first.number)),
        Cell::Instant(ms(last.number + 1)),
        Cell::Instant(ms(first.number + WEEK as i64)),
        Cell::Integer(incident.weeks),
        Cell::Integer(incident.score_milli),
        Cell::Text(FIGURES_EN[incident.reason].to_owned()),
        Cell::Text(FIGURES_ZH[incident.reason].to_owned()),
        Cell::Integer(incident.reason_milli),
        Cell::Integer(PAST as i64),
        Cell::Text(rows.text(SERIES, first.rows[0]).to_owned()),
        Cell::Evidence(evidence),
        Cell::Integer(count),
    ]
}
