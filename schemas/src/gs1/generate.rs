//! Digital Link URIs made from elements, on any host.
//!
//! Invariants: the first key among the elements leads the path, its qualifiers follow in the
//! table's order, everything else stands in the query once; what is written is read back as the
//! same elements by [`DigitalLink::parse`](super::digital_link::DigitalLink::parse).

use crate::gs1::Reading;
use crate::gs1::ai::{Ai, predefined_length};
use crate::gs1::association::{self, AssociationError};
use crate::gs1::digital_link::{CANONICAL, check_stem, escape};
use crate::gs1::element::Element;
use crate::id::check::Fault;

/// Why elements make no Digital Link.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GenerateError {
    /// The stem is no address that a path can follow.
    #[error("the stem is no address: {} at byte {}", .0.reason, .0.offset)]
    Stem(Fault),
    /// No key of Digital Links among the elements.
    #[error("no key of a Digital Link is among the elements")]
    NoKey,
    /// Elements that contradict one another, or lack company.
    #[error(transparent)]
    Association(#[from] AssociationError),
    /// An element that may stand neither in this path nor in the query.
    #[error("({code}) may stand neither in the path after ({key}) nor in the query")]
    NoPlace {
        /// Its identifier.
        code: String,
        /// The key of the path.
        key: String,
    },
}

/// Writes the elements as a Digital Link under `stem`, an address such as `https://example.com` or
/// `https://example.com/goods`; `None` stands for `https://id.gs1.org`.
///
/// Elements that stand there twice are written once. Unknown identifiers go to the query where the
/// reading lets them pass.
pub fn generate(
    elements: &[Element],
    stem: Option<&str>,
    reading: &Reading,
) -> Result<String, GenerateError> {
    let stem = stem.unwrap_or(CANONICAL).trim_end_matches('/');
    check_stem(stem).map_err(GenerateError::Stem)?;
    association::check(elements)?;
    let qualifiers = |element: &&Element| Ai::find(&element.code)?.qualifiers.as_ref();
    let key = elements.iter().find(|element| qualifiers(element).is_some());
    let (key, orders) =
        key.and_then(|key| Some((key, qualifiers(&key)?))).ok_or(GenerateError::NoKey)?;
    let value = |code: &str| elements.iter().find(|element| element.code == code);
    let present = |order: &&Vec<&str>| order.iter().filter(|code| value(code).is_some()).count();
    // Of equal orders the first counts.
    let order = orders.iter().rev().max_by_key(present).map_or(&[][..], Vec::as_slice);
    let mut uri = stem.to_owned();
    for element in [key].into_iter().chain(order.iter().filter_map(|code| value(code))) {
        uri.push('/');
        uri.push_str(&element.code);
        uri.push('/');
        uri.push_str(&escape(&element.value, false));
    }
    let in_path = |code: &str| code == key.code || order.contains(&code);
    let is_qualifier = |code: &str| orders.iter().flatten().any(|known| *known == code);
    let rest = elements.iter().enumerate().filter(|(at, element)| {
        let is_first = elements[..*at].iter().all(|earlier| earlier.code != element.code);
        is_first && !in_path(&element.code)
    });
    let (fixed, open): (Vec<_>, Vec<_>) =
        rest.map(|(_, element)| element).partition(|rest| predefined_length(&rest.code).is_some());
    for (index, element) in fixed.into_iter().chain(open).enumerate() {
        let code = &element.code;
        let may = Ai::find(code).map_or(reading.unknown_ais, |ai| ai.is_attribute);
        if !may || is_qualifier(code) {
            return Err(GenerateError::NoPlace { code: code.clone(), key: key.code.clone() });
        }
        uri.push(if index == 0 { '?' } else { '&' });
        uri.push_str(code);
        uri.push('=');
        uri.push_str(&escape(&element.value, true));
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gs1::digital_link::DigitalLink;
    use crate::gs1::element::parse_bracketed;
    use proptest::prelude::*;

    fn link(bracketed: &str, stem: Option<&str>) -> Result<String, GenerateError> {
        let elements = parse_bracketed(bracketed, &Reading::STRICT).unwrap();
        generate(&elements, stem, &Reading::STRICT)
    }

    #[test]
    fn a_stem_with_a_path_is_kept_and_one_that_is_no_address_refused() {
        let item = "(01)09506000134352(21)A/1";
        let found = link(item, Some("https://example.com/01/goods/")).unwrap();
        assert_eq!(found, "https://example.com/01/goods/01/09506000134352/21/A%2F1");
        for stem in ["example.com", "", "https://", "https://a/?x=1", "https://a/#f", "https://a b"]
        {
            assert!(matches!(link(item, Some(stem)), Err(GenerateError::Stem(_))), "{stem}");
        }
    }

    #[test]
    fn elements_without_key_company_or_place_are_refused() {
        assert_eq!(link("(99)A", None), Err(GenerateError::NoKey));
        assert!(matches!(
            link("(00)006141411234567890(21)A", None),
            Err(GenerateError::Association(_))
        ));
        let no_place = link("(01)09506000134352(235)A(10)B", None);
        assert!(
            matches!(no_place, Err(GenerateError::NoPlace { code, .. }) if code == "235" || code == "10")
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            serial in "[!%-?A-Z_a-z]{1,20}", lot in "[0-9A-Z/]{1,20}", own in "[!%-?A-Z_a-z]{1,30}",
            stem in "https://[a-z]{1,8}(/[a-z0-9]{1,4}){0,3}",
        ) {
            let elements = [("99", own.as_str()), ("21", &serial), ("01", "09506000134352"), ("10", &lot)]
                .map(|(code, value)| Element::new(code, value, &Reading::STRICT).unwrap());
            let uri = generate(&elements, Some(&stem), &Reading::STRICT).unwrap();
            let mut found = DigitalLink::parse(&uri, &Reading::STRICT).unwrap().elements;
            found.sort_by(|a, b| b.code.cmp(&a.code));
            let mut elements = elements.to_vec();
            elements.sort_by(|a, b| b.code.cmp(&a.code));
            prop_assert_eq!(found, elements);
        }
    }
}
