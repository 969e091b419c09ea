//! Draws a chart as inline SVG: no script, no font, readable in print and in the dark.
//!
//! Invariants: coordinates are printed with one decimal from sums and products alone, so the same
//! readings give the same bytes on any machine; a missing interval breaks the line; of many readings
//! in one column of the picture the first, the least, the greatest and the last are drawn.

use std::fmt::Write as _;

use hallmark_schemas::time::Timestamp;
use maud::{Markup, html};

use crate::report::chart::{Chart, Point};

/// Width and height of the picture, in its own units.
const SIZE: (f64, f64) = (720.0, 240.0);
/// Left, top, right and bottom of the plot.
const PLOT: (f64, f64, f64, f64) = (84.0, 8.0, 708.0, 208.0);
/// Most readings of the period that get a dot with their id.
const DOTS_MAX: usize = 200;
/// Most ticks of the time axis.
const TICKS_MAX: i64 = 8;
/// Distances of the ticks of the time axis, in hours.
const STEPS_H: &[i64] = &[1, 3, 6, 12, 24, 48, 168, 336, 720, 1_440, 2_160, 4_320, 8_760];
/// Milliseconds of an hour.
const HOUR_MS: i64 = 3_600_000;

/// The picture; the text beside it says what its lines are.
pub(super) fn draw(chart: &Chart, label: &str) -> Markup {
    let scale = Scale::of(chart);
    let (left, top, right, bottom) = PLOT;
    let window = chart.window;
    let (from, to) = (scale.x(window.0), scale.x(window.1).max(scale.x(window.0) + 1.5));
    let in_window: Vec<&Point> = chart
        .points
        .iter()
        .filter(|point| window.0 <= point.at_ms && point.at_ms <= window.1)
        .collect();
    html! {
        svg viewBox={ "0 0 " (SIZE.0) " " (SIZE.1) } role="img" aria-label=(label) {
            rect class="window" x=(one(from)) y=(one(top)) width=(one(to - from)) height=(one(bottom - top)) {}
            @for value in scale.marks() {
                line class="grid" x1=(one(left)) x2=(one(right)) y1=(one(scale.y(value))) y2=(one(scale.y(value))) {}
                text x=(one(left - 6.0)) y=(one(scale.y(value) + 4.0)) text-anchor="end" { (short(value)) }
            }
            @for at_ms in ticks(chart.view) {
                line class="tick" x1=(one(scale.x(at_ms))) x2=(one(scale.x(at_ms))) y1=(one(bottom)) y2=(one(bottom + 4.0)) {}
                text x=(one(scale.x(at_ms))) y=(one(bottom + 18.0)) text-anchor="middle" { (day(at_ms, chart.view)) }
            }
            path class="own" d=(path(&chart.points, chart, &scale)) {}
            path class="other" d=(path(&chart.others, chart, &scale)) {}
            @if in_window.len() <= DOTS_MAX {
                @for point in &in_window {
                    circle class="own" cx=(one(scale.x(point.at_ms))) cy=(one(scale.y(value(point)))) r="2" {
                        title { (text(point.at_ms)) ": " (amount(point)) " " (chart.unit) ", " (point.id) }
                    }
                }
            }
        }
    }
}

/// Maps instants and values to the plot.
struct Scale {
    view: (i64, i64),
    low: f64,
    high: f64,
}

impl Scale {
    fn of(chart: &Chart) -> Scale {
        let values = || chart.points.iter().chain(&chart.others).map(value);
        let least = values().fold(f64::INFINITY, f64::min);
        let greatest = values().fold(f64::NEG_INFINITY, f64::max);
        // Amounts are shown from nothing unless they lie far above it.
        let low = if 0.0 <= least && least < 0.5 * greatest { 0.0 } else { least };
        let (low, high) = if low < greatest { (low, greatest) } else { (low - 1.0, low + 1.0) };
        Scale { view: chart.view, low, high }
    }

    fn x(&self, at_ms: i64) -> f64 {
        let share = (at_ms - self.view.0) as f64 / (self.view.1 - self.view.0).max(1) as f64;
        PLOT.0 + share * (PLOT.2 - PLOT.0)
    }

    fn y(&self, value: f64) -> f64 {
        PLOT.3 - (value - self.low) / (self.high - self.low) * (PLOT.3 - PLOT.1)
    }

    fn marks(&self) -> [f64; 3] {
        [self.low, self.low + (self.high - self.low) / 2.0, self.high]
    }
}

fn one(number: f64) -> String {
    format!("{number:.1}")
}

/// The value of a reading, for drawing alone.
fn value(point: &Point) -> f64 {
    let tens = (0..point.scale.unsigned_abs().min(30)).fold(1.0, |tens, _| tens * 10.0);
    let amount = point.amount as f64;
    if point.scale < 0 { amount / tens } else { amount * tens }
}

/// The value of a reading as its digits stand.
pub(super) fn amount(point: &Point) -> String {
    match usize::try_from(point.scale) {
        Ok(zeros) => format!(
            "{}{}",
            point.amount,
            if point.amount == 0 { String::new() } else { "0".repeat(zeros.min(30)) }
        ),
        Err(_) => {
            let places =
                usize::try_from(point.scale.unsigned_abs()).map_or(30, |places| places.min(30));
            let sign = if point.amount < 0 { "-" } else { "" };
            let digits = format!("{:0>width$}", point.amount.unsigned_abs(), width = places + 1);
            let (whole, rest) = digits.split_at(digits.len() - places);
            format!("{sign}{whole}.{rest}")
        }
    }
}

/// A number of an axis: three digits and the power that they need.
fn short(value: f64) -> String {
    let size = value.abs();
    let (divisor, suffix) = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")]
        .into_iter()
        .find(|(divisor, _)| *divisor * 10.0 <= size)
        .unwrap_or((1.0, ""));
    let number = value / divisor;
    match number.abs() {
        digits if 100.0 <= digits || number == number.trunc() => format!("{number:.0} {suffix}"),
        _ => format!("{number:.1} {suffix}"),
    }
    .trim_end()
    .to_owned()
}

fn path(points: &[Point], chart: &Chart, scale: &Scale) -> String {
    let mut text = String::new();
    let gap_ms = chart.interval_s.saturating_mul(1_500).max(1);
    for run in points.chunk_by(|a, b| b.at_ms - a.at_ms <= gap_ms) {
        let places: Vec<(f64, f64)> =
            run.iter().map(|point| (scale.x(point.at_ms), scale.y(value(point)))).collect();
        let drawn = thin(&places);
        for (index, (x, y)) in drawn.iter().enumerate() {
            let _fmt = write!(text, "{}{x:.1} {y:.1}", if index == 0 { 'M' } else { 'L' });
        }
        if let [(x, y)] = drawn[..] {
            // A lone reading is a short stroke: a path of one point draws nothing.
            let _fmt = write!(text, "L{:.1} {y:.1}", x + 0.5);
        }
    }
    text
}

/// First, least, greatest and last of each column that holds more than four.
fn thin(places: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept = Vec::new();
    for column in places.chunk_by(|a, b| a.0.trunc() == b.0.trunc()) {
        if column.len() <= 4 {
            kept.extend_from_slice(column);
            continue;
        }
        let by_height = |index: &usize| ordered(column[*index].1);
        let least = (0..column.len()).min_by_key(by_height).unwrap_or(0);
        let greatest = (0..column.len()).max_by_key(by_height).unwrap_or(0);
        let mut chosen = [0, least, greatest, column.len() - 1];
        chosen.sort_unstable();
        kept.extend(chosen.into_iter().map(|index| column[index]));
    }
    kept
}

/// A height as an integer that orders as it does.
fn ordered(height: f64) -> i64 {
    (height * 1024.0) as i64
}

fn ticks((from, to): (i64, i64)) -> Vec<i64> {
    let fits = |step: &&i64| (to - from) / (**step * HOUR_MS) < TICKS_MAX;
    let step = STEPS_H.iter().find(fits).unwrap_or(&8_760) * HOUR_MS;
    let first = from.div_euclid(step) * step + step;
    std::iter::successors(Some(first), |at| Some(at + step)).take_while(|at| *at < to).collect()
}

/// An instant as the other writers print it.
pub(super) fn text(at_ms: i64) -> String {
    let at = u64::try_from(at_ms).ok().and_then(Timestamp::try_from_unix_ms);
    at.unwrap_or(Timestamp::EPOCH).to_string()
}

fn day(at_ms: i64, (from, to): (i64, i64)) -> String {
    let text = text(at_ms);
    let hours = (to - from) / HOUR_MS;
    match hours {
        0..96 => text[5..16].replace('T', " "),
        96..8_760 => text[5..10].to_owned(),
        _ => text[..7].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{amount, short, thin, ticks};
    use crate::report::chart::Point;

    fn point(amount: i64, scale: i64) -> Point {
        Point { at_ms: 0, amount, scale, id: String::new() }
    }

    #[test]
    fn amounts_keep_their_digits() {
        for (number, scale, wanted) in [
            (41, 0, "41"),
            (41, 3, "41000"),
            (0, 3, "0"),
            (41, -1, "4.1"),
            (-5, -3, "-0.005"),
            (i64::MIN, -2, "-92233720368547758.08"),
        ] {
            assert_eq!(amount(&point(number, scale)), wanted);
        }
    }

    #[test]
    fn an_axis_shows_few_digits() {
        for (number, wanted) in
            [(0.0, "0"), (950.0, "950"), (12_500.0, "12.5 k"), (-3e9, "-3000 M"), (0.25, "0.2")]
        {
            assert_eq!(short(number), wanted);
        }
    }

    #[test]
    fn a_crowded_column_keeps_its_least_and_greatest() {
        let crowd: Vec<(f64, f64)> = (0..100).map(|n| (5.0, f64::from((n * 37) % 100))).collect();
        assert_eq!(thin(&crowd).iter().map(|place| place.1).fold(0.0, f64::max), 99.0);
        assert_eq!(thin(&crowd).len(), 4);
        assert_eq!(thin(&[(1.0, 2.0), (3.0, 4.0)]), [(1.0, 2.0), (3.0, 4.0)]);
    }

    #[test]
    fn an_axis_has_few_ticks_at_whole_hours_or_days() {
        for days in [1, 7, 30, 365] {
            let ticks = ticks((1, days * 86_400_000));
            assert!((2..=8).contains(&ticks.len()), "{days}: {ticks:?}");
            assert!(ticks.iter().all(|at| at % 3_600_000 == 0));
        }
    }
}
