//! Which key was in force for whom, and when.
//!
//! Invariants: an entry's time is an interval, so a key covers an act, does not, or is in doubt; a
//! key has one holder for ever, and a second use of it is refused; an organisation's key follows
//! the one before only if that one committed to it, a registrar's by the versions of the network
//! file; a device whose key was enrolled by one that is in doubt is in doubt itself; an organisation
//! counts once the threshold that registrars had then has said the same of it, and so does what
//! registrars revoke.
//! Learning in any order of logs gives the same answer as long as each log is learnt in its order.

mod registrars;
mod revocations;

use crate::attestation::{Envelope, Verified};
use crate::audience::Region;
use crate::cbor;
use crate::id::{DeviceId, OrgId, Subject};
use crate::key::{KeyId, PublicKey};
use crate::kind::Body;
use crate::kind::device::Device;
use crate::kind::key::Key;
use crate::kind::organisation::{LogKeys, Organisation};
use crate::network::{NetworkFile, Registrar};
use crate::role::Role;
use crate::time::{EntryTime, Timestamp};
use registrars::{Named, Registrars};
use revocations::{Revocations, ends, enough};
use std::collections::{BTreeMap, BTreeSet};

/// Who holds a key, within its organisation.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Holder {
    /// The organisation itself.
    Org,
    /// One of its devices.
    Device(DeviceId),
    /// Its log.
    Log,
    /// Its witness.
    Witness,
    /// Its mirror.
    Mirror,
    /// Its node among peers.
    Peer,
}

/// A key in force.
#[derive(Clone, Debug)]
pub struct InForce<'a> {
    /// The key.
    pub key: &'a PublicKey,
    /// Whose key.
    pub org: &'a OrgId,
    /// What of that organisation holds it.
    pub holder: &'a Holder,
    /// True if the act's interval overlaps the begin or end of the key's time.
    pub in_doubt: bool,
}

/// Why no key is in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeyFault {
    /// Nobody has introduced it yet.
    #[error("the key is not known")]
    Unknown,
    /// It was not in force at that time.
    #[error("the key was not in force")]
    NotInForce,
}

/// Why an identity attestation changes nothing, although its signature is good.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LearnFault {
    /// One key, one role.
    #[error("key {kid} is already in use by {org}")]
    KeyReused {
        /// The key.
        kid: KeyId,
        /// Its holder.
        org: OrgId,
    },
    /// A second first key for an organisation.
    #[error("{org} was admitted before with key {kid}")]
    Admitted {
        /// The organisation.
        org: OrgId,
        /// Its key.
        kid: KeyId,
    },
    /// A rotation from a key that is not the organisation's, or was replaced already.
    #[error("key {kid} is not the key that {org} has")]
    NotCurrent {
        /// The organisation.
        org: OrgId,
        /// The key that should end.
        kid: KeyId,
    },
}

/// What an attestation has brought.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Learned {
    /// Keys known from now on: submissions that waited for them can go on.
    pub keys: Vec<KeyId>,
}

/// A member as the history knows it.
#[derive(Clone, Debug, PartialEq)]
pub struct OrganisationRecord {
    /// Its name in law; empty for a registrar known from the network file alone.
    pub legal_name: String,
    /// Its roles.
    pub roles: BTreeSet<Role>,
    /// Where it is established, as it was admitted; none for a registrar known from the network
    /// file alone.
    pub regions: Vec<Region>,
    /// The key in use.
    pub key: KeyId,
    /// The key that may follow.
    pub next_key_commitment: KeyId,
    /// The log and keys of its node.
    pub node: Option<LogKeys>,
}

impl OrganisationRecord {
    /// With its key and nothing else.
    fn bare(key: KeyId, next_key_commitment: KeyId) -> OrganisationRecord {
        OrganisationRecord {
            legal_name: String::new(),
            roles: BTreeSet::new(),
            regions: Vec::new(),
            key,
            next_key_commitment,
            node: None,
        }
    }
}

#[derive(Clone, Debug)]
struct KeyRecord {
    key: PublicKey,
    org: OrgId,
    holder: Holder,
    /// Since an attestation, or the members of the network file, introduced it.
    from: EntryTime,
    /// Since another one followed it; that it was revoked is kept apart.
    until: Option<EntryTime>,
    /// As a registrar's, by the versions of the network file.
    named: Option<Named>,
    next: Option<KeyId>,
    /// Of a device's: which keys of its organisation have enrolled it, and when each did first.
    enrolled: BTreeMap<KeyId, EntryTime>,
}

impl KeyRecord {
    fn from(&self) -> EntryTime {
        self.named.map_or(self.from, |named| earlier(named.from, self.from))
    }

    /// The key of a registrar that is one no more stays that of a member.
    fn until(&self) -> Option<EntryTime> {
        let is_member = self.from != NEVER;
        let named = self.named.filter(|named| named.is_replaced || !is_member);
        let ends = named.and_then(|named| named.until).into_iter().chain(self.until);
        ends.reduce(earlier)
    }
}

/// What registrars say of an organisation, and who said it when.
#[derive(Clone, Debug)]
struct Admission {
    org: OrgId,
    body: Organisation,
    votes: BTreeMap<OrgId, EntryTime>,
    is_settled: bool,
}

impl Admission {
    /// What is said, but for the words that say what it takes the place of: those differ between
    /// registrars.
    fn said(body: &Organisation) -> Vec<u8> {
        let said = Organisation { replaces: None, reason: None, ..body.clone() };
        cbor::to_vec(&said).expect("it was decoded from its encoding")
    }
}

/// All keys that the network file and the logs have introduced.
#[derive(Clone, Debug)]
pub struct KeyHistory {
    registrars: Registrars,
    keys: BTreeMap<KeyId, KeyRecord>,
    organisations: BTreeMap<OrgId, OrganisationRecord>,
    devices: BTreeMap<DeviceId, (Device, EntryTime)>,
    /// By organisation and all that is said of it.
    admissions: BTreeMap<(OrgId, Vec<u8>), Admission>,
    revocations: Revocations,
}

/// In force since before any log began.
const ALWAYS: EntryTime = EntryTime::at(Timestamp::from_unix_ms(0));
/// Not introduced by anything that is known.
const NEVER: EntryTime = EntryTime::at(Timestamp::MAX);

impl KeyHistory {
    /// What the network file alone says.
    pub fn new(file: &NetworkFile) -> KeyHistory {
        let mut history = KeyHistory {
            registrars: Registrars::of(file.network()),
            keys: BTreeMap::new(),
            organisations: BTreeMap::new(),
            devices: BTreeMap::new(),
            admissions: BTreeMap::new(),
            revocations: Revocations::default(),
        };
        history.adopt(file);
        history
    }

    /// Takes a later version of the network file, which the caller has checked to succeed. Keys
    /// already known keep their holder.
    pub fn adopt(&mut self, file: &NetworkFile) {
        let network = file.network();
        self.registrars.adopt(network);
        self.name_registrars();
        for registrar in &network.registrars {
            let (key, next) = (registrar.key.id(), registrar.next_key_commitment);
            let record = self.organisations.entry(registrar.org.clone());
            let record = record.or_insert_with(|| OrganisationRecord::bare(key, next));
            // One that a `key` attestation ended already stays ended.
            if self.keys.get(&key).is_some_and(|known| known.until().is_none()) {
                (record.key, record.next_key_commitment) = (key, next);
            }
        }
        for (org, record) in &mut self.organisations {
            let is_registrar = network.registrars.iter().any(|one| one.org == *org);
            match is_registrar {
                true => record.roles.insert(Role::Registrar),
                false => record.roles.remove(&Role::Registrar),
            };
        }
        for member in &network.members {
            self.insert_node(&member.org, &member.log_keys(), ALWAYS);
        }
    }

    /// Gives the keys of registrars their times, and counts votes anew that were too few.
    fn name_registrars(&mut self) -> Vec<KeyId> {
        let mut keys = Vec::new();
        for (registrar, named) in self.registrars.keys() {
            let Registrar { org, key, next_key_commitment } = registrar;
            // A registrar's key that has another holder already stays with that holder.
            let next = Some(next_key_commitment);
            let new = self.insert(&key, &org, Holder::Org, NEVER, next);
            let Ok(new) = new else { continue };
            keys.extend(new);
            if let Some(record) = self.keys.get_mut(&key.id()) {
                record.named = Some(named);
            }
        }
        let open = self.admissions.iter().filter(|(_, admission)| !admission.is_settled);
        let open: Vec<_> = open.map(|(said, _)| said.clone()).collect();
        for said in open {
            if let Ok(settled) = self.settle(&said) {
                keys.extend(settled);
            }
        }
        keys
    }

    /// The key in force at this time.
    pub fn in_force(&self, kid: KeyId, at: EntryTime) -> Result<InForce<'_>, KeyFault> {
        let record = self.keys.get(&kid).ok_or(KeyFault::Unknown)?;
        let KeyRecord { key, org, holder, .. } = record;
        let (from, revoked) = (record.from(), self.revoked(kid));
        let until = ends(record, revoked);
        let ended = until.is_some_and(|until| until.hi < at.lo);
        if ended || at.hi < from.lo {
            return Err(KeyFault::NotInForce);
        }
        let covered = self.has_begun(record, at)
            && until.is_none_or(|until| at.hi < until.lo)
            && revoked.is_none_or(|revoked| at.hi < revoked.since);
        Ok(InForce { key, org, holder, in_doubt: !covered })
    }

    /// Whether a key is known and comes into force only after this time, by whichever clock told it.
    pub fn is_early(&self, kid: KeyId, at: EntryTime) -> bool {
        self.keys.get(&kid).is_some_and(|record| at.hi < record.from().lo)
    }

    /// Whose a key was, and when it ended; `None` for one that is unknown or still in use.
    pub fn ended(&self, kid: &KeyId) -> Option<(&OrgId, &PublicKey, EntryTime)> {
        let record = self.keys.get(kid)?;
        // When a registrar's key was replaced is not known while no version is that says so.
        let until = ends(record, self.revoked(*kid)).filter(|until| until.hi != Timestamp::MAX)?;
        Some((&record.org, &record.key, until))
    }

    /// The key with this id, in force or not.
    pub fn key(&self, kid: &KeyId) -> Option<&PublicKey> {
        self.keys.get(kid).map(|record| &record.key)
    }

    /// The key that an attestation must be signed with.
    ///
    /// A `key` is signed by the new key itself, which the key before has committed to. A `genesis`
    /// is older than its organisation's admission, so its key may come into force later. Which key a
    /// registrar had is told by the versions themselves.
    pub fn signer_of<'a>(
        &'a self,
        envelope: &'a Envelope,
        at: EntryTime,
    ) -> Result<InForce<'a>, KeyFault> {
        match envelope.body() {
            Body::Key(body) => self.successor(envelope, body, at),
            Body::Genesis(_) => {
                let record = self.keys.get(&envelope.signer()).ok_or(KeyFault::Unknown)?;
                let KeyRecord { key, org, holder, .. } = record;
                Ok(InForce { key, org, holder, in_doubt: false })
            }
            _ => self.in_force(envelope.signer(), at),
        }
    }

    fn successor<'a>(
        &'a self,
        envelope: &'a Envelope,
        body: &'a Key,
        at: EntryTime,
    ) -> Result<InForce<'a>, KeyFault> {
        let before = self.keys.get(&body.replaces_key).ok_or(KeyFault::Unknown)?;
        let committed = before.next == Some(body.key.id()) && body.key.id() == envelope.signer();
        if !committed || before.holder != Holder::Org || at.hi < before.from().lo {
            return Err(KeyFault::NotInForce);
        }
        let in_doubt = at.lo < before.from().hi;
        Ok(InForce { key: &body.key, org: &before.org, holder: &Holder::Org, in_doubt })
    }

    /// Whether an organisation holds a role. That of a registrar it has by the versions of the
    /// network file, at this time or perhaps at this time.
    pub fn has_role(&self, org: &OrgId, role: &Role, at: EntryTime) -> bool {
        match role {
            Role::Registrar => self.registrars.has(org, at),
            role => self.organisations.get(org).is_some_and(|record| record.roles.contains(role)),
        }
    }

    /// A member.
    pub fn organisation(&self, org: &OrgId) -> Option<&OrganisationRecord> {
        self.organisations.get(org)
    }

    /// All members.
    pub fn organisations(&self) -> impl Iterator<Item = (&OrgId, &OrganisationRecord)> {
        self.organisations.iter()
    }

    /// A device as it was enrolled last.
    pub fn device(&self, device: &DeviceId) -> Option<&Device> {
        self.devices.get(device).map(|(device, _)| device)
    }

    /// The devices of an organisation, in the order of their names.
    pub fn devices_of(&self, org: &OrgId) -> impl Iterator<Item = &DeviceId> {
        self.devices.keys().filter(move |device| device.org() == *org)
    }

    /// Whether the key is known, in force or not.
    pub fn knows(&self, kid: &KeyId) -> bool {
        self.keys.contains_key(kid)
    }

    /// Takes in an identity attestation at its place in a log; others bring nothing.
    ///
    /// The same attestation again brings nothing and is no fault.
    pub fn learn(&mut self, verified: &Verified, at: EntryTime) -> Result<Learned, LearnFault> {
        let claims = verified.claims();
        match (verified.body(), &claims.sub) {
            (Body::Network(body), _) => {
                let file = NetworkFile::parse(&body.file.0);
                let is_new = file.is_ok_and(|file| self.registrars.learn(file.network(), at));
                let keys = if is_new { self.name_registrars() } else { Vec::new() };
                Ok(Learned { keys })
            }
            (Body::Genesis(body), _) => {
                let keys = self.insert_node(&claims.iss, &body.keys, at);
                Ok(Learned { keys })
            }
            (Body::Organisation(body), Subject::Org(org)) => {
                self.learn_organisation(body, org, &claims.iss, at)
            }
            (Body::Key(body), _) => self.learn_key(body, &claims.iss, at),
            (Body::Device(body), Subject::Device(device)) => {
                self.learn_device(body, device, (verified.envelope().signer(), at))
            }
            (Body::Revocation(body), _) => {
                self.revocations.learn(body.key, body.since, &claims.iss, at);
                Ok(Learned::default())
            }
            _ => Ok(Learned::default()),
        }
    }

    fn learn_organisation(
        &mut self,
        body: &Organisation,
        org: &OrgId,
        registrar: &OrgId,
        at: EntryTime,
    ) -> Result<Learned, LearnFault> {
        let kid = body.key.id();
        self.free_for(&body.key, org, &Holder::Org)?;
        let is_other = |(known, record): &(&KeyId, &KeyRecord)| {
            **known != kid && record.org == *org && record.holder == Holder::Org
        };
        // The first key of a registrar may be told after the one that followed it.
        let is_followed = |known: &KeyId| body.next_key_commitment == *known;
        if let (Some((first, _)), false) =
            (self.keys.iter().find(is_other), self.keys.contains_key(&kid))
            && !is_followed(first)
        {
            return Err(LearnFault::Admitted { org: org.clone(), kid: *first });
        }
        let said = (org.clone(), Admission::said(body));
        let admission = self.admissions.entry(said.clone()).or_insert_with(|| Admission {
            org: org.clone(),
            body: body.clone(),
            votes: BTreeMap::new(),
            is_settled: false,
        });
        admission.votes.entry(registrar.clone()).or_insert(at);
        Ok(Learned { keys: self.settle(&said)? })
    }

    /// Admits an organisation, or changes what is known of it, once enough registrars said the same.
    fn settle(&mut self, said: &(OrgId, Vec<u8>)) -> Result<Vec<KeyId>, LearnFault> {
        let Some(admission) = self.admissions.get_mut(said) else {
            return Ok(Vec::new());
        };
        let Some(from) = enough(admission.votes.values().copied().collect(), &self.registrars)
        else {
            return Ok(Vec::new());
        };
        admission.is_settled = true;
        let (org, body) = (admission.org.clone(), admission.body.clone());
        let (kid, next) = (body.key.id(), body.next_key_commitment);
        let mut keys = Vec::new();
        keys.extend(self.insert(&body.key, &org, Holder::Org, from, Some(next))?);
        let record = self.organisations.entry(org.clone());
        let record = record.or_insert_with(|| OrganisationRecord::bare(kid, next));
        body.legal_name.clone_into(&mut record.legal_name);
        // A registrar is one for as long as the network file names it, and by nothing else.
        let registrar = record.roles.contains(&Role::Registrar).then_some(Role::Registrar);
        let stated = body.roles.iter().copied().filter(|role| *role != Role::Registrar);
        record.roles = stated.chain(registrar).collect();
        record.regions.clone_from(&body.regions);
        if let Some(node) = &body.node {
            keys.extend(self.insert_node(&org, node, from));
        }
        Ok(keys)
    }

    fn learn_key(&mut self, body: &Key, org: &OrgId, at: EntryTime) -> Result<Learned, LearnFault> {
        let kid = body.replaces_key;
        let not_current = LearnFault::NotCurrent { org: org.clone(), kid };
        let before = self.keys.get(&kid).filter(|record| record.org == *org);
        let before = before.ok_or(not_current.clone())?;
        if before.next != Some(body.key.id()) {
            return Err(not_current);
        }
        let next = Some(body.next_key_commitment);
        let keys = self.insert(&body.key, org, Holder::Org, at, next)?;
        if let Some(record) = self.keys.get_mut(&kid) {
            record.until = Some(record.until.map_or(at, |until| earlier(until, at)));
        }
        if let Some(record) = self.organisations.get_mut(org).filter(|record| record.key == kid) {
            record.key = body.key.id();
            record.next_key_commitment = body.next_key_commitment;
        }
        Ok(Learned { keys: keys.into_iter().collect() })
    }

    fn learn_device(
        &mut self,
        body: &Device,
        device: &DeviceId,
        (by, at): (KeyId, EntryTime),
    ) -> Result<Learned, LearnFault> {
        let holder = Holder::Device(device.clone());
        let keys = self.insert(&body.key, &device.org(), holder.clone(), at, None)?;
        if let Some(record) = self.keys.get_mut(&body.key.id()) {
            let known = record.enrolled.entry(by).or_insert(at);
            *known = earlier(*known, at);
        }
        let newest = self.devices.get(device).is_none_or(|(_, known)| known.hi <= at.hi);
        if newest {
            let kid = body.key.id();
            for (known, record) in &mut self.keys {
                if record.holder == holder && *known != kid && record.until.is_none() {
                    record.until = Some(at);
                }
            }
            self.devices.insert(device.clone(), (body.clone(), at));
        }
        Ok(Learned { keys: keys.into_iter().collect() })
    }

    /// The keys of a node. One that has another holder already is left with that holder: it can
    /// then sign nothing here.
    fn insert_node(&mut self, org: &OrgId, keys: &LogKeys, from: EntryTime) -> Vec<KeyId> {
        let all = [
            (keys.log.key(), Holder::Log),
            (keys.witness.key(), Holder::Witness),
            (keys.mirror.key(), Holder::Mirror),
            (&keys.peer, Holder::Peer),
        ];
        let free = all.iter().all(|(key, holder)| self.free_for(key, org, holder).is_ok());
        if !free {
            return Vec::new();
        }
        if let Some(record) = self.organisations.get_mut(org) {
            record.node = Some(keys.clone());
        }
        let insert = |(key, holder)| self.insert(key, org, holder, from, None).ok().flatten();
        all.into_iter().filter_map(insert).collect()
    }

    fn free_for(&self, key: &PublicKey, org: &OrgId, holder: &Holder) -> Result<(), LearnFault> {
        let kid = key.id();
        match self.keys.get(&kid) {
            Some(known) if known.org != *org || known.holder != *holder => {
                Err(LearnFault::KeyReused { kid, org: known.org.clone() })
            }
            _ => Ok(()),
        }
    }

    /// The key's id if it was not known before.
    fn insert(
        &mut self,
        key: &PublicKey,
        org: &OrgId,
        holder: Holder,
        from: EntryTime,
        next: Option<KeyId>,
    ) -> Result<Option<KeyId>, LearnFault> {
        self.free_for(key, org, &holder)?;
        let kid = key.id();
        if let Some(known) = self.keys.get_mut(&kid) {
            known.from = earlier(known.from, from);
            return Ok(None);
        }
        let (key, org) = (key.clone(), org.clone());
        let (until, named, enrolled) = (None, None, BTreeMap::new());
        let record = KeyRecord { key, org, holder, from, until, named, next, enrolled };
        self.keys.insert(kid, record);
        Ok(Some(kid))
    }
}

fn earlier(a: EntryTime, b: EntryTime) -> EntryTime {
    if (b.hi, b.lo) < (a.hi, a.lo) { b } else { a }
}

#[cfg(test)]
mod tests;
