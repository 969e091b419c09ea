//! Who was registrar when: the newest network file tells who, logged versions tell since when.
//!
//! Invariants: a logged version counts only if the newest one tells the same registrars of then, so
//! that no file that a stranger made begins anything; a change of which no version is known yet
//! may have been at any time.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{ALWAYS, earlier};
use crate::cbor;
use crate::id::OrgId;
use crate::key::KeyId;
use crate::network::{Epoch, Network, Registrar};
use crate::time::{EntryTime, Timestamp};

/// Whenever: no version that tells is known.
const SOMETIME: EntryTime = EntryTime { lo: Timestamp::from_unix_ms(0), hi: Timestamp::MAX };

/// For how long the network file names a key as a registrar's.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Named {
    /// Since the first version that names it.
    pub(super) from: EntryTime,
    /// Since the first one after that without it.
    pub(super) until: Option<EntryTime>,
    /// Whether its organisation has another key there.
    pub(super) is_replaced: bool,
}

/// Names an epoch: the one before it, itself, and how often the one had followed the other.
type Mark = Vec<u8>;

/// Registrars and thresholds, oldest first, each with its begin.
#[derive(Clone, Debug)]
pub(super) struct Registrars {
    network: String,
    epochs: Vec<(Epoch, EntryTime)>,
    /// The earliest entry of a version of each epoch: one may be logged before it is in force here.
    logged: BTreeMap<Mark, EntryTime>,
}

impl Registrars {
    pub(super) fn of(newest: &Network) -> Registrars {
        let network = newest.name.clone();
        let mut registrars = Registrars { network, epochs: Vec::new(), logged: BTreeMap::new() };
        registrars.adopt(newest);
        registrars
    }

    pub(super) fn adopt(&mut self, newest: &Network) {
        self.date(newest.epochs());
    }

    /// Learns when a version was logged; whether that changes anything.
    pub(super) fn learn(&mut self, version: &Network, at: EntryTime) -> bool {
        if version.name != self.network {
            return false;
        }
        let epochs = version.epochs();
        let first = self.logged.entry(mark(&epochs, epochs.len() - 1)).or_insert(at);
        *first = earlier(*first, at);
        let before = self.epochs.clone();
        self.date(before.iter().map(|(epoch, _)| epoch.clone()).collect());
        before != self.epochs
    }

    /// Dates each epoch by the earliest entry of a version that is of it. Such a version is signed
    /// by the threshold of that epoch, so nobody else made it.
    fn date(&mut self, epochs: Vec<Epoch>) {
        let begin = |place| match place {
            0 => ALWAYS,
            place => self.logged.get(&mark(&epochs, place)).copied().unwrap_or(SOMETIME),
        };
        let begins: Vec<EntryTime> = (0..epochs.len()).map(begin).collect();
        self.epochs = epochs.into_iter().zip(begins).collect();
    }

    /// The keys of all registrars, each with its time.
    pub(super) fn keys(&self) -> Vec<(Registrar, Named)> {
        let mut keys: BTreeMap<KeyId, (Registrar, Named)> = BTreeMap::new();
        for (place, (epoch, begin)) in self.epochs.iter().enumerate() {
            let next = self.epochs.get(place + 1);
            for registrar in &epoch.registrars {
                let same = |one: &&Registrar| one.org == registrar.org;
                let kept = next.and_then(|(next, _)| next.registrars.iter().find(same));
                let is_kept = kept.is_some_and(|one| one.key == registrar.key);
                let until = next.map(|(_, begin)| *begin).filter(|_| !is_kept);
                let is_replaced = kept.is_some() && !is_kept;
                let named = Named { from: *begin, until, is_replaced };
                let known = keys.entry(registrar.key.id()).or_insert((registrar.clone(), named));
                known.1 = Named { from: known.1.from, ..named };
                known.0.clone_from(registrar);
            }
        }
        keys.into_values().collect()
    }

    /// Whether an organisation was registrar at this time, or perhaps was.
    pub(super) fn has(&self, org: &OrgId, at: EntryTime) -> bool {
        self.covering(at).any(|epoch| epoch.registrars.iter().any(|one| one.org == *org))
    }

    /// How many registrars it took at this time, the fewest that may have been.
    pub(super) fn threshold(&self, at: EntryTime) -> usize {
        let thresholds = self.covering(at).map(|epoch| epoch.threshold as usize);
        thresholds.min().unwrap_or(usize::MAX)
    }

    /// The epochs that this time may be of.
    fn covering(&self, at: EntryTime) -> impl Iterator<Item = &Epoch> {
        let ended = move |place: usize| {
            let next = self.epochs.get(place + 1);
            next.is_some_and(|(_, begin)| begin.hi < at.lo)
        };
        let epochs = self.epochs.iter().enumerate();
        epochs
            .filter(move |(place, (_, begin))| begin.lo <= at.hi && !ended(*place))
            .map(|(_, (epoch, _))| epoch)
    }
}

fn mark(epochs: &[Epoch], place: usize) -> Mark {
    let step = |at: usize| (at.checked_sub(1).map(|before| &epochs[before]), &epochs[at]);
    let times = (0..place).filter(|at| step(*at) == step(place)).count();
    let encoded = cbor::to_vec(&(step(place), times)).expect("it was decoded from its encoding");
    Sha256::digest(encoded).to_vec()
}
