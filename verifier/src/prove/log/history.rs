//! Whether the history of checkpoints, which dates the entries, is whole.

use std::collections::BTreeSet;

use hallmark_schemas::entry::Entry;

use super::LogState;
use crate::evidence::{Defect, DefectKind};

/// Checkpoints are not there.
const LOST_HISTORY: &str = "put the file `checkpoints` back from a copy of DATA, as `hallmark-node \
                            backup DIR SAVED` makes one; until then entries are dated by later \
                            checkpoints alone";

impl LogState {
    /// A node publishes each batch before it makes the next, and a batch has one time: entries of
    /// two times under no checkpoint of their own show that the history has lost one.
    pub(super) fn check_history(&mut self, defects: &mut Vec<Defect>) {
        let sizes: BTreeSet<u64> = self.notes.iter().map(|note| note.checkpoint.size).collect();
        let newest = self.size();
        let two_batches = |pair: &&[(u64, Entry)]| {
            let [(before, one), (index, other)] = pair else { return false };
            before + 1 == *index && one.admitted_at != other.admitted_at && !sizes.contains(index)
        };
        let lost = self.entries.windows(2).filter(two_batches).map(|pair| pair[1].0);
        let lost = lost.filter(|size| *size < newest);
        let is_known = |size: &u64| self.restored.iter().any(|range| range.contains(size));
        let (known, lost): (Vec<u64>, Vec<u64>) = lost.partition(is_known);
        self.checkpoints_lost = known.len();
        let (Some(first), count) = (lost.first(), lost.len()) else {
            return;
        };
        let detail = format!(
            "the history of checkpoints lacks {count}, the first of size {first}: entry times rest \
             on them"
        );
        let defect = self.defect(DefectKind::Withheld, detail);
        defects.push(Defect { remedy: Some(LOST_HISTORY), ..defect });
    }

    /// A remark on those that are known to be lost.
    pub(super) fn lost_history(&self) -> Option<String> {
        (self.checkpoints_lost != 0).then(|| {
            format!(
                "{}: {} checkpoints were lost before this log was restored; the entries under them \
                 are dated by later ones",
                self.origin, self.checkpoints_lost
            )
        })
    }
}
