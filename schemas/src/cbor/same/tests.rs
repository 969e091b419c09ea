use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_bytes::ByteBuf;

use super::*;
use crate::cbor::{scan, to_vec};

/// One of everything that a body is made of.
#[derive(Clone, Debug, Serialize)]
struct Value {
    number: u64,
    signed: i64,
    small: i8,
    #[serde(skip_serializing_if = "Option::is_none")]
    optional: Option<u32>,
    nullable: Option<bool>,
    text: String,
    bytes: ByteBuf,
    choice: Choice,
    pair: (u8, String),
    list: Vec<Inner>,
    map: BTreeMap<String, i32>,
    letter: char,
    shown: Shown,
}

#[derive(Clone, Debug, Serialize)]
struct Inner {
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    flag: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    Nothing,
    One(u16),
    Both(u8, bool),
    Named { a: i16, long_name: Inner },
}

/// Serialised as the text that it displays.
#[derive(Clone, Debug)]
struct Shown(u32);

impl Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "id:{:04x}", self.0)
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

prop_compose! {
    fn inner()(at in 0..70_000u64, flag in prop::option::of("[a-b]{0,2}")) -> Inner {
        Inner { at, flag }
    }
}

fn choice() -> impl Strategy<Value = Choice> {
    prop_oneof![
        Just(Choice::Nothing),
        any::<u16>().prop_map(Choice::One),
        any::<(u8, bool)>().prop_map(|(a, b)| Choice::Both(a, b)),
        (any::<i16>(), inner()).prop_map(|(a, long_name)| Choice::Named { a, long_name }),
    ]
}

prop_compose! {
    fn value()(
        (number, signed, small) in any::<(u64, i64, i8)>(),
        (optional, nullable) in any::<(Option<u32>, Option<bool>)>(),
        (text, bytes) in (".{0,30}", prop::collection::vec(any::<u8>(), 0..30)),
        choice in choice(),
        pair in (any::<u8>(), "[a-z]{0,3}"),
        list in prop::collection::vec(inner(), 0..4),
        map in prop::collection::btree_map("[a-c]{0,3}", any::<i32>(), 0..6),
        letter in any::<char>(),
        shown in any::<u32>(),
    ) -> Value {
        let (bytes, shown) = (ByteBuf::from(bytes), Shown(shown));
        Value {
            number, signed, small, optional, nullable, text, bytes, choice, pair, list, map,
            letter, shown,
        }
    }
}

proptest! {
    #[test]
    fn a_value_encodes_to_its_own_bytes(value in value()) {
        let bytes = to_vec(&value).unwrap();
        prop_assert!(encodes_to(&value, &bytes));
        prop_assert!(!encodes_to(&value, &bytes[..bytes.len() - 1]));
        prop_assert!(!encodes_to(&value, &[bytes.as_slice(), &[0]].concat()));
    }

    #[test]
    fn the_answer_is_that_of_the_encoder_for_bytes_of_another_value(
        value in value(),
        other in value(),
        keeps in any::<[bool; 6]>(),
    ) {
        // Mostly the same, so that it differs in one place deep inside.
        let mut near = value.clone();
        if !keeps[0] { near.list = other.list; }
        if !keeps[1] { near.choice = other.choice; }
        if !keeps[2] { near.map = other.map; }
        if !keeps[3] { near.optional = other.optional; }
        if !keeps[4] { near.text = other.text; }
        if !keeps[5] { near.shown = other.shown; }
        let bytes = to_vec(&near).unwrap();
        prop_assert_eq!(encodes_to(&value, &bytes), to_vec(&value).unwrap() == bytes);
    }

    #[test]
    fn the_answer_is_that_of_the_encoder_for_changed_bytes(
        value in value(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
        inserts in any::<bool>(),
    ) {
        let own = to_vec(&value).unwrap();
        let mut bytes = own.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            if inserts { bytes.insert(at, byte) } else { bytes[at] = byte }
        }
        if scan(&bytes).is_ok() {
            prop_assert_eq!(encodes_to(&value, &bytes), own == bytes);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        value in value(),
        bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        prop_assert!(!encodes_to(&value, &bytes));
    }
}

#[test]
fn a_wide_map_is_left_to_the_encoder() {
    let text = |key: u32| format!("key {key:02}");
    let map = |count: u32| (0..count).map(|key| (text(key), key)).collect::<BTreeMap<_, _>>();
    for (count, is_told) in [(0, true), (64, true), (65, false)] {
        let map = map(count);
        assert_eq!(encodes_to(&map, &to_vec(&map).unwrap()), is_told, "{count}");
    }
    // More entries than the value has, and fewer.
    assert!(!encodes_to(&map(3), &to_vec(&map(4)).unwrap()));
    assert!(!encodes_to(&map(4), &to_vec(&map(3)).unwrap()));
}

#[test]
fn what_the_encoder_refuses_is_never_the_same() {
    // {1: 2}, whose key is no text.
    assert!(!encodes_to(&BTreeMap::from([(1, 2)]), &[0xa1, 0x01, 0x02]));
    assert!(to_vec(&BTreeMap::from([(1, 2)])).is_err());
    assert!(!encodes_to(&1.5, &[0xf9, 0x3e, 0x00]));
}
