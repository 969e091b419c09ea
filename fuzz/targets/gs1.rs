//! Any text to every reader of GS1 data: none panics, and what one accepts keeps its meaning when
//! it is written and read again.

use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::gs1::digital_link::DigitalLink;
use hallmark_schemas::gs1::element::{self, Element};
use hallmark_schemas::gs1::generate::generate;
use hallmark_schemas::gs1::scan::{self, Scan};
use hallmark_schemas::gs1::transmit::transmit;
use hallmark_schemas::gs1::{Reading, canonical, canonical_with};

/// Identifiers of plain and GS1 data that `transmit` writes for these symbologies.
const TRANSMITTED: [&str; 6] = ["]Q1", "]Q3", "]d1", "]d2", "]J0", "]J1"];

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(found) = canonical(text) {
        assert_eq!(canonical(&found), Ok(found.clone()), "a canonical text is its own");
    }
    let _ = canonical_with(text, &Reading::TOLERANT);
    if let Ok(elements) = element::parse(text) {
        let written = element::message(&elements);
        assert_eq!(element::parse(&written), Ok(elements), "{written:?}");
    }
    let _ = element::parse_bracketed(text, &Reading::STRICT);
    if let Ok(link) = DigitalLink::parse(text, &Reading::STRICT) {
        check_link(&link);
    }
    if let Ok(goods) = GoodsId::parse(text) {
        check_goods(&goods);
    }
    if let Ok(goods) = GoodsId::by_hand(text) {
        check_goods(&goods);
    }
    for decode in [scan::decode, scan::decode_capture] {
        match decode(text) {
            Ok(scan) => check_scan(text, &scan),
            Err(fault) => assert!(text.is_char_boundary(fault.offset), "{fault:?} is no place"),
        }
    }
}

fn check_link(link: &DigitalLink) {
    let Ok(uri) = generate(&link.elements, Some("https://example.com/x"), &Reading::STRICT) else {
        return;
    };
    let again = DigitalLink::parse(&uri, &Reading::STRICT).expect("what is generated is read");
    assert_eq!(again.canonical(), link.canonical(), "{uri}");
    assert_eq!(sorted(&again.elements), sorted(&link.elements), "{uri}");
}

fn sorted(elements: &[Element]) -> Vec<(&str, &str)> {
    let mut pairs: Vec<_> =
        elements.iter().map(|element| (element.code.as_str(), element.value.as_str())).collect();
    pairs.sort_unstable();
    pairs
}

fn check_goods(goods: &GoodsId) {
    assert_eq!(GoodsId::parse(goods.as_str()).as_ref(), Ok(goods));
    let _ = goods.lot();
    if let Some(class) = goods.class() {
        assert_eq!(GoodsId::parse(class.as_str()).as_ref(), Ok(&class));
        assert_eq!(class.class().as_ref(), Some(&class), "the class of a class is itself");
    }
}

fn check_scan(text: &str, scan: &Scan) {
    if let Some(goods) = scan.content.canonical() {
        check_goods(&goods);
    }
    let is_written = text.get(..3).is_some_and(|identifier| TRANSMITTED.contains(&identifier));
    if let (true, Some(symbology)) = (is_written, scan.symbology) {
        // `^` of a GS1 symbol is read as the FNC1 that it stands for.
        let (sent, read) = (transmit(symbology, &scan.message), text.replace('^', "\u{1d}"));
        assert!([text, &read].map(Ok).contains(&sent.as_deref()), "{text}: {sent:?}");
    }
}
