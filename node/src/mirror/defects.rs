//! Defect proofs about a followed log, made where the defect is met and kept beside its copy.
//!
//! Invariants: what is kept has been verified as a stranger would; a proof is written once, whole; of
//! each kind so many are kept and no more, however many a log offers.

use std::path::PathBuf;

use hallmark_schemas::attestation::Envelope;
use hallmark_schemas::defect::{
    Claim, Cosigned, DefectProof, TimesBack, TreeEntry, TwoTrees, cosigned_by,
};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::note::SignedNote;

use super::MirroredLog;
use crate::store::StoreError;
use crate::store::disk::OnPath;

/// Most proofs of one kind about one log: one is enough, more show that it goes on.
const KEPT_MAX: usize = 16;

impl MirroredLog {
    /// The files of the defect proofs about this log.
    pub fn defects(&self) -> Result<Vec<PathBuf>, StoreError> {
        let dir = self.data.defects();
        let names = self.disk.list(&dir).on("list", &dir)?;
        let named = names.into_iter().filter(|name| name.ends_with(".defect"));
        Ok(named.map(|name| dir.join(name)).collect())
    }

    /// The proofs themselves; one that cannot be read is told of and left out.
    pub fn defect_proofs(&self) -> Result<Vec<DefectProof>, StoreError> {
        let mut proofs = Vec::new();
        for path in self.defects()? {
            let bytes = self.disk.read(&path).on("read", &path)?.unwrap_or_default();
            match DefectProof::parse(&bytes) {
                Ok(proof) => proofs.push(proof),
                Err(error) => {
                    let path = path.display();
                    tracing::warn!(%path, %error, "a kept defect proof is damaged");
                }
            }
        }
        Ok(proofs)
    }

    /// What each of them shows, in one sentence.
    pub fn shown_defects(&self) -> Vec<String> {
        self.lock().shown.clone()
    }

    /// Verifies what is kept, once at the start.
    pub(super) fn read_defects(&self) -> Result<(), StoreError> {
        let shown: Vec<_> = self.defect_proofs()?.iter().map(sentence).collect();
        self.lock().shown = shown;
        Ok(())
    }

    /// Keeps the proof of a claim; `None` if the claim shows nothing, or enough are kept.
    pub fn keep_defect(&self, claim: Claim) -> Result<Option<PathBuf>, StoreError> {
        let network = self.lock().network.clone();
        let word = claim.word();
        let proof = match DefectProof::new(&network, claim) {
            Ok(proof) => proof,
            Err(error) => {
                tracing::debug!(origin = self.origin(), word, %error, "nothing is proved");
                return Ok(None);
            }
        };
        let dir = self.data.defects();
        let name = format!("{word}-{}.defect", proof.digest());
        let path = dir.join(&name);
        let kept = self.disk.list(&dir).on("list", &dir)?;
        if kept.contains(&name) {
            return Ok(Some(path));
        }
        let begin = format!("{word}-");
        if KEPT_MAX <= kept.iter().filter(|name| name.starts_with(&begin)).count() {
            return Ok(None);
        }
        self.disk.create_dir_all(&dir).on("make", &dir)?;
        self.disk.replace(&path, proof.bytes()).on("write", &path)?;
        self.lock().shown.push(sentence(&proof));
        tracing::error!(origin = self.origin(), word, %name, "proved a defect of a followed log");
        Ok(Some(path))
    }

    /// Keeps what two notes prove that do not fit: against the log, and against each witness that
    /// cosigned both. `link` is given for two sizes, the smaller tree first.
    pub fn keep_split(
        &self,
        notes: [&SignedNote; 2],
        link: Option<(Hash, &[Hash])>,
    ) -> Result<Option<PathBuf>, StoreError> {
        let network = self.lock().network.clone();
        for witness in cosigned_by(&network, notes[0], notes[1]) {
            let trees = TwoTrees::new(witness, notes, link);
            let witness = witness.clone();
            self.keep_defect(Claim::BadCosignature(Box::new(Cosigned { witness, trees })))?;
        }
        self.keep_defect(Claim::Split(TwoTrees::new(self.log_key(), notes, link)))
    }

    /// A note of another history: `prefix` is the root that our tree has at its size.
    pub(super) fn keep_other_history(
        &self,
        ours: &SignedNote,
        theirs: &SignedNote,
        prefix: Hash,
    ) -> Result<Option<PathBuf>, StoreError> {
        let (Ok(large), Ok(small)) = (ours.checkpoint(), theirs.checkpoint()) else {
            return Ok(None);
        };
        if small.size == large.size {
            return self.keep_split([ours, theirs], None);
        }
        let path = self.consistency_proof(small.size, large.size)?;
        self.keep_split([theirs, ours], Some((prefix, &path)))
    }

    /// Keeps a proof against each witness that cosigned a smaller tree after ours.
    pub(super) fn keep_witnesses_gone_back(
        &self,
        ours: &SignedNote,
        smaller: &SignedNote,
    ) -> Result<(), StoreError> {
        let network = self.lock().network.clone();
        for witness in cosigned_by(&network, ours, smaller) {
            let trees = TwoTrees::new(witness, [ours, smaller], None);
            let witness = witness.clone();
            self.keep_defect(Claim::BadCosignature(Box::new(Cosigned { witness, trees })))?;
        }
        Ok(())
    }

    /// Keeps the proof that a later entry was admitted earlier, in the tree that is here.
    pub(super) fn keep_times_back(&self, (earlier, later): (u64, u64)) -> Result<(), StoreError> {
        let (size, Some(note)) = (self.head().size, self.checkpoint()) else {
            return Ok(());
        };
        let place = |index: u64| -> Result<TreeEntry, StoreError> {
            let entry: Entry = self.entries(index..index + 1)?[0];
            Ok(TreeEntry::new(&entry, index, &self.inclusion_proof(index, size)?))
        };
        let (earlier, later) = (place(earlier)?, place(later)?);
        self.keep_defect(Claim::Shrink(TimesBack::new(self.log_key(), &note, earlier, later)))?;
        Ok(())
    }

    /// The note to which the copy did not grow, once.
    pub(crate) fn take_suspect(&self) -> Option<SignedNote> {
        self.lock().suspect.take()
    }

    /// Entries whose keys had ended before, each once.
    pub(crate) fn take_late_keys(&self) -> Vec<u64> {
        std::mem::take(&mut self.lock().late_keys)
    }

    /// Notes that what was served does not lead to this note, unless that is known.
    pub(super) fn suspect(&self, note: &SignedNote) {
        let mut state = self.lock();
        if state.suspected.as_deref() != Some(note.text()) {
            state.suspected = Some(note.text().to_owned());
            state.suspect = Some(note.clone());
        }
    }

    /// Notes a body whose key had ended before it was recorded.
    pub(super) fn look_at_key(&self, index: u64, body: &[u8]) -> Result<(), StoreError> {
        if !self.keys.any_ended() {
            return Ok(());
        }
        let (Ok(envelope), Some(time)) = (Envelope::parse(body), self.entry_time(index)?) else {
            return Ok(());
        };
        let kid = envelope.signer();
        let ended = self.keys.read(|keys| keys.ended(&kid).map(|(_, _, end)| end.hi));
        let mut state = self.lock();
        if ended.is_some_and(|end| end < time.lo) && state.late_keys.len() < KEPT_MAX {
            state.late_keys.push(index);
        }
        Ok(())
    }
}

fn sentence(proof: &DefectProof) -> String {
    let word = proof.claim().word();
    match proof.verify() {
        Ok(shown) => format!("{word}: {}", shown.sentence),
        Err(error) => format!("{word}: does not hold: {error}"),
    }
}
