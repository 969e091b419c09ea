//! Whether the history of checkpoints, which dates the entries, is whole.

use std::collections::BTreeSet;

use hallmark_schemas::entry::Entry;

use super::dated::Dated;
use super::{LogState, Note};
use crate::evidence::{Defect, DefectKind};
use crate::prove::network::Policies;

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

    /// A remark on checkpoints whose witnesses state an instant long before what was known then, and on
    /// who they are.
    pub(super) fn gone_back(&self, dated: &[Dated], policies: &Policies) -> Option<String> {
        let mut back = dated.iter().filter_map(|one| Some((one, one.went_back()?)));
        let (first, known) = back.next()?;
        let size = first.head.size;
        let notes = self.notes.iter().filter(|note| note.checkpoint.size == size);
        let stated = |Note { note, .. }: &Note| {
            let witnesses = policies.all().flat_map(|policy| policy.witnesses());
            let early = witnesses.filter(|witness| {
                let at = note.signed_by(&witness.key).ok().flatten();
                at.is_some_and(|at| at.is_incredible_after(known))
            });
            early.map(|witness| witness.name.clone()).collect::<Vec<_>>()
        };
        let names = BTreeSet::from_iter(notes.flat_map(stated));
        let names = Vec::from_iter(names).join(", ");
        let others = match back.count() {
            0 => String::new(),
            more => format!(", and {more} after it so too"),
        };
        Some(format!(
            "{}: the checkpoint of size {size} is cosigned at {} by {names}, though there was one of {known} before{others}: \
             what is under it counts as no earlier than what was there before",
            self.origin,
            first.stated_at()
        ))
    }
}
