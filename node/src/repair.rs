//! Lost and damaged files of a log made whole again, also beside the node that writes them.
//!
//! Invariants: only files are touched that the writer never writes again: tiles of a published
//! size are replaced whole, damaged bytes of a pack are written over in place by the record that
//! was there, of the same length; what was damaged is kept in DATA/damaged; nothing counts that
//! the root, or a body's own id, does not prove.

use std::path::{Path, PathBuf};

use hallmark_schemas::head::Head;
use hallmark_schemas::tile::{TilePath, tiles_of_growth};

use crate::restore::{Phase, Told};
use crate::store::StoreError;
use crate::store::disk::{Disk, OnPath};
use crate::store::tiles::Tiles;

mod ends;
pub(crate) mod packs;

/// Tiles that are told at once.
const TOLD_EVERY: u64 = 64;

/// What became of the files of a tree.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Mended {
    /// They were lost or damaged and are whole again.
    pub(crate) mended: Vec<PathBuf>,
    /// Nobody could give them back.
    pub(crate) lost: Vec<PathBuf>,
}

/// Reads every file of this tree and writes those anew that are lost or damaged.
///
/// Hashes are computed from what lies below them where that is whole; what cannot be computed is
/// asked of `fetch`, which gives every copy that it finds. From the root down, so that each file is
/// proved by those above it. The damaged file is kept under `aside`.
pub(crate) fn tiles(
    disk: &dyn Disk,
    tiles: &Tiles,
    aside: &Path,
    head: Head,
    fetch: &mut dyn FnMut(&TilePath) -> Vec<Vec<u8>>,
    told: &mut Told<'_>,
) -> Result<Mended, StoreError> {
    let mut found = Mended::default();
    match tiles.proved_edge_files(head, fetch) {
        Ok(files) => {
            for (path, proved) in files {
                if tiles.put(&path, &proved, aside)? {
                    found.mended.push(tiles.path(&path));
                }
            }
        }
        Err(StoreError::Damaged { .. }) => {
            // Without its edge nothing of the tree is proved, so nothing of it is touched.
            found.lost = lost_of_edge(disk, tiles, head)?;
            return Ok(found);
        }
        Err(error) => return Err(error),
    }
    let paths = tiles_of_growth(0, head.size);
    for (done, path) in (1..).zip(paths.iter().rev()) {
        if done % TOLD_EVERY == 0 || done == paths.len() as u64 {
            told(Phase::Tiles, done, paths.len() as u64);
        }
        let proved = match tiles.read(path, head) {
            Ok(proved) => proved,
            Err(StoreError::Damaged { .. }) => {
                fetch(path).into_iter().find(|bytes| tiles.gives(path, bytes, head))
            }
            Err(error) => return Err(error),
        };
        let Some(proved) = proved else {
            found.lost.push(tiles.path(path));
            continue;
        };
        if tiles.put(path, &proved, aside)? {
            found.mended.push(tiles.path(path));
        }
        found.mended.extend(tiles.put_earlier(path, &proved, aside)?);
    }
    Ok(found)
}

/// The files of an edge that nothing proves: those that are not there, or all of them, since
/// nothing says which of them is wrong.
fn lost_of_edge(disk: &dyn Disk, tiles: &Tiles, head: Head) -> Result<Vec<PathBuf>, StoreError> {
    let edge = tiles_of_growth(0, head.size).into_iter();
    let edge: Vec<PathBuf> = edge
        .filter(|path| matches!(path, TilePath::Hashes { .. }) && !path.is_full())
        .map(|path| tiles.path(&path))
        .collect();
    let mut missing = Vec::new();
    for file in &edge {
        if disk.read(file).on("read", file)?.is_none() {
            missing.push(file.clone());
        }
    }
    Ok(if missing.is_empty() { edge } else { missing })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hallmark_schemas::attestation::ContentId;
    use hallmark_schemas::entry::Entry;

    use super::*;
    use crate::store::disk::OsDisk;
    use crate::store::tiles::Edge;

    const SIZE: u64 = 3 * 256 + 40;

    struct Kept {
        folder: tempfile::TempDir,
        tiles: Tiles,
        head: Head,
    }

    fn kept() -> Kept {
        let folder = tempfile::tempdir().unwrap();
        let at = crate::core::testing::NOW;
        let id = |number: u64| ContentId::of(&number.to_be_bytes());
        let entries =
            (0..SIZE).map(|number| Entry { audience: 0, admitted_at: at, id: id(number) });
        let entries: Vec<Entry> = entries.collect();
        let tiles = Tiles::new(Arc::new(OsDisk), &folder.path().join("log"));
        let edge = tiles.grow(&Edge::empty(), &entries).unwrap();
        let head = Head { size: edge.size(), root: edge.root() };
        Kept { folder, tiles, head }
    }

    impl Kept {
        fn file(&self, path: &str) -> PathBuf {
            self.folder.path().join("log/tile").join(path)
        }

        fn flip(&self, path: &str) {
            let mut bytes = std::fs::read(self.file(path)).unwrap();
            bytes[50] ^= 4;
            std::fs::write(self.file(path), bytes).unwrap();
        }

        fn all(&self) -> Vec<(TilePath, Vec<u8>)> {
            let paths = tiles_of_growth(0, self.head.size).into_iter();
            paths.map(|path| (path, std::fs::read(self.tiles.path(&path)).unwrap())).collect()
        }

        /// Repaired with the files that peers give; nothing of what they give may be believed.
        fn repaired(&self, peers: &[(TilePath, Vec<u8>)]) -> Mended {
            let mut fetch = |path: &TilePath| {
                let held = peers.iter().filter(|(held, _)| held == path);
                let held = held.map(|(_, bytes)| bytes.clone());
                let wrong = held.clone().map(|mut bytes| {
                    bytes[3] ^= 1;
                    bytes
                });
                wrong.chain([Vec::new()]).chain(held).collect()
            };
            let aside = self.folder.path().join("damaged");
            let disk = OsDisk;
            tiles(&disk, &self.tiles, &aside, self.head, &mut fetch, &mut |_, _, _| {}).unwrap()
        }
    }

    /// What is wrong at once, and what of it is mended without anyone's help.
    const DAMAGES: [(&str, &str, &str, bool); 4] = [
        // Of each hash either the tile or the entries are whole.
        ("1/000.p/3", "0/001", "entries/002", true),
        ("1/000.p/3", "0/001", "0/000", true),
        // Neither is, so that nothing here gives the upper tile.
        ("1/000.p/3", "0/001", "entries/001", false),
        ("0/003.p/40", "entries/003.p/40", "entries/000", false),
    ];

    #[test]
    fn several_damages_at_once_are_mended_from_what_is_whole_and_the_rest_from_peers() {
        let whole = kept().all();
        for (lost, flipped, other, is_from_here) in DAMAGES {
            let kept = kept();
            std::fs::remove_file(kept.file(lost)).unwrap();
            kept.flip(flipped);
            kept.flip(other);
            let told = kept.repaired(&[]);
            let hashes = [lost, flipped, other].into_iter().filter(|f| !f.starts_with("entries"));
            if is_from_here {
                let mended = told.mended.iter().collect::<Vec<_>>();
                assert!(hashes.map(|file| kept.file(file)).all(|file| mended.contains(&&file)));
            } else {
                assert_eq!(told, Mended { lost: vec![kept.file(lost)], ..Mended::default() });
            }
            for entries in [flipped, other].into_iter().filter(|_| is_from_here) {
                let is_lost = told.lost.contains(&kept.file(entries));
                assert_eq!(is_lost, entries.starts_with("entries"), "{told:?}");
            }
            let told = kept.repaired(&whole);
            assert_eq!(told.lost, [] as [PathBuf; 0]);
            assert_eq!(kept.all(), whole, "{lost} {flipped} {other}");
            assert_eq!(kept.repaired(&[]), Mended::default(), "nothing is left to do");
        }
    }

    #[test]
    fn a_folder_where_a_tile_belongs_is_moved_aside_and_the_tile_written_anew() {
        let whole = kept().all();
        let kept = kept();
        let aside = kept.folder.path().join("damaged/tile/0");
        for times in 1..3 {
            let file = kept.file("0/001");
            std::fs::remove_file(&file).unwrap();
            std::fs::create_dir(&file).unwrap();
            std::fs::write(file.join("within"), b"kept").unwrap();
            assert_eq!(kept.repaired(&[]), Mended { mended: vec![file], ..Mended::default() });
            assert_eq!(kept.all(), whole);
            assert_eq!(std::fs::read_dir(&aside).unwrap().count(), times);
        }
        assert_eq!(std::fs::read(aside.join("001.folder-0/within")).unwrap(), b"kept");
    }

    #[test]
    fn an_earlier_tile_that_does_not_begin_the_one_of_now_is_written_anew() {
        let kept = kept();
        let narrower = |of: &str, file: &str, bytes: usize| {
            let newest = std::fs::read(kept.file(of)).unwrap();
            std::fs::write(kept.file(file), &newest[..bytes]).unwrap();
            newest[..bytes].to_vec()
        };
        let files = ["0/003.p/7", "1/000.p/2", "entries/003.p/30"];
        let whole = [
            narrower("0/003.p/40", files[0], 7 * 32),
            narrower("1/000.p/3", files[1], 2 * 32),
            narrower("entries/003.p/40", files[2], 30 * 43),
        ];
        assert_eq!(kept.repaired(&[]), Mended::default());
        kept.flip(files[0]);
        kept.flip(files[1]);
        std::fs::write(kept.file(files[2]), b"short").unwrap();
        let mut told = kept.repaired(&[]);
        told.mended.sort();
        let expected = Mended { mended: files.map(|file| kept.file(file)).to_vec(), lost: vec![] };
        assert_eq!(told, expected);
        assert_eq!(files.map(|file| std::fs::read(kept.file(file)).unwrap()), whole);
    }

    #[test]
    fn an_edge_that_nobody_gives_is_named_and_nothing_is_touched() {
        let kept = kept();
        for file in ["0/003.p/40", "entries/003.p/40"] {
            kept.flip(file);
        }
        let before = kept.all();
        let told = kept.repaired(&[]);
        let edge = ["0/003.p/40", "1/000.p/3"].map(|file| kept.file(file));
        assert_eq!(told, Mended { lost: edge.to_vec(), ..Mended::default() });
        assert_eq!(kept.all(), before);
        assert!(!kept.folder.path().join("damaged").exists());
    }
}
