//! Decimal numbers of JSON, exactly: an integer and a power of ten.

use std::cmp::Ordering;

/// A decimal number, `amount * 10^scale_e10`, without trailing zeros in `amount`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Decimal {
    /// The digits, signed.
    pub amount: i64,
    /// The power of ten.
    pub scale_e10: i8,
}

/// Sign, significant digits without zeros at either end, and power of ten of a JSON number.
fn parts(literal: &str) -> (bool, String, i64) {
    let (negative, rest) = literal.strip_prefix('-').map_or((false, literal), |rest| (true, rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    let kept = significant.trim_end_matches('0');
    // An exponent of more than nine digits is beyond every limit below.
    let exponent: i64 = exponent.parse::<i32>().map_or(i64::from(i32::MAX), i64::from);
    let scale = exponent - fraction.len() as i64 + (significant.len() - kept.len()) as i64;
    if kept.is_empty() { (false, "0".to_owned(), 0) } else { (negative, kept.to_owned(), scale) }
}

impl Decimal {
    /// The value of a JSON number; `None` if it needs over 18 digits or a power of ten beyond ±18.
    pub fn parse(literal: &str) -> Option<Decimal> {
        let (negative, digits, scale) = parts(literal);
        let scale_e10 = i8::try_from(scale).ok().filter(|scale| (-18..=18).contains(scale))?;
        if 18 < digits.len() {
            return None;
        }
        let amount: i64 = digits.parse().ok()?;
        Some(Decimal { amount: if negative { -amount } else { amount }, scale_e10 })
    }

    /// Which of two values is greater, exactly.
    pub fn compare(&self, other: &Decimal) -> Ordering {
        let finer = self.scale_e10.min(other.scale_e10);
        let scaled = |value: &Decimal| {
            let power = u32::from(value.scale_e10.abs_diff(finer));
            let factor = 10_i128.checked_pow(power)?;
            i128::from(value.amount).checked_mul(factor)
        };
        match (scaled(self), scaled(other)) {
            (Some(own), Some(others)) => own.cmp(&others),
            // Only the coarser one can be beyond that many digits, and then its size decides.
            (None, _) => self.amount.cmp(&0),
            (_, None) => 0.cmp(&other.amount),
        }
    }
}

/// A JSON number as a plain decimal without needless zeros; beyond 40 digits with an exponent.
pub fn plain(literal: &str) -> String {
    let (negative, digits, scale) = parts(literal);
    let sign = if negative { "-" } else { "" };
    let point = digits.len() as i64 + scale;
    if 40 < point || scale < -40 {
        return format!("{sign}{digits}e{scale}");
    }
    if 0 <= scale {
        return format!("{sign}{digits}{}", "0".repeat(usize::try_from(scale).unwrap_or(0)));
    }
    match usize::try_from(point) {
        Ok(point) if 0 < point => format!("{sign}{}.{}", &digits[..point], &digits[point..]),
        _ => format!("{sign}0.{}{digits}", "0".repeat(usize::try_from(-point).unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_has_one_text_and_one_decimal() {
        for (literal, text, amount, scale_e10) in [
            ("0", "0", 0, 0),
            ("-0.0", "0", 0, 0),
            ("10", "10", 1, 1),
            ("26.10", "26.1", 261, -1),
            ("-1.50e3", "-1500", -15, 2),
            ("5E-3", "0.005", 5, -3),
            ("123.456", "123.456", 123_456, -3),
        ] {
            assert_eq!(plain(literal), text);
            assert_eq!(Decimal::parse(literal), Some(Decimal { amount, scale_e10 }), "{literal}");
        }
        let of = |literal: &str| Decimal::parse(literal).unwrap();
        for (less, more) in [
            ("1", "1.1"),
            ("-1.1", "-1"),
            ("-1e18", "1e-18"),
            ("999999999999999999e-18", "1e18"),
            ("-999999999999999999e18", "1e-18"),
            ("0", "1e-18"),
            ("9.99", "10"),
        ] {
            assert_eq!(of(less).compare(&of(more)), Ordering::Less, "{less} {more}");
            assert_eq!(of(more).compare(&of(less)), Ordering::Greater, "{less} {more}");
        }
        assert_eq!(of("2.50").compare(&of("2.5")), Ordering::Equal);
        assert_eq!(Decimal::parse("1e400"), None);
        assert_eq!(Decimal::parse("1234567890123456789"), None);
        assert_eq!(plain("1e400000000000"), "1e2147483647");
    }
}
