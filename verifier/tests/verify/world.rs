//! One organisation with its log, its meter and two witnesses, made from fixed seeds.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use hallmark_schemas::attestation::{Claims, ContentId, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::bundle::{Header, Item};
use hallmark_schemas::cosigned;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::{Head, Slot};
use hallmark_schemas::id::{DeviceId, OrgId, Subject};
use hallmark_schemas::intent::Intent;
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::device::{Device, DeviceClass};
use hallmark_schemas::kind::genesis::Genesis;
use hallmark_schemas::kind::network;
use hallmark_schemas::kind::organisation::{LogKeys, Organisation};
use hallmark_schemas::kind::revocation::{Revocation, Why};
use hallmark_schemas::kind::value::Blob;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::layout::{Data, Dir};
use hallmark_schemas::merkle::{Frontier, Hash, inclusion_proof};
use hallmark_schemas::network::{Member, Network, NetworkFile, Registrar};
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote};
use hallmark_schemas::pack::PackPosition;
use hallmark_schemas::policy::{Policy, Witness};
use hallmark_schemas::receipt::{Receipt, ReceiptParts};
use hallmark_schemas::role::Role;
use hallmark_schemas::tile::{self, TILE_WIDTH, TilePath};
use hallmark_schemas::time::Timestamp;
use hallmark_schemas::{frame, pack};

pub(crate) const ORIGIN: &str = "steel/lei-529900T8BM49AURSDO55/1";
pub(crate) const ORG: &str = "urn:hallmark:org:lei:529900T8BM49AURSDO55";
const METER: &str = "urn:hallmark:device:lei:529900T8BM49AURSDO55:m-7";

pub(crate) struct World {
    org_key: SecretKey,
    meter_key: SecretKey,
    log: NoteSigner,
    witnesses: Vec<NoteSigner>,
    pub(crate) network: NetworkFile,
    pub(crate) entries: Vec<Entry>,
    pub(crate) bodies: Vec<Vec<u8>>,
    /// Every checkpoint that was published, oldest first.
    pub(crate) checkpoints: Vec<SignedNote>,
    /// Who may read what is added.
    pub(crate) aud: Audience,
    now: Timestamp,
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn keys(log: &NoteSigner) -> LogKeys {
    let witness =
        |name: &str, seed| NoteSigner::witness(name, Arc::new(key(seed))).unwrap().vkey().clone();
    LogKeys {
        origin: ORIGIN.to_owned(),
        log: log.vkey().clone(),
        witness: witness("lei-529900T8BM49AURSDO55", 3),
        mirror: witness("lei-529900T8BM49AURSDO55", 4),
        peer: key(5).public().clone(),
    }
}

impl World {
    /// A log with genesis, organisation and meter, witnessed by `quorum` of two witnesses (0:
    /// none), nothing published yet.
    pub(crate) fn new(quorum: usize) -> World {
        World::for_audience(quorum, Audience::Members)
    }

    /// The same, signed for this audience.
    pub(crate) fn for_audience(quorum: usize, audience: Audience) -> World {
        let (org_key, meter_key) = (key(1), key(6));
        let log = NoteSigner::log(ORIGIN, Arc::new(key(2))).unwrap();
        let witness = |name, seed| NoteSigner::witness(name, Arc::new(key(seed))).unwrap();
        let witnesses = vec![witness("w1", 11), witness("w2", 12)];
        let listed = witnesses.iter().map(|one| Witness {
            name: one.vkey().name().to_owned(),
            key: one.vkey().clone(),
            url: None,
        });
        let policy = Policy::threshold(quorum, listed.collect()).unwrap_or_else(Policy::none);
        let (org, roles): (OrgId, _) =
            (ORG.parse().unwrap(), vec![Role::Registrar, Role::Producer]);
        let next = key(9).public().id();
        let registrar = Registrar {
            org: org.clone(),
            key: org_key.public().clone(),
            next_key_commitment: next,
        };
        let network = Network {
            v: 1,
            name: "steel".to_owned(),
            version: 1,
            expires_at: Timestamp::parse("2030-01-01T00:00:00Z").unwrap(),
            registrars: vec![registrar],
            threshold: 1,
            members: vec![Member::new(org, roles.clone(), keys(&log))],
            policy,
            packs: Vec::new(),
            sealed: Vec::new(),
            previous: None,
            former: Vec::new(),
        };
        let network = NetworkFile::sign(network, &[&org_key]).unwrap();
        let mut world = World {
            org_key,
            meter_key,
            log,
            witnesses,
            network,
            entries: Vec::new(),
            bodies: Vec::new(),
            checkpoints: Vec::new(),
            aud: audience,
            now: Timestamp::parse("2026-03-01T00:00:00Z").unwrap(),
        };
        world.add_identity(roles);
        world
    }

    fn add_identity(&mut self, roles: Vec<Role>) {
        let node = keys(&self.log);
        let genesis = Genesis { network: "steel".to_owned(), keys: node.clone(), previous: None };
        self.add(log_subject(), genesis.into(), false);
        let organisation = Organisation {
            legal_name: "Steel Ltd".to_owned(),
            roles,
            regions: Vec::new(),
            key: self.org_key.public().clone(),
            next_key_commitment: key(9).public().id(),
            node: Some(node),
            replaces: None,
            reason: None,
        };
        self.add(Subject::Org(ORG.parse().unwrap()), organisation.into(), false);
        let device = Device {
            key: self.meter_key.public().clone(),
            class: DeviceClass::Meter,
            model: "test".to_owned(),
            quantity: Some("electricity".parse().unwrap()),
            unit: Some("Wh".to_owned()),
            accuracy_ppm: None,
            facility: None,
            lat_e7: None,
            lon_e7: None,
            replaces: None,
            reason: None,
        };
        self.add(meter(), device.into(), false);
    }

    /// Signs a body and appends it to the batch that [`World::publish`] ends.
    pub(crate) fn add(&mut self, sub: Subject, body: Body, by_meter: bool) -> ContentId {
        let iss: OrgId = ORG.parse().unwrap();
        let aud = self.aud.clone();
        let claims = Claims { iss, sub, aud, iat: self.now, regions: Vec::new() };
        let signer = if by_meter { &self.meter_key } else { &self.org_key };
        let salt = [self.entries.len() as u8; 16];
        let envelope = sign(Draft { claims, body }, salt, signer).unwrap();
        self.append(&envelope)
    }

    /// Appends an attestation that is signed already.
    pub(crate) fn append(&mut self, envelope: &Envelope) -> ContentId {
        let (id, audience) = (envelope.id(), envelope.claims().aud.byte());
        self.entries.push(Entry { audience, admitted_at: self.now, id });
        self.bodies.push(envelope.stored().to_vec());
        id
    }

    /// One batch of the meter with four quarter hours.
    pub(crate) fn readings(
        &mut self,
        sequence: u64,
        previous: Option<ContentId>,
        first: i64,
    ) -> ContentId {
        let start = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
        let at = |n: u64| {
            let steps = i64::try_from((sequence * 4 + n) * 900_000).unwrap();
            start.checked_add_ms(steps).unwrap().to_string()
        };
        let samples: Vec<_> = (0..4)
            .map(|n| serde_json::json!({ "read_at": at(n), "amount": first + n as i64 * 37 }))
            .collect();
        let mut json = serde_json::json!({
            "boot": 1, "sequence": sequence, "quantity": "electricity", "unit": "Wh",
            "interval_s": 900, "clock_quality": "synchronised", "samples": samples,
        });
        if let Some(previous) = previous {
            json["previous"] = previous.to_string().into();
        }
        let body = Body::from_json(KindName::Readings, json).unwrap();
        self.add(meter(), body, true)
    }

    /// The organisation gives up the key of its meter, from now on.
    pub(crate) fn give_up_meter(&mut self) -> ContentId {
        let key = self.meter_key.public().id();
        let body = Revocation { key, since: self.now, why: Why::Lost };
        let before = std::mem::replace(&mut self.aud, Audience::Public);
        let id = self.add(meter(), body.into(), false);
        self.aud = before;
        id
    }

    /// Logs the version of the network file that is in force; then one comes by which the witness
    /// with this key alone counts, and which is not logged yet.
    pub(crate) fn next_policy(&mut self, witness: &NoteSigner) -> NetworkFile {
        let network = self.network.network();
        let (version, file) = (network.version, Blob(self.network.bytes().to_vec()));
        let (name, key) = (witness.vkey().name().to_owned(), witness.vkey().clone());
        let policy = Policy::threshold(1, vec![Witness { name, key, url: None }]).unwrap();
        let next = self.network.next(|network| network.policy = policy);
        let body = network::Network { version, file };
        self.add(Subject::Org(ORG.parse().unwrap()), body.into(), false);
        NetworkFile::sign(next, &[&self.org_key]).unwrap()
    }

    /// The network began without witnesses and changed to this policy so many milliseconds ago;
    /// both versions are logged.
    pub(crate) fn change_policy(&mut self, ago_ms: i64) {
        let policy = self.network.network().policy.clone();
        let mut first = self.network.network().clone();
        first.policy = Policy::none();
        let first = NetworkFile::sign(first, &[&self.org_key]).unwrap();
        let second = first.next(|network| network.policy = policy);
        let second = NetworkFile::sign(second, &[&self.org_key]).unwrap();
        for network in [first, second] {
            let version = network.network().version;
            self.network = network;
            let file = Blob(self.network.bytes().to_vec());
            let body = network::Network { version, file };
            self.add(Subject::Org(ORG.parse().unwrap()), body.into(), false);
        }
        self.now = self.now.checked_add_ms(ago_ms).unwrap();
    }

    /// Signs a checkpoint over everything so far, with all witnesses; a minute passes.
    pub(crate) fn publish(&mut self) {
        let root = self.root(self.entries.len());
        self.publish_root(root);
    }

    pub(crate) fn publish_root(&mut self, root: Hash) {
        self.now = self.now.checked_add_ms(60_000).unwrap();
        let checkpoint = Checkpoint::new(ORIGIN, self.entries.len() as u64, root);
        self.checkpoints.push(self.cosigned(&self.log, &checkpoint, self.now));
    }

    /// A checkpoint that its log and all witnesses signed at this instant.
    pub(crate) fn cosigned(
        &self,
        log: &NoteSigner,
        checkpoint: &Checkpoint,
        at: Timestamp,
    ) -> SignedNote {
        let mut note = SignedNote::unsigned(checkpoint.to_string()).unwrap();
        for signer in std::iter::once(log).chain(&self.witnesses) {
            note.add(signer.sign(note.text(), at).unwrap());
        }
        note
    }

    /// When the newest checkpoint was published, or vouched for again.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    /// The witnesses vouch for the newest checkpoint again; so many milliseconds pass before.
    pub(crate) fn renew(&mut self, after_ms: i64) -> Timestamp {
        self.now = self.now.checked_add_ms(after_ms).unwrap();
        let newest = self.checkpoints.last().unwrap().checkpoint().unwrap();
        self.checkpoints.push(self.cosigned(&self.log, &newest, self.now));
        self.now
    }

    /// The receipt of an entry under the newest checkpoint.
    pub(crate) fn receipt(&self, index: u64) -> Vec<u8> {
        let checkpoint = self.checkpoints.last().unwrap();
        let size = checkpoint.checkpoint().unwrap().size;
        let read = |level: u32, index: u64| -> Result<Hash, Infallible> {
            let (first, count) = ((index << level) as usize, 1 << level);
            let leaves = self.entries[first..first + count].iter().map(Entry::leaf_hash);
            Ok(tile::complete_root(&leaves.collect::<Vec<_>>()))
        };
        let path = inclusion_proof(index, size, read).unwrap();
        let entry = &self.entries[index as usize];
        let parts = ReceiptParts { entry, index, path: &path, checkpoint };
        Receipt::sign(parts, self.log.signer().as_ref()).unwrap()
    }

    /// Writes DIR: network file, log, packs and history.
    pub(crate) fn write_dir(&self, path: &Path) {
        let dir = Dir::new(path);
        fs::create_dir_all(dir.path()).unwrap();
        fs::write(dir.network(), self.network.bytes()).unwrap();
        self.write_data(&dir.data());
        self.write_head(&dir);
    }

    /// Head slots and last intent, as the node leaves them after its newest batch of one entry.
    fn write_head(&self, dir: &Dir) {
        let size = self.entries.len();
        let head = |size: usize| Head { size: size as u64, root: self.root(size) };
        let slots = dir.head_slots();
        fs::create_dir_all(slots[0].parent().unwrap()).unwrap();
        for (sequence, slot) in slots.iter().enumerate() {
            let head = head(size - 1 + sequence);
            fs::write(slot, Slot::new(7 + sequence as u64, head, ORIGIN).encode()).unwrap();
        }
        let last = self.entries.last().unwrap();
        let intent = Intent {
            from: head(size - 1),
            to: head(size),
            admitted_at: last.admitted_at,
            consumed: PackPosition::default(),
            entries: vec![(last.audience, last.id)],
        };
        fs::write(dir.data().intent(), intent.encode()).unwrap();
        fs::create_dir_all(dir.witness_memory()).unwrap();
        fs::write(dir.witness_memory().join(cosigned::NAME), cosigned::encode([])).unwrap();
    }

    /// The root of the first so many entries.
    pub(crate) fn root(&self, size: usize) -> Hash {
        let mut tree = Frontier::new();
        self.entries[..size].iter().for_each(|entry| tree.push(entry.leaf_hash()));
        tree.root()
    }

    fn write_data(&self, data: &Data) {
        let mut segment = Vec::new();
        for (entry, body) in self.entries.iter().zip(&self.bodies) {
            pack::append(&mut segment, &entry.id, body);
        }
        fs::create_dir_all(data.packs()).unwrap();
        fs::write(data.pack(0), segment).unwrap();
        let newest = self.checkpoints.last().unwrap();
        let size = newest.checkpoint().unwrap().size;
        let leaves: Vec<Hash> = self.entries.iter().map(Entry::leaf_hash).collect();
        let wide = usize::from(TILE_WIDTH);
        for path in tile::tiles_of_growth(0, size) {
            let file = match path {
                TilePath::Entries { index, width } => {
                    let first = index as usize * wide;
                    let entries = &self.entries[first..first + usize::from(width)];
                    let bytes: Vec<_> = entries.iter().map(Entry::to_bytes).collect();
                    tile::encode_entries(bytes.iter().map(<[u8; 41]>::as_slice))
                }
                TilePath::Hashes { level: 0, index, width } => {
                    let first = index as usize * wide;
                    leaves[first..first + usize::from(width)].concat()
                }
                TilePath::Hashes { .. } => {
                    leaves.chunks_exact(wide).flat_map(tile::complete_root).collect()
                }
            };
            let place = data.tile(&path.to_string());
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, file).unwrap();
        }
        fs::write(data.checkpoint(), newest.to_bytes()).unwrap();
        let mut history = Vec::new();
        self.checkpoints.iter().for_each(|note| frame::append(&mut history, &note.to_bytes()));
        fs::write(data.checkpoints(), history).unwrap();
    }

    /// The items of a bundle of everything, in order; tests change some.
    pub(crate) fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        items.extend(self.checkpoints.iter().map(|note| Item::Checkpoint(note.to_bytes())));
        let (origin, entries) = (ORIGIN.to_owned(), self.entries.clone());
        items.push(Item::Entries { origin, first: 0, entries });
        let is_identity = |body: &&Vec<u8>| {
            let kind = Envelope::parse(body).unwrap().kind();
            matches!(kind, KindName::Genesis | KindName::Organisation | KindName::Device)
        };
        let (identity, others): (Vec<_>, Vec<_>) = self.bodies.iter().partition(is_identity);
        items.extend(identity.into_iter().cloned().map(Item::Identity));
        items.extend(others.into_iter().cloned().map(Item::Body));
        items
    }

    /// A bundle of these items.
    pub(crate) fn bundle(&self, items: &[Item]) -> Vec<u8> {
        let header = Header { as_of: self.now, network: self.network.bytes().to_vec() };
        let mut bytes = header.encode();
        items.iter().for_each(|item| bytes.extend(item.encode()));
        bytes.extend(Item::End { items: items.len() as u64 }.encode());
        bytes
    }
}

pub(crate) fn meter() -> Subject {
    Subject::Device(METER.parse::<DeviceId>().unwrap())
}

fn log_subject() -> Subject {
    Subject::Log(ORIGIN.to_owned())
}

/// A world with three batches of readings in two checkpoints.
pub(crate) fn usual(quorum: usize) -> World {
    let mut world = World::new(quorum);
    world.publish();
    let first = world.readings(1, None, 41_003);
    let second = world.readings(2, Some(first), 39_871);
    world.publish();
    world.readings(3, Some(second), 40_212);
    world.publish();
    world
}
