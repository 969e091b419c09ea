//! Distribution functions behind the p-values of series.
//!
//! Invariants: every call goes through `libm` in one order, so an answer is the same on every
//! machine; outside its domain a function gives NaN, which no comparison of a rule lets fire.
//!
//! Sources: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 6.5.29, 6.5.31 and
//! 26.5.8; the continued fractions are evaluated as Lentz (1976) does.

/// Terms after which a series or continued fraction is given up; those of a rule need under 300.
const TERMS_MAX: u32 = 10_000;
/// Relative change at which a series or continued fraction has converged.
const CLOSE: f64 = 1e-15;
/// Stands for zero in a denominator.
const TINY: f64 = 1e-300;

/// Chance that a chi-square variable of `freedom` degrees is over `statistic`.
pub fn chi_square_tail(statistic: f64, freedom: f64) -> f64 {
    gamma_q(freedom / 2.0, statistic / 2.0)
}

/// Chance that a standard normal variable is over `z`.
pub fn normal_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z / core::f64::consts::SQRT_2)
}

/// Chance that a Student variable of `freedom` degrees is farther from 0 than `t`, either way.
pub fn student_two_tails(t: f64, freedom: f64) -> f64 {
    beta_i(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

/// Regularised upper incomplete gamma function Q(a, x), for a > 0 and x >= 0.
pub fn gamma_q(a: f64, x: f64) -> f64 {
    if !(0.0 < a && 0.0 <= x) {
        return f64::NAN;
    }
    if x == 0.0 {
        return 1.0;
    }
    let scale = libm::exp(a * libm::log(x) - x - libm::lgamma(a));
    if x < a + 1.0 { 1.0 - scale * gamma_series(a, x) } else { scale * gamma_fraction(a, x) }
}

fn gamma_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum) = (1.0 / a, 1.0 / a);
    for step in 1..TERMS_MAX {
        term *= x / (a + f64::from(step));
        sum += term;
        if term < sum * CLOSE {
            break;
        }
    }
    sum
}

fn gamma_fraction(a: f64, x: f64) -> f64 {
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1.0 / TINY, 1.0 / b);
    let mut fraction = d;
    for step in 1..TERMS_MAX {
        let step = f64::from(step);
        let an = -step * (step - a);
        b += 2.0;
        d = 1.0 / away_from_zero(an * d + b);
        c = away_from_zero(b + an / c);
        fraction *= d * c;
        if libm::fabs(d * c - 1.0) < CLOSE {
            break;
        }
    }
    fraction
}

/// Regularised incomplete beta function I(a, b; x), for positive a and b and x from 0 to 1.
pub fn beta_i(a: f64, b: f64, x: f64) -> f64 {
    if !(0.0 < a && 0.0 < b && (0.0..=1.0).contains(&x)) {
        return f64::NAN;
    }
    if x == 0.0 || x == 1.0 {
        return x;
    }
    let scale = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b)
        + a * libm::log(x)
        + b * libm::log1p(-x);
    let scale = libm::exp(scale);
    if x < (a + 1.0) / (a + b + 2.0) {
        scale * beta_fraction(a, b, x) / a
    } else {
        1.0 - scale * beta_fraction(b, a, 1.0 - x) / b
    }
}

fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let mut c = 1.0;
    let mut d = 1.0 / away_from_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for step in 1..TERMS_MAX {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away_from_zero(1.0 + even * d);
        c = away_from_zero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away_from_zero(1.0 + odd * d);
        c = away_from_zero(1.0 + odd / c);
        fraction *= d * c;
        if libm::fabs(d * c - 1.0) < CLOSE {
            break;
        }
    }
    fraction
}

fn away_from_zero(value: f64) -> f64 {
    if libm::fabs(value) < TINY { TINY } else { value }
}
