//! Which child of a parent meter shows less than it did.
//!
//! A parent meter shows the sum of its children, each with a constant gain near 1 and noise. The
//! gains are estimated over the past (ridge regression towards 1: the prior is the class of the
//! meters), with the noise of the parent's relative residual. Then, for a later stretch, e(t) is the
//! relative residual 1 - Σ g x(t) / p(t), and child j is suspected by the matched filter
//! z(j) = Σ e(t) u(t) / (s √Σ u(t)²), u(t) = x(t) / p(t), standard normal where nothing changed: a
//! child that shows a share a of what it did leaves (1 / a - 1) g u(t) in e. Filters of several days
//! add up. What no meter measures (an unmetered branch) moves all children alike, and is told by the
//! constant filter u = 1.
//!
//! Source: linear Gaussian model with known regressors, Kay, Statistical Signal Processing II, 4.3.

use super::robust::{NORMAL, median};

/// Least relative noise of an hour that is believed: the last digit of a register is worth more.
const NOISE_MIN: f64 = 1e-4;
/// Rounds in which gains and noise are estimated in turn.
const ROUNDS: usize = 3;

/// What is usual between a parent and its children.
#[derive(Clone, Debug)]
pub struct Usual {
    /// By child.
    pub gains: Vec<f64>,
    /// Relative standard deviation of a sample's residual.
    pub noise: f64,
}

/// Sums of the matched filter, by child: add them over days, then ask [`Filter::z`].
#[derive(Clone, Debug)]
pub struct Filter {
    sums: Vec<(f64, f64)>,
    /// Σ e² / s², and of how many samples.
    total: (f64, f64),
}

/// Estimates what is usual from samples (parent, children); `gain_sd` is how far a gain may be from
/// 1. None where no sample has a parent over 0.
pub fn usual(parent: &[f64], children: &[Vec<f64>], gain_sd: f64) -> Option<Usual> {
    let samples: Vec<usize> = (0..parent.len()).filter(|at| 0.0 < parent[*at]).collect();
    if samples.is_empty() || children.is_empty() {
        return None;
    }
    let count = children.len();
    let share = |child: usize, at: usize| children[child][at] / parent[at];
    let mut products = vec![vec![0.0; count]; count];
    let mut totals = vec![0.0; count];
    for at in &samples {
        let shares: Vec<f64> = (0..count).map(|child| share(child, *at)).collect();
        for ((row, total), u) in products.iter_mut().zip(&mut totals).zip(&shares) {
            *total += u;
            row.iter_mut().zip(&shares).for_each(|(product, v)| *product += u * v);
        }
    }
    let (mut noise, mut gains) = (gain_sd, vec![1.0; count]);
    for _ in 0..ROUNDS {
        let trust = noise * noise / (gain_sd * gain_sd);
        let mut matrix = products.clone();
        for (i, row) in matrix.iter_mut().enumerate() {
            row[i] += trust;
        }
        let right: Vec<f64> = totals.iter().map(|total| total + trust).collect();
        gains = solve(matrix, right)?;
        let mut off: Vec<f64> = samples
            .iter()
            .map(|at| {
                libm::fabs(residual(
                    parent[*at],
                    gains.iter().enumerate().map(|(j, g)| g * children[j][*at]),
                ))
            })
            .collect();
        noise = (NORMAL * median(&mut off)).max(NOISE_MIN);
    }
    Some(Usual { gains, noise })
}

fn residual(parent: f64, children: impl Iterator<Item = f64>) -> f64 {
    1.0 - children.sum::<f64>() / parent
}

impl Usual {
    /// The filter over later samples.
    pub fn filter(&self, parent: &[f64], children: &[Vec<f64>]) -> Filter {
        let mut filter = Filter { sums: vec![(0.0, 0.0); children.len()], total: (0.0, 0.0) };
        let noise2 = self.noise * self.noise;
        for at in (0..parent.len()).filter(|at| 0.0 < parent[*at]) {
            let shown =
                self.gains.iter().enumerate().map(|(child, gain)| gain * children[child][at]);
            let e = residual(parent[at], shown);
            for (child, (top, under)) in filter.sums.iter_mut().enumerate() {
                let u = children[child][at] / parent[at];
                *top += e * u / noise2;
                *under += u * u / noise2;
            }
            filter.total = (filter.total.0 + e * e / noise2, filter.total.1 + 1.0);
        }
        filter
    }
}

impl Filter {
    /// Of both stretches together.
    pub fn and(mut self, other: &Filter) -> Filter {
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            *sum = (sum.0 + more.0, sum.1 + more.1);
        }
        self.total = (self.total.0 + other.total.0, self.total.1 + other.total.1);
        self
    }

    /// Standard deviation of what is left of the residual when this child has explained its part,
    /// over the usual one.
    pub fn unexplained(&self, child: usize) -> f64 {
        let (top, under) = self.sums[child];
        let explained = if under == 0.0 { 0.0 } else { top * top / under };
        libm::sqrt((self.total.0 - explained).max(0.0) / self.total.1.max(1.0))
    }

    /// True if a child shows nothing at all: then nobody can tell what of the rest is whose.
    pub fn is_dark(&self) -> bool {
        self.sums.iter().any(|(_, under)| *under == 0.0)
    }

    /// By child, how far what it leaves unexplained is from 0, in standard deviations.
    pub fn z(&self) -> Vec<f64> {
        let z =
            |(top, under): &(f64, f64)| if *under == 0.0 { 0.0 } else { top / libm::sqrt(*under) };
        self.sums.iter().map(z).collect()
    }

    /// By child, the share of the parent's residual that it would explain by showing too little, as
    /// a part of its own amount.
    pub fn missing(&self) -> Vec<f64> {
        let part = |(top, under): &(f64, f64)| if *under == 0.0 { 0.0 } else { top / under };
        self.sums.iter().map(part).collect()
    }
}

/// Solves a symmetric positive system whose lower triangle is given (Cholesky); None if it is not
/// positive.
fn solve(mut matrix: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for i in 0..n {
        for j in 0..=i {
            let below: f64 = (0..j).map(|k| matrix[i][k] * matrix[j][k]).sum();
            let left = matrix[i][j] - below;
            if i == j {
                if left <= 0.0 {
                    return None;
                }
                matrix[i][i] = libm::sqrt(left);
            } else {
                matrix[i][j] = left / matrix[j][j];
            }
        }
    }
    for i in 0..n {
        let known: f64 = (0..i).map(|k| matrix[i][k] * right[k]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| matrix[k][i] * right[k]).sum();
        right[i] = (right[i] - known) / matrix[i][i];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four children over `hours`, each with its own use, and their parent, with gains near 1.
    fn meters(hours: usize, mut state: u64) -> (Vec<f64>, Vec<Vec<f64>>) {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as f64 / (1_u64 << 31) as f64
        };
        let gains = [1.002, 0.997, 1.001, 0.999];
        let mut children = vec![Vec::new(); gains.len()];
        let mut parent = Vec::new();
        for _ in 0..hours {
            let uses: Vec<f64> = (0..gains.len()).map(|_| 1.0 + 9.0 * next()).collect();
            for (child, (used, gain)) in uses.iter().zip(gains).enumerate() {
                children[child].push(used * gain * (0.997 + 0.006 * next()));
            }
            parent.push(uses.iter().sum::<f64>() * (0.997 + 0.006 * next()));
        }
        (parent, children)
    }

    fn cut(children: &[Vec<f64>], child: usize, to: f64) -> Vec<Vec<f64>> {
        let mut children = children.to_vec();
        children[child].iter_mut().for_each(|amount| *amount *= to);
        children
    }

    #[test]
    fn a_child_that_shows_five_in_a_hundred_less_is_named_within_a_day() {
        let (parent, children) = meters(24 * 40, 3);
        let past = |meter: &[f64]| meter[..24 * 30].to_vec();
        let first: Vec<Vec<f64>> = children.iter().map(|child| past(child)).collect();
        let usual = usual(&past(&parent), &first, 0.005).expect("a parent that shows something");
        for day in 30..40 {
            let of = |meter: &[f64]| meter[24 * day..24 * (day + 1)].to_vec();
            let today: Vec<Vec<f64>> = children.iter().map(|child| of(child)).collect();
            let honest = usual.filter(&of(&parent), &today).z();
            assert!(honest.iter().all(|z| *z < 4.0), "{day}: {honest:?}");
            for child in 0..4 {
                let filter = usual.filter(&of(&parent), &cut(&today, child, 0.95));
                let z = filter.z();
                let named = (0..4).max_by(|a, b| z[*a].total_cmp(&z[*b]));
                assert_eq!(named, Some(child), "{day}: {z:?}");
                assert!(4.0 < z[child], "{day}: {z:?}");
                let missing = filter.missing()[child];
                assert!((missing - 0.05).abs() < 0.03, "{missing}");
            }
        }
    }

    #[test]
    fn nothing_is_said_without_a_parent_that_shows_something() {
        assert!(usual(&[], &[vec![]], 0.005).is_none());
        assert!(usual(&[0.0, -1.0], &[vec![1.0, 1.0]], 0.005).is_none());
        assert!(usual(&[1.0], &[], 0.005).is_none());
        let (parent, children) = meters(24, 1);
        let filter = usual(&parent, &children, 0.005).expect("usual").filter(&[], &children);
        assert_eq!((filter.z(), filter.unexplained(0)), (vec![0.0; 4], 0.0));
    }
}
