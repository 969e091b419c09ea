//! A code as people type or paste it: with spaces, in full-width characters, without `https://`.
//!
//! Invariants: what a reader of barcodes takes is taken here with the same meaning; whatever is
//! forgiven are characters that no code may hold, and a beginning that can only be meant in one way.

use crate::goods::scheme::Scheme;
use crate::goods::{self, GoodsError, GoodsId};
use crate::gs1::Reading;
use crate::gs1::digital_link::{self, CANONICAL};
use crate::gs1::element::{self, FNC1};
use crate::gs1::scan::{self, Content};
use crate::id::check::Fault;

/// Keys whose check digit shows that a run of characters is meant as an element string.
const CHECKED: [&str; 2] = ["00", "01"];

/// Reads what a person typed: an element string with or without brackets, a Digital Link on any
/// host, an EPC URN, a bare GTIN or SSCC, or a code of a registered scheme, as a value, a URN or
/// the address that a node prints. Data that names nothing is refused.
///
/// ```
/// use hallmark_schemas::gs1::hand;
///
/// for text in ["（01）０９５０６０００１３４３５２（21）A", "id.gs1.org/01/09506000134352/21/A"] {
///     let goods = hand::read(text)?.canonical().expect("what is read names something");
///     assert_eq!(goods.as_str(), "https://id.gs1.org/01/09506000134352/21/A");
/// }
/// # Ok::<(), hallmark_schemas::goods::GoodsError>(())
/// ```
pub fn read(text: &str) -> Result<Content, GoodsError> {
    let tidy = tidy(text);
    let fail = |fault: Fault| GoodsError::at(&tidy, fault.offset, fault.reason);
    // A host of digits could be a handle, too: what has a GS1 key in its path is no handle.
    let address = address(&tidy);
    if let Some((Ok(content), _)) = address {
        return Ok(content);
    }
    let first = match scan::decode(&tidy).map(|scan| scan.content) {
        Ok(content) if content.canonical().is_some() => return Ok(content),
        Ok(_) => Fault { offset: 0, reason: "it says nothing about any goods".to_owned() },
        Err(fault) => fault,
    };
    if let Some((Err(fault), added)) = address {
        let offset = fault.offset.saturating_sub(added);
        return Err(fail(Fault { offset, ..fault }));
    }
    let unbracketed = element::parse(&format!("{FNC1}{tidy}"));
    match unbracketed.map(Content::Gs1) {
        Ok(content) if CHECKED.iter().any(|code| tidy.starts_with(code)) => Ok(content),
        _ => Err(fail(first)),
    }
}

/// The same with 14 digits, where what makes the text unreadable is the short form of the GTIN
/// behind `(01)` or `/01/`.
pub fn with_whole_gtin(text: &str) -> Option<String> {
    let tidy = tidy(text);
    for before in ["(01)", "/01/"] {
        let Some((front, rest)) = tidy.split_once(before) else { continue };
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (gtin, rest) = rest.split_at(end);
        if matches!(end, 8 | 12 | 13) {
            let whole = format!("{front}{before}{gtin:0>14}{rest}");
            return read(&whole).is_ok().then_some(whole);
        }
    }
    None
}

impl GoodsId {
    /// The goods in a text that a person typed: see [`read`].
    pub fn by_hand(text: &str) -> Result<GoodsId, GoodsError> {
        let content = read(text)?;
        Ok(content.canonical().expect("only what names something is read"))
    }

    /// The goods of a path on a node, as it stands in its address: that of a Digital Link, or
    /// `/goods/<scheme>/<value>`. An error counts from the path's begin.
    pub fn from_path(path: &str) -> Result<GoodsId, GoodsError> {
        let path = path.trim_end_matches('/');
        if let Some(error) = unknown_scheme(path) {
            return Err(error);
        }
        GoodsId::parse(&format!("{CANONICAL}{path}")).map_err(|error| GoodsError {
            text: path.chars().take(120).collect(),
            position: error.position.saturating_sub(CANONICAL.len()).max(1),
            ..error
        })
    }
}

/// What is said of a path that begins as one of goods in another scheme, under a name of none.
fn unknown_scheme(path: &str) -> Option<GoodsError> {
    const GOODS: &str = "/goods/";
    let name = path.strip_prefix(GOODS)?.split('/').next()?;
    let reason = || format!("unknown scheme, known: {}", Scheme::names());
    Scheme::named(name).is_none().then(|| GoodsError::at(path, GOODS.len(), reason()))
}

/// Full-width characters become those that codes are made of; what cannot be seen is dropped.
fn tidy(text: &str) -> String {
    const UNSEEN: [char; 9] = [
        '\u{200b}', '\u{200c}', '\u{200d}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202c}',
        '\u{2060}', '\u{feff}',
    ];
    let seen = |c: &char| !c.is_whitespace() && !UNSEEN.contains(c);
    let narrow = |c: char| match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xff01 + 0x21).unwrap_or(c),
        _ => c,
    };
    let tidy: String = text.chars().filter(seen).map(narrow).collect();
    match tidy.split_once("://") {
        // A phone begins with a capital letter.
        Some((scheme, rest)) if scheme.len() <= "https".len() => {
            format!("{}://{rest}", scheme.to_ascii_lowercase())
        }
        _ => tidy,
    }
}

/// An address without its scheme, or a path alone, and how many characters had to be put before.
fn address(text: &str) -> Option<(Result<Content, Fault>, usize)> {
    if text.contains("://") || text.starts_with("urn:") {
        return None;
    }
    let before = if text.starts_with('/') { CANONICAL } else { "https://" };
    let whole = format!("{before}{text}");
    let is_meant =
        digital_link::is_candidate(&whole, &Reading::STRICT) || goods::in_url(&whole).is_some();
    is_meant.then(|| (scan::decode(&whole).map(|scan| scan.content), before.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let item = "https://id.gs1.org/01/09506000134352/21/S1";
        for text in [
            "(01)09506000134352(21)S1",
            " (01) 0950 6000 1343 52 (21) S1 \n",
            "（01）09506000134352（21）S1",
            "（０１）０９５０６０００１３４３５２（２１）Ｓ１",
            "(01)\u{3000}09506000134352\u{a0}(21)\u{200b}S1\u{feff}",
            "^010950600013435221S1",
            "010950600013435221S1",
            "]d2010950600013435221S1",
            "urn:epc:id:sgtin:9506000.013435.S1",
            "https://id.gs1.org/01/09506000134352/21/S1",
            "Https://shop.example/x/01/09506000134352/10/L7/21/S1?17=270101",
            "id.gs1.org/01/09506000134352/21/S1",
            "127.0.0.1:8080/01/09506000134352/21/S1",
            "10.0.0.5/01/09506000134352/21/S1",
            "/01/09506000134352/10/L7/21/S1",
            "ｉｄ．ｇｓ１．ｏｒｇ／01／09506000134352／21／S1",
        ] {
            assert_eq!(GoodsId::by_hand(text).map(|goods| goods.to_string()), Ok(item.into()));
        }
        let sscc = "https://id.gs1.org/00/006141411234567890";
        for text in ["00 0061 4141 1234 5678 90", "(00)006141411234567890", "006141411234567890"] {
            assert_eq!(GoodsId::by_hand(text).map(|goods| goods.to_string()), Ok(sscc.into()));
        }
    }

    #[test]
    fn goods_of_another_scheme_are_one_thing_in_every_writing() {
        let drug = "urn:hallmark:goods:drug:81234567890123456789";
        for text in [
            drug,
            "8123 4567 8901 2345 6789",
            "８１２３４５６７８９０１２３４５６７８９",
            "https://id.example.com/goods/drug/81234567890123456789",
            "http://127.0.0.1:8080/goods/drug/81234567890123456789/?lang=zh",
            "id.example.com/n/goods/drug/81234567890123456789",
            "/goods/drug/81234567890123456789",
            "]Q1https://id.example.com/goods/drug/81234567890123456789",
        ] {
            assert_eq!(GoodsId::by_hand(text).map(|goods| goods.to_string()), Ok(drug.into()));
        }
        for url in [
            "https://a.example/goods/handle/86.1000.12/A-0001",
            "https://b.example/x/goods/handle/86.1000.12%2FA-0001#a",
        ] {
            let handle = "urn:hallmark:goods:handle:86.1000.12/A-0001";
            for read in [GoodsId::parse(url), GoodsId::by_hand(url)] {
                assert_eq!(read.map(|goods| goods.to_string()), Ok(handle.into()));
            }
            assert_eq!(scan::decode(url).unwrap().content.canonical().unwrap().as_str(), handle);
        }
    }

    #[test]
    fn a_short_gtin_is_made_whole_and_nothing_else_is() {
        for (text, whole) in [
            ("(01) 9506000134352 (21) S1", "(01)09506000134352(21)S1"),
            ("（01）9506000134352", "(01)09506000134352"),
            ("/01/9506000134352/21/S1", "/01/09506000134352/21/S1"),
            ("https://a.example/01/40170725", "https://a.example/01/00000040170725"),
        ] {
            assert_eq!(with_whole_gtin(text).as_deref(), Some(whole), "{text}");
        }
        for text in
            ["(01)9506000134353", "(01)09506000134352", "9506000134352", "", "(01)", "é(01)"]
        {
            assert_eq!(with_whole_gtin(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_nothing_is_guessed() {
        for (text, reason, position) in [
            ("(01) 09506000134353", "check character", 18),
            ("id.gs1.org/01/09506000134353", "check character", 15),
            ("/01/09506000134353", "check character", 5),
            ("id.example.com/goods/drug/8123", "4 characters", 31),
            ("https://id.example.com/goods/drug/8123", "4 characters", 39),
            ("hello", "no GS1 data", 1),
            ("]Q1hello", "nothing about any goods", 1),
            ("(10)L7", "nothing about any goods", 1),
            ("", "no GS1 data", 1),
            ("012345", "6 digits", 1),
        ] {
            let error = GoodsId::by_hand(text).unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {error}");
            assert_eq!(error.position, position, "{text}: {error}");
        }
        let error = GoodsId::from_path("/01/09506000134353/21/S1").unwrap_err();
        assert!(error.reason.contains("check character"), "{error}");
        assert_eq!((error.text.as_str(), error.position), ("/01/09506000134353/21/S1", 5));
        assert!(GoodsId::from_path("/goods/drug/8123").is_err());
        let error = GoodsId::from_path("/goods/nothing/8123").unwrap_err();
        assert!(error.reason.starts_with("unknown scheme, known: drug"), "{error}");
        assert_eq!(error.position, 8);
        let path = GoodsId::from_path("/01/09506000134352/10/L7/21/S1/").unwrap();
        assert_eq!(path.as_str(), "https://id.gs1.org/01/09506000134352/21/S1");
    }

    #[test]
    fn an_address_is_that_of_goods_only_under_a_registered_scheme() {
        let gtin = "https://id.gs1.org/01/09506000134352";
        for url in [
            "https://shop.example/goods/01/09506000134352",
            "https://shop.example/goods/drug/01/09506000134352",
            "https://shop.example/goods/tea/01/09506000134352",
        ] {
            assert_eq!(GoodsId::parse(url).unwrap().as_str(), gtin, "{url}");
        }
        for url in [
            "https://shop.example/goods/drug",
            "https://shop.example/goods/tea/1",
            "https:///goods/drug/81234567890123456789",
        ] {
            assert!(GoodsId::parse(url).is_err(), "{url}");
        }
    }
}
