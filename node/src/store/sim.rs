//! A disk in memory that stops at the nth step and then loses what was never synced.
//!
//! Pessimistic: a name is durable only after its folder was synced, bytes only after their file was.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::disk::{AppendFile, Disk};

/// What survives a stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Survives {
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
}

#[derive(Default)]
struct State {
    inodes: Vec<Inode>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    steps: usize,
    stop_at: Option<usize>,
    fail_at: Option<usize>,
    failed: bool,
    stopped: bool,
    trace: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// The disk after a stop, running again.
    pub(crate) fn after(&self, survives: Survives) -> SimDisk {
        let state = self.0.lock().unwrap();
        let mut next = State::default();
        let names =
            if survives == Survives::Everything { &state.names } else { &state.durable_names };
        for (path, inode) in names {
            let inode = &state.inodes[*inode];
            let bytes = match survives {
                Survives::Everything => inode.now.clone(),
                Survives::Synced => inode.durable.clone(),
                Survives::HalfOfUnsynced => half(inode),
            };
            next.names.insert(path.clone(), next.inodes.len());
            next.inodes.push(Inode { now: bytes.clone(), durable: bytes });
        }
        next.durable_names = next.names.clone();
        SimDisk(Arc::new(Mutex::new(next)))
    }

    /// Every operation from the `step`th changing one on (0 = the next) fails, as if killed.
    pub(crate) fn stop_at(&self, step: usize) {
        let mut state = self.0.lock().unwrap();
        state.steps = 0;
        state.stop_at = Some(step);
        state.trace.clear();
    }

    /// The `step`th changing operation fails once, with an I/O error; the disk goes on.
    pub(crate) fn fail_at(&self, step: usize) {
        let mut state = self.0.lock().unwrap();
        state.steps = 0;
        state.fail_at = Some(step);
    }

    /// Whether the stop was reached.
    pub(crate) fn stopped(&self) -> bool {
        self.0.lock().unwrap().stopped
    }

    /// Whether the failure was reached.
    pub(crate) fn failed(&self) -> bool {
        self.0.lock().unwrap().failed
    }

    /// Takes a file over from another disk.
    pub(crate) fn copy_from(&self, other: &SimDisk, path: &Path) {
        let bytes = other.read(path).unwrap().unwrap();
        self.corrupt(path, |mine| *mine = bytes);
    }

    /// The last operation done or refused, for messages.
    pub(crate) fn last(&self) -> String {
        self.0.lock().unwrap().trace.last().cloned().unwrap_or_default()
    }

    /// Changes bytes behind everyone's back.
    pub(crate) fn corrupt(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.0.lock().unwrap();
        let inode = state.names[path];
        change(&mut state.inodes[inode].now);
        state.inodes[inode].durable = state.inodes[inode].now.clone();
    }

    pub(crate) fn remove(&self, path: &Path) {
        let mut state = self.0.lock().unwrap();
        state.names.remove(path);
        state.durable_names.remove(path);
    }

    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        self.0.lock().unwrap().names.keys().cloned().collect()
    }

    fn step<T>(
        &self,
        what: &str,
        path: &Path,
        act: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.0.lock().unwrap();
        state.trace.push(format!("{what} {}", path.display()));
        if state.stopped || state.stop_at == Some(state.steps) {
            state.stopped = true;
            return Err(io::Error::other("stopped"));
        }
        state.steps += 1;
        // Removing what only takes room may fail without harm: it is not counted.
        if state.fail_at == Some(state.steps - 1) && what != "remove" {
            state.failed = true;
            return Err(io::Error::other("injected I/O error"));
        }
        act(&mut state)
    }
}

fn half(inode: &Inode) -> Vec<u8> {
    let kept = inode.now.iter().zip(&inode.durable).take_while(|(a, b)| a == b).count();
    let changed = inode.now.len() - kept;
    let mut bytes = inode.now[..kept + changed / 2].to_vec();
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

    fn sync_names(&mut self, dir: &Path) {
        self.durable_names.retain(|path, _| path.parent() != Some(dir));
        let here = self.names.iter().filter(|(path, _)| path.parent() == Some(dir));
        self.durable_names.extend(here.map(|(path, inode)| (path.clone(), *inode)));
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
        self.disk.step("append", &self.path, |state| {
            state.inodes[inode].now.extend_from_slice(bytes);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        let inode = self.inode;
        self.disk.step("sync", &self.path, |state| {
            state.inodes[inode].durable = state.inodes[inode].now.clone();
            Ok(())
        })
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        Ok(()) // folders are there as soon as a file is: their loss is not modelled
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.0.lock().unwrap();
        let mut names = Vec::new();
        for path in state.names.keys() {
            if let Ok(rest) = path.strip_prefix(dir) {
                let name = rest.iter().next().unwrap().to_string_lossy().into_owned();
                if names.last() != Some(&name) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let state = self.0.lock().unwrap();
        Ok(state.names.get(path).map(|inode| state.inodes[*inode].now.clone()))
    }

    fn read_at(&self, path: &Path, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let state = self.0.lock().unwrap();
        let bytes = &state.inodes[state.inode(path)?].now;
        let from = offset as usize;
        let range = from..from + length;
        bytes.get(range).map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn AppendFile>> {
        let known = self.0.lock().unwrap().names.contains_key(path);
        if !known {
            self.step("create", path, |state| {
                state.make(path);
                Ok(())
            })?;
            self.sync_dir(path.parent().unwrap())?;
        }
        let inode = self.0.lock().unwrap().inode(path)?;
        Ok(Box::new(SimAppend { disk: self.clone(), path: path.to_path_buf(), inode }))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step("write", path, |state| {
            let inode = state.make(path);
            state.inodes[inode].now = bytes.to_vec();
            Ok(())
        })
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        self.step("sync", path, |state| {
            let inode = state.inode(path)?;
            state.inodes[inode].durable = state.inodes[inode].now.clone();
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

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.step("remove", dir, |state| {
            state.names.retain(|path, _| !path.starts_with(dir));
            Ok(())
        })
    }
}
