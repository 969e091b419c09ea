//! The attacks: what a forger makes of honest readings, each exactly as its source defines it.
//!
//! h1–h6: Jokar, Arianpoo and Leung, IEEE Transactions on Smart Grid 7 (2016) 216. FDI1–FDI6: Zheng
//! et al., arXiv:2411.06649, after IEEE Transactions on Industrial Informatics. Ramp, peak cut and
//! swap: the list of fourteen models after Punmiya and Choe, IEEE Transactions on Smart Grid 10
//! (2019) 2326. R1–R9: ours, what the documented falsifications of meters come to.

/// Days of an attack that lasts a week, and of one that lasts a month.
pub const WEEK_DAYS: usize = 7;
const MONTH_DAYS: usize = 28;

/// One attack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Attack {
    /// Each day is multiplied by one number from 0.1 to 0.8.
    H1,
    /// A window of at least four hours of each day shows nothing.
    H2,
    /// Each reading is multiplied by a number of its own from 0.1 to 0.8.
    H3,
    /// Each reading is the day's mean times a number from 0.1 to 0.8.
    H4,
    /// Each reading is the day's mean.
    H5,
    /// Each day runs backwards.
    H6,
    /// The whole is multiplied by one number from 0.2 to 0.8.
    Fdi1,
    /// What is over a limit is cut to it.
    Fdi2,
    /// What is under a limit is lost: max(x - c, 0).
    Fdi3,
    /// One window of each day shows nothing.
    Fdi4,
    /// Each reading is multiplied by a number of its own from 0.2 to 0.8.
    Fdi5,
    /// Each reading is the mean of the whole times a number from 0.2 to 0.8.
    Fdi6,
    /// The share that is lost grows from nothing to between 0.3 and all.
    Ramp,
    /// Peaks are cut by 30 % and spread over the rest of their day: the sum stays.
    PeakCut,
    /// Another meter's week, of at most 40 % of the amount.
    Swap,
    /// Each day is the one so many days before.
    R1,
    /// Another meter's days, scaled to the own mean.
    R2,
    /// Each day is turned by one to four hours.
    R3,
    /// At least twelve readings show the first of them.
    R4,
    /// A month times 0.90.
    R5a,
    /// A month times 0.95.
    R5b,
    /// A month times 0.98.
    R5c,
    /// What is over the 90 % quantile is cut to it.
    R6,
    /// The highest intervals of each day are missing.
    R7,
    /// A tenth less, with a register that agrees.
    R8,
    /// A fifth less, at the parent meter too.
    R9,
}

/// All of them, in the order in which they are tried.
pub const ATTACKS: [Attack; 26] = [
    Attack::H1,
    Attack::H2,
    Attack::H3,
    Attack::H4,
    Attack::H5,
    Attack::H6,
    Attack::Fdi1,
    Attack::Fdi2,
    Attack::Fdi3,
    Attack::Fdi4,
    Attack::Fdi5,
    Attack::Fdi6,
    Attack::Ramp,
    Attack::PeakCut,
    Attack::Swap,
    Attack::R1,
    Attack::R2,
    Attack::R3,
    Attack::R4,
    Attack::R5a,
    Attack::R5b,
    Attack::R5c,
    Attack::R6,
    Attack::R7,
    Attack::R8,
    Attack::R9,
];

/// What an attack sees beside the readings that it changes.
pub struct Around<'a> {
    /// The days before, of the same meter, newest last.
    pub past: &'a [Vec<f64>],
    /// The same days of another meter, if there is one.
    pub other: Option<&'a [Vec<f64>]>,
    /// Readings of a day.
    pub length: usize,
}

impl Attack {
    /// As `--attacks` names it.
    pub const fn name(self) -> &'static str {
        match self {
            Attack::H1 => "h1",
            Attack::H2 => "h2",
            Attack::H3 => "h3",
            Attack::H4 => "h4",
            Attack::H5 => "h5",
            Attack::H6 => "h6",
            Attack::Fdi1 => "FDI1",
            Attack::Fdi2 => "FDI2",
            Attack::Fdi3 => "FDI3",
            Attack::Fdi4 => "FDI4",
            Attack::Fdi5 => "FDI5",
            Attack::Fdi6 => "FDI6",
            Attack::Ramp => "ramp",
            Attack::PeakCut => "peak-cut",
            Attack::Swap => "swap",
            Attack::R1 => "R1",
            Attack::R2 => "R2",
            Attack::R3 => "R3",
            Attack::R4 => "R4",
            Attack::R5a => "R5-0.90",
            Attack::R5b => "R5-0.95",
            Attack::R5c => "R5-0.98",
            Attack::R6 => "R6",
            Attack::R7 => "R7",
            Attack::R8 => "R8",
            Attack::R9 => "R9",
        }
    }

    /// The attack of this name, in any case.
    pub fn named(name: &str) -> Option<Attack> {
        ATTACKS.into_iter().find(|attack| attack.name().eq_ignore_ascii_case(name))
    }

    /// Days that it lasts.
    pub const fn days(self) -> usize {
        match self {
            Attack::R5a | Attack::R5b | Attack::R5c => MONTH_DAYS,
            _ => WEEK_DAYS,
        }
    }

    /// The forged days: a reading that is missing is None. None where it needs another meter that is
    /// not there.
    pub fn forge(
        self,
        days: &[Vec<f64>],
        around: &Around<'_>,
        chance: &mut Chance,
    ) -> Option<Vec<Vec<Option<f64>>>> {
        let all: Vec<f64> = days.iter().flatten().copied().collect();
        let forged = match self {
            Attack::Fdi1 => {
                let share = chance.between(0.2, 0.8);
                each(days, |_, value| share * value)
            }
            Attack::Fdi2 | Attack::Fdi3 => {
                let limit = chance.between(0.2, 0.8) * all.iter().copied().fold(0.0, f64::max);
                let cuts = self == Attack::Fdi2;
                each(days, |_, x| if cuts { x.min(limit) } else { (x - limit).max(0.0) })
            }
            Attack::Fdi6 => {
                let mean = mean(&all);
                days.iter().map(|day| noise(day.len(), chance, 0.2, mean)).collect()
            }
            Attack::Ramp => {
                let most = chance.between(0.3, 1.0);
                let count = all.len() as f64;
                each(days, |at, value| (1.0 - most * at as f64 / count) * value)
            }
            Attack::Swap => swapped(days, around.other?)?,
            Attack::R1 => {
                let back = 7 * (1 + chance.below(around.past.len() / 7 - 1));
                let from = around.past.len() - back;
                (0..days.len()).map(|day| around.past[from + day % back].clone()).collect()
            }
            Attack::R2 => copied(&all, around.other?),
            Attack::R4 => stuck(days, &all, chance),
            Attack::R5a => each(days, |_, value| 0.90 * value),
            Attack::R5b => each(days, |_, value| 0.95 * value),
            Attack::R5c => each(days, |_, value| 0.98 * value),
            Attack::R6 => {
                let mut sorted = all.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                let limit = crate::series::robust::quantile_of_sorted(&sorted, 0.9);
                each(days, |_, value| value.min(limit))
            }
            Attack::R7 => return Some(days.iter().map(|day| without_peaks(day)).collect()),
            Attack::R8 => each(days, |_, value| 0.9 * value),
            Attack::R9 => each(days, |_, value| 0.8 * value),
            _ => days.iter().map(|day| self.forge_day(day, around.length, chance)).collect(),
        };
        Some(forged.into_iter().map(|day| day.into_iter().map(Some).collect()).collect())
    }

    /// Of the attacks that look at one day alone.
    fn forge_day(self, day: &[f64], length: usize, chance: &mut Chance) -> Vec<f64> {
        match self {
            Attack::H1 => {
                let share = chance.between(0.1, 0.8);
                day.iter().map(|value| share * value).collect()
            }
            Attack::H2 | Attack::Fdi4 => {
                // Four hours or more of the day.
                let least = length.div_ceil(6);
                let count = least + chance.below(length - least + 1);
                let start = chance.below(length - count + 1);
                let gone = start..start + count;
                let value =
                    |(at, value): (usize, &f64)| if gone.contains(&at) { 0.0 } else { *value };
                day.iter().enumerate().map(value).collect()
            }
            Attack::H3 => day.iter().map(|value| chance.between(0.1, 0.8) * value).collect(),
            Attack::H4 => noise(day.len(), chance, 0.1, mean(day)),
            Attack::H5 => vec![mean(day); day.len()],
            Attack::H6 => day.iter().rev().copied().collect(),
            Attack::Fdi5 => day.iter().map(|value| chance.between(0.2, 0.8) * value).collect(),
            Attack::PeakCut => {
                let limit = 0.7 * day.iter().copied().fold(0.0, f64::max);
                let cut: f64 = day.iter().map(|value| (value - limit).max(0.0)).sum();
                let low = day.iter().filter(|value| **value < limit).count().max(1) as f64;
                let value = |x: &f64| if *x < limit { x + cut / low } else { limit };
                day.iter().map(value).collect()
            }
            Attack::R3 => {
                let hour = (length / 24).max(1);
                let mut turned = day.to_vec();
                turned.rotate_right((hour * (1 + chance.below(4))).min(day.len()));
                turned
            }
            _ => day.to_vec(),
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    crate::series::robust::mean(values)
}

fn each(days: &[Vec<f64>], forge: impl Fn(usize, f64) -> f64) -> Vec<Vec<f64>> {
    let mut at = 0;
    let mut one = |value: &f64| {
        at += 1;
        forge(at - 1, *value)
    };
    days.iter().map(|day| day.iter().map(&mut one).collect()).collect()
}

fn noise(count: usize, chance: &mut Chance, least: f64, mean: f64) -> Vec<f64> {
    (0..count).map(|_| chance.between(least, 0.8) * mean).collect()
}

fn swapped(days: &[Vec<f64>], other: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let sum = |days: &[Vec<f64>]| days.iter().flatten().sum::<f64>();
    (sum(other) <= 0.4 * sum(days)).then(|| other.to_vec())
}

fn copied(all: &[f64], other: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let theirs: Vec<f64> = other.iter().flatten().copied().collect();
    let by = if mean(&theirs) == 0.0 { 0.0 } else { mean(all) / mean(&theirs) };
    each(other, |_, value| by * value)
}

fn stuck(days: &[Vec<f64>], all: &[f64], chance: &mut Chance) -> Vec<Vec<f64>> {
    let count = 12 + chance.below(85).min(all.len().saturating_sub(12));
    let start = chance.below(all.len() - count + 1);
    // A meter that stands at nothing is no stuck one.
    let first = all[start..].iter().copied().find(|value| 0.0 < *value).unwrap_or(1.0);
    each(days, |at, value| if (start..start + count).contains(&at) { first } else { value })
}

fn without_peaks(day: &[f64]) -> Vec<Option<f64>> {
    let mut sorted = day.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let limit = sorted[sorted.len() - (sorted.len() / 24).max(1)];
    day.iter().map(|value| (*value < limit).then_some(*value)).collect()
}

/// Chance from a seed: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The same seed gives the same numbers.
    pub const fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly from `low` to `high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// A whole number under `count`; 0 where that is 0.
    pub fn below(&mut self, count: usize) -> usize {
        (self.unit() * count as f64) as usize
    }

    /// Normal, with this standard deviation (Box and Muller).
    pub fn normal(&mut self, deviation: f64) -> f64 {
        let (a, b) = (self.unit().max(f64::MIN_POSITIVE), self.unit());
        let angle = 2.0 * core::f64::consts::PI * b;
        deviation * libm::sqrt(-2.0 * libm::log(a)) * libm::cos(angle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(count: usize) -> Vec<Vec<f64>> {
        (0..count)
            .map(|day| (0..24).map(|hour| (100 * day + hour * hour + 1) as f64).collect())
            .collect()
    }

    fn forge(attack: Attack) -> Vec<Vec<Option<f64>>> {
        let (past, week) = (days(63), days(7));
        let other: Vec<Vec<f64>> =
            days(7).iter().map(|day| day.iter().rev().map(|x| x / 4.0).collect()).collect();
        let around = Around { past: &past, other: Some(&other), length: 24 };
        attack.forge(&week, &around, &mut Chance::new(7)).expect("it can be put there")
    }

    #[test]
    fn each_attack_does_what_its_name_says_and_the_same_again() {
        let week: Vec<f64> = days(7).into_iter().flatten().collect();
        let sum: f64 = week.iter().sum();
        for attack in ATTACKS {
            let forged = forge(attack);
            assert_eq!(forged, forge(attack), "{}", attack.name());
            let shown: Vec<f64> = forged.iter().flatten().flatten().copied().collect();
            assert_ne!(shown, week, "{}", attack.name());
            assert!(shown.iter().all(|value| (0.0..1e4).contains(value)), "{}", attack.name());
            let total: f64 = shown.iter().sum();
            let keeps = matches!(
                attack,
                Attack::H5 | Attack::H6 | Attack::PeakCut | Attack::R2 | Attack::R3
            );
            assert_eq!(keeps, (total - sum).abs() < 1e-6 * sum, "{} {total} {sum}", attack.name());
            assert_eq!(Attack::named(attack.name()), Some(attack));
        }
        let hours_gone = |day: &Vec<Option<f64>>| day.iter().filter(|x| **x == Some(0.0)).count();
        assert!(forge(Attack::H2).iter().all(|day| 4 <= hours_gone(day)));
        assert_eq!(forge(Attack::R7).iter().flatten().filter(|x| x.is_none()).count(), 7);
        assert_eq!(forge(Attack::H6)[0][0], Some(530.0));
    }

    #[test]
    fn an_attack_that_needs_another_meter_is_not_made_up_without_one() {
        let (past, week) = (days(63), days(7));
        let alone = Around { past: &past, other: None, length: 24 };
        for attack in [Attack::Swap, Attack::R2] {
            assert!(attack.forge(&week, &alone, &mut Chance::new(1)).is_none());
        }
        // A consumer that uses as much is none to swap with.
        let alike = Around { past: &past, other: Some(&week), length: 24 };
        assert!(Attack::Swap.forge(&week, &alike, &mut Chance::new(1)).is_none());
    }
}
