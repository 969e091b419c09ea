//! By how many samples one series runs behind another.
//!
//! r(k) is Pearson's correlation of a[t] with b[t - k] over the samples that both have; the lag is
//! the k with the largest r, the one nearest to 0 among equals.

use crate::series::robust::correlation;

/// The best lag of `a` behind `b`, from `-most` to `most` samples, and its correlation; None if
/// nothing correlates (a constant series, or too short a one).
pub fn best_lag(a: &[f64], b: &[f64], most: usize) -> Option<(i64, f64)> {
    let length = a.len().min(b.len());
    let mut best: Option<(i64, f64)> = None;
    let order = (0..=most).flat_map(|k| [k as i64, -(k as i64)]).skip(1);
    for lag in order {
        let by = lag.unsigned_abs() as usize;
        if length < by + 3 {
            break;
        }
        let (x, y) = (&a[..length], &b[..length]);
        let r = if 0 <= lag {
            correlation(&x[by..], &y[..length - by])
        } else {
            correlation(&x[..length - by], &y[by..])
        };
        if best.map_or(!r.is_nan(), |(_, most)| most < r) {
            best = Some((lag, r));
        }
    }
    best
}
