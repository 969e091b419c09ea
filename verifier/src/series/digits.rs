//! Digits that people choose.
//!
//! Pearson's chi-square of the last digits against equal shares (9 degrees of freedom), and the
//! mean absolute deviation of first digits from Benford's law, log10(1 + 1/d) (Nigrini, Benford's
//! Law (2012), 7.3). Both say nothing about few values or a narrow range, and then give None.

use crate::series::special::chi_square_tail;

/// Fewest values for last digits.
pub const LAST_MIN: usize = 500;
/// Fewest steps of the last digit between the smallest and the largest value.
pub const LAST_RANGE_MIN: i64 = 100;
/// Fewest values for first digits.
pub const FIRST_MIN: usize = 1_000;
/// Least ratio of the 99 % to the 1 % quantile for first digits, as a power of ten.
pub const FIRST_DECADES_MIN: f64 = 3.0;

/// Chi-square of last digits and its p.
pub fn last_digits(values: &[i64]) -> Option<(f64, f64)> {
    let (least, most) = (values.iter().min()?, values.iter().max()?);
    if values.len() < LAST_MIN || most.saturating_sub(*least) < LAST_RANGE_MIN {
        return None;
    }
    let mut counts = [0_u64; 10];
    for value in values {
        counts[(value.unsigned_abs() % 10) as usize] += 1;
    }
    let expected = values.len() as f64 / 10.0;
    let statistic = counts
        .iter()
        .map(|count| (*count as f64 - expected) * (*count as f64 - expected) / expected)
        .sum::<f64>();
    Some((statistic, chi_square_tail(statistic, 9.0)))
}

/// Mean absolute deviation of first digits from Benford's law. Values that are 0 have none.
pub fn benford(values: &[i64]) -> Option<f64> {
    let mut sizes: Vec<u64> =
        values.iter().map(|value| value.unsigned_abs()).filter(|size| 0 < *size).collect();
    if sizes.len() < FIRST_MIN {
        return None;
    }
    sizes.sort_unstable();
    let at = |share: f64| {
        let logs = |index: usize| libm::log10(sizes[index] as f64);
        logs(libm::round(share * (sizes.len() - 1) as f64) as usize)
    };
    if at(0.99) - at(0.01) < FIRST_DECADES_MIN {
        return None;
    }
    let mut counts = [0_u64; 9];
    for size in &sizes {
        let mut first = *size;
        while 10 <= first {
            first /= 10;
        }
        counts[first as usize - 1] += 1;
    }
    let n = sizes.len() as f64;
    let off = (1..=9).zip(counts).map(|(digit, count)| {
        libm::fabs(count as f64 / n - libm::log10(1.0 + 1.0 / f64::from(digit)))
    });
    Some(off.sum::<f64>() / 9.0)
}
