//! The store as a whole, on a real disk with the real index and threads.

use std::sync::Arc;
use std::time::Duration;

use hallmark_schemas::attestation::{ContentId, Envelope, Refusal};
use hallmark_schemas::layout::{Data, Dir};
use hallmark_schemas::policy::Policy;
use hallmark_schemas::receipt::Receipt;
use hallmark_schemas::tile::TilePath;

use super::testing::{
    NOW, device, facility, log_signer, network, origin, readings, witness, witnessed,
};
use super::*;
use crate::admission::Admitted;

struct Place {
    root: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let place = Place { root: tempfile::tempdir().unwrap() };
        create(&place.dir(), &place.data(), &origin()).unwrap();
        place
    }

    fn dir(&self) -> Dir {
        Dir::new(self.root.path())
    }

    fn data(&self) -> Data {
        self.dir().data()
    }

    fn options(&self, policy: Policy) -> OpenOptions {
        OpenOptions {
            dir: self.dir(),
            data: self.data(),
            origin: origin(),
            log_signer: log_signer(),
            network: network(policy),
            regions: Vec::new(),
            engine: Engine::default(),
            batch_wait_max: Duration::from_millis(5),
            clock: Arc::new(|| NOW),
        }
    }

    async fn open(&self, policy: Policy) -> (Node, WriterThread) {
        let is_alone = policy.is_none();
        let (node, writer) = Node::open(self.options(policy)).unwrap();
        if is_alone {
            node.log().guard_satisfied();
        }
        while !node.log().index_ready() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (node, writer)
    }
}

fn stored(envelope: &Envelope) -> Vec<u8> {
    envelope.stored().to_vec()
}

fn facilities(count: u8) -> Vec<Vec<u8>> {
    (0..count).map(|number| stored(&facility(number, "plant", 0))).collect()
}

#[tokio::test]
async fn an_admitted_attestation_is_recorded_with_a_receipt_that_verifies() {
    let place = Place::new();
    let (node, writer) = place.open(Policy::none()).await;
    let answers = node.admit_many(facilities(200)).await;
    assert!(
        answers
            .iter()
            .all(|answer| { matches!(answer, Ok(Admitted::Stored { known: false, .. })) })
    );
    let id = facility(7, "plant", 0).id();
    let recorded = node.recorded(&id).await.unwrap();
    assert_eq!(recorded.index, 7);
    let receipt = Receipt::parse(&recorded.receipt).unwrap();
    let proved = receipt.verify(id, node.log().log_key(), &Policy::none()).unwrap();
    assert_eq!((proved.index, proved.entry), (7, recorded.entry));
    assert_eq!(node.body(&id).unwrap(), Some(stored(&facility(7, "plant", 0))));
    assert_eq!(node.places(&id).unwrap()[0].index, 7);
    let again = node.admit(stored(&facility(7, "plant", 0))).await.unwrap();
    assert_eq!(again, Admitted::Stored { id, known: true });
    let same = node.admit(stored(&facility(7, "plant", 9))).await.unwrap();
    assert_eq!(same, Admitted::Stored { id, known: true });
    let other = node.admit(stored(&facility(7, "mill", 0))).await;
    assert!(matches!(
        other,
        Err(AdmitError::Refused(Refusal::Contradicted { earlier, .. })) if earlier == id
    ));
    let unknown = node.recorded(&ContentId::of(b"nothing")).await;
    assert!(matches!(unknown, Err(AdmitError::Unknown { .. })));
    writer.stop();
    let stopped = node.admit(stored(&facility(201, "plant", 0))).await;
    assert!(matches!(stopped, Err(AdmitError::Stopped { .. })));
}

#[tokio::test]
async fn malformed_and_forged_attestations_are_refused_and_leave_no_trace() {
    let place = Place::new();
    let (node, writer) = place.open(Policy::none()).await;
    let good = stored(&facility(1, "plant", 0));
    let mut forged = good.clone();
    *forged.last_mut().unwrap() ^= 1;
    let answers = node.admit_many(vec![good[..40].to_vec(), forged, good]).await;
    assert!(matches!(&answers[0], Err(AdmitError::Refused(Refusal::Malformed(_)))));
    assert!(matches!(&answers[1], Err(AdmitError::Refused(Refusal::BadSignature(_)))));
    assert!(matches!(&answers[2], Ok(Admitted::Stored { known: false, .. })));
    writer.stop();
    assert_eq!(node.log().head().size, 1);
}

#[tokio::test]
async fn a_body_that_came_before_its_key_is_kept_over_a_restart_and_then_logged() {
    let place = Place::new();
    let reading = readings(1, 5);
    let id = reading.id();
    let (node, writer) = place.open(Policy::none()).await;
    let early = node.admit(stored(&reading)).await.unwrap();
    assert_eq!(early, Admitted::Deferred { id });
    assert_eq!(node.admit(stored(&reading)).await.unwrap(), early);
    assert_eq!(node.status().unwrap().deferred, 1);
    writer.stop();
    drop(node);
    let (node, writer) = reopened(&place).await;
    node.admit(stored(&device())).await.unwrap();
    while !node.log().holds(&id).unwrap() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(node.recorded(&id).await.unwrap().index, 1);
    while 0 < node.status().unwrap().deferred {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    writer.stop();
}

/// Opened again after the threads of the last run let go of the lock.
async fn reopened(place: &Place) -> (Node, WriterThread) {
    loop {
        match Node::open(place.options(Policy::none())) {
            Err(OpenError::Lock(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            other => {
                let (node, writer) = other.unwrap();
                node.log().guard_satisfied();
                while !node.log().index_ready() {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                return (node, writer);
            }
        }
    }
}

#[tokio::test]
async fn a_second_process_is_refused_and_a_second_creation_too() {
    let place = Place::new();
    let (_node, writer) = place.open(Policy::none()).await;
    assert!(matches!(Node::open(place.options(Policy::none())), Err(OpenError::Lock(_))));
    let again = create(&place.dir(), &place.data(), &origin());
    assert!(matches!(again, Err(OpenError::Head(HeadError::Exists { .. }))));
    writer.stop();
}

#[tokio::test]
async fn the_index_is_built_again_from_the_files_alone() {
    let place = Place::new();
    let (node, writer) = place.open(Policy::none()).await;
    node.admit_many(facilities(100)).await;
    let id = facility(42, "plant", 0).id();
    let before = node.recorded(&id).await.unwrap().index;
    writer.stop();
    drop(node);
    while discard_index(&place.dir(), &place.data()).is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (node, writer) = reopened(&place).await;
    assert_eq!(node.recorded(&id).await.unwrap().index, before);
    let other = node.admit(stored(&facility(42, "mill", 0))).await;
    assert!(matches!(other, Err(AdmitError::Refused(Refusal::Contradicted { .. }))));
    writer.stop();
}

#[tokio::test]
async fn nothing_is_recorded_before_guard_and_quorum_and_bodies_are_taken_meanwhile() {
    let place = Place::new();
    let (node, writer) = place.open(witnessed()).await;
    node.admit_many(facilities(3)).await;
    assert_eq!(node.log().signing(), Signing::WaitingForGuard);
    assert_eq!(node.log().head().size, 0);
    let mut unsigned = node.log().subscribe_unsigned();
    node.log().guard_satisfied();
    let note = unsigned.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    let id = facility(1, "plant", 0).id();
    assert_eq!(node.log().receipt(&id).unwrap(), None);
    node.admit(stored(&facility(9, "plant", 0))).await.unwrap();
    let mut cosigned = (*note).clone();
    cosigned.add(witness().sign(note.text(), NOW).unwrap());
    node.log().cosigned(cosigned);
    assert!(node.recorded(&id).await.is_ok());
    writer.stop();
}

#[tokio::test]
async fn a_log_without_its_head_is_served_read_only_and_says_why() {
    let place = Place::new();
    let (node, writer) = place.open(Policy::none()).await;
    node.admit_many(facilities(3)).await;
    let id = facility(1, "plant", 0).id();
    node.recorded(&id).await.unwrap();
    writer.stop();
    drop(node);
    let slots = place.dir().head_slots();
    slots.iter().for_each(|slot| std::fs::remove_file(slot).unwrap());
    let opened = loop {
        match Node::open(place.options(Policy::none())) {
            Err(OpenError::Lock(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            other => break other.unwrap(),
        }
    };
    let (node, writer) = opened;
    let refused = node.admit(stored(&facility(5, "plant", 0))).await;
    match refused {
        Err(AdmitError::ReadOnly { cause, help }) => {
            assert!(cause.starts_with("no head in"), "{cause}");
            assert!(help.contains("head"), "{help}");
        }
        other => panic!("{other:?}"),
    }
    while !node.log().index_ready() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(node.log().body(&id).unwrap().is_some());
    let (published, status) = (node.log().published().unwrap(), node.status().unwrap());
    assert_eq!((published.head.size, status.head_size, status.published_size), (3, 3, 3));
    let receipt = Receipt::parse(&node.log().receipt(&id).unwrap().unwrap()).unwrap();
    assert!(receipt.verify(id, node.log().log_key(), &Policy::none()).is_ok());
    assert_eq!(node.places(&id).unwrap().len(), 1);
    let tile = TilePath::Entries { index: 0, width: 3 };
    assert!(node.log().tile(&tile).unwrap().is_some());
    writer.stop();
}

#[tokio::test]
async fn an_old_copy_serves_what_it_proves_with_an_index_of_its_own() {
    let place = Place::new();
    let (node, writer) = place.open(Policy::none()).await;
    node.admit_many(facilities(3)).await;
    let id = facility(1, "plant", 0).id();
    node.recorded(&id).await.unwrap();
    writer.stop();
    drop(node);
    let old = tempfile::tempdir().unwrap();
    let data = place.data();
    let keep = ["log", "packs", "intent", "checkpoints"];
    keep.iter().for_each(|name| copy(&data.path().join(name), &old.path().join(name)));
    let (node, writer) = reopened(&place).await;
    let late = facility(7, "plant", 0);
    node.admit(stored(&late)).await.unwrap();
    assert_eq!(node.recorded(&late.id()).await.unwrap().index, 3);
    writer.stop();
    drop(node);
    // The old files beside the index of the newer ones.
    for name in ["log", "packs"] {
        std::fs::remove_dir_all(data.path().join(name)).unwrap();
    }
    keep.iter().for_each(|name| copy(&old.path().join(name), &data.path().join(name)));
    let (node, writer) = reopened(&place).await;
    assert!(
        matches!(node.log().signing(), Signing::ReadOnly { cause, .. } if cause.contains("older"))
    );
    assert_eq!(node.log().published().unwrap().head.size, 3);
    assert!(node.body(&id).unwrap().is_some());
    assert!(node.log().receipt(&id).unwrap().is_some());
    assert_eq!(node.log().index_of(&late.id()).unwrap(), None);
    assert_eq!(node.body(&late.id()).unwrap(), None);
    let refused = node.admit(stored(&facility(8, "plant", 0))).await;
    assert!(matches!(refused, Err(AdmitError::ReadOnly { .. })));
    node.log().guard_satisfied();
    writer.stop();
    assert_eq!(node.log().published().unwrap().head.size, 3, "nothing was signed");
}

/// Copies a file or folder.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::copy(from, to).unwrap();
    }
}
