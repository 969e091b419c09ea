//! The key history of everything this node holds, and the identity attestations behind it.
//!
//! Invariants: the history learns only what is recorded in a log held here, each attestation once;
//! one that does not verify yet (its registrar's log lags behind) is tried again whenever another
//! was learnt, so the order in which logs arrive does not matter.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::history::KeyHistory;
use hallmark_schemas::key::KeyId;
use hallmark_schemas::kind::network::Network as Version;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::network::{Network, NetworkFile, Registrar};
use hallmark_schemas::role::Role;
use hallmark_schemas::time::EntryTime;

/// Most identity attestations that wait for what they rest on: 16,384 of about 1 kB.
const WAITING_MAX: usize = 16_384;

/// Whether a kind can change the key history.
pub(crate) fn changes_keys(kind: KindName) -> bool {
    matches!(
        kind,
        KindName::Genesis
            | KindName::Network
            | KindName::Organisation
            | KindName::Key
            | KindName::Device
            | KindName::Revocation
    )
}

/// Most versions of the network file that are kept until they are in force here.
const LATER_MAX: usize = 256;

/// Which attestation introduced which key, and which ended it.
#[derive(Debug, Default)]
struct Introductions {
    by_key: BTreeMap<KeyId, Vec<ContentId>>,
    ended: BTreeMap<KeyId, ContentId>,
    devices: BTreeMap<String, Vec<KeyId>>,
    /// By how many changes of registrars came before.
    changes: BTreeMap<usize, Change>,
}

/// The first logged version of the network file with these registrars.
#[derive(Debug)]
struct Change {
    version: u64,
    id: ContentId,
    begun: Vec<KeyId>,
    ended: Vec<KeyId>,
}

impl Change {
    /// Which keys of registrars a version brings or no longer has; none if it is like the one before.
    fn of(network: &Network, id: ContentId) -> Option<Change> {
        let keys = |registrars: &[Registrar]| -> Vec<KeyId> {
            registrars.iter().map(|registrar| registrar.key.id()).collect()
        };
        let (before, now) = (keys(&network.former.last()?.registrars), keys(&network.registrars));
        let without = |some: &[KeyId], others: &[KeyId]| {
            some.iter().filter(|key| !others.contains(key)).copied().collect()
        };
        let (begun, ended) = (without(&now, &before), without(&before, &now));
        Some(Change { version: network.version, id, begun, ended })
    }
}

impl Introductions {
    /// Notes what a learnt attestation introduced.
    fn note(&mut self, envelope: &Envelope) {
        if let Body::Network(body) = envelope.body() {
            let file = NetworkFile::parse(&body.file.0).ok();
            let change = file.and_then(|file| {
                Some((file.network().former.len(), Change::of(file.network(), envelope.id())?))
            });
            if let Some((place, change)) = change {
                let known = self.changes.get(&place);
                if known.is_none_or(|known| change.version < known.version) {
                    self.changes.insert(place, change);
                }
            }
            return;
        }
        let key = match envelope.body() {
            Body::Organisation(body) => body.key.id(),
            Body::Device(body) => body.key.id(),
            Body::Key(body) => body.key.id(),
            Body::Revocation(body) => body.key,
            _ => return,
        };
        let ids = self.by_key.entry(key).or_default();
        if !ids.contains(&envelope.id()) {
            ids.push(envelope.id());
        }
        match envelope.body() {
            Body::Key(body) => {
                self.ended.entry(body.replaces_key).or_insert(envelope.id());
            }
            Body::Revocation(body) => {
                self.ended.entry(body.key).or_insert(envelope.id());
            }
            Body::Device(_) => {
                let device = envelope.claims().sub.to_string();
                let keys = self.devices.entry(device).or_default();
                for before in keys.iter().filter(|before| **before != key) {
                    self.ended.entry(*before).or_insert(envelope.id());
                }
                keys.push(key);
            }
            _ => {}
        }
    }

    /// The attestations that introduced a key, or gave it up: several registrars may have said so. Of a
    /// registrar's, the versions that first named it and no longer did.
    fn of(&self, kid: &KeyId) -> Vec<ContentId> {
        let changes = self.changes.values();
        let told = changes.filter(|one| one.begun.contains(kid) || one.ended.contains(kid));
        let told = told.map(|change| change.id);
        self.by_key.get(kid).into_iter().flatten().copied().chain(told).collect()
    }

    fn ended(&self, kid: &KeyId) -> Option<ContentId> {
        let change = self.changes.values().find(|change| change.ended.contains(kid));
        self.ended.get(kid).copied().or(change.map(|change| change.id))
    }
}

/// By log and entry.
type Waiting = BTreeMap<(String, u64), (Envelope, EntryTime)>;

/// The shared key history.
pub struct Keys {
    history: RwLock<KeyHistory>,
    /// What proves each key to others. Whoever learns an attestation adds to it.
    introductions: RwLock<Introductions>,
    /// Recorded identity attestations that did not verify yet, by log and entry.
    waiting: Mutex<Waiting>,
    /// Versions of the network file that a registrar's log holds and that are not in force here.
    later: Mutex<BTreeMap<u64, Vec<NetworkFile>>>,
    /// How many attestations were learnt; `None` once the node stops.
    learnt: Mutex<Option<u64>>,
    grown: Condvar,
}

impl Keys {
    /// Begins with what the network file proves.
    pub fn new(history: KeyHistory) -> Keys {
        Keys {
            history: RwLock::new(history),
            introductions: RwLock::default(),
            waiting: Mutex::new(BTreeMap::new()),
            later: Mutex::new(BTreeMap::new()),
            learnt: Mutex::new(Some(0)),
            grown: Condvar::new(),
        }
    }

    /// Reads the history. The lock is held meanwhile: verify, then return.
    pub fn read<T>(&self, read: impl FnOnce(&KeyHistory) -> T) -> T {
        read(&self.history.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The recorded attestations that introduced or revoked a key, none for one that the network file always
    /// named.
    pub fn introduced_by(&self, kid: &KeyId) -> Vec<ContentId> {
        self.introductions.read().unwrap_or_else(PoisonError::into_inner).of(kid)
    }

    /// The recorded attestation that ended a key: a rotation, a device's next key, a revocation.
    pub(crate) fn ended_by(&self, kid: &KeyId) -> Option<ContentId> {
        let introductions = self.introductions.read().unwrap_or_else(PoisonError::into_inner);
        introductions.ended(kid)
    }

    /// Whether any key has ended.
    pub(crate) fn any_ended(&self) -> bool {
        let introductions = self.introductions.read().unwrap_or_else(PoisonError::into_inner);
        let has_ended = |change: &Change| !change.ended.is_empty();
        !introductions.ended.is_empty() || introductions.changes.values().any(has_ended)
    }

    /// Waits until more than `seen` attestations were learnt, or for `wait`; how many were, or
    /// `None` if the node stops.
    pub(crate) fn wait_grown(&self, seen: u64, wait: Duration) -> Option<u64> {
        let learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |learnt: &mut Option<u64>| learnt.is_some_and(|learnt| learnt <= seen);
        let result = self.grown.wait_timeout_while(learnt, wait, same);
        *result.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Ends all waiting.
    pub(crate) fn close(&self) {
        *self.learnt.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.grown.notify_all();
    }

    /// Takes what a newer network file proves.
    pub(crate) fn adopt(&self, network: &NetworkFile) {
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        history.adopt(network);
        drop(history);
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        later.retain(|version, _| network.network().version < *version);
        drop(later);
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let learnt = self.learn_waiting(&mut waiting);
        drop(waiting);
        self.count(1 + learnt);
    }

    /// The logged versions of the network file before this one that are not in force yet, oldest
    /// first: where registrars' keys were replaced twice, the one in force leads to the newest only
    /// by those between.
    pub(crate) fn versions_before(&self, version: u64) -> Vec<NetworkFile> {
        let later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        later.range(..version).flat_map(|(_, files)| files).cloned().collect()
    }

    fn keep_version(&self, origin: &str, body: &Version) {
        let Ok(file) = NetworkFile::parse(&body.file.0) else { return };
        let of_registrar = self.read(|history| {
            let mut organisations = history.organisations();
            organisations.any(|(_, record)| {
                let is_own = record.node.as_ref().is_some_and(|node| node.origin == origin);
                is_own && record.roles.contains(&Role::Registrar)
            })
        });
        let mut later = self.later.lock().unwrap_or_else(PoisonError::into_inner);
        let has_room = later.values().map(Vec::len).sum::<usize>() < LATER_MAX;
        let files = later.entry(file.network().version).or_default();
        if of_registrar && has_room && !files.contains(&file) {
            files.push(file);
        }
    }

    fn count(&self, learnt: u64) {
        let mut count = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.map(|count| count + learnt);
        drop(count);
        self.grown.notify_all();
    }

    /// Learns a recorded identity attestation, or keeps it until it verifies.
    pub(crate) fn learn(&self, origin: &str, index: u64, body: &[u8], time: EntryTime) {
        let envelope = match Envelope::parse(body) {
            Ok(envelope) if changes_keys(envelope.kind()) => envelope,
            _ => return,
        };
        if let Body::Network(version) = envelope.body() {
            self.keep_version(origin, version);
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == WAITING_MAX {
            tracing::warn!(origin, index, "too many identity attestations wait for their issuers");
            return;
        }
        waiting.insert((origin.to_owned(), index), (envelope, time));
        let learnt = self.learn_waiting(&mut waiting);
        drop(waiting);
        if 0 < learnt {
            self.count(learnt);
        }
    }

    /// Learns what verifies by now, until nothing more does; how many did.
    fn learn_waiting(&self, waiting: &mut Waiting) -> u64 {
        let mut learnt = 0;
        loop {
            let before = learnt;
            waiting.retain(|_, (envelope, time)| {
                let known = self.try_learn(envelope, *time);
                learnt += u64::from(known);
                !known
            });
            if learnt == before {
                return learnt;
            }
        }
    }

    fn try_learn(&self, envelope: &Envelope, time: EntryTime) -> bool {
        let verified = self.read(|history| envelope.clone().verify(history, time));
        let Ok(verified) = verified else { return false };
        let mut history = self.history.write().unwrap_or_else(PoisonError::into_inner);
        match history.learn(&verified, time) {
            Ok(_) => {
                drop(history);
                let introductions = self.introductions.write();
                introductions.unwrap_or_else(PoisonError::into_inner).note(envelope);
                true
            }
            Err(error) => {
                let id: ContentId = verified.id();
                tracing::warn!(%id, %error, "a recorded identity attestation was not learnt");
                true
            }
        }
    }
}
