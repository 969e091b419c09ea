//! A calendar day, for what is known no finer: an expiry, a production date, a consumer's word.
//!
//! Invariants: a day lies between 1970 and 9999 and is real; its one text is `YYYY-MM-DD`.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;

use crate::time::Timestamp;

/// A day of the Gregorian calendar, without a zone.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Day(Date);

/// The text is no day.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no day from 1970 to 9999 such as 2026-03-01")]
pub struct DayError(pub String);

/// Days of UTC are as long as this, in milliseconds.
const DAY_MS: u64 = 86_400_000;

impl Day {
    /// The day of UTC that the instant falls on.
    pub fn of(at: Timestamp) -> Day {
        let text = at.to_string();
        text[..10].parse().expect("the text of an instant begins with its day")
    }

    /// Its begin in UTC.
    pub fn starts_at(self) -> Timestamp {
        let since = self.0.duration_since(Date::constant(1970, 1, 1)).as_hours() / 24;
        let days = u64::try_from(since).expect("no day lies before 1970");
        Timestamp::from_unix_ms(days * DAY_MS)
    }
}

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Day, DayError> {
        let fail = || DayError(text.chars().take(20).collect());
        let digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
        let dash = |at: usize| text.as_bytes().get(at) == Some(&b'-');
        let shaped = text.len() == 10 && (0..10).all(|at| digit(at) != dash(at));
        if !shaped || !dash(4) || !dash(7) || text < "1970" {
            return Err(fail());
        }
        text.parse().map(Day).map_err(|_| fail())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", self.0)
    }
}

crate::text::serde_as_text!(Day, "a day such as 2026-03-01");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_returns_from_its_text_and_begins_at_midnight_of_utc() {
        for text in ["1970-01-01", "2024-02-29", "9999-12-31"] {
            let day: Day = text.parse().unwrap();
            assert_eq!(day.to_string(), text);
            assert_eq!(day.starts_at().to_string(), format!("{text}T00:00:00Z"));
            assert_eq!(Day::of(day.starts_at()), day);
        }
        assert_eq!(Day::of(Timestamp::MAX).to_string(), "9999-12-31");
        let late = Timestamp::parse("2026-03-01T07:59:59+08:00").unwrap();
        assert_eq!(Day::of(late).to_string(), "2026-02-28");
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "2026-02-29",
            "2026-13-01",
            "1969-12-31",
            "2026-3-1",
            "20260301",
            "2026-03-01T00:00:00Z",
            "2026-03-01 ",
            "2026--301",
            "-026-03-01",
            "二零二六-0",
        ] {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
    }
}
