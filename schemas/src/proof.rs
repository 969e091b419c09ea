//! Proofs that a log holds an attestation, made by whoever has its tiles: C2SP `tlog-proof`.
//!
//! Invariants: a proof has one encoding; its `extra` line is the head of the entry, so that proof
//! and content id give the leaf; the log's own signature is that of the carried checkpoint, which
//! counts only with its quorum of witnesses. A receipt says the same under the log's key: see
//! [`Inclusion`] for either.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::attestation::ContentId;
use crate::entry::{ENTRY_HEAD_BYTES, Entry};
use crate::merkle::{self, Hash, PROOF_HASHES_MAX};
use crate::note::{SignedNote, VerifierKey, parse_size};
use crate::policy::Policy;
use crate::receipt::{RECEIPT_BYTES_MAX, Receipt, ReceiptError, Recorded};

/// What the text of a proof begins with.
pub const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A parsed proof; nothing in it is proved yet.
#[derive(Clone, Debug, PartialEq)]
pub struct LogProof {
    entry_head: [u8; ENTRY_HEAD_BYTES],
    index: u64,
    path: Vec<Hash>,
    checkpoint: SignedNote,
}

impl LogProof {
    /// Puts a proof together. `path` leads from the entry at `index` to the checkpoint's root.
    pub fn new(entry: &Entry, index: u64, path: Vec<Hash>, checkpoint: SignedNote) -> LogProof {
        LogProof { entry_head: entry.head(), index, path, checkpoint }
    }

    /// The checkpoint that it leads to.
    pub fn checkpoint(&self) -> &SignedNote {
        &self.checkpoint
    }

    /// The same as a receipt says, without the signature over the root that only the log can make.
    pub fn of_receipt(receipt: &Receipt) -> LogProof {
        LogProof {
            entry_head: receipt.entry_head(),
            index: receipt.index(),
            path: receipt.path().to_vec(),
            checkpoint: receipt.checkpoint().clone(),
        }
    }

    /// The proof's text.
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = STANDARD.encode(self.entry_head);
        let mut text = format!("{FIRST_LINE}\nextra {head}\nindex {}\n", self.index);
        for hash in &self.path {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        format!("{text}\n{}", self.checkpoint).into_bytes()
    }

    /// Parses a proof in its one encoding.
    pub fn parse(bytes: &[u8]) -> Result<LogProof, ReceiptError> {
        if RECEIPT_BYTES_MAX < bytes.len() {
            return Err(ReceiptError::TooLong { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ReceiptError::Inclusion)?;
        let (head, note) = text.split_once("\n\n").ok_or(ReceiptError::Inclusion)?;
        let (entry_head, index, path) = parse_head(head).ok_or(ReceiptError::Inclusion)?;
        let checkpoint = SignedNote::parse(note.as_bytes())?;
        let proof = LogProof { entry_head, index, path, checkpoint };
        if proof.to_bytes() != bytes {
            return Err(ReceiptError::NotDeterministic);
        }
        Ok(proof)
    }

    /// Checks everything: the log's signature on the checkpoint, its quorum, the path to its root.
    pub fn verify(
        &self,
        id: ContentId,
        log: &VerifierKey,
        policy: &Policy,
    ) -> Result<Recorded, ReceiptError> {
        let entry = Entry::from_head(self.entry_head, id)?;
        let cosigned = policy.check(&self.checkpoint, log)?;
        let (size, root) = (cosigned.checkpoint.size, cosigned.checkpoint.root);
        merkle::verify_inclusion(&entry.leaf_hash(), self.index, size, &self.path, &root)?;
        Ok(Recorded { entry, index: self.index, size, quorum: cosigned.quorum })
    }
}

fn parse_head(head: &str) -> Option<([u8; ENTRY_HEAD_BYTES], u64, Vec<Hash>)> {
    let mut lines = head.split('\n');
    let first = lines.next()? == FIRST_LINE;
    let entry_head = STANDARD.decode(lines.next()?.strip_prefix("extra ")?).ok()?;
    let index = parse_size(lines.next()?.strip_prefix("index ")?)?;
    let mut path = Vec::new();
    for line in lines {
        if path.len() == PROOF_HASHES_MAX {
            return None;
        }
        path.push(STANDARD.decode(line).ok()?.try_into().ok()?);
    }
    first.then_some((entry_head.try_into().ok()?, index, path))
}

/// Either proof that a log holds an attestation.
#[derive(Clone, Debug, PartialEq)]
pub enum Inclusion {
    /// Under the log's key.
    Receipt(Receipt),
    /// By anyone.
    Proof(LogProof),
}

impl Inclusion {
    /// The checkpoint that it carries.
    pub fn checkpoint(&self) -> &SignedNote {
        match self {
            Inclusion::Receipt(receipt) => receipt.checkpoint(),
            Inclusion::Proof(proof) => proof.checkpoint(),
        }
    }

    /// The leaf that it is about.
    pub fn index(&self) -> u64 {
        match self {
            Inclusion::Receipt(receipt) => receipt.index(),
            Inclusion::Proof(proof) => proof.index,
        }
    }

    /// The entry that it is about, given the attestation's id.
    pub fn entry(&self, id: ContentId) -> Result<Entry, ReceiptError> {
        match self {
            Inclusion::Receipt(receipt) => receipt.entry(id),
            Inclusion::Proof(proof) => Ok(Entry::from_head(proof.entry_head, id)?),
        }
    }

    /// Whether it leads from this attestation to the root that its own checkpoint states. That says
    /// which attestation it is about, and proves nothing.
    pub fn leads_to_root(&self, id: ContentId) -> bool {
        let path = match self {
            Inclusion::Receipt(receipt) => receipt.path(),
            Inclusion::Proof(proof) => &proof.path,
        };
        let (Ok(entry), Ok(state)) = (self.entry(id), self.checkpoint().checkpoint()) else {
            return false;
        };
        let leaf = entry.leaf_hash();
        merkle::verify_inclusion(&leaf, self.index(), state.size, path, &state.root).is_ok()
    }

    /// Checks everything, as [`Receipt::verify`] and [`LogProof::verify`] do.
    pub fn verify(
        &self,
        id: ContentId,
        log: &VerifierKey,
        policy: &Policy,
    ) -> Result<Recorded, ReceiptError> {
        match self {
            Inclusion::Receipt(receipt) => receipt.verify(id, log, policy),
            Inclusion::Proof(proof) => proof.verify(id, log, policy),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::key::SecretKey;
    use crate::note::{Checkpoint, NoteSigner};
    use crate::time::Timestamp;

    fn entry(number: u8) -> Entry {
        let id = ContentId::from_bytes([number; 32]);
        Entry { audience: 0, admitted_at: Timestamp::from_unix_ms(1_700_000_000_000), id }
    }

    fn proof() -> (LogProof, VerifierKey) {
        let key = Arc::new(SecretKey::from_seed([7; 32]));
        let signer = NoteSigner::log("demo/x/1", key).unwrap();
        let leaves = [0, 1, 2].map(|number| entry(number).leaf_hash());
        let left = merkle::node_hash(&leaves[0], &leaves[1]);
        let state = Checkpoint::new("demo/x/1", 3, merkle::node_hash(&left, &leaves[2]));
        let mut note = SignedNote::unsigned(state.to_string()).unwrap();
        note.add(signer.sign(note.text(), Timestamp::EPOCH).unwrap());
        let path = vec![leaves[0], leaves[2]];
        (LogProof::new(&entry(1), 1, path, note), signer.vkey().clone())
    }

    #[test]
    fn a_proof_returns_from_its_text_and_proves_one_entry() {
        let (proof, log) = proof();
        let bytes = proof.to_bytes();
        assert!(bytes.starts_with(b"c2sp.org/tlog-proof@v1\nextra AAAAAYvP5WgA\nindex 1\n"));
        assert_eq!(LogProof::parse(&bytes).unwrap(), proof);
        let recorded = proof.verify(entry(1).id, &log, &Policy::none()).unwrap();
        assert_eq!((recorded.entry, recorded.index, recorded.size), (entry(1), 1, 3));
        assert!(proof.verify(entry(2).id, &log, &Policy::none()).is_err(), "another id");
    }

    #[test]
    fn no_changed_byte_leaves_a_proof_that_holds() {
        let (proof, log) = proof();
        let bytes = proof.to_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let holds = LogProof::parse(&changed)
                .is_ok_and(|proof| proof.verify(entry(1).id, &log, &Policy::none()).is_ok());
            assert!(!holds, "byte {at}");
            assert!(LogProof::parse(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
