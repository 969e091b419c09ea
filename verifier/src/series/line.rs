//! A line through points of which a few may be false.
//!
//! Slope: the median of the slopes of all pairs of points with different x; intercept: median of y
//! minus slope times median of x (Theil and Sen: Sen, JASA 63 (1968) 1379). Spread: the scaled
//! median absolute deviation of the residuals. Units are those of y over x, and of y. Up to 29 % of
//! the points may lie anywhere without moving the slope beyond what the others allow.

use crate::series::robust::{location, median};

/// Most points that are looked at: 91 days; all pairs of them are 4,095.
pub const POINTS_MAX: usize = 91;

/// y = `intercept` + `slope` x, with the spread of what is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Of y over x.
    pub slope: f64,
    /// Of y at x = 0.
    pub intercept: f64,
    /// Scaled median absolute deviation of the residuals.
    pub spread: f64,
}

impl Line {
    /// How far a point lies above the line.
    pub fn residual(&self, (x, y): (f64, f64)) -> f64 {
        y - self.intercept - self.slope * x
    }
}

/// The line through (x, y) of the last [`POINTS_MAX`] points; None if all x are equal.
pub fn line(points: &[(f64, f64)]) -> Option<Line> {
    let points = &points[points.len().saturating_sub(POINTS_MAX)..];
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    for (at, (x, y)) in points.iter().enumerate() {
        for (other, of_other) in &points[..at] {
            if x != other {
                slopes.push((y - of_other) / (x - other));
            }
        }
    }
    if slopes.is_empty() {
        return None;
    }
    let slope = median(&mut slopes);
    let x = median(&mut points.iter().map(|point| point.0).collect::<Vec<_>>());
    let y = median(&mut points.iter().map(|point| point.1).collect::<Vec<_>>());
    let mut line = Line { slope, intercept: y - slope * x, spread: 0.0 };
    let residuals: Vec<f64> = points.iter().map(|point| line.residual(*point)).collect();
    line.spread = location(&residuals).1;
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_false_points_do_not_move_the_line() {
        let mut points: Vec<(f64, f64)> =
            (0..40).map(|at| (f64::from(at), 5.0 + 2.0 * f64::from(at))).collect();
        assert_eq!(line(&points), Some(Line { slope: 2.0, intercept: 5.0, spread: 0.0 }));
        points[30..38].iter_mut().for_each(|point| point.1 *= 0.5);
        let found = line(&points).expect("different x");
        assert!((found.slope - 2.0).abs() < 0.05, "{found:?}");
        assert!(found.residual(points[35]) < -20.0, "{found:?}");
        assert_eq!(line(&[(1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(line(&[]), None);
    }
}
