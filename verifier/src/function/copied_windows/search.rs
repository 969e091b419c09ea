//! The search behind `copied_windows`, in time and memory linear in the samples.
//!
//! A *core* is `samples_min` consecutive readings, without a gap, with at least `distinct_min`
//! different values. Cores are looked up by a rolling hash (polynomial, modulo 2^61 - 1); equal
//! ones, compared value by value, are extended both ways as far as they agree. A source never
//! overlaps its copy, so a signal is not its own copy by being periodic for less than that.
//!
//! **Information gate.** A programmed load repeats its few levels every day and is honest. So a
//! stretch counts only when one of its cores occurs at most `repeats_max` times in the series, or
//! is rich: its different values are at least `rich_ppm` of its readings.
//!
//! **p.** With c = Σ (share of each value)², two stretches of L independent readings agree with
//! chance c^L; of n readings about n²/2 pairs could. p = min(1, n²/2 · c^L), rounded to 10^-9. Real
//! readings are not independent, so p shows how far chance is, and closes for nearly constant loads.
//!
//! Source: replay attack R1 and the honest maxima of repeats (15 readings in a steel plant, 11 in
//! homes, 5 in a gas turbine) that the defaults of 24 readings and 6 values rest on.

use std::collections::HashMap;

/// Base of the rolling hash; any number of this size serves, equality is checked by value.
const BASE: u64 = 0x0a3b_1d5f_7c92_e641;
/// Modulus of the rolling hash: a Mersenne prime.
const PRIME: u64 = (1 << 61) - 1;
/// Earlier places of a core that are tried: the first eight.
const SOURCES_MAX: usize = 8;

/// One reading.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Which series.
    pub series: usize,
    /// End of its interval, Unix milliseconds.
    pub at_ms: i64,
    /// Length of its interval.
    pub interval_s: i64,
    /// The value.
    pub amount: i64,
    /// Which row of the aggregate it comes from.
    pub row: usize,
}

/// Settings of the search: see the module's words.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    /// Readings of a core.
    pub samples_min: usize,
    /// Different values of a core.
    pub distinct_min: i64,
    /// From this share of different values a core may occur any number of times.
    pub rich_ppm: i64,
    /// Otherwise it may occur so often.
    pub repeats_max: i64,
}

/// A stretch of one series that equals an earlier one; indices into the sorted samples.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Part {
    /// Where the copy starts.
    pub copy: usize,
    /// Where its source starts.
    pub source: usize,
    /// Readings of each.
    pub length: usize,
}

/// Copied stretches that belong together: one incident.
#[derive(Clone, Debug)]
pub struct Window {
    /// Begin of the copy.
    pub copy_start_ms: i64,
    /// End of the copy.
    pub copy_end_ms: i64,
    /// Begin of the source.
    pub source_start_ms: i64,
    /// End of the source.
    pub source_end_ms: i64,
    /// Readings copied, over all series.
    pub samples: i64,
    /// Different values in the longest part.
    pub distinct_values: i64,
    /// Readings of the longest part's series.
    pub series_samples: i64,
    /// Chance of the longest part, in 10^-9.
    pub p_ppb: i64,
    /// What it is made of.
    pub parts: Vec<Part>,
}

/// All windows, by the begin of the copy. `samples` are sorted by (series, interval, instant).
pub fn search(samples: &[Sample], gate: Gate) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    let mut start = 0;
    for chunk in samples.chunk_by(|a, b| (a.series, a.interval_s) == (b.series, b.interval_s)) {
        let series = Series::new(chunk, gate);
        windows.extend(series.parts().into_iter().map(|part| series.window(part, start)));
        start += chunk.len();
    }
    windows.sort_by_key(|window| (window.copy_start_ms, window.copy_end_ms, window.parts[0].copy));
    let mut merged: Vec<Window> = Vec::new();
    for window in windows {
        let slack_ms = slack_ms(samples, &window, gate);
        // Not only the last one: two series may alternate.
        let home =
            merged.iter_mut().rev().take(8).find(|earlier| belongs(earlier, &window, slack_ms));
        match home {
            Some(earlier) => join(earlier, window),
            None => merged.push(window),
        }
    }
    merged
}

fn slack_ms(samples: &[Sample], window: &Window, gate: Gate) -> i64 {
    let interval_s = samples[window.parts[0].copy].interval_s;
    interval_s
        .saturating_mul(1000)
        .saturating_mul(i64::try_from(gate.samples_min).unwrap_or(i64::MAX))
}

/// One incident: the same shift in time, and no more than a core between them.
fn belongs(earlier: &Window, later: &Window, slack_ms: i64) -> bool {
    let shift = |window: &Window| window.copy_start_ms - window.source_start_ms;
    let near = later.copy_start_ms <= earlier.copy_end_ms.saturating_add(slack_ms);
    near && shift(earlier) == shift(later)
}

fn join(earlier: &mut Window, later: Window) {
    earlier.copy_start_ms = earlier.copy_start_ms.min(later.copy_start_ms);
    earlier.copy_end_ms = earlier.copy_end_ms.max(later.copy_end_ms);
    earlier.source_start_ms = earlier.source_start_ms.min(later.source_start_ms);
    earlier.source_end_ms = earlier.source_end_ms.max(later.source_end_ms);
    if longest(&earlier.parts) < longest(&later.parts) {
        earlier.distinct_values = later.distinct_values;
        earlier.series_samples = later.series_samples;
        earlier.p_ppb = later.p_ppb;
    }
    earlier.samples += later.samples;
    earlier.parts.extend(later.parts);
}

fn longest(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.length).max().unwrap_or(0)
}

struct Series<'a> {
    samples: &'a [Sample],
    gate: Gate,
    /// For each reading, how many before it (itself included) follow one another without a gap.
    run: Vec<usize>,
    /// For each place where a core may start: different values in it, 0 if none starts there.
    distinct: Vec<i64>,
    hashes: Vec<u64>,
    /// By hash of a core: its first places, and how often it occurs.
    cores: HashMap<u64, (Vec<usize>, i64)>,
}

impl Series<'_> {
    fn new(samples: &[Sample], gate: Gate) -> Series<'_> {
        let run = runs(samples);
        let distinct = distinct_values(samples, gate, &run);
        let hashes = hashes(samples, gate.samples_min);
        let mut cores: HashMap<u64, (Vec<usize>, i64)> = HashMap::new();
        for (at, hash) in hashes.iter().enumerate() {
            if 0 < distinct[at] {
                let (places, count) = cores.entry(*hash).or_default();
                *count += 1;
                if places.len() < SOURCES_MAX {
                    places.push(at);
                }
            }
        }
        Series { samples, gate, run, distinct, hashes, cores }
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        let (mut at, mut free_from) = (0, 0);
        while at < self.hashes.len() {
            let Some(found) = self.best(at) else {
                at += 1;
                continue;
            };
            let part = self.extend_left(found, free_from);
            at = part.copy + part.length;
            free_from = at;
            if self.tells(part) {
                parts.push(part);
            }
        }
        parts
    }

    /// The longest earlier stretch that the readings from here on repeat.
    fn best(&self, at: usize) -> Option<Part> {
        if self.distinct[at] == 0 {
            return None;
        }
        let (places, count) = self.cores.get(&self.hashes[at])?;
        if *count < 2 {
            return None;
        }
        let mut best: Option<Part> = None;
        for &source in places.iter().take_while(|place| **place + self.gate.samples_min <= at) {
            let length = self.agreement(source, at);
            if self.gate.samples_min <= length && best.is_none_or(|best| best.length < length) {
                best = Some(Part { copy: at, source, length });
            }
        }
        best
    }

    /// How many readings agree from both places on, without a gap and without overlap.
    fn agreement(&self, source: usize, copy: usize) -> usize {
        let most = (copy - source).min(self.samples.len() - copy);
        (0..most)
            .take_while(|&step| {
                let (a, b) = (source + step, copy + step);
                let whole = step == 0 || (1 < self.run[a] && 1 < self.run[b]);
                whole && self.samples[a].amount == self.samples[b].amount
            })
            .count()
    }

    fn extend_left(&self, part: Part, free_from: usize) -> Part {
        let Part { mut copy, mut source, mut length } = part;
        while free_from < copy
            && 0 < source
            && source + length < copy
            && 1 < self.run[copy]
            && 1 < self.run[source]
            && self.samples[copy - 1].amount == self.samples[source - 1].amount
        {
            copy -= 1;
            source -= 1;
            length += 1;
        }
        Part { copy, source, length }
    }

    /// The information gate.
    fn tells(&self, part: Part) -> bool {
        let core = i64::try_from(self.gate.samples_min).unwrap_or(i64::MAX);
        let last = part.copy + part.length - self.gate.samples_min;
        (part.copy..=last).filter(|at| 0 < self.distinct[*at]).any(|at| {
            let repeats = self.cores.get(&self.hashes[at]).map_or(0, |(_, count)| *count);
            let rich = self.gate.rich_ppm.saturating_mul(core) <= self.distinct[at] * 1_000_000;
            repeats <= self.gate.repeats_max || rich
        })
    }

    fn window(&self, part: Part, start: usize) -> Window {
        let begin = |at: usize| self.samples[at].at_ms - self.samples[at].interval_s * 1000;
        let mut values: Vec<i64> =
            self.samples[part.copy..part.copy + part.length].iter().map(|s| s.amount).collect();
        values.sort_unstable();
        values.dedup();
        let integer = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        Window {
            copy_start_ms: begin(part.copy),
            copy_end_ms: self.samples[part.copy + part.length - 1].at_ms,
            source_start_ms: begin(part.source),
            source_end_ms: self.samples[part.source + part.length - 1].at_ms,
            samples: integer(part.length),
            distinct_values: integer(values.len()),
            series_samples: integer(self.samples.len()),
            p_ppb: self.chance_ppb(part.length),
            parts: vec![Part { copy: part.copy + start, source: part.source + start, ..part }],
        }
    }

    fn chance_ppb(&self, length: usize) -> i64 {
        let mut values: Vec<i64> = self.samples.iter().map(|sample| sample.amount).collect();
        values.sort_unstable();
        let n = values.len() as f64;
        let agree: f64 = values
            .chunk_by(|a, b| a == b)
            .map(|same| (same.len() as f64 / n) * (same.len() as f64 / n))
            .sum();
        let log = 2.0 * libm::log10(n) - libm::log10(2.0) + length as f64 * libm::log10(agree);
        let p = if 0.0 <= log { 1.0 } else { libm::pow(10.0, log) };
        libm::round(p * 1e9) as i64
    }
}

fn runs(samples: &[Sample]) -> Vec<usize> {
    let mut run: Vec<usize> = Vec::with_capacity(samples.len());
    for (at, sample) in samples.iter().enumerate() {
        let follows = at.checked_sub(1).is_some_and(|before| {
            samples[before].at_ms.checked_add(sample.interval_s.saturating_mul(1000))
                == Some(sample.at_ms)
        });
        run.push(if follows { run[at - 1] + 1 } else { 1 });
    }
    run
}

/// Different values of each core; 0 where a gap or too few of them bar one.
fn distinct_values(samples: &[Sample], gate: Gate, run: &[usize]) -> Vec<i64> {
    let size = gate.samples_min;
    let mut counts: HashMap<i64, u32> = HashMap::new();
    let mut distinct = Vec::new();
    for (end, sample) in samples.iter().enumerate() {
        *counts.entry(sample.amount).or_default() += 1;
        let Some(start) = (end + 1).checked_sub(size) else {
            continue;
        };
        let values = i64::try_from(counts.len()).unwrap_or(i64::MAX);
        let whole = size <= run[end] && gate.distinct_min <= values;
        distinct.push(if whole { values } else { 0 });
        let leaving = samples[start].amount;
        if let Some(count) = counts.get_mut(&leaving) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&leaving);
            }
        }
    }
    distinct
}

/// Rolling hash of each stretch of `size` readings.
fn hashes(samples: &[Sample], size: usize) -> Vec<u64> {
    let times = |a: u64, b: u64| ((u128::from(a) * u128::from(b)) % u128::from(PRIME)) as u64;
    let value = |sample: &Sample| sample.amount.cast_unsigned() % PRIME;
    let oldest = (1..size).fold(1, |power, _| times(power, BASE));
    let mut hash = 0;
    let mut hashes = Vec::with_capacity(samples.len().saturating_sub(size - 1));
    for (end, sample) in samples.iter().enumerate() {
        hash = (times(hash, BASE) + value(sample)) % PRIME;
        if let Some(start) = (end + 1).checked_sub(size) {
            hashes.push(hash);
            hash = (hash + PRIME - times(value(&samples[start]), oldest)) % PRIME;
        }
    }
    hashes
}

#[cfg(test)]
mod tests;
