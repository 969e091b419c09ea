//! From the path of a request to the goods that it names.
//!
//! Invariants: only the path identifies; qualifiers that are not part of the canonical identifier
//! and attributes of the query are checked, shown as what the print says, and decide nothing but
//! which recalls of a lot are looked at where no record tells the lot.

use hallmark_schemas::goods::scheme::Scheme;
use hallmark_schemas::goods::{GoodsError, GoodsId};
use hallmark_schemas::gs1::Reading;
use hallmark_schemas::gs1::ai::Ai;
use hallmark_schemas::gs1::digital_link::{CANONICAL, DigitalLink, escape, unescape};
use hallmark_schemas::gs1::element::Element;
use hallmark_schemas::gs1::hand;
use hallmark_schemas::gs1::scan::Content;
use hallmark_schemas::id::OrgId;

use super::view::print::{Attribute, Link, Unreadable};
use super::view::{Misread, Sort};

/// The keys of Digital Links: the first segment of their paths.
pub const KEYS: [&str; 16] = [
    "00", "01", "253", "255", "401", "402", "414", "415", "417", "8003", "8004", "8006", "8010",
    "8013", "8017", "8018",
];
/// Longest path and query that are read.
pub const LINK_BYTES_MAX: usize = 2048;
/// Most parameters of a query that are looked at.
const PARAMETERS_MAX: usize = 32;

/// Most characters that are shown of an attribute that cannot be read: the longest value has 90.
const UNREADABLE_MAX: usize = 90;

/// Where goods of other schemes are on this node: `/goods/<scheme>/<value>`.
const GOODS_PATH: &str = "/goods/";
/// Qualifiers of goods that stand in a path before the finest one, in this order.
const COARSE: [&str; 2] = ["22", "10"];
const GOODS_URN: &str = "urn:hallmark:goods:";

/// A code that was read.
#[derive(Clone, Debug)]
pub struct Code {
    /// What it identifies.
    pub goods: GoodsId,
    /// The lot that the print names.
    pub lot: Option<String>,
    /// What else the print says.
    pub link: Link,
}

impl Code {
    /// Reads the path of a Digital Link; the query is no reason to refuse it.
    pub fn from_link(path: &str, query: &str) -> Option<Code> {
        if LINK_BYTES_MAX < path.len() + query.len() {
            return None;
        }
        let uri = format!("{CANONICAL}{}", path.trim_end_matches('/'));
        let parsed = DigitalLink::parse(&uri, &Reading::STRICT).ok()?;
        let mut code = Code::from_elements(&parsed.elements)?;
        for parameter in query.split('&').take(PARAMETERS_MAX) {
            match DigitalLink::parse(&format!("{uri}?{parameter}"), &Reading::STRICT) {
                Ok(with) => {
                    let attributes = &with.elements[with.path_len..];
                    code.link.attributes.extend(attributes.iter().filter_map(attribute));
                }
                Err(fault) => {
                    code.link.has_unreadable = true;
                    code.link.unreadable.extend(unreadable(parameter, fault.reason));
                }
            }
        }
        Some(code)
    }

    /// Reads the path of goods in another scheme.
    pub fn from_scheme(scheme: &str, value: &str) -> Option<Code> {
        let goods = GoodsId::in_scheme(Scheme::named(scheme)?, value).ok()?;
        Some(Code::bare(&goods))
    }

    /// Reads what a person types: see [`hand::read`].
    pub fn by_hand(text: &str) -> Option<Code> {
        if LINK_BYTES_MAX < text.len() {
            return None;
        }
        match hand::read(text).ok()? {
            Content::Gs1(elements) => Code::from_elements(&elements),
            Content::Goods(goods) => Some(Code::bare(&goods)),
            Content::Verbatim(_) => None,
        }
    }

    /// Reads what stands behind a route such as `/v1/trace`: the path of the goods on this node, as
    /// it stands in the request, else `identifier`, the same decoded, as a person may write it.
    pub fn asked(path: &str, identifier: &str) -> Result<Code, GoodsError> {
        let first = path.split('/').nth(1).unwrap_or_default();
        let is_path =
            path.len() <= LINK_BYTES_MAX && (KEYS.contains(&first) || path.starts_with(GOODS_PATH));
        match Code::from_link(path, "") {
            Some(code) if is_path => Ok(code),
            _ if is_path => GoodsId::from_path(path).map(|goods| Code::bare(&goods)),
            _ => match Code::by_hand(identifier) {
                Some(code) => Ok(code),
                None => GoodsId::by_hand(identifier).map(|goods| Code::bare(&goods)),
            },
        }
    }

    /// A code with nothing printed beside.
    pub fn bare(goods: &GoodsId) -> Code {
        Code { goods: goods.clone(), lot: None, link: Link::default() }
    }

    /// The same serial or lot in capital letters, and in small ones: GS1 tells them apart, people
    /// do not.
    pub fn in_other_letters(&self) -> Vec<GoodsId> {
        let Some((front, last)) = self.goods.as_str().rsplit_once('/') else {
            return Vec::new();
        };
        if !matches!(sort_of(&self.goods), Sort::Item | Sort::Lot) {
            return Vec::new();
        }
        let own = unescape(last, false);
        let others = [own.to_ascii_uppercase(), own.to_ascii_lowercase()];
        let others = others.iter().filter(|other| **other != own);
        let goods =
            |other: &String| GoodsId::parse(&format!("{front}/{}", escape(other, false))).ok();
        others.filter_map(goods).collect()
    }

    /// The path of this code on this node, with the coarser qualifiers that its print names: a
    /// recall of that lot must not get lost on the way from one page to the next.
    pub fn path(&self) -> String {
        let path = path_of(&self.goods);
        let at = ["/10/", "/21/"].iter().filter_map(|qualifier| path.find(qualifier)).min();
        let (coarse, fine) = path.split_at(at.unwrap_or(path.len()));
        let mut path = coarse.to_owned();
        let takes_them = path.starts_with("/01/") || path.starts_with("/8006/");
        for ai in COARSE.iter().filter(|_| takes_them) {
            let said = self.link.attributes.iter().find(|said| said.ai == **ai);
            let said = said.map(|said| format!("/{ai}/{}", escape(&said.value, false)));
            path.push_str(&said.unwrap_or_default());
        }
        path + fine
    }

    /// The same with the attributes that its print names: what contradicts the records on one page
    /// does so on the next.
    pub fn printed(&self) -> String {
        let mut printed = self.path();
        for said in self.link.attributes.iter().filter(|said| !COARSE.contains(&said.ai.as_str())) {
            let longer = asked(&printed, &said.ai, &said.value);
            if Code::from_printed(&longer).is_some_and(|code| !code.link.has_unreadable) {
                printed = longer;
            }
        }
        for (index, said) in self.link.unreadable.iter().enumerate() {
            let longer = asked(&printed, &said.ai, &said.value);
            let goes = |code: &Code| code.link.unreadable.get(index) == Some(said);
            if Code::from_printed(&longer).as_ref().is_some_and(goes) {
                printed = longer;
            }
        }
        printed
    }

    /// Reads what [`Code::printed`] writes.
    pub fn from_printed(printed: &str) -> Option<Code> {
        let (path, query) = printed.split_once('?').unwrap_or((printed, ""));
        match path.strip_prefix(GOODS_PATH) {
            Some(other) => {
                let (scheme, value) = other.split_once('/')?;
                Code::from_scheme(scheme, &unescape(value, false))
            }
            None => Code::from_link(path, query),
        }
    }

    fn from_elements(elements: &[Element]) -> Option<Code> {
        let canonical = hallmark_schemas::gs1::digital_link::canonical(elements)?;
        let goods = GoodsId::parse(&canonical).ok()?;
        let value = |code: &str| elements.iter().find(|element| element.code == code);
        let lot = value("10").map(|element| element.value.clone());
        // What the canonical identifier does not hold is what the print says beside it.
        let parts: Vec<&str> = canonical[CANONICAL.len()..].split('/').skip(1).collect();
        let is_said = |element: &&Element| !parts.iter().step_by(2).any(|at| *at == element.code);
        let attributes = elements.iter().filter(is_said).filter_map(attribute).collect();
        Some(Code { goods, lot, link: Link { attributes, ..Link::default() } })
    }
}

/// Why a path or typed text is no code, and the code that it may be meant for.
pub fn misread(text: &str) -> (Misread, Option<GoodsId>) {
    if text.trim().is_empty() {
        return (Misread::Nothing, None);
    }
    let whole = Some(text).filter(|text| text.len() <= LINK_BYTES_MAX);
    let whole = whole.and_then(hand::with_whole_gtin).and_then(|whole| Code::by_hand(&whole));
    match whole {
        Some(code) => (Misread::ShortGtin, Some(code.goods)),
        None => (Misread::Garbled, None),
    }
}

/// A path or address with one more parameter in its query.
pub fn asked(address: &str, name: &str, value: &str) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}{name}={}", escape(value, true))
}

fn attribute(element: &Element) -> Option<Attribute> {
    let title = Ai::find(&element.code)?.title;
    let (ai, value) = (element.code.clone(), element.value.clone());
    // What it means depends on the day on which it is read.
    Some(Attribute { ai, title, value, date: None, amount: None, unit: None })
}

/// A parameter that is meant as an attribute and is none.
fn unreadable(parameter: &str, reason: String) -> Option<Unreadable> {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    if !(2..=4).contains(&name.len()) || !name.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seen = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '\u{fffd}' };
    let value = unescape(value, true).chars().map(seen).take(UNREADABLE_MAX).collect();
    let title = Ai::find(name).map_or("", |ai| ai.title);
    Some(Unreadable { ai: name.to_owned(), title, value, reason })
}

/// The path of goods on this node. It is made of the canonical identifier and nothing else, whose
/// characters are all plain in paths.
pub fn path_of(goods: &GoodsId) -> String {
    let text = goods.as_str();
    if let Some(path) = text.strip_prefix(CANONICAL) {
        return path.to_owned();
    }
    let rest = text.strip_prefix(GOODS_URN).unwrap_or(text);
    format!("{GOODS_PATH}{}", rest.replacen(':', "/", 1))
}

/// The path of the bundle of public records about a code: those that its page shows, so with the lot
/// that its print names.
pub fn bundle_path(code: &Code) -> String {
    format!("/v1/bundle{}", code.path())
}

/// The organisation whose own identifier in this network is the party number (417) of the code.
pub fn org_of(goods: &GoodsId) -> Option<OrgId> {
    let gln = goods.as_str().strip_prefix(CANONICAL)?.strip_prefix("/417/")?;
    format!("urn:hallmark:org:gln:{gln}").parse().ok()
}

/// What the canonical identifier names.
pub fn sort_of(goods: &GoodsId) -> Sort {
    let path = goods.as_str().strip_prefix(CANONICAL).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match parts.as_slice() {
        ["01", _, "21" | "235", ..]
        | ["8006", _, "21", ..]
        | ["8003" | "8004", ..]
        | ["8010", _, "8011", ..] => Sort::Item,
        ["01" | "8006", _, "10", ..] => Sort::Lot,
        ["01" | "8006" | "8010" | "8013", ..] => Sort::Class,
        ["00" | "401" | "402", ..] => Sort::Unit,
        ["414" | "415" | "417", ..] => Sort::Place,
        ["253", ..] => Sort::Document,
        ["255", ..] => Sort::Coupon,
        ["8017" | "8018", ..] => Sort::Relation,
        _ => Sort::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GTIN: &str = "/01/09506000134352";

    fn read(path: &str, query: &str) -> Code {
        Code::from_link(path, query).unwrap_or_else(|| panic!("{path}?{query}"))
    }

    #[test]
    fn every_key_of_the_table_is_a_path_and_nothing_else() {
        let keys = Ai::all().filter(|ai| ai.qualifiers.is_some()).count();
        assert_eq!(keys, KEYS.len());
        for key in KEYS {
            assert!(Ai::find(key).is_some_and(|ai| ai.qualifiers.is_some()), "{key}");
        }
    }

    #[test]
    fn the_path_identifies_and_coarser_qualifiers_are_only_said() {
        let code = read(&format!("{GTIN}/22/2A/10/L%2F7/21/S1/"), "");
        assert_eq!(code.goods.as_str(), "https://id.gs1.org/01/09506000134352/21/S1");
        assert_eq!(code.lot.as_deref(), Some("L/7"));
        let said: Vec<&str> = code.link.attributes.iter().map(|one| one.ai.as_str()).collect();
        assert_eq!(said, ["22", "10"]);
        assert_eq!(path_of(&code.goods), format!("{GTIN}/21/S1"));
        let path = code.path();
        assert_eq!(path, format!("{GTIN}/22/2A/10/L%2F7/21/S1"), "they go along");
        let printed = |tail: &str| format!("{GTIN}{tail}");
        for path in [
            path,
            printed("/21/S1"),
            printed("/10/L7"),
            printed("/22/2A/10/L7"),
            printed("/22/2A"),
            printed("/10/10/21/21"),
            printed(""),
        ] {
            assert_eq!(read(&path, "").path(), path);
            assert_eq!(read(&path, "").printed(), path);
        }
        let whole = printed("/10/L7/21/S1?17=271231&3103=000195");
        let code = Code::from_printed(&whole).unwrap();
        assert_eq!(code.printed(), whole);
        assert_eq!(code.lot.as_deref(), Some("L7"));
        let drug = Code::from_printed("/goods/drug/81234567890123456789").unwrap();
        assert_eq!(drug.printed(), "/goods/drug/81234567890123456789");
        for bad in ["", "/", "//evil.example/", "https://evil.example/", "/goods/drug", "/v1/x"] {
            assert!(Code::from_printed(bad).is_none(), "{bad}");
        }
        assert_eq!(sort_of(&code.goods), Sort::Item);
    }

    #[test]
    fn attributes_are_checked_one_by_one_and_never_refuse_the_path() {
        let code = read(GTIN, "17=271231&15=991399&3103=000195&lang=en&linkType=all&x=%3Cb%3E");
        let said: Vec<_> = code.link.attributes.iter().map(|one| one.ai.as_str()).collect();
        assert_eq!(said, ["17", "3103"]);
        assert!(code.link.has_unreadable, "month 13 is no date");
        let told = |query: &str| read(GTIN, query).link.unreadable;
        let found = told("17=999999&lang=en&11=270230&99=x%41%01%E4%B8%AD&0001=7&utm=%ff");
        let parts: Vec<_> = found.iter().map(|one| (one.ai.as_str(), one.value.as_str())).collect();
        assert_eq!(
            parts,
            [
                ("17", "999999"),
                ("11", "270230"),
                ("99", "xA\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
                ("0001", "7")
            ]
        );
        assert!(found[0].reason.contains("(17)"), "{found:?}");
        assert!(found[0].title.contains("EXPIRY") && found[3].title.is_empty(), "{found:?}");
        let long = told(&format!("17={}", "9".repeat(500)));
        assert_eq!(long[0].value.len(), 90);
        // It goes along from page to page, as what can be read does.
        for query in ["17=999999", "3103=000100&17=999999&11=270230"] {
            let printed = read(GTIN, query).printed();
            assert_eq!(printed, format!("{GTIN}?{query}"));
        }
        assert!(read(GTIN, "01=09506000134352").link.has_unreadable);
        assert!(!read(GTIN, "lang=en").link.has_unreadable);
    }

    #[test]
    fn what_is_no_code_is_none() {
        for path in [
            "/01/09506000134353",
            "/01/9506000134352",
            "/01/garbage",
            "/01/",
            "/01/09506000134352/21",
            "/01/09506000134352/21/S1/10/L1",
            "/00/123",
            "/21/S1",
            "/01/%3Cscript%3E",
        ] {
            assert!(Code::from_link(path, "").is_none(), "{path}");
        }
        assert!(Code::from_link(GTIN, &"x".repeat(LINK_BYTES_MAX)).is_none());
        assert!(Code::from_scheme("drug", "8123456789012345678").is_none());
        assert!(Code::from_scheme("nothing", "1").is_none());
    }

    #[test]
    fn what_a_route_is_asked_for_is_a_path_or_any_writing() {
        let item = "https://id.gs1.org/01/09506000134352/21/S%2F1";
        for (path, identifier) in [
            ("/01/09506000134352/21/S%2F1", "01/09506000134352/21/S/1"),
            ("/https%3A%2F%2Fid.gs1.org%2F01%2F09506000134352%2F21%2FS%252F1", item),
            ("/(01)09506000134352(21)S%2F1", "(01)09506000134352(21)S/1"),
        ] {
            let code = Code::asked(path, identifier).unwrap_or_else(|e| panic!("{path}: {e}"));
            assert_eq!(code.goods.as_str(), item, "{path}");
        }
        let drug = "urn:hallmark:goods:drug:81234567890123456789";
        for path in
            ["/goods/drug/81234567890123456789", "/81234567890123456789", &format!("/{drug}")]
        {
            assert_eq!(Code::asked(path, &path[1..]).unwrap().goods.as_str(), drug);
        }
        assert_eq!(
            bundle_path(&Code::bare(&drug.parse().unwrap())),
            "/v1/bundle/goods/drug/81234567890123456789"
        );
        for (path, reason) in [
            ("/01/09506000134353/21/S1", "check character"),
            ("/goods/drug/8123", "4 characters"),
            ("/goods/tea/8123", "unknown scheme"),
            ("/hello", "no GS1 data"),
        ] {
            let error = Code::asked(path, &path[1..]).unwrap_err();
            assert!(error.reason.contains(reason), "{path}: {error}");
        }
    }

    #[test]
    fn letters_are_changed_in_the_serial_alone() {
        let other = |path: &str| -> Vec<String> {
            let all = read(path, "").in_other_letters().into_iter();
            all.map(|goods| goods.as_str().trim_start_matches(CANONICAL).to_owned()).collect()
        };
        let with = |tail: &str| format!("{GTIN}{tail}");
        assert_eq!(other(&with("/10/L7/21/a%2Fb")), [with("/21/A%2FB")]);
        assert_eq!(other(&with("/21/aB")), [with("/21/AB"), with("/21/ab")]);
        assert_eq!(other(&with("/10/l7")), [with("/10/L7")]);
        assert!(other(&with("/21/123")).is_empty() && other(GTIN).is_empty());
        assert!(other("/00/006141411234567890").is_empty());
    }

    #[test]
    fn why_nothing_was_read_is_told_with_the_code_that_is_meant() {
        let meant = Some("https://id.gs1.org/01/09506000134352/21/S1".parse().unwrap());
        for (text, expected) in [
            ("", (Misread::Nothing, None)),
            (" \n", (Misread::Nothing, None)),
            ("hello", (Misread::Garbled, None)),
            ("(01)9506000134353", (Misread::Garbled, None)),
            ("(01)9506000134352(21)S1", (Misread::ShortGtin, meant.clone())),
            ("/01/9506000134352/21/S1", (Misread::ShortGtin, meant)),
        ] {
            assert_eq!(misread(text), expected, "{text}");
        }
        assert_eq!(misread(&"(01)9506000134352".repeat(200)).1, None, "bounded");
    }

    #[test]
    fn a_party_number_names_the_organisation_that_has_it_in_this_network() {
        let org = |text: &str| org_of(&text.parse().unwrap()).map(|org| org.to_string());
        let own = org("https://id.gs1.org/417/9506000134352");
        assert_eq!(own.as_deref(), Some("urn:hallmark:org:gln:9506000134352"));
        assert_eq!(org("https://id.gs1.org/414/9506000134352"), None);
        assert_eq!(org("https://id.gs1.org/01/09506000134352"), None);
    }

    #[test]
    fn keys_that_are_on_no_goods_are_called_what_they_name() {
        for (path, sort) in [
            ("/253/9506000134369", Sort::Document),
            ("/255/9506000134376", Sort::Coupon),
            ("/414/9506000134369", Sort::Place),
            ("/415/9506000134369", Sort::Place),
            ("/417/9506000134369", Sort::Place),
            ("/8017/950600013436900006", Sort::Relation),
            ("/8018/950600013436900006", Sort::Relation),
        ] {
            let goods: GoodsId = format!("https://id.gs1.org{path}").parse().unwrap();
            assert_eq!(sort_of(&goods), sort, "{path}");
            assert!(!sort.is_goods() && !sort.is_bought() && !sort.is_one(), "{path}");
        }
    }

    #[test]
    fn a_code_typed_by_hand_is_read_in_every_writing() {
        let expected = "https://id.gs1.org/01/09506000134352/21/S1";
        for text in [
            " https://example.org/x/01/09506000134352/21/S1 ",
            "(01)09506000134352(21)S1",
            "urn:epc:id:sgtin:9506000.013435.S1",
        ] {
            let code = Code::by_hand(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(code.goods.as_str(), expected, "{text}");
        }
        let drug = Code::by_hand("urn:hallmark:goods:drug:81234567890123456789").unwrap();
        assert_eq!(path_of(&drug.goods), "/goods/drug/81234567890123456789");
        assert_eq!(sort_of(&drug.goods), Sort::Other);
        let typed = Code::by_hand("（01）0950 6000 1343 52（10）L7（21）S1").expect("a code");
        assert_eq!((typed.goods.as_str(), typed.lot.as_deref()), (expected, Some("L7")));
        assert!(Code::by_hand("hello").is_none());
        assert!(Code::by_hand("").is_none());
    }
}
