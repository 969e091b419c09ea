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

use super::{BUNDLE_ENTRY_BYTES, Edge, LEVELS_MAX, TILE_WIDTH, Tiles, width_of};
use crate::store::StoreError;

/// Most damaged files that are remembered by name; there is no use in counting further.
const NAMES_MAX: usize = 1024;
/// Most proved tiles that are remembered: 16 * 8 KiB, and as many levels twice.
const RECENT_MAX: usize = 16;
/// Highest level whose tile is computed from the entries alone: 65,536 of them, 2.8 MB.
const DEEP_LEVEL_MAX: usize = 1;

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

    /// Whether these bytes are that entry bundle of this tree.
    pub(crate) fn gives(&self, path: &TilePath, bytes: &[u8], head: Head) -> bool {
        let TilePath::Entries { index, width } = *path else {
            return false;
        };
        let hashes = self.proved(0, index, head);
        bytes.len() == usize::from(width) * BUNDLE_ENTRY_BYTES
            && is_framed(bytes)
            && hashes.is_ok_and(|hashes| hashes.starts_with(&leaves(bytes)))
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
        Err(StoreError::damaged(&file, "nothing that is here gives its hashes"))
    }

    /// The partial tiles of the right edge, lowest level first.
    fn proved_edge(&self, head: Head) -> Result<Vec<Vec<Hash>>, StoreError> {
        let mut choices = Vec::new();
        let levels = (0..LEVELS_MAX).take_while(|level| 0 < head.size >> (8 * level));
        for level in levels {
            let hashes = head.size >> (8 * level);
            let (index, width) = (hashes / TILE_WIDTH, (hashes % TILE_WIDTH) as u16);
            if width == 0 {
                choices.push(vec![(Source::File, Vec::new())]);
                continue;
            }
            let file = self.hashes(level, index, width, Source::File);
            choices.push(file.into_iter().map(|hashes| (Source::File, hashes)).collect());
        }
        if let Some(levels) = fitting(&choices, head) {
            self.tell_edge(&levels, head);
            return Ok(levels.into_iter().map(|(_, hashes)| hashes).collect());
        }
        for (level, choices) in choices.iter_mut().enumerate() {
            let hashes = head.size >> (8 * level);
            let (index, width) = (hashes / TILE_WIDTH, (hashes % TILE_WIDTH) as u16);
            for source in [Source::Below, Source::Entries].into_iter().filter(|_| 0 < width) {
                let made = self.hashes(level, index, width, source);
                let new = |made: &Vec<Hash>| choices.iter().all(|(_, known)| known != made);
                if let Some(made) = made.ok().filter(new) {
                    choices.push((source, made));
                }
            }
        }
        let Some(levels) = fitting(&choices, head) else {
            let reason = format!("nothing that is here gives the root of size {}", head.size);
            return Err(StoreError::damaged(&self.dir, reason));
        };
        self.tell_edge(&levels, head);
        Ok(levels.into_iter().map(|(_, hashes)| hashes).collect())
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
