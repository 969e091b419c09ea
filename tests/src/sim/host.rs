//! A machine with a simulated disk, on which a node runs, dies and starts again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use hallmark_node::core::Signing;
use hallmark_node::index::memory::MemoryIndex;
use hallmark_node::sequencer::writing::Now;
use hallmark_node::sim::{self, Setup, SimNode};
use hallmark_node::store::disk::Disk;
use hallmark_node::store::sim::SimDisk;
use hallmark_schemas::network::NetworkFile;

use super::oracle::{DEFERRED_BYTES_MAX, DEFERRED_PER_KEY_MAX, LACKING_MAX};
use super::stock::{DAWN, STOCK};

/// How a process ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// Killed: what it wrote is in the page cache.
    Killed,
    /// With the machine: what was not synced may be gone.
    PowerCut,
}

/// What else than the newest files a node runs on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Old {
    /// DATA of an old backup, the head as it is.
    Data,
    /// The whole folder of an old copy.
    Whole,
}

/// What was there at some instant.
struct Backup {
    disk: SimDisk,
    index: Arc<MemoryIndex>,
    size: u64,
}

/// One machine.
pub(super) struct Host {
    pub(super) setup: Arc<Setup>,
    pub(super) disk: SimDisk,
    index: Arc<MemoryIndex>,
    /// What of the index is on the disk.
    index_durable: Arc<MemoryIndex>,
    pub(super) node: Option<SimNode>,
    /// Counts the starts: what is meant for an earlier process is not heard.
    pub(super) epoch: u32,
    /// The clock is wrong by so many milliseconds.
    pub(super) skew_ms: i64,
    pub(super) old: Option<Old>,
    newest: Option<(SimDisk, Arc<MemoryIndex>)>,
    backup: Option<Backup>,
    /// A disk on which everything fails, or is full.
    pub(super) is_read_only: bool,
}

impl Host {
    pub(super) fn new(member: usize, network: &NetworkFile) -> Result<Host, String> {
        let disk = SimDisk::default();
        let any: Arc<dyn Disk> = Arc::new(disk.clone());
        sim::create(&any, &STOCK.origins[member])?;
        let setup = Setup {
            network: network.clone(),
            origin: STOCK.origins[member].clone(),
            log_signer: STOCK.logs[member].signer().clone(),
            witness_signer: STOCK.witnesses[member].clone(),
            batch_wait_max: Duration::from_millis(120),
            reserve_bytes: 16 << 10,
            limits: (DEFERRED_BYTES_MAX, DEFERRED_PER_KEY_MAX, LACKING_MAX),
        };
        Ok(Host {
            setup: Arc::new(setup),
            disk,
            index: Arc::default(),
            index_durable: Arc::default(),
            node: None,
            epoch: 0,
            skew_ms: 0,
            old: None,
            newest: None,
            backup: None,
            is_read_only: false,
        })
    }

    /// Both clocks of this machine at a virtual instant.
    pub(super) fn now(&self, at_ms: u64) -> Now {
        Now {
            monotonic: Duration::from_millis(at_ms),
            clock: DAWN.checked_add_ms(at_ms as i64 + self.skew_ms).unwrap_or(DAWN),
        }
    }

    /// Starts the node on what is here; what it says if it does not start.
    pub(super) fn start(&mut self, at_ms: u64) -> Result<(), String> {
        self.epoch += 1;
        let now = self.now(at_ms);
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let run = self.run();
        let node = SimNode::start(self.setup.clone(), disk, self.index.clone(), now, run)?;
        self.node = Some(node);
        Ok(())
    }

    /// Ends the process.
    pub(super) fn end(&mut self, end: End, rng: &mut Rng) {
        self.node = None;
        self.epoch += 1;
        match end {
            End::Killed => self.disk.killed(),
            End::PowerCut => {
                let read_only = self.is_read_only;
                self.disk = self.disk.after_power_cut(&mut |end| rng.u64(..end));
                self.disk.set_read_only(read_only);
                self.index = match rng.u8(..4) {
                    0 => Arc::default(),
                    1 => self.index.clone(),
                    _ => Arc::new(self.index_durable.copy()),
                };
            }
        }
    }

    /// Some of the index reaches the disk.
    pub(super) fn persist_index(&mut self) {
        self.index_durable = Arc::new(self.index.copy());
    }

    /// The index as it is.
    pub(super) fn index_now(&self) -> Arc<MemoryIndex> {
        Arc::new(self.index.copy())
    }

    /// Puts an index in the place of what is here.
    pub(super) fn put_index(&mut self, index: Arc<MemoryIndex>) {
        self.index = index;
        self.persist_index();
    }

    /// Keeps a copy of the whole folder, as of a running node.
    pub(super) fn back_up(&mut self) {
        let Some(node) = &self.node else { return };
        if self.old.is_none() {
            let (disk, index) = (self.disk.copy(), Arc::new(self.index.copy()));
            disk.set_read_only(false);
            disk.set_capacity(None);
            self.backup = Some(Backup { disk, index, size: node.head().size });
        }
    }

    /// Puts the old copy in the place of what is here, if the log has grown since.
    pub(super) fn restore(&mut self, what: Old, published: u64, rng: &mut Rng) -> bool {
        let head = self.node.as_ref().map_or(0, |node| node.head().size);
        let Some(backup) = self.backup.take() else { return false };
        let grown = match what {
            Old::Data => backup.size < head,
            Old::Whole => backup.size < published,
        };
        if !grown || self.old.is_some() || self.node.is_none() {
            return false;
        }
        self.end(End::Killed, rng);
        self.newest = Some((self.disk.clone(), self.index.clone()));
        let (disk, index) = (self.disk.copy(), backup.index);
        match what {
            Old::Data => {
                disk.restore(&backup.disk, sim::dir().data().path());
                self.disk = disk;
            }
            Old::Whole => self.disk = backup.disk,
        }
        self.index = if rng.bool() { index } else { Arc::new(self.index.copy()) };
        self.old = Some(what);
        true
    }

    /// Puts the newest files back.
    pub(super) fn put_back(&mut self, rng: &mut Rng) {
        if let Some((disk, index)) = self.newest.take() {
            self.end(End::Killed, rng);
            (self.disk, self.index) = (disk, index);
            // The whole folder: no index of what ran meanwhile comes with it.
            self.index_durable = Arc::new(self.index.copy());
            self.disk.set_read_only(false);
            self.is_read_only = false;
            self.old = None;
        }
    }

    /// Puts the memory of the witness back as it was in the old copy, if there is one.
    pub(super) fn restore_memory(&self) -> Result<bool, String> {
        let Some(backup) = &self.backup else { return Ok(false) };
        sim::restore_memory(&self.disk, &backup.disk, &self.setup.network)?;
        Ok(true)
    }

    /// Whether the node, started again, could do better.
    pub(super) fn is_ill(&self) -> bool {
        let ill = |node: &SimNode| {
            matches!(node.signing(), Signing::ReadOnly { .. } | Signing::Stopped { .. })
        };
        self.node.as_ref().is_none_or(ill)
    }

    /// A node of its own on a copy of the disk, of which some bits are flipped.
    pub(super) fn flipped(&self, at_ms: u64, rng: &mut Rng) -> Option<SimNode> {
        let disk = self.disk.copy();
        disk.set_read_only(false);
        disk.set_capacity(None);
        disk.killed();
        let paths = disk.paths();
        for _ in 0..rng.usize(1..3) {
            let path: &Path = &paths[rng.usize(..paths.len())];
            disk.corrupt(path, |bytes| {
                if !bytes.is_empty() {
                    let bit = rng.usize(..bytes.len() * 8);
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            });
        }
        let index = if rng.bool() { Arc::default() } else { Arc::new(self.index.copy()) };
        let disk: Arc<dyn Disk> = Arc::new(disk);
        SimNode::start(self.setup.clone(), disk, index, self.now(at_ms), self.run()).ok()
    }

    /// The number of this run: no other node or start has it.
    fn run(&self) -> u64 {
        u64::from(self.epoch)
    }

    /// A second process on a copy of the files, while the first one runs.
    pub(super) fn twin(&self, at_ms: u64, number: u64) -> Result<SimNode, String> {
        let (disk, index) = (self.disk.copy(), Arc::new(self.index.copy()));
        let (disk, now): (Arc<dyn Disk>, Now) = (Arc::new(disk), self.now(at_ms));
        SimNode::start(self.setup.clone(), disk, index, now, u64::MAX - number)
    }
}
