//! An old copy put back at any instant: the log never forks, and with a peer that has all it goes on.

use std::path::{Path, PathBuf};

use hallmark_schemas::history::KeyHistory;
use hallmark_schemas::note::NoteSigner;

use super::*;
use crate::admission::keys::Keys;
use crate::core::shared::Shared;
use crate::core::testing::{
    NOW, facility, log_signer, network, origin, refusal, verified, witness, witnessed,
};
use crate::index::Catalogue;
use crate::index::memory::MemoryIndex;
use crate::mirror::{Mirror, MirroredLog};
use crate::sequencer::recover::Unfit;
use crate::sequencer::{Candidate, Sequencer};
use crate::store::pack::PackReader;
use crate::store::sim::{SimDisk, Survives};

mod forked;

/// A small generator of numbers from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn slots(disk: &SimDisk) -> HeadSlots {
    let slots = ["/dir/head/slot-a", "/dir/head/slot-b"].map(PathBuf::from);
    HeadSlots::new(Arc::new(disk.clone()), slots, &origin())
}

fn data() -> Data {
    Data::new("/dir/data")
}

fn key() -> VerifierKey {
    NoteSigner::log(&origin(), log_signer()).unwrap().vkey().clone()
}

fn keys() -> Arc<Keys> {
    Arc::new(Keys::new(KeyHistory::new(&network(Policy::none()))))
}

fn open(disk: &SimDisk) -> Result<Sequencer, Unfit> {
    let any: Arc<dyn Disk> = Arc::new(disk.clone());
    let shared = Shared::new(
        &origin(),
        Tiles::new(any.clone(), &data().log()),
        PackReader::new(any.clone(), &data().packs()),
        Catalogue::new(Arc::new(MemoryIndex::default())),
        keys(),
        witnessed(),
    );
    let slots = ["/dir/head/slot-a", "/dir/head/slot-b"].map(PathBuf::from);
    let signer = NoteSigner::log(&origin(), log_signer()).unwrap();
    Sequencer::open(any, slots, &data(), Arc::new(shared), signer)
}

/// Its index whole, waiting for the fork guard.
fn started(disk: &SimDisk) -> Sequencer {
    let mut sequencer = open(disk).map_err(|unfit| unfit.to_string()).unwrap();
    sequencer.catch_up().unwrap();
    sequencer
}

/// The rest of the world: one witness, which remembers, and a peer that mirrors.
struct World {
    /// Every checkpoint that left the node: size and root.
    signed: BTreeMap<u64, SignedNote>,
    /// The newest that the witness has cosigned.
    seen: Option<SignedNote>,
    mirror: Arc<MirroredLog>,
    /// Bodies that were told *stored*.
    stored: Vec<Vec<u8>>,
    random: Random,
    next: u8,
}

impl World {
    fn new(seed: u64) -> World {
        let (disk, network) = (Arc::new(SimDisk::default()), Arc::new(network(witnessed())));
        let catalogue = Catalogue::new(Arc::new(MemoryIndex::default()));
        let mirror = Mirror::new(disk, Data::new("/peer"), catalogue, keys(), network);
        let mirror = mirror.follow(key()).unwrap();
        let random = Random(seed);
        World { signed: BTreeMap::new(), seen: None, mirror, stored: Vec::new(), random, next: 0 }
    }

    /// What the node shows: noted, and never contradicting what was shown before.
    fn look(&mut self, note: &SignedNote) {
        let checkpoint = note.checkpoint_of(&key()).unwrap();
        let known = self.signed.entry(checkpoint.size).or_insert_with(|| note.clone());
        assert_eq!(known.checkpoint().unwrap().root, checkpoint.root, "forked");
    }

    fn store(&mut self, sequencer: &mut Sequencer) {
        let count = 1 + self.random.below(3);
        let bodies: Vec<_> = (0..count)
            .map(|_| {
                self.next += 1;
                facility(self.next, "plant", 0)
            })
            .collect();
        self.stored.extend(bodies.iter().map(|body| body.stored().to_vec()));
        let candidates: Vec<Candidate> =
            bodies.into_iter().map(|body| Candidate::new(verified(body))).collect();
        sequencer.store(candidates.iter()).unwrap();
    }

    /// The witness cosigns what waits, if it extends what it has seen.
    fn cosign(&mut self, sequencer: &mut Sequencer) {
        let Some(note) = sequencer.shared.unsigned.borrow().clone() else {
            return;
        };
        self.look(&note);
        let mut note = (*note).clone();
        let size = note.checkpoint().unwrap().size;
        let seen = self.seen.as_ref().map_or(0, |seen| seen.checkpoint().unwrap().size);
        assert!(seen <= size, "the log shrank from {seen} to {size}");
        note.add(witness().sign(note.text(), NOW).unwrap());
        self.seen = Some(note.clone());
        sequencer.cosigned(&note).unwrap();
        let published = sequencer.shared.published.borrow().clone().unwrap();
        assert_eq!(published.head.size, size);
    }

    /// The peer takes over what is published, bodies and all.
    fn follow(&mut self, sequencer: &Sequencer) {
        let shared = &sequencer.shared;
        let Some(published) = shared.published.borrow().clone() else {
            return;
        };
        self.look(&published.note);
        if let Some(mut growth) = self.mirror.grow((*published.note).clone()).unwrap() {
            while let Some(path) = growth.wants() {
                growth.feed(&shared.tiles.read(&path, published.head).unwrap().unwrap()).unwrap();
            }
            growth.commit().unwrap();
        }
        let wanted = self.mirror.wanted(0, 1000).unwrap();
        let bodies = wanted.iter().map(|(_, entry)| shared.own_body(&entry.id).unwrap().unwrap());
        self.mirror.put_bodies(&bodies.collect::<Vec<_>>()).unwrap();
    }

    /// Some work; some of it only half done.
    fn work(&mut self, sequencer: &mut Sequencer, acts: u64) {
        for _ in 0..acts {
            match self.random.below(4) {
                0 | 1 => self.store(sequencer),
                2 => {
                    sequencer.sequence(NOW).unwrap();
                    self.cosign(sequencer);
                }
                _ => self.follow(sequencer),
            }
        }
    }

    fn settle(&mut self, sequencer: &mut Sequencer) {
        self.cosign(sequencer);
        while sequencer.batch_due() {
            sequencer.sequence(NOW).unwrap();
            self.cosign(sequencer);
        }
        self.follow(sequencer);
    }
}

impl Source for Arc<MirroredLog> {
    fn givers(&self) -> usize {
        1
    }

    fn tile(&mut self, _: usize, path: &TilePath) -> Option<Vec<u8>> {
        MirroredLog::tile(self, path).unwrap()
    }

    fn bodies(&mut self, _: usize, ids: &[ContentId]) -> Vec<Option<Vec<u8>>> {
        ids.iter().map(|id| self.body(id).unwrap()).collect()
    }
}

/// The head is lost with DATA, or as old as DATA (a copied folder), or the newest.
const LOST_HEAD: u64 = 0;
const OLD_HEAD: u64 = 1;

/// DATA of the backup, with this kind of head.
fn put_back(old: &SimDisk, new: &SimDisk, kind: u64) -> SimDisk {
    let disk = old.after(Survives::Everything);
    if kind == LOST_HEAD {
        disk.remove_dir_all(Path::new("/dir/head")).unwrap();
    }
    if kind == LOST_HEAD || kind == OLD_HEAD {
        return disk;
    }
    for slot in ["/dir/head/slot-a", "/dir/head/slot-b"].map(Path::new) {
        if let Some(bytes) = new.read(slot).unwrap() {
            disk.replace(slot, &bytes).unwrap();
        }
    }
    disk
}

/// What the running node asks before it signs: the witness knows more, so nothing is signed.
fn refused_by_witness(world: &World, mut sequencer: Sequencer, seed: u64) {
    let head = sequencer.shared.head();
    let seen = world.seen.as_ref().map_or(0, |note| note.checkpoint().unwrap().size);
    if head.size < seen {
        sequencer.guard_refused(refusal("a witness has more")).unwrap();
        sequencer.guard_satisfied().unwrap();
        sequencer.sequence(NOW).unwrap();
        assert_eq!(sequencer.shared.head(), head, "seed {seed}");
        assert!(sequencer.shared.unsigned.borrow().is_none(), "seed {seed}: it signed");
    }
}

fn recovery(disk: &SimDisk, world: &World) -> Result<Recovery, RestoreError> {
    let any: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut recovery = Recovery::open(any, slots(disk), data(), key(), witnessed())?;
    for note in [world.seen.clone(), world.mirror.checkpoint().map(|note| (*note).clone())] {
        note.map_or(Ok(()), |note| recovery.offer(note))?;
    }
    recovery.heard("w", newest(world.seen.as_ref()));
    Ok(recovery)
}

fn restored(disk: &SimDisk, world: &World) -> Result<Restored, RestoreError> {
    recovery(disk, world)?.run(&mut world.mirror.clone(), &mut |_, _, _| {})
}

fn new_disk() -> SimDisk {
    let disk = SimDisk::default();
    slots(&disk).create().unwrap();
    disk
}

/// One life: work, a backup at some instant, more work, the backup put back, restored, more work.
fn live(seed: u64) -> &'static str {
    let mut world = World::new(seed);
    let disk = new_disk();
    let mut sequencer = started(&disk);
    sequencer.guard_satisfied().unwrap();
    let acts = world.random.below(12);
    world.work(&mut sequencer, acts);
    let backup = disk.after(Survives::Everything);
    let kept = world.stored.len();
    let acts = 1 + world.random.below(12);
    world.work(&mut sequencer, acts);
    let is_settled = world.random.below(3) != 0;
    if is_settled {
        world.settle(&mut sequencer);
    }
    let logged = sequencer.shared.head();
    drop(sequencer);
    let kind = world.random.below(3);
    let disk = put_back(&backup, &disk, kind);
    let old = slots(&backup).load().unwrap().size;
    match open(&disk) {
        Err(Unfit::Head(HeadError::Missing { .. })) => assert_eq!(kind, LOST_HEAD, "seed {seed}"),
        Err(Unfit::DataBehind { .. }) => assert!(old < logged.size, "seed {seed}"),
        Err(Unfit::Sequence(_)) => assert!(old < logged.size, "seed {seed}: no intent yet"),
        Err(error) => panic!("seed {seed}: {error}"),
        Ok(sequencer) if kind == OLD_HEAD => refused_by_witness(&world, sequencer, seed),
        Ok(_) => assert_eq!(old, logged.size, "seed {seed}: an old copy may not sign"),
    }
    let seen = world.seen.as_ref().map_or(0, |note| note.checkpoint().unwrap().size);
    let told = match restored(&disk, &world) {
        Ok(told) => told,
        Err(RestoreError::NothingKnown) => {
            assert_eq!(seen, 0, "seed {seed}");
            return "nothing signed";
        }
        Err(RestoreError::HeadAhead { signed, .. }) => {
            assert!(signed == 0 && seen == 0, "seed {seed}");
            return "nothing signed";
        }
        Err(error) => panic!("seed {seed}: {error}"),
    };
    assert!(seen <= told.head.size, "seed {seed}");
    if !told.goes_on() {
        // The witness saw more than any peer holds: the log has ended, and nothing is signed.
        assert!(!is_settled, "seed {seed}");
        assert!(matches!(open(&disk), Err(Unfit::DataBehind { .. })), "seed {seed}");
        return "ended";
    }
    if is_settled {
        assert_eq!((told.head, told.missing.len()), (logged, 0), "seed {seed}");
        assert_eq!(told.reached, world.mirror.head(), "seed {seed}");
    }
    let before = world.stored.len();
    let mut sequencer = started(&disk);
    sequencer.guard_satisfied().unwrap();
    if is_settled {
        check_stored(&world, &sequencer, before, seed);
    }
    world.store(&mut sequencer);
    world.settle(&mut sequencer);
    check_stored(&world, &sequencer, world.stored.len() - before, seed);
    // What the backup's packs held is in the log in the end, also if it was only *stored* then.
    for body in &world.stored[..kept] {
        let id = ContentId::of(body);
        let entry = sequencer.shared.catalogue.entry(sequencer.shared.log, &id).unwrap();
        assert!(entry.is_some(), "seed {seed}: {id} is not logged");
    }
    if told.before < told.head.size { "brought forward" } else { "whole" }
}

/// The last `count` bodies are logged or wait for it, each once, in a tree without forks.
fn check_stored(world: &World, sequencer: &Sequencer, count: usize, seed: u64) {
    let shared = &sequencer.shared;
    let size = shared.head().size;
    let entries = shared.tiles.entries(0..size, size).unwrap();
    let ids: BTreeSet<ContentId> = entries.iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len() as u64, size, "seed {seed}: an id is logged twice");
    for note in world.signed.values() {
        let signed = note.checkpoint().unwrap();
        let root = shared.tiles.root_within(signed.size, size).unwrap();
        assert_eq!(root, signed.root, "seed {seed}: forked at {}", signed.size);
    }
    let held = world.stored.iter().map(|body| ContentId::of(body));
    for id in held.rev().take(count) {
        assert!(shared.own_body(&id).unwrap().is_some(), "seed {seed}: {id} is lost");
    }
}

#[test]
fn an_old_copy_put_back_in_any_of_200_lives_never_forks_and_goes_on_with_its_peers() {
    let mut ends: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..200 {
        *ends.entry(live(seed)).or_default() += 1;
    }
    // Each end is really met, the good one most of all.
    assert_eq!(ends.len(), 4, "{ends:?}");
    assert!(80 < ends["brought forward"], "{ends:?}");
}

/// A log of some batches that its peer has all of, and its disk.
fn settled(seed: u64) -> (World, SimDisk) {
    let mut world = World::new(seed);
    let disk = new_disk();
    let mut sequencer = started(&disk);
    sequencer.guard_satisfied().unwrap();
    for _ in 0..3 {
        world.store(&mut sequencer);
        world.settle(&mut sequencer);
    }
    (world, disk)
}

#[test]
fn a_restore_that_is_stopped_at_any_step_leaves_a_log_that_signs_nothing_and_goes_on() {
    for step in 0.. {
        let (world, disk) = settled(7);
        let head = slots(&disk).load().unwrap();
        disk.remove_dir_all(Path::new("/dir/data")).unwrap();
        disk.stop_at(step);
        let done = restored(&disk, &world).is_ok();
        for survives in [Survives::Everything, Survives::Synced, Survives::HalfOfUnsynced] {
            let disk = disk.after(survives);
            match open(&disk) {
                Ok(sequencer) => assert_eq!(sequencer.shared.head(), head, "step {step}"),
                Err(error) => assert!(!done, "step {step}: {error}"),
            }
            let told = restored(&disk, &world).unwrap();
            assert_eq!((told.head, told.reached, told.missing.len()), (head, head, 0));
            assert_eq!(started(&disk).shared.head(), head, "step {step} {survives:?}");
        }
        if done {
            assert!(10 < step, "{step} steps");
            break;
        }
    }
}

/// A peer that gives what it likes.
struct Liar(Arc<MirroredLog>);

impl Source for Liar {
    fn givers(&self) -> usize {
        2
    }

    fn tile(&mut self, giver: usize, path: &TilePath) -> Option<Vec<u8>> {
        let mut bytes = MirroredLog::tile(&self.0, path).unwrap()?;
        let last = bytes.len() - 1;
        bytes[last] ^= u8::from(giver == 0);
        Some(bytes)
    }

    fn bodies(&mut self, giver: usize, ids: &[ContentId]) -> Vec<Option<Vec<u8>>> {
        let wrong = |body: Vec<u8>| if giver == 0 { b"something else".to_vec() } else { body };
        ids.iter().map(|id| self.0.body(id).unwrap().map(wrong)).collect()
    }
}

#[test]
fn a_peer_that_lies_costs_nothing_while_another_tells_the_truth() {
    let (world, disk) = settled(1);
    disk.remove_dir_all(Path::new("/dir/data")).unwrap();
    let mut source = Liar(world.mirror.clone());
    let told = recovery(&disk, &world).unwrap().run(&mut source, &mut |_, _, _| {}).unwrap();
    assert!(told.goes_on() && told.missing.is_empty(), "{told:?}");
    started(&disk);
}

#[test]
fn a_log_without_witnesses_is_never_guessed_at() {
    let (world, disk) = settled(2);
    let alone = |disk: &SimDisk| {
        let any: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut recovery = Recovery::open(any, slots(disk), data(), key(), Policy::none()).unwrap();
        recovery.offer((*world.mirror.checkpoint().unwrap()).clone()).unwrap();
        recovery.target()
    };
    assert!(alone(&disk).is_ok(), "nothing is lost");
    disk.remove_dir_all(Path::new("/dir/data")).unwrap();
    assert!(alone(&disk).is_ok(), "the head says what was signed");
    disk.remove_dir_all(Path::new("/dir/head")).unwrap();
    assert!(matches!(alone(&disk), Err(RestoreError::Alone)));
}

#[test]
fn a_witness_that_was_not_heard_may_know_more() {
    let (world, disk) = settled(3);
    let any: Arc<dyn Disk> = Arc::new(disk.clone());
    let mut recovery = Recovery::open(any, slots(&disk), data(), key(), witnessed()).unwrap();
    recovery.offer((*world.mirror.checkpoint().unwrap()).clone()).unwrap();
    assert!(matches!(recovery.target(), Err(RestoreError::TooFewHeard { .. })));
    recovery.heard("w", newest(world.seen.as_ref()));
    assert!(recovery.target().is_ok());
}

#[test]
fn a_head_that_nobody_holds_is_given_up_only_if_every_witness_says_that_it_never_saw_it() {
    use hallmark_schemas::key::SecretKey;
    use hallmark_schemas::policy::Witness;

    let (world, disk) = settled(5);
    let witnesses = ["a", "b", "c"].into_iter().zip(11..).map(|(name, seed)| {
        let signer = NoteSigner::witness(name, Arc::new(SecretKey::from_seed([seed; 32]))).unwrap();
        Witness { name: name.to_owned(), key: signer.vkey().clone(), url: None }
    });
    let policy = Policy::threshold(2, witnesses.collect()).unwrap();
    let signed = slots(&disk).load().unwrap();
    let further = Head { size: signed.size + 1, root: [5; 32] };
    slots(&disk).put_back(further).unwrap();
    let told = |heard: &[&str]| {
        let any: Arc<dyn Disk> = Arc::new(disk.clone());
        let mut recovery =
            Recovery::open(any, slots(&disk), data(), key(), policy.clone()).unwrap();
        recovery.offer((*world.mirror.checkpoint().unwrap()).clone()).unwrap();
        heard.iter().for_each(|name| recovery.heard(name, Some(signed)));
        recovery.target()
    };
    assert!(matches!(told(&["a"]), Err(RestoreError::TooFewHeard { .. })));
    match told(&["a", "c"]) {
        Err(RestoreError::HeadAhead { head, silent, .. }) => {
            assert_eq!((head, silent), (further.size, vec!["b".to_owned()]));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(told(&["a", "b", "c"]).unwrap(), signed);
}

/// The tree of a note.
fn newest(note: Option<&SignedNote>) -> Option<Head> {
    let checkpoint = note?.checkpoint().unwrap();
    Some(Head { size: checkpoint.size, root: checkpoint.root })
}
