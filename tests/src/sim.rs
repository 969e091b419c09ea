//! Many worlds of three honest nodes and one that lies, each from one number.
//!
//! A seed decides everything: the faults, every delay, every lost byte. The nodes are
//! `hallmark_node::sim`, the parts of a running node driven by one caller; time, network and disks are
//! simulated. After every step the oracle holds what can be seen against what was promised.
//! Invariant: the same seed and number of steps give the same trace hash on any machine.

mod byzantine;
mod damage;
mod forgetting;
mod host;
mod oracle;
mod stock;
mod twin;
mod weather;
mod world;

use world::World;

/// Steps of a world before everything is healed, unless told otherwise.
pub const STEPS: u64 = 700;

/// The checked-in seeds that once found something, with their steps.
pub fn regressions() -> impl Iterator<Item = (u64, u64)> {
    let lines = include_str!("sim/regressions.txt").lines();
    let lines = lines.filter_map(|line| line.split('#').next());
    lines.filter_map(|line| {
        let mut numbers = line.split_whitespace().map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}

/// A world in which all was well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ran {
    /// FNV-1a of everything that happened.
    pub hash: u64,
    /// Virtual milliseconds.
    pub virtual_ms: u64,
}

/// A promise that was broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Broken {
    /// The seed.
    pub seed: u64,
    /// Steps before healing.
    pub steps: u64,
    /// What was found.
    pub what: String,
    /// What happened, if it was asked for.
    pub trace: Vec<String>,
}

/// Runs one world. With `keep_trace` a broken one tells what happened in it.
pub fn run(seed: u64, steps: u64, keep_trace: bool) -> Result<Ran, Broken> {
    let broken = |what, trace| Broken { seed, steps, what, trace };
    let mut world = World::new(seed, keep_trace).map_err(|what| broken(what, Vec::new()))?;
    let mut go = || {
        for _ in 0..steps {
            world.step()?;
        }
        world.heal();
        world.settle()?;
        world.damage()?;
        world.expose()?;
        world.twin()
    };
    match go() {
        Ok(()) => Ok(Ran { hash: world.hash, virtual_ms: world.at_ms }),
        Err(what) => Err(broken(what, std::mem::take(&mut world.trace))),
    }
}
