//! Defect proofs: one of every kind that holds, and ones that accuse and prove nothing.

use super::bodies::samples;
use super::hex;
use super::world::*;
use hallmark_schemas::attestation::{Claims, ContentId, Draft, Envelope, sign};
use hallmark_schemas::audience::Audience;
use hallmark_schemas::defect::{
    BadTile, Claim, Cosigned, DefectProof, KeyUse, RecordedBody, Served, TimesBack, TreeEntry,
    TwoTrees,
};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::key::{SecretKey, Signer};
use hallmark_schemas::kind::Body;
use hallmark_schemas::kind::key::Key;
use hallmark_schemas::kind::value::{Blob, Digest};
use hallmark_schemas::merkle::{Frontier, Hash, consistency_proof, inclusion_proof};
use hallmark_schemas::network::NetworkFile;
use hallmark_schemas::note::{Checkpoint, NoteSigner, SignedNote};
use hallmark_schemas::proof::LogProof;
use hallmark_schemas::tile::{self, TilePath};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;

/// A small tree; two of other salts part at entry 3.
struct Tree(Vec<Entry>);

impl Tree {
    fn new(salt: u8) -> Tree {
        let entry = |index: u8| {
            let salt = if index < 3 { 0 } else { salt };
            let at = instant("2026-03-01T00:00:00Z").checked_add_ms(1000 * i64::from(index));
            let admitted_at = at.expect("an instant of this century");
            Entry { audience: 0, admitted_at, id: ContentId::of(&[index, salt]) }
        };
        Tree((0..8).map(entry).collect())
    }

    fn read(&self, level: u32, index: u64) -> Result<Hash, Infallible> {
        let first = usize::try_from(index << level).expect("a small tree");
        let mut frontier = Frontier::new();
        let leaves = self.0[first..first + (1 << level)].iter();
        leaves.for_each(|entry| frontier.push(entry.leaf_hash()));
        Ok(frontier.root())
    }

    fn root(&self, size: usize) -> Hash {
        let mut frontier = Frontier::new();
        self.0[..size].iter().for_each(|entry| frontier.push(entry.leaf_hash()));
        frontier.root()
    }

    /// Signed by the log and cosigned at this time.
    fn note(&self, size: usize, at: &str) -> SignedNote {
        let text = Checkpoint::new(ORIGIN, size as u64, self.root(size)).to_string();
        let mut note = SignedNote::unsigned(text).expect("a checkpoint is a note");
        for signer in [log_signer(), witness_signer()] {
            note.add(signer.sign(note.text(), instant(at)).expect("a key in memory signs"));
        }
        note
    }

    fn consistency(&self, old: u64, new: u64) -> Vec<Hash> {
        let Ok(path) = consistency_proof(old, new, |level, index| self.read(level, index));
        path
    }

    fn inclusion(&self, index: u64, size: u64) -> Vec<Hash> {
        let Ok(path) = inclusion_proof(index, size, |level, index| self.read(level, index));
        path
    }

    fn entry(&self, index: usize) -> TreeEntry {
        TreeEntry::new(&self.0[index], index as u64, &self.inclusion(index as u64, 8))
    }

    fn proof(&self, index: usize, size: usize, at: &str) -> LogProof {
        let path = self.inclusion(index as u64, size as u64);
        LogProof::new(&self.0[index], index as u64, path, self.note(size, at))
    }
}

const FIRST: &str = "2026-03-01T00:01:00Z";
const SECOND: &str = "2026-03-01T00:02:00Z";
const THIRD: &str = "2026-03-01T00:03:00Z";

fn witnessed() -> NetworkFile {
    let vkey = witness_signer().vkey().clone();
    network_file_with(format!("witness w {vkey}\nquorum w\n").parse().expect("a policy"))
}

/// Entries 3 of two trees differ: what was signed for sizes 5 and 8 does not fit.
fn two_trees(signer: &NoteSigner) -> TwoTrees {
    let (ours, theirs) = (Tree::new(0), Tree::new(1));
    let (first, second) = (ours.note(5, FIRST), theirs.note(8, SECOND));
    let path = theirs.consistency(5, 8);
    TwoTrees::new(signer.vkey(), [&first, &second], Some((theirs.root(5), &path)))
}

fn one_size() -> TwoTrees {
    let (first, second) = (Tree::new(0).note(8, FIRST), Tree::new(1).note(8, SECOND));
    TwoTrees::new(log_signer().vkey(), [&first, &second], None)
}

fn gone_back() -> TwoTrees {
    let tree = Tree::new(0);
    let (first, second) = (tree.note(8, FIRST), tree.note(5, SECOND));
    TwoTrees::new(witness_signer().vkey(), [&first, &second], None)
}

fn times_back() -> TimesBack {
    let mut tree = Tree::new(0);
    tree.0[6].admitted_at = instant("2026-02-28T00:00:00Z");
    let note = tree.note(8, FIRST);
    TimesBack::new(log_signer().vkey(), &note, tree.entry(5), tree.entry(6))
}

fn bundle(tree: &Tree) -> Vec<u8> {
    let bytes: Vec<_> = tree.0.iter().map(Entry::to_bytes).collect();
    tile::encode_entries(bytes.iter().map(<[u8; 41]>::as_slice))
}

fn bad_tile(served: &[u8]) -> BadTile {
    let (tree, path) = (Tree::new(0), TilePath::Entries { index: 0, width: 8 });
    let at = instant(SECOND);
    let report = Served::new(ORIGIN, "http://127.0.0.1:8080/log", path, served, at).to_note();
    let mut report = report.expect("a URL is a line");
    let signer = NoteSigner::log(ORIGIN, Arc::new(key(PEER_KEY))).expect("a key name");
    report.add(signer.sign(report.text(), at).expect("a key in memory signs"));
    let (log, note) = (log_signer(), tree.note(8, FIRST));
    let leaf = (3, tree.0[3].leaf_hash());
    BadTile::new((log.vkey(), &note), leaf, &tree.inclusion(3, 8), served, &report)
}

fn signed(sub: &str, body: Body, signer: &SecretKey) -> Envelope {
    let claims = Claims {
        iss: REGISTRAR.parse().expect("a valid organisation"),
        sub: sub.parse().expect("a valid subject"),
        aud: Audience::Public,
        iat: instant("2026-03-01T00:00:00Z"),
        regions: Vec::new(),
    };
    sign(Draft { claims, body }, [0x55; 16], signer).expect("a valid draft")
}

/// The registrar's rotation at 2, and an attestation under the old key at 5.
fn key_use(ended: &str, before: &str) -> KeyUse {
    let rotation = |next: u8, after: u8| Key {
        key: key(next).public().clone(),
        replaces_key: key(REGISTRAR_KEY).public().id(),
        next_key_commitment: key(after).public().id(),
    };
    let end =
        signed(REGISTRAR, rotation(REGISTRAR_NEXT, PRODUCER_THIRD).into(), &key(REGISTRAR_NEXT));
    let body = samples().into_iter().find(|sample| sample.name == "organisation");
    let body = body.expect("a sample of this name").envelope.body().clone();
    let act = signed(PRODUCER, body, &key(REGISTRAR_KEY));
    let mut tree = Tree::new(0);
    (tree.0[2].id, tree.0[5].id) = (end.id(), act.id());
    KeyUse {
        act: RecordedBody::new(act.stored(), &tree.proof(5, 8, THIRD)),
        before: Some(tree.note(5, before).to_string()),
        history: vec![RecordedBody::new(end.stored(), &tree.proof(2, 3, ended))],
    }
}

/// One of every kind, with its name.
pub fn valid() -> Vec<(&'static str, DefectProof)> {
    let network = witnessed();
    let witness = witness_signer().vkey().clone();
    let cosigned =
        |trees| Claim::BadCosignature(Box::new(Cosigned { witness: witness.clone(), trees }));
    let claims = [
        ("two histories of one size", Claim::Split(one_size())),
        ("two histories of two sizes", Claim::Split(two_trees(&log_signer()))),
        ("a witness that cosigned both", cosigned(two_trees(&witness_signer()))),
        ("a witness that went back", cosigned(gone_back())),
        ("a log that went back in time", Claim::Shrink(times_back())),
        ("a bundle of another history", Claim::BadTile(bad_tile(&bundle(&Tree::new(1))))),
        ("a key used after its end", Claim::KeyOutsideTime(Box::new(key_use(FIRST, SECOND)))),
    ];
    let proof = |(name, claim)| (name, DefectProof::new(&network, claim).expect("it holds"));
    claims.into_iter().map(proof).collect()
}

/// Ones that accuse wrongly, well-formed or not.
pub fn refused() -> Vec<(&'static str, Vec<u8>)> {
    let network = witnessed();
    let encode = |claim: Claim| encoded(&network, &claim);
    let tree = Tree::new(0);
    let honest = |first: usize, second: usize| {
        let path = tree.consistency(first as u64, second as u64);
        let notes = [tree.note(first, FIRST), tree.note(second, SECOND)];
        let link = (first != second).then(|| (tree.root(first), path.as_slice()));
        TwoTrees::new(log_signer().vkey(), [&notes[0], &notes[1]], link)
    };
    let mut forged = one_size();
    let line = NoteSigner::log("example/nobody", Arc::new(key(PRODUCER_THIRD)));
    let note = Tree::new(1).note(8, SECOND);
    let line = line.expect("a key name").sign(note.text(), instant(SECOND));
    forged.second = format!("{}\n{}\n", note.text(), line.expect("a key in memory signs"));
    let mut false_link = honest(5, 8);
    if let Some(Digest(prefix)) = &mut false_link.prefix {
        prefix[0] ^= 1;
    }
    let stranger = NoteSigner::log(ORIGIN, Arc::new(key(PRODUCER_THIRD))).expect("a key name");
    let unsigned = TwoTrees { second: other_signer(&stranger), ..one_size() };
    // The log's own signature of the first note, under the text of the second.
    let line = Tree::new(0).note(8, FIRST).signatures()[0].clone();
    let bad_signature = TwoTrees {
        second: format!("{}\n{line}\n", Tree::new(1).note(8, SECOND).text()),
        ..one_size()
    };
    let witness = witness_signer().vkey().clone();
    let mut grown = gone_back();
    std::mem::swap(&mut grown.first, &mut grown.second);
    let mut still = times_back();
    std::mem::swap(&mut still.earlier, &mut still.later);
    let good = valid()[0].1.bytes().to_vec();
    vec![
        ("one tree, twice", encode(Claim::Split(honest(8, 8)))),
        ("a tree and its beginning", encode(Claim::Split(honest(5, 8)))),
        ("a consistency proof that leads nowhere", encode(Claim::Split(false_link))),
        ("a note whose signature does not verify", encode(Claim::Split(bad_signature))),
        ("a note whose signature is of another key", encode(Claim::Split(unsigned))),
        ("a note with a signature line of nobody", encode(Claim::Split(forged))),
        (
            "a witness that cosigned less and then more",
            encode(Claim::BadCosignature(Box::new(Cosigned { witness, trees: grown }))),
        ),
        ("times in order", encode(Claim::Shrink(still))),
        ("a bundle as it was signed", encode(Claim::BadTile(bad_tile(&bundle(&tree))))),
        (
            "a key that ended in the same second",
            encode(Claim::KeyOutsideTime(Box::new(key_use(SECOND, SECOND)))),
        ),
        ("cut off", good[..good.len() - 1].to_vec()),
        ("a byte too many", [good.as_slice(), &[0]].concat()),
    ]
}

fn other_signer(signer: &NoteSigner) -> String {
    let mut note = SignedNote::unsigned(Tree::new(1).note(8, FIRST).text().to_owned());
    let note = note.as_mut().expect("a checkpoint is a note");
    note.add(signer.sign(note.text(), instant(FIRST)).expect("a key in memory signs"));
    note.to_string()
}

/// The file of a claim that proves nothing, which the library does not make.
fn encoded(network: &NetworkFile, claim: &Claim) -> Vec<u8> {
    let encoded = |part: Result<Vec<u8>, _>| part.expect("it is encoded");
    let claim = encoded(hallmark_schemas::cbor::to_vec(claim));
    let network = encoded(hallmark_schemas::cbor::to_vec(&Blob(network.bytes().to_vec())));
    [b"\xa3\x61v\x01\x65claim", claim.as_slice(), b"\x67network", &network].concat()
}

pub(super) fn vectors() -> Value {
    let valid = valid().into_iter().map(|(name, proof)| {
        let shown = proof.verify().expect("it holds");
        json!({
            "name": name,
            "claim": proof.claim().word(),
            "subject": shown.subject,
            "shows": shown.sentence,
            "signed_by_accused": shown.signed_by_accused,
            "file": hex(proof.bytes()),
        })
    });
    let refused = refused().into_iter().map(|(name, bytes)| {
        let parsed = DefectProof::parse(&bytes);
        let error = match &parsed {
            Ok(proof) => proof.verify().err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        json!({
            "name": name,
            "malformed": parsed.is_err(),
            "error": error.expect("it is refused"),
            "file": hex(&bytes),
        })
    });
    json!({"valid": valid.collect::<Vec<_>>(), "refused": refused.collect::<Vec<_>>()})
}
