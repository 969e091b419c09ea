//! One tree from two witnesses of it: the entries, and the hash tiles that came along.
//!
//! Invariants: where the two differ, the one that gives the signed root is right and the other is
//! blamed by its file; where neither alone does, each tile is settled by the hash above it, or by
//! trying; what nothing settles is taken from the entries, whose root then shows that it is wrong,
//! and both files are named.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use hallmark_schemas::entry::Entry;
use hallmark_schemas::merkle::{Frontier, Hash};
use hallmark_schemas::tile::{self, TILE_WIDTH, TilePath};

const WIDE: usize = TILE_WIDTH as usize;
/// Most tiles that differ from their entries of which each choice is tried.
const TRIED_MAX: usize = 8;
/// Most leaves that are hashed to try them: some seconds.
const TRIED_LEAVES_MAX: usize = 1 << 24;

/// The hashes of the leaves from the first on, as far as entries or tiles give them.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) leaves: Vec<Hash>,
    /// Entries that are not those of the tree, with the bundle that holds them.
    pub(super) wrong_entries: BTreeMap<u64, TilePath>,
    /// Hash tiles that are not those of the tree, and from which hash on.
    pub(super) wrong_tiles: Vec<(String, Option<usize>)>,
    /// Bundles and the tiles of their leaves that differ, where nothing says which is right.
    pub(super) unsettled: Vec<[TilePath; 2]>,
    /// Entries of these that the tiles do not have.
    pub(super) doubtful: BTreeSet<u64>,
    /// The leaves give the root of the newest checkpoint that they reach, or there is none.
    pub(super) holds: bool,
}

/// What is preferred where entries and hash tile differ and no hash above settles it.
#[derive(Clone, Copy)]
enum Prefer<'a> {
    Entries,
    /// Settled from above where that is possible.
    SettledOrTiles,
    SettledOrEntries,
    /// The tiles of these numbers.
    TilesOf(&'a BTreeSet<usize>),
}

impl Tree {
    /// Settles the tree. `entries` are sorted; `signed` are the sizes and roots of checkpoints.
    pub(super) fn settle(
        entries: &[(u64, Entry)],
        tiles: &BTreeMap<String, Vec<u8>>,
        signed: &[(u64, Hash)],
    ) -> Tree {
        let sources = Sources::new(entries, tiles);
        let gives = |leaves: &[Hash]| {
            let known = leaves.len() as u64;
            let anchor = signed.iter().filter(|(size, _)| *size <= known).max_by_key(|one| one.0);
            anchor.is_none_or(|anchor| roots(leaves, [anchor.0])[&anchor.0] == anchor.1)
        };
        let first = sources.leaves(Prefer::Entries);
        if gives(&first) {
            return sources.blame(first, tiles);
        }
        let uniform = [Prefer::SettledOrTiles, Prefer::SettledOrEntries].into_iter();
        let tried = uniform.map(|prefer| sources.leaves(prefer));
        match tried.chain(sources.each_choice(first.len())).find(|leaves| gives(leaves)) {
            Some(leaves) => sources.blame(leaves, tiles),
            None => sources.doubt(first, tiles),
        }
    }

    /// Whether the file of this tile is wrong, or may be.
    pub(super) fn blames(&self, path: &TilePath) -> bool {
        let full = path.full();
        let is_this =
            |name: &String| name.parse().is_ok_and(|wrong: TilePath| wrong.full() == full);
        self.wrong_tiles.iter().any(|(name, _)| is_this(name))
            || self.wrong_entries.values().any(|bundle| bundle.full() == full)
            || self.unsettled.iter().flatten().any(|file| file.full() == full)
    }

    /// The roots of the first so many leaves, for each of these sizes that is known.
    pub(super) fn roots(&self, sizes: impl IntoIterator<Item = u64>) -> BTreeMap<u64, Hash> {
        roots(&self.leaves, sizes)
    }
}

/// The hash tiles of a tree of `size` of which no file, or only a narrower one, is there.
pub(super) fn missing_tiles(size: u64, files: &BTreeMap<String, Vec<u8>>) -> Vec<TilePath> {
    let mut widths: BTreeMap<(u8, u64), u16> = BTreeMap::new();
    for name in files.keys() {
        if let Ok(TilePath::Hashes { level, index, width }) = name.parse() {
            let widest = widths.entry((level, index)).or_default();
            *widest = width.max(*widest);
        }
    }
    let missing = |path: &TilePath| match *path {
        TilePath::Hashes { level, index, width } => {
            widths.get(&(level, index)).is_none_or(|found| *found < width)
        }
        TilePath::Entries { .. } => false,
    };
    tile::tiles_of_growth(0, size).into_iter().filter(missing).collect()
}

fn roots(leaves: &[Hash], sizes: impl IntoIterator<Item = u64>) -> BTreeMap<u64, Hash> {
    let known = leaves.len() as u64;
    let sizes: BTreeSet<u64> = sizes.into_iter().filter(|size| *size <= known).collect();
    let (mut tree, mut rest) = (Frontier::new(), leaves.iter());
    let root = |size: u64| {
        while tree.size() < size {
            match rest.next() {
                Some(leaf) => tree.push(*leaf),
                None => break,
            }
        }
        (size, tree.root())
    };
    sizes.into_iter().map(root).collect()
}

/// Leaf hashes from both sides.
struct Sources<'a> {
    entries: &'a [(u64, Entry)],
    /// Leaf hash by index, from the entries.
    hashed: BTreeMap<usize, Vec<(usize, Hash)>>,
    /// By number: the hashes of the tiles of level 0 and of level 1.
    tiles: BTreeMap<usize, Vec<Hash>>,
    above: BTreeMap<usize, Vec<Hash>>,
    /// Tiles of level 0 that are not made of their entries.
    differing: BTreeSet<usize>,
}

impl<'a> Sources<'a> {
    fn new(entries: &'a [(u64, Entry)], files: &BTreeMap<String, Vec<u8>>) -> Sources<'a> {
        let mut hashed: BTreeMap<usize, Vec<(usize, Hash)>> = BTreeMap::new();
        for (index, entry) in entries {
            if let Ok(index) = usize::try_from(*index) {
                let of_tile = hashed.entry(index / WIDE).or_default();
                of_tile.push((index % WIDE, entry.leaf_hash()));
            }
        }
        let (mut tiles, mut above) = (BTreeMap::new(), BTreeMap::new());
        for (name, file) in files {
            let Ok(TilePath::Hashes { level, index, width }) = name.parse() else {
                continue;
            };
            let level = match level {
                0 => &mut tiles,
                1 => &mut above,
                _ => continue,
            };
            if let (Some(hashes), Ok(index)) =
                (tile::parse_hashes(file, width), usize::try_from(index))
            {
                level.insert(index, hashes);
            }
        }
        let differs = |(number, hashes): &(&usize, &Vec<(usize, Hash)>)| {
            tiles.get(*number).is_some_and(|tile: &Vec<Hash>| {
                let mut known = hashes.iter();
                known.any(|(at, hash)| tile.get(*at).is_some_and(|other| other != hash))
            })
        };
        let differing = hashed.iter().filter(differs).map(|(number, _)| *number).collect();
        Sources { entries, hashed, tiles, above, differing }
    }

    /// All leaves up to the first that neither side knows.
    fn leaves(&self, prefer: Prefer<'_>) -> Vec<Hash> {
        let mut leaves = Vec::with_capacity(self.entries.len());
        for number in 0.. {
            let mut tile: Vec<Option<Hash>> = vec![None; WIDE];
            let by_tile = self.differing.contains(&number) && self.prefers_tile(number, prefer);
            let hashed = self.hashed.get(&number).map_or(&[][..], Vec::as_slice);
            let stored = self.tiles.get(&number).map_or(&[][..], Vec::as_slice);
            if by_tile {
                hashed.iter().for_each(|(at, hash)| tile[*at] = Some(*hash));
            }
            stored.iter().zip(&mut tile).for_each(|(hash, leaf)| *leaf = Some(*hash));
            if !by_tile {
                hashed.iter().for_each(|(at, hash)| tile[*at] = Some(*hash));
            }
            let known = tile.iter().take_while(|leaf| leaf.is_some()).count();
            leaves.extend(tile.into_iter().take(known).flatten());
            if known < WIDE {
                break;
            }
        }
        leaves
    }

    /// The leaves with each choice between tile and entries, where these are few.
    fn each_choice(&self, leaves: usize) -> impl Iterator<Item = Vec<Hash>> {
        let count = self.differing.len();
        let is_few = count <= TRIED_MAX && leaves << count.min(TRIED_MAX) <= TRIED_LEAVES_MAX;
        let choices = if is_few { 0..1_u32 << count } else { 0..0 };
        choices.map(|choice| {
            let numbers = self.differing.iter().enumerate();
            let by_tile = numbers.filter(|(place, _)| choice >> place & 1 == 1);
            self.leaves(Prefer::TilesOf(&by_tile.map(|(_, number)| *number).collect()))
        })
    }

    fn prefers_tile(&self, number: usize, prefer: Prefer<'_>) -> bool {
        let fallback = match prefer {
            Prefer::Entries => return false,
            Prefer::SettledOrTiles => true,
            Prefer::SettledOrEntries => false,
            Prefer::TilesOf(numbers) => return numbers.contains(&number),
        };
        let above = self.above.get(&(number / WIDE)).and_then(|tile| tile.get(number % WIDE));
        let (Some(above), Some(stored)) = (above, self.tiles.get(&number)) else {
            return fallback;
        };
        let hashed: Vec<Hash> = self.hashed[&number].iter().map(|(_, hash)| *hash).collect();
        let gives = |hashes: &[Hash]| hashes.len() == WIDE && tile::complete_root(hashes) == *above;
        match (gives(&hashed), gives(stored)) {
            (true, false) => false,
            (false, true) => true,
            _ => fallback,
        }
    }

    /// Holds every entry and every tile against the leaves.
    fn blame(&self, leaves: Vec<Hash>, files: &BTreeMap<String, Vec<u8>>) -> Tree {
        let mut tree = Tree { leaves, holds: true, ..Tree::default() };
        for number in &self.differing {
            let held = &self.hashed[number];
            let bundle = self.bundle(*number);
            for (at, hash) in held {
                let index = number * WIDE + at;
                if tree.leaves.get(index).is_some_and(|leaf| leaf != hash) {
                    tree.wrong_entries.insert(index as u64, bundle);
                }
            }
        }
        tree.wrong_tiles = wrong_tiles(&tree.leaves, files);
        tree
    }

    /// The bundle of this number, as wide as its entries are at hand.
    fn bundle(&self, number: usize) -> TilePath {
        let width = self.hashed[&number].iter().map(|(at, _)| at + 1).max().unwrap_or(0);
        let width = u16::try_from(width).unwrap_or(TILE_WIDTH);
        TilePath::Entries { index: number as u64, width }
    }

    /// Nothing gives the root. Where entries and tile differ each may be wrong, or both; what lies
    /// above says nothing, since it may be made of either.
    fn doubt(&self, leaves: Vec<Hash>, files: &BTreeMap<String, Vec<u8>>) -> Tree {
        let mut tree = Tree { leaves, ..Tree::default() };
        for number in &self.differing {
            let (bundle, stored) = (self.bundle(*number), &self.tiles[number]);
            let width = u16::try_from(stored.len()).unwrap_or(TILE_WIDTH);
            let hashes = TilePath::Hashes { level: 0, index: *number as u64, width };
            tree.unsettled.push([bundle, hashes]);
            let differs = |(at, hash): &&(usize, Hash)| stored.get(*at).is_some_and(|h| h != hash);
            let doubtful = self.hashed[number].iter().filter(differs);
            tree.doubtful.extend(doubtful.map(|(at, _)| (number * WIDE + at) as u64));
        }
        if self.differing.is_empty() {
            tree.wrong_tiles = wrong_tiles(&tree.leaves, files);
        }
        tree
    }
}

/// Tiles that are not made of the leaves; those that reach beyond what is known are passed over.
fn wrong_tiles(leaves: &[Hash], files: &BTreeMap<String, Vec<u8>>) -> Vec<(String, Option<usize>)> {
    let mut above: Vec<Vec<Hash>> = Vec::new();
    loop {
        let top = above.last().map_or(leaves, Vec::as_slice);
        if top.len() < WIDE {
            break;
        }
        let next = top.chunks_exact(WIDE).map(tile::complete_root).collect();
        above.push(next);
    }
    let row = |level: u8| match level {
        0 => Some(leaves),
        level => above.get(usize::from(level) - 1).map(Vec::as_slice),
    };
    let mut wrong = Vec::new();
    for (name, file) in files {
        let Ok(TilePath::Hashes { level, index, width }) = name.parse() else {
            continue;
        };
        let Some(found) = tile::parse_hashes(file, width) else {
            wrong.push((name.clone(), None));
            continue;
        };
        let first = usize::try_from(index).map_or(usize::MAX, |index| index.saturating_mul(WIDE));
        let range: Range<usize> = first..first.saturating_add(usize::from(width));
        let Some(wanted) = row(level).and_then(|hashes| hashes.get(range)) else {
            continue;
        };
        if let Some(at) = wanted.iter().zip(&found).position(|(wanted, found)| wanted != found) {
            wrong.push((name.clone(), Some(first + at)));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use hallmark_schemas::attestation::ContentId;
    use hallmark_schemas::time::Timestamp;

    use super::*;

    fn entry(number: u64) -> Entry {
        let id = ContentId::of(&number.to_le_bytes());
        Entry { audience: 0, admitted_at: Timestamp::from_unix_ms(number), id }
    }

    /// Entries, tiles and root of a tree.
    type World = (Vec<(u64, Entry)>, BTreeMap<String, Vec<u8>>, (u64, Hash));

    fn world(size: u64) -> World {
        let entries: Vec<_> = (0..size).map(|number| (number, entry(number))).collect();
        let leaves: Vec<Hash> = entries.iter().map(|(_, entry)| entry.leaf_hash()).collect();
        let above: Vec<Hash> = leaves.chunks_exact(WIDE).map(tile::complete_root).collect();
        let mut tiles = BTreeMap::new();
        for path in tile::tiles_of_growth(0, size) {
            let TilePath::Hashes { level, index, width } = path else { continue };
            let row = if level == 0 { &leaves } else { &above };
            let first = index as usize * WIDE;
            let file = row[first..first + usize::from(width)].concat();
            tiles.insert(path.to_string(), file);
        }
        let root = roots(&leaves, [size])[&size];
        (entries, tiles, (size, root))
    }

    fn settle((entries, tiles, signed): &World) -> (Tree, bool) {
        let tree = Tree::settle(entries, tiles, &[*signed]);
        let holds = tree.roots([signed.0]).get(&signed.0) == Some(&signed.1);
        (tree, holds)
    }

    #[test]
    fn the_file_that_is_wrong_is_blamed_and_no_other() {
        for size in [5, 256, 300, 600] {
            let (tree, holds) = settle(&world(size));
            assert!(holds && tree.wrong_entries.is_empty() && tree.wrong_tiles.is_empty());
            for at in [0, size / 2, size - 1] {
                let mut changed = world(size);
                changed.0[at as usize].1.audience = 2;
                let (tree, holds) = settle(&changed);
                let blamed: Vec<_> = tree.wrong_entries.iter().collect();
                assert!(holds, "entry {at} of {size}");
                let width = (size - at / 256 * 256).min(256) as u16;
                assert_eq!(blamed, [(&at, &TilePath::Entries { index: at / 256, width })]);
                assert_eq!(tree.wrong_tiles, [], "entry {at} of {size}");
            }
            for name in world(size).1.keys() {
                let mut changed = world(size);
                changed.1.get_mut(name).unwrap()[3] ^= 1;
                let (tree, holds) = settle(&changed);
                assert!(holds && tree.wrong_entries.is_empty(), "{name} of {size}");
                let blamed: Vec<&String> = tree.wrong_tiles.iter().map(|(name, _)| name).collect();
                assert_eq!(blamed, [name]);
            }
        }
    }

    #[test]
    fn a_bundle_and_a_tile_that_are_both_wrong_are_both_blamed() {
        let mut changed = world(700);
        changed.0[3].1.audience = 1;
        changed.1.get_mut("tile/0/001").unwrap()[40] ^= 1;
        changed.0[600].1.audience = 1;
        let (tree, holds) = settle(&changed);
        assert!(holds);
        assert_eq!(tree.wrong_entries.keys().copied().collect::<Vec<_>>(), [3, 600]);
        assert_eq!(tree.wrong_tiles, [("tile/0/001".to_owned(), Some(257))]);
    }

    #[test]
    fn where_the_tile_above_is_lost_each_choice_is_tried_and_what_nothing_settles_is_named() {
        let mut changed = world(900);
        changed.1.remove("tile/1/000.p/3").unwrap();
        changed.0[3].1.audience = 1;
        changed.1.get_mut("tile/0/001").unwrap()[40] ^= 1;
        let (tree, holds) = settle(&changed);
        assert!(holds && tree.holds);
        assert_eq!(tree.wrong_entries.keys().copied().collect::<Vec<_>>(), [3]);
        assert_eq!(tree.wrong_tiles, [("tile/0/001".to_owned(), Some(257))]);
        // Now entries and tile of one place are both wrong.
        changed.0[300].1.audience = 1;
        let (tree, holds) = settle(&changed);
        assert!(!holds && !tree.holds && tree.wrong_entries.is_empty());
        let named: Vec<String> = tree.unsettled.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(named, ["tile/entries/000", "tile/0/000", "tile/entries/001", "tile/0/001"]);
        assert_eq!(tree.doubtful.into_iter().collect::<Vec<_>>(), [3, 257, 300]);
    }

    #[test]
    fn a_lost_bundle_is_hashed_from_its_tile_and_a_false_root_blames_no_file() {
        let (mut entries, tiles, signed) = world(600);
        entries.drain(256..512);
        let (tree, holds) = settle(&(entries, tiles, signed));
        assert!(holds);
        assert_eq!((tree.leaves.len(), tree.wrong_entries.len()), (600, 0));
        let (entries, tiles, (size, _)) = world(600);
        let (tree, holds) = settle(&(entries, tiles, (size, [7; 32])));
        assert!(!holds);
        assert!(tree.wrong_entries.is_empty() && tree.wrong_tiles.is_empty());
    }
}
