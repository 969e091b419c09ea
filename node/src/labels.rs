//! Codes of goods: what is known of one, and the labels that carry them.
//!
//! Invariants: a range is attested before a code of it is printed, so that a code outside every
//! range was never issued; the secret of the serials never leaves this node; what is answered
//! rests on `label` attestations of the node's own organisation and names them.

use std::path::PathBuf;
use std::sync::OnceLock;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::id::OrgId;
use hallmark_schemas::kind::label::{Label, Scheme, State, gtin_of};
use hallmark_schemas::serial::LabelKey;
use serde::{Deserialize, Serialize};

use crate::core::LogHandle;
use crate::keys;
use crate::store::StoreError;

pub mod code128;
pub mod drawing;
pub mod item;
pub mod pdf;
pub mod png;
pub mod sheet;
pub mod svg;
pub mod symbol;
pub mod zpl;

/// What the own organisation says of one code.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Issued {
    /// Nothing: it attests no labels for these goods.
    Unlabelled,
    /// Labels are attested for these goods, and this code is on none of them.
    NeverIssued,
    /// Made; nothing of its order was ever activated, so perhaps this maker never says so.
    Made,
    /// Made, and not activated, though others of its order are.
    NotActivated,
    /// On goods.
    Activated,
    /// Spoiled or destroyed.
    Scrapped,
}

/// What is known of one code, and from where.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Standing {
    /// The answer.
    pub issued: Issued,
    /// The label order it was made in.
    pub order: Option<String>,
    /// The lot that its label names.
    pub lot: Option<String>,
    /// The `label` attestations that hold the code, sorted.
    pub grounds: Vec<ContentId>,
}

/// A `label` attestation of the own organisation that no correction replaces.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Logged {
    /// Its id.
    pub id: ContentId,
    /// What it says.
    pub label: Label,
}

/// Why nothing can be said of a code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabelsError {
    /// The index or the files failed.
    #[error("cannot look up label attestations")]
    Store(#[from] StoreError),
    /// Serials are derived under a key that is not here, or cannot be used.
    #[error("the label key cannot be used: {reason}")]
    Key {
        /// Why.
        reason: String,
    },
}

/// Answers for codes. The label key is read from its file once, when it is first needed.
pub struct Ledger {
    org: OrgId,
    keys: PathBuf,
    key: OnceLock<LabelKey>,
}

impl Ledger {
    /// Of an organisation whose key files lie in this folder.
    pub fn new(org: &OrgId, keys: &std::path::Path) -> Ledger {
        Ledger { org: org.clone(), keys: keys.to_owned(), key: OnceLock::new() }
    }

    /// What these ranges say of a code. All must be the own organisation's and of one GTIN, none
    /// replaced; every one that holds the code is among them, and one that was made, if there is.
    pub fn issued(&self, ranges: &[Logged], serial: &str) -> Result<Standing, LabelsError> {
        let is_derived = |logged: &Logged| logged.label.scheme == Scheme::Derived;
        let key = if ranges.iter().any(is_derived) { Some(self.key()?) } else { None };
        Ok(standing(ranges, key, serial))
    }

    /// The number that a derived serial must have if it is one of ours; reads the key file once.
    pub fn number(&self, serial: &str) -> Result<Option<u64>, LabelsError> {
        Ok(self.key()?.number(serial))
    }

    /// The label attestations of a class of goods, those replaced left out.
    pub fn ranges(&self, log: &LogHandle, class: &GoodsId) -> Result<Vec<Logged>, LabelsError> {
        let mut ranges = Vec::new();
        for (id, issuer, label) in log.labels(class)? {
            if issuer == self.org {
                ranges.push(Logged { id, label });
            }
        }
        Ok(in_force(ranges))
    }

    fn key(&self) -> Result<&LabelKey, LabelsError> {
        if let Some(key) = self.key.get() {
            return Ok(key);
        }
        let opened = keys::label(&self.keys)
            .map_err(|failure| LabelsError::Key { reason: failure.to_string() })?;
        let reason = || "keys/label.key is missing".to_owned();
        let opened = opened.ok_or_else(|| LabelsError::Key { reason: reason() })?;
        Ok(self.key.get_or_init(|| opened))
    }
}

impl Standing {
    fn without(issued: Issued) -> Standing {
        Standing { issued, order: None, lot: None, grounds: Vec::new() }
    }
}

/// Decides over all ranges of one GTIN. `key` is there where one of them is derived.
fn standing(ranges: &[Logged], key: Option<&LabelKey>, serial: &str) -> Standing {
    let number = key.and_then(|key| key.number(serial));
    let holds = |label: &Label| match (label.scheme, key, number) {
        (Scheme::Sequence, _, _) => label.sequence_number(serial).is_some(),
        // A number proves nothing before the tag is made again, for the order of the range.
        (Scheme::Derived, Some(key), Some(number)) => {
            label.holds(number) && key.is_serial(label.gtin(), &label.order, serial)
        }
        (Scheme::Derived, _, _) => false,
    };
    let made_any = ranges.iter().any(|logged| logged.label.state == State::Made);
    let holding: Vec<&Logged> = ranges.iter().filter(|logged| holds(&logged.label)).collect();
    let of = |state: State| holding.iter().find(|logged| logged.label.state == state);
    let Some(made) = of(State::Made) else {
        let issued = if made_any { Issued::NeverIssued } else { Issued::Unlabelled };
        return Standing::without(issued);
    };
    let activates_order = |logged: &Logged| {
        logged.label.state == State::Activated && logged.label.order == made.label.order
    };
    let issued = if of(State::Scrapped).is_some() {
        Issued::Scrapped
    } else if of(State::Activated).is_some() {
        Issued::Activated
    } else if ranges.iter().any(activates_order) {
        Issued::NotActivated
    } else {
        Issued::Made
    };
    let mut grounds: Vec<ContentId> = holding.iter().map(|logged| logged.id).collect();
    grounds.sort_unstable();
    let (order, lot) = (Some(made.label.order.clone()), made.label.lot.clone());
    Standing { issued, order, lot, grounds }
}

/// The ranges that no correction among them replaces.
pub fn in_force(mut ranges: Vec<Logged>) -> Vec<Logged> {
    let replaced: Vec<ContentId> =
        ranges.iter().filter_map(|logged| logged.label.replaces).collect();
    ranges.retain(|logged| !replaced.contains(&logged.id));
    ranges
}

/// Whether ranges that were made for an order hold every number from `first` to `last`.
pub fn are_made(ranges: &[Logged], wanted: &Label) -> bool {
    let mut made: Vec<&Label> = ranges.iter().map(|logged| &logged.label).collect();
    made.retain(|label| {
        label.state == State::Made
            && label.order == wanted.order
            && label.scheme == wanted.scheme
            && label.digits == wanted.digits
    });
    made.sort_by_key(|label| label.first);
    let mut next = wanted.first;
    for label in made.into_iter().filter(|label| wanted.first <= label.last) {
        if next < label.first {
            return false;
        }
        next = next.max(label.last + 1);
        if wanted.last < next {
            return true;
        }
    }
    false
}

/// The range that made all these codes before, for the same order and lot.
pub fn made_before<'a>(ranges: &'a [Logged], wanted: &Label) -> Option<&'a Logged> {
    ranges.iter().find(|logged| {
        let old = &logged.label;
        let is_within = old.first <= wanted.first && wanted.last <= old.last;
        let same = (&old.order, old.scheme, old.digits, &old.lot)
            == (&wanted.order, wanted.scheme, wanted.digits, &wanted.lot);
        old.state == State::Made && is_within && same
    })
}

/// What keeps `new` from being made: a range that was made and shares a code with it, or one that
/// was scrapped. The same statement again does not: its codes are printed once more.
pub fn met<'a>(ranges: &'a [Logged], new: &Label) -> Option<&'a Logged> {
    ranges.iter().find(|logged| {
        let old = &logged.label;
        let may_meet = match new.scheme {
            // Other orders have other tags.
            Scheme::Derived => old.order == new.order,
            Scheme::Sequence => true,
        };
        let counts = match old.state {
            State::Made => old != new,
            State::Activated => false,
            State::Scrapped => true,
        };
        counts && may_meet && share_a_code(old, new)
    })
}

/// The range that scrapped one of these codes of an order.
pub fn scrapped<'a>(ranges: &'a [Logged], wanted: &Label) -> Option<&'a Logged> {
    ranges.iter().find(|logged| {
        let old = &logged.label;
        let is_scrapped = old.state == State::Scrapped && old.order == wanted.order;
        is_scrapped && share_a_code(old, wanted)
    })
}

/// Whether two ranges hold one serial, as long as both derive it for one order.
fn share_a_code(one: &Label, other: &Label) -> bool {
    let first = one.first.max(other.first);
    let last = one.last.min(other.last);
    if one.scheme != other.scheme || last < first {
        return false;
    }
    // A number with zeros in front is another serial; one that fills its digits is not.
    let wide = match (one.digits.unwrap_or(1), other.digits.unwrap_or(1)) {
        (a, b) if a == b => return true,
        (a, b) => a.max(b),
    };
    10u64.checked_pow(u32::from(wide) - 1).is_some_and(|filled| filled <= last)
}

/// The 14 digits of a GTIN of 8, 12, 13 or 14 digits, its check digit right.
pub fn gtin14(text: &str) -> Result<(String, GoodsId), String> {
    let fault = hallmark_schemas::id::check::mod10(text, &[8, 12, 13, 14]);
    fault.map_err(|fault| format!("{} at character {}", fault.reason, fault.offset + 1))?;
    let gtin = format!("{text:0>14}");
    let class = GoodsId::parse(&format!("https://id.gs1.org/01/{gtin}"));
    let class = class.ok().filter(|class| gtin_of(class).is_some());
    class.map(|class| (gtin, class)).ok_or_else(|| "no GTIN that goods may have".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const GTIN: &str = "09521234000129";

    fn label(order: &str, scheme: Scheme, range: (u64, u64), state: State) -> Label {
        let (first, last) = range;
        Label {
            order: order.to_owned(),
            class: gtin14(GTIN).unwrap().1,
            lot: Some(format!("L-{order}")),
            scheme,
            first,
            last,
            count: last - first + 1,
            digits: (scheme == Scheme::Sequence).then_some(4),
            state,
            replaces: None,
            reason: None,
        }
    }

    fn logged(labels: Vec<Label>) -> Vec<Logged> {
        let ids = (1..).map(|byte| ContentId::from_bytes([byte; 32]));
        ids.zip(labels).map(|(id, label)| Logged { id, label }).collect()
    }

    fn key() -> LabelKey {
        LabelKey::from_secret(&[7; 32])
    }

    #[test]
    fn each_derived_code_gets_the_answer_of_its_range() {
        use Scheme::Derived;
        let ranges = logged(vec![
            label("A", Derived, (100, 199), State::Made),
            label("A", Derived, (100, 149), State::Activated),
            label("A", Derived, (110, 110), State::Scrapped),
            label("B", Derived, (0, 9), State::Made),
        ]);
        let answer = |order: &str, number| {
            let serial = key().serial(GTIN, order, number).unwrap();
            standing(&ranges, Some(&key()), &serial)
        };
        assert_eq!(answer("A", 100).issued, Issued::Activated);
        assert_eq!(answer("A", 110).issued, Issued::Scrapped, "scrapped outweighs activated");
        assert_eq!(answer("A", 150).issued, Issued::NotActivated);
        assert_eq!(answer("B", 3).issued, Issued::Made, "nothing of B was activated");
        assert_eq!(answer("B", 3).lot.as_deref(), Some("L-B"));
        assert_eq!(answer("A", 110).grounds.len(), 3);
        for (order, number) in [("A", 99), ("A", 200), ("B", 10), ("B", 100), ("C", 5)] {
            let found = answer(order, number);
            assert_eq!(found, Standing::without(Issued::NeverIssued), "{order} {number}");
        }
        let foreign = LabelKey::from_secret(&[8; 32]).serial(GTIN, "A", 100).unwrap();
        for serial in [foreign.as_str(), "100", "", "ABCDEFGHJKMNPQRSTVWX"] {
            let found = standing(&ranges, Some(&key()), serial);
            assert_eq!(found.issued, Issued::NeverIssued, "{serial}");
        }
    }

    #[test]
    fn a_sequence_knows_its_numbers_in_its_own_writing_only() {
        let ranges = logged(vec![label("A", Scheme::Sequence, (1, 20), State::Made)]);
        assert_eq!(standing(&ranges, None, "0007").issued, Issued::Made);
        for serial in ["7", "00007", "0021", "0000", "+007", "", "7A"] {
            let found = standing(&ranges, None, serial);
            assert_eq!(found.issued, Issued::NeverIssued, "{serial}");
        }
    }

    #[test]
    fn goods_without_labels_are_no_reason_for_suspicion() {
        assert_eq!(standing(&[], None, "7").issued, Issued::Unlabelled);
        let scrapped = logged(vec![label("A", Scheme::Sequence, (1, 2), State::Scrapped)]);
        assert_eq!(standing(&scrapped, None, "0001").issued, Issued::Unlabelled);
    }

    #[test]
    fn a_range_is_made_only_where_nothing_is_missing_between() {
        use Scheme::Derived;
        let made = |range| label("A", Derived, range, State::Made);
        let ranges = logged(vec![made((10, 19)), made((0, 9)), made((30, 39))]);
        let wanted = |range| label("A", Derived, range, State::Scrapped);
        for (range, is_made) in [((0, 19), true), ((5, 5), true), ((35, 39), true)]
            .into_iter()
            .chain([((15, 31), false), ((0, 39), false), ((40, 40), false), ((20, 29), false)])
        {
            assert_eq!(are_made(&ranges, &wanted(range)), is_made, "{range:?}");
        }
        assert!(!are_made(&ranges, &label("B", Derived, (0, 5), State::Scrapped)));
    }

    #[test]
    fn ranges_that_share_a_code_meet_and_the_same_range_again_does_not() {
        let old = |scheme| logged(vec![label("A", scheme, (10, 19), State::Made)]);
        let new = |order, scheme, range| label(order, scheme, range, State::Made);
        let (derived, sequence) = (Scheme::Derived, Scheme::Sequence);
        assert!(met(&old(derived), &new("A", derived, (19, 30))).is_some());
        assert!(met(&old(derived), &new("A", derived, (20, 30))).is_none());
        assert!(met(&old(derived), &new("B", derived, (10, 19))).is_none(), "other serials");
        assert!(met(&old(sequence), &new("B", sequence, (10, 19))).is_some(), "the same serials");
        assert!(met(&old(sequence), &new("A", sequence, (10, 19))).is_none(), "printed again");
        let plain = |range| Label { digits: None, ..new("B", sequence, range) };
        assert!(met(&old(sequence), &plain((1, 999))).is_none(), "10 is not 0010");
        let long = logged(vec![label("A", sequence, (990, 1000), State::Made)]);
        assert!(met(&long, &plain((999, 1000))).is_some(), "1000 is written in one way");
        assert!(met(&long, &plain((1001, 2000))).is_none());
        let wide = Label { digits: Some(20), ..new("B", sequence, (0, 1000)) };
        assert!(met(&long, &wide).is_none(), "no number has 20 digits");
        let gone = logged(vec![label("A", sequence, (12, 14), State::Scrapped)]);
        let activated = |order, range| label(order, sequence, range, State::Activated);
        assert!(scrapped(&gone, &activated("A", (10, 12))).is_some());
        assert!(scrapped(&gone, &activated("A", (15, 19))).is_none());
        assert!(scrapped(&gone, &activated("B", (12, 12))).is_none(), "another order");
        let scrapped = logged(vec![label("A", derived, (12, 12), State::Scrapped)]);
        assert!(met(&scrapped, &new("A", derived, (10, 19))).is_some(), "never printed again");
    }

    #[test]
    fn codes_of_one_range_are_known_as_made_before_under_its_order_and_lot_only() {
        let made = logged(vec![label("A", Scheme::Derived, (10, 19), State::Made)]);
        let of = |order, range| label(order, Scheme::Derived, range, State::Made);
        for range in [(10, 19), (10, 10), (14, 15), (19, 19)] {
            assert!(made_before(&made, &of("A", range)).is_some(), "{range:?}");
        }
        assert!(made_before(&made, &of("A", (9, 10))).is_none());
        assert!(made_before(&made, &of("B", (14, 15))).is_none());
        let without_lot = Label { lot: None, ..of("A", (14, 15)) };
        assert!(made_before(&made, &without_lot).is_none());
        let gone = logged(vec![label("A", Scheme::Derived, (10, 19), State::Scrapped)]);
        assert!(made_before(&gone, &of("A", (14, 15))).is_none());
    }

    #[test]
    fn gtins_of_any_length_become_fourteen_digits_and_wrong_ones_are_named() {
        assert_eq!(gtin14("9521234000129").unwrap().0, GTIN);
        assert_eq!(gtin14("40170725").unwrap().0, "00000040170725");
        assert!(gtin14("9521234000128").unwrap_err().contains("character 13"));
        assert!(gtin14("95212340001x9").unwrap_err().contains("digit"));
        assert!(gtin14("123").is_err());
    }
}
