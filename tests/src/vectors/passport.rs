//! Bundles as a phone gets them: a few bodies, each with its receipt, no ranges of a log. Good ones,
//! and ones with one thing wrong.

use super::bodies::{Sample, samples};
use super::hex;
use super::world::*;
use hallmark_schemas::attestation::{Claims, ContentId, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::bundle::{Header, Item};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::key::{SecretKey, Signer as _};
use hallmark_schemas::kind::value::Blob;
use hallmark_schemas::kind::{Body, KindName};
use hallmark_schemas::merkle::{Frontier, Hash, inclusion_proof};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::proof::LogProof;
use hallmark_schemas::receipt::{Receipt, ReceiptParts};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;

/// What a check must say of a bundle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// All of it is proved.
    Holds,
    /// Nothing in it is wrong, and something that belongs to it is not there.
    Incomplete,
    /// Something in it is wrong.
    Broken,
}

/// A bundle and what it is.
#[derive(Clone, Debug)]
pub struct Case {
    /// What it holds, or what is wrong with it.
    pub name: String,
    /// What a check must say of it.
    pub verdict: Verdict,
    /// The bundle.
    pub bytes: Vec<u8>,
}

/// One log of stored attestations under a network file; cases change what a bundle takes of it.
struct World {
    network: NetworkFile,
    stored: Vec<Vec<u8>>,
    entries: Vec<Entry>,
    log_key: u8,
    witness_key: u8,
    /// Number of the registrar's own attestation, the producer's and the meter's.
    identity: Vec<usize>,
}

impl World {
    /// The log: identity attestations, then these bodies.
    fn new(network: NetworkFile, bodies: Vec<Vec<u8>>) -> World {
        let mut world = World {
            network,
            stored: Vec::new(),
            entries: Vec::new(),
            log_key: LOG_KEY,
            witness_key: WITNESS_KEY,
            identity: vec![0, 1],
        };
        for name in ["organisation", "device"] {
            world.push(sample(name).stored().to_vec());
        }
        bodies.into_iter().for_each(|body| world.push(body));
        world
    }

    /// Appends an attestation, one second after the one before; none twice.
    fn push(&mut self, stored: Vec<u8>) {
        if self.stored.contains(&stored) {
            return;
        }
        let at = 1000 * i64::try_from(self.entries.len()).expect("a small log");
        let first = instant("2026-03-01T00:00:01Z");
        let audience = Envelope::parse(&stored).map_or(1, |one| one.claims().aud.byte());
        self.entries.push(Entry {
            audience,
            admitted_at: first.checked_add_ms(at).expect("an instant of this century"),
            id: ContentId::of(&stored),
        });
        self.stored.push(stored);
    }

    fn read(&self, level: u32, index: u64) -> Hash {
        let first = usize::try_from(index << level).expect("a small tree");
        let mut frontier = Frontier::new();
        let leaves = self.entries[first..first + (1 << level)].iter();
        leaves.for_each(|entry| frontier.push(entry.leaf_hash()));
        frontier.root()
    }

    fn checkpoint(&self) -> SignedNote {
        let mut frontier = Frontier::new();
        self.entries.iter().for_each(|entry| frontier.push(entry.leaf_hash()));
        let text = Checkpoint::new(ORIGIN, frontier.size(), frontier.root()).to_string();
        let mut note = SignedNote::unsigned(text).expect("a checkpoint is a note");
        let log = NoteSigner::log(ORIGIN, Arc::new(key(self.log_key))).expect("a key name");
        let witness = NoteSigner::witness("example/witness", Arc::new(key(self.witness_key)));
        for signer in [log, witness.expect("a key name")] {
            let at = instant("2026-03-01T00:01:00Z");
            note.add(signer.sign(note.text(), at).expect("a key in memory signs"));
        }
        note
    }

    fn path(&self, index: usize) -> Vec<Hash> {
        let read = |level, index| Ok::<_, Infallible>(self.read(level, index));
        let Ok(path) = inclusion_proof(index as u64, self.entries.len() as u64, read);
        path
    }

    fn receipt(&self, index: usize) -> Vec<u8> {
        let (path, checkpoint) = (self.path(index), self.checkpoint());
        let entry = &self.entries[index];
        let parts =
            ReceiptParts { entry, index: index as u64, path: &path, checkpoint: &checkpoint };
        Receipt::sign(parts, &key(self.log_key)).expect("the proof leads to the root")
    }

    fn proof(&self, index: usize) -> Vec<u8> {
        let entry = &self.entries[index];
        LogProof::new(entry, index as u64, self.path(index), self.checkpoint()).to_bytes()
    }

    /// Every attestation with its receipt.
    fn items(&self) -> Vec<Item> {
        let stored = |index: usize| self.stored[index].clone();
        let others = (0..self.stored.len()).filter(|index| !self.identity.contains(index));
        let mut items: Vec<_> =
            self.identity.iter().map(|index| Item::Identity(stored(*index))).collect();
        items.extend(others.map(|index| Item::Body(stored(index))));
        items.extend((0..self.stored.len()).map(|index| Item::Receipt {
            id: self.entries[index].id,
            receipt: self.receipt(index),
        }));
        items
    }

    fn bundle(&self, items: &[Item]) -> Vec<u8> {
        let as_of = instant("2026-03-01T00:01:00Z");
        let mut bytes = Header { as_of, network: self.network.bytes().to_vec() }.encode();
        items.iter().for_each(|item| bytes.extend(item.encode()));
        bytes.extend(Item::End { items: items.len() as u64 }.encode());
        bytes
    }

    fn whole(&self) -> Vec<u8> {
        self.bundle(&self.items())
    }
}

fn sample(name: &str) -> Envelope {
    let find = |sample: &Sample| sample.name == name;
    samples().into_iter().find(find).expect("a sample of this name").envelope
}

fn witnessed() -> NetworkFile {
    let vkey = witness_signer().vkey().clone();
    let policy = format!("witness w {vkey}\nquorum w\n").parse().expect("a policy");
    network_file_with(policy)
}

/// The policy that asks for the witness of this name and key.
fn asks(name: &str, seed: u8) -> Policy {
    let signer = NoteSigner::witness(name, Arc::new(key(seed))).expect("a key name");
    let vkey = signer.vkey();
    format!("witness w {vkey}\nquorum w\n").parse().expect("a policy")
}

/// A log that was cosigned under the first version of the network file, and the bundle's is the
/// second, with another witness. The log has the versions of `logged`, as the last it holds.
fn under_two_versions(logged: &[usize]) -> World {
    let first = asks("example/witness", WITNESS_KEY);
    let files = versions_with(first, asks("example/other", PRODUCER_THIRD));
    let mut world = usual(files[1].clone());
    for number in logged {
        let file = Blob(files[*number].bytes().to_vec());
        let body = Body::Network(hallmark_schemas::kind::network::Network {
            version: *number as u64 + 1,
            file,
        });
        world.push(signed(REGISTRAR, REGISTRAR, body, &key(REGISTRAR_KEY)));
    }
    world
}

/// An event of this organisation, signed by this key.
fn event(iss: &str, signer: &SecretKey) -> Vec<u8> {
    let find = |sample: &Sample| sample.name == "event";
    let body = samples().into_iter().find(find).expect("an event").envelope.body().clone();
    signed(iss, iss, body, signer)
}

fn signed(iss: &str, sub: &str, body: Body, signer: &SecretKey) -> Vec<u8> {
    signed_to(Audience::Public, (iss, sub), body, signer)
}

fn signed_to(aud: Audience, (iss, sub): (&str, &str), body: Body, signer: &SecretKey) -> Vec<u8> {
    let claims = Claims {
        iss: iss.parse().expect("a valid organisation"),
        sub: sub.parse().expect("a valid subject"),
        aud,
        iat: instant("2026-03-01T00:00:00Z"),
        regions: Vec::new(),
    };
    let envelope = sign(Draft { claims, body }, [0x77; 16], signer).expect("a valid draft");
    envelope.stored().to_vec()
}

fn usual(network: NetworkFile) -> World {
    let readings = sample("readings").stored().to_vec();
    World::new(network, vec![event(PRODUCER, &key(PRODUCER_KEY)), readings])
}

/// The smallest bundle that has everything: what the mutation test changes byte by byte.
pub fn small() -> Vec<u8> {
    let mut world = World::new(witnessed(), vec![event(PRODUCER, &key(PRODUCER_KEY))]);
    world.identity = vec![0];
    let mut items = world.items();
    items.remove(1);
    items.remove(3);
    world.bundle(&items)
}

/// A bundle around bytes that may be no attestation: all else is right.
pub fn around(body: Vec<u8>) -> Vec<u8> {
    World::new(network_file(), vec![body]).whole()
}

/// About so many events, to measure with.
pub fn large(events: usize) -> Vec<u8> {
    let template = sample("event").body().to_json()["epcis"].as_str().expect("text").to_owned();
    let one = |number: usize| {
        let id = format!("4ddc3c0e-7d47-4d5b-9b26-{number:012}");
        let text = template.replace("4ddc3c0e-7d47-4d5b-9b26-6cf3c4a4a1d5", &id);
        let body = Body::from_json(KindName::Event, json!({ "epcis": text })).expect("an event");
        signed(PRODUCER, PRODUCER, body, &key(PRODUCER_KEY))
    };
    World::new(witnessed(), (0..events).map(one).collect()).whole()
}

/// A log under the second version of the network file, whose registrar has its next key: what the
/// registrar signed before and after the version was logged, where it was.
fn under_the_next_key(before: Option<u8>, is_logged: bool, after: Option<u8>) -> Vec<u8> {
    let file = second_file();
    let admitted = |org: &str, own: u8, seed: &u8| {
        let body = json!({"legal_name": "Third", "roles": ["retailer"],
            "key": key(own).public(), "next_key_commitment": key(own + 1).public().id()});
        let body = Body::from_json(KindName::Organisation, body).expect("an organisation");
        signed(REGISTRAR, org, body, &key(*seed))
    };
    let mut bodies = vec![event(PRODUCER, &key(PRODUCER_KEY))];
    bodies.extend(
        before.iter().map(|seed| admitted("urn:hallmark:org:gln:9521234000013", 201, seed)),
    );
    if is_logged {
        let version = hallmark_schemas::kind::network::Network {
            version: file.network().version,
            file: Blob(file.bytes().to_vec()),
        };
        bodies.push(signed(REGISTRAR, REGISTRAR, version.into(), &key(REGISTRAR_NEXT)));
    }
    bodies
        .extend(after.iter().map(|seed| admitted("urn:hallmark:org:gln:9521234000020", 211, seed)));
    World::new(file, bodies).whole()
}

fn good() -> Vec<Case> {
    let case = |name: &str, bytes| Case { name: name.to_owned(), verdict: Verdict::Holds, bytes };
    let world = usual(witnessed());
    let proved = world.items().into_iter().map(|item| match item {
        Item::Receipt { id, .. } => {
            let index = world.entries.iter().position(|entry| entry.id == id);
            Item::Proof { id, proof: world.proof(index.expect("of this log")) }
        }
        other => other,
    });
    let rotated = vec![sample("key").stored().to_vec(), event(PRODUCER, &key(PRODUCER_NEXT))];
    let both = world
        .items()
        .into_iter()
        .chain([Item::Proof { id: world.entries[2].id, proof: world.proof(2) }]);
    vec![
        case("a network without witnesses", usual(network_file()).whole()),
        case("one witness", world.whole()),
        case("proofs instead of receipts", world.bundle(&proved.collect::<Vec<_>>())),
        case("after a key rotation", World::new(network_file(), rotated).whole()),
        case("one event", small()),
        case(
            "after a registrar's key rotation",
            under_the_next_key(None, true, Some(REGISTRAR_NEXT)),
        ),
        case(
            "before a registrar's key rotation",
            under_the_next_key(Some(REGISTRAR_KEY), true, None),
        ),
        case(
            "a registrar's key rotation of which nothing is logged",
            under_the_next_key(Some(REGISTRAR_KEY), false, Some(REGISTRAR_NEXT)),
        ),
        case("two versions of the network file", under_two_versions(&[0, 1]).whole()),
        case("a receipt and a proof of one body", world.bundle(&both.collect::<Vec<_>>())),
    ]
}

/// One thing wrong with who may say what.
fn wrong_authority() -> Vec<(&'static str, Vec<u8>)> {
    let of = |bodies| World::new(network_file(), bodies).whole();
    let rotation = sample("key").stored().to_vec();
    let organisation = sample("organisation").body().clone();
    let other = "urn:hallmark:org:gln:6901234000009";
    vec![
        ("signed with the key of another", of(vec![event(REGISTRAR, &key(PRODUCER_KEY))])),
        (
            "signed with the key before the rotation",
            of(vec![rotation.clone(), event(PRODUCER, &key(PRODUCER_KEY))]),
        ),
        (
            "signed with the next key before the rotation",
            of(vec![event(PRODUCER, &key(PRODUCER_NEXT)), rotation]),
        ),
        (
            "an organisation admitted by no registrar",
            of(vec![signed(PRODUCER, other, organisation, &key(PRODUCER_KEY))]),
        ),
        (
            "signed with a registrar's key before the rotation",
            under_the_next_key(None, true, Some(REGISTRAR_KEY)),
        ),
        (
            "signed with a registrar's next key before the rotation",
            under_the_next_key(Some(REGISTRAR_NEXT), true, None),
        ),
        ("signed with the key of a log", of(vec![event(PRODUCER, &key(LOG_KEY))])),
    ]
}

/// One thing left out: all else holds.
fn incomplete() -> Vec<(&'static str, Vec<u8>)> {
    let world = usual(witnessed());
    let without = |index: usize, with_receipt: bool| {
        let of = &world.entries[index].id;
        let left_out = |item: &Item| match item {
            Item::Identity(body) | Item::Body(body) => ContentId::of(body) == *of,
            Item::Receipt { id, .. } => with_receipt && id == of,
            _ => false,
        };
        let items: Vec<_> = world.items().into_iter().filter(|item| !left_out(item)).collect();
        world.bundle(&items)
    };
    let of_nobody = vec![event(PRODUCER, &key(PRODUCER_THIRD))];
    vec![
        ("a body that its log has an entry of is left out", without(2, false)),
        ("an organisation that its log has an entry of is left out", without(0, false)),
        ("a device that its log has an entry of is left out", without(1, false)),
        ("the organisation that the device belongs to is missing", without(0, true)),
        ("the device is missing", without(1, true)),
        ("signed with a key of nobody", World::new(network_file(), of_nobody).whole()),
        ("a network file of strangers", usual(stranger_file()).whole()),
        ("of a log that nothing introduces", of_another_log()),
        ("an event that rests on another that is not there", citing()),
    ]
}

/// A bundle whose network file names no member, so that nobody says which key signs the log.
fn of_another_log() -> Vec<u8> {
    usual(memberless_file()).whole()
}

/// A recall that cites an attestation which is nowhere.
fn citing() -> Vec<u8> {
    let find = |sample: &Sample| sample.name == "recall";
    let recall = samples().into_iter().find(find).expect("a recall").envelope;
    let mut said = recall.body().to_json();
    said["cites"] = json!([ContentId::from_bytes([5; 32])]);
    let body = Body::from_json(KindName::Recall, said).expect("a recall");
    let sub = recall.claims().sub.to_string();
    World::new(witnessed(), vec![signed(PRODUCER, &sub, body, &key(PRODUCER_KEY))]).whole()
}

/// One thing wrong with the log.
fn wrong_log() -> Vec<(&'static str, Vec<u8>)> {
    let with = |change: &dyn Fn(&mut World)| {
        let mut world = usual(witnessed());
        change(&mut world);
        world.whole()
    };
    let no_quorum = {
        let vkey = NoteSigner::witness("example/other", Arc::new(key(PRODUCER_THIRD)));
        let vkey = vkey.expect("a key name").vkey().clone();
        format!("witness w {vkey}\nquorum w\n").parse::<Policy>().expect("a policy")
    };
    let other_audience = |world: &mut World| world.entries[2].audience = 2;
    vec![
        ("a log with another key", with(&|world| world.log_key = PRODUCER_THIRD)),
        ("a witness with another key", with(&|world| world.witness_key = PRODUCER_THIRD)),
        ("a witness that did not sign", usual(network_file_with(no_quorum)).whole()),
        ("an audience that was not signed", with(&other_audience)),
        ("a version of the network file whose begin is unknown", under_two_versions(&[0]).whole()),
        ("the older version of the network file is unknown", under_two_versions(&[1]).whole()),
    ]
}

/// One thing wrong with the bundle.
fn wrong_bundle() -> Vec<(&'static str, Vec<u8>)> {
    let world = usual(witnessed());
    let items = world.items();
    let with = |change: &dyn Fn(&mut Vec<Item>)| {
        let mut changed = items.clone();
        change(&mut changed);
        world.bundle(&changed)
    };
    let swap = |items: &mut Vec<Item>| {
        let other = world.receipt(3);
        let last = items.len() - 2;
        if let Item::Receipt { receipt, .. } = &mut items[last] {
            *receipt = other;
        }
    };
    let flip = |items: &mut Vec<Item>| {
        if let Item::Body(body) = &mut items[2] {
            let last = body.len() - 1;
            body[last] ^= 1;
        }
    };
    let whole = world.whole();
    let end = Item::End { items: items.len() as u64 }.encode();
    let last = items.last().expect("an item").encode();
    vec![
        ("a body without its receipt", with(&|items| drop(items.pop()))),
        ("a damaged body", damaged(&world)),
        ("a damaged body that is not public", damaged_of_members()),
        ("the receipt of another body", with(&swap)),
        ("a body with one bit flipped", with(&flip)),
        ("items that go back", with(&|items| items.reverse())),
        ("bytes after the end", [whole.as_slice(), &[0]].concat()),
        ("cut off", whole[..whole.len() - 1].to_vec()),
        ("cut off before its end", whole[..whole.len() - end.len()].to_vec()),
        ("cut off between two items", whole[..whole.len() - end.len() - last.len()].to_vec()),
        ("an end that counts other items", {
            let end = Item::End { items: items.len() as u64 - 1 }.encode();
            [&whole[..whole.len() - end.len()], &end].concat()
        }),
        ("an item of no type", [whole.as_slice(), &[0x82, 0x07, 0x40]].concat()),
        ("a body twice", with(&|items| items.insert(2, world.items()[2].clone()))),
        ("two entries at one place of the log", {
            let mut other = usual(witnessed());
            other.entries[3].admitted_at = other.entries[2].admitted_at;
            let receipt = Item::Receipt { id: other.entries[3].id, receipt: other.receipt(3) };
            with(&|items| items.push(receipt.clone()))
        }),
    ]
}

/// The same of a record that is not public: only its proof tells of it.
fn damaged_of_members() -> Vec<u8> {
    let body = sample("event").body().clone();
    let hidden = signed_to(Audience::Members, (PRODUCER, PRODUCER), body, &key(PRODUCER_KEY));
    let readings = sample("readings").stored().to_vec();
    damaged(&World::new(witnessed(), vec![hidden, readings]))
}

/// A bundle whose maker finds that a body of its log is not what was logged.
fn damaged(world: &World) -> Vec<u8> {
    let id = world.entries[2].id;
    let is_other = |item: &Item| !matches!(item, Item::Body(body) if ContentId::of(body) == id);
    let mut items: Vec<_> = world.items().into_iter().filter(is_other).collect();
    items.push(Item::Damaged { id, held: ContentId::from_bytes([5; 32]) });
    world.bundle(&items)
}

/// All cases, the good first.
pub fn cases() -> Vec<Case> {
    let case = |verdict| {
        move |(name, bytes): (&str, Vec<u8>)| Case { name: name.to_owned(), verdict, bytes }
    };
    let broken = wrong_authority().into_iter().chain(wrong_log()).chain(wrong_bundle());
    let incomplete = incomplete().into_iter().map(case(Verdict::Incomplete));
    good().into_iter().chain(incomplete).chain(broken.map(case(Verdict::Broken))).collect()
}

pub(super) fn vectors() -> Value {
    // Some of each: all would take a quarter of a megabyte, and tests make them anew anyway.
    let valid = good().into_iter().skip(1).map(|case| (case.name, case.bytes));
    let refused = wrong_log().into_iter().chain(wrong_authority().into_iter().take(2));
    let refused = refused.map(|(name, bytes)| (name.to_owned(), bytes));
    let incomplete = incomplete().into_iter().take(3);
    let incomplete = incomplete.map(|(name, bytes)| (name.to_owned(), bytes));
    let show = |(name, bytes): (String, Vec<u8>)| json!({"name": name, "bundle": hex(&bytes)});
    json!({
        "valid": valid.map(show).collect::<Vec<_>>(),
        "incomplete": incomplete.map(show).collect::<Vec<_>>(),
        "refused": refused.map(show).collect::<Vec<_>>(),
    })
}
