//! Single files: a network file, an attestation, a receipt or `tlog-proof` of one, a signed statement
//! of another system, a public key for such.
//!
//! Invariants: a file is what its first bytes say, and read only up to the limit of that; a receipt
//! names no attestation, so it is put to the one whose leaf leads to its checkpoint; a key that is
//! given counts for statements of other systems alone.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::foreign::{Foreign, ForeignKey};
use hallmark_schemas::network::NETWORK_FILE_BYTES_MAX;
use hallmark_schemas::proof::{FIRST_LINE, Inclusion, LogProof};
use hallmark_schemas::receipt::{RECEIPT_BYTES_MAX, Receipt, ReceiptError};

use super::LoadError;
use super::bundle::{flaw, keep_inclusion};
use crate::evidence::{DefectKind, Evidence, ForeignStatement, Place};

/// What is read of a file at most: the longest of these is a receipt.
const BYTES_MAX: usize = RECEIPT_BYTES_MAX;
const _: () = assert!(NETWORK_FILE_BYTES_MAX < BYTES_MAX);

/// Tag 98 (COSE_Sign) and tag 18 (COSE_Sign1), each before an array of four.
const COSE_SIGN: &[u8] = &[0xd8, 0x62, 0x84];
const COSE_SIGN1: &[u8] = &[0xd2, 0x84];
const PEM: &[u8] = b"-----BEGIN PUBLIC KEY-----";

/// Single files that wait for the others.
#[derive(Default)]
pub(super) struct Loose {
    /// Receipts and proofs, with their files.
    inclusions: Vec<(String, Inclusion, Vec<u8>)>,
    /// Receipts of other systems.
    receipts: Vec<Vec<u8>>,
}

impl Loose {
    /// Reads a file that is one of these and says what it is; `None` if it is none.
    pub(super) fn read(
        &mut self,
        path: &Path,
        evidence: &mut Evidence,
    ) -> Result<Option<&'static str>, LoadError> {
        let io = |source| LoadError::io(path, source);
        let mut file = File::open(path).map_err(io)?;
        let mut bytes = Vec::new();
        file.by_ref().take(PEM.len() as u64).read_to_end(&mut bytes).map_err(io)?;
        let heads = [COSE_SIGN, COSE_SIGN1, PEM, FIRST_LINE.as_bytes()];
        let Some(head) = heads.into_iter().position(|head| bytes.starts_with(head)) else {
            return Ok(None);
        };
        file.take(BYTES_MAX as u64).read_to_end(&mut bytes).map_err(io)?;
        if BYTES_MAX < bytes.len() {
            let (path, bytes, limit) = (path.to_owned(), bytes.len() as u64, BYTES_MAX as u64);
            return Err(LoadError::TooLong { path, bytes, limit });
        }
        let name = path.display().to_string();
        Ok(Some(match head {
            0 => {
                evidence.networks_trusted.push(bytes);
                "network file"
            }
            1 => self.message(name, bytes, evidence),
            2 => {
                let text = String::from_utf8_lossy(&bytes);
                match ForeignKey::from_pem(&text) {
                    Ok(key) => evidence.foreign_keys.push(key),
                    Err(error) => wrong(DefectKind::BadSignature, &name, &error, evidence),
                }
                "public key"
            }
            _ => {
                self.keep(name, LogProof::parse(&bytes).map(Inclusion::Proof), bytes, evidence);
                "tlog-proof"
            }
        }))
    }

    fn message(&mut self, name: String, bytes: Vec<u8>, evidence: &mut Evidence) -> &'static str {
        if let Ok((envelope, receipts)) = Envelope::parse_transit(&bytes) {
            let id = envelope.id();
            evidence.carried.insert(id);
            evidence.bodies.add(id, Place::Memory(envelope.stored().into()));
            for receipt in receipts {
                let place = Place::Memory(receipt.as_slice().into());
                keep_inclusion(
                    id,
                    Receipt::parse(&receipt).map(Inclusion::Receipt),
                    place,
                    evidence,
                );
            }
            return "attestation";
        }
        let ours = Receipt::parse(&bytes);
        if let Ok(receipt) = ours {
            self.keep(name, Ok(Inclusion::Receipt(receipt)), bytes, evidence);
            return "receipt";
        }
        match Foreign::parse(&bytes).map(|message| message.headers().vds.is_some()) {
            Ok(true) => {
                self.receipts.push(bytes);
                "receipt of another system"
            }
            Ok(false) => {
                evidence.foreign.push(ForeignStatement { statement: bytes, receipts: Vec::new() });
                "statement of another system"
            }
            Err(error) => {
                wrong(DefectKind::BadBody, &name, &error, evidence);
                "COSE message"
            }
        }
    }

    fn keep(
        &mut self,
        name: String,
        parsed: Result<Inclusion, ReceiptError>,
        bytes: Vec<u8>,
        evidence: &mut Evidence,
    ) {
        match parsed {
            Ok(inclusion) => self.inclusions.push((name, inclusion, bytes)),
            Err(error) => wrong(DefectKind::BadProof, &name, &error, evidence),
        }
    }

    /// Puts receipts to what they are about, once everything is read.
    pub(super) fn settle(self, evidence: &mut Evidence) {
        for (name, inclusion, bytes) in self.inclusions {
            let ids = || evidence.carried.iter().chain(evidence.bodies.ids());
            let about: Option<ContentId> = ids().find(|id| inclusion.leads_to_root(**id)).copied();
            let is_alone = ids().next().is_none();
            match about {
                Some(id) => {
                    keep_inclusion(id, Ok(inclusion), Place::Memory(bytes.into()), evidence)
                }
                None if is_alone => {
                    let detail = format!("{name}: the attestation that it is about is not given");
                    evidence.defects.push(flaw(DefectKind::Withheld, detail));
                }
                None => {
                    let detail = format!("{name} leads no attestation that is given to its root");
                    evidence.defects.push(flaw(DefectKind::BadProof, detail));
                }
            }
        }
        // Whose receipt it is only the log's key tells: each is tried with each statement.
        evidence.foreign_receipts.extend(self.receipts);
    }
}

fn wrong(kind: DefectKind, name: &str, error: &dyn std::error::Error, evidence: &mut Evidence) {
    let detail = format!("{name}: {}", crate::evidence::chain(error));
    evidence.defects.push(flaw(kind, detail));
}
