//! The lake gives the same tables as the logs it was made from.

use std::fs;

use hallmark_verifier::evidence::Proven;
use hallmark_verifier::lake::{self, LakeError};
use hallmark_verifier::load::load;
use hallmark_verifier::prove::prove;
use hallmark_verifier::tabulate::{self, Devices};

use crate::world::{ORIGIN, World, usual};

fn proven(world: &World) -> Proven {
    let folder = tempfile::tempdir().unwrap();
    world.write_dir(folder.path());
    prove(load(&[folder.path().to_owned()], &[]).unwrap())
}

#[test]
fn a_lake_written_in_ranges_reads_as_the_tables_of_the_whole_log() {
    let proven = proven(&usual(2));
    let folder = tempfile::tempdir().unwrap();
    let devices = Devices::of(&proven.attestations);
    for range in [0..4, 4..5, 5..6] {
        assert_eq!(lake::next_entry(folder.path(), ORIGIN).unwrap(), range.start);
        let part = proven.attestations.iter().filter(|one| range.contains(&one.entry));
        let rows = tabulate::attested(part, &devices).unwrap();
        lake::append(folder.path(), ORIGIN, range, &rows).unwrap();
    }
    let whole = tabulate::tabulate(&proven).unwrap();
    let read = lake::read(folder.path()).unwrap();
    for (name, batches) in read.iter() {
        assert_eq!(batches, whole.get(name), "{name}");
    }
    assert_eq!(read.rows("meter_readings"), 12);
    let again = tabulate::attested(&proven.attestations, &devices).unwrap();
    let error = lake::append(folder.path(), ORIGIN, 5..6, &again).unwrap_err();
    assert!(matches!(error, LakeError::Gap { held: 6, given: 5, .. }));

    // The lake is an input by itself.
    let from_lake = load(&[folder.path().to_owned()], &[]).unwrap();
    let tables = tabulate::tabulate(&prove(from_lake)).unwrap();
    assert_eq!(tables.get("meter_readings"), whole.get("meter_readings"));
    assert_eq!(tables.get("meter_readings_all"), whole.get("meter_readings_all"));
}

#[test]
fn files_of_a_range_that_was_never_finished_are_not_read() {
    let proven = proven(&usual(0));
    let folder = tempfile::tempdir().unwrap();
    let devices = Devices::of(&proven.attestations);
    let rows = tabulate::attested(&proven.attestations, &devices).unwrap();
    lake::append(folder.path(), ORIGIN, 0..6, &rows).unwrap();
    let ranges = folder.path().join("ranges");
    for file in fs::read_dir(&ranges).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    assert_eq!(lake::next_entry(folder.path(), ORIGIN).unwrap(), 0);
    assert!(lake::read(folder.path()).unwrap().is_empty());
    lake::append(folder.path(), ORIGIN, 0..6, &rows).unwrap();
    assert_eq!(lake::read(folder.path()).unwrap().rows("meter_readings"), 12);
}
