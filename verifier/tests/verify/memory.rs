//! A large bundle is checked in memory that its entries bound: what is held of an entry, not the file.
//!
//! `HALLMARK_ENTRIES` and `HALLMARK_BODIES` make it larger, to measure by hand; the figures are printed.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use hallmark_schemas::attestation::ContentId;
use hallmark_schemas::audience::Audience;
use hallmark_schemas::bundle::{ENTRIES_MAX, Header, Item};
use hallmark_schemas::entry::Entry;
use hallmark_schemas::id::Subject;
use hallmark_schemas::kind::event::Event;
use hallmark_schemas::time::Timestamp;

use crate::command::{stderr, stdout, verify};
use crate::world::{ORG, ORIGIN, World};

/// Entries of the bundle, unless the environment says otherwise.
const ENTRIES: usize = 50_000;
/// What a check may hold for each entry: twice the entry while it is sorted into the tree,
/// 56 bytes each, twice its leaf hash, 40 bytes each, and half as much again for allocators.
const BYTES_PER_ENTRY: usize = 300;
/// What a check may hold for each event: as it is parsed, as it stands in the tables, and what the
/// engine holds of those of one place while rules run over them; 12,400 were measured.
const BYTES_PER_BODY: usize = 20_000;
/// What rules and reports take beside it, more in one run than in another.
const SLACK_BYTES: usize = 32 << 20;

/// Bodies of the bundle whose bodies count, unless the environment says otherwise; a quarter of them
/// are in the smaller one.
const BODIES: usize = 4_000;

/// Writes a bundle of one log with so many events, all of one instant and each of another shipment.
fn write_events(path: &Path, events: usize) {
    let mut world = World::new(0);
    world.aud = Audience::Public;
    for number in 0..events {
        let body = format!("09521234{number:09}");
        let digits = body.bytes().rev().map(|digit| u32::from(digit - b'0'));
        let sum: u32 = digits.zip([3, 1].into_iter().cycle()).map(|(digit, by)| digit * by).sum();
        let shipment = format!("https://id.gs1.org/00/{body}{}", (10 - sum % 10) % 10);
        let text = format!(
            r#"{{"type":"ObjectEvent","eventTime":"2026-02-28T08:00:00+08:00","eventTimeZoneOffset":"+08:00","action":"OBSERVE","bizStep":"shipping","disposition":"in_transit","readPoint":{{"id":"https://id.gs1.org/414/9506000134352"}},"bizLocation":{{"id":"https://id.gs1.org/414/9506000134352"}},"epcList":["{shipment}"]}}"#
        );
        let event = Event::parse(&text).unwrap();
        world.add(Subject::Org(ORG.parse().unwrap()), event.into(), false);
    }
    put(path, &mut world);
}

/// Writes a bundle of one log with so many entries, few of whose bodies are in it, run by run.
fn write(path: &Path, entries: usize) {
    let mut world = World::new(2);
    let mut previous = None;
    for sequence in 1..20 {
        previous = Some(world.readings(sequence, previous, 40_000 + sequence as i64 * 997));
    }
    let last = *world.entries.last().unwrap();
    for number in world.entries.len()..entries {
        let id = ContentId::of(&(number as u64).to_be_bytes());
        world.entries.push(Entry { id, ..last });
    }
    put(path, &mut world);
}

/// Publishes the log and writes its bundle.
fn put(path: &Path, world: &mut World) {
    world.publish();
    let as_of = world.entries.last().unwrap().admitted_at;
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&Header { as_of, network: world.network.bytes().to_vec() }.encode()).unwrap();
    let mut items = 0;
    let mut put = |item: Item| {
        items += 1;
        file.write_all(&item.encode()).unwrap();
    };
    world.checkpoints.iter().for_each(|note| put(Item::Checkpoint(note.to_bytes())));
    for (number, run) in world.entries.chunks(ENTRIES_MAX).enumerate() {
        let (origin, first) = (ORIGIN.to_owned(), (number * ENTRIES_MAX) as u64);
        put(Item::Entries { origin, first, entries: run.to_vec() });
    }
    let (identity, others) = world.bodies.split_at(3);
    identity.iter().for_each(|body| put(Item::Identity(body.clone())));
    others.iter().for_each(|body| put(Item::Body(body.clone())));
    let end = Item::End { items };
    file.write_all(&end.encode()).unwrap();
    file.flush().unwrap();
}

/// Checks a bundle in a process of its own; the most memory that it ever held.
fn peak(path: &Path) -> usize {
    checked(path).0
}

/// The same, and the ticks that it computed for.
fn checked(path: &Path) -> (usize, u64) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hallmark-verify"))
        .args(["check", "--memory", "256M"])
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let [status, stat] = ["status", "stat"].map(|name| format!("/proc/{}/{name}", child.id()));
    let (mut peak, mut ticks) = (0, 0);
    let ended = loop {
        // The mark only rises; the last reading before the end is the peak or all but that.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib =
            line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok());
        peak = kib.map_or(peak, |kib| kib * 1024).max(peak);
        // The 14th and 15th words of the line, the second of which is a name in brackets.
        let line = fs::read_to_string(&stat).unwrap_or_default();
        let words = line.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
        ticks = words.filter_map(|word| word.parse::<u64>().ok()).sum::<u64>().max(ticks);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::yield_now();
    };
    assert_eq!(ended.code(), Some(0));
    assert!(0 < peak, "{status} told nothing");
    (peak, ticks)
}

#[test]
fn four_times_the_events_of_one_instant_take_about_four_times_the_work_and_memory() {
    if !Path::new("/proc/self/status").exists() {
        println!("skipped: the peak of memory is read from /proc");
        return;
    }
    let bodies = std::env::var("HALLMARK_BODIES").map_or(BODIES, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (few, many) = (folder.path().join("few.hallmark"), folder.path().join("many.hallmark"));
    write_events(&few, bodies / 4);
    write_events(&many, bodies);
    let ((few, fewer), (many, more)) = (checked(&few), checked(&many));
    let each = many.saturating_sub(few) / (bodies - bodies / 4);
    println!(
        "{bodies} bodies: peak {} MiB, {more} ticks; a quarter of them {} MiB, {fewer} ticks; {each} \
         bytes a body",
        many >> 20,
        few >> 20
    );
    assert!(each <= BYTES_PER_BODY, "{each} bytes a body");
    assert!(more <= 8 * fewer, "{more} ticks for {bodies} bodies, {fewer} for a quarter of them");
}

#[test]
fn a_large_bundle_is_checked_in_memory_that_its_entries_bound() {
    if !Path::new("/proc/self/status").exists() {
        println!("skipped: the peak of memory is read from /proc");
        return;
    }
    let entries = std::env::var("HALLMARK_ENTRIES").map_or(ENTRIES, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (small, large) =
        (folder.path().join("small.hallmark"), folder.path().join("large.hallmark"));
    write(&small, 100);
    write(&large, entries);
    let (small, large) = (peak(&small), peak(&large));
    println!("{entries} entries: peak {} MiB, of 100 entries {} MiB", large >> 20, small >> 20);
    let bound = small + entries * BYTES_PER_ENTRY + SLACK_BYTES;
    assert!(large <= bound, "{large} bytes for {entries} entries, {small} for 100");
}

#[test]
fn a_check_that_is_given_too_little_memory_ends_with_a_verdict_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = "device,quantity,unit,read_at,interval_s,amount\n".to_owned();
    for number in 0..12_000_u64 {
        let at = Timestamp::from_unix_ms(1_767_225_600_000 + (number + 1) * 900_000);
        text.push_str(&format!("m,electricity,Wh,{at},900,{}\n", number * 7_919 % 5_000));
    }
    fs::write(folder.path().join("long.csv"), text).unwrap();
    let args = ["check", "--table", "meter_readings=long.csv", "--memory", "16M"];
    let ran = verify(&args, folder.path());
    let (said, talk) = (stdout(&ran), stderr(&ran));
    assert_eq!(ran.status.code(), Some(70), "{said}{talk}");
    assert!(said.lines().last().unwrap().starts_with("failed: "), "{said}");
    assert!(said.contains("give more, such as `--memory 8G`"), "{said}");
    assert!(!talk.contains("panicked"), "{talk}");
}
