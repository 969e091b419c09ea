//! Tiles and entry bundles of C2SP tlog-tiles: paths, contents, and hashes read from tiles.
//!
//! Invariants: a path has one text; a tile is as wide as the tree's size says or refused; hashes
//! inside a tile are computed, never trusted from elsewhere.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::merkle::{self, Hash};

/// Levels of the tree that one tile spans.
pub const TILE_HEIGHT: u32 = 8;
/// Hashes of a full tile, entries of a full bundle.
pub const TILE_WIDTH: u16 = 1 << TILE_HEIGHT;
/// Highest tile level: 64 levels of the tree need 8 of them.
pub const LEVEL_MAX: u8 = 7;
/// Longest entry: its length is 16 bits.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// Tiles kept by a [`TileReader`]: one for each level of both edges, and more; 512 KiB at most.
const READER_TILES_MAX: usize = 64;

/// The name of a file of the log. A width of [`TILE_WIDTH`] is a full tile.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum TilePath {
    /// Hashes of complete subtrees of `256^level` leaves.
    Hashes {
        /// From 0.
        level: u8,
        /// Number of full tiles before it.
        index: u64,
        /// Number of hashes.
        width: u16,
    },
    /// The entries under the level-0 tile of the same index.
    Entries {
        /// Number of full bundles before it.
        index: u64,
        /// Number of entries.
        width: u16,
    },
}

impl TilePath {
    /// Number of hashes or entries.
    pub fn width(&self) -> u16 {
        let (TilePath::Hashes { width, .. } | TilePath::Entries { width, .. }) = self;
        *width
    }

    /// Number of full tiles before it at its level.
    pub fn index(&self) -> u64 {
        let (TilePath::Hashes { index, .. } | TilePath::Entries { index, .. }) = self;
        *index
    }

    /// The full tile that a partial one became, which stands in for it once it exists.
    pub fn full(self) -> TilePath {
        self.of_width(TILE_WIDTH)
    }

    /// The same tile when it had this many hashes or entries.
    pub fn of_width(self, width: u16) -> TilePath {
        match self {
            TilePath::Hashes { level, index, .. } => TilePath::Hashes { level, index, width },
            TilePath::Entries { index, .. } => TilePath::Entries { index, width },
        }
    }

    /// Whether the file will never be superseded by a wider one.
    pub fn is_full(&self) -> bool {
        self.width() == TILE_WIDTH
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TilePath::Hashes { level, .. } => write!(f, "tile/{level}/")?,
            TilePath::Entries { .. } => f.write_str("tile/entries/")?,
        }
        let (mut groups, mut rest) = (Vec::new(), self.index());
        loop {
            groups.push(rest % 1000);
            rest /= 1000;
            if rest == 0 {
                break;
            }
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width()) }
    }
}

/// Text that names no tile.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is no path of a tile or an entry bundle")]
pub struct TilePathError {
    /// The text, shortened.
    pub text: String,
}

impl FromStr for TilePath {
    type Err = TilePathError;

    fn from_str(text: &str) -> Result<TilePath, TilePathError> {
        parse_path(text).ok_or_else(|| TilePathError { text: text.chars().take(80).collect() })
    }
}

fn parse_path(text: &str) -> Option<TilePath> {
    let (level, rest) = text.strip_prefix("tile/")?.split_once('/')?;
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok()?),
        None => (rest, TILE_WIDTH),
    };
    let mut total: u64 = 0;
    for group in index.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        total = total.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    let path = match level {
        "entries" => TilePath::Entries { index: total, width },
        _ => TilePath::Hashes { level: level.parse().ok()?, index: total, width },
    };
    let level_known = !matches!(path, TilePath::Hashes { level, .. } if LEVEL_MAX < level);
    // One text for each path: signs, missing digits and further zeros show here.
    let known = level_known && (1..=TILE_WIDTH).contains(&width) && path.to_string() == text;
    known.then_some(path)
}

/// Width of the tile with this index, at a level where the tree has `hashes` hashes; 0 if none.
fn width_of(index: u64, hashes: u64) -> u16 {
    let width = hashes.saturating_sub(index.saturating_mul(u64::from(TILE_WIDTH)));
    width.min(u64::from(TILE_WIDTH)) as u16
}

/// Number of hashes that a tree of `size` leaves has at a tile level.
fn hashes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(TILE_HEIGHT * u32::from(level)).unwrap_or(0)
}

/// Every file that changes or appears when the log grows from `old` to `new` leaves: bundles
/// first, then tiles from the lowest level up.
pub fn tiles_of_growth(old: u64, new: u64) -> Vec<TilePath> {
    let mut paths = Vec::new();
    let changed = |level| {
        let (from, to) = (hashes_at(level, old), hashes_at(level, new));
        let wide = u64::from(TILE_WIDTH);
        let last = if from < to { to.div_ceil(wide) } else { 0 };
        (from / wide..last).map(move |index| (index, width_of(index, to)))
    };
    paths.extend(changed(0).map(|(index, width)| TilePath::Entries { index, width }));
    for level in 0..=LEVEL_MAX {
        let tiles = changed(level);
        paths.extend(tiles.map(|(index, width)| TilePath::Hashes { level, index, width }));
    }
    paths
}

/// The hashes of a tile's file.
///
/// Returns `None` unless there are exactly `width` of them.
pub fn parse_hashes(file: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = file.as_chunks::<32>();
    (rest.is_empty() && hashes.len() == usize::from(width)).then(|| hashes.to_vec())
}

/// The root over the hashes of a full tile, or of a complete part of one: the hash that stands for
/// them one or more levels up.
///
/// # Panics
/// If their number is no power of two.
pub fn complete_root(hashes: &[Hash]) -> Hash {
    assert!(hashes.len().is_power_of_two(), "{} hashes are no complete subtree", hashes.len());
    let mut row = hashes.to_vec();
    while 1 < row.len() {
        row = row.chunks_exact(2).map(|pair| merkle::node_hash(&pair[0], &pair[1])).collect();
    }
    row[0]
}

/// The file of an entry bundle.
///
/// # Panics
/// If an entry is longer than [`ENTRY_BYTES_MAX`].
pub fn encode_entries<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut file = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).expect("entries are at most 65,535 bytes");
        file.extend(length.to_be_bytes());
        file.extend(entry);
    }
    file
}

/// The entries of a bundle's file, at most a full bundle of them.
pub fn parse_entries(file: &[u8]) -> Result<Vec<&[u8]>, EntriesError> {
    let (mut entries, mut rest) = (Vec::new(), file);
    while !rest.is_empty() {
        let at = file.len() - rest.len();
        let torn = EntriesError::Torn { at };
        let (length, after) = rest.split_first_chunk::<2>().ok_or(torn)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or(torn)?;
        if entries.len() == usize::from(TILE_WIDTH) {
            return Err(EntriesError::TooMany { at });
        }
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

/// Why a file is no entry bundle.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EntriesError {
    /// The file ends inside an entry.
    #[error("the entry at byte {at} of the bundle is cut off")]
    Torn {
        /// Where the entry starts.
        at: usize,
    },
    /// More entries than a bundle has.
    #[error("more than {TILE_WIDTH} entries in a bundle, at byte {at}")]
    TooMany {
        /// Where the first one too many starts.
        at: usize,
    },
}

/// Reads hashes of a tree of known size from its tiles, each tile once.
///
/// `fetch` gets the file of a path, or of [`TilePath::full`] cut to the path's width.
#[derive(Debug)]
pub struct TileReader<F> {
    size: u64,
    fetch: F,
    tiles: BTreeMap<(u8, u64), Vec<Hash>>,
}

impl<E, F: FnMut(TilePath) -> Result<Vec<u8>, E>> TileReader<F> {
    /// A reader of the tree of `size` leaves.
    pub fn new(size: u64, fetch: F) -> TileReader<F> {
        TileReader { size, fetch, tiles: BTreeMap::new() }
    }

    /// The root of the complete subtree of `2^level` leaves that starts at leaf `index * 2^level`:
    /// what the functions of [`crate::merkle`] read.
    pub fn hash(&mut self, level: u32, index: u64) -> Result<Hash, TileError<E>> {
        let outside = TileError::Outside { level, index, size: self.size };
        let tile_level = (level / TILE_HEIGHT) as u8;
        let count = 1u64 << (level % TILE_HEIGHT);
        let first = index.checked_mul(count);
        let end = first.and_then(|first| first.checked_add(count));
        let (Some(first), Some(end)) = (first, end) else {
            return Err(outside);
        };
        if LEVEL_MAX < tile_level || hashes_at(tile_level, self.size) < end {
            return Err(outside);
        }
        let wide = u64::from(TILE_WIDTH);
        let start = (first % wide) as usize;
        let tile = self.tile(tile_level, first / wide)?;
        Ok(complete_root(&tile[start..start + count as usize]))
    }

    fn tile(&mut self, level: u8, index: u64) -> Result<&[Hash], TileError<E>> {
        let width = width_of(index, hashes_at(level, self.size));
        if !self.tiles.contains_key(&(level, index)) {
            let path = TilePath::Hashes { level, index, width };
            let file = (self.fetch)(path).map_err(TileError::Fetch)?;
            let bytes = file.len();
            let hashes = parse_hashes(&file, width).ok_or(TileError::Width { path, bytes })?;
            if self.tiles.len() == READER_TILES_MAX {
                self.tiles.pop_first();
            }
            self.tiles.insert((level, index), hashes);
        }
        Ok(&self.tiles[&(level, index)])
    }
}

/// Why a hash could not be read from tiles.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError<E> {
    /// The tile could not be fetched.
    #[error("failed to fetch a tile")]
    Fetch(#[source] E),
    /// Not as many hashes as the tree's size asks for.
    #[error("{path} has {bytes} bytes, which is not 32 for each hash of its width")]
    Width {
        /// The tile.
        path: TilePath,
        /// Length of what was fetched.
        bytes: usize,
    },
    /// The tree has no such subtree.
    #[error("a tree of {size} leaves has no complete subtree {index} at level {level}")]
    Outside {
        /// Level in the tree.
        level: u32,
        /// Number of subtrees before it.
        index: u64,
        /// Size of the tree.
        size: u64,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let cases = [
            (TilePath::Hashes { level: 0, index: 1_234_067, width: 256 }, "tile/0/x001/x234/067"),
            (TilePath::Hashes { level: 1, index: 0, width: 17 }, "tile/1/000.p/17"),
            (TilePath::Entries { index: 273, width: 112 }, "tile/entries/273.p/112"),
            (TilePath::Entries { index: 1000, width: 256 }, "tile/entries/x001/000"),
        ];
        for (path, text) in cases {
            assert_eq!(path.to_string(), text);
            assert_eq!(text.parse(), Ok(path));
        }
        for bad in [
            "tile/0/0",
            "tile/00/000",
            "tile/8/000",
            "tile/0/000.p/256",
            "tile/0/000.p/0",
            "tile/0/x000/000",
            "tile/0/001/000",
            "tile/0/+01",
            "tile/entries/000.p/01",
            "tile/0/",
            "tile/0/x99999999999999999999/000",
            "/tile/0/000",
            "tile/0/x001/x000",
            "tile/x/000",
        ] {
            assert!(bad.parse::<TilePath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn growth_of_seventy_thousand_leaves_is_as_specified() {
        let paths = tiles_of_growth(0, 70_000);
        let of = |wanted: u8| {
            let hits = paths
                .iter()
                .filter(|path| matches!(path, TilePath::Hashes { level, .. } if *level == wanted));
            hits.copied().collect::<Vec<_>>()
        };
        assert_eq!(of(0).len(), 274);
        assert_eq!(of(0)[273].to_string(), "tile/0/273.p/112");
        assert_eq!(of(1)[1].to_string(), "tile/1/001.p/17");
        assert_eq!(of(2)[0].to_string(), "tile/2/000.p/1");
        assert_eq!(of(3), []);
        let texts: Vec<_> = tiles_of_growth(255, 257).iter().map(TilePath::to_string).collect();
        let expected = [
            "tile/entries/000",
            "tile/entries/001.p/1",
            "tile/0/000",
            "tile/0/001.p/1",
            "tile/1/000.p/1",
        ];
        assert_eq!(texts, expected);
        assert_eq!(tiles_of_growth(9, 9), []);
    }

    /// All tiles of a tree, made level by level.
    fn tiles(leaves: &[Hash]) -> BTreeMap<String, Vec<u8>> {
        let (mut files, mut row) = (BTreeMap::new(), leaves.to_vec());
        for level in 0.. {
            if row.is_empty() {
                break;
            }
            for (index, tile) in row.chunks(256).enumerate() {
                let (index, width) = (index as u64, tile.len() as u16);
                let path = TilePath::Hashes { level, index, width };
                files.insert(path.to_string(), tile.concat());
            }
            row = row.chunks_exact(256).map(complete_root).collect();
        }
        files
    }

    #[test]
    fn roots_and_proofs_come_from_tiles() {
        let size = 66_000u64;
        let leaves: Vec<_> = (0..size).map(|i| merkle::leaf_hash(&i.to_be_bytes())).collect();
        let files = tiles(&leaves);
        let fetch = |path: TilePath| files.get(&path.to_string()).cloned().ok_or(path);
        let mut frontier = merkle::Frontier::new();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        let root = frontier.root();
        let mut reader = TileReader::new(size, fetch);
        assert_eq!(merkle::root_from_read(size, |l, i| reader.hash(l, i)), Ok(root));
        for index in [0, 255, 256, 65_535, 65_536, 65_999] {
            let proof = merkle::inclusion_proof(index, size, |l, i| reader.hash(l, i)).unwrap();
            let leaf = &leaves[index as usize];
            assert_eq!(merkle::verify_inclusion(leaf, index, size, &proof, &root), Ok(()));
        }
        for old in [1, 256, 300, 65_536, 65_792, 65_999] {
            let proof = merkle::consistency_proof(old, size, |l, i| reader.hash(l, i)).unwrap();
            let mut frontier = merkle::Frontier::new();
            leaves[..old as usize].iter().for_each(|leaf| frontier.push(*leaf));
            let old_root = frontier.root();
            let verdict = merkle::verify_consistency(old, &old_root, size, &root, &proof);
            assert_eq!(verdict, Ok(()), "{old}");
        }
        assert!(matches!(reader.hash(0, size), Err(TileError::Outside { .. })));
        let mut narrow = TileReader::new(size, |_| Ok::<_, ()>(vec![0; 31]));
        assert!(matches!(narrow.hash(0, 0), Err(TileError::Width { bytes: 31, .. })));
    }

    #[test]
    fn bundles_are_lengths_and_bytes() {
        let entries: Vec<&[u8]> = vec![b"one", b"", b"two"];
        let file = encode_entries(entries.iter().copied());
        assert_eq!(file, b"\0\x03one\0\0\0\x03two");
        assert_eq!(parse_entries(&file), Ok(entries));
        assert_eq!(parse_entries(&file[..11]), Err(EntriesError::Torn { at: 7 }));
        assert_eq!(parse_entries(&[0; 514]), Err(EntriesError::TooMany { at: 512 }));
    }

    proptest! {
        #[test]
        fn parsers_never_panic(file in prop::collection::vec(any::<u8>(), 0..200), text: String) {
            if let Ok(entries) = parse_entries(&file) {
                prop_assert_eq!(encode_entries(entries), file);
            }
            let _ = text.parse::<TilePath>();
            let _ = format!("tile/{text}").parse::<TilePath>();
        }
    }
}
