//! Defect proofs in files of their own: one given as input, or those that a node keeps.
//!
//! Invariant: a proof given as input must be one; one that a node keeps and that cannot be read is a
//! damaged file of that node.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use hallmark_schemas::defect::{DEFECT_BYTES_MAX, DefectProof};
use hallmark_schemas::layout::Data;

use super::LoadError;
use super::dir::{flaw, sorted_paths};
use crate::evidence::{DefectKind, Evidence, FoundProof, chain};

/// Whether a file begins as defect proofs do.
pub(super) fn is_one(path: &Path) -> Result<bool, LoadError> {
    let mut head = Vec::new();
    let io = |source| LoadError::io(path, source);
    File::open(path).map_err(io)?.take(16).read_to_end(&mut head).map_err(io)?;
    Ok(DefectProof::is_begun_by(&head))
}

/// Reads a proof that is given as input: its network file counts where no other is given.
pub(super) fn read_file(path: &Path, evidence: &mut Evidence) -> Result<(), LoadError> {
    let wrong = |source| LoadError::Defect { path: path.to_owned(), source: Box::new(source) };
    let proof = DefectProof::parse(&read(path)?).map_err(wrong)?;
    evidence.networks_carried.push(proof.network().bytes().to_vec());
    let found_in = path.display().to_string();
    evidence.proofs.push(FoundProof { proof, found_in });
    Ok(())
}

/// Reads the proofs that a node keeps about its own or a followed log.
pub(super) fn read_kept(data: &Data, evidence: &mut Evidence) -> Result<(), LoadError> {
    let folder = data.defects();
    if !folder.is_dir() {
        return Ok(());
    }
    for path in sorted_paths(&folder)? {
        if path.extension().is_none_or(|extension| extension != "defect") {
            continue;
        }
        match DefectProof::parse(&read(&path)?) {
            Ok(proof) => {
                let found_in = path.display().to_string();
                evidence.proofs.push(FoundProof { proof, found_in });
            }
            Err(error) => {
                let detail = format!("it is no whole defect proof: {}", chain(&error));
                evidence.defects.push(flaw(DefectKind::Damaged, &path, detail));
            }
        }
    }
    Ok(())
}

/// One byte more than a proof may have tells that it is too long.
fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let io = |source| LoadError::io(path, source);
    let mut bytes = Vec::new();
    let limit = DEFECT_BYTES_MAX as u64 + 1;
    File::open(path).map_err(io)?.take(limit).read_to_end(&mut bytes).map_err(io)?;
    Ok(bytes)
}
