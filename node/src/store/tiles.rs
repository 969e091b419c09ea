//! Tiles and entry bundles of one log as plain files, laid out as C2SP `tlog-tiles` says.
//!
//! Invariants: a file of a published size is never written again; files beyond the head may be
//! torn and are written anew by the replay; what is read is proved against a root before use.

mod proved;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hallmark_schemas::entry::{ENTRY_BYTES, Entry};
use hallmark_schemas::head::Head;
use hallmark_schemas::merkle::{self, Frontier, Hash};
use hallmark_schemas::tile::{self, TileError, TilePath, TileReader};

use super::disk::{Disk, OnPath};
use super::{MISSING, StoreError};

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u64 = tile::TILE_WIDTH as u64;
/// Levels of tiles a log can have: 256^8 = 2^64.
const LEVELS_MAX: usize = 8;
/// Bytes of one entry in a bundle: u16 length, then the entry.
const BUNDLE_ENTRY_BYTES: usize = 2 + ENTRY_BYTES;

/// Entries one by one, with one read for each bundle as long as they are neighbours.
pub struct EntryCursor<'a> {
    tiles: &'a Tiles,
    size: u64,
    /// Index of the first of `entries`.
    first: u64,
    entries: Vec<Entry>,
}

impl EntryCursor<'_> {
    /// The entry at `index`; `None` beyond the tree.
    pub fn get(&mut self, index: u64) -> Result<Option<Entry>, StoreError> {
        if self.size <= index {
            return Ok(None);
        }
        let end = self.first + self.entries.len() as u64;
        if !(self.first..end).contains(&index) {
            self.first = index - index % TILE_WIDTH;
            let bundle = self.first..self.size.min(self.first + TILE_WIDTH);
            self.entries = self.tiles.entries(bundle, self.size)?;
        }
        Ok(Some(self.entries[(index - self.first) as usize]))
    }
}

/// The tiles of one log.
#[derive(Clone)]
pub struct Tiles {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    faults: Arc<proved::Faults>,
    /// What was proved last: those who wait for one checkpoint ask for the same tiles.
    recent: Arc<Mutex<proved::Recent>>,
}

/// The right edge of a tree: what the next entry is hashed and written together with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edge {
    size: u64,
    /// The entries of the last, partial bundle, encoded.
    bundle: Vec<u8>,
    /// The hashes of the partial tile of each level, lowest first.
    levels: Vec<Vec<Hash>>,
}

impl Edge {
    /// The edge of an empty tree.
    pub fn empty() -> Edge {
        Edge { size: 0, bundle: Vec::new(), levels: Vec::new() }
    }

    /// Entries of the tree.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root, from the hashes of the partial tiles.
    ///
    /// A level's hashes with the root of everything right of them behave as the leaves of an
    /// RFC 6962 tree, since only the last of them may be incomplete.
    pub fn root(&self) -> Hash {
        let mut rest: Option<Hash> = None;
        for level in &self.levels {
            let mut frontier = Frontier::default();
            level.iter().copied().chain(rest).for_each(|hash| frontier.push(hash));
            if 0 < frontier.size() {
                rest = Some(frontier.root());
            }
        }
        rest.unwrap_or(merkle::EMPTY_ROOT)
    }

    /// An entry of the last, partial bundle.
    pub fn partial_entry(&self, index: u64) -> Option<Entry> {
        let local = index.checked_sub(self.size - self.size % TILE_WIDTH)? as usize;
        let bytes = self.bundle.chunks(BUNDLE_ENTRY_BYTES).nth(local)?;
        Entry::parse(bytes.get(2..)?).ok()
    }

    /// The first entry of the last, partial bundle that is not the one its hash stands for.
    ///
    /// Once the hashes are proved by a root, it is the bundle that is damaged.
    pub fn damaged_entry(&self) -> Option<u64> {
        let first = self.size - self.size % TILE_WIDTH;
        let hashes = self.levels.first().map_or(&[][..], Vec::as_slice);
        let entries = self.bundle.chunks(BUNDLE_ENTRY_BYTES);
        let wrong = entries.zip(hashes).position(|(bytes, hash)| {
            let entry = bytes.split_at_checked(2);
            let length = (ENTRY_BYTES as u16).to_be_bytes();
            entry.is_none_or(|(head, entry)| head != length || merkle::leaf_hash(entry) != *hash)
        });
        wrong.map(|wrong| first + wrong as u64)
    }

    /// Adds an entry; `full` takes the tiles and bundles that this completes.
    fn push(&mut self, entry: &Entry, full: &mut Vec<(TilePath, Vec<u8>)>) {
        let bytes = entry.to_bytes();
        self.bundle.extend_from_slice(&(ENTRY_BYTES as u16).to_be_bytes());
        self.bundle.extend_from_slice(&bytes);
        self.size += 1;
        if self.size.is_multiple_of(TILE_WIDTH) {
            let path =
                TilePath::Entries { index: self.size / TILE_WIDTH - 1, width: tile::TILE_WIDTH };
            full.push((path, std::mem::take(&mut self.bundle)));
        }
        let mut hash = merkle::leaf_hash(&bytes);
        for level in 0..LEVELS_MAX {
            if self.levels.len() == level {
                self.levels.push(Vec::with_capacity(TILE_WIDTH as usize));
            }
            let hashes = &mut self.levels[level];
            hashes.push(hash);
            if (hashes.len() as u64) < TILE_WIDTH {
                return;
            }
            hash = tile::complete_root(hashes);
            let index = (self.size >> (8 * (level + 1))) - 1;
            let path = TilePath::Hashes { level: level as u8, index, width: tile::TILE_WIDTH };
            full.push((path, hashes.concat()));
            hashes.clear();
        }
    }

    /// The partial tiles of this size, with what they hold.
    fn partial(&self) -> Vec<(TilePath, Vec<u8>)> {
        let mut files = Vec::new();
        let index = |level: usize| self.size >> (8 * (level + 1));
        if !self.bundle.is_empty() {
            let width = (self.size % TILE_WIDTH) as u16;
            files.push((TilePath::Entries { index: index(0), width }, self.bundle.clone()));
        }
        for (level, hashes) in self.levels.iter().enumerate().filter(|(_, h)| !h.is_empty()) {
            let width = hashes.len() as u16;
            let path = TilePath::Hashes { level: level as u8, index: index(level), width };
            files.push((path, hashes.concat()));
        }
        files
    }
}

impl Tiles {
    /// The tiles under `dir` (DATA/log).
    pub fn new(disk: Arc<dyn Disk>, dir: &Path) -> Tiles {
        Tiles { disk, dir: dir.to_path_buf(), faults: Arc::default(), recent: Arc::default() }
    }

    /// Adds entries to the tree of `edge` and makes all its new files durable.
    pub fn grow(&self, edge: &Edge, entries: &[Entry]) -> Result<Edge, StoreError> {
        let mut grown = edge.clone();
        let mut files = Vec::new();
        for entry in entries {
            grown.push(entry, &mut files);
        }
        let before = edge.partial();
        let new = |(path, _): &(TilePath, Vec<u8>)| !before.iter().any(|(old, _)| old == path);
        files.extend(grown.partial().into_iter().filter(new));
        self.write_all(&files)?;
        Ok(grown)
    }

    /// Writes files of tiles, durably; after a crash some may be torn.
    pub(crate) fn write_all(&self, files: &[(TilePath, Vec<u8>)]) -> Result<(), StoreError> {
        let mut dirs = Vec::new();
        for (path, bytes) in files {
            let path = self.path(path);
            let dir = path.parent().expect("tiles lie in folders").to_path_buf();
            if !dirs.contains(&dir) {
                self.disk.create_dir_all(&dir).on("make", &dir)?;
                dirs.push(dir);
            }
            self.disk.write(&path, bytes).on("write", &path)?;
        }
        // All are written before the first is synced, so that the first sync carries the others.
        for (path, _) in files {
            let path = self.path(path);
            self.disk.sync(&path).on("sync", &path)?;
        }
        for dir in &dirs {
            self.disk.sync_dir(dir).on("sync", dir)?;
        }
        Ok(())
    }

    /// Writes a file of proved bytes anew if it is lost or holds anything else, which is kept under
    /// `aside`; says whether it did.
    pub(crate) fn put(
        &self,
        path: &TilePath,
        proved: &[u8],
        aside: &Path,
    ) -> Result<bool, StoreError> {
        let disk = &*self.disk;
        let file = self.path(path);
        let here = disk.read(&file).on("read", &file)?;
        // A partial file that its full one has replaced is gone by right.
        let full = self.path(&path.full());
        let is_replaced =
            here.is_none() && !path.is_full() && disk.read(&full).on("read", &full)?.is_some();
        if here.as_deref() == Some(proved) || is_replaced {
            return Ok(false);
        }
        let aside = aside.join(path.to_string());
        match here {
            Some(damaged) => {
                let folder = aside.parent().unwrap_or(&aside);
                disk.create_dir_all(folder).on("make", folder)?;
                disk.replace(&aside, &damaged).on("write", &aside)?;
            }
            None => disk.move_folder(&file, &aside).on("move", &file)?,
        }
        let folder = file.parent().unwrap_or(&file);
        disk.create_dir_all(folder).on("make", folder)?;
        disk.replace(&file, proved).on("write", &file)?;
        self.put_back(path);
        Ok(true)
    }

    /// Writes the files of a proved tile as it was published when it was narrower anew where they
    /// hold anything else; which ones.
    pub(crate) fn put_earlier(
        &self,
        path: &TilePath,
        proved: &[u8],
        aside: &Path,
    ) -> Result<Vec<PathBuf>, StoreError> {
        let parts = self.path(&path.full()).with_added_extension("p");
        let mut mended = Vec::new();
        for name in self.disk.list(&parts).on("list", &parts)? {
            let Ok(width) = name.parse() else { continue };
            if (1..path.width()).contains(&width) {
                let earlier = path.of_width(width);
                if self.put(&earlier, &proved[..bytes_of(&earlier)], aside)? {
                    mended.push(self.path(&earlier));
                }
            }
        }
        Ok(mended)
    }

    /// Writes the files of an edge that was proved anew where they hold anything else; which ones.
    pub(crate) fn put_edge(&self, edge: &Edge, aside: &Path) -> Result<Vec<PathBuf>, StoreError> {
        let mut mended = Vec::new();
        for (path, proved) in edge.partial() {
            if self.put(&path, &proved, aside)? {
                let file = self.path(&path);
                let path = file.display();
                tracing::warn!(%path, "a file of the log was lost or damaged and is written anew");
                mended.push(file);
            }
        }
        Ok(mended)
    }

    /// Reads the right edge of the tree of `size` back. The caller compares its root.
    pub fn edge(&self, size: u64) -> Result<Edge, StoreError> {
        let mut edge = Edge { size, bundle: Vec::new(), levels: Vec::new() };
        let width = (size % TILE_WIDTH) as u16;
        if 0 < width {
            edge.bundle = self.need(&TilePath::Entries { index: size / TILE_WIDTH, width })?;
        }
        for level in 0..LEVELS_MAX {
            let hashes_here = size >> (8 * level);
            if hashes_here == 0 {
                break;
            }
            let width = (hashes_here % TILE_WIDTH) as u16;
            let mut hashes = Vec::with_capacity(TILE_WIDTH as usize);
            if 0 < width {
                let index = hashes_here / TILE_WIDTH;
                let path = TilePath::Hashes { level: level as u8, index, width };
                let bytes = self.need(&path)?;
                hashes.extend(bytes.as_chunks::<32>().0);
            }
            edge.levels.push(hashes);
        }
        Ok(edge)
    }

    /// Reads the entries from `before.size()` to `size` back from their bundles and hashes them
    /// onto the edge that was read back for the size before: nothing of it comes from memory.
    pub fn root_reread(&self, before: u64, size: u64) -> Result<Hash, StoreError> {
        let mut edge = self.edge(before)?;
        let mut from = before;
        while from < size {
            let to = size.min((from / TILE_WIDTH + 1) * TILE_WIDTH);
            let mut full = Vec::new();
            for entry in self.entries(from..to, size)? {
                edge.push(&entry, &mut full);
            }
            for (path, bytes) in full {
                if self.need(&path)? != bytes {
                    let path = self.path(&path);
                    return Err(StoreError::damaged(&path, "it differs from its entries"));
                }
            }
            from = to;
        }
        if edge != self.edge(size)? {
            return Err(StoreError::damaged(&self.dir, format!("tiles of size {size} disagree")));
        }
        Ok(edge.root())
    }

    /// The root of the tree of `size`, from the hash tiles alone.
    pub fn root_at(&self, size: u64) -> Result<Hash, StoreError> {
        self.root_within(size, size)
    }

    /// The root of the first `size` entries of a tree of `tree` entries.
    pub fn root_within(&self, size: u64, tree: u64) -> Result<Hash, StoreError> {
        if tree < size {
            return Err(StoreError::Beyond { size: tree, asked: size });
        }
        let mut reader = self.reader(tree);
        merkle::root_from_read(size, |level, index| self.hash(reader.hash(level, index)))
    }

    /// The frontier of the tree of `size`, from the hash tiles.
    pub fn frontier(&self, size: u64) -> Result<Frontier, StoreError> {
        let mut reader = self.reader(size);
        Frontier::read(size, |level, index| self.hash(reader.hash(level, index)))
    }

    /// Proof that the tree of `from` entries is a prefix of that of `to`, of the tree `tree`.
    pub fn consistency(&self, from: u64, to: u64, tree: Head) -> Result<Vec<Hash>, StoreError> {
        if tree.size < to || to < from {
            return Err(StoreError::Beyond { size: tree.size, asked: to.max(from) });
        }
        let mut reader = self.proved_reader(tree);
        merkle::consistency_proof(from, to, |level, index| self.hash(reader.hash(level, index)))
    }

    /// Proof that the entry at `index` is in the tree of `size`, of the tree `tree`.
    pub fn inclusion(&self, index: u64, size: u64, tree: Head) -> Result<Vec<Hash>, StoreError> {
        if tree.size < size || size <= index {
            return Err(StoreError::Beyond { size: size.min(tree.size), asked: index });
        }
        let mut reader = self.proved_reader(tree);
        merkle::inclusion_proof(index, size, |level, index| self.hash(reader.hash(level, index)))
    }

    /// Whether the entry at `index` with this leaf hash is in the tree `under`, of the tree `tree`.
    ///
    /// The path is read from the files as they are and proved by the root of `under`; only where it
    /// gives another root is each tile proved, or computed from what lies below it.
    pub fn includes(
        &self,
        leaf: &Hash,
        index: u64,
        under: Head,
        tree: Head,
    ) -> Result<bool, StoreError> {
        if tree.size < under.size || under.size <= index {
            return Err(StoreError::Beyond { size: under.size.min(tree.size), asked: index });
        }
        let leads_there = |path: &[Hash]| {
            merkle::verify_inclusion(leaf, index, under.size, path, &under.root).is_ok()
        };
        let mut reader = self.reader(tree.size);
        let read = |level, index| self.hash(reader.hash(level, index));
        let plain = merkle::inclusion_proof(index, under.size, read);
        if plain.is_ok_and(|path| leads_there(&path)) {
            return Ok(true);
        }
        Ok(leads_there(&self.inclusion(index, under.size, tree)?))
    }

    /// The entries of a range within the tree of `size`.
    pub fn entries(&self, range: Range<u64>, size: u64) -> Result<Vec<Entry>, StoreError> {
        if size < range.end {
            return Err(StoreError::Beyond { size, asked: range.end });
        }
        let mut entries = Vec::new();
        let mut from = range.start;
        while from < range.end {
            let index = from / TILE_WIDTH;
            let last = range.end.min((index + 1) * TILE_WIDTH);
            let path = TilePath::Entries { index, width: width_of(index, size) };
            let bytes = self.need(&path)?;
            let local = (from % TILE_WIDTH) as usize..(last - index * TILE_WIDTH) as usize;
            let wanted = &bytes[local.start * BUNDLE_ENTRY_BYTES..local.end * BUNDLE_ENTRY_BYTES];
            let parsed = parse_bundle(wanted)
                .map_err(|reason| StoreError::damaged(&self.path(&path), reason))?;
            entries.extend(parsed);
            from = last;
        }
        Ok(entries)
    }

    /// Reads single entries of the tree of `size` that are mostly neighbours.
    pub fn cursor(&self, size: u64) -> EntryCursor<'_> {
        EntryCursor { tiles: self, size, first: 0, entries: Vec::new() }
    }

    /// Removes the partial files of tiles that `size` completed, which `tlog-tiles` allows.
    pub fn remove_partial(&self, before: u64, size: u64) -> Result<(), StoreError> {
        for level in 0..LEVELS_MAX as u8 {
            let (old, new) = (before >> (8 * (level + 1)), size >> (8 * (level + 1)));
            // Only the tile that was partial before can have partial files, or none.
            if old == new {
                break;
            }
            let mut paths = vec![TilePath::Hashes { level, index: old, width: tile::TILE_WIDTH }];
            if level == 0 {
                paths.push(TilePath::Entries { index: old, width: tile::TILE_WIDTH });
            }
            for path in paths {
                self.remove_partial_of(&self.path(&path))?;
            }
        }
        Ok(())
    }

    /// Removes the partial files of the tile whose full file is this.
    fn remove_partial_of(&self, full: &Path) -> Result<(), StoreError> {
        let mut name = full.to_path_buf().into_os_string();
        name.push(".p");
        let dir = PathBuf::from(name);
        Ok(self.disk.remove_dir_all(&dir).on("remove", &dir)?)
    }

    /// Removes the tiles beyond the tree of `size`, which were written in order. Partial ones beside
    /// those of the tree itself may stay.
    pub fn remove_beyond(&self, size: u64) -> Result<(), StoreError> {
        let width = tile::TILE_WIDTH;
        for level in 0..LEVELS_MAX as u8 {
            let first = size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            let mut kinds: Vec<fn(u8, u64, u16) -> TilePath> =
                vec![|level, index, width| TilePath::Hashes { level, index, width }];
            if level == 0 {
                kinds.push(|_, index, width| TilePath::Entries { index, width });
            }
            for kind in kinds {
                for index in first.. {
                    let file = self.path(&kind(level, index, width));
                    if first < index {
                        self.remove_partial_of(&file)?;
                    }
                    if self.disk.length(&file).on("look at", &file)?.is_none() {
                        break;
                    }
                    self.disk.remove(&file).on("remove", &file)?;
                }
            }
        }
        Ok(())
    }

    fn reader(
        &self,
        size: u64,
    ) -> TileReader<impl FnMut(TilePath) -> Result<Vec<u8>, StoreError> + '_> {
        TileReader::new(size, |path| self.need(&path))
    }

    /// Reads hashes that are proved by the root of this tree.
    fn proved_reader(
        &self,
        tree: Head,
    ) -> TileReader<impl FnMut(TilePath) -> Result<Vec<u8>, StoreError> + '_> {
        TileReader::new(tree.size, move |path| {
            let tile = self.read_recent(&path, tree)?;
            tile.ok_or_else(|| StoreError::damaged(&self.path(&path), "the tree has no such tile"))
        })
    }

    fn hash(&self, read: Result<Hash, TileError<StoreError>>) -> Result<Hash, StoreError> {
        read.map_err(|error| match error {
            TileError::Fetch(error) => error,
            other => StoreError::damaged(&self.dir, other.to_string()),
        })
    }

    /// A file; a partial one is cut from the full one that replaced it, if its own is gone.
    fn need(&self, path: &TilePath) -> Result<Vec<u8>, StoreError> {
        if let Some(bytes) = self.file(path)? {
            return Ok(bytes);
        }
        let full = if path.is_full() { None } else { self.file(&path.full())? };
        let mut bytes = full.ok_or_else(|| StoreError::damaged(&self.path(path), MISSING))?;
        bytes.truncate(bytes_of(path));
        Ok(bytes)
    }

    /// A full bundle beyond the tree, as an earlier run may have left it: of the right length, and
    /// otherwise whatever a crash made of it.
    pub(crate) fn kept_bundle(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        let file = self.path(path);
        let bytes = self.disk.read(&file).on("read", &file)?;
        Ok(bytes.filter(|bytes| bytes.len() == bytes_of(path)))
    }

    /// A file, if it is there and of its right length.
    fn file(&self, path: &TilePath) -> Result<Option<Vec<u8>>, StoreError> {
        let file = self.path(path);
        let Some(bytes) = self.disk.read(&file).on("read", &file)? else {
            return Ok(None);
        };
        let expected = bytes_of(path);
        if bytes.len() != expected {
            let reason = format!("it has {} bytes instead of {expected}", bytes.len());
            return Err(StoreError::damaged(&file, reason));
        }
        Ok(Some(bytes))
    }

    /// Where a tile's file lies.
    pub fn path(&self, path: &TilePath) -> PathBuf {
        self.dir.join(path.to_string())
    }
}

/// How long a tile's file is.
fn bytes_of(path: &TilePath) -> usize {
    match *path {
        TilePath::Hashes { width, .. } => usize::from(width) * 32,
        TilePath::Entries { width, .. } => usize::from(width) * BUNDLE_ENTRY_BYTES,
    }
}

/// How wide tile `index` of a level is when the level has `hashes`.
fn width_of(index: u64, hashes: u64) -> u16 {
    hashes.saturating_sub(index * TILE_WIDTH).min(TILE_WIDTH) as u16
}

/// The entries of a bundle of a Hallmark log, whose entries all have one length.
pub fn parse_bundle(bytes: &[u8]) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::with_capacity(bytes.len() / BUNDLE_ENTRY_BYTES);
    for chunk in bytes.chunks(BUNDLE_ENTRY_BYTES) {
        match chunk.split_at_checked(2) {
            Some((length, entry)) if length == (ENTRY_BYTES as u16).to_be_bytes() => {
                entries.push(Entry::parse(entry).map_err(|error| error.to_string())?);
            }
            _ => return Err("an entry has another length than 41".to_owned()),
        }
    }
    Ok(entries)
}
