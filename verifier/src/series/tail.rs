//! How long the upper tail of a series is.
//!
//! Excesses over a threshold follow a generalised Pareto distribution; its shape ξ is fitted by
//! probability-weighted moments (Hosking and Wallis, Technometrics 29 (1987) 339): with b0 the mean
//! and b1 = Σ ((n - i) / (n - 1)) x(i) / n over sorted excesses x(1) <= ... <= x(n),
//! ξ = 2 - b0 / (b0 - 2 b1) and σ = 2 b0 b1 / (b0 - 2 b1). A clipped series has ξ far under 0.

/// Fewest excesses for a fit: the standard error of ξ is then about 0.13.
pub const EXCESSES_MIN: usize = 50;

/// Shape and scale of the excesses over `threshold`; None under [`EXCESSES_MIN`] of them, or where
/// they are all equal to nothing.
pub fn pareto(values: &[f64], threshold: f64) -> Option<(f64, f64)> {
    let mut excess: Vec<f64> =
        values.iter().filter(|value| threshold < **value).map(|value| value - threshold).collect();
    if excess.len() < EXCESSES_MIN {
        return None;
    }
    excess.sort_unstable_by(f64::total_cmp);
    let n = excess.len() as f64;
    let b0 = excess.iter().sum::<f64>() / n;
    let weighted = excess.iter().enumerate().map(|(i, x)| (n - 1.0 - i as f64) / (n - 1.0) * x);
    let b1 = weighted.sum::<f64>() / n;
    let spread = b0 - 2.0 * b1;
    (0.0 < spread).then(|| (2.0 - b0 / spread, 2.0 * b0 * b1 / spread))
}
