//! Core business vocabulary and identifiers, folded to one form for the tables.

use crate::goods::GoodsId;

/// One word list of the CBV.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WordList {
    urn: &'static str,
    web: &'static str,
    words: &'static str,
}

/// Business steps.
pub const BIZ_STEP: WordList = WordList {
    urn: "bizstep",
    web: "BizStep",
    words: "accepting arriving assembling collecting commissioning consigning \
        creating_class_instance cycle_counting decommissioning departing destroying \
        disassembling dispensing encoding entering_exiting holding inspecting installing killing \
        loading other packing picking receiving removing repackaging repairing replacing \
        reserving retail_selling sampling sensor_reporting shipping staging_outbound stock_taking \
        stocking storing transporting unloading unpacking void_shipping",
};
/// Dispositions.
pub const DISPOSITION: WordList = WordList {
    urn: "disp",
    web: "Disp",
    words: "active available completeness_inferred completeness_verified conformant \
        container_closed container_open damaged destroyed dispensed disposed encoded expired \
        in_progress in_transit inactive mismatch_class mismatch_instance mismatch_quantity \
        needs_replacement no_pedigree_match non_conformant non_sellable_other partially_dispensed \
        recalled reserved retail_sold returned sellable_accessible sellable_not_accessible stolen \
        unavailable unknown",
};
/// Types of business transaction.
pub const TRANSACTION: WordList = WordList {
    urn: "btt",
    web: "BTT",
    words: "bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt",
};
/// Types of source and destination.
pub const PARTY: WordList =
    WordList { urn: "sdt", web: "SDT", words: "location owning_party possessing_party" };
/// Reasons of an error declaration.
pub const ERROR_REASON: WordList =
    WordList { urn: "er", web: "ER", words: "did_not_occur incorrect_data" };

/// Components of a vector or position.
pub const COMPONENT: WordList = WordList {
    urn: "comp",
    web: "Comp",
    words: "altitude axial_distance azimuth easting elevation_angle height latitude longitude \
        northing polar_angle spherical_radius x y z",
};

/// Web addresses that the CBV has had.
const WEB: [&str; 4] =
    ["https://ref.gs1.org/cbv/", "http://ref.gs1.org/cbv/", "https://ns.gs1.org/cbv/", "cbv:"];

impl WordList {
    /// The bare word of a term of this list in any of its forms, or a URI outside the CBV as it
    /// stands. `None` for a bare word, or a CBV URI, that is not in the list.
    pub fn fold<'a>(&self, term: &'a str) -> Option<&'a str> {
        let known = |word: &&str| self.words.split(' ').any(|one| one == *word);
        if let Some(rest) = term.strip_prefix("urn:epcglobal:cbv:") {
            let word = rest.strip_prefix(self.urn)?.strip_prefix(':')?;
            return Some(word).filter(known);
        }
        for prefix in WEB {
            if let Some((list, word)) =
                term.strip_prefix(prefix).and_then(|rest| rest.split_once('-'))
            {
                return Some(word).filter(|word| list == self.web && known(word));
            }
        }
        if term.contains(':') { Some(term) } else { Some(term).filter(known) }
    }

    /// The web form of a folded term, as the CBV event hash writes it.
    pub fn web(&self, folded: &str) -> String {
        if folded.contains(':') {
            return folded.to_owned();
        }
        format!("{}{}-{folded}", WEB[0], self.web)
    }
}

/// The bare name of a measurement type or other term of the GS1 web vocabulary.
pub fn measurement(term: &str) -> &str {
    let rest = ["https://gs1.org/voc/", "gs1:"].iter().find_map(|prefix| term.strip_prefix(prefix));
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
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
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
            assert_eq!(BIZ_STEP.fold(form), Some("receiving"));
        }
        let own = "https://example.com/step-a";
        assert_eq!(BIZ_STEP.fold(own), Some(own));
        for bad in ["reception", "urn:epcglobal:cbv:bizstep:x", "cbv:Disp-active"] {
            assert_eq!(BIZ_STEP.fold(bad), None, "{bad}");
        }
        assert_eq!(BIZ_STEP.web("receiving"), "https://ref.gs1.org/cbv/BizStep-receiving");
        assert_eq!(measurement("gs1:Temperature"), "Temperature");
    }

    #[test]
    fn a_geo_uri_is_a_position() {
        assert_eq!(geo("geo:31.2304,121.4737"), Some((312_304_000, 1_214_737_000)));
        assert_eq!(geo("geo:-0.00000019,5;crs=wgs84"), Some((-1, 50_000_000)));
        for bad in ["geo:91,0", "geo:1", "geo:x,1", "31,121", "geo:1e1,2"] {
            assert_eq!(geo(bad), None, "{bad}");
        }
    }
}
