//! Each claim proved and refused; a log that did nothing wrong is accused by no file.

use std::convert::Infallible;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::attestation::{Claims, Draft, Envelope, sign};
use crate::audience::Audience;
use crate::entry::Entry;
use crate::id::Subject;
use crate::key::{SecretKey, Signer};
use crate::kind::Body;
use crate::kind::key::Key;
use crate::kind::organisation::{LogKeys, Organisation};
use crate::merkle::{Frontier, Hash, consistency_proof, inclusion_proof};
use crate::network::{Member, Network, Registrar};
use crate::note::{Checkpoint, NoteSigner};
use crate::policy::{Policy, Witness};
use crate::proof::LogProof;
use crate::role::Role;
use crate::tile::{self, TilePath};

const ORIGIN: &str = "net/gln-9506000134352/1";
const ORG: &str = "urn:hallmark:org:gln:9506000134352";

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_unix_ms(1_790_000_000_000).checked_add_ms(second * 1000).unwrap()
}

fn log() -> NoteSigner {
    NoteSigner::log(ORIGIN, Arc::new(key(2))).unwrap()
}

fn witness() -> NoteSigner {
    NoteSigner::witness("w", Arc::new(key(3))).unwrap()
}

fn reporter() -> NoteSigner {
    NoteSigner::log(ORIGIN, Arc::new(key(5))).unwrap()
}

fn policy() -> Policy {
    let key = witness().vkey().clone();
    Policy::threshold(1, vec![Witness { name: "w".to_owned(), key, url: None }]).unwrap()
}

fn network(policy: Policy) -> NetworkFile {
    let keys = LogKeys {
        origin: ORIGIN.to_owned(),
        log: log().vkey().clone(),
        witness: witness().vkey().clone(),
        mirror: NoteSigner::witness("m", Arc::new(key(4))).unwrap().vkey().clone(),
        peer: key(5).public().clone(),
    };
    let registrar = Registrar {
        org: ORG.parse().unwrap(),
        key: key(1).public().clone(),
        next_key_commitment: key(9).public().id(),
    };
    let network = Network {
        v: 1,
        name: "net".to_owned(),
        version: 1,
        expires_at: Timestamp::MAX,
        registrars: vec![registrar],
        threshold: 1,
        members: vec![Member::new(ORG.parse().unwrap(), vec![Role::Registrar], keys)],
        policy,
        packs: Vec::new(),
        sealed: Vec::new(),
        previous: None,
        former: Vec::new(),
    };
    NetworkFile::sign(network, &[&key(1)]).unwrap()
}

/// A tree of entries admitted a second apart; `salt` makes another one from entry `from` on.
#[derive(Clone)]
struct Tree(Vec<Entry>);

impl Tree {
    fn new(size: u64, from: u64, salt: u8) -> Tree {
        let entry = |index: u64| {
            let salt = if index < from { 0 } else { salt };
            let id = ContentId::of(&[index.to_be_bytes().as_slice(), &[salt]].concat());
            Entry { audience: 0, admitted_at: at(index.try_into().unwrap()), id }
        };
        Tree((0..size).map(entry).collect())
    }

    fn read(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        let first = (index << level) as usize;
        let mut tree = Frontier::new();
        self.0[first..first + (1 << level)].iter().for_each(|entry| tree.push(entry.leaf_hash()));
        Ok(tree.root())
    }

    fn root(&self, size: u64) -> Hash {
        let mut tree = Frontier::new();
        self.0[..size as usize].iter().for_each(|entry| tree.push(entry.leaf_hash()));
        tree.root()
    }

    fn note_at(&self, size: u64, second: i64) -> SignedNote {
        let checkpoint = Checkpoint::new(ORIGIN, size, self.root(size));
        let mut note = SignedNote::unsigned(checkpoint.to_string()).unwrap();
        for signer in [log(), witness()] {
            note.add(signer.sign(note.text(), at(second)).unwrap());
        }
        note
    }

    fn note(&self, size: u64) -> SignedNote {
        self.note_at(size, size.try_into().unwrap())
    }

    fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        let Ok(path) = consistency_proof(old, new, |level, index| self.read(level, index));
        path
    }

    fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        let Ok(path) = inclusion_proof(index, size, |level, index| self.read(level, index));
        path
    }

    fn entry(&self, index: u64, size: u64) -> TreeEntry {
        TreeEntry::new(&self.0[index as usize], index, &self.inclusion(index, size))
    }

    fn proof(&self, index: u64, (size, second): (u64, i64)) -> LogProof {
        let entry = &self.0[index as usize];
        LogProof::new(entry, index, self.inclusion(index, size), self.note_at(size, second))
    }
}

/// What `first` of a size and `second` of a larger one make of a split, by whatever hashes.
fn split(first: (&Tree, u64), second: (&Tree, u64)) -> TwoTrees {
    let (ours, theirs) = (first.0.note(first.1), second.0.note(second.1));
    let path = second.0.consistency(first.1, second.1);
    let link = (first.1 != second.1).then(|| (second.0.root(first.1), path.as_slice()));
    TwoTrees::new(log().vkey(), [&ours, &theirs], link)
}

fn verified(claim: Claim) -> Result<Shown, DefectError> {
    let proof = DefectProof::new(&network(policy()), claim)?;
    let again = DefectProof::parse(proof.bytes()).unwrap();
    assert_eq!(again, proof);
    assert!(DefectProof::is_begun_by(proof.bytes()));
    again.verify()
}

#[test]
fn two_histories_of_any_two_sizes_are_proved_by_the_notes_and_a_few_hashes() {
    for second in 1..20 {
        for first in 1..=second {
            for from in 0..first {
                let (ours, theirs) = (Tree::new(20, 20, 0), Tree::new(20, from, 1));
                let claim = Claim::Split(split((&ours, first), (&theirs, second)));
                let shown =
                    verified(claim).unwrap_or_else(|e| panic!("{first} {second} {from}: {e}"));
                assert_eq!(shown.subject, ORIGIN);
                assert!(shown.signed_by_accused);
            }
            let one = Tree::new(20, first, 1);
            let honest = Claim::Split(split((&Tree::new(20, 20, 0), first), (&one, second)));
            assert!(verified(honest).is_err(), "{first} is the beginning of {second}");
        }
    }
}

#[test]
fn a_witness_that_cosigned_two_histories_or_went_back_is_named() {
    let (ours, theirs) = (Tree::new(9, 9, 0), Tree::new(9, 2, 1));
    let network = network(policy());
    let notes = [ours.note(5), theirs.note(8)];
    assert_eq!(cosigned_by(&network, &notes[0], &notes[1]).collect::<Vec<_>>(), [witness().vkey()]);
    let both = |notes: [&SignedNote; 2], link: Option<(Hash, &[Hash])>| {
        let trees = TwoTrees::new(witness().vkey(), notes, link);
        verified(Claim::BadCosignature(Box::new(Cosigned {
            witness: witness().vkey().clone(),
            trees,
        })))
    };
    let path = theirs.consistency(5, 8);
    let shown = both([&notes[0], &notes[1]], Some((theirs.root(5), &path))).unwrap();
    assert_eq!((shown.subject.as_str(), shown.origin.as_str()), ("w", ORIGIN));
    let shown = both([&ours.note_at(8, 10), &ours.note_at(5, 11)], None).unwrap();
    assert!(shown.sentence.contains("size 8") && shown.sentence.contains("size 5"));
    for second in [9, 10] {
        let later = [&ours.note_at(8, 10), &ours.note_at(5, second)];
        assert!(both(later, None).is_err(), "the smaller one was cosigned first, or in one second");
    }
    assert!(both([&ours.note(5), &ours.note(8)], None).is_err());
    let stranger = NoteSigner::witness("x", Arc::new(key(77))).unwrap();
    let trees = TwoTrees::new(stranger.vkey(), [&ours.note(5), &ours.note(5)], None);
    let claim =
        Claim::BadCosignature(Box::new(Cosigned { witness: stranger.vkey().clone(), trees }));
    assert!(matches!(verified(claim), Err(DefectError::UnknownWitness { .. })));
}

#[test]
fn a_log_whose_times_go_back_is_proved_and_one_whose_times_stand_still_is_not() {
    let mut tree = Tree::new(7, 7, 0);
    tree.0[5].admitted_at = at(2);
    let claim = |earlier, later| {
        let (earlier, later) = (tree.entry(earlier, 7), tree.entry(later, 7));
        verified(Claim::Shrink(TimesBack::new(log().vkey(), &tree.note(7), earlier, later)))
    };
    let shown = claim(4, 5).unwrap();
    assert_eq!(shown.cites, [tree.0[4].id, tree.0[5].id]);
    assert!(claim(2, 5).is_err(), "one instant");
    assert!(claim(5, 4).is_err() && claim(3, 4).is_err() && claim(4, 4).is_err());
}

fn report(served: &[u8], signer: &NoteSigner) -> SignedNote {
    let tile = TilePath::Entries { index: 0, width: 6 };
    let mut note = Served::new(ORIGIN, "http://a/log", tile, served, at(60)).to_note().unwrap();
    note.add(signer.sign(note.text(), at(60)).unwrap());
    note
}

#[test]
fn a_bad_tile_is_the_word_of_a_member_about_bytes_that_are_not_the_signed_ones() {
    let tree = Tree::new(6, 6, 0);
    let bundle = |tree: &Tree| {
        let bytes: Vec<_> = tree.0.iter().map(Entry::to_bytes).collect();
        tile::encode_entries(bytes.iter().map(<[u8; 41]>::as_slice))
    };
    let claim = |served: &[u8], report: &SignedNote| {
        let (leaf, path) = ((3, tree.0[3].leaf_hash()), tree.inclusion(3, 6));
        let vkey = log().vkey().clone();
        verified(Claim::BadTile(BadTile::new((&vkey, &tree.note(6)), leaf, &path, served, report)))
    };
    let (other, good) = (bundle(&Tree::new(6, 3, 1)), bundle(&tree));
    let shown = claim(&other, &report(&other, &reporter())).unwrap();
    assert!(!shown.signed_by_accused);
    assert!(shown.sentence.starts_with(&format!("{ORIGIN} says that http://a/log served")));
    for short in [b"".as_slice(), b"no bundle", &good[..43]] {
        assert!(claim(short, &report(short, &reporter())).is_ok());
    }
    assert!(matches!(claim(&good, &report(&good, &reporter())), Err(DefectError::Nothing { .. })));
    assert!(claim(&other, &report(&good, &reporter())).is_err(), "of other bytes");
    assert!(claim(&other, &report(&other, &log())).is_err(), "not with the peer key");
}

fn attest(sub: &str, body: Body, signer: &SecretKey) -> Envelope {
    let claims = Claims {
        iss: ORG.parse().unwrap(),
        sub: Subject::Org(sub.parse().unwrap()),
        aud: Audience::Public,
        iat: at(0),
        regions: Vec::new(),
    };
    sign(Draft { claims, body }, [7; 16], signer).unwrap()
}

/// A log with an act under the registrar's key at 1, its rotation at 2 and an act after it at 5.
fn rotated() -> (Tree, Envelope, [Envelope; 2]) {
    let next = key(9).public().clone();
    let rotation = Key {
        key: next,
        replaces_key: key(1).public().id(),
        next_key_commitment: key(10).public().id(),
    };
    let rotation = attest(ORG, rotation.into(), &key(9));
    let act = |name: &str| {
        let body = Organisation {
            legal_name: name.to_owned(),
            roles: vec![Role::Producer],
            regions: Vec::new(),
            key: key(30).public().clone(),
            next_key_commitment: key(31).public().id(),
            node: None,
            replaces: None,
            reason: None,
        };
        attest("urn:hallmark:org:gln:6901234567892", body.into(), &key(1))
    };
    let acts = [act("before"), act("after")];
    let mut tree = Tree::new(8, 8, 0);
    for (index, envelope) in [(1, &acts[0]), (2, &rotation), (5, &acts[1])] {
        tree.0[index].id = envelope.id();
    }
    (tree, rotation, acts)
}

#[test]
fn a_key_used_after_its_end_is_proved_and_one_that_may_have_been_in_time_is_not() {
    let (tree, rotation, acts) = rotated();
    let history = |under| vec![RecordedBody::new(rotation.stored(), &tree.proof(2, under))];
    let use_of = |act: usize, before: Option<(u64, i64)>, ended: (u64, i64), policy: Policy| {
        let index = [1, 5][act];
        let claim = KeyUse {
            act: RecordedBody::new(acts[act].stored(), &tree.proof(index, (8, 60))),
            before: before.map(|(size, second)| tree.note_at(size, second).to_string()),
            history: history(ended),
        };
        DefectProof::new(&network(policy), Claim::KeyOutsideTime(Box::new(claim)))?.verify()
    };
    let shown = use_of(1, Some((5, 40)), (3, 30), policy()).unwrap();
    assert_eq!((shown.subject.as_str(), &shown.cites), (ORG, &vec![acts[1].id()]));
    assert!(use_of(1, Some((5, 40)), (3, 40), policy()).is_err(), "one second");
    assert!(use_of(1, Some((6, 40)), (3, 30), policy()).is_err(), "the act is in it already");
    assert!(use_of(1, None, (3, 30), policy()).is_err(), "by the log's own word");
    assert!(use_of(0, Some((1, 40)), (3, 60), policy()).is_err(), "before the rotation");
    assert!(use_of(1, None, (3, 30), Policy::none()).is_ok(), "one log's own clock");
    assert!(use_of(0, None, (3, 30), Policy::none()).is_err());
}

/// One proof of every kind.
pub(crate) fn samples() -> Vec<DefectProof> {
    let (ours, theirs) = (Tree::new(9, 9, 0), Tree::new(9, 2, 1));
    let network = network(policy());
    let trees = TwoTrees::new(witness().vkey(), [&ours.note(8), &ours.note_at(5, 99)], None);
    let mut back = Tree::new(7, 7, 0);
    back.0[5].admitted_at = at(2);
    let served = b"no bundle";
    let (tree, rotation, acts) = rotated();
    let claims = [
        Claim::Split(split((&ours, 5), (&theirs, 8))),
        Claim::BadCosignature(Box::new(Cosigned { witness: witness().vkey().clone(), trees })),
        Claim::Shrink(TimesBack::new(
            log().vkey(),
            &back.note(7),
            back.entry(4, 7),
            back.entry(5, 7),
        )),
        Claim::BadTile(BadTile::new(
            (log().vkey(), &ours.note(6)),
            (3, ours.0[3].leaf_hash()),
            &ours.inclusion(3, 6),
            served,
            &report(served, &reporter()),
        )),
        Claim::KeyOutsideTime(Box::new(KeyUse {
            act: RecordedBody::new(acts[1].stored(), &tree.proof(5, (8, 60))),
            before: Some(tree.note_at(5, 40).to_string()),
            history: vec![RecordedBody::new(rotation.stored(), &tree.proof(2, (3, 30)))],
        })),
    ];
    claims.into_iter().map(|claim| DefectProof::new(&network, claim).unwrap()).collect()
}

#[test]
fn no_changed_bit_and_no_cut_leaves_a_proof_that_accuses() {
    for proof in samples() {
        let word = proof.claim().word();
        for at in 0..proof.bytes().len() {
            let mut changed = proof.bytes().to_vec();
            changed[at] ^= 1 << (at % 8);
            let holds = DefectProof::parse(&changed).is_ok_and(|proof| proof.verify().is_ok());
            assert!(!holds, "{word}: byte {at}");
        }
        for at in [0, 1, 30, proof.bytes().len() - 1] {
            assert!(DefectProof::parse(&proof.bytes()[..at]).unwrap_err().is_malformed());
        }
        let longer = [proof.bytes(), &[0]].concat();
        assert!(DefectProof::parse(&longer).unwrap_err().is_malformed());
    }
}

proptest! {
    #[test]
    fn an_honest_log_is_never_accused_of_a_split(
        first in 1u64..40, second in 1u64..40, at in 0usize..9, bit in 0u8..8, swap in any::<bool>(),
    ) {
        let tree = Tree::new(40, 40, 0);
        let (first, second) = (first.min(second), first.max(second));
        let mut path = tree.consistency(first, second);
        let mut prefix = tree.root(first);
        if let Some(hash) = path.get_mut(at) {
            hash[at] ^= 1 << bit;
        } else {
            prefix[at] ^= 1 << bit;
        }
        if swap {
            path.reverse();
        }
        let notes = [&tree.note(first), &tree.note(second)];
        for link in [None, Some((prefix, path.as_slice()))] {
            let claim = TwoTrees::new(log().vkey(), notes, link);
            prop_assert!(verified(Claim::Split(claim)).is_err());
        }
    }

    #[test]
    fn no_bytes_make_a_proof_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at in 0usize..2000) {
        let _ = DefectProof::parse(&bytes);
        let proof = &samples()[at % 5];
        let mut mutated = proof.bytes().to_vec();
        let from = at % mutated.len();
        mutated[from..].iter_mut().zip(&bytes).for_each(|(to, from)| *to = *from);
        if let Ok(proof) = DefectProof::parse(&mutated) {
            let _ = proof.verify();
        }
    }
}
