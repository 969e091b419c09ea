//! Checks of the content of values, one for each name that the table uses.
//!
//! Invariants: no clock (a two-digit year is a leap year when four divides it); an error gives the
//! byte offset in the component.

use crate::gs1::coupon;
use crate::gs1::list::{self, COUNTRIES, COUNTRIES_ALPHA2, CURRENCIES, PACKAGE_TYPES};
use crate::id::check::{Fault, mod10};

type Lint = fn(&str) -> Result<(), Fault>;

const LINTS: &[(&str, Lint)] = &[
    ("couponcode", coupon::code),
    ("couponposoffer", coupon::positive_offer),
    ("csum", |text| mod10(text, &[text.len()])),
    ("csumalpha", csum_alpha),
    ("gcppos1", |_| Ok(())), // company prefixes can be checked against GS1's registry only
    ("gcppos2", |_| Ok(())),
    ("hasnondigit", has_non_digit),
    ("hh", |text| number_up_to(text, 0, 23, "an hour from 00 to 23")),
    ("hhmi", |text| {
        number_up_to(&text[..2], 0, 23, "an hour from 00 to 23")?;
        number_up_to(&text[2..], 2, 59, "a minute from 00 to 59")
    }),
    ("hyphen", |text| one_of(text, "-", "a hyphen")),
    ("iban", iban),
    ("importeridx", |text| one_of(text, IMPORTER_INDEX, "an index A-Z a-z 0-9 - _")),
    ("iso3166", |text| listed(text, COUNTRIES, "an ISO 3166-1 numeric country code")),
    ("iso3166999", |text| match text {
        "999" => Ok(()),
        _ => listed(text, COUNTRIES, "an ISO 3166-1 numeric country code or 999"),
    }),
    ("iso3166alpha2", |text| listed(text, COUNTRIES_ALPHA2, "an ISO 3166-1 alpha-2 code")),
    ("iso4217", |text| listed(text, CURRENCIES, "an ISO 4217 numeric currency code")),
    ("iso5218", |text| one_of(text, "0129", "0, 1, 2 or 9")),
    ("latitude", |text| number_up_to(text, 0, 1_800_000_000, "a latitude up to 1800000000")),
    ("longitude", |text| number_up_to(text, 0, 3_600_000_000, "a longitude up to 3600000000")),
    ("mediatype", |text| match text.parse() {
        Ok(1..=10 | 80..=99) => Ok(()),
        _ => Err(fault(0, "expected an AIDC media type")),
    }),
    ("mi", |text| number_up_to(text, 0, 59, "a minute from 00 to 59")),
    ("nonzero", |text| match text.bytes().all(|digit| digit == b'0') {
        true => Err(fault(0, "expected a number that is not zero")),
        false => Ok(()),
    }),
    ("nozeroprefix", |text| match text.len() > 1 && text.starts_with('0') {
        true => Err(fault(0, "expected no leading zero")),
        false => Ok(()),
    }),
    ("packagetype", |text| listed(text, PACKAGE_TYPES, "a package type code")),
    ("pcenc", percent_encoded),
    ("pieceoftotal", piece_of_total),
    ("posinseqslash", position_in_sequence),
    ("ss", |text| number_up_to(text, 0, 59, "a second from 00 to 59")),
    ("winding", |text| one_of(text, "019", "0, 1 or 9")),
    ("yesno", |text| one_of(text, "01", "0 or 1")),
    ("yymmd0", |text| date(text, 2, true)),
    ("yymmdd", |text| date(text, 2, false)),
    ("yyyymmdd", |text| date(text, 4, false)),
    ("zero", |text| one_of(text, "0", "0")),
];

const IMPORTER_INDEX: &str = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// GS1 AI encodable character set 82, in the order that gives the weights of `csumalpha`.
pub(crate) const CSET82: &str =
    "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

/// Whether the table may use the name.
#[cfg(test)]
pub(crate) fn is_known(name: &str) -> bool {
    LINTS.iter().any(|lint| lint.0 == name)
}

/// Runs the check of this name. The component's length and characters were checked before.
pub(crate) fn run(name: &str, text: &str) -> Result<(), Fault> {
    let found = LINTS.iter().find(|lint| lint.0 == name);
    found.map_or(Ok(()), |(_, lint)| lint(text))
}

pub(crate) fn fault(offset: usize, reason: impl Into<String>) -> Fault {
    Fault { offset, reason: reason.into() }
}

fn one_of(text: &str, allowed: &str, what: &str) -> Result<(), Fault> {
    if text.chars().all(|c| allowed.contains(c)) {
        Ok(())
    } else {
        Err(fault(0, format!("expected {what}")))
    }
}

fn listed(text: &str, list: &str, what: &str) -> Result<(), Fault> {
    if list::has(list, text) { Ok(()) } else { Err(fault(0, format!("expected {what}"))) }
}

fn number_up_to(text: &str, offset: usize, most: u64, what: &str) -> Result<(), Fault> {
    match text.parse::<u64>() {
        Ok(value) if value <= most => Ok(()),
        _ => Err(fault(offset, format!("expected {what}"))),
    }
}

/// A date with a year of two or four digits; day 00 means the month as a whole, where allowed.
pub(crate) fn date(text: &str, year_digits: usize, day_may_be_zero: bool) -> Result<(), Fault> {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<u32>().ok());
    let month_at = year_digits;
    let (Some(year), Some(month), Some(day)) =
        (number(0..month_at), number(month_at..month_at + 2), number(month_at + 2..month_at + 4))
    else {
        return Err(fault(0, "expected a date"));
    };
    let is_leap = if year_digits == 4 {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    } else {
        year % 4 == 0
    };
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return Err(fault(month_at, "expected a month from 01 to 12")),
    };
    if days < day || (day == 0 && !day_may_be_zero) {
        return Err(fault(month_at + 2, format!("expected a day of that month, up to {days}")));
    }
    Ok(())
}

fn has_non_digit(text: &str) -> Result<(), Fault> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(fault(0, "expected at least one character that is no digit"));
    }
    Ok(())
}

fn percent_encoded(text: &str) -> Result<(), Fault> {
    for (offset, _) in text.match_indices('%') {
        let code = text.get(offset + 1..offset + 3);
        if !code.is_some_and(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            return Err(fault(offset, "expected two hexadecimal digits after %"));
        }
    }
    Ok(())
}

fn piece_of_total(text: &str) -> Result<(), Fault> {
    let (piece, total) = text.split_at(2);
    match (piece, total) {
        ("00", _) => Err(fault(0, "expected a piece number that is not 00")),
        (_, "00") => Err(fault(2, "expected a number of pieces that is not 00")),
        _ if total < piece => Err(fault(0, format!("piece {piece} of only {total}"))),
        _ => Ok(()),
    }
}

/// `position/end`, both without leading zero, position at most end.
fn position_in_sequence(text: &str) -> Result<(), Fault> {
    let wrong = || fault(0, "expected <position>/<end>, such as 1/2");
    let (position, end) = text.split_once('/').ok_or_else(wrong)?;
    let number = |digits: &str| match digits.starts_with('0') {
        true => None,
        false => digits.parse::<u8>().ok(),
    };
    match (number(position), number(end)) {
        (Some(position), Some(end)) if position <= end => Ok(()),
        _ => Err(wrong()),
    }
}

/// ISO 13616: the first four characters go to the end, letters count 10 to 35, rest 1 modulo 97.
fn iban(text: &str) -> Result<(), Fault> {
    if let Some(offset) = text.bytes().position(|b| !b.is_ascii_digit() && !b.is_ascii_uppercase())
    {
        return Err(fault(offset, "expected 0-9 or A-Z"));
    }
    if text.len() < 5 || !list::has(COUNTRIES_ALPHA2, &text[..2]) {
        return Err(fault(0, "expected a country code, two check digits and an account number"));
    }
    let rest = text[4..].chars().chain(text[..4].chars()).fold(0, |rest, c| {
        let value = c.to_digit(36).expect("digits and capitals were checked");
        if value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 }
    });
    if rest == 1 { Ok(()) } else { Err(fault(2, "wrong IBAN check digits")) }
}

/// The 32 characters that check pairs are written in.
const CSET32: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

/// A check pair over CSET 82: weights are ascending primes from the right, the sum modulo 1021.
fn csum_alpha(text: &str) -> Result<(), Fault> {
    if text.len() < 3 {
        return Err(fault(0, "too short for a pair of check characters"));
    }
    let (body, pair) = text.split_at(text.len() - 2);
    let mut sum = 0;
    for (c, prime) in body.chars().rev().zip(primes()) {
        let weight = CSET82.find(c).ok_or_else(|| fault(0, "a character outside CSET 82"))?;
        sum += weight * prime;
    }
    let sum = sum % 1021;
    let expected = [CSET32[sum >> 5], CSET32[sum & 31]].map(char::from);
    if pair.chars().eq(expected) {
        return Ok(());
    }
    let [first, second] = expected;
    Err(fault(body.len(), format!("check characters should be {first}{second}")))
}

fn primes() -> impl Iterator<Item = usize> {
    (2..).filter(|number| (2..*number).take_while(|d| d * d <= *number).all(|d| number % d != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_pairs_of_model_numbers_and_account_numbers_are_computed() {
        assert_eq!(run("csumalpha", "1987654Ad4X4bL5ttr2310c2K"), Ok(()));
        assert_eq!(run("csumalpha", "1987654Ad4X4bL5ttr2310c2L").unwrap_err().offset, 23);
        assert_eq!(run("iban", "GB82WEST12345698765432"), Ok(()));
        assert!(run("iban", "GB83WEST12345698765432").is_err());
    }

    #[test]
    fn dates_know_their_month_and_leap_years() {
        for (lint, text, good) in [
            ("yymmdd", "240229", true),
            ("yymmdd", "230229", false),
            ("yymmd0", "240200", true),
            ("yymmdd", "240200", false),
            ("yyyymmdd", "19000229", false),
            ("yyyymmdd", "20000229", true),
            ("hhmi", "2359", true),
            ("hhmi", "2360", false),
            ("posinseqslash", "1/3", true),
            ("posinseqslash", "3/1", false),
            ("pcenc", "A%2FB", true),
            ("pcenc", "A%2", false),
        ] {
            assert_eq!(run(lint, text).is_ok(), good, "{lint} {text}");
        }
    }
}
