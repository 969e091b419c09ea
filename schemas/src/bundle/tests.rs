//! Pieces come back from any chunks; whatever is no bundle is refused with its byte.

use super::*;
use proptest::prelude::*;

fn entry(number: u8) -> Entry {
    let id = ContentId::from_bytes([number; 32]);
    Entry { audience: number % 3, admitted_at: Timestamp::from_unix_ms(number.into()), id }
}

fn bundle() -> Vec<u8> {
    let header = Header { as_of: Timestamp::from_unix_ms(1_700_000_000_000), network: vec![1, 2] };
    let items = [
        Item::Checkpoint(b"note".to_vec()),
        Item::Entries { origin: "demo/x/1".into(), first: 3, entries: (3..9).map(entry).collect() },
        Item::Identity(b"identity".to_vec()),
        Item::Body(b"body".to_vec()),
        Item::Body(b"body 2".to_vec()),
        Item::Receipt { id: ContentId::from_bytes([9; 32]), receipt: b"receipt".to_vec() },
        Item::Proof { id: ContentId::from_bytes([8; 32]), proof: b"proof".to_vec() },
        Item::Damaged { id: ContentId::from_bytes([7; 32]), held: ContentId::from_bytes([6; 32]) },
        Item::Defect(b"defect".to_vec()),
        Item::End { items: 9 },
    ];
    let mut bytes = header.encode();
    items.iter().for_each(|item| bytes.extend(item.encode()));
    bytes
}

fn read(mut bytes: &[u8], step: usize) -> Result<Vec<Piece>, BundleError> {
    let (mut reader, mut held, mut pieces) = (Reader::default(), Vec::new(), Vec::new());
    loop {
        match reader.next(&held)? {
            Some((piece, length)) => {
                pieces.push(piece);
                held.drain(..length);
            }
            None if bytes.is_empty() => break,
            None => {
                let (now, later) = bytes.split_at(step.min(bytes.len()));
                held.extend(now);
                bytes = later;
            }
        }
    }
    reader.finish(held.len())?;
    Ok(pieces)
}

#[test]
fn pieces_come_back_whatever_the_chunks() {
    let whole = read(&bundle(), usize::MAX).unwrap();
    assert_eq!(whole.len(), 11);
    assert!(
        matches!(&whole[2], Piece::Item(Item::Entries { first: 3, entries, .. }) if entries.len() == 6)
    );
    for step in 1..20 {
        assert_eq!(read(&bundle(), step).as_ref(), Ok(&whole));
    }
}

#[test]
fn a_cut_an_odd_order_and_another_file_are_told_apart() {
    let bytes = bundle();
    assert!(matches!(read(&bytes[..bytes.len() - 1], 64), Err(BundleError::Cut { .. })));
    let mut back = bytes.clone();
    back.extend(Item::Checkpoint(b"late".to_vec()).encode());
    let at = bytes.len() as u64;
    assert_eq!(read(&back, 64), Err(BundleError::Order { at }));
    assert_eq!(read(b"{\"json\": 1}", 64), Err(BundleError::Header { at: 0 }));
    assert_eq!(read(b"", 64), Err(BundleError::CutHeader { bytes: 0 }));
    let mut huge = bytes;
    huge.extend([0x82, 0x03, 0x5b, 0, 0, 0, 1, 0, 0, 0, 0]);
    assert!(matches!(read(&huge, 4096), Err(BundleError::TooLong { .. })));
}

#[test]
fn a_body_is_not_damaged_whose_bytes_have_its_id() {
    let id = ContentId::from_bytes([7; 32]);
    let bytes = Header { as_of: Timestamp::EPOCH, network: Vec::new() }.encode();
    let at = bytes.len() as u64;
    let said = [bytes, Item::Damaged { id, held: id }.encode()].concat();
    assert_eq!(read(&said, 64), Err(BundleError::Item { field: "content", at }));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..200) {
        let _ = read(&bytes, 7);
        let mut mutated = bundle();
        let at = at % mutated.len();
        mutated[at..].iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
        let _ = read(&mutated, 50);
    }
}

#[test]
fn a_bundle_of_any_items_that_is_cut_between_two_of_them_is_cut_off() {
    let items = [Item::Body(b"body".to_vec()), Item::Defect(b"defect".to_vec())];
    let mut bytes = Header { as_of: Timestamp::EPOCH, network: Vec::new() }.encode();
    for item in items.into_iter().chain([Item::End { items: 2 }]) {
        assert_eq!(read(&bytes, 64), Err(BundleError::Cut { at: bytes.len() as u64 }));
        bytes.extend(item.encode());
    }
    assert_eq!(read(&bytes, 64).map(|pieces| pieces.len()), Ok(4));
    let nothing = Header { as_of: Timestamp::EPOCH, network: Vec::new() }.encode();
    let nothing = [nothing, Item::End { items: 0 }.encode()].concat();
    assert_eq!(read(&nothing, 64).map(|pieces| pieces.len()), Ok(2), "an end of nothing is whole");
}

/// Offsets at which the pieces of the bundle begin, and its end.
fn offsets(bytes: &[u8]) -> Vec<usize> {
    let (mut reader, mut at, mut starts) = (Reader::default(), 0, vec![0]);
    while let Some((_, length)) = reader.next(&bytes[at..]).unwrap() {
        at += length;
        starts.push(at);
    }
    starts
}

#[test]
fn checkpoints_and_entries_that_go_back_in_their_log_are_refused() {
    let entries = |origin: &str, first: u64| Item::Entries {
        origin: origin.to_owned(),
        first,
        entries: (0..4).map(entry).collect(),
    };
    let of = |items: &[Item]| {
        let mut bytes = Header { as_of: Timestamp::EPOCH, network: Vec::new() }.encode();
        items.iter().for_each(|item| bytes.extend(item.encode()));
        bytes.extend(Item::End { items: items.len() as u64 }.encode());
        read(&bytes, 64).map(|pieces| pieces.len() - 2)
    };
    assert_eq!(of(&[entries("a", 0), entries("a", 4), entries("a", 9), entries("b", 0)]), Ok(4));
    assert!(matches!(of(&[entries("a", 0), entries("a", 3)]), Err(BundleError::Order { .. })));
    assert!(matches!(of(&[entries("a", 4), entries("a", 0)]), Err(BundleError::Order { .. })));
    assert!(matches!(of(&[entries("b", 0), entries("a", 0)]), Err(BundleError::Order { .. })));
    let checkpoint = |origin: &str, size: u64| {
        let root = crate::merkle::leaf_hash(&size.to_be_bytes());
        let text = crate::note::Checkpoint::new(origin, size, root).to_string();
        Item::Checkpoint(format!("{text}\n\u{2014} x AAAAAAA=\n").into_bytes())
    };
    assert_eq!(of(&[checkpoint("a", 3), checkpoint("a", 7), checkpoint("b", 1)]), Ok(3));
    assert!(matches!(
        of(&[checkpoint("a", 7), checkpoint("a", 3)]),
        Err(BundleError::Order { .. })
    ));
    assert!(matches!(
        of(&[checkpoint("b", 1), checkpoint("a", 3)]),
        Err(BundleError::Order { .. })
    ));
}

#[test]
fn the_length_of_an_item_is_refused_at_its_head() {
    let start = bundle();
    for (number, limit) in [(3u8, ITEM_BYTES_MAX), (8, DEFECT_ITEM_BYTES_MAX)] {
        for over in [limit as u64 - 6, 1 << 40, u64::MAX] {
            let mut bytes = start.clone();
            bytes.extend([0x82, number, 0x5b]);
            bytes.extend(over.to_be_bytes());
            bytes.push(0);
            let at = start.len() as u64;
            assert_eq!(
                read(&bytes, 64),
                Err(BundleError::TooLong { limit, at }),
                "{number} {over}"
            );
        }
    }
}

proptest! {
    #[test]
    fn a_cut_is_refused_at_the_item_that_it_cuts(at in 0usize..10_000) {
        let bytes = bundle();
        let starts = offsets(&bytes);
        let at = at % bytes.len();
        let begin = *starts.iter().rfind(|start| **start <= at).unwrap();
        let answer = read(&bytes[..at], 64);
        match begin {
            0 => prop_assert_eq!(answer, Err(BundleError::CutHeader { bytes: at })),
            begin => prop_assert_eq!(answer, Err(BundleError::Cut { at: begin as u64 })),
        }
    }

    #[test]
    fn a_repeated_or_moved_item_is_refused_at_its_byte(from in 0usize..100, to in 0usize..100) {
        let bytes = bundle();
        let starts = offsets(&bytes);
        // Header and end stay.
        let count = starts.len() - 3;
        let item = |number: usize| &bytes[starts[number + 1]..starts[number + 2]];
        let (from, to) = (from % count, to % count);
        // Once more at its own place or behind any later item.
        let behind = starts[to.max(from) + 2];
        let twice = [&bytes[..behind], item(from), &bytes[behind..]].concat();
        let at = behind as u64;
        let refused = read(&twice, 64).unwrap_err();
        prop_assert!(
            refused == BundleError::Repeated { at } || refused == BundleError::Order { at },
            "{refused}"
        );
        // Two items exchanged whose types differ: what then comes too early is told.
        if item(from)[1] < item(to)[1] {
            let mut order: Vec<usize> = (0..count).collect();
            order.swap(from, to);
            let mut moved = bytes[..starts[1]].to_vec();
            order.iter().for_each(|number| moved.extend_from_slice(item(*number)));
            moved.extend_from_slice(item(count));
            let refused = read(&moved, 64);
            prop_assert!(matches!(refused, Err(BundleError::Order { .. })), "{refused:?}");
        }
    }

    #[test]
    fn bytes_after_the_end_are_refused_where_they_begin(
        tail in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let bytes = bundle();
        let at = bytes.len() as u64;
        let refused = read(&[bytes, tail].concat(), 64).unwrap_err();
        let found = match refused {
            BundleError::Item { at, .. } | BundleError::TooLong { at, .. } => at,
            BundleError::Order { at } | BundleError::Cut { at } => at,
            other => panic!("{other}"),
        };
        prop_assert_eq!(found, at);
    }
}
