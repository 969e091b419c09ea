//! Whether two series rise and fall together.
//!
//! The chance of Pearson's r (two-sided, under independence: Student, n - 2 degrees), and how far
//! two series differ after each was divided by its mean. Both are without unit. Source: Kendall and
//! Stuart, The Advanced Theory of Statistics 2, 26.18.

use crate::series::robust::mean;
use crate::series::special::student_two_tails;

/// Chance of a correlation this far from 0 among `n` independent pairs.
pub fn correlation_p(r: f64, n: usize) -> f64 {
    let freedom = n as f64 - 2.0;
    if 1.0 <= libm::fabs(r) {
        return 0.0;
    }
    student_two_tails(r * libm::sqrt(freedom / (1.0 - r * r)), freedom)
}

/// Largest difference of two series after each was divided by its mean, as a share of the mean; NaN
/// where a mean is 0.
pub fn scaled_difference(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a), mean(b));
    if ma == 0.0 || mb == 0.0 {
        return f64::NAN;
    }
    a.iter().zip(b).map(|(x, y)| libm::fabs(x / ma - y / mb)).fold(0.0, f64::max)
}
