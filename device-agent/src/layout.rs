//! Names of the files under an agent's folder.

use std::path::{Path, PathBuf};

/// An agent's folder.
#[derive(Clone, Debug)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The names under `dir`; nothing is read or made.
    pub fn new(dir: impl Into<PathBuf>) -> Layout {
        Layout { dir: dir.into() }
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The options.
    pub fn config(&self) -> PathBuf {
        self.dir.join("config.toml")
    }

    /// The device's key; it never leaves this folder.
    pub fn key(&self) -> PathBuf {
        self.dir.join("device.key")
    }

    /// What the organisation's node is given to admit the device.
    pub fn enrol(&self) -> PathBuf {
        self.dir.join("enrol.cbor")
    }

    /// What it gave back.
    pub fn enrolled(&self) -> PathBuf {
        self.dir.join("enrolled.cbor")
    }

    /// What was taken and has no receipt yet.
    pub fn spool(&self) -> PathBuf {
        self.dir.join("spool")
    }

    /// Scans of the last hours, to tell a repeated one.
    pub fn scans(&self) -> PathBuf {
        self.dir.join("scans")
    }

    /// Counts over all starts, for `status`.
    pub fn tally(&self) -> PathBuf {
        self.dir.join("tally.json")
    }

    /// Held by the one process that works on the folder.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }
}
