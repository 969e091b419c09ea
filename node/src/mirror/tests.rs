//! A copy against the log it follows: whole at every stop, never shrunk, never forked.

mod ahead;
mod erasing;
mod kept;
mod regions;

use std::path::Path;

use super::*;
use crate::core::testing::{
    GOODS, NOW, device, event, facility, joined, log_signer, network, origin, peer_signer,
    readings, witness, witnessed,
};
use crate::index::goods::tests::{found, goods, scanned};
use crate::index::memory::MemoryIndex;
use crate::peers::follower::{Ask, Follower, Heard};
use crate::sequencer::publish::sign_checkpoint;
use crate::store::sim::{SimDisk, Survives};
use hallmark_schemas::defect::{Claim, DefectProof, Served};
use hallmark_schemas::history::KeyHistory;
use hallmark_schemas::key::SecretKey;
use hallmark_schemas::note::NoteSigner;
use hallmark_schemas::policy::Policy;
use proptest::collection::vec;
use proptest::prelude::*;

fn signer() -> NoteSigner {
    NoteSigner::log(&origin(), log_signer()).unwrap()
}

/// The log that is followed: its tiles, bodies and any checkpoint of it.
pub(crate) struct Source {
    tiles: Tiles,
    pub(crate) bodies: Vec<Vec<u8>>,
    /// So much later is each entry, and the checkpoint over it.
    step_ms: i64,
}

impl Source {
    fn new(bodies: Vec<Envelope>) -> Source {
        Source::with_times(bodies, 0)
    }

    /// Entries so many milliseconds apart, each cosigned when it is admitted.
    pub(crate) fn with_times(bodies: Vec<Envelope>, step_ms: i64) -> Source {
        let tiles = Tiles::new(Arc::new(SimDisk::default()), Path::new("/log"));
        let bodies: Vec<Vec<u8>> = bodies.iter().map(|body| body.stored().to_vec()).collect();
        let mut edge = Edge::empty();
        for (number, body) in bodies.iter().enumerate() {
            let id = ContentId::of(body);
            let admitted_at = NOW.checked_add_ms(number as i64 * step_ms).unwrap();
            edge = tiles.grow(&edge, &[Entry { audience: 0, admitted_at, id }]).unwrap();
        }
        Source { tiles, bodies, step_ms }
    }

    /// `count` entries of one body each, more than a bundle if asked.
    fn of(count: u8, name: &str) -> Source {
        Source::new((0..count).map(|number| facility(number, name, 0)).collect())
    }

    fn note(&self, size: u64) -> SignedNote {
        let root = self.tiles.root_at(size).unwrap();
        let mut note = sign_checkpoint(&origin(), Head { size, root }, &signer()).unwrap();
        let at = NOW.checked_add_ms((size as i64 - 1) * self.step_ms).unwrap();
        note.add(witness().sign(note.text(), at).unwrap());
        note
    }

    /// A tile as it is served for the tree of this size.
    fn tile(&self, path: TilePath, size: u64) -> Vec<u8> {
        let head = Head { size, root: self.tiles.root_at(size).unwrap() };
        self.tiles.read(&path, head).unwrap().unwrap()
    }

    pub(crate) fn feed(&self, log: &Arc<MirroredLog>, size: u64) -> Result<(), MirrorError> {
        let Some(mut growth) = log.grow(self.note(size))? else {
            return Ok(());
        };
        while let Some(path) = growth.wants() {
            let head = Head { size, root: self.tiles.root_at(size).unwrap() };
            growth.feed(&self.tiles.read(&path, head).unwrap().unwrap())?;
        }
        growth.commit()
    }
}

fn follow(disk: &SimDisk, index: &Arc<MemoryIndex>) -> Result<Arc<MirroredLog>, MirrorError> {
    let keys = Arc::new(Keys::new(KeyHistory::new(&network(Policy::none()))));
    let catalogue = Catalogue::new(index.clone());
    let data = Data::new("/data");
    let mirror =
        Mirror::new(Arc::new(disk.clone()), data, catalogue, keys, Arc::new(joined(witnessed())));
    mirror.follow(signer().vkey().clone())
}

fn started(disk: &SimDisk) -> Arc<MirroredLog> {
    follow(disk, &Arc::default()).unwrap()
}

#[test]
fn a_copy_is_the_log_with_its_times_and_its_missing_bodies() {
    let source = Source::of(5, "plant");
    let log = started(&SimDisk::default());
    source.feed(&log, 2).unwrap();
    source.feed(&log, 5).unwrap();
    assert_eq!(log.head().size, 5);
    assert!(log.grow(source.note(5)).unwrap().is_none());
    assert_eq!(log.root_at(3).unwrap(), source.tiles.root_at(3).unwrap());
    assert_eq!(log.wanted(1, 2).unwrap().iter().map(|(at, _)| *at).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(log.put_bodies(&source.bodies[1..3]).unwrap(), 2);
    assert_eq!(log.put_bodies(&source.bodies[1..4]).unwrap(), 1);
    assert_eq!(log.wanted(0, 9).unwrap().iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 4]);
    let id = ContentId::of(&source.bodies[2]);
    assert_eq!(log.body(&id).unwrap().as_ref(), Some(&source.bodies[2]));
    let stranger = facility(9, "plant", 0).stored().to_vec();
    assert!(matches!(log.put_bodies(&[stranger]), Err(MirrorError::NotLogged { .. })));
    assert!(
        log.entry_time(4).unwrap().is_some_and(|time| time.hi.unix_ms() / 1000 == 1_790_000_000)
    );
}

#[test]
fn a_copy_stopped_anywhere_is_whole_and_goes_on() {
    let source = Source::of(6, "plant");
    for survives in [Survives::Everything, Survives::Synced, Survives::HalfOfUnsynced] {
        for step in 0.. {
            let disk = SimDisk::default();
            disk.stop_at(step);
            let index = Arc::new(MemoryIndex::default());
            let mut reached = (0, 0);
            if let Ok(log) = follow(&disk, &index) {
                for size in [2, 5] {
                    if source.feed(&log, size).is_ok() {
                        reached.0 = size;
                    }
                    if log.put_bodies(&source.bodies[size as usize - 2..size as usize]).is_ok() {
                        reached.1 += 2;
                    }
                }
            }
            let context = format!("step {step} ({}), {survives:?}", disk.last());
            let index = if step % 2 == 0 { index } else { Arc::default() };
            let log = follow(&disk.after(survives), &index)
                .unwrap_or_else(|error| panic!("{error:?}: {context}"));
            assert!(reached.0 <= log.head().size, "{context}");
            source.feed(&log, 6).unwrap();
            let missing = log.wanted(0, 9).unwrap().len();
            assert!(missing <= 6 - reached.1, "{missing} missing, {reached:?}: {context}");
            log.put_bodies(&source.bodies).unwrap();
            assert!(log.wanted(0, 9).unwrap().is_empty(), "{context}");
            assert_eq!(log.root_at(6).unwrap(), source.tiles.root_at(6).unwrap());
            if !disk.stopped() {
                break;
            }
        }
    }
}

/// The kept proofs, each as a stranger reads it.
fn proofs(log: &MirroredLog) -> Vec<DefectProof> {
    let read = |path: &PathBuf| {
        let proof = DefectProof::parse(&log.disk.read(path).unwrap().unwrap()).unwrap();
        proof.verify().unwrap();
        proof
    };
    log.defects().unwrap().iter().map(read).collect()
}

#[test]
fn two_histories_are_kept_as_a_proof_and_not_followed() {
    let (source, other) = (Source::of(4, "plant"), Source::of(4, "mill"));
    let (disk, index) = (SimDisk::default(), Arc::new(MemoryIndex::default()));
    let log = follow(&disk, &index).unwrap();
    source.feed(&log, 3).unwrap();
    for size in [3, 2] {
        match log.grow(other.note(size)) {
            Err(MirrorError::Equivocation { proof: Some(proof), .. }) => {
                let proof = DefectProof::parse(&log.disk.read(&proof).unwrap().unwrap()).unwrap();
                let Claim::Split(trees) = proof.claim() else { panic!("{:?}", proof.claim()) };
                let texts = [&trees.first, &trees.second];
                assert!(texts.iter().any(|text| text.starts_with(other.note(size).text())));
                assert!(texts.iter().any(|text| text.starts_with(source.note(3).text())));
            }
            other => panic!("{:?}", other.map(|growth| growth.is_some())),
        }
    }
    // The same notes again are the same proofs; their witness cosigned both histories.
    assert!(log.grow(other.note(3)).is_err());
    let words: Vec<_> = proofs(&log).iter().map(|proof| proof.claim().word()).collect();
    assert_eq!(words, ["bad_cosignature", "bad_cosignature", "split", "split"]);
    assert_eq!(log.shown_defects().len(), 4);
    assert_eq!(follow(&disk, &index).unwrap().shown_defects().len(), 4, "after a start");
    assert!(log.take_suspect().is_none());
    assert!(matches!(other.feed(&log, 4), Err(MirrorError::Rewritten { index: 0 })));
    assert_eq!(log.take_suspect(), Some(other.note(4)));
    assert!(matches!(other.feed(&log, 4), Err(MirrorError::Rewritten { index: 0 })));
    assert!(log.take_suspect().is_none(), "each note is looked into once");
    assert!(matches!(log.grow(source.note(2)), Err(MirrorError::Older { theirs: 2, ours: 3 })));
    assert_eq!(log.head().size, 3);
    source.feed(&log, 4).unwrap();
}

#[test]
fn a_checkpoint_that_the_log_did_not_sign_is_no_second_history() {
    let (source, other) = (Source::of(4, "plant"), Source::of(4, "mill"));
    let log = started(&SimDisk::default());
    source.feed(&log, 3).unwrap();
    let mut flipped = other.note(3).to_string();
    let last = flipped.find(" t").map(|at| at + 12).unwrap();
    let other_digit = if flipped.as_bytes()[last] == b'A' { "B" } else { "A" };
    flipped.replace_range(last..=last, other_digit);
    let text = other.note(3).text().to_owned();
    let witnessed = SignedNote::parse(flipped.as_bytes());
    let mut unsigned = SignedNote::unsigned(text).unwrap();
    unsigned.add(witness().sign(unsigned.text(), NOW).unwrap());
    for note in [Some(unsigned), witnessed.ok()].into_iter().flatten() {
        assert!(matches!(
            log.grow(note),
            Err(MirrorError::Note(_) | MirrorError::Equivocation { proof: None, .. })
        ));
    }
    assert!(proofs(&log).iter().all(|proof| !matches!(proof.claim(), Claim::Split(_))));
}

#[test]
fn of_so_many_second_histories_a_bounded_number_is_kept() {
    let source = Source::of(2, "plant");
    let log = started(&SimDisk::default());
    source.feed(&log, 2).unwrap();
    for number in 0..40 {
        let other = Source::of(2, &format!("mill {number}"));
        assert!(matches!(log.grow(other.note(2)), Err(MirrorError::Equivocation { .. })));
    }
    let splits = proofs(&log).iter().filter(|proof| proof.claim().word() == "split").count();
    assert_eq!(splits, 16);
}

#[test]
fn a_log_whose_times_go_back_is_followed_and_proved_to_do_so() {
    let source = Source::of(5, "plant");
    let tiles = Tiles::new(Arc::new(SimDisk::default()), Path::new("/log"));
    let mut edge = Edge::empty();
    for (number, body) in source.bodies.iter().enumerate() {
        let back = if number == 3 { -1000 } else { 0 };
        let admitted_at = NOW.checked_add_ms(number as i64 * 10 + back).unwrap();
        let id = ContentId::of(body);
        edge = tiles.grow(&edge, &[Entry { audience: 0, admitted_at, id }]).unwrap();
    }
    let source = Source { tiles, ..source };
    for steps in [&[5][..], &[3, 5], &[2, 3, 4, 5]] {
        let log = started(&SimDisk::default());
        steps.iter().for_each(|size| source.feed(&log, *size).unwrap());
        let shown = log.shown_defects();
        assert_eq!(shown.len(), 1, "{steps:?}: {shown:?}");
        assert!(shown[0].starts_with("shrink: ") && shown[0].contains("entry 2"), "{shown:?}");
        assert!(proofs(&log).iter().all(|proof| matches!(proof.claim(), Claim::Shrink(_))));
    }
}

#[test]
fn a_witness_that_cosigned_less_after_more_is_proved_to_have_gone_back() {
    let source = Source::of(4, "plant");
    let log = started(&SimDisk::default());
    source.feed(&log, 4).unwrap();
    let later = NOW.checked_add_ms(5_000).unwrap();
    let mut smaller = sign_checkpoint(
        &origin(),
        Head { size: 2, root: source.tiles.root_at(2).unwrap() },
        &signer(),
    )
    .unwrap();
    smaller.add(witness().sign(smaller.text(), later).unwrap());
    assert!(matches!(log.grow(smaller), Err(MirrorError::Older { .. })));
    assert!(matches!(log.grow(source.note(3)), Err(MirrorError::Older { .. })), "at one time");
    let words: Vec<_> = proofs(&log).iter().map(|proof| proof.claim().word()).collect();
    assert_eq!(words, ["bad_cosignature"]);
}

/// The word of the only member about what it was served.
fn report(path: TilePath, served: &[u8]) -> Option<SignedNote> {
    let mut note = Served::new(&origin(), "http://a/log", path, served, NOW).to_note()?;
    note.add(NoteSigner::log(&origin(), peer_signer()).unwrap().sign(note.text(), NOW).unwrap());
    Some(note)
}

#[test]
fn what_does_not_lead_to_the_signed_root_is_a_split_a_bad_bundle_or_nothing_that_is_proved() {
    let (source, other) = (Source::of(7, "plant"), Source::of(7, "mill"));
    let after = |size: u64, served: &dyn Fn(TilePath) -> Result<Vec<u8>, String>, by: &Source| {
        let log = started(&SimDisk::default());
        source.feed(&log, size).unwrap();
        let note = by.note(7);
        let state = note.checkpoint().unwrap();
        crate::defect::served::keep(served, &report, &log, (&note, &state)).unwrap();
        log.shown_defects()
    };
    let of = |source: &Source, path: TilePath| Ok(source.tile(path, 7));
    // Another history beyond the copy: its own tiles tell.
    for size in [3, 4, 6] {
        let shown = after(size, &|path| of(&other, path), &other);
        assert_eq!(shown.len(), 2, "{size}: {shown:?}");
        assert!(shown[1].contains(&format!("tree of size {size} is not")), "{shown:?}");
    }
    // The log's own tree, but the entries of another; and no whole bundle at all.
    let swapped = |path: TilePath| match path {
        TilePath::Entries { .. } => of(&other, path),
        TilePath::Hashes { .. } => of(&source, path),
    };
    let short = |path: TilePath| match path {
        TilePath::Entries { .. } => Ok(source.tile(path, 7)[..100].to_vec()),
        TilePath::Hashes { .. } => of(&source, path),
    };
    for size in [0, 3, 6] {
        for served in [&swapped as &dyn Fn(TilePath) -> Result<Vec<u8>, String>, &short] {
            let shown = after(size, served, &source);
            assert_eq!(shown.len(), 1, "{size}: {shown:?}");
            assert!(shown[0].starts_with("bad_tile: "), "{shown:?}");
        }
    }
    // All as it should be, tiles of another tree, or none: nobody is accused.
    assert!(after(3, &|path| of(&source, path), &source).is_empty());
    assert!(after(3, &|path| of(&other, path), &source).is_empty());
    assert!(after(3, &|_| Err("away".to_owned()), &other).is_empty());
}

#[test]
fn entries_that_do_not_lead_to_the_root_change_nothing() {
    let (source, other) = (Source::of(4, "plant"), Source::of(4, "mill"));
    let log = started(&SimDisk::default());
    let mut growth = log.grow(source.note(4)).unwrap().unwrap();
    let path = growth.wants().unwrap();
    let head = Head { size: 4, root: other.tiles.root_at(4).unwrap() };
    growth.feed(&other.tiles.read(&path, head).unwrap().unwrap()).unwrap();
    assert!(matches!(growth.commit(), Err(MirrorError::OtherRoot { size: 4 })));
    let mut growth = log.grow(source.note(4)).unwrap().unwrap();
    assert!(matches!(growth.feed(b"no bundle"), Err(MirrorError::Bundle { .. })));
    assert_eq!(log.head().size, 0);
    source.feed(&log, 4).unwrap();
    assert_eq!(log.head().size, 4);
    let stranger = NoteSigner::log("test/other/1", log_signer()).unwrap();
    let note = sign_checkpoint("test/other/1", log.head(), &stranger).unwrap();
    assert!(matches!(log.grow(note), Err(MirrorError::Note(_))));
}

#[test]
fn a_damaged_copy_is_fetched_again_and_must_reach_its_checkpoint() {
    let (source, other) = (Source::of(5, "plant"), Source::of(5, "mill"));
    let disk = SimDisk::default();
    source.feed(&started(&disk), 4).unwrap();
    let tile = disk.paths().into_iter().find(|path| path.ends_with("tile/0/000.p/4")).unwrap();
    disk.corrupt(&tile, |bytes| bytes[3] ^= 1);
    let log = started(&disk);
    assert_eq!(log.head().size, 0);
    // Also while the log stands still, whose checkpoint is the one that is here.
    let mut follower = Follower::new(log.clone());
    follower.begin();
    let told = follower.heard(Heard::Checkpoint(source.note(4).to_bytes())).unwrap();
    assert!(matches!(told.ask, Some(Ask::Bundle(_))));
    assert!(matches!(other.feed(&log, 5), Err(MirrorError::OtherRoot { size: 4 })));
    source.feed(&log, 5).unwrap();
    assert_eq!(log.head().size, 5);
}

#[test]
fn a_copy_goes_on_after_its_disk_was_read_only_for_a_while() {
    let source = Source::of(4, "plant");
    let disk = SimDisk::default();
    let log = started(&disk);
    source.feed(&log, 3).unwrap();
    disk.set_read_only(true);
    for _ in 0..2 {
        assert!(log.put_bodies(&source.bodies[..2]).is_err());
        assert!(source.feed(&log, 4).is_err());
    }
    assert_eq!((log.head().size, log.wanted_count(9).unwrap()), (3, 3));
    disk.set_read_only(false);
    source.feed(&log, 4).unwrap();
    assert_eq!(log.put_bodies(&source.bodies).unwrap(), 4);
    assert_eq!((log.head().size, log.wanted_count(9).unwrap()), (4, 0));
}

#[test]
fn a_copy_put_back_under_a_newer_index_wants_what_its_packs_lack() {
    let source = Source::of(6, "plant");
    let (disk, index) = (SimDisk::default(), Arc::new(MemoryIndex::default()));
    let log = follow(&disk, &index).unwrap();
    source.feed(&log, 3).unwrap();
    log.put_bodies(&source.bodies[..1]).unwrap();
    let old = disk.copy();
    source.feed(&log, 6).unwrap();
    log.put_bodies(&source.bodies[1..]).unwrap();
    let log = follow(&old, &index).unwrap();
    let wanted = || log.wanted(0, 9).unwrap().iter().map(|(at, _)| *at).collect::<Vec<_>>();
    assert_eq!(wanted(), [1, 2]);
    // Others come to lie where the index knew the missing ones.
    log.put_bodies(&[source.bodies[2].clone()]).unwrap();
    source.feed(&log, 6).unwrap();
    assert_eq!(wanted(), [1, 3, 4, 5]);
    log.put_bodies(&source.bodies).unwrap();
    assert!(wanted().is_empty());
    for body in &source.bodies {
        assert_eq!(log.body(&ContentId::of(body)).unwrap().as_ref(), Some(body));
    }
    assert!(log.damaged_records().is_empty());
}

#[test]
fn an_index_of_another_copy_is_not_believed_where_its_records_are_others() {
    let source = Source::of(4, "plant");
    let copy = |bodies: &[Vec<u8>]| {
        let (disk, index) = (SimDisk::default(), Arc::new(MemoryIndex::default()));
        let log = follow(&disk, &index).unwrap();
        source.feed(&log, 4).unwrap();
        log.put_bodies(bodies).unwrap();
        (disk, index)
    };
    // As much in both packs: only what lies there differs.
    let (disk, _) = copy(&source.bodies[..2]);
    let (_, index) = copy(&source.bodies[2..]);
    let log = follow(&disk, &index).unwrap();
    let wanted: Vec<u64> = log.wanted(0, 9).unwrap().iter().map(|(at, _)| *at).collect();
    assert_eq!(wanted, [2, 3]);
    for body in &source.bodies[..2] {
        assert_eq!(log.body(&ContentId::of(body)).unwrap().as_ref(), Some(body));
    }
}

#[test]
fn a_damaged_key_of_a_copy_is_told_and_asked_for_again_and_the_copy_opens() {
    let source = Source::new(vec![device(), readings(1, 5)]);
    let (disk, index) = (SimDisk::default(), Arc::new(MemoryIndex::default()));
    let log = follow(&disk, &index).unwrap();
    source.feed(&log, 2).unwrap();
    log.put_bodies(&source.bodies).unwrap();
    drop(log);
    let packs = Data::new("/data").peer(&origin()).packs();
    let pack = disk.paths().into_iter().find(|path| path.starts_with(&packs)).unwrap();
    disk.corrupt(&pack, |bytes| bytes[60] ^= 1);
    let kid = readings(1, 5).signer();
    let knows = |log: &MirroredLog| log.keys.read(|keys| keys.knows(&kid));
    let log = follow(&disk, &index).unwrap();
    let wanted = || log.wanted(0, 9).unwrap().iter().map(|(at, _)| *at).collect::<Vec<_>>();
    assert_eq!((log.head().size, wanted(), knows(&log)), (2, vec![0], false));
    let damaged: Vec<PathBuf> = log.damaged_records().into_iter().map(|(path, _)| path).collect();
    assert_eq!(damaged, [pack], "status names the file");
    assert_eq!(log.put_bodies(&source.bodies).unwrap(), 1);
    assert!(wanted().is_empty() && knows(&log));
    let log = follow(&disk, &index).unwrap();
    assert!(knows(&log) && log.wanted(0, 9).unwrap().is_empty());
}

#[test]
fn no_body_is_indexed_without_how_far_the_packs_go() {
    let source = Source::of(4, "plant");
    let (disk, index) = (SimDisk::default(), Arc::new(MemoryIndex::default()));
    source.feed(&follow(&disk, &index).unwrap(), 4).unwrap();
    let tile = disk.paths().into_iter().find(|path| path.ends_with("tile/0/000.p/4")).unwrap();
    disk.corrupt(&tile, |bytes| bytes[3] ^= 1);
    let log = follow(&disk, &index).unwrap();
    assert_eq!(log.head().size, 0, "it is fetched again");
    log.put_bodies(&source.bodies[..2]).unwrap();
    let covers = log.catalogue.covers(log.log).unwrap().unwrap();
    assert_eq!(covers, Covers { head: Head::EMPTY, packs: log.held() });
    assert_ne!(log.held(), PackPosition::default());
    source.feed(&log, 4).unwrap();
    let covers = log.catalogue.covers(log.log).unwrap().unwrap();
    assert_eq!((covers.head.size, covers.packs), (4, log.held()));
    assert_eq!(log.wanted(0, 9).unwrap().len(), 2);
}

#[test]
fn identities_of_a_followed_log_are_learnt_in_any_order_and_after_a_start() {
    let source = Source::new(vec![device(), readings(1, 5)]);
    let (disk, index) = (SimDisk::default(), Arc::new(MemoryIndex::default()));
    let log = follow(&disk, &index).unwrap();
    source.feed(&log, 2).unwrap();
    let kid = readings(1, 5).signer();
    let knows = |log: &MirroredLog| log.keys.read(|keys| keys.knows(&kid));
    assert!(!knows(&log));
    log.put_bodies(&source.bodies).unwrap();
    assert!(knows(&log));
    assert!(knows(&follow(&disk, &index).unwrap()));
    assert!(knows(&started(&disk)), "with an index built anew");
}

#[test]
fn goods_are_found_again_after_a_damaged_copy_was_fetched_again() {
    let source = Source::new((0..4).map(|number| event(number, &GOODS[..1])).collect());
    let (disk, index) = (SimDisk::default(), Arc::new(MemoryIndex::default()));
    let log = follow(&disk, &index).unwrap();
    source.feed(&log, 3).unwrap();
    log.put_bodies(&source.bodies[..2]).unwrap();
    let item = goods(GOODS[0]);
    let tile = disk.paths().into_iter().find(|path| path.ends_with("tile/0/000.p/3")).unwrap();
    disk.corrupt(&tile, |bytes| bytes[3] ^= 1);
    let log = follow(&disk, &index).unwrap();
    assert_eq!(log.head().size, 0);
    log.put_bodies(&source.bodies[2..3]).unwrap();
    source.feed(&log, 4).unwrap();
    let entries: Vec<u64> =
        found(&log.catalogue, &item, 9).iter().map(|place| place.entry).collect();
    assert_eq!(entries, [0, 1, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn goods_of_a_followed_log_are_found_as_a_scan_of_its_bodies_finds_them(
        choices in vec(any::<u8>(), 96),
    ) {
        let mut choices = choices.into_iter().map(usize::from);
        let mut below = |limit: usize| choices.next().map_or(0, |choice| choice % limit);
        let bodies = (0..12).map(|number| match number % 4 {
            3 => facility(number, "plant", 0),
            _ => event(number, &[GOODS[below(4)], GOODS[below(4)]]),
        });
        let source = Source::new(bodies.collect());
        let disk = SimDisk::default();
        let mut index = Arc::new(MemoryIndex::default());
        let mut snapshots = vec![MemoryIndex::default()];
        let mut log = follow(&disk, &index).unwrap();
        let mut size = 0;
        for _ in 0..24 {
            match below(5) {
                0 => {
                    size += below(13 - size);
                    source.feed(&log, size as u64).unwrap();
                }
                1 => snapshots.push(index.copy()),
                2 => {
                    index = Arc::new(snapshots[below(snapshots.len())].copy());
                    log = follow(&disk, &index).unwrap();
                }
                _ if size == 0 => {}
                _ => {
                    log.put_bodies(&[source.bodies[below(size)].clone()]).unwrap();
                }
            }
        }
        let entries = log.entries(0..log.head().size).unwrap();
        for text in GOODS {
            let goods = goods(text);
            let body = |id: &ContentId| log.body(id).unwrap();
            let expected = scanned(log.log, &entries, body, &goods);
            prop_assert_eq!(found(&log.catalogue, &goods, 1 + below(4)), expected, "{}", text);
        }
    }
}

#[test]
fn newer_cosignatures_of_the_same_tree_are_taken_and_nothing_else() {
    let source = Source::of(3, "plant");
    let disk = SimDisk::default();
    let log = started(&disk);
    source.feed(&log, 3).unwrap();
    assert_eq!(log.cosigned_at(), Some(NOW));
    let time = log.entry_time(2).unwrap();
    let cosigned = |by: &NoteSigner, seconds: i64| {
        let root = source.tiles.root_at(3).unwrap();
        let mut note = sign_checkpoint(&origin(), Head { size: 3, root }, &signer()).unwrap();
        note.add(by.sign(note.text(), NOW.checked_add_ms(seconds * 1000).unwrap()).unwrap());
        note
    };
    let stranger = NoteSigner::witness("x", Arc::new(SecretKey::from_seed([77; 32]))).unwrap();
    assert!(!log.renew(&cosigned(&witness(), -60)).unwrap(), "older");
    assert!(!log.renew(&cosigned(&stranger, 60)).unwrap(), "by nobody of the policy");
    let mut newer = cosigned(&witness(), 60);
    newer.add(cosigned(&stranger, 90).signatures()[1].clone());
    assert!(log.renew(&newer).unwrap());
    assert!(!log.renew(&newer).unwrap(), "the same again");
    let mut wrong = cosigned(&witness(), 120);
    let mut line = wrong.signatures()[1].clone();
    line.signature[12] ^= 1;
    wrong.retain(|line| line.is_of(signer().vkey()));
    wrong.add(line);
    assert!(!log.renew(&wrong).unwrap(), "a wrong word");
    let later = NOW.checked_add_ms(60_000);
    for log in [log, started(&disk)] {
        assert_eq!(log.cosigned_at(), later);
        assert_eq!(log.checkpoint().unwrap().signatures().len(), 2, "known lines alone");
        assert_eq!(log.entry_time(2).unwrap(), time);
    }
}
