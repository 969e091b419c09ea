//! Which faults a world has, and the nemesis that brings them about.
//!
//! Each seed draws a few kinds of faults, so that each kind also meets a world without the others.

use fastrand::Rng;
use hallmark_node::sim::{Call, Effect, Event};

use super::host::Old;
use super::stock::HONEST;
use super::world::{What, World};

/// What can go wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    Crash,
    StopInside,
    SyncFails,
    DiskFull,
    ReadOnlyDisk,
    BitFlips,
    ClockJumps,
    Cut,
    BadLine,
    OldData,
    OldWhole,
    MixedIndex,
    WitnessForgets,
}

const FAULTS: [Fault; 13] = [
    Fault::Crash,
    Fault::StopInside,
    Fault::SyncFails,
    Fault::DiskFull,
    Fault::ReadOnlyDisk,
    Fault::BitFlips,
    Fault::ClockJumps,
    Fault::Cut,
    Fault::BadLine,
    Fault::OldData,
    Fault::OldWhole,
    Fault::MixedIndex,
    Fault::WitnessForgets,
];

/// The faults of one world and what of them is at work.
pub(super) struct Weather {
    pub(super) is_witnessed: bool,
    pub(super) is_flooded: bool,
    /// The liar serves entries without end.
    pub(super) is_endless: bool,
    faults: Vec<Fault>,
    /// Whose whole folder is put back.
    victim: usize,
    cut: [[bool; HONEST + 1]; HONEST + 1],
    loss: u8,
    slow_ms: u64,
    may_stop: [bool; HONEST],
}

impl Weather {
    pub(super) fn draw(rng: &mut Rng) -> Weather {
        let is_witnessed = rng.u8(..4) != 0;
        let mut faults: Vec<Fault> = FAULTS.into_iter().filter(|_| rng.u8(..3) == 0).collect();
        if !is_witnessed {
            // Nobody else could know of what a whole old folder forgot.
            faults.retain(|fault| *fault != Fault::OldWhole);
        }
        if faults.contains(&Fault::WitnessForgets) {
            // Of two witnesses that forget at once neither can tell the other.
            faults.retain(|fault| *fault != Fault::OldWhole);
        }
        if faults.is_empty() {
            faults.push(Fault::Crash);
        }
        if faults.contains(&Fault::OldWhole) && rng.bool() {
            faults = vec![Fault::OldWhole];
        }
        Weather {
            is_witnessed,
            is_flooded: rng.u8(..4) == 0,
            is_endless: rng.u8(..24) == 0,
            faults,
            victim: rng.usize(..HONEST),
            cut: Default::default(),
            loss: 0,
            slow_ms: 20,
            may_stop: [false; HONEST],
        }
    }

    /// All faults end.
    pub(super) fn clear(&mut self) {
        self.cut = Default::default();
        (self.loss, self.slow_ms, self.is_flooded) = (0, 20, false);
        self.may_stop = [false; HONEST];
    }

    /// Whether a fault is at work that may end this node's process.
    pub(super) fn may_stop(&self, host: usize) -> bool {
        self.may_stop[host]
    }

    pub(super) fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut[from][to]
    }

    pub(super) fn loses(&self, rng: &mut Rng) -> bool {
        rng.u8(..100) < self.loss
    }

    pub(super) fn doubles(&self, rng: &mut Rng) -> bool {
        0 < self.loss && rng.u8(..5) == 0
    }

    pub(super) fn delay_ms(&self, rng: &mut Rng) -> u64 {
        1 + rng.u64(..self.slow_ms)
    }
}

impl World {
    /// One fault comes or goes.
    pub(super) fn nemesis(&mut self) -> Result<(), String> {
        let host = self.rng.usize(..HONEST);
        if self.rng.u8(..3) == 0 {
            self.hosts[host].persist_index();
        }
        if self.rng.u8(..4) == 0 {
            self.hosts[host].back_up();
        }
        let fault = self.weather.faults[self.rng.usize(..self.weather.faults.len())];
        self.note(|| format!("{fault:?} at node {host}"));
        match fault {
            Fault::Crash => {
                let (end, wait) = self.an_end();
                if self.hosts[host].node.is_some() {
                    self.note(|| format!("node {host}: {end:?}"));
                    self.hosts[host].end(end, &mut self.rng);
                    self.plan(wait, What::Start(host));
                }
                Ok(())
            }
            Fault::StopInside | Fault::SyncFails | Fault::DiskFull | Fault::ReadOnlyDisk => {
                self.fail_disk(host, fault);
                Ok(())
            }
            Fault::BitFlips => self.flip(host),
            Fault::ClockJumps => {
                self.hosts[host].skew_ms = self.rng.i64(-7_200_000..7_200_000);
                Ok(())
            }
            Fault::Cut => {
                self.cut();
                Ok(())
            }
            Fault::BadLine => {
                self.weather.loss = self.rng.u8(..40);
                self.weather.slow_ms = self.rng.u64(5..500);
                Ok(())
            }
            Fault::OldData => self.restore(host, Old::Data),
            Fault::OldWhole => {
                // Always the same node: what the others know of it matters.
                self.restore_whole(self.weather.victim)
            }
            Fault::MixedIndex => {
                let other = (host + 1 + self.rng.usize(..HONEST - 1)) % HONEST;
                self.mix_index(host, other);
                Ok(())
            }
            Fault::WitnessForgets => self.forget(host),
        }
    }

    /// The disk of a node fails in one of its ways, until it is repaired.
    fn fail_disk(&mut self, host: usize, fault: Fault) {
        let disk = &self.hosts[host].disk;
        let wait = match fault {
            Fault::DiskFull => {
                let room = self.rng.usize(..3000);
                disk.set_capacity(Some(disk.used() + room));
                self.rng.u64(300..2500)
            }
            Fault::ReadOnlyDisk => {
                disk.set_read_only(true);
                self.hosts[host].is_read_only = true;
                self.rng.u64(300..1500)
            }
            Fault::SyncFails => {
                disk.fail_next_sync();
                1500
            }
            _ => {
                disk.stop_at(self.rng.usize(..24));
                1500
            }
        };
        if fault != Fault::DiskFull {
            self.weather.may_stop[host] = true;
        }
        self.plan(wait, What::Repair(host));
    }

    /// A node starts again under the index of another.
    fn mix_index(&mut self, host: usize, other: usize) {
        if self.hosts[host].node.is_none() || self.hosts[host].old.is_some() {
            return;
        }
        let index = self.hosts[other].index_now();
        let (end, wait) = self.an_end();
        self.hosts[host].end(end, &mut self.rng);
        self.hosts[host].put_index(index);
        self.plan(wait, What::Start(host));
    }

    /// Some nodes no longer reach others, or all reach all again.
    fn cut(&mut self) {
        let side: [bool; HONEST + 1] = std::array::from_fn(|_| self.rng.bool());
        let one_way = self.rng.u8(..4) == 0;
        for from in 0..=HONEST {
            for to in 0..=HONEST {
                let differs = side[from] && !side[to] || (!one_way && !side[from] && side[to]);
                self.weather.cut[from][to] = differs;
            }
        }
    }

    /// Only one of the two other nodes reaches this one, and the other one only once its folder was
    /// put back: so the guard hears one that knows nothing of the quorum that formed meanwhile.
    fn restore_whole(&mut self, host: usize) -> Result<(), String> {
        let (one, other) = ((host + 1) % HONEST, (host + 2) % HONEST);
        let was_old = self.hosts[host].old.is_some();
        self.restore(host, Old::Whole)?;
        let is_old = self.hosts[host].old.is_some();
        if was_old {
            return Ok(());
        }
        for (node, is_cut) in [(one, !is_old), (other, is_old)] {
            self.weather.cut[node][host] = is_cut;
            self.weather.cut[host][node] = is_cut;
        }
        if !is_old && self.rng.u8(..4) == 0 {
            self.hosts[host].back_up();
        }
        Ok(())
    }

    fn restore(&mut self, host: usize, what: Old) -> Result<(), String> {
        let published = self.oracle.published(host);
        if self.hosts[host].restore(what, published, &mut self.rng) {
            self.note(|| format!("node {host} runs on old files: {what:?}"));
            self.plan(5, What::Start(host));
            let wait = self.rng.u64(500..3000);
            self.plan(wait, What::Repair(host));
        }
        Ok(())
    }

    /// The fault at a node is repaired; the node starts again if it is the worse for it.
    pub(super) fn repair(&mut self, host: usize) -> Result<(), String> {
        if self.is_healed {
            return Ok(());
        }
        let one = &mut self.hosts[host];
        one.put_back(&mut self.rng);
        one.is_read_only = false;
        one.disk.set_read_only(false);
        one.disk.set_capacity(None);
        let is_struck = one.disk.stopped() || one.disk.failed() || one.is_ill();
        if is_struck || self.weather.may_stop[host] {
            let (end, wait) = self.an_end();
            self.note(|| format!("node {host} is repaired: {end:?}"));
            self.hosts[host].end(end, &mut self.rng);
            self.hosts[host].disk.killed();
            self.plan(wait, What::Start(host));
        }
        self.weather.may_stop[host] = false;
        Ok(())
    }

    /// A node of its own on a copy of the files with flipped bits: it serves less, never other.
    fn flip(&mut self, host: usize) -> Result<(), String> {
        if self.hosts[host].old.is_some() || self.hosts[host].node.is_none() {
            return Ok(());
        }
        let at_ms = self.at_ms;
        let Some(mut node) = self.hosts[host].flipped(at_ms, &mut self.rng) else {
            return Ok(());
        };
        self.oracle.look_serving(host, &node)?;
        for tick in 1..=6 {
            let now = self.hosts[host].now(at_ms + tick * 100);
            for effect in node.step(now, Event::Tick) {
                // Nobody else answers where its log is published; its other questions are lost.
                if let Effect::Called { call: call @ Call::Twin, number, .. } = effect {
                    node.step(now, Event::Replied { call, number, reply: None });
                }
            }
            self.oracle.look_serving(host, &node)?;
        }
        Ok(())
    }
}
