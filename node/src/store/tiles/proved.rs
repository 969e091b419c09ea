//! Tiles as they are served: each is held against the root of the tree before anyone gets it.
//!
//! Invariants: what is handed out gives the root; hashes whose file is lost or damaged are computed
//! from what lies below, entries cannot be; nothing is written here, that is the writer's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use hallmark_schemas::head::Head;
use hallmark_schemas::merkle::{self, Hash};
use hallmark_schemas::tile::{self, TilePath};

use super::{BUNDLE_ENTRY_BYTES, Edge, LEVELS_MAX, TILE_WIDTH, Tiles, bytes_of, width_of};
use crate::store::StoreError;

/// Most damaged files that are remembered by name; there is no use in counting further.
const NAMES_MAX: usize = 1024;
/// Most proved tiles that are remembered: 16 * 8 KiB, and as many levels twice.
const RECENT_MAX: usize = 16;
/// Highest level whose tile is computed from the entries alone: 65,536 of them, 2.8 MB.
const DEEP_LEVEL_MAX: usize = 1;
/// Most hashes of one tile for which the files below and the entries disagree and each choice is
/// tried: 2^8 tiles.
const DOUBTS_MAX: u32 = 8;

/// Gives every copy of a tile that somebody else has.
pub(crate) type Offer<'a> = dyn FnMut(&TilePath) -> Vec<Vec<u8>> + 'a;

/// Files of tiles that were found lost or damaged when they were read.
#[derive(Default)]
pub(super) struct Faults {
    names: Mutex<BTreeSet<PathBuf>>,
}

impl Faults {
    /// Tells the log once.
    fn tell(&self, path: &Path, reason: &str) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() < NAMES_MAX && names.insert(path.to_owned()) {
            let path = path.display();
            tracing::warn!(%path, reason, "a file of the log is lost or damaged");
        }
    }

    /// The file was put back.
    fn clear(&self, path: &Path) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }
}

/// Tiles of one tree that were proved by its root, at most [`RECENT_MAX`].
#[derive(Default)]
pub(super) struct Recent {
    head: Option<Head>,
    tiles: Vec<(TilePath, Vec<u8>)>,
}

/// Where the hashes of one tile may come from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Source {
    File,
    /// The tiles below, or the entries.
    Below,
    /// The entries alone.
    Entries,
    /// For each hash the tile below it or its entries, whichever is whole.
    Mixed,
    /// Somebody else gave it.
    Offered,
}

const SOURCES: [Source; 3] = [Source::File, Source::Below, Source::Entries];

impl Tiles {
    /// Files that were found lost or damaged when they were read, and not been put back since.
    pub fn damaged(&self) -> Vec<PathBuf> {
        let names = self.faults.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.iter().cloned().collect()
    }

    /// The bytes of a tile within this tree, proved by its root. `None` if the tree has no such
    /// tile; [`StoreError::Damaged`] if neither its file nor what lies below gives the root.
    pub fn read(&self, path: &TilePath, head: Head) -> Result<Option<Vec<u8>>, StoreError> {
        let (level, index, width) = match *path {
            TilePath::Hashes { level, index, width } => (usize::from(level), index, width),
            TilePath::Entries { index, width } => (0, index, width),
        };
        let hashes = if level < LEVELS_MAX { head.size >> (8 * level) } else { 0 };
        let reaches = index.checked_mul(TILE_WIDTH).and_then(|at| at.checked_add(width.into()));
        if reaches.is_none_or(|reaches| hashes < reaches) {
            return Ok(None);
        }
        let (mut bytes, bytes_each) = match path {
            TilePath::Hashes { .. } => (self.proved(level, index, head)?.concat(), 32),
            TilePath::Entries { .. } => (self.proved_bundle(index, head)?, BUNDLE_ENTRY_BYTES),
        };
        // A partial tile of an earlier size is the beginning of the one that is there now.
        bytes.truncate(usize::from(width) * bytes_each);
        Ok(Some(bytes))
    }

    /// Like [`Tiles::read`], from memory while the same tree is asked for: bytes that gave its root
    /// are right, whatever has become of their file since.
    pub(super) fn read_recent(
        &self,
        path: &TilePath,
        head: Head,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let lock = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut recent = lock();
            if recent.head != Some(head) {
                *recent = Recent { head: Some(head), tiles: Vec::new() };
            }
            if let Some((_, bytes)) = recent.tiles.iter().find(|(known, _)| known == path) {
                return Ok(Some(bytes.clone()));
            }
        }
        let read = self.read(path, head)?;
        let mut recent = lock();
        if let Some(bytes) = &read
            && recent.head == Some(head)
        {
            if recent.tiles.len() == RECENT_MAX {
                recent.tiles.remove(0);
            }
            recent.tiles.push((*path, bytes.clone()));
        }
        Ok(read)
    }

    /// Whether these bytes are that entry bundle, or that full tile, of this tree.
    pub(crate) fn gives(&self, path: &TilePath, bytes: &[u8], head: Head) -> bool {
        if bytes.len() != bytes_of(path) {
            return false;
        }
        match *path {
            TilePath::Entries { index, .. } => {
                let hashes = self.proved(0, index, head);
                is_framed(bytes) && hashes.is_ok_and(|hashes| hashes.starts_with(&leaves(bytes)))
            }
            TilePath::Hashes { level, index, .. } if path.is_full() => {
                let above = self.proved(usize::from(level) + 1, index / TILE_WIDTH, head);
                let root = tile::complete_root(bytes.as_chunks::<32>().0);
                above.is_ok_and(|above| above.get((index % TILE_WIDTH) as usize) == Some(&root))
            }
            TilePath::Hashes { .. } => false,
        }
    }

    /// The files of the right edge of this tree that hold hashes, proved by its root: from what is
    /// here, or from what `offer` gives for them.
    pub(crate) fn proved_edge_files(
        &self,
        head: Head,
        offer: &mut Offer<'_>,
    ) -> Result<Vec<(TilePath, Vec<u8>)>, StoreError> {
        let levels = match self.proved_edge(head) {
            Err(StoreError::Damaged { .. }) => self.chosen_edge(head, Some(offer))?,
            levels => levels?,
        };
        let files = (0u8..).zip(levels).filter(|(_, hashes)| !hashes.is_empty());
        let file = |(level, hashes): (u8, Vec<Hash>)| {
            let index = head.size >> (8 * (usize::from(level) + 1));
            (TilePath::Hashes { level, index, width: hashes.len() as u16 }, hashes.concat())
        };
        Ok(files.map(file).collect())
    }

    /// The right edge of this tree, proved by its root; its files need not be whole.
    pub(crate) fn proved_whole_edge(&self, head: Head) -> Result<Edge, StoreError> {
        let levels = self.proved_edge(head)?;
        let bundle = match head.size % TILE_WIDTH {
            0 => Vec::new(),
            _ => self.proved_bundle(head.size / TILE_WIDTH, head)?,
        };
        Ok(Edge { size: head.size, bundle, levels })
    }

    /// The file of this tile was written anew.
    pub(crate) fn put_back(&self, path: &TilePath) {
        self.faults.clear(&self.path(path));
    }

    /// The hashes of a tile as wide as the tree has it.
    pub(super) fn proved(
        &self,
        level: usize,
        index: u64,
        head: Head,
    ) -> Result<Vec<Hash>, StoreError> {
        let width = width_of(index, head.size >> (8 * level));
        if u64::from(width) < TILE_WIDTH {
            return self.proved_edge(head).map(|mut levels| levels.swap_remove(level));
        }
        let above = self.proved(level + 1, index / TILE_WIDTH, head)?;
        let wanted = above[(index % TILE_WIDTH) as usize];
        let file = self.path(&TilePath::Hashes { level: level as u8, index, width });
        for source in SOURCES {
            match self.hashes(level, index, width, source) {
                Ok(hashes) if tile::complete_root(&hashes) == wanted => {
                    if source == Source::File {
                        self.faults.clear(&file);
                    }
                    return Ok(hashes);
                }
                Ok(_) if source == Source::File => {
                    self.faults.tell(&file, "it is not made of what lies below");
                }
                Err(error) if source == Source::File => {
                    self.faults.tell(&file, &error.to_string());
                }
                Ok(_) | Err(_) => {}
            }
        }
        let mut mixed = self.mixed(level, index, width).into_iter();
        mixed
            .find(|hashes| tile::complete_root(hashes) == wanted)
            .ok_or_else(|| StoreError::damaged(&file, "nothing that is here gives its hashes"))
    }

    /// The partial tiles of the right edge, lowest level first.
    fn proved_edge(&self, head: Head) -> Result<Vec<Vec<Hash>>, StoreError> {
        self.chosen_edge(head, None)
    }

    /// The same, where the files do not give the root also from what `offer` gives.
    fn chosen_edge(
        &self,
        head: Head,
        offer: Option<&mut Offer<'_>>,
    ) -> Result<Vec<Vec<Hash>>, StoreError> {
        let partial = |level: usize| {
            let hashes = head.size >> (8 * level);
            (hashes / TILE_WIDTH, (hashes % TILE_WIDTH) as u16)
        };
        let levels: Vec<usize> =
            (0..LEVELS_MAX).take_while(|level| 0 < head.size >> (8 * level)).collect();
        let mut choices = Vec::new();
        for level in &levels {
            let (index, width) = partial(*level);
            if width == 0 {
                choices.push(vec![(Source::File, Vec::new())]);
                continue;
            }
            let file = self.hashes(*level, index, width, Source::File);
            choices.push(file.into_iter().map(|hashes| (Source::File, hashes)).collect());
        }
        let mut found = fitting(&choices, head);
        let mut add = |from: &mut dyn FnMut(usize, u64, u16) -> Vec<(Source, Vec<Hash>)>| {
            if found.is_some() {
                return;
            }
            for level in &levels {
                let (index, width) = partial(*level);
                if width == 0 {
                    continue;
                }
                for (source, made) in from(*level, index, width) {
                    if choices[*level].iter().all(|(_, known)| *known != made) {
                        choices[*level].push((source, made));
                    }
                }
            }
            found = fitting(&choices, head);
        };
        add(&mut |level, index, width| {
            let sources = [Source::Below, Source::Entries].into_iter();
            let made = |source| Some((source, self.hashes(level, index, width, source).ok()?));
            sources.filter_map(made).collect()
        });
        add(&mut |level, index, width| {
            let mixed = self.mixed(level, index, width).into_iter();
            mixed.map(|hashes| (Source::Mixed, hashes)).collect()
        });
        if let Some(offer) = offer {
            add(&mut |level, index, width| {
                let offered = offer(&TilePath::Hashes { level: level as u8, index, width });
                let hashes = offered.iter().filter_map(|bytes| tile::parse_hashes(bytes, width));
                hashes.map(|hashes| (Source::Offered, hashes)).collect()
            });
        }
        let Some(levels) = found else {
            self.tell_unproved_edge(&choices, head);
            let reason = format!("nothing that is here gives the root of size {}", head.size);
            return Err(StoreError::damaged(&self.dir, reason));
        };
        self.tell_edge(&levels, head);
        Ok(levels.into_iter().map(|(_, hashes)| hashes).collect())
    }

    /// Nothing gives the root: which of its files is wrong cannot be said, but which is not there.
    fn tell_unproved_edge(&self, choices: &[Vec<(Source, Vec<Hash>)>], head: Head) {
        for (level, choices) in choices.iter().enumerate() {
            let hashes = head.size >> (8 * level);
            let (index, width) = (hashes / TILE_WIDTH, (hashes % TILE_WIDTH) as u16);
            if 0 < width && choices.iter().all(|(source, _)| *source != Source::File) {
                let file = self.path(&TilePath::Hashes { level: level as u8, index, width });
                self.faults.tell(&file, "it is lost, and what lies below it does not give it");
            }
        }
    }

    fn tell_edge(&self, levels: &[(Source, Vec<Hash>)], head: Head) {
        for (level, (source, hashes)) in levels.iter().enumerate().filter(|(_, l)| !l.1.is_empty())
        {
            let index = head.size >> (8 * (level + 1));
            let width = hashes.len() as u16;
            let file = self.path(&TilePath::Hashes { level: level as u8, index, width });
            match source {
                Source::File => self.faults.clear(&file),
                _ => self.faults.tell(&file, "it is lost or not made of what lies below"),
            }
        }
    }

    /// The hashes of a tile from one source; not proved yet.
    fn hashes(
        &self,
        level: usize,
        index: u64,
        width: u16,
        source: Source,
    ) -> Result<Vec<Hash>, StoreError> {
        let path = TilePath::Hashes { level: level as u8, index, width };
        if source == Source::File {
            return Ok(self.need(&path)?.as_chunks::<32>().0.to_vec());
        }
        if level == 0 {
            return Ok(leaves(&self.need(&TilePath::Entries { index, width })?));
        }
        if source == Source::Entries && DEEP_LEVEL_MAX < level {
            return Err(StoreError::damaged(&self.path(&path), "too much lies below it"));
        }
        let below = |at: u64| {
            let (level, index, full) = (level - 1, index * TILE_WIDTH + at, tile::TILE_WIDTH);
            let made = match source {
                Source::Entries => self.hashes(level, index, full, Source::Entries),
                _ => self
                    .hashes(level, index, full, Source::File)
                    .or_else(|_| self.hashes(level, index, full, Source::Below)),
            };
            made.map(|hashes| tile::complete_root(&hashes))
        };
        (0..u64::from(width)).map(below).collect()
    }

    /// What a tile may be if for each of its hashes either the tile below or its entries are whole.
    fn mixed(&self, level: usize, index: u64, width: u16) -> Vec<Vec<Hash>> {
        if !(1..=DEEP_LEVEL_MAX).contains(&level) {
            return Vec::new();
        }
        let (mut made, mut doubts) = (vec![Vec::with_capacity(width.into())], 0);
        for at in 0..u64::from(width) {
            let (level, index) = (level - 1, index * TILE_WIDTH + at);
            let sources = [Source::File, Source::Below].into_iter();
            let roots = sources.filter_map(|source| {
                let hashes = self.hashes(level, index, tile::TILE_WIDTH, source).ok()?;
                Some(tile::complete_root(&hashes))
            });
            let mut roots: Vec<Hash> = roots.collect();
            roots.dedup();
            doubts += u32::from(1 < roots.len());
            if DOUBTS_MAX < doubts {
                return Vec::new();
            }
            let longer = |before: &Vec<Hash>| {
                let before = before.clone();
                roots.iter().map(move |root| [before.as_slice(), &[*root]].concat())
            };
            made = match roots[..] {
                [root] => {
                    made.iter_mut().for_each(|hashes| hashes.push(root));
                    made
                }
                _ => made.iter().flat_map(longer).collect(),
            };
        }
        made
    }

    /// The entries of a bundle as wide as the tree has it: they cannot be computed from anything.
    fn proved_bundle(&self, index: u64, head: Head) -> Result<Vec<u8>, StoreError> {
        let hashes = self.proved(0, index, head)?;
        let path = TilePath::Entries { index, width: hashes.len() as u16 };
        let file = self.path(&path);
        let reason = match self.need(&path) {
            Ok(bytes) if leaves(&bytes) == hashes && is_framed(&bytes) => {
                self.faults.clear(&file);
                return Ok(bytes);
            }
            Ok(_) => "its entries are not those that were logged".to_owned(),
            Err(error @ StoreError::Disk(_)) => return Err(error),
            Err(StoreError::Damaged { reason, .. }) => reason,
            Err(error) => error.to_string(),
        };
        self.faults.tell(&file, &reason);
        Err(StoreError::damaged(&file, reason))
    }
}

/// Of each level one choice, such that together they give the root.
fn fitting(choices: &[Vec<(Source, Vec<Hash>)>], head: Head) -> Option<Vec<(Source, Vec<Hash>)>> {
    let mut at = vec![0; choices.len()];
    if choices.iter().any(Vec::is_empty) {
        return None;
    }
    loop {
        let picked = || choices.iter().zip(&at).map(|(level, at)| &level[*at]);
        let levels = picked().map(|(_, hashes)| hashes.clone()).collect();
        if (Edge { size: head.size, bundle: Vec::new(), levels }).root() == head.root {
            return Some(picked().cloned().collect());
        }
        // The next combination, as a number whose digits are the choices.
        let next = (0..at.len()).find(|level| at[*level] + 1 < choices[*level].len())?;
        at[next] += 1;
        at[..next].fill(0);
    }
}

/// Leaf hashes of the entries of a bundle.
fn leaves(bundle: &[u8]) -> Vec<Hash> {
    let entries = bundle.chunks(BUNDLE_ENTRY_BYTES);
    entries.map(|entry| merkle::leaf_hash(entry.get(2..).unwrap_or_default())).collect()
}

/// Whether each length in a bundle is that of an entry; hashes do not cover it.
fn is_framed(bundle: &[u8]) -> bool {
    let length = (super::ENTRY_BYTES as u16).to_be_bytes();
    bundle.chunks(BUNDLE_ENTRY_BYTES).all(|entry| entry.starts_with(&length))
}
