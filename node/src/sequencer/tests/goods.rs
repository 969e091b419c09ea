//! What the index says of goods, against a scan of all bodies.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{NAMES_WAITING_MAX, NamesWaiting};
use super::*;
use crate::core::testing::{GOODS, event};
use crate::index::goods::tests::{found, goods, scanned};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn goods_are_found_as_a_scan_of_the_bodies_finds_them_whatever_the_index_had_seen(
        choices in vec(any::<u8>(), 72),
    ) {
        let mut choices = choices.into_iter().map(usize::from);
        let mut below = |limit: usize| choices.next().map_or(0, |choice| choice % limit);
        let disk = new_disk();
        let mut index = Arc::new(MemoryIndex::default());
        let mut snapshots = vec![MemoryIndex::default()];
        let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
        for step in 0..24 {
            match below(6) {
                0 => sequencer.sequence(NOW.checked_add_ms(i64::from(step)).unwrap()).unwrap(),
                1 => snapshots.push(index.copy()),
                2 => {
                    drop(sequencer);
                    index = Arc::new(snapshots[below(snapshots.len())].copy());
                    sequencer = started(&disk, &index, Policy::none()).unwrap();
                }
                3 => {
                    let other = facility(step, "plant", 0);
                    sequencer.store([&Candidate::new(verified(other))]).unwrap();
                }
                choice => {
                    let named = [GOODS[below(4)], GOODS[below(4)]];
                    let candidate = Candidate::new(verified(event(step, &named)));
                    if choice == 4 {
                        // As if too many names waited.
                        sequencer.names_waiting = NamesWaiting(NAMES_WAITING_MAX);
                        sequencer.store([&candidate]).unwrap();
                        prop_assert_eq!(&sequencer.pending.back().unwrap().naming, &None);
                        sequencer.names_waiting = NamesWaiting::of(&sequencer.pending);
                    } else {
                        sequencer.store([&candidate]).unwrap();
                    }
                }
            }
        }
        sequencer.sequence(NOW.checked_add_ms(99).unwrap()).unwrap();
        prop_assert_eq!(sequencer.names_waiting.0, 0);
        let shared = &sequencer.shared;
        let size = shared.head().size;
        let entries = shared.tiles.entries(0..size, size).unwrap();
        for text in GOODS {
            let goods = goods(text);
            let body = |id: &ContentId| shared.own_body(id).unwrap();
            let expected = scanned(shared.log, &entries, body, &goods);
            prop_assert_eq!(found(&shared.catalogue, &goods, 1 + below(4)), expected, "{}", text);
        }
    }
}
