//! *Revocations as of*: never later than what is at hand of the logs in which keys are given up.

use std::fs;
use std::sync::Arc;

use hallmark_schemas::attestation::{Claims, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::bundle::Item;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::id::{OrgId, Subject};
use hallmark_schemas::key::Signer;
use hallmark_schemas::kind::KindName;
use hallmark_schemas::kind::genesis::Genesis;
use hallmark_schemas::kind::organisation::{LogKeys, Organisation};
use hallmark_schemas::merkle::Frontier;
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote};
use hallmark_schemas::proof::LogProof;
use hallmark_schemas::role::Role;
use hallmark_schemas::time::Timestamp;
use serde_json::Value;

use crate::command::{stdout, verify};
use crate::world::{ORIGIN, World, key, usual};

/// What a check of a bundle says.
struct Told {
    exit: i32,
    as_of: Option<String>,
    /// How the step of revocations came out, and why.
    status: String,
    reason: String,
    text: String,
}

fn check(world: &World, items: &[Item]) -> Told {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("case.hallmark"), world.bundle(items)).unwrap();
    let json = verify(&["check", "case.hallmark", "--report", "json"], folder.path());
    let report: Value = serde_json::from_slice(&json.stdout).unwrap();
    let steps = report["steps"].as_array().unwrap();
    let step = steps.iter().find(|one| one["name"] == "revocations").unwrap();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Told {
        exit: json.status.code().unwrap(),
        as_of: text(&report["revocations_as_of"]),
        status: text(&step["status"]).unwrap(),
        reason: text(&step["reason"]).unwrap_or_default(),
        text: stdout(&verify(&["check", "case.hallmark"], folder.path())),
    }
}

fn without(items: &[Item], kind: KindName) -> Vec<Item> {
    let is_of = |item: &&Item| {
        let (Item::Body(body) | Item::Identity(body)) = item else { return true };
        Envelope::parse(body).unwrap().kind() != kind
    };
    items.iter().filter(is_of).cloned().collect()
}

fn text(at: Timestamp) -> Option<String> {
    Some(at.to_string())
}

/// A log of six entries with a seventh that gives up a key, and when each was published last.
fn given_up(quorum: usize) -> (World, [Timestamp; 3]) {
    let mut world = usual(quorum);
    let first = world.now();
    let before = world.renew(60_000);
    world.give_up_meter();
    world.publish();
    let newest = world.renew(3_600_000);
    (world, [first, before, newest])
}

#[test]
fn a_bundle_without_a_revocation_claims_to_know_of_none_after_what_is_at_hand() {
    let (world, [first, before, newest]) = given_up(2);
    let items = world.items();
    let whole = check(&world, &items);
    assert_eq!((whole.exit, whole.as_of), (0, text(newest)), "{}", whole.text);
    assert_eq!(whole.status, "ok", "{}", whole.text);

    // Its body alone: nothing claims to hold it, but what it is nobody can know.
    let mut items = without(&items, KindName::Revocation);
    let lost = check(&world, &items);
    assert_eq!((lost.exit, &lost.as_of), (0, &text(first)), "{}", lost.text);
    let entry = format!("the body of public entry 6 of {ORIGIN}, {}", world.entries[6].id);
    assert_eq!(lost.reason, format!("a key may be given up there: {entry}"));
    let line = format!("Keys given up since: not checked: {}", lost.reason);
    let fetch = format!("export DIR --id {}", world.entries[6].id);
    for told in [line, format!("revocations as of {first}"), fetch] {
        assert!(lost.text.contains(&told), "{told}: {}", lost.text);
    }
    // With a receipt of it the bundle claims to hold it.
    let receipt = Item::Receipt { id: world.entries[6].id, receipt: world.receipt(6) };
    items.push(receipt);
    let claimed = check(&world, &items);
    assert_eq!((claimed.exit, claimed.as_of), (5, text(first)), "{}", claimed.text);
    assert_eq!(claimed.status, "unchecked", "{}", claimed.text);

    // Its entry too.
    items.pop();
    let at = items.iter().position(|item| matches!(item, Item::Entries { .. })).unwrap();
    let (origin, entries) = (ORIGIN.to_owned(), world.entries[..6].to_vec());
    items[at] = Item::Entries { origin, first: 0, entries };
    let cut = check(&world, &items);
    // The newest of which the entries give the root.
    assert_eq!((cut.exit, cut.as_of), (5, text(before)), "{}", cut.text);
    let told = format!("a key may be given up there: entries 6 to 6 of {ORIGIN}");
    assert_eq!((cut.status, cut.reason), ("unchecked".to_owned(), told), "{}", cut.text);

    // And the checkpoints that show it: what is left is whole, and as old as it says.
    let is_older = |item: &Item| match item {
        Item::Checkpoint(note) => !String::from_utf8_lossy(note).contains("\n7\n"),
        _ => true,
    };
    items.retain(is_older);
    let older = check(&world, &items);
    assert_eq!((older.exit, older.as_of), (0, text(before)), "{}", older.text);
    assert_eq!(older.status, "ok", "{}", older.text);
}

#[test]
fn of_a_log_without_witnesses_the_instants_are_its_own_and_never_those_of_what_is_lost() {
    let (world, _) = given_up(0);
    let newest = world.entries[6].admitted_at;
    let whole = check(&world, &world.items());
    assert_eq!((whole.exit, whole.as_of), (0, text(newest)), "{}", whole.text);
    let lost = check(&world, &without(&world.items(), KindName::Revocation));
    let just_before = newest.checked_add_ms(-1).unwrap();
    assert_eq!((lost.exit, lost.as_of), (0, text(just_before)), "{}", lost.text);
}

#[test]
fn only_public_bodies_that_are_lost_may_end_a_key() {
    let readings = |items: &[Item]| without(items, KindName::Readings);
    let mut world = usual(2);
    let newest = world.renew(60_000);
    let hidden = check(&world, &readings(&world.items()));
    assert_eq!((hidden.exit, hidden.as_of), (0, text(newest)), "{}", hidden.text);
    assert_eq!(hidden.status, "ok", "{}", hidden.text);
    assert!(hidden.text.contains("the bodies of 3 entries of"), "{}", hidden.text);

    let before = newest;
    world.aud = Audience::Public;
    world.readings(4, Some(world.entries[5].id), 40_100);
    world.readings(5, Some(world.entries[6].id), 40_200);
    world.publish();
    let open = check(&world, &world.items());
    assert_eq!((open.exit, open.status.as_str()), (0, "ok"), "{}", open.text);
    let lost = check(&world, &readings(&world.items()));
    assert_eq!(lost.status, "unchecked", "{}", lost.text);
    let told = format!("the bodies of 2 public entries of {ORIGIN}, the first that of entry 6");
    assert!(lost.reason.contains(&told), "{}", lost.reason);
    assert!(lost.as_of.is_some_and(|at| at <= before.to_string()), "{}", lost.text);
}

#[test]
fn where_the_first_records_of_a_log_are_lost_nothing_is_known_of_any_instant() {
    let mut world = World::new(2);
    world.aud = Audience::Public;
    world.readings(1, None, 41_000);
    world.publish();
    let lost = check(&world, &without(&world.items(), KindName::Readings));
    assert_eq!((lost.exit, lost.as_of), (0, None), "{}", lost.text);
    assert!(lost.text.contains("revocations as of unknown: "), "{}", lost.text);
    assert!(lost.reason.contains("the body of public entry 3"), "{}", lost.reason);
}

const OTHER: &str = "urn:hallmark:org:gln:9521234000013";
const OTHER_ORIGIN: &str = "steel/gln-9521234000013/1";

/// Whether it is a checkpoint or a run of entries of the second log.
fn is_others(item: &Item) -> bool {
    match item {
        Item::Checkpoint(note) => note.starts_with(OTHER_ORIGIN.as_bytes()),
        Item::Entries { origin, .. } => origin == OTHER_ORIGIN,
        _ => false,
    }
}

/// A second member, and its log of one entry.
struct Other {
    log: NoteSigner,
    genesis: Envelope,
    admitted_at: Timestamp,
}

impl Other {
    fn admitted(world: &mut World) -> Other {
        let log = NoteSigner::log(OTHER_ORIGIN, Arc::new(key(31))).unwrap();
        let (org, slug): (OrgId, _) = (OTHER.parse().unwrap(), "gln-9521234000013");
        let cosigner = |seed| NoteSigner::witness(slug, Arc::new(key(seed))).unwrap();
        let node = LogKeys {
            origin: OTHER_ORIGIN.to_owned(),
            log: log.vkey().clone(),
            witness: cosigner(32).vkey().clone(),
            mirror: cosigner(33).vkey().clone(),
            peer: key(34).public().clone(),
        };
        let body = Organisation {
            legal_name: "Other Ltd".to_owned(),
            roles: vec![Role::Auditor],
            regions: Vec::new(),
            key: key(35).public().clone(),
            next_key_commitment: key(36).public().id(),
            node: Some(node.clone()),
            replaces: None,
            reason: None,
        };
        world.add(Subject::Org(org.clone()), body.into(), false);
        world.publish();
        let claims = Claims {
            iss: org,
            sub: Subject::Log(OTHER_ORIGIN.to_owned()),
            aud: Audience::Public,
            iat: world.now(),
            regions: Vec::new(),
        };
        let body = Genesis { network: "steel".to_owned(), keys: node, previous: None }.into();
        let genesis = sign(Draft { claims, body }, [3; 16], &key(35)).unwrap();
        Other { log, genesis, admitted_at: world.now() }
    }

    fn entry(&self) -> Entry {
        Entry { audience: 0, admitted_at: self.admitted_at, id: self.genesis.id() }
    }

    /// Its checkpoint, cosigned at this instant.
    fn note(&self, world: &World, at: Timestamp) -> SignedNote {
        let mut tree = Frontier::new();
        tree.push(self.entry().leaf_hash());
        world.cosigned(&self.log, &Checkpoint::new(OTHER_ORIGIN, 1, tree.root()), at)
    }

    /// Everything of both logs, the second one's checkpoint cosigned at this instant.
    fn items(&self, world: &World, at: Timestamp) -> Vec<Item> {
        let mut items = world.items();
        items.push(Item::Checkpoint(self.note(world, at).to_bytes()));
        let (origin, entries) = (OTHER_ORIGIN.to_owned(), vec![self.entry()]);
        items.push(Item::Entries { origin, first: 0, entries });
        items.push(Item::Identity(self.genesis.stored().to_vec()));
        // A bundle has all checkpoints, then entries, then bodies, the logs by their names.
        items.sort_by_key(|item| match item {
            Item::Checkpoint(_) => (0, !is_others(item)),
            Item::Entries { .. } => (1, !is_others(item)),
            Item::Identity(_) => (2, false),
            _ => (3, false),
        });
        items
    }
}

#[test]
fn of_two_logs_the_one_that_lags_says_until_when_revocations_are_known() {
    let mut world = World::new(2);
    let other = Other::admitted(&mut world);
    let early = world.renew(60_000);
    let newest = world.renew(86_400_000);
    let late = newest.checked_add_ms(86_400_000).unwrap();
    for (at, oldest) in [(early, early), (newest, newest), (late, newest)] {
        let told = check(&world, &other.items(&world, at));
        assert_eq!((told.exit, told.as_of), (0, text(oldest)), "{}", told.text);
        assert_eq!(told.status, "ok", "{}", told.text);
        assert!(told.text.contains(&format!("revocations as of {oldest}\n")), "{}", told.text);
    }
    // Of a log that is not here at all the others' word is told, and that it is missing.
    let mut items = other.items(&world, early);
    items.retain(|item| !is_others(item));
    let proof = LogProof::new(&other.entry(), 0, Vec::new(), other.note(&world, early)).to_bytes();
    items.push(Item::Proof { id: other.genesis.id(), proof });
    let absent = check(&world, &items);
    assert_eq!((absent.exit, absent.as_of), (0, text(newest)), "{}", absent.text);
    assert_eq!(absent.status, "unchecked", "{}", absent.text);
    assert!(absent.text.contains(&format!("but not   {OTHER_ORIGIN}")), "{}", absent.text);
}
