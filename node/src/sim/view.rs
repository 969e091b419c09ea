//! What an onlooker sees of a simulated node: heads, notes, entries, bodies, sizes of queues.

use std::ops::Range;
use std::sync::Arc;

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::entry::Entry;
use hallmark_schemas::head::Head;
use hallmark_schemas::note::{SignedNote, VerifierKey};

use super::{Call, SimNode};
use crate::core::{Published, Recorded, Signing};
use crate::witness::Seen;

/// What is held of another's log.
pub struct CopyView {
    /// The log.
    pub origin: String,
    /// The tree that is here.
    pub head: Head,
    /// Bodies remembered as not given.
    pub lacking: usize,
    /// Entries in memory that are not written yet.
    pub unwritten: usize,
}

impl SimNode {
    /// The own log's newest checkpoint.
    pub fn published(&self) -> Option<Published> {
        self.log.published()
    }

    /// The own signed checkpoint that waits for its quorum.
    pub fn unsigned(&self) -> Option<Arc<SignedNote>> {
        self.shared.unsigned.borrow().clone()
    }

    /// The own sequenced tree.
    pub fn head(&self) -> Head {
        self.log.head()
    }

    /// Entries of it.
    pub fn entries(&self, range: Range<u64>) -> Result<Vec<Entry>, String> {
        self.log.entries(range).map_err(|error| error.to_string())
    }

    /// A body of the own log.
    pub fn body(&self, id: &ContentId) -> Result<Option<Vec<u8>>, String> {
        self.log.body(id).map_err(|error| error.to_string())
    }

    /// Where an attestation is recorded, with its receipt.
    pub fn recorded(&self, id: &ContentId) -> Result<Option<Recorded>, String> {
        self.log.recorded(id).map_err(|error| error.to_string())
    }

    /// Why the process must end, if so.
    pub fn stopped(&self) -> Option<String> {
        self.shared.stopped.borrow().clone()
    }

    /// Whether it signs.
    pub fn signing(&self) -> Signing {
        self.log.signing()
    }

    /// Whether the disk had no room when last asked.
    pub fn is_full(&self) -> bool {
        self.shared.full()
    }

    /// How many attestations wait for their key, and their bytes.
    pub fn deferred(&self) -> (u64, u64) {
        self.deferred.count()
    }

    /// Whether one of them waits for its key.
    pub fn defers(&self, id: &ContentId) -> bool {
        self.deferred.holds(id)
    }

    /// The copies of other logs.
    pub fn copies(&self) -> Vec<CopyView> {
        let view = |(origin, one): (&String, &super::Followed)| {
            let log = one.follower.log();
            CopyView {
                origin: origin.clone(),
                head: log.head(),
                lacking: one.follower.lacking_count(),
                unwritten: one.follower.unwritten(),
            }
        };
        self.followed.iter().map(view).collect()
    }

    /// Bodies that are missing in a copy, counted to 100.
    pub fn wanted(&self, origin: &str) -> usize {
        let one = self.followed.get(origin);
        one.map_or(0, |one| one.follower.log().wanted_count(100).unwrap_or(100))
    }

    /// Defect proofs against a followed log.
    pub fn defects(&self, origin: &str) -> usize {
        let defects = self.followed.get(origin).map(|one| one.follower.log().defects());
        defects.and_then(Result::ok).map_or(0, |defects| defects.len())
    }

    /// Entries of a copy.
    pub fn copy_entries(&self, origin: &str, range: Range<u64>) -> Result<Vec<Entry>, String> {
        let one = self.followed.get(origin).ok_or("no such log")?;
        one.follower.log().entries(range).map_err(|error| error.to_string())
    }

    /// A body of a copy.
    pub fn copy_body(&self, origin: &str, id: &ContentId) -> Result<Option<Vec<u8>>, String> {
        let one = self.followed.get(origin).ok_or("no such log")?;
        one.follower.log().body(id).map_err(|error| error.to_string())
    }

    /// What the own witness last cosigned of a log.
    pub fn witnessed(&self, origin: &str) -> Option<Seen> {
        self.witness.seen(&hallmark_schemas::layout::peer_name(origin))
    }

    /// Whether the own witness may have forgotten what it cosigned of a log.
    pub fn doubts(&self, origin: &str) -> bool {
        !self.witness.in_doubt([origin]).is_empty()
    }

    /// Whether it still waits for the answer to this request.
    pub fn awaits(&self, call: &Call, number: u64) -> bool {
        self.calls.get(call) == Some(&number)
    }

    /// The key of the own witness.
    pub fn witness_key(&self) -> &VerifierKey {
        self.witness.vkey()
    }
}
