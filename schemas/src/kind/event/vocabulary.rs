//! Core business vocabulary and identifiers, folded to one form for the tables.

use crate::goods::GoodsId;

/// The URN part and the web part of each word list of the CBV.
const LISTS: [(&str, &str); 6] = [
    ("bizstep", "BizStep"),
    ("disp", "Disp"),
    ("btt", "BTT"),
    ("sdt", "SDT"),
    ("er", "ER"),
    ("comp", "Comp"),
];

/// Web addresses that the CBV has had.
const WEB: [&str; 4] = [
    "https://ref.gs1.org/cbv/",
    "http://ref.gs1.org/cbv/",
    "https://ns.gs1.org/cbv/",
    "cbv:",
];

/// The bare word of a CBV term in any of its forms; anything else stays as it is.
pub fn word(term: &str) -> &str {
    if let Some(rest) = term.strip_prefix("urn:epcglobal:cbv:") {
        return match rest.split_once(':') {
            Some((list, word)) if LISTS.iter().any(|(urn, _)| *urn == list) => word,
            _ => term,
        };
    }
    for prefix in WEB {
        if let Some(rest) = term.strip_prefix(prefix) {
            return match rest.split_once('-') {
                Some((list, word)) if LISTS.iter().any(|(_, web)| *web == list) => word,
                _ => term,
            };
        }
    }
    term
}

/// The bare name of a measurement type or other term of the GS1 web vocabulary.
pub fn measurement(term: &str) -> &str {
    let rest = ["https://gs1.org/voc/", "gs1:"]
        .iter()
        .find_map(|prefix| term.strip_prefix(prefix));
    rest.unwrap_or(term)
}

/// The canonical text of goods, or the text itself where it is in no known scheme.
pub fn item(text: &str) -> String {
    GoodsId::parse(text).map_or_else(|_| text.to_owned(), |goods| goods.as_str().to_owned())
}

/// The canonical text of a place: a GLN in any form becomes its Digital Link.
pub fn place(text: &str) -> String {
    item(text)
}

/// The lot in the canonical text of a class or item, AI 10.
pub fn lot(item: &str) -> Option<String> {
    let path = item.strip_prefix("https://id.gs1.org/01/")?;
    let lot = path.split_once("/10/")?.1;
    Some(lot.split(['/', '?']).next().unwrap_or(lot).to_owned())
}

/// The position in a `geo:` URI (RFC 5870), in 10⁻⁷ degrees.
pub fn geo(text: &str) -> Option<(i64, i64)> {
    let coordinates = text.strip_prefix("geo:")?.split([';', '?']).next()?;
    let mut parts = coordinates.split(',');
    let lat = degrees_e7(parts.next()?)?;
    let lon = degrees_e7(parts.next()?)?;
    let on_globe = lat.abs() <= crate::kind::facility::LATITUDE_E7_MAX
        && lon.abs() <= crate::kind::facility::LONGITUDE_E7_MAX;
    on_globe.then_some((lat, lon))
}

/// Degrees as a plain decimal, cut off after seven places.
fn degrees_e7(text: &str) -> Option<i64> {
    let (negative, rest) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
    let digits = !whole.is_empty() && whole.len() <= 3;
    if !digits || !(whole.bytes().chain(fraction.bytes())).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction = format!("{:0<7}", &fraction[..fraction.len().min(7)]);
    let value: i64 = format!("{whole}{fraction}").parse().ok()?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_term_is_one_word() {
        for form in [
            "receiving",
            "urn:epcglobal:cbv:bizstep:receiving",
            "https://ref.gs1.org/cbv/BizStep-receiving",
            "https://ns.gs1.org/cbv/BizStep-receiving",
            "cbv:BizStep-receiving",
        ] {
            assert_eq!(word(form), "receiving");
        }
        assert_eq!(
            word("https://example.com/step-a"),
            "https://example.com/step-a"
        );
        assert_eq!(measurement("gs1:Temperature"), "Temperature");
    }

    #[test]
    fn a_geo_uri_is_a_position() {
        assert_eq!(
            geo("geo:31.2304,121.4737"),
            Some((312_304_000, 1_214_737_000))
        );
        assert_eq!(geo("geo:-0.00000019,5;crs=wgs84"), Some((-1, 50_000_000)));
        for bad in ["geo:91,0", "geo:1", "geo:x,1", "31,121", "geo:1e1,2"] {
            assert_eq!(geo(bad), None, "{bad}");
        }
    }
}
