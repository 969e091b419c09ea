//! `off_line(series, day_at, x, y, past_days, days_min, off_mad_milli, load_min_ppm, p_max_ppb)`: days
//! on which one quantity is not what another one makes expect.
//!
//! An aggregate over the days of one site. It returns a list of structs, one for each stretch of such
//! days: `start`, `end` (instants), `days`, `off` (sum of the residuals, in the unit of `y`),
//! `off_ppm` (of what is expected), `n` (days compared), `p_ppb`, `series`.
//!
//! Over the last `past_days` days that were not off, y = a + b x by Theil and Sen
//! ([`line`](crate::series::line)). A day is off if its residual is over `off_mad_milli` thousandths
//! of their median absolute deviation (not scaled; a sixth of a permille of the median y at least, for
//! rounding) and x is at least `load_min_ppm` of the median x: below it, starting and standing by use
//! their own. With h of m other days off too, j of them right after another one, a stretch of k days to
//! one side has p = (h + 1) / (m + 1) ((j + 1) / (h + 2))^(k - 1); it needs `days_min` days. Source: rule M18.

use datafusion::common::exec_err;
use datafusion::error::Result;

use super::days::Others;
use super::series::{Cell, Rows, Spec, Structs, Type};
use crate::series::line::line;
use crate::series::robust::{NORMAL, median};

const SERIES: usize = 0;
const DAY_AT: usize = 1;
const X: usize = 2;
const Y: usize = 3;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Least deviation, as a share of the median y.
const DEVIATION_MIN: f64 = 1.0 / 6_000.0;

/// See the module's words.
pub(super) static OFF_LINE: Spec = Spec {
    name: "off_line",
    columns: &[Type::Text, Type::Instant, Type::Integer, Type::Integer],
    order: &[SERIES, DAY_AT, X, Y],
    settings: &["past_days", "days_min", "off_mad_milli", "load_min_ppm", "p_max_ppb"],
    fields: &[
        ("start", Type::Instant),
        ("end", Type::Instant),
        ("days", Type::Integer),
        ("off", Type::Integer),
        ("off_ppm", Type::Integer),
        ("n", Type::Integer),
        ("p_ppb", Type::Integer),
        ("series", Type::Text),
    ],
    answer,
};

/// A day that is off, with what it is off by and what was expected.
struct Off {
    row: usize,
    by: f64,
    expected: f64,
}

fn answer(rows: &Rows, settings: &[i64]) -> Result<Structs> {
    let &[past_days, days_min, off_mad_milli, load_min_ppm, p_max_ppb] = settings else {
        return exec_err!("off_line got no settings");
    };
    let (Ok(past_days), Ok(days_min)) = (usize::try_from(past_days), usize::try_from(days_min))
    else {
        return exec_err!("off_line needs days of 0 and more");
    };
    let (past_days, days_min) = (past_days.max(3), days_min.max(1));
    let (far, load) = (off_mad_milli as f64 / 1000.0, load_min_ppm as f64 / 1e6);
    let mut found = Vec::new();
    for series in rows.groups(&[SERIES]) {
        let Compared { found: off, early, tests } = off(rows, series, past_days, (far, load));
        let all: Vec<usize> = off.iter().map(|one| one.row).collect();
        let goes_on = |a: &Off, b: &Off| {
            (0.0 < a.by) == (0.0 < b.by)
                && rows.integer(DAY_AT, a.row) + DAY_MS == rows.integer(DAY_AT, b.row)
        };
        for stretch in off.chunk_by(goes_on).filter(|stretch| days_min <= stretch.len()) {
            let rows_of = stretch[0].row..=stretch[stretch.len() - 1].row;
            let p_ppb = Others::of(&all, &rows_of, early, tests).chance_ppb(stretch.len());
            if p_max_ppb < p_ppb {
                continue;
            }
            let by: f64 = stretch.iter().map(|one| one.by).sum();
            let expected: f64 = stretch.iter().map(|one| one.expected).sum();
            let last = stretch[stretch.len() - 1].row;
            found.push(vec![
                Cell::Instant(rows.integer(DAY_AT, stretch[0].row)),
                Cell::Instant(rows.integer(DAY_AT, last) + DAY_MS),
                Cell::count(stretch.len()),
                Cell::Integer(libm::round(by) as i64),
                Cell::Integer(libm::round(1e6 * by / expected) as i64),
                Cell::count(tests),
                Cell::Integer(p_ppb),
                Cell::Text(rows.text(SERIES, last).to_owned()),
            ]);
        }
    }
    Ok(found)
}

/// Days that are off, and what else was compared.
#[derive(Default)]
struct Compared {
    found: Vec<Off>,
    /// Days of the first past that are off too, though nothing was said of them.
    early: usize,
    tests: usize,
}

fn off(
    rows: &Rows,
    series: std::ops::Range<usize>,
    past_days: usize,
    (far, load): (f64, f64),
) -> Compared {
    let mut usual: Vec<(f64, f64)> = Vec::new();
    let mut compared = Compared::default();
    for row in series {
        let point = (rows.integer(X, row) as f64, rows.integer(Y, row) as f64);
        let past = usual.len().checked_sub(past_days).map(|from| &usual[from..]);
        let off = past.and_then(|past| {
            let line = line(past)?;
            let of = |part: fn(&(f64, f64)) -> f64| {
                median(&mut past.iter().map(part).collect::<Vec<_>>())
            };
            let (x, y) = (of(|point| point.0), of(|point| point.1));
            let deviation = (line.spread / NORMAL).max(DEVIATION_MIN * y);
            let is_off = |point: &(f64, f64)| {
                load * x <= point.0 && far * deviation < libm::fabs(line.residual(*point))
            };
            if compared.tests == 0 {
                compared.tests = past.len();
                compared.early = past.iter().filter(|point| is_off(point)).count();
            }
            compared.tests += 1;
            let by = line.residual(point);
            is_off(&point).then_some(Off { row, by, expected: point.1 - by })
        });
        match off {
            Some(off) => compared.found.push(off),
            None => usual.push(point),
        }
    }
    compared
}
