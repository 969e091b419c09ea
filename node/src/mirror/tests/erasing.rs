//! What the organisation of a log erased, in the copies of it.

use super::*;
use crate::core::testing::{erasure, erasure_by};

/// A log of three records and the erasure of the second.
fn with_erasure(by: Option<&SecretKey>) -> (Source, ContentId) {
    let mut bodies: Vec<Envelope> = (0..3).map(|number| facility(number, "plant", 0)).collect();
    let target = bodies[1].id();
    bodies.push(by.map_or_else(|| erasure(target), |key| erasure_by(target, key)));
    (Source::new(bodies), target)
}

#[test]
fn what_the_organisation_of_a_log_erased_is_erased_in_the_copy_in_whatever_order_it_comes() {
    let (source, target) = with_erasure(None);
    for order in [[0, 1, 2, 3], [1, 3, 0, 2], [3, 1, 0, 2], [3, 0, 2, 1]] {
        let (disk, index) = (SimDisk::default(), Arc::default());
        let log = follow(&disk, &index).unwrap();
        source.feed(&log, 4).unwrap();
        for at in order {
            log.put_bodies(&source.bodies[at..at + 1]).unwrap();
        }
        let erased = |log: &Arc<MirroredLog>| {
            assert_eq!(log.body(&target).unwrap(), None, "{order:?}");
            assert!(log.wanted(0, 9).unwrap().is_empty(), "{order:?}");
            assert!(log.catalogue.erased(log.log, &target).unwrap().unwrap().done);
            for other in [0, 2, 3] {
                let id = ContentId::of(&source.bodies[other]);
                assert!(log.body(&id).unwrap().is_some(), "{other} of {order:?}");
            }
            for path in disk.paths() {
                let bytes = disk.bytes(&path).unwrap();
                let body = &source.bodies[1];
                assert!(!bytes.windows(body.len()).any(|part| part == body), "{path:?}");
            }
        };
        erased(&log);
        drop(log);
        // A start that reads the files alone, and one with its index.
        erased(&follow(&disk, &Arc::default()).unwrap());
        erased(&follow(&disk, &index).unwrap());
    }
}

#[test]
fn nobody_else_erases_in_a_copy() {
    let (source, target) = with_erasure(Some(&SecretKey::from_seed([77; 32])));
    let log = started(&SimDisk::default());
    source.feed(&log, 4).unwrap();
    log.put_bodies(&source.bodies).unwrap();
    assert!(log.body(&target).unwrap().is_some());
    assert!(!log.catalogue.erased(log.log, &target).unwrap().unwrap().done);
}
