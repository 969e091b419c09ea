//! Location and spread, of which a few falsified values move the median and its deviation little.
//!
//! The robust z of a value is its distance from the median in units of the spread. Source: Rousseeuw and Croux, JASA 88 (1993) 1273.

/// Makes the median absolute deviation of normal values their standard deviation: 1 / Φ⁻¹(3/4).
pub const NORMAL: f64 = 1.482_602_218_505_602;

/// The quantile at `share` (0 to 1) of sorted values, between neighbours in proportion (type 7 of
/// Hyndman and Fan, The American Statistician 50 (1996) 361). NaN for no values.
pub fn quantile_of_sorted(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = share * last as f64;
    let below = libm::floor(at) as usize;
    let above = (below + 1).min(last);
    sorted[below] + (at - below as f64) * (sorted[above] - sorted[below])
}

/// The middle value. NaN for no values. Sorts `values`.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(values, 0.5)
}

/// Median and spread (median absolute deviation times [`NORMAL`]) of values.
pub fn location(values: &[f64]) -> (f64, f64) {
    let mut copy = values.to_vec();
    let middle = median(&mut copy);
    copy.iter_mut().for_each(|value| *value = libm::fabs(*value - middle));
    (middle, NORMAL * median(&mut copy))
}

/// Arithmetic mean. NaN for no values.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Standard deviation of all values (divided by n). NaN for no values.
pub fn deviation(values: &[f64]) -> f64 {
    let middle = mean(values);
    libm::sqrt(
        values.iter().map(|value| (value - middle) * (value - middle)).sum::<f64>()
            / values.len() as f64,
    )
}

/// Pearson's correlation of two series of one length; NaN where one of them is constant.
pub fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (ma, mb) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        ab += (x - ma) * (y - mb);
        aa += (x - ma) * (x - ma);
        bb += (y - mb) * (y - mb);
    }
    if aa == 0.0 || bb == 0.0 { f64::NAN } else { (ab / libm::sqrt(aa * bb)).clamp(-1.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_scipy() {
        // scipy 1.17: median_abs_deviation(scale="normal"), numpy 2.4: quantile, std; pearsonr.
        let values = [3.2, 1.5, 9.75, 4.0, 4.0, 2.25, 7.5, -1.0];
        let other = [1.0, 0.5, 4.5, 2.5, 1.5, 2.0, 3.0, 0.0];
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        let (middle, spread) = location(&values);
        close(middle, 3.6);
        close(spread, 2.557_488_826_922_163_4);
        close(quantile_of_sorted(&sorted, 0.05), -0.125);
        close(quantile_of_sorted(&sorted, 0.37), 2.8105);
        close(deviation(&values), 3.165_931_932_306_821);
        close(correlation(&values, &other), 0.935_973_342_132_018_1);
    }

    #[test]
    fn of_nothing_and_of_what_never_changes_nothing_is_said() {
        assert!(quantile_of_sorted(&[], 0.5).is_nan() && mean(&[]).is_nan());
        assert!(correlation(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
        assert_eq!(location(&[2.0, 2.0, 5.0]), (2.0, 0.0));
    }
}
