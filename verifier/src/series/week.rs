//! How unlike its own past a meter's week is.
//!
//! A week of whole days is compared with the weeks of the nine weeks before it, of the same meter
//! alone. Thirteen figures describe a week; each is measured against its median and spread over all
//! runs of seven days in that past (spread: the larger of the scaled median absolute deviation, half
//! the standard deviation, and [`SPREAD_MIN`]), counted only on the side that falsification moves it
//! to where it has one, and capped at [`DISTANCE_MAX`]. The score is the Euclidean length of the
//! distances: no training, no labels, no other meter.
//!
//! | figure | moved by |
//! |---|---|
//! | median over the days of: ln mean, ln low (5 % quantile), ln high | scaling, clipping |
//! | median of: standard deviation / mean, mean step / mean | averaging, noise |
//! | median of: likeness to the typical day minus that of the reversed day | reversal |
//! | most zeros, least ln low, least ln mean, spread of ln mean of the days | windows of zero, daily factors |
//! | likeness of the mean day minus that of it reversed | reversal |
//! | mean distance of each day to its three nearest days of the past | any |
//! | how much nearer the reversed days are | reversal |
//!
//! A steady cut of a few percent moves none of these beyond what is usual: it needs a second meter.

use super::robust::{correlation, deviation, location, mean, quantile_of_sorted};

/// Days that are compared together.
pub const WEEK: usize = 7;
/// Days of the past that a week is compared with: nine weeks.
pub const PAST: usize = 63;
/// Figures of a week.
pub const FIGURES: usize = 13;
/// Least spread of a figure: smaller differences are not told apart from rounding.
pub const SPREAD_MIN: f64 = 0.02;
/// A figure counts at most so many spreads.
pub const DISTANCE_MAX: f64 = 20.0;
/// Added to a value before its logarithm is taken, as a share of the mean of the past.
const FLOOR: f64 = 0.001;
/// The same where days are compared hour by hour.
const FLOOR_HOURLY: f64 = 0.05;
/// Points of a day that days are compared by.
const POINTS: usize = 24;
/// Nearest days of the past.
const NEAREST: usize = 3;
/// Nearest days of the past that tell a day from its reverse.
const NEAREST_REVERSED: usize = 10;

/// Which side of the usual a figure is suspicious on.
const SIDES: [i8; FIGURES] = [0, 0, 0, 0, 0, -1, 1, -1, -1, 1, -1, 1, 1];

/// Names of the figures, in their order.
pub const FIGURES_EN: [&str; FIGURES] = [
    "level",
    "base load",
    "peak",
    "variation within the day",
    "steps from reading to reading",
    "direction of time",
    "zeros",
    "least base load",
    "least level",
    "differences between the days",
    "direction of time of the mean day",
    "likeness to earlier days",
    "likeness to earlier days reversed",
];

/// The same in Chinese.
pub const FIGURES_ZH: [&str; FIGURES] = [
    "用量水平",
    "基础负荷",
    "峰值",
    "日内变化",
    "相邻读数之差",
    "时间方向",
    "零值",
    "最低基础负荷",
    "最低用量水平",
    "各日之差",
    "日均曲线的时间方向",
    "与以往各日的相似度",
    "与以往各日倒序的相似度",
];

/// The past of a week.
pub struct Past {
    typical: Vec<f64>,
    level: f64,
    /// Each day in [`POINTS`] logarithms, less their mean, and that mean.
    points: Vec<(Vec<f64>, f64)>,
    usual: [(f64, f64); FIGURES],
}

impl Past {
    /// Of [`PAST`] days of one length.
    pub fn new(days: &[Vec<f64>]) -> Past {
        let length = days[0].len();
        let typical = (0..length).map(|at| {
            let column: Vec<f64> = days.iter().map(|day| day[at]).collect();
            location(&column).0
        });
        let level = mean(&days.iter().map(|day| mean(day)).collect::<Vec<_>>());
        let mut past = Past {
            typical: typical.collect(),
            level,
            points: days.iter().map(|day| points(day, level)).collect(),
            usual: [(0.0, 1.0); FIGURES],
        };
        let daily: Vec<Daily> = days.iter().map(|day| past.daily(day)).collect();
        let near: Vec<(f64, f64)> =
            (0..days.len()).map(|at| past.near(&past.points[at], Some(at))).collect();
        let weeks: Vec<[f64; FIGURES]> = (0..=days.len() - WEEK)
            .map(|at| {
                past.figures(&days[at..at + WEEK], &daily[at..at + WEEK], &near[at..at + WEEK])
            })
            .collect();
        for figure in 0..FIGURES {
            let values: Vec<f64> = weeks.iter().map(|week| week[figure]).collect();
            let (middle, spread) = location(&values);
            past.usual[figure] = (middle, spread.max(0.5 * deviation(&values)).max(SPREAD_MIN));
        }
        past
    }

    /// Of a week after it.
    pub fn score(&self, week: &[Vec<f64>]) -> (f64, [f64; FIGURES]) {
        let daily: Vec<Daily> = week.iter().map(|day| self.daily(day)).collect();
        let near: Vec<(f64, f64)> =
            week.iter().map(|day| self.near(&points(day, self.level), None)).collect();
        let mut distances = self.figures(week, &daily, &near);
        for (figure, distance) in distances.iter_mut().enumerate() {
            let (middle, spread) = self.usual[figure];
            let z = (*distance - middle) / spread;
            let counted = match SIDES[figure] {
                1 => z.max(0.0),
                -1 => (-z).max(0.0),
                _ => libm::fabs(z),
            };
            *distance = counted.min(DISTANCE_MAX);
        }
        (libm::sqrt(distances.iter().map(|z| z * z).sum()), distances)
    }

    fn daily(&self, day: &[f64]) -> Daily {
        let mut sorted = day.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let middle = mean(day);
        let whole = middle.max(FLOOR * self.level).max(f64::MIN_POSITIVE);
        let ln = |value: f64| libm::log(value.max(0.0) + FLOOR * self.level + f64::MIN_POSITIVE);
        let steps: f64 = day.windows(2).map(|two| libm::fabs(two[1] - two[0])).sum();
        Daily {
            mean: ln(middle),
            low: ln(quantile_of_sorted(&sorted, 0.05)),
            high: ln(sorted[sorted.len() - 1]),
            variation: deviation(day) / whole,
            roughness: steps / (day.len() - 1) as f64 / whole,
            forward: self.forward(day),
            zeros: day.iter().filter(|value| **value <= 1e-6 * self.level).count() as f64
                / day.len() as f64,
        }
    }

    /// How much more like the typical day than its reverse is.
    fn forward(&self, day: &[f64]) -> f64 {
        let reversed: Vec<f64> = day.iter().rev().copied().collect();
        let like = |day: &[f64]| {
            let r = correlation(day, &self.typical);
            if r.is_nan() { 0.0 } else { r }
        };
        like(day) - like(&reversed)
    }

    /// Mean distance to the nearest days, and how much nearer the reversed day's shape is.
    fn near(&self, (shape, level): &(Vec<f64>, f64), without: Option<usize>) -> (f64, f64) {
        let (mut whole, mut forward, mut back) = (Vec::new(), Vec::new(), Vec::new());
        for (at, (other, its)) in self.points.iter().enumerate() {
            if without == Some(at) {
                continue;
            }
            let (mut near, mut ahead, mut reversed) = (0.0, 0.0, 0.0);
            for (point, value) in other.iter().enumerate() {
                let off = shape[point] - value;
                near += libm::fabs(off + level - its);
                ahead += libm::fabs(off);
                reversed += libm::fabs(shape[shape.len() - 1 - point] - value);
            }
            let n = other.len() as f64;
            whole.push(near / n);
            forward.push(ahead / n);
            back.push(reversed / n);
        }
        let least = |values: &mut Vec<f64>, count: usize| {
            values.sort_unstable_by(f64::total_cmp);
            mean(&values[..count.min(values.len())])
        };
        let reversed = least(&mut forward, NEAREST_REVERSED) - least(&mut back, NEAREST_REVERSED);
        (least(&mut whole, NEAREST), reversed)
    }

    fn figures(&self, week: &[Vec<f64>], daily: &[Daily], near: &[(f64, f64)]) -> [f64; FIGURES] {
        let middle = |of: fn(&Daily) -> f64| location(&daily.iter().map(of).collect::<Vec<_>>()).0;
        let least = |of: fn(&Daily) -> f64| daily.iter().map(of).fold(f64::INFINITY, f64::min);
        let means: Vec<f64> = daily.iter().map(|day| day.mean).collect();
        let day: Vec<f64> = (0..self.typical.len())
            .map(|at| week.iter().map(|day| day[at]).sum::<f64>() / week.len() as f64)
            .collect();
        let nearness = |of: fn(&(f64, f64)) -> f64| mean(&near.iter().map(of).collect::<Vec<_>>());
        [
            middle(|day| day.mean),
            middle(|day| day.low),
            middle(|day| day.high),
            middle(|day| day.variation),
            middle(|day| day.roughness),
            middle(|day| day.forward),
            -least(|day| -day.zeros),
            least(|day| day.low),
            least(|day| day.mean),
            deviation(&means),
            self.forward(&day),
            nearness(|near| near.0),
            nearness(|near| near.1),
        ]
    }
}

/// One day.
struct Daily {
    mean: f64,
    low: f64,
    high: f64,
    variation: f64,
    roughness: f64,
    forward: f64,
    zeros: f64,
}

/// The day in [`POINTS`] logarithms (or as many as it has values), less their mean, and that mean.
fn points(day: &[f64], level: f64) -> (Vec<f64>, f64) {
    let ln = |value: &f64| libm::log(value.max(0.0) + FLOOR_HOURLY * level + f64::MIN_POSITIVE);
    let each = (day.len() / POINTS).max(1);
    let points: Vec<f64> =
        day.chunks(each).map(|part| mean(&part.iter().map(ln).collect::<Vec<_>>())).collect();
    let level = mean(&points);
    (points.iter().map(|point| point - level).collect(), level)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers from 0 to 1 without pattern, so that a failure repeats.
    struct Noise(u64);

    impl Noise {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (self.0 >> 33) as f64 / (1_u64 << 31) as f64
        }
    }

    /// A shop: little at night, a rise in the morning, most in the afternoon, each day otherwise.
    fn days(count: usize, noise: &mut Noise) -> Vec<Vec<f64>> {
        let day = |noise: &mut Noise| {
            let level = 0.8 + 0.4 * noise.next();
            let hour = |hour: usize, noise: &mut Noise| {
                let open = if (7..20).contains(&hour) { hour as f64 - 4.0 } else { 0.0 };
                level * (2.0 + open) * (0.85 + 0.3 * noise.next())
            };
            (0..24).map(|at| hour(at, noise)).collect()
        };
        (0..count).map(|_| day(noise)).collect()
    }

    #[test]
    fn each_attack_of_the_literature_moves_the_score_beyond_an_honest_week() {
        let mut noise = Noise(7);
        let past = Past::new(&days(PAST, &mut noise));
        let honest: Vec<f64> = (0..20).map(|_| past.score(&days(WEEK, &mut noise)).0).collect();
        let most = honest.iter().copied().fold(0.0, f64::max);
        type Attack = fn(&[f64], &mut Noise) -> Vec<f64>;
        let attacks: [(&str, Attack); 6] = [
            ("h1", |day, noise| {
                let share = 0.1 + 0.7 * noise.next();
                day.iter().map(|value| share * value).collect()
            }),
            ("h2", |day, _| {
                (0..24).map(|at| if (9..13).contains(&at) { 0.0 } else { day[at] }).collect()
            }),
            ("h3", |day, noise| day.iter().map(|v| (0.1 + 0.7 * noise.next()) * v).collect()),
            ("h4", |day, noise| {
                day.iter().map(|_| (0.1 + 0.7 * noise.next()) * mean(day)).collect()
            }),
            ("h5", |day, _| vec![mean(day); 24]),
            ("h6", |day, _| day.iter().rev().copied().collect()),
        ];
        for (name, attack) in attacks {
            let week = days(WEEK, &mut noise);
            let forged: Vec<Vec<f64>> = week.iter().map(|day| attack(day, &mut noise)).collect();
            let (score, _) = past.score(&forged);
            assert!(2.0 * most < score, "{name}: {score} beside {most}");
        }
    }

    #[test]
    fn a_meter_that_never_moves_or_shows_nothing_is_not_suspected() {
        for level in [0.0, 5.0] {
            let past = Past::new(&vec![vec![level; 24]; PAST]);
            assert_eq!(past.score(&vec![vec![level; 24]; WEEK]).0, 0.0);
        }
        // What begins to be used after months of nothing is unlike its past, and finite.
        let past = Past::new(&vec![vec![0.0; 24]; PAST]);
        assert!(past.score(&days(WEEK, &mut Noise(1))).0.is_finite());
    }
}
