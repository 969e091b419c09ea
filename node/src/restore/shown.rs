//! What of a log that is being made whole may be shown to whoever cosigns what it is shown.
//!
//! Invariant: nothing of it can fork: a quorum has cosigned it, or this machine has published it.

use hallmark_schemas::head::Head;
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::note::SignedNote;

use super::{Recovery, RestoreError, Tree};

impl Recovery {
    /// The newest checkpoint that a quorum cosigned or this machine published: whoever is shown it is
    /// shown nothing that could fork.
    pub(crate) fn shown(&self) -> Option<&SignedNote> {
        let is_published = |tree: &Tree, note: &SignedNote| {
            self.own.contains(tree) || matches!(self.policy.quorum_met(note), Ok(Some(_)))
        };
        let mut newest = self.notes.iter().rev();
        newest.find(|(tree, note)| is_published(tree, note)).map(|(_, note)| note)
    }

    /// Every checkpoint of this size that is known.
    pub(crate) fn of_size(&self, size: u64) -> impl Iterator<Item = &SignedNote> {
        self.notes
            .range((size, Hash::default())..)
            .take_while(move |(tree, _)| tree.0 == size)
            .map(|(_, note)| note)
    }

    /// That this tree begins with its first `old` entries; `None` if it is not here.
    pub(crate) fn proof_within(
        &self,
        old: u64,
        head: Head,
    ) -> Result<Option<Vec<Hash>>, RestoreError> {
        if !self.is_here(head)? {
            return Ok(None);
        }
        Ok(Some(self.tiles.consistency(old, head.size, self.floor)?))
    }
}
