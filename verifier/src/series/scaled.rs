//! Stretches of readings that are earlier ones, times a number.
//!
//! Two stretches of `samples_min` readings or more are copies of one another if they differ by less
//! than a share of the mean after each was divided by its mean, and if what they show varies
//! (standard deviation over mean above `variation_min`): a flat line is like every other flat line.
//!
//! **Search.** A scale changes no maximum's place. Each reading that is the one largest among
//! [`AROUND`] on either side is an anchor; its mark is the share of what lies before it in the sum
//! around it, which no scale changes either. Anchors are sorted by mark, only neighbours within what
//! the tolerance allows are compared, and what agrees is extended to both sides. So the work follows
//! the number of readings, not its square, as long as marks differ; of more than [`NEIGHBOURS_MAX`]
//! neighbours the nearest are compared. Source: rule M06 of the catalogue.

use crate::series::robust::{deviation, mean};

/// Readings on either side of an anchor that are smaller than it.
pub const AROUND: usize = 6;
/// Anchors of the nearest marks that one is compared with.
pub const NEIGHBOURS_MAX: usize = 256;

/// What counts as a copy.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// Fewest readings.
    pub samples_min: usize,
    /// Largest difference, as a share of the mean.
    pub difference_max: f64,
    /// Least standard deviation over mean.
    pub variation_min: f64,
}

/// One stretch and the other: first readings, length, and by how much the later one is larger.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Copied {
    /// First reading of the later stretch.
    pub copy: usize,
    /// First reading of the earlier stretch.
    pub source: usize,
    /// Readings.
    pub length: usize,
    /// Copy over source.
    pub scale: f64,
    /// Largest difference, as a share of the mean.
    pub difference: f64,
    /// Most readings in a row that are equal in both.
    pub equal: usize,
}

/// All stretches of `values`, none of which lies within another found before; `parts` are the
/// stretches without a gap that a copy must not reach over. Sorted by copy and source.
pub fn search(values: &[f64], parts: &[std::ops::Range<usize>], gate: Gate) -> Vec<Copied> {
    let mut anchors: Vec<(f64, usize, usize)> = Vec::new();
    for (part, range) in parts.iter().enumerate() {
        anchors.extend(marks(values, range).map(|(mark, at)| (mark, at, part)));
    }
    anchors.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut found: Vec<Copied> = Vec::new();
    for (place, (mark, at, part)) in anchors.iter().enumerate() {
        let near = anchors[place + 1..].iter().take(NEIGHBOURS_MAX);
        for (_, other, of_other) in near.take_while(|next| next.0 - mark <= gate.difference_max) {
            let (early, late) = if at < other {
                ((*at, *part), (*other, *of_other))
            } else {
                ((*other, *of_other), (*at, *part))
            };
            let known = |one: &Copied| {
                one.copy <= late.0
                    && late.0 < one.copy + one.length
                    && late.0 - one.copy + one.source == early.0
            };
            if found.iter().any(known) {
                continue;
            }
            let (source, copy) = (&parts[early.1], &parts[late.1]);
            found.extend(extend(values, (early.0, source), (late.0, copy), gate));
        }
    }
    found.sort_unstable_by_key(|one| (one.copy, one.source, one.length));
    found
}

/// Anchors of a stretch, with their marks.
fn marks<'a>(
    values: &'a [f64],
    range: &std::ops::Range<usize>,
) -> impl Iterator<Item = (f64, usize)> + 'a {
    let last = range.end.saturating_sub(AROUND);
    (range.start + AROUND..last.max(range.start + AROUND)).filter_map(|at| {
        let (before, after) = (&values[at - AROUND..at], &values[at + 1..=at + AROUND]);
        let is_largest = before.iter().chain(after).all(|value| *value < values[at]);
        let (before, after) = (before.iter().sum::<f64>(), after.iter().sum::<f64>());
        let all = before + values[at] + after;
        (is_largest && 0.0 < all).then(|| (before / all, at))
    })
}

/// The stretch around two anchors that agree, if it is long enough and varies.
fn extend(
    values: &[f64],
    (source, source_part): (usize, &std::ops::Range<usize>),
    (copy, copy_part): (usize, &std::ops::Range<usize>),
    gate: Gate,
) -> Option<Copied> {
    let sum = |at: usize| values[at - AROUND..=at + AROUND].iter().sum::<f64>();
    let scale = sum(copy) / sum(source);
    let level = sum(copy) / (2 * AROUND + 1) as f64;
    // Within the core the mean is another than in the whole: twice the tolerance, judged below.
    let agrees = |back: usize, ahead: usize| {
        let difference = values[copy + ahead - back] - scale * values[source + ahead - back];
        libm::fabs(difference) <= 2.0 * gate.difference_max * level
    };
    let room = (source - source_part.start).min(copy - copy_part.start).min(copy - source);
    let back = (1..=room).take_while(|back| agrees(*back, 0)).count();
    let room = (source_part.end - source).min(copy_part.end - copy);
    let ahead = (0..room).take_while(|ahead| agrees(0, *ahead)).count();
    // A stretch does not reach into its own copy.
    let length = (back + ahead).min(copy - source);
    if length < gate.samples_min {
        return None;
    }
    let (source, copy) = (source - back, copy - back);
    let (one, other) = (&values[source..source + length], &values[copy..copy + length]);
    let (middle, of_other) = (mean(one), mean(other));
    if middle <= 0.0 || of_other <= 0.0 || deviation(one) <= gate.variation_min * middle {
        return None;
    }
    let difference = super::shape::scaled_difference(one, other);
    let same: Vec<bool> = one.iter().zip(other).map(|(a, b)| a == b).collect();
    let runs = same.chunk_by(|a, b| a == b).filter(|run| run[0]);
    let equal = runs.map(<[bool]>::len).max().unwrap_or(0);
    let scale = of_other / middle;
    (difference <= gate.difference_max).then_some(Copied {
        copy,
        source,
        length,
        scale,
        difference,
        equal,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATE: Gate = Gate { samples_min: 48, difference_max: 0.005, variation_min: 0.1 };

    /// Copies within a series without a gap.
    fn whole(values: &[f64]) -> Vec<Copied> {
        search(values, std::slice::from_ref(&(0..values.len())), GATE)
    }

    fn honest(count: usize, seed: u64) -> Vec<f64> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as f64 / (1_u64 << 31) as f64
        };
        (0..count).map(|_| libm::round(1_000.0 + 9_000.0 * next())).collect()
    }

    #[test]
    fn a_stretch_times_a_number_is_found_wherever_it_lies_and_honest_readings_are_not() {
        let values = honest(2_000, 5);
        assert_eq!(whole(&values), []);
        for (source, copy, length, scale) in
            [(100, 1_000, 60, 0.8), (0, 1_900, 100, 1.3), (700, 900, 200, 0.55)]
        {
            let mut forged = values.clone();
            for step in 0..length {
                forged[copy + step] = libm::round(values[source + step] * scale);
            }
            let found = whole(&forged);
            assert_eq!(found.len(), 1, "{source} {copy}: {found:?}");
            let found = found[0];
            assert!(
                found.copy.abs_diff(copy) < 3 && found.length.abs_diff(length) < 6,
                "{found:?}"
            );
            assert_eq!(found.copy - found.source, copy - source);
            assert!((found.scale - scale).abs() < 0.001, "{found:?}");
        }
    }

    #[test]
    fn flat_short_and_broken_stretches_are_no_copies() {
        let values = honest(1_000, 9);
        let forge = |length: usize, scale: f64| {
            let mut forged = values.clone();
            for step in 0..length {
                forged[600 + step] = libm::round(values[100 + step] * scale);
            }
            forged
        };
        assert_eq!(whole(&forge(40, 0.7)), []);
        assert!(90 <= whole(&forge(90, 1.0))[0].equal);
        assert!(whole(&forge(90, 0.7))[0].equal < 5);
        assert_eq!(search(&forge(90, 0.7), &[0..645, 645..1_000], GATE), []);
        assert_eq!(whole(&forge(90, 0.7)).len(), 1);
        let flat: Vec<f64> = (0..1_000).map(|at| 500.0 + f64::from(at % 13 == 0)).collect();
        assert_eq!(whole(&flat), []);
    }
}
