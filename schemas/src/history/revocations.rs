//! Keys that were given up, by whom and since when.
//!
//! Invariants: the word of the holder's organisation counts at once, that of registrars once as
//! many as the threshold was then said the same; the earliest end and the earliest begin of doubt
//! hold, so the order in which revocations come does not matter; what a key enrolled since then is in
//! doubt as what it signed is.

use std::collections::BTreeMap;

use super::registrars::Registrars;
use super::{Holder, KeyHistory, KeyRecord, earlier};
use crate::id::{OrgId, Subject};
use crate::key::KeyId;
use crate::time::{EntryTime, Timestamp};

/// A key that was given up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Revoked {
    /// It signs nothing after this.
    pub(super) at: EntryTime,
    /// What it signed from then on is in doubt.
    pub(super) since: Timestamp,
}

/// What is said of each key: since when it is given up, by whom, and when that was said.
#[derive(Clone, Debug, Default)]
pub(super) struct Revocations {
    said: BTreeMap<KeyId, BTreeMap<Timestamp, BTreeMap<OrgId, EntryTime>>>,
}

impl Revocations {
    /// Takes in what one organisation says at this time.
    pub(super) fn learn(&mut self, kid: KeyId, since: Timestamp, by: &OrgId, at: EntryTime) {
        let votes = self.said.entry(kid).or_default().entry(since).or_default();
        votes.entry(by.clone()).and_modify(|known| *known = earlier(*known, at)).or_insert(at);
    }

    /// How a key of this organisation was given up, if it was.
    pub(super) fn of(&self, kid: KeyId, org: &OrgId, registrars: &Registrars) -> Option<Revoked> {
        let said = self.said.get(&kid)?;
        let counted = said.iter().filter_map(|(since, votes)| {
            let is_registrar = |(by, at): &(&OrgId, &EntryTime)| registrars.has(by, **at);
            let times = votes.iter().filter(is_registrar).map(|(_, at)| *at);
            let ends = enough(times.collect(), registrars).into_iter();
            let at = ends.chain(votes.get(org).copied()).reduce(earlier)?;
            Some(Revoked { at, since: *since })
        });
        counted.reduce(|one, other| Revoked {
            at: earlier(one.at, other.at),
            since: one.since.min(other.since),
        })
    }
}

impl KeyHistory {
    /// Since when what a key signed is in doubt, because it was revoked.
    pub fn revoked_since(&self, kid: &KeyId) -> Option<Timestamp> {
        self.revoked(*kid).map(|revoked| revoked.since)
    }

    /// The revoked key that enrolled this one when it may have been another's, and since when.
    pub fn enrolled_in_doubt(&self, kid: &KeyId) -> Option<(KeyId, Timestamp)> {
        let mut enrolled = self.keys.get(kid)?.enrolled.iter();
        enrolled.find_map(|(by, at)| {
            let revoked = self.revoked(*by).filter(|revoked| revoked.since <= at.hi)?;
            Some((*by, revoked.since))
        })
    }

    /// Since when it is in doubt whose act this of the key was: it was revoked since before, or the one
    /// that enrolled it was.
    pub fn doubted_since(&self, kid: &KeyId, act: EntryTime) -> Option<Timestamp> {
        let revoked = self.revoked_since(kid).filter(|since| *since <= act.hi);
        let record = self.keys.get(kid)?;
        let enrolled = || {
            let is_open = !self.has_begun(record, act);
            is_open.then(|| self.enrolled_in_doubt(kid)).flatten().map(|(_, since)| since)
        };
        revoked.or_else(enrolled)
    }

    /// Whether a key was in force before this act: a device's only by an enrolment that is in no
    /// doubt.
    pub(super) fn has_begun(&self, record: &KeyRecord, act: EntryTime) -> bool {
        let is_good = |by: &KeyId, at: &EntryTime| {
            self.revoked(*by).is_none_or(|revoked| at.hi < revoked.since)
        };
        let mut enrolled = record.enrolled.iter();
        record.from().hi <= act.lo
            && (record.enrolled.is_empty()
                || enrolled.any(|(by, at)| at.hi <= act.lo && is_good(by, at)))
    }

    pub(super) fn revoked(&self, kid: KeyId) -> Option<Revoked> {
        let record = self.keys.get(&kid)?;
        self.revocations.of(kid, &record.org, &self.registrars)
    }

    /// Whether this organisation may revoke a key of this subject at this time; none for a key that
    /// is not known yet.
    pub(crate) fn may_revoke(
        &self,
        kid: KeyId,
        (by, of): (&OrgId, &Subject),
        at: EntryTime,
    ) -> Option<Result<(), &'static str>> {
        let record = self.keys.get(&kid)?;
        let is_holders = match (&record.holder, of) {
            (Holder::Org, Subject::Org(org)) => record.org == *org,
            (Holder::Device(device), Subject::Device(subject)) => device == subject,
            (Holder::Org | Holder::Device(_), _) => false,
            _ => return Some(Err("such a key ends with a version of the network file")),
        };
        let may = record.org == *by || self.registrars.has(by, at);
        Some(match (is_holders, may) {
            (true, true) => Ok(()),
            (false, _) => {
                Err("another holds it: state as subject the organisation or device whose key it is")
            }
            (_, false) => Err("only the organisation that holds it, or a registrar, gives it up"),
        })
    }
}

/// When so many had said the same that it was as many as the threshold was then.
pub(super) fn enough(mut times: Vec<EntryTime>, registrars: &Registrars) -> Option<EntryTime> {
    times.sort_by_key(|time| (time.hi, time.lo));
    let enough = (1..).zip(&times).find(|(count, at)| registrars.threshold(**at) <= *count);
    enough.map(|(_, at)| *at)
}

/// When a key ended: another followed it, or it was given up.
pub(super) fn ends(record: &KeyRecord, revoked: Option<Revoked>) -> Option<EntryTime> {
    record.until().into_iter().chain(revoked.map(|revoked| revoked.at)).reduce(earlier)
}
