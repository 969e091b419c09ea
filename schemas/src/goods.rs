//! Goods, and GS1 locations and documents, under one canonical text.
//!
//! Invariants: GS1 keys are the canonical Digital Link `https://id.gs1.org/…` down to the finest
//! identification only; other schemes are `urn:hallmark:goods:<scheme>:<value>`.

pub mod scheme;

use std::fmt;
use std::str::FromStr;

use crate::gs1::digital_link::DigitalLink;
use crate::gs1::{self, Reading};
use crate::id::check::Fault;
use scheme::Scheme;

/// Longest text of goods.
pub const GOODS_MAX: usize = 512;

const PREFIX: &str = "urn:hallmark:goods:";
/// How the canonical text of anything with a GTIN begins; its 14 digits follow.
const GTIN: &str = "https://id.gs1.org/01/";

/// Goods in canonical text.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct GoodsId {
    text: String,
}

/// Why a text names no goods.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} names no goods: {reason} at character {position}")]
pub struct GoodsError {
    /// The text, cut to a readable length.
    pub text: String,
    /// What is wrong.
    pub reason: String,
    /// Where, counted in characters from 1.
    pub position: usize,
}

impl GoodsError {
    /// The fault at this byte of the text.
    pub(crate) fn at(text: &str, offset: usize, reason: String) -> GoodsError {
        let before = text.get(..offset).map_or(0, |before| before.chars().count());
        GoodsError { text: text.chars().take(120).collect(), reason, position: before + 1 }
    }
}

impl GoodsId {
    /// Reads a Digital Link on any host, an EPC URN, a URN of a registered scheme, or the address
    /// `…/goods/<scheme>/<value>` that nodes give such goods, and gives the canonical identifier. Qualifiers coarser than the finest, and attributes, are dropped.
    ///
    /// ```
    /// use hallmark_schemas::goods::GoodsId;
    ///
    /// let one = GoodsId::parse("https://shop.example/01/09506000134352/10/L1/21/A?17=270101")?;
    /// assert_eq!(one.as_str(), "https://id.gs1.org/01/09506000134352/21/A");
    /// assert_eq!(GoodsId::parse("urn:epc:id:sgtin:9506000.013435.A")?, one);
    ///
    /// let wrong = GoodsId::parse("https://id.gs1.org/01/09506000134353").unwrap_err();
    /// assert!(wrong.reason.contains("check"), "{wrong}");
    /// # Ok::<(), hallmark_schemas::goods::GoodsError>(())
    /// ```
    pub fn parse(text: &str) -> Result<GoodsId, GoodsError> {
        GoodsId::parse_with(text, &Reading::STRICT)
    }

    /// Reads what events of others hold: also GTINs of 8, 12 and 13 digits in a Digital Link, which
    /// are the same with zeros in front, and the retired words for its keys.
    ///
    /// ```
    /// use hallmark_schemas::goods::GoodsId;
    ///
    /// let short = "https://shop.example/01/9506000134352/21/A";
    /// assert!(GoodsId::parse(short).is_err());
    /// assert_eq!(GoodsId::read(short)?.as_str(), "https://id.gs1.org/01/09506000134352/21/A");
    /// # Ok::<(), hallmark_schemas::goods::GoodsError>(())
    /// ```
    pub fn read(text: &str) -> Result<GoodsId, GoodsError> {
        // A wrong check digit names nothing, however much is let pass beside it.
        GoodsId::parse_with(text, &Reading { check_digits: true, ..Reading::TOLERANT })
    }

    /// The same, and the lot that the text tells: its own, or the one beside the serial of an item,
    /// which the canonical text leaves out.
    pub(crate) fn read_with_lot(text: &str) -> Result<(GoodsId, Option<String>), GoodsError> {
        let goods = GoodsId::read(text)?;
        let lot = goods.lot().or_else(|| lot_beside(text, &goods));
        Ok((goods, lot))
    }

    fn parse_with(text: &str, reading: &Reading) -> Result<GoodsId, GoodsError> {
        let fail = |offset: usize, reason: String| GoodsError::at(text, offset, reason);
        if GOODS_MAX < text.len() {
            return Err(fail(GOODS_MAX, format!("longer than {GOODS_MAX} bytes")));
        }
        let Some(rest) = text.strip_prefix(PREFIX) else {
            let said = in_url(text);
            if let Some(Ok(goods)) = said {
                return Ok(goods);
            }
            // A Digital Link may have such a path before its own.
            return match (gs1::canonical_with(text, reading), said) {
                (Ok(canonical), _) => Ok(GoodsId { text: canonical }),
                (_, Some(Err(fault))) | (Err(fault), _) => Err(fail(fault.offset, fault.reason)),
            };
        };
        let (name, value) = rest
            .split_once(':')
            .ok_or_else(|| fail(PREFIX.len(), "expected <scheme>:<value>".into()))?;
        let scheme = Scheme::named(name).ok_or_else(|| {
            fail(PREFIX.len(), format!("unknown scheme, known: {}", Scheme::names()))
        })?;
        let value_at = PREFIX.len() + name.len() + 1;
        scheme.check(value).map_err(|fault| fail(value_at + fault.offset, fault.reason))?;
        Ok(GoodsId { text: text.to_owned() })
    }

    /// The identifier of a value in a registered scheme.
    pub fn in_scheme(scheme: &Scheme, value: &str) -> Result<GoodsId, GoodsError> {
        GoodsId::parse(&format!("{PREFIX}{}:{value}", scheme.name))
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The application identifier of its GS1 key; `None` in another scheme.
    pub fn gs1_key(&self) -> Option<&str> {
        gs1_path(&self.text)?.split('/').next()
    }

    /// False for GS1 identifiers of places, parties, documents and relations.
    pub fn is_tradable(&self) -> bool {
        !self.gs1_key().is_some_and(|key| NO_GOODS.contains(&key))
    }

    /// The class of a trade item: its GTIN without lot, serial or piece; `None` for all else.
    pub fn class(&self) -> Option<GoodsId> {
        let value = self.gs1_key().zip(gs1_path(&self.text)?.split('/').nth(1));
        let gtin = match value? {
            ("01", gtin) => gtin,
            ("8006", piece) => piece.get(..14)?,
            _ => return None,
        };
        Some(GoodsId { text: format!("{}/01/{gtin}", gs1::digital_link::CANONICAL) })
    }

    /// The lot that it names, where that is its finest identification.
    pub fn lot(&self) -> Option<String> {
        lot(&self.text)
    }

    /// How tables name it: of a lot its class, with the number of the lot.
    pub fn item_and_lot(&self) -> (GoodsId, Option<String>) {
        let lot = self.lot();
        let class = self.class().filter(|_| lot.is_some());
        (class.unwrap_or_else(|| self.clone()), lot)
    }

    /// The text percent-encoded once more: one segment of a path.
    pub fn path_segment(&self) -> String {
        gs1::digital_link::escape(&self.text, false)
    }

    /// Whether it names many things of a sort: a class by its GTIN, or a lot of it.
    pub fn is_class(&self) -> bool {
        self.gtin_and_rest().is_some_and(|(_, rest)| !rest.starts_with("/21/"))
    }

    /// The lot of this item or class that is numbered so; `None` for what has no GTIN, and for a
    /// text that is no lot number.
    pub fn in_lot(&self, lot: &str) -> Option<GoodsId> {
        let (class, _) = self.gtin_and_rest()?;
        let lot = gs1::digital_link::escape(lot, false);
        GoodsId::parse(&format!("{class}/10/{lot}")).ok()
    }

    /// The canonical text up to the GTIN, and what follows it.
    fn gtin_and_rest(&self) -> Option<(&str, &str)> {
        const GTIN_DIGITS: usize = 14;
        self.text.starts_with(GTIN).then(|| self.text.split_at(GTIN.len() + GTIN_DIGITS))
    }
}

/// Keys of GS1 that identify no goods.
const NO_GOODS: [&str; 7] = ["253", "255", "414", "415", "417", "8017", "8018"];

/// What stands after the host of a canonical Digital Link.
fn gs1_path(text: &str) -> Option<&str> {
    text.strip_prefix(gs1::digital_link::CANONICAL)?.strip_prefix('/')
}

/// What the path `…/goods/<scheme>/<value>` of an address names, on any host; `None` where it has no
/// such path under a registered scheme.
pub(crate) fn in_url(url: &str) -> Option<Result<GoodsId, Fault>> {
    const PATH: &str = "/goods/";
    const HOSTS: [&str; 4] = ["https://", "http://", "HTTPS://", "HTTP://"];
    let host = HOSTS.iter().find_map(|scheme| url.strip_prefix(scheme))?;
    let path_at = url.len() - host.len() + host.find('/').filter(|length| 0 < *length)?;
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let path = url.get(path_at..end)?;
    for (at, _) in path.match_indices(PATH) {
        let rest = &path[at + PATH.len()..];
        let Some((scheme, value)) =
            rest.split_once('/').and_then(|(name, value)| Some((Scheme::named(name)?, value)))
        else {
            continue;
        };
        let value_at = end - value.len();
        let is_plain = !value.contains('%');
        let value = gs1::digital_link::unescape(value.trim_end_matches('/'), false);
        let checked = scheme.check(&value);
        let named = checked.map_err(|fault| {
            // Within what was decoded, a place is none of the address.
            let offset = value_at + if is_plain { fault.offset } else { 0 };
            Fault { offset, ..fault }
        });
        return Some(named.and_then(|()| {
            GoodsId::in_scheme(scheme, &value)
                .map_err(|error| Fault { offset: value_at, reason: error.reason })
        }));
    }
    None
}

/// The lot that a Digital Link tells beside what identifies these goods.
fn lot_beside(text: &str, goods: &GoodsId) -> Option<String> {
    // Most texts tell none, and are not read twice for it.
    let may_tell = text.contains("/10/") || text.contains("/lot/");
    goods.class().filter(|class| may_tell && class != goods)?;
    let link = DigitalLink::parse(text, &Reading::TOLERANT).ok()?;
    let mut path = link.elements.into_iter().take(link.path_len);
    path.find(|element| element.code == "10").map(|element| element.value)
}

/// The lot (AI 10) in a canonical Digital Link, decoded.
fn lot(text: &str) -> Option<String> {
    let mut parts = gs1_path(text)?.split('/');
    let (key, code) = (parts.next()?, parts.nth(1)?);
    let lot = parts.next().filter(|_| matches!(key, "01" | "8006") && code == "10")?;
    Some(gs1::digital_link::unescape(lot.split('?').next()?, false))
}

impl FromStr for GoodsId {
    type Err = GoodsError;
    fn from_str(text: &str) -> Result<GoodsId, GoodsError> {
        GoodsId::parse(text)
    }
}

impl fmt::Display for GoodsId {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.pad(&self.text)
    }
}

crate::text::serde_as_text!(GoodsId, "a Digital Link or the URN of goods");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_lot_and_key_are_read_from_the_canonical_text() {
        let gtin = "https://id.gs1.org/01/09506000134352";
        for (text, key, class, lot, tradable) in [
            (gtin, Some("01"), Some(gtin), None, true),
            (&format!("{gtin}/21/7"), Some("01"), Some(gtin), None, true),
            (&format!("{gtin}/10/L%2F7"), Some("01"), Some(gtin), Some("L/7"), true),
            ("https://id.gs1.org/8006/095060001343520102", Some("8006"), Some(gtin), None, true),
            ("https://id.gs1.org/00/006141411234567890", Some("00"), None, None, true),
            ("https://id.gs1.org/414/9506000134352", Some("414"), None, None, false),
            ("https://id.gs1.org/417/9506000134352", Some("417"), None, None, false),
            ("urn:hallmark:goods:drug:81234567890123456789", None, None, None, true),
        ] {
            let goods: GoodsId = text.parse().unwrap();
            assert_eq!(goods.gs1_key(), key, "{text}");
            assert_eq!(goods.class().as_ref().map(GoodsId::as_str), class, "{text}");
            assert_eq!(goods.lot().as_deref(), lot, "{text}");
            assert_eq!(goods.is_tradable(), tradable, "{text}");
        }
        let class = GoodsId::parse(&format!("{gtin}/21/7")).unwrap().class().unwrap();
        assert_eq!(class, GoodsId::parse(gtin).unwrap());
    }

    fn goods(text: &str) -> GoodsId {
        GoodsId::parse(text).unwrap()
    }

    #[test]
    fn a_lot_that_an_identifier_tells_beside_the_serial_is_not_lost() {
        let gtin = "https://id.gs1.org/01/09521234000129";
        let item = format!("{gtin}/21/A1");
        for (text, named, lot) in [
            (format!("{gtin}/10/L1/21/A1"), item.as_str(), Some("L1")),
            (format!("{gtin}/22/V/10/L%2F1/21/A1?17=271231#x"), &item, Some("L/1")),
            ("http://a.example/x/gtin/9521234000129/lot/L1/ser/A1".into(), &item, Some("L1")),
            (format!("{gtin}/10/L1"), &format!("{gtin}/10/L1"), Some("L1")),
            ("urn:epc:class:lgtin:9521234.000012.L1".into(), &format!("{gtin}/10/L1"), Some("L1")),
            ("urn:epc:id:sgtin:9521234.000012.A1".into(), &item, None),
            (item.clone(), &item, None),
            ("https://a.example/10/L1/01/09521234000129/21/A1".into(), &item, None),
            (
                "https://id.gs1.org/8006/095212340001290102/10/L1/21/A1".into(),
                "https://id.gs1.org/8006/095212340001290102/21/A1",
                Some("L1"),
            ),
            (
                "https://a.example/goods/drug/81234567890123456789".into(),
                "urn:hallmark:goods:drug:81234567890123456789",
                None,
            ),
        ] {
            let (found, told) = GoodsId::read_with_lot(&text).unwrap();
            assert_eq!((found.as_str(), told.as_deref()), (named, lot), "{text}");
        }
    }

    #[test]
    fn a_lot_is_named_from_its_items_and_class() {
        let class = goods("https://id.gs1.org/01/09521234000129");
        let item = goods("https://id.gs1.org/01/09521234000129/21/F1");
        let lot = goods("https://id.gs1.org/01/09521234000129/10/L-1%2F2");
        assert_eq!(item.class(), Some(class.clone()));
        assert_eq!(lot.class(), Some(class.clone()));
        assert_eq!(class.class(), Some(class.clone()));
        assert_eq!([&item, &lot, &class].map(GoodsId::is_class), [false, true, true]);
        for one in [&item, &lot, &class] {
            assert_eq!(one.in_lot("L-1/2"), Some(lot.clone()));
        }
        for bad in ["", "a lot", "123456789012345678901"] {
            assert_eq!(item.in_lot(bad), None, "{bad}");
        }
        let segment = "https%3A%2F%2Fid.gs1.org%2F01%2F09521234000129%2F10%2FL-1%252F2";
        assert_eq!(lot.path_segment(), segment);
        let pallet = goods("https://id.gs1.org/00/095212340000000075");
        let other = goods("urn:hallmark:goods:drug:81234567890123456789");
        for one in [pallet, other] {
            assert_eq!((one.class(), one.in_lot("L")), (None, None));
        }
    }
}
