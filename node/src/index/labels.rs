//! Label orders found by what they hold: a serial's number, a lot, what they replace.
//!
//! A range of numbers is kept as the few blocks of 2^n aligned numbers that make it up, each a key
//! of its own; whoever looks for a number asks for the block around it at each size. So a lookup
//! takes as many steps as a number has bits, however many orders a class of goods has. Same prefix
//! and form as in [`super::beside`].

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::goods::GoodsId;
use hallmark_schemas::kind::label::{Label, Scheme, State};

use super::goods::{About, GoodsKey, GoodsPlace};
use super::{Catalogue, IndexError};

/// Largest power of two that a block holds: no number has more bits.
const LEVEL_MAX: u32 = 60;
const _: () = assert!(Scheme::Sequence.number_max() < 1 << LEVEL_MAX);
const _: () = assert!(Scheme::Derived.number_max() < 1 << LEVEL_MAX);

/// Which label orders of a class are asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum By<'a> {
    /// All of a scheme.
    Scheme(Scheme),
    /// Those that hold a number.
    Number(Scheme, u64),
    /// Those that name a lot.
    Lot(&'a str),
    /// Those that say that labels are on goods.
    Activated,
    /// Those of them that are of one order.
    Activation(&'a str),
}

/// What a label order is found by.
pub(super) fn keys(label: &Label) -> Vec<GoodsKey> {
    let Label { class, scheme, .. } = label;
    let blocks = blocks(label.first, label.last).into_iter();
    let mut texts: Vec<String> =
        blocks.map(|(level, block)| block_text(class, *scheme, level, block)).collect();
    texts.push(scheme_text(class, *scheme));
    texts.extend(label.lot.as_ref().map(|lot| lot_text(class, lot)));
    texts.extend(label.replaces.as_ref().map(replaces_text));
    if label.state == State::Activated {
        texts.extend([activated_text(class), activation_text(class, &label.order)]);
    }
    texts.iter().map(|text| GoodsKey::of_text(text)).collect()
}

fn scheme_text(class: &GoodsId, scheme: Scheme) -> String {
    format!("label {class} {}", scheme.as_str())
}

fn block_text(class: &GoodsId, scheme: Scheme, level: u32, block: u64) -> String {
    format!("label {class} {} {level} {block}", scheme.as_str())
}

fn lot_text(class: &GoodsId, lot: &str) -> String {
    format!("label {class} lot {lot}")
}

fn activated_text(class: &GoodsId) -> String {
    format!("label {class} activated")
}

fn activation_text(class: &GoodsId, order: &str) -> String {
    format!("label {class} activated order {order}")
}

fn replaces_text(id: &ContentId) -> String {
    format!("label replaces {id}")
}

/// The aligned blocks that make up a range: power of two, and which of that size.
fn blocks(first: u64, last: u64) -> Vec<(u32, u64)> {
    let (mut found, mut next) = (Vec::new(), first);
    while next <= last {
        let fits = |level: &u32| (1u64 << level) - 1 <= last - next;
        let aligned = next.trailing_zeros().min(LEVEL_MAX);
        let level = (0..=aligned).rev().find(fits).unwrap_or(0);
        found.push((level, next >> level));
        next += 1 << level;
    }
    found
}

impl Catalogue {
    /// Label orders of a class of goods, of each block in the order of admission.
    pub fn label_orders(
        &self,
        class: &GoodsId,
        by: By<'_>,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, IndexError> {
        let at = |text: String| self.places(GoodsKey::of_text(&text), About::Beside, None, limit);
        match by {
            By::Scheme(scheme) => at(scheme_text(class, scheme)),
            By::Lot(lot) => at(lot_text(class, lot)),
            By::Activated => at(activated_text(class)),
            By::Activation(order) => at(activation_text(class, order)),
            By::Number(scheme, number) => {
                let mut found = Vec::new();
                for level in 0..=LEVEL_MAX {
                    let text = block_text(class, scheme, level, number >> level);
                    found.extend(at(text)?);
                }
                found.truncate(limit);
                Ok(found)
            }
        }
    }

    /// Corrections of a label order, in the order of admission.
    pub fn label_corrections(
        &self,
        id: &ContentId,
        limit: usize,
    ) -> Result<Vec<GoodsPlace>, IndexError> {
        self.places(GoodsKey::of_text(&replaces_text(id)), About::Beside, None, limit)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hallmark_schemas::kind::KindName;
    use proptest::prelude::*;

    use super::*;
    use crate::core::testing::NOW;
    use crate::index::{Batch, LogKey, memory};

    fn class() -> GoodsId {
        "https://id.gs1.org/01/09520123456788".parse().unwrap()
    }

    fn label(scheme: Scheme, first: u64, last: u64) -> Label {
        Label {
            order: "O-1".to_owned(),
            class: class(),
            lot: Some("L7".to_owned()),
            scheme,
            first,
            last,
            count: last - first + 1,
            digits: None,
            state: State::Made,
            replaces: None,
            reason: None,
        }
    }

    proptest! {
        #[test]
        fn the_blocks_of_a_range_are_the_range(first in 0u64..5000, count in 1u64..5000) {
            let last = first + count - 1;
            let blocks = blocks(first, last);
            let numbers = blocks.iter().flat_map(|(level, block)| {
                (block << level)..((block + 1) << level)
            });
            prop_assert!(numbers.eq(first..=last), "{blocks:?}");
            prop_assert!(blocks.len() <= 2 * 13);
        }
    }

    #[test]
    fn the_widest_range_takes_few_blocks() {
        for scheme in [Scheme::Derived, Scheme::Sequence] {
            let most = scheme.number_max();
            assert!(blocks(0, most).len() <= 60, "{scheme:?}");
            assert!(blocks(1, most - 1).len() <= 120, "{scheme:?}");
            assert_eq!(
                blocks(most, most),
                [(most.trailing_zeros(), most >> most.trailing_zeros())]
            );
        }
    }

    #[test]
    fn of_many_orders_only_those_that_hold_a_number_are_found() {
        let catalogue = Catalogue::new(Arc::new(memory::MemoryIndex::default()));
        let (log, kind) = (LogKey::of("net/a/1"), KindName::Label);
        let id = |number: u64| {
            let mut bytes = [0; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            ContentId::from_bytes(bytes)
        };
        let put = |number: u64, label: &Label| {
            let mut changes = Batch::default();
            let place = GoodsPlace { at: NOW, log, entry: number, id: id(number), kind };
            for key in keys(label) {
                changes.put_beside(key, &place);
            }
            catalogue.write(changes).unwrap();
        };
        for number in 0..500 {
            put(number, &label(Scheme::Sequence, number * 100, number * 100 + 99));
        }
        put(500, &label(Scheme::Derived, 4_250, 4_250));
        put(501, &Label { replaces: Some(id(42)), ..label(Scheme::Sequence, 4_240, 4_260) });
        let found = |by| -> Vec<u64> {
            let places = catalogue.label_orders(&class(), by, 1000).unwrap();
            let mut entries: Vec<u64> = places.iter().map(|place| place.entry).collect();
            entries.sort_unstable();
            entries
        };
        assert_eq!(found(By::Number(Scheme::Sequence, 4_250)), [42, 501]);
        assert_eq!(found(By::Number(Scheme::Sequence, 4_299)), [42]);
        assert_eq!(found(By::Number(Scheme::Derived, 4_250)), [500]);
        assert!(found(By::Number(Scheme::Sequence, 50_000)).is_empty());
        assert_eq!(found(By::Scheme(Scheme::Derived)), [500]);
        assert_eq!(found(By::Lot("L7")).len(), 502);
        assert!(found(By::Lot("L8")).is_empty());
        for (number, order) in [(502, "A"), (503, "B")] {
            let label = Label {
                order: order.to_owned(),
                state: State::Activated,
                ..label(Scheme::Sequence, 0, 9)
            };
            put(number, &label);
        }
        assert_eq!(found(By::Activated), [502, 503]);
        assert_eq!(found(By::Activation("B")), [503]);
        assert!(found(By::Activation("C")).is_empty());
        let corrections = catalogue.label_corrections(&id(42), 9).unwrap();
        assert_eq!(corrections.iter().map(|place| place.entry).collect::<Vec<_>>(), [501]);
    }
}
