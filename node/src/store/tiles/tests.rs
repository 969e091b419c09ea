//! Tiles grown in any steps, against the definition of the tree.

use super::*;
use crate::store::sim::{SimDisk, Survives};
use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::time::Timestamp;
use proptest::prelude::*;

fn entries(range: Range<u64>) -> Vec<Entry> {
    let entry = |number: u64| Entry {
        audience: (number % 3) as u8,
        admitted_at: Timestamp::from_unix_ms(number),
        id: ContentId::of(&number.to_le_bytes()),
    };
    range.map(entry).collect()
}

fn root(size: u64) -> Hash {
    let mut frontier = Frontier::new();
    entries(0..size).iter().for_each(|entry| frontier.push(entry.leaf_hash()));
    frontier.root()
}

fn head(size: u64) -> Head {
    Head { size, root: root(size) }
}

fn tiles(disk: &SimDisk) -> Tiles {
    Tiles::new(Arc::new(disk.clone()), Path::new("/log"))
}

fn grown(tiles: &Tiles, sizes: &[u64]) -> Edge {
    let mut edge = Edge::empty();
    for size in sizes {
        edge = tiles.grow(&edge, &entries(edge.size()..*size)).unwrap();
    }
    edge
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn tiles_grown_in_any_steps_prove_what_the_definition_says(
        steps in prop::collection::vec(1u64..700, 1..5),
        leaf in any::<u64>(),
        older in any::<u64>(),
    ) {
        let tiles = tiles(&SimDisk::default());
        let sizes: Vec<u64> = steps.iter().scan(0, |sum, step| {
            *sum += step;
            Some(*sum)
        }).collect();
        let edge = grown(&tiles, &sizes);
        let size = edge.size();
        prop_assert_eq!(edge.root(), root(size));
        prop_assert_eq!(&tiles.edge(size).unwrap(), &edge);
        prop_assert_eq!(tiles.root_at(size).unwrap(), root(size));
        prop_assert_eq!(tiles.frontier(size).unwrap().root(), root(size));
        let before = sizes.iter().rev().nth(1).copied().unwrap_or(0);
        prop_assert_eq!(tiles.root_reread(before, size).unwrap(), root(size));
        prop_assert_eq!(tiles.entries(0..size, size).unwrap(), entries(0..size));
        let (leaf, older) = (leaf % size, older % size + 1);
        prop_assert_eq!(tiles.root_within(older, size).unwrap(), root(older));
        let proof = tiles.inclusion(leaf, size, head(size)).unwrap();
        let hash = entries(leaf..leaf + 1)[0].leaf_hash();
        merkle::verify_inclusion(&hash, leaf, size, &proof, &root(size)).unwrap();
        for under in [older, size].into_iter().filter(|under| leaf < *under) {
            prop_assert!(tiles.includes(&hash, leaf, head(under), head(size)).unwrap());
            let other = Head { size: under, root: root(under + 1) };
            prop_assert!(!tiles.includes(&hash, leaf, other, head(size)).unwrap());
            prop_assert!(!tiles.includes(&[7; 32], leaf, head(under), head(size)).unwrap());
        }
        let proof = tiles.consistency(older, size, head(size)).unwrap();
        merkle::verify_consistency(older, &root(older), size, &root(size), &proof).unwrap();
    }
}

#[test]
fn what_lies_beyond_a_tree_goes_and_the_tree_stays() {
    for (size, beyond) in [(300, 1000), (512, 70_000), (0, 600), (65_536, 66_000)] {
        let disk = SimDisk::default();
        let tiles = tiles(&disk);
        grown(&tiles, &[size, beyond].into_iter().filter(|size| 0 < *size).collect::<Vec<_>>());
        let files = || {
            let full = |index| TilePath::Entries { index, width: tile::TILE_WIDTH };
            let here = |index| disk.read(&tiles.path(&full(index))).unwrap().is_some();
            (0..beyond / TILE_WIDTH).filter(|index| here(*index)).count() as u64
        };
        assert_eq!(files(), beyond / TILE_WIDTH);
        tiles.remove_beyond(size).unwrap();
        assert_eq!(files(), size / TILE_WIDTH, "{size}");
        assert_eq!(tiles.root_at(size).unwrap(), root(size));
        assert_eq!(tiles.entries(0..size, size).unwrap(), entries(0..size));
        // Nothing of it is in the way of another growth.
        assert_eq!(grown(&tiles, &[size.max(1), beyond]).root(), root(beyond));
    }
}

#[test]
fn a_partial_tile_is_cut_from_the_full_one_that_took_its_place() {
    let disk = SimDisk::default();
    let tiles = tiles(&disk);
    grown(&tiles, &[3, 70, 260, 600]);
    let partial = [
        TilePath::Hashes { level: 0, index: 0, width: 70 },
        TilePath::Entries { index: 0, width: 70 },
        TilePath::Hashes { level: 0, index: 1, width: 4 },
        TilePath::Entries { index: 1, width: 4 },
    ];
    let before = partial.map(|path| tiles.read(&path, head(600)).unwrap().unwrap());
    for (from, to) in [(0, 3), (3, 70), (70, 260), (260, 600)] {
        tiles.remove_partial(from, to).unwrap();
    }
    let left = disk.paths().into_iter().filter(|path| path.to_string_lossy().contains(".p/"));
    let expected = ["/log/tile/0/002.p/88", "/log/tile/1/000.p/1", "/log/tile/1/000.p/2"];
    let left: Vec<_> = left.collect();
    assert!(expected.iter().all(|path| left.contains(&PathBuf::from(path))), "{left:?}");
    assert!(!left.iter().any(|path| path.starts_with("/log/tile/0/000.p")), "{left:?}");
    assert_eq!(partial.map(|path| tiles.read(&path, head(600)).unwrap().unwrap()), before);
    let beyond = [
        TilePath::Hashes { level: 0, index: 2, width: 89 },
        TilePath::Hashes { level: 1, index: 0, width: 3 },
        TilePath::Hashes { level: 2, index: 0, width: 1 },
        TilePath::Entries { index: u64::MAX / 2, width: 256 },
    ];
    assert!(beyond.iter().all(|path| tiles.read(path, head(600)).unwrap().is_none()));
}

#[test]
fn a_damaged_tile_is_told_and_never_hashed_over() {
    let disk = SimDisk::default();
    grown(&tiles(&disk), &[260, 300]);
    for path in ["/log/tile/0/001.p/44", "/log/tile/entries/001.p/44", "/log/tile/1/000.p/1"] {
        let disk = disk.after(Survives::Everything);
        disk.corrupt(Path::new(path), |bytes| bytes[20] ^= 1);
        let reread = tiles(&disk).root_reread(260, 300);
        assert!(reread.is_err() || reread.is_ok_and(|found| found != root(300)), "{path}");
        disk.corrupt(Path::new(path), |bytes| bytes.truncate(7));
        assert!(tiles(&disk).root_reread(260, 300).is_err(), "{path}");
    }
}

#[test]
fn an_old_tree_is_proved_after_its_partial_tiles_went() {
    let disk = SimDisk::default();
    let tiles = tiles(&disk);
    grown(&tiles, &[70, 300]);
    tiles.remove_partial(70, 300).unwrap();
    assert_eq!(tiles.root_at(70).unwrap(), root(70));
    assert_eq!(tiles.entries(60..70, 70).unwrap(), entries(60..70));
}

#[test]
fn a_changed_entry_of_the_last_bundle_is_found_by_its_hash() {
    let disk = SimDisk::default();
    let edge = grown(&tiles(&disk), &[260]);
    assert_eq!(edge.damaged_entry(), None);
    for at in [0, 1, 2, 42] {
        let disk = disk.after(Survives::Everything);
        let path = Path::new("/log/tile/entries/001.p/4");
        disk.corrupt(path, |bytes| bytes[2 * BUNDLE_ENTRY_BYTES + at] ^= 1);
        let edge = tiles(&disk).edge(260).unwrap();
        assert_eq!((edge.root(), edge.damaged_entry()), (root(260), Some(258)), "byte {at}");
    }
}

fn served(tiles: &Tiles, path: &str) -> Result<Vec<u8>, StoreError> {
    let path = path.strip_prefix("/log/").unwrap().parse().unwrap();
    tiles.read(&path, head(600)).map(Option::unwrap)
}

#[test]
fn lost_or_damaged_hashes_are_served_as_the_entries_give_them() {
    let whole = SimDisk::default();
    grown(&tiles(&whole), &[600]);
    for path in ["/log/tile/0/001", "/log/tile/0/002.p/88", "/log/tile/1/000.p/2"] {
        let right = served(&tiles(&whole), path).unwrap();
        let damages: [fn(&mut Vec<u8>); 3] =
            [|bytes| bytes[20] ^= 1, |bytes| bytes.truncate(7), |bytes| bytes.clear()];
        for damage in damages {
            let disk = whole.after(Survives::Everything);
            disk.corrupt(Path::new(path), damage);
            let tiles = tiles(&disk);
            assert_eq!(served(&tiles, path).unwrap(), right, "{path}");
            assert_eq!(tiles.damaged(), [PathBuf::from(path)]);
            let proof = tiles.inclusion(300, 600, head(600)).unwrap();
            let leaf = entries(300..301)[0].leaf_hash();
            merkle::verify_inclusion(&leaf, 300, 600, &proof, &root(600)).unwrap();
            assert!(tiles.includes(&leaf, 300, head(600), head(600)).unwrap());
            assert!(!tiles.includes(&[7; 32], 300, head(600), head(600)).unwrap());
            assert!(tiles.includes(&leaf, 300, head(601), head(600)).is_err(), "beyond the tree");
            // Put back, nothing is told any more.
            disk.corrupt(Path::new(path), |bytes| right.clone_into(bytes));
            assert_eq!(served(&tiles, path).unwrap(), right, "{path}");
            assert_eq!(tiles.damaged(), [] as [PathBuf; 0]);
        }
    }
}

#[test]
fn damaged_entries_are_not_served_and_their_hashes_are() {
    let whole = SimDisk::default();
    grown(&tiles(&whole), &[600]);
    for path in ["/log/tile/entries/001", "/log/tile/entries/002.p/88"] {
        for at in [0, 20] {
            let disk = whole.after(Survives::Everything);
            disk.corrupt(Path::new(path), |bytes| bytes[at] ^= 1);
            let tiles = tiles(&disk);
            let refused = served(&tiles, path);
            assert!(matches!(refused, Err(StoreError::Damaged { .. })), "{path}");
            assert_eq!(tiles.damaged(), [PathBuf::from(path)]);
            assert!(served(&tiles, "/log/tile/0/001").is_ok());
            assert!(served(&tiles, "/log/tile/entries/000").is_ok());
        }
    }
}

#[test]
fn a_tile_that_nothing_proves_is_not_served() {
    let disk = SimDisk::default();
    grown(&tiles(&disk), &[600]);
    for path in ["/log/tile/0/001", "/log/tile/entries/001"] {
        disk.corrupt(Path::new(path), |bytes| bytes[20] ^= 1);
    }
    let tiles = tiles(&disk);
    assert!(matches!(served(&tiles, "/log/tile/0/001"), Err(StoreError::Damaged { .. })));
    assert!(matches!(served(&tiles, "/log/tile/entries/001"), Err(StoreError::Damaged { .. })));
}
