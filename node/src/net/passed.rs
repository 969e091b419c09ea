//! What of each log was passed on to the other peers.
//!
//! Invariants: a checkpoint is passed on only if it brings something: a larger tree than before,
//! another tree of the same size, or a later cosignature of a witness that the network file knows;
//! of each log and of the proofs against it no more is passed on than its share, whoever sends it.
//! So nobody can make a node that passes on what it may exceed what its peers let it send. What is
//! remembered is bounded by the members and [`TREES_MAX`]. No clock is read here.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use hallmark_schemas::defect::DEFECT_BYTES_MAX;
use hallmark_schemas::merkle::Hash;
use hallmark_schemas::note::{Checkpoint, SignedNote, VerifierKey};
use hallmark_schemas::time::Timestamp;

use super::allowance::{Bucket, Rate};

/// Checkpoints of one log: ten a second are the shortest batches.
pub(super) const CHECKPOINTS: Rate = Rate { per_second: 10.0, burst: 100.0 };
/// Their bytes: each could bear the cosignatures of some fifty witnesses.
pub(super) const CHECKPOINT_BYTES: Rate = Rate { per_second: 65_536.0, burst: 655_360.0 };
/// Proofs of one kind against one log: the first says all.
pub(super) const PROOFS: Rate = Rate { per_second: 0.05, burst: 4.0 };
/// Their bytes: the largest one, and then some.
pub(super) const PROOF_BYTES: Rate =
    Rate { per_second: 16_384.0, burst: (DEFECT_BYTES_MAX + (1 << 20)) as f64 };
/// Checkpoints of one log that are older than what was passed on and still looked at here.
const OLD: Rate = Rate { per_second: 1.0, burst: 10.0 };
/// Trees of one size of which the cosignatures are remembered; two already prove a fork.
const TREES_MAX: usize = 4;

/// What a checkpoint under its log's signature brings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Worth {
    /// Something new: it is taken in and passed on.
    News,
    /// An older tree, which may belie the newer one: it is taken in.
    Old,
    /// Nothing, or more than the share of its log.
    Nothing,
}

/// A tree, and the newest time that each witness stated for it.
struct Tree {
    root: Hash,
    cosigned: BTreeMap<VerifierKey, Timestamp>,
}

#[derive(Default)]
struct OfLog {
    size: u64,
    trees: Vec<Tree>,
    checkpoints: Bucket,
    checkpoint_bytes: Bucket,
    old: Bucket,
    /// Of each kind of proof.
    proofs: BTreeMap<&'static str, (Bucket, Bucket)>,
}

/// What was passed on, by the origins of logs. The origins are those of members.
#[derive(Default)]
pub(super) struct Passed {
    logs: Mutex<HashMap<String, OfLog>>,
}

impl Passed {
    /// What this note of so many bytes brings, whose log signed the checkpoint in it, where these
    /// witnesses count. If it is news, it counts as passed on.
    pub(super) fn checkpoint(
        &self,
        witnesses: &[&VerifierKey],
        note: &SignedNote,
        checkpoint: &Checkpoint,
        bytes: usize,
        now: Instant,
    ) -> Worth {
        let mut logs = self.lock();
        let of_log = logs.entry(checkpoint.origin.clone()).or_default();
        if checkpoint.size < of_log.size {
            return of_log.old(now);
        }
        let same_size = of_log.size == checkpoint.size;
        let known = of_log.trees.iter().position(|tree| same_size && tree.root == checkpoint.root);
        if known.is_none() && same_size && TREES_MAX <= of_log.trees.len() {
            return of_log.old(now);
        }
        let cosigned = cosigned(witnesses, note);
        let is_later = |tree: &Tree| {
            let mut signed = cosigned.iter();
            signed.any(|(key, at)| tree.cosigned.get(key).is_none_or(|before| before < at))
        };
        if known.is_some_and(|place| !is_later(&of_log.trees[place])) {
            return Worth::Nothing;
        }
        if !of_log.checkpoints.take(1.0, CHECKPOINTS, now)
            || !of_log.checkpoint_bytes.take(bytes as f64, CHECKPOINT_BYTES, now)
        {
            return Worth::Nothing;
        }
        if !same_size {
            of_log.size = checkpoint.size;
            of_log.trees.clear();
        }
        match known {
            Some(place) => of_log.trees[place].add(cosigned),
            None => of_log.trees.push(Tree { root: checkpoint.root, cosigned }),
        }
        Worth::News
    }

    /// Whether a proof of this kind against this log, of so many bytes, is within its share.
    pub(super) fn proof(
        &self,
        origin: &str,
        kind: &'static str,
        bytes: usize,
        now: Instant,
    ) -> bool {
        let mut logs = self.lock();
        let of_log = logs.entry(origin.to_owned()).or_default();
        let (proofs, of_bytes) = of_log.proofs.entry(kind).or_default();
        proofs.take(1.0, PROOFS, now) && of_bytes.take(bytes as f64, PROOF_BYTES, now)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, OfLog>> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OfLog {
    fn old(&mut self, now: Instant) -> Worth {
        if self.old.take(1.0, OLD, now) { Worth::Old } else { Worth::Nothing }
    }
}

impl Tree {
    fn add(&mut self, cosigned: BTreeMap<VerifierKey, Timestamp>) {
        for (key, at) in cosigned {
            let newest = self.cosigned.entry(key).or_insert(at);
            *newest = at.max(*newest);
        }
    }
}

/// Who of these has cosigned, and when. One with several lines, or with one that does not hold,
/// brings nothing.
fn cosigned(witnesses: &[&VerifierKey], note: &SignedNote) -> BTreeMap<VerifierKey, Timestamp> {
    let signed = |key: &VerifierKey| {
        let lines = note.signatures().iter().filter(|line| line.is_of(key)).count();
        if lines == 1 { note.signed_by(key).ok().flatten() } else { None }
    };
    witnesses.iter().filter_map(|key| Some(((*key).clone(), signed(key)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use hallmark_schemas::key::SecretKey;
    use hallmark_schemas::note::{NoteSignature, NoteSigner};

    use super::*;

    const ORIGIN: &str = "net/plant/1";

    fn witness(number: u8) -> NoteSigner {
        let key = Arc::new(SecretKey::from_seed([number; 32]));
        NoteSigner::witness(&format!("w{number}"), key).unwrap()
    }

    fn signed(size: u64, root: u8, cosigned: &[(&NoteSigner, u64)]) -> SignedNote {
        let log = NoteSigner::log(ORIGIN, Arc::new(SecretKey::from_seed([9; 32]))).unwrap();
        let text = Checkpoint::new(ORIGIN, size, [root; 32]).to_string();
        let mut note = SignedNote::unsigned(text.clone()).unwrap();
        note.add(log.sign(&text, Timestamp::EPOCH).unwrap());
        for (witness, second) in cosigned {
            let at = Timestamp::from_unix_ms(second * 1000);
            note.add(witness.sign(&text, at).unwrap());
        }
        note
    }

    fn junk(number: u32) -> NoteSignature {
        let signature = number.to_be_bytes().to_vec();
        NoteSignature { name: "junk".to_owned(), key_id: [0; 4], signature }
    }

    fn brings(passed: &Passed, note: &SignedNote, now: Instant) -> Worth {
        let (one, two) = (witness(1), witness(2));
        let checkpoint = note.checkpoint().unwrap();
        passed.checkpoint(&[one.vkey(), two.vkey()], note, &checkpoint, 500, now)
    }

    #[test]
    fn a_checkpoint_is_passed_on_once_and_again_only_with_what_a_known_witness_added() {
        let (passed, now) = (Passed::default(), Instant::now());
        let (one, two, stranger) = (witness(1), witness(2), witness(3));
        let brings = |note: &SignedNote| brings(&passed, note, now);
        assert_eq!(brings(&signed(5, 1, &[(&one, 100)])), Worth::News);
        assert_eq!(brings(&signed(5, 1, &[])), Worth::Nothing, "less");
        assert_eq!(brings(&signed(5, 1, &[(&one, 100), (&stranger, 100)])), Worth::Nothing);
        for number in 0..1000 {
            let mut note = signed(5, 1, &[(&one, 100)]);
            note.add(junk(number));
            assert_eq!(brings(&note), Worth::Nothing);
        }
        assert_eq!(brings(&signed(5, 1, &[(&two, 50)])), Worth::News);
        assert_eq!(brings(&signed(5, 1, &[(&one, 99), (&two, 50)])), Worth::Nothing, "earlier");
        assert_eq!(brings(&signed(5, 1, &[(&one, 101)])), Worth::News, "cosigned anew");
        assert_eq!(brings(&signed(5, 1, &[(&one, 102), (&one, 103)])), Worth::Nothing);
        assert_eq!(brings(&signed(4, 1, &[(&one, 104)])), Worth::Old);
        assert_eq!(brings(&signed(6, 1, &[])), Worth::News);
        assert_eq!(brings(&signed(6, 2, &[])), Worth::News, "a fork");
        assert_eq!(brings(&signed(6, 1, &[])), Worth::Nothing, "it does not hide the first");
        for root in 3..9 {
            let worth = if root <= 4 { Worth::News } else { Worth::Old };
            assert_eq!(brings(&signed(6, root, &[])), worth, "{root}");
        }
    }

    #[test]
    fn of_each_log_and_of_the_proofs_against_it_no_more_is_passed_on_than_its_share() {
        let (passed, now) = (Passed::default(), Instant::now());
        let later = now + Duration::from_secs(1);
        let news = |sizes: std::ops::Range<u64>, at| {
            let notes = sizes.map(|size| signed(size, 1, &[]));
            notes.filter(|note| brings(&passed, note, at) == Worth::News).count()
        };
        assert_eq!((news(1..300, now), news(300..600, later)), (100, 10));
        let old = (0..50).filter(|_| brings(&passed, &signed(1, 1, &[]), later) == Worth::Old);
        assert_eq!(old.count(), 10);
        let small = |kind| (0..50).filter(|_| passed.proof(ORIGIN, kind, 900, now)).count();
        assert_eq!((small("split"), small("shrink"), small("split")), (4, 4, 0));
        let large = (0..4).filter(|_| passed.proof("other", "split", DEFECT_BYTES_MAX, now));
        assert_eq!(large.count(), 1);
    }
}
