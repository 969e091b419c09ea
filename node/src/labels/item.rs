//! What one label says, in each of its writings.

use hallmark_schemas::gs1::Reading;
use hallmark_schemas::gs1::digital_link::{self, DigitalLink};
use hallmark_schemas::gs1::element::{self, Element, FNC1};

/// What all labels of a run have in common.
#[derive(Clone, Debug)]
pub struct Template {
    gtin: Element,
    lot: Option<Element>,
    /// Where the codes lead, without a slash at the end.
    address: String,
}

/// One label.
#[derive(Clone, Debug)]
pub struct Item {
    /// The number of the code in its order.
    pub number: u64,
    /// GTIN, lot if there is one, serial.
    elements: Vec<Element>,
    /// The Digital Link.
    pub link: String,
}

impl Template {
    /// Of a GTIN of 14 digits, a lot that AI 10 may hold and an `http` or `https` address.
    pub fn new(gtin: &str, lot: Option<&str>, address: &str) -> Result<Template, String> {
        let element = |code: &str, value: &str| {
            let made = Element::new(code, value, &Reading::STRICT);
            made.map_err(|fault| format!("({code}) {value}: {}", fault.reason))
        };
        let template = Template {
            gtin: element("01", gtin)?,
            lot: lot.map(|lot| element("10", lot)).transpose()?,
            address: address.trim_end_matches('/').to_owned(),
        };
        let probe = template.item(0, "0")?;
        let read = DigitalLink::parse(&probe.link, &Reading::STRICT);
        let read = read.map_err(|fault| format!("{address}: {}", fault.reason))?;
        if read.elements != probe.elements {
            return Err(format!("{address}: a query or fragment would swallow the code"));
        }
        Ok(template)
    }

    /// The label of one serial.
    pub fn item(&self, number: u64, serial: &str) -> Result<Item, String> {
        let serial = Element::new("21", serial, &Reading::STRICT)
            .map_err(|fault| format!("serial {serial}: {}", fault.reason))?;
        let parts = [Some(self.gtin.clone()), self.lot.clone(), Some(serial)];
        let elements: Vec<Element> = parts.into_iter().flatten().collect();
        let link = digital_link::generate(&self.address, &elements);
        Ok(Item { number, elements, link })
    }
}

impl Item {
    /// The serial alone.
    pub fn serial(&self) -> &str {
        self.elements.last().map_or("", |serial| &serial.value)
    }

    /// The element string, `^` for FNC1: first, and after a value of open length.
    pub fn message(&self) -> String {
        element::message(&self.elements)
    }

    /// What stands under the symbol for people, one element a line.
    pub fn readable(&self) -> Vec<String> {
        self.elements.iter().map(|part| format!("({}){}", part.code, part.value)).collect()
    }
}

/// Whether a character of a [`Item::message`] is the separator.
pub(super) fn is_fnc1(c: char) -> bool {
    c == FNC1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_label_in_its_writings() {
        let template = Template::new("09521234000129", Some("A/1"), "https://example.com/x/");
        let item = template.unwrap().item(7, "ZK7").unwrap();
        assert_eq!(item.message(), "^010952123400012910A/1^21ZK7");
        assert_eq!(item.link, "https://example.com/x/01/09521234000129/10/A%2F1/21/ZK7");
        assert_eq!(item.readable(), ["(01)09521234000129", "(10)A/1", "(21)ZK7"]);
        assert_eq!(item.serial(), "ZK7");
    }

    #[test]
    fn what_no_label_can_carry_is_refused() {
        let new = |gtin, lot, address| Template::new(gtin, lot, address).map(|_| ());
        assert!(new("09521234000129", None, "https://example.com").is_ok());
        assert!(new("09521234000128", None, "https://example.com").is_err(), "check digit");
        assert!(new("09521234000129", Some("a lot"), "https://example.com").is_err(), "a space");
        assert!(new("09521234000129", Some("^1"), "https://example.com").is_err());
        for address in ["example.com", "ftp://example.com", "https://", "https://a b", ""] {
            assert!(new("09521234000129", None, address).is_err(), "{address}");
        }
        for address in ["https://example.com?x=1", "https://example.com/#a"] {
            assert!(new("09521234000129", None, address).is_err(), "{address}");
        }
        let template = Template::new("09521234000129", None, "https://example.com").unwrap();
        assert!(template.item(0, "123456789012345678901").is_err(), "21 characters");
        assert!(template.item(0, "").is_err());
    }
}
