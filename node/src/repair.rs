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
/// Hashes are computed from what lies below them; a bundle is asked of `fetch`, which gives every
/// copy that it finds. The damaged file is kept under `aside`.
pub(crate) fn tiles(
    disk: &dyn Disk,
    tiles: &Tiles,
    aside: &Path,
    head: Head,
    fetch: &mut dyn FnMut(&TilePath) -> Vec<Vec<u8>>,
    told: &mut Told<'_>,
) -> Result<Mended, StoreError> {
    let paths = tiles_of_growth(0, head.size);
    let mut found = Mended::default();
    for (done, path) in (1..).zip(&paths) {
        if done % TOLD_EVERY == 0 || done == paths.len() as u64 {
            told(Phase::Tiles, done, paths.len() as u64);
        }
        let file = tiles.path(path);
        let here = disk.read(&file).on("read", &file)?;
        let proved = match tiles.read(path, head) {
            Ok(proved) => proved,
            Err(StoreError::Damaged { .. }) => {
                fetch(path).into_iter().find(|bytes| tiles.gives(path, bytes, head))
            }
            Err(error) => return Err(error),
        };
        let Some(proved) = proved else {
            found.lost.push(file);
            continue;
        };
        // A partial file that its full one has replaced is gone by right.
        let full = tiles.path(&path.full());
        let is_replaced =
            here.is_none() && !path.is_full() && disk.read(&full).on("read", &full)?.is_some();
        if here.as_ref() == Some(&proved) || is_replaced {
            continue;
        }
        if let Some(damaged) = here {
            let aside = aside.join(path.to_string());
            let folder = aside.parent().unwrap_or(&aside);
            disk.create_dir_all(folder).on("make", folder)?;
            disk.replace(&aside, &damaged).on("write", &aside)?;
        }
        let folder = file.parent().unwrap_or(&file);
        disk.create_dir_all(folder).on("make", folder)?;
        disk.replace(&file, &proved).on("write", &file)?;
        tiles.put_back(path);
        found.mended.push(file);
    }
    Ok(found)
}
