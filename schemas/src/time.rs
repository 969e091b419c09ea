//! Instants and periods as whole milliseconds of UTC.
//!
//! Invariants: an instant lies between 1970 and the end of 9999; it is an integer in CBOR and
//! RFC 3339 text in JSON; nothing here reads a clock.

use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use jiff::civil::DateTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Most milliseconds by which the clock of an honest witness is taken to be wrong, 6 hours: more than
/// any time zone that was set in the wrong direction costs on one continent, and little enough that
/// an instant of another day is noticed.
pub const CLOCK_ERROR_MS_MAX: i64 = 6 * 3_600_000;

/// The last instant that RFC 3339 can write: 9999-12-31T23:59:59.999Z.
pub const UNIX_MS_MAX: u64 = 253_402_300_799_999;

/// Longest RFC 3339 text read: date, time, nine decimals and offset need 35.
const TEXT_MAX: usize = 40;

/// An instant: milliseconds since 1970-01-01T00:00:00Z, up to [`UNIX_MS_MAX`].
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Timestamp(u64);

/// Why a text is no instant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no instant: {reason}")]
pub struct TimeError {
    /// The text, cut to a readable length.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Timestamp {
    /// Whether a witness that states this has a clock that is more wrong than clocks are, if it was
    /// `earlier` before.
    pub fn is_incredible_after(self, earlier: Timestamp) -> bool {
        self.checked_add_ms(CLOCK_ERROR_MS_MAX).is_some_and(|at| at < earlier)
    }

    /// The start of 1970.
    pub const EPOCH: Timestamp = Timestamp(0);
    /// The last instant there is.
    pub const MAX: Timestamp = Timestamp(UNIX_MS_MAX);

    /// The instant so many milliseconds after 1970 began.
    ///
    /// # Panics
    /// After the year 9999. Use [`Timestamp::try_from_unix_ms`] for numbers from outside.
    pub const fn from_unix_ms(ms: u64) -> Timestamp {
        assert!(ms <= UNIX_MS_MAX, "instant after the year 9999");
        Timestamp(ms)
    }

    /// The instant so many milliseconds after 1970 began; `None` after the year 9999.
    pub const fn try_from_unix_ms(ms: u64) -> Option<Timestamp> {
        if ms <= UNIX_MS_MAX { Some(Timestamp(ms)) } else { None }
    }

    /// Milliseconds since 1970 began.
    pub const fn unix_ms(self) -> u64 {
        self.0
    }

    /// Reads RFC 3339 with an offset; digits below the millisecond are dropped.
    pub fn parse(text: &str) -> Result<Timestamp, TimeError> {
        let fail =
            |reason: String| TimeError { text: text.chars().take(TEXT_MAX).collect(), reason };
        if TEXT_MAX < text.len() {
            return Err(fail(format!("longer than {TEXT_MAX} characters")));
        }
        check_shape(text).map_err(|reason| fail(reason.to_owned()))?;
        let (civil, rest) = text.split_at(SHAPE.len());
        let civil: DateTime =
            civil.parse().map_err(|error: jiff::Error| fail(error.to_string()))?;
        let (decimals, offset) = rest.split_at(rest.find(['Z', 'z', '+', '-']).unwrap_or(0));
        let since = civil.duration_since(UNIX_START).as_millis();
        let offset = offset_ms(offset).map_err(|reason| fail(reason.to_owned()))?;
        u64::try_from(since + milliseconds(decimals) - offset)
            .ok()
            .and_then(Timestamp::try_from_unix_ms)
            .ok_or_else(|| fail("outside 1970 to 9999".to_owned()))
    }

    /// This instant moved by `ms`; `None` outside 1970 to 9999.
    pub const fn checked_add_ms(self, ms: i64) -> Option<Timestamp> {
        match self.0.checked_add_signed(ms) {
            Some(moved) => Timestamp::try_from_unix_ms(moved),
            None => None,
        }
    }

    /// This instant as a clock that is `offset` (such as `+08:00`) ahead of UTC shows it: the text of
    /// the answer begins with the day there. Outside 1970 to 9999, or of another form, it stays.
    pub fn on_clock(self, offset: &str) -> Timestamp {
        let ms = offset_ms(offset).ok().and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
        self.checked_add_ms(ms).unwrap_or(self)
    }

    /// Milliseconds from `earlier` to this instant, negative when it is later.
    pub const fn ms_since(self, earlier: Timestamp) -> i64 {
        self.0 as i64 - earlier.0 as i64
    }
}

/// Date and time of RFC 3339; `0` stands for a digit.
const SHAPE: &str = "0000-00-00T00:00:00";
const UNIX_START: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The first three digits of `.123…`, as milliseconds.
fn milliseconds(decimals: &str) -> i128 {
    let digits = decimals.bytes().skip(1).chain(std::iter::repeat(b'0')).take(3);
    digits.fold(0, |value, digit| value * 10 + i128::from(digit - b'0'))
}

/// The milliseconds that `Z` or `±hh:mm` is ahead of UTC.
fn offset_ms(offset: &str) -> Result<i128, &'static str> {
    let number = |range| offset.get(range).and_then(|text: &str| text.parse::<i128>().ok());
    let (hours, minutes) = (number(1..3).unwrap_or(0), number(4..6).unwrap_or(0));
    if 23 < hours || 59 < minutes {
        return Err("an offset lies between -23:59 and +23:59");
    }
    let ms = (hours * 60 + minutes) * 60_000;
    Ok(if offset.starts_with('-') { -ms } else { ms })
}

/// Holds a text to `YYYY-MM-DDThh:mm:ss[.fff…](Z|±hh:mm)`: jiff reads more than RFC 3339.
fn check_shape(text: &str) -> Result<(), &'static str> {
    let bytes = text.as_bytes();
    let same = |(found, wanted): (&u8, &u8)| match wanted {
        b'0' => found.is_ascii_digit(),
        b'T' => matches!(found, b'T' | b't' | b' '),
        other => found == other,
    };
    if bytes.len() < SHAPE.len() || !bytes.iter().zip(SHAPE.as_bytes()).all(same) {
        return Err("expected RFC 3339 such as 2026-03-01T08:15:00+08:00");
    }
    let mut rest = &bytes[SHAPE.len()..];
    if let Some(decimals) = rest.strip_prefix(b".") {
        let digits = decimals.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Err("a point without decimals");
        }
        rest = &decimals[digits..];
    }
    match rest {
        b"Z" | b"z" => Ok(()),
        [b'+' | b'-', h1, h2, b':', m1, m2]
            if [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()) =>
        {
            Ok(())
        }
        [] => Err("no offset: write Z or such as +08:00 after the time"),
        _ => Err("expected Z or an offset such as +08:00 after the time"),
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;
    fn from_str(text: &str) -> Result<Timestamp, TimeError> {
        Timestamp::parse(text)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let civil = UNIX_START
            .checked_add(SignedDuration::from_millis(self.0 as i64))
            .expect("every instant up to the end of 9999 has a date");
        let decimals = if self.0.is_multiple_of(1000) { 0 } else { 3 };
        write!(to, "{civil:.decimals$}Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() { to.collect_str(self) } else { to.serialize_u64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        if from.is_human_readable() {
            let text = String::deserialize(from)?;
            Timestamp::parse(&text).map_err(de::Error::custom)
        } else {
            let ms = u64::deserialize(from)?;
            Timestamp::try_from_unix_ms(ms)
                .ok_or_else(|| de::Error::custom("instant after the year 9999"))
        }
    }
}

/// A half-open stretch of time: `start_at` belongs to it, `end_at` does not.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Period {
    /// First instant inside.
    pub start_at: Timestamp,
    /// First instant after it; later than `start_at`.
    pub end_at: Timestamp,
}

impl Period {
    /// A period; `None` unless it starts before it ends.
    pub fn new(start_at: Timestamp, end_at: Timestamp) -> Option<Period> {
        (start_at < end_at).then_some(Period { start_at, end_at })
    }

    /// Whether the instant lies inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.start_at <= at && at < self.end_at
    }

    /// Whether the two share an instant.
    pub fn overlaps(&self, other: &Period) -> bool {
        self.start_at < other.end_at && other.start_at < self.end_at
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Period, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Plain {
            start_at: Timestamp,
            end_at: Timestamp,
        }
        let plain = Plain::deserialize(from)?;
        Period::new(plain.start_at, plain.end_at)
            .ok_or_else(|| de::Error::custom("a period starts before it ends"))
    }
}

/// When a log entry came about: after `lo` and not after `hi`, both proved by witnesses.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct EntryTime {
    /// Quorum time of the last checkpoint without the entry.
    pub lo: Timestamp,
    /// Quorum time of the first checkpoint with it.
    pub hi: Timestamp,
}

impl EntryTime {
    /// An interval of one instant, as an unwitnessed log gives.
    pub const fn at(instant: Timestamp) -> EntryTime {
        EntryTime { lo: instant, hi: instant }
    }

    /// Of an entry of which its log says `admitted_at`, under one checkpoint that a quorum cosigned at
    /// `with`. If a witness states so early an instant that no clock is so wrong, neither of the two
    /// words is worth more than the other: the entry may be of any instant between them.
    pub fn under(admitted_at: Timestamp, with: Timestamp) -> EntryTime {
        let hi = if with.is_incredible_after(admitted_at) { admitted_at } else { with };
        EntryTime::cosigned(admitted_at.min(with), hi)
    }

    /// Between two quorum times. Cosignatures state whole seconds: the one without the entry was
    /// made at the begin of its second or after, the one with it at its end or before.
    pub const fn cosigned(without: Timestamp, with: Timestamp) -> EntryTime {
        EntryTime {
            lo: without,
            hi: match with.checked_add_ms(999) {
                Some(end) => end,
                None => Timestamp::MAX,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_shown_on_the_clock_of_its_place() {
        for (at, offset, shown) in [
            ("2026-03-09T16:00:00Z", "+08:00", "2026-03-10T00:00:00Z"),
            ("2026-03-09T15:59:59.999Z", "+08:00", "2026-03-09T23:59:59.999Z"),
            ("2026-03-10T04:59:00Z", "-05:00", "2026-03-09T23:59:00Z"),
            ("2026-03-10T00:00:00Z", "+00:00", "2026-03-10T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "-05:00", "1970-01-01T00:00:00Z"),
            ("2026-03-10T00:00:00Z", "noon", "2026-03-10T00:00:00Z"),
        ] {
            let at = Timestamp::parse(at).unwrap();
            assert_eq!(at.on_clock(offset).to_string(), shown, "{at} {offset}");
        }
    }
    use proptest::prelude::*;

    #[test]
    fn instants_are_read_with_any_offset_and_written_in_utc() {
        for (text, written) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2026-03-01T08:15:00+08:00", "2026-03-01T00:15:00Z"),
            ("2026-03-01t08:15:00.5z", "2026-03-01T08:15:00.500Z"),
            ("2026-03-01 08:15:00.123999Z", "2026-03-01T08:15:00.123Z"),
            ("9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Timestamp::parse(text).unwrap().to_string(), written, "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_instant_of_rfc_3339_are_refused() {
        for text in [
            "",
            "2026-03-01",
            "2026-03-01T08:15:00",
            "2026-03-01T08:15Z",
            "2026-03-01T25:15:00Z",
            "2026-02-29T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-03-01T08:15:00.Z",
            "2026-03-01T08:15:00+0800",
            "2026-03-01T08:15:00Z[Asia/Shanghai]",
            "+002026-03-01T08:15:00Z",
            "2026-03-01T08:15:00+08:00:01",
            "20260301T081500Z",
            "９026-03-01T08:15:00Z",
        ] {
            assert!(Timestamp::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_period_that_ends_before_it_starts_is_refused() {
        let text = r#"{"start_at":"2026-01-02T00:00:00Z","end_at":"2026-01-01T00:00:00Z"}"#;
        assert!(serde_json::from_str::<Period>(text).is_err());
    }

    proptest! {
        #[test]
        fn every_instant_returns_from_its_text_and_its_bytes(ms in 0..=UNIX_MS_MAX) {
            let at = Timestamp::from_unix_ms(ms);
            prop_assert_eq!(Timestamp::parse(&at.to_string()), Ok(at));
            let bytes = serde_ipld_dagcbor::to_vec(&at).unwrap();
            prop_assert_eq!(serde_ipld_dagcbor::from_slice::<Timestamp>(&bytes).unwrap(), at);
        }
    }
}
