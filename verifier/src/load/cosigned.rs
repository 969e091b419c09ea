//! What the witness of a node notes of the logs that it cosigned, beside the head.
//!
//! Invariant: nothing here is believed or refused; a file that is missing or damaged, or a log that is
//! noted and of which nothing is here, becomes a defect that names its file and what to do.

use std::collections::BTreeSet;
use std::path::Path;

use hallmark_schemas::cosigned::{self, NAME, STRANGERS};
use hallmark_schemas::hex;
use hallmark_schemas::layout::{Dir, peer_name};
use hallmark_schemas::note::SignedNote;

use super::LoadError;
use super::dir::{flaw, read_file, sorted_paths};
use crate::evidence::{Defect, DefectKind, Evidence};

/// What the witness noted is not to be relied on.
const ASKED: &str = "start the node, `hallmark-node run DIR`: its witness asks the others what they hold, and cosigns \
                     what it may have forgotten only then";

/// Reads what is noted in the folder of the node.
pub(super) fn read(dir: &Dir, evidence: &mut Evidence) -> Result<(), LoadError> {
    let folder = dir.witness_memory();
    let path = folder.join(NAME);
    // A running node notes a log before it writes the first checkpoint of it: looked at once more.
    let found = match wrong(&folder, &path)? {
        Some(_) => wrong(&folder, &path)?,
        None => None,
    };
    if let Some((kind, detail)) = found {
        evidence.defects.push(Defect { remedy: Some(ASKED), ..flaw(kind, &path, detail) });
    }
    Ok(())
}

/// What is wrong with the file, or with what lies beside it.
fn wrong(folder: &Path, path: &Path) -> Result<Option<(DefectKind, String)>, LoadError> {
    if !path.is_file() {
        let detail = "the witness's note of what it cosigned is missing".to_owned();
        return Ok(Some((DefectKind::Withheld, detail)));
    }
    let damaged = |detail| Ok(Some((DefectKind::Damaged, detail)));
    let Some(logs) = cosigned::parse(&read_file(path)?) else {
        return damaged("the witness's note of what it cosigned is damaged".to_owned());
    };
    let noted: BTreeSet<&str> = logs.iter().map(|(name, _)| name.as_str()).collect();
    let mut here = BTreeSet::new();
    for path in sorted_paths(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if hex::decode_array::<32>(&name).is_none() {
            continue;
        }
        let note = SignedNote::parse(&read_file(&path)?).ok();
        let checkpoint = note.and_then(|note| note.checkpoint().ok());
        if checkpoint.is_none_or(|checkpoint| peer_name(&checkpoint.origin) != name) {
            return damaged(format!("{name} beside it holds no checkpoint of that log"));
        }
        here.insert(name);
    }
    if let Some(name) = here.iter().find(|name| !noted.contains(name.as_str())) {
        return damaged(format!("it does not note {name}, of which the witness has a checkpoint"));
    }
    let is_lost = |(name, is_doubted): &&(String, bool)| {
        !is_doubted && name != STRANGERS && !here.contains(name)
    };
    Ok(logs.iter().find(is_lost).map(|(name, _)| {
        let detail = format!("it notes {name}, of which the witness has no checkpoint");
        (DefectKind::Withheld, detail)
    }))
}
