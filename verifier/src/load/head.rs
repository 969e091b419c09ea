//! What a node last wrote of its own log: the two head slots in DIR and the last intent in DATA.
//!
//! Invariant: nothing here is believed or refused; a slot or intent that is missing or damaged
//! becomes a defect that names its file and what to do.

use std::path::Path;

use hallmark_schemas::head::Slot;
use hallmark_schemas::intent::Intent;
use hallmark_schemas::layout::{Data, Dir};

use super::LoadError;
use super::dir::{flaw, read_file};
use crate::evidence::{Defect, DefectKind, Evidence, OwnHead};

/// One slot is gone, the other is whole.
const ONE_SLOT: &str = "start the node, `hallmark-node run DIR`: it goes on from the other slot, and its next batches \
     write this one anew";
/// No slot is whole.
const NO_SLOT: &str = "put the folder `head` back as this machine last wrote it, or stop the node and \
                       give `hallmark-node restore DIR --from-peers`; until then it serves what it \
                       can prove and signs nothing";
/// The intent is missing or damaged.
const INTENT: &str = "start the node, `hallmark-node run DIR`: it goes on without the last intent and finds in the \
     packs what is missing";

/// Reads slots and intent of the node in `dir`, which keeps its data in `data`.
pub(super) fn read(dir: &Dir, data: &Data, evidence: &mut Evidence) -> Result<OwnHead, LoadError> {
    // The intent first: a running node writes it before the head that it leads to.
    let path = data.intent();
    let intent = match read_if_there(&path)?.map(|bytes| Intent::parse(&bytes)) {
        Some(Some(intent)) => Some((intent, path.display().to_string())),
        Some(None) => {
            let detail = "it holds no whole intent".to_owned();
            let defect = flaw(DefectKind::Damaged, &path, detail);
            evidence.defects.push(Defect { remedy: Some(INTENT), ..defect });
            None
        }
        None => None,
    };
    let mut slots: Vec<(Slot, String)> = Vec::new();
    let mut unfit = Vec::new();
    for path in dir.head_slots() {
        match read_if_there(&path)?.map(|bytes| Slot::parse(&bytes)) {
            Some(Some(slot)) => slots.push((slot, path.display().to_string())),
            Some(None) => {
                let detail = "the head slot is damaged".to_owned();
                unfit.push(flaw(DefectKind::Damaged, &path, detail));
            }
            None => {
                let detail = "the head slot is missing".to_owned();
                unfit.push(flaw(DefectKind::Withheld, &path, detail));
            }
        }
    }
    let remedy = Some(if slots.is_empty() { NO_SLOT } else { ONE_SLOT });
    evidence.defects.extend(unfit.into_iter().map(|defect| Defect { remedy, ..defect }));
    let slot = slots.into_iter().max_by_key(|(slot, _)| slot.sequence);
    // A log that never grew has none; asked again, because it may just have grown.
    let grew = slot.as_ref().is_some_and(|(slot, _)| 0 < slot.head.size);
    if grew && !data.intent().exists() {
        let defect = flaw(DefectKind::Withheld, &data.intent(), "it is missing".to_owned());
        evidence.defects.push(Defect { remedy: Some(INTENT), ..defect });
    }
    Ok(OwnHead { slot, intent })
}

fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, LoadError> {
    if path.exists() { read_file(path).map(Some) } else { Ok(None) }
}
