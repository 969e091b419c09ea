//! An idle log is cosigned anew: only signatures change, whatever happens meanwhile.

use hallmark_schemas::key::SecretKey;
use hallmark_schemas::policy::Witness;
use hallmark_schemas::time::Timestamp;

use super::*;
use crate::store::checkpoints::Checkpoints;

/// The instant so many seconds after the first.
fn later(seconds: i64) -> Timestamp {
    NOW.checked_add_ms(seconds * 1000).unwrap()
}

fn cosign(sequencer: &mut Sequencer, at: Timestamp) {
    let note = sequencer.shared.unsigned.borrow().clone().expect("somebody is asked");
    let mut note = (*note).clone();
    assert!(note.signatures().iter().all(|line| !line.is_of(witness().vkey())));
    note.add(witness().sign(note.text(), at).unwrap());
    sequencer.cosigned(&note).unwrap();
}

fn cosigned_at(sequencer: &Sequencer) -> Option<Timestamp> {
    sequencer.shared.published.borrow().as_ref().unwrap().cosigned_at
}

/// A log of two entries whose checkpoint was cosigned at [`NOW`].
fn published(disk: &SimDisk) -> Sequencer {
    let mut sequencer = started(disk, &Arc::default(), witnessed()).unwrap();
    sequencer.store(&Stock::new().candidates(0..2)).unwrap();
    sequencer.sequence(NOW).unwrap();
    cosign(&mut sequencer, NOW);
    sequencer
}

fn history(disk: &SimDisk) -> Vec<Vec<u8>> {
    let any: Arc<dyn Disk> = Arc::new(disk.clone());
    Checkpoints::new(any, &data().checkpoint(), &data().checkpoints()).history().unwrap()
}

fn time_of(sequencer: &Sequencer, index: u64) -> (Timestamp, Timestamp) {
    let entry = sequencer.shared.entry(index).unwrap();
    let time = sequencer.shared.read_times(|times| times.of(index, &entry)).unwrap();
    (time.lo, time.hi)
}

#[test]
fn a_renewal_dates_the_checkpoint_and_leaves_tree_history_and_times() {
    let disk = new_disk();
    let mut sequencer = published(&disk);
    let (before, time) = (history(&disk), time_of(&sequencer, 1));
    assert_eq!(cosigned_at(&sequencer), Some(NOW));
    sequencer.renew().unwrap();
    assert_eq!(cosigned_at(&sequencer), Some(NOW), "until a quorum has spoken");
    assert_eq!(sequencer.shared.signing(), Signing::Ready);
    cosign(&mut sequencer, later(3600));
    assert_eq!(cosigned_at(&sequencer), Some(later(3600)));
    assert!(sequencer.shared.unsigned.borrow().is_none(), "nobody is asked any more");
    assert_eq!(history(&disk), before);
    assert_eq!(time_of(&sequencer, 1), time);
    drop(sequencer);
    let again = started(&disk, &Arc::default(), witnessed()).unwrap();
    assert_eq!(cosigned_at(&again), Some(later(3600)), "after a start, too");
    assert_eq!(history(&disk), before);
    assert_eq!(time_of(&again, 1), time);
}

#[test]
fn a_batch_goes_before_a_renewal() {
    let mut sequencer = published(&new_disk());
    sequencer.renew().unwrap();
    let renewal = sequencer.shared.unsigned.borrow().clone().unwrap();
    sequencer.store(&Stock::new().candidates(2..3)).unwrap();
    sequencer.sequence(later(1)).unwrap();
    // The witness answers for the old tree, too late: that is no word about the new one.
    let mut late = (*renewal).clone();
    late.add(witness().sign(late.text(), later(2)).unwrap());
    sequencer.cosigned(&late).unwrap();
    assert_eq!(cosigned_at(&sequencer), Some(NOW));
    assert_eq!(sequencer.shared.published_size(), 2);
    sequencer.renew().unwrap();
    cosign(&mut sequencer, later(3));
    assert_eq!(sequencer.shared.published_size(), 3);
    assert_eq!(cosigned_at(&sequencer), Some(later(3)));
}

#[test]
fn a_wrong_word_renews_nothing() {
    let mut sequencer = published(&new_disk());
    sequencer.renew().unwrap();
    let note = sequencer.shared.unsigned.borrow().clone().unwrap();
    let mut wrong = (*note).clone();
    let mut signature = witness().sign(note.text(), later(9)).unwrap();
    signature.signature[3] ^= 1;
    wrong.add(signature);
    sequencer.cosigned(&wrong).unwrap();
    assert_eq!(cosigned_at(&sequencer), Some(NOW));
    cosign(&mut sequencer, later(9));
    assert_eq!(cosigned_at(&sequencer), Some(later(9)));
}

#[test]
fn nothing_is_renewed_without_witnesses_before_the_guard_or_after_its_refusal() {
    let disk = new_disk();
    let mut alone = started(&disk, &Arc::default(), Policy::none()).unwrap();
    alone.store(&Stock::new().candidates(0..1)).unwrap();
    alone.sequence(NOW).unwrap();
    alone.renew().unwrap();
    assert!(alone.shared.unsigned.borrow().is_none());
    let disk = new_disk();
    drop(published(&disk));
    let mut unguarded = open(&disk, &Arc::default(), witnessed()).unwrap();
    unguarded.catch_up().unwrap();
    unguarded.renew().unwrap();
    assert!(unguarded.shared.unsigned.borrow().is_none());
    unguarded.guard_satisfied().unwrap();
    unguarded.renew().unwrap();
    unguarded.guard_refused(refusal("a witness is ahead")).unwrap();
    assert!(unguarded.shared.unsigned.borrow().is_none());
}

#[test]
fn what_is_published_is_cosigned_by_the_witnesses_of_a_new_policy() {
    let mut sequencer = published(&new_disk());
    let signer: Arc<dyn hallmark_schemas::key::Signer> = Arc::new(SecretKey::from_seed([33; 32]));
    let other = NoteSigner::witness("v", signer).unwrap();
    let named = Witness { name: "v".to_owned(), key: other.vkey().clone(), url: None };
    sequencer.shared.set_policy(Policy::threshold(1, vec![named]).unwrap());
    sequencer.policy_changed().unwrap();
    let mut note = (*sequencer.shared.unsigned.borrow().clone().unwrap()).clone();
    note.add(other.sign(note.text(), later(5)).unwrap());
    sequencer.cosigned(&note).unwrap();
    assert_eq!(cosigned_at(&sequencer), Some(later(5)));
    sequencer.policy_changed().unwrap();
    assert!(sequencer.shared.unsigned.borrow().is_none(), "it is met");
}

#[test]
fn no_stop_of_a_renewal_forks_or_loses() {
    use Act::{Cosign, Renew, Sequence, StoreOne};
    let acts = [StoreOne, Sequence, Cosign, Renew, Cosign, Renew, StoreOne, Sequence, Cosign];
    for survives in [Survives::Everything, Survives::Synced, Survives::HalfOfUnsynced] {
        stop_everywhere(&acts, &witnessed(), survives, true);
    }
}

#[test]
fn times_that_old_witnesses_gave_count_after_a_start_under_a_new_policy() {
    let disk = new_disk();
    let sequencer = published(&disk);
    let (time, admitted_at) =
        (time_of(&sequencer, 1), sequencer.shared.entry(1).unwrap().admitted_at);
    drop(sequencer);
    let signer: Arc<dyn hallmark_schemas::key::Signer> = Arc::new(SecretKey::from_seed([34; 32]));
    let key = NoteSigner::witness("v", signer).unwrap().vkey().clone();
    let new = Policy::threshold(1, vec![Witness { name: "v".to_owned(), key, url: None }]).unwrap();
    let under = |former: Vec<Policy>| {
        let any: Arc<dyn Disk> = Arc::new(disk.clone());
        let shared = Arc::new(Shared::new(
            &origin(),
            Tiles::new(any.clone(), &data().log()),
            PackReader::new(any.clone(), &data().packs()),
            Catalogue::new(Arc::new(MemoryIndex::default())),
            Arc::new(Keys::new(KeyHistory::new(&network(Policy::none())))),
            new.clone(),
        ));
        shared.set_former(former);
        let signer = NoteSigner::log(&origin(), log_signer()).unwrap();
        time_of(&Sequencer::open(any, slots(), &data(), shared, signer).unwrap(), 1)
    };
    assert_eq!(under(vec![witnessed()]), time);
    assert_eq!(under(Vec::new()), (admitted_at, admitted_at), "else it is the log's own word");
}

#[test]
fn where_the_policy_names_nobody_the_own_witness_keeps_an_idle_log_fresh() {
    let disk = new_disk();
    let mut alone = started(&disk, &Arc::default(), Policy::none()).unwrap();
    alone.shared.set_own_witness(Some(witness().vkey().clone()));
    alone.store(&Stock::new().candidates(0..2)).unwrap();
    alone.sequence(NOW).unwrap();
    let (before, time) = (history(&disk), time_of(&alone, 1));
    assert_eq!(cosigned_at(&alone), None, "nobody was asked to record it");
    alone.renew().unwrap();
    let note = alone.shared.unsigned.borrow().clone().unwrap();
    let mut strange = (*note).clone();
    let stranger = Arc::new(SecretKey::from_seed([77; 32]));
    let stranger = NoteSigner::witness("sim/stranger", stranger).unwrap();
    strange.add(stranger.sign(note.text(), later(60)).unwrap());
    alone.cosigned(&strange).unwrap();
    assert_eq!(cosigned_at(&alone), None, "nobody else's word counts");
    cosign(&mut alone, later(3600));
    assert_eq!(cosigned_at(&alone), Some(later(3600)));
    assert_eq!(alone.shared.signing(), Signing::Ready);
    // What an entry's time is rests on the entry, as before.
    assert_eq!((history(&disk), time_of(&alone, 1)), (before, time));
}

#[test]
fn of_several_cosignatures_of_one_witness_the_newest_stays() {
    let other = NoteSigner::witness("o", Arc::new(SecretKey::from_seed([44; 32]))).unwrap();
    let named = |signer: &NoteSigner| {
        let key = signer.vkey().clone();
        Witness { name: key.name().to_owned(), key, url: None }
    };
    let both = Policy::threshold(2, vec![named(&witness()), named(&other)]).unwrap();
    let mut sequencer = started(&new_disk(), &Arc::default(), both).unwrap();
    sequencer.store(&Stock::new().candidates(0..2)).unwrap();
    sequencer.sequence(NOW).unwrap();
    let signed = sequencer.shared.unsigned.borrow().clone().unwrap();
    for (signer, seconds) in [(&witness(), 5), (&witness(), 9), (&witness(), 7), (&other, 8)] {
        let mut note = (*signed).clone();
        note.add(signer.sign(note.text(), later(seconds)).unwrap());
        sequencer.cosigned(&note).unwrap();
    }
    let published = sequencer.shared.published.borrow().clone().unwrap();
    assert_eq!(published.note.signatures().len(), 3, "the log's and one of each witness");
    let at = published.note.signed_by(witness().vkey()).unwrap();
    assert_eq!(at, Some(later(9)));
}
