use super::*;
use crate::key::SecretKey;
use crate::merkle::{Frontier, inclusion_proof};
use crate::note::{Checkpoint, NoteSigner};
use crate::policy::Witness;
use crate::time::Timestamp;
use proptest::prelude::*;
use std::sync::Arc;

struct Setting {
    key: Arc<SecretKey>,
    log: NoteSigner,
    witness: NoteSigner,
    policy: Policy,
    entries: Vec<Entry>,
}

fn setting() -> Setting {
    let key = Arc::new(SecretKey::from_seed([1; 32]));
    let log = NoteSigner::log("o.example/gln-1/0", key.clone()).unwrap();
    let witness = Arc::new(SecretKey::from_seed([2; 32]));
    let witness = NoteSigner::witness("w.example", witness).unwrap();
    let member = Witness { name: "w".to_owned(), key: witness.vkey().clone(), url: None };
    let policy = Policy::threshold(1, vec![member]).unwrap();
    let admitted_at = Timestamp::from_unix_ms(1_700_000_000_000);
    let id = |n| ContentId::of(&[n]);
    let entries = (0..5).map(|n| Entry { audience: n % 3, admitted_at, id: id(n) }).collect();
    Setting { key, log, witness, policy, entries }
}

impl Setting {
    fn checkpoint(&self, witnessed: bool) -> SignedNote {
        let mut frontier = Frontier::new();
        self.entries.iter().for_each(|entry| frontier.push(entry.leaf_hash()));
        let origin = self.log.vkey().name();
        let text = Checkpoint::new(origin, frontier.size(), frontier.root()).to_string();
        let mut note = SignedNote::unsigned(text).unwrap();
        note.add(self.log.sign(note.text(), Timestamp::EPOCH).unwrap());
        if witnessed {
            let at = Timestamp::from_unix_ms(1_700_000_001_000);
            note.add(self.witness.sign(note.text(), at).unwrap());
        }
        note
    }

    fn path(&self, index: usize) -> Vec<Hash> {
        let read = |level: u32, index: u64| {
            let mut frontier = Frontier::new();
            let start = (index << level) as usize;
            let covered = &self.entries[start..start + (1 << level)];
            covered.iter().for_each(|entry| frontier.push(entry.leaf_hash()));
            Ok::<_, std::convert::Infallible>(frontier.root())
        };
        inclusion_proof(index as u64, self.entries.len() as u64, read).unwrap()
    }

    fn receipt(&self, index: usize, witnessed: bool) -> Vec<u8> {
        let parts = ReceiptParts {
            entry: &self.entries[index],
            index: index as u64,
            path: &self.path(index),
            checkpoint: &self.checkpoint(witnessed),
        };
        Receipt::sign(parts, &*self.key).unwrap()
    }
}

#[test]
fn a_receipt_proves_the_entry_recorded() {
    let setting = setting();
    for (index, entry) in setting.entries.iter().enumerate() {
        let receipt = Receipt::parse(&setting.receipt(index, true)).unwrap();
        let recorded = receipt.verify(entry.id, setting.log.vkey(), &setting.policy).unwrap();
        let quorum = QuorumTime::At(Timestamp::from_unix_ms(1_700_000_001_000));
        let expected = Recorded { entry: *entry, index: index as u64, size: 5, quorum };
        assert_eq!(recorded, expected);
    }
}

#[test]
fn the_bytes_are_those_of_the_profile() {
    let setting = setting();
    let bytes = setting.receipt(1, true);
    let message = Sign1::parse(&bytes).unwrap();
    assert_eq!(message.payload, None);
    let kid = setting.key.public().id();
    let head = setting.entries[1].head();
    let mut protected = vec![0xa5, 0x01, 0x32, 0x04, 0x58, 32];
    protected.extend(kid.bytes());
    let origin = setting.log.vkey().name();
    protected.extend([0x0f, 0xa2, 0x01, 0x60 + origin.len() as u8]);
    protected.extend(origin.as_bytes());
    protected.extend([0x02, 0x78, 71]);
    protected.extend(setting.entries[1].id.to_string().as_bytes());
    protected.extend([0x19, 0x01, 0x8b, 0x01, 0x6e]);
    protected.extend(b"hallmark-entry");
    protected.push(0x49);
    protected.extend(head);
    assert_eq!(message.protected, protected);
    assert_eq!(message.unprotected[..7], [0xa2, 0x19, 0x01, 0x8c, 0xa1, 0x20, 0x81]);
    // A verifier that knows RFC 9942 alone checks it too.
    let foreign = crate::foreign::Foreign::parse(&bytes).unwrap();
    let key = crate::foreign::ForeignKey::Ed25519(setting.key.public().clone());
    let root = foreign.verify_receipt(&setting.entries[1].to_bytes(), &key).unwrap();
    assert_eq!(root, setting.checkpoint(true).checkpoint().unwrap().root);
}

#[test]
fn a_receipt_for_something_else_proves_nothing() {
    let setting = setting();
    let receipt = Receipt::parse(&setting.receipt(1, true)).unwrap();
    let (log, policy) = (setting.log.vkey(), &setting.policy);
    let other_id = receipt.verify(setting.entries[2].id, log, policy);
    assert!(matches!(other_id, Err(ReceiptError::Cose(CoseError::BadSignature(_)))));
    let id = setting.entries[1].id;
    let other = Arc::new(SecretKey::from_seed([9; 32]));
    let other = NoteSigner::log(log.name(), other).unwrap();
    let fault = receipt.verify(id, other.vkey(), policy);
    assert!(matches!(fault, Err(ReceiptError::OtherLog { .. })));
    let alone = Receipt::parse(&setting.receipt(1, false)).unwrap();
    assert!(alone.verify_root(id, log).is_ok());
    let fault = alone.verify(id, log, policy);
    assert_eq!(fault, Err(ReceiptError::Cosign(CosignError::NoQuorum)));
    assert!(alone.verify(id, log, &Policy::none()).is_ok());
}

#[test]
fn a_receipt_over_another_tree_than_its_checkpoint_is_refused() {
    let setting = setting();
    let bytes = setting.receipt(1, true);
    let mut receipt = Receipt::parse(&bytes).unwrap();
    let origin = setting.log.vkey().name();
    let text = Checkpoint::new(origin, 5, [3; 32]).to_string();
    let mut note = SignedNote::unsigned(text).unwrap();
    note.add(setting.log.sign(note.text(), Timestamp::EPOCH).unwrap());
    note.add(setting.witness.sign(note.text(), Timestamp::EPOCH).unwrap());
    receipt.checkpoint = note;
    let fault = receipt.verify(setting.entries[1].id, setting.log.vkey(), &setting.policy);
    assert_eq!(fault, Err(ReceiptError::OtherCheckpoint));
}

#[test]
fn nothing_is_signed_that_does_not_prove() {
    let setting = setting();
    let checkpoint = setting.checkpoint(true);
    let (entry, path) = (&setting.entries[1], setting.path(1));
    let sign = |index, path: &[Hash]| {
        let parts = ReceiptParts { entry, index, path, checkpoint: &checkpoint };
        Receipt::sign(parts, &*setting.key)
    };
    assert!(sign(1, &path).is_ok());
    assert!(matches!(sign(2, &path), Err(SignError::Malformed { .. })));
    assert!(matches!(sign(1, &path[1..]), Err(SignError::Malformed { .. })));
    assert!(matches!(sign(1, &[]), Err(SignError::Malformed { .. })));
}

#[test]
fn truncations_are_refused() {
    let bytes = setting().receipt(3, true);
    for length in 0..bytes.len() {
        assert!(Receipt::parse(&bytes[..length]).is_err(), "{length}");
    }
    assert!(Receipt::parse(&vec![0; RECEIPT_BYTES_MAX + 1]).is_err());
}

proptest! {
    #[test]
    fn a_flipped_bit_never_verifies(at: prop::sample::Index, bit in 0..8u8) {
        let setting = setting();
        let mut bytes = setting.receipt(3, true);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(receipt) = Receipt::parse(&bytes) {
            let id = setting.entries[3].id;
            prop_assert!(receipt.verify(id, setting.log.vkey(), &setting.policy).is_err());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Receipt::parse(&bytes).is_err());
        let tagged = [&[0xd2, 0x84], bytes.as_slice()].concat();
        let _ = Receipt::parse(&tagged);
        let _ = crate::foreign::Foreign::parse(&tagged).map(|foreign| foreign.receipts());
    }
}
