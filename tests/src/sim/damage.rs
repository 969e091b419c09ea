//! In some worlds, once all is settled and quiet: the copy of a log is damaged on the disk of a node
//! that keeps it, and is fetched again, though nothing new comes to that log.

use std::path::PathBuf;

use hallmark_node::store::sim::SimDisk;

use super::host::End;
use super::stock::{HONEST, STOCK};
use super::world::{What, World};

impl World {
    /// Damages a copy while its node is down, and waits until it is whole.
    pub(super) fn damage(&mut self) -> Result<(), String> {
        if self.rng.u8(..4) != 0 {
            return Ok(());
        }
        let host = self.rng.usize(..HONEST);
        let whose = (host + 1 + self.rng.usize(..HONEST - 1)) % HONEST;
        self.hosts[host].end(End::Killed, &mut self.rng);
        let is_lost = self.rng.bool();
        self.note(|| format!("node {host}: its copy of log {whose} is damaged, lost: {is_lost}"));
        damage(&self.hosts[host].disk, &STOCK.origins[whose], is_lost, &mut self.rng);
        // Until it is whole again it is served as far as it is fetched, which is not at all at first.
        self.oracle.damaged(host, &STOCK.origins[whose]);
        self.plan(10, What::Start(host));
        self.settle()
    }
}

/// Flips a bit in a tile or bundle of this copy, or loses it.
fn damage(disk: &SimDisk, origin: &str, is_lost: bool, rng: &mut fastrand::Rng) {
    let copy = hallmark_node::sim::dir().data().peer(origin);
    let log = copy.log();
    let is_tile = |path: &PathBuf| path.starts_with(&log) && *path != copy.checkpoint();
    let files: Vec<PathBuf> = disk.paths().into_iter().filter(is_tile).collect();
    let Some(path) = rng.choice(&files) else { return };
    if is_lost {
        disk.lose(path);
        return;
    }
    disk.corrupt(path, |bytes| {
        if !bytes.is_empty() {
            let bit = rng.usize(..bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    });
}
