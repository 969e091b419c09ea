//! Evidence bundles, read piece by piece.
//!
//! Invariants: at most one item is parsed at a time; bodies of a file stay in the file; what comes
//! from a pipe is kept in memory up to [`PIPE_BYTES_MAX`].

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use hallmark_schemas::attestation::{ContentId, Envelope};
use hallmark_schemas::bundle::{BundleError, Item, Piece, Reader};
use hallmark_schemas::defect::DefectProof;
use hallmark_schemas::note::SignedNote;
use hallmark_schemas::proof::{Inclusion, LogProof};
use hallmark_schemas::receipt::{Receipt, ReceiptError};

use super::LoadError;
use crate::evidence::{
    Defect, DefectKind, Evidence, ForeignStatement, FoundNote, FoundProof, LogInclusion, Place,
    chain,
};

/// Most bytes of bodies that a bundle from standard input may bring: they stay in memory.
pub const PIPE_BYTES_MAX: u64 = 1 << 30;

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Reads the bundle in a file.
pub fn read_file(path: &Path, evidence: &mut Evidence) -> Result<(), LoadError> {
    let open = || File::open(path).map_err(|source| LoadError::io(path, source));
    let file = evidence.bodies.add_file(open()?);
    read(path, &mut open()?, Some(file), evidence)
}

/// Reads the bundle that comes from standard input.
pub fn read_stdin(evidence: &mut Evidence) -> Result<(), LoadError> {
    let mut input = io::stdin().lock().take(PIPE_BYTES_MAX);
    read(Path::new("-"), &mut input, None, evidence)
}

/// Reads a bundle; `file` is the registered file that `input` reads from its start.
pub fn read(
    name: &Path,
    input: &mut dyn Read,
    file: Option<usize>,
    evidence: &mut Evidence,
) -> Result<(), LoadError> {
    let wrong = |source: BundleError| LoadError::Bundle { path: name.to_owned(), source };
    let (mut reader, mut held, mut taken) = (Reader::default(), Vec::new(), 0u64);
    let mut start = 0;
    loop {
        match reader.next(&held[start..]).map_err(wrong)? {
            Some((piece, length)) => {
                start += length;
                taken += length as u64;
                keep(piece, file, taken, evidence);
            }
            None => {
                held.drain(..start);
                start = 0;
                let before = held.len();
                held.resize(before + CHUNK, 0);
                let read = input.read(&mut held[before..]);
                let read = read.map_err(|source| LoadError::io(name, source))?;
                held.truncate(before + read);
                if read == 0 {
                    break;
                }
            }
        }
    }
    reader.finish(held.len()).map_err(wrong)
}

fn keep(piece: Piece, file: Option<usize>, end: u64, evidence: &mut Evidence) {
    let item = match piece {
        Piece::Header(header) => {
            evidence.networks_carried.push(header.network);
            evidence.as_of = evidence.as_of.max(Some(header.as_of));
            return;
        }
        Piece::Item(item) => item,
    };
    match item {
        Item::Checkpoint(note) => match origin_of(&note) {
            Ok(origin) => {
                let found = FoundNote { bytes: note, found_in: "the bundle".to_owned() };
                evidence.logs.entry(origin).or_default().checkpoints.push(found);
            }
            Err(detail) => evidence.defects.push(flaw(DefectKind::BadProof, detail)),
        },
        Item::Entries { origin, first, entries } => {
            evidence.logs.entry(origin).or_default().entries.insert(first, entries);
        }
        Item::Identity(body) | Item::Body(body) => {
            let id = ContentId::of(&body);
            if let Err(error) = Envelope::parse(&body) {
                let mut defect = flaw(DefectKind::BadBody, format!("{id}: {error}"));
                defect.cites.push(id);
                evidence.defects.push(defect);
            }
            evidence.carried.insert(id);
            evidence.bodies.add(id, place_of(&body, file, end));
        }
        Item::Receipt { id, receipt } => {
            let parsed = Receipt::parse(&receipt).map(Inclusion::Receipt);
            keep_inclusion(id, parsed, place_of(&receipt, file, end), evidence);
        }
        Item::Proof { id, proof } => {
            let parsed = LogProof::parse(&proof).map(Inclusion::Proof);
            keep_inclusion(id, parsed, place_of(&proof, file, end), evidence);
        }
        Item::Defect(proof) => match DefectProof::parse(&proof) {
            Ok(proof) => {
                let found_in = "the bundle".to_owned();
                evidence.proofs.push(FoundProof { proof, found_in });
            }
            Err(error) => {
                let detail = format!("a defect proof in the bundle is none: {}", chain(&error));
                evidence.defects.push(flaw(DefectKind::BadProof, detail));
            }
        },
        Item::Damaged { id, held } => {
            evidence.carried.insert(id);
            evidence.damaged.insert(id, held);
        }
        Item::Foreign { statement, receipts } => {
            evidence.foreign.push(ForeignStatement { statement, receipts });
        }
        Item::End { .. } => {}
    }
}

/// Where the last part of an item is that ends at `end`.
fn place_of(content: &[u8], file: Option<usize>, end: u64) -> Place {
    let bytes = content.len();
    match file {
        Some(file) => Place::File { file, offset: end - bytes as u64, bytes },
        None => Place::Memory(content.into()),
    }
}

/// Hands a receipt or proof to the log that it is of.
pub(super) fn keep_inclusion(
    id: ContentId,
    parsed: Result<Inclusion, ReceiptError>,
    place: Place,
    evidence: &mut Evidence,
) {
    let placed = parsed.map_err(|error| chain(&error)).and_then(|inclusion| {
        let origin = origin_signed(inclusion.checkpoint())?;
        let entry = inclusion.entry(id).map_err(|error| chain(&error))?;
        let is_receipt = matches!(inclusion, Inclusion::Receipt(_));
        Ok((origin, LogInclusion { entry, index: inclusion.index(), is_receipt, place }))
    });
    match placed {
        Ok((origin, inclusion)) => {
            evidence.logs.entry(origin).or_default().inclusions.push(inclusion);
        }
        Err(detail) => {
            let mut defect = flaw(DefectKind::BadProof, detail);
            defect.cites.push(id);
            evidence.defects.push(defect);
        }
    }
}

/// The log that a checkpoint is of.
pub(super) fn origin_of(note: &[u8]) -> Result<String, String> {
    origin_signed(&SignedNote::parse(note).map_err(|error| error.to_string())?)
}

/// The log that a checkpoint says it is of. One that nobody of that name signed is broken as it is,
/// whoever's key is at hand: `tlog-checkpoint` has the log sign under its origin.
fn origin_signed(note: &SignedNote) -> Result<String, String> {
    let origin = note.checkpoint().map_err(|error| error.to_string())?.origin;
    match note.signatures().iter().any(|line| line.name == origin) {
        true => Ok(origin),
        false => Err(format!("the checkpoint names the log {origin}, which did not sign it")),
    }
}

pub(super) fn flaw(kind: DefectKind, detail: String) -> Defect {
    let subject = "bundle".to_owned();
    Defect {
        log: None,
        entry: None,
        kind,
        subject,
        cites: Vec::new(),
        detail,
        at: None,
        remedy: None,
        proof: None,
        step: kind.step(),
    }
}
