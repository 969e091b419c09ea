//! Attestations whose key nobody has introduced yet: kept durably, tried again, never lost.
//!
//! Invariants: what was answered as deferred is durable until it is admitted or refused; the
//! quarantine is bounded, and what does not fit is told to come again; trying twice is harmless,
//! because admission knows a content id that it has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::frame::{self, Piece};
use hallmark_schemas::key::KeyId;

use crate::mutants::mutant;
use crate::store::StoreError;
use crate::store::disk::{Disk, DiskError, OnPath};
use crate::store::tail::Tail;

/// Most bytes in quarantine: two months of quarter-hour readings of a hundred meters.
pub const DEFERRED_BYTES_MAX: usize = 64 << 20;
/// Most attestations of one unknown key: a stranger cannot fill the quarantine with one.
pub const DEFERRED_PER_KEY_MAX: usize = 8_192;

/// What became of an attestation of an unknown key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kept {
    /// It is durable here.
    Kept,
    /// There is no room; it must come again.
    Full,
}

/// The quarantine.
pub struct Deferred {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    waiting: BTreeMap<ContentId, (KeyId, Vec<u8>)>,
    per_key: BTreeMap<KeyId, usize>,
    bytes: usize,
    /// Most bytes together, and most attestations of one key.
    limits: (usize, usize),
    /// The file that [`Deferred::keep`] appends to, once it was opened since it was written whole.
    tail: Option<Tail>,
    /// A write failed: nobody knows what is durable, and nothing more is taken.
    failed: bool,
}

impl Deferred {
    /// Opens the quarantine at `path` (DATA/deferred).
    pub fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<Deferred, StoreError> {
        let bytes = disk.read(path).on("read", path)?.unwrap_or_default();
        let mut state = State {
            waiting: BTreeMap::new(),
            per_key: BTreeMap::new(),
            bytes: 0,
            limits: (DEFERRED_BYTES_MAX, DEFERRED_PER_KEY_MAX),
            tail: None,
            failed: false,
        };
        for piece in frame::scan(&bytes) {
            match piece {
                Piece::Record { content, .. } => {
                    if let Ok(envelope) = Envelope::parse(content) {
                        state.insert(&envelope, content.to_vec());
                    }
                }
                Piece::Damaged { at, end } => {
                    let aside = path.with_extension(format!("damaged-{at}"));
                    if !disk.is_read_only() {
                        disk.replace(&aside, &bytes[at..end]).on("write", &aside)?;
                    }
                    tracing::warn!(path = %aside.display(), "set a damaged deferred record aside");
                }
                Piece::Torn { at } => {
                    if !disk.is_read_only() {
                        disk.truncate(path, at as u64).on("truncate", path)?;
                    }
                }
            }
        }
        if !bytes.is_empty() && !disk.is_read_only() {
            // A sync may have failed before this start, and a second one would not tell.
            disk.rewrite(path, 0).on("rewrite", path)?;
        }
        Ok(Deferred { disk, path: path.to_path_buf(), state: Mutex::new(state) })
    }

    /// Keeps attestations; one answer each, in order, once they are durable.
    pub fn keep(&self, envelopes: &[&Envelope]) -> Result<Vec<Kept>, StoreError> {
        let mut state = self.lock();
        let mut answers = Vec::with_capacity(envelopes.len());
        let (mut records, mut new) = (Vec::new(), Vec::new());
        for envelope in envelopes {
            let known = state.waiting.contains_key(&envelope.id());
            let room = known || state.has_room(envelope);
            if room && !known {
                frame::append(&mut records, envelope.stored());
                state.insert(envelope, envelope.stored().to_vec());
                new.push(envelope.id());
            }
            answers.push(if room { Kept::Kept } else { Kept::Full });
        }
        if let Err(error) = self.append(&mut state, &records) {
            // What nobody was promised does not count as kept when it comes again.
            new.iter().for_each(|id| state.remove(id));
            return Err(error);
        }
        Ok(answers)
    }

    fn append(&self, state: &mut State, records: &[u8]) -> Result<(), StoreError> {
        if records.is_empty() {
            return Ok(());
        }
        if state.failed {
            return Err(StoreError::damaged(&self.path, "a write failed before"));
        }
        let mut tail = match state.tail.take() {
            Some(tail) => tail,
            None => {
                let length = self.disk.length(&self.path).on("look at", &self.path)?;
                Tail::open(self.disk.clone(), &self.path, length.unwrap_or(0))?
            }
        };
        let taken = tail.append(records);
        state.tail = Some(tail);
        taken
    }

    /// The attestations of keys that are known by now, oldest id first, at most `limit`.
    pub fn ready(&self, known: impl Fn(&KeyId) -> bool, limit: usize) -> Vec<Vec<u8>> {
        let state = self.lock();
        let known: Vec<&KeyId> = state.per_key.keys().filter(|key| known(key)).collect();
        let ready = state.waiting.values().filter(|(key, _)| known.contains(&key));
        ready.take(limit).map(|(_, stored)| stored.clone()).collect()
    }

    /// Forgets attestations that were admitted or refused.
    pub fn remove(&self, ids: &[ContentId]) -> Result<(), StoreError> {
        let mut state = self.lock();
        for id in ids {
            state.remove(id);
        }
        let mut records = Vec::new();
        for (_, stored) in state.waiting.values() {
            frame::append(&mut records, stored);
        }
        // Where it cannot be written now, what is removed is there still and only tried once more.
        let written = self.disk.replace(&self.path, &records).on("write", &self.path);
        state.tail = None;
        state.failed |= written.as_ref().is_err_and(DiskError::is_final);
        Ok(written?)
    }

    /// Other limits, which a short run can reach.
    #[cfg(feature = "sim")]
    pub(crate) fn set_limits(&self, bytes: usize, per_key: usize) {
        self.lock().limits = (bytes, per_key);
    }

    /// Whether this one waits.
    #[cfg(feature = "sim")]
    pub(crate) fn holds(&self, id: &ContentId) -> bool {
        self.lock().waiting.contains_key(id)
    }

    /// How many wait, and their bytes.
    pub fn count(&self) -> (u64, u64) {
        let state = self.lock();
        (state.waiting.len() as u64, state.bytes as u64)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, envelope: &Envelope) -> bool {
        let of_key = self.per_key.get(&envelope.signer()).copied().unwrap_or(0);
        let bytes = self.bytes + envelope.stored().len();
        (bytes <= self.limits.0 && of_key < self.limits.1) || mutant("deferred-unbounded")
    }

    fn insert(&mut self, envelope: &Envelope, stored: Vec<u8>) {
        self.bytes += stored.len();
        *self.per_key.entry(envelope.signer()).or_default() += 1;
        self.waiting.insert(envelope.id(), (envelope.signer(), stored));
    }

    fn remove(&mut self, id: &ContentId) {
        let Some((key, stored)) = self.waiting.remove(id) else {
            return;
        };
        self.bytes -= stored.len();
        if let Some(count) = self.per_key.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.per_key.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::testing::{facility, readings};
    use crate::store::sim::{SimDisk, Survives};

    fn open(disk: &SimDisk) -> Deferred {
        Deferred::open(Arc::new(disk.clone()), Path::new("/data/deferred")).unwrap()
    }

    fn waiting(deferred: &Deferred) -> Vec<Vec<u8>> {
        deferred.ready(|_| true, usize::MAX)
    }

    #[test]
    fn what_was_kept_survives_a_stop_at_every_step_until_it_is_removed() {
        let all = [readings(1, 5), readings(2, 5), facility(1, "plant", 0)];
        for survives in [Survives::Everything, Survives::Synced, Survives::HalfOfUnsynced] {
            for step in 0.. {
                let disk = SimDisk::default();
                disk.stop_at(step);
                let opened = Deferred::open(Arc::new(disk.clone()), Path::new("/data/deferred"));
                let (mut kept, mut removed) = (Vec::new(), None);
                if let Ok(deferred) = opened {
                    for envelope in &all {
                        if deferred.keep(&[envelope]).is_ok() {
                            kept.push(envelope.stored().to_vec());
                        }
                    }
                    removed = Some(all[0].stored().to_vec());
                    let _ = deferred.remove(&[all[0].id()]);
                }
                let found = waiting(&open(&disk.after(survives)));
                for stored in kept {
                    let gone = removed.as_ref() == Some(&stored);
                    assert!(found.contains(&stored) || gone, "step {step}, {survives:?}");
                }
                if !disk.stopped() {
                    assert_eq!(found.len(), 2);
                    break;
                }
            }
        }
    }

    #[test]
    fn what_a_read_only_disk_refused_is_not_taken_for_kept_when_it_comes_again() {
        let disk = SimDisk::default();
        let deferred = open(&disk);
        let (first, second) = (readings(1, 5), readings(2, 5));
        deferred.keep(&[&first]).unwrap();
        disk.set_read_only(true);
        for _ in 0..2 {
            let refused = deferred.keep(&[&second]).unwrap_err();
            assert!(!refused.is_final(), "{refused}");
            assert!(deferred.remove(&[readings(3, 5).id()]).is_err());
        }
        assert_eq!(deferred.count().0, 1);
        // It goes on where it was as soon as the disk takes anything again.
        disk.set_read_only(false);
        assert_eq!(deferred.keep(&[&second]).unwrap(), [Kept::Kept]);
        assert_eq!(waiting(&open(&disk)).len(), 2);
    }

    #[test]
    fn only_those_of_known_keys_are_ready_and_the_same_is_kept_once() {
        let disk = SimDisk::default();
        let deferred = open(&disk);
        let (meter, plant) = (readings(1, 5), facility(1, "plant", 0));
        let kept = deferred.keep(&[&meter, &plant, &meter]).unwrap();
        assert_eq!(kept, [Kept::Kept; 3]);
        assert_eq!(deferred.count().0, 2);
        let known = |key: &KeyId| *key == meter.signer();
        assert_eq!(deferred.ready(known, 9), [meter.stored()]);
    }

    #[test]
    fn a_key_has_a_bounded_share() {
        let deferred = open(&SimDisk::default());
        let meter = readings(1, 5);
        deferred.lock().per_key.insert(meter.signer(), DEFERRED_PER_KEY_MAX);
        assert_eq!(deferred.keep(&[&meter]).unwrap(), [Kept::Full]);
        assert_eq!(deferred.keep(&[&facility(1, "plant", 0)]).unwrap(), [Kept::Kept]);
        deferred.lock().bytes = DEFERRED_BYTES_MAX;
        assert_eq!(deferred.keep(&[&facility(2, "plant", 0)]).unwrap(), [Kept::Full]);
    }
}
