//! Check characters of USCC (GB 32100), LEI (ISO 17442) and the GS1 numbers.

/// Where a value breaks its scheme, and how.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// Byte offset in the value.
    pub offset: usize,
    /// What is wrong there.
    pub reason: String,
}

impl Fault {
    fn new(offset: usize, reason: impl Into<String>) -> Fault {
        Fault { offset, reason: reason.into() }
    }
}

/// GB 32100: digits and capitals without I, O, S, V and Z; the place is the value.
const USCC_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Checks a unified social credit code: 18 characters, of which 3 to 8 are a region's digits.
pub fn uscc(value: &str) -> Result<(), Fault> {
    let bytes = value.as_bytes();
    check_length(value, 18)?;
    for (offset, byte) in bytes.iter().enumerate() {
        if (2..8).contains(&offset) && !byte.is_ascii_digit() {
            return Err(Fault::new(offset, "expected a digit of the region's code"));
        }
        if !USCC_ALPHABET.contains(byte) {
            return Err(Fault::new(offset, "expected 0-9 or A-Z without I, O, S, V and Z"));
        }
    }
    let expected = uscc_check(&value[..17]).expect("the alphabet was checked");
    check_last(bytes, expected)
}

/// The check character of the first 17 characters of a unified social credit code.
pub fn uscc_check(first: &str) -> Option<char> {
    if first.len() != 17 {
        return None;
    }
    let mut sum = 0;
    let mut weight = 1; // powers of three modulo 31
    for byte in first.bytes() {
        sum += USCC_ALPHABET.iter().position(|known| *known == byte)? * weight;
        weight = weight * 3 % 31;
    }
    Some(char::from(USCC_ALPHABET[(31 - sum % 31) % 31]))
}

/// Checks a legal entity identifier: 18 capitals or digits and two check digits, mod 97 = 1.
pub fn lei(value: &str) -> Result<(), Fault> {
    check_length(value, 20)?;
    for (offset, byte) in value.bytes().enumerate() {
        let good = byte.is_ascii_digit() || (offset < 18 && byte.is_ascii_uppercase());
        if !good {
            return Err(Fault::new(offset, "expected 0-9 or A-Z, the last two digits"));
        }
    }
    let expected = lei_check(&value[..18]).expect("the alphabet was checked");
    if value[18..] != expected {
        return Err(Fault::new(18, format!("check digits should be {expected}")));
    }
    Ok(())
}

/// The two check digits of the first 18 characters of a legal entity identifier.
pub fn lei_check(first: &str) -> Option<String> {
    if first.len() != 18 {
        return None;
    }
    let mut rest = 0;
    for digit in first.chars() {
        let value = digit.to_digit(36)?;
        rest = if value < 10 { (rest * 10 + value) % 97 } else { (rest * 100 + value) % 97 };
    }
    Some(format!("{:02}", 98 - rest * 100 % 97))
}

/// Checks a GS1 number of one of `lengths` digits with its mod-10 check digit at the end.
pub fn mod10(value: &str, lengths: &[usize]) -> Result<(), Fault> {
    if let Some(offset) = value.bytes().position(|byte| !byte.is_ascii_digit()) {
        return Err(Fault::new(offset, "expected a digit"));
    }
    if !lengths.contains(&value.len()) {
        let lengths: Vec<String> = lengths.iter().map(usize::to_string).collect();
        let reason = format!("{} digits, expected {}", value.len(), lengths.join(", "));
        return Err(Fault::new(value.len(), reason));
    }
    let (body, _) = value.split_at(value.len() - 1);
    check_last(value.as_bytes(), mod10_check(body).expect("digits were checked"))
}

/// The mod-10 check digit of a run of digits: weights 3, 1, 3, 1 … from the right.
pub fn mod10_check(body: &str) -> Option<char> {
    let mut sum = 0;
    for (place, digit) in body.chars().rev().enumerate() {
        sum += digit.to_digit(10)? * if place % 2 == 0 { 3 } else { 1 };
    }
    char::from_digit((10 - sum % 10) % 10, 10)
}

fn check_length(value: &str, length: usize) -> Result<(), Fault> {
    match value.bytes().position(|byte| !byte.is_ascii_alphanumeric()) {
        Some(offset) => Err(Fault::new(offset, "expected a letter or digit")),
        None if value.len() == length => Ok(()),
        None => {
            let reason = format!("{} characters, expected {length}", value.len());
            Err(Fault::new(value.len().min(length), reason))
        }
    }
}

fn check_last(bytes: &[u8], expected: char) -> Result<(), Fault> {
    let last = bytes.len() - 1;
    if char::from(bytes[last]) == expected {
        Ok(())
    } else {
        Err(Fault::new(last, format!("check character should be {expected}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn codes_of_real_organisations_are_accepted() {
        // GB 32100's own example; examples of ISO 17442; GS1's own examples.
        assert_eq!(uscc("91350100M000100Y43"), Ok(()));
        for code in ["529900T8BM49AURSDO55", "5493001KJTIIGC8Y1R12", "506700GE1G29325QX363"] {
            assert_eq!(lei(code), Ok(()), "{code}");
        }
        for (number, lengths) in [("9506000134352", 13), ("00614141123452", 14), ("40170725", 8)] {
            assert_eq!(mod10(number, &[lengths]), Ok(()), "{number}");
        }
    }

    #[test]
    fn a_wrong_character_is_named_with_its_place() {
        assert_eq!(uscc("91350100M000100Y44").unwrap_err().offset, 17);
        assert_eq!(uscc("9135010OM000100Y43").unwrap_err().offset, 7);
        assert_eq!(uscc("91350100M000100S43").unwrap_err().offset, 15);
        assert_eq!(uscc("91350100M000100Y4").unwrap_err().offset, 17);
        assert_eq!(lei("529900T8BM49AURSDO56").unwrap_err().offset, 18);
        assert_eq!(lei("529900t8BM49AURSDO55").unwrap_err().offset, 6);
        assert_eq!(mod10("9506000134353", &[13]).unwrap_err().offset, 12);
        assert_eq!(mod10("95060001x4352", &[13]).unwrap_err().offset, 8);
        assert_eq!(mod10("", &[13]).unwrap_err().offset, 0);
        assert!(uscc("９1350100M000100Y43").is_err());
    }

    proptest! {
        #[test]
        fn one_changed_character_of_a_uscc_never_passes(
            body in "[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{9}",
            place in 0..18usize,
            other in 0..31usize,
        ) {
            let mut code = format!("{body}{}", uscc_check(&body).unwrap()).into_bytes();
            prop_assert_eq!(uscc(std::str::from_utf8(&code).unwrap()), Ok(()));
            let old = std::mem::replace(&mut code[place], USCC_ALPHABET[other]);
            if old != USCC_ALPHABET[other] {
                prop_assert!(uscc(std::str::from_utf8(&code).unwrap()).is_err());
            }
        }

        #[test]
        fn every_lei_body_has_check_digits_that_pass(body in "[0-9A-Z]{18}") {
            let code = format!("{body}{}", lei_check(&body).unwrap());
            prop_assert_eq!(lei(&code), Ok(()));
        }
    }
}
