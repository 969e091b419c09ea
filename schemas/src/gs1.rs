//! GS1 keys in all their writings: element strings, Digital Links, EPC URNs, scan data.
//!
//! Invariant: whatever the writing, one thing has one canonical text, a Digital Link on
//! `https://id.gs1.org` that holds the finest identification and nothing else.

pub mod ai;
pub mod association;
pub mod digital_link;
pub mod element;
pub mod epc_urn;
pub mod generate;
pub mod hand;
pub mod scan;
pub mod transmit;

mod coupon;
mod lint;
pub(crate) mod list;
mod table;

use crate::id::check::Fault;
use digital_link::DigitalLink;
use element::Element;

/// What a reader lets pass.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Reading {
    /// Take the retired words of Digital Links, such as `/gtin/…/ser/…`.
    pub words: bool,
    /// Take GTINs of 8, 12 and 13 digits in Digital Links.
    pub short_gtins: bool,
    /// Take application identifiers that the table does not know.
    pub unknown_ais: bool,
    /// Refuse wrong check digits.
    pub check_digits: bool,
}

impl Reading {
    /// What new identifiers must pass.
    pub const STRICT: Reading =
        Reading { words: false, short_gtins: false, unknown_ais: false, check_digits: true };

    /// What old documents may hold and event hashes must fold: anything whose meaning is plain.
    pub const TOLERANT: Reading =
        Reading { words: true, short_gtins: true, unknown_ais: false, check_digits: false };
}

/// The canonical Digital Link of a Digital Link on any host or of an EPC URN.
pub fn canonical(text: &str) -> Result<String, Fault> {
    canonical_with(text, &Reading::STRICT)
}

/// All that a Digital Link on any host or an EPC URN says, of which the canonical one has the key and
/// its finest qualifier.
pub(crate) fn elements(text: &str, reading: &Reading) -> Result<Vec<Element>, Fault> {
    match text.starts_with("urn:epc:") {
        true => epc_urn::parse(text),
        false => Ok(DigitalLink::parse(text, reading)?.elements),
    }
}

/// [`canonical`], with a reader's choice of what passes.
pub fn canonical_with(text: &str, reading: &Reading) -> Result<String, Fault> {
    if text.starts_with("urn:epc:") {
        let elements = epc_urn::parse(text)?;
        Ok(digital_link::canonical(&elements).expect("every EPC scheme read here has a GS1 key"))
    } else if text.get(..4).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http")) {
        Ok(DigitalLink::parse(text, reading)?.canonical())
    } else {
        let reason = "expected a Digital Link (https://…) or an EPC URN (urn:epc:…)";
        Err(Fault { offset: 0, reason: reason.to_owned() })
    }
}

#[cfg(test)]
mod tests;
