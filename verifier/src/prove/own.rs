//! The head that a node keeps of its own log, against the log itself.
//!
//! Invariants: a head that says more than the files hold makes the evidence incomplete, one that
//! says other or less contradicts it; a running node may have sequenced what is not published yet.

use hallmark_schemas::head::Head;

use super::log::LogState;
use super::tree::Tree;
use crate::evidence::{Defect, DefectKind, OwnHead};

/// The head is not this log's newest.
const PUT_BACK_HEAD: &str = "put the folder `head` back as this machine last wrote it, or stop the \
                             node and give `hallmark-node restore DIR --from-peers`; until then it \
                             serves what it can prove and signs nothing";
/// DATA is not the newest.
const PUT_BACK_DATA: &str = "stop the node and give `hallmark-node restore DIR --from-peers`; until \
                             then it serves what it can prove and signs nothing";

/// Entries that the node has sequenced, by its head.
pub(super) fn size(own: &OwnHead) -> Option<u64> {
    own.slot.as_ref().map(|(slot, _)| slot.head.size)
}

/// Sizes whose roots [`check`] asks for.
pub(super) fn sizes(own: &OwnHead) -> Vec<u64> {
    let intent = own.intent.iter().flat_map(|(intent, _)| [intent.from.size, intent.to.size]);
    size(own).into_iter().chain(intent).collect()
}

/// Holds head and last intent against the tree.
pub(super) fn check(log: &LogState, own: &OwnHead, tree: &Tree, defects: &mut Vec<Defect>) {
    let known = tree.leaves.len() as u64;
    let mut tell = |kind, remedy, detail: String| {
        defects.push(Defect { remedy: Some(remedy), ..log.defect(kind, detail) });
    };
    // Where the files do not give what was signed, it is they that are wrong.
    let is_other =
        |head: Head| tree.holds && log.roots.get(&head.size).is_some_and(|root| *root != head.root);
    let published = log.size();
    let Some((slot, path)) = &own.slot else {
        return;
    };
    let head = slot.head;
    if !slot.is_of(&log.origin) {
        tell(DefectKind::BadProof, PUT_BACK_HEAD, format!("{path}: the head is of another log"));
        return;
    }
    // A start carries out the last intent again: a lost newer slot costs nothing then.
    let intended = own.intent.iter().find(|(intent, _)| intent.from == head);
    let reached = intended.map_or(head, |(intent, _)| intent.to);
    if reached.size < published {
        let detail = format!(
            "{path}: the head has {} entries, the published checkpoint {published}",
            head.size
        );
        tell(DefectKind::BadProof, PUT_BACK_HEAD, detail);
    } else if is_other(head) {
        let detail =
            format!("{path}: the head has another root for size {} than the tiles", head.size);
        tell(DefectKind::BadProof, PUT_BACK_HEAD, detail);
    } else if known < head.size && log.holes.is_empty() {
        let detail = format!("{path}: the head has {} entries, DATA only {known}", head.size);
        tell(DefectKind::Withheld, PUT_BACK_DATA, detail);
    }
    let Some((intent, path)) = &own.intent else {
        return;
    };
    let led = intent.to.size <= head.size && is_other(intent.to);
    if is_other(intent.from) || led {
        let detail = format!("{path}: the last intent is of another tree than the tiles");
        tell(DefectKind::BadProof, PUT_BACK_DATA, detail);
    } else if head.size < intent.from.size {
        let detail = format!(
            "{path}: the last intent starts from {} entries, the head has {}",
            intent.from.size, head.size
        );
        tell(DefectKind::BadProof, PUT_BACK_HEAD, detail);
    }
}
