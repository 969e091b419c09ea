//! A disk in memory that stops at the nth step and then loses what was never synced.
//!
//! Pessimistic: a name is durable only after its folder was synced, bytes only after their file was.
//! A failed sync loses what it was to make durable, as Linux does: the pages count as clean, so that
//! a second sync says all is well and a power cut shows that nothing was.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk::{AppendFile, Disk};

/// What happens to the disk at some step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Strike {
    /// There is no more room.
    Full,
    /// Nothing can be written.
    ReadOnly,
}

/// What survives a stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Survives {
    /// The process was killed: the page cache is whole.
    Everything,
    /// The power went: only what was synced.
    Synced,
    /// The power went while every unsynced write was half done.
    HalfOfUnsynced,
}

#[derive(Clone, Default)]
struct Inode {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Bytes that a failed sync was to write: read from memory until the power goes.
    lost: Vec<Range<usize>>,
}

impl Inode {
    fn sync(&mut self) {
        self.durable.clone_from(&self.now);
        for lost in &self.lost {
            let end = lost.end.min(self.durable.len());
            self.durable[lost.start.min(end)..end].fill(0);
        }
    }

    /// How many bytes are the same in memory and on the disk, from the first.
    fn same(&self) -> usize {
        self.now.iter().zip(&self.durable).take_while(|(a, b)| a == b).count()
    }

    fn fail(&mut self) {
        let same = self.same();
        if same < self.now.len() {
            self.lost.push(same..self.now.len());
        }
    }
}

#[derive(Clone, Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    /// Folders that were removed, until the folder above them is synced.
    removed: Vec<PathBuf>,
    steps: usize,
    stop_at: Option<usize>,
    fail_at: Option<usize>,
    strike_at: Option<(usize, Strike)>,
    /// The next sync fails.
    fail_sync: bool,
    failed: bool,
    stopped: bool,
    read_only: bool,
    /// Room for the bytes of all files.
    capacity: Option<usize>,
    last: Option<(&'static str, PathBuf)>,
}

/// The disk. Cheap to clone: all clones are one disk.
#[derive(Clone, Default)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// The disk after a stop, running again.
    pub fn after(&self, survives: Survives) -> SimDisk {
        let names = |state: &State| match survives {
            Survives::Everything => state.names.clone(),
            _ => state.durable_names.clone(),
        };
        self.restarted(names, |inode| match survives {
            Survives::Everything => inode.now.clone(),
            Survives::Synced => inode.durable.clone(),
            Survives::HalfOfUnsynced => half(inode),
        })
    }

    /// The disk after a power cut that kept some unsynced writes and names, by `below`, which gives
    /// a number below its argument.
    pub fn after_power_cut(&self, below: &mut dyn FnMut(u64) -> u64) -> SimDisk {
        let mut chosen = Vec::new();
        {
            let state = self.lock();
            let paths = state.names.keys().chain(state.durable_names.keys());
            let paths: std::collections::BTreeSet<&PathBuf> = paths.collect();
            for path in paths {
                let (now, durable) = (state.names.get(path), state.durable_names.get(path));
                let kept = if now == durable || below(2) == 0 { durable } else { now };
                chosen.extend(kept.map(|inode| (path.clone(), *inode)));
            }
        }
        self.restarted(
            |_| chosen.into_iter().collect(),
            |inode| {
                if inode.now == inode.durable {
                    return inode.durable.clone();
                }
                match below(3) {
                    0 => inode.durable.clone(),
                    1 => inode.now.clone(),
                    _ => torn(inode, |changed| below(changed as u64 + 1) as usize),
                }
            },
        )
    }

    /// The process was killed and another one may begin: pages that were not written back yet are
    /// there for it, and are still lost by a power cut.
    pub fn killed(&self) {
        let mut state = self.lock();
        state.stopped = false;
        state.stop_at = None;
        state.fail_sync = false;
    }

    /// A copy of it as it is, which goes its own way.
    pub fn copy(&self) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(self.lock().clone())))
    }

    /// Puts every file under `dir` of another disk in the place of what is there.
    pub fn restore(&self, other: &SimDisk, dir: &Path) {
        let files: Vec<(PathBuf, Vec<u8>)> = {
            let other = other.lock();
            let inside = other.names.iter().filter(|(path, _)| path.starts_with(dir));
            inside.map(|(path, inode)| (path.clone(), other.inodes[*inode].now.clone())).collect()
        };
        let mut state = self.lock();
        state.names.retain(|path, _| !path.starts_with(dir));
        state.durable_names.retain(|path, _| !path.starts_with(dir));
        for (path, bytes) in files {
            let inode = state.make(&path);
            state.inodes[inode] = Inode { now: bytes.clone(), durable: bytes, lost: Vec::new() };
            state.durable_names.insert(path, inode);
        }
    }

    fn restarted(
        &self,
        names: impl FnOnce(&State) -> BTreeMap<PathBuf, usize>,
        mut bytes: impl FnMut(&Inode) -> Vec<u8>,
    ) -> SimDisk {
        let state = self.lock();
        let mut next = State { capacity: state.capacity, ..State::default() };
        for (path, inode) in names(&state) {
            let bytes = bytes(&state.inodes[inode]);
            next.names.insert(path, next.inodes.len());
            next.inodes.push(Inode { now: bytes.clone(), durable: bytes, lost: Vec::new() });
        }
        next.durable_names = next.names.clone();
        SimDisk(Arc::new(Mutex::new(next)))
    }

    /// Every operation from the `step`th changing one on (0 = the next) fails, as if killed.
    pub fn stop_at(&self, step: usize) {
        let mut state = self.lock();
        state.steps = 0;
        state.stop_at = Some(step);
    }

    /// The `step`th changing operation fails once, with an I/O error; the disk goes on.
    pub fn fail_at(&self, step: usize) {
        let mut state = self.lock();
        state.steps = 0;
        state.fail_at = Some(step);
    }

    /// The disk is so from the `step`th changing operation on, until it is told otherwise.
    pub fn strike_at(&self, step: usize, strike: Strike) {
        let mut state = self.lock();
        state.steps = 0;
        state.strike_at = Some((step, strike));
    }

    /// Whether that step was not reached yet.
    pub fn is_unstruck(&self) -> bool {
        self.lock().strike_at.is_some()
    }

    /// The next sync fails once, and what it was to make durable is lost.
    pub fn fail_next_sync(&self) {
        self.lock().fail_sync = true;
    }

    /// Files have room for so many bytes together from now on; `None` is without end.
    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.lock().capacity = bytes;
    }

    /// Bytes of all files.
    pub fn used(&self) -> usize {
        self.lock().used()
    }

    /// Whether everything that changes something is refused.
    pub fn set_read_only(&self, read_only: bool) {
        self.lock().read_only = read_only;
    }

    /// Whether the stop was reached.
    pub fn stopped(&self) -> bool {
        self.lock().stopped
    }

    /// Whether the failure was reached.
    pub fn failed(&self) -> bool {
        self.lock().failed
    }

    /// Takes a file over from another disk.
    pub fn copy_from(&self, other: &SimDisk, path: &Path) {
        let bytes = other.bytes(path).unwrap_or_default();
        self.corrupt(path, |mine| *mine = bytes);
    }

    /// The last operation done or refused, for messages.
    pub fn last(&self) -> String {
        let state = self.lock();
        let last = state.last.as_ref();
        last.map_or_else(String::new, |(what, path)| format!("{what} {}", path.display()))
    }

    /// Changes bytes behind everyone's back.
    pub fn corrupt(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        let inode = state.names[path];
        change(&mut state.inodes[inode].now);
        state.inodes[inode].durable = state.inodes[inode].now.clone();
    }

    /// Removes a file behind everyone's back.
    pub fn lose(&self, path: &Path) {
        let mut state = self.lock();
        state.names.remove(path);
        state.durable_names.remove(path);
    }

    /// All files.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.lock().names.keys().cloned().collect()
    }

    /// The bytes of a file, if there is one.
    pub fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.lock();
        state.names.get(path).map(|inode| state.inodes[*inode].now.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step<T>(
        &self,
        what: &'static str,
        path: &Path,
        act: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.lock();
        state.last = Some((what, path.to_path_buf()));
        if state.stopped || state.stop_at == Some(state.steps) {
            state.stopped = true;
            return Err(io::Error::other("stopped"));
        }
        let steps = state.steps;
        if let Some((_, strike)) = state.strike_at.take_if(|(at, _)| *at <= steps) {
            match strike {
                Strike::Full => state.capacity = Some(state.used()),
                Strike::ReadOnly => state.read_only = true,
            }
        }
        if state.read_only && !what.starts_with("sync") {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        state.steps += 1;
        // Removing what only takes room may fail without harm: it is not counted.
        let is_failure = state.fail_at == Some(state.steps - 1) && what != "remove";
        if is_failure || (state.fail_sync && what.starts_with("sync")) {
            (state.failed, state.fail_sync) = (true, false);
            if let Some(inode) = state.names.get(path).copied() {
                state.inodes[inode].fail();
            }
            return Err(io::Error::other("injected I/O error"));
        }
        act(&mut state)
    }
}

fn half(inode: &Inode) -> Vec<u8> {
    torn(inode, |changed| changed / 2)
}

/// What was durable, then so many of the bytes that were not.
fn torn(inode: &Inode, kept: impl FnOnce(usize) -> usize) -> Vec<u8> {
    let same = inode.same();
    let changed = inode.now.len() - same;
    let mut bytes = inode.now[..same + kept(changed)].to_vec();
    if bytes.len() < inode.durable.len() {
        bytes.extend_from_slice(&inode.durable[bytes.len()..]);
    }
    bytes
}

impl State {
    fn inode(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn make(&mut self, path: &Path) -> usize {
        if let Some(inode) = self.names.get(path) {
            return *inode;
        }
        self.inodes.push(Inode::default());
        self.names.insert(path.to_path_buf(), self.inodes.len() - 1);
        self.inodes.len() - 1
    }

    fn used(&self) -> usize {
        self.names.values().map(|inode| self.inodes[*inode].now.len()).sum()
    }

    /// How many of `bytes` more there is room for.
    fn room(&self, bytes: usize) -> usize {
        self.capacity.map_or(bytes, |capacity| bytes.min(capacity.saturating_sub(self.used())))
    }

    /// Adds what there is room for, and fails if that is not all.
    fn add(&mut self, inode: usize, bytes: &[u8]) -> io::Result<()> {
        let room = self.room(bytes.len());
        self.inodes[inode].now.extend_from_slice(&bytes[..room]);
        if room < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync_names(&mut self, dir: &Path) {
        self.durable_names.retain(|path, _| path.parent() != Some(dir));
        let (gone, rest) = std::mem::take(&mut self.removed)
            .into_iter()
            .partition(|one| one.parent() == Some(dir));
        self.removed = rest;
        let gone: Vec<PathBuf> = gone;
        let is_gone = |path: &PathBuf| gone.iter().any(|folder| path.starts_with(folder));
        self.durable_names.retain(|path, _| !is_gone(path));
        let here = self.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        let here: Vec<_> = here.map(|(path, inode)| (path.clone(), *inode)).collect();
        self.durable_names.extend(here);
    }
}

struct SimAppend {
    disk: SimDisk,
    path: PathBuf,
    inode: usize,
}

impl AppendFile for SimAppend {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let inode = self.inode;
        self.disk.step("append", &self.path, |state| state.add(inode, bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        let inode = self.inode;
        self.disk.step("sync", &self.path, |state| {
            state.inodes[inode].sync();
            Ok(())
        })
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        Ok(()) // folders are there as soon as a file is: their loss is not modelled
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.lock();
        let mut names = Vec::new();
        // Paths are ordered part by part: those in a folder stand together, after it.
        for path in state.names.range(dir.to_path_buf()..).map(|(path, _)| path) {
            let Ok(rest) = path.strip_prefix(dir) else { break };
            let name = rest.iter().next().unwrap_or_default().to_string_lossy().into_owned();
            if names.last() != Some(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Ok(self.bytes(path))
    }

    fn length(&self, path: &Path) -> io::Result<Option<u64>> {
        let state = self.lock();
        Ok(state.names.get(path).map(|inode| state.inodes[*inode].now.len() as u64))
    }

    fn free(&self, _: &Path) -> io::Result<u64> {
        // The index of a simulated node lies in memory.
        Ok(u64::MAX)
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let state = self.lock();
        let bytes = &state.inodes[state.inode(path)?].now;
        let from = offset as usize;
        let range = from..from + length;
        bytes.get(range).map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let known = self.lock().names.contains_key(path);
        if !known {
            self.step("create", path, |state| {
                state.make(path);
                Ok(())
            })?;
            self.sync_dir(path.parent().unwrap_or(path))?;
        }
        let inode = self.lock().inode(path)?;
        Ok(Box::new(SimAppend { disk: self.clone(), path: path.to_path_buf(), inode }))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step("write", path, |state| {
            let inode = state.make(path);
            state.inodes[inode].now.clear();
            state.inodes[inode].lost.clear();
            state.add(inode, bytes)
        })
    }

    fn rewrite(&self, path: &Path, offset: u64) -> io::Result<()> {
        self.step("rewrite", path, |state| {
            let inode = state.inode(path)?;
            let inode = &mut state.inodes[inode];
            inode.lost.retain(|lost| (lost.start as u64) < offset);
            inode.sync();
            Ok(())
        })
    }

    fn overwrite(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.step("overwrite", path, |state| {
            let inode = state.inode(path)?;
            let from = offset as usize;
            let range = state.inodes[inode].now.get_mut(from..from + bytes.len());
            range.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(bytes);
            Ok(())
        })?;
        self.sync(path)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step("sync", path, |state| {
            let inode = state.inode(path)?;
            state.inodes[inode].sync();
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.step("sync folder", dir, |state| {
            state.sync_names(dir);
            Ok(())
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename", to, |state| {
            let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
            state.names.insert(to.to_path_buf(), inode);
            Ok(())
        })
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.step("truncate", path, |state| {
            let inode = state.inode(path)?;
            state.inodes[inode].now.truncate(length as usize);
            state.inodes[inode].durable = state.inodes[inode].now.clone();
            Ok(())
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step("remove", path, |state| {
            state.names.remove(path);
            Ok(())
        })
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.step("remove", dir, |state| {
            state.names.retain(|path, _| !path.starts_with(dir));
            state.removed.push(dir.to_path_buf());
            Ok(())
        })
    }
}
