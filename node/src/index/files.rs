//! The folder of the index: one engine's files, written anew when something must be gone from them.
//!
//! An engine keeps what was removed in journals and older tables for as long as it likes. So the
//! pairs that are left are copied to a new folder, while everyone reads and writes on, and then the
//! old folder goes.
//!
//! Invariants: readers see one whole index at any time; a change behind the copy's end is made in
//! both. Of two folders that a start finds, the one with the smaller number is whole and the newest:
//! it gets another name, which no start takes, before the first change that is in the other alone.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::engine::Engine;
use super::{Batch, Index, IndexError, Pair};

/// Pairs that are copied while writers wait.
const COPY_PAIRS: usize = 2048;
/// What a folder is called while it goes.
const GONE: &str = "gone";

/// One index, whichever files it is in.
pub(crate) struct Files {
    current: RwLock<Current>,
    copying: Mutex<Option<Copying>>,
    /// `None` for an index without files.
    home: Option<(Engine, PathBuf)>,
    /// One purge at a time.
    purging: Mutex<()>,
}

struct Current {
    index: Arc<dyn Index>,
    number: u64,
}

/// The new files while they are filled.
struct Copying {
    index: Arc<dyn Index>,
    /// Every key below this one is in them.
    end: Vec<u8>,
}

impl Files {
    /// An index without files.
    pub(super) fn of(index: Arc<dyn Index>) -> Files {
        Files::new(index, 0, None)
    }

    fn new(index: Arc<dyn Index>, number: u64, home: Option<(Engine, PathBuf)>) -> Files {
        let current = RwLock::new(Current { index, number });
        Files { current, copying: Mutex::default(), home, purging: Mutex::default() }
    }

    /// Opens the index in `dir` (DATA/index), made if missing.
    ///
    /// One that does not open is damaged or from a newer release: it is put aside with the ending
    /// `.unreadable` until the new one is whole, because an index can always be built again. What else
    /// lies there is of another engine or release and goes.
    pub(super) fn open(engine: Engine, dir: &Path) -> Result<Files, IndexError> {
        let number = settle(engine, dir).map_err(|source| failed(dir, source))?;
        let path = folder(dir, engine, number);
        let index = match engine.open(&path) {
            Err(error) if !error.is_locked() => {
                let kept = aside(dir);
                let kept = kept.display();
                tracing::warn!(%error, %kept, "the index does not open: kept until a new one is built");
                set_aside(dir).map_err(|source| failed(dir, source))?;
                engine.open(&path)?
            }
            opened => opened?,
        };
        Ok(Files::new(index, number, Some((engine, dir.to_path_buf()))))
    }

    /// Removes the index that did not open before: this one is whole. What was erased since may
    /// still stand in that.
    pub(super) fn remove_unreadable(&self) -> Result<(), IndexError> {
        let Some((_, dir)) = &self.home else { return Ok(()) };
        let aside = aside(dir);
        remove(&aside).map_err(|source| failed(&aside, source))
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        self.read().index.get(key)
    }

    pub(super) fn scan(
        &self,
        prefix: &[u8],
        from: &[u8],
        limit: usize,
    ) -> Result<Vec<Pair>, IndexError> {
        self.read().index.scan(prefix, from, limit)
    }

    pub(super) fn write(&self, batch: Batch) -> Result<(), IndexError> {
        let current = self.read();
        // A copy begins and ends while nobody writes, so this holds for the whole write.
        let copying = self.copying();
        let Some(Copying { index, end }) = &*copying else {
            drop(copying);
            return current.index.write(batch);
        };
        let behind = batch.only(|key| key < end.as_slice());
        current.index.write(batch)?;
        if behind.is_empty() { Ok(()) } else { index.write(behind) }
    }

    pub(super) fn clear(&self) -> Result<(), IndexError> {
        let current = self.read();
        if let Some(Copying { index, .. }) = &*self.copying() {
            index.clear()?;
        }
        current.index.clear()
    }

    pub(super) fn persist(&self) -> Result<(), IndexError> {
        self.read().index.persist()
    }

    /// Returns once everything written is durable, and nothing is left in files of what was
    /// removed.
    pub(super) fn purge(&self) -> Result<(), IndexError> {
        let Some((engine, dir)) = &self.home else {
            return Ok(());
        };
        let _one = self.purging.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.read().number + 1;
        let new = folder(dir, *engine, number);
        remove(&new).map_err(|source| failed(&new, source))?;
        let index = engine.open(&new)?;
        {
            let _alone = self.alone();
            *self.copying() = Some(Copying { index, end: Vec::new() });
        }
        let copied = self.copy().and_then(|()| self.take_over(*engine, dir, number));
        if copied.is_err() {
            let _alone = self.alone();
            *self.copying() = None;
        }
        copied
    }

    /// Copies every pair, some at a time.
    fn copy(&self) -> Result<(), IndexError> {
        loop {
            let current = self.read();
            let mut copying = self.copying();
            let Some(Copying { index, end }) = &mut *copying else {
                return Ok(());
            };
            let pairs = current.index.scan(&[], end, COPY_PAIRS)?;
            let Some((last, _)) = pairs.last() else {
                return Ok(());
            };
            let next = [last.as_slice(), &[0]].concat();
            let mut changes = Batch::default();
            pairs.iter().for_each(|(key, value)| changes.put(key, value));
            index.write(changes)?;
            *end = next;
        }
    }

    /// Puts the copy in the place of the old files, which go.
    fn take_over(&self, engine: Engine, dir: &Path, number: u64) -> Result<(), IndexError> {
        let gone = dir.join(GONE);
        {
            let mut current = self.alone();
            // What was added at the end after the last look.
            let rest = match &*self.copying() {
                Some(Copying { end, .. }) => current.index.scan(&[], end, usize::MAX)?,
                None => Vec::new(),
            };
            let Some(Copying { index, .. }) = self.copying().take() else {
                return Ok(());
            };
            let mut changes = Batch::default();
            rest.iter().for_each(|(key, value)| changes.put(key, value));
            if !changes.is_empty() {
                index.write(changes)?;
            }
            index.persist()?;
            let old = folder(dir, engine, current.number);
            remove(&gone).map_err(|source| failed(&gone, source))?;
            std::fs::rename(&old, &gone).map_err(|source| failed(&old, source))?;
            *current = Current { index, number };
        }
        remove(&gone).map_err(|source| failed(&gone, source))
    }

    fn read(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody else reads or writes meanwhile.
    fn alone(&self) -> RwLockWriteGuard<'_, Current> {
        self.current.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn copying(&self) -> MutexGuard<'_, Option<Copying>> {
        self.copying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The folder of one copy.
fn folder(dir: &Path, engine: Engine, number: u64) -> PathBuf {
    dir.join(format!("{}-{number}", engine.as_str()))
}

/// The number of the folder to open; everything else goes.
fn settle(engine: Engine, dir: &Path) -> io::Result<u64> {
    std::fs::create_dir_all(dir)?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(engine.as_str()));
        let number = number.and_then(|rest| rest.strip_prefix('-')?.parse().ok());
        found.push((number, entry.path()));
    }
    let number = found.iter().filter_map(|(number, _)| *number).min().unwrap_or(1);
    for (_, path) in found.iter().filter(|(found, _)| *found != Some(number)) {
        remove(path)?;
    }
    Ok(number)
}

/// Where an index that does not open is kept.
fn aside(dir: &Path) -> PathBuf {
    let mut aside = dir.as_os_str().to_os_string();
    aside.push(".unreadable");
    aside.into()
}

/// Gives the folder another name and begins it anew.
fn set_aside(dir: &Path) -> io::Result<()> {
    let aside = aside(dir);
    remove(&aside)?;
    std::fs::rename(dir, &aside)?;
    std::fs::create_dir(dir)
}

/// Removes a file or a folder with all in it; a missing one is success.
fn remove(path: &Path) -> io::Result<()> {
    let removed =
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn failed(path: &Path, source: io::Error) -> IndexError {
    IndexError::Folder { path: path.to_path_buf(), source }
}
