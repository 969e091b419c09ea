//! North American coupon codes: the values of application identifiers 8110 and 8112.

use crate::gs1::lint::{date, fault};
use crate::id::check::Fault;

/// A reader that takes digits off the front and knows what it is reading.
struct Digits<'a> {
    all: &'a str,
    at: usize,
}

impl<'a> Digits<'a> {
    fn new(all: &'a str) -> Result<Digits<'a>, Fault> {
        match all.bytes().position(|byte| !byte.is_ascii_digit()) {
            Some(offset) => Err(fault(offset, "expected a digit")),
            None => Ok(Digits { all, at: 0 }),
        }
    }

    fn take(&mut self, count: usize, what: &str) -> Result<&'a str, Fault> {
        let taken = self.all.get(self.at..self.at + count);
        let taken =
            taken.ok_or_else(|| fault(self.at, format!("coupon ends inside the {what}")))?;
        self.at += count;
        Ok(taken)
    }

    /// One digit out of `allowed`.
    fn code(&mut self, allowed: &str, what: &str) -> Result<usize, Fault> {
        let at = self.at;
        let digit = self.take(1, what)?;
        match allowed.contains(digit) {
            true => Ok(usize::from(digit.as_bytes()[0] - b'0')),
            false => Err(fault(at, format!("{what} of a coupon is one of {allowed}"))),
        }
    }

    /// A length digit out of `allowed`, then so many digits and `more`.
    fn sized(&mut self, allowed: &str, more: usize, what: &str) -> Result<(), Fault> {
        let length = self.code(allowed, &format!("length of the {what}"))?;
        self.take(length + more, what).map(|_| ())
    }

    fn requirement(&mut self, what: &str) -> Result<(), Fault> {
        self.sized("12345", 0, &format!("{what} purchase requirement"))?;
        self.code("012349", &format!("{what} purchase requirement code"))?;
        self.take(3, &format!("{what} purchase family code")).map(|_| ())
    }

    fn company(&mut self, what: &str) -> Result<(), Fault> {
        let length = self.code("01234569", &format!("length of the {what} company prefix"))?;
        match length {
            9 => Ok(()), // the same company as before
            _ => self.take(length + 6, &format!("{what} company prefix")).map(|_| ()),
        }
    }

    fn date(&mut self, what: &str) -> Result<&'a str, Fault> {
        let at = self.at;
        let text = self.take(6, what)?;
        date(text, 2, false).map_err(|fault| Fault { offset: at + fault.offset, ..fault })?;
        Ok(text)
    }
}

/// Value of 8110: the original coupon code.
pub(crate) fn code(text: &str) -> Result<(), Fault> {
    let mut rest = Digits::new(text)?;
    rest.sized("0123456", 6, "company prefix")?;
    rest.take(6, "offer code")?;
    rest.sized("12345", 0, "save value")?;
    rest.requirement("first")?;
    let (mut expiry, mut last) = (None, 0);
    while rest.at < text.len() {
        let at = rest.at;
        let field = rest.code("1234569", "optional field")?;
        if field <= last {
            return Err(fault(at, "optional fields of a coupon stand in rising order"));
        }
        last = field;
        match field {
            1 => {
                rest.code("0123", "additional purchase rules code")?;
                rest.requirement("second")?;
                rest.company("second")?;
            }
            2 => {
                rest.requirement("third")?;
                rest.company("third")?;
            }
            3 => expiry = Some(rest.date("expiration date")?),
            4 => {
                let start = rest.date("start date")?;
                if expiry.is_some_and(|expiry| expiry < start) {
                    return Err(fault(at + 1, "the coupon expires before it starts"));
                }
            }
            5 => rest.sized("0123456789", 6, "serial number")?,
            6 => rest.sized("1234567", 6, "retailer's prefix or location")?,
            _ => {
                rest.code("01256", "save value code")?;
                rest.code("012", "save value item")?;
                rest.code("0123456789", "store coupon flag")?;
                rest.code("01", "don't multiply flag")?;
            }
        }
    }
    Ok(())
}

/// Value of 8112: a coupon of the positive offer file.
pub(crate) fn positive_offer(text: &str) -> Result<(), Fault> {
    let mut rest = Digits::new(text)?;
    rest.code("01", "format code")?;
    rest.sized("0123456", 6, "funder")?;
    rest.take(6, "offer code")?;
    rest.sized("0123456789", 6, "serial number")?;
    if rest.at < text.len() {
        return Err(fault(rest.at, "digits after the end of the coupon"));
    }
    Ok(())
}
