//! What a printed value means: a date, or an amount with its unit.
//!
//! Invariants: pure, the day is an argument; nothing is rounded, and an amount keeps the decimals
//! that its identifier states; what cannot be read stays as it is printed.

use super::fold::printed_day;

/// Identifiers of dates, of which some go on with a time or a second date.
const DATES: [&str; 16] = [
    "11", "12", "13", "15", "16", "17", "4324", "4325", "4326", "7003", "7006", "7007", "7011",
    "7250", "7251", "8008",
];
/// The time that says that there is none.
const NO_TIME: &str = "9999";

/// Units of measure, by the first three digits of their identifiers, the last one of which counts
/// decimals.
const UNITS: [(&str, &str); 53] = [
    ("310", "kg"),
    ("311", "m"),
    ("312", "m"),
    ("313", "m"),
    ("314", "m²"),
    ("315", "L"),
    ("316", "m³"),
    ("320", "lb"),
    ("321", "in"),
    ("322", "ft"),
    ("323", "yd"),
    ("324", "in"),
    ("325", "ft"),
    ("326", "yd"),
    ("327", "in"),
    ("328", "ft"),
    ("329", "yd"),
    ("330", "kg"),
    ("331", "m"),
    ("332", "m"),
    ("333", "m"),
    ("334", "m²"),
    ("335", "L"),
    ("336", "m³"),
    ("337", "kg/m²"),
    ("340", "lb"),
    ("341", "in"),
    ("342", "ft"),
    ("343", "yd"),
    ("344", "in"),
    ("345", "ft"),
    ("346", "yd"),
    ("347", "in"),
    ("348", "ft"),
    ("349", "yd"),
    ("350", "in²"),
    ("351", "ft²"),
    ("352", "yd²"),
    ("353", "in²"),
    ("354", "ft²"),
    ("355", "yd²"),
    ("356", "oz t"),
    ("357", "fl oz (US)"),
    ("360", "qt (US)"),
    ("361", "gal (US)"),
    ("362", "qt (US)"),
    ("363", "gal (US)"),
    ("364", "in³"),
    ("365", "ft³"),
    ("366", "yd³"),
    ("367", "in³"),
    ("368", "ft³"),
    ("369", "yd³"),
];
/// Currencies that are told by their letters, by the numbers of ISO 4217.
const CURRENCIES: [(&str, &str); 16] = [
    ("036", "AUD"),
    ("124", "CAD"),
    ("156", "CNY"),
    ("344", "HKD"),
    ("356", "INR"),
    ("392", "JPY"),
    ("410", "KRW"),
    ("446", "MOP"),
    ("643", "RUB"),
    ("702", "SGD"),
    ("756", "CHF"),
    ("764", "THB"),
    ("826", "GBP"),
    ("840", "USD"),
    ("901", "TWD"),
    ("978", "EUR"),
];

/// What a value means beside its characters.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Meaning {
    /// A date, with its time or the last day where one is printed: `2027-12-31`, `2027-12` where no
    /// day is.
    pub date: Option<String>,
    /// An amount, as a decimal number.
    pub amount: Option<String>,
    /// Its unit or currency; none where the identifier tells none.
    pub unit: Option<String>,
}

/// What the value of an identifier means, read on a day (`2026-11-26`), which decides the century.
pub fn meaning(ai: &str, value: &str, today: &str) -> Meaning {
    if DATES.contains(&ai) {
        return Meaning { date: date(ai, value, today), ..Meaning::default() };
    }
    let (amount, unit) = amount(ai, value).unzip();
    Meaning { date: None, amount, unit: unit.flatten() }
}

fn date(ai: &str, value: &str, today: &str) -> Option<String> {
    let length = if ai.starts_with("725") { 8 } else { 6 };
    let day = |digits: &str| match digits.len() {
        8 => {
            let day = format!("{}-{}-{}", &digits[..4], &digits[4..6], &digits[6..]);
            day.parse::<hallmark_schemas::day::Day>().ok().map(|_| day)
        }
        _ => {
            let day = printed_day(digits, today)?;
            Some(if digits.ends_with("00") { day[..7].to_owned() } else { day })
        }
    };
    if !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (first, rest) = value.split_at_checked(length)?;
    let first = day(first)?;
    match (ai, rest.len()) {
        (_, 0) => Some(first),
        ("7007", 6) => Some(format!("{first} – {}", day(rest)?)),
        ("4324" | "4325", 4) if rest == NO_TIME => Some(first),
        (_, 2) => Some(format!("{first} {rest} h")),
        (_, 4) => Some(format!("{first} {}:{}", &rest[..2], &rest[2..])),
        (_, 6) => Some(format!("{first} {}:{}:{}", &rest[..2], &rest[2..4], &rest[4..])),
        _ => None,
    }
}

/// An amount and its unit.
fn amount(ai: &str, value: &str) -> Option<(String, Option<String>)> {
    if let "4330" | "4331" | "4332" | "4333" = ai {
        let (digits, sign) = match value.strip_suffix('-') {
            Some(digits) => (digits, "-"),
            None => (value, ""),
        };
        let unit = if matches!(ai, "4330" | "4332") { "°F" } else { "°C" };
        return Some((format!("{sign}{}", decimal(digits, 2)?), Some(unit.to_owned())));
    }
    let (kind, places) = ai.split_at_checked(3).filter(|_| ai.len() == 4)?;
    let places = places.parse().ok()?;
    let of = |table: &[(&str, &str)], key: &str| {
        let row = table.iter().find(|(known, _)| *known == key);
        row.map(|(_, word)| (*word).to_owned())
    };
    match kind {
        "390" | "392" | "395" => Some((decimal(value, places)?, None)),
        "394" => Some((decimal(value, places)?, Some("%".to_owned()))),
        "391" | "393" => {
            let (currency, digits) = value.split_at_checked(3)?;
            let unit = of(&CURRENCIES, currency).unwrap_or_else(|| format!("ISO 4217 {currency}"));
            Some((decimal(digits, places)?, Some(unit)))
        }
        _ => {
            let unit = of(&UNITS, kind)?;
            Some((decimal(value, places)?, Some(unit)))
        }
    }
}

/// Digits of which so many are decimals.
fn decimal(digits: &str, places: usize) -> Option<String> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let padded = format!("{digits:0>width$}", width = places + 1);
    let (whole, part) = padded.split_at(padded.len() - places);
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") })
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::gs1::ai::Ai;

    use super::super::view::print::Attribute;
    use super::*;

    #[test]
    fn a_value_is_read_as_a_date_or_an_amount_with_its_unit_and_else_as_it_is() {
        for (ai, value, expected) in [
            ("17", "271231", Some("2027-12-31")),
            ("17", "271200", Some("2027-12")),
            ("17", "279999", None),
            ("7003", "2712311430", Some("2027-12-31 14:30")),
            ("4324", "2712319999", Some("2027-12-31")),
            ("7007", "270101270103", Some("2027-01-01 – 2027-01-03")),
            ("7007", "270101", Some("2027-01-01")),
            ("7011", "2701010800", Some("2027-01-01 08:00")),
            ("8008", "27010114", Some("2027-01-01 14 h")),
            ("8008", "270101143059", Some("2027-01-01 14:30:59")),
            ("7250", "19990228", Some("1999-02-28")),
            ("7250", "19990230", None),
            ("7251", "199902280705", Some("1999-02-28 07:05")),
            ("3103", "000500", Some("0.500 kg")),
            ("3100", "000500", Some("500 kg")),
            ("3105", "000001", Some("0.00001 kg")),
            ("3152", "012345", Some("123.45 L")),
            ("3373", "000150", Some("0.150 kg/m²")),
            ("3922", "1250", Some("12.50")),
            ("3920", "7", Some("7")),
            ("3932", "1561250", Some("12.50 CNY")),
            ("3932", "9991250", Some("12.50 ISO 4217 999")),
            ("3941", "0125", Some("12.5 %")),
            ("4331", "000550-", Some("-5.50 °C")),
            ("4330", "003200", Some("32.00 °F")),
            ("10", "271231", None),
            ("30", "12", None),
            ("3103", "x", None),
            ("3103", "", None),
            ("17", "é1231", None),
        ] {
            let Meaning { date, amount, unit } = meaning(ai, value, "2026-11-26");
            let (ai, value, title) = (ai.to_owned(), value.to_owned(), "");
            let one = Attribute { ai, title, value, date, amount, unit };
            let expected = expected.unwrap_or(&one.value);
            assert_eq!(one.text(), expected, "({}){}", one.ai, one.value);
        }
    }

    #[test]
    fn every_measure_of_the_table_has_a_unit_and_every_date_is_read() {
        assert!(UNITS.is_sorted() && CURRENCIES.is_sorted() && DATES.is_sorted());
        let codes = (31..=36).flat_map(|head| (0..10).map(move |kind| format!("{head}{kind}")));
        for code in codes {
            let known = Ai::find(&format!("{code}0")).is_some();
            assert_eq!(UNITS.iter().any(|(unit, _)| *unit == code), known, "{code}");
        }
        let is_date = |lint: &&str| lint.starts_with("yymmd") || lint.starts_with("yyyymmdd");
        for ai in (0..10_000).flat_map(|code| [format!("{code:02}"), format!("{code:04}")]) {
            let Some(known) = Ai::find(&ai).filter(|_| ai.len() <= 4) else { continue };
            let first = known.components[0].lints.iter().any(is_date);
            assert_eq!(DATES.contains(&ai.as_str()), first, "{ai}");
        }
    }
}
