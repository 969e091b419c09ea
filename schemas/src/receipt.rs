//! Receipts: COSE Receipts of inclusion (RFC 9942, vds 1) that prove an attestation recorded.
//!
//! Invariants: a receipt is deterministic; it is valid only together with the log's own signature
//! over the root and with the witness quorum on the checkpoint of that root, which it carries. The
//! profile beyond RFC 9942: the protected header names the log and the statement as CWT claims, as
//! RFC 9943 asks, and repeats the entry's first 9 bytes under `hallmark-entry`; the unprotected header carries the cosigned checkpoint as
//! `hallmark-checkpoint`.

use minicbor::{Decoder, Encoder};

use crate::attestation::ContentId;
use crate::cbor::{self, CborError};
use crate::cose::{self, CoseError, Sign1};
use crate::entry::{ENTRY_HEAD_BYTES, Entry, EntryError};
use crate::key::{KeyId, SIGNATURE_BYTES, SignError, Signer};
use crate::merkle::{self, Hash, PROOF_HASHES_MAX, ProofError};
use crate::note::{NOTE_BYTES_MAX, NoteError, SignedNote, VerifierKey};
use crate::policy::{CosignError, Policy, QuorumTime};

/// Longest receipt: a note and a proof.
pub const RECEIPT_BYTES_MAX: usize = NOTE_BYTES_MAX + 16 * 1024;

/// Value of header 395: a tree of RFC 9162 with SHA-256.
pub const VDS_RFC9162: i64 = 1;
/// Label of inclusion proofs in header 396.
pub const VDP_INCLUSION: i64 = -1;

/// Claims of header 15.
const CLAIM_ISS: i64 = 1;
const CLAIM_SUB: i64 = 2;

const LABEL_ENTRY: &str = "hallmark-entry";
const LABEL_CHECKPOINT: &str = "hallmark-checkpoint";

/// What a receipt is made of.
#[derive(Clone, Copy, Debug)]
pub struct ReceiptParts<'a> {
    /// The entry that is proved.
    pub entry: &'a Entry,
    /// Its place.
    pub index: u64,
    /// Inclusion proof for the tree of the checkpoint, leaf to root.
    pub path: &'a [Hash],
    /// The published checkpoint with the log's signature and its quorum.
    pub checkpoint: &'a SignedNote,
}

/// A parsed receipt; nothing in it is proved yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    guarded: Guarded,
    size: u64,
    index: u64,
    path: Vec<Hash>,
    checkpoint: SignedNote,
    protected: Vec<u8>,
    signature: [u8; SIGNATURE_BYTES],
}

/// What the protected header says, beside algorithm and data structure.
#[derive(Clone, Debug, PartialEq)]
struct Guarded {
    signer: KeyId,
    /// The log's origin.
    issuer: String,
    /// The statement that is recorded.
    subject: ContentId,
    entry_head: [u8; ENTRY_HEAD_BYTES],
}

/// What a receipt has proved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Recorded {
    /// The entry as the log holds it.
    pub entry: Entry,
    /// Its place in the log.
    pub index: u64,
    /// Size of the tree of the checkpoint.
    pub size: u64,
    /// When the checkpoint's quorum was complete.
    pub quorum: QuorumTime,
}

impl Receipt {
    /// Makes a receipt with the log's key.
    ///
    /// The proof must lead to the checkpoint's root. A tree of one leaf has no receipt: RFC 9942
    /// asks for one hash in the path at least.
    pub fn sign(parts: ReceiptParts<'_>, log: &dyn Signer) -> Result<Vec<u8>, SignError> {
        let ReceiptParts { entry, index, path, checkpoint } = parts;
        let malformed = |reason: String| SignError::Malformed { reason };
        let state = checkpoint.checkpoint().map_err(|fault| malformed(fault.to_string()))?;
        if path.is_empty() {
            return Err(malformed("a tree of one leaf has no receipt".to_owned()));
        }
        merkle::verify_inclusion(&entry.leaf_hash(), index, state.size, path, &state.root)
            .map_err(|fault| malformed(fault.to_string()))?;
        let guarded = Guarded {
            signer: log.public().id(),
            issuer: state.origin,
            subject: entry.id,
            entry_head: entry.head(),
        };
        let protected = guarded.encode();
        let unprotected = encode_unprotected(state.size, index, path, &checkpoint.to_bytes());
        let signature = log.sign(&cose::sig_structure(&protected, &state.root))?;
        let message = Sign1 {
            protected: &protected,
            unprotected: &unprotected,
            payload: None,
            signature: &signature,
        };
        Ok(message.encode())
    }

    /// Parses a receipt of this profile; nothing is proved by that.
    pub fn parse(bytes: &[u8]) -> Result<Receipt, ReceiptError> {
        if RECEIPT_BYTES_MAX < bytes.len() {
            return Err(ReceiptError::TooLong { bytes: bytes.len() });
        }
        let message = Sign1::parse(bytes)?;
        let length = message.signature.len();
        let signature = message.signature.try_into();
        let signature = signature.map_err(|_| CoseError::SignatureLength { length })?;
        cbor::scan(message.protected)?;
        cbor::scan(message.unprotected)?;
        let guarded = Guarded::parse(message.protected).ok_or(ReceiptError::Protected)?;
        let (proof, note) =
            parse_unprotected(message.unprotected).ok_or(ReceiptError::Unprotected)?;
        cbor::scan(proof)?;
        let (size, index, path) = parse_proof(proof).ok_or(ReceiptError::Inclusion)?;
        let checkpoint = SignedNote::parse(note)?;
        let unprotected = encode_unprotected(size, index, &path, &checkpoint.to_bytes());
        let same = Sign1 { unprotected: &unprotected, payload: None, ..message };
        if message.payload.is_some() || same.encode() != bytes {
            return Err(ReceiptError::NotDeterministic);
        }
        let protected = message.protected.to_vec();
        Ok(Receipt { guarded, size, index, path, checkpoint, protected, signature })
    }

    /// The log key that it says it is signed with.
    pub fn signer(&self) -> KeyId {
        self.guarded.signer
    }

    /// The leaf that it is about.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Size of the tree of its checkpoint.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hashes from the leaf to the root.
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// What stands before the content id in the entry.
    pub(crate) fn entry_head(&self) -> [u8; ENTRY_HEAD_BYTES] {
        self.guarded.entry_head
    }

    /// The checkpoint that it carries.
    pub fn checkpoint(&self) -> &SignedNote {
        &self.checkpoint
    }

    /// The entry that it is about, given the attestation's id.
    pub fn entry(&self, id: ContentId) -> Result<Entry, ReceiptError> {
        Ok(Entry::from_head(self.guarded.entry_head, id)?)
    }

    /// Checks proof and signature against a log key alone; the root that they lead to. Whether the
    /// root was published and witnessed is not looked at.
    pub fn verify_root(&self, id: ContentId, log: &VerifierKey) -> Result<Hash, ReceiptError> {
        let entry = self.entry(id)?;
        let root =
            merkle::root_from_inclusion(&entry.leaf_hash(), self.index, self.size, &self.path)?;
        let signed = cose::sig_structure(&self.protected, &root);
        let Guarded { signer, issuer, subject, .. } = &self.guarded;
        if *signer != log.key().id() {
            return Err(ReceiptError::OtherLog { kid: *signer });
        }
        log.key().verify_strict(&signed, &self.signature).map_err(CoseError::from)?;
        if issuer != log.name() || *subject != id {
            return Err(ReceiptError::OtherClaims);
        }
        Ok(root)
    }

    /// Checks everything: the proof and its signature by the log's key, and that the carried
    /// checkpoint is the log's, has that root and is cosigned by a quorum of the policy.
    pub fn verify(
        &self,
        id: ContentId,
        log: &VerifierKey,
        policy: &Policy,
    ) -> Result<Recorded, ReceiptError> {
        let root = self.verify_root(id, log)?;
        let cosigned = policy.check(&self.checkpoint, log)?;
        if (cosigned.checkpoint.size, cosigned.checkpoint.root) != (self.size, root) {
            return Err(ReceiptError::OtherCheckpoint);
        }
        let (index, size, quorum) = (self.index, self.size, cosigned.quorum);
        Ok(Recorded { entry: self.entry(id)?, index, size, quorum })
    }
}

impl Guarded {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        let mut encoder = Encoder::new(&mut out);
        let encoded = encoder.map(5).and_then(|e| {
            e.i64(cose::LABEL_ALG)?.i64(cose::ALG_ED25519)?;
            e.i64(cose::LABEL_KID)?.bytes(self.signer.bytes())?;
            e.i64(cose::LABEL_CLAIMS)?.map(2)?;
            e.i64(CLAIM_ISS)?.str(&self.issuer)?;
            e.i64(CLAIM_SUB)?.str(&self.subject.to_string())?;
            e.i64(cose::LABEL_VDS)?.i64(VDS_RFC9162)?;
            e.str(LABEL_ENTRY)?.bytes(&self.entry_head)
        });
        encoded.expect("writing to memory does not fail");
        out
    }

    /// `None` for anything but the one encoding of these members.
    fn parse(protected: &[u8]) -> Option<Guarded> {
        let mut d = Decoder::new(protected);
        let is = |d: &mut Decoder<'_>, label| Some(d.i64().ok()? == label);
        if d.map().ok()? != Some(5) || !is(&mut d, cose::LABEL_ALG)? {
            return None;
        }
        if !is(&mut d, cose::ALG_ED25519)? || !is(&mut d, cose::LABEL_KID)? {
            return None;
        }
        let signer = KeyId::from_bytes(d.bytes().ok()?.try_into().ok()?);
        if !is(&mut d, cose::LABEL_CLAIMS)? || d.map().ok()? != Some(2) {
            return None;
        }
        let issuer = is(&mut d, CLAIM_ISS)?.then(|| d.str().ok())??.to_owned();
        let subject = is(&mut d, CLAIM_SUB)?.then(|| d.str().ok())??.parse().ok()?;
        if !is(&mut d, cose::LABEL_VDS)? || !is(&mut d, VDS_RFC9162)? {
            return None;
        }
        let entry_head =
            (d.str().ok()? == LABEL_ENTRY).then(|| d.bytes().ok())??.try_into().ok()?;
        let guarded = Guarded { signer, issuer, subject, entry_head };
        (guarded.encode() == protected).then_some(guarded)
    }
}

fn encode_unprotected(size: u64, index: u64, path: &[Hash], note: &[u8]) -> Vec<u8> {
    let mut proof = Vec::with_capacity(24 + 34 * path.len());
    let mut encoder = Encoder::new(&mut proof);
    let encoded = encoder.array(3).and_then(|e| {
        e.u64(size)?.u64(index)?.array(path.len() as u64)?;
        path.iter().try_for_each(|hash| e.bytes(hash).map(drop))
    });
    encoded.expect("writing to memory does not fail");
    let mut out = Vec::with_capacity(64 + proof.len() + note.len());
    let mut encoder = Encoder::new(&mut out);
    let encoded = encoder.map(2).and_then(|e| {
        e.i64(cose::LABEL_VDP)?.map(1)?.i64(VDP_INCLUSION)?.array(1)?.bytes(&proof)?;
        e.str(LABEL_CHECKPOINT)?.bytes(note)
    });
    encoded.expect("writing to memory does not fail");
    out
}

/// The one inclusion proof and the note.
fn parse_unprotected(unprotected: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut d = Decoder::new(unprotected);
    let fixed = d.map().ok()? == Some(2)
        && d.i64().ok()? == cose::LABEL_VDP
        && d.map().ok()? == Some(1)
        && d.i64().ok()? == VDP_INCLUSION
        && d.array().ok()? == Some(1);
    let proof = if fixed { d.bytes().ok()? } else { return None };
    let note = if d.str().ok()? == LABEL_CHECKPOINT {
        d.bytes().ok()?
    } else {
        return None;
    };
    Some((proof, note))
}

/// Size, index and path of an inclusion proof, as RFC 9942 writes it.
pub(crate) fn parse_proof(proof: &[u8]) -> Option<(u64, u64, Vec<Hash>)> {
    let mut d = Decoder::new(proof);
    if d.array().ok()? != Some(3) {
        return None;
    }
    let (size, index) = (d.u64().ok()?, d.u64().ok()?);
    let count = d.array().ok()??;
    if !(1..=PROOF_HASHES_MAX as u64).contains(&count) {
        return None;
    }
    let path = (0..count).map(|_| d.bytes().ok()?.try_into().ok()).collect::<Option<_>>()?;
    (d.position() == proof.len()).then_some((size, index, path))
}

/// Why a receipt proves nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// Larger than any receipt.
    #[error("a receipt of {bytes} bytes is longer than the limit of {RECEIPT_BYTES_MAX}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// No signed message, or a wrong signature.
    #[error(transparent)]
    Cose(#[from] CoseError),
    /// Not deterministic CBOR.
    #[error("a header of the receipt is malformed")]
    Cbor(#[from] CborError),
    /// Not the headers of the profile.
    #[error("the protected header of the receipt is not of this profile")]
    Protected,
    /// Not the headers of the profile.
    #[error("the unprotected header of the receipt is not of this profile")]
    Unprotected,
    /// No inclusion proof.
    #[error("the inclusion proof of the receipt is malformed")]
    Inclusion,
    /// A second encoding of the same receipt.
    #[error("the receipt is not in its one encoding")]
    NotDeterministic,
    /// The carried checkpoint is no note.
    #[error("the checkpoint in the receipt is malformed")]
    Note(#[from] NoteError),
    /// The head of the entry is no such head.
    #[error("the entry in the receipt is malformed")]
    Entry(#[from] EntryError),
    /// The path does not fit the tree.
    #[error("the inclusion proof does not fit")]
    Proof(#[from] ProofError),
    /// Signed by another log.
    #[error("the receipt is signed with key {kid}, which is not the log's")]
    OtherLog {
        /// The key it names.
        kid: KeyId,
    },
    /// Signed for another log or statement than the one at hand.
    #[error("the receipt names another log or statement")]
    OtherClaims,
    /// The log's signature or the quorum is missing on the checkpoint.
    #[error("the checkpoint in the receipt does not count")]
    Cosign(#[from] CosignError),
    /// The proof leads to another tree.
    #[error("the receipt proves inclusion in another tree than its checkpoint states")]
    OtherCheckpoint,
}

#[cfg(test)]
mod tests;
