use super::*;
use proptest::prelude::*;

const BATCH: Class = Class::Batch { sequence: 0 };
const ROOMY: Limits = Limits { bytes_max: 1 << 30, when_full: WhenFull::Stop };

fn body(number: u32) -> Vec<u8> {
    format!("body {number} {}", "x".repeat(40)).into_bytes()
}

fn id(number: u32) -> ContentId {
    ContentId::of(&body(number))
}

fn take(spool: &mut Spool, numbers: std::ops::Range<u32>, class: Class) {
    for number in numbers {
        let class = match class {
            Class::Batch { .. } => Class::Batch { sequence: number.into() },
            Class::Scan => Class::Scan,
        };
        spool.take(&[(id(number), class, &body(number))]).unwrap();
    }
}

fn waiting(spool: &Spool) -> Vec<ContentId> {
    spool.pending_after(None).map(|(_, id)| id).collect()
}

#[test]
fn what_was_taken_waits_over_restarts_in_order_and_leaves_by_a_release_only() {
    let dir = tempfile::tempdir().unwrap();
    let Opened { mut spool, chain, .. } = Spool::open(dir.path(), ROOMY).unwrap();
    assert_eq!(chain, Chain { boot: 1, last: None });
    take(&mut spool, 0..5, BATCH);
    take(&mut spool, 2..4, BATCH); // again: already kept
    assert!(spool.release(&id(1)).unwrap());
    assert!(!spool.release(&id(1)).unwrap());
    drop(spool);
    let Opened { spool, chain, damaged } = Spool::open(dir.path(), ROOMY).unwrap();
    assert_eq!(chain, Chain { boot: 2, last: Some((4, id(4))) });
    assert!(damaged.is_empty());
    assert_eq!(waiting(&spool), [id(0), id(2), id(3), id(4)]);
    assert_eq!(spool.read(spool.ordinal_of(&id(3)).unwrap()).unwrap(), Some(body(3)));
}

#[test]
fn the_chain_goes_on_after_every_entry_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), ROOMY).unwrap().spool;
    take(&mut spool, 0..3, BATCH);
    take(&mut spool, 7..8, Class::Scan); // a scan is not part of the readings' chain
    for number in [0, 1, 2, 7] {
        spool.release(&id(number)).unwrap();
    }
    drop(spool);
    for boot in 2..5 {
        let opened = Spool::open(dir.path(), ROOMY).unwrap();
        assert_eq!(opened.chain, Chain { boot, last: Some((2, id(2))) });
        assert_eq!(opened.spool.segments.len(), 1);
    }
}

#[test]
fn every_cut_of_the_tail_keeps_the_whole_entries_before_it_and_never_an_old_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), ROOMY).unwrap().spool;
    take(&mut spool, 0..3, BATCH);
    drop(spool);
    let whole = std::fs::read(segment::path(dir.path(), 0)).unwrap();
    let head = frame::HEAD_BYTES + 9; // tag and boot; no batch yet
    let entry = (whole.len() - head) / 3;
    for length in head..whole.len() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(segment::path(dir.path(), 0), &whole[..length]).unwrap();
        let Opened { mut spool, chain, damaged } = Spool::open(dir.path(), ROOMY).unwrap();
        assert_eq!(spool.pending.len(), (length - head) / entry, "{length}");
        assert_eq!((chain.boot, damaged.len()), (2, 0));
        take(&mut spool, 5..6, Class::Scan);
        assert_eq!(waiting(&spool).last(), Some(&id(5)));
    }
}

#[test]
fn a_damaged_middle_is_set_aside_and_the_rest_still_sent() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), ROOMY).unwrap().spool;
    take(&mut spool, 0..3, Class::Scan);
    drop(spool);
    let path = segment::path(dir.path(), 0);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let opened = Spool::open(dir.path(), ROOMY).unwrap();
    assert_eq!(waiting(&opened.spool), [id(0), id(2)]);
    assert_eq!(opened.damaged.len(), 1);
}

#[test]
fn a_full_spool_refuses_and_keeps_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let limits = Limits { bytes_max: 300, when_full: WhenFull::Stop };
    let mut spool = Spool::open(dir.path(), limits).unwrap().spool;
    take(&mut spool, 0..4, BATCH);
    let refused = spool.take(&[(id(9), BATCH, &body(9))]);
    assert!(matches!(refused, Err(SpoolError::Full { bytes_max: 300, .. })));
    assert_eq!(waiting(&spool).len(), 4);
}

#[test]
fn thinning_drops_every_second_batch_of_the_oldest_segment_but_no_scan() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), ROOMY).unwrap().spool;
    take(&mut spool, 0..4, BATCH);
    take(&mut spool, 4..6, Class::Scan);
    drop(spool);
    let limits = Limits { bytes_max: 500, when_full: WhenFull::Thin };
    let mut spool = Spool::open(dir.path(), limits).unwrap().spool;
    take(&mut spool, 10..12, BATCH);
    assert_eq!(waiting(&spool), [0, 2, 4, 5, 10, 11].map(id));
    assert_eq!(spool.state().thinned, 2);
    for (ordinal, id) in spool.pending_after(None).collect::<Vec<_>>() {
        assert_eq!(ContentId::of(&spool.read(ordinal).unwrap().unwrap()), id);
    }
}

#[test]
fn a_refused_entry_is_kept_with_its_reason() {
    let dir = tempfile::tempdir().unwrap();
    let mut spool = Spool::open(dir.path(), ROOMY).unwrap().spool;
    take(&mut spool, 0..2, Class::Scan);
    assert!(spool.refuse(&id(0), "key not in force").unwrap());
    assert_eq!(waiting(&spool), [id(1)]);
    let stem = dir.path().join("refused").join(&id(0).to_string()[7..]);
    assert_eq!(std::fs::read(stem.with_extension("cose")).unwrap(), body(0));
    assert_eq!(std::fs::read(stem.with_extension("txt")).unwrap(), b"key not in force");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_order_of_takes_releases_and_restarts_keeps_exactly_what_is_not_released(
        acts in prop::collection::vec((0u8..8, 0u32..30), 1..60),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(dir.path(), ROOMY).unwrap().spool;
        let mut model = std::collections::BTreeSet::new();
        let mut gone = std::collections::BTreeSet::new();
        for (act, number) in acts {
            match act {
                0 => {
                    drop(spool);
                    spool = Spool::open(dir.path(), ROOMY).unwrap().spool;
                }
                1..=3 => {
                    prop_assert_eq!(spool.release(&id(number)).unwrap(), model.remove(&number));
                    gone.insert(number);
                }
                _ if gone.contains(&number) => {}
                _ => {
                    take(&mut spool, number..number + 1, BATCH);
                    model.insert(number);
                }
            }
            let mut waits = waiting(&spool);
            waits.sort();
            let mut wanted: Vec<ContentId> = model.iter().map(|number| id(*number)).collect();
            wanted.sort();
            prop_assert_eq!(waits, wanted);
        }
    }
}

#[test]
fn marks_of_files_last_over_restarts_rolls_and_releases() {
    let dir = tempfile::tempdir().unwrap();
    let mark = |file: &[u8], rows| Mark { file: ContentId::of(file), rows };
    let mut spool = Spool::open(dir.path(), ROOMY).unwrap().spool;
    let body = vec![7; 3 << 18];
    for rows in 1..=20_u8 {
        let mut body = body.clone();
        body[0] = rows;
        let (id, class) = (ContentId::of(&body), Class::Batch { sequence: rows.into() });
        let mark = mark(b"one", rows.into());
        spool.take_marked(&[(id, class, &body)], Some(mark)).unwrap();
        spool.release(&id).unwrap();
    }
    let body = b"last".as_slice();
    let entry = (ContentId::of(body), Class::Batch { sequence: 21 }, body);
    spool.take_marked(&[entry], Some(mark(b"two", 5))).unwrap();
    drop(spool);
    for _ in 0..3 {
        let spool = Spool::open(dir.path(), ROOMY).unwrap().spool;
        assert_eq!(spool.marks(), [mark(b"one", 20), mark(b"two", 5)]);
        assert_eq!(spool.state().pending, 1);
    }
    let mut marks = Vec::new();
    for n in 0..100_u8 {
        Mark::keep(&mut marks, mark(&[n], 1));
    }
    assert_eq!((marks.len(), marks[0]), (MARKS_MAX, mark(&[36], 1)));
}
