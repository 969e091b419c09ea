//! The works' electricity meter: quarter hours that follow shifts, furnace heats and weather.
//!
//! Invariants: whole watt-hours; the register is the running total; no two quarter hours are made
//! from the same draw, so an honest series repeats no long window.

use std::fmt::Write as _;

use hallmark_schemas::time::Timestamp;

use crate::random::Random;

/// Weeks of the story.
pub const WEEKS: usize = 4;
/// Seconds that one reading covers.
pub const INTERVAL_S: u64 = 900;
/// Readings of one day.
pub const DAY: usize = 96;
/// Readings of one week.
pub const WEEK: usize = 7 * DAY;
/// Monday 2 March 2026, 00:00 in China: the begin of the first interval.
pub const START_AT: Timestamp = Timestamp::from_unix_ms(1_772_380_800_000);

/// What always runs: pumps, light, compressors, in Wh a quarter hour.
const BASE_WH: i64 = 41_000;
/// The line at full load, in Wh a quarter hour.
const LOAD_WH: i64 = 128_000;
/// One furnace heat, in Wh a quarter hour.
const HEAT_WH: i64 = 76_000;
/// Load by hour of a working day, in thousandths: two shifts with their breaks.
const SHAPE: [i64; 24] = [
    90, 80, 75, 75, 80, 130, 420, 780, 930, 960, 950, 870, 640, 820, 940, 950, 900, 760, 690, 720,
    650, 480, 260, 130,
];
/// Load by day of the week from Monday, in thousandths.
const DAYS: [i64; 7] = [940, 1000, 1010, 990, 960, 430, 110];

/// What a meter read, interval by interval.
#[derive(Clone, Debug)]
pub struct Series {
    /// Wh in each quarter hour from [`START_AT`] on.
    pub amounts: Vec<i64>,
}

impl Series {
    /// `weeks` weeks without any manipulation.
    pub fn honest(random: &mut Random, weeks: usize) -> Series {
        let mut amounts = Vec::with_capacity(weeks * WEEK);
        let (mut weather, mut heat_left) = (0, 0);
        for index in 0..weeks * WEEK {
            if index.is_multiple_of(DAY) {
                weather = (weather * 3 + random.about_zero(60) * 2) / 4;
            }
            let (day, hour) = (index / DAY % 7, index % DAY / 4);
            let shape = SHAPE[hour] * DAYS[day] / 1000;
            if heat_left == 0 && 300 < shape && random.below(1000) < 140 {
                heat_left = 2 + random.below(4);
            }
            let heat = if heat_left == 0 { 0 } else { HEAT_WH + random.about_zero(9_000) };
            heat_left = heat_left.saturating_sub(1);
            let load = LOAD_WH * shape / 1000 * (1000 + weather + random.about_zero(85)) / 1000;
            amounts.push(BASE_WH + random.about_zero(2_400) + load + heat);
        }
        Series { amounts }
    }

    /// Their sum, in Wh.
    pub fn total_wh(&self) -> i64 {
        self.amounts.iter().sum()
    }

    /// Begin of the first interval and end of the last.
    pub fn period(&self) -> (Timestamp, Timestamp) {
        (START_AT, instant(self.amounts.len()))
    }

    /// As `hallmark-verify --table meter_readings=` and `hallmark-agent replay` read it.
    pub fn to_csv(&self, device: &str, facility: &str) -> String {
        let mut csv = String::from(
            "device,facility,quantity,unit,read_at,interval_s,amount,register,clock_quality\n",
        );
        let mut register = 3_215_884_000;
        for (index, amount) in self.amounts.iter().enumerate() {
            register += amount;
            let read_at = instant(index + 1);
            writeln!(
                csv,
                "{device},{facility},electricity,Wh,{read_at},{INTERVAL_S},{amount},{register},\
                 synchronised"
            )
            .expect("writing to a string does not fail");
        }
        csv
    }
}

/// The end of the interval before `index`.
fn instant(index: usize) -> Timestamp {
    let s = INTERVAL_S * u64::try_from(index).expect("an index fits 64 bits");
    Timestamp::from_unix_ms(START_AT.unix_ms() + 1000 * s)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn an_honest_year_repeats_no_window_of_two_hours() {
        let series = Series::honest(&mut Random::new(3), 52);
        let windows: HashSet<_> = series.amounts.windows(8).collect();
        assert_eq!(windows.len(), series.amounts.len() - 7);
    }

    #[test]
    fn working_days_use_more_than_sundays() {
        let series = Series::honest(&mut Random::new(5), 1);
        let day = |n: usize| series.amounts[n * DAY..(n + 1) * DAY].iter().sum::<i64>();
        assert!(2 * day(6) < day(1), "{} {}", day(6), day(1));
    }

    #[test]
    fn the_first_reading_ends_a_quarter_past_midnight_in_china() {
        assert_eq!(instant(1).to_string(), "2026-03-01T16:15:00Z");
    }
}
