//! A long way to a checkpoint that was interrupted is not gone twice.

use super::*;
use crate::mirror::growth::WRITE_ENTRIES;
use crate::peers::follower::{Ask, Follower, Heard};
use crate::store::tiles::TILE_WIDTH;

/// More entries than are written at once.
const ENTRIES: u64 = WRITE_ENTRIES as u64 + 300;

fn long() -> Source {
    let tiles = Tiles::new(Arc::new(SimDisk::default()), Path::new("/log"));
    let entry = |number: u64| Entry {
        audience: 0,
        admitted_at: NOW,
        id: ContentId::of(&number.to_be_bytes()),
    };
    let entries: Vec<Entry> = (0..ENTRIES).map(entry).collect();
    tiles.grow(&Edge::empty(), &entries).unwrap();
    Source { tiles, bodies: Vec::new(), step_ms: 0 }
}

/// A copy that ended after the first entries were written.
fn interrupted(source: &Source, disk: &SimDisk, index: &Arc<MemoryIndex>) {
    let log = follow(disk, index).unwrap();
    let mut growth = log.grow(source.note(ENTRIES)).unwrap().unwrap();
    for _ in 0..WRITE_ENTRIES as u64 / TILE_WIDTH {
        let path = growth.wants().unwrap();
        growth.feed(&source.tile(path, ENTRIES)).unwrap();
    }
}

/// Goes to the checkpoint; the bundles that were asked for.
fn go_on(source: &Source, log: &Arc<MirroredLog>) -> Vec<u64> {
    let mut follower = Follower::new(log.clone());
    let mut ask = Some(follower.begin());
    let mut asked = Vec::new();
    loop {
        let heard = match ask {
            Some(Ask::Checkpoint) => Heard::Checkpoint(source.note(ENTRIES).to_bytes()),
            Some(Ask::Bundle(path)) => {
                asked.push(path.index());
                Heard::Bundle(source.tile(path, ENTRIES))
            }
            Some(Ask::Bodies(_)) | None => return asked,
        };
        ask = follower.heard(heard).unwrap().ask;
    }
}

#[test]
fn what_an_earlier_run_wrote_is_proved_and_not_asked_for_again() {
    let (source, disk, index) = (long(), SimDisk::default(), Arc::default());
    interrupted(&source, &disk, &index);
    let log = follow(&disk, &index).unwrap();
    assert_eq!(go_on(&source, &log), [64, 65]);
    assert_eq!(
        (log.head().size, log.root_at(9).unwrap()),
        (ENTRIES, source.tiles.root_at(9).unwrap())
    );
}

#[test]
fn what_an_earlier_run_left_damaged_is_asked_for_again_and_accuses_nobody() {
    let (source, disk, index) = (long(), SimDisk::default(), Arc::default());
    interrupted(&source, &disk, &index);
    let log = follow(&disk, &index).unwrap();
    let path = log.tiles.path(&TilePath::Entries { index: 3, width: TILE_WIDTH as u16 });
    let mut bytes = disk.read(&path).unwrap().unwrap();
    bytes[20] ^= 1;
    disk.write(&path, &bytes).unwrap();
    let asked = go_on(&source, &log);
    assert_eq!(asked[..2], [64, 65]);
    assert_eq!(asked[2..], (0..66).collect::<Vec<u64>>());
    assert_eq!(log.head().size, ENTRIES);
    assert!(log.take_suspect().is_none());
}
