//! The whole days of a device's series, for functions that look day by day.
//!
//! A day begins at `offset_s` after midnight UTC and holds the intervals that begin in it; it counts
//! only if all of them are there. Of two rows of one instant the lower content id counts.

use std::collections::BTreeSet;

use super::series::{Rows, Type};

/// Columns of a row, the same for all these functions.
pub(super) const SERIES: usize = 0;
pub(super) const READ_AT: usize = 1;
pub(super) const INTERVAL_S: usize = 2;
pub(super) const AMOUNT: usize = 3;
pub(super) const CONTENT_ID: usize = 4;
/// Their types.
pub(super) const COLUMNS: &[Type] =
    &[Type::Text, Type::Instant, Type::Integer, Type::Integer, Type::Text];
/// Their order.
pub(super) const ORDER: &[usize] = &[SERIES, INTERVAL_S, READ_AT, CONTENT_ID];

/// Seconds of a day.
pub(super) const DAY_S: i64 = 86_400;
/// A day has so many intervals at least: fewer have no shape.
pub(super) const INTERVALS_MIN: usize = 24;

/// A whole day.
pub(super) struct Day {
    /// Days since 1970, local.
    pub(super) number: i64,
    pub(super) values: Vec<f64>,
    /// One for each value.
    pub(super) rows: Vec<usize>,
}

/// The whole days of one series, in order; none where a day has fewer than `least` intervals.
pub(super) fn days(
    rows: &Rows,
    series: std::ops::Range<usize>,
    offset_s: i64,
    least: usize,
) -> Vec<Day> {
    let interval_s = rows.integer(INTERVAL_S, series.start);
    let count = if 0 < interval_s { (DAY_S / interval_s) as usize } else { 0 };
    if count < least || DAY_S % interval_s != 0 {
        return Vec::new();
    }
    let number = |row: usize| {
        let begin_s = rows.integer(READ_AT, row).div_euclid(1000) - interval_s;
        begin_s.saturating_add(offset_s).div_euclid(DAY_S)
    };
    let mut days = Vec::new();
    let mut start = series.start;
    for row in series.start + 1..=series.end {
        if row < series.end && number(row) == number(start) {
            continue;
        }
        let mut kept: Vec<usize> = (start..row).collect();
        kept.dedup_by_key(|row| rows.integer(READ_AT, *row));
        if kept.len() == count {
            let values = kept.iter().map(|row| rows.integer(AMOUNT, *row) as f64).collect();
            days.push(Day { number: number(start), values, rows: kept });
        }
        start = row;
    }
    days
}

/// Unix milliseconds at which a day begins.
pub(super) fn begin_ms(number: i64, offset_s: i64) -> i64 {
    number.saturating_mul(DAY_S).saturating_sub(offset_s).saturating_mul(1000)
}

/// The content ids of these days.
pub(super) fn evidence(rows: &Rows, days: &[Day]) -> BTreeSet<String> {
    rows.evidence(CONTENT_ID, days.iter().flat_map(|day| &day.rows).copied())
}

/// The middle value of each interval of the day.
pub(super) fn typical(days: &[&Day]) -> Vec<f64> {
    let length = days.first().map_or(0, |day| day.values.len());
    let middle = |at: usize| {
        let mut column: Vec<f64> = days.iter().map(|day| day.values[at]).collect();
        crate::series::robust::median(&mut column)
    };
    (0..length).map(middle).collect()
}

/// Indices of the last `count` of `usual`, if there are so many that are no older than `count` days
/// and four weeks before day `at`.
pub(super) fn past<'a>(
    days: &'a [Day],
    usual: &[usize],
    at: usize,
    count: usize,
) -> Option<Vec<&'a Day>> {
    let oldest = days[at].number.saturating_sub(count as i64 + 28);
    let past = &usual[usual.len().checked_sub(count)?..];
    let past: Vec<&Day> = past.iter().map(|day| &days[*day]).collect();
    past.iter().all(|day| oldest <= day.number).then_some(past)
}

/// Stretches of these indices whose days follow one another.
pub(super) fn stretches(days: &[Day], found: &[usize]) -> Vec<std::ops::RangeInclusive<usize>> {
    found
        .chunk_by(|a, b| a + 1 == *b && days[*a].number + 1 == days[*b].number)
        .map(|stretch| stretch[0]..=stretch[stretch.len() - 1])
        .collect()
}

/// What other days than a stretch show: how many of how many are like it, and how often two in a row.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Others {
    pub(super) hits: usize,
    pub(super) pairs: usize,
    pub(super) tests: usize,
}

impl Others {
    /// Those of `found` outside the stretch; `early` more were among those that nothing was said of.
    pub(super) fn of(
        found: &[usize],
        stretch: &std::ops::RangeInclusive<usize>,
        early: usize,
        tests: usize,
    ) -> Others {
        let rest: Vec<usize> = found.iter().copied().filter(|at| !stretch.contains(at)).collect();
        let pairs = rest.windows(2).filter(|two| two[0] + 1 == two[1]).count();
        let length = stretch.end() - stretch.start() + 1;
        Others { hits: early + rest.len(), pairs, tests: tests.saturating_sub(length) }
    }

    /// Chance that a day like these follows another one: (pairs + 1) / (hits + 2). Without any, one
    /// half: whatever makes one day odd may well last.
    pub(super) fn persistence(self) -> f64 {
        (self.pairs + 1) as f64 / (self.hits + 2) as f64
    }

    /// Chance in 10^9 of a stretch of so many days: (hits + 1) / (tests + 1) for the first, and the
    /// persistence for each that follows.
    pub(super) fn chance_ppb(self, in_a_row: usize) -> i64 {
        let first = (self.hits + 1) as f64 / (self.tests + 1) as f64;
        libm::round(1e9 * self.lasting(first, in_a_row)) as i64
    }

    /// The same from the chance of the first day.
    pub(super) fn lasting(self, first: f64, in_a_row: usize) -> f64 {
        let more = in_a_row.saturating_sub(1) as f64;
        (first * libm::pow(self.persistence(), more)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_often_lasts_is_no_surprise_when_it_lasts() {
        let rare = Others::of(&[5, 70, 71, 72, 73, 74], &(70..=74), 0, 100);
        assert_eq!(rare, Others { hits: 1, pairs: 0, tests: 95 });
        let lasting = Others::of(&[5, 6, 7, 8, 70, 71, 72, 73, 74], &(70..=74), 0, 100);
        assert_eq!(lasting, Others { hits: 4, pairs: 3, tests: 95 });
        assert!(rare.chance_ppb(5) < 1_000_000 && 5_000_000 < lasting.chance_ppb(5));
        assert_eq!(Others::of(&[], &(0..=0), 0, 0).chance_ppb(1), 1_000_000_000);
    }
}
