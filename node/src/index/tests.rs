//! What every engine must do, and what the catalogue makes of it.

use super::engine::Engine;
use super::*;

/// What every engine must do.
fn contract(index: Arc<dyn Index>) {
    let catalogue = Catalogue::new(index.clone());
    let (log, other) = (LogKey::of("net/a/1"), LogKey::of("net/b/1"));
    let id = |byte| ContentId::from_bytes([byte; 32]);
    assert_eq!(catalogue.entry(log, &id(1)).unwrap(), None);
    assert_eq!(catalogue.covers(log).unwrap(), None);

    let place = PackPlace { segment: 3, offset: 1 << 33, length: 77 };
    let head = Head { size: 9, root: [5; 32] };
    let covers = Covers { head, packs: PackPosition { segment: 3, offset: 8 } };
    let mut changes = Batch::default();
    changes.put_body(log, &id(1), place);
    changes.put_entry(log, &id(1), 7);
    changes.put_entry(other, &id(1), 9);
    changes.put_body(log, &id(4), place);
    changes.put_logged(log, &id(4), place, 70_000);
    changes.put_identity(&[8; 32], &id(1));
    changes.put_fork(&[8; 32], &id(2));
    changes.put_covers(log, covers);
    changes.put_nameless(other);
    for entry in [300, 2, 70_000] {
        changes.put_identity_entry(log, entry, &id(entry as u8));
        changes.put_wanted(other, entry, &id(entry as u8));
    }
    catalogue.write(changes).unwrap();
    catalogue.write(Batch::default()).unwrap();

    assert_eq!(catalogue.body(log, &id(1)).unwrap(), Some(place));
    assert_eq!(catalogue.body(other, &id(1)).unwrap(), None);
    assert_eq!(catalogue.entry(log, &id(1)).unwrap(), Some(7));
    assert_eq!(catalogue.entry(other, &id(1)).unwrap(), Some(9));
    let mut logs = [(log, 7), (other, 9)];
    logs.sort_unstable();
    assert_eq!(catalogue.entries(&id(1)).unwrap(), logs);
    assert_eq!(catalogue.body(log, &id(4)).unwrap(), Some(place), "the later of two changes");
    assert_eq!(catalogue.entry(log, &id(4)).unwrap(), Some(70_000));
    assert_eq!(catalogue.entries(&id(4)).unwrap(), [(log, 70_000)]);
    assert_eq!(catalogue.identity(&[8; 32]).unwrap(), Some(id(1)));
    assert_eq!(catalogue.fork(&[8; 32]).unwrap(), Some(id(2)));
    assert_eq!(catalogue.covers(log).unwrap(), Some(covers));
    assert!(catalogue.nameless(other).unwrap() && !catalogue.nameless(log).unwrap());
    let entries = |found: Vec<(u64, ContentId)>| -> Vec<u64> {
        found.into_iter().map(|(entry, _)| entry).collect()
    };
    let identities = |range| entries(catalogue.identities(log, range).unwrap());
    assert_eq!(identities(0..u64::MAX), [2, 300, 70_000], "in log order");
    assert_eq!(identities(3..70_000), [300]);
    let wanted = |from, limit| entries(catalogue.wanted(other, from, limit).unwrap());
    assert_eq!(wanted(0, 2), [2, 300]);
    assert_eq!(wanted(3, 9), [300, 70_000]);
    assert!(catalogue.wanted(log, 0, 9).unwrap().is_empty());

    let mut changes = Batch::default();
    changes.remove_wanted(other, 300);
    catalogue.write(changes).unwrap();
    assert_eq!(wanted(0, 9), [2, 70_000]);

    let mut changes = Batch::default();
    changes.put(key(b'e', &[short(id(1).bytes()), &log.0]), vec![1, 2, 3]);
    catalogue.write(changes).unwrap();
    let unreadable = catalogue.entry(log, &id(1));
    assert!(matches!(unreadable, Err(IndexError::Value { .. })));
    catalogue.persist().unwrap();
    catalogue.clear().unwrap();
    assert_eq!(catalogue.covers(log).unwrap(), None);
    assert_eq!(index.scan(&[], &[], 9).unwrap(), [(b"v".to_vec(), catalogue.layout())]);
}

#[test]
fn an_index_of_another_release_is_emptied_and_one_of_this_kept() {
    let index = Arc::new(memory::MemoryIndex::default());
    let catalogue = Catalogue::new(index.clone());
    let put = || {
        let mut changes = Batch::default();
        changes.put_identity(&[1; 32], &ContentId::from_bytes([2; 32]));
        catalogue.write(changes).unwrap();
    };
    put();
    catalogue.discard_other_layout().unwrap();
    assert_eq!(catalogue.identity(&[1; 32]).unwrap(), None, "written before layouts were told");
    put();
    catalogue.discard_other_layout().unwrap();
    assert!(catalogue.identity(&[1; 32]).unwrap().is_some());
    let mut changes = Batch::default();
    changes.put(vec![b'v'], vec![9; 32]);
    catalogue.write(changes).unwrap();
    catalogue.discard_other_layout().unwrap();
    assert_eq!(catalogue.identity(&[1; 32]).unwrap(), None);
    put();
    Catalogue::of("net/other/1", index).discard_other_layout().unwrap();
    assert_eq!(catalogue.identity(&[1; 32]).unwrap(), None, "it is another node's");
}

#[test]
fn every_engine_keeps_the_contract() {
    contract(Arc::new(memory::MemoryIndex::default()));
    let dir = tempfile::tempdir().unwrap();
    for engine in Engine::ALL {
        contract(engine.open(&dir.path().join(engine.as_str())).unwrap());
    }
}

#[test]
fn what_was_written_is_there_at_the_next_start() {
    for engine in Engine::ALL {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let open = || Catalogue::open("", *engine, &path).unwrap();
        let catalogue = open();
        let mut changes = Batch::default();
        changes.put_identity(&[1; 32], &ContentId::from_bytes([2; 32]));
        catalogue.write(changes).unwrap();
        drop(catalogue);
        let found = open().identity(&[1; 32]).unwrap();
        assert_eq!(found, Some(ContentId::from_bytes([2; 32])), "{engine:?}");
    }
}

#[test]
fn an_unreadable_index_is_set_aside_and_a_new_one_begun() {
    for engine in Engine::ALL {
        let file = match engine {
            Engine::Fjall => "fjall-1/version",
            #[cfg(feature = "sled")]
            Engine::Sled => "sled-1/conf",
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let file = Path::new(file);
        std::fs::create_dir_all(path.join(file.parent().unwrap())).unwrap();
        std::fs::write(path.join(file), b"from the future").unwrap();
        let catalogue = Catalogue::open("", *engine, &path).unwrap();
        assert_eq!(catalogue.identity(&[1; 32]).unwrap(), None);
        assert!(dir.path().join("index.unreadable").join(file).exists(), "{engine:?}");
        // Once the new one is whole nothing needs it, and what is erased must be in no file.
        catalogue.remove_unreadable().unwrap();
        assert!(!dir.path().join("index.unreadable").exists(), "{engine:?}");
        catalogue.remove_unreadable().unwrap();
    }
}

/// The files under `dir` that hold these bytes.
fn holding(dir: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let within = |path: PathBuf| {
        let content = std::fs::read(&path).unwrap();
        content.windows(bytes.len()).any(|part| part == bytes).then_some(path)
    };
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let found = |path: PathBuf| match path.is_dir() {
        true => holding(&path, bytes),
        false => within(path).into_iter().collect(),
    };
    entries.flat_map(found).collect()
}

#[test]
fn what_was_removed_and_purged_is_in_no_file_and_the_rest_stays() {
    for engine in Engine::ALL {
        let dir = tempfile::tempdir().unwrap();
        let index = Files::open(*engine, &dir.path().join("index")).unwrap();
        let secret = b"a value that must not be found again";
        let mut changes = Batch::default();
        changes.put(b"kept", b"what stays");
        changes.put(b"gone", secret);
        index.write(changes).unwrap();
        index.persist().unwrap();
        assert_ne!(holding(dir.path(), secret), [""; 0].map(PathBuf::from), "as it was written");
        let mut changes = Batch::default();
        changes.remove(b"gone");
        index.write(changes).unwrap();
        index.purge().unwrap();
        assert_eq!(holding(dir.path(), secret), [""; 0].map(PathBuf::from), "{engine:?}");
        assert_eq!(index.get(b"kept").unwrap().as_deref(), Some(&b"what stays"[..]));
        let mut changes = Batch::default();
        changes.put(b"new", b"goes on");
        index.write(changes).unwrap();
        assert_eq!(index.scan(&[], &[], 9).unwrap().len(), 2, "{engine:?}");
    }
}

#[test]
fn what_is_written_while_the_files_are_written_anew_is_in_the_new_ones() {
    for engine in Engine::ALL {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("index");
        let catalogue = Catalogue::open("", *engine, &path).unwrap();
        let id = |number: u32| ContentId::of(&number.to_be_bytes());
        let put = |number: u32| {
            let mut changes = Batch::default();
            changes.put_identity(id(number).bytes(), &id(number));
            catalogue.write(changes).unwrap();
        };
        (0..20_000).for_each(put);
        let done = std::sync::atomic::AtomicBool::new(false);
        let written = std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut number = 20_000;
                while !done.load(std::sync::atomic::Ordering::Acquire) || number < 20_100 {
                    put(number);
                    assert_eq!(catalogue.identity(id(number).bytes()).unwrap(), Some(id(number)));
                    number += 1;
                }
                number
            });
            catalogue.purge().unwrap();
            catalogue.purge().unwrap();
            done.store(true, std::sync::atomic::Ordering::Release);
            writer.join().unwrap()
        });
        catalogue.persist().unwrap();
        drop(catalogue);
        let folders: Vec<_> = std::fs::read_dir(&path).unwrap().map(|one| one.unwrap()).collect();
        assert_eq!(folders.len(), 1, "{engine:?}");
        assert_eq!(folders[0].file_name().to_str(), Some(&*format!("{}-3", engine.as_str())));
        let again = Catalogue::open("", *engine, &path).unwrap();
        for number in 0..written {
            assert_eq!(again.identity(id(number).bytes()).unwrap(), Some(id(number)));
        }
    }
}

#[test]
fn of_two_folders_that_a_stop_left_the_older_is_the_whole_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("index");
    let put = |catalogue: &Catalogue, byte: u8| {
        let mut changes = Batch::default();
        changes.put_identity(&[byte; 32], &ContentId::from_bytes([byte; 32]));
        catalogue.write(changes).unwrap();
    };
    put(&Catalogue::open("", Engine::Fjall, &path).unwrap(), 1);
    Engine::Fjall.open(&path.join("fjall-2")).unwrap();
    std::fs::create_dir(path.join("gone")).unwrap();
    std::fs::write(path.join("of another release"), b"").unwrap();
    let catalogue = Catalogue::open("", Engine::Fjall, &path).unwrap();
    assert!(catalogue.identity(&[1; 32]).unwrap().is_some());
    let left: Vec<_> = std::fs::read_dir(&path).unwrap().map(|one| one.unwrap()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].file_name(), "fjall-1");
}
