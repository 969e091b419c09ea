//! Which files of the logs held here were found lost or damaged.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Node;

impl Node {
    /// Tiles and entry bundles, of the own and all followed logs, that were found lost or damaged
    /// when they were read.
    pub fn damaged_tiles(&self) -> Vec<PathBuf> {
        let mut paths = self.log().damaged_tiles();
        paths.extend(self.mirror().logs().iter().flat_map(|log| log.damaged_tiles()));
        paths
    }

    /// These, and the segments of packs with a record that was found lost or damaged.
    pub fn damaged_files(&self) -> Vec<PathBuf> {
        let mut paths = self.damaged_tiles();
        paths.extend(self.log().damaged_packs());
        let of_peers = self.mirror().logs().into_iter().flat_map(|log| log.damaged_records());
        let of_peers: BTreeSet<PathBuf> = of_peers.map(|(path, _)| path).collect();
        paths.extend(of_peers);
        paths
    }
}
