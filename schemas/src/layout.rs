//! Names of files under DIR and DATA.
//!
//! Invariant: nothing here touches a disk; every program that reads or writes these places asks
//! here for their names.

use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// The folder of one node: `hallmark-node init DIR`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dir(PathBuf);

impl Dir {
    /// The folder at this path.
    pub fn new(path: impl Into<PathBuf>) -> Dir {
        Dir(path.into())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Options.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// Key files, one a role.
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// The key file of a role, such as `organisation`, `log` or `capture`.
    pub fn key(&self, role: &str) -> PathBuf {
        self.keys().join(format!("{role}.key"))
    }

    /// The network file.
    pub fn network(&self) -> PathBuf {
        self.0.join("network.hallmark")
    }

    /// Superseded versions of the network file, each named by its version.
    pub fn former_networks(&self) -> PathBuf {
        self.0.join("networks")
    }

    /// The request for admission.
    pub fn join(&self) -> PathBuf {
        self.0.join("join.cbor")
    }

    /// The two slots of the log's head; in no backup.
    pub fn head_slots(&self) -> [PathBuf; 2] {
        let head = self.0.join("head");
        [head.join("slot-a"), head.join("slot-b")]
    }

    /// What this node's witness has cosigned; in no backup.
    pub fn witness_memory(&self) -> PathBuf {
        self.0.join("head").join("witness")
    }

    /// What is there while the node runs.
    pub fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// The socket of the local commands.
    pub fn socket(&self) -> PathBuf {
        self.run().join("node.sock")
    }

    /// Where the running node is reached.
    pub fn addresses(&self) -> PathBuf {
        self.run().join("addresses.json")
    }

    /// The ports that the node was given, so that it asks for the same again.
    pub fn ports(&self) -> PathBuf {
        self.run().join("ports.json")
    }

    /// Held by the one process that uses the folder.
    pub fn lock(&self) -> PathBuf {
        self.run().join("lock")
    }

    /// Held by the one process that makes labels.
    pub fn label_lock(&self) -> PathBuf {
        self.run().join("label.lock")
    }

    /// Signed attestations on their way to the node.
    pub fn outbox(&self) -> PathBuf {
        self.0.join("outbox")
    }

    /// DATA, unless configured elsewhere.
    pub fn data(&self) -> Data {
        Data(self.0.join("data"))
    }
}

/// The folder of what a node keeps, or of one peer within it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Data(PathBuf);

impl Data {
    /// The folder at this path.
    pub fn new(path: impl Into<PathBuf>) -> Data {
        Data(path.into())
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Tiles, entry bundles and checkpoint, as a static web server can serve them.
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }

    /// The published checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        self.log().join("checkpoint")
    }

    /// A tile, by the path that the log's URL ends with, such as `tile/0/000`.
    pub fn tile(&self, path: &str) -> PathBuf {
        self.log().join(path)
    }

    /// Defect proofs about this log.
    pub fn defects(&self) -> PathBuf {
        self.0.join("defects")
    }

    /// Bodies.
    pub fn packs(&self) -> PathBuf {
        self.0.join("packs")
    }

    /// One segment of bodies.
    pub fn pack(&self, number: u32) -> PathBuf {
        self.packs().join(format!("{number:08}.pack"))
    }

    /// The number of a segment, from its file name.
    pub fn pack_number(file_name: &str) -> Option<u32> {
        let digits = file_name.strip_suffix(".pack")?;
        let plain = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    }

    /// The key-value index.
    pub fn index(&self) -> PathBuf {
        self.0.join("index")
    }

    /// Evidence tables.
    pub fn lake(&self) -> PathBuf {
        self.0.join("lake")
    }

    /// What the sequencer is about to do.
    pub fn intent(&self) -> PathBuf {
        self.0.join("intent")
    }

    /// Every cosigned checkpoint that was published.
    pub fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoints")
    }

    /// The record that is being erased.
    pub fn erasing(&self) -> PathBuf {
        self.0.join("erasing")
    }

    /// Which checkpoints were lost for good when the log was made whole again.
    pub fn restored(&self) -> PathBuf {
        self.0.join("restored")
    }

    /// A checkpoint of the own log that was signed elsewhere and is not of the tree here.
    pub fn elsewhere(&self) -> PathBuf {
        self.0.join("elsewhere")
    }

    /// Trees of the own log that were signed, never published, and given up for another.
    pub fn given_up(&self) -> PathBuf {
        self.0.join("given-up")
    }

    /// Room that is kept for the day the disk is full.
    pub fn reserve(&self) -> PathBuf {
        self.0.join("reserve")
    }

    /// Files that were found damaged, as they were found.
    pub fn damaged(&self) -> PathBuf {
        self.0.join("damaged")
    }

    /// Submissions that wait for their key.
    pub fn deferred(&self) -> PathBuf {
        self.0.join("deferred")
    }

    /// What became of captured documents.
    pub fn jobs(&self) -> PathBuf {
        self.0.join("jobs")
    }

    /// All followed logs.
    pub fn peers(&self) -> PathBuf {
        self.0.join("peers")
    }

    /// One followed log.
    pub fn peer(&self, origin: &str) -> Data {
        Data(self.peers().join(peer_name(origin)))
    }
}

/// The name of a followed log in paths and URLs: SHA-256 of its origin, hex.
pub fn peer_name(origin: &str) -> String {
    crate::hex::encode(&Sha256::digest(origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_design() {
        let data = Dir::new("n").data();
        assert_eq!(data.tile("tile/0/x001/234"), Path::new("n/data/log/tile/0/x001/234"));
        assert_eq!(data.pack(7), Path::new("n/data/packs/00000007.pack"));
        assert_eq!(Data::pack_number("00000007.pack"), Some(7));
        assert_eq!(Data::pack_number("7.pack"), None);
        let peer = data.peer("steel/gln-1/1");
        assert_eq!(peer.path().file_name().map(std::ffi::OsStr::len), Some(64));
    }
}
