//! Small workloads on a disk that is full, read-only, or keeps any part of what was not synced.

use std::time::Duration;

use super::*;
use crate::sequencer::writing::{Closed, Event, Now, Writer};
use crate::store::reserve::Reserve;

/// What a short run needs of room for its last batch.
const RESERVE: usize = 4096;

fn writer(disk: &SimDisk, index: &Arc<MemoryIndex>) -> Writer<usize> {
    let sequencer = open(disk, index, Policy::none()).unwrap();
    patient_writer(disk, sequencer, Duration::ZERO)
}

/// One whose batches wait so long at most.
pub(super) fn patient_writer(
    disk: &SimDisk,
    sequencer: Sequencer,
    batch_wait_max: Duration,
) -> Writer<usize> {
    let mut reserve = Reserve::new(Arc::new(disk.clone()), &data().reserve());
    reserve.set_bytes(RESERVE);
    let mut writer = Writer::new(sequencer, reserve, batch_wait_max);
    writer.start(now(0)).unwrap();
    writer.step(now(0), Event::GuardSatisfied).unwrap();
    writer
}

pub(super) fn now(ms: u64) -> Now {
    Now { monotonic: Duration::from_millis(ms), clock: NOW }
}

/// Three groups of one, two and three; what of them was acknowledged, and what found no room.
fn three_groups(
    writer: &mut Writer<usize>,
    stock: &Stock,
    told: &mut Told,
) -> Result<usize, SequenceError> {
    let mut full = 0;
    for (ticket, range) in [0..1, 1..3, 3..6].into_iter().enumerate() {
        let candidates = stock.candidates(range);
        let ids: Vec<ContentId> = candidates.iter().map(Candidate::id).collect();
        let at = now(10 * (1 + ticket as u64));
        let mut effects = writer.step(at, Event::Store { candidates, ticket })?;
        effects.extend(writer.step(at, Event::Drained)?);
        for effect in effects {
            match effect.answer {
                Ok(_) => told.stored.extend(&ids),
                Err(Closed::Full) => full += 1,
                Err(Closed::ReadOnly) => panic!("the log is not read-only"),
            }
        }
    }
    Ok(full)
}

#[test]
fn a_disk_that_fills_at_any_byte_loses_nothing_says_so_and_goes_on_by_itself() {
    let stock = Stock::new();
    let mut refused = 0;
    for room in (0..6000).step_by(61) {
        let (disk, index) = (new_disk(), Arc::new(MemoryIndex::default()));
        let mut writer = writer(&disk, &index);
        let mut told = Told::default();
        disk.set_capacity(Some(disk.used() + room));
        refused += three_groups(&mut writer, &stock, &mut told).expect("a full disk stops nobody");
        disk.set_capacity(None);
        writer.step(now(5000), Event::Tick).unwrap();
        let all = stock.candidates(0..8);
        let ids: Vec<ContentId> = all.iter().map(Candidate::id).collect();
        let mut effects =
            writer.step(now(5001), Event::Store { candidates: all, ticket: 9 }).unwrap();
        effects.extend(writer.step(now(5001), Event::Drained).unwrap());
        assert!(effects.iter().all(|effect| effect.answer.is_ok()), "room {room}");
        told.stored.extend(ids);
        drop(writer);
        let after = disk.after(Survives::Synced);
        let mut sequencer = started(&after, &index, Policy::none()).unwrap();
        sequencer.sequence(NOW).unwrap();
        told.check(&sequencer, &format!("{room} bytes of room"));
        assert_eq!(sequencer.head.size, 8, "{room} bytes of room");
    }
    assert!(30 < refused, "the disk was never full: {refused}");
}

#[test]
fn a_full_disk_publishes_the_last_batch_from_its_reserve() {
    let stock = Stock::new();
    let (disk, index) = (new_disk(), Arc::new(MemoryIndex::default()));
    let mut writer = writer(&disk, &index);
    let candidates = stock.candidates(0..2);
    let body: usize = candidates.iter().map(|one| one.stored.len() + pack::HEAD_BYTES).sum();
    // Room for the bodies and for nothing else.
    disk.set_capacity(Some(disk.used() + body));
    writer.step(now(1), Event::Store { candidates, ticket: 0 }).unwrap();
    let effects = writer.step(now(1), Event::Drained).unwrap();
    assert!(effects[0].answer.is_ok());
    let more = stock.candidates(2..3);
    writer.step(now(2), Event::Store { candidates: more, ticket: 1 }).unwrap();
    let effects = writer.step(now(2), Event::Drained).unwrap();
    assert_eq!(effects[0].answer, Err(Closed::Full));
    drop(writer);
    disk.set_capacity(None);
    let sequencer = started(&disk.after(Survives::Synced), &index, Policy::none()).unwrap();
    assert_eq!(sequencer.shared.published_size(), 2, "it was published while the disk was full");
}

#[test]
fn a_disk_that_turns_read_only_stops_the_writer_and_loses_nothing() {
    let stock = Stock::new();
    let (disk, index) = (new_disk(), Arc::new(MemoryIndex::default()));
    let mut writer = writer(&disk, &index);
    let mut told = Told::default();
    three_groups(&mut writer, &stock, &mut told).unwrap();
    disk.set_read_only(true);
    let candidates = stock.candidates(6..7);
    writer.step(now(90), Event::Store { candidates, ticket: 0 }).unwrap();
    assert!(writer.step(now(90), Event::Drained).is_err(), "nothing is acknowledged");
    drop(writer);
    disk.set_read_only(false);
    let mut sequencer =
        started(&disk.after(Survives::Synced), &Arc::default(), Policy::none()).unwrap();
    sequencer.sequence(NOW).unwrap();
    told.check(&sequencer, "read-only");
    assert_eq!(sequencer.head.size, 6);
}

#[test]
fn no_power_cut_loses_what_was_acknowledged_whatever_of_the_rest_it_keeps() {
    let stock = Stock::new();
    let acts = [Act::StoreTwo, Act::Sequence, Act::StoreOne, Act::Sequence];
    for step in 0.. {
        let mut stopped = false;
        for pattern in 0..12_u64 {
            let (disk, index) = (new_disk(), Arc::new(MemoryIndex::default()));
            let mut told = Told::default();
            disk.stop_at(step);
            if let Some(mut sequencer) = started(&disk, &index, Policy::none()) {
                // The error is the stop itself.
                let _ = perform(&mut sequencer, &acts, &stock, &mut told);
            }
            stopped = disk.stopped();
            let context = format!("step {step} ({}), pattern {pattern}", disk.last());
            let mut turn = pattern;
            let after = disk.after_power_cut(&mut |end| {
                turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(pattern + 1);
                (turn >> 33) % end
            });
            let mut sequencer = started(&after, &Arc::default(), Policy::none())
                .unwrap_or_else(|| panic!("it does not start: {context}"));
            sequencer.sequence(NOW).unwrap();
            told.look(&sequencer);
            told.check(&sequencer, &context);
        }
        if !stopped {
            break;
        }
    }
}

#[test]
fn what_a_failed_sync_lost_is_written_again_before_it_counts_as_stored() {
    let stock = Stock::new();
    let (disk, index) = (new_disk(), Arc::new(MemoryIndex::default()));
    let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
    let all = stock.candidates(0..2);
    disk.fail_next_sync();
    sequencer.store(&all).unwrap_err();
    drop(sequencer);
    // The process starts again on the same page cache; the sender comes again and is acknowledged.
    disk.killed();
    let mut sequencer = started(&disk, &Arc::default(), Policy::none()).unwrap();
    let outcomes = sequencer.store(&all).unwrap();
    assert!(outcomes.iter().all(|one| matches!(one, Outcome::Stored { known: true, .. })));
    drop(sequencer);
    let after = disk.after(Survives::Synced);
    let sequencer = started(&after, &Arc::default(), Policy::none()).unwrap();
    assert_eq!(sequencer.pending.len(), 2, "acknowledged, and there after the power cut");
}

/// Damages one file of the right edge of a log of three entries.
const EDGE_DAMAGES: [fn(&SimDisk, &Path); 3] = [
    |disk, path| disk.lose(path),
    |disk, path| disk.corrupt(path, |bytes| bytes[20] ^= 1),
    |disk, path| disk.corrupt(path, |bytes| bytes.truncate(7)),
];

#[test]
fn a_tile_of_the_right_edge_that_is_damaged_under_a_running_log_is_written_anew_by_the_next_batch()
{
    for path in ["/dir/data/log/tile/0/000.p/3", "/dir/data/log/tile/entries/000.p/3"] {
        for damage in EDGE_DAMAGES {
            let (disk, index) = grown();
            let whole = disk.read(Path::new(path)).unwrap();
            let mut sequencer = started(&disk, &index, Policy::none()).unwrap();
            damage(&disk, Path::new(path));
            sequencer.store(&Stock::new().candidates(5..6)).unwrap();
            sequencer.sequence(NOW).unwrap();
            assert_eq!(sequencer.shared.published_size(), 4, "{path}");
            assert_eq!(disk.read(Path::new(path)).unwrap(), whole, "{path}");
            drop(sequencer);
            assert!(started(&disk, &index, Policy::none()).is_some(), "{path}");
        }
    }
}

#[test]
fn a_start_writes_a_damaged_tile_of_the_right_edge_anew_and_leaves_lost_entries_to_the_peers() {
    for damage in EDGE_DAMAGES {
        let (disk, index) = grown();
        let tile = Path::new("/dir/data/log/tile/0/000.p/3");
        let whole = disk.read(tile).unwrap();
        damage(&disk, tile);
        let damaged = disk.read(tile).unwrap();
        let sequencer = started(&disk, &index, Policy::none()).expect("it goes on");
        assert_eq!(sequencer.shared.published_size(), 3);
        assert_eq!(disk.read(tile).unwrap(), whole);
        let aside = Path::new("/dir/data/damaged/tile/0/000.p/3");
        assert_eq!(disk.read(aside).unwrap(), damaged, "what was there is kept");

        let (disk, index) = grown();
        damage(&disk, Path::new("/dir/data/log/tile/entries/000.p/3"));
        let opened = open(&disk, &index, Policy::none());
        assert!(matches!(opened, Err(Unfit::Sequence(_))));
        assert!(opened.is_err_and(|unfit| unfit.help().contains("--repair")));
    }
}
