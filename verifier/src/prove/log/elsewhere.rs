//! What a node found that its own log had signed elsewhere, against the tree that is here.
//!
//! Invariant: it says nothing before the log's signature on it holds, and nothing once the tree has
//! it: a log that was made whole again is whole.

use hallmark_schemas::note::{SignedNote, VerifierKey};

use super::{LogState, Note};
use crate::evidence::{Defect, DefectKind, FoundNote};

/// More was signed than is here.
const BEHIND: &str = "another process signed this log, on a copy of this folder or after this copy was \
                      made: stop it, then give `hallmark-node restore DIR --from-peers`; until then \
                      this node signs nothing";
/// Other was signed than is here.
const OTHER: &str = "this log was signed on two copies of the folder: stop both nodes, then give \
                     `hallmark-node restore DIR --from-peers`, which goes on with the tree that the \
                     witnesses cosigned; until then this node signs nothing";

impl LogState {
    pub(super) fn read_elsewhere(
        &self,
        FoundNote { bytes, found_in }: FoundNote,
        defects: &mut Vec<Defect>,
    ) -> Option<Note> {
        let note = SignedNote::parse(&bytes).ok();
        let read = note.and_then(|note| Some((note.checkpoint().ok()?, note)));
        let read = read.filter(|(checkpoint, _)| checkpoint.origin == self.origin);
        if read.is_none() {
            let detail = format!("{found_in}: it is no checkpoint of this log");
            defects.push(self.defect(DefectKind::Damaged, detail));
        }
        read.map(|(checkpoint, note)| Note { note, checkpoint, found_in })
    }

    pub(super) fn elsewhere_size(&self) -> Option<u64> {
        self.elsewhere.as_ref().map(|note| note.checkpoint.size)
    }

    pub(super) fn check_elsewhere(&self, key: &VerifierKey, defects: &mut Vec<Defect>) {
        let Some(Note { note, checkpoint, found_in }) = &self.elsewhere else { return };
        let size = checkpoint.size;
        if let Err(error) = note.checkpoint_of(key) {
            let detail = format!("{found_in}: checkpoint of size {size}: {error}");
            defects.push(self.defect(DefectKind::BadSignature, detail));
            return;
        }
        let (kind, remedy, detail) = match self.roots.get(&size) {
            Some(root) if *root == checkpoint.root => return,
            Some(_) => {
                let detail = format!("this log signed another tree of {size} entries elsewhere");
                (DefectKind::Split, OTHER, detail)
            }
            None => {
                let detail = format!("this log signed {size} entries elsewhere, fewer are here");
                (DefectKind::Withheld, BEHIND, detail)
            }
        };
        let detail = format!("{found_in}: {detail}");
        defects.push(Defect { remedy: Some(remedy), ..self.defect(kind, detail) });
    }
}
