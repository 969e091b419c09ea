//! When the writer lets a batch go, as `pace.rs` says, with everything that can be in its way.

use std::time::Duration;

use super::faults::{now, patient_writer};
use super::*;
use crate::sequencer::writing::{Event, Writer};

const WAIT: Duration = Duration::from_secs(1);

fn open_writer(policy: Policy) -> (Writer<usize>, Arc<Shared>) {
    let disk = new_disk();
    let sequencer = open(&disk, &Arc::default(), policy).unwrap();
    let shared = sequencer.shared.clone();
    (patient_writer(&disk, sequencer, WAIT), shared)
}

fn hand_in(writer: &mut Writer<usize>, at_ms: u64, candidates: Vec<Candidate>) {
    writer.step(now(at_ms), Event::Store { candidates, ticket: 0 }).unwrap();
    assert!(writer.step(now(at_ms), Event::Drained).unwrap()[0].answer.is_ok());
}

#[test]
fn one_attestation_is_in_the_tree_after_the_linger_and_the_writer_wakes_for_it() {
    let stock = Stock::new();
    let (mut writer, shared) = open_writer(Policy::none());
    hand_in(&mut writer, 5_000, stock.candidates(0..1));
    assert_eq!(writer.idle(now(5_000)), Duration::from_millis(10));
    writer.step(now(5_009), Event::Tick).unwrap();
    assert_eq!(shared.published_size(), 0);
    writer.step(now(5_010), Event::Tick).unwrap();
    assert_eq!(shared.published_size(), 1);
    assert!(WAIT < writer.idle(now(5_010)), "nothing waits");
}

#[test]
fn what_waited_behind_an_unpublished_checkpoint_goes_as_soon_as_that_is_cosigned() {
    let stock = Stock::new();
    let (mut writer, shared) = open_writer(witnessed());
    hand_in(&mut writer, 5_000, stock.candidates(0..1));
    writer.step(now(5_010), Event::Tick).unwrap();
    hand_in(&mut writer, 5_020, stock.candidates(1..3));
    assert!(WAIT < writer.idle(now(5_020)), "there is nothing to do but to wait");
    writer.step(now(9_000), Event::Tick).unwrap();
    assert_eq!(shared.head().size, 1, "one unpublished tree at a time");
    let mut unsigned = (*shared.unsigned.borrow().clone().unwrap()).clone();
    unsigned.add(witness().sign(unsigned.text(), NOW).unwrap());
    writer.step(now(9_001), Event::Cosigned(unsigned)).unwrap();
    assert_eq!(shared.published_size(), 1);
    assert_eq!(shared.head().size, 3);
}
